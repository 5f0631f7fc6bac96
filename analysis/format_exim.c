/* format_exim.c - Exim 4: main, reject and panic log, in files of their own or by syslog. */
#include <errno.h>

#include "analysis/own_lines.h"
#include "analysis/template.h"

static const struct template_row rows[] = {
#define ROW(kind, programs, pattern) { kind, programs, pattern },
#include "analysis/exim.def"
#undef ROW
};

enum { OLD_ID_LENGTH = 16, ID_LENGTH = 23, STAMP_LENGTH = 19, PREFIX_FIELDS = 16, RECIPIENTS_MAX = 12 };

static struct template_set *set;

static int prepare(void)
{
	if (!set)
		set = template_set_new(rows, sizeof rows / sizeof rows[0]);
	return set ? 0 : -ENOMEM;
}

/* Whose host a line tells of: the names that it gets. */
struct role {
	const char *name, *helo, *addr, *port;
};

static const struct role client_role = {
	EVENT_NAME(CLIENT_NAME), EVENT_NAME(HELO), EVENT_NAME(CLIENT_ADDR), EVENT_NAME(CLIENT_PORT)
};
static const struct role relay_role = {
	EVENT_NAME(RELAY_NAME), EVENT_NAME(RELAY_NAME), EVENT_NAME(RELAY_ADDR), EVENT_NAME(RELAY_PORT)
};

/* ---- pieces of text ---- */

static struct text before(struct text text, const char *end)
{
	return (struct text){ text.start, (size_t)(end - text.start) };
}

static struct text skip_blanks(struct text text)
{
	while (text.length && text.start[0] == ' ')
		text = text_behind(text, 1);
	return text;
}

/* To the next blank, or the end. */
static struct text take_word(struct text *text)
{
	const char *blank = memchr(text->start, ' ', text->length);
	struct text word = blank ? before(*text, blank) : *text;

	*text = text_behind(*text, word.length);
	return word;
}

/* From behind a quotation mark to the one that closes it; the text's end where it was cut. */
static size_t quoted_length(struct text text)
{
	size_t i = 0;

	while (i < text.length && text.start[i] != '"')
		i += text.start[i] == '\\' && i + 1 < text.length ? 2 : 1;
	return i;
}

/* From behind "<" to the ">" that closes it: marks in a quoted local part do not count. */
static size_t bracketed_length(struct text text)
{
	size_t i = 0;

	for (; i < text.length && text.start[i] != '>'; i++)
		if (text.start[i] == '"')
			i += 1 + quoted_length(text_behind(text, i + 1));
	return i < text.length ? i : text.length;
}

static struct text take_between(struct text *text, size_t (*length_of)(struct text text))
{
	struct text inner = text_behind(*text, 1);

	inner.length = length_of(inner);
	*text = text_behind(*text, inner.length + 1);
	if (text->length)
		*text = text_behind(*text, 1);
	return inner;
}

/* ---- "H=name (helo) [ip]:port" ---- */

/* "[192.0.2.1]:25", with a mark behind it where the connection was used before. */
static void take_endpoint(struct text *text, const char *addr, const char *port, struct event *event)
{
	const char *close = memchr(text->start, ']', text->length);
	size_t digits = 0;

	if (!close)
		return;
	event_add(event, addr, (struct text){ text->start + 1, (size_t)(close - text->start - 1) });
	*text = text_behind(*text, (size_t)(close + 1 - text->start));
	if (text->length > 1 && text->start[0] == ':' && text->start[1] != ' ') {
		while (digits + 1 < text->length && text->start[digits + 1] != ' ' && text->start[digits + 1] != ':' &&
		       text->start[digits + 1] != '*')
			digits++;
		event_add(event, port, (struct text){ text->start + 1, digits });
		*text = text_behind(*text, digits + 1);
	}
	if (text->length && text->start[0] == '*') {
		event_add(event, "reused", before(*text, text->start + 1));
		*text = text_behind(*text, 1);
	}
}

