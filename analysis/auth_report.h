/*
 * auth_report.h - what a check of authentication did and found, for a person or as JSON.
 *
 * Steps come while a check runs (questions to the DNS, records, terms), then its outcome; in text each is
 * a line at once, in JSON the steps are a list in the object of their check.
 *
 * Threads: steps from any thread, the rest from one owner.
 * Memory:  auth_report_init takes nothing; auth_report_finish frees what JSON took.
 */
#ifndef SMTPTRAIL_AUTH_REPORT_H
#define SMTPTRAIL_AUTH_REPORT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#include "common/auth/dkim.h"
#include "common/auth/dmarc.h"
#include "common/auth/dns.h"
#include "common/auth/spf.h"

struct json_t;

struct auth_report {
	FILE *out;
	bool as_json;
	pthread_mutex_t lock;		/* guards the output and what is below */
	struct json_t *root;		/* NULL in text */
	struct json_t *steps;		/* of the check that runs; NULL: none runs */
};

void auth_report_init(struct auth_report *report, FILE *out, bool as_json);
/* Writes the JSON. */
void auth_report_finish(struct auth_report *report);

/* What was asked, for JSON: "client", "192.0.2.1". */
void auth_report_input(struct auth_report *report, const char *name, struct text value);
/* A check begins, "spf mailfrom example.com, engine builtin". */
__attribute__((format(printf, 2, 3)))
void auth_report_begin(struct auth_report *report, const char *format, ...);
/* A dns_tell, with the report as context. */
void auth_report_dns(void *report, const struct dns_question *question, const struct dns_answer *answer,
		     uint64_t time_us);
/* The step of a struct spf_request, with the report as context. */
void auth_report_spf_step(void *report, const struct spf_step *step);
void auth_report_spf(struct auth_report *report, enum spf_identity identity, const char *engine,
		     const struct spf_outcome *outcome);
/* A check that is finished. */
void auth_report_dkim(struct auth_report *report, const struct dkim_check *check);
/* The input tells whose identifiers were compared with From:. */
void auth_report_dmarc(struct auth_report *report, const struct dmarc_input *input, const struct dmarc_outcome *outcome);
/* The end of it all; each of the three is NULL where it was not asked. */
void auth_report_verdict(struct auth_report *report, const struct spf_outcome *spf, const struct dkim_check *dkim,
			 const struct dmarc_outcome *dmarc);

#endif
