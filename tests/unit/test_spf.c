/* test_spf.c - both engines: what an outcome tells, limits, and records that mean harm. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "common/auth/spf.h"
#include "tests/unit/dns_table.h"
#include "tests/unit/unit.h"

typedef void check_engine(const struct spf_request *request, struct spf_outcome *ret_outcome);

static struct spf_outcome check_at(struct dns *dns, const char *client, const char *from, const char *helo,
				   check_engine *check)
{
	struct dns_job job;
	struct spf_outcome outcome;
	struct spf_request request = {
		.dns = dns, .job = &job, .mail_from = text_of(from), .helo = text_of(helo),
	};

	dns_job_init(&job, DNS_JOB_TIME_US, DNS_JOB_QUESTIONS);
	CHECK_NUMBER(spf_address_parse(client, &request.client), 0);
	check(&request, &outcome);
	return outcome;
}

static struct spf_outcome check_in(const char *zone, const char *client, const char *from, check_engine *check)
{
	struct dns_table *table = dns_table_new(zone);
	struct spf_outcome outcome = check_at(dns_table_source(table), client, from, "mail.example.com", check);

	dns_table_free(table);
	return outcome;
}

#define SPF(domain, terms) domain " TXT v=spf1 " terms "\n"

TEST(spf_tells_result_term_record_and_counts)
{
	static const struct {
		const char *zone, *client, *from;
		const char *result, *term, *record_domain;
		unsigned lookups, voids;
	} rows[] = {
		{ SPF("example.com", "ip4:192.0.2.0/24 -all"), "192.0.2.9", "a@example.com",
		  "pass", "ip4:192.0.2.0/24", "example.com", 0, 0 },
		{ SPF("example.com", "ip4:192.0.2.0/24 -all"), "::ffff:192.0.2.9", "a@example.com",
		  "pass", "ip4:192.0.2.0/24", "example.com", 0, 0 },
		{ SPF("example.com", "ip4:192.0.2.0/24 -all"), "198.51.100.1", "a@EXAMPLE.com.",
		  "fail", "-all", "example.com", 0, 0 },
		{ SPF("example.com", "ip6:2001:db8::/32 ~all"), "2001:db8::1", "a@example.com",
		  "pass", "ip6:2001:db8::/32", "example.com", 0, 0 },
		{ SPF("example.com", "include:b.example a -all") SPF("b.example", "ip4:192.0.2.1 ?all") "example.com A 192.0.2.2\n",
		  "192.0.2.1", "a@example.com", "pass", "include:b.example", "example.com", 1, 0 },
		{ SPF("example.com", "include:b.example a -all") SPF("b.example", "ip4:192.0.2.1 ?all") "example.com A 192.0.2.2\n",
		  "192.0.2.2", "a@example.com", "pass", "a", "example.com", 2, 0 },
		{ SPF("example.com", "redirect=b.example") SPF("b.example", "mx -all") "b.example MX 10 m.example\nm.example A 192.0.2.1\n",
		  "192.0.2.1", "a@example.com", "pass", "mx", "b.example", 2, 0 },
		{ SPF("example.com", "a:gone.example mx:gone.example ~all"), "192.0.2.1", "a@example.com",
		  "softfail", "~all", "example.com", 2, 2 },
		{ SPF("example.com", "a:gone.example mx:gone.example a:gone2.example ~all"), "192.0.2.1", "a@example.com",
		  "permerror", "a:gone2.example", "example.com", 3, 3 },
		{ SPF("example.com", "include:b.example ~all") SPF("b.example", "a:c.example") "c.example TEMP\n",
		  "192.0.2.1", "a@example.com", "temperror", "a:c.example", "b.example", 2, 0 },
		{ SPF("example.com", "include:b.example ~all") SPF("b.example", "ipv4:192.0.2.1"),
		  "192.0.2.1", "a@example.com", "permerror", "ipv4:192.0.2.1", "b.example", 1, 0 },
		{ SPF("example.com", "ip4:192.0.2.1"), "192.0.2.2", "a@example.com", "neutral", "", "", 0, 0 },
		{ "example.com A 192.0.2.1\n", "192.0.2.2", "a@example.com", "none", "", "", 0, 0 },
		{ "example.com BOGUS\n", "192.0.2.2", "a@example.com", "temperror", "", "", 0, 0 },
		{ "", "192.0.2.2", "a@localhost", "none", "", "", 0, 0 },
		{ "", "192.0.2.2", "a@[192.0.2.2]", "none", "", "", 0, 0 },
		{ SPF("example.com", "a:c.example -all") "c.example A 192.0.2.1\n", "192.0.2.128", "\"a@b\"@example.com",
		  "fail", "-all", "example.com", 1, 0 },
		{ SPF("xn--mller-kva.example", "ip4:192.0.2.1 -all"), "192.0.2.1", "a@m\xc3\xbcller.example",
		  "pass", "ip4:192.0.2.1", "xn--mller-kva.example", 0, 0 },
		{ SPF("mail.example.com", "ip4:192.0.2.1 -all"), "192.0.2.1", "", "pass", "ip4:192.0.2.1", "mail.example.com", 0, 0 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct spf_outcome outcome = check_in(rows[i].zone, rows[i].client, rows[i].from, spf_check);

		CHECK_SAYING(strcmp(spf_result_name(outcome.result), rows[i].result) == 0 &&
			     strcmp(outcome.term, rows[i].term) == 0 &&
			     strcmp(outcome.record_domain, rows[i].record_domain) == 0 &&
			     outcome.lookups == rows[i].lookups && outcome.void_lookups == rows[i].voids,
			     "row %zu, %s: %s '%s' of '%s', %u lookups, %u void (%s)", i, rows[i].zone,
			     spf_result_name(outcome.result), outcome.term, outcome.record_domain, outcome.lookups,
			     outcome.void_lookups, outcome.error);
	}
}

TEST(spf_checks_the_helo_identity_apart)
{
	struct dns_table *table = dns_table_new(SPF("mail.example.com", "-all") SPF("example.com", "+all"));
	struct dns_job job;
	struct spf_outcome outcome;
	struct spf_request request = {
		.dns = dns_table_source(table), .job = &job, .identity = SPF_HELO, .client = { 4, { 192, 0, 2, 1 } },
		.mail_from = TEXT_LITERAL("a@example.com"), .helo = TEXT_LITERAL("mail.example.com"),
	};

	dns_job_init(&job, 1000000, 10);
	spf_check(&request, &outcome);
	CHECK_NUMBER(outcome.result, SPF_FAIL);
	CHECK_STRING(outcome.domain, "mail.example.com");
	request.helo = TEXT_LITERAL("[192.0.2.1]");
	spf_check(&request, &outcome);
	CHECK_NUMBER(outcome.result, SPF_NONE);
	dns_table_free(table);
}

TEST(spf_counts_limits_over_the_whole_evaluation)
{
	static const char loop[] = SPF("a.example", "include:b.example -all") SPF("b.example", "include:a.example -all");
	static const char ten[] = SPF("example.com", "a a a a a a a a a include:b.example -all")
				  SPF("b.example", "ip4:192.0.2.1") "example.com A 192.0.2.2\n";
	static const char eleven[] = SPF("example.com", "a a a a a a a a a include:b.example -all")
				     SPF("b.example", "a:example.com ip4:192.0.2.1") "example.com A 192.0.2.2\n";
	struct spf_outcome outcome = check_in(loop, "192.0.2.1", "x@a.example", spf_check);

	CHECK_NUMBER(outcome.result, SPF_PERMERROR);
	CHECK_NUMBER(outcome.lookups, 11);
	CHECK_NUMBER(check_in(ten, "192.0.2.1", "x@example.com", spf_check).result, SPF_PASS);
	CHECK_NUMBER(check_in(eleven, "192.0.2.1", "x@example.com", spf_check).result, SPF_PERMERROR);
}

TEST(spf_stops_at_the_deadline_and_the_questions_of_its_job)
{
	struct dns_table *table = dns_table_new(SPF("example.com", "a -all") "example.com A 192.0.2.2\n");
	struct dns_job job;
	struct spf_outcome outcome;
	struct spf_request request = {
		.dns = dns_table_source(table), .job = &job, .client = { 4, { 192, 0, 2, 1 } },
		.mail_from = TEXT_LITERAL("a@example.com"),
	};

	dns_job_init(&job, 1000000, 1);
	spf_check(&request, &outcome);
	CHECK_NUMBER(outcome.result, SPF_TEMPERROR);
	CHECK_SAYING(strstr(outcome.error, "too many questions"), "%s", outcome.error);
	dns_job_init(&job, 0, 10);
	spf_check(&request, &outcome);
	CHECK_NUMBER(outcome.result, SPF_TEMPERROR);
	CHECK_SAYING(strstr(outcome.error, "no answer in time"), "%s", outcome.error);
	CHECK_NUMBER(job.questions, 0);
	dns_table_free(table);
}

TEST(spf_explains_a_fail_in_the_owners_words)
{
	static const struct {
		const char *text, *wanted;
	} rows[] = {
		{ "%{i} may not send as %{s}", "192.0.2.1 may not send as a@example.com" },
		{ "see http://%{d}/?i=%{i}&h=%{H}", "see http://example.com/?i=192.0.2.1&h=mail.example.com" },
		{ "%{c} %{r} 100%%%_%-", "192.0.2.1 unknown 100% %20" },
		{ "100%", NULL },
		{ "a\tb", NULL },
		{ "%{x}", NULL },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char zone[512];

		(void)snprintf(zone, sizeof zone, "%sx.example.com TXT %s\n", SPF("example.com", "exp=x.%{d} -all"), rows[i].text);
		struct spf_outcome outcome = check_in(zone, "192.0.2.1", "a@example.com", spf_check);

		CHECK_NUMBER(outcome.result, SPF_FAIL);
		CHECK(outcome.has_explanation == (rows[i].wanted != NULL));
		if (rows[i].wanted)
			CHECK_STRING(outcome.explanation, rows[i].wanted);
		CHECK_STRING(outcome.error, "");
	}
}

TEST(spf_terms_with_a_local_part_do_not_match_an_internationalized_one)
{
	static const char zone[] = SPF("example.com", "exists:%{l}.x.example exists:%{s}.x.example -all");

	CHECK_NUMBER(check_in(zone, "192.0.2.1", "j\xc3\xb6rg@example.com", spf_check).result, SPF_FAIL);
	CHECK_NUMBER(check_in(zone, "192.0.2.1", "j\xc3\xb6rg@example.com", spf_check).void_lookups, 0);
}

TEST(spf_reads_addresses_of_every_kind)
{
	struct spf_address address;
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr unix_socket = { .sa_family = AF_UNIX };

	CHECK_NUMBER(spf_address_parse("192.0.2.1x", &address), -EINVAL);
	CHECK_NUMBER(spf_address_parse("", &address), -EINVAL);
	inet_pton(AF_INET, "192.0.2.1", &v4.sin_addr);
	CHECK_NUMBER(spf_address_of((struct sockaddr *)&v4).family, 4);
	inet_pton(AF_INET6, "::ffff:192.0.2.1", &v6.sin6_addr);
	CHECK_NUMBER(spf_address_of((struct sockaddr *)&v6).family, 4);
	CHECK_NUMBER(spf_address_of((struct sockaddr *)&v6).bytes[3], 1);
	inet_pton(AF_INET6, "2001:db8::1", &v6.sin6_addr);
	CHECK_NUMBER(spf_address_of((struct sockaddr *)&v6).family, 6);
	CHECK_NUMBER(spf_address_of(&unix_socket).family, 0);
}

/* Records that are known to harm libspf2, or that only mean to. */

