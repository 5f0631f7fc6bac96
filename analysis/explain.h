/*
 * explain.h - what a reply, a code or a word means, and how a recipient, a message, a session or a login ended: a few findings,
 * from the particular to the general.
 *
 * Threads: any; no state.
 * Memory:  a finding borrows from what was explained, and from tables.
 * Limits:  EXPLAIN_FINDINGS_MAX findings; more are left out.
 */
#ifndef SMTPTRAIL_EXPLAIN_H
#define SMTPTRAIL_EXPLAIN_H

#include <stdio.h>

#include "analysis/advice.h"
#include "analysis/source.h"
#include "analysis/transaction.h"

enum { EXPLAIN_FINDINGS_MAX = 24 };

struct finding {
	const char *what;		/* "reply code", "status", "reason", "fate" ... */
	struct text value;
	const char *meaning;
	const char *next;		/* NULL: nothing to do that another finding does not say */
	bool has_evidence;		/* else it is a conclusion from others, or of no transaction */
	struct evidence evidence;	/* where it was read */
};

struct explanation {
	unsigned count;
	struct finding findings[EXPLAIN_FINDINGS_MAX];
};

/* "550", "5.1.1", "550 5.7.1 text", a word of the tables (greylisting, spf_unaligned, bounced). False: it means nothing
 * that the tables know; there is no finding. */
bool explain_text(struct explanation *explanation, struct text text);
/* What became of a recipient, and why. session: NULL where it is not known. */
void explain_recipient(struct explanation *explanation, const struct session *session, const struct message *message,
		       const struct recipient *recipient);
/* What became of a message of which no recipient is known. */
void explain_message(struct explanation *explanation, const struct session *session, const struct message *message);
/* How a dialogue ended, and what was in the way of its messages. */
void explain_session(struct explanation *explanation, const struct session *session);
/* Whether somebody was let in, and why not. */
void explain_login(struct explanation *explanation, const struct login *login);

void explain_print(const struct explanation *explanation, FILE *out);
/* An array of objects. sources: each with its "proof", where it has one; NULL: none has. */
void explain_print_json(const struct explanation *explanation, const struct source_table *sources, FILE *out);

#endif
