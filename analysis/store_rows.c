/* store_rows.c - structs to rows and rows to structs. */
#include "analysis/store_rows.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "analysis/store_dictionary.h"
#include "analysis/store_evidence.h"

/* Statements of one level, and where its columns lie. */
struct table {
	enum fact first, end;
	unsigned first_fact, evidence;		/* columns */
	struct statement *put, *get, *drop;	/* drop: all rows of one key */
	struct statement *walk;			/* all rows from one key to another; NULL: not needed yet */
	int more;				/* of the walk, as statement_step said */
	unsigned chosen_count;			/* of the choice, those of this level: their columns */
	uint8_t chosen[FACT_COUNT];		/* from the first fact on */
	unsigned spread_count;			/* of columns whose texts lie all over the memory */
	uint8_t spread[FACT_COUNT];
};

struct store_rows {
	struct database *database;
	struct store_dictionaries *dictionaries;
	struct source_table *sources;
	struct table tables[LEVEL_COUNT];
	struct statement *find_source, *add_source, *read_source;
	struct statement *drop_recipient, *drop_attempts;	/* of one recipient */
	uint32_t *source_ids;			/* by number of the source table; 0: not known */
	size_t source_count;
	uint64_t join_words[JOIN_COUNT];	/* 0: not known */
	bool has_choice;			/* these alone are read, without evidence */
	struct fact_set facts;
	struct stored_evidence evidence;
	unsigned char evidence_bytes[STORE_EVIDENCE_SIZE];
};

/* ---- opening ---- */

static int prepare_text(struct store_rows *rows, struct statement **ret_statement, FILE *out, char **sql, struct problem *problem)
{
	int error = fclose(out) == 0 ? 0 : -ENOMEM;

	if (!error)
		error = statement_new(ret_statement, rows->database, *sql, problem);
	free(*sql);
	return error;
}

static int prepare_put(struct store_rows *rows, enum fact_level level, struct problem *problem)
{
	char *sql = NULL;
	size_t size;
	FILE *out = open_memstream(&sql, &size);

	if (!out)
		return -ENOMEM;
	fprintf(out, "REPLACE INTO [%s](", fact_level_name(level));
	for (unsigned i = 0; i < store_column_count(level); i++)
		fprintf(out, "%s[%s]", i ? ", " : "", store_column_name(level, i));
	fputs(") VALUES(", out);
	for (unsigned i = 0; i < store_column_count(level); i++)
		fprintf(out, "%s?%u", i ? ", " : "", i + 1);
	fputs(")", out);
	return prepare_text(rows, &rows->tables[level].put, out, &sql, problem);
}

/* looks: first at the columns that there are. */
static int try_select(struct store_rows *rows, enum fact_level level, const char *which, bool looks,
		      struct statement **ret_statement, struct problem *problem)
{
	char *sql = NULL;
	size_t size;
	FILE *out = open_memstream(&sql, &size);
	int error;

	if (!out)
		return -ENOMEM;
	fputs("SELECT ", out);
	error = store_print_columns(looks ? rows->database : NULL, level, rows->has_choice ? &rows->facts : NULL, out, problem);
	fprintf(out, " FROM [%s] WHERE [%s] %s ORDER BY ", fact_level_name(level), store_column_name(level, 0), which);
	store_print_keys(level, out);
	if (error) {
		(void)fclose(out);
		free(sql);
		return error;
	}
	return prepare_text(rows, ret_statement, out, &sql, problem);
}

/* Only an older database lacks a column. */
static int prepare_select(struct store_rows *rows, enum fact_level level, const char *which, struct statement **ret_statement,
			  struct problem *problem)
{
	int error = try_select(rows, level, which, false, ret_statement, NULL);

	return error == -EINVAL ? try_select(rows, level, which, true, ret_statement, problem) : error;
}

static int prepare_drop(struct store_rows *rows, enum fact_level level, struct problem *problem)
{
	char sql[128];

	(void)snprintf(sql, sizeof sql, "DELETE FROM [%s] WHERE [%s]=?1", fact_level_name(level), store_column_name(level, 0));
	return statement_new(&rows->tables[level].drop, rows->database, sql, problem);
}

static int prepare_drops_of_recipient(struct store_rows *rows, struct problem *problem)
{
	int error = statement_new(&rows->drop_recipient, rows->database, "DELETE FROM recipient WHERE message_key=?1 AND number=?2",
				  problem);

	return error ? error : statement_new(&rows->drop_attempts, rows->database,
					     "DELETE FROM attempt WHERE message_key=?1 AND recipient=?2", problem);
}

static void choose(struct table *table, enum fact fact)
{
	enum store_dictionary dictionary = store_dictionary_of(fact_table[fact].type);

	if (dictionary != DICTIONARY_COUNT && !store_dictionary_is_counted(dictionary))
		table->spread[table->spread_count++] = (uint8_t)table->chosen_count;
	table->chosen[table->chosen_count++] = (uint8_t)(fact - table->first);
}

