/*
 * shapes.h - what was not understood, counted by program and masked shape, with one sample each.
 *
 * Numbers become N, words with a digit ID, names of hosts and files NAME, what stands in brackets <>, so that lines of one
 * kind fall together.
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
/* The shape of a text, in at most size bytes; returns its length. */
size_t shape_mask(struct text text, char *mask, size_t size);
void shapes_add(struct shapes *shapes, const struct event *event);
/* The most frequent first: count, program, shape; below it the sample and where it stands. */
void shapes_print(struct shapes *shapes, FILE *out);
/* The same, one JSON object a shape; of the other shapes, where there are any, only the count. */
void shapes_print_json(struct shapes *shapes, FILE *out);

#endif
