/* report_bounces.c - what was given up after it had been accepted: by class, code and domain. */
#include "analysis/report.h"

enum { FAILED, NUMBERS };
enum { REASON, DSN, DOMAIN_PART };

static const struct tally_info tallies[] = { { "bounces", 3, NUMBERS, { TALLY_SUM } } };

static void collect(struct tally **tally, const struct report_row *row)
{
	const struct facts *facts = &row->recipient->facts;

	if (row->is_hop || (row->fate != FATE_BOUNCED && row->fate != FATE_EXPIRED))
		return;
	struct text parts[] = {
		[REASON] = row->fate == FATE_EXPIRED ? TEXT_LITERAL("expired") : report_or_unknown(facts_text(facts, FACT_RECIPIENT_REASON)),
		[DSN] = report_or_unknown(facts_text(facts, FACT_RECIPIENT_DSN)), [DOMAIN_PART] = report_or_unknown(row->to_domain),
	};

	tally_add(tally[0], parts, (uint64_t[NUMBERS]){ 1 });
}

static const struct listing_column columns[] = {
	{ { "reason", "Reason", CELL_TEXT, false }, LISTING_PART, REASON, 0, REPORT_FIELD_FAILURE },
	{ { "dsn", "Status", CELL_TEXT, false }, LISTING_PART, DSN, 0, "recipient.dsn" },
	{ { "domain", "Domain", CELL_TEXT, false }, LISTING_PART, DOMAIN_PART, 0, "to:*@" },
	{ { "failed", "Given up", CELL_NUMBER, false }, LISTING_NUMBER, FAILED, 0, NULL },
	{ { "share", "Share", CELL_SHARE, false }, LISTING_OF_ALL, FAILED, 0, NULL },
};
static const struct listing listing = {
	"bounces", "Bounced and expired", sizeof columns / sizeof columns[0], columns, "failed", "-hop:yes",
};

static void show(struct tally *const *tally, const struct report_options *options, report_emit *emit, void *context)
{
	report_show_listing(&listing, tally[0], options, emit, context);
}

static const enum fact asked_for[] = { FACT_RECIPIENT_TO, FACT_RECIPIENT_REASON, FACT_RECIPIENT_DSN, FACT_COUNT };

const struct report report_bounces = {
	.name = "bounces", .summary = "what was given up after it had been accepted: by class, code and domain",
	.moments = REPORT_RECIPIENT, .is_problem = true, .tally_count = 1, .tallies = tallies, .facts = asked_for, .collect = collect, .show = show,
};
