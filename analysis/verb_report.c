/* verb_report.c - smtptrail report: what many transactions say together. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/ask.h"
#include "analysis/page.h"
#include "analysis/report.h"
#include "common/near.h"

extern const struct verb verb_report;

enum { OPTION_PROBLEMS = 256, OPTION_COMPARE, OPTION_LIST };

/* Counted by the join itself, line by line: no transaction has to be kept whole. */
static const char totals_name[] = "totals";

struct options {
	struct ask ask;
	bool only_problems, compares;
};

/* ---- totals ---- */

struct total {
	const char *name;
	uint64_t count;
};

static int print_totals_csv(const struct total *totals, size_t count)
{
	static const struct table_column columns[] = { { "name", "Name", CELL_TEXT, false }, { "count", "Count", CELL_NUMBER, false } };
	struct table *table = table_new(totals_name, "Totals", columns, sizeof columns / sizeof columns[0]);
	struct output_page page = { .file = stdout };
	bool is_whole;

	for (size_t i = 0; table && i < count; i++) {
		table_begin_row(table);
		table_put_text(table, text_of(totals[i].name));
		table_put_number(table, totals[i].count);
	}
	is_whole = table && !table_is_short(table);
	if (is_whole)
		output_csv.table(&page, table);
	table_free(table);
	return is_whole ? 0 : -ENOMEM;
}

static int print_totals(const struct correlate_counts *counts, const struct output *output)
{
	const struct total totals[] = {
#define TOTAL(id, name, meaning) { name, counts->id },
#include "analysis/totals.def"
#undef TOTAL
	};
	const size_t count = sizeof totals / sizeof totals[0];
	bool as_json = output == &output_json;

	if (output == &output_csv)
		return print_totals_csv(totals, count);
	if (as_json)
		printf("{\"totals\": {");
	for (size_t i = 0; i < count; i++)
		printf(as_json ? "%s\"%s\": %" PRIu64 : "%s%-30s %15" PRIu64 "\n", as_json && i ? ", " : "", totals[i].name,
		       totals[i].count);
	if (as_json)
		printf("}}\n");
	return 0;
}

/* Lines are counted as they are read: what asks for some of them, or for an order, would change nothing. */
static int refuse_beside_totals(const struct options *options)
{
	const struct ask *ask = &options->ask;
	const struct {
		bool is_given;
		const char *what;
	} refused[] = {
		{ ask->name_count > 1, "other report beside it" }, { options->only_problems, "--problems" }, { options->compares, "--compare" },
		{ ask->since, "--since" }, { ask->until, "--until" }, { ask->html, "--html" }, { ask->shows_queries, "--show-query" },
		{ ask->has_top, "--top" }, { ask->by, "--by" }, { ask->store, "--store" },
	};

	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		if (refused[i].is_given)
			return verb_usage_error(&verb_report, "totals counts every line of its files: it takes no %s", refused[i].what);
	if (ask->query)
		return verb_usage_error(&verb_report, "totals counts every line of its files: it takes no query, and there is no file '%s'",
					ask->query_text);
	return 0;
}

static int report_totals(const struct ask *ask)
{
	const struct correlate_sink nobody = { .context = NULL };
	struct correlate_files files = { .verb = verb_report.name, .log = ask->log };
	struct hosts hosts = { &ask->config.hosts };
	struct correlate_options join;
	struct correlate_counts counts;
	int status = EXIT_USAGE;

	correlate_defaults(&join);
	join.hosts = &hosts;
	join.skew_us = ask->config.clock_skew_us;
	join.keeps_reasons = false;
	files.sources = source_table_new();
	if (!files.sources || correlate_new(&files.correlate, &join, &nobody) != 0 ||
	    correlate_files_read(&files, ask->files, ask->file_count) != 0) {
		fprintf(stderr, "smtptrail report: %s\n", strerror(ENOMEM));
	} else {
		correlate_finish(files.correlate);
		correlate_counts(files.correlate, &counts);
		if (print_totals(&counts, ask->output) != 0)
			fprintf(stderr, "smtptrail report: %s\n", strerror(ENOMEM));
		else if (!files.unreadable)
			status = counts.lines ? EXIT_FOUND : EXIT_NOTHING;
	}
	correlate_free(files.correlate);
	source_table_free(files.sources);
	return status;
}

