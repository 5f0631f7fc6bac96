/*
 * dmarc.h - what the From: domain's published policy says of a message.
 *
 * The rules of RFC 7489 (organizational domain by the public suffix list, pct=) or, as an option, those
 * of RFC 9989 (tree walk, psd=, t=). Of a From: with several addresses RFC 7489 6.6.1 asks for each domain;
 * here they must be of one, or it is an error. np= counts in both, with NXDOMAIN as the meaning of "does
 * not exist". Given what SPF and DKIM found; asks the DNS for policy records only. Nothing is sampled:
 * disposition is what the policy asks for, pct stands beside it.
 *
 * Threads: dmarc_evaluate: any; it waits for DNS until the job's deadline. A suffix list is read only.
 * Memory:  texts of the input are borrowed for the call; the outcome is the caller's.
 * Limits:  8 questions a tree walk, and one walk for each domain that may be aligned: of those at most
 *          DMARC_WALKS_MAX; a record is kept up to DMARC_RECORD_SIZE.
 * Errors:  are results (temperror, permerror), with words in error.
 */
#ifndef SMTPTRAIL_AUTH_DMARC_H
#define SMTPTRAIL_AUTH_DMARC_H

#include <stdbool.h>
#include <stdint.h>

#include "common/auth/dns.h"
#include "common/auth/domain.h"
#include "common/problem.h"
#include "common/text.h"

#define DMARC_RECORD_SIZE 1024
#define DMARC_ERROR_SIZE 256
#define DMARC_WALKS_MAX 12

/* What another check found, reduced to what DMARC wants to know. */
enum dmarc_check {
	DMARC_CHECK_NONE,	/* there was nothing to check */
	DMARC_CHECK_PASS,
	DMARC_CHECK_BAD,	/* every other result */
	DMARC_CHECK_TEMPORARY,
};

struct dmarc_identifier {
	enum dmarc_check check;
	struct text domain;
};

struct dmarc_input {
	struct dns *dns;
	struct dns_job *job;
	const struct dmarc_suffixes *suffixes;
	bool walks_tree;			/* RFC 9989 instead of RFC 7489 */
	size_t from_count;			/* domains of all addresses in all From: fields */
	const struct text *from_domains;
	struct dmarc_identifier spf;		/* of MAIL FROM, or of HELO where that is empty */
	size_t dkim_count;			/* signatures */
	const struct dmarc_identifier *dkim;	/* d= of each */
};

enum dmarc_result { DMARC_NONE, DMARC_PASS, DMARC_FAIL, DMARC_TEMPERROR, DMARC_PERMERROR };
enum dmarc_policy { DMARC_POLICY_ABSENT, DMARC_POLICY_NONE, DMARC_POLICY_QUARANTINE, DMARC_POLICY_REJECT };

/* Why it is no pass; as bits, in the order they are named. */
enum dmarc_why {
	DMARC_WHY_NO_RECORD,
	DMARC_WHY_MULTIPLE_FROM,
	DMARC_WHY_NO_FROM,
	DMARC_WHY_SPF_FAIL,
	DMARC_WHY_SPF_UNALIGNED,
	DMARC_WHY_DKIM_NONE,
	DMARC_WHY_DKIM_BAD,
	DMARC_WHY_DKIM_UNALIGNED,
	DMARC_WHY_DNS_TEMPORARY,
	DMARC_WHY_PERMANENT_ERROR,
	DMARC_WHY_COUNT,
};

/* A policy record, read. */
struct dmarc_record {
	enum dmarc_policy p, sp, np;
	unsigned pct;
	bool t;
	char psd;		/* y, n or u */
	char adkim, aspf;	/* r or s */
	bool has_rua;		/* with at least one URI in it */
};

struct dmarc_outcome {
	enum dmarc_result result;
	unsigned why;				/* bit 1 << enum dmarc_why */
	char from_domain[DOMAIN_SIZE];		/* empty where there is not exactly one */
	char org_domain[DOMAIN_SIZE];
	char policy_domain[DOMAIN_SIZE];	/* empty: no record */
	char record[DMARC_RECORD_SIZE];		/* as published, cut; unprintable bytes as ? */
	bool has_record;			/* those of the record below count */
	struct dmarc_record tags;
	const char *policy_tag;			/* p, sp or np: which one was used; NULL: none */
	bool aligned_spf, aligned_dkim;		/* apart from their results */
	uint32_t aligned_signatures;		/* bit 1 << index in the input, of the first 32 */
	enum dmarc_policy disposition;		/* never ABSENT */
	char error[DMARC_ERROR_SIZE];
	uint64_t time_us;
};

const char *dmarc_result_name(enum dmarc_result result);
const char *dmarc_policy_name(enum dmarc_policy policy);	/* NULL where absent */
const char *dmarc_why_name(enum dmarc_why why);

/* The outcome where it is not known whose policy to ask for: From: names several domains, or none without
 * doubt. */
void dmarc_refuse(bool has_several, struct dmarc_outcome *ret_outcome);
/* Asks for the records that dmarc_evaluate may look for, as far as its job takes it, without waiting for them. What
 * SPF and DKIM found need not be there yet. */
void dmarc_ask(const struct dmarc_input *input);
void dmarc_evaluate(const struct dmarc_input *input, struct dmarc_outcome *ret_outcome);

/* 0, or -EINVAL where it is no DMARC record, with words. Tags it does not know and values that are none
 * of a tag's are passed over, as RFC 7489 6.3 wants it. */
int dmarc_record_read(struct text txt, struct dmarc_record *ret_record, const char **ret_error);

/* The public suffix list: a file, or (NULL) the system's, or else the one built into libpsl. */
int dmarc_suffixes_open(const char *file, struct dmarc_suffixes **ret_suffixes, struct problem *problem);
void dmarc_suffixes_close(struct dmarc_suffixes *suffixes);
/* The organizational domain by the list: of a normalized domain, lent from it; itself where it is a
 * public suffix. */
struct text dmarc_organization(const struct dmarc_suffixes *suffixes, const char *domain);

#endif
