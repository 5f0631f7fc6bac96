/*
 * test_stream.c - records in a real Redis: what an entry holds, that a batch goes in once or not at
 * all, and that each refusal of Redis leaves everything as it was until it is mended.
 */
#include "common/stream_trim.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/record.h"
#include "redis_server.h"
#include "tests/unit/pause.h"
#include "tests/unit/unit.h"

#define PRODUCER "0123456789abcdef0123456789abcdef"
#define INCARNATION "fedcba9876543210fedcba9876543210"
#define RECORDS_KEY "{trail:0}:records"
#define CURSOR_KEY "{trail:0}:cursor:" PRODUCER
enum { EPOCH = 7, MANY = 64 };

/* A sender of hand-made batches. */
struct sender {
	struct redis_link *link;
	struct stream_names names;
	struct stream_cursor cursor;
	struct problem problem;
	enum redis_failure failure;
	uint64_t next;			/* counter of the next record */
};

static struct redis_server server;
static struct journal_batch batch;
static struct record record;
static char payloads[MANY][RECORD_SIZE_MAX];

static void batch_begin(void)
{
	batch.origin = (struct journal_origin){ PRODUCER, INCARNATION, "mx1.example.com", "main", 0, EPOCH };
	batch.count = 0;
}

static void batch_add(uint64_t counter, struct text payload)
{
	char *copy = payloads[batch.count];

	memcpy(copy, payload.start, payload.length);
	batch.entries[batch.count++] = (struct journal_entry){
		(uint64_t)EPOCH << JOURNAL_COUNTER_BITS | counter, { copy, payload.length },
	};
}

static struct text record_of(uint64_t number)
{
	record_init(&record, STAGE_CLOSE, 1795248000000000 + number);
	record_set_string(&record, FIELD_SESSION, "s1");
	record_set_number(&record, FIELD_MESSAGES, number);
	return record_finish(&record);
}

static void sender_open(struct sender *sender, const char *address)
{
	struct redis_options options = {
		.address = address, .connect_timeout_us = 1000000, .command_timeout_us = 2000000,
	};

	*sender = (struct sender){ .link = redis_link_new(&options), .next = 1 };
	stream_names(&sender->names, "trail", 0, PRODUCER);
	CHECK_NUMBER(redis_link_open(sender->link, &sender->problem), REDIS_OK);
}

/* Connects again where it must and asks for the cursor. */
static enum redis_failure sender_resume(struct sender *sender)
{
	sender->failure = redis_link_open(sender->link, &sender->problem);
	if (!sender->failure)
		sender->failure = stream_cursor_get(sender->link, &sender->names, &sender->cursor, &sender->problem);
	return sender->failure;
}

static enum stream_outcome send_batch(struct sender *sender)
{
	return stream_append(sender->link, &sender->names, &sender->cursor, &batch, &sender->failure,
			     &sender->problem);
}

static void append_batch(struct sender *sender)
{
	CHECK_NUMBER(send_batch(sender), STREAM_APPENDED);
}

/* Sends the next records behind the cursor it has. */
static enum stream_outcome send_records(struct sender *sender, unsigned count)
{
	batch_begin();
	for (unsigned i = 0; i < count; i++)
		batch_add(sender->next + i, record_of(sender->next + i));
	enum stream_outcome outcome = send_batch(sender);

	if (outcome == STREAM_APPENDED)
		sender->next += count;
	return outcome;
}

static struct text entry_value(const struct redis_reply *fields, const char *name)
{
	for (size_t i = 0; i + 1 < fields->count; i += 2)
		if (text_is(redis_reply_at(fields, i).text, name))
			return redis_reply_at(fields, i + 1).text;
	return TEXT_NONE;
}

/* The stream holds exactly the counters 1 to last, in order. */
static bool holds_each_once(uint64_t last)
{
	struct redis_reply entries = redis_server_ask(&server, "XRANGE " RECORDS_KEY " - +");

	if (entries.count != last)
		return false;
	for (size_t i = 0; i < entries.count; i++) {
		struct redis_reply entry = redis_reply_at(&entries, i), fields = redis_reply_at(&entry, 1);
		char wanted[32];

		(void)snprintf(wanted, sizeof wanted, "%zu", i + 1);
		if (!text_is(entry_value(&fields, "messages"), wanted))
			return false;
	}
	return true;
}

/* The fields of the stream's first entry; until the server is asked again. */
static struct redis_reply first_fields(void)
{
	struct redis_reply entries = redis_server_ask(&server, "XRANGE " RECORDS_KEY " - + COUNT 1");
	struct redis_reply entry = redis_reply_at(&entries, 0);

	return redis_reply_at(&entry, 1);
}

static void empty_server(void)
{
	(void)redis_server_ask(&server, "FLUSHALL");
}

/* An empty server, and a sender connected to it. */
static void sender_begin(struct sender *sender)
{
	empty_server();
	sender_open(sender, server.unix_address);
}

/* A value of each type that is easy to mistake. */
static struct text sample(enum field_type type)
{
	switch (type) {
	case FIELD_TYPE_TEXT: return (struct text){ "a\0b\xff <x>\r\n$3", 12 };
	case FIELD_TYPE_LIST: return TEXT_LITERAL("a, \"b, \\\"c\\\"\"");
	case FIELD_TYPE_NUMBER: return TEXT_LITERAL("18446744073709551615");
	case FIELD_TYPE_TIME: return TEXT_LITERAL("2026-11-21T08:00:00.123456Z");
	case FIELD_TYPE_FLAG: return TEXT_LITERAL("yes");
	}
	return TEXT_NONE;
}

