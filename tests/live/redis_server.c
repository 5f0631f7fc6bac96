/* redis_server.c - a private redis-server for a test. */
#include "redis_server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/pause.h"

/* Ports below those that the kernel lends to clients, and with room for a cluster's bus at the port + 10000. */
enum { WORDS_MAX = 64, PARENT_MAX = 40, START_TRIES = 500, PORT_TRIES = 200, PORT_FIRST = 10000, PORTS = 22768 };

static _Noreturn void give_up(const struct redis_server *server, const char *what)
{
	char command[200];

	fprintf(stderr, "%s\n", what);
	(void)snprintf(command, sizeof command, "tail -n 5 '%s/log' >&2; rm -rf '%s'", server->directory, server->directory);
	if (server->pid)
		(void)kill(server->pid, SIGKILL);
	if (server->directory[0] && system(command) != 0)
		fprintf(stderr, "%s stays\n", server->directory);
	exit(1);
}

void redis_server_or_skip(void)
{
	if (system("command -v redis-server >/dev/null 2>&1") == 0)
		return;
	printf("skipped: redis-server is not installed\n");
	exit(77);
}

static bool is_free(unsigned port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				       .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool is_bound = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;

	if (fd >= 0)
		(void)close(fd);
	return is_bound;
}

/* At random, so that tests that run at a time do not meet; 0: none. */
static int free_port(void)
{
	for (int i = 0; i < PORT_TRIES; i++) {
		uint16_t number = 0;

		if (getrandom(&number, sizeof number, 0) == sizeof number && is_free(PORT_FIRST + number % PORTS))
			return PORT_FIRST + number % PORTS;
	}
	return 0;
}

static void write_configuration(const struct redis_server *server, const char *configuration)
{
	char path[100];

	(void)snprintf(path, sizeof path, "%s/redis.conf", server->directory);
	FILE *file = fopen(path, "we");

	if (!file)
		give_up(server, "cannot write redis.conf");
	fprintf(file, "bind 127.0.0.1\nport %d\nunixsocket %s/socket\ndir %s\nlogfile %s/log\nsave \"\"\n"
		"enable-debug-command yes\ndaemonize no\n%s\n", server->port, server->directory, server->directory,
		server->directory, configuration ? configuration : "");
	if (fclose(file))
		give_up(server, "cannot write redis.conf");
}

static struct redis_options admin_options(const struct redis_server *server)
{
	return (struct redis_options){
		.address = server->unix_address, .connect_timeout_us = 5000000, .command_timeout_us = 20000000,
	};
}

static bool accepts_connections(const struct redis_server *server)
{
	struct redis_options options = admin_options(server);
	struct redis_link *link = redis_link_new(&options);
	struct problem problem = { "" };
	bool accepts = link && (redis_link_open(link, &problem) == REDIS_OK || strstr(problem.text, "answers"));

	redis_link_free(link);
	return accepts;
}

void redis_server_start_unready(struct redis_server *server, const char *configuration)
{
	char path[100];
	pid_t parent = getpid();

	write_configuration(server, configuration);
	(void)snprintf(path, sizeof path, "%s/redis.conf", server->directory);
	(void)fflush(NULL);
	server->pid = fork();
	if (server->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			(void)execlp("redis-server", "redis-server", path, (char *)NULL);
		_exit(127);
	}
	if (server->pid < 0)
		give_up(server, "cannot fork");
	for (int i = 0; i < START_TRIES; i++) {
		if (accepts_connections(server))
			return;
		if (waitpid(server->pid, NULL, WNOHANG) != 0) {
			server->pid = 0;
			give_up(server, "redis-server ended at once");
		}
		pause_ms(10);
	}
	give_up(server, "redis-server does not answer");
}

