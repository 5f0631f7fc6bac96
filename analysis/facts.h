/*
 * facts.h - what is known of one session, message, recipient, attempt, check or login: names of transaction.def with
 * their values, and the evidence of each.
 *
 * Few facts of many are known of anything, so they lie one behind the other in one small block, each behind the
 * evidence that it rests on, and are found by walking. Whatever shows, stores, compares or exports a transaction goes
 * over the table and asks for each.
 *
 * Threads: one owner at a time, with the pool it came from.
 * Memory:  texts are copied in; a value lends until its facts change.
 * Limits:  FACT_TEXT_MAX bytes of a text, FACTS_SIZE_MAX of all; what is beyond is left out, and is_cut of the value or
 *          of the facts says so.
 * Errors:  setters do not fail: without memory the fact is left out, and is_cut is set.
 */
#ifndef SMTPTRAIL_FACTS_H
#define SMTPTRAIL_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "analysis/pool.h"
#include "common/text.h"

enum { FACT_TEXT_MAX = 2048, FACTS_SIZE_MAX = 32 * 1024 };

enum fact_level { LEVEL_SESSION, LEVEL_MESSAGE, LEVEL_RECIPIENT, LEVEL_ATTEMPT, LEVEL_CHECK, LEVEL_LOGIN, LEVEL_COUNT };

enum fact_type {
	FACT_TEXT, FACT_ADDRESS, FACT_WORD, FACT_IP, FACT_LIST,		/* texts */
	FACT_NUMBER, FACT_SIZE, FACT_TIME, FACT_DURATION,		/* numbers */
};

enum fact {
#define FACT(level, id, name, type, meaning) FACT_##level##_##id,
#include "analysis/transaction.def"
#undef FACT
	FACT_COUNT,
};

struct fact_info {
	const char *name;
	enum fact_level level;
	enum fact_type type;
	const char *meaning;
};

/* By enum fact; the facts of one level stand together. */
extern const struct fact_info fact_table[FACT_COUNT];

static inline bool fact_is_text(enum fact fact)
{
	return fact_table[fact].type < FACT_NUMBER;
}

const char *fact_level_name(enum fact_level level);	/* "session" */
const char *fact_type_name(enum fact_type type);
/* The first fact of a level; the next level's is behind its last. */
enum fact fact_first(enum fact_level level);
/* FACT_COUNT: no fact of that level has the name. */
enum fact fact_by_name(enum fact_level level, struct text name);

/* By what a piece of evidence was tied to what it is about. */
enum join_key {
#define JOIN(id, name, meaning) JOIN_##id,
#include "analysis/join_keys.def"
#undef JOIN
	JOIN_COUNT,
};

const char *join_key_name(enum join_key key);
const char *join_key_meaning(enum join_key key);

/* A line of a file, or an entry of a stream; sources are numbered by source.h. */
struct evidence {
	uint16_t source;
	uint8_t key;		/* enum join_key */
	bool is_unsure;		/* another reading was possible */
	uint32_t minor;		/* of an entry: the number behind the dash */
	uint64_t major;		/* line number; of an entry: the milliseconds */
};

/* Some of the facts: a bit for each. */
struct fact_set {
	uint64_t words[(FACT_COUNT + 63) / 64];
};

static inline bool fact_set_has(const struct fact_set *set, enum fact fact)
{
	return set->words[(unsigned)fact / 64] >> ((unsigned)fact % 64) & 1;
}

static inline void fact_set_add(struct fact_set *set, enum fact fact)
{
	set->words[(unsigned)fact / 64] |= UINT64_C(1) << ((unsigned)fact % 64);
}

struct facts {
	unsigned char *bytes;
	uint64_t there;		/* bit fact % 64; those of one level are fewer */
	uint16_t used, size;
	uint16_t newest;	/* where the newest evidence lies; used: there is none */
	bool is_cut;
	bool is_bare;		/* nobody asks what they rest on: they have no evidence, and need none */
};

struct fact_value {
	enum fact fact;
	struct text text;	/* of a text */
	uint64_t number;	/* of a number */
	struct evidence evidence;
	bool is_cut;
};

void facts_done(struct facts *facts, struct pool *pool);

/* What is set from now on rests on this. Before it nothing is, but of bare facts. */
void facts_rest_on(struct facts *facts, struct pool *pool, const struct evidence *evidence);
/* An absent text sets nothing. A value that is there is replaced, evidence and all. */
void facts_set_text(struct facts *facts, struct pool *pool, enum fact fact, struct text text);
void facts_set_number(struct facts *facts, struct pool *pool, enum fact fact, uint64_t number);
/* The same, where it is known that the fact is not there yet. */
void facts_add_text(struct facts *facts, struct pool *pool, enum fact fact, struct text text);
void facts_add_number(struct facts *facts, struct pool *pool, enum fact fact, uint64_t number);
/* Adds an item to a LIST, unless it is there. */
void facts_add_item(struct facts *facts, struct pool *pool, enum fact fact, struct text item);
/* The next item of a LIST, which is then the rest. false: there is none. */
bool facts_next_item(struct text *list, struct text *ret_item);
/* Says of a text of FACT_TEXT_MAX bytes that it was cut before it came here. */
void facts_note_cut(struct facts *facts, enum fact fact);
void facts_unset(struct facts *facts, enum fact fact);

bool facts_find(const struct facts *facts, enum fact fact, struct fact_value *ret_value);

/* All facts, one after the other: those of one piece of evidence together. */
struct facts_walk {
	const struct facts *facts;
	unsigned offset;
	struct evidence evidence;
};

void facts_walk_start(struct facts_walk *walk, const struct facts *facts);
/* false: there is no more. */
bool facts_walk_next(struct facts_walk *walk, struct fact_value *ret_value);

/*
 * Facts as bytes that lie elsewhere for a while: facts_bytes lends them until the facts change. facts_borrow makes facts
 * of such bytes, for reading only, without a copy; false: they are damaged. They mean the same in one version only: with
 * numbers they are rewritten to those of ours, and what we have not is left out.
 */
struct facts_numbers {
	uint8_t facts[256];		/* of another version; 0xff: none of ours */
	uint8_t keys[128];
};

struct text facts_bytes(const struct facts *facts);
bool facts_borrow(struct facts *ret_facts, unsigned char *bytes, size_t length, const struct facts_numbers *numbers);

/* What they rest on that are set next; false: nothing. */
bool facts_newest(const struct facts *facts, struct evidence *ret_evidence);
/* Absent: not known, or no text. */
struct text facts_text(const struct facts *facts, enum fact fact);
/* otherwise: not known. */
uint64_t facts_number(const struct facts *facts, enum fact fact, uint64_t otherwise);

#endif
