/*
 * database.h - one SQLite database: the only file that knows the library.
 *
 * Texts come from outside: what is no UTF-8, or holds a NUL, is stored as a BLOB of the same bytes, and both are read
 * alike. A text that is looked for is bound by the same rule.
 *
 * Threads: one owner at a time; with database_start_behind a thread of its own beside, for which each function waits.
 * Memory:  a text that is read lends until the next call on its statement; one that is bound must stay until then.
 * Errors:  -ENOSPC disk full; -EBUSY held by another for DATABASE_WAIT_MS; -EBADMSG damaged, or no database at all;
 *          -EEXIST a key that is there; -EACCES, -ENOENT, -EIO, -ENOMEM as the system says; -EINVAL our own mistake.
 */
#ifndef SMTPTRAIL_DATABASE_H
#define SMTPTRAIL_DATABASE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/problem.h"
#include "common/text.h"

enum { DATABASE_WAIT_MS = 5000 };

struct database;
struct statement;

enum database_access {
	DATABASE_READ,		/* changes nothing; what a killed writer left half done is taken back, where that is allowed */
	DATABASE_WRITE,
	DATABASE_CREATE,	/* the same; makes it, of mode 0640, where there is none */
};

int database_open(struct database **ret_database, const char *path, enum database_access access, struct problem *problem);
/* Its statements go with it. */
void database_close(struct database *database);
const char *database_path(const struct database *database);

/* Bytes of memory that pages may take. */
void database_set_cache(struct database *database, unsigned kilobytes);

/* Runs one statement or several; what they give is dropped. */
int database_run(struct database *database, const char *sql, struct problem *problem);
/* Writes the file anew, without the room that was left in it; needs as much of the disk once more for as long. */
int database_pack(struct database *database, struct problem *problem);
/* The first number that a query gives; 0: it gives none. */
int database_number(struct database *database, const char *sql, int64_t *ret_number, struct problem *problem);
/* Words for an error that one of its statements gave. */
void database_explain(const struct database *database, int error, struct problem *problem);

int database_begin(struct database *database, struct problem *problem);
int database_commit(struct database *database, struct problem *problem);
void database_rollback(struct database *database);
bool database_is_in_transaction(const struct database *database);

/*
 * A function for statements: NAME(which, value) is 1 where test says so of the value, and 0 of NULL. Whatever stands in the
 * file, a statement of ours alone calls it. The name must stay as long as the database, the context as long as it is called; of the same
 * name the last counts.
 */
struct database_value {
	bool is_text;
	struct text text;
	uint64_t number;
};
typedef bool database_test(const void *context, uint64_t which, const struct database_value *value);
int database_add_test(struct database *database, const char *name, database_test *test, const void *context);

/*
 * Another: NAME(which, value) is what change makes of a text, which it lends until its next call; -errno ends the statement.
 * What is no text stays.
 */
typedef int database_change(void *context, uint64_t which, struct text text, struct text *ret_text);
int database_add_change(struct database *database, const char *name, database_change *change, void *context);

/* Prepares a statement that is used again and again. */
int statement_new(struct statement **ret_statement, struct database *database, const char *sql, struct problem *problem);
/* Before its database is closed, where it is made for one question. */
void statement_free(struct statement *statement);
/* What is not bound is NULL. Parameters count from 1. */
void statement_clear(struct statement *statement);
void statement_bind_number(struct statement *statement, int parameter, uint64_t number);
void statement_bind_text(struct statement *statement, int parameter, struct text text);	/* absent: NULL */
void statement_bind_bytes(struct statement *statement, int parameter, struct text bytes);

/* 1: a row; 0: the end; -errno. The latter two also make it ready for the next time. */
int statement_step(struct statement *statement);
/* Runs it to its end: 0 or -errno. */
int statement_run(struct statement *statement);
void statement_reset(struct statement *statement);

/* Columns count from 0. */
bool statement_is_null(const struct statement *statement, int column);
uint64_t statement_number(const struct statement *statement, int column);
struct text statement_text(const struct statement *statement, int column);	/* absent: NULL */

/*
 * From now on the statements that are named by statement_run_behind are run by a thread, in their order, while the owner goes on; what is
 * bound to them is copied. Whatever else is asked of the database waits until they are done, and gives the first error that one
 * of them had, up to a rollback. 0 or -ENOMEM.
 */
int database_start_behind(struct database *database);
/* It gives no rows, and whether it fails is not known at once. Where no thread was started it is run as all others. */
void statement_run_behind(struct statement *statement);

/* Rows that the last statement changed. */
uint64_t database_changes(const struct database *database);
int64_t database_last_row(const struct database *database);

#endif
