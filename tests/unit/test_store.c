/* test_store.c - transactions go into the store and come back as they were, whatever bytes they hold. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/key_set.h"
#include "analysis/report.h"
#include "analysis/rows.h"
#include "analysis/store.h"
#include "analysis/store_image.h"
#include "analysis/store_dictionary.h"
#include "analysis/store_evidence.h"
#include "analysis/store_rollup.h"
#include "analysis/store_rows.h"
#include "tests/unit/unit.h"

static char directory[] = "/tmp/test_store.XXXXXX";
static struct source_table *sources;
static struct pool *pool;

static const char *path_of(const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof path, "%s/%s", directory, name);
	return path;
}

static struct store_rows *open_rows(const char *name)
{
	struct problem problem = { "" };
	struct store_rows *rows = NULL;

	CHECK_SAYING(store_rows_open(&rows, path_of(name), DATABASE_CREATE, sources, NULL, &problem) == 0, "%s", problem.text);
	return rows;
}

static long long number(struct store_rows *rows, const char *sql)
{
	struct problem problem = { "" };
	int64_t result = -1;

	CHECK_SAYING(database_number(store_rows_database(rows), sql, &result, &problem) == 0, "%s: %s", sql, problem.text);
	return result;
}

/* Texts as nobody wants them. */
static struct text hostile(unsigned i)
{
	static char long_text[FACT_TEXT_MAX + 1];
	static const struct text texts[] = {
		{ "a\0b", 3 }, { "\0", 1 }, { "\xff\xfe\xc0\x80", 4 }, { "'; DROP TABLE message; --", 25 }, { "\"]`[", 4 }, { "", 0 },
		{ "0123", 4 }, { "1e9", 3 }, { "NULL", 4 }, { "%n%s", 4 }, { "\xed\xa0\x80", 3 }, { "\xf0\x9f\x93\xac", 4 }, { "\n\r\t\x1b[2J", 7 },
		{ "x'00'", 5 }, { "-1", 2 }, { long_text, sizeof long_text },
	};

	memset(long_text, 'x', sizeof long_text);
	return texts[i % (sizeof texts / sizeof texts[0])];
}

/* Every fact of a level, each with other bytes and other evidence. */
static void fill(struct facts *facts, enum fact_level level, unsigned seed)
{
	static const uint64_t numbers[] = { 0, 1, 255, 256, 65536, UINT32_MAX, INT64_MAX, UINT64_MAX };

	for (int fact = (int)fact_first(level); fact < FACT_COUNT && fact_table[fact].level == level; fact++) {
		unsigned turn = seed + (unsigned)fact * 7;
		struct evidence evidence = {
			.source = source_number(sources, turn % 3 ? SOURCE_FILE : SOURCE_STREAM, turn % 2 ? TEXT_LITERAL("/var/log/mail.log") : TEXT_LITERAL("other")),
			.key = (uint8_t)(turn % JOIN_COUNT), .is_unsure = turn % 5 == 0, .minor = turn % 4 ? 0 : UINT32_MAX - turn,
			.major = numbers[turn % 8] - (turn % 8 > 2 ? turn : 0),
		};

		facts_rest_on(facts, pool, &evidence);
		if (fact_is_text((enum fact)fact))
			facts_set_text(facts, pool, (enum fact)fact, hostile(turn));
		else
			facts_set_number(facts, pool, (enum fact)fact, numbers[turn % 8]);
	}
}

static void check_same_facts(const struct facts *got, const struct facts *wanted, enum fact_level level)
{
	CHECK_NUMBER(got->is_cut, wanted->is_cut);
	for (int fact = (int)fact_first(level); fact < FACT_COUNT && fact_table[fact].level == level; fact++) {
		struct fact_value a, b;
		bool has_a = facts_find(got, (enum fact)fact, &a), has_b = facts_find(wanted, (enum fact)fact, &b);

		CHECK_SAYING(has_a == has_b, "%s of %s", fact_table[fact].name, fact_level_name(level));
		if (!has_a || !has_b)
			continue;
		CHECK_SAYING(text_equal(a.text, b.text) && a.number == b.number && a.is_cut == b.is_cut, "%s of %s", fact_table[fact].name, fact_level_name(level));
		CHECK_SAYING(a.evidence.source == b.evidence.source && a.evidence.key == b.evidence.key && a.evidence.is_unsure == b.evidence.is_unsure &&
			     a.evidence.minor == b.evidence.minor && a.evidence.major == b.evidence.major, "evidence of %s of %s", fact_table[fact].name, fact_level_name(level));
	}
}

enum { RECIPIENTS = 3 };

static struct message message;
static struct recipient recipients[RECIPIENTS];
static struct check checks[2];
static struct session session;

static void make_message(unsigned seed)
{
	session = (struct session){ .key = 1000 + seed, .start_us = 1793491205497260, .end_us = seed % 2 ? 0 : 1793491205497261 };
	fill(&session.facts, LEVEL_SESSION, seed);
	message = (struct message){
		.key = 2000 + seed, .session_key = seed % 3 ? session.key : 0, .parent_key = seed % 2 ? 77 : 0,
		.parent_kind = seed % 2 ? PARENT_HOP + seed % 4 : PARENT_NONE, .start_us = 1, .last_us = UINT64_MAX / 2,
		.is_complete = seed % 2, .recipient_count = RECIPIENTS, .recipients = recipients, .checks = checks,
	};
	fill(&message.facts, LEVEL_MESSAGE, seed);
	for (unsigned i = 0; i < RECIPIENTS; i++) {
		recipients[i] = (struct recipient){
			.next = i + 1 < RECIPIENTS ? &recipients[i + 1] : NULL, .number = i + 1, .first_us = seed, .last_us = seed + i,
			.has_changed = true, .attempts = i, .fate = (uint8_t)((seed + i) % FATE_COUNT), .is_hop = i % 2, .next_key = i ? 99 : 0,
		};
		fill(&recipients[i].facts, LEVEL_RECIPIENT, seed + i);
	}
	for (unsigned i = 0; i < 2; i++) {
		checks[i] = (struct check){ .next = i ? NULL : &checks[1], .time_us = seed + i };
		fill(&checks[i].facts, LEVEL_CHECK, seed + i);
	}
}

static void check_message(struct store_rows *rows)
{
	struct message got;
	struct recipient *recipient;
	struct check *check;
	unsigned i = 0;

	CHECK_NUMBER(store_get_message(rows, message.key, false, pool, &got), 1);
	CHECK(got.key == message.key && got.session_key == message.session_key && got.parent_key == message.parent_key);
	CHECK(got.parent_kind == message.parent_kind && got.start_us == message.start_us && got.last_us == message.last_us);
	CHECK(got.is_complete == message.is_complete && got.recipient_count == RECIPIENTS);
	check_same_facts(&got.facts, &message.facts, LEVEL_MESSAGE);
	for (recipient = got.recipients; recipient && i < RECIPIENTS; recipient = recipient->next, i++) {
		const struct recipient *wanted = &recipients[i];

		CHECK(recipient->number == wanted->number && recipient->first_us == wanted->first_us && recipient->last_us == wanted->last_us);
		CHECK(recipient->attempts == wanted->attempts && recipient->fate == wanted->fate && recipient->is_hop == wanted->is_hop);
		CHECK(recipient->next_key == wanted->next_key);
		check_same_facts(&recipient->facts, &wanted->facts, LEVEL_RECIPIENT);
	}
	CHECK(i == RECIPIENTS && !recipient);
	for (i = 0, check = got.checks; check && i < 2; check = check->next, i++) {
		CHECK_NUMBER(check->time_us, checks[i].time_us);
		check_same_facts(&check->facts, &checks[i].facts, LEVEL_CHECK);
	}
	CHECK(i == 2 && !check);
}

