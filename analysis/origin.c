/* origin.c - names of hosts and instances, each looked up once; and a cache of what was found for a line. */
#include "analysis/origin.h"

#include <stdlib.h>

enum { NAMES_MAX = 4 * ORIGIN_HOSTS_MAX, NAME_LENGTH_MAX = 255 };

/* One of the names of a host. */
struct host_name {
	char *bytes;
	size_t length;
	struct host *host;
	bool is_full;		/* it has a domain */
};

struct origins {
	const struct hosts *ties;
	uint64_t seed;
	struct host *hosts[ORIGIN_HOSTS_MAX];
	unsigned host_count;
	struct host_name *names;
	size_t name_count;
	struct open_table by_name;
	uint64_t name_lengths;		/* a bit for each, modulo 64: most names that are asked for have none of them */
	struct instance *instances[ORIGIN_INSTANCES_MAX];
	unsigned instance_count;
	struct origin_cache cache;
};

/* What the configuration names is known from the begin. */
void origins_add_ties(struct origins *origins)
{
	const struct conf_list *pairs = origins->ties ? origins->ties->pairs : NULL;

	for (size_t i = 0; pairs && i + 1 < pairs->count; i += 2)
		if (!strchr(pairs->items[i], '/'))
			(void)origin_host(origins, text_of(pairs->items[i]));
}

struct origins *origins_new(const struct hosts *hosts, uint64_t seed)
{
	struct origins *origins = calloc(1, sizeof *origins);

	if (!origins)
		return NULL;
	origins->ties = hosts;
	origins->seed = seed;
	origins->cache.origins = origins;
	origins->cache.seed = seed;
	origins->cache.host_hash = hash_text(seed, TEXT_NONE);
	origins->names = calloc(NAMES_MAX, sizeof *origins->names);
	/* The first host is the one whose lines tell none. */
	if (!origins->names || !origin_host(origins, TEXT_LITERAL(""))) {
		origins_free(origins);
		return NULL;
	}
	origins_add_ties(origins);
	return origins;
}

static void forget_hosts(struct origins *origins)
{
	for (size_t i = 0; i < origins->name_count; i++)
		free(origins->names[i].bytes);
	for (unsigned i = 0; i < origins->instance_count; i++) {
		free((void *)(uintptr_t)origins->instances[i]->name.start);
		free(origins->instances[i]);
	}
	for (unsigned i = 0; i < origins->host_count; i++)
		free(origins->hosts[i]);
	open_table_done(&origins->by_name);
	origins->name_count = 0;
	origins->instance_count = origins->host_count = 0;
	memset(origins->cache.slots, 0, sizeof origins->cache.slots);
}

void origins_free(struct origins *origins)
{
	if (!origins)
		return;
	forget_hosts(origins);
	free(origins->names);
	free(origins);
}

/* ---- hosts ---- */

static size_t label_length(struct text name)
{
	const char *dot = memchr(name.start, '.', name.length);

	return dot ? (size_t)(dot - name.start) : name.length;
}

/* An address has no short name. */
static bool is_address(struct text name)
{
	size_t at = 0;

	while (at < name.length && strchr("0123456789.", name.start[at]))
		at++;
	return at == name.length || memchr(name.start, ':', name.length);
}

static struct host *find_name(const struct origins *origins, struct text name)
{
	const struct host_name *known;
	uint64_t hash;

	if (!(origins->name_lengths >> name.length % 64 & 1))
		return NULL;
	hash = hash_text_nocase(origins->seed, name);
	for (size_t at = SIZE_MAX; (known = open_table_next(&origins->by_name, hash, &at));)
		if (text_equal_nocase((struct text){ known->bytes, known->length }, name))
			return known->host;
	return NULL;
}

/* The one host that a short name and a full name may both mean; NULL: there is none, or there are several. */
static struct host *find_kin(const struct origins *origins, struct text name)
{
	size_t label = label_length(name);
	bool is_full = label < name.length;
	struct host *kin = NULL;

