/*
 * store_join.h - the join and its store: what is under way goes there with each commit, and comes back at the start.
 *
 * A process that goes on behind a commit comes to the same rows as one that was never stopped.
 *
 * Threads: one owner at a time, that of both.
 * Errors:  as store.h.
 */
#ifndef SMTPTRAIL_STORE_JOIN_H
#define SMTPTRAIL_STORE_JOIN_H

#include "analysis/store.h"

/* Into a join that has seen nothing yet. */
int store_join_restore(struct store *store, struct correlate *correlate, struct problem *problem);
/* Logins that last, and of which test says so of a text, are under way no more: what ends them is told of nobody. With the next
 * commit. */
int store_join_forget_logins(struct store *store, correlate_test *test, const void *context, struct problem *problem);
/* All that has changed in the join, with the positions that were set (store_set_input), in one commit. */
int store_join_commit(struct store *store, struct correlate *correlate, struct problem *problem);

#endif
