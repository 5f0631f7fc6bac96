/*
 * input_redis.h - follows the streams of all partitions: every record once, nothing missed unsaid.
 *
 * The position is kept here, so a burst loses no entry. A record that comes twice (by producer,
 * partition and seq) is dropped and counted; a hole in seq is said with its bounds. When Redis
 * lost entries that had been read (restart without its file, fail-over, FLUSHALL), reading goes
 * back to the last entry that is still there. A cut link is opened again, with back-off.
 *
 * An ACL user needs the commands PING TIME TYPE XINFO|STREAM XREAD XRANGE XREVRANGE on these streams; and to acknowledge,
 * XINFO|GROUPS XGROUP|CREATE XGROUP|SETID.
 *
 * Threads: one owner at a time.
 * Memory:  a record given to the listener is lent until the listener returns.
 * Limits:  1,000 entries of each partition a read; the limits of sequence.h and redis_link.h.
 * Errors:  the listener hears of each trouble once; a poll then says what kind it was, and the
 *          next poll tries again.
 */
#ifndef SMTPTRAIL_INPUT_REDIS_H
#define SMTPTRAIL_INPUT_REDIS_H

#include <stdbool.h>
#include <stdint.h>

#include "analysis/input.h"
#include "analysis/stream_id.h"
#include "analysis/stream_position.h"
#include "common/problem.h"
#include "common/redis_link.h"

enum input_start {
	INPUT_FROM_NOW,
	INPUT_FROM_AGO,		/* a duration before now, by Redis' clock */
	INPUT_FROM_TIME,	/* a point in time */
	INPUT_FROM_ID,		/* an entry, itself included */
};

struct input_redis_options {
	struct redis_options redis;
	const char *prefix;
	unsigned partitions;	/* 1 or more */
	enum input_start start;
	uint64_t start_us;	/* FROM_AGO: how long ago; FROM_TIME: microseconds since the epoch */
	struct stream_id start_id;
};

struct input_redis_counts {
	uint64_t records;	/* read, those that came twice among them */
	uint64_t doubled;	/* dropped: had before, or older than the begin */
	uint64_t missing;	/* by seq; less those that came later */
	uint64_t went_back;	/* times that Redis had lost what had been read */
	uint64_t unnumbered;	/* passed on, though they name no producer or seq */
	uint64_t lost_links;
};

struct input_listener {
	/* Asked before a record is looked at; false ends this poll, and the record comes with the next. NULL: always. */
	bool (*wants)(void *context, const struct input_record *record);
	/* Before that record, which is given next, others of its producer and partition are missing; they may come later. NULL: nobody
	 * asks. */
	void (*missing)(void *context, const struct input_record *record, uint64_t from_seq, uint64_t until_seq);
	/* A record that is new. False ends this poll; the rest of the reply is read again by the next. */
	bool (*record)(void *context, const struct input_record *record);
	/* One line, without a line end; it may quote outside bytes. */
	void (*notice)(void *context, const char *sentence);
	void *context;
};

struct input_redis;

/* NULL: no memory. The options' strings are borrowed until input_redis_free. */
struct input_redis *input_redis_new(const struct input_redis_options *options,
				    const struct input_listener *listener);
void input_redis_free(struct input_redis *input);
/* Reads what is there, or waits for it about timeout_ms (0: not at all); also opens, goes back, backs off. */
enum redis_failure input_redis_poll(struct input_redis *input, unsigned timeout_ms, struct problem *problem);
/* Every partition has its first position: from then on each entry is followed. */
bool input_redis_is_following(const struct input_redis *input);
/* Whether the last poll came to the end of all streams. */
bool input_redis_is_at_end(const struct input_redis *input);

/*
 * For whoever keeps positions: how far each partition was read, by all records that the listener was given; and going on
 * behind it, before the first poll. Marks of producers are sequence.h's.
 */
struct sequence *input_redis_sequence(struct input_redis *input);
struct stream_entry input_redis_place(const struct input_redis *input, unsigned partition, const char **ret_key);
void input_redis_go_behind(struct input_redis *input, unsigned partition, struct stream_entry entry);
/* Moves the consumer group of each stream there: the milter trims nothing behind it. *ret_made: groups that were not there. */
enum redis_failure input_redis_acknowledge(struct input_redis *input, const char *group, unsigned *ret_made,
					   struct problem *problem);

void input_redis_counts(const struct input_redis *input, struct input_redis_counts *ret_counts);

#endif
