/*
 * journal_keep.c - the keeper: copies the front to the spool, makes it last, lets go of what may go.
 *
 * Nothing is removed from the front before it is in the spool, and nothing from the spool before it
 * is shipped. Where the two promises meet a full disk: shipped segments that are only kept for a Redis
 * that forgets go first; then shipped segments of the front that never reached the spool; then the front
 * fills, and appends are refused and counted.
 */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "clock.h"
#include "journal_internal.h"

/* Beside errors: the file of the front is not there, or shorter than it was. */
enum { FRONT_FILE_GONE = 1 };

/* Writing the identity costs two syncs, so it is rare; what Redis takes meanwhile may be doubled where a copy of
 * this spool goes on under another identity (doc/durability.md says so). */
enum { REMEMBER_EVERY_US = 5000000 };

void journal_copy_close(struct journal *journal)
{
	if (journal->copy_from >= 0)
		close(journal->copy_from);
	if (journal->copy_to >= 0)
		close(journal->copy_to);
	journal->copy_from = journal->copy_to = -1;
}

static void remove_file(int directory, const char *name, bool set_aside)
{
	if (set_aside)
		(void)segment_set_aside(directory, name);
	else
		(void)unlinkat(directory, name, 0);
}

/* Takes a segment that nobody has pinned out of the list and deletes its files. */
static void remove_segment(struct journal *journal, struct segment *segment, bool set_aside)
{
	char name[SEGMENT_NAME_SIZE];

	pthread_mutex_lock(&journal->lock);
	if (segment->previous)
		segment->previous->next = segment->next;
	else
		journal->first = segment->next;
	if (segment->next)
		segment->next->previous = segment->previous;
	else
		journal->last = segment->previous;
	journal->front_used -= segment->front_bytes;
	journal->spool_used -= segment->spool_bytes;
	journal->counts.quarantined += set_aside;
	pthread_mutex_unlock(&journal->lock);
	if (journal->copying == segment)
		journal->copying = NULL;
	if (journal->copy_number == segment->number)
		journal_copy_close(journal);
	segment_name(name, segment->number);
	if (segment->in_front)
		remove_file(journal->front, name, set_aside);
	if (segment->in_spool)
		remove_file(journal->spool, name, set_aside);
	free(segment);
}

/* A shipped segment that Redis is thought to hold; the last one stays, it says how far we came. */
static struct segment *oldest_shipped(struct journal *journal)
{
	pthread_mutex_lock(&journal->lock);
	struct segment *segment = journal->first;
	bool may_go = segment && segment->next && !segment->pins && journal_is_shipped(journal, segment);

	pthread_mutex_unlock(&journal->lock);
	return may_go ? segment : NULL;
}

/* Room in the spool. */

static bool is_room(struct journal *journal, uint64_t bytes)
{
	struct statvfs status;

	if (journal->spool_used + bytes > journal->options.spool_bytes)
		return false;
	if (fstatvfs(journal->spool, &status) != 0)
		return true;
	uint64_t left = (uint64_t)status.f_bavail * status.f_frsize;
	uint64_t wanted = (uint64_t)status.f_blocks / 100 * journal->options.free_percent * status.f_frsize;

	return left >= wanted && left - wanted >= bytes;
}

/* What Redis has goes before its time where its place is needed; false: there is nothing of that kind. */
static bool give_way(struct journal *journal)
{
	struct segment *segment = oldest_shipped(journal);

	if (!segment || segment == journal->copying)
		return false;
	remove_segment(journal, segment, false);
	return true;
}

static int make_room(struct journal *journal, uint64_t bytes)
{
	while (!is_room(journal, bytes))
		if (!give_way(journal))
			return -ENOSPC;
	return 0;
}

/* A quota, for one, does not show in what a file system says of its room. */
static bool is_full(int error)
{
	return error == -ENOSPC || error == -EDQUOT;
}

/* Copying. */

