/* search.c - rows that were found, the newest of them kept. */
#include "analysis/search.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/key_set.h"

/* How many rows more than are asked for are kept before the oldest go. */
enum { SLACK = 1024 };

struct hit {
	uint64_t time_us;
	transaction_key key;
	uint32_t number; /* of the recipient; 0: there is none */
	bool is_session;
	size_t size;	     /* bytes of all */
	struct cell cells[]; /* behind them their texts */
};

struct search {
	struct columns columns;
	const struct query *query;
	enum query_kind kind;
	size_t limit;
	struct hit **hits;
	size_t count, size, left_out;
	bool has_stopped;	 /* before all that was older had been looked at */
	struct key_set sessions; /* that have a message among the hits */
	struct pool *pool;
	bool is_short;
};

/* By what a row is. */
static const struct {
	unsigned moments;
	const char *columns;
} kinds[] = {
	[QUERY_KIND_ANY] = { REPORT_MESSAGE | REPORT_RECIPIENT | REPORT_SESSION | REPORT_LOGIN, COLUMNS_USUAL },
	[QUERY_KIND_RECIPIENT] = { REPORT_RECIPIENT, COLUMNS_USUAL },
	[QUERY_KIND_MESSAGE] = { REPORT_MESSAGE, "time,from,recipients,state,spf,dkim,dmarc,size,key" },
	[QUERY_KIND_SESSION] = { REPORT_SESSION, "time,client_addr,helo,last_stage,ended,messages,key" },
	[QUERY_KIND_ATTEMPT] = { REPORT_ATTEMPT, "time,from,to,status,relay_name,delay,key" },
	[QUERY_KIND_CHECK] = { REPORT_CHECK, "time,from,check,result,domain,time_us,key" },
	[QUERY_KIND_LOGIN] = { REPORT_LOGIN, "time,service,outcome,auth_authen,client_addr,key" },
	[QUERY_KIND_LINE] = { REPORT_LINE, "time,process,text,file,line" },
};

unsigned search_moments(const struct search *search)
{
	return kinds[search->kind].moments;
}

int search_new(struct search **ret_search, const struct query *query, const char *columns, size_t limit, struct problem *problem)
{
	struct search *search = calloc(1, sizeof *search);
	enum query_kind kind = query ? query_kind(query) : QUERY_KIND_ANY;
	const char *usual = kinds[kind].columns;
	int error = search ? columns_parse(&search->columns, columns ? columns : usual, usual, problem) : -ENOMEM;

	if (!error) {
		search->query = query;
		search->kind = kind;
		search->limit = limit;
		search->pool = pool_new();
		error = search->pool ? 0 : -ENOMEM;
	}
	if (error)
		search_free(search);
	else
		*ret_search = search;
	return error;
}

void search_free(struct search *search)
{
	if (!search)
		return;
	pool_free(search->pool);
	key_set_done(&search->sessions);
	free(search->hits);
	free(search);
}

/* ---- hits ---- */

static int oldest_first(const void *a, const void *b)
{
	const struct hit *left = *(struct hit *const *)a, *right = *(struct hit *const *)b;

	if (left->time_us != right->time_us)
		return left->time_us < right->time_us ? -1 : 1;
	if (left->key != right->key)
		return left->key < right->key ? -1 : 1;
	return (left->number > right->number) - (left->number < right->number);
}

static void drop_oldest(struct search *search)
{
	size_t beyond = search->limit && search->count > search->limit ? search->count - search->limit : 0;

	if (search->count)
		qsort(search->hits, search->count, sizeof *search->hits, oldest_first);
	for (size_t i = 0; i < beyond; i++)
		pool_give(search->pool, search->hits[i], search->hits[i]->size);
	search->count -= beyond;
	search->left_out += beyond;
	if (beyond)
		memmove(search->hits, search->hits + beyond, search->count * sizeof *search->hits);
}

