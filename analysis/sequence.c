/* sequence.c - which records have been had, and which are missing. */
#include "analysis/sequence.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mark {
	char producer[JOURNAL_NAME_SIZE];
	unsigned partition;
	uint64_t used;			/* when it was last noted, in notes */
	uint64_t round;			/* in which it was last noted */
	uint64_t first;			/* what is below was before our time */
	uint64_t last;			/* the highest seq had */
	uint64_t previous;		/* the highest seq had of an epoch before; 0: none */
	bool has_changed;		/* since sequence_keep */
	unsigned hole_count;
	struct sequence_range holes[SEQUENCE_HOLES];
};

struct sequence {
	uint64_t notes;
	uint64_t round;
	size_t count;
	struct mark *latest;		/* the one noted last: most often the next one too */
	struct mark marks[SEQUENCE_PRODUCERS];
};

struct sequence *sequence_new(void)
{
	return calloc(1, sizeof(struct sequence));
}

void sequence_free(struct sequence *sequence)
{
	free(sequence);
}

void sequence_round(struct sequence *sequence)
{
	sequence->round++;
}

static bool is_of(const struct mark *mark, struct text producer, unsigned partition)
{
	return mark->partition == partition && text_is(producer, mark->producer);
}

static struct mark *find(struct sequence *sequence, struct text producer, unsigned partition)
{
	if (sequence->latest && is_of(sequence->latest, producer, partition))
		return sequence->latest;
	for (size_t i = 0; i < sequence->count; i++)
		if (is_of(&sequence->marks[i], producer, partition))
			return &sequence->marks[i];
	return NULL;
}

static struct mark *add(struct sequence *sequence, struct text producer, unsigned partition, uint64_t seq,
			char *ret_given_up)
{
	struct mark *mark = &sequence->marks[0];

	if (sequence->count < SEQUENCE_PRODUCERS) {
		mark = &sequence->marks[sequence->count++];
	} else {
		for (size_t i = 1; i < SEQUENCE_PRODUCERS; i++)
			if (sequence->marks[i].used < mark->used)
				mark = &sequence->marks[i];
		memcpy(ret_given_up, mark->producer, JOURNAL_NAME_SIZE);
	}
	memset(mark, 0, sizeof *mark);
	memcpy(mark->producer, producer.start, producer.length);
	mark->partition = partition;
	mark->first = seq;
	mark->last = seq;
	return mark;
}

static void add_hole(struct mark *mark, uint64_t from, uint64_t to, struct sequence_finding *finding)
{
	if (from > to)
		return;
	if (mark->hole_count == SEQUENCE_HOLES) {
		mark->hole_count--;
		memmove(mark->holes, mark->holes + 1, mark->hole_count * sizeof mark->holes[0]);
	}
	mark->holes[mark->hole_count++] = (struct sequence_range){ from, to };
	finding->missing[finding->missing_count++] = (struct sequence_range){ from, to };
}

/* Takes seq out of the hole that it lies in; false: it lies in none. */
static bool fill_hole(struct mark *mark, uint64_t seq)
{
	for (unsigned i = 0; i < mark->hole_count; i++) {
		struct sequence_range *hole = &mark->holes[i];

		if (seq < hole->from || seq > hole->to)
			continue;
		/* They come in order: what is left lies behind, but for a hole that was trimmed at its begin. */
		if (seq > hole->from && mark->hole_count < SEQUENCE_HOLES)
			mark->holes[mark->hole_count++] = (struct sequence_range){ hole->from, seq - 1 };
		hole->from = seq + 1;
		if (hole->from > hole->to)
			*hole = mark->holes[--mark->hole_count];
		return true;
	}
	return false;
}

static uint64_t epoch_of(uint64_t seq)
{
	return seq >> JOURNAL_COUNTER_BITS;
}

static uint64_t first_of(uint64_t epoch)
{
	return epoch << JOURNAL_COUNTER_BITS | 1;
}

