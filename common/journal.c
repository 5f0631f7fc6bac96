/* journal.c - append, spares, gaps, sleeping and waking, figures. */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "crc32c.h"
#include "journal_internal.h"
#include "record.h"

/* A reader that has had an entry a moment ago looks by itself every so often; it asks to be woken only
 * after that, so that a busy appender never pays for a wake. */
enum { READ_LOOK_MS = 10, READ_IDLE_US = 200000 };

static const char *const gap_reasons[GAP_REASONS] = {
	[GAP_FRONT_FULL] = "front_full",
	[GAP_SPOOL_FULL] = "spool_full",
	[GAP_DAMAGED] = "damaged",
	[GAP_NOT_KEPT] = "not_kept",
	[GAP_TOO_LARGE] = "too_large",
	[GAP_NO_EPOCH] = "no_epoch",
	[GAP_NUMBERS] = "numbers_used_up",
	[GAP_TRIMMED] = "trimmed",
};

const char *journal_start_name(enum journal_start start)
{
	switch (start) {
	case JOURNAL_FIRST: return "first";
	case JOURNAL_RESTART: return "restart";
	case JOURNAL_SPOOL_LOST: return "spool_lost";
	case JOURNAL_MOVED: return "moved";
	case JOURNAL_FENCED: return "fenced";
	}
	return NULL;
}

/* Gaps. */

static struct segment_head *active_head(struct journal *journal)
{
	return journal->active ? (struct segment_head *)(void *)journal->active->bytes : NULL;
}

/* A SIGKILL must not lose the count either. */
static void store_gaps(struct journal *journal)
{
	struct segment_head *head = active_head(journal);
	struct front_map *guarded = journal_guard_map(journal->active);

	if (head)
		memcpy(head->gaps, journal->gaps, sizeof journal->gaps);
	(void)journal_guard_map(guarded);
}

void journal_gap_note(struct journal *journal, enum gap_reason reason, uint64_t count, uint64_t from_us,
		      uint64_t to_us)
{
	struct segment_gap *gap = &journal->gaps[reason];

	if (count == 0)
		return;
	if (gap->count == 0)
		*gap = (struct segment_gap){ 0, from_us, to_us };
	gap->count += count;
	if (from_us < gap->from_us)
		gap->from_us = from_us;
	if (to_us > gap->to_us)
		gap->to_us = to_us;
	store_gaps(journal);
}

bool journal_gap_take(struct journal *journal, struct journal_gap *ret_gap)
{
	bool is_taken = false;

	pthread_mutex_lock(&journal->lock);
	for (int i = 0; i < GAP_REASONS && !is_taken; i++) {
		struct segment_gap *gap = &journal->gaps[i];

		if (gap->count == 0)
			continue;
		*ret_gap = (struct journal_gap){ gap->count, gap->from_us, gap->to_us, gap_reasons[i] };
		*gap = (struct segment_gap){ 0 };
		store_gaps(journal);
		is_taken = true;
	}
	pthread_mutex_unlock(&journal->lock);
	return is_taken;
}

void journal_gap_return(struct journal *journal, const struct journal_gap *gap)
{
	pthread_mutex_lock(&journal->lock);
	for (int i = 0; i < GAP_REASONS; i++)
		if (strcmp(gap_reasons[i], gap->reason) == 0)
			journal_gap_note(journal, (enum gap_reason)i, gap->count, gap->from_us, gap->to_us);
	pthread_mutex_unlock(&journal->lock);
}

enum { FETCH_AHEAD_MAX = 512 };		/* bytes of an entry */

/* Appending. */

void journal_list_add(struct journal *journal, struct segment *segment)
{
	segment->previous = journal->last;
	segment->next = NULL;
	segment->first_index = journal->end.index;
	segment->first_byte = journal->end.byte;
	if (journal->last)
		journal->last->next = segment;
	else
		journal->first = segment;
	journal->last = segment;
}

