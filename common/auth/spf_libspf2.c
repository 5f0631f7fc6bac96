/*
 * spf_libspf2.c - the same question put to libspf2, behind guards.
 *
 * libspf2 is alive at many sites and in nobody's care. What is known of 1.2.10 and what stands before it:
 *  - a macro in an explanation overruns the stack (CVE-2023-42118): explanations are never given to it;
 *  - each include counts its lookups anew, 111,111 of them for one message: ours are counted over the whole
 *    evaluation, and past the limit nothing is asked any more;
 *  - names grow without bound: dns.h refuses them at 253 octets, and long terms are not given to it;
 *  - what is past 255 mechanisms is lost in silence: such records are not given to it;
 *  - a NULL from a lookup, or a success without data, ends the process: neither happens;
 *  - an IPv4-mapped client is no IPv4 client to it: spf_address is one already;
 *  - a name that is not ASCII has no record to it: it gets the A-labels;
 *  - a client on loopback passes unasked: the outcome names "localhost" as the term, as libspf2 does.
 * Without memory it still ends the process.
 */
#include "common/auth/spf.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define HAVE_NS_TYPE 1
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wundef"
#include <spf2/spf.h>
#pragma GCC diagnostic pop

#include "common/auth/spf_syntax.h"

/* RFC 7208 allows 10 terms, the dearest of which asks 11 questions. */
#define QUESTIONS_MAX 120
#define TERMS_MAX 200
#define TERM_LENGTH_MAX 250
#define TERM_MACROS_MAX 32
#define RECORD_LENGTH_MAX 4096

struct layer {
	SPF_dns_server_t server;
	const struct spf_request *request;
	unsigned questions, voids;
	enum dns_type last_type;
	char guard[SPF_ERROR_SIZE - 10];	/* which guard had to act; empty: none */
	enum spf_result guard_result;
};

static void set_guard(struct layer *layer, enum spf_result result, const char *words, const char *name)
{
	if (layer->guard[0])
		return;
	layer->guard_result = result;
	(void)snprintf(layer->guard, sizeof layer->guard, "%s%s%s", words, name[0] ? ": " : "", name);
}

/* Is the record small enough for libspf2? Its buffers are counted in single bytes. */
static bool is_digestible(struct text record)
{
	size_t terms = 0, length = 0, macros = 0;

	for (size_t i = 0; i < record.length; i++) {
		if (record.start[i] == ' ') {
			length = macros = 0;
			continue;
		}
		terms += length++ == 0;
		macros += record.start[i] == '%';
		if (length > TERM_LENGTH_MAX || macros > TERM_MACROS_MAX || record.start[i] == '\0')
			return false;
	}
	return terms <= TERMS_MAX && record.length <= RECORD_LENGTH_MAX;
}

/* libspf2 knows no lengths: a text ends at a NUL, and 8 bits stay what they are. */
static bool add_item(SPF_dns_rr_t *answer, enum dns_type type, const struct dns_item *item)
{
	int count = answer->num_rr;
	size_t size = item->data.length + 1;

	if (size < sizeof(SPF_dns_rr_data_t))
		size = sizeof(SPF_dns_rr_data_t);
	if (SPF_dns_rr_buf_realloc(answer, count, size))
		return false;
	SPF_dns_rr_data_t *data = answer->rr[count];

	switch (type) {
	case DNS_A: memcpy(&data->a, item->data.start, 4); break;
	case DNS_AAAA: memcpy(&data->aaaa, item->data.start, 16); break;
	case DNS_TXT:
	case DNS_PTR:
	case DNS_MX:
		/* Strings overgrow the union, by libspf2's design. */
		memcpy((char *)data, item->data.start, item->data.length);
		((char *)data)[item->data.length] = '\0';
		break;
	}
	answer->num_rr++;
	return true;
}

