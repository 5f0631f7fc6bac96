/* report_recipients.c - who receives: what became of the mail of each recipient. */
#include "analysis/report.h"

enum { ALL, DELIVERED, DEFERRED, FAILED, REJECTED, BYTES, DELAY, LONGEST, NUMBERS };

static const struct tally_info tallies[] = {
	{ "recipients", 1, NUMBERS, { TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_MOST } },
};

static void collect(struct tally **tally, const struct report_row *row)
{
	uint64_t numbers[NUMBERS] = { [ALL] = 1 };

	if (row->is_hop || !row->to.start)
		return;
	numbers[DELIVERED] = row->fate == FATE_DELIVERED;
	numbers[DEFERRED] = row->fate == FATE_DEFERRED;
	numbers[FAILED] = row->fate == FATE_BOUNCED || row->fate == FATE_EXPIRED;
	numbers[REJECTED] = row->fate == FATE_REJECTED;
	if (numbers[DELIVERED]) {
		numbers[BYTES] = row->size;
		numbers[DELAY] = numbers[LONGEST] = row->delay_us;
	}
	tally_add_one(tally[0], row->to, numbers);
}

static const struct listing_column columns[] = {
	{ { "to", "Recipient", CELL_TEXT, false }, LISTING_PART, 0, 0, "to" },
	{ { "count", "Messages", CELL_NUMBER, false }, LISTING_NUMBER, ALL, 0, REPORT_RECIPIENTS },
	{ { "delivered", "Delivered", CELL_NUMBER, false }, LISTING_NUMBER, DELIVERED, 0, REPORT_RECIPIENTS " fate:delivered" },
	{ { "deferred", "Deferred", CELL_NUMBER, false }, LISTING_NUMBER, DEFERRED, 0, REPORT_RECIPIENTS " fate:deferred" },
	{ { "failed", "Failed", CELL_NUMBER, false }, LISTING_NUMBER, FAILED, 0, REPORT_RECIPIENTS " (fate:bounced OR fate:expired)" },
	{ { "rejected", "Rejected", CELL_NUMBER, false }, LISTING_NUMBER, REJECTED, 0, REPORT_RECIPIENTS " fate:rejected" },
	{ { "bytes", "Bytes", CELL_SIZE, false }, LISTING_NUMBER, BYTES, 0, NULL },
	{ { "delay", "Mean delay", CELL_DURATION, false }, LISTING_MEAN, DELAY, DELIVERED, NULL },
	{ { "longest", "Longest", CELL_DURATION, false }, LISTING_NUMBER, LONGEST, 0, NULL },
};
static const struct listing listing = { "recipients", "Recipients", sizeof columns / sizeof columns[0], columns, "count", "-hop:yes" };

static void show(struct tally *const *tally, const struct report_options *options, report_emit *emit, void *context)
{
	report_show_listing(&listing, tally[0], options, emit, context);
}

static const enum fact asked_for[] = { FACT_RECIPIENT_TO, FACT_RECIPIENT_DELAY, FACT_COUNT };

const struct report report_recipients = {
	.name = "recipients", .summary = "who receives: what became of the mail of each recipient, and how long it took",
	.moments = REPORT_RECIPIENT, .tally_count = 1, .tallies = tallies, .facts = asked_for, .collect = collect, .show = show,
};
