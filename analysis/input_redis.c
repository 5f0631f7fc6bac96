/* input_redis.c - follows the streams of all partitions. */
#include "analysis/input_redis.h"

#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analysis/sequence.h"
#include "common/clock.h"

enum {
	READ_COUNT = 1000,		/* entries of a stream a read; fewer where there are many streams */
	READ_COUNT_ALL = 4000,
	BASE_COUNT = 100,		/* entries before the first position: how far each producer was */
	CHECK_EVERY_US = 1000000,
	CHECK_STREAMS = 16,		/* of them each time */
	BACK_OFF_FIRST_US = 50000,
	BACK_OFF_LAST_US = 5000000,
	BACK_OFF_OPERATOR_US = 5000000,
	ASK_EVERY_MS = 50,		/* streams that cannot be waited for together */
	MISSING_MAX = 64,		/* holes of one reply that are said together, with their reason */
};

struct partition {
	struct stream_position position;
	bool resolved;
	struct stream_id before;	/* the position before this reply */
	char id_text[STREAM_ID_SIZE];
};

struct missing {
	char producer[JOURNAL_NAME_SIZE];
	unsigned partition;
	bool may_be_trimmed;		/* nothing of its producer came before it in this reply */
	struct sequence_range range;
};

struct input_redis {
	struct input_redis_options options;
	struct input_listener listener;
	struct redis_link *link;
	struct sequence *sequence;
	struct partition *partitions;
	struct text *words;		/* of XREAD */
	struct input_redis_counts counts;
	bool following, is_at_end;
	unsigned unchecked, next_check;	/* partitions to ask about, and which comes next */
	uint64_t checked_us;
	enum redis_failure failure;	/* the last; REDIS_OK: none */
	unsigned failures;		/* one after the other */
	bool said;			/* the listener heard of them */
	uint64_t failing_since_us, retry_us;
	unsigned random;
	struct input_record record;	/* the one at hand */
	size_t fields_size;
	unsigned missing_count;
	struct missing missing[MISSING_MAX];
};

__attribute__((format(printf, 2, 3)))
static void notice(const struct input_redis *input, const char *format, ...)
{
	char sentence[1024];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(sentence, sizeof sentence, format, arguments);
	va_end(arguments);
	input->listener.notice(input->listener.context, sentence);
}

struct input_redis *input_redis_new(const struct input_redis_options *options,
				    const struct input_listener *listener)
{
	struct input_redis *input = calloc(1, sizeof *input);

	if (!input)
		return NULL;
	input->options = *options;
	input->listener = *listener;
	input->random = (unsigned)clock_steady_us();
	input->link = redis_link_new(&options->redis);
	input->sequence = sequence_new();
	input->partitions = calloc(options->partitions, sizeof *input->partitions);
	input->words = calloc(6 + 2 * (size_t)options->partitions, sizeof *input->words);
	if (!input->link || !input->sequence || !input->partitions || !input->words) {
		input_redis_free(input);
		return NULL;
	}
	for (unsigned i = 0; i < options->partitions; i++)
		stream_position_init(&input->partitions[i].position, options->prefix, i);
	return input;
}

void input_redis_free(struct input_redis *input)
{
	if (!input)
		return;
	redis_link_free(input->link);
	sequence_free(input->sequence);
	free(input->partitions);
	free(input->words);
	free(input->record.fields);
	free(input);
}

bool input_redis_is_following(const struct input_redis *input)
{
	return input->following;
}

void input_redis_counts(const struct input_redis *input, struct input_redis_counts *ret_counts)
{
	*ret_counts = input->counts;
}

static bool make_room(struct input_redis *input, size_t fields)
{
	if (fields <= input->fields_size)
		return true;
	struct input_field *larger = realloc(input->record.fields, fields * sizeof *larger);

	if (!larger)
		return false;
	input->record.fields = larger;
	input->fields_size = fields;
	return true;
}

/* Takes an entry apart into input->record. False: it is no entry, or there is no memory for it. */
static bool take_entry(struct input_redis *input, unsigned partition, const struct redis_reply *entry,
		       struct stream_id *ret_id)
{
	struct input_record *record = &input->record;
	struct redis_reply words = redis_reply_at(entry, 1);

