/*
 * report.h - what many transactions say together: one file report_NAME.c that exports one struct report.
 *
 * A report names the tallies that it counts in, adds to them what each moment tells, and makes tables of them. So it
 * runs over log files and over the store alike, and a day's tallies can be kept and added to those of other days.
 *
 * Mail that came back from a content filter, or went on to another host of ours, is counted once: is_hop of a row says
 * that what it tells has been, or will be, told by another.
 *
 * The table of reports is made from the names of those files (analysis/local.mk).
 *
 * Threads: one owner at a time.
 */
#ifndef SMTPTRAIL_REPORT_H
#define SMTPTRAIL_REPORT_H

#include "analysis/event.h"
#include "analysis/query.h"
#include "analysis/table.h"
#include "analysis/tally.h"
#include "common/conf.h"

enum report_moment {
	REPORT_SESSION = 1,	/* it has ended */
	REPORT_MESSAGE = 2,	/* its end, or the end of what was read; its session is there as far as it is known */
	REPORT_RECIPIENT = 4,	/* each of its recipients, then */
	REPORT_ATTEMPT = 8,	/* each try */
	REPORT_CHECK = 16,	/* each SPF, DKIM or DMARC result, at the end of its message */
	REPORT_LOGIN = 32,
	REPORT_LOGOUT = 128,	/* the end of a login, with what was read in between; its time is that of the login */
	REPORT_LINE = 64,	/* a line of the log that was not understood, or that warns */
};

/* A moment, with what most reports ask for looked up once. What a moment does not have is NULL or absent. */
struct report_row {
	enum report_moment moment;
	const struct session *session;
	const struct message *message;
	const struct recipient *recipient;
	const struct attempt *attempt;
	const struct check *check;
	const struct login *login;
	const struct event *event;
	bool is_hop;
	bool is_accepted;		/* the message was taken into a queue */
	uint64_t time_us;		/* of the session, message, attempt, login or line */
	enum fate fate;			/* of the recipient */
	/* Domains in lower case; of the null sender "<>" and absent. Of a run of reports, where one of them asks for FACT_MESSAGE_FROM,
	 * and for FACT_RECIPIENT_TO (absent: FACT_RECIPIENT_ORIG_TO). */
	struct text from, from_domain, to, to_domain;
	struct text origin;		/* inbound, authenticated, local; absent: not known, or none asks for FACT_MESSAGE_ORIGIN */
	uint64_t size;			/* of the message; 0: not known */
	uint64_t delay_us;		/* of a recipient that was delivered: how long that took, from where its mail came first */
	/* Of a message, of those of its recipients that were rows before, without those of a hop: how many were delivered, and how long all
	 * of that and the longest took; how many were rejected. Of a run where one of them asks for FACT_RECIPIENT_DELAY. */
	uint32_t delivered, rejected;
	uint64_t delivered_us, longest_us;
};

enum { REPORT_TALLIES_MAX = 6 };

struct report_options {
	size_t top;			/* rows of a list; 0: all */
	const char *by;			/* the column that they are sorted by; NULL: the report's own */
	bool only_problems;
	uint64_t now_us;
	uint64_t from_us, until_us;	/* what was read */
	const struct conf_list *own_domains;	/* of the configuration; NULL: none */
};

/* Takes the table. NULL: there was no memory for it. */
typedef void report_emit(void *context, struct table *table);

struct report {
	const char *name;
	const char *summary;
	unsigned moments;		/* that collect is called for */
	bool is_problem;		/* --problems shows it */
	unsigned tally_count;
	const struct tally_info *tallies;
	/* What it asks for, to FACT_COUNT: from, to and their domains of a row are among it. NULL: anything. What a row tells
	 * otherwise is there anyhow. */
	const enum fact *facts;
	void (*collect)(struct tally **tallies, const struct report_row *row);
	void (*show)(struct tally *const *tallies, const struct report_options *options, report_emit *emit, void *context);
};

/* In the order of their names, NULL last. */
extern const struct report *const report_table[];

const struct report *report_by_name(const char *name);

/* Sorts by the column that was asked for, or else by this one, and leaves the first. */
void report_sort(struct table *table, const struct report_options *options, const char *usual);
/* Adds " field:value" to the query of the newest row, in quotes where the value needs them. A field may be the begin of a
 * pattern, "from:*@". What no query can ask for leaves the row without one. */
