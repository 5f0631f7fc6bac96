/*
 * background.h - work that is done beside its owner, one piece at a time.
 *
 * Threads: one owner. From background_start until background_wait the work has what its context names for itself.
 * Limits:  where no thread can be had the owner does the work in background_start.
 */
#ifndef SMTPTRAIL_BACKGROUND_H
#define SMTPTRAIL_BACKGROUND_H

#include <pthread.h>
#include <stdbool.h>

#include "common/problem.h"

typedef int background_work(void *context, struct problem *problem);	/* 0 or -errno with the problem in words */

struct background {
	background_work *work;
	void *context;
	pthread_t thread;
	bool is_under_way, has_thread;
	int error;			/* of the work at hand */
	struct problem problem;
};

/* What was started before has been waited for. */
void background_start(struct background *background, background_work *work, void *context);
/* What the work gave; 0 where there was none. */
int background_wait(struct background *background, struct problem *problem);

#endif
