/* journal_scan.c - segments read from outside: also damaged ones, and those of a running milter. */
#include "journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crc32c.h"
#include "journal_segment.h"

struct scan_file {
	struct journal_scan_file shown;	/* name points into the next */
	char name[256];
	uint64_t number;
	bool is_set_aside;
};

struct journal_scan {
	int directory;
	struct scan_file *files;
	size_t count, next;
	int fd;				/* of the file before next; -1: not open */
	bool is_head_good;
	bool has_looked_again;		/* behind its end */
	uint64_t first_counter;		/* as its head says */
	struct segment_reader reader;
	struct journal_origin origin;
	char last_incarnation[JOURNAL_NAME_SIZE];	/* of the entry before */
	uint64_t last_seq;
	bool is_tail_missing;		/* the entry behind it, already counted */
	struct journal_scan_total total;
	unsigned char window[SEGMENT_WINDOW_SIZE];
};

static int add_file(struct journal_scan *scan, const char *name)
{
	struct scan_file *files;
	uint64_t number;
	bool is_set_aside;

	if (!segment_name_parse(name, &number, &is_set_aside) || strlen(name) >= sizeof files->name)
		return 0;
	files = reallocarray(scan->files, scan->count + 1, sizeof *files);
	if (!files)
		return -ENOMEM;
	scan->files = files;
	files += scan->count++;
	*files = (struct scan_file){ .number = number, .is_set_aside = is_set_aside };
	memcpy(files->name, name, strlen(name) + 1);
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const struct scan_file *first = a, *second = b;

	if (first->number != second->number)
		return first->number < second->number ? -1 : 1;
	return strcmp(first->name, second->name);
}

static int list_files(struct journal_scan *scan)
{
	int copy = openat(scan->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), error = 0;
	DIR *stream = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *row;

	if (!stream) {
		error = -errno;
		if (copy >= 0)
			close(copy);
		return error;
	}
	errno = 0;
	while (!error && (row = readdir(stream)))
		error = add_file(scan, row->d_name);
	if (!error && errno)
		error = -errno;
	(void)closedir(stream);
	if (scan->count)
		qsort(scan->files, scan->count, sizeof *scan->files, by_number);
	for (size_t i = 0; i < scan->count; i++)
		scan->files[i].shown.name = scan->files[i].name;
	return error;
}

int journal_scan_open(struct journal_scan **ret_scan, const char *directory, struct problem *problem)
{
	struct journal_scan *scan = calloc(1, sizeof *scan);
	int error = scan ? 0 : -ENOMEM;

	if (scan) {
		scan->fd = -1;
		scan->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		error = scan->directory < 0 ? -errno : list_files(scan);
	}
	if (error) {
		problem_set(problem, "cannot read the directory '%s': %s", directory, strerror(-error));
		journal_scan_close(scan);
		return error;
	}
	*ret_scan = scan;
	return 0;
}

static void close_file(struct journal_scan *scan)
{
	if (scan->fd >= 0)
		close(scan->fd);
	scan->fd = -1;
}

void journal_scan_close(struct journal_scan *scan)
{
	if (!scan)
		return;
	close_file(scan);
	if (scan->directory >= 0)
		close(scan->directory);
	free(scan->files);
	free(scan);
}

static struct scan_file *current(struct journal_scan *scan)
{
	return &scan->files[scan->next - 1];
}

static void note_damage(struct journal_scan *scan)
{
	struct scan_file *file = current(scan);

	if (file->shown.is_damaged)
		return;
	file->shown.is_damaged = true;
	file->shown.total.damaged_files = 1;
	scan->total.damaged_files++;
}

static void note_file(struct journal_scan *scan)
{
	scan->total.files++;
	current(scan)->shown.total.files = 1;
}

/* Of a damaged head the checksum may be the damaged part, or the one that still fits. */
static void start_reader(struct journal_scan *scan, const struct segment_head *head, uint64_t size)
{
	segment_reader_start(&scan->reader, scan->fd, head->crc, scan->is_head_good ? head->epoch : 0, size,
			     scan->window);
	if (!scan->is_head_good)
		scan->reader.other_crc = crc32c(0, head, offsetof(struct segment_head, crc));
	segment_head_origin(head, &scan->origin);
	scan->first_counter = scan->is_head_good ? head->first_counter : 0;
	scan->has_looked_again = false;
}

