/* template_tail.c - the ends of rejections and header checks, which clients may imitate. */
#include "analysis/template_tail.h"

/* More imitations than these in one line are not looked at. */
enum { CANDIDATES_MAX = 32, ATTEMPTS_MAX = 256, ADDRESS_MAX = 2048, CLIENT_FIELDS = 3 };

/* What an end tells. */
struct tail {
	const char *start;		/* of its "; " */
	struct text from, to, protocol, helo, user, note;
	bool is_strict;			/* no bracket inside helo */
};

const char *template_address_end(const char *at, const char *end, struct text follower)
{
	const char *first = memchr(at, '>', (size_t)(end - at));
	bool in_quotes = false;

	/* Nearly always there is no quote. */
	if (!first)
		return NULL;
	if ((size_t)(end - first) >= follower.length && memcmp(first, follower.start, follower.length) == 0 &&
	    !memchr(at, '"', (size_t)(first - at)))
		return first;
	for (const char *p = at; p < end; p++) {
		if (*p == '"')
			in_quotes = !in_quotes;
		else if (in_quotes && *p == '\\')
			p++;
		else if (!in_quotes && *p == '>' && (size_t)(end - p) >= follower.length &&
			 memcmp(p, follower.start, follower.length) == 0)
			return p;
	}
	if (!in_quotes)
		return NULL;
	/* A quote that is never closed quotes nothing. */
	for (const char *p = at; p < end; p++)
		if (*p == '>' && (size_t)(end - p) >= follower.length &&
		    memcmp(p, follower.start, follower.length) == 0)
			return p;
	return NULL;
}

static bool take(const char **at, const char *end, const char *literal)
{
	size_t length = strlen(literal);

	if ((size_t)(end - *at) < length || memcmp(*at, literal, length) != 0)
		return false;
	*at += length;
	return true;
}

static bool take_address(const char **at, const char *end, struct text *ret)
{
	const char *start = *at;

	if (end - start > ADDRESS_MAX)
		end = start + ADDRESS_MAX;
	const char *close = template_address_end(start, end, TEXT_LITERAL(">"));

	/* An address without quotes may still hold a bracket. */
	while (close && close + 1 < end && close[1] != ' ' && close[1] != ',' && close[1] != ':' && close[1] != ';')
		close = template_address_end(close + 1, end, TEXT_LITERAL(">"));
	if (!close)
		return false;
	*ret = (struct text){ start, (size_t)(close - start) };
	*at = close + 1;
	return true;
}

static void take_separator(const char **at, const char *end)
{
	if (*at < end && **at == ',')
		(*at)++;
	if (*at < end && **at == ' ')
		(*at)++;
}

/* helo=< ... >, and behind it sasl_username=<> or ": note". The name goes to the last bracket that
 * can close it. */
static bool take_helo(const char *at, const char *end, bool with_note, struct tail *tail)
{
	const char *close = memchr(at, '>', (size_t)(end - at));
	const char *behind;

	while (close && close + 1 < end && !(with_note && close[1] == ':') &&
	       !((size_t)(end - close) > 17 && memcmp(close, "> sasl_username=<", 17) == 0))
		close = memchr(close + 1, '>', (size_t)(end - close - 1));
	tail->helo = (struct text){ at, (size_t)((close ? close : end) - at) };
	tail->is_strict = !memchr(at, '<', tail->helo.length) && !memchr(at, '>', tail->helo.length) &&
			  !memchr(at, ' ', tail->helo.length);
	if (!close)
		return tail->is_strict;
	behind = close + 1;
	if (take(&behind, end, " sasl_username=<")) {
		const char *last = end - behind > 0 && end[-1] == '>' ? end - 1 : end;

		tail->user = (struct text){ behind, (size_t)(last - behind) };
	} else if (with_note && take(&behind, end, ": ")) {
		tail->note = (struct text){ behind, (size_t)(end - behind) };
	}
	return true;
}

