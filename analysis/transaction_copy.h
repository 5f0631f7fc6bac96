/*
 * transaction_copy.h - transactions that stay when whoever lent them is done.
 *
 * Threads: one owner at a time, with the pool.
 * Memory:  all of it in the pool, and it goes with it.
 * Errors:  NULL: no memory.
 */
#ifndef SMTPTRAIL_TRANSACTION_COPY_H
#define SMTPTRAIL_TRANSACTION_COPY_H

#include "analysis/transaction.h"

/* Without its messages. */
struct session *session_copy(struct pool *pool, const struct session *session);
/* With its recipients, their tries and its checks, but without its session. */
struct message *message_copy(struct pool *pool, const struct message *message);
struct attempt *attempt_copy(struct pool *pool, const struct attempt *attempt);
struct login *login_copy(struct pool *pool, const struct login *login);

#endif