	record->id = redis_reply_at(entry, 0).text;
	if (!stream_id_parse(record->id, ret_id) || !make_room(input, words.count / 2))
		return false;
	record->partition = partition;
	record->count = words.count / 2;
	record->bytes = 0;
	for (size_t i = 0; i < record->count; i++) {
		struct input_field *field = &record->fields[i];

		field->name = redis_reply_at(&words, 2 * i).text;
		field->value = redis_reply_at(&words, 2 * i + 1).text;
		field->info = input_field_info(field->name);
		record->bytes += field->name.length + field->value.length;
	}
	record->stage = stage_by_name(input_record_text(record, FIELD_STAGE));
	return true;
}

/* Who made the record, and its number; false: it does not say. */
static bool identity(const struct input_record *record, struct text *ret_producer, uint64_t *ret_seq)
{
	bool numbered = input_record_number(record, FIELD_SEQ, ret_seq);

	*ret_producer = input_record_text(record, FIELD_PRODUCER);
	return numbered && ret_producer->length > 0 && ret_producer->length < JOURNAL_NAME_SIZE &&
	       memchr(ret_producer->start, '\0', ret_producer->length) == NULL;
}

static struct sequence_joint joint_of(const struct input_record *record)
{
	struct sequence_joint joint = { 0, 0 };

	if (input_record_is(record, STAGE_START) &&
	    (!input_record_number(record, FIELD_PREVIOUS_EPOCH, &joint.previous_epoch) ||
	     !input_record_number(record, FIELD_PREVIOUS_SEQ, &joint.previous_seq)))
		joint = (struct sequence_joint){ 0, 0 };
	return joint;
}

static void say_missing(const struct input_redis *input, const struct missing *missing, bool trimmed)
{
	uint64_t count = missing->range.to - missing->range.from + 1;
	const char *what = trimmed ? count == 1 ? "was trimmed before it was read" :
						  "were trimmed before they were read" :
				     count == 1 ? "is missing" : "are missing";
	char last[32] = "";

	if (count > 1)
		(void)snprintf(last, sizeof last, " to %" PRIu64, missing->range.to);
	notice(input, "%" PRIu64 " %s of producer %s %s: partition %u, seq %" PRIu64 "%s%s", count,
	       count == 1 ? "record" : "records", missing->producer, what, missing->partition, missing->range.from,
	       last, trimmed ? "; a larger stream_max_length of the milter keeps more" : "");
}

/* Says what was noted as missing in this reply, which no one needs any longer. */
static enum redis_failure report_missing(struct input_redis *input, struct problem *problem)
{
	enum redis_failure failure = REDIS_OK;

	for (unsigned i = 0; i < input->missing_count; i++) {
		const struct missing *missing = &input->missing[i];
		const struct partition *partition = &input->partitions[missing->partition];
		bool trimmed = false;

		if (missing->may_be_trimmed && !failure)
			failure = stream_position_was_trimmed(&partition->position, input->link, partition->before,
							      &trimmed, problem);
		say_missing(input, missing, trimmed);
	}
	input->missing_count = 0;
	return failure;
}

static void note_missing(struct input_redis *input, struct text producer, unsigned partition,
			 const struct sequence_finding *finding)
{
	for (unsigned i = 0; i < finding->missing_count; i++) {
		struct missing missing = {
			.partition = partition,
			.may_be_trimmed = finding->first_in_round,
			.range = finding->missing[i],
		};

		memcpy(missing.producer, producer.start, producer.length);
		input->counts.missing += missing.range.to - missing.range.from + 1;
		if (input->listener.missing)
			input->listener.missing(input->listener.context, &input->record, missing.range.from, missing.range.to);
		if (input->missing_count < MISSING_MAX)
			input->missing[input->missing_count++] = missing;
		else
			say_missing(input, &missing, false);
	}
}

/* Whether the record is one that was not had before. */
static bool is_new(struct input_redis *input, struct text producer, uint64_t seq)
{
	const struct input_record *record = &input->record;
	struct sequence_finding finding;

	sequence_note(input->sequence, producer, record->partition, seq, joint_of(record), &finding);
	note_missing(input, producer, record->partition, &finding);
	if (finding.given_up[0])
		notice(input, "more than %d producers: what comes twice of %s is no longer known", SEQUENCE_PRODUCERS,
		       finding.given_up);
	input->counts.missing -= finding.fills;
	input->counts.doubled += !finding.is_new;
	return finding.is_new;
}

/* False: the listener wants no more now. */
static bool take_record(struct input_redis *input, struct stream_id id)
{
	const struct input_record *record = &input->record;
	struct text producer;
	uint64_t seq = 0;
	bool numbered = identity(record, &producer, &seq);
	bool wanted = !numbered || is_new(input, producer, seq);

	input->counts.records++;
	input->counts.unnumbered += !numbered;
	stream_position_advance(&input->partitions[record->partition].position, id, seq);
	return !wanted || input->listener.record(input->listener.context, record);
}

