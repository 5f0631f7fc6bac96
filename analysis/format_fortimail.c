/* format_fortimail.c - FortiMail: history (statistics), event, spam, virus and encryption logs; by syslog or from a file. */
#include "analysis/address_list.h"
#include "analysis/own_lines.h"
#include "analysis/pairs.h"

enum { QUEUE_ID_MAX = 20 };

static const struct {
	unsigned number;
	const char *words;
} classifiers[] = {
#define CLASSIFIER(number, words) { number, words },
#include "analysis/fortimail_codes.def"
#undef CLASSIFIER
};

/* A subject may stand without quotes at the end, and imitate keys: the keys behind it are known. */
static const struct pair_key keys[] = {
	{ "date", NULL, NULL }, { "time", NULL, NULL }, { "device_id", "device_id", NULL }, { "log_id", "log_id", NULL },
	{ "type", NULL, NULL }, { "subtype", "subtype", NULL }, { "pri", "priority", NULL }, { "log_part", "log_part", NULL },
	{ "session_id", NULL, NULL }, { "client_name", EVENT_NAME(CLIENT_NAME), NULL }, { "client_ip", EVENT_NAME(CLIENT_ADDR), NULL },
	{ "client_cc", "country", NULL }, { "dst_ip", EVENT_NAME(DAEMON_ADDR), NULL }, { "endpoint", "endpoint", NULL },
	{ "from", NULL, NULL }, { "hfrom", "header_from", NULL }, { "to", NULL, NULL }, { "polid", "policy", NULL },
	{ "domain", EVENT_NAME(DOMAIN), NULL }, { "mailer", "mailer", NULL }, { "resolved", "resolve", NULL }, { "src_type", "source_type", NULL },
	{ "direction", NULL, NULL }, { "virus", "virus", NULL }, { "disposition", NULL, NULL }, { "classifier", NULL, NULL },
	{ "detail", "details", NULL }, { "message_length", EVENT_NAME(SIZE), NULL }, { "subject", EVENT_NAME(SUBJECT), NULL },
	{ "message_id", EVENT_NAME(MESSAGE_ID), NULL }, { "recv_time", "receive_time", NULL }, { "notif_delay", "notification_delay", NULL },
	{ "scan_time", "scan_time", NULL }, { "xfer_time", "transfer_time", NULL }, { "transfer_time", "transfer_time", NULL },
	{ "srcfolder", "source_folder", NULL }, { "read_status", "read_status", NULL }, { "user", EVENT_NAME(USER), NULL }, { "ui", "interface", NULL },
	{ "action", EVENT_NAME(ACTION), NULL }, { "status", "event_status", NULL }, { "reason", EVENT_NAME(REASON), NULL }, { "msg", NULL, NULL },
};

struct parts {
	struct text date, time, type, session, from, to, direction, disposition, classifier, message;
};

static void take_pair(const struct pair_key *key, struct text value, struct parts *parts, struct event *event)
{
	static const struct { const char *key; size_t offset; } kept[] = {
		{ "date", offsetof(struct parts, date) }, { "time", offsetof(struct parts, time) }, { "type", offsetof(struct parts, type) },
		{ "session_id", offsetof(struct parts, session) }, { "from", offsetof(struct parts, from) }, { "to", offsetof(struct parts, to) },
		{ "direction", offsetof(struct parts, direction) }, { "disposition", offsetof(struct parts, disposition) },
		{ "classifier", offsetof(struct parts, classifier) }, { "msg", offsetof(struct parts, message) },
	};

	for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
		struct text *part = (struct text *)(void *)((char *)parts + kept[i].offset);

		if (strcmp(key->key, kept[i].key) == 0 && !part->start)
			*part = value;
	}
	if (key->name && value.length && !event_has(event, key->name))
		event_add(event, key->name, value);
}

/* "date=... time=... key=value", with commas between or without. */
static bool take_pairs(struct text text, struct parts *parts, struct event *event)
{
	struct pairs pairs = { .rest = text, .separator = ' ', .other_separator = ',', .keys = keys, .count = sizeof keys / sizeof keys[0] };
	const struct pair_key *key;
	struct text value;

	*parts = (struct parts){ .date = TEXT_NONE };
	while ((key = pairs_next(&pairs, &value))) {
		take_pair(key, value, parts, event);
	}
	return parts->date.start && parts->time.start && parts->type.start;
}

/* "r1PF1YTh025836-r1PF1YTh025836" is two queue identifiers of its mailer; the first came with the mail. */
static void add_session(struct text session, struct event *event)
{
	const char *dash = memchr(session.start ? session.start : "", '-', session.length);

	if (!session.length)
		return;
	event_add(event, EVENT_NAME(SESSION_ID), session);
	event_add(event, EVENT_NAME(QUEUE_ID), dash ? (struct text){ session.start, (size_t)(dash - session.start) } : session);
}

