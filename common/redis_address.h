/*
 * redis_address.h - where Redis is, as the configuration says it.
 *
 *   unix:/PATH                              one server, by a socket
 *   tcp:HOST:PORT                           one server; an IPv6 address stands in brackets
 *   sentinel:HOST:PORT,HOST:PORT.../NAME    the master NAME that these sentinels watch
 *   cluster:HOST:PORT,HOST:PORT...          a cluster that at least one of these belongs to
 *   tls:HOST:PORT, sentinel+tls:..., cluster+tls:...   the same, by TLS (to the sentinels, too)
 *
 * Threads: pure functions.
 * Limits:  16 sentinels or nodes; a host of 255 bytes, a master's name of 127.
 * Errors:  -EINVAL with a sentence that says what is allowed.
 */
#ifndef SMTPTRAIL_REDIS_ADDRESS_H
#define SMTPTRAIL_REDIS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "problem.h"
#include "text.h"

enum { REDIS_HOST_SIZE = 256, REDIS_MASTER_SIZE = 128, REDIS_ENDPOINTS_MAX = 16 };

struct redis_endpoint {
	char host[REDIS_HOST_SIZE];
	int port;
};
bool redis_endpoint_equal(const struct redis_endpoint *a, const struct redis_endpoint *b);
/* From what a server says of another: a host (name or address) and a port. Any bytes. */
int redis_endpoint_set(struct redis_endpoint *ret_endpoint, struct text host, long long port);

enum redis_kind { REDIS_SINGLE, REDIS_SENTINEL, REDIS_CLUSTER };

struct redis_address {
	enum redis_kind kind;
	bool tls;
	const char *path;		/* unix: borrowed of the text; else NULL */
	size_t count;			/* of endpoints; 0 with a path */
	struct redis_endpoint endpoints[REDIS_ENDPOINTS_MAX];
	char master[REDIS_MASTER_SIZE];	/* sentinel: */
};
int redis_address_parse(struct redis_address *ret_address, const char *address, struct problem *problem);
/* Checks the form of an address without connecting. */
int redis_address_check(const char *address, struct problem *problem);

#endif