/* What the entry must hold for a field: what the record says, or what the journal knows. */
static struct text wanted_value(const struct field_info *field, const struct stage_info *stage)
{
	switch (field->number) {
	case FIELD_STAGE: return text_of(stage->name);
	case FIELD_TIME: return TEXT_LITERAL("2026-11-21T08:00:00.000042Z");
	case FIELD_HOST: return TEXT_LITERAL("mx1.example.com");
	case FIELD_INSTANCE: return TEXT_LITERAL("main");
	case FIELD_PRODUCER: return TEXT_LITERAL(PRODUCER);
	case FIELD_SEQ: return TEXT_LITERAL("7696581394433");	/* 7 * 2^40 + 1 */
	case FIELD_SCHEMA: return TEXT_LITERAL("1");
	case FIELD_PARTITION: return TEXT_LITERAL("0");
	default: return sample(field->type);
	}
}

TEST(every_field_round_trips_through_redis_at_every_stage_that_carries_it)
{
	struct sender sender;

	sender_begin(&sender);
	for (const struct field_info *field = field_table; field->name; field++)
		for (const struct stage_info *stage = stage_table; stage->name; stage++) {
			if (!field_is_at(field, (enum stage)stage->number))
				continue;
			record_init(&record, (enum stage)stage->number, 1795248000000042);
			CHECK_NUMBER(record_set_from_text(&record, (enum field)field->number, sample(field->type)), 0);
			batch_begin();
			batch_add(1, record_finish(&record));
			sender.cursor.exists = false;
			empty_server();
			append_batch(&sender);
			struct redis_reply fields = first_fields();
			struct text value = entry_value(&fields, field->name);

			CHECK_SAYING(value.start && text_equal(value, wanted_value(field, stage)),
				     "%s at %s came back as \"%.*s\"", field->name, stage->name, TEXT_ARGS(value));
		}
	redis_link_free(sender.link);
}

static void check_names(const char *const *wanted)
{
	struct redis_reply fields = first_fields();

	for (size_t i = 0; i < fields.count || wanted[i / 2]; i += 2) {
		CHECK_SAYING(wanted[i / 2] && i < fields.count, "%zu words", fields.count);
		if (!wanted[i / 2] || i >= fields.count)
			return;
		CHECK_TEXT(redis_reply_at(&fields, i).text, wanted[i / 2]);
	}
}

TEST(the_common_fields_come_first_and_in_their_order)
{
	static const char *const wanted[] = {
		"stage", "time", "host", "instance", "producer", "partition", "seq", "session", "msg", "queue_id",
		"schema", "to", "outcome", NULL,
	};
	struct sender sender;

	empty_server();
	sender_open(&sender, server.tcp_address);
	record_init(&record, STAGE_RCPT, 1);
	record_set_string(&record, FIELD_TO, "a@example.com");
	record_set_string(&record, FIELD_QUEUE_ID, "4Q");
	record_set_number(&record, FIELD_MSG, 1);
	record_set_string(&record, FIELD_OUTCOME, "passed");
	record_set_string(&record, FIELD_SESSION, "s");
	batch_begin();
	batch_add(1, record_finish(&record));
	append_batch(&sender);
	check_names(wanted);
	CHECK_STRING(redis_server_say(&server, "GET " CURSOR_KEY), INCARNATION ":7:1");
	redis_link_free(sender.link);
}

/* Sends these bytes as one entry; the value of a field of what comes out. */
static struct text sent_raw(struct sender *sender, struct text payload, const char *name)
{
	empty_server();
	sender->cursor.exists = false;
	batch_begin();
	batch_add(1, payload);
	append_batch(sender);
	struct redis_reply fields = first_fields();

	return entry_value(&fields, name);
}

TEST(a_field_or_stage_of_a_later_version_is_sent_under_its_number)
{
	static const char bytes[] = "\xc8" "\1\2\3\4\5\6\0\0" "\xff\x7f\3\0" "new" "\x07\0\1\0" "s";
	struct text payload = { bytes, sizeof bytes - 1 };
	struct sender sender;

	sender_open(&sender, server.unix_address);
	CHECK_TEXT(sent_raw(&sender, payload, "stage"), "stage_200");
	CHECK_TEXT(sent_raw(&sender, payload, "field_32767"), "new");
	CHECK_TEXT(sent_raw(&sender, payload, "session"), "s");
	redis_link_free(sender.link);
}

TEST(an_entry_that_is_no_record_becomes_a_gap_under_its_seq)
{
	static char many_fields[RECORD_SIZE_MAX - 4];
	const struct text payloads_of_no_record[] = {
		TEXT_LITERAL(""), TEXT_LITERAL("\x05"), TEXT_LITERAL("\x05\0\0\0\0\0\0\0\0\x50\0\x09\0short"),
		{ many_fields, sizeof many_fields - (sizeof many_fields - 9) % 4 },
	};
	struct sender sender;

	many_fields[0] = STAGE_MAIL;
	sender_open(&sender, server.unix_address);
	for (size_t i = 0; i < sizeof payloads_of_no_record / sizeof payloads_of_no_record[0]; i++) {
		CHECK_TEXT(sent_raw(&sender, payloads_of_no_record[i], "stage"), "gap");
		CHECK_TEXT(sent_raw(&sender, payloads_of_no_record[i], "reason"), "damaged");
		CHECK_TEXT(sent_raw(&sender, payloads_of_no_record[i], "count"), "1");
		CHECK_TEXT(sent_raw(&sender, payloads_of_no_record[i], "seq"), "7696581394433");
	}
	redis_link_free(sender.link);
}

