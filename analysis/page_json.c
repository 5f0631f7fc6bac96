/* page_json.c - the page's data as JSON inside HTML: counts by slot of time; transactions follow. */
#include <inttypes.h>
#include <stdlib.h>

#include "analysis/page_internal.h"
#include "common/escape.h"

/* In the words of RFC 8601. */
static const char *const checks[] = { "spf", "dkim", "dmarc" };
static const char *const results[] = { "pass", "fail", "softfail", "neutral", "none", "policy", "temperror", "permerror" };
enum { CHECKS = sizeof checks / sizeof checks[0], RESULTS = sizeof results / sizeof results[0] };

/* Harmless as on a terminal: what hides or reorders text does so in a browser too. No markup, and no end of the script. */
size_t page_put_text(FILE *out, struct text text)
{
	size_t size = text.length * 4 + 1, written = 0;
	char *buffer = malloc(size);
	size_t length = buffer ? escape_into(text, buffer, size, NULL) : 0;

	for (size_t i = 0; i < length; i++) {
		char c = buffer[i];

		if (c == '<' || c == '>' || c == '&' || c == '\'')
			written += (size_t)fprintf(out, "\\u%04x", (unsigned)c);
		else
			written += (size_t)fprintf(out, c == '"' || c == '\\' ? "\\%c" : "%c", c);
	}
	free(buffer);
	return written;
}

static void put_string(FILE *out, struct text text)
{
	(void)fputc('"', out);
	(void)page_put_text(out, text);
	(void)fputc('"', out);
}

static void put_names(FILE *out, const char *member, const char *const *names, unsigned count)
{
	fprintf(out, "\"%s\":[", member);
	for (unsigned i = 0; i < count; i++) {
		(void)fputs(i ? "," : "", out);
		put_string(out, text_of(names[i]));
	}
	(void)fputs("],", out);
}

static void put_slots(FILE *out, const struct page_slots *slots)
{
	fprintf(out, "\"slot\":\"%s\",\"slots\":[", slots->length == PAGE_DAY_LENGTH ? "day" : "hour");
	for (size_t i = 0; i < slots->count; i++)
		fprintf(out, "%s\"%s\"", i ? "," : "", slots->names[i]);
	(void)fputs("],", out);
}

static int name_index(struct text name, const char *const *names, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (text_is(name, names[i]))
			return (int)i;
	return -1;
}

/* [slot, index of a name, count], ... */
static void put_named_cells(FILE *out, const char *member, const struct tally *tally, const struct page_slots *slots,
			    const char *const *names, unsigned count)
{
	const char *separator = "";

	fprintf(out, "\"%s\":[", member);
	for (size_t i = 0; i < tally_count(tally); i++) {
		struct tally_row row = tally_row(tally, i);
		long slot = page_slot_of(slots, row.parts[0]);
		int index = name_index(row.parts[1], names, count);

		if (slot < 0 || index < 0)
			continue;
		fprintf(out, "%s[%ld,%d,%" PRId64 "]", separator, slot, index, (int64_t)row.numbers[0]);
		separator = ",";
	}
	(void)fputs("],", out);
}

static void put_delays(FILE *out, const struct tally *tally, const struct page_slots *slots)
{
	const char *separator = "";

	(void)fputs("\"edges\":[", out);
	for (int i = 0; i < PAGE_BUCKETS; i++)
		fprintf(out, "%s%g", i ? "," : "", page_delay_edges[i]);
	(void)fputs("],\"delays\":[", out);
	for (size_t i = 0; i < tally_count(tally); i++) {
		struct tally_row row = tally_row(tally, i);
		long slot = page_slot_of(slots, row.parts[0]);

		if (slot < 0 || !row.parts[1].length)
			continue;
		fprintf(out, "%s[%ld,%.*s", separator, slot, TEXT_ARGS(row.parts[1]));
		for (int j = 0; j < PAGE_DELAY_NUMBERS; j++)
			fprintf(out, ",%" PRIu64, row.numbers[j]);
		(void)fputc(']', out);
		separator = ",";
	}
	(void)fputs("],", out);
}

/* ---- authentication ---- */

/* The domains with the most mail; the others are one. */
static struct table *top_domains(const struct tally *auth)
{
	static const struct tally_info sums = { "sums", 1, 1, { TALLY_SUM } };
	static const struct table_column columns[] = { { "d", "d", CELL_TEXT, false }, { "n", "n", CELL_NUMBER, false } };
	struct tally *folded = tally_fold(auth, &sums, 1, 0);
	struct table *table = table_new("domains", "", columns, 2);

