/*
 * facts.c - facts as bytes. Each lies behind the evidence that it rests on:
 *
 *   evidence  EVIDENCE, key and IS_UNSURE, lengths of major (low half) and minor, source (2), major, minor
 *   fact      the fact, length (1; from LONG on 2, with IS_CUT), value
 *
 * Bare facts have no evidence.
 * Numbers are in as few bytes as they need, the lowest first.
 */
#include "analysis/facts.h"

#include <endian.h>
#include <string.h>

enum {
	FIRST_SIZE = 64,
	EVIDENCE = 0xff, EVIDENCE_HEAD = 5, IS_UNSURE = 0x80,
	FACT_HEAD_MAX = 3, LONG = 0x80, IS_CUT = 0x40,
	NUMBER_SIZE = sizeof(uint64_t),
};

_Static_assert((int)FACT_COUNT <= (int)EVIDENCE, "a fact is one byte, and no evidence");
_Static_assert((int)JOIN_COUNT <= (int)IS_UNSURE, "a key has its bits");
_Static_assert((int)FACT_TEXT_MAX <= 0x3fff && (int)FACTS_SIZE_MAX <= UINT16_MAX, "lengths have their bits");

const struct fact_info fact_table[FACT_COUNT] = {
#define FACT(level, id, name, type, meaning) { name, LEVEL_##level, FACT_##type, meaning },
#include "analysis/transaction.def"
#undef FACT
};

const char *fact_level_name(enum fact_level level)
{
	static const char *const names[LEVEL_COUNT] = { "session", "message", "recipient", "attempt", "check", "login" };

	return names[level];
}

const char *fact_type_name(enum fact_type type)
{
	static const char *const names[] = {
		[FACT_TEXT] = "text", [FACT_ADDRESS] = "address", [FACT_WORD] = "word", [FACT_IP] = "ip", [FACT_LIST] = "list",
		[FACT_NUMBER] = "number", [FACT_SIZE] = "size", [FACT_TIME] = "time", [FACT_DURATION] = "duration",
	};

	return names[type];
}

/* How many facts are of lower levels. */
static const enum fact first_facts[LEVEL_COUNT] = {
#define FACT(level, id, name, type, meaning) + (LEVEL_##level < LEVEL_MESSAGE)
	[LEVEL_MESSAGE] = (enum fact)(0
#include "analysis/transaction.def"
	),
#undef FACT
#define FACT(level, id, name, type, meaning) + (LEVEL_##level < LEVEL_RECIPIENT)
	[LEVEL_RECIPIENT] = (enum fact)(0
#include "analysis/transaction.def"
	),
#undef FACT
#define FACT(level, id, name, type, meaning) + (LEVEL_##level < LEVEL_ATTEMPT)
	[LEVEL_ATTEMPT] = (enum fact)(0
#include "analysis/transaction.def"
	),
#undef FACT
#define FACT(level, id, name, type, meaning) + (LEVEL_##level < LEVEL_CHECK)
	[LEVEL_CHECK] = (enum fact)(0
#include "analysis/transaction.def"
	),
#undef FACT
#define FACT(level, id, name, type, meaning) + (LEVEL_##level < LEVEL_LOGIN)
	[LEVEL_LOGIN] = (enum fact)(0
#include "analysis/transaction.def"
	),
#undef FACT
};

enum fact fact_first(enum fact_level level)
{
	return first_facts[level];
}

enum fact fact_by_name(enum fact_level level, struct text name)
{
	for (int fact = (int)fact_first(level); fact < FACT_COUNT && fact_table[fact].level == level; fact++)
		if (text_is(name, fact_table[fact].name))
			return (enum fact)fact;
	return FACT_COUNT;
}

static const struct {
	const char *name, *meaning;
} joins[JOIN_COUNT] = {
#define JOIN(id, name, meaning) { name, meaning },
#include "analysis/join_keys.def"
#undef JOIN
};