static bool take_protocol(const char **at, const char *end, struct text *ret)
{
	const char *start = *at;

	while (*at < end && ((**at >= 'A' && **at <= 'Z') || (**at >= '0' && **at <= '9')))
		(*at)++;
	*ret = (struct text){ start, (size_t)(*at - start) };
	return *at > start;
}

static bool read_candidate(const char *start, const char *end, bool with_note, struct tail *tail)
{
	const char *at = start + 1;
	bool any = false;

	*tail = (struct tail){ .start = start, .is_strict = true };
	if (!take(&at, end, " "))
		return false;
	if (take(&at, end, "from=<")) {
		if (!take_address(&at, end, &tail->from))
			return false;
		any = true;
		take_separator(&at, end);
	}
	if (take(&at, end, "to=<")) {
		if (!take_address(&at, end, &tail->to))
			return false;
		any = true;
		take_separator(&at, end);
	}
	if (take(&at, end, "proto=")) {
		if (!take_protocol(&at, end, &tail->protocol))
			return false;
		any = true;
		take_separator(&at, end);
	}
	if (take(&at, end, "helo=<"))
		return take_helo(at, end, with_note, tail);
	if (take(&at, end, "helo="))
		return any && at == end;
	if (with_note && any && at < end && *at == ':') {
		at += 1 + (at + 1 < end && at[1] == ' ');
		tail->note = (struct text){ at, (size_t)(end - at) };
		return true;
	}
	return any && at == end;
}

/* "554 5.7.1 <name>: Helo command rejected": is the name one of the fields? */
static bool names_what_it_is_about(struct text text, const struct tail *tail)
{
	const struct text *const values[] = { &tail->to, &tail->from, &tail->helo };
	const char *end = tail->start;
	const char *open = memchr(text.start, '<', (size_t)(end - text.start) < 20 ? (size_t)(end - text.start) : 20);

	for (size_t i = 0; open && i < sizeof values / sizeof values[0]; i++) {
		size_t length = values[i]->length;

		if ((size_t)(end - open) > length + 2 && memcmp(open + 1, values[i]->start ? values[i]->start : "", length) == 0 &&
		    open[length + 1] == '>' && open[length + 2] == ':')
			return true;
	}
	return false;
}

/* "helo=<" before this place with no closing bracket: it stands inside the name. */
static bool is_inside_helo(struct text text, const char *place)
{
	static const char helo[] = "helo=";
	const char *open = place;
	size_t length = sizeof helo - 1;

	while ((open = memrchr(text.start, '<', (size_t)(open - text.start))))
		if ((size_t)(open - text.start) >= length && memcmp(open - length, helo, length) == 0)
			return !memchr(open, '>', (size_t)(place - open));
	return false;
}

/* "host[ip]", "host[ip]:port" or " from local": what Postfix writes before the end of a check. */
static bool follows_client(const char *start, const char *end)
{
	while (end > start && end[-1] >= '0' && end[-1] <= '9')
		end--;
	if (end - start > 1 && end[-1] == ':' && end[-2] == ']')
		end--;
	return (end > start && end[-1] == ']') || (end - start >= 11 && memcmp(end - 11, " from local", 11) == 0);
}

static bool find_tail(struct text text, bool with_note, struct tail *ret_tail)
{
	const char *end = text.start + text.length;
	bool has_any = false, has_good = false;
	int candidates = 0, attempts = 0;

	for (const char *p = text.start; p && p < end && candidates < CANDIDATES_MAX && attempts < ATTEMPTS_MAX; p++) {
		struct tail tail;

		p = memchr(p, ';', (size_t)(end - p));
		if (!p)
			break;
		attempts += end - p > 6 && p[1] == ' ' && memchr("ftph", p[2], 4) != NULL;
		if (!read_candidate(p, end, with_note, &tail))
			continue;
		candidates++;
		if (with_note)
			tail.is_strict = tail.is_strict && follows_client(text.start, p);
		else if (names_what_it_is_about(text, &tail)) {
			*ret_tail = tail;
			return true;
		}
		bool is_good = tail.is_strict && !is_inside_helo(text, p);

		if (!has_any || is_good || (!has_good && !is_inside_helo(text, p)))
			*ret_tail = tail;
		has_good = has_good || is_good;
		has_any = true;
	}
	return has_any;
}

