/* report_milter.c - how long sessions and messages took from stage to stage, as smtptrail-milter saw them. */
#include "analysis/report.h"

enum { TIME, LONGEST, NUMBERS };

static const struct tally_info tallies[] = { { "stage_times", 1, NUMBERS, { TALLY_SPREAD, TALLY_MOST } } };	/* the fact's name */

static const struct {
	enum fact fact;
	const char *name, *words;
} stages[] = {
	{ FACT_SESSION_TIME_HELO, "helo", "from the connection to the greeting" },
	{ FACT_MESSAGE_TIME_ENVELOPE, "envelope", "from MAIL to DATA: the recipients, and what the MTA asks about them" },
	{ FACT_MESSAGE_TIME_HEADER, "header", "from DATA to the end of the headers" },
	{ FACT_MESSAGE_TIME_BODY, "body", "from there to the end of the message" },
	{ FACT_MESSAGE_TIME_CHECKS, "verdict", "from there to the verdict: the checks, beside the mail" },
};
enum { STAGES = sizeof stages / sizeof stages[0] };

static void collect(struct tally **tally, const struct report_row *row)
{
	const struct facts *facts = row->moment == REPORT_SESSION ? &row->session->facts : &row->message->facts;
	enum fact_level level = row->moment == REPORT_SESSION ? LEVEL_SESSION : LEVEL_MESSAGE;
	struct fact_value value;

	for (unsigned i = 0; i < STAGES; i++)
		if (fact_table[stages[i].fact].level == level && facts_find(facts, stages[i].fact, &value))
			tally_add_one(tally[0], text_of(stages[i].name), (uint64_t[NUMBERS]){ value.number, value.number });
}

static void put_stage(struct table *table, const struct tally *tally, unsigned stage)
{
	struct text name = text_of(stages[stage].name);
	size_t row = tally_index(tally, &name);
	struct report_times times = { .count = 0 };

	if (row == SIZE_MAX)
		return;
	report_add_times(&times, tally, row, TIME, LONGEST);
	table_begin_row(table);
	table_put_text(table, name);
	table_put_text(table, text_of(stages[stage].words));
	table_put_number(table, times.count);
	report_put_times(table, &times);
	table_put_query(table, "is:%s %s:*", fact_level_name(fact_table[stages[stage].fact].level), fact_table[stages[stage].fact].name);
}

static void show(struct tally *const *tally, const struct report_options *options, report_emit *emit, void *context)
{
	static const struct table_column columns[] = {
		{ "stage", "Stage", CELL_TEXT, false }, { "what", "What", CELL_TEXT, false }, { "count", "Count", CELL_NUMBER, false }, REPORT_TIMES_COLUMNS,
	};
	struct table *table = table_new("milter", "Times of stages, as the milter saw them", columns, sizeof columns / sizeof columns[0]);

	(void)options;
	for (unsigned i = 0; table && i < STAGES; i++)
		put_stage(table, tally[0], i);
	if (table && !table_row_count(table))
		table_put_note(table, "%s", REPORT_NEEDS_RECORDS);
	emit(context, table);
}

static const enum fact asked_for[] = {
	FACT_SESSION_TIME_HELO, FACT_MESSAGE_TIME_ENVELOPE, FACT_MESSAGE_TIME_HEADER, FACT_MESSAGE_TIME_BODY, FACT_MESSAGE_TIME_CHECKS, FACT_COUNT,
};

const struct report report_milter = {
	.name = "milter", .summary = "how long each stage took as the milter saw it: p50, p90, p99 and longest, until the verdict",
	.moments = REPORT_SESSION | REPORT_MESSAGE, .tally_count = 1, .tallies = tallies, .facts = asked_for, .collect = collect, .show = show,
};
