/*
 * scan.h - the searches that are made in each line of a log, by vectors where the machine has them.
 *
 * None reads a byte outside of what it is given.
 */
#ifndef SMTPTRAIL_SCAN_H
#define SMTPTRAIL_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "common/text.h"

enum { SCAN_VECTOR = 16 };

#ifdef __SSE2__
/* A bit for each of 16 bytes: those that are one of four. */
static inline unsigned scan_hits(const char *at, char a, char b, char c, char d)
{
	__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
	__m128i hits = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(a)), _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b))),
				    _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(c)), _mm_cmpeq_epi8(bytes, _mm_set1_epi8(d))));

	return (unsigned)_mm_movemask_epi8(hits);
}

/* Those from low to low + count - 1. */
static inline __m128i scan_in_range(__m128i bytes, char low, int count)
{
	/* Signed comparison is all there is: the range is moved to the lowest numbers. */
	__m128i moved = _mm_sub_epi8(bytes, _mm_set1_epi8((char)(low + 128)));

	return _mm_cmplt_epi8(moved, _mm_set1_epi8((char)(count - 128)));
}
#endif

/* The first of four characters (repeat one to look for fewer); the end: none. */
static inline const char *scan_find(const char *at, const char *end, char a, char b, char c, char d)
{
#ifdef __SSE2__
	for (; end - at >= SCAN_VECTOR; at += SCAN_VECTOR) {
		unsigned hits = scan_hits(at, a, b, c, d);

		if (hits)
			return at + __builtin_ctz(hits);
	}
#endif
	while (at < end && *at != a && *at != b && *at != c && *at != d)
		at++;
	return at;
}

#ifdef __SSE2__
static inline uint64_t scan_line_ends_16(const char *at)
{
	return scan_hits(at, '\n', '\n', '\n', '\n');
}
#endif

/* Where the line ends of a text are, counted from its start: up to so many of the first, into a room of SCAN_BLOCK more. In
 * blocks, without a branch for each line: where one ends is what no processor can guess. */
enum { SCAN_BLOCK = 64 };
static inline size_t scan_line_ends(const char *start, const char *end, uint32_t *offsets, size_t count)
{
	const char *at = start;
	size_t found = 0;

#ifdef __SSE2__
	for (; end - at >= SCAN_BLOCK && found < count; at += SCAN_BLOCK) {
		uint32_t offset = (uint32_t)(at - start);
		uint64_t hits = scan_line_ends_16(at) | scan_line_ends_16(at + 16) << 16 | scan_line_ends_16(at + 32) << 32 |
				scan_line_ends_16(at + 48) << 48;

		/* Nearly always there are two at most; what is written for none is written over by the next. */
		offsets[found] = offset + (uint32_t)__builtin_ctzll(hits | UINT64_C(1) << 63);
		found += hits != 0;
		hits &= hits - 1;
		offsets[found] = offset + (uint32_t)__builtin_ctzll(hits | UINT64_C(1) << 63);
		found += hits != 0;
		for (hits &= hits - (hits != 0); hits; hits &= hits - 1)
			offsets[found++] = offset + (uint32_t)__builtin_ctzll(hits);
	}
#endif
	for (; at < end && found < count; at++)
		if (*at == '\n')
			offsets[found++] = (uint32_t)(at - start);
	return found < count ? found : count;
}

/* The first that is neither a digit nor a letter of ASCII; the end: none. */
static inline const char *scan_alnum_end(const char *at, const char *end)
{
#ifdef __SSE2__
	for (; end - at >= SCAN_VECTOR; at += SCAN_VECTOR) {
		__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
		__m128i letters = scan_in_range(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 26);
		unsigned others = 0xffff ^ (unsigned)_mm_movemask_epi8(_mm_or_si128(letters, scan_in_range(bytes, '0', 10)));

		if (others)
			return at + __builtin_ctz(others);
	}
#endif
	while (at < end && byte_is_alnum(*at))
		at++;
	return at;
}

#endif
