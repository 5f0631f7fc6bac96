/* follow.c - one plain file by pread, rotated ones through input_file. */
#include "analysis/follow.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/input_file.h"

enum { FOLLOW_BUFFER = 4 * INPUT_FILE_LINE_MAX, HEAD_MAX = 4096 };

/* Where reading stands, as it is saved. No digest: no line of the file was read to its end. */
struct position {
	uint64_t inode, digest, offset, lines;
};

struct follow {
	char *path, *position_path;
	int fd;
	dev_t device;
	struct position at;		/* behind the last line that was lent */
	struct text first_bytes;	/* of the file, kept in head */
	char head[HEAD_MAX];
	bool has_met_end;		/* the file may be another one since */
	bool was_renamed, restarts, skips_line, is_new;
	int64_t time_us;
	uint64_t bytes;
	size_t start, end;
	char *buffer;
	/* Rotated files that come first, oldest first. */
	glob_t rotated;
	size_t next_rotated;
	struct input_file *old;
	uint64_t skip_lines;
};

/* FNV-1a: tells files apart, and need not withstand anyone. Never 0. */
static uint64_t digest_of(struct text line)
{
	uint64_t digest = 0xcbf29ce484222325u;

	for (size_t i = 0; i < line.length && i < HEAD_MAX - 4; i++)
		digest = (digest ^ (unsigned char)line.start[i]) * 0x100000001b3u;
	return digest ? digest : 1;
}

