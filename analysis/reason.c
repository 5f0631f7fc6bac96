/* reason.c - the first pattern that fits a reply names its class. */
#include "analysis/reason.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Replies are short; of a longer one the start tells. */
enum { TEXT_MAX = 1024 };

struct reason {
	const char *class;
	const char *pattern;
};

static const struct reason reasons[] = {
#define REASON(class, pattern) { class, pattern },
#include "analysis/reasons.def"
#undef REASON
};

/* A person's own; their texts are ours. */
static struct reason own[REASON_OWN_MAX];
static size_t own_count;

enum { REASON_COUNT = sizeof reasons / sizeof reasons[0], PAIR_WORDS = 4 };

/* Which pairs of neighbouring letters there are, by a hash: a pattern can fit only where all of its pairs are in the
 * text. Nearly all patterns are passed over by that, without a look at the text. */
struct letter_pairs {
	uint64_t bits[PAIR_WORDS];
};

static struct letter_pairs reason_pairs[REASON_COUNT], own_pairs[REASON_OWN_MAX];
static pthread_once_t pairs_once = PTHREAD_ONCE_INIT;

static unsigned lowered(char c)
{
	return (unsigned char)c | (c >= 'A' && c <= 'Z' ? 0x20U : 0U);
}

static void add_pairs(struct letter_pairs *pairs, struct text text)
{
	unsigned before = text.length ? lowered(text.start[0]) : 0;

	for (size_t i = 1; i < text.length; i++) {
		unsigned c = lowered(text.start[i]), hash = (before * 29 + c * 7) & (64 * PAIR_WORDS - 1);

		pairs->bits[hash / 64] |= UINT64_C(1) << (hash % 64);
		before = c;
	}
}

static bool has_pairs(const struct letter_pairs *all, const struct letter_pairs *wanted)
{
	uint64_t missing = 0;

	for (size_t i = 0; i < PAIR_WORDS; i++)
		missing |= wanted->bits[i] & ~all->bits[i];
	return missing == 0;
}

/* The pattern piece up to the next star. */
static size_t piece_length(const char *pattern)
{
	return strcspn(pattern, "*");
}

/* The text is in lower case. */
static bool is_piece(const char *text, const char *piece, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] != lowered(piece[i]))
			return false;
	return true;
}

static bool contains(struct text *text, const char *piece, size_t length)
{
	const char *end = text->start + text->length;

	for (const char *at = text->start; (size_t)(end - at) >= length; at++) {
		at = memchr(at, (int)lowered(piece[0]), (size_t)(end - at) - length + 1);
		if (!at)
			return false;
		if (is_piece(at, piece, length)) {
			*text = (struct text){ at + length, (size_t)(end - at) - length };
			return true;
		}
	}
	return false;
}

/* Pieces in their order, anywhere. */
static bool fits_text(const char *pattern, struct text text)
{
	while (*pattern) {
		size_t length = piece_length(pattern);

		if (length && !contains(&text, pattern, length))
			return false;
		pattern += length + (pattern[length] == '*');
	}
	return true;
}

/* From the start, to the end or to a star. */
static bool fits_start(const char *pattern, struct text text)
{
	size_t length = piece_length(pattern);

	if (text.length < length || memcmp(text.start, pattern, length) != 0)
		return false;
	return pattern[length] == '*' || text.length == length;
}

static bool is_status_pattern(const char *pattern)
{
	return (pattern[0] == 'X' || (pattern[0] >= '2' && pattern[0] <= '5')) && pattern[1] == '.';
}

static bool is_text_pattern(const char *pattern)
{
	return pattern[0] != '=' && !is_status_pattern(pattern);
}

static struct letter_pairs pairs_of(const char *pattern)
{
	struct letter_pairs pairs = { { 0 } };

	while (is_text_pattern(pattern) && *pattern) {
		size_t length = piece_length(pattern);

		add_pairs(&pairs, (struct text){ pattern, length });
		pattern += length + (pattern[length] == '*');
	}
	return pairs;
}

