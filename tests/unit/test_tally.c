/* test_tally.c - counting by keys. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/tally.h"
#include "tests/unit/unit.h"

static const struct tally_info two = { "two", 2, 3, { TALLY_SUM, TALLY_LEAST, TALLY_MOST } };
static const struct tally_info one = { "one", 1, 1, { TALLY_SUM } };

TEST(numbers_of_a_key_become_one_by_their_rules)
{
	struct tally *tally = tally_new(&two);
	struct text key[] = { TEXT_LITERAL("ab"), TEXT_LITERAL("c"), TEXT_NONE, TEXT_NONE };

	tally_add_two(tally, TEXT_LITERAL("ab"), TEXT_LITERAL("c"), (uint64_t[]){ 1, 5, 5 });
	tally_add_two(tally, TEXT_LITERAL("a"), TEXT_LITERAL("bc"), (uint64_t[]){ 7, 7, 7 });
	tally_add_two(tally, TEXT_LITERAL("ab"), TEXT_LITERAL("c"), (uint64_t[]){ 2, 3, 9 });
	tally_add_two(tally, TEXT_LITERAL("ab"), TEXT_LITERAL("c"), (uint64_t[]){ 4, 4, 4 });
	CHECK_NUMBER(tally_count(tally), 2);
	uint64_t numbers[3];

	CHECK(tally_find(tally, key, numbers) && numbers[0] == 7 && numbers[1] == 3 && numbers[2] == 9);
	CHECK_TEXT(tally_row(tally, 1).parts[0], "a");
	CHECK_TEXT(tally_row(tally, 1).parts[1], "bc");
	key[1] = TEXT_LITERAL("d");
	CHECK(!tally_find(tally, key, numbers));
	tally_free(tally);
}

TEST(upper_and_lower_case_are_the_same_key_whatever_came_first)
{
	static const char *const ways[] = { "Ann.Lee@Example.COM", "ann.lee@example.com", "ANN.LEE@example.com" };
	uint64_t number;

	for (unsigned first = 0; first < 3; first++) {
		struct tally *tally = tally_new(&two);

		for (unsigned i = 0; i < 3; i++)
			tally_add_two(tally, text_of(ways[(first + i) % 3]), TEXT_LITERAL("LOGIN"), (uint64_t[]){ 1, 5, 5 });
		tally_add_two(tally, TEXT_LITERAL("ann[lee@example.com"), TEXT_LITERAL("LOGIN"), (uint64_t[]){ 1, 5, 5 });
		tally_add_two(tally, TEXT_LITERAL("ann{lee@example.com"), TEXT_LITERAL("LOGIN"), (uint64_t[]){ 1, 5, 5 });
		CHECK_NUMBER(tally_count(tally), 3);
		CHECK_NUMBER(tally_number(tally, 0, 0), 3);
		CHECK_TEXT(tally_row(tally, 0).parts[0], "ann.lee@example.com");
		CHECK_TEXT(tally_row(tally, 0).parts[1], "LOGIN");
		tally_free(tally);
	}
	for (unsigned i = 0; i < 2; i++) {
		struct tally *tally = tally_new(&one);
		struct text key[] = { text_of(i ? "AB" : "a\xc3"), TEXT_NONE, TEXT_NONE, TEXT_NONE };

		tally_add_one(tally, text_of(i ? "ab" : "a\xe3"), (uint64_t[]){ 1 });
		CHECK(tally_find(tally, key, &number) == (i == 1));	/* of ASCII alone */
		tally_free(tally);
	}
}

TEST(every_key_is_found_again_whatever_their_number)
{
	struct tally *tally = tally_new(&one);
	char name[40];
	int length;

	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < 50000; i++) {
			length = snprintf(name, sizeof name, "%u@a-longer-name.example", i);
			tally_add_one(tally, (struct text){ name, (size_t)length }, (uint64_t[]){ i });
		}
	CHECK_NUMBER(tally_count(tally), 50000);
	for (unsigned i = 0; i < 50000; i++) {
		length = snprintf(name, sizeof name, "%u@a-longer-name.example", i);
		uint64_t number;

		CHECK_SAYING(tally_find(tally, &(struct text){ name, (size_t)length }, &number) && number == 2 * i, "%u", i);
	}
	CHECK_NUMBER(tally_others(tally), 0);
	tally_free(tally);
}

