/*
 * store_rows.h - transactions as rows of a day's database, and back.
 *
 * Putting is idempotent: what is there under the same key is replaced. Recipients of a message stand under its key and
 * their number, attempts under both and their own.
 *
 * Threads: one owner at a time.
 * Memory:  what is read is made in the caller's pool, and lives as long as that.
 * Errors:  as database.h, which words stand in the problem given to store_rows_explain.
 */
#ifndef SMTPTRAIL_STORE_ROWS_H
#define SMTPTRAIL_STORE_ROWS_H

#include "analysis/source.h"
#include "analysis/store_schema.h"
#include "analysis/transaction.h"

struct store_rows;

/* Makes the database where access is DATABASE_CREATE and there is none; upgrades it unless access is DATABASE_READ. facts: those
 * alone are read, and none has evidence; NULL: all. */
int store_rows_open(struct store_rows **ret_rows, const char *path, enum database_access access, struct source_table *sources,
		    const struct fact_set *facts, struct problem *problem);
void store_rows_close(struct store_rows *rows);
struct database *store_rows_database(struct store_rows *rows);
void store_rows_explain(const struct store_rows *rows, int error, struct problem *problem);
/*
 * Where many rows are to be put: see store_dictionary_hold. Of a database that has none yet they are put by a thread of its own
 * (database_start_behind), and errors are told by store_rows_commit at the latest.
 */
int store_rows_hold(struct store_rows *rows);
/* Between transactions, where no more is to be put soon: what is held is forgotten, and pages take so much memory. */
void store_rows_relax(struct store_rows *rows, unsigned kilobytes);
/* Ends the transaction: what was put stays, or is taken back. */
int store_rows_commit(struct store_rows *rows, struct problem *problem);
void store_rows_rollback(struct store_rows *rows);

int store_put_session(struct store_rows *rows, const struct session *session);
/* With those recipients that have changed and its checks, without attempts. */
int store_put_message(struct store_rows *rows, const struct message *message);
int store_put_attempt(struct store_rows *rows, const struct attempt_name *name, const struct attempt *attempt);
int store_put_login(struct store_rows *rows, const struct login *login);
/* A session, or a message with all that is below it. */
int store_drop(struct store_rows *rows, enum fact_level level, transaction_key key);
/* A recipient's attempts become those of another, perhaps of another day, and its row goes. */
int store_move_attempts(struct store_rows *rows, const struct recipient_name *from, struct store_rows *into_rows,
			const struct recipient_name *into);

/* 1: found; 0: there is none; -errno. */
int store_get_session(struct store_rows *rows, transaction_key key, struct pool *pool, struct session *ret_session);
int store_get_message(struct store_rows *rows, transaction_key key, bool with_attempts, struct pool *pool,
		      struct message *ret_message);
int store_get_login(struct store_rows *rows, transaction_key key, struct pool *pool, struct login *ret_login);

/*
 * All sessions, messages or logins with keys from the first to the last, in their order: one ordered look at each table, those
 * below messages beside them. What is got by its key in between does not disturb it; store_walk_end, before the transaction
 * ends. 1: the next; 0: there is no more; -errno.
 */
int store_walk_start(struct store_rows *rows, enum fact_level level, transaction_key first, transaction_key last,
		     struct problem *problem);
int store_walk_session(struct store_rows *rows, struct pool *pool, struct session *ret_session);
int store_walk_message(struct store_rows *rows, bool with_attempts, struct pool *pool, struct message *ret_message);
int store_walk_login(struct store_rows *rows, struct pool *pool, struct login *ret_login, transaction_key *ret_key);
void store_walk_end(struct store_rows *rows);
/* Before a walk over many rows: see store_dictionary_expect_all. */
void store_rows_expect_all(struct store_rows *rows);

/* A message's attempts, in the order of recipients and time; facts are taken back behind each call. 0 or -errno. */
int store_each_attempt(struct store_rows *rows, transaction_key message_key, struct pool *pool,
		       int (*take)(void *context, const struct attempt_name *name, const struct attempt *attempt), void *context);

#endif
