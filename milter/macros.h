/*
 * macros.h - what the MTA says beside its events: its macros, and what they say in a record.
 *
 * Postfix and Sendmail share the names of macros and do not mean the same by each of them. What a record holds
 * means the same of both: that is this file's business.
 *
 * Threads: any; no state.
 * Memory:  a text is the MTA's, until the callback ends.
 */
#ifndef SMTPTRAIL_MILTER_MACROS_H
#define SMTPTRAIL_MILTER_MACROS_H

#include "common/record.h"

/* Where the macros of a stage are asked for; NULL: not known. */
struct macros {
	const char *(*get)(void *context, const char *name);
	void *context;
};

struct text macro(const struct macros *macros, const char *name);
/* A name that the MTA knows; absent where it has a word or an address in its place. */
struct text macro_known_name(struct text name);
/* Digits, and nothing else. */
bool macro_read_number(struct text text, uint64_t *ret_number);

void macro_set(struct record *record, enum field field, const struct macros *macros, const char *name);
void macro_set_number(struct record *record, enum field field, const struct macros *macros, const char *name);
/* A word in lower case. */
void macro_set_word(struct record *record, enum field field, const struct macros *macros, const char *name);
/* A host, without the dot that Sendmail ends it with. */
void macro_set_host(struct record *record, enum field field, const struct macros *macros, const char *name);
/* Where the client connected to. */
void macro_set_daemon(struct record *record, const struct macros *macros);
/* Whether the macros of a connect are Sendmail's. */
bool macro_is_sendmail(const struct macros *macros);
/* Program and version. */
void macro_set_version(struct record *record, const struct macros *macros);
/* The client's certificate, where the MTA trusts it, and what it found of it. */
void macro_set_certificate(struct record *record, const struct macros *macros);

/* What the MTA says of a recipient. */
struct rcpt_macros {
	struct text mailer, host, address;
};

struct rejection {
	bool is_one;
	uint64_t code;			/* 0: the MTA does not tell */
	struct text dsn, reason;	/* dsn: absent where the MTA gave another word */
};

struct rcpt_macros macro_read_rcpt(const struct macros *macros);
struct rejection macro_read_rejection(struct text recipient, const struct rcpt_macros *told);

#endif
