/* store_image_file.c - "image-NUMBER": the length of each chunk, and its bytes. */
#include "analysis/store_image_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/store_days.h"

#define PREFIX "image-"

static bool path_of(const char *directory, uint64_t number, char ret_path[STORE_PATH_SIZE])
{
	char name[sizeof PREFIX + 20];

	(void)snprintf(name, sizeof name, PREFIX "%" PRIu64, number);
	return store_path(directory, name, ret_path);
}

static int explain(const char *path, const char *doing, int error, struct problem *problem)
{
	problem_set(problem, "cannot %s '%s': %s", doing, path, strerror(-error));
	return error;
}

/* ---- writing ---- */

static int write_all(int fd, const void *bytes, size_t length)
{
	const char *at = bytes;

	while (length) {
		ssize_t written = write(fd, at, length);

		if (written < 0 && errno != EINTR)
			return -errno;
		if (written > 0) {
			at += written;
			length -= (size_t)written;
		}
	}
	return 0;
}

static int write_image(int fd, const struct store_image *image)
{
	int error = 0;

	for (unsigned i = 0; i < image->count && !error; i++) {
		uint64_t length = image->chunks[i].used;

		error = write_all(fd, &length, sizeof length);
		if (!error)
			error = write_all(fd, image->chunks[i].bytes, image->chunks[i].used);
	}
	if (!error && fdatasync(fd) != 0)
		error = -errno;
	return error;
}

int store_image_file_write(const char *directory, uint64_t number, const struct store_image *image, struct problem *problem)
{
	char path[STORE_PATH_SIZE];
	int fd, error;

	if (!path_of(directory, number, path))
		return explain(directory, "write into", -ENAMETOOLONG, problem);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return explain(path, "write", -errno, problem);
	error = write_image(fd, image);
	if (close(fd) != 0 && !error)
		error = -errno;
	if (!error)
		error = store_sync(directory);
	return error ? explain(path, "write", error, problem) : 0;
}

/* ---- reading ---- */

/* 1: a chunk, to free; 0: the end; -errno. */
static int read_chunk(FILE *in, uint64_t size, unsigned char **ret_bytes, uint64_t *ret_length)
{
	size_t got = fread(ret_length, 1, sizeof *ret_length, in);

	if (got == 0 && !ferror(in))
		return 0;
	if (got != sizeof *ret_length || *ret_length > size)
		return -EBADMSG;
	*ret_bytes = malloc(*ret_length + 1);
	if (!*ret_bytes)
		return -ENOMEM;
	if (fread(*ret_bytes, 1, *ret_length, in) == *ret_length)
		return 1;
	free(*ret_bytes);
	return -EBADMSG;
}

static int read_chunks(FILE *in, store_image_take *take, void *context, struct problem *problem)
{
	struct stat info;
	unsigned char *bytes;
	uint64_t length;
	int more;

	if (fstat(fileno(in), &info) != 0)
		return -errno;
	while ((more = read_chunk(in, (uint64_t)info.st_size, &bytes, &length)) > 0) {
		int error = take(context, bytes, length, problem);

		free(bytes);
		if (error)
			return error;
	}
	return more;
}

int store_image_file_read(const char *directory, uint64_t number, store_image_take *take, void *context, struct problem *problem)
{
	char path[STORE_PATH_SIZE];
	FILE *in;
	int error;

	if (!path_of(directory, number, path))
		return explain(directory, "read", -ENAMETOOLONG, problem);
	in = fopen(path, "re");
	if (!in)
		return explain(path, "read", -errno, problem);
	error = read_chunks(in, take, context, problem);
	(void)fclose(in);
	if (error == -EBADMSG)
		problem_set(problem, "'%s' holds what a commit changed, and it is damaged", path);
	return error;
}

/* ---- dropping ---- */

static bool is_image(const char *name, uint64_t *ret_number)
{
	const size_t length = sizeof PREFIX - 1;
	char *end;

	if (strncmp(name, PREFIX, length) != 0 || name[length] < '0' || name[length] > '9')
		return false;
	*ret_number = strtoull(name + length, &end, 10);
	return *end == '\0';
}

void store_image_file_sweep(const char *directory, uint64_t first, uint64_t last)
{
	DIR *folder = opendir(directory);
	const struct dirent *entry;
	uint64_t number;

	if (!folder)
		return;
	while ((entry = readdir(folder)))
		if (is_image(entry->d_name, &number) && (number < first || number > last))
			(void)unlinkat(dirfd(folder), entry->d_name, 0);
	(void)closedir(folder);
}