const char *join_key_name(enum join_key key)
{
	return joins[key].name;
}

const char *join_key_meaning(enum join_key key)
{
	return joins[key].meaning;
}

void facts_done(struct facts *facts, struct pool *pool)
{
	pool_give(pool, facts->bytes, facts->size);
	*facts = (struct facts){ .bytes = NULL };
}

static __attribute__((noinline)) bool grow(struct facts *facts, struct pool *pool, size_t size)
{
	unsigned char *bytes;

	if (size > FACTS_SIZE_MAX) {
		facts->is_cut = true;
		return false;
	}
	/* Entities grow to what others of their kind have: a little ahead, in steps. */
	size += facts->size / 4;
	if (size < FIRST_SIZE)
		size = FIRST_SIZE;
	if (size > FACTS_SIZE_MAX)
		size = FACTS_SIZE_MAX;
	bytes = pool_take(pool, &size);
	if (!bytes) {
		facts->is_cut = true;
		return false;
	}
	if (facts->used)
		memcpy(bytes, facts->bytes, facts->used);
	pool_give(pool, facts->bytes, facts->size);
	facts->bytes = bytes;
	facts->size = (uint16_t)size;
	return true;
}

static inline bool make_room(struct facts *facts, struct pool *pool, size_t more)
{
	size_t size = facts->used + more;

	return size <= facts->size || grow(facts, pool, size);
}

/* ---- what lies in the block: inline, as most of it is done several times for each line ---- */

static unsigned write_number(unsigned char *at, uint64_t number)
{
	uint64_t bytes = htole64(number);

	memcpy(at, &bytes, sizeof bytes);
	return number ? (unsigned)(sizeof number - (unsigned)__builtin_clzll(number) / 8) : 0;
}

static uint64_t read_number(const unsigned char *at, size_t length)
{
	uint64_t number = 0;

	while (length-- > 0)
		number = number << 8 | at[length];
	return number;
}

static unsigned evidence_size(const unsigned char *at)
{
	return EVIDENCE_HEAD + (at[2] & 0xfu) + (at[2] >> 4u);
}

static unsigned head_size(const unsigned char *at)
{
	return at[1] & LONG ? 3 : 2;
}

static unsigned value_size(const unsigned char *at)
{
	return at[1] & LONG ? (unsigned)(at[1] & 0x3f) << 8 | at[2] : at[1];
}

static unsigned item_size(const unsigned char *at)
{
	return *at == EVIDENCE ? evidence_size(at) : head_size(at) + value_size(at);
}

static struct evidence evidence_at(const unsigned char *at)
{
	unsigned major = at[2] & 0xfu, minor = at[2] >> 4u;

	return (struct evidence){
		.key = at[1] & (IS_UNSURE - 1), .is_unsure = at[1] & IS_UNSURE, .source = (uint16_t)(at[3] | at[4] << 8),
		.major = read_number(at + EVIDENCE_HEAD, major), .minor = (uint32_t)read_number(at + EVIDENCE_HEAD + major, minor),
	};
}

static inline __attribute__((always_inline)) struct fact_value value_at(const unsigned char *at)
{
	struct fact_value value = { .fact = (enum fact)*at, .is_cut = at[1] & LONG && at[1] & IS_CUT };
	struct text bytes = { (const char *)at + head_size(at), value_size(at) };

	if (fact_is_text(value.fact))
		value.text = bytes;
	else
		value.number = read_number((const unsigned char *)bytes.start, bytes.length);
	return value;
}

static uint64_t bit_of(enum fact fact)
{
	return UINT64_C(1) << ((unsigned)fact % 64);
}

/* Where the fact lies, and the evidence before it; -1: it is not there. */
static inline __attribute__((always_inline)) int offset_of(const struct facts *facts, enum fact fact, unsigned *ret_evidence)
{
	if (!(facts->there & bit_of(fact)))
		return -1;
	for (unsigned offset = 0; offset < facts->used; offset += item_size(facts->bytes + offset)) {
		if (facts->bytes[offset] == EVIDENCE)
			*ret_evidence = offset;
		else if (facts->bytes[offset] == fact)
			return (int)offset;
	}
	return -1;
}

