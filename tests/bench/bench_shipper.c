/*
 * bench_shipper.c - what a record costs on its way into Redis: CPU of the sender and of redis-server,
 * and the rate; the shipper emptying a journal, and the append script alone, beside one XADD at a time;
 * and what it costs the milter in all: journal, keeper and shipper.
 *
 * The ways take turns, in an order that is turned round in each second round; prints Markdown tables of their medians,
 * and of the ratio to one XADD at a time over the same socket, with what holds 95 % of it; once with a Redis that keeps
 * no file, once with appendfsync everysec.
 * The spool lies on a disk, where the keeper syncs each second. Arguments: number of records, number of rounds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "common/log.h"
#include "common/stream.h"
#include "milter/keeper.h"
#include "milter/shipper.h"
#include "figures.h"
#include "sample_session.h"
#include "tests/live/redis_server.h"
#include "tests/unit/journal_rooms.h"
#include "tests/unit/pause.h"

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
enum { FIGURE_RATE, FIGURE_SENDER, FIGURE_REDIS, FIGURE_BOTH, FIGURES };

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

static double figures[WAYS][FIGURES][FIGURES_ROUNDS_MAX];
static int run_round;

/* What a record costs the milter, by the threads that work for it. */
enum load { LOAD_BACKLOG, LOAD_PACED, LOADS };
enum part { PART_JOURNAL, PART_KEEPER, PART_SHIPPER, PART_ALL, PARTS };
enum { STREAM_LENGTH = 100000, PACED_MESSAGE = 11, PACED_MESSAGES_A_SECOND = 1000, PACED_SECONDS = 2 };
static const char *const loads[LOADS] = { "a backlog, then shipped", "1,000 messages of 11 records a second" };
static double milter_us[LOADS][PARTS][FIGURES_ROUNDS_MAX];

/* Each way begins with an empty Redis, in which all must be. */
static void check_arrived(enum way way, uint64_t records)
{
	struct redis_reply reply = redis_server_ask(&server, "XLEN {bench:0}:records");
	uint64_t least = records < STREAM_LENGTH ? records : STREAM_LENGTH;

	if (reply.type == REDIS_INTEGER && reply.integer >= 0 && (uint64_t)reply.integer >= least)
		return;
	fprintf(stderr, "%s: of %llu records %lld are in Redis\n", ways[way].name, (unsigned long long)records,
		(long long)reply.integer);
	exit(1);
}

static void report(enum way way, uint64_t records, struct reading begin)
{
	struct reading end = read_clocks();

	check_arrived(way, records);
	double count = (double)records, own = (end.own_us - begin.own_us) / count;
	double redis = (end.redis_us - begin.redis_us) / count;

	figures[way][FIGURE_RATE][run_round] = count * 1e6 / (end.wall_us - begin.wall_us);
	figures[way][FIGURE_SENDER][run_round] = own;
	figures[way][FIGURE_REDIS][run_round] = redis;
	figures[way][FIGURE_BOTH][run_round] = own + redis;
}

static void report_milter(enum load load, double journal, double keeper, double shipper, uint64_t records)
{
	const double parts[PARTS] = { journal, keeper, shipper, journal + keeper + shipper };

	for (int part = 0; part < PARTS; part++)
		milter_us[load][part][run_round] = parts[part] / (double)records;
}

static void print_ways(const char *persistence, uint64_t records, int rounds)
{
	printf("Redis %s: %llu records a run, medians of %d rounds; goal: both at most a third (0.333) of one XADD at a time;"
	       " without AOF, by another promise, that or below 5.4, and above 100,000 records/s\n\n"
	       "| way into Redis | records/s | CPU us a record: sender | Redis | both | both / one XADD at a time |\n"
	       "|---|---:|---:|---:|---:|---:|\n", persistence, (unsigned long long)records, rounds);
	for (int way = 0; way < WAYS; way++) {
		printf("| %s | %.0f | %.2f | %.2f | %.2f |", ways[way].name, figure_median(figures[way][FIGURE_RATE], rounds),
		       figure_median(figures[way][FIGURE_SENDER], rounds), figure_median(figures[way][FIGURE_REDIS], rounds),
		       figure_median(figures[way][FIGURE_BOTH], rounds));
		figure_print(figure_of(figures[way][FIGURE_BOTH], figures[ways[way].reference][FIGURE_BOTH], rounds), 3);
		putchar('\n');
	}
	putchar('\n');
}

