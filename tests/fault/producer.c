/*
 * producer.c - a producer of the campaign: threads that append numbered records to real journals, which the
 * real keeper and the real shipper serve; what it knows of them stands in a mapped file (truth.h).
 *
 * usage: producer NAME FRONT SPOOL TRUTH ADDRESS THREADS PARTITIONS FRONT_BYTES SPOOL_BYTES PAUSE_US [naive]
 *
 * A record is of the stage "close": session is the thread's number, messages the record's. Thread t appends to
 * partition t modulo PARTITIONS, the next record PAUSE_US after the last, and without a pause in a burst. It ends by
 * TRUTH_END, or by SIGKILL at any moment, and goes on at the next start.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/record.h"
#include "milter/keeper.h"
#include "milter/recorder.h"
#include "milter/shipper.h"
#include "naive.h"
#include "truth.h"

enum { SECOND_US = 1000000, PARTITIONS_MAX = 4, GAP_INTERVAL_MS = 100, TICK_MS = 10 };

struct part {
	char front[300], spool[300];
	struct journal *journal;
	struct keeper *keeper;
	struct shipper *shipper;
	struct naive *naive;
};

struct appender {
	pthread_t thread;
	unsigned number;
	struct journal *journal;
	struct truth_thread *truth;
};

static const char *name, *front, *spool, *address;
static unsigned threads, partitions;
static uint64_t front_bytes, spool_bytes;
static long append_pause_us;
static bool is_naive;
static struct truth *truth;
static struct part parts[PARTITIONS_MAX];
static struct journal *journals[PARTITIONS_MAX];
static struct appender appenders[TRUTH_THREADS_MAX];
static struct recorder recorder;

static void die(const char *what, const char *why)
{
	(void)fprintf(stderr, "producer: %s: %s\n", what, why);
	exit(1);
}

static void pause_us(long us)
{
	(void)nanosleep(&(struct timespec){ .tv_sec = us / SECOND_US, .tv_nsec = us % SECOND_US * 1000 }, NULL);
}

static void map_truth(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, sizeof *truth) != 0)
		die(path, strerror(errno));
	truth = mmap(NULL, sizeof *truth, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (truth == MAP_FAILED)
		die(path, strerror(errno));
	(void)close(fd);
}

/* The last run was killed in the middle of an append. */
static void settle(struct truth_thread *mine)
{
	uint64_t count = atomic_load(&mine->unknown_count);

	if (atomic_load(&mine->attempted) == atomic_load(&mine->settled))
		return;
	if (count == TRUTH_UNKNOWN_MAX)
		die("truth", "too many unknown records");
	atomic_store(&mine->unknown[count], atomic_load(&mine->attempted));
	atomic_store(&mine->unknown_count, count + 1);
	atomic_store(&mine->settled, atomic_load(&mine->attempted));
}

static int append(struct appender *mine, uint64_t number)
{
	struct record record;
	char session[16];

	(void)snprintf(session, sizeof session, "%u", mine->number);
	record_init(&record, STAGE_CLOSE, clock_now_us());
	record_set_string(&record, FIELD_SESSION, session);
	record_set_number(&record, FIELD_MESSAGES, number);
	record_set_string(&record, FIELD_CAUSE, "ended");
	int error = journal_append(mine->journal, record_finish(&record));

	record_done(&record);
	return error;
}

static void *produce(void *context)
{
	struct appender *mine = context;
	struct truth_thread *known = mine->truth;

	for (;;) {
		uint64_t control = atomic_load(&truth->control), number = atomic_load(&known->settled) + 1;

		if (control == TRUTH_PAUSE || control == TRUTH_END) {
			atomic_fetch_add(&truth->idle_threads, 1);
			while (atomic_load(&truth->control) == TRUTH_PAUSE)
				pause_us(1000);
			if (atomic_load(&truth->control) == TRUTH_END)
				return NULL;
			atomic_fetch_sub(&truth->idle_threads, 1);
			continue;
		}
		atomic_store(&known->attempted, number);
		int error = append(mine, number);

		if (error == 0) {
			atomic_fetch_add(&known->confirmed, 1);
			atomic_store(&known->settled, number);
		} else {
			atomic_fetch_add(&known->refused, 1);
			/* Tried again under its number. */
			atomic_store(&known->attempted, number - 1);
			pause_us(1000);
		}
		if (control != TRUTH_BURST)
			pause_us(append_pause_us);
	}
}

