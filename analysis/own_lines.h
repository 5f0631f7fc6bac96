/*
 * own_lines.h - files whose lines have a form of their own, not that of syslog: which format reads them, and what it
 * keeps of the file.
 *
 * A line is offered to the format that had the one before it, then to each that may claim it. What is said before the
 * columns of a log are (#Software, #Date) is taken here, because formats that begin so are told apart by #Fields alone.
 *
 * Threads: one owner at a time.
 * Memory:  an event borrows from its line or from here, until the next line.
 * Limits:  OWN_KEPT_MAX bytes that are not the line's in an event, cut there.
 */
#ifndef SMTPTRAIL_OWN_LINES_H
#define SMTPTRAIL_OWN_LINES_H

#include "analysis/csv_record.h"
#include "analysis/format.h"

enum { OWN_KEPT_MAX = 128 * 1024, OWN_WORD_MAX = 64 };

struct own_lines {
	/* For the format that reads. */
	void *state;			/* own_size bytes; zero when it begins; not for claims, another may have it */
	struct csv_record *csv;		/* for one whose lines are such records */
	struct stamp_reader stamps;
	struct text path;		/* of the file; absent: standard input */
	char date[OWN_WORD_MAX];	/* of the last "#Date: " */
	char log_type[OWN_WORD_MAX];	/* of the last "#Log-type: " */
	bool has_more;			/* to be set: read the same line again */
	unsigned turn;			/* how often it was read before this */
	unsigned lines_back;		/* to be set: its event began so many lines before */

	/* For own_lines.c. */
	const struct format *only;	/* NULL: any */
	const struct format *format;	/* of the line before; NULL: none */
	struct text line;		/* of which there is more */
	size_t kept_length;
	char kept[OWN_KEPT_MAX];
};

/* only: the one format that lines may be of, or NULL. 0 or -ENOMEM. */
int own_lines_new(struct own_lines **ret_own, const struct format *only);
void own_lines_free(struct own_lines *own);

/* A file begins; year and file_us as of stamp_start. */
void own_lines_start(struct own_lines *own, struct text path, int year, int64_t file_us);
/* Whether some format has such a line; it then reads this and the next ones. */
bool own_lines_claim(struct own_lines *own, struct text line);
/* The next lines are of no format, until one claims them. */
void own_lines_leave(struct own_lines *own);
/* Fills the event but for its file and line. Not mine: no format has such lines. */
enum own_result own_lines_read(struct own_lines *own, struct text line, struct event *event);
/* The file has ended: what is left of a record. */
enum own_result own_lines_finish(struct own_lines *own, struct event *event);

/* For formats: a copy in the memory of the event; what has no room is cut. */
struct text own_keep(struct own_lines *own, struct text text);
/* A record of CSV: what to return where it is none that is whole; its text is the event's message. */
enum csv_result own_read_record(struct own_lines *own, struct text line, struct event *event);

#endif
