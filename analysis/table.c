/* table.c - rows of an answer. */
#include "analysis/table.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { WORDS_MAX = 2048, PARTS = 1000000 };

struct table {
	const char *name, *title;
	struct table_column columns[TABLE_COLUMNS_MAX];
	unsigned column_count, filled;	/* of the newest row */
	struct table_row **rows;
	size_t row_count, row_size;
	struct text *notes;
	size_t note_count;
	struct pool *pool;
	size_t never_made;	/* rows behind the top */
	bool is_short;
};

struct table *table_new(const char *name, const char *title, const struct table_column *columns, unsigned column_count)
{
	struct table *table = calloc(1, sizeof *table);

	if (!table)
		return NULL;
	table->pool = pool_new();
	if (!table->pool) {
		free(table);
		return NULL;
	}
	table->name = name;
	table->title = title;
	table->column_count = column_count < TABLE_COLUMNS_MAX ? column_count : TABLE_COLUMNS_MAX;
	memcpy(table->columns, columns, table->column_count * sizeof *columns);
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	pool_free(table->pool);
	free(table->rows);
	free(table->notes);
	free(table);
}

static struct text keep(struct table *table, struct text text)
{
	size_t size = text.length < FACT_TEXT_MAX ? text.length : FACT_TEXT_MAX, room = size;
	char *copy = pool_take(table->pool, &room);

	if (!copy) {
		table->is_short = true;
		return TEXT_NONE;
	}
	memcpy(copy, text.start, size);
	return (struct text){ copy, size };
}

static bool make_room(struct table *table)
{
	size_t size = table->row_size ? table->row_size * 2 : 64;
	struct table_row **rows;

	if (table->row_count < table->row_size)
		return true;
	rows = realloc(table->rows, size * sizeof(struct table_row *));
	if (!rows)
		return false;
	table->rows = rows;
	table->row_size = size;
	return true;
}

void table_begin_row(struct table *table)
{
	size_t size = sizeof(struct table_row) + table->column_count * sizeof(struct cell), room = size;
	struct table_row *row = make_room(table) ? pool_take(table->pool, &room) : NULL;

	table->filled = 0;
	if (!row) {
		table->is_short = true;
		table->filled = table->column_count;	/* its cells go nowhere */
		return;
	}
	memset(row, 0, size);
	table->rows[table->row_count++] = row;
}

static struct cell *next_cell(struct table *table)
{
	if (table->filled >= table->column_count || !table->row_count)
		return NULL;
	return &table->rows[table->row_count - 1]->cells[table->filled++];
}

void table_put_text(struct table *table, struct text text)
{
	struct cell *cell = next_cell(table);

	if (!cell || !text.start)
		return;
	cell->text = keep(table, text);
	cell->is_known = cell->text.start;
}

void table_put_number(struct table *table, uint64_t number)
{
	struct cell *cell = next_cell(table);

	if (cell)
		*cell = (struct cell){ .is_known = true, .number = number };
}

void table_put_share(struct table *table, uint64_t part, uint64_t whole)
{
	if (whole)
		table_put_number(table, (uint64_t)((double)part / (double)whole * PARTS + 0.5));
	else
		table_put_unknown(table);
}

void table_put_unknown(struct table *table)
{
	(void)next_cell(table);
}

void table_put_query(struct table *table, const char *format, ...)
{
	char words[WORDS_MAX];
	va_list arguments;

	if (!table->row_count)
		return;
	va_start(arguments, format);
	(void)vsnprintf(words, sizeof words, format, arguments);
	va_end(arguments);
	table->rows[table->row_count - 1]->query = *words ? keep(table, text_of(words)) : TEXT_NONE;
}

void table_put_cell_query(struct table *table, unsigned column, const char *format, ...)
{
	char words[WORDS_MAX];
	va_list arguments;

	if (!table->row_count || column >= table->column_count || table->columns[column].type == CELL_TEXT)
		return;
	va_start(arguments, format);
	(void)vsnprintf(words, sizeof words, format, arguments);
	va_end(arguments);
	table->rows[table->row_count - 1]->cells[column].text = keep(table, text_of(words));
}