static void repeat(char *text, const char *piece, int times)
{
	while (times-- > 0)
		strcat(text, piece);
}

static void check_both(const char *zone, const char *what)
{
	struct spf_outcome builtin = check_in(zone, "192.0.2.1", "a@example.com", spf_check);
	struct spf_outcome libspf2 = check_in(zone, "192.0.2.1", "a@example.com", spf_check_libspf2);

	/* A hundredth of it on a machine that has nothing else to do. */
	CHECK_SAYING(builtin.time_us < 5000000 && libspf2.time_us < 5000000, "%s took %llu and %llu us", what,
		     (unsigned long long)builtin.time_us, (unsigned long long)libspf2.time_us);
}

TEST(spf_survives_the_explanation_that_overruns_libspf2)
{
	static char zone[8192];

	for (int macros = 120; macros < 136; macros++) {
		(void)snprintf(zone, sizeof zone, "%se.example.com TXT ", SPF("example.com", "exp=e.example.com -all"));
		repeat(zone, "%{i}", macros);
		repeat(zone, "A", 240);
		check_both(zone, "an explanation of many macros");
		CHECK_NUMBER(check_in(zone, "192.0.2.1", "a@example.com", spf_check_libspf2).result, SPF_FAIL);
	}
}

TEST(spf_survives_long_terms_and_many_terms)
{
	static char zone[65536];
	static const char *const pieces[] = { "%{i}", "%{d}.", "%%", "a.", "%{ir}.%{v}.", "%{l128r-}", "ip4:192.0.2.9 ", "a:" };

	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
		for (int times = 1; times < 700; times += 23) {
			(void)snprintf(zone, sizeof zone, "example.com TXT v=spf1 exists:");
			repeat(zone, pieces[i], times);
			repeat(zone, "example.com -all\n", 1);
			check_both(zone, pieces[i]);
		}
}

