/*
 * log_reader.h - a log file as events: its bytes, frames and formats in one call for each line.
 *
 * Threads: one owner at a time. An event lives until the next call.
 */
#ifndef SMTPTRAIL_LOG_READER_H
#define SMTPTRAIL_LOG_READER_H

#include "analysis/format.h"
#include "common/problem.h"

struct log_options {
	const struct format *format;	/* NULL: by content */
	int year;			/* of the first line; 0: not given */
};

struct log_reader;

/* 0 or -ENOMEM. */
int log_reader_new(struct log_reader **ret_reader, const struct log_options *options);
void log_reader_free(struct log_reader *reader);

/* "-": standard input. 0 or -errno with the problem in words. */
int log_reader_open(struct log_reader *reader, const char *path, struct problem *problem);
/* 1: an event; 0: the end of the file; -errno: it could not be read to its end. */
int log_reader_next(struct log_reader *reader, struct event *event, enum format_result *ret_result);
/* Bytes of log that were read, of all files. */
uint64_t log_reader_bytes(const struct log_reader *reader);

#endif
