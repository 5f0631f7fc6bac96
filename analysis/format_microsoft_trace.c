/* format_microsoft_trace.c - message traces of Microsoft 365: the portal's summary, Get-MessageTrace as CSV and JSON. The extended
 * trace has the columns of Exchange's tracking log, and is read as such. */
#include "analysis/address_list.h"
#include "analysis/json_line.h"
#include "analysis/log_table.h"

enum { TO_MAX = 12 };

/* Of the summary, one row a message. */
enum summary_column {
	ORIGIN_TIME, RECIPIENT_STATUS, SUMMARY_SENDER, SUMMARY_SUBJECT, SUMMARY_BYTES, SUMMARY_MESSAGE_ID, SUMMARY_NETWORK_ID,
	SUMMARY_CLIENT_IP, SUMMARY_DIRECTION, SUMMARY_CONNECTOR, SUMMARY_PRIORITY, SUMMARY_COUNT,
};

static const char *const summary_names[SUMMARY_COUNT] = {
	"origin_timestamp_utc", "recipient_status", "sender_address", "message_subject", "total_bytes", "message_id",
	"network_message_id", "original_client_ip", "directionality", "connector_id", "delivery_priority",
};

static const struct log_table_head summary_head = { summary_names, SUMMARY_COUNT, 3 };

/* Of the trace, one row a recipient. */
enum trace_column {
	RECEIVED, TRACE_ID, RECIPIENT, STATUS, SENDER, SUBJECT, MESSAGE_ID, TO_IP, FROM_IP, SIZE, ORGANIZATION, TRACE_COUNT,
};

static const char *const trace_names[TRACE_COUNT] = {
	"Received", "MessageTraceId", "RecipientAddress", "Status", "SenderAddress", "Subject", "MessageId", "ToIP", "FromIP", "Size",
	"Organization",
};

static const struct log_table_head trace_head = { trace_names, TRACE_COUNT, 4 };

struct trace_file {
	bool is_summary, is_json;
	struct log_table table;
	struct text statuses;			/* of the summary: what is left of it */
	struct text values[TRACE_COUNT];	/* of the trace: the record that is read, */
	bool is_received;			/* that it came was told of it */
	bool has_object;			/* of JSON: whose second event is to come */
	struct json_gather gather;
};

/* ---- what a status means ---- */

static const struct { const char *word, *kind, *status; } meanings[] = {
	{ "Deliver", EVENT_KIND(DELIVERY), "sent" },
	{ "Delivered", EVENT_KIND(DELIVERY), "sent" },
	{ "Send", EVENT_KIND(DELIVERY), "sent" },
	{ "FilteredAsSpam", EVENT_KIND(DELIVERY), "sent" },
	{ "Fail", EVENT_KIND(DELIVERY), "bounced" },
	{ "Failed", EVENT_KIND(DELIVERY), "bounced" },
	{ "Defer", EVENT_KIND(DELIVERY), "deferred" },
	{ "Pending", EVENT_KIND(DELIVERY), "deferred" },
	{ "Quarantined", EVENT_KIND(QUARANTINE), NULL },
	{ "Quarantine", EVENT_KIND(QUARANTINE), NULL },
	{ "Drop", EVENT_KIND(DISCARDED), NULL },
	{ "Expanded", EVENT_KIND(EXPANDED), NULL },
	{ "Expand", EVENT_KIND(EXPANDED), NULL },
	{ "Resolve", "resolved", NULL },
	{ "Resolved", "resolved", NULL },
	{ "Receive", "recipient_seen", NULL },
	{ "GettingStatus", "recipient_seen", NULL },
	{ "None", "recipient_seen", NULL },
};

static struct text trim(struct text text)
{
	while (text.length && text.start[0] == ' ')
		text = (struct text){ text.start + 1, text.length - 1 };
	while (text.length && text.start[text.length - 1] == ' ')
		text.length--;
	return text;
}

static bool add_status(struct text word, struct event *event)
{
	for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
		if (!text_equal_nocase(word, text_of(meanings[i].word)))
			continue;
		event->kind = meanings[i].kind;
		if (meanings[i].status)
			event_add(event, EVENT_NAME(STATUS), text_of(meanings[i].status));
		return true;
	}
	return false;
}

