/*
 * journal.h - records that must outlive a crash: queue, spool and crash safety in one.
 *
 * Two rooms of one layout. The front: preallocated segment files on tmpfs, mapped, where
 * callbacks append; a SIGKILL loses nothing, and no callback ever meets the disk. The spool:
 * the same segments copied to disk with plain writes and fdatasync by a keeper; that is what a
 * power cut leaves. A reader (the shipper) reads the front where it still holds an entry and the
 * spool where it does not. One journal is one partition; both its directories hold files named
 * segment-<number>, and the spool also "producer", the identity. There is no index file: all
 * state derives from the segments.
 *
 * An entry survives this process once journal_append() returns 0, and a power cut once the next
 * journal_keep() has passed. A half-written or damaged entry is skipped and counted, never more.
 *
 * seq = epoch << 40 | counter, from 1; each open begins a new epoch, made durable before the
 * first append. It has no holes inside an epoch: what is refused takes no number.
 *
 * Threads: journal_append from any thread; journal_prepare from one (touches only the front),
 *          journal_keep from another (meets the disk), the reading functions from a third (the
 *          shipper); journal_stat and journal_gap_take from any.
 * Memory:  entries are copied in; a batch lends its entries until the next reading call.
 * Limits:  an entry of JOURNAL_ENTRY_MAX bytes; the front and the spool of the sizes asked for.
 *          When both are full, append returns -ENOSPC and counts; a gap then stands to be taken.
 * Errors:  negative errno; journal_open also says in words what is wrong and how to mend it.
 */
#ifndef SMTPTRAIL_JOURNAL_H
#define SMTPTRAIL_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "problem.h"
#include "text.h"

#define JOURNAL_COUNTER_BITS 40
#define JOURNAL_ENTRY_MAX 65536
#define JOURNAL_BATCH_ENTRIES 256
#define JOURNAL_BATCH_BYTES (256 * 1024)
#define JOURNAL_PARTITIONS_MAX 64
#define JOURNAL_PARTITION_DIRECTORY "%s/partition-%u"	/* of partitions but 0, below that of partition 0 */
#define JOURNAL_NAME_SIZE 64		/* host, instance, producer, incarnation with their NUL */

struct journal;

enum journal_sync { JOURNAL_SYNC_NONE, JOURNAL_SYNC_INTERVAL, JOURNAL_SYNC_EACH };

struct journal_options {
	const char *front_directory;	/* on tmpfs */
	const char *spool_directory;	/* on disk */
	const char *host;		/* go into each segment, for the records made in it */
	const char *instance;
	unsigned partition;
	uint64_t segment_bytes;
	uint64_t front_bytes;		/* all segments of the front, spares among them */
	uint64_t spool_bytes;		/* all segments of the spool */
	unsigned free_percent;		/* of the spool's file system that is left to others */
	uint64_t keep_us;		/* a shipped segment is kept at least so long, */
	uint64_t keep_bytes;		/* and the last ones up to so many bytes */
	enum journal_sync sync;
	const char *machine_id_file;	/* NULL: /etc/machine-id */
};

/* Who made an entry: constant for a segment, kept in its head. */
struct journal_origin {
	char producer[JOURNAL_NAME_SIZE];	/* random, 32 hexadecimal digits */
	char incarnation[JOURNAL_NAME_SIZE];	/* random, of this start; tells two epochs of one number apart */
	char host[JOURNAL_NAME_SIZE];
	char instance[JOURNAL_NAME_SIZE];
	uint32_t partition;
	uint32_t epoch;
};

/* Why this start has the producer and epoch that it has; becomes the reason of the start record. */
enum journal_start {
	JOURNAL_FIRST,			/* empty directories */
	JOURNAL_RESTART,		/* went on after the previous epoch */
	JOURNAL_SPOOL_LOST,		/* the identity is gone: a new producer */
	JOURNAL_MOVED,			/* another machine or directory: a new producer */
	JOURNAL_FENCED,			/* journal_change_producer() */
};
const char *journal_start_name(enum journal_start start);	/* "first", "restart", ... */

struct journal_birth {
	enum journal_start start;
	uint32_t epoch;
	uint32_t previous_epoch;		/* 0: none */
	uint64_t previous_seq;			/* last seq of the previous epoch; 0: none */
	char previous_producer[JOURNAL_NAME_SIZE];	/* empty where it is the same */
};

/* For the whole process, before threads start: a file of the front that another program cuts short costs its entries
 * (counted as damaged) and not a SIGBUS. */
void journal_guard(void);

/* Locks both directories, recovers, begins an epoch. A damaged file is set aside and counted. */
int journal_open(struct journal **ret_journal, const struct journal_options *options,
		 struct problem *problem);
/* Copies what it can to the spool, then lets go. Accepts NULL. */
void journal_close(struct journal *journal);

struct journal_birth journal_birth(struct journal *journal);
struct journal_origin journal_origin(struct journal *journal);
/* The number of this start's first segment: all its entries are in this and later ones, also under another producer. */
uint64_t journal_first_segment(const struct journal *journal);

/* 0; -ENOSPC: full; -EMSGSIZE: empty, or larger than JOURNAL_ENTRY_MAX. What is refused is counted, but for
 * a gap record (by its first byte, the stage): its maker puts the gap back, and it must not grow by that.
 * Never waits for more than another append. */
