/* test_verb_journal.c - smtptrail journal shows what segments hold, harmlessly, and finds what is damaged. */
#include <sys/wait.h>

#include "common/journal_segment.h"
#include "journal_rooms.h"

/* What the verb printed to standard output; *ret_status: its exit status. */
static char *run_verb(const char *arguments, int *ret_status)
{
	static char output[65536];
	char command[1000];
	const char *directory = getenv("top_builddir");

	(void)snprintf(command, sizeof command, "%s/smtptrail journal %s 2>/dev/null", directory ? directory : ".",
		       arguments);
	FILE *pipe = popen(command, "r");
	size_t used = pipe ? fread(output, 1, sizeof output - 1, pipe) : 0;
	int status = pipe ? pclose(pipe) : -1;

	output[used] = '\0';
	*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	return output;
}

static char *run_on(const char *action, const struct rooms *rooms, int *ret_status)
{
	char arguments[600];

	(void)snprintf(arguments, sizeof arguments, "%s %s", action, rooms->spool);
	return run_verb(arguments, ret_status);
}

static void append_record(struct journal *journal, struct text helo)
{
	static struct record record;

	record_init(&record, STAGE_HELO, 1795248000123456);
	record_set_string(&record, FIELD_SESSION, "s1");
	record_set_text(&record, FIELD_HELO, helo);
	record_set_number(&record, FIELD_CIPHER_BITS, 256);
	CHECK_NUMBER(journal_append(journal, record_finish(&record)), 0);
}

/* Two records of a hostile client, and one entry that is no record. */
static void make_journal(struct rooms *rooms)
{
	rooms_init(rooms);
	struct journal *journal = rooms_open(rooms);

	append_record(journal, TEXT_LITERAL("evil\x1b[2J\"\r\nforged line \xff \xe2\x80\xae x\x7f"));
	append_record(journal, TEXT_LITERAL("second"));
	CHECK_NUMBER(journal_append(journal, TEXT_LITERAL("no record\x01")), 0);
	journal_close(journal);
}

TEST(dump_shows_one_line_a_record_and_no_byte_that_harms)
{
	struct rooms rooms;
	int status;

	make_journal(&rooms);
	CHECK_STRING(run_on("dump", &rooms, &status),
		     "segment-0000000001 512 1099511627777 2026-11-21T08:00:00.123456Z helo session=\"s1\" "
		     "helo=\"evil\\x1b[2J\\\"\\x0d\\x0aforged line \\xff \\xe2\\x80\\xae x\\x7f\" cipher_bits=256\n"
		     "segment-0000000001 592 1099511627778 2026-11-21T08:00:00.123456Z helo session=\"s1\" "
		     "helo=\"second\" cipher_bits=256\n"
		     "segment-0000000001 648 1099511627779 - - bytes=\"no record\\x01\"\n");
	CHECK_NUMBER(status, 0);
	const char *json = run_on("dump --json", &rooms, &status);

	CHECK(strstr(json, "\"helo\":\"evil\\u001B[2J\\\"\\r\\nforged line \\\\xff \\u202E x\\u007f\"") != NULL);
	CHECK(strstr(json, "\"cipher_bits\":256") != NULL);
	for (; *json; json++)
		CHECK((*json >= ' ' && *json < 0x7f) || *json == '\n');
	rooms_done(&rooms);
}

TEST(verify_and_stat_say_whether_a_journal_is_whole)
{
	struct rooms rooms;
	char path[1024];
	int status;

	make_journal(&rooms);
	CHECK_STRING(run_on("verify", &rooms, &status),
		     "segment-0000000001         3 entries  seq 1099511627777 to 1099511627779  0 missing  0 torn  whole\n"
		     "1 files         3 entries  seq 1099511627777 to 1099511627779  0 missing  0 torn  whole\n");
	CHECK_NUMBER(status, 0);
	CHECK(strstr(run_on("stat", &rooms, &status), "helo         2") != NULL);
	CHECK(strstr(run_on("stat --json", &rooms, &status), "\"stages\":{\"helo\":2}") != NULL);
	(void)snprintf(path, sizeof path, "%s/segment-0000000001", rooms.spool);
	int fd = open(path, O_WRONLY);

	CHECK_NUMBER(pwrite(fd, "X", 1, SEGMENT_HEAD_SIZE + 30), 1);
	close(fd);
	CHECK(strstr(run_on("verify", &rooms, &status), "1 missing  0 torn  damaged") != NULL);
	CHECK_NUMBER(status, 1);
	CHECK(strstr(run_on("verify --json", &rooms, &status), "\"state\":\"damaged\"") != NULL);
	(void)run_on("dump", &rooms, &status);
	CHECK_NUMBER(status, 1);
	rooms_done(&rooms);
}

TEST(what_cannot_be_read_or_understood_ends_with_2)
{
	static const char *const cases[] = { "", "dump", "shred /tmp", "verify /nonexistent", "dump --colour /tmp" };
	int status;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		(void)run_verb(cases[i], &status);
		CHECK_SAYING(status == 2, "journal %s: %d", cases[i], status);
	}
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(dump_shows_one_line_a_record_and_no_byte_that_harms),
		UNIT_TEST(verify_and_stat_say_whether_a_journal_is_whole),
		UNIT_TEST(what_cannot_be_read_or_understood_ends_with_2),
		{ NULL, NULL },
	};
	return unit_run(tests, argc, argv);
}
