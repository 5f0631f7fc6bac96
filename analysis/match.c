/* match.c - whether a value is what was asked for. */
#include "analysis/match.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "analysis/address_list.h"
#include "analysis/input.h"

enum { MAPPED_BITS = 96 };
static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

static bool is_mapped(const unsigned char *address)
{
	return memcmp(address, mapped, sizeof mapped) == 0;
}

/* *ret_ipv4: it was written in IPv4's form. */
static bool parse_address(struct text text, unsigned char *ret_address, bool *ret_ipv4)
{
	char word[INET6_ADDRSTRLEN];

	if (text.length == 0 || text.length >= sizeof word || memchr(text.start, '\0', text.length))
		return false;
	memcpy(word, text.start, text.length);
	word[text.length] = '\0';
	*ret_ipv4 = inet_pton(AF_INET, word, ret_address + sizeof mapped) == 1;
	if (*ret_ipv4)
		memcpy(ret_address, mapped, sizeof mapped);
	return *ret_ipv4 || inet_pton(AF_INET6, word, ret_address) == 1;
}

bool network_parse(const char *text, struct network *ret_network)
{
	size_t length = strcspn(text, "/");
	struct network network;
	uint64_t bits;
	bool ipv4;

	if (!parse_address((struct text){ text, length }, network.address, &ipv4))
		return false;
	unsigned all = ipv4 ? 32 : 128;

	if (!text[length])
		bits = all;
	else if (!input_number(text_of(text + length + 1), &bits) || bits > all)
		return false;
	network.bits = (unsigned)bits + (ipv4 ? MAPPED_BITS : 0);
	*ret_network = network;
	return true;
}

static struct text bare(struct text address)
{
	static const char prefix[] = "IPv6:";

	if (address.length >= 2 && address.start[0] == '[' && address.start[address.length - 1] == ']')
		address = (struct text){ address.start + 1, address.length - 2 };
	if (address.length >= sizeof prefix - 1 && strncasecmp(address.start, prefix, sizeof prefix - 1) == 0)
		address = (struct text){ address.start + sizeof prefix - 1, address.length - (sizeof prefix - 1) };
	const char *interface = address.length ? memchr(address.start, '%', address.length) : NULL;

	if (interface)
		address.length = (size_t)(interface - address.start);
	return address;
}

bool network_has(const struct network *network, struct text address)
{
	unsigned char bytes[16];
	unsigned whole = network->bits / 8, rest = network->bits % 8;
	bool ipv4;

	if (!parse_address(bare(address), bytes, &ipv4))
		return false;
	/* ::/0 is all of IPv6, and not the IPv4 addresses that are only held in its form. */
	if (is_mapped(bytes) && network->bits < MAPPED_BITS)
		return false;
	if (memcmp(bytes, network->address, whole) != 0)
		return false;
	return rest == 0 || ((bytes[whole] ^ network->address[whole]) >> (8 - rest)) == 0;
}

static void write_address(const unsigned char *address, char ret_text[NETWORK_ADDRESS_SIZE])
{
	_Static_assert(NETWORK_ADDRESS_SIZE >= INET6_ADDRSTRLEN, "room for any");

	if (is_mapped(address))
		(void)inet_ntop(AF_INET, address + sizeof mapped, ret_text, NETWORK_ADDRESS_SIZE);
	else
		(void)inet_ntop(AF_INET6, address, ret_text, NETWORK_ADDRESS_SIZE);
}

bool network_address(struct text address, char ret_text[NETWORK_ADDRESS_SIZE])
{
	unsigned char bytes[16];
	bool ipv4;

	if (!parse_address(bare(address), bytes, &ipv4))
		return false;
	write_address(bytes, ret_text);
	return true;
}

void network_nth(const struct network *network, unsigned number, char ret_text[NETWORK_ADDRESS_SIZE])
{
	unsigned char bytes[16];

	for (unsigned i = 0; i < sizeof bytes; i++) {
		unsigned kept = network->bits > i * 8 ? network->bits - i * 8 : 0;
		unsigned mask = kept >= 8 ? 0xffu : 0xff00u >> kept;

		bytes[i] = (unsigned char)(network->address[i] & mask);
	}
	for (unsigned i = sizeof bytes; number && i-- > 0; number >>= 8) {
		number += bytes[i];
		bytes[i] = (unsigned char)number;
	}
	write_address(bytes, ret_text);
}

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

bool address_matches(const char *wanted_text, struct text address)
{
	struct text wanted = address_without_brackets(text_of(wanted_text));
	size_t w = 0, a = 0, star = SIZE_MAX, resume = 0;

	if (!address.start)
		return false;
	address = address_without_brackets(address);
	/* After a mismatch the last star takes one more; earlier ones never need to. */
	while (a < address.length) {
		if (w < wanted.length && wanted.start[w] == '*') {
			star = w++;
			resume = a;
		} else if (w < wanted.length && same(wanted.start[w], address.start[a])) {
			w++;
			a++;
		} else if (star != SIZE_MAX) {
			w = star + 1;
			a = ++resume;
		} else {
			return false;
		}
	}
	while (w < wanted.length && wanted.start[w] == '*')
		w++;
	return w == wanted.length;
}
