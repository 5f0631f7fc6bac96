/* log_pipeline.c - a ring of batches, three counters that go round it, and threads that take the step they find. */
#include "analysis/log_pipeline.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "common/thread.h"

/* A step takes some 40 us. To sleep and be woken costs as much, so a thread first looks about for half of that, and for
 * less where that was in vain: where the cores are busy, or the consumer is slow. */
enum { BATCHES_MAX = 2 * LOG_PIPELINE_THREADS_MAX, LOOKS_MAX = 1024, LOOKS_MIN = 16 };

enum step { STEP_NONE, STEP_FILL, STEP_READ, STEP_TAKE };

struct log_pipeline {
	struct log_reader *reader;	/* of the thread that fills */
	unsigned thread_count, batch_count;
	pthread_t threads[LOG_PIPELINE_THREADS_MAX];	/* but for the owner's, the last */

	atomic_uint turn;		/* another one when something may be to be done */

	pthread_mutex_t lock;		/* guards all that follows */
	pthread_cond_t changed;
	unsigned waiting;		/* threads */
	/* Batches so far; the ring lies between taken and filled. A batch between taken and reading is read when is_read says so. */
	uint64_t filled, reading, taken;
	bool is_filling, is_taking;
	bool has_ended;			/* no more is filled, */
	bool has_paused;		/* for a line has to be read alone */
	bool is_quitting;
	int error;			/* of the file */
	int stop;			/* of the consumer */
	const struct log_consumer *consumer;
	struct ring {
		struct event_batch batch;	/* of the thread whose step it is */
		bool is_read;
	} ring[BATCHES_MAX];
};

static struct ring *at(struct log_pipeline *pipeline, uint64_t number)
{
	return &pipeline->ring[number % pipeline->batch_count];
}

/* ---- choosing a step, under the lock ---- */

static enum step begin_step(struct log_pipeline *pipeline, uint64_t *ret_number)
{
	if (!pipeline->is_taking && pipeline->taken < pipeline->reading && at(pipeline, pipeline->taken)->is_read) {
		pipeline->is_taking = true;
		*ret_number = pipeline->taken;
		return STEP_TAKE;
	}
	if (pipeline->reading < pipeline->filled) {
		*ret_number = pipeline->reading++;
		return STEP_READ;
	}
	if (!pipeline->is_filling && !pipeline->has_ended && pipeline->filled - pipeline->taken < pipeline->batch_count) {
		pipeline->is_filling = true;
		*ret_number = pipeline->filled;
		return STEP_FILL;
	}
	return STEP_NONE;
}

/* Under the lock: there may be a step for those who found none. */
static void tell_all(struct log_pipeline *pipeline)
{
	atomic_fetch_add_explicit(&pipeline->turn, 1, memory_order_relaxed);
	if (pipeline->waiting)
		pthread_cond_broadcast(&pipeline->changed);
}

static void end_step(struct log_pipeline *pipeline, enum step step, uint64_t number, int result)
{
	switch (step) {
	case STEP_FILL:
		pipeline->is_filling = false;
		pipeline->filled++;
		pipeline->has_paused = result == LOG_READER_ALONE;
		pipeline->has_ended = pipeline->has_ended || result != 1;
		pipeline->error = result < 0 ? result : 0;
		break;
	case STEP_READ:
		at(pipeline, number)->is_read = true;
		break;
	case STEP_TAKE:
		at(pipeline, number)->is_read = false;
		pipeline->is_taking = false;
		pipeline->taken++;
		if (result) {
			pipeline->stop = result;
			pipeline->has_ended = true;
		}
		break;
	case STEP_NONE:
		break;
	}
	tell_all(pipeline);
}

static bool is_done(const struct log_pipeline *pipeline)
{
	return pipeline->has_ended && !pipeline->is_filling && pipeline->taken == pipeline->filled;
}

/* ---- the steps ---- */

static int do_step(struct log_pipeline *pipeline, enum step step, uint64_t number)
{
	struct event_batch *batch = &at(pipeline, number)->batch;

	switch (step) {
	case STEP_FILL:
		return log_reader_fill(pipeline->reader, batch);
	case STEP_READ:
		event_batch_read(batch);
		return 0;
	case STEP_TAKE:
		/* What was under way when the consumer had enough is let go. */
		if (pipeline->stop)
			return 0;
		return pipeline->consumer->take(pipeline->consumer->context, batch->events, batch->count);
	case STEP_NONE:
		break;
	}
	return 0;
}

/* Whether something comes to be done in a while, which is of so many looks, and is adapted. */
static bool look_about(struct log_pipeline *pipeline, unsigned *limit)
{
	unsigned turn = atomic_load_explicit(&pipeline->turn, memory_order_relaxed), looks = 0;
	bool is_changed = false;

	pthread_mutex_unlock(&pipeline->lock);
	for (; looks < *limit && !is_changed; looks++) {
#ifdef __SSE2__
		_mm_pause();
#endif
		is_changed = atomic_load_explicit(&pipeline->turn, memory_order_relaxed) != turn;
	}
	pthread_mutex_lock(&pipeline->lock);
	if (is_changed)
		*limit = LOOKS_MAX;
	else if (*limit > LOOKS_MIN)
		*limit -= *limit / 4;
	return is_changed;
}

