/* auth_jobs.c - the queue and the workers. */
#include "auth_jobs.h"

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "auth_job.h"
#include "common/behind.h"

/* By REPLY_US after its end a message is long acknowledged: a check that began at once would contend for a core with that. */
enum { HELO_MAX = 512, FROM_MAX = 512, REPLY_US = 3000 };

struct auth_jobs {
	struct auth_tools tools;
	size_t queue_max;
	uint64_t bytes_max;
	size_t worker_count;
	pthread_t *workers;

	/* What a session touches: no lock, so that it waits for no worker that lost its core holding one. */
	_Atomic(struct auth_job *) incoming;	/* newest first */
	sem_t work;			/* counts jobs; at the stop, workers too */
	atomic_uint_fast64_t waiting, waiting_bytes, waiting_aborted, unfinished;
	atomic_uint_fast64_t handing_over;	/* sessions that are doing so */
	atomic_bool is_stopping;	/* nothing is taken any more; what waits is still done, until it is cut */
	atomic_uint_fast64_t jobs, overload, deadline, shutdown, limit;	/* as struct auth_statistics */

	pthread_mutex_t lock;		/* guards what follows: of the workers and the stop */
	pthread_cond_t is_idle;
	struct line { struct auth_job *first, **end; } whole, aborted;	/* the oldest first */
};

/* ---- the workers ---- */

/* What came in, the oldest first. */
static struct auth_job *take_incoming(struct auth_jobs *jobs)
{
	struct auth_job *newest = atomic_exchange(&jobs->incoming, NULL), *oldest = NULL, *next;

	for (; newest; newest = next) {
		next = newest->next;
		newest->next = oldest;
		oldest = newest;
	}
	return oldest;
}

static void sort_incoming(struct auth_jobs *jobs)
{
	struct auth_job *job = take_incoming(jobs), *next;

	for (; job; job = next) {
		struct line *line = job->is_aborted ? &jobs->aborted : &jobs->whole;

		next = job->next;
		job->next = NULL;
		*line->end = job;
		line->end = &job->next;
	}
}

/* NULL: there is none. A message that was aborted costs its sender nothing: it comes behind those that were not. */
static struct auth_job *take_job(struct auth_jobs *jobs)
{
	pthread_mutex_lock(&jobs->lock);
	sort_incoming(jobs);
	struct line *line = jobs->whole.first ? &jobs->whole : &jobs->aborted;
	struct auth_job *job = line->first;

	if (job)
		line->first = job->next;
	if (!line->first)
		line->end = &line->first;
	pthread_mutex_unlock(&jobs->lock);
	if (job) {
		atomic_fetch_sub(&jobs->waiting, 1);
		atomic_fetch_sub(&jobs->waiting_aborted, job->is_aborted);
		atomic_fetch_sub(&jobs->waiting_bytes, job->bytes);
	}
	return job;
}

static enum auth_outcome check_or_skip(struct auth_jobs *jobs, struct auth_job *job)
{
	if (atomic_load(&jobs->tools.is_cut)) {
		auth_skip(&jobs->tools, job, "shutdown");
		return AUTH_SHUTDOWN;
	}
	if (dns_now_us() >= job->deadline_us) {
		auth_skip(&jobs->tools, job, "deadline");
		return AUTH_DEADLINE;
	}
	return auth_check(&jobs->tools, job);
}

static void let_the_reply_go(const struct auth_jobs *jobs, const struct auth_job *job)
{
	const uint64_t now_us = dns_now_us(), left_us = job->begin_us > now_us ? job->begin_us - now_us : 0;

	if (left_us > 0 && !atomic_load(&jobs->tools.is_cut))
		(void)nanosleep(&(struct timespec){ 0, (long)left_us * 1000 }, NULL);
}

