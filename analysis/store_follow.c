/* store_follow.c - look by look: what is new, or was under way, and is no longer. */
#include "analysis/store_follow.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/database.h"
#include "analysis/key_set.h"
#include "analysis/transaction.h"

/* More than a look goes back behind its begin (store_read.c). */
#define FORGET_SLACK (STORE_FOLLOW_BACK / 2)

struct store_follow {
	char *directory;
	uint64_t from_us;
	transaction_key newest; /* that was seen; 0: none yet */
	struct key_set waiting; /* seen, and under way then */
	struct key_set shown;	/* of the time that is looked at again */
	struct key_set told;	/* sessions of that time that have messages, which tell of them */
	struct follow_state *state; /* NULL: none */
};

static const char from_name[] = "from_us", newest_name[] = "newest";

static int add_key(void *context, transaction_key key)
{
	return key_set_add(context, key);
}

/* What was seen and shown before. */
static int resume(struct store_follow *follow)
{
	uint64_t from_us = follow_state_number(follow->state, from_name);
	int error = follow_state_each(follow->state, FOLLOW_WAITING, add_key, &follow->waiting);

	if (!error)
		error = follow_state_each(follow->state, FOLLOW_SHOWN, add_key, &follow->shown);
	if (!error)
		error = follow_state_each(follow->state, FOLLOW_TOLD, add_key, &follow->told);
	follow->newest = follow_state_number(follow->state, newest_name);
	if (from_us)
		follow->from_us = from_us;
	else
		follow_state_set_number(follow->state, from_name, follow->from_us);
	return error;
}

int store_follow_new(struct store_follow **ret_follow, const char *directory, uint64_t from_us,
		     struct follow_state *state)
{
	struct store_follow *follow = calloc(1, sizeof *follow);
	int error = 0;

	if (!follow)
		return -ENOMEM;
	follow->from_us = from_us;
	follow->state = state;
	follow->directory = strdup(directory);
	if (!follow->directory)
		error = -ENOMEM;
	else if (state)
		error = resume(follow);
	if (error)
		store_follow_free(follow);
	else
		*ret_follow = follow;
	return error;
}

void store_follow_free(struct store_follow *follow)
{
	if (!follow)
		return;
	key_set_done(&follow->waiting);
	key_set_done(&follow->shown);
	key_set_done(&follow->told);
	free(follow->directory);
	free(follow);
}

/* ---- what is under way ---- */

static int read_open_keys(const struct store_follow *follow, struct key_set *ret_open,
			  struct problem *problem)
{
	char path[STORE_PATH_SIZE];
	struct database *database;
	struct statement *row;
	int error, more = 0;

	if (!store_path(follow->directory, STORE_CURRENT_NAME, path))
		return -ENAMETOOLONG;
	error = database_open(&database, path, DATABASE_READ, problem);
	if (error)
		return error;
	error = statement_new(&row, database, "SELECT key FROM open", problem);
	while (!error && (more = statement_step(row)) > 0)
		if (key_set_add(ret_open, statement_number(row, 0)) < 0)
			error = -ENOMEM;
	if (more < 0)
		database_explain(database, more, problem);
	database_close(database);
	return error ? error : more;
}

/* ---- one look ---- */

struct looking {
	struct store_follow *follow;
	const struct store_scan *scan;
	struct key_set open;
	transaction_key newest;
	int error;
};

/* Adds it, in the state too; whether it is new. */
static bool add(struct looking *looking, struct key_set *keys, enum follow_set set, transaction_key key)
{
	int is_new = key_set_add(keys, key);

	if (is_new < 0)
		looking->error = is_new;
	if (is_new > 0 && looking->follow->state)
		follow_state_add(looking->follow->state, set, key);
	return is_new > 0;
}

/* Whether it is to be shown now, for the first time. */
static bool is_due(struct looking *looking, transaction_key key, bool can_be_open)
{
	struct store_follow *follow = looking->follow;

	looking->newest = key > looking->newest ? key : looking->newest;
	if (can_be_open && key_set_has(&looking->open, key)) {
		(void)add(looking, &follow->waiting, FOLLOW_WAITING, key);
		return false;
	}
	return add(looking, &follow->shown, FOLLOW_SHOWN, key);
}

static void take_message(void *context, const struct message *message, const struct session *session)
{
	struct looking *looking = context;

	if (message->session_key)
		(void)add(looking, &looking->follow->told, FOLLOW_TOLD, message->session_key);
	if (message->start_us >= looking->follow->from_us && is_due(looking, message->key, true))
		looking->scan->message(looking->scan->context, message, session);
}

static void take_session(void *context, const struct session *session)
{
	struct looking *looking = context;

	if (session->start_us >= looking->follow->from_us && is_due(looking, session->key, true) &&
	    !key_set_has(&looking->follow->told, session->key))
		looking->scan->session(looking->scan->context, session);
}

static void take_login(void *context, const struct login *login)
{
	struct looking *looking = context;

	if (login->time_us >= looking->follow->from_us && is_due(looking, login_key(login), false))
		looking->scan->login(looking->scan->context, login);
}

