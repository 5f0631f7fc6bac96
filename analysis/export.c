/* export.c - the forms, and the two that show chosen columns. */
#include "analysis/export.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/output.h"
#include "common/escape.h"
#include "common/record.h"

const struct export_form *export_form_by_name(const char *name)
{
	static const struct export_form *const forms[] = { &export_ndjson, &export_csv, &export_sql };

	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
		if (strcmp(forms[i]->name, name) == 0)
			return forms[i];
	return NULL;
}

/* ---- CSV: as output_csv.c shows tables ---- */

static void put_table(const struct columns *columns, const struct cell *cells, FILE *out, bool goes_on)
{
	struct output_page page = { .file = out, .goes_on = goes_on };
	struct table *table = table_new("transactions", "Transactions", columns->columns, columns->count);

	if (!table)
		return;
	if (cells)
		table_begin_row(table);
	for (unsigned i = 0; i < columns->count && cells; i++) {
		if (!cells[i].is_known)
			table_put_unknown(table);
		else if (columns->columns[i].type == CELL_TEXT)
			table_put_text(table, cells[i].text);
		else
			table_put_number(table, cells[i].number);
	}
	output_csv.table(&page, table);
	table_free(table);
}

static void csv_begin(const struct columns *columns, FILE *out)
{
	put_table(columns, NULL, out, false);
}

static void csv_row(const struct columns *columns, const struct report_row *row, FILE *out)
{
	struct cell cells[TABLE_COLUMNS_MAX];

	columns_cells(columns, row, cells);
	put_table(columns, cells, out, true);
}

const struct export_form export_csv = {
	.name = "csv", .has_columns = true, .begin = csv_begin, .row = csv_row
};

/* ---- SQL ---- */

/*
 * Escaped as for a terminal, so that a backslash is always followed by another or by xNN: no dialect takes it for the
 * escape of the quote behind it.
 */
static void put_sql_text(struct text text, FILE *out)
{
	size_t size = text.length * 4 + 1;
	char *buffer = malloc(size);
	size_t length = buffer ? escape_into(text, buffer, size, NULL) : 0;

	(void)fputc('\'', out);
	for (size_t i = 0; i < length; i++) {
		if (buffer[i] == '\'')
			(void)fputc('\'', out);
		(void)fputc(buffer[i], out);
	}
	(void)fputc('\'', out);
	free(buffer);
}

static void put_sql_cell(enum cell_type type, const struct cell *cell, FILE *out)
{
	char words[TIME_TEXT_SIZE];

	if (!cell->is_known) {
		(void)fputs("NULL", out);
	} else if (type == CELL_TEXT) {
		put_sql_text(cell->text, out);
	} else if (type == CELL_KEY) {
		fprintf(out, "'%016" PRIx64 "'", cell->number);
	} else if (type == CELL_TIME) {
		time_format(cell->number, words);
		fprintf(out, "'%s'", words);
	} else {
		/* No database has more. */
		fprintf(out, "%" PRIu64, cell->number <= INT64_MAX ? cell->number : (uint64_t)INT64_MAX);
	}
}

static void put_names(const struct columns *columns, bool with_types, FILE *out)
{
	for (unsigned i = 0; i < columns->count; i++) {
		enum cell_type type = columns->columns[i].type;
		bool is_text = type == CELL_TEXT || type == CELL_KEY || type == CELL_TIME;

		fprintf(out, "%s\"%s\"%s", i ? ", " : "", columns->columns[i].name,
			!with_types ? ""
			: is_text   ? " TEXT"
				    : " BIGINT");
	}
}

static void sql_begin(const struct columns *columns, FILE *out)
{
	(void)fputs("CREATE TABLE IF NOT EXISTS transactions (", out);
	put_names(columns, true, out);
	(void)fputs(");\n", out);
}

static void sql_row(const struct columns *columns, const struct report_row *row, FILE *out)
{
	struct cell cells[TABLE_COLUMNS_MAX];

	columns_cells(columns, row, cells);
	(void)fputs("INSERT INTO transactions (", out);
	put_names(columns, false, out);
	(void)fputs(") VALUES (", out);
	for (unsigned i = 0; i < columns->count; i++) {
		(void)fputs(i ? ", " : "", out);
		put_sql_cell(columns->columns[i].type, &cells[i], out);
	}
	(void)fputs(");\n", out);
}

const struct export_form export_sql = {
	.name = "sql", .has_columns = true, .begin = sql_begin, .row = sql_row
};