	if (!name.length || is_address(name))
		return NULL;
	for (size_t i = 0; i < origins->name_count; i++) {
		struct text other = { origins->names[i].bytes, origins->names[i].length };

		if (label_length(other) != label || strncasecmp(other.start, name.start, label) != 0)
			continue;
		/* Another full name of that label makes both short ways doubtful. */
		if (is_full && origins->names[i].is_full)
			return NULL;
		if (kin && kin != origins->names[i].host)
			return NULL;
		kin = origins->names[i].host;
	}
	return kin;
}

static struct host *new_host(struct origins *origins)
{
	struct host *host;

	if (origins->host_count == ORIGIN_HOSTS_MAX)
		return origins->hosts[ORIGIN_HOSTS_MAX - 1];
	host = calloc(1, sizeof *host);
	if (!host)
		return origins->host_count ? origins->hosts[origins->host_count - 1] : NULL;
	host->number = origins->host_count;
	origins->hosts[origins->host_count++] = host;
	return host;
}

/* A name from outside may have a NUL in it. NULL: no memory. */
static char *copy_of(struct text text)
{
	char *copy = malloc(text.length + 1);

	if (copy && text.length)
		memcpy(copy, text.start, text.length);
	return copy;
}

static void add_name(struct origins *origins, struct text name, struct host *host)
{
	struct host_name *known = &origins->names[origins->name_count];

	if (origins->name_count == NAMES_MAX)
		return;
	*known = (struct host_name){ copy_of(name), name.length, host, label_length(name) < name.length };
	if (!known->bytes)
		return;
	if (open_table_add(&origins->by_name, hash_text_nocase(origins->seed, name), known) != 0) {
		free(known->bytes);
		return;
	}
	origins->name_count++;
	origins->name_lengths |= UINT64_C(1) << name.length % 64;
	if (!host->name.start || (!host->is_tied && known->is_full && label_length(host->name) == host->name.length))
		host->name = (struct text){ known->bytes, known->length };
}

struct host *origin_host(struct origins *origins, struct text name)
{
	struct text tied = name, instance;
	struct host *host;

	if (name.length > NAME_LENGTH_MAX)
		name.length = NAME_LENGTH_MAX;
	if (!name.start)
		name = TEXT_LITERAL("");
	host = find_name(origins, name);
	if (host)
		return host;
	if (hosts_find(origins->ties, name, &tied, &instance) && !text_equal_nocase(tied, name)) {
		host = find_name(origins, tied);
		if (!host) {
			host = new_host(origins);
			if (host)
				add_name(origins, tied, host);
		}
		if (host)
			host->is_tied = true;
	} else {
		host = find_kin(origins, name);
		if (!host)
			host = new_host(origins);
	}
	if (host)
		add_name(origins, name, host);
	return host;
}

bool origin_name_at(const struct origins *origins, size_t index, struct origin_name *ret_name)
{
	const struct host_name *name = &origins->names[index];

	if (index >= origins->name_count)
		return false;
	*ret_name = (struct origin_name){ { name->bytes, name->length }, name->host };
	return true;
}

void origins_restore(struct origins *origins, unsigned count)
{
	forget_hosts(origins);
	while (origins->host_count < count && new_host(origins))
		;
	if (!origins->host_count)
		(void)origin_host(origins, TEXT_LITERAL(""));
}

void origins_restore_name(struct origins *origins, unsigned number, struct text name)
{
	if (number < origins->host_count && name.length <= NAME_LENGTH_MAX)
		add_name(origins, name, origins->hosts[number]);
}

struct host *origin_known_host(const struct origins *origins, struct text name)
{
	return name.length && name.length <= NAME_LENGTH_MAX ? find_name(origins, name) : NULL;
}

unsigned origin_host_count(const struct origins *origins)
{
	return origins->host_count;
}

struct host *origin_host_at(const struct origins *origins, unsigned number)
{
	return origins->hosts[number];
}

