/*
 * redis_route.h - who is to be asked: the master that the sentinels name, or the node of a cluster that
 * holds a key's slot.
 *
 * Only redis_link.c uses it. It asks by connections of its own, one at a time, each of which is closed
 * again; sentinels (nodes) are tried in turn, each time from another one on: one of them may be cut off from
 * the others and say what was. Of sentinels, most decide.
 *
 * Threads: one owner at a time.
 * Limits:  256 nodes of a cluster, 16,384 ranges of slots, 4 redirections of one command; each question
 *          has the link's own time limits, and a question between commands a quarter of a second.
 * Errors:  a redis_failure with a sentence. Replies are hostile: what does not fit is not taken.
 */
#ifndef SMTPTRAIL_REDIS_ROUTE_H
#define SMTPTRAIL_REDIS_ROUTE_H

#include "redis_address.h"
#include "redis_link.h"

struct redis_route;

/* The options are borrowed until redis_route_free. NULL: no memory. */
struct redis_route *redis_route_new(const struct redis_options *options, const struct redis_address *address);
void redis_route_free(struct redis_route *route);
/* What comes next is about this key. */
void redis_route_for(struct redis_route *route, struct text key);
/* Whom to connect to; asks where that is not known. */
enum redis_failure redis_route_find(struct redis_route *route, struct redis_endpoint *ret_endpoint,
				    struct problem *problem);
/* The same without asking; false: not known. */
bool redis_route_known(const struct redis_route *route, struct redis_endpoint *ret_endpoint);
/* What was found does not answer, or is no master: it is asked for anew. */
void redis_route_forget(struct redis_route *route);
/* Sentinel, once a second at most: whether they still name this one. No sentinel at all is no failure. */
enum redis_failure redis_route_check(struct redis_route *route, const struct redis_endpoint *now,
				     struct problem *problem);
/* Cluster: takes MOVED (and learns it) and ASK apart. False: it is neither, or not well-formed. */
bool redis_route_redirected(struct redis_route *route, struct text error, const struct redis_endpoint *from,
			    struct redis_endpoint *ret_endpoint, bool *ret_asking);

/* Reads the reply to CLUSTER SLOTS of that node; false: it has no usable range. For the fuzz target, too. */
bool redis_route_read_slots(struct redis_route *route, const struct redis_reply *reply,
			    const struct redis_endpoint *from);
/* Reads the reply to SENTINEL GET-MASTER-ADDR-BY-NAME. */
bool redis_route_read_master(const struct redis_reply *reply, struct redis_endpoint *ret_endpoint);

#endif
