/* test_redis_link.c - address forms, the meaning of error replies, what is said without a server. */
#include "common/redis_link.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/redis_slot.h"
#include "pause.h"
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
#ifdef HAVE_REDIS_TLS
		{ "tls:host:1", NULL },
		{ "sentinel+tls:a:1,b:2/m", NULL },
		{ "cluster+tls:a:1,b:2", NULL },
#else
		{ "tls:host:1", "stunnel" },
		{ "sentinel+tls:a:1,b:2/m", "stunnel" },
		{ "cluster+tls:a:1,b:2", "stunnel" },
#endif
		{ "sentinel:127.0.0.1:26379/mymaster", NULL },
		{ "sentinel:a:1,b:2,[::1]:3/my-master.1", NULL },
		{ "sentinel:a:1,b:2", "/MASTER" },
		{ "sentinel:a:1/", "/MASTER" },
		{ "sentinel:a:1/b/c", "/MASTER" },
		{ "sentinel:/m", "sentinel:HOST:PORT" },
		{ "sentinel:a:1,,b:2/m", "sentinel:HOST:PORT" },
		{ "sentinel:a:1,b/m", "sentinel:HOST:PORT" },
		{ "sentinel:a:1,b:0/m", "1 to 65535" },
		{ "cluster:a:1", NULL },
		{ "cluster:a:1,b:2,[2001:db8::1]:3", NULL },
		{ "cluster:a:1,", "cluster:HOST:PORT" },
		{ "cluster:", "cluster:HOST:PORT" },
		{ "cluster:2001:db8::1:3", "brackets" },
		{ "cluster:a:1,a:2,a:3,a:4,a:5,a:6,a:7,a:8,a:9,a:10,a:11,a:12,a:13,a:14,a:15,a:16", NULL },
		{ "cluster:a:1,a:2,a:3,a:4,a:5,a:6,a:7,a:8,a:9,a:10,a:11,a:12,a:13,a:14,a:15,a:16,a:17", "more than 16" },
		{ "tcp:a:1,b:2", "brackets" },
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

