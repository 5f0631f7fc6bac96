/* test_facts.c - facts in their blocks, keys of transactions, and the memory of both. */
#include "analysis/transaction.h"
#include "tests/unit/unit.h"

static struct pool *pool;

static struct evidence line(uint64_t number)
{
	return (struct evidence){ .source = 3, .key = JOIN_QUEUE_ID, .major = number };
}

static void rest_on_line(struct facts *facts, uint64_t number)
{
	struct evidence evidence = line(number);

	facts_rest_on(facts, pool, &evidence);
}

TEST(every_fact_of_the_table_keeps_its_value)
{
	struct facts facts = { .bytes = NULL };

	pool = pool_new();
	CHECK(pool);
	for (int fact = 0; fact < FACT_COUNT; fact++) {
		rest_on_line(&facts, (uint64_t)fact / 3);
		if (fact_is_text((enum fact)fact))
			facts_set_text(&facts, pool, (enum fact)fact, text_of(fact_table[fact].name));
		else
			facts_set_number(&facts, pool, (enum fact)fact, (uint64_t)fact << 32 | 7);
	}
	for (int fact = 0; fact < FACT_COUNT; fact++) {
		struct fact_value value;

		CHECK_SAYING(facts_find(&facts, (enum fact)fact, &value), "%s", fact_table[fact].name);
		CHECK_NUMBER(value.evidence.major, (uint64_t)fact / 3);
		if (fact_is_text((enum fact)fact))
			CHECK_TEXT(value.text, fact_table[fact].name);
		else
			CHECK_NUMBER(value.number, (uint64_t)fact << 32 | 7);
	}
	facts_done(&facts, pool);
	CHECK_NUMBER(pool_used(pool), 0);
	pool_free(pool);
}

TEST(a_fact_that_is_set_again_has_the_new_value_and_evidence_alone)
{
	struct facts facts = { .bytes = NULL };
	struct facts_walk walk;
	struct fact_value value;
	unsigned count = 0;

	pool = pool_new();
	rest_on_line(&facts, 1);
	facts_set_text(&facts, pool, FACT_MESSAGE_FROM, TEXT_LITERAL("first@example.com"));
	rest_on_line(&facts, 2);
	facts_set_number(&facts, pool, FACT_MESSAGE_SIZE, 0);
	rest_on_line(&facts, 3);
	facts_set_text(&facts, pool, FACT_MESSAGE_FROM, TEXT_LITERAL(""));
	facts_walk_start(&walk, &facts);
	while (facts_walk_next(&walk, &value)) {
		CHECK_NUMBER(value.evidence.major, value.fact == FACT_MESSAGE_FROM ? 3 : 2);
		count++;
	}
	CHECK_NUMBER(count, 2);
	CHECK_TEXT(facts_text(&facts, FACT_MESSAGE_FROM), "");
	CHECK(facts_text(&facts, FACT_MESSAGE_FROM).start);
	CHECK_NUMBER(facts_number(&facts, FACT_MESSAGE_SIZE, 9), 0);
	CHECK_NUMBER(facts_number(&facts, FACT_MESSAGE_RECIPIENTS, 9), 9);
	facts_unset(&facts, FACT_MESSAGE_FROM);
	CHECK(!facts_text(&facts, FACT_MESSAGE_FROM).start);
	pool_free(pool);
}

TEST(a_list_has_each_item_once)
{
	struct facts facts = { .bytes = NULL };

	pool = pool_new();
	rest_on_line(&facts, 1);
	facts_add_item(&facts, pool, FACT_MESSAGE_WHY, TEXT_LITERAL("spf_fail"));
	facts_add_item(&facts, pool, FACT_MESSAGE_WHY, TEXT_LITERAL("spf"));
	facts_add_item(&facts, pool, FACT_MESSAGE_WHY, TEXT_LITERAL("spf_fail"));
	facts_add_item(&facts, pool, FACT_MESSAGE_WHY, TEXT_LITERAL("spf"));
	CHECK_TEXT(facts_text(&facts, FACT_MESSAGE_WHY), "spf_fail, spf");
	pool_free(pool);
}

TEST(what_is_too_long_is_cut_and_says_so)
{
	static char long_text[FACT_TEXT_MAX + 10];
	struct facts facts = { .bytes = NULL };
	struct fact_value value;

	pool = pool_new();
	memset(long_text, 'x', sizeof long_text);
	rest_on_line(&facts, 1);
	facts_set_text(&facts, pool, FACT_MESSAGE_SUBJECT, (struct text){ long_text, sizeof long_text });
	CHECK(facts_find(&facts, FACT_MESSAGE_SUBJECT, &value) && value.is_cut);
	CHECK_NUMBER(value.text.length, FACT_TEXT_MAX);
	for (int fact = 0; fact < FACT_COUNT; fact++) {
		rest_on_line(&facts, (uint64_t)fact);
		if (fact_is_text((enum fact)fact))
			facts_set_text(&facts, pool, (enum fact)fact, (struct text){ long_text, sizeof long_text });
	}
	CHECK(facts.is_cut && facts.used <= FACTS_SIZE_MAX);
	pool_free(pool);
}

