/*
 * query_sql.c - each term as an expression that is 1 or 0, never NULL; twice: what may be so, and what must be.
 *
 * Below a negation the one stands for the other. Both differ where the database does not tell.
 */
#include "analysis/query_sql.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/query_internal.h"
#include "analysis/store_dictionary.h"
#include "common/escape.h"

/* SQLite takes compounds of 500, and expressions of 1,000 levels. */
enum { UNIONS_MAX = 400, JOINS_MAX = 800, NARROW_LETTERS = 4 };
/* So many numbers of texts stand in a statement themselves; and so many in all of them. */
enum { NUMBERS_MAX = 1000, NUMBERS_IN_ALL = 20000, NETWORK_SMALL_BITS = 9 };

/* What a dictionary of the database has for a term. */
struct found_numbers {
	struct found_numbers *next;
	const struct query_term *term;
	enum store_dictionary dictionary;
	bool is_of_domain;
	bool is_many;			/* more than are listed */
	size_t count;
	char *list;			/* "1,2,3" */
};

/* Sessions of other days that have a fact. */
struct found_sessions {
	struct found_sessions *next;
	const struct query_term *term;
	enum fact fact;
	char *keys;			/* NULL: not known */
};

struct query_sql {
	struct query_sql_day day;	/* without a database: any */
	struct found_numbers *found;
	struct found_sessions *sessions;
	size_t found_count;		/* of all numbers */
	int error;			/* of the database */
	const struct query_term *terms[QUERY_TERMS_MAX];
	unsigned term_count, unions;
	bool attempts_apart, checks_apart, lacks_memory;
	char *selects[QUERY_SQL_COUNT]; /* NULL: nothing can match */
	bool is_indexed[QUERY_SQL_COUNT], is_exact[QUERY_SQL_COUNT];
};

/* What is being written. */
struct writing {
	struct query_sql *sql;
	enum query_sql_of of;
	bool must; /* else: may */
};

/* ---- pieces of text ---- */

/* Each is to free; NULL: no memory, and lacks_memory says so. */
__attribute__((format(printf, 2, 3)))
static char *piece(struct query_sql *sql, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	sql->lacks_memory = sql->lacks_memory || !text;
	return text;
}

static bool is(const char *text, const char *constant)
{
	return text && strcmp(text, constant) == 0;
}

/* Groups of one kind become one, since SQLite's parser takes no hundred parentheses within each other; a comment says which. */
#define OR_GROUP "(/*or*/"
#define AND_GROUP "(/*and*/"

static struct text inside(const char *text, const char *kind)
{
	size_t length = strlen(text), begin = strlen(kind);

	if (strncmp(text, kind, begin) != 0)
		return (struct text){ text, length };
	return (struct text){ text + begin, length - begin - 1 };
}

static char *group(struct query_sql *sql, const char *kind, const char *left, const char *join,
		   const char *right)
{
	struct text a = inside(left, kind), b = inside(right, kind);

	return piece(sql, "%s%.*s%s%.*s)", kind, TEXT_ARGS(a), join, TEXT_ARGS(b));
}

/* Takes both, also where one is NULL. */
static char *either(struct query_sql *sql, char *left, char *right)
{
	char *both = NULL;

	if (is(left, "1") || is(right, "0")) {
		free(right);
		return left;
	}
	if (is(right, "1") || is(left, "0")) {
		free(left);
		return right;
	}
	if (left && right)
		both = group(sql, OR_GROUP, left, " OR ", right);
	free(left);
	free(right);
	return both;
}

static char *both_of(struct query_sql *sql, char *left, char *right)
{
	char *both = NULL;

	if (is(left, "0") || is(right, "1")) {
		free(right);
		return left;
	}
	if (is(right, "0") || is(left, "1")) {
		free(left);
		return right;
	}
	if (left && right)
		both = group(sql, AND_GROUP, left, " AND ", right);
	free(left);
	free(right);
	return both;
}

static char *negation(struct query_sql *sql, char *inner)
{
	char *text;

	if (is(inner, "0") || is(inner, "1"))
		text = piece(sql, "%s", is(inner, "0") ? "1" : "0");
	else
		text = inner ? piece(sql, "NOT %s", inner) : NULL;
	free(inner);
	return text;
}

/* ---- values ---- */

static unsigned number_of(struct query_sql *sql, const struct query_term *term)
{
	for (unsigned i = 0; i < sql->term_count; i++)
		if (sql->terms[i] == term)
			return i;
	sql->terms[sql->term_count] = term;
	return sql->term_count++;
}

static void free_found(struct query_sql *sql)
{
	while (sql->found) {
		struct found_numbers *found = sql->found;

		sql->found = found->next;
		free(found->list);
		free(found);
	}
	while (sql->sessions) {
		struct found_sessions *found = sql->sessions;

		sql->sessions = found->next;
		free(found->keys);
		free(found);
	}
}

