/* report_delays.c - how long mail takes: Postfix's four phases and the whole, of all mail and by destination. */
#include "analysis/report.h"

static const struct {
	const char *name, *mean, *title;	/* the phase; the column of its mean, and what heads it */
	enum fact fact;
} phases[] = {
	{ "before the queue", "before", "Before, mean", FACT_ATTEMPT_DELAY_BEFORE },
	{ "in the queue", "queue", "Queue, mean", FACT_ATTEMPT_DELAY_QUEUE },
	{ "connecting", "connecting", "Connecting, mean", FACT_ATTEMPT_DELAY_CONNECTION },
	{ "transmitting", "transmitting", "Transmitting, mean", FACT_ATTEMPT_DELAY_TRANSFER },
	{ "all", NULL, NULL, FACT_ATTEMPT_DELAY },
};
enum { OWN_PHASES = 4, ALL = OWN_PHASES, PHASES };

/* Of each phase its distribution, the longest and, of its own phases, the sum. */
enum { SPREAD, LONGEST = SPREAD + PHASES, SUM = LONGEST + PHASES, NUMBERS = SUM + OWN_PHASES };

static const struct tally_info tallies[] = {
	/* By domain; a recipient without one has an empty name. */
	{ "delay_domains", 1, NUMBERS, {
		TALLY_SPREAD, TALLY_SPREAD, TALLY_SPREAD, TALLY_SPREAD, TALLY_SPREAD, TALLY_MOST, TALLY_MOST, TALLY_MOST, TALLY_MOST, TALLY_MOST,
		TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM,
	} },
};

static void collect(struct tally **tally, const struct report_row *row)
{
	const struct facts *facts = &row->attempt->facts;
	uint64_t numbers[NUMBERS] = { 0 };
	struct fact_value value;

	/* What went to a content filter is measured again behind it; what was not delivered has no end. */
	if (row->is_hop || !text_is(facts_text(facts, FACT_ATTEMPT_STATUS), "sent"))
		return;
	for (unsigned i = 0; i < PHASES; i++) {
		bool is_known = facts_find(facts, phases[i].fact, &value);

		numbers[SPREAD + i] = is_known ? value.number : TALLY_NONE;
		numbers[LONGEST + i] = is_known ? value.number : 0;
		if (is_known && i < OWN_PHASES)
			numbers[SUM + i] = value.number;
	}
	(void)tally_add(tally[0], &row->to_domain, numbers);
}

/* ---- tables ---- */

#define FIGURE_COLUMNS { "count", "Deliveries", CELL_NUMBER, false }, REPORT_TIMES_COLUMNS

static void put_figures(struct table *table, const struct report_times *times)
{
	table_put_number(table, times->count);
	report_put_times(table, times);
}

/* Deliveries whose phase is known: of a domain, or (absent) all. */
static void put_query(struct table *table, unsigned phase, struct text domain)
{
	table_put_query(table, "is:attempt status:sent -hop:yes attempt.%s:*", fact_table[phases[phase].fact].name);
	if (domain.length)
		report_put_query(table, "to:*@", domain);
}

static void show_phases(const struct tally *tally, report_emit *emit, void *context)
{
	static const struct table_column columns[] = { { "name", "Phase", CELL_TEXT, false }, FIGURE_COLUMNS };
	struct table *table = table_new("delays", "Delays of deliveries, by phase", columns, sizeof columns / sizeof columns[0]);

	for (unsigned phase = 0; table && phase < PHASES; phase++) {
		struct report_times times = { .count = 0 };

		for (size_t row = 0; row < tally_count(tally); row++)
			report_add_times(&times, tally, row, SPREAD + phase, LONGEST + phase);
		table_begin_row(table);
		table_put_text(table, text_of(phases[phase].name));
		put_figures(table, &times);
		put_query(table, phase, TEXT_NONE);
	}
	emit(context, table);
}

