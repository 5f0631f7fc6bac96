/*
 * ingest_redis.h - records from Redis, with positions and marks of producers in the store.
 *
 * The store's position counts. The consumer group of each stream follows it, moved once a commit has succeeded, so that
 * the milter trims nothing that is not in the store; where Redis lost the group it is made again.
 *
 * Threads, memory, errors: as input_redis.h.
 */
#ifndef SMTPTRAIL_INGEST_REDIS_H
#define SMTPTRAIL_INGEST_REDIS_H

#include "analysis/input_redis.h"
#include "analysis/store.h"

struct ingest_redis;

/* Goes on behind what the store has, or begins where the stream does. 0 or -errno. */
int ingest_redis_new(struct ingest_redis **ret_redis, const struct input_redis_options *options,
		     const struct input_listener *listener, const char *group, struct store *store, struct problem *problem);
void ingest_redis_free(struct ingest_redis *redis);
struct input_redis *ingest_redis_input(struct ingest_redis *redis);

/* With the next commit: all records that the listener was given. */
int ingest_redis_keep(struct ingest_redis *redis, struct problem *problem);
/* That commit has succeeded. What fails is made good by the next one. */
void ingest_redis_acknowledge(struct ingest_redis *redis);

#endif
