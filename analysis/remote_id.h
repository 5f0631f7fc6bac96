/*
 * remote_id.h - under which identifier the next hop has queued a message, as its reply tells.
 *
 * Threads: any; no state.  Memory: borrows from the reply.
 */
#ifndef SMTPTRAIL_REMOTE_ID_H
#define SMTPTRAIL_REMOTE_ID_H

#include "common/text.h"

/* "4F2A..." of "250 2.0.0 Ok: queued as 4F2A..."; absent: the reply tells none that is known. */
struct text remote_id(struct text reply);
/* "4F2A..." of "forwarded as 4F2A...", which Postfix's local(8) says. */
struct text forward_id(struct text reply);

#endif
