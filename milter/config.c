/* config.c - the table of options of smtptrail-milter, and its snapshots. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/auth/dkim.h"
#include "common/clock.h"
#include "common/journal.h"
#include "common/stream.h"
#include "socket.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)
#define SECOND UINT64_C(1000000)
#define MINUTE (60 * SECOND)
#define DAY (24 * 60 * MINUTE)

enum { SEGMENTS_MIN = 4, ITEMS_MAX = 200 };

static int check_header_name(const char *text, struct problem *problem)
{
	for (const char *byte = text; *byte; byte++)
		if (*byte <= ' ' || *byte > '~' || *byte == ':') {
			problem_set(problem, "'%.80s' is no name of a header field; allowed: a name without colon and blanks", text);
			return -EINVAL;
		}
	return 0;
}

static int check_dns_server(const char *text, struct problem *problem)
{
	char address[INET6_ADDRSTRLEN];
	size_t length = strcspn(text, "@");
	unsigned char bytes[sizeof(struct in6_addr)];
	char *end = NULL;
	unsigned long port = text[length] ? strtoul(text + length + 1, &end, 10) : 53;

	(void)snprintf(address, sizeof address, "%.*s", length < sizeof address ? (int)length : 0, text);
	if ((inet_pton(AF_INET, address, bytes) == 1 || inet_pton(AF_INET6, address, bytes) == 1) &&
	    (!end || (end != text + length + 1 && *end == '\0')) && port > 0 && port <= 65535)
		return 0;
	problem_set(problem, "'%.80s' is no DNS server; allowed: ADDRESS or ADDRESS@PORT", text);
	return -EINVAL;
}

static int check_network(const char *text, struct problem *problem)
{
	struct network network;

	return network_parse(text, &network, problem);
}

#define ORIGINS "inbound authenticated local"

/* clang-format off */
#define AT(member) .offset = offsetof(struct config, member)