/* ---- the summary ---- */

static struct text summary(const struct own_lines *own, enum summary_column column)
{
	const struct trace_file *file = own->state;

	return log_table_field(&file->table, own, column);
}

/* "a@x##Receive, Deliver": the last word counts. */
static struct text split_status(struct text item, struct text *ret_words)
{
	const char *marks = memmem(item.start, item.length, "##", 2);

	*ret_words = TEXT_NONE;
	if (!marks)
		return trim(item);
	*ret_words = trim((struct text){ marks + 2, (size_t)(item.start + item.length - marks - 2) });
	return trim((struct text){ item.start, (size_t)(marks - item.start) });
}

static struct text last_word(struct text words)
{
	const char *comma = words.start ? memrchr(words.start, ',', words.length) : NULL;

	return trim(comma ? (struct text){ comma + 1, (size_t)(words.start + words.length - comma - 1) } : words);
}

static void add_summary(const struct own_lines *own, struct event *event)
{
	struct text direction = summary(own, SUMMARY_DIRECTION);
	bool is_in = text_equal_nocase(direction, TEXT_LITERAL("Incoming"));

	event_add(event, EVENT_NAME(MESSAGE_ID), summary(own, SUMMARY_MESSAGE_ID));
	event_add(event, EVENT_NAME(NETWORK_MESSAGE_ID), summary(own, SUMMARY_NETWORK_ID));
	event_add(event, EVENT_NAME(QUEUE_ID), summary(own, SUMMARY_NETWORK_ID));
	event_add(event, EVENT_NAME(CLIENT_ADDR), summary(own, SUMMARY_CLIENT_IP));
	event_add(event, EVENT_NAME(SIZE), summary(own, SUMMARY_BYTES));
	event_add(event, EVENT_NAME(SUBJECT), summary(own, SUMMARY_SUBJECT));
	if (is_in || text_equal_nocase(direction, TEXT_LITERAL("Originating")))
		event_add(event, EVENT_NAME(DIRECTION), is_in ? TEXT_LITERAL("in") : TEXT_LITERAL("out"));
	else
		event_add(event, "directionality", direction);
	event_add(event, "connector", summary(own, SUMMARY_CONNECTOR));
	event_add(event, "priority", summary(own, SUMMARY_PRIORITY));
}

static void add_all_recipients(struct text list, struct event *event)
{
	struct text words;

	for (int i = 0; list.start && i < TO_MAX; i++)
		event_add(event, EVENT_NAME(TO), split_status(log_table_next_item(&list, ';'), &words));
	event_add(event, EVENT_NAME(TO_MORE), list);
}

/* First that it came, for all; then what became of it, for each. */
static enum own_result read_summary(struct own_lines *own, struct text line, struct event *event)
{
	struct trace_file *file = own->state;
	struct text words = TEXT_NONE, to = TEXT_NONE;

	if (own->turn == 0) {
		enum own_result result = log_table_read(&file->table, &summary_head, own, line, event);

		if (result != OWN_EVENT)
			return result;
		file->statuses = summary(own, RECIPIENT_STATUS);
	}
	event->frame.has_time = stamp_by_pattern(&own->stamps, summary(own, ORIGIN_TIME), "%Y-%m-%dT%H:%M:%S%f%z", &event->frame.time_us) != 0;
	if (!event->frame.has_time)
		return OWN_UNKNOWN;
	event->frame.process = TEXT_LITERAL("microsoft365");
	event_add(event, EVENT_NAME(FROM), address_without_brackets(summary(own, SUMMARY_SENDER)));
	if (own->turn == 0) {
		event->kind = EVENT_KIND(RECEIVED);
		add_all_recipients(file->statuses, event);
	} else {
		to = split_status(log_table_next_item(&file->statuses, ';'), &words);
		event_add(event, EVENT_NAME(TO), to);
		event_add(event, "events", words);
		if (!add_status(last_word(words), event))
			event->kind = NULL;
	}
	add_summary(own, event);
	own->has_more = file->statuses.start != NULL;
	return event->kind ? OWN_EVENT : OWN_UNKNOWN;
}

