/*
 * follow_state.h - how far a store was followed, kept in a file: a SQLite database that is committed after what was shown
 * is where it belongs.
 *
 * Threads: one owner at a time; one process at a time, which holds it locked.
 * Memory:  none to speak of. Files: 20 bytes a key, mode 0640.
 * Errors:  as database.h; -EBUSY: another process has it; -EBADMSG: it is no such file.
 */
#ifndef SMTPTRAIL_FOLLOW_STATE_H
#define SMTPTRAIL_FOLLOW_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "analysis/transaction.h"
#include "common/problem.h"
#include "common/text.h"

enum follow_set {
	FOLLOW_WAITING,			/* seen, and under way then */
	FOLLOW_SHOWN,			/* of the time that is looked at again */
	FOLLOW_TOLD,			/* sessions that have messages, which tell of them */
	FOLLOW_SETS,
};

struct follow_state;

/* Makes it where there is none. */
int follow_state_open(struct follow_state **ret_state, const char *path, struct problem *problem);
/* What was not committed is as if it had not been. */
void follow_state_close(struct follow_state *state);

/* Until take gives an error. */
int follow_state_each(struct follow_state *state, enum follow_set set, int (*take)(void *context, transaction_key key), void *context);
/* Errors of these three are told by the next commit. */
void follow_state_add(struct follow_state *state, enum follow_set set, transaction_key key);
void follow_state_drop(struct follow_state *state, enum follow_set set, transaction_key key);
/* Keys below that one, but for sessions that still are under way. */
void follow_state_forget(struct follow_state *state, transaction_key oldest);

/* A number or text by its name; a number that is not there is 0. */
uint64_t follow_state_number(struct follow_state *state, const char *name);
void follow_state_set_number(struct follow_state *state, const char *name, uint64_t number);
/* Whether the text is the one that stands there; where none does, it does from now on. */
bool follow_state_is(struct follow_state *state, const char *name, const char *text);

/* It lasts. */
int follow_state_commit(struct follow_state *state, struct problem *problem);

#endif
