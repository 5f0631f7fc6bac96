/* format_proofpoint.c - Proofpoint Protection Server and on Demand: the filter log, by syslog or from its file, and the
 * JSON of the log service (messages and mail log). What its sendmail writes is format_sendmail's. */
#include <stdio.h>

#include "analysis/address_list.h"
#include "analysis/json_line.h"
#include "analysis/pairs.h"

enum { ID_MAX = 40, MESSAGES_MAX = 1024, TO_MAX = 12 };

/* Subjects and file names may imitate keys; what follows them is known. */
static const struct pair_key keys[] = {
	{ "s", EVENT_NAME(SESSION_ID), NULL }, { "m", "message_number", NULL }, { "x", "session_message", NULL },
	{ "mod", NULL, NULL }, { "cmd", NULL, NULL },
	{ "attachment", "attachment", NULL }, { "file", "file_name", "mime" }, { "mime", "mime_type", NULL },
	{ "type", "file_type", NULL }, { "omime", "original_mime_type", NULL }, { "oext", "original_extension", NULL },
	{ "corrupted", "corrupted", NULL }, { "protected", "protected", NULL }, { "virtual", "virtual", NULL }, { "a", "attachment_kind", NULL },
	{ "id", "id", NULL },
	{ "ip", EVENT_NAME(CLIENT_ADDR), NULL }, { "country", "country", NULL }, { "lip", EVENT_NAME(DAEMON_ADDR), NULL },
	{ "prot", EVENT_NAME(PROTOCOL), NULL }, { "hops_active", "hops_active", NULL }, { "routes", "routes", NULL },
	{ "notroutes", "not_routes", NULL }, { "perlwait", "perlwait", NULL }, { "host", EVENT_NAME(CLIENT_NAME), NULL },
	{ "resolve", "resolve", NULL }, { "reverse", "reverse", NULL }, { "value", NULL, NULL }, { "qid", NULL, NULL },
	{ "tls", EVENT_NAME(TLS_DETAILS), NULL }, { "r", "recipient_number", NULL }, { "verified", "verified", NULL },
	{ "module", "module", NULL }, { "rule", "rule", NULL }, { "action", EVENT_NAME(OUTCOME), NULL },
	{ "attachments", "attachments", NULL }, { "rcpts", NULL, NULL }, { "size", EVENT_NAME(SIZE), NULL },
	{ "guid", "guid", NULL }, { "hdr_mid", EVENT_NAME(MESSAGE_ID), NULL }, { "subject", EVENT_NAME(SUBJECT), "spamscore" },
	{ "spamscore", "score", NULL }, { "virusname", "virus", NULL }, { "duration", "duration", NULL },
	{ "elapsed", "elapsed", NULL }, { "rcpt_notroutes", "rcpt_not_routes", NULL }, { "data_routes", "data_routes", NULL },
	{ "data_notroutes", "data_not_routes", NULL }, { "rcpt", EVENT_NAME(TO), NULL }, { "from", EVENT_NAME(FROM), NULL },
	{ "suborg", "suborg", NULL }, { "folder", "folder", NULL }, { "pri", "priority", NULL }, { "rate", "rate", NULL },
	{ "crate", "connection_rate", NULL }, { "limit", "limit", NULL }, { "helo", EVENT_NAME(HELO), NULL },
	{ "msgs", "messages", NULL }, { "status", "filter_status", NULL }, { "err", EVENT_NAME(ERROR), NULL },
	{ "profile", "profile", NULL }, { "sampling", "sampling", NULL },
};

