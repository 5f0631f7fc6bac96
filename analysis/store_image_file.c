/* store_image_file.c - "image-NUMBER": how many chunks there are; the length of each, and its bytes. */
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
	uint64_t count = image->count;
	int error = write_all(fd, &count, sizeof count);

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
	if (!error)
		return 0;
	/* Nobody names it, and what it has may be what the disk lacks. */
	(void)unlink(path);
	return explain(path, "write", error, problem);
}

/* ---- reading ---- */

static int read_all(FILE *in, void *bytes, uint64_t length)
{
	if (fread(bytes, 1, length, in) == length)
		return 0;
	return ferror(in) ? -EIO : -EBADMSG;
}

/* To free. */
static int read_chunk(FILE *in, uint64_t size, unsigned char **ret_bytes, uint64_t *ret_length)
{
	int error = read_all(in, ret_length, sizeof *ret_length);

	*ret_bytes = NULL;
	if (!error && *ret_length > size)
		error = -EBADMSG;
	if (!error && !(*ret_bytes = malloc(*ret_length + 1)))
		error = -ENOMEM;
	return error ? error : read_all(in, *ret_bytes, *ret_length);
}

struct reading {
	store_image_take *take;
	void *context;
	struct problem *problem;
	bool has_words;		/* whoever took it has said what failed */
};

static int read_chunks(FILE *in, struct reading *reading)
{
	struct stat info;
	uint64_t count, length;
	int error = fstat(fileno(in), &info) == 0 ? read_all(in, &count, sizeof count) : -errno;

	for (uint64_t i = 0; !error && i < count; i++) {
		unsigned char *bytes;

		error = read_chunk(in, (uint64_t)info.st_size, &bytes, &length);
		if (!error) {
			error = reading->take(reading->context, bytes, length, reading->problem);
			reading->has_words = error && error != STORE_IMAGE_DAMAGED;
		}
		free(bytes);
	}
	return error == STORE_IMAGE_DAMAGED ? -EBADMSG : error;
}

int store_image_file_read(const char *directory, uint64_t number, store_image_take *take, void *context, struct problem *problem)
{
	struct reading reading = { take, context, problem, false };
	char path[STORE_PATH_SIZE];
	FILE *in;
	int error;

	if (!path_of(directory, number, path))
		return explain(directory, "read", -ENAMETOOLONG, problem);
	in = fopen(path, "re");
	if (!in)
		return explain(path, "read", -errno, problem);
	error = read_chunks(in, &reading);
	(void)fclose(in);
	if (!error || reading.has_words)
		return error;
	if (error != -EBADMSG)
		return explain(path, "read", error, problem);
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

int store_image_file_sweep(const char *directory, uint64_t first, uint64_t last)
{
	DIR *folder = opendir(directory);
	const struct dirent *entry;
	uint64_t number;
	int error = 0;

	if (!folder)
		return -errno;
	while ((entry = readdir(folder)))
		if (is_image(entry->d_name, &number) && (number < first || number > last) &&
		    unlinkat(dirfd(folder), entry->d_name, 0) != 0 && !error)
			error = -errno;
	(void)closedir(folder);
	return error;
}
