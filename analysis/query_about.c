/* query_about.c - what a query says of itself: kind, span of time, and what it asks for. */
#include <errno.h>

#include "analysis/query_internal.h"
#include "analysis/when.h"

enum query_kind query_kind(const struct query *query)
{
	return query->kind;
}

static void node_span(const struct query_node *node, uint64_t *low, uint64_t *high)
{
	uint64_t right_low, right_high;

	*low = 0;
	*high = UINT64_MAX;
	switch (node->kind) {
	case NODE_AND:
		node_span(node->left, low, high);
		node_span(node->right, &right_low, &right_high);
		*low = right_low > *low ? right_low : *low;
		*high = right_high < *high ? right_high : *high;
		return;
	case NODE_OR:
		node_span(node->left, low, high);
		node_span(node->right, &right_low, &right_high);
		*low = right_low < *low ? right_low : *low;
		*high = right_high > *high ? right_high : *high;
		return;
	case NODE_TERM:
		if (node->term->test == TEST_RANGE &&
		    (node->term->field.special == QUERY_TIME || node->term->field.special == QUERY_SINCE ||
		     node->term->field.special == QUERY_UNTIL || node->term->field.special == QUERY_ON)) {
			*low = node->term->low;
			*high = node->term->high;
		}
		return;
	case NODE_ALL:
	case NODE_NOT:
		return;
	}
}

void query_span(const struct query *query, uint64_t *ret_from_us, uint64_t *ret_until_us)
{
	node_span(query->root, ret_from_us, ret_until_us);
	*ret_until_us += *ret_until_us != UINT64_MAX;
}

int query_check_span(const struct query *query, struct problem *problem)
{
	uint64_t low, high;
	char from[WHEN_SIZE], until[WHEN_SIZE];

	node_span(query->root, &low, &high);
	if (low <= high)
		return 0;
	when_show(low, from);
	when_show(high + 1, until);
	problem_set(problem, "query: nothing is from %s on and before %s: since is not before until", from, until);
	return -EINVAL;
}

static bool node_is_span(const struct query_node *node)
{
	switch (node->kind) {
	case NODE_ALL:
		return true;
	case NODE_AND:
		return node_is_span(node->left) && node_is_span(node->right);
	case NODE_TERM:
		return node->term->test == TEST_RANGE &&
		       (node->term->field.special == QUERY_TIME || node->term->field.special == QUERY_SINCE ||
			node->term->field.special == QUERY_UNTIL || node->term->field.special == QUERY_ON);
	case NODE_OR:
	case NODE_NOT:
		break;
	}
	return false;
}

bool query_is_span(const struct query *query)
{
	return node_is_span(query->root);
}

static bool node_asks(const struct query_node *node, enum fact_level level)
{
	if (!node)
		return false;
	if (node->kind != NODE_TERM)
		return node_asks(node->left, level) || node_asks(node->right, level);
	switch (node->term->field.special) {
	case QUERY_FATE:
	case QUERY_TRIES:
	case QUERY_HOP:
		return level == LEVEL_RECIPIENT;
	case QUERY_RCPTS:
	case QUERY_PARENT:
	case QUERY_COMPLETE:
	case QUERY_ACCEPTED:
		return level == LEVEL_MESSAGE;
	case QUERY_OTHER_ENGINE:
		return level == LEVEL_CHECK || level == LEVEL_MESSAGE;
	case QUERY_ADDRESS:
	case QUERY_MAILDOMAIN:
		return level == LEVEL_MESSAGE || level == LEVEL_RECIPIENT;
	case QUERY_CLIENT:
		return level == LEVEL_SESSION;
	case QUERY_FACTS:
		for (unsigned i = 0; i < node->term->field.fact_count; i++)
			if (fact_table[node->term->field.facts[i]].level == level)
				return true;
		return false;
	case QUERY_ANYWHERE:
		return level == LEVEL_SESSION || level == LEVEL_MESSAGE || level == LEVEL_RECIPIENT;
	case QUERY_TIME:
	case QUERY_SINCE:
	case QUERY_UNTIL:
	case QUERY_ON:
	case QUERY_KEY:
	case QUERY_IS:
	case QUERY_SHAPE:
	case QUERY_UNDERSTOOD:
		break;
	}
	return false;
}

bool query_asks(const struct query *query, enum fact_level level)
{
	return node_asks(query->root, level);
}