static void add_classifier(struct text classifier, struct event *event)
{
	unsigned number = 0;

	event_add_filled(event, "rule", classifier);
	if (!text_starts(classifier, "0x"))
		return;
	for (size_t i = 2; i < classifier.length && i < 6; i++) {
		char c = (char)(classifier.start[i] | 0x20);

		number = number * 16 + (unsigned)(c >= 'a' ? c - 'a' + 10 : c - '0');
	}
	for (size_t i = 0; i < sizeof classifiers / sizeof classifiers[0]; i++)
		if (classifiers[i].number == number)
			event_add(event, EVENT_NAME(REASON), text_of(classifiers[i].words));
}

/* One line of the history decides what became of a message. */
static void add_history(const struct parts *parts, struct event *event)
{
	static const struct { const char *word, *kind; } dispositions[] = {
		{ "reject", EVENT_KIND(REJECT) }, { "temporary fail", EVENT_KIND(REJECT) }, { "defer", EVENT_KIND(REJECT) },
		{ "delay", EVENT_KIND(REJECT) }, { "discard", EVENT_KIND(DISCARD) }, { "quarantine", EVENT_KIND(QUARANTINE) },
	};

	event->kind = EVENT_KIND(RECEIVED);
	for (size_t i = 0; i < sizeof dispositions / sizeof dispositions[0]; i++)
		if (event->kind == EVENT_KIND(RECEIVED) && text_has_nocase(parts->disposition, dispositions[i].word))
			event->kind = dispositions[i].kind;
	event_add_filled(event, EVENT_NAME(OUTCOME), parts->disposition);
	if (!event_has(event, EVENT_NAME(REASON)))
		add_classifier(parts->classifier, event);
	else
		event_add_filled(event, "rule", parts->classifier);
}

/* ---- what sendmail inside says ---- */

static const struct pair_key mailer_keys[] = {
	{ "from", NULL, NULL }, { "to", NULL, NULL }, { "size", EVENT_NAME(SIZE), NULL }, { "class", "class", NULL },
	{ "nrcpts", EVENT_NAME(RECIPIENTS), NULL }, { "msgid", EVENT_NAME(MESSAGE_ID), NULL }, { "proto", EVENT_NAME(PROTOCOL), NULL },
	{ "daemon", EVENT_NAME(DAEMON_NAME), NULL }, { "relay", NULL, NULL }, { "ctladdr", "controlling_user", NULL }, { "delay", "elapsed", NULL },
	{ "xdelay", "transfer_elapsed", NULL }, { "mailer", "mailer", NULL }, { "pri", "mailer_priority", NULL }, { "dsn", EVENT_NAME(DSN), NULL },
	{ "stat", NULL, NULL },
};

static void add_relay(struct text relay, bool is_client, struct event *event)
{
	const char *open = relay.length ? memchr(relay.start, '[', relay.length) : NULL, *close;
	struct text host = { relay.start, open ? (size_t)(open - relay.start) : relay.length };

	while (host.length && (host.start[host.length - 1] == ' ' || host.start[host.length - 1] == '.'))
		host.length--;
	if (!event_has(event, EVENT_NAME(CLIENT_NAME)) || !is_client)
		event_add_filled(event, is_client ? EVENT_NAME(CLIENT_NAME) : EVENT_NAME(RELAY_NAME), host);
	close = open ? memchr(open, ']', (size_t)(relay.start + relay.length - open)) : NULL;
	if (close && (!event_has(event, EVENT_NAME(CLIENT_ADDR)) || !is_client))
		event_add(event, is_client ? EVENT_NAME(CLIENT_ADDR) : EVENT_NAME(RELAY_ADDR), (struct text){ open + 1, (size_t)(close - open - 1) });
}

static const char *status_of(struct text stat, struct text dsn)
{
	if (text_starts(stat, "Sent"))
		return "sent";
	if (text_starts(stat, "Deferred"))
		return "deferred";
	return !dsn.length ? NULL : dsn.start[0] == '2' ? "sent" : dsn.start[0] == '4' ? "deferred" : "bounced";
}

/* "to=<a@b>, delay=00:00:50, mailer=local, dsn=5.1.1, stat=User unknown" */
static bool add_mailer(struct text text, struct event *event)
{
	struct pairs pairs = { .rest = text, .separator = ' ', .other_separator = ',', .keys = mailer_keys, .count = sizeof mailer_keys / sizeof mailer_keys[0] };
	struct text from = TEXT_NONE, to = TEXT_NONE, relay = TEXT_NONE, stat = TEXT_NONE, value;
	const struct pair_key *key;
	const char *status;

	while ((key = pairs_next(&pairs, &value))) {
		if (strcmp(key->key, "from") == 0)
			from = value;
		else if (strcmp(key->key, "to") == 0)
			to = value;
		else if (strcmp(key->key, "relay") == 0)
			relay = value;
		else if (strcmp(key->key, "stat") == 0)
			stat = value;
		else if (!event_has(event, key->name))
			event_add_filled(event, key->name, value);
	}
	status = status_of(stat, event_text(event, NAME_DSN));
	if (to.start && status) {
		event->kind = EVENT_KIND(DELIVERY);
		event_add(event, EVENT_NAME(TO), address_without_brackets(to));
		event_add(event, EVENT_NAME(STATUS), text_of(status));
		event_add_filled(event, EVENT_NAME(REPLY), stat);
	} else if (from.start) {
		event->kind = EVENT_KIND(RECEIVED);
		event_add(event, EVENT_NAME(FROM), address_without_brackets(from));
	} else {
		return false;
	}
	add_relay(relay, event->kind == EVENT_KIND(RECEIVED), event);
	return true;
}

