/* auth_report.c - what a check of authentication did and found, for a person or as JSON. */
#include "analysis/auth_report.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "common/escape.h"

void auth_report_init(struct auth_report *report, FILE *out, bool as_json)
{
	*report = (struct auth_report){ .out = out, .as_json = as_json, .root = as_json ? json_object() : NULL };
	pthread_mutex_init(&report->lock, NULL);
}

void auth_report_finish(struct auth_report *report)
{
	if (report->as_json) {
		(void)json_dumpf(report->root, report->out, JSON_INDENT(1) | JSON_ENSURE_ASCII);
		fputc('\n', report->out);
	}
	json_decref(report->steps);
	json_decref(report->root);
	pthread_mutex_destroy(&report->lock);
}

static json_t *json_text(struct text text)
{
	size_t length = 0;
	char *utf8 = escape_utf8_new(text, &length);
	json_t *string = utf8 ? json_stringn(utf8, length) : json_null();

	free(utf8);
	return string;
}

/* Absent and empty texts are left out. */
static void set_text(json_t *object, const char *name, struct text text)
{
	if (text.length > 0)
		json_object_set_new(object, name, json_text(text));
}

static void set_string(json_t *object, const char *name, const char *string)
{
	set_text(object, name, text_of(string));
}

static void set_number(json_t *object, const char *name, uint64_t number)
{
	json_object_set_new(object, name, json_integer((json_int_t)number));
}

/* The caller holds the lock. */
static void add_to(struct auth_report *report, const char *list, json_t *object)
{
	json_t *items = json_object_get(report->root, list);

	if (!items) {
		items = json_array();
		json_object_set_new(report->root, list, items);
	}
	json_object_set_new(object, "steps", report->steps ? report->steps : json_array());
	report->steps = NULL;
	json_array_append_new(items, object);
}

void auth_report_input(struct auth_report *report, const char *name, struct text value)
{
	if (report->as_json && value.start)
		json_object_set_new(report->root, name, json_text(value));
}

void auth_report_begin(struct auth_report *report, const char *format, ...)
{
	char words[1024];
	va_list arguments;

	if (report->as_json) {
		json_decref(report->steps);
		report->steps = json_array();
		return;
	}
	va_start(arguments, format);
	(void)vsnprintf(words, sizeof words, format, arguments);
	va_end(arguments);
	escape_terminal(text_of(words), report->out);
	fputc('\n', report->out);
}

/* An item of an answer as text, into a buffer that is big enough for an address and a number. */
static struct text item_text(enum dns_type type, const struct dns_item *item, char buffer[static 64])
{
	if (type != DNS_A && type != DNS_AAAA)
		return item->data;
	inet_ntop(type == DNS_A ? AF_INET : AF_INET6, item->data.start, buffer, 64);
	return text_of(buffer);
}

static json_t *dns_step(const struct dns_question *question, const struct dns_answer *answer, uint64_t time_us)
{
	json_t *step = json_object(), *data = json_array();
	char buffer[64];

	set_string(step, "step", "dns");
	set_string(step, "type", dns_type_name(question->type));
	set_text(step, "name", question->name);
	set_string(step, "status", dns_status_name(answer->status));
	set_string(step, "error", answer->error);
	json_object_set_new(step, "secure", json_boolean(answer->secure));
	for (size_t i = 0; i < answer->count; i++)
		json_array_append_new(data, json_text(item_text(question->type, &answer->items[i], buffer)));
	json_object_set_new(step, "data", data);
	set_number(step, "time_us", time_us);
	return step;
}

static void print_dns(FILE *out, const struct dns_question *question, const struct dns_answer *answer,
		      uint64_t time_us)
{
	char buffer[64];

	fprintf(out, "    dns %s ", dns_type_name(question->type));
	escape_terminal(question->name, out);
	fprintf(out, ": %s", answer->status == DNS_DATA ? "" : dns_status_name(answer->status));
	for (size_t i = 0; i < answer->count; i++) {
		const struct dns_item *item = &answer->items[i];

		fputs(i > 0 ? ", " : "", out);
		if (question->type == DNS_MX)
			fprintf(out, "%u ", item->preference);
		if (question->type == DNS_TXT)
			escape_quoted(item->data, out);
		else
			escape_terminal(item_text(question->type, item, buffer), out);
	}
	if (answer->error) {
		fputs(" (", out);
		escape_terminal(text_of(answer->error), out);
		fputc(')', out);
	}
	fprintf(out, "%s, %" PRIu64 " us\n", answer->secure ? ", secure" : "", time_us);
}