const struct conf_option config_options[] = {
	{ "socket", CONF_TEXT, "inet:8891@127.0.0.1", 1, 0, NULL, "The side of the MTA",
	  "Where the MTA reaches the milter: inet:PORT@HOST, inet6:PORT@HOST, inet:HOST:PORT or unix:/PATH. A Postfix whose smtpd is"
	  " chrooted, as Debian's is, finds a unix socket only below its queue directory.",
	  false, AT(socket), socket_check },
	{ "socket_mode", CONF_NUMBER, "0660", 0, 0777, NULL, NULL,
	  "Permissions of a unix socket.", false, AT(socket_mode), NULL },
	{ "socket_group", CONF_TEXT, "", 0, 64, NULL, NULL,
	  "Group that a unix socket is given to, such as postfix; empty: the group of the user.",
	  false, AT(socket_group), NULL },
	{ "user", CONF_TEXT, "smtptrail", 0, 64, NULL, NULL,
	  "User to become when started as root; empty: stay who we are.", false, AT(user), NULL },
	{ "instance", CONF_TEXT, "milter", 1, JOURNAL_NAME_SIZE - 1, NULL, NULL,
	  "Name of this milter in its records. Two milters of one host need two names, sockets and directories.",
	  false, AT(instance), NULL },
	{ "host", CONF_TEXT, "", 0, JOURNAL_NAME_SIZE - 1, NULL, NULL,
	  "Name of this host in its records; empty: the system's name.", false, AT(host), NULL },
	{ "latency", CONF_CHOICE, "live", 0, 0, "live lowest", NULL,
	  "live: every command is seen when it comes, for a round trip each that hides in the client's own. lowest: no"
	  " replies at all; Postfix then holds the events back until DATA, so that times are wrong and silent clients"
	  " invisible. Of each session, what was in force at its begin.",
	  true, AT(latency), NULL },
	{ "idle_timeout", CONF_DURATION, "7210s", SECOND, 7 * DAY, NULL, NULL,
	  "How long the MTA may be silent in a session before it is given up. Shorter than the MTA's own limits it ends"
	  " sessions that are well.",
	  false, AT(idle_timeout_us), NULL },

	REDIS_CONF_ROWS(struct config, redis, " No mail waits for it."),
	{ "stream_prefix", CONF_TEXT, "smtptrail", 1, STREAM_PREFIX_MAX, NULL, NULL,
	  "Begin of the keys: the records go to the stream {PREFIX:0}:records.", false, AT(stream_prefix), conf_check_key },
	{ "partitions", CONF_NUMBER, "1", 1, JOURNAL_PARTITIONS_MAX, NULL, NULL,
	  "Streams that the sessions are spread over: {PREFIX:N}:records, N from 0. A session's records are in one, in"
	  " order. Each has its own start, stop and gap records, and its own journal: the first in front_directory and"
	  " spool_directory, number N in their partition-N. Where there are fewer than before, those left over are"
	  " shipped on as long as their directories exist; let readers follow all until then.",
	  false, AT(partitions), NULL },
	{ "stream_max_length", CONF_NUMBER, "1000000", 0, 0, NULL, NULL,
	  "Records that the stream keeps, about; older ones are trimmed, but none that a registered reader (a consumer"
	  " group) has not done with. A million need about 350 MB of Redis' memory. 0: any number.",
	  false, AT(stream_max_length), NULL },
	{ "stream_max_age", CONF_DURATION, "0s", 0, 3650 * DAY, NULL, NULL,
	  "How long the stream keeps a record, by Redis' own clock; readers hold it back as above. 0s: by number alone.",
	  false, AT(stream_max_age_us), NULL },
	{ "stream_hard_length", CONF_NUMBER, "2000000", 0, 0, NULL, NULL,
	  "Records that the stream never exceeds for long: beyond it the oldest go, whoever has not read them; they are"
	  " counted, and a gap record of the reason trimmed says how many. 0: a reader that stays away may fill Redis."
	  " Where it is not set and stream_max_length is: twice that (0: as the default).",
	  false, AT(stream_hard_length), NULL,
	  .given_offset = offsetof(struct config, stream_hard_length_given) },

	{ "front_directory", CONF_PATH, "/run/smtptrail/front", 1, 0, NULL, "The journal",
	  "Where the callbacks write. On a tmpfs: then no mail ever waits for a disk.",
	  false, AT(front_directory), NULL },
	{ "spool_directory", CONF_PATH, "/var/lib/smtptrail", 1, 0, NULL, NULL,
	  "Where the records are copied to, on a disk: what a power cut leaves. It also holds the identity of this"
	  " producer.",
	  false, AT(spool_directory), NULL },
	{ "segment_size", CONF_SIZE, "512K", 256 * KIB, 64 * MIB, NULL, NULL,
	  "Size of a file of the journal. Two or three of the front are in memory at a time; more, up to 17, where records"
	  " came faster than that.", false, AT(segment_size), NULL },
	{ "front_size", CONF_SIZE, "64M", MIB, 16 * GIB, NULL, NULL,
	  "Memory that the front takes, at least four segments a partition.", false, AT(front_size), NULL },
	{ "spool_size", CONF_SIZE, "1G", MIB, TIB, NULL, NULL,
	  "Disk that the spool takes, at least four segments a partition. A full one refuses records, counts them, and a gap record"
	  " follows.",
	  false, AT(spool_size), NULL },
	{ "spool_free_percent", CONF_NUMBER, "5", 0, 90, NULL, NULL,
	  "Share of the spool's file system that is left to others.", false, AT(spool_free_percent), NULL },
	{ "keep_time", CONF_DURATION, "15min", 0, 30 * DAY, NULL, NULL,
	  "How long shipped records are kept, to be sent again to a Redis that lost them.",
	  false, AT(keep_time_us), NULL },
	{ "keep_size", CONF_SIZE, "64M", 0, TIB, NULL, NULL,
	  "Shipped records are also kept up to so many bytes, whatever their age; less than spool_size.",
	  false, AT(keep_size), NULL },
	{ "sync", CONF_CHOICE, "interval", 0, 0, "none interval each", NULL,
	  "When the spool is forced to the disk: never, once in sync_interval, or after each copy. A crash of the"
	  " program loses nothing either way; a power cut loses what was not forced.",
	  false, AT(sync), NULL },
	{ "sync_interval", CONF_DURATION, "1s", 10000, 10 * MINUTE, NULL, NULL,
	  "How often the spool is forced to the disk.", false, AT(sync_interval_us), NULL },

	{ "header_keep", CONF_LIST,
	  "from, sender, reply-to, message-id, subject, date, list-id, in-reply-to, auto-submitted, authentication-results",
	  0, ITEMS_MAX, NULL, "What is recorded, and how much",
	  "Header fields whose value is recorded. A field that stands in several of the three lists is dropped before it"
	  " is hashed, and hashed before it is kept; one that stands in none is only counted.",
	  true, AT(header_keep), check_header_name },
	{ "header_hash", CONF_LIST, "", 0, ITEMS_MAX, NULL, NULL,
	  "Header fields of which a keyed hash is recorded: equal values can be found, but not read. Needs hash_key_file.",
	  true, AT(header_hash), check_header_name },
	{ "header_drop", CONF_LIST, "", 0, ITEMS_MAX, NULL, NULL,
	  "Header fields that are not recorded, whatever the other lists say.",
	  true, AT(header_drop), check_header_name },
	{ "hash_key_file", CONF_PATH, "", 0, 0, NULL, NULL,
	  "File with the key for header_hash, readable only for the milter's user.", true, AT(hash_key_file), NULL },
	{ "body_sha256", CONF_BOOL, "no", 0, 0, NULL, NULL,
	  "Record the SHA-256 of each body. It costs CPU time in the mail's way.", true, AT(body_sha256), NULL },
	{ "max_packet", CONF_SIZE, "1M", 64 * KIB, 16 * MIB, NULL, NULL,
	  "Largest packet that the MTA may send. A larger header ends the recording of its session.",
	  false, AT(max_packet), NULL },
	{ "max_headers", CONF_NUMBER, "1000", 1, 1000000, NULL, NULL,
	  "Header fields looked at in a message.", true, AT(max_headers), NULL },
	{ "max_header_bytes", CONF_SIZE, "1M", KIB, GIB, NULL, NULL,
	  "Bytes of header fields looked at in a message.", true, AT(max_header_bytes), NULL },
	{ "max_header_value", CONF_SIZE, "2K", 16, 8 * KIB, NULL, NULL,
	  "Bytes recorded of one header field.", true, AT(max_header_value), NULL },
	{ "max_recipients", CONF_NUMBER, "10000", 1, 1000000, NULL, NULL,
	  "Recipients recorded of a message; more are counted.", true, AT(max_recipients), NULL },
	{ "max_parts", CONF_NUMBER, "1000", 1, 1000000, NULL, NULL,
	  "MIME parts looked at in a message.", true, AT(max_parts), NULL },
	{ "max_attachments", CONF_NUMBER, "50", 0, 1000, NULL, NULL,
	  "Attachments whose name and type are recorded.", true, AT(max_attachments), NULL },

	{ "auth", CONF_BOOL, "yes", 0, 0, NULL, "SPF, DKIM, DMARC: checked beside the mail, recorded, never acted upon",
	  "Check messages at all. No mail waits for a check.", false, AT(auth), NULL },
	{ "local_networks", CONF_LIST, "", 0, ITEMS_MAX, NULL, NULL,
	  "Networks whose mail is local too, as that of this machine is: those that this MTA relays, and signs, for.",
	  true, AT(local_networks), check_network },
	{ "spf_origins", CONF_LIST, "inbound", 0, 3, ORIGINS, NULL,
	  "Mail whose SPF is checked: inbound, authenticated (the client logged in), local (from this machine and"
	  " local_networks). An empty list: none.",
	  true, AT(spf_origins), NULL },
	{ "dkim_origins", CONF_LIST, "inbound", 0, 3, ORIGINS, NULL,
	  "Mail whose DKIM signatures are checked. What this MTA signs, it signs after the milter has seen it.",
	  true, AT(dkim_origins), NULL },
	{ "dmarc_origins", CONF_LIST, "inbound", 0, 3, ORIGINS, NULL,
	  "Mail whose DMARC policy is looked up and evaluated, by what SPF and DKIM were checked for.",
	  true, AT(dmarc_origins), NULL },
	{ "spf_engines", CONF_LIST, "builtin", 1, 2, "builtin libspf2", NULL,
	  "Who evaluates SPF: builtin (RFC 7208 to the letter) or libspf2 (what many sites run). All are recorded, the"
	  " first decides.",
	  true, AT(spf_engines), NULL },
	{ "dkim_max_signatures", CONF_NUMBER, "10", 0, DKIM_CHECKED_MAX, NULL, NULL,
	  "Signatures checked of a message; more are recorded as not checked.", true, AT(dkim_max_signatures), NULL },
	{ "dkim_max_body_hashes", CONF_NUMBER, "3", 1, DKIM_CHECKED_MAX, NULL, NULL,
	  "Ways in which a body is hashed (canonicalization, algorithm, l=).", true, AT(dkim_max_body_hashes), NULL },
	{ "dkim_body_kept", CONF_SIZE, "64K", 0, 4 * MIB, NULL, NULL,
	  "Longest body that is copied, to be hashed beside the mail; a longer one of a signed message is hashed as it"
	  " passes. Copies take memory: of each message that is under way, and in auth_queue_size.",
	  true, AT(dkim_body_kept), NULL },
	{ "dkim_max_body_bytes", CONF_SIZE, "4M", 0, GIB, NULL, NULL,
	  "Longest body whose signatures are checked: beyond dkim_body_kept about 4 ms a megabyte of CPU time in the"
	  " mail's way, for each hash. Signatures of longer ones have the result policy, with error=limit.",
	  true, AT(dkim_max_body_bytes), NULL },
	{ "dmarc_tree_walk", CONF_BOOL, "no", 0, 0, NULL, NULL,
	  "Find policy and organizational domain as RFC 9989 has it, by walking up the DNS; else as RFC 7489, by the"
	  " public suffix list.",
	  true, AT(dmarc_tree_walk), NULL },
	{ "public_suffix_list", CONF_PATH, "", 0, 0, NULL, NULL,
	  "The public suffix list; empty: the system's.", false, AT(public_suffix_list), NULL },
	{ "dns_servers", CONF_LIST, "", 0, CONFIG_DNS_SERVERS_MAX, NULL, NULL,
	  "DNS resolvers to ask, as ADDRESS or ADDRESS@PORT; none: those of /etc/resolv.conf.",
	  false, AT(dns_servers), check_dns_server },
	{ "dns_timeout", CONF_DURATION, "3s", 10000, MINUTE, NULL, NULL,
	  "How long the answer to a question may take.", false, AT(dns_timeout_us), NULL },
	{ "dns_cache_entries", CONF_NUMBER, "8192", 16, 10000000, NULL, NULL,
	  "Answers kept for as long as the DNS allows.", false, AT(dns_cache_entries), NULL },
	{ "dnssec_trust_anchor", CONF_PATH, "", 0, 0, NULL, NULL,
	  "File with the trust anchor of the root, such as /usr/share/dns/root.key: DNSSEC is validated. Empty: not.",
	  false, AT(dnssec_trust_anchor), NULL },
	{ "auth_workers", CONF_NUMBER, "16", 1, 256, NULL, NULL,
	  "Messages that are checked at a time. Nearly all of it is waiting for the DNS.", false, AT(auth_workers), NULL },
	{ "auth_queue", CONF_NUMBER, "1000", 1, 1000000, NULL, NULL,
	  "Messages that may wait for a check; beyond that they are recorded as not checked: overload. Those that were"
	  " aborted take at most half of it, and come behind the others.",
	  false, AT(auth_queue), NULL },
	{ "auth_queue_size", CONF_SIZE, "64M", MIB, TIB, NULL, NULL,
	  "Memory that those may take; what finds no room is recorded as not checked: overload. One takes about 10 KiB"
	  " and its body, if that is kept; at worst 500 KiB.",
	  false, AT(auth_queue_size), NULL },
	{ "auth_deadline", CONF_DURATION, "10s", 10000, 10 * MINUTE, NULL, NULL,
	  "How long the checks of a message may take after its end, waiting included.", true, AT(auth_deadline_us), NULL },
	{ "auth_stop_time", CONF_DURATION, "2s", 0, MINUTE, NULL, NULL,
	  "How long a stop waits for checks that have begun; the others are recorded as not checked: shutdown.",
	  false, AT(auth_stop_time_us), NULL },

	{ "log", CONF_CHOICE, "auto", 0, 0, "auto stderr syslog journal", "The operator's side",
	  "Where the log goes. auto: the journal of systemd where standard error is connected to it, else standard error.",
	  false, AT(log), NULL },
	{ "log_level", CONF_CHOICE, "info", 0, 0, "error warning info debug", NULL,
	  "What is logged: this and all that is worse.", true, AT(log_level), NULL },
	{ "status_file", CONF_PATH, "/run/smtptrail/status.json", 0, 0, NULL, NULL,
	  "File for smtptrail status; empty: none.", false, AT(status_file), NULL },
	{ "status_interval", CONF_DURATION, "1s", 100000, 60 * MINUTE, NULL, NULL,
	  "How often the status file is written.", true, AT(status_interval_us), NULL },
	{ 0 },
};
/* clang-format on */

