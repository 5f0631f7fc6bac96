/* report.c - the family of reports: its table, and a run of some of them. */
#include "analysis/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/record.h"

#define REPORT(name) extern const struct report report_##name;
#include "analysis/reports.inc"
#undef REPORT

const struct report *const report_table[] = {
#define REPORT(name) &report_##name,
#include "analysis/reports.inc"
#undef REPORT
	NULL,
};

const struct report *report_by_name(const char *name)
{
	for (const struct report *const *report = report_table; *report; report++)
		if (strcmp((*report)->name, name) == 0)
			return *report;
	return NULL;
}

/* Of the columns the one that is sorted by. */
static unsigned sorted_by(const struct table_column *columns, unsigned count, const struct report_options *options, const char *usual)
{
	unsigned by = 0;

	for (unsigned i = 0; i < count; i++)
		if (strcmp(columns[i].name, usual) == 0)
			by = i;
	for (unsigned i = 0; i < count; i++)
		if (options->by && strcmp(columns[i].name, options->by) == 0)
			by = i;
	return by;
}

void report_sort(struct table *table, const struct report_options *options, const char *usual)
{
	table_sort(table, sorted_by(table_columns(table), table_column_count(table), options, usual), options->top);
}

/* ---- listings ---- */

enum { QUERY_MAX = 2000 };

/* A value as query_parse reads it back: in quotes, unless it is a plain word. */
static size_t put_value(char *words, size_t size, struct text value)
{
	size_t length = 0;

	words[length++] = '"';
	for (size_t i = 0; i < value.length && length + 4 < size; i++) {
		if (value.start[i] == '"' || value.start[i] == '\\')
			words[length++] = '\\';
		words[length++] = value.start[i];
	}
	words[length++] = '"';
	words[length] = '\0';
	return length;
}

static bool is_plain(struct text value)
{
	for (size_t i = 0; i < value.length; i++)
		if (value.start[i] <= ' ' || value.start[i] > '~' || strchr("\"\\*?()/", value.start[i]))
			return false;
	/* "<" and ">" would be bounds. */
	return value.length && *value.start != '>' && (*value.start != '<' || memchr(value.start, '>', value.length));
}

/* A query as it is made, term by term. */
struct query_words {
	char words[QUERY_MAX];
	size_t length;
	bool is_impossible;	/* no query finds it */
};

__attribute__((format(printf, 2, 3)))
static void put_term(struct query_words *query, const char *format, ...)
{
	size_t room = sizeof query->words - query->length;
	va_list arguments;
	int length;

	if (query->length)
		query->length += (size_t)snprintf(query->words + query->length, room, " ");
	va_start(arguments, format);
	length = vsnprintf(query->words + query->length, sizeof query->words - query->length, format, arguments);
	va_end(arguments);
	query->length += length > 0 ? (size_t)length : 0;
	if (query->length + 2 < sizeof query->words)
		return;
	query->length = 0;
	query->is_impossible = true;
}

/* What report_hour made, as a time. */
static uint64_t hour_start(struct text hour)
{
	char words[TIME_TEXT_SIZE];
	uint64_t time_us = 0;

	if (hour.length != REPORT_HOUR_SIZE - 1)
		return 0;
	(void)snprintf(words, sizeof words, "%.10sT%.2s:00:00Z", hour.start, hour.start + 11);
	return time_parse(text_of(words), &time_us) == 0 ? time_us : 0;
}

static void put_hour(struct query_words *query, struct text hour)
{
	char scratch[REPORT_HOUR_SIZE];
	struct text next = report_hour(hour_start(hour) + UINT64_C(3600000000), scratch);

	put_term(query, "since:\"%.*s:00\" until:\"%.*s:00\"", TEXT_ARGS(hour), TEXT_ARGS(next));
}

static void put_field(struct query_words *query, const char *field, struct text value)
{
	char quoted[QUERY_MAX];
	bool is_pattern = strchr(field, ':');

	/* What is not known is not there to be found. */
	if (text_is(value, REPORT_UNKNOWN)) {
		put_term(query, is_pattern ? "-%s*" : "-%s:*", field);
		return;
	}
	/* No query finds a NUL byte, nor what the tally has cut; nor is there a pattern in quotes: "from:*@". */
	if (!value.start || memchr(value.start, '\0', value.length) || value.length >= TALLY_TEXT_MAX || text_is(value, TALLY_OTHERS) ||
	    (is_pattern && !is_plain(value))) {
		query->is_impossible = true;
		return;
	}
	if (!is_plain(value)) {
		size_t length = put_value(quoted, sizeof quoted, value);

		value = (struct text){ quoted, length };
	}
	put_term(query, is_pattern ? "%s%.*s" : "%s:%.*s", field, TEXT_ARGS(value));
}

