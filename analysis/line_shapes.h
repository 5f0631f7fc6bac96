/*
 * line_shapes.h - lines counted by program and shape, each shape with the first line of it: for reports.
 *
 * Threads: one owner at a time.
 */
#ifndef SMTPTRAIL_LINE_SHAPES_H
#define SMTPTRAIL_LINE_SHAPES_H

#include "analysis/report.h"

enum { LINE_SHAPES_TALLIES = 2 };

/* Both tallies of a report that shows lines. */
extern const struct tally_info line_shapes_tallies[LINE_SHAPES_TALLIES];

void line_shapes_add(struct tally **tallies, const struct event *event);
/* The query is the begin of what finds the lines of a row. */
void line_shapes_show(struct tally *const *tallies, const char *name, const char *title, const char *query, const struct report_options *options,
		      report_emit *emit, void *context);

#endif