/* A pattern without its marks; false: it is none that stands for one text, but for the case of letters. */
static bool plain_text(const struct query_term *term, char *ret_text, size_t size)
{
	size_t length = 0;

	if (term->test != TEST_PATTERN || !term->is_plain)
		return false;
	for (const char *at = term->text; *at && length + 1 < size; at++) {
		at += *at == '\\' && at[1];
		ret_text[length++] = *at;
	}
	ret_text[length] = '\0';
	/* Others are stored as bytes, which know no case. */
	return escape_is_utf8((struct text){ ret_text, length });
}

/* ---- dictionaries ---- */

struct taking {
	struct query_sql *sql;
	struct found_numbers *found;
	FILE *out;
};

/* False: no more of them. */
static bool take_number(struct taking *taking, uint64_t number, struct text text)
{
	struct found_numbers *found = taking->found;

	if (!(found->is_of_domain ? query_domain_fits(found->term, text) : query_text_fits(found->term, text)))
		return true;
	if (found->count == NUMBERS_MAX || taking->sql->found_count == NUMBERS_IN_ALL) {
		found->is_many = true;
		return false;
	}
	fprintf(taking->out, "%s%" PRIu64, found->count++ ? "," : "", number);
	taking->sql->found_count++;
	return true;
}

/* Number by number from where a text stands, or would stand; as long as there is no gap. */
static int look_from(struct taking *taking, struct statement *texts, uint64_t first)
{
	uint64_t expected = first;
	int more;

	statement_bind_number(texts, 1, first);
	while ((more = statement_step(texts)) > 0 && statement_number(texts, 0) == expected &&
	       take_number(taking, expected, statement_text(texts, 1)))
		expected++;
	statement_reset(texts);
	return more < 0 ? more : 0;
}

static int look_at_all(struct taking *taking, struct statement *texts)
{
	int more;

	statement_bind_number(texts, 1, 0);
	while ((more = statement_step(texts)) > 0 && take_number(taking, statement_number(texts, 0), statement_text(texts, 1)))
		;
	statement_reset(texts);
	return more < 0 ? more : 0;
}

/* Whether what is looked for tells from which number on it stands. */
static bool is_by_digest(const struct taking *taking)
{
	const struct found_numbers *found = taking->found;

	if (found->is_of_domain || store_dictionary_is_counted(found->dictionary))
		return false;
	return found->dictionary != DICTIONARY_IP || store_dictionary_joins_forms(taking->sql->day.database);
}

/* Whether its addresses are few: each is looked for. */
static bool is_small_network(const struct query_term *term)
{
	return term->test == TEST_NETWORK && term->network.bits + NETWORK_SMALL_BITS >= 128;
}

static int look_at_network(struct taking *taking, struct statement *texts)
{
	const struct network *network = &taking->found->term->network;
	unsigned count = 1U << (128 - network->bits);
	char text[NETWORK_ADDRESS_SIZE];
	int error = 0;

	for (unsigned i = 0; i < count && !error && !taking->found->is_many; i++) {
		network_nth(network, i, text);
		error = look_from(taking, texts, store_dictionary_first(DICTIONARY_IP, text_of(text)));
	}
	return error;
}

static int look_up(struct taking *taking)
{
	const struct found_numbers *found = taking->found;
	char text[QUERY_LENGTH_MAX + 1], sql[80];
	struct statement *texts;
	int error;

	(void)snprintf(sql, sizeof sql, "SELECT id, text FROM %s WHERE id >= ?1 ORDER BY id", store_dictionary_name(found->dictionary));
	error = statement_new(&texts, taking->sql->day.database, sql, NULL);
	if (error)
		return error;
	if (!is_by_digest(taking))
		error = look_at_all(taking, texts);
	else if (plain_text(found->term, text, sizeof text))
		error = look_from(taking, texts, store_dictionary_first(found->dictionary, text_of(text)));
	else if (is_small_network(found->term))
		error = look_at_network(taking, texts);
	else
		error = look_at_all(taking, texts);
	statement_free(texts);
	return error;
}

/* NULL: the database is not known, or could not be read. */
static const struct found_numbers *find_numbers(struct query_sql *sql, const struct query_term *term,
						enum store_dictionary dictionary, bool is_of_domain)
{
	struct taking taking = { .sql = sql };
	struct found_numbers *found;
	size_t size;

	for (found = sql->found; found; found = found->next)
		if (found->term == term && found->dictionary == dictionary && found->is_of_domain == is_of_domain)
			return found;
	if (!sql->day.database || sql->error || dictionary == DICTIONARY_COUNT || !(found = calloc(1, sizeof *found)))
		return NULL;
	*found = (struct found_numbers){ .term = term, .dictionary = dictionary, .is_of_domain = is_of_domain };
	taking.found = found;
	taking.out = open_memstream(&found->list, &size);
	sql->error = taking.out ? look_up(&taking) : -ENOMEM;
	if (taking.out && fclose(taking.out) != 0 && !sql->error)
		sql->error = -ENOMEM;
	found->next = sql->found;
	sql->found = found;
	return sql->error ? NULL : found;
}