/* "(name that it gave itself)", which may be an address in brackets. */
static void take_helo(struct text *text, const char *name, struct event *event)
{
	const char *close = text->start;

	while ((close = memchr(close, ')', (size_t)(text->start + text->length - close)))) {
		close++;
		if (close == text->start + text->length || *close == ' ' || *close == ':')
			break;
	}
	if (!close)
		return;
	event_add(event, name, (struct text){ text->start + 1, (size_t)(close - text->start - 2) });
	*text = skip_blanks(text_behind(*text, (size_t)(close - text->start)));
}

static void take_host(struct text *text, const struct role *role, struct event *event)
{
	if (text->length && text->start[0] != '(' && text->start[0] != '[') {
		struct text name = take_word(text);

		if (name.length && name.start[name.length - 1] == ':') {
			name.length--;
			*text = (struct text){ name.start + name.length, text->length + 1 };
		}
		event_add(event, role->name, name);
		*text = text->length && text->start[0] == ':' ? *text : skip_blanks(*text);
	}
	if (text_starts(*text, "("))
		take_helo(text, role->helo, event);
	if (text_starts(*text, "["))
		take_endpoint(text, role->addr, role->port, event);
}

/* ---- "X=TLS1.3:TLS_AES_256_GCM_SHA384:256" and the other marks ---- */

static void add_tls(struct text value, struct event *event)
{
	const char *first = memchr(value.start, ':', value.length), *last = memrchr(value.start, ':', value.length);

	event_add(event, EVENT_NAME(TLS_VERSION), first ? before(value, first) : value);
	if (!first || first == last)
		return;
	event_add(event, EVENT_NAME(CIPHER), (struct text){ first + 1, (size_t)(last - first - 1) });
	event_add(event, EVENT_NAME(CIPHER_BITS), text_behind(value, (size_t)(last + 1 - value.start)));
}

/* "authenticator:name:sender" */
static void add_auth(struct text value, struct event *event)
{
	static const char *const names[] = { EVENT_NAME(AUTH_TYPE), EVENT_NAME(AUTH_AUTHEN), EVENT_NAME(AUTH_AUTHOR) };

	for (int i = 0; i < 3 && value.start; i++) {
		const char *colon = i < 2 ? memchr(value.start, ':', value.length) : NULL;

		event_add(event, names[i], colon ? before(value, colon) : value);
		value = colon ? text_behind(value, (size_t)(colon + 1 - value.start)) : TEXT_NONE;
	}
}

/* "3s" or "0.012s" are seconds; what is longer ("1m3s") is kept as it is written. */
static void add_duration(const char *name, const char *raw_name, struct text value, struct event *event)
{
	size_t i = 0;

	while (i < value.length && (byte_is_digit(value.start[i]) || value.start[i] == '.'))
		i++;
	if (i && i + 1 == value.length && value.start[i] == 's')
		event_add(event, name, before(value, value.start + i));
	else
		event_add(event, raw_name, value);
}

/* What the marks mean depends on the line: where a message comes in, where it goes out, and anywhere else. */
enum context { ARRIVAL, DELIVERY, OTHER };

struct mark {
	const char *mark, *name;
	unsigned char contexts;		/* one bit each */
};

enum { IN = 1 << ARRIVAL, OUT = 1 << DELIVERY, ELSE = 1 << OTHER, ANY = IN | OUT | ELSE };

static const struct mark marks[] = {
	{ "F", EVENT_NAME(FROM), OUT | ELSE },
	{ "P", EVENT_NAME(PROTOCOL), IN | ELSE },
	{ "P", "return_path", OUT },
	{ "R", EVENT_NAME(PARENT_QUEUE_ID), IN },
	{ "R", "router", OUT | ELSE },
	{ "T", EVENT_NAME(SUBJECT), IN },
	{ "T", "transport", OUT | ELSE },
	{ "S", EVENT_NAME(SIZE), ANY },
	{ "C", EVENT_NAME(REPLY), OUT },
	{ "id", EVENT_NAME(MESSAGE_ID), IN },
	{ "CV", EVENT_NAME(TLS_TRUST), ANY },
	{ "DN", "cert_subject", ANY },
	{ "SNI", "tls_name", ANY },
	{ "Ci", EVENT_NAME(SESSION_ID), ANY },
	{ "Q", EVENT_NAME(QUEUE), ANY },
	{ "PRX", "proxy_addr", ANY },
	{ "ST", "shadow_transport", OUT },
	{ "DKIM", EVENT_NAME(DOMAIN), ANY },
	{ "M8S", "smtputf8_conversion", ANY },
	{ "RT", "receive_time", IN },
	{ "D", "duration", ANY },
	{ "SQ", "spool_queue", ANY },
	{ "VR", "verify", ANY },
};

