/* test_query_sql.c - what the store finds by SQL is what the predicate finds: random transactions, random queries. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "analysis/audit.h"
#include "analysis/query_sql.h"
#include "analysis/rows.h"
#include "analysis/store.h"
#include "analysis/store_dictionary.h"
#include "analysis/store_read.h"
#include "analysis/store_rollup.h"
#include "analysis/store_rows.h"
#include "analysis/transaction_copy.h"
#include "tests/unit/unit.h"

enum { MESSAGES = 160, SESSIONS = 80, LOGINS = 60, QUERIES = 400, DAYS = 3, NOW_DAY = 20040 };

static const uint64_t day_us = 86400000000;
static char directory[] = "/tmp/test_query_sql.XXXXXX";
static struct source_table *sources;
static struct pool *pool;
static struct session sessions[SESSIONS];
static struct message messages[MESSAGES];
static struct login logins[LOGINS];

static uint32_t state = 1;

static unsigned below(unsigned limit)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % limit;
}

/* ---- transactions ---- */

/* Few, so that queries find some; the same in other cases, empty, and no UTF-8. */
static const char *const words[] = { "pass", "Fail", "fail", "mx1", "mx2.example", "", "spf", "delivered", "RCPT", "\xff\xfe", "b'c" };
static const char *const addresses[] = {
	"joe@example.com", "Joe@Example.COM", "ann@b.example", "", "no-domain", "x@\xc0\x80", "joe@example.org", "a*b@c.example",
};
static const char *const ips[] = {
	"192.0.2.1", "192.0.2.77", "2001:db8::1", "198.51.100.9", "not an address", "IPv6:2001:db8::1", "[2001:DB8:0:0::1]", "::ffff:192.0.2.1",
	"[192.0.2.77]", "2001:db8::1%eth0", "2001:DB8::2", "IPv6:::FFFF:198.51.100.9",
};
static const char *const texts[] = { "4dCw1z0Kkcz1b01", "4DCW1Z0KKCZ1B01", "<id-1@example.com>", "Hello World", "", "550 5.1.1 no such user", "\xe2\x82\xac", "x\\y" };
static const uint64_t numbers[] = { 0, 1, 2, 25, 550, 1000000, UINT64_MAX, INT64_MAX };

#define PICK(list) list[below(sizeof list / sizeof list[0])]

static const char *text_for(enum fact_type type)
{
	switch (type) {
	case FACT_WORD:
	case FACT_LIST:
		return PICK(words);
	case FACT_ADDRESS:
		return PICK(addresses);
	case FACT_IP:
		return PICK(ips);
	case FACT_TEXT:
	case FACT_NUMBER:
	case FACT_SIZE:
	case FACT_TIME:
	case FACT_DURATION:
		break;
	}
	return PICK(texts);
}

/* About half of the facts that there are. */
static void fill(struct facts *facts, enum fact_level level)
{
	const struct evidence evidence = { .source = source_number(sources, SOURCE_FILE, TEXT_LITERAL("mail.log")), .major = below(1000) };

	*facts = (struct facts){ .bytes = NULL };
	facts_rest_on(facts, pool, &evidence);
	for (int fact = (int)fact_first(level); fact < FACT_COUNT && fact_table[fact].level == level; fact++) {
		if (below(2))
			continue;
		if (fact_is_text((enum fact)fact))
			facts_set_text(facts, pool, (enum fact)fact, text_of(text_for(fact_table[fact].type)));
		else
			facts_set_number(facts, pool, (enum fact)fact, PICK(numbers));
	}
}

static uint64_t some_time(void)
{
	return (NOW_DAY - DAYS) * day_us + (uint64_t)below(DAYS * 24 * 3600) * 1000000 + below(1000000);
}

static transaction_key key_at(uint64_t time_us, char kind, unsigned number)
{
	char name[16];
	struct text identity = { name, (size_t)snprintf(name, sizeof name, "%c%u", kind, number) };

	return transaction_key_of(time_us, &identity, 1);
}

static void *make(size_t size)
{
	void *memory = pool_take(pool, &size);

	memset(memory, 0, size);
	return memory;
}

static struct recipient *make_recipients(void)
{
	struct recipient *first = NULL, **link = &first;
	unsigned count = below(4);

