/* test_journal.c - the journal keeps what it took, counts what it refused, and recovers from anything. */
#include "common/journal.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "common/crc32c.h"
#include "common/journal_segment.h"
#include "journal_rooms.h"

TEST(checksums_by_instruction_and_by_table_are_the_published_ones)
{
	char bytes[100];

	CHECK_NUMBER(crc32c(0, "123456789", 9), 0xe3069283);
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(i * 7);
	for (size_t length = 0; length < sizeof bytes; length++) {
		uint32_t halves =
			crc32c(crc32c(0, bytes, length / 2), bytes + length / 2, length - length / 2);

		CHECK_NUMBER(crc32c(0, bytes, length), crc32c_by_table(0, bytes, length));
		CHECK_NUMBER(halves, crc32c(0, bytes, length));
	}
}

TEST(entries_are_read_in_the_order_of_appending)
{
	struct rooms rooms;

	rooms_init(&rooms);
	struct journal *journal = rooms_open(&rooms);

	CHECK_NUMBER(journal_birth(journal).start, JOURNAL_FIRST);
	CHECK_NUMBER(rooms_drain(journal, true).count, 0);
	CHECK_NUMBER(rooms_fill(journal, 1, 200, 150), 200);
	struct rooms_read read = rooms_drain(journal, true);

	CHECK_NUMBER(read.count, 200);
	CHECK_NUMBER(read.holes, 0);
	CHECK_NUMBER(read.last_seq, (UINT64_C(1) << 40) + 200);
	CHECK_NUMBER(rooms_stat(journal).backlog, 0);
	CHECK_NUMBER(rooms_stat(journal).backlog_bytes, 0);
	CHECK_NUMBER(rooms_fill(journal, 201, 5, 20), 5);
	CHECK_NUMBER(rooms_stat(journal).backlog, 5);
	CHECK_NUMBER(rooms_stat(journal).oldest_us, 1795248000000000 + 201);
	CHECK_NUMBER(rooms_drain(journal, true).count, 5);
	CHECK_NUMBER(rooms_stat(journal).oldest_us, 0);
	journal_close(journal);
	rooms_done(&rooms);
}

TEST(an_entry_has_its_limits)
{
	static char big[JOURNAL_ENTRY_MAX + 1];
	struct rooms rooms;
	struct journal_gap gap;

	rooms_init(&rooms);
	struct journal *journal = rooms_open(&rooms);

	CHECK_NUMBER(journal_append(journal, (struct text){ big, sizeof big }), -EMSGSIZE);
	CHECK_NUMBER(journal_append(journal, (struct text){ big, 0 }), -EMSGSIZE);
	CHECK(journal_gap_take(journal, &gap));
	CHECK_NUMBER(gap.count, 2);
	CHECK_STRING(gap.reason, "too_large");
	for (uint64_t i = 0; i < 6; i++) {
		CHECK_NUMBER(rooms_append(journal, i + 1, JOURNAL_ENTRY_MAX - (size_t)i), 0);
		(void)journal_prepare(journal);
	}
	CHECK_NUMBER(rooms_append(journal, 7, 17), 0);
	CHECK_NUMBER(rooms_drain(journal, true).count, rooms_stat(journal).appended);
	journal_close(journal);
	rooms_done(&rooms);
}

TEST(segments_roll_into_spares_and_leave_the_front_once_they_are_in_the_spool)
{
	struct rooms rooms;
	uint64_t number = 1;

	rooms_init_at(&rooms, rooms_disk());
	struct journal *journal = rooms_open(&rooms);

	for (int round = 0; round < 40; round++) {
		CHECK_NUMBER(rooms_fill(journal, number, 500, 150), 500);
		number += 500;
		CHECK_NUMBER(journal_prepare(journal), 0);
		CHECK_NUMBER(journal_keep(journal), 0);
	}
	struct journal_stat stat = rooms_stat(journal);

	CHECK(stat.front_bytes <= 4 * rooms.options.segment_bytes);
	CHECK(stat.spool_bytes > 20 * rooms.options.segment_bytes);
	CHECK_NUMBER(stat.synced_seq, stat.last_seq);
	CHECK_NUMBER(stat.backlog, 20000);
	struct rooms_read read = rooms_drain(journal, true);

	CHECK_NUMBER(read.count, 20000);
	CHECK_NUMBER(read.holes, 0);
	CHECK_NUMBER(journal_keep(journal), 0);
	/* What is shipped may go, but for the segment that is written and what this keep is yet to see. */
	CHECK_NUMBER(journal_keep(journal), 0);
	CHECK(rooms_files(rooms.spool, "segment-", NULL) <= 2);
	journal_close(journal);
	CHECK_NUMBER(rooms_files(rooms.front, "segment-", NULL), 0);
	rooms_done(&rooms);
}

TEST(more_spares_are_made_once_records_came_faster_than_they_were)
{
	static const struct {
		uint64_t front_segments;
		unsigned wanted[5];	/* segments that take records before each turn of the thread that makes them */
	} rows[] = {
		{ 256, { 2, 4, 8, 16, 16 } },
		{ 40, { 2, 4, 4, 4, 4 } },
		{ 16, { 2, 2, 2, 2, 2 } },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct rooms rooms;
		uint64_t of_one = 0;

		rooms_init(&rooms);
		rooms.options.front_bytes = rows[i].front_segments * rooms.options.segment_bytes;
		rooms.options.spool_bytes = 2 * rooms.options.front_bytes;
		struct journal *journal = rooms_open(&rooms);

		for (size_t turn = 0; turn < 5; turn++) {
			uint64_t taken = rooms_fill(journal, 1, 100000, 1000);

			of_one = turn ? of_one : taken / rows[i].wanted[0];
			CHECK_SAYING(taken >= of_one * rows[i].wanted[turn] && taken <= (of_one + 1) * rows[i].wanted[turn],
				     "%llu of %llu segments, turn %zu: %llu records, a segment %llu", (unsigned long long)i,
				     (unsigned long long)rows[i].front_segments, turn, (unsigned long long)taken,
				     (unsigned long long)of_one);
			CHECK_NUMBER(journal_prepare(journal), 0);
			CHECK_NUMBER(journal_keep(journal), 0);
			CHECK_NUMBER(journal_prepare(journal), 0);
		}
		journal_close(journal);
		rooms_done(&rooms);
	}
}

TEST(without_a_keeper_a_full_front_refuses_and_counts)
{
	struct rooms rooms;
	struct journal_gap gap;

	rooms_init(&rooms);
	struct journal *journal = rooms_open(&rooms);
	uint64_t taken = 0, part;

	while ((part = rooms_fill(journal, 1 + taken, 100, 150)) == 100) {
		taken += part;
		(void)journal_prepare(journal);
	}
	taken += part;
	CHECK(taken > 4000);
	CHECK_NUMBER(journal_prepare(journal), -ENOSPC);
	CHECK_NUMBER(rooms_append(journal, 1, 150), -ENOSPC);
	CHECK_NUMBER(rooms_stat(journal).refused, 2);
	CHECK(journal_gap_take(journal, &gap));
	CHECK_NUMBER(gap.count, 2);
	CHECK_STRING(gap.reason, "front_full");
	CHECK(gap.from_us > 0 && gap.from_us <= gap.to_us);
	CHECK(!journal_gap_take(journal, &gap));
	/* Refused entries took no number: what follows stands right behind. */
	CHECK_NUMBER(journal_keep(journal), 0);
	CHECK_NUMBER(journal_prepare(journal), 0);
	CHECK_NUMBER(rooms_append(journal, taken + 1, 150), 0);
	struct rooms_read read = rooms_drain(journal, true);

	CHECK_NUMBER(read.count, taken + 1);
	CHECK_NUMBER(read.holes, 0);
	CHECK_NUMBER(read.last_seq, (UINT64_C(1) << 40) + taken + 1);
	journal_close(journal);
	rooms_done(&rooms);
}

/* Appends until front and spool are full; returns the next number. */
static uint64_t fill_both(struct journal *journal, uint64_t number)
{
	for (int idle = 0; idle < 2;) {
		uint64_t taken = rooms_fill(journal, number, 100, 150);

		number += taken;
		idle = taken ? 0 : idle + 1;
		(void)journal_keep(journal);
		(void)journal_prepare(journal);
	}
	return number;
}

TEST(a_full_spool_fills_the_front_and_both_go_on_once_redis_took_something)
{
	struct rooms rooms;
	struct journal_gap gap;

	rooms_init(&rooms);
	rooms.options.spool_bytes = 5 * rooms.options.segment_bytes / 2;
	struct journal *journal = rooms_open(&rooms);
	uint64_t number = fill_both(journal, 1);
	struct journal_stat stat = rooms_stat(journal);

	CHECK_NUMBER(stat.keep_error, ENOSPC);
	CHECK(stat.spool_bytes <= rooms.options.spool_bytes);
	CHECK(stat.spool_bytes > 2 * rooms.options.segment_bytes);
	CHECK_NUMBER(rooms_append(journal, number, 150), -ENOSPC);
	CHECK(journal_gap_take(journal, &gap));
	CHECK_STRING(gap.reason, "spool_full");
	CHECK_NUMBER(gap.count, rooms_stat(journal).refused);
	for (int round = 0; round < 3; round++) {
		struct rooms_read read = rooms_drain(journal, true);

		CHECK_NUMBER(read.holes, 0);
		CHECK_NUMBER(read.last, number - 1);
		(void)journal_keep(journal);
		CHECK_NUMBER(journal_prepare(journal), 0);
		number = fill_both(journal, number);
	}
	CHECK_NUMBER(rooms_drain(journal, true).last, number - 1);
	journal_close(journal);
	rooms_done(&rooms);
}

