/*
 * cutting_proxy.h - a process between a client and a unix socket that harms connections by chance.
 *
 * Each connection ends at a random byte of what the client sends, in one of three ways: cut (the
 * request arrives in part), reply lost (it arrives, the answer does not), or late (the client is cut
 * off, its bytes arrive up to 200 ms later, after its next connection).
 *
 * Threads: start it before there are any.
 */
#ifndef SMTPTRAIL_CUTTING_PROXY_H
#define SMTPTRAIL_CUTTING_PROXY_H

#include <stdint.h>
#include <sys/types.h>

struct cutting_proxy {
	pid_t pid;
	char path[108];			/* of its own socket */
};

/* path: where it listens; target: the server's socket; each connection lasts up to most_bytes. */
void cutting_proxy_start(struct cutting_proxy *proxy, const char *path, const char *target, unsigned seed,
			 uint64_t most_bytes);
void cutting_proxy_stop(struct cutting_proxy *proxy);

#endif