	for (unsigned i = 1; i <= count; i++, link = &(*link)->next) {
		struct attempt **last;

		*link = make(sizeof **link);
		(*link)->number = i;
		(*link)->fate = (uint8_t)below(FATE_COUNT);
		(*link)->attempts = below(3);
		(*link)->has_changed = true;
		fill(&(*link)->facts, LEVEL_RECIPIENT);
		last = &(*link)->tries;
		for (unsigned j = 0; j < (*link)->attempts; j++, last = &(*last)->next) {
			*last = make(sizeof **last);
			(*last)->time_us = some_time();
			fill(&(*last)->facts, LEVEL_ATTEMPT);
		}
	}
	return first;
}

static struct check *make_checks(void)
{
	struct check *first = NULL, **link = &first;

	for (unsigned i = below(3); i; i--, link = &(*link)->next) {
		*link = make(sizeof **link);
		(*link)->time_us = some_time();
		fill(&(*link)->facts, LEVEL_CHECK);
	}
	return first;
}

static void make_message(struct message *message, unsigned number)
{
	uint64_t time_us = some_time();
	unsigned session = below(SESSIONS + 20);

	*message = (struct message){
		.key = key_at(time_us, 'm', number), .start_us = time_us, .last_us = time_us + 5, .is_complete = below(2),
		.parent_kind = (uint8_t)below(PARENT_KINDS), .parent_key = 77, .recipients = make_recipients(), .checks = make_checks(),
	};
	if (message->parent_kind == PARENT_NONE)
		message->parent_key = 0;
	for (const struct recipient *recipient = message->recipients; recipient; recipient = recipient->next)
		message->recipient_count++;
	/* Of some the store has no session, of some it is of another day. */
	if (session < SESSIONS) {
		message->session = &sessions[session];
		message->session_key = sessions[session].key;
	} else if (session < SESSIONS + 5) {
		message->session_key = 12345;
	}
	fill(&message->facts, LEVEL_MESSAGE);
}

static void make_all(void)
{
	for (unsigned i = 0; i < SESSIONS; i++) {
		uint64_t time_us = some_time();

		sessions[i] = (struct session){ .key = key_at(time_us, 's', i), .start_us = time_us };
		fill(&sessions[i].facts, LEVEL_SESSION);
	}
	for (unsigned i = 0; i < MESSAGES; i++)
		make_message(&messages[i], i);
	for (unsigned i = 0; i < LOGINS; i++) {
		logins[i] = (struct login){ .time_us = some_time() };
		fill(&logins[i].facts, LEVEL_LOGIN);
	}
}

static void put_attempts(const struct correlate_sink *sink, const struct message *message)
{
	for (struct recipient *recipient = message->recipients; recipient; recipient = recipient->next) {
		uint32_t all = recipient->attempts;

		/* An attempt is named by how many there were by then. */
		recipient->attempts = 0;
		for (const struct attempt *attempt = recipient->tries; attempt; attempt = attempt->next) {
			recipient->attempts++;
			sink->attempt(sink->context, message, recipient, attempt);
		}
		recipient->attempts = all;
	}
}

static void put_all(void)
{
	const struct store_options options = { .directory = directory, .sources = sources };
	struct problem problem = { "" };
	struct correlate_sink sink;
	struct store *store;

	CHECK_SAYING(store_open(&store, &options, &problem) == 0, "%s", problem.text);
	store_ended_sink(store, &sink);
	for (unsigned i = 0; i < MESSAGES; i++) {
		put_attempts(&sink, &messages[i]);
		sink.message(sink.context, &messages[i]);
	}
	for (unsigned i = 0; i < SESSIONS; i++)
		sink.session(sink.context, &sessions[i]);
	for (unsigned i = 0; i < LOGINS; i++)
		sink.login(sink.context, &logins[i]);
	CHECK_SAYING(store_commit(store, &problem) == 0, "%s", problem.text);
	CHECK_SAYING(store_finish(store, &problem) == 0, "%s", problem.text);
	store_close(store);
}

static struct database *open_day(int day, enum database_access access)
{
	struct database *database = NULL;
	struct problem problem = { "" };
	char path[STORE_PATH_SIZE];

