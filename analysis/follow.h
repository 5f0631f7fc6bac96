/*
 * follow.h - a log file that grows: lines as they come, through rotation, truncation and our own restart.
 *
 * A file that was renamed is read to its end, then the new one of its name. One that was truncated or
 * copied away (copytruncate), seen by its size or by other first bytes, begins anew. The position is kept in a file of its
 * own: inode, digest of the first line, offset, lines. At a start it is looked for in the file, then in the
 * rotated ones beside it (PATH.1, PATH-20261101, compressed too): their rest is read first. A line counts when its end has come; what
 * follows the last line end waits.
 *
 * Threads: one owner at a time.
 * Memory:  FOLLOW_BUFFER bytes, and an input_file while a rotated one is read. A line lives until the next call.
 * Limits:  as input_file.h; the file itself must be plain and not UTF-16. Lines that were written and truncated
 *          away between two looks are lost, as for every reader.
 */
#ifndef SMTPTRAIL_FOLLOW_H
#define SMTPTRAIL_FOLLOW_H

#include <glob.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/problem.h"
#include "common/text.h"

struct follow;

/* position_path: NULL for none. 0 or -errno with the problem in words; 0 with words: the saved position is
 * of no file that is left, and reading begins at the start. */
int follow_open(struct follow **ret_follow, const char *path, const char *position_path, struct problem *problem);
void follow_close(struct follow *follow);

/* 1: a line; 0: none now; -errno. */
int follow_line(struct follow *follow, struct text *ret_line, bool *ret_is_cut);
/* Whether the last line is the first that was read of its file. */
bool follow_is_new_file(const struct follow *follow);
/* The file the last line stood in, when it was written last, the line's number there; bytes of all. */
const char *follow_path(const struct follow *follow);
int64_t follow_time(const struct follow *follow);
uint64_t follow_line_number(const struct follow *follow);
uint64_t follow_bytes(const struct follow *follow);

/* The rotated files beside it, oldest first; for globfree. */
void follow_list_rotated(const char *path, glob_t *ret_rotated);

/* Writes down that all lines lent so far are done with. 0 or -errno. */
int follow_save(const struct follow *follow, struct problem *problem);

#endif
