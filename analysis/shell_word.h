/*
 * shell_word.h - a text as one word of a command that a person copies into a shell.
 *
 * Threads: any; no state.  Memory: the caller frees; NULL: no memory.
 */
#ifndef SMTPTRAIL_SHELL_WORD_H
#define SMTPTRAIL_SHELL_WORD_H

#include "common/text.h"

/* In quotes where it needs them; in front of what looks like an option stands "-- ". */
char *shell_word_new(struct text word);

#endif