static bool make_room(struct search *search)
{
	struct hit **larger;

	if (search->limit && search->count >= search->limit * 2 + SLACK)
		drop_oldest(search);
	if (search->count < search->size)
		return true;
	larger = reallocarray(search->hits, search->size ? search->size * 2 : SLACK, sizeof *larger);
	if (!larger)
		return false;
	search->hits = larger;
	search->size = search->size ? search->size * 2 : SLACK;
	return true;
}

static void add_hit(struct search *search, const struct report_row *row)
{
	struct cell cells[TABLE_COLUMNS_MAX];
	size_t size = sizeof(struct hit) + search->columns.count * sizeof *cells;
	struct hit *hit;
	char *at;

	columns_cells(&search->columns, row, cells);
	for (unsigned i = 0; i < search->columns.count; i++)
		size += search->columns.columns[i].type == CELL_TEXT && cells[i].is_known
				? cells[i].text.length
				: 0;
	hit = make_room(search) ? pool_take(search->pool, &size) : NULL;
	if (!hit) {
		search->is_short = true;
		return;
	}
	*hit = (struct hit){
		.time_us = row->time_us,
		.key = columns_key(row),
		.number = row->recipient ? row->recipient->number : 0,
		.is_session = row->moment == REPORT_SESSION && search->kind == QUERY_KIND_ANY,
		.size = size,
	};
	memcpy(hit->cells, cells, search->columns.count * sizeof *cells);
	at = (char *)(hit->cells + search->columns.count);
	for (unsigned i = 0; i < search->columns.count; i++) {
		struct cell *cell = &hit->cells[i];

		if (search->columns.columns[i].type != CELL_TEXT || !cell->is_known)
			continue;
		if (cell->text.length)
			memcpy(at, cell->text.start, cell->text.length);
		cell->text.start = at;
		at += cell->text.length;
	}
	search->hits[search->count++] = hit;
}

void search_add(struct search *search, const struct report_row *row)
{
	if (search->kind != QUERY_KIND_ANY) {
		add_hit(search, row);
		return;
	}
	/* A message is told by its recipients, a session by its messages, where there are any. */
	if (row->moment == REPORT_SESSION) {
		if (!key_set_has(&search->sessions, row->session->key))
			add_hit(search, row);
		return;
	}
	if (row->moment == REPORT_MESSAGE) {
		if (row->message->session_key &&
		    key_set_add(&search->sessions, row->message->session_key) < 0)
			search->is_short = true;
		if (row->message->recipients)
			return;
	}
	add_hit(search, row);
}

bool search_has_enough(struct search *search, uint64_t before_us)
{
	if (!search->limit || search->count < search->limit)
		return false;
	drop_oldest(search);
	search->has_stopped = search->hits[0]->time_us >= before_us;
	return search->has_stopped;
}

size_t search_count(const struct search *search)
{
	return search->count;
}

struct table *search_table(struct search *search)
{
	bool is_lines = search->kind == QUERY_KIND_LINE;
	struct table *table = table_new(is_lines ? "lines" : "transactions", is_lines ? "Lines" : "Transactions",
					search->columns.columns, search->columns.count);

	if (!table)
		return NULL;
	drop_oldest(search);
	for (size_t i = 0; i < search->count; i++) {
		const struct hit *hit = search->hits[i];

		/* Its message came behind it: one of the next day. */
		if (hit->is_session && key_set_has(&search->sessions, hit->key))
			continue;
		table_begin_row(table);
		for (unsigned j = 0; j < search->columns.count; j++) {
			if (!hit->cells[j].is_known)
				table_put_unknown(table);
			else if (search->columns.columns[j].type == CELL_TEXT)
				table_put_text(table, hit->cells[j].text);
			else
				table_put_number(table, hit->cells[j].number);
		}
		if (hit->key)
			table_put_query(table, "key:%016" PRIx64, hit->key);
	}
	if (search->has_stopped)
		table_put_note(table, "older days were not looked at; --limit 0 shows all");
	else if (search->left_out)
		table_put_note(table, "%zu older ones are left out; --limit 0 shows all", search->left_out);
	if (search->is_short)
		table_put_note(table, "memory was short: some are missing");
	return table;
}
