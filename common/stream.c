/* stream.c - the protocol of the stream: key names, the cursor, the append script. */
#include "stream.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include <openssl/evp.h>

#include "clock.h"
#include "record.h"

#define COUNTER_MASK ((UINT64_C(1) << JOURNAL_COUNTER_BITS) - 1)
#define SHA1_HEX_SIZE 41
/* The table has some 150; Lua's stack ends at 8,000 words. */
#define RECORD_FIELDS_MAX 1000

/*
 * KEYS: records, cursor. ARGV: expected cursor, begin of the new ones, the counters of all records
 * with blanks between them, host, instance, producer, partition; then for each record its stage, its
 * time, and its further names and values as MessagePack strings in one word. Each word costs Redis an
 * object and Lua a string: what all records share is sent once.
 *
 * The cursor moves first: whatever may forbid this script to write (memory, disk, replicas, rights)
 * does so before a record is in. Should an XADD fail after all, the cursor goes back to where
 * the records end, so that both always agree. An error is handed on as it is.
 */
static const char append_script[] =
	"local cursor = redis.pcall('GET', KEYS[2]) or ''\n"
	"if type(cursor) == 'table' then return cursor end\n"
	"if cursor ~= ARGV[1] then return {'MOVED', cursor} end\n"
	"local kind = redis.pcall('TYPE', KEYS[1])\n"
	"if kind.err then return kind end\n"
	"if kind.ok ~= 'stream' and kind.ok ~= 'none' then\n"
	"  return {err = 'WRONGTYPE ' .. KEYS[1] .. ' holds a ' .. kind.ok .. ', wanted a stream'}\n"
	"end\n"
	"local goal = ARGV[2] .. string.match(ARGV[3], '%d+$')\n"
	"local moved = redis.pcall('SET', KEYS[2], goal)\n"
	"if moved.err then return moved end\n"
	"local records, appended = KEYS[1], 0\n"
	"local host, instance, producer, partition = ARGV[4], ARGV[5], ARGV[6], ARGV[7]\n"
	"local function append()\n"
	"  for at = 10, #ARGV, 3 do\n"
	"    local id = redis.pcall('XADD', records, '*', 'stage', ARGV[at - 2], 'time', ARGV[at - 1], 'host', host,\n"
	"      'instance', instance, 'producer', producer, 'partition', partition, cmsgpack.unpack(ARGV[at]))\n"
	"    if type(id) == 'table' then return id end\n"
	"    appended = appended + 1\n"
	"  end\n"
	"end\n"
	"local ran, failure = pcall(append)\n"
	"if ran and not failure then return {'OK', goal} end\n"
	"local counter = string.gmatch(ARGV[3], '%d+')\n"
	"for i = 1, appended do cursor = ARGV[2] .. counter() end\n"
	"redis.pcall('SET', KEYS[2], cursor)\n"
	"return ran and failure or {err = 'ERR ' .. tostring(failure)}\n";

static pthread_once_t script_once = PTHREAD_ONCE_INIT;
static char script_sha1[SHA1_HEX_SIZE];		/* empty where this machine's policy has no SHA-1 */

static void digest_script(void)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned length = 0;

	if (!EVP_Digest(append_script, sizeof append_script - 1, digest, &length, EVP_sha1(), NULL))
		return;
	for (unsigned i = 0; i < length && 2 * i + 2 < SHA1_HEX_SIZE; i++)
		(void)snprintf(script_sha1 + 2 * i, 3, "%02x", digest[i]);
}

void stream_names(struct stream_names *ret_names, const char *prefix, unsigned partition, const char *producer)
{
	(void)snprintf(ret_names->records, sizeof ret_names->records, "{%.*s:%u}:records", STREAM_PREFIX_MAX, prefix,
		       partition);
	(void)snprintf(ret_names->cursor, sizeof ret_names->cursor, "{%.*s:%u}:cursor:%s", STREAM_PREFIX_MAX, prefix,
		       partition, producer);
	(void)snprintf(ret_names->overtaken, sizeof ret_names->overtaken, "{%.*s:%u}:overtaken:%s", STREAM_PREFIX_MAX,
		       prefix, partition, producer);
}