/* What a line tells, by its module and command. */
static const struct command { const char *mod, *cmd, *kind, *value_name; } commands[] = {
	{ "session", "connect", EVENT_KIND(CONNECT), NULL },
	{ "session", "resolve", "client_resolved", NULL },
	{ "session", "disconnect", EVENT_KIND(DISCONNECT), NULL },
	{ "session", "data", "filter_step", NULL },
	{ "session", "headers", "filter_step", NULL },
	{ "session", "judge", "filter_step", NULL },
	{ "session", "throttle", "throttled", NULL },
	{ "session", "store", EVENT_KIND(QUARANTINE), NULL },
	{ "session", "dispose", EVENT_KIND(SCANNED), NULL },
	{ "mail", "helo", EVENT_KIND(HELO), EVENT_NAME(HELO) },
	{ "mail", "env_from", EVENT_KIND(CLIENT), EVENT_NAME(FROM) },
	{ "mail", "env_rcpt", EVENT_KIND(RECIPIENT), EVENT_NAME(TO) },
	{ "mail", "attachment", "attachment", NULL },
	{ "mail", "msg", EVENT_KIND(SCANNED), NULL },
	{ "mail", "release", EVENT_KIND(RELEASED), NULL },
	{ "mail", "continue-system-sendmail", "filter_step", NULL },
	{ "", "send", EVENT_KIND(FORWARDED), NULL },
};

/* Actions that end a message. */
static const struct { const char *action, *kind; } verdicts[] = {
	{ "reject", EVENT_KIND(REJECT) }, { "tempfail", EVENT_KIND(REJECT) }, { "retry", EVENT_KIND(REJECT) },
	{ "discard", EVENT_KIND(DISCARD) }, { "quarantine", EVENT_KIND(QUARANTINE) },
};

/* Only some lines of a message tell its queue identifier: it is kept by the session and number. */
struct filter_memory {
	struct known {
		char message[ID_MAX], queue_id[ID_MAX];
		unsigned char message_length, queue_id_length;
	} known[MESSAGES_MAX];
};

/* ---- the filter log ---- */

static struct known *slot_of(struct filter_memory *memory, struct text message)
{
	unsigned hash = 5381;

	for (size_t i = 0; i < message.length; i++)
		hash = hash * 33 + (unsigned char)message.start[i];
	return &memory->known[hash % MESSAGES_MAX];
}

static struct text queue_id_of(struct filter_memory *memory, struct text message, struct text queue_id)
{
	struct known *known;

	if (!memory || !message.length || message.length > ID_MAX)
		return queue_id;
	known = slot_of(memory, message);
	if (queue_id.length && queue_id.length < ID_MAX) {
		memcpy(known->message, message.start, message.length);
		memcpy(known->queue_id, queue_id.start, queue_id.length);
		known->message_length = (unsigned char)message.length;
		known->queue_id_length = (unsigned char)queue_id.length;
		return queue_id;
	}
	if (!text_equal(message, (struct text){ known->message, known->message_length }))
		return TEXT_NONE;
	return (struct text){ known->queue_id, known->queue_id_length };
}

static const struct command *command_of(struct text mod, struct text cmd)
{
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (text_is(cmd, commands[i].cmd) && text_equal(mod, text_of(commands[i].mod)))
			return &commands[i];
	return NULL;
}

/* The parts of a line that are not just shown. */
struct parts {
	struct text mod, cmd, value, queue_id, recipients, message, action;
};

static void take_pair(const struct pair_key *key, struct text value, struct parts *parts, struct event *event)
{
	static const struct { const char *key; size_t offset; } kept[] = {
		{ "mod", offsetof(struct parts, mod) }, { "cmd", offsetof(struct parts, cmd) }, { "value", offsetof(struct parts, value) },
		{ "qid", offsetof(struct parts, queue_id) }, { "rcpts", offsetof(struct parts, recipients) },
		{ "x", offsetof(struct parts, message) }, { "action", offsetof(struct parts, action) },
	};

	for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
		struct text *part = (struct text *)(void *)((char *)parts + kept[i].offset);

		if (strcmp(key->key, kept[i].key) == 0 && !part->start)
			*part = value;
	}
	/* Empty is not told. */
	if (key->name && value.length && !event_has(event, key->name))
		event_add(event, key->name, value);
}

