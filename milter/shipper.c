/* shipper.c - the one thread that moves entries of the journal into Redis. */
#include "shipper.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/behind.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/stream.h"
#include "common/thread.h"
#include "trimmer.h"

enum {
	LINGER_US = 20000,		/* few records may wait so long */
	GATHER_US = 100000,		/* and many, which cost Redis less the fewer pieces they come in */
	FEW = 16,			/* records of a batch; of more it is GATHER_US */
	IDLE_WAIT_MS = 1000,
	IDLE_CHECK_US = 5000000,	/* an idle shipper looks so often whether Redis is well */
	BACK_OFF_FIRST_US = 50000,
	BACK_OFF_MAX_US = 5000000,
	BACK_OFF_OPERATOR_MAX_US = 30000000,
	DRAIN_FAILURES_MAX = 2,
	SAY_AGAIN_US = 60000000,	/* a line that comes and goes fills no log */
};

enum state { STATE_CONNECTING, STATE_SHIPPING, STATE_WAITING, STATE_OPERATOR, STATE_FENCED, STATES };
static const char *const state_names[STATES] = { "connecting", "shipping", "waiting", "operator", "fenced" };

struct shipper {
	struct shipper_options options;		/* strings: prefix is ours, those of redis are the link's */
	char *prefix;
	const char *name;			/* begins each line in the log; not NULL */
	pthread_t thread;

	/* the thread only */
	struct redis_link *link;
	struct trimmer trimmer;
	struct journal_batch batch;
	char producer[JOURNAL_NAME_SIZE];	/* whose entries are read; empty: not known yet */
	struct stream_names names;
	struct stream_cursor cursor;		/* as Redis has it, as far as we know */
	bool in_place;				/* the journal is read on from the cursor */
	uint64_t taken_seq;			/* last one of this producer that Redis said it has */
	uint64_t tried_seq;			/* end of the last batch that was sent */
	bool batch_open;			/* sent, and no word from Redis */
	uint64_t checked_us;			/* when Redis last said something */
	uint64_t back_off_us;
	unsigned drain_failures;
	unsigned seed;
	uint64_t said_us[STATES];		/* when the log was told last; 0: never */
	bool said_failed;			/* and it was not told yet that it is over */

	pthread_mutex_t lock;			/* guards the rest */
	pthread_cond_t wake;
	bool stopping;
	uint64_t drain_until_us;
	enum state state;
	struct shipper_status status;
};

static bool is_stopping(struct shipper *shipper)
{
	pthread_mutex_lock(&shipper->lock);
	bool stopping = shipper->stopping;

	pthread_mutex_unlock(&shipper->lock);
	return stopping;
}

static void pause_until_stop(struct shipper *shipper, uint64_t pause_us)
{
	uint64_t until_us = clock_steady_us() + pause_us;
	struct timespec until = {
		.tv_sec = (time_t)(until_us / 1000000), .tv_nsec = (long)(until_us % 1000000 * 1000),
	};

	pthread_mutex_lock(&shipper->lock);
	while (!shipper->stopping && pthread_cond_timedwait(&shipper->wake, &shipper->lock, &until) == 0)
		continue;
	pthread_mutex_unlock(&shipper->lock);
}

/* What is known and said about the state. */

static uint64_t backlog(struct shipper *shipper)
{
	struct journal_stat stat;

	journal_stat(shipper->options.journal, &stat);
	return stat.backlog;
}

/* Whether the state is a new one. */
static bool enter_state(struct shipper *shipper, enum state state)
{
	uint64_t now = clock_now_us();

	pthread_mutex_lock(&shipper->lock);
	bool is_new = shipper->state != state;

	if (is_new) {
		shipper->state = state;
		shipper->status.state = state_names[state];
		shipper->status.since_us = now;
	}
	pthread_mutex_unlock(&shipper->lock);
	return is_new;
}

static void say_well(struct shipper *shipper)
{
	bool is_first = shipper->said_us[STATE_SHIPPING] == 0;

	shipper->back_off_us = 0;
	if (!enter_state(shipper, STATE_SHIPPING) || (!is_first && !shipper->said_failed))
		return;
	shipper->said_failed = false;
	shipper->said_us[STATE_SHIPPING] = clock_steady_us();
	log_info("%sredis '%s' takes records%s; %" PRIu64 " wait for it", shipper->name, shipper->options.redis.address,
		 is_first ? "" : " again", backlog(shipper));
}

