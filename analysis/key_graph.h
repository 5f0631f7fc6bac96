/*
 * key_graph.h - which keys are tied to which, and all that one is tied to, near or far.
 *
 * Threads: one owner at a time.
 * Memory:  32 bytes a tie.
 */
#ifndef SMTPTRAIL_KEY_GRAPH_H
#define SMTPTRAIL_KEY_GRAPH_H

#include "analysis/key_set.h"

struct key_tie {
	uint64_t from, to;
};

struct key_graph {
	struct key_tie *ties;		/* each in both directions */
	size_t count, size;
	bool is_sorted;
};

void key_graph_done(struct key_graph *graph);
/* 0 or -ENOMEM. A key of 0 is tied to nothing. */
int key_graph_add(struct key_graph *graph, uint64_t a, uint64_t b);
/* The key itself and what it is tied to, nearest first, at most so many and none that was seen before; each is seen then.
 * How many they are, or -ENOMEM. */
long key_graph_reach(struct key_graph *graph, uint64_t key, struct key_set *seen, uint64_t *ret_keys, size_t limit);

#endif
