/* person.c - an address is found by its separator: the domain stands behind it, the local part before. */
#include "person.h"

#include <stdint.h>

#include "record.h"

static bool is_among(char c, struct text bytes)
{
	return bytes.length && memchr(bytes.start, c, bytes.length);
}

/* What a tag may have; a dot and the signs of a local part, but nothing that texts put around an address. */
static bool is_in_tag(char c)
{
	return (unsigned char)c > ' ' && c != 0x7f && !strchr("()<>[]:;@\\,\"", c);
}

static size_t separator_of(struct text address)
{
	size_t at = address.length;

	while (at > 0 && address.start[at - 1] != '@')
		at--;
	return at ? at - 1 : SIZE_MAX;
}

bool person_is_address(struct text address)
{
	size_t at = separator_of(address);

	return at != SIZE_MAX && at > 0 && at + 1 < address.length;
}

/* Where the local part begins that ends there, as it is or in xtext; SIZE_MAX: another stands there. */
static size_t local_before(struct text text, size_t end, struct text local)
{
	size_t at = end;

	for (size_t i = local.length; i > 0; i--) {
		char c = local.start[i - 1];

		if (at >= 1 && byte_lower(text.start[at - 1]) == byte_lower(c))
			at--;
		else if (at >= 3 && (c == '+' || c == '=') && strncasecmp(text.start + at - 3, c == '+' ? "+2B" : "+3D", 3) == 0)
			at -= 3;
		else
			return SIZE_MAX;
	}
	return at;
}

/* Whether a local part may begin there: before it stands no more of one. A bounce address is a name, then the address. */
static bool begins_at(struct text text, size_t at, bool is_verp)
{
	char before = at ? text.start[at - 1] : ' ';

	return !byte_is_alnum(before) && (is_verp || !is_among(before, TEXT_LITERAL("._+-")));
}

static bool ends_at(struct text text, size_t at)
{
	char after = at < text.length ? text.start[at] : ' ';

	if (after == '.')
		return at + 1 >= text.length || !byte_is_alnum(text.start[at + 1]);
	return !byte_is_alnum(after) && after != '-' && after != '_';
}

/* Where the person's local part begins, with its tag, of which the separator is at end. */
static size_t begin_before(const struct person *person, struct text text, size_t end, struct text local)
{
	bool is_verp = text.start[end] == '=';
	size_t found = SIZE_MAX, at = local_before(text, end, local);

	if (at != SIZE_MAX && begins_at(text, at, is_verp))
		found = at;
	/* The longest of its tags. */
	for (size_t i = end; i > 0 && end - i < PERSON_TAG_MAX && is_in_tag(text.start[i - 1]); i--) {
		if (!is_among(text.start[i - 1], person->delimiters))
			continue;
		at = local_before(text, i - 1, local);
		if (at != SIZE_MAX && begins_at(text, at, is_verp))
			found = at;
	}
	return found;
}

struct text person_find(const struct person *person, struct text text)
{
	size_t separator = separator_of(person->address);

	if (separator == SIZE_MAX)
		return TEXT_NONE;
	struct text local = { person->address.start, separator };
	struct text domain = { person->address.start + separator + 1, person->address.length - separator - 1 };

	for (size_t i = 0; i + 1 + domain.length <= text.length; i++) {
		size_t end = i + 1 + domain.length, begin;

		if ((text.start[i] != '@' && text.start[i] != '=') || strncasecmp(text.start + i + 1, domain.start, domain.length) != 0 ||
		    !ends_at(text, end))
			continue;
		begin = begin_before(person, text, i, local);
		if (begin != SIZE_MAX)
			return (struct text){ text.start + begin, end - begin };
	}
	return TEXT_NONE;
}

bool person_is_login(const struct person *person, struct text text)
{
	for (size_t i = 0; i < person->login_count; i++)
		if (text.length && text_equal_nocase(person->logins[i], text))
			return true;
	return false;
}

bool person_is(const struct person *person, struct text text)
{
	struct text found = person_find(person, text);

	return (found.start && found.length == text.length) || person_is_login(person, text);
}

bool person_has_word(const struct person *person, struct text text)
{
	for (size_t i = 0; i < person->login_count; i++) {
		struct text name = person->logins[i], rest = text;
		const char *at;

		while (name.length && (at = text_find_nocase(rest, name)) != NULL) {
			size_t begin = (size_t)(at - text.start), end = begin + name.length;

			if ((begin == 0 || !byte_is_alnum(text.start[begin - 1])) &&
			    (end == text.length || !byte_is_alnum(text.start[end])))
				return true;
			rest = (struct text){ at + 1, text.length - begin - 1 };
		}
	}
	return false;
}

bool person_is_named_by(unsigned field)
{
	static const unsigned fields[] = { FIELD_AUTH_AUTHEN, FIELD_AUTH_AUTHOR, FIELD_FROM, FIELD_TO, FIELD_MAIL_ADDR,
					   FIELD_RCPT_ADDR };

	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		if (fields[i] == field)
			return true;
	return false;
}