static bool is_wanted(const struct input_redis *input)
{
	return !input->listener.wants || input->listener.wants(input->listener.context, &input->record);
}

static bool take_entries(struct input_redis *input, unsigned partition, const struct redis_reply *entries)
{
	struct partition *taken = &input->partitions[partition];
	bool go_on = true;

	taken->before = taken->position.at.id;
	for (size_t i = 0; i < entries->count && go_on; i++) {
		struct redis_reply entry = redis_reply_at(entries, i);
		struct stream_id id;

		if (take_entry(input, partition, &entry, &id))
			go_on = is_wanted(input) && take_record(input, id);
	}
	stream_position_remember(&taken->position);
	return go_on;
}

static enum redis_failure redis_time(struct input_redis *input, uint64_t *ret_us, struct problem *problem)
{
	struct text word = TEXT_LITERAL("TIME");
	struct redis_reply reply;
	enum redis_failure failure = redis_link_command(input->link, 1, &word, &reply, problem);
	uint64_t seconds = 0, microseconds = 0;

	if (failure)
		return failure;
	if (!input_number(redis_reply_at(&reply, 0).text, &seconds) ||
	    !input_number(redis_reply_at(&reply, 1).text, &microseconds)) {
		problem_set(problem, "no answer to TIME that Redis would give");
		return REDIS_RECONNECT;
	}
	*ret_us = seconds * 1000000 + microseconds;
	return REDIS_OK;
}

/* The first position, where it is a point in time or an identifier. */
static enum redis_failure start_id(struct input_redis *input, struct stream_id *ret_id, struct problem *problem)
{
	uint64_t us = input->options.start_us, now_us;

	if (input->options.start == INPUT_FROM_ID) {
		*ret_id = stream_id_before(input->options.start_id);
		return REDIS_OK;
	}
	if (input->options.start == INPUT_FROM_AGO) {
		enum redis_failure failure = redis_time(input, &now_us, problem);

		if (failure)
			return failure;
		us = us < now_us ? now_us - us : 0;
		/* Of all partitions the same moment. */
		input->options.start = INPUT_FROM_TIME;
		input->options.start_us = us;
	}
	*ret_id = stream_id_before((struct stream_id){ us / 1000, 0 });
	return REDIS_OK;
}

/* The first position is asked for once. The entries before it tell how far each producer was, so
 * that a hole right behind it is seen, and what is sent again later is known. */
static enum redis_failure resolve(struct input_redis *input, unsigned number, struct problem *problem)
{
	struct partition *partition = &input->partitions[number];
	bool from_now = input->options.start == INPUT_FROM_NOW;
	struct stream_id id = { 0, 0 };
	enum redis_failure failure = from_now ? REDIS_OK : start_id(input, &id, problem);

	if (failure)
		return failure;
	struct text end = from_now ? TEXT_LITERAL("+") : stream_id_format(id, partition->id_text);
	char count[12];
	struct text words[] = { TEXT_LITERAL("XREVRANGE"), text_of(partition->position.key), end, TEXT_LITERAL("-"),
				TEXT_LITERAL("COUNT"), text_of(count) };
	struct redis_reply entries;

	words[5].length = (size_t)snprintf(count, sizeof count, "%d", BASE_COUNT);
	failure = redis_link_for(input->link, partition->position.key, problem);
	if (!failure)
		failure = redis_link_command(input->link, 6, words, &entries, problem);
	if (failure)
		return failure;
	partition->position.at.id = id;
	for (size_t i = 0; i < entries.count; i++) {
		struct redis_reply entry = redis_reply_at(&entries, i);
		struct sequence_finding ignored;
		struct text producer;
		uint64_t seq = 0;

		if (!take_entry(input, number, &entry, &id))
			continue;
		if (identity(&input->record, &producer, &seq))
			sequence_note(input->sequence, producer, number, seq, (struct sequence_joint){ 0, 0 }, &ignored);
		if (i == 0 && from_now)
			stream_position_advance(&partition->position, id, seq);
	}
	stream_position_remember(&partition->position);
	partition->resolved = true;
	return REDIS_OK;
}

static enum redis_failure resolve_all(struct input_redis *input, struct problem *problem)
{
	for (unsigned i = 0; i < input->options.partitions; i++) {
		enum redis_failure failure = input->partitions[i].resolved ? REDIS_OK : resolve(input, i, problem);

		if (failure)
			return failure;
	}
	input->following = true;
	return REDIS_OK;
}