static void say_failed(struct shipper *shipper, enum redis_failure failure, const struct problem *problem)
{
	enum state state = failure == REDIS_OPERATOR ? STATE_OPERATOR : STATE_WAITING;
	uint64_t now = clock_steady_us();

	pthread_mutex_lock(&shipper->lock);
	shipper->status.errors++;
	shipper->status.refused[failure]++;
	shipper->status.last_error = *problem;
	shipper->status.last_error_us = clock_now_us();
	pthread_mutex_unlock(&shipper->lock);
	if (!enter_state(shipper, state) || (shipper->said_us[state] && now - shipper->said_us[state] < SAY_AGAIN_US))
		return;
	shipper->said_us[state] = now;
	shipper->said_failed = true;
	if (state == STATE_WAITING)
		log_warning("%s%s; keeping %" PRIu64 " records in the journal", shipper->name, problem->text,
			    backlog(shipper));
	else
		log_error("%s%s; keeping %" PRIu64 " records in the journal until it is mended", shipper->name,
			  problem->text, backlog(shipper));
}

static void count(struct shipper *shipper, uint64_t *counter, uint64_t more)
{
	pthread_mutex_lock(&shipper->lock);
	*counter += more;
	pthread_mutex_unlock(&shipper->lock);
}

/* The place in the journal. */

static uint64_t cursor_seq(const struct stream_cursor *cursor)
{
	return cursor->exists ? (uint64_t)cursor->epoch << JOURNAL_COUNTER_BITS | cursor->counter : 0;
}

/* A batch whose answer was lost: what of it Redis has after all. */
static void count_open_batch(struct shipper *shipper)
{
	uint64_t taken = 0;

	for (size_t i = 0; shipper->batch_open && i < shipper->batch.count; i++)
		taken += shipper->batch.entries[i].seq > shipper->taken_seq &&
			 shipper->batch.entries[i].seq <= cursor_seq(&shipper->cursor);
	shipper->batch_open = false;
	count(shipper, &shipper->status.shipped, taken);
}

static enum redis_failure change_producer(struct shipper *shipper, struct problem *problem)
{
	struct journal *journal = shipper->options.journal;
	struct journal_origin before = journal_origin(journal);
	int error = journal_change_producer(journal, shipper->cursor.epoch, problem);

	shipper->in_place = false;
	if (error)
		return REDIS_OPERATOR;
	struct journal_origin now = journal_origin(journal);

	count(shipper, &shipper->status.fenced, 1);
	(void)enter_state(shipper, STATE_FENCED);
	log_error("%sanother milter wrote as producer %s too (was this machine copied, or an older journal put back?);"
		  " going on as %s", shipper->name, shipper->producer, now.producer);
	shipper->producer[0] = '\0';
	if (shipper->options.fenced && strcmp(before.producer, now.producer) != 0)
		shipper->options.fenced(shipper->options.context);
	return REDIS_OK;
}

static void note_went_back(struct shipper *shipper)
{
	if (cursor_seq(&shipper->cursor) >= shipper->taken_seq)
		return;
	log_warning("%sredis '%s' lost records that it had taken: its cursor is '%s', it was at seq %" PRIu64
		    "; sending them again", shipper->name, shipper->options.redis.address, shipper->cursor.text, shipper->taken_seq);
}

/* Reads the journal on from the cursor. */
static enum redis_failure follow_cursor(struct shipper *shipper, struct problem *problem)
{
	const struct stream_cursor *cursor = &shipper->cursor;

	count_open_batch(shipper);
	switch (journal_seek(shipper->options.journal, text_of(cursor->exists ? cursor->incarnation : ""),
			     cursor->epoch, cursor->counter)) {
	case JOURNAL_FOREIGN:
		return change_producer(shipper, problem);
	case JOURNAL_AFTER_KEPT:
		count(shipper, &shipper->status.not_kept, 1);
		log_error("%sredis '%s' has records up to '%s' and the journal no longer keeps those that follow; "
			  "the gap is recorded", shipper->name, shipper->options.redis.address, cursor->text);
		break;
	case JOURNAL_AT_CURSOR:
		break;
	}
	note_went_back(shipper);
	/* What it lost is counted when it is in again: taken_seq stays. */
	if (cursor_seq(cursor) > shipper->taken_seq)
		shipper->taken_seq = cursor_seq(cursor);
	shipper->in_place = true;
	return REDIS_OK;
}

/* Connects where it must; asks for the cursor of the producer that is read. */
static enum redis_failure find_place(struct shipper *shipper, struct problem *problem)
{
	struct stream_cursor known = shipper->cursor;
	enum redis_failure failure = redis_link_open(shipper->link, problem);

	if (failure || !shipper->producer[0])
		return failure;
	failure = stream_cursor_get(shipper->link, &shipper->names, &shipper->cursor, problem);
	if (failure)
		return failure;
	shipper->checked_us = clock_steady_us();
	if (shipper->in_place && strcmp(known.text, shipper->cursor.text) == 0)
		return REDIS_OK;
	if (shipper->taken_seq && strcmp(known.text, shipper->cursor.text) != 0)
		count(shipper, &shipper->status.resyncs, 1);
	return follow_cursor(shipper, problem);
}

