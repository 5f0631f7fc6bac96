/* format_google.c - Email Log Search of Google Workspace, as CSV. */
#include "analysis/log_table.h"
#include "analysis/smtp_line.h"

enum column {
	MESSAGE_ID, EVENT_TARGET, EVENT_DATE, EVENT_STATUS,
	START_DATE, END_DATE, SENDER, MESSAGE_SIZE, SUBJECT, DIRECTION, ATTACHMENTS, RECIPIENT, TARGET_IP, HAS_ENCRYPTION,
	REPLY_CODE, DESCRIPTION, CLIENT_TYPE, SESSION_ID, COLUMN_COUNT,
};

static const char *const column_names[COLUMN_COUNT] = {
	"Message ID", "Event target", "Event date", "Event status",
	"Start date", "End date", "Sender", "Message size", "Subject", "Direction", "Attachments", "Recipient address",
	"Event target IP address", "Has encryption", "Event SMTP reply code", "Event description", "Client Type",
	"Device User Session ID",
};

static const struct log_table_head head = { column_names, COLUMN_COUNT, 4 };

struct google_file {
	struct log_table table;
};

/* "N/A" stands for nothing, as an empty field does. */
static struct text field(const struct own_lines *own, enum column column)
{
	const struct google_file *file = own->state;
	struct text text = log_table_field(&file->table, own, column);

	return text_is(text, "N/A") || !text.length ? TEXT_NONE : text;
}

/* What a status says of a delivery; the reply's code where it says nothing that is known. */
static const char *status_of(struct text word, struct text code)
{
	static const struct { const char *part, *status; } parts[] = {
		{ "not deliver", "bounced" }, { "undeliver", "bounced" },
		{ "deliver", "sent" }, { "insert", "sent" }, { "sent", "sent" }, { "accept", "sent" },
		{ "bounce", "bounced" }, { "reject", "bounced" }, { "fail", "bounced" },
		{ "defer", "deferred" }, { "temp", "deferred" }, { "retry", "deferred" },
	};

	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		if (text_has_nocase(word, parts[i].part))
			return parts[i].status;
	if (code.length != 3)
		return NULL;
	return code.start[0] == '2' ? "sent" : code.start[0] == '4' ? "deferred" : code.start[0] == '5' ? "bounced" : NULL;
}

static void add_delivery(struct text word, struct text code, struct event *event)
{
	const char *status = status_of(word, code);

	if (text_has_nocase(word, "drop") || text_has_nocase(word, "discard")) {
		event->kind = EVENT_KIND(DISCARDED);
	} else if (text_has_nocase(word, "quarantin")) {
		event->kind = EVENT_KIND(QUARANTINE);
	} else if (status) {
		event->kind = EVENT_KIND(DELIVERY);
		event_add(event, EVENT_NAME(STATUS), text_of(status));
	} else {
		event->kind = "trace_event";
	}
}

/* Refused at the door: a status that says so, or a message that never got an identifier. */
static bool is_refused(const struct own_lines *own, struct text word, struct text code)
{
	return text_is(field(own, MESSAGE_ID), "SMTPIN_ADDED_REJECT_SESSION") || text_has_nocase(word, "reject") ||
	       (code.length == 3 && (code.start[0] == '4' || code.start[0] == '5'));
}

static bool add_kind(const struct own_lines *own, struct event *event)
{
	struct text target = field(own, EVENT_TARGET), word = field(own, EVENT_STATUS), code = field(own, REPLY_CODE);

	if (!target.start && !word.start)
		return false;
	if (!text_is(target, "SMTP_IN")) {
		add_delivery(word, code, event);
		event_add(event, EVENT_NAME(RELAY_ADDR), field(own, TARGET_IP));
		event_add(event, EVENT_NAME(RELAY_NAME), target);
		return true;
	}
	event->kind = is_refused(own, word, code) ? EVENT_KIND(REJECT) : EVENT_KIND(RECEIVED);
	event_add(event, EVENT_NAME(CLIENT_ADDR), field(own, TARGET_IP));
	event_add(event, "event_target", target);
	return true;
}