TEST(a_batch_of_the_largest_records_goes_in_whole)
{
	struct sender sender;
	static char big[RECORD_TEXT_MAX];

	empty_server();
	memset(big, 'b', sizeof big);
	sender_open(&sender, server.tcp_address);
	batch_begin();
	for (unsigned i = 1; i <= MANY; i++) {
		record_init(&record, STAGE_HEADER, i);
		for (int j = 0; j < 5; j++)
			record_set_text(&record, FIELD_SUBJECT, (struct text){ big, sizeof big });
		batch_add(i, record_finish(&record));
		record_done(&record);
	}
	append_batch(&sender);
	CHECK_STRING(redis_server_say(&server, "XLEN " RECORDS_KEY), "64");
	CHECK_STRING(sender.cursor.text, INCARNATION ":7:64");
	redis_link_free(sender.link);
}

/* Trimming. */

static uint64_t stream_length(void)
{
	return (uint64_t)redis_server_ask(&server, "XLEN " RECORDS_KEY).integer;
}

static void fill(struct sender *sender, unsigned batches)
{
	for (unsigned i = 0; i < batches; i++)
		CHECK_NUMBER(send_records(sender, MANY), STREAM_APPENDED);
}

/* Ten batches are there, and the group g has read none of them. */
static void begin_unread(struct sender *sender)
{
	sender_begin(sender);
	CHECK_STRING(redis_server_say(&server, "XGROUP CREATE " RECORDS_KEY " g 0 MKSTREAM"), "OK");
	fill(sender, 10);
}

static struct stream_trim trim_by(struct sender *sender, uint64_t max, uint64_t hard, uint64_t age_us)
{
	struct stream_trim_rule rule = { .max_length = max, .hard_length = hard, .max_age_us = age_us };
	struct stream_trim trim = { .length = 0 };

	CHECK_NUMBER(stream_trim(sender->link, &sender->names, &rule, &trim, &sender->problem), REDIS_OK);
	CHECK_NUMBER(trim.length, stream_length());
	return trim;
}

/* The group g is given so many records, as consumer c. */
static void give(unsigned count, bool and_acknowledge)
{
	char command[200];

	(void)snprintf(command, sizeof command, "XREADGROUP GROUP g c COUNT %u%s STREAMS " RECORDS_KEY " >", count,
		       and_acknowledge ? " NOACK" : "");
	struct redis_reply reply = redis_server_ask(&server, command), stream = redis_reply_at(&reply, 0);
	struct redis_reply entries = redis_reply_at(&stream, 1);

	CHECK_NUMBER(entries.count, count);
}

/* The number that the n-th record of the stream was made with. */
static unsigned long first_number(void)
{
	struct redis_reply fields = first_fields();
	struct text value = entry_value(&fields, "messages");

	return value.start ? strtoul(value.start, NULL, 10) : 0;
}

TEST(the_stream_is_trimmed_to_about_its_maximal_length)
{
	struct sender sender;

	sender_begin(&sender);
	fill(&sender, 20);
	struct stream_trim trim = trim_by(&sender, 300, 0, 0);

	CHECK_SAYING(trim.length >= 300 && trim.length < 300 + 2 * 100, "%llu", (unsigned long long)trim.length);
	CHECK_NUMBER(trim.trimmed, 20 * MANY - trim.length);
	CHECK_NUMBER(trim.overtaken, 0);
	CHECK_NUMBER(first_number(), trim.trimmed + 1);
	CHECK_NUMBER(trim_by(&sender, 0, 0, 0).trimmed, 0);
	redis_link_free(sender.link);
}

TEST(a_stream_that_is_not_there_yet_or_no_stream_is_not_trimmed)
{
	struct stream_trim_rule rule = { .max_length = 1 };
	struct stream_trim trim;
	struct sender sender;

	sender_begin(&sender);
	CHECK_NUMBER(trim_by(&sender, 1, 1, 1).trimmed, 0);
	(void)redis_server_ask(&server, "LPUSH " RECORDS_KEY " x");
	CHECK_NUMBER(stream_trim(sender.link, &sender.names, &rule, &trim, &sender.problem), REDIS_OPERATOR);
	CHECK_SAYING(strstr(sender.problem.text, "WRONGTYPE"), "%s", sender.problem.text);
	redis_link_free(sender.link);
}

TEST(records_that_are_too_old_by_the_clock_of_redis_are_trimmed_to_the_last)
{
	struct sender sender;

	sender_begin(&sender);
	/* Ids of 1970, and two of a day that is not over. */
	for (int i = 1; i <= 250; i++) {
		char command[100];

		(void)snprintf(command, sizeof command, "XADD " RECORDS_KEY " %d-1 messages %d", i, i);
		(void)redis_server_ask(&server, command);
	}
	CHECK_NUMBER(send_records(&sender, 2), STREAM_APPENDED);
	CHECK_NUMBER(trim_by(&sender, 0, 0, UINT64_C(3650000) * 86400 * 1000000).trimmed, 0);
	CHECK_NUMBER(trim_by(&sender, 0, 0, UINT64_C(86400) * 1000000).trimmed, 250);
	CHECK_NUMBER(first_number(), 1);
	CHECK_NUMBER(stream_length(), 2);
	pause_ms(5);
	CHECK_NUMBER(trim_by(&sender, 0, 0, 1000).trimmed, 2);
	redis_link_free(sender.link);
}

