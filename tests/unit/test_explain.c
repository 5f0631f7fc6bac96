/* test_explain.c - codes, replies, words and ends in words; the table of advice is whole, and all of it can be reached. */
#include "analysis/explain.h"
#include "analysis/query.h"
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
		{ "cut", "missing=cut" },
		{ "451 4.4.3 Name service error for name=x type=MX: Host not found, try again", "reason=dnserror status=4.4.3 code=451" },
		{ "559", "code=559" },
		{ "5.99.99", "status=5.99.99" },
		{ "", "" },
		{ "what a lovely day", "" },
		{ "Greylisted", "reason=greylisting" },
		{ "virus@spam.example", "" },
		{ "<spf@lab.test>", "" },
		{ "4dSPFm0Kkcz1b06", "" },
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

/* The words that a query is told to know of a field are those that people are shown. */
TEST(every_word_of_an_end_has_its_advice)
{
	static const struct {
		const char *field;
		enum advice_kind kind;
	} fields[] = {
		{ "incomplete", ADVICE_MISSING }, { "state", ADVICE_STATE }, { "ended", ADVICE_ENDED }, { "outcome", ADVICE_OUTCOME }, { "why", ADVICE_WHY },
	};
	char words[QUERY_WORDS_SIZE];
	unsigned found = 0;
	const char *field;

	for (unsigned row = 0; (field = query_words_row(row, words)); row++)
		for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
			struct text list = text_of(words), word;

			if (strcmp(field, fields[i].field) != 0)
				continue;
			found++;
			while (facts_next_item(&list, &word))
				CHECK_SAYING(advice_find(fields[i].kind, word), "%s:%.*s", field, TEXT_ARGS(word));
		}
	CHECK_NUMBER(found, sizeof fields / sizeof fields[0]);
}

/* ---- ends ---- */

static const struct evidence line_seven = { .key = JOIN_QUEUE_ID, .major = 7 };

/* "name=value; name=value" as facts of that level, all of them in line 7. */
static struct facts facts_of(struct pool *pool, enum fact_level level, const char *pairs)
{
	struct facts facts = { .bytes = NULL };

	facts_rest_on(&facts, pool, &line_seven);
	while (pairs && *pairs) {
		size_t name = strcspn(pairs, "="), length = strcspn(pairs, ";");
		enum fact fact = fact_by_name(level, (struct text){ pairs, name });
		struct text value = { pairs + name + 1, length - name - 1 };
		uint64_t number = 0;

		CHECK_SAYING(fact != FACT_COUNT, "%s", pairs);
		for (size_t i = 0; i < value.length; i++)
			number = number * 10 + (uint64_t)(value.start[i] - '0');
		if (fact_is_text(fact))
			facts_set_text(&facts, pool, fact, value);
		else
			facts_set_number(&facts, pool, fact, number);
		pairs += length + strspn(pairs + length, "; ");
	}
	return facts;
}

static struct text finding_of(const struct explanation *explanation, const char *what)
{
	for (unsigned i = 0; i < explanation->count; i++)
		if (strcmp(explanation->findings[i].what, what) == 0)
			return explanation->findings[i].value;
	return TEXT_NONE;
}

struct end {
	const char *story;		/* NULL: there is none */
	enum fate fate;			/* FATE_COUNT: the message, or else the session, is explained by itself */
	unsigned attempts;
	enum parent_kind parent;
	const char *recipient, *attempt, *message, *session;
};

