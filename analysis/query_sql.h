/*
 * query_sql.h - a query as SQL over a day's database of the store: which rows may match.
 *
 * The tests themselves are those of query_match.c, which SQL calls: fits(term, value) and fits_domain(term, value). So SQL
 * and the predicate cannot differ in what a value is. What the database of one day cannot tell (the session of a message
 * that came the day before) is taken as possible; query_matches is asked of each row afterwards.
 *
 * Made for one database, its dictionaries are looked in first: what no text of theirs is like cannot be in a row, and needs
 * no statement.
 *
 * Threads: one owner at a time; what is made is read only.
 * Memory:  borrows the query.
 */
#ifndef SMTPTRAIL_QUERY_SQL_H
#define SMTPTRAIL_QUERY_SQL_H

#include <stdio.h>

#include "analysis/database.h"
#include "analysis/query.h"

enum query_sql_of { QUERY_SQL_MESSAGES, QUERY_SQL_SESSIONS, QUERY_SQL_LOGINS, QUERY_SQL_COUNT };

struct query_sql;
struct query_term;

/*
 * The one database that it is for, as it is now. others: *ret_keys becomes "1,2,3", to free, of sessions of other days that messages
 * of this one came in: those that query_sql_find_sessions finds for the term and fact. NULL stays: they are too many, or not known.
 * Where its day is not at hand, *ret_keys must not name it.
 */
struct query_sql_day {
	struct database *database;
	int (*others)(void *context, const struct query_term *term, enum fact fact, char **ret_keys);	/* NULL: not known */
	void *context;
};

/* attempts_apart: each attempt is a row of its own, too, with nothing but itself. day: NULL: any. 0, -ENOMEM, or an error of
 * the database, which can explain it, or of others. */
int query_sql_new(struct query_sql **ret_sql, const struct query *query, bool attempts_apart, const struct query_sql_day *day);

/* Sessions with such keys, and perhaps others between the first and the last of them, that the term fits in that fact: behind
 * those which *count says were printed. */
struct query_sql_keys {
	const char *list;		/* "1,2,3" */
	uint64_t first, last;
};
int query_sql_find_sessions(const struct query_term *term, enum fact fact, struct database *database, const struct query_sql_keys *keys,
			    FILE *out, size_t *count);
void query_sql_free(struct query_sql *sql);

/* "SELECT key ...", in their order, ?1 and ?2 being the first and the last; NULL: no row of that kind can match. */
const char *query_sql_select(const struct query_sql *sql, enum query_sql_of of);
/* Whether it is found by indexes alone, without a look at each row. */
bool query_sql_is_indexed(const struct query_sql *sql, enum query_sql_of of);
/* Whether every row that it gives matches, of messages whose session is in the same database. */
bool query_sql_is_exact(const struct query_sql *sql, enum query_sql_of of);

/* For a database that the statements are prepared for. */
int query_sql_add_tests(const struct query_sql *sql, struct database *database);

#endif
