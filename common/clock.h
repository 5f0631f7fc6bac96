/*
 * clock.h - what time it is, in microseconds.
 *
 * Threads: any.
 */
#ifndef SMTPTRAIL_CLOCK_H
#define SMTPTRAIL_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_us(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* The time of day, since the epoch, as records carry it. */
static inline uint64_t clock_now_us(void)
{
	return clock_us(CLOCK_REALTIME);
}

/* Since some moment, for deadlines and durations: it does not jump. */
static inline uint64_t clock_steady_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

#endif
