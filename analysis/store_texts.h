/*
 * store_texts.h - many texts in memory, each by its number: one behind the other, and where each of them lies.
 *
 * Threads: one owner at a time.
 * Memory:  8 to 20 bytes a text and its length; a text that is lent lives until the next one is kept.
 * Limits:  texts of 65535 bytes, numbers of 32 bits, and as many bytes as the owner says.
 */
#ifndef SMTPTRAIL_STORE_TEXTS_H
#define SMTPTRAIL_STORE_TEXTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/text.h"

struct store_texts {
	struct store_text_place {
		uint32_t number, offset;	/* number 0: free */
	} *places;
	size_t place_count, used;	/* of places: a power of two, at most three quarters are used */
	unsigned char *bytes;
	size_t size, room;
};

/* Empties it. */
void store_texts_done(struct store_texts *texts);
/* Under a number that has none. false: no memory, or beyond a limit. */
bool store_texts_keep(struct store_texts *texts, uint64_t number, struct text text, size_t bytes_max);
/* Absent: none is kept under the number. */
struct text store_texts_find(const struct store_texts *texts, uint64_t number);

#endif
