/*
 * columns.h - what a row of rows.h can show in a table: a few columns of our own, and every fact by its name.
 *
 * Of a name that several levels have, the nearest to the recipient counts; of an attempt or a check, its own.
 *
 * Threads: one owner at a time.
 * Memory:  cells borrow from their row.
 * Limits:  TABLE_COLUMNS_MAX columns.
 */
#ifndef SMTPTRAIL_COLUMNS_H
#define SMTPTRAIL_COLUMNS_H

#include "analysis/report.h"
#include "common/problem.h"

#define COLUMNS_USUAL "time,from,to,fate,where,spf,dkim,dmarc,size,key"

enum column_value {
	COLUMN_TIME, COLUMN_FROM, COLUMN_TO, COLUMN_FATE, COLUMN_WHERE, COLUMN_SPF, COLUMN_DKIM, COLUMN_DMARC, COLUMN_SIZE, COLUMN_KEY,
	COLUMN_TRIES, COLUMN_NUMBER, COLUMN_TEXT, COLUMN_FILE, COLUMN_LINE, COLUMN_FACT,
};

struct columns {
	struct table_column columns[TABLE_COLUMNS_MAX];
	enum column_value values[TABLE_COLUMNS_MAX];
	enum fact facts[TABLE_COLUMNS_MAX][LEVEL_COUNT];	/* of COLUMN_FACT; FACT_COUNT: the level has none */
	unsigned count;
};

/* Names joined by commas; with + in front they come behind the usual ones. 0, or -EINVAL with the problem in words. */
int columns_parse(struct columns *ret_columns, const char *names, const char *usual, struct problem *problem);
void columns_cells(const struct columns *columns, const struct report_row *row, struct cell ret_cells[TABLE_COLUMNS_MAX]);

/* The key that a row is known by: of its message, else its session. */
transaction_key columns_key(const struct report_row *row);

#endif
