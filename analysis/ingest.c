/* ingest.c - the loop: Redis gives records, each after the log lines before it; then what else the logs have. */
#include "analysis/ingest.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "analysis/background.h"
#include "analysis/hosts.h"
#include "analysis/ingest_queue.h"
#include "analysis/input_queue.h"
#include "analysis/ingest_redis.h"
#include "analysis/store_join.h"
#include "analysis/store_rollup.h"
#include "common/clock.h"

enum {
	WAIT_MS = 200,
	LINES_AT_ONCE = 20000,		/* then signals, commits and Redis are looked at */
	SECOND_US = 1000000,
	PROGRESS_US = SECOND_US / 2,
	HOLD_US = 60 * SECOND_US,	/* so long logs wait for Redis: what belongs together is to come together */
	GIVE_UP_US = 30 * SECOND_US,	/* so long Redis is tried where inputs are read once */
};

static const uint64_t prune_every_us = UINT64_C(3600) * SECOND_US;
/* A day is counted an hour after its end, and where it changes at most once an hour again; one at a time. */
static const uint64_t count_every_us = UINT64_C(60) * SECOND_US, count_again_us = UINT64_C(3600) * SECOND_US;
enum { COUNTED_MAX = 16 };

struct ingest {
	struct ingest_options options;
	struct hosts hosts;
	struct source_table *sources;
	struct store *store;
	struct correlate *correlate;
	struct ingest_logs *logs;
	struct ingest_redis *redis;	/* NULL: it is not read */
	uint16_t *stream_sources;	/* of each partition */
	unsigned lines_left;		/* until others are looked at */
	bool has_news;			/* for a commit */
	uint64_t committed_us, pruned_us, shown_us, failing_us, counted_us;
	struct {
		store_day day;
		uint64_t counted_us;	/* 0: the place is free */
	} counted[COUNTED_MAX];		/* the last days */
	unsigned next_counted;
	uint64_t gaps;
	unsigned days_deleted;
	char host_names[INGEST_QUEUES_MAX][INPUT_QUEUE_NAME_SIZE];
	struct ingest_queue queues[INGEST_QUEUES_MAX];
};

static bool is_stopping(const struct ingest *ingest)
{
	return *ingest->options.stopping;
}

/* ---- what comes ---- */

static void give_line(struct ingest *ingest, const struct ingest_line *line)
{
	correlate_event(ingest->correlate, line->event, line->source);
	ingest_logs_taken(ingest->logs);
	ingest->has_news = true;
	ingest->lines_left--;
}

/* Lines up to that time. False: there may be more of them. */
static bool give_lines(struct ingest *ingest, uint64_t until_us)
{
	struct ingest_line line;

	while (ingest->lines_left && !is_stopping(ingest)) {
		if (!ingest_logs_next(ingest->logs, &line) || line.time_us > until_us)
			return true;
		give_line(ingest, &line);
	}
	return false;
}

static bool is_commit_due(const struct ingest *ingest)
{
	if (!ingest->has_news)
		return false;
	return store_pending(ingest->store) >= INGEST_PENDING_MAX ||
	       clock_steady_us() - ingest->committed_us >= ingest->options.config->commit_interval_us;
}

/* A record comes after the lines before it, and in the next commit where one is due. */
static bool wants_record(void *context, const struct input_record *record)
{
	struct ingest *ingest = context;
	uint64_t time_us;

	if (is_stopping(ingest) || is_commit_due(ingest))
		return false;
	return time_parse(input_record_text(record, FIELD_TIME), &time_us) != 0 || give_lines(ingest, time_us);
}

static void note_missing(void *context, const struct input_record *record, uint64_t from_seq, uint64_t until_seq)
{
	correlate_missing(((struct ingest *)context)->correlate, record, from_seq, until_seq);
}

static bool take_record(void *context, const struct input_record *record)
{
	struct ingest *ingest = context;

	ingest->gaps += input_record_is(record, STAGE_GAP);
	correlate_record(ingest->correlate, record, ingest->stream_sources[record->partition]);
	ingest->has_news = true;
	return true;
}

