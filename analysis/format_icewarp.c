/* format_icewarp.c - SMTP logs of VisNetic MailServer, Merak and IceWarp: the old form with a date, and the new one. */
#include <time.h>

#include "analysis/address_list.h"
#include "analysis/own_lines.h"
#include "analysis/smtp_line.h"

enum { ID_MAX = 16 };

struct icewarp_file {
	bool has_day;
	struct moment day;		/* of a file whose lines tell only the time */
};

/* Parts of a line: "address [thread] time text". */
struct parts {
	struct text address, thread, text;
	int64_t time_us;
};

static struct text skip_blanks(struct text text)
{
	while (text.length && text.start[0] == ' ')
		text = text_behind(text, 1);
	return text;
}

/* ---- the day of a file ---- */

static bool set_day(struct moment *day, int number)
{
	*day = (struct moment){ .year = number / 10000, .month = number / 100 % 100, .day = number % 100 };
	return day->year >= 1990 && day->year < 2100 && day->month >= 1 && day->month <= 12 && day->day >= 1 && day->day <= 31;
}

/* "s20261121.log", "smtp-2026-11-21.log": the first eight digits that are a date. */
static bool day_of_name(struct text path, struct moment *day)
{
	const char *slash = path.start ? memrchr(path.start, '/', path.length) : NULL;
	int number = 0, digits = 0;

	if (slash)
		path = text_behind(path, (size_t)(slash + 1 - path.start));
	for (size_t i = 0; i < path.length; i++) {
		if (byte_is_digit(path.start[i])) {
			number = (number % 10000000) * 10 + (path.start[i] - '0');
			digits++;
		} else if (path.start[i] != '-' && path.start[i] != '_') {
			digits = 0;
		}
		if (digits >= 8 && set_day(day, number))
			return true;
	}
	return false;
}

/* Else the file was written last on its day. */
static void day_of_file(int64_t file_us, struct moment *day)
{
	time_t seconds = (time_t)(file_us / 1000000);
	struct tm local;

	if (file_us == 0)
		seconds = time(NULL);
	if (!localtime_r(&seconds, &local))
		return;
	*day = (struct moment){ .year = local.tm_year + 1900, .month = local.tm_mon + 1, .day = local.tm_mday };
}

/* "00:02:10"; gives its length, 0: none. */
static size_t read_clock(struct icewarp_file *file, struct own_lines *own, struct text text, int64_t *ret_us)
{
	struct moment moment;

	for (size_t i = 0; i < 8; i++)
		if (text.length < 8 || (i == 2 || i == 5 ? text.start[i] != ':' : !byte_is_digit(text.start[i])))
			return 0;
	if (text.length > 8 && text.start[8] != ' ')
		return 0;
	if (!file->has_day) {
		file->has_day = true;
		if (!day_of_name(own->path, &file->day))
			day_of_file(own->stamps.file_us, &file->day);
	}
	moment = file->day;
	moment.hour = (text.start[0] - '0') * 10 + text.start[1] - '0';
	moment.minute = (text.start[3] - '0') * 10 + text.start[4] - '0';
	moment.second = (text.start[6] - '0') * 10 + text.start[7] - '0';
	if (moment.hour > 23 || moment.minute > 59 || moment.second > 60)
		return 0;
	*ret_us = stamp_local(&own->stamps, &moment);
	return 8;
}

/* ---- a line ---- */

static bool is_hex(struct text text)
{
	for (size_t i = 0; i < text.length; i++)
		if (!byte_is_digit(text.start[i]) && !((text.start[i] | 0x20) >= 'a' && (text.start[i] | 0x20) <= 'f'))
			return false;
	return text.length >= 2;
}

static bool take_parts(struct icewarp_file *file, struct own_lines *own, struct text line, struct parts *parts)
{
	const char *blank = memchr(line.start, ' ', line.length), *close;
	struct text rest;
	size_t length;

	if (!blank || blank == line.start)
		return false;
	parts->address = (struct text){ line.start, (size_t)(blank - line.start) };
	rest = skip_blanks(text_behind(line, parts->address.length));
	if (!text_starts(rest, "[") || !(close = memchr(rest.start, ']', rest.length < ID_MAX ? rest.length : ID_MAX)))
		return false;
	parts->thread = (struct text){ rest.start + 1, (size_t)(close - rest.start - 1) };
	if (!is_hex(parts->thread))
		return false;
	rest = skip_blanks(text_behind(rest, parts->thread.length + 2));
	length = stamp_by_pattern(&own->stamps, rest, "%a, %d %b %Y %H:%M:%S %z", &parts->time_us);
	if (!length)
		length = read_clock(file, own, rest, &parts->time_us);
	parts->text = skip_blanks(text_behind(rest, length));
	return length != 0;
}

