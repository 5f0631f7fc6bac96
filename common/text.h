/*
 * text.h - borrowed text: where it starts and how long it is; kinds of bytes.
 *
 * Bytes from outside have a length and no terminator. A struct text never owns
 * what it points to; whoever lends it says until when it is valid.
 */
#ifndef SMTPTRAIL_TEXT_H
#define SMTPTRAIL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct text {
	const char *start;	/* NULL: absent. Not NULL with length 0: known to be empty. */
	size_t length;
};

#define TEXT_NONE ((struct text){ NULL, 0 })
#define TEXT_LITERAL(literal) ((struct text){ (literal), sizeof(literal) - 1 })
/* For printf with "%.*s". */
#define TEXT_ARGS(text) ((int)(text).length), ((text).start ? (text).start : "")

static inline struct text text_of(const char *string)
{
	return (struct text){ string, string ? strlen(string) : 0 };
}

static inline bool text_equal(struct text a, struct text b)
{
	return a.length == b.length && (a.length == 0 || memcmp(a.start, b.start, a.length) == 0);
}

/* Two words each from the start and from the end, which may overlap. */
static inline bool text_same_words(const char *a, const char *b, size_t length)
{
	uint64_t first_a, first_b, last_a, last_b;

	memcpy(&first_a, a, sizeof first_a);
	memcpy(&first_b, b, sizeof first_b);
	memcpy(&last_a, a + length - sizeof last_a, sizeof last_a);
	memcpy(&last_b, b + length - sizeof last_b, sizeof last_b);
	return ((first_a ^ first_b) | (last_a ^ last_b)) == 0;
}

/* As memcmp == 0: for what is short, and compared in each line of a log. */
static inline bool text_same_bytes(const char *a, const char *b, size_t length)
{
	if (length > 4 * sizeof(uint64_t))
		return memcmp(a, b, length) == 0;
	if (length > 2 * sizeof(uint64_t))
		return text_same_words(a, b, 2 * sizeof(uint64_t)) &&
		       text_same_words(a + length - 2 * sizeof(uint64_t), b + length - 2 * sizeof(uint64_t), 2 * sizeof(uint64_t));
	if (length >= sizeof(uint64_t))
		return text_same_words(a, b, length);
	if (length >= sizeof(uint32_t)) {
		uint32_t first_a, first_b, last_a, last_b;

		memcpy(&first_a, a, sizeof first_a);
		memcpy(&first_b, b, sizeof first_b);
		memcpy(&last_a, a + length - sizeof last_a, sizeof last_a);
		memcpy(&last_b, b + length - sizeof last_b, sizeof last_b);
		return ((first_a ^ first_b) | (last_a ^ last_b)) == 0;
	}
	return length == 0 || (a[0] == b[0] && a[length / 2] == b[length / 2] && a[length - 1] == b[length - 1]);
}

static inline bool text_equal_nocase(struct text a, struct text b)
{
	return a.length == b.length &&
	       (a.length == 0 || strncasecmp(a.start, b.start, a.length) == 0);
}

/* Eight bytes at once, their ASCII capitals as small letters. */
static inline uint64_t text_lower_word(uint64_t word)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), low = word & 0x7f * ones;
	/* The highest bit of each byte: from 'A' on, not beyond 'Z', no byte of 0x80 and above. */
	uint64_t capital = (low + (0x80 - 'A') * ones) & ~(low + (0x7f - 'Z') * ones) & ~word & 0x80 * ones;

	return word | capital >> 2;
}

/* The first place of wanted in any letter case (ASCII), that of an empty one being the start; NULL: there is none. */
static inline const char *text_find_nocase(struct text text, struct text wanted)
{
	if (wanted.length == 0)
		return text.start;
	for (size_t i = 0; i + wanted.length <= text.length; i++)
		if (strncasecmp(text.start + i, wanted.start, wanted.length) == 0)
			return text.start + i;
	return NULL;
}

/* Of ASCII, whatever the locale is. */
static inline bool byte_is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static inline bool byte_is_alnum(char byte)
{
	return byte_is_digit(byte) || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
}

static inline char byte_lower(char byte)
{
	return byte >= 'A' && byte <= 'Z' ? (char)(byte + 'a' - 'A') : byte;
}

/* The line ends of a folded header field are among them. */
static inline bool byte_is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static inline bool text_is(struct text text, const char *string)
{
	return text_equal(text, text_of(string));
}

/* What follows its first bytes, of which there are at least so many. */
static inline struct text text_behind(struct text text, size_t count)
{
	return (struct text){ text.start + count, text.length - count };
}

/* Without the blanks around it. */
static inline struct text text_trim(struct text text)
{
	while (text.length && byte_is_blank(text.start[0]))
		text = text_behind(text, 1);
	while (text.length && byte_is_blank(text.start[text.length - 1]))
		text.length--;
	return text;
}

/* Nothing, or blanks alone. */
static inline bool text_is_blank(struct text text)
{
	return text_trim(text).length == 0;
}

static inline bool text_starts(struct text text, const char *prefix)
{
	size_t length = strlen(prefix);

	return text.length >= length && (length == 0 || memcmp(text.start, prefix, length) == 0);
}

static inline bool text_starts_nocase(struct text text, const char *prefix)
{
	size_t length = strlen(prefix);

	return text.length >= length && (length == 0 || strncasecmp(text.start, prefix, length) == 0);
}

/* An empty one is in every text but an absent one. */
static inline bool text_has(struct text text, const char *wanted)
{
	return text.start && memmem(text.start, text.length, wanted, strlen(wanted));
}

static inline bool text_has_nocase(struct text text, const char *wanted)
{
	return text_find_nocase(text, text_of(wanted));
}

#endif
