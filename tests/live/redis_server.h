/*
 * redis_server.h - a private redis-server for a test: its own directory, a unix socket and a loopback port.
 *
 * The server dies with the test, also when the test is killed.
 *
 * Threads: one.
 * Errors:  a server that does not start ends the test with its log and status 1; where redis-server is
 *          not installed the test ends with status 77 (skipped).
 */
#ifndef SMTPTRAIL_REDIS_SERVER_H
#define SMTPTRAIL_REDIS_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/redis_link.h"

struct redis_server {
	pid_t pid;			/* 0: not running */
	int port;
	char directory[64];
	char unix_address[100];		/* unix:/... */
	char tcp_address[40];		/* tcp:127.0.0.1:PORT */
	struct redis_link *admin;	/* redis_server_ask's connection */
};

/* Ends the program with 77 and a word where redis-server is not installed. */
void redis_server_or_skip(void);
/* A new directory; starts in it. configuration: lines of redis.conf; NULL: none. */
void redis_server_begin(struct redis_server *server, const char *configuration);
/* Starts again in the same directory, on the same addresses. Waits until it accepts commands (or only connections). */
void redis_server_start(struct redis_server *server, const char *configuration);
void redis_server_start_unready(struct redis_server *server, const char *configuration);
/* SIGKILL, and waits for its end. */
void redis_server_kill(struct redis_server *server);
void redis_server_signal(const struct redis_server *server, int signal);
/* Kills it and removes the directory. */
void redis_server_end(struct redis_server *server);

/* One command, its words separated by single blanks. The reply is valid until the next; an error reply is
 * a reply as any other. NIL where there is no connection. */
struct redis_reply redis_server_ask(struct redis_server *server, const char *command);
/* The same, printed to text: an integer, a text, or the number of elements; for comparing. */
const char *redis_server_say(struct redis_server *server, const char *command);
/* Microseconds of CPU that the server has used. */
double redis_server_cpu_us(struct redis_server *server);

#endif
