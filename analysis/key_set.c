/* key_set.c - open addressing; what is removed is closed up behind it. */
#include "analysis/key_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SIZE = 256 };

void key_set_done(struct key_set *set)
{
	free(set->slots);
	*set = (struct key_set){ .slots = NULL };
}

void key_set_clear(struct key_set *set)
{
	if (set->count)
		memset(set->slots, 0, set->size * sizeof *set->slots);
	set->count = 0;
}

static size_t home_of(const struct key_set *set, uint64_t key)
{
	return (size_t)((key * 0x9e3779b97f4a7c15) >> 32) & (set->size - 1);
}

/* The slot of the key, or the free one where it would be. */
static size_t slot_of(const struct key_set *set, uint64_t key)
{
	size_t slot = home_of(set, key);

	while (set->slots[slot] && set->slots[slot] != key)
		slot = (slot + 1) & (set->size - 1);
	return slot;
}

static int grow(struct key_set *set)
{
	struct key_set larger = { .size = set->size ? set->size * 2 : FIRST_SIZE, .count = set->count };

	larger.slots = calloc(larger.size, sizeof *larger.slots);
	if (!larger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < set->size; i++)
		if (set->slots[i])
			larger.slots[slot_of(&larger, set->slots[i])] = set->slots[i];
	free(set->slots);
	*set = larger;
	return 0;
}

bool key_set_has(const struct key_set *set, uint64_t key)
{
	return set->count && set->slots[slot_of(set, key)] == key;
}

int key_set_add(struct key_set *set, uint64_t key)
{
	size_t slot;

	if (set->count * 2 >= set->size && grow(set) != 0)
		return -ENOMEM;
	slot = slot_of(set, key);
	if (set->slots[slot] == key)
		return 0;
	set->slots[slot] = key;
	set->count++;
	return 1;
}

bool key_set_remove(struct key_set *set, uint64_t key)
{
	size_t hole, next;

	if (!key_set_has(set, key))
		return false;
	hole = next = slot_of(set, key);
	for (;;) {
		next = (next + 1) & (set->size - 1);
		if (!set->slots[next])
			break;
		/* It may fill the hole where its home does not lie between the two. */
		size_t home = home_of(set, set->slots[next]);

		if (((next - home) & (set->size - 1)) >= ((next - hole) & (set->size - 1))) {
			set->slots[hole] = set->slots[next];
			hole = next;
		}
	}
	set->slots[hole] = 0;
	set->count--;
	return true;
}

uint64_t key_set_next(const struct key_set *set, size_t *at)
{
	while (*at < set->size) {
		uint64_t key = set->slots[(*at)++];

		if (key)
			return key;
	}
	return 0;
}

static int by_height(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left < right) - (left > right);
}

uint64_t *key_set_highest_first(const struct key_set *const *sets, size_t set_count, size_t *ret_count)
{
	size_t room = 1, count = 0;
	uint64_t key, *keys;

	for (size_t i = 0; i < set_count; i++)
		room += sets[i]->count;
	keys = malloc(room * sizeof *keys);
	for (size_t i = 0; keys && i < set_count; i++)
		for (size_t at = 0; (key = key_set_next(sets[i], &at));)
			keys[count++] = key;
	if (count)
		qsort(keys, count, sizeof *keys, by_height);
	*ret_count = count;
	return keys;
}
