/*
 * line.h - a line of output for a person: harmless, aligned, cut to the terminal's width.
 *
 * Outside text is escaped (common/escape.h) and measured in columns, wide and combining
 * characters as a terminal shows them. A line with a limit that would be wider ends in an ellipsis.
 *
 * Threads: one owner at a time.
 * Memory:  the bytes are the line's and grow; line_finish lends them until the next line_start.
 * Errors:  without memory a line gets shorter.
 */
#ifndef SMTPTRAIL_LINE_H
#define SMTPTRAIL_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/text.h"

enum line_colour { LINE_PLAIN, LINE_DIM, LINE_RED, LINE_YELLOW, LINE_GREEN };

struct line {
	bool coloured;		/* set by the owner: colours are written */
	size_t limit;		/* set by the owner: columns; 0: no limit */
	char *bytes;
	size_t length, size;
	size_t columns;
	size_t fitting;		/* bytes that leave room for an ellipsis */
	bool is_cut;
};

void line_start(struct line *line);
/* Outside text. */
void line_put(struct line *line, struct text text);
/* The same, at most so many columns wide, with an ellipsis where it is cut. */
void line_put_cut(struct line *line, struct text text, size_t columns);
/* Our own words: printable ASCII. */
void line_put_words(struct line *line, const char *words);
/* Blanks up to this column, counted from 0. */
void line_pad(struct line *line, size_t column);
/* From here on. */
void line_set_colour(struct line *line, enum line_colour colour);
/* Ends it, with a line end. */
struct text line_finish(struct line *line);
void line_done(struct line *line);

/* Bytes that are harmless already, as JSON: neither measured nor cut. */
void line_put_raw(struct line *line, const char *bytes, size_t length);

#endif
