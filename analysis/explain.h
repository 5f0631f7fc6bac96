/*
 * explain.h - what a reply, a code, a word or a recipient's end means: a few findings, from the particular to the general.
 *
 * Threads: any; no state.
 * Memory:  a finding borrows from what was explained, and from tables.
 * Limits:  EXPLAIN_FINDINGS_MAX findings; more are left out.
 */
#ifndef SMTPTRAIL_EXPLAIN_H
#define SMTPTRAIL_EXPLAIN_H

#include <stdio.h>

#include "analysis/advice.h"
#include "analysis/transaction.h"

enum { EXPLAIN_FINDINGS_MAX = 16 };

struct finding {
	const char *what;		/* "reply code", "status", "reason", "fate" ... */
	struct text value;
	const char *meaning;
	const char *next;		/* NULL: nothing to do that another finding does not say */
	struct evidence evidence;	/* of what was explained; source 0 and major 0: none */
};

struct explanation {
	unsigned count;
	struct finding findings[EXPLAIN_FINDINGS_MAX];
};

/* "550", "5.1.1", "550 5.7.1 text", a word of the tables (greylisting, spf_unaligned, bounced). False: it means nothing
 * that the tables know; there is no finding. */
bool explain_text(struct explanation *explanation, struct text text);
/* What became of a recipient, and why. */
void explain_recipient(struct explanation *explanation, const struct session *session, const struct message *message,
		       const struct recipient *recipient);

/* Why a dialogue came to no message. False: it did, or nothing was refused in it. */
bool explain_session(struct explanation *explanation, const struct session *session);

void explain_print(const struct explanation *explanation, FILE *out);
/* An array of objects. */
void explain_print_json(const struct explanation *explanation, FILE *out);

#endif