/* Begins the next spare. Nothing here leaves user space: the file was made and touched beforehand. */
static bool roll(struct journal *journal)
{
	struct front_map *next = journal->spares, *full = journal->active;

	if (!next)
		return false;
	struct segment_head *head = (struct segment_head *)(void *)next->bytes;
	struct segment *segment = next->segment;
	struct timespec now;

	/* The coarse clock is read from memory on every machine. */
	(void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
	journal->spares = next->next;
	journal->spare_count--;
	next->segment = NULL;
	if (full) {
		journal->last->closed = true;
		full->next = journal->retired;
		journal->retired = full;
	}
	journal->active = next;
	segment->origin = journal->origin;
	segment->first_counter = journal->counter + 1;
	segment->last_counter = journal->counter;
	segment->read_from = 1;
	segment->created_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	segment->used = SEGMENT_HEAD_SIZE;
	struct front_map *guarded = journal_guard_map(next);

	segment_head_fill(head, &journal->origin, segment->number, next->size, segment->first_counter,
			  segment->created_us);
	segment->head_crc = head->crc;
	(void)journal_guard_map(guarded);
	store_gaps(journal);
	journal_list_add(journal, segment);
	return true;
}

static void put_entry(struct journal *journal, struct text payload, uint32_t payload_crc)
{
	struct segment *segment = journal->last;
	unsigned char *at = journal->active->bytes + segment->used;
	struct segment_entry_head *head = (struct segment_entry_head *)(void *)at;
	uint64_t size = segment_entry_size(payload.length);
	struct front_map *guarded = journal_guard_map(journal->active);

	head->seq = segment_seq(segment->origin.epoch, ++journal->counter);
	head->crc = segment_entry_crc(payload_crc, segment->head_crc, (uint32_t)payload.length, head->seq);
	memcpy(at + sizeof *head, payload.start, payload.length);
	/* From here on it counts, whatever becomes of this process. */
	__atomic_store_n(&head->length, (uint32_t)payload.length, __ATOMIC_RELEASE);
	(void)journal_guard_map(guarded);
	segment->last_counter = journal->counter;
	segment->used += size;
	if (journal->end.index == journal->shipped.index)
		journal->unshipped_time_us = journal_payload_time(payload);
	journal->end.index++;
	journal->end.byte += size;
	atomic_store_explicit(&journal->next_place, (uintptr_t)(at + size), memory_order_relaxed);
	atomic_store_explicit(&journal->next_segment, (uintptr_t)segment, memory_order_relaxed);
	atomic_store(&journal->appended, journal->end.index);
}

/* A gap record that is refused is put back by its maker; counting it would grow the gap by itself. */
static bool is_gap_record(struct text payload)
{
	return payload.length > 0 && (unsigned char)payload.start[0] == STAGE_GAP;
}

static int refuse(struct journal *journal, struct text payload, enum gap_reason reason)
{
	uint64_t now_us = clock_now_us();

	if (is_gap_record(payload))
		return reason == GAP_TOO_LARGE ? -EMSGSIZE : -ENOSPC;
	pthread_mutex_lock(&journal->lock);
	if (reason == GAP_FRONT_FULL && journal->counts.keep_error)
		reason = GAP_SPOOL_FULL;
	journal->counts.refused++;
	journal_gap_note(journal, reason, 1, now_us, now_us);
	pthread_mutex_unlock(&journal->lock);
	return reason == GAP_TOO_LARGE ? -EMSGSIZE : -ENOSPC;
}

/* What a sleeper waits for is stored before this looks, and is_asleep before sleep_until() looks: all four in
 * one order, so that either we see the sleeper or it sees its work. */
static void wake_if_asleep(struct sleeper *sleeper)
{
	if (atomic_load(&sleeper->is_asleep) && atomic_exchange(&sleeper->is_asleep, false))
		journal_wake_sleeper(sleeper);
}

/* What another core wrote last comes while this one still reckons, and at once for writing. */
static inline void fetch_to_write(const void *at)
{
#ifdef __x86_64__
	/* By its name: the compiler's own makes a fetch for reading of it, for the oldest processors' sake. */
	__asm__ volatile("prefetchw (%0)" : : "r"(at));
#else
	__builtin_prefetch(at, 1);
#endif
}

/* Guesses: nothing is lost but time where another thread was quicker, and an address may be that of nothing. */
static void fetch_ahead(struct journal *journal, uint64_t size)
{
	fetch_to_write(&journal->lock);
	fetch_to_write(&journal->end);
	uintptr_t place = atomic_load_explicit(&journal->next_place, memory_order_relaxed);

	fetch_to_write((const void *)atomic_load_explicit(&journal->next_segment, memory_order_relaxed));
	for (uintptr_t at = 0; at <= size && at < FETCH_AHEAD_MAX; at += 64)
		fetch_to_write((const void *)(place + at));
}

static bool has_place(const struct journal *journal, uint64_t size)
{
	const struct front_map *active = journal->active;

	return active && journal->last->used + size <= active->size &&
	       !atomic_load_explicit(&active->is_broken, memory_order_relaxed);
}

int journal_append(struct journal *journal, struct text payload)
{
	bool has_rolled = false;
	enum gap_reason reason = GAP_REASONS;

	if (payload.length == 0 || payload.length > JOURNAL_ENTRY_MAX)
		return refuse(journal, payload, GAP_TOO_LARGE);
	fetch_ahead(journal, segment_entry_size(payload.length));
	uint32_t payload_crc = crc32c(0, payload.start, payload.length);
	uint64_t size = segment_entry_size(payload.length);

	pthread_mutex_lock(&journal->lock);
	if (!journal->has_epoch) {
		reason = GAP_NO_EPOCH;
	} else if (journal->counter >= SEGMENT_COUNTER_MAX) {
		reason = GAP_NUMBERS;
	} else if (!has_place(journal, size)) {
		has_rolled = roll(journal);
		if (!has_rolled)
			reason = GAP_FRONT_FULL;
	}
	if (reason == GAP_REASONS)
		put_entry(journal, payload, payload_crc);
	pthread_mutex_unlock(&journal->lock);
	if (reason != GAP_REASONS)
		return refuse(journal, payload, reason);
	if (has_rolled) {
		atomic_store(&journal->wants_prepare, true);
		atomic_store(&journal->wants_keep, true);
	}
	wake_if_asleep(&journal->read_sleeper);
	if (has_rolled)
		wake_if_asleep(&journal->prepare_sleeper);
	if (has_rolled || journal->options.sync == JOURNAL_SYNC_EACH)
		wake_if_asleep(&journal->keep_sleeper);
	return 0;
}

/* Spares. */

static int map_front_file(struct journal *journal, const char *name, struct front_map *map)
{
	uint64_t size = journal->options.segment_bytes;
	int fd = openat(journal->front, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int error;

	if (fd < 0)
		return -errno;
	/* Never sparse: on a full file system a hole is a SIGBUS. */
	do
		error = -posix_fallocate(fd, 0, (off_t)size);
	while (error == -EINTR);
	if (error)
		goto remove;
	map->bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (map->bytes == MAP_FAILED) {
		error = -errno;
		goto remove;
	}
	map->size = size;
	/* Where the limit on locked memory allows: a page of tmpfs may go to swap. */
	(void)mlock(map->bytes, size);
	/* Touched for writing too, so that no append meets a page fault. */
	for (uint64_t offset = 0; offset < size; offset += 4096)
		*(volatile unsigned char *)(map->bytes + offset) = 0;
	close(fd);
	return 0;
remove:
	close(fd);
	(void)unlinkat(journal->front, name, 0);
	return error;
}

static int make_spare(struct journal *journal)
{
	struct front_map *map = calloc(1, sizeof *map);
	struct segment *segment = calloc(1, sizeof *segment);
	char name[SEGMENT_NAME_SIZE];
	int error = -ENOMEM;

	if (!map || !segment)
		goto free_both;
	pthread_mutex_lock(&journal->lock);
	segment->number = journal->next_number++;
	pthread_mutex_unlock(&journal->lock);
	segment_name(name, segment->number);
	error = map_front_file(journal, name, map);
	if (error)
		goto free_both;
	segment->in_front = true;
	segment->front_bytes = map->size;
	map->segment = segment;
	pthread_mutex_lock(&journal->lock);
	if (journal->spares)
		journal->spares_end->next = map;
	else
		journal->spares = map;
	journal->spares_end = map;
	journal->spare_count++;
	journal->front_used += map->size;
	pthread_mutex_unlock(&journal->lock);
	return 0;
free_both:
	free(segment);
	free(map);
	return error;
}

void journal_unmap_retired(struct journal *journal)
{
	pthread_mutex_lock(&journal->lock);
	struct front_map *map = journal->retired;

	journal->retired = NULL;
	pthread_mutex_unlock(&journal->lock);
	while (map) {
		struct front_map *next = map->next;

		(void)munmap(map->bytes, map->size);
		free(map);
		map = next;
	}
}

/* Called with the lock. None left: records come faster than this thread has its turn. */
static void want_spares(struct journal *journal)
{
	uint64_t most = journal->options.front_bytes / journal->options.segment_bytes / 8;

	if (most > JOURNAL_SPARES_MOST)
		most = JOURNAL_SPARES_MOST;
	if (journal->spares_wanted < JOURNAL_SPARES)
		journal->spares_wanted = JOURNAL_SPARES;
	else if (journal->active && journal->spare_count == 0 && 2 * journal->spares_wanted <= most)
		journal->spares_wanted *= 2;
}

int journal_prepare(struct journal *journal)
{
	int error = 0;

	atomic_store(&journal->wants_prepare, false);
	journal_unmap_retired(journal);
	pthread_mutex_lock(&journal->lock);
	want_spares(journal);
	pthread_mutex_unlock(&journal->lock);
	while (!error) {
		pthread_mutex_lock(&journal->lock);
		unsigned spares = journal->spare_count, wanted = journal->spares_wanted;
		bool has_room =
			journal->front_used + journal->options.segment_bytes <= journal->options.front_bytes;
		pthread_mutex_unlock(&journal->lock);
		if (spares >= wanted)
			break;
		error = has_room ? make_spare(journal) : -ENOSPC;
		/* A small front that has one spare is as it should be; and more than some are a wish. */
		if (error && spares >= (has_room ? JOURNAL_SPARES : 1)) {
			error = 0;
			break;
		}
	}
	pthread_mutex_lock(&journal->lock);
	journal->counts.prepare_error = -error;
	pthread_mutex_unlock(&journal->lock);
	return error;
}

/* The list of segments. */

struct segment *journal_segment_first(struct journal *journal)
{
	pthread_mutex_lock(&journal->lock);
	struct segment *segment = journal->first;

	if (segment)
		segment->pins++;
	pthread_mutex_unlock(&journal->lock);
	return segment;
}

struct segment *journal_segment_next(struct journal *journal, struct segment *segment)
{
	pthread_mutex_lock(&journal->lock);
	struct segment *next = segment->next;

	segment->pins--;
	if (next)
		next->pins++;
	pthread_mutex_unlock(&journal->lock);
	return next;
}

void journal_segment_unpin(struct journal *journal, struct segment *segment)
{
	if (!segment)
		return;
	pthread_mutex_lock(&journal->lock);
	segment->pins--;
	pthread_mutex_unlock(&journal->lock);
}

void journal_segment_lost(struct journal *journal, struct segment *segment, uint64_t from_counter)
{
	uint64_t now_us = clock_now_us();

	if (segment->unreadable)
		return;
	segment->unreadable = true;
	if (from_counter <= segment->last_counter) {
		journal->counts.damaged += segment->last_counter - from_counter + 1;
		journal_gap_note(journal, GAP_DAMAGED, segment->last_counter - from_counter + 1,
				 segment->created_us, now_us);
	}
}

bool journal_is_shipped(const struct journal *journal, const struct segment *segment)
{
	return segment->closed && (segment->number < journal->shipped.number ||
				   (segment->number == journal->shipped.number &&
				    segment->last_counter <= journal->shipped.counter));
}

/* Sleeping and waking. */

void journal_wake_sleeper(struct sleeper *sleeper)
{
	uint64_t one = 1;

	/* It fails only when it is awake a thousand times over. */
	(void)!write(sleeper->event, &one, sizeof one);
}

static void sleep_on(struct sleeper *sleeper, int timeout_ms)
{
	struct pollfd wait = { .fd = sleeper->event, .events = POLLIN };
	uint64_t count;

	if (poll(&wait, 1, timeout_ms) > 0)
		(void)!read(sleeper->event, &count, sizeof count);
}

static void sleep_until(struct sleeper *sleeper, bool (*is_ready)(struct journal *), struct journal *journal,
			int timeout_ms)
{
	atomic_store(&sleeper->is_asleep, true);
	sleep_on(sleeper, is_ready(journal) ? 0 : timeout_ms);
	atomic_store(&sleeper->is_asleep, false);
}

static bool has_prepare_work(struct journal *journal)
{
	return atomic_load(&journal->wants_prepare);
}

static bool has_keep_work(struct journal *journal)
{
	if (atomic_load(&journal->wants_keep))
		return true;
	return journal->options.sync == JOURNAL_SYNC_EACH && atomic_load(&journal->appended) != journal->kept_index;
}

static bool has_read_work(struct journal *journal)
{
	return atomic_load(&journal->appended) != journal->read_index;
}

void journal_wait_prepare(struct journal *journal, int timeout_ms)
{
	sleep_until(&journal->prepare_sleeper, has_prepare_work, journal, timeout_ms);
}

void journal_wait_keep(struct journal *journal, int timeout_ms)
{
	/* A disk that refuses is not asked again at each entry. */
	if (journal->has_keep_failed)
		sleep_on(&journal->keep_sleeper, timeout_ms);
	else
		sleep_until(&journal->keep_sleeper, has_keep_work, journal, timeout_ms);
}

void journal_wait_read(struct journal *journal, int timeout_ms)
{
	uint64_t end_us = clock_steady_us() + (uint64_t)(timeout_ms > 0 ? timeout_ms : 0) * 1000;

	while (!has_read_work(journal)) {
		uint64_t now_us = clock_steady_us();
		int left_ms = now_us < end_us ? (int)((end_us - now_us + 999) / 1000) : 0;
		struct pollfd wait = { .fd = journal->read_sleeper.event, .events = POLLIN };

		if (left_ms == 0)
			return;
		if (now_us - journal->read_active_us >= READ_IDLE_US || left_ms <= READ_LOOK_MS) {
			sleep_until(&journal->read_sleeper, has_read_work, journal, left_ms);
			return;
		}
		if (poll(&wait, 1, READ_LOOK_MS) > 0) {
			sleep_on(&journal->read_sleeper, 0);
			return;
		}
	}
}

void journal_wake(struct journal *journal)
{
	journal_wake_sleeper(&journal->prepare_sleeper);
	journal_wake_sleeper(&journal->keep_sleeper);
	journal_wake_sleeper(&journal->read_sleeper);
}

/* Figures. */

struct journal_birth journal_birth(struct journal *journal)
{
	pthread_mutex_lock(&journal->lock);
	struct journal_birth birth = journal->birth;

	pthread_mutex_unlock(&journal->lock);
	return birth;
}

struct journal_origin journal_origin(struct journal *journal)
{
	pthread_mutex_lock(&journal->lock);
	struct journal_origin origin = journal->origin;

	pthread_mutex_unlock(&journal->lock);
	return origin;
}

uint64_t journal_first_segment(const struct journal *journal)
{
	return journal->first_segment;
}

void journal_stat(struct journal *journal, struct journal_stat *ret_stat)
{
	pthread_mutex_lock(&journal->lock);
	*ret_stat = journal->counts;
	ret_stat->appended = journal->end.index - journal->opened_index;
	ret_stat->backlog = journal->end.index - journal->shipped.index;
	ret_stat->backlog_bytes = journal->end.byte - journal->shipped.byte;
	ret_stat->last_seq = journal->counter ? segment_seq(journal->origin.epoch, journal->counter) : 0;
	ret_stat->shipped_seq = journal->shipped_seq;
	ret_stat->synced_seq = journal->synced_seq;
	ret_stat->front_bytes = journal->front_used;
	ret_stat->spool_bytes = journal->spool_used;
	ret_stat->oldest_us = ret_stat->backlog ? journal->unshipped_time_us : 0;
	pthread_mutex_unlock(&journal->lock);
}
