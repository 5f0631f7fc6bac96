/*
 * keeper.h - two threads that serve the journal: one makes spare segments, one copies to the spool.
 *
 * They are two so that a slow disk never holds up the spares that callbacks live on.
 *
 * Threads: start and stop from one thread, stop after the last append that shall be kept.
 * Memory:  ours until keeper_stop, which accepts NULL.
 * Errors:  negative errno at the start; later ones stand in journal_stat().
 */
#ifndef SMTPTRAIL_MILTER_KEEPER_H
#define SMTPTRAIL_MILTER_KEEPER_H

#include <stdint.h>

#include "common/journal.h"

struct keeper;

/* sync_interval_us: how much a power cut may cost, at most. name: begins each line in the log, lives as long as the keeper. */
int keeper_start(struct keeper **ret_keeper, struct journal *journal, uint64_t sync_interval_us, const char *name);
/* Ends both threads; what was appended is copied once more. */
void keeper_stop(struct keeper *keeper);

#endif
