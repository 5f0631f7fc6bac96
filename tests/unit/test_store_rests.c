/* test_store_rests.c - what rests is found by each of its names till it is dropped, is too old or one of too many. */
#include <stdlib.h>
#include <unistd.h>

#include "analysis/store_rests.h"
#include "analysis/store_schema.h"
#include "tests/unit/unit.h"

#define SECOND UINT64_C(1000000)
#define DAY (UINT64_C(86400) * SECOND)
#define BEGIN (UINT64_C(1795824000) * SECOND)

static char directory[] = "/tmp/test_store_rests.XXXXXX";
static struct database *database;
static struct store_rests *rests;

static void start(void)
{
	struct problem problem = { "" };

	CHECK_SAYING(store_rests_new(&rests, database, &problem) == 0, "%s", problem.text);
}

/* As a process that ends and another that begins. */
static void commit_and_restart(void)
{
	struct problem problem = { "" };

	CHECK(database_begin(database, &problem) == 0);
	CHECK(store_rests_keep(rests) == 0);
	CHECK_SAYING(database_commit(database, &problem) == 0, "%s", problem.text);
	store_rests_kept(rests);
	CHECK(!store_rests_has_changes(rests));
	store_rests_free(rests);
	start();
}

static transaction_key key_at(uint64_t time_us, unsigned number)
{
	char words[16];
	struct text identity = { words, (size_t)snprintf(words, sizeof words, "%u", number) };

	return transaction_key_of(time_us, &identity, 1);
}

static void add(transaction_key key, uint64_t name, uint64_t other_name, const char *state)
{
	const struct correlate_rest rest = { .key = key, .names = { name, 0, other_name }, .state = text_of(state) };

	store_rests_add(rests, &rest);
}

struct taken {
	unsigned count;
	transaction_key key, had;	/* had: not lacked */
	char words[64];
};

static void take(void *taker, transaction_key key, struct text state)
{
	struct taken *taken = taker;

	taken->count++;
	taken->key = key;
	(void)snprintf(taken->words, sizeof taken->words, "%.*s", TEXT_ARGS(state));
}

static bool lacks(void *taker, transaction_key key)
{
	const struct taken *taken = taker;

	return key != taken->had;
}

/* As many as come, behind the one and up to the other. */
static unsigned count_between(transaction_key behind, transaction_key until)
{
	struct taken taken = { .count = 0 };
	const struct correlate_taker taker = { .lacks = lacks, .take = take, .context = &taken };

	while ((behind = store_rests_find_between(rests, behind, until, &taker)))
		;
	return taken.count;
}

static struct taken find_but(uint64_t name, transaction_key had)
{
	struct taken taken = { .had = had };
	const struct correlate_taker taker = { .lacks = lacks, .take = take, .context = &taken };

	store_rests_find(rests, name, &taker);
	return taken;
}

static struct taken find(uint64_t name)
{
	return find_but(name, 0);
}

static long long rows(const char *table)
{
	struct problem problem = { "" };
	char sql[64];
	int64_t count = -1;

	(void)snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
	CHECK_SAYING(database_number(database, sql, &count, &problem) == 0, "%s", problem.text);
	return count;
}

static void drop_all(void)
{
	struct problem problem = { "" };

	store_rests_free(rests);
	CHECK(database_run(database, "DELETE FROM rest; DELETE FROM rest_name", &problem) == 0);
	start();
}

TEST(what_rests_is_found_by_each_name_before_and_after_a_commit_until_it_is_dropped)
{
	const transaction_key key = key_at(BEGIN, 1);

	for (int is_kept = 0; is_kept < 2; is_kept++)
		for (uint64_t name = 7; name <= 8; name++) {
			add(key, 7, 8, "one");
			if (is_kept)
				commit_and_restart();
			CHECK_NUMBER(find(9).count, 0);
			for (int turn = 0; turn < 2; turn++) {
				struct taken found = find(name);

				CHECK_NUMBER(found.count, 1);
				CHECK(found.key == key);
				CHECK_STRING(found.words, "one");
				CHECK_NUMBER(find_but(name, key).count, 0);
			}
			store_rests_drop(rests, key);
			CHECK_NUMBER(find(7).count + find(8).count, 0);
			commit_and_restart();
			CHECK_NUMBER(find(7).count + find(8).count, 0);
			CHECK_NUMBER(rows("rest") + rows("rest_name"), 0);
		}
}

TEST(what_began_in_between_is_found_once_whether_a_commit_has_it_or_not)
{
	enum { COUNT = 2 * STORE_RESTS_AT_ONCE + 7 };

	drop_all();
	for (unsigned i = 0; i < COUNT; i++)
		add(key_at(BEGIN + i * SECOND, i), 7, 0, "one");
	for (int is_kept = 0; is_kept < 2; is_kept++) {
		CHECK_NUMBER(count_between(0, INT64_MAX), COUNT);
		CHECK_NUMBER(count_between(key_at(BEGIN + 5 * SECOND, 5), key_at(BEGIN + 9 * SECOND, 9)), 4);
		CHECK_NUMBER(count_between(key_at(BEGIN + COUNT * SECOND, 0), INT64_MAX), 0);
		commit_and_restart();
	}
	store_rests_drop(rests, key_at(BEGIN + 6 * SECOND, 6));
	CHECK_NUMBER(count_between(key_at(BEGIN + 5 * SECOND, 5), key_at(BEGIN + 9 * SECOND, 9)), 3);
	drop_all();
}

