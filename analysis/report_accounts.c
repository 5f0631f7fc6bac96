/* report_accounts.c - who sends after a login: messages, recipients, bytes by account. */
#include "analysis/report.h"

enum { MESSAGES, RECIPIENTS, BYTES, NUMBERS };

static const struct tally_info tallies[] = { { "accounts", 1, NUMBERS, { TALLY_SUM, TALLY_SUM, TALLY_SUM } } };

static void collect(struct tally **tally, const struct report_row *row)
{
	struct text account = row->session ? facts_text(&row->session->facts, FACT_SESSION_AUTH_AUTHEN) : TEXT_NONE;

	if (row->is_hop || !row->is_accepted || !account.start)
		return;
	tally_add_one(tally[0], account, (uint64_t[NUMBERS]){ 1, row->message->recipient_count, row->size });
}

static const struct listing_column columns[] = {
	{ { "account", "Account", CELL_TEXT, false }, LISTING_PART, 0, 0, "session.auth_authen" },
	{ { "messages", "Messages", CELL_NUMBER, false }, LISTING_NUMBER, MESSAGES, 0, REPORT_ACCEPTED },
	{ { "recipients", "Recipients", CELL_NUMBER, false }, LISTING_NUMBER, RECIPIENTS, 0, "is:recipient -parent:hop -parent:next_host accepted:yes" },
	{ { "bytes", "Bytes", CELL_SIZE, false }, LISTING_NUMBER, BYTES, 0, NULL },
};
static const struct listing listing = { "accounts", "Accounts", sizeof columns / sizeof columns[0], columns, "messages", NULL };

static void show(struct tally *const *tally, const struct report_options *options, report_emit *emit, void *context)
{
	report_show_listing(&listing, tally[0], options, emit, context);
}

static const enum fact asked_for[] = { FACT_SESSION_AUTH_AUTHEN, FACT_COUNT };

const struct report report_accounts = {
	.name = "accounts", .summary = "who sends after a login: messages, recipients and bytes by account",
	.moments = REPORT_MESSAGE, .tally_count = 1, .tallies = tallies, .facts = asked_for, .collect = collect, .show = show,
};
