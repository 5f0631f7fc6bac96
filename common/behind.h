/*
 * behind.h - what a thread says of itself that works behind the mail.
 *
 * It has a name for top and the benches, and is of SCHED_BATCH: awake, it does not push a thread off its core that
 * answers the MTA; its share of the cores stays what it is. The threads that it starts are the same.
 *
 * Threads: each for itself.
 */
#ifndef SMTPTRAIL_BEHIND_H
#define SMTPTRAIL_BEHIND_H

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>

static inline void behind_begin(const char *name)
{
	const struct sched_param none = { 0 };

	(void)prctl(PR_SET_NAME, name, 0, 0, 0);
	/* Where it is refused the thread is one like the others. */
	(void)pthread_setschedparam(pthread_self(), SCHED_BATCH, &none);
}

#endif