/* Entries of another producer come: those before a change of identity end, or begin. */
static void read_other_producer(struct shipper *shipper)
{
	memcpy(shipper->producer, shipper->batch.origin.producer, sizeof shipper->producer);
	stream_names(&shipper->names, shipper->prefix, shipper->options.partition, shipper->producer);
	shipper->cursor = (struct stream_cursor){ .exists = false };
	shipper->taken_seq = 0;
	shipper->tried_seq = 0;
	shipper->batch_open = false;
	shipper->in_place = false;
}

/* One turn. */

static void trim(struct shipper *shipper, uint64_t appended)
{
	struct trimmer *trimmer = &shipper->trimmer;

	bool is_done = trimmer_turn(trimmer, shipper->link, &shipper->names, appended);

	pthread_mutex_lock(&shipper->lock);
	shipper->status.trimmed = trimmer->trimmed;
	shipper->status.overtaken = trimmer->overtaken;
	shipper->status.trim_failed = trimmer->failed;
	shipper->status.stream = trimmer->last;
	pthread_mutex_unlock(&shipper->lock);
	if (is_done && trimmer->last.overtaken)
		journal_gap_return(shipper->options.journal, &(struct journal_gap){
			trimmer->last.overtaken, trimmer->last.from_us, trimmer->last.to_us, "trimmed" });
}

enum step {
	STEP_AGAIN,		/* at once */
	STEP_LINGER,		/* hardly anything came */
	STEP_GATHER,		/* more did, and hardly anything waits */
	STEP_IDLE,
	STEP_FAILED,
};

static enum step taken(struct shipper *shipper)
{
	const struct journal_batch *batch = &shipper->batch;
	uint64_t last = batch->entries[batch->count - 1].seq, again = 0;

	for (size_t i = 0; i < batch->count; i++)
		again += batch->entries[i].seq <= shipper->taken_seq;
	journal_shipped(shipper->options.journal, last);
	if (last > shipper->taken_seq)
		shipper->taken_seq = last;
	shipper->batch_open = false;
	shipper->checked_us = clock_steady_us();
	count(shipper, &shipper->status.shipped, batch->count - again);
	count(shipper, &shipper->status.went_back, again);
	say_well(shipper);
	trim(shipper, batch->count);
	if (batch->count >= JOURNAL_BATCH_ENTRIES / 2)
		return STEP_AGAIN;
	return batch->count < FEW ? STEP_LINGER : STEP_GATHER;
}

static enum step send_batch(struct shipper *shipper, enum redis_failure *ret_failure, struct problem *problem)
{
	uint64_t last = shipper->batch.entries[shipper->batch.count - 1].seq;

	if (last <= shipper->tried_seq)
		count(shipper, &shipper->status.resent, 1);
	shipper->tried_seq = last;
	shipper->batch_open = true;
	switch (stream_append(shipper->link, &shipper->names, &shipper->cursor, &shipper->batch,
			      ret_failure, problem)) {
	case STREAM_APPENDED:
		return taken(shipper);
	case STREAM_MOVED_CURSOR:
		count(shipper, &shipper->status.resyncs, 1);
		*ret_failure = follow_cursor(shipper, problem);
		return *ret_failure ? STEP_FAILED : STEP_AGAIN;
	case STREAM_FAILED:
		break;
	}
	shipper->in_place = false;
	return STEP_FAILED;
}

static enum step idle(struct shipper *shipper, enum redis_failure *ret_failure, struct problem *problem)
{
	uint64_t now = clock_steady_us();

	if (now - shipper->checked_us >= IDLE_CHECK_US) {
		shipper->checked_us = now;
		*ret_failure = find_place(shipper, problem);
		if (*ret_failure)
			return STEP_FAILED;
	}
	say_well(shipper);
	if (shipper->producer[0] && redis_link_is_open(shipper->link))
		trim(shipper, 0);
	return STEP_IDLE;
}

static enum step ship_some(struct shipper *shipper, enum redis_failure *ret_failure, struct problem *problem)
{
	if (!redis_link_is_open(shipper->link) || (shipper->producer[0] && !shipper->in_place)) {
		*ret_failure = find_place(shipper, problem);
		if (*ret_failure)
			return STEP_FAILED;
	}
	int found = journal_read(shipper->options.journal, &shipper->batch);

	if (found < 0) {
		problem_set(problem, "cannot read the journal: %s", strerror(-found));
		*ret_failure = REDIS_WAIT;
		return STEP_FAILED;
	}
	if (found == 0)
		return idle(shipper, ret_failure, problem);
	if (strcmp(shipper->batch.origin.producer, shipper->producer) != 0) {
		read_other_producer(shipper);
		return STEP_AGAIN;
	}
	return send_batch(shipper, ret_failure, problem);
}

