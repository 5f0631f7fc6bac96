/*
 * bench_journal.c - what an append costs: alone, paced, from several threads, over changes of segment.
 *
 * Each round has all runs, in an order that turns. Prints Markdown tables: medians over the rounds of each run's
 * percentiles in nanoseconds, with what holds 95 % of them, and processor time for each append, of all threads together:
 * the keeper's and the reader's too. (The clock's own cost is in the times; it is printed first.) Beside it stands what
 * none can do without, paced alike: a mutex, a counter behind it, and the copy into a shared mapping. What changes of
 * segment add stands beside what the same run adds to itself.
 *
 *     bench_journal [ENTRIES [ROUNDS [FRONT_PARENT [SPOOL_PARENT]]]]
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/journal.h"
#include "figures.h"
#include "tests/unit/journal_rooms.h"

enum { PAYLOAD = 300 };			/* bytes of one record */

static struct journal *journal;
static atomic_bool has_ended;
static uint64_t entries = 40000;

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

/* The least an append may be: see measure_bare(). */
static struct {
	_Alignas(64) pthread_mutex_t lock;
	uint64_t count, used;
	unsigned char *bytes;
	uint64_t size;
} bare = { .lock = PTHREAD_MUTEX_INITIALIZER };

static int append_bare(struct text payload)
{
	pthread_mutex_lock(&bare.lock);
	if (bare.used + payload.length > bare.size)
		bare.used = 0;
	memcpy(bare.bytes + bare.used, payload.start, payload.length);
	bare.used += (payload.length + 7) & ~(uint64_t)7;
	bare.count++;
	pthread_mutex_unlock(&bare.lock);
	return 0;
}

static int append_journal(struct text payload)
{
	return journal_append(journal, payload);
}

