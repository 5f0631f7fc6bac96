/*
 * spread.h - distributions, many of them in little memory: how often each step of tally_step() came.
 *
 * A distribution is known by its number, from 0 on. What comes lies close together, so only those pages of the scale exist
 * on which something came.
 *
 * Threads: one owner at a time.
 * Memory:  about 0.5 kB a distribution as delays of mail are; at most 2.5 kB.
 * Errors:  without memory nothing is added.
 */
#ifndef SMTPTRAIL_SPREAD_H
#define SMTPTRAIL_SPREAD_H

#include <stddef.h>
#include <stdint.h>

struct spreads;

struct spreads *spreads_new(void);	/* NULL: no memory */
void spreads_free(struct spreads *spreads);

/* A count stays at UINT32_MAX. */
void spreads_add(struct spreads *spreads, size_t number, unsigned step, uint64_t count);
/* Adds to the counts of all steps; TALLY_STEPS of them. */
void spreads_sum(const struct spreads *spreads, size_t number, uint64_t *counts);

#endif
