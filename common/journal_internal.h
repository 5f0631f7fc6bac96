/*
 * journal_internal.h - what the files of the journal share; nobody else includes it.
 *
 *     journal.c           append, spares, gaps, sleeping and waking, figures
 *     journal_open.c      locking, recovery, the new epoch; closing
 *     journal_keep.c      the keeper: to the spool, and away
 *     journal_read.c      the reader: batches, seeking, what is shipped, a change of producer
 *     journal_scan.c      reading from outside
 *     journal_guard.c     a mapped file that others cut short
 *     journal_segment.c   the layout;  journal_identity.c  the file "producer"
 *
 * Threads: one lock, for moments: nobody makes a system call while holding it, and nobody walks the list
 * of segments in one go (walk with segment_first and segment_next: they pin). Only the keeper removes a
 * segment, and none that is pinned. A second lock, identity_lock, is held by keeper or reader while they
 * write the identity, and is never taken by an appender; it comes first where both are held.
 */
#ifndef SMTPTRAIL_JOURNAL_INTERNAL_H
#define SMTPTRAIL_JOURNAL_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "journal.h"
#include "journal_identity.h"
#include "journal_segment.h"

/* Made ready ahead of need; more of them, up to the most and to an eighth of the front, once all were used up before
 * the thread that makes them had its turn. */
#define JOURNAL_SPARES 2
#define JOURNAL_SPARES_MOST 16
#define JOURNAL_COPY_CHUNK (256 * 1024)

enum gap_reason {
	GAP_FRONT_FULL,
	GAP_SPOOL_FULL,
	GAP_DAMAGED,			/* found damaged by the reader, or at open */
	GAP_NOT_KEPT,			/* Redis went back further than what is kept */
	GAP_TOO_LARGE,
	GAP_NO_EPOCH,			/* no identity could be written yet */
	GAP_NUMBERS,			/* the counter of this epoch is at its end */
	GAP_TRIMMED,			/* from the stream, before a registered reader had done with them */
	GAP_REASONS,
};
_Static_assert(GAP_REASONS <= SEGMENT_GAPS, "each reason has its place in a segment's head");

/* A segment that has begun. Guarded by lock, but for what the keeper alone has. */
struct segment {
	uint64_t used;			/* bytes, the head among them */
	uint64_t last_counter;		/* one less than the first: none yet */
	uint64_t first_counter;
	uint64_t number;
	struct segment *previous, *next;
	uint32_t head_crc;
	unsigned pins;
	bool closed;			/* no entry will be added */
	bool in_front, in_spool;
	bool unreadable;		/* the keeper shall set it aside */
	struct journal_origin origin;	/* the producer as it is read: identity_apply() */
	uint64_t read_from;		/* first counter that is read; UINT64_MAX: none */
	uint64_t first_index;		/* entries of all segments before it, and their bytes */
	uint64_t first_byte;
	uint64_t created_us;
	uint64_t front_bytes;		/* of its file there */
	uint64_t spool_bytes;		/* of its file there */
	/* the keeper alone */
	uint64_t copied, synced;	/* bytes that are in the spool, and survive a power cut */
	uint64_t shipped_since_us;	/* monotonic; 0: not seen so */
};

/* A mapped file of the front: spare, in use, or waiting to be unmapped. */
struct front_map {
	struct front_map *next;
	struct segment *segment;	/* made with it, because an appender must not allocate */
	unsigned char *bytes;
	uint64_t size;
	atomic_bool is_broken;		/* its file is shorter: nothing more goes into it */
};

struct sleeper {
	int event;
	atomic_bool is_asleep;
};

/* How far something has come in the list of segments. */
struct place {
	uint64_t number;		/* of the segment */
	uint64_t counter;		/* last one of it that is passed */
	uint64_t index, byte;		/* entries and bytes passed, of all segments */
};

/* What was not kept behind a cursor, and noted: until Redis has taken what follows, the same is met at each try. */
struct told {
	char producer[JOURNAL_NAME_SIZE];
	uint32_t epoch;
	uint64_t counter;		/* the cursor's */
	uint64_t count;			/* 0: nothing yet */
};

struct reader {				/* the reading thread alone */
	struct segment *segment;	/* pinned; NULL: at the beginning */
	uint64_t from_counter;		/* entries before it are passed over */
	uint64_t expected;		/* counter of the next entry, if none is missing */
	uint64_t last_time_us;		/* of the last entry read */
	struct told told;
	uint64_t told_index;		/* place behind the last hole that was noted */
	char producer[JOURNAL_NAME_SIZE];	/* of the last batch; empty: none yet */
	struct segment_reader file;
	int fd;				/* -1: not open */
	int failures;			/* in a row */
	unsigned char *window;
};