TEST(a_slow_reader_holds_trimming_back_up_to_the_hard_length)
{
	struct sender sender;
	struct stream_trim trim;

	begin_unread(&sender);
	/* Nothing was given out. */
	trim = trim_by(&sender, 100, 1000, 1);
	CHECK_NUMBER(trim.trimmed, 0);
	CHECK_NUMBER(trim.readers, 1);
	CHECK_NUMBER(trim.unread, 640);
	CHECK_STRING(trim.slowest, "g");
	/* 300 were given out and not acknowledged. */
	give(300, false);
	CHECK_NUMBER(trim_by(&sender, 100, 1000, 1).trimmed, 0);
	/* 300 more were given out and need no acknowledgement: the 300 still hold. */
	give(300, true);
	CHECK_NUMBER(trim_by(&sender, 100, 1000, 1).trimmed, 0);
	/* A second reader that is faster changes nothing. */
	(void)redis_server_ask(&server, "XGROUP CREATE " RECORDS_KEY " fast $");
	CHECK_NUMBER(trim_by(&sender, 100, 1000, 1).trimmed, 0);
	(void)redis_server_ask(&server, "XGROUP DESTROY " RECORDS_KEY " g");
	(void)redis_server_ask(&server, "XGROUP CREATE " RECORDS_KEY " g 0");
	give(600, true);
	/* Whole nodes, by number. */
	trim = trim_by(&sender, 100, 1000, 0);
	CHECK_SAYING(trim.length >= 100 && trim.length < 300, "%llu", (unsigned long long)trim.length);
	CHECK_NUMBER(trim.overtaken, 0);
	/* Single ones, by age; the last 40 are not read. */
	pause_ms(5);
	(void)trim_by(&sender, 0, 1000, 1000);
	CHECK_NUMBER(stream_length(), 40);
	CHECK_NUMBER(first_number(), 601);
	redis_link_free(sender.link);
}

TEST(a_reader_that_left_one_record_unacknowledged_is_as_far_behind_as_that_record)
{
	struct sender sender;

	begin_unread(&sender);
	give(600, true);
	CHECK_NUMBER(trim_by(&sender, 0, 0, 0).unread, 40);
	give(1, false);
	give(39, true);
	pause_ms(5);
	/* All before it goes, and all behind it stays. */
	struct stream_trim trim = trim_by(&sender, 0, 1000, 1000);

	CHECK_NUMBER(trim.length, 40);
	CHECK_NUMBER(trim.unread, 40);
	CHECK_NUMBER(first_number(), 601);
	redis_link_free(sender.link);
}

TEST(what_redis_may_not_count_is_trimmed_and_told_all_the_same)
{
	struct sender sender;

	begin_unread(&sender);
	CHECK_STRING(redis_server_say(&server, "ACL SETUSER default -incrby"), "OK");
	struct stream_trim trim = trim_by(&sender, 0, 300, 0);

	CHECK_NUMBER(trim.overtaken, 343);
	CHECK_SAYING(strstr(trim.uncounted.text, "can't run this command"), "%s", trim.uncounted.text);
	CHECK_STRING(redis_server_say(&server, "ACL SETUSER default +@all"), "OK");
	fill(&sender, 10);
	CHECK_STRING(trim_by(&sender, 0, 300, 0).uncounted.text, "");
	redis_link_free(sender.link);
}

TEST(at_the_hard_length_exactly_what_the_reader_missed_is_counted)
{
	struct sender sender;
	struct stream_trim trim;

	begin_unread(&sender);
	give(130, true);
	trim = trim_by(&sender, 100, 300, 0);
	/* 343 went, a hundredth of the hard length among them; 130 were read. */
	CHECK_NUMBER(trim.length, 297);
	CHECK_NUMBER(trim.overtaken, 213);
	CHECK_NUMBER(trim.overtaken_total, 213);
	CHECK_NUMBER(first_number(), 344);
	CHECK(trim.from_us && trim.from_us <= trim.to_us);
	CHECK_NUMBER(trim_by(&sender, 100, 300, 0).overtaken, 0);
	/* What the reader is given next proves the same number. */
	struct redis_reply reply = redis_server_ask(&server, "XREADGROUP GROUP g c COUNT 1 NOACK STREAMS " RECORDS_KEY " >");
	struct redis_reply stream = redis_reply_at(&reply, 0), entries = redis_reply_at(&stream, 1);
	struct redis_reply entry = redis_reply_at(&entries, 0), fields = redis_reply_at(&entry, 1);

	CHECK_TEXT(entry_value(&fields, "messages"), "344");
	fill(&sender, 5);
	CHECK_NUMBER(trim_by(&sender, 100, 300, 0).overtaken_total, 213 + 319);
	CHECK_STRING(redis_server_say(&server, "GET {trail:0}:overtaken:" PRODUCER), "532");
	redis_link_free(sender.link);
}

TEST(at_the_hard_length_a_record_given_out_and_not_acknowledged_counts_and_an_acknowledged_one_does_not)
{
	struct sender sender;

	begin_unread(&sender);
	give(7, false);
	give(243, true);
	give(3, false);
	/* 343 go: 7 pending, 243 done, 3 pending, 90 never given out. */
	CHECK_NUMBER(trim_by(&sender, 0, 300, 0).overtaken, 100);
	/* The group still lists the ten; they hold back nothing. */
	give(297, true);
	CHECK(trim_by(&sender, 100, 300, 0).trimmed >= 100);
	redis_link_free(sender.link);
}

TEST(without_a_reader_the_hard_length_alone_trims_too)
{
	struct sender sender;

	sender_begin(&sender);
	fill(&sender, 10);
	struct stream_trim trim = trim_by(&sender, 0, 300, 0);

	CHECK_NUMBER(trim.length, 297);
	CHECK_NUMBER(trim.trimmed, 343);
	CHECK_NUMBER(trim.overtaken, 0);
	redis_link_free(sender.link);
}

