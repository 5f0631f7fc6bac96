/*
 * config.h - the options of smtptrail-milter, as immutable, counted snapshots.
 *
 * A reload makes a new snapshot and swaps it; whoever holds the old one keeps it until the
 * release. The table of options is in config.c.
 *
 * Threads: config_read from any thread; a snapshot never changes, so it is read without a lock;
 *          taking and releasing count atomically; a lock guards which one is in force.
 * Errors:  as conf.h: "FILE:LINE: what is wrong, what is allowed".
 */
#ifndef SMTPTRAIL_MILTER_CONFIG_H
#define SMTPTRAIL_MILTER_CONFIG_H

#include <stdatomic.h>

#include "common/conf.h"
#include "common/problem.h"
#include "common/redis_conf.h"
#include "network.h"

#define CONFIG_KEY_MIN 16
#define CONFIG_KEY_MAX 1024

#define CONFIG_DNS_SERVERS_MAX 8

/* Where a message comes from, and what is said of it in the configuration. */
enum config_origin { CONFIG_ORIGIN_INBOUND, CONFIG_ORIGIN_AUTHENTICATED, CONFIG_ORIGIN_LOCAL };
extern const char *const config_origin_names[];

enum config_latency { CONFIG_LATENCY_LIVE, CONFIG_LATENCY_LOWEST };

struct config {
	/* the milter's side */
	char *socket;			/* unix:/path or inet:PORT@HOST */
	uint64_t socket_mode;		/* a number as in chmod, written in octal */
	char *socket_group;
	char *user;
	char *instance;
	char *host;			/* empty: the system's name */
	int latency;			/* enum config_latency */
	uint64_t idle_timeout_us;
	/* Redis */
	struct redis_conf redis;
	char *stream_prefix;
	uint64_t stream_max_length, stream_max_age_us, stream_hard_length;
	bool stream_hard_length_given;
	uint64_t partitions;
	/* the journal */
	char *front_directory;
	char *spool_directory;
	uint64_t segment_size, front_size, spool_size;
	uint64_t spool_free_percent;
	uint64_t keep_time_us, keep_size;
	int sync;			/* enum journal_sync */
	uint64_t sync_interval_us;
	/* what is recorded, and how much */
	struct conf_list header_keep, header_hash, header_drop;
	char *hash_key_file;
	bool body_sha256;
	uint64_t max_packet;		/* smfi_setmaxdatasize */
	uint64_t max_headers;		/* header fields looked at, a message */
	uint64_t max_header_bytes;	/* bytes of header fields looked at, a message */
	uint64_t max_header_value;	/* bytes kept of one header field */
	uint64_t max_recipients;	/* recipients recorded, a message */
	uint64_t max_parts;		/* MIME parts looked at, a message */
	uint64_t max_attachments;	/* file names recorded, a message */
	/* authentication */
	bool auth;
	struct conf_list spf_origins, dkim_origins, dmarc_origins;	/* names of enum config_origin */
	struct conf_list local_networks;	/* as text; see networks */
	struct conf_list spf_engines;	/* the first decides */
	uint64_t dkim_max_signatures, dkim_max_body_hashes, dkim_max_body_bytes, dkim_body_kept;
	bool dmarc_tree_walk;
	char *public_suffix_list;	/* empty: the system's */
	struct conf_list dns_servers;	/* none: those of resolv.conf */
	uint64_t dns_timeout_us;
	uint64_t dns_cache_entries;
	char *dnssec_trust_anchor;	/* empty: no DNSSEC */
	uint64_t auth_workers, auth_queue, auth_queue_size, auth_deadline_us, auth_stop_time_us;
	/* the operator's side */
	int log;			/* enum log_target */
	int log_level;			/* enum log_level */
	char *status_file;
	uint64_t status_interval_us;

	/* not options */
	char *file;			/* where it was read from; NULL: defaults */
	char digest[65];
	uint64_t read_us;		/* when */
	struct network *networks;	/* local_networks.count of them */
	size_t hash_key_length;		/* the bytes of hash_key_file; 0: no header is hashed */
	unsigned char hash_key[CONFIG_KEY_MAX];
	atomic_uint references;
};

extern const struct conf_option config_options[];

/* For conf_find(): the file that is read where none is named. */
#define CONFIG_FILE SYSCONFDIR "/smtptrail/smtptrail-milter.conf"

/* NULL file: the defaults. The caller holds the one reference. */
int config_read(struct config **ret_config, const char *file, struct problem *problem);
/* Whether a list of origins names this one. */
bool config_has_origin(const struct conf_list *origins, enum config_origin origin);
/* Whether local_networks has this address. */
bool config_is_local(const struct config *config, const struct spf_address *address);
struct config *config_take(struct config *config);
void config_release(struct config *config);	/* accepts NULL */

/* The snapshot in force. Takes over the caller's reference and lets go of the one before. */
void config_set_current(struct config *config);
/* The caller releases it; NULL: none is set. Waits for a few instructions at most. */
struct config *config_take_current(void);

#endif
