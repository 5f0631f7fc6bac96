/*
 * export_target.h - where an export goes: standard output, a file that is appended to, or a syslog server over TCP.
 *
 * To a syslog server goes a message of RFC 5424 for each line, with its length in front (RFC 6587, octet counting),
 * facility mail, severity info. A connection that breaks is made again; what the server had not read by then may be lost,
 * since it acknowledges nothing: the line at hand is sent again.
 *
 * Threads: one owner at a time.
 * Limits:  a line for syslog is cut at EXPORT_LINE_MAX bytes.
 */
#ifndef SMTPTRAIL_EXPORT_TARGET_H
#define SMTPTRAIL_EXPORT_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/problem.h"
#include "common/text.h"

enum { EXPORT_LINE_MAX = 1024 * 1024, EXPORT_RETRY_MS = 1000, EXPORT_TIMEOUT_S = 30 };

struct export_target;

/* "-", a path, or tcp:HOST:PORT, an IPv6 address in brackets. 0 or -errno with the problem in words. */
int export_target_open(struct export_target **ret_target, const char *to, struct problem *problem);
void export_target_close(struct export_target *target);
bool export_target_is_syslog(const struct export_target *target);

/* Where to write; what stands there counts from export_target_send on. */
FILE *export_target_file(struct export_target *target);
/* Of one row, whose time it is. keeps_trying: a server that is away is waited for, until *stopped. 0 or -errno. */
int export_target_send(struct export_target *target, uint64_t time_us, bool keeps_trying, const volatile int *stopped,
		       struct problem *problem);
/* All that was sent is with the system. 0 or -errno. */
int export_target_flush(struct export_target *target, struct problem *problem);

#endif
