/* report_traffic.c - how much mail: by hour, by day, by where it came from, and by which way it went. */
#include "analysis/report.h"

enum { MESSAGES, BYTES, DELIVERED, DEFERRED, FAILED, REJECTED, NUMBERS };
enum { HOUR, ORIGIN };
enum { SENT, SENT_BYTES, SENT_DEFERRED, SENT_BOUNCED, DIRECTION_NUMBERS };

static const struct tally_info tallies[] = {
	{ "traffic", 2, NUMBERS, { TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM } },
	{ "directions", 1, DIRECTION_NUMBERS, { TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM } },
};
static const struct tally_info folded = {
	"folded", 1, NUMBERS, { TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM },
};
enum { DAY_LENGTH = 10 };

/* Given to another host, or meant for one that was not reached; and to no mailbox server by LMTP, nor to this one. */
/* Agents that speak SMTP: smtp of Postfix; esmtp, relay, smtp8, dsmtp of Sendmail; remote_smtp of Exim. */
#define TO_HOST "(agent:*smtp* OR agent:relay OR relay_addr:*) -agent:lmtp -relay_addr:127.0.0.0/8 -relay_addr:\"::1\""
#define TO_MAILBOX "-(" TO_HOST ")"
#define TRIES "is:attempt -hop:yes "
#define BOUNCED "status:bounced OR status:expired"
#define FROM_US "(origin:authenticated OR origin:local)"

/* Where it came from, and where it goes. */
static const struct direction {
	const char *name, *query;
} directions[] = {
	{ "in", "origin:inbound " TO_MAILBOX }, { "relay", "origin:inbound " TO_HOST }, { "local", FROM_US " " TO_MAILBOX },
	{ "out", FROM_US " " TO_HOST }, { REPORT_UNKNOWN, "-origin:inbound -" FROM_US },
};
enum { IN, RELAY, LOCAL, OUT, UNKNOWN };

static bool goes_to_host(const struct facts *attempt)
{
	struct text address = facts_text(attempt, FACT_ATTEMPT_RELAY_ADDR), agent = facts_text(attempt, FACT_ATTEMPT_AGENT);

	return (address.start || text_has_nocase(agent, "smtp") || text_equal_nocase(agent, TEXT_LITERAL("relay"))) &&
	       !text_equal_nocase(agent, TEXT_LITERAL("lmtp")) && !text_is(address, "::1") &&
	       !(address.length >= 4 && memcmp(address.start, "127.", 4) == 0);
}

static void collect_attempt(struct tally *tally, const struct report_row *row)
{
	struct text status = facts_text(&row->attempt->facts, FACT_ATTEMPT_STATUS);
	bool is_sent = text_is(status, "sent"), to_host = goes_to_host(&row->attempt->facts);
	bool is_deferred = text_is(status, "deferred"), is_bounced = text_is(status, "bounced") || text_is(status, "expired");
	unsigned direction = UNKNOWN;

	if (!is_sent && !is_deferred && !is_bounced)
		return;
	if (text_is(row->origin, "inbound"))
		direction = to_host ? RELAY : IN;
	else if (text_is(row->origin, "authenticated") || text_is(row->origin, "local"))
		direction = to_host ? OUT : LOCAL;
	tally_add_one(tally, text_of(directions[direction].name), (uint64_t[DIRECTION_NUMBERS]){
		is_sent, is_sent ? row->size : 0, is_deferred, is_bounced });
}

static void collect(struct tally **tally, const struct report_row *row)
{
	uint64_t numbers[NUMBERS] = { 0 };
	char scratch[REPORT_HOUR_SIZE];

	if (row->is_hop)
		return;
	if (row->moment == REPORT_ATTEMPT) {
		collect_attempt(tally[1], row);
		return;
	}
	if (row->moment == REPORT_MESSAGE) {
		numbers[MESSAGES] = row->is_accepted;
		numbers[BYTES] = row->is_accepted ? row->size : 0;
	} else {
		numbers[DELIVERED] = row->fate == FATE_DELIVERED;
		numbers[DEFERRED] = row->fate == FATE_DEFERRED;
		numbers[FAILED] = row->fate == FATE_BOUNCED || row->fate == FATE_EXPIRED;
		numbers[REJECTED] = row->fate == FATE_REJECTED;
	}
	tally_add_two(tally[0], report_hour(row->time_us, scratch), report_or_unknown(row->origin), numbers);
}

