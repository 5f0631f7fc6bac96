/*
 * dkim_signature.c - the tags of a DKIM-Signature field, read to the letter of RFC 6376.
 *
 * libopendkim is laxer and at times wrong here (a tag twice, an l= beyond its integers, q= not looked at,
 * defaults missing after an error), so a signature that does not pass this is kept away from it.
 */
#include "common/auth/dkim.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "common/record.h"

enum { TAGS_MAX = 64, TAG_NAME_MAX = 32, LIST_MAX = 4000, CLOCK_DRIFT_S = 300 };

struct tag {
	struct text name, value;	/* without the blanks around */
};

struct tags {
	size_t count;
	struct tag tags[TAGS_MAX];
};

static bool is_tag_name(struct text name)
{
	for (size_t i = 0; i < name.length; i++) {
		char byte = name.start[i];
		bool is_letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');

		if (!is_letter && (i == 0 || (byte != '_' && (byte < '0' || byte > '9'))))
			return false;
	}
	return name.length > 0 && name.length <= TAG_NAME_MAX;
}

static const struct text *find(const struct tags *tags, const char *name)
{
	for (size_t i = 0; i < tags->count; i++)
		if (text_is(tags->tags[i].name, name))
			return &tags->tags[i].value;
	return NULL;
}

__attribute__((format(printf, 3, 4)))
static bool refuse(struct dkim_signature *signature, enum dkim_result result, const char *format, ...)
{
	va_list arguments;

	signature->result = result;
	va_start(arguments, format);
	(void)vsnprintf(signature->error, sizeof signature->error, format, arguments);
	va_end(arguments);
	return false;
}

/* One tag=value; an empty one is allowed at the end alone. */
static bool add_tag(struct tags *tags, struct text spec, struct dkim_signature *signature)
{
	const char *equals = memchr(spec.start, '=', spec.length);
	struct tag tag;

	if (!equals)
		return refuse(signature, DKIM_NEUTRAL, "syntax: a tag without a value");
	tag.name = text_trim((struct text){ spec.start, (size_t)(equals - spec.start) });
	tag.value = text_trim((struct text){ equals + 1, spec.length - (size_t)(equals + 1 - spec.start) });
	if (!is_tag_name(tag.name))
		return refuse(signature, DKIM_NEUTRAL, "syntax: a bad name of a tag");
	if (tags->count == TAGS_MAX)
		return refuse(signature, DKIM_NEUTRAL, "syntax: more than %d tags", TAGS_MAX);
	for (size_t i = 0; i < tags->count; i++)
		if (text_equal(tags->tags[i].name, tag.name))
			return refuse(signature, DKIM_NEUTRAL, "syntax: tag %.*s= twice", TEXT_ARGS(tag.name));
	/* libopendkim cuts the b= out before it hashes, but does not see it behind a blank. */
	if (text_is(tag.name, "b") && byte_is_blank(equals[-1]))
		return refuse(signature, DKIM_NEUTRAL, "a blank between b and =, which libopendkim cannot verify");
	tags->tags[tags->count++] = tag;
	return true;
}

static bool read_tags(struct text list, struct tags *ret_tags, struct dkim_signature *signature)
{
	const char *end = list.start + list.length;

	ret_tags->count = 0;
	for (const char *at = list.start; at < end; at++)
		if (!byte_is_blank(*at) && (*at < ' ' || *at > '~'))
			return refuse(signature, DKIM_NEUTRAL, "syntax: a byte that is not printable");
	for (const char *at = list.start; at < end;) {
		const char *semicolon = memchr(at, ';', (size_t)(end - at));
		const char *stop = semicolon ? semicolon : end;
		struct text spec = text_trim((struct text){ at, (size_t)(stop - at) });

		if (spec.length == 0 && semicolon)
			return refuse(signature, DKIM_NEUTRAL, "syntax: an empty tag");
		if (spec.length && !add_tag(ret_tags, spec, signature))
			return false;
		at = stop + 1;
	}
	return true;
}

/* A copy without any blanks. False: it had no room, and is cut. */
static bool copy(const struct text *value, char *ret_text, size_t size)
{
	size_t length = 0;

	for (size_t i = 0; value && i < value->length; i++) {
		if (byte_is_blank(value->start[i]))
			continue;
		if (length == size - 1) {
			ret_text[length] = '\0';
			return false;
		}
		ret_text[length++] = value->start[i];
	}
	ret_text[length] = '\0';
	return true;
}