void table_put_note(struct table *table, const char *format, ...)
{
	struct text *notes = realloc(table->notes, (table->note_count + 1) * sizeof *notes);
	char words[WORDS_MAX];
	va_list arguments;

	if (!notes) {
		table->is_short = true;
		return;
	}
	table->notes = notes;
	va_start(arguments, format);
	(void)vsnprintf(words, sizeof words, format, arguments);
	va_end(arguments);
	notes[table->note_count] = keep(table, text_of(words));
	table->note_count += notes[table->note_count].start != NULL;
}

const char *table_name(const struct table *table)
{
	return table->name;
}

const char *table_title(const struct table *table)
{
	return table->title;
}

unsigned table_column_count(const struct table *table)
{
	return table->column_count;
}

const struct table_column *table_columns(const struct table *table)
{
	return table->columns;
}

size_t table_row_count(const struct table *table)
{
	return table->row_count;
}

const struct table_row *table_row(const struct table *table, size_t row)
{
	return table->rows[row];
}

size_t table_note_count(const struct table *table)
{
	return table->note_count;
}

struct text table_note(const struct table *table, size_t note)
{
	return table->notes[note];
}

bool table_is_short(const struct table *table)
{
	return table->is_short;
}

struct order {
	const struct table *table;
	unsigned column;
};

static int compare_texts(struct text a, struct text b)
{
	size_t length = a.length < b.length ? a.length : b.length;
	int order = length ? memcmp(a.start, b.start, length) : 0;

	return order ? order : (a.length > b.length) - (a.length < b.length);
}

static int compare_rows(const void *a_row, const void *b_row, void *context)
{
	const struct order *order = context;
	const struct table_row *a = *(struct table_row *const *)a_row, *b = *(struct table_row *const *)b_row;
	const struct cell *x = &a->cells[order->column], *y = &b->cells[order->column];

	if (x->is_known != y->is_known)
		return y->is_known - x->is_known;
	if (order->table->columns[order->column].type == CELL_TEXT) {
		int texts = compare_texts(x->text, y->text);

		if (texts)
			return texts;
	} else if (x->number != y->number) {
		return x->number > y->number ? -1 : 1;
	}
	for (unsigned i = 0; i < order->table->column_count; i++)
		if (order->table->columns[i].type != CELL_TEXT && a->cells[i].number != b->cells[i].number)
			return a->cells[i].number > b->cells[i].number ? -1 : 1;
	for (unsigned i = 0; i < order->table->column_count; i++) {
		int texts = compare_texts(a->cells[i].text, b->cells[i].text);

		if (texts)
			return texts;
	}
	return 0;
}

void table_leave_out(struct table *table, size_t count)
{
	table->never_made = count;
}

static void cut_behind(struct table *table, size_t top)
{
	size_t left_out = table->row_count + table->never_made - top;

	if (!top || table->row_count + table->never_made <= top)
		return;
	table->row_count = table->row_count < top ? table->row_count : top;
	table_put_note(table, "%zu more rows; --top %zu shows all", left_out, top + left_out);
}

void table_sort(struct table *table, unsigned column, size_t top)
{
	struct order order = { table, column };

	if (table->row_count)
		qsort_r(table->rows, table->row_count, sizeof(struct table_row *), compare_rows, &order);
	cut_behind(table, top);
}

static int compare_by(const void *a, const void *b, void *context)
{
	return (*(table_order *const *)context)(*(struct table_row *const *)a, *(struct table_row *const *)b);
}

void table_sort_by(struct table *table, table_order *compare, size_t top)
{
	if (table->row_count)
		qsort_r(table->rows, table->row_count, sizeof(struct table_row *), compare_by, &compare);
	cut_behind(table, top);
}

/* ---- two spans ---- */

/* What a row is about: the texts in front of its first number, and what would be asked for it. A text behind it may be of
 * the newest that was counted. */
