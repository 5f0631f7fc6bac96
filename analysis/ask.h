/*
 * ask.h - what the verbs that answer from transactions have in common: where they read, what is asked, how it is shown.
 *
 * The words behind the options are of three kinds: the names that the verb knows (reports, audits), files (what there is a
 * file of, or "-"), and the query, which all others are.
 *
 * Threads: one owner at a time.
 */
#ifndef SMTPTRAIL_ASK_H
#define SMTPTRAIL_ASK_H

#include <getopt.h>

#include "analysis/config.h"
#include "analysis/output.h"
#include "analysis/query.h"
#include "analysis/rows.h"
#include "analysis/verb.h"

enum { ASK_NAMES_MAX = 64, ASK_FIRST_OPTION = 1000 };

/* What a word alone, without a field, may be. */
enum ask_keys {
	ASK_ANYWHERE,			/* a piece of anything */
	ASK_NAMES,			/* an address, a Message-ID or a client, whole; else a piece of anything */
	ASK_NAMES_FIRST,		/* the same, but for a queue id that there is */
	ASK_KEYS,			/* one of these, a queue id, a session or a key */
};

struct ask {
	const struct verb *verb;
	struct config config;
	const char *config_file;
	const char *store;		/* directory; NULL: that of the configuration */
	struct log_options log;
	const char *since, *until;
	bool spans_apart;		/* set by the verb: --since and --until are no part of the query */
	enum ask_keys keys;		/* set by the verb */
	const char *(*name_at)(unsigned at);	/* set by a verb that has words of its own: those that a slip may be meant for; NULL ends them */
	bool takes_kinds;		/* set by the verb: the query may say what a row is */
	uint64_t since_us, until_us;	/* 0, and now, where they were not given */
	const struct output *output;	/* text, JSON or CSV */
	const char *html;		/* a file; NULL: standard output gets the answer */
	bool shows_queries;
	size_t top;			/* 0: all */
	bool has_top;			/* it was asked for */
	const char *by;
	uint64_t now_us;

	const char *names[ASK_NAMES_MAX];
	unsigned name_count;
	char **files;
	size_t file_count;
	char **negated;			/* query_take_negations; argv has them */
	struct query *query;		/* NULL: everything */
	struct query *quick;		/* of a key, or of what may be a queue id, what the store finds by its indexes; NULL: it is none */
	char *query_text;
};

/* The options that say what is read, for getopt_long, and those of a list; a verb's own have values below ASK_FIRST_OPTION. */
#define ASK_READ_OPTIONS \
	{ "json", no_argument, NULL, ASK_FIRST_OPTION }, \
	{ "config", required_argument, NULL, ASK_FIRST_OPTION + 2 }, { "format", required_argument, NULL, ASK_FIRST_OPTION + 3 }, \
	{ "year", required_argument, NULL, ASK_FIRST_OPTION + 4 }, { "timezone", required_argument, NULL, ASK_FIRST_OPTION + 5 }, \
	{ "since", required_argument, NULL, ASK_FIRST_OPTION + 6 }, { "until", required_argument, NULL, ASK_FIRST_OPTION + 7 }, \
	{ "store", required_argument, NULL, ASK_FIRST_OPTION + 12 }
#define ASK_LIST_OPTIONS \
	{ "csv", no_argument, NULL, ASK_FIRST_OPTION + 1 }, { "show-query", no_argument, NULL, ASK_FIRST_OPTION + 10 }
#define ASK_OPTIONS \
	ASK_READ_OPTIONS, ASK_LIST_OPTIONS, { "html", required_argument, NULL, ASK_FIRST_OPTION + 11 }, \
	{ "top", required_argument, NULL, ASK_FIRST_OPTION + 8 }, { "by", required_argument, NULL, ASK_FIRST_OPTION + 9 }

#define ASK_READ_HELP \
	"  --store DIR      the store that is asked where no file is named (default: store of smtptrail.conf)\n" \
	"  --since TIME     from then on: 2h, yesterday, 08:00, 2026-11-21; as since:TIME in the query\n" \
	"  --until TIME     before then\n" \
	"  --format NAME    the lines are of this format (default: each tells by its content)\n" \
	"  --year Y         year of the first line, where lines tell none (default: from the file's time)\n" \
	"  --timezone TZ    zone of times that do not tell theirs, as Europe/Berlin (default: this machine's)\n" \
	"  --config FILE    instead of smtptrail.conf\n"
#define ASK_LIST_HELP \
	"  --json, --csv    for programs; smtptrail-json(5) says what the members mean\n" \
	"  --show-query     below each row the query that finds what is behind it\n"
#define ASK_HELP \
	ASK_READ_HELP \
	"  --html FILE      one page to look at, which needs nothing else\n" \
	"  --top N          rows of each list (default 20; 0: all)\n" \
	"  --by COLUMN      sort by that column, as JSON names it\n" \
	ASK_LIST_HELP

/* -term in argv becomes NOT term, which is no option. */
void ask_init(struct ask *ask, const struct verb *verb, int argc, char **argv);
void ask_done(struct ask *ask);
/* An option of ASK_OPTIONS, or one that is unknown: 0, or an exit status with its words said. */
int ask_option(struct ask *ask, int option, const char *value);
/* A number of rows or the like, as the value of an option: 0, or an exit status with its words said. */
int ask_number(const struct ask *ask, const char *option, const char *value, size_t *ret_number);
/* The words behind the options. is_name tells the verb's own; NULL: it has none. 0, or an exit status with its words said. */
int ask_words(struct ask *ask, int argc, char **argv, bool (*is_name)(const char *word));
/* Fills in where to read, what to find and how to read it. */
void ask_rows(const struct ask *ask, struct rows *rows);
/* Reads it, from the files or else from the store. 0, or an exit status with its words said. */
int ask_read(const struct ask *ask, struct rows *rows);
bool ask_reads_store(const struct ask *ask);
const char *ask_store(const struct ask *ask);
/* Words of what failed, harmless on a terminal; gives the exit status. */
int ask_problem(const struct ask *ask, int error, const struct problem *problem);
/* Where the answer goes: standard output, or the file of --html, which appears when it is whole; a device or a pipe gets it
 * as it comes. 0, or an exit status with its words said. */
int ask_open_page(const struct ask *ask, const struct rows *rows, struct output_page *page);
int ask_close_page(const struct ask *ask, struct output_page *page);
/* What was not understood or could not be read, on standard error. Gives the exit status of an answer that found something. */
int ask_finish(const struct ask *ask, const struct rows *rows, bool found);

#endif