/* The numbers of texts in a dictionary that a term wants. */
static char *numbers(struct query_sql *sql, const struct query_term *term, enum store_dictionary dictionary,
		     const char *test)
{
	const char *name = store_dictionary_name(dictionary);
	const struct found_numbers *found = find_numbers(sql, term, dictionary, !is(test, "fits"));

	if (found && !found->is_many)
		return piece(sql, "%s", found->list);
	return piece(sql, "SELECT id FROM %s WHERE %s(%u, text)", name, test, number_of(sql, term));
}

/* A column of the row with that letter. */
static char *column_test(struct query_sql *sql, const struct query_term *term, const char *which,
			 const char *column, enum store_dictionary dictionary, const char *test)
{
	char *inner, *text;

	if (term->test == TEST_KNOWN && strcmp(test, "fits") == 0)
		return piece(sql, "(%s.[%s] IS NOT NULL)", which, column);
	if (dictionary == DICTIONARY_COUNT)
		return piece(sql, "%s(%u, %s.[%s])", test, number_of(sql, term), which, column);
	inner = numbers(sql, term, dictionary, test);
	if (is(inner, ""))
		text = piece(sql, "0");
	else
		text = inner ? piece(sql, "ifnull(%s.[%s] IN (%s), 0)", which, column, inner) : NULL;
	free(inner);
	return text;
}

static char *fact_column(struct query_sql *sql, const struct query_term *term, const char *which,
			 enum fact fact, const char *test)
{
	enum store_dictionary dictionary =
		fact_is_text(fact) ? store_dictionary_of(fact_table[fact].type) : DICTIONARY_COUNT;

	return column_test(sql, term, which, fact_table[fact].name, dictionary, test);
}

/* ---- facts ---- */

/* NULL: they are not known. */
static const char *other_sessions(struct query_sql *sql, const struct query_term *term, enum fact fact)
{
	struct found_sessions *found;

	for (found = sql->sessions; found; found = found->next)
		if (found->term == term && found->fact == fact)
			return found->keys;
	if (!sql->day.others || sql->error || !(found = calloc(1, sizeof *found)))
		return NULL;
	*found = (struct found_sessions){ .next = sql->sessions, .term = term, .fact = fact };
	sql->sessions = found;
	sql->error = sql->day.others(sql->day.context, term, fact, &found->keys);
	return found->keys;
}

/* By the index of addresses, where there are few; else by the keys. */
static char *select_sessions(struct query_sql *sql, const struct query_term *term, enum fact fact, const struct query_sql_keys *keys)
{
	char *test = fact_column(sql, term, "s", fact, "fits"), *select = NULL;

	if (test && !is(test, "0") && fact == FACT_SESSION_CLIENT_ADDR && sql->found && !sql->found->is_many)
		select = piece(sql, "SELECT s.key FROM session AS s WHERE s.client_addr IN (%s) AND s.key BETWEEN %" PRIu64 " AND %" PRIu64,
			       sql->found->list, keys->first, keys->last);
	else if (test && !is(test, "0"))
		select = piece(sql, "SELECT s.key FROM session AS s WHERE s.key IN (%s) AND %s", keys->list, test);
	free(test);
	return select;
}

int query_sql_find_sessions(const struct query_term *term, enum fact fact, struct database *database, const struct query_sql_keys *keys,
			    FILE *out, size_t *count)
{
	struct query_sql sql = { .day = { .database = database } };
	char *select = select_sessions(&sql, term, fact, keys);
	struct statement *statement = NULL;
	int error = sql.error ? sql.error : sql.lacks_memory ? -ENOMEM : 0, more = 0;

	if (!error && select)
		error = query_sql_add_tests(&sql, database);
	if (!error && select)
		error = statement_new(&statement, database, select, NULL);
	while (!error && statement && (more = statement_step(statement)) > 0)
		fprintf(out, "%s%" PRIu64, (*count)++ ? "," : "", statement_number(statement, 0));
	statement_free(statement);
	free(select);
	free_found(&sql);
	return error ? error : more;
}

/* The session may be in the database of another day. */
static char *session_fact(const struct writing *writing, const struct query_term *term, enum fact fact)
{
	struct query_sql *sql = writing->sql;
	char *test = fact_column(sql, term, "s", fact, "fits");
	const char *others = writing->of == QUERY_SQL_SESSIONS ? NULL : other_sessions(sql, term, fact);

	if (others && *others)
		return either(sql, test, piece(sql, "ifnull(m.session_key IN (%s), 0)", others));
	if (writing->of == QUERY_SQL_SESSIONS || writing->must || others)
		return test;
	return either(sql, test, piece(sql, "(s.key IS NULL AND m.session_key IS NOT NULL)"));
}

static char *within(struct query_sql *sql, const char *from, char *test)
{
	char *text = test ? piece(sql, "EXISTS(SELECT 1 FROM %s AND %s)", from, test) : NULL;

	free(test);
	return text;
}

/* A row that is a check has no recipient. */
static char *of_recipients(const struct writing *writing, char *test)
{
	if (!writing->must || !writing->sql->checks_apart)
		return test;
	free(test);
	return piece(writing->sql, "0");
}

