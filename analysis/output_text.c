/* output_text.c - tables for a person at a terminal: aligned, harmless, as wide as the terminal is. */
#include <stdlib.h>

#include "analysis/line.h"
#include "analysis/output.h"
#include "analysis/shell_word.h"

enum { GAP = 2, LEAST = 8, WIDEST = 200 };

/* How wide a text is when nothing is cut. */
static size_t width_of(struct line *line, struct text text)
{
	line_start(line);
	line->limit = 0;
	line_put(line, text);
	return line->columns;
}

static size_t cell_width(struct line *line, enum cell_type type, const struct cell *cell)
{
	char words[CELL_WORDS_MAX];

	if (!cell->is_known)
		return 1;
	if (type == CELL_TEXT)
		return width_of(line, cell->text);
	cell_words(type, cell->number, words);
	return strlen(words);
}

static void measure(struct line *line, const struct table *table, size_t *widths)
{
	const struct table_column *columns = table_columns(table);

	for (unsigned i = 0; i < table_column_count(table); i++) {
		widths[i] = strlen(columns[i].title);
		for (size_t row = 0; row < table_row_count(table); row++) {
			size_t width = cell_width(line, columns[i].type, &table_row(table, row)->cells[i]);

			if (width > widths[i])
				widths[i] = width < WIDEST ? width : WIDEST;
		}
	}
}

/* The columns that are shown, and how wide. */
struct layout {
	bool is_left_out[TABLE_COLUMNS_MAX];
	size_t widths[TABLE_COLUMNS_MAX];
};

static bool may_shrink(const struct table *table, const struct layout *layout, unsigned column)
{
	return table_columns(table)[column].type == CELL_TEXT && layout->widths[column] > LEAST;
}

static bool has_values(const struct table *table, unsigned column)
{
	bool is_found = false;

	for (size_t row = 0; !is_found && row < table_row_count(table); row++)
		is_found = table_row(table, row)->cells[column].is_known;
	return is_found;
}

/* The width of all; where they are shrunk as far as may be. */
static size_t width_of_all(const struct table *table, const struct layout *layout, bool is_shrunk)
{
	size_t all = 0;

	for (unsigned i = 0; i < table_column_count(table); i++)
		if (!layout->is_left_out[i])
			all += (is_shrunk && may_shrink(table, layout, i) ? LEAST : layout->widths[i]) + (all ? GAP : 0);
	return all;
}

/* What is missed least: of which nothing is known, or else the last; but for the first, and keys, with which one goes on. */
static unsigned least_needed(const struct table *table, const struct layout *layout)
{
	unsigned found = 0;

	for (unsigned i = table_column_count(table) - 1; i > 0; i--) {
		if (layout->is_left_out[i])
			continue;
		if (!has_values(table, i))
			return i;
		if (!found || table_columns(table)[found].type == CELL_KEY)
			found = i;
	}
	return found;
}

/* Leaves out columns until the others have room; then takes from the widest text column, one column after the other. */
static void fit(const struct table *table, struct layout *layout, size_t limit)
{
	unsigned which, count = table_column_count(table);

	while (width_of_all(table, layout, true) > limit && (which = least_needed(table, layout)))
		layout->is_left_out[which] = true;
	while (width_of_all(table, layout, false) > limit) {
		which = count;
		for (unsigned i = 0; i < count; i++)
			if (!layout->is_left_out[i] && may_shrink(table, layout, i) && (which == count || layout->widths[i] > layout->widths[which]))
				which = i;
		if (which == count)
			return;
		layout->widths[which]--;
	}
}

/* What a word begins with, and its colour. */
static enum line_colour colour_of(struct text text)
{
	static const struct {
		const char *begin;
		enum line_colour colour;
	} words[] = {
		{ "pass", LINE_GREEN }, { "delivered", LINE_GREEN }, { "fail", LINE_RED }, { "reject", LINE_RED },
		{ "bounced", LINE_RED }, { "expired", LINE_RED }, { "critical", LINE_RED }, { "deferred", LINE_YELLOW },
		{ "softfail", LINE_YELLOW }, { "held", LINE_YELLOW }, { "quarantine", LINE_YELLOW }, { "warning", LINE_YELLOW },
		{ "permerror", LINE_RED }, { "temperror", LINE_YELLOW }, { "aborted", LINE_YELLOW }, { "none", LINE_DIM },
		{ "unknown", LINE_DIM },
	};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		size_t length = strlen(words[i].begin);

		if (text.length >= length && memcmp(text.start, words[i].begin, length) == 0)
			return words[i].colour;
	}
	return LINE_PLAIN;
}

static void write_line(struct output_page *page, struct line *line)
{
	struct text bytes;

	/* Blanks at the end are nobody's. */
	while (line->length && line->bytes[line->length - 1] == ' ' && !line->is_cut)
		line->length--;
	bytes = line_finish(line);
	if (bytes.start)
		(void)fwrite(bytes.start, 1, bytes.length, page->file);
}

static void put_cell(struct line *line, const struct table_column *column, const struct cell *cell, size_t start, size_t width)
{
	char words[CELL_WORDS_MAX];
	enum line_colour colour = column->is_coloured && cell->is_known ? colour_of(cell->text) : LINE_PLAIN;

	if (!cell->is_known) {
		line_pad(line, column->type == CELL_TEXT ? start : start + width - 1);
		line_put_words(line, "-");
		return;
	}
	if (column->type == CELL_TEXT) {
		line_pad(line, start);
		if (colour != LINE_PLAIN)
			line_set_colour(line, colour);
		line_put_cut(line, cell->text, width);
		if (colour != LINE_PLAIN)
			line_set_colour(line, LINE_PLAIN);
		return;
	}
	cell_words(column->type, cell->number, words);
	line_pad(line, start + width - strlen(words));
	line_put_words(line, words);
}

