/*
 * ingest.h - inputs joined into a store, commit after commit: once to their end, or as they grow.
 *
 * Records and lines are handed to the join in about the order of their times. What was read is acknowledged, or its
 * position moved, by the commit that has it: a kill at any moment loses nothing and doubles nothing.
 *
 * Threads: one owner at a time.
 * Memory:  that of the join, and of what is on its way into the store (commits of INGEST_PENDING_MAX; store.h). What the
 *          options name lives until ingest_close.
 * Errors:  what fails in the store ends the run; inputs that fail are said, and the others go on.
 */
#ifndef SMTPTRAIL_INGEST_H
#define SMTPTRAIL_INGEST_H

#include <signal.h>

#include "analysis/config.h"
#include "analysis/correlate.h"
#include "analysis/ingest_logs.h"
#include "analysis/input_redis.h"
#include "analysis/store.h"

enum { INGEST_PENDING_MAX = 32 * 1024 * 1024, INGEST_QUEUES_MAX = 16 };

/* No two are of the same host: what one of them lacks would have left the other. */
struct ingest_queue_option {
	const char *path;		/* as input_queue_open has it */
	const char *host;		/* NULL: as input_queue_name says */
};

struct ingest_options {
	const struct config *config;
	struct log_options log;
	char *const *logs;
	size_t log_count;
	bool reads_redis, reads_journal, follows;
	const struct ingest_queue_option *queues;
	unsigned queue_count;		/* up to INGEST_QUEUES_MAX */
	const char *journal_directory;	/* NULL: this machine's */
	const volatile sig_atomic_t *stopping;
	void (*notice)(void *context, const char *sentence);	/* may quote outside bytes */
	void (*progress)(void *context);			/* now and then; NULL: nobody looks */
	void *context;
};

struct ingest;

/* Opens the store and what can be opened of the inputs. 0 or -errno. */
int ingest_open(struct ingest **ret_ingest, const struct ingest_options *options, struct problem *problem);
/* 0, or -errno with the problem in words; what was read before is in the store. */
int ingest_run(struct ingest *ingest, struct problem *problem);
void ingest_close(struct ingest *ingest);

struct ingest_counts {
	struct ingest_logs_counts logs;
	struct input_redis_counts redis;
	struct correlate_counts join;
	struct store_counts store;
	uint64_t gaps;			/* records that say so of themselves */
	unsigned days_deleted;
	uint64_t queued, queue_bad;	/* messages of the queue; lines of it that are none */
};
void ingest_counts(const struct ingest *ingest, struct ingest_counts *ret_counts);

#endif