/* A reply code, or where there was none an enhanced one. */
static void put_code(struct query_words *query, struct text code)
{
	if (code.length && !memchr(code.start, '.', code.length) && !text_is(code, REPORT_UNKNOWN)) {
		put_field(query, "recipient.reply_code", code);
		return;
	}
	put_term(query, "-recipient.reply_code:>0");
	put_field(query, "recipient.dsn", code);
}

static void put_failure(struct query_words *query, struct text reason)
{
	if (text_is(reason, "expired")) {
		put_term(query, "fate:expired");
		return;
	}
	put_term(query, "fate:bounced");
	put_field(query, "recipient.reason", reason);
}

static void put_query(struct query_words *query, const char *field, struct text value)
{
	if (strcmp(field, REPORT_FIELD_HOUR) == 0)
		put_hour(query, value);
	else if (strcmp(field, REPORT_FIELD_CODE) == 0)
		put_code(query, value);
	else if (strcmp(field, REPORT_FIELD_FAILURE) == 0)
		put_failure(query, value);
	else
		put_field(query, field, value);
}

void report_put_query(struct table *table, const char *field, struct text value)
{
	struct text before = table_row(table, table_row_count(table) - 1)->query;
	struct query_words query = { .length = 0 };

	/* What it asks for already was impossible: no term mends that. */
	if (!before.length)
		return;
	put_term(&query, "%.*s", TEXT_ARGS(before));
	put_query(&query, field, value);
	table_put_query(table, "%s", query.is_impossible ? "" : query.words);
}

void report_put_number_query(struct table *table, unsigned column, const char *begin, const char *field, struct text value)
{
	struct query_words query = { .length = 0 };

	put_term(&query, "%s", begin);
	put_query(&query, field, value);
	if (!query.is_impossible)
		table_put_cell_query(table, column, "%s", query.words);
}

static void put_listed(struct table *table, const struct listing_column *column, const struct tally_row *row, const uint64_t *all)
{
	switch (column->value) {
	case LISTING_PART:
		table_put_text(table, row->parts[column->a]);
		return;
	case LISTING_NUMBER:
		/* The longest of none. */
		if (column->column.type == CELL_DURATION && !row->numbers[column->a])
			table_put_unknown(table);
		else
			table_put_number(table, row->numbers[column->a]);
		return;
	case LISTING_MEAN:
		if (row->numbers[column->b])
			table_put_number(table, row->numbers[column->a] / row->numbers[column->b]);
		else
			table_put_unknown(table);
		return;
	case LISTING_SHARE:
		table_put_share(table, row->numbers[column->a], row->numbers[column->b]);
		return;
	case LISTING_OF_ALL:
		table_put_share(table, row->numbers[column->a], all[column->a]);
		return;
	}
}

/* What finds the row, and each number that is of something else than the row's query finds. */
static void put_queries(struct table *table, const struct listing *listing, const struct tally_row *row)
{
	struct query_words parts = { .length = 0 };
	const char *separator;

	for (unsigned i = 0; i < listing->column_count; i++)
		if (listing->columns[i].value == LISTING_PART && listing->columns[i].query_field)
			put_query(&parts, listing->columns[i].query_field, row->parts[listing->columns[i].a]);
	if (parts.is_impossible)
		return;
	separator = parts.length ? " " : "";
	if (listing->query || parts.length)
		table_put_query(table, "%s%s%s", listing->query ? listing->query : "", listing->query ? separator : "", parts.words);
	for (unsigned i = 0; i < listing->column_count; i++)
		if (listing->columns[i].value == LISTING_NUMBER && listing->columns[i].query_field)
			table_put_cell_query(table, i, "%s%s%s", listing->columns[i].query_field, separator, parts.words);
}

static void list_row(struct table *table, const struct listing *listing, const struct tally_row *row, const uint64_t *all)
{
	table_begin_row(table);
	for (unsigned i = 0; i < listing->column_count; i++)
		put_listed(table, &listing->columns[i], row, all);
	put_queries(table, listing, row);
}

