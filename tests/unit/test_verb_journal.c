/* test_verb_journal.c - smtptrail journal shows what segments hold, harmlessly, and finds what is damaged. */
#include <signal.h>
#include <sys/wait.h>

#include "common/journal_mask.h"
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
	record_done(&record);
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

enum { ENTRIES = 30, PAYLOAD = 100, ENTRY = 16 + 104, CHECKED = 16 + 100 };	/* the last 4 bytes are padding */

/* A journal in one room as a SIGKILL leaves it; fills in the path of the file with the entries. */
static void make_killed(struct rooms *rooms, bool in_front, char ret_path[400])
{
	rooms_init(rooms);
	pid_t child = fork();

	if (child == 0) {
		struct journal *journal = rooms_open(rooms);

		(void)rooms_fill(journal, 1, ENTRIES, PAYLOAD);
		if (!in_front)
			(void)journal_keep(journal);
		(void)raise(SIGKILL);
	}
	(void)waitpid(child, NULL, 0);
	(void)snprintf(ret_path, 400, "%s/segment-%010d", in_front ? rooms->front : rooms->spool, 1);
}

/* What verify says of the room: entries, missing, torn and its exit status. */
static void verify_says(const struct rooms *rooms, bool in_front, const char *what, size_t offset,
			const long wanted[4])
{
	char arguments[400];
	long got[4] = { -1, -1, -1, -1 };
	int status;

	(void)snprintf(arguments, sizeof arguments, "verify %s", in_front ? rooms->front : rooms->spool);
	const char *total = strstr(run_verb(arguments, &status), " files ");

	got[3] = status;
	if (total)
		(void)sscanf(total, " files %ld entries seq %*d to %*d %ld missing %ld torn", &got[0], &got[1], &got[2]);
	CHECK_SAYING(memcmp(got, wanted, sizeof got) == 0,
		     "%s, %s at %zu: %ld entries, %ld missing, %ld torn, status %ld; wanted %ld, %ld, %ld, %ld",
		     in_front ? "front" : "spool", what, offset, got[0], got[1], got[2], got[3], wanted[0], wanted[1],
		     wanted[2], wanted[3]);
}

static void flip(const char *path, size_t offset)
{
	int fd = open(path, O_RDWR);
	char byte = 0;

	CHECK_NUMBER(pread(fd, &byte, 1, (off_t)offset), 1);
	byte = (char)(byte ^ 0x10);
	CHECK_NUMBER(pwrite(fd, &byte, 1, (off_t)offset), 1);
	close(fd);
}

/* In each part of an entry (length, checksum, seq, begin, middle and end of the payload, padding); test_journal.c
 * has every byte. */
TEST(verify_counts_the_entry_that_a_flipped_byte_costs)
{
	static const size_t places[] = { 0, 1, 2, 3, 4, 7, 8, 12, 15, 16, 25, 60, CHECKED - 1, CHECKED, ENTRY - 1 };
	static const int which[] = { 0, 14, ENTRIES - 1 };

	for (int in_front = 0; in_front < 2; in_front++) {
		struct rooms rooms;
		char path[400];

		make_killed(&rooms, in_front, path);
		verify_says(&rooms, in_front, "nothing", 0, (const long[]){ ENTRIES, 0, 0, 0 });
		for (size_t i = 0; i < sizeof which / sizeof which[0]; i++)
			for (size_t k = 0; k < sizeof places / sizeof places[0]; k++) {
				size_t offset = SEGMENT_HEAD_SIZE + (size_t)which[i] * ENTRY + places[k];
				bool is_lost = places[k] < CHECKED;
				/* A length within the limit but beyond the end of a copy: that looks unfinished. */
				bool is_torn = !in_front && which[i] == ENTRIES - 1 && places[k] < 2;
				bool is_missing = is_lost && !is_torn;

				flip(path, offset);
				verify_says(&rooms, in_front, "flip", offset,
					    (const long[]){ ENTRIES - is_lost, is_missing, is_torn, is_missing });
				flip(path, offset);
			}
		verify_says(&rooms, in_front, "all put right", 0, (const long[]){ ENTRIES, 0, 0, 0 });
		rooms_done(&rooms);
	}
}

