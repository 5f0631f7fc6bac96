/* smtp_line.c - commands and replies of SMTP. */
#include "analysis/smtp_line.h"

bool smtp_line_is_reply(struct text line)
{
	return line.length >= 3 && line.start[0] >= '2' && line.start[0] <= '5' && byte_is_digit(line.start[1]) && byte_is_digit(line.start[2]) &&
	       (line.length == 3 || line.start[3] == ' ' || line.start[3] == '-');
}

static struct text trim(struct text text)
{
	while (text.length && (text.start[0] == ' ' || text.start[0] == '\t'))
		text = text_behind(text, 1);
	while (text.length && (text.start[text.length - 1] == ' ' || text.start[text.length - 1] == '\t'))
		text.length--;
	return text;
}

static bool is_verb(struct text verb, const char *name)
{
	return text_equal_nocase(verb, text_of(name));
}

/* Behind "FROM:" or "TO:" the address, with its brackets or without; *ret_rest is what stands behind it. */
static struct text address_of(struct text text, struct text *ret_rest)
{
	bool in_quotes = false;
	size_t i = 0;

	text = trim(text);
	if (!text.length || text.start[0] != '<') {
		while (i < text.length && text.start[i] != ' ')
			i++;
		*ret_rest = text_behind(text, i);
		return (struct text){ text.start, i };
	}
	for (i = 1; i < text.length && (in_quotes || text.start[i] != '>'); i++) {
		if (text.start[i] == '\\' && in_quotes)
			i++;
		else if (text.start[i] == '"')
			in_quotes = !in_quotes;
	}
	if (i > text.length)
		i = text.length;
	*ret_rest = i < text.length ? text_behind(text, i + 1) : text_behind(text, i);
	return (struct text){ text.start + 1, i - 1 };
}

static void add_size(struct event *event, struct text parameters)
{
	while (parameters.length) {
		const char *blank = memchr(parameters.start, ' ', parameters.length);
		struct text word = { parameters.start, blank ? (size_t)(blank - parameters.start) : parameters.length };

		if (text_starts_nocase(word, "SIZE=")) {
			event_add(event, EVENT_NAME(SIZE), text_behind(word, 5));
			return;
		}
		parameters = text_behind(parameters, word.length + (blank ? 1 : 0));
	}
}

static void add_meaning(struct event *event, struct text verb, struct text argument)
{
	struct text rest;

	if (is_verb(verb, "EHLO") || is_verb(verb, "HELO") || is_verb(verb, "LHLO")) {
		event_add(event, EVENT_NAME(HELO), argument);
	} else if (is_verb(verb, "MAIL") && text_starts_nocase(argument, "FROM:")) {
		event_add(event, EVENT_NAME(FROM), address_of(text_behind(argument, 5), &rest));
		add_size(event, rest);
	} else if (is_verb(verb, "RCPT") && text_starts_nocase(argument, "TO:")) {
		event_add(event, EVENT_NAME(TO), address_of(text_behind(argument, 3), &rest));
	} else if (is_verb(verb, "AUTH")) {
		const char *blank = memchr(argument.start, ' ', argument.length);

		event_add(event, EVENT_NAME(AUTH_TYPE),
			  (struct text){ argument.start, blank ? (size_t)(blank - argument.start) : argument.length });
	}
}

void smtp_line_add_verb(struct event *event, struct text verb, struct text argument)
{
	event->kind = EVENT_KIND(COMMAND);
	event_add(event, EVENT_NAME(VERB), verb);
	if (!argument.length)
		return;
	event_add(event, EVENT_NAME(ARGUMENT), argument);
	add_meaning(event, verb, trim(argument));
}

static bool is_known_verb(struct text verb)
{
	static const char *const verbs[] = {
		"HELO", "EHLO", "LHLO", "MAIL", "RCPT", "DATA", "BDAT", "QUIT", "RSET", "NOOP", "VRFY", "EXPN", "HELP", "AUTH", "STARTTLS",
		"TURN", "ATRN", "ETRN", "XCLIENT", "XFORWARD", "XEXCH50", "X-EXPS", "X-LINK2STATE", "X-ANONYMOUSTLS", "XPROXY",
	};

	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
		if (is_verb(verb, verbs[i]))
			return true;
	return false;
}

void smtp_line_add_command(struct event *event, struct text line)
{
	const char *blank;

	line = trim(line);
	blank = memchr(line.start, ' ', line.length);
	/* What answers a 334 of AUTH has no verb; "<Binary Data>" may stand for it. */
	if ((!blank && !is_known_verb(line)) || line.start[0] == '<') {
		event->kind = EVENT_KIND(COMMAND);
		event_add(event, EVENT_NAME(ARGUMENT), line);
		return;
	}
	if (blank)
		smtp_line_add_verb(event, (struct text){ line.start, (size_t)(blank - line.start) },
				   trim(text_behind(line, (size_t)(blank - line.start))));
	else
		smtp_line_add_verb(event, line, TEXT_NONE);
}

void smtp_line_add_reply(struct event *event, struct text line)
{
	event->kind = EVENT_KIND(REPLY);
	event_add(event, EVENT_NAME(REPLY), trim(line));
}
