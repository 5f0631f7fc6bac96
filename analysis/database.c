/* database.c - what is asked of SQLite, and what its errors mean. */
#include "analysis/database.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "analysis/worker.h"
#include "common/escape.h"

struct statement {
	struct statement *next;
	struct database *database;
	sqlite3_stmt *prepared;
	bool is_behind;			/* as statement_run_behind says */
};

/* What SQLite is told of a test. */
struct added_test {
	struct added_test *next;
	const char *name;
	database_test *test;
	const void *context;
};

/* And of a change, which it frees. */
struct added_change {
	database_change *change;
	void *context;
};

struct database {
	sqlite3 *handle;
	char *path;
	struct added_test *tests;
	struct statement *statements;
	struct worker *worker;		/* NULL: all is run at once */
	const struct statement *taken;	/* of which steps are taken down */
	bool has_lost_steps;		/* there was no memory for one */
	/* Of the thread, and the owner's while that has nothing to do. */
	struct statement *running;
	int behind_error;		/* the first */
};

/* What is done behind: the statement that the next steps are of, what is bound to it, that it is run. */
enum step_kind { STEP_STATEMENT, STEP_CLEAR, STEP_NUMBER, STEP_TEXT, STEP_BYTES, STEP_NULL, STEP_RUN };

struct step {
	uint16_t kind, parameter;
	uint32_t length;		/* of the bytes behind it, which are padded */
	union {
		uint64_t number;
		struct statement *statement;
	};
};

static int settle(struct database *database);

static int error_of(sqlite3 *handle, int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT:
		return -EBADMSG;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_TOOBIG:
		return -EFBIG;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN: {
		int system = handle ? sqlite3_system_errno(handle) : 0;

		/* A write that found no room may be told as an I/O error. */
		return system > 0 ? -system : -EIO;
	}
	default:
		return -EINVAL;
	}
}

static void say(const struct database *database, const char *what, struct problem *problem)
{
	problem_set(problem, "%s '%s': %s", what, database->path, sqlite3_errmsg(database->handle));
}

void database_explain(const struct database *database, int error, struct problem *problem)
{
	if (database->worker)
		worker_wait(database->worker);
	switch (-error) {
	case ENOSPC:
		problem_set(problem, "cannot write '%s': no space left on its disk", database->path);
		break;
	case EBADMSG:
		problem_set(problem, "'%s' is damaged, or no database: %s", database->path, sqlite3_errmsg(database->handle));
		break;
	case EBUSY:
		problem_set(problem, "'%s' is held by another process", database->path);
		break;
	default:
		say(database, "cannot use", problem);
	}
}

/* SQLite gives a file that it makes mode 0644; those beside it (-wal, -shm) get the mode of the file. */
static int make_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);

	if (fd < 0)
		return -errno;
	(void)close(fd);
	return 0;
}