TEST(every_value_comes_back_as_it_was_put)
{
	struct store_rows *rows = open_rows("values.db");

	for (unsigned seed = 0; seed < 17; seed++) {
		struct session got;

		make_message(seed);
		CHECK_NUMBER(store_put_session(rows, &session), 0);
		CHECK_NUMBER(store_put_message(rows, &message), 0);
		CHECK_NUMBER(store_get_session(rows, session.key, pool, &got), 1);
		CHECK(got.key == session.key && got.start_us == session.start_us && got.end_us == session.end_us);
		check_same_facts(&got.facts, &session.facts, LEVEL_SESSION);
		check_message(rows);
	}
	CHECK_NUMBER(number(rows, "SELECT count(*) FROM message"), 17);
	store_rows_close(rows);
	rows = open_rows("values.db");
	check_message(rows);
	store_rows_close(rows);
}

static int check_attempt(void *context, const struct attempt_name *name, const struct attempt *attempt)
{
	unsigned *count = context;
	struct attempt wanted = { .time_us = *count };

	fill(&wanted.facts, LEVEL_ATTEMPT, *count);
	CHECK(name->message_key == 7 && name->recipient == *count / 3 + 1 && name->number == *count % 3 + 1);
	CHECK_NUMBER(attempt->time_us, wanted.time_us);
	check_same_facts(&attempt->facts, &wanted.facts, LEVEL_ATTEMPT);
	(*count)++;
	return 0;
}

TEST(attempts_and_logins_come_back_too)
{
	struct store_rows *rows = open_rows("attempts.db");
	struct login login = { .time_us = 1793491205497260, .end_us = 5, .session_key = 8 }, got;
	unsigned count = 0;

	for (unsigned i = 9; i-- > 0;) {
		struct attempt_name name = { 7, i / 3 + 1, i % 3 + 1 };
		struct attempt attempt = { .time_us = i };

		fill(&attempt.facts, LEVEL_ATTEMPT, i);
		CHECK_NUMBER(store_put_attempt(rows, &name, &attempt), 0);
		CHECK_NUMBER(store_put_attempt(rows, &name, &attempt), 0);
	}
	CHECK_NUMBER(store_each_attempt(rows, 7, pool, check_attempt, &count), 0);
	CHECK_NUMBER(count, 9);
	fill(&login.facts, LEVEL_LOGIN, 3);
	CHECK_NUMBER(store_put_login(rows, &login), 0);
	CHECK_NUMBER(store_get_login(rows, login_key(&login), pool, &got), 1);
	CHECK(got.time_us == login.time_us && got.end_us == 5 && got.session_key == 8);
	check_same_facts(&got.facts, &login.facts, LEVEL_LOGIN);
	store_rows_close(rows);
}

TEST(a_walk_gives_what_is_got_key_by_key)
{
	struct store_rows *rows = open_rows("walk.db");
	struct problem problem = { "" };
	struct message walked;
	struct session found;
	unsigned count = 0;

	for (unsigned seed = 0; seed < 40; seed++) {
		make_message(seed);
		CHECK_NUMBER(store_put_session(rows, &session), 0);
		CHECK_NUMBER(store_put_message(rows, &message), 0);
		for (unsigned i = 0; i < seed % 4; i++) {
			struct attempt attempt = { .time_us = seed + i };

			fill(&attempt.facts, LEVEL_ATTEMPT, seed + i);
			CHECK_NUMBER(store_put_attempt(rows, &(struct attempt_name){ message.key, 2, i + 1 }, &attempt), 0);
		}
		/* Of a message that is not there. */
		CHECK_NUMBER(store_put_attempt(rows, &(struct attempt_name){ 3000 + seed, 1, 1 }, &(struct attempt){ .time_us = 1 }), 0);
	}
	CHECK_NUMBER(number(rows, "SELECT count(*) FROM message WHERE key BETWEEN 2003 AND 2037"), 35);
	CHECK_NUMBER(database_run(store_rows_database(rows), "DELETE FROM message WHERE key = 2005", &problem), 0);
	store_rows_expect_all(rows);
	CHECK_SAYING(store_walk_start(rows, LEVEL_MESSAGE, 2003, 2037, &problem) == 0, "%s", problem.text);
	for (unsigned seed = 3; store_walk_message(rows, true, pool, &walked) > 0; seed++, count++) {
		struct message got;
		const struct recipient *a = walked.recipients;
		unsigned tries = 0;

		seed += seed == 5;
		make_message(seed);
		check_message(rows);
		CHECK_NUMBER(walked.key, message.key);
		check_same_facts(&walked.facts, &message.facts, LEVEL_MESSAGE);
		CHECK_NUMBER(walked.recipient_count, RECIPIENTS);
		CHECK_NUMBER(store_get_message(rows, walked.key, true, pool, &got), 1);
		for (const struct recipient *b = got.recipients; a && b; a = a->next, b = b->next) {
			const struct attempt *mine = a->tries;

			check_same_facts(&a->facts, &b->facts, LEVEL_RECIPIENT);
			for (const struct attempt *other = b->tries; mine && other; mine = mine->next, other = other->next, tries++)
				check_same_facts(&mine->facts, &other->facts, LEVEL_ATTEMPT);
			CHECK(!mine);
		}
		CHECK(!a);
		CHECK_NUMBER(tries, seed % 4);
		CHECK(walked.checks && walked.checks->next && !walked.checks->next->next);
		check_same_facts(&walked.checks->facts, &checks[0].facts, LEVEL_CHECK);
	}
	CHECK_NUMBER(count, 34);
	store_walk_end(rows);
	CHECK_NUMBER(store_walk_start(rows, LEVEL_SESSION, 0, INT64_MAX, &problem), 0);
	for (count = 0; store_walk_session(rows, pool, &found) > 0; count++) {
		make_message(count);
		CHECK_NUMBER(found.key, session.key);
		check_same_facts(&found.facts, &session.facts, LEVEL_SESSION);
	}
	CHECK_NUMBER(count, 40);
	store_walk_end(rows);
	store_rows_close(rows);
}

/* ---- the directory ---- */

static struct store *open_store_as(const char *name, bool is_bulk)
{
	const struct store_options options = { .directory = path_of(name), .sources = sources, .is_bulk = is_bulk };
	struct problem problem = { "" };
	struct store *store = NULL;

	CHECK_SAYING(store_open(&store, &options, &problem) == 0, "%s", problem.text);
	return store;
}

static struct store *open_store(const char *name)
{
	return open_store_as(name, false);
}

/* What opening it says; empty: it can be opened. */
static const char *refusal(const char *name, int *ret_error)
{
	static struct problem problem;
	const struct store_options options = { .directory = path_of(name), .sources = sources };
	struct store *store = NULL;

	problem.text[0] = '\0';
	*ret_error = store_open(&store, &options, &problem);
	store_close(store);
	return problem.text;
}

static void commit(struct store *store)
{
	struct problem problem = { "" };

	CHECK_SAYING(store_commit(store, &problem) == 0, "%s", problem.text);
}

static const uint64_t first_day_us = 1793491205497260;		/* 2026-11-01 */

