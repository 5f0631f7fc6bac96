/*
 * message_scan.h - a walk over a message from its left to its right, which keeps its values as fields: what the kinds that
 * are taken apart by hand (postfix_fast.c, format_filters.c) are made of.
 *
 * The types of values are those of template.h. They are looked for by vectors, 16 bytes at once: near the end of the
 * message by the last 16 it has, so that no byte outside of it is read and no value takes a loop over its bytes, whose
 * length no processor can guess.
 *
 * Limits: a message of SCAN_VECTOR bytes at least; no kind has EVENT_FIELDS_MAX fields.
 */
#ifndef SMTPTRAIL_MESSAGE_SCAN_H
#define SMTPTRAIL_MESSAGE_SCAN_H

#include "analysis/event.h"
#include "analysis/scan.h"

struct scan {
	const char *at, *end;
	struct event_field *next;	/* of the event's */
	struct event *event;
};

/* What a value is made of, or ends at. */
enum scan_type {
	SCAN_HOST, SCAN_IP, SCAN_WORD, SCAN_TOKEN, SCAN_ADDRESS, SCAN_BARE_ADDRESS, SCAN_COMMA,
	SCAN_NUMBER, SCAN_COUNT, SCAN_DECIMAL, SCAN_IPV4, SCAN_ALNUM,
};

#define SCAN_INLINE static inline __attribute__((always_inline))

#ifdef __SSE2__
SCAN_INLINE unsigned scan_others(__m128i wanted)
{
	return 0xffff ^ (unsigned)_mm_movemask_epi8(wanted);
}

/* A bit for each of 16 bytes that end a value. */
SCAN_INLINE unsigned scan_ends(const char *at, enum scan_type type)
{
	__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);

	switch (type) {
	case SCAN_HOST:
		return scan_hits(at, '[', ' ', ',', ':');
	case SCAN_IP:
		return scan_hits(at, ']', ' ', ',', ',');
	case SCAN_WORD:
		return scan_hits(at, ' ', ',', ')', ';');
	case SCAN_TOKEN:
		return scan_hits(at, ' ', ' ', ' ', ' ');
	case SCAN_ADDRESS:
		return scan_hits(at, '>', '"', '"', '"');
	case SCAN_BARE_ADDRESS:
		return scan_hits(at, '>', '"', ' ', ' ');
	case SCAN_COMMA:
		return scan_hits(at, ',', ',', ',', ',');
	case SCAN_NUMBER:
		return scan_others(scan_in_range(bytes, '0', 10));
	case SCAN_COUNT:
		return scan_others(scan_in_range(bytes, '/', 11));
	case SCAN_DECIMAL:
		/* From '-' to '9' there is nothing else but '/'. */
		return scan_others(_mm_andnot_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('/')), scan_in_range(bytes, '-', 13)));
	case SCAN_IPV4:
		return scan_others(_mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('.')), scan_in_range(bytes, '0', 10)));
	case SCAN_ALNUM:
		return scan_others(_mm_or_si128(scan_in_range(bytes, '0', 10),
						scan_in_range(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 26)));
	}
	return 0;
}
#else
SCAN_INLINE bool scan_is_end(char c, enum scan_type type)
{
	switch (type) {
	case SCAN_HOST:
		return c == '[' || c == ' ' || c == ',' || c == ':';
	case SCAN_IP:
		return c == ']' || c == ' ' || c == ',';
	case SCAN_WORD:
		return c == ' ' || c == ',' || c == ')' || c == ';';
	case SCAN_TOKEN:
		return c == ' ';
	case SCAN_ADDRESS:
		return c == '>' || c == '"';
	case SCAN_BARE_ADDRESS:
		return c == '>' || c == '"' || c == ' ';
	case SCAN_COMMA:
		return c == ',';
	case SCAN_NUMBER:
		return !byte_is_digit(c);
	case SCAN_COUNT:
		return !byte_is_digit(c) && c != '/';
	case SCAN_DECIMAL:
		return !byte_is_digit(c) && c != '.' && c != '-';
	case SCAN_IPV4:
		return !byte_is_digit(c) && c != '.';
	case SCAN_ALNUM:
		return !byte_is_alnum(c);
	}
	return true;
}
#endif

/* Where a value that begins here ends; the end of the message at the latest. */
SCAN_INLINE const char *scan_value_end(const struct scan *scan, enum scan_type type)
{
	const char *at = scan->at;
#ifdef __SSE2__
	const char *last = scan->end - SCAN_VECTOR;

	for (; at < last; at += SCAN_VECTOR) {
		unsigned ends = scan_ends(at, type);

		if (ends)
			return at + __builtin_ctz(ends);
	}
	unsigned ends = scan_ends(last, type) >> (at - last);

	return ends ? at + __builtin_ctz(ends) : scan->end;
#else
	while (at < scan->end && !scan_is_end(*at, type))
		at++;
	return at;
#endif
}

SCAN_INLINE bool scan_take_bytes(struct scan *scan, const char *bytes, size_t length)
{
	if ((size_t)(scan->end - scan->at) < length || !text_same_bytes(scan->at, bytes, length))
		return false;
	scan->at += length;
	return true;
}
#define TAKE(scan, literal) scan_take_bytes((scan), (literal), sizeof(literal) - 1)

SCAN_INLINE void scan_keep_text(struct scan *scan, const char *name, const char *start, const char *end)
{
	*scan->next++ = (struct event_field){ name, { start, (size_t)(end - start) } };
}

/* False: it would be empty. */
SCAN_INLINE bool scan_keep_to(struct scan *scan, const char *name, const char *end)
{
	if (end == scan->at)
		return false;
	scan_keep_text(scan, name, scan->at, end);
	scan->at = end;
	return true;
}

SCAN_INLINE bool scan_keep(struct scan *scan, enum scan_type type, const char *name)
{
	return scan_keep_to(scan, name, scan_value_end(scan, type));
}

#define KEEP(scan, type, name) scan_keep((scan), SCAN_##type, EVENT_NAME(name))

SCAN_INLINE bool scan_is_at_end(const struct scan *scan)
{
	return scan->at == scan->end;
}

SCAN_INLINE bool scan_is_kind(struct scan *scan, const char *kind)
{
	scan->event->kind = kind;
	return true;
}

#define IS_KIND(scan, kind) scan_is_kind((scan), EVENT_KIND(kind))

/* What the event has so far, where others add to it. */
SCAN_INLINE void scan_settle(struct scan *scan)
{
	scan->event->field_count = (unsigned)(scan->next - scan->event->fields);
}

/* "3A5F2C01E2: " or "NOQUEUE: ", whose length it gives, at the start of a message; 0: none that is plainly one. */
SCAN_INLINE size_t scan_id_length(const struct scan *scan)
{
	enum { ID_MIN = 5, ID_MAX = 64 };
	const char *at;

	/* "warning: " and "fatal: " look like an id. */
	if (*scan->at >= 'a')
		return 0;
	at = scan_value_end(scan, SCAN_ALNUM);
	size_t length = (size_t)(at - scan->at);

	return length >= ID_MIN && length < ID_MAX && scan->end - at > 2 && at[0] == ':' && at[1] == ' ' ? length : 0;
}

/* Takes the id, which is so long, and what is behind it. */
SCAN_INLINE void scan_take_id(struct scan *scan, size_t length)
{
	if (length != 7 || memcmp(scan->at, "NOQUEUE", 7) != 0)
		scan_keep_text(scan, EVENT_NAME(QUEUE_ID), scan->at, scan->at + length);
	scan->at += length + 2;
}

#endif
