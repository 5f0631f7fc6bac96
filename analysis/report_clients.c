/* report_clients.c - who connects: sessions, messages and their delay, refusals and failed logins by the client's address. */
#include "analysis/report.h"

enum { SESSIONS, MESSAGES, REJECTED, AUTH_FAILED, BYTES, DELIVERED, DELAY, LONGEST, NUMBERS };

static const struct tally_info tallies[] = {
	{ "clients", 1, NUMBERS, { TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_MOST } },
};

static struct text client_of(const struct session *session)
{
	return session ? facts_text(&session->facts, FACT_SESSION_CLIENT_ADDR) : TEXT_NONE;
}

/* What a content filter gave back came to us from whoever gave it to us first. */
static void collect_message(struct tally *tally, const struct report_row *row)
{
	const struct way *way = row->message->way;
	bool counts = row->is_accepted && !row->is_hop;
	uint64_t numbers[NUMBERS] = { [MESSAGES] = counts, [BYTES] = counts ? row->size : 0, [REJECTED] = row->rejected };
	uint64_t delivered[NUMBERS] = { [DELIVERED] = row->delivered, [DELAY] = row->delivered_us, [LONGEST] = row->longest_us };
	struct text client = client_of(row->session);

	if (way && row->delivered && way->client_addr.start)
		tally_add_one(tally, way->client_addr, delivered);
	else if (!way && row->delivered)
		memcpy(numbers + DELIVERED, delivered + DELIVERED, sizeof numbers - DELIVERED * sizeof *numbers);
	if (client.start && (counts || row->rejected || numbers[DELIVERED]))
		tally_add_one(tally, client, numbers);
}

/* Of one that logged in at its mailbox, and does nothing else, there is nothing to say. */
static void collect_login(struct tally *tally, const struct facts *login)
{
	struct text client = facts_text(login, FACT_LOGIN_CLIENT_ADDR);

	if (client.start && text_is(facts_text(login, FACT_LOGIN_OUTCOME), "failed"))
		tally_add_one(tally, client, (uint64_t[NUMBERS]){ [AUTH_FAILED] = 1 });
}

static void collect(struct tally **tally, const struct report_row *row)
{
	struct text client;

	switch (row->moment) {
	case REPORT_SESSION:
		client = client_of(row->session);
		if (client.start)
			tally_add_one(tally[0], client, (uint64_t[NUMBERS]){ [SESSIONS] = 1 });
		break;
	case REPORT_MESSAGE:
		collect_message(tally[0], row);
		break;
	case REPORT_LOGIN:
		collect_login(tally[0], &row->login->facts);
		break;
	case REPORT_RECIPIENT:
	case REPORT_ATTEMPT:
	case REPORT_CHECK:
	case REPORT_LOGOUT:
	case REPORT_LINE:
		break;
	}
}

static const struct listing_column columns[] = {
	{ { "client", "Client", CELL_TEXT, false }, LISTING_PART, 0, 0, "client" },
	{ { "sessions", "Sessions", CELL_NUMBER, false }, LISTING_NUMBER, SESSIONS, 0, "is:session" },
	{ { "messages", "Messages", CELL_NUMBER, false }, LISTING_NUMBER, MESSAGES, 0, REPORT_ACCEPTED },
	{ { "bytes", "Bytes", CELL_SIZE, false }, LISTING_NUMBER, BYTES, 0, NULL },
	{ { "rejected", "Rejected", CELL_NUMBER, false }, LISTING_NUMBER, REJECTED, 0, REPORT_RECIPIENTS " fate:rejected" },
	{ { "auth_failed", "Logins failed", CELL_NUMBER, false }, LISTING_NUMBER, AUTH_FAILED, 0, "is:login outcome:failed" },
	{ { "delay", "Mean delay", CELL_DURATION, false }, LISTING_MEAN, DELAY, DELIVERED, NULL },
	{ { "longest", "Longest", CELL_DURATION, false }, LISTING_NUMBER, LONGEST, 0, NULL },
};
static const struct listing listing = { "clients", "Clients", sizeof columns / sizeof columns[0], columns, "sessions", NULL };

static void show(struct tally *const *tally, const struct report_options *options, report_emit *emit, void *context)
{
	report_show_listing(&listing, tally[0], options, emit, context);
}

static const enum fact asked_for[] = { FACT_SESSION_CLIENT_ADDR, FACT_LOGIN_CLIENT_ADDR, FACT_LOGIN_OUTCOME, FACT_RECIPIENT_DELAY, FACT_COUNT };

const struct report report_clients = {
	.name = "clients", .summary = "who connects: sessions, messages and their delay, refusals and failed logins by address",
	.moments = REPORT_SESSION | REPORT_MESSAGE | REPORT_LOGIN, .tally_count = 1, .tallies = tallies,
	.facts = asked_for, .collect = collect, .show = show,
};
