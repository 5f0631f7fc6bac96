/* format_exchange_tracking.c - message tracking logs of Exchange 2007 to 2019, and the extended trace of Microsoft 365. */
#include "analysis/address_list.h"
#include "analysis/log_table.h"
#include "analysis/smtp_line.h"

enum { TO_MAX = 12 };

/* Columns of 15.x, first those that no such table lacks; older versions have fewer, Microsoft 365 writes underscores. */
enum column {
	DATE_TIME, EVENT_ID, INTERNAL_MESSAGE_ID,
	CLIENT_IP, CLIENT_HOSTNAME, SERVER_IP, SERVER_HOSTNAME, SOURCE_CONTEXT, CONNECTOR_ID, SOURCE,
	MESSAGE_ID, NETWORK_MESSAGE_ID, RECIPIENT_ADDRESS, RECIPIENT_STATUS, TOTAL_BYTES,
	RECIPIENT_COUNT, RELATED_RECIPIENT, REFERENCE, SUBJECT, SENDER_ADDRESS, RETURN_PATH, MESSAGE_INFO, DIRECTIONALITY,
	TENANT_ID, ORIGINAL_CLIENT_IP, ORIGINAL_SERVER_IP, CUSTOM_DATA, TRAFFIC_TYPE, LOG_ID, SCHEMA_VERSION, COLUMN_COUNT,
};

static const char *const column_names[COLUMN_COUNT] = {
	"date-time|date-time-utc", "event-id", "internal-message-id",
	"client-ip", "client-hostname", "server-ip", "server-hostname", "source-context", "connector-id", "source",
	"message-id", "network-message-id", "recipient-address", "recipient-status", "total-bytes", "recipient-count", "related-recipient-address", "reference", "message-subject",
	"sender-address", "return-path", "message-info", "directionality", "tenant-id", "original-client-ip",
	"original-server-ip", "custom-data", "transport-traffic-type", "log-id", "schema-version",
};

/* What an event means: how its addresses are told. */
enum shape {
	SHAPE_MESSAGE,			/* one event, all recipients in it */
	SHAPE_RECIPIENTS,		/* one event each recipient */
};

struct meaning {
	const char *event_id, *kind, *status;
	enum shape shape;
};

static const struct meaning meanings[] = {
	{ "RECEIVE", EVENT_KIND(RECEIVED), NULL, SHAPE_MESSAGE },
	{ "SEND", EVENT_KIND(DELIVERY), "sent", SHAPE_RECIPIENTS },
	{ "SENDEXTERNAL", EVENT_KIND(DELIVERY), "sent", SHAPE_RECIPIENTS },
	{ "DELIVER", EVENT_KIND(DELIVERY), "sent", SHAPE_RECIPIENTS },
	{ "FAIL", EVENT_KIND(DELIVERY), "bounced", SHAPE_RECIPIENTS },
	{ "BADMAIL", EVENT_KIND(DELIVERY), "bounced", SHAPE_RECIPIENTS },
	{ "DEFER", EVENT_KIND(DELIVERY), "deferred", SHAPE_RECIPIENTS },
	{ "DSN", EVENT_KIND(BOUNCE), NULL, SHAPE_MESSAGE },
	{ "EXPAND", EVENT_KIND(EXPANDED), NULL, SHAPE_RECIPIENTS },
	{ "REDIRECT", EVENT_KIND(REDIRECT), NULL, SHAPE_RECIPIENTS },
	{ "RESOLVE", "resolved", NULL, SHAPE_RECIPIENTS },
	{ "DROP", EVENT_KIND(DISCARDED), NULL, SHAPE_RECIPIENTS },
	{ "SUSPEND", EVENT_KIND(HELD), NULL, SHAPE_MESSAGE },
	{ "RESUME", EVENT_KIND(RELEASED), NULL, SHAPE_MESSAGE },
	{ "RESUBMIT", EVENT_KIND(REQUEUED), NULL, SHAPE_MESSAGE },
	{ "POISONMESSAGE", EVENT_KIND(QUARANTINE), NULL, SHAPE_MESSAGE },
	{ "SUBMIT", "submitted", NULL, SHAPE_MESSAGE },
	{ "SUBMITDEFER", "submit_failed", NULL, SHAPE_MESSAGE },
	{ "SUBMITFAIL", "submit_failed", NULL, SHAPE_MESSAGE },
	{ "TRANSFER", "transferred", NULL, SHAPE_MESSAGE },
	{ "DUPLICATEDELIVER", "duplicate", NULL, SHAPE_MESSAGE },
	{ "DUPLICATEEXPAND", "duplicate", NULL, SHAPE_MESSAGE },
	{ "DUPLICATEREDIRECT", "duplicate", NULL, SHAPE_MESSAGE },
	{ "AGENTINFO", "tracking", NULL, SHAPE_MESSAGE },
	{ "HADISCARD", "shadow", NULL, SHAPE_MESSAGE },
	{ "HARECEIVE", "shadow", NULL, SHAPE_MESSAGE },
	{ "HAREDIRECT", "shadow", NULL, SHAPE_MESSAGE },
	{ "HAREDIRECTFAIL", "shadow", NULL, SHAPE_MESSAGE },
	{ "INITMESSAGECREATED", "tracking", NULL, SHAPE_MESSAGE },
	{ "LOAD", "tracking", NULL, SHAPE_MESSAGE },
	{ "MODERATIONEXPIRE", "tracking", NULL, SHAPE_MESSAGE },
	{ "MODERATORAPPROVE", "tracking", NULL, SHAPE_MESSAGE },
	{ "MODERATORREJECT", "tracking", NULL, SHAPE_MESSAGE },
	{ "MODERATORSALLNDR", "tracking", NULL, SHAPE_MESSAGE },
	{ "NOTIFYMAPI", "tracking", NULL, SHAPE_MESSAGE },
	{ "NOTIFYSHADOW", "tracking", NULL, SHAPE_MESSAGE },
	{ "PROCESS", "tracking", NULL, SHAPE_MESSAGE },
	{ "PROCESSMEETINGMESSAGE", "tracking", NULL, SHAPE_MESSAGE },
	{ "RESUBMITDEFER", "tracking", NULL, SHAPE_MESSAGE },
	{ "RESUBMITFAIL", "tracking", NULL, SHAPE_MESSAGE },
	{ "SUPPRESSED", "tracking", NULL, SHAPE_MESSAGE },
	{ "THROTTLE", "tracking", NULL, SHAPE_MESSAGE },
};