static void do_job(struct auth_jobs *jobs, struct auth_job *job)
{
	enum auth_outcome outcome;

	let_the_reply_go(jobs, job);
	outcome = check_or_skip(jobs, job);
	auth_job_free(job);
	atomic_fetch_add(&jobs->shutdown, outcome == AUTH_SHUTDOWN);
	atomic_fetch_add(&jobs->deadline, outcome == AUTH_DEADLINE);
	atomic_fetch_add(&jobs->limit, outcome == AUTH_LIMIT);
	if (atomic_fetch_sub(&jobs->unfinished, 1) > 1)
		return;
	pthread_mutex_lock(&jobs->lock);
	pthread_cond_broadcast(&jobs->is_idle);
	pthread_mutex_unlock(&jobs->lock);
}

/* Each job is behind one count; a count without a job is the stop. */
static void *work(void *context)
{
	struct auth_jobs *jobs = context;
	struct auth_job *job;

	behind_begin("auth");
	do {
		while (sem_wait(&jobs->work))
			;
		job = take_job(jobs);
		if (job)
			do_job(jobs, job);
	} while (job);
	return NULL;
}

/* ---- start and stop ---- */

static int open_tools(struct auth_jobs *jobs, const struct config *config, struct problem *problem)
{
	const struct dns_config dns = {
		.servers = (const char *const *)config->dns_servers.items,
		.server_count = config->dns_servers.count,
		.trust_anchor_file = config->dnssec_trust_anchor[0] ? config->dnssec_trust_anchor : NULL,
		.question_time_us = config->dns_timeout_us,
		.cache_entries = config->dns_cache_entries,
	};
	int error = dmarc_suffixes_open(config->public_suffix_list[0] ? config->public_suffix_list : NULL,
					&jobs->tools.suffixes, problem);

	if (error)
		return error;
	jobs->tools.dkim = dkim_library_new(dns.trust_anchor_file != NULL);
	if (!jobs->tools.dkim) {
		problem_set(problem, "libopendkim does not start: no memory");
		return -ENOMEM;
	}
	return dns_start(&dns, &jobs->tools.dns, problem);
}

static int start_workers(struct auth_jobs *jobs, size_t count, struct problem *problem)
{
	int error = 0;

	jobs->workers = calloc(count, sizeof *jobs->workers);
	if (!jobs->workers)
		error = ENOMEM;
	while (!error && jobs->worker_count < count) {
		error = pthread_create(&jobs->workers[jobs->worker_count], NULL, work, jobs);
		jobs->worker_count += !error;
	}
	if (error)
		problem_set(problem, "cannot start a thread for checks: %s", strerror(error));
	return -error;
}

int auth_jobs_start(struct auth_jobs **ret_jobs, const struct config *config, struct recorder *recorder,
		    const char *host, struct problem *problem)
{
	struct auth_jobs *jobs = calloc(1, sizeof *jobs);
	pthread_condattr_t monotonic;
	int error;

	if (!jobs) {
		problem_set(problem, "cannot start the checks: no memory");
		return -ENOMEM;
	}
	jobs->whole.end = &jobs->whole.first;
	jobs->aborted.end = &jobs->aborted.first;
	jobs->queue_max = config->auth_queue;
	jobs->bytes_max = config->auth_queue_size;
	jobs->tools.recorder = recorder;
	(void)snprintf(jobs->tools.host, sizeof jobs->tools.host, "%s", host);
	(void)pthread_mutex_init(&jobs->lock, NULL);
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)sem_init(&jobs->work, 0, 0);
	(void)pthread_cond_init(&jobs->is_idle, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	error = open_tools(jobs, config, problem);
	if (!error)
		error = start_workers(jobs, config->auth_workers, problem);
	if (!error) {
		*ret_jobs = jobs;
		return 0;
	}
	auth_jobs_stop(jobs, 0);
	auth_jobs_free(jobs);
	return error;
}

static void end_workers(struct auth_jobs *jobs)
{
	struct auth_job *job;

	for (size_t i = 0; i < jobs->worker_count; i++)
		(void)sem_post(&jobs->work);
	for (size_t i = 0; i < jobs->worker_count; i++)
		(void)pthread_join(jobs->workers[i], NULL);
	jobs->worker_count = 0;
	/* A session that saw no stop may have come behind the last worker. */
	while (atomic_load(&jobs->handing_over) > 0)
		(void)sched_yield();
	while ((job = take_job(jobs)))
		do_job(jobs, job);
}

