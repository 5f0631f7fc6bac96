/* store_forget.c - SQL that follows from the table of facts: which columns hold addresses, and which may mention one. */
#include "analysis/store_forget.h"

#include <errno.h>
#include <stdlib.h>

#include "analysis/store_dictionary.h"
#include "analysis/store_rollup.h"

enum { SQL_SIZE = 1024, PASSES_MAX = 1000 };

struct forgetting {
	struct database *database;
	const struct store_forget *what;
	struct store_forgotten *counts;
	uint64_t pseudonym;		/* its number among addresses */
	struct problem *problem;
};

/* ?1: the address; ?2: the pseudonym. ret_changes may be NULL. */
static int run(const struct forgetting *forgetting, const char *sql, uint64_t *ret_changes)
{
	struct statement *statement;
	int error = statement_new(&statement, forgetting->database, sql, forgetting->problem);

	if (error)
		return error;
	if (strstr(sql, "?1"))
		statement_bind_text(statement, 1, forgetting->what->address);
	if (strstr(sql, "?2"))
		statement_bind_text(statement, 2, text_of(forgetting->what->pseudonym));
	if (strstr(sql, "?3"))
		statement_bind_number(statement, 3, forgetting->pseudonym);
	error = statement_run(statement);
	if (error)
		database_explain(forgetting->database, error, forgetting->problem);
	else if (ret_changes)
		*ret_changes += database_changes(forgetting->database);
	return error;
}

static int run_all(const struct forgetting *forgetting, const char *const *sql, size_t count, uint64_t *changes)
{
	int error = 0;

	for (size_t i = 0; i < count && !error; i++)
		error = run(forgetting, sql[i], changes);
	return error;
}

#define RUN_ALL(forgetting, list, changes) run_all(forgetting, list, sizeof(list) / sizeof((list)[0]), changes)

/* ---- erasing ---- */

/* What is this person's alone. Its rows are gathered first. */
static int erase(const struct forgetting *forgetting)
{
	static const char *const gather[] = {
		"CREATE TEMP TABLE person AS SELECT id FROM main.address WHERE lower(CAST(text AS TEXT)) = lower(?1)",
		"CREATE TEMP TABLE theirs AS SELECT message_key, number FROM main.recipient"
		" WHERE [to] IN (SELECT id FROM person) OR orig_to IN (SELECT id FROM person)",
		"CREATE TEMP TABLE gone AS SELECT key, session_key FROM main.message"
		" WHERE [from] IN (SELECT id FROM person) OR return_path IN (SELECT id FROM person)"
		" OR key IN (SELECT message_key FROM theirs) AND NOT EXISTS(SELECT 1 FROM main.recipient AS other"
		" WHERE other.message_key = message.key AND NOT EXISTS(SELECT 1 FROM theirs WHERE theirs.message_key = other.message_key"
		" AND theirs.number = other.number))",
	};
	static const char *const delete[] = {
		"DELETE FROM main.attempt WHERE message_key IN (SELECT key FROM gone) OR EXISTS(SELECT 1 FROM theirs"
		" WHERE theirs.message_key = attempt.message_key AND theirs.number = attempt.recipient)",
		"DELETE FROM main.recipient WHERE message_key IN (SELECT key FROM gone) OR EXISTS(SELECT 1 FROM theirs"
		" WHERE theirs.message_key = recipient.message_key AND theirs.number = recipient.number)",
		"DELETE FROM main.[check] WHERE message_key IN (SELECT key FROM gone)",
		"DELETE FROM main.message WHERE key IN (SELECT key FROM gone)",
		"DELETE FROM main.session WHERE key IN (SELECT session_key FROM gone) AND NOT EXISTS(SELECT 1 FROM main.message"
		" WHERE session_key = session.key)",
		"DELETE FROM main.login WHERE auth_authen IN (SELECT id FROM person)",
	};
	int error = RUN_ALL(forgetting, gather, NULL);

	if (!error)
		error = RUN_ALL(forgetting, delete, &forgetting->counts->rows);
	return error ? error : database_run(forgetting->database, "DROP TABLE person; DROP TABLE theirs; DROP TABLE gone",
					    forgetting->problem);
}

/* ---- a pseudonym ---- */

static int rename_column(const struct forgetting *forgetting, enum fact fact)
{
	char sql[SQL_SIZE];

	(void)snprintf(sql, sizeof sql, "UPDATE [%s] SET [%s]=?3 WHERE [%s] IN"
		       " (SELECT id FROM address WHERE lower(CAST(text AS TEXT)) = lower(?1) AND id <> ?3)",
		       fact_level_name(fact_table[fact].level), fact_table[fact].name, fact_table[fact].name);
	return run(forgetting, sql, &forgetting->counts->values);
}