void report_put_query(struct table *table, const char *field, struct text value);
/* For one number of the newest row: the begin of a query, and a field as above. */
void report_put_number_query(struct table *table, unsigned column, const char *begin, const char *field, struct text value);

/* In the place of a field: an hour as report_hour writes it, asked for by its begin and end. */
#define REPORT_FIELD_HOUR "hour"
/* A reply code, or else an enhanced one, of a recipient. */
#define REPORT_FIELD_CODE "code or status"
/* A class of reasons for a bounce, or "expired". */
#define REPORT_FIELD_FAILURE "bounce or expiry"

/* What counts messages, once where they go on as others. */
#define REPORT_MESSAGES "is:message -parent:hop -parent:next_host"
/* The same of their checks. */
#define REPORT_CHECKS "is:check -parent:hop -parent:next_host"
#define REPORT_ACCEPTED REPORT_MESSAGES " accepted:yes"
#define REPORT_RECIPIENTS "is:recipient -hop:yes"

/* A table that shows a tally row by row: most reports are one. */
enum listing_value {
	LISTING_PART,		/* text number a of the key */
	LISTING_NUMBER,		/* number a */
	LISTING_MEAN,		/* number a divided by number b */
	LISTING_SHARE,		/* number a as a part of number b */
	LISTING_OF_ALL,		/* number a as a part of all rows' */
};

struct listing_column {
	struct table_column column;
	enum listing_value value;
	unsigned a, b;
	const char *query_field;	/* of a part: what finds it in a query; of a number: with the parts what finds just that; NULL: none */
};

struct listing {
	const char *name, *title;
	unsigned column_count;
	const struct listing_column *columns;
	const char *sorted_by;
	const char *query;		/* what every row's query begins with; NULL: nothing */
};

/* An emit that keeps the table: context is a struct table **. */
void report_keep(void *context, struct table *table);

void report_show_listing(const struct listing *listing, const struct tally *tally, const struct report_options *options,
			 report_emit *emit, void *context);

/* How long something took: columns of a table, and what stands in them, from distributions of a tally. */
#define REPORT_TIMES_COLUMNS \
	{ "p50", "p50", CELL_DURATION, false }, { "p90", "p90", CELL_DURATION, false }, { "p99", "p99", CELL_DURATION, false }, \
	{ "longest", "Longest", CELL_DURATION, false }

struct report_times {
	uint64_t count, longest, steps[TALLY_STEPS];
};

/* The number of the row that is a distribution, and that with the longest of it. */
void report_add_times(struct report_times *times, const struct tally *tally, size_t row, unsigned spread, unsigned longest);
void report_put_times(struct table *table, const struct report_times *times);

/* A run of some reports over the same rows. */
struct report_run;

struct report_run *report_run_new(const struct report *const *reports, unsigned count);	/* NULL: no memory */
void report_run_free(struct report_run *run);
unsigned report_run_moments(const struct report_run *run);
/* What its reports ask for; NULL: anything. Until the run is freed. */
const struct fact_set *report_run_facts(const struct report_run *run);
void report_run_add(struct report_run *run, const struct report_row *row);
/* Each table in turn, in the order of the reports; emit takes it. */
void report_run_show(const struct report_run *run, const struct report_options *options, report_emit *emit, void *context);
/* NULL: there are not so many. */
const struct report *report_run_report(const struct report_run *run, unsigned index);
/* The tallies, to be kept and added to: of report number index. */
struct tally **report_run_tallies(const struct report_run *run, unsigned index);

/* Below a table that has nothing, since logs tell nothing of it. */
#define REPORT_NEEDS_RECORDS "logs do not tell this: the records of smtptrail-milter do, joined in a store"

/* For a key: what is not known has a word. */
#define REPORT_UNKNOWN "unknown"
static inline struct text report_or_unknown(struct text text)
{
	return text.start ? text : TEXT_LITERAL(REPORT_UNKNOWN);
}

/* Whether the domain, or one above it, is one of the configuration's own. */
bool report_is_own_domain(const struct report_options *options, struct text domain);

/* "2026-11-21 08": the hour of a time, for keys that sort. 14 bytes with the NUL. */
enum { REPORT_HOUR_SIZE = 14 };
struct text report_hour(uint64_t time_us, char *scratch);

#endif