/* 0, an error of the spool, or FRONT_FILE_GONE; so do those that copy. */
static int open_copy(struct journal *journal, struct segment *segment)
{
	char name[SEGMENT_NAME_SIZE];
	struct stat status;

	if (journal->copy_number == segment->number && journal->copy_to >= 0)
		return 0;
	journal_copy_close(journal);
	journal->copy_number = segment->number;
	segment_name(name, segment->number);
	journal->copy_from = openat(journal->front, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (journal->copy_from < 0)
		return errno == ENOENT ? FRONT_FILE_GONE : -errno;
	/* What an earlier run copied stays until the same bytes are written over it. */
	journal->copy_to = openat(journal->spool, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (journal->copy_to < 0 || fstat(journal->copy_to, &status) != 0) {
		int error = -errno;

		journal_copy_close(journal);
		return error;
	}
	pthread_mutex_lock(&journal->lock);
	if (!segment->in_spool) {
		journal->has_new_file = true;
		segment->in_spool = true;
		segment->spool_bytes = (uint64_t)status.st_size;
		journal->spool_used += segment->spool_bytes;
	}
	pthread_mutex_unlock(&journal->lock);
	return 0;
}

static ssize_t pread_again(int fd, void *buffer, size_t length, uint64_t offset)
{
	ssize_t got;

	do
		got = pread(fd, buffer, length, (off_t)offset);
	while (got < 0 && errno == EINTR);
	return got;
}

/* Copies a chunk, or as much of it as the disk takes: the next try goes on where this one ended. */
static int copy_chunk(struct journal *journal, struct segment *segment, uint64_t used)
{
	uint64_t offset = segment->copied, length = used - offset;
	uint64_t new_end;
	int error;

	if (length > JOURNAL_COPY_CHUNK)
		length = JOURNAL_COPY_CHUNK;
	new_end = offset + length;
	if (new_end > segment->spool_bytes) {
		error = make_room(journal, new_end - segment->spool_bytes);
		if (error)
			return error;
	}
	ssize_t got = pread_again(journal->copy_from, journal->copy_buffer, (size_t)length, offset);

	if (got <= 0)
		return got < 0 ? -errno : FRONT_FILE_GONE;
	ssize_t put = pwrite(journal->copy_to, journal->copy_buffer, (size_t)got, (off_t)offset);

	error = put < 0 ? -errno : put == 0 ? -ENOSPC : 0;
	if (error)
		return error == -EINTR || (is_full(error) && give_way(journal)) ? 0 : error;
	segment->copied += (uint64_t)put;
	pthread_mutex_lock(&journal->lock);
	if (segment->copied > segment->spool_bytes) {
		journal->spool_used += segment->copied - segment->spool_bytes;
		segment->spool_bytes = segment->copied;
	}
	pthread_mutex_unlock(&journal->lock);
	return 0;
}

static int sync_copy(struct journal *journal, struct segment *segment)
{
	if (journal->options.sync != JOURNAL_SYNC_NONE) {
		if (fdatasync(journal->copy_to) != 0) {
			/* The kernel may have dropped the pages it could not write: write them again. */
			segment->copied = segment->synced;
			return -errno;
		}
		if (journal->has_new_file && fsync(journal->spool) != 0)
			return -errno;
		journal->has_new_file = false;
	}
	segment->synced = segment->copied;
	return 0;
}

/* Somebody removed or cut its file in the front: that costs its entries, not the ones behind it. */
static void give_up_segment(struct journal *journal, struct segment *segment)
{
	pthread_mutex_lock(&journal->lock);
	bool is_begun = segment->number == journal->shipped.number;

	journal_segment_lost(journal, segment, is_begun ? journal->shipped.counter + 1 : segment->first_counter);
	pthread_mutex_unlock(&journal->lock);
}

/* Brings the copy of one segment up to what was appended when this began. */
static int copy_segment(struct journal *journal, struct segment *segment)
{
	pthread_mutex_lock(&journal->lock);
	uint64_t used = segment->used, last_counter = segment->last_counter;
	bool is_closed = segment->closed;
	pthread_mutex_unlock(&journal->lock);

	if (segment->copied >= used && segment->synced >= used)
		return 0;
	int error = open_copy(journal, segment);

	while (!error && segment->copied < used)
		error = copy_chunk(journal, segment, used);
	if (!error && is_closed && segment->spool_bytes > used) {
		/* An earlier run's copy had more, half an entry at most. */
		if (ftruncate(journal->copy_to, (off_t)used) != 0)
			error = -errno;
	}
	if (!error)
		error = sync_copy(journal, segment);
	if (!error) {
		pthread_mutex_lock(&journal->lock);
		if (is_closed) {
			journal->spool_used -= segment->spool_bytes - used;
			segment->spool_bytes = used;
		}
		if (journal->options.sync != JOURNAL_SYNC_NONE && last_counter >= segment->first_counter)
			journal->synced_seq = segment_seq(segment->origin.epoch, last_counter);
		pthread_mutex_unlock(&journal->lock);
	}
	if (error || is_closed)
		journal_copy_close(journal);
	if (error != FRONT_FILE_GONE)
		return error;
	if (!is_closed)
		return -ENOENT;
	give_up_segment(journal, segment);
	return 0;
}

static bool wants_copy(struct journal *journal, const struct segment *segment)
{
	pthread_mutex_lock(&journal->lock);
	bool wants = segment->in_front && !segment->unreadable;

	pthread_mutex_unlock(&journal->lock);
	return wants;
}

static int copy_all(struct journal *journal)
{
	int error = 0;

	if (!journal->copying) {
		pthread_mutex_lock(&journal->lock);
		journal->copying = journal->first;
		pthread_mutex_unlock(&journal->lock);
	}
	while (journal->copying) {
		struct segment *segment = journal->copying;

		if (wants_copy(journal, segment))
			error = copy_segment(journal, segment);
		if (error)
			break;
		pthread_mutex_lock(&journal->lock);
		bool is_done = segment->next && (!segment->in_front || segment->unreadable ||
						 (segment->closed && segment->copied >= segment->used));
		struct segment *next = segment->next;

		pthread_mutex_unlock(&journal->lock);
		if (!is_done)
			break;
		journal->copying = next;
	}
	return error;
}

/* Letting go. */

static bool has_gaps(const struct journal *journal)
{
	for (int i = 0; i < GAP_REASONS; i++)
		if (journal->gaps[i].count)
			return true;
	return false;
}

/* Whether the spool has all of it. The newest file of the front stays while it alone holds a count of
 * what was refused. Under the lock. */
static bool may_leave_front(const struct journal *journal, const struct segment *segment)
{
	bool is_bearer =
		segment == journal->last && (journal->is_closing || !journal->active) && has_gaps(journal);

	return segment->in_front && segment->closed && !segment->unreadable &&
	       segment->synced >= segment->used && !is_bearer;
}

static void leave_front(struct journal *journal, struct segment *segment)
{
	char name[SEGMENT_NAME_SIZE];

	/* A reader that finds the file gone looks here again, and then in the spool. */
	pthread_mutex_lock(&journal->lock);
	segment->in_front = false;
	journal->front_used -= segment->front_bytes;
	segment->front_bytes = 0;
	pthread_mutex_unlock(&journal->lock);
	segment_name(name, segment->number);
	(void)unlinkat(journal->front, name, 0);
	atomic_store(&journal->wants_prepare, true);
	if (atomic_exchange(&journal->prepare_sleeper.is_asleep, false))
		journal_wake_sleeper(&journal->prepare_sleeper);
}

/* The spool refuses, the front fills, but Redis has these: recording goes on without their retention, and
 * half of the front stays free for what comes until the keeper looks again. Those that only the spool has
 * go too, since they are older: a hole between two that are kept would be passed over in silence when
 * Redis goes back. */
static bool may_skip_spool(const struct journal *journal, const struct segment *segment)
{
	return journal->counts.keep_error && segment->next && !segment->pins &&
	       journal->front_used > journal->options.front_bytes / 2 && journal_is_shipped(journal, segment);
}

static bool may_retire(const struct journal *journal, const struct segment *segment, uint64_t now_us)
{
	uint64_t shipped_behind =
		journal->shipped.byte - (segment->first_byte + segment->used - SEGMENT_HEAD_SIZE);

	return segment->next && !segment->pins && !segment->in_front &&
	       journal_is_shipped(journal, segment) && segment->shipped_since_us &&
	       now_us - segment->shipped_since_us >= journal->options.keep_us &&
	       shipped_behind >= journal->options.keep_bytes;
}

/* One walk over all segments: rare work is found here, and each is looked at for a moment. */
static void let_go(struct journal *journal)
{
	uint64_t now_us = clock_steady_us();
	bool is_oldest = true;

	pthread_mutex_lock(&journal->lock);
	struct segment *segment = journal->first;
	bool must_restamp = journal->must_restamp;

	journal->must_restamp = false;
	pthread_mutex_unlock(&journal->lock);
	while (segment) {
		pthread_mutex_lock(&journal->lock);
		struct segment *next = segment->next;
		bool is_shipped = journal_is_shipped(journal, segment);
		bool leaves = may_leave_front(journal, segment);
		bool is_bad = segment->unreadable && !segment->pins && next;

		pthread_mutex_unlock(&journal->lock);
		if (!is_shipped || must_restamp)
			segment->shipped_since_us = 0;
		if (is_shipped && !segment->shipped_since_us)
			segment->shipped_since_us = now_us;
		if (leaves)
			leave_front(journal, segment);
		pthread_mutex_lock(&journal->lock);
		bool goes = is_oldest &&
			    (may_retire(journal, segment, now_us) || may_skip_spool(journal, segment));
		pthread_mutex_unlock(&journal->lock);
		if (goes || is_bad) {
			bool was_in_front = segment->in_front;

			remove_segment(journal, segment, is_bad);
			if (was_in_front)
				atomic_store(&journal->wants_prepare, true);
		} else {
			is_oldest = false;
		}
		segment = next;
	}
}

static int make_epoch_durable(struct journal *journal)
{
	pthread_mutex_lock(&journal->lock);
	bool has_epoch = journal->has_epoch;
	pthread_mutex_unlock(&journal->lock);
	if (has_epoch)
		return 0;
	int error;

	do {
		pthread_mutex_lock(&journal->identity_lock);
		error = identity_store(&journal->identity, journal->spool);
		pthread_mutex_unlock(&journal->identity_lock);
	} while (is_full(error) && give_way(journal));
	if (!error) {
		pthread_mutex_lock(&journal->lock);
		journal->has_epoch = true;
		pthread_mutex_unlock(&journal->lock);
	}
	return error;
}

/* A directory that was deleted under us still takes what is written into open files; no start would find it. */
static int check_spool(const struct journal *journal)
{
	struct stat status;

	if (fstat(journal->spool, &status) != 0)
		return -errno;
	return status.st_nlink == 0 ? -ENOENT : 0;
}

/* Only a help for later: where it cannot be written, more is sent again under another name, never less. */
void journal_remember_shipped(struct journal *journal)
{
	struct identity *identity = &journal->identity;

	/* Across both steps: a change of producer between them would make the mark one of the old name. */
	pthread_mutex_lock(&journal->identity_lock);
	pthread_mutex_lock(&journal->lock);
	const struct segment *segment = journal->first;
	uint64_t counter = journal->shipped.counter;

	while (segment && segment->number != journal->shipped.number)
		segment = segment->next;
	bool is_new = segment && journal->shipped.index && journal->has_epoch &&
		      (counter != identity->shipped_counter ||
		       strcmp(segment->origin.incarnation, identity->shipped_incarnation) != 0);

	if (is_new) {
		memcpy(identity->shipped_incarnation, segment->origin.incarnation, JOURNAL_NAME_SIZE);
		identity->shipped_counter = counter;
	}
	pthread_mutex_unlock(&journal->lock);
	if (is_new)
		(void)identity_store(identity, journal->spool);
	pthread_mutex_unlock(&journal->identity_lock);
}

static void remember_sometimes(struct journal *journal)
{
	uint64_t now_us = clock_steady_us();

	if (journal->remembered_us && now_us - journal->remembered_us < REMEMBER_EVERY_US)
		return;
	journal->remembered_us = now_us;
	journal_remember_shipped(journal);
}

int journal_keep(struct journal *journal)
{
	atomic_store(&journal->wants_keep, false);
	journal->kept_index = atomic_load(&journal->appended);
	int error = make_epoch_durable(journal);
	int spool_error = check_spool(journal);
	int copy_error = spool_error ? spool_error : copy_all(journal);

	if (!error)
		error = copy_error;
	pthread_mutex_lock(&journal->lock);
	journal->counts.keep_error = -error;
	pthread_mutex_unlock(&journal->lock);
	journal->has_keep_failed = error != 0;
	if (!error)
		remember_sometimes(journal);
	let_go(journal);
	return error;
}
