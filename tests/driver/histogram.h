/*
 * histogram.h - counts of durations in nanoseconds, to about 3 %: 32 steps in each power of two.
 */
#ifndef SMTPTRAIL_HISTOGRAM_H
#define SMTPTRAIL_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS 32
#define HISTOGRAM_BUCKETS (HISTOGRAM_STEPS * 48)

struct histogram {
	uint64_t count, highest;
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

static inline unsigned histogram_bucket(uint64_t ns)
{
	unsigned power, bucket;

	if (ns < HISTOGRAM_STEPS)
		return (unsigned)ns;
	power = 63u - (unsigned)__builtin_clzll(ns);		/* at least 5 */
	bucket = (power - 4) * HISTOGRAM_STEPS + (unsigned)(ns >> (power - 5)) - HISTOGRAM_STEPS;
	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The lower end of a bucket. */
static inline uint64_t histogram_ns(unsigned bucket)
{
	unsigned power = bucket / HISTOGRAM_STEPS;

	if (power == 0)
		return bucket;
	return (uint64_t)(HISTOGRAM_STEPS + bucket % HISTOGRAM_STEPS) << (power - 1);
}

static inline void histogram_add(struct histogram *histogram, uint64_t ns)
{
	histogram->count++;
	histogram->buckets[histogram_bucket(ns)]++;
	if (ns > histogram->highest)
		histogram->highest = ns;
}

/* The duration that this share (0 to 1) of them does not exceed. */
static inline uint64_t histogram_quantile(const struct histogram *histogram, double share)
{
	uint64_t wanted = (uint64_t)((double)histogram->count * share), seen = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += histogram->buckets[i];
		if (seen > wanted)
			return histogram_ns(i);
	}
	return histogram->highest;
}

#endif
