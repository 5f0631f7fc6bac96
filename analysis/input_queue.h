/*
 * input_queue.h - Postfix' queue, as `postqueue -j` tells it: one JSON object a message.
 *
 * Threads: one owner at a time. An entry lives until the next call.
 * Limits:  a line of INPUT_QUEUE_LINE_MAX bytes; a longer one, or one that is no such object, is counted and left.
 */
#ifndef SMTPTRAIL_INPUT_QUEUE_H
#define SMTPTRAIL_INPUT_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/problem.h"
#include "common/text.h"

enum { INPUT_QUEUE_LINE_MAX = 64 * 1024 * 1024, INPUT_QUEUE_NAME_SIZE = 256 };

struct queue_recipient {
	struct text address;
	struct text delay_reason;	/* absent: none was told */
};

struct queue_entry {
	/* Whoever reads it knows: the host, and what its instance calls itself in the log (absent: postfix). */
	struct text host, syslog_name;
	struct text queue_name;		/* active, incoming, deferred, hold, ... */
	struct text queue_id, sender;
	uint64_t arrival_us, size;
	uint64_t seen_us;		/* when the queue was looked at */
	uint64_t line;
	size_t recipient_count;
	const struct queue_recipient *recipients;
};

struct input_queue;

/* What postqueue -j printed into the file of that path. A directory: it is run with the configuration there; NULL: with the usual
 * one. 0 or -errno with the problem in words. */
int input_queue_open(struct input_queue **ret_queue, const char *path, struct problem *problem);
/* Whose queue it is that postqueue -j tells of, as the log calls it: HOST/SYSLOG_NAME. Postfix says so itself (postconf, with the
 * configuration in the path if that is a directory); where it does not, it is the host that we are on. */
void input_queue_name(const char *path, char ret_name[INPUT_QUEUE_NAME_SIZE]);
/* 0; -EIO: postqueue failed, and the list may not be whole. */
int input_queue_close(struct input_queue *queue);
/* When it was looked at: now, or when the file was written. */
uint64_t input_queue_time(const struct input_queue *queue);
/* 1: an entry; 0: the end; -errno. */
int input_queue_next(struct input_queue *queue, struct queue_entry *ret_entry);
/* Lines that were none. */
uint64_t input_queue_bad(const struct input_queue *queue);

#endif
