/* spf_syntax.c - an SPF record taken apart. */
#include "common/auth/spf_syntax.h"

#include <arpa/inet.h>
#include <errno.h>

#include "common/auth/spf_macro.h"

enum domain_rule { DOMAIN_NEVER, DOMAIN_MAYBE, DOMAIN_MUST };

static const struct {
	const char *name;
	enum spf_kind kind;
	enum domain_rule domain;
	bool has_prefix;
} mechanisms[] = {
	{ "all", SPF_ALL, DOMAIN_NEVER, false },
	{ "include", SPF_INCLUDE, DOMAIN_MUST, false },
	{ "a", SPF_A, DOMAIN_MAYBE, true },
	{ "mx", SPF_MX, DOMAIN_MAYBE, true },
	{ "ptr", SPF_PTR, DOMAIN_MAYBE, false },
	{ "ip4", SPF_IP4, DOMAIN_NEVER, true },
	{ "ip6", SPF_IP6, DOMAIN_NEVER, true },
	{ "exists", SPF_EXISTS, DOMAIN_MUST, false },
};
enum { MECHANISM_COUNT = sizeof mechanisms / sizeof mechanisms[0] };

static bool is_alpha(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

bool spf_is_record(struct text txt)
{
	struct text version = { txt.start, 6 };

	return txt.length >= 6 && text_equal_nocase(version, TEXT_LITERAL("v=spf1")) &&
	       (txt.length == 6 || txt.start[6] == ' ');
}

struct text spf_record_terms(struct text record)
{
	return text_behind(record, 6);
}

/* Takes "/24" off the end, its value up to limit. 1: taken, 0: none there, -EINVAL. */
static int take_prefix(struct text *value, unsigned limit, unsigned *ret_prefix)
{
	size_t i = value->length;
	unsigned prefix = 0;

	while (i > 0 && byte_is_digit(value->start[i - 1]))
		i--;
	if (i == 0 || value->start[i - 1] != '/')
		return 0;
	size_t digits = value->length - i;

	if (digits == 0 || digits > 3 || (digits > 1 && value->start[i] == '0'))
		return -EINVAL;
	for (size_t k = i; k < value->length; k++)
		prefix = prefix * 10 + (unsigned)(value->start[k] - '0');
	if (prefix > limit)
		return -EINVAL;
	*ret_prefix = prefix;
	value->length = i - 1;
	return 1;
}

/* "/24", "//64" or "/24//64" at the end of what follows a or mx. */
static int take_dual_prefix(struct text *value, struct spf_term *term)
{
	unsigned prefix;
	struct text before = *value;
	int taken = take_prefix(&before, 128, &prefix);

	term->prefix4 = 32;
	term->prefix6 = 128;
	if (taken <= 0)
		return taken;
	if (before.length > 0 && before.start[before.length - 1] == '/') {
		before.length--;
		term->prefix6 = prefix;
		*value = before;
		taken = take_prefix(value, 32, &prefix);
		if (taken <= 0)
			return taken;
	} else {
		*value = before;
	}
	term->prefix4 = prefix;
	return prefix > 32 ? -EINVAL : 0;
}

static const char *read_address(struct spf_term *term, struct text value)
{
	bool is_v4 = term->kind == SPF_IP4;
	unsigned prefix = is_v4 ? 32 : 128;
	char string[INET6_ADDRSTRLEN];

	if (value.length == 0 || value.start[0] != ':')
		return "an address is missing";
	value = text_behind(value, 1);
	if (take_prefix(&value, prefix, &prefix) < 0)
		return "bad prefix length";
	if (value.length == 0 || value.length >= sizeof string || memchr(value.start, '\0', value.length))
		return "bad address";
	memcpy(string, value.start, value.length);
	string[value.length] = '\0';
	if (inet_pton(is_v4 ? AF_INET : AF_INET6, string, term->address) != 1)
		return "bad address";
	*(is_v4 ? &term->prefix4 : &term->prefix6) = prefix;
	return NULL;
}

/* What follows a mechanism's name. */
static const char *read_arguments(struct spf_term *term, struct text value, size_t which)
{
	if (term->kind == SPF_IP4 || term->kind == SPF_IP6)
		return read_address(term, value);
	if (mechanisms[which].has_prefix && take_dual_prefix(&value, term) < 0)
		return "bad prefix length";
	if (value.length == 0)
		return mechanisms[which].domain == DOMAIN_MUST ? "a domain is missing" : NULL;
	if (value.start[0] != ':' || mechanisms[which].domain == DOMAIN_NEVER)
		return "unexpected text behind the mechanism";
	term->domain_spec = text_behind(value, 1);
	return spf_domain_spec_check(term->domain_spec);
}

static const char *read_mechanism(struct spf_term *term)
{
	static const char qualifiers[] = "+-~?";
	static const enum spf_result results[] = { SPF_PASS, SPF_FAIL, SPF_SOFTFAIL, SPF_NEUTRAL };
	struct text rest = term->text;
	const char *qualifier = rest.start[0] ? strchr(qualifiers, rest.start[0]) : NULL;

	term->qualifier = qualifier ? results[qualifier - qualifiers] : SPF_PASS;
	if (qualifier)
		rest = text_behind(rest, 1);
	size_t length = 0;

	while (length < rest.length && rest.start[length] != ':' && rest.start[length] != '/')
		length++;
	for (size_t i = 0; i < MECHANISM_COUNT; i++)
		if (text_equal_nocase((struct text){ rest.start, length }, text_of(mechanisms[i].name))) {
			term->kind = mechanisms[i].kind;
			return read_arguments(term, text_behind(rest, length), i);
		}
	return "unknown mechanism";
}

/* Length of the name before "=", 0 where the term is no modifier. */
static size_t modifier_name(struct text term)
{
	size_t i = 0;

	if (!is_alpha(term.start[0]))
		return 0;
	while (i < term.length && (is_alpha(term.start[i]) || byte_is_digit(term.start[i]) ||
				   (term.start[i] != '\0' && strchr("-_.", term.start[i]))))
		i++;
	return i < term.length && term.start[i] == '=' ? i : 0;
}

static const char *read_modifier(struct spf_term *term, size_t name_length)
{
	struct text name = { term->text.start, name_length };
	struct text value = text_behind(term->text, name_length + 1);

	term->kind = text_equal_nocase(name, TEXT_LITERAL("redirect")) ? SPF_REDIRECT
		   : text_equal_nocase(name, TEXT_LITERAL("exp")) ? SPF_EXP : SPF_OTHER;
	term->domain_spec = value;
	return term->kind == SPF_OTHER ? spf_macro_check(value, SPF_TEXT_MODIFIER) : spf_domain_spec_check(value);
}

int spf_term_next(struct text *terms, struct spf_term *ret_term, const char **ret_error)
{
	size_t length = 0;

	while (terms->length > 0 && terms->start[0] == ' ')
		*terms = text_behind(*terms, 1);
	while (length < terms->length && terms->start[length] != ' ')
		length++;
	*ret_term = (struct spf_term){ .text = { terms->start, length } };
	*terms = text_behind(*terms, length);
	if (length == 0)
		return 0;
	size_t name_length = modifier_name(ret_term->text);
	const char *error = name_length > 0 ? read_modifier(ret_term, name_length) : read_mechanism(ret_term);

	if (!error)
		return 1;
	*ret_error = error;
	return -EINVAL;
}

int spf_record_check(struct text record, struct spf_term *ret_wrong, const char **ret_error)
{
	struct text terms = spf_record_terms(record);
	int redirects = 0, exps = 0, more;

	while ((more = spf_term_next(&terms, ret_wrong, ret_error)) > 0) {
		redirects += ret_wrong->kind == SPF_REDIRECT;
		exps += ret_wrong->kind == SPF_EXP;
		if (redirects > 1 || exps > 1) {
			*ret_error = "this modifier stands twice";
			return -EINVAL;
		}
	}
	return more;
}