static void say(void *context, const char *sentence)
{
	const struct ingest *ingest = context;

	ingest->options.notice(ingest->options.context, sentence);
}

/* ---- opening ---- */

/* What records bring late may change what has left the join. */
static bool counts_days(const struct ingest *ingest)
{
	return !ingest->options.follows && !ingest->options.reads_redis;
}

static int open_store(struct ingest *ingest, struct problem *problem)
{
	const struct store_options options = {
		.directory = ingest->options.config->store, .sources = ingest->sources, .is_bulk = !ingest->options.follows,
		.counts_days = counts_days(ingest),
	};

	return store_open(&ingest->store, &options, problem);
}

static int open_join(struct ingest *ingest, struct problem *problem)
{
	struct correlate_options options;
	struct correlate_sink sink;
	int error;

	correlate_defaults(&options);
	options.hosts = &ingest->hosts;
	options.skew_us = ingest->options.config->clock_skew_us;
	options.memory_bytes = ingest->options.config->ingest_memory;
	options.expects_records = ingest->options.reads_redis;
	options.keeps_attempts = options.keeps_ways = counts_days(ingest);
	store_ended_sink(ingest->store, &sink);
	error = correlate_new(&ingest->correlate, &options, &sink);
	return error ? error : store_join_restore(ingest->store, ingest->correlate, problem);
}

static int open_logs(struct ingest *ingest, struct problem *problem)
{
	const struct ingest_options *options = &ingest->options;
	const struct ingest_logs_options logs = {
		.log = options->log, .follows = options->follows, .sources = ingest->sources, .notice = options->notice,
		.context = options->context,
	};
	int error = ingest_logs_new(&ingest->logs, &logs, ingest->store, problem);

	if (!error)
		error = ingest_logs_add_files(ingest->logs, options->logs, options->log_count);
	if (!error && options->reads_journal)
		error = ingest_logs_add_journal(ingest->logs, options->journal_directory, problem);
	return error;
}

static int open_redis(struct ingest *ingest, struct problem *problem)
{
	const struct config *config = ingest->options.config;
	const struct input_listener listener = { .wants = wants_record, .missing = note_missing, .record = take_record, .notice = say,
		.context = ingest };
	struct input_redis_options options = {
		.prefix = config->stream_prefix, .partitions = (unsigned)config->partitions, .start = INPUT_FROM_ID,
	};
	int error;

	options.redis = redis_conf_options(&config->redis);
	error = ingest_redis_new(&ingest->redis, &options, &listener, config->consumer_group, ingest->store, problem);
	ingest->stream_sources = calloc(options.partitions, sizeof *ingest->stream_sources);
	if (!ingest->stream_sources)
		error = -ENOMEM;
	for (unsigned i = 0; i < options.partitions && !error; i++) {
		const char *key;

		(void)input_redis_place(ingest_redis_input(ingest->redis), i, &key);
		ingest->stream_sources[i] = source_number(ingest->sources, SOURCE_STREAM, text_of(key));
	}
	return error;
}

static int open_queue(struct ingest *ingest, unsigned number, struct problem *problem)
{
	const struct ingest_options *options = &ingest->options;
	const struct ingest_queue_option *option = &options->queues[number];
	const char *host = option->host ? option->host : ingest->host_names[number];

	if (!option->host)
		input_queue_name(option->path, ingest->host_names[number]);
	for (unsigned i = 0; i < number; i++)
		if (strcasecmp(ingest->queues[i].host, host) == 0) {
			problem_set(problem, "two queues are of '%s': name the host of each, HOST/SYSLOG_NAME", host);
			return -EINVAL;
		}
	ingest->queues[number] = (struct ingest_queue){
		.path = option->path, .host = host,
		.correlate = ingest->correlate, .sources = ingest->sources, .store = ingest->store,
		.notice = options->notice, .context = options->context,
	};
	return ingest_queue_load(&ingest->queues[number], problem);
}