static int prepare_table(struct store_rows *rows, enum fact_level level, bool may_change, struct problem *problem)
{
	struct table *table = &rows->tables[level];
	int error;

	table->first = fact_first(level);
	table->end = level + 1 < LEVEL_COUNT ? fact_first(level + 1) : FACT_COUNT;
	table->first_fact = store_fact_index(table->first);
	table->evidence = store_evidence_index(level);
	for (enum fact fact = table->first; rows->has_choice && fact < table->end; fact++)
		if (fact_set_has(&rows->facts, fact))
			choose(table, fact);
	/* Who looks up a key reads few levels of many databases: get waits until it is needed. */
	if (!may_change)
		return 0;
	error = prepare_put(rows, level, problem);
	return error ? error : prepare_drop(rows, level, problem);
}

static int prepare_sources(struct store_rows *rows, struct problem *problem)
{
	int error = statement_new(&rows->find_source, rows->database, "SELECT id FROM source WHERE name=?1 AND kind=?2", problem);

	return error ? error : statement_new(&rows->add_source, rows->database, "INSERT INTO source(name, kind) VALUES(?1, ?2)", problem);
}

/* Makes the tables where the file is empty, else looks what it is. */
static int set_up(struct store_rows *rows, enum database_access access, struct problem *problem)
{
	int64_t tables = 1;
	int error = 0;

	if (access == DATABASE_CREATE)
		error = database_number(rows->database, "SELECT count(*) FROM sqlite_schema", &tables, problem);
	if (error)
		return error;
	if (tables == 0)
		return store_schema_make(rows->database, STORE_DAY, problem);
	return store_schema_check(rows->database, STORE_DAY, access != DATABASE_READ, problem);
}

int store_rows_open(struct store_rows **ret_rows, const char *path, enum database_access access, struct source_table *sources,
		    const struct fact_set *facts, struct problem *problem)
{
	const bool may_change = access != DATABASE_READ;
	struct store_rows *rows = calloc(1, sizeof *rows);
	int error = rows ? 0 : -ENOMEM;

	if (error)
		return error;
	rows->sources = sources;
	rows->has_choice = facts;
	if (facts)
		rows->facts = *facts;
	error = database_open(&rows->database, path, access, problem);
	if (!error)
		error = set_up(rows, access, problem);
	if (!error)
		error = store_dictionary_new(&rows->dictionaries, rows->database, may_change);
	for (int level = 0; level < LEVEL_COUNT && !error; level++)
		error = prepare_table(rows, (enum fact_level)level, may_change, problem);
	if (!error && may_change)
		error = prepare_sources(rows, problem);
	if (!error && may_change)
		error = prepare_drops_of_recipient(rows, problem);
	if (error) {
		store_rows_close(rows);
		return error;
	}
	*ret_rows = rows;
	return 0;
}

void store_rows_close(struct store_rows *rows)
{
	if (!rows)
		return;
	store_dictionary_free(rows->dictionaries);
	database_close(rows->database);
	free(rows->source_ids);
	free(rows);
}

struct database *store_rows_database(struct store_rows *rows)
{
	return rows->database;
}

void store_rows_explain(const struct store_rows *rows, int error, struct problem *problem)
{
	database_explain(rows->database, error, problem);
}

int store_rows_hold(struct store_rows *rows)
{
	bool is_new;
	int error = store_dictionary_hold(rows->dictionaries, &is_new);

	/* Else look-ups in between would wait for what was put. */
	if (!error && is_new)
		error = database_start_behind(rows->database);
	for (int level = 0; level < LEVEL_COUNT && !error && is_new; level++)
		statement_run_behind(rows->tables[level].put);
	return error;
}

void store_rows_relax(struct store_rows *rows, unsigned kilobytes)
{
	store_dictionary_forget(rows->dictionaries);
	database_set_cache(rows->database, kilobytes);
}

int store_rows_commit(struct store_rows *rows, struct problem *problem)
{
	int error = store_dictionary_put(rows->dictionaries);

	if (error)
		store_rows_explain(rows, error, problem);
	return error ? error : database_commit(rows->database, problem);
}

void store_rows_rollback(struct store_rows *rows)
{
	database_rollback(rows->database);
	store_dictionary_forget(rows->dictionaries);
	memset(rows->join_words, 0, sizeof rows->join_words);
	if (rows->source_count)
		memset(rows->source_ids, 0, rows->source_count * sizeof *rows->source_ids);
}

/* ---- evidence ---- */

static int look_up_source(struct store_rows *rows, uint16_t number, uint64_t *ret_id)
{
	struct text name = source_name(rows->sources, number);
	uint64_t kind = source_kind(rows->sources, number);
	int more;

	statement_bind_text(rows->find_source, 1, name);
	statement_bind_number(rows->find_source, 2, kind);
	more = statement_step(rows->find_source);
	if (more > 0) {
		*ret_id = statement_number(rows->find_source, 0);
		statement_reset(rows->find_source);
		return 0;
	}
	if (more < 0 || !rows->add_source)
		return more;
	statement_bind_text(rows->add_source, 1, name);
	statement_bind_number(rows->add_source, 2, kind);
	more = statement_run(rows->add_source);
	*ret_id = more ? 0 : (uint64_t)database_last_row(rows->database);
	return more;
}

