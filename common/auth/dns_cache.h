/*
 * dns_cache.h - answers kept for as long as they say, so that a worker need not ask another thread.
 *
 * Threads: any; one lock, held for a lookup or an insertion.
 * Memory:  answers are shared with whoever holds them.
 * Limits:  a number of entries and DNS_CACHE_BYTES_MAX; the one that was used longest ago goes first.
 *          Data is kept for a day at most, absence for a minute, failures not at all.
 */
#ifndef SMTPTRAIL_AUTH_DNS_CACHE_H
#define SMTPTRAIL_AUTH_DNS_CACHE_H

#include "common/auth/dns.h"

#define DNS_CACHE_BYTES_MAX (32 * 1024 * 1024)

struct dns_cache;

struct dns_cache *dns_cache_new(size_t entries);	/* NULL: no memory */
void dns_cache_free(struct dns_cache *cache);
/* NULL: not known. The caller frees the answer. */
const struct dns_answer *dns_cache_find(struct dns_cache *cache, struct text name, enum dns_type type);
void dns_cache_put(struct dns_cache *cache, struct text name, const struct dns_answer *answer);
/* Fills hits, entries, bytes and evicted. */
void dns_cache_statistics(struct dns_cache *cache, struct dns_statistics *statistics);

#endif
