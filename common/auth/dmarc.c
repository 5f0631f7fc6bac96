/* dmarc.c - what the From: domain's published policy says of a message. */
#include "common/auth/dmarc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <libpsl.h>

#define WALK_LABELS 8		/* RFC 9989 4.10: questions of one tree walk */

struct dmarc_suffixes {
	psl_ctx_t *list;
};

struct evaluation {
	const struct dmarc_input *input;
	struct dmarc_outcome *outcome;
	unsigned walks;
	bool had_temporary;		/* the DNS failed, so that the result may be another one */
};

const char *dmarc_result_name(enum dmarc_result result)
{
	static const char *const names[] = { "none", "pass", "fail", "temperror", "permerror" };

	return names[result];
}

const char *dmarc_policy_name(enum dmarc_policy policy)
{
	static const char *const names[] = { NULL, "none", "quarantine", "reject" };

	return names[policy];
}

const char *dmarc_why_name(enum dmarc_why why)
{
	static const char *const names[DMARC_WHY_COUNT] = {
		[DMARC_WHY_NO_RECORD] = "no_record",
		[DMARC_WHY_MULTIPLE_FROM] = "multiple_from",
		[DMARC_WHY_NO_FROM] = "no_from",
		[DMARC_WHY_SPF_FAIL] = "spf_fail",
		[DMARC_WHY_SPF_UNALIGNED] = "spf_unaligned",
		[DMARC_WHY_DKIM_NONE] = "dkim_none",
		[DMARC_WHY_DKIM_BAD] = "dkim_bad",
		[DMARC_WHY_DKIM_UNALIGNED] = "dkim_unaligned",
		[DMARC_WHY_DNS_TEMPORARY] = "dns_temporary",
		[DMARC_WHY_PERMANENT_ERROR] = "permanent_error",
	};

	return names[why];
}

int dmarc_suffixes_open(const char *file, struct dmarc_suffixes **ret_suffixes, struct problem *problem)
{
	struct dmarc_suffixes *suffixes = malloc(sizeof *suffixes);

	if (!suffixes)
		return -ENOMEM;
	/* psl_load_file takes any file for an empty list; an empty list aligns too much. */
	suffixes->list = file ? psl_load_file(file) : psl_latest(NULL);
	if (suffixes->list && (!file || psl_suffix_count(suffixes->list) > 0 ||
			       psl_is_public_suffix(suffixes->list, "co.uk"))) {
		*ret_suffixes = suffixes;
		return 0;
	}
	int error = file && access(file, R_OK) != 0 ? errno : EINVAL;

	problem_set(problem, "cannot use '%s' as public suffix list: %s", file ? file : "the system's",
		    error == EINVAL ? "it is none" : strerror(error));
	dmarc_suffixes_close(suffixes);
	return -error;
}

void dmarc_suffixes_close(struct dmarc_suffixes *suffixes)
{
	if (!suffixes)
		return;
	psl_free(suffixes->list);
	free(suffixes);
}

struct text dmarc_organization(const struct dmarc_suffixes *suffixes, const char *domain)
{
	const char *found = psl_registrable_domain(suffixes->list, domain);

	return text_of(found ? found : domain);
}

/* The next "name = value" up to a semicolon. False after the last. */
static bool next_tag(struct text *rest, struct text *ret_name, struct text *ret_value)
{
	if (rest->length == 0)
		return false;
	const char *end = memchr(rest->start, ';', rest->length);
	size_t length = end ? (size_t)(end - rest->start) : rest->length;
	const char *equal = memchr(rest->start, '=', length);
	size_t name = equal ? (size_t)(equal - rest->start) : length;

	*ret_name = text_trim((struct text){ rest->start, name });
	*ret_value = equal ? text_trim((struct text){ equal + 1, length - name - 1 }) : TEXT_NONE;
	length += end != NULL;
	*rest = (struct text){ rest->start + length, rest->length - length };
	return true;
}

static bool is_version(struct text name, struct text value)
{
	return text_equal_nocase(name, TEXT_LITERAL("v")) && text_is(value, "DMARC1");
}

/* True: it begins like a DMARC record, whatever follows. */
static bool is_dmarc(struct text txt)
{
	struct text name, value;

	return next_tag(&txt, &name, &value) && is_version(name, value);
}

