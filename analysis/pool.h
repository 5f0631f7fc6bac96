/*
 * pool.h - memory for many small things that come and go: by size, without a search, and counted.
 *
 * Threads: one owner at a time.
 * Memory:  blocks for small sizes are kept until pool_free; what is larger goes back to the system at once.
 * Errors:  NULL: no memory.
 */
#ifndef SMTPTRAIL_POOL_H
#define SMTPTRAIL_POOL_H

#include <stddef.h>

struct pool;

struct pool *pool_new(void);
/* Everything that was given out goes with it. */
void pool_free(struct pool *pool);

/* At least so many bytes, aligned for any type; *size becomes what is there. Not zeroed. */
void *pool_take(struct pool *pool, size_t *size);
/* size: what pool_take made of it, or the same that was asked for. NULL is allowed. */
void pool_give(struct pool *pool, void *memory, size_t size);

/* Bytes that are given out now. */
size_t pool_used(const struct pool *pool);

#endif
