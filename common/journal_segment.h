/*
 * journal_segment.h - the byte layout of a segment file, and reading one from its start to its end.
 *
 * Only the journal's own files and its tests include this. The layout, in the byte order of the
 * machine (the magic tells), in front and spool alike:
 *
 *     head     SEGMENT_HEAD_SIZE bytes, struct segment_head
 *     entries  u32 length | u32 crc | u64 seq | payload, each beginning at a multiple of 8
 *     end      a length of 0, or the end of the file
 *
 * The length is stored last, so a writer that is killed leaves a 0 there. The crc covers the
 * payload, then the checksum in the head, the length and the seq: an entry does not pass in another
 * segment, and bytes that a client had recorded do not pass for an entry where a reader looks for
 * the next good one behind damage. A head of zeros is a spare that was not begun.
 *
 * Threads: a segment_reader has one owner at a time; the rest has no state.
 */
#ifndef SMTPTRAIL_JOURNAL_SEGMENT_H
#define SMTPTRAIL_JOURNAL_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "journal.h"

#define SEGMENT_MAGIC UINT64_C(0x314a525450544d53)	/* "SMTPTRJ1" */
#define SEGMENT_VERSION 1
#define SEGMENT_HEAD_SIZE 512
#define SEGMENT_GAPS 8
#define SEGMENT_SIZE_MIN (128 * 1024)			/* two entries of the largest size, nearly */
#define SEGMENT_NAME_SIZE 64

/* A gap that stands to be taken, kept where a SIGKILL leaves it: in the mapped head. */
struct segment_gap {
	uint64_t count, from_us, to_us;
};

struct segment_head {
	uint64_t magic;
	uint32_t version;
	uint32_t head_size;
	uint64_t number;
	uint64_t size;			/* bytes of the whole segment in the front */
	uint64_t first_counter;
	uint64_t created_us;
	uint32_t epoch;
	uint32_t partition;
	char producer[JOURNAL_NAME_SIZE];
	char incarnation[JOURNAL_NAME_SIZE];
	char host[JOURNAL_NAME_SIZE];
	char instance[JOURNAL_NAME_SIZE];
	uint32_t reserved;
	uint32_t crc;			/* of all bytes before it */
	struct segment_gap gaps[SEGMENT_GAPS];	/* not under the crc: they change */
};
_Static_assert(offsetof(struct segment_head, number) == 16, "layout");
_Static_assert(offsetof(struct segment_head, epoch) == 48, "layout");
_Static_assert(offsetof(struct segment_head, producer) == 56, "layout");
_Static_assert(offsetof(struct segment_head, instance) == 248, "layout");
_Static_assert(offsetof(struct segment_head, crc) == 316, "layout");
_Static_assert(offsetof(struct segment_head, gaps) == 320, "layout");
_Static_assert(sizeof(struct segment_head) == SEGMENT_HEAD_SIZE, "layout");

struct segment_entry_head {
	uint32_t length;
	uint32_t crc;
	uint64_t seq;
};
#define SEGMENT_ENTRY_HEAD_SIZE 16
_Static_assert(offsetof(struct segment_entry_head, crc) == 4, "layout");
_Static_assert(offsetof(struct segment_entry_head, seq) == 8, "layout");
_Static_assert(sizeof(struct segment_entry_head) == SEGMENT_ENTRY_HEAD_SIZE, "layout");

#define SEGMENT_COUNTER_MAX ((UINT64_C(1) << JOURNAL_COUNTER_BITS) - 1)
#define SEGMENT_EPOCH_MAX ((UINT32_C(1) << (64 - JOURNAL_COUNTER_BITS)) - 2)

static inline uint64_t segment_seq(uint32_t epoch, uint64_t counter)
{
	return (uint64_t)epoch << JOURNAL_COUNTER_BITS | counter;
}

/* Bytes that an entry with a payload of this length takes. */
static inline uint64_t segment_entry_size(uint64_t length)
{
	return (SEGMENT_ENTRY_HEAD_SIZE + length + 7) & ~UINT64_C(7);
}

/* The checksum of an entry; payload_crc is crc32c(0, payload), which needs no lock. */
uint32_t segment_entry_crc(uint32_t payload_crc, uint32_t head_crc, uint32_t length, uint64_t seq);

void segment_head_fill(struct segment_head *head, const struct journal_origin *origin, uint64_t number,
		       uint64_t size, uint64_t first_counter, uint64_t created_us);
enum segment_head_state { SEGMENT_HEAD_GOOD, SEGMENT_HEAD_EMPTY, SEGMENT_HEAD_BAD };
enum segment_head_state segment_head_check(const struct segment_head *head);
/* Of a damaged head too: names are ended and what is no name is left out. */
void segment_head_origin(const struct segment_head *head, struct journal_origin *ret_origin);

/* "segment-0000000042" */
void segment_name(char name[SEGMENT_NAME_SIZE], uint64_t number);
/* Takes a name apart; *ret_damaged: it ends in ".damaged" (and a number, where one was there already). */
bool segment_name_parse(const char *name, uint64_t *ret_number, bool *ret_damaged);
/* Sets a file aside under a name that is free. Counts nothing. */
int segment_set_aside(int directory, const char *name);

/* What follows the last good entry of a segment. */
enum segment_tail {
	SEGMENT_TAIL_CLEAN,
	SEGMENT_TAIL_TORN,		/* an entry that was never finished */
	SEGMENT_TAIL_DAMAGED,		/* an entry that was finished and does not pass any more */
};

/* Room for a batch and one more entry, so that an entry of any size fits behind a batch. */
#define SEGMENT_WINDOW_SIZE (JOURNAL_BATCH_BYTES + JOURNAL_ENTRY_MAX + 64)

/* Walks over the entries of one file through a window of its bytes. */
struct segment_reader {
	int fd;
	uint32_t head_crc;
	uint32_t other_crc;		/* a second one to try, of a damaged head; else the same */
	uint64_t end;			/* entries end here at the latest */
	uint64_t offset;		/* of the next entry */
	uint64_t entry_offset;		/* of the last one given */
	uint64_t last_seq;		/* of the last good one; only greater ones follow */
	uint32_t epoch;			/* that the entries must have; 0: any */
	enum segment_tail tail;		/* once the end is reached */
	uint64_t retried;		/* damage at this offset was looked at twice */
	uint64_t window_start;
	size_t window_fill;
	unsigned char *window;		/* SEGMENT_WINDOW_SIZE bytes of the owner */
};

void segment_reader_start(struct segment_reader *reader, int fd, uint32_t head_crc, uint32_t epoch,
			  uint64_t end, unsigned char *window);
/* 1: an entry, lent until a call that may refill; 0: the end; -EAGAIN: the window must be refilled
 * and may not; other negatives: the file cannot be read. Damage is walked over. */
int segment_reader_next(struct segment_reader *reader, bool may_refill, struct journal_entry *ret_entry);

#endif
