/* test_conf.c - a file gives its values, or says in which line what is wrong and what is allowed. */
#include "common/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

struct values {
	char *name;
	char *path;
	uint64_t number;
	uint64_t mode;
	uint64_t size;
	uint64_t wait_us;
	bool flag;
	int choice;
	struct conf_list words;
	struct conf_list fruits;
	struct conf_list ties;
	struct conf_list dishes;
};

static const char *const of_a_dish[] = { "with", "note", NULL };

static int check_no_x(const char *text, struct problem *problem)
{
	if (!strchr(text, 'x'))
		return 0;
	problem_set(problem, "'%s' has an x; allowed: other letters", text);
	return -EINVAL;
}

#define AT(member) .offset = offsetof(struct values, member)
static const struct conf_option options[] = {
	{ "name", CONF_TEXT, "anna", 1, 8, NULL, "Things", "A name.", false, AT(name), check_no_x },
	{ "path", CONF_PATH, "", 0, 0, NULL, NULL, "A path.", true, AT(path), NULL },
	{ "number", CONF_NUMBER, "5", 1, 100, NULL, NULL, "A number.", false, AT(number), NULL },
	{ "mode", CONF_NUMBER, "0660", 0, 0777, NULL, NULL, "A mode.", false, AT(mode), NULL },
	{ "size", CONF_SIZE, "64K", 1024, 1 << 30, NULL, "Sizes", "A size.", true, AT(size), NULL },
	{ "wait", CONF_DURATION, "2s", 0, 0, NULL, NULL, "How long.", true, AT(wait_us), NULL },
	{ "flag", CONF_BOOL, "no", 0, 0, NULL, NULL, "A flag.", true, AT(flag), NULL },
	{ "choice", CONF_CHOICE, "warm", 0, 0, "cold warm hot", NULL, "A choice.", true, AT(choice), NULL },
	{ "words", CONF_LIST, "one, two", 0, 3, NULL, NULL, "Some words.", true, AT(words), NULL },
	{ "fruits", CONF_LIST, "", 0, 0, "apple pear", NULL, "Some fruits.", true, AT(fruits), NULL },
	{ "ties", CONF_PAIRS, "", 0, 2, NULL, NULL, "Some ties.", true, AT(ties), check_no_x },
	{ "dish", CONF_SECTIONS, "\"soup\" { with = \"salt\" }", 0, 3, NULL, NULL, "A dish.", true, AT(dishes), check_no_x,
	  .within = of_a_dish },
	{ 0 },
};

static char file_name[] = "/tmp/test_conf.XXXXXX";

static void write_file(const char *text, size_t length)
{
	/* Not O_TRUNC: ext4 sends a file that is cut to nothing and written again to the disk at once. */
	int descriptor = open(file_name, O_WRONLY);

	CHECK(descriptor >= 0 && write(descriptor, text, length) == (ssize_t)length);
	CHECK_NUMBER(ftruncate(descriptor, (off_t)length), 0);
	close(descriptor);
}

/* Reads the text; the problem without the name of the file. */
static int read_text(const char *text, struct values *values, char ret_words[512])
{
	struct problem problem;

	write_file(text, strlen(text));
	int error = conf_read(options, values, file_name, &problem);
	size_t length = strlen(file_name);

	(void)snprintf(ret_words, 512, "%s",
		       problem.text + (strncmp(problem.text, file_name, length) == 0 ? length + 1 : 0));
	return error;
}

/* One value as it would be written: the digest's own form, seen through a list of differences. */
static void show(const struct values *values, char ret_text[256])
{
	int used = snprintf(ret_text, 256, "%s|%s|%llu|%llo|%llu|%llu|%d|%d|", values->name, values->path,
			    (unsigned long long)values->number, (unsigned long long)values->mode,
			    (unsigned long long)values->size, (unsigned long long)values->wait_us, values->flag,
			    values->choice);

	for (size_t i = 0; i < values->words.count; i++)
		used += snprintf(ret_text + used, 256 - (size_t)used, "%s,", values->words.items[i]);
	for (size_t i = 0; i < values->fruits.count; i++)
		used += snprintf(ret_text + used, 256 - (size_t)used, ";%s", values->fruits.items[i]);
	for (size_t i = 0; i < values->ties.count; i++)
		used += snprintf(ret_text + used, 256 - (size_t)used, i % 2 ? "=%s" : ";%s", values->ties.items[i]);
	for (size_t i = 0; i < values->dishes.count; i++)
		used += snprintf(ret_text + used, 256 - (size_t)used, i % 3 ? ",%s" : ";%s", values->dishes.items[i]);
}

