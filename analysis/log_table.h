/*
 * log_table.h - logs that are tables: what they call their columns stands at the top, and decides where each is.
 *
 * The head is a "#Fields:" line or the first record. It may come again, with other columns.
 *
 * Threads: one owner at a time, that of the lines.
 * Memory:  fields are lent until the next record.
 */
#ifndef SMTPTRAIL_LOG_TABLE_H
#define SMTPTRAIL_LOG_TABLE_H

#include "analysis/own_lines.h"

enum { LOG_TABLE_COLUMNS_MAX = 48 };

/* Of one format: its names, "a|b" for one that is called so or so; the first `needed` must be there. */
struct log_table_head {
	const char *const *names;
	unsigned count, needed;
};

struct log_table {
	bool has_columns;
	unsigned width;
	unsigned char columns[LOG_TABLE_COLUMNS_MAX];
};

/* Whether the line names the columns that are needed; they are noted. */
bool log_table_begin(struct log_table *table, const struct log_table_head *head, struct own_lines *own, struct text line);
/* The next line: OWN_EVENT where its record is whole and has all columns; else what is to be returned. */
enum own_result log_table_read(struct log_table *table, const struct log_table_head *head, struct own_lines *own, struct text line,
			   struct event *event);
/* Of the record that was read; absent where it is empty, or where there is no such column. */
struct text log_table_field(const struct log_table *table, const struct own_lines *own, unsigned which);

/* Splits a list at the separator, but not inside brackets, braces or quotes: its next item; absent: there is none. */
struct text log_table_next_item(struct text *list, char separator);

#endif