static const struct end ends[] = {
	{ "greylisted_then_delivered", FATE_DELIVERED, 2, PARENT_NONE, "to=a@b", "reason=greylisting", "queue_id=A", NULL },
	{ "deferred_then_delivered", FATE_DELIVERED, 2, PARENT_NONE, "to=a@b", "reason=networkerror", "queue_id=A", NULL },
	{ "rate_limited", FATE_DEFERRED, 1, PARENT_NONE, "reason=ratelimited", NULL, "queue_id=A", NULL },
	{ "helo_refused", FATE_REJECTED, 0, PARENT_NONE, "stage=EHLO; by=mta", NULL, "from=a@b", NULL },
	{ "helo_refused", FATE_REJECTED, 0, PARENT_NONE, "stage=RCPT; reply=450 4.7.1 <a>: Helo command rejected: Host not found", NULL, "from=a@b", NULL },
	{ "relay_denied", FATE_REJECTED, 0, PARENT_NONE, "stage=RCPT; by=mta; reason=norelaying", NULL, "from=a@b", NULL },
	{ "tls_failed", FATE_DEFERRED, 1, PARENT_NONE, "reason=failedstarttls; dsn=4.7.5; reply=Cannot start TLS: handshake failure", NULL, "queue_id=A", NULL },
	{ "dns_failed", FATE_DEFERRED, 1, PARENT_NONE, "reason=dnserror; dsn=4.4.3; reply=Name service error for name=b type=MX: Host not found, try again",
	  NULL, "queue_id=A", NULL },
	{ "screened", FATE_REJECTED, 0, PARENT_NONE, "by=screen", NULL, "from=a@b", NULL },
	{ "milter_refused", FATE_REJECTED, 0, PARENT_NONE, "by=milter", NULL, "from=a@b", NULL },
	{ "lost_in_data", FATE_ABORTED, 0, PARENT_NONE, "to=a@b", NULL, "from=a@b", "last_stage=DATA; ended=lost" },
	{ "looped", FATE_BOUNCED, 1, PARENT_NONE, "reason=routing; dsn=5.4.6; reply=mail for b loops back to myself", NULL, "queue_id=A", NULL },
	{ NULL, FATE_BOUNCED, 1, PARENT_NONE, "reason=routing; dsn=5.4.4; reply=unable to route", NULL, "queue_id=A", NULL },
	{ "forwarded", FATE_DELIVERED, 1, PARENT_FORWARD, "to=a@b", NULL, "queue_id=A", NULL },
	{ "notice", FATE_DELIVERED, 1, PARENT_NOTICE, "to=a@b", NULL, "queue_id=A", NULL },
	{ NULL, FATE_DELIVERED, 1, PARENT_NONE, "to=a@b", NULL, "queue_id=A", NULL },
	{ NULL, FATE_ABORTED, 0, PARENT_NONE, "to=a@b", NULL, "from=a@b", NULL },
	{ "lost_in_data", FATE_COUNT, 0, PARENT_NONE, NULL, NULL, "queue_id=A; state=aborted", "last_stage=DATA; ended=lost" },
	{ NULL, FATE_COUNT, 0, PARENT_NONE, NULL, NULL, "queue_id=A; state=queued", NULL },
	{ "lost_in_data", FATE_COUNT, 0, PARENT_NONE, NULL, NULL, NULL, "last_stage=BDAT; ended=timeout; commands=4; mail_commands=1" },
	{ "tls_failed", FATE_COUNT, 0, PARENT_NONE, NULL, NULL, NULL, "tls_error=no shared cipher; ended=lost; commands=2" },
	{ "login_failed", FATE_COUNT, 0, PARENT_NONE, NULL, NULL, NULL, "ended=quit; commands=4; auth_commands=2; auth_good=0" },
	{ "no_mail", FATE_COUNT, 0, PARENT_NONE, NULL, NULL, NULL, "ended=quit; commands=2" },
	{ NULL, FATE_COUNT, 0, PARENT_NONE, NULL, NULL, NULL, "ended=quit; commands=5; mail_commands=1" },
	{ NULL, FATE_COUNT, 0, PARENT_NONE, NULL, NULL, NULL, "ended=quit" },
};

static void explain_end(struct explanation *explanation, struct pool *pool, const struct end *end)
{
	struct session session = { .facts = facts_of(pool, LEVEL_SESSION, end->session) };
	struct message message = { .parent_kind = (uint8_t)end->parent, .facts = facts_of(pool, LEVEL_MESSAGE, end->message) };
	struct attempt attempt = { .facts = facts_of(pool, LEVEL_ATTEMPT, end->attempt) };
	struct recipient recipient = {
		.fate = (uint8_t)end->fate, .attempts = end->attempts, .tries = end->attempts ? &attempt : NULL,
		.facts = facts_of(pool, LEVEL_RECIPIENT, end->recipient),
	};
	const struct session *known = end->session ? &session : NULL;

	if (end->fate != FATE_COUNT)
		explain_recipient(explanation, known, &message, &recipient);
	else if (end->message)
		explain_message(explanation, known, &message);
	else
		explain_session(explanation, &session);
}

