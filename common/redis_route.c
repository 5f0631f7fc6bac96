/* redis_route.c - who is to be asked: of sentinels the master, of a cluster the node that holds the slot. */
#include "redis_route.h"

#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "redis_slot.h"

enum {
	NODES_MAX = 256,
	RANGES_MAX = REDIS_SLOTS,
	CHECK_EVERY_US = 1000000,
	CHECK_SILENT_US = 15000000,	/* one that did not answer */
	CHECK_TIMEOUT_US = 250000,	/* between commands, while records wait */
	ADDRESS_SIZE = REDIS_HOST_SIZE + 20,
	NOBODY = 0xffff,
};

struct redis_route {
	const struct redis_options *options;
	struct redis_address address;
	unsigned next;			/* sentinel or node that is asked first */

	/* sentinel */
	bool has_master;
	struct redis_endpoint master;
	uint64_t check_us;		/* when one is asked again, between commands */
	uint64_t ask_us[REDIS_ENDPOINTS_MAX];	/* and not this one before */

	/* cluster */
	unsigned slot;
	bool has_slots;
	unsigned node_count;
	struct redis_endpoint nodes[NODES_MAX];
	uint16_t owner[REDIS_SLOTS];	/* index of its node, or NOBODY */
};

struct redis_route *redis_route_new(const struct redis_options *options, const struct redis_address *address)
{
	struct redis_route *route = calloc(1, sizeof *route);

	if (!route)
		return NULL;
	route->options = options;
	route->address = *address;
	return route;
}

void redis_route_free(struct redis_route *route)
{
	free(route);
}

void redis_route_for(struct redis_route *route, struct text key)
{
	route->slot = redis_slot(key);
}

void redis_route_forget(struct redis_route *route)
{
	route->has_master = route->has_slots = false;
	/* A node that is cut off from the others says what was: another one is asked next. */
	route->next++;
}

bool redis_route_known(const struct redis_route *route, struct redis_endpoint *ret_endpoint)
{
	if (route->address.kind == REDIS_SENTINEL) {
		*ret_endpoint = route->master;
		return route->has_master;
	}
	if (!route->has_slots || route->owner[route->slot] == NOBODY)
		return false;
	*ret_endpoint = route->nodes[route->owner[route->slot]];
	return true;
}

/* One question to one server, over a connection of its own. *ret_link holds the reply and is to be freed. */
static enum redis_failure ask(const struct redis_route *route, const struct redis_endpoint *whom, size_t count,
			      const struct text *words, uint64_t most_us, struct redis_link **ret_link,
			      struct redis_reply *ret_reply, struct problem *problem)
{
	char address[ADDRESS_SIZE];
	struct redis_options options = *route->options;
	bool is_ipv6 = strchr(whom->host, ':') != NULL;

	(void)snprintf(address, sizeof address, "%s:%s%s%s:%d", route->address.tls ? "tls" : "tcp", is_ipv6 ? "[" : "", whom->host, is_ipv6 ? "]" : "",
		       whom->port);
	options.address = address;
	if (route->address.kind == REDIS_SENTINEL) {
		/* A sentinel has users of its own. */
		options.user = options.sentinel_user;
		options.password_file = options.sentinel_password_file;
	}
	if (options.connect_timeout_us > most_us)
		options.connect_timeout_us = most_us;
	if (options.command_timeout_us > most_us)
		options.command_timeout_us = most_us;
	*ret_link = redis_link_new(&options);
	if (!*ret_link) {
		problem_set(problem, "no memory for a connection to '%s'", address);
		return REDIS_WAIT;
	}
	enum redis_failure failure = redis_link_open(*ret_link, problem);

	return failure ? failure : redis_link_command(*ret_link, count, words, ret_reply, problem);
}