static struct text take_word(struct text *text)
{
	const char *blank = memchr(text->start, ' ', text->length);
	struct text word = { text->start, blank ? (size_t)(blank - text->start) : text->length };

	*text = skip_blanks(text_behind(*text, word.length));
	return word;
}

/* "*** <from> <to> 1 348 00:00:00 OK ABC123": what became of a message. */
static void add_summary(struct text text, struct event *event)
{
	static const char *const names[] = { EVENT_NAME(RECIPIENTS), EVENT_NAME(SIZE), "duration", EVENT_NAME(OUTCOME) };

	event->kind = EVENT_KIND(TRANSFER);
	event_add(event, EVENT_NAME(FROM), address_without_brackets(take_word(&text)));
	event_add(event, EVENT_NAME(TO), address_without_brackets(take_word(&text)));
	for (size_t i = 0; i < sizeof names / sizeof names[0] && text.length; i++)
		event_add(event, names[i], take_word(&text));
	if (text.length)
		event_add(event, EVENT_NAME(QUEUE_ID), text);
}

/* What one side said: ">>>" is what we sent. Replies tell who is client. */
static void add_line(struct text text, bool is_sent, struct event *event)
{
	bool is_reply = smtp_line_is_reply(text);

	if (is_reply)
		smtp_line_add_reply(event, text);
	else
		smtp_line_add_command(event, text);
	event_add(event, EVENT_NAME(DIRECTION), is_reply == is_sent ? TEXT_LITERAL("in") : TEXT_LITERAL("out"));
}

static bool add_meaning(struct text text, struct event *event)
{
	if (text_starts(text, ">>> ") || text_starts(text, "<<< ")) {
		add_line(text_behind(text, 4), text.start[0] == '>', event);
	} else if (text_starts(text, "*** ")) {
		add_summary(text_behind(text, 4), event);
	} else if (text_starts(text, "Connected")) {
		event->kind = EVENT_KIND(CONNECT);
		if (text.length > 9)
			event_add(event, EVENT_NAME(NOTE), text);
	} else if (text_starts(text, "Disconnected")) {
		event->kind = EVENT_KIND(DISCONNECT);
		if (text.length > 12)
			event_add(event, EVENT_NAME(REASON), text);
	} else if (text_starts(text, "Client session")) {
		event->kind = "session_note";
		event_add(event, EVENT_NAME(DIRECTION), TEXT_LITERAL("out"));
		event_add(event, EVENT_NAME(NOTE), text);
	} else if (text_starts(text, "DNS query ")) {
		event->kind = "dns_query";
		event_add(event, "query", text_behind(text, 10));
	} else {
		return false;
	}
	return true;
}

static enum own_result read_own(struct own_lines *own, struct text line, struct event *event)
{
	struct parts parts;

	if (!line.length)
		return OWN_NOTHING;
	if (!take_parts(own->state, own, line, &parts))
		return OWN_NOT_MINE;
	event->frame.has_time = true;
	event->frame.time_us = parts.time_us;
	event->frame.process = TEXT_LITERAL("icewarp");
	/* The server itself speaks: any words. */
	if (text_is(parts.address, "SYSTEM") && !add_meaning(parts.text, event)) {
		event->kind = "server_note";
		event_add(event, EVENT_NAME(NOTE), parts.text);
	} else if (!event->kind && !add_meaning(parts.text, event)) {
		return OWN_UNKNOWN;
	}
	event_add(event, EVENT_NAME(SESSION_ID), parts.thread);
	if (!text_is(parts.address, "SYSTEM"))
		event_add(event, text_is(event_text(event, NAME_DIRECTION), "out") ? EVENT_NAME(SERVER_ADDR) : EVENT_NAME(CLIENT_ADDR), parts.address);
	return OWN_EVENT;
}

static bool claims(struct own_lines *own, struct text line)
{
	struct event_field fields[EVENT_FIELDS_MAX];
	struct event event = { .fields = fields };
	struct icewarp_file file = { .has_day = false };
	struct parts parts;

	return take_parts(&file, own, line, &parts) && (text_is(parts.address, "SYSTEM") || add_meaning(parts.text, &event));
}

const struct format format_icewarp = {
	.name = "icewarp",
	.summary = "VisNetic MailServer, Merak, IceWarp: SMTP logs",
	.page = {
		.where = "IceWarp, Merak, VisNetic MailServer: the folder Logs\\SMTP, a file a day",
		.get = "copy the files with their names: newer ones tell their date in the name alone",
		.joins = "the server's number of the session (given again)",
		.tells = "each command with its reply, in both directions; a line for each message with sender, recipient, size and outcome",
		.lacks = "the date, in newer files, where the name is lost; what became of a message afterwards",
	},
	.claims = claims,
	.read_own = read_own,
	.own_size = sizeof(struct icewarp_file),
};
