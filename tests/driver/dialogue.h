/*
 * dialogue.h - a dialogue: what an MTA says to a milter, as a readable data file.
 *
 * One event a line, words separated by blanks, # begins a comment. README.md lists the events.
 * In a word, \xNN \n \r \t \0 \\ \" \# stand for bytes, {n} for the counter of the innermost
 * repeat and {m} for that of the one around it. A word that begins with a quote may hold blanks,
 * be repeated and be joined: "To: "+"x"*100000+"@example.com".
 *
 * Threads: one. Memory: the dialogue owns its words until dialogue_free.
 */
#ifndef SMTPTRAIL_DIALOGUE_H
#define SMTPTRAIL_DIALOGUE_H

#include "milter_wire.h"

struct dialogue_piece {
	char *bytes;
	size_t length;
	unsigned counter;	/* 1: {n}, 2: {m}, 0: the bytes */
};

/* What stands in one pair of quotes, so many times. */
struct dialogue_group {
	struct dialogue_piece *pieces;
	size_t count;
	uint64_t times;
};

struct dialogue_word {
	struct dialogue_group *groups;
	size_t count;
};

struct dialogue_line {
	unsigned number;
	struct dialogue_word *words;
	size_t count;
	size_t end;		/* of a repeat: index of its end */
};

struct dialogue {
	const char *file;
	struct dialogue_line *lines;
	size_t count;
};

/* Reads a file; ends the program with FILE:LINE: and what is wrong. */
void dialogue_read(struct dialogue *ret_dialogue, const char *file);
void dialogue_free(struct dialogue *dialogue);

/* Adds the word's bytes; counters[0] is {n}, counters[1] is {m}. */
void dialogue_say(const struct dialogue_word *word, const uint64_t counters[2], struct wire_bytes *out);
/* Is it just this, with no counter in it? */
bool dialogue_is(const struct dialogue_word *word, const char *text);

#endif
