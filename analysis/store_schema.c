/* store_schema.c - SQL that follows from two tables of columns. */
#include "analysis/store_schema.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "analysis/store_dictionary.h"

enum column_type { COLUMN_KEY, COLUMN_NUMBER, COLUMN_TIME, COLUMN_FLAG, COLUMN_WORD };

static const struct {
	enum fact_level level;
	const char *name;
	enum column_type type;
} columns[COLUMN_COUNT] = {
#define COLUMN(level, id, name, type, meaning) { LEVEL_##level, name, COLUMN_##type },
#include "analysis/store_columns.def"
#undef COLUMN
};

static const char evidence_name[] = "evidence";

/*
 * What else the databases hold. moving: what the last commits changed, on its way to its days; no bytes: they are in a file
 * (store_image_file.h). evidence_source: what the numbers of sources in it, and in states, stand for. open: what is under
 * way, and what the join knows of it beside its facts. unfinished: days whose indexes or sums are to be made.
 * rest, rest_name: what the join may ask for again (store_rests.h).
 * input: how far the inputs were read. rollup: what the reports count of a day that is over (store_rollup.h).
 */
#define REST_TABLES \
	"CREATE TABLE rest(key INTEGER PRIMARY KEY, name1 INTEGER, name2 INTEGER, name3 INTEGER, name4 INTEGER, state BLOB NOT NULL);" \
	"CREATE TABLE rest_name(name INTEGER, key INTEGER, PRIMARY KEY(name, key)) WITHOUT ROWID;"
static const char common_tables[] =
	"CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;";
static const char current_tables[] =
	"CREATE TABLE moving(number INTEGER PRIMARY KEY, transactions BLOB NOT NULL);"
	"CREATE TABLE evidence_source(number INTEGER PRIMARY KEY, kind INTEGER NOT NULL, name TEXT NOT NULL);"
	"CREATE TABLE open(key INTEGER PRIMARY KEY, is_session INTEGER NOT NULL, state BLOB);"
	"CREATE TABLE unfinished(day INTEGER PRIMARY KEY);"
	REST_TABLES
	"CREATE TABLE input(kind TEXT, name TEXT, state TEXT NOT NULL, seen_us INTEGER NOT NULL, PRIMARY KEY(kind, name)) WITHOUT ROWID;";
static const char day_tables[] =
	"CREATE TABLE word(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);"
	"CREATE TABLE address(id INTEGER PRIMARY KEY, text TEXT NOT NULL);"
	"CREATE TABLE ip(id INTEGER PRIMARY KEY, text TEXT NOT NULL);"
	"CREATE TABLE source(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, name TEXT NOT NULL, UNIQUE(name, kind));"
	"CREATE TABLE rollup(name TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, rows BLOB);";

/* Whoever asks does not tell upper from lower case. */
static const struct {
	const char *name, *on;
} indexes[] = {
	{ "message_queue_id", "message(queue_id COLLATE NOCASE)" },
	{ "message_message_id", "message(message_id COLLATE NOCASE)" },
	{ "message_from", "message([from])" },
	{ "message_session", "message(session_key)" },
	{ "message_parent", "message(parent_key) WHERE parent_key IS NOT NULL" },
	{ "recipient_to", "recipient([to])" },
	{ "recipient_orig_to", "recipient(orig_to) WHERE orig_to IS NOT NULL" },
	{ "session_client_addr", "session(client_addr)" },
	{ "login_client_addr", "login(client_addr)" },
	{ "login_auth_authen", "login(auth_authen) WHERE auth_authen IS NOT NULL" },
};
enum { INDEX_COUNT = sizeof indexes / sizeof indexes[0] };

/*
 * How a database of version N becomes one of N + 1, at [N - 1][role]. New facts need no row here.
 * 1 to 2: rows are written with shorter evidence (store_evidence.h), and those that are there stay.
 * 2 to 3: all forms of an address of the net are found from one number on.
 * 3 to 4: what left memory while more of it may come rests in current.db.
 */
static int add_rests(struct database *database, struct problem *problem)
{
	return database_run(database, REST_TABLES, problem);
}

