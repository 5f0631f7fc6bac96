/*
 * story_raw.h - the lines and records that a story rests on, as they stand in their files and streams now.
 *
 * A log may have been rotated since it was read, and a stream trimmed: a line that names nothing of the story is another
 * one, and is looked for in the rotated files; what is no longer there is said.
 *
 * Threads: one owner at a time.
 * Memory:  each line or record once, until story_raw_free.
 * Limits:  STORY_RAW_MAX pieces; left_out says how many more there are.
 */
#ifndef SMTPTRAIL_STORY_RAW_H
#define SMTPTRAIL_STORY_RAW_H

#include "analysis/story.h"
#include "common/redis_link.h"

enum { STORY_RAW_MAX = 10000 };

struct raw_piece {
	struct evidence evidence;
	char *bytes;			/* NULL: not to be had */
	size_t length;
	char *missing;			/* why; NULL: it is there */
};

struct story_raw {
	struct raw_piece *pieces;	/* in the order of their sources and places */
	size_t count, left_out;
};

/* redis: where the streams are. 0 or -ENOMEM. */
int story_raw_read(struct story_raw *ret_raw, const struct story *story, const struct source_table *sources,
		   const struct redis_options *redis);
void story_raw_done(struct story_raw *raw);

#endif