/* Words without a value that stand among the marks. */
static bool is_flag(struct text word)
{
	static const char *const flags[] = { "K", "L", "L-", "L*", "TFO", "TFO*", "TFO-", "PRDR", "M8S" , "LMTP", "X*" };

	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
		if (text_is(word, flags[i]))
			return true;
	return false;
}

/* The name of a mark's value; NULL: it is none. */
static const char *name_of_mark(struct text mark, enum context context)
{
	for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
		if (text_is(mark, marks[i].mark) && marks[i].contexts & (1u << context))
			return marks[i].name;
	return NULL;
}

static struct text take_value(struct text *text)
{
	if (text_starts(*text, "\""))
		return take_between(text, quoted_length);
	if (text_starts(*text, "<"))
		return take_between(text, bracketed_length);
	struct text word = take_word(text);

	/* "R=r1: text" */
	if (word.length > 1 && word.start[word.length - 1] == ':') {
		word.length--;
		*text = (struct text){ word.start + word.length, text->length + 1 };
	}
	return word;
}

/* Takes "MARK=value" or a flag off the text; false: it begins with neither. */
static bool take_mark(struct text *text, enum context context, const struct role *role, struct event *event)
{
	struct text rest = skip_blanks(*text), mark = { rest.start, 0 };

	while (mark.length < rest.length && mark.length < 5 &&
	       ((rest.start[mark.length] | 0x20) >= 'a' ? (rest.start[mark.length] | 0x20) <= 'z' : byte_is_digit(rest.start[mark.length])))
		mark.length++;
	if (!mark.length)
		return false;
	if (mark.length == rest.length || rest.start[mark.length] != '=') {
		struct text word = take_word(&rest);

		if (context == OTHER || !is_flag(word))
			return false;
		event_add(event, "flag", word);
		*text = rest;
		return true;
	}
	rest = text_behind(rest, mark.length + 1);
	if (text_is(mark, "H")) {
		take_host(&rest, role, event);
	} else if (text_is(mark, "I") && text_starts(rest, "[")) {
		if (context == DELIVERY)
			take_endpoint(&rest, "local_addr", "local_port", event);
		else
			take_endpoint(&rest, EVENT_NAME(DAEMON_ADDR), EVENT_NAME(DAEMON_PORT), event);
	} else if (text_is(mark, "U")) {
		/* Of a client the name that its own machine gives its user; else a user of this machine. */
		event_add(event, event_text(event, NAME_CLIENT_ADDR).start ? "ident" : EVENT_NAME(USER), take_value(&rest));
	} else if (text_is(mark, "X")) {
		add_tls(take_value(&rest), event);
	} else if (text_is(mark, "A")) {
		add_auth(take_value(&rest), event);
	} else if (text_is(mark, "QT")) {
		add_duration(EVENT_NAME(DELAY), "queue_time", take_value(&rest), event);
	} else if (text_is(mark, "DT")) {
		add_duration(EVENT_NAME(DELAY_TRANSFER), "delivery_time", take_value(&rest), event);
	} else {
		const char *name = name_of_mark(mark, context);

		if (!name)
			return false;
		event_add(event, name, take_value(&rest));
	}
	*text = rest;
	return true;
}

static void take_marks(struct text *text, enum context context, const struct role *role, struct event *event)
{
	while (text->length && take_mark(text, context, role, event))
		;
	*text = skip_blanks(*text);
}

/* ---- a message comes ---- */

/* "for a@b c@d" at the end. */
static void add_recipients(struct text text, struct event *event)
{
	for (int i = 0; text.length; i++) {
		if (i == RECIPIENTS_MAX) {
			event_add(event, EVENT_NAME(TO_MORE), text);
			return;
		}
		struct text address = text_starts(text, "\"") ? TEXT_NONE : take_word(&text);

		if (!address.start) {
			size_t quoted = quoted_length(text_behind(text, 1)) + 2;
			struct text rest = quoted < text.length ? text_behind(text, quoted) : TEXT_NONE;

			if (rest.start)
				(void)take_word(&rest);
			address = rest.start ? before(text, rest.start) : text;
			text = text_behind(text, address.length);
		}
		event_add(event, EVENT_NAME(TO), address);
		text = skip_blanks(text);
	}
}

