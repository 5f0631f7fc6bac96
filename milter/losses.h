/*
 * losses.h - what the journal lost or found damaged is said in the log, and not in the status file alone.
 *
 * A line when a count begins to grow, and another when it has grown no more for a minute: how many in all.
 *
 * Threads: one owner.
 */
#ifndef SMTPTRAIL_MILTER_LOSSES_H
#define SMTPTRAIL_MILTER_LOSSES_H

#include <stdbool.h>
#include <stdint.h>

enum loss { LOSS_DROPPED, LOSS_DAMAGED, LOSS_QUARANTINED, LOSS_MENDED, LOSS_TORN, LOSSES };

struct losses {
	struct {
		uint64_t count, grew_us;
		bool is_growing;
	} rows[LOSSES];
};

/* counts: since the start of the milter, one of each; on the clock that does not jump. */
void losses_look(struct losses *losses, const uint64_t counts[LOSSES], uint64_t now_us);

#endif
