/* report_domains.c - domains of senders and of recipients. */
#include "analysis/report.h"

enum { FROM, FROM_BYTES, FROM_DELIVERED, FROM_DELAY, FROM_LONGEST, NUMBERS_FROM };
enum { TO, DELIVERED, DEFERRED, FAILED, REJECTED, TO_BYTES, DELAY, LONGEST, NUMBERS_TO };

static const struct tally_info tallies[] = {
	{ "from_domains", 1, NUMBERS_FROM, { TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_MOST } },
	{ "to_domains", 1, NUMBERS_TO, { TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_MOST } },
};

static void collect_message(struct tally *tally, const struct report_row *row)
{
	bool counts = row->is_accepted && !row->is_hop;

	if (row->from_domain.start && (counts || row->delivered))
		tally_add_one(tally, row->from_domain, (uint64_t[NUMBERS_FROM]){ counts, counts ? row->size : 0, row->delivered,
										row->delivered_us, row->longest_us });
}

static void collect_recipient(struct tally *tally, const struct report_row *row)
{
	uint64_t numbers[NUMBERS_TO] = { [TO] = 1 };

	if (row->is_hop || !row->to_domain.start)
		return;
	numbers[DELIVERED] = row->fate == FATE_DELIVERED;
	numbers[DEFERRED] = row->fate == FATE_DEFERRED;
	numbers[FAILED] = row->fate == FATE_BOUNCED || row->fate == FATE_EXPIRED;
	numbers[REJECTED] = row->fate == FATE_REJECTED;
	numbers[TO_BYTES] = numbers[DELIVERED] ? row->size : 0;
	numbers[DELAY] = numbers[LONGEST] = row->delay_us;
	tally_add_one(tally, row->to_domain, numbers);
}

static void collect(struct tally **tally, const struct report_row *row)
{
	if (row->moment == REPORT_RECIPIENT)
		collect_recipient(tally[1], row);
	else
		collect_message(tally[0], row);
}

static const struct listing_column from_columns[] = {
	{ { "domain", "Domain", CELL_TEXT, false }, LISTING_PART, 0, 0, "from:*@" },
	{ { "messages", "Messages", CELL_NUMBER, false }, LISTING_NUMBER, FROM, 0, REPORT_ACCEPTED },
	{ { "bytes", "Bytes", CELL_SIZE, false }, LISTING_NUMBER, FROM_BYTES, 0, NULL },
	{ { "delay", "Mean delay", CELL_DURATION, false }, LISTING_MEAN, FROM_DELAY, FROM_DELIVERED, NULL },
	{ { "longest", "Longest", CELL_DURATION, false }, LISTING_NUMBER, FROM_LONGEST, 0, NULL },
};
static const struct listing from_listing = {
	"from_domains", "Domains of senders", sizeof from_columns / sizeof from_columns[0], from_columns, "messages", NULL,
};
static const struct listing_column to_columns[] = {
	{ { "domain", "Domain", CELL_TEXT, false }, LISTING_PART, 0, 0, "to:*@" },
	{ { "recipients", "Recipients", CELL_NUMBER, false }, LISTING_NUMBER, TO, 0, REPORT_RECIPIENTS },
	{ { "delivered", "Delivered", CELL_NUMBER, false }, LISTING_NUMBER, DELIVERED, 0, REPORT_RECIPIENTS " fate:delivered" },
	{ { "deferred", "Deferred", CELL_NUMBER, false }, LISTING_NUMBER, DEFERRED, 0, REPORT_RECIPIENTS " fate:deferred" },
	{ { "failed", "Failed", CELL_NUMBER, false }, LISTING_NUMBER, FAILED, 0, REPORT_RECIPIENTS " (fate:bounced OR fate:expired)" },
	{ { "rejected", "Rejected", CELL_NUMBER, false }, LISTING_NUMBER, REJECTED, 0, REPORT_RECIPIENTS " fate:rejected" },
	{ { "bytes", "Bytes", CELL_SIZE, false }, LISTING_NUMBER, TO_BYTES, 0, NULL },
	{ { "delay", "Mean delay", CELL_DURATION, false }, LISTING_MEAN, DELAY, DELIVERED, NULL },
	{ { "longest", "Longest", CELL_DURATION, false }, LISTING_NUMBER, LONGEST, 0, NULL },
};
static const struct listing to_listing = {
	"to_domains", "Domains of recipients", sizeof to_columns / sizeof to_columns[0], to_columns, "recipients", "-hop:yes",
};

static void show(struct tally *const *tally, const struct report_options *options, report_emit *emit, void *context)
{
	report_show_listing(&from_listing, tally[0], options, emit, context);
	report_show_listing(&to_listing, tally[1], options, emit, context);
}

static const enum fact asked_for[] = { FACT_MESSAGE_FROM, FACT_RECIPIENT_TO, FACT_RECIPIENT_DELAY, FACT_COUNT };

const struct report report_domains = {
	.name = "domains", .summary = "domains of senders and of recipients: messages, bytes, what became of them, and how long it took",
	.moments = REPORT_MESSAGE | REPORT_RECIPIENT, .tally_count = 2, .tallies = tallies, .facts = asked_for, .collect = collect, .show = show,
};
