/*
 * audit_dmarc.c - who fails DMARC: forgers of our own domains, partners whose own policy loses their mail, new sources.
 */
#include "analysis/audit.h"

enum { FAILED, PASSED, ASKS_REJECT, UNALIGNED, NUMBERS };
enum { SINCE, MESSAGES, MESSAGES_FAILED, NETWORK_NUMBERS };
enum { DOMAIN_PART, SOURCE_PART, WHY_PART };
enum { USUAL_MESSAGES = 30 };		/* of a domain from elsewhere, before a network is new for it */

static const struct tally_info tallies[] = {
	{ "dmarc_domains", 1, NUMBERS, { TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM } },
	{ "dmarc_sources", 3, NUMBERS, { TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM } },
	{ "dmarc_networks", 2, NETWORK_NUMBERS, { TALLY_LEAST, TALLY_SUM, TALLY_SUM } },	/* domain, network */
	{ "dmarc_claims", 3, 1, { TALLY_SUM } },						/* domain, network, what was claimed */
};

static void collect(struct tally **tally, const struct report_row *row)
{
	const struct facts *facts = &row->message->facts;
	struct text domain = facts_text(facts, FACT_MESSAGE_FROM_DOMAIN), result = facts_text(facts, FACT_MESSAGE_DMARC);
	struct text why = facts_text(facts, FACT_MESSAGE_WHY), client;
	char scratch[AUDIT_NETWORK_SIZE];
	uint64_t numbers[NUMBERS];

	if (row->is_hop || !domain.start || !result.start || !text_is(report_or_unknown(row->origin), "inbound"))
		return;
	client = row->session ? facts_text(&row->session->facts, FACT_SESSION_CLIENT_ADDR) : TEXT_NONE;
	numbers[FAILED] = text_is(result, "fail");
	numbers[PASSED] = text_is(result, "pass");
	numbers[ASKS_REJECT] = numbers[FAILED] && text_is(facts_text(facts, FACT_MESSAGE_DISPOSITION), "reject");
	numbers[UNALIGNED] = numbers[FAILED] && (text_has(why, "spf_unaligned") || text_has(why, "dkim_unaligned"));
	tally_add_one(tally[0], domain, numbers);
	struct text parts[] = {
		[DOMAIN_PART] = domain, [SOURCE_PART] = report_or_unknown(audit_network(client, scratch)), [WHY_PART] = report_or_unknown(why),
	};

	tally_add(tally[2], parts, (uint64_t[NETWORK_NUMBERS]){ row->time_us, 1, numbers[FAILED] });
	if (!numbers[FAILED])
		return;
	tally_add(tally[1], parts, numbers);
	parts[WHY_PART] = facts_text(facts, FACT_MESSAGE_CLAIMED);
	if (text_has(parts[WHY_PART], "dmarc=pass"))
		tally_add(tally[3], parts, (uint64_t[]){ 1 });
}

/* A domain's failures from one network. */
static void judge(struct table *table, const struct tally_row *row, const uint64_t *domain, bool is_own)
{
	struct audit_finding finding = {
		.severity = SEVERITY_NOTICE, .what = "DMARC fails", .subject = row->parts[DOMAIN_PART], .source = row->parts[SOURCE_PART],
		.count = row->numbers[FAILED], .all = domain[FAILED] + domain[PASSED], .detail = row->parts[WHY_PART],
		.query = "dmarc:fail", .subject_field = "from_domain", .source_field = "client",
	};

	if (is_own) {
		finding.severity = SEVERITY_CRITICAL;
		finding.what = "our own domain comes from outside and fails DMARC: forged, or a sender that we do not know of";
	} else if (row->numbers[ASKS_REJECT] && row->numbers[UNALIGNED]) {
		finding.severity = SEVERITY_WARNING;
		finding.what = "passes for another domain, but its own policy asks for rejection: a list or service would be lost";
	} else if (row->numbers[ASKS_REJECT]) {
		finding.severity = SEVERITY_WARNING;
		finding.what = "forged, or broken: its policy asks for rejection";
	}
	audit_put(table, &finding);
}

/* A network that a domain's mail came from for the first time, when it had come from others before. */
static void judge_networks(struct table *table, const struct tally *networks)
{
	static const struct tally_info info = { "domains", 1, NETWORK_NUMBERS, { TALLY_LEAST, TALLY_SUM, TALLY_SUM } };
	struct tally *domains = tally_fold(networks, &info, DOMAIN_PART, 0);

	for (size_t i = 0; domains && i < tally_count(networks); i++) {
		struct tally_row row = tally_row(networks, i);
		uint64_t domain[TALLY_NUMBERS_MAX];
		bool is_known = tally_find(domains, row.parts, domain);
		struct audit_finding finding = {
			.severity = SEVERITY_NOTICE, .what = "its mail comes from a network that is new for it", .subject = row.parts[DOMAIN_PART],
			.source = row.parts[SOURCE_PART], .count = row.numbers[MESSAGES],
			.detail = row.numbers[MESSAGES_FAILED] ? TEXT_LITERAL("fails DMARC from there") : TEXT_LITERAL("passes DMARC from there"),
			.query = "", .subject_field = "from_domain", .source_field = "client",
		};

		if (!is_known || row.numbers[SINCE] == domain[SINCE] || domain[MESSAGES] - row.numbers[MESSAGES] < USUAL_MESSAGES)
			continue;
		finding.all = domain[MESSAGES];
		audit_put(table, &finding);
	}
	tally_free(domains);
}

/* What the mail itself says of an earlier check is no more than that. */
static void judge_claims(struct table *table, const struct tally *claims)
{
	for (size_t i = 0; i < tally_count(claims); i++) {
		struct tally_row row = tally_row(claims, i);
		struct audit_finding finding = {
			.severity = SEVERITY_NOTICE, .what = "fails DMARC here, but its Authentication-Results claim that it passed elsewhere",
			.subject = row.parts[DOMAIN_PART], .source = row.parts[SOURCE_PART], .count = row.numbers[0], .detail = row.parts[WHY_PART],
			.query = "dmarc:fail claimed:*", .subject_field = "from_domain", .source_field = "client",
		};

		audit_put(table, &finding);
	}
}

static void show(struct tally *const *tally, const struct report_options *options, report_emit *emit, void *context)
{
	struct table *table = audit_table_new("dmarc", "DMARC failures of inbound mail");

	for (size_t i = 0; table && i < tally_count(tally[1]); i++) {
		struct tally_row row = tally_row(tally[1], i);
		uint64_t domain[TALLY_NUMBERS_MAX] = { 0 };

		(void)tally_find(tally[0], row.parts, domain);
		judge(table, &row, domain, report_is_own_domain(options, row.parts[DOMAIN_PART]));
	}
	if (table) {
		judge_networks(table, tally[2]);
		judge_claims(table, tally[3]);
	}
	audit_emit(table, options, emit, context);
}

static const enum fact asked_for[] = {
	FACT_MESSAGE_CLAIMED, FACT_MESSAGE_DISPOSITION, FACT_MESSAGE_DMARC, FACT_MESSAGE_FROM_DOMAIN, FACT_MESSAGE_ORIGIN,
	FACT_MESSAGE_WHY, FACT_SESSION_CLIENT_ADDR, FACT_COUNT,
};

const struct report audit_dmarc = {
	.name = "dmarc", .summary = "who fails DMARC, from where and why; forgers of our own domains; mail that p=reject would lose",
	.moments = REPORT_MESSAGE, .tally_count = 4, .tallies = tallies, .facts = asked_for, .collect = collect, .show = show,
};
