/* tally.c - counting by keys: open addressing over rows that stand in the order in which they came. */
#include "analysis/tally.h"

#include <math.h>
#include <stdlib.h>

#include "analysis/spread.h"

enum { FIRST_SLOTS = 256, BLOCK = 64 * 1024 };

struct row {
	const char *key;		/* each part: two bytes of length, then the text */
	uint32_t length;
	uint32_t hash;
};

struct block {
	struct block *next;
	size_t used;
	char bytes[BLOCK];
};

struct tally {
	const struct tally_info *info;
	struct row *rows;
	uint64_t *numbers;		/* info->numbers for each row */
	size_t count, size;
	uint32_t *slots;		/* index of the row + 1; 0: free */
	size_t slot_count;		/* a power of two */
	struct block *blocks;
	struct spreads *spreads;	/* info->numbers for each row; NULL: no number is a distribution */
	size_t limit;			/* of keys */
	uint64_t others;
};

static bool has_spreads(const struct tally_info *info)
{
	for (unsigned i = 0; i < info->numbers; i++)
		if (info->rules[i] == TALLY_SPREAD)
			return true;
	return false;
}

struct tally *tally_new(const struct tally_info *info)
{
	struct tally *tally = calloc(1, sizeof *tally);

	if (!tally)
		return NULL;
	tally->info = info;
	tally->slot_count = FIRST_SLOTS;
	tally->slots = calloc(tally->slot_count, sizeof *tally->slots);
	tally->limit = has_spreads(info) ? TALLY_SPREAD_KEYS_MAX : TALLY_KEYS_MAX;
	tally->spreads = has_spreads(info) ? spreads_new() : NULL;
	if (!tally->slots || (has_spreads(info) && !tally->spreads)) {
		tally_free(tally);
		return NULL;
	}
	return tally;
}

void tally_free(struct tally *tally)
{
	if (!tally)
		return;
	while (tally->blocks) {
		struct block *block = tally->blocks;

		tally->blocks = block->next;
		free(block);
	}
	spreads_free(tally->spreads);
	free(tally->slots);
	free(tally->numbers);
	free(tally->rows);
	free(tally);
}

const struct tally_info *tally_info(const struct tally *tally)
{
	return tally->info;
}

/* ---- keys ---- */

enum { KEY_MAX = TALLY_PARTS_MAX * (TALLY_TEXT_MAX + 2) };

static uint32_t write_key(const struct text *parts, unsigned count, char *ret_key)
{
	char *at = ret_key;

	for (unsigned i = 0; i < count; i++) {
		size_t length = parts[i].length < TALLY_TEXT_MAX ? parts[i].length : TALLY_TEXT_MAX;

		*at++ = (char)(length & 0xff);
		*at++ = (char)(length >> 8);
		if (length)
			memcpy(at, parts[i].start, length);
		at += length;
	}
	return (uint32_t)(at - ret_key);
}

/* Eight bytes at a time; multiplied so that each bit reaches the upper half. */
static uint32_t hash_of(const char *key, uint32_t length)
{
	uint64_t hash = length * UINT64_C(0x9e3779b97f4a7c15), word;

	while (length >= sizeof word) {
		memcpy(&word, key, sizeof word);
		hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
		hash ^= hash >> 32;
		key += sizeof word;
		length -= (uint32_t)sizeof word;
	}
	word = 0;
	memcpy(&word, key, length);
	hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
	return (uint32_t)(hash >> 32);
}

static const char *keep_key(struct tally *tally, const char *key, uint32_t length)
{
	struct block *block = tally->blocks;

	if (!block || BLOCK - block->used < length) {
		block = malloc(sizeof *block);
		if (!block)
			return NULL;
		block->next = tally->blocks;
		block->used = 0;
		tally->blocks = block;
	}
	char *copy = block->bytes + block->used;

	memcpy(copy, key, length);
	block->used += length;
	return copy;
}

static size_t find_slot(const struct tally *tally, const char *key, uint32_t length, uint32_t hash)
{
	size_t slot = hash & (tally->slot_count - 1);

	while (tally->slots[slot]) {
		const struct row *row = &tally->rows[tally->slots[slot] - 1];

		if (row->hash == hash && row->length == length && memcmp(row->key, key, length) == 0)
			break;
		slot = (slot + 1) & (tally->slot_count - 1);
	}
	return slot;
}

