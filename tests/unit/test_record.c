/* test_record.c - records round-trip, stay within their limits, and refuse damaged bytes. */
#include "common/record.h"

#include <errno.h>
#include <time.h>

#include "unit.h"

/* A value of each type that is easy to mistake: zero, full width, bytes that are no text. */
static struct text sample(enum field_type type)
{
	switch (type) {
	case FIELD_TYPE_TEXT: return (struct text){ "a\0b\xff <x>\r\n", 10 };
	case FIELD_TYPE_LIST: return TEXT_LITERAL("a, \"b, \\\"c\\\"\"");
	case FIELD_TYPE_NUMBER: return TEXT_LITERAL("18446744073709551615");
	case FIELD_TYPE_TIME: return TEXT_LITERAL("2026-11-21T08:00:00.123456Z");
	case FIELD_TYPE_FLAG: return TEXT_LITERAL("yes");
	}
	return TEXT_NONE;
}

TEST(every_field_round_trips_at_every_stage_that_carries_it)
{
	static struct record record;
	char scratch[RECORD_VALUE_TEXT_MAX];

	for (const struct field_info *field = field_table; field->name; field++)
		for (const struct stage_info *stage = stage_table; stage->name; stage++) {
			struct record_view view;
			struct record_value value;

			if (!field_is_at(field, (enum stage)stage->number))
				continue;
			record_init(&record, (enum stage)stage->number, 42);
			CHECK_NUMBER(record_set_from_text(&record, (enum field)field->number, sample(field->type)), 0);
			CHECK_NUMBER(record_view_open(&view, record_finish(&record)), 0);
			CHECK_NUMBER(view.stage, stage->number);
			CHECK_NUMBER(view.time_us, 42);
			CHECK(record_view_next(&view, &value));
			CHECK_NUMBER(value.number, field->number);
			CHECK_SAYING(text_equal(record_value_text(&value, scratch), sample(field->type)),
				     "%s came back as \"%.*s\"", field->name,
				     TEXT_ARGS(record_value_text(&value, scratch)));
			CHECK(!record_view_next(&view, &value));
		}
}

TEST(every_field_has_a_meaning_a_stage_and_its_own_name)
{
	for (const struct field_info *field = field_table; field->name; field++) {
		CHECK_SAYING(strlen(field->meaning) > 10, "%s", field->name);
		CHECK_SAYING(field->stages != 0, "%s", field->name);
		CHECK_SAYING(field_by_name(text_of(field->name)) == field, "%s stands twice", field->name);
		CHECK_SAYING(field_info(field->number) == field, "%s", field->name);
		CHECK_SAYING(strspn(field->name, "abcdefghijklmnopqrstuvwxyz_0123456789") == strlen(field->name),
			     "%s", field->name);
	}
	for (const struct stage_info *stage = stage_table; stage->name; stage++) {
		CHECK_SAYING(strlen(stage->meaning) > 10, "%s", stage->name);
		CHECK_SAYING(stage_by_name(text_of(stage->name)) == stage, "%s stands twice", stage->name);
		CHECK_SAYING(stage->number < 32, "%s: a stage is a bit in 32", stage->name);
	}
}

TEST(a_text_beyond_its_limit_is_cut_and_named)
{
	static struct record record;
	static char big[100000];
	struct record_view view;
	struct record_value value;

	memset(big, 'x', sizeof big);
	record_init(&record, STAGE_HEADER, 1);
	record_set_text(&record, FIELD_SUBJECT, (struct text){ big, sizeof big });
	record_set_text_max(&record, FIELD_DATE, TEXT_LITERAL("Monday"), 3);
	CHECK_NUMBER(record_view_open(&view, record_finish(&record)), 0);
	CHECK(record_view_find(&view, FIELD_SUBJECT, &value));
	CHECK_NUMBER(value.text.length, RECORD_TEXT_MAX);
	CHECK(record_view_find(&view, FIELD_DATE, &value));
	CHECK_TEXT(value.text, "Mon");
	CHECK(record_view_find(&view, FIELD_CUT, &value));
	CHECK_TEXT(value.text, "subject, date");
	record_done(&record);
}

TEST(a_full_record_refuses_more_and_says_so)
{
	static struct record record;
	static char big[RECORD_TEXT_MAX];
	struct record_view view;
	struct record_value value;

	memset(big, 'y', sizeof big);
	record_init(&record, STAGE_HEADER, 1);
	for (int i = 0; i < 20; i++) {
		record_set_text(&record, FIELD_SUBJECT, (struct text){ big, sizeof big });
		record_add_item(&record, FIELD_HEADERS_OTHER, (struct text){ big, 1000 });
	}
	record_set_number(&record, FIELD_HEADER_COUNT, 7);
	struct text bytes = record_finish(&record);

	CHECK(bytes.length <= RECORD_SIZE_MAX);
	CHECK_NUMBER(record_view_open(&view, bytes), 0);
	CHECK(record_view_find(&view, FIELD_CUT, &value));
	CHECK(memmem(value.text.start, value.text.length, "subject", 7) != NULL);
	CHECK(memmem(value.text.start, value.text.length, "header_count", 12) != NULL);
	record_done(&record);
}