static int open_queues(struct ingest *ingest, struct problem *problem)
{
	int error = 0;

	for (unsigned i = 0; !error && i < ingest->options.queue_count; i++)
		error = open_queue(ingest, i, problem);
	return error;
}

static int read_queues(struct ingest *ingest, struct problem *problem)
{
	int error = 0;

	for (unsigned i = 0; !error && i < ingest->options.queue_count; i++)
		if (ingest_queue_is_due(&ingest->queues[i]))
			error = ingest_queue_read(&ingest->queues[i], &ingest->has_news, problem);
	return error;
}

int ingest_open(struct ingest **ret_ingest, const struct ingest_options *options, struct problem *problem)
{
	struct ingest *ingest = calloc(1, sizeof *ingest);
	int error = ingest ? 0 : -ENOMEM;

	if (error)
		return error;
	ingest->options = *options;
	ingest->hosts.pairs = &options->config->hosts;
	ingest->committed_us = clock_steady_us();
	ingest->sources = source_table_new();
	if (!ingest->sources)
		error = -ENOMEM;
	if (!error)
		error = open_store(ingest, problem);
	if (!error)
		error = open_join(ingest, problem);
	if (!error)
		error = open_logs(ingest, problem);
	if (!error && options->reads_redis)
		error = open_redis(ingest, problem);
	if (!error)
		error = open_queues(ingest, problem);
	if (error) {
		ingest_close(ingest);
		return error;
	}
	*ret_ingest = ingest;
	return 0;
}

void ingest_close(struct ingest *ingest)
{
	if (!ingest)
		return;
	ingest_redis_free(ingest->redis);
	ingest_logs_free(ingest->logs);
	correlate_free(ingest->correlate);
	store_close(ingest->store);
	source_table_free(ingest->sources);
	free(ingest->stream_sources);
	free(ingest);
}

/* ---- commits ---- */

static int commit(struct ingest *ingest, struct problem *problem)
{
	int error = ingest_logs_keep(ingest->logs, problem);

	if (!error && ingest->redis)
		error = ingest_redis_keep(ingest->redis, problem);
	if (!error)
		error = store_join_commit(ingest->store, ingest->correlate, problem);
	if (error)
		return error;
	if (ingest->redis)
		ingest_redis_acknowledge(ingest->redis);
	ingest->has_news = false;
	ingest->committed_us = clock_steady_us();
	return 0;
}

static int prune(struct ingest *ingest, struct problem *problem)
{
	const struct store_retention retention = { ingest->options.config->store_keep_us, ingest->options.config->store_size };
	unsigned days = 0;
	int error = store_prune(ingest->store, &retention, clock_now_us(), &days, problem);

	ingest->days_deleted += days;
	ingest->pruned_us = clock_steady_us();
	return error;
}

static bool was_just_counted(const struct ingest *ingest, store_day day, uint64_t now_us)
{
	for (unsigned i = 0; i < COUNTED_MAX; i++)
		if (ingest->counted[i].counted_us && ingest->counted[i].day == day && now_us - ingest->counted[i].counted_us < count_again_us)
			return true;
	return false;
}

/* The newest day that is over and has not been counted. A report would do without: what fails is tried again. */
static void count_a_day(struct ingest *ingest, uint64_t now_us)
{
	const char *directory = ingest->options.config->store;
	store_day today = store_day_of(clock_now_us() - count_again_us), *days = NULL;
	struct problem ignored;
	size_t count = 0;

	ingest->counted_us = now_us;
	(void)store_days_list(directory, &days, &count, &ignored);
	for (size_t i = 0; i < count; i++) {
		if (days[i] >= today || was_just_counted(ingest, days[i], now_us) || store_rollup_is_made(directory, days[i]))
			continue;
		(void)store_rollup_make(directory, days[i], &ignored);
		ingest->counted[ingest->next_counted].day = days[i];
		ingest->counted[ingest->next_counted].counted_us = now_us;
		ingest->next_counted = (ingest->next_counted + 1) % COUNTED_MAX;
		break;
	}
	free(days);
}