	CHECK(store_day_path(directory, day, path));
	CHECK_SAYING(database_open(&database, path, access, &problem) == 0, "%s", problem.text);
	return database;
}

/* As version 2 numbered addresses of the net: each form by itself. */
static void make_older(int day)
{
	struct database *database = open_day(day, DATABASE_WRITE);
	struct problem problem = { "" };
	struct statement *forms;
	uint64_t ids[100], wanted[100];
	unsigned count = 0;
	char sql[400];

	CHECK_NUMBER(statement_new(&forms, database, "SELECT id, text FROM ip", &problem), 0);
	while (statement_step(forms) > 0 && count < 100) {
		ids[count] = statement_number(forms, 0);
		/* Addresses of mail are numbered as they are written. */
		wanted[count] = store_dictionary_first(DICTIONARY_ADDRESS, statement_text(forms, 1));
		count += wanted[count] != ids[count] && store_dictionary_first(DICTIONARY_IP, statement_text(forms, 1)) != wanted[count];
	}
	CHECK(count > 3 && count < 100);
	for (unsigned i = 0; i < count; i++) {
		(void)snprintf(sql, sizeof sql, "UPDATE ip SET id=%" PRIu64 " WHERE id=%" PRIu64, wanted[i], ids[i]);
		CHECK_SAYING(database_run(database, sql, &problem) == 0, "%s", problem.text);
		for (int fact = 0; fact < FACT_COUNT; fact++) {
			if (fact_table[fact].type != FACT_IP)
				continue;
			(void)snprintf(sql, sizeof sql, "UPDATE [%s] SET [%s]=%" PRIu64 " WHERE [%s]=%" PRIu64, fact_level_name(fact_table[fact].level),
				       fact_table[fact].name, wanted[i], fact_table[fact].name, ids[i]);
			CHECK_SAYING(database_run(database, sql, &problem) == 0, "%s", problem.text);
		}
	}
	CHECK_NUMBER(database_run(database, "PRAGMA user_version=2", &problem), 0);
	database_close(database);
}

/* ---- queries ---- */

/* A number, or bounds of it, as its type is written; the lower ones come first. */
static size_t put_number(char *text, size_t size, const struct query_field_info *field)
{
	static const struct {
		const char *type, *values[5];
	} types[] = {
		{ "number", { "0", "1", "25", "550", "1000000" } }, { "size", { "0", "2", "25b", "1k", "1.5M" } },
		{ "duration", { "0", "25us", "1ms", "1s", "2h" } },
		{ "time", { "1970-01-01", "2024-11-10", "\"2024-11-11 12:00\"", "36h", "2024-11-12T20:00:00Z" } },
	};
	static const char *const marks[] = { "", ">", ">=", "<", "<=", "=" };
	unsigned low = below(5), high = low + below(5 - low);

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (strcmp(field->type, types[i].type) == 0 && below(3))
			return (size_t)snprintf(text, size, "%s:%s%s", field->name, PICK(marks), types[i].values[low]);
		else if (strcmp(field->type, types[i].type) == 0)
			return (size_t)snprintf(text, size, "%s:%s..%s", field->name, types[i].values[low], types[i].values[high]);
	return 0;
}