/* ---- reports ---- */

static bool is_name(const char *word)
{
	return strcmp(word, totals_name) == 0 || strcmp(word, "all") == 0 || report_by_name(word);
}

static const char *name_at(unsigned at)
{
	if (at == 0)
		return totals_name;
	return report_table[at - 1] ? report_table[at - 1]->name : NULL;
}

static bool has_name(const struct ask *ask, const char *name)
{
	for (unsigned i = 0; i < ask->name_count; i++)
		if (strcmp(ask->names[i], name) == 0)
			return true;
	return false;
}

/* Those that were named, in that order; without a name the summary; or all, or those of problems. */
static unsigned choose(const struct options *options, const struct report **chosen)
{
	bool is_page = options->ask.html && !options->ask.name_count;
	bool wants_all = has_name(&options->ask, "all") || options->only_problems || is_page;
	unsigned count = 0;

	for (unsigned i = 0; i < options->ask.name_count; i++) {
		const struct report *report = report_by_name(options->ask.names[i]);

		if (report)
			chosen[count++] = report;
	}
	if (count == 0 && !wants_all)
		chosen[count++] = report_by_name("summary");
	for (const struct report *const *report = report_table; wants_all && *report; report++)
		if (!options->only_problems || (*report)->is_problem)
			chosen[count++] = *report;
	return count;
}

/* The span that was asked for, and where it is compared, as much before it. */
struct runs {
	struct report_run *now, *before;
	struct page *page;		/* NULL: no page is made */
	uint64_t from_us, until_us;
};

static void take_now(void *context, const struct report_row *row)
{
	const struct runs *runs = context;

	report_run_add(runs->now, row);
}

static void take(void *context, const struct report_row *row)
{
	struct runs *runs = context;

	if (runs->page)
		page_add(runs->page, row);
	if (!runs->before)
		report_run_add(runs->now, row);
	else if (row->time_us >= runs->from_us && row->time_us < runs->until_us)
		report_run_add(runs->now, row);
	else if (row->time_us < runs->from_us && runs->from_us - row->time_us <= runs->until_us - runs->from_us)
		report_run_add(runs->before, row);
}

enum { TABLES_MAX = 100 };

/* Tables with all of their rows. */
struct kept {
	struct table *tables[TABLES_MAX];
	unsigned count;
};

struct showing {
	const struct options *options;
	struct output_page page;
	struct kept before, now;	/* of the span before, and of this one, where they are compared */
	bool is_found;			/* of any row */
	bool lacks_memory, has_by;		/* the column that is sorted by */
	struct near near_by;			/* the one that may be meant */
};

static void keep(void *context, struct table *table)
{
	struct kept *kept = context;

	if (table && kept->count < TABLES_MAX)
		kept->tables[kept->count++] = table;
	else
		table_free(table);
}

static const struct table *kept_by_name(const struct kept *kept, const char *name)
{
	for (unsigned i = 0; i < kept->count; i++)
		if (strcmp(table_name(kept->tables[i]), name) == 0)
			return kept->tables[i];
	return NULL;
}

static void let_go(struct kept *kept)
{
	while (kept->count)
		table_free(kept->tables[--kept->count]);
}

/* Takes the table; gives one with the numbers of the span before. */
static struct table *compare(const struct showing *showing, struct table *table)
{
	const struct table *before = kept_by_name(&showing->before, table_name(table)), *now = kept_by_name(&showing->now, table_name(table));
	struct table *both = before && now ? table_compare(table, now, before, showing->options->ask.top) : NULL;

	if (!both)
		return table;
	table_free(table);
	return both;
}

/* A row that is always there says nothing as long as all that it counts is none. */
static bool says_something(const struct table *table)
{
	for (size_t row = 0; row < table_row_count(table); row++) {
		bool has_numbers = false;

		for (unsigned i = 0; i < table_column_count(table); i++) {
			const struct cell *cell = &table_row(table, row)->cells[i];

			if (table_columns(table)[i].type == CELL_TEXT)
				continue;
			if (cell->is_known && cell->number)
				return true;
			has_numbers = true;
		}
		if (!has_numbers)
			return true;
	}
	return false;
}

