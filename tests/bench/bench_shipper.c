/*
 * bench_shipper.c - what a record costs on its way into Redis: CPU of the sender and of redis-server,
 * and the rate; the shipper emptying a journal, and the append script alone, beside one XADD at a time.
 *
 * The ways take turns; prints a Markdown table of their medians, and of the ratio to one XADD at a time
 * over the same socket in the same round. Arguments: number of records, number of rounds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "common/log.h"
#include "common/stream.h"
#include "milter/shipper.h"
#include "sample_session.h"
#include "tests/live/redis_server.h"
#include "tests/unit/journal_rooms.h"

#define PRODUCER "0123456789abcdef0123456789abcdef"
enum { ROUND = 9 * 64 };		/* records made beforehand, sent again and again */

static struct redis_server server;
static struct record record;
static char *payloads[ROUND];
static size_t lengths[ROUND];

struct reading {
	double wall_us, own_us, redis_us;
};

static double own_cpu_us(void)
{
	struct rusage usage;

	(void)getrusage(RUSAGE_SELF, &usage);
	return 1e6 * (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static struct reading read_clocks(void)
{
	struct timespec now;
	struct reading reading = { .redis_us = redis_server_cpu_us(&server), .own_us = own_cpu_us() };

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	reading.wall_us = 1e6 * (double)now.tv_sec + (double)now.tv_nsec / 1e3;
	return reading;
}

enum way { WAY_SINGLE_UNIX, WAY_SINGLE_TCP, WAY_SHIPPER_UNIX, WAY_SHIPPER_TCP, WAY_SCRIPT, WAY_SCRIPT_16, WAYS };
enum { ROUNDS_MAX = 99 };
enum figure { FIGURE_RATE, FIGURE_SENDER, FIGURE_REDIS, FIGURE_BOTH, FIGURE_RATIO, FIGURES };

static const struct {
	const char *name;
	enum way reference;
} ways[WAYS] = {
	[WAY_SINGLE_UNIX] = { "one XADD at a time, unix", WAY_SINGLE_UNIX },
	[WAY_SINGLE_TCP] = { "one XADD at a time, tcp", WAY_SINGLE_TCP },
	[WAY_SHIPPER_UNIX] = { "journal and shipper, unix", WAY_SINGLE_UNIX },
	[WAY_SHIPPER_TCP] = { "journal and shipper, tcp", WAY_SINGLE_TCP },
	[WAY_SCRIPT] = { "append script alone, unix", WAY_SINGLE_UNIX },
	[WAY_SCRIPT_16] = { "append script alone, 16 a batch, unix", WAY_SINGLE_UNIX },
};

static double figures[WAYS][FIGURES][ROUNDS_MAX];
static int run_round;

static void report(enum way way, uint64_t records, struct reading begin)
{
	struct reading end = read_clocks();
	double count = (double)records, own = (end.own_us - begin.own_us) / count;
	double redis = (end.redis_us - begin.redis_us) / count;

	figures[way][FIGURE_RATE][run_round] = count * 1e6 / (end.wall_us - begin.wall_us);
	figures[way][FIGURE_SENDER][run_round] = own;
	figures[way][FIGURE_REDIS][run_round] = redis;
	figures[way][FIGURE_BOTH][run_round] = own + redis;
	figures[way][FIGURE_RATIO][run_round] = (own + redis) / figures[ways[way].reference][FIGURE_BOTH][run_round];
}

static int by_size(const void *a, const void *b)
{
	const double *first = a, *second = b;

	return *first < *second ? -1 : *first > *second;
}

static void print_table(uint64_t records, int rounds)
{
	printf("%llu records a run, medians of %d rounds; goal: both below 5.4, or a third of one XADD at a time\n\n"
	       "| way into Redis | records/s | CPU us a record: sender | Redis | both | both / one XADD at a time (least .. most) |\n"
	       "|---|---:|---:|---:|---:|---:|\n", (unsigned long long)records, rounds);
	for (int way = 0; way < WAYS; way++) {
		for (int figure = 0; figure < FIGURES; figure++)
			qsort(figures[way][figure], (size_t)rounds, sizeof(double), by_size);
		const double *ratios = figures[way][FIGURE_RATIO];

		printf("| %s | %.0f | %.2f | %.2f | %.2f | %.3f (%.3f .. %.3f) |\n", ways[way].name,
		       figures[way][FIGURE_RATE][rounds / 2], figures[way][FIGURE_SENDER][rounds / 2],
		       figures[way][FIGURE_REDIS][rounds / 2], figures[way][FIGURE_BOTH][rounds / 2], ratios[rounds / 2],
		       ratios[0], ratios[rounds - 1]);
	}
}

static struct redis_link *connect_or_exit(const char *address)
{
	struct redis_options options = {
		.address = address, .connect_timeout_us = 1000000, .command_timeout_us = 10000000,
	};
	struct redis_link *link = redis_link_new(&options);
	struct problem problem;

	if (link && redis_link_open(link, &problem) == REDIS_OK)
		return link;
	fprintf(stderr, "%s\n", link ? problem.text : "no memory");
	exit(1);
}

static void prepare_records(void)
{
	for (size_t i = 0; i < ROUND; i++) {
		struct text bytes = sample_record(&record, i);

		payloads[i] = malloc(bytes.length);
		if (!payloads[i])
			exit(1);
		memcpy(payloads[i], bytes.start, bytes.length);
		lengths[i] = bytes.length;
	}
}

static void run_batches(enum way way, const char *address, size_t batch_size, uint64_t records)
{
	static struct journal_batch batch = { .origin = { PRODUCER, PRODUCER, "mx1.example.com", "main", 0, 1 } };
	struct redis_link *link = connect_or_exit(address);
	struct stream_cursor cursor = { .exists = false };
	struct stream_names names;
	struct problem problem;
	enum redis_failure failure;
	uint64_t counter = 0;

	(void)redis_server_ask(&server, "FLUSHALL");
	stream_names(&names, "bench", 0, PRODUCER);
	struct reading begin = read_clocks();

	while (counter < records) {
		for (batch.count = 0; batch.count < batch_size; batch.count++, counter++)
			batch.entries[batch.count] = (struct journal_entry){
				UINT64_C(1) << JOURNAL_COUNTER_BITS | (counter + 1),
				{ payloads[counter % ROUND], lengths[counter % ROUND] },
			};
		if (stream_append(link, &names, &cursor, &batch, 100000, &failure, &problem) != STREAM_APPENDED) {
			fprintf(stderr, "%s\n", problem.text);
			exit(1);
		}
	}
	report(way, counter, begin);
	redis_link_free(link);
}

static void add_pair(struct redis_link *link, const char *name, struct text value)
{
	redis_link_add(link, text_of(name));
	redis_link_add(link, value);
}

/* The same entries, each in its own command. */
static void run_single(enum way way, const char *address, uint64_t records)
{
	struct redis_link *link = connect_or_exit(address);
	struct redis_reply reply;

	(void)redis_server_ask(&server, "FLUSHALL");
	struct reading begin = read_clocks();

	for (uint64_t i = 0; i < records; i++) {
		char seq[24], time_text[TIME_TEXT_SIZE], scratch[RECORD_VALUE_TEXT_MAX];
		struct record_view view;
		struct record_value value;

		(void)record_view_open(&view, (struct text){ payloads[i % ROUND], lengths[i % ROUND] });
		(void)snprintf(seq, sizeof seq, "%llu", (unsigned long long)i + 1);
		time_format(view.time_us, time_text);
		redis_link_begin(link);
		redis_link_add(link, TEXT_LITERAL("XADD"));
		redis_link_add(link, TEXT_LITERAL("{bench:0}:records"));
		redis_link_add(link, TEXT_LITERAL("*"));
		add_pair(link, "stage", text_of(stage_name(view.stage)));
		add_pair(link, "time", text_of(time_text));
		add_pair(link, "host", TEXT_LITERAL("mx1.example.com"));
		add_pair(link, "instance", TEXT_LITERAL("main"));
		add_pair(link, "producer", TEXT_LITERAL(PRODUCER));
		add_pair(link, "partition", TEXT_LITERAL("0"));
		add_pair(link, "seq", text_of(seq));
		add_pair(link, "schema", TEXT_LITERAL("1"));
		while (record_view_next(&view, &value))
			add_pair(link, value.info->name, record_value_text(&value, scratch));
		if (redis_link_run(link, &reply, NULL) != REDIS_OK)
			exit(1);
	}
	report(way, records, begin);
	redis_link_free(link);
}

static void pause_ms(long ms)
{
	(void)nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

static void fill_journal(struct journal *journal, uint64_t records)
{
	for (uint64_t i = 0; i < records;) {
		struct text payload = { payloads[i % ROUND], lengths[i % ROUND] };

		if (journal_append(journal, payload) == 0)
			i++;
		else if (journal_prepare(journal))
			exit(1);
	}
}

/* A journal that was filled beforehand, emptied by the shipper. */
static void run_shipper(enum way way, const char *address, uint64_t records)
{
	struct shipper_options options = {
		.prefix = "bench", .max_length = 100000,
		.redis = { .address = address, .connect_timeout_us = 1000000, .command_timeout_us = 10000000 },
	};
	struct shipper *shipper;
	struct shipper_status status;
	struct rooms rooms;

	(void)redis_server_ask(&server, "FLUSHALL");
	rooms_init(&rooms);
	rooms.options.segment_bytes = 4 * 1024 * 1024;
	rooms.options.front_bytes = records * 512 + 16 * rooms.options.segment_bytes;
	rooms.options.spool_bytes = rooms.options.front_bytes;
	options.journal = rooms_open(&rooms);
	fill_journal(options.journal, records);
	struct reading begin = read_clocks();

	if (shipper_start(&shipper, &options))
		exit(1);
	do {
		pause_ms(1);
		shipper_status(shipper, &status);
	} while (status.shipped < records);
	report(way, records, begin);
	shipper_stop(shipper, 0);
	journal_close(options.journal);
	rooms_done(&rooms);
}

int main(int argc, char **argv)
{
	uint64_t records = argc > 1 ? strtoull(argv[1], NULL, 10) : 200000;
	int rounds = argc > 2 ? atoi(argv[2]) : 5;

	redis_server_or_skip();
	redis_server_begin(&server, NULL);
	prepare_records();
	log_open("bench_shipper", LOG_TARGET_STDERR, LOG_LEVEL_WARNING);
	if (rounds < 1 || rounds > ROUNDS_MAX || records < ROUND)
		exit(2);
	for (run_round = 0; run_round < rounds; run_round++) {
		run_single(WAY_SINGLE_UNIX, server.unix_address, records / 4);
		run_single(WAY_SINGLE_TCP, server.tcp_address, records / 4);
		run_shipper(WAY_SHIPPER_UNIX, server.unix_address, records);
		run_shipper(WAY_SHIPPER_TCP, server.tcp_address, records);
		run_batches(WAY_SCRIPT, server.unix_address, JOURNAL_BATCH_ENTRIES, records);
		run_batches(WAY_SCRIPT_16, server.unix_address, 16, records);
	}
	print_table(records, rounds);
	redis_server_end(&server);
	return 0;
}