TEST(trimming_goes_on_while_redis_has_no_memory)
{
	struct sender sender;

	begin_unread(&sender);
	(void)redis_server_ask(&server, "CONFIG SET maxmemory 1");
	CHECK_NUMBER(trim_by(&sender, 100, 300, 0).overtaken, 343);
	(void)redis_server_ask(&server, "CONFIG SET maxmemory 0");
	redis_link_free(sender.link);
}

TEST(a_late_append_behind_an_old_cursor_does_nothing)
{
	struct sender sender, zombie;

	sender_begin(&sender);
	sender_open(&zombie, server.unix_address);
	CHECK_NUMBER(send_records(&sender, 3), STREAM_APPENDED);
	CHECK_NUMBER(sender_resume(&zombie), REDIS_OK);
	zombie.next = sender.next;
	CHECK_NUMBER(send_records(&sender, 3), STREAM_APPENDED);
	CHECK_NUMBER(send_records(&zombie, 3), STREAM_MOVED_CURSOR);
	CHECK_STRING(zombie.cursor.text, INCARNATION ":7:6");
	CHECK_NUMBER(zombie.cursor.counter, 6);
	CHECK(holds_each_once(6));
	redis_link_free(sender.link);
	redis_link_free(zombie.link);
}

/* Refusals of Redis: how to provoke each on the running server, and how to mend it. */
struct refusal {
	const char *sentence;
	const char *provoke[5];
	enum redis_failure wanted;
	const char *words;		/* among those of the problem */
	const char *mend[5];
};

static const struct refusal refusals[] = {
	{ "out of memory", { "CONFIG SET maxmemory 1" }, REDIS_WAIT, "OOM", { "CONFIG SET maxmemory 0" } },
	{ "too few replicas", { "CONFIG SET min-replicas-to-write 1" }, REDIS_WAIT, "NOREPLICAS",
	  { "CONFIG SET min-replicas-to-write 0" } },
	{ "a replica", { "REPLICAOF 127.0.0.1 1" }, REDIS_ELSEWHERE, "READONLY", { "REPLICAOF NO ONE" } },
	{ "a replica that has lost its master", { "CONFIG SET replica-serve-stale-data no", "REPLICAOF 127.0.0.1 1" },
	  REDIS_ELSEWHERE, "MASTERDOWN", { "REPLICAOF NO ONE", "CONFIG SET replica-serve-stale-data yes" } },
	{ "no right to XADD", { "ACL SETUSER default -xadd" }, REDIS_OPERATOR, "run th", { "ACL SETUSER default +@all" } },
	{ "no right to SET", { "ACL SETUSER default -set" }, REDIS_OPERATOR, "run th", { "ACL SETUSER default +@all" } },
	{ "no right to TYPE", { "ACL SETUSER default -type" }, REDIS_OPERATOR, "run th", { "ACL SETUSER default +@all" } },
	{ "no right to GET", { "ACL SETUSER default -get" }, REDIS_OPERATOR, "run th", { "ACL SETUSER default +@all" } },
	{ "no right to EVALSHA", { "ACL SETUSER default -evalsha" }, REDIS_OPERATOR, "NOPERM",
	  { "ACL SETUSER default +@all" } },
	{ "no right to the keys", { "ACL SETUSER default resetkeys ~other" }, REDIS_OPERATOR, "NOPERM",
	  { "ACL SETUSER default ~*" } },
	{ "the stream's key is a list", { "RENAME " RECORDS_KEY " {trail:0}:aside", "LPUSH " RECORDS_KEY " x" },
	  REDIS_OPERATOR, "WRONGTYPE", { "DEL " RECORDS_KEY, "RENAME {trail:0}:aside " RECORDS_KEY } },
	{ "the cursor's key is a list", { "RENAME " CURSOR_KEY " {trail:0}:aside", "LPUSH " CURSOR_KEY " x" },
	  REDIS_OPERATOR, "WRONGTYPE", { "DEL " CURSOR_KEY, "RENAME {trail:0}:aside " CURSOR_KEY } },
	{ "the cursor holds something else", { "RENAME " CURSOR_KEY " {trail:0}:aside", "SET " CURSOR_KEY " 12" },
	  REDIS_OPERATOR, "no cursor", { "DEL " CURSOR_KEY, "RENAME {trail:0}:aside " CURSOR_KEY } },
	{ "snapshots fail", { "CONFIG SET dbfilename blocked", "SAVE", "BGSAVE" }, REDIS_WAIT, "MISCONF",
	  { "CONFIG SET dbfilename dump.rdb", "SAVE" } },
};

static void ask_all(const char *const *commands)
{
	for (; *commands; commands++) {
		const char *answer = redis_server_say(&server, *commands);

		if (strcmp(*commands, "BGSAVE") == 0)
			for (int i = 0; i < 200 && !strstr(redis_server_say(&server, "INFO persistence"),
							   "rdb_last_bgsave_status:err"); i++)
				pause_ms(10);
		else if (strncmp(*commands, "SAVE", 4) != 0)
			CHECK_SAYING(strncmp(answer, "ERR", 3) != 0, "%s: %s", *commands, answer);
	}
}

