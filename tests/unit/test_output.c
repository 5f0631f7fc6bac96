/* test_output.c - one table in every form; hostile text in each of them. */
#include <stdlib.h>

#include "analysis/output.h"
#include "tests/unit/unit.h"

static const struct table_column columns[] = {
	{ "domain", "Domain", CELL_TEXT, false },
	{ "result", "Result", CELL_TEXT, true },
	{ "count", "Count", CELL_NUMBER, false },
	{ "bytes", "Bytes", CELL_SIZE, false },
	{ "delay", "Delay", CELL_DURATION, false },
	{ "last", "Last", CELL_TIME, false },
	{ "share", "Share", CELL_SHARE, false },
	{ "key", "Key", CELL_KEY, false },
};
enum { COLUMN_COUNT = sizeof columns / sizeof columns[0] };

static void put_row(struct table *table, struct text domain, uint64_t count)
{
	table_begin_row(table);
	table_put_text(table, domain);
	table_put_text(table, TEXT_LITERAL("pass"));
	table_put_number(table, count);
	table_put_number(table, count * 1000);
	table_put_number(table, count * 1500000);
	table_put_number(table, 1793491205497260);
	table_put_share(table, count, 20000);
	table_put_number(table, 0x2f00aa0012345679);
}

/* The caller frees. */
static char *show(const struct output *output, const struct table *table, size_t width, bool shows_queries)
{
	char *bytes = NULL;
	size_t length;
	struct output_page page = {
		.file = open_memstream(&bytes, &length), .width = width, .is_ascii = true, .shows_queries = shows_queries,
		.verb = "report", .query = "from:\"a\"", .from_us = 1793491200000000, .until_us = 1793577600000000,
	};

	output->begin(&page);
	output->table(&page, table);
	output->end(&page);
	(void)fclose(page.file);
	return bytes;
}

static void check_shown(const struct output *output, const struct table *table, size_t width, bool shows_queries, const char *wanted)
{
	char *got = show(output, table, width, shows_queries);

	CHECK_STRING(got, wanted);
	free(got);
}

TEST(a_table_is_the_same_in_every_form)
{
	struct table *table = table_new("domains", "Domains", columns, COLUMN_COUNT);

	put_row(table, TEXT_LITERAL("example.com"), 12345);
	table_put_query(table, "maildomain:%s", "example.com");
	table_begin_row(table);
	table_put_text(table, TEXT_LITERAL(""));
	table_put_unknown(table);
	table_put_number(table, 7);
	table_put_note(table, "%d of %d", 1, 2);
	check_shown(&output_text, table, 0, true,
		    "2026-11-01 00:00:00 to 2026-11-02 00:00:00 UTC\n\n"
		    "Domains\n-------\n"
		    "Domain       Result   Count    Bytes   Delay                 Last   Share               Key\n"
		    "example.com  pass    12,345  12.3 MB  5.14 h  2026-11-01 00:00:05  61.7 %  2f00aa0012345679\n"
		    "    smtptrail search maildomain:example.com\n"
		    "             -            7        -       -                    -       -                 -\n"
		    "1 of 2\n");
	check_shown(&output_json, table, 0, false,
		    "{\"verb\":\"report\",\"version\":1,\"query\":\"from:\\\"a\\\"\",\"from\":\"2026-11-01T00:00:00.000000Z\","
		    "\"until\":\"2026-11-02T00:00:00.000000Z\",\"tables\":{\n\"domains\":{\"title\":\"Domains\",\"rows\":[\n"
		    "{\"domain\":\"example.com\",\"result\":\"pass\",\"count\":12345,\"bytes\":12345000,\"delay\":18517500000,"
		    "\"last\":\"2026-11-01T00:00:05.497260Z\",\"share\":0.617250,\"key\":\"2f00aa0012345679\","
		    "\"query\":\"maildomain:example.com\"},\n"
		    "{\"domain\":\"\",\"count\":7}],\"notes\":[\"1 of 2\"]}}}\n");
	check_shown(&output_csv, table, 0, true,
		    "domain,result,count,bytes,delay,last,share,key,query\r\n"
		    "\"example.com\",\"pass\",12345,12345000,18517500000,2026-11-01T00:00:05.497260Z,0.617250,2f00aa0012345679,"
		    "\"maildomain:example.com\"\r\n"
		    "\"\",,7,,,,,,\r\n");
	table_free(table);
}

TEST(a_narrow_terminal_gets_narrow_text_columns)
{
	struct table *table = table_new("domains", "Domains", columns, 3);

	put_row(table, TEXT_LITERAL("a-rather-long-name.of.a.domain.example.com"), 1);
	check_shown(&output_text, table, 40, false,
		    "2026-11-01 00:00:00 to 2026-11-02 00:00:00 UTC\n\n"
		    "Domains\n-------\n"
		    "Domain                     Result  Count\n"
		    "a-rather-long-name.of.a.\xe2\x80\xa6  pass        1\n");
	table_free(table);
}