static int fill_answer(struct layer *layer, SPF_dns_rr_t *rr, const char *domain,
		       const struct dns_answer *answer)
{
	switch (answer->status) {
	case DNS_DATA:
		break;
	case DNS_NO_DATA:
		return NO_DATA;
	case DNS_NO_NAME:
	case DNS_BAD_NAME:
		return HOST_NOT_FOUND;
	case DNS_TEMPORARY:
	case DNS_BOGUS:
		return TRY_AGAIN;
	}
	for (size_t i = 0; i < answer->count; i++) {
		const struct dns_item *item = &answer->items[i];

		if (answer->type == DNS_TXT && spf_is_record(item->data) && !is_digestible(item->data)) {
			set_guard(layer, SPF_PERMERROR, "a record that libspf2 must not see", domain);
			return HOST_NOT_FOUND;
		}
		if (answer->type != DNS_TXT || spf_is_record(item->data))
			(void)add_item(rr, answer->type, item);
	}
	return rr->num_rr > 0 ? NETDB_SUCCESS : NO_DATA;
}

/* The limits of RFC 7208, over the whole evaluation. */
static bool may_ask(struct layer *layer, const char *domain)
{
	if (layer->questions >= QUESTIONS_MAX)
		set_guard(layer, SPF_PERMERROR, "too many questions to the DNS", "");
	if (layer->voids > SPF_VOIDS_MAX)
		set_guard(layer, SPF_PERMERROR, "more than 2 void lookups", domain);
	return !layer->guard[0];
}

static SPF_dns_rr_t *layer_lookup(SPF_dns_server_t *server, const char *domain, ns_type type, int should_cache)
{
	struct layer *layer = server->hook;
	SPF_dns_rr_t *rr = SPF_dns_rr_new_init(server, domain, type, 0, HOST_NOT_FOUND);
	enum dns_type asked = (enum dns_type)type;

	(void)should_cache;
	if (!rr || strcmp(dns_type_name(asked), "?") == 0 || !may_ask(layer, domain))
		return rr;
	const struct spf_request *request = layer->request;
	const struct dns_answer *answer = dns_lookup(request->dns, request->job, text_of(domain), asked);

	layer->questions++;
	if (layer->questions > 1 && (answer->status == DNS_NO_DATA || answer->status == DNS_NO_NAME))
		layer->voids++;
	rr->herrno = fill_answer(layer, rr, domain, answer);
	dns_answer_free(answer);
	return rr;
}

/* Stands for the explanation of every record, so that none is compiled. */
static SPF_errcode_t layer_explanation(SPF_server_t *server, const char *domain, char **buffer, size_t *size)
{
	static const char words[] = "-";

	(void)server;
	(void)domain;
	if (!*buffer || *size < sizeof words) {
		char *bigger = realloc(*buffer, sizeof words);

		if (!bigger)
			return SPF_E_NO_MEMORY;
		*buffer = bigger;
		*size = sizeof words;
	}
	memcpy(*buffer, words, sizeof words);
	return SPF_E_SUCCESS;
}

static enum spf_result result_of(SPF_response_t *response)
{
	switch (SPF_response_result(response)) {
	case SPF_RESULT_NEUTRAL: return SPF_NEUTRAL;
	case SPF_RESULT_PASS: return SPF_PASS;
	case SPF_RESULT_FAIL: return SPF_FAIL;
	case SPF_RESULT_SOFTFAIL: return SPF_SOFTFAIL;
	case SPF_RESULT_NONE: return SPF_NONE;
	case SPF_RESULT_TEMPERROR: return SPF_TEMPERROR;
	case SPF_RESULT_PERMERROR: return SPF_PERMERROR;
	case SPF_RESULT_INVALID: break;
	}
	/* It never came to a result: the first record could not be had, or not be read. */
	for (int i = 0; i < SPF_response_messages(response); i++)
		if (SPF_error_code(SPF_response_message(response, i)) == SPF_E_DNS_ERROR)
			return SPF_TEMPERROR;
	return SPF_PERMERROR;
}