static void start_part(unsigned place)
{
	struct part *part = &parts[place];
	struct problem problem = { "" };

	(void)snprintf(part->front, sizeof part->front, "%s/%u", front, place);
	(void)snprintf(part->spool, sizeof part->spool, "%s/%u", spool, place);
	(void)mkdir(part->front, 0700);
	(void)mkdir(part->spool, 0700);
	struct journal_options options = {
		.front_directory = part->front, .spool_directory = part->spool, .host = name, .instance = "fault",
		.partition = place, .segment_bytes = 256 * 1024, .front_bytes = front_bytes, .spool_bytes = spool_bytes,
		.keep_us = UINT64_C(900) * SECOND_US, .keep_bytes = 64 << 20, .sync = JOURNAL_SYNC_INTERVAL,
	};

	if (journal_open(&part->journal, &options, &problem))
		die("journal", problem.text);
	journals[place] = part->journal;
	int error = keeper_start(&part->keeper, part->journal, SECOND_US, "");

	if (error)
		die("keeper", strerror(-error));
	struct shipper_options shipping = {
		.journal = part->journal, .prefix = "trail", .partition = place,
		.redis = { .address = address, .connect_timeout_us = 500000, .command_timeout_us = 500000 },
	};

	if (is_naive)
		part->naive = naive_start(&shipping);
	else if ((error = shipper_start(&part->shipper, &shipping)) != 0)
		die("shipper", strerror(-error));
}

static void note_figures(void)
{
	uint64_t backlog = 0;
	struct shipper_status sum = { 0 };

	for (unsigned place = 0; place < partitions; place++) {
		struct journal_stat stat;
		struct shipper_status status = { 0 };

		journal_stat(parts[place].journal, &stat);
		backlog += stat.backlog;
		if (parts[place].shipper)
			shipper_status(parts[place].shipper, &status);
		sum.errors += status.errors;
		sum.resyncs += status.resyncs;
		sum.went_back += status.went_back;
		sum.not_kept += status.not_kept;
		sum.fenced += status.fenced;
	}
	atomic_store(&truth->backlog, backlog);
	atomic_store(&truth->errors, sum.errors);
	atomic_store(&truth->resyncs, sum.resyncs);
	atomic_store(&truth->went_back, sum.went_back);
	atomic_store(&truth->not_kept, sum.not_kept);
	atomic_store(&truth->fenced, sum.fenced);
	atomic_fetch_add(&truth->heartbeat, 1);
}

static void run(void)
{
	for (unsigned i = 0; i < threads; i++) {
		struct appender *mine = &appenders[i];

		*mine = (struct appender){ .number = i, .journal = journals[i % partitions], .truth = &truth->threads[i] };
		settle(mine->truth);
		if (pthread_create(&mine->thread, NULL, produce, mine) != 0)
			die("thread", strerror(errno));
	}
	for (unsigned tick = 0; atomic_load(&truth->control) != TRUTH_END; tick++) {
		if (tick % (GAP_INTERVAL_MS / TICK_MS) == 0)
			recorder_write_gaps(&recorder, clock_now_us());
		note_figures();
		pause_us(TICK_MS * 1000);
	}
	for (unsigned i = 0; i < threads; i++)
		(void)pthread_join(appenders[i].thread, NULL);
}

static unsigned long long number_of(const char *text, unsigned long long most)
{
	char *end;
	unsigned long long number = strtoull(text, &end, 10);

	if (!*text || *end || number > most)
		die(text, "wanted a number in range");
	return number;
}

int main(int count, char **words)
{
	if (count < 11 || count > 12)
		die("usage", "NAME FRONT SPOOL TRUTH ADDRESS THREADS PARTITIONS FRONT_BYTES SPOOL_BYTES PAUSE_US [naive]");
	name = words[1], front = words[2], spool = words[3], address = words[5];
	threads = (unsigned)number_of(words[6], TRUTH_THREADS_MAX);
	partitions = (unsigned)number_of(words[7], PARTITIONS_MAX);
	front_bytes = number_of(words[8], UINT64_C(1) << 40);
	spool_bytes = number_of(words[9], UINT64_C(1) << 40);
	append_pause_us = (long)number_of(words[10], SECOND_US);
	is_naive = count == 12;
	(void)signal(SIGPIPE, SIG_IGN);		/* of the naive shipper's line */
	log_open("producer", LOG_TARGET_STDERR, LOG_LEVEL_INFO);
	map_truth(words[4]);
	atomic_store(&truth->idle_threads, 0);
	for (unsigned place = 0; place < partitions; place++)
		start_part(place);
	recorder_init(&recorder, journals, partitions, partitions);
	run();
	for (unsigned place = 0; place < partitions; place++) {
		if (parts[place].naive)
			naive_stop(parts[place].naive);
		shipper_stop(parts[place].shipper, SECOND_US);
		keeper_stop(parts[place].keeper);
		journal_close(parts[place].journal);
	}
	recorder_done(&recorder);
	log_close();
	return 0;
}