TEST(while_the_spool_refuses_shipped_entries_make_room_in_the_front)
{
	struct rooms rooms;
	uint64_t number = 1;

	rooms_init(&rooms);
	rooms.options.spool_bytes = 4096;	/* less than one segment */
	struct journal *journal = rooms_open(&rooms);

	for (int round = 0; round < 100; round++) {
		uint64_t taken = rooms_fill(journal, number, 200, 150);

		CHECK_NUMBER(taken, 200);
		number += taken;
		CHECK_NUMBER(rooms_drain(journal, true).last, number - 1);
		(void)journal_keep(journal);
		CHECK_NUMBER(journal_prepare(journal), 0);
	}
	CHECK_NUMBER(rooms_stat(journal).refused, 0);
	journal_close(journal);
	rooms_done(&rooms);
}

TEST(a_gap_comes_back_when_its_record_could_not_be_made_and_does_not_grow_by_it)
{
	static const char gap_record[20] = { STAGE_GAP };
	struct rooms rooms;
	struct journal_gap gap;

	rooms_init(&rooms);
	struct journal *journal = rooms_open(&rooms);

	while (rooms_append(journal, 1, 1000) == 0)
		;
	CHECK(journal_gap_take(journal, &gap));
	CHECK_NUMBER(gap.count, 1);
	CHECK_NUMBER(journal_append(journal, (struct text){ gap_record, sizeof gap_record }), 0);
	while (rooms_append(journal, 1, 17) == 0)
		;
	CHECK_NUMBER(journal_append(journal, (struct text){ gap_record, sizeof gap_record }), -ENOSPC);
	journal_gap_return(journal, &gap);
	CHECK(journal_gap_take(journal, &gap));
	CHECK_NUMBER(gap.count, 2);
	journal_close(journal);
	rooms_done(&rooms);
}

TEST(what_was_refused_is_known_after_a_restart)
{
	struct rooms rooms;
	struct journal_gap gap = { 0 };

	for (int is_killed = 0; is_killed < 2; is_killed++) {
		rooms_init(&rooms);
		pid_t child = fork();

		if (child == 0) {
			struct journal *journal = rooms_open(&rooms);

			while (rooms_append(journal, 1, 1000) == 0)
				;
			if (is_killed)
				(void)raise(SIGKILL);
			journal_close(journal);
			_exit(0);
		}
		(void)waitpid(child, NULL, 0);
		struct journal *journal = rooms_open(&rooms);

		/* The count outlives the copying too. */
		(void)journal_keep(journal);
		CHECK(journal_gap_take(journal, &gap));
		CHECK_NUMBER(gap.count, 1);
		CHECK_STRING(gap.reason, "front_full");
		(void)rooms_append(journal, 1, 20);
		journal_close(journal);
		journal = rooms_open(&rooms);
		CHECK(!journal_gap_take(journal, &gap));
		journal_close(journal);
		rooms_done(&rooms);
	}
}

TEST(a_restart_goes_on_in_the_next_epoch_and_keeps_what_was_not_shipped)
{
	struct rooms rooms;

	rooms_init(&rooms);
	struct journal *journal = rooms_open(&rooms);
	struct journal_origin before = journal_origin(journal);

	CHECK_NUMBER(rooms_fill(journal, 1, 1500, 150), 1500);
	journal_close(journal);
	CHECK_NUMBER(rooms_files(rooms.front, "segment-", NULL), 0);
	journal = rooms_open(&rooms);
	struct journal_birth birth = journal_birth(journal);
	struct journal_origin after = journal_origin(journal);

	CHECK_NUMBER(birth.start, JOURNAL_RESTART);
	CHECK_NUMBER(birth.epoch, 2);
	CHECK_NUMBER(birth.previous_epoch, 1);
	CHECK_NUMBER(birth.previous_seq, (UINT64_C(1) << 40) + 1500);
	CHECK_STRING(birth.previous_producer, "");
	CHECK_STRING(after.producer, before.producer);
	CHECK(strcmp(after.incarnation, before.incarnation) != 0);
	CHECK_NUMBER(rooms_fill(journal, 1501, 10, 150), 10);
	CHECK_NUMBER(rooms_stat(journal).backlog, 1510);
	struct rooms_read read = rooms_drain(journal, true);

	CHECK_NUMBER(read.count, 1510);
	CHECK_NUMBER(read.holes, 0);
	CHECK_NUMBER(read.origins, 2);
	CHECK_NUMBER(read.last_seq, (UINT64_C(2) << 40) + 10);
	journal_close(journal);
	rooms_done(&rooms);
}

/* What several threads of a child appended, counted where a SIGKILL leaves it. */
struct confirmed {
	uint64_t count[4];
};
static struct journal *child_journal;
static struct confirmed *child_confirmed;

static void *append_on(void *argument)
{
	unsigned thread = *(unsigned *)argument;
	volatile uint64_t *count = &child_confirmed->count[thread];

	for (;;) {
		uint64_t next = *count + 1;

		if (rooms_append(child_journal, (uint64_t)thread << 32 | next,
				 17 + (next * 37 + thread) % 400) == 0)
			*count = next;
		else
			(void)usleep(200);
	}
	return NULL;
}

static void *prepare_on(void *argument)
{
	(void)argument;
	for (;;) {
		(void)journal_prepare(child_journal);
		journal_wait_prepare(child_journal, 5);
	}
	return NULL;
}

static void run_child(struct rooms *rooms)
{
	static unsigned numbers[4] = { 0, 1, 2, 3 };
	pthread_t thread;

	child_journal = rooms_open(rooms);
	(void)pthread_create(&thread, NULL, prepare_on, NULL);
	for (int i = 0; i < 4; i++)
		(void)pthread_create(&thread, NULL, append_on, &numbers[i]);
	for (;;) {
		journal_wait_keep(child_journal, 3);
		(void)journal_keep(child_journal);
	}
}

static uint64_t count_confirmed(void)
{
	volatile uint64_t *count = child_confirmed->count;

	return count[0] + count[1] + count[2] + count[3];
}

/* Kills a child at some point of its appending. */
static void run_and_kill(struct rooms *rooms, int round)
{
	pid_t child = fork();

	if (child == 0) {
		run_child(rooms);
		_exit(0);
	}
	/* On a busy machine it may take a while to begin. */
	uint64_t goal = count_confirmed() + 100;

	for (int i = 0; i < 60000 && count_confirmed() < goal; i++)
		(void)usleep(1000);
	(void)usleep((useconds_t)(round * 1777 % 12000));
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
}

/* Numbers that a killed child may have appended without confirming them, of runs that were not read
 * before the next: the next child leaves them out. */
struct doubtful {
	size_t count;
	uint64_t numbers[40];		/* as in the payload */
};

static void doubt(struct doubtful *doubtful)
{
	for (uint64_t i = 0; i < 4; i++)
		doubtful->numbers[doubtful->count++] = i << 32 | ++child_confirmed->count[i];
}

static bool is_doubtful(const struct doubtful *doubtful, uint64_t number)
{
	for (size_t i = 0; i < doubtful->count; i++)
		if (doubtful->numbers[i] == number)
			return true;
	return false;
}

/* Reads all there is and holds it against what was confirmed: each thread's numbers, in order, once. */
static void check_confirmed(struct journal *journal, const struct doubtful *doubtful, uint64_t *seen)
{
	static struct journal_batch batch;

	while (journal_read(journal, &batch) == 1) {
		for (size_t i = 0; i < batch.count; i++) {
			uint64_t number = rooms_number(batch.entries[i].payload), thread = number >> 32;

			CHECK(thread < 4);
			if (is_doubtful(doubtful, thread << 32 | (seen[thread] + 1)) &&
			    (number & UINT32_MAX) == seen[thread] + 2)
				seen[thread]++;
			CHECK_NUMBER(number & UINT32_MAX, seen[thread] + 1);
			seen[thread] = number & UINT32_MAX;
		}
		journal_shipped(journal, batch.entries[batch.count - 1].seq);
	}
}

