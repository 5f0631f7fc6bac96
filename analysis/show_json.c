/* show_json.c - a record as a program reads it. */
#include "analysis/show.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/escape.h"

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

static json_t *text_value(struct text text)
{
	json_t *value = json_stringn(text.start ? text.start : "", text.length);
	size_t length;

	/* Not UTF-8. */
	if (!value) {
		char *escaped = escape_utf8_new(text, &length);

		value = escaped ? json_stringn(escaped, length) : NULL;
		free(escaped);
	}
	return value;
}

static json_t *typed_value(const struct input_field *field)
{
	uint64_t number;

	if (!field->info)
		return text_value(field->value);
	switch (field->info->type) {
	case FIELD_TYPE_NUMBER:
		if (input_number(field->value, &number) && number <= INT64_MAX)
			return json_integer((json_int_t)number);
		break;
	case FIELD_TYPE_FLAG:
		if (text_is(field->value, "yes") || text_is(field->value, "no"))
			return json_boolean(text_is(field->value, "yes"));
		break;
	case FIELD_TYPE_TEXT:
	case FIELD_TYPE_LIST:
	case FIELD_TYPE_TIME:
		break;
	}
	return text_value(field->value);
}

static void add_field(json_t *object, const struct input_field *field)
{
	char name[256];

	/* A name from outside: no NUL, valid UTF-8, of a bounded length. */
	(void)escape_into(field->name, name, sizeof name, NULL);
	if (!json_object_get(object, name))
		(void)json_object_set_new_nocheck(object, name, typed_value(field));
}

struct text show_json(struct show *show, const struct input_record *record)
{
	json_t *object = json_object();

	line_start(&show->line);
	if (object) {
		(void)json_object_set_new(object, "stream_id", text_value(record->id));
		for (size_t i = 0; i < record->count; i++)
			add_field(object, &record->fields[i]);
		/* ASCII alone: what reorders or hides text reaches no terminal, and a reader gets it back. */
		(void)json_dump_callback(object, put_json, &show->line, JSON_COMPACT | JSON_ENSURE_ASCII);
	}
	json_decref(object);
	return line_finish(&show->line);
}
