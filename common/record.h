/*
 * record.h - a record (one SMTP stage as named fields), written and read.
 *
 * A record is written straight into its encoded form, which is what the journal
 * keeps: one byte of stage, eight of time, then for each field two bytes of
 * number, two of length, and the value; integers little endian. A reader walks
 * over fields it does not know. The names, types and stages are record.def's.
 *
 * Threads: one owner at a time; the tables are constant.
 * Memory:  a record begins in RECORD_SMALL_SIZE bytes of its own and moves to the heap where
 *          they do not suffice; record_done gives that back. Setters copy in; views lend from
 *          the bytes they were opened on, until those bytes change.
 * Limits:  a text is cut at RECORD_TEXT_MAX or where the record is full
 *          (RECORD_SIZE_MAX, or no memory for it); the field "cut" names each field that was.
 * Errors:  setters do not fail. Setting a field that its stage does not carry is
 *          our own mistake and asserts. record_view_open gives -EBADMSG.
 */
#ifndef SMTPTRAIL_RECORD_H
#define SMTPTRAIL_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

#define RECORD_SCHEMA 1			/* the value of the field "schema" */
#define RECORD_TEXT_MAX 8192		/* bytes of one text or list */
#define RECORD_SIZE_MAX 49152		/* bytes of an encoded record */
#define RECORD_SMALL_SIZE 4096		/* bytes of nearly every one */
#define RECORD_VALUE_TEXT_MAX 32	/* bytes that a number, time or flag needs as text */

enum stage {
#define STAGE(number, id, name, meaning) STAGE_##id = (number),
#define FIELD(number, id, name, type, stages, meaning)
#include "record.def"
#undef STAGE
#undef FIELD
};

enum field {
#define STAGE(number, id, name, meaning)
#define FIELD(number, id, name, type, stages, meaning) FIELD_##id = (number),
#include "record.def"
#undef STAGE
#undef FIELD
};

enum field_type { FIELD_TYPE_TEXT, FIELD_TYPE_LIST, FIELD_TYPE_NUMBER, FIELD_TYPE_TIME, FIELD_TYPE_FLAG };

struct stage_info {
	unsigned number;
	const char *id;
	const char *name;
	const char *meaning;
};

struct field_info {
	unsigned number;
	const char *id;
	const char *name;
	enum field_type type;
	uint32_t stages;		/* bit 1 << stage for each stage that carries it */
	const char *meaning;
	size_t name_length;
};

/* The tables in the order of record.def; the row after the last has a NULL name. */
extern const struct stage_info stage_table[];
extern const struct field_info field_table[];

const struct stage_info *stage_info(unsigned number);		/* NULL: unknown number */
const struct stage_info *stage_by_name(struct text name);	/* NULL: unknown name */
const char *stage_name(enum stage stage);
const struct field_info *field_info(unsigned number);
const struct field_info *field_by_name(struct text name);
const char *field_type_name(enum field_type type);
bool field_is_at(const struct field_info *info, enum stage stage);

/*
 * A record being written; some 4 KiB, fit for the stack. With all of its room there a callback would touch pages
 * 48 KiB down: libmilter begins and ends threads all the time, and each end gives such pages back to the kernel.
 */
struct record {
	uint16_t size;			/* bytes used */
	uint16_t last;			/* where the last field begins, for record_add_item */
	uint16_t cut_count;
	uint16_t cut[16];		/* numbers of the fields that were cut */
	size_t room;			/* of bytes */
	unsigned char *bytes;		/* small, or on the heap */
	unsigned char small[RECORD_SMALL_SIZE];
};

void record_init(struct record *record, enum stage stage, uint64_t time_us);
void record_done(struct record *record);
/* An absent text (NULL start or NULL string) sets nothing. */
void record_set_text(struct record *record, enum field field, struct text text);
void record_set_string(struct record *record, enum field field, const char *string);
/* Like record_set_text, cut at max bytes. */
void record_set_text_max(struct record *record, enum field field, struct text text, size_t max);
void record_set_number(struct record *record, enum field field, uint64_t number);
void record_set_time(struct record *record, enum field field, uint64_t time_us);
void record_set_flag(struct record *record, enum field field, bool flag);
/* Adds an item to a LIST. The items of a list are added one after the other,
 * with no other field between them. */
void record_add_item(struct record *record, enum field field, struct text item);
/* Says that the text of this field was cut before it came here. */
void record_note_cut(struct record *record, enum field field);
/* Ends the record and lends its encoded bytes, valid until the record changes. */
struct text record_finish(struct record *record);

struct record_value {
	const struct field_info *info;	/* NULL: a number that this version does not know */
	unsigned number;
	struct text text;		/* TEXT and LIST, and the raw bytes of an unknown field */
	uint64_t integer;		/* NUMBER, TIME, FLAG */
};

/* A record being read. */
struct record_view {
	struct text bytes;
	size_t offset;			/* of the next field */
	enum stage stage;
	uint64_t time_us;
};

/* Checks the whole form, so that walking cannot fail. 0, or -EBADMSG. */
int record_view_open(struct record_view *view, struct text bytes);
/* The next field, in the order of writing; false after the last. */
bool record_view_next(struct record_view *view, struct record_value *ret_value);
/* A field by its number, wherever the walk is. */
bool record_view_find(const struct record_view *view, enum field field, struct record_value *ret_value);

/* The value as it is shown and as it stands in Redis: TEXT and LIST as they are, the others
 * written into scratch (RECORD_VALUE_TEXT_MAX bytes). */
struct text record_value_text(const struct record_value *value, char *scratch);
/* The way back: reads a value of this type from text into a field of a record.
 * 0, or -EINVAL where the text is no such value. */
int record_set_from_text(struct record *record, enum field field, struct text text);

/* RFC 3339 UTC with microseconds, "2026-11-21T08:00:00.123456Z": 27 bytes and a NUL. */
#define TIME_TEXT_SIZE 28
void time_format(uint64_t time_us, char *ret_text);
/* The same form read back, with any number of decimals up to 6 and any offset. 0 or -EINVAL. */
int time_parse(struct text text, uint64_t *ret_time_us);

#endif