static void put_head(struct output_page *page, struct line *line, const struct table *table, const struct layout *layout)
{
	const struct table_column *columns = table_columns(table);
	size_t start = 0;

	line_start(line);
	line_set_colour(line, LINE_DIM);
	for (unsigned i = 0; i < table_column_count(table); i++) {
		size_t width = layout->widths[i];

		if (layout->is_left_out[i])
			continue;
		line_pad(line, columns[i].type == CELL_TEXT ? start : start + width - strlen(columns[i].title));
		line_put_cut(line, text_of(columns[i].title), width);
		start += width + GAP;
	}
	line_set_colour(line, LINE_PLAIN);
	write_line(page, line);
}

/* Of a command that is copied: a backslash is one, and not two as where bytes are told; what else is escaped can be typed
 * by nobody. */
static void put_word(struct line *line, struct text word)
{
	for (const char *backslash; (backslash = memchr(word.start, '\\', word.length));) {
		size_t length = (size_t)(backslash - word.start);

		line_put(line, (struct text){ word.start, length });
		line_put_words(line, "\\");
		word = (struct text){ backslash + 1, word.length - length - 1 };
	}
	line_put(line, word);
}

/* Below its row; with the title of a number what finds just that. */
static void put_query(struct output_page *page, struct line *line, const char *title, struct text query)
{
	char *word = query.start ? shell_word_new(query) : NULL;

	if (!query.start)
		return;
	line_start(line);
	line->limit = 0;
	line_set_colour(line, LINE_DIM);
	line_put_words(line, "    ");
	if (title) {
		line_put_words(line, title);
		line_put_words(line, ": ");
	}
	line_put_words(line, "smtptrail search ");
	put_word(line, word ? text_of(word) : query);
	free(word);
	line_set_colour(line, LINE_PLAIN);
	write_line(page, line);
	line->limit = page->width;
}

static void put_row(struct output_page *page, struct line *line, const struct table *table, const struct table_row *row,
		    const struct layout *layout)
{
	const struct table_column *columns = table_columns(table);
	size_t start = 0;

	line_start(line);
	for (unsigned i = 0; i < table_column_count(table); i++) {
		if (layout->is_left_out[i])
			continue;
		put_cell(line, &columns[i], &row->cells[i], start, layout->widths[i]);
		start += layout->widths[i] + GAP;
	}
	write_line(page, line);
	if (!page->shows_queries)
		return;
	put_query(page, line, NULL, row->query);
	for (unsigned i = 0; i < table_column_count(table); i++)
		if (columns[i].type != CELL_TEXT)
			put_query(page, line, columns[i].title, row->cells[i].text);
}

static void put_title(struct output_page *page, struct line *line, const struct table *table)
{
	size_t length = strlen(table_title(table));

	if (page->table_count++)
		(void)fputc('\n', page->file);
	fprintf(page->file, "%s\n", table_title(table));
	for (size_t i = 0; i < length; i++)
		(void)fputs(page->is_ascii ? "-" : "\xe2\x94\x80", page->file);
	(void)fputc('\n', page->file);
	line->limit = page->width;
}

/* What a narrow terminal has no room for. */
static void put_left_out(struct output_page *page, struct line *line, const struct table *table, const struct layout *layout)
{
	const char *before = "too narrow for: ";

	line->limit = 0;
	line_start(line);
	line_set_colour(line, LINE_DIM);
	for (unsigned i = 0; i < table_column_count(table); i++) {
		if (!layout->is_left_out[i])
			continue;
		line_put_words(line, before);
		line_put_words(line, table_columns(table)[i].title);
		before = ", ";
	}
	line_set_colour(line, LINE_PLAIN);
	if (*before == ',')
		write_line(page, line);
}

static void text_table(struct output_page *page, const struct table *table)
{
	struct line line = { .coloured = page->is_coloured };
	struct layout layout = { .is_left_out = { false } };

	measure(&line, table, layout.widths);
	if (page->width)
		fit(table, &layout, page->width);
	put_title(page, &line, table);
	if (table_row_count(table)) {
		put_head(page, &line, table, &layout);
		for (size_t i = 0; i < table_row_count(table); i++)
			put_row(page, &line, table, table_row(table, i), &layout);
		put_left_out(page, &line, table, &layout);
	} else {
		(void)fputs("nothing\n", page->file);
	}
	line.limit = 0;
	for (size_t i = 0; i < table_note_count(table); i++) {
		line_start(&line);
		line_set_colour(&line, LINE_DIM);
		line_put(&line, table_note(table, i));
		line_set_colour(&line, LINE_PLAIN);
		write_line(page, &line);
	}
	if (table_is_short(table))
		(void)fputs("memory was short: rows are missing\n", page->file);
	line_done(&line);
}

static void text_begin(struct output_page *page)
{
	char from[CELL_WORDS_MAX], until[CELL_WORDS_MAX];

	if (!page->from_us || !page->until_us)
		return;
	cell_words(CELL_TIME, page->from_us, from);
	cell_words(CELL_TIME, page->until_us, until);
	fprintf(page->file, "%s to %s UTC\n\n", from, until);
}

static void text_end(struct output_page *page)
{
	(void)page;
}

const struct output output_text = { .name = "text", .begin = text_begin, .table = text_table, .end = text_end };