/* "550" and "5.1.1 no such user" stand apart; together they are a reply. */
static void add_reply(struct own_lines *own, struct event *event)
{
	struct text code = field(own, REPLY_CODE), words = field(own, DESCRIPTION), reply;

	if (code.length != 3 || smtp_line_is_reply(words)) {
		event_add(event, event->kind == EVENT_KIND(RECEIVED) ? "description" : EVENT_NAME(REPLY), words.start ? words : code);
		return;
	}
	reply = own_keep(own, code);
	reply.length += own_keep(own, TEXT_LITERAL(" ")).length + own_keep(own, words.start ? words : TEXT_LITERAL("")).length;
	if (!words.start)
		reply.length = code.length;
	event_add(event, EVENT_NAME(REPLY), reply);
}

/* "2026/11/21 08:00:00 UTC" */
static bool read_time(struct own_lines *own, struct text text, int64_t *ret_us)
{
	return stamp_by_pattern(&own->stamps, text, "%Y/%m/%d %H:%M:%S UTC", ret_us)
		? stamp_by_pattern(&own->stamps, text, "%Y/%m/%d %H:%M:%S %Z", ret_us) != 0
		: stamp_by_pattern(&own->stamps, text, "%Y/%m/%d %H:%M:%S", ret_us) != 0;
}

static void add_direction(const struct own_lines *own, struct event *event)
{
	struct text direction = field(own, DIRECTION);

	if (text_has_nocase(direction, "receiv") || text_has_nocase(direction, "inbound") || text_has_nocase(direction, "incoming"))
		event_add(event, EVENT_NAME(DIRECTION), TEXT_LITERAL("in"));
	else if (text_has_nocase(direction, "sen") || text_has_nocase(direction, "outbound") || text_has_nocase(direction, "outgoing"))
		event_add(event, EVENT_NAME(DIRECTION), TEXT_LITERAL("out"));
	else
		event_add(event, "directionality", direction);
}

static enum own_result read_own(struct own_lines *own, struct text line, struct event *event)
{
	struct google_file *file = own->state;
	enum own_result result = log_table_read(&file->table, &head, own, line, event);
	struct text id, time;

	if (result != OWN_EVENT)
		return result;
	time = field(own, EVENT_DATE);
	event->frame.has_time = read_time(own, time.start ? time : field(own, START_DATE), &event->frame.time_us);
	if (!event->frame.has_time || !add_kind(own, event))
		return OWN_UNKNOWN;
	event->frame.process = TEXT_LITERAL("google");
	id = field(own, MESSAGE_ID);
	if (!text_is(id, "SMTPIN_ADDED_REJECT_SESSION")) {
		event_add(event, EVENT_NAME(MESSAGE_ID), id);
		/* It has no other name for a message. */
		event_add(event, EVENT_NAME(QUEUE_ID), id);
	}
	event_add(event, EVENT_NAME(FROM), field(own, SENDER));
	event_add(event, EVENT_NAME(TO), field(own, RECIPIENT));
	add_reply(own, event);
	event_add(event, EVENT_NAME(SIZE), field(own, MESSAGE_SIZE));
	event_add(event, EVENT_NAME(SUBJECT), field(own, SUBJECT));
	add_direction(own, event);
	event_add(event, "status_word", field(own, EVENT_STATUS));
	event_add(event, "encrypted", field(own, HAS_ENCRYPTION));
	event_add(event, "attachments", field(own, ATTACHMENTS));
	event_add(event, "client_type", field(own, CLIENT_TYPE));
	event_add(event, EVENT_NAME(SESSION_ID), field(own, SESSION_ID));
	return OWN_EVENT;
}

static bool claims(struct own_lines *own, struct text line)
{
	struct log_table table;

	return memmem(line.start, line.length, "vent target", 11) && log_table_begin(&table, &head, own, line);
}

const struct format format_google = {
	.name = "google",
	.summary = "Google Workspace: Email Log Search, as CSV",
	.page = {
		.where = "Google Workspace: Admin console, Reporting, Email Log Search",
		.get = "search, then Download (CSV); several rows a message",
		.joins = "Message-ID, which is Google's key too; refused sessions have none",
		.tells = "each step of a message: where it came from, where it was put, whether it was marked as spam, replies of other servers",
		.lacks = "messages without a Message-ID cannot be told apart; sessions; after 30 days only a few columns",
	},
	.claims = claims,
	.read_own = read_own,
	.own_size = sizeof(struct google_file),
	.is_tacit = true,
};
