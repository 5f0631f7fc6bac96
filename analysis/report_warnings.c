/* report_warnings.c - what the MTA and its companions warn of, by shape. */
#include "analysis/line_shapes.h"

static void collect(struct tally **tallies, const struct report_row *row)
{
	/* Failed logins have a report of their own. */
	if (row->event->kind && event_kind_id(row->event->kind) != EVENT_AUTH_FAILED)
		line_shapes_add(tallies, row->event);
}

static void show(struct tally *const *tallies, const struct report_options *options, report_emit *emit, void *context)
{
	line_shapes_show(tallies, "warnings", "Warnings", "is:line understood:yes", options, emit, context);
}

static const enum fact asked_for[] = { FACT_COUNT };

const struct report report_warnings = {
	.name = "warnings", .summary = "what the MTA and its companions warn of, by shape, with the first line of each",
	.moments = REPORT_LINE, .is_problem = true, .tally_count = LINE_SHAPES_TALLIES, .tallies = line_shapes_tallies, .facts = asked_for, .collect = collect, .show = show,
};
