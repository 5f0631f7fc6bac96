/*
 * store_moving.h - what commits changed, on its way into the days: image after image is moved by a thread, while its owner makes
 * the next one.
 *
 * Threads: one owner; images are moved by a thread, or by the owner where none could be started.
 * Memory:  STORE_MOVING_MAX images; the owner waits where there are more.
 * Errors:  those of whoever moves. What comes behind an image that could not be moved is dropped, and the next call tells.
 */
#ifndef SMTPTRAIL_STORE_MOVING_H
#define SMTPTRAIL_STORE_MOVING_H

#include "analysis/store_image.h"
#include "common/problem.h"

enum { STORE_MOVING_MAX = 3 };

/* The number is that which the image was given. */
typedef int store_move(void *context, const struct store_image *image, uint64_t number, struct problem *problem);

struct store_moving;

struct store_moving *store_moving_new(store_move *move, void *context);	/* NULL: no memory */
/* What is on its way is moved before. */
void store_moving_free(struct store_moving *moving);
/* Takes what is in the image, which is empty then. */
int store_moving_add(struct store_moving *moving, struct store_image *image, uint64_t number, struct problem *problem);
/* Until nothing is on its way. */
int store_moving_wait(struct store_moving *moving, struct problem *problem);

#endif
