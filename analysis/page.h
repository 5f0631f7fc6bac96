/*
 * page.h - what the HTML page shows beside its tables: counts by hour that can be filtered by time, and transactions.
 *
 * Counts are of everything that was read. Transactions are the newest up to a limit, those with a problem first, and a few
 * of each hour and outcome; the page says how many there are beside them, and by which command.
 *
 * Threads: one owner at a time.
 * Memory:  PAGE_TRANSACTIONS_MAX of each of four kinds, with at most PAGE_TEXT_MAX bytes a text, and tallies (tally.h).
 * Limits:  PAGE_TRANSACTIONS_MAX transactions in the page, as many as PAGE_DATA_MAX bytes have room for beside the counts;
 *          PAGE_SLOTS_MAX slots of time: beyond that they are days; PAGE_DOMAINS_MAX domains in the matrix, PAGE_AUTH_MAX counts
 *          of it before small domains are one.
 */
#ifndef SMTPTRAIL_PAGE_H
#define SMTPTRAIL_PAGE_H

#include <stdio.h>

#include "analysis/report.h"

enum {
	PAGE_TRANSACTIONS_MAX = 10000, PAGE_TEXT_MAX = 160, PAGE_DATA_MAX = 780 * 1000, PAGE_SLOTS_MAX = 24 * 21, PAGE_DOMAINS_MAX = 30,
	PAGE_AUTH_MAX = 100000,
	PAGE_SAMPLES = 8, PAGE_SAMPLES_MAX = 4000,	/* of each hour and outcome; of all */
	PAGE_ENTRY_SIZE = 80,				/* bytes that a sample is reckoned with */
};

/* The moments that page_add wants. */
enum { PAGE_MOMENTS = REPORT_SESSION | REPORT_MESSAGE | REPORT_RECIPIENT | REPORT_ATTEMPT };

struct page;

struct page *page_new(void);	/* NULL: no memory */
void page_free(struct page *page);
void page_add(struct page *page, const struct report_row *row);
/* The data as JSON that stands in an element of HTML: no < is in it. */
void page_write_data(const struct page *page, FILE *out);
/* Outcomes by slot, for whoever has no scripts. */
void page_write_svg(const struct page *page, FILE *out);

#endif