bool redis_route_read_master(const struct redis_reply *reply, struct redis_endpoint *ret_endpoint)
{
	struct text host = redis_reply_at(reply, 0).text, port = redis_reply_at(reply, 1).text;
	long long number = 0;

	if (reply->type != REDIS_ARRAY || reply->count != 2 || port.length == 0 || port.length > 5)
		return false;
	for (size_t i = 0; i < port.length; i++) {
		if (port.start[i] < '0' || port.start[i] > '9')
			return false;
		number = number * 10 + (port.start[i] - '0');
	}
	return redis_endpoint_set(ret_endpoint, host, number) == 0;
}

/* REDIS_OPERATOR: it answers, and does not know the name. */
static enum redis_failure ask_sentinel(const struct redis_route *route, const struct redis_endpoint *sentinel,
				       uint64_t most_us, struct redis_endpoint *ret_master, struct problem *problem)
{
	const struct text words[] = { TEXT_LITERAL("SENTINEL"), TEXT_LITERAL("GET-MASTER-ADDR-BY-NAME"),
				      text_of(route->address.master) };
	struct redis_reply reply;
	struct redis_link *link = NULL;
	enum redis_failure failure = ask(route, sentinel, 3, words, most_us, &link, &reply, problem);

	if (!failure && reply.type == REDIS_NIL) {
		problem_set(problem, "sentinel '%s:%d' knows no master '%s': look at the name behind the slash of '%s'",
			    sentinel->host, sentinel->port, route->address.master, route->options->address);
		failure = REDIS_OPERATOR;
	} else if (!failure && !redis_route_read_master(&reply, ret_master)) {
		problem_set(problem, "sentinel '%s:%d' gives an answer that a sentinel would not", sentinel->host,
			    sentinel->port);
		failure = REDIS_RECONNECT;
	}
	redis_link_free(link);
	return failure;
}

/* What the sentinels say, each master once. */
struct poll {
	size_t masters;
	struct redis_endpoint master[REDIS_ENDPOINTS_MAX];
	size_t votes[REDIS_ENDPOINTS_MAX];
};

/* The votes that this master has now. */
static size_t count_vote(struct poll *poll, const struct redis_endpoint *master)
{
	size_t i = 0;

	while (i < poll->masters && !redis_endpoint_equal(&poll->master[i], master))
		i++;
	if (i == poll->masters) {
		poll->master[poll->masters++] = *master;
		poll->votes[i] = 0;
	}
	return ++poll->votes[i];
}

/* One that is cut off from the others still names the old master: so most of them decide, or most of those that
 * answer. They are asked in turn, until enough say the same. */
static enum redis_failure ask_sentinels(struct redis_route *route, uint64_t most_us, struct redis_endpoint *ret_master,
					struct problem *problem)
{
	enum redis_failure worst = REDIS_RECONNECT;
	size_t all = route->address.count, best = 0;
	struct poll poll = { .masters = 0 };

	for (size_t i = 0; i < all && best <= all / 2; i++) {
		const struct redis_endpoint *sentinel = &route->address.endpoints[route->next++ % all];
		struct redis_endpoint master;
		enum redis_failure failure = ask_sentinel(route, sentinel, most_us, &master, problem);
		size_t votes = failure ? 0 : count_vote(&poll, &master);

		if (votes > best) {
			best = votes;
			*ret_master = master;
		}
		if (failure == REDIS_OPERATOR)
			worst = failure;
	}
	return best ? REDIS_OK : worst;
}

static enum redis_failure find_master(struct redis_route *route, struct problem *problem)
{
	enum redis_failure failure = ask_sentinels(route, UINT64_MAX, &route->master, problem);

	route->has_master = !failure;
	if (failure)
		return failure;
	route->check_us = clock_steady_us() + CHECK_EVERY_US;
	return REDIS_OK;
}

/* The next sentinel that answered when it was asked last, or was not for a while; false: none. */
static bool next_to_check(struct redis_route *route, size_t *ret_sentinel)
{
	size_t all = route->address.count;
	uint64_t now = clock_steady_us();

	for (size_t i = 0; i < all; i++) {
		size_t sentinel = route->next++ % all;

		if (route->ask_us[sentinel] > now)
			continue;
		*ret_sentinel = sentinel;
		return true;
	}
	return false;
}