static void check_refusal(const struct refusal *refusal)
{
	struct sender sender;

	sender_begin(&sender);
	CHECK_NUMBER(send_records(&sender, 5), STREAM_APPENDED);
	ask_all(refusal->provoke);
	for (int i = 0; i < 2; i++) {
		if (redis_link_is_open(sender.link) || sender_resume(&sender) == REDIS_OK)
			CHECK_SAYING(send_records(&sender, 5) == STREAM_FAILED, "%s", refusal->sentence);
		CHECK_SAYING(sender.failure == refusal->wanted, "%s: %d, %s", refusal->sentence, sender.failure,
			     sender.problem.text);
		CHECK_SAYING(strstr(sender.problem.text, refusal->words), "%s: %s", refusal->sentence,
			     sender.problem.text);
	}
	ask_all(refusal->mend);
	CHECK_SAYING(holds_each_once(5), "%s", refusal->sentence);
	CHECK_STRING(redis_server_say(&server, "GET " CURSOR_KEY), INCARNATION ":7:5");
	CHECK_SAYING(sender_resume(&sender) == REDIS_OK, "%s: %s", refusal->sentence, sender.problem.text);
	CHECK_SAYING(send_records(&sender, 5) == STREAM_APPENDED, "%s: %s", refusal->sentence, sender.problem.text);
	CHECK_SAYING(holds_each_once(10), "%s", refusal->sentence);
	redis_link_free(sender.link);
}

TEST(a_refused_batch_leaves_nothing_and_goes_in_once_it_is_mended)
{
	char blocked[100];

	/* Root may write anywhere, but nobody replaces a directory that is not empty by a file. */
	(void)snprintf(blocked, sizeof blocked, "%s/blocked", server.directory);
	CHECK_NUMBER(mkdir(blocked, 0700), 0);
	(void)snprintf(blocked, sizeof blocked, "%s/blocked/x", server.directory);
	CHECK_NUMBER(mkdir(blocked, 0700), 0);
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
		check_refusal(&refusals[i]);
}

TEST(a_first_batch_that_is_refused_leaves_no_cursor_that_counts)
{
	struct sender sender;

	sender_begin(&sender);
	(void)redis_server_ask(&server, "ACL SETUSER default -xadd");
	CHECK_NUMBER(send_records(&sender, 5), STREAM_FAILED);
	(void)redis_server_ask(&server, "ACL SETUSER default +@all");
	CHECK_NUMBER(sender_resume(&sender), REDIS_OK);
	CHECK(!sender.cursor.exists);
	CHECK_NUMBER(send_records(&sender, 5), STREAM_APPENDED);
	CHECK(holds_each_once(5));
	redis_link_free(sender.link);
}

TEST(an_append_that_fails_in_its_middle_moves_the_cursor_as_far_as_its_records)
{
	struct sender sender;

	empty_server();
	/* Two more ids are left in this stream. */
	(void)redis_server_ask(&server, "XADD " RECORDS_KEY " 18446744073709551615-18446744073709551613 a b");
	sender_open(&sender, server.unix_address);
	CHECK_NUMBER(send_records(&sender, 5), STREAM_FAILED);
	CHECK_NUMBER(sender.failure, REDIS_OPERATOR);
	CHECK_STRING(redis_server_say(&server, "XLEN " RECORDS_KEY), "3");
	CHECK_STRING(redis_server_say(&server, "GET " CURSOR_KEY), INCARNATION ":7:2");
	redis_link_free(sender.link);
}

TEST(a_script_that_redis_forgot_is_sent_again)
{
	struct sender sender;

	sender_begin(&sender);
	CHECK_NUMBER(send_records(&sender, 5), STREAM_APPENDED);
	CHECK_STRING(redis_server_say(&server, "SCRIPT FLUSH"), "OK");
	CHECK_NUMBER(send_records(&sender, 5), STREAM_APPENDED);
	(void)redis_server_ask(&server, "CONFIG RESETSTAT");
	CHECK_NUMBER(send_records(&sender, 5), STREAM_APPENDED);
	CHECK(strstr(redis_server_say(&server, "INFO commandstats"), "cmdstat_evalsha:calls=1"));
	CHECK(!strstr(redis_server_say(&server, "INFO commandstats"), "cmdstat_eval:"));
	CHECK(holds_each_once(15));
	redis_link_free(sender.link);
}

TEST(another_script_that_runs_too_long_is_waited_for)
{
	struct redis_options options = {
		.address = server.unix_address, .connect_timeout_us = 1000000, .command_timeout_us = 100000,
	};
	struct redis_link *busy = redis_link_new(&options);
	struct text words[] = { TEXT_LITERAL("EVAL"), TEXT_LITERAL("while true do end"), TEXT_LITERAL("0") };
	struct redis_reply reply;
	struct sender sender;

	sender_begin(&sender);
	CHECK_NUMBER(send_records(&sender, 5), STREAM_APPENDED);
	CHECK_NUMBER(redis_link_open(busy, NULL), REDIS_OK);
	CHECK_NUMBER(redis_link_command(busy, 3, words, &reply, NULL), REDIS_RECONNECT);
	CHECK_NUMBER(send_records(&sender, 5), STREAM_FAILED);
	CHECK_NUMBER(sender.failure, REDIS_WAIT);
	CHECK_STRING(redis_server_say(&server, "SCRIPT KILL"), "OK");
	/* It answers before the script has really ended. */
	for (int i = 0; i < 100 && send_records(&sender, 5) != STREAM_APPENDED; i++) {
		CHECK_NUMBER(sender.failure, REDIS_WAIT);
		pause_ms(10);
	}
	CHECK(holds_each_once(10));
	redis_link_free(sender.link);
	redis_link_free(busy);
}

static void write_file(const char *path, const char *content)
{
	FILE *file = fopen(path, "we");

	CHECK(file && fputs(content, file) >= 0 && fclose(file) == 0);
}