#define DEFAULTS "anna||5|660|65536|2000000|0|1|one,two,"

static const struct {
	const char *text;
	const char *wanted;
} good_files[] = {
	{ "", DEFAULTS },
	{ "# nothing\n// nothing\n/* nothing\nat all */", DEFAULTS },
	{ "name = bert", "bert||5|660|65536|2000000|0|1|one,two," },
	{ "name = \"b # t\" # said\r\npath=/a//b\r\n", "b # t|/a//b|5|660|65536|2000000|0|1|one,two," },
	{ "name = 'b\"${A}'", "b\"${A}||5|660|65536|2000000|0|1|one,two," },
	{ "name = \"b\\\"\\\\c\"", "b\"\\c||5|660|65536|2000000|0|1|one,two," },
	{ "name = 'b\\'\\\\c'", "b'\\c||5|660|65536|2000000|0|1|one,two," },
	{ "path = \"\"", DEFAULTS },
	{ "number = 100", "anna||100|660|65536|2000000|0|1|one,two," },
	{ "number\n=\n7", "anna||7|660|65536|2000000|0|1|one,two," },
	{ "mode = 0600", "anna||5|600|65536|2000000|0|1|one,two," },
	{ "mode = 0", "anna||5|0|65536|2000000|0|1|one,two," },
	{ "size = 1024", "anna||5|660|1024|2000000|0|1|one,two," },
	{ "size = 4m", "anna||5|660|4194304|2000000|0|1|one,two," },
	{ "size = 1G", "anna||5|660|1073741824|2000000|0|1|one,two," },
	{ "wait = 0", "anna||5|660|65536|0|0|1|one,two," },
	{ "wait = 7us", "anna||5|660|65536|7|0|1|one,two," },
	{ "wait = 500ms", "anna||5|660|65536|500000|0|1|one,two," },
	{ "wait = 15min", "anna||5|660|65536|900000000|0|1|one,two," },
	{ "wait = 2h", "anna||5|660|65536|7200000000|0|1|one,two," },
	{ "wait = 7d", "anna||5|660|65536|604800000000|0|1|one,two," },
	{ "flag = yes", "anna||5|660|65536|2000000|1|1|one,two," },
	{ "flag = True", "anna||5|660|65536|2000000|1|1|one,two," },
	{ "flag = on", "anna||5|660|65536|2000000|1|1|one,two," },
	{ "flag = off", DEFAULTS },
	{ "choice = hot", "anna||5|660|65536|2000000|0|2|one,two," },
	{ "choice = \"cold\"", "anna||5|660|65536|2000000|0|0|one,two," },
	{ "words = {}", "anna||5|660|65536|2000000|0|1|" },
	{ "words = { a, \"b c\" }", "anna||5|660|65536|2000000|0|1|a,b c," },
	{ "\"words\" = { a, b, }", "anna||5|660|65536|2000000|0|1|a,b," },
	{ "words = a", "anna||5|660|65536|2000000|0|1|a," },
	{ "words += { three }", "anna||5|660|65536|2000000|0|1|one,two,three," },
	{ "words += three", "anna||5|660|65536|2000000|0|1|one,two,three," },
	{ "fruits = { pear, apple }", "anna||5|660|65536|2000000|0|1|one,two,;pear;apple" },
	{ "ties {}", DEFAULTS },
	{ "ties { a = b\n\"c d\" = 'e f' }", DEFAULTS ";a=b;c d=e f" },
	{ "ties {\n  m1/out = m1.test.de/2 # why\n}\nflag = yes", "anna||5|660|65536|2000000|1|1|one,two,;m1/out=m1.test.de/2" },
	{ "dish soup { with = salt }", DEFAULTS ";soup,salt," },
	{ "dish \"soup\" { with = salt note = 'n x' }\ndish pie.2 {\n\tnote = \"b\" # why\n\twith = 'a b'\n}\nflag = yes",
	  "anna||5|660|65536|2000000|1|1|one,two,;soup,salt,n x;pie.2,a b,b" },
	{ "name = dish dish name { with = words } words = { a }", "dish||5|660|65536|2000000|0|1|a,;name,words," },
	{ "name = bert number = 7", "bert||7|660|65536|2000000|0|1|one,two," },
};

