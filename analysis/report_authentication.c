/* report_authentication.c - SPF, DKIM and DMARC: results, and by the domain of From: how much passes. */
#include "analysis/report.h"

enum { COUNT, NUMBERS };
enum { ALL, PASS, FAIL, REJECT, NUMBERS_DOMAIN };

static const struct tally_info tallies[] = {
	{ "auth_results", 2, NUMBERS, { TALLY_SUM } },
	{ "auth_domains", 1, NUMBERS_DOMAIN, { TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM } },
};

static void collect_domain(struct tally *tally, const struct report_row *row)
{
	struct text domain = facts_text(&row->message->facts, FACT_MESSAGE_FROM_DOMAIN);
	struct text dmarc = facts_text(&row->message->facts, FACT_MESSAGE_DMARC);
	struct text asks = facts_text(&row->message->facts, FACT_MESSAGE_DISPOSITION);

	if (row->is_hop || !domain.start || !dmarc.start)
		return;
	tally_add_one(tally, domain, (uint64_t[NUMBERS_DOMAIN]){ 1, text_is(dmarc, "pass"), text_is(dmarc, "fail"), text_is(asks, "reject") });
}

static void collect(struct tally **tally, const struct report_row *row)
{
	struct text check, result;

	if (row->moment == REPORT_MESSAGE) {
		collect_domain(tally[1], row);
		return;
	}
	check = facts_text(&row->check->facts, FACT_CHECK_CHECK);
	result = facts_text(&row->check->facts, FACT_CHECK_RESULT);
	if (check.start && result.start && !row->is_hop)
		tally_add_two(tally[0], check, result, (uint64_t[NUMBERS]){ 1 });
}

static const struct listing_column result_columns[] = {
	{ { "check", "Check", CELL_TEXT, false }, LISTING_PART, 0, 0, "check" },
	{ { "result", "Result", CELL_TEXT, true }, LISTING_PART, 1, 0, "result" },
	{ { "count", "Count", CELL_NUMBER, false }, LISTING_NUMBER, COUNT, 0, "is:check -parent:hop -parent:next_host" },
};
static const struct listing_column domain_columns[] = {
	{ { "domain", "Domain of From:", CELL_TEXT, false }, LISTING_PART, 0, 0, "message.from_domain" },
	{ { "messages", "Messages", CELL_NUMBER, false }, LISTING_NUMBER, ALL, 0, REPORT_MESSAGES " dmarc:*" },
	{ { "pass", "Pass", CELL_NUMBER, false }, LISTING_NUMBER, PASS, 0, REPORT_MESSAGES " dmarc:pass" },
	{ { "fail", "Fail", CELL_NUMBER, false }, LISTING_NUMBER, FAIL, 0, REPORT_MESSAGES " dmarc:fail" },
	{ { "reject", "Policy: reject", CELL_NUMBER, false }, LISTING_NUMBER, REJECT, 0, REPORT_MESSAGES " dmarc:* message.disposition:reject" },
	{ { "share", "Passing", CELL_SHARE, false }, LISTING_SHARE, PASS, ALL, NULL },
};
static const struct listing listings[] = {
	{ "auth_results", "Results of checks", sizeof result_columns / sizeof result_columns[0], result_columns, "count", NULL },
	{ "auth_domains", "DMARC by domain", sizeof domain_columns / sizeof domain_columns[0], domain_columns, "fail", NULL },
};

static void show(struct tally *const *tally, const struct report_options *options, report_emit *emit, void *context)
{
	report_show_listing(&listings[0], tally[0], options, emit, context);
	report_show_listing(&listings[1], tally[1], options, emit, context);
}

static const enum fact asked_for[] = {
	FACT_MESSAGE_FROM_DOMAIN, FACT_MESSAGE_DMARC, FACT_MESSAGE_DISPOSITION, FACT_CHECK_CHECK, FACT_CHECK_RESULT,
	FACT_COUNT,
};

const struct report report_authentication = {
	.name = "authentication", .summary = "SPF, DKIM and DMARC: results, and by the domain of From: how much passes",
	.moments = REPORT_MESSAGE | REPORT_CHECK, .tally_count = 2, .tallies = tallies, .facts = asked_for, .collect = collect, .show = show,
};
