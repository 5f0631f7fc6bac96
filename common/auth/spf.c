/* spf.c - the builtin engine: check_host() of RFC 7208. */
#include "common/auth/spf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdlib.h>

#include "common/auth/spf_macro.h"
#include "common/auth/spf_syntax.h"

enum match { MATCH, NO_MATCH, MATCH_TEMPERROR, MATCH_PERMERROR };

struct evaluation {
	const struct spf_request *request;
	struct spf_outcome *outcome;
	struct spf_values values;	/* its domain changes with include and redirect */
	unsigned depth;			/* of includes */
	char client_name[DOMAIN_SIZE];	/* for %{p}, of the domain it was asked for last */
};

static enum spf_result check_host(struct evaluation *evaluation, const char *start_domain);

const char *spf_result_name(enum spf_result result)
{
	switch (result) {
	case SPF_NONE: return "none";
	case SPF_NEUTRAL: return "neutral";
	case SPF_PASS: return "pass";
	case SPF_FAIL: return "fail";
	case SPF_SOFTFAIL: return "softfail";
	case SPF_TEMPERROR: return "temperror";
	case SPF_PERMERROR: return "permerror";
	}
	return "?";
}

const char *spf_identity_name(enum spf_identity identity)
{
	return identity == SPF_HELO ? "helo" : "mailfrom";
}

static struct spf_address address_of_v6(const unsigned char bytes[16])
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct spf_address address = { .family = 6 };

	if (memcmp(bytes, mapped, sizeof mapped) == 0) {
		address.family = 4;
		memcpy(address.bytes, bytes + 12, 4);
	} else {
		memcpy(address.bytes, bytes, 16);
	}
	return address;
}

int spf_address_parse(const char *string, struct spf_address *ret_address)
{
	unsigned char bytes[16];

	if (inet_pton(AF_INET6, string, bytes) == 1) {
		*ret_address = address_of_v6(bytes);
		return 0;
	}
	*ret_address = (struct spf_address){ .family = 4 };
	return inet_pton(AF_INET, string, ret_address->bytes) == 1 ? 0 : -EINVAL;
}

struct spf_address spf_address_of(const struct sockaddr *address)
{
	struct spf_address none = { 0 };