static size_t put_term(char *text, size_t size)
{
	const struct query_field_info *fields = query_fields();
	static const char *const patterns[] = {
		"*@example.com", "?oe@example.com", "mx?", "mx?.*", "4dcw1z0kkcz1b0?", "4dcw1z0kkcz1b01", "?", "f?il",
	}, *const kinds[] = { "hop", "notice", "*" };
	static const char *const networks[] = {
		"192.0.2.0/24", "192.0.2.77", "2001:db8::1", "2001:db8::/32", "mx.example.com", "*.example.com", "::ffff:192.0.2.1",
		"192.0.2.76/31", "2001:DB8::/126", "198.51.100.8/29", "2001:0db8:0::0001", "\"IPv6:2001:DB8::1\"", "192.0.0.0/16",
	};
	unsigned count = 0;

	while (fields[count].name)
		count++;
	const struct query_field_info *field = &fields[below(count)];

	if (below(12) == 0)
		return (size_t)snprintf(text, size, "%s", below(2) ? "example" : "4dcw");
	if (strcmp(field->name, "fate") == 0)
		return (size_t)snprintf(text, size, "fate:%s", fate_name((enum fate)below(FATE_COUNT)));
	if (strcmp(field->name, "parent") == 0)
		return (size_t)snprintf(text, size, "parent:%s", PICK(kinds));
	if (strcmp(field->name, "is") == 0)
		return (size_t)snprintf(text, size, "attempt.status:%s", below(2) ? "sent" : "*");
	if (strcmp(field->name, "complete") == 0 || strcmp(field->name, "hop") == 0 || strcmp(field->name, "accepted") == 0)
		return (size_t)snprintf(text, size, "%s:%s", field->name, below(2) ? "yes" : "no");
	if (strcmp(field->name, "key") == 0)
		return (size_t)snprintf(text, size, "key:%016llx", (unsigned long long)(below(2) ? messages[below(MESSAGES)].key : sessions[below(SESSIONS)].key));
	if (strcmp(field->name, "client") == 0 || strcmp(field->type, "ip") == 0)
		return (size_t)snprintf(text, size, "%s:%s", field->name, PICK(networks));
	if (below(4) && put_number(text, size, field))
		return strlen(text);
	switch (below(6)) {
	case 0: return (size_t)snprintf(text, size, "%s:*", field->name);
	case 1: return (size_t)snprintf(text, size, "%s:\"%s\"", field->name, PICK(words));
	case 2: return (size_t)snprintf(text, size, "%s:/a|5/i", field->name);
	case 3: return (size_t)snprintf(text, size, "%s:%s", field->name, PICK(patterns));
	case 4: return (size_t)snprintf(text, size, "%s:>%u", field->name, below(30));
	default: return (size_t)snprintf(text, size, "%s:%s", field->name, below(2) ? "JOE@example.com" : "fail");
	}
}

static const char *some_join(void)
{
	static const char *const joins[] = { " ", " ", " OR ", " -", " OR -" };

	return PICK(joins);
}

/* A term, or two parts in parentheses. */
static size_t put_part(char *text, size_t size, unsigned depth)
{
	size_t length;

	if (!depth || below(4)) {
		char term[200];

		(void)put_term(term, sizeof term);
		return (size_t)snprintf(text, size, "%s", term);
	}
	length = (size_t)snprintf(text, size, "(");
	length += put_part(text + length, size - length, depth - 1);
	length += (size_t)snprintf(text + length, size - length, "%s", some_join());
	length += put_part(text + length, size - length, depth - 1);
	return length + (size_t)snprintf(text + length, size - length, ")");
}

static size_t put_span(char *text, size_t size)
{
	switch (below(12)) {
	case 0: return (size_t)snprintf(text, size, "since:%uh ", below(80));
	case 1: return (size_t)snprintf(text, size, "until:%uh ", below(80));
	case 2: return (size_t)snprintf(text, size, "on:2024-11-%02u ", 9 + below(5));
	case 3: return (size_t)snprintf(text, size, "since:2024-11-%02u until:%uh ", 9 + below(4), below(40));
	default: return (size_t)snprintf(text, size, "%s", "");
	}
}

enum { DEPTH = 2, QUERY_SIZE = 4000 };

/* A term that the field does not take is left for the next. */
static void make_query(char *text, size_t size)
{
	unsigned parts = 1 + below(3);
	size_t length = put_span(text, size);

	if (below(6) == 0)
		length += (size_t)snprintf(text + length, size - length, "is:check ");
	for (unsigned i = 0; i < parts; i++) {
		length += (size_t)snprintf(text + length, size - length, "%s", i ? some_join() : below(4) ? "" : "-");
		length += put_part(text + length, size - length, DEPTH);
	}
}

/* ---- both ways ---- */

struct found {
	const struct query *query;
	bool attempts_apart;
	bool messages[MESSAGES], sessions[SESSIONS], logins[LOGINS];
	unsigned count;
};

static bool attempt_matches(const struct query *query, const struct message *message, const struct session *session)
{
	for (const struct recipient *recipient = message->recipients; recipient; recipient = recipient->next)
		for (const struct attempt *attempt = recipient->tries; attempt; attempt = attempt->next)
			if (query_matches(query, &(struct query_row){
				.session = session, .message = message, .recipient = recipient, .attempt = attempt,
			}))
				return true;
	return false;
}

