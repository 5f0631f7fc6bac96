/* tally.c - counting by keys: open addressing over rows that lie in the order in which they came. */
#include "analysis/tally.h"

#include <ctype.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <strings.h>

#include "analysis/spread.h"

enum { FIRST_SLOTS = 64, BLOCK = 64 * 1024, UNIT = 8 };

/*
 * A row: what it is called and its numbers lie together, so that adding to it fetches a line or two of memory. Numbers are of
 * 32 bits, until one of them becomes larger: then all of that row stand elsewhere.
 */
struct row {
	uint32_t hash;
	bool is_wide;			/* the first number is an index, and theirs are there */
	uint32_t numbers[];		/* info->numbers; the key is behind them. Each part of it: two bytes of length, then the text */
};

/* A slot says which row, and has some bits of the hash beside it: most rows that are not meant need no look at. */
enum { ROW_BITS = 18 };
_Static_assert((int)TALLY_KEYS_MAX + 2 < 1 << ROW_BITS, "a row's number + 1 has its bits");

struct tally {
	const struct tally_info *info;
	uint32_t *rows;			/* where each lies: units of all blocks */
	size_t count, size;
	uint32_t *slots;		/* ROW_BITS: the row's number + 1, and bits of the hash; 0: free */
	size_t slot_count;		/* a power of two */
	char **blocks;
	size_t block_count, block_size, used;	/* used: of the newest block */
	uint64_t *wide;			/* info->numbers for each row that is so */
	size_t wide_count, wide_size;
	struct spreads *spreads;	/* info->numbers for each row; NULL: no number is a distribution */
	size_t limit;			/* of keys */
	uint64_t others;
	struct waiting *waiting;	/* what has not been added yet; NULL: the tally is small */
	unsigned known_end;		/* behind the last of these that came */
	struct known {
		const char *key;	/* NULL: nothing was added */
		uint64_t sums[TALLY_KNOWN_NUMBERS_MAX];
	} known[TALLY_KNOWN_MAX];
};

/*
 * In a tally of many keys each addition misses the cache several times, one after the other. So additions wait until there
 * are some, and what they will need is fetched meanwhile, for all of them at once.
 */
enum { WAITING_FROM = 4096, WAITING_MAX = 16, WAITING_BYTES = 2048 };

struct waiting {
	unsigned count;
	size_t used;
	struct wait {
		uint32_t hash;
		uint16_t at;			/* its key in bytes, as it lies in a row */
		uint64_t numbers[TALLY_NUMBERS_MAX];
	} items[WAITING_MAX];
	char bytes[WAITING_BYTES];
};
_Static_assert((int)WAITING_BYTES >= TALLY_PARTS_MAX * (TALLY_TEXT_MAX + 2), "there is room for any key");

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
	for (size_t i = 0; i < tally->block_count; i++)
		free(tally->blocks[i]);
	free(tally->blocks);
	spreads_free(tally->spreads);
	free(tally->waiting);
	free(tally->wide);
	free(tally->slots);
	free(tally->rows);
	free(tally);
}

const struct tally_info *tally_info(const struct tally *tally)
{
	return tally->info;
}

/* ---- keys ---- */

static size_t cut(struct text part)
{
	return part.length < TALLY_TEXT_MAX ? part.length : TALLY_TEXT_MAX;
}

static size_t key_length(const struct text *parts, unsigned count)
{
	size_t length = 0;

	for (unsigned i = 0; i < count; i++)
		length += cut(parts[i]) + 2;
	return length;
}

static void write_key(const struct text *parts, unsigned count, char *at)
{
	for (unsigned i = 0; i < count; i++) {
		size_t length = cut(parts[i]);

		*at++ = (char)(length & 0xff);
		*at++ = (char)(length >> 8);
		if (length)
			memcpy(at, parts[i].start, length);
		at += length;
	}
}

static void read_key(const char *key, unsigned count, struct text *ret_parts)
{
	const unsigned char *at = (const unsigned char *)key;

	for (unsigned i = 0; i < count; i++) {
		size_t length = at[0] | (size_t)at[1] << 8;

		ret_parts[i] = (struct text){ (const char *)at + 2, length };
		at += 2 + length;
	}
}

static bool is_key(const char *at, const struct text *parts, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		size_t length = cut(parts[i]);

		if ((unsigned char)at[0] != (length & 0xff) || (unsigned char)at[1] != length >> 8)
			return false;
		if (length && memcmp(at + 2, parts[i].start, length) != 0 && strncasecmp(at + 2, parts[i].start, length) != 0)
			return false;
		at += 2 + length;
	}
	return true;
}