static void print_milter(const char *persistence, int rounds)
{
	printf("The milter's part of it, Redis %s, CPU us a record; goal: all below 3\n\n"
	       "| records | journal | keeper | shipper | all |\n|---|---:|---:|---:|---:|\n", persistence);
	for (int load = 0; load < LOADS; load++) {
		printf("| %s | %.2f | %.2f | %.2f |", loads[load], figure_median(milter_us[load][PART_JOURNAL], rounds),
		       figure_median(milter_us[load][PART_KEEPER], rounds), figure_median(milter_us[load][PART_SHIPPER], rounds));
		figure_print(figure_of(milter_us[load][PART_ALL], NULL, rounds), 2);
		putchar('\n');
	}
	putchar('\n');
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
		if (stream_append(link, &names, &cursor, &batch, &failure, &problem) != STREAM_APPENDED) {
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

/* A journal, and the threads that serve it. */
struct bench {
	struct rooms rooms;
	struct journal *journal;
	struct keeper *keeper;
	struct shipper_options options;
};

static void bench_begin(struct bench *bench, const char *address, uint64_t records)
{
	(void)redis_server_ask(&server, "FLUSHALL");
	rooms_init_at(&bench->rooms, rooms_disk());
	bench->rooms.options.segment_bytes = 4 * 1024 * 1024;
	bench->rooms.options.front_bytes = records * 512 + 16 * bench->rooms.options.segment_bytes;
	bench->rooms.options.spool_bytes = bench->rooms.options.front_bytes;
	bench->journal = rooms_open(&bench->rooms);
	bench->options = (struct shipper_options){
		.journal = bench->journal, .prefix = "bench", .trim = { .max_length = STREAM_LENGTH },
		.redis = { .address = address, .connect_timeout_us = 1000000, .command_timeout_us = 10000000 },
	};
	if (keeper_start(&bench->keeper, bench->journal, 1000000, ""))
		exit(1);
}

static void bench_end(struct bench *bench)
{
	keeper_stop(bench->keeper);
	journal_close(bench->journal);
	rooms_done(&bench->rooms);
}

static double thread_cpu_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return 1e6 * (double)now.tv_sec + (double)now.tv_nsec / 1e3;
}

/* As fast as segments are made. */
static void fill_journal(struct journal *journal, uint64_t records)
{
	for (uint64_t i = 0; i < records;)
		if (journal_append(journal, (struct text){ payloads[i % ROUND], lengths[i % ROUND] }) == 0)
			i++;
		else
			pause_ms(1);
}

static void wait_kept(struct journal *journal)
{
	struct journal_stat stat;

	do {
		pause_ms(5);
		journal_stat(journal, &stat);
	} while (stat.synced_seq != stat.last_seq);
}

static struct shipper *start_shipper(const struct bench *bench)
{
	struct shipper *shipper;

	if (shipper_start(&shipper, &bench->options))
		exit(1);
	return shipper;
}

static void wait_shipped(struct shipper *shipper, uint64_t records)
{
	struct shipper_status status;

	do {
		pause_ms(10);		/* looking costs, too */
		shipper_status(shipper, &status);
	} while (status.shipped < records);
}

/* A journal that was filled beforehand, emptied by the shipper. */
static void run_shipper(enum way way, const char *address, uint64_t records)
{
	struct bench bench;

	bench_begin(&bench, address, records);
	double own = own_cpu_us(), mine = thread_cpu_us();

	fill_journal(bench.journal, records);
	double journal = thread_cpu_us() - mine;

	wait_kept(bench.journal);
	double keeper = own_cpu_us() - own - journal;
	struct reading begin = read_clocks();
	struct shipper *shipper = start_shipper(&bench);

	wait_shipped(shipper, records);
	report(way, records, begin);
	if (way == WAY_SHIPPER_UNIX)
		report_milter(LOAD_BACKLOG, journal, keeper, figures[way][FIGURE_SENDER][run_round] * (double)records, records);
	shipper_stop(shipper, 0);
	bench_end(&bench);
}

/* CPU of the process but for this thread, whose waiting between messages is not the milter's. */
static double others_cpu_us(void)
{
	return own_cpu_us() - thread_cpu_us();
}

/* As mail comes: each record is kept and shipped soon after. Those of the shipper are told from the keeper's by a
 * second run without it. */
static double run_paced(struct bench *bench, uint64_t records)
{
	double begin = others_cpu_us();

	for (uint64_t i = 0; i < records; i++) {
		if (i % PACED_MESSAGE == 0)
			pause_ms(1000 / PACED_MESSAGES_A_SECOND);
		(void)journal_append(bench->journal, (struct text){ payloads[i % ROUND], lengths[i % ROUND] });
	}
	wait_kept(bench->journal);
	return others_cpu_us() - begin;
}

static void run_as_mail(const char *address)
{
	uint64_t records = PACED_MESSAGE * PACED_MESSAGES_A_SECOND * PACED_SECONDS;
	struct bench bench;

	bench_begin(&bench, address, records);
	double keeper = run_paced(&bench, records);

	bench_end(&bench);
	bench_begin(&bench, address, records);
	struct shipper *shipper = start_shipper(&bench);
	double both = run_paced(&bench, records);

	wait_shipped(shipper, records);
	shipper_stop(shipper, 0);
	bench_end(&bench);
	report_milter(LOAD_PACED, milter_us[LOAD_BACKLOG][PART_JOURNAL][run_round] * (double)records, keeper, both - keeper, records);
}

static void run_way(enum way way, uint64_t records)
{
	switch (way) {
	case WAY_SINGLE_UNIX: run_single(way, server.unix_address, records / 4); break;
	case WAY_SINGLE_TCP: run_single(way, server.tcp_address, records / 4); break;
	case WAY_SHIPPER_UNIX: run_shipper(way, server.unix_address, records); break;
	case WAY_SHIPPER_TCP: run_shipper(way, server.tcp_address, records); break;
	case WAY_SCRIPT: run_batches(way, server.unix_address, JOURNAL_BATCH_ENTRIES, records); break;
	case WAY_SCRIPT_16: run_batches(way, server.unix_address, 16, records); break;
	case WAYS: break;
	}
}

static void run_rounds(const char *persistence, uint64_t records, int rounds)
{
	for (run_round = 0; run_round < rounds; run_round++) {
		for (int i = 0; i < WAYS; i++)
			run_way((enum way)(run_round % 2 ? WAYS - 1 - i : i), records);
		run_as_mail(server.unix_address);
	}
	print_ways(persistence, records, rounds);
	print_milter(persistence, rounds);
}

int main(int argc, char **argv)
{
	uint64_t records = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;
	int rounds = argc > 2 ? atoi(argv[2]) : 15;

	redis_server_or_skip();
	redis_server_begin(&server, NULL);
	prepare_records();
	log_open("bench_shipper", LOG_TARGET_STDERR, LOG_LEVEL_WARNING);
	if (rounds < 1 || rounds > FIGURES_ROUNDS_MAX || records < ROUND)
		exit(2);
	run_rounds("without AOF", records, rounds);
	(void)redis_server_ask(&server, "CONFIG SET appendfsync everysec");
	(void)redis_server_ask(&server, "CONFIG SET appendonly yes");
	run_rounds("with AOF everysec", records, rounds);
	redis_server_end(&server);
	return 0;
}
