/* network.c - a network as ADDRESS or ADDRESS/PREFIX. */
#include "network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* The byte's bits that a prefix covers. */
static unsigned char mask_of(unsigned prefix, size_t byte)
{
	unsigned covered = prefix > 8 * byte ? prefix - 8 * (unsigned)byte : 0;

	return (unsigned char)((covered >= 8 ? 0xff : 0xff00u >> covered) & 0xff);
}

/* Digits alone, up to the most. */
static bool read_prefix(const char *digits, unsigned most, unsigned *ret_prefix)
{
	size_t length = strspn(digits, "0123456789");

	if (length == 0 || length > 3 || digits[length] != '\0')
		return false;
	*ret_prefix = 0;
	for (size_t i = 0; i < length; i++)
		*ret_prefix = *ret_prefix * 10 + (unsigned)(digits[i] - '0');
	return *ret_prefix <= most;
}

static bool is_network(const char *text, struct network *network)
{
	char string[INET6_ADDRSTRLEN];
	size_t length = strcspn(text, "/");
	struct spf_address *address = &network->address;

	*address = (struct spf_address){ .family = 4 };
	(void)snprintf(string, sizeof string, "%.*s", length < sizeof string ? (int)length : 0, text);
	if (inet_pton(AF_INET, string, address->bytes) != 1) {
		address->family = 6;
		if (inet_pton(AF_INET6, string, address->bytes) != 1)
			return false;
	}
	/* A client with an IPv4-mapped address is one of IPv4, so that it is in no such network. */
	if (address->family == 6 && IN6_IS_ADDR_V4MAPPED(address->bytes))
		return false;
	network->prefix = address->family == 4 ? 32 : 128;
	return text[length] == '\0' || read_prefix(text + length + 1, network->prefix, &network->prefix);
}

int network_parse(const char *text, struct network *ret_network, struct problem *problem)
{
	bool is_well = is_network(text, ret_network);

	for (size_t i = 0; is_well && i < sizeof ret_network->address.bytes; i++)
		is_well = (ret_network->address.bytes[i] & ~mask_of(ret_network->prefix, i)) == 0;
	if (is_well)
		return 0;
	problem_set(problem, "'%.80s' is no network; allowed: ADDRESS or ADDRESS/PREFIX, with no bit set behind the prefix", text);
	return -EINVAL;
}

bool network_has(const struct network *network, const struct spf_address *address)
{
	if (network->address.family != address->family)
		return false;
	for (size_t i = 0; 8 * i < network->prefix; i++)
		if ((address->bytes[i] ^ network->address.bytes[i]) & mask_of(network->prefix, i))
			return false;
	return true;
}