static char *message_fact(const struct writing *writing, const struct query_term *term, enum fact fact)
{
	struct query_sql *sql = writing->sql;

	switch (fact_table[fact].level) {
	case LEVEL_SESSION: return session_fact(writing, term, fact);
	case LEVEL_MESSAGE: return fact_column(sql, term, "m", fact, "fits");
	case LEVEL_RECIPIENT: return of_recipients(writing, fact_column(sql, term, "r", fact, "fits"));
	case LEVEL_ATTEMPT:
		if (writing->must && (sql->attempts_apart || sql->checks_apart))
			break;
		return within(sql,
			      "attempt AS a WHERE a.message_key = r.message_key AND a.recipient = r.number",
			      fact_column(sql, term, "a", fact, "fits"));
	case LEVEL_CHECK:
		if (writing->must && sql->checks_apart)
			break;
		return within(sql, "[check] AS c WHERE c.message_key = m.key",
			      fact_column(sql, term, "c", fact, "fits"));
	case LEVEL_LOGIN:
	case LEVEL_COUNT: break;
	}
	return piece(sql, "0");
}

static char *fact_test(const struct writing *writing, const struct query_term *term, enum fact fact)
{
	enum fact_level level = fact_table[fact].level;

	if (writing->of == QUERY_SQL_MESSAGES)
		return message_fact(writing, term, fact);
	if (writing->of == QUERY_SQL_SESSIONS && level == LEVEL_SESSION)
		return session_fact(writing, term, fact);
	if (writing->of == QUERY_SQL_LOGINS && level == LEVEL_LOGIN)
		return fact_column(writing->sql, term, "l", fact, "fits");
	return piece(writing->sql, "0");
}

static char *any_fact(const struct writing *writing, const struct query_term *term, const enum fact *facts,
		      unsigned count)
{
	char *text = piece(writing->sql, "0");

	for (unsigned i = 0; i < count; i++)
		text = either(writing->sql, text, fact_test(writing, term, facts[i]));
	return text;
}

/* ---- what is no fact ---- */

static char *time_test(const struct writing *writing, const struct query_term *term)
{
	static const char *const columns[QUERY_SQL_COUNT] = { "m.start_us", "s.start_us", "l.at_us" };

	return piece(writing->sql, "fits(%u, %s)", number_of(writing->sql, term), columns[writing->of]);
}

static char *domain_test(const struct writing *writing, const struct query_term *term)
{
	struct query_sql *sql = writing->sql;
	char *text = fact_column(sql, term, "m", FACT_MESSAGE_FROM, "fits_domain");

	text = either(sql, text, of_recipients(writing, fact_column(sql, term, "r", FACT_RECIPIENT_TO, "fits_domain")));
	return either(sql, text, of_recipients(writing, fact_column(sql, term, "r", FACT_RECIPIENT_ORIG_TO, "fits_domain")));
}

static char *key_test(const struct writing *writing, const struct query_term *term)
{
	struct query_sql *sql = writing->sql;
	unsigned number = number_of(sql, term);

	switch (writing->of) {
	case QUERY_SQL_MESSAGES:
		return piece(sql,
			     writing->must ? "(fits(%u, m.key) OR fits(%u, s.key))"
					   : "(fits(%u, m.key) OR fits(%u, m.session_key))",
			     number, number);
	case QUERY_SQL_SESSIONS: return piece(sql, "fits(%u, s.key)", number);
	case QUERY_SQL_LOGINS:
	case QUERY_SQL_COUNT: break;
	}
	return piece(sql, "0");
}

/* Sessions and logins have none of it. */
static char *of_messages(const struct writing *writing, char *test)
{
	if (writing->of == QUERY_SQL_MESSAGES)
		return test;
	free(test);
	return piece(writing->sql, "0");
}