TEST(a_good_file_gives_its_values_and_defaults_for_the_rest)
{
	for (size_t i = 0; i < sizeof good_files / sizeof good_files[0]; i++) {
		struct values values;
		char words[512], got[256] = "";
		int error = read_text(good_files[i].text, &values, words);

		CHECK_SAYING(error == 0, "%s: %s", good_files[i].text, words);
		if (error)
			continue;
		show(&values, got);
		CHECK_SAYING(strcmp(got, good_files[i].wanted) == 0, "%s: got %s", good_files[i].text, got);
		conf_done(options, &values);
	}
}

#define FORM "a line is NAME = VALUE, or NAME = { VALUE, VALUE }; a value that holds blanks or signs stands in quotes"
#define TEXT_ALLOWED "allowed: a text of 1 to 8 bytes"
#define SIZE_ALLOWED "allowed: a size from 1K to 1G"
#define WAIT_ALLOWED "allowed: a duration such as 500ms, 2s, 15min, 2h or 7d"

static const struct {
	const char *text;
	const char *wanted;
} bad_files[] = {
	{ "\n\nnmae = x", "3: unknown option 'nmae'; did you mean name?" },
	{ "# one\n/* two\n three */\nzebra_crossing = 1", "4: unknown option 'zebra_crossing'; allowed: the options of the manual page" },
	{ "name = bert\nname = carl", "2: name is given again, it stands in line 1; allowed: once" },
	{ "words = {a}\n\nwords += {b}", "3: words is given again, it stands in line 1; allowed: once" },
	{ "\"name\" = bert\nname = carl", "2: name is given again, it stands in line 1; allowed: once" },
	{ "name = ''", "1: name = '' is empty; " TEXT_ALLOWED },
	{ "name = \"too long, this\"", "1: name = 'too long, this' is too long; " TEXT_ALLOWED },
	{ "name = fox", "1: name: 'fox' has an x; allowed: other letters" },
	{ "path = etc/passwd", "1: path = 'etc/passwd' is not absolute; allowed: an absolute path, or empty" },
	{ "number = 101", "1: number = '101' is too large; allowed: a number from 1 to 100" },
	{ "number = 0", "1: number = '0' is too small; allowed: a number from 1 to 100" },
	{ "number = -1", "1: number = '-1' is not a number; allowed: a number from 1 to 100" },
	{ "number = 5K", "1: number = '5K' is not a number; allowed: a number from 1 to 100" },
	{ "number = 18446744073709551616", "1: number = '18446744073709551616' is not a number; allowed: a number from 1 to 100" },
	{ "mode = 0888", "1: mode = '0888' is not an octal number; allowed: an octal number from 0 to 0777" },
	{ "mode = 01777", "1: mode = '01777' is too large; allowed: an octal number from 0 to 0777" },
	{ "size = 64", "1: size = '64' is too small; " SIZE_ALLOWED },
	{ "size = 2G", "1: size = '2G' is too large; " SIZE_ALLOWED },
	{ "size = 64X", "1: size = '64X' is not a size; " SIZE_ALLOWED },
	{ "size = 99999999999999T", "1: size = '99999999999999T' is not a size; " SIZE_ALLOWED },
	{ "wait = 5", "1: wait = '5' is not a duration; " WAIT_ALLOWED },
	{ "wait = 5 min", "1: wait = '5' is not a duration; " WAIT_ALLOWED },
	{ "wait = 5m", "1: wait = '5m' is not a duration; " WAIT_ALLOWED },
	{ "flag = maybe", "1: flag = 'maybe' is neither; allowed: yes or no" },
	{ "choice = lukewarm", "1: choice = 'lukewarm' is none of them; allowed: one of cold, warm, hot" },
	{ "fruits = { apple,\n\tplum }", "2: fruits = 'plum' is none of them; allowed: a list of apple, pear" },
	{ "words = { a, b,\n c, d }", "1: words has 4 items; allowed: a list of at most 3 items" },
	{ "words = { a, '' }", "1: words = '' is an empty item; allowed: a list of at most 3 items" },
	{ "ties { a = b c = d e = f }", "1: ties has 3 rows; allowed: rows NAME = VALUE, at most 2" },
	{ "ties { a = '' }", "1: ties = '' is an empty value; allowed: rows NAME = VALUE, at most 2" },
	{ "\nties { a = xb }", "2: ties: 'xb' has an x; allowed: other letters" },
	{ "ties { a = b }\nties { c = d }", "2: ties is given again, it stands in line 1; allowed: once" },
	{ "ties { a }", "1: missing equal sign after option 'a'; " FORM },
	{ "ties = { a }", "1: missing opening brace for section 'ties'; " FORM },
	{ "ties { a = { b } }", "1: unexpected token '{'; " FORM },
	{ "\nties { a = b\n", "2: a section is not closed; allowed: NAME { NAME = VALUE ... }" },
	{ "\ndish { with = a }", "2: dish has no name; allowed: dish \"NAME\" { ... }" },
	{ "dish = { a }", "1: dish has no name; allowed: dish \"NAME\" { ... }" },
	{ "dish = a", "1: dish has no name; allowed: dish \"NAME\" { ... }" },
	{ "dish '' { with = a }", "1: dish '' is no name; allowed: 1 to 40 letters, digits, _, - and ." },
	{ "dish \"a b\" { with = a }", "1: dish 'a b' is no name; allowed: 1 to 40 letters, digits, _, - and ." },
	{ "dish soup a { with = a }", "1: missing opening brace for section 'dish'; " FORM },
	{ "dish soup { with = a }\n\ndish \"soup\" { with = b }", "3: a second section of the same name 'soup'; allowed: each name once" },
	{ "dish soup {\n\tnote = a\n}", "3: dish 'soup' ends without with; allowed: with = TEXT in it" },
	{ "dish soup {\n\twith = a\n\twith = b }", "3: with is given again in dish 'soup'; allowed: once" },
	{ "dish soup {\n\twith = '' }", "2: with of dish 'soup' is empty; allowed: a text" },
	{ "dish soup {\n\tnote = x with = x }", "2: with of dish 'soup': 'x' has an x; allowed: other letters" },
	{ "dish soup {\n\twiht = a }", "2: unknown option 'wiht' of dish 'soup'; allowed: with, note" },
	{ "dish soup { with = { a } }", "1: unexpected token '{'; " FORM },
	{ "dish soup { with += a }", "1: attempt to append to non-list option 'with'; " FORM },
	{ "\ndish soup { with = a\n", "2: a section is not closed; allowed: NAME { NAME = VALUE ... }" },
	{ "dishes { a = b }", "1: unknown option 'dishes'; did you mean dish?" },
	{ "dish a { with = a } dish b { with = a } dish c { with = a } dish d { with = a }",
	  "1: dish has 4 sections; allowed: dish \"NAME\" { with = TEXT note = TEXT }, at most 3" },
	{ "words = { a", "1: premature end of file; " FORM },
	{ "words = { a b }", "1: unexpected token 'b'; " FORM },
	{ "name = { a }", "1: unexpected token '{'; " FORM },
	{ "name =", "1: premature end of file; " FORM },
	{ "name bert", "1: missing equal sign after option 'name'; " FORM },
	{ "name += bert", "1: attempt to append to non-list option 'name'; " FORM },
	{ "name = bert }", "1: unexpected closing brace; " FORM },
	{ "'' = bert", "1: not understood; " FORM },
	{ "name = bert carl", "1: unknown option 'carl'; allowed: the options of the manual page" },
	{ "\nname = \"bert\n", "2: a string is not closed on its line; allowed: \"...\"" },
	{ "name = 'bert", "1: a string is not closed on its line; allowed: '...'" },
	{ "\n/* open\n\n", "2: a comment is not closed; allowed: /* ... */" },
	{ "name = \"b\\nt\"", "1: a backslash before 'n' in a string; allowed: \\\\ and \\\"" },
	{ "name = \"b\\", "1: a backslash before '' in a string; allowed: \\\\ and \\\"" },
	{ "name = \"b\tt\"", "1: a control character in a string; allowed: text between \" and \"" },
	{ "name = b\001t", "1: a control character; allowed: text" },
	{ "name = \"${HOME}\"", "1: '${' in a string: the environment is not read; allowed: the value itself, or '...' for these signs" },
	{ "name = ${HOME}", "1: '${': the environment is not read; allowed: the value itself, or '...' for these signs" },
	{ "name = b+c", "1: '+' outside quotes; " FORM },
	{ "name = b*c", "1: '*' outside quotes; " FORM },
	{ "name = (b)", "1: '(' outside quotes; " FORM },
	{ "include(\"/etc/passwd\")", "1: include() is not known; allowed: all options in one file" },
};

