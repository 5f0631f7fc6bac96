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

enum { POOL_STEP = 32, POOL_CLASSES = 32, POOL_SMALL_MAX = POOL_STEP * POOL_CLASSES };

/* pool.c's own. */
struct pool {
	size_t used;
	struct pool_block {
		struct pool_block *next;
	} *free[POOL_CLASSES];		/* by size */
	struct pool_chunks *chunks;
};

struct pool *pool_new(void);
/* Everything that was given out goes with it. */
void pool_free(struct pool *pool);

static inline size_t pool_rounded(size_t size)
{
	return size ? (size + POOL_STEP - 1) / POOL_STEP * POOL_STEP : POOL_STEP;
}

/* Where no block of that size is free, and for what is large. */
void *pool_take_new(struct pool *pool, size_t size);
void pool_give_large(struct pool *pool, void *memory);

/* At least so many bytes, aligned for any type; *size becomes what is there. Not zeroed. */
static inline void *pool_take(struct pool *pool, size_t *size)
{
	size_t whole = pool_rounded(*size);
	struct pool_block **list = whole <= POOL_SMALL_MAX ? &pool->free[whole / POOL_STEP - 1] : NULL, *block;

	if (list && *list) {
		block = *list;
		*list = block->next;
	} else {
		block = pool_take_new(pool, whole);
		if (!block)
			return NULL;
	}
	pool->used += whole;
	*size = whole;
	return block;
}

/* size: what pool_take made of it, or the same that was asked for. NULL is allowed. */
static inline void pool_give(struct pool *pool, void *memory, size_t size)
{
	size_t whole = pool_rounded(size);
	struct pool_block *block = memory;

	if (!memory)
		return;
	pool->used -= whole;
	if (whole > POOL_SMALL_MAX) {
		pool_give_large(pool, memory);
		return;
	}
	block->next = pool->free[whole / POOL_STEP - 1];
	pool->free[whole / POOL_STEP - 1] = block;
}

/* Bytes that are given out now. */
static inline size_t pool_used(const struct pool *pool)
{
	return pool->used;
}

#endif