static void add_event(const struct parts *parts, struct event *event)
{
	bool is_mail = (text_starts(parts->message, "to=") || text_starts(parts->message, "from=")) && add_mailer(parts->message, event);

	if (is_mail)
		return;
	event->kind = "appliance_event";
	event_add_filled(event, EVENT_NAME(NOTE), parts->message);
}

/* ---- a line ---- */

static bool add_kind(const struct parts *parts, struct event *event)
{
	if (text_is(parts->type, "statistics") || text_is(parts->type, "history")) {
		add_history(parts, event);
	} else if (text_is(parts->type, "spam") || text_is(parts->type, "virus") || text_is(parts->type, "encrypt")) {
		event->kind = EVENT_KIND(SCANNED);
		event_add(event, EVENT_NAME(OUTCOME), parts->type);
		event_add_filled(event, EVENT_NAME(NOTE), parts->message);
	} else if (text_is(parts->type, "event") || text_is(parts->type, "kevent")) {
		add_event(parts, event);
		return true;
	} else {
		return false;
	}
	if (parts->from.start)
		event_add(event, EVENT_NAME(FROM), address_without_brackets(parts->from));
	event_add_filled(event, EVENT_NAME(TO), address_without_brackets(parts->to));
	if (text_is(parts->direction, "in") || text_is(parts->direction, "out"))
		event_add(event, EVENT_NAME(DIRECTION), parts->direction);
	return true;
}

static bool read_line(struct text text, struct event *event, struct parts *parts)
{
	if (!take_pairs(text, parts, event))
		return false;
	add_session(parts->session, event);
	return add_kind(parts, event);
}

static bool is_line(struct text text)
{
	return text_starts(text, "date=") && memmem(text.start, text.length, "log_id=", 7) && memmem(text.start, text.length, "type=", 5);
}

/* In a frame the time is the frame's; without, the line has a form of its own. */
static enum format_result read_fortimail(struct event *event)
{
	struct parts parts;

	if (!event->frame.has_time || !is_line(event->frame.message))
		return FORMAT_NOT_MINE;
	return read_line(event->frame.message, event, &parts) ? FORMAT_MATCHED : FORMAT_MALFORMED;
}

/* "<189>" of syslog that some receivers leave. */
static struct text skip_priority(struct text line)
{
	const char *close = line.length && line.start[0] == '<' ? memchr(line.start, '>', line.length < 6 ? line.length : 6) : NULL;

	return close ? text_behind(line, (size_t)(close + 1 - line.start)) : line;
}

static enum own_result read_own(struct own_lines *own, struct text line, struct event *event)
{
	struct text text = skip_priority(line), stamp;
	struct parts parts;
	bool is_read;

	if (!is_line(text))
		return OWN_NOT_MINE;
	is_read = read_line(text, event, &parts);
	event->frame.process = TEXT_LITERAL("fortimail");
	if (!parts.time.start)
		return OWN_UNKNOWN;
	/* "2013-02-25 time=07:01:34": what is between them is dropped. */
	stamp = own_keep(own, parts.date);
	stamp.length += own_keep(own, TEXT_LITERAL(" ")).length;
	stamp.length += own_keep(own, parts.time).length;
	event->frame.has_time = stamp_by_pattern(&own->stamps, stamp, "%Y-%m-%d %H:%M:%S%f", &event->frame.time_us) != 0;
	return is_read && event->frame.has_time ? OWN_EVENT : OWN_UNKNOWN;
}

static bool claims(struct own_lines *own, struct text line)
{
	(void)own;
	return is_line(skip_priority(line));
}

const struct format format_fortimail = {
	.name = "fortimail",
	.summary = "FortiMail: history, event, spam, virus and encryption logs",
	.page = {
		.where = "FortiMail: Log & Report; to a syslog server (Log Settings, Remote), or downloaded",
		.get = "what your syslog server wrote; a downloaded file says what decided in numbers, which are decoded",
		.joins = "session_id, whose first part is the queue identifier",
		.tells = "history: client, sender, recipient, what was decided and by what; event: deliveries by its MTA; spam and virus findings",
		.lacks = "in history alone: whether the next host took it",
	},
	.read = read_fortimail,
	.claims = claims,
	.read_own = read_own,
	.is_tacit = true,
};