static bool read_policy(struct text value, enum dmarc_policy *ret_policy)
{
	for (enum dmarc_policy policy = DMARC_POLICY_NONE; policy <= DMARC_POLICY_REJECT; policy++)
		if (text_equal_nocase(value, text_of(dmarc_policy_name(policy)))) {
			*ret_policy = policy;
			return true;
		}
	return false;
}

/* One of some letters, in either case, stored in lower case. */
static void read_letter(struct text value, const char *letters, char *ret_letter)
{
	char letter = value.length == 1 ? value.start[0] : '\0';

	if (letter >= 'A' && letter <= 'Z')
		letter = (char)(letter + 'a' - 'A');
	if (letter && strchr(letters, letter))
		*ret_letter = letter;
}

static void read_percent(struct text value, unsigned *ret_percent)
{
	unsigned percent = 0;

	if (value.length == 0 || value.length > 3)
		return;
	for (size_t i = 0; i < value.length; i++) {
		if (value.start[i] < '0' || value.start[i] > '9')
			return;
		percent = percent * 10 + (unsigned)(value.start[i] - '0');
	}
	if (percent <= 100)
		*ret_percent = percent;
}

/* Is there something like scheme:rest in a list of URIs? */
static bool has_uri(struct text value)
{
	while (value.length > 0) {
		const char *comma = memchr(value.start, ',', value.length);
		size_t length = comma ? (size_t)(comma - value.start) : value.length;
		struct text uri = text_trim((struct text){ value.start, length });
		const char *colon = uri.length > 0 ? memchr(uri.start, ':', uri.length) : NULL;
		size_t scheme = colon ? (size_t)(colon - uri.start) : 0, i = 0;

		while (i < scheme && ((uri.start[i] | 0x20) >= 'a') && ((uri.start[i] | 0x20) <= 'z'))
			i++;
		if (scheme > 0 && i == scheme && scheme + 1 < uri.length)
			return true;
		length += comma != NULL;
		value = (struct text){ value.start + length, value.length - length };
	}
	return false;
}

enum tag { TAG_P, TAG_SP, TAG_NP, TAG_PCT, TAG_T, TAG_PSD, TAG_ADKIM, TAG_ASPF, TAG_RUA, TAG_COUNT };

static enum tag tag_of(struct text name)
{
	static const char *const names[TAG_COUNT] = { "p", "sp", "np", "pct", "t", "psd", "adkim", "aspf", "rua" };
	enum tag tag = TAG_P;

	while (tag < TAG_COUNT && !text_equal_nocase(name, text_of(names[tag])))
		tag++;
	return tag;
}

/* Reads the value of a tag. False: a policy that is none. */
static bool read_tag(struct dmarc_record *record, enum tag tag, struct text value)
{
	char letter = 'n';

	switch (tag) {
	case TAG_P: return read_policy(value, &record->p);
	case TAG_SP: return read_policy(value, &record->sp);
	case TAG_NP: return read_policy(value, &record->np);
	case TAG_PCT: read_percent(value, &record->pct); break;
	case TAG_T:
		read_letter(value, "yn", &letter);
		record->t = letter == 'y';
		break;
	case TAG_PSD: read_letter(value, "ynu", &record->psd); break;
	case TAG_ADKIM: read_letter(value, "rs", &record->adkim); break;
	case TAG_ASPF: read_letter(value, "rs", &record->aspf); break;
	case TAG_RUA: record->has_rua = has_uri(value); break;
	case TAG_COUNT: break;
	}
	return true;
}

int dmarc_record_read(struct text txt, struct dmarc_record *ret_record, const char **ret_error)
{
	struct text name, value;
	unsigned seen = 0;
	bool is_bad_policy = false;

	*ret_record = (struct dmarc_record){ .pct = 100, .psd = 'u', .adkim = 'r', .aspf = 'r' };
	*ret_error = "v=DMARC1 is not its first tag";
	if (!next_tag(&txt, &name, &value) || !is_version(name, value))
		return -EINVAL;
	*ret_error = "a tag stands twice";
	while (next_tag(&txt, &name, &value)) {
		enum tag tag = tag_of(name);

		if (seen & 1u << tag && tag != TAG_COUNT)
			return -EINVAL;
		seen |= 1u << tag;
		is_bad_policy = !read_tag(ret_record, tag, value) || is_bad_policy;
	}
	/* RFC 7489 6.6.3, step 6: who wants reports is taken for p=none. */
	if (!is_bad_policy && ret_record->p != DMARC_POLICY_ABSENT)
		return 0;
	*ret_error = is_bad_policy ? "p=, sp= or np= is no policy, and there is no rua="
				   : "p= is missing, and there is no rua=";
	if (!ret_record->has_rua)
		return -EINVAL;
	ret_record->p = DMARC_POLICY_NONE;
	ret_record->sp = ret_record->np = DMARC_POLICY_ABSENT;
	return 0;
}