/* At most 15 digits, so that no integer of libopendkim's overflows. */
static bool read_digits(struct text text, uint64_t *ret_number)
{
	*ret_number = 0;
	if (text.length == 0 || text.length > 15)
		return false;
	for (size_t i = 0; i < text.length; i++) {
		if (text.start[i] < '0' || text.start[i] > '9')
			return false;
		*ret_number = *ret_number * 10 + (uint64_t)(text.start[i] - '0');
	}
	return true;
}

static bool read_domain(const struct tags *tags, struct dkim_signature *signature)
{
	const struct text *d = find(tags, "d"), *i = find(tags, "i");
	char identity_domain[DOMAIN_SIZE];
	const char *at;

	if (domain_normalize(*d, signature->domain) != 0) {
		signature->domain[0] = '\0';
		return refuse(signature, DKIM_NEUTRAL, "d= is no domain");
	}
	if (strspn(signature->domain, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != strlen(signature->domain))
		return refuse(signature, DKIM_NEUTRAL, "d= is no domain of letters, digits and hyphens");
	if (!i)
		return true;
	if (!copy(i, signature->identity, sizeof signature->identity))
		return refuse(signature, DKIM_NEUTRAL, "i= is too long");
	at = strrchr(signature->identity, '@');
	if (!at || domain_normalize(text_of(at + 1), identity_domain) != 0)
		return refuse(signature, DKIM_NEUTRAL, "i= is no address");
	if (!domain_is_within(text_of(identity_domain), text_of(signature->domain)))
		return refuse(signature, DKIM_NEUTRAL, "i= is outside of d=");
	return true;
}

static bool read_algorithm(const struct tags *tags, struct dkim_signature *signature)
{
	static const char *const algorithms[] = { "rsa-sha256", "ed25519-sha256", "rsa-sha1" };
	static const char *const canonicalizations[] = {
		"simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed", "simple", "relaxed",
	};
	const struct text *c = find(tags, "c");
	bool known = false;

	(void)copy(find(tags, "a"), signature->algorithm, sizeof signature->algorithm);
	for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++)
		known = known || strcmp(signature->algorithm, algorithms[i]) == 0;
	if (!known)
		return refuse(signature, DKIM_NEUTRAL, "unknown algorithm in a=");
	if (!c) {
		(void)snprintf(signature->canonicalization, sizeof signature->canonicalization, "simple/simple");
		return true;
	}
	(void)copy(c, signature->canonicalization, sizeof signature->canonicalization);
	for (size_t i = 0; i < sizeof canonicalizations / sizeof canonicalizations[0]; i++)
		if (strcmp(signature->canonicalization, canonicalizations[i]) == 0) {
			if (!strchr(signature->canonicalization, '/'))
				(void)strncat(signature->canonicalization, "/simple",
					      sizeof signature->canonicalization - 1 - strlen(signature->canonicalization));
			return true;
		}
	return refuse(signature, DKIM_NEUTRAL, "unknown canonicalization in c=");
}

static bool read_signed_headers(const struct tags *tags, struct dkim_signature *signature)
{
	const struct text *h = find(tags, "h");
	size_t names = 1, bytes = 0;
	bool has_from = false;

	signature->is_cut = !copy(h, signature->signed_headers, sizeof signature->signed_headers);
	for (const char *at = h->start, *end = h->start + h->length; at <= end;) {
		const char *colon = at < end ? memchr(at, ':', (size_t)(end - at)) : NULL;
		const char *stop = colon ? colon : end;
		struct text name = text_trim((struct text){ at, (size_t)(stop - at) });

		has_from = has_from || text_equal_nocase(name, TEXT_LITERAL("from"));
		names += colon != NULL;
		bytes += name.length + 1;
		at = stop + 1;
	}
	if (!has_from)
		return refuse(signature, DKIM_NEUTRAL, "h= does not name From");
	if (names > DKIM_NAMES_MAX || bytes > LIST_MAX) {
		signature->is_limited = true;
		return refuse(signature, DKIM_POLICY, "limit: more than %d names in h=", DKIM_NAMES_MAX);
	}
	return true;
}

static bool read_length(const struct tags *tags, struct dkim_signature *signature)
{
	const struct text *l = find(tags, "l");
	struct text digits;

	if (!l)
		return true;
	digits = *l;
	/* RFC 6376 allows 76 digits. */
	while (digits.length > 1 && digits.start[0] == '0')
		digits.start++, digits.length--;
	if (!read_digits(digits, &signature->length))
		return refuse(signature, DKIM_NEUTRAL, "l= is no number, or beyond any body's length");
	signature->has_length = true;
	return true;
}

