/* journal_mask.c - entries that name the person are found by a scan, and written again where they lie. */
#include "journal_mask.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "crc32c.h"
#include "journal_segment.h"
#include "record.h"

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

/* Where a text of the entry stands in its copy. */
static void mask(unsigned char *copy, struct text payload, struct text found)
{
	unsigned char *bytes = copy + (found.start - payload.start);

	for (size_t i = 0; i < found.length; i++)
		if (bytes[i] != '@' && bytes[i] != '.')
			bytes[i] = 'x';
}

/* Whether the payload names the person; masks it in the copy, where there is one. */
static bool look_at(struct text payload, const struct person *person, unsigned char *copy)
{
	struct text rest = payload, found;
	struct record_view view;
	struct record_value value;
	bool is_named = false;

	while ((found = person_find(person, rest)).start) {
		is_named = true;
		if (copy)
			mask(copy, payload, found);
		rest = (struct text){ found.start + found.length, (size_t)(rest.start + rest.length - found.start) - found.length };
	}
	if (!person->login_count || record_view_open(&view, payload) != 0)
		return is_named;
	while (record_view_next(&view, &value)) {
		if (!person_is_named_by(value.number) || !person_is_login(person, value.text))
			continue;
		is_named = true;
		if (copy)
			mask(copy, payload, value.text);
	}
	return is_named;
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

static bool mask_entry(int directory, const struct journal_scan_entry *entry, const struct person *person)
{
	int file = openat(directory, entry->file, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	unsigned char *payload = malloc(entry->payload.length + 1);
	bool done = false;

	if (file >= 0 && payload) {
		memcpy(payload, entry->payload.start, entry->payload.length);
		(void)look_at(entry->payload, person, payload);
		done = write_entry(file, entry, payload);
	}
	free(payload);
	if (file >= 0)
		(void)close(file);
	return done;
}

/* Of '@', '.' and 'x' alone it would be found again after it. */
static bool can_be_masked(struct text name)
{
	for (size_t i = 0; i < name.length; i++)
		if (name.start[i] != '@' && name.start[i] != '.' && name.start[i] != 'x' && name.start[i] != 'X')
			return true;
	return false;
}

int journal_mask(const char *directory, const struct person *person, struct journal_masked *counts, struct problem *problem)
{
	struct journal_scan *scan;
	struct journal_scan_entry entry;
	int fd = -1, error;

	if (!can_be_masked(person->address)) {
		problem_set(problem, "'%.*s' cannot be masked: it is like its mask", TEXT_ARGS(person->address));
		return -EINVAL;
	}
	error = take(directory, &fd, problem);
	if (error)
		return error;
	error = journal_scan_open(&scan, directory, problem);
	while (!error && journal_scan_next(scan, &entry) > 0) {
		if (!look_at(entry.payload, person, NULL))
			continue;
		counts->entries++;
		counts->left += !mask_entry(fd, &entry, person);
	}
	if (!error)
		journal_scan_close(scan);
	(void)close(fd);
	return error;
}
