/*
 * stream_position.h - where we read in one stream, and whether Redis still has what we have had.
 *
 * A stream only grows at its end. So if the entry at our position is still the one we read there,
 * and so is the one where we were when we last asked, all that is new comes behind our position. If
 * it is not, and was not trimmed either, then Redis lost something, and reading goes back to the
 * newest entry that we know and that is still there; what comes twice by this is known by its seq.
 *
 * Threads, memory: as redis_link.h.
 * Limits:  of the entries read STREAM_POSITION_KNOWN are remembered: many new ones, few old ones.
 */
#ifndef SMTPTRAIL_STREAM_POSITION_H
#define SMTPTRAIL_STREAM_POSITION_H

#include "analysis/stream_id.h"
#include "common/redis_link.h"
#include "common/stream.h"

#define STREAM_POSITION_KNOWN 64

struct stream_entry {
	struct stream_id id;
	uint64_t seq;			/* 0: it has none */
	bool was_read;			/* false: only a point in time */
};

struct stream_position {
	char key[STREAM_KEY_SIZE];
	struct stream_entry at;		/* reading goes on behind it */
	struct stream_entry checked;	/* the same when Redis was last asked */
	uint64_t added;			/* entries ever added, then; 0: not known */
	uint64_t passed;		/* of these: up to where we read; only where has_passed */
	bool has_passed;
	unsigned known_count;
	struct stream_entry known[STREAM_POSITION_KNOWN];
};

enum stream_check {
	STREAM_INTACT,
	STREAM_WENT_BACK,	/* entries that were read are gone; the position is moved */
};

void stream_position_init(struct stream_position *position, const char *prefix, unsigned partition);
/* The seq of an entry; 0: it has none. */
uint64_t stream_position_seq(const struct redis_reply *entry);
/* An entry was read. */
void stream_position_advance(struct stream_position *position, struct stream_id id, uint64_t seq);
/* A reply is at its end: its last entry is worth to be remembered. */
void stream_position_remember(struct stream_position *position);
/* Asks Redis; moves the position back where it must. ret_why says it in words where it went back. */
enum redis_failure stream_position_check(struct stream_position *position, struct redis_link *link,
					 enum stream_check *ret_check, struct problem *ret_why,
					 struct problem *problem);
/* Whether entries behind this id may have been trimmed: the stream begins behind it. */
enum redis_failure stream_position_was_trimmed(const struct stream_position *position, struct redis_link *link,
					       struct stream_id id, bool *ret_trimmed,
					       struct problem *problem);

/* Moves the consumer group to the position; makes it, and the stream, where it is not there. Redis is told how many
 * entries that are, as far as it is known: else it could not say how far behind the group is. */
enum redis_failure stream_position_acknowledge(struct stream_position *position, struct redis_link *link,
					       const char *group, bool *ret_is_new, struct problem *problem);

/* Entries that the stream has, 0 where there is none; with no right that reading does not need. */
enum redis_failure stream_position_length(const struct stream_position *position, struct redis_link *link,
					  uint64_t *ret_length, struct problem *problem);

#endif
