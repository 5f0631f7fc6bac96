/* config.c - the table of options of smtptrail. */
#include "analysis/config.h"

#include <errno.h>
#include <stddef.h>

#include "analysis/hosts.h"
#include "analysis/query.h"
#include "analysis/reason.h"
#include "common/stream.h"

enum { QUERIES_MAX = 200 };

static const char *any_text(void *context, const char *name)
{
	(void)context;
	(void)name;
	return "";
}

static const char *no_name(void *context, unsigned at)
{
	(void)context;
	(void)at;
	return NULL;
}

/* A query may name others, which are looked for when it is used. */
static int check_query(const char *text, struct problem *problem)
{
	struct problem words = { "" };
	const struct query_saved any = { .text_of = any_text, .name_at = no_name };
	struct query *query = NULL;

	if (query_parse(&query, text, 0, &any, &words) != 0) {
		problem_set(problem, "'%s': %s", text, words.text);
		return -EINVAL;
	}
	query_free(query);
	return 0;
}

enum { MILLISECOND = 1000, MINUTE = 60 * 1000 * MILLISECOND };
#define HOUR (UINT64_C(60) * MINUTE)

/* clang-format off */
#define AT(member) .offset = offsetof(struct config, member)

const struct conf_option config_options[] = {
	REDIS_CONF_ROWS(struct config, redis, ""),
	{ "stream_prefix", CONF_TEXT, "smtptrail", 1, STREAM_PREFIX_MAX, NULL, NULL,
	  "Begin of the keys, as in smtptrail-milter.conf: the records are in the stream {PREFIX:0}:records.",
	  false, AT(stream_prefix), conf_check_key },
	{ "partitions", CONF_NUMBER, "1", 1, 1024, NULL, NULL,
	  "Streams that the records are spread over.", false, AT(partitions), NULL },

	{ "hosts", CONF_PAIRS, "", 0, HOSTS_MAX, NULL, "Hosts",
	  "Under which names one host is known: NAME = HOST, or NAME = HOST/INSTANCE. NAME is what a log, the MTA"
	  " (myhostname) or a milter (host) calls it; HOST/SYSLOG_NAME for the lines of one instance alone, as in"
	  " mx1/postfix-out = \"mx1.example.org/out\". Of a NAME that stands there twice the last row counts, and a HOST is not"
	  " looked up again. A short name is tied to the one full name that begins with it without a row.", false, AT(hosts), hosts_check },

	{ "store", CONF_PATH, "/var/lib/smtptrail/store", 1, 0, NULL, "Store",
	  "Directory that smtptrail ingest keeps transactions in, and that questions are answered from.", false, AT(store), NULL },
	{ "store_keep", CONF_DURATION, "90d", 0, 87600 * HOUR, NULL, NULL,
	  "How long transactions are kept: whole days (UTC) go once their end is so long ago. 0: for ever.", false, AT(store_keep_us),
	  NULL },
	{ "store_size", CONF_SIZE, "0", 0, 0, NULL, NULL,
	  "How large the store may be: the oldest days go, never the newest. 0: any size.", false, AT(store_size), NULL },
	{ "logs", CONF_LIST, "", 0, 1000, NULL, NULL,
	  "Logs that smtptrail ingest reads where its command line names no input, as in { /var/log/mail.log }. Rotated files"
	  " beside them are found.", false, AT(logs), NULL },
	{ "journald", CONF_BOOL, "no", 0, 0, NULL, NULL,
	  "Whether it also reads the journal of systemd (facility mail) then.", false, AT(journald), NULL },
	{ "consumer_group", CONF_TEXT, "smtptrail-ingest", 1, 256, NULL, NULL,
	  "Consumer group of the streams that tells the milter what the store has. Each store that is fed from the same Redis needs"
	  " its own.", false, AT(consumer_group), NULL },
	{ "ingest_memory", CONF_SIZE, "512M", 1048576, 0, NULL, NULL,
	  "Memory for what is under way. Beyond it what was silent for longest goes to the store, marked incomplete=evicted.", false,
	  AT(ingest_memory), NULL },
	{ "clock_skew", CONF_DURATION, "2s", 0, 10 * 1000 * MILLISECOND, NULL, NULL,
	  "How far the clocks of the milter and of the log may be apart: what is tied without a queue id is tied within it.", false,
	  AT(clock_skew_us), NULL },
	{ "commit_interval", CONF_DURATION, "2s", 10 * MILLISECOND, MINUTE, NULL, NULL,
	  "How often what is new goes to the store, where smtptrail ingest follows its inputs.", false, AT(commit_interval_us), NULL },

	{ "own_domains", CONF_LIST, "", 0, 1000, NULL, "Answers",
	  "Our own domains, with all below them: mail that comes from outside with one of them in From: and fails DMARC is"
	  " forged, or of a sender that we do not know of.", false, AT(own_domains), NULL },
	{ "recipient_delimiter", CONF_TEXT, "+", 0, 8, NULL, NULL,
	  "Signs that begin a tag of an address, as Postfix' option of that name: joe+shop@example.com is joe@example.com, whom"
	  " smtptrail store forget then finds too. Empty: there are no tags.", false, AT(recipient_delimiter), NULL },
	{ "reasons", CONF_PATH, "", 0, 0, NULL, NULL,
	  "File of classes of your own for why mail is refused, deferred or bounced, before the built-in ones: lines CLASS PATTERN, as"
	  " of smtptrail parse --reasons. Empty: none. What is in the store keeps the class that it came with.",
	  false, AT(reasons), NULL },
	{ "query", CONF_SECTIONS, "\"late\" { match = \"fate:delivered delay:>1h\" description = \"took its time\" }",
	  0, QUERIES_MAX, NULL, NULL,
	  "A saved query: @NAME in a query stands for what its match says. The description may be missing; smtptrail fields --saved"
	  " shows it. As many sections as there are queries.",
	  false, AT(queries), check_query, .within = (const char *const[]){ "match", "description", NULL } },

	{ "status_file", CONF_PATH, "/run/smtptrail/status.json", 1, 0, NULL, "Output",
	  "The milter's status file, as in smtptrail-milter.conf.", false, AT(status_file), NULL },
	{ "colour", CONF_CHOICE, "auto", 0, 0, "auto always never", NULL,
	  "Whether output is coloured. auto: on a terminal, unless NO_COLOR is set.", false, AT(colour), NULL },
	{ 0 },
};
/* clang-format on */

int config_read(struct config *ret_config, const char *file, struct problem *problem)
{
	return conf_read(config_options, ret_config, conf_find(file, SYSCONFDIR "/smtptrail/smtptrail.conf"), problem);
}

void config_done(struct config *config)
{
	conf_done(config_options, config);
}

static const char *saved_text(void *context, const char *name)
{
	const struct config *config = context;

	for (size_t i = 0; i < config->queries.count; i += CONFIG_QUERY_ITEMS)
		if (strcmp(config->queries.items[i + CONFIG_QUERY_NAME], name) == 0)
			return config->queries.items[i + CONFIG_QUERY_MATCH];
	return NULL;
}

static const char *saved_name(void *context, unsigned at)
{
	const struct config *config = context;
	size_t item = (size_t)at * CONFIG_QUERY_ITEMS;

	return item < config->queries.count ? config->queries.items[item + CONFIG_QUERY_NAME] : NULL;
}

struct query_saved config_saved_queries(struct config *config)
{
	return (struct query_saved){ .text_of = saved_text, .name_at = saved_name, .context = config };
}

int config_load_reasons(const struct config *config, struct problem *problem)
{
	return config->reasons[0] ? reason_load(config->reasons, problem) : 0;
}
