/*
 * sample_session.h - the records of a plain SMTP session with one message, for benchmarks.
 *
 * Threads: any. Memory: writes into the caller's record.
 */
#ifndef SMTPTRAIL_SAMPLE_SESSION_H
#define SMTPTRAIL_SAMPLE_SESSION_H

#include "common/record.h"

enum { SAMPLE_SESSION_RECORDS = 9 };

/* Record number 0, 1, ... of sessions one after the other; lent until the record changes. */
struct text sample_record(struct record *record, uint64_t number);

#endif