static char *term_test(const struct writing *writing, const struct query_term *term)
{
	struct query_sql *sql = writing->sql;
	static const enum fact address[] = { FACT_MESSAGE_FROM, FACT_RECIPIENT_TO, FACT_RECIPIENT_ORIG_TO };
	enum fact anywhere[QUERY_FREE_MAX], client[QUERY_CLIENT_FACTS];

	switch (term->field.special) {
	case QUERY_FACTS: return any_fact(writing, term, term->field.facts, term->field.fact_count);
	case QUERY_ANYWHERE: return any_fact(writing, term, anywhere, query_free_facts(anywhere));
	case QUERY_CLIENT: return any_fact(writing, term, client, query_client_facts(term, client));
	case QUERY_ADDRESS: return any_fact(writing, term, address, 3);
	case QUERY_TIME:
	case QUERY_SINCE:
	case QUERY_UNTIL:
	case QUERY_ON: return time_test(writing, term);
	case QUERY_KEY: return key_test(writing, term);
	case QUERY_FATE:
		return of_messages(writing, of_recipients(writing, column_test(sql, term, "r", "fate", DICTIONARY_WORD, "fits")));
	case QUERY_MAILDOMAIN: return of_messages(writing, domain_test(writing, term));
	case QUERY_RCPTS:
		return of_messages(
			writing, piece(sql,
				       "fits(%u, coalesce(m.recipients, (SELECT count(*) FROM recipient AS n"
				       " WHERE n.message_key = m.key)))",
				       number_of(sql, term)));
	case QUERY_TRIES:
		return of_messages(writing, of_recipients(writing, piece(sql, "fits(%u, r.attempts)", number_of(sql, term))));
	case QUERY_PARENT:
		return of_messages(writing,
				   column_test(sql, term, "m", "parent_kind", DICTIONARY_WORD, "fits"));
	case QUERY_HOP:
		return of_messages(writing, of_recipients(writing, piece(sql,
									 "fits(%u, CASE WHEN r.is_hop = 1 THEN 'yes' WHEN "
									 "r.attempts IS NOT NULL THEN 'no' END)",
									 number_of(sql, term))));
	/* The rows tell. */
	case QUERY_OTHER_ENGINE:
	case QUERY_ACCEPTED: return of_messages(writing, piece(sql, writing->must ? "0" : "1"));
	/* Of lines, which the store has not; what a row is was taken away. */
	case QUERY_SHAPE:
	case QUERY_UNDERSTOOD:
	case QUERY_IS: return piece(sql, "0");
	case QUERY_COMPLETE:
		return of_messages(writing,
				   piece(sql, "fits(%u, CASE m.is_complete WHEN 1 THEN 'yes' ELSE 'no' END)",
					 number_of(sql, term)));
	}
	return NULL;
}

static char *node_test(const struct writing *writing, const struct query_node *node)
{
	struct writing inner = *writing;
	char *left;

	switch (node->kind) {
	case NODE_ALL: return piece(writing->sql, "1");
	case NODE_TERM: return term_test(writing, node->term);
	case NODE_NOT:
		inner.must = !writing->must;
		return negation(writing->sql, node_test(&inner, node->left));
	case NODE_AND:
		left = node_test(writing, node->left);
		return both_of(writing->sql, left, node_test(writing, node->right));
	case NODE_OR:
		left = node_test(writing, node->left);
		return either(writing->sql, left, node_test(writing, node->right));
	}
	return NULL;
}

/* ---- by an index ---- */

static void quote(const char *text, char *ret_text)
{
	*ret_text++ = '\'';
	for (; *text; text++) {
		if (*text == '\'')
			*ret_text++ = '\'';
		*ret_text++ = *text;
	}
	*ret_text++ = '\'';
	*ret_text = '\0';
}

/* Whether texts of a dictionary are worth being looked through: of a pattern that says little there would be too many. */
static bool is_narrow(const struct query_term *term)
{
	size_t letters = 0;

	if (term->test == TEST_REGEX || term->test == TEST_NETWORK)
		return true;
	if (term->test != TEST_PATTERN && term->test != TEST_CONTAINS)
		return false;
	for (const char *at = term->text; *at; at++)
		letters += !strchr("*?.@", *at);
	return letters >= NARROW_LETTERS || term->is_plain;
}

/* A column by its index: of rows that have one of the texts of a dictionary that the term wants. */
static char *keys_by(struct query_sql *sql, const struct query_term *term, const char *select, const char *column,
		     enum store_dictionary dictionary, const char *test)
{
	const struct found_numbers *found = find_numbers(sql, term, dictionary, !is(test, "fits"));
	bool is_few = found ? !found->is_many || is_narrow(term) : is_narrow(term);
	char *inner = is_few ? numbers(sql, term, dictionary, test) : NULL;
	char *keys = inner ? piece(sql, "%s WHERE [%s] IN (%s)", select, column, inner) : NULL;

	free(inner);
	return keys;
}

static char *address_keys(struct query_sql *sql, const struct query_term *term, enum fact fact, const char *test)
{
	return keys_by(sql, term, fact == FACT_MESSAGE_FROM ? "SELECT key FROM message" : "SELECT message_key FROM recipient",
		       fact_table[fact].name, DICTIONARY_ADDRESS, test);
}

/* Of sessions that have it; those in the database of another day may have it, where they are not known. */
static char *client_keys(struct query_sql *sql, const struct query_term *term)
{
	static const char of_sessions[] = "SELECT key FROM message WHERE session_key IN";
	char *sessions = keys_by(sql, term, "SELECT key FROM session", "client_addr", DICTIONARY_IP, "fits"), *keys = NULL;
	const char *others = other_sessions(sql, term, FACT_SESSION_CLIENT_ADDR);

	if (sessions && others && ++sql->unions < UNIONS_MAX)
		keys = piece(sql, "%s (%s) UNION ALL %s (%s)", of_sessions, sessions, of_sessions, others);
	else if (sessions && ++sql->unions < UNIONS_MAX)
		keys = piece(sql,
			     "%s (%s)"
			     " UNION ALL SELECT key FROM message WHERE session_key < ifnull((SELECT min(key) FROM session), %" PRId64 ")"
			     " UNION ALL SELECT key FROM message WHERE session_key > ifnull((SELECT max(key) FROM session), %" PRId64 ")",
			     of_sessions, sessions, INT64_MAX, INT64_MAX);
	free(sessions);
	return keys;
}

