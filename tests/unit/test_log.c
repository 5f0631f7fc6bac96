/* test_log.c - what reaches standard error: levels, escapes, cuts, and how repetitions are told. */
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "unit.h"

/* The clock of this program, which the tests move on. */
static time_t later;

int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
	int error = (int)syscall(SYS_clock_gettime, clock, ret_time);

	ret_time->tv_sec += __atomic_load_n(&later, __ATOMIC_RELAXED);
	return error;
}

static char captured[200000];
static int capture = -1, saved = -1;

static void capture_begin(void)
{
	char name[] = "/tmp/test_log.XXXXXX";

	capture = mkstemp(name);
	unlink(name);
	(void)fflush(stderr);
	saved = dup(STDERR_FILENO);
	(void)dup2(capture, STDERR_FILENO);
}

/* What was written since, without the heads of the lines where they are whole. */
static const char *capture_end(void)
{
	ssize_t length = pread(capture, captured, sizeof captured - 1, 0);

	captured[length > 0 ? length : 0] = '\0';
	(void)dup2(saved, STDERR_FILENO);
	close(saved);
	close(capture);
	return captured;
}

static int count(const char *text, const char *part)
{
	int times = 0;

	for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
		times++;
	return times;
}

TEST(a_line_has_time_program_and_level)
{
	capture_begin();
	log_open("tester", LOG_TARGET_STDERR, LOG_LEVEL_INFO);
	log_warning("disk %s is %d %% full", "/var", 93);
	log_close();
	const char *line = capture_end();

	/* 2026-11-21T08:00:00.123456Z tester[1]: ... */
	CHECK_SAYING(strlen(line) > 27 && line[10] == 'T' && line[26] == 'Z' && line[27] == ' ', "%s", line);
	CHECK_SAYING(strncmp(line + 28, "tester[", 7) == 0, "%s", line);
	CHECK_SAYING(strstr(line, "]: warning: disk /var is 93 % full\n"), "%s", line);
	CHECK_NUMBER(count(line, "\n"), 1);
}

TEST(a_level_is_written_with_all_that_are_worse)
{
	capture_begin();
	log_open("tester", LOG_TARGET_AUTO, LOG_LEVEL_WARNING);
	log_error("one");
	log_warning("two");
	log_info("three");
	log_debug("four");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("five");
	log_close();
	const char *text = capture_end();

	CHECK_SAYING(strstr(text, "error: one\n") && strstr(text, "warning: two\n") && strstr(text, "debug: five\n"), "%s", text);
	CHECK_SAYING(!strstr(text, "three") && !strstr(text, "four"), "%s", text);
}

TEST(outside_bytes_are_made_visible_and_a_long_line_is_cut)
{
	char big[3000];

	memset(big, 'b', sizeof big);
	big[sizeof big - 1] = '\0';
	capture_begin();
	log_open("tester", LOG_TARGET_STDERR, LOG_LEVEL_INFO);
	log_info("from '%s'", "a\nb\x1b[31m\xff");
	log_info("%s", big);
	memset(big, '\x01', sizeof big - 1);
	log_info("%s", big);
	log_close();
	const char *text = capture_end();

	CHECK_SAYING(strstr(text, "info: from 'a\\x0ab\\x1b[31m\\xff'\n"), "%s", text);
	CHECK_NUMBER(count(text, "\n"), 3);
	CHECK_NUMBER(count(text, "bbb...\n"), 1);
	CHECK_NUMBER(count(text, "\\x01...\n"), 1);
	CHECK(strlen(text) < 3 * (1024 + 64));
}