static void find_pairs(void)
{
	for (size_t i = 0; i < REASON_COUNT; i++)
		reason_pairs[i] = pairs_of(reasons[i].pattern);
}

/* text: the reply's, in lower case. */
static bool fits(const char *pattern, const struct reply *reply, struct text text)
{
	struct text status = reply->status_text;

	if (pattern[0] == '=')
		return reply->code_text.start && fits_start(pattern + 1, reply->code_text);
	if (is_text_pattern(pattern))
		return fits_text(pattern, text);
	if (!status.start || (pattern[0] != 'X' && pattern[0] != status.start[0]))
		return false;
	return fits_start(pattern + 1, (struct text){ status.start + 1, status.length - 1 });
}

const char *reason_of(const struct reply *reply)
{
	/* What went well has no reason. */
	if (reply->code / 100 == 2 || reply->status.class == 2)
		return NULL;
	struct letter_pairs pairs = { { 0 } };
	char lower[TEXT_MAX];
	struct text text = { lower, reply->text.length < TEXT_MAX ? reply->text.length : TEXT_MAX };

	(void)pthread_once(&pairs_once, find_pairs);
	for (size_t i = 0; i < text.length; i++)
		lower[i] = (char)lowered(reply->text.start[i]);
	add_pairs(&pairs, text);
	for (size_t i = 0; i < own_count; i++)
		if (has_pairs(&pairs, &own_pairs[i]) && fits(own[i].pattern, reply, text))
			return own[i].class;
	for (size_t i = 0; i < REASON_COUNT; i++)
		if (has_pairs(&pairs, &reason_pairs[i]) && fits(reasons[i].pattern, reply, text))
			return reasons[i].class;
	return NULL;
}

/* One line of the file, in place. 1: a row; 0: none; -EINVAL. */
static int split_line(char *line, struct reason *ret)
{
	char *class = line + strspn(line, " \t");
	size_t length = strcspn(class, " \t\r\n");
	char *pattern = class + length + strspn(class + length, " \t");

	if (*class == '#' || length == 0)
		return 0;
	pattern[strcspn(pattern, "\r\n")] = '\0';
	if (*pattern == '\0')
		return -EINVAL;
	class[length] = '\0';
	ret->class = strdup(class);
	ret->pattern = strdup(pattern);
	return ret->class && ret->pattern ? 1 : -ENOMEM;
}

int reason_load(const char *path, struct problem *problem)
{
	FILE *file = fopen(path, "re");
	char line[1024];
	int error = 0, number = 0;

	if (!file) {
		error = -errno;
		problem_set(problem, "cannot read '%s': %s", path, strerror(-error));
		return error;
	}
	while (!error && fgets(line, sizeof line, file)) {
		struct reason row = { NULL, NULL };
		int result = split_line(line, &row);

		number++;
		if (result == 1 && own_count < REASON_OWN_MAX) {
			own_pairs[own_count] = pairs_of(row.pattern);
			own[own_count++] = row;
			continue;
		}
		free((char *)(uintptr_t)row.class);
		free((char *)(uintptr_t)row.pattern);
		error = result == 1 ? -E2BIG : result;
	}
	if (error)
		problem_set(problem, "%s:%d: %s", path, number, error == -EINVAL ? "a class without a pattern"
			    : error == -E2BIG ? "too many patterns" : strerror(-error));
	(void)fclose(file);
	return error;
}

void reason_unload(void)
{
	while (own_count > 0) {
		own_count--;
		free((char *)(uintptr_t)own[own_count].class);
		free((char *)(uintptr_t)own[own_count].pattern);
	}
}

static const char *class_at(size_t row)
{
	return row < own_count ? own[row].class : reasons[row - own_count].class;
}

static bool is_first_of_class(size_t row)
{
	for (size_t i = 0; i < row; i++)
		if (strcmp(class_at(i), class_at(row)) == 0)
			return false;
	return true;
}

const char *reason_class(unsigned at)
{
	for (size_t row = 0; row < own_count + REASON_COUNT; row++)
		if (is_first_of_class(row) && at-- == 0)
			return class_at(row);
	return NULL;
}
