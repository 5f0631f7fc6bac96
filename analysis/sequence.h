/*
 * sequence.h - which records have been had, and which are missing, by their seq.
 *
 * A record's identity is (producer, partition, seq): after a fail-over the same record may come
 * again under another id, and Redis may have lost or trimmed some. Inside an epoch seq has no
 * holes; where an epoch begins, its start record says how the one before it ended. What a hole
 * means for sessions and messages: correlate_missing.
 *
 * Threads: one owner at a time.
 * Memory:  SEQUENCE_PRODUCERS marks; the one not heard of for the longest is given up for a new
 *          one, and the finding says so.
 * Limits:  of the holes of a producer the last SEQUENCE_HOLES are kept, so that what fills one
 *          later is taken as new; what fills an older one is taken as had.
 */
#ifndef SMTPTRAIL_SEQUENCE_H
#define SMTPTRAIL_SEQUENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/journal.h"
#include "common/text.h"

#define SEQUENCE_PRODUCERS 1024
#define SEQUENCE_HOLES 32

struct sequence_range {
	uint64_t from, to;		/* both missing, and all between */
};

struct sequence_finding {
	bool is_new;			/* not had before: show it */
	bool fills;			/* new, and was counted as missing */
	bool first_in_round;		/* the first of its producer since sequence_round() */
	unsigned missing_count;		/* of the ranges below */
	struct sequence_range missing[2];	/* behind the previous epoch, and before this record */
	char given_up[JOURNAL_NAME_SIZE];	/* producer whose mark made room; empty: none */
};

/* What a start record says of the epoch before it; both 0 in any other record. */
struct sequence_joint {
	uint64_t previous_epoch;
	uint64_t previous_seq;
};

struct sequence;

struct sequence *sequence_new(void);		/* NULL: no memory */
void sequence_free(struct sequence *sequence);
/* Notes a record. producer has fewer than JOURNAL_NAME_SIZE bytes. */
void sequence_note(struct sequence *sequence, struct text producer, unsigned partition, uint64_t seq,
		   struct sequence_joint joint, struct sequence_finding *ret_finding);
/* What is known of each producer, as words that sequence_restore takes; only of those with records since the last call. */
void sequence_keep(struct sequence *sequence, void (*take)(void *context, struct text producer, unsigned partition, struct text state),
		   void *context);
/* False: no words of it. */
bool sequence_restore(struct sequence *sequence, struct text producer, unsigned partition, const char *state);
/* Begins a round: the records of one reply, between which nothing can have been trimmed. */
void sequence_round(struct sequence *sequence);

#endif
