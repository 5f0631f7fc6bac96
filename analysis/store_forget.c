/* store_forget.c - SQL that follows from the table of facts: which columns hold addresses, and which may mention one. */
#include "analysis/store_forget.h"

#include <errno.h>
#include <stdlib.h>

#include "analysis/store_dictionary.h"
#include "analysis/store_rollup.h"

enum { SQL_SIZE = 1024 };

/* What SQL asks of a text, by named(which, text), and gets of it, by renamed(which, text). */
enum naming {
	NAMING_WHOLE,			/* it is the person */
	NAMING_VALUE,			/* it is a login name, or has the address inside */
	NAMING_INSIDE,			/* it has the address inside */
	NAMING_WORD,			/* it has a login name as a word */
};

struct forgetting {
	struct database *database;
	const struct store_forget *what;
	struct store_forgotten *counts;
	struct store_dictionaries *dictionaries;
	char *changed;			/* what renamed() lends */
	struct problem *problem;
};

/* ---- what SQL calls ---- */

static bool is_named(const void *context, uint64_t which, const struct database_value *value)
{
	const struct person *person = &((const struct forgetting *)context)->what->person;

	if (!value->is_text)
		return false;
	switch (which) {
	case NAMING_WHOLE: return person_is(person, value->text);
	case NAMING_VALUE: return person_is_login(person, value->text) || person_find(person, value->text).start;
	case NAMING_INSIDE: return person_find(person, value->text).start;
	default: return person_has_word(person, value->text);
	}
}

/* A bounce address says = for the @ inside. */
static size_t write_pseudonym(const struct forgetting *forgetting, struct text found, char *ret_place)
{
	const char *pseudonym = forgetting->what->pseudonym;
	size_t length = strlen(pseudonym);

	memcpy(ret_place, pseudonym, length);
	if (!memchr(found.start, '@', found.length))
		*(char *)memchr(ret_place, '@', length) = '=';
	return length;
}

static size_t replace_all(const struct forgetting *forgetting, struct text text, char *ret_text)
{
	size_t length = 0;
	struct text found;

	while ((found = person_find(&forgetting->what->person, text)).start) {
		size_t before = (size_t)(found.start - text.start);

		memcpy(ret_text + length, text.start, before);
		length += before;
		length += write_pseudonym(forgetting, found, ret_text + length);
		text = (struct text){ found.start + found.length, text.length - before - found.length };
	}
	if (text.length)
		memcpy(ret_text + length, text.start, text.length);
	return length + text.length;
}

static int rename_text(void *context, uint64_t which, struct text text, struct text *ret_text)
{
	struct forgetting *forgetting = context;
	const struct person *person = &forgetting->what->person;

	if (which == NAMING_VALUE && person_is_login(person, text)) {
		*ret_text = text_of(forgetting->what->pseudonym);
		return 0;
	}
	/* Each place has at least three bytes. */
	char *larger = realloc(forgetting->changed, text.length + (text.length / 3 + 1) * strlen(forgetting->what->pseudonym));

	if (!larger)
		return -ENOMEM;
	forgetting->changed = larger;
	*ret_text = (struct text){ larger, replace_all(forgetting, text, larger) };
	return 0;
}

/* ---- statements ---- */

