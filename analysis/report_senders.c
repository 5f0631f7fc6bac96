/* report_senders.c - who sends: messages, their size and recipients, and how long it took, by envelope sender. */
#include "analysis/report.h"

enum { MESSAGES, RECIPIENTS, BYTES, REFUSED, DELIVERED, DELAY, LONGEST, NUMBERS };

static const struct tally_info tallies[] = {
	{ "senders", 1, NUMBERS, { TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_MOST } },
};

static void collect(struct tally **tally, const struct report_row *row)
{
	uint64_t numbers[NUMBERS] = { 0 };

	if (!row->from.start || (row->is_hop && !row->delivered))
		return;
	numbers[DELIVERED] = row->delivered;
	numbers[DELAY] = row->delivered_us;
	numbers[LONGEST] = row->longest_us;
	if (row->is_accepted && !row->is_hop) {
		numbers[MESSAGES] = 1;
		numbers[RECIPIENTS] = row->message->recipient_count;
		numbers[BYTES] = row->size;
	} else if (!row->is_hop) {
		numbers[REFUSED] = 1;
	}
	tally_add_one(tally[0], row->from, numbers);
}

static const struct listing_column columns[] = {
	{ { "from", "Sender", CELL_TEXT, false }, LISTING_PART, 0, 0, "from" },
	{ { "messages", "Messages", CELL_NUMBER, false }, LISTING_NUMBER, MESSAGES, 0, REPORT_ACCEPTED },
	{ { "recipients", "Recipients", CELL_NUMBER, false }, LISTING_NUMBER, RECIPIENTS, 0, "is:recipient -parent:hop -parent:next_host accepted:yes" },
	{ { "bytes", "Bytes", CELL_SIZE, false }, LISTING_NUMBER, BYTES, 0, NULL },
	{ { "refused", "Refused", CELL_NUMBER, false }, LISTING_NUMBER, REFUSED, 0, REPORT_MESSAGES " accepted:no" },
	{ { "delay", "Mean delay", CELL_DURATION, false }, LISTING_MEAN, DELAY, DELIVERED, NULL },
	{ { "longest", "Longest", CELL_DURATION, false }, LISTING_NUMBER, LONGEST, 0, NULL },
};
static const struct listing listing = { "senders", "Senders", sizeof columns / sizeof columns[0], columns, "messages", NULL };

static void show(struct tally *const *tally, const struct report_options *options, report_emit *emit, void *context)
{
	report_show_listing(&listing, tally[0], options, emit, context);
}

static const enum fact asked_for[] = { FACT_MESSAGE_FROM, FACT_RECIPIENT_DELAY, FACT_COUNT };

const struct report report_senders = {
	.name = "senders", .summary = "who sends: messages, recipients, bytes and delay by envelope sender",
	.moments = REPORT_MESSAGE, .tally_count = 1, .tallies = tallies, .facts = asked_for, .collect = collect, .show = show,
};
