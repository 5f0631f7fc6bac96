/*
 * fuzz_spf.c - SPF records, macros and explanations.
 *
 * An input is lines: the record, the text at every other name, MAIL FROM, HELO, a name for MX and PTR; the rest is
 * left. The first byte of MAIL FROM's line, if it is '6', asks with an IPv6 client. Both engines are asked: libspf2
 * has to live behind its guards.
 */
#include "common/auth/spf.h"
#include "tests/fuzz/fuzz.h"

struct source {
	struct dns dns;
	struct text record, other, host;
	unsigned asked;
};

static void source_ask(struct dns *dns, const struct dns_question *question)
{
	struct source *source = (struct source *)dns;
	static const char address[16] = { (char)192, 0, 2, 1 };
	struct dns_item items[3] = { { { address, question->type == DNS_A ? 4 : 16 }, 0 } };
	bool is_first = source->asked++ == 0;
	size_t count = 1;

	if (question->type == DNS_TXT)
		items[0].data = is_first ? source->record : source->other;
	if (question->type == DNS_MX || question->type == DNS_PTR) {
		items[0].data = items[1].data = source->host;
		items[2].data = question->name;
		count = 3;
	}
	/* Every seventh answer is none, every eleventh a failure. */
	enum dns_status status = source->asked % 7 == 0 ? DNS_NO_NAME : source->asked % 11 == 0 ? DNS_TEMPORARY : DNS_DATA;
	struct dns_answer *answer = dns_answer_new(status, question->type, status == DNS_DATA ? count : 0, items, NULL);

	FUZZ_MUST(answer && question->name.length <= DOMAIN_LENGTH_MAX + 1);
	question->answered(question->context, answer);
}

static void see_step(void *context, const struct spf_step *step)
{
	unsigned *steps = context;

	FUZZ_MUST(step->depth <= SPF_TERMS_MAX && step->domain.length <= DOMAIN_LENGTH_MAX);
	(*steps)++;
}

static void check_outcome(const struct spf_outcome *outcome, const struct source *source)
{
	FUZZ_MUST(outcome->lookups <= SPF_TERMS_MAX + 1);
	FUZZ_MUST(source->asked <= DNS_JOB_QUESTIONS);
	FUZZ_MUST(memchr(outcome->term, '\0', sizeof outcome->term) != NULL);
	FUZZ_MUST(memchr(outcome->error, '\0', sizeof outcome->error) != NULL);
	FUZZ_MUST((outcome->result == SPF_TEMPERROR || outcome->result == SPF_PERMERROR) <= (outcome->error[0] != '\0'));
	for (const char *byte = outcome->explanation; *byte; byte++)
		FUZZ_MUST(*byte >= ' ' && *byte <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct dns_methods methods = { .ask = source_ask };
	struct text rest = { (const char *)data, size };
	struct source source = { .dns = { &methods } };
	struct spf_outcome outcome;
	struct dns_job job;
	unsigned steps = 0;

	source.record = fuzz_line(&rest);
	source.other = fuzz_line(&rest);
	struct spf_request request = {
		.dns = &source.dns, .job = &job, .mail_from = fuzz_line(&rest), .helo = fuzz_line(&rest),
		.step = see_step, .context = &steps,
	};

	source.host = fuzz_line(&rest);
	request.client = (struct spf_address){ 4, { 192, 0, 2, 1 } };
	if (request.mail_from.length > 0 && request.mail_from.start[0] == '6')
		request.client.family = 6;
	dns_job_init(&job, 60000000, DNS_JOB_QUESTIONS);
	spf_check(&request, &outcome);
	check_outcome(&outcome, &source);
	source.asked = 0;
	dns_job_init(&job, 60000000, DNS_JOB_QUESTIONS);
	spf_check_libspf2(&request, &outcome);
	check_outcome(&outcome, &source);
	return 0;
}
