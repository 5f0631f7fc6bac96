/* store_rests.c - rows by their keys, found by each of their names. */
#include "analysis/store_rests.h"

#include <errno.h>
#include <stdlib.h>

#include "analysis/key_set.h"
#include "analysis/open_table.h"

/* One that no commit has. */
struct pending {
	struct pending *next;
	transaction_key key;
	uint64_t names[CORRELATE_REST_NAMES];
	bool is_dropped;
	size_t length;
	char bytes[];
};

struct store_rests {
	struct statement *add, *add_name, *find, *find_between, *state_of, *names_of, *drop, *drop_name, *oldest, *all;
	struct pending *first;
	struct open_table by_name, by_key;	/* of these */
	size_t bytes;
	struct key_set dropped;		/* keys that are to leave the tables */
	uint64_t count, newest_us;
	bool is_out_of_memory;
	int error;			/* of a look-up, for the next commit */
};

#define NAME_COLUMNS "name1, name2, name3, name4"
_Static_assert(CORRELATE_REST_NAMES == 4, "the table rest has a column for each");

static int prepare(struct store_rests *rests, struct database *current, struct problem *problem)
{
	const struct {
		struct statement **statement;
		const char *sql;
	} statements[] = {
		{ &rests->add, "REPLACE INTO rest(key, " NAME_COLUMNS ", state) VALUES(?1, ?2, ?3, ?4, ?5, ?6)" },
		{ &rests->add_name, "INSERT OR IGNORE INTO rest_name(name, key) VALUES(?1, ?2)" },
		/* Of many that have a name most may have been taken already: their states are not looked at. */
		{ &rests->find, "SELECT key FROM rest_name WHERE name = ?1" },
		{ &rests->find_between, "SELECT key FROM rest WHERE key > ?1 AND key <= ?2 ORDER BY key LIMIT ?3" },
		{ &rests->state_of, "SELECT state FROM rest WHERE key = ?1" },
		{ &rests->names_of, "SELECT " NAME_COLUMNS " FROM rest WHERE key = ?1" },
		{ &rests->drop, "DELETE FROM rest WHERE key = ?1" },
		{ &rests->drop_name, "DELETE FROM rest_name WHERE name = ?1 AND key = ?2" },
		{ &rests->oldest, "SELECT key FROM rest ORDER BY key LIMIT 1" },
		{ &rests->all, "SELECT key, state FROM rest" },
	};
	int error = 0;

	for (size_t i = 0; i < sizeof statements / sizeof statements[0] && !error; i++)
		error = statement_new(statements[i].statement, current, statements[i].sql, problem);
	return error;
}

int store_rests_new(struct store_rests **ret_rests, struct database *current, struct problem *problem)
{
	struct store_rests *rests = calloc(1, sizeof *rests);
	int64_t count = 0, newest = 0;
	int error = rests ? prepare(rests, current, problem) : -ENOMEM;

	if (!error)
		error = database_number(current, "SELECT count(*) FROM rest", &count, problem);
	if (!error)
		error = database_number(current, "SELECT max(key) FROM rest", &newest, problem);
	if (error) {
		store_rests_free(rests);
		return error;
	}
	rests->count = (uint64_t)count;
	rests->newest_us = newest ? transaction_key_time((transaction_key)newest) : 0;
	*ret_rests = rests;
	return 0;
}

static void forget_pending(struct store_rests *rests)
{
	while (rests->first) {
		struct pending *pending = rests->first;

		rests->first = pending->next;
		for (unsigned i = 0; i < CORRELATE_REST_NAMES; i++)
			if (pending->names[i])
				open_table_remove(&rests->by_name, pending->names[i], pending);
		open_table_remove(&rests->by_key, pending->key, pending);
		free(pending);
	}
	rests->bytes = 0;
}

void store_rests_free(struct store_rests *rests)
{
	if (!rests)
		return;
	forget_pending(rests);
	open_table_done(&rests->by_name);
	open_table_done(&rests->by_key);
	key_set_done(&rests->dropped);
	free(rests);
}

