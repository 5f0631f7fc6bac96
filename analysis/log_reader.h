/*
 * log_reader.h - a log file as events: its bytes, frames and formats in one call for each line.
 *
 * Threads: one owner at a time.
 * Memory:  an event lives until the next call; its file's name until another file is opened.
 */
#ifndef SMTPTRAIL_LOG_READER_H
#define SMTPTRAIL_LOG_READER_H

#include "analysis/event_batch.h"
#include "analysis/format.h"
#include "common/problem.h"

struct log_options {
	const struct format *format;	/* NULL: by content */
	int year;			/* of the first line; 0: not given */
	bool no_shortcut;		/* frames the long way: for those who compare both */
	bool notes_place;		/* for log_reader_place, which says nothing otherwise */
};

enum { LOG_YEAR_MIN = 1970, LOG_YEAR_MAX = 9999 };

/* A year as a person writes it; false: it is none. */
bool log_year_read(const char *word, int *ret_year);

struct log_reader;

/* 0 or -ENOMEM. */
int log_reader_new(struct log_reader **ret_reader, const struct log_options *options);
void log_reader_free(struct log_reader *reader);

/* "-": standard input. 0 or -errno with the problem in words. */
int log_reader_open(struct log_reader *reader, const char *path, struct problem *problem);
/* The same for a file that grows (follow.h), and for systemd's journal (input_journald.h): 0 of log_reader_next means
 * that there is no more now. */
int log_reader_follow(struct log_reader *reader, const char *path, const char *position_path, struct problem *problem);
int log_reader_open_journal(struct log_reader *reader, const char *directory, const char *position_path,
			    struct problem *problem);
/* Of the journal alone: the place of the last event (to free), and going on behind one that was kept. */
char *log_reader_journal_place(struct log_reader *reader);
bool log_reader_journal_go_behind(struct log_reader *reader, const char *place);
/* Waits until there may be more, a signal came, or so long. */
void log_reader_wait(struct log_reader *reader, unsigned milliseconds);
/* Writes down that all events so far are done with. 0 or -errno. */
int log_reader_save(struct log_reader *reader, struct problem *problem);
/* 1: an event; 0: the end of the file; -errno: it could not be read to its end. */
int log_reader_next(struct log_reader *reader, struct event *event, enum format_result *ret_result);

/* For a file that was opened, instead of log_reader_next: whether lines may be read in batches now. Not before a line in a
 * frame was understood, nor while lines are of a format's own. */
bool log_reader_takes_batches(const struct log_reader *reader);
/* Fills the batch with lines that come next. 1: there may be more; LOG_READER_ALONE: the next one is for log_reader_next;
 * 0: the end of the file; -errno: it could not be read to its end. What was filled before stands. */
enum { LOG_READER_ALONE = 3 };
int log_reader_fill(struct log_reader *reader, struct event_batch *batch);

/*
 * How far a file was read by log_reader_next, whatever its name or compression: behind the last event. Who reads the same
 * file again from its start, and leaves as many events, goes on behind it.
 */
struct log_place {
	uint64_t head, mark;		/* digests: of its first line, and of the last line that was read. 0: none was */
	uint64_t lines, events;
};
struct log_place log_reader_place(const struct log_reader *reader);
/* Whether a file begins with what was read up to there. */
bool log_place_is_of(const struct log_place *place, const char *path);
/* The first digest alone; 0: the file has no whole line yet, or cannot be read. */
uint64_t log_place_head(const char *path);
/* Whether two files begin alike, and not in their headings alone: the one is the other, or what that was before or is by now. */
bool log_place_is_alike(const char *path, const char *other);

/* Bytes of log that were read, of all files. */
uint64_t log_reader_bytes(const struct log_reader *reader);

#endif