/* ---- the trace ---- */

/* "/Date(1795248000000)/" */
static bool read_milliseconds(struct text text, int64_t *ret_us)
{
	static const char date[] = "/Date(";
	int64_t milliseconds = 0;

	if (text.length <= sizeof date || memcmp(text.start, date, sizeof date - 1) != 0)
		return false;
	for (size_t i = sizeof date - 1; i < text.length && i < 20 && text.start[i] >= '0' && text.start[i] <= '9'; i++)
		milliseconds = milliseconds * 10 + (text.start[i] - '0');
	*ret_us = milliseconds * 1000;
	return milliseconds != 0;
}

/* As the culture of whoever exported it writes: with AM or PM the month comes first, else the day. In UTC, unsaid. */
static bool read_time(struct own_lines *own, struct text text, int64_t *ret_us)
{
	static const char *const patterns[] = {
		"%Y-%m-%dT%H:%M:%S%f%z", "%Y-%m-%d %H:%M:%S%z", "%Y/%m/%d %H:%M:%S%z", "%m/%d/%Y %I:%M:%S %p%z",
		"%d/%m/%Y %H:%M:%S%z", "%d.%m.%Y %H:%M:%S%z", "%d-%m-%Y %H:%M:%S%z",
	};
	char with_zone[40];

	if (read_milliseconds(text, ret_us))
		return true;
	if (!text.length || text.length + 1 > sizeof with_zone)
		return false;
	memcpy(with_zone, text.start, text.length);
	with_zone[text.length] = 'Z';
	for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
		if (stamp_by_pattern(&own->stamps, (struct text){ with_zone, text.length + 1 }, patterns[i], ret_us))
			return true;
	return false;
}

/* That it came, then what became of it for this recipient. */
static enum own_result add_trace(struct own_lines *own, struct event *event)
{
	struct trace_file *file = own->state;
	const struct text *values = file->values;

	event->frame.has_time = read_time(own, values[RECEIVED], &event->frame.time_us);
	if (!event->frame.has_time)
		return OWN_UNKNOWN;
	event->frame.process = TEXT_LITERAL("microsoft365");
	event_add(event, EVENT_NAME(FROM), address_without_brackets(values[SENDER]));
	event_add(event, EVENT_NAME(TO), values[RECIPIENT]);
	if (!file->is_received) {
		event->kind = EVENT_KIND(RECEIVED);
		own->has_more = file->is_received = true;
	} else if (!add_status(values[STATUS], event)) {
		return OWN_UNKNOWN;
	} else {
		event_add(event, "status_word", values[STATUS]);
		event_add(event, EVENT_NAME(RELAY_ADDR), values[TO_IP]);
	}
	event_add(event, EVENT_NAME(QUEUE_ID), values[TRACE_ID]);
	event_add(event, EVENT_NAME(NETWORK_MESSAGE_ID), values[TRACE_ID]);
	event_add(event, EVENT_NAME(MESSAGE_ID), values[MESSAGE_ID]);
	event_add(event, EVENT_NAME(CLIENT_ADDR), values[FROM_IP]);
	event_add(event, EVENT_NAME(SIZE), values[SIZE]);
	event_add(event, EVENT_NAME(SUBJECT), values[SUBJECT]);
	event_add(event, "organization", values[ORGANIZATION]);
	return OWN_EVENT;
}

static enum own_result read_table(struct own_lines *own, struct text line, struct event *event)
{
	struct trace_file *file = own->state;

	if (own->turn == 0) {
		enum own_result result = log_table_read(&file->table, &trace_head, own, line, event);

		if (result != OWN_EVENT)
			return result;
		for (unsigned i = 0; i < TRACE_COUNT; i++)
			file->values[i] = log_table_field(&file->table, own, i);
		file->is_received = false;
	}
	return add_trace(own, event);
}

/* Objects of any number in a line, each giving two events. */
static enum own_result read_json(struct own_lines *own, struct text line, struct event *event)
{
	struct trace_file *file = own->state;
	struct text object;
	enum own_result result;