static bool add_commas(struct text list, struct event *event)
{
	for (int i = 0; list.start && i < TO_MAX; i++) {
		const char *comma = memchr(list.start, ',', list.length);

		event_add(event, EVENT_NAME(TO), (struct text){ list.start, comma ? (size_t)(comma - list.start) : list.length });
		list = comma ? text_behind(list, (size_t)(comma + 1 - list.start)) : TEXT_NONE;
	}
	if (list.start)
		event_add(event, EVENT_NAME(TO_MORE), list);
	return true;
}

/* "rprt s=... cmd=...": a word of how grave it is, then pairs. */
static bool read_filter(struct filter_memory *memory, struct event *event)
{
	struct text text = event->frame.message;
	const char *blank = memchr(text.start, ' ', text.length);
	struct parts parts = { TEXT_NONE, TEXT_NONE, TEXT_NONE, TEXT_NONE, TEXT_NONE, TEXT_NONE, TEXT_NONE };
	struct pairs pairs = { .separator = ' ', .keys = keys, .count = sizeof keys / sizeof keys[0] };
	const struct command *command;
	const struct pair_key *key;
	struct text value, queue_id;

	if (!blank || blank - text.start > 8)
		return false;
	pairs.rest = text_behind(text, (size_t)(blank + 1 - text.start));
	while ((key = pairs_next(&pairs, &value)))
		take_pair(key, value, &parts, event);
	command = command_of(parts.mod.start ? parts.mod : TEXT_LITERAL(""), parts.cmd);
	if (!command)
		return false;
	event->kind = command->kind;
	if (command->value_name && parts.value.start)
		event_add(event, command->value_name, address_without_brackets(parts.value));
	queue_id = queue_id_of(memory, parts.message, command->kind == EVENT_KIND(FORWARDED) ? TEXT_NONE : parts.queue_id);
	if (queue_id.start)
		event_add(event, EVENT_NAME(QUEUE_ID), queue_id);
	if (command->kind == EVENT_KIND(FORWARDED)) {
		event_add(event, EVENT_NAME(QUEUED_AS), parts.queue_id);
		if (parts.recipients.start)
			(void)add_commas(parts.recipients, event);
	} else if (parts.recipients.length) {
		event_add(event, EVENT_NAME(RECIPIENTS), parts.recipients);
	}
	for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++)
		if (event->kind == EVENT_KIND(SCANNED) && text_is(parts.action, verdicts[i].action))
			event->kind = verdicts[i].kind;
	return true;
}

static int program(struct text process)
{
	static const char *const beginnings[] = { "filter_instance", "background_instance", "cvt_instance", "pps_instance" };

	for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
		size_t length = strlen(beginnings[i]);

		if (process.length > length && memcmp(process.start, beginnings[i], length) == 0)
			return 0;
	}
	return -1;
}

static enum format_result read_proofpoint(struct event *event)
{
	if (event->program < 0)
		return FORMAT_NOT_MINE;
	return read_filter(event->memory, event) ? FORMAT_MATCHED : FORMAT_MALFORMED;
}

/* ---- the log service ---- */

enum member {
	TYPE, TS, GUID, QID, DISPOSITION, MESSAGE_FROM, MESSAGE_TO, SIZE, CLIENT_IP, CLIENT_HOST, CLIENT_HELO, SESSION,
	COUNTRY, TLS_NAME, CIPHER, HEADER_ID, HEADER_SUBJECT, DIRECTION, QUARANTINE_RULE, QUARANTINE_FOLDER, SCORE, DATA, SM_QID,
	SM_FROM, SM_TO, SM_SIZE, SM_COUNT, SM_ID, SM_PROTO, SM_DAEMON, SM_RELAY, SM_MAILER, SM_DELAY, SM_DSN, SM_STAT, SM_CTLADDR, AGENT,
	MEMBER_COUNT,
};