/* Of all ways in which a key was written the one with the most small letters in front is kept, whatever came first. */
static void keep_small_letters(char *at, const struct text *parts, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		size_t length = cut(parts[i]);

		if (length && memcmp(at + 2, parts[i].start, length) < 0)
			memcpy(at + 2, parts[i].start, length);
		at += 2 + length;
	}
}

/* Eight bytes at a time, their capitals as small letters, the last of them perhaps twice; multiplied so that each bit reaches the upper half. */
static uint64_t hash_text(uint64_t hash, const char *text, size_t length)
{
	const uint64_t factor = UINT64_C(0xff51afd7ed558ccd);
	uint64_t word = 0;
	uint32_t first, last;

	hash ^= length * UINT64_C(0x9e3779b97f4a7c15);
	if (length >= sizeof word) {
		for (size_t i = 0; i + sizeof word < length; i += sizeof word) {
			memcpy(&word, text + i, sizeof word);
			hash = (hash ^ text_lower_word(word)) * factor;
			hash ^= hash >> 32;
		}
		memcpy(&word, text + length - sizeof word, sizeof word);
	} else if (length >= sizeof first) {
		memcpy(&first, text, sizeof first);
		memcpy(&last, text + length - sizeof last, sizeof last);
		word = first | (uint64_t)last << 32;
	} else {
		for (size_t i = 0; i < length; i++)
			word = word << 8 | (unsigned char)text[i];
	}
	hash = (hash ^ text_lower_word(word)) * factor;
	return hash ^ hash >> 32;
}

static uint32_t hash_of(const struct text *parts, unsigned count)
{
	uint64_t hash = 0;

	for (unsigned i = 0; i < count; i++)
		hash = hash_text(hash, parts[i].start, cut(parts[i]));
	return (uint32_t)hash;
}

/* ---- rows ---- */

static struct row *row_at(const struct tally *tally, size_t index)
{
	uint32_t place = tally->rows[index];

	return (struct row *)(void *)(tally->blocks[place / (BLOCK / UNIT)] + (size_t)(place % (BLOCK / UNIT)) * UNIT);
}

static char *key_of(const struct tally *tally, const struct row *row)
{
	return (char *)(uintptr_t)(row->numbers + tally->info->numbers);
}

static uint32_t tag_of(uint32_t hash)
{
	return hash & ~((UINT32_C(1) << ROW_BITS) - 1);
}

static size_t index_in(uint32_t slot)
{
	return (slot & ((UINT32_C(1) << ROW_BITS) - 1)) - 1;
}

static size_t first_slot(const struct tally *tally, uint32_t hash)
{
	return hash & (tally->slot_count - 1);
}

