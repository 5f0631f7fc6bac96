/*
 * trimmer.h - when the stream is trimmed, and what is said about it.
 *
 * Once a second while records go in, or every few thousand; every five seconds while none do. A trim that fails
 * is said once and tried again in a minute: records go in all the same.
 *
 * Threads: the shipper only.
 */
#ifndef SMTPTRAIL_MILTER_TRIMMER_H
#define SMTPTRAIL_MILTER_TRIMMER_H

#include "common/stream_trim.h"

struct trimmer {
	const char *name;		/* begins each line in the log; borrowed */
	struct stream_trim_rule rule;
	struct stream_trim last;	/* as of the last trim */
	uint64_t trimmed, overtaken;	/* since start */
	uint64_t failed;
	uint64_t appended;		/* since the last trim */
	uint64_t trimmed_us;		/* when that was, on the clock that does not jump; 0: never */
	bool is_failing;
	bool is_overtaking;
	bool is_uncounted;
};

/* count records were appended; 0: nothing to do just now. Whether a trim was made: last is then of now. */
bool trimmer_turn(struct trimmer *trimmer, struct redis_link *link, const struct stream_names *names, uint64_t count);

#endif
