/* input.c - a record as it is read. */
#include "analysis/input.h"

#include <stdlib.h>
#include <string.h>

struct text input_record_text(const struct input_record *record, enum field field)
{
	for (size_t i = 0; i < record->count; i++)
		if (record->fields[i].info && record->fields[i].info->number == (unsigned)field)
			return record->fields[i].value;
	return TEXT_NONE;
}

bool input_number(struct text text, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (text.length == 0)
		return false;
	for (size_t i = 0; i < text.length; i++) {
		unsigned digit = (unsigned)(unsigned char)text.start[i] - '0';

		if (digit > 9 || __builtin_mul_overflow(number, 10u, &number) ||
		    __builtin_add_overflow(number, digit, &number))
			return false;
	}
	*ret_number = number;
	return true;
}

bool input_record_number(const struct input_record *record, enum field field, uint64_t *ret_number)
{
	return input_number(input_record_text(record, field), ret_number);
}

bool input_record_is(const struct input_record *record, enum stage stage)
{
	return record->stage && record->stage->number == (unsigned)stage;
}

static struct text copy_text(char **at, struct text text)
{
	struct text copy = { text.start ? *at : NULL, text.length };

	if (text.length)
		memcpy(*at, text.start, text.length);
	*at += text.length;
	return copy;
}

struct input_record *input_record_copy(const struct input_record *record)
{
	size_t fields_size = record->count * sizeof *record->fields;
	struct input_record *copy = malloc(sizeof *copy + fields_size + record->id.length + record->bytes);

	if (!copy)
		return NULL;
	*copy = *record;
	copy->fields = (struct input_field *)(copy + 1);
	char *at = (char *)(copy->fields + record->count);

	copy->id = copy_text(&at, record->id);
	for (size_t i = 0; i < record->count; i++) {
		copy->fields[i].info = record->fields[i].info;
		copy->fields[i].name = copy_text(&at, record->fields[i].name);
		copy->fields[i].value = copy_text(&at, record->fields[i].value);
	}
	return copy;
}

/* Names repeat in the same order from record to record, and the table is long: a small cache by
 * the length and two bytes of the name saves the search. */
enum { CACHE_SIZE = 512 };

const struct field_info *input_field_info(struct text name)
{
	static _Thread_local const struct field_info *cache[CACHE_SIZE];

	if (name.length == 0)
		return NULL;
	unsigned first = (unsigned char)name.start[0], last = (unsigned char)name.start[name.length - 1];
	unsigned middle = (unsigned char)name.start[name.length / 2];
	const struct field_info **slot = &cache[(name.length * 131 + first * 31 + middle * 7 + last) % CACHE_SIZE];

	if (!*slot || !text_is(name, (*slot)->name)) {
		const struct field_info *info = field_by_name(name);

		if (!info)
			return NULL;
		*slot = info;
	}
	return *slot;
}