static void back_off(struct shipper *shipper, enum redis_failure failure, const struct problem *problem)
{
	uint64_t most_us = failure == REDIS_OPERATOR ? BACK_OFF_OPERATOR_MAX_US : BACK_OFF_MAX_US;
	uint64_t pause_us = shipper->back_off_us ? shipper->back_off_us * 2 : BACK_OFF_FIRST_US;

	say_failed(shipper, failure, problem);
	if (pause_us > most_us)
		pause_us = most_us;
	shipper->back_off_us = pause_us;
	pause_us += pause_us / 4 * (unsigned)(rand_r(&shipper->seed) % 1000) / 500 - pause_us / 4;
	pause_until_stop(shipper, pause_us);
}

static bool may_go_on(struct shipper *shipper)
{
	pthread_mutex_lock(&shipper->lock);
	bool may = !shipper->stopping || clock_steady_us() < shipper->drain_until_us;

	pthread_mutex_unlock(&shipper->lock);
	return may;
}

static void *ship(void *context)
{
	struct shipper *shipper = context;

	behind_begin("ship");
	while (may_go_on(shipper)) {
		enum redis_failure failure = REDIS_OK;
		struct problem problem = { "" };
		enum step step = ship_some(shipper, &failure, &problem);

		if (step == STEP_FAILED)
			back_off(shipper, failure, &problem);
		if (is_stopping(shipper)) {
			shipper->drain_failures += step == STEP_FAILED;
			if (step == STEP_IDLE || shipper->drain_failures >= DRAIN_FAILURES_MAX)
				break;
			continue;
		}
		if (step == STEP_IDLE)
			journal_wait_read(shipper->options.journal, IDLE_WAIT_MS);
		if (step == STEP_IDLE || step == STEP_LINGER || step == STEP_GATHER)
			pause_until_stop(shipper, step == STEP_GATHER ? GATHER_US : LINGER_US);
	}
	redis_link_close(shipper->link);
	return NULL;
}

static void shipper_free(struct shipper *shipper)
{
	redis_link_free(shipper->link);
	free(shipper->prefix);
	free((char *)shipper->options.redis.address);
	free(shipper);
}

static int start_thread(struct shipper *shipper)
{
	pthread_condattr_t monotonic;

	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_mutex_init(&shipper->lock, NULL);
	(void)pthread_cond_init(&shipper->wake, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	return thread_start(&shipper->thread, ship, shipper);
}

int shipper_start(struct shipper **ret_shipper, const struct shipper_options *options)
{
	struct shipper *shipper = calloc(1, sizeof *shipper);
	int error = -ENOMEM;

	if (!shipper)
		return error;
	shipper->options = *options;
	shipper->options.redis.address = strdup(options->redis.address);
	shipper->prefix = strdup(options->prefix);
	shipper->link = redis_link_new(&options->redis);
	shipper->name = options->name ? options->name : "";
	shipper->trimmer.rule = options->trim;
	shipper->trimmer.name = shipper->name;
	shipper->state = STATE_CONNECTING;
	shipper->status.state = state_names[STATE_CONNECTING];
	shipper->status.since_us = clock_now_us();
	shipper->seed = (unsigned)shipper->status.since_us;
	if (shipper->options.redis.address && shipper->prefix && shipper->link)
		error = start_thread(shipper);
	if (error) {
		shipper_free(shipper);
		return error;
	}
	*ret_shipper = shipper;
	return 0;
}

void shipper_finish(struct shipper *shipper, uint64_t drain_timeout_us)
{
	if (!shipper)
		return;
	pthread_mutex_lock(&shipper->lock);
	if (!shipper->stopping)
		shipper->drain_until_us = clock_steady_us() + drain_timeout_us;
	shipper->stopping = true;
	pthread_cond_signal(&shipper->wake);
	pthread_mutex_unlock(&shipper->lock);
	journal_wake(shipper->options.journal);
}

void shipper_stop(struct shipper *shipper, uint64_t drain_timeout_us)
{
	if (!shipper)
		return;
	shipper_finish(shipper, drain_timeout_us);
	(void)pthread_join(shipper->thread, NULL);
	pthread_cond_destroy(&shipper->wake);
	pthread_mutex_destroy(&shipper->lock);
	shipper_free(shipper);
}

void shipper_status(struct shipper *shipper, struct shipper_status *ret_status)
{
	pthread_mutex_lock(&shipper->lock);
	*ret_status = shipper->status;
	pthread_mutex_unlock(&shipper->lock);
}
