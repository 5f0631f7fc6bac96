/* report_checks.c - how long SPF, DKIM and DMARC took, beside the mail, how often they failed for now, and what was not checked. */
#include "analysis/report.h"

enum { TIME, LONGEST, SUM, TEMPERROR, PERMERROR, NUMBERS };

static const struct tally_info tallies[] = {
	{ "check_times", 1, NUMBERS, { TALLY_SPREAD, TALLY_MOST, TALLY_SUM, TALLY_SUM, TALLY_SUM } },	/* check */
	{ "check_skips", 1, 1, { TALLY_SUM } },								/* why */
};

static void collect_check(struct tally *tally, const struct facts *facts)
{
	struct text check = facts_text(facts, FACT_CHECK_CHECK), result = facts_text(facts, FACT_CHECK_RESULT);
	struct fact_value value;

	if (check.start && facts_find(facts, FACT_CHECK_TIME_US, &value))
		tally_add_one(tally, check, (uint64_t[NUMBERS]){ value.number, value.number, value.number, text_is(result, "temperror"),
								 text_is(result, "permerror") });
}

static void collect(struct tally **tally, const struct report_row *row)
{
	struct text skipped, why;

	if (row->moment == REPORT_CHECK) {
		collect_check(tally[0], &row->check->facts);
		return;
	}
	skipped = facts_text(&row->message->facts, FACT_MESSAGE_SKIPPED);
	while (facts_next_item(&skipped, &why))
		tally_add_one(tally[1], why, (uint64_t[]){ 1 });
}

static struct table *check_table(const struct tally *tally)
{
	static const struct table_column columns[] = {
		{ "check", "Check", CELL_TEXT, false }, { "count", "Checks", CELL_NUMBER, false }, REPORT_TIMES_COLUMNS,
		{ "mean", "Mean", CELL_DURATION, false }, { "temperror", "Failed for now", CELL_NUMBER, false },
		{ "permerror", "Failed for good", CELL_NUMBER, false },
	};
	struct table *table = table_new("checks", "Times of checks", columns, sizeof columns / sizeof columns[0]);

	for (size_t i = 0; table && i < tally_count(tally); i++) {
		struct tally_row row = tally_row(tally, i);
		struct report_times times = { .count = 0 };

		report_add_times(&times, tally, i, TIME, LONGEST);
		table_begin_row(table);
		table_put_text(table, row.parts[0]);
		table_put_number(table, times.count);
		report_put_times(table, &times);
		table_put_number(table, times.count ? row.numbers[SUM] / times.count : 0);
		table_put_number(table, row.numbers[TEMPERROR]);
		table_put_number(table, row.numbers[PERMERROR]);
		table_put_query(table, "is:check check.time_us:*");
		report_put_query(table, "check", row.parts[0]);
		report_put_number_query(table, 7, "is:check check.time_us:* check.result:temperror", "check", row.parts[0]);
		report_put_number_query(table, 8, "is:check check.time_us:* check.result:permerror", "check", row.parts[0]);
	}
	return table;
}

static void show(struct tally *const *tally, const struct report_options *options, report_emit *emit, void *context)
{
	static const struct listing_column columns[] = {
		{ { "why", "Why", CELL_TEXT, false }, LISTING_PART, 0, 0, "skipped" },
		{ { "count", "Messages", CELL_NUMBER, false }, LISTING_NUMBER, 0, 0, NULL },
	};
	static const struct listing listing = { "skipped", "Not checked, or not all", sizeof columns / sizeof columns[0], columns, "count", "is:message" };
	struct table *table = check_table(tally[0]);

	if (table) {
		report_sort(table, options, "count");
		if (!table_row_count(table))
			table_put_note(table, "%s", REPORT_NEEDS_RECORDS);
	}
	emit(context, table);
	report_show_listing(&listing, tally[1], options, emit, context);
}

static const enum fact asked_for[] = { FACT_CHECK_CHECK, FACT_CHECK_RESULT, FACT_CHECK_TIME_US, FACT_MESSAGE_SKIPPED, FACT_COUNT };

const struct report report_checks = {
	.name = "checks", .summary = "how long SPF, DKIM and DMARC took, how often they failed, and what was not checked: overload, deadline, limits",
	.moments = REPORT_CHECK | REPORT_MESSAGE, .tally_count = 2, .tallies = tallies, .facts = asked_for, .collect = collect, .show = show,
};
