/*
 * auth_check.c - the checks of one message, and their records.
 *
 * Whoever sends chooses the names that are asked for, and so may choose ones whose DNS is slow. So that it gains
 * nothing by that, each check has questions of its own; SPF of MAIL FROM leaves a quarter of the time to DMARC;
 * and SPF of HELO, by which nothing is decided, comes last.
 */
#include "auth_job.h"

#include <stdio.h>

#include "common/auth/findings.h"
#include "common/clock.h"

enum part { PART_MAILFROM, PART_DKIM, PART_DMARC, PART_HELO, PARTS };

/* One message while it is checked. */
struct check {
	struct auth_tools *tools;
	struct auth_job *job;
	struct dns_job dns[PARTS];
	bool has_spf, has_dkim, has_dmarc;
	bool is_late;			/* SPF came to the end of its time */
	struct spf_outcome spf;		/* of MAIL FROM, by the first engine */
	struct dmarc_outcome dmarc;
	const char *skipped;		/* NULL: nothing was */
};

static void begin(const struct auth_job *job, struct record *record, enum stage stage)
{
	record_init(record, stage, clock_now_us());
	record_set_string(record, FIELD_SESSION, job->session);
	record_set_number(record, FIELD_MSG, job->message);
	if (job->queue_id[0])
		record_set_string(record, FIELD_QUEUE_ID, job->queue_id);
}

/* An empty text is one that is not known. */
static void set_known(struct record *record, enum field field, const char *string)
{
	if (string && string[0])
		record_set_string(record, field, string);
}

static void put(struct auth_tools *tools, struct record *record)
{
	(void)recorder_put(tools->recorder, record);
}

/* ---- SPF ---- */

static void put_spf(struct auth_tools *tools, const struct auth_job *job, enum spf_identity identity,
		    const char *engine, const struct spf_outcome *outcome)
{
	struct record record;

	begin(job, &record, STAGE_SPF);
	record_set_string(&record, FIELD_RESULT, spf_result_name(outcome->result));
	record_set_string(&record, FIELD_SPF_IDENTITY, spf_identity_name(identity));
	record_set_string(&record, FIELD_ENGINE, engine);
	set_known(&record, FIELD_DOMAIN, outcome->domain);
	set_known(&record, FIELD_TERM, outcome->term);
	set_known(&record, FIELD_RECORD_DOMAIN, outcome->record_domain);
	if (outcome->is_counted) {
		record_set_number(&record, FIELD_LOOKUPS, outcome->lookups);
		record_set_number(&record, FIELD_VOID_LOOKUPS, outcome->void_lookups);
	}
	if (outcome->has_explanation)
		record_set_string(&record, FIELD_EXPLANATION, outcome->explanation);
	set_known(&record, FIELD_ERROR, outcome->error);
	record_set_number(&record, FIELD_TIME_US, outcome->time_us);
	put(tools, &record);
}

static struct spf_request spf_request_of(struct check *check, enum spf_identity identity)
{
	const struct auth_job *job = check->job;

	return (struct spf_request){
		.dns = check->tools->dns, .job = &check->dns[identity == SPF_HELO ? PART_HELO : PART_MAILFROM],
		.client = job->client, .identity = identity,
		.mail_from = text_of(job->from), .helo = text_of(job->helo),
		.receiver = check->tools->host[0] ? text_of(check->tools->host) : TEXT_NONE,
	};
}

static void check_spf(struct check *check, enum spf_identity identity)
{
	const struct auth_job *job = check->job;
	const struct conf_list *engines = &job->config->spf_engines;
	const struct spf_request request = spf_request_of(check, identity);

	for (size_t i = 0; i < engines->count; i++) {
		bool is_builtin = strcmp(engines->items[i], "builtin") == 0;

		request.job->questions_left = DNS_JOB_QUESTIONS;
		struct spf_outcome outcome;

		(is_builtin ? spf_check : spf_check_libspf2)(&request, &outcome);
		put_spf(check->tools, job, identity, engines->items[i], &outcome);
		check->is_late |= outcome.result == SPF_TEMPERROR && dns_now_us() >= request.job->deadline_us;
		if (i == 0 && identity == SPF_MAILFROM) {
			check->spf = outcome;
			check->has_spf = true;
		}
	}
}

