/*
 * journal_mask.h - a person leaves the entries of a journal: each byte of the name but '@' and '.' becomes an 'x', so
 * that no entry changes its length, its number or its place.
 *
 * Threads: any; no state. The directory is locked as a milter locks it.
 * Errors:  -EBUSY: a milter uses it. An entry that cannot be rewritten is counted and left.
 * Limits:  a power cut between the two writes of an entry costs that entry, as any damage does.
 */
#ifndef SMTPTRAIL_JOURNAL_MASK_H
#define SMTPTRAIL_JOURNAL_MASK_H

#include <stdint.h>

#include "person.h"
#include "problem.h"

struct journal_masked {
	uint64_t entries;		/* that named the person */
	uint64_t left;			/* of these: could not be rewritten */
};

/* A front or a spool; adds to the counts. A login name counts where it is the value of a field that holds names. 0 or -errno. */
int journal_mask(const char *directory, const struct person *person, struct journal_masked *counts, struct problem *problem);

#endif