static int source_id(struct store_rows *rows, uint16_t number, uint64_t *ret_id)
{
	int error;

	if (number >= rows->source_count) {
		size_t count = (size_t)number + 16;
		uint32_t *larger = realloc(rows->source_ids, count * sizeof *larger);

		if (!larger)
			return -ENOMEM;
		memset(larger + rows->source_count, 0, (count - rows->source_count) * sizeof *larger);
		rows->source_ids = larger;
		rows->source_count = count;
	}
	*ret_id = rows->source_ids[number];
	if (*ret_id)
		return 0;
	error = look_up_source(rows, number, ret_id);
	rows->source_ids[number] = (uint32_t)*ret_id;
	return error;
}

static int join_word(struct store_rows *rows, unsigned key, uint64_t *ret_word)
{
	int error = 0;

	if (!rows->join_words[key])
		error = store_dictionary_number(rows->dictionaries, DICTIONARY_WORD, text_of(join_key_name((enum join_key)key)),
						&rows->join_words[key]);
	*ret_word = rows->join_words[key];
	return error;
}

static int piece_of(struct store_rows *rows, const struct evidence *evidence, struct stored_piece *ret_piece)
{
	int error;

	*ret_piece = (struct stored_piece){ .is_unsure = evidence->is_unsure, .minor = evidence->minor, .major = evidence->major };
	error = source_id(rows, evidence->source, &ret_piece->source);
	return error ? error : join_word(rows, evidence->key, &ret_piece->word);
}

/* ---- putting ---- */

static int bind_word(struct store_rows *rows, struct statement *statement, enum store_column column, struct text word)
{
	uint64_t number;
	int error = store_dictionary_number(rows->dictionaries, DICTIONARY_WORD, word, &number);

	if (!error)
		statement_bind_number(statement, (int)store_column_index(column) + 1, number);
	return error;
}

static int bind_value(struct store_rows *rows, struct statement *statement, int parameter, const struct fact_value *value)
{
	enum store_dictionary dictionary = store_dictionary_of(fact_table[value->fact].type);
	uint64_t number = value->number;
	int error = 0;

	if (fact_is_text(value->fact) && dictionary == DICTIONARY_COUNT) {
		statement_bind_text(statement, parameter, value->text);
		return 0;
	}
	if (dictionary != DICTIONARY_COUNT)
		error = store_dictionary_number(rows->dictionaries, dictionary, value->text, &number);
	statement_bind_number(statement, parameter, number);
	return error;
}

static int bind_facts(struct store_rows *rows, enum fact_level level, struct statement *statement, const struct facts *facts)
{
	const struct table *table = &rows->tables[level];
	struct facts_walk walk;
	struct fact_value value;
	struct stored_piece piece;
	size_t length;
	int error = 0;

	store_evidence_start(&rows->evidence, table->end - table->first);
	rows->evidence.is_cut = facts->is_cut;
	facts_walk_start(&walk, facts);
	while (!error && facts_walk_next(&walk, &value)) {
		unsigned index = value.fact - table->first;

		if (index >= rows->evidence.fact_count)
			return -EINVAL;
		error = piece_of(rows, &value.evidence, &piece);
		store_evidence_add(&rows->evidence, index, &piece, value.is_cut);
		if (!error)
			error = bind_value(rows, statement, (int)(table->first_fact + index) + 1, &value);
	}
	length = store_evidence_encode(&rows->evidence, rows->evidence_bytes);
	statement_bind_bytes(statement, (int)table->evidence + 1, (struct text){ (const char *)rows->evidence_bytes, length });
	return error;
}

static void bind(struct statement *statement, enum store_column column, uint64_t number)
{
	statement_bind_number(statement, (int)store_column_index(column) + 1, number);
}

/* NULL for what is not known. */
static void bind_known(struct statement *statement, enum store_column column, uint64_t number)
{
	if (number)
		bind(statement, column, number);
}

int store_put_session(struct store_rows *rows, const struct session *session)
{
	struct statement *statement = rows->tables[LEVEL_SESSION].put;
	int error;

	statement_clear(statement);
	bind(statement, COLUMN_SESSION_KEY, session->key);
	bind(statement, COLUMN_SESSION_START, session->start_us);
	bind_known(statement, COLUMN_SESSION_END, session->end_us);
	error = bind_facts(rows, LEVEL_SESSION, statement, &session->facts);
	return error ? error : statement_run(statement);
}

static int put_message(struct store_rows *rows, const struct message *message)
{
	struct statement *statement = rows->tables[LEVEL_MESSAGE].put;
	int error = 0;

	statement_clear(statement);
	bind(statement, COLUMN_MESSAGE_KEY, message->key);
	bind_known(statement, COLUMN_MESSAGE_SESSION_KEY, message->session_key);
	bind_known(statement, COLUMN_MESSAGE_PARENT_KEY, message->parent_key);
	bind(statement, COLUMN_MESSAGE_START, message->start_us);
	bind(statement, COLUMN_MESSAGE_LAST, message->last_us);
	bind(statement, COLUMN_MESSAGE_IS_COMPLETE, message->is_complete);
	if (message->parent_kind != PARENT_NONE)
		error = bind_word(rows, statement, COLUMN_MESSAGE_PARENT_KIND,
				  text_of(parent_kind_name((enum parent_kind)message->parent_kind)));
	if (!error)
		error = bind_facts(rows, LEVEL_MESSAGE, statement, &message->facts);
	return error ? error : statement_run(statement);
}

