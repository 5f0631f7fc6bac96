/*
 * match.h - whether a value is what was asked for: networks and mail addresses.
 *
 * Threads: any; no state.
 */
#ifndef SMTPTRAIL_MATCH_H
#define SMTPTRAIL_MATCH_H

#include <stdbool.h>

#include "common/text.h"

/* An IPv4 network is held as the IPv6 one that its addresses map to (::ffff:0:0/96). */
struct network {
	unsigned char address[16];
	unsigned bits;
};

/* "192.0.2.0/24", "2001:db8::/32", "::ffff:192.0.2.0/120", or one address. False: no network. */
bool network_parse(const char *text, struct network *ret_network);
/* The address may stand in brackets or after "IPv6:", and may name its interface (%eth0). */
bool network_has(const struct network *network, struct text address);

enum { NETWORK_ADDRESS_SIZE = 46 };	/* as INET6_ADDRSTRLEN */
/* The one text that stands for all forms of an address which network_has takes; false: it is none. */
bool network_address(struct text address, char ret_text[NETWORK_ADDRESS_SIZE]);
/* The same of the network's address that is so many behind its first. */
void network_nth(const struct network *network, unsigned number, char ret_text[NETWORK_ADDRESS_SIZE]);

/* Whether the address is the wanted one, upper and lower case being the same; * stands for any
 * characters. Both may stand in angle brackets; <> is the null sender. */
bool address_matches(const char *wanted, struct text address);

#endif
