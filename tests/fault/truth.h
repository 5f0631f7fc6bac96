/*
 * truth.h - what a producer of the campaign knows of its records, in a mapped file that outlives its SIGKILL.
 *
 * All words are 64 bits of the machine's order; campaign.py reads them by the same numbers. A record of a thread
 * has a number, from 1. A number is confirmed once journal_append() returned 0. Where a SIGKILL fell between the
 * append and its note, the number is unknown: it may be in the stream, once, or not.
 */
#ifndef SMTPTRAIL_TESTS_FAULT_TRUTH_H
#define SMTPTRAIL_TESTS_FAULT_TRUTH_H

#include <stdatomic.h>
#include <stdint.h>

enum { TRUTH_THREADS_MAX = 4, TRUTH_UNKNOWN_MAX = 1000 };
/* Written by the campaign. */
enum truth_control { TRUTH_RUN, TRUTH_PAUSE, TRUTH_BURST, TRUTH_END };

struct truth_thread {
	_Atomic uint64_t attempted;	/* number being appended, or the last one that was */
	_Atomic uint64_t settled;	/* last number whose outcome is known */
	_Atomic uint64_t confirmed;	/* how many */
	_Atomic uint64_t refused;	/* appends; the number is tried again */
	_Atomic uint64_t unknown_count;
	_Atomic uint64_t unknown[TRUTH_UNKNOWN_MAX];
};

struct truth {
	_Atomic uint64_t control;
	_Atomic uint64_t heartbeat;	/* the figures below are new */
	_Atomic uint64_t backlog;
	_Atomic uint64_t errors, resyncs, went_back, not_kept, fenced;	/* of the shippers, since start */
	_Atomic uint64_t idle_threads;	/* that keep a pause */
	_Atomic uint64_t spare[7];
	struct truth_thread threads[TRUTH_THREADS_MAX];
};

#endif