TEST(a_record_that_outgrows_its_own_bytes_keeps_all_it_had)
{
	static const char item[] = "attachment number one.pdf";
	struct record_view view;
	struct record_value value;
	struct record record;
	static char big[RECORD_SMALL_SIZE];

	memset(big, 'z', sizeof big);
	/* At every distance from the end of its own bytes, and by each kind of value. */
	for (size_t before = sizeof big - 900; before < sizeof big; before++) {
		record_init(&record, STAGE_EOM, 1);
		record_set_text(&record, FIELD_CONTENT_TYPE, (struct text){ big, before });
		record_add_item(&record, FIELD_ATTACHMENT_NAMES, TEXT_LITERAL(item));
		record_add_item(&record, FIELD_ATTACHMENT_NAMES, TEXT_LITERAL(item));
		record_set_number(&record, FIELD_PARTS, 3);
		record_set_string(&record, FIELD_BODY_SHA256, "");
		CHECK_NUMBER(record_view_open(&view, record_finish(&record)), 0);
		CHECK(record_view_find(&view, FIELD_CONTENT_TYPE, &value));
		CHECK(text_equal(value.text, (struct text){ big, before }));
		CHECK(record_view_find(&view, FIELD_ATTACHMENT_NAMES, &value));
		CHECK_NUMBER(value.text.length, 2 * (sizeof item - 1) + 2);
		CHECK(record_view_find(&view, FIELD_PARTS, &value) && value.integer == 3);
		CHECK(record_view_find(&view, FIELD_BODY_SHA256, &value) && value.text.length == 0);
		CHECK(!record_view_find(&view, FIELD_CUT, &value));
		record_done(&record);
	}
}

TEST(absent_is_not_empty)
{
	static struct record record;
	struct record_view view;
	struct record_value value;

	record_init(&record, STAGE_MAIL, 1);
	record_set_string(&record, FIELD_FROM, "");
	record_set_string(&record, FIELD_RET, NULL);
	CHECK_NUMBER(record_view_open(&view, record_finish(&record)), 0);
	CHECK(record_view_find(&view, FIELD_FROM, &value));
	CHECK_NUMBER(value.text.length, 0);
	CHECK(!record_view_find(&view, FIELD_RET, &value));
}