/* ---- instances ---- */

unsigned origin_instance_count(const struct origins *origins)
{
	return origins->instance_count;
}

const struct instance *origin_instance_at(const struct origins *origins, unsigned number)
{
	return origins->instances[number];
}

struct instance *origin_instance(struct origins *origins, struct host *host, struct text name)
{
	struct instance *instance;

	if (!name.length)
		return NULL;

	for (unsigned i = 0; i < origins->instance_count; i++)
		if (origins->instances[i]->host == host && text_equal(origins->instances[i]->name, name))
			return origins->instances[i];
	if (origins->instance_count == ORIGIN_INSTANCES_MAX)
		return NULL;
	instance = calloc(1, sizeof *instance);
	if (!instance)
		return NULL;
	instance->host = host;
	instance->name = (struct text){ copy_of(name), name.length };
	instance->is_usual = text_is(name, "postfix");
	if (!instance->name.start) {
		free(instance);
		return NULL;
	}
	origins->instances[origins->instance_count++] = instance;
	return instance;
}

static enum origin_role role_of(struct text program)
{
	static const struct {
		const char *program;
		enum origin_role role;
	} roles[] = {
		{ "qmgr", ROLE_QUEUE_MANAGER }, { "postscreen", ROLE_SCREEN }, { "anvil", ROLE_STATISTICS },
		{ "discard", ROLE_DISCARD }, { "postsuper", ROLE_OPERATOR },
	};

	for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
		if (text_is(program, roles[i].program))
			return roles[i].role;
	return ROLE_OTHER;
}

/* "postfix-out/submission/smtpd": instance and program. */
static void read_process(struct origins *origins, struct text host, struct origin *origin)
{
	struct text process = origin->process, tied, name = process;
	const char *first = memchr(process.start, '/', process.length), *last = memrchr(process.start, '/', process.length);

	origin->program = process;
	if (!first)
		return;
	origin->program = (struct text){ last + 1, (size_t)(process.start + process.length - last - 1) };
	name.length = (size_t)(first - process.start);
	if (hosts_find_instance(origins->ties, host, name, &tied, &name)) {
		origin->host = origin_host(origins, tied);
		if (!name.start)
			name = (struct text){ process.start, (size_t)(first - process.start) };
	}
	origin->instance = origin_instance(origins, origin->host, name);
	origin->role = role_of(origin->program);
	if (origin->role == ROLE_QUEUE_MANAGER && origin->instance)
		origin->instance->has_queue = true;
}

struct origin_cache *origins_cache(struct origins *origins)
{
	return &origins->cache;
}

void origin_learn_host(struct origin_cache *cache, struct text host)
{
	cache->host_hash = hash_text(cache->seed, host);
	/* No host has this length, which stands for one that has no room. */
	cache->host_length = host.length <= sizeof cache->host_bytes ? host.length : SIZE_MAX;
	if (host.length && host.length <= sizeof cache->host_bytes)
		memcpy(cache->host_bytes, host.start, host.length);
}

const struct origin *origin_learn(struct origin_cache *cache, uint64_t hash, struct text host, struct text process)
{
	struct origin *origin = &cache->slots[hash % ORIGIN_CACHE_SLOTS], *beside = &cache->slots[(hash + 1) % ORIGIN_CACHE_SLOTS];
	struct origins *origins = cache->origins;

	/* Two of a few dozen often fall on one place, and lines of both may come again and again. */
	if (beside->hash == hash)
		return beside;
	if (origin->hash && !beside->hash)
		origin = beside;

	*origin = (struct origin){ .hash = hash, .role = ROLE_OTHER, .host = origin_host(origins, host) };
	if (process.length > sizeof origin->process_bytes)
		process.length = sizeof origin->process_bytes;
	if (process.length)
		memcpy(origin->process_bytes, process.start, process.length);
	origin->process = (struct text){ origin->process_bytes, process.length };
	read_process(origins, host, origin);
	return origin;
}
