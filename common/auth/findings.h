/*
 * findings.h - what SPF and DKIM found, as DMARC wants to be told.
 *
 * Threads: any.
 * Memory:  domains are borrowed from the outcome and from the check.
 */
#ifndef SMTPTRAIL_AUTH_FINDINGS_H
#define SMTPTRAIL_AUTH_FINDINGS_H

#include "common/auth/dkim.h"
#include "common/auth/dmarc.h"
#include "common/auth/spf.h"

/* The outcome NULL: SPF was not asked. */
struct dmarc_identifier finding_of_spf(const struct spf_outcome *outcome);
/* The signatures that name a domain; how many. The check NULL: none. */
size_t findings_of_dkim(const struct dkim_check *check, struct dmarc_identifier ret_findings[static DKIM_KEPT_MAX]);

#endif