TEST(a_password_is_read_from_its_file_at_each_connect)
{
	char path[100];
	struct redis_options options = {
		.address = server.tcp_address, .user = "shipper", .password_file = path,
		.connect_timeout_us = 1000000, .command_timeout_us = 1000000,
	};
	struct problem problem;
	struct sender sender;

	empty_server();
	(void)snprintf(path, sizeof path, "%s/password", server.directory);
	(void)redis_server_ask(&server, "ACL SETUSER shipper reset on >secret ~{trail:*}:* +ping +evalsha +eval +get +set +type +xadd"
			       " +time +xlen +xtrim +xrange +xinfo +xpending +incrby");
	sender = (struct sender){ .link = redis_link_new(&options), .next = 1 };
	stream_names(&sender.names, "trail", 0, PRODUCER);
	CHECK_NUMBER(redis_link_open(sender.link, &problem), REDIS_OPERATOR);
	CHECK_SAYING(strstr(problem.text, path) && strstr(problem.text, "No such file"), "%s", problem.text);
	write_file(path, "\nsecret\n");
	CHECK_NUMBER(redis_link_open(sender.link, &problem), REDIS_OPERATOR);
	CHECK_SAYING(strstr(problem.text, "first line"), "%s", problem.text);
	write_file(path, "wrong\n");
	CHECK_NUMBER(redis_link_open(sender.link, &problem), REDIS_OPERATOR);
	CHECK_SAYING(strstr(problem.text, "WRONGPASS"), "%s", problem.text);
	write_file(path, "secret\r\nsecond line\n");
	CHECK_NUMBER(redis_link_open(sender.link, &problem), REDIS_OK);
	/* The rights named in stream.h and stream_trim.h are enough. */
	CHECK_NUMBER(sender_resume(&sender), REDIS_OK);
	(void)redis_server_ask(&server, "XGROUP CREATE {trail:0}:records g 0 MKSTREAM");
	CHECK_NUMBER(send_records(&sender, 5), STREAM_APPENDED);
	give(2, false);
	CHECK_NUMBER(trim_by(&sender, 1, 1, 1).overtaken, 5);
	(void)redis_server_ask(&server, "ACL DELUSER shipper");
	CHECK_NUMBER(sender_resume(&sender), REDIS_RECONNECT);
	CHECK_NUMBER(sender_resume(&sender), REDIS_OPERATOR);
	CHECK_SAYING(strstr(sender.problem.text, "WRONGPASS"), "%s", sender.problem.text);
	redis_link_free(sender.link);
}

TEST(a_password_that_redis_wants_and_has_not_got_is_the_operators_matter)
{
	struct sender sender;

	sender_begin(&sender);
	CHECK_NUMBER(send_records(&sender, 5), STREAM_APPENDED);
	CHECK_STRING(redis_server_say(&server, "CONFIG SET requirepass secret"), "OK");
	redis_link_close(sender.link);
	CHECK_NUMBER(sender_resume(&sender), REDIS_OPERATOR);
	CHECK_SAYING(strstr(sender.problem.text, "NOAUTH"), "%s", sender.problem.text);
	(void)redis_server_ask(&server, "ACL SETUSER default nopass");
	CHECK_NUMBER(sender_resume(&sender), REDIS_OK);
	CHECK_NUMBER(send_records(&sender, 5), STREAM_APPENDED);
	CHECK(holds_each_once(10));
	redis_link_free(sender.link);
}

TEST(a_hung_redis_costs_its_time_limit_and_no_record)
{
	struct timespec begin, end;
	struct sender sender;

	sender_begin(&sender);
	CHECK_NUMBER(send_records(&sender, 5), STREAM_APPENDED);
	redis_server_signal(&server, SIGSTOP);
	(void)clock_gettime(CLOCK_MONOTONIC, &begin);
	CHECK_NUMBER(send_records(&sender, 5), STREAM_FAILED);
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	CHECK_NUMBER(sender.failure, REDIS_RECONNECT);
	CHECK_SAYING(end.tv_sec - begin.tv_sec >= 1 && end.tv_sec - begin.tv_sec <= 4, "%ld s",
		     (long)(end.tv_sec - begin.tv_sec));
	/* A connection is still taken, by the kernel; PING is not answered. */
	CHECK_NUMBER(sender_resume(&sender), REDIS_RECONNECT);
	redis_server_signal(&server, SIGCONT);
	/* The request had reached it: it is done late, and the cursor says so. */
	CHECK_NUMBER(sender_resume(&sender), REDIS_OK);
	pause_ms(50);
	CHECK_NUMBER(sender_resume(&sender), REDIS_OK);
	sender.next = sender.cursor.counter + 1;
	CHECK_NUMBER(send_records(&sender, 5), STREAM_APPENDED);
	CHECK(holds_each_once(sender.next - 1));
	redis_link_free(sender.link);
}

