/*
 * figures.h - medians of rounds, and what holds 95 % of them when the rounds are drawn again: as pairs.py has it.
 *
 * Memory: the caller's arrays, of at most FIGURES_ROUNDS_MAX rounds; both of a ratio are of the same rounds.
 */
#ifndef SMTPTRAIL_TESTS_FIGURES_H
#define SMTPTRAIL_TESTS_FIGURES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIGURES_ROUNDS_MAX = 199, FIGURES_DRAWS = 4000 };

struct figure {
	double value, low, high;
};

static inline int figures_by_size(const void *a, const void *b)
{
	const double *first = a, *second = b;

	return *first < *second ? -1 : *first > *second;
}

/* Puts them in order. */
static inline double figures_middle(double *values, int rounds)
{
	qsort(values, (size_t)rounds, sizeof *values, figures_by_size);
	return rounds % 2 ? values[rounds / 2] : (values[rounds / 2 - 1] + values[rounds / 2]) / 2;
}

/* Of these rounds, by their numbers. Under NULL: the median of over; else the ratio of both medians. */
static inline double figures_drawn(const double *over, const double *under, const int *drawn, int rounds)
{
	double values[FIGURES_ROUNDS_MAX], middle;

	for (int i = 0; i < rounds; i++)
		values[i] = over[drawn[i]];
	middle = figures_middle(values, rounds);
	if (!under)
		return middle;
	for (int i = 0; i < rounds; i++)
		values[i] = under[drawn[i]];
	return middle / figures_middle(values, rounds);
}

static inline struct figure figure_of(const double *over, const double *under, int rounds)
{
	static double values[FIGURES_DRAWS];
	int drawn[FIGURES_ROUNDS_MAX];
	uint32_t chance = 1;
	struct figure figure;

	for (int i = 0; i < rounds; i++)
		drawn[i] = i;
	figure.value = figures_drawn(over, under, drawn, rounds);
	for (int draw = 0; draw < FIGURES_DRAWS; draw++) {
		for (int i = 0; i < rounds; i++) {
			chance = chance * 1664525 + 1013904223;
			drawn[i] = (int)((uint64_t)chance * (uint64_t)rounds >> 32);
		}
		values[draw] = figures_drawn(over, under, drawn, rounds);
	}
	qsort(values, FIGURES_DRAWS, sizeof values[0], figures_by_size);
	figure.low = values[FIGURES_DRAWS / 40];
	figure.high = values[FIGURES_DRAWS - FIGURES_DRAWS / 40 - 1];
	return figure;
}

static inline double figure_median(const double *values, int rounds)
{
	double copy[FIGURES_ROUNDS_MAX];

	memcpy(copy, values, (size_t)rounds * sizeof *values);
	return figures_middle(copy, rounds);
}

/* A table's cell. */
static inline void figure_print(struct figure figure, int digits)
{
	printf(" %.*f (%.*f .. %.*f) |", digits, figure.value, digits, figure.low, digits, figure.high);
}

#endif