static int (*const steps[STORE_VERSION - 1][2])(struct database *database, struct problem *problem) = {
	{ NULL, NULL }, { NULL, store_dictionary_join_forms }, { add_rests, NULL },
};

/* ---- columns ---- */

const char *store_dictionary_name(enum store_dictionary dictionary)
{
	static const char *const names[DICTIONARY_COUNT] = { "word", "address", "ip" };

	return names[dictionary];
}

bool store_dictionary_is_counted(enum store_dictionary dictionary)
{
	return dictionary == DICTIONARY_WORD;
}

enum store_dictionary store_dictionary_of(enum fact_type type)
{
	switch (type) {
	case FACT_WORD:
	case FACT_LIST:
		return DICTIONARY_WORD;
	case FACT_ADDRESS:
		return DICTIONARY_ADDRESS;
	case FACT_IP:
		return DICTIONARY_IP;
	case FACT_TEXT:
	case FACT_NUMBER:
	case FACT_SIZE:
	case FACT_TIME:
	case FACT_DURATION:
		break;
	}
	return DICTIONARY_COUNT;
}

/* Asked for with each value that is bound. */
static const unsigned first_columns[LEVEL_COUNT + 1] = {
	COLUMN_SESSION_KEY, COLUMN_MESSAGE_KEY, COLUMN_RECIPIENT_MESSAGE_KEY, COLUMN_ATTEMPT_MESSAGE_KEY,
	COLUMN_CHECK_MESSAGE_KEY, COLUMN_LOGIN_KEY, COLUMN_COUNT,
};

static unsigned first_column(enum fact_level level)
{
	return first_columns[level];
}

static unsigned fixed_count(enum fact_level level)
{
	return first_columns[level + 1] - first_columns[level];
}

static unsigned fact_count(enum fact_level level)
{
	return (level + 1 < LEVEL_COUNT ? fact_first(level + 1) : FACT_COUNT) - fact_first(level);
}

unsigned store_column_count(enum fact_level level)
{
	return store_evidence_index(level) + 1;
}

unsigned store_column_index(enum store_column column)
{
	return column - first_column(columns[column].level);
}

unsigned store_fact_index(enum fact fact)
{
	enum fact_level level = fact_table[fact].level;

	return fixed_count(level) + fact - fact_first(level);
}

unsigned store_evidence_index(enum fact_level level)
{
	return fixed_count(level) + fact_count(level);
}

const char *store_column_name(enum fact_level level, unsigned index)
{
	unsigned fixed = fixed_count(level);

	if (index < fixed)
		return columns[first_column(level) + index].name;
	index -= fixed;
	return index < fact_count(level) ? fact_table[fact_first(level) + index].name : evidence_name;
}

static const char *declared_type(enum fact_level level, unsigned index)
{
	unsigned fixed = fixed_count(level);

	if (index < fixed)
		return "INTEGER";
	if (index == store_evidence_index(level))
		return "BLOB";
	enum fact_type type = fact_table[fact_first(level) + index - fixed].type;

	return type < FACT_NUMBER && store_dictionary_of(type) == DICTIONARY_COUNT ? "TEXT" : "INTEGER";
}

/* ---- tables ---- */

void store_print_keys(enum fact_level level, FILE *out)
{
	const char *comma = "";

	for (unsigned i = first_column(level); i < COLUMN_COUNT && columns[i].level == level; i++)
		if (columns[i].type == COLUMN_KEY) {
			fprintf(out, "%s[%s]", comma, columns[i].name);
			comma = ", ";
		}
}

static bool has_one_key(enum fact_level level)
{
	return columns[first_column(level) + 1].type != COLUMN_KEY;
}

static void print_table(enum fact_level level, FILE *out)
{
	fprintf(out, "CREATE TABLE [%s](", fact_level_name(level));
	for (unsigned i = 0; i < store_column_count(level); i++)
		fprintf(out, "%s[%s] %s%s", i ? ", " : "", store_column_name(level, i), declared_type(level, i),
			i == 0 && has_one_key(level) ? " PRIMARY KEY" : "");
	if (!has_one_key(level)) {
		/* Rows of one message lie side by side, and need no index to be found. */
		fputs(", PRIMARY KEY(", out);
		store_print_keys(level, out);
		fputs(")) WITHOUT ROWID;\n", out);
		return;
	}
	fputs(");\n", out);
}

