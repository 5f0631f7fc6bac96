/*
 * privileges.h - what only root may do at the start, and how to stop being root.
 *
 * Threads: before threads start.
 * Errors:  negative errno, and in problem what failed and how to mend it.
 */
#ifndef SMTPTRAIL_MILTER_PRIVILEGES_H
#define SMTPTRAIL_MILTER_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/problem.h"
#include "config.h"

/* Whom the milter runs as. */
struct account {
	bool is_change;		/* we are root and are to become another */
	uid_t user;
	gid_t group;
	const char *name;	/* borrowed from the configuration */
};

/* Whom the option "user" means for this process. */
int privileges_find(const struct config *config, struct account *ret_account, struct problem *problem);
/* Makes the journal's directories and those of the socket and the status file, where they are missing,
 * and gives what it makes to the user. */
int privileges_make_directories(const struct config *config, const char *socket_path,
				const struct account *account, struct problem *problem);
/* Becomes the user for good, and makes sure of that. */
int privileges_drop(const struct account *account, struct problem *problem);
/* As many open files as we may have, at least enough for wanted: libmilter spins when it has none. */
void privileges_raise_files(unsigned long wanted);

#endif
