/*
 * show_facts.h - facts and their evidence, as a person reads them (name=value) and as JSON.
 *
 * Threads: one owner at a time.
 */
#ifndef SMTPTRAIL_SHOW_FACTS_H
#define SMTPTRAIL_SHOW_FACTS_H

#include "analysis/source.h"

/* " name=value": addresses in <>, sizes and durations with units, harmless on a terminal. Nothing where it is not known. */
void show_fact(const struct facts *facts, enum fact fact, FILE *out);
/* For each piece of evidence a line: what rests on it, where it lies, by what it was tied. */
void show_evidence(const struct facts *facts, const struct source_table *sources, const char *indent, FILE *out);

/* One piece: where it lies, by what it was tied, and whether that is sure. */
void show_proof(const struct evidence *evidence, const struct source_table *sources, FILE *out);
/* One piece as an object: "source" and "line", "id" or "time_us", "by" and "is_sure". */
void show_proof_json(const struct evidence *evidence, const struct source_table *sources, FILE *out);
/* Each as a member, with a comma in front: times RFC 3339, durations microseconds, sizes bytes. sources: with a member
 * "evidence"; NULL: without. */
void show_facts_json(const struct facts *facts, const struct source_table *sources, FILE *out);

#endif