static void emit(void *context, struct table *table)
{
	struct showing *showing = context;

	if (!table) {
		showing->lacks_memory = true;
		return;
	}
	for (unsigned i = 0; showing->options->ask.by && i < table_column_count(table); i++) {
		showing->has_by |= strcmp(table_columns(table)[i].name, showing->options->ask.by) == 0;
		near_offer(&showing->near_by, table_columns(table)[i].name);
	}
	table = compare(showing, table);
	showing->is_found |= says_something(table);
	/* A list of problems has no room for those that there are not. */
	if (table_row_count(table) || !showing->options->only_problems)
		showing->options->ask.output->table(&showing->page, table);
	table_free(table);
}

static int show(const struct options *options, const struct rows *rows, const struct runs *runs)
{
	struct report_options wanted = {
		.top = options->ask.top, .by = options->ask.by, .only_problems = options->only_problems, .now_us = options->ask.now_us,
		.from_us = rows->from_us, .until_us = rows->until_us, .own_domains = &options->ask.config.own_domains,
	};
	struct showing showing = { .options = options };
	struct report_options all = wanted;
	int status;

	near_begin(&showing.near_by, options->ask.by ? options->ask.by : "");

	/* A row that is at the top now may have been far from it, and one that was there is not gone if it is far from it now. */
	all.top = 0;
	if (runs->before) {
		report_run_show(runs->before, &all, keep, &showing.before);
		report_run_show(runs->now, &all, keep, &showing.now);
	}
	status = ask_open_page(&options->ask, rows, &showing.page);
	if (status)
		goto free_kept;
	showing.page.data = runs->page;
	options->ask.output->begin(&showing.page);
	report_run_show(runs->now, &wanted, emit, &showing);
	options->ask.output->end(&showing.page);
	status = ask_close_page(&options->ask, &showing.page);
free_kept:
	let_go(&showing.before);
	let_go(&showing.now);
	if (status)
		return status;
	if (showing.lacks_memory)
		return verb_usage_error(&verb_report, "%s", strerror(ENOMEM));
	if (options->ask.by && !showing.has_by && showing.near_by.name)
		return verb_usage_error(&verb_report, "no table of these has a column '%s' to be sorted by (perhaps '%s')",
					options->ask.by, showing.near_by.name);
	if (options->ask.by && !showing.has_by)
		return verb_usage_error(&verb_report, "no table of these has a column '%s' to be sorted by: --json shows their names",
					options->ask.by);
	if (options->only_problems && !showing.is_found && !rows->unreadable)
		fputs("smtptrail report: no problems\n", stderr);
	return ask_finish(&options->ask, rows, showing.is_found);
}

/* What is not kept is said, rather than shown as nothing. */
static void say_no_lines(const struct report *const *chosen, unsigned count)
{
	const char *before = "smtptrail report: the store keeps no lines of logs, and so nothing for ";

	for (unsigned i = 0; i < count; i++)
		if (chosen[i]->moments & REPORT_LINE) {
			fprintf(stderr, "%s%s", before, chosen[i]->name);
			before = ", ";
		}
	if (*before == ',')
		fputs(": name log files\n", stderr);
}

static int report(const struct options *options)
{
	const struct report *chosen[ASK_NAMES_MAX * 2];
	unsigned count = choose(options, chosen);
	struct runs runs = { .now = report_run_new(chosen, count), .from_us = options->ask.since_us, .until_us = options->ask.until_us };
	struct rows rows;
	int status;

	if (ask_reads_store(&options->ask))
		say_no_lines(chosen, count);
	if (options->compares)
		runs.before = report_run_new(chosen, count);
	if (options->ask.html)
		runs.page = page_new();
	ask_rows(&options->ask, &rows);
	rows.take = runs.before || runs.page ? take : take_now;
	rows.context = &runs;
	rows.finds_ways = true;
	/* The span before is as long. */
	if (options->compares && runs.until_us - runs.from_us < runs.from_us)
		rows.since_us = runs.from_us - (runs.until_us - runs.from_us);
	if (!runs.before && !runs.page)
		rows.run = runs.now;
	if (runs.now && !runs.page)
		rows.facts = report_run_facts(runs.now);
	rows.moments = (runs.now ? report_run_moments(runs.now) : 0) | (runs.page ? (unsigned)PAGE_MOMENTS : 0);
	if (runs.now && (runs.before || !options->compares) && (runs.page || !options->ask.html))
		status = ask_read(&options->ask, &rows);
	else
		status = verb_usage_error(&verb_report, "%s", strerror(ENOMEM));
	if (!status)
		status = show(options, &rows, &runs);
	rows_done(&rows);
	report_run_free(runs.now);
	report_run_free(runs.before);
	page_free(runs.page);
	return status;
}