TEST(the_same_line_is_written_once_a_minute_with_a_count)
{
	capture_begin();
	log_open("tester", LOG_TARGET_STDERR, LOG_LEVEL_INFO);
	for (int i = 0; i < 5; i++)
		log_error("redis is away");
	later += 59;
	log_error("redis is away");
	log_error("redis is elsewhere");
	later += 2;
	log_error("redis is away");
	log_error("redis is away");
	later += 61;
	log_error("redis is elsewhere");
	log_close();
	const char *text = capture_end();
	const char *again = strstr(text, "error: redis is away (repeated: 6)\n");

	CHECK_NUMBER(count(text, "error: redis is away\n"), 1);
	CHECK_SAYING(again != NULL, "%s", text);
	/* The end tells the one that was still unsaid. */
	CHECK_SAYING(again && strstr(again, "redis is away (repeated: 1)\n"), "%s", text);
	CHECK_NUMBER(count(text, "error: redis is elsewhere\n"), 2);
	CHECK_NUMBER(count(text, "\n"), 5);
}

TEST(a_line_that_is_forgotten_for_newer_ones_tells_its_count)
{
	capture_begin();
	log_open("tester", LOG_TARGET_STDERR, LOG_LEVEL_INFO);
	log_info("old");
	log_info("old");
	later++;
	for (int i = 0; i < 200; i++)
		log_info("new %d", i);
	log_info("old");
	log_close();
	const char *text = capture_end();

	CHECK_NUMBER(count(text, "info: old (repeated: 1)\n"), 1);
	CHECK_NUMBER(count(text, "info: old\n"), 2);
	CHECK_NUMBER(count(text, "\n"), 203);
}

static void *chatter(void *ignored)
{
	(void)ignored;
	for (int i = 0; i < 500; i++) {
		log_info("same from all");
		log_info("number %d", i % 20);
	}
	return NULL;
}

TEST(threads_lose_no_line_and_tear_none)
{
	pthread_t threads[4];

	capture_begin();
	log_open("tester", LOG_TARGET_STDERR, LOG_LEVEL_INFO);
	for (int i = 0; i < 4; i++)
		CHECK_NUMBER(pthread_create(&threads[i], NULL, chatter, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	log_close();
	const char *text = capture_end();

	CHECK_NUMBER(count(text, "info: same from all\n"), 1);
	CHECK_NUMBER(count(text, "info: same from all (repeated: 1999)\n"), 1);
	CHECK_NUMBER(count(text, "(repeated: 99)\n"), 20);
	CHECK_NUMBER(count(text, "\n"), 42);
}

TEST(standard_error_at_the_journal_gets_a_priority_and_no_time)
{
	char stream[64];
	struct stat stat;

	capture_begin();
	CHECK_NUMBER(fstat(STDERR_FILENO, &stat), 0);
	(void)snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)stat.st_dev, (unsigned long long)stat.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_open("tester", LOG_TARGET_STDERR, LOG_LEVEL_INFO);
	log_error("broken");
	log_close();
	/* Of another stream, it is not. */
	setenv("JOURNAL_STREAM", "1:2", 1);
	log_open("tester", LOG_TARGET_STDERR, LOG_LEVEL_INFO);
	log_error("mended");
	log_close();
	unsetenv("JOURNAL_STREAM");
	const char *text = capture_end();

	CHECK_SAYING(strncmp(text, "<3>broken\n20", 12) == 0, "%s", text);
}

TEST(errno_is_as_it_was)
{
	capture_begin();
	log_open("tester", LOG_TARGET_STDERR, LOG_LEVEL_INFO);
	errno = ENOSPC;
	log_info("full");
	CHECK_NUMBER(errno, ENOSPC);
	log_close();
	(void)capture_end();
}

static const struct unit_test tests[] = {
	UNIT_TEST(a_line_has_time_program_and_level),
	UNIT_TEST(a_level_is_written_with_all_that_are_worse),
	UNIT_TEST(outside_bytes_are_made_visible_and_a_long_line_is_cut),
	UNIT_TEST(the_same_line_is_written_once_a_minute_with_a_count),
	UNIT_TEST(a_line_that_is_forgotten_for_newer_ones_tells_its_count),
	UNIT_TEST(threads_lose_no_line_and_tear_none),
	UNIT_TEST(standard_error_at_the_journal_gets_a_priority_and_no_time),
	UNIT_TEST(errno_is_as_it_was),
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	unsetenv("JOURNAL_STREAM");
	return unit_run(tests, argc, argv);
}
