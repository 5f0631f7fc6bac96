/* report_delays.c - how long mail takes: Postfix's four phases, and the whole by destination. */
#include "analysis/report.h"

enum { COUNT, LONGEST, NUMBERS };
enum { FIRST_PHASE = NUMBERS, OWN_PHASES = 4, DOMAIN_NUMBERS = FIRST_PHASE + OWN_PHASES };	/* of a domain: sums of each phase too */

static const struct tally_info tallies[] = {
	{ "delay_phases", 2, NUMBERS, { TALLY_SUM, TALLY_MOST } },	/* phase, step */
	{ "delay_steps", 2, NUMBERS, { TALLY_SUM, TALLY_MOST } },	/* domain, step */
	{ "delay_domains", 1, DOMAIN_NUMBERS, { TALLY_SUM, TALLY_MOST, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM } },
};

static const struct {
	const char *name;
	enum fact fact;
} phases[] = {
	{ "before the queue", FACT_ATTEMPT_DELAY_BEFORE }, { "in the queue", FACT_ATTEMPT_DELAY_QUEUE },
	{ "connecting", FACT_ATTEMPT_DELAY_CONNECTION }, { "transmitting", FACT_ATTEMPT_DELAY_TRANSFER },
	{ "all", FACT_ATTEMPT_DELAY },
};
enum { PHASES = sizeof phases / sizeof phases[0], STEP_SIZE = 8 };

/* Digits by hand: five for each delivery, and printf takes longer than all else here. */
static struct text step_words(unsigned step, char *words)
{
	char *end = words + STEP_SIZE, *at = end;

	do
		*--at = (char)('0' + step % 10);
	while ((step /= 10) && at > words);
	return (struct text){ at, (size_t)(end - at) };
}

static void collect(struct tally **tally, const struct report_row *row)
{
	const struct facts *facts = &row->attempt->facts;
	char words[STEP_SIZE];
	struct fact_value value;

	/* What went to a content filter is measured again behind it; what was not delivered has no end. */
	if (row->is_hop || !text_is(facts_text(facts, FACT_ATTEMPT_STATUS), "sent"))
		return;
	for (unsigned i = 0; i < PHASES; i++)
		if (facts_find(facts, phases[i].fact, &value))
			tally_add_two(tally[0], text_of(phases[i].name), step_words(tally_step(value.number), words),
				      (uint64_t[NUMBERS]){ 1, value.number });
	if (!row->to_domain.start || !facts_find(facts, FACT_ATTEMPT_DELAY, &value))
		return;
	tally_add_two(tally[1], row->to_domain, step_words(tally_step(value.number), words), (uint64_t[NUMBERS]){ 1, value.number });
	uint64_t numbers[DOMAIN_NUMBERS] = { [COUNT] = 1, [LONGEST] = value.number };

	for (unsigned i = 0; i < OWN_PHASES; i++)
		numbers[FIRST_PHASE + i] = facts_number(facts, phases[i].fact, 0);
	tally_add_one(tally[2], row->to_domain, numbers);
}

/* The counts of all steps of a name; returns the longest. */
static uint64_t find_steps(const struct tally *tally, struct text name, uint64_t *ret_counts)
{
	uint64_t longest = 0;
	char words[STEP_SIZE];

	for (unsigned step = 0; step < TALLY_STEPS; step++) {
		const uint64_t *numbers = tally_find(tally, (struct text[]){ name, step_words(step, words) });

		ret_counts[step] = numbers ? numbers[COUNT] : 0;
		if (numbers && numbers[LONGEST] > longest)
			longest = numbers[LONGEST];
	}
	return longest;
}