static void advance(struct mark *mark, uint64_t seq, struct sequence_finding *finding)
{
	uint64_t from = mark->last + 1;

	if (epoch_of(seq) != epoch_of(mark->last)) {
		mark->previous = mark->last;
		from = first_of(epoch_of(seq));
	}
	mark->last = seq;
	if (seq > from)
		add_hole(mark, from, seq - 1, finding);
}

/* What the epoch before had at its end, and we have not. */
static void join(struct mark *mark, struct sequence_joint joint, struct sequence_finding *finding)
{
	uint64_t had = mark->previous;

	if (had == 0 || joint.previous_seq == 0 || epoch_of(joint.previous_seq) != joint.previous_epoch ||
	    joint.previous_epoch < epoch_of(had) || joint.previous_epoch >= epoch_of(mark->last))
		return;
	uint64_t from = joint.previous_epoch == epoch_of(had) ? had + 1 : first_of(joint.previous_epoch);

	mark->previous = 0;
	add_hole(mark, from, joint.previous_seq, finding);
}

void sequence_note(struct sequence *sequence, struct text producer, unsigned partition, uint64_t seq,
		   struct sequence_joint joint, struct sequence_finding *ret_finding)
{
	struct mark *mark = find(sequence, producer, partition);

	*ret_finding = (struct sequence_finding){ .is_new = true };
	if (!mark) {
		mark = add(sequence, producer, partition, seq, ret_finding->given_up);
		ret_finding->first_in_round = true;
	} else {
		ret_finding->first_in_round = mark->round != sequence->round;
		if (seq > mark->last)
			advance(mark, seq, ret_finding);
		else
			ret_finding->is_new = ret_finding->fills = fill_hole(mark, seq);
		if (ret_finding->is_new)
			join(mark, joint, ret_finding);
	}
	mark->used = ++sequence->notes;
	mark->round = sequence->round;
	mark->has_changed = true;
	sequence->latest = mark;
}

/* ---- kept elsewhere ---- */

enum { STATE_SIZE = 96 + SEQUENCE_HOLES * 44 };

static struct text words_of(const struct mark *mark, char text[STATE_SIZE])
{
	int length = snprintf(text, STATE_SIZE, "first %" PRIu64 " last %" PRIu64 " previous %" PRIu64, mark->first, mark->last,
			      mark->previous);

	for (unsigned i = 0; i < mark->hole_count; i++)
		length += snprintf(text + length, (size_t)(STATE_SIZE - length), " %" PRIu64 "-%" PRIu64, mark->holes[i].from,
				   mark->holes[i].to);
	return (struct text){ text, (size_t)length };
}

void sequence_keep(struct sequence *sequence, void (*take)(void *context, struct text producer, unsigned partition, struct text state),
		   void *context)
{
	char text[STATE_SIZE];

	for (size_t i = 0; i < sequence->count; i++) {
		struct mark *mark = &sequence->marks[i];

		if (mark->has_changed)
			take(context, text_of(mark->producer), mark->partition, words_of(mark, text));
		mark->has_changed = false;
	}
}

bool sequence_restore(struct sequence *sequence, struct text producer, unsigned partition, const char *state)
{
	char given_up[JOURNAL_NAME_SIZE];
	struct mark read = { .partition = partition }, *mark;
	int length = 0;

	if (producer.length >= JOURNAL_NAME_SIZE || sscanf(state, "first %" SCNu64 " last %" SCNu64 " previous %" SCNu64 "%n", &read.first,
							   &read.last, &read.previous, &length) != 3)
		return false;
	for (state += length; read.hole_count < SEQUENCE_HOLES; state += length) {
		struct sequence_range *hole = &read.holes[read.hole_count];

		if (sscanf(state, " %" SCNu64 "-%" SCNu64 "%n", &hole->from, &hole->to, &length) != 2)
			break;
		read.hole_count++;
	}
	memcpy(read.producer, producer.start, producer.length);
	mark = add(sequence, producer, partition, read.last, given_up);
	*mark = read;
	return true;
}
