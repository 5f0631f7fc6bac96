/* report_relays.c - where mail goes: attempts, their outcome and delay by next hop. */
#include "analysis/report.h"

enum { ATTEMPTS, SENT, DEFERRED, BOUNCED, BYTES, DELAY, LONGEST, NUMBERS };

static const struct tally_info tallies[] = {
	{ "relays", 1, NUMBERS, { TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_MOST } },
};

static void collect(struct tally **tally, const struct report_row *row)
{
	struct text relay = facts_text(&row->attempt->facts, FACT_ATTEMPT_RELAY_NAME);
	struct text status = facts_text(&row->attempt->facts, FACT_ATTEMPT_STATUS);
	uint64_t numbers[NUMBERS] = { [ATTEMPTS] = 1 };

	if (!relay.start)
		return;
	numbers[SENT] = text_is(status, "sent");
	numbers[DEFERRED] = text_is(status, "deferred");
	numbers[BOUNCED] = text_is(status, "bounced");
	if (numbers[SENT]) {
		numbers[BYTES] = row->size;
		numbers[DELAY] = numbers[LONGEST] = facts_number(&row->attempt->facts, FACT_ATTEMPT_DELAY, 0);
	}
	tally_add_one(tally[0], relay, numbers);
}

static const struct listing_column columns[] = {
	{ { "relay", "Relay", CELL_TEXT, false }, LISTING_PART, 0, 0, "relay_name" },
	{ { "attempts", "Attempts", CELL_NUMBER, false }, LISTING_NUMBER, ATTEMPTS, 0, "is:attempt" },
	{ { "sent", "Sent", CELL_NUMBER, false }, LISTING_NUMBER, SENT, 0, "is:attempt status:sent" },
	{ { "deferred", "Deferred", CELL_NUMBER, false }, LISTING_NUMBER, DEFERRED, 0, "is:attempt status:deferred" },
	{ { "bounced", "Bounced", CELL_NUMBER, false }, LISTING_NUMBER, BOUNCED, 0, "is:attempt status:bounced" },
	{ { "bytes", "Bytes", CELL_SIZE, false }, LISTING_NUMBER, BYTES, 0, NULL },
	{ { "delay", "Mean delay", CELL_DURATION, false }, LISTING_MEAN, DELAY, SENT, NULL },
	{ { "longest", "Longest", CELL_DURATION, false }, LISTING_NUMBER, LONGEST, 0, NULL },
};
static const struct listing listing = { "relays", "Next hops", sizeof columns / sizeof columns[0], columns, "attempts", NULL };

static void show(struct tally *const *tally, const struct report_options *options, report_emit *emit, void *context)
{
	report_show_listing(&listing, tally[0], options, emit, context);
}

static const enum fact asked_for[] = { FACT_ATTEMPT_RELAY_NAME, FACT_ATTEMPT_STATUS, FACT_ATTEMPT_DELAY, FACT_COUNT };

const struct report report_relays = {
	.name = "relays", .summary = "where mail goes: attempts, outcome and delay by next hop",
	.moments = REPORT_ATTEMPT, .tally_count = 1, .tallies = tallies, .facts = asked_for, .collect = collect, .show = show,
};
