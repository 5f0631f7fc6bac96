/* test_status.c - the status file: every member comes back, damaged and hostile files are refused in words. */
#include "common/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/record.h"
#include "unit.h"

static char directory[] = "/tmp/test_status.XXXXXX";
static char file_name[64];

static void write_text(const char *text, size_t length)
{
	FILE *file = fopen(file_name, "w");

	CHECK(file && fwrite(text, 1, length, file) == length && fclose(file) == 0);
}

/* Another value for each member. */
static void fill_TEXT(char *text, uint64_t number, const char *name)
{
	(void)snprintf(text, STATUS_TEXT_SIZE, "%s \"%llu\" \\ \xc3\xa4", name, (unsigned long long)number);
}

static void fill_NUMBER(uint64_t *ret_number, uint64_t number, const char *name)
{
	(void)name;
	*ret_number = (UINT64_C(1) << 40) + number;
}

static void fill_TIME(uint64_t *ret_time, uint64_t number, const char *name)
{
	(void)name;
	*ret_time = UINT64_C(1795248000123456) + number;
}

static void fill(struct status *status)
{
	uint64_t number = 0;

	memset(status, 0, sizeof *status);
#define TEXT_PLACE(name) status->name
#define NUMBER_PLACE(name) &status->name
#define TIME_PLACE(name) &status->name
#define FILL(name, kind, meaning) fill_##kind(kind##_PLACE(name), ++number, #name);
	STATUS_TABLE(FILL)
#undef FILL
}

static void check_TEXT(const char *name, const char *got, const char *wanted)
{
	CHECK_SAYING(strcmp(got, wanted) == 0, "%s: %s", name, got);
}

static void check_NUMBER(const char *name, uint64_t got, uint64_t wanted)
{
	CHECK_SAYING(got == wanted, "%s: %llu", name, (unsigned long long)got);
}

#define check_TIME check_NUMBER

TEST(every_member_comes_back_as_it_was)
{
	static struct status written, got;
	struct problem problem;

	fill(&written);
	CHECK_NUMBER(status_write(&written, file_name), 0);
	CHECK_SAYING(status_read(&got, file_name, &problem) == 0, "%s", problem.text);
#define COMPARE(name, kind, meaning) check_##kind(#name, got.name, written.name);
	STATUS_TABLE(COMPARE)
	/* Zero, empty and none as well. */
	memset(&written, 0, sizeof written);
	CHECK_NUMBER(status_write(&written, file_name), 0);
	CHECK_NUMBER(status_read(&got, file_name, &problem), 0);
	STATUS_TABLE(COMPARE)
#undef COMPARE
}

TEST(bytes_that_are_no_utf_8_and_control_bytes_are_kept_readable)
{
	static struct status written, got;
	struct problem problem;

	memset(&written, 0, sizeof written);
	(void)strcpy(written.last_error, "a\xff\x80" "b\n\x1b\"c");
	CHECK_NUMBER(status_write(&written, file_name), 0);
	CHECK_SAYING(status_read(&got, file_name, &problem) == 0, "%s", problem.text);
	CHECK_STRING(got.last_error, "a\\xff\\x80" "b\n\x1b\"c");
}

TEST(a_number_beyond_json_is_cut_not_negative)
{
	static struct status written, got;
	struct problem problem;

	memset(&written, 0, sizeof written);
	written.last_seq = UINT64_MAX;
	CHECK_NUMBER(status_write(&written, file_name), 0);
	CHECK_SAYING(status_read(&got, file_name, &problem) == 0, "%s", problem.text);
	CHECK_NUMBER(got.last_seq, INT64_MAX);
}

TEST(the_file_is_replaced_as_a_whole_and_nothing_is_left_beside_it)
{
	static struct status status;
	struct stat before, after;
	char new_name[80];

	(void)snprintf(new_name, sizeof new_name, "%s.new", file_name);
	CHECK_NUMBER(status_write(&status, file_name), 0);
	CHECK_NUMBER(stat(file_name, &before), 0);
	int held = open(file_name, O_RDONLY);	/* so that its number is not given away again */

	CHECK_NUMBER(status_write(&status, file_name), 0);
	CHECK_NUMBER(stat(file_name, &after), 0);
	CHECK(before.st_ino != after.st_ino);
	CHECK_NUMBER(after.st_mode & 0777 & ~0644u, 0);
	CHECK(access(new_name, F_OK) != 0);
	close(held);
	/* A link that someone laid in the way is not followed. */
	CHECK_NUMBER(symlink("/nonexistent/elsewhere", new_name), 0);
	CHECK_NUMBER(status_write(&status, file_name), -ELOOP);
	unlink(new_name);
	CHECK_NUMBER(status_write(&status, "/nonexistent/status.json"), -ENOENT);
}

TEST(members_of_another_version_are_tolerated)
{
	static struct status got;
	struct problem problem;
	const char *text = "{ \"pid\": 7, \"colour\": [1, {\"deep\": null}], \"sessions\": 3 }";

	write_text(text, strlen(text));
	CHECK_SAYING(status_read(&got, file_name, &problem) == 0, "%s", problem.text);
	CHECK_NUMBER(got.pid, 7);
	CHECK_NUMBER(got.sessions, 3);
	CHECK_NUMBER(got.written, 0);
	CHECK_STRING(got.version, "");
}

