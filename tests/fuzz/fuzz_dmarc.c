/*
 * fuzz_dmarc.c - DMARC records and domains.
 *
 * An input is lines: the record at the first name asked for, the one at all others, the From: domain, the domains of
 * SPF and of a signature.
 */
#include "common/auth/dmarc.h"
#include "tests/fuzz/fuzz.h"

struct source {
	struct dns dns;
	struct text first, other;
	unsigned asked;
};

static void source_ask(struct dns *dns, const struct dns_question *question)
{
	struct source *source = (struct source *)dns;
	struct text record = source->asked++ == 0 ? source->first : source->other;
	struct dns_item item = { record, 0 };
	bool has_data = question->type == DNS_TXT && record.length > 0;
	struct dns_answer *answer = dns_answer_new(has_data ? DNS_DATA : DNS_NO_NAME, question->type, has_data, &item, NULL);

	FUZZ_MUST(answer != NULL);
	question->answered(question->context, answer);
}

static void check_outcome(const struct dmarc_outcome *outcome, const struct source *source)
{
	FUZZ_MUST(source->asked <= 8 * (DMARC_WALKS_MAX + 1) + 2);
	FUZZ_MUST(dmarc_policy_name(outcome->disposition) != NULL);
	FUZZ_MUST(outcome->disposition == DMARC_POLICY_NONE || outcome->result == DMARC_FAIL);
	FUZZ_MUST((outcome->why == 0) == (outcome->result == DMARC_PASS));
	FUZZ_MUST(outcome->tags.pct <= 100);
	for (const char *byte = outcome->record; *byte; byte++)
		FUZZ_MUST(*byte >= ' ' && *byte <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct dns_methods methods = { .ask = source_ask };
	static struct dmarc_suffixes *suffixes;
	struct text rest = { (const char *)data, size };
	struct source source = { .dns = { &methods } };
	struct dmarc_outcome outcome;
	struct dns_job job;

	if (!suffixes)
		FUZZ_MUST(dmarc_suffixes_open(NULL, &suffixes, NULL) == 0);
	source.first = fuzz_line(&rest);
	source.other = fuzz_line(&rest);
	struct text from = fuzz_line(&rest);
	struct dmarc_input input = {
		.dns = &source.dns, .job = &job, .suffixes = suffixes, .from_count = 1, .from_domains = &from,
		.spf = { DMARC_CHECK_PASS, fuzz_line(&rest) }, .dkim_count = 1,
	};
	struct dmarc_identifier dkim = { DMARC_CHECK_PASS, fuzz_line(&rest) };

	input.dkim = &dkim;
	for (int walks = 0; walks < 2; walks++) {
		source.asked = 0;
		input.walks_tree = walks;
		dns_job_init(&job, 60000000, DNS_JOB_QUESTIONS);
		dmarc_evaluate(&input, &outcome);
		check_outcome(&outcome, &source);
	}
	return 0;
}
