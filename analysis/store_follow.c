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
};

int store_follow_new(struct store_follow **ret_follow, const char *directory, uint64_t from_us)
{
	struct store_follow *follow = calloc(1, sizeof *follow);

	if (!follow)
		return -ENOMEM;
	follow->from_us = from_us;
	follow->directory = strdup(directory);
	if (!follow->directory) {
		free(follow);
		return -ENOMEM;
	}
	*ret_follow = follow;
	return 0;
}

void store_follow_free(struct store_follow *follow)
{
	if (!follow)
		return;
	key_set_done(&follow->waiting);
	key_set_done(&follow->shown);
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

static void note(struct looking *looking, int error)
{
	if (error < 0)
		looking->error = error;
}

/* Whether it is to be shown now, for the first time. */
static bool is_due(struct looking *looking, transaction_key key, bool can_be_open)
{
	int is_new;

	looking->newest = key > looking->newest ? key : looking->newest;
	if (can_be_open && key_set_has(&looking->open, key)) {
		note(looking, key_set_add(&looking->follow->waiting, key));
		return false;
	}
	is_new = key_set_add(&looking->follow->shown, key);
	note(looking, is_new);
	return is_new > 0;
}

static void take_message(void *context, const struct message *message, const struct session *session)
{
	struct looking *looking = context;

	if (message->start_us >= looking->follow->from_us && is_due(looking, message->key, true))
		looking->scan->message(looking->scan->context, message, session);
}

static void take_session(void *context, const struct session *session)
{
	struct looking *looking = context;

	if (session->start_us >= looking->follow->from_us && is_due(looking, session->key, true))
		looking->scan->session(looking->scan->context, session);
}

static void take_login(void *context, const struct login *login)
{
	struct looking *looking = context;

	if (login->time_us >= looking->follow->from_us && is_due(looking, login_key(login), false))
		looking->scan->login(looking->scan->context, login);
}

/* Those that were under way at the last look, and are no longer: of any day. */
static int show_waiting(struct looking *looking, struct store_read *read, struct problem *problem)
{
	struct key_set still = { .slots = NULL };
	struct pool *pool = pool_new();
	transaction_key key;
	size_t at = 0;
	int found = pool ? 0 : -ENOMEM;

	while (found >= 0 && (key = key_set_next(&looking->follow->waiting, &at))) {
		struct message message;
		struct session session, own;

		if (key_set_has(&looking->open, key)) {
			found = key_set_add(&still, key);
			continue;
		}
		found = store_read_message(read, key, looking->scan->with_attempts, pool, &message, problem);
		if (found > 0) {
			int has_session =
				store_read_session(read, message.session_key, pool, &session, problem);

			if (is_due(looking, key, false))
				looking->scan->message(looking->scan->context, &message,
						       has_session > 0 ? &session : NULL);
		} else if (found == 0) {
			found = store_read_session(read, key, pool, &own, problem);
			if (found > 0 && is_due(looking, key, false))
				looking->scan->session(looking->scan->context, &own);
		}
	}
	pool_free(pool);
	key_set_done(&looking->follow->waiting);
	looking->follow->waiting = still;
	return found < 0 ? found : 0;
}

/* What is older than what is looked at again need not be known. */
static int forget_old(struct store_follow *follow, transaction_key oldest)
{
	struct key_set kept = { .slots = NULL };
	transaction_key key;
	size_t at = 0;
	int error = 0;

	while (error >= 0 && (key = key_set_next(&follow->shown, &at)))
		if (key >= oldest)
			error = key_set_add(&kept, key);
	key_set_done(&follow->shown);
	follow->shown = kept;
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
	int error = show_waiting(looking, read, problem);

	if (!error)
		error = store_read_scan(read, &scan, problem);
	if (!error)
		error = looking->error;
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
