/*
 * explain_row.h - a row of transactions explained: who and when, the findings, and each line or entry that they rest on.
 *
 * A row is of a recipient, a message, a session or a login; it has its attempts, where a story is to be told of them.
 *
 * Threads: any; no state.
 * Limits:  of one row so many proofs as its facts have; findings as explain.h.
 */
#ifndef SMTPTRAIL_EXPLAIN_ROW_H
#define SMTPTRAIL_EXPLAIN_ROW_H

#include <stdio.h>

#include "analysis/report.h"
#include "analysis/source.h"

/* Lines for a person. */
void explain_row_text(const struct report_row *row, const struct source_table *sources, FILE *out);
/* One object. */
void explain_row_json(const struct report_row *row, const struct source_table *sources, FILE *out);

#endif