TEST(evidence_is_kept_once_and_as_long_as_a_fact_rests_on_it)
{
	struct facts facts = { .bytes = NULL };
	struct evidence entry = { .source = 0xfedc, .key = JOIN_AMBIGUOUS, .is_unsure = true, .minor = 0xfedcba98,
		.major = 0x0123456789abcdef };
	struct fact_value value;

	pool = pool_new();
	facts_set_text(&facts, pool, FACT_MESSAGE_WHY, TEXT_LITERAL("rests on nothing"));
	CHECK_NUMBER(facts.used, 0);
	facts_rest_on(&facts, pool, &entry);
	facts_set_number(&facts, pool, FACT_MESSAGE_SIZE, 1);
	CHECK(facts_find(&facts, FACT_MESSAGE_SIZE, &value));
	CHECK(value.evidence.source == entry.source && value.evidence.key == entry.key && value.evidence.is_unsure &&
	      value.evidence.minor == entry.minor && value.evidence.major == entry.major);
	unsigned used = facts.used;

	for (uint64_t i = 0; i < 300; i++) {
		rest_on_line(&facts, i);
		rest_on_line(&facts, i);
		facts_set_number(&facts, pool, FACT_MESSAGE_RECIPIENTS, i);
		facts_set_text(&facts, pool, FACT_MESSAGE_STATE, TEXT_LITERAL("queued"));
	}
	CHECK(facts.used < used + 32);
	CHECK(!facts.is_cut);
	CHECK_NUMBER(facts_number(&facts, FACT_MESSAGE_RECIPIENTS, 0), 299);
	facts_done(&facts, pool);
	CHECK_NUMBER(pool_used(pool), 0);
	pool_free(pool);
}

TEST(bare_facts_need_no_evidence_and_have_none)
{
	struct facts facts = { .is_bare = true };
	struct fact_value value;
	struct facts_walk walk;
	unsigned count = 0;

	pool = pool_new();
	facts_set_text(&facts, pool, FACT_MESSAGE_WHY, TEXT_LITERAL(""));
	CHECK_NUMBER(facts.used, 2);
	rest_on_line(&facts, 7);
	CHECK_NUMBER(facts.used, 2);
	CHECK(!facts_newest(&facts, &value.evidence));
	facts_set_number(&facts, pool, FACT_MESSAGE_SIZE, 5);
	facts_set_text(&facts, pool, FACT_MESSAGE_STATE, TEXT_LITERAL("queued"));
	facts_set_text(&facts, pool, FACT_MESSAGE_WHY, TEXT_LITERAL("again"));
	facts_set_text(&facts, pool, FACT_MESSAGE_STATE, TEXT_LITERAL("removed"));
	facts_walk_start(&walk, &facts);
	for (; facts_walk_next(&walk, &value); count++)
		CHECK(value.evidence.major == 0 && value.evidence.source == 0);
	CHECK_NUMBER(count, 3);
	CHECK(facts_find(&facts, FACT_MESSAGE_WHY, &value) && value.evidence.major == 0);
	CHECK_TEXT(value.text, "again");
	CHECK_TEXT(facts_text(&facts, FACT_MESSAGE_STATE), "removed");
	CHECK_NUMBER(facts_number(&facts, FACT_MESSAGE_SIZE, 0), 5);
	facts_unset(&facts, FACT_MESSAGE_SIZE);
	facts_unset(&facts, FACT_MESSAGE_WHY);
	facts_unset(&facts, FACT_MESSAGE_STATE);
	CHECK_NUMBER(facts.used, 0);
	facts_done(&facts, pool);
	CHECK_NUMBER(pool_used(pool), 0);
	pool_free(pool);
}

TEST(memory_of_all_sizes_comes_back)
{
	enum { COUNT = 300 };
	static struct { void *memory; size_t size; } taken[COUNT];

	pool = pool_new();
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < COUNT; i++) {
			taken[i].size = i * 13;
			taken[i].memory = pool_take(pool, &taken[i].size);
			CHECK(taken[i].memory && taken[i].size >= i * 13);
			memset(taken[i].memory, (int)i, taken[i].size);
		}
		for (size_t i = 0; i < COUNT; i++)
			pool_give(pool, taken[i].memory, taken[i].size);
		CHECK_NUMBER(pool_used(pool), 0);
	}
	taken[0].size = 100000;
	CHECK(pool_take(pool, &taken[0].size));
	pool_free(pool);
}

TEST(a_key_tells_its_second_and_differs_by_identity)
{
	const uint64_t time_us = 1793491205497260;
	struct text ab_c[] = { TEXT_LITERAL("ab"), TEXT_LITERAL("c") }, a_bc[] = { TEXT_LITERAL("a"), TEXT_LITERAL("bc") };
	transaction_key key = transaction_key_of(time_us, ab_c, 2);

	CHECK(key == transaction_key_of(time_us, ab_c, 2));
	CHECK(key != transaction_key_of(time_us, a_bc, 2));
	CHECK_NUMBER(transaction_key_time(key), 1793491205000000);
	CHECK(key < transaction_key_of(time_us + 1000000, a_bc, 2));
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(every_fact_of_the_table_keeps_its_value),
		UNIT_TEST(a_fact_that_is_set_again_has_the_new_value_and_evidence_alone),
		UNIT_TEST(a_list_has_each_item_once),
		UNIT_TEST(what_is_too_long_is_cut_and_says_so),
		UNIT_TEST(evidence_is_kept_once_and_as_long_as_a_fact_rests_on_it),
		UNIT_TEST(bare_facts_need_no_evidence_and_have_none),
		UNIT_TEST(memory_of_all_sizes_comes_back),
		UNIT_TEST(a_key_tells_its_second_and_differs_by_identity),
		{ NULL, NULL },
	};

	return unit_run(tests, argc, argv);
}
