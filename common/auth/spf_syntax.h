/*
 * spf_syntax.h - an SPF record taken apart, by the grammar of RFC 7208 section 12.
 *
 * Threads: any; no state.  Memory: terms borrow from the record.  Limits: none of its own.
 */
#ifndef SMTPTRAIL_AUTH_SPF_SYNTAX_H
#define SMTPTRAIL_AUTH_SPF_SYNTAX_H

#include <stdbool.h>

#include "common/auth/spf.h"
#include "common/text.h"

enum spf_kind {
	SPF_ALL,
	SPF_INCLUDE,
	SPF_A,
	SPF_MX,
	SPF_PTR,
	SPF_IP4,
	SPF_IP6,
	SPF_EXISTS,
	SPF_REDIRECT,		/* modifiers from here */
	SPF_EXP,
	SPF_OTHER,
};

struct spf_term {
	enum spf_kind kind;
	enum spf_result qualifier;	/* of a mechanism: the result if it matches */
	struct text text;		/* the whole term */
	struct text domain_spec;	/* absent: none given */
	unsigned prefix4, prefix6;	/* a, mx, ip4, ip6 */
	unsigned char address[16];	/* ip4, ip6 */
};

bool spf_is_record(struct text txt);
/* What follows the version. */
struct text spf_record_terms(struct text record);
/* The next term, taken off the front of *terms. 1: there is one; 0: no more; -EINVAL: *ret_error
 * says what is wrong with ret_term->text. */
int spf_term_next(struct text *terms, struct spf_term *ret_term, const char **ret_error);
/* The whole record, and that redirect= and exp= stand in it at most once. 0 or -EINVAL. */
int spf_record_check(struct text record, struct spf_term *ret_wrong, const char **ret_error);

#endif
