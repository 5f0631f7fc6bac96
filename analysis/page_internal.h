/*
 * page_internal.h - what the parts of the page's data share: page.c counts, page_json.c, page_transactions.c and
 * page_svg.c show.
 *
 * Threads: one owner at a time.
 */
#ifndef SMTPTRAIL_PAGE_INTERNAL_H
#define SMTPTRAIL_PAGE_INTERNAL_H

#include "analysis/page.h"

enum { PAGE_BUCKETS = 13, PAGE_STAGES = 6, PAGE_DELAY_NUMBERS = 5 };

/* Where a delay's bars begin, in seconds; the last has no end. */
extern const double page_delay_edges[PAGE_BUCKETS];
extern const char *const page_stage_names[PAGE_STAGES];

enum page_text {
	PAGE_FROM_LOCAL, PAGE_FROM_AT, PAGE_TO_LOCAL, PAGE_TO_AT, PAGE_RELAY, PAGE_STAGE, PAGE_BY, PAGE_REASON, PAGE_CODE, PAGE_DSN,
	PAGE_CLIENT, PAGE_DOMAIN, PAGE_SPF, PAGE_DKIM, PAGE_DMARC, PAGE_TEXTS,
};

/* Problems first: each kind before the next. */
enum page_kind {
	PAGE_FAILED,		/* what was accepted and did not arrive */
	PAGE_DOUBTFUL,		/* it arrived after several tries, or DMARC failed */
	PAGE_REFUSED,		/* the client knows of it */
	PAGE_FINE,
	PAGE_KINDS,
};

struct page_entry {
	uint64_t time_us, delay_us, size, key;
	uint8_t fate, kind;		/* enum fate, enum page_kind */
	uint8_t lengths[PAGE_TEXTS];
	char *bytes;			/* the texts, one behind the other */
};

/* The newest of one kind. */
struct page_ring {
	struct page_entry entries[PAGE_TRANSACTIONS_MAX];
	size_t count, next;		/* next: where the next goes, once it is full */
	uint64_t seen;
};

struct page {
	struct tally *outcomes;		/* hour, fate */
	struct tally *funnel;		/* hour, stage: a signed number, since what was no session from outside is taken back */
	struct tally *auth;		/* hour, domain, "spf pass" */
	struct tally *delays;		/* hour, bucket: deliveries, and milliseconds of each phase */
	struct page_ring rings[PAGE_KINDS];
	struct page_entry samples[PAGE_SAMPLES_MAX];	/* the first of each hour and outcome: every bar has some */
	size_t sample_count;
	transaction_key last_hop;	/* the session of the newest hop */
};

/* Hours; days where there would be too many. */
struct page_slots {
	char (*names)[REPORT_HOUR_SIZE];
	size_t count, length;		/* of a name: an hour's or a day's */
};

enum { PAGE_DAY_LENGTH = 10 };

/* A text between quotes of JSON in HTML; gives how many bytes it took. */
size_t page_put_text(FILE *out, struct text text);
/* Members of the page's object: transactions, as many as there is room for. */
void page_put_transactions(const struct page *page, FILE *out, size_t room);

/* The caller frees names. */
void page_slots_make(struct page_slots *slots, const struct page *page);
/* -1: none. */
long page_slot_of(const struct page_slots *slots, struct text hour);

#endif
