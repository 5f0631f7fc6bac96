/*
 * near.h - which of some names a misspelt word is meant for.
 *
 *     struct near near;
 *
 *     near_begin(&near, "fial");
 *     for each name: near_offer(&near, name);
 *     near.name is the one that is nearest; NULL: none is near
 *
 * Near is what a slip or two make: a letter that is wrong, missing, too much or swapped with its neighbour, upper and lower
 * case being the same; or the beginning of the name.
 *
 * Threads: any.
 * Memory:  word and names are borrowed.
 * Limits:  words longer than NEAR_LENGTH_MAX are near to nothing.
 */
#ifndef SMTPTRAIL_NEAR_H
#define SMTPTRAIL_NEAR_H

enum { NEAR_LENGTH_MAX = 80 };

struct near {
	const char *word;
	const char *name;
	unsigned slips;		/* of that name */
};

void near_begin(struct near *near, const char *word);
void near_offer(struct near *near, const char *name);

#endif
