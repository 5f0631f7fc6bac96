/*
 * template_tail.h - the end of a rejection: "TEXT; from=<> to=<> proto=ESMTP helo=<>", read from the right.
 *
 * TEXT may hold what looks like such an end (a policy's words, a blocklist's), and so may the name
 * in helo=. Where several places could begin the end, it is the one whose fields name what the text is about,
 * "<name>: ..."; else the last that stands in no open bracket.
 */
#ifndef SMTPTRAIL_TEMPLATE_TAIL_H
#define SMTPTRAIL_TEMPLATE_TAIL_H

#include "analysis/event.h"

/* Adds reply and the fields of the end, as far as it has them. */
void template_tail_read(struct text text, const char *name, struct event *event);
/* "Subject: text from host[ip]; from=<> ...: what was done with it": header_name and the value under the name, or
 * body_line where section is body; what was done goes by the action (redirect_to, bcc_to, filter, reply, ...; note). */
void template_tail_header(struct text text, const char *name, struct event *event);

/* "ehlo=2 starttls=1 rcpt=0/1 commands=3/4": a field for each command; other words stay together under the name. */
void template_tail_counts(struct text text, const char *name, struct event *event);

/* From behind an opening bracket to its closing one, which the follower starts with; quotes count.
 * NULL: none. */
const char *template_address_end(const char *at, const char *end, struct text follower);

/* "<a>,<b>,<c>" from here on: each address under the name; beyond TEMPLATE_ADDRESSES_MAX the others are kept
 * together, as they stand, under "to_more". Returns where the list ends; NULL: there is none. */
enum { TEMPLATE_ADDRESSES_MAX = 12 };
const char *template_tail_addresses(const char *at, const char *end, const char *name, struct event *event);

#endif