/* Of what was read to its end, the days before the newest are over: those that have changed are counted where they were not when they
 * were put, and one of them is made ready already while indexes are made. */
struct counting {
	struct ingest *ingest;
	store_day *days;		/* the newest first */
	size_t count, next;
	store_day first;
	struct store_rollup *rollup;	/* of the first; NULL: it is to be counted yet, or again */
};

/* The next that has none; false: all have. */
static bool find_uncounted(struct counting *counting, store_day *ret_day)
{
	while (counting->next < counting->count) {
		*ret_day = counting->days[counting->next++];
		if (!store_rollup_is_made(counting->ingest->options.config->store, *ret_day))
			return true;
	}
	return false;
}

static int count_first(void *context, struct problem *problem)
{
	struct counting *counting = context;
	int error = 0;

	if (!counting->rollup)
		error = store_rollup_count(&counting->rollup, counting->ingest->options.config->store, counting->first, problem);
	return error ? error : store_rollup_pack(counting->rollup);
}

static struct store_rollup *take_counted(struct ingest *ingest, store_day day)
{
	return correlate_has_records(ingest->correlate) ? NULL : store_take_counted(ingest->store, day);
}

static void start_counting(struct counting *counting, struct ingest *ingest, struct background *background)
{
	struct correlate_sink sink;
	struct problem ignored;

	*counting = (struct counting){ .ingest = ingest, .next = 1 };
	/* Beside records of an earlier run what has left may have come again. */
	if (!correlate_has_records(ingest->correlate)) {
		store_counting_sink(ingest->store, &sink);
		correlate_show_open(ingest->correlate, &sink);
	}
	if (store_days_list(ingest->options.config->store, &counting->days, &counting->count, &ignored) != 0 ||
	    !find_uncounted(counting, &counting->first))
		return;
	counting->rollup = take_counted(ingest, counting->first);
	background_start(background, count_first, counting);
}

static void count_days(struct counting *counting)
{
	const char *directory = counting->ingest->options.config->store;
	struct problem ignored;
	store_day day;

	if (counting->rollup && !is_stopping(counting->ingest) && store_rollup_keep(counting->rollup, &ignored) != 0)
		(void)store_rollup_make(directory, counting->first, &ignored);
	while (!is_stopping(counting->ingest) && find_uncounted(counting, &day)) {
		struct store_rollup *rollup = take_counted(counting->ingest, day);

		if (!rollup || store_rollup_keep(rollup, &ignored) != 0)
			(void)store_rollup_make(directory, day, &ignored);
		store_rollup_free(rollup);
	}
}

/* Of a store whose days have all that was committed. A report would do without what is counted. */
static int finish_bulk(struct ingest *ingest, struct problem *problem)
{
	struct background background = { .work = NULL };
	struct counting counting;
	struct problem ignored;
	int error;

	start_counting(&counting, ingest, &background);
	error = store_finish(ingest->store, problem);
	(void)background_wait(&background, &ignored);
	if (!error)
		count_days(&counting);
	store_rollup_free(counting.rollup);
	free(counting.days);
	return error;
}

static int keep_up(struct ingest *ingest, struct problem *problem)
{
	int error = is_commit_due(ingest) ? commit(ingest, problem) : 0;
	uint64_t now_us = clock_steady_us();

	if (!error && ingest->options.follows && now_us - ingest->counted_us >= count_every_us)
		count_a_day(ingest, now_us);

	if (!error && now_us - ingest->pruned_us >= prune_every_us)
		error = prune(ingest, problem);
	if (ingest->options.progress && now_us - ingest->shown_us >= PROGRESS_US) {
		ingest->shown_us = now_us;
		ingest->options.progress(ingest->options.context);
	}
	return error;
}

/* ---- the loop ---- */

