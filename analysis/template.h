/*
 * template.h - kinds of messages as rows that a person can read, and what takes them apart.
 *
 * A pattern is the message with names in the places of its variable parts:
 *
 *     {name}          any text, to the first place where what follows it in the pattern begins
 *     {name:type}     text of a type: number decimal word token host ip id hex address rest
 *                     tail (the rest, without the parenthesis that closes it) last (to the last place ...)
 *                     reply (a reply, then "; from=<> to=<> proto= helo=<>") header (a header that was
 *                     looked at, then the same) counts (words "mail=1 rcpt=0/1": how often a command
 *                     was good, of how often it came) addresses (<a>,<b>: each under the name)
 *     {name=literal}  that literal, kept under the name
 *     {? ... ?}       may be left out; not inside another
 *     {{              an opening brace, of the text before it
 *     QID:            at the start: the queue id of the message, or NOQUEUE
 *     !               at the start: behind "warning: ", "fatal: ", "error: " or "panic: "
 *
 * An address goes to its closing bracket: one in a quoted local part does not count. Nothing is
 * looked for in the whole line, so what a client chose cannot stand in for another part.
 *
 * Threads: a set is read only once it is made.
 */
#ifndef SMTPTRAIL_TEMPLATE_H
#define SMTPTRAIL_TEMPLATE_H

#include "analysis/event.h"

struct template_row {
	const char *kind;
	const char *programs;		/* names, separated by blanks; "*": every one of the set */
	const char *pattern;
};

struct template_set;

/* NULL: no memory. The rows stay the caller's. Aborts on a pattern that is not well made: ours. */
struct template_set *template_set_new(const struct template_row *rows, size_t count);
void template_set_free(struct template_set *set);

/* The rows of a program; -1: none is of it. */
int template_group(const struct template_set *set, struct text program);
/* The group of all rows, for messages that do not tell their program. */
int template_group_any(const struct template_set *set);

/* Finds the row that the message of the event is; fills kind and fields. False: none. */
bool template_read(const struct template_set *set, int group, struct event *event);

#endif
