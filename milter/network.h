/*
 * network.h - a network as ADDRESS or ADDRESS/PREFIX, and whether an address is in it.
 *
 * Threads: any.
 * Errors:  -EINVAL, with words of what is allowed.
 */
#ifndef SMTPTRAIL_MILTER_NETWORK_H
#define SMTPTRAIL_MILTER_NETWORK_H

#include "common/auth/spf.h"
#include "common/problem.h"

struct network {
	struct spf_address address;	/* its bits behind the prefix are 0 */
	unsigned prefix;
};

int network_parse(const char *text, struct network *ret_network, struct problem *problem);
bool network_has(const struct network *network, const struct spf_address *address);

#endif
