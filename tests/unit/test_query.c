/* test_query.c - what a query finds, and what it says where it is none. */
#include "analysis/query.h"

#include <errno.h>

#include "tests/unit/unit.h"

static struct pool *pool;
static struct session session;
static struct message message;
static struct recipient recipient;
static struct attempt attempts[2];
static struct check checks[3];

/* 2026-11-27T12:00:00Z, the moment in which all is asked. */
static const uint64_t now_us = 1795780800000000;

static void set(struct facts *facts, enum fact fact, const char *text)
{
	static const struct evidence evidence = { .key = JOIN_QUEUE_ID, .major = 1 };

	facts_rest_on(facts, pool, &evidence);
	facts_set_text(facts, pool, fact, text_of(text));
}

static void make_row(void)
{
	/* Not what the last pool held. */
	session = (struct session){ 0 };
	message = (struct message){ 0 };
	recipient = (struct recipient){ 0 };
	memset(attempts, 0, sizeof attempts);
	memset(checks, 0, sizeof checks);
	pool = pool_new();
	session.start_us = message.start_us = now_us - UINT64_C(3600) * 1000000;
	set(&session.facts, FACT_SESSION_CLIENT_ADDR, "192.0.2.7");
	set(&session.facts, FACT_SESSION_CLIENT_NAME, "mail.example.net");
	set(&session.facts, FACT_SESSION_HELO, "mail.example.net");
	set(&session.facts, FACT_SESSION_TLS_VERSION, "TLSv1.3");
	set(&message.facts, FACT_MESSAGE_FROM, "Ann@Example.com");
	set(&message.facts, FACT_MESSAGE_SUBJECT, "lunch (on friday)? 100% *free*");
	set(&message.facts, FACT_MESSAGE_QUEUE_ID, "4jWqnv1NpDz1bcn1");
	set(&message.facts, FACT_MESSAGE_DMARC, "fail");
	set(&message.facts, FACT_MESSAGE_WHY, "spf_fail, dkim_none");
	facts_set_number(&message.facts, pool, FACT_MESSAGE_SIZE, 1500000);
	message.key = 0x2f00aa0012345679;
	message.session = &session;
	message.recipient_count = 3;
	message.recipients = &recipient;
	message.checks = &checks[0];
	checks[0].next = &checks[1];
	set(&checks[0].facts, FACT_CHECK_CHECK, "dkim");
	set(&checks[0].facts, FACT_CHECK_SELECTOR, "s1");
	checks[1].next = &checks[2];
	for (int i = 1; i < 3; i++) {
		set(&checks[i].facts, FACT_CHECK_CHECK, "spf");
		set(&checks[i].facts, FACT_CHECK_DOMAIN, i == 1 ? "Example.com" : "example.com");
		set(&checks[i].facts, FACT_CHECK_ENGINE, i == 1 ? "builtin" : "libspf2");
		set(&checks[i].facts, FACT_CHECK_RESULT, i == 1 ? "fail" : "softfail");
	}
	set(&recipient.facts, FACT_RECIPIENT_TO, "joe@lab.test");
	set(&recipient.facts, FACT_RECIPIENT_REPLY, "451 4.7.1 try again later");
	facts_set_number(&recipient.facts, pool, FACT_RECIPIENT_DELAY, 6 * 60 * 1000000);
	recipient.fate = FATE_DEFERRED;
	recipient.attempts = 2;
	recipient.tries = &attempts[0];
	attempts[0].next = &attempts[1];
	set(&attempts[0].facts, FACT_ATTEMPT_RELAY_ADDR, "2001:db8::1");
	set(&attempts[1].facts, FACT_ATTEMPT_RELAY_ADDR, "198.51.100.9");
}

static const char *saved(void *context, const char *name)
{
	(void)context;
	if (strcmp(name, "mine") == 0)
		return "to:*@lab.test OR to:*@lab.example";
	if (strcmp(name, "loop") == 0)
		return "from:ann* @loop";
	return strcmp(name, "open") == 0 ? "from:a)" : NULL;
}

