/* journal_mend.c - the head of a segment told again where its checksum proves it. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crc32c.h"
#include "journal_internal.h"

/* Neighbours looked at on either side: most often the next file is of the same start. */
enum { NEIGHBOURS = 4 };

enum guess {
	GUESS_ORIGIN = 1,		/* what all segments of a start share: from the neighbour */
	GUESS_NUMBER = 2,		/* from the file's name */
	GUESS_COUNTER = 4,		/* from the first entry */
	GUESSES = 8,
};

/* One of the two checksums must agree: that in the head, or, where just that is damaged, the first entry's. */
static bool is_proven(const struct segment_head *guess, const struct segment_head *bad, int fd, uint64_t size,
		      unsigned char *window)
{
	struct segment_reader reader;
	struct journal_entry entry;

	if (segment_head_check(guess) != SEGMENT_HEAD_GOOD)
		return false;
	if (guess->crc == bad->crc)
		return true;
	segment_reader_start(&reader, fd, guess->crc, guess->epoch, size, window);
	return segment_reader_next(&reader, true, &entry) == 1 && reader.entry_offset == SEGMENT_HEAD_SIZE;
}

static bool guess_head(struct segment_head *head, const struct segment_head *neighbour, uint64_t number, int fd,
		       uint64_t size, unsigned char *window)
{
	const struct segment_head bad = *head;
	struct segment_entry_head first = { 0 };

	if (pread(fd, &first, sizeof first, SEGMENT_HEAD_SIZE) != (ssize_t)sizeof first)
		return false;
	for (unsigned guess = 0; guess < GUESSES; guess++) {
		struct segment_head now = guess & GUESS_ORIGIN ? *neighbour : bad;

		now.magic = SEGMENT_MAGIC;
		now.version = SEGMENT_VERSION;
		now.head_size = SEGMENT_HEAD_SIZE;
		now.reserved = 0;
		now.number = guess & GUESS_NUMBER ? number : bad.number;
		now.first_counter = guess & GUESS_COUNTER ? first.seq & SEGMENT_COUNTER_MAX : bad.first_counter;
		now.created_us = bad.created_us;
		memcpy(now.gaps, bad.gaps, sizeof now.gaps);
		now.crc = crc32c(0, &now, offsetof(struct segment_head, crc));
		if (is_proven(&now, &bad, fd, size, window)) {
			*head = now;
			return true;
		}
	}
	return false;
}

static bool read_neighbour(int directory, uint64_t number, struct segment_head *ret_head)
{
	char name[SEGMENT_NAME_SIZE];

	segment_name(name, number);
	int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	bool is_read = fd >= 0 && pread(fd, ret_head, sizeof *ret_head, 0) == (ssize_t)sizeof *ret_head;

	if (fd >= 0)
		close(fd);
	return is_read && segment_head_check(ret_head) == SEGMENT_HEAD_GOOD;
}

bool journal_mend_head(int directory, const char *name, uint64_t number, struct segment_head *head,
		       unsigned char *window)
{
	int fd = openat(directory, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	struct segment_head neighbour = *head;
	struct stat status;
	bool is_mended = false;

	if (fd < 0)
		return false;
	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size < SEGMENT_HEAD_SIZE)
		goto close_file;
	/* Alone first: then with each neighbour. */
	is_mended = guess_head(head, &neighbour, number, fd, (uint64_t)status.st_size, window);
	for (uint64_t i = 1; !is_mended && i <= 2 * NEIGHBOURS; i++) {
		uint64_t away = (i + 1) / 2, at = i % 2 ? number + away : number - away;

		if ((i % 2 || number > away) && read_neighbour(directory, at, &neighbour))
			is_mended = guess_head(head, &neighbour, number, fd, (uint64_t)status.st_size, window);
	}
	/* Where it cannot be written it is told again at the next start. */
	if (is_mended && pwrite(fd, head, sizeof *head, 0) == (ssize_t)sizeof *head)
		(void)fdatasync(fd);
close_file:
	close(fd);
	return is_mended;
}
