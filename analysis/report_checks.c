/* report_checks.c - how long SPF, DKIM and DMARC took, beside the mail. */
#include "analysis/report.h"

enum { COUNT, SUM, LONGEST, ERRORS, NUMBERS };

static const struct tally_info tallies[] = { { "check_times", 1, NUMBERS, { TALLY_SUM, TALLY_SUM, TALLY_MOST, TALLY_SUM } } };

static void collect(struct tally **tally, const struct report_row *row)
{
	const struct facts *facts = &row->check->facts;
	struct text check = facts_text(facts, FACT_CHECK_CHECK), result = facts_text(facts, FACT_CHECK_RESULT);
	struct fact_value value;

	if (check.start && facts_find(facts, FACT_CHECK_TIME_US, &value))
		tally_add_one(tally[0], check, (uint64_t[NUMBERS]){ 1, value.number, value.number, text_is(result, "temperror") });
}

static const struct listing_column columns[] = {
	{ { "check", "Check", CELL_TEXT, false }, LISTING_PART, 0, 0, "check" },
	{ { "count", "Count", CELL_NUMBER, false }, LISTING_NUMBER, COUNT, 0, NULL },
	{ { "mean", "Mean time", CELL_DURATION, false }, LISTING_MEAN, SUM, COUNT, NULL },
	{ { "longest", "Longest", CELL_DURATION, false }, LISTING_NUMBER, LONGEST, 0, NULL },
	{ { "temperror", "DNS failed", CELL_NUMBER, false }, LISTING_NUMBER, ERRORS, 0, NULL },
};
static const struct listing listing = { "checks", "Times of checks", sizeof columns / sizeof columns[0], columns, "count", NULL };

static void show(struct tally *const *tally, const struct report_options *options, report_emit *emit, void *context)
{
	report_show_listing(&listing, tally[0], options, emit, context);
}

static const enum fact asked_for[] = { FACT_CHECK_CHECK, FACT_CHECK_RESULT, FACT_CHECK_TIME_US, FACT_COUNT };

const struct report report_checks = {
	.name = "checks", .summary = "how long SPF, DKIM and DMARC took, and how often the DNS failed them",
	.moments = REPORT_CHECK, .tally_count = 1, .tallies = tallies, .facts = asked_for, .collect = collect, .show = show,
};
