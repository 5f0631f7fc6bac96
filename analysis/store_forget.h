/*
 * store_forget.h - one person leaves a day's database: rows are erased, or a pseudonym stands in the person's place.
 *
 * An address (person.h) is found as a sender, recipient or login name of its own, and inside replies, subjects and other
 * texts; a login name, as a value of its own alone. Evidence (file and line, entry of a stream) stays.
 *
 * Threads: any; no state.
 * Errors:  as database.h. The day is changed whole, or not at all.
 */
#ifndef SMTPTRAIL_STORE_FORGET_H
#define SMTPTRAIL_STORE_FORGET_H

#include "analysis/database.h"
#include "common/person.h"

struct store_forget {
	struct person person;
	const char *pseudonym;		/* LOCAL@DOMAIN, in which the address is not found */
	bool erases;			/* what is only this person's: messages sent, recipients, logins */
};

struct store_forgotten {
	uint64_t values;		/* senders, recipients, login names that are the pseudonym now */
	uint64_t texts;			/* other texts that had it inside */
	uint64_t rows;			/* erased, of all levels */
	uint64_t left;			/* texts in which it still is */
	uint64_t words;			/* texts that have a login name as a word, which stays */
};

/* Adds to the counts. */
int store_forget_day(const char *path, const struct store_forget *what, struct store_forgotten *counts, struct problem *problem);

#endif