/* The slots that redis-server 7.0.15 gives (CLUSTER KEYSLOT). */
TEST(a_key_lies_in_the_slot_that_redis_puts_it_in)
{
	static const struct { const char *key; unsigned slot; } cases[] = {
		{ "123456789", 12739 },
		{ "", 0 },
		{ "a", 15495 },
		{ "foo", 12182 },
		{ "{smtptrail:0}:records", 10024 },
		{ "{smtptrail:0}:cursor:x", 10024 },
		{ "{trail:63}:records", 3452 },
		{ "foo{}{bar}", 8363 },
		{ "foo{{bar}}zap", 4015 },
		{ "foo{bar}{zap}", 5061 },
		{ "{}x", 10595 },
		{ "{", 4092 },
		{ "}{", 12793 },
		{ "x{y", 2740 },
		{ "{a}", 15495 },
		{ "ä{ö}", 1050 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		CHECK_SAYING(redis_slot(text_of(cases[i].key)) == cases[i].slot, "%s: %u", cases[i].key,
			     redis_slot(text_of(cases[i].key)));
}

TEST(each_error_reply_has_its_meaning)
{
	static const struct { const char *error; enum redis_failure wanted; } cases[] = {
		{ "OOM command not allowed when used memory > 'maxmemory'.", REDIS_WAIT },
		{ "MISCONF Redis is configured to save RDB snapshots, but", REDIS_WAIT },
		{ "NOREPLICAS Not enough good replicas to write.", REDIS_WAIT },
		{ "LOADING Redis is loading the dataset in memory", REDIS_WAIT },
		{ "BUSY Redis is busy running a script.", REDIS_WAIT },
		{ "MASTERDOWN Link with MASTER is down and", REDIS_ELSEWHERE },
		{ "TRYAGAIN Multiple keys request during rehashing of slot", REDIS_WAIT },
		{ "CLUSTERDOWN The cluster is down", REDIS_ELSEWHERE },
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

/* A server that answers PING as Redis does and then says what the test wants. */
struct false_server {
	char directory[64], address[100];
	int listener;
	pthread_t thread;
	struct text answer;
	bool trickles;			/* says one byte again and again */
	bool hangs_up;			/* says nothing more */
};

static void *answer_falsely(void *context)
{
	struct false_server *server = context;
	int client = accept(server->listener, NULL, NULL);
	char ignored[1000];

	(void)!read(client, ignored, sizeof ignored);
	(void)send(client, "+PONG\r\n", 7, MSG_NOSIGNAL);
	if (server->hangs_up) {
		(void)close(client);
		return NULL;
	}
	(void)!read(client, ignored, sizeof ignored);
	if (server->trickles)
		for (int i = 0; i < 500 && send(client, "*", 1, MSG_NOSIGNAL) == 1; i++)
			pause_ms(10);
	else
		(void)send(client, server->answer.start, server->answer.length, MSG_NOSIGNAL);
	/* To the end of the link. */
	(void)shutdown(client, SHUT_WR);
	while (read(client, ignored, sizeof ignored) > 0)
		continue;
	(void)close(client);
	return NULL;
}

static struct redis_link *connect_to_false_server(struct false_server *server)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct redis_options options = {
		.address = server->address, .connect_timeout_us = 10000000,
		.command_timeout_us = server->trickles ? 200000 : 10000000,
	};

	(void)snprintf(server->directory, sizeof server->directory, "/tmp/smtptrail-test.XXXXXX");
	CHECK(mkdtemp(server->directory) != NULL);
	(void)snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", server->directory);
	(void)snprintf(server->address, sizeof server->address, "unix:%s/socket", server->directory);
	server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(bind(server->listener, (struct sockaddr *)&address, sizeof address) == 0);
	CHECK(listen(server->listener, 1) == 0);
	CHECK(pthread_create(&server->thread, NULL, answer_falsely, server) == 0);
	struct redis_link *link = redis_link_new(&options);

	CHECK_NUMBER(redis_link_open(link, NULL), REDIS_OK);
	return link;
}

static void end_false_server(struct false_server *server, struct redis_link *link)
{
	redis_link_free(link);
	if (!server->hangs_up)
		(void)pthread_join(server->thread, NULL);
	(void)close(server->listener);
	(void)unlink(server->address + strlen("unix:"));
	(void)rmdir(server->directory);
}

TEST(answers_that_redis_would_not_give_cost_the_connection_only)
{
	static const struct { const char *sentence; const char *answer; bool at_once; } cases[] = {
		{ "no protocol at all", "HTTP/1.1 400 Bad Request\r\n\r\n", false },
		{ "an array of two thousand million", "*2000000000\r\n:1\r\n", false },
		{ "an array just above the limit", "*1048577\r\n", false },
		{ "arrays that are above it together", "*2\r\n*1048575\r\n", true },
		{ "an array of less than nothing", "*-7\r\n", false },
		{ "arrays in arrays in arrays",
		  "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", false },
		{ "a text that ends too early", "$100\r\nabc\r\n", false },
		{ "nothing", "", false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct false_server server = { .answer = text_of(cases[i].answer) };
		struct redis_link *link = connect_to_false_server(&server);
		struct text word = TEXT_LITERAL("TIME");
		struct problem problem = { "" };
		struct redis_reply reply;
		enum redis_failure failure = redis_link_command(link, 1, &word, &reply, &problem);

		/* hiredis takes an array of less than nothing for none at all. */
		bool is_nil = !failure && reply.type == REDIS_NIL;

		CHECK_SAYING(failure == REDIS_RECONNECT || is_nil, "%s", cases[i].sentence);
		CHECK_SAYING(is_nil || problem.text[0], "%s", cases[i].sentence);
		CHECK_SAYING(is_nil || !redis_link_is_open(link), "%s", cases[i].sentence);
		CHECK_SAYING(!cases[i].at_once || !strstr(problem.text, "in time"), "%s: %s", cases[i].sentence, problem.text);
		end_false_server(&server, link);
	}
}

TEST(a_second_answer_is_not_taken_for_that_of_the_next_command)
{
	struct false_server server = { .answer = TEXT_LITERAL("+one\r\n+two\r\n") };
	struct redis_link *link = connect_to_false_server(&server);
	struct text word = TEXT_LITERAL("TIME");
	struct redis_reply reply;

	CHECK_NUMBER(redis_link_command(link, 1, &word, &reply, NULL), REDIS_OK);
	CHECK_TEXT(reply.text, "one");
	CHECK_NUMBER(redis_link_command(link, 1, &word, &reply, NULL), REDIS_RECONNECT);
	end_false_server(&server, link);
}

TEST(a_server_that_trickles_has_no_more_time_than_any_other)
{
	struct false_server server = { .trickles = true };
	struct redis_link *link = connect_to_false_server(&server);
	struct text word = TEXT_LITERAL("TIME");
	struct redis_reply reply;
	struct timespec begin, end;

	(void)clock_gettime(CLOCK_MONOTONIC, &begin);
	CHECK_NUMBER(redis_link_command(link, 1, &word, &reply, NULL), REDIS_RECONNECT);
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	CHECK((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000 < 2000);
	end_false_server(&server, link);
}

TEST(a_command_on_a_line_that_was_cut_raises_no_signal)
{
	struct false_server server = { .hangs_up = true };
	struct redis_link *link = connect_to_false_server(&server);
	struct text word = TEXT_LITERAL("TIME");
	struct problem problem = { "" };
	struct redis_reply reply;

	(void)pthread_join(server.thread, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	CHECK_NUMBER(redis_link_command(link, 1, &word, &reply, &problem), REDIS_RECONNECT);
	CHECK_SAYING(strstr(problem.text, "Broken pipe"), "%s", problem.text);
	end_false_server(&server, link);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(addresses_are_checked_without_connecting),
		UNIT_TEST(a_key_lies_in_the_slot_that_redis_puts_it_in),
		UNIT_TEST(each_error_reply_has_its_meaning),
		UNIT_TEST(an_unreachable_server_is_said_with_its_address),
		UNIT_TEST(answers_that_redis_would_not_give_cost_the_connection_only),
		UNIT_TEST(a_second_answer_is_not_taken_for_that_of_the_next_command),
		UNIT_TEST(a_server_that_trickles_has_no_more_time_than_any_other),
		UNIT_TEST(a_command_on_a_line_that_was_cut_raises_no_signal),
		{ NULL, NULL },
	};
	return unit_run(tests, argc, argv);
}
