/*
 * store_counting.h - days that are counted while they are put, so that none of their rows need be read for it.
 *
 * That is for whoever puts a day whole: it is counted where its database was not there before its first transaction, and all
 * of them are shown here, each once: those that leave the join, and at the end those that are still under way. (What became part of
 * another was under way until then.) Else it is not, and its rows are read (store_rollup_count); so they are where another number
 * of rows came of it (store_rollup_keep).
 *
 * A message that came from another before the process began, which left it, is counted from its rows, with its day.
 *
 * A message is counted with its session as that is known when the message leaves: who logs in later in the session, more than
 * ten seconds behind the message's end, is not its account here, as in reports of log files.
 *
 * Threads: one owner at a time.
 * Memory:  the tallies of STORE_COUNTING_DAYS days, the newest.
 * Errors:  without memory a day is not counted.
 */
#ifndef SMTPTRAIL_STORE_COUNTING_H
#define SMTPTRAIL_STORE_COUNTING_H

#include "analysis/store_days.h"
#include "analysis/transaction.h"

enum { STORE_COUNTING_DAYS = 3 };

struct store_counting;
struct store_rollup;

struct store_counting *store_counting_new(const char *directory);	/* NULL: no memory */
void store_counting_free(struct store_counting *counting);

/* Something of that day is about to be put for the first time, or again before it is shown. */
void store_counting_expect(struct store_counting *counting, transaction_key key);
void store_counting_message(struct store_counting *counting, const struct message *message);
void store_counting_session(struct store_counting *counting, const struct session *session);
/* As the join shows them: the end of one that lasts comes apart. */
void store_counting_login(struct store_counting *counting, const struct login *login);

/* What was counted of the day, to free; NULL: it was not. */
struct store_rollup *store_counting_take(struct store_counting *counting, store_day day);

#endif
