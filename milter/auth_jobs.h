/*
 * auth_jobs.h - SPF, DKIM, DMARC and the verdict of a message, beside the mail.
 *
 * A job is begun at MAIL, fed as headers and body pass, and handed over at the end of the message; of one
 * that was aborted SPF alone is still done. Workers ask the DNS and write the records, from 3 ms after the hand-over on,
 * when the client has the MTA's reply. Handing over
 * never waits: where the queue is full, by jobs or by bytes, the message is not checked, its records say "overload", and it
 * is counted. So are jobs that reach their deadline, or the stop of the milter.
 *
 * Threads: a job has one owner at a time: its session, then a worker. auth_job_submit, auth_job_abort and
 *          auth_jobs_statistics: any thread, and without a lock.
 * Memory:  a job is about 1 KiB, and holds what dkim.h says. It takes its own reference to the configuration.
 * Limits:  auth_queue jobs of auth_queue_size bytes wait, at most half of them of messages that were aborted, which come
 *          behind the others; auth_workers run; auth_deadline for each, from its hand-over.
 * Errors:  where memory is short a message is not checked, and its verdict is counted as lost.
 */
#ifndef SMTPTRAIL_MILTER_AUTH_JOBS_H
#define SMTPTRAIL_MILTER_AUTH_JOBS_H

#include "common/auth/dns.h"
#include "common/auth/spf.h"
#include "config.h"
#include "recorder.h"

struct auth_jobs;
struct auth_job;

/* Who sends, at MAIL. Texts are copied. */
struct auth_sender {
	const char *session;
	uint64_t message;
	enum config_origin origin;
	struct spf_address client;
	struct text helo, from;
};

/* What is known at the end of the message. Texts are copied. */
struct auth_end {
	const char *queue_id;		/* empty: none */
	uint64_t size, recipients, recipients_rejected;
	uint64_t from_count;		/* addresses in all From: fields */
	struct text from_domain;	/* of all of them, in one field; absent: there is no telling */
};

struct auth_statistics {
	uint64_t jobs;			/* handed over since the start */
	uint64_t overload, deadline, shutdown;	/* of these: not checked, or not to the end, and why */
	uint64_t limit;			/* of these: a limit kept a signature from being checked */
	uint64_t waiting;		/* now */
	uint64_t waiting_bytes;
	struct dns_statistics dns;
};

/* The resolver and the workers, as the configuration of the start says. 0, or -errno and words. */
int auth_jobs_start(struct auth_jobs **ret_jobs, const struct config *config, struct recorder *recorder,
		    const char *host, struct problem *problem);
/* Jobs in hand are given this time; what is left is recorded as skipped, and so is what comes later. */
void auth_jobs_stop(struct auth_jobs *jobs, uint64_t timeout_us);
/* After auth_jobs_stop. Accepts NULL. */
void auth_jobs_free(struct auth_jobs *jobs);
void auth_jobs_statistics(struct auth_jobs *jobs, struct auth_statistics *ret_statistics);

/* NULL: no memory, or jobs is NULL. The others accept a NULL job. */
struct auth_job *auth_job_new(struct auth_jobs *jobs, struct config *config, const struct auth_sender *sender);
void auth_job_header(struct auth_job *job, struct text name, struct text value);
void auth_job_end_of_header(struct auth_job *job);
void auth_job_body(struct auth_job *job, struct text chunk);
/* Each of these ends the caller's part in the job. */
void auth_job_submit(struct auth_job *job, const struct auth_end *end);
void auth_job_abort(struct auth_job *job, const char *queue_id);
void auth_job_free(struct auth_job *job);

#endif
