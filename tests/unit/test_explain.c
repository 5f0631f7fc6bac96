/* test_explain.c - codes, replies and words in words; the table of advice is whole. */
#include "analysis/explain.h"
#include "analysis/reason.h"
#include "tests/unit/unit.h"

TEST(a_reply_is_explained_from_the_particular_to_the_general)
{
	static const struct {
		const char *text;
		const char *wanted;	/* what=value, joined by blanks */
	} cases[] = {
		{ "550", "code=550" },
		{ "5.1.1", "reason=userunknown status=5.1.1" },
		{ "550 5.1.1 <joe@lab.test>: Recipient address rejected: User unknown", "reason=userunknown status=5.1.1 code=550" },
		{ "451 4.7.1 Greylisting in action, please come back later", "reason=greylisting status=4.7.1 code=451" },
		{ "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.dnsbl.example", "reason=blocked status=5.7.1 code=554" },
		{ "504 5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname", "story=helo_refused status=5.5.2 code=504" },
		{ "450 4.7.1 <a.lab.test>: Helo command rejected: Host not found", "story=helo_refused status=4.7.1 code=450" },
		{ "Cannot start TLS: handshake failure", "reason=failedstarttls" },
		{ "250 2.0.0 Ok: queued as 4F2", "status=2.0.0 code=250" },
		{ "greylisting", "reason=greylisting" },
		{ "spf_unaligned", "why=spf_unaligned" },
		{ "bounced", "fate=bounced" },
		{ "expired", "reason=expired fate=expired" },
		{ "559", "code=559" },
		{ "5.99.99", "status=5.99.99" },
		{ "", "" },
		{ "what a lovely day", "" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct explanation explanation;
		char got[400] = "";

		(void)explain_text(&explanation, text_of(cases[i].text));
		for (unsigned j = 0; j < explanation.count; j++)
			(void)snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s=%.*s", j ? " " : "",
				       explanation.findings[j].what, TEXT_ARGS(explanation.findings[j].value));
		CHECK_SAYING(strcmp(got, cases[i].wanted) == 0, "'%s' gives '%s', wanted '%s'", cases[i].text, got, cases[i].wanted);
	}
}

TEST(a_code_that_no_list_has_is_still_explained)
{
	static const char *const codes[] = { "5.9.9", "4.99.1", "2.42.0", "559", "499", "299" };

	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
		struct explanation explanation;

		CHECK_SAYING(explain_text(&explanation, text_of(codes[i])) && explanation.findings[0].meaning && explanation.findings[0].next, "%s",
			     codes[i]);
	}
}

/* What the other tables can say must have its advice. */
TEST(every_class_fate_and_subject_has_its_advice)
{
	static const char *const classes[] = {
#define REASON(class, pattern) class,
#include "analysis/reasons.def"
#undef REASON
	};

	for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
		CHECK_SAYING(advice_find(ADVICE_REASON, text_of(classes[i])), "%s", classes[i]);
	for (int fate = 0; fate < FATE_COUNT; fate++)
		CHECK_SAYING(advice_find(ADVICE_FATE, text_of(fate_name((enum fate)fate))), "%s", fate_name((enum fate)fate));
	for (int subject = 0; subject <= 7; subject++)
		CHECK_SAYING(advice_of_status(&(struct status_code){ 5, subject, 250 }), "%d", subject);
	for (int code = 200; code < 600; code++)
		CHECK_SAYING(advice_of_code(code), "%d", code);
	for (const struct advice *advice = advice_table; advice->key; advice++) {
		CHECK_SAYING(advice->meaning[0] && advice->next[0], "%s", advice->key);
		CHECK_SAYING(advice_find(advice->kind, text_of(advice->key)) == advice, "%s is there twice", advice->key);
	}
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(a_reply_is_explained_from_the_particular_to_the_general),
		UNIT_TEST(a_code_that_no_list_has_is_still_explained),
		UNIT_TEST(every_class_fate_and_subject_has_its_advice),
		{ NULL, NULL },
	};

	return unit_run(tests, argc, argv);
}
