/*
 * test_power.c - what a power cut leaves, by each setting of sync.
 *
 * The disk is modelled by its own rules: of a file's bytes remains what its last fdatasync or fsync saw, of a
 * directory's names those of its last fsync. This program has both functions in the place of the C library's;
 * beside their work they copy what has become durable. A cut empties both rooms and puts that copy back.
 */
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "journal_rooms.h"

enum { FILES_MAX = 64, NUMBERS_MAX = 40000, PAYLOAD = 100 };

struct durable_file {
	ino_t inode;
	size_t size;
	char *bytes;
	char name[64];			/* as of the last fsync of the directory; empty: none */
};

static struct durable_file files[FILES_MAX];
static size_t file_count;
static struct rooms rooms;
static bool is_recording;
static unsigned char arrived[NUMBERS_MAX];	/* times that Redis took it */
static uint64_t last_taken;

static struct durable_file *durable(ino_t inode)
{
	for (size_t i = 0; i < file_count; i++)
		if (files[i].inode == inode)
			return &files[i];
	CHECK(file_count < FILES_MAX);
	if (file_count >= FILES_MAX)
		exit(1);
	files[file_count] = (struct durable_file){ .inode = inode };
	return &files[file_count++];
}

static void forget_durable(void)
{
	for (size_t i = 0; i < file_count; i++)
		free(files[i].bytes);
	file_count = 0;
}

static void keep_bytes(int fd, const struct stat *status)
{
	struct durable_file *file = durable(status->st_ino);
	char path[64];

	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	FILE *in = fopen(path, "re");

	free(file->bytes);
	file->bytes = malloc((size_t)status->st_size + 1);
	file->size = in && file->bytes ? fread(file->bytes, 1, (size_t)status->st_size, in) : 0;
	CHECK_NUMBER(file->size, status->st_size);
	if (in)
		(void)fclose(in);
}

static void keep_name(const char *path, const char *name, void *context)
{
	struct stat status;

	(void)context;
	if (stat(path, &status) == 0)
		(void)snprintf(durable(status.st_ino)->name, sizeof files->name, "%.63s", name);
}

static void keep_names(void)
{
	for (size_t i = 0; i < file_count; i++)
		files[i].name[0] = '\0';
	rooms_each(rooms.spool, keep_name, NULL);
}

static void keep_durable(int fd)
{
	struct stat status, spool;

	if (!is_recording || fstat(fd, &status) != 0 || stat(rooms.spool, &spool) != 0 || status.st_dev != spool.st_dev)
		return;
	if (S_ISDIR(status.st_mode) && status.st_ino == spool.st_ino)
		keep_names();
	else if (S_ISREG(status.st_mode))
		keep_bytes(fd, &status);
}

int fdatasync(int fd)
{
	int result = (int)syscall(SYS_fdatasync, fd);

	keep_durable(fd);
	return result;
}

int fsync(int fd)
{
	int result = (int)syscall(SYS_fsync, fd);

	keep_durable(fd);
	return result;
}

/* The power is cut: the process is gone, the front is empty, and of the spool the durable part is left. */
static void cut_power(struct journal **journal)
{
	is_recording = false;
	/* It may copy what it will: all of that is thrown away. */
	journal_close(*journal);
	rooms_empty(rooms.front);
	rooms_empty(rooms.spool);
	for (size_t i = 0; i < file_count; i++) {
		char path[400];

		if (!files[i].name[0])
			continue;
		(void)snprintf(path, sizeof path, "%s/%s", rooms.spool, files[i].name);
		FILE *out = fopen(path, "we");

		CHECK(out && fwrite(files[i].bytes ? files[i].bytes : "", 1, files[i].size, out) == files[i].size);
		if (out)
			CHECK_NUMBER(fclose(out) || chmod(path, 0600), 0);
	}
	forget_durable();
	is_recording = true;
	*journal = rooms_open(&rooms);
}

/* Redis takes at most so many batches. Its cursor is what it took last. */
static void ship(struct journal *journal, unsigned batches, struct journal_origin *cursor)
{
	static struct journal_batch batch;

	while (batches-- && journal_read(journal, &batch) == 1) {
		for (size_t i = 0; i < batch.count; i++) {
			uint64_t number = rooms_number(batch.entries[i].payload);

			CHECK(number < NUMBERS_MAX && arrived[number]++ == 0);
			CHECK_SAYING(batch.entries[i].seq > last_taken, "a number is used twice");
			last_taken = batch.entries[i].seq;
		}
		*cursor = batch.origin;
		journal_shipped(journal, last_taken);
	}
}

static void seek(struct journal *journal, const struct journal_origin *cursor)
{
	(void)journal_seek(journal, text_of(cursor->incarnation), cursor->epoch,
			   last_taken & ((UINT64_C(1) << JOURNAL_COUNTER_BITS) - 1));
}

static uint64_t count_arrived(uint64_t from, uint64_t to)
{
	uint64_t count = 0;

	for (uint64_t number = from; number < to; number++)
		count += arrived[number];
	return count;
}

