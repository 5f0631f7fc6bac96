/*
 * source.h - where evidence lies: log files and streams, each once, by a small number.
 *
 * Threads: any; numbers are given under a lock.
 * Memory:  names are copied in, and lent until source_table_free.
 * Limits:  SOURCES_MAX; what comes behind them shares the last number, whose name says so.
 */
#ifndef SMTPTRAIL_SOURCE_H
#define SMTPTRAIL_SOURCE_H

#include <stdint.h>
#include <stdio.h>

#include "analysis/facts.h"

enum { SOURCES_MAX = 60000 };

enum source_kind {
	SOURCE_FILE,		/* evidence is a line number */
	SOURCE_STREAM,		/* evidence is the identifier of an entry */
	SOURCE_JOURNALD,	/* evidence is the microsecond of the entry */
	SOURCE_QUEUE,		/* postqueue -j; evidence is a line number */
};

struct source_table;

struct source_table *source_table_new(void);	/* NULL: no memory */
void source_table_free(struct source_table *table);

/* The number of a source, new or known. */
uint16_t source_number(struct source_table *table, enum source_kind kind, struct text name);
/* How many there are: numbers are below it. */
size_t source_count(const struct source_table *table);
enum source_kind source_kind(const struct source_table *table, uint16_t number);
/* "/var/log/mail.log", "{smtptrail:0}:records" */
struct text source_name(const struct source_table *table, uint16_t number);

/* "/var/log/mail.log:4711", "1732176000000-0 of {smtptrail:0}:records"; harmless on a terminal. */
void source_print(const struct source_table *table, const struct evidence *evidence, FILE *out);
/* The same as members of an object: "source" and "line", "id" or "time_us". */
void source_print_json(const struct source_table *table, const struct evidence *evidence, FILE *out);

#endif
