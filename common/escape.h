/*
 * escape.h - outside bytes made harmless before a person, a terminal or JSON gets them.
 *
 * Printable ASCII and valid, harmless UTF-8 pass. Control bytes, bytes that are no UTF-8, and
 * code points that hide, reorder or break text (C1 controls, bidirectional controls, invisible
 * and line-breaking ones) are shown byte by byte as \xNN, a backslash as \\: the form can be read
 * back without doubt.
 *
 * Threads: any; no state.  Memory: none, but for escape_utf8_new.  Limits: none.
 */
#ifndef SMTPTRAIL_ESCAPE_H
#define SMTPTRAIL_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "text.h"

/* Writes the text; an absent one writes nothing. */
void escape_terminal(struct text text, FILE *out);
/* The same between double quotes, with \" for a quote inside. */
void escape_quoted(struct text text, FILE *out);

/* Puts as much of the escaped text as fits into size bytes and a NUL is always among them; a piece
 * is never cut. Returns the length. *ret_columns (which may be NULL) is how many columns a terminal
 * needs if each code point takes one. */
size_t escape_into(struct text text, char *buffer, size_t size, size_t *ret_columns);

/* In the same place, a question mark for each byte of what would be escaped; a backslash stays. For what is a sentence already. */
void escape_mask(char *text);

/* For JSON, whose writer escapes controls itself: valid UTF-8 as it is, each byte of anything else
 * as \xNN. The caller frees; NULL: no memory. Terminated, and *ret_length long. */
char *escape_utf8_new(struct text text, size_t *ret_length);

/* How long a code point is that hides, reorders or breaks text, where valid UTF-8 begins with one; 0: it does not. */
size_t escape_harmful_length(struct text text, unsigned *ret_code);

/* A code point, in 1 to 4 bytes; gives how many. */
size_t escape_put_utf8(char *out, unsigned code);

/* Whether it is valid UTF-8 without a NUL. */
bool escape_is_utf8(struct text text);

#endif
