/* report_accounts.c - who sends after a login: messages, recipients, bytes by account, and how long it took. */
#include "analysis/report.h"

enum { MESSAGES, RECIPIENTS, BYTES, DELIVERED, DELAY, LONGEST, NUMBERS };

static const struct tally_info tallies[] = {
	{ "accounts", 1, NUMBERS, { TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_MOST } },
};

static void collect(struct tally **tally, const struct report_row *row)
{
	const struct way *way = row->message->way;
	uint64_t numbers[NUMBERS] = { [DELIVERED] = row->delivered, [DELAY] = row->delivered_us, [LONGEST] = row->longest_us };
	bool counts = row->is_accepted && !row->is_hop;
	struct text account = TEXT_NONE;

	if (way)
		account = way->account;
	else if (row->session)
		account = facts_text(&row->session->facts, FACT_SESSION_AUTH_AUTHEN);
	if (!account.start || (!counts && !row->delivered))
		return;
	if (counts) {
		numbers[MESSAGES] = 1;
		numbers[RECIPIENTS] = row->message->recipient_count;
		numbers[BYTES] = row->size;
	}
	tally_add_one(tally[0], account, numbers);
}

static const struct listing_column columns[] = {
	{ { "account", "Account", CELL_TEXT, false }, LISTING_PART, 0, 0, "session.auth_authen" },
	{ { "messages", "Messages", CELL_NUMBER, false }, LISTING_NUMBER, MESSAGES, 0, REPORT_ACCEPTED },
	{ { "recipients", "Recipients", CELL_NUMBER, false }, LISTING_NUMBER, RECIPIENTS, 0, "is:recipient -parent:hop -parent:next_host accepted:yes" },
	{ { "bytes", "Bytes", CELL_SIZE, false }, LISTING_NUMBER, BYTES, 0, NULL },
	{ { "delay", "Mean delay", CELL_DURATION, false }, LISTING_MEAN, DELAY, DELIVERED, NULL },
	{ { "longest", "Longest", CELL_DURATION, false }, LISTING_NUMBER, LONGEST, 0, NULL },
};
static const struct listing listing = { "accounts", "Accounts", sizeof columns / sizeof columns[0], columns, "messages", NULL };

static void show(struct tally *const *tally, const struct report_options *options, report_emit *emit, void *context)
{
	report_show_listing(&listing, tally[0], options, emit, context);
}

static const enum fact asked_for[] = { FACT_SESSION_AUTH_AUTHEN, FACT_RECIPIENT_DELAY, FACT_COUNT };

const struct report report_accounts = {
	.name = "accounts", .summary = "who sends after a login: messages, recipients, bytes and delay by account",
	.moments = REPORT_MESSAGE, .tally_count = 1, .tallies = tallies, .facts = asked_for, .collect = collect, .show = show,
};
