/* store_evidence.c - evidence as bytes, and back. */
#include "analysis/store_evidence.h"

#include <errno.h>
#include <string.h>

/* SHORT: what can be left out is; in the same byte the number of pieces, where it is from 1 to FEW_MAX. */
enum { FLAG_CUT = 1, FLAG_CUT_FACTS = 2, FLAG_SHORT = 4, FEW_SHIFT = 3, FEW_MAX = 31 };
/* Beside the word of a piece. */
enum { PIECE_UNSURE = 1, PIECE_MINOR = 2, PIECE_SOURCE = 4, WORD_SHIFT = 3 };
/* The first source of a database, which most have only. */
enum { SOURCE_FIRST = 1 };
enum { RUN = 0x80, RUN_MAX = 0xff - RUN + 1 };

_Static_assert((int)STORE_PIECES_MAX == (int)RUN, "an index of a piece and the length of a run share a byte");
_Static_assert((int)STORE_PIECES_MAX < (int)STORE_NO_FACT, "an index is none that says there is no fact");

/* ---- gathering ---- */

void store_evidence_start(struct stored_evidence *evidence, unsigned fact_count)
{
	evidence->is_cut = false;
	evidence->piece_count = 0;
	evidence->fact_count = fact_count;
	for (unsigned i = 0; i < fact_count; i++)
		evidence->facts[i] = STORE_NO_FACT;
}

static int compare(const struct stored_piece *a, const struct stored_piece *b)
{
#define BY(member) if (a->member != b->member) return a->member < b->member ? -1 : 1
	BY(source);
	BY(major);
	BY(minor);
	BY(word);
	BY(is_unsure);
#undef BY
	return 0;
}

void store_evidence_add(struct stored_evidence *evidence, unsigned column, const struct stored_piece *piece, bool is_cut)
{
	unsigned i = evidence->piece_count;

	/* Facts of one piece stand together most often. */
	while (i > 0 && compare(&evidence->pieces[i - 1], piece) != 0)
		i--;
	if (i == 0 && evidence->piece_count < STORE_PIECES_MAX) {
		evidence->pieces[evidence->piece_count++] = *piece;
		i = evidence->piece_count;
	}
	evidence->facts[column] = (uint16_t)((i ? i - 1 : 0) | (is_cut ? STORE_CUT_FACT : 0));
}

/* By insertion: they are few, and most often in order. */
static void sort_pieces(struct stored_evidence *evidence)
{
	uint8_t order[STORE_PIECES_MAX], place[STORE_PIECES_MAX];
	struct stored_piece sorted[STORE_PIECES_MAX];
	unsigned count = evidence->piece_count;
	bool was_sorted = true;

	for (unsigned i = 0; i < count; i++) {
		unsigned at = i;

		for (; at > 0 && compare(&evidence->pieces[order[at - 1]], &evidence->pieces[i]) > 0; at--)
			order[at] = order[at - 1];
		order[at] = (uint8_t)i;
		was_sorted = was_sorted && at == i;
	}
	if (was_sorted)
		return;
	for (unsigned i = 0; i < count; i++) {
		sorted[i] = evidence->pieces[order[i]];
		place[order[i]] = (uint8_t)i;
	}
	memcpy(evidence->pieces, sorted, count * sizeof *sorted);
	for (unsigned i = 0; i < evidence->fact_count; i++)
		if (evidence->facts[i] != STORE_NO_FACT)
			evidence->facts[i] = (uint16_t)((evidence->facts[i] & STORE_CUT_FACT) | place[evidence->facts[i] & 0xff]);
}

/* ---- as bytes ---- */

static unsigned char *put_number(unsigned char *at, uint64_t number)
{
	for (; number >= 0x80; number >>= 7)
		*at++ = (unsigned char)(number | 0x80);
	*at++ = (unsigned char)number;
	return at;
}

/* Small for small steps in both directions. */
static uint64_t folded(uint64_t difference)
{
	return difference << 1 ^ (difference >> 63 ? UINT64_MAX : 0);
}

