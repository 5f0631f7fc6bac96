/*
 * thread.h - a thread beside those of the program, which signals do not reach: they are its owner's.
 *
 * Errors: -errno of pthread_create; then there is none.
 */
#ifndef SMTPTRAIL_THREAD_H
#define SMTPTRAIL_THREAD_H

#include <pthread.h>
#include <signal.h>

static inline int thread_start(pthread_t *ret_thread, void *(*run)(void *), void *context)
{
	sigset_t all, before;
	int error;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(ret_thread, NULL, run, context);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -error;
}

#endif