/* Session and message of a seed, a day apart for each; ended or under way. */
static void give(struct store *store, unsigned seed, bool has_ended)
{
	struct correlate_sink sink;
	struct attempt attempt = { .time_us = seed };

	make_message(seed);
	session.key = transaction_key_of(first_day_us + seed * 86400000000, NULL, 0);
	message.key = session.key + 2;
	message.session_key = session.key;
	if (has_ended)
		store_ended_sink(store, &sink);
	else
		store_changed_sink(store, &sink);
	fill(&attempt.facts, LEVEL_ATTEMPT, seed);
	if (sink.attempt)
		sink.attempt(sink.context, &message, &recipients[1], &attempt);
	sink.message(sink.context, &message);
	sink.session(sink.context, &session);
	if (!has_ended)
		CHECK_NUMBER(store_keep_state(store, true, session.key, TEXT_LITERAL("of the session"), NULL), 0);
}

static unsigned restored_sessions, restored_messages;

static void note_session(void *context, const struct session *restored, struct text state)
{
	(void)context;
	CHECK_TEXT(state, "of the session");
	restored_sessions++;
	CHECK_NUMBER(restored->key, session.key);
	check_same_facts(&restored->facts, &session.facts, LEVEL_SESSION);
}

static void note_message(void *context, const struct message *restored, struct text state)
{
	(void)context;
	CHECK(!state.start);
	restored_messages++;
	CHECK_NUMBER(restored->key, message.key);
	CHECK_NUMBER(restored->recipient_count, RECIPIENTS);
	check_same_facts(&restored->facts, &message.facts, LEVEL_MESSAGE);
}

static void check_restored(struct store *store, unsigned wanted)
{
	const struct store_restorer restorer = { .session = note_session, .message = note_message };
	struct problem problem = { "" };

	restored_sessions = restored_messages = 0;
	CHECK_SAYING(store_restore(store, &restorer, &problem) == 0, "%s", problem.text);
	CHECK_NUMBER(restored_sessions, wanted);
	CHECK_NUMBER(restored_messages, wanted);
}

TEST(what_is_under_way_comes_back_and_what_has_ended_does_not)
{
	struct store *store = open_store("under_way");
	struct store_counts counts;

	give(store, 1, true);
	give(store, 2, false);
	commit(store);
	store_counts(store, &counts);
	CHECK_NUMBER(counts.open, 2);
	CHECK_NUMBER(counts.attempts, 1);
	store_close(store);
	store = open_store("under_way");
	check_restored(store, 1);
	give(store, 2, true);
	commit(store);
	store_close(store);
	store = open_store("under_way");
	check_restored(store, 0);
	store_close(store);
}

TEST(what_was_not_committed_was_never_there)
{
	struct store *store = open_store("not_committed");

	give(store, 1, false);
	store_close(store);
	CHECK(access(path_of("not_committed/2026-11-02.db"), F_OK) != 0);
	store = open_store("not_committed");
	check_restored(store, 0);
	store_close(store);
}

TEST(a_commit_whose_days_were_not_written_is_made_whole_at_the_next_opening)
{
	struct store *store = open_store("made_whole");
	struct store_rows *rows;

	give(store, 3, false);
	commit(store);
	store_close(store);
	/* As if it had been killed right behind the commit of current.db. */
	CHECK_NUMBER(unlink(path_of("made_whole/2026-11-04.db")), 0);
	store = open_store("made_whole");
	check_restored(store, 1);
	store_close(store);
	rows = open_rows("made_whole/2026-11-04.db");
	check_message(rows);
	store_rows_close(rows);
}

/* More than may be on their way at a time, each for a day of its own. */
enum { BULK_DAYS = 20 };

TEST(a_bulk_of_commits_is_in_its_days_once_it_is_settled)
{
	struct store *store = open_store_as("bulk", true);
	struct store_counts counts;
	struct problem problem;

	for (unsigned day = 0; day < BULK_DAYS; day++) {
		give(store, day, true);
		commit(store);
	}
	CHECK_NUMBER(store_settle(store, &problem), 0);
	store_counts(store, &counts);
	CHECK_NUMBER(counts.messages, BULK_DAYS);
	for (unsigned day = 0; day < BULK_DAYS; day++) {
		char name[32];
		struct store_rows *rows;

		(void)snprintf(name, sizeof name, "bulk/2026-11-%02u.db", day + 1);
		rows = open_rows(name);
		CHECK_NUMBER(number(rows, "SELECT count(*) FROM recipient"), RECIPIENTS);
		store_rows_close(rows);
	}
	store_close(store);
}

TEST(a_day_that_cannot_be_written_is_told_by_a_commit_behind_it)
{
	struct store *store = open_store_as("unwritable", true);
	struct problem problem = { "" };
	int error = 0;

	CHECK_NUMBER(mkdir(path_of("unwritable/2026-11-02.db"), 0750), 0);
	for (unsigned day = 0; day < BULK_DAYS && !error; day++) {
		give(store, day, true);
		error = store_commit(store, &problem);
	}
	if (!error)
		error = store_settle(store, &problem);
	CHECK(error < 0);
	CHECK_SAYING(strstr(problem.text, "2026-11-02.db"), "%s", problem.text);
	store_close(store);
	CHECK_NUMBER(rmdir(path_of("unwritable/2026-11-02.db")), 0);
	store = open_store("unwritable");
	give(store, 0, true);
	commit(store);
	CHECK_NUMBER(access(path_of("unwritable/2026-11-02.db"), F_OK), 0);
	store_close(store);
}

TEST(only_recipients_that_have_changed_are_written_again)
{
	struct store *store = open_store("changed");
	struct store_rows *rows;

	give(store, 0, false);
	commit(store);
	make_message(0);
	session.key = message.session_key = transaction_key_of(first_day_us, NULL, 0);
	message.key = session.key + 2;
	recipients[0].has_changed = recipients[2].has_changed = false;
	recipients[0].attempts = 70;
	recipients[1].attempts = 71;
	struct correlate_sink sink;

	store_changed_sink(store, &sink);
	sink.message(sink.context, &message);
	commit(store);
	store_close(store);
	rows = open_rows("changed/2026-11-01.db");
	CHECK_NUMBER(number(rows, "SELECT count(*) FROM recipient"), RECIPIENTS);
	CHECK_NUMBER(number(rows, "SELECT attempts FROM recipient WHERE number=1"), 0);
	CHECK_NUMBER(number(rows, "SELECT attempts FROM recipient WHERE number=2"), 71);
	store_rows_close(rows);
}

TEST(what_became_part_of_another_leaves_its_attempts_there)
{
	struct store *store = open_store("gone");
	struct correlate_sink sink;
	struct recipient_name from, into;
	struct store_rows *rows;

	store_ended_sink(store, &sink);
	give(store, 1, false);
	from = (struct recipient_name){ message.key, 2 };
	sink.attempt(sink.context, &message, &recipients[1], &(struct attempt){ .time_us = 5 });
	commit(store);
	give(store, 2, true);
	into = (struct recipient_name){ message.key, 3 };
	sink.moved(sink.context, &from, &into);
	sink.gone(sink.context, LEVEL_MESSAGE, from.message_key, into.message_key);
	sink.gone(sink.context, LEVEL_SESSION, from.message_key - 2, session.key);
	commit(store);
	store_close(store);
	rows = open_rows("gone/2026-11-02.db");
	CHECK_NUMBER(number(rows, "SELECT (SELECT count(*) FROM session) + (SELECT count(*) FROM message) + (SELECT count(*) FROM recipient)"
			    " + (SELECT count(*) FROM attempt) + (SELECT count(*) FROM [check])"), 0);
	store_rows_close(rows);
	rows = open_rows("gone/2026-11-03.db");
	CHECK_NUMBER(number(rows, "SELECT at_us FROM attempt WHERE recipient=3 AND number=1"), 5);
	store_rows_close(rows);
	store = open_store("gone");
	check_restored(store, 0);
	store_close(store);
}

