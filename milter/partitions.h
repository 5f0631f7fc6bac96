/*
 * partitions.h - the partitions of one milter: each a journal with its keeper and its shipper.
 *
 * A partition stands alone: its own directories, producer id, epoch and sequence, start, stop and gap
 * records, link and threads. So a partition whose Redis is slow, gone or fenced holds up no other, and a
 * reader of one stream needs no second one to know what it misses. Partition 0 lies in the configured
 * directories, partition N in their partition-N.
 *
 * Partitions of an earlier start that had more of them are served on as long as their directories
 * exist: what they hold is shipped, and only what concerns themselves is still appended.
 *
 * Threads: open, start, stop and close from main; the rest from any once it is started.
 * Memory:  the configuration and what recorder says are borrowed until the close.
 * Limits:  JOURNAL_PARTITIONS_MAX. front_size, spool_size and keep_size are shared out evenly.
 * Errors:  negative errno, with words in problem.
 */
#ifndef SMTPTRAIL_MILTER_PARTITIONS_H
#define SMTPTRAIL_MILTER_PARTITIONS_H

#include "config.h"
#include "keeper.h"
#include "recorder.h"
#include "shipper.h"

struct partition {
	struct partitions *all;
	unsigned number;
	char name[24];			/* begins its lines in the log; empty: there is one only */
	char *front, *spool;		/* directories */
	struct journal *journal;
	struct keeper *keeper;
	struct shipper *shipper;
};

struct partitions {
	const struct config *config;
	struct recorder recorder;		/* of all */
	unsigned active;			/* sessions go to the first so many */
	unsigned count;				/* with those of an earlier start */
	struct partition rows[JOURNAL_PARTITIONS_MAX];
	struct journal *journals[JOURNAL_PARTITIONS_MAX];	/* by number of the row, for the recorder */
};

int partitions_open(struct partitions *partitions, const struct config *config, const char *host,
		    struct problem *problem);
int partitions_start(struct partitions *partitions, struct problem *problem);
/* Ships what it can within the time, all partitions at once, and ends the threads. */
void partitions_stop(struct partitions *partitions, uint64_t drain_timeout_us);
/* After the stop, or a failed open or start. */
void partitions_close(struct partitions *partitions);

/* Sums; the numbers of one sequence (last_seq, shipped_seq, synced_seq) are those of partition 0. */
void partitions_journal_stat(struct partitions *partitions, struct journal_stat *ret_stat);
/* Sums; state and since are those of the partition that is worst off, the error is the latest one, and
 * stream is the one whose slowest reader is furthest behind. */
void partitions_shipper_status(struct partitions *partitions, struct shipper_status *ret_status);
/* Partitions that do not ship, with their state and what they hold: "3 waiting 120"; cut at size. */
void partitions_behind(struct partitions *partitions, char *ret_text, size_t size);

#endif
