/*
 * journal_read.c - the reader: batches, seeking, what is shipped, a change of producer.
 *
 * The list of segments is one line in time. It may begin with segments of other producers: of an
 * identity that was lost or came from elsewhere, or one that we gave up. A lineage is what is read under
 * one producer; a cursor belongs to one lineage, and everything before a cursor's place is shipped.
 */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "journal_internal.h"

enum { FAILURES_MAX = 3 };		/* of reading a file, before its rest is given up */

void journal_reader_close_file(struct reader *reader)
{
	if (reader->fd >= 0)
		close(reader->fd);
	reader->fd = -1;
}

/* Places. Under the lock. */

static struct place place_behind(const struct segment *segment, uint64_t counter)
{
	struct place place = { .number = segment->number };
	uint64_t entries = segment->last_counter + 1 - segment->first_counter, passed;

	if (counter > segment->last_counter)
		counter = segment->last_counter;
	if (counter < segment->first_counter)
		counter = segment->first_counter - 1;
	passed = counter + 1 - segment->first_counter;
	place.counter = counter;
	place.index = segment->first_index + passed;
	/* In the middle only the reader knows the exact byte; elsewhere their share will do. */
	place.byte = segment->first_byte;
	if (passed)
		place.byte += passed == entries ? segment->used - SEGMENT_HEAD_SIZE :
			      (segment->used - SEGMENT_HEAD_SIZE) / entries * passed;
	return place;
}

/* The reader is at a place; where it gave nothing out on the way, what it passed is done with. */
static void set_read(struct journal *journal, struct place place, bool gave_entries)
{
	if (!gave_entries && journal->shipped.index == journal->read.index)
		journal->shipped = place;
	journal->read = place;
	journal->read_index = place.index;
}

/* First counter that is read of a segment; more than its last: none. */
static uint64_t first_read(const struct segment *segment)
{
	if (segment->unreadable || segment->read_from == UINT64_MAX)
		return UINT64_MAX;
	return segment->read_from > segment->first_counter ? segment->read_from : segment->first_counter;
}

static uint64_t first_read_locked(struct journal *journal, const struct segment *segment)
{
	pthread_mutex_lock(&journal->lock);
	uint64_t first = first_read(segment);

	pthread_mutex_unlock(&journal->lock);
	return first;
}

/* Puts the reader into a segment that it has pinned, or at the beginning of an empty list. */
static void enter(struct journal *journal, struct segment *segment, uint64_t from_counter)
{
	struct reader *reader = &journal->reader;

	journal_reader_close_file(reader);
	reader->segment = segment;
	reader->failures = 0;
	if (!segment)
		return;
	uint64_t first = first_read_locked(journal, segment);

	reader->expected = first > from_counter ? first : from_counter;
}

enum step { STEP_READ, STEP_AGAIN, STEP_NONE };

/* Finds the segment to read on in; one step, so that the lock is held for a moment. */
static enum step find_segment(struct journal *journal, uint64_t *ret_used, uint64_t *ret_last)
{
	struct reader *reader = &journal->reader;
	enum step step = STEP_AGAIN;
	bool is_new = false;

	pthread_mutex_lock(&journal->lock);
	struct segment *segment = reader->segment, *next = segment ? segment->next : journal->first;

	if (segment && segment->unreadable)
		reader->expected = UINT64_MAX;
	if (segment && reader->expected <= segment->last_counter) {
		*ret_used = segment->used;
		*ret_last = segment->last_counter;
		step = STEP_READ;
	} else if (segment && (!segment->closed || !next)) {
		step = STEP_NONE;
		if (segment->closed)
			set_read(journal, place_behind(segment, segment->last_counter), false);
	} else if (!next) {
		step = STEP_NONE;
	} else {
		if (segment) {
			segment->pins--;
			set_read(journal, place_behind(segment, segment->last_counter), false);
		}
		next->pins++;
		is_new = true;
	}
	pthread_mutex_unlock(&journal->lock);
	if (is_new)
		enter(journal, next, 0);
	return step;
}

