/*
 * format.h - what a message means: one file format_NAME.c that exports one struct format.
 *
 * The table of formats is made from the names of those files (analysis/local.mk). A format reads messages in frames
 * (read), or lines of a form of their own (read_own, see own_lines.h), or both. Which one reads a framed message is told
 * by its process, where a format owns it; any other is offered to each, first to the one that took the last such message.
 *
 * Threads: format_prepare before any. A format_reader has one owner at a time; format_read_found is for any thread.
 */
#ifndef SMTPTRAIL_FORMAT_H
#define SMTPTRAIL_FORMAT_H

#include "analysis/event.h"

enum { FORMATS_MAX = 32 };

enum format_result { FORMAT_MATCHED, FORMAT_NOT_MINE, FORMAT_MALFORMED };

/* What a line of a form of its own gave. */
enum own_result {
	OWN_EVENT,		/* kind and fields; own->has_more: there are more events in this line */
	OWN_UNKNOWN,		/* of this format, and none of its lines that is known */
	OWN_NOTHING,		/* a head, or a part of a record that goes on */
	OWN_NOT_MINE,
};

struct own_lines;

/* What a person asks of a format, for smtptrail-formats(5). */
struct format_page {
	const char *where;		/* its log lies on its system */
	const char *get;		/* how it comes here */
	const char *joins;		/* by what its lines are tied */
	const char *tells, *lacks;	/* what it can and cannot tell */
};

struct format {
	const char *name;
	const char *summary;
	struct format_page page;
	int (*prepare)(void);		/* once; 0 or -ENOMEM; NULL: nothing is to prepare */
	/* What of this format a process is, by its name alone: a number that read finds in event->program; -1: it is none.
	 * The first format of the table that knows a process owns its lines. NULL: it knows none, only what lines hold. */
	int (*program)(struct text process);
	/* Fills kind and fields from the frame, and sets is_cut where the line ends in mid-kind. Not mine: another program's
	 * line. Malformed: one of its programs wrote it, and it is none that is known. NULL: it comes in no frame of syslog. */
	enum format_result (*read)(struct event *event);
	/* For a format whose lines depend on lines before them (columns that are named at the top): so many bytes of
	 * event->memory, zero where a file begins. Its lines are read in their order; those that are owned by a format
	 * with no memory are read in any order, by several threads at once. */
	size_t memory_size;

	/* Whether a file with lines of this format's own form may begin with this one, or go on. NULL: it has none. */
	bool (*claims)(struct own_lines *own, struct text line);
	/* Reads a line as it lies in the file, of which event->frame.message is all; fills the frame too. */
	enum own_result (*read_own)(struct own_lines *own, struct text line, struct event *event);
	size_t own_size;		/* bytes that it keeps of a file: own->state */
	bool is_tacit;			/* it tells whole messages in a line, and not when sessions end */
	bool tells_removal;		/* of those: it has a line for a message that has left the queue */
	bool takes_pieces;		/* a line that is too long is read on, as if it were several */
};

/* In the order of their names, NULL last. */
extern const struct format *const format_table[];

int format_prepare(void);
/* For those who hold the kinds that are taken apart by hand against their tables: no line is. Set before any is read. */
extern bool format_only_tables;
/* Its place in the table, from 1; 0: NULL. */
uint8_t format_number(const struct format *format);
const struct format *format_by_name(const char *name);

/* What is known of a file while its lines are read. */
struct format_reader {
	const struct format *only;	/* NULL: by process and content */
	const struct format *before;	/* that took the last line that none owned */
	void *memories[FORMATS_MAX];
};

/* 0 or -ENOMEM. */
int format_reader_init(struct format_reader *reader, const struct format *only);
void format_reader_done(struct format_reader *reader);
/* Another file begins. */
void format_reader_start(struct format_reader *reader);

/* Whose the line is, by its process. True: it can be read by format_read_found at any time; false: only by format_read, now. */
bool format_find(const struct format_reader *reader, struct event *event);
/* Where its reader gave anything but FORMAT_MATCHED. */
enum format_result format_read_otherwise(struct event *event, enum format_result result);
static inline enum format_result format_read_found(struct event *event)
{
	enum format_result result = event->format->read ? event->format->read(event) : FORMAT_NOT_MINE;

	return result == FORMAT_MATCHED ? result : format_read_otherwise(event, result);
}
/* The line, whatever it is; for lines in their order. */
enum format_result format_read(struct format_reader *reader, struct event *event);

/* What reading has given, told by the event itself. */
static inline enum format_result format_result_of(const struct event *event)
{
	if (event->kind)
		return FORMAT_MATCHED;
	return event->format ? FORMAT_MALFORMED : FORMAT_NOT_MINE;
}

#endif
