/* shell_word.c - quotes for a POSIX shell. */
#include "analysis/shell_word.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_plain(struct text word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@+=-,%";

	for (size_t i = 0; i < word.length; i++)
		if (!word.start[i] || !strchr(plain, word.start[i]))
			return false;
	return word.length;
}

/* A quote ends the quoted part, stands for itself, and begins the next. */
static char *put_quoted(char *out, struct text word)
{
	*out++ = '\'';
	for (size_t i = 0; i < word.length; i++) {
		if (word.start[i] == '\'') {
			memcpy(out, "'\\''", 4);
			out += 4;
		} else {
			*out++ = word.start[i];
		}
	}
	*out++ = '\'';
	return out;
}

char *shell_word_new(struct text word)
{
	char *quoted = malloc(word.length * 4 + 6), *out = quoted;

	if (!quoted)
		return NULL;
	if (word.length && word.start[0] == '-') {
		memcpy(out, "-- ", 3);
		out += 3;
	}
	if (is_plain(word)) {
		memcpy(out, word.start, word.length);
		out += word.length;
	} else {
		out = put_quoted(out, word);
	}
	*out = '\0';
	return quoted;
}