static const char *const members[MEMBER_COUNT] = {
	"type", "ts", "guid", "filter.qid", "filter.disposition", "envelope.from", "envelope.rcpts", "filter.msgSizeBytes",
	"connection.ip", "connection.host", "connection.helo", "connection.sid", "connection.country",
	"connection.tls.inbound.version", "connection.tls.inbound.cipher", "msg.header.message-id", "msg.header.subject",
	"filter.routeDirection", "filter.quarantine.rule", "filter.quarantine.folder", "filter.modules.spam.scores.overall", "data",
	"sm.qid", "sm.from", "sm.to", "sm.sizeBytes", "sm.nrcpts", "sm.msgid", "sm.proto", "sm.daemon", "sm.relay", "sm.mailer",
	"sm.delay", "sm.dsn", "sm.stat", "sm.ctladdr", "pps.agent",
};

struct service_file {
	struct filter_memory memory;	/* of the filter log, from its file */
	bool is_list;			/* recipients: an array, of which this is left */
	struct json_scan list;
	struct text single, next;	/* or one; and the one whose event is next */
	struct text values[MEMBER_COUNT];
};

/* Recipients are an array of strings, or a string. */
static void begin_recipients(struct service_file *file, struct text list)
{
	file->single = list;
	file->is_list = list.length && list.start[0] == '[' && json_scan_begin(&file->list, list);
}

static struct text next_recipient(struct own_lines *own, struct service_file *file)
{
	struct json_value value;
	struct text name, single = file->single;

	file->single = TEXT_NONE;
	if (!file->is_list)
		return single;
	return json_scan_next(&file->list, &name, &value) ? json_line_value(own, &value) : TEXT_NONE;
}

static void add_recipients(struct own_lines *own, struct text list, struct event *event)
{
	struct service_file *file = own->state;
	struct text to;

	begin_recipients(file, list);
	for (int i = 0; i < TO_MAX && (to = next_recipient(own, file)).start; i++)
		event_add(event, EVENT_NAME(TO), address_without_brackets(to));
}

static bool read_ts(struct own_lines *own, struct text text, int64_t *ret_us)
{
	return stamp_by_pattern(&own->stamps, text, "%Y-%m-%dT%H:%M:%S%f%z", ret_us) != 0;
}

/* "[\"<m@x>\"]": the first of the values of a header field. */
static struct text first_of(struct own_lines *own, struct text list)
{
	struct json_scan scan;
	struct json_value value;
	struct text name;

	if (!list.length || list.start[0] != '[')
		return list;
	return json_scan_begin(&scan, list) && json_scan_next(&scan, &name, &value) ? json_line_value(own, &value) : TEXT_NONE;
}

/* What came; the next event is what was decided. */
static void add_message(struct own_lines *own, struct event *event)
{
	const struct service_file *file = own->state;
	const struct text *values = file->values;
	bool is_in = text_is(values[DIRECTION], "inbound");

	event_add(event, EVENT_NAME(QUEUE_ID), values[QID].length ? values[QID] : values[GUID]);
	event_add_filled(event, "guid", values[GUID]);
	event_add_filled(event, EVENT_NAME(SESSION_ID), values[SESSION]);
	if (values[MESSAGE_FROM].start)
		event_add(event, EVENT_NAME(FROM), address_without_brackets(values[MESSAGE_FROM]));
	add_recipients(own, values[MESSAGE_TO], event);
	event_add_filled(event, EVENT_NAME(CLIENT_ADDR), values[CLIENT_IP]);
	event_add_filled(event, EVENT_NAME(CLIENT_NAME), values[CLIENT_HOST]);
	event_add_filled(event, EVENT_NAME(HELO), values[CLIENT_HELO]);
	event_add_filled(event, EVENT_NAME(MESSAGE_ID), first_of(own, values[HEADER_ID]));
	event_add_filled(event, EVENT_NAME(SIZE), values[SIZE]);
	event_add_filled(event, EVENT_NAME(SUBJECT), first_of(own, values[HEADER_SUBJECT]));
	event_add_filled(event, EVENT_NAME(TLS_VERSION), values[TLS_NAME]);
	event_add_filled(event, EVENT_NAME(CIPHER), values[CIPHER]);
	event_add_filled(event, "country", values[COUNTRY]);
	if (values[DIRECTION].length)
		event_add(event, EVENT_NAME(DIRECTION), is_in ? TEXT_LITERAL("in") : TEXT_LITERAL("out"));
	event_add_filled(event, "score", values[SCORE]);
}

