/* report_tls.c - how much was encrypted: versions and ciphers, in and out. */
#include "analysis/report.h"

enum { COUNT, NUMBERS };

static const struct tally_info tallies[] = {
	{ "tls_in", 2, NUMBERS, { TALLY_SUM } },
	{ "tls_out", 2, NUMBERS, { TALLY_SUM } },
};

static void add(struct tally *tally, struct text version, struct text cipher)
{
	tally_add_two(tally, report_or_unknown(version), report_or_unknown(cipher), (uint64_t[NUMBERS]){ 1 });
}

/* Agents that leave no machine have no use for TLS. */
static bool is_remote(const struct attempt *attempt)
{
	struct text agent = facts_text(&attempt->facts, FACT_ATTEMPT_AGENT);

	return text_is(facts_text(&attempt->facts, FACT_ATTEMPT_STATUS), "sent") && (text_is(agent, "smtp") || text_is(agent, "lmtp") || text_is(agent, "relay")) &&
	       facts_text(&attempt->facts, FACT_ATTEMPT_RELAY_ADDR).start;
}

static void collect(struct tally **tally, const struct report_row *row)
{
	if (row->moment == REPORT_SESSION)
		add(tally[0], facts_text(&row->session->facts, FACT_SESSION_TLS_VERSION), facts_text(&row->session->facts, FACT_SESSION_CIPHER));
	else if (is_remote(row->attempt))
		add(tally[1], facts_text(&row->attempt->facts, FACT_ATTEMPT_TLS_VERSION), facts_text(&row->attempt->facts, FACT_ATTEMPT_CIPHER));
}

#define COLUMNS(level) { \
	{ { "version", "Version", CELL_TEXT, true }, LISTING_PART, 0, 0, level ".tls_version" }, \
	{ { "cipher", "Cipher", CELL_TEXT, false }, LISTING_PART, 1, 0, level ".cipher" }, \
	{ { "count", "Count", CELL_NUMBER, false }, LISTING_NUMBER, COUNT, 0, NULL }, \
	{ { "share", "Share", CELL_SHARE, false }, LISTING_OF_ALL, COUNT, 0, NULL }, \
}
static const struct listing_column columns_in[] = COLUMNS("session"), columns_out[] = COLUMNS("attempt");
static const struct listing listings[] = {
	{ "tls_in", "TLS of sessions that came", sizeof columns_in / sizeof columns_in[0], columns_in, "count", "is:session" },
	{ "tls_out", "TLS of deliveries", sizeof columns_out / sizeof columns_out[0], columns_out, "count",
	  "is:attempt status:sent relay_addr:* (agent:smtp OR agent:lmtp OR agent:relay)" },
};

/* Records of the milter tell of each session; a log only where the MTA is asked to. */
static void show_listing(const struct listing *listing, const struct tally *tally, const char *option, const struct report_options *options,
			 report_emit *emit, void *context)
{
	struct table *table = NULL;

	report_show_listing(listing, tally, options, report_keep, &table);
	for (size_t i = 0; table && i < table_row_count(table); i++)
		if (text_is(table_row(table, i)->cells[0].text, REPORT_UNKNOWN))
			table_put_note(table, REPORT_UNKNOWN ": there was no TLS, or the log does not say (%s = 1)", option);
	emit(context, table);
}

static void show(struct tally *const *tally, const struct report_options *options, report_emit *emit, void *context)
{
	show_listing(&listings[0], tally[0], "smtpd_tls_loglevel", options, emit, context);
	show_listing(&listings[1], tally[1], "smtp_tls_loglevel", options, emit, context);
}

static const enum fact asked_for[] = {
	FACT_SESSION_TLS_VERSION, FACT_SESSION_CIPHER, FACT_ATTEMPT_STATUS, FACT_ATTEMPT_AGENT, FACT_ATTEMPT_RELAY_ADDR,
	FACT_ATTEMPT_TLS_VERSION, FACT_ATTEMPT_CIPHER, FACT_COUNT,
};

const struct report report_tls = {
	.name = "tls", .summary = "how much was encrypted: versions and ciphers, in and out",
	.moments = REPORT_SESSION | REPORT_ATTEMPT, .tally_count = 2, .tallies = tallies, .facts = asked_for, .collect = collect, .show = show,
};
