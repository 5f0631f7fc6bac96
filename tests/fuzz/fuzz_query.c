/* fuzz_query.c - any bytes read as a query: refused with a line, or asked of a row that the bytes themselves fill. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/query_sql.h"
#include "analysis/store_schema.h"
#include "fuzz.h"

static const char *saved_text(void *context, const char *name)
{
	(void)name;
	return context;
}

static const char *saved_name(void *context, unsigned at)
{
	return at ? NULL : context;
}

static void hear(const void *context, const char *words)
{
	(void)context;
	FUZZ_MUST(words[0] != '\0');
}

/* A day's database in a file without a name of its own, gone with the process. */
static struct database *day(void)
{
	static struct database *database;
	char path[] = "/tmp/fuzz_query.XXXXXX";
	struct problem problem;
	int fd = database ? -1 : mkstemp(path);

	if (fd >= 0 && database_open(&database, path, DATABASE_CREATE, &problem) == 0)
		FUZZ_MUST(store_schema_make(database, STORE_DAY, &problem) == 0);
	if (fd >= 0) {
		(void)close(fd);
		(void)unlink(path);
	}
	return database;
}

/* Whatever is asked: SQLite takes what it becomes. */
static void prepare(const struct query *query, struct database *known)
{
	struct query_sql *sql = NULL;
	struct database *database = day();
	struct problem problem = { "" };
	struct statement *statement;

	FUZZ_MUST(database);
	FUZZ_MUST(query_sql_new(&sql, query, true, known ? &(struct query_sql_day){ .database = known } : NULL) == 0);
	FUZZ_MUST(query_sql_add_tests(sql, database) == 0);
	for (int of = 0; of < QUERY_SQL_COUNT; of++) {
		const char *select = query_sql_select(sql, (enum query_sql_of)of);

		if (!select)
			continue;
		FUZZ_MUST(statement_new(&statement, database, select, &problem) == 0);
		statement_free(statement);
	}
	query_sql_free(sql);
}

/* The whole query saved as one that it may name itself: it must end. */
static void ask(const char *text, const struct query_row *row)
{
	const struct query_saved saved = { .text_of = saved_text, .name_at = saved_name, .context = (void *)(uintptr_t)text };
	struct problem problem = { "" };
	struct query *query = NULL;
	uint64_t from, until;
	bool first;

	if (query_parse(&query, text, 1795780800000000, &saved, &problem) != 0) {
		FUZZ_MUST(problem.text[0] != '\0');
		FUZZ_MUST(!query);
		return;
	}
	prepare(query, NULL);
	prepare(query, day());
	first = query_matches(query, row);
	FUZZ_MUST(query_matches(query, row) == first);
	query_doubts(query, true, hear, NULL);
	query_doubts(query, false, hear, NULL);
	query_span(query, &from, &until);
	/* What a query finds lies in its span. */
	if (first && row->message)
		FUZZ_MUST(row->message->start_us >= from && row->message->start_us < until && query_check_span(query, &problem) == 0);
	query_free(query);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const struct evidence evidence = { .major = 1 };
	struct pool *pool = pool_new();
	char *text = strndup((const char *)bytes, size);
	struct text rest = { (const char *)bytes, size };
	struct session session = { .start_us = 1 };
	struct recipient recipient = { .fate = FATE_BOUNCED, .attempts = 3 };
	struct message message = { .start_us = 1795780800000000 - 3600000000, .session = &session, .recipients = &recipient };
	struct query_row row = { .session = &session, .message = &message, .recipient = &recipient };

	if (pool && text) {
		facts_rest_on(&message.facts, pool, &evidence);
		facts_set_text(&message.facts, pool, FACT_MESSAGE_SUBJECT, rest);
		facts_set_text(&message.facts, pool, FACT_MESSAGE_FROM, rest);
		facts_set_number(&message.facts, pool, FACT_MESSAGE_SIZE, size);
		facts_rest_on(&session.facts, pool, &evidence);
		facts_set_text(&session.facts, pool, FACT_SESSION_CLIENT_ADDR, TEXT_LITERAL("192.0.2.7"));
		ask(text, &row);
	}
	free(text);
	pool_free(pool);
	return 0;
}
