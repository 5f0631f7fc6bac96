/*
 * dns.h - questions to the DNS, asked without waiting or waited for with a deadline.
 *
 * A struct dns is whatever answers: the resolver below (libunbound behind a cache), a tracer over
 * another one, or a table in a test. Whoever evaluates SPF, DKIM or DMARC sees only this.
 *
 * Each question gets exactly one answer, by its deadline at the latest, also when the resolver
 * stops or memory is short: then it is one of the fixed answers, with words in error.
 *
 * Threads: dns_ask, dns_begin, dns_lookup, dns_statistics: any. A job and a future belong to one
 *          thread at a time. The callback of dns_ask runs in the resolver's thread, or at once in the
 *          asking one where the cache knows; it must not wait. dns_lookup and dns_await wait and
 *          so are never called in a milter callback.
 * Memory:  an answer is shared and constant; each holder gives it back with dns_answer_free.
 * Limits:  names of 253 octets, 256 items and 16 KiB an answer (beyond that: temporary, "answer too
 *          big"), DNS_PENDING_MAX questions in flight, a time for each question, a deadline and a
 *          number of questions for each job. A CNAME is followed by the resolver.
 * Units:   time is dns_now_us(): microseconds of the monotonic clock.
 * Errors:  the status of the answer; dns_start says in words what is wrong with its configuration.
 */
#ifndef SMTPTRAIL_AUTH_DNS_H
#define SMTPTRAIL_AUTH_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/auth/domain.h"
#include "common/problem.h"
#include "common/text.h"

#define DNS_ITEMS_MAX 256
#define DNS_ANSWER_BYTES_MAX 16384
#define DNS_PENDING_MAX 4096
#define DNS_JOB_QUESTIONS 200		/* what RFC 7208 allows for one record at most is below this */
#define DNS_JOB_TIME_US 10000000
#define DNS_ADVANCES_MAX 4

enum dns_type {
	DNS_A = 1,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
};

enum dns_status {
	DNS_DATA,		/* there is something of this type */
	DNS_NO_DATA,		/* the name is there, nothing of this type */
	DNS_NO_NAME,		/* no such name */
	DNS_BAD_NAME,		/* no name that could be asked for; nothing was asked */
	DNS_TEMPORARY,		/* no answer: SERVFAIL, a deadline, a limit, a stop */
	DNS_BOGUS,		/* DNSSEC says that the answer is forged or broken */
};

struct dns_item {
	struct text data;	/* A, AAAA: 4 or 16 bytes. TXT: its strings joined, any byte. MX, PTR: a name */
	unsigned preference;	/* MX */
};

struct dns_answer {
	enum dns_status status;
	enum dns_type type;
	bool secure;		/* DNSSEC proved it, be it data or absence */
	unsigned ttl_seconds;
	const char *error;	/* DNS_TEMPORARY, DNS_BOGUS, DNS_BAD_NAME: why, in words; else NULL */
	size_t count;		/* items; 0 but for DNS_DATA */
	const struct dns_item *items;
};

typedef void dns_answered(void *context, const struct dns_answer *answer);

struct dns_question {
	struct text name;	/* as text; every byte but the dot is a byte of a label */
	enum dns_type type;
	uint64_t deadline_us;
	dns_answered *answered;	/* called once; it owns the answer */
	void *context;
};

struct dns;

struct dns_methods {
	/* The name is askable, and borrowed until ask returns. */
	void (*ask)(struct dns *dns, const struct dns_question *question);
};

/* The first member of whatever answers. */
struct dns {
	const struct dns_methods *methods;
};

/* What one message may cost, and what was asked for it in advance. */
struct dns_job {
	uint64_t deadline_us;
	unsigned questions_left;
	unsigned questions;	/* asked so far */
	struct dns_advance {
		struct dns_future *future;
		enum dns_type type;
		char name[DOMAIN_SIZE];
	} advances[DNS_ADVANCES_MAX];
	unsigned advance_count;
};

uint64_t dns_now_us(void);
const char *dns_type_name(enum dns_type type);
const char *dns_status_name(enum dns_status status);