TEST(verify_counts_a_cut_in_an_entry_and_an_append_that_was_not_finished_as_torn)
{
	static const size_t cuts[] = { 1, 4, 5, 16, 17, 60, CHECKED - 1, CHECKED, ENTRY };

	for (int in_front = 0; in_front < 2; in_front++) {
		struct rooms rooms;
		char path[400];
		uint32_t zero = 0;

		for (size_t i = sizeof cuts / sizeof cuts[0]; i-- > 0;) {
			size_t size = SEGMENT_HEAD_SIZE + (ENTRIES - 1) * ENTRY + cuts[i];
			long whole = ENTRIES - (cuts[i] < CHECKED);

			make_killed(&rooms, in_front, path);
			CHECK_NUMBER(truncate(path, (off_t)size), 0);
			verify_says(&rooms, in_front, "cut", size, (const long[]){ whole, 0, ENTRIES - whole, 0 });
			rooms_done(&rooms);
		}
		/* Killed before its length was written. */
		make_killed(&rooms, in_front, path);
		int fd = open(path, O_WRONLY);

		CHECK_NUMBER(pwrite(fd, &zero, 4, SEGMENT_HEAD_SIZE + (ENTRIES - 1) * ENTRY), 4);
		close(fd);
		verify_says(&rooms, in_front, "no length", 0, (const long[]){ ENTRIES - 1, 0, 1, 0 });
		rooms_done(&rooms);
	}
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

TEST(a_person_is_masked_in_the_entries_and_the_journal_stays_whole)
{
	struct rooms rooms;
	struct journal_masked masked = { 0, 0 };
	struct text logins[] = { TEXT_LITERAL("joe") };
	struct person joe = { TEXT_LITERAL("joe@example.com"), TEXT_LITERAL("+"), NULL, 0 };
	struct person like_a_mask = { TEXT_LITERAL("x@x.x"), TEXT_LITERAL("+"), NULL, 0 };
	struct problem problem = { "" };
	struct record mail;
	int status;

	rooms_init(&rooms);
	struct journal *journal = rooms_open(&rooms);

	append_record(journal, TEXT_LITERAL("Joe@Example.com, joe+shop@example.com"));
	append_record(journal, TEXT_LITERAL("ann@example.com, bigjoe@example.com"));
	append_record(journal, TEXT_LITERAL("joe"));
	record_init(&mail, STAGE_MAIL, 1);
	record_set_string(&mail, FIELD_AUTH_AUTHEN, "Joe");
	record_set_string(&mail, FIELD_MAIL_MAILER, "joe");
	CHECK_NUMBER(journal_append(journal, record_finish(&mail)), 0);
	record_done(&mail);
	CHECK_NUMBER(journal_mask(rooms.spool, &joe, &masked, &problem), -EBUSY);
	journal_close(journal);
	CHECK_NUMBER(journal_mask(rooms.spool, &joe, &masked, &problem), 0);
	CHECK(masked.entries == 1 && masked.left == 0);
	CHECK(strstr(run_on("dump", &rooms, &status), "helo=\"xxx@xxxxxxx.xxx, xxxxxxxx@xxxxxxx.xxx\"") != NULL);
	CHECK(strstr(run_on("dump", &rooms, &status), "helo=\"ann@example.com, bigjoe@example.com\"") != NULL);
	CHECK(strstr(run_on("dump", &rooms, &status), "auth_authen=\"Joe\"") != NULL);
	joe.logins = logins;
	joe.login_count = 1;
	CHECK_NUMBER(journal_mask(rooms.spool, &joe, &masked, &problem), 0);
	CHECK(masked.entries == 2 && masked.left == 0);
	CHECK(strstr(run_on("dump", &rooms, &status), "auth_authen=\"xxx\"") != NULL);
	/* A name is the person's where it is a name. */
	CHECK(strstr(run_on("dump", &rooms, &status), "mail_mailer=\"joe\"") != NULL);
	CHECK(strstr(run_on("dump", &rooms, &status), "helo=\"joe\"") != NULL);
	CHECK(strstr(run_on("verify", &rooms, &status), "0 missing  0 torn  whole") != NULL);
	CHECK_NUMBER(journal_mask(rooms.spool, &like_a_mask, &masked, &problem), -EINVAL);
	rooms_done(&rooms);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(dump_shows_one_line_a_record_and_no_byte_that_harms),
		UNIT_TEST(verify_and_stat_say_whether_a_journal_is_whole),
		UNIT_TEST(verify_counts_the_entry_that_a_flipped_byte_costs),
		UNIT_TEST(verify_counts_a_cut_in_an_entry_and_an_append_that_was_not_finished_as_torn),
		UNIT_TEST(a_person_is_masked_in_the_entries_and_the_journal_stays_whole),
		UNIT_TEST(what_cannot_be_read_or_understood_ends_with_2),
		{ NULL, NULL },
	};
	return unit_run(tests, argc, argv);
}
