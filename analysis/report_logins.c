/* report_logins.c - who logged in, and who failed to: by service and method, by account. */
#include "analysis/report.h"

enum { PASSED, FAILED, ABORTED, NUMBERS };

static const struct tally_info tallies[] = {
	{ "login_methods", 2, NUMBERS, { TALLY_SUM, TALLY_SUM, TALLY_SUM } },
	{ "login_accounts", 1, NUMBERS, { TALLY_SUM, TALLY_SUM, TALLY_SUM } },
	{ "login_clients", 1, NUMBERS, { TALLY_SUM, TALLY_SUM, TALLY_SUM } },
};

static void collect(struct tally **tally, const struct report_row *row)
{
	const struct facts *facts = &row->login->facts;
	struct text outcome = facts_text(facts, FACT_LOGIN_OUTCOME);
	uint64_t numbers[NUMBERS] = {
		[PASSED] = text_is(outcome, "passed"), [FAILED] = text_is(outcome, "failed"), [ABORTED] = text_is(outcome, "aborted"),
	};

	tally_add_two(tally[0], report_or_unknown(facts_text(facts, FACT_LOGIN_SERVICE)), report_or_unknown(facts_text(facts, FACT_LOGIN_AUTH_TYPE)), numbers);
	tally_add_one(tally[1], report_or_unknown(facts_text(facts, FACT_LOGIN_AUTH_AUTHEN)), numbers);
	tally_add_one(tally[2], report_or_unknown(facts_text(facts, FACT_LOGIN_CLIENT_ADDR)), numbers);
}

#define OUTCOMES \
	{ { "passed", "Passed", CELL_NUMBER, false }, LISTING_NUMBER, PASSED, 0, "is:login outcome:passed" }, \
	{ { "failed", "Failed", CELL_NUMBER, false }, LISTING_NUMBER, FAILED, 0, "is:login outcome:failed" }, \
	{ { "aborted", "Aborted", CELL_NUMBER, false }, LISTING_NUMBER, ABORTED, 0, "is:login outcome:aborted" },

static const struct listing_column method_columns[] = {
	{ { "service", "Service", CELL_TEXT, false }, LISTING_PART, 0, 0, "service" },
	{ { "method", "Method", CELL_TEXT, false }, LISTING_PART, 1, 0, "login.auth_type" }, OUTCOMES
};
static const struct listing_column account_columns[] = {
	{ { "account", "Account", CELL_TEXT, false }, LISTING_PART, 0, 0, "login.auth_authen" }, OUTCOMES
};
static const struct listing_column client_columns[] = {
	{ { "client", "Client", CELL_TEXT, false }, LISTING_PART, 0, 0, "login.client_addr" }, OUTCOMES
};
#undef OUTCOMES

static const struct listing listings[] = {
	{ "login_methods", "Logins by service", sizeof method_columns / sizeof method_columns[0], method_columns, "passed", "is:login" },
	{ "login_accounts", "Logins by account", sizeof account_columns / sizeof account_columns[0], account_columns, "failed", "is:login" },
	{ "login_clients", "Logins by client", sizeof client_columns / sizeof client_columns[0], client_columns, "failed", "is:login" },
};

static void show(struct tally *const *tally, const struct report_options *options, report_emit *emit, void *context)
{
	for (unsigned i = 0; i < sizeof listings / sizeof listings[0]; i++)
		report_show_listing(&listings[i], tally[i], options, emit, context);
}

static const enum fact asked_for[] = {
	FACT_LOGIN_OUTCOME, FACT_LOGIN_SERVICE, FACT_LOGIN_AUTH_TYPE, FACT_LOGIN_AUTH_AUTHEN, FACT_LOGIN_CLIENT_ADDR,
	FACT_COUNT,
};

const struct report report_logins = {
	.name = "logins", .summary = "who logged in and who failed to: by service, account and client",
	.moments = REPORT_LOGIN, .tally_count = 3, .tallies = tallies, .facts = asked_for, .collect = collect, .show = show,
};
