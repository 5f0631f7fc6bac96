/*
 * output.h - an answer as text, JSON, CSV or a page: one file output_NAME.c that exports one struct output.
 *
 * Everything in a table may have come from outside: control bytes never reach a terminal, markup never a page, and no
 * formula a spreadsheet.
 *
 * Threads: one owner at a time.
 */
#ifndef SMTPTRAIL_OUTPUT_H
#define SMTPTRAIL_OUTPUT_H

#include <stdio.h>

#include "analysis/table.h"

/* The version of what --json prints: where a member leaves or changes its meaning, it grows. */
enum { OUTPUT_JSON_VERSION = 1 };

struct page;

/* What is being answered, and to whom. */
struct output_page {
	FILE *file;
	size_t width;			/* columns of the terminal; 0: no limit */
	bool is_coloured, is_ascii;
	bool shows_queries;		/* below each row the query behind it */
	const char *verb;		/* "report" */
	const char *query;		/* what was asked; "" : everything */
	uint64_t from_us, until_us;	/* the span that was read; 0: not known */
	char **files;			/* that were read, for commands that ask them again; none: standard input, or the store */
	size_t file_count;
	const char *store;		/* that was asked instead, where it is not the configuration's; NULL */
	const struct page *data;	/* of the HTML page; NULL: it has its tables alone */
	bool goes_on;			/* rows of a table whose head has been shown: CSV */
	unsigned table_count;		/* so far; the outputs' own */
};

struct output {
	const char *name;
	void (*begin)(struct output_page *page);
	void (*table)(struct output_page *page, const struct table *table);
	void (*end)(struct output_page *page);
};

extern const struct output output_text, output_json, output_csv, output_html;

/* Fills in what the terminal and the environment say: width, colour (never with NO_COLOR), ASCII where the locale is no
 * UTF-8. colour: "auto", "always" or "never". */
void output_page_init(struct output_page *page, FILE *file, const char *verb, const char *colour);

#endif
