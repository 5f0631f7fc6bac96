/*
 * ingest_logs.h - log files, and systemd's journal, as lines in the order of their times, with positions in the store.
 *
 * A file is known again by what it begins with, whatever it is called and however it is compressed by now; of a log that
 * was rotated since, what is left of the rotated files comes first. So reading the same once more gives nothing, nor does a
 * copy that is read beside it.
 *
 * Threads: one owner at a time.
 * Memory:  a line lives until the next call; a position for each file that was ever read, until the store forgets it.
 * Limits:  regular files, whose first lines differ or that differ where they were last read to; not standard input. Of a
 *          copy that ends before what was read no one knows that it is one: it is read.
 * Errors:  what cannot be read is said once, and left out; with follows it is tried again.
 */
#ifndef SMTPTRAIL_INGEST_LOGS_H
#define SMTPTRAIL_INGEST_LOGS_H

#include "analysis/log_reader.h"
#include "analysis/store.h"

struct ingest_logs_options {
	struct log_options log;
	bool follows;			/* what comes later too */
	struct source_table *sources;
	void (*notice)(void *context, const char *sentence);	/* may quote outside bytes */
	void *context;
};

struct ingest_logs;

/* Positions come from the store. 0 or -errno. */
int ingest_logs_new(struct ingest_logs **ret_logs, const struct ingest_logs_options *options, struct store *store,
		    struct problem *problem);
void ingest_logs_free(struct ingest_logs *logs);
/* Once; relative paths are made absolute. 0 or -ENOMEM. */
int ingest_logs_add_files(struct ingest_logs *logs, char *const *paths, size_t path_count);
/* directory NULL: this machine's. */
int ingest_logs_add_journal(struct ingest_logs *logs, const char *directory, struct problem *problem);

struct ingest_line {
	struct event *event;
	enum format_result result;
	uint16_t source;
	uint64_t time_us;		/* that of the line before, where it tells none */
};

/* The next line; false: there is none now. Until it is taken it is lent again. What had none is asked again after
 * ingest_logs_look_again. */
bool ingest_logs_next(struct ingest_logs *logs, struct ingest_line *ret_line);
void ingest_logs_look_again(struct ingest_logs *logs);
void ingest_logs_taken(struct ingest_logs *logs);
/* With the next commit: all lines that were taken. */
int ingest_logs_keep(struct ingest_logs *logs, struct problem *problem);

struct ingest_logs_counts {
	uint64_t lines, unknown, foreign, bytes;
	uint64_t left;			/* lines that were in the store already */
	unsigned unreadable;
};
void ingest_logs_counts(const struct ingest_logs *logs, struct ingest_logs_counts *ret_counts);

#endif
