/*
 * spf_macro.h - the macros of SPF (RFC 7208 section 7): checked, and expanded.
 *
 * Threads: any; no state.
 * Memory:  the caller's buffers.
 * Limits:  a value is used up to SPF_VALUE_MAX bytes; a domain keeps the right end of what an expansion
 *          gives, an explanation the left.
 */
#ifndef SMTPTRAIL_AUTH_SPF_MACRO_H
#define SMTPTRAIL_AUTH_SPF_MACRO_H

#include <stdbool.h>
#include <stddef.h>

#include "common/auth/spf.h"
#include "common/text.h"

#define SPF_VALUE_MAX 512

enum spf_text_kind {
	SPF_TEXT_DOMAIN,	/* neither blanks nor the letters c, r, t */
	SPF_TEXT_MODIFIER,	/* no blanks; the value of an unknown modifier */
	SPF_TEXT_EXPLANATION,
};

struct spf_values {
	struct text local, sender_domain, domain, helo, receiver;
	struct spf_address client;
	/* The validated name of the client, or "unknown"; asked only where %{p} stands. */
	struct text (*client_name)(void *context);
	void *context;
};

/* NULL: good; else what is wrong, in words. */
const char *spf_macro_check(struct text text, enum spf_text_kind kind);
const char *spf_domain_spec_check(struct text spec);

/* Both on texts that were checked. -EILSEQ: the local part is not ASCII and the term asks for it
 * (RFC 8616: such a term does not match). */
int spf_expand_domain(struct text spec, const struct spf_values *values, char ret_domain[static DOMAIN_SIZE]);
int spf_expand_explanation(struct text text, const struct spf_values *values,
			   char ret_text[static SPF_EXPLANATION_SIZE]);

#endif
