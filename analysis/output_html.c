/*
 * output_html.c - one page that needs nothing else: no network, no file beside it. Its tables and a picture are plain HTML;
 * page.js makes panels of the data where scripts run, and its policy lets no other script and no request happen.
 */
#include <openssl/evp.h>
#include <stdlib.h>

#include "analysis/output.h"
#include "analysis/page.h"
#include "analysis/shell_word.h"
#include "common/escape.h"

static const char style[] =
#include "analysis/page_css.inc"
;
static const char script[] =
#include "analysis/page_js.inc"
;

/* ---- text ---- */

/* Harmless as on a terminal, and no markup. */
static void put_text(FILE *out, struct text text)
{
	size_t size = text.length * 4 + 1;
	char *buffer = malloc(size);
	size_t length = buffer ? escape_into(text, buffer, size, NULL) : 0;

	for (size_t i = 0; i < length; i++) {
		switch (buffer[i]) {
		case '<': (void)fputs("&lt;", out); break;
		case '>': (void)fputs("&gt;", out); break;
		case '&': (void)fputs("&amp;", out); break;
		case '"': (void)fputs("&quot;", out); break;
		case '\'': (void)fputs("&#39;", out); break;
		default: (void)fputc(buffer[i], out);
		}
	}
	free(buffer);
}

/* "'sha256-...'" of an element's text: the policy names it. */
static void put_digest(FILE *out, const char *text, size_t length)
{
	unsigned char digest[EVP_MAX_MD_SIZE], base64[EVP_MAX_MD_SIZE * 2];
	unsigned size = 0;

	if (EVP_Digest(text, length, digest, &size, EVP_sha256(), NULL) != 1)
		return;
	(void)EVP_EncodeBlock(base64, digest, (int)size);
	fprintf(out, "'sha256-%s'", (const char *)base64);
}

static void put_word(FILE *out, const char *path)
{
	char *word = shell_word_new(text_of(path));

	put_text(out, text_of(word ? word : ""));
	free(word);
}

/* What the page's commands read. */
static void put_sources(struct output_page *page)
{
	if (page->store) {
		(void)fputs("--store ", page->file);
		put_word(page->file, page->store);
	}
	for (size_t i = 0; i < page->file_count; i++) {
		(void)fputs(i ? " " : "", page->file);
		if (strcmp(page->files[i], "-") != 0)
			put_word(page->file, page->files[i]);
	}
}

/* ---- parts ---- */

static void put_span(struct output_page *page)
{
	char from[CELL_WORDS_MAX], until[CELL_WORDS_MAX];

	if (!page->from_us || !page->until_us)
		return;
	cell_words(CELL_TIME, page->from_us, from);
	cell_words(CELL_TIME, page->until_us, until);
	fprintf(page->file, "%s to %s UTC", from, until);
}

static void html_begin(struct output_page *page)
{
	FILE *out = page->file;

	(void)fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
		    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; base-uri 'none'; form-action 'none'; style-src ", out);
	put_digest(out, style, sizeof style - 1);
	(void)fputs("; script-src ", out);
	put_digest(out, script, sizeof script - 1);
	(void)fputs("\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n"
		    "<title>smtptrail ", out);
	put_text(out, text_of(page->verb));
	(void)fputs("</title>\n<style>", out);
	(void)fwrite(style, 1, sizeof style - 1, out);
	(void)fputs("</style></head>\n<body data-query=\"", out);
	put_text(out, text_of(page->query));
	(void)fputs("\" data-files=\"", out);
	put_sources(page);
	(void)fputs("\">\n<header><div><h1>smtptrail ", out);
	put_text(out, text_of(page->verb));
	(void)fputs("</h1><span class=\"dim\">", out);
	put_span(page);
	if (page->query[0]) {
		(void)fputs(" &middot; <code>", out);
		put_text(out, text_of(page->query));
		(void)fputs("</code>", out);
	}
	(void)fputs("</span></div></header>\n<main>\n", out);
	if (page->data) {
		(void)fputs("<div id=\"static\"><section><h2>Outcomes</h2>", out);
		page_write_svg(page->data, out);
		(void)fputs("</section></div>\n", out);
	}
}

static void put_cell(FILE *out, const struct table_column *column, const struct cell *cell)
{
	char words[CELL_WORDS_MAX];

	if (column->type == CELL_TEXT) {
		(void)fputs("<td>", out);
		if (cell->is_known)
			put_text(out, cell->text);
	} else if (!cell->is_known) {
		(void)fputs("<td class=\"number\" data-value=\"-1\">", out);
	} else {
		cell_words(column->type, cell->number, words);
		fprintf(out, "<td class=\"number\" data-value=\"%llu\">%s", (unsigned long long)cell->number, words);
	}
	(void)fputs("</td>", out);
}

static void html_table(struct output_page *page, const struct table *table)
{
	const struct table_column *columns = table_columns(table);
	FILE *out = page->file;

	(void)fputs("<section><table class=\"report\"><caption>", out);
	put_text(out, text_of(table_title(table)));
	(void)fputs("</caption><thead><tr>", out);
	for (unsigned i = 0; i < table_column_count(table); i++) {
		fprintf(out, "<th scope=\"col\"%s>", columns[i].type == CELL_TEXT ? "" : " class=\"number\"");
		put_text(out, text_of(columns[i].title));
		(void)fputs("</th>", out);
	}
	(void)fputs("</tr></thead><tbody>\n", out);
	for (size_t row = 0; row < table_row_count(table); row++) {
		const struct table_row *cells = table_row(table, row);

		(void)fputs("<tr", out);
		if (cells->query.start) {
			(void)fputs(" data-query=\"", out);
			put_text(out, cells->query);
			(void)fputc('"', out);
		}
		(void)fputc('>', out);
		for (unsigned i = 0; i < table_column_count(table); i++)
			put_cell(out, &columns[i], &cells->cells[i]);
		(void)fputs("</tr>\n", out);
	}
	(void)fputs("</tbody></table>", out);
	for (size_t i = 0; i < table_note_count(table); i++) {
		(void)fputs("<p class=\"note\">", out);
		put_text(out, table_note(table, i));
		(void)fputs("</p>", out);
	}
	if (!table_row_count(table))
		(void)fputs("<p class=\"note\">nothing</p>", out);
	(void)fputs("</section>\n", out);
}

static void html_end(struct output_page *page)
{
	(void)fputs("</main>\n", page->file);
	if (page->data) {
		(void)fputs("<script type=\"application/json\" id=\"data\">", page->file);
		page_write_data(page->data, page->file);
		(void)fputs("</script>\n", page->file);
	}
	(void)fputs("<script>", page->file);
	(void)fwrite(script, 1, sizeof script - 1, page->file);
	(void)fputs("</script>\n</body></html>\n", page->file);
}

const struct output output_html = { .name = "html", .begin = html_begin, .table = html_table, .end = html_end };