/* ---- views ---- */

static bool is_in_microseconds(const char *name)
{
	size_t length = strlen(name);

	return length > 3 && strcmp(name + length - 3, "_us") == 0;
}

/* A column as a person reads it; which: the table's letter. */
static void print_readable(enum fact_level level, unsigned index, char which, FILE *out)
{
	const char *name = store_column_name(level, index);
	unsigned fixed = fixed_count(level);
	bool is_time, is_duration = false;
	enum store_dictionary dictionary = DICTIONARY_COUNT;

	if (index < fixed) {
		enum column_type type = columns[first_column(level) + index].type;

		is_time = type == COLUMN_TIME;
		dictionary = type == COLUMN_WORD ? DICTIONARY_WORD : DICTIONARY_COUNT;
	} else {
		enum fact_type type = fact_table[fact_first(level) + index - fixed].type;

		is_time = type == FACT_TIME;
		is_duration = type == FACT_DURATION && !is_in_microseconds(name);
		dictionary = store_dictionary_of(type);
	}
	if (is_time)
		fprintf(out, "strftime('%%Y-%%m-%%dT%%H:%%M:%%fZ', %c.[%s] / 1e6, 'unixepoch')", which, name);
	else if (is_duration)
		fprintf(out, "%c.[%s] / 1e6", which, name);
	else if (dictionary != DICTIONARY_COUNT)
		fprintf(out, "(SELECT text FROM %s WHERE id = %c.[%s])", store_dictionary_name(dictionary), which, name);
	else
		fprintf(out, "%c.[%s]", which, name);
}

static void print_view_columns(enum fact_level level, FILE *out)
{
	for (unsigned i = 0; i < store_evidence_index(level); i++) {
		const char *name = store_column_name(level, i);
		/* "start_us" is "start" where it is shown as a time and no longer as microseconds. */
		bool is_renamed = i < fixed_count(level) && is_in_microseconds(name);

		fputs(i ? ", " : "", out);
		print_readable(level, i, 't', out);
		fprintf(out, " AS [%.*s]", (int)(strlen(name) - (is_renamed ? 3 : 0)), name);
	}
}

static void print_fact(enum fact fact, char which, FILE *out)
{
	fputs(", ", out);
	print_readable(fact_table[fact].level, store_fact_index(fact), which, out);
	fprintf(out, " AS [%s]", fact_table[fact].name);
}

static void print_views(FILE *out)
{
	static const enum fact of_session[] = {
		FACT_SESSION_CLIENT_ADDR, FACT_SESSION_CLIENT_PORT, FACT_SESSION_CLIENT_NAME, FACT_SESSION_HELO,
		FACT_SESSION_PROTOCOL, FACT_SESSION_TLS_VERSION, FACT_SESSION_CIPHER, FACT_SESSION_AUTH_AUTHEN,
	};
	static const enum fact of_message[] = {
		FACT_MESSAGE_HOST, FACT_MESSAGE_QUEUE_ID, FACT_MESSAGE_MESSAGE_ID, FACT_MESSAGE_FROM, FACT_MESSAGE_SIZE,
	};

	for (int level = 0; level < LEVEL_COUNT; level++) {
		fprintf(out, "CREATE VIEW [%ss] AS SELECT ", fact_level_name((enum fact_level)level));
		print_view_columns((enum fact_level)level, out);
		if (level == LEVEL_MESSAGE)
			for (size_t i = 0; i < sizeof of_session / sizeof of_session[0]; i++)
				print_fact(of_session[i], 's', out);
		if (level == LEVEL_ATTEMPT)
			print_fact(FACT_RECIPIENT_TO, 'r', out);
		if (level == LEVEL_RECIPIENT || level == LEVEL_ATTEMPT || level == LEVEL_CHECK)
			for (size_t i = 0; i < sizeof of_message / sizeof of_message[0]; i++)
				print_fact(of_message[i], 'm', out);
		fprintf(out, " FROM [%s] AS t", fact_level_name((enum fact_level)level));
		if (level == LEVEL_MESSAGE)
			fputs(" LEFT JOIN session AS s ON s.key = t.session_key", out);
		if (level == LEVEL_ATTEMPT)
			fputs(" LEFT JOIN recipient AS r ON r.message_key = t.message_key AND r.number = t.recipient", out);
		if (level == LEVEL_RECIPIENT || level == LEVEL_ATTEMPT || level == LEVEL_CHECK)
			fputs(" LEFT JOIN message AS m ON m.key = t.message_key", out);
		fputs(";\n", out);
	}
}

