/*
 * format.h - what a message means: one file format_NAME.c that exports one struct format.
 *
 * The table of formats is made from the names of those files (analysis/local.mk). Which one reads a
 * line follows from its process; a line without one is offered to each.
 *
 * Threads: format_prepare before any; then any.
 */
#ifndef SMTPTRAIL_FORMAT_H
#define SMTPTRAIL_FORMAT_H

#include "analysis/event.h"

enum format_result { FORMAT_MATCHED, FORMAT_NOT_MINE, FORMAT_MALFORMED };

struct format {
	const char *name;
	const char *summary;
	int (*prepare)(void);		/* once; 0 or -ENOMEM */
	/* Fills kind and fields from the frame. Not mine: another program's line. Malformed: one of
	 * its programs wrote it, and it is none that is known. */
	enum format_result (*read)(struct event *event);
};

/* In the order of their names, NULL last. */
extern const struct format *const format_table[];

int format_prepare(void);
const struct format *format_by_name(const char *name);

/* Reads the frame of the event by the format, or by whichever it is one of (NULL); event->format is
 * that of the line before, or NULL. */
enum format_result format_read(const struct format *format, struct event *event);

#endif
