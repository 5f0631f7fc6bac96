/*
 * test_shortcuts.c - the short ways through frames and Postfix's commonest kinds (frame.c, postfix_fast.c), held against
 * the long ones: the same events of the same lines, byte by byte; of lines that were damaged too.
 *
 * The lines: fixtures, the kinds of the public logs, a log by genlog, and the folder that SMTPTRAIL_SAMPLE_LOGS names.
 * SMTPTRAIL_SEED, a number, makes other damage and another log, for a longer search.
 */
#include "analysis/log_reader.h"
#include "log_cases.h"

static unsigned long lines_compared;
static int differences;

static void compare_file(const char *path)
{
	struct log_options fast_options = { .year = 2020 }, slow_options = { .year = 2020, .no_shortcut = true };
	struct log_reader *fast = NULL, *slow = NULL;
	static struct event fast_event, slow_event;
	struct problem problem = { "" };
	int fast_more = 1, slow_more = 1;

	CHECK_NUMBER(log_reader_new(&fast, &fast_options), 0);
	CHECK_NUMBER(log_reader_new(&slow, &slow_options), 0);
	CHECK_SAYING(log_reader_open(fast, path, &problem) == 0 && log_reader_open(slow, path, &problem) == 0, "%s", problem.text);
	while (fast_more > 0 && slow_more > 0) {
		enum format_result fast_result, slow_result;

		format_only_tables = true;
		slow_more = log_reader_next(slow, &slow_event, &slow_result);
		format_only_tables = false;
		fast_more = log_reader_next(fast, &fast_event, &fast_result);
		if (fast_more != slow_more || fast_more <= 0)
			break;
		lines_compared++;
		if (fast_result == slow_result && same_event(&fast_event, &slow_event))
			continue;
		if (differences++ < DIFFERENCES_SHOWN) {
			show_event("short", &fast_event);
			show_event("long ", &slow_event);
		}
	}
	CHECK_NUMBER(fast_more, slow_more);
	log_reader_free(fast);
	log_reader_free(slow);
}

/* Compares the file as it is, then its damaged lines. */
static void compare_both(const char *path)
{
	struct place damaged = new_file();

	compare_file(path);
	if (!damaged.out)
		return;
	write_damaged(path, damaged.out);
	CHECK_NUMBER(fclose(damaged.out), 0);
	compare_file(damaged.path);
	(void)unlink(damaged.path);
}

static void tell(void)
{
	printf("%lu lines, %d differences\n", lines_compared, differences);
	CHECK_NUMBER(differences, 0);
	CHECK(lines_compared > 0);
	lines_compared = 0;
	differences = 0;
}

TEST(kinds_of_the_public_logs_are_the_same_by_both_ways)
{
	struct place kinds = new_file();

	if (!kinds.out)
		return;
	write_kinds(kinds.out);
	CHECK_NUMBER(fclose(kinds.out), 0);
	for (int i = 0; i < 20; i++)
		compare_both(kinds.path);
	(void)unlink(kinds.path);
	tell();
}

TEST(fixtures_are_the_same_by_both_ways)
{
	char path[1024];

	(void)snprintf(path, sizeof path, "%s/tests/replay/formats/postfix.log", folder_of("srcdir"));
	for (int i = 0; i < 20; i++)
		compare_both(path);
	(void)snprintf(path, sizeof path, "%s/tests/replay/formats/companions.log", folder_of("srcdir"));
	compare_both(path);
	tell();
}

TEST(large_logs_are_the_same_by_both_ways)
{
	static const char *const options[] = { "--size 4M", "--size 2M --hosts 4 --long-ids", "--size 2M --iso --hosts 3" };

	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
		struct place log = generate_log(options[i]);

		compare_both(log.path);
		(void)unlink(log.path);
	}
	tell();
}

TEST(sample_logs_are_the_same_by_both_ways)
{
	if (for_each_sample(compare_both))
		tell();
	else
		CHECK(!getenv("SMTPTRAIL_SAMPLE_LOGS"));
}

int main(int argc, char **argv)
{
	start_random();
	stamp_set_zone("Europe/Berlin");
	if (format_prepare() != 0)
		return 1;
	return unit_run((const struct unit_test[]){
		UNIT_TEST(kinds_of_the_public_logs_are_the_same_by_both_ways),
		UNIT_TEST(fixtures_are_the_same_by_both_ways),
		UNIT_TEST(large_logs_are_the_same_by_both_ways),
		UNIT_TEST(sample_logs_are_the_same_by_both_ways),
		{ NULL, NULL },
	}, argc, argv);
}
