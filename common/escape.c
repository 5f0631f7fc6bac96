/* escape.c - outside bytes made harmless. */
#include "escape.h"

#include <stdint.h>
#include <stdlib.h>

enum { PIECE_MAX = 4 };		/* "\xNN", or a code point of four bytes */

/* Length of the valid UTF-8 sequence that the text begins with; 0: there is none. */
static size_t take_code_point(struct text text, uint32_t *ret_code)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *byte = (const unsigned char *)text.start;
	size_t length = byte[0] < 0x80 ? 1 : byte[0] < 0xc2 ? 0 : byte[0] < 0xe0 ? 2 : byte[0] < 0xf0 ? 3 :
			byte[0] < 0xf5 ? 4 : 0;
	uint32_t code = length == 1 ? byte[0] : byte[0] & (0x7fu >> length);

	if (length == 0 || length > text.length)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (byte[i] & 0x3fu);
	}
	if (code < smallest[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret_code = code;
	return length;
}

/* Code points that change how their neighbours look, or do not show at all. */
static bool is_harmful(uint32_t code)
{
	static const struct { uint32_t first, last; } ranges[] = {
		{ 0x0000, 0x001f }, { 0x007f, 0x009f },	/* C0, DEL, C1 */
		{ 0x00ad, 0x00ad },			/* soft hyphen */
		{ 0x034f, 0x034f }, { 0x061c, 0x061c },	/* grapheme joiner, Arabic letter mark */
		{ 0x115f, 0x1160 }, { 0x17b4, 0x17b5 },	/* invisible letters */
		{ 0x180b, 0x180f },			/* Mongolian selectors and separator */
		{ 0x200b, 0x200f },			/* zero width, left-to-right marks */
		{ 0x2028, 0x202e },			/* line and paragraph end, embeddings, overrides */
		{ 0x2060, 0x206f },			/* invisible operators, isolates */
		{ 0x3164, 0x3164 }, { 0xfe00, 0xfe0f },	/* Hangul filler, variation selectors */
		{ 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 },	/* byte order mark, halfwidth filler */
		{ 0xfff0, 0xfffb },			/* interlinear annotation */
		{ 0xe0000, 0xe0fff },			/* tags, more selectors */
	};

	for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	return (code & 0xfffe) == 0xfffe || (code >= 0xfdd0 && code <= 0xfdef);	/* no characters */
}

size_t escape_harmful_length(struct text text, unsigned *ret_code)
{
	uint32_t code = 0;
	size_t length = text.length ? take_code_point(text, &code) : 0;

	if (!length || !is_harmful(code))
		return 0;
	*ret_code = code;
	return length;
}

static size_t show_byte(unsigned char byte, char *piece)
{
	static const char digits[] = "0123456789abcdef";

	piece[0] = '\\';
	piece[1] = 'x';
	piece[2] = digits[byte >> 4];
	piece[3] = digits[byte & 0xf];
	return 4;
}

/* Takes what makes the next piece off the text. Returns the length of the piece; *ret_columns: how wide. */
static size_t take_piece(struct text *rest, char also, char *piece, size_t *ret_columns)
{
	uint32_t code = 0;
	size_t length = take_code_point(*rest, &code), written;

	if (length == 0 || is_harmful(code)) {
		/* Byte by byte: the continuation bytes that follow are no valid start and come here too. */
		length = 1;
		written = show_byte((unsigned char)rest->start[0], piece);
		*ret_columns = written;
	} else if (code == '\\' || (also && code == (unsigned char)also)) {
		piece[0] = '\\';
		piece[1] = (char)code;
		*ret_columns = written = 2;
	} else {
		memcpy(piece, rest->start, length);
		written = length;
		*ret_columns = 1;
	}
	rest->start += length;
	rest->length -= length;
	return written;
}

static void write_pieces(struct text text, char also, FILE *out)
{
	char piece[PIECE_MAX];
	size_t columns;

	while (text.length) {
		size_t length = take_piece(&text, also, piece, &columns);

		(void)fwrite(piece, 1, length, out);
	}
}

void escape_terminal(struct text text, FILE *out)
{
	write_pieces(text, '\0', out);
}

void escape_quoted(struct text text, FILE *out)
{
	(void)fputc('"', out);
	write_pieces(text, '"', out);
	(void)fputc('"', out);
}

size_t escape_into(struct text text, char *buffer, size_t size, size_t *ret_columns)
{
	size_t used = 0, width = 0;

	while (text.length) {
		char piece[PIECE_MAX];
		size_t columns, length = take_piece(&text, '\0', piece, &columns);

		if (used + length + 1 > size)
			break;
		memcpy(buffer + used, piece, length);
		used += length;
		width += columns;
	}
	if (size)
		buffer[used] = '\0';
	if (ret_columns)
		*ret_columns = width;
	return used;
}

void escape_mask(char *text)
{
	struct text rest = { text, strlen(text) };

	while (rest.length) {
		uint32_t code = 0;
		size_t length = take_code_point(rest, &code);

		if (!length || is_harmful(code)) {
			length = length ? length : 1;
			memset(text, '?', length);
		}
		text += length;
		rest = (struct text){ text, rest.length - length };
	}
}

char *escape_utf8_new(struct text text, size_t *ret_length)
{
	char *copy = malloc(text.length * PIECE_MAX + 1);
	size_t used = 0;

	if (!copy)
		return NULL;
	while (text.length) {
		uint32_t code;
		size_t length = take_code_point(text, &code);

		if (length) {
			memcpy(copy + used, text.start, length);
			used += length;
		} else {
			length = 1;
			used += show_byte((unsigned char)text.start[0], copy + used);
		}
		text.start += length;
		text.length -= length;
	}
	copy[used] = '\0';
	*ret_length = used;
	return copy;
}

/* Eight bytes of which none is a NUL or above 0x7f. */
static bool is_plain_word(const char *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof word);
	return ((word | (word - 0x0101010101010101)) & 0x8080808080808080) == 0;
}

size_t escape_put_utf8(char *out, unsigned code)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xe0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3f));
		out[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 0x3f));
	out[2] = (char)(0x80 | (code >> 6 & 0x3f));
	out[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

bool escape_is_utf8(struct text text)
{
	uint32_t code = 0;

	while (text.length) {
		size_t length = text.length >= 8 && is_plain_word(text.start) ? 8 : take_code_point(text, &code);

		if (length == 0 || text.start[0] == '\0')
			return false;
		text = (struct text){ text.start + length, text.length - length };
	}
	return true;
}