TEST(numbers_may_become_large_at_any_time_and_no_other_row_changes)
{
	static const uint64_t large = UINT64_C(1) << 40;
	struct tally *tally = tally_new(&two);
	char name[40];

	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < 1000; i++) {
			int length = snprintf(name, sizeof name, "%u", i);
			bool is_large = round == 1 && i % 3 == 0;

			tally_add_two(tally, (struct text){ name, (size_t)length }, TEXT_LITERAL("x"),
				      (uint64_t[]){ is_large ? large : i, is_large ? UINT64_MAX : i % 2 ? large : 7, UINT32_MAX + (uint64_t)(i % 5 == 0) });
		}
	CHECK_NUMBER(tally_count(tally), 1000);
	for (unsigned i = 0; i < 1000; i++) {
		struct tally_row row = tally_row(tally, i);

		CHECK_NUMBER(row.numbers[0], i % 3 == 0 ? large + 2 * i : 3 * i);
		CHECK_NUMBER(row.numbers[1], i % 2 ? large : 7);
		CHECK_NUMBER(row.numbers[2], UINT32_MAX + (uint64_t)(i % 5 == 0));
		CHECK_TEXT(row.parts[1], "x");
	}
	tally_free(tally);
}

TEST(beyond_the_limit_nothing_is_lost_but_its_name)
{
	struct tally *tally = tally_new(&one);
	char name[40];
	uint64_t sum = 0;

	for (unsigned i = 0; i < TALLY_KEYS_MAX + 100; i++) {
		int length = snprintf(name, sizeof name, "%u", i);

		tally_add_one(tally, (struct text){ name, (size_t)length }, (uint64_t[]){ 1 });
	}
	CHECK_NUMBER(tally_count(tally), TALLY_KEYS_MAX + 1);
	CHECK_NUMBER(tally_others(tally), 100);
	CHECK_NUMBER(tally_number(tally, tally_index(tally, &TEXT_LITERAL(TALLY_OTHERS)), 0), 100);
	for (size_t i = 0; i < tally_count(tally); i++)
		sum += tally_row(tally, i).numbers[0];
	CHECK_NUMBER(sum, TALLY_KEYS_MAX + 100);
	tally_free(tally);
}

TEST(whoever_reads_has_all_that_was_added_before)
{
	enum { KEYS = 6000 };
	struct tally *tally = tally_new(&two);
	char name[TALLY_TEXT_MAX + 1];

	memset(name, 'x', sizeof name);
	for (unsigned i = 0; i < 2 * KEYS; i++) {
		/* Short and long ones, so that what waits is as many as may, or as long. */
		struct text first = { name, i % KEYS % 7 ? 9 : sizeof name - 1 }, key[] = { first, TEXT_LITERAL("key"), TEXT_NONE, TEXT_NONE };
		uint64_t numbers[3];

		(void)snprintf(name, 9, "%08u", i % KEYS);
		name[8] = 'x';
		tally_add(tally, key, (uint64_t[]){ 1, i, i });
		if (i % 5 == 0)
			CHECK_SAYING(tally_find(tally, key, numbers) && numbers[0] == (i < KEYS ? 1 : 2) && numbers[2] == i, "%u", i);
		if (i % 11 == 0)
			CHECK_SAYING(tally_number(tally, tally_add_now(tally, key, (uint64_t[]){ 0, i, i }), 2) == i, "%u", i);
	}
	CHECK_NUMBER(tally_count(tally), KEYS);
	tally_free(tally);
}