static const char *saved_name(void *context, unsigned at)
{
	static const char *const names[] = { "mine", "loop", "open", NULL };

	(void)context;
	return names[at];
}

static const struct query_saved saved_queries = { .text_of = saved, .name_at = saved_name };

struct match_case {
	const char *query;
	bool matches;
};

static const struct match_case match_cases[] = {
	{ "", true },
	{ "from:ann@example.com", true },
	{ "from:*@example.com", true },
	{ "from:ann", false },
	{ "from:an?@example.com", true },
	{ "from:an?@example.co", false },
	{ "sender:ann@*", true },
	{ "-from:*@example.com", false },
	{ "NOT from:bob@*", true },
	{ "- from:bob@*", false },		/* a lone - is a word to look for */
	{ "from:*@example.com to:joe@lab.test", true },
	{ "from:*@example.com AND to:jim@lab.test", false },
	{ "to:jim@lab.test OR to:joe@lab.test", true },
	{ "(to:jim@lab.test OR to:joe@lab.test) -fate:deferred", false },
	{ "-(to:jim@lab.test OR to:bob@lab.test) fate:deferred", true },
	{ "to:jim@lab.test to:x OR to:joe@lab.test", true },	/* AND before OR */
	{ "client:192.0.2.0/24", true },
	{ "client:192.0.2.7", true },
	{ "client:192.0.3.0/24", false },
	{ "client:mail.example.*", true },
	{ "client:::ffff:192.0.2.0/120", true },
	{ "relay_addr:2001:db8::/32", true },
	{ "relay_addr:198.51.100.9", true },
	{ "-relay_addr:198.51.100.9", false },	/* any attempt will do, so not even one may */
	{ "/on fri/", true },
	{ "/ON FRI/", false },
	{ "-/ON FRI/i", false },
	{ "(/never/ OR /100%/) to:joe@lab.test", true },
	{ "/var/log", false },			/* a piece of text, with a slash in it */
	{ "why:dkim_none", true },		/* an item of a list */
	{ "why:dkim_*", true },
	{ "why:dkim", false },
	{ "why:spf_fail,*", true },
	{ "why:\"spf_fail, dkim_none\"", true },
	{ "why:\"dkim_none\"", false },		/* the whole list */
	{ "fate:Deferred", true },
	{ "size:>1M", true },
	{ "size:>1.5M", false },
	{ "size:>=1.5M", true },
	{ "size:<1.5MB", false },
	{ "size:1500000", true },
	{ "size:=1500k", true },
	{ "size:1M..2M", true },
	{ "size:2M..3M", false },
	{ "rcpts:>2", true },
	{ "rcpts:3", true },
	{ "rcpts:<1", false },
	{ "rcpts:<0", false },
	{ "tries:2", true },
	{ "delay:>5m", true },
	{ "delay:>6m", false },
	{ "delay:300..360", true },
	{ "since:2h", true },
	{ "since:30m", false },
	{ "until:30m", true },
	{ "since:08:00 until:11:30", true },
	{ "on:2026-11-27", true },
	{ "on:yesterday", false },
	{ "time:>2026-11-27T10:00:00Z", true },
	{ "dmarc:fail", true },
	{ "dmarc:pass", false },
	{ "spf:pass", false },
	{ "-spf:pass", true },
	{ "spf:*", false },
	{ "dmarc:*", true },
	{ "size:*", true },
	{ "recipients:*", false },
	{ "selector:s1 check:spf", true },
	{ "check:dmarc", false },
	{ "fate:deferred", true },
	{ "fate:d*", true },
	{ "fate:delivered", false },
	{ "subject:\"lunch (on friday)? 100% *free*\"", true },
	{ "subject:\"lunch*\"", false },		/* in quotes it is a star */
	{ "subject:*\\*free\\*", true },
	{ "subject:/fri(day|d)\\)\\?/", true },
	{ "subject:/LUNCH/", false },
	{ "subject:/LUNCH/i", true },
	{ "subject:/a\\/b/", false },
	{ "-subject:/^x/", true },
	{ "friday", true },
	{ "FRIDAY", true },
	{ "\"try again\"", true },
	{ "try again", true },
	{ "saturday", false },
	{ "-saturday", true },
	{ "4jWqnv1NpDz1bcn1", true },
	{ "qid:4jWqnv1NpDz1bcn1", true },
	{ "tls_version:TLSv1.3", true },
	{ "address:joe@lab.test", true },
	{ "address:ann@example.com", true },
	{ "maildomain:lab.test", true },
	{ "maildomain:lab.tes", false },
	{ "complete:no", true },
	{ "complete:yes", false },
	{ "hop:no", true },
	{ "hop:yes", false },
	{ "key:2f00aa0012345679", true },
	{ "key:1", false },
	{ "parent:hop", false },
	{ "orig_to:", false },
	{ "@mine", true },
	{ "-@mine", false },
	{ "from:bob@* OR @mine", true },
	{ "(@mine)", true },
	{ "from:<>", false },
	{ "auth_authen:joe", false },
	{ "session.tls_version:TLSv1.3", true },	/* of one level alone */
	{ "attempt.tls_version:*", false },
	{ "-attempt.tls_version:*", true },
	{ "recipient.delay:>5m", true },
	{ "attempt.delay:*", false },
	{ "check.check:dkim", true },
	{ "mail.example.net:25", false },	/* a word with a dot is no level */
	{ "other_engine:softfail", true },
	{ "other_engine:fail", true },
	{ "other_engine:pass", false },
	{ "-other_engine:*", false },
	{ "accepted:yes", true },
	{ "accepted:no", false },
	{ "is:message fate:deferred", true },	/* what a row is says nothing of it */
	{ "is:session (since:2h)", true },
	{ "shape:*", false },
	{ "understood:no", false },
	{ "size:<0", false },
	{ "size:1500000..1500000", true },
	{ "subject:\">a\"", false },
	{ "mid:<2*", false },
	{ "-mid:<a@b>", true },
};