static int compare_subjects(const void *a_row, const void *b_row, void *context)
{
	const struct table *table = ((const struct order *)context)->table;
	const struct table_row *a = *(const struct table_row *const *)a_row, *b = *(const struct table_row *const *)b_row;

	for (unsigned i = 0; i < table->column_count && table->columns[i].type != CELL_NUMBER; i++) {
		int texts = table->columns[i].type == CELL_TEXT ? compare_texts(a->cells[i].text, b->cells[i].text) : 0;

		if (texts)
			return texts;
	}
	return compare_texts(a->query, b->query);
}

/* Its rows in the order of what they are about, to be searched. To free; NULL: no memory. */
static struct table_row **sort_subjects(const struct table *table)
{
	struct order order = { table, 0 };
	struct table_row **rows = calloc(table->row_count + 1, sizeof(struct table_row *));

	if (rows && table->row_count) {
		memcpy(rows, table->rows, table->row_count * sizeof(struct table_row *));
		qsort_r(rows, table->row_count, sizeof(struct table_row *), compare_subjects, &order);
	}
	return rows;
}

/* Of the table's rows, in that order, the one that is about the same. NULL: none. */
static const struct table_row *find_same(const struct table *table, struct table_row *const *subjects, const struct table_row *row)
{
	struct order order = { table, 0 };
	size_t low = 0, high = table->row_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int place = compare_subjects(&subjects[middle], &row, &order);

		if (place == 0)
			return subjects[middle];
		if (place < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static void copy_cell(struct table *table, enum cell_type type, const struct cell *cell)
{
	if (!cell->is_known)
		table_put_unknown(table);
	else if (type == CELL_TEXT)
		table_put_text(table, cell->text);
	else
		table_put_number(table, cell->number);
}

/* Of one that is no more: counts are 0, and of nothing there is no duration. */
static void copy_cell_of_gone(struct table *table, enum cell_type type, const struct cell *cell)
{
	switch (type) {
	case CELL_NUMBER:
	case CELL_SIZE:
		table_put_number(table, 0);
		return;
	case CELL_TEXT:
		copy_cell(table, type, cell);
		return;
	case CELL_DURATION:
	case CELL_TIME:
	case CELL_SHARE:
	case CELL_KEY:
		table_put_unknown(table);
		return;
	}
}

/* Behind column number at the two that are compared. */
static void put_compared(struct table *both, const struct table *table, unsigned at, const struct table_row *row, bool is_gone, uint64_t was)
{
	table_begin_row(both);
	for (unsigned i = 0; i < table->column_count; i++) {
		if (is_gone)
			copy_cell_of_gone(both, table->columns[i].type, &row->cells[i]);
		else
			copy_cell(both, table->columns[i].type, &row->cells[i]);
		if (i != at)
			continue;
		table_put_number(both, was);
		table_put_share(both, is_gone ? 0 : row->cells[at].number, was);
	}
	if (row->query.start)
		table_put_query(both, "%.*s", TEXT_ARGS(row->query));
	for (unsigned i = 0; i < table->column_count; i++)
		if (table->columns[i].type != CELL_TEXT && row->cells[i].text.start)
			table_put_cell_query(both, i > at ? i + 2 : i, "%.*s", TEXT_ARGS(row->cells[i].text));
}

/* Those that are no more, in their order. */
static void put_gone(struct table *both, const struct table *before, unsigned at, const struct table *all, struct table_row *const *subjects,
		     size_t top)
{
	size_t count = 0;

	for (size_t i = 0; i < before->row_count; i++) {
		const struct table_row *row = before->rows[i];

		if (row->cells[at].number == 0 || find_same(all, subjects, row))
			continue;
		if (!top || count < top)
			put_compared(both, before, at, row, true, row->cells[at].number);
		count++;
	}
	if (top && count > top)
		table_put_note(both, "%zu more rows were there only before; --top %zu shows all", count - top, count);
}

struct table *table_compare(const struct table *now, const struct table *all, const struct table *before, size_t top)
{
	struct table_column columns[TABLE_COLUMNS_MAX + 2];
	struct table_row **before_rows, **all_rows;
	unsigned at = 0, count = now->column_count;
	struct table *both = NULL;

	while (at < count && now->columns[at].type != CELL_NUMBER)
		at++;
	if (at == count || count + 2 > TABLE_COLUMNS_MAX)
		return NULL;
	memcpy(columns, now->columns, (at + 1) * sizeof *columns);
	columns[at + 1] = (struct table_column){ "before", "Before", CELL_NUMBER, false };
	columns[at + 2] = (struct table_column){ "times", "Now/before", CELL_SHARE, false };
	memcpy(columns + at + 3, now->columns + at + 1, (count - at - 1) * sizeof *columns);
	before_rows = sort_subjects(before);
	all_rows = sort_subjects(all);
	if (before_rows && all_rows)
		both = table_new(now->name, now->title, columns, count + 2);
	for (size_t i = 0; both && i < now->row_count; i++) {
		const struct table_row *old = find_same(before, before_rows, now->rows[i]);

		put_compared(both, now, at, now->rows[i], false, old ? old->cells[at].number : 0);
	}
	for (size_t i = 0; both && i < now->note_count; i++)
		table_put_note(both, "%.*s", TEXT_ARGS(now->notes[i]));
	if (both)
		put_gone(both, before, at, all, all_rows, top);
	free(before_rows);
	free(all_rows);
	return both;
}

/* "12,345,678" */
static void grouped(uint64_t number, char *ret_words, size_t size)
{
	char digits[24];
	int length = snprintf(digits, sizeof digits, "%" PRIu64, number);
	size_t at = 0;

	for (int i = 0; i < length && at + 2 < size; i++) {
		if (i && (length - i) % 3 == 0)
			ret_words[at++] = ',';
		ret_words[at++] = digits[i];
	}
	ret_words[at] = '\0';
}

struct unit {
	const char *name;
	double of;
};

/* Three digits that count: 1.53 MB, 15.3 MB, 153 MB. */
static void scaled(double number, const struct unit *units, char *ret_words, size_t size)
{
	while (units[1].name && number >= units[1].of)
		units++;
	number /= units->of;
	(void)snprintf(ret_words, size, "%.*f %s", number >= 99.95 || units->of == 1 ? 0 : number >= 9.995 ? 1 : 2, number, units->name);
}

static void time_words(uint64_t time_us, char *ret_words, size_t size)
{
	time_t seconds = (time_t)(time_us / 1000000);
	struct tm utc;

	if (!gmtime_r(&seconds, &utc) || strftime(ret_words, size, "%Y-%m-%d %H:%M:%S", &utc) == 0)
		ret_words[0] = '\0';
}

void cell_words(enum cell_type type, uint64_t number, char *ret_words)
{
	static const struct unit sizes[] = {
		{ "B", 1 }, { "kB", 1e3 }, { "MB", 1e6 }, { "GB", 1e9 }, { "TB", 1e12 }, { NULL, 0 },
	};
	static const struct unit durations[] = {
		{ "us", 1 }, { "ms", 1e3 }, { "s", 1e6 }, { "min", 60e6 }, { "h", 3600e6 }, { "d", 86400e6 }, { NULL, 0 },
	};

	switch (type) {
	case CELL_TEXT:
		ret_words[0] = '\0';
		return;
	case CELL_NUMBER:
		grouped(number, ret_words, CELL_WORDS_MAX);
		return;
	case CELL_SIZE:
		scaled((double)number, sizes, ret_words, CELL_WORDS_MAX);
		return;
	case CELL_DURATION:
		scaled((double)number, durations, ret_words, CELL_WORDS_MAX);
		return;
	case CELL_TIME:
		time_words(number, ret_words, CELL_WORDS_MAX);
		return;
	case CELL_SHARE:
		(void)snprintf(ret_words, CELL_WORDS_MAX, "%.1f %%", (double)number * 100 / PARTS);
		return;
	case CELL_KEY:
		(void)snprintf(ret_words, CELL_WORDS_MAX, "%016" PRIx64, number);
		return;
	}
}