struct tracking_file {
	struct log_table table;
	const struct meaning *meaning;	/* of the record that is read, */
	unsigned recipients;
	struct text to, related, statuses;	/* and what is left of its recipients */
};

/* Without these it is another table. */
static const struct log_table_head head = { column_names, COLUMN_COUNT, 3 };

/* What goes into every event as it is. */
static const struct { enum column column; const char *name; } plain[] = {
	{ MESSAGE_ID, EVENT_NAME(MESSAGE_ID) },
	{ INTERNAL_MESSAGE_ID, EVENT_NAME(QUEUE_ID) },
	{ NETWORK_MESSAGE_ID, EVENT_NAME(NETWORK_MESSAGE_ID) },
	{ TOTAL_BYTES, EVENT_NAME(SIZE) },
	{ RECIPIENT_COUNT, EVENT_NAME(RECIPIENTS) },
	{ SUBJECT, EVENT_NAME(SUBJECT) },
	{ RETURN_PATH, "return_path" },
	{ SOURCE, "source" },
	{ EVENT_ID, "event_id" },
	{ CONNECTOR_ID, "connector" },
	{ SOURCE_CONTEXT, "source_context" },
	{ REFERENCE, "reference" },
	{ MESSAGE_INFO, "message_info" },
	{ TENANT_ID, "tenant_id" },
	{ ORIGINAL_CLIENT_IP, EVENT_NAME(ORIG_CLIENT_ADDR) },
	{ ORIGINAL_SERVER_IP, "orig_server_addr" },
	{ CUSTOM_DATA, "custom_data" },
	{ TRAFFIC_TYPE, "traffic_type" },
	{ LOG_ID, "log_id" },
	{ SCHEMA_VERSION, "schema_version" },
};

static struct text field(const struct own_lines *own, enum column column)
{
	const struct tracking_file *file = own->state;

	return log_table_field(&file->table, own, column);
}

static const struct meaning *meaning_of(struct text event_id)
{
	for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
		if (text_equal_nocase(event_id, text_of(meanings[i].event_id)))
			return &meanings[i];
	return NULL;
}

static bool is_from_us(const struct meaning *meaning)
{
	return meaning->kind == EVENT_KIND(DELIVERY);
}

