/*
 * redis_link.h - one connection to Redis: address forms, authentication, reopening, and what an
 * error reply means.
 *
 * The forms of an address are redis_address.h's. With sentinels or a cluster the link finds whom to ask
 * (redis_route.h): at each open the master that most sentinels name, whose role is looked at, and once a
 * second, before a command, whether they still name it; of a cluster the node that holds the key of
 * redis_link_for(), following MOVED and ASK, which say that nothing was done. hiredis is included by
 * redis_link.c alone, which also hands out replies in the small form below.
 *
 * Threads: one owner at a time (hiredis' contexts are not thread-safe).
 * Memory:  a reply is the link's, valid until its next call; redis_link_close accepts NULL.
 * Limits:  a connect, and a command with its whole reply, time out as asked (the look-up of a host
 *          name by its resolver's own limits); a reply has at most 256 MiB, its arrays 1 Mi elements.
 * Signals: none is raised by a cut connection; a signal does not end a wait.
 * Errors:  a failure is a redis_failure with a sentence; after REDIS_RECONNECT, _ELSEWHERE and
 *          _OPERATOR the link is closed and the next redis_link_open tries again.
 */
#ifndef SMTPTRAIL_REDIS_LINK_H
#define SMTPTRAIL_REDIS_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "problem.h"
#include "redis_address.h"
#include "text.h"

struct redis_link;

struct redis_options {
	const char *address;
	const char *user;		/* ACL user; empty: none */
	const char *password_file;	/* first line is the password; empty: none. Read at each connect */
	const char *sentinel_user;	/* the same for the sentinels themselves; NULL: none */
	const char *sentinel_password_file;
	const char *tls_ca_file;	/* of all servers and sentinels by TLS; NULL or empty: what this machine trusts */
	const char *tls_certificate_file, *tls_key_file;	/* our own; NULL or empty: none */
	uint64_t connect_timeout_us;
	uint64_t command_timeout_us;
};

/* What to do about a failure. One table in redis_link.c says it for each error reply; an
 * unknown error is REDIS_RECONNECT, and nothing is taken as stored. */
enum redis_failure {
	REDIS_OK = 0,
	REDIS_RECONNECT,	/* link cut, timed out, or an unknown reply: connect again, read the cursor again */
	REDIS_WAIT,		/* OOM MISCONF NOREPLICAS LOADING BUSY TRYAGAIN: back off */
	REDIS_ELSEWHERE,	/* READONLY MASTERDOWN CLUSTERDOWN MOVED ASK, or so say the sentinels: this is not the master
				 * for it; back off, and look for it anew */
	REDIS_OPERATOR,		/* NOAUTH WRONGPASS NOPERM WRONGTYPE CROSSSLOT: only a person can mend it; retried slowly */
	REDIS_NO_SCRIPT,	/* NOSCRIPT: send the body */
};

enum redis_type { REDIS_NIL, REDIS_TEXT, REDIS_INTEGER, REDIS_ARRAY, REDIS_STATUS, REDIS_ERROR };
struct redis_reply {
	enum redis_type type;
	int64_t integer;
	struct text text;		/* TEXT, STATUS, ERROR */
	size_t count;			/* ARRAY */
	const void *elements;
};
/* Element i of an array; REDIS_NIL outside of it. */
struct redis_reply redis_reply_at(const struct redis_reply *array, size_t i);

/* What an error reply means, by the table. */
enum redis_failure redis_error_meaning(struct text error);

/* Copies the options. NULL: no memory. */
struct redis_link *redis_link_new(const struct redis_options *options);
void redis_link_free(struct redis_link *link);
/* Connects and authenticates where it is not; then asks PING, since a connect proves nothing. */
enum redis_failure redis_link_open(struct redis_link *link, struct problem *problem);
void redis_link_close(struct redis_link *link);
bool redis_link_is_open(const struct redis_link *link);
/* What comes next is about this key: an open link to another node of a cluster is changed for one to the node
 * that holds it; a closed link stays closed, and opens to it. */
enum redis_failure redis_link_for(struct redis_link *link, const char *key, struct problem *problem);
/* Whether keys of different braces may lie on different servers, and so in no command together. */
bool redis_link_is_spread(const struct redis_link *link);
/* One command, one reply. An error reply becomes its failure, its words in problem. */
enum redis_failure redis_link_command(struct redis_link *link, size_t count, const struct text *words,
				      struct redis_reply *ret_reply, struct problem *problem);
/* The same in parts, for a long command: begin, add each word, run. The words are copied. */
void redis_link_begin(struct redis_link *link);
void redis_link_add(struct redis_link *link, struct text word);
/* A word put together from pieces. */
void redis_link_word_begin(struct redis_link *link);
void redis_link_word_put(struct redis_link *link, const char *bytes, size_t length);
/* Lends room for a piece of at most size bytes; NULL: no memory, which redis_link_run() will say. What was
 * written of it counts once its end is told. */
char *redis_link_word_room(struct redis_link *link, size_t size);
void redis_link_word_wrote(struct redis_link *link, const char *end);
void redis_link_word_end(struct redis_link *link);
enum redis_failure redis_link_run(struct redis_link *link, struct redis_reply *ret_reply, struct problem *problem);
/* For a blocking command: from now on waits so much longer than the command timeout. */
void redis_link_extra_wait(struct redis_link *link, uint64_t extra_us);

#endif