static int run(const struct forgetting *forgetting, const char *sql, uint64_t *changes)
{
	struct statement *statement;
	int error = statement_new(&statement, forgetting->database, sql, forgetting->problem);

	if (error)
		return error;
	error = statement_run(statement);
	if (error)
		database_explain(forgetting->database, error, forgetting->problem);
	else if (changes)
		*changes += database_changes(forgetting->database);
	statement_free(statement);
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
		"CREATE TEMP TABLE person AS SELECT id FROM main.address WHERE named(0, text)",
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

/* moved: the number of a text that names the person, what is said in its place, and that one's number. */
static int number_moved(const struct forgetting *forgetting, enum store_dictionary which)
{
	struct statement *next, *set = NULL;
	int error = statement_new(&next, forgetting->database, "SELECT id, text FROM temp.moved WHERE new IS NULL LIMIT 1",
				  forgetting->problem), more = 0;

	if (!error)
		error = statement_new(&set, forgetting->database, "UPDATE temp.moved SET new=?2 WHERE id=?1", forgetting->problem);
	while (!error && (more = statement_step(next)) > 0) {
		uint64_t id = statement_number(next, 0), number = 0;

		error = store_dictionary_number(forgetting->dictionaries, which, statement_text(next, 1), &number);
		statement_reset(next);
		if (error)
			break;
		statement_bind_number(set, 1, id);
		statement_bind_number(set, 2, number);
		error = statement_run(set);
	}
	if (!error)
		error = more;
	if (error)
		database_explain(forgetting->database, error, forgetting->problem);
	statement_free(set);
	statement_free(next);
	return error;
}

/* Whoever had a number that names the person has that of the new text. */
static int move_columns(const struct forgetting *forgetting, enum store_dictionary which, uint64_t *changes)
{
	int error = 0;

	for (int fact = 0; fact < FACT_COUNT && !error; fact++) {
		const char *name = fact_table[fact].name;
		char sql[SQL_SIZE];

		if (store_dictionary_of(fact_table[fact].type) != which)
			continue;
		(void)snprintf(sql, sizeof sql, "UPDATE main.[%s] AS row SET [%s]=(SELECT new FROM temp.moved WHERE moved.id=row.[%s])"
			       " WHERE [%s] IN (SELECT id FROM temp.moved)", fact_level_name(fact_table[fact].level), name, name, name);
		error = run(forgetting, sql, changes);
	}
	return error;
}

static int forget_in_dictionary(const struct forgetting *forgetting, enum store_dictionary which, enum naming naming,
				uint64_t *changes)
{
	const char *name = store_dictionary_name(which);
	char gather[SQL_SIZE], drop[SQL_SIZE];
	int error;

	(void)snprintf(gather, sizeof gather, "INSERT INTO temp.moved(id, text) SELECT id, renamed(%d, text) FROM main.%s"
		       " WHERE named(%d, text)", naming, name, naming);
	/* What is found by its digest must leave no gap behind. */
	(void)snprintf(drop, sizeof drop, store_dictionary_is_counted(which) ?
		       "DELETE FROM main.%s WHERE id IN (SELECT id FROM temp.moved)" :
		       "UPDATE main.%s AS old SET text=(SELECT text FROM temp.moved WHERE moved.id=old.id)"
		       " WHERE id IN (SELECT id FROM temp.moved)", name);
	error = database_run(forgetting->database, "CREATE TEMP TABLE moved(id INTEGER PRIMARY KEY, text, new INTEGER)",
			     forgetting->problem);
	if (!error)
		error = run(forgetting, gather, NULL);
	if (!error)
		error = number_moved(forgetting, which);
	if (!error)
		error = move_columns(forgetting, which, changes);
	if (!error)
		error = run(forgetting, drop, NULL);
	return error ? error : database_run(forgetting->database, "DROP TABLE temp.moved", forgetting->problem);
}

/* Texts of a row's own. */
static int forget_in_rows(const struct forgetting *forgetting)
{
	int error = 0;

	for (int fact = 0; fact < FACT_COUNT && !error; fact++) {
		const char *name = fact_table[fact].name;
		char sql[SQL_SIZE];

		if (fact_table[fact].type != FACT_TEXT)
			continue;
		(void)snprintf(sql, sizeof sql, "UPDATE main.[%s] SET [%s]=renamed(%d, [%s]) WHERE named(%d, [%s])",
			       fact_level_name(fact_table[fact].level), name, NAMING_INSIDE, name, NAMING_INSIDE, name);
		error = run(forgetting, sql, &forgetting->counts->texts);
	}
	return error;
}

/* ---- what is left ---- */

static int count_in(const struct forgetting *forgetting, const char *table, const char *column, enum naming naming, uint64_t *count)
{
	char sql[SQL_SIZE];
	int64_t found = 0;
	int error;

	(void)snprintf(sql, sizeof sql, "SELECT count(*) FROM main.[%s] WHERE named(%d, [%s])", table, naming, column);
	error = database_number(forgetting->database, sql, &found, forgetting->problem);
	*count += (uint64_t)found;
	return error;
}

static int count_left(const struct forgetting *forgetting, enum naming naming, uint64_t *count)
{
	int error = count_in(forgetting, store_dictionary_name(DICTIONARY_WORD), "text", naming, count);

	if (!error)
		error = count_in(forgetting, store_dictionary_name(DICTIONARY_ADDRESS), "text", naming, count);
	for (int fact = 0; fact < FACT_COUNT && !error; fact++)
		if (fact_table[fact].type == FACT_TEXT)
			error = count_in(forgetting, fact_level_name(fact_table[fact].level), fact_table[fact].name, naming, count);
	return error;
}

static int forget(struct forgetting *forgetting)
{
	int error = forgetting->what->erases ? erase(forgetting) : 0;

	if (!error)
		error = forget_in_dictionary(forgetting, DICTIONARY_ADDRESS, NAMING_VALUE, &forgetting->counts->values);
	if (!error)
		error = forget_in_dictionary(forgetting, DICTIONARY_WORD, NAMING_INSIDE, &forgetting->counts->texts);
	if (!error)
		error = forget_in_rows(forgetting);
	if (!error)
		error = count_left(forgetting, NAMING_INSIDE, &forgetting->counts->left);
	if (!error && forgetting->what->person.login_count)
		error = count_left(forgetting, NAMING_WORD, &forgetting->counts->words);
	return error;
}

static int prepare(struct forgetting *forgetting)
{
	/* What is deleted is overwritten, and no file in between has it. */
	int error = database_run(forgetting->database, "PRAGMA secure_delete=ON; PRAGMA temp_store=MEMORY", forgetting->problem);

	if (!error)
		error = database_add_test(forgetting->database, "named", is_named, forgetting);
	if (!error)
		error = database_add_change(forgetting->database, "renamed", rename_text, forgetting);
	if (!error)
		error = store_dictionary_new(&forgetting->dictionaries, forgetting->database, true);
	return error;
}

int store_forget_day(const char *path, const struct store_forget *what, struct store_forgotten *counts, struct problem *problem)
{
	struct forgetting forgetting = { .what = what, .counts = counts, .problem = problem };
	int error = database_open(&forgetting.database, path, DATABASE_WRITE, problem);

	if (!error)
		error = store_schema_check(forgetting.database, STORE_DAY, true, problem);
	if (!error)
		error = prepare(&forgetting);
	if (!error)
		error = database_begin(forgetting.database, problem);
	if (!error)
		error = forget(&forgetting);
	/* What was counted names him too. */
	if (!error)
		error = database_run(forgetting.database, STORE_ROLLUP_DROP "; " STORE_LAST_FORGET, problem);
	if (!error)
		error = database_commit(forgetting.database, problem);
	if (forgetting.database)
		database_rollback(forgetting.database);
	store_dictionary_free(forgetting.dictionaries);
	if (!error)
		error = database_pack(forgetting.database, problem);
	if (forgetting.database)
		database_close(forgetting.database);
	free(forgetting.changed);
	return error;
}