TEST(a_table_that_is_too_wide_leaves_out_what_is_missed_least)
{
	static const struct table_column few[] = {
		{ "time", "Time", CELL_TIME, false }, { "from", "From", CELL_TEXT, false }, { "spf", "SPF", CELL_TEXT, false },
		{ "where", "Stage or relay", CELL_TEXT, false }, { "size", "Size", CELL_SIZE, false }, { "key", "Key", CELL_KEY, false },
	};
	struct table *table = table_new("few", "Few", few, sizeof few / sizeof few[0]);

	table_begin_row(table);
	table_put_number(table, 1793491205497260);
	table_put_text(table, TEXT_LITERAL("somebody@example.com"));
	table_put_unknown(table);
	table_put_text(table, TEXT_LITERAL("RCPT"));
	table_put_number(table, 1000);
	table_put_number(table, 0x2f00aa0012345679);
	check_shown(&output_text, table, 70, false,
		    "2026-11-01 00:00:00 to 2026-11-02 00:00:00 UTC\n\nFew\n---\n"
		    "               Time  From        Stage or \xe2\x80\xa6     Size               Key\n"
		    "2026-11-01 00:00:05  somebody@\xe2\x80\xa6  RCPT        1.00 kB  2f00aa0012345679\n"
		    "too narrow for: SPF\n");
	check_shown(&output_text, table, 48, false,
		    "2026-11-01 00:00:00 to 2026-11-02 00:00:00 UTC\n\nFew\n---\n"
		    "               Time  From                    Key\n"
		    "2026-11-01 00:00:05  somebody\xe2\x80\xa6  2f00aa0012345679\n"
		    "too narrow for: SPF, Stage or relay, Size\n");
	table_free(table);
}

TEST(hostile_text_stays_text)
{
	static const char *const hostile[] = {
		"\x1b[2J\x1b[31mred\x07", "<script>alert(1)</script>", "=cmd|'/c calc'!A1", "+1", "-1", "@sum", "\t=1", "a\"b,c\r\nd",
		"\xff\xfe", "\xe2\x80\xae" "gpj.exe", "\xc2\x9b" "31m", "NUL",
	};

	for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
		struct table *table = table_new("x", "X", columns, 1);
		struct text text = strcmp(hostile[i], "NUL") == 0 ? (struct text){ "a\0b", 3 } : text_of(hostile[i]);

		table_begin_row(table);
		table_put_text(table, text);
		char *as_text = show(&output_text, table, 0, false), *as_csv = show(&output_csv, table, 0, false),
		     *as_json = show(&output_json, table, 0, false);

		for (const char *p = as_text; *p; p++)
			CHECK_SAYING((unsigned char)*p >= ' ' || *p == '\n', "text %zu", i);
		CHECK_SAYING(!strstr(as_text, "\xc2\x9b") && !strstr(as_text, "\xe2\x80\xae") && !strstr(as_text, "\xff"), "text %zu", i);
		CHECK_SAYING(!strchr("=+-@\t", as_csv[strlen("domain\r\n\"")]), "csv %zu: %s", i, as_csv);
		CHECK_SAYING(!strstr(as_csv, "\r\nd") && !strchr(as_csv, 0x1b), "csv %zu: %s", i, as_csv);
		CHECK_SAYING(!strchr(as_json, 0x1b) && !strstr(as_json, "\xff"), "json %zu: %s", i, as_json);
		free(as_text);
		free(as_csv);
		free(as_json);
		table_free(table);
	}
}

TEST(rows_are_sorted_and_what_is_left_out_is_said)
{
	struct table *table = table_new("domains", "Domains", columns, COLUMN_COUNT);

	put_row(table, TEXT_LITERAL("b.example"), 1);
	put_row(table, TEXT_LITERAL("c.example"), 9);
	put_row(table, TEXT_LITERAL("a.example"), 1);
	table_begin_row(table);
	table_put_text(table, TEXT_LITERAL("unknown.example"));
	table_sort(table, 2, 3);
	CHECK_NUMBER(table_row_count(table), 3);
	CHECK_TEXT(table_row(table, 0)->cells[0].text, "c.example");
	CHECK_TEXT(table_row(table, 1)->cells[0].text, "a.example");
	CHECK_TEXT(table_row(table, 2)->cells[0].text, "b.example");
	CHECK_TEXT(table_note(table, 0), "1 more rows; --top 4 shows all");
	table_free(table);
}

TEST(numbers_are_read_by_persons)
{
	static const struct {
		enum cell_type type;
		uint64_t number;
		const char *words;
	} cases[] = {
		{ CELL_NUMBER, 0, "0" }, { CELL_NUMBER, 999, "999" }, { CELL_NUMBER, 1000, "1,000" },
		{ CELL_NUMBER, UINT64_MAX, "18,446,744,073,709,551,615" },
		{ CELL_SIZE, 0, "0 B" }, { CELL_SIZE, 999, "999 B" }, { CELL_SIZE, 1500, "1.50 kB" }, { CELL_SIZE, 15000000, "15.0 MB" },
		{ CELL_SIZE, 2684552307, "2.68 GB" },
		{ CELL_DURATION, 0, "0 us" }, { CELL_DURATION, 350000, "350 ms" }, { CELL_DURATION, 1500000, "1.50 s" },
		{ CELL_DURATION, UINT64_C(432000000000), "5.00 d" },
		{ CELL_SHARE, 1000000, "100.0 %" }, { CELL_SHARE, 0, "0.0 %" },
		{ CELL_TIME, UINT64_MAX, "" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char words[CELL_WORDS_MAX];

		cell_words(cases[i].type, cases[i].number, words);
		if (cases[i].type != CELL_TIME)
			CHECK_STRING(words, cases[i].words);
		CHECK(strlen(words) < CELL_WORDS_MAX);
	}
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(a_table_is_the_same_in_every_form),
		UNIT_TEST(a_narrow_terminal_gets_narrow_text_columns),
		UNIT_TEST(a_table_that_is_too_wide_leaves_out_what_is_missed_least),
		UNIT_TEST(hostile_text_stays_text),
		UNIT_TEST(rows_are_sorted_and_what_is_left_out_is_said),
		UNIT_TEST(numbers_are_read_by_persons),
		{ NULL, NULL },
	};

	return unit_run(tests, argc, argv);
}