TEST(a_sigkill_loses_no_confirmed_entry_and_doubles_none)
{
	struct rooms rooms;
	struct doubtful doubtful = { 0 };
	uint64_t seen[4] = { 0 };

	rooms_init_at(&rooms, rooms_disk());
	rooms.options.keep_us = 3600000000;
	rooms.options.spool_bytes = 1024 * 128 * 1024;
	child_confirmed = mmap(NULL, sizeof *child_confirmed, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int round = 0; round < 20; round++) {
		run_and_kill(&rooms, round);
		if (round % 2 == 0) {
			/* Killed twice before anything is read. */
			doubt(&doubtful);
			continue;
		}
		struct journal *journal = rooms_open(&rooms);

		CHECK_NUMBER(journal_seek(journal, TEXT_NONE, 0, 0), JOURNAL_AT_CURSOR);
		memset(seen, 0, sizeof seen);
		check_confirmed(journal, &doubtful, seen);
		for (int i = 0; i < 4; i++) {
			uint64_t confirmed = child_confirmed->count[i];
			bool is_left_out = seen[i] + 1 == confirmed &&
					   is_doubtful(&doubtful, (uint64_t)i << 32 | confirmed);

			/* One more may have been taken and not confirmed. */
			CHECK_SAYING(seen[i] == confirmed || seen[i] == confirmed + 1 || is_left_out,
				     "round %d thread %d: read %llu, confirmed %llu", round, i,
				     (unsigned long long)seen[i], (unsigned long long)confirmed);
			child_confirmed->count[i] = seen[i];
		}
		CHECK_NUMBER(rooms_stat(journal).damaged, 0);
		CHECK_NUMBER(rooms_stat(journal).quarantined, 0);
		/* Not closed in order either; what was shipped stays, to be read again next time. */
		journal_close(journal);
	}
	CHECK(count_confirmed() >= 20 * 100);
	(void)munmap(child_confirmed, sizeof *child_confirmed);
	rooms_done(&rooms);
}

TEST(a_reboot_empties_the_front_and_the_spool_is_enough)
{
	struct rooms rooms;

	rooms_init(&rooms);
	pid_t child = fork();

	if (child == 0) {
		struct journal *journal = rooms_open(&rooms);

		(void)rooms_fill(journal, 1, 700, 150);
		(void)journal_keep(journal);
		(void)rooms_fill(journal, 701, 50, 150);
		(void)raise(SIGKILL);
	}
	(void)waitpid(child, NULL, 0);
	rooms_empty(rooms.front);
	(void)rmdir(rooms.front);
	rooms.options.machine_id_file = "/nonexistent/machine-id";
	struct journal *journal = rooms_open(&rooms);

	/* Another machine: not the point here, only that nothing stops. */
	CHECK_NUMBER(journal_birth(journal).start, JOURNAL_MOVED);
	struct rooms_read read = rooms_drain(journal, true);

	CHECK_NUMBER(read.count, 700);
	CHECK_NUMBER(read.holes, 0);
	journal_close(journal);
	rooms_done(&rooms);
}

TEST(a_second_process_is_refused_and_told_who_holds_the_journal)
{
	struct rooms rooms;
	struct journal *second = NULL;
	struct problem problem = { "" };
	char pid[32];

	rooms_init(&rooms);
	struct journal *journal = rooms_open(&rooms);

	CHECK_NUMBER(journal_open(&second, &rooms.options, &problem), -EBUSY);
	(void)snprintf(pid, sizeof pid, "process %d", getpid());
	CHECK_SAYING(strstr(problem.text, pid) || strstr(problem.text, "another process"), "%s",
		     problem.text);
	CHECK(strstr(problem.text, rooms.front) != NULL);
	journal_close(journal);
	CHECK_NUMBER(journal_open(&second, &rooms.options, &problem), 0);
	journal_close(second);
	rooms_done(&rooms);
}

static void check_refused_at_open(struct rooms *rooms, const char *words)
{
	struct journal *journal = NULL;
	struct problem problem = { "" };

	CHECK_NUMBER(journal_open(&journal, &rooms->options, &problem), -EPERM);
	CHECK_SAYING(strstr(problem.text, words), "wanted '%s': %s", words, problem.text);
}

TEST(a_directory_that_others_may_write_is_refused)
{
	static const mode_t modes[] = { 0770, 0720, 0702, 01777 };
	struct rooms rooms;
	struct journal *journal = NULL;
	struct problem problem = { "" };

	rooms_init(&rooms);
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		(void)chmod(rooms.spool, modes[i]);
		check_refused_at_open(&rooms, "chmod 700");
		(void)chmod(rooms.spool, 0700);
		(void)chmod(rooms.front, modes[i]);
		check_refused_at_open(&rooms, "chmod 700");
		(void)chmod(rooms.front, 0700);
	}
	rooms.options.spool_directory = rooms.front;
	CHECK_NUMBER(journal_open(&journal, &rooms.options, &problem), -EBUSY);
	CHECK(strstr(problem.text, "one directory") != NULL);
	rooms_done(&rooms);
}

TEST(a_directory_of_another_user_is_refused)
{
	bool is_root = geteuid() == 0;
	struct rooms rooms;

	rooms_init(&rooms);
	if (is_root)
		CHECK_NUMBER(chown(rooms.spool, 65534, 65534), 0);
	else
		rooms.options.spool_directory = "/";
	check_refused_at_open(&rooms, is_root ? "belongs to user 65534" : "belongs to user 0");
	rooms_done(&rooms);
}

static void lose_identity(struct rooms *rooms)
{
	char path[300];

	(void)snprintf(path, sizeof path, "%s/producer", rooms->spool);
	(void)unlink(path);
}

static void damage_identity(struct rooms *rooms)
{
	char path[300];

	(void)snprintf(path, sizeof path, "%s/producer", rooms->spool);
	rooms_write_file(path, "smtptrail-producer 1\nproducer ../../etc\nepoch 99999999999\n");
}

static void change_machine(struct rooms *rooms)
{
	rooms_write_file(rooms->machine, "ffffffffffffffffffffffffffffffff\n");
}

static void copy_directory(struct rooms *rooms)
{
	char command[2000], copy[300];

	(void)snprintf(copy, sizeof copy, "%s.copy", rooms->spool);
	(void)snprintf(command, sizeof command, "cp -a '%s' '%s' && rm -rf '%s' && mv '%s' '%s'",
		       rooms->spool, copy, rooms->spool, copy, rooms->spool);
	CHECK_NUMBER(system(command), 0);
}

TEST(a_lost_moved_or_copied_identity_makes_a_new_producer_and_loses_no_entry)
{
	static const struct {
		const char *name;
		void (*change)(struct rooms *);
		enum journal_start start;
	} cases[] = {
		{ "file lost", lose_identity, JOURNAL_SPOOL_LOST },
		{ "file damaged", damage_identity, JOURNAL_SPOOL_LOST },
		{ "other machine", change_machine, JOURNAL_MOVED },
		{ "copied directory", copy_directory, JOURNAL_MOVED },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct rooms rooms;

		rooms_init(&rooms);
		struct journal *journal = rooms_open(&rooms);
		struct journal_origin old = journal_origin(journal);

		(void)rooms_fill(journal, 1, 1200, 150);
		journal_close(journal);
		cases[i].change(&rooms);
		journal = rooms_open(&rooms);
		struct journal_birth birth = journal_birth(journal);
		struct journal_origin new = journal_origin(journal);

		CHECK_SAYING(birth.start == cases[i].start, "%s: %s", cases[i].name,
			     journal_start_name(birth.start));
		CHECK_STRING(birth.previous_producer, old.producer);
		CHECK_NUMBER(birth.previous_seq, (UINT64_C(1) << 40) + 1200);
		CHECK(strcmp(new.producer, old.producer) != 0);
		CHECK_NUMBER(new.epoch, 1);
		(void)rooms_fill(journal, 1201, 10, 150);
		/* No cursor of the new producer: the inherited ones come first, under their own name. */
		CHECK_NUMBER(journal_seek(journal, TEXT_NONE, 0, 0), JOURNAL_AT_CURSOR);
		static struct journal_batch batch;

		CHECK_NUMBER(journal_read(journal, &batch), 1);
		CHECK_STRING(batch.origin.producer, old.producer);
		/* Their own cursor says what is in already. */
		CHECK_NUMBER(journal_seek(journal, text_of(old.incarnation), 1, 1000), JOURNAL_AT_CURSOR);
		struct rooms_read read = rooms_drain(journal, true);

		CHECK_NUMBER(read.first, 1001);
		CHECK_NUMBER(read.count, 210);
		CHECK_NUMBER(read.holes, 0);
		CHECK_STRING(read.producer, new.producer);
		CHECK_NUMBER(rooms_stat(journal).backlog, 0);
		/* The new producer's next look finds no cursor either: only its own are read again. */
		CHECK_NUMBER(journal_seek(journal, TEXT_NONE, 0, 0), JOURNAL_AT_CURSOR);
		CHECK_NUMBER(rooms_drain(journal, true).first, 1201);
		journal_close(journal);
		rooms_done(&rooms);
	}
}

TEST(an_inherited_identity_whose_holder_went_on_is_not_sent_again)
{
	struct rooms rooms;

	rooms_init(&rooms);
	struct journal *journal = rooms_open(&rooms);
	static struct journal_batch batch;

	(void)rooms_fill(journal, 1, 100, 150);
	journal_close(journal);
	change_machine(&rooms);
	journal = rooms_open(&rooms);
	(void)rooms_fill(journal, 101, 10, 150);
	CHECK_NUMBER(journal_read(journal, &batch), 1);
	CHECK_NUMBER(journal_seek(journal, TEXT_LITERAL("00ff"), 7, 3), JOURNAL_AT_CURSOR);
	CHECK_NUMBER(rooms_drain(journal, true).first, 101);
	journal_close(journal);
	rooms_done(&rooms);
}