TEST(a_bad_file_says_its_line_what_is_wrong_and_what_is_allowed)
{
	for (size_t i = 0; i < sizeof bad_files / sizeof bad_files[0]; i++) {
		struct values values;
		char words[512];
		int error = read_text(bad_files[i].text, &values, words);

		CHECK_SAYING(error == -EINVAL, "%s: gave %d", bad_files[i].text, error);
		CHECK_SAYING(strcmp(words, bad_files[i].wanted) == 0, "%s: said %s", bad_files[i].text, words);
		if (!error)
			conf_done(options, &values);
	}
}

TEST(a_bad_file_does_not_spoil_the_next_one)
{
	for (size_t i = 0; i < sizeof bad_files / sizeof bad_files[0]; i++) {
		struct values values;
		char words[512];

		(void)read_text(bad_files[i].text, &values, words);
		int error = read_text("name = bert", &values, words);

		CHECK_SAYING(error == 0, "after %s: %s", bad_files[i].text, words);
		if (!error)
			conf_done(options, &values);
	}
}

TEST(what_is_no_text_file_of_sensible_size_is_refused)
{
	static char big[300 * 1024];
	struct values values;
	struct problem problem;

	write_file("name = b\n\0 = x", 14);
	CHECK_NUMBER(conf_read(options, &values, file_name, &problem), -EINVAL);
	CHECK(strstr(problem.text, ":2: a NUL byte; allowed: text") != NULL);
	memset(big, '\n', sizeof big);
	write_file(big, sizeof big);
	CHECK_NUMBER(conf_read(options, &values, file_name, &problem), -EFBIG);
	CHECK(strstr(problem.text, "it is larger than 256K") != NULL);
	CHECK_NUMBER(conf_read(options, &values, "/tmp", &problem), -EINVAL);
	CHECK_STRING(problem.text, "cannot read the configuration '/tmp': it is not a regular file");
	CHECK_NUMBER(conf_read(options, &values, "/nonexistent/conf", &problem), -ENOENT);
	CHECK_STRING(problem.text, "cannot read the configuration '/nonexistent/conf': No such file or directory");
}