TEST(a_killed_redis_comes_back_with_a_cursor_that_fits_its_records)
{
	static const struct { const char *configuration; uint64_t wanted; } cases[] = {
		{ "appendonly yes\nappendfsync always", 5 }, { "appendonly no", 0 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct redis_server own;
		struct sender sender;

		redis_server_begin(&own, cases[i].configuration);
		sender_open(&sender, own.unix_address);
		CHECK_NUMBER(send_records(&sender, 5), STREAM_APPENDED);
		redis_server_kill(&own);
		CHECK_NUMBER(send_records(&sender, 5), STREAM_FAILED);
		CHECK_NUMBER(sender.failure, REDIS_RECONNECT);
		CHECK_NUMBER(sender_resume(&sender), REDIS_RECONNECT);
		redis_server_start(&own, cases[i].configuration);
		CHECK_NUMBER(sender_resume(&sender), REDIS_OK);
		CHECK_NUMBER(sender.cursor.exists, cases[i].wanted > 0);
		CHECK_NUMBER(sender.cursor.counter, cases[i].wanted);
		CHECK_NUMBER(redis_server_ask(&own, "XLEN " RECORDS_KEY).integer, cases[i].wanted);
		redis_link_free(sender.link);
		redis_server_end(&own);
	}
}

TEST(a_redis_that_loads_its_data_is_waited_for)
{
	static const char quick[] = "appendonly no";
	static const char slow[] = "key-load-delay 20000\nloading-process-events-interval-bytes 1024";
	struct redis_server own;
	struct sender sender;

	redis_server_begin(&own, quick);
	sender_open(&sender, own.unix_address);
	CHECK_NUMBER(send_records(&sender, 5), STREAM_APPENDED);
	CHECK_STRING(redis_server_say(&own, "DEBUG POPULATE 200 filler 2000"), "OK");
	CHECK_STRING(redis_server_say(&own, "SAVE"), "OK");
	redis_server_kill(&own);
	redis_link_close(sender.link);
	redis_server_start_unready(&own, slow);
	CHECK_NUMBER(sender_resume(&sender), REDIS_WAIT);
	CHECK_SAYING(strstr(sender.problem.text, "LOADING"), "%s", sender.problem.text);
	redis_server_kill(&own);
	redis_server_start(&own, quick);
	CHECK_NUMBER(sender_resume(&sender), REDIS_OK);
	CHECK_NUMBER(sender.cursor.counter, 5);
	redis_link_free(sender.link);
	redis_server_end(&own);
}

TEST(a_cluster_without_slots_is_waited_for)
{
	struct redis_server own;
	struct sender sender;

	redis_server_begin(&own, "cluster-enabled yes");
	sender_open(&sender, own.unix_address);
	CHECK_NUMBER(send_records(&sender, 5), STREAM_FAILED);
	CHECK_NUMBER(sender.failure, REDIS_ELSEWHERE);
	CHECK_SAYING(strstr(sender.problem.text, "CLUSTERDOWN"), "%s", sender.problem.text);
	CHECK_STRING(redis_server_say(&own, "CLUSTER ADDSLOTSRANGE 0 16383"), "OK");
	for (int i = 0; i < 100 && (sender_resume(&sender) != REDIS_OK || send_records(&sender, 5) != STREAM_APPENDED); i++)
		pause_ms(50);
	CHECK_NUMBER(redis_server_ask(&own, "XLEN " RECORDS_KEY).integer, 5);
	redis_link_free(sender.link);
	redis_server_end(&own);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(every_field_round_trips_through_redis_at_every_stage_that_carries_it),
		UNIT_TEST(the_common_fields_come_first_and_in_their_order),
		UNIT_TEST(a_field_or_stage_of_a_later_version_is_sent_under_its_number),
		UNIT_TEST(an_entry_that_is_no_record_becomes_a_gap_under_its_seq),
		UNIT_TEST(a_batch_of_the_largest_records_goes_in_whole),
		UNIT_TEST(the_stream_is_trimmed_to_about_its_maximal_length),
		UNIT_TEST(a_stream_that_is_not_there_yet_or_no_stream_is_not_trimmed),
		UNIT_TEST(records_that_are_too_old_by_the_clock_of_redis_are_trimmed_to_the_last),
		UNIT_TEST(a_slow_reader_holds_trimming_back_up_to_the_hard_length),
		UNIT_TEST(a_reader_that_left_one_record_unacknowledged_is_as_far_behind_as_that_record),
		UNIT_TEST(what_redis_may_not_count_is_trimmed_and_told_all_the_same),
		UNIT_TEST(at_the_hard_length_exactly_what_the_reader_missed_is_counted),
		UNIT_TEST(at_the_hard_length_a_record_given_out_and_not_acknowledged_counts_and_an_acknowledged_one_does_not),
		UNIT_TEST(without_a_reader_the_hard_length_alone_trims_too),
		UNIT_TEST(trimming_goes_on_while_redis_has_no_memory),
		UNIT_TEST(a_late_append_behind_an_old_cursor_does_nothing),
		UNIT_TEST(a_refused_batch_leaves_nothing_and_goes_in_once_it_is_mended),
		UNIT_TEST(a_first_batch_that_is_refused_leaves_no_cursor_that_counts),
		UNIT_TEST(an_append_that_fails_in_its_middle_moves_the_cursor_as_far_as_its_records),
		UNIT_TEST(a_script_that_redis_forgot_is_sent_again),
		UNIT_TEST(another_script_that_runs_too_long_is_waited_for),
		UNIT_TEST(a_password_is_read_from_its_file_at_each_connect),
		UNIT_TEST(a_password_that_redis_wants_and_has_not_got_is_the_operators_matter),
		UNIT_TEST(a_hung_redis_costs_its_time_limit_and_no_record),
		UNIT_TEST(a_killed_redis_comes_back_with_a_cursor_that_fits_its_records),
		UNIT_TEST(a_redis_that_loads_its_data_is_waited_for),
		UNIT_TEST(a_cluster_without_slots_is_waited_for),
		{ NULL, NULL },
	};

	redis_server_or_skip();
	redis_server_begin(&server, "enable-protected-configs yes\nbusy-reply-threshold 50\nsave 3600 1");
	int status = unit_run(tests, argc, argv);

	redis_server_end(&server);
	return status;
}