static void begin(enum journal_sync sync)
{
	memset(arrived, 0, sizeof arrived);
	last_taken = 0;
	rooms_init(&rooms);
	rooms.options.sync = sync;
	rooms.options.keep_us = UINT64_C(900000000);
	is_recording = true;
}

static void end(struct journal *journal)
{
	is_recording = false;
	journal_close(journal);
	forget_durable();
	rooms_done(&rooms);
}

/* Rounds of: records, some of them synced, some of those shipped, a cut. Only unsynced ones may be missing, and
 * the start says up to where the epoch before it is known. */
static void cut_again_and_again(enum journal_sync sync, unsigned shipped_batches)
{
	uint64_t next = 0, epoch = 0;
	struct journal_origin cursor = { .epoch = 0 };

	begin(sync);
	struct journal *journal = rooms_open(&rooms);

	for (unsigned round = 0; round < 6; round++) {
		uint64_t first = next, synced;

		CHECK_NUMBER(journal_prepare(journal), 0);
		/* More than one segment in some rounds. */
		for (unsigned i = 0; i < 300 + 500 * (round % 3); i++) {
			CHECK_NUMBER(rooms_append(journal, next++, PAYLOAD), 0);
			if (i % 200 == 0)
				CHECK_NUMBER(journal_keep(journal) || journal_prepare(journal), 0);
		}
		CHECK_NUMBER(journal_keep(journal), 0);
		synced = next;
		uint64_t synced_seq = rooms_stat(journal).synced_seq;

		for (unsigned i = 0; i < 50; i++)
			CHECK_NUMBER(rooms_append(journal, next++, PAYLOAD), 0);
		ship(journal, shipped_batches, &cursor);
		CHECK(journal_birth(journal).epoch > epoch);
		epoch = journal_birth(journal).epoch;
		cut_power(&journal);
		CHECK(journal_birth(journal).epoch > epoch);
		CHECK_NUMBER(journal_birth(journal).start, JOURNAL_RESTART);
		if (sync != JOURNAL_SYNC_NONE)
			CHECK(journal_birth(journal).previous_seq >= synced_seq);
		if (cursor.epoch)
			seek(journal, &cursor);
		ship(journal, UINT32_MAX, &cursor);
		if (sync != JOURNAL_SYNC_NONE)
			CHECK_NUMBER(count_arrived(first, synced), synced - first);
		/* The model does take away what was not synced. */
		if (shipped_batches == 0)
			CHECK(count_arrived(synced, next) < next - synced);
	}
	end(journal);
}

TEST(a_power_cut_costs_with_sync_interval_nothing_that_was_there_at_the_last_sync)
{
	cut_again_and_again(JOURNAL_SYNC_INTERVAL, 0);
	cut_again_and_again(JOURNAL_SYNC_INTERVAL, 3);
	cut_again_and_again(JOURNAL_SYNC_INTERVAL, UINT32_MAX);
}

TEST(a_power_cut_costs_with_sync_each_nothing_that_was_there_at_the_last_wake)
{
	cut_again_and_again(JOURNAL_SYNC_EACH, 0);
	cut_again_and_again(JOURNAL_SYNC_EACH, 3);
}

TEST(a_power_cut_with_sync_none_may_cost_all_that_was_not_shipped_and_no_number_is_used_twice)
{
	cut_again_and_again(JOURNAL_SYNC_NONE, 0);
	cut_again_and_again(JOURNAL_SYNC_NONE, 3);
}

TEST(an_append_with_sync_each_wakes_the_keeper_at_once)
{
	struct timespec before, after;

	begin(JOURNAL_SYNC_EACH);
	struct journal *journal = rooms_open(&rooms);

	CHECK_NUMBER(journal_prepare(journal), 0);
	CHECK_NUMBER(journal_keep(journal), 0);
	CHECK_NUMBER(rooms_append(journal, 1, PAYLOAD), 0);
	(void)clock_gettime(CLOCK_MONOTONIC, &before);
	journal_wait_keep(journal, 60000);
	(void)clock_gettime(CLOCK_MONOTONIC, &after);
	CHECK(after.tv_sec - before.tv_sec < 30);
	CHECK_NUMBER(journal_keep(journal), 0);
	CHECK_NUMBER(rooms_stat(journal).synced_seq, rooms_stat(journal).last_seq);
	end(journal);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(a_power_cut_costs_with_sync_interval_nothing_that_was_there_at_the_last_sync),
		UNIT_TEST(a_power_cut_costs_with_sync_each_nothing_that_was_there_at_the_last_wake),
		UNIT_TEST(a_power_cut_with_sync_none_may_cost_all_that_was_not_shipped_and_no_number_is_used_twice),
		UNIT_TEST(an_append_with_sync_each_wakes_the_keeper_at_once),
		{ NULL, NULL },
	};

	return unit_run(tests, argc, argv);
}
