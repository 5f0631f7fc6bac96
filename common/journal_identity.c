/* journal_identity.c - the file "producer": read, written and judged. */
#include "journal_identity.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "journal_segment.h"

#define FILE_NAME "producer"
#define FILE_NEW "producer.new"
#define FIRST_LINE "smtptrail-producer 1"
enum { FILE_SIZE_MAX = 16 * 1024 * 1024 };

void identity_done(struct identity *identity)
{
	free(identity->directory);
	free(identity->epochs);
	free(identity->renames);
	free(identity->fences);
	*identity = (struct identity){ 0 };
}

int identity_random(char name[JOURNAL_NAME_SIZE])
{
	unsigned char bytes[16];

	if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
		return -EIO;
	for (size_t i = 0; i < sizeof bytes; i++)
		(void)snprintf(name + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

static void set_name(char name[JOURNAL_NAME_SIZE], const char *value)
{
	(void)snprintf(name, JOURNAL_NAME_SIZE, "%s", value);
}

/* Makes room for one more row. */
static void *grown(void *rows, size_t count, size_t row_size)
{
	return reallocarray(rows, count + 1, row_size);
}

int identity_add_epoch(struct identity *identity, const struct identity_epoch *epoch)
{
	struct identity_epoch *rows = grown(identity->epochs, identity->epoch_count, sizeof *rows);

	if (!rows)
		return -ENOMEM;
	identity->epochs = rows;
	rows[identity->epoch_count++] = *epoch;
	if (identity->epoch_count > IDENTITY_HISTORY) {
		identity->epoch_count = IDENTITY_HISTORY;
		memmove(rows, rows + 1, IDENTITY_HISTORY * sizeof *rows);
	}
	return 0;
}

int identity_add_rename(struct identity *identity, const char *incarnation, uint64_t from_counter,
			const char *producer)
{
	struct identity_rename *rows = grown(identity->renames, identity->rename_count, sizeof *rows);

	if (!rows)
		return -ENOMEM;
	identity->renames = rows;
	rows += identity->rename_count++;
	set_name(rows->incarnation, incarnation);
	set_name(rows->producer, producer);
	rows->from_counter = from_counter;
	return 0;
}

int identity_add_fence(struct identity *identity, const char *producer)
{
	struct identity_fence *rows = grown(identity->fences, identity->fence_count, sizeof *rows);

	if (!rows)
		return -ENOMEM;
	identity->fences = rows;
	set_name(rows[identity->fence_count++].producer, producer);
	return 0;
}

int identity_copy(struct identity *ret_copy, const struct identity *identity)
{
	struct identity copy = *identity;
	int error = 0;

	copy.directory = strdup(identity->directory);
	copy.epochs = NULL;
	copy.renames = NULL;
	copy.fences = NULL;
	copy.epoch_count = copy.rename_count = copy.fence_count = 0;
	if (!copy.directory)
		error = -ENOMEM;
	for (size_t i = 0; !error && i < identity->epoch_count; i++)
		error = identity_add_epoch(&copy, &identity->epochs[i]);
	for (size_t i = 0; !error && i < identity->rename_count; i++)
		error = identity_add_rename(&copy, identity->renames[i].incarnation,
					    identity->renames[i].from_counter, identity->renames[i].producer);
	for (size_t i = 0; !error && i < identity->fence_count; i++)
		error = identity_add_fence(&copy, identity->fences[i].producer);
	if (error)
		identity_done(&copy);
	else
		*ret_copy = copy;
	return error;
}

void identity_apply(const struct identity *identity, struct journal_origin *origin, uint64_t *ret_read_from)
{
	*ret_read_from = 1;
	/* The last word counts: what was renamed may be renamed again. */
	for (size_t i = identity->rename_count; i-- > 0;)
		if (strcmp(identity->renames[i].incarnation, origin->incarnation) == 0) {
			set_name(origin->producer, identity->renames[i].producer);
			*ret_read_from = identity->renames[i].from_counter;
			break;
		}
	for (size_t i = 0; i < identity->fence_count; i++)
		if (strcmp(identity->fences[i].producer, origin->producer) == 0)
			*ret_read_from = UINT64_MAX;
}

int identity_here(struct identity *identity, int directory, const char *path, const char *machine_id_file)
{
	struct stat status;
	struct statvfs file_system;
	char machine[JOURNAL_NAME_SIZE] = "";
	int fd;

	if (fstat(directory, &status) != 0 || fstatvfs(directory, &file_system) != 0)
		return -errno;
	identity->device = status.st_dev;
	identity->inode = status.st_ino;
	identity->file_system = file_system.f_fsid;
	free(identity->directory);
	identity->directory = realpath(path, NULL);
	if (!identity->directory)
		return -errno;
	fd = open(machine_id_file ? machine_id_file : "/etc/machine-id", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		ssize_t got = read(fd, machine, sizeof machine - 1);

		machine[got > 0 ? got : 0] = '\0';
		close(fd);
	}
	machine[strspn(machine, "0123456789abcdefABCDEF-")] = '\0';
	set_name(identity->machine, machine);
	return 0;
}

bool identity_is_here(const struct identity *identity, const struct identity *here)
{
	/* The number of a device may change at a reboot and the id of a file system is one on some types
	 * only, so one of the two must be the same. */
	return strcmp(identity->machine, here->machine) == 0 && identity->inode == here->inode &&
	       (identity->device == here->device || identity->file_system == here->file_system) &&
	       strcmp(identity->directory, here->directory) == 0;
}

static void print_identity(const struct identity *identity, FILE *out)
{
	fprintf(out, FIRST_LINE "\nproducer %s\nmachine %s\n", identity->producer, identity->machine);
	fprintf(out, "directory %" PRIu64 " %" PRIu64 " %" PRIu64 " %s\n", identity->device, identity->inode,
		identity->file_system, identity->directory);
	fprintf(out, "epoch %" PRIu32 "\nincarnation %s\n", identity->epoch, identity->incarnation);
	for (size_t i = 0; i < identity->epoch_count; i++)
		fprintf(out, "history %" PRIu32 " %s %" PRIu64 " %" PRIu64 "\n", identity->epochs[i].epoch,
			identity->epochs[i].incarnation, identity->epochs[i].last_counter,
			identity->epochs[i].begun_us);
	for (size_t i = 0; i < identity->rename_count; i++)
		fprintf(out, "renamed %s %" PRIu64 " %s\n", identity->renames[i].incarnation,
			identity->renames[i].from_counter, identity->renames[i].producer);
	for (size_t i = 0; i < identity->fence_count; i++)
		fprintf(out, "fenced %s\n", identity->fences[i].producer);
	if (identity->shipped_incarnation[0])
		fprintf(out, "shipped %s %" PRIu64 "\n", identity->shipped_incarnation, identity->shipped_counter);
	fprintf(out, "end\n");
}

static int write_all(int fd, const char *bytes, size_t length)
{
	while (length) {
		ssize_t put = write(fd, bytes, length);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return put < 0 ? -errno : -EIO;
		bytes += put;
		length -= (size_t)put;
	}
	return 0;
}

int identity_store(const struct identity *identity, int directory)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	int error, fd;

	if (!out)
		return -ENOMEM;
	print_identity(identity, out);
	if (fclose(out) != 0) {
		free(text);
		return -ENOMEM;
	}
	fd = openat(directory, FILE_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	error = fd < 0 ? -errno : 0;
	if (!error)
		error = write_all(fd, text, length);
	if (!error && fsync(fd) != 0)
		error = -errno;
	if (fd >= 0 && close(fd) != 0 && !error)
		error = -errno;
	if (!error && renameat(directory, FILE_NEW, directory, FILE_NAME) != 0)
		error = -errno;
	if (!error && fsync(directory) != 0)
		error = -errno;
	if (error && fd >= 0)
		(void)unlinkat(directory, FILE_NEW, 0);
	free(text);
	return error;
}

static bool is_name(const char *text)
{
	size_t length = strlen(text);

	return length > 0 && length < JOURNAL_NAME_SIZE && strspn(text, "0123456789abcdefABCDEF-") == length;
}

static bool set_checked(char name[JOURNAL_NAME_SIZE], const char *value)
{
	if (!is_name(value))
		return false;
	set_name(name, value);
	return true;
}

static bool take_directory(struct identity *identity, const char *value)
{
	int used = 0;

	if (sscanf(value, "%20" SCNu64 " %20" SCNu64 " %20" SCNu64 " %n", &identity->device, &identity->inode,
		   &identity->file_system, &used) != 3 || used == 0 || value[used] != '/')
		return false;
	free(identity->directory);
	identity->directory = strdup(value + used);
	return identity->directory != NULL;
}

static bool take_epoch(struct identity *identity, const char *value)
{
	struct identity_epoch row = { 0 };

	return sscanf(value, "%10" SCNu32 " %63s %20" SCNu64 " %20" SCNu64, &row.epoch, row.incarnation,
		      &row.last_counter, &row.begun_us) == 4 &&
	       is_name(row.incarnation) && row.last_counter <= SEGMENT_COUNTER_MAX &&
	       identity_add_epoch(identity, &row) == 0;
}

static bool take_rename(struct identity *identity, const char *value)
{
	struct identity_rename row = { 0 };

	return sscanf(value, "%63s %20" SCNu64 " %63s", row.incarnation, &row.from_counter, row.producer) ==
		       3 &&
	       is_name(row.incarnation) && is_name(row.producer) &&
	       identity_add_rename(identity, row.incarnation, row.from_counter, row.producer) == 0;
}

static bool take_shipped(struct identity *identity, const char *value)
{
	return sscanf(value, "%63s %20" SCNu64, identity->shipped_incarnation, &identity->shipped_counter) == 2 &&
	       is_name(identity->shipped_incarnation) && identity->shipped_counter <= SEGMENT_COUNTER_MAX;
}

/* A line of a name that a later version writes is passed over. */
static bool take_line(struct identity *identity, char *line)
{
	char *value = strchr(line, ' ');

	if (!value)
		return true;
	*value++ = '\0';
	if (strcmp(line, "producer") == 0)
		return set_checked(identity->producer, value);
	if (strcmp(line, "machine") == 0)
		return *value == '\0' || set_checked(identity->machine, value);
	if (strcmp(line, "directory") == 0)
		return take_directory(identity, value);
	if (strcmp(line, "epoch") == 0)
		return sscanf(value, "%10" SCNu32, &identity->epoch) == 1;
	if (strcmp(line, "incarnation") == 0)
		return set_checked(identity->incarnation, value);
	if (strcmp(line, "history") == 0)
		return take_epoch(identity, value);
	if (strcmp(line, "renamed") == 0)
		return take_rename(identity, value);
	if (strcmp(line, "fenced") == 0)
		return is_name(value) && identity_add_fence(identity, value) == 0;
	if (strcmp(line, "shipped") == 0)
		return take_shipped(identity, value);
	return true;
}

static int parse_identity(struct identity *identity, char *text)
{
	bool has_first = false, has_end = false;
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n"))) {
		if (!has_first) {
			has_first = strcmp(line, FIRST_LINE) == 0;
			if (!has_first)
				return -EBADMSG;
		} else if (strcmp(line, "end") == 0) {
			has_end = true;
		} else if (!take_line(identity, line)) {
			return -EBADMSG;
		}
	}
	if (!has_end || !identity->producer[0] || !identity->incarnation[0] || !identity->directory ||
	    identity->epoch == 0 || identity->epoch >= SEGMENT_EPOCH_MAX)
		return -EBADMSG;
	return 0;
}

static int read_text(int fd, char **ret_text)
{
	struct stat status;
	char *text;
	size_t used = 0;

	if (fstat(fd, &status) != 0)
		return -errno;
	if (!S_ISREG(status.st_mode) || status.st_size > FILE_SIZE_MAX)
		return -EBADMSG;
	text = malloc((size_t)status.st_size + 1);
	if (!text)
		return -ENOMEM;
	while (used < (size_t)status.st_size) {
		ssize_t got = read(fd, text + used, (size_t)status.st_size - used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			int error = -errno;

			free(text);
			return error;
		}
		if (got == 0)
			break;
		used += (size_t)got;
	}
	text[used] = '\0';
	*ret_text = text;
	return 0;
}

int identity_load(struct identity *ret_identity, int directory)
{
	struct identity identity = { 0 };
	char *text = NULL;
	int fd = openat(directory, FILE_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int error;

	if (fd < 0)
		return errno == ELOOP ? -EBADMSG : -errno;
	error = read_text(fd, &text);
	close(fd);
	if (!error)
		error = parse_identity(&identity, text);
	free(text);
	if (error)
		identity_done(&identity);
	else
		*ret_identity = identity;
	return error;
}
