/*
 * log_pipeline.h - log files as events in the order of their lines, read by several threads.
 *
 * The work on a batch of lines has three steps: its bytes are read and put into frames (one batch at a time, in order: the
 * year of a stamp, repeated lines and entries of journald follow from lines before), its lines are taken apart (any batch, at
 * any time), and its events are given to the consumer (one batch at a time, in order). No thread has a role: each
 * takes the step that lies furthest on, so that no core waits while there is work. Lines of a format's own (own_lines.h) are
 * read by one thread, one by one. The events are those of log_reader_next.
 *
 * Threads: one owner at a time, whose thread works too. The consumer is called by any of the threads, never by two at once.
 * Memory:  a batch for each step and thread (event_batch.h); events, fields and texts are lent for the call.
 */
#ifndef SMTPTRAIL_LOG_PIPELINE_H
#define SMTPTRAIL_LOG_PIPELINE_H

#include "analysis/log_reader.h"

enum { LOG_PIPELINE_THREADS_MAX = 4 };

struct log_consumer {
	/* The next events. 0; else reading stops, and log_pipeline_read returns it. */
	int (*take)(void *context, const struct event *events, size_t count);
	void *context;
};

struct log_pipeline;

/* threads: 0, as many as there are cores to be had. Fewer where the system has none to give. 0 or -ENOMEM. */
int log_pipeline_new(struct log_pipeline **ret_pipeline, const struct log_options *options, unsigned threads);
void log_pipeline_free(struct log_pipeline *pipeline);

/* Reads a file ("-": standard input) to its end; files of a rotated set one after the other, oldest first. 0; -errno with the
 * problem in words, when all that could be read was consumed; or what the consumer returned. */
int log_pipeline_read(struct log_pipeline *pipeline, const char *path, const struct log_consumer *consumer,
		      struct problem *problem);
/* Bytes of log that were read, of all files. */
uint64_t log_pipeline_bytes(const struct log_pipeline *pipeline);

#endif
