/* test_database.c - a reader of a file whose writer was killed between its journal and its commit. */
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/database.h"
#include "tests/unit/unit.h"

static char directory[] = "/tmp/test_database.XXXXXX";

static void path_of(const char *name, char ret_path[static 128])
{
	(void)snprintf(ret_path, 128, "%s/%s", directory, name);
}

static void copy(const char *from_name, const char *to_name)
{
	char from[128], to[128], bytes[65536];
	FILE *input, *output;
	size_t length;

	path_of(from_name, from);
	path_of(to_name, to);
	input = fopen(from, "rb");
	output = fopen(to, "wb");
	CHECK(input && output);
	while (input && output && (length = fread(bytes, 1, sizeof bytes, input)) > 0)
		CHECK(fwrite(bytes, 1, length, output) == length);
	if (input)
		(void)fclose(input);
	if (output)
		(void)fclose(output);
}

/* As the kill leaves it: half of a change in the file, and what stood there before in the journal beside it. */
static void leave_half_written(const char *name)
{
	char path[128], journal[128];
	sqlite3 *writer = NULL;

	path_of("writer.db", path);
	CHECK(sqlite3_open(path, &writer) == SQLITE_OK);
	CHECK(sqlite3_exec(writer,
			   "CREATE TABLE row(text);"
			   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)"
			   " INSERT INTO row SELECT hex(randomblob(400)) FROM n;", NULL, NULL, NULL) == SQLITE_OK);
	CHECK(sqlite3_exec(writer, "PRAGMA cache_size=2; BEGIN IMMEDIATE; UPDATE row SET text = 'half';", NULL, NULL, NULL) == SQLITE_OK);
	(void)snprintf(journal, sizeof journal, "%s-journal", name);
	copy("writer.db", name);
	copy("writer.db-journal", journal);
	CHECK(sqlite3_close(writer) == SQLITE_OK);
	(void)unlink(path);
}

TEST(a_reader_takes_back_what_is_half_written)
{
	struct problem problem = { "" };
	struct database *database = NULL;
	int64_t whole = -1, half = -1;
	char path[128];

	leave_half_written("left.db");
	path_of("left.db", path);
	CHECK_SAYING(database_open(&database, path, DATABASE_READ, &problem) == 0, "%s", problem.text);
	if (!database)
		return;
	CHECK(database_number(database, "SELECT count(*) FROM row WHERE length(text) = 800", &whole, &problem) == 0);
	CHECK(database_number(database, "SELECT count(*) FROM row WHERE text = 'half'", &half, &problem) == 0);
	CHECK_NUMBER(whole, 500);
	CHECK_NUMBER(half, 0);
	CHECK(database_run(database, "DELETE FROM row", &problem) != 0);	/* it reads, and no more */
	database_close(database);
}

/* Whoever may not write it is told so in one line. */
TEST(who_may_not_mend_it_is_told)
{
	struct problem problem = { "" };
	struct database *database = NULL;
	char path[128], journal[128];

	leave_half_written("foreign.db");
	path_of("foreign.db", path);
	path_of("foreign.db-journal", journal);
	CHECK(chmod(path, 0444) == 0 && chmod(journal, 0444) == 0 && chmod(directory, 0555) == 0);
	if (geteuid() == 0)
		CHECK(seteuid(65534) == 0);
	CHECK_NUMBER(database_open(&database, path, DATABASE_READ, &problem), -EACCES);
	CHECK_SAYING(strstr(problem.text, "only who may write it can mend it"), "%s", problem.text);
	if (getuid() == 0)
		CHECK(seteuid(0) == 0);
	CHECK(chmod(directory, 0755) == 0);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(a_reader_takes_back_what_is_half_written),
		UNIT_TEST(who_may_not_mend_it_is_told),
		{ NULL, NULL },
	};
	static const char *const names[] = { "left.db", "left.db-journal", "foreign.db", "foreign.db-journal" };
	int failed;

	if (!mkdtemp(directory))
		return 1;
	failed = unit_run(tests, argc, argv);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char path[128];

		path_of(names[i], path);
		(void)unlink(path);
	}
	(void)rmdir(directory);
	return failed;
}