static void read_response(SPF_response_t *response, const struct layer *layer, struct spf_outcome *outcome)
{
	outcome->result = result_of(response);
	outcome->void_lookups = layer->voids;
	if (SPF_response_reason(response) == SPF_REASON_LOCALHOST)
		(void)snprintf(outcome->term, sizeof outcome->term, "localhost");
	if (outcome->result == SPF_TEMPERROR || outcome->result == SPF_PERMERROR)
		(void)snprintf(outcome->error, sizeof outcome->error, "%s",
			       SPF_strerror(SPF_response_errcode(response)));
	for (int i = 0; i < SPF_response_messages(response) && outcome->error[0]; i++) {
		SPF_error_t *message = SPF_response_message(response, i);

		if (SPF_error_errorp(message) && SPF_error_message(message))
			(void)snprintf(outcome->error, sizeof outcome->error, "%s", SPF_error_message(message));
	}
	if (layer->guard[0]) {
		outcome->result = layer->guard_result;
		(void)snprintf(outcome->error, sizeof outcome->error, "guarded: %s", layer->guard);
	}
}

static bool set_client(SPF_request_t *request, const struct spf_address *client)
{
	struct in_addr v4;
	struct in6_addr v6;

	memcpy(&v4, client->bytes, sizeof v4);
	memcpy(&v6, client->bytes, sizeof v6);
	return (client->family == 6 ? SPF_request_set_ipv6(request, v6) : SPF_request_set_ipv4(request, v4)) ==
	       SPF_E_SUCCESS;
}

/* The identity as libspf2 wants it: "local@domain". What it cannot take as a string is cut. */
static bool set_identity(SPF_request_t *spf_request, const struct spf_request *request, const char *domain)
{
	char sender[SPF_TERM_SIZE + DOMAIN_SIZE + 64], helo[DOMAIN_SIZE];
	struct text local, ignored;

	spf_identity_split(request, &local, &ignored);
	if (local.length > 64)
		local.length = 64;
	(void)snprintf(helo, sizeof helo, "%.*s", TEXT_ARGS(request->helo));
	(void)snprintf(sender, sizeof sender, "%.*s@%s", TEXT_ARGS(local), domain);
	return SPF_request_set_helo_dom(spf_request, helo) == SPF_E_SUCCESS &&
	       SPF_request_set_env_from(spf_request, sender) == 0;
}

static void ask_libspf2(const struct spf_request *request, struct spf_outcome *outcome)
{
	struct layer layer = { .request = request };

	layer.server = (SPF_dns_server_t){
		.lookup = layer_lookup, .get_exp = layer_explanation, .name = "smtptrail", .hook = &layer,
	};
	SPF_server_t *server = SPF_server_new_dns(&layer.server, 0);
	SPF_request_t *spf_request = server ? SPF_request_new(server) : NULL;
	SPF_response_t *response = NULL;

	outcome->result = SPF_TEMPERROR;
	if (!spf_request || !set_client(spf_request, &request->client) ||
	    !set_identity(spf_request, request, outcome->domain)) {
		(void)snprintf(outcome->error, sizeof outcome->error, "libspf2 does not take the question");
	} else {
		(void)SPF_request_query_mailfrom(spf_request, &response);
		if (response)
			read_response(response, &layer, outcome);
	}
	SPF_response_free(response);
	if (spf_request)
		SPF_request_free(spf_request);
	if (server)
		SPF_server_free(server);
}

void spf_check_libspf2(const struct spf_request *request, struct spf_outcome *ret_outcome)
{
	uint64_t begun_us = dns_now_us();
	struct text local, domain;

	*ret_outcome = (struct spf_outcome){ .result = SPF_NONE };
	spf_identity_split(request, &local, &domain);
	if (request->client.family == 0 || domain_normalize(domain, ret_outcome->domain) ||
	    domain_labels(text_of(ret_outcome->domain)) < 2)
		(void)snprintf(ret_outcome->error, sizeof ret_outcome->error, "no address, or no domain name");
	else
		ask_libspf2(request, ret_outcome);
	ret_outcome->time_us = dns_now_us() - begun_us;
}
