/*
 * input.h - a record as it is read: names and values as text, wherever it came from.
 *
 * Names are looked up in record.def; a name that this version does not know is kept. Of a name
 * that comes twice the first counts.
 *
 * Threads: one owner at a time.
 * Memory:  a record borrows its texts from whoever read it; input_record_copy makes one that
 *          stands on its own, in one block.
 */
#ifndef SMTPTRAIL_INPUT_H
#define SMTPTRAIL_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "common/record.h"
#include "common/text.h"

struct input_field {
	const struct field_info *info;	/* NULL: a name that this version does not know */
	struct text name;
	struct text value;
};

struct input_record {
	struct text id;			/* of its entry in the stream */
	unsigned partition;		/* stream that it came from */
	const struct stage_info *stage;	/* NULL: absent, or one that this version does not know */
	size_t count;
	struct input_field *fields;
	size_t bytes;			/* of all names and values */
};

/* The value of a field; absent where the record has none. */
struct text input_record_text(const struct input_record *record, enum field field);
/* The value of a NUMBER; false where it is absent, or no number. */
bool input_record_number(const struct input_record *record, enum field field, uint64_t *ret_number);
bool input_record_is(const struct input_record *record, enum stage stage);

/* A copy for the caller to free(); NULL: no memory. */
struct input_record *input_record_copy(const struct input_record *record);

/* Decimal digits alone, as in every number of a record. */
bool input_number(struct text text, uint64_t *ret_number);
/* Like field_by_name, for each field of a million records. */
const struct field_info *input_field_info(struct text name);

#endif
