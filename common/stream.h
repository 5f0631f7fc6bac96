/*
 * stream.h - the protocol of the stream: key names, the append script, reading.
 *
 * Keys of partition N: {PREFIX:N}:records (the stream, one entry a record, flat field/value pairs)
 * and {PREFIX:N}:cursor:PRODUCER (how far that producer's records are in), in one slot.
 *
 * The cursor is "INCARNATION:EPOCH:COUNTER". One script compares it with what the sender expects,
 * checks the types of both keys, appends a batch and moves it, all in one step: a request that
 * arrives late finds another cursor and does nothing. Nothing but the script's own "OK" counts. An
 * empty cursor is none: it stays where the very first batch of a producer could not be appended.
 *
 * An entry has first, in this order: stage time host instance producer partition seq session msg
 * queue_id schema (session, msg and queue_id where they are known); then the record's own fields. A
 * field or stage of a later version is named field_N, stage_N. What is no record becomes "gap"
 * with reason "damaged" under its seq.
 *
 * An ACL user needs the commands PING EVALSHA EVAL GET SET TYPE XADD on these keys, and those of
 * stream_trim.h.
 *
 * Threads, memory: as redis_link.h, on which everything here works.
 */
#ifndef SMTPTRAIL_STREAM_H
#define SMTPTRAIL_STREAM_H

#include "journal.h"
#include "redis_link.h"

#define STREAM_KEY_SIZE 256
#define STREAM_CURSOR_SIZE 160
#define STREAM_PREFIX_MAX 64

struct stream_names {
	char records[STREAM_KEY_SIZE];
	char cursor[STREAM_KEY_SIZE];
	char overtaken[STREAM_KEY_SIZE];	/* see stream_trim.h */
};
/* prefix without braces, at most STREAM_PREFIX_MAX bytes. */
void stream_names(struct stream_names *ret_names, const char *prefix, unsigned partition, const char *producer);

struct stream_cursor {
	bool exists;
	char text[STREAM_CURSOR_SIZE];		/* as it stands in Redis */
	char incarnation[JOURNAL_NAME_SIZE];
	uint32_t epoch;
	uint64_t counter;
};
/* Reads and takes apart the cursor. A cursor of no known form is REDIS_OPERATOR. */
enum redis_failure stream_cursor_get(struct redis_link *link, const struct stream_names *names,
				     struct stream_cursor *ret_cursor, struct problem *problem);

enum stream_outcome {
	STREAM_APPENDED,	/* all of the batch, once; the cursor is moved, in *cursor too */
	STREAM_MOVED_CURSOR,	/* nothing: the cursor is another; it is in *cursor */
	STREAM_FAILED,		/* see the failure; whether it was stored must be asked of the cursor */
};
/* Appends a batch behind the expected cursor. */
enum stream_outcome stream_append(struct redis_link *link, const struct stream_names *names,
				  struct stream_cursor *cursor, const struct journal_batch *batch,
				  enum redis_failure *ret_failure, struct problem *problem);

#endif
