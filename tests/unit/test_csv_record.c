/* test_csv_record.c - records of comma-separated values, also over several lines; and times by their patterns. */
#include "analysis/csv_record.h"

#include <stdio.h>
#include <stdlib.h>

#include "analysis/stamp.h"
#include "unit.h"

/* Fields with bars between; "-" is one that is absent. */
static void write_fields(const struct csv_record *record, char *buffer, size_t size)
{
	size_t length = 0;

	buffer[0] = '\0';
	for (unsigned i = 0; i < csv_record_count(record) && length < size; i++) {
		struct text field = csv_record_field(record, i);

		length += (size_t)snprintf(buffer + length, size - length, "%s%.*s", i ? "|" : "",
					   field.start ? (int)field.length : 1, field.start ? field.start : "-");
	}
}

TEST(a_record_gives_its_fields)
{
	static const struct { const char *line, *wanted; } rows[] = {
		{ "a,b,c", "a|b|c" },
		{ "a,,\"\"", "a|-|" },
		{ "\"a,b\",\"say \"\"x\"\"\",c\r", "a,b|say \"x\"|c" },
		{ "\"a\rb\",c", "a\rb|c" },
		{ "a\rb,c", "a\rb|c" },
		{ "a\"b,c", "a\"b|c" },
		{ ",", "-|-" },
		{ "", "" },
		{ "  ", "" },
	};
	struct csv_record *record;
	char got[256];

	CHECK_NUMBER(csv_record_new(&record), 0);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CHECK_NUMBER(csv_record_line(record, text_of(rows[i].line)), CSV_WHOLE);
		write_fields(record, got, sizeof got);
		CHECK_STRING(got, rows[i].wanted);
	}
	csv_record_free(record);
}

TEST(a_line_end_inside_quotes_goes_on)
{
	struct csv_record *record;
	char got[256];

	CHECK_NUMBER(csv_record_new(&record), 0);
	CHECK_NUMBER(csv_record_line(record, TEXT_LITERAL("a,\"one")), CSV_OPEN);
	CHECK_NUMBER(csv_record_line(record, TEXT_LITERAL("")), CSV_OPEN);
	CHECK_NUMBER(csv_record_line(record, TEXT_LITERAL("2026-11-21,forged\",c")), CSV_WHOLE);
	write_fields(record, got, sizeof got);
	CHECK_STRING(got, "a|one\n\n2026-11-21,forged|c");
	CHECK_NUMBER(csv_record_lines(record), 3);
	CHECK_TEXT(csv_record_text(record), "a,\"one\n\n2026-11-21,forged\",c");
	CHECK_NUMBER(csv_record_line(record, TEXT_LITERAL("d")), CSV_WHOLE);
	CHECK_NUMBER(csv_record_count(record), 1);
	CHECK_TEXT(csv_record_text(record), "d");
	csv_record_free(record);
}

TEST(a_quote_that_is_never_closed_costs_one_record)
{
	static char line[1001];
	struct csv_record *record;
	enum csv_result result;
	int lines = 1;

	memset(line, 'x', 1000);
	CHECK_NUMBER(csv_record_new(&record), 0);
	CHECK_NUMBER(csv_record_line(record, TEXT_LITERAL("a,\"open")), CSV_OPEN);
	while ((result = csv_record_line(record, text_of(line))) == CSV_OPEN && lines < 1000)
		lines++;
	CHECK_NUMBER(result, CSV_BAD);
	CHECK(lines >= 60 && lines <= 70);
	CHECK(!csv_record_is_open(record));
	CHECK_NUMBER(csv_record_line(record, TEXT_LITERAL("b,c")), CSV_WHOLE);
	CHECK_TEXT(csv_record_field(record, 0), "b");
	csv_record_free(record);
}

