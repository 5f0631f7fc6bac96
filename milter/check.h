/*
 * check.h - "smtptrail-milter --check": would it run here, and what is to be mended?
 *
 * Looks at the configuration, the socket, both rooms of the journal, the DNS servers and Redis, as the
 * user that the milter will be. It takes no lock and writes nothing, so it may run beside a running milter.
 * Prints a line a finding: ok, warning or error, what it is about, what is wrong and how to mend it.
 *
 * Threads: none but the caller's; it counts in static variables.
 */
#ifndef SMTPTRAIL_MILTER_CHECK_H
#define SMTPTRAIL_MILTER_CHECK_H

#include "config.h"

enum check_finding { CHECK_OK, CHECK_WARNING, CHECK_ERROR };

/* The exit status: 0, or 2 where there is an error. file: NULL for the defaults. */
int check_run(const char *file);

/* For the parts of the check. */
__attribute__((format(printf, 3, 4)))
void check_say(enum check_finding finding, const char *subject, const char *format, ...);
void check_redis(const struct config *config);
/* Waits 3 seconds at most, whatever the number of servers. */
void check_dns(const struct config *config);

#endif
