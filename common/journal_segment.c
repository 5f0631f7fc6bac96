/* journal_segment.c - the layout of a segment, written, checked and walked over. */
#include "journal_segment.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crc32c.h"

#define NO_OFFSET UINT64_MAX

uint32_t segment_entry_crc(uint32_t payload_crc, uint32_t head_crc, uint32_t length, uint64_t seq)
{
	struct { uint32_t head_crc, length; uint64_t seq; } tail = { head_crc, length, seq };

	_Static_assert(sizeof tail == 16, "no padding: it would be part of the checksum");
	return crc32c(payload_crc, &tail, sizeof tail);
}

void segment_head_fill(struct segment_head *head, const struct journal_origin *origin, uint64_t number,
		       uint64_t size, uint64_t first_counter, uint64_t created_us)
{
	head->magic = SEGMENT_MAGIC;
	head->version = SEGMENT_VERSION;
	head->head_size = SEGMENT_HEAD_SIZE;
	head->number = number;
	head->size = size;
	head->first_counter = first_counter;
	head->created_us = created_us;
	head->epoch = origin->epoch;
	head->partition = origin->partition;
	memcpy(head->producer, origin->producer, JOURNAL_NAME_SIZE);
	memcpy(head->incarnation, origin->incarnation, JOURNAL_NAME_SIZE);
	memcpy(head->host, origin->host, JOURNAL_NAME_SIZE);
	memcpy(head->instance, origin->instance, JOURNAL_NAME_SIZE);
	head->reserved = 0;
	head->crc = crc32c(0, head, offsetof(struct segment_head, crc));
}

enum segment_head_state segment_head_check(const struct segment_head *head)
{
	static const struct segment_head zeros;

	if (memcmp(head, &zeros, sizeof zeros) == 0)
		return SEGMENT_HEAD_EMPTY;
	if (head->magic != SEGMENT_MAGIC || head->version != SEGMENT_VERSION ||
	    head->head_size != SEGMENT_HEAD_SIZE ||
	    head->crc != crc32c(0, head, offsetof(struct segment_head, crc)))
		return SEGMENT_HEAD_BAD;
	if (head->epoch == 0 || head->epoch > SEGMENT_EPOCH_MAX || head->first_counter == 0 ||
	    head->first_counter > SEGMENT_COUNTER_MAX)
		return SEGMENT_HEAD_BAD;
	return SEGMENT_HEAD_GOOD;
}

static void take_name(char name[JOURNAL_NAME_SIZE], const char *from)
{
	memcpy(name, from, JOURNAL_NAME_SIZE);
	name[JOURNAL_NAME_SIZE - 1] = '\0';
}

void segment_head_origin(const struct segment_head *head, struct journal_origin *ret_origin)
{
	take_name(ret_origin->producer, head->producer);
	take_name(ret_origin->incarnation, head->incarnation);
	take_name(ret_origin->host, head->host);
	take_name(ret_origin->instance, head->instance);
	ret_origin->partition = head->partition;
	ret_origin->epoch = head->epoch;
}

void segment_name(char name[SEGMENT_NAME_SIZE], uint64_t number)
{
	(void)snprintf(name, SEGMENT_NAME_SIZE, "segment-%010" PRIu64, number);
}

bool segment_name_parse(const char *name, uint64_t *ret_number, bool *ret_damaged)
{
	static const char prefix[] = "segment-", suffix[] = ".damaged";
	const char *at = name + sizeof prefix - 1;
	uint64_t number = 0;
	int digits = 0;

	if (strncmp(name, prefix, sizeof prefix - 1) != 0)
		return false;
	for (; *at >= '0' && *at <= '9' && digits < 19; at++, digits++)
		number = number * 10 + (uint64_t)(*at - '0');
	*ret_number = number;
	*ret_damaged = strncmp(at, suffix, sizeof suffix - 1) == 0;
	if (*ret_damaged) {
		at += sizeof suffix - 1;
		if (*at == '.')
			at += 1 + strspn(at + 1, "0123456789");
	}
	return digits > 0 && *at == '\0';
}

