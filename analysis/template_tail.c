/* template_tail.c - the ends of rejections and header checks, which clients may imitate. */
#include "analysis/template_tail.h"

/* More imitations than these in one line are not looked at. */
enum { CANDIDATES_MAX = 32, ATTEMPTS_MAX = 256, ADDRESS_MAX = 2048 };

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
	const char *open = NULL;

	for (const char *p = text.start; p + 6 <= place; p++)
		if (*p == 'h' && memcmp(p, "helo=<", 6) == 0)
			open = p;
	return open && !memchr(open, '>', (size_t)(place - open));
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
		if (names_what_it_is_about(text, &tail)) {
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

static void add_known(struct event *event, const char *name, struct text value)
{
	if (value.start)
		event_add(event, name, value);
}

static void add_tail(struct event *event, const struct tail *tail)
{
	add_known(event, "from", tail->from);
	add_known(event, "to", tail->to);
	add_known(event, "protocol", tail->protocol);
	add_known(event, "helo", tail->helo);
	add_known(event, "auth_authen", tail->user);
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

/* "text from host[ip]": takes the client off the end. */
static void take_client(struct text *text, struct event *event)
{
	const char *end = text->start + text->length;

	for (const char *p = end - 6; p >= text->start; p--) {
		if (memcmp(p, " from ", 6) != 0)
			continue;
		const char *host = p + 6;
		const char *open = memchr(host, '[', (size_t)(end - host));

		if (open && end[-1] == ']') {
			event_add(event, "client_name", (struct text){ host, (size_t)(open - host) });
			event_add(event, "client_addr", (struct text){ open + 1, (size_t)(end - open - 2) });
		} else {
			event_add(event, "client_name", (struct text){ host, (size_t)(end - host) });
		}
		text->length = (size_t)(p - text->start);
		return;
	}
}

void template_tail_header(struct text text, const char *name, struct event *event)
{
	struct tail tail;
	struct text header = text;

	if (find_tail(text, true, &tail))
		header.length = (size_t)(tail.start - text.start);
	else
		tail = (struct tail){ .start = NULL };
	unsigned place = event->field_count;

	event_add(event, name, header);
	take_client(&header, event);
	event->fields[place].value = header;
	add_tail(event, &tail);
	add_known(event, "note", tail.note);
}

static const char *count_name(struct text word)
{
	static const struct {
		const char *word, *name;
	} names[] = {
		{ "commands", "count_commands" }, { "ehlo", "count_ehlo" }, { "helo", "count_helo" },
		{ "mail", "count_mail" }, { "rcpt", "count_rcpt" }, { "data", "count_data" },
		{ "quit", "count_quit" }, { "starttls", "count_starttls" }, { "auth", "count_auth" },
		{ "bdat", "count_bdat" }, { "rset", "count_rset" }, { "noop", "count_noop" },
		{ "vrfy", "count_vrfy" }, { "etrn", "count_etrn" }, { "xclient", "count_xclient" },
		{ "xforward", "count_xforward" }, { "expn", "count_expn" }, { "help", "count_help" },
		{ "unknown", "count_unknown" },
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (text_is(word, names[i].word))
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