TEST(an_inherited_identity_in_other_hands_goes_on_under_a_name_of_its_own)
{
	struct rooms rooms;
	struct problem problem;
	static struct journal_batch batch;

	rooms_init(&rooms);
	struct journal *journal = rooms_open(&rooms);
	struct journal_origin old = journal_origin(journal);

	(void)rooms_fill(journal, 1, 100, 150);
	journal_close(journal);
	change_machine(&rooms);
	journal = rooms_open(&rooms);
	struct journal_origin ours = journal_origin(journal);

	(void)rooms_fill(journal, 101, 10, 150);
	CHECK_NUMBER(journal_read(journal, &batch), 1);
	CHECK_NUMBER(journal_seek(journal, TEXT_LITERAL("00ff"), 1, 3), JOURNAL_FOREIGN);
	CHECK_NUMBER(journal_change_producer(journal, 1, &problem), 0);
	CHECK_STRING(journal_origin(journal).producer, ours.producer);
	CHECK_NUMBER(journal_birth(journal).start, JOURNAL_MOVED);
	CHECK_NUMBER(journal_read(journal, &batch), 1);
	CHECK_NUMBER(rooms_number(batch.entries[0].payload), 1);
	CHECK(strcmp(batch.origin.producer, old.producer) != 0);
	CHECK(strcmp(batch.origin.producer, ours.producer) != 0);
	CHECK_NUMBER(journal_seek(journal, TEXT_NONE, 0, 0), JOURNAL_AT_CURSOR);
	struct rooms_read read = rooms_drain(journal, true);

	CHECK_NUMBER(read.count, 110);
	CHECK_NUMBER(read.holes, 0);
	CHECK_STRING(read.producer, ours.producer);
	journal_close(journal);
	rooms_done(&rooms);
}