/* ---- what is written into it ---- */

/* The evidence's own bytes; their number. */
static unsigned encode_evidence(unsigned char *at, const struct evidence *evidence)
{
	unsigned major = write_number(at + EVIDENCE_HEAD, evidence->major);
	unsigned minor = write_number(at + EVIDENCE_HEAD + major, evidence->minor);

	at[0] = EVIDENCE;
	at[1] = (unsigned char)(evidence->key | (evidence->is_unsure ? IS_UNSURE : 0));
	at[2] = (unsigned char)(major | minor << 4);
	at[3] = (unsigned char)evidence->source;
	at[4] = (unsigned char)(evidence->source >> 8);
	return EVIDENCE_HEAD + major + minor;
}

static bool has_evidence(const struct facts *facts)
{
	return facts->newest < facts->used;
}

bool facts_newest(const struct facts *facts, struct evidence *ret_evidence)
{
	if (facts->is_bare || !has_evidence(facts))
		return false;
	*ret_evidence = evidence_at(facts->bytes + facts->newest);
	return true;
}

void facts_rest_on(struct facts *facts, struct pool *pool, const struct evidence *evidence)
{
	unsigned char bytes[EVIDENCE_HEAD + 2 * NUMBER_SIZE];
	unsigned size;

	if (facts->is_bare)
		return;
	size = encode_evidence(bytes, evidence);
	if (has_evidence(facts)) {
		const unsigned char *newest = facts->bytes + facts->newest;
		unsigned newest_size = evidence_size(newest);

		if (newest_size == size && memcmp(newest, bytes, size) == 0)
			return;
		/* Nothing rests on it. */
		if (facts->newest + newest_size == facts->used)
			facts->used = facts->newest;
	}
	/* Without room there is no newest: what would rest on it is left out. */
	facts->newest = facts->used;
	if (!make_room(facts, pool, size))
		return;
	memcpy(facts->bytes + facts->used, bytes, size);
	facts->used = (uint16_t)(facts->used + size);
}

void facts_unset(struct facts *facts, enum fact fact)
{
	unsigned evidence = 0, from, to;
	int offset = offset_of(facts, fact, &evidence);

	if (offset < 0)
		return;
	from = (unsigned)offset;
	to = from + item_size(facts->bytes + from);
	/* Evidence that nothing rests on any more goes with it; the newest stays for what comes. */
	if (evidence != facts->newest && facts->bytes[to] == EVIDENCE && evidence + evidence_size(facts->bytes + evidence) == from)
		from = evidence;
	memmove(facts->bytes + from, facts->bytes + to, facts->used - to);
	facts->used = (uint16_t)(facts->used - (to - from));
	facts->there &= ~bit_of(fact);
	if (facts->newest >= to)
		facts->newest = (uint16_t)(facts->newest - (to - from));
}

void facts_note_cut(struct facts *facts, enum fact fact)
{
	unsigned evidence;
	int offset = offset_of(facts, fact, &evidence);

	if (offset >= 0 && facts->bytes[offset + 1] & LONG)
		facts->bytes[offset + 1] |= IS_CUT;
}

/* Most are short. */
static inline void copy(unsigned char *at, struct text text)
{
	uint64_t words[2];

	if (text.length - 8 > 8) {
		memcpy(at, text.start, text.length);
		return;
	}
	memcpy(&words[0], text.start, sizeof words[0]);
	memcpy(&words[1], text.start + text.length - 8, sizeof words[1]);
	memcpy(at, &words[0], sizeof words[0]);
	memcpy(at + text.length - 8, &words[1], sizeof words[1]);
}

