/* report_destinations.c - destinations in trouble: what waits for them, how often it was tried, and what they said last. */
#include "analysis/report.h"

enum { QUEUED, TRIES, OLDEST, FAILED, NUMBERS };
enum { SAID, LAST, NUMBERS_REPLY };

static const struct tally_info tallies[] = {
	{ "destinations", 1, NUMBERS, { TALLY_SUM, TALLY_SUM, TALLY_LEAST, TALLY_SUM } },
	{ "destination_replies", 3, NUMBERS_REPLY, { TALLY_SUM, TALLY_MOST } },		/* domain, reason, reply */
};

static void collect(struct tally **tally, const struct report_row *row)
{
	const struct facts *facts = &row->recipient->facts;
	struct text reply = facts_text(facts, FACT_RECIPIENT_REPLY);
	uint64_t numbers[NUMBERS] = { [OLDEST] = UINT64_MAX };
	bool is_given_up = row->fate == FATE_BOUNCED || row->fate == FATE_EXPIRED;

	if (row->is_hop || !row->to_domain.start || (row->fate != FATE_DEFERRED && !is_given_up))
		return;
	if (row->fate == FATE_DEFERRED) {
		numbers[QUEUED] = 1;
		numbers[TRIES] = row->recipient->attempts;
		numbers[OLDEST] = row->message->start_us;
	}
	numbers[FAILED] = is_given_up;
	tally_add_one(tally[0], row->to_domain, numbers);
	if (!reply.start)
		return;
	struct text parts[] = { row->to_domain, report_or_unknown(facts_text(facts, FACT_RECIPIENT_REASON)), reply };

	tally_add(tally[1], parts, (uint64_t[NUMBERS_REPLY]){ 1, row->recipient->last_us });
}

/* The reply of a domain that came last. */
static struct tally_row last_reply(const struct tally *tally, struct text domain)
{
	struct tally_row last = { .numbers = { 0 } };

	for (size_t i = 0; i < tally_count(tally); i++) {
		struct tally_row row = tally_row(tally, i);

		if (text_equal(row.parts[0], domain) && (!last.parts[0].start || row.numbers[LAST] > last.numbers[LAST]))
			last = row;
	}
	return last;
}

static const struct listing_column by_queued[] = {
	{ { "domain", "Domain", CELL_TEXT, false }, LISTING_PART, 0, 0, NULL },
	{ { "queued", "Queued", CELL_NUMBER, false }, LISTING_NUMBER, QUEUED, 0, NULL },
	{ { "tries", "Tries", CELL_NUMBER, false }, LISTING_NUMBER, TRIES, 0, NULL },
	{ { "failed", "Given up", CELL_NUMBER, false }, LISTING_NUMBER, FAILED, 0, NULL },
	{ { "oldest", "Oldest since", CELL_TIME, false }, LISTING_NUMBER, OLDEST, 0, NULL },
};
static const struct listing listing = { "destinations", "", sizeof by_queued / sizeof by_queued[0], by_queued, "queued", NULL };

static const struct table_column columns[] = {
	{ "domain", "Domain", CELL_TEXT, false }, { "queued", "Queued", CELL_NUMBER, false }, { "tries", "Tries", CELL_NUMBER, false },
	{ "failed", "Given up", CELL_NUMBER, false }, { "oldest", "Oldest since", CELL_TIME, false }, { "reason", "Reason", CELL_TEXT, false },
	{ "reply", "Last reply", CELL_TEXT, false },
};

static void put_row(struct table *table, const struct table_row *row, const struct tally *replies)
{
	static const char *const counted[] = {
		NULL, REPORT_RECIPIENTS " fate:deferred", "is:attempt -hop:yes fate:deferred", REPORT_RECIPIENTS " (fate:bounced OR fate:expired)",
	};
	struct tally_row last = last_reply(replies, row->cells[0].text);

	table_begin_row(table);
	table_put_text(table, row->cells[0].text);
	for (unsigned i = 1; i < 5; i++)
		if (i == 4 && !row->cells[1].number)
			table_put_unknown(table);
		else
			table_put_number(table, row->cells[i].number);
	table_put_text(table, last.parts[1]);
	table_put_text(table, last.parts[2]);
	table_put_query(table, "-hop:yes (fate:deferred OR fate:bounced OR fate:expired)");
	report_put_query(table, "to:*@", row->cells[0].text);
	for (unsigned i = 1; i < 4; i++)
		report_put_number_query(table, i, counted[i], "to:*@", row->cells[0].text);
}

static void show(struct tally *const *tally, const struct report_options *options, report_emit *emit, void *context)
{
	struct table *order = NULL, *table;

	report_show_listing(&listing, tally[0], options, report_keep, &order);
	table = table_new("destinations", "Destinations in trouble", columns, sizeof columns / sizeof columns[0]);
	for (size_t i = 0; order && table && i < table_row_count(order); i++)
		put_row(table, table_row(order, i), tally[1]);
	for (size_t i = 0; order && table && i < table_note_count(order); i++)
		table_put_note(table, "%.*s", TEXT_ARGS(table_note(order, i)));
	table_free(order);
	emit(context, table);
}

static const enum fact asked_for[] = { FACT_RECIPIENT_TO, FACT_RECIPIENT_REASON, FACT_RECIPIENT_REPLY, FACT_COUNT };

const struct report report_destinations = {
	.name = "destinations", .summary = "destinations in trouble: what waits, how often it was tried, the last reply",
	.moments = REPORT_RECIPIENT, .is_problem = true, .tally_count = 2, .tallies = tallies, .facts = asked_for, .collect = collect, .show = show,
};
