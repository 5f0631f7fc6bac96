/* show_json.c - a record as a program reads it. */
#include "analysis/show.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/escape.h"

enum { NAME_SIZE = 256, KNOWN_NUMBERS = 256 };

/* Which names an object has: of those that come twice the first counts. */
struct names {
	bool known[KNOWN_NUMBERS];
	json_t *others;			/* an object used as a set; NULL: none yet */
};

/* jansson leaves DEL as it is; a terminal might not. It can only stand inside a string. */
static int put_json(const char *bytes, size_t length, void *context)
{
	struct line *line = context;

	while (length) {
		const char *del = memchr(bytes, 0x7f, length);
		size_t plain = del ? (size_t)(del - bytes) : length;

		line_put_raw(line, bytes, plain);
		if (!del)
			break;
		line_put_raw(line, "\\u007f", 6);
		bytes += plain + 1;
		length -= plain + 1;
	}
	return 0;
}

static bool needs_no_escape(struct text text)
{
	bool plain = true;

	for (size_t i = 0; i < text.length; i++)
		plain &= text.start[i] >= ' ' && text.start[i] <= '~' && text.start[i] != '"' && text.start[i] != '\\';
	return plain;
}

static json_t *string_of(struct text text)
{
	json_t *string = json_stringn(text.start, text.length);
	size_t length;

	/* Not UTF-8. */
	if (!string) {
		char *escaped = escape_utf8_new(text, &length);

		string = escaped ? json_stringn(escaped, length) : NULL;
		free(escaped);
	}
	return string;
}

static void put_string(struct line *line, struct text text)
{
	if (needs_no_escape(text)) {
		line_put_raw(line, "\"", 1);
		line_put_raw(line, text.start, text.length);
		line_put_raw(line, "\"", 1);
		return;
	}
	json_t *string = string_of(text);

	/* ASCII alone: what reorders or hides text reaches no terminal, and a reader gets it back. */
	if (!string || json_dump_callback(string, put_json, line, JSON_ENCODE_ANY | JSON_ENSURE_ASCII))
		line_put_raw(line, "null", 4);
	json_decref(string);
}

static void put_value(struct line *line, const struct input_field *field)
{
	enum field_type type = field->info ? field->info->type : FIELD_TYPE_TEXT;
	char digits[32];
	uint64_t number;

	if (type == FIELD_TYPE_NUMBER && input_number(field->value, &number) && number <= INT64_MAX)
		line_put_raw(line, digits, (size_t)snprintf(digits, sizeof digits, "%" PRIu64, number));
	else if (type == FIELD_TYPE_FLAG && text_is(field->value, "yes"))
		line_put_raw(line, "true", 4);
	else if (type == FIELD_TYPE_FLAG && text_is(field->value, "no"))
		line_put_raw(line, "false", 5);
	else
		put_string(line, field->value);
}

static bool is_new_name(struct names *names, const struct input_field *field, struct text name)
{
	if (field->info && field->info->number < KNOWN_NUMBERS) {
		bool is_new = !names->known[field->info->number];

		names->known[field->info->number] = true;
		return is_new;
	}
	if (!names->others)
		names->others = json_object();
	if (text_is(name, "stream_id") || json_object_get(names->others, name.start))
		return false;
	return json_object_set_new(names->others, name.start, json_true()) == 0;
}

struct text show_json(struct show *show, const struct input_record *record)
{
	struct line *line = &show->line;
	struct names names = { .others = NULL };

	line_start(line);
	line_put_raw(line, "{\"stream_id\":", 13);
	put_string(line, record->id);
	for (size_t i = 0; i < record->count; i++) {
		const struct input_field *field = &record->fields[i];
		struct text name = field->name;
		char outside[NAME_SIZE];

		/* A name from outside: without a NUL, valid UTF-8, of a bounded length. */
		if (!field->info)
			name = (struct text){ outside, escape_into(field->name, outside, sizeof outside, NULL) };
		if (!is_new_name(&names, field, name))
			continue;
		line_put_raw(line, ",", 1);
		put_string(line, name);
		line_put_raw(line, ":", 1);
		put_value(line, field);
	}
	line_put_raw(line, "}", 1);
	json_decref(names.others);
	return line_finish(line);
}
