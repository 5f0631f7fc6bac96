/*
 * redis_tls.h - TLS for a connection whose bytes someone else moves: what is to be said goes in, what is
 * to be sent comes out, and the other way round.
 *
 * The server's certificate must be good for its name (or address) and signed by the CA file, or by one
 * that this machine trusts. A certificate of our own is shown where it is configured. TLS 1.2 at least.
 * It reads and writes no socket itself, so that time limits and SIGPIPE stay redis_link.c's business; and
 * hiredis, whose own TLS comes with 1.0 only, needs to know nothing of it.
 *
 * Threads: one owner at a time.
 * Memory:  lent bytes are valid until the next call.
 * Errors:  -EPROTO with a sentence; the connection is of no use then.
 */
#ifndef SMTPTRAIL_REDIS_TLS_H
#define SMTPTRAIL_REDIS_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "problem.h"

struct redis_tls;

/* Whether this build has TLS at all. */
bool redis_tls_is_built_in(void);
/* Files: empty, none. */
int redis_tls_new(struct redis_tls **ret_tls, const char *host, const char *ca_file, const char *certificate_file,
		  const char *key_file, struct problem *problem);
void redis_tls_free(struct redis_tls *tls);
/* Goes on with the handshake. */
int redis_tls_shake(struct redis_tls *tls, bool *ret_done, struct problem *problem);
/* Bytes that came from the server; then what they say: *ret_length 0, nothing whole yet. */
int redis_tls_came(struct redis_tls *tls, const char *bytes, size_t length, struct problem *problem);
int redis_tls_read(struct redis_tls *tls, char *buffer, size_t size, size_t *ret_length, struct problem *problem);
/* Something to say; then the bytes that are to be sent for it, and how many of them were. */
int redis_tls_write(struct redis_tls *tls, const char *bytes, size_t length, struct problem *problem);
size_t redis_tls_to_send(struct redis_tls *tls, const char **ret_bytes);
void redis_tls_sent(struct redis_tls *tls, size_t length);

#endif