static int list_reports(void)
{
	printf("%-15s every line by its meaning, exactly; counted as it is read\n", totals_name);
	for (const struct report *const *each = report_table; *each; each++)
		printf("%-15s %s\n", (*each)->name, (*each)->summary);
	return EXIT_FOUND;
}

static int answer(struct options *options, int argc, char **argv)
{
	int status = ask_words(&options->ask, argc, argv, is_name);

	if (status)
		return status;
	if (has_name(&options->ask, totals_name)) {
		status = refuse_beside_totals(options);
		return status ? status : report_totals(&options->ask);
	}
	if (options->compares && !options->ask.since_us)
		return verb_usage_error(&verb_report, "--compare wants --since: the span that is compared with the one before it");
	return report(options);
}

static int run_report(int argc, char **argv)
{
	static const struct option words[] = {
		{ "problems", no_argument, NULL, OPTION_PROBLEMS }, { "compare", no_argument, NULL, OPTION_COMPARE },
		{ "list", no_argument, NULL, OPTION_LIST }, ASK_OPTIONS, { NULL, 0, NULL, 0 },
	};
	struct options options = { .only_problems = false };
	int option, status = 0;

	ask_init(&options.ask, &verb_report, argc, argv);
	options.ask.name_at = name_at;
	opterr = 0;
	while (!status && (option = getopt_long(argc, argv, "", words, NULL)) != -1) {
		if (option == OPTION_LIST) {
			ask_done(&options.ask);
			return list_reports();
		}
		if (option == OPTION_PROBLEMS)
			options.only_problems = true;
		else if (option == OPTION_COMPARE)
			options.compares = options.ask.spans_apart = true;
		else
			status = ask_option(&options.ask, option, optarg);
	}
	if (!status)
		status = answer(&options, argc, argv);
	ask_done(&options.ask);
	return status;
}

const struct verb verb_report = {
	.name = "report",
	.summary = "what many transactions say together",
	.arguments = "[NAME...] [options] [QUERY] [FILE... | -]",
	.help = "Without a NAME the summary; with all, every report; --list names them. Words that are no report and no file are the\n"
		"query (smtptrail-query(7)): only what it finds is counted. Log files may be compressed; rotated ones are read oldest\n"
		"first, whatever their order; - is standard input. Without a FILE the store is asked; totals, which counts every line and\n"
		"takes no QUERY, reads standard input then. Delays of senders, recipients, domains, clients and accounts run from where\n"
		"the mail came first, through a content filter or hosts of ours too; delay: of a query is of the one message.\n\n"
		"options:\n"
		"  --list           the reports, each with what it says\n"
		"  --problems       only what is wrong: destinations, the queue, refusals, bounces, warnings, what was not understood\n"
		"  --compare        with --since (and --until): each row beside that of the span before, of the same length; below them those\n"
		"                   that were there only before\n"
		ASK_HELP
		"\nexit status: 0 something was counted; 1 nothing was: there is nothing, or nothing of what is asked for; 2 a file could not be read, or usage\n\n"
		"examples:\n"
		"  smtptrail report since:yesterday\n"
		"  smtptrail report /var/log/mail.log*\n"
		"  smtptrail report senders recipients --top 10 since:yesterday /var/log/mail.log\n"
		"  smtptrail report delays to:*@example.com --json /var/log/mail.log | jq .\n"
		"  zcat mail.log.2.gz | smtptrail report totals --json -\n",
	.run = run_report,
};
