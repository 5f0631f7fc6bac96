/*
 * advice.h - what an end means and what to do next, in words: the table advice.def.
 *
 * Threads: any; no state.
 */
#ifndef SMTPTRAIL_ADVICE_H
#define SMTPTRAIL_ADVICE_H

#include "analysis/reply.h"

enum advice_kind {
	ADVICE_REASON, ADVICE_STATUS, ADVICE_CODE, ADVICE_FATE, ADVICE_WHY, ADVICE_CHECK, ADVICE_STORY, ADVICE_STATE, ADVICE_ENDED,
	ADVICE_OUTCOME, ADVICE_MISSING, ADVICE_KIND_COUNT,
};

struct advice {
	enum advice_kind kind;
	const char *key;
	const char *meaning;
	const char *next;
};

/* The row behind the last has a NULL key. */
extern const struct advice advice_table[];

/* NULL: the table says nothing of it. */
const struct advice *advice_find(enum advice_kind kind, struct text key);
/* Of an enhanced status code, or else of its subject; of a reply code, or else of its first digit. */
const struct advice *advice_of_status(const struct status_code *code);
const struct advice *advice_of_code(int code);
const char *advice_kind_name(enum advice_kind kind);

#endif
