/*
 * store_read.h - a store as its readers see it: beside an ingest that writes, and without changing a byte.
 *
 * What a commit brings is seen as soon as it is in the database of its day.
 *
 * Threads: one owner at a time.
 * Memory:  what is read is made in the caller's pool, or lent for the call; caches of STORE_READ_OPEN databases, small ones
 *          but for the day that is looked through.
 * Errors:  -ENOENT: there is no store; else as database.h. The problem says it in words.
 */
#ifndef SMTPTRAIL_STORE_READ_H
#define SMTPTRAIL_STORE_READ_H

#include "analysis/query.h"
#include "analysis/source.h"
#include "analysis/store_days.h"

enum { STORE_READ_OPEN = 64 };

struct store_read;

int store_read_open(struct store_read **ret_read, const char *directory, struct source_table *sources, struct problem *problem);
/* Before anything is read: whoever takes it asks for these facts alone, and none needs evidence. NULL: all. */
void store_read_choose(struct store_read *read, const struct fact_set *facts);
void store_read_close(struct store_read *read);

/* Those that a query may find, day by day in the order of their keys: the query itself is to be asked of each. What is NULL
 * is not looked for. */
typedef void store_read_key(void *context, transaction_key key);

struct store_scan {
	const struct query *query;	/* NULL: all */
	uint64_t from_us;		/* what began before is not shown, or is by little */
	bool (*skips_day)(const void *context, store_day day);	/* NULL: none */
	const void *skip_context;
	/* Asked behind each day and some rows of it, the newest first: whether what began before then need not be looked at. NULL: it is all looked
	 * at, the oldest day first. */
	bool (*is_enough)(void *context, uint64_t before_us);
	bool asks_again;		/* about what belongs to what is found: days where nothing was found stay open, too */
	bool with_attempts;
	bool with_ways;			/* messages have their way; of what is chosen the client and account are in it */
	bool attempts_apart;		/* each attempt is asked for alone, too */
	void (*message)(void *context, const struct message *message, const struct session *session);
	void (*session)(void *context, const struct session *session);
	void (*login)(void *context, const struct login *login);
	/* In place of message and of session, for whoever needs no more, where it is known that the query finds it. NULL: nobody. */
	store_read_key *message_key, *session_key;
	void *context;
};
int store_read_scan(struct store_read *read, const struct store_scan *scan, struct problem *problem);

/* 1: found; 0: there is none; -errno. */
int store_read_message(struct store_read *read, transaction_key key, bool with_attempts, struct pool *pool, struct message *ret_message,
		       struct problem *problem);
int store_read_session(struct store_read *read, transaction_key key, struct pool *pool, struct session *ret_session,
		       struct problem *problem);

/* Keys of messages that came from a message, and of those of a session. */
int store_read_children(struct store_read *read, transaction_key parent, store_read_key *take, void *context, struct problem *problem);
int store_read_of_session(struct store_read *read, const struct session *session, store_read_key *take, void *context,
			  struct problem *problem);
/* Keys of sessions that began on other days than the day, and have a message on it. */
int store_read_other_sessions(struct store_read *read, store_day day, store_read_key *take, void *context, struct problem *problem);
/* Logins of a session, lent for the call. */
int store_read_logins(struct store_read *read, const struct session *session, void (*take)(void *context, const struct login *login),
		      void *context, struct problem *problem);

/* The days that there are, the oldest first. */
const store_day *store_read_days(const struct store_read *read, size_t *ret_count);
/* The last evidence of a day's messages, and the begin of its last session or login; 0: there is nothing. */
int store_read_last(struct store_read *read, store_day day, uint64_t *ret_last_us, struct problem *problem);
/* From when to when there is something; 0: there is nothing. */
int store_read_span(struct store_read *read, uint64_t *ret_from_us, uint64_t *ret_until_us, struct problem *problem);

#endif
