/* json_line.c - JSON objects as records of a log. */
#include "analysis/json_line.h"

struct text json_line_value(struct own_lines *own, const struct json_value *value)
{
	struct text copy;

	if (value->type == SCAN_NULL)
		return TEXT_NONE;
	if (value->type != SCAN_STRING || !value->has_escapes)
		return value->text;
	copy = own_keep(own, value->text);
	if (copy.length < value->text.length)
		return copy;
	copy.length = json_scan_unescape(value->text, own->kept + (copy.start - own->kept));
	return copy;
}

static bool is_prefix_of(struct text prefix, struct text name, const char *path)
{
	return strlen(path) > prefix.length + name.length && memcmp(path, prefix.start, prefix.length) == 0 &&
	       memcmp(path + prefix.length, name.start, name.length) == 0 && path[prefix.length + name.length] == '.';
}

static bool is_path(struct text prefix, struct text name, const char *path)
{
	return strlen(path) == prefix.length + name.length && memcmp(path, prefix.start, prefix.length) == 0 &&
	       memcmp(path + prefix.length, name.start, name.length) == 0;
}

struct reading {
	struct own_lines *own;
	const char *const *names;
	unsigned count;
	struct text *values;
};

static bool read_object(const struct reading *reading, struct text prefix, struct text text);

/* A member may have a value that is wanted, and members of its own that are. */
static bool read_member(const struct reading *reading, struct text prefix, struct text name, const struct json_value *value)
{
	const char *inner = NULL;

	for (unsigned i = 0; i < reading->count; i++) {
		if (is_path(prefix, name, reading->names[i]) && !reading->values[i].start)
			reading->values[i] = json_line_value(reading->own, value);
		else if (value->type == SCAN_OBJECT && is_prefix_of(prefix, name, reading->names[i]))
			inner = reading->names[i];
	}
	return !inner || read_object(reading, (struct text){ inner, prefix.length + name.length + 1 }, value->text);
}

static bool read_object(const struct reading *reading, struct text prefix, struct text text)
{
	struct json_scan scan;
	struct json_value value;
	struct text name;

	if (!json_scan_begin(&scan, text) || !scan.is_object)
		return false;
	while (json_scan_next(&scan, &name, &value))
		if (!read_member(reading, prefix, name, &value))
			return false;
	return json_scan_is_whole(&scan);
}

bool json_line_read(struct own_lines *own, struct text text, const char *const *names, unsigned count, struct text *values)
{
	struct reading reading = { own, names, count, values };

	for (unsigned i = 0; i < count; i++)
		values[i] = TEXT_NONE;
	return read_object(&reading, TEXT_LITERAL(""), text);
}

/* ---- objects over several lines ---- */

/* Whether what was gathered ends in the name of a member that holds records: they begin behind it. */
static bool is_wrapper(const struct json_gather *gather)
{
	static const char *const names[] = { "\"value\"", "\"d\"", "\"results\"" };
	size_t length = gather->length;

	while (length && strchr(" \t\r:", gather->bytes[length - 1]))
		length--;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		size_t name = strlen(names[i]);

		if (length >= name && memcmp(gather->bytes + length - name, names[i], name) == 0)
			return true;
	}
	return false;
}

static void put(struct json_gather *gather, char c)
{
	if (gather->length < sizeof gather->bytes)
		gather->bytes[gather->length++] = c;
	else
		gather->is_over = true;
}

static void give_up(struct json_gather *gather)
{
	gather->depth = 0;
	gather->length = 0;
	gather->is_over = false;
}

/* True: an object is whole. */
static bool feed(struct json_gather *gather, char c)
{
	if (gather->in_string) {
		put(gather, c);
		if (gather->in_escape)
			gather->in_escape = false;
		else if (c == '\\')
			gather->in_escape = true;
		else if (c == '"')
			gather->in_string = false;
		return false;
	}
	if ((c == '{' || c == '[') && (gather->depth == 0 ? c == '[' : is_wrapper(gather))) {
		give_up(gather);
		if (c == '[')
			return false;
	}
	if (gather->depth == 0 && c != '{')
		return false;
	put(gather, c);
	gather->in_string = c == '"';
	if (c == '{' || c == '[')
		gather->depth++;
	else if (c == '}' || c == ']')
		gather->depth--;
	return gather->depth == 0;
}

bool json_gather_next(struct json_gather *gather, struct text line, struct text *ret_object)
{
	if (line.start)
		gather->rest = line;
	if (gather->depth == 0)
		give_up(gather);
	while (gather->rest.length) {
		char c = *gather->rest.start;

		gather->rest = (struct text){ gather->rest.start + 1, gather->rest.length - 1 };
		if (!feed(gather, c))
			continue;
		/* One that was too long is no record that can be read. */
		*ret_object = (struct text){ gather->bytes, gather->length };
		return true;
	}
	return false;
}