/* It was under way at the last look, and is no longer. 1: that is done with; 0: it is no message; -errno. */
static int show_waiting_message(struct looking *looking, struct store_read *read, transaction_key key, struct pool *pool,
				struct problem *problem)
{
	struct message message;
	struct session session;
	int found = store_read_message(read, key, looking->scan->with_attempts, pool, &message, problem), has_session;

	if (found <= 0)
		return found;
	has_session = store_read_session(read, message.session_key, pool, &session, problem);
	if (message.session_key)
		(void)add(looking, &looking->follow->told, FOLLOW_TOLD, message.session_key);
	if (is_due(looking, key, false))
		looking->scan->message(looking->scan->context, &message, has_session > 0 ? &session : NULL);
	return 1;
}

/* The same of a session. */
static int show_waiting_session(struct looking *looking, struct store_read *read, transaction_key key, struct pool *pool,
				struct problem *problem)
{
	struct session session;
	int found = store_read_session(read, key, pool, &session, problem);

	if (found > 0 && is_due(looking, key, false) && !key_set_has(&looking->follow->told, key))
		looking->scan->session(looking->scan->context, &session);
	return found < 0 ? found : 1;
}

/* Those that were under way at the last look, and are no longer: of any day. What show does not know waits on. */
static int show_waiting(struct looking *looking, struct store_read *read,
			int (*show)(struct looking *looking, struct store_read *read, transaction_key key, struct pool *pool,
				    struct problem *problem),
			struct problem *problem)
{
	struct store_follow *follow = looking->follow;
	struct key_set still = { .slots = NULL };
	struct pool *pool = pool_new();
	transaction_key key;
	size_t at = 0;
	int error = pool ? 0 : -ENOMEM;

	while (error >= 0 && (key = key_set_next(&follow->waiting, &at))) {
		int shown = key_set_has(&looking->open, key) ? 0 : show(looking, read, key, pool, problem);

		if (shown > 0 && follow->state)
			follow_state_drop(follow->state, FOLLOW_WAITING, key);
		error = shown ? shown : key_set_add(&still, key);
	}
	pool_free(pool);
	key_set_done(&follow->waiting);
	follow->waiting = still;
	return error < 0 ? error : 0;
}

/* What is older than what is looked at again need not be known. */
static int forget_old(struct store_follow *follow, transaction_key oldest)
{
	struct key_set *const sets[] = { &follow->shown, &follow->told };
	int error = 0;

	for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
		struct key_set kept = { .slots = NULL };
		transaction_key key;
		size_t at = 0;

		/* A session that is under way may be old. */
		while (error >= 0 && (key = key_set_next(sets[i], &at)))
			if (key >= oldest || (sets[i] == &follow->told && key_set_has(&follow->waiting, key)))
				error = key_set_add(&kept, key);
		key_set_done(sets[i]);
		*sets[i] = kept;
	}
	if (follow->state && follow->newest)
		follow_state_forget(follow->state, oldest);
	return error < 0 ? error : 0;
}

static uint64_t look_from(const struct store_follow *follow)
{
	uint64_t newest_us = follow->newest ? transaction_key_time(follow->newest) : 0;

	return newest_us > STORE_FOLLOW_BACK && newest_us - STORE_FOLLOW_BACK > follow->from_us
		       ? newest_us - STORE_FOLLOW_BACK
		       : follow->from_us;
}

static int look(struct looking *looking, struct store_read *read, struct problem *problem)
{
	struct store_follow *follow = looking->follow;
	const struct store_scan scan = {
		.from_us = look_from(follow),
		.with_attempts = looking->scan->with_attempts,
		.message = take_message,
		.session = take_session,
		.login = take_login,
		.context = looking,
	};
	int error = show_waiting(looking, read, show_waiting_message, problem);

	if (!error)
		error = store_read_scan(read, &scan, problem);
	/* By now it is known which of them have messages. */
	if (!error)
		error = show_waiting(looking, read, show_waiting_session, problem);
	if (!error)
		error = looking->error;
	if (!error && follow->state && looking->newest != follow->newest)
		follow_state_set_number(follow->state, newest_name, looking->newest);
	follow->newest = looking->newest;
	return error || scan.from_us < FORGET_SLACK
		       ? error
		       : forget_old(follow, transaction_key_of(scan.from_us - FORGET_SLACK, NULL, 0));
}

int store_follow_next(struct store_follow *follow, struct source_table *sources,
		      const struct store_scan *scan, struct problem *problem)
{
	struct looking looking = { .follow = follow, .scan = scan, .newest = follow->newest };
	struct store_read *read = NULL;
	/* First what is under way: what ends behind that is shown at the next look. */
	int error = read_open_keys(follow, &looking.open, problem);

	if (!error)
		error = store_read_open(&read, follow->directory, sources, problem);
	if (!error)
		error = look(&looking, read, problem);
	store_read_close(read);
	key_set_done(&looking.open);
	return error;
}