void auth_jobs_stop(struct auth_jobs *jobs, uint64_t timeout_us)
{
	uint64_t until_us = dns_now_us() + timeout_us;
	const struct timespec until = { (time_t)(until_us / 1000000), (long)(until_us % 1000000) * 1000 };

	atomic_store(&jobs->is_stopping, true);
	pthread_mutex_lock(&jobs->lock);
	while (atomic_load(&jobs->unfinished) > 0)
		if (pthread_cond_timedwait(&jobs->is_idle, &jobs->lock, &until) == ETIMEDOUT)
			break;
	pthread_mutex_unlock(&jobs->lock);
	atomic_store(&jobs->tools.is_cut, true);
	/* Whoever waits for an answer gets one now. */
	if (jobs->tools.dns)
		dns_cancel(jobs->tools.dns);
	end_workers(jobs);
}

void auth_jobs_free(struct auth_jobs *jobs)
{
	if (!jobs)
		return;
	dns_stop(jobs->tools.dns);
	dkim_library_free(jobs->tools.dkim);
	dmarc_suffixes_close(jobs->tools.suffixes);
	(void)sem_destroy(&jobs->work);
	(void)pthread_cond_destroy(&jobs->is_idle);
	(void)pthread_mutex_destroy(&jobs->lock);
	free(jobs->workers);
	free(jobs);
}

void auth_jobs_statistics(struct auth_jobs *jobs, struct auth_statistics *ret_statistics)
{
	*ret_statistics = (struct auth_statistics){
		.jobs = atomic_load(&jobs->jobs), .overload = atomic_load(&jobs->overload),
		.deadline = atomic_load(&jobs->deadline), .shutdown = atomic_load(&jobs->shutdown),
		.limit = atomic_load(&jobs->limit), .waiting = atomic_load(&jobs->waiting),
		.waiting_bytes = atomic_load(&jobs->waiting_bytes),
	};
	dns_statistics(jobs->tools.dns, &ret_statistics->dns);
}

/* ---- a job ---- */

static char *copy_text(struct text text, size_t max)
{
	return strndup(text.start ? text.start : "", text.length < max ? text.length : max);
}

/* Of an address too long its domain counts. */
static struct text end_of(struct text text, size_t max)
{
	return text.length > max ? (struct text){ text.start + text.length - max, max } : text;
}

struct auth_job *auth_job_new(struct auth_jobs *jobs, struct config *config, const struct auth_sender *sender)
{
	struct auth_job *job = jobs ? calloc(1, sizeof *job) : NULL;

	if (!job)
		return NULL;
	bool wants_dkim = config_has_origin(&config->dkim_origins, sender->origin);
	const struct dkim_limits limits = {
		.signatures = (unsigned)config->dkim_max_signatures,
		.body_hashes = (unsigned)config->dkim_max_body_hashes,
		.body_bytes = config->dkim_max_body_bytes,
		.body_kept = config->dkim_body_kept,
	};

	job->jobs = jobs;
	job->config = config_take(config);
	(void)snprintf(job->session, sizeof job->session, "%s", sender->session);
	job->message = sender->message;
	job->origin = sender->origin;
	job->client = sender->client;
	job->helo = copy_text(sender->helo, HELO_MAX);
	job->from = copy_text(end_of(sender->from, FROM_MAX), FROM_MAX);
	job->is_from_cut = sender->from.length > FROM_MAX;
	job->dkim = wants_dkim ? dkim_check_new(jobs->tools.dkim, &limits) : NULL;
	if (job->helo && job->from && (job->dkim || !wants_dkim))
		return job;
	auth_job_free(job);
	return NULL;
}

void auth_job_free(struct auth_job *job)
{
	if (!job)
		return;
	dkim_check_free(job->dkim);
	config_release(job->config);
	free(job->helo);
	free(job->from);
	free(job);
}

