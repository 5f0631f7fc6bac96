/*
 * fuzz_route.c - what names a server: the address of a configuration, and what sentinels and nodes answer.
 *
 * First line: an address. Second: an error reply of a node (MOVED, ASK). The rest: any number of replies in
 * Redis' protocol, each read as that to CLUSTER SLOTS and as a sentinel's.
 */
#include "common/redis_route.h"
#include "common/redis_slot.h"
#include "fuzz.h"

/* Last: it has a macro of the name REDIS_OK, of the same value. */
#include <hiredis/hiredis.h>

enum { REPLIES_MAX = 8 };

static void must_be_endpoint(const struct redis_endpoint *endpoint)
{
	size_t length = strnlen(endpoint->host, REDIS_HOST_SIZE);

	FUZZ_MUST(length > 0 && length < REDIS_HOST_SIZE);
	FUZZ_MUST(endpoint->port >= 1 && endpoint->port <= 65535);
	FUZZ_MUST(endpoint->host[strcspn(endpoint->host, " \r\n\t")] == '\0');
}

static void read_replies(struct redis_route *route, struct text rest)
{
	static const struct redis_endpoint from = { "asked.example", 7000 };
	redisReader *reader = redisReaderCreate();

	FUZZ_MUST(reader);
	if (rest.length == 0 || redisReaderFeed(reader, rest.start, rest.length) != 0)
		rest.length = 0;
	for (int i = 0; i < REPLIES_MAX && rest.length; i++) {
		void *taken = NULL;

		if (redisReaderGetReply(reader, &taken) != 0 || !taken)
			break;
		redisReply *reply = taken;
		struct redis_reply small = { .type = REDIS_NIL };
		struct redis_endpoint found;

		if (reply->type == REDIS_REPLY_ARRAY)
			small = (struct redis_reply){ .type = REDIS_ARRAY, .count = reply->elements, .elements = reply->element };
		if (redis_route_read_master(&small, &found))
			must_be_endpoint(&found);
		(void)redis_route_read_slots(route, &small, &from);
		freeReplyObject(reply);
	}
	redisReaderFree(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const struct redis_options options = { .address = "cluster:asked.example:7000" };
	static const struct redis_endpoint from = { "asked.example", 7000 };
	struct text rest = { (const char *)bytes, size }, line = fuzz_line(&rest), error = fuzz_line(&rest);
	struct redis_address address;
	struct redis_endpoint found;
	struct problem problem = { "" };
	char text[1000];
	bool asking = false;

	(void)snprintf(text, sizeof text, "%.*s", TEXT_ARGS(line));
	if (redis_address_parse(&address, text, &problem)) {
		FUZZ_MUST(problem.text[0] != '\0');
	} else {
		FUZZ_MUST(address.path ? address.count == 0 : address.count >= 1 && address.count <= REDIS_ENDPOINTS_MAX);
		for (size_t i = 0; i < address.count; i++)
			must_be_endpoint(&address.endpoints[i]);
	}
	FUZZ_MUST(redis_slot(line) < REDIS_SLOTS);
	FUZZ_MUST(redis_address_parse(&address, options.address, NULL) == 0);
	struct redis_route *route = redis_route_new(&options, &address);

	FUZZ_MUST(route);
	read_replies(route, rest);
	/* With and without a table of slots. */
	for (int i = 0; i < 2; i++) {
		redis_route_for(route, line);
		if (redis_route_redirected(route, error, &from, &found, &asking))
			must_be_endpoint(&found);
		if (redis_route_known(route, &found))
			must_be_endpoint(&found);
		redis_route_forget(route);
	}
	redis_route_free(route);
	return 0;
}
