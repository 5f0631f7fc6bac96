/*
 * show.h - a record as a person reads it (one aligned line), and as a program does (JSON).
 *
 * What a line shows of each stage, in what order and form, is a table in show.c.
 *
 * Threads: one owner at a time.
 * Memory:  a line is lent until the next call; show_done frees it.
 */
#ifndef SMTPTRAIL_SHOW_H
#define SMTPTRAIL_SHOW_H

#include <stdbool.h>

#include "analysis/input.h"
#include "analysis/line.h"

#define SHOW_SESSION_COLUMNS 40		/* most that a session takes */
#define SHOW_SESSION_USUAL 18		/* a session of ours with a message's number: to begin aligned with */

struct show {
	struct line line;
	size_t session_columns;		/* widest so far; 0 at first, or set by the owner */
	char day[11];			/* of the record shown last */
};

/* today: "2026-11-21", the day that needs no heading. */
void show_init(struct show *show, bool coloured, const char *today);
void show_done(struct show *show);

/* "08:00:00.123  SESSION.MSG  rcpt  to=<...> rejected 5.1.1 ..."; a line with the day comes
 * before it where that is another than the last one's. Times are UTC. */
struct text show_line(struct show *show, const struct input_record *record);
/* One object, all fields typed by record.def; unknown names and what does not fit its type as text. */
struct text show_json(struct show *show, const struct input_record *record);

#endif
