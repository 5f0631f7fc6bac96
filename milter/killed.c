/* killed.c - sessions that an earlier start of the milter left open. */
#include "killed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "session.h"

/* A session's name in numbers; begun_us 0: an empty place. */
struct seen {
	uint64_t begun_us;
	uint32_t epoch;
	uint8_t last_stage;
	bool is_closed, is_in_front;
};

/* An open-addressed table of a power of two. */
struct table {
	struct seen *rows;
	size_t size, count;
	uint64_t left_out;
};

static bool read_hex(struct text text, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (text.length == 0 || text.length > 14)
		return false;
	for (size_t i = 0; i < text.length; i++) {
		char byte = text.start[i];
		int digit = byte >= '0' && byte <= '9' ? byte - '0' : byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;

		if (digit < 0)
			return false;
		number = number << 4 | (uint64_t)digit;
	}
	*ret_number = number;
	return true;
}

static bool read_name(struct text name, uint64_t *ret_begun_us, uint32_t *ret_epoch)
{
	uint64_t epoch;

	if (name.length < 16 || name.length > 23 || name.start[14] != '.' ||
	    !read_hex((struct text){ name.start, 14 }, ret_begun_us) ||
	    !read_hex((struct text){ name.start + 15, name.length - 15 }, &epoch) || *ret_begun_us == 0)
		return false;
	*ret_epoch = (uint32_t)epoch;
	return epoch <= UINT32_MAX;
}

static struct seen *row_of(const struct table *table, uint64_t begun_us, uint32_t epoch)
{
	size_t at = (size_t)((begun_us ^ (uint64_t)epoch << 40) * UINT64_C(0x9e3779b97f4a7c15) >> 32);

	for (;; at++) {
		struct seen *row = &table->rows[at & (table->size - 1)];

		if (!row->begun_us || (row->begun_us == begun_us && row->epoch == epoch))
			return row;
	}
}

static bool grow(struct table *table)
{
	struct table larger = { .size = table->size ? table->size * 2 : 1024, .count = table->count };

	larger.rows = calloc(larger.size, sizeof *larger.rows);
	if (!larger.rows)
		return false;
	for (size_t i = 0; i < table->size; i++)
		if (table->rows[i].begun_us)
			*row_of(&larger, table->rows[i].begun_us, table->rows[i].epoch) = table->rows[i];
	free(table->rows);
	table->rows = larger.rows;
	table->size = larger.size;
	return true;
}

/* The row of a session, made where it is new; NULL: no room. */
static struct seen *find_or_add(struct table *table, uint64_t begun_us, uint32_t epoch)
{
	struct seen *row = table->size ? row_of(table, begun_us, epoch) : NULL;

	if (row && row->begun_us)
		return row;
	if (table->count >= KILLED_SESSIONS_MAX || (table->count * 2 >= table->size && !grow(table))) {
		table->left_out++;
		return NULL;
	}
	row = row_of(table, begun_us, epoch);
	*row = (struct seen){ .begun_us = begun_us, .epoch = epoch };
	table->count++;
	return row;
}

/* Stages that only a living session has; checks of a message may end after its session did. */
static bool is_of_a_session(enum stage stage)
{
	return (stage >= STAGE_CONNECT && stage <= STAGE_EOM) || stage == STAGE_UNKNOWN || stage == STAGE_ABORT ||
	       stage == STAGE_CLOSE;
}

static void see(struct table *table, struct text payload, bool is_front)
{
	struct record_view view;
	struct record_value value;
	uint64_t begun_us;
	uint32_t epoch;

	if (record_view_open(&view, payload) != 0 || !is_of_a_session(view.stage) ||
	    !record_view_find(&view, FIELD_SESSION, &value) || !read_name(value.text, &begun_us, &epoch))
		return;
	struct seen *row = find_or_add(table, begun_us, epoch);

	if (!row)
		return;
	if (view.stage == STAGE_CLOSE)
		row->is_closed = true;
	else if (is_front || !row->is_in_front)
		row->last_stage = (uint8_t)view.stage;
	row->is_in_front |= is_front;
}

static int scan(struct table *table, const char *directory, uint64_t first_segment, bool is_front,
		struct problem *problem)
{
	struct journal_scan_entry entry;
	struct journal_scan *walk;
	int error = journal_scan_open(&walk, directory, problem);

	if (error)
		return error;
	while (journal_scan_next(walk, &entry) == 1)
		if (entry.segment < first_segment)
			see(table, entry.payload, is_front);
	journal_scan_close(walk);
	return 0;
}

static void close_all(const struct table *table, struct recorder *recorder, unsigned place, uint64_t now_us,
		      struct killed_total *total)
{
	for (size_t i = 0; i < table->size; i++) {
		const struct seen *row = &table->rows[i];
		char name[SESSION_ID_SIZE];

		if (!row->begun_us || row->is_closed)
			continue;
		(void)snprintf(name, sizeof name, "%014" PRIx64 ".%" PRIx32, row->begun_us & 0xffffffffffffff, row->epoch);
		sessions_put_killed(recorder, place, now_us, text_of(name), (enum stage)row->last_stage);
		total->closed++;
	}
}

int killed_close(const char *front, const char *spool, uint64_t first_segment, struct recorder *recorder,
		 unsigned place, uint64_t now_us, struct killed_total *ret_total, struct problem *problem)
{
	struct table table = { .rows = NULL };
	struct killed_total total = { 0, 0 };
	/* The front first: what moves from there to the spool meanwhile is then seen twice, not never. */
	int error = scan(&table, front, first_segment, true, problem);

	if (!error)
		error = scan(&table, spool, first_segment, false, problem);
	if (!error) {
		close_all(&table, recorder, place, now_us, &total);
		total.left_out = table.left_out;
		*ret_total = total;
	}
	free(table.rows);
	return error;
}
