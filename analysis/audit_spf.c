/* audit_spf.c - SPF: records that are broken or ask too much, results by source, engines that disagree. */
#include <stdio.h>

#include "analysis/audit.h"

enum { COUNT, TOO_MANY, NEARLY, NUMBERS };
enum { DOMAIN_PART, RESULT_PART, MORE_PART, ENGINE_PART };

static const struct tally_info tallies[] = {
	{ "spf_domains", 3, NUMBERS, { TALLY_SUM, TALLY_SUM, TALLY_SUM } },	/* domain, result, error */
	{ "spf_sources", 3, 1, { TALLY_SUM } },					/* domain, result, network */
	{ "spf_engines", 4, 1, { TALLY_SUM } },					/* domain, both results, network, whose the first is */
};

static bool is_before(struct text a, struct text b)
{
	int order = strncasecmp(a.length ? a.start : "", b.length ? b.start : "", a.length < b.length ? a.length : b.length);

	return order < 0 || (order == 0 && a.length < b.length);
}

/* Of two that disagree that one counts whose engine's name comes first, in whatever order they were asked. */
static void compare_engines(struct tally *tally, const struct report_row *row, struct text network)
{
	const struct facts *facts = &row->check->facts;
	const struct check *other = check_other_engine(row->message->checks, row->check);
	struct text engine = facts_text(facts, FACT_CHECK_ENGINE), result = facts_text(facts, FACT_CHECK_RESULT), theirs;
	char both[80];
	int length;

	if (!other || !is_before(engine, facts_text(&other->facts, FACT_CHECK_ENGINE)))
		return;
	theirs = facts_text(&other->facts, FACT_CHECK_RESULT);
	if (result.length + theirs.length + 2 > sizeof both || (result.length && memchr(result.start, '/', result.length)))
		return;
	length = snprintf(both, sizeof both, "%.*s/%.*s", TEXT_ARGS(result), TEXT_ARGS(theirs));
	tally_add(tally, (struct text[]){ facts_text(facts, FACT_CHECK_DOMAIN), { both, (size_t)length }, network, engine.start ? engine : TEXT_LITERAL("") },
		  (uint64_t[]){ 1 });
}

static void collect(struct tally **tally, const struct report_row *row)
{
	const struct facts *facts = &row->check->facts;
	struct text domain = facts_text(facts, FACT_CHECK_DOMAIN), result = facts_text(facts, FACT_CHECK_RESULT);
	struct text error = facts_text(facts, FACT_CHECK_ERROR), client, network;
	uint64_t lookups = facts_number(facts, FACT_CHECK_LOOKUPS, 0);
	uint64_t numbers[NUMBERS] = { 1, lookups > AUDIT_LOOKUPS_MAX, lookups >= AUDIT_LOOKUPS_NEAR && lookups <= AUDIT_LOOKUPS_MAX };
	char scratch[AUDIT_NETWORK_SIZE];

	if (row->is_hop || !text_is(facts_text(facts, FACT_CHECK_CHECK), "spf") || !domain.length || !result.start)
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

_Static_assert(AUDIT_LOOKUPS_MAX == 10 && AUDIT_LOOKUPS_NEAR == 9, "what is found, and what finds it, say so");

static void judge_record(struct table *table, const struct tally_row *row, uint64_t all)
{
	struct audit_finding finding = {
		.severity = SEVERITY_WARNING, .subject = row->parts[DOMAIN_PART], .all = all, .detail = row->parts[MORE_PART].length ? row->parts[MORE_PART] : TEXT_NONE,
		.query = REPORT_CHECKS " check:spf",
		.subject_field = "check.domain", .asked = { { "check.result", row->parts[RESULT_PART] }, { "check.error", row->parts[MORE_PART] } },
	};

	if (text_equal_nocase(row->parts[RESULT_PART], TEXT_LITERAL("permerror"))) {
		finding.what = "its SPF record is broken (permerror)";
		finding.count = row->numbers[COUNT];
	} else if (row->numbers[TOO_MANY]) {
		finding.what = "its SPF record asks for more than 10 look-ups";
		finding.count = row->numbers[TOO_MANY];
		finding.query = REPORT_CHECKS " check:spf lookups:>10";
	} else if (row->numbers[NEARLY]) {
		finding.severity = SEVERITY_NOTICE;
		finding.what = "its SPF record asks for nearly 10 look-ups";
		finding.count = row->numbers[NEARLY];
		finding.query = REPORT_CHECKS " check:spf lookups:9..10";
	} else {
		return;
	}
	audit_put(table, &finding);
}

static void judge_source(struct table *table, const struct tally_row *row, uint64_t all, bool is_own)
{
	bool is_fail = text_equal_nocase(row->parts[RESULT_PART], TEXT_LITERAL("fail")), is_softfail = text_equal_nocase(row->parts[RESULT_PART], TEXT_LITERAL("softfail"));
	struct audit_finding finding = {
		.severity = is_own && is_fail ? SEVERITY_CRITICAL : is_own ? SEVERITY_WARNING : SEVERITY_NOTICE,
		.what = is_fail ? "a host that SPF forbids uses the domain" : "a host that SPF does not know uses the domain (softfail)",
		.subject = row->parts[DOMAIN_PART], .source = row->parts[MORE_PART], .count = row->numbers[COUNT], .all = all,
		.query = REPORT_CHECKS " check:spf", .subject_field = "check.domain", .source_field = "client_addr",
		.asked = { { "check.result", row->parts[RESULT_PART] } },
	};

	if (is_fail || is_softfail)
		audit_put(table, &finding);
}

static void judge_engines(struct table *table, const struct tally_row *row, uint64_t all)
{
	struct text both = row->parts[RESULT_PART];
	const char *slash = both.length ? memchr(both.start, '/', both.length) : NULL;
	struct audit_finding finding = {
		.severity = SEVERITY_NOTICE, .what = "the SPF engines disagree: sites that run the other see it otherwise",
		.subject = row->parts[DOMAIN_PART], .source = row->parts[MORE_PART], .count = row->numbers[COUNT], .all = all, .detail = both,
		.query = REPORT_CHECKS " check:spf", .subject_field = "check.domain", .source_field = "client_addr",
	};

	/* Of the key that stands for all beyond the limit no query finds anything. */
	if (!slash)
		finding.query = NULL;
	else {
		finding.asked[0] = (struct audit_term){ "engine", row->parts[ENGINE_PART] };
		finding.asked[1] = (struct audit_term){ "check.result", { both.start, (size_t)(slash - both.start) } };
		finding.asked[2] = (struct audit_term){ "other_engine", { slash + 1, (size_t)(both.start + both.length - slash - 1) } };
	}
	audit_put(table, &finding);
}

static void show(struct tally *const *tally, const struct report_options *options, report_emit *emit, void *context)
{
	/* All results of a domain: those of the one engine, and where there is another its too. */
	struct tally *sums = tally_fold(tally[1], &(struct tally_info){ "spf", 1, 1, { TALLY_SUM } }, DOMAIN_PART, 0);
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
