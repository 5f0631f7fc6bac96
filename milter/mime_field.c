/* mime_field.c - the value of a Content-Type or Content-Disposition field, taken apart. */
#include "mime_field.h"

#include <stdint.h>

/* Where decoded bytes go. */
struct output {
	char *bytes;
	size_t size, length;
	bool cut;
};

static void put(struct output *output, char byte)
{
	if (output->length < output->size)
		output->bytes[output->length++] = byte;
	else
		output->cut = true;
}

static void drop(struct text *text, size_t bytes)
{
	text->start += bytes;
	text->length -= bytes;
}

static void skip_comment(struct text *text)
{
	size_t depth = 0;

	while (text->length) {
		char byte = text->start[0];

		drop(text, byte == '\\' && text->length > 1 ? 2 : 1);
		if (byte == '(')
			depth++;
		else if (byte == ')' && --depth == 0)
			return;
	}
}

static void skip_blanks(struct text *text)
{
	while (text->length && (byte_is_blank(text->start[0]) || text->start[0] == '(')) {
		if (text->start[0] == '(')
			skip_comment(text);
		else
			drop(text, 1);
	}
}

static struct text trim(struct text text)
{
	while (text.length && byte_is_blank(text.start[text.length - 1]))
		text.length--;
	return text;
}

static struct text take_until(struct text *text, const char *ends)
{
	struct text taken = { text->start, 0 };
	size_t count = strlen(ends);

	/* Not strchr: a NUL byte ends nothing here. */
	while (taken.length < text->length && !memchr(ends, text->start[taken.length], count))
		taken.length++;
	drop(text, taken.length);
	return taken;
}

/* What stands inside of quotes; without a closing one, all that is left. */
static struct text take_quoted(struct text *text)
{
	size_t length = 1;

	while (length < text->length && text->start[length] != '"')
		length += text->start[length] == '\\' && length + 1 < text->length ? 2 : 1;
	struct text inside = { text->start + 1, length - 1 };

	drop(text, length < text->length ? length + 1 : length);
	return inside;
}

static bool is_file_name(struct text name)
{
	return (name.length >= 4 && strncasecmp(name.start, "name", 4) == 0) ||
	       (name.length >= 8 && strncasecmp(name.start, "filename", 8) == 0);
}

/* An unquoted file name goes on to the semicolon, since many come with blanks in them. */
static struct mime_parameter take_parameter(struct text *rest)
{
	struct mime_parameter parameter = { .name = trim(take_until(rest, "=;(")) };

	skip_blanks(rest);
	if (!rest->length || rest->start[0] != '=')
		return parameter;
	drop(rest, 1);
	skip_blanks(rest);
	if (rest->length && rest->start[0] == '"') {
		parameter.quoted = true;
		parameter.value = take_quoted(rest);
	} else {
		parameter.value = trim(take_until(rest, is_file_name(parameter.name) ? ";" : "; \t\r\n"));
	}
	return parameter;
}

void mime_field_read(struct mime_field *field, struct text value)
{
	struct text rest = value;

	field->count = 0;
	skip_blanks(&rest);
	field->type = take_until(&rest, "; \t\r\n(");
	while (rest.length) {
		skip_blanks(&rest);
		(void)take_until(&rest, ";");
		if (!rest.length)
			return;
		drop(&rest, 1);
		skip_blanks(&rest);
		struct mime_parameter parameter = take_parameter(&rest);

		if (parameter.value.start && field->count < MIME_FIELD_PARAMETERS)
			field->parameters[field->count++] = parameter;
	}
}