TEST(the_order_is_that_of_the_keys_and_the_others_come_last)
{
	static const char *const keys[][2] = {
		{ "a", "z" }, { TALLY_OTHERS, "" }, { "abcdefghij", "" }, { "ABCDEFGHI", "" }, { "a", "B" }, { "", "" }, { "abcdefgh\xff", "" }, { "a", "c" },
	};
	static const size_t wanted[] = { 5, 4, 7, 0, 3, 2, 6, 1 };
	enum { COUNT = sizeof keys / sizeof keys[0] };
	struct tally *tally = tally_new(&(struct tally_info){ .name = "two", .parts = 2, .numbers = 1, .rules = { TALLY_SUM } });
	size_t *order;

	for (unsigned i = 0; i < COUNT; i++)
		tally_add_two(tally, text_of(keys[i][0]), text_of(keys[i][1]), &(uint64_t){ 1 });
	order = tally_order(tally);
	for (unsigned i = 0; order && i < COUNT; i++)
		CHECK_NUMBER(order[i], wanted[i]);
	CHECK(order);
	free(order);
	tally_free(tally);
}

TEST(a_key_with_a_number_is_the_same_as_without)
{
	struct tally *tally = tally_new(&one);
	uint64_t number;
	char name[16];

	for (unsigned round = 0; round < 3; round++) {
		tally_add_known(tally, 1, "ab", UINT32_MAX, 0);
		tally_add_one(tally, TEXT_LITERAL("c"), (uint64_t[]){ 2 });
		tally_add_known(tally, TALLY_KNOWN_MAX - 1, "c", 1, 0);
		tally_add_one(tally, TEXT_LITERAL("ab"), (uint64_t[]){ 1 });
	}
	CHECK_NUMBER(tally_count(tally), 2);
	CHECK(tally_find(tally, &TEXT_LITERAL("ab"), &number));
	CHECK_NUMBER(number, 3 * (UINT64_C(1) << 32));
	CHECK(tally_find(tally, &TEXT_LITERAL("c"), &number));
	CHECK_NUMBER(number, 9);
	for (unsigned i = 2; i < TALLY_KEYS_MAX; i++) {
		(void)snprintf(name, sizeof name, "%u", i);
		tally_add_one(tally, text_of(name), (uint64_t[]){ 1 });
	}
	for (unsigned i = 0; i < 2; i++)
		tally_add_known(tally, 2, "beyond the limit", 1, 0);
	CHECK_NUMBER(tally_count(tally), TALLY_KEYS_MAX + 1);
	CHECK_NUMBER(tally_others(tally), 1);
	CHECK_NUMBER(tally_number(tally, TALLY_KEYS_MAX, 0), 2);
	tally_free(tally);
}

TEST(a_long_key_is_cut_and_any_byte_may_be_in_it)
{
	struct tally *tally = tally_new(&one);
	static char bytes[2 * TALLY_TEXT_MAX];

	tally_add_one(tally, (struct text){ bytes, sizeof bytes }, (uint64_t[]){ 1 });
	tally_add_one(tally, (struct text){ bytes, TALLY_TEXT_MAX }, (uint64_t[]){ 1 });
	tally_add_one(tally, (struct text){ bytes, TALLY_TEXT_MAX - 1 }, (uint64_t[]){ 1 });
	CHECK_NUMBER(tally_count(tally), 2);
	CHECK_NUMBER(tally_row(tally, 0).parts[0].length, TALLY_TEXT_MAX);
	tally_free(tally);
}

TEST(a_step_holds_the_duration_and_percentiles_are_of_steps)
{
	static uint64_t counts[TALLY_STEPS];

	for (uint64_t us = 0; us < UINT64_C(100) * 86400 * 1000000; us = us * 3 / 2 + 7) {
		unsigned step = tally_step(us);

		CHECK_SAYING(tally_step_end(step) >= us, "%llu", (unsigned long long)us);
		CHECK_SAYING(step == 0 || tally_step_end(step - 1) <= us, "%llu", (unsigned long long)us);
	}
	CHECK(tally_step(UINT64_MAX) == TALLY_STEPS - 1);
	for (unsigned i = 1; i <= 100; i++)
		counts[tally_step(i * 1000000)]++;
	CHECK(tally_percentile(counts, 0.5) >= 50000000 && tally_percentile(counts, 0.5) <= 52500000);
	CHECK(tally_percentile(counts, 0.99) >= 99000000 && tally_percentile(counts, 0.99) <= 104000000);
	CHECK(tally_percentile(counts, 1) >= 100000000);
	memset(counts, 0, sizeof counts);
	CHECK_NUMBER(tally_percentile(counts, 0.5), 0);
}