/* The log is one of our servers: the client where mail was sent on, the server where it came. */
static void set_frame(const struct own_lines *own, const struct meaning *meaning, struct event *event)
{
	struct text ours = field(own, is_from_us(meaning) ? CLIENT_HOSTNAME : SERVER_HOSTNAME);

	event->frame.host = ours.start ? ours : field(own, is_from_us(meaning) ? SERVER_HOSTNAME : CLIENT_HOSTNAME);
	event->frame.process = TEXT_LITERAL("exchange");
}

static void add_hosts(const struct own_lines *own, const struct meaning *meaning, struct event *event)
{
	bool is_client = !is_from_us(meaning);

	event_add(event, is_client ? EVENT_NAME(CLIENT_ADDR) : "local_addr", field(own, CLIENT_IP));
	event_add(event, is_client ? EVENT_NAME(CLIENT_NAME) : "local_name", field(own, CLIENT_HOSTNAME));
	event_add(event, is_client ? EVENT_NAME(DAEMON_ADDR) : EVENT_NAME(RELAY_ADDR), field(own, SERVER_IP));
	/* A server that gives up by itself stands there alone. */
	if (is_client)
		event_add(event, EVENT_NAME(DAEMON_NAME), field(own, SERVER_HOSTNAME));
	else if (field(own, CLIENT_HOSTNAME).start || field(own, SERVER_IP).start)
		event_add(event, EVENT_NAME(RELAY_NAME), field(own, SERVER_HOSTNAME));
}

/* Of mail that came by SMTP the context begins with the session of the protocol log. */
static void add_session(const struct own_lines *own, struct event *event)
{
	struct text context = field(own, SOURCE_CONTEXT);
	const char *semicolon = context.start ? memchr(context.start, ';', context.length) : NULL;

	if (semicolon && text_is(field(own, SOURCE), "SMTP") && semicolon - context.start == 16)
		event_add(event, EVENT_NAME(SESSION_ID), (struct text){ context.start, 16 });
}

static void add_direction(const struct own_lines *own, struct event *event)
{
	struct text direction = field(own, DIRECTIONALITY);

	if (text_equal_nocase(direction, TEXT_LITERAL("Incoming")))
		event_add(event, EVENT_NAME(DIRECTION), TEXT_LITERAL("in"));
	else if (text_equal_nocase(direction, TEXT_LITERAL("Originating")))
		event_add(event, EVENT_NAME(DIRECTION), TEXT_LITERAL("out"));
	else
		event_add(event, "directionality", direction);
}

static void add_recipients(struct text list, struct event *event)
{
	for (int i = 0; list.start && i < TO_MAX; i++)
		event_add(event, EVENT_NAME(TO), log_table_next_item(&list, ';'));
	event_add(event, EVENT_NAME(TO_MORE), list);
}

static unsigned count_items(struct text list)
{
	unsigned count = 0;

	while (log_table_next_item(&list, ';').start)
		count++;
	return count;
}

/* "{LED=451 4.4.0 try later};{MSG=};{FQDN=}...": the last error, in the words of whoever said it. */
static struct text last_error(struct text status)
{
	static const char mark[] = "{LED=";
	size_t skip = sizeof mark - 1;
	const char *close;

	if (status.length <= skip || memcmp(status.start, mark, skip) != 0)
		return status;
	close = memchr(status.start, '}', status.length);
	return close ? (struct text){ status.start + skip, (size_t)(close - status.start) - skip } : status;
}

/* Of mail that was sent on the context has the reply to all of it: ";250 2.0.0 OK id;ClientSubmitTime:". */
static void add_reply(const struct own_lines *own, struct text status, struct event *event)
{
	struct text context = field(own, SOURCE_CONTEXT), last;

	(void)log_table_next_item(&context, ';');
	last = log_table_next_item(&context, ';');
	if (last.start && smtp_line_is_reply(last)) {
		event_add(event, EVENT_NAME(REPLY), last);
		event_add(event, "recipient_status", status);
	} else {
		struct text error = last_error(status);

		event_add(event, EVENT_NAME(REPLY), error);
		if (error.length != status.length)
			event_add(event, "recipient_status", status);
	}
}

