/*
 * behind.h - a thread that works through what its owner adds, in that order, while the owner goes on.
 *
 * Threads: one owner at a time; the work is done by the thread, and by the owner where none could be started.
 * Memory:  a few blocks of BEHIND_BLOCK bytes, and of what is added at once; the owner waits where all of them are full.
 */
#ifndef SMTPTRAIL_BEHIND_H
#define SMTPTRAIL_BEHIND_H

#include <stdbool.h>
#include <stddef.h>

enum { BEHIND_BLOCK = 128 * 1024 };

/* Whole pieces, one behind the other. */
typedef void behind_work(void *context, const unsigned char *bytes, size_t length);

struct behind;

struct behind *behind_new(behind_work *work, void *context);	/* NULL: no memory */
/* What was passed is done before. */
void behind_free(struct behind *behind);
/* Room for more of the piece at hand, aligned as by malloc where all lengths are; to be filled before the next call. NULL: no memory. */
void *behind_add(struct behind *behind, size_t length);
/* The piece at hand is whole. */
void behind_pass(struct behind *behind);
/* Until all pieces that were passed are done. */
void behind_wait(struct behind *behind);

#endif
