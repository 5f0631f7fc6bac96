/* pool.c - free lists by size, filled from chunks. */
#include "analysis/pool.h"

#include <stdlib.h>

enum { CHUNK = 64 * 1024 };

struct chunk {
	_Alignas(max_align_t) struct chunk *next;	/* the memory is behind it */
};

/* What is larger than POOL_SMALL_MAX has its links in front. */
struct large {
	_Alignas(max_align_t) struct large *next;
	struct large *before;
};

struct pool_chunks {
	struct chunk *newest;
	char *at, *end;			/* of the newest */
	struct large large;		/* head of the ring */
};

struct pool *pool_new(void)
{
	struct pool *pool = calloc(1, sizeof *pool);

	if (!pool)
		return NULL;
	pool->chunks = calloc(1, sizeof *pool->chunks);
	if (!pool->chunks) {
		free(pool);
		return NULL;
	}
	pool->chunks->large.next = pool->chunks->large.before = &pool->chunks->large;
	return pool;
}

void pool_free(struct pool *pool)
{
	struct pool_chunks *chunks = pool ? pool->chunks : NULL;

	if (!pool)
		return;
	while (chunks->newest) {
		struct chunk *chunk = chunks->newest;

		chunks->newest = chunk->next;
		free(chunk);
	}
	while (chunks->large.next != &chunks->large) {
		struct large *large = chunks->large.next;

		chunks->large.next = large->next;
		free(large);
	}
	free(chunks);
	free(pool);
}

static void *take_large(struct pool_chunks *chunks, size_t size)
{
	struct large *large = malloc(sizeof *large + size);

	if (!large)
		return NULL;
	large->next = chunks->large.next;
	large->before = &chunks->large;
	large->next->before = large;
	chunks->large.next = large;
	return large + 1;
}

void pool_give_large(struct pool *pool, void *memory)
{
	struct large *large = (struct large *)memory - 1;

	(void)pool;
	large->next->before = large->before;
	large->before->next = large->next;
	free(large);
}

static void *take_small(struct pool_chunks *chunks, size_t size)
{
	void *memory;

	if ((size_t)(chunks->end - chunks->at) < size) {
		struct chunk *chunk = malloc(CHUNK);

		if (!chunk)
			return NULL;
		chunk->next = chunks->newest;
		chunks->newest = chunk;
		chunks->at = (char *)(chunk + 1);
		chunks->end = (char *)chunk + CHUNK;
	}
	memory = chunks->at;
	chunks->at += size;
	return memory;
}

void *pool_take_new(struct pool *pool, size_t size)
{
	return size <= POOL_SMALL_MAX ? take_small(pool->chunks, size) : take_large(pool->chunks, size);
}