TEST(a_query_finds_what_it_says_and_nothing_else)
{
	make_row();
	struct query_row row = { .session = &session, .message = &message, .recipient = &recipient };

	for (size_t i = 0; i < sizeof match_cases / sizeof match_cases[0]; i++) {
		struct problem problem = { "" };
		struct query *query = NULL;
		int error = query_parse(&query, match_cases[i].query, now_us, &saved_queries, &problem);

		CHECK_SAYING(error == 0, "%s: %s", match_cases[i].query, problem.text);
		if (!error)
			CHECK_SAYING(query_matches(query, &row) == match_cases[i].matches, "%s", match_cases[i].query);
		query_free(query);
	}
	pool_free(pool);
}

static const struct {
	const char *query, *says;
} wrong_cases[] = {
	{ "form:a@example.com", "query, column 1: no field 'form'; perhaps 'from'?" },
	{ "from:a recipent:b", "query, column 8: no field 'recipent'; perhaps 'recipient'?" },
	{ "wholly_unknown:1", "query, column 1: no field 'wholly_unknown'; the fields are listed in smtptrail-query(7)" },
	{ "(from:a", "query, column 8: a parenthesis is not closed" },
	{ "from:a)", "query, column 7: a parenthesis too many" },
	{ "from:a OR", "query, column 10: a term is missing" },
	{ "OR from:a", "query, column 1: a term is missing" },
	{ "from:a OR OR from:b", "query, column 11: a term is missing" },
	{ "client:192.0.2.0/99", "query, column 8: '192.0.2.0/99' of 'client' is no network: 192.0.2.0/24, 2001:db8::/32" },
	{ "-", NULL },
	{ "()", "query, column 2: a term is missing" },
	{ "size:big", "query, column 6: 'big' of 'size' is not a size: 500, 10k, 1.5M, 2G; > >= < <= in front, or low..high" },
	{ "from:a (size:2..1)", "query, column 14: '2..1' of 'size' is nothing: low..high has the lower one first" },
	{ "delay:1h..5m", "query, column 7: '1h..5m' of 'delay' is nothing: low..high has the lower one first" },
	{ "time:today..yesterday", "query, column 6: 'today..yesterday' of 'time' is nothing: low..high has the lower one first" },
	{ "dsn:>5", "query, column 5: '>5' of 'dsn': > >= < <= are of numbers, sizes, durations and times; here a whole value, * and ? in it for "
		    "others, or /regex/; in quotes it is meant as it stands" },
	{ "from:>a", NULL },
	{ "from:>=a*", NULL },
	{ "dsn:<5", NULL },
	{ "subject:<=3", NULL },
	{ "size:>", NULL },
	{ "size:5x", NULL },
	{ "size:/1/", NULL },
	{ "delay:>5parsecs", NULL },
	{ "since:soon", NULL },
	{ "fate:delivred", NULL },
	{ "fate:boucned", "query, column 6: no value 'boucned' of 'fate'; perhaps 'bounced'?" },
	{ "fate:/bouncy/", "query, column 6: no value 'bouncy' of 'fate'; these are: unknown, delivered, deferred, bounced, expired, rejected, "
			    "discarded, held, quarantined, filtered, aborted" },
	{ "fate:sent", "query, column 6: no value 'sent' of 'fate'; perhaps status:sent? Of 'fate' these are: unknown, delivered, deferred, "
		       "bounced, expired, rejected, discarded, held, quarantined, filtered, aborted" },
	{ "complete:maybe", "query, column 10: no value 'maybe' of 'complete'; these are: yes, no" },
	{ "hop:yse", "query, column 5: no value 'yse' of 'hop'; perhaps 'yes'?" },
	{ "is:nothing", "query, column 4: no value 'nothing' of 'is'; these are: recipient, message, session, attempt, check, login, line" },
	{ "is:mesage", "query, column 4: no value 'mesage' of 'is'; perhaps 'message'?" },
	{ "is:*", NULL },
	{ "-is:session", "query, column 5: 'is' stands beside the other terms, not below OR, nor behind - or NOT" },
	{ "is:session OR from:a", NULL },
	{ "is:session is:line", "query, column 15: a row is one thing: 'is' comes twice" },
	{ "session.fate:x", "query, column 1: no field 'session.fate'; the fields are listed in smtptrail-query(7)" },
	{ "subject:/(/", NULL },
	{ "subject:/abc", "query, column 9: a regular expression is not closed by /" },
	{ "subject:/abc/x", "query, column 9: behind a regular expression only i is allowed" },
	{ "subject:\"abc", "query, column 9: a quote is not closed" },
	{ "from:a \"\"", "query, column 8: an empty word finds everything" },
	{ "@mien", "query, column 1: no saved query '@mien'; perhaps '@mine'?" },
	{ "@lo", "query, column 1: no saved query '@lo' in the configuration; smtptrail fields --saved lists them" },
	{ "/(/", NULL },
	{ "@nobody", "query, column 1: no saved query '@nobody' in the configuration; smtptrail fields --saved lists them" },
	{ "@loop", "query, column 11: more than 20 within each other: does a saved query name itself?" },
	{ "@open", NULL },
	{ "((((((((((((((((((((((((((((((a))))))))))))))))))))))))))))))", NULL },
};