void store_rests_add(struct store_rests *rests, const struct correlate_rest *rest)
{
	struct pending *pending = malloc(sizeof *pending + rest->state.length);

	if (!pending) {
		rests->is_out_of_memory = true;
		return;
	}
	*pending = (struct pending){ .next = rests->first, .key = rest->key, .length = rest->state.length };
	memcpy(pending->bytes, rest->state.start, rest->state.length);
	for (unsigned i = 0; i < CORRELATE_REST_NAMES; i++) {
		if (!rest->names[i])
			continue;
		if (open_table_add(&rests->by_name, rest->names[i], pending) == 0)
			pending->names[i] = rest->names[i];
		else
			rests->is_out_of_memory = true;
	}
	if (open_table_add(&rests->by_key, rest->key, pending) != 0)
		rests->is_out_of_memory = true;
	rests->first = pending;
	rests->bytes += rest->state.length;
	if (transaction_key_time(rest->key) > rests->newest_us)
		rests->newest_us = transaction_key_time(rest->key);
}

/* 1, 0 (there is none) or -errno. */
static int give_state(struct store_rests *rests, transaction_key key, const struct correlate_taker *taker)
{
	int more;

	statement_bind_number(rests->state_of, 1, key);
	more = statement_step(rests->state_of);
	if (more > 0)
		taker->take(taker->context, key, statement_text(rests->state_of, 0));
	statement_reset(rests->state_of);
	return more;
}

void store_rests_find(struct store_rests *rests, uint64_t name, const struct correlate_taker *taker)
{
	struct pending *pending;
	int more;

	for (size_t at = SIZE_MAX; (pending = open_table_next(&rests->by_name, name, &at));)
		if (!pending->is_dropped && taker->lacks(taker->context, pending->key))
			taker->take(taker->context, pending->key, (struct text){ pending->bytes, pending->length });
	if (!rests->count)
		return;
	statement_reset(rests->find);
	statement_bind_number(rests->find, 1, name);
	while ((more = statement_step(rests->find)) > 0) {
		transaction_key key = statement_number(rests->find, 0);

		if (key_set_has(&rests->dropped, key) || !taker->lacks(taker->context, key))
			continue;
		more = give_state(rests, key, taker);
		if (more < 0)
			break;
	}
	statement_reset(rests->find);
	if (more < 0)
		rests->error = more;
}

transaction_key store_rests_find_between(struct store_rests *rests, transaction_key behind, transaction_key until,
					 const struct correlate_taker *taker)
{
	transaction_key last = 0;
	unsigned count = 0;
	int more = 0;

	for (const struct pending *pending = rests->first; pending; pending = pending->next)
		if (pending->key > behind && pending->key <= until && !pending->is_dropped && taker->lacks(taker->context, pending->key))
			taker->take(taker->context, pending->key, (struct text){ pending->bytes, pending->length });
	if (!rests->count)
		return 0;
	statement_bind_number(rests->find_between, 1, behind);
	statement_bind_number(rests->find_between, 2, until);
	statement_bind_number(rests->find_between, 3, STORE_RESTS_AT_ONCE);
	while (more >= 0 && (more = statement_step(rests->find_between)) > 0) {
		last = statement_number(rests->find_between, 0);
		count++;
		if (!key_set_has(&rests->dropped, last) && taker->lacks(taker->context, last))
			more = give_state(rests, last, taker);
	}
	statement_reset(rests->find_between);
	if (more < 0)
		rests->error = more;
	return more < 0 || count < STORE_RESTS_AT_ONCE ? 0 : last;
}

void store_rests_drop(struct store_rests *rests, transaction_key key)
{
	struct pending *pending;

	for (size_t at = SIZE_MAX; (pending = open_table_next(&rests->by_key, key, &at));)
		pending->is_dropped |= pending->key == key;
	if (rests->count && key_set_add(&rests->dropped, key) < 0)
		rests->is_out_of_memory = true;
}