TEST(a_pipe_that_nobody_writes_to_is_refused_at_once)
{
	char name[64];
	struct values values;
	struct problem problem;

	(void)snprintf(name, sizeof name, "%s.pipe", file_name);
	CHECK_NUMBER(mkfifo(name, 0600), 0);
	CHECK_NUMBER(conf_read(options, &values, name, &problem), -EINVAL);
	CHECK(strstr(problem.text, "not a regular file") != NULL);
	unlink(name);
}

/* Every byte, and every pair with the signs that mean something, in each place of a file. */
TEST(no_bytes_crash_it_and_what_is_refused_has_a_line)
{
	static const char *const pieces[] = { "name", "words", "=", "+=", "{", "}", ",", "\"", "'", "\\", "#", "/*", "*/",
		"//", "|", "${", "(", "\n", "\xff", "a", " ", "+", "*", "$", "\r", "\"\"", "include" };
	enum { COUNT = sizeof pieces / sizeof pieces[0] };

	for (size_t i = 0; i < (size_t)COUNT * COUNT * COUNT; i++) {
		struct values values;
		char words[512], text[64];

		(void)snprintf(text, sizeof text, "%s%s%s%s", i % 2 ? "name = b\n" : "words = ", pieces[i % COUNT],
			       pieces[i / COUNT % COUNT], pieces[i / COUNT / COUNT]);
		int error = read_text(text, &values, words);

		if (error == 0)
			conf_done(options, &values);
		else
			CHECK_SAYING(words[0] >= '1' && words[0] <= '9' && strstr(words, ": "), "%s: %s", text, words);
	}
}