/* Where a row comes when it is sorted by the column: the greater the earlier. A text's order is not told: 0. */
static uint64_t rank_of(const struct listing_column *column, const struct tally *tally, size_t row)
{
	uint64_t count;

	switch (column->value) {
	case LISTING_NUMBER:
	case LISTING_OF_ALL:
		return tally_number(tally, row, column->a);
	case LISTING_MEAN:
		count = tally_number(tally, row, column->b);
		return count ? tally_number(tally, row, column->a) / count : 0;
	case LISTING_PART:
	case LISTING_SHARE:
		return 0;
	}
	return 0;
}

/* The least stands first, and is less than those below it, at 2i + 1 and 2i + 2. */
static void put_into_heap(uint64_t *heap, size_t *count, size_t top, uint64_t rank)
{
	size_t at = 0;

	if (*count < top) {
		for (at = (*count)++; at && heap[(at - 1) / 2] > rank; at = (at - 1) / 2)
			heap[at] = heap[(at - 1) / 2];
	} else if (rank > heap[0]) {
		for (size_t child; (child = 2 * at + 1) < top; at = child) {
			child += child + 1 < top && heap[child + 1] < heap[child];
			if (heap[child] >= rank)
				break;
			heap[at] = heap[child];
		}
	} else {
		return;
	}
	heap[at] = rank;
}

/* The rank that a row must have to be among the first: what is less needs no row. 0: all may. */
static uint64_t least_rank(const struct listing_column *column, const struct tally *tally, size_t top)
{
	uint64_t *heap = top && tally_count(tally) > top ? malloc(top * sizeof *heap) : NULL, least;
	size_t count = 0;

	if (!heap)
		return 0;
	for (size_t i = 0; i < tally_count(tally); i++)
		put_into_heap(heap, &count, top, rank_of(column, tally, i));
	least = heap[0];
	free(heap);
	return least;
}

static struct table *list(const struct listing *listing, const struct tally *tally, const struct table_column *columns,
			  const struct report_options *options)
{
	const struct listing_column *by = &listing->columns[sorted_by(columns, listing->column_count, options, listing->sorted_by)];
	struct table *table = table_new(listing->name, listing->title, columns, listing->column_count);
	uint64_t all[TALLY_NUMBERS_MAX] = { 0 }, least = least_rank(by, tally, options->top);
	size_t left_out = 0;

	for (size_t i = 0; i < tally_count(tally); i++)
		for (unsigned j = 0; j < tally_info(tally)->numbers; j++)
			all[j] += tally_number(tally, i, j);
	for (size_t i = 0; table && i < tally_count(tally); i++) {
		struct tally_row row;

		if (rank_of(by, tally, i) < least) {
			left_out++;
			continue;
		}
		row = tally_row(tally, i);
		list_row(table, listing, &row, all);
	}
	if (table)
		table_leave_out(table, left_out);
	return table;
}

void report_show_listing(const struct listing *listing, const struct tally *tally, const struct report_options *options,
			 report_emit *emit, void *context)
{
	struct table_column columns[TABLE_COLUMNS_MAX];
	struct table *table;

	for (unsigned i = 0; i < listing->column_count; i++)
		columns[i] = listing->columns[i].column;
	table = list(listing, tally, columns, options);
	if (table) {
		report_sort(table, options, listing->sorted_by);
		if (tally_others(tally))
			table_put_note(table, "more than %d different ones: the rest is counted as %s", TALLY_KEYS_MAX, TALLY_OTHERS);
	}
	emit(context, table);
}

void report_add_times(struct report_times *times, const struct tally *tally, size_t row, unsigned spread, unsigned longest)
{
	uint64_t most = tally_number(tally, row, longest);

	times->count += tally_number(tally, row, spread);
	times->longest = most > times->longest ? most : times->longest;
	tally_sum_steps(tally, row, spread, times->steps);
}

void report_put_times(struct table *table, const struct report_times *times)
{
	static const double shares[] = { 0.5, 0.9, 0.99 };

	for (unsigned i = 0; i < sizeof shares / sizeof shares[0]; i++) {
		uint64_t percentile = tally_percentile(times->steps, shares[i]);

		/* A step's end may lie behind the longest of all. */
		table_put_number(table, percentile < times->longest ? percentile : times->longest);
	}
	table_put_number(table, times->longest);
}

void report_keep(void *context, struct table *table)
{
	*(struct table **)context = table;
}

/* ---- runs ---- */

enum { MOMENTS = 8 };