void auth_job_header(struct auth_job *job, struct text name, struct text value)
{
	if (job && job->dkim)
		dkim_check_header(job->dkim, name, value);
}

void auth_job_end_of_header(struct auth_job *job)
{
	if (job && job->dkim)
		dkim_check_end_of_header(job->dkim);
}

void auth_job_body(struct auth_job *job, struct text chunk)
{
	if (job && job->dkim)
		dkim_check_body(job->dkim, chunk);
}

/* Adds, unless that is more than the most. */
static bool take_room(atomic_uint_fast64_t *taken, uint64_t wanted, uint64_t most)
{
	uint_fast64_t before = atomic_load(taken);

	while (wanted <= most && before <= most - wanted)
		if (atomic_compare_exchange_weak(taken, &before, before + wanted))
			return true;
	return false;
}

/* Messages that were aborted leave half of the room to others. */
static bool has_room(struct auth_jobs *jobs, const struct auth_job *job)
{
	if (!take_room(&jobs->waiting_aborted, job->is_aborted, (jobs->queue_max + 1) / 2))
		return false;
	if (!take_room(&jobs->waiting, 1, jobs->queue_max))
		goto give_back_aborted;
	if (take_room(&jobs->waiting_bytes, job->bytes, jobs->bytes_max))
		return true;
	atomic_fetch_sub(&jobs->waiting, 1);
give_back_aborted:
	atomic_fetch_sub(&jobs->waiting_aborted, job->is_aborted);
	return false;
}

static void push(struct auth_jobs *jobs, struct auth_job *job)
{
	atomic_fetch_add(&jobs->unfinished, 1);
	job->next = atomic_load(&jobs->incoming);
	while (!atomic_compare_exchange_weak(&jobs->incoming, &job->next, job))
		;
	(void)sem_post(&jobs->work);
}

/* NULL: it waits for a worker now; else why it does not. */
static const char *enqueue(struct auth_jobs *jobs, struct auth_job *job)
{
	const char *reason = NULL;

	atomic_fetch_add(&jobs->jobs, 1);
	/* Said before the stop is looked for: it waits for those that did not see it. */
	atomic_fetch_add(&jobs->handing_over, 1);
	if (atomic_load(&jobs->is_stopping)) {
		atomic_fetch_add(&jobs->shutdown, 1);
		reason = "shutdown";
	} else if (has_room(jobs, job)) {
		push(jobs, job);
	} else {
		atomic_fetch_add(&jobs->overload, 1);
		reason = "overload";
	}
	atomic_fetch_sub(&jobs->handing_over, 1);
	return reason;
}

static void hand_over(struct auth_job *job, const char *queue_id)
{
	struct auth_jobs *jobs = job->jobs;
	const uint64_t now_us = dns_now_us();

	(void)snprintf(job->queue_id, sizeof job->queue_id, "%s", queue_id);
	job->begin_us = now_us + REPLY_US;
	job->deadline_us = now_us + job->config->auth_deadline_us;
	job->bytes = sizeof *job + strlen(job->helo) + strlen(job->from) + (job->dkim ? dkim_check_bytes(job->dkim) : 0);
	const char *reason = enqueue(jobs, job);

	if (reason) {
		auth_skip(&jobs->tools, job, reason);
		auth_job_free(job);
	}
}

void auth_job_submit(struct auth_job *job, const struct auth_end *end)
{
	if (!job)
		return;
	auth_job_end_of_header(job);
	job->size = end->size;
	job->recipients = end->recipients;
	job->recipients_rejected = end->recipients_rejected;
	job->from_count = end->from_count;
	(void)snprintf(job->from_domain, sizeof job->from_domain, "%.*s", TEXT_ARGS(end->from_domain));
	hand_over(job, end->queue_id);
}

void auth_job_abort(struct auth_job *job, const char *queue_id)
{
	if (!job)
		return;
	job->is_aborted = true;
	dkim_check_free(job->dkim);
	job->dkim = NULL;
	if (config_has_origin(&job->config->spf_origins, job->origin))
		hand_over(job, queue_id);
	else
		auth_job_free(job);
}
