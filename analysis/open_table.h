/*
 * open_table.h - what is under way, found by a hash of its key: several may have the same hash, and whoever asks looks at
 * each.
 *
 * Threads: one owner at a time.
 * Memory:  items are the owner's; a table frees only its slots.
 * Errors:  -ENOMEM of open_table_add: the item is not in the table.
 */
#ifndef SMTPTRAIL_OPEN_TABLE_H
#define SMTPTRAIL_OPEN_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/text.h"

struct open_slot {
	uint64_t hash;		/* 0: the slot is free */
	void *item;
};

struct open_table {
	struct open_slot *slots;
	size_t mask;		/* slots - 1; 0: none yet */
	size_t count;
};

void open_table_done(struct open_table *table);
int open_table_add(struct open_table *table, uint64_t hash, void *item);
void open_table_remove(struct open_table *table, uint64_t hash, const void *item);

/* A walk over the items of one hash: *at is SIZE_MAX at first; NULL: there is no more. The table stays as it is
 * meanwhile. */
static inline void *open_table_next(const struct open_table *table, uint64_t hash, size_t *at)
{
	const struct open_slot *slot;

	if (!table->mask)
		return NULL;
	/* How far from where it begins. */
	do
		slot = &table->slots[(hash + ++*at) & table->mask];
	while (slot->hash && slot->hash != hash);
	return slot->hash ? slot->item : NULL;
}

/* The first of them; NULL: there is none. */
static inline void *open_table_find(const struct open_table *table, uint64_t hash)
{
	size_t at = SIZE_MAX;

	return open_table_next(table, hash, &at);
}

/* Makes ready for a find that is near. */
static inline void open_table_prefetch(const struct open_table *table, uint64_t hash)
{
	if (table->mask)
		__builtin_prefetch(&table->slots[hash & table->mask]);
}

/* ---- hashes: seeded, so that nobody outside makes many keys fall together; never 0 ---- */

static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t hash_word(const char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof word);
	return word;
}

/* A text of at most 16 bytes as two words; with its length they are the text. */
static inline void hash_words(struct text text, uint64_t ret_words[2])
{
	uint32_t first, last;

	if (text.length >= 8) {
		ret_words[0] = hash_word(text.start);
		ret_words[1] = hash_word(text.start + text.length - 8);
	} else if (text.length >= 4) {
		memcpy(&first, text.start, sizeof first);
		memcpy(&last, text.start + text.length - 4, sizeof last);
		ret_words[0] = first;
		ret_words[1] = last;
	} else {
		ret_words[0] = ret_words[1] = 0;
		for (size_t i = 0; i < text.length; i++)
			ret_words[0] = ret_words[0] << 8 | (unsigned char)text.start[i];
	}
}

static inline uint64_t hash_numbers(uint64_t seed, uint64_t a, uint64_t b)
{
	uint64_t hash = hash_mix(a ^ seed, b ^ UINT64_C(0x9e3779b97f4a7c15));

	return hash ? hash : 1;
}

static inline uint64_t hash_text(uint64_t seed, struct text text)
{
	uint64_t words[2];

	while (text.length > 16) {
		seed = hash_mix(hash_word(text.start) ^ seed, hash_word(text.start + 8) ^ UINT64_C(0xbf58476d1ce4e5b9));
		text.start += 16;
		text.length -= 16;
	}
	hash_words(text, words);
	return hash_numbers(seed ^ text.length << 56, words[0], words[1]);
}

/* The same, whatever the case of ASCII letters. */
uint64_t hash_text_nocase(uint64_t seed, struct text text);

#endif
