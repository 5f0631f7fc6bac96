/*
 * store_rests.h - what the join may ask for again (struct correlate_rest): tables rest and rest_name of current.db.
 *
 * What comes is found at once, and written with the next commit; what is dropped is found no more, and gone with that.
 *
 * Threads: one owner at a time, that of the database.
 * Memory:  what came since the last commit.
 * Limits:  STORE_RESTS_MAX of them, and none that began STORE_RESTS_DAYS before the newest: older ones go.
 * Errors:  adding, finding and dropping do not fail; store_rests_keep tells.
 */
#ifndef SMTPTRAIL_STORE_RESTS_H
#define SMTPTRAIL_STORE_RESTS_H

#include "analysis/correlate.h"
#include "analysis/database.h"

enum { STORE_RESTS_MAX = 100000, STORE_RESTS_DAYS = 2, STORE_RESTS_AT_ONCE = 1000 };

struct store_rests;

int store_rests_new(struct store_rests **ret_rests, struct database *current, struct problem *problem);
void store_rests_free(struct store_rests *rests);

void store_rests_add(struct store_rests *rests, const struct correlate_rest *rest);
/* Gives each that has the name to the taker, which neither adds nor drops. */
void store_rests_find(struct store_rests *rests, uint64_t name, const struct correlate_taker *taker);
/* The same of those whose keys lie behind the one, up to the other: up to STORE_RESTS_AT_ONCE of those that were kept; the last of
 * these, or 0. */
transaction_key store_rests_find_between(struct store_rests *rests, transaction_key behind, transaction_key until,
					 const struct correlate_taker *taker);
/* That one, if it is there. */
void store_rests_drop(struct store_rests *rests, transaction_key key);

/* Bytes that wait for a commit; whether there is anything for it. */
size_t store_rests_pending(const struct store_rests *rests);
bool store_rests_has_changes(const struct store_rests *rests);
/* Within the transaction of a commit: 0 or -errno. */
int store_rests_keep(struct store_rests *rests);
/* That transaction is over. */
void store_rests_kept(struct store_rests *rests);

/* Of all that were kept those go whose bytes test says so of. */
int store_rests_forget(struct store_rests *rests, bool (*test)(const void *context, struct text bytes), const void *context);

#endif
