/* open_table.c - open addressing; what is removed is filled by what was pushed behind it. */
#include "analysis/open_table.h"

#include <errno.h>
#include <stdlib.h>

enum { SLOTS_MIN = 256 };

void open_table_done(struct open_table *table)
{
	free(table->slots);
	*table = (struct open_table){ .slots = NULL };
}

static void put(struct open_table *table, uint64_t hash, void *item)
{
	size_t at = hash & table->mask;

	while (table->slots[at].hash)
		at = (at + 1) & table->mask;
	table->slots[at] = (struct open_slot){ hash, item };
}

static int grow(struct open_table *table)
{
	size_t size = table->mask ? (table->mask + 1) * 2 : SLOTS_MIN;
	struct open_table grown = { calloc(size, sizeof *grown.slots), size - 1, table->count };

	if (!grown.slots)
		return -ENOMEM;
	for (size_t i = 0; table->mask && i <= table->mask; i++)
		if (table->slots[i].hash)
			put(&grown, table->slots[i].hash, table->slots[i].item);
	free(table->slots);
	*table = grown;
	return 0;
}

int open_table_add(struct open_table *table, uint64_t hash, void *item)
{
	/* Half full at most: the way to a free slot is short. */
	if (!table->mask || table->count * 2 > table->mask) {
		int error = grow(table);

		if (error && table->count >= table->mask)
			return error;
	}
	put(table, hash, item);
	table->count++;
	return 0;
}

void open_table_remove(struct open_table *table, uint64_t hash, const void *item)
{
	size_t at = hash & table->mask, hole;

	if (!table->mask)
		return;
	while (table->slots[at].hash && !(table->slots[at].hash == hash && table->slots[at].item == item))
		at = (at + 1) & table->mask;
	if (!table->slots[at].hash)
		return;
	hole = at;
	table->count--;
	for (;;) {
		at = (at + 1) & table->mask;
		if (!table->slots[at].hash)
			break;
		/* Whoever lies farther from his home than the hole does moves into it. */
		if (((at - table->slots[at].hash) & table->mask) >= ((at - hole) & table->mask)) {
			table->slots[hole] = table->slots[at];
			hole = at;
		}
	}
	table->slots[hole] = (struct open_slot){ 0, NULL };
}

uint64_t hash_text_nocase(uint64_t seed, struct text text)
{
	char lower[64];

	while (text.length) {
		size_t length = text.length < sizeof lower ? text.length : sizeof lower;

		memset(lower, 0, sizeof lower);
		memcpy(lower, text.start, length);
		for (size_t i = 0; i < length; i += sizeof(uint64_t)) {
			uint64_t word = text_lower_word(hash_word(lower + i));

			memcpy(lower + i, &word, sizeof word);
		}
		seed = hash_text(seed, (struct text){ lower, length });
		text.start += length;
		text.length -= length;
	}
	return seed;
}
