/* dns_cache.c - answers kept for as long as they say. */
#include "common/auth/dns_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include "common/auth/domain.h"

#define TTL_DATA_MAX 86400
#define TTL_ABSENCE_MAX 60

struct entry {
	struct entry *next_in_bucket;
	struct entry *newer, *older;	/* by last use */
	uint64_t hash;
	uint64_t expires_us;
	size_t bytes;
	const struct dns_answer *answer;
	enum dns_type type;
	uint8_t length;
	char name[];
};

struct dns_cache {
	size_t entries_max;
	size_t bucket_mask;
	uint64_t seed;
	pthread_mutex_t lock;		/* guards all below */
	struct entry *newest, *oldest;
	uint64_t hits, entries, bytes, evicted;
	struct entry *buckets[];
};

/* Lower case of a name, which the DNS does not tell from upper case. */
struct key {
	uint64_t hash;
	enum dns_type type;
	uint8_t length;
	char name[DOMAIN_SIZE + 1];
};

static void make_key(const struct dns_cache *cache, struct text name, enum dns_type type, struct key *ret_key)
{
	uint64_t hash = cache->seed ^ (uint64_t)type;

	if (name.length > 0 && name.start[name.length - 1] == '.')
		name.length--;
	for (size_t i = 0; i < name.length; i++) {
		char byte = name.start[i];

		if (byte >= 'A' && byte <= 'Z')
			byte = (char)(byte + 'a' - 'A');
		ret_key->name[i] = byte;
		hash = (hash ^ (unsigned char)byte) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 29;
	}
	ret_key->hash = hash;
	ret_key->type = type;
	ret_key->length = (uint8_t)name.length;
}

struct dns_cache *dns_cache_new(size_t entries)
{
	size_t buckets = 16;

	while (buckets < entries)
		buckets *= 2;
	struct dns_cache *cache = calloc(1, sizeof *cache + buckets * sizeof cache->buckets[0]);

	if (!cache)
		return NULL;
	/* A seed of its own: who sends us mail chooses the names. */
	if (getrandom(&cache->seed, sizeof cache->seed, GRND_NONBLOCK) != sizeof cache->seed)
		cache->seed = dns_now_us();
	cache->entries_max = entries;
	cache->bucket_mask = buckets - 1;
	pthread_mutex_init(&cache->lock, NULL);
	return cache;
}

static struct entry **find_place(struct dns_cache *cache, const struct key *key)
{
	struct entry **place = &cache->buckets[key->hash & cache->bucket_mask];

	for (; *place; place = &(*place)->next_in_bucket) {
		const struct entry *entry = *place;

		if (entry->hash == key->hash && entry->type == key->type && entry->length == key->length &&
		    memcmp(entry->name, key->name, key->length) == 0)
			break;
	}
	return place;
}

static void unlink_use(struct dns_cache *cache, struct entry *entry)
{
	*(entry->newer ? &entry->newer->older : &cache->newest) = entry->older;
	*(entry->older ? &entry->older->newer : &cache->oldest) = entry->newer;
}

static void link_newest(struct dns_cache *cache, struct entry *entry)
{
	entry->newer = NULL;
	entry->older = cache->newest;
	*(cache->newest ? &cache->newest->newer : &cache->oldest) = entry;
	cache->newest = entry;
}

static void remove_entry(struct dns_cache *cache, struct entry **place)
{
	struct entry *entry = *place;

	*place = entry->next_in_bucket;
	unlink_use(cache, entry);
	cache->entries--;
	cache->bytes -= entry->bytes;
	dns_answer_free(entry->answer);
	free(entry);
}

static void evict_oldest(struct dns_cache *cache)
{
	struct entry **place = &cache->buckets[cache->oldest->hash & cache->bucket_mask];

	while (*place != cache->oldest)
		place = &(*place)->next_in_bucket;
	remove_entry(cache, place);
	cache->evicted++;
}

void dns_cache_free(struct dns_cache *cache)
{
	if (!cache)
		return;
	while (cache->oldest)
		evict_oldest(cache);
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

const struct dns_answer *dns_cache_find(struct dns_cache *cache, struct text name, enum dns_type type)
{
	const struct dns_answer *answer = NULL;
	struct key key;

	make_key(cache, name, type, &key);
	pthread_mutex_lock(&cache->lock);
	struct entry **place = find_place(cache, &key);

	if (*place && dns_now_us() >= (*place)->expires_us) {
		remove_entry(cache, place);
	} else if (*place) {
		struct entry *entry = *place;

		unlink_use(cache, entry);
		link_newest(cache, entry);
		answer = dns_answer_share(entry->answer);
		cache->hits++;
	}
	pthread_mutex_unlock(&cache->lock);
	return answer;
}

static uint64_t lifetime_us(const struct dns_answer *answer)
{
	unsigned longest = 0;

	if (answer->status == DNS_DATA)
		longest = TTL_DATA_MAX;
	else if (answer->status == DNS_NO_DATA || answer->status == DNS_NO_NAME)
		longest = TTL_ABSENCE_MAX;
	return (uint64_t)(answer->ttl_seconds < longest ? answer->ttl_seconds : longest) * 1000000;
}

void dns_cache_put(struct dns_cache *cache, struct text name, const struct dns_answer *answer)
{
	uint64_t lifetime = lifetime_us(answer);
	struct key key;

	if (lifetime == 0)
		return;
	make_key(cache, name, answer->type, &key);
	struct entry *entry = malloc(sizeof *entry + key.length);

	if (!entry)
		return;
	*entry = (struct entry){
		.hash = key.hash, .type = key.type, .length = key.length,
		.expires_us = dns_now_us() + lifetime,
		.bytes = sizeof *entry + key.length + dns_answer_bytes(answer),
		.answer = dns_answer_share(answer),
	};
	memcpy(entry->name, key.name, key.length);

	pthread_mutex_lock(&cache->lock);
	struct entry **place = find_place(cache, &key);

	if (*place)
		remove_entry(cache, place);
	entry->next_in_bucket = cache->buckets[key.hash & cache->bucket_mask];
	cache->buckets[key.hash & cache->bucket_mask] = entry;
	link_newest(cache, entry);
	cache->entries++;
	cache->bytes += entry->bytes;
	while (cache->entries > cache->entries_max || cache->bytes > DNS_CACHE_BYTES_MAX)
		evict_oldest(cache);
	pthread_mutex_unlock(&cache->lock);
}

void dns_cache_statistics(struct dns_cache *cache, struct dns_statistics *statistics)
{
	pthread_mutex_lock(&cache->lock);
	statistics->cache_hits = cache->hits;
	statistics->cache_entries = cache->entries;
	statistics->cache_bytes = cache->bytes;
	statistics->cache_evicted = cache->evicted;
	pthread_mutex_unlock(&cache->lock);
}
