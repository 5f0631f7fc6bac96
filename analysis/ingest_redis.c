/* ingest_redis.c - rows of the store's table input, of the kinds "stream" and "producer". */
#include "analysis/ingest_redis.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/sequence.h"

static const char stream_kind[] = "stream", producer_kind[] = "producer";

enum { INPUT_NAME_SIZE = STREAM_KEY_SIZE + JOURNAL_NAME_SIZE, STATE_SIZE = 4096 };

struct ingest_redis {
	struct input_redis *input;
	struct input_listener listener;
	const char *group;
	unsigned partitions;
	struct store *store;
	bool had_group;
	bool says_failure;		/* of acknowledging; said once */

	/* While a commit is prepared. */
	struct problem *problem;
	int error;
};

/* ---- from the store ---- */

static struct stream_entry read_entry(const char *state)
{
	struct stream_entry entry = { .was_read = true };

	if (sscanf(state, "id %" SCNu64 "-%" SCNu64 " seq %" SCNu64, &entry.id.ms, &entry.id.number, &entry.seq) != 3)
		entry.was_read = false;
	return entry;
}

static void take_position(void *context, struct text name, struct text state)
{
	struct ingest_redis *redis = context;
	char words[STATE_SIZE];
	struct stream_entry entry;

	(void)snprintf(words, sizeof words, "%.*s", (int)state.length, state.start);
	entry = read_entry(words);
	for (unsigned i = 0; i < redis->partitions; i++) {
		const char *key;

		(void)input_redis_place(redis->input, i, &key);
		if (!text_is(name, key) || !entry.was_read)
			continue;
		input_redis_go_behind(redis->input, i, entry);
		redis->had_group = true;
	}
}

/* Its name is "PARTITION/PRODUCER" behind the key of the first stream. */
static void name_producer(const struct ingest_redis *redis, struct text producer, unsigned partition, char ret_name[INPUT_NAME_SIZE])
{
	const char *key;

	(void)input_redis_place(redis->input, 0, &key);
	(void)snprintf(ret_name, INPUT_NAME_SIZE, "%s %u %.*s", key, partition, (int)producer.length, producer.start);
}

static void take_producer(void *context, struct text name, struct text state)
{
	struct ingest_redis *redis = context;
	char words[STATE_SIZE], prefix[INPUT_NAME_SIZE];
	unsigned partition = 0;
	int length = 0;

	name_producer(redis, TEXT_LITERAL(""), 0, prefix);
	prefix[strlen(prefix) - 2] = '\0';
	if (name.length < strlen(prefix) || memcmp(name.start, prefix, strlen(prefix)) != 0)
		return;
	(void)snprintf(words, sizeof words, "%.*s", (int)name.length, name.start);
	if (sscanf(words + strlen(prefix), "%u %n", &partition, &length) != 1 || !length)
		return;
	name.start += strlen(prefix) + (size_t)length;
	name.length -= strlen(prefix) + (size_t)length;
	(void)snprintf(words, sizeof words, "%.*s", (int)state.length, state.start);
	(void)sequence_restore(input_redis_sequence(redis->input), name, partition, words);
}

int ingest_redis_new(struct ingest_redis **ret_redis, const struct input_redis_options *options,
		     const struct input_listener *listener, const char *group, struct store *store, struct problem *problem)
{
	struct ingest_redis *redis = calloc(1, sizeof *redis);
	int error = -ENOMEM;

	if (!redis)
		return error;
	*redis = (struct ingest_redis){ .listener = *listener, .group = group, .partitions = options->partitions, .store = store };
	redis->input = input_redis_new(options, listener);
	if (redis->input)
		error = store_each_input(store, stream_kind, take_position, redis, problem);
	if (!error)
		error = store_each_input(store, producer_kind, take_producer, redis, problem);
	if (error) {
		ingest_redis_free(redis);
		return error;
	}
	*ret_redis = redis;
	return 0;
}

void ingest_redis_free(struct ingest_redis *redis)
{
	if (!redis)
		return;
	input_redis_free(redis->input);
	free(redis);
}

struct input_redis *ingest_redis_input(struct ingest_redis *redis)
{
	return redis->input;
}

/* ---- to the store ---- */

static void keep_producer(void *context, struct text producer, unsigned partition, struct text state)
{
	struct ingest_redis *redis = context;
	char name[INPUT_NAME_SIZE];

	name_producer(redis, producer, partition, name);
	if (!redis->error)
		redis->error = store_set_input(redis->store, producer_kind, text_of(name), state, redis->problem);
}

static int keep_position(const struct ingest_redis *redis, unsigned partition, struct problem *problem)
{
	char state[STATE_SIZE];
	const char *key;
	struct stream_entry entry = input_redis_place(redis->input, partition, &key);
	int length = snprintf(state, sizeof state, "id %" PRIu64 "-%" PRIu64 " seq %" PRIu64, entry.id.ms, entry.id.number, entry.seq);

	return store_set_input(redis->store, stream_kind, text_of(key), (struct text){ state, (size_t)length }, problem);
}

int ingest_redis_keep(struct ingest_redis *redis, struct problem *problem)
{
	redis->problem = problem;
	redis->error = 0;
	sequence_keep(input_redis_sequence(redis->input), keep_producer, redis);
	for (unsigned i = 0; i < redis->partitions && !redis->error; i++)
		redis->error = keep_position(redis, i, problem);
	return redis->error;
}

void ingest_redis_acknowledge(struct ingest_redis *redis)
{
	struct problem problem = { "" }, words;
	unsigned made = 0;
	enum redis_failure failure = input_redis_acknowledge(redis->input, redis->group, &made, &problem);

	if (failure && problem.text[0] && !redis->says_failure) {
		problem_set(&words, "cannot acknowledge in the consumer group '%s': %s; what is in the store stays there", redis->group,
			    problem.text);
		redis->listener.notice(redis->listener.context, words.text);
	}
	redis->says_failure = failure != REDIS_OK;
	if (!failure && made && redis->had_group) {
		problem_set(&words, "Redis had lost the consumer group '%s': it is there again, behind what the store has", redis->group);
		redis->listener.notice(redis->listener.context, words.text);
	}
	redis->had_group = redis->had_group || !failure;
}