/* The keys of messages that have the fact; NULL: there is no index for it. */
static char *fact_keys(struct query_sql *sql, const struct query_term *term, enum fact fact)
{
	char text[QUERY_LENGTH_MAX + 1], quoted[2 * QUERY_LENGTH_MAX + 3];

	if (fact == FACT_MESSAGE_FROM || fact == FACT_RECIPIENT_TO || fact == FACT_RECIPIENT_ORIG_TO)
		return address_keys(sql, term, fact, "fits");
	if (fact == FACT_SESSION_CLIENT_ADDR)
		return client_keys(sql, term);
	if ((fact != FACT_MESSAGE_QUEUE_ID && fact != FACT_MESSAGE_MESSAGE_ID) || !plain_text(term, text, sizeof text))
		return NULL;
	quote(text, quoted);
	return piece(sql, "SELECT key FROM message WHERE %s = %s COLLATE NOCASE", fact_table[fact].name, quoted);
}

/* Of a session or a login that has the fact. */
static char *other_keys(struct query_sql *sql, const struct query_term *term, enum fact fact)
{
	if (fact == FACT_SESSION_CLIENT_ADDR)
		return keys_by(sql, term, "SELECT key FROM session", "client_addr", DICTIONARY_IP, "fits");
	if (fact == FACT_LOGIN_CLIENT_ADDR)
		return keys_by(sql, term, "SELECT key FROM login", "client_addr", DICTIONARY_IP, "fits");
	if (fact == FACT_LOGIN_AUTH_AUTHEN)
		return keys_by(sql, term, "SELECT key FROM login", "auth_authen", DICTIONARY_ADDRESS, "fits");
	return NULL;
}

/* Both, or NULL where either is. Takes both. */
static char *united(struct query_sql *sql, char *left, char *right)
{
	char *both = left && right && ++sql->unions < UNIONS_MAX ? piece(sql, "%s UNION ALL %s", left, right)
								 : NULL;

	free(left);
	free(right);
	return both;
}

/* Whether rows of that kind can have it. */
static bool is_fact_of(enum query_sql_of of, enum fact fact)
{
	enum fact_level level = fact_table[fact].level;

	return of == QUERY_SQL_LOGINS ? level == LEVEL_LOGIN : of == QUERY_SQL_SESSIONS ? level == LEVEL_SESSION : level != LEVEL_LOGIN;
}

static char *facts_keys(struct query_sql *sql, enum query_sql_of of, const struct query_term *term, const enum fact *facts,
			unsigned count)
{
	char *keys = NULL, *more;
	bool is_first = true;

	for (unsigned i = 0; i < count; i++) {
		if (!is_fact_of(of, facts[i]))
			continue;
		more = of == QUERY_SQL_MESSAGES ? fact_keys(sql, term, facts[i]) : other_keys(sql, term, facts[i]);
		keys = is_first ? more : united(sql, keys, more);
		is_first = false;
	}
	return keys;
}

static char *domain_keys(struct query_sql *sql, const struct query_term *term)
{
	char *keys = address_keys(sql, term, FACT_MESSAGE_FROM, "fits_domain");

	keys = united(sql, keys, address_keys(sql, term, FACT_RECIPIENT_TO, "fits_domain"));
	return united(sql, keys, address_keys(sql, term, FACT_RECIPIENT_ORIG_TO, "fits_domain"));
}

static char *term_keys(struct query_sql *sql, enum query_sql_of of, const struct query_term *term)
{
	static const enum fact address[] = { FACT_MESSAGE_FROM, FACT_RECIPIENT_TO, FACT_RECIPIENT_ORIG_TO };
	enum fact client[QUERY_CLIENT_FACTS];

	if (term->field.special == QUERY_FACTS)
		return facts_keys(sql, of, term, term->field.facts, term->field.fact_count);
	if (term->field.special == QUERY_CLIENT)
		return facts_keys(sql, of, term, client, query_client_facts(term, client));
	if (of != QUERY_SQL_MESSAGES)
		return NULL;
	if (term->field.special == QUERY_KEY && term->test == TEST_RANGE && term->low == term->high)
		return piece(sql,
			     "VALUES(%" PRId64
			     ") UNION ALL SELECT key FROM message WHERE session_key = %" PRId64,
			     (int64_t)term->low, (int64_t)term->low);
	if (term->field.special == QUERY_ADDRESS)
		return facts_keys(sql, of, term, address, 3);
	return term->field.special == QUERY_MAILDOMAIN ? domain_keys(sql, term) : NULL;
}

/* Keys among which all are that match; NULL: there is no index that tells. */
static char *node_keys(struct query_sql *sql, enum query_sql_of of, const struct query_node *node)
{
	char *left;

	switch (node->kind) {
	case NODE_TERM: return term_keys(sql, of, node->term);
	case NODE_AND: left = node_keys(sql, of, node->left); return left ? left : node_keys(sql, of, node->right);
	case NODE_OR:
		left = node_keys(sql, of, node->left);
		return left ? united(sql, left, node_keys(sql, of, node->right)) : NULL;
	case NODE_ALL:
	case NODE_NOT: break;
	}
	return NULL;
}