static bool check_matches(const struct query *query, const struct message *message, const struct session *session)
{
	for (const struct check *check = message->checks; check; check = check->next)
		if (query_matches(query, &(struct query_row){ .session = session, .message = message, .check = check }))
			return true;
	return false;
}

static bool message_matches(const struct found *found, const struct message *message, const struct session *session)
{
	if (query_kind(found->query) == QUERY_KIND_CHECK)
		return check_matches(found->query, message, session);
	return rows_find_message(found->query, message, session) ||
	       (found->attempts_apart && attempt_matches(found->query, message, session));
}

static void find_in_memory(struct found *found)
{
	for (unsigned i = 0; i < MESSAGES; i++)
		found->count += found->messages[i] = message_matches(found, &messages[i], messages[i].session);
	for (unsigned i = 0; i < SESSIONS; i++)
		found->count += found->sessions[i] = rows_find_session(found->query, &sessions[i]);
	for (unsigned i = 0; i < LOGINS; i++)
		found->count += found->logins[i] = query_matches(found->query, &(struct query_row){ .login = &logins[i] });
}

static void note_message(void *context, const struct message *message, const struct session *session)
{
	struct found *found = context;

	if (!message_matches(found, message, session))
		return;
	for (unsigned i = 0; i < MESSAGES; i++)
		found->messages[i] = found->messages[i] || messages[i].key == message->key;
}

static void note_session(void *context, const struct session *session)
{
	struct found *found = context;

	for (unsigned i = 0; i < SESSIONS; i++)
		if (sessions[i].key == session->key)
			found->sessions[i] = rows_find_session(found->query, session);
}

static void note_login(void *context, const struct login *login)
{
	struct found *found = context;

	for (unsigned i = 0; i < LOGINS; i++)
		if (login_key(&logins[i]) == login_key(login))
			found->logins[i] = query_matches(found->query, &(struct query_row){ .login = login });
}

static void find_in_store(struct store_read *read, struct found *found, const char *text)
{
	const struct store_scan scan = {
		.query = found->query, .with_attempts = true, .attempts_apart = found->attempts_apart, .message = note_message,
		.session = note_session, .login = note_login, .context = found,
	};
	struct problem problem = { "" };

	CHECK_SAYING(store_read_scan(read, &scan, &problem) == 0, "%s: %s", text, problem.text);
}

static void check_exact_day(const struct found *found, const struct query_sql *sql, struct database *database, const char *text)
{
	const char *select = query_sql_select(sql, QUERY_SQL_MESSAGES);
	struct problem problem = { "" };
	struct statement *keys;

	if (!query_sql_is_exact(sql, QUERY_SQL_MESSAGES) || !select)
		return;
	CHECK(query_sql_add_tests(sql, database) == 0);
	CHECK_SAYING(statement_new(&keys, database, select, &problem) == 0, "%s: %s: %s", text, select, problem.text);
	statement_bind_number(keys, 1, 0);
	statement_bind_number(keys, 2, INT64_MAX);
	while (statement_step(keys) > 0)
		for (unsigned i = 0; i < MESSAGES; i++)
			CHECK_SAYING(messages[i].key != statement_number(keys, 0) || found->messages[i], "%s: not exact: %s", text, select);
	statement_free(keys);
}

/* Of what SQL says that it finds nothing else, it must find nothing else; of messages, where the session lies on the same day. */
static void check_exact(const struct found *found, const char *text)
{
	struct query_sql *sql;

	for (int day = NOW_DAY - DAYS; day < NOW_DAY; day++) {
		struct database *database = open_day(day, DATABASE_READ);

		/* For any day, and for this one alone. */
		for (int of_day = 0; of_day < 2; of_day++) {
			CHECK(query_sql_new(&sql, found->query, found->attempts_apart, of_day ? &(struct query_sql_day){ .database = database } : NULL) == 0);
			check_exact_day(found, sql, database, text);
			query_sql_free(sql);
		}
		database_close(database);
	}
}

