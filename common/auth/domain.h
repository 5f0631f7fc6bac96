/*
 * domain.h - names of domains, made comparable: A-labels, lower case, no dot at the end.
 *
 * Threads: any; no state.
 * Memory:  the caller's buffers of DOMAIN_SIZE bytes.
 * Limits:  253 octets a name, 63 a label.
 * Errors:  -EINVAL where the bytes are no domain name, -ENAMETOOLONG where it is too long.
 */
#ifndef SMTPTRAIL_AUTH_DOMAIN_H
#define SMTPTRAIL_AUTH_DOMAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "common/text.h"

#define DOMAIN_LENGTH_MAX 253
#define DOMAIN_LABEL_MAX 63
#define DOMAIN_SIZE (DOMAIN_LENGTH_MAX + 1)

/* The name as the DNS holds it: U-labels become A-labels, letters lower case, a final dot goes.
 * Says -EINVAL for an empty name or label, blanks, controls, brackets and quotes. */
int domain_normalize(struct text name, char ret_name[static DOMAIN_SIZE]);
/* Labels of 1 to 63 octets, 253 in all, nothing said about their bytes; a final dot is allowed. */
bool domain_is_askable(struct text name);
/* The same name, or below the other; both as domain_normalize gives them. */
bool domain_is_within(struct text name, struct text parent);
/* Looks like an address: all digits in the last label, or a literal in brackets. */
bool domain_is_address(struct text name);
size_t domain_labels(struct text name);

#endif
