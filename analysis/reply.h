/*
 * reply.h - what a reply of an SMTP server says: code, enhanced status code, text; for all formats.
 *
 * Threads: any; no state.  Memory: a reply borrows from its text.
 */
#ifndef SMTPTRAIL_REPLY_H
#define SMTPTRAIL_REPLY_H

#include <stdbool.h>

#include "common/text.h"

struct status_code {
	int class;		/* 2, 4 or 5; 0: there is none */
	int subject, detail;
};

struct reply {
	int code;		/* "550"; 0: the text has none */
	struct text code_text;
	struct status_code status;
	struct text status_text;	/* "5.1.1"; absent: the text has none */
	struct text text;	/* behind both */
};

/* "550 5.1.1 <x>: unknown", "550-5.1.1 ...", "5.7.1 text", "text". */
struct reply reply_read(struct text text);
/* "host mx[192.0.2.1] said: 550 ...": what the host said; any other text is what it is. */
struct text reply_said(struct text text);
/* "5.1.1" alone; false: it is none. */
bool status_code_read(struct text text, struct status_code *ret_code);

const char *status_code_meaning(const struct status_code *code);	/* NULL: not in the registry */
const char *reply_code_meaning(int code);				/* NULL: not in RFC 5321 */
/* What it means as the answer to that command: "RCPT", "END-OF-MESSAGE" ... Never NULL: the first digit tells. */
const char *reply_meaning_at(struct text stage, int code);
/* The rows of that table; false: there are no more. */
bool reply_stage_row(unsigned row, const char **ret_stage, int *ret_code, const char **ret_meaning);

#endif