static void compare(const struct found *memory, const struct found *store, const char *text)
{
	CHECK_SAYING(memcmp(memory->messages, store->messages, sizeof memory->messages) == 0, "messages of %s", text);
	CHECK_SAYING(memcmp(memory->sessions, store->sessions, sizeof memory->sessions) == 0, "sessions of %s", text);
	CHECK_SAYING(memcmp(memory->logins, store->logins, sizeof memory->logins) == 0, "logins of %s", text);
}

static void ask_and_compare(void)
{
	struct problem problem = { "" };
	struct store_read *read;
	unsigned asked = 0, fruitful = 0;

	CHECK_SAYING(store_read_open(&read, directory, sources, &problem) == 0, "%s", problem.text);
	for (unsigned tries = 0; asked < QUERIES && tries < QUERIES * 10; tries++) {
		char text[QUERY_SIZE];
		struct query *query;

		make_query(text, sizeof text);
		if (query_parse(&query, text, NOW_DAY * day_us, NULL, &problem) != 0)
			continue;
		struct found memory = { .query = query, .attempts_apart = below(2) }, store = memory;

		find_in_memory(&memory);
		find_in_store(read, &store, text);
		compare(&memory, &store, text);
		if (asked % 4 == 0)
			check_exact(&memory, text);
		asked++;
		fruitful += memory.count && memory.count < MESSAGES + SESSIONS + LOGINS;
		query_free(query);
	}
	store_read_close(read);
	CHECK_NUMBER(asked, QUERIES);
	CHECK_SAYING(fruitful > QUERIES / 2, "%u of %u queries found something, and not all", fruitful, asked);
}

TEST(the_store_finds_what_the_predicate_finds)
{
	ask_and_compare();
}

TEST(so_does_an_older_one_and_once_it_is_written)
{
	struct store_rows *rows = NULL;
	struct problem problem = { "" };
	char path[STORE_PATH_SIZE];

	make_older(NOW_DAY - 1);
	ask_and_compare();
	CHECK(store_day_path(directory, NOW_DAY - 1, path));
	CHECK_SAYING(store_rows_open(&rows, path, DATABASE_WRITE, sources, NULL, &problem) == 0, "%s", problem.text);
	CHECK(store_dictionary_joins_forms(store_rows_database(rows)));
	store_rows_close(rows);
	ask_and_compare();
}