static void put_domain(struct table *table, const struct tally *tally, size_t row)
{
	struct tally_row numbers = tally_row(tally, row);
	struct report_times times = { .count = 0 };

	report_add_times(&times, tally, row, SPREAD + ALL, LONGEST + ALL);
	table_begin_row(table);
	table_put_text(table, numbers.parts[0]);
	put_figures(table, &times);
	for (unsigned i = 0; i < OWN_PHASES; i++)
		if (numbers.numbers[SPREAD + i])
			table_put_number(table, numbers.numbers[SUM + i] / numbers.numbers[SPREAD + i]);
		else
			table_put_unknown(table);
	put_query(table, ALL, numbers.parts[0]);
}

/* The whole of each domain, with the means of the phases. */
static struct table *domain_table(const struct tally *tally, const struct report_options *options)
{
	static const struct table_column first[] = { { "domain", "Domain", CELL_TEXT, false }, FIGURE_COLUMNS };
	enum { FIRST = sizeof first / sizeof first[0] };
	struct table_column columns[FIRST + OWN_PHASES];
	struct table *table;

	memcpy(columns, first, sizeof first);
	for (unsigned i = 0; i < OWN_PHASES; i++)
		columns[FIRST + i] = (struct table_column){ phases[i].mean, phases[i].title, CELL_DURATION, false };
	table = table_new("delay_domains", "Delays of deliveries, by destination", columns, FIRST + OWN_PHASES);
	for (size_t row = 0; table && row < tally_count(tally); row++)
		if (tally_row(tally, row).parts[0].length && tally_number(tally, row, SPREAD + ALL))
			put_domain(table, tally, row);
	if (!table)
		return NULL;
	report_sort(table, options, "count");
	if (tally_others(tally))
		table_put_note(table, "more than %d different ones: the rest is counted as %s", TALLY_SPREAD_KEYS_MAX, TALLY_OTHERS);
	return table;
}

static void put_domain_phases(struct table *table, const struct tally *tally, struct text domain)
{
	size_t row = tally_index(tally, &domain);

	for (unsigned phase = 0; row != SIZE_MAX && phase < OWN_PHASES; phase++) {
		struct report_times times = { .count = 0 };

		if (!tally_number(tally, row, SPREAD + phase))
			continue;
		report_add_times(&times, tally, row, SPREAD + phase, LONGEST + phase);
		table_begin_row(table);
		table_put_text(table, domain);
		table_put_text(table, text_of(phases[phase].name));
		put_figures(table, &times);
		put_query(table, phase, domain);
	}
}

/* Each phase of the domains that the first table shows, in their order. */
static struct table *phase_table(const struct tally *tally, const struct table *domains)
{
	static const struct table_column columns[] = {
		{ "domain", "Domain", CELL_TEXT, false }, { "phase", "Phase", CELL_TEXT, false }, FIGURE_COLUMNS,
	};
	struct table *table = table_new("delay_domain_phases", "Delays of deliveries, by destination and phase", columns, sizeof columns / sizeof columns[0]);

	for (size_t i = 0; table && domains && i < table_row_count(domains); i++)
		put_domain_phases(table, tally, table_row(domains, i)->cells[0].text);
	return table;
}

static void show(struct tally *const *tally, const struct report_options *options, report_emit *emit, void *context)
{
	struct table *domains = domain_table(tally[0], options), *by_phase = phase_table(tally[0], domains);

	show_phases(tally[0], emit, context);
	emit(context, domains);
	emit(context, by_phase);
}

static const enum fact asked_for[] = {
	FACT_RECIPIENT_TO, FACT_ATTEMPT_STATUS, FACT_ATTEMPT_DELAY, FACT_ATTEMPT_DELAY_BEFORE, FACT_ATTEMPT_DELAY_QUEUE,
	FACT_ATTEMPT_DELAY_CONNECTION, FACT_ATTEMPT_DELAY_TRANSFER, FACT_COUNT,
};

const struct report report_delays = {
	.name = "delays", .summary = "how long mail takes: p50, p90, p99 and longest of each phase, of all mail and by destination",
	.moments = REPORT_ATTEMPT, .tally_count = 1, .tallies = tallies, .facts = asked_for, .collect = collect, .show = show,
};
