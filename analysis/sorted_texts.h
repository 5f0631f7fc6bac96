/*
 * sorted_texts.h - many texts in memory, which come in the order of their numbers and are found by them.
 *
 * Each stands behind its number, so that whoever looks for one of millions waits for memory once. Numbers are spread evenly,
 * as those of digests are, or are dense; where many are close together only the first of them are found.
 *
 * Threads: one owner at a time.
 * Memory:  6 bytes a text, and 2 to 4 for the index; a text that is lent lives until sorted_texts_done.
 * Limits:  texts of 65535 bytes, numbers of 32 bits, and as many bytes as the owner says.
 */
#ifndef SMTPTRAIL_SORTED_TEXTS_H
#define SMTPTRAIL_SORTED_TEXTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/text.h"

struct sorted_texts {
	unsigned char *bytes;
	size_t size, room, count;
	uint32_t last;			/* the highest number */
	uint32_t *starts;		/* where those begin of which number >> shift is the same; NULL: not indexed */
	unsigned shift;
};

/* Empties it. */
void sorted_texts_done(struct sorted_texts *texts);
/* Under a number above all that there are, before they are indexed. false: no memory, or beyond a limit. */
bool sorted_texts_add(struct sorted_texts *texts, uint64_t number, struct text text, size_t bytes_max);
/* From now on they are found. false: no memory. */
bool sorted_texts_index(struct sorted_texts *texts);
/* Absent: none was found under the number. */
struct text sorted_texts_find(const struct sorted_texts *texts, uint64_t number);
/* For whoever is going to look for it: the memory is asked for. */
void sorted_texts_fetch(const struct sorted_texts *texts, uint64_t number);

#endif
