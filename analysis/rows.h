/*
 * rows.h - transactions as rows for reports, searches and audits: straight from log files or from the store, those that a
 * query finds.
 *
 * Threads: one owner at a time.
 * Memory:  a row is lent for the call; what the join keeps, and with a query one number a session that it found.
 * Errors:  a file that cannot be read is told on standard error, and the others are read.
 */
#ifndef SMTPTRAIL_ROWS_H
#define SMTPTRAIL_ROWS_H

#include "analysis/correlate_files.h"
#include "analysis/hosts.h"
#include "analysis/report.h"

struct rows {
	const char *verb;			/* for messages */
	struct log_options log;
	const struct conf_list *hosts;		/* of the configuration */
	uint64_t clock_skew_us;			/* and this; of what is read from files */
	const struct query *query;		/* NULL: everything */
	unsigned moments;			/* enum report_moment, joined: what take is called for */
	const struct fact_set *facts;		/* that take asks for; NULL: anything. With a query it has anything */
	bool keeps_attempts;			/* recipients have their tries, at their end */
	uint64_t since_us;			/* days of the store that were over before are left out; 0: none */
	bool finds_ways;			/* rows have their way */
	bool is_again;				/* what cannot be read has been told before */
	void (*take)(void *context, const struct report_row *row);
	/* Of a store: whether rows of before that time are no longer wanted. NULL: all are. */
	bool (*is_enough)(void *context, uint64_t before_us);
	void *context;
	struct report_run *run;			/* that take adds to, and nothing else; NULL: it does more. Days that the store has
						 * counted are added to it at once */

	/* What was read. */
	struct source_table *sources;		/* for evidence; until rows_done */
	uint64_t from_us, until_us;		/* first and last time of the lines; 0: none had one */
	uint64_t given;				/* rows */
	uint64_t lines, understood, unknown;
	unsigned unreadable;			/* files */
};

/* Reads the files, rotated ones oldest first; none: standard input. 0 or -ENOMEM. */
int rows_read_files(struct rows *rows, char **paths, size_t path_count);
/* The same from the store in that directory, which has no lines. 0 or -errno with the problem in words. */
int rows_read_store(struct rows *rows, const char *directory, struct problem *problem);
void rows_done(struct rows *rows);

/* For whoever has a message from elsewhere: calls take for it, its recipients, attempts and checks. */
bool rows_give_message(struct rows *rows, const struct message *message, const struct session *session);	/* whether it was found */
void rows_give_session(struct rows *rows, const struct session *session);
void rows_give_login(struct rows *rows, const struct login *login);
void rows_give_logout(struct rows *rows, const struct login *login);	/* of one that was given without its end */

/* The facts that are needed for all that is asked for, in set; NULL: any may be. */
const struct fact_set *rows_facts(const struct rows *rows, struct fact_set *set);

/* Whether the query finds the message: itself, or one of its recipients; or the session without its messages. */
bool rows_find_message(const struct query *query, const struct message *message, const struct session *session);
bool rows_find_session(const struct query *query, const struct session *session);

#endif