/* One is asked each time; where it names another, all are. */
enum redis_failure redis_route_check(struct redis_route *route, const struct redis_endpoint *now,
				     struct problem *problem)
{
	struct redis_endpoint master;
	size_t sentinel;

	if (route->address.kind != REDIS_SENTINEL || clock_steady_us() < route->check_us)
		return REDIS_OK;
	route->check_us = clock_steady_us() + CHECK_EVERY_US;
	if (!next_to_check(route, &sentinel))
		return REDIS_OK;
	enum redis_failure failure = ask_sentinel(route, &route->address.endpoints[sentinel], CHECK_TIMEOUT_US, &master, NULL);

	if (failure)
		route->ask_us[sentinel] = clock_steady_us() + CHECK_SILENT_US;
	else if (!redis_endpoint_equal(&master, now))
		failure = ask_sentinels(route, CHECK_TIMEOUT_US, &master, NULL);
	route->check_us = clock_steady_us() + CHECK_EVERY_US;
	if (failure || redis_endpoint_equal(&master, now))
		return REDIS_OK;
	problem_set(problem, "redis '%s': the sentinels name %s:%d as master now, no longer %s:%d", route->options->address,
		    master.host, master.port, now->host, now->port);
	route->has_master = false;
	return REDIS_ELSEWHERE;
}

/* The index of a node, new or known; NOBODY: there are too many. */
static uint16_t node_index(struct redis_route *route, const struct redis_endpoint *node)
{
	for (unsigned i = 0; i < route->node_count; i++)
		if (redis_endpoint_equal(&route->nodes[i], node))
			return (uint16_t)i;
	if (route->node_count == NODES_MAX)
		return NOBODY;
	route->nodes[route->node_count] = *node;
	return (uint16_t)route->node_count++;
}

bool redis_route_read_slots(struct redis_route *route, const struct redis_reply *reply,
			    const struct redis_endpoint *from)
{
	bool any = false;

	if (reply->type != REDIS_ARRAY || reply->count > RANGES_MAX)
		return false;
	route->node_count = 0;
	for (unsigned i = 0; i < REDIS_SLOTS; i++)
		route->owner[i] = NOBODY;
	for (size_t i = 0; i < reply->count; i++) {
		struct redis_reply range = redis_reply_at(reply, i), master = redis_reply_at(&range, 2);
		struct redis_reply first = redis_reply_at(&range, 0), last = redis_reply_at(&range, 1);
		struct redis_reply host = redis_reply_at(&master, 0), port = redis_reply_at(&master, 1);
		/* A node that does not know its own name leaves it out: it is the one that was asked. */
		struct text name = host.text.length && !text_is(host.text, "?") ? host.text : text_of(from->host);
		struct redis_endpoint node;

		if (first.type != REDIS_INTEGER || last.type != REDIS_INTEGER || port.type != REDIS_INTEGER ||
		    first.integer < 0 || last.integer >= REDIS_SLOTS || first.integer > last.integer ||
		    redis_endpoint_set(&node, name, port.integer))
			continue;
		uint16_t index = node_index(route, &node);

		/* Ranges do not overlap; a reply in which they do must not cost more than one pass over the slots. */
		for (int64_t slot = first.integer; slot <= last.integer && route->owner[slot] == NOBODY; slot++)
			route->owner[slot] = index;
		any = any || index != NOBODY;
	}
	return any;
}

static enum redis_failure ask_node(struct redis_route *route, const struct redis_endpoint *node, struct problem *problem)
{
	const struct text words[] = { TEXT_LITERAL("CLUSTER"), TEXT_LITERAL("SLOTS") };
	struct redis_endpoint from = *node;	/* it may lie in the table that is written */
	struct redis_reply reply;
	struct redis_link *link = NULL;
	enum redis_failure failure = ask(route, &from, 2, words, UINT64_MAX, &link, &reply, problem);

