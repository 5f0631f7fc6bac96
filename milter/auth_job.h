/*
 * auth_job.h - one message to be checked: for auth_jobs.c, which queues it, and auth_check.c, which does it.
 *
 * Threads: as auth_jobs.h; auth_check and auth_skip write records and may run in any thread, auth_check waits.
 */
#ifndef SMTPTRAIL_MILTER_AUTH_JOB_H
#define SMTPTRAIL_MILTER_AUTH_JOB_H

#include "auth_jobs.h"
#include "common/auth/dkim.h"
#include "common/auth/dmarc.h"

/* What all checks share. */
struct auth_tools {
	/* constant after the start */
	struct recorder *recorder;
	struct dns *dns;
	struct dkim_library *dkim;
	struct dmarc_suffixes *suffixes;
	char host[256];			/* for explanations of SPF; empty: not known */
	atomic_bool is_cut;		/* the milter stops, and the DNS answers nothing any more */
};

struct auth_job {
	struct auth_job *next;
	struct auth_jobs *jobs;
	struct config *config;
	char session[32];
	uint64_t message;
	enum config_origin origin;
	struct spf_address client;
	char *helo, *from;		/* their bytes are no NUL */
	bool is_from_cut;		/* in front */
	struct dkim_check *dkim;	/* NULL: not asked for */
	uint64_t begin_us, deadline_us;	/* not before, not after; by dns_now_us */
	size_t bytes;			/* of memory, when it was handed over */

	bool is_aborted;		/* SPF alone is wanted */
	char queue_id[64];
	uint64_t size, recipients, recipients_rejected, from_count;
	char from_domain[DOMAIN_SIZE];
};

enum auth_outcome { AUTH_DONE, AUTH_LIMIT, AUTH_DEADLINE, AUTH_SHUTDOWN };

/* Does the checks and writes their records; tells what came before the end of them, if anything. */
enum auth_outcome auth_check(struct auth_tools *tools, struct auth_job *job);
/* Writes the records of a message that was not checked, and why. */
void auth_skip(struct auth_tools *tools, struct auth_job *job, const char *reason);

#endif