static const struct table_column columns[] = {
	{ "name", "Phase", CELL_TEXT, false }, { "count", "Deliveries", CELL_NUMBER, false }, { "p50", "p50", CELL_DURATION, false },
	{ "p90", "p90", CELL_DURATION, false }, { "p99", "p99", CELL_DURATION, false }, { "longest", "Longest", CELL_DURATION, false },
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

static void put_row(struct table *table, const struct tally *tally, struct text name)
{
	static const double shares[] = { 0.5, 0.9, 0.99 };
	uint64_t counts[TALLY_STEPS], longest = find_steps(tally, name, counts), all = 0;

	for (unsigned step = 0; step < TALLY_STEPS; step++)
		all += counts[step];
	table_begin_row(table);
	table_put_text(table, name);
	table_put_number(table, all);
	for (unsigned i = 0; i < sizeof shares / sizeof shares[0]; i++) {
		uint64_t percentile = tally_percentile(counts, shares[i]);

		/* A step's end may lie behind the longest of all. */
		table_put_number(table, percentile < longest ? percentile : longest);
	}
	table_put_number(table, longest);
}

static void show_phases(const struct tally *tally, report_emit *emit, void *context)
{
	struct table *table = table_new("delays", "Delays of deliveries, by phase", columns, COLUMNS);

	for (unsigned i = 0; table && i < PHASES; i++)
		put_row(table, tally, text_of(phases[i].name));
	emit(context, table);
}

static const struct table_column phase_columns[OWN_PHASES] = {
	{ "before", "Before, mean", CELL_DURATION, false }, { "queue", "Queue, mean", CELL_DURATION, false },
	{ "connecting", "Connecting, mean", CELL_DURATION, false }, { "transmitting", "Transmitting, mean", CELL_DURATION, false },
};

static void put_means(struct table *table, const struct tally *domains, struct text domain)
{
	const uint64_t *numbers = tally_find(domains, &domain);

	for (unsigned i = 0; i < OWN_PHASES; i++)
		table_put_number(table, numbers && numbers[COUNT] ? numbers[FIRST_PHASE + i] / numbers[COUNT] : 0);
}

/* Percentiles take long to find: only those of the domains that are shown. */
static void show_domains(struct tally *const *tally, const struct report_options *options, report_emit *emit, void *context)
{
	static const struct listing_column by_count[] = {
		{ { "domain", "Domain", CELL_TEXT, false }, LISTING_PART, 0, 0, NULL },
		{ { "count", "Deliveries", CELL_NUMBER, false }, LISTING_NUMBER, COUNT, 0, NULL },
		{ { "longest", "Longest", CELL_DURATION, false }, LISTING_NUMBER, LONGEST, 0, NULL },
	};
	static const struct listing listing = { "delay_domains", "", sizeof by_count / sizeof by_count[0], by_count, "count", NULL };
	struct table_column domain_columns[COLUMNS + OWN_PHASES];
	struct table *order = NULL, *table;

	memcpy(domain_columns, columns, sizeof columns);
	memcpy(domain_columns + COLUMNS, phase_columns, sizeof phase_columns);
	domain_columns[0].name = "domain";
	domain_columns[0].title = "Domain";
	report_show_listing(&listing, tally[2], options, report_keep, &order);
	table = table_new("delay_domains", "Delays of deliveries, by destination", domain_columns, COLUMNS + OWN_PHASES);
	for (size_t i = 0; order && table && i < table_row_count(order); i++) {
		put_row(table, tally[1], table_row(order, i)->cells[0].text);
		put_means(table, tally[2], table_row(order, i)->cells[0].text);
		report_put_query(table, "to:*@", table_row(order, i)->cells[0].text);
	}
	for (size_t i = 0; order && table && i < table_note_count(order); i++)
		table_put_note(table, "%.*s", TEXT_ARGS(table_note(order, i)));
	table_free(order);
	emit(context, table);
}

static void show(struct tally *const *tally, const struct report_options *options, report_emit *emit, void *context)
{
	show_phases(tally[0], emit, context);
	show_domains(tally, options, emit, context);
}

static const enum fact asked_for[] = {
	FACT_RECIPIENT_TO, FACT_ATTEMPT_STATUS, FACT_ATTEMPT_DELAY, FACT_ATTEMPT_DELAY_BEFORE, FACT_ATTEMPT_DELAY_QUEUE,
	FACT_ATTEMPT_DELAY_CONNECTION, FACT_ATTEMPT_DELAY_TRANSFER, FACT_COUNT,
};

const struct report report_delays = {
	.name = "delays", .summary = "how long mail takes: p50, p90, p99 and longest of each phase, and by destination, with the mean of each phase",
	.moments = REPORT_ATTEMPT, .tally_count = 3, .tallies = tallies, .facts = asked_for, .collect = collect, .show = show,
};
