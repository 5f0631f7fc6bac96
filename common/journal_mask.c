/* journal_mask.c - entries that have the words are found by a scan, and written again where they lie. */
#include "journal_mask.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "crc32c.h"
#include "journal_segment.h"

/* A directory that is held. */
static int take(const char *directory, int *ret_fd, struct problem *problem)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), error;

	if (fd < 0) {
		error = -errno;
		problem_set(problem, "cannot open the journal '%s': %s", directory, strerror(-error));
		return error;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		error = errno == EWOULDBLOCK ? -EBUSY : -errno;
		problem_set(problem, "the journal '%s' is in use: stop the milter first", directory);
		(void)close(fd);
		return error;
	}
	*ret_fd = fd;
	return 0;
}

static void mask(unsigned char *payload, size_t length, struct text words)
{
	const char *found;

	while ((found = text_find_nocase((struct text){ (const char *)payload, length }, words)))
		for (size_t i = 0; i < words.length; i++) {
			unsigned char *byte = payload + (found - (const char *)payload) + i;

			if (*byte != '@' && *byte != '.')
				*byte = 'x';
		}
}

static bool write_entry(int file, const struct journal_scan_entry *entry, const unsigned char *payload)
{
	struct segment_entry_head head;
	struct segment_head segment;
	off_t at = (off_t)entry->offset;
	uint32_t length = (uint32_t)entry->payload.length;

	if (pread(file, &segment, sizeof segment, 0) != (ssize_t)sizeof segment ||
	    pread(file, &head, sizeof head, at) != (ssize_t)sizeof head || head.length != length || head.seq != entry->seq ||
	    head.crc != segment_entry_crc(crc32c(0, entry->payload.start, length), segment.crc, length, head.seq))
		return false;
	head.crc = segment_entry_crc(crc32c(0, payload, length), segment.crc, length, head.seq);
	return pwrite(file, payload, length, at + (off_t)sizeof head) == (ssize_t)length &&
	       pwrite(file, &head, sizeof head, at) == (ssize_t)sizeof head && fdatasync(file) == 0;
}

static bool mask_entry(int directory, const struct journal_scan_entry *entry, struct text words)
{
	int file = openat(directory, entry->file, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	unsigned char *payload = malloc(entry->payload.length + 1);
	bool done = false;

	if (file >= 0 && payload) {
		memcpy(payload, entry->payload.start, entry->payload.length);
		mask(payload, entry->payload.length, words);
		done = write_entry(file, entry, payload);
	}
	free(payload);
	if (file >= 0)
		(void)close(file);
	return done;
}

/* Words of '@' and '.' alone would be found for ever. */
static bool can_be_masked(struct text words)
{
	for (size_t i = 0; i < words.length; i++)
		if (words.start[i] != '@' && words.start[i] != '.' && words.start[i] != 'x' && words.start[i] != 'X')
			return true;
	return false;
}

int journal_mask(const char *directory, struct text words, struct journal_masked *counts, struct problem *problem)
{
	struct journal_scan *scan;
	struct journal_scan_entry entry;
	int fd = -1, error;

	if (!can_be_masked(words)) {
		problem_set(problem, "'%.*s' cannot be masked: it is like its mask", TEXT_ARGS(words));
		return -EINVAL;
	}
	error = take(directory, &fd, problem);
	if (error)
		return error;
	error = journal_scan_open(&scan, directory, problem);
	while (!error && journal_scan_next(scan, &entry) > 0) {
		if (!text_find_nocase(entry.payload, words))
			continue;
		counts->entries++;
		counts->left += !mask_entry(fd, &entry, words);
	}
	if (!error)
		journal_scan_close(scan);
	(void)close(fd);
	return error;
}