static void print_drop_views(FILE *out)
{
	for (int level = 0; level < LEVEL_COUNT; level++)
		fprintf(out, "DROP VIEW IF EXISTS [%ss];\n", fact_level_name((enum fact_level)level));
}

/* ---- making, upgrading ---- */

/* Tells schemas apart, and need not withstand anyone. */
static uint64_t digest_of(const char *text)
{
	uint64_t digest = 0xcbf29ce484222325;

	for (; *text; text++)
		digest = (digest ^ (unsigned char)*text) * 0x100000001b3;
	return digest;
}

/* All tables and views, as text to free; NULL: no memory. */
static char *schema_text(enum store_role role)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fputs(common_tables, out);
	fputs(role == STORE_CURRENT ? current_tables : day_tables, out);
	for (int level = 0; level < LEVEL_COUNT && role == STORE_DAY; level++)
		print_table((enum fact_level)level, out);
	if (role == STORE_DAY)
		print_views(out);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static int note_version(struct database *database, const char *schema, struct problem *problem)
{
	char sql[256];

	(void)snprintf(sql, sizeof sql, "PRAGMA application_id=%d; PRAGMA user_version=%d;"
		       "INSERT OR REPLACE INTO meta VALUES('schema', '%016" PRIx64 "');",
		       STORE_APPLICATION, STORE_VERSION, digest_of(schema));
	return database_run(database, sql, problem);
}

int store_schema_make(struct database *database, enum store_role role, struct problem *problem)
{
	char *schema = schema_text(role);
	int error = schema ? database_begin(database, problem) : -ENOMEM;

	if (!error)
		error = database_run(database, schema, problem);
	if (!error)
		error = note_version(database, schema, problem);
	if (!error)
		error = database_commit(database, problem);
	database_rollback(database);
	free(schema);
	return error;
}

static int print_missing(struct database *database, enum fact_level level, FILE *out, struct problem *problem);

/* Columns for new facts, and views that show them. */
static int add_columns(struct database *database, struct problem *problem)
{
	char *sql = NULL;
	size_t size;
	FILE *out = open_memstream(&sql, &size);
	int error = 0;

	if (!out)
		return -ENOMEM;
	print_drop_views(out);
	for (int level = 0; level < LEVEL_COUNT && !error; level++)
		error = print_missing(database, (enum fact_level)level, out, problem);
	print_views(out);
	if (fclose(out) != 0)
		error = -ENOMEM;
	if (!error)
		error = database_run(database, sql, problem);
	free(sql);
	return error;
}

static int upgrade(struct database *database, enum store_role role, const char *schema, int64_t version,
		   struct problem *problem)
{
	int error = database_begin(database, problem);

	for (int from = 1; !error && from < STORE_VERSION; from++)
		if (from >= version && steps[from - 1][role])
			error = steps[from - 1][role](database, problem);
	if (!error && role == STORE_DAY)
		error = add_columns(database, problem);
	if (!error)
		error = note_version(database, schema, problem);
	if (!error)
		error = database_commit(database, problem);
	database_rollback(database);
	return error;
}

static bool is_up_to_date(struct database *database, const char *schema)
{
	char sql[128];
	int64_t same = 0;

	(void)snprintf(sql, sizeof sql, "SELECT count(*) FROM meta WHERE name='schema' AND value='%016" PRIx64 "'",
		       digest_of(schema));
	return database_number(database, sql, &same, NULL) == 0 && same == 1;
}