/* ---- by a look at each table alone ---- */

/* Takes both; *list is what was joined so far, NULL: nothing. */
static void add_keys(struct query_sql *sql, char **list, char *more)
{
	char *both = *list && more ? piece(sql, "%s UNION ALL %s", *list, more) : NULL;

	if (both) {
		free(*list);
		free(more);
	}
	*list = both ? both : *list ? *list : more;
	sql->unions++;
}

static char *test_of_level(struct query_sql *sql, const struct query_term *term, enum fact_level level, const char *letter)
{
	enum fact facts[QUERY_FREE_MAX];
	unsigned count = query_free_facts(facts);
	char *test = piece(sql, "0");

	for (unsigned i = 0; i < count; i++)
		if (fact_table[facts[i]].level == level)
			test = either(sql, test, fact_column(sql, term, letter, facts[i], "fits"));
	return test;
}

static void add_scan(struct query_sql *sql, const struct query_term *term, enum fact_level level, const char *letter,
		     const char *format, char **list)
{
	char *test = test_of_level(sql, term, level, letter);

	if (test && !is(test, "0"))
		add_keys(sql, list, piece(sql, "SELECT %s (%s)%s", format, test, level == LEVEL_SESSION ? ")" : ""));
	free(test);
}

/* Sessions of other days that have the word; false: they are not known. */
static bool add_other_sessions(struct query_sql *sql, const struct query_term *term, char **list)
{
	enum fact facts[QUERY_FREE_MAX];
	unsigned count = query_free_facts(facts);

	for (unsigned i = 0; i < count; i++) {
		const char *others = fact_table[facts[i]].level == LEVEL_SESSION ? other_sessions(sql, term, facts[i]) : "";

		if (!others)
			return false;
		if (*others)
			add_keys(sql, list, piece(sql, "SELECT key FROM message WHERE session_key IN (%s)", others));
	}
	return true;
}

/* The keys of messages that have a word anywhere. What joins the tables looks each row up, this walks through each of them. */
static char *word_keys(struct query_sql *sql, const struct query_node *node)
{
	const struct query_term *term = node->term;
	char *list = NULL;

	if (node->kind == NODE_AND) {
		list = word_keys(sql, node->left);
		return list ? list : word_keys(sql, node->right);
	}
	if (node->kind != NODE_TERM || term->field.special != QUERY_ANYWHERE || sql->unions + 2 * QUERY_FREE_MAX > UNIONS_MAX)
		return NULL;
	add_scan(sql, term, LEVEL_MESSAGE, "m", "m.key FROM message AS m WHERE m.key BETWEEN ?1 AND ?2 AND", &list);
	add_scan(sql, term, LEVEL_RECIPIENT, "r", "r.message_key FROM recipient AS r WHERE r.message_key BETWEEN ?1 AND ?2 AND", &list);
	add_scan(sql, term, LEVEL_SESSION, "s", "key FROM message WHERE session_key IN (SELECT s.key FROM session AS s WHERE", &list);
	if (add_other_sessions(sql, term, &list))
		return list;
	free(list);
	return NULL;
}

/* Whether its keys are no more than those that it finds: of AND they are those of one side. */
static bool is_said_by_keys(const struct query_node *node)
{
	return node->kind == NODE_TERM || (node->kind == NODE_OR && is_said_by_keys(node->left) && is_said_by_keys(node->right));
}

/* The one key that is asked for, of sessions; 0: it is not one. */
static uint64_t only_key(const struct query_node *node)
{
	const struct query_term *term = node->term;
	uint64_t key = 0;

	if (node->kind == NODE_TERM && term->field.special == QUERY_KEY && term->test == TEST_RANGE &&
	    term->low == term->high)
		return term->low;
	if (node->kind == NODE_AND) {
		key = only_key(node->left);
		return key ? key : only_key(node->right);
	}
	return key;
}

/* ---- the statements ---- */