static inline __attribute__((always_inline)) void add_text(struct facts *facts, struct pool *pool, enum fact fact, struct text text)
{
	bool is_cut = text.length > FACT_TEXT_MAX;
	unsigned char *at;

	if (!text.start)
		return;
	if (is_cut)
		text.length = FACT_TEXT_MAX;
	if ((!facts->is_bare && !has_evidence(facts)) || !make_room(facts, pool, FACT_HEAD_MAX + text.length))
		return;
	at = facts->bytes + facts->used;
	facts->there |= bit_of(fact);
	*at++ = (unsigned char)fact;
	if (text.length < LONG) {
		*at++ = (unsigned char)text.length;
	} else {
		*at++ = (unsigned char)(LONG | (is_cut ? IS_CUT : 0) | text.length >> 8);
		*at++ = (unsigned char)text.length;
	}
	copy(at, text);
	facts->used = (uint16_t)(at + text.length - facts->bytes);
}

void facts_add_text(struct facts *facts, struct pool *pool, enum fact fact, struct text text)
{
	add_text(facts, pool, fact, text);
}

static inline __attribute__((always_inline)) void add_number(struct facts *facts, struct pool *pool, enum fact fact, uint64_t number)
{
	unsigned char *at;

	if ((!facts->is_bare && !has_evidence(facts)) || !make_room(facts, pool, FACT_HEAD_MAX + NUMBER_SIZE))
		return;
	at = facts->bytes + facts->used;
	facts->there |= bit_of(fact);
	at[0] = (unsigned char)fact;
	at[1] = (unsigned char)write_number(at + 2, number);
	facts->used = (uint16_t)(facts->used + 2 + at[1]);
}

void facts_add_number(struct facts *facts, struct pool *pool, enum fact fact, uint64_t number)
{
	add_number(facts, pool, fact, number);
}

void facts_set_text(struct facts *facts, struct pool *pool, enum fact fact, struct text text)
{
	if (!text.start)
		return;
	if (facts->there & bit_of(fact))
		facts_unset(facts, fact);
	add_text(facts, pool, fact, text);
}

void facts_set_number(struct facts *facts, struct pool *pool, enum fact fact, uint64_t number)
{
	if (facts->there & bit_of(fact))
		facts_unset(facts, fact);
	add_number(facts, pool, fact, number);
}

bool facts_next_item(struct text *list, struct text *ret_item)
{
	const char *comma = list->length ? memchr(list->start, ',', list->length) : NULL;
	size_t length = comma ? (size_t)(comma - list->start) : list->length;

	if (!list->length)
		return false;
	*ret_item = (struct text){ list->start, length };
	length = length + 2 < list->length ? length + 2 : list->length;
	*list = (struct text){ list->start + length, list->length - length };
	return true;
}

static bool has_item(struct text list, struct text item)
{
	struct text other;

	while (facts_next_item(&list, &other))
		if (text_equal(other, item))
			return true;
	return false;
}

void facts_add_item(struct facts *facts, struct pool *pool, enum fact fact, struct text item)
{
	struct text list = facts_text(facts, fact);
	char joined[FACT_TEXT_MAX + 1];
	size_t length;

	if (!item.length || has_item(list, item))
		return;
	if (!list.length) {
		facts_set_text(facts, pool, fact, item);
		return;
	}
	length = list.length + 2 + item.length;
	if (length > FACT_TEXT_MAX) {
		facts->is_cut = true;
		return;
	}
	memcpy(joined, list.start, list.length);
	memcpy(joined + list.length, ", ", 2);
	memcpy(joined + list.length + 2, item.start, item.length);
	facts_set_text(facts, pool, fact, (struct text){ joined, length });
}

/* ---- what is read from it ---- */

bool facts_find(const struct facts *facts, enum fact fact, struct fact_value *ret_value)
{
	unsigned evidence = 0;
	int offset = offset_of(facts, fact, &evidence);

	if (offset < 0)
		return false;
	*ret_value = value_at(facts->bytes + offset);
	ret_value->evidence = facts->is_bare ? (struct evidence){ .source = 0 } : evidence_at(facts->bytes + evidence);
	return true;
}

