/*
 * fuzz.h - a fuzz target: one function that takes any bytes and lives.
 *
 * Built with --enable-fuzzing (clang), libFuzzer calls it; otherwise fuzz_main.c does, with the stored inputs.
 * What must hold is said by FUZZ_CHECK, which ends the process.
 */
#ifndef SMTPTRAIL_TESTS_FUZZ_H
#define SMTPTRAIL_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(condition) do { \
	if (!(condition)) { \
		fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
		abort(); \
	} \
} while (0)

/* The next line of an input; absent after the last. */
static inline struct text fuzz_line(struct text *rest)
{
	const char *end = rest->length > 0 ? memchr(rest->start, '\n', rest->length) : NULL;
	size_t length = end ? (size_t)(end - rest->start) : rest->length;
	struct text line = { rest->length > 0 ? rest->start : "", length };

	length += end != NULL;
	*rest = (struct text){ rest->length > 0 ? rest->start + length : NULL, rest->length - length };
	return line;
}

#endif
