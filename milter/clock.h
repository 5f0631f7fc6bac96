/* clock.h - the time of day in microseconds since the epoch, as records carry it. */
#ifndef SMTPTRAIL_MILTER_CLOCK_H
#define SMTPTRAIL_MILTER_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

#endif
