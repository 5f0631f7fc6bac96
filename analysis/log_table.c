/* log_table.c - columns of a table, by the names at its top. */
#include "analysis/log_table.h"

#include <assert.h>

static const char fields[] = "#Fields:";

bool log_table_begin(struct log_table *table, const struct log_table_head *head, struct own_lines *own, struct text line)
{
	bool is_head;

	assert(head->count <= LOG_TABLE_COLUMNS_MAX);
	if (text_starts(line, fields)) {
		line = (struct text){ line.start + sizeof fields - 1, line.length - (sizeof fields - 1) };
		while (line.length && line.start[0] == ' ')
			line = (struct text){ line.start + 1, line.length - 1 };
	}
	is_head = csv_record_line(own->csv, line) == CSV_WHOLE &&
		  csv_record_columns(own->csv, head->names, head->count, table->columns) >= head->needed;
	csv_record_drop(own->csv);
	for (unsigned i = 0; i < head->needed && is_head; i++)
		is_head = table->columns[i] != CSV_FIELDS_MAX;
	table->has_columns = is_head;
	table->width = csv_record_count(own->csv);
	return is_head;
}

/* The same head again, as where one file was put behind another. */
static bool is_head_again(const struct log_table *table, const struct log_table_head *head, const struct own_lines *own)
{
	unsigned char columns[LOG_TABLE_COLUMNS_MAX];

	return csv_record_columns(own->csv, head->names, head->needed, columns) == head->needed &&
	       memcmp(columns, table->columns, head->needed) == 0;
}

/* A record of other width has shifted columns, but for empty ones at its end. */
static bool has_width(const struct log_table *table, const struct own_lines *own)
{
	unsigned count = csv_record_count(own->csv);

	while (count > table->width && !csv_record_field(own->csv, count - 1).start)
		count--;
	return count == table->width;
}

enum own_result log_table_read(struct log_table *table, const struct log_table_head *head, struct own_lines *own, struct text line,
			   struct event *event)
{
	if (!csv_record_is_open(own->csv)) {
		if (!table->has_columns)
			return log_table_begin(table, head, own, line) ? OWN_NOTHING : OWN_NOT_MINE;
		if (text_starts(line, "#"))
			return text_starts(line, fields) && log_table_begin(table, head, own, line) ? OWN_NOTHING : OWN_NOT_MINE;
	}
	switch (own_read_record(own, line, event)) {
	case CSV_OPEN:
		return OWN_NOTHING;
	case CSV_BAD:
		return OWN_UNKNOWN;
	case CSV_WHOLE:
		break;
	}
	if (csv_record_count(own->csv) == 0)
		return OWN_NOTHING;
	if (is_head_again(table, head, own))
		return OWN_NOTHING;
	return has_width(table, own) ? OWN_EVENT : OWN_UNKNOWN;
}

struct text log_table_field(const struct log_table *table, const struct own_lines *own, unsigned which)
{
	return csv_record_field(own->csv, table->columns[which]);
}

struct text log_table_next_item(struct text *list, char separator)
{
	struct text item = { list->start, 0 };
	bool in_quotes = false;
	unsigned depth = 0;

	if (!list->start)
		return TEXT_NONE;
	for (; item.length < list->length; item.length++) {
		char c = list->start[item.length];

		if (c == '"')
			in_quotes = !in_quotes;
		else if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && depth)
			depth--;
		else if (c == separator && !in_quotes && !depth)
			break;
	}
	*list = item.length < list->length
		? (struct text){ list->start + item.length + 1, list->length - item.length - 1 } : TEXT_NONE;
	return item;
}
