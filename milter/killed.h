/*
 * killed.h - sessions that an earlier start of the milter left open, since it was killed.
 *
 * Reads the journal's segments, front first and then spool, and appends a close for each session that
 * has records of an earlier start and no close. A start that is killed in the middle of this leaves the
 * rest to the next one. Runs beside the callbacks.
 *
 * Threads: one call at a time.
 * Memory:  16 bytes a session that the journal holds, at most KILLED_SESSIONS_MAX of them.
 */
#ifndef SMTPTRAIL_MILTER_KILLED_H
#define SMTPTRAIL_MILTER_KILLED_H

#include "recorder.h"

#define KILLED_SESSIONS_MAX (1u << 20)

struct killed_total {
	uint64_t closed;	/* sessions that got their close */
	uint64_t left_out;	/* records of sessions beyond the limit */
};

/* The directories of one partition. first_segment: of this start, whose sessions are alive (by number, since a fenced
 * start goes on under another producer and incarnation). place: the recorder's of that partition, where the close goes
 * too, even if sessions of its id would go elsewhere now. 0, or why a directory could not be read. */
int killed_close(const char *front, const char *spool, uint64_t first_segment, struct recorder *recorder,
		 unsigned place, uint64_t now_us, struct killed_total *ret_total, struct problem *problem);

#endif
