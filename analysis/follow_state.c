/* follow_state.c - three sets of keys, and a few values by their names. */
#include "analysis/follow_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "analysis/database.h"

enum { STATE_APPLICATION = 0x736d7466, STATE_VERSION = 1 };	/* "smtf" */

static const char schema[] =
	"CREATE TABLE waiting(key INTEGER PRIMARY KEY);"
	"CREATE TABLE shown(key INTEGER PRIMARY KEY);"
	"CREATE TABLE told(key INTEGER PRIMARY KEY);"
	"CREATE TABLE place(name TEXT PRIMARY KEY, value) WITHOUT ROWID;";
static const char *const set_names[FOLLOW_SETS] = { "waiting", "shown", "told" };

struct follow_state {
	int lock;			/* the file; -1: not held. Closed last: that drops SQLite's own locks on it */
	struct database *database;
	struct statement *add[FOLLOW_SETS], *drop[FOLLOW_SETS];
	struct statement *read, *write;
	int error;			/* of what was done since the last commit */
};

static int take_lock(struct follow_state *state, const char *path, struct problem *problem)
{
	int error;

	state->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (state->lock < 0) {
		error = -errno;
		problem_set(problem, "cannot open '%s': %s", path, strerror(-error));
		return error;
	}
	if (flock(state->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	error = errno == EWOULDBLOCK ? -EBUSY : -errno;
	problem_set(problem, "'%s' is used by another process", path);
	return error;
}

static int make_tables(struct follow_state *state, const char *path, struct problem *problem)
{
	int64_t application = 0, version = 0, tables = 0;
	char sql[100];
	int error = database_number(state->database, "PRAGMA application_id", &application, problem);

	if (!error)
		error = database_number(state->database, "PRAGMA user_version", &version, problem);
	if (!error)
		error = database_number(state->database, "SELECT count(*) FROM sqlite_schema", &tables, problem);
	if (error || application == STATE_APPLICATION) {
		if (!error && version > STATE_VERSION) {
			problem_set(problem, "'%s' was made by a newer smtptrail", path);
			error = -EPROTONOSUPPORT;
		}
		return error;
	}
	if (application || tables) {
		problem_set(problem, "'%s' is another program's database", path);
		return -EBADMSG;
	}
	(void)snprintf(sql, sizeof sql, "PRAGMA application_id=%d; PRAGMA user_version=%d", STATE_APPLICATION, STATE_VERSION);
	error = database_begin(state->database, problem);
	if (!error)
		error = database_run(state->database, schema, problem);
	if (!error)
		error = database_run(state->database, sql, problem);
	return error ? error : database_commit(state->database, problem);
}

static int prepare(struct follow_state *state, struct problem *problem)
{
	int error = statement_new(&state->read, state->database, "SELECT value FROM place WHERE name=?1", problem);

	if (!error)
		error = statement_new(&state->write, state->database, "INSERT OR REPLACE INTO place(name, value) VALUES(?1, ?2)", problem);
	for (int set = 0; set < FOLLOW_SETS && !error; set++) {
		char sql[100];

		(void)snprintf(sql, sizeof sql, "INSERT OR IGNORE INTO %s(key) VALUES(?1)", set_names[set]);
		error = statement_new(&state->add[set], state->database, sql, problem);
		(void)snprintf(sql, sizeof sql, "DELETE FROM %s WHERE key=?1", set_names[set]);
		if (!error)
			error = statement_new(&state->drop[set], state->database, sql, problem);
	}
	return error;
}

int follow_state_open(struct follow_state **ret_state, const char *path, struct problem *problem)
{
	struct follow_state *state = calloc(1, sizeof *state);
	int error;

	if (!state)
		return -ENOMEM;
	error = take_lock(state, path, problem);
	if (!error)
		error = database_open(&state->database, path, DATABASE_WRITE, problem);
	if (!error)
		error = make_tables(state, path, problem);
	if (!error)
		error = prepare(state, problem);
	if (!error)
		error = database_begin(state->database, problem);
	if (error)
		follow_state_close(state);
	else
		*ret_state = state;
	return error;
}

void follow_state_close(struct follow_state *state)
{
	if (!state)
		return;
	if (state->database)
		database_rollback(state->database);
	database_close(state->database);
	if (state->lock >= 0)
		(void)close(state->lock);
	free(state);
}

/* ---- keys ---- */

int follow_state_each(struct follow_state *state, enum follow_set set, int (*take)(void *context, transaction_key key), void *context)
{
	struct statement *row;
	struct problem problem;
	char sql[100];
	int more = 0, error;

	(void)snprintf(sql, sizeof sql, "SELECT key FROM %s", set_names[set]);
	error = statement_new(&row, state->database, sql, &problem);
	if (error)
		return error;
	while (error >= 0 && (more = statement_step(row)) > 0)
		error = take(context, statement_number(row, 0));
	statement_free(row);
	return error < 0 ? error : more;
}

static void run(struct follow_state *state, struct statement *statement)
{
	int error = statement_run(statement);

	if (error && !state->error)
		state->error = error;
}

void follow_state_add(struct follow_state *state, enum follow_set set, transaction_key key)
{
	statement_bind_number(state->add[set], 1, key);
	run(state, state->add[set]);
}

void follow_state_drop(struct follow_state *state, enum follow_set set, transaction_key key)
{
	statement_bind_number(state->drop[set], 1, key);
	run(state, state->drop[set]);
}

void follow_state_forget(struct follow_state *state, transaction_key oldest)
{
	static const char *const forget[] = {
		"DELETE FROM shown WHERE key < ?1",
		"DELETE FROM told WHERE key < ?1 AND key NOT IN (SELECT key FROM waiting)",
	};

	for (size_t i = 0; i < sizeof forget / sizeof forget[0]; i++) {
		struct statement *statement;
		struct problem problem;
		int error = statement_new(&statement, state->database, forget[i], &problem);

		if (error) {
			state->error = state->error ? state->error : error;
			return;
		}
		statement_bind_number(statement, 1, oldest);
		run(state, statement);
		statement_free(statement);
	}
}

/* ---- values ---- */

uint64_t follow_state_number(struct follow_state *state, const char *name)
{
	uint64_t number = 0;

	statement_bind_text(state->read, 1, text_of(name));
	if (statement_step(state->read) > 0)
		number = statement_number(state->read, 0);
	statement_reset(state->read);
	return number;
}

void follow_state_set_number(struct follow_state *state, const char *name, uint64_t number)
{
	statement_bind_text(state->write, 1, text_of(name));
	statement_bind_number(state->write, 2, number);
	run(state, state->write);
}

bool follow_state_is(struct follow_state *state, const char *name, const char *text)
{
	bool is_there, is_same = true;

	statement_bind_text(state->read, 1, text_of(name));
	is_there = statement_step(state->read) > 0;
	if (is_there)
		is_same = text_equal(statement_text(state->read, 0), text_of(text));
	statement_reset(state->read);
	if (is_there)
		return is_same;
	statement_bind_text(state->write, 1, text_of(name));
	statement_bind_text(state->write, 2, text_of(text));
	run(state, state->write);
	return true;
}

int follow_state_commit(struct follow_state *state, struct problem *problem)
{
	int error = state->error;

	if (error)
		database_explain(state->database, error, problem);
	if (!error)
		error = database_commit(state->database, problem);
	return error ? error : database_begin(state->database, problem);
}
