/*
 * fuzz.h - a fuzz target: one reader of outside bytes, given any bytes.
 *
 * Each fuzz_NAME.c defines fuzz_one(). Built plainly, fuzz_main.c gives it the files of its corpus;
 * with --enable-fuzzers (clang), libFuzzer makes up the bytes. A target checks what must hold for
 * any input with FUZZ_MUST and otherwise only has to come back.
 */
#ifndef SMTPTRAIL_FUZZ_H
#define SMTPTRAIL_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/text.h"

#define FUZZ_MUST(condition) do { \
	if (!(condition)) { \
		fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
		abort(); \
	} \
} while (0)

/* libFuzzer's name. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* The input as a file, for readers that take a name: the same one each time, in memory. */
const char *fuzz_file(const uint8_t *bytes, size_t size);

/* Takes the next line off an input of several texts; empty after the last. */
static inline struct text fuzz_line(struct text *rest)
{
	const char *end = rest->length > 0 ? memchr(rest->start, '\n', rest->length) : NULL;
	size_t length = end ? (size_t)(end - rest->start) : rest->length;
	struct text line = { rest->length > 0 ? rest->start : "", length };

	length += end != NULL;
	*rest = (struct text){ rest->length > 0 ? rest->start + length : NULL, rest->length - length };
	return line;
}

/* The same in memory of its own, so that a byte too far is seen; to free. NULL: there is no more. */
static inline char *fuzz_own_line(struct text *rest, size_t *ret_length)
{
	struct text line;
	char *copy;

	if (rest->length == 0)
		return NULL;
	line = fuzz_line(rest);
	copy = malloc(line.length ? line.length : 1);
	if (copy)
		memcpy(copy, line.start, line.length);
	*ret_length = line.length;
	return copy;
}

#endif