TEST(what_is_dropped_and_comes_again_before_a_commit_is_there)
{
	const transaction_key key = key_at(BEGIN, 1);

	for (int is_kept = 0; is_kept < 2; is_kept++) {
		add(key, 7, 8, "one");
		if (is_kept)
			commit_and_restart();
		store_rests_drop(rests, key);
		add(key, 7, 9, "again");
		for (int turn = 0; turn < 2; turn++) {
			CHECK_NUMBER(find(8).count, 0);
			CHECK_NUMBER(find(7).count, 1);
			CHECK_STRING(find(9).words, "again");
			commit_and_restart();
		}
		CHECK_NUMBER(rows("rest"), 1);
		CHECK_NUMBER(rows("rest_name"), 2);
		drop_all();
	}
}

TEST(several_have_a_name_and_one_that_rests_again_replaces_itself)
{
	add(key_at(BEGIN, 1), 7, 0, "one");
	add(key_at(BEGIN, 2), 7, 0, "two");
	commit_and_restart();
	CHECK_NUMBER(rows("rest"), 2);
	add(key_at(BEGIN, 1), 9, 0, "one, later");
	commit_and_restart();
	CHECK_NUMBER(rows("rest"), 2);
	CHECK_NUMBER(rows("rest_name"), 2);
	CHECK_STRING(find(9).words, "one, later");
	CHECK_STRING(find(7).words, "two");
	drop_all();
}

TEST(what_began_days_before_the_newest_goes)
{
	add(key_at(BEGIN, 1), 7, 0, "old");
	add(key_at(BEGIN + STORE_RESTS_DAYS * DAY - SECOND, 2), 8, 0, "young");
	commit_and_restart();
	CHECK_NUMBER(rows("rest"), 2);
	add(key_at(BEGIN + STORE_RESTS_DAYS * DAY + SECOND, 3), 9, 0, "newest");
	commit_and_restart();
	CHECK_NUMBER(rows("rest"), 2);
	CHECK_NUMBER(find(7).count, 0);
	CHECK_NUMBER(find(8).count, 1);
	drop_all();
}

TEST(of_too_many_the_oldest_go)
{
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < STORE_RESTS_MAX / 2 + 5; i++)
			add(key_at(BEGIN + (round * STORE_RESTS_MAX + i) * SECOND, i), 1 + round * STORE_RESTS_MAX + i, 0, "x");
		/* What was dropped makes room. */
		if (round)
			for (unsigned i = 10; i < 15; i++)
				store_rests_drop(rests, key_at(BEGIN + i * SECOND, i));
		commit_and_restart();
	}
	CHECK_NUMBER(rows("rest"), STORE_RESTS_MAX);
	CHECK_NUMBER(rows("rest_name"), STORE_RESTS_MAX);
	for (unsigned i = 0; i < 10; i++)
		CHECK_NUMBER(find(1 + i).count, i >= 5);
	drop_all();
}

static bool is_of(const void *context, struct text bytes)
{
	return text_has(bytes, context);
}

TEST(of_a_person_all_go)
{
	add(key_at(BEGIN, 1), 7, 8, "joe@example.com");
	add(key_at(BEGIN, 2), 7, 9, "ann@example.com");
	commit_and_restart();
	CHECK(store_rests_forget(rests, is_of, "joe@") == 0);
	CHECK_NUMBER(rows("rest"), 1);
	CHECK_NUMBER(rows("rest_name"), 2);
	CHECK_NUMBER(find(8).count, 0);
	CHECK_STRING(find(7).words, "ann@example.com");
	drop_all();
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(what_rests_is_found_by_each_name_before_and_after_a_commit_until_it_is_dropped),
		UNIT_TEST(what_is_dropped_and_comes_again_before_a_commit_is_there),
		UNIT_TEST(what_began_in_between_is_found_once_whether_a_commit_has_it_or_not),
		UNIT_TEST(several_have_a_name_and_one_that_rests_again_replaces_itself),
		UNIT_TEST(what_began_days_before_the_newest_goes),
		UNIT_TEST(of_too_many_the_oldest_go),
		UNIT_TEST(of_a_person_all_go),
		{ NULL, NULL },
	};
	struct problem problem = { "" };
	char path[64];
	int failed;

	if (!mkdtemp(directory))
		return 1;
	(void)snprintf(path, sizeof path, "%s/current.db", directory);
	if (database_open(&database, path, DATABASE_CREATE, &problem) != 0 || store_schema_make(database, STORE_CURRENT, &problem) != 0) {
		fprintf(stderr, "%s\n", problem.text);
		return 1;
	}
	start();
	failed = unit_run(tests, argc, argv);
	store_rests_free(rests);
	database_close(database);
	(void)unlink(path);
	(void)rmdir(directory);
	return failed;
}