/* The recipient whose turn it is. A status that is no list of as many is that of each. */
static void add_recipient(struct own_lines *own, struct event *event)
{
	struct tracking_file *file = own->state;
	struct text to = log_table_next_item(&file->to, ';'), related = log_table_next_item(&file->related, ';');
	struct text all = field(own, RECIPIENT_STATUS), status = all;

	if (file->recipients > 1 && count_items(all) == file->recipients)
		status = log_table_next_item(&file->statuses, ';');
	if (file->meaning->kind == EVENT_KIND(REDIRECT)) {
		event_add(event, EVENT_NAME(TO), related.start ? related : field(own, RELATED_RECIPIENT));
		event_add(event, EVENT_NAME(REDIRECT_TO), to);
	} else {
		event_add(event, EVENT_NAME(TO), to);
		event_add(event, EVENT_NAME(ORIG_TO), related.start ? related : field(own, RELATED_RECIPIENT));
	}
	if (file->meaning->status)
		event_add(event, EVENT_NAME(STATUS), text_of(file->meaning->status));
	add_reply(own, status, event);
	own->has_more = file->to.start != NULL;
}

static void add_bounce(const struct own_lines *own, struct event *event)
{
	event_add(event, EVENT_NAME(NOTIFICATION), TEXT_LITERAL("DSN"));
	event_add(event, EVENT_NAME(BOUNCE_QUEUE_ID), field(own, INTERNAL_MESSAGE_ID));
	/* The message that it is about, by its Message-ID alone. */
	event_add(event, "about_message_id", field(own, REFERENCE));
}

static void add_all(struct own_lines *own, struct event *event)
{
	struct tracking_file *file = own->state;
	const struct meaning *meaning = file->meaning;

	event->kind = meaning->kind;
	set_frame(own, meaning, event);
	event_add(event, EVENT_NAME(FROM), address_without_brackets(field(own, SENDER_ADDRESS)));
	if (meaning->shape == SHAPE_RECIPIENTS)
		add_recipient(own, event);
	else
		add_recipients(field(own, RECIPIENT_ADDRESS), event);
	if (meaning->kind == EVENT_KIND(BOUNCE))
		add_bounce(own, event);
	add_hosts(own, meaning, event);
	add_session(own, event);
	add_direction(own, event);
	for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
		if (plain[i].column != INTERNAL_MESSAGE_ID || meaning->kind != EVENT_KIND(BOUNCE))
			event_add(event, plain[i].name, field(own, plain[i].column));
}

static bool read_time(struct own_lines *own, struct event *event)
{
	struct text time = field(own, DATE_TIME);

	event->frame.has_time = stamp_by_pattern(&own->stamps, time, "%Y-%m-%dT%H:%M:%S%f%z", &event->frame.time_us) != 0;
	return event->frame.has_time;
}

static enum own_result read_own(struct own_lines *own, struct text line, struct event *event)
{
	struct tracking_file *file = own->state;

	if (own->turn == 0) {
		enum own_result result = log_table_read(&file->table, &head, own, line, event);

		if (result != OWN_EVENT)
			return result;
		file->meaning = meaning_of(field(own, EVENT_ID));
		file->to = field(own, RECIPIENT_ADDRESS);
		file->related = field(own, RELATED_RECIPIENT);
		file->statuses = field(own, RECIPIENT_STATUS);
		file->recipients = count_items(file->to);
	}
	if (!file->meaning || !read_time(own, event))
		return OWN_UNKNOWN;
	add_all(own, event);
	return OWN_EVENT;
}

static bool claims(struct own_lines *own, struct text line)
{
	struct log_table table;

	return memmem(line.start, line.length, "internal", 8) && memmem(line.start, line.length, "event", 5) &&
	       log_table_begin(&table, &head, own, line);
}

const struct format format_exchange_tracking = {
	.name = "exchange_tracking",
	.summary = "Exchange 2007 to 2019: message tracking; Microsoft 365: extended message trace",
	.page = {
		.where = "%ExchangeInstallPath%TransportRoles\\Logs\\MessageTracking; Microsoft 365: the extended report of message trace",
		.get = "copy MSGTRK*.LOG; or Get-MessageTrackingLog ... | Export-Csv; 365: Exchange admin center, Message trace, Extended report",
		.joins = "server and internal-message-id; session identifier; network-message-id; Message-ID as a hint",
		.tells = "messages with sender, recipients, subject and size; lists and redirects; deliveries, failures, delays with the last error; notices",
		.lacks = "the dialogue; what refused mail had in it; the end of a message that waits",
	},
	.claims = claims,
	.read_own = read_own,
	.own_size = sizeof(struct tracking_file),
	.is_tacit = true,
};