TEST(spf_libspf2_is_not_given_what_it_would_lose)
{
	static char zone[65536];
	struct spf_outcome outcome;

	(void)snprintf(zone, sizeof zone, "example.com TXT v=spf1 ");
	repeat(zone, "ip4:192.0.2.9 ", 600);
	repeat(zone, "ip4:192.0.2.1 -all", 1);
	CHECK_NUMBER(check_in(zone, "192.0.2.1", "a@example.com", spf_check).result, SPF_PASS);
	outcome = check_in(zone, "192.0.2.1", "a@example.com", spf_check_libspf2);
	CHECK_NUMBER(outcome.result, SPF_PERMERROR);
	CHECK_SAYING(strstr(outcome.error, "guarded"), "%s", outcome.error);
}

/* Answers every TXT question with the same record, for every name. */
struct everywhere {
	struct dns dns;
	const char *record;
	unsigned asked;
};

static void everywhere_ask(struct dns *dns, const struct dns_question *question)
{
	struct everywhere *everywhere = (struct everywhere *)dns;
	struct dns_item item = { text_of(everywhere->record), 0 };

	everywhere->asked++;
	question->answered(question->context, question->type == DNS_TXT
			   ? dns_answer_new(DNS_DATA, DNS_TXT, 1, &item, NULL)
			   : dns_answer_new(DNS_NO_NAME, question->type, 0, NULL, NULL));
}

