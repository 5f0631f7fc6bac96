/*
 * load.h - many sessions at once, each the same simple mail; counts, times, and a log of events.
 *
 * A session's number is in all that it says: client_name and HELO s<number>.load.test, the sender
 * s<number>-m<message>@load.test, the recipients s<number>-m<message>-r<n>@load.test.
 */
#ifndef SMTPTRAIL_LOAD_H
#define SMTPTRAIL_LOAD_H

#include <stdint.h>

struct load_options {
	const char *socket;
	unsigned connections;	/* open at once */
	uint64_t sessions;	/* in all; 0: as many as connections */
	uint64_t messages;	/* a session; 0: none, an idle session */
	unsigned recipients, headers, body_bytes;
	uint64_t pace;		/* events a second, over all; 0: as fast as it goes */
	double seconds;		/* after that no new message begins; 0: no limit */
	double wait_seconds;	/* how long to try again where the milter is not there */
	double hold_seconds;	/* how long sessions stay open after their last message */
	const char *events_log;
	uint64_t first_number;	/* of the first session */
};

/* Returns the exit status: 0, also when the milter died; 1 after a wrong reply; 2: never connected. */
int load(const struct load_options *options);

#endif
