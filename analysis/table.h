/*
 * table.h - rows of an answer, before it is known how they are shown: typed columns, cells, and for each row the query
 * that finds what is behind it.
 *
 * Threads: one owner at a time.
 * Memory:  texts are copied in; a cell lends until table_free.
 * Limits:  TABLE_COLUMNS_MAX columns; a text is cut at FACT_TEXT_MAX bytes.
 * Errors:  without memory a row or a text is left out, and is_short says so.
 */
#ifndef SMTPTRAIL_TABLE_H
#define SMTPTRAIL_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "analysis/facts.h"

enum { TABLE_COLUMNS_MAX = 32 };

enum cell_type {
	CELL_TEXT,
	CELL_NUMBER,
	CELL_SIZE,		/* bytes */
	CELL_DURATION,		/* microseconds */
	CELL_TIME,		/* microseconds since the epoch */
	CELL_SHARE,		/* of a whole, in millionths */
	CELL_KEY,		/* of a transaction */
};

struct table_column {
	const char *name;	/* for programs */
	const char *title;	/* for persons */
	enum cell_type type;
	bool is_coloured;	/* its words say good or bad */
};

struct cell {
	bool is_known;
	struct text text;	/* CELL_TEXT; of a number: what search would be asked for just that, absent: as the row's */
	uint64_t number;
};

struct table_row {
	struct text query;	/* what search would be asked; absent: nothing */
	struct cell cells[];
};

struct table;

/* Names and titles are borrowed. NULL: no memory. */
struct table *table_new(const char *name, const char *title, const struct table_column *columns, unsigned column_count);
void table_free(struct table *table);

/* Begins a row; its cells follow in their order, those that are left out are not known. */
void table_begin_row(struct table *table);
void table_put_text(struct table *table, struct text text);	/* absent: not known */
void table_put_number(struct table *table, uint64_t number);
void table_put_share(struct table *table, uint64_t part, uint64_t whole);	/* of nothing: not known */
void table_put_unknown(struct table *table);
__attribute__((format(printf, 2, 3)))
void table_put_query(struct table *table, const char *format, ...);
/* What search would be asked for one number of the row alone. */
__attribute__((format(printf, 3, 4)))
void table_put_cell_query(struct table *table, unsigned column, const char *format, ...);
/* A sentence below the table. */
__attribute__((format(printf, 2, 3)))
void table_put_note(struct table *table, const char *format, ...);

const char *table_name(const struct table *table);
const char *table_title(const struct table *table);
unsigned table_column_count(const struct table *table);
const struct table_column *table_columns(const struct table *table);
size_t table_row_count(const struct table *table);
const struct table_row *table_row(const struct table *table, size_t row);
size_t table_note_count(const struct table *table);
struct text table_note(const struct table *table, size_t note);
bool table_is_short(const struct table *table);

/* As many rows were never made, since they would be behind the top: the note of table_sort counts them. */
void table_leave_out(struct table *table, size_t count);

/* Puts the rows into the order of a column, the greatest first; equal ones by their first text. Cuts behind top rows (0:
 * none) and says in a note how many were left out. */
void table_sort(struct table *table, unsigned column, size_t top);

/* The same by an order of the caller's: less than 0 where a comes before b. */
typedef int table_order(const struct table_row *a, const struct table_row *b);
void table_sort_by(struct table *table, table_order *compare, size_t top);

/* The rows of now, and behind their first number what the same row had before, and the one as a part of the other; below them
 * those that were there before and are not in all (now, without a top), top of them (0: each). All three have the same
 * columns. NULL: it has no number, or no memory. */
struct table *table_compare(const struct table *now, const struct table *all, const struct table *before, size_t top);

/* A cell as a person reads it, in size bytes with a NUL: 12,345; 1.5 MB; 350 ms; 2026-11-21 08:00:00; 12.5 %. A text is
 * not for this. */
enum { CELL_WORDS_MAX = 40 };
void cell_words(enum cell_type type, uint64_t number, char *ret_words);

#endif
