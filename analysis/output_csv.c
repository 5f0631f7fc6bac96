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

/* The columns, a bit each, of which numbers are of something else than the query of their row finds. */
static uint64_t asked_apart(const struct table *table)
{
	_Static_assert(TABLE_COLUMNS_MAX <= 64, "a bit for each column");
	uint64_t columns = 0;

	for (size_t row = 0; row < table_row_count(table); row++)
		for (unsigned i = 0; i < table_column_count(table); i++)
			if (table_columns(table)[i].type != CELL_TEXT && table_row(table, row)->cells[i].text.start)
				columns |= UINT64_C(1) << i;
	return columns;
}

/* To be copied: -term in front is a formula for spreadsheets, NOT term is the same and none. */
static void put_query(FILE *out, struct text query)
{
	char *words = NULL;

	if (query.length && query.start[0] == '-' && asprintf(&words, "NOT %.*s", (int)query.length - 1, query.start + 1) >= 0)
		query = text_of(words);
	if (query.start)
		put_text(out, query);
	free(words);
}

static void put_queries(struct output_page *page, const struct table *table, const struct table_row *row, uint64_t apart)
{
	(void)fputc(',', page->file);
	put_query(page->file, row->query);
	for (unsigned i = 0; i < table_column_count(table); i++) {
		if (!(apart >> i & 1))
			continue;
		(void)fputc(',', page->file);
		put_query(page->file, row->cells[i].text);
	}
}

static void put_row(struct output_page *page, const struct table *table, const struct table_row *row, uint64_t apart)
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
	if (page->shows_queries)
		put_queries(page, table, row, apart);
	(void)fputs(LINE_END, page->file);
}

static void put_head(struct output_page *page, const struct table *table, uint64_t apart)
{
	const struct table_column *columns = table_columns(table);

	if (page->table_count++)
		(void)fputs(LINE_END, page->file);
	for (unsigned i = 0; i < table_column_count(table); i++)
		fprintf(page->file, "%s%s", i ? "," : "", columns[i].name);
	if (page->shows_queries)
		(void)fputs(",query", page->file);
	for (unsigned i = 0; page->shows_queries && i < table_column_count(table); i++)
		if (apart >> i & 1)
			fprintf(page->file, ",query_%s", columns[i].name);
	(void)fputs(LINE_END, page->file);
}

static void csv_table(struct output_page *page, const struct table *table)
{
	uint64_t apart = page->shows_queries ? asked_apart(table) : 0;

	if (!page->goes_on)
		put_head(page, table, apart);
	for (size_t i = 0; i < table_row_count(table); i++)
		put_row(page, table, table_row(table, i), apart);
}

static void csv_nothing(struct output_page *page)
{
	(void)page;
}

const struct output output_csv = { .name = "csv", .begin = csv_nothing, .table = csv_table, .end = csv_nothing };