/* The sender: "<>", or an address that may begin with a quoted local part. */
static struct text take_sender(struct text *text)
{
	struct text whole = *text;

	if (text_starts(*text, "<>")) {
		*text = text_behind(*text, 2);
		return (struct text){ whole.start + 1, 0 };
	}
	if (text_starts(*text, "\""))
		*text = text_behind(*text, quoted_length(text_behind(*text, 1)) + 1);
	(void)take_word(text);
	return before(whole, text->start);
}

static void read_arrival(struct text text, struct event *event)
{
	event->kind = EVENT_KIND(RECEIVED);
	event_add(event, EVENT_NAME(FROM), take_sender(&text));
	take_marks(&text, ARRIVAL, &client_role, event);
	if (text_starts(text, "from <")) {
		text = text_behind(text, 5);
		event_add(event, "original_from", take_between(&text, bracketed_length));
		text = skip_blanks(text);
	}
	if (text_starts(text, "for "))
		add_recipients(text_behind(text, 4), event);
	else if (text.length)
		event_add(event, "details", text);
}

/* ---- a message goes ---- */

/* Where the address of a delivery ends: before " <", a mark, ": " or a known phrase. */
static size_t address_length(struct text text)
{
	static const char *const ends[] = { " <", " R=", " F=", " P=", " T=", ": ", " : ", " routing ", " (", " mua_wrapper" };
	size_t i = text_starts(text, ":blackhole:") ? sizeof ":blackhole:" - 1 : 0;

	if (text_starts(text, "\""))
		i = quoted_length(text_behind(text, 1)) + 1;
	/* A pipe's command or ":defer: address" may hold anything; the address that it came of stands behind it. */
	if (text_starts(text, "|") || text_starts(text, ":defer:"))
		return (size_t)((const char *)memmem(text.start, text.length, " <", 2) ?
			(const char *)memmem(text.start, text.length, " <", 2) - text.start : (ptrdiff_t)text.length);
	for (; i < text.length; i++)
		if (text.start[i] == ' ' || text.start[i] == ':')
			for (size_t end = 0; end < sizeof ends / sizeof ends[0]; end++)
				if (text_starts(text_behind(text, i), ends[end]))
					return i;
	return i < text.length ? i : text.length;
}

/* "(parent) (its parent) <address as it came>" */
static void take_original(struct text *text, struct event *event)
{
	*text = skip_blanks(*text);
	while (text_starts(*text, "(")) {
		const char *close = memchr(text->start, ')', text->length);

		if (!close)
			return;
		event_add(event, "parent_address", (struct text){ text->start + 1, (size_t)(close - text->start - 1) });
		*text = skip_blanks(text_behind(*text, (size_t)(close + 1 - text->start)));
	}
	if (text_starts(*text, "<"))
		event_add(event, EVENT_NAME(ORIG_TO), take_between(text, bracketed_length));
}

/* "SMTP error from remote mail server after RCPT TO:<a>: host mx [ip]: 550 text": the reply, from its code on. */
static struct text reply_of(struct text text, struct event *event)
{
	static const char after[] = "SMTP error from remote mail server after ", host[] = "host ";
	const char *colon;

	if (!text_starts(text, after))
		return text;
	struct text command = text_behind(text, sizeof after - 1), rest;

	colon = memmem(command.start, command.length, ": ", 2);
	if (!colon)
		return text;
	event_add(event, EVENT_NAME(STAGE), before(command, colon));
	rest = text_behind(command, (size_t)(colon + 2 - command.start));
	if (text_starts(rest, host) && (colon = memmem(rest.start, rest.length, "]: ", 3)))
		rest = text_behind(rest, (size_t)(colon + 3 - rest.start));
	return rest;
}

/* ": text" or " : text" or just text. */
static struct text skip_colon(struct text text)
{
	text = skip_blanks(text);
	if (text.length && text.start[0] == ':')
		text = skip_blanks(text_behind(text, 1));
	return text;
}