__attribute__((format(printf, 2, 3)))
static void say(struct evaluation *evaluation, const char *format, ...)
{
	va_list arguments;

	if (evaluation->outcome->error[0])
		return;
	va_start(arguments, format);
	(void)vsnprintf(evaluation->outcome->error, DMARC_ERROR_SIZE, format, arguments);
	va_end(arguments);
}

/* A policy record as it was found. */
struct found {
	bool is_found;
	struct text domain;		/* lent from the name that was asked for */
	struct dmarc_record tags;
	char text[DMARC_RECORD_SIZE];
};

static void copy_printable(struct text text, char ret_text[static DMARC_RECORD_SIZE])
{
	size_t length = text.length < DMARC_RECORD_SIZE ? text.length : DMARC_RECORD_SIZE - 1;

	for (size_t i = 0; i < length; i++)
		ret_text[i] = text.start[i] >= ' ' && text.start[i] <= '~' ? text.start[i] : '?';
	ret_text[length] = '\0';
}

/* The one DMARC record of an answer; several count as none. 0: none, 1: found, 2: several. */
static int choose_record(struct evaluation *evaluation, const struct dns_answer *answer, struct found *found)
{
	struct text txt = TEXT_NONE;
	const char *words;
	size_t records = 0;

	for (size_t i = 0; i < answer->count; i++)
		if (is_dmarc(answer->items[i].data)) {
			txt = answer->items[i].data;
			records++;
		}
	if (records > 1) {
		say(evaluation, "%zu DMARC records at _dmarc.%.*s", records, TEXT_ARGS(found->domain));
		return 2;
	}
	if (records == 0)
		return 0;
	copy_printable(txt, found->text);
	found->is_found = dmarc_record_read(txt, &found->tags, &words) == 0;
	if (!found->is_found)
		say(evaluation, "record at _dmarc.%.*s: %s", TEXT_ARGS(found->domain), words);
	return 1;
}

enum { POLICY_NAME_SIZE = DOMAIN_SIZE + 8 };

/* Where the record of a domain is. */
static struct text policy_name(struct text domain, char scratch[static POLICY_NAME_SIZE])
{
	return (struct text){ scratch, (size_t)snprintf(scratch, POLICY_NAME_SIZE, "_dmarc.%.*s", TEXT_ARGS(domain)) };
}

/* 0: no DMARC record at this domain, 1: there is one (found->is_found: and it can be used),
 * 2: several, -EAGAIN: the DNS failed. */
static int fetch(struct evaluation *evaluation, struct text domain, struct found *found)
{
	char name[POLICY_NAME_SIZE];
	int records = 0;

	*found = (struct found){ .domain = domain };
	const struct dns_answer *answer = dns_lookup(evaluation->input->dns, evaluation->input->job,
						     policy_name(domain, name), DNS_TXT);

	if (answer->status == DNS_DATA) {
		records = choose_record(evaluation, answer, found);
	} else if (answer->status == DNS_TEMPORARY || answer->status == DNS_BOGUS) {
		say(evaluation, "TXT %s: %s", name, answer->error ? answer->error : "");
		evaluation->had_temporary = true;
		records = -EAGAIN;
	}
	dns_answer_free(answer);
	return records;
}

static struct text parent_of(struct text domain)
{
	const char *dot = domain.length > 0 ? memchr(domain.start, '.', domain.length) : NULL;
	size_t label = dot ? (size_t)(dot - domain.start) + 1 : domain.length;

	return (struct text){ domain.start + label, domain.length - label };
}

/* The last labels of a domain. */
static struct text last_labels(struct text domain, size_t labels)
{
	while (domain_labels(domain) > labels)
		domain = parent_of(domain);
	return domain;
}

/* What a tree walk came by: the records that can become the policy, and the organizational domain. */
struct walk {
	struct text org_domain;
	struct found own, org, psd;
};

