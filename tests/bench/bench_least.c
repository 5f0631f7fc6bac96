/*
 * bench_least.c - what a log costs when it is read and then as little is done with it as any join must do.
 *
 *     bench_least LOG
 *
 * Lines are read and taken apart as smtptrail does it. Then each is tied: by host and queue identifier where it has one,
 * else by host and process: one look-up in a table of what is under way, and the addresses that it names are copied there.
 * What has ended is forgotten at once. Nothing is told of it but how many there were: no fates, no late lines, no
 * identifiers used again, no hops.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/format.h"
#include "analysis/log_pipeline.h"
#include "analysis/open_table.h"
#include "analysis/pool.h"

enum { ADDRESS_MAX = 63 };

struct entry {
	uint64_t hash, lines;
	int64_t time_us;
	struct address {
		uint8_t length;
		char bytes[ADDRESS_MAX];
	} from, to, client;
};

struct least {
	struct open_table table;
	struct pool *pool;
	uint64_t seed, entries, lines;
};

static void keep(struct address *address, struct text text)
{
	address->length = (uint8_t)(text.length < ADDRESS_MAX ? text.length : ADDRESS_MAX);
	memcpy(address->bytes, text.start, address->length);
}

static struct entry *entry_of(struct least *least, uint64_t hash)
{
	struct entry *entry = open_table_find(&least->table, hash);
	size_t size = sizeof *entry;

	if (entry)
		return entry;
	entry = pool_take(least->pool, &size);
	if (!entry || open_table_add(&least->table, hash, entry) != 0)
		exit(1);
	entry->hash = hash;
	entry->lines = entry->from.length = entry->to.length = entry->client.length = 0;
	least->entries++;
	return entry;
}

static void take_one(struct least *least, const struct event *event)
{
	uint64_t host = hash_text(least->seed, event->frame.host);
	struct text queue_id = event_text(event, NAME_QUEUE_ID);
	struct entry *entry = entry_of(least, hash_text(host, queue_id.length ? queue_id : event->frame.pid));

	entry->lines++;
	entry->time_us = event->frame.time_us;
	for (unsigned i = 0; i < event->field_count; i++) {
		const struct event_field *field = &event->fields[i];

		if (field->name == EVENT_NAME(FROM))
			keep(&entry->from, field->value);
		else if (field->name == EVENT_NAME(TO))
			keep(&entry->to, field->value);
		else if (field->name == EVENT_NAME(CLIENT_ADDR))
			keep(&entry->client, field->value);
	}
	if (event->kind == EVENT_KIND(REMOVED) || event->kind == EVENT_KIND(DISCONNECT)) {
		open_table_remove(&least->table, entry->hash, entry);
		pool_give(least->pool, entry, sizeof *entry);
	}
}

static int take(void *context, const struct event *events, size_t count)
{
	struct least *least = context;

	least->lines += count;
	for (size_t i = 0; i < count; i++)
		if (events[i].kind)
			take_one(least, &events[i]);
	return 0;
}

int main(int argc, char **argv)
{
	struct least least = { .pool = pool_new(), .seed = UINT64_C(0x2545f4914f6cdd1d) };
	const struct log_consumer consumer = { take, &least };
	struct log_options options = { .year = 2026 };
	struct log_pipeline *pipeline;
	struct problem problem = { "" };

	if (argc != 2 || !least.pool || format_prepare() || log_pipeline_new(&pipeline, &options, 0)) {
		fputs("usage: bench_least LOG\n", stderr);
		return 2;
	}
	if (log_pipeline_read(pipeline, argv[1], &consumer, &problem) != 0) {
		fprintf(stderr, "bench_least: %s\n", problem.text);
		return 1;
	}
	printf("%llu lines, %llu entries, %zu of them under way\n", (unsigned long long)least.lines, (unsigned long long)least.entries,
	       least.table.count);
	log_pipeline_free(pipeline);
	open_table_done(&least.table);
	pool_free(least.pool);
	return 0;
}
