/*
 * config.h - the options of smtptrail, shared by its verbs. The table is in config.c.
 *
 * Threads: before threads start; constant afterwards.
 * Memory:  the struct is the caller's, its strings are freed by config_done.
 * Errors:  as conf.h: "FILE:LINE: what is wrong; allowed: what is".
 */
#ifndef SMTPTRAIL_ANALYSIS_CONFIG_H
#define SMTPTRAIL_ANALYSIS_CONFIG_H

#include "analysis/query.h"
#include "common/conf.h"
#include "common/problem.h"
#include "common/redis_conf.h"

enum config_colour { CONFIG_COLOUR_AUTO, CONFIG_COLOUR_ALWAYS, CONFIG_COLOUR_NEVER };

struct config {
	struct redis_conf redis;
	char *stream_prefix;
	uint64_t partitions;
	struct conf_list own_domains;
	char *recipient_delimiter;
	struct conf_list queries;	/* sections: a name, its query, its description */
	struct conf_list hosts;		/* pairs, for hosts_new */
	char *reasons;			/* for config_load_reasons; "": none */
	char *store;
	uint64_t store_keep_us, store_size;
	struct conf_list logs;
	bool journald;
	char *consumer_group;
	uint64_t ingest_memory;
	uint64_t clock_skew_us;
	uint64_t commit_interval_us;
	char *status_file;
	int colour;			/* enum config_colour */
};

extern const struct conf_option config_options[];

/* The file that --config named; NULL: the usual one where it exists, else the defaults. */
int config_read(struct config *ret_config, const char *file, struct problem *problem);
void config_done(struct config *config);

/* Of config.queries: what is one query, and where its parts are. */
enum { CONFIG_QUERY_NAME, CONFIG_QUERY_MATCH, CONFIG_QUERY_DESCRIPTION, CONFIG_QUERY_ITEMS };

/* The saved queries, for query_parse, as long as the configuration lives. */
struct query_saved config_saved_queries(struct config *config);

/* Classes of reasons of the person's own, where the configuration names their file; reason_unload lets them go. */
int config_load_reasons(const struct config *config, struct problem *problem);

#endif
