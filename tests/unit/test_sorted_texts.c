/* test_sorted_texts.c - texts that come in the order of their numbers, and are found by them. */
#include <stdio.h>
#include <string.h>

#include "analysis/sorted_texts.h"
#include "tests/unit/unit.h"

enum { SIZE_MAX_BYTES = 8 * 1024 * 1024 };

struct series {
	const char *name;
	uint64_t first, step, jump;	/* jump: added once, in the middle */
	unsigned count;
	bool has_all;			/* else some are found by nobody */
};

static const struct series series[] = {
	{ "none at all", 1, 1, 0, 0, true },
	{ "one", 77, 1, 0, 1, true },
	{ "dense", 1, 1, 0, 50000, true },
	{ "spread evenly over all numbers", 1000, 42949, 0, 100000, true },
	{ "two dense stretches far from each other", 1, 1, 2000000000, 2000, false },
	{ "the highest number", UINT32_MAX, 1, 0, 1, true },
};

static const char *print_text(uint64_t number, char *scratch)
{
	(void)sprintf(scratch, "%.*sn%u", (int)(number % 7), "xxxxxxx", (unsigned)number);
	return scratch;
}

static uint64_t number_of(const struct series *each, unsigned index)
{
	return each->first + index * each->step + (index >= each->count / 2 ? each->jump : 0);
}

TEST(each_number_has_its_own_text_or_none)
{
	char scratch[32];

	for (size_t i = 0; i < sizeof series / sizeof series[0]; i++) {
		const struct series *each = &series[i];
		struct sorted_texts texts = { .bytes = NULL };
		unsigned missing = 0, wrong = 0;

		for (unsigned j = 0; j < each->count; j++)
			CHECK(sorted_texts_add(&texts, number_of(each, j), text_of(print_text(number_of(each, j), scratch)), SIZE_MAX_BYTES));
		CHECK(!sorted_texts_find(&texts, each->first).start);
		CHECK(sorted_texts_index(&texts));
		for (unsigned j = 0; j < each->count; j++) {
			uint64_t number = number_of(each, j);
			struct text text;

			sorted_texts_fetch(&texts, number);
			text = sorted_texts_find(&texts, number);
			missing += !text.start;
			wrong += text.start && !text_is(text, print_text(number, scratch));
			wrong += each->step > 1 && sorted_texts_find(&texts, number + 1).start;
		}
		wrong += sorted_texts_find(&texts, 0).start || sorted_texts_find(&texts, each->first - 1).start ||
			 sorted_texts_find(&texts, number_of(each, each->count)).start || sorted_texts_find(&texts, UINT64_MAX).start;
		CHECK_SAYING(!wrong && (missing == 0) == each->has_all && missing <= each->count, "%s: %u wrong, %u missing", each->name, wrong,
			     missing);
		sorted_texts_done(&texts);
	}
}

TEST(what_is_out_of_order_or_beyond_a_limit_is_refused_and_the_others_stay)
{
	struct sorted_texts texts = { .bytes = NULL };
	static char long_text[UINT16_MAX + 1];

	memset(long_text, 'x', sizeof long_text);
	CHECK(sorted_texts_add(&texts, 5, TEXT_LITERAL(""), 100));
	CHECK(!sorted_texts_add(&texts, 5, TEXT_LITERAL("again"), 100));
	CHECK(!sorted_texts_add(&texts, 4, TEXT_LITERAL("before"), 100));
	CHECK(!sorted_texts_add(&texts, (uint64_t)UINT32_MAX + 1, TEXT_LITERAL("too high"), 100));
	CHECK(!sorted_texts_add(&texts, 6, (struct text){ long_text, sizeof long_text }, SIZE_MAX_BYTES));
	CHECK(sorted_texts_add(&texts, 6, (struct text){ long_text, 80 }, 100));
	CHECK(!sorted_texts_add(&texts, 7, TEXT_LITERAL("no room"), 100));
	CHECK(sorted_texts_index(&texts));
	CHECK(!sorted_texts_add(&texts, 8, TEXT_LITERAL("too late"), SIZE_MAX_BYTES));
	CHECK_TEXT(sorted_texts_find(&texts, 5), "");
	CHECK_NUMBER(sorted_texts_find(&texts, 6).length, 80);
	CHECK(!sorted_texts_find(&texts, 7).start);
	sorted_texts_done(&texts);
	CHECK(!sorted_texts_find(&texts, 5).start);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(each_number_has_its_own_text_or_none),
		UNIT_TEST(what_is_out_of_order_or_beyond_a_limit_is_refused_and_the_others_stay),
		{ NULL, NULL },
	};

	return unit_run(tests, argc, argv);
}
