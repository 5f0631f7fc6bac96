/*
 * text.h - borrowed text: where it starts and how long it is.
 *
 * Bytes from outside have a length and no terminator. A struct text never owns
 * what it points to; whoever lends it says until when it is valid.
 */
#ifndef SMTPTRAIL_TEXT_H
#define SMTPTRAIL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
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

static inline bool text_equal_nocase(struct text a, struct text b)
{
	return a.length == b.length &&
	       (a.length == 0 || strncasecmp(a.start, b.start, a.length) == 0);
}

static inline bool text_is(struct text text, const char *string)
{
	return text_equal(text, text_of(string));
}

#endif
