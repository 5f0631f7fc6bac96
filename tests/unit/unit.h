/*
 * unit.h - the little that a unit test needs.
 *
 * A test program has functions TEST(name_as_a_sentence_about_behaviour) and ends with
 * a table of them for unit_run(). CHECK and its kin note a failure with its place and go on.
 */
#ifndef SMTPTRAIL_UNIT_H
#define SMTPTRAIL_UNIT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"

static int unit_failures;
static int unit_checks;

#define TEST(name) static void name(void)

#define CHECK_SAYING(condition, ...) do { \
	unit_checks++; \
	if (!(condition)) { \
		unit_failures++; \
		fprintf(stderr, "%s:%d: not so: %s: ", __FILE__, __LINE__, #condition); \
		fprintf(stderr, __VA_ARGS__); \
		fputc('\n', stderr); \
	} \
} while (0)
#define CHECK(condition) CHECK_SAYING(condition, "in %s", __func__)
#define CHECK_NUMBER(got, wanted) do { \
	long long unit_got = (long long)(got), unit_wanted = (long long)(wanted); \
	CHECK_SAYING(unit_got == unit_wanted, "%s is %lld, wanted %lld", #got, unit_got, unit_wanted); \
} while (0)
#define CHECK_TEXT(got, wanted) do { \
	struct text unit_text = (got); \
	CHECK_SAYING(text_is(unit_text, (wanted)), "%s is \"%.*s\", wanted \"%s\"", #got, \
		     TEXT_ARGS(unit_text), (wanted)); \
} while (0)
#define CHECK_STRING(got, wanted) CHECK_TEXT(text_of(got), wanted)

/* A row of the table of tests: UNIT_TEST(name), ..., { NULL, NULL }. */
#define UNIT_TEST(name) { #name, name }

struct unit_test {
	const char *name;
	void (*run)(void);
};

/* Runs every test, or those whose name is an argument; prints one line each. */
static inline int unit_run(const struct unit_test *tests, int argc, char **argv)
{
	int failed = 0, run = 0;

	for (; tests->name; tests++) {
		bool wanted = argc < 2;

		for (int i = 1; i < argc; i++)
			wanted = wanted || strcmp(argv[i], tests->name) == 0;
		if (!wanted)
			continue;
		int before = unit_failures, checks = unit_checks;

		tests->run();
		run++;
		if (checks == unit_checks) {
			fprintf(stderr, "%s checked nothing\n", tests->name);
			unit_failures++;
		}
		failed += unit_failures != before;
		printf("%s %s\n", unit_failures == before ? "ok    " : "FAILED", tests->name);
	}
	printf("%d passed, %d failed\n", run - failed, failed);
	return failed || run == 0;
}

#endif