TEST(list_items_are_quoted_where_they_must_be)
{
	static const struct { const char *sentence; const char *items[4]; const char *wanted; } cases[] = {
		{ "plain words", { "a.pdf", "b c.doc" }, "a.pdf, b c.doc" },
		{ "a comma", { "a,b", "c" }, "\"a,b\", c" },
		{ "quotes and backslashes", { "say \"hi\"", "c:\\x" }, "\"say \\\"hi\\\"\", \"c:\\\\x\"" },
		{ "an empty one", { "", "x" }, "\"\", x" },
		{ "blanks at the ends", { " x" }, "\" x\"" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		static struct record record;
		struct record_view view;
		struct record_value value;

		record_init(&record, STAGE_EOM, 1);
		for (int item = 0; item < 4 && cases[i].items[item]; item++)
			record_add_item(&record, FIELD_ATTACHMENT_NAMES, text_of(cases[i].items[item]));
		CHECK_NUMBER(record_view_open(&view, record_finish(&record)), 0);
		CHECK(record_view_find(&view, FIELD_ATTACHMENT_NAMES, &value));
		CHECK_TEXT(value.text, cases[i].wanted);
		record_done(&record);
	}
}

TEST(a_list_is_never_cut_inside_an_item)
{
	static struct record record;
	static char name[3000];
	struct record_view view;
	struct record_value value;

	memset(name, 'n', sizeof name);
	record_init(&record, STAGE_EOM, 1);
	for (int i = 0; i < 4; i++)
		record_add_item(&record, FIELD_ATTACHMENT_NAMES, (struct text){ name, sizeof name });
	CHECK_NUMBER(record_view_open(&view, record_finish(&record)), 0);
	CHECK(record_view_find(&view, FIELD_ATTACHMENT_NAMES, &value));
	CHECK_NUMBER(value.text.length, 2 * 3000 + 2);
	CHECK(record_view_find(&view, FIELD_CUT, &value));
	CHECK_TEXT(value.text, "attachment_names");
	record_done(&record);
}

TEST(damaged_bytes_are_refused)
{
	static struct record record;
	struct record_view view;

	record_init(&record, STAGE_CONNECT, 1);
	record_set_string(&record, FIELD_CLIENT_ADDR, "192.0.2.1");
	record_set_number(&record, FIELD_CLIENT_PORT, 25);
	struct text bytes = record_finish(&record);

	/* Every shorter form ends inside a field, or right before one. */
	for (size_t length = 0; length < bytes.length; length++) {
		bool whole = length == 9 || length == 9 + 4 + 9;

		CHECK_NUMBER(record_view_open(&view, (struct text){ bytes.start, length }), whole ? 0 : -EBADMSG);
	}
	record.bytes[9 + 4 + 9 + 2] = 7;	/* a number of seven bytes */
	CHECK_NUMBER(record_view_open(&view, (struct text){ bytes.start, bytes.length - 1 }), -EBADMSG);
}

TEST(a_field_of_a_later_version_is_walked_over)
{
	static struct record record;
	struct record_view view;
	struct record_value value;

	record_init(&record, STAGE_CLOSE, 1);
	record_set_string(&record, FIELD_CAUSE, "ended");
	record_set_number(&record, FIELD_MESSAGES, 3);
	record.bytes[9] = 0xff;			/* the number of the first field */
	record.bytes[10] = 0x7f;
	CHECK_NUMBER(record_view_open(&view, record_finish(&record)), 0);
	CHECK(record_view_next(&view, &value));
	CHECK(value.info == NULL);
	CHECK_NUMBER(value.number, 0x7fff);
	CHECK_TEXT(value.text, "ended");
	CHECK(record_view_find(&view, FIELD_MESSAGES, &value));
	CHECK_NUMBER(value.integer, 3);
}

TEST(times_are_read_as_they_are_written)
{
	static const struct { const char *text; int64_t seconds; int64_t microseconds; } cases[] = {
		{ "1970-01-01T00:00:00Z", 0, 0 },
		{ "2026-11-21T08:00:00.5Z", 1795248000, 500000 },
		{ "2026-11-21T09:30:00.000001+01:30", 1795248000, 1 },
		{ "2024-02-29T23:59:59Z", 1709251199, 0 },
		{ "2016-12-31T23:59:60Z", 1483228800, 0 },
		{ "2026-02-30T00:00:00Z", -1, 0 },
		{ "2026-11-21 08:00:00Z", -1, 0 },
		{ "2026-11-21T08:00:00", -1, 0 },
		{ "2026-11-21T24:00:00Z", -1, 0 },
		{ "2026-11-21T08:00:00.1234567Z", -1, 0 },
		{ "", -1, 0 },
	};
	char text[TIME_TEXT_SIZE];
	uint64_t time_us = 0;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int error = time_parse(text_of(cases[i].text), &time_us);

		CHECK_SAYING((error == 0) == (cases[i].seconds >= 0), "%s", cases[i].text);
		if (!error)
			CHECK_NUMBER(time_us, cases[i].seconds * 1000000 + cases[i].microseconds);
	}
	/* Each day until 9999, at another time of it. */
	for (uint64_t day = 0; day < 2932897; day++) {
		uint64_t us = (day * 86400 + day * 7919 % 86400) * 1000000 + day % 1000000;
		time_t second = (time_t)(us / 1000000);
		char wanted[40];
		struct tm parts;

		time_format(us, text);
		(void)gmtime_r(&second, &parts);
		(void)strftime(wanted, sizeof wanted, "%Y-%m-%dT%H:%M:%S.", &parts);
		if (memcmp(text, wanted, 20) != 0)
			CHECK_STRING(text, wanted);
	}
	time_format(UINT64_MAX, text);
	CHECK_STRING(text, "9999-12-31T23:59:59.999999Z");
	time_format(1795248000500000, text);
	CHECK_STRING(text, "2026-11-21T08:00:00.500000Z");
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(every_field_round_trips_at_every_stage_that_carries_it),
		UNIT_TEST(every_field_has_a_meaning_a_stage_and_its_own_name),
		UNIT_TEST(a_text_beyond_its_limit_is_cut_and_named),
		UNIT_TEST(a_full_record_refuses_more_and_says_so),
		UNIT_TEST(a_record_that_outgrows_its_own_bytes_keeps_all_it_had),
		UNIT_TEST(absent_is_not_empty),
		UNIT_TEST(list_items_are_quoted_where_they_must_be),
		UNIT_TEST(a_list_is_never_cut_inside_an_item),
		UNIT_TEST(damaged_bytes_are_refused),
		UNIT_TEST(a_field_of_a_later_version_is_walked_over),
		UNIT_TEST(times_are_read_as_they_are_written),
		{ NULL, NULL },
	};
	return unit_run(tests, argc, argv);
}
