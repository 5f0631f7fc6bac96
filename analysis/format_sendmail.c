/*
 * format_sendmail.c - Sendmail 8: where mail comes from and goes to, by hand; all else as sendmail.def says.
 *
 * A line is "QUEUEID: text", or text alone. What others chose (addresses, a Message-ID, a server's words) may imitate what
 * stands behind it: addresses go to the end of their brackets and quotes, a Message-ID to the last places where the
 * fields behind it fit, and whether mail was delivered is told by dsn=, which stands before a server's words.
 */
#include <errno.h>

#include "analysis/address_list.h"
#include "analysis/format.h"
#include "analysis/pairs.h"
#include "analysis/template.h"

static const struct template_row rows[] = {
#define ROW(kind, programs, pattern) { kind, programs, pattern },
#include "analysis/sendmail.def"
#undef ROW
};

enum { ID_MIN = 8, ID_MAX = 40, ID_DIGITS = 5, TO_MAX = 20 };

static struct template_set *set;

static int prepare(void)
{
	if (!set)
		set = template_set_new(rows, sizeof rows / sizeof rows[0]);
	return set ? 0 : -ENOMEM;
}

/* ---- pieces of text ---- */

/* From the text to where the mark begins. */
static struct text until(struct text text, const char *mark)
{
	return (struct text){ text.start, (size_t)(mark - text.start) };
}

static const char *find_last(struct text text, const char *words)
{
	const char *found = NULL, *at = text.start, *end = text.start + text.length, *next;
	size_t length = strlen(words);

	while (at < end && (next = memmem(at, (size_t)(end - at), words, length))) {
		found = next;
		at = next + 1;
	}
	return found;
}