static int put_recipient(struct store_rows *rows, transaction_key message_key, const struct recipient *recipient)
{
	struct statement *statement = rows->tables[LEVEL_RECIPIENT].put;
	int error;

	statement_clear(statement);
	bind(statement, COLUMN_RECIPIENT_MESSAGE_KEY, message_key);
	bind(statement, COLUMN_RECIPIENT_NUMBER, recipient->number);
	bind(statement, COLUMN_RECIPIENT_FIRST, recipient->first_us);
	bind(statement, COLUMN_RECIPIENT_LAST, recipient->last_us);
	bind(statement, COLUMN_RECIPIENT_ATTEMPTS, recipient->attempts);
	bind(statement, COLUMN_RECIPIENT_IS_HOP, recipient->is_hop);
	bind_known(statement, COLUMN_RECIPIENT_NEXT_KEY, recipient->next_key);
	error = bind_word(rows, statement, COLUMN_RECIPIENT_FATE, text_of(fate_name((enum fate)recipient->fate)));
	if (!error)
		error = bind_facts(rows, LEVEL_RECIPIENT, statement, &recipient->facts);
	return error ? error : statement_run(statement);
}

static int put_check(struct store_rows *rows, transaction_key message_key, unsigned number, const struct check *check)
{
	struct statement *statement = rows->tables[LEVEL_CHECK].put;
	int error;

	statement_clear(statement);
	bind(statement, COLUMN_CHECK_MESSAGE_KEY, message_key);
	bind(statement, COLUMN_CHECK_NUMBER, number);
	bind(statement, COLUMN_CHECK_TIME, check->time_us);
	error = bind_facts(rows, LEVEL_CHECK, statement, &check->facts);
	return error ? error : statement_run(statement);
}

int store_put_message(struct store_rows *rows, const struct message *message)
{
	unsigned number = 0;
	int error = put_message(rows, message);

	for (const struct recipient *recipient = message->recipients; recipient && !error; recipient = recipient->next)
		if (recipient->has_changed)
			error = put_recipient(rows, message->key, recipient);
	for (const struct check *check = message->checks; check && !error; check = check->next)
		error = put_check(rows, message->key, ++number, check);
	return error;
}

int store_put_attempt(struct store_rows *rows, const struct attempt_name *name, const struct attempt *attempt)
{
	struct statement *statement = rows->tables[LEVEL_ATTEMPT].put;
	int error;

	statement_clear(statement);
	bind(statement, COLUMN_ATTEMPT_MESSAGE_KEY, name->message_key);
	bind(statement, COLUMN_ATTEMPT_RECIPIENT, name->recipient);
	bind(statement, COLUMN_ATTEMPT_NUMBER, name->number);
	bind(statement, COLUMN_ATTEMPT_TIME, attempt->time_us);
	error = bind_facts(rows, LEVEL_ATTEMPT, statement, &attempt->facts);
	return error ? error : statement_run(statement);
}

int store_put_login(struct store_rows *rows, const struct login *login)
{
	struct statement *statement = rows->tables[LEVEL_LOGIN].put;
	int error;

	statement_clear(statement);
	bind(statement, COLUMN_LOGIN_KEY, login_key(login));
	bind(statement, COLUMN_LOGIN_TIME, login->time_us);
	bind_known(statement, COLUMN_LOGIN_END, login->end_us);
	bind_known(statement, COLUMN_LOGIN_SESSION_KEY, login->session_key);
	error = bind_facts(rows, LEVEL_LOGIN, statement, &login->facts);
	return error ? error : statement_run(statement);
}

/* ---- getting ---- */

static int read_source(struct store_rows *rows, uint64_t id, uint16_t *ret_number)
{
	int more = 0;

	if (!rows->read_source)
		more = statement_new(&rows->read_source, rows->database, "SELECT kind, name FROM source WHERE id=?1", NULL);
	if (more)
		return more;
	statement_bind_number(rows->read_source, 1, id);
	more = statement_step(rows->read_source);
	if (more <= 0)
		return more ? more : -EBADMSG;
	*ret_number = source_number(rows->sources, (enum source_kind)statement_number(rows->read_source, 0),
				    statement_text(rows->read_source, 1));
	statement_reset(rows->read_source);
	return 0;
}

static int read_join(struct store_rows *rows, uint64_t word, uint8_t *ret_key)
{
	struct text name;
	int error = store_dictionary_text(rows->dictionaries, DICTIONARY_WORD, word, &name);

	/* One of another version is the least sure. */
	*ret_key = JOIN_AMBIGUOUS;
	for (int key = 0; key < JOIN_COUNT && !error; key++)
		if (text_is(name, join_key_name((enum join_key)key)))
			*ret_key = (uint8_t)key;
	return error;
}