/* Waits for Redis where nothing else is to be done. -ENOTCONN: it does not answer, and nobody waits for it. */
static int poll_redis(struct ingest *ingest, bool may_wait, struct problem *problem)
{
	struct input_redis *input = ingest_redis_input(ingest->redis);
	enum redis_failure failure = input_redis_poll(input, may_wait ? WAIT_MS : 0, problem);
	uint64_t now_us = clock_steady_us();

	if (!failure) {
		ingest->failing_us = 0;
		return 0;
	}
	if (!ingest->failing_us) {
		ingest->failing_us = now_us;
		if (ingest->options.follows && !input_redis_is_following(input))
			ingest->options.notice(ingest->options.context, problem->text);
	}
	if (!ingest->options.follows && (now_us - ingest->failing_us > GIVE_UP_US || failure == REDIS_OPERATOR ||
					 (failure == REDIS_RECONNECT && !input_redis_is_following(input))))
		return -ENOTCONN;
	return 0;
}

/* Whether lines need not wait for records any longer. */
static bool is_free(const struct ingest *ingest)
{
	if (!ingest->redis)
		return true;
	if (ingest->failing_us)
		return clock_steady_us() - ingest->failing_us > HOLD_US;
	return input_redis_is_at_end(ingest_redis_input(ingest->redis));
}

/* One round. *ret_idle: there was nothing. */
static int look(struct ingest *ingest, bool may_wait, bool *ret_idle, struct problem *problem)
{
	int error = 0;
	bool is_done;

	ingest->lines_left = LINES_AT_ONCE;
	ingest_logs_look_again(ingest->logs);
	if (ingest->redis)
		error = poll_redis(ingest, may_wait, problem);
	else if (may_wait)
		(void)poll(NULL, 0, WAIT_MS);
	if (error)
		return error;
	is_done = is_free(ingest) && give_lines(ingest, UINT64_MAX);
	*ret_idle = is_done && ingest->lines_left == LINES_AT_ONCE && !ingest->failing_us;
	return 0;
}

/* A Redis that does not answer is no reason to lose what else was read. */
static int finish(struct ingest *ingest, int error, struct problem *problem)
{
	struct problem later = { "" };
	int failed = 0;

	if (error && error != -ENOTCONN)
		return error;
	if (ingest->has_news)
		failed = commit(ingest, &later);
	else if (ingest->redis)		/* an acknowledgement may have failed before, and the group be gone */
		ingest_redis_acknowledge(ingest->redis);
	if (!failed)
		failed = store_settle(ingest->store, &later);
	if (!failed)
		failed = ingest->options.follows ? store_finish(ingest->store, &later) : finish_bulk(ingest, &later);
	if (failed)
		*problem = later;
	return failed ? failed : error;
}

int ingest_run(struct ingest *ingest, struct problem *problem)
{
	bool is_idle = false;
	int error = prune(ingest, problem);

	/* Of a bulk that was killed. */
	if (!error && ingest->options.follows)
		error = store_finish(ingest->store, problem);
	while (!error && !is_stopping(ingest)) {
		error = look(ingest, is_idle, &is_idle, problem);
		if (!error && is_idle)
			error = read_queues(ingest, problem);
		if (error || (is_idle && !ingest->options.follows))
			break;
		error = keep_up(ingest, problem);
	}
	return finish(ingest, error, problem);
}

void ingest_counts(const struct ingest *ingest, struct ingest_counts *ret_counts)
{
	*ret_counts = (struct ingest_counts){
		.gaps = ingest->gaps, .days_deleted = ingest->days_deleted,
	};
	for (unsigned i = 0; i < ingest->options.queue_count; i++) {
		ret_counts->queued += ingest->queues[i].entries;
		ret_counts->queue_bad += ingest->queues[i].bad;
	}
	ingest_logs_counts(ingest->logs, &ret_counts->logs);
	if (ingest->redis)
		input_redis_counts(ingest_redis_input(ingest->redis), &ret_counts->redis);
	correlate_counts(ingest->correlate, &ret_counts->join);
	store_counts(ingest->store, &ret_counts->store);
}
