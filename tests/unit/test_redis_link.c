/* test_redis_link.c - address forms, the meaning of error replies, what is said without a server. */
#include "common/redis_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "unit.h"

#define TEN "0123456789"
#define PATH_OF_107 "/" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "abcdef"

TEST(addresses_are_checked_without_connecting)
{
	static const struct { const char *address; const char *wanted; } cases[] = {
		{ "unix:/run/redis/redis.sock", NULL },
		{ "unix:" PATH_OF_107, NULL },
		{ "unix:" PATH_OF_107 "g", "at most 107 bytes" },
		{ "unix:/a b", NULL },
		{ "unix:relative", "unix:/PATH" },
		{ "unix:", "unix:/PATH" },
		{ "tcp:127.0.0.1:6379", NULL },
		{ "tcp:redis.example.com:65535", NULL },
		{ "tcp:[::1]:6379", NULL },
		{ "tcp:[fe80::1%eth0]:6379", NULL },
		{ "tcp:::1:6379", "brackets" },
		{ "tcp:2001:db8::1:6379", "brackets" },
		{ "tcp:[::1", "tcp:HOST:PORT" },
		{ "tcp:[::1]6379", "tcp:HOST:PORT" },
		{ "tcp:[127.0.0.1]:6379", "no IPv6 address" },
		{ "tcp::6379", "tcp:HOST:PORT" },
		{ "tcp:host", "tcp:HOST:PORT" },
		{ "tcp:host:", "1 to 65535" },
		{ "tcp:host:0", "1 to 65535" },
		{ "tcp:host:65536", "1 to 65535" },
		{ "tcp:host:+1", "1 to 65535" },
		{ "tcp:host:1x", "1 to 65535" },
		{ "tcp:ho st:1", "tcp:HOST:PORT" },
		{ "tls:host:1", "stunnel" },
		{ "localhost:6379", "unix:/PATH or tcp:HOST:PORT" },
		{ "", "unix:/PATH or tcp:HOST:PORT" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct problem problem = { "" };
		int error = redis_address_check(cases[i].address, &problem);

		CHECK_SAYING((error == 0) == !cases[i].wanted, "%s: %s", cases[i].address, problem.text);
		if (cases[i].wanted)
			CHECK_SAYING(strstr(problem.text, cases[i].wanted), "%s: %s", cases[i].address, problem.text);
	}
}

TEST(each_error_reply_has_its_meaning)
{
	static const struct { const char *error; enum redis_failure wanted; } cases[] = {
		{ "OOM command not allowed when used memory > 'maxmemory'.", REDIS_WAIT },
		{ "MISCONF Redis is configured to save RDB snapshots, but", REDIS_WAIT },
		{ "NOREPLICAS Not enough good replicas to write.", REDIS_WAIT },
		{ "LOADING Redis is loading the dataset in memory", REDIS_WAIT },
		{ "BUSY Redis is busy running a script.", REDIS_WAIT },
		{ "MASTERDOWN Link with MASTER is down and", REDIS_WAIT },
		{ "TRYAGAIN Multiple keys request during rehashing of slot", REDIS_WAIT },
		{ "CLUSTERDOWN The cluster is down", REDIS_WAIT },
		{ "READONLY You can't write against a read only replica.", REDIS_ELSEWHERE },
		{ "MOVED 3999 127.0.0.1:6381", REDIS_ELSEWHERE },
		{ "ASK 3999 127.0.0.1:6381", REDIS_ELSEWHERE },
		{ "NOAUTH Authentication required.", REDIS_OPERATOR },
		{ "WRONGPASS invalid username-password pair or user is disabled.", REDIS_OPERATOR },
		{ "NOPERM this user has no permissions to run the 'xadd' command", REDIS_OPERATOR },
		{ "WRONGTYPE Operation against a key holding the wrong kind of value", REDIS_OPERATOR },
		{ "CROSSSLOT Keys in request don't hash to the same slot", REDIS_OPERATOR },
		{ "ERR unknown command 'EVALSHA', with args beginning with: ", REDIS_OPERATOR },
		{ "ERR AUTH <password> called without any password configured", REDIS_OPERATOR },
		{ "ERR The user executing the script can't run this command or subcommand", REDIS_OPERATOR },
		{ "NOSCRIPT No matching script. Please use EVAL.", REDIS_NO_SCRIPT },
		{ "ERR max number of clients reached", REDIS_RECONNECT },
		{ "BUSYGROUP Consumer Group name already exists", REDIS_RECONNECT },
		{ "OOMPH", REDIS_RECONNECT },
		{ "OK", REDIS_RECONNECT },
		{ "", REDIS_RECONNECT },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		CHECK_SAYING(redis_error_meaning(text_of(cases[i].error)) == cases[i].wanted, "%s", cases[i].error);
}

TEST(an_unreachable_server_is_said_with_its_address)
{
	struct redis_options options = {
		.address = "unix:/nonexistent/redis.sock", .connect_timeout_us = 100000, .command_timeout_us = 100000,
	};
	struct redis_link *link = redis_link_new(&options);
	struct problem problem = { "" };
	struct redis_reply reply;
	struct text word = TEXT_LITERAL("PING");

	CHECK_NUMBER(redis_link_open(link, &problem), REDIS_RECONNECT);
	CHECK_STRING(problem.text, "cannot reach redis 'unix:/nonexistent/redis.sock': No such file or directory");
	CHECK(!redis_link_is_open(link));
	CHECK_NUMBER(redis_link_command(link, 1, &word, &reply, &problem), REDIS_RECONNECT);
	redis_link_free(link);
	redis_link_free(NULL);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(addresses_are_checked_without_connecting),
		UNIT_TEST(each_error_reply_has_its_meaning),
		UNIT_TEST(an_unreachable_server_is_said_with_its_address),
		{ NULL, NULL },
	};
	return unit_run(tests, argc, argv);
}
