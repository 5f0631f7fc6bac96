/* line_shapes.c - lines counted by program and shape. */
#include "analysis/line_shapes.h"

#include <inttypes.h>
#include <stdio.h>

#include "analysis/shapes.h"

enum { COUNT, NUMBERS };
enum { PROGRAM, SHAPE, SAMPLE, PLACE };
enum { PLACE_MAX = 200 };

const struct tally_info line_shapes_tallies[LINE_SHAPES_TALLIES] = {
	{ "line_shapes", 2, NUMBERS, { TALLY_SUM } },
	{ "line_samples", 4, NUMBERS, { TALLY_SUM } },
};

void line_shapes_add(struct tally **tallies, const struct event *event)
{
	char mask[SHAPES_TEXT_MAX], place[PLACE_MAX];
	struct text parts[] = {
		[PROGRAM] = report_or_unknown(event->frame.process), [SHAPE] = { mask, shape_mask(event->frame.message, mask, sizeof mask) },
		[SAMPLE] = event->frame.message, [PLACE] = TEXT_NONE,
	};

	if (tally_index(tallies[0], parts) == SIZE_MAX) {
		int length = snprintf(place, sizeof place, "%s:%" PRIu64, event->file ? event->file : "", event->line);

		parts[PLACE] = (struct text){ place, length < PLACE_MAX ? (size_t)length : PLACE_MAX - 1 };
		tally_add(tallies[1], parts, (uint64_t[NUMBERS]){ 1 });
	}
	tally_add(tallies[0], parts, (uint64_t[NUMBERS]){ 1 });
}

static struct tally_row sample_of(const struct tally *samples, const struct table_row *row)
{
	for (size_t i = 0; i < tally_count(samples); i++) {
		struct tally_row sample = tally_row(samples, i);

		if (text_equal(sample.parts[PROGRAM], row->cells[0].text) && text_equal(sample.parts[SHAPE], row->cells[2].text))
			return sample;
	}
	return (struct tally_row){ .numbers = { 0 } };
}

void line_shapes_show(struct tally *const *tallies, const char *name, const char *title, const char *query, const struct report_options *options,
		      report_emit *emit, void *context)
{
	static const struct listing_column by_count[] = {
		{ { "process", "Program", CELL_TEXT, false }, LISTING_PART, PROGRAM, 0, NULL },
		{ { "count", "Lines", CELL_NUMBER, false }, LISTING_NUMBER, COUNT, 0, NULL },
		{ { "shape", "Shape", CELL_TEXT, false }, LISTING_PART, SHAPE, 0, NULL },
	};
	static const struct table_column columns[] = {
		{ "process", "Program", CELL_TEXT, false }, { "count", "Lines", CELL_NUMBER, false }, { "sample", "The first of them", CELL_TEXT, false },
		{ "place", "Where", CELL_TEXT, false },
	};
	const struct listing listing = { name, title, sizeof by_count / sizeof by_count[0], by_count, "count", NULL };
	struct table *order = NULL, *table;

	report_show_listing(&listing, tallies[0], options, report_keep, &order);
	table = table_new(name, title, columns, sizeof columns / sizeof columns[0]);
	for (size_t i = 0; order && table && i < table_row_count(order); i++) {
		const struct table_row *row = table_row(order, i);
		struct tally_row sample = sample_of(tallies[1], row);

		table_begin_row(table);
		table_put_text(table, row->cells[0].text);
		table_put_number(table, row->cells[1].number);
		table_put_text(table, sample.parts[SAMPLE].start ? sample.parts[SAMPLE] : row->cells[2].text);
		table_put_text(table, sample.parts[PLACE]);
		table_put_query(table, "%s", query);
		report_put_query(table, "process", row->cells[0].text);
		report_put_query(table, "shape", row->cells[2].text);
	}
	for (size_t i = 0; order && table && i < table_note_count(order); i++)
		table_put_note(table, "%.*s", TEXT_ARGS(table_note(order, i)));
	table_free(order);
	emit(context, table);
}
