/*
 * store_rollup.h - what the reports and audits count, kept for each day that is over: the tallies of one day, to be added to others'.
 *
 * A list of more keys than a tally takes is kept with those that it has: of several days what was beyond in one of them is
 * among the others, even where another day has its key.
 *
 * A day whose rows change loses them in the same transaction, and so does one of which somebody is forgotten.
 *
 * Threads: one owner at a time; counting is of its own.
 * Errors:  as database.h.
 */
#ifndef SMTPTRAIL_STORE_ROLLUP_H
#define SMTPTRAIL_STORE_ROLLUP_H

#include "analysis/database.h"
#include "analysis/report.h"
#include "analysis/store_days.h"

/* For whoever writes to the store, between its commits: of all of them that count transactions. */
int store_rollup_make(const char *directory, store_day day, struct problem *problem);

/*
 * The same step by step. What is counted of a day is counted from its rows, by any thread, which only reads; or by whoever sees
 * its transactions as they are put, each once and as it is put last (store_counting.h). Any thread may pack it. The store's owner keeps it, as
 * long as nothing has changed.
 */
struct store_rollup;

int store_rollup_count(struct store_rollup **ret_rollup, const char *directory, store_day day, struct problem *problem);
int store_rollup_new(struct store_rollup **ret_rollup, const char *directory, store_day day);
void store_rollup_add_message(struct store_rollup *rollup, const struct message *message, const struct session *session);
void store_rollup_add_session(struct store_rollup *rollup, const struct session *session);
void store_rollup_add_login(struct store_rollup *rollup, const struct login *login);
/* The end of a login that was added without. */
void store_rollup_add_logout(struct store_rollup *rollup, const struct login *login);
int store_rollup_pack(struct store_rollup *rollup);
/* Packs it where nobody did. -ESTALE: the day has another number of rows than were counted, and nothing is kept. */
int store_rollup_keep(struct store_rollup *rollup, struct problem *problem);
void store_rollup_free(struct store_rollup *rollup);

/* Whether the day has them, in the form of this version. */
bool store_rollup_is_made(const char *directory, store_day day);

/* Adds a day to a run, for all of its reports: 1; 0: the day has none, or rows that began on another day, and nothing was added;
 * -errno. */
int store_rollup_add(const char *directory, store_day day, struct report_run *run, struct problem *problem);
/* The words for a change of the day's database. */
#define STORE_ROLLUP_DROP "DELETE FROM rollup"

#endif