	for (size_t i = 0; folded && table && i < tally_count(folded); i++) {
		struct tally_row row = tally_row(folded, i);

		if (text_is(row.parts[0], TALLY_OTHERS))
			continue;
		table_begin_row(table);
		table_put_text(table, row.parts[0]);
		table_put_number(table, row.numbers[0]);
	}
	tally_free(folded);
	if (table)
		table_sort(table, 1, PAGE_DOMAINS_MAX);
	return table;
}

/* Sums by slot, domain, check and result: many small domains are one. */
static uint64_t *sum_auth(const struct tally *auth, const struct page_slots *slots, const struct table *domains, size_t count)
{
	uint64_t *sums = calloc((slots->count + 1) * (count + 1), sizeof *sums * CHECKS * RESULTS);

	for (size_t i = 0; sums && i < tally_count(auth); i++) {
		struct tally_row row = tally_row(auth, i);
		const char *space = row.parts[2].length ? memchr(row.parts[2].start, ' ', row.parts[2].length) : NULL;
		size_t length = space ? (size_t)(space - row.parts[2].start) : 0, domain = 0;
		int check = name_index((struct text){ row.parts[2].start, length }, checks, CHECKS);
		int result = space ? name_index((struct text){ space + 1, row.parts[2].length - length - 1 }, results, RESULTS) : -1;
		long slot = page_slot_of(slots, row.parts[0]);

		while (domain < count && !text_equal(table_row(domains, domain)->cells[0].text, row.parts[1]))
			domain++;
		if (slot >= 0 && check >= 0 && result >= 0)
			sums[(((size_t)slot * (count + 1) + domain) * CHECKS + (size_t)check) * RESULTS + (size_t)result] += row.numbers[0];
	}
	return sums;
}

/* [slot, domain, check, result, count], ... */
static void put_auth(FILE *out, const struct tally *auth, const struct page_slots *slots)
{
	struct table *domains = top_domains(auth);
	size_t count = domains ? table_row_count(domains) : 0, cells = slots->count * (count + 1) * CHECKS * RESULTS;
	uint64_t *sums = sum_auth(auth, slots, domains, count);
	const char *separator = "";

	put_names(out, "checks", checks, CHECKS);
	put_names(out, "results", results, RESULTS);
	(void)fputs("\"domains\":[", out);
	for (size_t i = 0; i < count; i++) {
		put_string(out, table_row(domains, i)->cells[0].text);
		(void)fputc(',', out);
	}
	(void)fputs("\"" TALLY_OTHERS "\"],\"auth\":[", out);
	for (size_t i = 0; sums && i < cells; i++) {
		if (!sums[i])
			continue;
		fprintf(out, "%s[%zu,%zu,%zu,%zu,%" PRIu64 "]", separator, i / RESULTS / CHECKS / (count + 1), i / RESULTS / CHECKS % (count + 1),
			i / RESULTS % CHECKS, i % RESULTS, sums[i]);
		separator = ",";
	}
	(void)fputs("],", out);
	free(sums);
	table_free(domains);
}

static void put_counts(const struct page *page, FILE *out)
{
	const char *fates[FATE_COUNT];
	struct page_slots slots;

	for (int i = 0; i < FATE_COUNT; i++)
		fates[i] = fate_name((enum fate)i);
	page_slots_make(&slots, page);
	put_slots(out, &slots);
	put_names(out, "fates", fates, FATE_COUNT);
	put_named_cells(out, "outcomes", page->outcomes, &slots, fates, FATE_COUNT);
	put_names(out, "stages", page_stage_names, PAGE_STAGES);
	put_named_cells(out, "funnel", page->funnel, &slots, page_stage_names, PAGE_STAGES);
	put_delays(out, page->delays, &slots);
	put_auth(out, page->auth, &slots);
	free(slots.names);
}

/* Transactions have the room that the counts leave. */
void page_write_data(const struct page *page, FILE *out)
{
	char *counts = NULL;
	size_t size = 0;
	FILE *counts_out = open_memstream(&counts, &size);

	if (counts_out) {
		put_counts(page, counts_out);
		(void)fclose(counts_out);
	}
	(void)fputc('{', out);
	(void)fwrite(counts ? counts : "", 1, counts ? size : 0, out);
	page_put_transactions(page, out, size < PAGE_DATA_MAX ? PAGE_DATA_MAX - size : 0);
	(void)fputc('}', out);
	free(counts);
}