static uint64_t unfolded(uint64_t number)
{
	return number >> 1 ^ (number & 1 ? UINT64_MAX : 0);
}

static unsigned char *put_pieces(unsigned char *at, const struct stored_evidence *evidence)
{
	uint64_t before = 0, source = SOURCE_FIRST;

	if (evidence->piece_count == 0 || evidence->piece_count > FEW_MAX)
		at = put_number(at, evidence->piece_count);
	for (unsigned i = 0; i < evidence->piece_count; i++) {
		const struct stored_piece *piece = &evidence->pieces[i];
		unsigned flags = (piece->is_unsure ? PIECE_UNSURE : 0) | (piece->minor ? PIECE_MINOR : 0) |
				 (piece->source != source ? PIECE_SOURCE : 0);

		at = put_number(at, piece->word << WORD_SHIFT | flags);
		if (flags & PIECE_SOURCE)
			at = put_number(at, piece->source);
		at = put_number(at, folded(piece->major - before));
		if (flags & PIECE_MINOR)
			at = put_number(at, piece->minor);
		before = piece->major;
		source = piece->source;
	}
	return at;
}

static unsigned char *put_indexes(unsigned char *at, const struct stored_evidence *evidence)
{
	unsigned last = STORE_NO_FACT, run = 0;

	for (unsigned i = 0; i < evidence->fact_count; i++) {
		unsigned index = evidence->facts[i] & 0xff;

		if (index == STORE_NO_FACT)
			continue;
		if (index == last && run < RUN_MAX) {
			run++;
			continue;
		}
		if (run)
			*at++ = (unsigned char)(RUN + run - 1);
		run = 0;
		*at++ = (unsigned char)index;
		last = index;
	}
	if (run)
		*at++ = (unsigned char)(RUN + run - 1);
	return at;
}

static unsigned char *put_cut(unsigned char *at, const struct stored_evidence *evidence, unsigned count)
{
	unsigned present = 0;

	at = put_number(at, count);
	for (unsigned i = 0; i < evidence->fact_count; i++) {
		if (evidence->facts[i] != STORE_NO_FACT && evidence->facts[i] & STORE_CUT_FACT)
			at = put_number(at, present);
		present += evidence->facts[i] != STORE_NO_FACT;
	}
	return at;
}

size_t store_evidence_encode(struct stored_evidence *evidence, unsigned char *ret_bytes)
{
	unsigned char *at = ret_bytes;
	unsigned cut = 0;

	sort_pieces(evidence);
	for (unsigned i = 0; i < evidence->fact_count; i++)
		cut += evidence->facts[i] != STORE_NO_FACT && evidence->facts[i] & STORE_CUT_FACT;
	*at++ = (unsigned char)((evidence->is_cut ? FLAG_CUT : 0) | (cut ? FLAG_CUT_FACTS : 0) | FLAG_SHORT |
				(evidence->piece_count <= FEW_MAX ? evidence->piece_count << FEW_SHIFT : 0));
	at = put_pieces(at, evidence);
	if (evidence->piece_count > 1)
		at = put_indexes(at, evidence);
	if (cut)
		at = put_cut(at, evidence, cut);
	return (size_t)(at - ret_bytes);
}

/* ---- the way back ---- */

struct reader {
	const unsigned char *at, *end;
	bool is_damaged;
};

static unsigned char take_byte(struct reader *reader)
{
	if (reader->at < reader->end)
		return *reader->at++;
	reader->is_damaged = true;
	return 0;
}

static uint64_t take_number(struct reader *reader)
{
	uint64_t number = 0;
	unsigned char byte;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		byte = take_byte(reader);
		number |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return number;
	}
	reader->is_damaged = true;
	return 0;
}