/* Works until the file is done, or for good. */
static void work(struct log_pipeline *pipeline, bool is_owner)
{
	unsigned limit = LOOKS_MAX;
	bool has_looked = false;

	pthread_mutex_lock(&pipeline->lock);
	while (!pipeline->is_quitting && !(is_owner && is_done(pipeline))) {
		uint64_t number;
		enum step step = begin_step(pipeline, &number);

		if (step == STEP_NONE && !has_looked) {
			has_looked = !look_about(pipeline, &limit);
			continue;
		}
		has_looked = false;
		if (step == STEP_NONE) {
			pipeline->waiting++;
			pthread_cond_wait(&pipeline->changed, &pipeline->lock);
			pipeline->waiting--;
			continue;
		}
		pthread_mutex_unlock(&pipeline->lock);
		int result = do_step(pipeline, step, number);

		pthread_mutex_lock(&pipeline->lock);
		end_step(pipeline, step, number, result);
	}
	pthread_mutex_unlock(&pipeline->lock);
}

static void *run(void *pipeline)
{
	work(pipeline, false);
	return NULL;
}

/* ---- life ---- */

static unsigned core_count(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof set, &set) != 0)
		return 1;
	return (unsigned)CPU_COUNT(&set);
}

/* As many as there are to be had. */
static void start_threads(struct log_pipeline *pipeline, unsigned wanted)
{
	while (pipeline->thread_count + 1 < wanted && thread_start(&pipeline->threads[pipeline->thread_count], run, pipeline) == 0)
		pipeline->thread_count++;
}

static void stop_threads(struct log_pipeline *pipeline)
{
	pthread_mutex_lock(&pipeline->lock);
	pipeline->is_quitting = true;
	tell_all(pipeline);
	pthread_mutex_unlock(&pipeline->lock);
	for (unsigned i = 0; i < pipeline->thread_count; i++)
		pthread_join(pipeline->threads[i], NULL);
}

int log_pipeline_new(struct log_pipeline **ret_pipeline, const struct log_options *options, unsigned threads)
{
	struct log_pipeline *pipeline = calloc(1, sizeof *pipeline);
	int error;

	if (!pipeline)
		return -ENOMEM;
	pthread_mutex_init(&pipeline->lock, NULL);
	pthread_cond_init(&pipeline->changed, NULL);
	pipeline->has_ended = true;
	if (threads == 0)
		threads = core_count();
	if (threads > LOG_PIPELINE_THREADS_MAX)
		threads = LOG_PIPELINE_THREADS_MAX;
	/* One thread goes through its steps with one batch, which stays in its cache. */
	pipeline->batch_count = threads == 1 ? 1 : 2 * threads;
	error = log_reader_new(&pipeline->reader, options);
	for (unsigned i = 0; !error && i < pipeline->batch_count; i++)
		error = event_batch_init(&pipeline->ring[i].batch);
	if (error) {
		log_pipeline_free(pipeline);
		return error;
	}
	start_threads(pipeline, threads);
	*ret_pipeline = pipeline;
	return 0;
}

void log_pipeline_free(struct log_pipeline *pipeline)
{
	if (!pipeline)
		return;
	stop_threads(pipeline);
	for (unsigned i = 0; i < pipeline->batch_count; i++)
		event_batch_done(&pipeline->ring[i].batch);
	log_reader_free(pipeline->reader);
	pthread_cond_destroy(&pipeline->changed);
	pthread_mutex_destroy(&pipeline->lock);
	free(pipeline);
}

/* Lines that are in no batch, one by one. 1: batches may follow; 0: the end; -errno; *ret_stop: of the consumer. */
static int read_alone(struct log_pipeline *pipeline, const struct log_consumer *consumer, int *ret_stop)
{
	enum format_result result;
	struct event event;
	int more;

	do {
		more = log_reader_next(pipeline->reader, &event, &result);
		if (more == 1)
			*ret_stop = consumer->take(consumer->context, &event, 1);
	} while (more == 1 && !*ret_stop && !log_reader_takes_batches(pipeline->reader));
	return more;
}

/* Batches, by all threads. As read_alone; 1: the next line is to be read alone. */
static int read_batches(struct log_pipeline *pipeline, const struct log_consumer *consumer, int *ret_stop)
{
	pthread_mutex_lock(&pipeline->lock);
	pipeline->consumer = consumer;
	pipeline->error = pipeline->stop = 0;
	pipeline->has_ended = pipeline->has_paused = false;
	tell_all(pipeline);
	pthread_mutex_unlock(&pipeline->lock);
	work(pipeline, true);
	*ret_stop = pipeline->stop;
	return pipeline->has_paused ? 1 : pipeline->error;
}

int log_pipeline_read(struct log_pipeline *pipeline, const char *path, const struct log_consumer *consumer,
		      struct problem *problem)
{
	int error = log_reader_open(pipeline->reader, path, problem), more = 1, stop = 0;

	if (error)
		return error;
	while (more == 1 && !stop) {
		more = read_alone(pipeline, consumer, &stop);
		if (more == 1 && !stop)
			more = read_batches(pipeline, consumer, &stop);
	}
	if (!stop && more < 0)
		problem_set(problem, "cannot read '%s' to its end: %s", path, more == -EBADMSG
			    ? "compressed data are damaged or cut off" : strerror(-more));
	return stop ? stop : more;
}

uint64_t log_pipeline_bytes(const struct log_pipeline *pipeline)
{
	return log_reader_bytes(pipeline->reader);
}