static bool wants_spf(const struct auth_job *job)
{
	return job->client.family != 0 && config_has_origin(&job->config->spf_origins, job->origin);
}

/* ---- DKIM ---- */

static void set_signature(struct record *record, const struct dkim_signature *signature)
{
	set_known(record, FIELD_DOMAIN, signature->domain);
	set_known(record, FIELD_SELECTOR, signature->selector);
	set_known(record, FIELD_ALGORITHM, signature->algorithm);
	set_known(record, FIELD_CANONICALIZATION, signature->canonicalization);
	set_known(record, FIELD_DKIM_IDENTITY, signature->identity);
	set_known(record, FIELD_SIGNED_HEADERS, signature->signed_headers);
	if (signature->is_cut)
		record_note_cut(record, FIELD_SIGNED_HEADERS);
	if (signature->has_length)
		record_set_number(record, FIELD_LENGTH, signature->length);
	if (signature->signed_at_s)
		record_set_time(record, FIELD_SIGNED_AT, signature->signed_at_s * 1000000);
	if (signature->expires_s)
		record_set_time(record, FIELD_EXPIRES, signature->expires_s * 1000000);
}

/* NULL reason: as it was checked. */
static void put_signature(struct auth_tools *tools, const struct auth_job *job,
			  const struct dkim_signature *signature, const char *reason)
{
	struct record record;

	begin(job, &record, STAGE_DKIM);
	record_set_string(&record, FIELD_RESULT, reason ? "temperror" : dkim_result_name(signature->result));
	set_signature(&record, signature);
	if (signature->key_bits)
		record_set_number(&record, FIELD_KEY_BITS, signature->key_bits);
	if (signature->has_key)
		record_set_flag(&record, FIELD_TESTING, signature->is_testing);
	if (signature->body != DKIM_BODY_UNKNOWN)
		record_set_flag(&record, FIELD_BODY_HASH_MATCH, signature->body == DKIM_BODY_MATCH);
	set_known(&record, FIELD_DNSSEC, signature->dnssec);
	set_known(&record, FIELD_ERROR, reason ? reason : signature->error);
	if (!reason)
		record_set_number(&record, FIELD_TIME_US, signature->time_us);
	put(tools, &record);
}

static void finish_dkim(struct check *check)
{
	struct dkim_check *dkim = check->job->dkim;

	dkim_check_finish(dkim);
	check->has_dkim = true;
	for (size_t i = 0; i < dkim_check_count(dkim); i++)
		put_signature(check->tools, check->job, dkim_check_signature(dkim, i), NULL);
}

/* ---- DMARC ---- */

static void set_why(struct record *record, unsigned why)
{
	for (enum dmarc_why i = 0; i < DMARC_WHY_COUNT; i++)
		if (why & 1u << i)
			record_add_item(record, FIELD_WHY, text_of(dmarc_why_name(i)));
}

static void set_tags(struct record *record, const struct dmarc_record *tags)
{
	set_known(record, FIELD_P, dmarc_policy_name(tags->p));
	set_known(record, FIELD_SP, dmarc_policy_name(tags->sp));
	set_known(record, FIELD_NP, dmarc_policy_name(tags->np));
	record_set_number(record, FIELD_PCT, tags->pct);
	record_set_flag(record, FIELD_T, tags->t);
	record_set_text(record, FIELD_PSD, (struct text){ &tags->psd, 1 });
	record_set_text(record, FIELD_ADKIM, (struct text){ &tags->adkim, 1 });
	record_set_text(record, FIELD_ASPF, (struct text){ &tags->aspf, 1 });
}