TEST(spf_records_cannot_multiply_questions)
{
	static const struct dns_methods methods = { .ask = everywhere_ask };
	static const char ten_includes[] =
		"v=spf1 include:a.%{d} include:b.%{d} include:c.%{d} include:d.%{d} include:e.%{d} include:f.%{d}"
		" include:g.%{d} include:h.%{d} include:i.%{d} include:j.%{d}";
	static const char *const records[] = {
		ten_includes,
		"v=spf1 include:%{D}.%{D}.%{D}.%{D} -all",
		"v=spf1 redirect=a.%{d}",
		"v=spf1 include:%{d} -all",
		"v=spf1 mx ptr mx ptr mx ptr",
	};
	static check_engine *const engines[] = { spf_check, spf_check_libspf2 };

	for (size_t i = 0; i < sizeof records / sizeof records[0]; i++)
		for (size_t engine = 0; engine < 2; engine++) {
			struct everywhere everywhere = { { &methods }, records[i], 0 };
			struct spf_outcome outcome = check_at(&everywhere.dns, "192.0.2.1", "a@example.com", "h.example",
							      engines[engine]);

			CHECK_SAYING(outcome.result == SPF_PERMERROR, "%s: %s (%s)", records[i],
				     spf_result_name(outcome.result), outcome.error);
			CHECK_SAYING(everywhere.asked <= 121, "%s asked %u", records[i], everywhere.asked);
		}
}

TEST(spf_libspf2_gets_names_in_a_labels)
{
	static const char zone[] = SPF("xn--mller-kva.example", "ip4:192.0.2.1 -all");

	CHECK_NUMBER(check_in(zone, "192.0.2.1", "a@m\xc3\xbcller.example", spf_check_libspf2).result, SPF_PASS);
	CHECK_NUMBER(check_in(zone, "192.0.2.2", "a@m\xc3\xbcller.example", spf_check_libspf2).result, SPF_FAIL);
}

/* Nothing is asked, and the record says fail. */
TEST(spf_libspf2_says_that_it_passes_loopback_for_nothing)
{
	static const char zone[] = SPF("example.com", "-all");
	struct spf_outcome outcome = check_in(zone, "127.0.0.1", "a@example.com", spf_check_libspf2);

	CHECK_NUMBER(outcome.result, SPF_PASS);
	CHECK_STRING(outcome.term, "localhost");
	CHECK_STRING(outcome.record_domain, "");
	outcome = check_in(zone, "127.0.0.1", "a@example.com", spf_check);
	CHECK_NUMBER(outcome.result, SPF_FAIL);
	CHECK_STRING(check_in(zone, "192.0.2.1", "a@example.com", spf_check_libspf2).term, "");
}

