/*
 * housekeeping.h - one thread for what must not happen in a callback: the status file, gap records,
 * the close of sessions that a SIGKILL left open, and the reload at SIGUSR1.
 *
 * Threads: start and stop from main; SIGUSR1 must be blocked in every thread.
 * Memory:  the parts are borrowed until housekeeping_stop, which accepts NULL.
 * Errors:  logged; a reload that fails leaves the configuration as it was.
 */
#ifndef SMTPTRAIL_MILTER_HOUSEKEEPING_H
#define SMTPTRAIL_MILTER_HOUSEKEEPING_H

#include "partitions.h"
#include "session.h"

struct housekeeping;

struct housekeeping_parts {
	struct partitions *partitions;
	struct sessions *sessions;
	struct auth_jobs *auth;		/* NULL: nothing is checked */
	const struct config *boot_config;	/* in force since the start: what a reload cannot change */
	uint64_t started_us;
};

int housekeeping_start(struct housekeeping **ret_housekeeping, const struct housekeeping_parts *parts);
void housekeeping_stop(struct housekeeping *housekeeping);

#endif