/* "defer (-44) H=mx [ip]: text" and "routing defer (-51): text" */
static void read_deferred(struct text text, struct event *event)
{
	static const char routing[] = "routing ", defer[] = "defer (";
	const char *close;

	if (text_starts(text, routing))
		text = text_behind(text, sizeof routing - 1);
	if (text_starts(text, defer) && (close = memchr(text.start, ')', text.length))) {
		text = text_behind(text, sizeof defer - 1);
		event_add(event, "error_code", before(text, close));
		text = text_behind(text, (size_t)(close + 1 - text.start));
	}
	take_marks(&text, DELIVERY, &relay_role, event);
	text = skip_colon(text);
	/* "Connection timed out H=mx [ip]: SMTP timeout after EHLO" */
	const char *mark = memmem(text.start, text.length, " H=", 3);

	if (mark && !event_text(event, NAME_RELAY_NAME).start && !event_text(event, NAME_RELAY_ADDR).start) {
		struct text rest = text_behind(text, (size_t)(mark - text.start));

		take_marks(&rest, DELIVERY, &relay_role, event);
		event_add(event, EVENT_NAME(ERROR), before(text, mark));
		text = skip_colon(rest);
	}
	if (text.length)
		event_add(event, EVENT_NAME(REPLY), reply_of(text, event));
}

static bool is_given_up(struct text text)
{
	return text_starts(text, "retry timeout exceeded") ||
	       (text_starts(text, "all hosts for ") && memmem(text.start, text.length, "have been failing for a long time", 33));
}

static void read_failed(struct text text, struct event *event)
{
	text = skip_colon(text);
	event_add(event, EVENT_NAME(STATUS), is_given_up(text) ? TEXT_LITERAL("expired") : TEXT_LITERAL("bounced"));
	if (text.length)
		event_add(event, EVENT_NAME(REPLY), reply_of(text, event));
}

/* "blackhole (RCPT ACL discarded recipients)" and ":blackhole: <a@b> R=router" */
static bool is_discarded(struct text address)
{
	return text_is(address, "blackhole") || text_is(address, ":blackhole:");
}

static void read_delivery(char first, struct text text, struct event *event)
{
	struct text address = before(text, text.start + address_length(text));

	event->kind = EVENT_KIND(DELIVERY);
	event_add(event, EVENT_NAME(TO), address);
	text = text_behind(text, address.length);
	if (is_discarded(address) && first != '*' && first != '=') {
		event->kind = EVENT_KIND(DISCARDED);
		text = skip_blanks(text);
		if (text_starts(text, "(")) {
			event_add(event, EVENT_NAME(REASON), (struct text){ text.start + 1, text.length - 1 - (text.start[text.length - 1] == ')') });
			return;
		}
	}
	take_original(&text, event);
	take_marks(&text, DELIVERY, &relay_role, event);
	switch (first) {
	case '=':
		event_add(event, EVENT_NAME(STATUS), TEXT_LITERAL("deferred"));
		read_deferred(text, event);
		return;
	case '*':
		read_failed(text, event);
		return;
	default:
		if (event->kind == EVENT_KIND(DELIVERY))
			event_add(event, EVENT_NAME(STATUS), TEXT_LITERAL("sent"));
		if (text.length)
			event_add(event, "details", text);
	}
}

/* What the two characters behind the id mean; false: they are none of these. */
static bool read_flagged(struct text text, struct event *event)
{
	struct text rest;

	if (text.length < 4 || text.start[2] != ' ')
		return false;
	rest = text_behind(text, 3);
	if (text_starts(text, "<=")) {
		read_arrival(rest, event);
		return true;
	}
	if (text_starts(text, "=>") || text_starts(text, "->") || text_starts(text, ">>") || text_starts(text, "**") || text_starts(text, "==")) {
		/* Of "=>" the first byte is that of "==". */
		read_delivery(text.start[0] == '=' && text.start[1] == '>' ? '>' : text.start[0], rest, event);
		return true;
	}
	if (text_starts(text, "*>")) {
		read_delivery('>', rest, event);
		event->kind = "delivery_bypassed";	/* exim -N */
		return true;
	}
	return false;
}