static void put_dmarc(const struct check *check)
{
	const struct dmarc_outcome *outcome = &check->dmarc;
	struct record record;

	begin(check->job, &record, STAGE_DMARC);
	record_set_string(&record, FIELD_RESULT, dmarc_result_name(outcome->result));
	set_known(&record, FIELD_FROM_DOMAIN, outcome->from_domain);
	set_known(&record, FIELD_ORG_DOMAIN, outcome->org_domain);
	set_known(&record, FIELD_POLICY_DOMAIN, outcome->policy_domain);
	set_known(&record, FIELD_RECORD, outcome->record);
	if (outcome->has_record)
		set_tags(&record, &outcome->tags);
	if (outcome->from_domain[0]) {
		record_set_flag(&record, FIELD_ALIGNED_SPF, outcome->aligned_spf);
		record_set_flag(&record, FIELD_ALIGNED_DKIM, outcome->aligned_dkim);
	}
	set_why(&record, outcome->why);
	record_set_string(&record, FIELD_DISPOSITION, dmarc_policy_name(outcome->disposition));
	set_known(&record, FIELD_ERROR, outcome->error);
	record_set_number(&record, FIELD_TIME_US, outcome->time_us);
	put(check->tools, &record);
}

static bool wants_dmarc(const struct auth_job *job)
{
	return !job->is_aborted && config_has_origin(&job->config->dmarc_origins, job->origin);
}

/* Without what SPF and DKIM found. */
static struct dmarc_input dmarc_input_of(struct check *check, const struct text *from_domain)
{
	return (struct dmarc_input){
		.dns = check->tools->dns, .job = &check->dns[PART_DMARC], .suffixes = check->tools->suffixes,
		.walks_tree = check->job->config->dmarc_tree_walk, .from_count = 1, .from_domains = from_domain,
	};
}

static void check_dmarc(struct check *check)
{
	const struct auth_job *job = check->job;
	const struct text from_domain = text_of(job->from_domain);
	struct dmarc_identifier signatures[DKIM_KEPT_MAX];
	struct dmarc_input input = dmarc_input_of(check, &from_domain);

	input.spf = finding_of_spf(check->has_spf ? &check->spf : NULL);
	input.dkim_count = findings_of_dkim(job->dkim, signatures);
	input.dkim = signatures;
	if (from_domain.length)
		dmarc_evaluate(&input, &check->dmarc);
	else
		dmarc_refuse(job->from_count > 1, &check->dmarc);
	check->has_dmarc = true;
	put_dmarc(check);
}

/* ---- the verdict ---- */

static void put_verdict(const struct check *check)
{
	const struct auth_job *job = check->job;
	struct record record;

	begin(job, &record, STAGE_VERDICT);
	record_set_string(&record, FIELD_ORIGIN, config_origin_names[job->origin]);
	record_set_string(&record, FIELD_FROM, job->from);
	if (job->is_from_cut)
		record_note_cut(&record, FIELD_FROM);
	record_set_number(&record, FIELD_RECIPIENTS, job->recipients);
	record_set_number(&record, FIELD_RECIPIENTS_REJECTED, job->recipients_rejected);
	record_set_number(&record, FIELD_SIZE, job->size);
	if (check->has_spf)
		record_set_string(&record, FIELD_SPF, spf_result_name(check->spf.result));
	if (check->has_dkim)
		record_set_string(&record, FIELD_DKIM, dkim_result_name(dkim_check_best(job->dkim)));
	if (check->has_dmarc) {
		record_set_string(&record, FIELD_DMARC, dmarc_result_name(check->dmarc.result));
		set_why(&record, check->dmarc.why);
		record_set_string(&record, FIELD_DISPOSITION, dmarc_policy_name(check->dmarc.disposition));
	}
	record_set_string(&record, FIELD_ACTION, "continue");
	set_known(&record, FIELD_SKIPPED, check->skipped);
	put(check->tools, &record);
}

static bool has_limited(const struct dkim_check *dkim)
{
	for (size_t i = 0; i < dkim_check_count(dkim); i++)
		if (dkim_check_signature(dkim, i)->is_limited)
			return true;
	return dkim_check_found(dkim) > dkim_check_count(dkim);
}

