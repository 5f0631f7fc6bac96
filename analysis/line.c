/* line.c - a line of output for a person. */
#define _XOPEN_SOURCE 700
#include "analysis/line.h"

#include <locale.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "common/escape.h"

#define ELLIPSIS "\xe2\x80\xa6"
#define RESET "\x1b[0m"

/* Room that is always kept for the end: ellipsis, reset, line end, NUL. */
enum { END_SIZE = 16, ESCAPED_MAX = 4, BYTES_OF_COLUMN = 16 };

static const char *const colour_codes[] = {
	[LINE_PLAIN] = RESET,
	[LINE_DIM] = "\x1b[2m",
	[LINE_RED] = "\x1b[31m",
	[LINE_YELLOW] = "\x1b[33m",
	[LINE_GREEN] = "\x1b[32m",
};

void line_start(struct line *line)
{
	line->length = 0;
	line->columns = 0;
	line->fitting = 0;
	line->is_cut = false;
}

void line_done(struct line *line)
{
	free(line->bytes);
	line->bytes = NULL;
	line->size = line->length = 0;
}

static bool make_room(struct line *line, size_t bytes)
{
	size_t wanted = line->length + bytes + END_SIZE;

	if (wanted <= line->size)
		return true;
	char *larger = realloc(line->bytes, wanted * 2);

	if (!larger)
		return false;
	line->bytes = larger;
	line->size = wanted * 2;
	return true;
}

/* The code point that valid UTF-8 begins with. */
static size_t decode(const unsigned char *byte, uint32_t *ret_code)
{
	size_t length = byte[0] < 0x80 ? 1 : byte[0] < 0xe0 ? 2 : byte[0] < 0xf0 ? 3 : 4;

	*ret_code = length == 1 ? byte[0] : byte[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++)
		*ret_code = *ret_code << 6 | (byte[i] & 0x3fu);
	return length;
}

static size_t width_of(uint32_t code)
{
	int width = code < 0x80 ? 1 : wcwidth((wchar_t)code);

	/* A character too new for the C library: most of those are wide. */
	return width < 0 ? 2 : (size_t)width;
}

/* Only a UTF-8 locale knows widths; this one is part of the C library's own package. */
static locale_t utf8_locale(void)
{
	static locale_t locale;

	if (!locale)
		locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	return locale ? locale : LC_GLOBAL_LOCALE;
}

/* Measures what was added behind `from`, up to so many columns; returns the bytes within them. */
static size_t measure(struct line *line, size_t from, size_t columns)
{
	locale_t before = uselocale(utf8_locale());
	size_t at = from, used = 0;

	while (at < line->length) {
		uint32_t code;
		size_t length = decode((const unsigned char *)line->bytes + at, &code), width = width_of(code);

		if (used + width > columns)
			break;
		at += length;
		used += width;
		line->columns += width;
		if (!line->limit || line->columns < line->limit)
			line->fitting = at;
	}
	(void)uselocale(before);
	return at;
}

/* Printable ASCII: each byte is a column, none is escaped. Nearly every text is. */
static bool is_plain(struct text text)
{
	bool plain = true;

	for (size_t i = 0; i < text.length; i++)
		plain &= text.start[i] >= ' ' && text.start[i] <= '~' && text.start[i] != '\\';
	return plain;
}

static void put_plain(struct line *line, const char *bytes, size_t length)
{
	if (line->is_cut || length == 0 || !make_room(line, length))
		return;
	memcpy(line->bytes + line->length, bytes, length);
	if (!line->limit || line->columns + length < line->limit)
		line->fitting = line->length + length;
	else if (line->columns < line->limit)
		line->fitting = line->length + line->limit - 1 - line->columns;
	line->length += length;
	line->columns += length;
	line->is_cut = line->limit && line->columns > line->limit;
}

/* Appends the text escaped, not measured. */
static bool append_escaped(struct line *line, struct text text)
{
	if (line->is_cut || !make_room(line, text.length * ESCAPED_MAX + 1))
		return false;
	line->length += escape_into(text, line->bytes + line->length, line->size - line->length - END_SIZE, NULL);
	return true;
}

void line_put(struct line *line, struct text text)
{
	size_t from = line->length, most = line->limit * BYTES_OF_COLUMN;
	bool beyond = line->limit && text.length > most;

	if (is_plain(text)) {
		put_plain(line, text.start, text.length);
		return;
	}
	/* Combining characters take no column: without this a line could hold any number of them. */
	if (beyond)
		text.length = most;
	if (!append_escaped(line, text))
		return;
	(void)measure(line, from, SIZE_MAX);
	line->is_cut = beyond || (line->limit && line->columns > line->limit);
}

void line_put_cut(struct line *line, struct text text, size_t columns)
{
	size_t from = line->length, start = line->columns;
	bool beyond = text.length > columns * BYTES_OF_COLUMN;

	if (text.length <= columns && is_plain(text)) {
		put_plain(line, text.start, text.length);
		return;
	}
	if (beyond)
		text.length = columns * BYTES_OF_COLUMN;
	if (!append_escaped(line, text))
		return;
	size_t fitting_before = line->fitting, end = measure(line, from, columns);

	if (end == line->length && !beyond) {
		line->is_cut = line->limit && line->columns > line->limit;
		return;
	}
	/* Once more, with room for the ellipsis. */
	line->columns = start;
	line->fitting = fitting_before;
	line->length = measure(line, from, columns - 1);
	memcpy(line->bytes + line->length, ELLIPSIS, sizeof ELLIPSIS - 1);
	line->length += sizeof ELLIPSIS - 1;
	line->columns++;
	if (!line->limit || line->columns < line->limit)
		line->fitting = line->length;
	line->is_cut = line->limit && line->columns > line->limit;
}

void line_put_raw(struct line *line, const char *bytes, size_t length)
{
	if (length == 0 || !make_room(line, length))
		return;
	memcpy(line->bytes + line->length, bytes, length);
	line->length += length;
}

void line_put_words(struct line *line, const char *words)
{
	put_plain(line, words, strlen(words));
}

void line_pad(struct line *line, size_t column)
{
	while (line->columns < column && !line->is_cut)
		line_put_words(line, " ");
}

void line_set_colour(struct line *line, enum line_colour colour)
{
	if (!line->coloured || line->is_cut)
		return;
	line_put_raw(line, colour_codes[colour], strlen(colour_codes[colour]));
	if (!line->limit || line->columns < line->limit)
		line->fitting = line->length;
}

struct text line_finish(struct line *line)
{
	if (!make_room(line, 0))
		return TEXT_NONE;
	if (line->is_cut) {
		line->length = line->fitting;
		memcpy(line->bytes + line->length, ELLIPSIS, sizeof ELLIPSIS - 1);
		line->length += sizeof ELLIPSIS - 1;
		if (line->coloured) {
			memcpy(line->bytes + line->length, RESET, sizeof RESET - 1);
			line->length += sizeof RESET - 1;
		}
	}
	line->bytes[line->length++] = '\n';
	return (struct text){ line->bytes, line->length };
}
