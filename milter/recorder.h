/*
 * recorder.h - the way of a finished record into a journal, and the count of those that found none.
 *
 * There is a journal for each partition. All records of a session go into one, chosen by its id; start
 * and stop go into each, so that each sequence stands alone; a gap goes into the journal that refused, and
 * what could not even be made is told in the first. A record of nothing of these goes into the first too.
 *
 * What the journal refuses it counts itself; what could not even be made is counted here. Both
 * become gap records as soon as there is room again.
 *
 * Threads: recorder_put and recorder_lost from any thread, also from a callback: neither waits
 *          for more than another append. recorder_write_gaps from one thread.
 * Memory:  the journals are borrowed, and the list of them.
 */
#ifndef SMTPTRAIL_MILTER_RECORDER_H
#define SMTPTRAIL_MILTER_RECORDER_H

#include <pthread.h>

#include "common/journal.h"
#include "common/record.h"

struct recorder {
	struct journal *const *journals;
	unsigned count;			/* journals */
	unsigned active;		/* sessions go to the first so many of them */
	pthread_mutex_t lock;		/* guards lost; held for a few instructions */
	struct journal_gap lost;
	uint64_t lost_total;
};

void recorder_init(struct recorder *recorder, struct journal *const *journals, unsigned count, unsigned active);
void recorder_done(struct recorder *recorder);
/* Ends the record, appends it to the journal of its session (of active ones, by FNV-1a of the id) and is done with it; false:
 * refused, and counted. */
bool recorder_put(struct recorder *recorder, struct record *record);
/* The same into a journal by its place in the list, whatever the session. */
bool recorder_put_at(struct recorder *recorder, unsigned place, struct record *record);
/* A record could not be made for want of memory. */
void recorder_lost(struct recorder *recorder, uint64_t now_us);
/* The begin of a producer's records, and the end of all; the reason of the begin is the journal's. */
void recorder_put_start(struct recorder *recorder, unsigned place, uint64_t now_us, const char *config_digest);
void recorder_put_stop(struct recorder *recorder, uint64_t now_us, const char *reason);
/* Writes a gap record for what is missing since the last call. */
void recorder_write_gaps(struct recorder *recorder, uint64_t now_us);
/* Records that could not be made, since the start. */
uint64_t recorder_lost_total(struct recorder *recorder);

#endif
