/*
 * stream_trim.h - how old records leave the stream: by count or by age, but not past its readers.
 *
 * A reader registers itself by a consumer group (XGROUP CREATE KEY NAME 0): what it has not been given,
 * or has been given and not acknowledged, stays. Only beyond a hard cap it goes all the same: it is then
 * counted, here and in Redis ({PREFIX:N}:overtaken:PRODUCER), and the milter writes a gap record. Whoever
 * reads without a group (XREAD, watch) holds nothing back; its proof is seq.
 *
 * One script looks and trims in one step, by Redis' own clock; it needs Redis 6.2. By count, whole
 * nodes of the stream go (about 100 records); by age, single records.
 *
 * An ACL user needs the commands EVAL TYPE TIME XLEN XTRIM XRANGE XINFO XPENDING INCRBY on these keys.
 *
 * Threads, memory: as redis_link.h, on which it works.
 * Limits:  a call trims about STREAM_TRIM_MAX records; of those that it must look at one by one, since some readers
 *          have done with them and others not, 5,000.
 */
#ifndef SMTPTRAIL_STREAM_TRIM_H
#define SMTPTRAIL_STREAM_TRIM_H

#include "stream.h"

#define STREAM_TRIM_MAX 100000

struct stream_trim_rule {
	uint64_t max_length;		/* records, about; 0: any number */
	uint64_t max_age_us;		/* 0: any age */
	uint64_t hard_length;		/* no more, whoever has not read them; 0: readers may fill Redis */
};

#define STREAM_READER_SIZE 64
struct stream_trim {
	uint64_t length;		/* records in the stream now */
	uint64_t readers;		/* consumer groups */
	uint64_t unread;		/* records from the first on that the slowest has not done with, about */
	char slowest[STREAM_READER_SIZE];	/* its name, cut; empty: no reader */
	uint64_t trimmed;		/* by this call */
	uint64_t overtaken;		/* of these: which a reader had not done with */
	uint64_t overtaken_total;	/* of this producer ever, as Redis counts them; 0 where it is none now */
	struct problem uncounted;	/* why Redis could not count those of this call; empty: it did */
	uint64_t from_us, to_us;	/* when the first and the last overtaken came to Redis */
};
enum redis_failure stream_trim(struct redis_link *link, const struct stream_names *names,
			       const struct stream_trim_rule *rule, struct stream_trim *ret_trim,
			       struct problem *problem);

#endif
