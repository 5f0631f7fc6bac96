/*
 * input_file.h - lines of a file, a pipe or standard input, plain or compressed (gz, bz2, xz, zst).
 *
 * What it is compressed with is seen by its first bytes, never by its name. UTF-16 and a byte
 * order mark are taken off; NUL bytes stay in the line. The last line needs no line end.
 *
 * Threads: one owner at a time.
 * Memory:  INPUT_FILE_BUFFER bytes, and what the decompressor takes. A line is lent until the next call,
 *          or where its borrower asks to be told (input_file_before_move) until then; INPUT_FILE_PADDING bytes behind it can be read.
 * Limits:  a line longer than INPUT_FILE_LINE_MAX is cut there, and marked so.
 */
#ifndef SMTPTRAIL_INPUT_FILE_H
#define SMTPTRAIL_INPUT_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/problem.h"
#include "common/text.h"

enum { INPUT_FILE_BUFFER = 128 * 1024, INPUT_FILE_LINE_MAX = 64 * 1024, INPUT_FILE_PADDING = 16, INPUT_FILE_LINES_MAX = 64 };
/* Of input_file_line: the buffer that was given holds no further line. */
enum { INPUT_FILE_FULL = 2 };

struct input_file;

/* path "-": standard input. 0 or -errno with the problem in words. */
int input_file_open(struct input_file **ret_input, const char *path, struct problem *problem);
void input_file_close(struct input_file *input);

/* 1: a line, without its line end; 0: the end; -errno: what could be read was read. */
int input_file_line(struct input_file *input, struct text *ret_line, bool *ret_is_cut);

/* What was cut off the line before is the next line, of the same number. */
void input_file_go_on(struct input_file *input);

/* The same for many at once: up to so many lines, and INPUT_FILE_LINES_MAX, that lie whole in the buffer, and how many they are; 0: ask
 * input_file_line. The last of them may be given back, to be lent again. */
size_t input_file_lines(struct input_file *input, struct text *lines, size_t count);
void input_file_give_back(struct input_file *input, const struct text *lines, size_t count);

/* Calls it before lines that were lent go. */
void input_file_before_move(struct input_file *input, void (*call)(void *argument), void *argument);
/* Lends further lines from this buffer of INPUT_FILE_BUFFER + INPUT_FILE_PADDING bytes, the caller's, where they stay; those
 * lent before stay where they are. When no more lines have room there, input_file_line says INPUT_FILE_FULL. NULL: from its
 * own buffer again. */
void input_file_use_buffer(struct input_file *input, char *buffer);

/* When it was written last, in microseconds; 0: not known (a pipe). */
int64_t input_file_time(const struct input_file *input);
/* Lines lent so far. */
uint64_t input_file_line_number(const struct input_file *input);
/* Bytes of log, decompressed. */
uint64_t input_file_bytes(const struct input_file *input);

/* Sorts names of files so that rotated sets come oldest first: mail.log.2.gz, mail.log.1, mail.log;
 * mail.log-20261101 before mail.log-20261108. */
void input_file_sort(char **paths, size_t count);
/* Whether both are of one such set. */
bool input_file_same_set(const char *path, const char *other);
/* Length of what the names of such a set have in common: "mail.log" of "mail.log.2.gz". */
size_t input_file_stem(const char *path);

#endif