struct load {
	int (*append)(struct text payload);
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
		int error = load->append((struct text){ payload, sizeof payload });
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

enum { P50, P99, P999, MOST, RATE, CPU, FIGURES };
enum { CLOCK, BARE_1, BARE_2, PACED_1, PACED_2, UNCHANGED, UNCHANGED_AGAIN, CHANGES, UNPACED_1, UNPACED_4, UNPACED_16, ROWS };

static const struct row {
	const char *name;
	unsigned threads;
	uint64_t pace_ns, segment_bytes;	/* 0: no journal */
} rows[ROWS] = {
	[CLOCK] = { "the clock alone", 1, 0, 0 },
	[BARE_1] = { "bare mutex, counter and copy, paced, 1 thread", 1, 50000, 0 },
	[BARE_2] = { "bare mutex, counter and copy, paced, 2 threads", 2, 50000, 0 },
	[PACED_1] = { "paced 50 us, 1 thread", 1, 50000, 4 << 20 },
	[PACED_2] = { "paced 50 us, 2 threads", 2, 50000, 4 << 20 },
	[UNCHANGED] = { "same, one segment (no change)", 2, 50000, 250 << 18 },
	[UNCHANGED_AGAIN] = { "the same again", 2, 50000, 250 << 18 },
	[CHANGES] = { "same, a change every 1,600 entries", 2, 50000, 512 << 10 },
	[UNPACED_1] = { "unpaced, 1 thread", 1, 0, 4 << 20 },
	[UNPACED_4] = { "unpaced, 4 threads", 4, 0, 4 << 20 },
	[UNPACED_16] = { "unpaced, 16 threads", 16, 0, 4 << 20 },
};

static double figures[ROWS][FIGURES][FIGURES_ROUNDS_MAX];
static uint64_t refusals[ROWS];

static int by_size(const void *a, const void *b)
{
	const uint32_t *first = a, *second = b;

	return *first < *second ? -1 : *first > *second;
}

static void note_percentiles(int row, int round, uint32_t *taken_ns, uint64_t count)
{
	qsort(taken_ns, count, sizeof *taken_ns, by_size);
	figures[row][P50][round] = taken_ns[count / 2];
	figures[row][P99][round] = taken_ns[count * 99 / 100];
	figures[row][P999][round] = taken_ns[count * 999 / 1000];
	figures[row][MOST][round] = taken_ns[count - 1];
}

static void measure_clock(int round)
{
	uint32_t *taken_ns = calloc(entries, sizeof *taken_ns);

	if (!taken_ns)
		exit(1);
	for (uint64_t i = 0; i < entries; i++) {
		uint64_t begin = now_ns();

		taken_ns[i] = (uint32_t)(now_ns() - begin);
	}
	note_percentiles(CLOCK, round, taken_ns, entries);
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

static void measure(int row, int round, const char *front_parent, const char *spool_parent)
{
	unsigned threads = rows[row].threads;
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
		.segment_bytes = rows[row].segment_bytes, .front_bytes = 256 << 20, .spool_bytes = 1 << 30,
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
			(struct load){ append_journal, .count = each, .pace_ns = rows[row].pace_ns, .taken_ns = taken_ns + i * each };
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
	note_percentiles(row, round, taken_ns, taken);
	figures[row][RATE][round] = (double)taken * 1000 / (double)wall;
	figures[row][CPU][round] = (double)processor / (double)taken;
	refusals[row] += refused;
	journal_close(journal);
	remove_directory(front);
	remove_directory(spool);
	free(taken_ns);
}

static void measure_bare(int row, int round)
{
	unsigned threads = rows[row].threads;
	struct load loads[2] = { 0 };
	uint64_t each = entries / threads;
	uint32_t *taken_ns = malloc(each * threads * sizeof *taken_ns);

	bare.size = 4 << 20;
	bare.bytes = mmap(NULL, bare.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (!taken_ns || bare.bytes == MAP_FAILED) {
		perror("bench_journal");
		exit(1);
	}
	/* Nothing is met for the first time while it is measured. */
	memset(taken_ns, 0xff, each * threads * sizeof *taken_ns);
	memset(bare.bytes, 0xff, bare.size);
	for (unsigned i = 0; i < threads; i++) {
		loads[i] = (struct load){ append_bare, .count = each, .pace_ns = rows[row].pace_ns, .taken_ns = taken_ns + i * each };
		(void)pthread_create(&loads[i].id, NULL, run_appender, &loads[i]);
	}
	for (unsigned i = 0; i < threads; i++)
		(void)pthread_join(loads[i].id, NULL);
	note_percentiles(row, round, taken_ns, each * threads);
	(void)munmap(bare.bytes, bare.size);
	free(taken_ns);
}

static void run_rounds(int rounds, const char *front_parent, const char *spool_parent)
{
	for (int round = 0; round < rounds; round++)
		for (int i = 0; i < ROWS; i++) {
			int row = round % 2 ? ROWS - 1 - i : i;

			if (row == CLOCK)
				measure_clock(round);
			else if (rows[row].segment_bytes == 0)
				measure_bare(row, round);
			else
				measure(row, round, front_parent, spool_parent);
		}
}

static void print_rows(int rounds)
{
	printf("| run | p50 | p99 | p99.9 | max | M/s | CPU | refused |\n|---|---:|---:|---:|---:|---:|---:|---:|\n");
	for (int row = 0; row < ROWS; row++) {
		printf("| %s |", rows[row].name);
		figure_print(figure_of(figures[row][P50], NULL, rounds), 0);
		figure_print(figure_of(figures[row][P99], NULL, rounds), 0);
		printf(" %.0f | %.0f |", figure_median(figures[row][P999], rounds), figure_median(figures[row][MOST], rounds));
		if (rows[row].pace_ns || row == CLOCK) {
			printf(" | |");
		} else {
			printf(" %.2f |", figure_median(figures[row][RATE], rounds));
			figure_print(figure_of(figures[row][CPU], NULL, rounds), 0);
		}
		printf(" %" PRIu64 " |\n", refusals[row]);
	}
}

/* The median of what one run takes more than another in its round. */
static void print_difference(const char *what, int row, int reference, int rounds)
{
	printf("| %s |", what);
	for (int figure = P50; figure <= P999; figure++) {
		double differences[FIGURES_ROUNDS_MAX];

		for (int round = 0; round < rounds; round++)
			differences[round] = figures[row][figure][round] - figures[reference][figure][round];
		figure_print(figure_of(differences, NULL, rounds), 0);
	}
	putchar('\n');
}

static void print_differences(int rounds)
{
	printf("\nThe median of the difference in a round, ns; goal: changes of segment add no more than the same run to itself\n\n"
	       "| | p50 | p99 | p99.9 |\n|---|---:|---:|---:|\n");
	print_difference("a change every 1,600 entries less none", CHANGES, UNCHANGED, rounds);
	print_difference("none again less none", UNCHANGED_AGAIN, UNCHANGED, rounds);
	print_difference("journal less bare, 1 thread", PACED_1, BARE_1, rounds);
	print_difference("journal less bare, 2 threads", PACED_2, BARE_2, rounds);
}

int main(int argc, char **argv)
{
	const char *front = argc > 3 ? argv[3] : rooms_memory(), *spool = argc > 4 ? argv[4] : rooms_disk();
	int rounds = argc > 2 ? atoi(argv[2]) : 15;

	if (argc > 1)
		entries = strtoull(argv[1], NULL, 10);
	if (entries < 1000 || entries > 100000000 || rounds < 1 || rounds > FIGURES_ROUNDS_MAX) {
		fprintf(stderr, "usage: bench_journal [ENTRIES (1000 or more) [ROUNDS [FRONT_PARENT [SPOOL_PARENT]]]]\n");
		return 2;
	}
	run_rounds(rounds, front, spool);
	printf("%" PRIu64 " appends of %d bytes a run, medians of %d rounds, in ns; reader, keeper (sync each second) and spare maker run"
	       " along; goal, paced: p50 below 200, p99 below 10,000\n\n", entries, PAYLOAD, rounds);
	print_rows(rounds);
	print_differences(rounds);
	return 0;
}
