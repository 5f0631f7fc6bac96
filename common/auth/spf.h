/*
 * spf.h - may this client send mail for that domain: SPF, by two engines.
 *
 * spf_check is our own evaluator, RFC 7208 to the letter (with RFC 8616 for internationalized mail).
 * spf_check_libspf2 puts the same question to libspf2, which many sites run, behind guards: what a
 * hostile record could do to it never reaches it (spf_libspf2.c says what is refused).
 *
 * Threads: any, one evaluation a call; both wait for DNS until the job's deadline, so never in a
 *          milter callback.
 * Memory:  nothing is kept; the outcome is the caller's and holds copies.
 * Limits:  counted over the whole evaluation: 10 terms that ask the DNS, 2 void lookups, 10 MX and
 *          10 PTR names each; the job's questions and deadline. Records are as long as an answer may
 *          be; an expansion is cut to 253 octets from the left; texts of the outcome are cut.
 * Errors:  are results (temperror, permerror), with words in error.
 */
#ifndef SMTPTRAIL_AUTH_SPF_H
#define SMTPTRAIL_AUTH_SPF_H

#include <stdbool.h>
#include <stdint.h>

#include "common/auth/dns.h"
#include "common/auth/domain.h"
#include "common/text.h"

#define SPF_TERMS_MAX 10
#define SPF_VOIDS_MAX 2
#define SPF_MX_MAX 10
#define SPF_PTR_MAX 10

#define SPF_TERM_SIZE 256
#define SPF_EXPLANATION_SIZE 513
#define SPF_ERROR_SIZE 256

struct sockaddr;

enum spf_result {
	SPF_NONE,
	SPF_NEUTRAL,
	SPF_PASS,
	SPF_FAIL,
	SPF_SOFTFAIL,
	SPF_TEMPERROR,
	SPF_PERMERROR,
};

enum spf_identity { SPF_MAILFROM, SPF_HELO };

struct spf_address {
	unsigned family;		/* 4 or 6; 0: none */
	unsigned char bytes[16];	/* the first 4 of an IPv4 address */
};

/* One thing that the evaluation did, for those who want to see why. Texts are lent for the call. */
struct spf_step {
	enum { SPF_STEP_RECORD, SPF_STEP_TERM, SPF_STEP_EXPLANATION } kind;
	unsigned depth;			/* of includes */
	struct text domain;		/* whose record it is */
	struct text text;		/* the record, the term, or the explanation's text */
	struct text target;		/* what the term's domain became; absent: none */
	const char *outcome;		/* of a term: "match", "no match" ... */
};

struct spf_request {
	struct dns *dns;
	struct dns_job *job;
	struct spf_address client;
	enum spf_identity identity;
	struct text mail_from;		/* without angle brackets; empty: the null sender */
	struct text helo;
	struct text receiver;		/* name of this host, for explanations; absent: "unknown" */
	void (*step)(void *context, const struct spf_step *step);	/* NULL: nobody looks */
	void *context;
};

struct spf_outcome {
	enum spf_result result;
	char domain[DOMAIN_SIZE];	/* the identity's, normalized; empty where there is none */
	char term[SPF_TERM_SIZE];	/* that decided; empty: none did, or the engine does not tell */
	char record_domain[DOMAIN_SIZE];	/* whose record it stood in */
	bool is_counted;		/* the two counts below are known */
	unsigned lookups;		/* terms that asked the DNS */
	unsigned void_lookups;
	bool has_explanation;
	char explanation[SPF_EXPLANATION_SIZE];	/* printable ASCII */
	char error[SPF_ERROR_SIZE];	/* why it is none, temperror or permerror; may quote the record */
	uint64_t time_us;
};

const char *spf_result_name(enum spf_result result);	/* in the words of RFC 8601 */
const char *spf_identity_name(enum spf_identity identity);

/* An IPv4-mapped IPv6 address becomes the IPv4 address it means. -EINVAL: no address. */
int spf_address_parse(const char *string, struct spf_address *ret_address);
/* Family 0 where it is neither IPv4 nor IPv6. */
struct spf_address spf_address_of(const struct sockaddr *address);

/* Asks for the record that a check by either engine begins with, without waiting for it. */
void spf_ask(const struct spf_request *request);
void spf_check(const struct spf_request *request, struct spf_outcome *ret_outcome);
void spf_check_libspf2(const struct spf_request *request, struct spf_outcome *ret_outcome);

/* The domain that a check of this identity is about, and the local part ("postmaster" where there is
 * none). Lends from the request. */
void spf_identity_split(const struct spf_request *request, struct text *ret_local, struct text *ret_domain);

#endif
