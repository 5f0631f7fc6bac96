/* test_killed.c - which sessions of a journal get a close of the cause "killed". */
#include "milter/killed.h"

#include "journal_rooms.h"

static void put(struct journal *journal, enum stage stage, const char *session)
{
	struct record record;

	record_init(&record, stage, 5);
	record_set_string(&record, FIELD_SESSION, session);
	CHECK_NUMBER(journal_append(journal, record_finish(&record)), 0);
	record_done(&record);
}

static uint64_t close_killed(struct rooms *rooms, struct journal *journal)
{
	struct journal *const journals[] = { journal };
	struct killed_total total = { 0 };
	struct recorder recorder;
	struct problem problem = { "" };

	recorder_init(&recorder, journals, 1, 1);
	CHECK_SAYING(killed_close(rooms->front, rooms->spool, journal_first_segment(journal), &recorder, 0, 7, &total,
				  &problem) == 0, "%s", problem.text);
	recorder_done(&recorder);
	return total.closed;
}

/* The records of the cause "killed" in a journal: how many, and the session of the last of them. */
static int count_killed(struct journal *journal, char ret_session[64])
{
	static struct journal_batch batch;
	struct record_view view;
	struct record_value value;
	int count = 0;

	(void)journal_seek(journal, TEXT_NONE, 0, 0);
	while (journal_read(journal, &batch) == 1)
		for (size_t i = 0; i < batch.count; i++) {
			CHECK_NUMBER(record_view_open(&view, batch.entries[i].payload), 0);
			if (!record_view_find(&view, FIELD_CAUSE, &value))
				continue;
			CHECK(record_view_find(&view, FIELD_SESSION, &value));
			(void)snprintf(ret_session, 64, "%.*s", TEXT_ARGS(value.text));
			count++;
		}
	return count;
}

TEST(a_session_of_an_earlier_start_without_a_close_gets_one_and_only_once)
{
	struct rooms rooms;
	char session[64] = "";

	rooms_init(&rooms);
	struct journal *journal = rooms_open(&rooms);

	put(journal, STAGE_CONNECT, "00000000000001.1");
	put(journal, STAGE_HELO, "00000000000001.1");
	put(journal, STAGE_CONNECT, "00000000000002.1");
	put(journal, STAGE_CLOSE, "00000000000002.1");
	CHECK_NUMBER(close_killed(&rooms, journal), 0);
	journal_close(journal);
	journal = rooms_open(&rooms);
	put(journal, STAGE_CONNECT, "00000000000003.2");
	CHECK_NUMBER(close_killed(&rooms, journal), 1);
	CHECK_NUMBER(count_killed(journal, session), 1);
	CHECK_STRING(session, "00000000000001.1");
	journal_close(journal);
	rooms_done(&rooms);
}

TEST(a_live_session_of_a_start_that_was_fenced_is_not_closed)
{
	struct rooms rooms;
	struct problem problem;
	char session[64] = "";

	rooms_init(&rooms);
	struct journal *journal = rooms_open(&rooms);

	put(journal, STAGE_CONNECT, "00000000000001.1");
	journal_close(journal);
	journal = rooms_open(&rooms);
	put(journal, STAGE_CONNECT, "00000000000002.2");
	CHECK_NUMBER(journal_seek(journal, TEXT_LITERAL("00ff"), 5, 5), JOURNAL_FOREIGN);
	CHECK_NUMBER(journal_change_producer(journal, 5, &problem), 0);
	put(journal, STAGE_CONNECT, "00000000000003.2");
	CHECK_NUMBER(close_killed(&rooms, journal), 1);
	CHECK_NUMBER(count_killed(journal, session), 1);
	CHECK_STRING(session, "00000000000001.1");
	journal_close(journal);
	rooms_done(&rooms);
}

int main(int argc, char **argv)
{
	return unit_run((const struct unit_test[]){
		UNIT_TEST(a_session_of_an_earlier_start_without_a_close_gets_one_and_only_once),
		UNIT_TEST(a_live_session_of_a_start_that_was_fenced_is_not_closed),
		{ NULL, NULL },
	}, argc, argv);
}