static bool is_same(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

/* Whether the test has a column of the row with that letter; other words may end in it. */
static bool names(const char *test, char letter)
{
	const char behind_blank[] = { ' ', letter, '.', '\0' }, behind_bracket[] = { '(', letter, '.', '\0' };

	return strstr(test, behind_blank) || strstr(test, behind_bracket);
}

static char *from_where(struct query_sql *sql, enum query_sql_of of, const char *test, const char *keys,
			uint64_t key)
{
	static const char *const froms[QUERY_SQL_COUNT] = {
		"SELECT DISTINCT m.key FROM message AS m",
		"SELECT s.key FROM session AS s",
		"SELECT l.key FROM login AS l",
	};
	static const char letters[QUERY_SQL_COUNT] = { 'm', 's', 'l' };
	bool is_of_messages = of == QUERY_SQL_MESSAGES;
	const char *sessions =
		is_of_messages && names(test, 's') ? " LEFT JOIN session AS s ON s.key = m.session_key" : "";
	const char *recipients = is_of_messages && names(test, 'r')
					 ? " LEFT JOIN recipient AS r ON r.message_key = m.key"
					 : "";

	if (key)
		return piece(sql, "%s%s%s WHERE %c.key = %" PRId64 " AND %c.key BETWEEN ?1 AND ?2 AND %s",
			     froms[of], sessions, recipients, letters[of], (int64_t)key, letters[of], test);
	return piece(sql, "%s%s%s WHERE %c.key BETWEEN ?1 AND ?2%s%.*s%s%s%s AND %s ORDER BY %c.key", froms[of],
		     sessions, recipients, letters[of], keys ? " AND " : "", keys ? 1 : 0, &letters[of],
		     keys ? ".key IN (" : "", keys ? keys : "", keys ? ")" : "", test, letters[of]);
}

/* Whether SQLite takes an expression as deep as that: each join may be a level. */
static bool is_too_deep(const char *test)
{
	unsigned joins = 0;

	for (const char *at = test; at && (at = strchr(at, ' ')); at++)
		joins += strncmp(at, " OR ", 4) == 0 || strncmp(at, " AND ", 5) == 0 || strncmp(at, " NOT ", 5) == 0;
	return joins > JOINS_MAX;
}

/* In place of a test: what may match is everything then. */
static char *instead(struct query_sql *sql, char *test, const char *all)
{
	free(test);
	return piece(sql, "%s", all);
}

static void make_select(struct query_sql *sql, const struct query_node *root, enum query_sql_of of)
{
	struct writing writing = { .sql = sql, .of = of };
	char *may = node_test(&writing, root), *must, *keys = NULL;
	uint64_t key = 0;

	writing.must = true;
	must = node_test(&writing, root);
	if (is_too_deep(may) || is_too_deep(must)) {
		may = instead(sql, may, "1");
		must = instead(sql, must, "0");
	}
	/* A message may have no check. */
	sql->is_exact[of] = is_same(may, must) && (of != QUERY_SQL_MESSAGES || !sql->checks_apart);
	if (may && !is(may, "0")) {
		if (of == QUERY_SQL_SESSIONS)
			key = only_key(root);
		if (!key)
			keys = node_keys(sql, of, root);
		sql->is_indexed[of] = keys || key;
		if (of == QUERY_SQL_MESSAGES && !keys)
			keys = word_keys(sql, root);
		/* It would look through the same texts once more: whoever reads the rows asks each of them anyhow. */
		if (keys && is_said_by_keys(root))
			may = instead(sql, may, "1");
		sql->selects[of] = from_where(sql, of, may, keys, key);
	} else {
		sql->is_indexed[of] = true;
	}
	free(may);
	free(must);
	free(keys);
}

int query_sql_new(struct query_sql **ret_sql, const struct query *query, bool attempts_apart, const struct query_sql_day *day)
{
	static const struct query_node all = { .kind = NODE_ALL };
	struct query_sql *sql = calloc(1, sizeof *sql);
	int error;

	if (!sql)
		return -ENOMEM;
	if (day)
		sql->day = *day;
	sql->attempts_apart = attempts_apart;
	sql->checks_apart = query && query_kind(query) == QUERY_KIND_CHECK;
	for (int of = 0; of < QUERY_SQL_COUNT; of++)
		make_select(sql, query ? query->root : &all, (enum query_sql_of)of);
	error = sql->error ? sql->error : sql->lacks_memory ? -ENOMEM : 0;
	if (error) {
		query_sql_free(sql);
		return error;
	}
	*ret_sql = sql;
	return 0;
}

void query_sql_free(struct query_sql *sql)
{
	if (!sql)
		return;
	for (int of = 0; of < QUERY_SQL_COUNT; of++)
		free(sql->selects[of]);
	free_found(sql);
	free(sql);
}

const char *query_sql_select(const struct query_sql *sql, enum query_sql_of of)
{
	return sql->selects[of];
}

bool query_sql_is_indexed(const struct query_sql *sql, enum query_sql_of of)
{
	return sql->is_indexed[of];
}

bool query_sql_is_exact(const struct query_sql *sql, enum query_sql_of of)
{
	return sql->is_exact[of];
}

/* ---- what SQL calls ---- */

static bool test_value(const void *context, uint64_t which, const struct database_value *value)
{
	const struct query_sql *sql = context;

	if (which >= sql->term_count)
		return false;
	return value->is_text ? query_text_fits(sql->terms[which], value->text)
			      : query_number_fits(sql->terms[which], value->number);
}

static bool test_domain(const void *context, uint64_t which, const struct database_value *value)
{
	const struct query_sql *sql = context;

	return which < sql->term_count && value->is_text && query_domain_fits(sql->terms[which], value->text);
}

int query_sql_add_tests(const struct query_sql *sql, struct database *database)
{
	int error = database_add_test(database, "fits", test_value, sql);

	return error ? error : database_add_test(database, "fits_domain", test_domain, sql);
}