static const struct tally_info spread = { "spread", 1, 3, { TALLY_SUM, TALLY_SPREAD, TALLY_SPREAD } };

TEST(a_distribution_counts_steps_and_another_tallys_are_added)
{
	struct tally *day = tally_new(&spread), *all = tally_new(&spread);
	uint64_t counts[TALLY_STEPS] = { 0 };

	/* Of a duration that is not known nothing is counted. */
	for (uint64_t i = 1; i <= 1000; i++)
		(void)tally_add(day, &TEXT_LITERAL("a"), (uint64_t[]){ 1, i * 10000, i % 2 ? TALLY_NONE : 5 });
	(void)tally_add(day, &TEXT_LITERAL("b"), (uint64_t[]){ 1, UINT64_C(1) << 62, TALLY_NONE });
	for (unsigned round = 0; round < 2; round++)
		for (size_t row = 0; row < tally_count(day); row++)
			tally_add_row(all, day, row);
	struct tally_row first = tally_row(all, 0);

	CHECK(first.numbers[0] == 2000 && first.numbers[1] == 2000 && first.numbers[2] == 1000);
	tally_sum_steps(all, 0, 1, counts);
	CHECK(tally_percentile(counts, 0.9) >= 9000000 && tally_percentile(counts, 0.9) <= 9450000);
	CHECK_NUMBER(counts[tally_step(10000)], 2);
	memset(counts, 0, sizeof counts);
	tally_sum_steps(all, 0, 2, counts);
	CHECK_NUMBER(counts[0], 1000);
	memset(counts, 0, sizeof counts);
	tally_sum_steps(all, 1, 1, counts);
	CHECK_NUMBER(counts[TALLY_STEPS - 1], 2);
	tally_sum_steps(all, 1, 2, counts);
	CHECK_NUMBER(counts[0], 0);
	tally_free(day);
	tally_free(all);
}

TEST(of_more_distributions_than_are_kept_the_others_are_one)
{
	struct tally *tally = tally_new(&spread);
	uint64_t counts[TALLY_STEPS] = { 0 };
	char name[40];

	for (unsigned i = 0; i < TALLY_SPREAD_KEYS_MAX + 10; i++) {
		int length = snprintf(name, sizeof name, "%u", i);

		(void)tally_add(tally, &(struct text){ name, (size_t)length }, (uint64_t[]){ 1, 1000, TALLY_NONE });
	}
	CHECK_NUMBER(tally_count(tally), TALLY_SPREAD_KEYS_MAX + 1);
	CHECK_NUMBER(tally_others(tally), 10);
	tally_sum_steps(tally, tally_index(tally, &TEXT_LITERAL(TALLY_OTHERS)), 1, counts);
	CHECK_NUMBER(counts[0], 10);
	tally_free(tally);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(numbers_of_a_key_become_one_by_their_rules),
		UNIT_TEST(upper_and_lower_case_are_the_same_key_whatever_came_first),
		UNIT_TEST(every_key_is_found_again_whatever_their_number),
		UNIT_TEST(numbers_may_become_large_at_any_time_and_no_other_row_changes),
		UNIT_TEST(beyond_the_limit_nothing_is_lost_but_its_name),
		UNIT_TEST(whoever_reads_has_all_that_was_added_before),
		UNIT_TEST(the_order_is_that_of_the_keys_and_the_others_come_last),
		UNIT_TEST(a_key_with_a_number_is_the_same_as_without),
		UNIT_TEST(a_long_key_is_cut_and_any_byte_may_be_in_it),
		UNIT_TEST(a_step_holds_the_duration_and_percentiles_are_of_steps),
		UNIT_TEST(a_distribution_counts_steps_and_another_tallys_are_added),
		UNIT_TEST(of_more_distributions_than_are_kept_the_others_are_one),
		{ NULL, NULL },
	};

	return unit_run(tests, argc, argv);
}