static enum redis_failure check_positions(struct input_redis *input, struct problem *problem)
{
	unsigned partitions = input->options.partitions;
	uint64_t now_us = clock_steady_us();

	if (now_us - input->checked_us >= CHECK_EVERY_US) {
		unsigned more = partitions < CHECK_STREAMS ? partitions : CHECK_STREAMS;

		input->checked_us = now_us;
		if (input->unchecked < more)
			input->unchecked = more;
	}
	while (input->unchecked) {
		struct stream_position *position = &input->partitions[input->next_check].position;
		struct problem why;
		enum stream_check check;
		enum redis_failure failure = stream_position_check(position, input->link, &check, &why, problem);

		if (failure)
			return failure;
		if (check == STREAM_WENT_BACK) {
			input->counts.went_back++;
			notice(input, "%s", why.text);
		}
		input->next_check = (input->next_check + 1) % partitions;
		input->unchecked--;
	}
	return REDIS_OK;
}

/* Asks for what came in these partitions; timeout_ms 0: without waiting for it. */
static enum redis_failure read_entries(struct input_redis *input, unsigned first, unsigned partitions,
				       unsigned timeout_ms, struct redis_reply *ret_reply, struct problem *problem)
{
	unsigned count = partitions * READ_COUNT <= READ_COUNT_ALL ? READ_COUNT : READ_COUNT_ALL / partitions + 1;
	char count_text[12], block_text[12];
	struct text *word = input->words;

	(void)snprintf(count_text, sizeof count_text, "%u", count);
	(void)snprintf(block_text, sizeof block_text, "%u", timeout_ms);
	*word++ = TEXT_LITERAL("XREAD");
	*word++ = TEXT_LITERAL("COUNT");
	*word++ = text_of(count_text);
	/* 0 would be for ever. */
	if (timeout_ms) {
		*word++ = TEXT_LITERAL("BLOCK");
		*word++ = text_of(block_text);
	}
	*word++ = TEXT_LITERAL("STREAMS");
	for (unsigned i = 0; i < partitions; i++) {
		struct partition *partition = &input->partitions[first + i];

		word[i] = text_of(partition->position.key);
		word[partitions + i] = stream_id_format(partition->position.at.id, partition->id_text);
	}
	enum redis_failure failure = redis_link_for(input->link, input->partitions[first].position.key, problem);

	return failure ? failure :
	       redis_link_command(input->link, (size_t)(word - input->words) + 2 * (size_t)partitions, input->words,
				  ret_reply, problem);
}

static unsigned find_partition(const struct input_redis *input, struct text key)
{
	unsigned i = 0;

	while (i < input->options.partitions && !text_is(key, input->partitions[i].position.key))
		i++;
	return i;
}

/* Reads these partitions once; *ret_any: something came; *ret_go_on: false, the listener wants no more now. */
static enum redis_failure read_some(struct input_redis *input, unsigned first, unsigned partitions, unsigned timeout_ms,
				    bool *ret_any, bool *ret_go_on, struct problem *problem)
{
	struct redis_reply streams;
	enum redis_failure failure = read_entries(input, first, partitions, timeout_ms, &streams, problem);

	if (failure)
		return failure;
	sequence_round(input->sequence);
	for (size_t i = 0; i < streams.count && *ret_go_on; i++) {
		struct redis_reply stream = redis_reply_at(&streams, i);
		struct redis_reply entries = redis_reply_at(&stream, 1);
		unsigned partition = find_partition(input, redis_reply_at(&stream, 0).text);

		*ret_any = true;
		if (partition < input->options.partitions)
			*ret_go_on = take_entries(input, partition, &entries);
	}
	return report_missing(input, problem);
}

/* Streams on different servers cannot be waited for together: they are asked one after the other, again and again. */
static enum redis_failure read_each(struct input_redis *input, unsigned timeout_ms, struct problem *problem)
{
	bool any = false, go_on = true;
	enum redis_failure failure = REDIS_OK;

	input->is_at_end = false;
	for (unsigned i = 0; i < input->options.partitions && !failure && go_on; i++)
		failure = read_some(input, i, 1, 0, &any, &go_on, problem);
	input->is_at_end = !failure && !any;
	if (!failure && !any)
		(void)poll(NULL, 0, (int)(timeout_ms < ASK_EVERY_MS ? timeout_ms : ASK_EVERY_MS));
	return failure;
}

