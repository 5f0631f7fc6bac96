/* report_traffic.c - how much mail: by hour, by day, by where it came from. */
#include "analysis/report.h"

enum { MESSAGES, BYTES, DELIVERED, DEFERRED, FAILED, REJECTED, NUMBERS };
enum { HOUR, ORIGIN };

static const struct tally_info tallies[] = {
	{ "traffic", 2, NUMBERS, { TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM } },
};
static const struct tally_info folded = {
	"folded", 1, NUMBERS, { TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM },
};
enum { DAY_LENGTH = 10 };

static void collect(struct tally **tally, const struct report_row *row)
{
	uint64_t numbers[NUMBERS] = { 0 };
	char scratch[REPORT_HOUR_SIZE];

	if (row->is_hop)
		return;
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

static void show(struct tally *const *tally, const struct report_options *options, report_emit *emit, void *context)
{
	show_folded(&listings[0], tally[0], HOUR, 0, options, emit, context);
	show_folded(&listings[1], tally[0], HOUR, DAY_LENGTH, options, emit, context);
	show_folded(&listings[2], tally[0], ORIGIN, 0, options, emit, context);
}

static const enum fact asked_for[] = { FACT_MESSAGE_ORIGIN, FACT_COUNT };

const struct report report_traffic = {
	.name = "traffic", .summary = "how much mail, by hour, by day, and by where it came from",
	.moments = REPORT_MESSAGE | REPORT_RECIPIENT, .tally_count = 1, .tallies = tallies, .facts = asked_for, .collect = collect, .show = show,
};
