/*
 * smtp_line.h - a line of an SMTP dialogue, as transcripts have them: what a command or a reply says, for all formats.
 *
 * Threads: any; no state.  Memory: fields borrow from the line.
 */
#ifndef SMTPTRAIL_SMTP_LINE_H
#define SMTPTRAIL_SMTP_LINE_H

#include "analysis/event.h"

/* "250 OK", "250-SIZE", "354": three digits and their end. */
bool smtp_line_is_reply(struct text line);

/* A command: verb, argument, and what it tells (helo, from, size, to, auth_type). */
void smtp_line_add_command(struct event *event, struct text line);
/* The same, where verb and argument stand apart. */
void smtp_line_add_verb(struct event *event, struct text verb, struct text argument);
/* A reply, from its code on. */
void smtp_line_add_reply(struct event *event, struct text line);

#endif
