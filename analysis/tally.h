/*
 * tally.h - counting by keys: how often, how many bytes, how long, for each sender, hour, reason, whatever a report is about.
 *
 * A key is one or more texts, of which upper and lower case are the same, as to whoever asks for one by a query; each has the
 * same few numbers. Two tallies of the same kind add up to one, so a day's can
 * be kept in the store and added to others. Of a number by the rule TALLY_SPREAD it is kept how often each step of
 * tally_step() came.
 *
 * Threads: one owner at a time.
 * Memory:  keys are copied in.
 * Limits:  TALLY_KEYS_MAX keys, of a tally with distributions TALLY_SPREAD_KEYS_MAX (spread.h says what they take); what is
 *          beyond goes to the key whose first text is TALLY_OTHERS, and tally_others counts it. A text of a key is cut at
 *          TALLY_TEXT_MAX bytes.
 * Errors:  without memory as beyond the limit.
 */
#ifndef SMTPTRAIL_TALLY_H
#define SMTPTRAIL_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/text.h"

#define TALLY_OTHERS "(others)"

enum { TALLY_KEYS_MAX = 200000, TALLY_SPREAD_KEYS_MAX = 8192, TALLY_TEXT_MAX = 256, TALLY_PARTS_MAX = 4, TALLY_NUMBERS_MAX = 16,
       TALLY_KNOWN_MAX = 32, TALLY_KNOWN_NUMBERS_MAX = 2 };

/* How two numbers of one key become one. Of a distribution a duration is added, or TALLY_NONE, and the number of a row says
 * how many came. */
enum tally_rule { TALLY_SUM, TALLY_LEAST, TALLY_MOST, TALLY_SPREAD };

#define TALLY_NONE UINT64_MAX

struct tally_info {
	const char *name;
	unsigned parts;				/* texts of a key */
	unsigned numbers;
	enum tally_rule rules[TALLY_NUMBERS_MAX];
};

struct tally;

struct tally *tally_new(const struct tally_info *info);	/* info is borrowed; NULL: no memory */
void tally_free(struct tally *tally);
const struct tally_info *tally_info(const struct tally *tally);

/* Adds to the numbers of a key, each by its rule. */
void tally_add(struct tally *tally, const struct text *parts, const uint64_t *numbers);
/* The same, for whoever needs the index of its row; SIZE_MAX: no memory. */
size_t tally_add_now(struct tally *tally, const struct text *parts, const uint64_t *numbers);
/* Adds to a distribution of a row as many durations of a step. */
void tally_add_steps(struct tally *tally, size_t row, unsigned number, unsigned step, uint64_t count);
/* Adds a row of another tally of the same kind. */
void tally_add_row(struct tally *tally, const struct tally *from, size_t row);
/* The same with one text, and with two. */
void tally_add_one(struct tally *tally, struct text key, const uint64_t *numbers);
void tally_add_two(struct tally *tally, struct text first, struct text second, const uint64_t *numbers);
/* The same, of sums, for keys of one text that come again and again: each has a number of its own. The key is borrowed.
 * Where the tally has one number, the second is 0. */
void tally_add_known(struct tally *tally, unsigned number, const char *key, uint64_t first, uint64_t second);

struct tally_row {
	struct text parts[TALLY_PARTS_MAX];
	uint64_t numbers[TALLY_NUMBERS_MAX];
};

size_t tally_count(const struct tally *tally);
/* From 0 to tally_count - 1, in the order in which the keys came. The texts stay as long as the tally. */
struct tally_row tally_row(const struct tally *tally, size_t index);
/* The indexes of all rows, in the order of their keys, that of TALLY_OTHERS last; to free. NULL: no memory. */
size_t *tally_order(const struct tally *tally);
/* One of its numbers. */
uint64_t tally_number(const struct tally *tally, size_t index, unsigned number);
/* The numbers of a key, as many as the tally has; false: it never came. */
bool tally_find(const struct tally *tally, const struct text *parts, uint64_t *ret_numbers);
/* The index of a key's row; SIZE_MAX: it never came. */
size_t tally_index(const struct tally *tally, const struct text *parts);
/* Adds the counts of all steps of a distribution, TALLY_STEPS of them. */
void tally_sum_steps(const struct tally *tally, size_t row, unsigned number, uint64_t *counts);
/* How often a key was beyond the limit. */
uint64_t tally_others(const struct tally *tally);
/* For whoever makes a tally anew from its rows, that of TALLY_OTHERS among them. */
void tally_set_others(struct tally *tally, uint64_t count);

/* A new tally, whose only text is one part of the key, of which the first length bytes count (0: all). NULL: no memory. */
struct tally *tally_fold(const struct tally *tally, const struct tally_info *info, unsigned part, size_t length);

/* A duration as a step of a scale, 5 % from one to the next, and the longest duration of that step. */
unsigned tally_step(uint64_t duration_us);
uint64_t tally_step_end(unsigned step);
enum { TALLY_STEPS = 600 };
/* The duration that the share (0.5, 0.99) of all are not longer than, from counts by step. */
uint64_t tally_percentile(const uint64_t *counts, double share);

#endif
