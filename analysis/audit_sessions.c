/*
 * audit_sessions.c - who connects without mail to give: harvesters, scanners, sessions that never send, mail that breaks off.
 */
#include "analysis/audit.h"

#include <inttypes.h>
#include <stdio.h>

enum { SESSIONS, SENT, NO_USER, BAD_COMMANDS, ENDED_IN_DATA, PIPELINED, GOOD, NUMBERS };

static const struct tally_info tallies[] = {
	{ "session_clients", 1, NUMBERS, { TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM } },
};

/* What ENDED_IN_DATA counts. */
#define BROKEN_OFF "is:session (last_stage:DATA OR last_stage:BDAT OR last_stage:END-OF-MESSAGE) (ended:lost OR ended:timeout)"

static bool is_in_data(struct text stage)
{
	return text_equal_nocase(stage, TEXT_LITERAL("DATA")) || text_equal_nocase(stage, TEXT_LITERAL("BDAT")) ||
	       text_equal_nocase(stage, TEXT_LITERAL("END-OF-MESSAGE"));
}

static void collect_session(uint64_t *numbers, const struct facts *facts)
{
	struct text ended = facts_text(facts, FACT_SESSION_ENDED);
	bool is_lost = text_is(ended, "lost") || text_is(ended, "timeout");

	numbers[SESSIONS] = 1;
	numbers[SENT] = facts_number(facts, FACT_SESSION_DATA_COMMANDS, 0) > 0 || facts_number(facts, FACT_SESSION_MESSAGES, 0) > 0;
	numbers[BAD_COMMANDS] = facts_number(facts, FACT_SESSION_UNKNOWN_COMMANDS, 0);
	numbers[ENDED_IN_DATA] = is_lost && is_in_data(facts_text(facts, FACT_SESSION_LAST_STAGE));
	numbers[PIPELINED] = facts_text(facts, FACT_SESSION_PIPELINING).start != NULL;
}

static void collect(struct tally **tally, const struct report_row *row)
{
	struct text client = row->session ? facts_text(&row->session->facts, FACT_SESSION_CLIENT_ADDR) : TEXT_NONE;
	uint64_t numbers[NUMBERS] = { 0 };

	if (!client.start || row->is_hop)
		return;
	if (row->moment == REPORT_SESSION) {
		collect_session(numbers, &row->session->facts);
	} else {
		numbers[NO_USER] = row->fate == FATE_REJECTED &&
				   text_is(facts_text(&row->recipient->facts, FACT_RECIPIENT_REASON), "userunknown");
		numbers[GOOD] = row->fate != FATE_REJECTED;
	}
	tally_add_one(tally[0], client, numbers);
}

static void put(struct table *table, const struct tally_row *row, enum severity severity, const char *what, uint64_t count, uint64_t all,
		const char *query)
{
	struct audit_finding finding = {
		.severity = severity, .what = what, .source = row->parts[0], .count = count, .all = all, .query = query, .source_field = "client",
	};

	audit_put(table, &finding);
}

static void judge(struct table *table, const struct tally_row *row)
{
	const uint64_t *numbers = row->numbers;

	if (numbers[NO_USER] >= AUDIT_HARVESTED && numbers[NO_USER] > numbers[GOOD])
		put(table, row, numbers[NO_USER] >= AUDIT_HARVESTED_MANY ? SEVERITY_CRITICAL : SEVERITY_WARNING,
		    "tries recipients that do not exist: looks for addresses", numbers[NO_USER], numbers[NO_USER] + numbers[GOOD],
		    "is:recipient -hop:yes fate:rejected recipient.reason:userunknown");
	if (numbers[BAD_COMMANDS] >= AUDIT_UNKNOWN_COMMANDS)
		put(table, row, SEVERITY_WARNING, "speaks commands that are none of SMTP: a scanner", numbers[BAD_COMMANDS], 0, "is:session unknown_commands:>0");
	if (numbers[SESSIONS] >= AUDIT_SILENT && !numbers[SENT])
		put(table, row, SEVERITY_NOTICE, "connects again and again and never sends", numbers[SESSIONS], 0, "is:session");
	if (numbers[ENDED_IN_DATA] >= AUDIT_BROKEN)
		put(table, row, SEVERITY_WARNING, "breaks off in DATA: a timeout, a broken path, or a virus scanner of its own",
		    numbers[ENDED_IN_DATA], numbers[SESSIONS], BROKEN_OFF);
	if (numbers[PIPELINED])
		put(table, row, SEVERITY_NOTICE, "speaks before it is asked", numbers[PIPELINED], numbers[SESSIONS], "is:session pipelining:*");
}

static void show(struct tally *const *tally, const struct report_options *options, report_emit *emit, void *context)
{
	struct table *table = audit_table_new("sessions", "Sessions");

	for (size_t i = 0; table && i < tally_count(tally[0]); i++) {
		struct tally_row row = tally_row(tally[0], i);

		judge(table, &row);
	}
	audit_emit(table, options, emit, context);
}

static const enum fact asked_for[] = {
	FACT_RECIPIENT_REASON, FACT_SESSION_CLIENT_ADDR, FACT_SESSION_DATA_COMMANDS, FACT_SESSION_ENDED,
	FACT_SESSION_LAST_STAGE, FACT_SESSION_MESSAGES, FACT_SESSION_PIPELINING, FACT_SESSION_UNKNOWN_COMMANDS, FACT_COUNT,
};

const struct report audit_sessions = {
	.name = "sessions", .summary = "harvesters, scanners, sessions that never send, mail that breaks off in DATA",
	.moments = REPORT_SESSION | REPORT_RECIPIENT, .tally_count = 1, .tallies = tallies, .facts = asked_for, .collect = collect, .show = show,
};