/* The columns behind the first are the same in all three. */
#define COUNTS \
	{ { "messages", "Messages", CELL_NUMBER, false }, LISTING_NUMBER, MESSAGES, 0, REPORT_ACCEPTED }, \
	{ { "bytes", "Bytes", CELL_SIZE, false }, LISTING_NUMBER, BYTES, 0, NULL }, \
	{ { "delivered", "Delivered", CELL_NUMBER, false }, LISTING_NUMBER, DELIVERED, 0, REPORT_RECIPIENTS " fate:delivered" }, \
	{ { "deferred", "Deferred", CELL_NUMBER, false }, LISTING_NUMBER, DEFERRED, 0, REPORT_RECIPIENTS " fate:deferred" }, \
	{ { "failed", "Failed", CELL_NUMBER, false }, LISTING_NUMBER, FAILED, 0, REPORT_RECIPIENTS " (fate:bounced OR fate:expired)" }, \
	{ { "rejected", "Rejected", CELL_NUMBER, false }, LISTING_NUMBER, REJECTED, 0, REPORT_RECIPIENTS " fate:rejected" },

static const struct listing_column hour_columns[] = {
	{ { "hour", "Hour (UTC)", CELL_TEXT, false }, LISTING_PART, 0, 0, REPORT_FIELD_HOUR }, COUNTS
};
static const struct listing_column day_columns[] = {
	{ { "day", "Day (UTC)", CELL_TEXT, false }, LISTING_PART, 0, 0, "on" }, COUNTS
};
static const struct listing_column origin_columns[] = {
	{ { "origin", "Origin", CELL_TEXT, false }, LISTING_PART, 0, 0, "origin" }, COUNTS
};
#undef COUNTS
enum { COLUMNS = sizeof hour_columns / sizeof hour_columns[0] };

static const struct listing listings[] = {
	{ "hours", "Traffic by hour", COLUMNS, hour_columns, "hour", "-hop:yes" },
	{ "days", "Traffic by day", COLUMNS, day_columns, "day", "-hop:yes" },
	{ "origins", "Traffic by origin", COLUMNS, origin_columns, "messages", "-hop:yes" },
};

static void show_folded(const struct listing *listing, const struct tally *tally, unsigned part, size_t length,
			const struct report_options *options, report_emit *emit, void *context)
{
	struct tally *sums = tally_fold(tally, &folded, part, length);
	struct report_options all = *options;

	/* A list of hours has no top. */
	all.top = 0;
	if (sums)
		report_show_listing(listing, sums, &all, emit, context);
	else
		emit(context, NULL);
	tally_free(sums);
}

static void show_directions(const struct tally *tally, const struct report_options *options, report_emit *emit, void *context)
{
	static const struct table_column columns[] = {
		{ "direction", "Direction", CELL_TEXT, false }, { "sent", "Sent", CELL_NUMBER, false }, { "bytes", "Bytes", CELL_SIZE, false },
		{ "deferred", "Deferred", CELL_NUMBER, false }, { "bounced", "Bounced", CELL_NUMBER, false },
	};
	struct table *table = table_new("directions", "Tries to deliver by direction", columns, sizeof columns / sizeof columns[0]);

	for (size_t i = 0; table && i < sizeof directions / sizeof directions[0]; i++) {
		const struct text name = text_of(directions[i].name);
		uint64_t numbers[DIRECTION_NUMBERS];

		if (!tally_find(tally, &name, numbers))
			continue;
		table_begin_row(table);
		table_put_text(table, name);
		for (unsigned j = 0; j < DIRECTION_NUMBERS; j++)
			table_put_number(table, numbers[j]);
		table_put_query(table, TRIES "(status:sent OR status:deferred OR " BOUNCED ") %s", directions[i].query);
		table_put_cell_query(table, 1, TRIES "status:sent %s", directions[i].query);
		table_put_cell_query(table, 3, TRIES "status:deferred %s", directions[i].query);
		table_put_cell_query(table, 4, TRIES "(" BOUNCED ") %s", directions[i].query);
	}
	if (table)
		report_sort(table, options, "sent");
	emit(context, table);
}

static void show(struct tally *const *tally, const struct report_options *options, report_emit *emit, void *context)
{
	show_folded(&listings[0], tally[0], HOUR, 0, options, emit, context);
	show_folded(&listings[1], tally[0], HOUR, DAY_LENGTH, options, emit, context);
	show_folded(&listings[2], tally[0], ORIGIN, 0, options, emit, context);
	show_directions(tally[1], options, emit, context);
}

static const enum fact asked_for[] = { FACT_MESSAGE_ORIGIN, FACT_ATTEMPT_STATUS, FACT_ATTEMPT_AGENT, FACT_ATTEMPT_RELAY_ADDR, FACT_COUNT };

const struct report report_traffic = {
	.name = "traffic", .summary = "how much mail, by hour, by day, by where it came from, and by direction: in, out, local, relay",
	.moments = REPORT_MESSAGE | REPORT_RECIPIENT | REPORT_ATTEMPT, .tally_count = 2, .tallies = tallies, .facts = asked_for, .collect = collect, .show = show,
};