static int check_sizes(const struct config *config, const char *file, struct problem *problem)
{
	const struct { const char *name; uint64_t size; } rooms[] = {
		{ "front_size", config->front_size }, { "spool_size", config->spool_size },
	};
	uint64_t segments = SEGMENTS_MIN * config->partitions;

	for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++)
		if (rooms[i].size / segments < config->segment_size) {
			problem_set(problem, "%.200s: %s is too small for %d segments%s; allowed: at least %lluK, %llu times segment_size",
				    file, rooms[i].name, SEGMENTS_MIN, config->partitions > 1 ? " of each partition" : "",
				    (unsigned long long)(segments * config->segment_size / KIB),
				    (unsigned long long)segments);
			return -EINVAL;
		}
	if (config->keep_size > config->spool_size) {
		problem_set(problem, "%.200s: keep_size is larger than the spool; allowed: at most %lluK, the spool_size",
			    file, (unsigned long long)(config->spool_size / KIB));
		return -EINVAL;
	}
	return 0;
}

/* "/a/b/" is "/a/b". */
static bool is_same_directory(const char *a, const char *b)
{
	size_t a_length = strlen(a), b_length = strlen(b);

	while (a_length > 1 && a[a_length - 1] == '/')
		a_length--;
	while (b_length > 1 && b[b_length - 1] == '/')
		b_length--;
	return a_length == b_length && memcmp(a, b, a_length) == 0;
}