TEST(keys_are_found_by_indexes)
{
	static const struct {
		const char *query;
		bool is_indexed;
	} cases[] = {
		{ "queue_id:4dCw", true }, { "message_id:\"<a@b>\"", true }, { "address:joe@example.com", true }, { "from:joe@example.com to:x@y", true },
		{ "queue_id:a OR message_id:b OR key:30b03580d913c8a5", true }, { "queue_id:a helo:x", true }, { "to:joe@example.com -dmarc:fail", true },
		{ "queue_id:4dCw*", false }, { "queue_id:a OR helo:x", false }, { "-queue_id:a", false }, { "joe", false }, { "from:*@example.com", true },
		{ "from:*@*", false }, { "client:192.0.2.0/24", true }, { "client:192.0.2.1 dmarc:fail", true }, { "client:mx.example.com", false },
		{ "maildomain:example.com", true }, { "client:192.0.2.1 OR helo:x", false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct problem problem = { "" };
		struct query *query;
		struct query_sql *sql;

		CHECK_SAYING(query_parse(&query, cases[i].query, 0, NULL, &problem) == 0, "%s", problem.text);
		CHECK_NUMBER(query_sql_new(&sql, query, false, NULL), 0);
		CHECK_SAYING(query_sql_is_indexed(sql, QUERY_SQL_MESSAGES) == cases[i].is_indexed, "%s", cases[i].query);
		query_sql_free(sql);
		query_free(query);
	}
}

TEST(a_store_that_is_not_there_is_told_in_a_line)
{
	struct problem problem = { "" };
	struct store_read *read;

	CHECK_NUMBER(store_read_open(&read, "/nonexistent/store", sources, &problem), -ENOENT);
	CHECK_STRING(problem.text, "there is no store in '/nonexistent/store': smtptrail ingest makes one; or name log files, - being standard input");
}

/* ---- days that were counted ---- */

static void add_row(void *context, const struct report_row *row)
{
	report_run_add(context, row);
}

/* Of all audits, and all reports but those of lines; by what was counted before, or by a look at each row. */
static struct report_run *run_of(const struct query *query, bool by_rollup)
{
	const struct report *reports[64];
	struct problem problem = { "" };
	unsigned count = 0;

	for (const struct report *const *report = report_table; *report; report++)
		if (!((*report)->moments & REPORT_LINE))
			reports[count++] = *report;
	for (const struct report *const *audit = audit_table; *audit; audit++)
		reports[count++] = *audit;
	struct report_run *run = report_run_new(reports, count);
	struct rows rows = {
		.query = query, .moments = report_run_moments(run), .take = add_row, .context = run, .run = by_rollup ? run : NULL,
	};

	CHECK_SAYING(rows_read_store(&rows, directory, &problem) == 0, "%s", problem.text);
	rows_done(&rows);
	return run;
}

static void compare_runs(const struct report_run *got, const struct report_run *wanted, const char *text)
{
	for (unsigned i = 0; report_run_report(got, i); i++)
		for (unsigned j = 0; j < report_run_report(got, i)->tally_count; j++) {
			const struct tally *a = report_run_tallies(got, i)[j], *b = report_run_tallies(wanted, i)[j];

			CHECK_SAYING(tally_count(a) == tally_count(b), "%s of %s: %zu keys, wanted %zu", report_run_report(got, i)->name, text,
				     tally_count(a), tally_count(b));
			for (size_t row = 0; row < tally_count(b); row++) {
				struct tally_row wanted_row = tally_row(b, row);
				uint64_t found[TALLY_NUMBERS_MAX];

				CHECK_SAYING(tally_find(a, wanted_row.parts, found) &&
					     memcmp(found, wanted_row.numbers, tally_info(b)->numbers * sizeof *found) == 0,
					     "%s of %s", report_run_report(got, i)->name, text);
			}
		}
}

TEST(what_was_counted_of_days_gives_the_same_reports)
{
	static const char *const queries[] = { "", "since:2024-11-11", "on:2024-11-11", "since:2024-11-10T13:30:00Z", "since:2024-11-10 until:2024-11-12T02:00:00Z", "from:*@*" };
	struct problem problem = { "" };

	for (int day = NOW_DAY - DAYS; day < NOW_DAY; day++) {
		CHECK(!store_rollup_is_made(directory, day));
		CHECK_SAYING(store_rollup_make(directory, day, &problem) == 0, "%s", problem.text);
		CHECK(store_rollup_is_made(directory, day));
	}
	for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
		struct query *query;

		CHECK_SAYING(query_parse(&query, queries[i], NOW_DAY * day_us, NULL, &problem) == 0, "%s", problem.text);
		struct report_run *got = run_of(*queries[i] ? query : NULL, true), *wanted = run_of(*queries[i] ? query : NULL, false);

		compare_runs(got, wanted, queries[i]);
		report_run_free(got);
		report_run_free(wanted);
		query_free(query);
	}
}

/* It is counted again, and what was not changed is counted still. */
TEST(a_day_that_changes_is_no_longer_counted)
{
	int day = (int)store_day_of(messages[0].start_us);

	CHECK(store_rollup_is_made(directory, day));
	messages[0].is_complete = !messages[0].is_complete;
	put_all();
	CHECK(!store_rollup_is_made(directory, day));
}

static void remove_all(void)
{
	char command[200];

	(void)snprintf(command, sizeof command, "rm -rf '%s'", directory);
	if (system(command) != 0)
		fprintf(stderr, "%s stays\n", directory);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(the_store_finds_what_the_predicate_finds),
		UNIT_TEST(so_does_an_older_one_and_once_it_is_written), UNIT_TEST(keys_are_found_by_indexes),
		UNIT_TEST(a_store_that_is_not_there_is_told_in_a_line), UNIT_TEST(what_was_counted_of_days_gives_the_same_reports),
		UNIT_TEST(a_day_that_changes_is_no_longer_counted), { NULL, NULL },
	};
	int status;

	if (!mkdtemp(directory))
		return 1;
	sources = source_table_new();
	pool = pool_new();
	make_all();
	put_all();
	status = unit_run(tests, argc, argv);
	remove_all();
	pool_free(pool);
	source_table_free(sources);
	return status;
}