TEST(what_is_no_query_is_refused_with_its_place)
{
	for (size_t i = 0; i < sizeof wrong_cases / sizeof wrong_cases[0]; i++) {
		struct problem problem = { "" };
		struct query *query = NULL;
		int error = query_parse(&query, wrong_cases[i].query, now_us, &saved_queries, &problem);

		/* A lone word of capitals or a lone dash is a word to look for. */
		if (strcmp(wrong_cases[i].query, "-") == 0 || strcmp(wrong_cases[i].query, "OR from:a") == 0) {
			query_free(query);
			continue;
		}
		CHECK_SAYING(error != 0 && problem.text[0], "%s", wrong_cases[i].query);
		if (wrong_cases[i].says)
			CHECK_STRING(problem.text, wrong_cases[i].says);
		if (!error)
			query_free(query);
	}
}

static void keep_doubt(const void *context, const char *words)
{
	char *kept = (char *)(uintptr_t)context;

	(void)snprintf(kept + strlen(kept), 1000 - strlen(kept), "%s\n", words);
}

TEST(a_value_that_may_be_misspelt_is_doubted)
{
	static const struct {
		const char *query, *near, *other;
	} cases[] = {
		{ "dmarc:fail spf:softfail -status:sent tls:TLSv1.3 stage:rcpt", "", "" },
		{ "dmarc:fial", "no value 'fial' of 'dmarc' is known; perhaps 'fail'?\n", "" },
		{ "-(status:snt OR from:\"a\")", "no value 'snt' of 'status' is known; perhaps 'sent'?\n", "" },
		{ "tls:TLSv1.4", "no value 'TLSv1.4' of 'tls_version' is known; perhaps 'TLSv1.3'?\n", "" },
		{ "attempt.reason:greylistign", "no value 'greylistign' of 'reason' is known; perhaps 'greylisting'?\n", "" },
		{ "stage:recpt stage:connct", "no value 'recpt' of 'stage' is known; perhaps 'RCPT'?\n"
					      "no value 'connct' of 'stage' is known; perhaps 'CONNECT'?\n", "" },
		{ "disposition:quar", "no value 'quar' of 'disposition' is known; perhaps 'quarantine'?\n", "" },
		{ "status:delivered", "", "no value 'delivered' of 'status' is known; perhaps fate:delivered? Of 'status' these are: sent, deferred, "
					  "bounced, expired, discarded, filtered, held, quarantined, rejected, aborted, deliverable, undeliverable\n" },
		{ "dmarc:*ial", "", "no value '*ial' of 'dmarc' is known; these are: pass, fail, none, temperror, permerror\n" },
		{ "login.tls:yse", "no value 'yse' of 'login.tls' is known; perhaps 'yes'?\n", "" },
		{ "dmarc:/^.ai/ dmarc:* dmarc: host:mx1 from:fial@example.com from:<> user:joe qid:4jWq mid:<a@b> client:192.0.2.1", "", "" },
		{ "from:example.com to:@example.com -orig_to:joe",
		  "", "'from:example.com' is a whole address; perhaps from:*@example.com?\n"
		      "'to:@example.com' is a whole address; perhaps to:*@example.com?\n"
		      "'orig_to:joe' is a whole address; perhaps orig_to:joe@*?\n" },
		{ "mid:a@b", "", "a Message-ID has brackets; perhaps 'message_id:<a@b>'?\n" },
		{ "domain:example.com", "", "'domain' is what was checked, or signed; of senders and recipients perhaps maildomain:example.com?\n" },
		{ "shape:x* -(understood:no OR is_none)", "'shape' is of lines of a log, which smtptrail search finds with is:line beside it; nothing else has it\n"
							  "'understood' is of lines of a log, which smtptrail search finds with is:line beside it; nothing else has it\n", "" },
		{ "shape:x* understood:no is:line", "", "" },
		{ "subject:invoice client:example.com relay:mx",
		  "", "'subject:invoice' is the whole value; subject:*invoice* is a piece of it\n"
		      "'client:example.com' is the whole value; client:*example.com* is a piece of it\n"
		      "'relay:mx' is the whole value; relay:*mx* is a piece of it\n" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct problem problem = { "" };
		struct query *query = NULL;
		char near[1000] = "", other[1000] = "";

		CHECK_SAYING(query_parse(&query, cases[i].query, now_us, NULL, &problem) == 0, "%s: %s", cases[i].query, problem.text);
		if (!query)
			continue;
		query_doubts(query, true, keep_doubt, near);
		query_doubts(query, false, keep_doubt, other);
		CHECK_STRING(near, cases[i].near);
		CHECK_STRING(other, cases[i].other);
		query_free(query);
	}
}

TEST(words_that_are_known_are_those_of_a_field)
{
	char words[QUERY_WORDS_SIZE];
	const char *name;

	for (unsigned row = 0; (name = query_words_row(row, words)); row++) {
		struct problem problem = { "" };
		struct query *query = NULL;
		char text[80];

		(void)snprintf(text, sizeof text, "%s:*", name);
		CHECK_SAYING(strcmp(name, "is") == 0 || query_parse(&query, text, now_us, NULL, &problem) == 0, "%s: %s", name, problem.text);
		CHECK(words[0] != '\0' && strlen(words) < QUERY_WORDS_SIZE - 1);
		query_free(query);
	}
}

TEST(a_span_in_which_no_time_can_be_is_told)
{
	static const struct {
		const char *query, *says;
	} cases[] = {
		{ "since:2h until:1h", "" }, { "since:1h OR until:2h", "" }, { "-since:1h until:2h", "" },
		{ "since:1h until:2h", "query: nothing is from 2026-11-27 11:00:00 on and before 2026-11-27 10:00:00: since is not before until" },
		{ "since:\"1h\" (from:a until:2026-11-20)",
		  "query: nothing is from 2026-11-27 11:00:00 on and before 2026-11-20 00:00:00: since is not before until" },
		{ "on:today on:yesterday", "query: nothing is from 2026-11-27 00:00:00 on and before 2026-11-27 00:00:00: since is not before until" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct problem problem = { "" };
		struct query *query = NULL;

		CHECK_NUMBER(query_parse(&query, cases[i].query, now_us, NULL, &problem), 0);
		CHECK_NUMBER(query_check_span(query, &problem), cases[i].says[0] ? -EINVAL : 0);
		CHECK_STRING(problem.text, cases[i].says);
		query_free(query);
	}
}

TEST(a_query_says_what_a_row_is)
{
	static const struct {
		const char *query;
		enum query_kind kind;
	} cases[] = {
		{ "from:a", QUERY_KIND_ANY }, { "is:session", QUERY_KIND_SESSION }, { "(from:a OR from:b) is:message", QUERY_KIND_MESSAGE },
		{ "from:a (is:check check:spf) since:2h", QUERY_KIND_CHECK }, { "is:line is:line", QUERY_KIND_LINE },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct problem problem = { "" };
		struct query *query = NULL;

		CHECK_SAYING(query_parse(&query, cases[i].query, now_us, &saved_queries, &problem) == 0, "%s: %s", cases[i].query, problem.text);
		CHECK_SAYING(query && query_kind(query) == cases[i].kind, "%s", cases[i].query);
		query_free(query);
	}
}

TEST(a_line_is_found_by_its_program_words_and_shape)
{
	static const struct match_case cases[] = {
		{ "is:line", true }, { "is:line process:postfix/smtpd host:mx1", true }, { "process:postfix/qmgr", false },
		{ "\"table lookup\"", true }, { "shape:\"warning: table lookup <>\"", false }, { "shape:warning*", true }, { "understood:no", true },
		{ "understood:yes", false }, { "since:2h", true }, { "until:2h", false }, { "from:*", false }, { "-from:*", true }, { "fate:deferred", false },
	};
	struct event event = { .frame = {
		.process = TEXT_LITERAL("postfix/smtpd"), .host = TEXT_LITERAL("mx1"), .has_time = true, .time_us = (int64_t)(now_us - UINT64_C(3600) * 1000000),
		.message = TEXT_LITERAL("warning: table lookup 17 failed"),
	} };

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct problem problem = { "" };
		struct query *query = NULL;

		CHECK_SAYING(query_parse(&query, cases[i].query, now_us, &saved_queries, &problem) == 0, "%s: %s", cases[i].query, problem.text);
		CHECK_SAYING(query && query_matches(query, &(struct query_row){ .line = &event }) == cases[i].matches, "%s", cases[i].query);
		query_free(query);
	}
}

TEST(a_query_knows_the_times_that_it_can_find)
{
	static const struct {
		const char *query;
		uint64_t from_s, until_s;	/* before now; 0 as until: no end; UINT64_MAX as from: no begin */
	} cases[] = {
		{ "since:2h", 7200, 0 },
		{ "since:2h until:1h", 7200, 3600 },
		{ "since:2h OR since:3h", 10800, 0 },
		{ "-since:2h", UINT64_MAX, 0 },
		{ "from:a since:1h to:b", 3600, 0 },
		{ "from:a", UINT64_MAX, 0 },
		{ "since:2h OR from:a", UINT64_MAX, 0 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct problem problem;
		struct query *query = NULL;
		uint64_t from, until;

		CHECK_NUMBER(query_parse(&query, cases[i].query, now_us, NULL, &problem), 0);
		query_span(query, &from, &until);
		CHECK_SAYING(from == (cases[i].from_s == UINT64_MAX ? 0 : now_us - cases[i].from_s * 1000000), "%s", cases[i].query);
		CHECK_SAYING(until == (cases[i].until_s ? now_us - cases[i].until_s * 1000000 : UINT64_MAX), "%s", cases[i].query);
		query_free(query);
	}
}

TEST(a_row_without_a_part_answers_no_to_what_is_asked_of_it)
{
	struct query_row row = { .session = NULL };

	for (const struct query_field_info *field = query_fields(); field->name; field++) {
		char text[80];
		struct problem problem = { "" };
		struct query *query = NULL;

		/* It asks nothing of a row. */
		if (strcmp(field->name, "is") == 0)
			continue;
		(void)snprintf(text, sizeof text, "%s:*", field->name);
		CHECK_SAYING(query_parse(&query, text, now_us, NULL, &problem) == 0, "%s: %s", text, problem.text);
		if (strcmp(field->type, "time") != 0 || strcmp(field->name, "queued") == 0)
			CHECK_SAYING(!query_matches(query, &row), "%s", text);
		query_free(query);
	}
}

TEST(a_regular_expression_that_would_run_for_ever_gives_up)
{
	struct problem problem;
	struct query *query = NULL;
	char text[200];

	make_row();
	memset(text, 'a', sizeof text);
	facts_set_text(&message.facts, pool, FACT_MESSAGE_SUBJECT, (struct text){ text, sizeof text });
	CHECK_NUMBER(query_parse(&query, "subject:/^(a+)+$b/", now_us, NULL, &problem), 0);
	CHECK(!query_matches(query, &(struct query_row){ .message = &message }));
	query_free(query);
	pool_free(pool);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(a_query_finds_what_it_says_and_nothing_else),
		UNIT_TEST(what_is_no_query_is_refused_with_its_place),
		UNIT_TEST(a_value_that_may_be_misspelt_is_doubted),
		UNIT_TEST(words_that_are_known_are_those_of_a_field),
		UNIT_TEST(a_span_in_which_no_time_can_be_is_told),
		UNIT_TEST(a_query_says_what_a_row_is),
		UNIT_TEST(a_line_is_found_by_its_program_words_and_shape),
		UNIT_TEST(a_query_knows_the_times_that_it_can_find),
		UNIT_TEST(a_row_without_a_part_answers_no_to_what_is_asked_of_it),
		UNIT_TEST(a_regular_expression_that_would_run_for_ever_gives_up),
		{ NULL, NULL },
	};

	return unit_run(tests, argc, argv);
}