/* RFC 9989 4.10: from the domain towards the root, at most WALK_LABELS questions. -EAGAIN: the DNS failed. */
static int walk_tree(struct evaluation *evaluation, struct text start, struct walk *ret_walk)
{
	struct text below = TEXT_NONE;
	struct found found;
	int error = 0;

	*ret_walk = (struct walk){ .org_domain = start };
	for (struct text target = start; target.length > 0 && !error;) {
		int records = fetch(evaluation, target, &found);

		error = records < 0 ? records : 0;
		if (records == 1 && target.start == start.start)
			ret_walk->own = found;
		if (found.is_found && found.tags.psd == 'y' && target.start != start.start) {
			ret_walk->org_domain = below;
			ret_walk->psd = found;
			if (ret_walk->org.is_found && ret_walk->org.domain.start != below.start)
				ret_walk->org = (struct found){ 0 };
			return 0;
		}
		if (found.is_found) {
			/* The one with the fewest labels, unless psd= decides. */
			ret_walk->org = found;
			ret_walk->org_domain = target;
			if (found.tags.psd != 'u')
				return 0;
		}
		below = target;
		target = target.start == start.start && domain_labels(target) >= WALK_LABELS
			? last_labels(target, WALK_LABELS - 1) : parent_of(target);
		/* Labels that were jumped over: what lies below the next target is still one label more. */
		if (target.length > 0 && domain_labels(below) > domain_labels(target) + 1)
			below = last_labels(start, domain_labels(target) + 1);
	}
	return error;
}

/* The policy record and the organizational domain, by RFC 7489 6.6.3. */
static int discover_by_list(struct evaluation *evaluation, struct text from, struct found *ret_found)
{
	struct dmarc_outcome *outcome = evaluation->outcome;
	struct text org = dmarc_organization(evaluation->input->suffixes, from.start);

	(void)snprintf(outcome->org_domain, DOMAIN_SIZE, "%.*s", TEXT_ARGS(org));
	int records = fetch(evaluation, from, ret_found);

	if (records == 0 && org.start != from.start)
		records = fetch(evaluation, org, ret_found);
	return records < 0 ? records : 0;
}

/* The same by RFC 9989 4.10.1: the author's domain, else its organization, else the suffix above. */
static int discover_by_walk(struct evaluation *evaluation, struct text from, struct found *ret_found)
{
	struct walk walk;
	int error = walk_tree(evaluation, from, &walk);

	evaluation->walks++;
	(void)snprintf(evaluation->outcome->org_domain, DOMAIN_SIZE, "%.*s", TEXT_ARGS(walk.org_domain));
	/* Its own record counts even where it cannot be used, and where the walk failed after it. */
	bool has_own = walk.own.text[0] != '\0';

	*ret_found = has_own ? walk.own : walk.org.is_found ? walk.org : walk.psd;
	return has_own ? 0 : error;
}

static bool is_same_organization(struct evaluation *evaluation, const char *domain)
{
	const struct dmarc_input *input = evaluation->input;
	struct text org = text_of(evaluation->outcome->org_domain), name = text_of(domain);
	struct walk walk;

	if (!input->walks_tree)
		return text_equal(dmarc_organization(input->suffixes, domain), org);
	/* Only what is below the organizational domain can have it. */
	if (!domain_is_within(name, org) || evaluation->walks >= DMARC_WALKS_MAX)
		return false;
	evaluation->walks++;
	return walk_tree(evaluation, name, &walk) == 0 && text_equal(walk.org_domain, org);
}

/* Is the domain that SPF or DKIM speaks of the From: domain, or (relaxed) of its organization? */
static bool is_aligned(struct evaluation *evaluation, struct text domain, char mode)
{
	char name[DOMAIN_SIZE];

	if (domain_normalize(domain, name) || domain_is_address(text_of(name)))
		return false;
	return text_is(text_of(name), evaluation->outcome->from_domain) ||
	       (mode == 'r' && is_same_organization(evaluation, name));
}

static bool domain_exists(struct evaluation *evaluation)
{
	const struct dmarc_input *input = evaluation->input;
	const struct dns_answer *answer = dns_lookup(input->dns, input->job,
						     text_of(evaluation->outcome->from_domain), DNS_A);
	bool exists = answer->status != DNS_NO_NAME;

	dns_answer_free(answer);
	return exists;
}

