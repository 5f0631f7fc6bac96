/* ingest_queue.c - one list of the queue after the other. */
#include "analysis/ingest_queue.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/input_queue.h"
#include "common/clock.h"

static const char kind[] = "queue", program_name[] = "postqueue -j";

enum { TIME_SIZE = 32 };

static const uint64_t every_us = UINT64_C(300) * 1000000;

/* ---- when it was looked at last ---- */

static void take_time(void *context, struct text name, struct text state)
{
	struct ingest_queue *queue = context;
	char words[TIME_SIZE];

	(void)snprintf(words, sizeof words, "%.*s", TEXT_ARGS(state));
	if (text_is(name, queue->host))
		queue->seen_us = strtoull(words, NULL, 10);
}

int ingest_queue_load(struct ingest_queue *queue, struct problem *problem)
{
	return store_each_input(queue->store, kind, take_time, queue, problem);
}

static int keep_time(const struct ingest_queue *queue, struct problem *problem)
{
	char words[TIME_SIZE];

	(void)snprintf(words, sizeof words, "%" PRIu64, queue->seen_us);
	return store_set_input(queue->store, kind, text_of(queue->host), text_of(words), problem);
}

bool ingest_queue_is_due(const struct ingest_queue *queue)
{
	return !queue->read_us || clock_steady_us() - queue->read_us >= every_us;
}

/* ---- a list ---- */

/* Closes it. */
static int give(struct ingest_queue *queue, struct input_queue *list)
{
	const size_t length = strcspn(queue->host, "/");
	const struct text host = { queue->host, length };
	const struct text syslog_name = queue->host[length] ? text_of(queue->host + length + 1) : TEXT_NONE;
	uint16_t source = source_number(queue->sources, SOURCE_QUEUE, text_of(queue->path ? queue->path : program_name));
	struct queue_entry entry;
	int more, failed;

	queue->seen_us = input_queue_time(list);
	while ((more = input_queue_next(list, &entry)) > 0) {
		entry.host = host;
		entry.syslog_name = syslog_name;
		correlate_queue_entry(queue->correlate, &entry, source);
		queue->entries++;
	}
	queue->bad += input_queue_bad(list);
	failed = input_queue_close(list);
	if (!more && !failed)
		correlate_queue_end(queue->correlate, host, syslog_name, queue->seen_us, source);
	return more ? more : failed;
}

int ingest_queue_read(struct ingest_queue *queue, bool *ret_has_news, struct problem *problem)
{
	struct problem words = { "" };
	struct input_queue *list;
	int error = input_queue_open(&list, queue->path, &words);

	queue->read_us = clock_steady_us();
	if (!error && input_queue_time(list) <= queue->seen_us) {
		(void)input_queue_close(list);
		return 0;
	}
	if (!error) {
		error = give(queue, list);
		*ret_has_news = true;
		if (error)
			problem_set(&words, "cannot read the queue from '%s' to its end; what was read of it counts",
				    queue->path ? queue->path : program_name);
	}
	if (!error)
		return keep_time(queue, problem);
	queue->bad++;
	queue->notice(queue->context, words.text);
	return 0;
}
