/*
 * output_csv.c - RFC 4180; of several tables each has its head, and a blank line in front.
 *
 * Bytes that would hide or reorder are escaped as for a terminal, and a field that a spreadsheet would take for a
 * formula begins with an apostrophe. Numbers are as in JSON: bytes, microseconds, RFC 3339 UTC.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "analysis/output.h"
#include "common/escape.h"
#include "common/record.h"

#define LINE_END "\r\n"

static bool is_formula(struct text text)
{
	return text.length && strchr("=+-@\t\r", text.start[0]) && text.start[0];
}

static void put_text(FILE *out, struct text text)
{
	size_t size = text.length * 4 + 1;
	char *buffer = malloc(size);

	(void)fputc('"', out);
	if (is_formula(text))
		(void)fputc('\'', out);
	if (buffer) {
		size_t length = escape_into(text, buffer, size, NULL);

		for (size_t i = 0; i < length; i++) {
			if (buffer[i] == '"')
				(void)fputc('"', out);
			(void)fputc(buffer[i], out);
		}
	}
	(void)fputc('"', out);
	free(buffer);
}

static void put_number(FILE *out, enum cell_type type, uint64_t number)
{
	char words[TIME_TEXT_SIZE];

	switch (type) {
	case CELL_TIME:
		time_format(number, words);
		(void)fputs(words, out);
		return;
	case CELL_SHARE:
		fprintf(out, "%.6f", (double)number / 1e6);
		return;
	case CELL_KEY:
		fprintf(out, "%016" PRIx64, number);
		return;
	case CELL_TEXT:
	case CELL_NUMBER:
	case CELL_SIZE:
	case CELL_DURATION:
		break;
	}
	fprintf(out, "%" PRIu64, number);
}

static void put_row(struct output_page *page, const struct table *table, const struct table_row *row)
{
	const struct table_column *columns = table_columns(table);

	for (unsigned i = 0; i < table_column_count(table); i++) {
		const struct cell *cell = &row->cells[i];

		if (i)
			(void)fputc(',', page->file);
		if (cell->is_known && columns[i].type == CELL_TEXT)
			put_text(page->file, cell->text);
		else if (cell->is_known)
			put_number(page->file, columns[i].type, cell->number);
	}
	if (page->shows_queries) {
		(void)fputc(',', page->file);
		if (row->query.start)
			put_text(page->file, row->query);
	}
	(void)fputs(LINE_END, page->file);
}

static void put_head(struct output_page *page, const struct table *table)
{
	const struct table_column *columns = table_columns(table);

	if (page->table_count++)
		(void)fputs(LINE_END, page->file);
	for (unsigned i = 0; i < table_column_count(table); i++)
		fprintf(page->file, "%s%s", i ? "," : "", columns[i].name);
	(void)fputs(page->shows_queries ? ",query" LINE_END : LINE_END, page->file);
}

static void csv_table(struct output_page *page, const struct table *table)
{
	if (!page->goes_on)
		put_head(page, table);
	for (size_t i = 0; i < table_row_count(table); i++)
		put_row(page, table, table_row(table, i));
}

static void csv_nothing(struct output_page *page)
{
	(void)page;
}

const struct output output_csv = { .name = "csv", .begin = csv_nothing, .table = csv_table, .end = csv_nothing };
