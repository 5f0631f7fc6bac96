/* report_queue.c - what is in the queue: each recipient that waits, why, since when and after how many tries. */
#include "analysis/report.h"

enum { SIZE, TRIES, SINCE, NUMBERS };
enum { QUEUE_ID, TO, FATE_PART, REPLY };

static const struct tally_info tallies[] = {
	{ "queue", 4, NUMBERS, { TALLY_MOST, TALLY_MOST, TALLY_LEAST } },
};

static void collect(struct tally **tally, const struct report_row *row)
{
	bool waits = row->fate == FATE_DEFERRED || row->fate == FATE_HELD || row->fate == FATE_UNKNOWN;
	struct text queue_id = facts_text(&row->message->facts, FACT_MESSAGE_QUEUE_ID);

	if (!waits || row->message->is_complete || !queue_id.start)
		return;
	struct text reply = facts_text(&row->recipient->facts, FACT_RECIPIENT_REPLY);
	struct text parts[] = {
		[QUEUE_ID] = queue_id, [TO] = row->to.start ? row->to : TEXT_LITERAL(""), [FATE_PART] = text_of(fate_name(row->fate)),
		[REPLY] = reply.start ? reply : TEXT_LITERAL(""),
	};

	tally_add(tally[0], parts, (uint64_t[NUMBERS]){ row->size, row->recipient->attempts, row->message->start_us });
}

static const struct listing_column columns[] = {
	{ { "queue_id", "Queue id", CELL_TEXT, false }, LISTING_PART, QUEUE_ID, 0, "queue_id" },
	{ { "to", "Recipient", CELL_TEXT, false }, LISTING_PART, TO, 0, "to" },
	{ { "fate", "State", CELL_TEXT, true }, LISTING_PART, FATE_PART, 0, NULL },
	{ { "size", "Size", CELL_SIZE, false }, LISTING_NUMBER, SIZE, 0, NULL },
	{ { "tries", "Tries", CELL_NUMBER, false }, LISTING_NUMBER, TRIES, 0, "is:attempt" },
	{ { "since", "Since", CELL_TIME, false }, LISTING_NUMBER, SINCE, 0, NULL },
	{ { "reply", "Last reply", CELL_TEXT, false }, LISTING_PART, REPLY, 0, NULL },
};
static const struct listing listing = { "queue", "In the queue", sizeof columns / sizeof columns[0], columns, "tries", NULL };

static void show(struct tally *const *tally, const struct report_options *options, report_emit *emit, void *context)
{
	report_show_listing(&listing, tally[0], options, emit, context);
}

static const enum fact asked_for[] = { FACT_MESSAGE_QUEUE_ID, FACT_RECIPIENT_TO, FACT_RECIPIENT_REPLY, FACT_COUNT };

const struct report report_queue = {
	.name = "queue", .summary = "what is in the queue: who waits, why, since when, after how many tries",
	.moments = REPORT_RECIPIENT, .is_problem = true, .tally_count = 1, .tallies = tallies, .facts = asked_for, .collect = collect, .show = show,
};
