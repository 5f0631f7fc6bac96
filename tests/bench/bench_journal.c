/*
 * bench_journal.c - what an append costs: alone, paced, from several threads, over changes of segment.
 *
 * Prints a Markdown table: percentiles in nanoseconds (the clock's own cost is in them and is printed
 * first) and processor time for each append, of all threads together: the keeper's and the reader's too.
 *
 *     bench_journal [ENTRIES] [FRONT_PARENT] [SPOOL_PARENT]
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/journal.h"

enum { PAYLOAD = 300 };			/* bytes of one record */

static struct journal *journal;
static atomic_bool has_ended;
static uint64_t entries = 400000;

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t processor_ns(void)
{
	struct rusage usage;

	(void)getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000 +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

struct load {
	pthread_t id;
	uint64_t count, pace_ns, taken, refused;
	uint32_t *taken_ns;
};

static void *run_appender(void *argument)
{
	struct load *load = argument;
	char payload[PAYLOAD] = { 14 };
	uint64_t next = now_ns();

	memset(payload + 9, 'x', sizeof payload - 9);
	for (uint64_t i = 0; i < load->count; i++) {
		/* Waiting by looking, so that the processor's sleep states are not what is measured. */
		for (next += load->pace_ns; load->pace_ns && now_ns() < next;)
			;
		uint64_t begin = now_ns();
		int error = journal_append(journal, (struct text){ payload, sizeof payload });
		uint64_t took = now_ns() - begin;

		/* A refusal is quicker than an append: it must not flatter the figures. */
		if (error)
			load->refused++;
		else
			load->taken_ns[load->taken++] = took > UINT32_MAX ? UINT32_MAX : (uint32_t)took;
	}
	return NULL;
}

static void *run_prepare(void *unused)
{
	while (!atomic_load(&has_ended)) {
		(void)journal_prepare(journal);
		journal_wait_prepare(journal, 100);
	}
	return unused;
}

static void *run_keep(void *unused)
{
	while (!atomic_load(&has_ended)) {
		journal_wait_keep(journal, 1000);
		(void)journal_keep(journal);
	}
	return unused;
}

static void *run_reader(void *unused)
{
	static struct journal_batch batch;

	while (!atomic_load(&has_ended))
		if (journal_read(journal, &batch) == 1)
			journal_shipped(journal, batch.entries[batch.count - 1].seq);
		else
			journal_wait_read(journal, 100);
	return unused;
}

static int by_size(const void *a, const void *b)
{
	const uint32_t *first = a, *second = b;

	return *first < *second ? -1 : *first > *second;
}

static void print_percentiles(const char *name, uint32_t *taken_ns, uint64_t count)
{
	qsort(taken_ns, count, sizeof *taken_ns, by_size);
	printf("| %s | %u | %u | %u | %u | %u |", name, taken_ns[count / 2],
	       taken_ns[count * 99 / 100], taken_ns[count * 999 / 1000], taken_ns[count * 9999 / 10000],
	       taken_ns[count - 1]);
}

static void measure_clock(void)
{
	uint32_t *taken_ns = calloc(entries, sizeof *taken_ns);

	if (!taken_ns)
		exit(1);
	for (uint64_t i = 0; i < entries; i++) {
		uint64_t begin = now_ns();

		taken_ns[i] = (uint32_t)(now_ns() - begin);
	}
	print_percentiles("the clock alone", taken_ns, entries);
	printf(" | | |\n");
	free(taken_ns);
}

static void remove_directory(const char *path)
{
	char command[400];

	(void)snprintf(command, sizeof command, "rm -rf '%s'", path);
	if (system(command) != 0)
		fprintf(stderr, "cannot remove %s\n", path);
}

static void open_journal(const struct journal_options *options)
{
	struct problem problem;

	if (journal_open(&journal, options, &problem) != 0) {
		fprintf(stderr, "%s\n", problem.text);
		exit(1);
	}
}

static void measure(const char *name, const char *front_parent, const char *spool_parent, unsigned threads,
		    uint64_t pace_ns, uint64_t segment_bytes)
{
	char front[200], spool[200];
	struct load loads[16] = { 0 };
	pthread_t servants[3];
	uint64_t each = entries / threads, refused = 0;
	uint32_t *taken_ns = malloc(each * threads * sizeof *taken_ns);

	(void)snprintf(front, sizeof front, "%s/bench.XXXXXX", front_parent);
	(void)snprintf(spool, sizeof spool, "%s/bench.XXXXXX", spool_parent);
	if (!taken_ns || !mkdtemp(front) || !mkdtemp(spool)) {
		perror("bench_journal");
		exit(1);
	}
	open_journal(&(struct journal_options){
		.front_directory = front, .spool_directory = spool, .host = "bench", .instance = "bench",
		.segment_bytes = segment_bytes, .front_bytes = 256 << 20, .spool_bytes = 1 << 30,
		.sync = JOURNAL_SYNC_INTERVAL,
	});
	memset(taken_ns, 0xff, each * threads * sizeof *taken_ns);
	atomic_store(&has_ended, false);
	(void)pthread_create(&servants[0], NULL, run_prepare, NULL);
	(void)pthread_create(&servants[1], NULL, run_keep, NULL);
	(void)pthread_create(&servants[2], NULL, run_reader, NULL);
	uint64_t processor = processor_ns(), begin = now_ns();

	for (unsigned i = 0; i < threads; i++) {
		loads[i] =
			(struct load){ .count = each, .pace_ns = pace_ns, .taken_ns = taken_ns + i * each };
		(void)pthread_create(&loads[i].id, NULL, run_appender, &loads[i]);
	}
	for (unsigned i = 0; i < threads; i++) {
		(void)pthread_join(loads[i].id, NULL);
		refused += loads[i].refused;
	}
	uint64_t wall = now_ns() - begin;

	processor = processor_ns() - processor;
	atomic_store(&has_ended, true);
	journal_wake(journal);
	for (int i = 0; i < 3; i++)
		(void)pthread_join(servants[i], NULL);
	uint64_t taken = 0;

	for (unsigned i = 0; i < threads; i++) {
		memmove(taken_ns + taken, loads[i].taken_ns, loads[i].taken * sizeof *taken_ns);
		taken += loads[i].taken;
	}
	print_percentiles(name, taken_ns, taken);
	if (pace_ns)
		printf(" | |");
	else
		printf(" %.2f | %" PRIu64 " |", (double)taken * 1000 / (double)wall, processor / taken);
	printf(" %" PRIu64 " |\n", refused);
	journal_close(journal);
	remove_directory(front);
	remove_directory(spool);
	free(taken_ns);
}

int main(int argc, char **argv)
{
	const char *front = argc > 2 ? argv[2] : "/dev/shm", *spool = argc > 3 ? argv[3] : "/tmp";

	if (argc > 1)
		entries = strtoull(argv[1], NULL, 10);
	if (entries < 1000 || entries > 100000000) {
		fprintf(stderr,
			"usage: bench_journal [ENTRIES (1000 or more)] [FRONT_PARENT] [SPOOL_PARENT]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("%" PRIu64
	       " appends of %d bytes, in ns; reader, keeper (sync each second) and spare maker run along;"
	       " goal, paced: p50 below 200, p99 below 10,000\n\n",
	       entries, PAYLOAD);
	printf("| run | p50 | p99 | p99.9 | p99.99 | max | M/s | CPU | refused |\n"
	       "|---|---:|---:|---:|---:|---:|---:|---:|---:|\n");
	measure_clock();
	measure("paced 50 us, 1 thread", front, spool, 1, 50000, 4 << 20);
	measure("paced 50 us, 2 threads", front, spool, 2, 50000, 4 << 20);
	measure("same, one segment (no change)", front, spool, 2, 50000, 250 << 18);
	measure("same, a change every 1,600 entries", front, spool, 2, 50000, 512 << 10);
	measure("unpaced, 1 thread", front, spool, 1, 0, 4 << 20);
	measure("unpaced, 4 threads", front, spool, 4, 0, 4 << 20);
	measure("unpaced, 16 threads", front, spool, 16, 0, 4 << 20);
	return 0;
}