static enum own_result read_message(struct own_lines *own, struct event *event)
{
	const struct service_file *file = own->state;
	const struct text *values = file->values;

	if (!values[GUID].length && !values[QID].length)
		return OWN_UNKNOWN;
	event->kind = own->turn == 0 ? EVENT_KIND(RECEIVED) : EVENT_KIND(SCANNED);
	if (own->turn == 0) {
		own->has_more = values[DISPOSITION].length != 0;
	} else {
		event_add(event, EVENT_NAME(OUTCOME), values[DISPOSITION]);
		event_add_filled(event, "rule", values[QUARANTINE_RULE]);
		event_add_filled(event, "folder", values[QUARANTINE_FOLDER]);
		for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++)
			if (text_is(values[DISPOSITION], verdicts[i].action))
				event->kind = verdicts[i].kind;
	}
	add_message(own, event);
	return OWN_EVENT;
}

/* "mx.example.org. [192.0.2.1]" */
static void add_relay(struct text relay, const char *name, const char *addr, struct event *event)
{
	const char *open = memchr(relay.start ? relay.start : "", '[', relay.length), *close;
	struct text host = { relay.start, open ? (size_t)(open - relay.start) : relay.length };

	while (host.length && (host.start[host.length - 1] == ' ' || host.start[host.length - 1] == '.'))
		host.length--;
	event_add_filled(event, name, host);
	close = open ? memchr(open, ']', (size_t)(relay.start + relay.length - open)) : NULL;
	if (close)
		event_add(event, addr, (struct text){ open + 1, (size_t)(close - open - 1) });
}

/* What sendmail says of an attempt; "Sent (ok)" of a file or program of its own is a delivery too, inside. */
static const char *status_of(struct text stat, struct text dsn)
{
	if (stat.length >= 4 && memcmp(stat.start, "Sent", 4) == 0)
		return "sent";
	if (stat.length >= 8 && memcmp(stat.start, "Deferred", 8) == 0)
		return "deferred";
	return !dsn.length ? NULL : dsn.start[0] == '2' ? "sent" : dsn.start[0] == '4' ? "deferred" : "bounced";
}

static enum own_result read_maillog(struct own_lines *own, struct event *event)
{
	struct service_file *file = own->state;
	const struct text *values = file->values;
	struct text to = TEXT_NONE;
	const char *status = status_of(values[SM_STAT], values[SM_DSN]);

	if (!values[SM_QID].length || (!values[SM_FROM].start && !values[SM_TO].start))
		return OWN_UNKNOWN;
	event_add(event, EVENT_NAME(QUEUE_ID), values[SM_QID]);
	if (values[SM_TO].start && status) {
		if (own->turn == 0) {
			begin_recipients(file, values[SM_TO]);
			file->next = next_recipient(own, file);
		}
		to = file->next;
		file->next = next_recipient(own, file);
		own->has_more = file->next.start != NULL;
		event->kind = EVENT_KIND(DELIVERY);
		event_add(event, EVENT_NAME(TO), address_without_brackets(to));
		event_add(event, EVENT_NAME(STATUS), text_of(status));
		add_relay(values[SM_RELAY], EVENT_NAME(RELAY_NAME), EVENT_NAME(RELAY_ADDR), event);
		event_add_filled(event, EVENT_NAME(DSN), values[SM_DSN]);
		event_add_filled(event, EVENT_NAME(REPLY), values[SM_STAT]);
		event_add_filled(event, "mailer", values[SM_MAILER]);
		event_add_filled(event, "elapsed", values[SM_DELAY]);
		event_add_filled(event, "controlling_user", values[SM_CTLADDR]);
		return OWN_EVENT;
	}
	event->kind = EVENT_KIND(RECEIVED);
	event_add(event, EVENT_NAME(FROM), address_without_brackets(values[SM_FROM].start ? values[SM_FROM] : TEXT_LITERAL("")));
	event_add_filled(event, EVENT_NAME(SIZE), values[SM_SIZE]);
	event_add_filled(event, EVENT_NAME(RECIPIENTS), values[SM_COUNT]);
	event_add_filled(event, EVENT_NAME(MESSAGE_ID), values[SM_ID]);
	event_add_filled(event, EVENT_NAME(PROTOCOL), values[SM_PROTO]);
	event_add_filled(event, EVENT_NAME(DAEMON_NAME), values[SM_DAEMON]);
	add_relay(values[SM_RELAY], EVENT_NAME(CLIENT_NAME), EVENT_NAME(CLIENT_ADDR), event);
	return OWN_EVENT;
}