	if (address->sa_family == AF_INET6)
		return address_of_v6(((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr);
	if (address->sa_family == AF_INET) {
		none.family = 4;
		memcpy(none.bytes, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
	}
	return none;
}

void spf_identity_split(const struct spf_request *request, struct text *ret_local, struct text *ret_domain)
{
	struct text sender = request->mail_from;
	size_t at = sender.length;

	*ret_local = TEXT_LITERAL("postmaster");
	*ret_domain = request->helo;
	if (request->identity == SPF_HELO || sender.length == 0)
		return;
	while (at > 0 && sender.start[at - 1] != '@')
		at--;
	*ret_domain = (struct text){ sender.start + at, sender.length - at };
	if (at > 1)
		*ret_local = (struct text){ sender.start, at - 1 };
}

__attribute__((format(printf, 2, 3)))
static void say(struct evaluation *evaluation, const char *format, ...)
{
	va_list arguments;

	/* The first error is the cause, those that follow from it are not. */
	if (evaluation->outcome->error[0])
		return;
	va_start(arguments, format);
	(void)vsnprintf(evaluation->outcome->error, SPF_ERROR_SIZE, format, arguments);
	va_end(arguments);
}

static void tell(const struct evaluation *evaluation, const struct spf_step *step)
{
	const struct spf_request *request = evaluation->request;
	struct spf_step told = *step;

	if (!request->step)
		return;
	told.depth = evaluation->depth;
	told.domain = evaluation->values.domain;
	request->step(request->context, &told);
}

/* Notes which term decided. */
static void note_term(struct evaluation *evaluation, struct text term)
{
	struct spf_outcome *outcome = evaluation->outcome;
	size_t length = term.length < SPF_TERM_SIZE ? term.length : SPF_TERM_SIZE - 1;

	memcpy(outcome->term, term.start, length);
	outcome->term[length] = '\0';
	memcpy(outcome->record_domain, evaluation->values.domain.start, evaluation->values.domain.length);
	outcome->record_domain[evaluation->values.domain.length] = '\0';
}

/* Asks the DNS. MATCH: there is data; NO_MATCH: there is none; else an error. A void answer is
 * counted where the term has to pay for it. The answer is the caller's in every case. */
static enum match ask(struct evaluation *evaluation, struct text name, enum dns_type type, bool counts_voids,
		      const struct dns_answer **ret_answer)
{
	const struct spf_request *request = evaluation->request;
	const struct dns_answer *answer = dns_lookup(request->dns, request->job, name, type);

	*ret_answer = answer;
	switch (answer->status) {
	case DNS_DATA:
		return MATCH;
	case DNS_BAD_NAME:
		return NO_MATCH;
	case DNS_NO_DATA:
	case DNS_NO_NAME:
		if (!counts_voids || ++evaluation->outcome->void_lookups <= SPF_VOIDS_MAX)
			return NO_MATCH;
		say(evaluation, "more than %d void lookups, the last for %s %.*s", SPF_VOIDS_MAX,
		    dns_type_name(type), TEXT_ARGS(name));
		return MATCH_PERMERROR;
	case DNS_TEMPORARY:
	case DNS_BOGUS:
		break;
	}
	say(evaluation, "%s %.*s: %s", dns_type_name(type), TEXT_ARGS(name), answer->error ? answer->error : "");
	return MATCH_TEMPERROR;
}

/* Counts a term that asks the DNS. */
static bool may_ask(struct evaluation *evaluation)
{
	if (++evaluation->outcome->lookups <= SPF_TERMS_MAX)
		return true;
	evaluation->outcome->lookups = SPF_TERMS_MAX + 1;
	say(evaluation, "more than %d terms that ask the DNS", SPF_TERMS_MAX);
	return false;
}

static bool is_inside(const unsigned char *client, const unsigned char *network, unsigned prefix)
{
	unsigned bytes = prefix / 8, bits = prefix % 8;

	if (memcmp(client, network, bytes) != 0)
		return false;
	return bits == 0 || (client[bytes] ^ network[bytes]) >> (8 - bits) == 0;
}

/* Does the client's address stand among the addresses of a name? */
static enum match match_host(struct evaluation *evaluation, struct text name, const struct spf_term *term)
{
	const struct spf_address *client = &evaluation->request->client;
	bool is_v6 = client->family == 6;
	unsigned prefix = is_v6 ? term->prefix6 : term->prefix4;
	const struct dns_answer *answer;
	enum match match = ask(evaluation, name, is_v6 ? DNS_AAAA : DNS_A, true, &answer);

	if (match == MATCH) {
		match = NO_MATCH;
		for (size_t i = 0; i < answer->count && match == NO_MATCH; i++) {
			const unsigned char *address = (const unsigned char *)answer->items[i].data.start;

			match = is_inside(client->bytes, address, prefix) ? MATCH : NO_MATCH;
		}
	}
	dns_answer_free(answer);
	return match;
}

static int compare_mx(const void *a, const void *b)
{
	const struct dns_item *left = a, *right = b;
	size_t shorter = left->data.length < right->data.length ? left->data.length : right->data.length;
	int order = shorter ? memcmp(left->data.start, right->data.start, shorter) : 0;

	if (left->preference != right->preference)
		return left->preference < right->preference ? -1 : 1;
	return order ? order : (left->data.length > right->data.length) - (left->data.length < right->data.length);
}

static enum match match_mx(struct evaluation *evaluation, struct text name, const struct spf_term *term)
{
	struct dns_item items[SPF_MX_MAX];
	const struct dns_answer *answer;
	enum match match = ask(evaluation, name, DNS_MX, true, &answer);

	if (match == MATCH && answer->count > SPF_MX_MAX) {
		say(evaluation, "more than %d MX records at %.*s", SPF_MX_MAX, TEXT_ARGS(name));
		match = MATCH_PERMERROR;
	} else if (match == MATCH) {
		/* Always in the same order: the limit of void lookups makes it matter. */
		memcpy(items, answer->items, answer->count * sizeof items[0]);
		qsort(items, answer->count, sizeof items[0], compare_mx);
		match = NO_MATCH;
		for (size_t i = 0; i < answer->count && match == NO_MATCH; i++)
			match = match_host(evaluation, items[i].data, term);
	}
	dns_answer_free(answer);
	return match;
}

static size_t reverse_name(const struct spf_address *client, char ret_name[static 80])
{
	size_t length = 0;

	if (client->family != 6)
		return (size_t)snprintf(ret_name, 80, "%u.%u.%u.%u.in-addr.arpa", client->bytes[3],
					client->bytes[2], client->bytes[1], client->bytes[0]);
	for (int i = 15; i >= 0; i--)
		length += (size_t)snprintf(ret_name + length, 80 - length, "%x.%x.", client->bytes[i] & 15,
					   client->bytes[i] >> 4);
	return length + (size_t)snprintf(ret_name + length, 80 - length, "ip6.arpa");
}

/* Finds a name of the client, by its address, that points back to it: one that is the domain, else
 * one below it, else any. MATCH: it is the domain or below; NO_MATCH: another, or (empty) none. */
static enum match find_client_name(struct evaluation *evaluation, struct text domain,
				   char ret_name[static DOMAIN_SIZE])
{
	const struct spf_term exact = { .prefix4 = 32, .prefix6 = 128 };
	const struct dns_answer *answer;
	bool had_error = evaluation->outcome->error[0] != '\0';
	char reverse[80];
	int best = 0;
	size_t length = reverse_name(&evaluation->request->client, reverse);
	enum match match = ask(evaluation, (struct text){ reverse, length }, DNS_PTR, true, &answer);

	ret_name[0] = '\0';
	for (size_t i = 0; match == MATCH && i < answer->count && i < SPF_PTR_MAX && best < 3; i++) {
		struct text name = answer->items[i].data;
		bool is_within = domain_is_within(name, domain);
		int good = is_within ? name.length == domain.length ? 3 : 2 : 1;
		enum match points_back = match_host(evaluation, name, &exact);

		if (points_back == MATCH_PERMERROR)
			match = MATCH_PERMERROR;
		if (points_back != MATCH || good <= best || name.length > DOMAIN_LENGTH_MAX)
			continue;
		best = good;
		memcpy(ret_name, name.start, name.length);
		ret_name[name.length] = '\0';
	}
	dns_answer_free(answer);
	if (match == MATCH_PERMERROR)
		return match;
	/* Errors of the DNS only mean that there is no such name (RFC 7208 5.5). */
	if (!had_error)
		evaluation->outcome->error[0] = '\0';
	return best >= 2 ? MATCH : NO_MATCH;
}

/* %{p} */
static struct text client_name(void *context)
{
	struct evaluation *evaluation = context;

	(void)find_client_name(evaluation, evaluation->values.domain, evaluation->client_name);
	return evaluation->client_name[0] ? text_of(evaluation->client_name) : TEXT_LITERAL("unknown");
}

static enum match match_include(struct evaluation *evaluation, const char *target, struct text term)
{
	struct text domain = evaluation->values.domain;

	evaluation->depth++;
	enum spf_result result = check_host(evaluation, target);

	evaluation->depth--;
	evaluation->values.domain = domain;
	switch (result) {
	case SPF_PASS:
		return MATCH;
	case SPF_FAIL:
	case SPF_SOFTFAIL:
	case SPF_NEUTRAL:
		return NO_MATCH;
	case SPF_TEMPERROR:
		return MATCH_TEMPERROR;
	case SPF_NONE:
		say(evaluation, "%.*s: %s has no SPF record", TEXT_ARGS(term), target);
		break;
	case SPF_PERMERROR:
		break;
	}
	return MATCH_PERMERROR;
}

/* A mechanism whose domain is known. */
static enum match match_domain(struct evaluation *evaluation, const struct spf_term *term, const char *target)
{
	const struct dns_answer *answer;
	char name[DOMAIN_SIZE];
	enum match match;

	switch (term->kind) {
	case SPF_INCLUDE:
		return match_include(evaluation, target, term->text);
	case SPF_A:
		return match_host(evaluation, text_of(target), term);
	case SPF_MX:
		return match_mx(evaluation, text_of(target), term);
	case SPF_PTR:
		return find_client_name(evaluation, text_of(target), name);
	case SPF_EXISTS:
		match = ask(evaluation, text_of(target), DNS_A, true, &answer);
		dns_answer_free(answer);
		return match;
	case SPF_ALL:
	case SPF_IP4:
	case SPF_IP6:
	case SPF_REDIRECT:
	case SPF_EXP:
	case SPF_OTHER:
		break;
	}
	return NO_MATCH;
}

/* The domain a term speaks of: its own, expanded, or the record's. -EILSEQ: it matches nothing. */
static int term_target(struct evaluation *evaluation, const struct spf_term *term,
		       char ret_target[static DOMAIN_SIZE])
{
	struct text domain = evaluation->values.domain;

	if (term->domain_spec.start)
		return spf_expand_domain(term->domain_spec, &evaluation->values, ret_target);
	memcpy(ret_target, domain.start, domain.length);
	ret_target[domain.length] = '\0';
	return 0;
}

static enum match match_term(struct evaluation *evaluation, const struct spf_term *term,
			     char ret_target[static DOMAIN_SIZE])
{
	const struct spf_address *client = &evaluation->request->client;

	ret_target[0] = '\0';
	if (term->kind == SPF_ALL)
		return MATCH;
	if (term->kind == SPF_IP4 || term->kind == SPF_IP6) {
		bool is_v6 = term->kind == SPF_IP6;
		unsigned prefix = is_v6 ? term->prefix6 : term->prefix4;

		return is_v6 == (client->family == 6) && is_inside(client->bytes, term->address, prefix)
			? MATCH : NO_MATCH;
	}
	if (!may_ask(evaluation))
		return MATCH_PERMERROR;
	int error = term_target(evaluation, term, ret_target);

	/* %{p} asked more than it may. */
	if (evaluation->outcome->void_lookups > SPF_VOIDS_MAX)
		return MATCH_PERMERROR;
	return error ? NO_MATCH : match_domain(evaluation, term, ret_target);
}

static const char *match_words(enum match match, enum spf_result qualifier)
{
	static const char *const words[] = {
		[SPF_NONE] = "match", [SPF_NEUTRAL] = "match: neutral", [SPF_PASS] = "match: pass",
		[SPF_FAIL] = "match: fail", [SPF_SOFTFAIL] = "match: softfail",
		[SPF_TEMPERROR] = "temperror", [SPF_PERMERROR] = "permerror",
	};

	switch (match) {
	case MATCH: return words[qualifier];
	case NO_MATCH: return "no match";
	case MATCH_TEMPERROR: return "temperror";
	case MATCH_PERMERROR: return "permerror";
	}
	return "?";
}

/* What a record says when it is over. */
struct verdict {
	bool decided;
	enum spf_result result;
	bool has_all;
	struct spf_term redirect, exp;	/* their text is absent where there is none */
};

static void remember_modifiers(struct text record, struct verdict *verdict)
{
	struct text terms = spf_record_terms(record);
	struct spf_term term;
	const char *error;

	while (spf_term_next(&terms, &term, &error) > 0) {
		verdict->has_all = verdict->has_all || term.kind == SPF_ALL;
		if (term.kind == SPF_REDIRECT)
			verdict->redirect = term;
		if (term.kind == SPF_EXP)
			verdict->exp = term;
	}
}

/* The mechanisms from left to right, until one matches or fails. */
static void evaluate_mechanisms(struct evaluation *evaluation, struct text record, struct verdict *verdict)
{
	struct text terms = spf_record_terms(record);
	char target[DOMAIN_SIZE];
	struct spf_term term;
	const char *error;

	while (!verdict->decided && spf_term_next(&terms, &term, &error) > 0) {
		if (term.kind >= SPF_REDIRECT)
			continue;
		enum match match = match_term(evaluation, &term, target);

		tell(evaluation, &(struct spf_step){
			.kind = SPF_STEP_TERM, .text = term.text, .outcome = match_words(match, term.qualifier),
			.target = target[0] && term.domain_spec.start ? text_of(target) : TEXT_NONE,
		});
		if (match == NO_MATCH)
			continue;
		verdict->decided = true;
		verdict->result = match == MATCH ? term.qualifier
				: match == MATCH_TEMPERROR ? SPF_TEMPERROR : SPF_PERMERROR;
		/* Of an error the innermost record is shown, of a result the outermost. */
		if (match == MATCH ? evaluation->depth == 0 : !evaluation->outcome->term[0])
			note_term(evaluation, term.text);
	}
}

/* The owner's words about a fail; whatever goes wrong here only means that there are none. */
static void explain(struct evaluation *evaluation, const struct spf_term *exp)
{
	struct spf_outcome *outcome = evaluation->outcome;
	const struct dns_answer *answer = NULL;
	char target[DOMAIN_SIZE];

	if (spf_expand_domain(exp->domain_spec, &evaluation->values, target) == 0 &&
	    ask(evaluation, text_of(target), DNS_TXT, false, &answer) == MATCH && answer->count == 1) {
		struct text text = answer->items[0].data;

		outcome->has_explanation = !spf_macro_check(text, SPF_TEXT_EXPLANATION) &&
			spf_expand_explanation(text, &evaluation->values, outcome->explanation) == 0;
		tell(evaluation, &(struct spf_step){
			.kind = SPF_STEP_EXPLANATION, .text = text, .target = text_of(target),
			.outcome = outcome->has_explanation ? "used" : "not usable",
		});
	}
	dns_answer_free(answer);
	outcome->error[0] = '\0';
}

/* Finds the one SPF record of a domain. MATCH: it is in *ret_record, lent by *ret_answer. */
static enum match find_record(struct evaluation *evaluation, const char *domain, bool counts_voids,
			      const struct dns_answer **ret_answer, struct text *ret_record)
{
	enum match match = ask(evaluation, text_of(domain), DNS_TXT, counts_voids, ret_answer);
	size_t records = 0;

	if (match != MATCH)
		return match;
	for (size_t i = 0; i < (*ret_answer)->count; i++)
		if (spf_is_record((*ret_answer)->items[i].data)) {
			*ret_record = (*ret_answer)->items[i].data;
			records++;
		}
	if (records > 1)
		say(evaluation, "%zu SPF records at %s", records, domain);
	return records == 0 ? NO_MATCH : records == 1 ? MATCH : MATCH_PERMERROR;
}

/* One record: its syntax, then its mechanisms. */
static void evaluate_record(struct evaluation *evaluation, struct text record, struct verdict *verdict)
{
	struct spf_term wrong;
	const char *error = NULL;

	tell(evaluation, &(struct spf_step){ .kind = SPF_STEP_RECORD, .text = record });
	if (spf_record_check(record, &wrong, &error)) {
		say(evaluation, "'%.*s' in the record of %.*s: %s", TEXT_ARGS(wrong.text),
		    TEXT_ARGS(evaluation->values.domain), error);
		note_term(evaluation, wrong.text);
		verdict->decided = true;
		verdict->result = SPF_PERMERROR;
		return;
	}
	remember_modifiers(record, verdict);
	evaluate_mechanisms(evaluation, record, verdict);
	if (verdict->decided && verdict->result == SPF_FAIL && evaluation->depth == 0 && verdict->exp.text.start)
		explain(evaluation, &verdict->exp);
}

/* Follows redirect=, if the record has one that counts. True: go on with the domain in target. */
static bool follow_redirect(struct evaluation *evaluation, struct verdict *verdict,
			    char target[static DOMAIN_SIZE])
{
	verdict->result = SPF_NEUTRAL;
	if (!verdict->redirect.text.start || verdict->has_all)
		return false;
	if (!may_ask(evaluation)) {
		verdict->result = SPF_PERMERROR;
		note_term(evaluation, verdict->redirect.text);
		return false;
	}
	char next[DOMAIN_SIZE];

	int error = spf_expand_domain(verdict->redirect.domain_spec, &evaluation->values, next);

	if (evaluation->outcome->void_lookups > SPF_VOIDS_MAX)
		verdict->result = SPF_PERMERROR;
	if (error || verdict->result == SPF_PERMERROR)
		return false;
	tell(evaluation, &(struct spf_step){
		.kind = SPF_STEP_TERM, .text = verdict->redirect.text, .target = text_of(next),
		.outcome = "followed",
	});
	memcpy(target, next, sizeof next);
	return true;
}

static enum spf_result check_host(struct evaluation *evaluation, const char *start_domain)
{
	char domain[DOMAIN_SIZE];
	bool is_redirected = false, goes_on;
	struct verdict verdict;

	(void)snprintf(domain, sizeof domain, "%s", start_domain);
	do {
		const struct dns_answer *answer;
		struct text record = TEXT_NONE;
		enum match match;

		verdict = (struct verdict){ .result = SPF_NONE };
		evaluation->values.domain = text_of(domain);
		match = find_record(evaluation, domain, is_redirected || evaluation->depth > 0, &answer, &record);
		if (match == MATCH)
			evaluate_record(evaluation, record, &verdict);
		goes_on = match == MATCH && !verdict.decided && follow_redirect(evaluation, &verdict, domain);
		dns_answer_free(answer);
		if (match == MATCH_TEMPERROR)
			return SPF_TEMPERROR;
		if (match == MATCH_PERMERROR)
			return SPF_PERMERROR;
		if (match == NO_MATCH && is_redirected) {
			say(evaluation, "redirect=%s: it has no SPF record", domain);
			return SPF_PERMERROR;
		}
		is_redirected = true;
	} while (goes_on);
	return verdict.result;
}

/* The domain as the DNS holds it; false and words where there can be no SPF for it (RFC 7208 4.3). */
static bool prepare(const struct spf_request *request, struct spf_outcome *outcome, struct text *ret_local)
{
	struct text domain;

	*outcome = (struct spf_outcome){ .result = SPF_NONE, .is_counted = true };
	spf_identity_split(request, ret_local, &domain);
	const char *wrong = request->client.family == 0 ? "the client has no network address"
			  : domain_normalize(domain, outcome->domain) ? "no domain name"
			  : domain_labels(text_of(outcome->domain)) < 2 ? "not a fully qualified domain name" : NULL;

	if (wrong)
		(void)snprintf(outcome->error, sizeof outcome->error, "%s", wrong);
	return !wrong;
}

void spf_ask(const struct spf_request *request)
{
	struct spf_outcome outcome;
	struct text local;

	if (prepare(request, &outcome, &local))
		dns_advance(request->dns, request->job, text_of(outcome.domain), DNS_TXT);
}

void spf_check(const struct spf_request *request, struct spf_outcome *ret_outcome)
{
	uint64_t begun_us = dns_now_us();
	struct evaluation evaluation = { .request = request, .outcome = ret_outcome };
	struct text local;

	if (prepare(request, ret_outcome, &local)) {
		evaluation.values = (struct spf_values){
			.local = local, .sender_domain = text_of(ret_outcome->domain), .helo = request->helo,
			.receiver = request->receiver, .client = request->client,
			.client_name = client_name, .context = &evaluation,
		};
		ret_outcome->result = check_host(&evaluation, ret_outcome->domain);
	}
	ret_outcome->time_us = dns_now_us() - begun_us;
}