TEST(more_days_than_can_be_open_are_written)
{
	struct store *store = open_store("days");
	store_day *days;
	size_t count = 0;

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned seed = 0; seed < STORE_DAYS_OPEN * 2; seed++)
			give(store, seed, true);
		commit(store);
	}
	store_close(store);
	CHECK_NUMBER(store_days_list(path_of("days"), &days, &count, NULL), 0);
	CHECK_NUMBER(count, STORE_DAYS_OPEN * 2);
	CHECK(count && days[0] == store_day_of(first_day_us) + STORE_DAYS_OPEN * 2 - 1 && days[count - 1] == store_day_of(first_day_us));
	free(days);
}

/* ---- what was counted ---- */

static void take_row(void *context, const struct report_row *row)
{
	report_run_add(context, row);
}

static void read_run(struct report_run *run, const char *name)
{
	struct rows rows = {
		.moments = report_run_moments(run), .facts = report_run_facts(run), .run = run, .take = take_row, .context = run,
	};
	struct problem problem = { "" };

	CHECK_SAYING(rows_read_store(&rows, path_of(name), &problem) == 0, "%s", problem.text);
	rows_done(&rows);
}

/* One message to more recipients than a list has keys, and to one of them twice. */
static void give_many(struct store *store)
{
	const unsigned count = TALLY_KEYS_MAX + 5;
	struct recipient *many = calloc(count + 1, sizeof *many);
	struct correlate_sink sink;
	char address[32];

	make_message(0);
	message.key = transaction_key_of(first_day_us, NULL, 0);
	message.start_us = first_day_us;
	message.session_key = 0;
	message.recipients = many;
	message.checks = NULL;
	for (unsigned i = 0; many && i <= count; i++) {
		many[i] = (struct recipient){ .next = i < count ? &many[i + 1] : NULL, .number = i + 1, .has_changed = true, .fate = FATE_DELIVERED };
		(void)snprintf(address, sizeof address, "a%u@example.org", i < count ? i : 1);
		facts_rest_on(&many[i].facts, pool, &(struct evidence){ .source = source_number(sources, SOURCE_FILE, TEXT_LITERAL("log")) });
		facts_set_text(&many[i].facts, pool, FACT_RECIPIENT_TO, text_of(address));
	}
	store_ended_sink(store, &sink);
	sink.message(sink.context, &message);
	free(many);
}

TEST(a_list_of_too_many_keys_is_kept_as_it_was_counted)
{
	const struct report *report = report_by_name("recipients");
	struct report_run *read = report_run_new(&report, 1), *kept = report_run_new(&report, 1);
	struct store *store = open_store("many");
	const struct tally *a, *b;
	struct problem problem = { "" };
	unsigned differences = 0;

	give_many(store);
	commit(store);
	store_close(store);
	read_run(read, "many");
	CHECK_SAYING(store_rollup_make(path_of("many"), store_day_of(first_day_us), &problem) == 0, "%s", problem.text);
	CHECK_NUMBER(store_rollup_add(path_of("many"), store_day_of(first_day_us), kept, &problem), 1);
	a = report_run_tallies(read, 0)[0];
	b = report_run_tallies(kept, 0)[0];
	CHECK_NUMBER(tally_count(a), TALLY_KEYS_MAX + 1);
	CHECK_NUMBER(tally_others(a), 5);
	CHECK_NUMBER(tally_count(b), tally_count(a));
	CHECK_NUMBER(tally_others(b), 5);
	for (size_t i = 0; i < tally_count(a); i++) {
		struct tally_row row = tally_row(a, i);
		uint64_t numbers[TALLY_NUMBERS_MAX] = { 0 };

		differences += !tally_find(b, row.parts, numbers) || memcmp(row.numbers, numbers, sizeof numbers) != 0;
	}
	CHECK_NUMBER(differences, 0);
	report_run_free(read);
	report_run_free(kept);
}

static void note_input(void *context, struct text name, struct text state)
{
	(*(unsigned *)context)++;
	CHECK_TEXT(name, "a'b");
	CHECK_TEXT(state, "inode 5");
}

TEST(positions_of_inputs_are_kept_with_the_commit)
{
	struct store *store = open_store("inputs");
	struct problem problem = { "" };
	unsigned count = 0;

	CHECK_NUMBER(store_set_input(store, "log", TEXT_LITERAL("a'b"), TEXT_LITERAL("inode 4"), &problem), 0);
	CHECK_NUMBER(store_set_input(store, "log", TEXT_LITERAL("a'b"), TEXT_LITERAL("inode 5"), &problem), 0);
	CHECK_NUMBER(store_set_input(store, "other", TEXT_LITERAL("c"), TEXT_LITERAL("x"), &problem), 0);
	commit(store);
	CHECK_NUMBER(store_set_input(store, "log", TEXT_LITERAL("a'b"), TEXT_LITERAL("never"), &problem), 0);
	store_close(store);
	store = open_store("inputs");
	CHECK_NUMBER(store_each_input(store, "log", note_input, &count, &problem), 0);
	CHECK_NUMBER(count, 1);
	store_close(store);
}

/* ---- who may do what ---- */

TEST(a_second_writer_is_refused_and_told_who_writes)
{
	struct store *store = open_store("second");
	char pid[32];
	int error;
	const char *words = refusal("second", &error);

	(void)snprintf(pid, sizeof pid, ": %ld", (long)getpid());
	CHECK_NUMBER(error, -EBUSY);
	CHECK_SAYING(strstr(words, pid), "%s", words);
	store_close(store);
	CHECK_STRING(refusal("second", &error), "");
}

static unsigned mode_of(const char *name)
{
	struct stat info;

	return stat(path_of(name), &info) == 0 ? info.st_mode & 07777 : 0;
}

TEST(files_are_for_their_owner_and_a_group_that_reads)
{
	mode_t before = umask(0);
	struct store *store = open_store("modes");

	give(store, 0, true);
	commit(store);
	CHECK_NUMBER(mode_of("modes"), 0750);
	CHECK_NUMBER(mode_of("modes/current.db"), 0640);
	CHECK_NUMBER(mode_of("modes/current.db-wal"), 0640);
	CHECK_NUMBER(mode_of("modes/2026-11-01.db"), 0640);
	CHECK_NUMBER(mode_of("modes/2026-11-01.db-wal"), 0640);
	CHECK_NUMBER(mode_of("modes/2026-11-01.db-shm"), 0640);
	store_close(store);
	/* One file that can be copied, and be opened by whoever cannot write beside it. */
	CHECK_NUMBER(mode_of("modes/2026-11-01.db-wal"), 0);
	(void)umask(before);
}

TEST(a_directory_that_everyone_may_write_is_refused)
{
	int error;

	CHECK_NUMBER(mkdir(path_of("open"), 0700), 0);
	CHECK_NUMBER(chmod(path_of("open"), 0777), 0);
	CHECK(strstr(refusal("open", &error), "can be written by everyone"));
	CHECK_NUMBER(error, -EPERM);
}

static void write_file(const char *name, const char *bytes, size_t length)
{
	FILE *file = fopen(path_of(name), "w");

	CHECK(file && fwrite(bytes, 1, length, file) == length);
	if (file)
		(void)fclose(file);
}

TEST(files_of_other_programs_are_refused)
{
	static char junk[20000];
	struct database *other;
	struct problem problem = { "" };
	int error;

	memset(junk, 'j', sizeof junk);
	CHECK_NUMBER(mkdir(path_of("foreign"), 0750), 0);
	write_file("foreign/current.db", junk, sizeof junk);
	CHECK(strstr(refusal("foreign", &error), "is damaged, or no database"));
	CHECK_NUMBER(error, -EBADMSG);
	CHECK_NUMBER(unlink(path_of("foreign/current.db")), 0);
	CHECK_NUMBER(database_open(&other, path_of("foreign/current.db"), DATABASE_CREATE, &problem), 0);
	CHECK_NUMBER(database_run(other, "CREATE TABLE meta(name)", &problem), 0);
	database_close(other);
	CHECK(strstr(refusal("foreign", &error), "is no database of smtptrail's store"));
	CHECK_NUMBER(error, -EBADMSG);
}