static bool has_temporary(const struct check *check)
{
	const struct dkim_check *dkim = check->has_dkim ? check->job->dkim : NULL;

	for (size_t i = 0; dkim && i < dkim_check_count(dkim); i++)
		if (dkim_check_signature(dkim, i)->result == DKIM_TEMPERROR)
			return true;
	return (check->has_spf && check->spf.result == SPF_TEMPERROR) ||
	       (check->has_dmarc && check->dmarc.result == DMARC_TEMPERROR);
}

static enum auth_outcome outcome_of(const struct check *check)
{
	if (atomic_load(&check->tools->is_cut) && has_temporary(check))
		return AUTH_SHUTDOWN;
	if (check->is_late || dns_now_us() >= check->job->deadline_us)
		return AUTH_DEADLINE;
	return check->has_dkim && has_limited(check->job->dkim) ? AUTH_LIMIT : AUTH_DONE;
}

static const char *why_skipped(const struct check *check, enum auth_outcome outcome)
{
	static const char *const reasons[] = {
		[AUTH_LIMIT] = "limit", [AUTH_DEADLINE] = "deadline", [AUTH_SHUTDOWN] = "shutdown",
	};

	if (outcome != AUTH_DONE)
		return reasons[outcome];
	return check->has_spf || check->has_dkim || check->has_dmarc ? NULL : "origin";
}

static void begin_parts(struct check *check)
{
	uint64_t now_us = dns_now_us(), deadline_us = check->job->deadline_us;

	for (enum part i = 0; i < PARTS; i++) {
		dns_job_init(&check->dns[i], 0, DNS_JOB_QUESTIONS);
		check->dns[i].deadline_us = deadline_us;
	}
	if (deadline_us > now_us)
		check->dns[PART_MAILFROM].deadline_us -= (deadline_us - now_us) / 4;
}

/* The first questions of each check are on their way before the first of them waits. */
static void ask_in_advance(struct check *check)
{
	struct auth_job *job = check->job;
	const struct spf_request helo = spf_request_of(check, SPF_HELO), mailfrom = spf_request_of(check, SPF_MAILFROM);
	const struct text from_domain = text_of(job->from_domain);
	const struct dmarc_input dmarc = dmarc_input_of(check, &from_domain);

	if (wants_spf(job)) {
		spf_ask(&mailfrom);
		spf_ask(&helo);
	}
	if (wants_dmarc(job))
		dmarc_ask(&dmarc);
	if (job->dkim)
		dkim_check_ask(job->dkim, check->tools->dns, &check->dns[PART_DKIM]);
}

enum auth_outcome auth_check(struct auth_tools *tools, struct auth_job *job)
{
	struct check check = { .tools = tools, .job = job };
	enum auth_outcome outcome;

	begin_parts(&check);
	ask_in_advance(&check);
	if (wants_spf(job))
		check_spf(&check, SPF_MAILFROM);
	if (job->dkim)
		finish_dkim(&check);
	if (wants_dmarc(job))
		check_dmarc(&check);
	if (wants_spf(job) && job->helo[0])
		check_spf(&check, SPF_HELO);
	for (enum part i = 0; i < PARTS; i++)
		dns_job_done(&check.dns[i]);
	outcome = outcome_of(&check);
	if (!job->is_aborted) {
		check.skipped = why_skipped(&check, outcome);
		put_verdict(&check);
	}
	return outcome;
}

void auth_skip(struct auth_tools *tools, struct auth_job *job, const char *reason)
{
	struct check check = { .tools = tools, .job = job, .skipped = reason };
	struct spf_outcome outcome = { .result = SPF_TEMPERROR };

	(void)snprintf(outcome.error, sizeof outcome.error, "%s", reason);
	if (wants_spf(job))
		put_spf(tools, job, SPF_MAILFROM, job->config->spf_engines.items[0], &outcome);
	for (size_t i = 0; job->dkim && i < dkim_check_count(job->dkim); i++)
		put_signature(tools, job, dkim_check_signature(job->dkim, i), reason);
	if (!job->is_aborted)
		put_verdict(&check);
}