size_t store_rests_pending(const struct store_rests *rests)
{
	return rests->bytes;
}

bool store_rests_has_changes(const struct store_rests *rests)
{
	return rests->first || rests->dropped.count || rests->error || rests->is_out_of_memory;
}

/* ---- to the tables ---- */

static int drop(struct store_rests *rests, transaction_key key)
{
	uint64_t names[CORRELATE_REST_NAMES] = { 0 };
	int error, more;

	statement_bind_number(rests->names_of, 1, key);
	more = statement_step(rests->names_of);
	for (int i = 0; more > 0 && i < CORRELATE_REST_NAMES; i++)
		names[i] = statement_number(rests->names_of, i);
	statement_reset(rests->names_of);
	if (more <= 0)
		return more;
	statement_bind_number(rests->drop, 1, key);
	error = statement_run(rests->drop);
	for (int i = 0; i < CORRELATE_REST_NAMES && !error; i++) {
		if (!names[i])
			continue;
		statement_bind_number(rests->drop_name, 1, names[i]);
		statement_bind_number(rests->drop_name, 2, key);
		error = statement_run(rests->drop_name);
	}
	rests->count -= !error;
	return error;
}

static int put(struct store_rests *rests, const struct pending *pending)
{
	int error = drop(rests, pending->key);

	if (error)
		return error;
	statement_bind_number(rests->add, 1, pending->key);
	for (int i = 0; i < CORRELATE_REST_NAMES; i++)
		statement_bind_number(rests->add, 2 + i, pending->names[i]);
	statement_bind_bytes(rests->add, 2 + CORRELATE_REST_NAMES, (struct text){ pending->bytes, pending->length });
	error = statement_run(rests->add);
	for (int i = 0; i < CORRELATE_REST_NAMES && !error; i++) {
		if (!pending->names[i])
			continue;
		statement_bind_number(rests->add_name, 1, pending->names[i]);
		statement_bind_number(rests->add_name, 2, pending->key);
		error = statement_run(rests->add_name);
	}
	rests->count += !error;
	return error;
}

/* Those that nobody will ask for, and those that are too many. */
static int drop_old(struct store_rests *rests)
{
	const uint64_t days_us = UINT64_C(86400) * 1000000 * STORE_RESTS_DAYS;
	int error = 0;

	while (!error && rests->count) {
		transaction_key key = 0;
		int more = statement_step(rests->oldest);

		if (more > 0)
			key = statement_number(rests->oldest, 0);
		statement_reset(rests->oldest);
		if (more <= 0)
			return more;
		if (rests->count <= STORE_RESTS_MAX && transaction_key_time(key) + days_us >= rests->newest_us)
			break;
		error = drop(rests, key);
	}
	return error;
}

int store_rests_keep(struct store_rests *rests)
{
	transaction_key key;
	size_t at = 0;
	int error = rests->is_out_of_memory ? -ENOMEM : rests->error;

	while (!error && (key = key_set_next(&rests->dropped, &at)))
		error = drop(rests, key);
	for (const struct pending *pending = rests->first; pending && !error; pending = pending->next)
		if (!pending->is_dropped)
			error = put(rests, pending);
	return error ? error : drop_old(rests);
}

void store_rests_kept(struct store_rests *rests)
{
	forget_pending(rests);
	key_set_clear(&rests->dropped);
}

int store_rests_forget(struct store_rests *rests, bool (*test)(const void *context, struct text bytes), const void *context)
{
	struct key_set found = { .slots = NULL };
	transaction_key key;
	size_t at = 0;
	int more, error = 0;

	while ((more = statement_step(rests->all)) > 0)
		if (test(context, statement_text(rests->all, 1)) && key_set_add(&found, statement_number(rests->all, 0)) < 0)
			error = -ENOMEM;
	if (more < 0)
		error = more;
	while (!error && (key = key_set_next(&found, &at)))
		error = drop(rests, key);
	key_set_done(&found);
	return error;
}
