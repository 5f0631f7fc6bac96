/*
 * address.h - whose domain a From: field names: a small reader of RFC 5322 address lists.
 *
 * It reads comments, quoted strings, groups and obsolete routes, and several fields in a row. It
 * is made never to name a wrong domain: where there is no address, or several of different domains or in
 * several fields, or where a form leaves a doubt, there is a count and no domain. Two sloppy forms are read as every mail
 * program reads them: an unquoted comma in a name (Doe, John <john@example.com>) makes no second
 * address, and a name that looks like an address (a@example.com <b@example.net>) is only a name.
 *
 * Threads: one owner at a time.
 * Memory:  none but the struct; the domain is lent from it.
 * Limits:  a domain of 253 bytes, labels of 63; comments nest to any depth and cost a counter.
 */
#ifndef SMTPTRAIL_ADDRESS_H
#define SMTPTRAIL_ADDRESS_H

#include <stdint.h>

#include "text.h"

#define ADDRESS_DOMAIN_MAX 253

struct address_list {
	uint64_t addresses;		/* with an @, or in angle brackets */
	uint64_t words;			/* list items without either */
	uint64_t fields;		/* with an address */
	bool doubtful;
	bool domains_differ;
	size_t domain_length;
	char domain[ADDRESS_DOMAIN_MAX];
};

void address_list_init(struct address_list *list);
/* Reads one field's value (folded or not) into the list. */
void address_list_read(struct address_list *list, struct text value);
/* A field that was not read: the list can name no domain any more. */
void address_list_doubt(struct address_list *list);
uint64_t address_list_count(const struct address_list *list);
/* The domain of the only address, or of all those of the only field, in lower case; absent where there is
 * not exactly one. */
struct text address_list_domain(const struct address_list *list);

#endif
