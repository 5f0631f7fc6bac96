/*
 * reason.h - why mail was refused, deferred or bounced, as one of a few classes.
 *
 * The classes and their patterns are rows of reasons.def; rows from a file of a person's own come first.
 *
 * Threads: reason_load before any; then any.
 * Limits:  REASON_OWN_MAX rows from a file.
 */
#ifndef SMTPTRAIL_REASON_H
#define SMTPTRAIL_REASON_H

#include "analysis/reply.h"
#include "common/problem.h"

enum { REASON_OWN_MAX = 1000 };

/* A line each: a class, blanks, a pattern as in reasons.def; # begins a comment. 0 or -errno. */
int reason_load(const char *path, struct problem *problem);
void reason_unload(void);

/* The classes, each once, those of the person's own first. NULL: there are no more. */
const char *reason_class(unsigned at);

/* NULL: none fits. */
const char *reason_of(const struct reply *reply);

#endif