/* What the table says of several lines together says somebody, and nobody says what it has not. */
TEST(every_story_can_be_told)
{
	struct pool *pool = pool_new();

	for (size_t i = 0; pool && i < sizeof ends / sizeof ends[0]; i++) {
		struct explanation explanation;
		struct text story;

		explain_end(&explanation, pool, &ends[i]);
		story = finding_of(&explanation, "story");
		CHECK_SAYING(ends[i].story ? text_is(story, ends[i].story) : !story.start, "%zu: %.*s, wanted %s", i, TEXT_ARGS(story),
			     ends[i].story ? ends[i].story : "none");
	}
	for (const struct advice *advice = advice_table; advice->key; advice++) {
		bool is_told = advice->kind != ADVICE_STORY;

		for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
			is_told = is_told || (ends[i].story && strcmp(ends[i].story, advice->key) == 0);
		CHECK_SAYING(is_told, "nothing tells %s", advice->key);
	}
	pool_free(pool);
}

TEST(what_was_read_has_its_line_and_a_code_beside_the_words_counts)
{
	static const struct end deferred = { .fate = FATE_DEFERRED, .attempts = 1, .recipient = "reason=failedstarttls; dsn=4.7.5; reply=Cannot start TLS: handshake failure" };
	static const struct end quit = { .fate = FATE_COUNT, .session = "ended=quit; commands=2; incomplete=no_log, cut" };
	struct pool *pool = pool_new();
	struct explanation explanation;

	explain_end(&explanation, pool, &deferred);
	CHECK_TEXT(finding_of(&explanation, "status"), "4.7.5");
	for (unsigned i = 0; i < explanation.count; i++) {
		const struct finding *finding = &explanation.findings[i];
		bool is_read = strcmp(finding->what, "fate") != 0 && strcmp(finding->what, "story") != 0;

		CHECK_SAYING(finding->has_evidence == is_read, "%s", finding->what);
		CHECK_SAYING(!is_read || finding->evidence.major == 7, "%s", finding->what);
	}
	explain_end(&explanation, pool, &quit);
	CHECK_TEXT(finding_of(&explanation, "ended"), "quit");
	CHECK_TEXT(finding_of(&explanation, "missing"), "no_log");
	pool_free(pool);
}

TEST(a_login_is_explained_by_its_outcome_and_the_words_of_the_server)
{
	struct pool *pool = pool_new();
	struct login login = { .facts = facts_of(pool, LEVEL_LOGIN, "outcome=failed; reason=535 5.7.8 Error: authentication failed") };
	struct explanation explanation;

	explain_login(&explanation, &login);
	CHECK_TEXT(finding_of(&explanation, "outcome"), "failed");
	CHECK_TEXT(finding_of(&explanation, "reply"), "535 5.7.8 Error: authentication failed");
	CHECK_TEXT(finding_of(&explanation, "reason"), "securityerror");
	CHECK_TEXT(finding_of(&explanation, "code"), "535");
	pool_free(pool);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(a_reply_is_explained_from_the_particular_to_the_general),
		UNIT_TEST(a_code_that_no_list_has_is_still_explained),
		UNIT_TEST(every_class_fate_and_subject_has_its_advice),
		UNIT_TEST(every_word_of_an_end_has_its_advice),
		UNIT_TEST(every_story_can_be_told),
		UNIT_TEST(what_was_read_has_its_line_and_a_code_beside_the_words_counts),
		UNIT_TEST(a_login_is_explained_by_its_outcome_and_the_words_of_the_server),
		{ NULL, NULL },
	};

	return unit_run(tests, argc, argv);
}
