/*
 * watch_filter.h - which records a watch shows.
 *
 * stages and session look at each record alone. client, from and to look at what only some stages
 * carry, and select more than that record: client selects sessions (by their connect); from and
 * to select messages, and with a message those records of its session that belong to no message
 * (connect, helo, close). What came before it was known whether it is wanted is held, and
 * shown in order once it is. Records of type gap pass whatever is asked of clients and addresses:
 * what is missing may be what was looked for.
 *
 * Threads: one owner at a time.
 * Memory:  copies of what is held.
 * Limits:  WATCH_SESSIONS sessions, the one not heard of for the longest goes; of each the last
 *          WATCH_MESSAGES messages, and at most WATCH_HELD_RECORDS records of WATCH_HELD_BYTES
 *          held; WATCH_HELD_ALL bytes in all.
 */
#ifndef SMTPTRAIL_WATCH_FILTER_H
#define SMTPTRAIL_WATCH_FILTER_H

#include <stdint.h>

#include "analysis/input.h"
#include "common/problem.h"

#define WATCH_SESSIONS 10000
#define WATCH_MESSAGES 32
#define WATCH_HELD_RECORDS 64
#define WATCH_HELD_BYTES (256u * 1024)
#define WATCH_HELD_ALL (64u * 1024 * 1024)

struct watch_filter_options {
	const char *stages;	/* names, joined by commas; NULL: all; the others likewise */
	const char *client;	/* a network */
	const char *from;	/* address_matches() */
	const char *to;
	const char *session;	/* ID, or ID.MSG */
};

/* False: no more is wanted. */
typedef bool watch_show(void *context, const struct input_record *record);

struct watch_filter;

/* 0; -EINVAL with words in problem; -ENOMEM. The strings are borrowed until watch_filter_free. */
int watch_filter_new(struct watch_filter **ret_filter, const struct watch_filter_options *options,
		     struct problem *problem);
void watch_filter_free(struct watch_filter *filter);
/* Calls show for each record that is to be shown now: none, this one, or held ones and this one. */
bool watch_filter_take(struct watch_filter *filter, const struct input_record *record, watch_show *show,
		       void *context);
/* Records that were held and given up for a limit, before it was known whether they were wanted. */
uint64_t watch_filter_given_up(const struct watch_filter *filter);

#endif
