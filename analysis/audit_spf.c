/* audit_spf.c - SPF: records that are broken or ask too much, results by source, engines that disagree. */
#include "analysis/audit.h"

enum { COUNT, LOOKUPS, NUMBERS };
enum { DOMAIN_PART, RESULT_PART, MORE_PART };

static const struct tally_info tallies[] = {
	{ "spf_domains", 3, NUMBERS, { TALLY_SUM, TALLY_MOST } },		/* domain, result, error */
	{ "spf_sources", 3, NUMBERS, { TALLY_SUM, TALLY_MOST } },		/* domain, result, network */
	{ "spf_engines", 3, NUMBERS, { TALLY_SUM, TALLY_MOST } },		/* domain, both results, network */
};

static bool is_check(const struct check *check, const char *name)
{
	return text_is(facts_text(&check->facts, FACT_CHECK_CHECK), name);
}

static bool is_spf_of(const struct check *check, struct text domain, struct text identity)
{
	return is_check(check, "spf") && text_equal(facts_text(&check->facts, FACT_CHECK_DOMAIN), domain) &&
	       text_equal(facts_text(&check->facts, FACT_CHECK_IDENTITY), identity);
}

/* The same question put to another engine, with another answer. */
static void compare_engines(struct tally *tally, const struct report_row *row, struct text network)
{
	const struct facts *facts = &row->check->facts;
	struct text domain = facts_text(facts, FACT_CHECK_DOMAIN), result = facts_text(facts, FACT_CHECK_RESULT);

	for (const struct check *other = row->check->next; other; other = other->next) {
		struct text theirs = facts_text(&other->facts, FACT_CHECK_RESULT);
		char both[80];
		size_t length = 0;

		if (!is_spf_of(other, domain, facts_text(facts, FACT_CHECK_IDENTITY)) || text_equal(result, theirs) ||
		    text_equal(facts_text(&other->facts, FACT_CHECK_ENGINE), facts_text(facts, FACT_CHECK_ENGINE)) ||
		    result.length + theirs.length + 2 > sizeof both)
			continue;
		memcpy(both, result.start, result.length);
		length = result.length;
		both[length++] = '/';
		memcpy(both + length, theirs.start, theirs.length);
		length += theirs.length;
		tally_add(tally, (struct text[]){ domain, { both, length }, network }, (uint64_t[NUMBERS]){ 1, 0 });
	}
}

static void collect(struct tally **tally, const struct report_row *row)
{
	const struct facts *facts = &row->check->facts;
	struct text domain = facts_text(facts, FACT_CHECK_DOMAIN), result = facts_text(facts, FACT_CHECK_RESULT);
	struct text error = facts_text(facts, FACT_CHECK_ERROR), client, network;
	uint64_t numbers[NUMBERS] = { 1, facts_number(facts, FACT_CHECK_LOOKUPS, 0) };
	char scratch[AUDIT_NETWORK_SIZE];

	if (row->is_hop || !is_check(row->check, "spf") || !domain.length || !result.start)
		return;
	client = row->session ? facts_text(&row->session->facts, FACT_SESSION_CLIENT_ADDR) : TEXT_NONE;
	network = report_or_unknown(audit_network(client, scratch));
	tally_add(tally[0], (struct text[]){ domain, result, error.start ? error : TEXT_LITERAL("") }, numbers);
	tally_add(tally[1], (struct text[]){ domain, result, network }, numbers);
	compare_engines(tally[2], row, network);
}

static uint64_t all_of(const struct tally *sums, const struct tally_row *row)
{
	uint64_t found[TALLY_NUMBERS_MAX];

	return sums && tally_find(sums, &row->parts[DOMAIN_PART], found) ? found[COUNT] : 0;
}

