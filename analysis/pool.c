/* pool.c - free lists by size, filled from chunks. */
#include "analysis/pool.h"

#include <stdint.h>
#include <stdlib.h>

enum { STEP = 32, CLASSES = 32, SMALL_MAX = STEP * CLASSES, CHUNK = 64 * 1024 };

struct free_block {
	struct free_block *next;
};

struct chunk {
	_Alignas(max_align_t) struct chunk *next;	/* the memory is behind it */
};

/* What is larger than SMALL_MAX has its links in front. */
struct large {
	_Alignas(max_align_t) struct large *next;
	struct large *before;
};

struct pool {
	struct free_block *free[CLASSES];
	struct chunk *chunks;
	char *at, *end;			/* of the newest chunk */
	struct large large;		/* head of the ring */
	size_t used;
};

struct pool *pool_new(void)
{
	struct pool *pool = calloc(1, sizeof *pool);

	if (pool)
		pool->large.next = pool->large.before = &pool->large;
	return pool;
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	while (pool->chunks) {
		struct chunk *chunk = pool->chunks;

		pool->chunks = chunk->next;
		free(chunk);
	}
	while (pool->large.next != &pool->large) {
		struct large *large = pool->large.next;

		pool->large.next = large->next;
		free(large);
	}
	free(pool);
}

static size_t rounded(size_t size)
{
	return size ? (size + STEP - 1) / STEP * STEP : STEP;
}

static void *take_large(struct pool *pool, size_t size)
{
	struct large *large = malloc(sizeof *large + size);

	if (!large)
		return NULL;
	large->next = pool->large.next;
	large->before = &pool->large;
	large->next->before = large;
	pool->large.next = large;
	return large + 1;
}

static void give_large(void *memory)
{
	struct large *large = (struct large *)memory - 1;

	large->next->before = large->before;
	large->before->next = large->next;
	free(large);
}

static void *take_small(struct pool *pool, size_t size)
{
	struct free_block **list = &pool->free[size / STEP - 1];
	void *memory = *list;

	if (memory) {
		*list = (*list)->next;
		return memory;
	}
	if ((size_t)(pool->end - pool->at) < size) {
		struct chunk *chunk = malloc(CHUNK);

		if (!chunk)
			return NULL;
		chunk->next = pool->chunks;
		pool->chunks = chunk;
		pool->at = (char *)(chunk + 1);
		pool->end = (char *)chunk + CHUNK;
	}
	memory = pool->at;
	pool->at += size;
	return memory;
}

void *pool_take(struct pool *pool, size_t *size)
{
	size_t whole = rounded(*size);
	void *memory = whole <= SMALL_MAX ? take_small(pool, whole) : take_large(pool, whole);

	if (!memory)
		return NULL;
	pool->used += whole;
	*size = whole;
	return memory;
}

void pool_give(struct pool *pool, void *memory, size_t size)
{
	size_t whole = rounded(size);

	if (!memory)
		return;
	pool->used -= whole;
	if (whole > SMALL_MAX) {
		give_large(memory);
		return;
	}
	struct free_block *block = memory;

	block->next = pool->free[whole / STEP - 1];
	pool->free[whole / STEP - 1] = block;
}

size_t pool_used(const struct pool *pool)
{
	return pool->used;
}