static bool take_number(struct text *text, uint64_t most, uint64_t *ret_number)
{
	uint64_t number = 0;
	size_t digits = 0;

	for (; digits < text->length && text->start[digits] >= '0' && text->start[digits] <= '9'; digits++) {
		number = number * 10 + (uint64_t)(text->start[digits] - '0');
		if (number > most)
			return false;
	}
	text->start += digits;
	text->length -= digits;
	*ret_number = number;
	return digits > 0;
}

static bool take_byte(struct text *text, char byte)
{
	if (text->length == 0 || text->start[0] != byte)
		return false;
	text->start++;
	text->length--;
	return true;
}

/* Takes a cursor apart; empty: none. 0 or -EBADMSG. */
static int cursor_parse(struct stream_cursor *ret_cursor, struct text text)
{
	struct stream_cursor cursor = { .exists = text.length > 0 };
	const char *colon = text.length ? memchr(text.start, ':', text.length) : NULL;
	uint64_t epoch = 0;

	if (text.length >= sizeof cursor.text || (text.length && memchr(text.start, '\0', text.length)))
		return -EBADMSG;
	if (cursor.exists) {
		size_t length = colon ? (size_t)(colon - text.start) : 0;
		struct text rest = { text.start + length, text.length - length };

		memcpy(cursor.text, text.start, text.length);
		if (length == 0 || length >= sizeof cursor.incarnation)
			return -EBADMSG;
		memcpy(cursor.incarnation, text.start, length);
		if (!take_byte(&rest, ':') || !take_number(&rest, UINT32_MAX, &epoch) || !take_byte(&rest, ':') ||
		    !take_number(&rest, COUNTER_MASK, &cursor.counter) || rest.length)
			return -EBADMSG;
		cursor.epoch = (uint32_t)epoch;
	}
	*ret_cursor = cursor;
	return 0;
}

static enum redis_failure read_cursor(struct stream_cursor *ret_cursor, const struct stream_names *names,
				      struct text text, struct problem *problem)
{
	if (cursor_parse(ret_cursor, text) == 0)
		return REDIS_OK;
	problem_set(problem, "redis key '%s' holds '%.*s', which is no cursor: look who wrote it, then delete it",
		    names->cursor, (int)(text.length < 100 ? text.length : 100), text.start);
	return REDIS_OPERATOR;
}

enum redis_failure stream_cursor_get(struct redis_link *link, const struct stream_names *names,
				     struct stream_cursor *ret_cursor, struct problem *problem)
{
	struct text words[] = { TEXT_LITERAL("GET"), text_of(names->cursor) };
	struct redis_reply reply;
	enum redis_failure failure = redis_link_for(link, names->cursor, problem);

	if (failure)
		return failure;
	failure = redis_link_command(link, 2, words, &reply, problem);
	if (failure == REDIS_OPERATOR && reply.type == REDIS_ERROR)
		problem_set(problem, "redis key '%s': %.*s", names->cursor, TEXT_ARGS(reply.text));
	if (failure)
		return failure;
	return read_cursor(ret_cursor, names, reply.type == REDIS_TEXT ? reply.text : TEXT_LITERAL(""), problem);
}

/* Fields of a record that have their place among the common ones. */
static const enum field early_fields[] = { FIELD_SESSION, FIELD_MSG, FIELD_QUEUE_ID };
enum { EARLY_FIELDS = sizeof early_fields / sizeof early_fields[0] };

/* An entry on its way: its record, or the gap that stands for it where it is none. */
struct outgoing {
	bool is_record;
	unsigned stage;
	uint64_t time_us;
	struct record_value early[EARLY_FIELDS];	/* number 0: absent */
	size_t count;
	struct record_value others[RECORD_FIELDS_MAX];
};

/* Fields that have their place before the others, or come from the journal and not from the record. */
static bool is_common(unsigned number)
{
	switch (number) {
	case FIELD_STAGE: case FIELD_TIME: case FIELD_HOST: case FIELD_INSTANCE: case FIELD_PRODUCER:
	case FIELD_PARTITION: case FIELD_SEQ: case FIELD_SESSION: case FIELD_MSG: case FIELD_QUEUE_ID:
	case FIELD_SCHEMA:
		return true;
	default:
		return false;
	}
}

