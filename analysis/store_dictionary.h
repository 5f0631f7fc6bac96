/*
 * store_dictionary.h - texts of one database that come again and again, each once, by a small number.
 *
 * Words are few and are counted. Of addresses there are so many that a second tree, from text to number, would cost more
 * than what it stores: an address has its digest for a number, or the next one that is free. The same holds for addresses
 * of the net.
 *
 * Threads: one owner at a time, that of the database.
 * Memory:  texts that were met last, some ten thousand; where all are expected, some 40 MB of them. A text that is lent lives
 *          until the next call.
 * Errors:  as database.h. After a rollback store_dictionary_forget must be called: numbers are not what they were.
 */
#ifndef SMTPTRAIL_STORE_DICTIONARY_H
#define SMTPTRAIL_STORE_DICTIONARY_H

#include "analysis/store_schema.h"

struct store_dictionaries;

/* With may_add new texts get a number. 0 or -ENOMEM. */
int store_dictionary_new(struct store_dictionaries **ret_dictionaries, struct database *database, bool may_add);
void store_dictionary_free(struct store_dictionaries *dictionaries);
void store_dictionary_forget(struct store_dictionaries *dictionaries);
/*
 * Whoever puts many rows: texts of a dictionary that has none yet are in memory from now on, up to 96 MB of all, and those
 * that are new wait for store_dictionary_put, before the transaction ends. *ret_all: so it is with all dictionaries.
 */
int store_dictionary_hold(struct store_dictionaries *dictionaries, bool *ret_all);
int store_dictionary_put(struct store_dictionaries *dictionaries);
/* Whoever reads most rows of the database asks for most of its texts: where many were looked up one by one, they are read in
 * their order, as many as are kept. */
void store_dictionary_expect_all(struct store_dictionaries *dictionaries);

/* The number of a text; 0: it has none, and none may be added. */
int store_dictionary_number(struct store_dictionaries *dictionaries, enum store_dictionary which, struct text text,
			    uint64_t *ret_number);
/* For whoever is going to ask for a text: where all were read its memory is asked for. */
void store_dictionary_fetch(const struct store_dictionaries *dictionaries, enum store_dictionary which, uint64_t number);
/* Absent: no text has the number. */
int store_dictionary_text(struct store_dictionaries *dictionaries, enum store_dictionary which, uint64_t number,
			  struct text *ret_text);

/* Where a text that is numbered by its digest stands, or else right behind it, number by number without a gap. It is the same
 * for texts that differ in the case of their letters only, and for all forms of an address of the net (network_address), so
 * that whoever looks for one finds all of them. */
uint64_t store_dictionary_first(enum store_dictionary which, struct text text);
/* Whether the database's addresses of the net are so numbered; before version 3 each form had a digest of its own. */
bool store_dictionary_joins_forms(struct database *database);
/* Gives them such numbers. */
int store_dictionary_join_forms(struct database *database, struct problem *problem);

#endif
