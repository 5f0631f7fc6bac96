/*
 * arena.h - memory of things that die together: one limit, one free.
 *
 * Threads: one owner at a time.
 * Memory:  arena_alloc lends until arena_done; nothing is freed before.
 * Limits:  the bytes given to arena_init, the arena's own blocks included.
 * Errors:  NULL where the limit is reached or memory is short; the arena stays usable.
 */
#ifndef SMTPTRAIL_MILTER_ARENA_H
#define SMTPTRAIL_MILTER_ARENA_H

#include "common/text.h"

struct arena_block;

struct arena {
	struct arena_block *blocks;
	size_t limit, taken;
};

void arena_init(struct arena *arena, size_t limit);
void arena_done(struct arena *arena);
void *arena_alloc(struct arena *arena, size_t size);
/* A copy of text; its start is NULL where there was no room. */
struct text arena_copy(struct arena *arena, struct text text);

#endif