/* So much that it goes to a file of its own, and is in its day. */
static struct store *store_with_file(const char *name, bool has_ended)
{
	struct store *store = open_store(name);

	while (store_pending(store) <= STORE_IMAGE_CHUNK)
		give(store, 3, has_ended);
	commit(store);
	return store;
}

TEST(a_large_commit_whose_days_were_not_written_is_made_whole_from_its_file)
{
	struct store *store = store_with_file("large", false);
	struct store_rows *rows;

	CHECK_NUMBER(mode_of("large/image-1"), 0640);
	store_close(store);
	CHECK_NUMBER(unlink(path_of("large/2026-11-04.db")), 0);
	store = open_store("large");
	check_restored(store, 1);
	rows = open_rows("large/2026-11-04.db");
	check_message(rows);
	store_rows_close(rows);
	CHECK_NUMBER(access(path_of("large/image-1"), F_OK), 0);
	give(store, 4, false);
	commit(store);
	CHECK(access(path_of("large/image-1"), F_OK) != 0);
	store_close(store);
}

TEST(files_that_no_commit_names_go_at_the_next_opening)
{
	struct store *store = store_with_file("swept", false);
	struct problem problem;

	store_close(store);
	write_file("swept/image-0", "x", 1);
	write_file("swept/image-2", "x", 1);
	write_file("swept/image-2.old", "x", 1);
	store = open_store("swept");
	CHECK(access(path_of("swept/image-0"), F_OK) != 0);
	CHECK_NUMBER(access(path_of("swept/image-1"), F_OK), 0);
	CHECK(access(path_of("swept/image-2"), F_OK) != 0);
	CHECK_NUMBER(access(path_of("swept/image-2.old"), F_OK), 0);
	CHECK_NUMBER(store_finish(store, &problem), 0);
	CHECK(access(path_of("swept/image-1"), F_OK) != 0);
	store_close(store);
}

/* The first word of the first chunk, behind their number and its length. */
static void damage(const char *name)
{
	int fd = open(path_of(name), O_WRONLY);

	CHECK(fd >= 0 && pwrite(fd, "\377\377\377\377\377\377\377\377", 8, 16) == 8);
	if (fd >= 0)
		(void)close(fd);
}

TEST(a_file_of_a_commit_that_is_damaged_or_gone_is_told)
{
	int error;

	store_close(store_with_file("lost", false));
	damage("lost/image-1");
	CHECK(strstr(refusal("lost", &error), "image-1' holds what a commit changed, and it is damaged"));
	CHECK_NUMBER(error, -EBADMSG);
	CHECK_NUMBER(truncate(path_of("lost/image-1"), 100000), 0);
	CHECK(strstr(refusal("lost", &error), "image-1' holds what a commit changed, and it is damaged"));
	CHECK_NUMBER(error, -EBADMSG);
	CHECK_NUMBER(unlink(path_of("lost/image-1")), 0);
	CHECK(strstr(refusal("lost", &error), "image-1': No such file or directory"));
	CHECK_NUMBER(error, -ENOENT);
}

TEST(an_image_that_cannot_be_written_is_told_and_leaves_nothing)
{
	struct store *store = open_store("no_room");
	struct problem problem = { "" };

	while (store_pending(store) <= STORE_IMAGE_CHUNK)
		give(store, 3, false);
	CHECK_NUMBER(mkdir(path_of("no_room/image-1"), 0750), 0);
	CHECK(store_commit(store, &problem) < 0);
	CHECK_SAYING(strstr(problem.text, "no_room/image-1': Is a directory"), "%s", problem.text);
	store_close(store);
	CHECK_NUMBER(rmdir(path_of("no_room/image-1")), 0);
	store = open_store("no_room");
	check_restored(store, 0);
	store_close(store);
}

TEST(half_an_image_is_not_left_where_there_is_no_room_for_all)
{
	struct store *store = open_store("half");
	struct problem problem = { "" };
	struct rlimit usual, small;

	while (store_pending(store) <= STORE_IMAGE_CHUNK)
		give(store, 3, false);
	CHECK_NUMBER(getrlimit(RLIMIT_FSIZE, &usual), 0);
	small = (struct rlimit){ .rlim_cur = STORE_IMAGE_CHUNK / 2, .rlim_max = usual.rlim_max };
	(void)signal(SIGXFSZ, SIG_IGN);
	CHECK_NUMBER(setrlimit(RLIMIT_FSIZE, &small), 0);
	CHECK_NUMBER(store_commit(store, &problem), -EFBIG);
	CHECK_NUMBER(setrlimit(RLIMIT_FSIZE, &usual), 0);
	CHECK_SAYING(strstr(problem.text, "half/image-1': File too large"), "%s", problem.text);
	CHECK(access(path_of("half/image-1"), F_OK) != 0);
	store_close(store);
}

TEST(a_damaged_day_is_not_taken_for_a_damaged_image)
{
	int error;

	store_close(store_with_file("blamed", false));
	write_file("blamed/2026-11-04.db", "no database", 11);
	CHECK(strstr(refusal("blamed", &error), "2026-11-04.db"));
	CHECK_NUMBER(error, -EBADMSG);
}

/* Its commits are not known to be in their days, as behind a kill. */
TEST(a_day_that_is_pruned_does_not_come_back)
{
	const struct store_retention retention = { .keep_us = 1 };
	struct store *store = store_with_file("pruned_for_good", true);
	struct problem problem = { "" };
	unsigned days = 0;

	/* By then current.db knows the day. */
	while (store_pending(store) <= STORE_IMAGE_CHUNK)
		give(store, 3, true);
	commit(store);
	store_close(store);
	CHECK_NUMBER(access(path_of("pruned_for_good/image-2"), F_OK), 0);
	store = open_store("pruned_for_good");
	CHECK_NUMBER(store_prune(store, &retention, first_day_us + UINT64_C(90) * 86400000000, &days, &problem), 0);
	CHECK_NUMBER(days, 1);
	store_close(store);
	CHECK(access(path_of("pruned_for_good/image-2"), F_OK) != 0);
	store = open_store("pruned_for_good");
	CHECK_NUMBER(store_finish(store, &problem), 0);
	store_close(store);
	CHECK(access(path_of("pruned_for_good/2026-11-04.db"), F_OK) != 0);
}

TEST(a_damaged_day_is_told_and_ends_nothing_else)
{
	struct store *store = open_store("damaged");
	const struct store_restorer restorer = { .session = NULL };
	struct problem problem = { "" };
	char path[128];

	give(store, 4, false);
	commit(store);
	store_close(store);
	/* What moving would mend is moved already. */
	store = open_store("damaged");
	give(store, 3, true);
	commit(store);
	store_close(store);
	(void)snprintf(path, sizeof path, "%s", path_of("damaged/2026-11-05.db"));
	CHECK_NUMBER(truncate(path, 40000), 0);
	store = open_store("damaged");
	CHECK(store_restore(store, &restorer, &problem) < 0);
	CHECK_SAYING(strstr(problem.text, "2026-11-05.db"), "%s", problem.text);
	store_close(store);
}

/* ---- versions ---- */

