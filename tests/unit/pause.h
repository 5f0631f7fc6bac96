/* pause.h - a short wait between two looks at what is to happen. */
#ifndef SMTPTRAIL_TESTS_PAUSE_H
#define SMTPTRAIL_TESTS_PAUSE_H

#include <time.h>

static inline void pause_ms(long ms)
{
	(void)nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

#endif
