/*
 * conf.h - a table of options, filled from a file.
 *
 * An option is one row: name, type, default, limits, meaning, and where its value goes. The
 * file's form is libconfuse's: name = value, lists in { }, comments with #; each option stands once,
 * += adds to a list's default, sections with a title may stand several times, there is no include, and the environment is
 * not read. The sample file in
 * conf/ and the manual page's list are printed from the same rows.
 *
 * Threads: any, into a struct that no one else has yet (libconfuse itself is behind a lock).
 * Memory:  the struct of values is the caller's; its strings and lists are conf's, freed by conf_done.
 * Limits:  a regular file of 256K; what libconfuse would misread (conf.c) is refused.
 * Errors:  "FILE:LINE: what is wrong; allowed: what is" in problem; -EINVAL, or the errno of the file.
 */
#ifndef SMTPTRAIL_CONF_H
#define SMTPTRAIL_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "problem.h"

enum conf_type {
	CONF_TEXT,		/* char *; limits are lengths */
	CONF_PATH,		/* char *; absolute, or empty where the minimum is 0 */
	CONF_NUMBER,		/* uint64_t */
	CONF_SIZE,		/* uint64_t bytes; written 64K, 4M, 1G */
	CONF_DURATION,		/* uint64_t microseconds; written 500ms, 2s, 15min, 2h, 7d */
	CONF_BOOL,		/* bool; yes or no */
	CONF_CHOICE,		/* int: place in choices, from 0 */
	CONF_LIST,		/* struct conf_list of strings */
	CONF_PAIRS,		/* the same: a name, its value, the next name ...; a section of rows NAME = VALUE */
	/* The same: a title, the values of its options (empty: not given), the next title ...; NAME "TITLE" { OPTION = VALUE }. */
	CONF_SECTIONS,
};

struct conf_list {
	size_t count;
	char **items;
};

struct conf_option {
	const char *name;
	enum conf_type type;
	const char *initial;	/* the default, as it would be written in the file (lists: a, b); of CONF_SECTIONS an example */
	uint64_t minimum;	/* limits of the value; of a list: its number of items; of CONF_SECTIONS: of sections; both 0: none */
	uint64_t maximum;
	const char *choices;	/* CONF_CHOICE, and the items allowed in a CONF_LIST: words separated by blanks; else NULL */
	const char *section;	/* a heading in the sample file, for the first option of a group; else NULL */
	const char *meaning;	/* a sentence or two; wrapped when printed */
	bool can_reload;
	size_t offset;		/* where the value goes in the struct of values */
	/* Checks the form of a text, of each item, of each value of a pair, or of a section's first option: 0, or -EINVAL and
	 * "'TEXT' is ...; allowed: ..."; NULL: none. */
	int (*check)(const char *text, struct problem *problem);
	size_t given_offset;	/* where a bool becomes true when the file names the option; 0: nowhere */
	const char *const *within;	/* CONF_SECTIONS: its options, the first of them required, CONF_WITHIN_MAX at most; ends with NULL */
};

enum { CONF_WITHIN_MAX = 4, CONF_TITLE_MAX = 40 };

/* The file that was asked for; else the usual one where it exists; else NULL. */
const char *conf_find(const char *asked, const char *usual);
/* A check: what may begin a key in Redis. */
int conf_check_key(const char *text, struct problem *problem);
/* Sets every value to its default, then reads the file (NULL: defaults only). On failure nothing is left to free. */
int conf_read(const struct conf_option *options, void *values, const char *file, struct problem *problem);
/* Frees the strings and lists. */
void conf_done(const struct conf_option *options, void *values);
/* The sample file: every option with its meaning, default and limits, commented out. */
void conf_print_sample(const struct conf_option *options, FILE *out);
/* The list of options for a manual page (mdoc/man macros: .TP rows). */
void conf_print_manual(const struct conf_option *options, FILE *out);
/* Names of options that differ and cannot be reloaded, joined by ", "; empty: none. */
void conf_compare(const struct conf_option *options, const void *before, const void *after,
		  char *ret_names, size_t size);
/* SHA-256 of all values in force, 64 hexadecimal digits. */
void conf_digest(const struct conf_option *options, const void *values, char ret_hex[65]);

#endif