TEST(too_many_fields_are_no_record)
{
	static char line[2 * CSV_FIELDS_MAX + 8];
	struct csv_record *record;

	for (unsigned i = 0; i < CSV_FIELDS_MAX; i++)
		memcpy(line + (size_t)i * 2, "a,", 2);
	CHECK_NUMBER(csv_record_new(&record), 0);
	CHECK_NUMBER(csv_record_line(record, text_of(line)), CSV_BAD);
	CHECK_NUMBER(csv_record_line(record, TEXT_LITERAL("b")), CSV_WHOLE);
	csv_record_free(record);
}

TEST(columns_are_found_by_name_in_any_order)
{
	static const char *const names[] = { "date-time", "missing", "Message ID" };
	struct csv_record *record;
	unsigned char columns[3];

	CHECK_NUMBER(csv_record_new(&record), 0);
	CHECK_NUMBER(csv_record_line(record, TEXT_LITERAL("\"message id\",other,date-time")), CSV_WHOLE);
	CHECK_NUMBER(csv_record_columns(record, names, 3, columns), 2);
	CHECK_NUMBER(columns[0], 2);
	CHECK_NUMBER(columns[1], CSV_FIELDS_MAX);
	CHECK_NUMBER(columns[2], 0);
	CHECK(!csv_record_field(record, columns[1]).start);
	csv_record_free(record);
}

/* In Berlin, where a time does not tell its zone. */
TEST(a_time_is_read_as_its_pattern_says)
{
	static const struct { const char *pattern, *text; long long wanted; size_t length; } rows[] = {
		{ "%m/%d/%y %I:%M:%S %p", "4/2/01 11:44:31 AM : x", 986204671000000, 18 },
		{ "%m/%d/%y %I:%M:%S %p", "12/31/01 12:00:00 AM", 1009753200000000, 20 },
		{ "%m/%d/%y %I:%M:%S %p", "12/31/01 13:00:00 PM", 0, 0 },
		{ "%a, %d %b %Y %H:%M:%S %z", "Thu, 22 Apr 2004 22:01:42 +0200", 1082664102000000, 31 },
		{ "%a %b %d %H:%M:%S %Y", "Wed Jun  6 21:42:38 2004", 1086550958000000, 24 },
		{ "%d/%b/%Y:%H:%M:%S %z", "21/Nov/2026:08:00:00 -0130", 1795253400000000, 26 },
		{ "%Y/%m/%d %H:%M:%S %Z", "2026/11/21 08:00:00 UTC", 1795248000000000, 23 },
		{ "%Y-%m-%dT%H:%M:%S%f%z", "2026-11-21T08:00:00.1234567Z,", 1795248000123456, 28 },
		{ "%Y-%m-%dT%H:%M:%S%f%z", "2026-11-21T08:00:00+00:00", 1795248000000000, 25 },
		{ "%Y-%m-%d %H:%M:%S", "2026-13-21 08:00:00", 0, 0 },
		{ "%Y-%m-%d %H:%M:%S", "2026-11-21", 0, 0 },
		{ "%Y-%m-%d %H:%M:%S", "", 0, 0 },
	};

	stamp_set_zone("Europe/Berlin");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct stamp_reader reader;
		int64_t us = 0;

		stamp_start(&reader, 0, 0);
		CHECK_SAYING(stamp_by_pattern(&reader, text_of(rows[i].text), rows[i].pattern, &us) == rows[i].length &&
			     us == rows[i].wanted, "%s: %lld", rows[i].text, (long long)us);
	}
}

int main(int argc, char **argv)
{
	return unit_run((const struct unit_test[]){
		UNIT_TEST(a_record_gives_its_fields),
		UNIT_TEST(a_line_end_inside_quotes_goes_on),
		UNIT_TEST(a_quote_that_is_never_closed_costs_one_record),
		UNIT_TEST(too_many_fields_are_no_record),
		UNIT_TEST(columns_are_found_by_name_in_any_order),
		UNIT_TEST(a_time_is_read_as_its_pattern_says),
		{ NULL, NULL },
	}, argc, argv);
}
