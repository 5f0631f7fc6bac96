/*
 * records.h - records for the tests of what reads them, written as "stage=rcpt|to=bob@example.com".
 *
 * Memory: the fields are the caller's array; the texts are borrowed from the string.
 */
#ifndef SMTPTRAIL_TEST_RECORDS_H
#define SMTPTRAIL_TEST_RECORDS_H

#include <string.h>

#include "analysis/input.h"

enum { RECORDS_FIELDS = 32 };

struct written_record {
	struct input_record record;
	struct input_field fields[RECORDS_FIELDS];
};

static inline struct input_record *record_write(struct written_record *written, const char *text)
{
	struct input_record *record = &written->record;

	*record = (struct input_record){ .id = TEXT_LITERAL("1-0"), .fields = written->fields };
	while (*text && record->count < RECORDS_FIELDS) {
		struct input_field *field = &record->fields[record->count++];
		size_t name = strcspn(text, "="), value = strcspn(text + name + 1, "|");

		field->name = (struct text){ text, name };
		field->value = (struct text){ text + name + 1, value };
		field->info = input_field_info(field->name);
		record->bytes += name + value;
		text += name + 1 + value;
		text += *text == '|';
	}
	record->stage = stage_by_name(input_record_text(record, FIELD_STAGE));
	return record;
}

#endif