void facts_walk_start(struct facts_walk *walk, const struct facts *facts)
{
	*walk = (struct facts_walk){ .facts = facts };
}

bool facts_walk_next(struct facts_walk *walk, struct fact_value *ret_value)
{
	const struct facts *facts = walk->facts;

	while (walk->offset < facts->used) {
		const unsigned char *at = facts->bytes + walk->offset;

		walk->offset += item_size(at);
		if (*at == EVIDENCE) {
			walk->evidence = evidence_at(at);
			continue;
		}
		*ret_value = value_at(at);
		ret_value->evidence = walk->evidence;
		return true;
	}
	return false;
}

struct text facts_text(const struct facts *facts, enum fact fact)
{
	unsigned evidence;
	int offset = offset_of(facts, fact, &evidence);

	return offset < 0 ? TEXT_NONE : value_at(facts->bytes + offset).text;
}

uint64_t facts_number(const struct facts *facts, enum fact fact, uint64_t otherwise)
{
	unsigned evidence;
	int offset = offset_of(facts, fact, &evidence);

	return offset < 0 ? otherwise : value_at(facts->bytes + offset).number;
}

/* ---- bytes that lie elsewhere ---- */

struct text facts_bytes(const struct facts *facts)
{
	return (struct text){ (const char *)facts->bytes, facts->used };
}

/* The size of the item at hand, where it ends within the bytes that are left; 0: it does not. */
static unsigned whole_item_size(const unsigned char *at, size_t left)
{
	unsigned size;

	if (left < 2 || (*at == EVIDENCE ? left < EVIDENCE_HEAD : left < head_size(at)))
		return 0;
	size = item_size(at);
	if (*at == EVIDENCE)
		return size <= left && (at[2] & 0xfu) <= NUMBER_SIZE && (at[2] >> 4u) <= NUMBER_SIZE ? size : 0;
	return size <= left ? size : 0;
}

/* One item with our own numbers; false: it is none of ours. */
static bool renumber(unsigned char *at, const struct facts_numbers *numbers)
{
	if (*at == EVIDENCE) {
		uint8_t key = numbers->keys[at[1] & (IS_UNSURE - 1)];

		at[1] = (unsigned char)((at[1] & IS_UNSURE) | (key < JOIN_COUNT ? key : JOIN_COUNT - 1));
		return true;
	}
	*at = numbers->facts[*at];
	return *at < FACT_COUNT;
}

static bool is_ours(const unsigned char *at)
{
	if (*at == EVIDENCE)
		return (at[1] & (IS_UNSURE - 1)) < JOIN_COUNT;
	return *at < FACT_COUNT && (fact_is_text((enum fact)*at) || value_size(at) <= NUMBER_SIZE);
}

bool facts_borrow(struct facts *ret_facts, unsigned char *bytes, size_t length, const struct facts_numbers *numbers)
{
	size_t from = 0, to = 0, newest = 0;
	bool has_evidence_before = false;
	uint64_t there = 0;

	if (length > FACTS_SIZE_MAX)
		return false;
	while (from < length) {
		unsigned size = whole_item_size(bytes + from, length - from);
		bool is_evidence = bytes[from] == EVIDENCE;

		if (!size || (!is_evidence && !has_evidence_before))
			return false;
		if (numbers && !renumber(bytes + from, numbers)) {
			from += size;
			continue;
		}
		if (!is_ours(bytes + from))
			return false;
		if (is_evidence)
			newest = to;
		else
			there |= bit_of((enum fact)bytes[from]);
		has_evidence_before = true;
		memmove(bytes + to, bytes + from, size);
		from += size;
		to += size;
	}
	*ret_facts = (struct facts){ .bytes = bytes, .there = there, .used = (uint16_t)to, .size = (uint16_t)to,
				     .newest = (uint16_t)newest };
	return true;
}
