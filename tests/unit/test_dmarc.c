/* test_dmarc.c - policy records, alignment, discovery and what follows from them. */
#include <errno.h>
#include <stdlib.h>

#include "common/auth/dmarc.h"
#include "tests/unit/dns_table.h"
#include "tests/unit/unit.h"

static struct dmarc_suffixes *suffixes;

TEST(dmarc_reads_records_as_published)
{
	static const struct {
		const char *txt;
		int error;
		const char *p, *sp, *np;
		unsigned pct;
		char t, psd, adkim, aspf;
	} rows[] = {
		{ "v=DMARC1; p=none", 0, "none", NULL, NULL, 100, 'n', 'u', 'r', 'r' },
		{ "v=DMARC1;p=reject;sp=quarantine;np=none", 0, "reject", "quarantine", "none", 100, 'n', 'u', 'r', 'r' },
		{ " v = DMARC1 ; p = Reject ; ADKIM = S ; aspf=s ;", 0, "reject", NULL, NULL, 100, 'n', 'u', 's', 's' },
		{ "v=DMARC1; p=reject; pct=0", 0, "reject", NULL, NULL, 0, 'n', 'u', 'r', 'r' },
		{ "v=DMARC1; p=reject; pct=101", 0, "reject", NULL, NULL, 100, 'n', 'u', 'r', 'r' },
		{ "v=DMARC1; p=reject; pct=5x; adkim=strict", 0, "reject", NULL, NULL, 100, 'n', 'u', 'r', 'r' },
		{ "v=DMARC1; t=y; psd=N; p=quarantine", 0, "quarantine", NULL, NULL, 100, 'y', 'n', 'r', 'r' },
		{ "v=DMARC1; rua=mailto:a@example.com; p=none; x=y", 0, "none", NULL, NULL, 100, 'n', 'u', 'r', 'r' },
		{ "v=DMARC1; rua=mailto:a@example.com", 0, "none", NULL, NULL, 100, 'n', 'u', 'r', 'r' },
		{ "v=DMARC1; p=maybe; sp=reject; rua=mailto:a@b.example", 0, "none", NULL, NULL, 100, 'n', 'u', 'r', 'r' },
		{ "v=DMARC1; p=reject; sp=maybe; rua=,mailto:a@b.example", 0, "none", NULL, NULL, 100, 'n', 'u', 'r', 'r' },
		{ "v=DMARC1", -EINVAL, NULL, NULL, NULL, 0, 0, 0, 0, 0 },
		{ "v=DMARC1; rua=postmaster", -EINVAL, NULL, NULL, NULL, 0, 0, 0, 0, 0 },
		{ "v=DMARC1; p=reject; sp=maybe", -EINVAL, NULL, NULL, NULL, 0, 0, 0, 0, 0 },
		{ "v=DMARC1; p=none; p=reject", -EINVAL, NULL, NULL, NULL, 0, 0, 0, 0, 0 },
		{ "v=dmarc1; p=reject", -EINVAL, NULL, NULL, NULL, 0, 0, 0, 0, 0 },
		{ "p=reject; v=DMARC1", -EINVAL, NULL, NULL, NULL, 0, 0, 0, 0, 0 },
		{ "v=DMARC10; p=reject", -EINVAL, NULL, NULL, NULL, 0, 0, 0, 0, 0 },
		{ "v=DMARC1 p=reject", -EINVAL, NULL, NULL, NULL, 0, 0, 0, 0, 0 },
		{ "", -EINVAL, NULL, NULL, NULL, 0, 0, 0, 0, 0 },
		{ ";", -EINVAL, NULL, NULL, NULL, 0, 0, 0, 0, 0 },
	};
	struct dmarc_record record;
	const char *words;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int error = dmarc_record_read(text_of(rows[i].txt), &record, &words);

		CHECK_SAYING(error == rows[i].error, "'%s' gives %d (%s)", rows[i].txt, error, words);
		if (error || rows[i].error)
			continue;
		CHECK_SAYING(dmarc_policy_name(record.p) && strcmp(dmarc_policy_name(record.p), rows[i].p) == 0 &&
			     text_equal(text_of(dmarc_policy_name(record.sp)), text_of(rows[i].sp)) &&
			     text_equal(text_of(dmarc_policy_name(record.np)), text_of(rows[i].np)),
			     "policies of '%s'", rows[i].txt);
		CHECK_SAYING(record.pct == rows[i].pct && record.t == (rows[i].t == 'y') && record.psd == rows[i].psd &&
			     record.adkim == rows[i].adkim && record.aspf == rows[i].aspf,
			     "tags of '%s': %u %d %c %c %c", rows[i].txt, record.pct, record.t, record.psd,
			     record.adkim, record.aspf);
	}
}