TEST(options_that_need_a_restart_are_named_when_they_differ)
{
	struct values before, after;
	char words[512], names[64];

	CHECK_NUMBER(read_text("", &before, words), 0);
	CHECK_NUMBER(read_text("name=bert number=7 mode=0600 size=1M words={} flag=on", &after, words), 0);
	conf_compare(options, &before, &after, names, sizeof names);
	CHECK_STRING(names, "name, number, mode");
	conf_compare(options, &after, &after, names, sizeof names);
	CHECK_STRING(names, "");
	conf_compare(options, &before, &after, names, 8);
	CHECK(strlen(names) < 8);
	conf_done(options, &before);
	conf_done(options, &after);
}

TEST(the_digest_is_of_the_values_and_not_of_the_file)
{
	struct values values;
	char words[512], one[65], same[65], other[65];

	CHECK_NUMBER(read_text("size = 1M", &values, words), 0);
	conf_digest(options, &values, one);
	conf_done(options, &values);
	CHECK_NUMBER(read_text("# a comment\nsize = 1024K\nwords = { one, two }", &values, words), 0);
	conf_digest(options, &values, same);
	conf_done(options, &values);
	CHECK_NUMBER(read_text("size = 1M words = { 'one, two' }", &values, words), 0);
	conf_digest(options, &values, other);
	conf_done(options, &values);
	CHECK_STRING(same, one);
	CHECK(strcmp(one, other) != 0);
	CHECK_NUMBER(strspn(one, "0123456789abcdef"), 64);
}

TEST(the_sample_file_names_each_option_with_its_default_and_limits)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	conf_print_sample(options, out);
	(void)fclose(out);
	CHECK(strstr(text, "\n# ---- Sizes ----\n\n# A size.\n# Allowed: a size from 1K to 1G. (reload)\n#size = 64K\n") != NULL);
	CHECK(strstr(text, "\n#words = { one, two }\n") != NULL);
	CHECK(strstr(text, "\n#fruits = {}\n") != NULL);
	CHECK(strstr(text, "\n#path = \"\"\n") != NULL);
	CHECK(strstr(text, "\n#mode = 0660\n") != NULL);
	CHECK(strstr(text, "\n# Allowed: rows NAME = VALUE, at most 2. (reload)\n#ties {}\n") != NULL);
	CHECK(strstr(text, "\n# Allowed: dish \"NAME\" { with = TEXT note = TEXT }, at most 3. (reload)\n"
			   "#dish \"soup\" { with = \"salt\" }\n") != NULL);
	free(text);
}

static const struct unit_test tests[] = {
	UNIT_TEST(a_good_file_gives_its_values_and_defaults_for_the_rest),
	UNIT_TEST(a_bad_file_says_its_line_what_is_wrong_and_what_is_allowed),
	UNIT_TEST(a_bad_file_does_not_spoil_the_next_one),
	UNIT_TEST(what_is_no_text_file_of_sensible_size_is_refused),
	UNIT_TEST(a_pipe_that_nobody_writes_to_is_refused_at_once),
	UNIT_TEST(no_bytes_crash_it_and_what_is_refused_has_a_line),
	UNIT_TEST(options_that_need_a_restart_are_named_when_they_differ),
	UNIT_TEST(the_digest_is_of_the_values_and_not_of_the_file),
	UNIT_TEST(the_sample_file_names_each_option_with_its_default_and_limits),
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	int descriptor = mkstemp(file_name);

	if (descriptor < 0)
		return 99;
	close(descriptor);
	int status = unit_run(tests, argc, argv);

	unlink(file_name);
	return status;
}
