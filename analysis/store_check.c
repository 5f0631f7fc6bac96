/* store_check.c - SQLite's own check, then rows that must belong together, then every row's evidence. */
#include "analysis/store_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "analysis/store_evidence.h"
#include "analysis/store_schema.h"

enum { SENTENCE_MAX = 600, WHOLE_MAX = 20 };

struct checking {
	struct store_check *check;
	struct database *database;
	const char *path;
	struct problem *problem;
};

__attribute__((format(printf, 2, 3)))
static void find(const struct checking *checking, const char *format, ...)
{
	char sentence[SENTENCE_MAX];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(sentence, sizeof sentence, format, arguments);
	va_end(arguments);
	checking->check->findings++;
	checking->check->finding(checking->check->context, checking->path, sentence);
}

/* ---- the file ---- */

static int check_whole(const struct checking *checking)
{
	struct statement *row;
	char sql[64];
	int more, error;

	(void)snprintf(sql, sizeof sql, "PRAGMA integrity_check(%d)", WHOLE_MAX);
	error = statement_new(&row, checking->database, sql, checking->problem);
	if (error)
		return error;
	while ((more = statement_step(row)) > 0)
		if (!text_is(statement_text(row, 0), "ok"))
			find(checking, "%.*s", TEXT_ARGS(statement_text(row, 0)));
	if (more < 0)
		database_explain(checking->database, more, checking->problem);
	return more;
}

/* ---- what belongs together ---- */

static int check_count(const struct checking *checking, const char *what, const char *sql)
{
	int64_t count = 0;
	int error = database_number(checking->database, sql, &count, checking->problem);

	if (!error && count)
		find(checking, "%" PRId64 " %s", count, what);
	return error;
}

static int check_rows(const struct checking *checking)
{
	static const struct {
		const char *what, *sql;
	} rules[] = {
		{ "recipients have no message", "SELECT count(*) FROM recipient WHERE message_key NOT IN (SELECT key FROM message)" },
		{ "checks have no message", "SELECT count(*) FROM [check] WHERE message_key NOT IN (SELECT key FROM message)" },
		{ "attempts have no recipient", "SELECT count(*) FROM attempt AS a WHERE NOT EXISTS(SELECT 1 FROM recipient AS r"
		  " WHERE r.message_key = a.message_key AND r.number = a.recipient)" },
		/* A refusal is counted, and has no row. */
		{ "recipients lack attempts that were counted", "SELECT count(*) FROM recipient AS r WHERE r.attempts <>"
		  " (SELECT count(*) FROM attempt AS a WHERE a.message_key = r.message_key AND a.recipient = r.number)"
		  " AND r.fate NOT IN (SELECT id FROM word WHERE text = 'rejected')" },
	};
	int error = 0;

	for (size_t i = 0; i < sizeof rules / sizeof rules[0] && !error; i++)
		error = check_count(checking, rules[i].what, rules[i].sql);
	return error;
}

static int check_texts(const struct checking *checking, enum fact fact)
{
	enum store_dictionary dictionary = store_dictionary_of(fact_table[fact].type);
	const char *level = fact_level_name(fact_table[fact].level), *name = fact_table[fact].name;
	char sql[256], what[128];

	if (!fact_is_text(fact) || dictionary == DICTIONARY_COUNT)
		return 0;
	(void)snprintf(sql, sizeof sql, "SELECT count(*) FROM [%s] WHERE [%s] IS NOT NULL AND [%s] NOT IN (SELECT id FROM %s)", level,
		       name, name, store_dictionary_name(dictionary));
	(void)snprintf(what, sizeof what, "values of %s.%s have no text", level, name);
	return check_count(checking, what, sql);
}

/* ---- evidence ---- */

static bool is_good(const struct statement *row, enum fact_level level, struct stored_evidence *evidence)
{
	const unsigned fact_count = store_evidence_index(level) - store_fact_index(fact_first(level));
	struct text bytes = statement_text(row, (int)store_evidence_index(level));

	store_evidence_start(evidence, fact_count);
	for (unsigned i = 0; i < fact_count; i++)
		if (!statement_is_null(row, (int)(store_fact_index(fact_first(level)) + i)))
			evidence->facts[i] = 0;
	return bytes.start && store_evidence_decode(evidence, bytes) == 0;
}

static int new_walk(const struct checking *checking, enum fact_level level, struct statement **ret_row)
{
	char *sql = NULL;
	size_t size;
	FILE *out = open_memstream(&sql, &size);
	int error;

	if (!out)
		return -ENOMEM;
	fputs("SELECT ", out);
	error = store_print_columns(checking->database, level, NULL, out, checking->problem);
	fprintf(out, " FROM [%s]", fact_level_name(level));
	if (fclose(out) != 0)
		error = -ENOMEM;
	if (!error)
		error = statement_new(ret_row, checking->database, sql, checking->problem);
	free(sql);
	return error;
}

static int check_evidence(const struct checking *checking, enum fact_level level)
{
	static struct stored_evidence evidence;
	struct statement *row;
	uint64_t bad = 0;
	int more, error = new_walk(checking, level, &row);

	if (error)
		return error;
	while ((more = statement_step(row)) > 0)
		bad += !is_good(row, level, &evidence);
	if (more < 0)
		database_explain(checking->database, more, checking->problem);
	if (bad)
		find(checking, "%" PRIu64 " rows of %s have damaged evidence", bad, fact_level_name(level));
	return more;
}

static int check_day(const struct checking *checking)
{
	int error = check_rows(checking);

	for (int fact = 0; fact < FACT_COUNT && !error; fact++)
		error = check_texts(checking, (enum fact)fact);
	for (int level = 0; level < LEVEL_COUNT && !error; level++)
		error = check_evidence(checking, (enum fact_level)level);
	return error;
}

int store_check_file(struct store_check *check, const char *path, bool is_current, struct problem *problem)
{
	struct checking checking = { .check = check, .path = path, .problem = problem };
	int error = database_open(&checking.database, path, DATABASE_READ, problem);

	if (!error)
		error = store_schema_check(checking.database, is_current ? STORE_CURRENT : STORE_DAY, false, problem);
	if (!error)
		error = check_whole(&checking);
	if (!error && !is_current)
		error = check_day(&checking);
	database_close(checking.database);
	return error;
}