/* Sorts a value; false: there are too many. */
static bool take_value(struct outgoing *outgoing, const struct record_value *value)
{
	if (!is_common(value->number)) {
		if (outgoing->count == RECORD_FIELDS_MAX)
			return false;
		outgoing->others[outgoing->count++] = *value;
		return true;
	}
	for (size_t i = 0; i < EARLY_FIELDS; i++)
		if (value->number == early_fields[i])
			outgoing->early[i] = *value;
	return true;
}

static bool read_record(struct outgoing *outgoing, struct text payload)
{
	struct record_view view;
	struct record_value value;

	if (record_view_open(&view, payload))
		return false;
	outgoing->stage = view.stage;
	outgoing->time_us = view.time_us;
	while (record_view_next(&view, &value))
		if (!take_value(outgoing, &value))
			return false;
	return true;
}

/* What is whole by its checksum and no record all the same: a reader is told what it misses. */
static void look_through(struct outgoing *outgoing, struct text payload)
{
	memset(outgoing->early, 0, sizeof outgoing->early);
	outgoing->count = 0;
	outgoing->is_record = read_record(outgoing, payload);
	if (outgoing->is_record)
		return;
	memset(outgoing->early, 0, sizeof outgoing->early);
	outgoing->stage = STAGE_GAP;
	outgoing->time_us = clock_now_us();
}

/* Writes number so that it ends at end; where it begins. */
static struct text number_text(uint64_t number, char *end)
{
	char *at = end;

	do {
		*--at = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	return (struct text){ at, (size_t)(end - at) };
}

static void add_number(struct redis_link *link, uint64_t number)
{
	char digits[RECORD_VALUE_TEXT_MAX];

	redis_link_add(link, number_text(number, digits + sizeof digits));
}

enum { PACKED_HEAD_MAX = 3 };

/* A MessagePack string. Every decoder knows these two forms; a value of a record has 16 bits of length. */
static char *pack(char *at, struct text text)
{
	if (text.length > 31) {
		*at++ = (char)0xda;
		*at++ = (char)(text.length >> 8);
		*at++ = (char)text.length;
	} else {
		*at++ = (char)(0xa0 | text.length);
	}
	if (text.length)
		memcpy(at, text.start, text.length);
	return at + text.length;
}

static void put_named(struct redis_link *link, struct text name, struct text value)
{
	char *at = redis_link_word_room(link, name.length + value.length + 2 * PACKED_HEAD_MAX);

	if (at)
		redis_link_word_wrote(link, pack(pack(at, name), value));
}

static struct text name_of(const struct field_info *info)
{
	return (struct text){ info->name, info->name_length };
}

static void put_pair(struct redis_link *link, enum field field, struct text value)
{
	put_named(link, name_of(field_info(field)), value);
}

static void put_value(struct redis_link *link, const struct record_value *value)
{
	char scratch[RECORD_VALUE_TEXT_MAX], name[32];

	if (!value->info)
		(void)snprintf(name, sizeof name, "field_%u", value->number);
	put_named(link, value->info ? name_of(value->info) : text_of(name), record_value_text(value, scratch));
}

static void add_stage(struct redis_link *link, unsigned stage)
{
	const struct stage_info *info = stage_info(stage);
	char name[32];

	if (!info)
		(void)snprintf(name, sizeof name, "stage_%u", stage);
	redis_link_add(link, text_of(info ? info->name : name));
}

static void add_time(struct redis_link *link, uint64_t time_us)
{
	char text[TIME_TEXT_SIZE];

	time_format(time_us, text);
	redis_link_add(link, (struct text){ text, TIME_TEXT_SIZE - 1 });
}

static void add_entry(struct redis_link *link, const struct journal_entry *entry)
{
	char digits[RECORD_VALUE_TEXT_MAX];
	struct outgoing outgoing;

	look_through(&outgoing, entry->payload);
	add_stage(link, outgoing.stage);
	add_time(link, outgoing.time_us);
	redis_link_word_begin(link);
	put_pair(link, FIELD_SEQ, number_text(entry->seq, digits + sizeof digits));
	for (size_t i = 0; i < EARLY_FIELDS; i++)
		if (outgoing.early[i].number)
			put_value(link, &outgoing.early[i]);
	put_pair(link, FIELD_SCHEMA, number_text(RECORD_SCHEMA, digits + sizeof digits));
	if (outgoing.is_record) {
		for (size_t i = 0; i < outgoing.count; i++)
			put_value(link, &outgoing.others[i]);
	} else {
		put_pair(link, FIELD_REASON, TEXT_LITERAL("damaged"));
		put_pair(link, FIELD_COUNT, TEXT_LITERAL("1"));
	}
	redis_link_word_end(link);
}

static void add_counters(struct redis_link *link, const struct journal_batch *batch)
{
	char digits[RECORD_VALUE_TEXT_MAX];

	redis_link_word_begin(link);
	for (size_t i = 0; i < batch->count; i++) {
		struct text counter = number_text(batch->entries[i].seq & COUNTER_MASK, digits + sizeof digits);

		redis_link_word_put(link, " ", i > 0);
		redis_link_word_put(link, counter.start, counter.length);
	}
	redis_link_word_end(link);
}

static void add_batch(struct redis_link *link, const struct stream_names *names, const struct stream_cursor *cursor,
		      const struct journal_batch *batch)
{
	char begin[STREAM_CURSOR_SIZE];

	(void)snprintf(begin, sizeof begin, "%s:%" PRIu32 ":", batch->origin.incarnation, batch->origin.epoch);
	redis_link_add(link, TEXT_LITERAL("2"));
	redis_link_add(link, text_of(names->records));
	redis_link_add(link, text_of(names->cursor));
	redis_link_add(link, text_of(cursor->exists ? cursor->text : ""));
	redis_link_add(link, text_of(begin));
	add_counters(link, batch);
	redis_link_add(link, text_of(batch->origin.host));
	redis_link_add(link, text_of(batch->origin.instance));
	redis_link_add(link, text_of(batch->origin.producer));
	add_number(link, batch->origin.partition);
	for (size_t i = 0; i < batch->count; i++)
		add_entry(link, &batch->entries[i]);
}

static enum redis_failure run_script(struct redis_link *link, const struct stream_names *names,
				     const struct stream_cursor *cursor, const struct journal_batch *batch,
				     struct redis_reply *ret_reply, struct problem *problem)
{
	enum redis_failure failure = REDIS_NO_SCRIPT;