TEST(a_newer_store_is_refused)
{
	struct store_rows *rows = open_rows("newer.db");
	struct problem problem = { "" };
	char sql[64];

	(void)snprintf(sql, sizeof sql, "PRAGMA user_version=%d", STORE_VERSION + 1);
	CHECK_NUMBER(database_run(store_rows_database(rows), sql, &problem), 0);
	store_rows_close(rows);
	CHECK_NUMBER(store_rows_open(&rows, path_of("newer.db"), DATABASE_READ, sources, NULL, &problem), -EPROTONOSUPPORT);
	CHECK_SAYING(strstr(problem.text, "made by a newer smtptrail"), "%s", problem.text);
}

/* What is the same in both. */
static void check_evidence(const struct stored_evidence *evidence)
{
	static const uint64_t majors[] = { 40135, 40137, 40138, 40146 };
	static const unsigned facts[] = { 5, 4, 2, 10 };
	unsigned at = 0;

	CHECK_NUMBER(evidence->piece_count, 4);
	for (unsigned i = 0; i < evidence->piece_count; i++) {
		CHECK_NUMBER(evidence->pieces[i].word, 9);
		CHECK_NUMBER(evidence->pieces[i].source, i == 3 ? 7 : 1);
		CHECK_NUMBER(evidence->pieces[i].major, majors[i]);
		CHECK_NUMBER(evidence->pieces[i].minor, i == 3 ? 2 : 0);
		CHECK_NUMBER(evidence->pieces[i].is_unsure, i == 3);
		for (unsigned j = 0; j < facts[i]; j++)
			CHECK_NUMBER(evidence->facts[at++], i | (i == 1 && j == 0 ? STORE_CUT_FACT : 0));
	}
}

/* Bytes of a session; then the same with less. */
TEST(evidence_that_version_1_wrote_is_read)
{
	static const char older[] = "\x02\x04" "\x12\x01\x8e\xf3\x04\x00" "\x12\x01\x04\x00" "\x12\x01\x02\x00" "\x13\x07\x10\x02"
		"\x00\x83\x01\x82\x02\x80\x03\x88" "\x01\x05";
	static const char newer[] = "\x26" "\x48\x8e\xf3\x04" "\x48\x04" "\x48\x02" "\x4f\x07\x10\x02"
		"\x00\x83\x01\x82\x02\x80\x03\x88" "\x01\x05";
	unsigned char bytes[STORE_EVIDENCE_SIZE];
	struct stored_evidence evidence;

	store_evidence_start(&evidence, 21);
	memset(evidence.facts, 0, sizeof evidence.facts);
	CHECK_NUMBER(store_evidence_decode(&evidence, (struct text){ older, sizeof older - 1 }), 0);
	check_evidence(&evidence);
	CHECK(text_equal((struct text){ (const char *)bytes, store_evidence_encode(&evidence, bytes) }, (struct text){ newer, sizeof newer - 1 }));
	memset(evidence.facts, 0, sizeof evidence.facts);
	CHECK_NUMBER(store_evidence_decode(&evidence, (struct text){ newer, sizeof newer - 1 }), 0);
	check_evidence(&evidence);
	for (size_t length = 0; length < sizeof newer - 1; length++) {
		memset(evidence.facts, 0, sizeof evidence.facts);
		CHECK_NUMBER(store_evidence_decode(&evidence, (struct text){ newer, length }), -EBADMSG);
	}
}

TEST(evidence_of_one_piece_names_no_fact)
{
	static const char wanted[] = "\x0c" "\x10\x14";
	const struct stored_piece piece = { .word = 2, .source = 1, .major = 10 };
	unsigned char bytes[STORE_EVIDENCE_SIZE];
	struct stored_evidence evidence;

	store_evidence_start(&evidence, 3);
	store_evidence_add(&evidence, 0, &piece, false);
	store_evidence_add(&evidence, 2, &piece, false);
	CHECK(text_equal((struct text){ (const char *)bytes, store_evidence_encode(&evidence, bytes) }, (struct text){ wanted, sizeof wanted - 1 }));
	evidence.facts[0] = evidence.facts[2] = 5;
	CHECK_NUMBER(store_evidence_decode(&evidence, (struct text){ wanted, sizeof wanted - 1 }), 0);
	CHECK_NUMBER(evidence.facts[0], 0);
	CHECK_NUMBER(evidence.facts[1], STORE_NO_FACT);
	CHECK_NUMBER(evidence.facts[2], 0);
	CHECK_NUMBER(evidence.pieces[0].major, 10);
}

/* A day as a smtptrail made it that knew fewer facts. */
static void make_older(const char *name)
{
	static const char older[] = "DROP VIEW messages; DROP VIEW sessions; DROP VIEW recipients; DROP VIEW attempts; DROP VIEW checks;"
		"DROP INDEX message_from; ALTER TABLE message DROP COLUMN subject; ALTER TABLE message DROP COLUMN [from];"
		"ALTER TABLE recipient DROP COLUMN rule; UPDATE meta SET value='older' WHERE name='schema';";
	struct store_rows *rows = open_rows(name);
	struct problem problem = { "" };

	CHECK_NUMBER(store_schema_index(store_rows_database(rows), &problem), 0);
	make_message(5);
	facts_unset(&message.facts, FACT_MESSAGE_SUBJECT);
	facts_unset(&message.facts, FACT_MESSAGE_FROM);
	for (unsigned i = 0; i < RECIPIENTS; i++)
		facts_unset(&recipients[i].facts, FACT_RECIPIENT_RULE);
	CHECK_NUMBER(store_put_message(rows, &message), 0);
	CHECK_SAYING(database_run(store_rows_database(rows), older, &problem) == 0, "%s", problem.text);
	store_rows_close(rows);
}

TEST(an_older_day_is_read_as_it_is)
{
	struct store_rows *rows = NULL;
	struct problem problem = { "" };

	make_older("older.db");
	CHECK_SAYING(store_rows_open(&rows, path_of("older.db"), DATABASE_READ, sources, NULL, &problem) == 0, "%s", problem.text);
	check_message(rows);
	store_rows_close(rows);
}

TEST(an_older_day_is_upgraded_where_it_is_written)
{
	struct store_rows *rows;

	make_older("upgraded.db");
	rows = open_rows("upgraded.db");
	check_message(rows);
	make_message(6);
	CHECK_NUMBER(store_put_message(rows, &message), 0);
	check_message(rows);
	CHECK_NUMBER(number(rows, "SELECT count(subject) FROM messages"), 1);
	CHECK_NUMBER(number(rows, "SELECT count([from]) FROM messages"), 1);
	store_rows_close(rows);
}

/* ---- parts ---- */

TEST(views_show_texts_times_and_seconds)
{
	struct store_rows *rows = open_rows("views.db");
	struct evidence evidence = { .source = 0 };
	struct attempt attempt = { .time_us = first_day_us };
	struct attempt_name name = { 2007, 1, 1 };

	make_message(7);
	facts_rest_on(&message.facts, pool, &evidence);
	facts_set_text(&message.facts, pool, FACT_MESSAGE_FROM, TEXT_LITERAL("ann@example.com"));
	facts_rest_on(&session.facts, pool, &evidence);
	facts_set_text(&session.facts, pool, FACT_SESSION_CLIENT_ADDR, TEXT_LITERAL("192.0.2.1"));
	message.start_us = first_day_us;
	facts_rest_on(&attempt.facts, pool, &evidence);
	facts_set_number(&attempt.facts, pool, FACT_ATTEMPT_DELAY, 1500000);
	CHECK_NUMBER(store_put_session(rows, &session), 0);
	CHECK_NUMBER(store_put_message(rows, &message), 0);
	CHECK_NUMBER(store_put_attempt(rows, &name, &attempt), 0);
	CHECK_NUMBER(number(rows, "SELECT count(*) FROM messages WHERE [from]='ann@example.com' AND client_addr='192.0.2.1'"
				  " AND start='2026-11-01T00:00:05.497Z'"), 1);
	CHECK_NUMBER(number(rows, "SELECT count(*) FROM attempts WHERE delay=1.5 AND [from]='ann@example.com' AND at>'2026'"), 1);
	CHECK_NUMBER(number(rows, "SELECT count(*) FROM recipients WHERE fate IS NOT NULL AND queue_id IS (SELECT queue_id FROM messages)"), RECIPIENTS);
	store_rows_close(rows);
}