void redis_server_start(struct redis_server *server, const char *configuration)
{
	redis_server_start_unready(server, configuration);
	for (int i = 0; i < START_TRIES; i++) {
		struct redis_reply reply = redis_server_ask(server, "PING");

		if (reply.type != REDIS_NIL && !(reply.type == REDIS_ERROR && strncmp(reply.text.start, "LOADING", 7) == 0))
			return;
		pause_ms(10);
	}
	give_up(server, "redis-server does not get ready");
}

void redis_server_begin(struct redis_server *server, const char *configuration)
{
	const char *parent = getenv("TMPDIR");

	*server = (struct redis_server){ 0 };
	/* Of a longer name the path of a socket could not be. */
	if (!parent || parent[0] != '/' || strlen(parent) > PARENT_MAX)
		parent = "/tmp";
	(void)snprintf(server->directory, sizeof server->directory, "%.*s/smtptrail-redis-XXXXXX", PARENT_MAX, parent);
	if (!mkdtemp(server->directory)) {
		server->directory[0] = '\0';
		give_up(server, "cannot make a directory for redis-server");
	}
	server->port = free_port();
	if (server->port == 0)
		give_up(server, "no free port for redis-server");
	(void)snprintf(server->unix_address, sizeof server->unix_address, "unix:%s/socket", server->directory);
	(void)snprintf(server->tcp_address, sizeof server->tcp_address, "tcp:127.0.0.1:%d", server->port);
	redis_server_start(server, configuration);
}

void redis_server_kill(struct redis_server *server)
{
	redis_link_free(server->admin);
	server->admin = NULL;
	if (!server->pid)
		return;
	(void)kill(server->pid, SIGKILL);
	(void)waitpid(server->pid, NULL, 0);
	server->pid = 0;
}

void redis_server_signal(const struct redis_server *server, int signal)
{
	if (server->pid)
		(void)kill(server->pid, signal);
}

void redis_server_end(struct redis_server *server)
{
	char command[100];

	redis_server_kill(server);
	(void)snprintf(command, sizeof command, "rm -rf '%s'", server->directory);
	if (system(command) != 0)
		fprintf(stderr, "cannot remove %s\n", server->directory);
}

struct redis_reply redis_server_ask(struct redis_server *server, const char *command)
{
	struct redis_options options = admin_options(server);
	struct redis_reply reply = { .type = REDIS_NIL };
	struct text words[WORDS_MAX];
	size_t count = 0;

	if (!server->admin)
		server->admin = redis_link_new(&options);
	if (!server->admin || (redis_link_open(server->admin, NULL) && !redis_link_is_open(server->admin)))
		return reply;
	for (const char *at = command; *at && count < WORDS_MAX; count++) {
		size_t length = strcspn(at, " ");

		words[count] = (struct text){ at, length };
		at += length + (at[length] == ' ');
	}
	(void)redis_link_command(server->admin, count, words, &reply, NULL);
	return reply;
}

const char *redis_server_say(struct redis_server *server, const char *command)
{
	static char text[1000];
	struct redis_reply reply = redis_server_ask(server, command);

	switch (reply.type) {
	case REDIS_NIL: return "(nil)";
	case REDIS_INTEGER: (void)snprintf(text, sizeof text, "%lld", (long long)reply.integer); break;
	case REDIS_ARRAY: (void)snprintf(text, sizeof text, "%zu elements", reply.count); break;
	case REDIS_TEXT:
	case REDIS_STATUS:
	case REDIS_ERROR: (void)snprintf(text, sizeof text, "%.*s", TEXT_ARGS(reply.text)); break;
	}
	return text;
}

static double info_number(struct text info, const char *name)
{
	const char *at = info.start ? memmem(info.start, info.length, name, strlen(name)) : NULL;

	return at ? strtod(at + strlen(name), NULL) : 0;
}

double redis_server_cpu_us(struct redis_server *server)
{
	struct redis_reply reply = redis_server_ask(server, "INFO cpu");

	return 1e6 * (info_number(reply.text, "used_cpu_sys:") + info_number(reply.text, "used_cpu_user:"));
}