static enum redis_failure read_once(struct input_redis *input, unsigned timeout_ms, struct problem *problem)
{
	bool any = false, go_on = true;
	enum redis_failure failure;

	if (input->options.partitions > 1 && redis_link_is_spread(input->link))
		return read_each(input, timeout_ms, problem);
	failure = read_some(input, 0, input->options.partitions, timeout_ms, &any, &go_on, problem);
	input->is_at_end = !failure && !any;
	return failure;
}

static enum redis_failure try_once(struct input_redis *input, unsigned timeout_ms, struct problem *problem)
{
	enum redis_failure failure = REDIS_OK;

	redis_link_extra_wait(input->link, (uint64_t)timeout_ms * 1000);
	if (!redis_link_is_open(input->link)) {
		failure = redis_link_open(input->link, problem);
		/* It may be another server, or the same one with an older file. */
		input->unchecked = input->options.partitions;
	}
	if (!failure && !input->following)
		failure = resolve_all(input, problem);
	if (!failure)
		failure = check_positions(input, problem);
	if (!failure)
		failure = read_once(input, timeout_ms, problem);
	return failure;
}

static void note_failure(struct input_redis *input, enum redis_failure failure, const struct problem *problem)
{
	unsigned doublings = input->failures < 7 ? input->failures : 7;
	uint64_t wait_us = (uint64_t)BACK_OFF_FIRST_US << doublings;

	if (wait_us > BACK_OFF_LAST_US)
		wait_us = BACK_OFF_LAST_US;
	if (failure == REDIS_OPERATOR)
		wait_us = BACK_OFF_OPERATOR_US;
	/* Readers that lost the same server must not all come back at once. */
	input->random = input->random * 1103515245u + 12345u;
	wait_us = wait_us / 4 * 3 + wait_us / 2 * (input->random >> 16 & 0xff) / 256;
	if (input->failures == 0) {
		input->failing_since_us = clock_steady_us();
		input->counts.lost_links += input->following;
	}
	/* At the start it is the caller who decides, but for a server (or its cluster) that only needs time. */
	if (failure != input->failure && (input->following || failure == REDIS_WAIT || failure == REDIS_ELSEWHERE)) {
		notice(input, "%s; trying again", problem->text);
		input->said = true;
	}
	input->failure = failure;
	input->failures++;
	input->retry_us = clock_steady_us() + wait_us;
}

static void note_success(struct input_redis *input)
{
	if (input->said)
		notice(input, "Redis answers again, after %.1f s",
		       (double)(clock_steady_us() - input->failing_since_us) / 1e6);
	input->failure = REDIS_OK;
	input->failures = 0;
	input->said = false;
}

bool input_redis_is_at_end(const struct input_redis *input)
{
	return input->is_at_end;
}

/* ---- positions that are kept elsewhere ---- */

struct sequence *input_redis_sequence(struct input_redis *input)
{
	return input->sequence;
}

struct stream_entry input_redis_place(const struct input_redis *input, unsigned partition, const char **ret_key)
{
	*ret_key = input->partitions[partition].position.key;
	return input->partitions[partition].position.at;
}

void input_redis_go_behind(struct input_redis *input, unsigned partition, struct stream_entry entry)
{
	input->partitions[partition].position.at = entry;
	input->partitions[partition].resolved = true;
}

enum redis_failure input_redis_acknowledge(struct input_redis *input, const char *group, unsigned *ret_made,
					   struct problem *problem)
{
	enum redis_failure failure = redis_link_is_open(input->link) ? REDIS_OK : REDIS_RECONNECT;

	*ret_made = 0;
	for (unsigned i = 0; i < input->options.partitions && !failure; i++) {
		bool is_new = false;

		failure = stream_position_acknowledge(&input->partitions[i].position, input->link, group, &is_new, problem);
		*ret_made += is_new;
	}
	return failure;
}

enum redis_failure input_redis_poll(struct input_redis *input, unsigned timeout_ms, struct problem *problem)
{
	uint64_t now_us = clock_steady_us();

	if (input->failures && now_us < input->retry_us) {
		uint64_t left_ms = (input->retry_us - now_us) / 1000 + 1;

		/* A signal may end this early, and is to. */
		(void)poll(NULL, 0, left_ms < timeout_ms ? (int)left_ms : (int)timeout_ms);
		return input->failure;
	}
	enum redis_failure failure = try_once(input, timeout_ms, problem);

	if (failure)
		note_failure(input, failure, problem);
	else
		note_success(input);
	return failure;
}
