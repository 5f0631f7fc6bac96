/* key_graph.c - ties sorted by where they begin. */
#include "analysis/key_graph.h"

#include <errno.h>
#include <stdlib.h>

enum { FIRST_SIZE = 1024 };

void key_graph_done(struct key_graph *graph)
{
	free(graph->ties);
	*graph = (struct key_graph){ .ties = NULL };
}

int key_graph_add(struct key_graph *graph, uint64_t a, uint64_t b)
{
	if (!a || !b)
		return 0;
	if (graph->count + 2 > graph->size) {
		size_t size = graph->size ? graph->size * 2 : FIRST_SIZE;
		struct key_tie *larger = reallocarray(graph->ties, size, sizeof *larger);

		if (!larger)
			return -ENOMEM;
		graph->ties = larger;
		graph->size = size;
	}
	graph->ties[graph->count++] = (struct key_tie){ a, b };
	graph->ties[graph->count++] = (struct key_tie){ b, a };
	graph->is_sorted = false;
	return 0;
}

static int by_begin(const void *a, const void *b)
{
	const struct key_tie *left = a, *right = b;

	if (left->from != right->from)
		return left->from < right->from ? -1 : 1;
	return (left->to > right->to) - (left->to < right->to);
}

/* The first tie of a key; the count: it has none. */
static size_t first_of(const struct key_graph *graph, uint64_t key)
{
	size_t low = 0, high = graph->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (graph->ties[middle].from < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

long key_graph_reach(struct key_graph *graph, uint64_t key, struct key_set *seen, uint64_t *ret_keys,
		     size_t limit)
{
	size_t count = 0;
	int is_new = limit ? key_set_add(seen, key) : 0;

	if (!graph->is_sorted && graph->count)
		qsort(graph->ties, graph->count, sizeof *graph->ties, by_begin);
	graph->is_sorted = true;
	if (is_new > 0)
		ret_keys[count++] = key;
	for (size_t done = 0; done < count && is_new >= 0; done++)
		for (size_t i = first_of(graph, ret_keys[done]);
		     i < graph->count && graph->ties[i].from == ret_keys[done]; i++) {
			if (count == limit)
				return (long)count;
			is_new = key_set_add(seen, graph->ties[i].to);
			if (is_new < 0)
				break;
			if (is_new)
				ret_keys[count++] = graph->ties[i].to;
		}
	return is_new < 0 ? -ENOMEM : (long)count;
}
