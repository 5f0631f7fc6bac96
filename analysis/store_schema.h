/*
 * store_schema.h - the tables of the store: made, upgraded and asked for from store_columns.def and transaction.def.
 *
 * A day's database has a table for each level: session, message, recipient, attempt, check, login. Texts that come
 * again and again stand in word, address and ip; source names what evidence lies in. Views for people: sessions, messages,
 * recipients, attempts, checks, logins. current.db has no transactions, but what the store itself must know.
 *
 * A database says what it is by application_id, and its version by user_version. A fact that is new is a new
 * column, and needs no new version; what else changes is a step in store_schema.c. A reader takes older ones as they are.
 *
 * Threads: any; no state but the tables.
 * Errors:  -EBADMSG: another program's database, or a damaged one; -EPROTONOSUPPORT: made by a newer smtptrail.
 */
#ifndef SMTPTRAIL_STORE_SCHEMA_H
#define SMTPTRAIL_STORE_SCHEMA_H

#include <stdio.h>

#include "analysis/database.h"
#include "analysis/facts.h"

enum { STORE_VERSION = 4, STORE_FORMS_VERSION = 3, STORE_APPLICATION = 0x736d7472 };	/* "smtr" */

enum store_column {
#define COLUMN(level, id, name, type, meaning) COLUMN_##level##_##id,
#include "analysis/store_columns.def"
#undef COLUMN
	COLUMN_COUNT,
};

/* What a database is for. */
enum store_role { STORE_CURRENT, STORE_DAY };

/* Where texts that come again stand. */
enum store_dictionary { DICTIONARY_WORD, DICTIONARY_ADDRESS, DICTIONARY_IP, DICTIONARY_COUNT };

const char *store_dictionary_name(enum store_dictionary dictionary);
/* Whether numbers are given in turn; else by the text's digest. */
bool store_dictionary_is_counted(enum store_dictionary dictionary);
/* The dictionary of a type of facts; DICTIONARY_COUNT: the value stands in the row itself. */
enum store_dictionary store_dictionary_of(enum fact_type type);

/* Columns of a level, in the order of its table: fixed ones, facts, the evidence. */
unsigned store_column_count(enum fact_level level);
unsigned store_column_index(enum store_column column);		/* in its level, from 0 */
unsigned store_fact_index(enum fact fact);
unsigned store_evidence_index(enum fact_level level);
const char *store_column_name(enum fact_level level, unsigned index);
/* Those of the primary key, as a list. */
void store_print_keys(enum fact_level level, FILE *out);
/* All columns, as a list "[key], [start_us], ..."; those that the database has not are NULL (none, where it is not
 * given). With facts without those of others and of evidence. */
int store_print_columns(struct database *database, enum fact_level level, const struct fact_set *facts, FILE *out,
			struct problem *problem);

/* Makes the tables in an empty database. */
int store_schema_make(struct database *database, enum store_role role, struct problem *problem);
/* Looks what it is; brings an older one up to date where it may be changed. */
int store_schema_check(struct database *database, enum store_role role, bool may_change, struct problem *problem);
/* Indexes, which a bulk of rows is better written without. */
int store_schema_index(struct database *database, struct problem *problem);
bool store_schema_is_indexed(struct database *database);

/* When the last of a day's database was seen: kept, or else looked for in all rows. What it is kept by, given a time; and what
 * forgets it. */
#define STORE_LAST_OF_ROWS \
	"max(ifnull((SELECT max(last_us) FROM message), 0), ifnull((SELECT max(end_us) FROM session), 0))"
#define STORE_LAST "ifnull((SELECT value FROM meta WHERE name='last_us'), " STORE_LAST_OF_ROWS ")"
#define STORE_LAST_KEEP "REPLACE INTO meta(name, value) SELECT 'last_us', max(%" PRIu64 ", " STORE_LAST ")"
#define STORE_LAST_FORGET "DELETE FROM meta WHERE name='last_us'"

#endif
