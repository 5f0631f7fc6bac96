/*
 * forget_redis.h - the records that name one person leave the streams.
 *
 * An entry of a stream cannot be changed, only deleted. What the store has not read yet stays: deleted, it would be
 * a hole; it is counted.
 *
 * Threads, errors: as redis_link.h. An ACL user needs PING XRANGE XREVRANGE XDEL on the streams.
 */
#ifndef SMTPTRAIL_FORGET_REDIS_H
#define SMTPTRAIL_FORGET_REDIS_H

#include "analysis/config.h"
#include "analysis/store.h"
#include "common/person.h"

struct forget_redis_counts {
	uint64_t deleted;
	uint64_t left;			/* not in the store yet */
};

/* A login name counts where it is the value of a field that holds names. 0 or -errno with the problem in words. */
int forget_redis(const struct config *config, struct store *store, const struct person *person,
		 struct forget_redis_counts *counts, struct problem *problem);

#endif
