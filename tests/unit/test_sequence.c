/* test_sequence.c - which records have been had, and which are missing. */
#include "analysis/sequence.h"

#include <inttypes.h>

#include "unit.h"

#define SEQ(epoch, counter) ((uint64_t)(epoch) << JOURNAL_COUNTER_BITS | (counter))

struct step {
	uint64_t seq;
	struct sequence_joint joint;
};

/* What becomes of each step: "." new, "x" had before, "f" fills a hole; "[n]" after it: n missing. */
static const struct row {
	const char *sentence;
	struct step steps[10];
	const char *wanted;
} rows[] = {
	{ "without holes nothing is missing", { { SEQ(1, 1), { 0 } }, { SEQ(1, 2), { 0 } }, { SEQ(1, 3), { 0 } } }, "..." },
	{ "the first of a producer begins anywhere", { { SEQ(4, 500), { 0 } }, { SEQ(4, 501), { 0 } } }, ".." },
	{ "what comes twice is had", { { SEQ(1, 1), { 0 } }, { SEQ(1, 2), { 0 } }, { SEQ(1, 1), { 0 } }, { SEQ(1, 2), { 0 } }, { SEQ(1, 3), { 0 } } }, "..xx." },
	{ "what is before the first is had", { { SEQ(1, 9), { 0 } }, { SEQ(1, 3), { 0 } } }, ".x" },
	{ "a hole is counted", { { SEQ(1, 1), { 0 } }, { SEQ(1, 5), { 0 } } }, ".[3]." },
	{ "what fills a hole is new, once",
	  { { SEQ(1, 1), { 0 } }, { SEQ(1, 5), { 0 } }, { SEQ(1, 3), { 0 } }, { SEQ(1, 3), { 0 } }, { SEQ(1, 2), { 0 } }, { SEQ(1, 4), { 0 } }, { SEQ(1, 4), { 0 } } },
	  ".[3].fxffx" },
	{ "a new epoch begins at 1", { { SEQ(1, 7), { 0 } }, { SEQ(2, 1), { 1, SEQ(1, 7) } }, { SEQ(2, 2), { 0 } } }, "..." },
	{ "the start record tells what the epoch before had", { { SEQ(1, 7), { 0 } }, { SEQ(2, 1), { 1, SEQ(1, 9) } } }, ".[2]." },
	{ "it may be the second of its epoch", { { SEQ(1, 7), { 0 } }, { SEQ(2, 1), { 0 } }, { SEQ(2, 2), { 1, SEQ(1, 9) } } }, "..[2]." },
	{ "holes before and behind the joint", { { SEQ(1, 7), { 0 } }, { SEQ(2, 4), { 1, SEQ(1, 9) } } }, ".[3][2]." },
	{ "an epoch that was not seen at all", { { SEQ(1, 7), { 0 } }, { SEQ(3, 1), { 2, SEQ(2, 5) } } }, ".[5]." },
	{ "a journal that lost its end has nothing missing here", { { SEQ(1, 7), { 0 } }, { SEQ(2, 1), { 1, SEQ(1, 3) } } }, ".." },
	{ "a joint that makes no sense is passed over", { { SEQ(1, 7), { 0 } }, { SEQ(2, 1), { 2, SEQ(2, 9) } }, { SEQ(2, 2), { 1, 9 } } }, "..." },
	{ "a start record that comes twice is joined once",
	  { { SEQ(1, 7), { 0 } }, { SEQ(2, 1), { 1, SEQ(1, 9) } }, { SEQ(1, 8), { 0 } }, { SEQ(1, 9), { 0 } }, { SEQ(2, 1), { 1, SEQ(1, 9) } } }, ".[2].ffx" },
	{ "the highest of all numbers", { { UINT64_MAX - 1, { 0 } }, { UINT64_MAX, { 0 } }, { UINT64_MAX, { 0 } } }, "..x" },
};