	if (!failure) {
		route->has_slots = redis_route_read_slots(route, &reply, &from);
		if (!route->has_slots) {
			problem_set(problem, "node '%s:%d' of '%s' knows no node that holds slots", from.host, from.port,
				    route->options->address);
			failure = REDIS_WAIT;
		}
	}
	redis_link_free(link);
	return failure;
}

/* The nodes of the configuration, then those that were known before. */
static enum redis_failure ask_nodes(struct redis_route *route, struct problem *problem)
{
	enum redis_failure worst = REDIS_RECONNECT;
	size_t seeds = route->address.count, all = seeds + route->node_count;

	for (size_t i = 0; i < all; i++) {
		size_t at = route->next % all;
		enum redis_failure failure = ask_node(route, at < seeds ? &route->address.endpoints[at] :
								   &route->nodes[at - seeds], problem);

		if (!failure)
			return REDIS_OK;
		route->next++;
		if (failure == REDIS_OPERATOR || failure == REDIS_WAIT)
			worst = failure;
		/* A reply without slots has emptied the table. */
		if (all > seeds + route->node_count)
			all = seeds + route->node_count;
	}
	return worst;
}

enum redis_failure redis_route_find(struct redis_route *route, struct redis_endpoint *ret_endpoint,
				    struct problem *problem)
{
	enum redis_failure failure = REDIS_OK;

	if (route->address.kind == REDIS_SENTINEL)
		failure = find_master(route, problem);
	else if (!route->has_slots)
		failure = ask_nodes(route, problem);
	if (failure || redis_route_known(route, ret_endpoint))
		return failure;
	route->has_slots = false;
	problem_set(problem, "redis '%s': no node holds slot %u", route->options->address, route->slot);
	return REDIS_WAIT;
}

/* The next word of an error reply. */
static struct text next_word(struct text *rest)
{
	const char *blank = rest->length ? memchr(rest->start, ' ', rest->length) : NULL;
	struct text word = { rest->start, blank ? (size_t)(blank - rest->start) : rest->length };

	rest->start += word.length + (blank != NULL);
	rest->length -= word.length + (blank != NULL);
	return word;
}

static bool take_number(struct text text, unsigned most, unsigned *ret_number)
{
	unsigned number = 0;

	for (size_t i = 0; i < text.length; i++) {
		if (text.start[i] < '0' || text.start[i] > '9' || number > most)
			return false;
		number = number * 10 + (unsigned)(text.start[i] - '0');
	}
	*ret_number = number;
	return text.length > 0 && number <= most;
}

bool redis_route_redirected(struct redis_route *route, struct text error, const struct redis_endpoint *from,
			    struct redis_endpoint *ret_endpoint, bool *ret_asking)
{
	struct text kind = next_word(&error), slot_text = next_word(&error), where = next_word(&error);
	unsigned slot = 0, port = 0;
	size_t colon = where.length;

	if (route->address.kind != REDIS_CLUSTER || (!text_is(kind, "MOVED") && !text_is(kind, "ASK")))
		return false;
	/* An IPv6 address comes without brackets: the last colon is that before the port. */
	while (colon > 0 && where.start[colon - 1] != ':')
		colon--;
	if (colon == 0 || !take_number(slot_text, REDIS_SLOTS - 1, &slot) ||
	    !take_number((struct text){ where.start + colon, where.length - colon }, 65535, &port))
		return false;
	struct text host = { where.start, colon - 1 };

	if (redis_endpoint_set(ret_endpoint, host.length && !text_is(host, "?") ? host : text_of(from->host), port))
		return false;
	*ret_asking = text_is(kind, "ASK");
	if (!*ret_asking && route->has_slots)
		route->owner[slot] = node_index(route, ret_endpoint);
	return true;
}