struct report_run {
	unsigned count, moments;
	struct call {
		void (*collect)(struct tally **tallies, const struct report_row *row);
		struct tally **tallies;
	} *calls[MOMENTS];		/* of the parts that are called then, with one without collect behind; of one memory */
	bool asks_anything;
	struct fact_set facts;
	struct {
		const struct report *report;
		struct tally *tallies[REPORT_TALLIES_MAX];
	} parts[];
};

static void ask_facts(struct report_run *run, const struct report *report)
{
	run->asks_anything |= !report->facts;
	for (const enum fact *fact = report->facts; fact && *fact != FACT_COUNT; fact++)
		fact_set_add(&run->facts, *fact);
}

/* false: no memory. */
static bool order_calls(struct report_run *run)
{
	struct call *call = calloc(MOMENTS, (run->count + 1) * sizeof *call);

	if (!call)
		return false;
	for (unsigned moment = 0; moment < MOMENTS; moment++, call++) {
		run->calls[moment] = call;
		for (unsigned i = 0; i < run->count; i++)
			if (run->parts[i].report->moments >> moment & 1)
				*call++ = (struct call){ run->parts[i].report->collect, run->parts[i].tallies };
	}
	return true;
}

struct report_run *report_run_new(const struct report *const *reports, unsigned count)
{
	struct report_run *run = calloc(1, sizeof *run + count * sizeof run->parts[0]);

	if (!run)
		return NULL;
	run->count = count;
	for (unsigned i = 0; i < count; i++) {
		run->parts[i].report = reports[i];
		run->moments |= reports[i]->moments;
		ask_facts(run, reports[i]);
		for (unsigned j = 0; j < reports[i]->tally_count; j++) {
			run->parts[i].tallies[j] = tally_new(&reports[i]->tallies[j]);
			if (!run->parts[i].tallies[j]) {
				report_run_free(run);
				return NULL;
			}
		}
	}
	if (!order_calls(run)) {
		report_run_free(run);
		return NULL;
	}
	return run;
}

void report_run_free(struct report_run *run)
{
	if (!run)
		return;
	for (unsigned i = 0; i < run->count; i++)
		for (unsigned j = 0; j < REPORT_TALLIES_MAX; j++)
			tally_free(run->parts[i].tallies[j]);
	free(run->calls[0]);
	free(run);
}

unsigned report_run_moments(const struct report_run *run)
{
	return run->moments;
}

const struct fact_set *report_run_facts(const struct report_run *run)
{
	return run->asks_anything ? NULL : &run->facts;
}

void report_run_add(struct report_run *run, const struct report_row *row)
{
	for (const struct call *call = run->calls[__builtin_ctz(row->moment)]; call->collect; call++)
		call->collect(call->tallies, row);
}

void report_run_show(const struct report_run *run, const struct report_options *options, report_emit *emit, void *context)
{
	for (unsigned i = 0; i < run->count; i++)
		run->parts[i].report->show(run->parts[i].tallies, options, emit, context);
}

const struct report *report_run_report(const struct report_run *run, unsigned index)
{
	return index < run->count ? run->parts[index].report : NULL;
}

struct tally **report_run_tallies(const struct report_run *run, unsigned index)
{
	return (struct tally **)run->parts[index].tallies;
}

bool report_is_own_domain(const struct report_options *options, struct text domain)
{
	for (size_t i = 0; options->own_domains && i < options->own_domains->count; i++) {
		struct text own = text_of(options->own_domains->items[i]);
		struct text end = { domain.start + domain.length - own.length, own.length };

		if (own.length <= domain.length && text_equal_nocase(end, own) && (own.length == domain.length || end.start[-1] == '.'))
			return true;
	}
	return false;
}

struct text report_hour(uint64_t time_us, char *scratch)
{
	/* Rows come in about the order of their time. */
	static _Thread_local uint64_t last_hour = UINT64_MAX;
	static _Thread_local char last_words[TIME_TEXT_SIZE];
	uint64_t hour = time_us / (3600 * UINT64_C(1000000));

	if (hour != last_hour) {
		time_format(time_us, last_words);
		last_words[10] = ' ';
		last_hour = hour;
	}
	memcpy(scratch, last_words, REPORT_HOUR_SIZE - 1);
	scratch[REPORT_HOUR_SIZE - 1] = '\0';
	return (struct text){ scratch, REPORT_HOUR_SIZE - 1 };
}
