/* rows_store.c - rows from the store: it narrows what is read, and the query is asked of each. */
#include "analysis/rows.h"

#include <errno.h>

#include "analysis/key_set.h"
#include "analysis/store_read.h"
#include "analysis/store_rollup.h"

struct reading {
	struct rows *rows;
	struct store_read *read;
	struct key_set added; /* days, and one more: counted before */
	struct key_set found,
		given; /* sessions: that have a message which was found; that were given for themselves */
	int error;
};

static void note(struct reading *reading, int error)
{
	if (error < 0)
		reading->error = error;
}

static void take_message(void *context, const struct message *message, const struct session *session)
{
	struct reading *reading = context;

	if (rows_give_message(reading->rows, message, session) && message->session_key &&
	    reading->rows->query)
		note(reading, key_set_add(&reading->found, message->session_key));
}

static void take_session(void *context, const struct session *session)
{
	struct reading *reading = context;

	if (!rows_find_session(reading->rows->query, session))
		return;
	rows_give_session(reading->rows, session);
	if (reading->rows->query)
		note(reading, key_set_add(&reading->given, session->key));
}

static void take_login(void *context, const struct login *login)
{
	struct reading *reading = context;

	rows_give_login(reading->rows, login);
}

/* ---- days that were counted ---- */

static bool was_added(const void *context, store_day day)
{
	const struct reading *reading = context;

	return key_set_has(&reading->added, (uint64_t)day + 1);
}

/* What began on it may have gone on later. */
static bool was_over(const struct reading *reading, store_day day)
{
	uint64_t last_us = 0;
	struct problem ignored;

	return store_day_begin(day + 1) <= reading->rows->since_us &&
	       store_read_last(reading->read, day, &last_us, &ignored) == 0 &&
	       last_us < reading->rows->since_us;
}

static bool is_left_out(const void *context, store_day day)
{
	return was_added(context, day) || was_over(context, day);
}

static int add_day(struct reading *reading, const char *directory, store_day day, uint64_t from_us,
		   uint64_t until_us, struct problem *problem)
{
	int found;

	if (store_day_begin(day) < from_us || store_day_begin(day + 1) > until_us)
		return 0;
	found = store_rollup_add(directory, day, reading->rows->run, problem);
	reading->rows->given += found > 0;
	return found > 0 ? key_set_add(&reading->added, (uint64_t)day + 1) : found;
}

/* Whole days of a span that nothing else is asked of. */
static int add_days(struct reading *reading, const char *directory, const struct store_read *read,
		    struct problem *problem)
{
	const struct query *query = reading->rows->query;
	uint64_t from_us = 0, until_us = UINT64_MAX;
	size_t count;
	const store_day *days = store_read_days(read, &count);
	int error = 0;

	if (!reading->rows->run || (query && !query_is_span(query)))
		return 0;
	if (query)
		query_span(query, &from_us, &until_us);
	for (size_t i = 0; i < count && error >= 0; i++)
		error = add_day(reading, directory, days[i], from_us, until_us, problem);
	return error < 0 ? error : 0;
}

/* A session that began on another day than its message, which was counted, is found by that message. */
static void note_other_session(void *context, transaction_key key)
{
	struct reading *reading = context;

	note(reading, key_set_add(&reading->found, key));
}

static int find_other_sessions(struct reading *reading, struct store_read *read, struct problem *problem)
{
	uint64_t day;
	size_t at = 0;
	int error = 0;

	while (reading->rows->query && !error && (day = key_set_next(&reading->added, &at)))
		error = store_read_other_sessions(read, (store_day)(day - 1), note_other_session, reading,
						  problem);
	return error;
}

static bool is_enough(void *context, uint64_t before_us)
{
	const struct reading *reading = context;

	return reading->rows->is_enough(reading->rows->context, before_us);
}

/* Sessions of messages that were found, and that the query does not find by themselves. */
static int give_sessions(struct reading *reading, struct store_read *read, struct problem *problem)
{
	struct pool *pool = pool_new();
	struct session session;
	transaction_key key;
	size_t at = 0;
	int found = pool ? 0 : -ENOMEM;

	while (found >= 0 && (key = key_set_next(&reading->found, &at))) {
		if (key_set_has(&reading->given, key) ||
		    was_added(reading, store_day_of(transaction_key_time(key))))
			continue;
		found = store_read_session(read, key, pool, &session, problem);
		if (found > 0) {
			rows_give_session(reading->rows, &session);
			facts_done(&session.facts, pool);
		}
	}
	pool_free(pool);
	return found < 0 ? found : 0;
}

static int read_store(struct reading *reading, const char *directory, struct store_read *read,
		      struct problem *problem)
{
	struct rows *rows = reading->rows;
	const struct store_scan scan = {
		.query = rows->query,
		.skips_day = is_left_out,
		.skip_context = reading,
		.with_attempts = rows->keeps_attempts || (rows->moments & REPORT_ATTEMPT) ||
				 (rows->query && query_asks(rows->query, LEVEL_ATTEMPT)),
		.with_ways = rows->finds_ways && (!rows->facts || fact_set_has(rows->facts, FACT_RECIPIENT_DELAY)),
		.attempts_apart = rows->moments & REPORT_ATTEMPT,
		.is_enough = rows->is_enough ? is_enough : NULL,
		.message = take_message,
		.session = rows->moments & REPORT_SESSION ? take_session : NULL,
		.login = rows->moments & (REPORT_LOGIN | REPORT_LOGOUT) ? take_login : NULL,
		.context = reading,
	};
	struct fact_set facts;
	int error;

	reading->read = read;
	store_read_choose(read, rows_facts(rows, &facts));
	error = store_read_span(read, &rows->from_us, &rows->until_us, problem);

	if (!error)
		error = add_days(reading, directory, read, problem);
	if (!error)
		error = store_read_scan(read, &scan, problem);
	if (!error && (rows->moments & REPORT_SESSION))
		error = find_other_sessions(reading, read, problem);
	if (!error && (rows->moments & REPORT_SESSION))
		error = give_sessions(reading, read, problem);
	return error ? error : reading->error;
}

int rows_read_store(struct rows *rows, const char *directory, struct problem *problem)
{
	struct reading reading = { .rows = rows };
	struct store_read *read = NULL;
	int error;

	rows->sources = source_table_new();
	error = rows->sources ? store_read_open(&read, directory, rows->sources, problem) : -ENOMEM;
	if (!error)
		error = read_store(&reading, directory, read, problem);
	if (error == -ENOMEM)
		problem_set(problem, "%s", strerror(ENOMEM));
	store_read_close(read);
	key_set_done(&reading.added);
	key_set_done(&reading.found);
	key_set_done(&reading.given);
	return error;
}