static int take_evidence(struct store_rows *rows, const struct stored_piece *piece, struct evidence *ret_evidence)
{
	int error;

	*ret_evidence = (struct evidence){ .is_unsure = piece->is_unsure, .minor = piece->minor, .major = piece->major };
	error = read_source(rows, piece->source, &ret_evidence->source);
	return error ? error : read_join(rows, piece->word, &ret_evidence->key);
}

/* Of a column that is NULL nothing. */
static int take_value(struct store_rows *rows, struct pool *pool, struct facts *facts, enum fact fact,
		      const struct statement *row, int column)
{
	enum store_dictionary dictionary = store_dictionary_of(fact_table[fact].type);
	struct text text = TEXT_NONE;
	uint64_t number;
	int error = 0;

	if (dictionary == DICTIONARY_COUNT && fact_is_text(fact)) {
		facts_add_text(facts, pool, fact, statement_text(row, column));
		return 0;
	}
	number = statement_number(row, column);
	if (!fact_is_text(fact)) {
		if (number || !statement_is_null(row, column))
			facts_add_number(facts, pool, fact, number);
		return 0;
	}
	/* No text has the number 0, as which NULL is read. */
	if (number)
		error = store_dictionary_text(rows->dictionaries, dictionary, number, &text);
	if (!error)
		facts_add_text(facts, pool, fact, text);
	return error;
}

/* The facts that rest on one piece. */
static int take_piece(struct store_rows *rows, const struct table *table, unsigned number, struct pool *pool,
		      const struct statement *row, struct facts *facts)
{
	const struct stored_evidence *stored = &rows->evidence;
	struct evidence evidence;
	int error = take_evidence(rows, &stored->pieces[number], &evidence);

	if (!error)
		facts_rest_on(facts, pool, &evidence);
	for (unsigned i = 0; i < stored->fact_count && !error; i++) {
		if (stored->facts[i] == STORE_NO_FACT || (stored->facts[i] & 0xff) != number)
			continue;
		error = take_value(rows, pool, facts, table->first + i, row, (int)(table->first_fact + i));
		if (stored->facts[i] & STORE_CUT_FACT)
			facts_note_cut(facts, table->first + i);
	}
	return error;
}

/* Those that were chosen. */
static int take_chosen(struct store_rows *rows, const struct table *table, struct pool *pool, const struct statement *row,
		       struct facts *ret_facts)
{
	int error = 0;

	*ret_facts = (struct facts){ .is_bare = true };
	for (unsigned i = 0; i < table->chosen_count && !error; i++)
		error = take_value(rows, pool, ret_facts, table->first + table->chosen[i], row, (int)(table->first_fact + i));
	return error;
}

static int take_facts(struct store_rows *rows, enum fact_level level, struct pool *pool, const struct statement *row,
		      struct facts *ret_facts)
{
	const struct table *table = &rows->tables[level];
	struct stored_evidence *stored = &rows->evidence;
	struct text bytes;
	int error;

	if (rows->has_choice)
		return take_chosen(rows, table, pool, row, ret_facts);
	bytes = statement_text(row, (int)table->evidence);
	*ret_facts = (struct facts){ .bytes = NULL };
	store_evidence_start(stored, table->end - table->first);
	for (unsigned i = 0; i < stored->fact_count; i++)
		if (!statement_is_null(row, (int)(table->first_fact + i)))
			stored->facts[i] = 0;
	error = bytes.start ? store_evidence_decode(stored, bytes) : -EBADMSG;
	for (unsigned i = 0; i < stored->piece_count && !error; i++)
		error = take_piece(rows, table, i, pool, row, ret_facts);
	ret_facts->is_cut = ret_facts->is_cut || stored->is_cut;
	return error;
}

static uint64_t number_of(const struct statement *row, enum store_column column)
{
	return statement_number(row, (int)store_column_index(column));
}

static int word_of(struct store_rows *rows, const struct statement *row, enum store_column column, struct text *ret_word)
{
	*ret_word = TEXT_NONE;
	if (statement_is_null(row, (int)store_column_index(column)))
		return 0;
	return store_dictionary_text(rows->dictionaries, DICTIONARY_WORD, number_of(row, column), ret_word);
}

/* Of one key: of a message all its recipients. 1: the first row, which *ret_row has; the caller resets it. */
static int find(struct store_rows *rows, enum fact_level level, transaction_key key, struct statement **ret_row)
{
	struct table *table = &rows->tables[level];
	int error = table->get ? 0 : prepare_select(rows, level, "=?1", &table->get, NULL);

	if (error)
		return error;
	*ret_row = table->get;
	statement_bind_number(table->get, 1, key);
	return statement_step(table->get);
}

static int take_session(struct store_rows *rows, struct pool *pool, const struct statement *row, struct session *ret_session)
{
	*ret_session = (struct session){
		.key = number_of(row, COLUMN_SESSION_KEY), .start_us = number_of(row, COLUMN_SESSION_START),
		.end_us = number_of(row, COLUMN_SESSION_END),
	};
	return take_facts(rows, LEVEL_SESSION, pool, row, &ret_session->facts);
}