static void add_tail(struct event *event, const struct tail *tail)
{
	event_add(event, EVENT_NAME(FROM), tail->from);
	event_add(event, EVENT_NAME(TO), tail->to);
	event_add(event, EVENT_NAME(PROTOCOL), tail->protocol);
	event_add(event, EVENT_NAME(HELO), tail->helo);
	event_add(event, EVENT_NAME(AUTH_AUTHEN), tail->user);
}

void template_tail_read(struct text text, const char *name, struct event *event)
{
	struct tail tail;

	if (!find_tail(text, false, &tail)) {
		event_add(event, name, text);
		return;
	}
	event_add(event, name, (struct text){ text.start, (size_t)(tail.start - text.start) });
	add_tail(event, &tail);
}

/* "text from host[ip]:port": takes the client off the end. */
static void take_client(struct text *text, struct event *event)
{
	const char *end = text->start + text->length, *close = end;

	while (close > text->start && close[-1] >= '0' && close[-1] <= '9')
		close--;
	close = close - text->start > 1 && close < end && close[-1] == ':' && close[-2] == ']' ? close - 1 : end;
	for (const char *p = end - 6; p >= text->start; p--) {
		if (memcmp(p, " from ", 6) != 0)
			continue;
		const char *host = p + 6;
		const char *open = memchr(host, '[', (size_t)(end - host));

		if (open && open < close && close[-1] == ']') {
			event_add(event, EVENT_NAME(CLIENT_NAME), (struct text){ host, (size_t)(open - host) });
			event_add(event, EVENT_NAME(CLIENT_ADDR), (struct text){ open + 1, (size_t)(close - open - 2) });
			if (close < end)
				event_add(event, EVENT_NAME(CLIENT_PORT), (struct text){ close + 1, (size_t)(end - close - 1) });
		} else if (text_is((struct text){ host, (size_t)(end - host) }, "local")) {
			event_add(event, EVENT_NAME(CLIENT_NAME), (struct text){ host, (size_t)(end - host) });
		} else {
			/* Words of the header itself: Postfix before 2.3 names no client. */
			return;
		}
		text->length = (size_t)(p - text->start);
		return;
	}
}

/* "Subject: text": the name and the value of a header; of a body the line. */
static void add_header(struct text text, bool is_body, const char *name, struct event *event)
{
	const char *colon = is_body || !text.length ? NULL : memchr(text.start, ':', text.length);
	const char *value, *end = text.start + text.length;

	if (!colon) {
		event_add(event, is_body ? EVENT_NAME(BODY_LINE) : name, text);
		return;
	}
	value = colon + 1;
	while (value < end && *value == ' ')
		value++;
	event_add(event, EVENT_NAME(HEADER_NAME), (struct text){ text.start, (size_t)(colon - text.start) });
	event_add(event, name, (struct text){ value, (size_t)(end - value) });
}

/* What stands behind the action: an address, a transport, a new header, an answer, or words. */
static const char *note_name(struct text action)
{
	static const struct {
		const char *action, *name;
	} names[] = {
		{ "redirect", EVENT_NAME(REDIRECT_TO) }, { "bcc", EVENT_NAME(BCC_TO) }, { "filter", EVENT_NAME(FILTER) }, { "reject", EVENT_NAME(REPLY) },
		{ "replace", EVENT_NAME(REPLACEMENT) }, { "prepend", EVENT_NAME(PREPENDED) },
	};
	static const char milter[] = "milter-header-";

	if (action.length > sizeof milter - 1 && memcmp(action.start, milter, sizeof milter - 1) == 0)
		action = (struct text){ action.start + sizeof milter - 1, action.length - (sizeof milter - 1) };
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (text_is(action, names[i].action))
			return names[i].name;
	return EVENT_NAME(NOTE);
}