TEST(a_cursor_is_found_passed_over_or_known_to_be_foreign)
{
	struct rooms rooms;
	struct journal_origin origins[3];
	struct journal_gap gap;

	rooms_init(&rooms);
	/* Three epochs of 100 entries each. */
	struct journal *journal = NULL;

	for (int i = 0; i < 3; i++) {
		journal = rooms_open(&rooms);
		origins[i] = journal_origin(journal);
		(void)rooms_fill(journal, (uint64_t)i * 100 + 1, 100, 150);
		if (i < 2)
			journal_close(journal);
	}
	const struct {
		const char *name, *incarnation;
		uint32_t epoch;
		uint64_t counter;
		enum journal_position position;
		uint64_t first, count;
	} cases[] = {
		{ "none", "", 0, 0, JOURNAL_AT_CURSOR, 1, 300 },
		{ "first epoch", origins[0].incarnation, 1, 1, JOURNAL_AT_CURSOR, 2, 299 },
		{ "end of an epoch", origins[0].incarnation, 1, 100, JOURNAL_AT_CURSOR, 101, 200 },
		{ "shipped, then lost by a power cut", origins[1].incarnation, 2, 150, JOURNAL_AT_CURSOR, 201,
		  100 },
		{ "this epoch", origins[2].incarnation, 3, 40, JOURNAL_AT_CURSOR, 241, 60 },
		{ "the very end", origins[2].incarnation, 3, 100, JOURNAL_AT_CURSOR, 0, 0 },
		{ "more than we made", origins[2].incarnation, 3, 101, JOURNAL_FOREIGN, 0, 0 },
		{ "our epoch, another start", "00ff", 3, 5, JOURNAL_FOREIGN, 0, 0 },
		{ "a later epoch", "00ff", 4, 5, JOURNAL_FOREIGN, 0, 0 },
		{ "a known epoch, another start", "00ff", 2, 5, JOURNAL_FOREIGN, 0, 0 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		enum journal_position position = journal_seek(journal, text_of(cases[i].incarnation),
							      cases[i].epoch, cases[i].counter);

		CHECK_SAYING(position == cases[i].position, "%s: %d", cases[i].name, (int)position);
		if (position == JOURNAL_FOREIGN)
			continue;
		struct rooms_read read = rooms_drain(journal, false);

		CHECK_SAYING(read.first == cases[i].first && read.count == cases[i].count && read.holes == 0,
			     "%s: %llu from %llu", cases[i].name, (unsigned long long)read.count,
			     (unsigned long long)read.first);
		CHECK_NUMBER(rooms_stat(journal).backlog, cases[i].count);
	}
	CHECK(!journal_gap_take(journal, &gap));
	journal_close(journal);
	rooms_done(&rooms);
}

/* Ships and keeps until only the last segments are left. */
static void ship_all(struct journal *journal)
{
	(void)rooms_drain(journal, true);
	(void)journal_keep(journal);
	(void)journal_keep(journal);
}

static void ship_more_than_is_kept(struct journal *journal)
{
	for (uint64_t i = 0; i < 10; i++) {
		CHECK_NUMBER(rooms_fill(journal, 1 + i * 500, 500, 150), 500);
		(void)journal_keep(journal);
		(void)journal_prepare(journal);
	}
	ship_all(journal);
}

TEST(a_cursor_behind_what_is_kept_leaves_a_gap_of_the_right_size)
{
	struct rooms rooms;
	struct journal_gap gap = { 0 };

	rooms_init(&rooms);
	struct journal *journal = rooms_open(&rooms);
	struct journal_origin first = journal_origin(journal);

	ship_more_than_is_kept(journal);
	/* Redis lost all of it. */
	CHECK_NUMBER(journal_seek(journal, TEXT_NONE, 0, 0), JOURNAL_AFTER_KEPT);
	struct rooms_read read = rooms_drain(journal, false);

	CHECK(read.first > 2000);
	CHECK_NUMBER(read.last, 5000);
	CHECK(journal_gap_take(journal, &gap));
	CHECK_NUMBER(gap.count, read.first - 1);
	CHECK_STRING(gap.reason, "not_kept");
	CHECK_NUMBER(journal_seek(journal, text_of(first.incarnation), 1, 1000), JOURNAL_AFTER_KEPT);
	CHECK(journal_gap_take(journal, &gap));
	CHECK_NUMBER(gap.count, read.first - 1001);
	ship_all(journal);
	journal_close(journal);
	/* The same after two restarts, of which the history tells. */
	journal = rooms_open(&rooms);
	(void)rooms_fill(journal, 5001, 1500, 150);
	ship_all(journal);
	journal_close(journal);
	journal = rooms_open(&rooms);
	(void)rooms_fill(journal, 6501, 10, 150);
	CHECK_NUMBER(journal_seek(journal, text_of(first.incarnation), 1, 1000), JOURNAL_AFTER_KEPT);
	read = rooms_drain(journal, false);
	CHECK(journal_gap_take(journal, &gap));
	CHECK_NUMBER(gap.count, read.first - 1001);
	journal_close(journal);
	rooms_done(&rooms);
}

TEST(a_gap_is_told_once_however_often_what_follows_it_is_tried)
{
	struct rooms rooms;
	struct journal_gap gap = { 0 };

	rooms_init(&rooms);
	struct journal *journal = rooms_open(&rooms);
	struct journal_origin origin = journal_origin(journal);
	uint64_t told = 0;

	ship_more_than_is_kept(journal);
	/* Redis lost what was behind the 1000th, and refuses what follows: the cursor is the same each time. */
	CHECK_NUMBER(journal_seek(journal, text_of(origin.incarnation), 1, 1000), JOURNAL_AFTER_KEPT);
	CHECK_NUMBER(journal_seek(journal, text_of(origin.incarnation), 1, 1000), JOURNAL_AT_CURSOR);
	CHECK(journal_gap_take(journal, &gap));
	CHECK_NUMBER(journal_seek(journal, text_of(origin.incarnation), 1, 1000), JOURNAL_AT_CURSOR);
	told = gap.count;
	CHECK(!journal_gap_take(journal, &gap));
	/* It lost more: no more than that is told. */
	CHECK_NUMBER(journal_seek(journal, text_of(origin.incarnation), 1, 400), JOURNAL_AFTER_KEPT);
	CHECK(journal_gap_take(journal, &gap));
	CHECK_NUMBER(gap.count, 600);
	CHECK_NUMBER(journal_seek(journal, TEXT_NONE, 0, 0), JOURNAL_AFTER_KEPT);
	CHECK(journal_gap_take(journal, &gap));
	CHECK_NUMBER(gap.count, 400);
	CHECK_NUMBER(rooms_drain(journal, false).first, told + 1001);
	journal_close(journal);
	rooms_done(&rooms);
}

TEST(a_fenced_producer_goes_on_under_a_new_name_with_all_that_was_not_shipped)
{
	struct rooms rooms;
	struct problem problem;
	static struct journal_batch batch;

	rooms_init(&rooms);
	struct journal *journal = rooms_open(&rooms);
	struct journal_origin old = journal_origin(journal);

	(void)rooms_fill(journal, 1, 100, 150);
	CHECK_NUMBER(journal_read(journal, &batch), 1);
	journal_shipped(journal, batch.entries[batch.count - 1].seq);
	uint64_t shipped = batch.count;

	/* Another holder wrote in a later epoch: what we shipped before it stands under the old name. */
	CHECK_NUMBER(journal_seek(journal, TEXT_LITERAL("00ff"), 5, 5), JOURNAL_FOREIGN);
	CHECK_NUMBER(journal_change_producer(journal, 5, &problem), 0);
	struct journal_origin new = journal_origin(journal);
	struct journal_birth birth = journal_birth(journal);

	CHECK_NUMBER(birth.start, JOURNAL_FENCED);
	CHECK_STRING(birth.previous_producer, old.producer);
	CHECK_NUMBER(birth.previous_seq, (UINT64_C(1) << 40) + 100);
	CHECK(strcmp(old.producer, new.producer) != 0);
	CHECK_NUMBER(new.epoch, 2);
	(void)rooms_fill(journal, 101, 10, 150);
	for (int round = 0; round < 3; round++) {
		CHECK_NUMBER(journal_seek(journal, TEXT_NONE, 0, 0), JOURNAL_AT_CURSOR);
		struct rooms_read read = rooms_drain(journal, false);

		CHECK_NUMBER(read.first, shipped + 1);
		CHECK_NUMBER(read.last, 110);
		CHECK_NUMBER(read.holes, 0);
		CHECK_STRING(read.producer, new.producer);
		if (round < 2) {
			/* The names survive a restart. */
			journal_close(journal);
			journal = rooms_open(&rooms);
			CHECK_NUMBER(journal_birth(journal).start, JOURNAL_RESTART);
		}
	}
	journal_close(journal);
	rooms_done(&rooms);
}

TEST(entries_of_the_epoch_that_another_holder_used_too_are_read_again)
{
	struct rooms rooms;
	struct problem problem;

	rooms_init(&rooms);
	struct journal *journal = rooms_open(&rooms);

	(void)rooms_fill(journal, 1, 100, 150);
	(void)rooms_drain(journal, true);
	journal_close(journal);
	journal = rooms_open(&rooms);
	struct journal_origin old = journal_origin(journal);

	(void)rooms_fill(journal, 101, 100, 150);
	(void)rooms_drain(journal, true);
	CHECK_NUMBER(journal_seek(journal, TEXT_LITERAL("00ff"), 2, 5), JOURNAL_FOREIGN);
	CHECK_NUMBER(journal_change_producer(journal, 2, &problem), 0);
	(void)rooms_fill(journal, 201, 10, 150);
	struct rooms_read read = rooms_drain(journal, true);

	CHECK_NUMBER(read.first, 101);
	CHECK_NUMBER(read.last, 210);
	CHECK(strcmp(read.producer, old.producer) != 0);
	CHECK_STRING(read.producer, journal_origin(journal).producer);
	/* A cursor of the new producer in the renamed epoch is ours. */
	CHECK_NUMBER(journal_seek(journal, text_of(old.incarnation), 2, 50), JOURNAL_AT_CURSOR);
	CHECK_NUMBER(rooms_drain(journal, true).first, 151);
	journal_close(journal);
	rooms_done(&rooms);
}

/* A copy of the spool of a running milter, or its own after a power cut, and the other holder went on. */
TEST(what_redis_had_of_a_spool_that_was_copied_as_it_ran_is_not_sent_again_under_the_new_name)
{
	struct rooms rooms;
	struct problem problem;

	rooms_init(&rooms);
	pid_t child = fork();

	if (child == 0) {
		struct journal *journal = rooms_open(&rooms);

		(void)rooms_fill(journal, 1, 1000, 150);
		(void)rooms_drain(journal, true);
		(void)journal_keep(journal);
		(void)raise(SIGKILL);
	}
	(void)waitpid(child, NULL, 0);
	rooms_empty(rooms.front);
	struct journal *journal = rooms_open(&rooms);

	CHECK_NUMBER(journal_birth(journal).start, JOURNAL_RESTART);
	(void)rooms_fill(journal, 1001, 10, 150);
	CHECK_NUMBER(journal_seek(journal, TEXT_LITERAL("00ff"), 2, 5), JOURNAL_FOREIGN);
	CHECK_NUMBER(journal_change_producer(journal, 2, &problem), 0);
	(void)rooms_fill(journal, 1011, 10, 150);
	struct rooms_read read = rooms_drain(journal, true);

	CHECK_NUMBER(read.first, 1001);
	CHECK_NUMBER(read.last, 1020);
	CHECK_NUMBER(read.holes, 0);
	journal_close(journal);
	rooms_done(&rooms);
}

TEST(shipped_segments_are_kept_as_long_and_as_many_as_asked)
{
	static const struct { const char *name; uint64_t keep_us, keep_bytes; int least, most; } cases[] = {
		{ "nothing asked", 0, 0, 1, 2 },
		{ "by time", 3600000000, 0, 20, 100 },
		{ "by bytes", 0, 5 * 128 * 1024, 6, 8 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct rooms rooms;

		rooms_init(&rooms);
		rooms.options.keep_us = cases[i].keep_us;
		rooms.options.keep_bytes = cases[i].keep_bytes;
		struct journal *journal = rooms_open(&rooms);

		for (uint64_t round = 0; round < 40; round++) {
			(void)rooms_fill(journal, 1 + round * 500, 500, 150);
			ship_all(journal);
			(void)journal_prepare(journal);
		}
		int files = rooms_files(rooms.spool, "segment-", NULL);

		CHECK_SAYING(files >= cases[i].least && files <= cases[i].most, "%s: %d", cases[i].name,
			     files);
		/* What is kept can be read again. */
		(void)journal_seek(journal, TEXT_NONE, 0, 0);
		struct rooms_read read = rooms_drain(journal, true);

		CHECK_NUMBER(read.last, 20000);
		CHECK_NUMBER(read.holes, 0);
		journal_close(journal);
		rooms_done(&rooms);
	}
}

/* Makes a journal of 30 entries of 100 bytes in one room, as a SIGKILL leaves it. */
static void make_killed(struct rooms *rooms, bool in_front)
{
	pid_t child = fork();

	if (child == 0) {
		struct journal *journal = rooms_open(rooms);

		(void)rooms_fill(journal, 1, 30, 100);
		if (!in_front)
			(void)journal_keep(journal);
		(void)raise(SIGKILL);
	}
	(void)waitpid(child, NULL, 0);
	if (!in_front)
		rooms_empty(rooms->front);
}

static void segment_path(const char *directory, unsigned number, char path[1024])
{
	(void)snprintf(path, 1024, "%s/segment-%010u", directory, number);
}

/* Fills so many segments, each with 700 entries of the numbers from 1 on; gives the last number. */
static uint64_t fill_segments(struct journal *journal, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		(void)rooms_fill(journal, 1 + i * 700, 700, 150);
		(void)journal_keep(journal);
		(void)journal_prepare(journal);
	}
	return count * 700;
}

static uint64_t count_segment_files(struct rooms *rooms, bool in_front, char path[1024])
{
	const char *directory = in_front ? rooms->front : rooms->spool;
	struct rooms_count count = { .part = "segment-" };

	/* The first file is the one with entries; the others are spares. */
	rooms_each(directory, rooms_count_one, &count);
	segment_path(directory, 1, path);
	return (uint64_t)count.count;
}

static void save(const char *path, char **ret_bytes, size_t *ret_size)
{
	struct stat status;
	int fd = open(path, O_RDONLY);

	CHECK(fd >= 0 && fstat(fd, &status) == 0);
	*ret_size = (size_t)status.st_size;
	*ret_bytes = malloc(*ret_size);
	CHECK_NUMBER(read(fd, *ret_bytes, *ret_size), *ret_size);
	close(fd);
}

static void restore(const char *path, const char *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	CHECK_NUMBER(write(fd, bytes, size), size);
	close(fd);
}

/* Opens and reads what a damaged file left: the entries before and after the damage, never a wrong one. */
static uint64_t check_damaged(struct rooms *rooms, const char *what, size_t offset, uint64_t least, uint64_t most)
{
	struct journal *journal = NULL;
	struct problem problem;
	static struct journal_batch batch;
	uint64_t count = 0, last = 0, noted = 0;
	struct journal_gap gap;

	CHECK_NUMBER(journal_open(&journal, &rooms->options, &problem), 0);
	if (!journal)
		return 0;
	(void)rooms_append(journal, 31, 100);
	while (journal_read(journal, &batch) == 1)
		for (size_t i = 0; i < batch.count; i++) {
			uint64_t number = rooms_number(batch.entries[i].payload);
			char wanted[100];

			CHECK_SAYING(number > last && number <= 31, "%s at %zu: %llu", what, offset,
				     (unsigned long long)number);
			CHECK(text_equal(batch.entries[i].payload, rooms_payload(wanted, number, 100)));
			last = number;
			count++;
		}
	CHECK_SAYING(last == 31, "%s at %zu: the new entry is missing", what, offset);
	CHECK_SAYING(count - 1 >= least && count - 1 <= most, "%s at %zu: %llu entries", what, offset,
		     (unsigned long long)count - 1);
	while (journal_gap_take(journal, &gap))
		noted += gap.count;
	CHECK_SAYING(noted == rooms_stat(journal).damaged, "%s at %zu", what, offset);
	/* Redis took nothing of it, and it is read again: what is missing is known. */
	(void)journal_seek(journal, TEXT_NONE, 0, 0);
	while (journal_read(journal, &batch) == 1)
		;
	CHECK_SAYING(!journal_gap_take(journal, &gap) && noted == rooms_stat(journal).damaged, "%s at %zu, read again",
		     what, offset);
	journal_close(journal);
	return noted;
}

/* What a look from outside, as smtptrail journal verify takes it, makes of a room. */
static void check_scanned(const char *directory, const char *what, size_t offset, uint64_t entries, uint64_t missing,
			  uint64_t torn)
{
	struct journal_scan *scan = NULL;
	struct journal_scan_entry entry;
	struct journal_scan_total total;
	struct problem problem;

	CHECK_NUMBER(journal_scan_open(&scan, directory, &problem), 0);
	while (journal_scan_next(scan, &entry) == 1)
		;
	journal_scan_total(scan, &total);
	CHECK_SAYING(total.entries == entries && total.missing == missing && total.torn_tails == torn &&
		     total.damaged_files == missing,
		     "%s at %zu, from outside: %llu entries, %llu missing, %llu torn, %llu files damaged", what, offset,
		     (unsigned long long)total.entries, (unsigned long long)total.missing,
		     (unsigned long long)total.torn_tails, (unsigned long long)total.damaged_files);
	journal_scan_close(scan);
}

/* A killed journal of one room, to be damaged again and again. */
struct damaged {
	struct rooms rooms;
	bool in_front;
	char path[1024], identity[300];
	char *bytes, *identity_bytes;
	size_t size, identity_size;
};

static void damaged_init(struct damaged *damaged, bool in_front)
{
	*damaged = (struct damaged){ .in_front = in_front };
	rooms_init(&damaged->rooms);
	make_killed(&damaged->rooms, in_front);
	CHECK(count_segment_files(&damaged->rooms, in_front, damaged->path) >= 1);
	(void)snprintf(damaged->identity, sizeof damaged->identity, "%s/producer", damaged->rooms.spool);
	save(damaged->path, &damaged->bytes, &damaged->size);
	save(damaged->identity, &damaged->identity_bytes, &damaged->identity_size);
}

static void damaged_done(struct damaged *damaged)
{
	free(damaged->bytes);
	free(damaged->identity_bytes);
	rooms_done(&damaged->rooms);
}

/* As it was left, but for the bytes behind size. */
static void damaged_restore(struct damaged *damaged, size_t size)
{
	rooms_empty(damaged->rooms.spool);
	rooms_empty(damaged->rooms.front);
	restore(damaged->identity, damaged->identity_bytes, damaged->identity_size);
	restore(damaged->path, damaged->bytes, size);
}

enum { ENTRY = 16 + 104, CHECKED = 16 + 100 };	/* what follows is padding */

/* Flips a byte of an entry in the middle, or of the last one. */
static void flip(struct damaged *damaged, bool is_last, size_t place, char pattern)
{
	const char *what = damaged->in_front ? "front, flip" : "spool, flip";
	size_t offset = SEGMENT_HEAD_SIZE + (size_t)(is_last ? 29 : 14) * ENTRY + place;
	uint32_t length;

	damaged->bytes[offset] = (char)(damaged->bytes[offset] ^ pattern);
	damaged_restore(damaged, damaged->size);
	memcpy(&length, damaged->bytes + offset - place, sizeof length);
	damaged->bytes[offset] = (char)(damaged->bytes[offset] ^ pattern);
	bool is_lost = place < CHECKED;
	/* A length within the limit but beyond the end of a copy: that looks unfinished. */
	bool is_torn = !damaged->in_front && is_last && place < 4 && length > ENTRY - 16 && length <= JOURNAL_ENTRY_MAX;
	uint64_t whole = is_lost ? 29 : 30;

	check_scanned(damaged->in_front ? damaged->rooms.front : damaged->rooms.spool, what, offset, whole,
		      is_lost && !is_torn, is_torn);
	uint64_t noted = check_damaged(&damaged->rooms, what, offset, whole, whole);

	CHECK_SAYING(noted == (is_lost && !is_torn), "%s of %02x at %zu: a loss of %llu noted", what,
		     (unsigned char)pattern, offset, (unsigned long long)noted);
}

/* Every byte of both entries by one pattern, and what is before the payload by others. */
static void flip_everywhere(bool in_front)
{
	static const char patterns[] = { 0x10, 0x01, 0x04, (char)0x80, (char)0xff };
	struct damaged damaged;

	damaged_init(&damaged, in_front);
	for (size_t place = 0; place < ENTRY; place++)
		for (size_t i = 0; i < (place < 20 ? sizeof patterns : 1); i++) {
			flip(&damaged, false, place, patterns[i]);
			flip(&damaged, true, place, patterns[i]);
		}
	damaged_done(&damaged);
}

TEST(a_flipped_byte_anywhere_in_an_entry_costs_that_entry_in_the_front)
{
	flip_everywhere(true);
}

TEST(a_flipped_byte_anywhere_in_an_entry_costs_that_entry_in_the_spool)
{
	flip_everywhere(false);
}

TEST(a_file_cut_anywhere_keeps_the_entries_before_the_cut)
{
	for (int in_front = 0; in_front < 2; in_front++) {
		struct damaged damaged;

		damaged_init(&damaged, in_front);
		for (size_t cut = 0; cut < SEGMENT_HEAD_SIZE + 3 * ENTRY; cut += cut < SEGMENT_HEAD_SIZE ? 37 : 1) {
			uint64_t whole = cut < SEGMENT_HEAD_SIZE ? 0 : (cut - SEGMENT_HEAD_SIZE) / ENTRY;
			/* The padding behind a payload may be missing. */
			uint64_t most = cut < SEGMENT_HEAD_SIZE ? 0 : (cut + 4 - SEGMENT_HEAD_SIZE) / ENTRY;

			damaged_restore(&damaged, cut);
			(void)check_damaged(&damaged.rooms, in_front ? "front, cut" : "spool, cut", cut, whole, most);
		}
		damaged_done(&damaged);
	}
}

TEST(an_append_that_was_killed_before_its_length_is_no_entry_and_no_damage)
{
	struct rooms rooms;
	char path[1024];
	uint32_t zero = 0;

	rooms_init(&rooms);
	make_killed(&rooms, true);
	(void)count_segment_files(&rooms, true, path);
	int fd = open(path, O_WRONLY);

	CHECK_NUMBER(pwrite(fd, &zero, 4, SEGMENT_HEAD_SIZE + 29 * 120), 4);
	close(fd);
	struct journal_scan *scan = NULL;
	struct journal_scan_entry entry;
	struct journal_scan_total total;
	struct problem problem;

	CHECK_NUMBER(journal_scan_open(&scan, rooms.front, &problem), 0);
	while (journal_scan_next(scan, &entry) == 1)
		;
	journal_scan_total(scan, &total);
	CHECK_NUMBER(total.entries, 29);
	CHECK_NUMBER(total.torn_tails, 1);
	CHECK_NUMBER(total.damaged_files, 0);
	journal_scan_close(scan);
	struct journal *journal = rooms_open(&rooms);

	CHECK_NUMBER(rooms_drain(journal, true).count, 29);
	CHECK_NUMBER(rooms_stat(journal).damaged, 0);
	CHECK_NUMBER(rooms_stat(journal).torn, 1);
	journal_close(journal);
	rooms_done(&rooms);
}

TEST(bytes_that_a_client_had_recorded_never_pass_for_an_entry)
{
	struct rooms rooms;
	char path[1024], payload[400];
	struct segment_entry_head forged = { .length = 100, .seq = (UINT64_C(1) << 40) + 2 };

	rooms_init(&rooms);
	pid_t child = fork();

	if (child == 0) {
		struct journal *journal = rooms_open(&rooms);

		memset(payload, 'x', sizeof payload);
		/* Aligned as an entry inside the payload, right but for what only the head knows. */
		forged.crc = segment_entry_crc(crc32c(0, payload + 24, 100), 0, 100, forged.seq);
		memcpy(payload + 8, &forged, sizeof forged);
		(void)journal_append(journal, (struct text){ payload, sizeof payload });
		(void)rooms_append(journal, 7, 100);
		(void)raise(SIGKILL);
	}
	(void)waitpid(child, NULL, 0);
	(void)count_segment_files(&rooms, true, path);
	int fd = open(path, O_RDWR);
	unsigned char byte = 0;

	CHECK_NUMBER(pread(fd, &byte, 1, SEGMENT_HEAD_SIZE + 4), 1);	/* of the crc of the first entry: any value */
	byte ^= 0xff;
	CHECK_NUMBER(pwrite(fd, &byte, 1, SEGMENT_HEAD_SIZE + 4), 1);
	close(fd);
	struct journal *journal = rooms_open(&rooms);
	struct rooms_read read = rooms_drain(journal, true);

	CHECK_NUMBER(read.count, 1);
	CHECK_NUMBER(read.first, 7);
	CHECK_NUMBER(rooms_stat(journal).damaged, 1);
	journal_close(journal);
	rooms_done(&rooms);
}

TEST(an_unreadable_file_is_set_aside_and_the_others_are_read)
{
	struct rooms rooms;
	char path[1024];

	rooms_init(&rooms);
	struct journal *journal = rooms_open(&rooms);
	uint64_t last = fill_segments(journal, 4);

	journal_close(journal);
	segment_path(rooms.spool, 2, path);
	int fd = open(path, O_WRONLY);

	/* Nothing else says when it was made: this cannot be told again. */
	CHECK_NUMBER(pwrite(fd, "garbage", 7, 40), 7);
	close(fd);
	journal = rooms_open(&rooms);
	CHECK_NUMBER(rooms_stat(journal).quarantined, 1);
	CHECK_NUMBER(rooms_files(rooms.spool, ".damaged", NULL), 1);
	struct rooms_read read = rooms_drain(journal, true);

	CHECK_NUMBER(read.holes, 1);
	CHECK_NUMBER(read.last, last);
	journal_close(journal);
	rooms_done(&rooms);
}

/* Damages so many bytes of the head of the second of four segments, and opens. */
static void check_damaged_head(int offset, int length, bool is_mended)
{
	unsigned char before[SEGMENT_HEAD_SIZE], after[SEGMENT_HEAD_SIZE];
	struct rooms rooms;
	char path[1024];

	rooms_init(&rooms);
	struct journal *journal = rooms_open(&rooms);
	uint64_t last = fill_segments(journal, 4);

	journal_close(journal);
	segment_path(rooms.spool, 2, path);
	int fd = open(path, O_RDWR);

	CHECK_NUMBER(pread(fd, before, sizeof before, 0), sizeof before);
	memcpy(after, before, sizeof after);
	for (int i = 0; i < length; i++)
		after[offset + i] ^= (unsigned char)(0x5a + i);
	CHECK_NUMBER(pwrite(fd, after, sizeof after, 0), sizeof after);
	journal = rooms_open(&rooms);
	CHECK_SAYING(rooms_stat(journal).mended == is_mended, "%d bytes at %d", length, offset);
	CHECK_SAYING(rooms_stat(journal).quarantined == !is_mended, "%d bytes at %d", length, offset);
	struct rooms_read read = rooms_drain(journal, true);

	CHECK_NUMBER(read.last, last);
	if (is_mended) {
		CHECK_NUMBER(read.holes, 0);
		CHECK_NUMBER(read.count, last);
		CHECK_NUMBER(pread(fd, after, sizeof after, 0), sizeof after);
		CHECK_SAYING(memcmp(before, after, 320) == 0, "the head is as it was: %d bytes at %d", length, offset);
	}
	close(fd);
	journal_close(journal);
	rooms_done(&rooms);
}

TEST(a_damaged_head_is_told_again_where_a_checksum_proves_it)
{
	/* Each field of it alone, as journal_segment.h has them. */
	static const struct { int offset, length; bool is_mended; } cases[] = {
		{ 0, 8, true }, { 8, 4, true }, { 12, 4, true }, { 16, 8, true }, { 24, 8, true }, { 32, 8, true },
		{ 40, 8, false }, { 48, 4, true }, { 52, 4, true }, { 56, 64, true }, { 120, 64, true }, { 184, 64, true },
		{ 248, 64, true }, { 312, 4, true }, { 316, 4, true }, { 0, 40, true }, { 48, 268, true }, { 0, 320, false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		check_damaged_head(cases[i].offset, cases[i].length, cases[i].is_mended);
}

TEST(a_segment_that_is_deleted_under_a_running_journal_is_counted_as_a_gap)
{
	struct rooms rooms;
	char path[1024];
	struct journal_gap gap = { 0 };

	rooms_init(&rooms);
	struct journal *journal = rooms_open(&rooms);

	(void)fill_segments(journal, 5);
	segment_path(rooms.spool, 2, path);
	CHECK_NUMBER(unlink(path), 0);
	struct rooms_read read = rooms_drain(journal, true);

	CHECK_NUMBER(read.holes, 1);
	CHECK_NUMBER(read.last, 3500);
	CHECK(journal_gap_take(journal, &gap));
	CHECK_NUMBER(gap.count, 3500 - read.count);
	CHECK_STRING(gap.reason, "damaged");
	CHECK_NUMBER(rooms_stat(journal).backlog, 0);
	CHECK_NUMBER(journal_keep(journal), 0);
	journal_close(journal);
	rooms_done(&rooms);
}

/* What is told of as missing, of every reason. */
static uint64_t take_gaps(struct journal *journal)
{
	struct journal_gap gap;
	uint64_t count = 0;

	while (journal_gap_take(journal, &gap)) {
		CHECK_STRING(gap.reason, "damaged");
		count += gap.count;
	}
	return count;
}

static void cut_front(uint64_t keep_bytes)
{
	struct rooms rooms;
	char path[1024] = "";

	rooms_init(&rooms);
	struct journal *journal = rooms_open(&rooms);
	uint64_t made = rooms_fill(journal, 1, 100, 150);

	/* The spares lie behind it, by their names. */
	(void)snprintf(path, sizeof path, "%s/segment-0000000001", rooms.front);
	CHECK_NUMBER(truncate(path, (off_t)keep_bytes), 0);
	for (int i = 0; i < 4; i++) {
		made += rooms_fill(journal, made + 1, 300, 150);
		(void)journal_prepare(journal);
		(void)journal_keep(journal);
	}
	CHECK_NUMBER(made, 1300);
	struct rooms_read read = rooms_drain(journal, true);

	CHECK_SAYING(read.count >= 900, "%llu", (unsigned long long)read.count);
	CHECK_NUMBER(read.last, made);
	CHECK_NUMBER(read.count + rooms_stat(journal).damaged, made);
	CHECK_NUMBER(take_gaps(journal), made - read.count);
	CHECK_NUMBER(journal_keep(journal), 0);
	CHECK_NUMBER(rooms_append(journal, made + 1, 150), 0);
	CHECK_NUMBER(rooms_drain(journal, true).count, 1);
	journal_close(journal);
	rooms_done(&rooms);
}

TEST(a_file_of_the_front_that_others_cut_short_costs_its_entries_and_not_the_process)
{
	journal_guard();
	cut_front(0);
	cut_front(4096);
	cut_front(10000);
}

TEST(a_sigbus_of_anything_else_ends_the_process)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		char name[] = "/tmp/smtptrail-bus.XXXXXX";
		int fd = mkstemp(name);
		volatile char *bytes = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		(void)unlink(name);
		(void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		journal_guard();
		bytes[0] = 'x';
		_exit(0);
	}
	CHECK_NUMBER(waitpid(child, &status, 0), child);
	CHECK_SAYING(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS, "status %x", (unsigned)status);
}

TEST(a_spool_that_is_taken_away_costs_no_entry_of_the_front)
{
	struct rooms rooms;

	rooms_init(&rooms);
	struct journal *journal = rooms_open(&rooms);
	uint64_t made = 0;

	rooms_empty(rooms.spool);
	CHECK_NUMBER(rmdir(rooms.spool), 0);
	for (int i = 0; i < 4; i++) {
		made += rooms_fill(journal, made + 1, 500, 150);
		CHECK_NUMBER(journal_prepare(journal), 0);
		CHECK_NUMBER(journal_keep(journal), -ENOENT);
	}
	CHECK_NUMBER(made, 2000);
	CHECK_NUMBER(rooms_stat(journal).keep_error, ENOENT);
	struct rooms_read read = rooms_drain(journal, true);

	CHECK_NUMBER(read.count, made);
	CHECK_NUMBER(read.holes, 0);
	CHECK_NUMBER(rooms_stat(journal).damaged, 0);
	journal_close(journal);
	rooms_done(&rooms);
}

TEST(a_spool_that_is_deleted_is_noticed_by_the_next_copy_and_not_by_the_next_segment)
{
	struct rooms rooms;

	rooms_init(&rooms);
	struct journal *journal = rooms_open(&rooms);

	(void)rooms_fill(journal, 1, 10, 150);
	CHECK_NUMBER(journal_keep(journal), 0);
	uint64_t synced_seq = rooms_stat(journal).synced_seq;

	rooms_empty(rooms.spool);
	CHECK_NUMBER(rmdir(rooms.spool), 0);
	(void)rooms_fill(journal, 11, 10, 150);
	CHECK_NUMBER(journal_keep(journal), -ENOENT);
	CHECK_NUMBER(rooms_stat(journal).keep_error, ENOENT);
	CHECK_NUMBER(rooms_stat(journal).synced_seq, synced_seq);
	CHECK_NUMBER(rooms_drain(journal, true).count, 20);
	journal_close(journal);
	rooms_done(&rooms);
}

TEST(a_spool_that_cannot_be_written_stops_no_recording_while_redis_takes_the_records)
{
	struct rooms rooms;

	rooms_init(&rooms);
	rooms.options.keep_us = 3600000000;
	rooms.options.keep_bytes = UINT64_C(1) << 30;
	struct journal *journal = rooms_open(&rooms);
	uint64_t made = 0;

	/* What the spool has by now is shipped, and kept. */
	for (int i = 0; i < 20; i++) {
		if (i == 5) {
			rooms_empty(rooms.spool);
			CHECK_NUMBER(rmdir(rooms.spool), 0);
		}
		made += rooms_fill(journal, made + 1, 700, 150);
		struct rooms_read read = rooms_drain(journal, true);

		CHECK_NUMBER(read.last, made);
		CHECK_NUMBER(journal_keep(journal), i < 5 ? 0 : -ENOENT);
		CHECK_NUMBER(journal_prepare(journal), 0);
	}
	CHECK_NUMBER(made, 20 * 700);
	CHECK_NUMBER(rooms_stat(journal).refused, 0);
	CHECK_NUMBER(rooms_stat(journal).damaged, 0);
	journal_close(journal);
	rooms_done(&rooms);
}

TEST(a_scan_beside_a_running_milter_takes_nothing_for_missing)
{
	struct rooms rooms;
	struct journal_scan *scan = NULL;
	struct journal_scan_entry entry;
	struct journal_scan_total total;
	struct problem problem = { "" };

	rooms_init(&rooms);
	struct journal *journal = rooms_open(&rooms);
	uint64_t number = 1 + rooms_fill(journal, 1, 10, 150), scanned = 0, strange = 0;

	CHECK_NUMBER(journal_scan_open(&scan, rooms.front, &problem), 0);
	for (; scanned < 10; scanned++)
		CHECK_NUMBER(journal_scan_next(scan, &entry), 1);
	/* It stands at what was the end; now that is in the midst of the first of two files. */
	number += rooms_fill(journal, number, 1000, 150);
	for (; journal_scan_next(scan, &entry) == 1; scanned++)
		strange += rooms_number(entry.payload) != scanned + 1;
	journal_scan_total(scan, &total);
	CHECK_NUMBER(strange, 0);
	CHECK_NUMBER(total.files, 2);
	CHECK_NUMBER(scanned, number - 1);
	CHECK_NUMBER(total.missing, 0);
	CHECK_NUMBER(total.torn_tails, 0);
	journal_scan_close(scan);
	journal_close(journal);
	rooms_done(&rooms);
}

TEST(a_scan_reads_past_damage_and_a_damaged_head_and_says_so)
{
	struct rooms rooms;
	struct journal_scan *scan = NULL;
	struct journal_scan_entry entry;
	struct journal_scan_total total;
	struct problem problem = { "" };
	char path[1024];

	rooms_init(&rooms);
	struct journal *journal = rooms_open(&rooms);

	(void)rooms_fill(journal, 1, 1500, 150);
	(void)journal_keep(journal);
	/* A running journal can be read too. */
	CHECK_NUMBER(journal_scan_open(&scan, rooms.spool, &problem), 0);
	uint64_t count = 0;

	while (journal_scan_next(scan, &entry) == 1)
		CHECK_NUMBER(rooms_number(entry.payload), ++count);
	journal_scan_total(scan, &total);
	CHECK_NUMBER(count, 1500);
	CHECK_NUMBER(total.damaged_files + total.missing + total.torn_tails, 0);
	journal_scan_close(scan);
	journal_close(journal);

	segment_path(rooms.spool, 1, path);
	int fd = open(path, O_WRONLY);

	CHECK_NUMBER(pwrite(fd, "\xff\xff", 2, 60), 2);				/* the producer in the head */
	CHECK_NUMBER(pwrite(fd, "\xff\xff", 2, SEGMENT_HEAD_SIZE + 5 * 168 + 30), 2);	/* the sixth entry */
	close(fd);
	CHECK_NUMBER(journal_scan_open(&scan, rooms.spool, &problem), 0);
	count = 0;
	while (journal_scan_next(scan, &entry) == 1)
		count++;
	journal_scan_total(scan, &total);
	CHECK_NUMBER(count, 1499);
	CHECK_NUMBER(total.missing, 1);
	CHECK_NUMBER(total.damaged_files, 1);
	CHECK(journal_scan_file(scan, 0)->is_damaged);
	CHECK(!journal_scan_file(scan, 1)->is_damaged);
	journal_scan_close(scan);
	CHECK_NUMBER(journal_scan_open(&scan, "/nonexistent", &problem), -ENOENT);
	CHECK(strstr(problem.text, "/nonexistent") != NULL);
	rooms_done(&rooms);
}

static void *append_later(void *journal)
{
	(void)usleep(30000);
	(void)rooms_append(journal, 1, 20);
	return NULL;
}

TEST(a_sleeping_reader_is_woken_by_an_append_and_by_the_end)
{
	struct rooms rooms;
	struct timespec begin, end;
	pthread_t thread;

	rooms_init(&rooms);
	struct journal *journal = rooms_open(&rooms);

	(void)clock_gettime(CLOCK_MONOTONIC, &begin);
	CHECK_NUMBER(pthread_create(&thread, NULL, append_later, journal), 0);
	journal_wait_read(journal, 20000);
	(void)pthread_join(thread, NULL);
	CHECK_NUMBER(rooms_drain(journal, true).count, 1);
	journal_wake(journal);
	journal_wait_read(journal, 20000);
	journal_wait_keep(journal, 20000);
	journal_wait_prepare(journal, 20000);
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	CHECK(end.tv_sec - begin.tv_sec < 10);
	journal_close(journal);
	rooms_done(&rooms);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(checksums_by_instruction_and_by_table_are_the_published_ones),
		UNIT_TEST(entries_are_read_in_the_order_of_appending),
		UNIT_TEST(an_entry_has_its_limits),
		UNIT_TEST(segments_roll_into_spares_and_leave_the_front_once_they_are_in_the_spool),
		UNIT_TEST(more_spares_are_made_once_records_came_faster_than_they_were),
		UNIT_TEST(without_a_keeper_a_full_front_refuses_and_counts),
		UNIT_TEST(a_full_spool_fills_the_front_and_both_go_on_once_redis_took_something),
		UNIT_TEST(while_the_spool_refuses_shipped_entries_make_room_in_the_front),
		UNIT_TEST(a_gap_comes_back_when_its_record_could_not_be_made_and_does_not_grow_by_it),
		UNIT_TEST(what_was_refused_is_known_after_a_restart),
		UNIT_TEST(a_restart_goes_on_in_the_next_epoch_and_keeps_what_was_not_shipped),
		UNIT_TEST(a_sigkill_loses_no_confirmed_entry_and_doubles_none),
		UNIT_TEST(a_reboot_empties_the_front_and_the_spool_is_enough),
		UNIT_TEST(a_second_process_is_refused_and_told_who_holds_the_journal),
		UNIT_TEST(a_directory_that_others_may_write_is_refused),
		UNIT_TEST(a_directory_of_another_user_is_refused),
		UNIT_TEST(a_lost_moved_or_copied_identity_makes_a_new_producer_and_loses_no_entry),
		UNIT_TEST(an_inherited_identity_whose_holder_went_on_is_not_sent_again),
		UNIT_TEST(an_inherited_identity_in_other_hands_goes_on_under_a_name_of_its_own),
		UNIT_TEST(a_cursor_is_found_passed_over_or_known_to_be_foreign),
		UNIT_TEST(a_cursor_behind_what_is_kept_leaves_a_gap_of_the_right_size),
		UNIT_TEST(a_gap_is_told_once_however_often_what_follows_it_is_tried),
		UNIT_TEST(a_fenced_producer_goes_on_under_a_new_name_with_all_that_was_not_shipped),
		UNIT_TEST(entries_of_the_epoch_that_another_holder_used_too_are_read_again),
		UNIT_TEST(what_redis_had_of_a_spool_that_was_copied_as_it_ran_is_not_sent_again_under_the_new_name),
		UNIT_TEST(shipped_segments_are_kept_as_long_and_as_many_as_asked),
		UNIT_TEST(a_flipped_byte_anywhere_in_an_entry_costs_that_entry_in_the_front),
		UNIT_TEST(a_flipped_byte_anywhere_in_an_entry_costs_that_entry_in_the_spool),
		UNIT_TEST(a_file_cut_anywhere_keeps_the_entries_before_the_cut),
		UNIT_TEST(an_append_that_was_killed_before_its_length_is_no_entry_and_no_damage),
		UNIT_TEST(bytes_that_a_client_had_recorded_never_pass_for_an_entry),
		UNIT_TEST(an_unreadable_file_is_set_aside_and_the_others_are_read),
		UNIT_TEST(a_damaged_head_is_told_again_where_a_checksum_proves_it),
		UNIT_TEST(a_segment_that_is_deleted_under_a_running_journal_is_counted_as_a_gap),
		UNIT_TEST(a_file_of_the_front_that_others_cut_short_costs_its_entries_and_not_the_process),
		UNIT_TEST(a_sigbus_of_anything_else_ends_the_process),
		UNIT_TEST(a_spool_that_is_taken_away_costs_no_entry_of_the_front),
		UNIT_TEST(a_spool_that_is_deleted_is_noticed_by_the_next_copy_and_not_by_the_next_segment),
		UNIT_TEST(a_spool_that_cannot_be_written_stops_no_recording_while_redis_takes_the_records),
		UNIT_TEST(a_scan_beside_a_running_milter_takes_nothing_for_missing),
		UNIT_TEST(a_scan_reads_past_damage_and_a_damaged_head_and_says_so),
		UNIT_TEST(a_sleeping_reader_is_woken_by_an_append_and_by_the_end),
		{ NULL, NULL },
	};
	return unit_run(tests, argc, argv);
}
