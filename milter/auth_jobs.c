/* auth_jobs.c - the queue and the workers. */
#include "auth_jobs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "auth_job.h"
#include "clock.h"

enum { HELO_MAX = 512, FROM_MAX = 512 };

struct auth_jobs {
	struct auth_tools tools;
	size_t queue_max;
	size_t worker_count;
	pthread_t *workers;

	pthread_mutex_t lock;		/* guards what follows */
	pthread_cond_t has_work, is_idle;
	struct auth_job *first, *last;
	size_t waiting, running;
	bool is_stopping;		/* nothing is taken any more; what waits is still done, until it is cut */
	struct auth_statistics statistics;
};

/* ---- the workers ---- */

/* NULL: stop. */
static struct auth_job *take_job(struct auth_jobs *jobs)
{
	struct auth_job *job;

	pthread_mutex_lock(&jobs->lock);
	while (!jobs->first && !jobs->is_stopping)
		pthread_cond_wait(&jobs->has_work, &jobs->lock);
	job = jobs->first;
	if (job) {
		jobs->first = job->next;
		jobs->waiting--;
		jobs->running++;
	}
	pthread_mutex_unlock(&jobs->lock);
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

static void do_job(struct auth_jobs *jobs, struct auth_job *job)
{
	enum auth_outcome outcome = check_or_skip(jobs, job);

	auth_job_free(job);
	pthread_mutex_lock(&jobs->lock);
	jobs->statistics.shutdown += outcome == AUTH_SHUTDOWN;
	jobs->statistics.deadline += outcome == AUTH_DEADLINE;
	jobs->running--;
	if (jobs->running == 0 && !jobs->first)
		pthread_cond_broadcast(&jobs->is_idle);
	pthread_mutex_unlock(&jobs->lock);
}

static void *work(void *context)
{
	struct auth_jobs *jobs = context;
	struct auth_job *job;

	(void)prctl(PR_SET_NAME, "auth", 0, 0, 0);
	while ((job = take_job(jobs)))
		do_job(jobs, job);
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
	jobs->queue_max = config->auth_queue;
	jobs->tools.recorder = recorder;
	(void)snprintf(jobs->tools.host, sizeof jobs->tools.host, "%s", host);
	(void)pthread_mutex_init(&jobs->lock, NULL);
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&jobs->has_work, &monotonic);
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

void auth_jobs_stop(struct auth_jobs *jobs, uint64_t timeout_us)
{
	uint64_t until_us = dns_now_us() + timeout_us;
	const struct timespec until = { (time_t)(until_us / 1000000), (long)(until_us % 1000000) * 1000 };

	pthread_mutex_lock(&jobs->lock);
	jobs->is_stopping = true;
	pthread_cond_broadcast(&jobs->has_work);
	while (jobs->first || jobs->running)
		if (pthread_cond_timedwait(&jobs->is_idle, &jobs->lock, &until) == ETIMEDOUT)
			break;
	pthread_mutex_unlock(&jobs->lock);
	atomic_store(&jobs->tools.is_cut, true);
	/* Whoever waits for an answer gets one now. */
	if (jobs->tools.dns)
		dns_cancel(jobs->tools.dns);
	for (size_t i = 0; i < jobs->worker_count; i++)
		(void)pthread_join(jobs->workers[i], NULL);
	jobs->worker_count = 0;
}

void auth_jobs_free(struct auth_jobs *jobs)
{
	if (!jobs)
		return;
	dns_stop(jobs->tools.dns);
	dkim_library_free(jobs->tools.dkim);
	dmarc_suffixes_close(jobs->tools.suffixes);
	(void)pthread_cond_destroy(&jobs->has_work);
	(void)pthread_cond_destroy(&jobs->is_idle);
	(void)pthread_mutex_destroy(&jobs->lock);
	free(jobs->workers);
	free(jobs);
}

void auth_jobs_statistics(struct auth_jobs *jobs, struct auth_statistics *ret_statistics)
{
	pthread_mutex_lock(&jobs->lock);
	*ret_statistics = jobs->statistics;
	ret_statistics->waiting = jobs->waiting;
	pthread_mutex_unlock(&jobs->lock);
	dns_statistics(jobs->tools.dns, &ret_statistics->dns);
}

/* ---- a job ---- */

static char *copy_text(struct text text, size_t max)
{
	return strndup(text.start ? text.start : "", text.length < max ? text.length : max);
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
	};

	job->jobs = jobs;
	job->config = config_take(config);
	(void)snprintf(job->session, sizeof job->session, "%s", sender->session);
	job->message = sender->message;
	job->origin = sender->origin;
	job->client = sender->client;
	job->helo = copy_text(sender->helo, HELO_MAX);
	job->from = copy_text(sender->from, FROM_MAX);
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

/* NULL: it waits for a worker now; else why it does not. */
static const char *enqueue(struct auth_jobs *jobs, struct auth_job *job)
{
	const char *reason = NULL;

	pthread_mutex_lock(&jobs->lock);
	jobs->statistics.jobs++;
	if (jobs->is_stopping) {
		jobs->statistics.shutdown++;
		reason = "shutdown";
	} else if (jobs->waiting >= jobs->queue_max) {
		jobs->statistics.overload++;
		reason = "overload";
	} else {
		*(jobs->first ? &jobs->last->next : &jobs->first) = job;
		jobs->last = job;
		jobs->waiting++;
		pthread_cond_signal(&jobs->has_work);
	}
	pthread_mutex_unlock(&jobs->lock);
	return reason;
}

static void hand_over(struct auth_job *job, const char *queue_id)
{
	struct auth_jobs *jobs = job->jobs;

	(void)snprintf(job->queue_id, sizeof job->queue_id, "%s", queue_id);
	job->deadline_us = dns_now_us() + job->config->auth_deadline_us;
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