int store_schema_check(struct database *database, enum store_role role, bool may_change, struct problem *problem)
{
	int64_t application = 0, version = 0;
	char *schema;
	int error = database_number(database, "PRAGMA application_id", &application, problem);

	if (!error)
		error = database_number(database, "PRAGMA user_version", &version, problem);
	if (error)
		return error;
	if (application != STORE_APPLICATION || version < 1) {
		problem_set(problem, "'%s' is no database of smtptrail's store", database_path(database));
		return -EBADMSG;
	}
	if (version > STORE_VERSION) {
		problem_set(problem, "'%s' is of version %" PRId64 " of the store, made by a newer smtptrail; this one knows up to %d",
			    database_path(database), version, STORE_VERSION);
		return -EPROTONOSUPPORT;
	}
	if (!may_change)
		return 0;
	schema = schema_text(role);
	if (!schema)
		return -ENOMEM;
	if (version != STORE_VERSION || !is_up_to_date(database, schema))
		error = upgrade(database, role, schema, version, problem);
	free(schema);
	return error;
}

/* ---- older tables ---- */

/* Which columns of the level the table has: bit i of the array. */
static int find_columns(struct database *database, enum fact_level level, bool *ret_has, struct problem *problem)
{
	char sql[128];
	struct statement *statement;
	int more, error;

	(void)snprintf(sql, sizeof sql, "SELECT name FROM pragma_table_info('%s')", fact_level_name(level));
	error = statement_new(&statement, database, sql, problem);
	if (error)
		return error;
	while ((more = statement_step(statement)) > 0)
		for (unsigned i = 0; i < store_column_count(level); i++)
			if (text_is(statement_text(statement, 0), store_column_name(level, i)))
				ret_has[i] = true;
	if (more < 0)
		database_explain(database, more, problem);
	return more;
}

enum { COLUMNS_MAX = FACT_COUNT + COLUMN_COUNT };

static bool is_asked_for(enum fact_level level, unsigned index, const struct fact_set *facts)
{
	unsigned first = store_fact_index(fact_first(level));

	return !facts || index < first || (index != store_evidence_index(level) && fact_set_has(facts, fact_first(level) + (index - first)));
}

int store_print_columns(struct database *database, enum fact_level level, const struct fact_set *facts, FILE *out,
			struct problem *problem)
{
	bool has[COLUMNS_MAX] = { false };
	int error = database ? find_columns(database, level, has, problem) : 0;

	for (unsigned i = 0; !error && i < store_column_count(level); i++) {
		if (!is_asked_for(level, i, facts))
			continue;
		fputs(i ? ", " : "", out);
		if (has[i] || !database)
			fprintf(out, "[%s]", store_column_name(level, i));
		else
			fputs("NULL", out);
	}
	return error;
}

static int print_missing(struct database *database, enum fact_level level, FILE *out, struct problem *problem)
{
	bool has[COLUMNS_MAX] = { false };
	int error = find_columns(database, level, has, problem);

	for (unsigned i = 0; !error && i < store_column_count(level); i++)
		if (!has[i])
			fprintf(out, "ALTER TABLE [%s] ADD COLUMN [%s] %s;\n", fact_level_name(level), store_column_name(level, i),
				declared_type(level, i));
	return error;
}

/* ---- indexes ---- */

int store_schema_index(struct database *database, struct problem *problem)
{
	char sql[256];
	/* A sort that could go to a file takes memory in one piece, and a third less time than one that has each row apart. */
	int error = database_run(database, "PRAGMA temp_store=FILE", problem);

	for (unsigned i = 0; i < INDEX_COUNT && !error; i++) {
		(void)snprintf(sql, sizeof sql, "CREATE INDEX IF NOT EXISTS %s ON %s", indexes[i].name, indexes[i].on);
		error = database_run(database, sql, problem);
	}
	(void)database_run(database, "PRAGMA temp_store=MEMORY", NULL);
	return error;
}

bool store_schema_is_indexed(struct database *database)
{
	int64_t count = 0;

	return database_number(database, "SELECT count(*) FROM sqlite_schema WHERE type='index' AND sql IS NOT NULL", &count,
			       NULL) == 0 && count >= INDEX_COUNT;
}