struct journal {
	/* constant after open */
	struct journal_options options;
	char *front_path, *spool_path;
	int front, spool;		/* the directories, locked */
	uint64_t first_segment;		/* number of the first that this start makes */

	/* What every append touches stands together: each line of the cache that two processors share costs
	 * as much as all of the rest. */
	_Alignas(64) pthread_mutex_t lock;	/* guards what follows, for moments */
	struct front_map *active;	/* where appends go; NULL: none yet */
	struct segment *last;
	uint64_t counter;		/* last of this epoch */
	struct place end;		/* of what is appended */
	bool has_epoch;			/* the epoch is durable: entries may be made */
	atomic_uint_fast64_t appended;	/* end.index, for those who wait */
	atomic_uintptr_t next_place, next_segment;	/* where the next entry goes, to be fetched before the lock */

	_Alignas(64) struct segment *first;	/* in the order of reading */
	struct front_map *spares, *spares_end;
	struct front_map *retired;	/* to be unmapped */
	unsigned spare_count, spares_wanted;
	uint64_t next_number;
	struct journal_origin origin;
	struct journal_birth birth;
	struct segment_gap gaps[GAP_REASONS];
	struct place shipped;
	uint64_t opened_index;		/* end.index at open */
	struct place read;		/* where the reader is */
	uint64_t shipped_seq;
	uint64_t unshipped_time_us; /* of the first entry that is not shipped, or of one shortly before it */
	uint64_t front_used, spool_used;
	uint64_t synced_seq;
	struct journal_stat counts;	/* refused, damaged, quarantined, errors */
	bool must_restamp;		/* the shipped place went back */

	atomic_bool wants_prepare, wants_keep;
	struct sleeper prepare_sleeper, keep_sleeper, read_sleeper;

	pthread_mutex_t identity_lock;	/* guards identity; held over its writing */
	struct identity identity;

	struct reader reader;
	uint64_t read_index;		/* the reading thread's copy of read.index */
	uint64_t read_active_us;	/* when it last found something */

	/* the keeper alone */
	unsigned char *copy_buffer;
	struct segment *copying; /* first that may lack bytes in the spool; NULL: look from the first */
	bool is_closing, has_keep_failed;
	int copy_from, copy_to;		/* files of the segment copy_number; -1 */
	uint64_t copy_number;
	bool has_new_file;		/* the spool directory is not synced since */
	uint64_t kept_index;		/* end.index at the last keep */
	uint64_t remembered_us;		/* monotonic: when the shipped mark was written last; 0: never */
};

/* Which map this thread stores into just now; NULL: none. */
extern _Thread_local struct front_map *journal_guarded;

/* Gives what was guarded before, to be guarded again afterwards. */
static inline struct front_map *journal_guard_map(struct front_map *map)
{
	struct front_map *before = journal_guarded;

	atomic_signal_fence(memory_order_seq_cst);
	journal_guarded = map;
	atomic_signal_fence(memory_order_seq_cst);
	return before;
}

/* A payload is a record: a byte of stage, then its time. 0: it is too short to hold one. */
static inline uint64_t journal_payload_time(struct text payload)
{
	uint64_t time_us = 0;

	if (payload.length >= 9)
		for (int i = 8; i > 0; i--)
			time_us = time_us << 8 | (unsigned char)payload.start[i];
	return time_us;
}

/* Under the lock. */
void journal_gap_note(struct journal *journal, enum gap_reason reason, uint64_t count, uint64_t from_us,
		      uint64_t to_us);
void journal_list_add(struct journal *journal, struct segment *segment);
/* Its entries from this counter on cannot be read: counts them, and the keeper sets the files aside. */
void journal_segment_lost(struct journal *journal, struct segment *segment, uint64_t from_counter);
bool journal_is_shipped(const struct journal *journal, const struct segment *segment);

/* Walking the list: the first, pinned; the next, pinned, with the pin of this one given back. */
struct segment *journal_segment_first(struct journal *journal);
struct segment *journal_segment_next(struct journal *journal, struct segment *segment);
void journal_segment_unpin(struct journal *journal, struct segment *segment);

/* Tells a damaged head again, in the file too, from what the file and its neighbours say; only where a checksum proves
 * it. window: SEGMENT_WINDOW_SIZE bytes. */
bool journal_mend_head(int directory, const char *name, uint64_t number, struct segment_head *head,
		       unsigned char *window);

/* Writes into the identity how far Redis has taken the entries. The keeper alone. */
void journal_remember_shipped(struct journal *journal);

void journal_wake_sleeper(struct sleeper *sleeper);
/* Unmaps what appenders have left. */
void journal_unmap_retired(struct journal *journal);
void journal_reader_close_file(struct reader *reader);
void journal_copy_close(struct journal *journal);

#endif