static void judge_record(struct table *table, const struct tally_row *row, uint64_t all)
{
	struct audit_finding finding = {
		.severity = SEVERITY_WARNING, .subject = row->parts[DOMAIN_PART], .count = row->numbers[COUNT], .all = all, .detail = row->parts[MORE_PART],
		.query = "check:spf", .subject_field = "domain",
	};

	if (text_is(row->parts[RESULT_PART], "permerror"))
		finding.what = "its SPF record is broken (permerror)";
	else if (row->numbers[LOOKUPS] > AUDIT_LOOKUPS_MAX)
		finding.what = "its SPF record asks for more than 10 look-ups";
	else if (row->numbers[LOOKUPS] >= AUDIT_LOOKUPS_NEAR) {
		finding.severity = SEVERITY_NOTICE;
		finding.what = "its SPF record asks for nearly 10 look-ups";
	} else {
		return;
	}
	audit_put(table, &finding);
}

static void judge_source(struct table *table, const struct tally_row *row, uint64_t all, bool is_own)
{
	bool is_fail = text_is(row->parts[RESULT_PART], "fail"), is_softfail = text_is(row->parts[RESULT_PART], "softfail");
	struct audit_finding finding = {
		.severity = is_own && is_fail ? SEVERITY_CRITICAL : is_own ? SEVERITY_WARNING : SEVERITY_NOTICE,
		.what = is_fail ? "a host that SPF forbids uses the domain" : "a host that SPF does not know uses the domain (softfail)",
		.subject = row->parts[DOMAIN_PART], .source = row->parts[MORE_PART], .count = row->numbers[COUNT], .all = all, .query = is_fail ? "spf:fail" : "spf:softfail",
		.subject_field = "domain", .source_field = "client",
	};

	if (is_fail || is_softfail)
		audit_put(table, &finding);
}

static void judge_engines(struct table *table, const struct tally_row *row, uint64_t all)
{
	struct audit_finding finding = {
		.severity = SEVERITY_NOTICE, .what = "the SPF engines disagree: sites that run the other see it otherwise",
		.subject = row->parts[DOMAIN_PART], .source = row->parts[MORE_PART], .count = row->numbers[COUNT], .all = all, .detail = row->parts[RESULT_PART],
		.query = "check:spf", .subject_field = "domain", .source_field = "client",
	};

	audit_put(table, &finding);
}

static void show(struct tally *const *tally, const struct report_options *options, report_emit *emit, void *context)
{
	/* All results of a domain: those of the one engine, and where there is another its too. */
	struct tally *sums = tally_fold(tally[1], &(struct tally_info){ "spf", 1, NUMBERS, { TALLY_SUM, TALLY_MOST } }, DOMAIN_PART, 0);
	struct table *table = audit_table_new("spf", "SPF");
	struct tally_row row;

	for (size_t i = 0; table && i < tally_count(tally[0]); i++) {
		row = tally_row(tally[0], i);
		judge_record(table, &row, all_of(sums, &row));
	}
	for (size_t i = 0; table && i < tally_count(tally[1]); i++) {
		row = tally_row(tally[1], i);
		judge_source(table, &row, all_of(sums, &row), report_is_own_domain(options, row.parts[DOMAIN_PART]));
	}
	for (size_t i = 0; table && i < tally_count(tally[2]); i++) {
		row = tally_row(tally[2], i);
		judge_engines(table, &row, all_of(sums, &row));
	}
	tally_free(sums);
	audit_emit(table, options, emit, context);
}

static const enum fact asked_for[] = {
	FACT_CHECK_CHECK, FACT_CHECK_DOMAIN, FACT_CHECK_ENGINE, FACT_CHECK_ERROR, FACT_CHECK_IDENTITY, FACT_CHECK_LOOKUPS,
	FACT_CHECK_RESULT, FACT_SESSION_CLIENT_ADDR, FACT_COUNT,
};

const struct report audit_spf = {
	.name = "spf", .summary = "SPF: broken records, too many look-ups, failing sources, engines that disagree",
	.moments = REPORT_CHECK, .tally_count = 3, .tallies = tallies, .facts = asked_for, .collect = collect, .show = show,
};