int journal_append(struct journal *journal, struct text payload);

/* Makes the spare segments that journal_append will need. Called often by a thread that never
 * meets the disk. Returns 0, or why none could be made. */
int journal_prepare(struct journal *journal);
/* Copies new entries to the spool, syncs as asked, frees what may go. 0, or why it could not. */
int journal_keep(struct journal *journal);
/* Sleeps until the journal wants that work, at most timeout_ms. */
void journal_wait_prepare(struct journal *journal, int timeout_ms);
void journal_wait_keep(struct journal *journal, int timeout_ms);

/* Records refused since the last take: what the next gap record says. */
struct journal_gap {
	uint64_t count;
	uint64_t from_us;
	uint64_t to_us;
	const char *reason;		/* "front_full", "spool_full", "damaged" ...; a literal */
};
/* Takes the gap away; false: there is none. */
bool journal_gap_take(struct journal *journal, struct journal_gap *ret_gap);
/* Puts it back where its record could not be appended either; or tells of one of the reason "trimmed". */
void journal_gap_return(struct journal *journal, const struct journal_gap *gap);

/* Reading: the shipper. */
struct journal_entry {
	uint64_t seq;
	struct text payload;
};
struct journal_batch {
	struct journal_origin origin;	/* of all its entries */
	size_t count;
	struct journal_entry entries[JOURNAL_BATCH_ENTRIES];
};
/* The next entries after the reading position. 1: some; 0: none now; negative: why not. */
int journal_read(struct journal *journal, struct journal_batch *ret_batch);
/* Sleeps until an entry may be there, at most timeout_ms. */
void journal_wait_read(struct journal *journal, int timeout_ms);
/* Wakes all sleepers, for an end. Safe from any thread. */
void journal_wake(struct journal *journal);

/* What a cursor found in Redis means for this journal. */
enum journal_position {
	JOURNAL_AT_CURSOR,		/* reading goes on right after it */
	JOURNAL_AFTER_KEPT,		/* what follows is no longer kept: on at the oldest; a gap is noted, once for
					 * all tries in this run */
	JOURNAL_FOREIGN,		/* written by another holder of this identity: fenced */
};
/* Moves the reading position behind (incarnation, epoch, counter); incarnation empty: no cursor, the
 * oldest kept. A cursor belongs to the producer of the batch read last; before any was read, to the journal's own, and
 * "the oldest" is then the oldest of all: entries of an inherited producer come first, under its name. */
enum journal_position journal_seek(struct journal *journal, struct text incarnation, uint32_t epoch,
				   uint64_t counter);
/* Redis has everything up to this seq, as far as it says. */
void journal_shipped(struct journal *journal, uint64_t seq);
/* Another holder of the identity was found at (its) epoch: goes on under a new producer, in a new
 * epoch; entries of our own that were made from that epoch on are read again under the new name, older ones
 * that were not shipped follow under it too. Where an inherited producer is read, only its entries get a new
 * name, and the journal's own identity stays. */
int journal_change_producer(struct journal *journal, uint32_t foreign_epoch, struct problem *problem);

struct journal_stat {
	uint64_t appended;		/* since open */
	uint64_t refused;		/* since open */
	uint64_t damaged;		/* entries found damaged or missing, since open */
	uint64_t quarantined;		/* files set aside */
	uint64_t torn;			/* unfinished last entries found at open: nothing confirmed is lost by one */
	uint64_t mended;		/* files whose damaged head could be told again */
	uint64_t backlog;		/* entries not known to be shipped */
	uint64_t backlog_bytes;
	uint64_t oldest_us;		/* time of the oldest of them; 0: none */
	uint64_t last_seq;
	uint64_t shipped_seq;
	uint64_t front_bytes, spool_bytes;	/* used now */
	uint64_t synced_seq;		/* survives a power cut */
	int prepare_error, keep_error;	/* errno of the last try; 0: fine */
};
void journal_stat(struct journal *journal, struct journal_stat *ret_stat);

/* Reading segments from outside, also damaged ones and those of a running milter: the verb journal. */
struct journal_scan;
struct journal_scan_entry {
	const char *file;		/* name of the segment */
	uint64_t segment;		/* its number */
	uint64_t offset;
	uint64_t seq;
	struct text payload;
	const struct journal_origin *origin;
};
struct journal_scan_total {
	uint64_t files, damaged_files, entries, missing, bytes, first_seq, last_seq;
	uint64_t torn_tails;		/* unfinished last entries: nothing confirmed is lost by one */
};
/* Opens a directory of segments, oldest first. */
int journal_scan_open(struct journal_scan **ret_scan, const char *directory, struct problem *problem);
/* 1: an entry, lent until the next call; 0: the end. Damage is skipped and counted. */
int journal_scan_next(struct journal_scan *scan, struct journal_scan_entry *ret_entry);
void journal_scan_total(const struct journal_scan *scan, struct journal_scan_total *ret_total);
/* The same of one file, complete once journal_scan_next() has gone past it. */
struct journal_scan_file {
	const char *name;
	bool is_damaged;		/* set aside, or its head or an entry is damaged */
	struct journal_scan_total total;
};
/* NULL behind the last; files that were never begun are among them, with no entries. */
const struct journal_scan_file *journal_scan_file(const struct journal_scan *scan, size_t index);
void journal_scan_close(struct journal_scan *scan);

#endif