static int open_file(const struct journal_scan *scan, const char *name)
{
	return openat(scan->directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
}

/* Opens the next file that has begun. 1, or 0: none is left. */
static int open_next(struct journal_scan *scan)
{
	while (scan->next < scan->count) {
		struct segment_head head = { 0 };
		struct scan_file *file = &scan->files[scan->next++];
		struct stat status;

		scan->fd = open_file(scan, file->name);
		if (scan->fd < 0 && errno == ENOENT) {
			/* Its milter let it go meanwhile: no hole. */
			scan->last_incarnation[0] = '\0';
			continue;
		}
		if (scan->fd < 0 || fstat(scan->fd, &status) != 0 || !S_ISREG(status.st_mode) ||
		    pread(scan->fd, &head, sizeof head, 0) < 0) {
			note_file(scan);
			note_damage(scan);
			close_file(scan);
			continue;
		}
		enum segment_head_state state = segment_head_check(&head);

		if (state == SEGMENT_HEAD_EMPTY && !file->is_set_aside) {
			close_file(scan);
			continue;
		}
		note_file(scan);
		scan->is_head_good = state == SEGMENT_HEAD_GOOD;
		if (!scan->is_head_good || file->is_set_aside)
			note_damage(scan);
		start_reader(scan, &head, (uint64_t)status.st_size);
		return 1;
	}
	return 0;
}

static bool has_next_begun(const struct journal_scan *scan)
{
	bool has_begun = false;

	for (size_t i = scan->next; i < scan->count && !has_begun; i++) {
		struct segment_head head = { 0 };
		int fd = open_file(scan, scan->files[i].name);

		has_begun = fd >= 0 && pread(fd, &head, sizeof head, 0) > 0 && segment_head_check(&head) != SEGMENT_HEAD_EMPTY;
		if (fd >= 0)
			close(fd);
	}
	return has_begun;
}

/* Whether the end is to be looked for once more: a running milter may have appended behind it since it was read. Once the
 * next file has begun, all of this one is there. */
static bool look_again(struct journal_scan *scan)
{
	struct stat status;

	if (scan->has_looked_again || (scan->reader.tail == SEGMENT_TAIL_CLEAN && !has_next_begun(scan)) ||
	    fstat(scan->fd, &status) != 0)
		return false;
	scan->has_looked_again = true;
	scan->reader.end = (uint64_t)status.st_size;
	scan->reader.window_start = scan->reader.offset;
	scan->reader.window_fill = 0;
	return true;
}

/* How many entries a seq shows to be missing before it. */
static uint64_t count_missing(const struct journal_scan *scan, uint64_t seq)
{
	uint64_t expected = seq;

	if (strcmp(scan->last_incarnation, scan->origin.incarnation) == 0)
		expected = scan->last_seq + 1 + scan->is_tail_missing;
	else if (scan->first_counter)
		expected = segment_seq(scan->origin.epoch, scan->first_counter);
	return seq > expected ? seq - expected : 0;
}

/* A finished entry at the end of a file that does not pass any more: perhaps no later number will tell. */
static void note_damaged_tail(struct journal_scan *scan)
{
	note_damage(scan);
	scan->total.missing++;
	current(scan)->shown.total.missing++;
	scan->is_tail_missing = true;
}

static void add_entry(struct journal_scan_total *total, uint64_t seq, uint64_t bytes, uint64_t missing)
{
	if (total->entries++ == 0)
		total->first_seq = seq;
	total->last_seq = seq;
	total->bytes += bytes;
	total->missing += missing;
}

static void take_entry(struct journal_scan *scan, const struct journal_entry *entry,
		       struct journal_scan_entry *ret_entry)
{
	uint64_t missing = count_missing(scan, entry->seq), bytes = segment_entry_size(entry->payload.length);

	add_entry(&scan->total, entry->seq, bytes, missing);
	add_entry(&current(scan)->shown.total, entry->seq, bytes, missing);
	if (strcmp(scan->last_incarnation, scan->origin.incarnation) != 0 || entry->seq > scan->last_seq)
		scan->last_seq = entry->seq;
	memcpy(scan->last_incarnation, scan->origin.incarnation, JOURNAL_NAME_SIZE);
	scan->is_tail_missing = false;
	*ret_entry = (struct journal_scan_entry){
		.file = current(scan)->name, .segment = current(scan)->number, .offset = scan->reader.entry_offset, .seq = entry->seq,
		.payload = entry->payload, .origin = &scan->origin,
	};
}

int journal_scan_next(struct journal_scan *scan, struct journal_scan_entry *ret_entry)
{
	struct journal_entry entry;

	while (scan->fd >= 0 || open_next(scan)) {
		uint64_t offset = scan->reader.offset;
		int result = segment_reader_next(&scan->reader, true, &entry);

		if (result == 1) {
			if (scan->reader.entry_offset != offset)
				note_damage(scan);
			take_entry(scan, &entry, ret_entry);
			return 1;
		}
		if (result == 0 && look_again(scan))
			continue;
		if (result < 0)
			note_damage(scan);
		else if (scan->reader.tail == SEGMENT_TAIL_DAMAGED)
			note_damaged_tail(scan);
		else if (scan->reader.tail == SEGMENT_TAIL_TORN) {
			scan->total.torn_tails++;
			current(scan)->shown.total.torn_tails = 1;
		}
		close_file(scan);
	}
	return 0;
}

void journal_scan_total(const struct journal_scan *scan, struct journal_scan_total *ret_total)
{
	*ret_total = scan->total;
}

const struct journal_scan_file *journal_scan_file(const struct journal_scan *scan, size_t index)
{
	return index < scan->count ? &scan->files[index].shown : NULL;
}