static void tell(char *told, size_t size, const struct sequence_finding *finding)
{
	for (unsigned i = 0; i < finding->missing_count; i++)
		(void)snprintf(told + strlen(told), size - strlen(told), "[%" PRIu64 "]",
			       finding->missing[i].to - finding->missing[i].from + 1);
	(void)snprintf(told + strlen(told), size - strlen(told), "%s", !finding->is_new ? "x" : finding->fills ? "f" : ".");
}

TEST(marks_tell_what_is_new_had_or_missing)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct sequence *sequence = sequence_new();
		char told[64] = "";

		for (const struct step *step = rows[i].steps; step->seq; step++) {
			struct sequence_finding finding;

			sequence_note(sequence, TEXT_LITERAL("p"), 0, step->seq, step->joint, &finding);
			tell(told, sizeof told, &finding);
		}
		CHECK_SAYING(strcmp(told, rows[i].wanted) == 0, "%s: %s, wanted %s", rows[i].sentence, told, rows[i].wanted);
		sequence_free(sequence);
	}
}

static bool note(struct sequence *sequence, const char *producer, unsigned partition, uint64_t seq,
		 struct sequence_finding *ret_finding)
{
	sequence_note(sequence, text_of(producer), partition, seq, (struct sequence_joint){ 0, 0 }, ret_finding);
	return ret_finding->is_new;
}

TEST(producers_and_partitions_do_not_mix)
{
	struct sequence *sequence = sequence_new();
	struct sequence_finding finding;

	CHECK(note(sequence, "p", 0, 5, &finding) && note(sequence, "q", 0, 5, &finding));
	CHECK(note(sequence, "p", 1, 5, &finding) && !note(sequence, "p", 0, 5, &finding));
	CHECK(note(sequence, "q", 0, 6, &finding) && finding.missing_count == 0);
	sequence_free(sequence);
}

TEST(producers_are_bounded_and_the_one_given_up_is_named)
{
	struct sequence *sequence = sequence_new();
	struct sequence_finding finding;
	char name[16];

	for (int i = 0; i < SEQUENCE_PRODUCERS; i++) {
		(void)snprintf(name, sizeof name, "p%d", i);
		CHECK(note(sequence, name, 0, 1, &finding) && !finding.given_up[0]);
	}
	CHECK(!note(sequence, "p0", 0, 1, &finding));
	CHECK(note(sequence, "more", 0, 1, &finding));
	CHECK_STRING(finding.given_up, "p1");
	CHECK(!note(sequence, "p0", 0, 1, &finding));
	sequence_free(sequence);
}

TEST(only_the_first_of_a_round_may_follow_what_was_trimmed)
{
	struct sequence *sequence = sequence_new();
	struct sequence_finding finding;

	(void)note(sequence, "p", 0, 1, &finding);
	sequence_round(sequence);
	(void)note(sequence, "p", 0, 5, &finding);
	CHECK(finding.missing_count == 1 && finding.first_in_round);
	(void)note(sequence, "p", 0, 9, &finding);
	CHECK(finding.missing_count == 1 && !finding.first_in_round);
	sequence_free(sequence);
}

TEST(of_very_many_holes_the_newest_can_still_be_filled)
{
	struct sequence *sequence = sequence_new();
	struct sequence_finding finding;

	for (uint64_t seq = 1; seq < 1000; seq += 2)
		(void)note(sequence, "p", 0, seq, &finding);
	CHECK(note(sequence, "p", 0, 998, &finding) && finding.fills);
	CHECK(!note(sequence, "p", 0, 2, &finding));
	sequence_free(sequence);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(marks_tell_what_is_new_had_or_missing),
		UNIT_TEST(producers_and_partitions_do_not_mix),
		UNIT_TEST(producers_are_bounded_and_the_one_given_up_is_named),
		UNIT_TEST(only_the_first_of_a_round_may_follow_what_was_trimmed),
		UNIT_TEST(of_very_many_holes_the_newest_can_still_be_filled),
		{ NULL, NULL },
	};

	return unit_run(tests, argc, argv);
}
