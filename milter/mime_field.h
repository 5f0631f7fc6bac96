/*
 * mime_field.h - the value of a Content-Type or Content-Disposition field, taken apart.
 *
 * Reads what mail programs really write: parameters quoted or not, with blanks and comments
 * between them, RFC 2231 continuations and percent encoding, RFC 2047 words where they do not
 * belong. A text is decoded only where the result is plain UTF-8; else it stays as it came.
 *
 * Threads: one owner at a time.
 * Memory:  lends from the value it was given; a parameter is written into the caller's buffer.
 * Limits:  MIME_FIELD_PARAMETERS parameters; those behind are not seen.
 */
#ifndef SMTPTRAIL_MILTER_MIME_FIELD_H
#define SMTPTRAIL_MILTER_MIME_FIELD_H

#include "common/text.h"

#define MIME_FIELD_PARAMETERS 32

struct mime_parameter {
	struct text name;
	struct text value;	/* of a quoted value, what stands inside of the quotes */
	bool quoted;
};

struct mime_field {
	struct text type;	/* what stands before the first parameter, as it came */
	size_t count;
	struct mime_parameter parameters[MIME_FIELD_PARAMETERS];
};

void mime_field_read(struct mime_field *field, struct text value);
/* Writes a parameter's text into buffer and lends it from there; absent: there is none.
 * Sets *ret_cut where the buffer was too small. */
struct text mime_field_parameter(const struct mime_field *field, const char *name, char *buffer,
				 size_t size, bool *ret_cut);

#endif