/* dns/txt, or a list of methods that holds it. */
static bool read_query(const struct tags *tags, struct dkim_signature *signature)
{
	const struct text *q = find(tags, "q");

	if (!q)
		return true;
	for (const char *at = q->start, *end = at + q->length; at < end;) {
		const char *colon = memchr(at, ':', (size_t)(end - at)), *stop = colon ? colon : end;
		struct text method = text_trim((struct text){ at, (size_t)(stop - at) });

		if (text_equal_nocase(method, TEXT_LITERAL("dns/txt")) || text_equal_nocase(method, TEXT_LITERAL("dns")))
			return true;
		at = stop + 1;
	}
	return refuse(signature, DKIM_NEUTRAL, "q= names no way to the key that is known");
}

static bool read_times(const struct tags *tags, uint64_t now_s, struct dkim_signature *signature)
{
	const struct text *t = find(tags, "t"), *x = find(tags, "x");
	char expired[TIME_TEXT_SIZE];

	if (t && !read_digits(*t, &signature->signed_at_s))
		return refuse(signature, DKIM_NEUTRAL, "t= is no time");
	if (x && !read_digits(*x, &signature->expires_s))
		return refuse(signature, DKIM_NEUTRAL, "x= is no time");
	if (t && x && signature->expires_s < signature->signed_at_s)
		return refuse(signature, DKIM_NEUTRAL, "it expires before it was signed");
	/* When, not how long ago: an audit counts those that say the same. */
	if (x && now_s >= signature->expires_s + CLOCK_DRIFT_S) {
		time_format(signature->expires_s * 1000000, expired);
		return refuse(signature, DKIM_NEUTRAL, "expired at %s", expired);
	}
	if (t && signature->signed_at_s > now_s + CLOCK_DRIFT_S)
		return refuse(signature, DKIM_NEUTRAL, "signed in the future");
	return true;
}

static bool has_base64(const struct text *value)
{
	size_t letters = 0, padding = 0;

	for (size_t i = 0; i < value->length; i++) {
		char byte = value->start[i];
		bool is_letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
				 (byte >= '0' && byte <= '9') || byte == '+' || byte == '/';

		/* libopendkim passes over what is no base64, and over all that follows a padding. */
		if (!is_letter && byte != '=' && !byte_is_blank(byte))
			return false;
		if (is_letter && padding)
			return false;
		letters += is_letter;
		padding += byte == '=';
	}
	/* One letter beyond a group of four holds less than a byte. */
	return letters > 0 && letters % 4 != 1 && padding <= 2;
}

bool dkim_signature_read(struct text value, uint64_t now_s, struct dkim_signature *ret_signature)
{
	static const char *const required[] = { "v", "a", "b", "bh", "d", "h", "s" };
	struct dkim_signature *signature = ret_signature;
	struct tags tags;

	*signature = (struct dkim_signature){ .result = DKIM_NEUTRAL };
	if (!read_tags(value, &tags, signature))
		return false;
	for (size_t i = 0; i < sizeof required / sizeof required[0]; i++) {
		const struct text *found = find(&tags, required[i]);

		if (!found || found->length == 0)
			return refuse(signature, DKIM_NEUTRAL, "%s= %s", required[i], found ? "is empty" : "is missing");
	}
	if (!copy(find(&tags, "s"), signature->selector, sizeof signature->selector))
		return refuse(signature, DKIM_NEUTRAL, "s= is too long");
	bool is_well = read_domain(&tags, signature);

	/* What can be told is told, whatever else is wrong. */
	if (!text_is(*find(&tags, "v"), "1") && is_well)
		is_well = refuse(signature, DKIM_NEUTRAL, "v= is not 1");
	if (!has_base64(find(&tags, "b")) && is_well)
		is_well = refuse(signature, DKIM_NEUTRAL, "b= is no base64");
	if (!has_base64(find(&tags, "bh")) && is_well)
		is_well = refuse(signature, DKIM_NEUTRAL, "bh= is no base64");
	return is_well && read_algorithm(&tags, signature) && read_length(&tags, signature) &&
	       read_signed_headers(&tags, signature) && read_query(&tags, signature) &&
	       read_times(&tags, now_s, signature);
}
