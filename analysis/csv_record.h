/*
 * csv_record.h - records of comma-separated values, and columns by their names.
 *
 * A record may go on in the next lines, inside quotes. An empty field is absent, unless it is quoted.
 *
 * Threads: one owner at a time.
 * Memory:  fields are lent until the next record begins.
 * Limits:  CSV_RECORD_MAX bytes and CSV_FIELDS_MAX fields; a record that has more is not understood as a whole.
 */
#ifndef SMTPTRAIL_CSV_RECORD_H
#define SMTPTRAIL_CSV_RECORD_H

#include <stdbool.h>

#include "common/text.h"

enum { CSV_RECORD_MAX = 64 * 1024, CSV_FIELDS_MAX = 96 };

enum csv_result {
	CSV_WHOLE,		/* the record is read */
	CSV_OPEN,		/* it goes on in the next line */
	CSV_BAD,		/* it has too many bytes or fields */
};

struct csv_record;

int csv_record_new(struct csv_record **ret_record);	/* 0 or -ENOMEM */
void csv_record_free(struct csv_record *record);

/* The next line, without its line end. */
enum csv_result csv_record_line(struct csv_record *record, struct text line);
bool csv_record_is_open(const struct csv_record *record);
/* What was read of a record that is open is given up: a file has ended. */
void csv_record_drop(struct csv_record *record);

/* Of the record that was read last. */
unsigned csv_record_count(const struct csv_record *record);
/* Absent, too, where the record has no such column. */
struct text csv_record_field(const struct csv_record *record, unsigned column);
/* All its lines, and how many they are. */
struct text csv_record_text(const struct csv_record *record);
unsigned csv_record_lines(const struct csv_record *record);

/* Finds columns by the names that the record has in them: letters and digits alone count, upper and lower case being the
 * same. columns[i]: the column that is called names[i] ("a|b": a or b), or CSV_FIELDS_MAX for none. Returns how many
 * were found. */
unsigned csv_record_columns(const struct csv_record *record, const char *const *names, unsigned count, unsigned char *columns);

#endif
