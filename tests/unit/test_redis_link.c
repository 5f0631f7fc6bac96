/* test_redis_link.c - address forms, the meaning of error replies, what is said without a server. */
#include "common/redis_link.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
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

/* A server that answers PING as Redis does and then says what the test wants. */
struct false_server {
	char directory[64], address[100];
	int listener;
	pthread_t thread;
	struct text answer;
	bool trickles;			/* says one byte again and again */
};

static void pause_ms(long ms)
{
	(void)nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

static void *answer_falsely(void *context)
{
	struct false_server *server = context;
	int client = accept(server->listener, NULL, NULL);
	char ignored[1000];

	(void)!read(client, ignored, sizeof ignored);
	(void)send(client, "+PONG\r\n", 7, MSG_NOSIGNAL);
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
		.address = server->address, .connect_timeout_us = 1000000, .command_timeout_us = 200000,
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
	(void)pthread_join(server->thread, NULL);
	(void)close(server->listener);
	(void)unlink(server->address + strlen("unix:"));
	(void)rmdir(server->directory);
}

TEST(answers_that_redis_would_not_give_cost_the_connection_only)
{
	static const struct { const char *sentence; const char *answer; } cases[] = {
		{ "no protocol at all", "HTTP/1.1 400 Bad Request\r\n\r\n" },
		{ "an array of two thousand million", "*2000000000\r\n:1\r\n" },
		{ "an array just above the limit", "*1048577\r\n" },
		{ "an array of less than nothing", "*-7\r\n" },
		{ "arrays in arrays in arrays",
		  "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n" },
		{ "a text that ends too early", "$100\r\nabc\r\n" },
		{ "nothing", "" },
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

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(addresses_are_checked_without_connecting),
		UNIT_TEST(each_error_reply_has_its_meaning),
		UNIT_TEST(an_unreachable_server_is_said_with_its_address),
		UNIT_TEST(answers_that_redis_would_not_give_cost_the_connection_only),
		UNIT_TEST(a_second_answer_is_not_taken_for_that_of_the_next_command),
		UNIT_TEST(a_server_that_trickles_has_no_more_time_than_any_other),
		{ NULL, NULL },
	};
	return unit_run(tests, argc, argv);
}