void dns_job_init(struct dns_job *job, uint64_t time_us, unsigned questions);
/* Forgets what was asked in advance and not for good. */
void dns_job_done(struct dns_job *job);

/* Asks, and calls back. A name that cannot be asked is answered at once. */
void dns_ask(struct dns *dns, const struct dns_question *question);

/* Asks now, to wait later: so several questions are on their way at once. Never NULL; each begun
 * is awaited once. dns_await gives the answer to the caller and frees the future. */
struct dns_future *dns_begin(struct dns *dns, struct dns_job *job, struct text name, enum dns_type type);
const struct dns_answer *dns_await(struct dns_future *future);
/* Asks for what dns_begin will ask for in this job: it then finds it on its way, or there. What is too long for
 * that, and more than DNS_ADVANCES_MAX of them, are left to dns_begin. */
void dns_advance(struct dns *dns, struct dns_job *job, struct text name, enum dns_type type);
/* Both in one. */
const struct dns_answer *dns_lookup(struct dns *dns, struct dns_job *job, struct text name, enum dns_type type);

/* The answers that need no memory. */
enum dns_fixed {
	DNS_FIXED_BAD_NAME,
	DNS_FIXED_DEADLINE,
	DNS_FIXED_STOPS,
	DNS_FIXED_IN_FLIGHT,
	DNS_FIXED_QUESTIONS,
	DNS_FIXED_TOO_BIG,
	DNS_FIXED_MEMORY,
};

/* Building answers, for whatever answers. Items and words (which may be NULL) are copied.
 * NULL: no memory. */
struct dns_answer *dns_answer_new(enum dns_status status, enum dns_type type, size_t count,
				  const struct dns_item *items, const char *error);
const struct dns_answer *dns_answer_fixed(enum dns_fixed which);
const struct dns_answer *dns_answer_share(const struct dns_answer *answer);
void dns_answer_free(const struct dns_answer *answer);
/* Memory that it takes. */
size_t dns_answer_bytes(const struct dns_answer *answer);

/* The resolver. */
struct dns_config {
	const char *const *servers;	/* ADDRESS or ADDRESS@PORT */
	size_t server_count;		/* 0: those of resolv_conf */
	const char *resolv_conf;	/* NULL: /etc/resolv.conf */
	const char *trust_anchor_file;	/* NULL: no DNSSEC */
	uint64_t question_time_us;	/* 0: 3 s */
	size_t cache_entries;		/* 0: 8192 */
};

/* -EINVAL, or the errno of a file, with words in problem. */
int dns_start(const struct dns_config *config, struct dns **ret_dns, struct problem *problem);
/* Answers what is in flight, and all that is asked from now on, with "the resolver stops": so that
 * those who wait come to their end. Any thread. */
void dns_cancel(struct dns *dns);
/* Cancels and frees. Nobody may ask during or after it; futures still held can be awaited.
 * Accepts NULL. */
void dns_stop(struct dns *dns);

struct dns_statistics {
	uint64_t questions;		/* asked, the cache's included */
	uint64_t cache_hits;
	uint64_t cache_entries;		/* now */
	uint64_t cache_bytes;		/* now */
	uint64_t cache_evicted;		/* thrown out before their time, for want of room */
	uint64_t answers[DNS_BOGUS + 1];	/* by status, the cache's not included */
	uint64_t timeouts;		/* of DNS_TEMPORARY: the question's time was over */
	uint64_t refused;		/* of DNS_TEMPORARY: too many in flight */
	uint64_t pending;		/* in flight now */
};

/* Of a struct dns that dns_start made. */
void dns_statistics(struct dns *dns, struct dns_statistics *ret_statistics);

/* A struct dns that tells about each answer of another, in the thread that brings it; the other
 * lives at least as long, and nothing is in flight when it is freed. NULL: no memory. */
typedef void dns_tell(void *context, const struct dns_question *question, const struct dns_answer *answer,
		      uint64_t time_us);
struct dns *dns_tracer_new(struct dns *traced, dns_tell *tell, void *context);
void dns_tracer_free(struct dns *tracer);

#endif
