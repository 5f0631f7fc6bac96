/*
 * ingest_queue.h - what is in Postfix' queue, now and then, handed to the join; when it was looked at last is in the store.
 *
 * Threads: one owner at a time.
 * Errors:  a list that cannot be read, or not to its end, is said and counted; what the store says ends the run.
 */
#ifndef SMTPTRAIL_INGEST_QUEUE_H
#define SMTPTRAIL_INGEST_QUEUE_H

#include "analysis/correlate.h"
#include "analysis/store.h"

struct ingest_queue {
	const char *path;		/* as input_queue_open has it */
	const char *host;		/* whose queue it is: HOST, or HOST/SYSLOG_NAME for that of one instance */
	struct correlate *correlate;
	struct source_table *sources;
	struct store *store;
	void (*notice)(void *context, const char *sentence);
	void *context;

	uint64_t entries, bad;		/* messages; lines that are none, and lists that failed */
	uint64_t read_us, seen_us;	/* when it was read last, by a clock that only goes on; the time of that list */
};

int ingest_queue_load(struct ingest_queue *queue, struct problem *problem);
bool ingest_queue_is_due(const struct ingest_queue *queue);
/* To be called once all lines from before were given. A list that is no newer than the last one says nothing.
 * *ret_has_news: there is something to commit. */
int ingest_queue_read(struct ingest_queue *queue, bool *ret_has_news, struct problem *problem);

#endif
