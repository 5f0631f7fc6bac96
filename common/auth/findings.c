/* findings.c - results of SPF and DKIM reduced to what DMARC wants to know. */
#include "common/auth/findings.h"

struct dmarc_identifier finding_of_spf(const struct spf_outcome *outcome)
{
	if (!outcome)
		return (struct dmarc_identifier){ DMARC_CHECK_NONE, TEXT_LITERAL("") };
	return (struct dmarc_identifier){
		.check = outcome->result == SPF_NONE ? DMARC_CHECK_NONE
		       : outcome->result == SPF_PASS ? DMARC_CHECK_PASS
		       : outcome->result == SPF_TEMPERROR ? DMARC_CHECK_TEMPORARY : DMARC_CHECK_BAD,
		.domain = text_of(outcome->domain),
	};
}

/* What a limit of ours kept from being checked must not make a message fail. */
static enum dmarc_check check_of(const struct dkim_signature *signature)
{
	if (signature->result == DKIM_PASS)
		return DMARC_CHECK_PASS;
	return signature->result == DKIM_TEMPERROR || signature->is_limited ? DMARC_CHECK_TEMPORARY : DMARC_CHECK_BAD;
}

size_t findings_of_dkim(const struct dkim_check *check, struct dmarc_identifier ret_findings[static DKIM_KEPT_MAX])
{
	size_t count = 0;

	for (size_t i = 0; check && i < dkim_check_count(check); i++) {
		const struct dkim_signature *signature = dkim_check_signature(check, i);

		if (signature->domain[0])
			ret_findings[count++] = (struct dmarc_identifier){ check_of(signature), text_of(signature->domain) };
	}
	return count;
}