/* The first place of it in each text; again, until there is none. What is no text is replaced whole. */
static int replace(const struct forgetting *forgetting, const char *table, const char *column)
{
	char sql[SQL_SIZE];
	uint64_t first = 0, changes = 1;
	int error = 0;

	(void)snprintf(sql, sizeof sql, "UPDATE OR IGNORE [%s] SET [%s] = CASE typeof([%s]) WHEN 'blob' THEN ?2 ELSE"
		       " substr([%s], 1, instr(lower([%s]), lower(?1)) - 1) || ?2 ||"
		       " substr([%s], instr(lower([%s]), lower(?1)) + length(?1)) END"
		       " WHERE instr(lower(CAST([%s] AS TEXT)), lower(?1)) > 0",
		       table, column, column, column, column, column, column, column);
	for (unsigned i = 0; i < PASSES_MAX && changes && !error; i++) {
		changes = 0;
		error = run(forgetting, sql, &changes);
		if (i == 0)
			first = changes;
	}
	forgetting->counts->texts += first;
	return error;
}

static int count_left(const struct forgetting *forgetting, const char *table, const char *column)
{
	char sql[SQL_SIZE];
	struct statement *statement;
	int more, error;

	(void)snprintf(sql, sizeof sql, "SELECT count(*) FROM [%s] WHERE instr(lower(CAST([%s] AS TEXT)), lower(?1)) > 0", table,
		       column);
	error = statement_new(&statement, forgetting->database, sql, forgetting->problem);
	if (error)
		return error;
	statement_bind_text(statement, 1, forgetting->what->address);
	more = statement_step(statement);
	if (more > 0)
		forgetting->counts->left += statement_number(statement, 0);
	statement_reset(statement);
	return more < 0 ? more : 0;
}

/* A text of its own, in a row of its level or of the words. */
static int forget_texts(const struct forgetting *forgetting,
			int (*treat)(const struct forgetting *forgetting, const char *table, const char *column))
{
	int error = treat(forgetting, store_dictionary_name(DICTIONARY_WORD), "text");

	if (!error)
		error = treat(forgetting, store_dictionary_name(DICTIONARY_ADDRESS), "text");
	for (int fact = 0; fact < FACT_COUNT && !error; fact++)
		if (fact_table[fact].type == FACT_TEXT)
			error = treat(forgetting, fact_level_name(fact_table[fact].level), fact_table[fact].name);
	return error;
}

static int number_pseudonym(struct forgetting *forgetting)
{
	struct store_dictionaries *dictionaries = NULL;
	int error = store_dictionary_new(&dictionaries, forgetting->database, true, forgetting->problem);

	if (!error)
		error = store_dictionary_number(dictionaries, DICTIONARY_ADDRESS, text_of(forgetting->what->pseudonym),
						&forgetting->pseudonym);
	store_dictionary_free(dictionaries);
	return error;
}

static int forget(struct forgetting *forgetting)
{
	int error = forgetting->what->erases ? erase(forgetting) : 0;

	if (!error)
		error = number_pseudonym(forgetting);
	for (int fact = 0; fact < FACT_COUNT && !error; fact++)
		if (fact_table[fact].type == FACT_ADDRESS)
			error = rename_column(forgetting, (enum fact)fact);
	if (!error)
		error = run(forgetting, "DELETE FROM address WHERE lower(CAST(text AS TEXT)) = lower(?1)", NULL);
	if (!error)
		error = forget_texts(forgetting, replace);
	return error ? error : forget_texts(forgetting, count_left);
}

int store_forget_day(const char *path, const struct store_forget *what, struct store_forgotten *counts, struct problem *problem)
{
	struct forgetting forgetting = { .what = what, .counts = counts, .problem = problem };
	int error = database_open(&forgetting.database, path, DATABASE_WRITE, problem);

	if (!error)
		error = store_schema_check(forgetting.database, STORE_DAY, true, problem);
	/* What is deleted is overwritten. */
	if (!error)
		error = database_run(forgetting.database, "PRAGMA secure_delete=ON", problem);
	if (!error)
		error = database_begin(forgetting.database, problem);
	if (!error)
		error = forget(&forgetting);
	/* What was counted names him too. */
	if (!error)
		error = database_run(forgetting.database, STORE_ROLLUP_DROP, problem);
	if (!error)
		error = database_commit(forgetting.database, problem);
	if (forgetting.database)
		database_rollback(forgetting.database);
	if (!error)
		error = database_pack(forgetting.database, problem);
	database_close(forgetting.database);
	return error;
}
