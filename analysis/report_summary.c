/* report_summary.c - the whole in a few lines: sessions, messages, and what became of every recipient. */
#include "analysis/report.h"

enum { COUNT, BYTES, NUMBERS };

static const struct tally_info tallies[] = { { "summary", 1, NUMBERS, { TALLY_SUM, TALLY_SUM } } };

/* The rows in their order: what is counted, its words, and the query behind it. Fates follow. */
enum line {
	SESSIONS, SESSIONS_LOST, MESSAGES, NOTICES, HOPS, RECIPIENTS, REJECTED_SCREENED, DELIVERED_LATE, LOGINS, LOGINS_FAILED, LINES,
};
static const struct {
	const char *name, *words, *query;
	bool has_bytes;
} lines[LINES] = {
	[SESSIONS] = { "sessions", "Sessions", "is:session", false },
	[SESSIONS_LOST] = { "sessions_lost", "of which lost or timed out", "is:session (ended:lost OR ended:timeout)", false },
	[MESSAGES] = { "messages", "Messages accepted", REPORT_ACCEPTED, true },
	[NOTICES] = { "notices", "of which notices of the MTA", "is:message accepted:yes parent:notice", true },
	[HOPS] = { "hops", "Hops: the same mail again, behind a filter or at our next host",
		   "is:message accepted:yes (parent:hop OR parent:next_host)", true },
	[RECIPIENTS] = { "recipients", "Recipients", REPORT_RECIPIENTS, false },
	[REJECTED_SCREENED] = { "rejected_screened", "of which refused by postscreen", REPORT_RECIPIENTS " fate:rejected by:screen", false },
	[DELIVERED_LATE] = { "delivered_late", "of which delivered after several tries",
			     REPORT_RECIPIENTS " fate:delivered tries:>1", false },
	[LOGINS] = { "logins", "Logins", "is:login -outcome:failed -outcome:aborted", false },
	[LOGINS_FAILED] = { "logins_failed", "Logins that failed", "is:login outcome:failed", false },
};
_Static_assert((int)LINES + (int)FATE_COUNT <= (int)TALLY_KNOWN_MAX, "each key has a number");

static void count(struct tally *tally, enum line line, uint64_t bytes)
{
	tally_add_known(tally, line, lines[line].name, 1, bytes);
}

static void count_fate(struct tally *tally, enum fate fate, uint64_t bytes)
{
	tally_add_known(tally, (unsigned)LINES + fate, fate_name(fate), 1, bytes);
}

static void collect_session(struct tally *tally, const struct facts *facts)
{
	struct text ended = facts_text(facts, FACT_SESSION_ENDED);

	count(tally, SESSIONS, 0);
	if (text_is(ended, "lost") || text_is(ended, "timeout"))
		count(tally, SESSIONS_LOST, 0);
}

static void collect_message(struct tally *tally, const struct report_row *row)
{
	if (!row->is_accepted)
		return;
	if (row->is_hop) {
		count(tally, HOPS, row->size);
		return;
	}
	count(tally, MESSAGES, row->size);
	if (row->message->parent_kind == PARENT_NOTICE)
		count(tally, NOTICES, row->size);
}

static void collect_recipient(struct tally *tally, const struct report_row *row)
{
	if (row->is_hop)
		return;
	count(tally, RECIPIENTS, 0);
	count_fate(tally, row->fate, row->fate == FATE_DELIVERED ? row->size : 0);
	if (row->fate == FATE_REJECTED && text_is(facts_text(&row->recipient->facts, FACT_RECIPIENT_BY), "screen"))
		count(tally, REJECTED_SCREENED, 0);
	if (row->fate == FATE_DELIVERED && row->recipient->attempts > 1)
		count(tally, DELIVERED_LATE, 0);
}

/* Who broke off neither logged in nor failed to. */
static void collect_login(struct tally *tally, struct text outcome)
{
	if (!text_is(outcome, "aborted"))
		count(tally, text_is(outcome, "failed") ? LOGINS_FAILED : LOGINS, 0);
}

static void collect(struct tally **tally, const struct report_row *row)
{
	switch (row->moment) {
	case REPORT_SESSION:
		collect_session(tally[0], &row->session->facts);
		return;
	case REPORT_MESSAGE:
		collect_message(tally[0], row);
		return;
	case REPORT_RECIPIENT:
		collect_recipient(tally[0], row);
		return;
	case REPORT_LOGIN:
		collect_login(tally[0], facts_text(&row->login->facts, FACT_LOGIN_OUTCOME));
		return;
	case REPORT_ATTEMPT:
	case REPORT_CHECK:
	case REPORT_LOGOUT:
	case REPORT_LINE:
		return;
	}
}

static void put_row(struct table *table, const struct tally *tally, const char *name, const char *words, bool has_bytes, uint64_t recipients)
{
	uint64_t numbers[NUMBERS] = { 0 };

	(void)tally_find(tally, &(struct text){ name, strlen(name) }, numbers);
	table_begin_row(table);
	table_put_text(table, text_of(name));
	table_put_text(table, text_of(words));
	table_put_number(table, numbers[COUNT]);
	if (recipients)
		table_put_share(table, numbers[COUNT], recipients);
	else
		table_put_unknown(table);
	if (has_bytes)
		table_put_number(table, numbers[BYTES]);
}

static void show(struct tally *const *tally, const struct report_options *options, report_emit *emit, void *context)
{
	static const struct table_column columns[] = {
		{ "name", "Name", CELL_TEXT, false }, { "what", "What", CELL_TEXT, false }, { "count", "Count", CELL_NUMBER, false },
		{ "share", "Of recipients", CELL_SHARE, false }, { "bytes", "Bytes", CELL_SIZE, false },
	};
	struct table *table = table_new("summary", "Summary", columns, sizeof columns / sizeof columns[0]);
	uint64_t all[NUMBERS] = { 0 };

	(void)options;
	(void)tally_find(tally[0], &TEXT_LITERAL("recipients"), all);
	for (enum line i = 0; table && i < LINES; i++) {
		put_row(table, tally[0], lines[i].name, lines[i].words, lines[i].has_bytes, 0);
		if (lines[i].query)
			table_put_query(table, "%s", lines[i].query);
		if (i != RECIPIENTS)
			continue;
		for (int fate = 0; fate < FATE_COUNT; fate++) {
			const char *name = fate_name((enum fate)fate);

			if (tally_index(tally[0], &(struct text){ name, strlen(name) }) == SIZE_MAX)
				continue;
			put_row(table, tally[0], name, fate_meaning((enum fate)fate), fate == FATE_DELIVERED, all[COUNT]);
			table_put_query(table, REPORT_RECIPIENTS " fate:%s", name);
		}
	}
	emit(context, table);
}

static const enum fact asked_for[] = { FACT_SESSION_ENDED, FACT_RECIPIENT_BY, FACT_LOGIN_OUTCOME, FACT_COUNT };

const struct report report_summary = {
	.name = "summary", .summary = "the whole in a few lines: sessions, messages, and what became of every recipient",
	.moments = REPORT_SESSION | REPORT_MESSAGE | REPORT_RECIPIENT | REPORT_LOGIN, .tally_count = 1, .tallies = tallies,
	.facts = asked_for, .collect = collect, .show = show,
};