/* ---- all other lines ---- */

/* A field {peer} becomes the fields that are in it, which stand behind the others. */
static void split_peer(struct event *event)
{
	unsigned i = 0;

	while (i < event->field_count && strcmp(event->fields[i].name, "peer") != 0)
		i++;
	if (i == event->field_count)
		return;
	struct text text = event->fields[i].value;

	memmove(event->fields + i, event->fields + i + 1, (event->field_count - i - 1) * sizeof event->fields[0]);
	event->field_count--;
	/* "H=name [ip]" or "name [ip]", "U=user" or "user". */
	if (text.length && text.start[0] != '(' && text.start[0] != '[' && !memchr(text.start, '[', text.length) &&
	    !text_starts(text, "H=") && !text_starts(text, "U="))
		event_add(event, EVENT_NAME(USER), take_word(&text));
	else if (!text_starts(text, "H=") && !text_starts(text, "U="))
		take_host(&text, &client_role, event);
	take_marks(&text, OTHER, &client_role, event);
	text = skip_colon(text);
	if (text.length)
		event_add(event, EVENT_NAME(REASON), text);
}

/* "H=mx [ip] Connection refused", "H=mx [ip]: SMTP error from remote mail server after RCPT TO:<a>: 451 ..." of a message:
 * the host is one that it was to go to. */
static bool read_host_failed(struct text text, struct event *event)
{
	if (!event_text(event, NAME_CLIENT_ADDR).start || event_text(event, NAME_FROM).start || !text.length)
		return false;
	for (unsigned i = 0; i < event->field_count; i++) {
		const char **name = &event->fields[i].name;

		if (*name == EVENT_NAME(CLIENT_NAME))
			*name = EVENT_NAME(SERVER_NAME);
		else if (*name == EVENT_NAME(CLIENT_ADDR))
			*name = EVENT_NAME(SERVER_ADDR);
		else if (*name == EVENT_NAME(CLIENT_PORT))
			*name = EVENT_NAME(SERVER_PORT);
	}
	text = skip_colon(text);
	struct text reply = reply_of(text, event);

	event->kind = reply.start != text.start ? "host_said" : "connect_failed";
	event_add(event, reply.start != text.start ? EVENT_NAME(REPLY) : EVENT_NAME(ERROR), reply);
	return true;
}

/* What the administrator has Exim write of a message (logwrite, event_action): any words. */
static bool read_note(struct text text, struct event *event)
{
	event->kind = "note";
	event_add(event, EVENT_NAME(NOTE), text);
	return true;
}

/* Marks first, as "H=name (helo) [ip] F=<a>", then a phrase that the table has. */
static bool read_other(struct text text, bool has_id, struct event *event)
{
	struct event_field prefix[PREFIX_FIELDS];
	struct text message = event->frame.message;
	unsigned before_marks = event->field_count, count;
	bool matches;

	take_marks(&text, OTHER, &client_role, event);
	count = event->field_count < PREFIX_FIELDS ? event->field_count : PREFIX_FIELDS;
	memcpy(prefix, event->fields, count * sizeof prefix[0]);
	event->frame.message = text;
	matches = text.length && template_read(set, template_group_any(set), event);
	event->frame.message = message;
	if (!matches)
		event->field_count = 0;
	for (unsigned i = 0; i < count; i++)
		event_add(event, prefix[i].name, prefix[i].value);
	if (matches)
		split_peer(event);
	else if (has_id && text.length)
		matches = (count > before_marks && read_host_failed(text, event)) || read_note(text, event);
	return matches;
}

/* ---- the start of a line ---- */