int store_get_session(struct store_rows *rows, transaction_key key, struct pool *pool, struct session *ret_session)
{
	struct statement *row;
	int more = find(rows, LEVEL_SESSION, key, &row), error;

	if (more <= 0)
		return more;
	error = take_session(rows, pool, row, ret_session);
	statement_reset(row);
	return error ? error : 1;
}

static int take_recipient(struct store_rows *rows, struct pool *pool, const struct statement *row, struct recipient *recipient)
{
	struct text fate;
	int error = word_of(rows, row, COLUMN_RECIPIENT_FATE, &fate);

	*recipient = (struct recipient){
		.number = (uint32_t)number_of(row, COLUMN_RECIPIENT_NUMBER), .first_us = number_of(row, COLUMN_RECIPIENT_FIRST),
		.last_us = number_of(row, COLUMN_RECIPIENT_LAST), .attempts = (uint32_t)number_of(row, COLUMN_RECIPIENT_ATTEMPTS),
		.is_hop = number_of(row, COLUMN_RECIPIENT_IS_HOP), .next_key = number_of(row, COLUMN_RECIPIENT_NEXT_KEY),
	};
	if (error)
		return error;
	recipient->fate = (uint8_t)fate_by_name(fate);
	if (recipient->fate == FATE_COUNT)
		recipient->fate = FATE_UNKNOWN;
	return take_facts(rows, LEVEL_RECIPIENT, pool, row, &recipient->facts);
}

/* The next row. What it needs of memory is asked for, while others are dealt with. */
static int next_row(struct store_rows *rows, enum fact_level level, struct statement *row)
{
	const struct table *table = &rows->tables[level];
	int more = statement_step(row);

	for (unsigned i = 0; i < table->spread_count && more > 0; i++)
		store_dictionary_fetch(rows->dictionaries,
				       store_dictionary_of(fact_table[table->first + table->chosen[table->spread[i]]].type),
				       statement_number(row, (int)(table->first_fact + table->spread[i])));
	return more;
}

/* The key of a message that a row below it has. */
static transaction_key message_key_of(const struct statement *row)
{
	return statement_number(row, 0);
}

/* Of rows in the order of their keys those of the message; more: there is a row at hand, and whether there is one behind them
 * is what is given. On an error the caller resets the statement. */
static int take_recipients(struct store_rows *rows, struct pool *pool, struct statement *row, int more, struct message *message)
{
	struct recipient **last = &message->recipients;

	while (more > 0 && message_key_of(row) == message->key) {
		size_t size = sizeof **last;
		struct recipient *recipient = pool_take(pool, &size);
		int error = recipient ? take_recipient(rows, pool, row, recipient) : -ENOMEM;

		if (error)
			return error;
		*last = recipient;
		last = &recipient->next;
		message->recipient_count++;
		more = next_row(rows, LEVEL_RECIPIENT, row);
	}
	return more;
}

static int take_checks(struct store_rows *rows, struct pool *pool, struct statement *row, int more, struct message *message)
{
	struct check **last = &message->checks;

	while (more > 0 && message_key_of(row) == message->key) {
		size_t size = sizeof **last;
		struct check *check = pool_take(pool, &size);
		int error = -ENOMEM;

		if (check) {
			*check = (struct check){ .time_us = number_of(row, COLUMN_CHECK_TIME) };
			error = take_facts(rows, LEVEL_CHECK, pool, row, &check->facts);
		}
		if (error)
			return error;
		*last = check;
		last = &check->next;
		more = next_row(rows, LEVEL_CHECK, row);
	}
	return more;
}

static struct recipient *recipient_of(const struct message *message, uint32_t number)
{
	struct recipient *recipient = message->recipients;

	while (recipient && recipient->number != number)
		recipient = recipient->next;
	return recipient;
}

/* They come in the order of recipients. One whose recipient is not there is of no use. */
static int take_attempts(struct store_rows *rows, struct pool *pool, struct statement *row, int more, struct message *message)
{
	struct recipient *recipient = NULL;
	struct attempt **last = NULL;

	while (more > 0 && message_key_of(row) == message->key) {
		const uint32_t number = (uint32_t)number_of(row, COLUMN_ATTEMPT_RECIPIENT);
		size_t size = sizeof **last;
		int error = 0;

		if (!recipient || recipient->number != number) {
			recipient = recipient_of(message, number);
			last = recipient ? &recipient->tries : NULL;
		}
		if (recipient) {
			*last = pool_take(pool, &size);
			error = *last ? 0 : -ENOMEM;
		}
		if (recipient && !error) {
			**last = (struct attempt){ .time_us = number_of(row, COLUMN_ATTEMPT_TIME) };
			error = take_facts(rows, LEVEL_ATTEMPT, pool, row, &(*last)->facts);
			last = &(*last)->next;
		}
		if (error)
			return error;
		more = next_row(rows, LEVEL_ATTEMPT, row);
	}
	return more;
}

typedef int take_below(struct store_rows *rows, struct pool *pool, struct statement *row, int more, struct message *message);

