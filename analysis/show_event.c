/* show_event.c - events as lines and as JSON. */
#include "analysis/show_event.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "analysis/format.h"
#include "analysis/reason.h"
#include "analysis/reply.h"
#include "common/escape.h"

static void print_time(const struct event *event, FILE *out)
{
	time_t seconds = (time_t)(event->frame.time_us / 1000000);
	char when[32];
	struct tm utc;

	if (!gmtime_r(&seconds, &utc) || strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &utc) == 0)
		return;
	fprintf(out, "%s.%06" PRId64 "Z", when, event->frame.time_us % 1000000);
}

/* What stands for the line where it was not understood. */
static const char *kind_of(const struct event *event)
{
	return event->kind ? event->kind : "unknown";
}

/* Which fields may hold a reply; the first that is there counts. */
static void put_reply(const struct event *event, FILE *out, void (*put)(FILE *out, const char *name, struct text value))
{
	static const enum event_name holders[] = { NAME_REPLY, NAME_ERROR, NAME_REASON };
	struct text text = TEXT_NONE;
	struct reply reply;
	const char *reason;

	for (size_t i = 0; i < sizeof holders / sizeof holders[0] && !text.start; i++)
		text = event_text(event, holders[i]);
	if (!text.start)
		return;
	reply = reply_read(reply_said(text));
	if (reply.code)
		put(out, "reply_code", reply.code_text);
	if (event_text(event, NAME_DSN).start) {
		/* The status of the delivery, which the reply's may differ from. */
		reply.status_text = event_text(event, NAME_DSN);
		(void)status_code_read(reply.status_text, &reply.status);
	} else if (reply.status_text.start) {
		put(out, "dsn", reply.status_text);
	}
	reason = reason_of(&reply);
	if (reason && !event_text(event, NAME_REASON).start)
		put(out, "reason", text_of(reason));
}

/* All but the fields themselves. */
static void put_others(const struct event *event, FILE *out, void (*put)(FILE *out, const char *name, struct text value))
{
	char number[24];

	put_reply(event, out, put);
	if (!event->kind)
		put(out, "text", event->frame.message);
	if (event->is_cut)
		put(out, "cut", TEXT_LITERAL("yes"));
	if (event->frame.repeated) {
		int length = snprintf(number, sizeof number, "%" PRIu64, event->frame.repeated);

		put(out, "repeated", (struct text){ number, (size_t)length });
	}
}

static bool is_plain(struct text value)
{
	for (size_t i = 0; i < value.length; i++)
		if (value.start[i] <= ' ' || value.start[i] > '~' || value.start[i] == '"' || value.start[i] == '\\')
			return false;
	return value.length != 0;
}

static void put_word(FILE *out, const char *name, struct text value)
{
	fprintf(out, " %s=", name);
	if (is_plain(value))
		fwrite(value.start, 1, value.length, out);
	else
		escape_quoted(value, out);
}

void show_event_line(const struct event *event, FILE *out)
{
	if (event->frame.has_time)
		print_time(event, out);
	else
		fputc('-', out);
	fputc(' ', out);
	escape_terminal(event->frame.host.length ? event->frame.host : TEXT_LITERAL("-"), out);
	fputc(' ', out);
	escape_terminal(event->frame.process.length ? event->frame.process : TEXT_LITERAL("-"), out);
	if (event->frame.pid.length) {
		fputc('[', out);
		escape_terminal(event->frame.pid, out);
		fputc(']', out);
	}
	fprintf(out, " %s", kind_of(event));
	for (unsigned i = 0; i < event->field_count; i++)
		put_word(out, event->fields[i].name, event->fields[i].value);
	put_others(event, out, put_word);
	fputs(" (", out);
	escape_terminal(text_of(event->file), out);
	fprintf(out, ":%" PRIu64 ")\n", event->line);
}

/* A code point in the escapes of JSON: beyond the first plane it takes two. */
static void put_code_point(FILE *out, unsigned code)
{
	if (code >= 0x10000)
		fprintf(out, "\\u%04x\\u%04x", 0xd800 + ((code - 0x10000) >> 10), 0xdc00 + (code & 0x3ff));
	else
		fprintf(out, "\\u%04x", code);
}

void show_json_string(FILE *out, struct text value)
{
	char *utf8 = NULL;
	size_t length;
	unsigned code;

	if (!is_plain(value) && value.length) {
		utf8 = escape_utf8_new(value, &length);
		value = utf8 ? (struct text){ utf8, length } : TEXT_NONE;
	}
	fputc('"', out);
	for (size_t i = 0; i < value.length; i++) {
		unsigned char c = (unsigned char)value.start[i];

		if (c == '"' || c == '\\') {
			fprintf(out, "\\%c", c);
		} else if (c < 0x20 || c == 0x7f) {
			put_code_point(out, c);
		} else if (c >= 0x80 && (length = escape_harmful_length((struct text){ value.start + i, value.length - i }, &code))) {
			put_code_point(out, code);
			i += length - 1;
		} else {
			fputc(c, out);
		}
	}
	fputc('"', out);
	free(utf8);
}

static void put_member(FILE *out, const char *name, struct text value)
{
	fprintf(out, ",\"%s\":", name);
	show_json_string(out, value);
}

/* A name that comes several times, as the recipients of one line, is a list. Returns the fields it was. */
static unsigned put_members(FILE *out, const struct event_field *fields, unsigned count)
{
	unsigned same = 1;

	while (same < count && strcmp(fields[same].name, fields[0].name) == 0)
		same++;
	if (same == 1) {
		put_member(out, fields[0].name, fields[0].value);
		return 1;
	}
	fprintf(out, ",\"%s\":", fields[0].name);
	for (unsigned i = 0; i < same; i++) {
		fputc(i ? ',' : '[', out);
		show_json_string(out, fields[i].value);
	}
	fputc(']', out);
	return same;
}

void show_event_json(const struct event *event, FILE *out)
{
	fprintf(out, "{\"kind\":\"%s\"", kind_of(event));
	if (event->format)
		fprintf(out, ",\"format\":\"%s\"", event->format->name);
	if (event->frame.has_time) {
		fputs(",\"time\":\"", out);
		print_time(event, out);
		fputc('"', out);
	}
	if (event->frame.host.length)
		put_member(out, "host", event->frame.host);
	if (event->frame.process.length)
		put_member(out, "process", event->frame.process);
	if (event->frame.pid.length)
		put_member(out, "pid", event->frame.pid);
	for (unsigned i = 0; i < event->field_count;)
		i += put_members(out, event->fields + i, event->field_count - i);
	put_others(event, out, put_member);
	put_member(out, "file", text_of(event->file));
	fprintf(out, ",\"line\":%" PRIu64 "}\n", event->line);
}