static bool is_id(struct text text, size_t length, size_t first, size_t second)
{
	if (text.length < length || (text.length > length && text.start[length] != ' '))
		return false;
	for (size_t i = 0; i < length; i++) {
		char c = text.start[i];
		bool is_dash = i == first || i == second;

		if (is_dash ? c != '-' : !byte_is_digit(c) && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
			return false;
	}
	return true;
}

/* "1CzYHn-0008AJ-7F", or since Exim 4.97 "1rz2Ih-000000005vi-3PiD"; 0: none. */
static size_t id_length(struct text text)
{
	if (is_id(text, OLD_ID_LENGTH, 6, 13))
		return OLD_ID_LENGTH;
	return is_id(text, ID_LENGTH, 6, 18) ? ID_LENGTH : 0;
}

/* Behind the stamp: "[pid] id text". */
static bool read_body(struct text text, struct event *event)
{
	size_t length;

	if (text_starts(text, "[") && text.length > 2 && byte_is_digit(text.start[1])) {
		const char *close = memchr(text.start, ']', text.length < 16 ? text.length : 16);

		if (close && close + 1 < text.start + text.length && close[1] == ' ') {
			event->frame.pid = (struct text){ text.start + 1, (size_t)(close - text.start - 1) };
			text = text_behind(text, (size_t)(close + 2 - text.start));
		}
	}
	event->frame.message = text;
	length = id_length(text);
	if (!length)
		return read_other(text, false, event);
	event_add(event, EVENT_NAME(QUEUE_ID), before(text, text.start + length));
	text = skip_blanks(text_behind(text, length));
	if (text_starts(text, "Completed")) {
		text = text_behind(text, 9);
		event->kind = EVENT_KIND(REMOVED);
		take_marks(&text, DELIVERY, &relay_role, event);
		return true;
	}
	return read_flagged(text, event) || read_other(text, true, event);
}

/* "2026-11-21 08:00:00.123 +0100 "; gives its length, 0: none. */
static size_t read_stamp(struct stamp_reader *stamps, struct text text, int64_t *ret_us)
{
	static const char with_zone[] = "%Y-%m-%d %H:%M:%S%f %z";
	size_t length;

	if (text.length <= STAMP_LENGTH || !byte_is_digit(text.start[0]) || text.start[4] != '-' || text.start[10] != ' ')
		return 0;
	length = stamp_by_pattern(stamps, text, with_zone, ret_us);
	if (!length)
		length = stamp_by_pattern(stamps, text, "%Y-%m-%d %H:%M:%S%f", ret_us);
	return length && length < text.length && text.start[length] == ' ' ? length + 1 : 0;
}

/* ---- in frames of syslog ---- */

static int program(struct text process)
{
	const char *slash = memrchr(process.start, '/', process.length);

	if (slash)
		process = text_behind(process, (size_t)(slash + 1 - process.start));
	return text_is(process, "exim") || text_is(process, "exim4") ? 0 : -1;
}

static enum format_result read_exim(struct event *event)
{
	struct stamp_reader stamps = { .year = 0 };
	struct text message = event->frame.message, pid = event->frame.pid;
	int64_t ignored;
	bool is_read;

	if (event->program < 0)
		return FORMAT_NOT_MINE;
	is_read = read_body(skip_blanks(text_behind(message, read_stamp(&stamps, message, &ignored))), event);
	if (pid.length)
		event->frame.pid = pid;
	event->frame.message = message;
	return is_read ? FORMAT_MATCHED : FORMAT_MALFORMED;
}

/* ---- in files of its own ---- */

/* A message that was refused at its end is followed by its envelope and header, each line without a time. */
struct exim_file {
	bool in_block, in_recipients;
	int64_t time_us;
	size_t id_length;
	char id[ID_LENGTH + 1];
};

static void begin_block(struct exim_file *file, const struct event *event)
{
	struct text id = event_text(event, NAME_QUEUE_ID);

	file->in_block = event->kind == EVENT_KIND(REJECT);
	file->in_recipients = false;
	file->time_us = event->frame.time_us;
	file->id_length = file->in_block && id.length <= ID_LENGTH ? id.length : 0;
	if (id.start)
		memcpy(file->id, id.start, file->id_length);
}

static void begin_event(const struct exim_file *file, struct event *event, const char *kind)
{
	event->kind = kind;
	event->frame.process = TEXT_LITERAL("exim");
	event->frame.has_time = true;
	event->frame.time_us = file->time_us;
	if (file->id_length)
		event_add(event, EVENT_NAME(QUEUE_ID), (struct text){ file->id, file->id_length });
}

/* "<a@b>,<c@d>" or "<a@b>": addresses in brackets. */
static void add_bracketed(const char *name, struct text text, struct event *event)
{
	while (text.length) {
		const char *open = memchr(text.start, '<', text.length);

		if (!open)
			return;
		text = text_behind(text, (size_t)(open - text.start));
		event_add(event, name, take_between(&text, bracketed_length));
	}
}

/* "F From: a@b", "  Subject: text": a letter says which field it is for Exim. */
static enum own_result read_header(const struct exim_file *file, struct text line, struct event *event)
{
	const char *colon = line.length > 3 ? memchr(line.start + 2, ':', line.length - 2) : NULL;
	struct text name, value;

	if (!colon || line.start[1] != ' ')
		return OWN_NOT_MINE;
	name = (struct text){ line.start + 2, (size_t)(colon - line.start - 2) };
	if (!name.length || memchr(name.start, ' ', name.length))
		return OWN_NOT_MINE;
	value = skip_blanks(text_behind(line, (size_t)(colon + 1 - line.start)));
	if (text_equal_nocase(name, TEXT_LITERAL("message-id"))) {
		begin_event(file, event, EVENT_KIND(MESSAGE_ID));
		event_add(event, EVENT_NAME(MESSAGE_ID), value);
		return OWN_EVENT;
	}
	begin_event(file, event, "rejected_header");
	event_add(event, EVENT_NAME(HEADER_NAME), name);
	event_add(event, EVENT_NAME(HEADER), value);
	return OWN_EVENT;
}

static enum own_result read_block(struct exim_file *file, struct text line, struct event *event)
{
	static const char from[] = "Envelope-from: ", to[] = "Envelope-to: ", recipients[] = "Recipients: ";
	bool was_recipients = file->in_recipients;

	if (!file->in_block || !line.length)
		return OWN_NOT_MINE;
	file->in_recipients = text_starts(line, to) || text_starts(line, recipients) || (was_recipients && text_starts(line, "    <"));
	if (text_starts(line, from) || file->in_recipients) {
		begin_event(file, event, "rejected_envelope");
		add_bracketed(file->in_recipients ? EVENT_NAME(TO) : EVENT_NAME(FROM), line, event);
		return OWN_EVENT;
	}
	/* A header field that goes on. */
	if (line.start[0] == '\t' || text_starts(line, "   ") || (text_starts(line, "  ") && !memchr(line.start, ':', line.length)))
		return OWN_NOTHING;
	return read_header(file, line, event);
}

static enum own_result read_own(struct own_lines *own, struct text line, struct event *event)
{
	struct exim_file *file = own->state;
	size_t length = read_stamp(&own->stamps, line, &event->frame.time_us);
	bool is_read;

	if (!length)
		return read_block(file, line, event);
	event->frame.has_time = true;
	event->frame.process = TEXT_LITERAL("exim");
	is_read = read_body(skip_blanks(text_behind(line, length)), event);
	begin_block(file, event);
	return is_read ? OWN_EVENT : OWN_UNKNOWN;
}

/* A line that tells its message by an id of Exim's, or one that is written without. */
static bool claims(struct own_lines *own, struct text line)
{
	struct event_field fields[EVENT_FIELDS_MAX];
	struct event event = { .fields = fields };
	size_t length = read_stamp(&own->stamps, line, &event.frame.time_us);

	if (!length)
		return false;
	return read_body(skip_blanks(text_behind(line, length)), &event) || event_text(&event, NAME_QUEUE_ID).start;
}

const struct format format_exim = {
	.name = "exim",
	.summary = "Exim 4: main, reject and panic log, of files or syslog",
	.page = {
		.where = "/var/log/exim4/mainlog, rejectlog, paniclog; /var/log/exim/main.log; or syslog",
		.get = "as it lies; log_selector may add +pid +smtp_connection +received_recipients +deliver_time +queue_time and more",
		.joins = "Exim's message identifier",
		.tells = "arrivals, deliveries with router, transport, host and reply, refusals at each stage of an ACL, logins, what is frozen or removed",
		.lacks = "sessions without mail, unless log_selector asks for them; recipients that an arrival had, without +received_recipients",
	},
	.prepare = prepare,
	.program = program,
	.read = read_exim,
	.claims = claims,
	.read_own = read_own,
	.own_size = sizeof(struct exim_file),
	.is_tacit = true,
	.tells_removal = true,
};
