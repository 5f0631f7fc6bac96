/*
 * stream_id.h - the identifier of an entry in a Redis stream: milliseconds and a number.
 *
 * Threads: any; no state.
 */
#ifndef SMTPTRAIL_STREAM_ID_H
#define SMTPTRAIL_STREAM_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/text.h"

#define STREAM_ID_SIZE 42	/* two numbers of 20 digits, a dash, a NUL */

struct stream_id {
	uint64_t ms;
	uint64_t number;
};

/* "MS-NUMBER", or "MS" for its first. False where the text is no identifier. */
bool stream_id_parse(struct text text, struct stream_id *ret_id);
struct text stream_id_format(struct stream_id id, char ret_text[STREAM_ID_SIZE]);
/* The one right before, so that reading after it begins at id; 0-0 has none and stays. */
struct stream_id stream_id_before(struct stream_id id);
/* Below, at or above zero, as a is below, at or above b. */
int stream_id_compare(struct stream_id a, struct stream_id b);

#endif
