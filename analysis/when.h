/*
 * when.h - a point in time as a person writes it.
 *
 * 90s 10m (or 10min) 2h 7d before now; today, yesterday, 08:00, 2026-11-21, 2026-11-21 08:00,
 * 2026-11-21T08:00:00Z or with another offset. Without an offset it is UTC, as in all output.
 *
 * Threads: any; no state.
 */
#ifndef SMTPTRAIL_WHEN_H
#define SMTPTRAIL_WHEN_H

#include <stdbool.h>
#include <stdint.h>

#define WHEN_FORMS "10m, 2h, 7d, today, yesterday, 08:00, 2026-11-21, '2026-11-21 08:00', 2026-11-21T08:00:00Z"

struct when {
	bool is_ago;		/* so long before now, by whatever clock counts */
	uint64_t us;		/* that duration; else microseconds since the epoch */
};

/* As "2026-11-21 08:00:00", UTC. */
enum { WHEN_SIZE = 32 };
void when_show(uint64_t us, char ret_words[WHEN_SIZE]);

/* 0, or -EINVAL. */
int when_parse(const char *text, uint64_t now_us, struct when *ret_when);

#endif