/* With their number. As version 1 of the store wrote them. */
static void take_long_pieces(struct reader *reader, struct stored_evidence *evidence)
{
	uint64_t count = take_number(reader), before = 0;

	if (count > STORE_PIECES_MAX)
		reader->is_damaged = true;
	for (evidence->piece_count = 0; evidence->piece_count < count && !reader->is_damaged; evidence->piece_count++) {
		uint64_t word = take_number(reader), source = take_number(reader), major = before + unfolded(take_number(reader));

		evidence->pieces[evidence->piece_count] = (struct stored_piece){
			.word = word >> 1, .is_unsure = word & 1, .source = source, .major = major,
			.minor = (uint32_t)take_number(reader),
		};
		before = major;
	}
}

static void take_pieces(struct reader *reader, struct stored_evidence *evidence, uint64_t count)
{
	uint64_t before = 0, source = SOURCE_FIRST;

	if (count == 0)
		count = take_number(reader);
	if (count > STORE_PIECES_MAX)
		reader->is_damaged = true;
	for (evidence->piece_count = 0; evidence->piece_count < count && !reader->is_damaged; evidence->piece_count++) {
		uint64_t word = take_number(reader);

		if (word & PIECE_SOURCE)
			source = take_number(reader);
		before += unfolded(take_number(reader));
		evidence->pieces[evidence->piece_count] = (struct stored_piece){
			.word = word >> WORD_SHIFT, .is_unsure = word & PIECE_UNSURE, .source = source, .major = before,
			.minor = word & PIECE_MINOR ? (uint32_t)take_number(reader) : 0,
		};
	}
}

/* All facts rest on the one piece there is. */
static void take_the_piece(struct reader *reader, struct stored_evidence *evidence)
{
	for (unsigned i = 0; i < evidence->fact_count; i++) {
		if (evidence->facts[i] == STORE_NO_FACT)
			continue;
		reader->is_damaged = reader->is_damaged || evidence->piece_count == 0;
		evidence->facts[i] = 0;
	}
}

/* The piece of the next fact; *run: of how many more. */
static unsigned take_index(struct reader *reader, unsigned last, unsigned *run)
{
	if (*run) {
		(*run)--;
		return last;
	}
	unsigned byte = take_byte(reader);

	if (byte < RUN)
		return byte;
	*run = byte - RUN;
	return last;
}

static void take_indexes(struct reader *reader, struct stored_evidence *evidence)
{
	unsigned last = STORE_PIECES_MAX, run = 0;

	for (unsigned i = 0; i < evidence->fact_count; i++) {
		if (evidence->facts[i] == STORE_NO_FACT)
			continue;
		last = take_index(reader, last, &run);
		if (last >= evidence->piece_count)
			reader->is_damaged = true;
		evidence->facts[i] = (uint16_t)last;
	}
}

static void take_cut(struct reader *reader, struct stored_evidence *evidence)
{
	for (uint64_t count = take_number(reader); count && !reader->is_damaged; count--) {
		uint64_t wanted = take_number(reader), present = 0;

		for (unsigned i = 0; i < evidence->fact_count; i++) {
			if (evidence->facts[i] == STORE_NO_FACT)
				continue;
			if (present++ == wanted)
				evidence->facts[i] |= STORE_CUT_FACT;
		}
	}
}

int store_evidence_decode(struct stored_evidence *evidence, struct text bytes)
{
	struct reader reader = { (const unsigned char *)bytes.start, (const unsigned char *)bytes.start + bytes.length, false };
	unsigned flags = take_byte(&reader);

	evidence->is_cut = flags & FLAG_CUT;
	if (flags & FLAG_SHORT)
		take_pieces(&reader, evidence, flags >> FEW_SHIFT);
	else
		take_long_pieces(&reader, evidence);
	if (flags & FLAG_SHORT && evidence->piece_count < 2)
		take_the_piece(&reader, evidence);
	else
		take_indexes(&reader, evidence);
	if (flags & FLAG_CUT_FACTS)
		take_cut(&reader, evidence);
	return reader.is_damaged || reader.at != reader.end ? -EBADMSG : 0;
}
