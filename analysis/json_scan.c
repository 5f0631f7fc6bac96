/* json_scan.c - JSON, read from left to right. */
#include "analysis/json_scan.h"

#include "common/escape.h"

struct place {
	const char *at, *end;
	int depth;
};

static void skip_blanks(struct place *place)
{
	while (place->at < place->end && (*place->at == ' ' || *place->at == '\t' || *place->at == '\n' || *place->at == '\r'))
		place->at++;
}

static int hex_of(char c)
{
	if (byte_is_digit(c))
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits of "\uXXXX"; -1: they are none. */
static int unit_at(const char *at, const char *end)
{
	int unit = 0;

	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_of(at[i]);

		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

/* Behind a backslash; leaves *at behind the escape. A half of a pair must have the other. */
static bool skip_escape(const char **at, const char *end)
{
	char c = *at < end ? *(*at)++ : '\0';
	int unit;

	if (c != 'u')
		return c != '\0' && strchr("\"\\/bfnrt", c);
	unit = unit_at(*at, end);
	if (unit < 0 || (unit >= 0xdc00 && unit < 0xe000))
		return false;
	*at += 4;
	if (unit < 0xd800 || unit >= 0xdc00)
		return true;
	if (end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
		return false;
	unit = unit_at(*at + 2, end);
	*at += 6;
	return unit >= 0xdc00 && unit < 0xe000;
}

/* The length of a sequence of UTF-8 beyond ASCII; 0: it is none. */
static int utf8_length(const unsigned char *at, const unsigned char *end)
{
	int length = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;

	if (at[0] < 0xc2 || at[0] > 0xf4 || end - at < length)
		return 0;
	for (int i = 1; i < length; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf0 && at[1] < 0x90) ||
	    (at[0] == 0xf4 && at[1] > 0x8f))
		return 0;
	return length;
}

/* From the opening quotation mark to behind the closing one. */
static bool take_string(struct place *place, struct text *ret, bool *ret_has_escapes)
{
	const char *at = place->at + 1, *start = at;

	*ret_has_escapes = false;
	for (;;) {
		while (at < place->end && *at != '"' && *at != '\\' && *at >= ' ' && (signed char)*at > 0)
			at++;
		if (at == place->end)
			return false;
		if (*at == '"')
			break;
		if (*at == '\\') {
			at++;
			*ret_has_escapes = true;
			if (!skip_escape(&at, place->end))
				return false;
		} else {
			int length = (signed char)*at < 0 ? utf8_length((const unsigned char *)at, (const unsigned char *)place->end) : 0;

			if (length == 0)
				return false;
			at += length;
		}
	}
	*ret = (struct text){ start, (size_t)(at - start) };
	place->at = at + 1;
	return true;
}

static const char *skip_digits(const char *at, const char *end)
{
	while (at < end && byte_is_digit(*at))
		at++;
	return at;
}

static bool take_number(struct place *place)
{
	const char *at = place->at + (*place->at == '-'), *end = place->end, *digits = at;

	at = skip_digits(at, end);
	if (at == digits || (*digits == '0' && at - digits > 1))
		return false;
	if (at < end && *at == '.') {
		digits = ++at;
		at = skip_digits(at, end);
		if (at == digits)
			return false;
	}
	if (at < end && (*at | 0x20) == 'e') {
		at++;
		at += at < end && (*at == '+' || *at == '-');
		digits = at;
		at = skip_digits(at, end);
		if (at == digits)
			return false;
	}
	place->at = at;
	return true;
}

static bool take_word(struct place *place, const char *word)
{
	size_t length = strlen(word);

	if ((size_t)(place->end - place->at) < length || memcmp(place->at, word, length) != 0)
		return false;
	place->at += length;
	return true;
}

static bool take_value(struct place *place, struct json_value *ret);

/* From the opening bracket to behind the closing one: what is in it must be well-formed. */
static bool take_nested(struct place *place)
{
	char close = *place->at == '{' ? '}' : ']';
	struct json_value value;
	struct text name;
	bool escapes;

	if (place->depth++ == JSON_DEPTH_MAX)
		return false;
	place->at++;
	skip_blanks(place);
	if (place->at < place->end && *place->at == close) {
		place->at++;
		place->depth--;
		return true;
	}
	for (;;) {
		skip_blanks(place);
		if (close == '}') {
			if (place->at == place->end || *place->at != '"' || !take_string(place, &name, &escapes))
				return false;
			skip_blanks(place);
			if (!take_word(place, ":"))
				return false;
		}
		if (!take_value(place, &value))
			return false;
		skip_blanks(place);
		if (place->at == place->end)
			return false;
		if (*place->at == close)
			break;
		if (*place->at++ != ',')
			return false;
	}
	place->at++;
	place->depth--;
	return true;
}

static bool take_value(struct place *place, struct json_value *ret)
{
	const char *start;
	bool is_taken;

	skip_blanks(place);
	start = place->at;
	if (start == place->end)
		return false;
	ret->has_escapes = false;
	switch (*start) {
	case '"':
		ret->type = SCAN_STRING;
		return take_string(place, &ret->text, &ret->has_escapes);
	case '{':
	case '[':
		ret->type = *start == '{' ? SCAN_OBJECT : SCAN_ARRAY;
		is_taken = take_nested(place);
		break;
	case 't':
	case 'f':
		ret->type = SCAN_WORD;
		is_taken = take_word(place, *start == 't' ? "true" : "false");
		break;
	case 'n':
		ret->type = SCAN_NULL;
		is_taken = take_word(place, "null");
		break;
	default:
		ret->type = SCAN_NUMBER;
		is_taken = take_number(place);
		break;
	}
	ret->text = (struct text){ start, (size_t)(place->at - start) };
	return is_taken;
}

bool json_scan_begin(struct json_scan *scan, struct text text)
{
	struct place place = { text.start, text.start + text.length, 0 };

	skip_blanks(&place);
	*scan = (struct json_scan){ .at = place.at, .end = place.end };
	if (place.at == place.end || (*place.at != '{' && *place.at != '['))
		return false;
	scan->is_object = *place.at == '{';
	scan->at++;
	return true;
}

/* Goes over the comma, or the closing bracket; false: there is no further member. */
static bool take_comma(struct json_scan *scan, struct place *place)
{
	char close = scan->is_object ? '}' : ']';

	skip_blanks(place);
	if (place->at == place->end) {
		scan->is_bad = true;
		return false;
	}
	if (*place->at == close) {
		place->at++;
		return false;
	}
	if (!scan->has_begun)
		return true;
	scan->is_bad = *place->at++ != ',';
	skip_blanks(place);
	return !scan->is_bad;
}

static bool take_name(struct place *place, struct text *ret_name)
{
	bool escapes;

	skip_blanks(place);
	if (place->at == place->end || *place->at != '"' || !take_string(place, ret_name, &escapes))
		return false;
	skip_blanks(place);
	return take_word(place, ":");
}

bool json_scan_next(struct json_scan *scan, struct text *ret_name, struct json_value *ret_value)
{
	struct place place = { scan->at, scan->end, 1 };
	bool more = !scan->is_bad && take_comma(scan, &place);

	*ret_name = TEXT_NONE;
	if (more) {
		more = (!scan->is_object || take_name(&place, ret_name)) && take_value(&place, ret_value);
		scan->is_bad = !more;
		scan->has_begun = true;
	}
	scan->at = place.at;
	return more;
}

bool json_scan_is_whole(const struct json_scan *scan)
{
	struct place place = { scan->at, scan->end, 0 };

	skip_blanks(&place);
	return !scan->is_bad && place.at == place.end;
}

/* "uXXXX", one or a pair; leaves *at behind it. */
static unsigned code_of(const char **at, const char *end)
{
	unsigned code = (unsigned)unit_at(*at + 1, end);

	*at += 5;
	if (code >= 0xd800 && code < 0xdc00 && end - *at >= 6) {
		code = 0x10000 + ((code - 0xd800) << 10) + ((unsigned)unit_at(*at + 2, end) - 0xdc00);
		*at += 6;
	}
	return code;
}

size_t json_scan_unescape(struct text text, char *buffer)
{
	static const char signs[] = "bfnrt", meanings[] = "\b\f\n\r\t";
	const char *at = text.start, *end = at + text.length, *sign;
	size_t length = 0;

	while (at < end) {
		if (*at != '\\' || at + 1 == end) {
			buffer[length++] = *at++;
			continue;
		}
		at++;
		if (*at == 'u') {
			length += escape_put_utf8(buffer + length, code_of(&at, end));
			continue;
		}
		sign = strchr(signs, *at);
		buffer[length++] = sign ? meanings[sign - signs] : *at;
		at++;
	}
	return length;
}