/* Who only changes the one length is not stopped by the default of the other. */
static void follow_max_length(struct config *config)
{
	if (!config->stream_hard_length_given && config->stream_max_length)
		config->stream_hard_length = config->stream_max_length > UINT64_MAX / 2 ? UINT64_MAX :
					     config->stream_max_length * 2;
}

static int check_together(const struct config *config, const char *file, struct problem *problem)
{
	int error = check_sizes(config, file, problem);

	if (error)
		return error;
	if (config->stream_hard_length && config->stream_hard_length < config->stream_max_length) {
		problem_set(problem, "%.200s: stream_hard_length is smaller than stream_max_length; allowed: at least %llu, or 0",
			    file, (unsigned long long)config->stream_max_length);
		return -EINVAL;
	}
	if (is_same_directory(config->front_directory, config->spool_directory)) {
		problem_set(problem, "%.200s: front_directory and spool_directory are both '%.100s'; allowed: two directories",
			    file, config->front_directory);
		return -EINVAL;
	}
	if (config->header_hash.count && config->hash_key_file[0] == '\0') {
		problem_set(problem, "%.200s: header_hash names fields, but hash_key_file is empty; allowed: the path of a file with a key",
			    file);
		return -EINVAL;
	}
	return 0;
}

/* The key is read once, with the rest, so that a session's snapshot never changes. */
static int read_key(struct config *config, const char *file, struct problem *problem)
{
	unsigned char bytes[CONFIG_KEY_MAX + 1];
	size_t length = 0;
	FILE *key;

	if (config->header_hash.count == 0)
		return 0;
	key = fopen(config->hash_key_file, "re");
	if (key) {
		length = fread(bytes, 1, sizeof bytes, key);
		(void)fclose(key);
	}
	if (!key || length < CONFIG_KEY_MIN || length > CONFIG_KEY_MAX) {
		problem_set(problem, "%.200s: hash_key_file '%.150s' %s; allowed: a file of %d to %d bytes that this user can read",
			    file, config->hash_key_file, key ? "is too short or too long" : "cannot be opened",
			    CONFIG_KEY_MIN, CONFIG_KEY_MAX);
		return -EINVAL;
	}
	memcpy(config->hash_key, bytes, length);
	config->hash_key_length = length;
	return 0;
}

