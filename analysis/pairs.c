/* pairs.c - keys that are known, and the values between them. */
#include "analysis/pairs.h"

static const struct pair_key *key_at(const struct pairs *pairs, const char *at, const char *end, const char **ret_value)
{
	const char *equals = memchr(at, '=', (size_t)(end - at));
	size_t length = equals ? (size_t)(equals - at) : 0;

	if (!length)
		return NULL;
	for (unsigned i = 0; i < pairs->count; i++) {
		const char *key = pairs->keys[i].key;

		if (key[0] == at[0] && text_is((struct text){ at, length }, key)) {
			*ret_value = equals + 1;
			return &pairs->keys[i];
		}
	}
	return NULL;
}

static bool is_separator(const struct pairs *pairs, char c)
{
	return c == pairs->separator || (pairs->other_separator && c == pairs->other_separator);
}

/* Where the value ends: before the separator that a known key follows. */
static const char *end_of_value(const struct pairs *pairs, const char *at, const char *end)
{
	const char *ignored;

	while (at < end) {
		const char *next = at;

		while (next < end && is_separator(pairs, *next))
			next++;
		if (next > at && key_at(pairs, next, end, &ignored))
			return at;
		at = next;
		while (at < end && !is_separator(pairs, *at))
			at++;
	}
	return end;
}

/* Of words that a sender chose: before the last place where the key stands that comes behind them. */
static const char *end_before(const struct pairs *pairs, const char *follower, const char *at, const char *end)
{
	size_t length = strlen(follower);
	const char *found = NULL;

	for (; end - at > (ptrdiff_t)length + 1; at++) {
		at = memchr(at, pairs->separator, (size_t)(end - at));
		if (!at || end - at <= (ptrdiff_t)length + 1)
			break;
		if (memcmp(at + 1, follower, length) == 0 && at[length + 1] == '=')
			found = at;
	}
	return found;
}

/* From behind the opening mark: the closing one is followed by a separator, a comma or nothing. */
static const char *end_of_quotes(const struct pairs *pairs, char mark, const char *at, const char *end)
{
	for (; at < end; at++) {
		if (*at == '\\' && at + 1 < end)
			at++;
		else if (*at == mark && (at + 1 == end || is_separator(pairs, at[1])))
			return at;
	}
	return NULL;
}

const struct pair_key *pairs_next(struct pairs *pairs, struct text *ret_value)
{
	const char *at = pairs->rest.start, *end = at + pairs->rest.length, *value, *stop = NULL;
	const struct pair_key *key;

	while (at < end && is_separator(pairs, *at))
		at++;
	key = at < end ? key_at(pairs, at, end, &value) : NULL;
	if (!key)
		return NULL;
	if (value < end && (*value == '"' || *value == '\''))
		stop = end_of_quotes(pairs, *value, value + 1, end);
	if (stop) {
		*ret_value = (struct text){ value + 1, (size_t)(stop - value - 1) };
		stop++;
	} else {
		if (key->behind)
			stop = end_before(pairs, key->behind, value, end);
		if (!stop)
			stop = end_of_value(pairs, value, end);
		*ret_value = (struct text){ value, (size_t)(stop - value) };
	}
	pairs->rest = (struct text){ stop, (size_t)(end - stop) };
	return key;
}
