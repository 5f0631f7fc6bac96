/* page_svg.c - outcomes by time as a picture, for whoever has no scripts. */
#include <stdlib.h>

#include "analysis/page_internal.h"

enum { WIDTH = 1120, HEIGHT = 160, LABELS = 18, BAR_MAX = 70 };

static uint64_t sum_of(const uint64_t *counts)
{
	uint64_t sum = 0;

	for (int fate = 0; fate < FATE_COUNT; fate++)
		sum += counts[fate];
	return sum;
}

static void put_slot(FILE *out, const struct page_slots *slots, size_t slot, const uint64_t *counts, uint64_t most)
{
	double step = (double)WIDTH / (double)slots->count, width = step * 0.9 < BAR_MAX ? step * 0.9 : BAR_MAX, y = HEIGHT;

	for (int fate = 0; fate < FATE_COUNT; fate++) {
		const char *name = fate_name((enum fate)fate);
		double height = (double)counts[fate] / (double)most * HEIGHT;

		y -= height;
		if (counts[fate])
			fprintf(out, "<rect class=\"%s\" x=\"%.0f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"></rect>", name,
				(double)slot * step + (step - width) / 2, y, width, height);
	}
}

static void put_legend(FILE *out, const uint64_t *counts)
{
	char words[CELL_WORDS_MAX];

	(void)fputs("<ul class=\"legend\">", out);
	for (int fate = 0; fate < FATE_COUNT; fate++) {
		if (!counts[fate])
			continue;
		cell_words(CELL_NUMBER, counts[fate], words);
		fprintf(out, "<li><svg viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect class=\"%s\" width=\"10\" height=\"10\"></rect></svg> %s %s</li>",
			fate_name((enum fate)fate), fate_name((enum fate)fate), words);
	}
	(void)fputs("</ul>", out);
}

static void put_picture(FILE *out, const struct page_slots *slots, uint64_t (*counts)[FATE_COUNT])
{
	uint64_t all[FATE_COUNT] = { 0 }, most = 1;

	for (size_t i = 0; i < slots->count; i++) {
		uint64_t sum = sum_of(counts[i]);

		most = sum > most ? sum : most;
		for (int fate = 0; fate < FATE_COUNT; fate++)
			all[fate] += counts[i][fate];
	}
	fprintf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Recipients by %s and outcome\">", WIDTH, HEIGHT + LABELS,
		slots->length == PAGE_DAY_LENGTH ? "day" : "hour");
	for (size_t i = 0; i < slots->count; i++)
		put_slot(out, slots, i, counts[i], most);
	if (slots->count)
		fprintf(out, "<text x=\"0\" y=\"%d\">%s</text><text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>", HEIGHT + LABELS - 4, slots->names[0],
			WIDTH, HEIGHT + LABELS - 4, slots->names[slots->count - 1]);
	(void)fputs("</svg>", out);
	put_legend(out, all);
}

void page_write_svg(const struct page *page, FILE *out)
{
	struct page_slots slots;
	uint64_t (*counts)[FATE_COUNT];

	page_slots_make(&slots, page);
	counts = calloc(slots.count + 1, sizeof *counts);
	for (size_t i = 0; counts && i < tally_count(page->outcomes); i++) {
		struct tally_row row = tally_row(page->outcomes, i);
		long slot = page_slot_of(&slots, row.parts[0]);
		enum fate fate = fate_by_name(row.parts[1]);

		if (slot >= 0 && fate != FATE_COUNT)
			counts[slot][fate] += row.numbers[0];
	}
	if (counts)
		put_picture(out, &slots, counts);
	free(counts);
	free(slots.names);
}
