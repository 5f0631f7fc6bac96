/*
 * correlate_files.h - log files, and files of records, read and joined, for every verb that answers straight from files.
 *
 * Records are JSON lines, as `smtptrail journal dump --json` prints them; a file tells by its first line what it is.
 *
 * Threads: one owner at a time; line is called by several threads (log_pipeline.h), one at a time.
 * Errors:  a file that cannot be read is told on standard error, and the others are read.
 */
#ifndef SMTPTRAIL_CORRELATE_FILES_H
#define SMTPTRAIL_CORRELATE_FILES_H

#include "analysis/correlate.h"
#include "analysis/log_reader.h"

struct correlate_files {
	const char *verb;		/* for messages */
	struct log_options log;
	struct correlate *correlate;
	struct source_table *sources;
	bool is_again;			/* what cannot be read has been told before */
	bool is_alone;			/* one file is read, and no other */
	/* Shown each line before it is joined, perhaps a batch of them before the first is; NULL: nobody is. */
	void (*line)(void *context, const struct event *event, enum format_result result);
	void *context;

	uint64_t understood, unknown, foreign, bytes;	/* what was read */
	uint64_t from_us, until_us;			/* first and last time of the lines; 0: none had one */
	unsigned unreadable;				/* files */
};

/* Whether one of them is a file of records. */
bool correlate_files_have_records(char **paths, size_t path_count);
/* Reads the files, rotated ones oldest first, several hosts' side by side in the order of their times; none: standard input.
 * Does not finish the join. 0 or -ENOMEM. */
int correlate_files_read(struct correlate_files *files, char **paths, size_t path_count);

#endif
