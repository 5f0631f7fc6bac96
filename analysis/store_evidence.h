/*
 * store_evidence.h - the evidence of a row's facts as a few bytes: a column of each table.
 *
 * Flags and the number of pieces; of each piece the word of its join key (and whether another reading was possible), its
 * source where that is another than that of the piece before, how far it lies behind that, and its minor number where it
 * has one. Then, where there are several pieces, for each fact that the row has, in the order of columns, which one it rests
 * on: a run of the same one is two bytes. At last those facts that were cut. Rows of version 1 of the store have all of it,
 * and are read as they are.
 * Numbers are of seven bits a byte, the lowest first. Words and sources are rows of the same database, so that these bytes
 * mean the same in every version; pieces are sorted, so that the same facts give the same bytes.
 *
 * Threads: any; no state.
 * Errors:  what is damaged gives -EBADMSG.
 */
#ifndef SMTPTRAIL_STORE_EVIDENCE_H
#define SMTPTRAIL_STORE_EVIDENCE_H

#include <stddef.h>

#include "analysis/facts.h"

enum {
	STORE_PIECES_MAX = 128,		/* no level has as many facts */
	STORE_EVIDENCE_SIZE = STORE_PIECES_MAX * 40 + FACT_COUNT * 4 + 16,
	STORE_NO_FACT = 0xff,		/* the row has no such fact */
	STORE_CUT_FACT = 0x100,		/* the fact was cut; beside its piece */
};

/* A piece, with numbers of the database. */
struct stored_piece {
	uint64_t word, source;
	bool is_unsure;
	uint32_t minor;
	uint64_t major;
};

struct stored_evidence {
	bool is_cut;			/* of the facts */
	unsigned piece_count, fact_count;
	struct stored_piece pieces[STORE_PIECES_MAX];
	uint16_t facts[FACT_COUNT];	/* by column: index of a piece with STORE_CUT_FACT, or STORE_NO_FACT */
};

void store_evidence_start(struct stored_evidence *evidence, unsigned fact_count);
/* A fact, by its column. */
void store_evidence_add(struct stored_evidence *evidence, unsigned column, const struct stored_piece *piece, bool is_cut);
size_t store_evidence_encode(struct stored_evidence *evidence, unsigned char *ret_bytes);

/* fact_count is set, and of facts what the row has not is STORE_NO_FACT. */
int store_evidence_decode(struct stored_evidence *evidence, struct text bytes);

#endif