	(void)pthread_once(&script_once, digest_script);
	for (bool with_body = !script_sha1[0];; with_body = true) {
		redis_link_begin(link);
		redis_link_add(link, with_body ? TEXT_LITERAL("EVAL") : TEXT_LITERAL("EVALSHA"));
		redis_link_add(link, with_body ? TEXT_LITERAL(append_script) : text_of(script_sha1));
		add_batch(link, names, cursor, batch);
		failure = redis_link_run(link, ret_reply, problem);
		if (failure != REDIS_NO_SCRIPT || with_body)
			return failure;
	}
}

enum stream_outcome stream_append(struct redis_link *link, const struct stream_names *names,
				  struct stream_cursor *cursor, const struct journal_batch *batch,
				  enum redis_failure *ret_failure, struct problem *problem)
{
	struct redis_reply reply;
	enum redis_failure failure = redis_link_for(link, names->records, problem);

	if (!failure)
		failure = run_script(link, names, cursor, batch, &reply, problem);

	if (!failure) {
		struct text word = redis_reply_at(&reply, 0).text, now = redis_reply_at(&reply, 1).text;
		bool is_ours = text_is(word, "OK"), is_moved = text_is(word, "MOVED");

		if (is_ours || is_moved)
			failure = read_cursor(cursor, names, now, problem);
		if (!failure && (is_ours || is_moved))
			return is_ours ? STREAM_APPENDED : STREAM_MOVED_CURSOR;
		if (!failure) {
			problem_set(problem, "redis gives an answer that the append script has not");
			redis_link_close(link);
			failure = REDIS_RECONNECT;
		}
	}
	*ret_failure = failure;
	return STREAM_FAILED;
}