/* ---- growing ---- */

static bool grow_slots(struct tally *tally)
{
	size_t count = tally->slot_count * 2;
	uint32_t *slots = calloc(count, sizeof *slots);

	if (!slots)
		return false;
	for (size_t i = 0; i < tally->count; i++) {
		size_t slot = tally->rows[i].hash & (count - 1);

		while (slots[slot])
			slot = (slot + 1) & (count - 1);
		slots[slot] = (uint32_t)i + 1;
	}
	free(tally->slots);
	tally->slots = slots;
	tally->slot_count = count;
	return true;
}

static bool grow_rows(struct tally *tally)
{
	size_t size = tally->size ? tally->size * 2 : 64;
	struct row *rows = realloc(tally->rows, size * sizeof *rows);

	if (!rows)
		return false;
	tally->rows = rows;
	uint64_t *numbers = realloc(tally->numbers, size * tally->info->numbers * sizeof *numbers);

	if (!numbers)
		return false;
	tally->numbers = numbers;
	tally->size = size;
	return true;
}

static bool make_room(struct tally *tally)
{
	if (tally->count == tally->size && !grow_rows(tally))
		return false;
	return (tally->count + 1) * 2 <= tally->slot_count || grow_slots(tally);
}

/* ---- adding ---- */

static uint64_t *numbers_of(const struct tally *tally, size_t row)
{
	return tally->numbers + row * tally->info->numbers;
}

static uint64_t *new_row(struct tally *tally, const char *key, uint32_t length, uint32_t hash)
{
	const char *kept;

	if (!make_room(tally) || !(kept = keep_key(tally, key, length)))
		return NULL;
	uint64_t *numbers = numbers_of(tally, tally->count);

	tally->rows[tally->count] = (struct row){ kept, length, hash };
	tally->slots[find_slot(tally, key, length, hash)] = (uint32_t)++tally->count;
	for (unsigned i = 0; i < tally->info->numbers; i++)
		numbers[i] = tally->info->rules[i] == TALLY_LEAST ? UINT64_MAX : 0;
	return numbers;
}

static uint64_t *row_of(struct tally *tally, const struct text *parts, bool is_limited)
{
	char key[KEY_MAX];
	uint32_t length = write_key(parts, tally->info->parts, key), hash = hash_of(key, length);
	uint32_t index = tally->slots[find_slot(tally, key, length, hash)];

	if (index)
		return numbers_of(tally, index - 1);
	if (is_limited && tally->count >= tally->limit)
		return NULL;
	return new_row(tally, key, length, hash);
}

static void add_number(struct tally *tally, size_t row, unsigned number, uint64_t added)
{
	uint64_t *sum = &numbers_of(tally, row)[number];

	switch (tally->info->rules[number]) {
	case TALLY_SUM:
		*sum += added;
		return;
	case TALLY_LEAST:
		*sum = added < *sum ? added : *sum;
		return;
	case TALLY_MOST:
		*sum = added > *sum ? added : *sum;
		return;
	case TALLY_SPREAD:
		if (added != TALLY_NONE)
			tally_add_steps(tally, row, number, tally_step(added), 1);
		return;
	}
}

size_t tally_add(struct tally *tally, const struct text *parts, const uint64_t *numbers)
{
	static const struct text others[TALLY_PARTS_MAX] = { { TALLY_OTHERS, sizeof TALLY_OTHERS - 1 }, { "", 0 }, { "", 0 }, { "", 0 } };
	uint64_t *sums = row_of(tally, parts, true);
	size_t row;

	if (!sums) {
		tally->others++;
		sums = row_of(tally, others, false);
		if (!sums)
			return SIZE_MAX;
	}
	row = (size_t)(sums - tally->numbers) / tally->info->numbers;
	for (unsigned i = 0; i < tally->info->numbers; i++)
		add_number(tally, row, i, numbers[i]);
	return row;
}

static size_t spread_of(const struct tally *tally, size_t row, unsigned number)
{
	return row * tally->info->numbers + number;
}

void tally_add_steps(struct tally *tally, size_t row, unsigned number, unsigned step, uint64_t count)
{
	if (row >= tally->count || number >= tally->info->numbers || tally->info->rules[number] != TALLY_SPREAD || step >= TALLY_STEPS)
		return;
	numbers_of(tally, row)[number] += count;
	spreads_add(tally->spreads, spread_of(tally, row, number), step, count);
}