static enum own_result read_service(struct own_lines *own, struct text line, struct event *event)
{
	struct service_file *file = own->state;

	if (own->turn == 0 && !json_line_read(own, line, members, MEMBER_COUNT, file->values))
		return OWN_UNKNOWN;
	event->frame.has_time = read_ts(own, file->values[TS], &event->frame.time_us);
	event->frame.process = TEXT_LITERAL("proofpoint");
	event->frame.host = file->values[AGENT].length ? file->values[AGENT] : TEXT_NONE;
	if (!event->frame.has_time)
		return OWN_UNKNOWN;
	return file->values[SM_QID].start ? read_maillog(own, event) : read_message(own, event);
}

/* "[2026-03-18 07:52:30.007522 -0500] rprt s=...", as the filter log lies in its file. */
static size_t read_bracketed(struct own_lines *own, struct text line, int64_t *ret_us)
{
	size_t length;

	if (line.length < 4 || line.start[0] != '[')
		return 0;
	length = stamp_by_pattern(&own->stamps, text_behind(line, 1), "%Y-%m-%d %H:%M:%S%f %z", ret_us);
	return length && length + 2 < line.length && line.start[length + 1] == ']' && line.start[length + 2] == ' ' ? length + 3 : 0;
}

static bool is_service(struct text line)
{
	return line.length && line.start[0] == '{' && memmem(line.start, line.length, "\"ts\"", 4) &&
	       ((memmem(line.start, line.length, "\"guid\"", 6) && memmem(line.start, line.length, "\"envelope\"", 10)) ||
		(memmem(line.start, line.length, "\"sm\"", 4) && memmem(line.start, line.length, "\"qid\"", 5)));
}

static enum own_result read_own(struct own_lines *own, struct text line, struct event *event)
{
	struct service_file *file = own->state;
	size_t length;

	if (own->turn || is_service(line))
		return read_service(own, line, event);
	length = read_bracketed(own, line, &event->frame.time_us);
	if (!length)
		return OWN_NOT_MINE;
	event->frame.has_time = true;
	event->frame.process = TEXT_LITERAL("proofpoint");
	event->frame.message = text_behind(line, length);
	return read_filter(&file->memory, event) ? OWN_EVENT : OWN_UNKNOWN;
}

static bool claims(struct own_lines *own, struct text line)
{
	int64_t ignored;
	size_t length = read_bracketed(own, line, &ignored);

	return is_service(line) || (length && memmem(line.start, line.length, " cmd=", 5));
}

const struct format format_proofpoint = {
	.name = "proofpoint",
	.summary = "Proofpoint: filter log; Proofpoint on Demand: messages and mail log in JSON",
	.page = {
		.where = "Protection Server: System, Log Settings, remote syslog or filter.log; Proofpoint on Demand: the log service (message and maillog)",
		.get = "syslog, the file, or the objects of the service, one a line",
		.joins = "s and x (session and message), qid, guid; the queue identifier that a message goes on under",
		.tells = "sessions, sender, recipients, verdicts and rules of each module, quarantine; deliveries by its Sendmail (maillog)",
		.lacks = "in the filter log alone: what became of a message behind the filter",
	},
	.program = program,
	.read = read_proofpoint,
	.memory_size = sizeof(struct filter_memory),
	.claims = claims,
	.read_own = read_own,
	.own_size = sizeof(struct service_file),
	.is_tacit = true,
};
