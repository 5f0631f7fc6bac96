/*
 * audit_dmarc.c - who fails DMARC: forgers of our own domains, partners whose own policy loses their mail, new sources.
 */
#include "analysis/audit.h"

#include <stdio.h>

enum { FAILED, PASSED, ASKS_REJECT, UNALIGNED, NUMBERS };
enum { SINCE, MESSAGES, MESSAGES_FAILED, NETWORK_NUMBERS };
enum { DOMAIN_PART, SOURCE_PART, WHY_PART, CHECK_PART = WHY_PART, CLAIM_PART };

static const struct tally_info tallies[] = {
	{ "dmarc_domains", 1, NUMBERS, { TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM } },
	{ "dmarc_sources", 3, NUMBERS, { TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM } },
	{ "dmarc_networks", 2, NETWORK_NUMBERS, { TALLY_LEAST, TALLY_SUM, TALLY_SUM } },	/* domain, network */
	{ "dmarc_claims", 4, 1, { TALLY_SUM } },		/* domain, network, which check failed, what was claimed of it */
};

/* Of mail that fails DMARC: what failed here, and passed elsewhere, as the mail itself says; of several the gravest. */
static void collect_claims(struct tally *tally, const struct facts *facts, struct text domain, struct text network)
{
	static const struct {
		enum fact result;
		const char *name, *claim;
	} checks[] = {
		{ FACT_MESSAGE_DMARC, "dmarc", "dmarc=pass" }, { FACT_MESSAGE_SPF, "spf", "spf=pass" }, { FACT_MESSAGE_DKIM, "dkim", "dkim=pass" },
	};
	struct text claimed = facts_text(facts, FACT_MESSAGE_CLAIMED);

	for (size_t i = 0; claimed.length && i < sizeof checks / sizeof checks[0]; i++)
		if (text_is(facts_text(facts, checks[i].result), "fail") && text_has_nocase(claimed, checks[i].claim)) {
			tally_add(tally, (struct text[]){ domain, network, text_of(checks[i].name), claimed }, (uint64_t[]){ 1 });
			return;
		}
}

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
	collect_claims(tally[3], facts, parts[DOMAIN_PART], parts[SOURCE_PART]);
}

#define INBOUND REPORT_MESSAGES " origin:inbound"

/* A domain's failures from one network. */
static void judge(struct table *table, const struct tally_row *row, const uint64_t *domain, bool is_own)
{
	struct audit_finding finding = {
		.severity = SEVERITY_NOTICE, .what = "DMARC fails", .subject = row->parts[DOMAIN_PART], .source = row->parts[SOURCE_PART],
		.count = row->numbers[FAILED], .all = domain[FAILED] + domain[PASSED],
		.query = INBOUND " dmarc:fail", .subject_field = "from_domain", .source_field = "client", .asked = { { "why", row->parts[WHY_PART] } },
	};
	char words[TALLY_TEXT_MAX + 60];

	(void)snprintf(words, sizeof words, "%.*s; %.1f %% of the domain's mail passes", TEXT_ARGS(row->parts[WHY_PART]),
		       finding.all ? (double)domain[PASSED] * 100 / (double)finding.all : 0.0);
	finding.detail = text_of(words);
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
			.query = INBOUND " dmarc:*", .subject_field = "from_domain", .source_field = "client",
		};

		if (!is_known || row.numbers[SINCE] == domain[SINCE] || domain[MESSAGES] - row.numbers[MESSAGES] < AUDIT_USUAL_MESSAGES)
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
		bool is_spf = text_is(row.parts[CHECK_PART], "spf"), is_dkim = text_is(row.parts[CHECK_PART], "dkim");
		struct audit_finding finding = {
			.severity = SEVERITY_NOTICE,
			.what = is_spf ? "fails SPF here, but its Authentication-Results claim that it passed elsewhere"
				: is_dkim ? "fails DKIM here, but its Authentication-Results claim that it passed elsewhere"
				: "fails DMARC here, but its Authentication-Results claim that it passed elsewhere",
			.subject = row.parts[DOMAIN_PART], .source = row.parts[SOURCE_PART], .count = row.numbers[0], .detail = row.parts[CLAIM_PART],
			.query = is_spf ? INBOUND " dmarc:fail spf:fail" : is_dkim ? INBOUND " dmarc:fail dkim:fail" : INBOUND " dmarc:fail",
			.subject_field = "from_domain", .source_field = "client", .asked = { { "claimed", row.parts[CLAIM_PART] } },
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
	FACT_MESSAGE_CLAIMED, FACT_MESSAGE_DISPOSITION, FACT_MESSAGE_DKIM, FACT_MESSAGE_DMARC, FACT_MESSAGE_FROM_DOMAIN,
	FACT_MESSAGE_ORIGIN, FACT_MESSAGE_SPF, FACT_MESSAGE_WHY, FACT_SESSION_CLIENT_ADDR, FACT_COUNT,
};

const struct report audit_dmarc = {
	.name = "dmarc", .summary = "who fails DMARC, from where and why; forgers of our own domains; mail that p=reject would lose",
	.moments = REPORT_MESSAGE, .tally_count = 4, .tallies = tallies, .facts = asked_for, .collect = collect, .show = show,
};
