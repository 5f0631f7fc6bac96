/* search.c - rows that were found, the newest of them kept. */
#include "analysis/search.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/newest.h"

struct hit {
	struct newest_item item; /* first */
	size_t size;	     /* bytes of all */
	struct cell cells[]; /* behind them their texts */
};

struct search {
	struct columns columns;
	const struct query *query;
	enum query_kind kind;
	struct newest newest;
	struct pool *pool;
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

static void drop(void *context, struct newest_item *item)
{
	struct hit *hit = (struct hit *)item;

	pool_give(((struct search *)context)->pool, hit, hit->size);
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
		search->newest = (struct newest){ .limit = limit, .takes_all = kind != QUERY_KIND_ANY, .drop = drop, .context = search };
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
	newest_done(&search->newest);
	pool_free(search->pool);
	free(search);
}

/* ---- hits ---- */

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
	hit = newest_make_room(&search->newest) ? pool_take(search->pool, &size) : NULL;
	if (!hit) {
		search->newest.is_short = true;
		return;
	}
	*hit = (struct hit){
		.item = newest_item_of(&search->newest, row),
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
	newest_add(&search->newest, &hit->item);
}

void search_add(struct search *search, const struct report_row *row)
{
	if (newest_wants(&search->newest, row))
		add_hit(search, row);
}

bool search_has_enough(struct search *search, uint64_t before_us)
{
	return newest_has_enough(&search->newest, before_us);
}

size_t search_count(const struct search *search)
{
	return search->newest.count;
}

struct table *search_table(struct search *search)
{
	bool is_lines = search->kind == QUERY_KIND_LINE;
	struct table *table = table_new(is_lines ? "lines" : "transactions", is_lines ? "Lines" : "Transactions",
					search->columns.columns, search->columns.count);

	if (!table)
		return NULL;
	newest_finish(&search->newest);
	for (size_t i = 0; i < search->newest.count; i++) {
		const struct hit *hit = (const struct hit *)search->newest.items[i];

		table_begin_row(table);
		for (unsigned j = 0; j < search->columns.count; j++) {
			if (!hit->cells[j].is_known)
				table_put_unknown(table);
			else if (search->columns.columns[j].type == CELL_TEXT)
				table_put_text(table, hit->cells[j].text);
			else
				table_put_number(table, hit->cells[j].number);
		}
		if (hit->item.key)
			table_put_query(table, "key:%016" PRIx64, hit->item.key);
	}
	if (search->newest.has_stopped)
		table_put_note(table, "older days were not looked at; --limit 0 shows all");
	else if (search->newest.left_out)
		table_put_note(table, "%zu older ones are left out; --limit 0 shows all", search->newest.left_out);
	if (search->newest.is_short)
		table_put_note(table, "memory was short: some are missing");
	return table;
}