static size_t find_slot(const struct tally *tally, const struct text *parts, uint32_t hash)
{
	size_t slot = first_slot(tally, hash);

	for (; tally->slots[slot]; slot = (slot + 1) & (tally->slot_count - 1)) {
		const struct row *row;

		if (tag_of(tally->slots[slot]) != tag_of(hash))
			continue;
		row = row_at(tally, index_in(tally->slots[slot]));
		if (row->hash == hash && is_key(key_of(tally, row), parts, tally->info->parts))
			break;
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
	free(tally->slots);
	tally->slots = slots;
	tally->slot_count = count;
	for (size_t i = 0; i < tally->count; i++) {
		uint32_t hash = row_at(tally, i)->hash;
		size_t slot = first_slot(tally, hash);

		while (slots[slot])
			slot = (slot + 1) & (count - 1);
		slots[slot] = tag_of(hash) | (uint32_t)(i + 1);
	}
	return true;
}

/* Of an array: the same, or a larger one in its place. NULL: no memory. */
static void *grown(void *array, size_t count, size_t *size, size_t item)
{
	size_t larger = *size ? *size + *size / 2 : 16;
	void *bytes;

	if (count < *size)
		return array;
	bytes = reallocarray(array, larger, item);
	if (bytes)
		*size = larger;
	return bytes;
}

static bool has_block(struct tally *tally, size_t room)
{
	char **blocks;

	if (tally->block_count && BLOCK - tally->used >= room)
		return true;
	blocks = grown(tally->blocks, tally->block_count, &tally->block_size, sizeof *blocks);
	if (!blocks)
		return false;
	tally->blocks = blocks;
	blocks[tally->block_count] = malloc(BLOCK);
	if (!blocks[tally->block_count])
		return false;
	tally->block_count++;
	tally->used = 0;
	return true;
}

static bool make_room(struct tally *tally, size_t room)
{
	uint32_t *rows = grown(tally->rows, tally->count, &tally->size, sizeof *rows);

	if (!rows)
		return false;
	tally->rows = rows;
	return has_block(tally, room) && ((tally->count + 1) * 5 <= tally->slot_count * 4 || grow_slots(tally));
}

/* ---- numbers ---- */

static uint64_t *wide_of(const struct tally *tally, const struct row *row)
{
	return tally->wide + (size_t)row->numbers[0] * tally->info->numbers;
}

static uint64_t number_of(const struct tally *tally, const struct row *row, unsigned number)
{
	return row->is_wide ? wide_of(tally, row)[number] : row->numbers[number];
}

/* false: no memory. */
static bool widen(struct tally *tally, struct row *row)
{
	uint64_t *wide = grown(tally->wide, tally->wide_count, &tally->wide_size, tally->info->numbers * sizeof *wide);

	if (!wide)
		return false;
	tally->wide = wide;
	for (unsigned i = 0; i < tally->info->numbers; i++)
		wide[tally->wide_count * tally->info->numbers + i] = row->numbers[i];
	row->numbers[0] = (uint32_t)tally->wide_count++;
	row->is_wide = true;
	return true;
}

static void set_number(struct tally *tally, struct row *row, unsigned number, uint64_t value)
{
	if (!row->is_wide && value <= UINT32_MAX)
		row->numbers[number] = (uint32_t)value;
	else if (row->is_wide || widen(tally, row))
		wide_of(tally, row)[number] = value;
	else
		row->numbers[number] = UINT32_MAX;
}

/* ---- adding ---- */

/* Its place; what it begins with is not set. SIZE_MAX: no memory. */
static size_t new_row(struct tally *tally, const struct text *parts, uint32_t hash)
{
	size_t numbers = tally->info->numbers * sizeof(uint32_t);
	size_t room = (sizeof(struct row) + numbers + key_length(parts, tally->info->parts) + UNIT - 1) / UNIT * UNIT;
	struct row *row;

	if (!make_room(tally, room))
		return SIZE_MAX;
	tally->rows[tally->count] = (uint32_t)(((tally->block_count - 1) * BLOCK + tally->used) / UNIT);
	tally->used += room;
	tally->slots[find_slot(tally, parts, hash)] = tag_of(hash) | (uint32_t)(tally->count + 1);
	row = row_at(tally, tally->count);
	row->hash = hash;
	row->is_wide = false;
	memset(row->numbers, 0, numbers);
	write_key(parts, tally->info->parts, key_of(tally, row));
	return tally->count++;
}

/* What a number is before the first comes. */
static void begin_numbers(struct tally *tally, size_t index, const uint64_t *numbers)
{
	for (unsigned i = 0; index != SIZE_MAX && i < tally->info->numbers; i++)
		if (tally->info->rules[i] == TALLY_LEAST)
			set_number(tally, row_at(tally, index), i, numbers[i]);
}

/* numbers: the first that come there. */
static size_t row_of(struct tally *tally, const struct text *parts, uint32_t hash, const uint64_t *numbers, bool is_limited)
{
	uint32_t slot = tally->slots[find_slot(tally, parts, hash)];
	size_t index;

	if (slot) {
		keep_small_letters(key_of(tally, row_at(tally, index_in(slot))), parts, tally->info->parts);
		return index_in(slot);
	}
	if (is_limited && tally->count >= tally->limit)
		return SIZE_MAX;
	index = new_row(tally, parts, hash);
	begin_numbers(tally, index, numbers);
	return index;
}

static void add_number(struct tally *tally, size_t index, unsigned number, uint64_t added)
{
	struct row *row = row_at(tally, index);
	uint64_t sum = number_of(tally, row, number);

	switch (tally->info->rules[number]) {
	case TALLY_SUM:
		if (added)
			set_number(tally, row, number, sum + added);
		return;
	case TALLY_LEAST:
		if (added < sum)
			set_number(tally, row, number, added);
		return;
	case TALLY_MOST:
		if (added > sum)
			set_number(tally, row, number, added);
		return;
	case TALLY_SPREAD:
		if (added != TALLY_NONE)
			tally_add_steps(tally, index, number, tally_step(added), 1);
		return;
	}
}

static size_t add(struct tally *tally, const struct text *parts, uint32_t hash, const uint64_t *numbers)
{
	static const struct text others[TALLY_PARTS_MAX] = { { TALLY_OTHERS, sizeof TALLY_OTHERS - 1 }, { "", 0 }, { "", 0 }, { "", 0 } };
	size_t row = row_of(tally, parts, hash, numbers, true);

	if (row == SIZE_MAX) {
		tally->others++;
		row = row_of(tally, others, hash_of(others, tally->info->parts), numbers, false);
	}
	for (unsigned i = 0; row != SIZE_MAX && i < tally->info->numbers; i++)
		add_number(tally, row, i, numbers[i]);
	return row;
}

/* ---- what waits ---- */

/* The row that a hash is probably of; SIZE_MAX: none. */
static size_t probable_row(const struct tally *tally, uint32_t hash)
{
	size_t slot = first_slot(tally, hash);

	while (tally->slots[slot] && tag_of(tally->slots[slot]) != tag_of(hash))
		slot = (slot + 1) & (tally->slot_count - 1);
	return tally->slots[slot] ? index_in(tally->slots[slot]) : SIZE_MAX;
}

static void fetch_rows(const struct tally *tally)
{
	const struct waiting *waiting = tally->waiting;
	size_t rows[WAITING_MAX];

	for (unsigned i = 0; i < waiting->count; i++) {
		rows[i] = probable_row(tally, waiting->items[i].hash);
		if (rows[i] != SIZE_MAX)
			__builtin_prefetch(&tally->rows[rows[i]]);
	}
	for (unsigned i = 0; i < waiting->count; i++) {
		const char *row = rows[i] != SIZE_MAX ? (const char *)row_at(tally, rows[i]) : NULL;

		if (!row)
			continue;
		__builtin_prefetch(row);
		__builtin_prefetch(row + 64);
	}
}

static void add_waiting(struct tally *tally)
{
	struct waiting *waiting = tally->waiting;

	if (!waiting || !waiting->count)
		return;
	fetch_rows(tally);
	for (unsigned i = 0; i < waiting->count; i++) {
		struct text parts[TALLY_PARTS_MAX];

		read_key(waiting->bytes + waiting->items[i].at, tally->info->parts, parts);
		(void)add(tally, parts, waiting->items[i].hash, waiting->items[i].numbers);
	}
	waiting->count = 0;
	waiting->used = 0;
}

static void wait_with(struct tally *tally, const struct text *parts, uint32_t hash, const uint64_t *numbers)
{
	size_t length = key_length(parts, tally->info->parts);
	struct waiting *waiting = tally->waiting;
	struct wait *item;

	if (waiting->count == WAITING_MAX || waiting->used + length > WAITING_BYTES)
		add_waiting(tally);
	item = &waiting->items[waiting->count++];
	item->hash = hash;
	item->at = (uint16_t)waiting->used;
	memcpy(item->numbers, numbers, tally->info->numbers * sizeof *numbers);
	write_key(parts, tally->info->parts, waiting->bytes + waiting->used);
	waiting->used += length;
	__builtin_prefetch(&tally->slots[first_slot(tally, hash)]);
}

void tally_add(struct tally *tally, const struct text *parts, const uint64_t *numbers)
{
	uint32_t hash = hash_of(parts, tally->info->parts);

	if (!tally->waiting && tally->count >= WAITING_FROM)
		tally->waiting = calloc(1, sizeof *tally->waiting);
	if (tally->waiting)
		wait_with(tally, parts, hash, numbers);
	else
		(void)add(tally, parts, hash, numbers);
}

size_t tally_add_now(struct tally *tally, const struct text *parts, const uint64_t *numbers)
{
	add_waiting(tally);
	return add(tally, parts, hash_of(parts, tally->info->parts), numbers);
}

void tally_add_known(struct tally *tally, unsigned number, const char *key, uint64_t first, uint64_t second)
{
	struct known *known = &tally->known[number];

	known->key = key;
	known->sums[0] += first;
	known->sums[1] += second;
	if (number >= tally->known_end)
		tally->known_end = number + 1;
}

static void add_known(struct tally *tally)
{
	for (unsigned i = 0; i < tally->known_end; i++) {
		struct known *known = &tally->known[i];

		if (known->key)
			tally_add(tally, &(struct text){ known->key, strlen(known->key) }, known->sums);
		*known = (struct known){ .key = NULL };
	}
	tally->known_end = 0;
}

/* Whoever reads has all that was added. */
static const struct tally *whole(const struct tally *tally)
{
	struct tally *own = (struct tally *)(uintptr_t)tally;

	add_known(own);
	add_waiting(own);
	return tally;
}

static size_t spread_of(const struct tally *tally, size_t row, unsigned number)
{
	return row * tally->info->numbers + number;
}

void tally_add_steps(struct tally *tally, size_t row, unsigned number, unsigned step, uint64_t count)
{
	if (row >= tally->count || number >= tally->info->numbers || tally->info->rules[number] != TALLY_SPREAD || step >= TALLY_STEPS)
		return;
	set_number(tally, row_at(tally, row), number, number_of(tally, row_at(tally, row), number) + count);
	spreads_add(tally->spreads, spread_of(tally, row, number), step, count);
}

void tally_add_row(struct tally *tally, const struct tally *from, size_t index)
{
	struct tally_row row = tally_row(from, index);
	uint64_t numbers[TALLY_NUMBERS_MAX], counts[TALLY_STEPS];
	size_t at;

	for (unsigned i = 0; i < tally->info->numbers; i++)
		numbers[i] = tally->info->rules[i] == TALLY_SPREAD ? TALLY_NONE : row.numbers[i];
	at = tally_add_now(tally, row.parts, numbers);
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

	tally_add(tally, parts, numbers);
}

void tally_add_two(struct tally *tally, struct text first, struct text second, const uint64_t *numbers)
{
	struct text parts[] = { first, second, TEXT_NONE, TEXT_NONE };

	tally_add(tally, parts, numbers);
}

/* ---- reading ---- */

size_t tally_count(const struct tally *tally)
{
	return whole(tally)->count;
}

static void read_numbers(const struct tally *tally, size_t index, uint64_t *ret_numbers)
{
	const struct row *row = row_at(tally, index);

	for (unsigned i = 0; i < tally->info->numbers; i++)
		ret_numbers[i] = number_of(tally, row, i);
}

struct tally_row tally_row(const struct tally *tally, size_t index)
{
	struct tally_row row;

	(void)whole(tally);
	read_key(key_of(tally, row_at(tally, index)), tally->info->parts, row.parts);
	for (unsigned i = tally->info->parts; i < TALLY_PARTS_MAX; i++)
		row.parts[i] = TEXT_NONE;
	read_numbers(tally, index, row.numbers);
	for (unsigned i = tally->info->numbers; i < TALLY_NUMBERS_MAX; i++)
		row.numbers[i] = 0;
	return row;
}

/* Of a key some bytes in one number, behind those with which all begin: they tell most keys apart. */
struct ordered {
	uint64_t bytes;
	uint32_t index;
	bool is_others;			/* which come last, as in a tally that is full */
};

static struct text first_text(const struct tally *tally, size_t index)
{
	struct text parts[TALLY_PARTS_MAX];

	read_key(key_of(tally, row_at(tally, index)), tally->info->parts, parts);
	return parts[0];
}

static size_t same_begin(struct text a, struct text b, size_t length)
{
	size_t i = 0;

	while (i < length && i < a.length && i < b.length && tolower((unsigned char)a.start[i]) == tolower((unsigned char)b.start[i]))
		i++;
	return i;
}

static uint64_t bytes_behind(struct text text, size_t begin)
{
	uint64_t bytes = 0;

	for (size_t i = begin; i < begin + sizeof bytes; i++)
		bytes = bytes << 8 | (i < text.length ? (unsigned char)tolower((unsigned char)text.start[i]) : 0);
	return bytes;
}

static int compare_texts(struct text a, struct text b)
{
	size_t length = a.length < b.length ? a.length : b.length;
	int order = length ? strncasecmp(a.start, b.start, length) : 0;

	return order ? order : (a.length > b.length) - (a.length < b.length);
}

static int compare_keys(const void *a, const void *b, void *context)
{
	const struct ordered *left = a, *right = b;
	const struct tally *tally = context;
	struct text parts[2][TALLY_PARTS_MAX];
	int order = (left->bytes > right->bytes) - (left->bytes < right->bytes);

	if (left->is_others != right->is_others)
		return left->is_others ? 1 : -1;
	if (order)
		return order;
	read_key(key_of(tally, row_at(tally, left->index)), tally->info->parts, parts[0]);
	read_key(key_of(tally, row_at(tally, right->index)), tally->info->parts, parts[1]);
	for (unsigned i = 0; i < tally->info->parts && !order; i++)
		order = compare_texts(parts[0][i], parts[1][i]);
	return order;
}

/* Of all keys but the others, of which there is one. */
static size_t common_begin(const struct tally *tally)
{
	struct text first = TEXT_NONE;
	size_t length = TALLY_TEXT_MAX;

	for (size_t i = 0; i < tally->count; i++) {
		struct text text = first_text(tally, i);

		if (text_is(text, TALLY_OTHERS))
			continue;
		if (!first.start)
			first = text;
		length = same_begin(first, text, length);
	}
	return first.start ? length : 0;
}

size_t *tally_order(const struct tally *tally)
{
	size_t count = tally_count(whole(tally)), begin = common_begin(tally);
	struct ordered *rows = calloc(count + 1, sizeof *rows);
	size_t *indexes = calloc(count + 1, sizeof *indexes);

	if (!rows || !indexes) {
		free(rows);
		free(indexes);
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		struct text text = first_text(tally, i);

		rows[i] = (struct ordered){ bytes_behind(text, begin), (uint32_t)i, text_is(text, TALLY_OTHERS) };
	}
	qsort_r(rows, count, sizeof *rows, compare_keys, (void *)(uintptr_t)tally);
	for (size_t i = 0; i < count; i++)
		indexes[i] = rows[i].index;
	free(rows);
	return indexes;
}

uint64_t tally_number(const struct tally *tally, size_t index, unsigned number)
{
	return number_of(whole(tally), row_at(tally, index), number);
}

size_t tally_index(const struct tally *tally, const struct text *parts)
{
	uint32_t slot = whole(tally)->slots[find_slot(whole(tally), parts, hash_of(parts, tally->info->parts))];

	return slot ? index_in(slot) : SIZE_MAX;
}

bool tally_find(const struct tally *tally, const struct text *parts, uint64_t *ret_numbers)
{
	size_t index = tally_index(tally, parts);

	if (index != SIZE_MAX)
		read_numbers(tally, index, ret_numbers);
	return index != SIZE_MAX;
}

void tally_sum_steps(const struct tally *tally, size_t row, unsigned number, uint64_t *counts)
{
	if (whole(tally)->spreads && number < tally->info->numbers)
		spreads_sum(tally->spreads, spread_of(tally, row, number), counts);
}

uint64_t tally_others(const struct tally *tally)
{
	return whole(tally)->others;
}

void tally_set_others(struct tally *tally, uint64_t count)
{
	tally->others = count;
}

struct tally *tally_fold(const struct tally *tally, const struct tally_info *info, unsigned part, size_t length)
{
	struct tally *folded = tally_new(info);

	for (size_t i = 0; folded && i < whole(tally)->count; i++) {
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

static unsigned reckon_step(uint64_t duration_us)
{
	double step;

	if ((double)duration_us <= first_us)
		return 0;
	step = ceil(log((double)duration_us / first_us) / log(ratio) - 1e-9);
	return step < TALLY_STEPS - 1 ? (unsigned)step : TALLY_STEPS - 1;
}

/* Logarithms take longer than all else that is done for a duration: the longest of each step, and where to begin for each
 * number of bits. */
static uint64_t longest[TALLY_STEPS];
static uint16_t first_steps[65];
static pthread_once_t steps_once = PTHREAD_ONCE_INIT;

/* By halves, from about where it must be. */
static uint64_t find_longest(unsigned step)
{
	uint64_t end = tally_step_end(step), slack = end / 100000000 + 2, from = end - slack, until = end + slack;

	while (from + 1 < until) {
		uint64_t middle = from + (until - from) / 2;

		if (reckon_step(middle) <= step)
			from = middle;
		else
			until = middle;
	}
	return from;
}

static void find_steps(void)
{
	for (unsigned step = 0; step < TALLY_STEPS; step++)
		longest[step] = step < TALLY_STEPS - 1 ? find_longest(step) : UINT64_MAX;
	for (unsigned bits = 0; bits <= 64; bits++)
		first_steps[bits] = (uint16_t)reckon_step(bits ? UINT64_C(1) << (bits - 1) : 0);
}

unsigned tally_step(uint64_t duration_us)
{
	unsigned step;

	(void)pthread_once(&steps_once, find_steps);
	step = first_steps[duration_us ? 64 - (unsigned)__builtin_clzll(duration_us) : 0];
	while (longest[step] < duration_us)
		step++;
	return step;
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