static bool is_alnum(char c)
{
	return byte_is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* "6ARG0aBe002009: ", or "6ARG0aBe002009[2]: " where a line goes on: the number of a process is its end. 0: there is none. */
static size_t id_length(struct text text)
{
	size_t length = 0;

	while (length < text.length && length < ID_MAX && is_alnum(text.start[length]))
		length++;
	if (length < ID_MIN || length == text.length || (text.start[length] != ':' && text.start[length] != '['))
		return 0;
	for (size_t i = length - ID_DIGITS; i < length; i++)
		if (!byte_is_digit(text.start[i]))
			return 0;
	return length;
}

/* ---- hosts ---- */

/* Whose host it is: the names that it gets. */
struct role {
	const char *name, *addr;
};

static const struct role client_role = { EVENT_NAME(CLIENT_NAME), EVENT_NAME(CLIENT_ADDR) };
static const struct role relay_role = { EVENT_NAME(RELAY_NAME), EVENT_NAME(RELAY_ADDR) };
static const struct role server_role = { EVENT_NAME(SERVER_NAME), EVENT_NAME(SERVER_ADDR) };

/* "mx.example.com [192.0.2.1] (may be forged)", "[IPv6:2001:db8:0:0:0:0:0:7]", "example.net.", "root@localhost" */
static void add_host(struct text text, const struct role *role, struct event *event)
{
	const char *open = find_last(text, "["), *close = open ? memchr(open, ']', (size_t)(text.start + text.length - open)) : NULL;
	struct text name = open ? until(text, open) : text, addr = TEXT_NONE;
	const char *at;

	if (close) {
		addr = (struct text){ open + 1, (size_t)(close - open - 1) };
		if (text_starts(addr, "IPv6:"))
			addr = text_behind(addr, 5);
		if (find_last(text_behind(text, (size_t)(close - text.start)), "(may be forged)"))
			event_add(event, "client_resolve", TEXT_LITERAL("forged"));
	}
	while (name.length && name.start[name.length - 1] == ' ')
		name.length--;
	/* An address by which the host was asked for. */
	if (name.length > 2 && name.start[0] == '[' && name.start[name.length - 1] == ']')
		name = (struct text){ name.start + 1, name.length - 2 };
	if (name.length && name.start[name.length - 1] == '.')
		name.length--;
	at = memrchr(name.start, '@', name.length);
	if (at) {
		event_add(event, EVENT_NAME(USER), until(name, at));
		name = text_behind(name, (size_t)(at + 1 - name.start));
	}
	if (name.length)
		event_add(event, role->name, name);
	if (addr.length)
		event_add(event, role->addr, addr);
}

/* ---- from= ---- */

static const struct pair_key from_keys[] = {
	{ "size", EVENT_NAME(SIZE), NULL }, { "class", "class", NULL }, { "nrcpts", EVENT_NAME(RECIPIENTS), NULL },
	{ "msgid", EVENT_NAME(MESSAGE_ID), NULL }, { "relay", NULL, NULL }, { "bodytype", NULL, NULL }, { "proto", NULL, NULL },
	{ "daemon", NULL, NULL }, { "tls_verify", NULL, NULL }, { "auth", NULL, NULL },
};

/* What may stand between a Message-ID and relay=, and its name. */
static const struct pair_key end_keys[] = {
	{ "bodytype", "body", NULL }, { "proto", EVENT_NAME(PROTOCOL), NULL }, { "daemon", EVENT_NAME(DAEMON_NAME), NULL },
	{ "tls_verify", EVENT_NAME(TLS_TRUST), NULL }, { "auth", "auth", NULL },
};

static bool is_word(struct text text)
{
	for (size_t i = 0; i < text.length; i++)
		if (!is_alnum(text.start[i]) && !strchr("-_.+", text.start[i]))
			return false;
	return text.length > 0;
}

/* Takes ", key=word" off the end, unless that key was taken; false: there is none. */
static bool take_end(struct text *text, unsigned *taken, struct event *event)
{
	const char *comma = find_last(*text, ", "), *equals;
	struct text piece, value;

	if (!comma && !text_starts(*text, "proto=") && !text_starts(*text, "bodytype=") && !text_starts(*text, "daemon="))
		return false;
	piece = comma ? text_behind(*text, (size_t)(comma + 2 - text->start)) : *text;
	equals = memchr(piece.start, '=', piece.length);
	if (!equals)
		return false;
	value = text_behind(piece, (size_t)(equals + 1 - piece.start));
	for (unsigned i = 0; i < sizeof end_keys / sizeof end_keys[0]; i++)
		if (text_is(until(piece, equals), end_keys[i].key) && !(*taken & 1u << i) && is_word(value)) {
			*taken |= 1u << i;
			event_add(event, end_keys[i].name, value);
			text->length = comma ? (size_t)(comma - text->start) : 0;
			return true;
		}
	return false;
}

/* Behind from=, size=, class= and nrcpts=: "msgid=<...>, proto=ESMTP, daemon=MTA, relay=host [ip]". */
static bool read_from_end(struct text text, struct event *event)
{
	const char *relay = find_last(text, "relay=");
	unsigned taken = 0;

	if (!relay || (relay > text.start && relay[-1] != ' '))
		return false;
	add_host(text_behind(text, (size_t)(relay + 6 - text.start)), &client_role, event);
	text = until(text, relay);
	while (text.length && (text.start[text.length - 1] == ' ' || text.start[text.length - 1] == ','))
		text.length--;
	while (text.length && take_end(&text, &taken, event))
		;
	if (!text.length)
		return true;
	if (!text_starts(text, "msgid="))
		return false;
	event_add(event, EVENT_NAME(MESSAGE_ID), text_behind(text, 6));
	return true;
}

/* Without a Message-ID it has not come to its end, since Sendmail gives one to any message that has none. */
static bool read_from(struct text text, struct event *event)
{
	struct text from = { text.start, address_list_length(text) };
	struct pairs pairs = { .separator = ',', .other_separator = ' ', .keys = from_keys, .count = sizeof from_keys / sizeof from_keys[0] };
	const struct pair_key *key = NULL;
	struct text value;

	event_add(event, EVENT_NAME(FROM), address_without_brackets(from));
	pairs.rest = text_behind(text, from.length);
	for (int i = 0; i < 3; i++) {
		key = pairs_next(&pairs, &value);
		if (key != &from_keys[i])
			return false;
		event_add(event, key->name, value);
	}
	while (pairs.rest.length && (pairs.rest.start[0] == ',' || pairs.rest.start[0] == ' '))
		pairs.rest = text_behind(pairs.rest, 1);
	if (!read_from_end(pairs.rest, event))
		return false;
	event->kind = event_text(event, NAME_MESSAGE_ID).start ? EVENT_KIND(RECEIVED) : EVENT_KIND(ABANDONED);
	return true;
}

/* ---- to= ---- */

enum to_key { DELAY, XDELAY, MAILER, TLS_VERIFY, PRIORITY, RELAY, DSN, REPLY, STAT, TO_KEYS };

static const struct pair_key to_keys[TO_KEYS] = {
	[DELAY] = { "delay", EVENT_NAME(DELAY), NULL }, [XDELAY] = { "xdelay", EVENT_NAME(DELAY_TRANSFER), NULL },
	[MAILER] = { "mailer", EVENT_NAME(MAILER), NULL }, [TLS_VERIFY] = { "tls_verify", EVENT_NAME(TLS_TRUST), NULL },
	[PRIORITY] = { "pri", "priority", NULL }, [RELAY] = { "relay", NULL, NULL }, [DSN] = { "dsn", EVENT_NAME(DSN), NULL },
	[REPLY] = { "reply", EVENT_NAME(REPLY), "stat" }, [STAT] = { "stat", NULL, NULL },
};

/* What stat= begins with where no dsn= tells: the client is still there, and is told. */
static const struct { const char *words, *status; } stats[] = {
	{ "Sent", "sent" }, { "Deferred", "deferred" }, { "queued", "queued" }, { "discarded", "discarded" },
	{ "aborted by sender", "aborted" }, { "quarantined", "held" },
};

static const char *status_of(struct text stat, struct text dsn, bool was_tried)
{
	if (dsn.length)
		return dsn.start[0] == '2' ? "sent" : dsn.start[0] == '4' ? "deferred" : "bounced";
	for (size_t i = 0; i < sizeof stats / sizeof stats[0]; i++)
		if (text_starts(stat, stats[i].words))
			return stats[i].status;
	return was_tried ? "bounced" : "rejected";
}

/* "Sent (250 ok)", "Deferred: 450 later", "User unknown" */
static struct text words_of(struct text stat)
{
	if (text_starts(stat, "Sent (") || text_starts(stat, "sent ("))
		return (struct text){ stat.start + 6, stat.length - 6 - (stat.start[stat.length - 1] == ')') };
	if (text_starts(stat, "Deferred: "))
		return text_behind(stat, 10);
	return stat;
}

/* "<a@b>,<c@d>, delay=", "<a@b>,<c@d> [more], delay=": gives what is behind it. */
static struct text take_recipients(struct text text, struct event *event)
{
	for (unsigned count = 0;; count++) {
		size_t length = address_list_length(text);

		if (count < TO_MAX)
			event_add(event, EVENT_NAME(TO), address_without_brackets((struct text){ text.start, length }));
		text = text_behind(text, length);
		if (text.length < 2 || text.start[0] != ',' || text.start[1] == ' ')
			return text;
		text = text_behind(text, 1);
		if (count + 1 == TO_MAX) {
			const char *rest = text.start;

			while ((length = address_list_length(text)) + 1 < text.length && text.start[length] == ',' && text.start[length + 1] != ' ')
				text = text_behind(text, length + 1);
			text = text_behind(text, length);
			event_add(event, EVENT_NAME(TO_MORE), (struct text){ rest, (size_t)(text.start - rest) });
			return text;
		}
	}
}

/* "ctladdr=<a@b> (501/20), " */
static struct text take_controlling(struct text text, struct event *event)
{
	size_t length;

	if (text_starts(text, ", [more]"))
		text = text_behind(text, 8);
	if (!text_starts(text, ", ctladdr="))
		return text;
	text = text_behind(text, 10);
	length = address_list_length(text);
	event_add(event, "controlling_user", address_without_brackets((struct text){ text.start, length }));
	text = text_behind(text, length);
	if (text_starts(text, " (")) {
		const char *close = memchr(text.start, ')', text.length);

		if (close)
			text = text_behind(text, (size_t)(close + 1 - text.start));
	}
	return text;
}

static bool read_to(struct text text, struct event *event)
{
	struct pairs pairs = { .separator = ',', .other_separator = ' ', .keys = to_keys, .count = TO_KEYS };
	struct text values[TO_KEYS] = { TEXT_NONE }, value;
	const struct pair_key *key;

	pairs.rest = take_controlling(take_recipients(text, event), event);
	while ((key = pairs_next(&pairs, &value))) {
		enum to_key which = (enum to_key)(key - to_keys);

		if (which == STAT)
			value.length = (size_t)(text.start + text.length - value.start);
		if (!values[which].start)
			values[which] = value;
		if (which == STAT)
			break;
		if (key->name)
			event_add(event, key->name, value);
	}
	/* Mailers that have no server tell nothing but the code. */
	if (!values[DELAY].start || (!values[STAT].start && !values[DSN].start))
		return false;
	if (values[RELAY].start)
		add_host(values[RELAY], &relay_role, event);
	event_add(event, EVENT_NAME(STATUS), text_of(status_of(values[STAT], values[DSN], values[MAILER].start)));
	if (!values[REPLY].start && words_of(values[STAT]).length)
		event_add(event, EVENT_NAME(REPLY), words_of(values[STAT]));
	else
		event_add(event, "stat", values[STAT]);
	event->kind = EVENT_KIND(DELIVERY);
	return true;
}

/* ---- all other lines ---- */

/* At which stage a ruleset is asked. Others are of a header field. */
static const struct { const char *ruleset, *stage; } rulesets[] = {
	{ "check_relay", "CONNECT" }, { "check_mail", "MAIL" }, { "check_rcpt", "RCPT" }, { "check_compat", "RCPT" }, { "check_data", "DATA" },
	{ "check_eoh", "END-OF-MESSAGE" }, { "check_eom", "END-OF-MESSAGE" }, { "check_etrn", "ETRN" }, { "check_vrfy", "VRFY" },
	{ "check_expn", "EXPN" }, { "tls_client", "MAIL" }, { "tls_rcpt", "RCPT" }, { "check_helo", "HELO" },
};

/* Milters and dialogues name stages in their own way. */
static const struct { const char *word, *stage; } stage_words[] = {
	{ "data", "END-OF-MESSAGE" }, { "eoh", "END-OF-MESSAGE" }, { "collect", "DATA" }, { "rcpt", "RCPT" }, { "mail", "MAIL" },
	{ "connect", "CONNECT" }, { "startup", "CONNECT" }, { "helo", "HELO" }, { "ehlo", "EHLO" }, { "unknown", "UNKNOWN" },
	{ "rset", "RSET" }, { "quit", "QUIT" }, { "starttls", "STARTTLS" }, { "auth", "AUTH" }, { "noop", "NOOP" },
	{ "message collect", "DATA" },
};

static void name_stage(struct event *event, struct text line)
{
	struct text stage = event_take(event, "stage");

	for (size_t i = 0; i < sizeof stage_words / sizeof stage_words[0]; i++)
		if (text_is(stage, stage_words[i].word)) {
			stage = text_of(stage_words[i].stage);
			/* "cmd=data" is the command, "data" alone what comes after it. */
			if (text_starts(line, "Milter: cmd=data"))
				stage = TEXT_LITERAL("DATA");
			break;
		}
	event_add(event, EVENT_NAME(STAGE), stage);
}

/* The argument of a ruleset is who or what was refused. */
static void add_argument(struct event *event, struct text stage)
{
	struct text argument = event_take(event, "argument");
	const char *bar = find_last(argument, " $| ");

	/* check_compat is given both sides. */
	if (bar && text_is(stage, "RCPT")) {
		event_add(event, EVENT_NAME(FROM), address_without_brackets(until(argument, bar)));
		argument = text_behind(argument, (size_t)(bar + 4 - argument.start));
	}
	if (text_is(stage, "RCPT"))
		event_add(event, EVENT_NAME(TO), address_without_brackets(argument));
	else if (text_is(stage, "MAIL"))
		event_add(event, EVENT_NAME(FROM), address_without_brackets(argument));
	else
		event_add(event, EVENT_NAME(ARGUMENT), argument);
}

static void read_ruleset(struct event *event, struct text ruleset)
{
	struct text stage = TEXT_LITERAL("END-OF-MESSAGE");

	event_add(event, "ruleset", ruleset);
	/* MAIL with an AUTH= that is not believed: nothing is refused by it. Nor does a feature that is not given. */
	if (text_is(ruleset, "trust_auth") || text_is(ruleset, "srv_features") || text_is(ruleset, "try_tls") || text_is(ruleset, "tls_server")) {
		event->kind = "ruleset";
		return;
	}
	for (size_t i = 0; i < sizeof rulesets / sizeof rulesets[0]; i++)
		if (text_is(ruleset, rulesets[i].ruleset))
			stage = text_of(rulesets[i].stage);
	event_add(event, EVENT_NAME(STAGE), stage);
	add_argument(event, stage);
}

static void complete_refusal(struct event *event, struct text line)
{
	bool by_milter = text_starts(line, "Milter") || text_starts(line, "milter=");
	struct text ruleset = event_take(event, "ruleset");
	const char *action = event->kind == EVENT_KIND(REJECT) ? (by_milter ? "milter-reject" : "reject") :
			     event->kind == EVENT_KIND(DISCARD) ? (by_milter ? "milter-discard" : "discard") :
								 (by_milter ? "milter-quarantine" : "quarantine");
	struct text from = event_take(event, "from"), to = event_take(event, "to");

	event_add(event, EVENT_NAME(FROM), address_without_brackets(from));
	event_add(event, EVENT_NAME(TO), address_without_brackets(to));
	(void)event_take(event, "action");
	if (ruleset.start)
		read_ruleset(event, ruleset);
	else if (!event_text(event, NAME_STAGE).start)
		event_add(event, EVENT_NAME(STAGE), from.start ? TEXT_LITERAL("MAIL") :
			  event_text(event, NAME_HELO).start ? TEXT_LITERAL("HELO") :
			  event->kind == EVENT_KIND(QUARANTINE) ? TEXT_LITERAL("END-OF-MESSAGE") : TEXT_LITERAL("RCPT"));
	if (event->kind != event_kind_intern("ruleset"))
		event_add(event, EVENT_NAME(ACTION), text_of(action));
}

/* What a notice is about, in the words of other MTAs. */
static void name_notification(struct event *event)
{
	struct text reason = event_text(event, NAME_REASON), kind = event_take(event, "notification");
	const char *notification = "bounce";

	if (text_starts(reason, "Warning: "))
		notification = "delay";
	else if (text_starts(reason, "Cannot send message for ") || text_starts(reason, "Cannot send message within "))
		notification = "expired";
	else if (text_starts(reason, "Return receipt") || text_is(kind, "return receipt"))
		notification = "success";
	else if (text_is(kind, "postmaster notify"))
		notification = "postmaster";
	event_add(event, EVENT_NAME(NOTIFICATION), text_of(notification));
}

static void complete(struct event *event, struct text line)
{
	struct text peer = event_take(event, "peer"), server = event_take(event, "server");

	if (event_text(event, NAME_STAGE).start)
		name_stage(event, line);
	if (event->kind == EVENT_KIND(REJECT) || event->kind == EVENT_KIND(DISCARD) || event->kind == EVENT_KIND(QUARANTINE))
		complete_refusal(event, line);
	else if (event->kind == EVENT_KIND(BOUNCE))
		name_notification(event);
	if (peer.start)
		add_host(peer, &client_role, event);
	if (server.start)
		add_host(server, &server_role, event);
}

static bool read_other(struct text line, struct event *event)
{
	struct text message = event->frame.message;
	unsigned before = event->field_count;
	struct event_field id = before ? event->fields[0] : (struct event_field){ NULL, TEXT_NONE };
	bool matches;

	event->frame.message = line;
	matches = line.length && template_read(set, template_group_any(set), event);
	event->frame.message = message;
	if (!matches)
		return false;
	complete(event, line);
	/* The row began with none. */
	if (before && event->field_count < EVENT_FIELDS_MAX) {
		memmove(event->fields + 1, event->fields, event->field_count * sizeof event->fields[0]);
		event->fields[0] = id;
		event->field_count++;
	}
	return true;
}

static bool read_line(struct text text, struct event *event)
{
	size_t length = id_length(text);

	if (length) {
		event_add(event, EVENT_NAME(QUEUE_ID), (struct text){ text.start, length });
		text = text_behind(text, length);
		if (text.start[0] == '[') {
			const char *colon = memchr(text.start, ':', text.length);

			event->kind = "continued";
			if (!colon)
				return false;
			text = text_behind(text, (size_t)(colon + 1 - text.start));
			event_add(event, "text", text_starts(text, " ") ? text_behind(text, 1) : text);
			return true;
		}
		text = text_behind(text, text.length > 1 && text.start[1] == ' ' ? 2 : 1);
	} else if (text_starts(text, "NOQUEUE: ")) {
		text = text_behind(text, 9);
	}
	if (length && text_starts(text, "from="))
		return read_from(text_behind(text, 5), event);
	if (length && text_starts(text, "to="))
		return read_to(text_behind(text, 3), event);
	return read_other(text, event);
}

/* ---- whose line it is ---- */

enum { PROGRAM_SENDMAIL };

static int program(struct text process)
{
	if (text_is(process, "sendmail") || text_is(process, "mail.sendmail") || text_starts(process, "sm-"))
		return PROGRAM_SENDMAIL;
	return -1;
}

/* Of a program with another name (sendmail -L): by the two lines that only Sendmail writes so. */
static enum format_result read_sendmail(struct event *event)
{
	bool is_read = read_line(event->frame.message, event);

	if (event->program >= 0)
		return is_read ? FORMAT_MATCHED : FORMAT_MALFORMED;
	return is_read && (event->kind == EVENT_KIND(RECEIVED) || event->kind == EVENT_KIND(DELIVERY)) ? FORMAT_MATCHED : FORMAT_NOT_MINE;
}

const struct format format_sendmail = {
	.name = "sendmail",
	.summary = "Sendmail 8: daemon, submission and queue runners",
	.page = {
		.where = "/var/log/mail.log or /var/log/maillog (facility mail); the names sm-mta, sm-msp, sendmail, or what -L names",
		.get = "as it lies; LogLevel 10 (confLOG_LEVEL) has a line for each connection and each message that left the queue, confMILTER_LOG_LEVEL 11 one for each refusal that names its milter",
		.joins = "queue identifier; process of a session; the identifier that the next hop tells; DSN and clone lines",
		.tells = "messages with sender, size, Message-ID and client; each attempt with its status; refusals by rulesets and milters; lists, notices, logins, TLS",
		.lacks = "when sessions end; which alias an address was expanded from (such recipients say incomplete:expanded); which milter refused a message at its end; at level 9 also when they begin, and that a message is done",
	},
	.prepare = prepare,
	.program = program,
	.read = read_sendmail,
	.is_tacit = true,
	.tells_removal = true,
};
