/*
 * input_journald.h - the journal of systemd, read through libsystemd: what was logged with the facility mail.
 *
 * Threads: one owner at a time.
 * Memory:  a frame's parts are copies; they live until the next call.
 * Limits:  a field is cut at INPUT_JOURNALD_FIELD_MAX bytes.
 */
#ifndef SMTPTRAIL_INPUT_JOURNALD_H
#define SMTPTRAIL_INPUT_JOURNALD_H

#include "analysis/frame.h"
#include "common/problem.h"

enum { INPUT_JOURNALD_FIELD_MAX = 64 * 1024 };

struct input_journald;

/* directory: of journal files; NULL: this machine's. position_path: where the place of the last entry is kept;
 * NULL: from the first one on. 0 or -errno with the problem in words. */
int input_journald_open(struct input_journald **ret_input, const char *directory, const char *position_path,
			struct problem *problem);
void input_journald_close(struct input_journald *input);

/* 1: an entry; 0: none now; -errno. *ret_is_cut: a field was. */
int input_journald_next(struct input_journald *input, struct frame *ret_frame, bool *ret_is_cut);
/* The place of the last entry, to free; NULL: none was read. And going on behind it: false, it is no place of this journal. */
char *input_journald_place(struct input_journald *input);
bool input_journald_go_behind(struct input_journald *input, const char *place);
/* Waits until there may be more, or so long. */
void input_journald_wait(struct input_journald *input, unsigned milliseconds);
/* Writes down the place behind the last entry. 0 or -errno. */
int input_journald_save(struct input_journald *input, struct problem *problem);

#endif