void tally_add_row(struct tally *tally, const struct tally *from, size_t index)
{
	struct tally_row row = tally_row(from, index);
	uint64_t numbers[TALLY_NUMBERS_MAX], counts[TALLY_STEPS];
	size_t at;

	for (unsigned i = 0; i < tally->info->numbers; i++)
		numbers[i] = tally->info->rules[i] == TALLY_SPREAD ? TALLY_NONE : row.numbers[i];
	at = tally_add(tally, row.parts, numbers);
	for (unsigned i = 0; i < tally->info->numbers; i++) {
		if (tally->info->rules[i] != TALLY_SPREAD)
			continue;
		memset(counts, 0, sizeof counts);
		tally_sum_steps(from, index, i, counts);
		for (unsigned step = 0; step < TALLY_STEPS; step++)
			if (counts[step])
				tally_add_steps(tally, at, i, step, counts[step]);
	}
}

void tally_add_one(struct tally *tally, struct text key, const uint64_t *numbers)
{
	struct text parts[] = { key, TEXT_NONE, TEXT_NONE, TEXT_NONE };

	(void)tally_add(tally, parts, numbers);
}

void tally_add_two(struct tally *tally, struct text first, struct text second, const uint64_t *numbers)
{
	struct text parts[] = { first, second, TEXT_NONE, TEXT_NONE };

	(void)tally_add(tally, parts, numbers);
}

/* ---- reading ---- */

size_t tally_count(const struct tally *tally)
{
	return tally->count;
}

struct tally_row tally_row(const struct tally *tally, size_t index)
{
	struct tally_row row = { .numbers = numbers_of(tally, index) };
	const unsigned char *at = (const unsigned char *)tally->rows[index].key;

	for (unsigned i = 0; i < tally->info->parts; i++) {
		size_t length = at[0] | (size_t)at[1] << 8;

		row.parts[i] = (struct text){ (const char *)at + 2, length };
		at += 2 + length;
	}
	return row;
}

size_t tally_index(const struct tally *tally, const struct text *parts)
{
	char key[KEY_MAX];
	uint32_t length = write_key(parts, tally->info->parts, key);
	uint32_t index = tally->slots[find_slot(tally, key, length, hash_of(key, length))];

	return index ? index - 1 : SIZE_MAX;
}

const uint64_t *tally_find(const struct tally *tally, const struct text *parts)
{
	size_t index = tally_index(tally, parts);

	return index == SIZE_MAX ? NULL : numbers_of(tally, index);
}

void tally_sum_steps(const struct tally *tally, size_t row, unsigned number, uint64_t *counts)
{
	if (tally->spreads && number < tally->info->numbers)
		spreads_sum(tally->spreads, spread_of(tally, row, number), counts);
}

uint64_t tally_others(const struct tally *tally)
{
	return tally->others;
}

struct tally *tally_fold(const struct tally *tally, const struct tally_info *info, unsigned part, size_t length)
{
	struct tally *folded = tally_new(info);

	for (size_t i = 0; folded && i < tally->count; i++) {
		struct tally_row row = tally_row(tally, i);
		struct text key = row.parts[part];

		if (length && key.length > length)
			key.length = length;
		tally_add_one(folded, key, row.numbers);
	}
	return folded;
}

/* ---- distributions ---- */

/* The first millisecond is one step; each further one is 5 % longer: 599 of them reach beyond what is ever waited. */
static const double first_us = 1000, ratio = 1.05;

unsigned tally_step(uint64_t duration_us)
{
	double step;

	if ((double)duration_us <= first_us)
		return 0;
	step = ceil(log((double)duration_us / first_us) / log(ratio) - 1e-9);
	return step < TALLY_STEPS - 1 ? (unsigned)step : TALLY_STEPS - 1;
}

uint64_t tally_step_end(unsigned step)
{
	return (uint64_t)(first_us * pow(ratio, step) + 0.5);
}

uint64_t tally_percentile(const uint64_t *counts, double share)
{
	uint64_t all = 0, seen = 0;

	for (unsigned i = 0; i < TALLY_STEPS; i++)
		all += counts[i];
	for (unsigned i = 0; i < TALLY_STEPS; i++) {
		seen += counts[i];
		if (counts[i] && (double)seen >= share * (double)all)
			return tally_step_end(i);
	}
	return 0;
}
