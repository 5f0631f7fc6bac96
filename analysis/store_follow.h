/*
 * store_follow.h - what comes to its end in a store while an ingest writes it: each message, each session without messages,
 * and each login, once.
 *
 * A message or session is shown when it is no longer under way; a message with what is known of its session by then, which may
 * still be open. What began more than STORE_FOLLOW_BACK before the newest
 * that was seen, and came into the store after that without having been under way, is not noticed.
 *
 * Threads: one owner at a time.
 * Memory:  16 to 32 bytes for each transaction of that time, and for each that is under way.
 *          With a state (NULL: none) it goes on where that was committed, and the state knows of each that it is shown
 *          before its function is called: a commit between two of them says that all before were shown.
 * Errors:  as store_read.h.
 */
#ifndef SMTPTRAIL_STORE_FOLLOW_H
#define SMTPTRAIL_STORE_FOLLOW_H

#include "analysis/follow_state.h"
#include "analysis/store_read.h"

#define STORE_FOLLOW_BACK UINT64_C(86400000000)

struct store_follow;

/* From that time on, by the begin of what is shown; where the state has one, from its own. */
int store_follow_new(struct store_follow **ret_follow, const char *directory, uint64_t from_us, struct follow_state *state);
void store_follow_free(struct store_follow *follow);
/* Shows what has ended since the last time: by scan's functions, whose query narrows nothing here. */
int store_follow_next(struct store_follow *follow, struct source_table *sources, const struct store_scan *scan, struct problem *problem);

#endif