/* Of the empty name libspf2 reads a byte before its begin. */
TEST(spf_survives_terms_with_an_empty_domain)
{
	static const char *const terms[] = { "a:", "mx:", "include:", "exists:", "ptr:", "redirect=", "exp=", "a:/24", "a://64" };
	char zone[128];

	for (size_t i = 0; i < sizeof terms / sizeof terms[0]; i++) {
		(void)snprintf(zone, sizeof zone, "example.com TXT v=spf1 %s\nexample.com A 192.0.2.7\n", terms[i]);
		check_both(zone, terms[i]);
		CHECK_NUMBER(check_in(zone, "192.0.2.1", "a@example.com", spf_check).result, SPF_PERMERROR);
	}
}

TEST(spf_libspf2_answers_as_the_builtin_engine_where_both_know)
{
	static const struct {
		const char *zone, *client, *result;
	} rows[] = {
		{ SPF("example.com", "ip4:192.0.2.0/24 -all"), "192.0.2.1", "pass" },
		{ SPF("example.com", "ip4:192.0.2.0/24 -all"), "::ffff:192.0.2.1", "pass" },
		{ SPF("example.com", "ip4:192.0.2.0/24 -all"), "198.51.100.1", "fail" },
		{ SPF("example.com", "mx ~all") "example.com MX 10 m.example\nm.example A 192.0.2.1\n", "192.0.2.1", "pass" },
		{ SPF("example.com", "a ~all") "example.com A 192.0.2.2\n", "192.0.2.1", "softfail" },
		{ SPF("example.com", "a ?all") "example.com AAAA 2001:db8::1\n", "2001:db8::1", "pass" },
		{ SPF("example.com", "exists:%{ir}.x.example -all") "1.2.0.192.x.example A 127.0.0.2\n", "192.0.2.1", "pass" },
		{ SPF("example.com", "ptr -all") "1.2.0.192.in-addr.arpa PTR a.example.com\na.example.com A 192.0.2.1\n",
		  "192.0.2.1", "pass" },
		{ "", "192.0.2.1", "none" },
		{ "example.com TEMP\n", "192.0.2.1", "temperror" },
		{ SPF("example.com", "foo"), "192.0.2.1", "permerror" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct spf_outcome builtin = check_in(rows[i].zone, rows[i].client, "a@example.com", spf_check);
		struct spf_outcome libspf2 = check_in(rows[i].zone, rows[i].client, "a@example.com", spf_check_libspf2);

		CHECK_SAYING(strcmp(spf_result_name(builtin.result), rows[i].result) == 0 && builtin.result == libspf2.result,
			     "%s builtin %s, libspf2 %s (%s)", rows[i].zone, spf_result_name(builtin.result),
			     spf_result_name(libspf2.result), libspf2.error);
	}
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(spf_tells_result_term_record_and_counts),
		UNIT_TEST(spf_checks_the_helo_identity_apart),
		UNIT_TEST(spf_counts_limits_over_the_whole_evaluation),
		UNIT_TEST(spf_stops_at_the_deadline_and_the_questions_of_its_job),
		UNIT_TEST(spf_explains_a_fail_in_the_owners_words),
		UNIT_TEST(spf_terms_with_a_local_part_do_not_match_an_internationalized_one),
		UNIT_TEST(spf_reads_addresses_of_every_kind),
		UNIT_TEST(spf_survives_the_explanation_that_overruns_libspf2),
		UNIT_TEST(spf_survives_long_terms_and_many_terms),
		UNIT_TEST(spf_libspf2_is_not_given_what_it_would_lose),
		UNIT_TEST(spf_records_cannot_multiply_questions),
		UNIT_TEST(spf_libspf2_gets_names_in_a_labels),
		UNIT_TEST(spf_libspf2_says_that_it_passes_loopback_for_nothing),
		UNIT_TEST(spf_survives_terms_with_an_empty_domain),
		UNIT_TEST(spf_libspf2_answers_as_the_builtin_engine_where_both_know),
		{ NULL, NULL },
	};

	return unit_run(tests, argc, argv);
}
