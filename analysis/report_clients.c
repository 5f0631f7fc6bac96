/* report_clients.c - who connects: sessions, messages, refusals and failed logins by the client's address. */
#include "analysis/report.h"

enum { SESSIONS, MESSAGES, REJECTED, AUTH_FAILED, BYTES, NUMBERS };

static const struct tally_info tallies[] = {
	{ "clients", 1, NUMBERS, { TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM } },
};

static void collect(struct tally **tally, const struct report_row *row)
{
	uint64_t numbers[NUMBERS] = { 0 };
	struct text client = row->session ? facts_text(&row->session->facts, FACT_SESSION_CLIENT_ADDR)
		: row->login ? facts_text(&row->login->facts, FACT_LOGIN_CLIENT_ADDR) : TEXT_NONE;

	if (!client.start || row->is_hop)
		return;
	switch (row->moment) {
	case REPORT_SESSION:
		numbers[SESSIONS] = 1;
		break;
	case REPORT_MESSAGE:
		numbers[MESSAGES] = row->is_accepted;
		numbers[BYTES] = row->is_accepted ? row->size : 0;
		break;
	case REPORT_RECIPIENT:
		numbers[REJECTED] = row->fate == FATE_REJECTED;
		break;
	case REPORT_LOGIN:
		/* Of one that logged in at its mailbox, and does nothing else, there is nothing to say. */
		if (!text_is(facts_text(&row->login->facts, FACT_LOGIN_OUTCOME), "failed"))
			return;
		numbers[AUTH_FAILED] = 1;
		break;
	case REPORT_ATTEMPT:
	case REPORT_CHECK:
	case REPORT_LOGOUT:
	case REPORT_LINE:
		return;
	}
	tally_add_one(tally[0], client, numbers);
}

static const struct listing_column columns[] = {
	{ { "client", "Client", CELL_TEXT, false }, LISTING_PART, 0, 0, "client" },
	{ { "sessions", "Sessions", CELL_NUMBER, false }, LISTING_NUMBER, SESSIONS, 0, "is:session" },
	{ { "messages", "Messages", CELL_NUMBER, false }, LISTING_NUMBER, MESSAGES, 0, REPORT_ACCEPTED },
	{ { "bytes", "Bytes", CELL_SIZE, false }, LISTING_NUMBER, BYTES, 0, NULL },
	{ { "rejected", "Rejected", CELL_NUMBER, false }, LISTING_NUMBER, REJECTED, 0, REPORT_RECIPIENTS " fate:rejected" },
	{ { "auth_failed", "Logins failed", CELL_NUMBER, false }, LISTING_NUMBER, AUTH_FAILED, 0, "is:login outcome:failed" },
};
static const struct listing listing = { "clients", "Clients", sizeof columns / sizeof columns[0], columns, "sessions", NULL };

static void show(struct tally *const *tally, const struct report_options *options, report_emit *emit, void *context)
{
	report_show_listing(&listing, tally[0], options, emit, context);
}

static const enum fact asked_for[] = { FACT_SESSION_CLIENT_ADDR, FACT_LOGIN_CLIENT_ADDR, FACT_LOGIN_OUTCOME, FACT_COUNT };

const struct report report_clients = {
	.name = "clients", .summary = "who connects: sessions, messages, refusals and failed logins by address",
	.moments = REPORT_SESSION | REPORT_MESSAGE | REPORT_RECIPIENT | REPORT_LOGIN, .tally_count = 1, .tallies = tallies,
	.facts = asked_for, .collect = collect, .show = show,
};
