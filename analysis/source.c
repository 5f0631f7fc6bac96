/* source.c - names of files and streams, found by walking: there are few, and each is asked for once. */
#include "analysis/source.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "analysis/show_event.h"
#include "common/escape.h"

struct source {
	enum source_kind kind;
	char *name;
	size_t length;
};

struct source_table {
	pthread_mutex_t *lock;	/* guards all that follows */
	struct source *sources;
	size_t count, size;
	uint16_t last;		/* that was asked for */
};

static const char too_many[] = "(one of too many files)";

struct source_table *source_table_new(void)
{
	struct source_table *table = calloc(1, sizeof *table);

	if (!table)
		return NULL;
	table->lock = malloc(sizeof *table->lock);
	if (!table->lock) {
		free(table);
		return NULL;
	}
	pthread_mutex_init(table->lock, NULL);
	return table;
}

void source_table_free(struct source_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->count; i++)
		free(table->sources[i].name);
	free(table->sources);
	pthread_mutex_destroy(table->lock);
	free(table->lock);
	free(table);
}

static bool is_source(const struct source *source, enum source_kind kind, struct text name)
{
	return source->kind == kind && text_equal((struct text){ source->name, source->length }, name);
}

/* Room for one more; false: there is none. */
static bool grow(struct source_table *table)
{
	size_t size = table->size ? table->size * 2 : 16;
	struct source *sources;

	if (table->count < table->size)
		return true;
	sources = reallocarray(table->sources, size, sizeof *sources);
	if (!sources)
		return false;
	table->sources = sources;
	table->size = size;
	return true;
}

static uint16_t add(struct source_table *table, enum source_kind kind, struct text name)
{
	bool is_last = table->count + 1 >= SOURCES_MAX;
	struct text kept = is_last ? TEXT_LITERAL(too_many) : name;
	char *copy;

	if (table->count >= SOURCES_MAX || !grow(table))
		return (uint16_t)(table->count ? table->count - 1 : 0);
	copy = malloc(kept.length + 1);
	if (!copy)
		return (uint16_t)(table->count ? table->count - 1 : 0);
	if (kept.length)
		memcpy(copy, kept.start, kept.length);
	table->sources[table->count] = (struct source){ kind, copy, kept.length };
	return (uint16_t)table->count++;
}

static uint16_t find(struct source_table *table, enum source_kind kind, struct text name)
{
	if (table->last < table->count && is_source(&table->sources[table->last], kind, name))
		return table->last;
	for (size_t i = 0; i < table->count; i++)
		if (is_source(&table->sources[i], kind, name))
			return (uint16_t)i;
	return add(table, kind, name);
}

uint16_t source_number(struct source_table *table, enum source_kind kind, struct text name)
{
	uint16_t number;

	pthread_mutex_lock(table->lock);
	number = table->last = find(table, kind, name);
	pthread_mutex_unlock(table->lock);
	return number;
}

size_t source_count(const struct source_table *table)
{
	size_t count;

	pthread_mutex_lock(table->lock);
	count = table->count;
	pthread_mutex_unlock(table->lock);
	return count;
}

/* A copy: the array may grow. */
static struct source source_at(const struct source_table *table, uint16_t number)
{
	static char none[] = "";
	struct source source = { SOURCE_FILE, none, 0 };

	pthread_mutex_lock(table->lock);
	if (number < table->count)
		source = table->sources[number];
	pthread_mutex_unlock(table->lock);
	return source;
}

enum source_kind source_kind(const struct source_table *table, uint16_t number)
{
	return source_at(table, number).kind;
}

struct text source_name(const struct source_table *table, uint16_t number)
{
	struct source source = source_at(table, number);

	return (struct text){ source.name, source.length };
}

void source_print(const struct source_table *table, const struct evidence *evidence, FILE *out)
{
	struct text name = source_name(table, evidence->source);

	switch (source_kind(table, evidence->source)) {
	case SOURCE_STREAM:
		fprintf(out, "%" PRIu64 "-%" PRIu32 " of ", evidence->major, evidence->minor);
		escape_terminal(name, out);
		return;
	case SOURCE_FILE:
	case SOURCE_QUEUE:
	case SOURCE_JOURNALD:
		escape_terminal(name, out);
		fprintf(out, ":%" PRIu64, evidence->major);
		return;
	}
}

void source_print_json(const struct source_table *table, const struct evidence *evidence, FILE *out)
{
	(void)fputs("\"source\":", out);
	show_json_string(out, source_name(table, evidence->source));
	switch (source_kind(table, evidence->source)) {
	case SOURCE_STREAM:
		fprintf(out, ",\"id\":\"%" PRIu64 "-%" PRIu32 "\"", evidence->major, evidence->minor);
		return;
	case SOURCE_JOURNALD:
		fprintf(out, ",\"time_us\":%" PRIu64, evidence->major);
		return;
	case SOURCE_FILE:
	case SOURCE_QUEUE:
		fprintf(out, ",\"line\":%" PRIu64, evidence->major);
		return;
	}
}