static bool is_utf8(struct text text)
{
	for (size_t i = 0; i < text.length;) {
		unsigned char first = (unsigned char)text.start[i++];
		size_t more = first < 0x80 ? 0 : first < 0xc2 ? 4 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : 4;

		if (more == 4 || first == 0 || text.length - i < more)
			return false;
		for (size_t j = 0; j < more; j++) {
			unsigned char byte = (unsigned char)text.start[i + j];
			/* Too long forms, surrogates, and what lies beyond Unicode. */
			unsigned char low = j ? 0x80 : first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
			unsigned char high = j ? 0xbf : first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;

			if (byte < low || byte > high)
				return false;
		}
		i += more;
	}
	return true;
}

static int hex_digit(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	byte |= 0x20;
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* Bytes written as an escape byte and two hexadecimal digits: % (RFC 2231) or = (Q encoding). */
static bool decode_escapes(struct text text, char escape, struct output *output)
{
	for (size_t i = 0; i < text.length; i++) {
		char byte = text.start[i];

		if (byte == escape) {
			int high = i + 1 < text.length ? hex_digit(text.start[i + 1]) : -1;
			int low = i + 2 < text.length ? hex_digit(text.start[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			byte = (char)(high * 16 + low);
			i += 2;
		} else if (byte == '_' && escape == '=') {
			byte = ' ';
		}
		put(output, byte);
	}
	return true;
}

static int base64_digit(char byte)
{
	if (byte >= 'A' && byte <= 'Z')
		return byte - 'A';
	if (byte >= 'a' && byte <= 'z')
		return byte - 'a' + 26;
	if (byte >= '0' && byte <= '9')
		return byte - '0' + 52;
	return byte == '+' ? 62 : byte == '/' ? 63 : -1;
}

static bool decode_base64(struct text text, struct output *output)
{
	unsigned bits = 0, count = 0;

	while (text.length && text.start[text.length - 1] == '=')
		text.length--;
	for (size_t i = 0; i < text.length; i++) {
		int digit = base64_digit(text.start[i]);

		if (digit < 0)
			return false;
		bits = bits << 6 | (unsigned)digit;
		count += 6;
		if (count >= 8) {
			count -= 8;
			put(output, (char)(bits >> count & 0xff));
		}
	}
	return true;
}

static bool is_plain_charset(struct text charset)
{
	return charset.length == 0 || text_equal_nocase(charset, TEXT_LITERAL("utf-8")) ||
	       text_equal_nocase(charset, TEXT_LITERAL("utf8")) ||
	       text_equal_nocase(charset, TEXT_LITERAL("us-ascii"));
}

static struct text take_part(struct text *rest, char end)
{
	const char *found = rest->length ? memchr(rest->start, end, rest->length) : NULL;

	if (!found)
		return TEXT_NONE;
	struct text part = { rest->start, (size_t)(found - rest->start) };

	drop(rest, part.length + 1);
	return part;
}

/* Takes =?charset?encoding?text?= from the head of rest; false: it is none, or not plain. */
static bool decode_word(struct text *rest, struct output *output)
{
	drop(rest, 2);
	struct text charset = take_part(rest, '?'), encoding = take_part(rest, '?'), text = take_part(rest, '?');
	const char *language = charset.start ? memchr(charset.start, '*', charset.length) : NULL;

	if (!text.start || !rest->length || rest->start[0] != '=' || encoding.length != 1)
		return false;
	drop(rest, 1);
	if (language)
		charset.length = (size_t)(language - charset.start);
	if (!is_plain_charset(charset))
		return false;
	if ((encoding.start[0] | 0x20) == 'q')
		return decode_escapes(text, '=', output);
	return (encoding.start[0] | 0x20) == 'b' && decode_base64(text, output);
}

static bool starts_word(struct text text)
{
	return text.length > 2 && text.start[0] == '=' && text.start[1] == '?';
}

/* RFC 2047 words between other text; blanks between two words vanish. */
static bool decode_words(struct text text, struct output *output)
{
	bool found = false;

	while (text.length) {
		if (!starts_word(text)) {
			put(output, text.start[0]);
			drop(&text, 1);
			continue;
		}
		if (!decode_word(&text, output))
			return false;
		found = true;
		struct text behind = text;

		while (behind.length && byte_is_blank(behind.start[0]))
			drop(&behind, 1);
		if (starts_word(behind))
			text = behind;
	}
	return found;
}

/* The value without the backslashes of a quoted string and without the line ends of a fold. A backslash
 * before another byte is one that someone forgot to double: C:\new.txt. */
static void put_plain(const struct mime_parameter *parameter, struct output *output)
{
	struct text value = parameter->value;

	for (size_t i = 0; i < value.length; i++) {
		if (parameter->quoted && value.start[i] == '\\' && i + 1 < value.length &&
		    (value.start[i + 1] == '"' || value.start[i + 1] == '\\'))
			i++;
		if (value.start[i] != '\r' && value.start[i] != '\n')
			put(output, value.start[i]);
	}
}

static bool has_name(const struct mime_parameter *parameter, const char *name, int part, bool encoded)
{
	struct text got = parameter->name;
	size_t length = strlen(name);

	if (got.length < length || strncasecmp(got.start, name, length) != 0)
		return false;
	drop(&got, length);
	if (encoded) {
		if (!got.length || got.start[got.length - 1] != '*')
			return false;
		got.length--;
	}
	if (part < 0)
		return got.length == 0;
	char digits[4] = { '*', (char)('0' + part / 10), (char)('0' + part % 10), 0 };

	if (part < 10) {
		digits[1] = digits[2];
		digits[2] = 0;
	}
	return text_is(got, digits);
}

static const struct mime_parameter *find(const struct mime_field *field, const char *name, int part, bool encoded)
{
	for (size_t i = 0; i < field->count; i++)
		if (has_name(&field->parameters[i], name, part, encoded))
			return &field->parameters[i];
	return NULL;
}

/* Puts charset'language'text; false: not a plain charset, or no such form. */
static bool put_extended(struct text value, bool is_first, struct output *output)
{
	if (is_first) {
		struct text charset = take_part(&value, '\''), language = take_part(&value, '\'');

		if (!language.start || !is_plain_charset(charset))
			return false;
	}
	return decode_escapes(value, '%', output);
}

/* RFC 2231: name*, or name*0, name*1 ...; each may be percent encoded (a trailing *). */
static bool put_continued(const struct mime_field *field, const char *name, bool decode, struct output *output,
			  bool *ret_good)
{
	const struct mime_parameter *whole = find(field, name, -1, true);
	bool found = false, good = true;

	if (whole) {
		*ret_good = !decode || put_extended(whole->value, true, output);
		if (!decode)
			put_plain(whole, output);
		return true;
	}
	for (int part = 0; part < MIME_FIELD_PARAMETERS; part++) {
		const struct mime_parameter *plain = find(field, name, part, false);
		const struct mime_parameter *extended = plain ? NULL : find(field, name, part, true);

		if (!plain && !extended)
			break;
		found = true;
		if (plain || !decode)
			put_plain(plain ? plain : extended, output);
		else
			good = good && put_extended(extended->value, part == 0, output);
	}
	*ret_good = good;
	return found;
}

struct text mime_field_parameter(const struct mime_field *field, const char *name, char *buffer,
				 size_t size, bool *ret_cut)
{
	struct output output = { .bytes = buffer, .size = size };
	bool good = true;

	if (put_continued(field, name, true, &output, &good)) {
		if (!good || !is_utf8((struct text){ buffer, output.length })) {
			output.length = 0;
			(void)put_continued(field, name, false, &output, &good);
		}
	} else {
		const struct mime_parameter *parameter = find(field, name, -1, false);

		if (!parameter)
			return TEXT_NONE;
		if (!decode_words(parameter->value, &output) || !is_utf8((struct text){ buffer, output.length })) {
			output.length = 0;
			put_plain(parameter, &output);
		}
	}
	if (output.cut)
		*ret_cut = true;
	return (struct text){ buffer, output.length };
}
