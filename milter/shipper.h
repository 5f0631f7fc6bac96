/*
 * shipper.h - the one thread that moves entries of one journal (a partition) into Redis, each once and in order.
 *
 * At each connect it asks Redis for its cursor and reads the journal on from there; so nothing is
 * assumed about what Redis did with a request whose answer was lost, and what Redis forgot (a
 * fail-over, a restart without its file) is sent again from what the journal keeps. Where the
 * cursor shows another holder of our identity, the journal goes on under a new one.
 *
 * A batch that is not full is followed by a pause, in which the next one gathers: 20 ms, where hardly anything comes, else 100 ms.
 *
 * Threads: start and stop from one thread, shipper_status from any. Of the journal it uses the
 *          reading functions, and journal_change_producer and journal_gap_return.
 * Limits:  after a failure it waits 50 ms, doubled up to 5 s (30 s where a person must mend
 *          something), a quarter more or less by chance.
 * Errors:  logged where the state changes, counted, and kept for the status file.
 */
#ifndef SMTPTRAIL_SHIPPER_H
#define SMTPTRAIL_SHIPPER_H

#include <stdint.h>

#include "common/journal.h"
#include "common/problem.h"
#include "common/redis_link.h"
#include "common/stream_trim.h"

struct shipper;

struct shipper_options {
	struct journal *journal;
	struct redis_options redis;
	const char *prefix;			/* of the stream's keys */
	unsigned partition;
	const char *name;			/* begins each line in the log, lives as long; NULL: nothing */
	struct stream_trim_rule trim;
	/* Called in the shipper's thread once the journal goes on under a new producer, which a start
	 * record should tell; NULL: nobody. */
	void (*fenced)(void *context);
	void *context;
};

/* For the status file. */
struct shipper_status {
	const char *state;			/* a literal: connecting, shipping, waiting, operator, fenced */
	uint64_t since_us;
	uint64_t shipped;			/* records that Redis took since start */
	uint64_t resyncs;			/* times that its cursor was not the expected one */
	uint64_t went_back;			/* records sent again because Redis had lost them */
	uint64_t not_kept;			/* times that the journal no longer kept what Redis had lost */
	uint64_t fenced;			/* times that it went on under a new identity */
	uint64_t errors;			/* failed tries */
	uint64_t resent;			/* batches sent again, their answer being lost or a refusal */
	uint64_t refused[REDIS_NO_SCRIPT + 1];	/* of the errors: by what they mean */
	uint64_t trimmed, overtaken, trim_failed;	/* records, records, times */
	struct stream_trim stream;		/* as of the last trim */
	struct problem last_error;		/* empty: none yet */
	uint64_t last_error_us;
};

/* The strings of the options are copied. 0, -ENOMEM or -EAGAIN. */
int shipper_start(struct shipper **ret_shipper, const struct shipper_options *options);
/* Asks for the end and does not wait: so that several shippers end at one time. Accepts NULL. */
void shipper_finish(struct shipper *shipper, uint64_t drain_timeout_us);
/* Goes on until the journal is empty, Redis fails twice, or the time is over, and a running command at
 * most longer; then ends the thread. Accepts NULL. */
void shipper_stop(struct shipper *shipper, uint64_t drain_timeout_us);
void shipper_status(struct shipper *shipper, struct shipper_status *ret_status);

#endif