	if (!file->has_object) {
		if (!json_gather_next(&file->gather, own->turn == 0 ? line : TEXT_NONE, &object))
			return OWN_NOTHING;
		event->frame.message = object;
		file->has_object = json_line_read(own, object, trace_names, TRACE_COUNT, file->values);
		file->is_received = false;
	}
	result = file->has_object ? add_trace(own, event) : OWN_UNKNOWN;
	file->has_object = own->has_more;
	own->has_more = own->has_more || file->gather.rest.length;
	return result;
}

/* "    "MessageId":  "<x>"," of an object whose brace stands alone on the line before. */
static bool is_json_member(struct text line)
{
	static const char *const names[] = {
		"PSComputerName", "RunspaceId", "PSShowComputerName", "Organization", "MessageId", "Received", "SenderAddress",
		"RecipientAddress", "MessageTraceId", "__metadata",
	};
	struct text name;
	const char *quote;

	while (line.length && (line.start[0] == ' ' || line.start[0] == '\t'))
		line = (struct text){ line.start + 1, line.length - 1 };
	if (line.length < 4 || line.start[0] != '"' || !(quote = memchr(line.start + 1, '"', line.length - 1)))
		return false;
	name = (struct text){ line.start + 1, (size_t)(quote - line.start - 1) };
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (text_is(name, names[i]))
			return true;
	return false;
}

static bool is_json(struct text line)
{
	if (line.length && (line.start[0] == '{' || line.start[0] == '['))
		return memmem(line.start, line.length, "\"MessageTraceId\"", 16) && memmem(line.start, line.length, "\"RecipientAddress\"", 18);
	return is_json_member(line);
}

/* ---- which of them ---- */

static bool is_summary(struct log_table *table, struct own_lines *own, struct text line)
{
	return memmem(line.start, line.length, "origin", 6) && log_table_begin(table, &summary_head, own, line);
}

static bool is_trace(struct log_table *table, struct own_lines *own, struct text line)
{
	return memmem(line.start, line.length, "MessageTraceId", 14) && line.start[0] != '{' && line.start[0] != '[' &&
	       log_table_begin(table, &trace_head, own, line);
}

static enum own_result read_own(struct own_lines *own, struct text line, struct event *event)
{
	struct trace_file *file = own->state;

	if (file->table.has_columns)
		return file->is_summary ? read_summary(own, line, event) : read_table(own, line, event);
	if (!file->is_json) {
		file->is_summary = is_summary(&file->table, own, line);
		if (file->is_summary || is_trace(&file->table, own, line))
			return OWN_NOTHING;
		if (!is_json(line))
			return OWN_NOT_MINE;
		file->is_json = true;
		/* The brace stood on the line before. */
		if (line.start[0] != '{' && line.start[0] != '[')
			(void)json_gather_next(&file->gather, TEXT_LITERAL("{"), &file->values[0]);
	}
	return read_json(own, line, event);
}

static bool claims(struct own_lines *own, struct text line)
{
	struct log_table table;

	return line.length && (is_summary(&table, own, line) || is_trace(&table, own, line) || is_json(line));
}

const struct format format_microsoft_trace = {
	.name = "microsoft_trace",
	.summary = "Microsoft 365: message trace, summary and Get-MessageTrace, CSV or JSON",
	.page = {
		.where = "Microsoft 365: Exchange admin center, Message trace; PowerShell; the reporting web service",
		.get = "portal: download the summary report as CSV; PowerShell: Get-MessageTrace (or Get-MessageTraceV2) | Export-Csv; JSON of the reporting service",
		.joins = "network message id, or MessageTraceId; Message-ID as a hint",
		.tells = "sender, recipients, subject, size, what became of each recipient, the other side's address",
		.lacks = "sessions, refusals before a message was taken, attempts and replies (the extended report has more), anything older than the service keeps",
	},
	.claims = claims,
	.read_own = read_own,
	.own_size = sizeof(struct trace_file),
	.takes_pieces = true,
	.is_tacit = true,
};
