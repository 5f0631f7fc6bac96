/*
 * shapes.h - what was not understood, counted by program and masked shape, with one sample each.
 *
 * Digits become N, names in brackets <>, queue ids QID, so that lines of one kind fall together.
 *
 * Threads: one owner at a time.
 * Limits:  SHAPES_MAX shapes; what comes beyond is counted as "other shapes".
 */
#ifndef SMTPTRAIL_SHAPES_H
#define SMTPTRAIL_SHAPES_H

#include <stdio.h>

#include "analysis/event.h"

enum { SHAPES_MAX = 2000, SHAPES_TEXT_MAX = 160 };

struct shapes;

struct shapes *shapes_new(void);	/* NULL: no memory */
void shapes_free(struct shapes *shapes);
void shapes_add(struct shapes *shapes, const struct event *event);
/* The most frequent first: count, program, shape; below it the sample and where it stands. */
void shapes_print(struct shapes *shapes, FILE *out);

#endif
