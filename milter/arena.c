/* arena.c - memory of things that die together. */
#include "arena.h"

#include <stdalign.h>
#include <stdlib.h>

enum { BLOCK_SIZE = 4096 };

struct arena_block {
	struct arena_block *next;
	size_t size, used;
	alignas(max_align_t) unsigned char bytes[];
};

void arena_init(struct arena *arena, size_t limit)
{
	*arena = (struct arena){ .limit = limit };
}

void arena_done(struct arena *arena)
{
	while (arena->blocks) {
		struct arena_block *next = arena->blocks->next;

		free(arena->blocks);
		arena->blocks = next;
	}
	arena->taken = 0;
}

static struct arena_block *add_block(struct arena *arena, size_t size)
{
	size_t total = sizeof(struct arena_block) + size;

	if (total < BLOCK_SIZE)
		total = BLOCK_SIZE;
	if (total > arena->limit - arena->taken)
		return NULL;
	struct arena_block *block = malloc(total);

	if (!block)
		return NULL;
	arena->taken += total;
	*block = (struct arena_block){ .next = arena->blocks, .size = total - sizeof *block };
	arena->blocks = block;
	return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_block *block = arena->blocks;

	if (size > arena->limit)
		return NULL;
	size = (size + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
	if (!block || block->size - block->used < size) {
		block = add_block(arena, size);
		if (!block)
			return NULL;
	}
	void *memory = block->bytes + block->used;

	block->used += size;
	return memory;
}

struct text arena_copy(struct arena *arena, struct text text)
{
	char *copy = arena_alloc(arena, text.length);

	if (copy && text.length)
		memcpy(copy, text.start, text.length);
	return (struct text){ copy, copy ? text.length : 0 };
}