void template_tail_header(struct text text, const char *name, struct event *event)
{
	struct tail tail;
	struct text header = text;
	bool is_body = text_is(event_text(event, NAME_SECTION), "body");
	struct event_field client_fields[CLIENT_FIELDS];
	struct event client = { .fields = client_fields };

	if (find_tail(text, true, &tail))
		header.length = (size_t)(tail.start - text.start);
	else
		tail = (struct tail){ .start = NULL };
	take_client(&header, &client);
	add_header(header, is_body, name, event);
	for (unsigned i = 0; i < client.field_count; i++)
		event_add(event, client.fields[i].name, client.fields[i].value);
	add_tail(event, &tail);
	event_add(event, note_name(event_text(event, NAME_ACTION)), tail.note);
}

static const char *count_name(struct text word)
{
	/* The frequent ones first. */
#define COUNT(word, id) { { word, sizeof(word) - 1 }, EVENT_NAME(COUNT_##id) }
	static const struct {
		struct text word;
		const char *name;
	} names[] = {
		COUNT("commands", COMMANDS), COUNT("ehlo", EHLO), COUNT("mail", MAIL), COUNT("rcpt", RCPT), COUNT("data", DATA),
		COUNT("quit", QUIT), COUNT("starttls", STARTTLS), COUNT("auth", AUTH), COUNT("helo", HELO), COUNT("bdat", BDAT),
		COUNT("rset", RSET), COUNT("noop", NOOP), COUNT("vrfy", VRFY), COUNT("etrn", ETRN), COUNT("xclient", XCLIENT),
		COUNT("xforward", XFORWARD), COUNT("expn", EXPN), COUNT("help", HELP), COUNT("unknown", UNKNOWN),
	};
#undef COUNT

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (word.length == names[i].word.length && word.length && word.start[0] == names[i].word.start[0] &&
		    text_equal(word, names[i].word))
			return names[i].name;
	return NULL;
}

void template_tail_counts(struct text text, const char *name, struct event *event)
{
	const char *at = text.start, *end = text.start + text.length;

	while (at < end) {
		const char *blank = memchr(at, ' ', (size_t)(end - at));
		const char *stop = blank ? blank : end;
		const char *equals = memchr(at, '=', (size_t)(stop - at));
		const char *known = equals ? count_name((struct text){ at, (size_t)(equals - at) }) : NULL;

		if (!known) {
			event_add(event, name, (struct text){ at, (size_t)(end - at) });
			return;
		}
		event_add(event, known, (struct text){ equals + 1, (size_t)(stop - equals - 1) });
		at = blank ? blank + 1 : end;
	}
}

const char *template_tail_addresses(const char *at, const char *end, const char *name, struct event *event)
{
	const char *more = NULL;

	for (unsigned count = 1; at < end && *at == '<'; count++) {
		const char *close = template_address_end(at + 1, end, TEXT_LITERAL(">"));

		while (close && close + 1 < end && close[1] != ',')
			close = template_address_end(close + 1, end, TEXT_LITERAL(">"));
		if (!close)
			return NULL;
		if (count <= TEMPLATE_ADDRESSES_MAX)
			event_add(event, name, (struct text){ at + 1, (size_t)(close - at - 1) });
		else if (!more)
			more = at;
		at = close + 1;
		if (end - at < 2 || at[1] != '<') {
			if (more)
				event_add(event, EVENT_NAME(TO_MORE), (struct text){ more, (size_t)(at - more) });
			return at;
		}
		at++;
	}
	return NULL;
}
