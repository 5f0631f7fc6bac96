/*
 * host_pairs.h - rows of the section hosts, as words of a command.
 *
 * Memory: the list grows, and is never given back; what it has is lent from the words, which are changed.
 */
#ifndef SMTPTRAIL_TESTS_HOST_PAIRS_H
#define SMTPTRAIL_TESTS_HOST_PAIRS_H

#include <stdlib.h>
#include <string.h>

#include "common/conf.h"

/* "a=b,c=d" as the configuration would have it. */
static inline void host_pairs_add(struct conf_list *pairs, char *words)
{
	for (char *word = strtok(words, "=,"); word; word = strtok(NULL, "=,")) {
		pairs->items = reallocarray(pairs->items, pairs->count + 1, sizeof *pairs->items);
		if (!pairs->items)
			abort();
		pairs->items[pairs->count++] = word;
	}
}

#endif
