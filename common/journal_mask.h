/*
 * journal_mask.h - words that leave the entries of a journal: each of their bytes but '@' and '.' becomes an 'x', so
 * that no entry changes its length, its number or its place.
 *
 * Threads: any; no state. The directory is locked as a milter locks it.
 * Errors:  -EBUSY: a milter uses it. An entry that cannot be rewritten is counted and left.
 * Limits:  a power cut between the two writes of an entry costs that entry, as any damage does.
 */
#ifndef SMTPTRAIL_JOURNAL_MASK_H
#define SMTPTRAIL_JOURNAL_MASK_H

#include <stdint.h>

#include "problem.h"
#include "text.h"

struct journal_masked {
	uint64_t entries;		/* that had the words */
	uint64_t left;			/* of these: could not be rewritten */
};

/* A front or a spool; adds to the counts. words in any letter case. 0 or -errno. */
int journal_mask(const char *directory, struct text words, struct journal_masked *counts, struct problem *problem);

#endif