/* Those of one message alone. */
static int get_below(struct store_rows *rows, enum fact_level level, take_below *take, struct pool *pool, struct message *message)
{
	struct statement *row;
	int more = find(rows, level, message->key, &row);

	if (more <= 0)
		return more;
	more = take(rows, pool, row, more, message);
	statement_reset(row);
	return more < 0 ? more : 0;
}

static enum parent_kind parent_kind_by_name(struct text name)
{
	for (int kind = PARENT_NONE + 1; kind < PARENT_KINDS; kind++)
		if (text_is(name, parent_kind_name((enum parent_kind)kind)))
			return (enum parent_kind)kind;
	return PARENT_NONE;
}

/* Without what is below it. */
static int take_message(struct store_rows *rows, struct pool *pool, const struct statement *row, struct message *ret_message)
{
	struct text parent_kind;
	int error;

	*ret_message = (struct message){
		.key = number_of(row, COLUMN_MESSAGE_KEY), .session_key = number_of(row, COLUMN_MESSAGE_SESSION_KEY),
		.parent_key = number_of(row, COLUMN_MESSAGE_PARENT_KEY), .start_us = number_of(row, COLUMN_MESSAGE_START),
		.last_us = number_of(row, COLUMN_MESSAGE_LAST), .is_complete = number_of(row, COLUMN_MESSAGE_IS_COMPLETE),
	};
	error = word_of(rows, row, COLUMN_MESSAGE_PARENT_KIND, &parent_kind);
	if (!error)
		ret_message->parent_kind = (uint8_t)parent_kind_by_name(parent_kind);
	return error ? error : take_facts(rows, LEVEL_MESSAGE, pool, row, &ret_message->facts);
}

int store_get_message(struct store_rows *rows, transaction_key key, bool with_attempts, struct pool *pool,
		      struct message *ret_message)
{
	struct statement *row;
	int more = find(rows, LEVEL_MESSAGE, key, &row), error;

	if (more <= 0)
		return more;
	error = take_message(rows, pool, row, ret_message);
	statement_reset(row);
	if (!error)
		error = get_below(rows, LEVEL_RECIPIENT, take_recipients, pool, ret_message);
	if (!error)
		error = get_below(rows, LEVEL_CHECK, take_checks, pool, ret_message);
	if (!error && with_attempts)
		error = get_below(rows, LEVEL_ATTEMPT, take_attempts, pool, ret_message);
	return error ? error : 1;
}

static int take_login(struct store_rows *rows, struct pool *pool, const struct statement *row, struct login *ret_login)
{
	*ret_login = (struct login){
		.time_us = number_of(row, COLUMN_LOGIN_TIME), .end_us = number_of(row, COLUMN_LOGIN_END),
		.session_key = number_of(row, COLUMN_LOGIN_SESSION_KEY),
	};
	return take_facts(rows, LEVEL_LOGIN, pool, row, &ret_login->facts);
}

int store_get_login(struct store_rows *rows, transaction_key key, struct pool *pool, struct login *ret_login)
{
	struct statement *row;
	int more = find(rows, LEVEL_LOGIN, key, &row), error;

	if (more <= 0)
		return more;
	error = take_login(rows, pool, row, ret_login);
	statement_reset(row);
	return error ? error : 1;
}

static int take_attempt(struct store_rows *rows, struct pool *pool, const struct statement *row, transaction_key message_key,
			int (*take)(void *context, const struct attempt_name *name, const struct attempt *attempt), void *context)
{
	struct attempt_name name = {
		.message_key = message_key, .recipient = (uint32_t)number_of(row, COLUMN_ATTEMPT_RECIPIENT),
		.number = (uint32_t)number_of(row, COLUMN_ATTEMPT_NUMBER),
	};
	struct attempt attempt = { .time_us = number_of(row, COLUMN_ATTEMPT_TIME) };
	int error = take_facts(rows, LEVEL_ATTEMPT, pool, row, &attempt.facts);

	if (!error)
		error = take(context, &name, &attempt);
	facts_done(&attempt.facts, pool);
	return error;
}

int store_each_attempt(struct store_rows *rows, transaction_key message_key, struct pool *pool,
		       int (*take)(void *context, const struct attempt_name *name, const struct attempt *attempt), void *context)
{
	struct statement *row;
	int more = find(rows, LEVEL_ATTEMPT, message_key, &row);

	while (more > 0) {
		int error = take_attempt(rows, pool, row, message_key, take, context);

		if (error) {
			statement_reset(row);
			return error;
		}
		more = statement_step(row);
	}
	return more;
}

/* ---- one row after the other ---- */

static int start_walk(struct store_rows *rows, enum fact_level level, transaction_key first, transaction_key last,
		      struct problem *problem)
{
	struct table *table = &rows->tables[level];
	int error = 0;

	if (!table->walk)
		error = prepare_select(rows, level, "BETWEEN ?1 AND ?2", &table->walk, problem);
	if (error)
		return error;
	statement_reset(table->walk);
	statement_bind_number(table->walk, 1, first);
	statement_bind_number(table->walk, 2, last);
	table->more = statement_step(table->walk);
	if (table->more < 0)
		store_rows_explain(rows, table->more, problem);
	return table->more < 0 ? table->more : 0;
}