void auth_report_dns(void *context, const struct dns_question *question, const struct dns_answer *answer,
		     uint64_t time_us)
{
	struct auth_report *report = context;

	pthread_mutex_lock(&report->lock);
	if (!report->as_json)
		print_dns(report->out, question, answer, time_us);
	else if (report->steps)
		json_array_append_new(report->steps, dns_step(question, answer, time_us));
	pthread_mutex_unlock(&report->lock);
}

static const char *step_name(const struct spf_step *step)
{
	static const char *const names[] = { "record", "term", "explanation" };

	return names[step->kind];
}

static json_t *spf_step(const struct spf_step *step)
{
	json_t *object = json_object();

	set_string(object, "step", step_name(step));
	set_number(object, "depth", step->depth);
	set_text(object, "domain", step->domain);
	set_text(object, "text", step->text);
	set_text(object, "target", step->target);
	set_string(object, "outcome", step->outcome);
	return object;
}

static void print_spf_step(FILE *out, const struct spf_step *step)
{
	fprintf(out, "    %*s%s ", (int)(2 * step->depth), "", step_name(step));
	if (step->kind == SPF_STEP_RECORD) {
		fputs("of ", out);
		escape_terminal(step->domain, out);
		fputs(": ", out);
	}
	escape_quoted(step->text, out);
	if (step->target.start) {
		fputs(" -> ", out);
		escape_terminal(step->target, out);
	}
	fprintf(out, "%s%s\n", step->outcome ? ": " : "", step->outcome ? step->outcome : "");
}

void auth_report_spf_step(void *context, const struct spf_step *step)
{
	struct auth_report *report = context;

	pthread_mutex_lock(&report->lock);
	if (!report->as_json)
		print_spf_step(report->out, step);
	else if (report->steps)
		json_array_append_new(report->steps, spf_step(step));
	pthread_mutex_unlock(&report->lock);
}

static json_t *spf_object(enum spf_identity identity, const char *engine, const struct spf_outcome *outcome)
{
	json_t *object = json_object();

	set_string(object, "spf_identity", spf_identity_name(identity));
	set_string(object, "engine", engine);
	set_string(object, "domain", outcome->domain);
	set_string(object, "result", spf_result_name(outcome->result));
	set_string(object, "term", outcome->term);
	set_string(object, "record_domain", outcome->record_domain);
	if (outcome->is_counted) {
		set_number(object, "lookups", outcome->lookups);
		set_number(object, "void_lookups", outcome->void_lookups);
	}
	if (outcome->has_explanation)
		json_object_set_new(object, "explanation", json_text(text_of(outcome->explanation)));
	set_string(object, "error", outcome->error);
	set_number(object, "time_us", outcome->time_us);
	return object;
}

static void print_words(FILE *out, const char *before, const char *words, const char *after)
{
	if (!words || !words[0])
		return;
	fputs(before, out);
	escape_terminal(text_of(words), out);
	fputs(after, out);
}

static void print_spf(FILE *out, const struct spf_outcome *outcome)
{
	fprintf(out, "  = %s", spf_result_name(outcome->result));
	print_words(out, ", by ", outcome->term, "");
	print_words(out, " of ", outcome->record_domain, "");
	print_words(out, " (", outcome->error, ")");
	print_words(out, "; explanation \"", outcome->has_explanation ? outcome->explanation : NULL, "\"");
	if (outcome->is_counted)
		fprintf(out, "; %u lookups, %u void", outcome->lookups, outcome->void_lookups);
	fprintf(out, ", %" PRIu64 " us\n", outcome->time_us);
}