/* -ENOMEM; each was looked at before. */
static int read_networks(struct config *config, struct problem *problem)
{
	size_t count = config->local_networks.count;

	config->networks = count ? calloc(count, sizeof *config->networks) : NULL;
	if (count && !config->networks) {
		problem_set(problem, "cannot read the configuration: no memory");
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++)
		(void)network_parse(config->local_networks.items[i], &config->networks[i], problem);
	return 0;
}

int config_read(struct config **ret_config, const char *file, struct problem *problem)
{
	struct config *config = calloc(1, sizeof *config);
	int error;

	if (!config)
		goto no_memory;
	error = conf_read(config_options, config, file, problem);
	if (error)
		goto free_config;
	follow_max_length(config);
	error = check_together(config, file ? file : "the defaults", problem);
	if (!error)
		error = read_key(config, file ? file : "the defaults", problem);
	if (!error)
		error = read_networks(config, problem);
	if (error)
		goto done_values;
	config->file = file ? strdup(file) : NULL;
	if (file && !config->file)
		goto done_no_memory;
	conf_digest(config_options, config, config->digest);
	config->read_us = clock_now_us();
	atomic_init(&config->references, 1);
	*ret_config = config;
	return 0;

done_no_memory:
	conf_done(config_options, config);
	free(config->networks);
	free(config);
no_memory:
	problem_set(problem, "cannot read the configuration: no memory");
	return -ENOMEM;
done_values:
	conf_done(config_options, config);
free_config:
	free(config);
	return error;
}