TEST(addresses_of_one_digest_are_told_apart)
{
	enum { COUNT = 200000 };		/* some ten pairs of them share one of 2^31 */
	struct store_rows *rows = open_rows("addresses.db");
	struct store_dictionaries *dictionaries;
	struct problem problem = { "" };
	char text[32];
	uint64_t id;
	struct text back;
	unsigned wrong = 0;

	CHECK_NUMBER(database_begin(store_rows_database(rows), &problem), 0);
	CHECK_NUMBER(store_dictionary_new(&dictionaries, store_rows_database(rows), true), 0);
	for (int i = 0; i < COUNT; i++) {
		(void)snprintf(text, sizeof text, "u%d@example", i);
		wrong += store_dictionary_number(dictionaries, DICTIONARY_ADDRESS, text_of(text), &id) != 0 || !id;
	}
	CHECK_NUMBER(number(rows, "SELECT count(DISTINCT text) FROM address"), COUNT);
	/* Looked up one by one, and then where all were read. */
	for (int i = 0; i < 2 * COUNT; i++) {
		if (i == COUNT)
			store_dictionary_expect_all(dictionaries);
		(void)snprintf(text, sizeof text, "u%d@example", i % COUNT);
		wrong += store_dictionary_number(dictionaries, DICTIONARY_ADDRESS, text_of(text), &id) != 0 ||
			 store_dictionary_text(dictionaries, DICTIONARY_ADDRESS, id, &back) != 0 || !text_is(back, text);
	}
	CHECK_NUMBER(wrong, 0);
	store_dictionary_free(dictionaries);
	store_rows_close(rows);
}

/* Every third again, and some that differ in case only. */
static void number_many(struct store_dictionaries *dictionaries, int from, int to, uint64_t *ret_numbers)
{
	unsigned wrong = 0;
	char text[32];

	for (int i = from; i < to; i++) {
		(void)snprintf(text, sizeof text, i % 7 ? "u%d@example" : "U%d@example", i / 3 * 2);
		wrong += store_dictionary_number(dictionaries, DICTIONARY_ADDRESS, text_of(text), &ret_numbers[i]) != 0;
	}
	CHECK_NUMBER(wrong, 0);
}

TEST(what_is_held_has_the_numbers_that_it_would_have_had_and_is_in_the_table_once_it_is_put)
{
	enum { COUNT = 200000 };
	struct store_rows *rows[2] = { open_rows("at_once.db"), open_rows("held.db") };
	uint64_t *numbers[2] = { calloc(COUNT, sizeof **numbers), calloc(COUNT, sizeof **numbers) };
	struct store_dictionaries *dictionaries;
	struct problem problem = { "" };
	char attach[512];
	struct text back;
	bool holds_all;

	for (int held = 0; held < 2; held++) {
		CHECK_NUMBER(database_begin(store_rows_database(rows[held]), &problem), 0);
		CHECK_NUMBER(store_dictionary_new(&dictionaries, store_rows_database(rows[held]), true), 0);
		if (held)
			CHECK_NUMBER(store_dictionary_hold(dictionaries, &holds_all), 0);
		number_many(dictionaries, 0, COUNT / 2, numbers[held]);
		CHECK_NUMBER(number(rows[held], "SELECT count(*)=0 FROM address"), held);
		CHECK_NUMBER(store_dictionary_text(dictionaries, DICTIONARY_ADDRESS, numbers[held][0], &back), 0);
		CHECK_TEXT(back, "U0@example");
		CHECK_NUMBER(store_dictionary_put(dictionaries), 0);
		CHECK_NUMBER(number(rows[held], "SELECT count(*)=0 FROM address"), 0);
		number_many(dictionaries, COUNT / 2, COUNT, numbers[held]);
		CHECK_NUMBER(store_dictionary_put(dictionaries), 0);
		store_dictionary_free(dictionaries);
	}
	CHECK_NUMBER(memcmp(numbers[0], numbers[1], COUNT * sizeof **numbers), 0);
	CHECK_NUMBER(database_commit(store_rows_database(rows[0]), &problem), 0);
	(void)snprintf(attach, sizeof attach, "COMMIT; ATTACH '%s' AS other", database_path(store_rows_database(rows[0])));
	CHECK_NUMBER(database_run(store_rows_database(rows[1]), attach, &problem), 0);
	CHECK_NUMBER(number(rows[1], "SELECT count(*) FROM (SELECT * FROM main.address EXCEPT SELECT * FROM other.address)"), 0);
	CHECK_NUMBER(number(rows[1], "SELECT (SELECT count(*) FROM main.address) - (SELECT count(*) FROM other.address)"), 0);
	for (int held = 0; held < 2; held++) {
		free(numbers[held]);
		store_rows_close(rows[held]);
	}
}

TEST(what_was_held_and_taken_back_is_asked_for_again)
{
	struct store_rows *rows = open_rows("taken_back.db");
	struct store_dictionaries *dictionaries;
	uint64_t before = 0, after = 0;
	bool holds_all = false;

	CHECK_NUMBER(store_dictionary_new(&dictionaries, store_rows_database(rows), true), 0);
	CHECK_NUMBER(store_dictionary_hold(dictionaries, &holds_all), 0);
	CHECK(holds_all);
	CHECK_NUMBER(store_dictionary_number(dictionaries, DICTIONARY_ADDRESS, text_of("ann@example.com"), &before), 0);
	store_dictionary_forget(dictionaries);
	CHECK_NUMBER(store_dictionary_put(dictionaries), 0);
	CHECK_NUMBER(number(rows, "SELECT count(*) FROM address"), 0);
	CHECK_NUMBER(store_dictionary_number(dictionaries, DICTIONARY_ADDRESS, text_of("ann@example.com"), &after), 0);
	CHECK_NUMBER(after, before);
	CHECK_NUMBER(number(rows, "SELECT count(*) FROM address"), 1);
	/* There is one by now. */
	CHECK_NUMBER(store_dictionary_hold(dictionaries, &holds_all), 0);
	CHECK(!holds_all);
	CHECK_NUMBER(store_dictionary_number(dictionaries, DICTIONARY_ADDRESS, text_of("bob@example.com"), &after), 0);
	CHECK_NUMBER(number(rows, "SELECT count(*) FROM address"), 2);
	store_dictionary_free(dictionaries);
	store_rows_close(rows);
}

