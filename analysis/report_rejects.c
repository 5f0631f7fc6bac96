/* report_rejects.c - what was refused while the client was there: by class, code, rule and stage. */
#include "analysis/report.h"

#include <inttypes.h>
#include <stdio.h>

enum { REJECTED, NUMBERS };
enum { REASON, CODE, STAGE, BY };

static const struct tally_info tallies[] = {
	{ "rejects", 4, NUMBERS, { TALLY_SUM } },
	{ "reject_rules", 2, NUMBERS, { TALLY_SUM } },
};

static void collect(struct tally **tally, const struct report_row *row)
{
	const struct facts *facts = &row->recipient->facts;
	struct text rule = facts_text(facts, FACT_RECIPIENT_RULE);
	uint64_t code = facts_number(facts, FACT_RECIPIENT_REPLY_CODE, 0);
	char words[24];

	if (row->is_hop || row->fate != FATE_REJECTED)
		return;
	(void)snprintf(words, sizeof words, "%" PRIu64, code);
	struct text parts[] = {
		[REASON] = report_or_unknown(facts_text(facts, FACT_RECIPIENT_REASON)),
		[CODE] = code ? text_of(words) : report_or_unknown(facts_text(facts, FACT_RECIPIENT_DSN)),
		[STAGE] = report_or_unknown(facts_text(facts, FACT_RECIPIENT_STAGE)), [BY] = report_or_unknown(facts_text(facts, FACT_RECIPIENT_BY)),
	};

	tally_add(tally[0], parts, (uint64_t[NUMBERS]){ 1 });
	if (rule.start)
		tally_add_two(tally[1], rule, parts[BY], (uint64_t[NUMBERS]){ 1 });
}

static const struct listing_column columns[] = {
	{ { "reason", "Reason", CELL_TEXT, false }, LISTING_PART, REASON, 0, "recipient.reason" },
	{ { "code", "Code", CELL_TEXT, false }, LISTING_PART, CODE, 0, REPORT_FIELD_CODE },
	{ { "stage", "Stage", CELL_TEXT, false }, LISTING_PART, STAGE, 0, "recipient.stage" },
	{ { "by", "By", CELL_TEXT, false }, LISTING_PART, BY, 0, "recipient.by" },
	{ { "rejected", "Rejected", CELL_NUMBER, false }, LISTING_NUMBER, REJECTED, 0, NULL },
	{ { "share", "Share", CELL_SHARE, false }, LISTING_OF_ALL, REJECTED, 0, NULL },
};
static const struct listing listing = {
	"rejects", "Refused, by reason", sizeof columns / sizeof columns[0], columns, "rejected", "fate:rejected -hop:yes",
};
static const struct listing_column rule_columns[] = {
	{ { "rule", "Rule", CELL_TEXT, false }, LISTING_PART, 0, 0, "rule" },
	{ { "by", "By", CELL_TEXT, false }, LISTING_PART, 1, 0, "recipient.by" },
	{ { "rejected", "Rejected", CELL_NUMBER, false }, LISTING_NUMBER, REJECTED, 0, NULL },
	{ { "share", "Share", CELL_SHARE, false }, LISTING_OF_ALL, REJECTED, 0, NULL },
};
static const struct listing rule_listing = {
	"reject_rules", "Refused, by rule", sizeof rule_columns / sizeof rule_columns[0], rule_columns, "rejected", "fate:rejected -hop:yes",
};

static void show(struct tally *const *tally, const struct report_options *options, report_emit *emit, void *context)
{
	report_show_listing(&listing, tally[0], options, emit, context);
	report_show_listing(&rule_listing, tally[1], options, emit, context);
}

static const enum fact asked_for[] = {
	FACT_RECIPIENT_RULE, FACT_RECIPIENT_REPLY_CODE, FACT_RECIPIENT_REASON, FACT_RECIPIENT_DSN, FACT_RECIPIENT_STAGE,
	FACT_RECIPIENT_BY, FACT_COUNT,
};

const struct report report_rejects = {
	.name = "rejects", .summary = "what was refused while the client was there: by class, code, stage and rule",
	.moments = REPORT_RECIPIENT, .is_problem = true, .tally_count = 2, .tallies = tallies, .facts = asked_for, .collect = collect, .show = show,
};
