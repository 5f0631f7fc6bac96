/*
 * store.h - transactions kept: a directory of SQLite databases, one for each day in UTC, and current.db.
 *
 * A transaction lives in the database of the day in which it began, from its first commit on, whether it has ended or
 * not. current.db holds how far the inputs were read, which transactions are still under way, and what the last commits
 * changed, or which files have it (store_image_file.h). store_commit is one transaction of current.db; what it changed goes
 * to the days behind it, by upserts that change nothing when they are made again: that is what happens at the next opening
 * after a kill between the two. So an input may be acknowledged once store_commit has returned 0.
 *
 * Both are synced at each commit (a few in a second at most): with less, a power cut could keep the one and lose the other.
 *
 * Threads: one owner at a time. One process at a time writes to a store; any number reads it beside.
 * Memory:  what has changed since the last commit (in bulk: of STORE_MOVING_MAX more), the caches of STORE_DAYS_OPEN databases, and in bulk
 *          the texts of days that are new (store_dictionary_hold).
 * Errors:  sinks do not fail; the next commit tells. After a commit that failed the store is to be closed, and opened again.
 */
#ifndef SMTPTRAIL_STORE_H
#define SMTPTRAIL_STORE_H

#include "analysis/correlate.h"
#include "analysis/store_days.h"

enum { STORE_DAYS_OPEN = 6 };

struct store_options {
	const char *directory;
	struct source_table *sources;	/* empty, or of the process that wrote last */
	/* A day that is new gets its indexes at the end (store_finish), and what a commit changed goes into its days beside what
	 * comes next. Whoever reads a day sees it after some commits (BULK_COMMITS), or store_settle. */
	bool is_bulk;
	/* What is put into a day that is new is counted meanwhile (store_counting.h): neither records nor what rests will come. */
	bool counts_days;
};

struct store;

/* Makes the directory where there is none. 0 or -errno with the problem in words; -EBUSY: another process writes. */
int store_open(struct store **ret_store, const struct store_options *options, struct problem *problem);
void store_close(struct store *store);

/* What has ended goes to the one, what is under way and has changed to the other (correlate_show_changed). */
void store_ended_sink(struct store *store, struct correlate_sink *ret_sink);
void store_changed_sink(struct store *store, struct correlate_sink *ret_sink);
/* With the next commit: what else is to come back with a session or message under way; and what with none of them. */
int store_keep_state(struct store *store, bool is_session, transaction_key key, struct text state, struct problem *problem);
int store_keep_join_state(struct store *store, struct text state, struct problem *problem);
/* Bytes that wait for the next commit. */
size_t store_pending(const struct store *store);

/* How far an input was read; kind and name tell it, its state is its own. With the next commit. */
int store_set_input(struct store *store, const char *kind, struct text name, struct text state, struct problem *problem);
/* 0 or -errno. */
int store_each_input(struct store *store, const char *kind, void (*take)(void *context, struct text name, struct text state),
		     void *context, struct problem *problem);

int store_commit(struct store *store, struct problem *problem);
/* Commits, and waits until all of it is in its days. */
int store_settle(struct store *store, struct problem *problem);
/* The same, and indexes of days that have none yet. */
int store_finish(struct store *store, struct problem *problem);

/* What was counted of a day, when nothing more is put into it; to free. NULL: it was not. */
struct store_rollup *store_take_counted(struct store *store, store_day day);
/* What is still under way is counted as it stands: behind the last commit. */
void store_counting_sink(struct store *store, struct correlate_sink *ret_sink);

/* What the join might ask for again is asked for no longer, where test says so of its bytes. */
int store_forget_rests(struct store *store, bool (*test)(const void *context, struct text bytes), const void *context,
		       struct problem *problem);
/* Nothing is on its way any more, current.db has no bytes of what was, and days are closed: others may change them while the
 * store is locked. */
int store_put_to_rest(struct store *store, struct problem *problem);

/* What was under way when it was closed: the state that is of none, sessions, then messages, each lent for the call. Each
 * may be NULL. */
struct store_restorer {
	void (*join)(void *context, struct text state);
	void (*session)(void *context, const struct session *session, struct text state);
	void (*message)(void *context, const struct message *message, struct text state);
	void *context;
};
int store_restore(struct store *store, const struct store_restorer *restorer, struct problem *problem);

/* Days that go: those that ended so long before now_us (keep_us 0: none), and the oldest beyond size bytes (0: none), never
 * the newest. *ret_days: how many went. */
struct store_retention {
	uint64_t keep_us, size;
};
int store_prune(struct store *store, const struct store_retention *retention, uint64_t now_us, unsigned *ret_days,
		struct problem *problem);

struct store_counts {
	uint64_t commits, sessions, messages, recipients, attempts, logins;	/* put, again or new */
	uint64_t open;				/* sessions and messages under way */
};
void store_counts(const struct store *store, struct store_counts *ret_counts);

#endif
