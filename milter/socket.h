/*
 * socket.h - the address at which the MTA finds the milter, and whether someone listens there.
 *
 * Forms: unix:/PATH and local:/PATH; inet:PORT@HOST and inet6:PORT@HOST as libmilter and Sendmail
 * write them; inet:HOST:PORT as Postfix does, an IPv6 HOST in brackets.
 *
 * Threads: before threads start.
 * Errors:  -EINVAL, and in problem what is allowed.
 */
#ifndef SMTPTRAIL_MILTER_SOCKET_H
#define SMTPTRAIL_MILTER_SOCKET_H

#include "common/problem.h"
#include "common/text.h"

struct socket_address {
	bool is_local;
	char path[108];			/* of a local one */
	char host[256];
	unsigned port;
	char libmilter[300];		/* the same, as smfi_setconn() wants it */
	char postfix[300];		/* the same, as smtpd_milters wants it */
};

int socket_parse(struct socket_address *ret_address, const char *text, struct problem *problem);
/* For the table of options. */
int socket_check(const char *text, struct problem *problem);
/* Whether a connect to it succeeds now. */
bool socket_is_answered(const struct socket_address *address);
/* Whether an inet address can be bound; tried, and let go at once. */
bool socket_can_listen(const struct socket_address *address, struct problem *problem);

#endif
