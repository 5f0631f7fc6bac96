/*
 * export_target.h - where an export goes: standard output, a file that is appended to, or a syslog server over TCP.
 *
 * To a syslog server goes a message of RFC 5424 for each line, with its length in front (RFC 6587, octet counting),
 * facility mail, severity info. The server acknowledges nothing: what its system has taken (TCP) counts as being there, and
 * is lost if the server ends before it reads it. A connection that breaks is made again, and all that was not
 * taken by then, up to EXPORT_WINDOW bytes, is sent again: the server may get that twice.
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

enum { EXPORT_LINE_MAX = 1024 * 1024, EXPORT_WINDOW = 256 * 1024, EXPORT_RETRY_MS = 1000, EXPORT_TIMEOUT_S = 30 };

/* How far a file was written. */
struct export_place {
	uint64_t device, inode;		/* 0: it is no file that keeps what is written */
	uint64_t size;
	uint64_t sum;			/* of its last bytes */
};

struct export_target;

/* "-", a path, or tcp:HOST:PORT, an IPv6 address in brackets. 0 or -errno with the problem in words. */
int export_target_open(struct export_target **ret_target, const char *to, struct problem *problem);
void export_target_close(struct export_target *target);
bool export_target_is_syslog(const struct export_target *target);
/* Of a connection that is made again: words when it is lost, and when it is back; lent for the call. Before anything is sent; without
 * it nobody is told. */
typedef void export_target_tell(const void *context, const char *words);
void export_target_tell_by(struct export_target *target, export_target_tell *tell, const void *context);

/* Where to write; what stands there counts from export_target_send on. */
FILE *export_target_file(struct export_target *target);
/* Of one row, whose time it is. keeps_trying: a server that is away is waited for, until *stopped. 0 or -errno. */
int export_target_send(struct export_target *target, uint64_t time_us, bool keeps_trying, const volatile int *stopped,
		       struct problem *problem);
/* All that was sent is with the system; of syslog, with the server's. keeps_trying as above. 0 or -errno. */
int export_target_flush(struct export_target *target, bool keeps_trying, const volatile int *stopped, struct problem *problem);
/* After a flush: how far a file is written, and that lasts. 0 or -errno. */
int export_target_place(struct export_target *target, struct export_place *ret_place, struct problem *problem);
/* What stands behind that place in the same file is ours, and was not kept: it is cut off. Another file, or one that is
 * not as it was, is left as it is. 0 or -errno. */
int export_target_resume(struct export_target *target, const struct export_place *place, struct problem *problem);
/* Whether nothing is there yet: a new file, or what keeps nothing. */
bool export_target_is_empty(const struct export_target *target);

#endif