int segment_set_aside(int directory, const char *name)
{
	char aside[SEGMENT_NAME_SIZE + 32];

	(void)snprintf(aside, sizeof aside, "%s.damaged", name);
	for (unsigned try = 1; try < 1000; try++) {
		if (faccessat(directory, aside, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
			return renameat(directory, name, directory, aside) == 0 ? 0 : -errno;
		(void)snprintf(aside, sizeof aside, "%s.damaged.%u", name, try);
	}
	return -EEXIST;
}

void segment_reader_start(struct segment_reader *reader, int fd, uint32_t head_crc, uint32_t epoch,
			  uint64_t end, unsigned char *window)
{
	*reader = (struct segment_reader){
		.fd = fd, .head_crc = head_crc, .other_crc = head_crc, .epoch = epoch, .end = end,
		.offset = SEGMENT_HEAD_SIZE, .window = window, .retried = NO_OFFSET,
	};
}

static int refill(struct segment_reader *reader, uint64_t offset)
{
	uint64_t wanted = reader->end - offset;

	if (wanted > SEGMENT_WINDOW_SIZE)
		wanted = SEGMENT_WINDOW_SIZE;
	reader->window_start = offset;
	reader->window_fill = 0;
	while (reader->window_fill < wanted) {
		ssize_t got =
			pread(reader->fd, reader->window + reader->window_fill,
			      (size_t)wanted - reader->window_fill, (off_t)(offset + reader->window_fill));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0) {
			/* The file is shorter than was thought. */
			reader->end = offset + reader->window_fill;
			break;
		}
		reader->window_fill += (size_t)got;
	}
	return 0;
}

static bool passes(const struct segment_reader *reader, const struct segment_entry_head *head,
		   const unsigned char *payload)
{
	uint32_t payload_crc;

	if (head->seq <= reader->last_seq ||
	    (reader->epoch && head->seq >> JOURNAL_COUNTER_BITS != reader->epoch))
		return false;
	payload_crc = crc32c(0, payload, head->length);
	return head->crc == segment_entry_crc(payload_crc, reader->head_crc, head->length, head->seq) ||
	       (reader->other_crc != reader->head_crc &&
		head->crc == segment_entry_crc(payload_crc, reader->other_crc, head->length, head->seq));
}

enum place { PLACE_GOOD, PLACE_BAD, PLACE_REFILL };

/* What stands at an offset, as far as the window shows it. */
static enum place look(const struct segment_reader *reader, uint64_t offset, struct journal_entry *ret_entry)
{
	uint64_t shown = reader->window_start + reader->window_fill;
	struct segment_entry_head head;

	if (offset < reader->window_start || offset + sizeof head > shown)
		return PLACE_REFILL;
	const unsigned char *at = reader->window + (offset - reader->window_start);

	memcpy(&head, at, sizeof head);
	if (head.length == 0 || head.length > JOURNAL_ENTRY_MAX ||
	    offset + sizeof head + head.length > reader->end)
		return PLACE_BAD;
	if (offset + sizeof head + head.length > shown)
		return PLACE_REFILL;
	if (!passes(reader, &head, at + sizeof head))
		return PLACE_BAD;
	*ret_entry = (struct journal_entry){
		.seq = head.seq, .payload = { (const char *)at + sizeof head, head.length },
	};
	return PLACE_GOOD;
}

/* Walking over what is no entry. */
struct skip {
	uint64_t from;			/* where it began; NO_OFFSET: it did not */
	uint32_t length;		/* the length that stands there */
	bool has_bytes;			/* not all zeros */
};

static uint64_t step(struct segment_reader *reader, struct skip *skip, uint64_t offset)
{
	const unsigned char *at = reader->window + (offset - reader->window_start);
	uint64_t shown = reader->window_start + reader->window_fill, word;

	if (skip->from == NO_OFFSET) {
		skip->from = offset;
		memcpy(&skip->length, at, sizeof skip->length);
	}
	memcpy(&word, at, sizeof word);
	skip->has_bytes = skip->has_bytes || word;
	do {
		offset += 8;
		at += 8;
		if (offset + SEGMENT_ENTRY_HEAD_SIZE > shown)
			break;
		memcpy(&word, at, sizeof word);
	} while (word == 0);
	return offset;
}

static int finish(struct segment_reader *reader, const struct skip *skip)
{
	uint64_t offset = skip->from == NO_OFFSET ? reader->offset : skip->from;
	bool cut_short = reader->end > offset && reader->end - offset < SEGMENT_ENTRY_HEAD_SIZE;

	reader->tail = SEGMENT_TAIL_CLEAN;
	if (skip->from == NO_OFFSET) {
		if (cut_short)
			reader->tail = SEGMENT_TAIL_TORN;
	} else if (skip->length == 0) {
		if (skip->has_bytes)
			reader->tail = SEGMENT_TAIL_TORN;
	} else {
		bool is_cut = skip->length <= JOURNAL_ENTRY_MAX &&
			      offset + SEGMENT_ENTRY_HEAD_SIZE + skip->length > reader->end;

		reader->tail = is_cut ? SEGMENT_TAIL_TORN : SEGMENT_TAIL_DAMAGED;
	}
	return 0;
}

int segment_reader_next(struct segment_reader *reader, bool may_refill, struct journal_entry *ret_entry)
{
	struct skip skip = { .from = NO_OFFSET };
	uint64_t offset = reader->offset;
	bool force = false;

	while (offset + SEGMENT_ENTRY_HEAD_SIZE <= reader->end) {
		enum place place = force ? PLACE_REFILL : look(reader, offset, ret_entry);

		force = false;
		if (place == PLACE_REFILL) {
			int error = may_refill ? refill(reader, offset) : -EAGAIN;

			if (error)
				return error;
			continue;
		}
		if (place == PLACE_GOOD && skip.from != NO_OFFSET && reader->retried != skip.from) {
			/* A running milter may have finished the entry just now: look once more, before the
			 * ones behind it are believed. */
			reader->retried = offset = skip.from;
			skip = (struct skip){ .from = NO_OFFSET };
			force = true;
			continue;
		}
		if (place == PLACE_GOOD) {
			reader->entry_offset = offset;
			reader->offset = offset + segment_entry_size(ret_entry->payload.length);
			reader->last_seq = ret_entry->seq;
			return 1;
		}
		offset = step(reader, &skip, offset);
	}
	return finish(reader, &skip);
}
