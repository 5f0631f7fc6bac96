/* show_facts.c - facts for persons and programs. */
#include "analysis/show_facts.h"

#include <inttypes.h>
#include <stdlib.h>

#include "analysis/show_event.h"
#include "analysis/table.h"
#include "common/escape.h"
#include "common/record.h"

static enum cell_type cell_of(enum fact_type type)
{
	switch (type) {
	case FACT_SIZE: return CELL_SIZE;
	case FACT_DURATION: return CELL_DURATION;
	case FACT_TIME: return CELL_TIME;
	case FACT_TEXT:
	case FACT_ADDRESS:
	case FACT_WORD:
	case FACT_IP:
	case FACT_LIST:
	case FACT_NUMBER: break;
	}
	return CELL_NUMBER;
}

static void show_value(const struct fact_value *value, FILE *out)
{
	char words[CELL_WORDS_MAX];
	enum fact_type type = fact_table[value->fact].type;

	if (fact_is_text(value->fact)) {
		/* A login name is of that type too, and stands in no envelope. */
		bool is_envelope = type == FACT_ADDRESS && value->fact != FACT_SESSION_AUTH_AUTHEN &&
				   value->fact != FACT_LOGIN_AUTH_AUTHEN;

		(void)fputs(is_envelope ? "<" : "", out);
		escape_terminal(value->text, out);
		fprintf(out, "%s%s", value->is_cut ? "..." : "", is_envelope ? ">" : "");
	} else if (type == FACT_NUMBER) {
		fprintf(out, "%" PRIu64, value->number);
	} else {
		cell_words(cell_of(type), value->number, words);
		(void)fputs(words, out);
	}
}

void show_fact(const struct facts *facts, enum fact fact, FILE *out)
{
	struct fact_value value;

	if (!facts_find(facts, fact, &value))
		return;
	fprintf(out, " %s=", fact_table[fact].name);
	show_value(&value, out);
}

/* ---- in an order that does not depend on what came first ---- */

static int compare_places(const struct evidence *a, const struct evidence *b)
{
	if (a->source != b->source)
		return a->source < b->source ? -1 : 1;
	if (a->major != b->major)
		return a->major < b->major ? -1 : 1;
	if (a->minor != b->minor)
		return a->minor < b->minor ? -1 : 1;
	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return (a->is_unsure > b->is_unsure) - (a->is_unsure < b->is_unsure);
}

static int by_fact(const void *a, const void *b)
{
	const struct fact_value *left = a, *right = b;

	return (int)left->fact - (int)right->fact;
}

static int by_place(const void *a, const void *b)
{
	const struct fact_value *left = a, *right = b;
	int order = compare_places(&left->evidence, &right->evidence);

	return order ? order : by_fact(a, b);
}

static unsigned collect(const struct facts *facts, struct fact_value *values,
			int (*compare)(const void *, const void *))
{
	struct facts_walk walk;
	unsigned count = 0;

	facts_walk_start(&walk, facts);
	while (count < FACT_COUNT && facts_walk_next(&walk, &values[count]))
		count++;
	if (count)
		qsort(values, count, sizeof *values, compare);
	return count;
}

/* Whether this value rests on another piece than the one before it. */
static bool begins_piece(const struct fact_value *values, unsigned i)
{
	return i == 0 || compare_places(&values[i].evidence, &values[i - 1].evidence) != 0;
}

/* ---- a piece after the other ---- */

static void end_piece(const struct evidence *evidence, const struct source_table *sources, FILE *out)
{
	(void)fputs(": ", out);
	source_print(sources, evidence, out);
	fprintf(out, ", by %s%s\n", join_key_name((enum join_key)evidence->key),
		evidence->is_unsure ? "; not sure, another reading was possible" : "");
}

void show_evidence(const struct facts *facts, const struct source_table *sources, const char *indent,
		   FILE *out)
{
	struct fact_value values[FACT_COUNT];
	unsigned count = collect(facts, values, by_place);

	for (unsigned i = 0; i < count; i++) {
		fprintf(out, "%s%s", begins_piece(values, i) ? indent : ", ",
			fact_table[values[i].fact].name);
		if (i + 1 == count || begins_piece(values, i + 1))
			end_piece(&values[i].evidence, sources, out);
	}
}

void show_proof(const struct evidence *evidence, const struct source_table *sources, FILE *out)
{
	source_print(sources, evidence, out);
	fprintf(out, ", by %s%s", join_key_name((enum join_key)evidence->key),
		evidence->is_unsure ? ": not sure, another reading was possible" : "");
}

/* ---- JSON ---- */

static void put_value(const struct fact_value *value, FILE *out)
{
	char words[TIME_TEXT_SIZE];

	if (fact_is_text(value->fact)) {
		show_json_string(out, value->text);
	} else if (fact_table[value->fact].type == FACT_TIME) {
		time_format(value->number, words);
		fprintf(out, "\"%s\"", words);
	} else {
		fprintf(out, "%" PRIu64, value->number);
	}
}

static void put_place(const struct evidence *evidence, const struct source_table *sources, FILE *out)
{
	source_print_json(sources, evidence, out);
	fprintf(out, ",\"by\":\"%s\",\"is_sure\":%s}", join_key_name((enum join_key)evidence->key),
		evidence->is_unsure ? "false" : "true");
}

void show_proof_json(const struct evidence *evidence, const struct source_table *sources, FILE *out)
{
	(void)fputc('{', out);
	put_place(evidence, sources, out);
}

static void end_json_piece(const struct evidence *evidence, const struct source_table *sources, FILE *out)
{
	(void)fputs("],", out);
	put_place(evidence, sources, out);
}

static void put_evidence(const struct facts *facts, const struct source_table *sources, FILE *out)
{
	struct fact_value values[FACT_COUNT];
	unsigned count = collect(facts, values, by_place);

	(void)fputs(",\"evidence\":[", out);
	for (unsigned i = 0; i < count; i++) {
		if (begins_piece(values, i))
			fprintf(out, "%s{\"facts\":[", i ? "," : "");
		fprintf(out, "%s\"%s\"", begins_piece(values, i) ? "" : ",", fact_table[values[i].fact].name);
		if (i + 1 == count || begins_piece(values, i + 1))
			end_json_piece(&values[i].evidence, sources, out);
	}
	(void)fputc(']', out);
}

void show_facts_json(const struct facts *facts, const struct source_table *sources, FILE *out)
{
	struct fact_value values[FACT_COUNT];
	unsigned count = collect(facts, values, by_fact);

	for (unsigned i = 0; i < count; i++) {
		fprintf(out, ",\"%s\":", fact_table[values[i].fact].name);
		put_value(&values[i], out);
	}
	if (sources)
		put_evidence(facts, sources, out);
}
