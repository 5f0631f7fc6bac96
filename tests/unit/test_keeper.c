/* test_keeper.c - the keeper's threads keep a journal going while others append and read. */
#include "milter/keeper.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "journal_rooms.h"

struct appender {
	struct journal *journal;
	uint64_t thread, count, waits;
	pthread_t id;
};

/* Waits where the front is full, so that every number must arrive. */
static void *append_all(void *argument)
{
	struct appender *appender = argument;

	for (uint64_t i = 1; i <= appender->count; i++)
		while (rooms_append(appender->journal, appender->thread << 32 | i, 40 + i % 300) != 0) {
			appender->waits++;
			(void)usleep(500);
		}
	return NULL;
}

static void run_load(enum journal_sync sync)
{
	static struct journal_batch batch;
	struct rooms rooms;
	struct keeper *keeper = NULL;
	struct appender appenders[3];
	uint64_t seen[3] = { 0 }, count = 0;

	rooms_init(&rooms);
	rooms.options.sync = sync;
	struct journal *journal = rooms_open(&rooms);

	CHECK_NUMBER(keeper_start(&keeper, journal, 20000, ""), 0);
	for (size_t i = 0; i < 3; i++) {
		appenders[i] = (struct appender){ .journal = journal, .thread = i, .count = 10000 };
		CHECK_NUMBER(pthread_create(&appenders[i].id, NULL, append_all, &appenders[i]), 0);
	}
	for (int idle = 0; count < 30000 && idle < 100;) {
		if (journal_read(journal, &batch) != 1) {
			journal_wait_read(journal, 100);
			idle++;
			continue;
		}
		idle = 0;
		for (size_t i = 0; i < batch.count; i++) {
			uint64_t number = rooms_number(batch.entries[i].payload);

			CHECK_NUMBER(number & UINT32_MAX, seen[number >> 32] + 1);
			seen[number >> 32] = number & UINT32_MAX;
		}
		count += batch.count;
		journal_shipped(journal, batch.entries[batch.count - 1].seq);
	}
	for (size_t i = 0; i < 3; i++)
		(void)pthread_join(appenders[i].id, NULL);
	CHECK_NUMBER(count, 30000);
	keeper_stop(keeper);
	struct journal_stat stat = rooms_stat(journal);

	CHECK_NUMBER(stat.backlog, 0);
	CHECK_NUMBER(stat.damaged, 0);
	CHECK_NUMBER(stat.synced_seq, sync == JOURNAL_SYNC_NONE ? 0 : stat.last_seq);
	CHECK(stat.spool_bytes < 10 * rooms.options.segment_bytes);
	journal_close(journal);
	rooms_done(&rooms);
}

TEST(several_appenders_a_reader_and_the_keeper_lose_and_double_nothing)
{
	run_load(JOURNAL_SYNC_INTERVAL);
}

TEST(syncing_each_or_never_keeps_every_entry_too)
{
	run_load(JOURNAL_SYNC_EACH);
	run_load(JOURNAL_SYNC_NONE);
}

TEST(an_entry_reaches_the_spool_within_the_interval_without_any_call)
{
	struct rooms rooms;
	struct keeper *keeper = NULL;

	rooms_init(&rooms);
	struct journal *journal = rooms_open(&rooms);

	CHECK_NUMBER(keeper_start(&keeper, journal, 20000, ""), 0);
	CHECK_NUMBER(rooms_append(journal, 1, 100), 0);
	for (int i = 0; i < 500 && rooms_stat(journal).synced_seq == 0; i++)
		(void)usleep(10000);
	CHECK_NUMBER(rooms_stat(journal).synced_seq, rooms_stat(journal).last_seq);
	keeper_stop(keeper);
	keeper_stop(NULL);
	journal_close(journal);
	rooms_done(&rooms);
}

/* ThreadSanitizer keeps its own notes of what was touched, the mapped files of the front among it. */
#ifdef __SANITIZE_THREAD__
#define GROWTH_BYTES (8 * 1024 * 1024)
#else
#define GROWTH_BYTES (2 * 1024 * 1024)
#endif

static uint64_t resident_bytes(void)
{
	unsigned long long size = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	if (!file || fscanf(file, "%llu %llu", &size, &resident) != 2)
		resident = 0;
	if (file)
		(void)fclose(file);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Appends, waiting where the front is full. */
static void append_numbers(struct journal *journal, uint64_t first, uint64_t count)
{
	struct appender appender = { .journal = journal, .count = count, .thread = first };

	(void)append_all(&appender);
}

TEST(memory_stays_flat_while_nobody_reads)
{
	struct rooms rooms;
	struct keeper *keeper = NULL;

	rooms_init(&rooms);
	rooms.options.spool_bytes = 512 * 128 * 1024;
	struct journal *journal = rooms_open(&rooms);

	CHECK_NUMBER(keeper_start(&keeper, journal, 10000, ""), 0);
	append_numbers(journal, 1, 10000);
	uint64_t before = resident_bytes();

	append_numbers(journal, 2, 200000);
	uint64_t after = resident_bytes();

	CHECK(before > 0);
	CHECK(rooms_stat(journal).backlog_bytes > 250 * rooms.options.segment_bytes);
	CHECK_SAYING(after < before + GROWTH_BYTES, "%llu bytes became %llu", (unsigned long long)before,
		     (unsigned long long)after);
	keeper_stop(keeper);
	journal_close(journal);
	rooms_done(&rooms);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(several_appenders_a_reader_and_the_keeper_lose_and_double_nothing),
		UNIT_TEST(syncing_each_or_never_keeps_every_entry_too),
		UNIT_TEST(memory_stays_flat_while_nobody_reads),
		UNIT_TEST(an_entry_reaches_the_spool_within_the_interval_without_any_call),
		{ NULL, NULL },
	};
	return unit_run(tests, argc, argv);
}
