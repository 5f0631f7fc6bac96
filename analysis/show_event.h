/*
 * show_event.h - an event as a person reads it (one line) and as a program does (JSON).
 *
 * Beside its fields, what its reply says: reply_code, dsn, reason.
 *
 * Threads: one owner at a time.
 */
#ifndef SMTPTRAIL_SHOW_EVENT_H
#define SMTPTRAIL_SHOW_EVENT_H

#include <stdio.h>

#include "analysis/event.h"

/* "2026-11-21T08:00:00.000000Z mx postfix/smtpd[4711] connect client_name=a ... (mail.log:12)". */
void show_event_line(const struct event *event, FILE *out);
/* One object on one line. */
void show_event_json(const struct event *event, FILE *out);
/* The value in quotes; bytes that are no UTF-8 are escaped, and what would hide or reorder text where it is looked at. */
void show_json_string(FILE *out, struct text value);

#endif
