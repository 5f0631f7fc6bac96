/* forget_redis.c - each stream up to where the store is, page by page. */
#include "analysis/forget_redis.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "analysis/ingest_redis.h"
#include "analysis/stream_id.h"
#include "common/record.h"
#include "common/redis_link.h"

enum { PAGE = 500 };

struct forgetting {
	struct redis_link *link;
	const struct person *person;
	const char *key;
	struct stream_id read;		/* by the store */
	struct forget_redis_counts *counts;
	struct problem *problem;
};

/* A field's name and its value, in turn. */
static bool names(const struct redis_reply *entry, const struct person *person)
{
	struct redis_reply words = redis_reply_at(entry, 1);

	for (size_t i = 1; i < words.count; i += 2) {
		struct text value = redis_reply_at(&words, i).text;
		const struct field_info *info = field_by_name(redis_reply_at(&words, i - 1).text);

		if (person_find(person, value).start || (info && person_is_named_by(info->number) && person_is_login(person, value)))
			return true;
	}
	return false;
}

static enum redis_failure delete_entry(const struct forgetting *forgetting, struct stream_id id)
{
	char id_text[STREAM_ID_SIZE];
	struct text words[] = { TEXT_LITERAL("XDEL"), text_of(forgetting->key), stream_id_format(id, id_text) };
	struct redis_reply reply;
	enum redis_failure failure = redis_link_command(forgetting->link, 3, words, &reply, forgetting->problem);

	forgetting->counts->deleted += !failure && reply.integer == 1;
	return failure;
}

static struct stream_id next_id(struct stream_id id)
{
	return id.number == UINT64_MAX ? (struct stream_id){ id.ms + 1, 0 } : (struct stream_id){ id.ms, id.number + 1 };
}

/* Entries from *at on, which goes behind them. The reply is gone with the next command: what is to go is noted first. */
static enum redis_failure look_at_page(const struct forgetting *forgetting, struct stream_id *at, bool *ret_is_last)
{
	char id_text[STREAM_ID_SIZE], page[12];
	struct text words[] = { TEXT_LITERAL("XRANGE"), text_of(forgetting->key), stream_id_format(*at, id_text), TEXT_LITERAL("+"),
				TEXT_LITERAL("COUNT"), { page, (size_t)snprintf(page, sizeof page, "%d", PAGE) } };
	struct stream_id gone[PAGE];
	size_t gone_count = 0;
	struct redis_reply entries;
	enum redis_failure failure = redis_link_command(forgetting->link, 6, words, &entries, forgetting->problem);

	if (failure)
		return failure;
	*ret_is_last = entries.count == 0;
	for (size_t i = 0; i < entries.count && i < PAGE; i++) {
		struct redis_reply entry = redis_reply_at(&entries, i);
		struct stream_id id;

		if (!stream_id_parse(redis_reply_at(&entry, 0).text, &id))
			continue;
		*at = next_id(id);
		if (!names(&entry, forgetting->person))
			continue;
		if (stream_id_compare(id, forgetting->read) > 0)
			forgetting->counts->left++;
		else
			gone[gone_count++] = id;
	}
	for (size_t i = 0; i < gone_count && !failure; i++)
		failure = delete_entry(forgetting, gone[i]);
	return failure;
}

static enum redis_failure forget_in_stream(const struct forgetting *forgetting)
{
	struct stream_id at = { 0, 0 };
	bool is_last = false;
	enum redis_failure failure = redis_link_for(forgetting->link, forgetting->key, forgetting->problem);

	while (!failure && !is_last)
		failure = look_at_page(forgetting, &at, &is_last);
	return failure;
}

/* The store's position is to be an entry that is there. */
static enum redis_failure find_last(const struct forgetting *forgetting, struct stream_entry *entry)
{
	char id_text[STREAM_ID_SIZE];
	struct text words[] = { TEXT_LITERAL("XREVRANGE"), text_of(forgetting->key), stream_id_format(forgetting->read, id_text),
				TEXT_LITERAL("-"), TEXT_LITERAL("COUNT"), TEXT_LITERAL("1") };
	struct redis_reply entries;
	enum redis_failure failure = redis_link_command(forgetting->link, 6, words, &entries, forgetting->problem);

	if (failure || entries.count == 0)
		return failure;
	struct redis_reply last = redis_reply_at(&entries, 0);

	if (stream_id_parse(redis_reply_at(&last, 0).text, &entry->id))
		entry->seq = stream_position_seq(&last);
	return REDIS_OK;
}

static enum redis_failure forget_partition(struct forgetting *forgetting, struct input_redis *input, unsigned partition)
{
	struct stream_entry entry = input_redis_place(input, partition, &forgetting->key);
	enum redis_failure failure;

	forgetting->read = entry.id;
	failure = forget_in_stream(forgetting);
	if (!failure && entry.was_read)
		failure = find_last(forgetting, &entry);
	input_redis_go_behind(input, partition, entry);
	return failure;
}

static bool refuse(void *context, const struct input_record *record)
{
	(void)context;
	(void)record;
	return false;
}

static void hear_nothing(void *context, const char *sentence)
{
	(void)context;
	(void)sentence;
}

int forget_redis(const struct config *config, struct store *store, const struct person *person,
		 struct forget_redis_counts *counts, struct problem *problem)
{
	const struct input_listener listener = { .record = refuse, .notice = hear_nothing };
	struct input_redis_options options = { .prefix = config->stream_prefix, .partitions = (unsigned)config->partitions,
					       .start = INPUT_FROM_ID };
	struct forgetting forgetting = { .person = person, .counts = counts, .problem = problem };
	struct ingest_redis *places = NULL;
	enum redis_failure failure = REDIS_OK;
	int error;

	options.redis = redis_conf_options(&config->redis);
	error = ingest_redis_new(&places, &options, &listener, config->consumer_group, store, problem);
	if (error)
		return error;
	forgetting.link = redis_link_new(&options.redis);
	if (forgetting.link)
		failure = redis_link_open(forgetting.link, problem);
	for (unsigned i = 0; i < options.partitions && forgetting.link && !failure; i++)
		failure = forget_partition(&forgetting, ingest_redis_input(places), i);
	error = !forgetting.link ? -ENOMEM : failure ? -EIO : ingest_redis_keep(places, problem);
	if (!error)
		error = store_commit(store, problem);
	redis_link_free(forgetting.link);
	ingest_redis_free(places);
	return error;
}
