/* report_unknown.c - what was not understood, by shape. */
#include "analysis/line_shapes.h"

static void collect(struct tally **tallies, const struct report_row *row)
{
	if (!row->event->kind)
		line_shapes_add(tallies, row->event);
}

static void show(struct tally *const *tallies, const struct report_options *options, report_emit *emit, void *context)
{
	line_shapes_show(tallies, "unknown", "Not understood", "is:line understood:no", options, emit, context);
}

static const enum fact asked_for[] = { FACT_COUNT };

const struct report report_unknown = {
	.name = "unknown", .summary = "lines that were not understood, by shape, with the first line of each",
	.moments = REPORT_LINE, .is_problem = true, .tally_count = LINE_SHAPES_TALLIES, .tallies = line_shapes_tallies, .facts = asked_for, .collect = collect, .show = show,
};