TEST(a_file_that_is_no_status_says_why)
{
	static const struct { const char *text; const char *wanted; } cases[] = {
		{ "", "line 1: " },
		{ "[]", "not an object" },
		{ "{", "line 1: " },
		{ "{ \"pid\": 7 } {", "line 1: end of file expected" },
		{ "{ \"pid\": -7 }", "pid is not a number from 0" },
		{ "{ \"pid\": 7.5 }", "pid is not a number from 0" },
		{ "{ \"pid\": 99999999999999999999 }", "line 1: too big integer" },
		{ "{ \"pid\": \"7\" }", "pid is not a number from 0" },
		{ "{ \"version\": 7 }", "version is not a text" },
		{ "{ \"version\": \"a\\u0000b\" }", "line 1: " },
		{ "{ \"version\": \"\xff\" }", "line 1: unable to decode byte 0xff" },
		{ "{ \"written\": \"yesterday\" }", "written is not a time as 2026-11-21T08:00:00Z" },
		{ "{ \"pid\": 7, \"pid\": 8 }", "line 1: duplicate object key" },
	};
	static struct status got;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct problem problem;

		write_text(cases[i].text, strlen(cases[i].text));
		CHECK_SAYING(status_read(&got, file_name, &problem) == -EBADMSG, "%s", cases[i].text);
		CHECK_SAYING(strstr(problem.text, "is no status of smtptrail-milter: ") && strstr(problem.text, cases[i].wanted),
			     "%s: said %s", cases[i].text, problem.text);
	}
}

TEST(a_status_cut_anywhere_is_refused_or_reads_the_same)
{
	static struct status written, got;
	static char text[64 * 1024];
	struct problem problem;

	fill(&written);
	CHECK_NUMBER(status_write(&written, file_name), 0);
	FILE *file = fopen(file_name, "r");
	size_t length = fread(text, 1, sizeof text, file);

	(void)fclose(file);
	for (size_t cut = 0; cut < length - 2; cut += 7) {
		write_text(text, cut);
		CHECK_NUMBER(status_read(&got, file_name, &problem), -EBADMSG);
	}
}

TEST(hostile_files_are_bounded)
{
	static char big[200 * 1024];
	static struct status got;
	struct problem problem;

	memset(big, '[', sizeof big);
	write_text(big, sizeof big);
	CHECK_NUMBER(status_read(&got, file_name, &problem), -EFBIG);
	write_text(big, 60000);
	CHECK_NUMBER(status_read(&got, file_name, &problem), -EBADMSG);
	memset(big, 'x', sizeof big);
	memcpy(big, "{\"version\": \"", 13);
	memcpy(big + 50000, "\"}", 2);
	write_text(big, 50002);
	CHECK_SAYING(status_read(&got, file_name, &problem) == 0, "%s", problem.text);
	CHECK_NUMBER(strlen(got.version), STATUS_TEXT_SIZE - 1);
	CHECK_NUMBER(status_read(&got, directory, &problem), -EISDIR);
	CHECK_NUMBER(status_read(&got, "/nonexistent", &problem), -ENOENT);
	CHECK_STRING(problem.text, "cannot read the status '/nonexistent': No such file or directory");
}

static char *printed(const struct status *status)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	status_print(status, out);
	(void)fclose(out);
	return text;
}

TEST(a_person_gets_one_aligned_harmless_line_a_member)
{
	static struct status status;
	size_t lines = 0, members = 0;

#define COUNT(name, kind, meaning) members++;
	STATUS_TABLE(COUNT)
#undef COUNT
	(void)strcpy(status.last_error, "red \x1b[31m\n");
	status.backlog_bytes = 1572864;
	status.front_bytes = 512;
	status.started = 1;
	char *text = printed(&status);

	for (char *line = text; *line; line = strchr(line, '\n') + 1) {
		size_t name = strcspn(line, " ");

		lines++;
		CHECK_SAYING(name < 20 && strspn(line + name, " ") == 20 - name, "%.40s", line);
	}
	CHECK_NUMBER(lines, members);
	CHECK_SAYING(strstr(text, "last_error          red \\x1b[31m\\x0a\n"), "%s", text);
	CHECK(strstr(text, "backlog_bytes       1.5 MiB\n") != NULL);
	CHECK(strstr(text, "front_bytes         512 bytes\n") != NULL);
	CHECK(strstr(text, "started             1970-01-01T00:00:00.000001Z, ") != NULL);
	CHECK(strstr(text, " days ago\n") != NULL);
	CHECK(strstr(text, "written             none\n") != NULL);
	free(text);
}

TEST(ages_are_in_a_unit_that_a_person_would_choose)
{
	static const struct { uint64_t seconds; const char *wanted; } cases[] = {
		{ 0, "0 s" }, { 119, "119 s" }, { 120, "2 min" }, { 7199, "119 min" }, { 7200, "2 h" }, { 172800, "2 days" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char age[STATUS_AGE_SIZE];

		status_age(cases[i].seconds * 1000000, age);
		CHECK_STRING(age, cases[i].wanted);
	}
}

static const struct unit_test tests[] = {
	UNIT_TEST(every_member_comes_back_as_it_was),
	UNIT_TEST(bytes_that_are_no_utf_8_and_control_bytes_are_kept_readable),
	UNIT_TEST(a_number_beyond_json_is_cut_not_negative),
	UNIT_TEST(the_file_is_replaced_as_a_whole_and_nothing_is_left_beside_it),
	UNIT_TEST(members_of_another_version_are_tolerated),
	UNIT_TEST(a_file_that_is_no_status_says_why),
	UNIT_TEST(a_status_cut_anywhere_is_refused_or_reads_the_same),
	UNIT_TEST(hostile_files_are_bounded),
	UNIT_TEST(a_person_gets_one_aligned_harmless_line_a_member),
	UNIT_TEST(ages_are_in_a_unit_that_a_person_would_choose),
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	if (!mkdtemp(directory))
		return 99;
	(void)snprintf(file_name, sizeof file_name, "%s/status.json", directory);
	int status = unit_run(tests, argc, argv);

	unlink(file_name);
	rmdir(directory);
	return status;
}