const char *const config_origin_names[] = { "inbound", "authenticated", "local" };

bool config_has_origin(const struct conf_list *origins, enum config_origin origin)
{
	for (size_t i = 0; i < origins->count; i++)
		if (strcmp(origins->items[i], config_origin_names[origin]) == 0)
			return true;
	return false;
}

bool config_is_local(const struct config *config, const struct spf_address *address)
{
	for (size_t i = 0; i < config->local_networks.count; i++)
		if (network_has(&config->networks[i], address))
			return true;
	return false;
}

struct config *config_take(struct config *config)
{
	atomic_fetch_add_explicit(&config->references, 1, memory_order_relaxed);
	return config;
}

void config_release(struct config *config)
{
	if (!config || atomic_fetch_sub_explicit(&config->references, 1, memory_order_acq_rel) != 1)
		return;
	conf_done(config_options, config);
	free(config->networks);
	free(config->file);
	free(config);
}

static pthread_mutex_t current_lock = PTHREAD_MUTEX_INITIALIZER;
static struct config *current;		/* under current_lock */

void config_set_current(struct config *config)
{
	pthread_mutex_lock(&current_lock);
	struct config *before = current;

	current = config;
	pthread_mutex_unlock(&current_lock);
	config_release(before);
}

struct config *config_take_current(void)
{
	pthread_mutex_lock(&current_lock);
	struct config *config = current ? config_take(current) : NULL;

	pthread_mutex_unlock(&current_lock);
	return config;
}