void auth_report_spf(struct auth_report *report, enum spf_identity identity, const char *engine,
		     const struct spf_outcome *outcome)
{
	pthread_mutex_lock(&report->lock);
	if (report->as_json)
		add_to(report, "spf", spf_object(identity, engine, outcome));
	else
		print_spf(report->out, outcome);
	pthread_mutex_unlock(&report->lock);
}

/* ---- DKIM ---- */

static const char *body_words(enum dkim_body body)
{
	return body == DKIM_BODY_MATCH ? "match" : body == DKIM_BODY_MISMATCH ? "mismatch" : "not compared";
}

/* A point in time, "2026-11-24T07:00:00Z". */
static const char *time_words(uint64_t seconds, char buffer[static 32])
{
	time_t moment = (time_t)seconds;
	struct tm parts;

	if (!gmtime_r(&moment, &parts) || strftime(buffer, 32, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
		(void)snprintf(buffer, 32, "%" PRIu64, seconds);
	return buffer;
}

static json_t *signature_object(const struct dkim_signature *signature)
{
	json_t *object = json_object();
	char buffer[32];

	set_string(object, "result", dkim_result_name(signature->result));
	set_string(object, "domain", signature->domain);
	set_string(object, "selector", signature->selector);
	set_string(object, "algorithm", signature->algorithm);
	set_string(object, "canonicalization", signature->canonicalization);
	set_string(object, "dkim_identity", signature->identity);
	set_string(object, "signed_headers", signature->signed_headers);
	if (signature->has_length)
		set_number(object, "length", signature->length);
	if (signature->signed_at_s)
		set_string(object, "signed_at", time_words(signature->signed_at_s, buffer));
	if (signature->expires_s)
		set_string(object, "expires", time_words(signature->expires_s, buffer));
	if (signature->key_bits)
		set_number(object, "key_bits", signature->key_bits);
	if (signature->has_key)
		json_object_set_new(object, "testing", json_boolean(signature->is_testing));
	if (signature->body != DKIM_BODY_UNKNOWN)
		json_object_set_new(object, "body_hash_match", json_boolean(signature->body == DKIM_BODY_MATCH));
	set_string(object, "dnssec", signature->dnssec);
	set_string(object, "error", signature->error);
	return object;
}

static json_t *dkim_object(const struct dkim_check *check)
{
	json_t *object = json_object(), *signatures = json_array();

	set_string(object, "result", dkim_result_name(dkim_check_best(check)));
	set_number(object, "found", dkim_check_found(check));
	for (size_t i = 0; i < dkim_check_count(check); i++)
		json_array_append_new(signatures, signature_object(dkim_check_signature(check, i)));
	json_object_set_new(object, "signatures", signatures);
	return object;
}

static void print_signature(FILE *out, size_t number, const struct dkim_signature *signature)
{
	char buffer[32];

	fprintf(out, "    signature %zu", number);
	print_words(out, " d=", signature->domain, "");
	print_words(out, " s=", signature->selector, "");
	print_words(out, " a=", signature->algorithm, "");
	print_words(out, " i=", signature->identity, "");
	fputc('\n', out);
	print_words(out, "      canonicalization ", signature->canonicalization, "\n");
	print_words(out, "      signs ", signature->signed_headers, signature->is_cut ? " ...\n" : "\n");
	if (signature->has_length)
		fprintf(out, "      covers %" PRIu64 " bytes of the body\n", signature->length);
	if (signature->signed_at_s)
		fprintf(out, "      signed at %s\n", time_words(signature->signed_at_s, buffer));
	if (signature->expires_s)
		fprintf(out, "      expires %s\n", time_words(signature->expires_s, buffer));
	if (signature->key_bits)
		fprintf(out, "      key of %u bits%s%s\n", signature->key_bits,
			signature->is_testing ? ", its domain only tests DKIM" : "",
			signature->dnssec && strcmp(signature->dnssec, "secure") == 0 ? ", secure" : "");
	fprintf(out, "      body hash: %s\n", body_words(signature->body));
	fprintf(out, "      = %s", dkim_result_name(signature->result));
	print_words(out, " (", signature->error, ")");
	fputc('\n', out);
}

static void print_dkim(FILE *out, const struct dkim_check *check)
{
	size_t kept = dkim_check_count(check), found = dkim_check_found(check);

	for (size_t i = 0; i < kept; i++)
		print_signature(out, i + 1, dkim_check_signature(check, i));
	if (found > kept)
		fprintf(out, "    %zu signatures more, not looked at\n", found - kept);
	fprintf(out, "  = %s\n", dkim_result_name(dkim_check_best(check)));
}

void auth_report_dkim(struct auth_report *report, const struct dkim_check *check)
{
	pthread_mutex_lock(&report->lock);
	if (report->as_json)
		add_to(report, "dkim", dkim_object(check));
	else
		print_dkim(report->out, check);
	pthread_mutex_unlock(&report->lock);
}

/* ---- DMARC and the verdict ---- */

static json_t *why_array(unsigned why)
{
	json_t *array = json_array();

	for (enum dmarc_why bit = 0; bit < DMARC_WHY_COUNT; bit++)
		if (why & 1u << bit)
			json_array_append_new(array, json_string(dmarc_why_name(bit)));
	return array;
}

static void print_why(FILE *out, unsigned why)
{
	const char *separator = " (";

	for (enum dmarc_why bit = 0; bit < DMARC_WHY_COUNT; bit++)
		if (why & 1u << bit) {
			fprintf(out, "%s%s", separator, dmarc_why_name(bit));
			separator = ", ";
		}
	fputs(why ? ")" : "", out);
}

static const char *check_words(enum dmarc_check check)
{
	static const char *const words[] = {
		[DMARC_CHECK_NONE] = "nothing checked", [DMARC_CHECK_PASS] = "pass", [DMARC_CHECK_BAD] = "no pass",
		[DMARC_CHECK_TEMPORARY] = "not known now",
	};

	return words[check];
}

static bool is_signature_aligned(const struct dmarc_outcome *outcome, size_t index)
{
	return index < 32 && (outcome->aligned_signatures & UINT32_C(1) << index);
}

static json_t *identifier_object(const char *by, const struct dmarc_identifier *identifier, bool is_aligned)
{
	json_t *object = json_object();

	set_string(object, "by", by);
	set_text(object, "domain", identifier->domain);
	set_string(object, "outcome", check_words(identifier->check));
	json_object_set_new(object, "aligned", json_boolean(is_aligned));
	return object;
}

static json_t *identifiers_array(const struct dmarc_input *input, const struct dmarc_outcome *outcome)
{
	json_t *array = json_array();

	json_array_append_new(array, identifier_object("spf", &input->spf, outcome->aligned_spf));
	for (size_t i = 0; i < input->dkim_count; i++)
		json_array_append_new(array, identifier_object("dkim", &input->dkim[i], is_signature_aligned(outcome, i)));
	return array;
}

static void print_identifier(FILE *out, const char *by, char mode, const struct dmarc_identifier *identifier,
			     bool is_aligned)
{
	fprintf(out, "    %s ", by);
	escape_terminal(identifier->domain, out);
	fprintf(out, ": %s, %s (%s)\n", check_words(identifier->check), is_aligned ? "aligned" : "not aligned",
		mode == 's' ? "strict" : "relaxed");
}

static void set_tags(json_t *object, const struct dmarc_record *tags)
{
	set_string(object, "p", dmarc_policy_name(tags->p));
	set_string(object, "sp", dmarc_policy_name(tags->sp));
	set_string(object, "np", dmarc_policy_name(tags->np));
	set_number(object, "pct", tags->pct);
	json_object_set_new(object, "t", json_boolean(tags->t));
	set_text(object, "psd", (struct text){ &tags->psd, 1 });
	set_text(object, "adkim", (struct text){ &tags->adkim, 1 });
	set_text(object, "aspf", (struct text){ &tags->aspf, 1 });
}

static json_t *dmarc_object(const struct dmarc_input *input, const struct dmarc_outcome *outcome)
{
	json_t *object = json_object();

	set_string(object, "from_domain", outcome->from_domain);
	set_string(object, "org_domain", outcome->org_domain);
	set_string(object, "policy_domain", outcome->policy_domain);
	set_string(object, "record", outcome->record);
	if (outcome->has_record) {
		set_tags(object, &outcome->tags);
		json_object_set_new(object, "aligned_spf", json_boolean(outcome->aligned_spf));
		json_object_set_new(object, "aligned_dkim", json_boolean(outcome->aligned_dkim));
		json_object_set_new(object, "identifiers", identifiers_array(input, outcome));
	}
	set_string(object, "policy_tag", outcome->policy_tag);
	set_string(object, "result", dmarc_result_name(outcome->result));
	json_object_set_new(object, "why", why_array(outcome->why));
	set_string(object, "disposition", dmarc_policy_name(outcome->disposition));
	set_string(object, "error", outcome->error);
	set_number(object, "time_us", outcome->time_us);
	return object;
}

static void print_dmarc(FILE *out, const struct dmarc_input *input, const struct dmarc_outcome *outcome)
{
	print_words(out, "    organizational domain ", outcome->org_domain, "\n");
	print_words(out, "    policy of ", outcome->policy_domain, ": ");
	print_words(out, "", outcome->record, "\n");
	if (outcome->has_record) {
		print_identifier(out, "spf", outcome->tags.aspf, &input->spf, outcome->aligned_spf);
		for (size_t i = 0; i < input->dkim_count; i++)
			print_identifier(out, "dkim", outcome->tags.adkim, &input->dkim[i],
					 is_signature_aligned(outcome, i));
	}
	fprintf(out, "  = %s", dmarc_result_name(outcome->result));
	print_why(out, outcome->why);
	fprintf(out, ", disposition %s%s%s", dmarc_policy_name(outcome->disposition),
		outcome->policy_tag ? " by " : "", outcome->policy_tag ? outcome->policy_tag : "");
	print_words(out, " (", outcome->error, ")");
	fprintf(out, ", %" PRIu64 " us\n", outcome->time_us);
}

void auth_report_dmarc(struct auth_report *report, const struct dmarc_input *input, const struct dmarc_outcome *outcome)
{
	pthread_mutex_lock(&report->lock);
	if (report->as_json)
		add_to(report, "dmarc", dmarc_object(input, outcome));
	else
		print_dmarc(report->out, input, outcome);
	pthread_mutex_unlock(&report->lock);
}

static json_t *verdict_object(const struct spf_outcome *spf, const struct dkim_check *dkim,
			      const struct dmarc_outcome *dmarc)
{
	json_t *object = json_object();

	if (spf)
		set_string(object, "spf", spf_result_name(spf->result));
	if (dkim)
		set_string(object, "dkim", dkim_result_name(dkim_check_best(dkim)));
	if (dmarc) {
		set_string(object, "dmarc", dmarc_result_name(dmarc->result));
		json_object_set_new(object, "why", why_array(dmarc->why));
		set_string(object, "disposition", dmarc_policy_name(dmarc->disposition));
	}
	return object;
}

static void print_verdict(FILE *out, const struct spf_outcome *spf, const struct dkim_check *dkim,
			  const struct dmarc_outcome *dmarc)
{
	fputs("verdict", out);
	if (spf)
		fprintf(out, " spf=%s", spf_result_name(spf->result));
	if (dkim)
		fprintf(out, " dkim=%s", dkim_result_name(dkim_check_best(dkim)));
	if (dmarc) {
		fprintf(out, " dmarc=%s", dmarc_result_name(dmarc->result));
		print_why(out, dmarc->why);
		fprintf(out, " disposition=%s", dmarc_policy_name(dmarc->disposition));
	}
	fputc('\n', out);
}

void auth_report_verdict(struct auth_report *report, const struct spf_outcome *spf, const struct dkim_check *dkim,
			 const struct dmarc_outcome *dmarc)
{
	pthread_mutex_lock(&report->lock);
	if (report->as_json)
		json_object_set_new(report->root, "verdict", verdict_object(spf, dkim, dmarc));
	else
		print_verdict(report->out, spf, dkim, dmarc);
	pthread_mutex_unlock(&report->lock);
}
