/* near.c - slips between two words, and the name that has the fewest. */
#include "near.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

enum { SHORT_NAME = 4, USUAL_NAME = 11, BEGIN_LENGTH = 3 };

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static bool is_same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Rows of the usual table: [i][j] are the slips between the first i letters of one word and the first j of the other. */
static unsigned slips_between(const char *a, const char *b)
{
	unsigned rows[3][NEAR_LENGTH_MAX + 1], *before = rows[0], *above = rows[1], *row = rows[2];
	size_t length = strlen(b);

	if (length > NEAR_LENGTH_MAX || strlen(a) > NEAR_LENGTH_MAX)
		return UINT_MAX;
	for (size_t j = 0; j <= length; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; a[i - 1]; i++) {
		unsigned *oldest = before;

		before = above;
		above = row;
		row = oldest;
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= length; j++) {
			row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + !is_same(a[i - 1], b[j - 1]));
			if (i > 1 && j > 1 && is_same(a[i - 1], b[j - 2]) && is_same(a[i - 2], b[j - 1]))
				row[j] = least(row[j], before[j - 2] + 1);
		}
	}
	return row[length];
}

/* Of short words two slips make others. */
static unsigned slips_allowed(const char *word, const char *name)
{
	size_t length = strlen(strlen(word) > strlen(name) ? word : name);

	return length <= SHORT_NAME ? 1 : length <= USUAL_NAME ? 2 : 3;
}

static bool is_begin(const char *word, const char *name)
{
	size_t length = strlen(word);

	return length >= BEGIN_LENGTH && strncasecmp(word, name, length) == 0;
}

void near_begin(struct near *near, const char *word)
{
	*near = (struct near){ .word = word, .slips = UINT_MAX };
}

void near_offer(struct near *near, const char *name)
{
	unsigned slips = slips_between(near->word, name), allowed = slips_allowed(near->word, name);

	if (slips > allowed && is_begin(near->word, name))
		slips = allowed;
	if (slips > allowed || slips >= near->slips)
		return;
	near->name = name;
	near->slips = slips;
}
