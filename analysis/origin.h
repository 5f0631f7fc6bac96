/*
 * origin.h - who wrote a line: which host, which instance of the MTA on it, which program.
 *
 * Names of one host are tied by the configuration (hosts.h); where it says nothing, a short name is tied to the one full
 * name that begins with it. An instance is known by its syslog_name, which is in front of the program: postfix-out/smtp.
 * Where only some programs have another syslog_name (postfix/submission, postfix-slow), they are no instance of their
 * own: an instance has a queue, and its queue manager writes lines too.
 *
 * Threads: one owner at a time.
 * Memory:  an origin lends until the next call; hosts and instances until origins_free.
 * Limits:  ORIGIN_HOSTS_MAX hosts, ORIGIN_INSTANCES_MAX instances; what comes behind them shares the last one.
 */
#ifndef SMTPTRAIL_ORIGIN_H
#define SMTPTRAIL_ORIGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "analysis/hosts.h"
#include "analysis/open_table.h"
#include "common/text.h"

enum { ORIGIN_HOSTS_MAX = 2000, ORIGIN_INSTANCES_MAX = 4000, ORIGIN_PROCESS_MAX = 96 };

/* What a program is to the join, where its lines alone do not tell. */
enum origin_role {
	ROLE_OTHER,
	ROLE_QUEUE_MANAGER,	/* its instance has a queue of its own */
	ROLE_SCREEN,
	ROLE_STATISTICS,
	ROLE_DISCARD,		/* what it delivers is thrown away */
	ROLE_OPERATOR,		/* a person's command */
};

struct open_list {
	struct open_item *first, *last;
};

struct host {
	struct text name;		/* as the configuration calls it; else the fullest that is known */
	bool is_tied;			/* the configuration calls it so */
	unsigned number;		/* from 0 */

	/* The join's own: the newest time of its lines and records, and what has ended, the first that leaves first. */
	uint64_t now_us;
	bool has_records;		/* a milter records there */
	const struct host *mta;		/* what the MTA calls itself of which it records; NULL: not known */
	unsigned behind;		/* how often in a row a time was far behind it */
	struct open_list ending;
};

struct instance {
	struct host *host;
	struct text name;
	bool has_queue;
	bool is_usual;		/* there is nothing to tell: "postfix" */
};

struct origin {
	uint64_t hash;			/* the origins' own */
	struct host *host;
	struct instance *instance;	/* NULL: not told */
	enum origin_role role;
	struct text process;		/* "postfix/smtpd" */
	struct text program;		/* "smtpd" */
	char process_bytes[ORIGIN_PROCESS_MAX];
};

struct origins;

/* hosts may be NULL. NULL: no memory. */
struct origins *origins_new(const struct hosts *hosts, uint64_t seed);
void origins_free(struct origins *origins);

enum { ORIGIN_CACHE_SLOTS = 1024, ORIGIN_HOST_MAX = 64 };

/* The origins' own: what was found of lines before. */
struct origin_cache {
	struct origins *origins;
	uint64_t seed;
	/* Most lines are of the host of the line before. */
	size_t host_length;
	uint64_t host_hash;
	char host_bytes[ORIGIN_HOST_MAX];
	struct origin slots[ORIGIN_CACHE_SLOTS];
};

struct origin_cache *origins_cache(struct origins *origins);
void origin_learn_host(struct origin_cache *cache, struct text host);
const struct origin *origin_learn(struct origin_cache *cache, uint64_t hash, struct text host, struct text process);

/* host and process may be absent. */
static inline const struct origin *origin_find(struct origin_cache *cache, struct text host, struct text process)
{
	const struct origin *origin;
	uint64_t hash;

	if (cache->host_length != host.length || !text_same_bytes(cache->host_bytes, host.start, host.length))
		origin_learn_host(cache, host);
	hash = hash_text(cache->host_hash, process);
	origin = &cache->slots[hash % ORIGIN_CACHE_SLOTS];
	return origin->hash == hash ? origin : origin_learn(cache, hash, host, process);
}

/* A host by any of its names; it is new where none is known. */
struct host *origin_host(struct origins *origins, struct text name);
/* The same; NULL: none has the name. */
struct host *origin_known_host(const struct origins *origins, struct text name);
/* An instance of a host, new or known; NULL: no memory, or no name. */
struct instance *origin_instance(struct origins *origins, struct host *host, struct text name);
unsigned origin_instance_count(const struct origins *origins);
const struct instance *origin_instance_at(const struct origins *origins, unsigned number);
unsigned origin_host_count(const struct origins *origins);
struct host *origin_host_at(const struct origins *origins, unsigned number);

/* Every name of every host, from 0 on; false: there are no more. */
struct origin_name {
	struct text text;
	struct host *host;
};
bool origin_name_at(const struct origins *origins, size_t index, struct origin_name *ret_name);

/* So many hosts, without names, instead of those that there are; then their names; then what the configuration says. */
void origins_restore(struct origins *origins, unsigned count);
void origins_restore_name(struct origins *origins, unsigned number, struct text name);
void origins_add_ties(struct origins *origins);

#endif
