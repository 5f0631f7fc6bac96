/* newest.c - the newest rows, sorted whenever there are so many that the oldest must go. */
#include "analysis/newest.h"

#include <stdlib.h>

#include "analysis/columns.h"

/* How many more than are asked for are kept before the oldest go. */
enum { SLACK = 1024 };

static int oldest_first(const void *a, const void *b)
{
	const struct newest_item *left = *(struct newest_item *const *)a, *right = *(struct newest_item *const *)b;

	if (left->time_us != right->time_us)
		return left->time_us < right->time_us ? -1 : 1;
	if (left->key != right->key)
		return left->key < right->key ? -1 : 1;
	return (left->number > right->number) - (left->number < right->number);
}

/* A session's message may have come behind it. */
static void drop_sessions(struct newest *newest)
{
	size_t kept = 0;

	for (size_t i = 0; i < newest->count; i++)
		if (newest->items[i]->is_session && key_set_has(&newest->sessions, newest->items[i]->key))
			newest->drop(newest->context, newest->items[i]);
		else
			newest->items[kept++] = newest->items[i];
	newest->count = kept;
}

void newest_finish(struct newest *newest)
{
	size_t beyond;

	drop_sessions(newest);
	beyond = newest->limit && newest->count > newest->limit ? newest->count - newest->limit : 0;
	if (newest->count)
		qsort(newest->items, newest->count, sizeof *newest->items, oldest_first);
	for (size_t i = 0; i < beyond; i++)
		newest->drop(newest->context, newest->items[i]);
	newest->count -= beyond;
	newest->left_out += beyond;
	if (beyond)
		memmove(newest->items, newest->items + beyond, newest->count * sizeof *newest->items);
}

bool newest_make_room(struct newest *newest)
{
	struct newest_item **larger;

	if (newest->limit && newest->count >= newest->limit * 2 + SLACK)
		newest_finish(newest);
	if (newest->count < newest->size)
		return true;
	larger = reallocarray(newest->items, newest->size ? newest->size * 2 : SLACK, sizeof *larger);
	if (!larger)
		return false;
	newest->items = larger;
	newest->size = newest->size ? newest->size * 2 : SLACK;
	return true;
}

void newest_add(struct newest *newest, struct newest_item *item)
{
	newest->items[newest->count++] = item;
}

struct newest_item newest_item_of(const struct newest *newest, const struct report_row *row)
{
	return (struct newest_item){
		.time_us = row->time_us, .key = columns_key(row), .number = row->recipient ? row->recipient->number : 0,
		.is_session = row->moment == REPORT_SESSION && !newest->takes_all,
	};
}

bool newest_wants(struct newest *newest, const struct report_row *row)
{
	if (newest->takes_all)
		return true;
	if (row->moment == REPORT_SESSION)
		return !key_set_has(&newest->sessions, row->session->key);
	if (row->moment != REPORT_MESSAGE)
		return true;
	if (row->message->session_key && key_set_add(&newest->sessions, row->message->session_key) < 0)
		newest->is_short = true;
	return !row->message->recipients;
}

bool newest_has_enough(struct newest *newest, uint64_t before_us)
{
	if (!newest->limit || newest->count < newest->limit)
		return false;
	newest_finish(newest);
	newest->has_stopped = newest->count >= newest->limit && newest->items[0]->time_us >= before_us;
	return newest->has_stopped;
}

void newest_done(struct newest *newest)
{
	for (size_t i = 0; i < newest->count; i++)
		newest->drop(newest->context, newest->items[i]);
	free(newest->items);
	key_set_done(&newest->sessions);
}