static size_t mark_length(struct text bytes)
{
	return bytes.length >= 3 && memcmp(bytes.start, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

/* The first line as far as it is hashed; 0: it has not come yet. */
static uint64_t digest_of_head(struct text head)
{
	size_t mark = mark_length(head);
	const char *start = head.start + mark;
	const char *newline = memchr(start, '\n', head.length - mark);

	if (!newline && head.length < HEAD_MAX)
		return 0;
	return digest_of((struct text){ start, newline ? (size_t)(newline - start) : HEAD_MAX - mark });
}

static struct text read_head(int fd, char *head)
{
	ssize_t got = pread(fd, head, HEAD_MAX, 0);

	return (struct text){ head, got > 0 ? (size_t)got : 0 };
}

static bool is_readable_kind(struct text head)
{
	static const char *const others[] = { "\x1f\x8b", "BZh", "\3757zXZ", "\x28\xb5\x2f\xfd", "\xff\xfe", "\xfe\xff" };

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		if (head.length >= strlen(others[i]) && memcmp(head.start, others[i], strlen(others[i])) == 0)
			return false;
	return true;
}

/* ---- the file itself ---- */

static int open_current(struct follow *follow)
{
	struct stat info;
	int fd = open(follow->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &info) != 0) {
		int error = -errno;

		if (fd >= 0)
			close(fd);
		return error;
	}
	if (!S_ISREG(info.st_mode)) {
		close(fd);
		return S_ISDIR(info.st_mode) ? -EISDIR : -EINVAL;
	}
	if (follow->fd >= 0)
		close(follow->fd);
	follow->fd = fd;
	follow->device = info.st_dev;
	follow->at = (struct position){ .inode = info.st_ino };
	follow->time_us = (int64_t)info.st_mtim.tv_sec * 1000000 + info.st_mtim.tv_nsec / 1000;
	follow->first_bytes = read_head(fd, follow->head);
	follow->start = follow->end = 0;
	follow->skips_line = follow->was_renamed = follow->has_met_end = false;
	follow->is_new = true;
	return 0;
}

/* It is shorter than what was read of it, or begins with other bytes. */
static bool was_truncated(struct follow *follow)
{
	char head[HEAD_MAX];
	struct stat info;
	struct text now;

	if (fstat(follow->fd, &info) != 0)
		return false;
	now = read_head(follow->fd, head);
	if ((uint64_t)info.st_size < follow->at.offset + (follow->end - follow->start) ||
	    now.length < follow->first_bytes.length ||
	    memcmp(now.start, follow->first_bytes.start, follow->first_bytes.length) != 0)
		return true;
	memcpy(follow->head, head, now.length);
	follow->first_bytes.length = now.length;
	return false;
}

static bool was_renamed(const struct follow *follow)
{
	struct stat info;

	return stat(follow->path, &info) == 0 && (info.st_ino != follow->at.inode || info.st_dev != follow->device);
}

static void restart(struct follow *follow)
{
	follow->at.offset = follow->at.lines = follow->at.digest = 0;
	follow->start = follow->end = 0;
	follow->skips_line = false;
	follow->restarts = false;
	follow->is_new = true;
	follow->first_bytes = read_head(follow->fd, follow->head);
}

/* 1: bytes came; 0: none; -errno. */
static int fill(struct follow *follow)
{
	ssize_t got;

	if (follow->start > 0) {
		memmove(follow->buffer, follow->buffer + follow->start, follow->end - follow->start);
		follow->end -= follow->start;
		follow->start = 0;
	}
	got = pread(follow->fd, follow->buffer + follow->end, FOLLOW_BUFFER - follow->end,
		    (off_t)(follow->at.offset + follow->end));
	if (got < 0)
		return -errno;
	follow->end += (size_t)got;
	follow->bytes += (uint64_t)got;
	return got > 0;
}

static int lend(struct follow *follow, size_t length, size_t used, bool is_cut, struct text *ret_line, bool *ret_is_cut)
{
	struct text line = { follow->buffer + follow->start, length };
	size_t mark = follow->at.offset == 0 ? mark_length(line) : 0;

	*ret_line = (struct text){ line.start + mark, length - mark };
	*ret_is_cut = is_cut;
	follow->start += used;
	follow->at.offset += used;
	follow->at.lines++;
	follow->skips_line = is_cut;
	if (!follow->at.digest)
		follow->at.digest = digest_of_head(follow->first_bytes);
	return 1;
}

/* A line that lies in the buffer; 0: none yet. */
static int take_line(struct follow *follow, struct text *ret_line, bool *ret_is_cut)
{
	for (;;) {
		const char *start = follow->buffer + follow->start;
		size_t have = follow->end - follow->start;
		const char *newline = memchr(start, '\n', have);
		size_t length = newline ? (size_t)(newline - start) : have;

		if (follow->skips_line) {
			follow->start += length + (newline != NULL);
			follow->at.offset += length + (newline != NULL);
			follow->skips_line = !newline;
			if (!newline)
				return 0;
			continue;
		}
		if (length > INPUT_FILE_LINE_MAX)
			return lend(follow, INPUT_FILE_LINE_MAX, INPUT_FILE_LINE_MAX, true, ret_line, ret_is_cut);
		return newline ? lend(follow, length, length + 1, false, ret_line, ret_is_cut) : 0;
	}
}

/* The file ended in mid-line, and nothing more will come. */
static int take_rest(struct follow *follow, struct text *ret_line, bool *ret_is_cut)
{
	size_t have = follow->end - follow->start;

	return have && !follow->skips_line ? lend(follow, have, have, false, ret_line, ret_is_cut) : 0;
}

static int read_current(struct follow *follow, struct text *ret_line, bool *ret_is_cut)
{
	int found;

	for (;;) {
		found = take_line(follow, ret_line, ret_is_cut);
		if (found)
			return found;
		if (follow->has_met_end && was_truncated(follow)) {
			found = take_rest(follow, ret_line, ret_is_cut);
			follow->start = follow->end = 0;
			follow->has_met_end = false;
			follow->restarts = true;
			if (found)
				return found;
		}
		if (follow->restarts)
			restart(follow);
		found = fill(follow);
		if (found < 0)
			return found;
		follow->has_met_end = found == 0;
		if (found)
			continue;
		if (!follow->was_renamed) {
			/* What was written before it was renamed is read once more. */
			follow->was_renamed = was_renamed(follow);
			if (!follow->was_renamed)
				return 0;
			continue;
		}
		found = take_rest(follow, ret_line, ret_is_cut);
		if (found)
			return found;
		found = open_current(follow);
		if (found)
			return found == -ENOENT ? 0 : found;
	}
}

/* ---- rotated files ---- */

static void close_old(struct follow *follow)
{
	follow->bytes += follow->old ? input_file_bytes(follow->old) : 0;
	input_file_close(follow->old);
	follow->old = NULL;
}

/* 1: a line of a rotated file; 0: no more of them. One that cannot be read is passed over. */
static int read_rotated(struct follow *follow, struct text *ret_line, bool *ret_is_cut)
{
	while (follow->next_rotated < follow->rotated.gl_pathc) {
		const char *path = follow->rotated.gl_pathv[follow->next_rotated];

		if (!follow->old) {
			follow->at = (struct position){ .inode = 0 };
			if (input_file_open(&follow->old, path, NULL) != 0) {
				follow->next_rotated++;
				follow->skip_lines = 0;
				continue;
			}
			follow->is_new = true;
		}
		while (input_file_line(follow->old, ret_line, ret_is_cut) > 0) {
			if (++follow->at.lines == 1)
				follow->at.digest = digest_of(*ret_line);
			if (follow->at.lines > follow->skip_lines)
				return 1;
		}
		close_old(follow);
		follow->next_rotated++;
		follow->skip_lines = 0;
	}
	return 0;
}

static bool begins_with(const char *path, uint64_t digest)
{
	struct input_file *input;
	struct text line;
	bool is_cut, same = false;

	if (input_file_open(&input, path, NULL) != 0)
		return false;
	if (input_file_line(input, &line, &is_cut) > 0)
		same = digest_of(line) == digest;
	input_file_close(input);
	return same;
}

void follow_list_rotated(const char *path, glob_t *ret_rotated)
{
	size_t size = strlen(path) * 2 + 2, length = 0, kept = 0;
	char *pattern = malloc(size);

	*ret_rotated = (glob_t){ .gl_pathc = 0 };
	if (!pattern)
		return;
	for (const char *p = path; *p; p++) {
		if (strchr("*?[\\", *p))
			pattern[length++] = '\\';
		pattern[length++] = *p;
	}
	memcpy(pattern + length, "*", 2);
	if (glob(pattern, 0, NULL, ret_rotated) != 0)
		ret_rotated->gl_pathc = 0;
	free(pattern);
	for (size_t i = 0; i < ret_rotated->gl_pathc; i++) {
		char *each = ret_rotated->gl_pathv[i];

		/* "mail.log.position" and "mail.log.err" are none of them. */
		if (strcmp(each, path) == 0 || !input_file_same_set(each, path)) {
			free(each);
			continue;
		}
		ret_rotated->gl_pathv[kept++] = each;
	}
	if (ret_rotated->gl_pathv)
		for (size_t i = kept; i < ret_rotated->gl_pathc; i++)
			ret_rotated->gl_pathv[i] = NULL;
	ret_rotated->gl_pathc = kept;
	input_file_sort(ret_rotated->gl_pathv, kept);
}

/* Looks for the saved position among the files beside it. */
static bool find_rotated(struct follow *follow, const struct position *saved)
{
	follow_list_rotated(follow->path, &follow->rotated);
	for (size_t i = follow->rotated.gl_pathc; i-- > 0;)
		if (begins_with(follow->rotated.gl_pathv[i], saved->digest)) {
			follow->next_rotated = i;
			follow->skip_lines = saved->lines;
			return true;
		}
	follow->next_rotated = follow->rotated.gl_pathc;
	return false;
}

/* ---- the position ---- */

static bool load(const char *path, struct position *ret_saved)
{
	FILE *file = path ? fopen(path, "re") : NULL;
	struct position saved;
	int count = 0;

	if (!file)
		return false;
	count = fscanf(file, "smtptrail position 1 inode %" SCNu64 " digest %" SCNx64 " offset %" SCNu64 " lines %" SCNu64,
		       &saved.inode, &saved.digest, &saved.offset, &saved.lines);
	(void)fclose(file);
	if (count != 4)
		return false;
	*ret_saved = saved;
	return true;
}

int follow_save(const struct follow *follow, struct problem *problem)
{
	char name[4096];
	FILE *file;
	int error = 0;

	if (!follow->position_path || !follow->at.digest)
		return 0;
	if (snprintf(name, sizeof name, "%s.new", follow->position_path) >= (int)sizeof name)
		return -ENAMETOOLONG;
	file = fopen(name, "we");
	if (!file ||
	    fprintf(file, "smtptrail position 1\ninode %" PRIu64 "\ndigest %016" PRIx64 "\noffset %" PRIu64 "\nlines %" PRIu64 "\n",
		    follow->at.inode, follow->at.digest, follow->at.offset, follow->at.lines) < 0)
		error = -errno;
	if (file && fclose(file) != 0 && !error)
		error = -errno;
	if (!error && rename(name, follow->position_path) != 0)
		error = -errno;
	if (error)
		problem_set(problem, "cannot save the position in '%s': %s", follow->position_path, strerror(-error));
	return error;
}

/* Goes on in the file itself, if the saved position is of it. */
static bool resume(struct follow *follow, const struct position *saved)
{
	char before = '\0';

	if (!saved->digest || digest_of_head(follow->first_bytes) != saved->digest || saved->offset == 0 ||
	    pread(follow->fd, &before, 1, (off_t)saved->offset - 1) != 1 || before != '\n')
		return false;
	follow->at.digest = saved->digest;
	follow->at.offset = saved->offset;
	follow->at.lines = saved->lines;
	return true;
}

static void go_to_position(struct follow *follow, struct problem *problem)
{
	struct position saved;

	if (!follow->position_path)
		return;
	if (!load(follow->position_path, &saved)) {
		if (access(follow->position_path, F_OK) == 0)
			problem_set(problem, "'%s' holds no position; reading '%s' from its start", follow->position_path, follow->path);
		return;
	}
	if (!resume(follow, &saved) && !find_rotated(follow, &saved))
		problem_set(problem, "the position in '%s' is of no file that is left; reading '%s' from its start",
			    follow->position_path, follow->path);
}

int follow_open(struct follow **ret_follow, const char *path, const char *position_path, struct problem *problem)
{
	struct follow *follow = calloc(1, sizeof *follow);
	int error = -ENOMEM;

	if (problem)
		problem->text[0] = '\0';
	if (!follow)
		goto failed;
	follow->fd = -1;
	follow->path = strdup(path);
	follow->position_path = position_path ? strdup(position_path) : NULL;
	follow->buffer = malloc(FOLLOW_BUFFER + INPUT_FILE_PADDING);
	if (!follow->path || (position_path && !follow->position_path) || !follow->buffer)
		goto failed;
	error = open_current(follow);
	if (!error && !is_readable_kind(follow->first_bytes))
		error = -ENOTSUP;
	if (error)
		goto failed;
	go_to_position(follow, problem);
	*ret_follow = follow;
	return 0;
failed:
	problem_set(problem, "cannot follow '%s': %s", path, error == -ENOTSUP ? "it is compressed, or UTF-16" :
		    error == -EINVAL ? "it is no regular file" : strerror(-error));
	follow_close(follow);
	return error;
}

void follow_close(struct follow *follow)
{
	if (!follow)
		return;
	close_old(follow);
	if (follow->rotated.gl_pathv)
		globfree(&follow->rotated);
	if (follow->fd >= 0)
		close(follow->fd);
	free(follow->buffer);
	free(follow->position_path);
	free(follow->path);
	free(follow);
}

int follow_line(struct follow *follow, struct text *ret_line, bool *ret_is_cut)
{
	bool was_rotated = follow->next_rotated < follow->rotated.gl_pathc;

	if (follow->at.lines > 0)
		follow->is_new = false;
	if (was_rotated) {
		if (read_rotated(follow, ret_line, ret_is_cut) > 0)
			return 1;
		/* The file itself may have been rotated in the meantime: its descriptor tells. */
		struct stat info;

		follow->at = (struct position){ .inode = 0 };
		if (fstat(follow->fd, &info) == 0)
			follow->at.inode = info.st_ino;
		follow->is_new = true;
	}
	return read_current(follow, ret_line, ret_is_cut);
}

bool follow_is_new_file(const struct follow *follow)
{
	return follow->is_new;
}

const char *follow_path(const struct follow *follow)
{
	return follow->next_rotated < follow->rotated.gl_pathc ? follow->rotated.gl_pathv[follow->next_rotated] : follow->path;
}

int64_t follow_time(const struct follow *follow)
{
	return follow->old ? input_file_time(follow->old) : follow->time_us;
}

uint64_t follow_line_number(const struct follow *follow)
{
	return follow->at.lines;
}

uint64_t follow_bytes(const struct follow *follow)
{
	return follow->bytes + (follow->old ? input_file_bytes(follow->old) : 0);
}
