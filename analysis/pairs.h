/*
 * pairs.h - "key=value key=value" where values may hold blanks and equal signs: a value ends only where a key that is
 * known follows, or at its closing quotation mark.
 *
 * Threads: any; no state beside the struct.  Memory: keys and values borrow from the text.
 */
#ifndef SMTPTRAIL_PAIRS_H
#define SMTPTRAIL_PAIRS_H

#include <stdbool.h>

#include "common/text.h"

/* A key that may come, and the name that its value gets in an event; NULL: it is looked at, not shown. */
struct pair_key {
	const char *key, *name;
	const char *behind;		/* of free words that may imitate keys: the key that follows them, the last such counts */
};

struct pairs {
	struct text rest;
	char separator;
	char other_separator;		/* 0: there is none */
	const struct pair_key *keys;
	unsigned count;
};

/* The next pair; NULL: there is none. A text that begins with no known key has none. */
const struct pair_key *pairs_next(struct pairs *pairs, struct text *ret_value);

#endif
