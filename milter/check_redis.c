/* check_redis.c - the part of the check that asks Redis; it writes no key. */
#include "check.h"

#include <stdio.h>

#include "common/redis_link.h"
#include "common/redis_tls.h"
#include "common/stream.h"

static const char subject[] = "redis";

/* The value of a "name:value" line of INFO; absent: there is no such line. */
static struct text info_value(struct text info, const char *name)
{
	size_t length = strlen(name);

	while (info.length) {
		const char *end = memchr(info.start, '\n', info.length);
		size_t line = end ? (size_t)(end - info.start) : info.length;

		if (line > length && memcmp(info.start, name, length) == 0 && info.start[length] == ':') {
			struct text value = { info.start + length + 1, line - length - 1 };

			if (value.length && value.start[value.length - 1] == '\r')
				value.length--;
			return value;
		}
		info.start += end ? line + 1 : line;
		info.length -= end ? line + 1 : line;
	}
	return TEXT_NONE;
}

static void check_settings(struct redis_link *link)
{
	const struct text words[] = { TEXT_LITERAL("INFO") };
	struct redis_reply reply;
	struct problem problem;

	if (redis_link_command(link, 1, words, &reply, &problem) != REDIS_OK) {
		check_say(CHECK_WARNING, subject, "cannot see its settings (%s): make sure of maxmemory-policy noeviction and appendonly yes",
			  problem.text);
		return;
	}
	struct text policy = info_value(reply.text, "maxmemory_policy"), role = info_value(reply.text, "role");
	struct text aof = info_value(reply.text, "aof_enabled"), version = info_value(reply.text, "redis_version");

	check_say(CHECK_OK, subject, "version %.*s answers", TEXT_ARGS(version));
	if (version.length && version.start[0] >= '1' && version.start[0] <= '4' && version.length > 1 && version.start[1] == '.')
		check_say(CHECK_ERROR, subject, "version %.*s has no streams: 5.0 or newer is needed", TEXT_ARGS(version));
	if (!text_is(policy, "noeviction"))
		check_say(CHECK_WARNING, subject, "maxmemory-policy is %.*s: under pressure Redis would throw records away; set maxmemory-policy noeviction",
			  TEXT_ARGS(policy));
	if (!text_is(aof, "1"))
		check_say(CHECK_WARNING, subject, "appendonly is off: a restart of Redis loses what its last snapshot does not hold; set appendonly yes");
	if (!text_is(role, "master"))
		check_say(CHECK_ERROR, subject, "is a %.*s: records can be written to a master only; set redis_address to it",
			  TEXT_ARGS(role));
}

/* Commands that the shipper needs, in a form that changes nothing: Redis refuses what the user may not do
 * before it looks at the arguments. */
static void check_commands(struct redis_link *link, const struct config *config)
{
	struct stream_names names;

	stream_names(&names, config->stream_prefix, 0, "check");
	const struct text records = text_of(names.records), cursor = text_of(names.cursor), overtaken = text_of(names.overtaken);
	const struct { size_t count; struct text words[6]; } commands[] = {
		{ 2, { TEXT_LITERAL("GET"), cursor } },
		{ 4, { TEXT_LITERAL("SET"), cursor, TEXT_LITERAL("x"), TEXT_LITERAL("XX") } },
		{ 2, { TEXT_LITERAL("TYPE"), records } },
		/* No entry may have this id: refused, after the user's rights were looked at. */
		{ 6, { TEXT_LITERAL("XADD"), records, TEXT_LITERAL("NOMKSTREAM"), TEXT_LITERAL("0-0"), TEXT_LITERAL("x"), TEXT_LITERAL("x") } },
		{ 4, { TEXT_LITERAL("EVAL"), TEXT_LITERAL("return 1"), TEXT_LITERAL("1"), records } },
		{ 1, { TEXT_LITERAL("TIME") } },
		{ 2, { TEXT_LITERAL("XLEN"), records } },
		{ 6, { TEXT_LITERAL("XRANGE"), records, TEXT_LITERAL("-"), TEXT_LITERAL("+"), TEXT_LITERAL("COUNT"), TEXT_LITERAL("1") } },
		/* Below this id there is none. */
		{ 4, { TEXT_LITERAL("XTRIM"), records, TEXT_LITERAL("MINID"), TEXT_LITERAL("0-0") } },
		{ 3, { TEXT_LITERAL("XINFO"), TEXT_LITERAL("GROUPS"), records } },
		{ 3, { TEXT_LITERAL("XPENDING"), records, TEXT_LITERAL("check") } },
		{ 3, { TEXT_LITERAL("INCRBY"), overtaken, TEXT_LITERAL("x") } },
		{ 4, { TEXT_LITERAL("EVALSHA"), TEXT_LITERAL("0000000000000000000000000000000000000000"), TEXT_LITERAL("1"), records } },
	};
	unsigned denied = 0;

	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		struct redis_reply reply;
		struct problem problem = { .text = "" };

		if (!redis_link_is_open(link) && redis_link_open(link, &problem) != REDIS_OK)
			return;
		if (redis_link_command(link, commands[i].count, commands[i].words, &reply, &problem) != REDIS_OPERATOR)
			continue;
		check_say(CHECK_ERROR, subject, "%.*s is refused: %s; allow it: ACL SETUSER %s ~{%s:* +get +set +type +xadd +eval +evalsha +ping +time +xlen +xtrim +xrange +xinfo +xpending +incrby",
			  TEXT_ARGS(commands[i].words[0]), problem.text, config->redis.user[0] ? config->redis.user : "default",
			  config->stream_prefix);
		denied++;
	}
	if (!denied)
		check_say(CHECK_OK, subject, "the user may do what is needed");
}

static void check_stream(struct redis_link *link, const struct config *config)
{
	struct stream_names names;
	struct redis_reply reply;
	struct problem problem;

	stream_names(&names, config->stream_prefix, 0, "check");
	const struct text words[] = { TEXT_LITERAL("TYPE"), text_of(names.records) };

	if (redis_link_command(link, 2, words, &reply, &problem) != REDIS_OK)
		return;
	if (text_is(reply.text, "stream") || text_is(reply.text, "none"))
		check_say(CHECK_OK, subject, "records go to the stream %s", names.records);
	else
		check_say(CHECK_ERROR, subject, "key %s holds a %.*s: delete it, or choose another stream_prefix", names.records,
			  TEXT_ARGS(reply.text));
}

void check_redis(const struct config *config)
{
	const struct redis_options options = redis_conf_options(&config->redis);
	struct redis_link *link = redis_link_new(&options);
	struct stream_names names;
	struct problem problem;

	if (!link)
		return;
	check_say(CHECK_OK, subject, redis_tls_is_built_in() ? "this build can speak TLS" : "this build cannot speak TLS");
	stream_names(&names, config->stream_prefix, 0, "check");
	(void)redis_link_for(link, names.records, NULL);
	if (redis_link_open(link, &problem) != REDIS_OK) {
		check_say(CHECK_ERROR, subject, "%s; until it is mended, records wait in the journal", problem.text);
	} else {
		check_settings(link);
		check_commands(link, config);
		if (redis_link_is_open(link) || redis_link_open(link, &problem) == REDIS_OK)
			check_stream(link, config);
	}
	redis_link_free(link);
}
