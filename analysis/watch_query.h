/*
 * watch_query.h - a query asked of records as they come: of what is known by then of their session and message.
 *
 * A record of a message is shown where the query finds the message as it stands, or its recipient; one of a session alone,
 * where it finds the session. Nothing is held until more is known. Records of type gap are always shown: what is missing
 * may be what was looked for. Those that are of no session are not.
 *
 * Threads: one owner at a time.
 * Memory:  WATCH_QUERY_MEMORY bytes of what is under way; what was silent for longest goes.
 */
#ifndef SMTPTRAIL_WATCH_QUERY_H
#define SMTPTRAIL_WATCH_QUERY_H

#include "analysis/input.h"
#include "analysis/query.h"

enum { WATCH_QUERY_MEMORY = 64 * 1024 * 1024 };

struct watch_query;

/* The query is borrowed; clock_skew_us as the configuration has it. 0 or -ENOMEM. */
int watch_query_new(struct watch_query **ret_watch, const struct query *query, uint64_t clock_skew_us);
void watch_query_free(struct watch_query *watch);
/* Each record once, in their order. */
bool watch_query_wants(struct watch_query *watch, const struct input_record *record);

#endif