/* Which of p, sp, np is for this From: domain, and what it asks for. */
static enum dmarc_policy choose_policy(struct evaluation *evaluation)
{
	struct dmarc_outcome *outcome = evaluation->outcome;
	const struct dmarc_record *tags = &outcome->tags;
	bool is_own = strcmp(outcome->policy_domain, outcome->from_domain) == 0;

	if (!is_own && tags->np != DMARC_POLICY_ABSENT && !domain_exists(evaluation)) {
		outcome->policy_tag = "np";
		return tags->np;
	}
	if (!is_own && tags->sp != DMARC_POLICY_ABSENT) {
		outcome->policy_tag = "sp";
		return tags->sp;
	}
	outcome->policy_tag = "p";
	return tags->p;
}

/* What a failing message is to meet. A policy that is only tested, or for 0 per cent of the mail,
 * asks for one step less. */
static enum dmarc_policy find_disposition(struct evaluation *evaluation)
{
	const struct dmarc_record *tags = &evaluation->outcome->tags;
	enum dmarc_policy policy = choose_policy(evaluation);
	bool is_softened = evaluation->input->walks_tree ? tags->t : tags->pct == 0;

	return is_softened && policy > DMARC_POLICY_NONE ? policy - 1 : policy;
}

static unsigned why_bit(enum dmarc_why why)
{
	return 1u << why;
}

/* Alignment and results of SPF: true where it alone makes a pass. */
static bool judge_spf(struct evaluation *evaluation, bool *ret_undecided)
{
	struct dmarc_outcome *outcome = evaluation->outcome;
	const struct dmarc_identifier *spf = &evaluation->input->spf;

	outcome->aligned_spf = is_aligned(evaluation, spf->domain, outcome->tags.aspf);
	if (spf->check != DMARC_CHECK_PASS)
		outcome->why |= why_bit(DMARC_WHY_SPF_FAIL);
	else if (!outcome->aligned_spf)
		outcome->why |= why_bit(DMARC_WHY_SPF_UNALIGNED);
	*ret_undecided = *ret_undecided || (spf->check == DMARC_CHECK_TEMPORARY && outcome->aligned_spf);
	return spf->check == DMARC_CHECK_PASS && outcome->aligned_spf;
}

static bool judge_dkim(struct evaluation *evaluation, bool *ret_undecided)
{
	const struct dmarc_input *input = evaluation->input;
	struct dmarc_outcome *outcome = evaluation->outcome;
	bool has_pass = false, passes = false;

	for (size_t i = 0; i < input->dkim_count; i++) {
		const struct dmarc_identifier *dkim = &input->dkim[i];
		bool aligned = is_aligned(evaluation, dkim->domain, outcome->tags.adkim);

		outcome->aligned_dkim = outcome->aligned_dkim || aligned;
		if (aligned && i < 32)
			outcome->aligned_signatures |= UINT32_C(1) << i;
		has_pass = has_pass || dkim->check == DMARC_CHECK_PASS;
		passes = passes || (dkim->check == DMARC_CHECK_PASS && aligned);
		*ret_undecided = *ret_undecided || (dkim->check == DMARC_CHECK_TEMPORARY && aligned);
	}
	if (input->dkim_count == 0)
		outcome->why |= why_bit(DMARC_WHY_DKIM_NONE);
	else if (!has_pass)
		outcome->why |= why_bit(DMARC_WHY_DKIM_BAD);
	else if (!passes)
		outcome->why |= why_bit(DMARC_WHY_DKIM_UNALIGNED);
	return passes;
}

/* There is a policy: does the message meet it? */
static void judge(struct evaluation *evaluation)
{
	struct dmarc_outcome *outcome = evaluation->outcome;
	bool undecided = false;
	bool by_spf = judge_spf(evaluation, &undecided);
	bool by_dkim = judge_dkim(evaluation, &undecided);

	if (by_spf || by_dkim) {
		outcome->result = DMARC_PASS;
		outcome->why = 0;
		outcome->error[0] = '\0';
		return;
	}
	outcome->result = undecided || evaluation->had_temporary ? DMARC_TEMPERROR : DMARC_FAIL;
	if (outcome->result == DMARC_TEMPERROR)
		outcome->why |= why_bit(DMARC_WHY_DNS_TEMPORARY);
	enum dmarc_policy disposition = find_disposition(evaluation);

	if (outcome->result == DMARC_FAIL)
		outcome->disposition = disposition;
}