/* Rows of all lengths, some longer than what the thread is given at once. */
TEST(what_a_thread_runs_behind_is_all_there_in_its_order_and_before_what_is_asked)
{
	enum { COUNT = 20000, LONG = 400 * 1000 };
	struct store_rows *rows = open_rows("behind.db");
	struct database *database = store_rows_database(rows);
	struct statement *put, *look;
	struct problem problem = { "" };
	char *text = malloc(LONG);
	unsigned missing = 0;

	CHECK(text);
	memset(text, 'x', LONG);
	CHECK_NUMBER(database_run(database, "CREATE TABLE t(number INTEGER PRIMARY KEY, text, bytes BLOB)", &problem), 0);
	CHECK_NUMBER(database_start_behind(database), 0);
	CHECK_NUMBER(statement_new(&put, database, "INSERT INTO t(number, text, bytes) VALUES(?1, ?2, ?3)", &problem), 0);
	CHECK_NUMBER(statement_new(&look, database, "SELECT length(text), bytes FROM t WHERE number=?1", &problem), 0);
	statement_run_behind(put);
	CHECK_NUMBER(database_begin(database, &problem), 0);
	for (uint64_t i = 1; i <= COUNT; i++) {
		size_t length = i % 1000 ? i % 97 : LONG;

		statement_clear(put);
		statement_bind_number(put, 1, i);
		statement_bind_text(put, 2, (struct text){ text, length });
		if (i % 3)
			statement_bind_bytes(put, 3, (struct text){ (const char *)&i, sizeof i });
		missing += statement_run(put) != 0;
		if (i % 500)
			continue;
		/* What was put just now. */
		statement_bind_number(look, 1, i);
		missing += statement_step(look) != 1 || statement_number(look, 0) != length || statement_is_null(look, 1) != (i % 3 == 0);
		statement_reset(look);
	}
	CHECK_NUMBER(missing, 0);
	CHECK_NUMBER(database_commit(database, &problem), 0);
	CHECK_NUMBER(number(rows, "SELECT count(*) FROM t"), COUNT);
	CHECK_NUMBER(number(rows, "SELECT count(*) FROM t WHERE length(text) <> CASE WHEN number % 1000 THEN number % 97 ELSE 400000 END"), 0);
	CHECK_NUMBER(number(rows, "SELECT count(*) FROM t WHERE (bytes IS NULL) <> (number % 3 = 0)"), 0);
	free(text);
	store_rows_close(rows);
}

TEST(what_fails_behind_is_told_by_all_that_follows_until_it_is_taken_back)
{
	struct store_rows *rows = open_rows("failed.db");
	struct database *database = store_rows_database(rows);
	struct statement *put;
	struct problem problem = { "" };
	int64_t count = 0;

	CHECK_NUMBER(database_run(database, "CREATE TABLE t(number INTEGER PRIMARY KEY)", &problem), 0);
	CHECK_NUMBER(database_start_behind(database), 0);
	CHECK_NUMBER(statement_new(&put, database, "INSERT INTO t(number) VALUES(?1)", &problem), 0);
	statement_run_behind(put);
	CHECK_NUMBER(database_begin(database, &problem), 0);
	for (uint64_t i = 0; i < 4; i++) {
		statement_bind_number(put, 1, 1 + i / 2);
		CHECK_NUMBER(statement_run(put), 0);
	}
	CHECK_NUMBER(database_number(database, "SELECT count(*) FROM t", &count, &problem), -EEXIST);
	CHECK(strstr(problem.text, database_path(database)));
	CHECK_NUMBER(database_commit(database, &problem), -EEXIST);
	database_rollback(database);
	CHECK_NUMBER(number(rows, "SELECT count(*) FROM t"), 0);
	CHECK_NUMBER(database_begin(database, &problem), 0);
	statement_bind_number(put, 1, 7);
	CHECK_NUMBER(statement_run(put), 0);
	CHECK_NUMBER(database_commit(database, &problem), 0);
	CHECK_NUMBER(number(rows, "SELECT number FROM t"), 7);
	store_rows_close(rows);
}

TEST(a_set_of_keys_forgets_what_is_removed_and_nothing_else)
{
	struct key_set set = { .slots = NULL };
	unsigned wrong = 0;

	for (uint64_t key = 1; key <= 5000; key++)
		wrong += key_set_add(&set, key * key) != 1 || key_set_add(&set, key * key) != 0;
	for (uint64_t key = 1; key <= 5000; key += 3)
		wrong += !key_set_remove(&set, key * key) || key_set_remove(&set, key * key);
	for (uint64_t key = 1; key <= 5000; key++)
		wrong += key_set_has(&set, key * key) != (key % 3 != 1);
	CHECK_NUMBER(wrong, 0);
	CHECK_NUMBER(set.count, 5000 - 1667);
	key_set_done(&set);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(every_value_comes_back_as_it_was_put),
		UNIT_TEST(attempts_and_logins_come_back_too),
		UNIT_TEST(a_walk_gives_what_is_got_key_by_key),
		UNIT_TEST(what_is_under_way_comes_back_and_what_has_ended_does_not),
		UNIT_TEST(what_was_not_committed_was_never_there),
		UNIT_TEST(a_commit_whose_days_were_not_written_is_made_whole_at_the_next_opening),
		UNIT_TEST(a_large_commit_whose_days_were_not_written_is_made_whole_from_its_file),
		UNIT_TEST(files_that_no_commit_names_go_at_the_next_opening),
		UNIT_TEST(a_file_of_a_commit_that_is_damaged_or_gone_is_told),
		UNIT_TEST(a_bulk_of_commits_is_in_its_days_once_it_is_settled),
		UNIT_TEST(a_day_that_cannot_be_written_is_told_by_a_commit_behind_it),
		UNIT_TEST(an_image_that_cannot_be_written_is_told_and_leaves_nothing),
		UNIT_TEST(half_an_image_is_not_left_where_there_is_no_room_for_all),
		UNIT_TEST(a_damaged_day_is_not_taken_for_a_damaged_image),
		UNIT_TEST(a_day_that_is_pruned_does_not_come_back),
		UNIT_TEST(only_recipients_that_have_changed_are_written_again),
		UNIT_TEST(what_became_part_of_another_leaves_its_attempts_there),
		UNIT_TEST(more_days_than_can_be_open_are_written),
		UNIT_TEST(a_list_of_too_many_keys_is_kept_as_it_was_counted),
		UNIT_TEST(positions_of_inputs_are_kept_with_the_commit),
		UNIT_TEST(a_second_writer_is_refused_and_told_who_writes),
		UNIT_TEST(files_are_for_their_owner_and_a_group_that_reads),
		UNIT_TEST(a_directory_that_everyone_may_write_is_refused),
		UNIT_TEST(files_of_other_programs_are_refused),
		UNIT_TEST(a_damaged_day_is_told_and_ends_nothing_else),
		UNIT_TEST(a_newer_store_is_refused),
		UNIT_TEST(evidence_that_version_1_wrote_is_read),
		UNIT_TEST(evidence_of_one_piece_names_no_fact),
		UNIT_TEST(an_older_day_is_read_as_it_is),
		UNIT_TEST(an_older_day_is_upgraded_where_it_is_written),
		UNIT_TEST(views_show_texts_times_and_seconds),
		UNIT_TEST(addresses_of_one_digest_are_told_apart),
		UNIT_TEST(what_is_held_has_the_numbers_that_it_would_have_had_and_is_in_the_table_once_it_is_put),
		UNIT_TEST(what_was_held_and_taken_back_is_asked_for_again),
		UNIT_TEST(what_a_thread_runs_behind_is_all_there_in_its_order_and_before_what_is_asked),
		UNIT_TEST(what_fails_behind_is_told_by_all_that_follows_until_it_is_taken_back),
		UNIT_TEST(a_set_of_keys_forgets_what_is_removed_and_nothing_else),
		{ NULL, NULL },
	};
	char command[64];
	int status;

	if (!mkdtemp(directory))
		return 1;
	pool = pool_new();
	sources = source_table_new();
	status = unit_run(tests, argc, argv);
	source_table_free(sources);
	pool_free(pool);
	(void)snprintf(command, sizeof command, "rm -rf %s", directory);
	return system(command) == 0 ? status : 1;
}
