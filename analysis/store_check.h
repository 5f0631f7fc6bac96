/*
 * store_check.h - whether the databases of a store are whole, and say nothing that they cannot know.
 *
 * Threads: any; no state.
 */
#ifndef SMTPTRAIL_STORE_CHECK_H
#define SMTPTRAIL_STORE_CHECK_H

#include <stdbool.h>

#include "common/problem.h"

/* What was found, each as a sentence that may quote outside bytes. */
struct store_check {
	void (*finding)(void *context, const char *file, const char *sentence);
	void *context;
	unsigned long findings;
};

/* Looks at one file, current.db where is_current. -errno: it cannot be looked at; the problem says why. */
int store_check_file(struct store_check *check, const char *path, bool is_current, struct problem *problem);

#endif
