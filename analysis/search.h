/*
 * search.h - transactions as rows of a table: recipients with their message and session, messages without recipients,
 * sessions without messages, logins; or what a query says by is: all messages, sessions, attempts, checks, lines.
 *
 * Threads: one owner at a time.
 * Memory:  at most about twice as many rows as the limit says, each with its cells.
 */
#ifndef SMTPTRAIL_SEARCH_H
#define SMTPTRAIL_SEARCH_H

#include "analysis/columns.h"

struct search;

/* columns: as for columns_parse; NULL: the usual ones. limit: the newest rows; 0: all. The query is borrowed; NULL: everything.
 * 0, -EINVAL or -ENOMEM. */
int search_new(struct search **ret_search, const struct query *query, const char *columns, size_t limit, struct problem *problem);
void search_free(struct search *search);
/* The moments that search_add wants. */
unsigned search_moments(const struct search *search);
/* Takes a row of rows.h. */
void search_add(struct search *search, const struct report_row *row);
/* Whether none of what began before that time would be shown; then it need not be added. */
bool search_has_enough(struct search *search, uint64_t before_us);
/* Rows so far. */
size_t search_count(const struct search *search);
/* The newest last, to free; NULL: no memory. */
struct table *search_table(struct search *search);

#endif
