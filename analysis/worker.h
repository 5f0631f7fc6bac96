/*
 * worker.h - a thread that works through what its owner adds, in that order, while the owner goes on.
 *
 * Threads: one owner at a time; the work is done by the thread, and by the owner where none could be started.
 * Memory:  a few blocks of WORKER_BLOCK bytes, and of what is added at once; the owner waits where all of them are full.
 */
#ifndef SMTPTRAIL_WORKER_H
#define SMTPTRAIL_WORKER_H

#include <stdbool.h>
#include <stddef.h>

enum { WORKER_BLOCK = 128 * 1024 };

/* Whole pieces, one behind the other. */
typedef void worker_work(void *context, const unsigned char *bytes, size_t length);

struct worker;

struct worker *worker_new(worker_work *work, void *context);	/* NULL: no memory */
/* What was passed is done before. */
void worker_free(struct worker *worker);
/* Room for more of the piece at hand, aligned as by malloc where all lengths are; to be filled before the next call. NULL: no memory. */
void *worker_add(struct worker *worker, size_t length);
/* The piece at hand is whole. */
void worker_pass(struct worker *worker);
/* Until all pieces that were passed are done. */
void worker_wait(struct worker *worker);

#endif