/* Exactly one domain, normalized. False: the outcome says what is wrong. */
static bool find_from(struct evaluation *evaluation)
{
	const struct dmarc_input *input = evaluation->input;
	struct dmarc_outcome *outcome = evaluation->outcome;
	char domain[DOMAIN_SIZE], first[DOMAIN_SIZE];

	outcome->result = DMARC_PERMERROR;
	if (input->from_count == 0) {
		outcome->why = why_bit(DMARC_WHY_NO_FROM);
		say(evaluation, "there is no address in From:");
		return false;
	}
	for (size_t i = 0; i < input->from_count; i++) {
		if (domain_normalize(input->from_domains[i], domain) || domain_is_address(text_of(domain))) {
			outcome->why = why_bit(DMARC_WHY_NO_FROM);
			say(evaluation, "the domain in From: is no domain name");
			return false;
		}
		if (i > 0 && strcmp(domain, first) != 0) {
			outcome->why = why_bit(DMARC_WHY_MULTIPLE_FROM);
			say(evaluation, "From: names several domains: %s and %s", first, domain);
			return false;
		}
		memcpy(first, domain, sizeof first);
	}
	memcpy(outcome->from_domain, domain, sizeof domain);
	outcome->result = DMARC_NONE;
	return true;
}

static void evaluate(struct evaluation *evaluation)
{
	struct dmarc_outcome *outcome = evaluation->outcome;
	struct found found;

	if (!find_from(evaluation))
		return;
	struct text from = text_of(outcome->from_domain);
	int error = evaluation->input->walks_tree ? discover_by_walk(evaluation, from, &found)
						  : discover_by_list(evaluation, from, &found);

	if (error) {
		outcome->result = DMARC_TEMPERROR;
		outcome->why = why_bit(DMARC_WHY_DNS_TEMPORARY);
	} else if (!found.is_found) {
		bool is_broken = found.text[0] != '\0';

		outcome->why = why_bit(is_broken ? DMARC_WHY_PERMANENT_ERROR : DMARC_WHY_NO_RECORD);
		outcome->result = is_broken ? DMARC_PERMERROR : DMARC_NONE;
		memcpy(outcome->record, found.text, sizeof outcome->record);
	} else {
		outcome->has_record = true;
		outcome->tags = found.tags;
		(void)snprintf(outcome->policy_domain, DOMAIN_SIZE, "%.*s", TEXT_ARGS(found.domain));
		memcpy(outcome->record, found.text, sizeof outcome->record);
		judge(evaluation);
	}
}

void dmarc_refuse(bool has_several, struct dmarc_outcome *ret_outcome)
{
	*ret_outcome = (struct dmarc_outcome){
		.result = DMARC_PERMERROR, .disposition = DMARC_POLICY_NONE,
		.why = why_bit(has_several ? DMARC_WHY_MULTIPLE_FROM : DMARC_WHY_NO_FROM),
	};
	(void)snprintf(ret_outcome->error, sizeof ret_outcome->error, "%s",
		       has_several ? "From: names several addresses, not of one domain or not in one field"
				   : "From: names no address, or none without doubt");
}

static void ask_for_policy(const struct dmarc_input *input, struct text domain)
{
	char name[POLICY_NAME_SIZE];

	dns_advance(input->dns, input->job, policy_name(domain, name), DNS_TXT);
}

void dmarc_ask(const struct dmarc_input *input)
{
	char domain[DOMAIN_SIZE];

	if (input->from_count == 0 || domain_normalize(input->from_domains[0], domain) || domain_is_address(text_of(domain)))
		return;
	ask_for_policy(input, text_of(domain));
	if (!input->walks_tree)
		ask_for_policy(input, dmarc_organization(input->suffixes, domain));
	for (struct text above = parent_of(text_of(domain)); input->walks_tree && above.length > 0; above = parent_of(above))
		if (domain_labels(above) < WALK_LABELS)
			ask_for_policy(input, above);
}

void dmarc_evaluate(const struct dmarc_input *input, struct dmarc_outcome *ret_outcome)
{
	uint64_t begun_us = dns_now_us();
	struct evaluation evaluation = { .input = input, .outcome = ret_outcome };

	*ret_outcome = (struct dmarc_outcome){ .disposition = DMARC_POLICY_NONE };
	evaluate(&evaluation);
	ret_outcome->time_us = dns_now_us() - begun_us;
}
