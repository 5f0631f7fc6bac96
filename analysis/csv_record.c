/* csv_record.c - libcsv, and a place for the fields of a whole record. */
#include "analysis/csv_record.h"

#include <errno.h>
#include <stdlib.h>

#include <csv.h>

struct csv_record {
	struct csv_parser parser;
	bool is_open, is_bad, has_ended;
	unsigned lines, count;
	struct text fields[CSV_FIELDS_MAX];
	size_t length;			/* of bytes: the fields, one behind the other */
	char bytes[CSV_RECORD_MAX];
	struct text line;		/* of a record that is one line */
	size_t text_length;		/* of one that is several */
	char text[CSV_RECORD_MAX];
};

/* A carriage return alone ends no record: somebody may have written one into a field. */
static int is_line_end(unsigned char byte)
{
	return byte == '\n';
}

int csv_record_new(struct csv_record **ret_record)
{
	struct csv_record *record = calloc(1, sizeof *record);

	if (!record)
		return -ENOMEM;
	if (csv_init(&record->parser, CSV_EMPTY_IS_NULL) != 0) {
		free(record);
		return -ENOMEM;
	}
	csv_set_term_func(&record->parser, is_line_end);
	*ret_record = record;
	return 0;
}

void csv_record_free(struct csv_record *record)
{
	if (record)
		csv_free(&record->parser);
	free(record);
}

/* No bytes: the field is empty, and was not quoted. */
static void take_field(void *bytes, size_t length, void *argument)
{
	struct csv_record *record = argument;

	if (record->count == CSV_FIELDS_MAX || length > sizeof record->bytes - record->length) {
		record->is_bad = true;
		return;
	}
	record->fields[record->count++] = (struct text){ bytes ? record->bytes + record->length : NULL, length };
	if (bytes)
		memcpy(record->bytes + record->length, bytes, length);
	record->length += length;
}

static void end_record(int end, void *argument)
{
	struct csv_record *record = argument;

	(void)end;
	record->has_ended = true;
}

static void begin_record(struct csv_record *record)
{
	record->is_bad = record->has_ended = false;
	record->lines = record->count = 0;
	record->length = record->text_length = 0;
}

static void add_text(struct csv_record *record, struct text line)
{
	if (line.length + 1 > sizeof record->text - record->text_length) {
		record->is_bad = true;
		return;
	}
	memcpy(record->text + record->text_length, line.start, line.length);
	record->text[record->text_length + line.length] = '\n';
	record->text_length += line.length + 1;
}

void csv_record_drop(struct csv_record *record)
{
	(void)csv_fini(&record->parser, NULL, NULL, NULL);
	record->is_open = false;
}

enum csv_result csv_record_line(struct csv_record *record, struct text line)
{
	bool goes_on = record->is_open;

	if (!goes_on)
		begin_record(record);
	if (line.length && line.start[line.length - 1] == '\r')
		line.length--;
	if (csv_parse(&record->parser, line.start, line.length, take_field, end_record, record) != line.length ||
	    csv_parse(&record->parser, "\n", 1, take_field, end_record, record) != 1)
		record->is_bad = true;
	record->lines++;
	record->is_open = !record->has_ended && (goes_on || !text_is_blank(line));
	record->line = line;
	if (goes_on || record->is_open)
		add_text(record, line);
	if (record->is_open && !record->is_bad)
		return CSV_OPEN;
	if (record->is_open)
		csv_record_drop(record);
	return record->is_bad ? CSV_BAD : CSV_WHOLE;
}

bool csv_record_is_open(const struct csv_record *record)
{
	return record->is_open;
}

unsigned csv_record_count(const struct csv_record *record)
{
	return record->count;
}

struct text csv_record_field(const struct csv_record *record, unsigned column)
{
	return column < record->count ? record->fields[column] : TEXT_NONE;
}

struct text csv_record_text(const struct csv_record *record)
{
	if (record->lines <= 1 && !record->text_length)
		return record->line;
	return (struct text){ record->text, record->text_length ? record->text_length - 1 : 0 };
}

unsigned csv_record_lines(const struct csv_record *record)
{
	return record->lines;
}

/* The next letter or digit, in lower case; 0: the end. */
static char next_sign(const char **at, const char *end)
{
	for (; *at < end && **at != '|'; (*at)++) {
		char c = **at, lower = (char)(c | 0x20);

		if (c >= '0' && c <= '9') {
			(*at)++;
			return c;
		}
		if (lower >= 'a' && lower <= 'z') {
			(*at)++;
			return lower;
		}
	}
	return '\0';
}

static bool is_called(struct text field, const char *names)
{
	const char *end = names + strlen(names);

	if (!field.length)
		return false;
	while (names < end) {
		const char *at = field.start, *name_at = names;
		char sign;

		while ((sign = next_sign(&name_at, end)) != '\0' && sign == next_sign(&at, field.start + field.length))
			;
		if (sign == '\0' && next_sign(&at, field.start + field.length) == '\0')
			return true;
		names = memchr(name_at, '|', (size_t)(end - name_at));
		if (!names)
			return false;
		names++;
	}
	return false;
}

unsigned csv_record_columns(const struct csv_record *record, const char *const *names, unsigned count, unsigned char *columns)
{
	unsigned found = 0;

	for (unsigned i = 0; i < count; i++) {
		unsigned column = 0;

		while (column < record->count && !is_called(record->fields[column], names[i]))
			column++;
		columns[i] = (unsigned char)(column < record->count ? column : CSV_FIELDS_MAX);
		found += column < record->count;
	}
	return found;
}
