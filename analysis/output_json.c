/*
 * output_json.c - one object: what was asked, and each table as rows with the names of their columns.
 *
 * Sizes are bytes, durations microseconds, times RFC 3339 UTC, shares parts of one; what is not known is absent.
 */
#include <inttypes.h>

#include "analysis/output.h"
#include "analysis/show_event.h"
#include "common/record.h"

static void put_string(struct output_page *page, const char *string)
{
	show_json_string(page->file, text_of(string));
}

static void put_time(struct output_page *page, uint64_t time_us)
{
	char words[TIME_TEXT_SIZE];

	time_format(time_us, words);
	fprintf(page->file, "\"%s\"", words);
}

static void put_value(struct output_page *page, enum cell_type type, const struct cell *cell)
{
	switch (type) {
	case CELL_TEXT:
		show_json_string(page->file, cell->text);
		return;
	case CELL_TIME:
		put_time(page, cell->number);
		return;
	case CELL_SHARE:
		fprintf(page->file, "%.6f", (double)cell->number / 1e6);
		return;
	case CELL_KEY:
		fprintf(page->file, "\"%016" PRIx64 "\"", cell->number);
		return;
	case CELL_NUMBER:
	case CELL_SIZE:
	case CELL_DURATION:
		break;
	}
	fprintf(page->file, "%" PRIu64, cell->number);
}

/* Of numbers that are of something else than the row's query finds. */
static void put_cell_queries(struct output_page *page, const struct table *table, const struct table_row *row)
{
	const struct table_column *columns = table_columns(table);
	unsigned count = 0;

	for (unsigned i = 0; i < table_column_count(table); i++) {
		if (columns[i].type == CELL_TEXT || !row->cells[i].text.start)
			continue;
		fprintf(page->file, count++ ? ",\"%s\":" : ",\"queries\":{\"%s\":", columns[i].name);
		show_json_string(page->file, row->cells[i].text);
	}
	if (count)
		(void)fputc('}', page->file);
}

static void put_row(struct output_page *page, const struct table *table, const struct table_row *row)
{
	const struct table_column *columns = table_columns(table);
	bool is_first = true;

	(void)fputc('{', page->file);
	for (unsigned i = 0; i < table_column_count(table); i++) {
		if (!row->cells[i].is_known)
			continue;
		fprintf(page->file, "%s\"%s\":", is_first ? "" : ",", columns[i].name);
		put_value(page, columns[i].type, &row->cells[i]);
		is_first = false;
	}
	if (row->query.start) {
		fprintf(page->file, "%s\"query\":", is_first ? "" : ",");
		show_json_string(page->file, row->query);
	}
	put_cell_queries(page, table, row);
	(void)fputc('}', page->file);
}

static void json_table(struct output_page *page, const struct table *table)
{
	if (page->table_count++)
		(void)fputc(',', page->file);
	(void)fputs("\n\"", page->file);
	fprintf(page->file, "%s\":{\"title\":", table_name(table));
	put_string(page, table_title(table));
	(void)fputs(",\"rows\":[", page->file);
	for (size_t i = 0; i < table_row_count(table); i++) {
		(void)fputs(i ? ",\n" : "\n", page->file);
		put_row(page, table, table_row(table, i));
	}
	(void)fputs("],\"notes\":[", page->file);
	for (size_t i = 0; i < table_note_count(table); i++) {
		(void)fputs(i ? "," : "", page->file);
		show_json_string(page->file, table_note(table, i));
	}
	fprintf(page->file, "]%s}", table_is_short(table) ? ",\"is_short\":true" : "");
}

static void json_begin(struct output_page *page)
{
	fprintf(page->file, "{\"verb\":\"%s\",\"version\":%d,\"query\":", page->verb, OUTPUT_JSON_VERSION);
	put_string(page, page->query);
	if (page->from_us && page->until_us) {
		(void)fputs(",\"from\":", page->file);
		put_time(page, page->from_us);
		(void)fputs(",\"until\":", page->file);
		put_time(page, page->until_us);
	}
	(void)fputs(",\"tables\":{", page->file);
}

static void json_end(struct output_page *page)
{
	(void)fputs("}}\n", page->file);
}

const struct output output_json = { .name = "json", .begin = json_begin, .table = json_table, .end = json_end };
