/*
 * correlate_way.c - where a mail came from that goes through several messages: a content filter, hosts of ours.
 *
 * What a message says of itself is kept once, as soon as another comes from it, and as long as that is there: the message may
 * have left long before. Each knows the one before it, so the first is found even where that was tied last.
 */
#include "analysis/correlate_internal.h"

struct open_way {
	struct way way;		/* what is known of that message */
	struct open_way *before;	/* of the one that it came from; NULL: it is the first */
	size_t size;
	uint32_t users;
	bool lacks_before;	/* it came from another that had left when the process began */
};

static struct open_way *use(struct open_way *way)
{
	if (way)
		way->users++;
	return way;
}

void way_drop(struct correlate *correlate, struct open_way *way)
{
	while (way && --way->users == 0) {
		struct open_way *before = way->before;

		pool_give(correlate->pool, way, way->size);
		way = before;
	}
}

static struct text keep_text(char **at, struct text text)
{
	struct text kept = { text.start ? *at : NULL, text.length };

	if (text.length)
		memcpy(*at, text.start, text.length);
	*at += text.length;
	return kept;
}

static struct open_way *way_new(struct correlate *correlate, const struct open_message *message)
{
	const struct session *session = message->message.session;
	struct text client = session ? facts_text(&session->facts, FACT_SESSION_CLIENT_ADDR) : TEXT_NONE;
	struct text account = session ? facts_text(&session->facts, FACT_SESSION_AUTH_AUTHEN) : TEXT_NONE;
	size_t size = sizeof(struct open_way) + client.length + account.length;
	struct open_way *way = pool_take(correlate->pool, &size);
	char *at = (char *)(way + 1);

	if (!way)
		return NULL;
	*way = (struct open_way){ .before = use(message->way_before), .size = size, .users = 1 };
	way->lacks_before = !way->before && (message->message.parent_kind == PARENT_HOP || message->message.parent_kind == PARENT_NEXT_HOST);
	way->way.start_us = time_told_finer(message->message.start_us, message->records_us);
	way->way.client_addr = keep_text(&at, client);
	way->way.account = keep_text(&at, account);
	return way;
}

struct open_way *way_take(struct correlate *correlate, struct open_message *message)
{
	if (!message->own_way)
		message->own_way = way_new(correlate, message);
	return use(message->own_way);
}

static struct open_way *first_of(struct open_way *way)
{
	for (unsigned i = 0; way->before && i < WAY_MAX; i++)
		way = way->before;
	return way;
}

void way_set(struct open_message *child, struct open_way *way)
{
	if (!way || child->way_before)
		return;
	child->way_before = use(way);
	/* Others came from it before. */
	if (child->own_way && !child->own_way->before && first_of(way) != child->own_way)
		child->own_way->before = use(way);
}

const struct way *way_first(const struct open_message *message)
{
	const struct open_way *first = message->way_before ? first_of(message->way_before) : NULL;

	return first && !first->lacks_before ? &first->way : NULL;
}

void way_take_over(struct open_message *into, struct open_message *from)
{
	if (!into->way_before) {
		into->way_before = from->way_before;
		from->way_before = NULL;
	}
	if (!into->own_way) {
		into->own_way = from->own_way;
		from->own_way = NULL;
	}
	if (into->way_before && into->own_way && !into->own_way->before && first_of(into->way_before) != into->own_way)
		into->own_way->before = use(into->way_before);
}
