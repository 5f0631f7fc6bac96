/* audit_dkim.c - DKIM: signatures that fail and why, keys that are weak, expire or only test. */
#include "analysis/audit.h"

#include <inttypes.h>
#include <stdio.h>

enum { FAILED, BODY, TESTING, LENGTH, SHA1, EXPIRED, WEAK, SHORT, BITS, NUMBERS };
enum { KEY_COUNT, KEY_BITS };
/* Keys of ed25519 have no more. */
enum { BITS_NOT_RSA = 256 };

static const struct tally_info tallies[] = {
	/* domain, selector, error */
	{ "dkim_errors", 3, NUMBERS, { TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_MOST } },
	/* domain, selector */
	{ "dkim_keys", 2, 2, { TALLY_SUM, TALLY_MOST } },
};

static void collect(struct tally **tally, const struct report_row *row)
{
	const struct facts *facts = &row->check->facts;
	struct text result = facts_text(facts, FACT_CHECK_RESULT), error = facts_text(facts, FACT_CHECK_ERROR);
	struct text domain = facts_text(facts, FACT_CHECK_DOMAIN), selector = facts_text(facts, FACT_CHECK_SELECTOR);
	struct fact_value value;
	uint64_t numbers[NUMBERS] = { 0 };

	if (row->is_hop || !text_is(facts_text(facts, FACT_CHECK_CHECK), "dkim") || !domain.length)
		return;
	/* Beyond our own limits, or without an answer of the DNS, nothing was found wrong with it. */
	numbers[FAILED] = !text_is(result, "pass") && !text_is(result, "none") && !text_is(result, "policy") && !text_is(result, "temperror");
	numbers[BODY] = text_is(facts_text(facts, FACT_CHECK_BODY_HASH_MATCH), "no");
	numbers[TESTING] = text_is(facts_text(facts, FACT_CHECK_TESTING), "yes");
	numbers[LENGTH] = facts_find(facts, FACT_CHECK_LENGTH, &value);
	numbers[SHA1] = text_has_nocase(facts_text(facts, FACT_CHECK_ALGORITHM), "sha1");
	numbers[EXPIRED] = text_has(error, "expired");
	numbers[BITS] = facts_number(facts, FACT_CHECK_KEY_BITS, 0);
	numbers[WEAK] = numbers[BITS] > BITS_NOT_RSA && numbers[BITS] < AUDIT_WEAK_BITS;
	numbers[SHORT] = numbers[BITS] >= AUDIT_WEAK_BITS && numbers[BITS] < AUDIT_SHORT_BITS;
	selector = selector.start ? selector : TEXT_LITERAL("");
	tally_add(tally[0], (struct text[]){ domain, selector, error.start ? error : TEXT_LITERAL("") }, numbers);
	tally_add_two(tally[1], domain, selector, (uint64_t[]){ 1, numbers[BITS] });
}

/* query finds those of the key that were counted; all: signatures of the key, whatever the error. */
static void put(struct table *table, const struct tally_row *row, uint64_t all, enum severity severity, const char *what, unsigned number,
		const char *query, struct text detail)
{
	struct audit_finding finding = {
		.severity = severity, .what = what, .subject = row->parts[0],
		.source = row->parts[1].length ? row->parts[1] : TEXT_NONE,
		.count = row->numbers[number], .all = all, .detail = detail, .query = query, .subject_field = "check.domain",
		.asked = { { "selector", row->parts[1] }, { "check.error", row->parts[2] } },
	};

	audit_put(table, &finding);
}

#define SIGNATURES REPORT_CHECKS " check:dkim"
_Static_assert(AUDIT_WEAK_BITS == 1024 && AUDIT_SHORT_BITS == 2048 && BITS_NOT_RSA == 256, "what is found, and what finds it, say so");

static void judge(struct table *table, const struct tally_row *row, const uint64_t *key, bool is_own)
{
	char bits[32];

	(void)snprintf(bits, sizeof bits, "%" PRIu64 " bits", row->numbers[BITS]);
	if (row->numbers[FAILED])
		put(table, row, key[KEY_COUNT], is_own ? SEVERITY_CRITICAL : row->numbers[BODY] ? SEVERITY_NOTICE : SEVERITY_WARNING,
		    row->numbers[EXPIRED] ? "signatures that have expired"
		    : row->numbers[BODY] ? "the body was changed behind the signature" : "signatures that do not verify",
		    FAILED, SIGNATURES " -check.result:pass -check.result:none -check.result:policy -check.result:temperror", row->parts[2]);
	/* Where a longer one has come since, it has been mended. */
	if (row->numbers[WEAK] && key[KEY_BITS] < AUDIT_WEAK_BITS)
		put(table, row, key[KEY_COUNT], SEVERITY_WARNING, "a key that is too short to count", WEAK, SIGNATURES " key_bits:257..1023", text_of(bits));
	else if (row->numbers[SHORT] && key[KEY_BITS] < AUDIT_SHORT_BITS)
		put(table, row, key[KEY_COUNT], SEVERITY_NOTICE, "a key of less than 2,048 bits", SHORT, SIGNATURES " key_bits:1024..2047", text_of(bits));
	if (row->numbers[SHA1])
		put(table, row, key[KEY_COUNT], SEVERITY_WARNING, "rsa-sha1, which counts no more", SHA1, SIGNATURES " algorithm:*sha1*", TEXT_NONE);
	if (row->numbers[TESTING])
		put(table, row, key[KEY_COUNT], SEVERITY_NOTICE, "the key says that it is only for tests (t=y)", TESTING, SIGNATURES " testing:yes", TEXT_NONE);
	if (row->numbers[LENGTH])
		put(table, row, key[KEY_COUNT], SEVERITY_NOTICE, "signs only the begin of the body (l=): anybody can add to it", LENGTH, SIGNATURES " check.length:*",
		    TEXT_NONE);
}

static void show(struct tally *const *tally, const struct report_options *options, report_emit *emit, void *context)
{
	struct table *table = audit_table_new("dkim", "DKIM");

	for (size_t i = 0; table && i < tally_count(tally[0]); i++) {
		struct tally_row row = tally_row(tally[0], i);
		uint64_t key[TALLY_NUMBERS_MAX] = { 0 };

		(void)tally_find(tally[1], row.parts, key);
		judge(table, &row, key, report_is_own_domain(options, row.parts[0]));
	}
	audit_emit(table, options, emit, context);
}

static const enum fact asked_for[] = {
	FACT_CHECK_ALGORITHM, FACT_CHECK_BODY_HASH_MATCH, FACT_CHECK_CHECK, FACT_CHECK_DOMAIN, FACT_CHECK_ERROR,
	FACT_CHECK_KEY_BITS, FACT_CHECK_LENGTH, FACT_CHECK_RESULT, FACT_CHECK_SELECTOR, FACT_CHECK_TESTING, FACT_COUNT,
};

const struct report audit_dkim = {
	.name = "dkim", .summary = "DKIM: signatures that fail and why, keys that are weak, expire or only test",
	.moments = REPORT_CHECK, .tally_count = 2, .tallies = tallies, .facts = asked_for, .collect = collect, .show = show,
};
