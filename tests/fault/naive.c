/* naive.c - a plain transaction with a cursor: the campaign must fail it. */
#include "naive.h"

#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/record.h"
#include "common/stream.h"
#include "tests/unit/pause.h"

#define COUNTER_MASK ((UINT64_C(1) << JOURNAL_COUNTER_BITS) - 1)
enum { FIELDS_MAX = 40 };

struct naive {
	struct shipper_options options;
	pthread_t thread;
	atomic_bool ends;
	struct redis_link *link;		/* for the cursor */
	redisContext *pipe;			/* a whole transaction in one go */
	struct stream_names names;
	struct journal_batch batch;
	char producer[JOURNAL_NAME_SIZE];
	bool in_place;
};

static bool say(struct naive *naive, size_t count, const struct text *words)
{
	const char *starts[12 + 2 * FIELDS_MAX];
	size_t lengths[12 + 2 * FIELDS_MAX];

	for (size_t i = 0; i < count; i++) {
		starts[i] = words[i].start;
		lengths[i] = words[i].length;
	}
	return redisAppendCommandArgv(naive->pipe, (int)count, starts, lengths) == 0;
}

/* The replies of the transaction; only that of EXEC is an array. */
static bool hear(struct naive *naive, size_t count)
{
	bool is_done = false;

	for (size_t i = 0; i < count; i++) {
		redisReply *reply = NULL;

		if (redisGetReply(naive->pipe, (void **)&reply) != 0)
			return false;
		is_done = reply->type == REDIS_REPLY_ARRAY;
		freeReplyObject(reply);
	}
	return is_done;
}

static bool connect_pipe(struct naive *naive)
{
	const char *address = naive->options.redis.address, *port = strrchr(address, ':');
	struct timeval limit = { .tv_usec = 500000 };

	naive->pipe = strncmp(address, "unix:", 5) == 0 ? redisConnectUnixWithTimeout(address + 5, limit) :
		      redisConnectWithTimeout("127.0.0.1", atoi(port + 1), limit);
	return naive->pipe && !naive->pipe->err && redisSetTimeout(naive->pipe, limit) == 0;
}

static void disconnect(struct naive *naive)
{
	redis_link_close(naive->link);
	if (naive->pipe)
		redisFree(naive->pipe);
	naive->pipe = NULL;
	naive->in_place = false;
}

static bool add_entry(struct naive *naive, const struct journal_entry *entry)
{
	static _Thread_local char scratch[FIELDS_MAX][RECORD_VALUE_TEXT_MAX];
	struct text words[12 + 2 * FIELDS_MAX];
	char seq[32], partition[16];
	struct record_view view;
	struct record_value value;
	size_t count = 0;

	if (record_view_open(&view, entry->payload))
		return false;
	(void)snprintf(seq, sizeof seq, "%" PRIu64, entry->seq);
	(void)snprintf(partition, sizeof partition, "%u", naive->batch.origin.partition);
	const struct text head[] = {
		TEXT_LITERAL("XADD"), text_of(naive->names.records), TEXT_LITERAL("*"),
		TEXT_LITERAL("stage"), text_of(stage_name(view.stage)), TEXT_LITERAL("host"), text_of(naive->batch.origin.host),
		TEXT_LITERAL("producer"), text_of(naive->producer), TEXT_LITERAL("partition"), text_of(partition),
	};

	for (; count < sizeof head / sizeof head[0]; count++)
		words[count] = head[count];
	words[count++] = TEXT_LITERAL("seq");
	words[count++] = text_of(seq);
	for (size_t i = 0; i < FIELDS_MAX - 1 && record_view_next(&view, &value); i++) {
		words[count++] = text_of(value.info ? value.info->name : "unknown");
		words[count++] = record_value_text(&value, scratch[i]);
	}
	return say(naive, count, words);
}

static bool find_place(struct naive *naive)
{
	struct stream_cursor cursor;
	struct problem problem;

	if (redis_link_open(naive->link, &problem) || (!naive->pipe && !connect_pipe(naive)))
		return false;
	if (!naive->producer[0])
		return true;
	if (stream_cursor_get(naive->link, &naive->names, &cursor, &problem))
		return false;
	(void)journal_seek(naive->options.journal, text_of(cursor.exists ? cursor.incarnation : ""), cursor.epoch,
			   cursor.counter);
	naive->in_place = true;
	return true;
}

static bool send_batch(struct naive *naive)
{
	const struct journal_batch *batch = &naive->batch;
	uint64_t last = batch->entries[batch->count - 1].seq;
	char cursor[STREAM_CURSOR_SIZE];
	const struct text begin[] = { TEXT_LITERAL("MULTI") }, end[] = { TEXT_LITERAL("EXEC") };

	(void)snprintf(cursor, sizeof cursor, "%s:%" PRIu32 ":%" PRIu64, batch->origin.incarnation, batch->origin.epoch,
		       last & COUNTER_MASK);
	const struct text set[] = { TEXT_LITERAL("SET"), text_of(naive->names.cursor), text_of(cursor) };

	if (!say(naive, 1, begin))
		return false;
	for (size_t i = 0; i < batch->count; i++)
		if (!add_entry(naive, &batch->entries[i]))
			return false;
	if (!say(naive, 3, set) || !say(naive, 1, end) || !hear(naive, batch->count + 3))
		return false;
	journal_shipped(naive->options.journal, last);
	return true;
}

static bool ship_some(struct naive *naive)
{
	if ((!naive->pipe || !redis_link_is_open(naive->link) || (naive->producer[0] && !naive->in_place)) && !find_place(naive))
		return false;
	int found = journal_read(naive->options.journal, &naive->batch);

	if (found == 0)
		pause_ms(10);
	if (found <= 0)
		return found == 0;
	if (strcmp(naive->producer, naive->batch.origin.producer) != 0) {
		memcpy(naive->producer, naive->batch.origin.producer, sizeof naive->producer);
		stream_names(&naive->names, naive->options.prefix, naive->options.partition, naive->producer);
		naive->in_place = false;
		return true;
	}
	return send_batch(naive);
}

static void *ship(void *context)
{
	struct naive *naive = context;

	while (!atomic_load(&naive->ends))
		if (!ship_some(naive)) {
			disconnect(naive);
			pause_ms(50);
		}
	return NULL;
}

struct naive *naive_start(const struct shipper_options *options)
{
	struct naive *naive = calloc(1, sizeof *naive);

	if (naive)
		naive->options = *options;
	if (!naive || !(naive->link = redis_link_new(&options->redis)) ||
	    pthread_create(&naive->thread, NULL, ship, naive) != 0) {
		(void)fprintf(stderr, "the naive shipper cannot start\n");
		exit(1);
	}
	return naive;
}

void naive_stop(struct naive *naive)
{
	atomic_store(&naive->ends, true);
	(void)pthread_join(naive->thread, NULL);
	disconnect(naive);
	redis_link_free(naive->link);
	free(naive);
}