static const enum fact_level below_message[] = { LEVEL_RECIPIENT, LEVEL_CHECK, LEVEL_ATTEMPT };
enum { BELOW_COUNT = sizeof below_message / sizeof below_message[0] };

int store_walk_start(struct store_rows *rows, enum fact_level level, transaction_key first, transaction_key last,
		     struct problem *problem)
{
	int error = start_walk(rows, level, first, last, problem);

	for (unsigned i = 0; level == LEVEL_MESSAGE && i < BELOW_COUNT && !error; i++)
		error = start_walk(rows, below_message[i], first, last, problem);
	return error;
}

void store_rows_expect_all(struct store_rows *rows)
{
	store_dictionary_expect_all(rows->dictionaries);
}

void store_walk_end(struct store_rows *rows)
{
	for (int level = 0; level < LEVEL_COUNT; level++) {
		rows->tables[level].more = 0;
		if (rows->tables[level].walk)
			statement_reset(rows->tables[level].walk);
	}
}

static int step(struct store_rows *rows, enum fact_level level)
{
	struct table *table = &rows->tables[level];

	table->more = next_row(rows, level, table->walk);
	return table->more < 0 ? table->more : 0;
}

/* What lies before is of no message. */
static int walk_below(struct store_rows *rows, enum fact_level level, take_below *take, struct pool *pool, struct message *message)
{
	struct table *table = &rows->tables[level];

	while (table->more > 0 && message_key_of(table->walk) < message->key)
		(void)step(rows, level);
	table->more = take(rows, pool, table->walk, table->more, message);
	return table->more < 0 ? table->more : 0;
}

int store_walk_message(struct store_rows *rows, bool with_attempts, struct pool *pool, struct message *ret_message)
{
	struct table *table = &rows->tables[LEVEL_MESSAGE];
	int error;

	if (table->more <= 0)
		return table->more;
	error = take_message(rows, pool, table->walk, ret_message);
	if (!error)
		error = walk_below(rows, LEVEL_RECIPIENT, take_recipients, pool, ret_message);
	if (!error)
		error = walk_below(rows, LEVEL_CHECK, take_checks, pool, ret_message);
	if (!error && with_attempts)
		error = walk_below(rows, LEVEL_ATTEMPT, take_attempts, pool, ret_message);
	if (!error)
		error = step(rows, LEVEL_MESSAGE);
	return error ? error : 1;
}

int store_walk_session(struct store_rows *rows, struct pool *pool, struct session *ret_session)
{
	struct table *table = &rows->tables[LEVEL_SESSION];
	int error;

	if (table->more <= 0)
		return table->more;
	error = take_session(rows, pool, table->walk, ret_session);
	if (!error)
		error = step(rows, LEVEL_SESSION);
	return error ? error : 1;
}

int store_walk_login(struct store_rows *rows, struct pool *pool, struct login *ret_login, transaction_key *ret_key)
{
	struct table *table = &rows->tables[LEVEL_LOGIN];
	int error;

	if (table->more <= 0)
		return table->more;
	*ret_key = number_of(table->walk, COLUMN_LOGIN_KEY);
	error = take_login(rows, pool, table->walk, ret_login);
	if (!error)
		error = step(rows, LEVEL_LOGIN);
	return error ? error : 1;
}

/* ---- what is another's now ---- */

static int drop_key(struct store_rows *rows, enum fact_level level, transaction_key key)
{
	statement_bind_number(rows->tables[level].drop, 1, key);
	return statement_run(rows->tables[level].drop);
}

int store_drop(struct store_rows *rows, enum fact_level level, transaction_key key)
{
	static const enum fact_level below[] = { LEVEL_ATTEMPT, LEVEL_CHECK, LEVEL_RECIPIENT };
	int error = drop_key(rows, level, key);

	for (size_t i = 0; level == LEVEL_MESSAGE && i < sizeof below / sizeof below[0] && !error; i++)
		error = drop_key(rows, below[i], key);
	return error;
}

/* Attempts on their way. */
struct move {
	const struct recipient_name *from, *into;
	struct store_rows *rows;
};

static int move_attempt(void *context, const struct attempt_name *name, const struct attempt *attempt)
{
	const struct move *move = context;
	const struct attempt_name moved = { move->into->message_key, move->into->number, name->number };

	return name->recipient == move->from->number ? store_put_attempt(move->rows, &moved, attempt) : 0;
}

static int drop_of_recipient(struct statement *statement, const struct recipient_name *name)
{
	statement_bind_number(statement, 1, name->message_key);
	statement_bind_number(statement, 2, name->number);
	return statement_run(statement);
}

int store_move_attempts(struct store_rows *rows, const struct recipient_name *from, struct store_rows *into_rows,
			const struct recipient_name *into)
{
	struct move move = { from, into, into_rows };
	struct pool *pool = pool_new();
	int error = pool ? store_each_attempt(rows, from->message_key, pool, move_attempt, &move) : -ENOMEM;

	pool_free(pool);
	if (!error)
		error = drop_of_recipient(rows->drop_attempts, from);
	return error ? error : drop_of_recipient(rows->drop_recipient, from);
}