static int open_segment(struct journal *journal, uint64_t used)
{
	struct reader *reader = &journal->reader;
	char name[SEGMENT_NAME_SIZE];

	if (reader->fd >= 0) {
		/* More was appended since. */
		reader->file.end = used;
		return 0;
	}
	segment_name(name, reader->segment->number);
	for (int try = 0; try < 2 && reader->fd < 0; try++) {
		pthread_mutex_lock(&journal->lock);
		bool in_front = reader->segment->in_front;
		pthread_mutex_unlock(&journal->lock);
		reader->fd = openat(in_front ? journal->front : journal->spool, name,
				    O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (reader->fd < 0)
		return -errno;
	segment_reader_start(&reader->file, reader->fd, reader->segment->head_crc,
			     reader->segment->origin.epoch, used, reader->window);
	return 0;
}

/* Entries up to before this counter are missing. What is read again brings the same holes again, which are known. */
static void note_missing(struct journal *journal, uint64_t counter, uint64_t from_us, uint64_t to_us)
{
	struct reader *reader = &journal->reader;
	uint64_t count = counter - reader->expected;
	uint64_t index = reader->segment->first_index + (counter - reader->segment->first_counter);

	if (count == 0 || index <= reader->told_index)
		return;
	if (count > index - reader->told_index)
		count = index - reader->told_index;
	reader->told_index = index;
	pthread_mutex_lock(&journal->lock);
	journal->counts.damaged += count;
	journal_gap_note(journal, GAP_DAMAGED, count, from_us ? from_us : to_us, to_us ? to_us : from_us);
	pthread_mutex_unlock(&journal->lock);
}

/* Takes entries out of the window. 0, or why the file cannot be read. */
static int fill_batch(struct journal *journal, struct journal_batch *batch, uint64_t last)
{
	struct reader *reader = &journal->reader;
	struct segment_reader *file = &reader->file;
	size_t bytes = 0;
	int result = 1;

	while (batch->count < JOURNAL_BATCH_ENTRIES && reader->expected <= last) {
		struct journal_entry entry;
		uint64_t offset = file->offset, last_seq = file->last_seq;

		result = segment_reader_next(file, batch->count == 0, &entry);
		if (result != 1)
			break;
		uint64_t counter = entry.seq & SEGMENT_COUNTER_MAX;

		if (counter < reader->expected)
			continue;
		bytes += entry.payload.length;
		if (batch->count && bytes > JOURNAL_BATCH_BYTES) {
			file->offset = offset;
			file->last_seq = last_seq;
			break;
		}
		uint64_t time_us = journal_payload_time(entry.payload);

		note_missing(journal, counter, reader->last_time_us, time_us);
		reader->last_time_us = time_us;
		reader->expected = counter + 1;
		batch->entries[batch->count++] = entry;
	}
	if (result == 0 && reader->expected <= last) {
		/* The file ended before its last entry. */
		note_missing(journal, last + 1, reader->last_time_us, clock_now_us());
		reader->expected = last + 1;
		file->offset = file->end;
	}
	return result < 0 && result != -EAGAIN ? result : 0;
}

/* A file that cannot be read is tried again; then its rest is given up. */
static int fail_reading(struct journal *journal, int error)
{
	struct reader *reader = &journal->reader;

	journal_reader_close_file(reader);
	if (error != -ENOENT && error != -ELOOP && ++reader->failures < FAILURES_MAX)
		return error;
	pthread_mutex_lock(&journal->lock);
	journal_segment_lost(journal, reader->segment, reader->expected);
	pthread_mutex_unlock(&journal->lock);
	return 0;
}

static void pass_batch(struct journal *journal, struct journal_batch *batch)
{
	struct reader *reader = &journal->reader;

	batch->origin = reader->segment->origin;
	memcpy(reader->producer, batch->origin.producer, JOURNAL_NAME_SIZE);
	reader->failures = 0;
	pthread_mutex_lock(&journal->lock);
	struct place place = place_behind(reader->segment, reader->expected - 1);

	place.byte = reader->segment->first_byte + reader->file.offset - SEGMENT_HEAD_SIZE;
	if (batch->count && journal->shipped.index == journal->read.index)
		journal->unshipped_time_us = journal_payload_time(batch->entries[0].payload);
	set_read(journal, place, batch->count > 0);
	pthread_mutex_unlock(&journal->lock);
}

int journal_read(struct journal *journal, struct journal_batch *ret_batch)
{
	uint64_t used = 0, last = 0;
	enum step step;

	ret_batch->count = 0;
	while ((step = find_segment(journal, &used, &last)) != STEP_NONE) {
		if (step == STEP_AGAIN)
			continue;
		int error = open_segment(journal, used);

		if (!error)
			error = fill_batch(journal, ret_batch, last);
		if (error) {
			/* What was read before the failure is not given out: it is read again. */
			ret_batch->count = 0;
			error = fail_reading(journal, error);
			if (error)
				return error;
			continue;
		}
		pass_batch(journal, ret_batch);
		if (ret_batch->count) {
			journal->read_active_us = clock_steady_us();
			return 1;
		}
	}
	return 0;
}

/* What is shipped. */

void journal_shipped(struct journal *journal, uint64_t seq)
{
	uint64_t epoch = seq >> JOURNAL_COUNTER_BITS, counter = seq & SEGMENT_COUNTER_MAX;
	struct reader *reader = &journal->reader;
	struct segment *segment;

	pthread_mutex_lock(&journal->lock);
	/* Two lineages may have the same numbers: the one that was read last is meant. */
	for (segment = reader->segment; segment; segment = segment->previous)
		if (segment->origin.epoch == epoch && counter >= segment->first_counter &&
		    counter <= segment->last_counter)
			break;
	if (segment) {
		struct place place = place_behind(segment, counter);

		if (place.index >= journal->read.index)
			place = journal->read;
		if (place.index > journal->shipped.index) {
			journal->shipped = place;
			journal->shipped_seq = seq;
			journal->unshipped_time_us = reader->last_time_us;
		}
	}
	pthread_mutex_unlock(&journal->lock);
}

/* Seeking. */

/* Moves to a segment (pinned by the caller, who gives the pin away), behind the counter before this one. */
static void move_to(struct journal *journal, struct segment *segment, uint64_t from_counter,
		    uint64_t shipped_seq)
{
	struct segment *old = journal->reader.segment;

	pthread_mutex_lock(&journal->lock);
	if (old)
		old->pins--;
	struct place place = { 0 };

	if (segment)
		place = place_behind(segment, from_counter ? from_counter - 1 : 0);
	if (place.index < journal->shipped.index)
		journal->must_restamp = true;
	journal->shipped = place;
	journal->shipped_seq = shipped_seq;
	journal->unshipped_time_us = segment ? segment->created_us : 0;
	set_read(journal, place, true);
	pthread_mutex_unlock(&journal->lock);
	enter(journal, segment, from_counter);
	journal->reader.last_time_us = 0;
}

static bool is_of(const struct segment *segment, const char *producer)
{
	return producer[0] == '\0' || strcmp(segment->origin.producer, producer) == 0;
}

static uint64_t last_counter(struct journal *journal, const struct segment *segment)
{
	pthread_mutex_lock(&journal->lock);
	uint64_t last = segment->last_counter;

	pthread_mutex_unlock(&journal->lock);
	return last;
}

/* The first segment of a lineage that is read and of a later epoch, pinned; NULL: none. */
static struct segment *oldest_of(struct journal *journal, const char *producer, uint32_t after_epoch)
{
	struct segment *segment = journal_segment_first(journal);

	while (segment && !(is_of(segment, producer) && segment->origin.epoch > after_epoch &&
			    first_read_locked(journal, segment) <= last_counter(journal, segment)))
		segment = journal_segment_next(journal, segment);
	return segment;
}

static struct segment *last_segment(struct journal *journal)
{
	pthread_mutex_lock(&journal->lock);
	struct segment *segment = journal->last;

	if (segment)
		segment->pins++;
	pthread_mutex_unlock(&journal->lock);
	return segment;
}

/* Entries of our epochs behind a place in the history that are no longer kept before this segment. */
static uint64_t count_not_kept(struct journal *journal, const struct segment *segment, uint32_t after_epoch,
			       uint64_t after_counter)
{
	const struct identity *identity = &journal->identity;
	uint64_t count =
		segment->first_counter > segment->read_from ? segment->first_counter - segment->read_from : 0;

	if (segment->origin.epoch == after_epoch)
		return segment->first_counter - 1 > after_counter ? segment->first_counter - 1 - after_counter
								  : 0;
	if (strcmp(segment->origin.producer, journal->origin.producer) != 0)
		return count;
	for (size_t i = 0; i < identity->epoch_count; i++) {
		const struct identity_epoch *row = &identity->epochs[i];

		if (row->epoch >= segment->origin.epoch || row->epoch < after_epoch)
			continue;
		if (row->epoch > after_epoch)
			count += row->last_counter;
		else if (row->last_counter > after_counter)
			count += row->last_counter - after_counter;
	}
	return count;
}

/* How much of what is missing behind this place was noted before: behind the same place, or a later one. */
static uint64_t told_before(const struct told *told, const char *producer, uint32_t epoch, uint64_t counter)
{
	bool is_behind = epoch < told->epoch || (epoch == told->epoch && counter <= told->counter);

	return is_behind && strcmp(producer, told->producer) == 0 ? told->count : 0;
}

static enum journal_position note_not_kept(struct journal *journal, const struct segment *segment, uint32_t after_epoch,
					   uint64_t after_counter, uint64_t count)
{
	struct told *told = &journal->reader.told;
	uint64_t before = told_before(told, segment->origin.producer, after_epoch, after_counter);

	if (count <= before)
		return JOURNAL_AT_CURSOR;
	*told = (struct told){ .epoch = after_epoch, .counter = after_counter, .count = count };
	memcpy(told->producer, segment->origin.producer, sizeof told->producer);
	pthread_mutex_lock(&journal->lock);
	journal_gap_note(journal, GAP_NOT_KEPT, count - before, segment->created_us, segment->created_us);
	pthread_mutex_unlock(&journal->lock);
	return JOURNAL_AFTER_KEPT;
}

/* To the oldest that is kept of a lineage behind an epoch (0: all) and what is missing before it. */
static enum journal_position seek_oldest(struct journal *journal, const char *producer, uint32_t after_epoch,
					 uint64_t after_counter)
{
	struct segment *segment = oldest_of(journal, producer, after_epoch);
	enum journal_position position = JOURNAL_AT_CURSOR;

	if (segment) {
		position = note_not_kept(journal, segment, after_epoch, after_counter,
					 count_not_kept(journal, segment, after_epoch, after_counter));
		move_to(journal, segment, first_read_locked(journal, segment), 0);
	} else {
		segment = last_segment(journal);
		move_to(journal, segment, segment ? last_counter(journal, segment) + 1 : 0, 0);
	}
	return position;
}

struct cursor {
	struct text incarnation;
	uint32_t epoch;
	uint64_t counter;
};

static bool is_at(const struct segment *segment, const struct cursor *cursor)
{
	return segment->origin.epoch == cursor->epoch &&
	       text_is(cursor->incarnation, segment->origin.incarnation);
}

/* Looks for the cursor's place in the segments. */
static bool seek_segment(struct journal *journal, const struct cursor *cursor,
			 enum journal_position *ret_position)
{
	struct segment *segment = journal_segment_first(journal), *best = NULL;
	uint64_t first = 0;

	for (; segment; segment = journal_segment_next(journal, segment)) {
		if (!is_at(segment, cursor) || (best && last_counter(journal, best) > cursor->counter))
			continue;
		if (!best)
			first = segment->first_counter;
		journal_segment_unpin(journal, best);
		pthread_mutex_lock(&journal->lock);
		segment->pins++;
		pthread_mutex_unlock(&journal->lock);
		best = segment;
	}
	if (!best)
		return false;
	*ret_position = JOURNAL_AT_CURSOR;
	if (first > cursor->counter + 1 && best->read_from < first) {
		uint64_t from = best->read_from > cursor->counter + 1 ? best->read_from : cursor->counter + 1;

		*ret_position = note_not_kept(journal, best, cursor->epoch, cursor->counter, first - from);
	}
	move_to(journal, best, cursor->counter + 1, segment_seq(cursor->epoch, cursor->counter));
	return true;
}

static const struct identity_epoch *epoch_of(const struct identity *identity, const struct cursor *cursor)
{
	for (size_t i = 0; i < identity->epoch_count; i++)
		if (identity->epochs[i].epoch == cursor->epoch &&
		    text_is(cursor->incarnation, identity->epochs[i].incarnation))
			return &identity->epochs[i];
	return NULL;
}

/* The epochs of a lineage: whether one is known, and the last. */
static bool knows_epoch(struct journal *journal, const char *producer, uint32_t epoch, uint32_t *ret_last)
{
	struct segment *segment = journal_segment_first(journal);
	bool is_known = false;

	*ret_last = 0;
	for (; segment; segment = journal_segment_next(journal, segment)) {
		if (!is_of(segment, producer))
			continue;
		is_known = is_known || segment->origin.epoch == epoch;
		if (segment->origin.epoch > *ret_last)
			*ret_last = segment->origin.epoch;
	}
	return is_known;
}

/* The cursor is of an incarnation that we know nothing of. */
static enum journal_position seek_unknown(struct journal *journal, const char *producer,
					  const struct cursor *cursor)
{
	bool is_ours = strcmp(producer, journal->origin.producer) == 0;
	uint32_t last_epoch;
	bool is_known = knows_epoch(journal, producer, cursor->epoch, &last_epoch);

	for (size_t i = 0; is_ours && i < journal->identity.epoch_count; i++)
		is_known = is_known || journal->identity.epochs[i].epoch == cursor->epoch;
	if (is_known || (is_ours && cursor->epoch >= journal->origin.epoch))
		return JOURNAL_FOREIGN;
	if (!is_ours && cursor->epoch > last_epoch) {
		/* The holder of an identity that we inherited went on with it, so it has shipped what we
		 * have of it: to behind that lineage. */
		struct segment *segment = journal_segment_first(journal), *next;
		bool is_behind = false;

		while (segment && !(is_behind && !is_of(segment, producer))) {
			is_behind = is_behind || is_of(segment, producer);
			next = journal_segment_next(journal, segment);
			segment = next;
		}
		if (!segment)
			return seek_oldest(journal, producer, last_epoch, 0);
		move_to(journal, segment, 0, 0);
		return JOURNAL_AT_CURSOR;
	}
	return seek_oldest(journal, producer, cursor->epoch, cursor->counter);
}

enum journal_position journal_seek(struct journal *journal, struct text incarnation, uint32_t epoch,
				   uint64_t counter)
{
	struct cursor cursor = { incarnation, epoch, counter };
	char producer[JOURNAL_NAME_SIZE];
	enum journal_position position;

	memcpy(producer, journal->reader.producer, sizeof producer);
	if (incarnation.length == 0)
		return seek_oldest(journal, producer, 0, 0);
	if (epoch == journal->origin.epoch && text_is(incarnation, journal->origin.incarnation)) {
		pthread_mutex_lock(&journal->lock);
		bool is_ahead = counter > journal->counter;

		pthread_mutex_unlock(&journal->lock);
		/* More than we ever made: a copy of this process, as it runs, writes too. */
		if (is_ahead)
			return JOURNAL_FOREIGN;
	}
	if (seek_segment(journal, &cursor, &position))
		return position;
	if (epoch_of(&journal->identity, &cursor))
		return seek_oldest(journal, journal->origin.producer, epoch, counter);
	return seek_unknown(journal, producer[0] ? producer : journal->origin.producer, &cursor);
}

/* A change of producer. */

/* What is known to be shipped: in this run, or, as it says where the other holder has our numbers and the
 * cursor is no help, as it was written down last. */
static struct place known_shipped(struct journal *journal)
{
	const struct identity *identity = &journal->identity;
	struct place known = journal->shipped;

	for (const struct segment *segment = journal->first; segment; segment = segment->next) {
		struct place before = place_behind(segment, identity->shipped_counter);

		if (strcmp(segment->origin.incarnation, identity->shipped_incarnation) == 0 &&
		    identity->shipped_counter + 1 >= segment->first_counter && before.index > known.index)
			known = before;
	}
	return known;
}

/* Whether entries of a segment must be read under another name, and from which counter on. */
static bool must_rename(struct journal *journal, const struct segment *segment, uint32_t foreign_epoch,
			uint64_t *ret_from)
{
	pthread_mutex_lock(&journal->lock);
	struct place shipped = known_shipped(journal);
	uint64_t end = segment->first_index + (segment->last_counter + 1 - segment->first_counter);
	bool is_unshipped = end > shipped.index || !segment->closed;
	uint64_t from = first_read(segment);

	if (from != UINT64_MAX && segment->origin.epoch < foreign_epoch &&
	    segment->number == shipped.number && shipped.counter + 1 > from)
		from = shipped.counter + 1;
	pthread_mutex_unlock(&journal->lock);
	*ret_from = from;
	return from != UINT64_MAX && (segment->origin.epoch >= foreign_epoch || is_unshipped);
}

static bool has_rename(const struct identity *identity, const char *incarnation, const char *producer)
{
	for (size_t i = 0; i < identity->rename_count; i++)
		if (strcmp(identity->renames[i].incarnation, incarnation) == 0 &&
		    strcmp(identity->renames[i].producer, producer) == 0)
			return true;
	return false;
}

/* Gives the entries of a lineage that the other holder does not have the new name. */
static int rename_lineage(struct journal *journal, struct identity *identity, const char *old,
			  const char *new, uint32_t foreign_epoch)
{
	struct segment *segment = journal_segment_first(journal);
	int error = 0;

	for (; segment; segment = journal_segment_next(journal, segment)) {
		uint64_t from;

		/* The first segment of an incarnation decides for those behind it. */
		if (!error && is_of(segment, old) &&
		    !has_rename(identity, segment->origin.incarnation, new) &&
		    must_rename(journal, segment, foreign_epoch, &from)) {
			error = identity_add_rename(identity, segment->origin.incarnation, from, new);
			/* The mark was of the old name: what is read again must not pass for shipped under the new one. */
			if (from <= identity->shipped_counter &&
			    strcmp(segment->origin.incarnation, identity->shipped_incarnation) == 0)
				identity->shipped_incarnation[0] = '\0';
		}
	}
	if (!error)
		error = identity_add_fence(identity, old);
	return error;
}

/* Epochs of the old producer that did not come along are not ours any more. */
static void keep_renamed_epochs(struct identity *identity)
{
	size_t kept = 0;

	for (size_t i = 0; i < identity->epoch_count; i++)
		if (has_rename(identity, identity->epochs[i].incarnation, identity->producer))
			identity->epochs[kept++] = identity->epochs[i];
	identity->epoch_count = kept;
}

/* The identity that follows ours. */
static int make_successor(struct journal *journal, struct identity *successor, const char *new)
{
	struct identity_epoch row = { .epoch = successor->epoch + 1, .begun_us = clock_now_us() };
	int error = 0;

	/* What is appended until the change goes into the epoch that runs. */
	if (!has_rename(successor, journal->origin.incarnation, new))
		error = identity_add_rename(successor, journal->origin.incarnation, 1, new);
	memcpy(successor->producer, new, JOURNAL_NAME_SIZE);
	keep_renamed_epochs(successor);
	successor->epoch++;
	if (!error)
		error = identity_random(successor->incarnation);
	memcpy(row.incarnation, successor->incarnation, sizeof row.incarnation);
	return error ? error : identity_add_epoch(successor, &row);
}

/* From the next append on, entries are made in the new epoch. */
static void begin_successor(struct journal *journal)
{
	struct journal_birth *birth = &journal->birth;

	pthread_mutex_lock(&journal->lock);
	*birth = (struct journal_birth){
		.start = JOURNAL_FENCED,
		.epoch = journal->identity.epoch,
		.previous_epoch = journal->origin.epoch,
		.previous_seq = journal->counter ? segment_seq(journal->origin.epoch, journal->counter) : 0,
	};
	memcpy(birth->previous_producer, journal->origin.producer, JOURNAL_NAME_SIZE);
	memcpy(journal->origin.producer, journal->identity.producer, JOURNAL_NAME_SIZE);
	memcpy(journal->origin.incarnation, journal->identity.incarnation, JOURNAL_NAME_SIZE);
	journal->origin.epoch = journal->identity.epoch;
	journal->counter = 0;
	journal->has_epoch = true;
	if (journal->active) {
		journal->last->closed = true;
		journal->active->next = journal->retired;
		journal->retired = journal->active;
		journal->active = NULL;
	}
	pthread_mutex_unlock(&journal->lock);
	atomic_store(&journal->wants_prepare, true);
	atomic_store(&journal->wants_keep, true);
}

/* Reads on at the first entry that has a new name, or that nobody has yet. */
static void apply_names(struct journal *journal)
{
	struct segment *segment = journal_segment_first(journal), *target = NULL;
	uint64_t from = 0;

	for (; segment; segment = journal_segment_next(journal, segment)) {
		struct journal_origin origin = segment->origin;
		uint64_t read_from;

		identity_apply(&journal->identity, &origin, &read_from);
		bool is_renamed = strcmp(origin.producer, segment->origin.producer) != 0;

		pthread_mutex_lock(&journal->lock);
		segment->origin = origin;
		segment->read_from = read_from;
		uint64_t first = first_read(segment);
		bool is_shipped = journal_is_shipped(journal, segment);

		if (!target && first <= segment->last_counter && (is_renamed || !is_shipped)) {
			target = segment;
			target->pins++;
			from = first;
			if (!is_renamed && segment->number == journal->shipped.number)
				from = journal->shipped.counter + 1;
		}
		pthread_mutex_unlock(&journal->lock);
	}
	if (!target) {
		target = last_segment(journal);
		from = target ? last_counter(journal, target) + 1 : 0;
	}
	move_to(journal, target, from, 0);
	journal->reader.producer[0] = '\0';
	if (target && is_of(target, journal->origin.producer))
		memcpy(journal->reader.producer, journal->origin.producer, JOURNAL_NAME_SIZE);
}

int journal_change_producer(struct journal *journal, uint32_t foreign_epoch, struct problem *problem)
{
	char old[JOURNAL_NAME_SIZE], new[JOURNAL_NAME_SIZE];
	struct identity successor = { 0 };
	int error = identity_random(new);

	/* The lineage that was being read: ours, or one we inherited and whose holder lives. */
	memcpy(old, journal->reader.producer[0] ? journal->reader.producer : journal->origin.producer,
	       sizeof old);
	bool is_ours = strcmp(old, journal->origin.producer) == 0;

	pthread_mutex_lock(&journal->identity_lock);
	if (!error)
		error = identity_copy(&successor, &journal->identity);
	if (!error)
		error = rename_lineage(journal, &successor, old, new, foreign_epoch);
	if (!error && is_ours)
		error = make_successor(journal, &successor, new);
	if (!error)
		error = identity_store(&successor, journal->spool);
	if (!error) {
		struct identity before = journal->identity;

		journal->identity = successor;
		successor = before;
	}
	pthread_mutex_unlock(&journal->identity_lock);
	identity_done(&successor);
	if (error) {
		problem_set(problem, "cannot write the identity of a new producer in '%s': %s",
			    journal->spool_path, strerror(-error));
		return error;
	}
	if (is_ours)
		begin_successor(journal);
	apply_names(journal);
	return 0;
}