TEST(dmarc_finds_the_organization_by_the_suffix_list)
{
	static const struct {
		const char *domain, *wanted;
	} rows[] = {
		{ "example.com", "example.com" },
		{ "a.b.example.com", "example.com" },
		{ "a.co.uk", "a.co.uk" },
		{ "x.a.co.uk", "a.co.uk" },
		{ "co.uk", "co.uk" },
		{ "com", "com" },
		{ "a.github.io", "a.github.io" },
		{ "x.a.github.io", "a.github.io" },
		{ "github.io", "github.io" },
		{ "x.y.ck", "x.y.ck" },		/* the list has *.ck */
		{ "a.x.y.ck", "x.y.ck" },
		{ "www.ck", "www.ck" },		/* and its exception !www.ck */
		{ "a.www.ck", "www.ck" },
		{ "a.unknown-suffix-of-a-test", "a.unknown-suffix-of-a-test" },
		{ "x.a.unknown-suffix-of-a-test", "a.unknown-suffix-of-a-test" },
		{ "a.xn--p1ai", "a.xn--p1ai" },
		{ "x.a.xn--p1ai", "a.xn--p1ai" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		CHECK_SAYING(text_is(dmarc_organization(suffixes, rows[i].domain), rows[i].wanted), "%s gives %.*s",
			     rows[i].domain, TEXT_ARGS(dmarc_organization(suffixes, rows[i].domain)));
}

/* A message and what DMARC says of it. Domains of From: and of DKIM are separated by blanks; a DKIM
 * domain begins with + (pass), - (fail) or ? (temporary), as does SPF's. */
struct message {
	const char *name;
	const char *records;	/* lines of a DNS table */
	const char *from, *spf, *dkim;
	const char *wanted;	/* result, disposition, why */
};

static struct dmarc_identifier identifier_of(struct text word)
{
	enum dmarc_check check = word.start[0] == '+' ? DMARC_CHECK_PASS
			       : word.start[0] == '?' ? DMARC_CHECK_TEMPORARY : DMARC_CHECK_BAD;

	return (struct dmarc_identifier){ check, { word.start + 1, word.length - 1 } };
}

static size_t split(const char *words, struct text *ret_words)
{
	size_t count = 0;

	while (*words) {
		ret_words[count++] = (struct text){ words, strcspn(words, " ") };
		words += strcspn(words, " ");
		words += *words == ' ';
	}
	return count;
}

static void evaluate(const struct message *message, bool walks_tree, struct dmarc_outcome *ret_outcome,
		     unsigned *ret_asked)
{
	struct dns_table *table = dns_table_new(message->records);
	struct text words[16], from[16];
	struct dmarc_identifier dkim[16];
	struct dns_job job;
	struct dmarc_input input = {
		.dns = dns_table_source(table), .job = &job, .suffixes = suffixes, .walks_tree = walks_tree,
		.from_domains = from, .dkim = dkim,
	};

	dns_job_init(&job, 10000000, 200);
	input.from_count = split(message->from, from);
	input.dkim_count = split(message->dkim, words);
	for (size_t i = 0; i < input.dkim_count; i++)
		dkim[i] = identifier_of(words[i]);
	if (message->spf[0])
		input.spf = identifier_of(text_of(message->spf));
	dmarc_evaluate(&input, ret_outcome);
	if (ret_asked)
		*ret_asked = dns_table_asked(table);
	dns_table_free(table);
}

static void check_messages(const struct message *messages, bool walks_tree)
{
	for (; messages->name; messages++) {
		struct dmarc_outcome outcome;
		char got[256];

		evaluate(messages, walks_tree, &outcome, NULL);
		int length = snprintf(got, sizeof got, "%s %s", dmarc_result_name(outcome.result),
				      dmarc_policy_name(outcome.disposition));

		for (enum dmarc_why why = 0; why < DMARC_WHY_COUNT; why++)
			if (outcome.why & 1u << why)
				length += snprintf(got + length, sizeof got - (size_t)length, " %s", dmarc_why_name(why));
		CHECK_SAYING(strcmp(got, messages->wanted) == 0, "%s: got '%s' (%s), wanted '%s'", messages->name, got,
			     outcome.error, messages->wanted);
	}
}

#define REJECT(domain) "_dmarc." domain " TXT v=DMARC1; p=reject\n"
#define STRICT(domain) "_dmarc." domain " TXT v=DMARC1; p=reject; adkim=s; aspf=s\n"

TEST(dmarc_aligns_by_domain_or_organization)
{
	static const struct message messages[] = {
		{ "the same domain", REJECT("example.com"), "example.com", "+example.com", "", "pass none" },
		{ "upper case", REJECT("example.com"), "EXAMPLE.com", "+Example.COM.", "", "pass none" },
		{ "a subdomain, relaxed", REJECT("example.com"), "example.com", "+bounce.example.com", "", "pass none" },
		{ "a subdomain, strict", STRICT("example.com"), "example.com", "+bounce.example.com", "+news.example.com",
		  "fail reject spf_unaligned dkim_unaligned" },
		{ "the same, strict", STRICT("example.com"), "example.com", "-x.example", "+example.com", "pass none" },
		{ "the parent signs", REJECT("example.com"), "news.example.com", "", "+example.com", "pass none" },
		{ "siblings", REJECT("example.com"), "a.example.com", "", "+b.example.com", "pass none" },
		{ "siblings under co.uk", REJECT("a.co.uk"), "a.co.uk", "+b.co.uk", "+co.uk",
		  "fail reject spf_unaligned dkim_unaligned" },
		{ "siblings under github.io", REJECT("a.github.io"), "a.github.io", "+b.github.io", "+github.io",
		  "fail reject spf_unaligned dkim_unaligned" },
		{ "one github.io", REJECT("a.github.io"), "x.a.github.io", "", "+y.a.github.io", "pass none" },
		{ "a wildcard of the list", REJECT("x.y.ck"), "x.y.ck", "+z.y.ck", "", "fail reject spf_unaligned dkim_none" },
		{ "its exception", REJECT("www.ck"), "www.ck", "+a.www.ck", "", "pass none" },
		{ "d=com", REJECT("example.com"), "example.com", "", "+com", "fail reject spf_fail dkim_unaligned" },
		{ "a bare suffix as From", REJECT("co.uk"), "co.uk", "+co.uk", "", "pass none" },
		{ "a name that only ends alike", REJECT("example.com"), "example.com", "+badexample.com", "",
		  "fail reject spf_unaligned dkim_none" },
		{ "U-label and A-label", REJECT("xn--mller-kva.example"), "m\xc3\xbcller.example", "",
		  "+xn--mller-kva.example", "pass none" },
		{ "an address as SPF domain", REJECT("example.com"), "example.com", "+[192.0.2.1]", "",
		  "fail reject spf_unaligned dkim_none" },
		{ NULL, NULL, NULL, NULL, NULL, NULL },
	};

	check_messages(messages, false);
}

TEST(dmarc_says_why_it_is_no_pass)
{
	static const struct message messages[] = {
		{ "no record", "", "example.com", "+example.com", "", "none none no_record" },
		{ "two records", REJECT("example.com") REJECT("example.com"), "example.com", "+example.com", "",
		  "none none no_record" },
		{ "two records, and one above", REJECT("a.example.com") REJECT("a.example.com") REJECT("example.com"),
		  "a.example.com", "+x.example", "", "none none no_record" },
		{ "another TXT beside it", "_dmarc.example.com TXT v=spf1 -all\n" REJECT("example.com"), "example.com",
		  "-example.com", "", "fail reject spf_fail dkim_none" },
		{ "a broken record", "_dmarc.example.com TXT v=DMARC1; p=rejct\n", "example.com", "+example.com", "",
		  "permerror none permanent_error" },
		{ "no From", REJECT("example.com"), "", "+example.com", "", "permerror none no_from" },
		{ "an address literal as From", "", "[192.0.2.1]", "+example.com", "", "permerror none no_from" },
		{ "an address as From", "", "192.0.2.1", "+192.0.2.1", "", "permerror none no_from" },
		{ "two From domains", REJECT("example.com"), "example.com example.org", "+example.com", "",
		  "permerror none multiple_from" },
		{ "two addresses of one domain", REJECT("example.com"), "example.com Example.com", "+example.com", "", "pass none" },
		{ "everything unaligned", REJECT("example.com"), "example.com", "+x.example", "+y.example",
		  "fail reject spf_unaligned dkim_unaligned" },
		{ "everything bad", REJECT("example.com"), "example.com", "-example.com", "-example.com",
		  "fail reject spf_fail dkim_bad" },
		{ "nothing at all", REJECT("example.com"), "example.com", "", "", "fail reject spf_fail dkim_none" },
		{ "one good signature of three", REJECT("example.com"), "example.com", "-example.com",
		  "-example.com +y.example +example.com", "pass none" },
		{ "the record cannot be had", "_dmarc.example.com TEMP\n", "example.com", "+example.com", "",
		  "temperror none dns_temporary" },
		{ "the record is forged", "_dmarc.example.com BOGUS\n", "example.com", "+example.com", "",
		  "temperror none dns_temporary" },
		{ "an aligned key cannot be had", REJECT("example.com"), "example.com", "-example.com", "?example.com",
		  "temperror none spf_fail dkim_bad dns_temporary" },
		{ "a foreign key cannot be had", REJECT("example.com"), "example.com", "-example.com", "?y.example",
		  "fail reject spf_fail dkim_bad" },
		{ "an aligned key cannot be had, SPF passes", REJECT("example.com"), "example.com", "+example.com",
		  "?example.com", "pass none" },
		{ NULL, NULL, NULL, NULL, NULL, NULL },
	};

	check_messages(messages, false);
}

#define FAILS "-x.example", ""

TEST(dmarc_chooses_the_policy_for_domain_subdomain_and_none_such)
{
	static const char all[] = "_dmarc.example.com TXT v=DMARC1; p=reject; sp=quarantine; np=none\n"
				  "example.com A 192.0.2.1\nsub.example.com A 192.0.2.1\n";
	static const char no_np[] = "_dmarc.example.com TXT v=DMARC1; p=reject; sp=quarantine\n";
	static const struct message messages[] = {
		{ "the domain", all, "example.com", FAILS, "fail reject spf_fail dkim_none" },
		{ "a subdomain", all, "sub.example.com", FAILS, "fail quarantine spf_fail dkim_none" },
		{ "a subdomain that is not there", all, "gone.example.com", FAILS, "fail none spf_fail dkim_none" },
		{ "the same without np", no_np, "gone.example.com", FAILS, "fail quarantine spf_fail dkim_none" },
		{ "a subdomain without sp", REJECT("example.com"), "a.b.example.com", FAILS, "fail reject spf_fail dkim_none" },
		{ "a subdomain with its own", "_dmarc.a.example.com TXT v=DMARC1; p=none; sp=reject\n" REJECT("example.com"),
		  "a.example.com", FAILS, "fail none spf_fail dkim_none" },
		{ "missing p with rua", "_dmarc.example.com TXT v=DMARC1; rua=mailto:a@example.com\n", "example.com", FAILS,
		  "fail none spf_fail dkim_none" },
		{ "pct=0", "_dmarc.example.com TXT v=DMARC1; p=reject; pct=0\n", "example.com", FAILS,
		  "fail quarantine spf_fail dkim_none" },
		{ "pct=0 of quarantine", "_dmarc.example.com TXT v=DMARC1; p=quarantine; pct=0\n", "example.com", FAILS,
		  "fail none spf_fail dkim_none" },
		{ "pct=10", "_dmarc.example.com TXT v=DMARC1; p=reject; pct=10\n", "example.com", FAILS,
		  "fail reject spf_fail dkim_none" },
		{ "t=y is not of RFC 7489", "_dmarc.example.com TXT v=DMARC1; p=reject; t=y\n", "example.com", FAILS,
		  "fail reject spf_fail dkim_none" },
		{ "a suffix's record is not asked", REJECT("co.uk"), "a.co.uk", FAILS, "none none no_record" },
		{ NULL, NULL, NULL, NULL, NULL, NULL },
	};

	check_messages(messages, false);
}

TEST(dmarc_walks_the_tree_as_rfc_9989_says)
{
	static const char psd[] = "_dmarc.gov.example TXT v=DMARC1; p=reject; psd=y; np=quarantine\n"
				  "agency.gov.example A 192.0.2.1\n";
	static const struct message messages[] = {
		{ "its own record", REJECT("example.com"), "example.com", "+a.example.com", "", "pass none" },
		{ "the record of the domain above", REJECT("example.com"), "a.b.example.com", "+c.example.com", "", "pass none" },
		{ "the list counts for nothing", REJECT("co.uk"), "a.co.uk", "+b.co.uk", "", "pass none" },
		{ "psd=n makes an organization", "_dmarc.b.example.com TXT v=DMARC1; p=reject; psd=n\n" REJECT("example.com"),
		  "a.b.example.com", "+c.example.com", "", "fail reject spf_unaligned dkim_none" },
		{ "psd=n, aligned below it", "_dmarc.b.example.com TXT v=DMARC1; p=reject; psd=n\n" REJECT("example.com"),
		  "a.b.example.com", "+c.b.example.com", "", "pass none" },
		{ "psd=y makes one of each domain below", psd, "agency.gov.example", "+other.gov.example", "",
		  "fail reject spf_unaligned dkim_none" },
		{ "psd=y, aligned below one of them", psd, "agency.gov.example", "+mail.agency.gov.example", "", "pass none" },
		{ "psd=y, the domain is not there", psd, "gone.gov.example", FAILS, "fail quarantine spf_fail dkim_none" },
		{ "psd=y at the domain itself", psd, "gov.example", "+gov.example", "", "pass none" },
		{ "t=y", "_dmarc.example.com TXT v=DMARC1; p=reject; t=y\n", "example.com", FAILS,
		  "fail quarantine spf_fail dkim_none" },
		{ "pct is gone", "_dmarc.example.com TXT v=DMARC1; p=reject; pct=0\n", "example.com", FAILS,
		  "fail reject spf_fail dkim_none" },
		{ "two records above count as none", REJECT("b.example.com") REJECT("b.example.com") REJECT("example.com"),
		  "a.b.example.com", "+c.example.com", "", "pass none" },
		{ "its own record cannot be used", "_dmarc.a.example.com TXT v=DMARC1; p=x\n" REJECT("example.com"), "a.example.com",
		  FAILS, "permerror none permanent_error" },
		{ "failure on the way", "_dmarc.b.example.com TEMP\n" REJECT("example.com"), "a.b.example.com", FAILS,
		  "temperror none dns_temporary" },
		{ "failure after its own record, aligned strictly", "_dmarc.example.com TEMP\n" REJECT("a.example.com"),
		  "a.example.com", "+a.example.com", "", "pass none" },
		{ "failure after its own record, not aligned so", "_dmarc.example.com TEMP\n" REJECT("a.example.com"),
		  "a.example.com", "+b.example.com", "", "temperror none spf_unaligned dkim_none dns_temporary" },
		{ "nothing", "", "a.b.c.example.com", "+example.com", "", "none none no_record" },
		{ NULL, NULL, NULL, NULL, NULL, NULL },
	};

	check_messages(messages, true);
}

TEST(dmarc_walks_eight_steps_at_most)
{
	static const struct message deep = {
		"deep", "_dmarc.e.f.g.h.i.example.com TXT v=DMARC1; p=reject\n", "a.b.c.d.e.f.g.h.i.example.com", "", "", "",
	};
	struct dmarc_outcome outcome;
	unsigned asked;

	evaluate(&deep, true, &outcome, &asked);
	CHECK_STRING(outcome.policy_domain, "e.f.g.h.i.example.com");
	CHECK_STRING(outcome.org_domain, "e.f.g.h.i.example.com");
	CHECK_NUMBER(asked, 8);
}

TEST(dmarc_tells_alignment_apart_from_results)
{
	static const struct message messages[] = {
		{ "bad but aligned", REJECT("example.com"), "example.com", "-a.example.com", "-b.example.com", "" },
		{ "good but not aligned", REJECT("example.com"), "example.com", "+a.example", "+b.example", "" },
	};
	struct dmarc_outcome outcome;

	evaluate(&messages[0], false, &outcome, NULL);
	CHECK(outcome.aligned_spf && outcome.aligned_dkim);
	CHECK_STRING(outcome.policy_tag, "p");
	CHECK_STRING(outcome.record, "v=DMARC1; p=reject");
	evaluate(&messages[1], false, &outcome, NULL);
	CHECK(!outcome.aligned_spf && !outcome.aligned_dkim);
}

TEST(dmarc_refuses_a_file_that_is_no_suffix_list)
{
	struct dmarc_suffixes *none = NULL;
	struct problem problem = { "" };

	CHECK_NUMBER(dmarc_suffixes_open("/nonexistent/list", &none, &problem), -ENOENT);
	CHECK(strstr(problem.text, "/nonexistent/list") != NULL);
	CHECK_NUMBER(dmarc_suffixes_open("/dev/null", &none, &problem), -EINVAL);
	CHECK(none == NULL);
	dmarc_suffixes_close(NULL);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(dmarc_reads_records_as_published),
		UNIT_TEST(dmarc_finds_the_organization_by_the_suffix_list),
		UNIT_TEST(dmarc_aligns_by_domain_or_organization),
		UNIT_TEST(dmarc_says_why_it_is_no_pass),
		UNIT_TEST(dmarc_chooses_the_policy_for_domain_subdomain_and_none_such),
		UNIT_TEST(dmarc_walks_the_tree_as_rfc_9989_says),
		UNIT_TEST(dmarc_walks_eight_steps_at_most),
		UNIT_TEST(dmarc_tells_alignment_apart_from_results),
		UNIT_TEST(dmarc_refuses_a_file_that_is_no_suffix_list),
		{ NULL, NULL },
	};
	struct problem problem;

	if (dmarc_suffixes_open(NULL, &suffixes, &problem)) {
		fprintf(stderr, "%s\n", problem.text);
		return 1;
	}
	int status = unit_run(tests, argc, argv);

	dmarc_suffixes_close(suffixes);
	return status;
}
