/* format_exchange_ims.c - protocol logs of the Internet Mail Service of Exchange 4.0 to 5.5. */
#include <stdio.h>

#include "analysis/own_lines.h"
#include "analysis/smtp_line.h"

enum { NUMBER_MAX = 12 };

/* Sessions have no name and stand one behind the other in a file: they are counted. */
struct ims_file {
	unsigned sessions;
	bool is_out;			/* we are client */
	bool has_direction;
	int64_t time_us;
	bool is_reply;			/* the line before, which may go on without a time */
	bool is_from_peer;		/* that line */
};

/* "4/2/01 11:44:31 AM : "; gives its length, 0: none. */
static size_t read_stamp(struct own_lines *own, struct text line, int64_t *ret_us)
{
	static const char separator[] = " : ";
	size_t length = stamp_by_pattern(&own->stamps, line, "%m/%d/%y %I:%M:%S %p", ret_us);

	if (!length)
		length = stamp_by_pattern(&own->stamps, line, "%m/%d/%Y %I:%M:%S %p", ret_us);
	return length && text_starts(text_behind(line, length), separator) ? length + sizeof separator - 1 : 0;
}

static void begin_event(struct own_lines *own, struct event *event)
{
	const struct ims_file *file = own->state;
	char number[NUMBER_MAX];
	int length = snprintf(number, sizeof number, "%u", file->sessions);

	event->frame.process = TEXT_LITERAL("exchange");
	event->frame.has_time = true;
	event->frame.time_us = file->time_us;
	event_add(event, EVENT_NAME(SESSION_ID), own_keep(own, (struct text){ number, (size_t)length }));
	if (file->has_direction)
		event_add(event, EVENT_NAME(DIRECTION), file->is_out ? TEXT_LITERAL("out") : TEXT_LITERAL("in"));
}

/* "A connection was accepted from mx.example.com." */
static bool read_connect(struct own_lines *own, struct text text, struct event *event)
{
	static const struct { const char *words; bool is_out; } beginnings[] = {
		{ "A connection was accepted from ", false },
		{ "A connection was established to ", true },
		{ "A connection was established with ", true },
		{ "A connection was made to ", true },
		{ "Connected to ", true },
	};
	struct ims_file *file = own->state;

	for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
		if (!text_starts(text, beginnings[i].words))
			continue;
		text = text_behind(text, strlen(beginnings[i].words));
		if (text.length && text.start[text.length - 1] == '.')
			text.length--;
		file->sessions++;
		file->has_direction = true;
		file->is_out = beginnings[i].is_out;
		begin_event(own, event);
		event->kind = EVENT_KIND(CONNECT);
		event_add(event, file->is_out ? EVENT_NAME(SERVER_NAME) : EVENT_NAME(CLIENT_NAME), text);
		return true;
	}
	return false;
}

/* What one side said; who is client follows from who sends replies. */
static void add_line(struct own_lines *own, struct text text, bool is_from_peer, struct event *event)
{
	struct ims_file *file = own->state;
	bool is_reply = smtp_line_is_reply(text);

	if (!file->has_direction) {
		file->has_direction = true;
		file->is_out = is_reply == is_from_peer;
	}
	file->is_reply = is_reply;
	file->is_from_peer = is_from_peer;
	begin_event(own, event);
	if (is_reply)
		smtp_line_add_reply(event, text);
	else
		smtp_line_add_command(event, text);
}

static enum own_result read_text(struct own_lines *own, struct text text, struct event *event)
{
	struct ims_file *file = own->state;

	file->is_reply = false;
	/* What came, as bytes; the line as it was understood follows. */
	if (text_starts(text, "<<< IO: "))
		return OWN_NOTHING;
	if (text_starts(text, "<<< ") || text_starts(text, ">>> ")) {
		add_line(own, text_behind(text, 4), text.start[0] == '<', event);
		return OWN_EVENT;
	}
	if (read_connect(own, text, event))
		return OWN_EVENT;
	if (text_starts(text, "The connection ") || text_starts(text, "Connection ")) {
		begin_event(own, event);
		event->kind = EVENT_KIND(DISCONNECT);
		event_add(event, EVENT_NAME(REASON), text);
		return OWN_EVENT;
	}
	return OWN_UNKNOWN;
}

static enum own_result read_own(struct own_lines *own, struct text line, struct event *event)
{
	struct ims_file *file = own->state;
	size_t length = read_stamp(own, line, &file->time_us);

	if (length)
		return read_text(own, text_behind(line, length), event);
	/* A reply of several lines: only its first has a time. */
	if (!file->is_reply || !smtp_line_is_reply(line))
		return OWN_NOT_MINE;
	add_line(own, line, file->is_from_peer, event);
	return OWN_EVENT;
}

static bool claims(struct own_lines *own, struct text line)
{
	int64_t ignored;

	return read_stamp(own, line, &ignored) != 0;
}

const struct format format_exchange_ims = {
	.name = "exchange_ims",
	.summary = "Internet Mail Service of Exchange 4.0 to 5.5: protocol logs",
	.page = {
		.where = "Exchange 4.0 to 5.5: the folder imcdata\\log, files L*.LOG; diagnostics logging, SMTP Protocol Log, Medium or Maximum",
		.get = "copy the files; times are local, in the 12-hour clock (--timezone)",
		.joins = "none: sessions follow each other in a file",
		.tells = "each command with its reply, in both directions",
		.lacks = "sessions that lie side by side are told apart by nothing; content",
	},
	.claims = claims,
	.read_own = read_own,
	.own_size = sizeof(struct ims_file),
};
