/* losses.c - what the journal lost or found damaged is said in the log. */
#include "losses.h"

#include <inttypes.h>

#include "common/log.h"

#define QUIET_US UINT64_C(60000000)

static const struct {
	bool is_loss;
	const char *what, *follows;
} rows[LOSSES] = {
	[LOSS_DROPPED] = { true, "records could not be made", "gap records will say when and how many" },
	[LOSS_DAMAGED] = { true, "records of the journal are damaged", "gap records tell readers; see smtptrail journal verify, and check that disk" },
	[LOSS_QUARANTINED] = { true, "damaged files of the journal are set aside", "see smtptrail journal verify, and check that disk" },
	[LOSS_MENDED] = { true, "damaged files of the journal were mended", "no record of them is lost; check that disk" },
	[LOSS_TORN] = { false, "entries of the journal were never finished", "no record that was made is lost by that" },
};

static void look(struct losses *losses, enum loss loss, uint64_t count, uint64_t now_us)
{
	bool has_grown = count > losses->rows[loss].count, was_growing = losses->rows[loss].is_growing;

	if (has_grown) {
		losses->rows[loss].count = count;
		losses->rows[loss].grew_us = now_us;
		losses->rows[loss].is_growing = true;
	} else if (was_growing && now_us - losses->rows[loss].grew_us >= QUIET_US) {
		losses->rows[loss].is_growing = false;
		log_info("%" PRIu64 " %s since start; no more for a minute", count, rows[loss].what);
	}
	if (!has_grown || was_growing)
		return;
	if (rows[loss].is_loss)
		log_error("%" PRIu64 " %s; %s", count, rows[loss].what, rows[loss].follows);
	else
		log_info("%" PRIu64 " %s; %s", count, rows[loss].what, rows[loss].follows);
}

void losses_look(struct losses *losses, const uint64_t counts[LOSSES], uint64_t now_us)
{
	for (enum loss loss = 0; loss < LOSSES; loss++)
		look(losses, loss, counts[loss], now_us);
}
