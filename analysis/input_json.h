/*
 * input_json.h - records from a file of JSON lines: what `smtptrail journal dump --json` and `smtptrail watch --json`
 * printed.
 *
 * Threads: one owner at a time. A record lives until the next call.
 * Errors:  a line that is no record is counted and left.
 */
#ifndef SMTPTRAIL_INPUT_JSON_H
#define SMTPTRAIL_INPUT_JSON_H

#include <stdbool.h>

#include "analysis/input.h"
#include "common/problem.h"

struct input_json;

/* "-": standard input; compressed files too. 0 or -errno with the problem in words. */
int input_json_open(struct input_json **ret_input, const char *path, struct problem *problem);
void input_json_close(struct input_json *input);
/* 1: a record, whose id is its stream_id, or else the number of its line; 0: the end; -errno. */
int input_json_next(struct input_json *input, struct input_record *ret_record);
/* Lines that were no record. */
uint64_t input_json_bad(const struct input_json *input);

#endif
