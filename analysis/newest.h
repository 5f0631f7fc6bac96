/*
 * newest.h - of rows that were found the newest, as many as are asked for, the oldest first; each with what its verb keeps of it.
 *
 * A message is told by its recipients, a session by its messages, where there are any.
 *
 * Threads: one owner at a time.
 * Memory:  at most about twice as many items as the limit says and 1,024 more, and a set of sessions; what leaves is given to drop.
 */
#ifndef SMTPTRAIL_NEWEST_H
#define SMTPTRAIL_NEWEST_H

#include "analysis/key_set.h"
#include "analysis/report.h"

/* The first member of whatever is kept. */
struct newest_item {
	uint64_t time_us;
	transaction_key key;
	uint32_t number;		/* of the recipient; 0: there is none */
	bool is_session;		/* that is told by a message, where one comes yet */
};

struct newest {
	size_t limit;			/* 0: all */
	bool takes_all;			/* messages and sessions are told by themselves */
	void (*drop)(void *context, struct newest_item *item);
	void *context;

	struct newest_item **items;
	size_t count, size, left_out;
	struct key_set sessions;	/* that have a message */
	bool has_stopped;		/* before all that was older had been looked at */
	bool is_short;			/* of memory: some are missing */
};

/* Whether the row is to be kept. */
bool newest_wants(struct newest *newest, const struct report_row *row);
struct newest_item newest_item_of(const struct newest *newest, const struct report_row *row);
/* Before an item is made: false: no memory. */
bool newest_make_room(struct newest *newest);
/* Room was made. */
void newest_add(struct newest *newest, struct newest_item *item);
/* Whether none of what began before that time would be shown; then it need not be added. */
bool newest_has_enough(struct newest *newest, uint64_t before_us);
/* There is no more: the items are those that are to be shown. */
void newest_finish(struct newest *newest);
void newest_done(struct newest *newest);

#endif