/* Who was killed between a journal and its commit left the old pages beside the file; to put them back is to write. */
static int take_back(struct database *database, struct problem *problem)
{
	sqlite3 *writing = NULL;
	int code = sqlite3_open_v2(database->path, &writing, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);

	if (code == SQLITE_OK)
		(void)sqlite3_busy_timeout(writing, DATABASE_WAIT_MS);
	if (code == SQLITE_OK)
		code = sqlite3_exec(writing, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
	if (code != SQLITE_OK)
		problem_set(problem, "'%s' was left half written by a program that was killed, and only who may write it can mend it: %s",
			    database->path, sqlite3_errstr(code));
	code = error_of(writing, code);
	(void)sqlite3_close(writing);
	return code;
}

static int begin_reading(struct database *database, struct problem *problem)
{
	static const char any_page[] = "SELECT count(*) FROM sqlite_schema";
	int64_t ignored;
	int error = database_number(database, any_page, &ignored, problem);

	if (error && sqlite3_extended_errcode(database->handle) == SQLITE_READONLY_ROLLBACK) {
		error = take_back(database, problem);
		if (!error)
			error = database_number(database, any_page, &ignored, problem);
	}
	return error;
}

static int set_up(struct database *database, enum database_access access, struct problem *problem)
{
	(void)sqlite3_extended_result_codes(database->handle, 1);
	(void)sqlite3_busy_timeout(database->handle, DATABASE_WAIT_MS);
	/* A file that others made may hold views and triggers that call functions. */
	(void)sqlite3_db_config(database->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(database->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(database->handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	/* A name in double quotes that is no column is not to become a text. */
	(void)sqlite3_db_config(database->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	(void)sqlite3_db_config(database->handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	if (access == DATABASE_READ)
		return begin_reading(database, problem);
	return database_run(database, "PRAGMA page_size=16384; PRAGMA temp_store=MEMORY; PRAGMA foreign_keys=OFF;", problem);
}

/* Its count of memory takes a lock at each allocation, and nobody asks for it. */
static void set_up_library(void)
{
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

int database_open(struct database **ret_database, const char *path, enum database_access access, struct problem *problem)
{
	const int flags = (access == DATABASE_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) | SQLITE_OPEN_NOMUTEX |
		SQLITE_OPEN_EXRESCODE;
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct database *database = calloc(1, sizeof *database);
	int code, error = -ENOMEM;

	(void)pthread_once(&once, set_up_library);

	if (!database)
		return -ENOMEM;
	database->path = strdup(path);
	if (!database->path)
		goto failed;
	error = access == DATABASE_CREATE ? make_file(path) : 0;
	if (error) {
		problem_set(problem, "cannot make '%s': %s", path, strerror(-error));
		goto failed;
	}
	code = sqlite3_open_v2(path, &database->handle, flags, NULL);
	error = error_of(database->handle, code);
	if (error) {
		problem_set(problem, "cannot open '%s': %s", path,
			    error == -ENOMEM ? strerror(ENOMEM) : error == -EIO ? sqlite3_errstr(code) : strerror(-error));
		goto failed;
	}
	error = set_up(database, access, problem);
	if (error)
		goto failed;
	*ret_database = database;
	return 0;
failed:
	database_close(database);
	return error;
}

void database_close(struct database *database)
{
	if (!database)
		return;
	worker_free(database->worker);
	while (database->statements) {
		struct statement *statement = database->statements;

		database->statements = statement->next;
		(void)sqlite3_finalize(statement->prepared);
		free(statement);
	}
	(void)sqlite3_close(database->handle);
	while (database->tests) {
		struct added_test *added = database->tests;

		database->tests = added->next;
		free(added);
	}
	free(database->path);
	free(database);
}

const char *database_path(const struct database *database)
{
	return database->path;
}

void database_set_cache(struct database *database, unsigned kilobytes)
{
	char *sql = sqlite3_mprintf("PRAGMA cache_size=-%u", kilobytes);

	(void)settle(database);
	if (sql)
		(void)sqlite3_exec(database->handle, sql, NULL, NULL, NULL);
	sqlite3_free(sql);
}

int database_run(struct database *database, const char *sql, struct problem *problem)
{
	int error = settle(database);

	if (!error)
		error = error_of(database->handle, sqlite3_exec(database->handle, sql, NULL, NULL, NULL));
	if (error)
		database_explain(database, error, problem);
	return error;
}

int database_pack(struct database *database, struct problem *problem)
{
	/* In memory the copy would be as large as a day. */
	int error = database_run(database, "PRAGMA temp_store=FILE; VACUUM", problem);

	(void)database_run(database, "PRAGMA temp_store=MEMORY", NULL);
	return error;
}

int database_number(struct database *database, const char *sql, int64_t *ret_number, struct problem *problem)
{
	sqlite3_stmt *prepared = NULL;
	int code = SQLITE_OK, error = settle(database);

	if (!error)
		code = sqlite3_prepare_v2(database->handle, sql, -1, &prepared, NULL);
	if (!error && code == SQLITE_OK)
		code = sqlite3_step(prepared);
	if (!error)
		error = error_of(database->handle, code);
	if (error)
		database_explain(database, error, problem);
	else
		*ret_number = code == SQLITE_ROW ? sqlite3_column_int64(prepared, 0) : 0;
	(void)sqlite3_finalize(prepared);
	return error;
}

int database_begin(struct database *database, struct problem *problem)
{
	return database_run(database, "BEGIN IMMEDIATE", problem);
}

int database_commit(struct database *database, struct problem *problem)
{
	int error = database_run(database, "COMMIT", problem);

	if (error)
		database_rollback(database);
	return error;
}

void database_rollback(struct database *database)
{
	(void)settle(database);
	database->behind_error = 0;
	database->has_lost_steps = false;
	if (database_is_in_transaction(database))
		(void)sqlite3_exec(database->handle, "ROLLBACK", NULL, NULL, NULL);
}

bool database_is_in_transaction(const struct database *database)
{
	if (database->worker)
		worker_wait(database->worker);
	return !sqlite3_get_autocommit(database->handle);
}

static void call_test(sqlite3_context *context, int count, sqlite3_value **values)
{
	const struct added_test *added = sqlite3_user_data(context);
	struct database_value value = { .is_text = false };
	int type = sqlite3_value_type(values[1]);

	(void)count;
	if (type == SQLITE_TEXT || type == SQLITE_BLOB) {
		const char *bytes = sqlite3_value_blob(values[1]);

		value.is_text = true;
		value.text = (struct text){ bytes ? bytes : "", (size_t)sqlite3_value_bytes(values[1]) };
	} else {
		value.number = (uint64_t)sqlite3_value_int64(values[1]);
	}
	sqlite3_result_int(context, type != SQLITE_NULL && added->test(added->context, (uint64_t)sqlite3_value_int64(values[0]), &value));
}

int database_add_test(struct database *database, const char *name, database_test *test, const void *context)
{
	struct added_test *added = database->tests;

	while (added && strcmp(added->name, name) != 0)
		added = added->next;
	if (added) {
		added->test = test;
		added->context = context;
		return 0;
	}
	added = malloc(sizeof *added);
	if (!added)
		return -ENOMEM;
	*added = (struct added_test){ database->tests, name, test, context };
	database->tests = added;
	return error_of(database->handle, sqlite3_create_function_v2(database->handle, name, 2,
								      SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, added,
								      call_test, NULL, NULL, NULL));
}

static void call_change(sqlite3_context *context, int count, sqlite3_value **values)
{
	const struct added_change *added = sqlite3_user_data(context);
	int type = sqlite3_value_type(values[1]), error;
	struct text text = TEXT_NONE;

	(void)count;
	if (type != SQLITE_TEXT && type != SQLITE_BLOB) {
		sqlite3_result_value(context, values[1]);
		return;
	}
	const char *bytes = sqlite3_value_blob(values[1]);

	error = added->change(added->context, (uint64_t)sqlite3_value_int64(values[0]),
			      (struct text){ bytes ? bytes : "", (size_t)sqlite3_value_bytes(values[1]) }, &text);
	if (error)
		sqlite3_result_error_code(context, error == -ENOMEM ? SQLITE_NOMEM : SQLITE_ERROR);
	else if (escape_is_utf8(text))
		sqlite3_result_text64(context, text.start, text.length, SQLITE_TRANSIENT, SQLITE_UTF8);
	else
		sqlite3_result_blob64(context, text.start, text.length, SQLITE_TRANSIENT);
}

int database_add_change(struct database *database, const char *name, database_change *change, void *context)
{
	struct added_change *added = malloc(sizeof *added);

	if (!added)
		return -ENOMEM;
	*added = (struct added_change){ change, context };
	/* It is freed where this fails, too. */
	return error_of(database->handle, sqlite3_create_function_v2(database->handle, name, 2,
								      SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, added,
								      call_change, NULL, NULL, free));
}

/* ---- statements ---- */

static int step(struct statement *statement)
{
	int code = sqlite3_step(statement->prepared), error;

	if (code == SQLITE_ROW)
		return 1;
	error = error_of(statement->database->handle, code);
	(void)sqlite3_reset(statement->prepared);
	return error;
}

static int run(struct statement *statement)
{
	int more;

	do
		more = step(statement);
	while (more > 0);
	return more;
}

/* ---- behind ---- */

/* NULL: no memory, which whoever waits next is told. */
static struct step *take_step(struct statement *statement, enum step_kind kind, uint32_t length)
{
	struct database *database = statement->database;
	size_t padded = (length + sizeof(uint64_t) - 1) & ~(sizeof(uint64_t) - 1);
	bool is_other = database->taken != statement;
	struct step *steps = worker_add(database->worker, (1 + (size_t)is_other) * sizeof *steps + padded);

	if (!steps) {
		database->has_lost_steps = true;
		return NULL;
	}
	if (is_other)
		*steps++ = (struct step){ .kind = STEP_STATEMENT, .statement = statement };
	database->taken = statement;
	*steps = (struct step){ .kind = (uint16_t)kind, .length = length };
	return steps;
}

static void take_bytes(struct statement *statement, enum step_kind kind, int parameter, struct text bytes)
{
	struct step *step = take_step(statement, bytes.start ? kind : STEP_NULL, bytes.start ? (uint32_t)bytes.length : 0);

	if (!step)
		return;
	step->parameter = (uint16_t)parameter;
	if (step->length)
		memcpy(step + 1, bytes.start, bytes.length);
}

static void take_number(struct statement *statement, int parameter, uint64_t number)
{
	struct step *step = take_step(statement, STEP_NUMBER, 0);

	if (!step)
		return;
	step->parameter = (uint16_t)parameter;
	step->number = number;
}

static void bind_step(sqlite3_stmt *prepared, const struct step *step)
{
	const char *bytes = (const char *)(step + 1);

	switch ((enum step_kind)step->kind) {
	case STEP_CLEAR:
		(void)sqlite3_clear_bindings(prepared);
		break;
	case STEP_NUMBER:
		(void)sqlite3_bind_int64(prepared, step->parameter, (int64_t)step->number);
		break;
	case STEP_TEXT:
		(void)sqlite3_bind_text64(prepared, step->parameter, bytes, step->length, SQLITE_STATIC, SQLITE_UTF8);
		break;
	case STEP_BYTES:
		(void)sqlite3_bind_blob64(prepared, step->parameter, bytes, step->length, SQLITE_STATIC);
		break;
	case STEP_NULL:
		(void)sqlite3_bind_null(prepared, step->parameter);
		break;
	case STEP_STATEMENT:
	case STEP_RUN:
		break;
	}
}

/* What is bound lies in the same bytes, behind which the statement is run. */
static void do_steps(void *context, const unsigned char *bytes, size_t length)
{
	struct database *database = context;

	for (size_t at = 0; at < length;) {
		const struct step *step = (const struct step *)(const void *)(bytes + at);

		at += sizeof *step + ((step->length + sizeof(uint64_t) - 1) & ~(sizeof(uint64_t) - 1));
		if (step->kind == STEP_STATEMENT)
			database->running = step->statement;
		else if (step->kind != STEP_RUN)
			bind_step(database->running->prepared, step);
		else if (!database->behind_error)
			database->behind_error = run(database->running);
	}
}

/* What is asked now, comes behind it. */
static int settle(struct database *database)
{
	if (!database->worker)
		return 0;
	worker_wait(database->worker);
	if (!database->behind_error && database->has_lost_steps)
		database->behind_error = -ENOMEM;
	return database->behind_error;
}

int database_start_behind(struct database *database)
{
	if (!database->worker)
		database->worker = worker_new(do_steps, database);
	return database->worker ? 0 : -ENOMEM;
}

void statement_run_behind(struct statement *statement)
{
	statement->is_behind = statement->database->worker;
}

int statement_new(struct statement **ret_statement, struct database *database, const char *sql, struct problem *problem)
{
	struct statement *statement = calloc(1, sizeof *statement);
	int error;

	(void)settle(database);
	error = statement ? error_of(database->handle, sqlite3_prepare_v3(database->handle, sql, -1, SQLITE_PREPARE_PERSISTENT,
									       &statement->prepared, NULL)) : -ENOMEM;

	if (error) {
		database_explain(database, error, problem);
		free(statement);
		return error;
	}
	statement->database = database;
	statement->next = database->statements;
	database->statements = statement;
	*ret_statement = statement;
	return 0;
}

void statement_free(struct statement *statement)
{
	struct statement **link;

	if (!statement)
		return;
	(void)settle(statement->database);
	for (link = &statement->database->statements; *link != statement; link = &(*link)->next)
		;
	*link = statement->next;
	(void)sqlite3_finalize(statement->prepared);
	free(statement);
}

void statement_clear(struct statement *statement)
{
	if (statement->is_behind) {
		(void)take_step(statement, STEP_CLEAR, 0);
		return;
	}
	(void)settle(statement->database);
	(void)sqlite3_clear_bindings(statement->prepared);
}

void statement_bind_number(struct statement *statement, int parameter, uint64_t number)
{
	if (statement->is_behind) {
		take_number(statement, parameter, number);
		return;
	}
	(void)settle(statement->database);
	(void)sqlite3_bind_int64(statement->prepared, parameter, (int64_t)number);
}

void statement_bind_bytes(struct statement *statement, int parameter, struct text bytes)
{
	if (statement->is_behind) {
		take_bytes(statement, STEP_BYTES, parameter, bytes);
		return;
	}
	(void)settle(statement->database);
	(void)sqlite3_bind_blob64(statement->prepared, parameter, bytes.start, bytes.length, SQLITE_STATIC);
}

void statement_bind_text(struct statement *statement, int parameter, struct text text)
{
	if (!text.start || !escape_is_utf8(text)) {
		statement_bind_bytes(statement, parameter, text);
		return;
	}
	if (statement->is_behind) {
		take_bytes(statement, STEP_TEXT, parameter, text);
		return;
	}
	(void)settle(statement->database);
	(void)sqlite3_bind_text64(statement->prepared, parameter, text.start, text.length, SQLITE_STATIC, SQLITE_UTF8);
}

int statement_step(struct statement *statement)
{
	int error = settle(statement->database);

	return error ? error : step(statement);
}

int statement_run(struct statement *statement)
{
	int error;

	if (statement->is_behind) {
		(void)take_step(statement, STEP_RUN, 0);
		worker_pass(statement->database->worker);
		return 0;
	}
	error = settle(statement->database);
	return error ? error : run(statement);
}

void statement_reset(struct statement *statement)
{
	(void)settle(statement->database);
	(void)sqlite3_reset(statement->prepared);
}

bool statement_is_null(const struct statement *statement, int column)
{
	return sqlite3_column_type(statement->prepared, column) == SQLITE_NULL;
}

uint64_t statement_number(const struct statement *statement, int column)
{
	return (uint64_t)sqlite3_column_int64(statement->prepared, column);
}

struct text statement_text(const struct statement *statement, int column)
{
	if (statement_is_null(statement, column))
		return TEXT_NONE;
	/* A BLOB of no bytes has no address. */
	const char *bytes = sqlite3_column_blob(statement->prepared, column);

	return (struct text){ bytes ? bytes : "", (size_t)sqlite3_column_bytes(statement->prepared, column) };
}

uint64_t database_changes(const struct database *database)
{
	if (database->worker)
		worker_wait(database->worker);
	return (uint64_t)sqlite3_changes64(database->handle);
}

int64_t database_last_row(const struct database *database)
{
	if (database->worker)
		worker_wait(database->worker);
	return sqlite3_last_insert_rowid(database->handle);
}
