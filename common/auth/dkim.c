/*
 * dkim.c - the feeder and the finisher, around libopendkim.
 *
 * What is known of libopendkim 2.11.0~beta2, and what is done about it:
 *   - it asks for keys in dkim_eoh, unless DELAYSIGPROC; it asks the DNS itself, unless it has a look-up
 *     of ours. The look-up only hands over what was fetched before: without a key a signature is ignored;
 *   - it has no limit on signatures, names in h= or headers: limited here, by the distinct hashes of the body;
 *   - it hashes a body for an l= that is long satisfied: no byte is fed once none is needed;
 *   - dkim_header aborts on an empty field, dkim_sig_gethashes on a signature that failed early;
 *   - a body that does not end in CR LF is an error in it: CR LF is appended;
 *   - dkim_canon_selecthdrs writes one pointer behind its array where h= names more than all headers of
 *     the message: every allocation is given room behind its end;
 *   - its buffer for a word of a relaxed body grows without a limit: no longer line than 64 KiB is fed;
 *   - "body hash matches" is the value 0, which is also that of what was never looked at.
 */
#include "common/auth/dkim.h"

#include <opendkim/dkim.h>
#include <malloc.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

enum { ROOM_BEHIND = 64, LINE_BYTES_MAX = 65535, SIGNATURE_BYTES_MAX = 32 * 1024, FIRST_SIZE = 4096 };

struct dkim_library {
	DKIM_LIB *library;
	bool validates;
};

struct header {
	size_t start, length;		/* in the bytes kept, with no CR LF at its end */
	int signature;			/* index of the signature that it is; -1: another field */
};

/* A signature that libopendkim was given. */
struct fed {
	struct dkim_signature *signature;
	DKIM_SIGINFO *info;
	bool is_ready;			/* libopendkim will verify it */
	bool has_record;
	struct dns_future *future;
	char record[DKIM_KEY_SIZE + 1];
};

struct body_hash {
	bool is_sha1, is_relaxed, has_length;
	uint64_t length;
};

struct dkim_check {
	struct dkim_library *library;
	struct dkim_limits limits;
	uint64_t now_s;

	char *bytes;			/* the headers, until libopendkim has them */
	size_t length, size;
	struct header *headers;
	size_t header_count, header_room;
	bool headers_ended;
	const char *trouble;		/* why nothing can be verified; NULL: nothing is wrong */
	bool trouble_is_limit;

	size_t found, count;
	struct dkim_signature *signatures;
	bool to_feed[DKIM_KEPT_MAX];
	struct body_hash hashes[DKIM_CHECKED_MAX];
	size_t hash_count, feed_count;
	bool has_withheld;		/* a signature that libopendkim does not see */

	char *body;			/* its begin, until libopendkim has it */
	size_t body_length, body_size;
	DKIM *dkim;			/* NULL until the body outgrows its room, or a key has come */
	size_t library_bytes;		/* that libopendkim holds for it */
	struct fed *fed;
	uint64_t body_bytes, line_bytes;
	char last[2];			/* bytes of the body that were fed */
	const char *body_limited;	/* why the body was not hashed to its end; NULL: it was */
	bool body_done;
	uint64_t asked_us;
};

/* ---- the library ---- */

/* The closure is the check, or NULL for what the library itself holds. */
static void *allocate(void *closure, size_t size)
{
	struct dkim_check *check = closure;
	void *memory = malloc(size + ROOM_BEHIND);

	if (check)
		check->library_bytes += malloc_usable_size(memory);
	return memory;
}

static void release(void *closure, void *memory)
{
	struct dkim_check *check = closure;

	if (check)
		check->library_bytes -= malloc_usable_size(memory);
	free(memory);
}

static DKIM_CBSTAT hand_over_key(DKIM *dkim, DKIM_SIGINFO *info, unsigned char *buffer, size_t size)
{
	struct dkim_check *check = dkim_get_user_context(dkim);

	for (size_t i = 0; check && i < check->feed_count; i++) {
		struct fed *fed = &check->fed[i];

		if (fed->info != info || !fed->has_record || strlen(fed->record) >= size)
			continue;
		memcpy(buffer, fed->record, strlen(fed->record) + 1);
		return DKIM_CBSTAT_CONTINUE;
	}
	return DKIM_CBSTAT_NOTFOUND;
}

struct dkim_library *dkim_library_new(bool validates)
{
	unsigned flags = DKIM_LIBFLAGS_DELAYSIGPROC | DKIM_LIBFLAGS_BADSIGHANDLES;
	struct dkim_library *library = calloc(1, sizeof *library);

	if (!library)
		return NULL;
	library->validates = validates;
	library->library = dkim_init(allocate, release);
	if (library->library &&
	    dkim_options(library->library, DKIM_OP_SETOPT, DKIM_OPTS_FLAGS, &flags, sizeof flags) == DKIM_STAT_OK &&
	    dkim_set_key_lookup(library->library, hand_over_key) == DKIM_STAT_OK)
		return library;
	dkim_library_free(library);
	return NULL;
}

void dkim_library_free(struct dkim_library *library)
{
	if (!library)
		return;
	if (library->library)
		dkim_close(library->library);
	free(library);
}

/* ---- a check ---- */

struct dkim_check *dkim_check_new(struct dkim_library *library, const struct dkim_limits *limits)
{
	struct dkim_check *check = calloc(1, sizeof *check);

	if (!check)
		return NULL;
	check->library = library;
	check->limits = *limits;
	if (check->limits.signatures > DKIM_CHECKED_MAX)
		check->limits.signatures = DKIM_CHECKED_MAX;
	check->now_s = (uint64_t)time(NULL);
	return check;
}

static void free_headers(struct dkim_check *check)
{
	free(check->bytes);
	free(check->headers);
	check->bytes = NULL;
	check->headers = NULL;
	check->header_count = check->length = 0;
}

static void free_body(struct dkim_check *check)
{
	free(check->body);
	check->body = NULL;
	check->body_length = check->body_size = 0;
}

static void free_dkim(struct dkim_check *check)
{
	for (size_t i = 0; check->fed && i < check->feed_count; i++)
		if (check->fed[i].future)
			dns_answer_free(dns_await(check->fed[i].future));
	free(check->fed);
	check->fed = NULL;
	if (check->dkim)
		(void)dkim_free(check->dkim);
	check->dkim = NULL;
}

void dkim_check_free(struct dkim_check *check)
{
	if (!check)
		return;
	free_dkim(check);
	free_headers(check);
	free_body(check);
	free(check->signatures);
	free(check);
}

size_t dkim_check_bytes(const struct dkim_check *check)
{
	return sizeof *check + check->size * (check->bytes != NULL) +
	       check->header_room * sizeof *check->headers * (check->headers != NULL) +
	       check->count * sizeof *check->signatures + check->body_size +
	       check->feed_count * sizeof *check->fed * (check->fed != NULL) + check->library_bytes;
}

static void set_trouble(struct dkim_check *check, const char *trouble, bool is_limit)
{
	if (!check->trouble) {
		check->trouble = trouble;
		check->trouble_is_limit = is_limit;
	}
}

static bool has_room(struct dkim_check *check, size_t wanted)
{
	if (check->header_count == DKIM_HEADERS_MAX || check->length + wanted > DKIM_HEADER_BYTES_MAX) {
		set_trouble(check, "limit: more headers than are looked at", true);
		return false;
	}
	if (check->length + wanted > check->size) {
		size_t size = check->size ? 2 * check->size : FIRST_SIZE;

		while (size < check->length + wanted)
			size *= 2;
		char *bytes = realloc(check->bytes, size);

		if (!bytes)
			goto no_memory;
		check->bytes = bytes;
		check->size = size;
	}
	if (check->header_count == check->header_room) {
		size_t room = check->header_room ? 2 * check->header_room : 32;
		struct header *headers = realloc(check->headers, room * sizeof *headers);

		if (!headers)
			goto no_memory;
		check->headers = headers;
		check->header_room = room;
	}
	return true;

no_memory:
	set_trouble(check, "no memory", false);
	return false;
}

static bool is_signature_name(struct text name)
{
	while (name.length && name.start[name.length - 1] == ' ')
		name.length--;
	return text_equal_nocase(name, TEXT_LITERAL("dkim-signature"));
}

static struct body_hash hash_of(const struct dkim_signature *signature)
{
	const char *slash = strchr(signature->canonicalization, '/');

	return (struct body_hash){
		.is_sha1 = strcmp(signature->algorithm, "rsa-sha1") == 0,
		.is_relaxed = slash && strcmp(slash, "/relaxed") == 0,
		.has_length = signature->has_length,
		.length = signature->length,
	};
}

/* False: the body would have to be hashed in one way too many. */
static bool take_hash(struct dkim_check *check, const struct dkim_signature *signature)
{
	struct body_hash wanted = hash_of(signature);

	for (size_t i = 0; i < check->hash_count; i++) {
		const struct body_hash *hash = &check->hashes[i];

		if (hash->is_sha1 == wanted.is_sha1 && hash->is_relaxed == wanted.is_relaxed &&
		    hash->has_length == wanted.has_length && hash->length == wanted.length)
			return true;
	}
	if (check->hash_count == check->limits.body_hashes || check->hash_count == DKIM_CHECKED_MAX)
		return false;
	check->hashes[check->hash_count++] = wanted;
	return true;
}

static void limit_signature(struct dkim_signature *signature, const char *error)
{
	signature->result = DKIM_POLICY;
	signature->is_limited = true;
	(void)snprintf(signature->error, sizeof signature->error, "%s", error);
}

/* The index of the signature among those that are kept; -1: it is only counted. */
static int add_signature(struct dkim_check *check, struct text value)
{
	struct dkim_signature *signatures, *signature;

	check->found++;
	if (check->count == DKIM_KEPT_MAX)
		return -1;
	signatures = realloc(check->signatures, (check->count + 1) * sizeof *signatures);
	if (!signatures) {
		set_trouble(check, "no memory", false);
		return -1;
	}
	check->signatures = signatures;
	signature = &signatures[check->count];
	bool is_well = dkim_signature_read(value, check->now_s, signature);

	if (is_well && check->feed_count >= check->limits.signatures)
		limit_signature(signature, "limit: not checked, there are too many signatures");
	else if (is_well && value.length > SIGNATURE_BYTES_MAX)
		limit_signature(signature, "limit: not checked, it is longer than 32 KiB");
	else if (is_well && !take_hash(check, signature))
		limit_signature(signature, "limit: not checked, too many hashes of the body are asked for");
	else if (is_well)
		check->to_feed[check->count] = true;
	check->feed_count += check->to_feed[check->count];
	return (int)check->count++;
}

/* Folds are CR LF here, whatever the MTA gave: at most a byte more for each LF. */
static size_t copy_value(char *to, struct text value)
{
	const char *at = value.start, *end = at + value.length, *newline;
	char *begin = to;

	for (; at < end && (newline = memchr(at, '\n', (size_t)(end - at))); at = newline + 1) {
		size_t length = (size_t)(newline - at);

		memcpy(to, at, length);
		to += length;
		if (newline == value.start || newline[-1] != '\r')
			*to++ = '\r';
		*to++ = '\n';
	}
	if (at < end)
		memcpy(to, at, (size_t)(end - at));
	return (size_t)(to - begin) + (size_t)(end - at);
}

static size_t count_lines(struct text text)
{
	const char *at = text.start, *end = at + text.length;
	size_t count = 0;

	for (; at < end && (at = memchr(at, '\n', (size_t)(end - at))); at++)
		count++;
	return count;
}

void dkim_check_header(struct dkim_check *check, struct text name, struct text value)
{
	struct header *header;
	int signature = -1;
	bool is_signature = is_signature_name(name);

	if (name.length == 0 || check->headers_ended)
		return;
	if (is_signature)
		signature = add_signature(check, value);
	if (is_signature && (signature < 0 || !check->to_feed[signature])) {
		check->has_withheld = true;
		return;
	}
	if (check->trouble || !has_room(check, name.length + 1 + value.length + count_lines(value)))
		return;
	header = &check->headers[check->header_count++];
	*header = (struct header){ .start = check->length, .signature = signature };
	memcpy(check->bytes + check->length, name.start, name.length);
	check->bytes[check->length + name.length] = ':';
	header->length = name.length + 1 + copy_value(check->bytes + check->length + name.length + 1, value);
	check->length += header->length;
}

/* ---- to libopendkim ---- */

/* What is wrong with the key counts more, whichever was found first. */
static void fail_early(struct fed *fed, const char *reason)
{
	fed->is_ready = false;
	if (fed->signature->error[0])
		return;
	fed->signature->result = DKIM_NEUTRAL;
	(void)snprintf(fed->signature->error, sizeof fed->signature->error, "libopendkim: %s",
		       reason && *reason ? reason : "it cannot read the signature");
}

static void list_fed(struct dkim_check *check)
{
	size_t count = 0;

	if (check->fed)
		return;
	check->fed = calloc(check->feed_count, sizeof *check->fed);
	if (!check->fed) {
		set_trouble(check, "no memory", false);
		return;
	}
	for (size_t i = 0; i < check->count; i++)
		if (check->to_feed[i])
			check->fed[count++] = (struct fed){ .signature = &check->signatures[i], .is_ready = true };
}

static void feed_headers(struct dkim_check *check)
{
	struct fed *next = check->fed;

	for (size_t i = 0; i < check->header_count; i++) {
		const struct header *header = &check->headers[i];
		DKIM_STAT status = dkim_header(check->dkim, (unsigned char *)check->bytes + header->start, header->length);
		struct fed *fed = header->signature < 0 ? NULL : next++;

		if (fed && status != DKIM_STAT_OK)
			fail_early(fed, dkim_geterror(check->dkim));
	}
}

static bool take_infos(struct dkim_check *check)
{
	DKIM_SIGINFO **infos;
	int count;

	if (dkim_getsiglist(check->dkim, &infos, &count) != DKIM_STAT_OK || count != (int)check->feed_count)
		return false;
	for (size_t i = 0; i < check->feed_count; i++) {
		struct fed *fed = &check->fed[i];
		int error = dkim_sig_geterror(infos[i]);

		fed->info = infos[i];
		if (fed->is_ready && error != DKIM_SIGERROR_UNKNOWN)
			fail_early(fed, dkim_sig_geterrorstr(error));
		if (!fed->is_ready)
			dkim_sig_ignore(fed->info);
	}
	return true;
}

static bool is_any_ready(const struct dkim_check *check)
{
	for (size_t i = 0; check->fed && i < check->feed_count; i++)
		if (check->fed[i].is_ready)
			return true;
	return false;
}

/* Anything that libopendkim could verify? */
static bool is_wanted(const struct dkim_check *check)
{
	return check->feed_count > 0 && !check->trouble && !check->body_limited;
}

void dkim_check_end_of_header(struct dkim_check *check)
{
	check->headers_ended = true;
	if (!is_wanted(check))
		free_headers(check);
}

static void open_dkim(struct dkim_check *check)
{
	DKIM_STAT status = DKIM_STAT_NORESOURCE;

	list_fed(check);
	check->dkim = check->fed ? dkim_verify(check->library->library, (const unsigned char *)"check", check, &status) : NULL;
	if (!check->dkim) {
		set_trouble(check, "no memory", false);
		return;
	}
	(void)dkim_set_user_context(check->dkim, check);
	feed_headers(check);
	if (dkim_eoh(check->dkim) != DKIM_STAT_OK || !take_infos(check)) {
		set_trouble(check, "libopendkim does not take the headers", false);
		free_dkim(check);
	}
}

static bool has_relaxed_hash(const struct dkim_check *check)
{
	for (size_t i = 0; i < check->hash_count; i++)
		if (check->hashes[i].is_relaxed)
			return true;
	return false;
}

/* Counts on; true: a line is longer than a relaxed hash is given. */
static bool has_long_line(struct dkim_check *check, struct text chunk)
{
	const char *at = chunk.start, *end = chunk.start + chunk.length, *newline;
	bool is_long = false;

	while (at < end && (newline = memchr(at, '\n', (size_t)(end - at)))) {
		is_long |= check->line_bytes + (size_t)(newline - at) > LINE_BYTES_MAX;
		check->line_bytes = 0;
		at = newline + 1;
	}
	check->line_bytes += (size_t)(end - at);
	return is_long || check->line_bytes > LINE_BYTES_MAX;
}

static void feed_body(struct dkim_check *check, struct text chunk)
{
	if (dkim_body(check->dkim, (unsigned char *)chunk.start, chunk.length) != DKIM_STAT_OK) {
		set_trouble(check, "libopendkim does not take the body", false);
		check->body_done = true;
	}
	if (chunk.length > 1)
		check->last[0] = chunk.start[chunk.length - 2];
	else
		check->last[0] = check->last[1];
	check->last[1] = chunk.start[chunk.length - 1];
}

/* False: there is no room, or no memory. */
static bool keep_body(struct dkim_check *check, struct text chunk)
{
	size_t wanted = check->body_length + chunk.length;

	if (wanted > check->limits.body_kept)
		return false;
	if (wanted > check->body_size) {
		/* Postfix gives a body that has room here in one piece. */
		size_t size = check->body ? check->limits.body_kept : wanted;
		char *body = realloc(check->body, size);

		if (!body)
			return false;
		check->body = body;
		check->body_size = size;
	}
	memcpy(check->body + check->body_length, chunk.start, chunk.length);
	check->body_length = wanted;
	return true;
}

/* Gives libopendkim the headers. False: there is nothing that it could verify. */
static bool begin(struct dkim_check *check)
{
	if (!check->dkim && is_wanted(check))
		open_dkim(check);
	free_headers(check);
	return check->dkim && is_any_ready(check);
}

/* And the body that was kept. */
static void feed_kept(struct dkim_check *check)
{
	if (check->body_length > 0 && check->dkim && is_any_ready(check))
		feed_body(check, (struct text){ check->body, check->body_length });
	free_body(check);
}

void dkim_check_body(struct dkim_check *check, struct text chunk)
{
	if (!is_wanted(check) || check->body_done || chunk.length == 0)
		return;
	bool is_long = has_long_line(check, chunk) && has_relaxed_hash(check);
	bool is_too_much = check->body_bytes + chunk.length > check->limits.body_bytes;

	if (!check->dkim && !is_long && !is_too_much && keep_body(check, chunk)) {
		check->body_bytes += chunk.length;
		return;
	}
	bool has_begun = begin(check);

	feed_kept(check);
	if (!has_begun || dkim_minbody(check->dkim) == 0) {
		check->body_done = true;
		return;
	}
	if (is_too_much)
		check->body_limited = "limit: the body is longer than is hashed";
	else if (is_long)
		check->body_limited = "limit: a line of the body is longer than 64 KiB";
	if (check->body_limited)
		return;
	check->body_bytes += chunk.length;
	feed_body(check, chunk);
}

/* ---- the finisher ---- */

void dkim_check_ask(struct dkim_check *check, struct dns *dns, struct dns_job *job)
{
	check->asked_us = dns_now_us();
	if (is_wanted(check))
		list_fed(check);
	for (size_t i = 0; is_wanted(check) && i < check->feed_count; i++) {
		struct fed *fed = &check->fed[i];
		char name[2 * DOMAIN_SIZE + 16];

		if (fed->future)
			continue;
		(void)snprintf(name, sizeof name, "%s._domainkey.%s", fed->signature->selector, fed->signature->domain);
		fed->future = dns_begin(dns, job, text_of(name), DNS_TXT);
	}
}

static void take_key(struct dkim_check *check, struct fed *fed)
{
	const struct dns_answer *answer = dns_await(fed->future);

	fed->future = NULL;
	fed->has_record = dkim_key_read(answer, fed->signature, fed->record);
	if (answer->status == DNS_BOGUS)
		fed->signature->dnssec = "bogus";
	else if (check->library->validates && answer->status != DNS_TEMPORARY && answer->status != DNS_BAD_NAME)
		fed->signature->dnssec = answer->secure ? "secure" : "insecure";
	dns_answer_free(answer);
}

static void set_result(struct dkim_signature *signature, enum dkim_result result, const char *error)
{
	signature->result = result;
	(void)snprintf(signature->error, sizeof signature->error, "%s", error);
}

/* Compared here, since libopendkim compares it only where the signature is good. */
static enum dkim_body compare_body(DKIM_SIGINFO *info)
{
	void *header_hash, *body_hash;
	size_t header_length, body_length;
	unsigned char letters[2 * EVP_MAX_MD_SIZE];
	const unsigned char *claimed = dkim_sig_gettagvalue(info, false, (unsigned char *)"bh");

	if (!claimed || dkim_sig_gethashes(info, &header_hash, &header_length, &body_hash, &body_length) != DKIM_STAT_OK)
		return DKIM_BODY_UNKNOWN;
	(void)EVP_EncodeBlock(letters, body_hash, (int)body_length);
	return strcmp((const char *)letters, (const char *)claimed) == 0 ? DKIM_BODY_MATCH : DKIM_BODY_MISMATCH;
}

static void judge_pass(struct dkim_signature *signature)
{
	if (strcmp(signature->algorithm, "rsa-sha1") == 0)
		set_result(signature, DKIM_POLICY, "rsa-sha1 is no longer good enough (RFC 8301)");
	else
		set_result(signature, DKIM_PASS, "");
}

static bool names_signatures(const struct dkim_signature *signature)
{
	return signature->is_cut || strcasestr(signature->signed_headers, "dkim-signature");
}

/* The signature, or the hash of the body, does not match. */
static void judge_fail(const struct dkim_check *check, struct dkim_signature *signature)
{
	if (signature->body == DKIM_BODY_MISMATCH)
		set_result(signature, DKIM_FAIL, "the body is not as it was signed");
	else if (check->has_withheld && names_signatures(signature))
		set_result(signature, DKIM_NEUTRAL, "it signs signatures that were not looked at");
	else
		set_result(signature, DKIM_FAIL, "headers or signature are not as they were signed");
}

static void judge(const struct dkim_check *check, struct fed *fed, DKIM_STAT status)
{
	struct dkim_signature *signature = fed->signature;
	unsigned flags = dkim_sig_getflags(fed->info);
	int error = dkim_sig_geterror(fed->info);
	char words[DKIM_ERROR_SIZE];

	signature->has_key = dkim_sig_gettagvalue(fed->info, true, (unsigned char *)"p") != NULL;
	signature->is_testing = (flags & DKIM_SIGFLAG_TESTKEY) != 0;
	if (dkim_sig_getkeysize(fed->info, &signature->key_bits) != DKIM_STAT_OK)
		signature->key_bits = 0;
	if (strcmp(signature->algorithm, "ed25519-sha256") == 0)
		signature->key_bits = 256;
	signature->body = compare_body(fed->info);
	switch (error) {
	case DKIM_SIGERROR_OK:
		if ((flags & DKIM_SIGFLAG_PASSED) && dkim_sig_getbh(fed->info) == DKIM_SIGBH_MATCH)
			judge_pass(signature);
		else
			judge_fail(check, signature);
		return;
	case DKIM_SIGERROR_BADSIG:
		judge_fail(check, signature);
		return;
	case DKIM_SIGERROR_TOOLARGE_L:
		signature->body = DKIM_BODY_MISMATCH;
		set_result(signature, DKIM_FAIL, "the body is shorter than l= says");
		return;
	case DKIM_SIGERROR_KEYTOOSMALL:
		(void)snprintf(words, sizeof words, "the key has only %u bits (RFC 8301)", signature->key_bits);
		set_result(signature, DKIM_POLICY, words);
		return;
	case DKIM_SIGERROR_UNKNOWN:
		(void)snprintf(words, sizeof words, "libopendkim: %s", dkim_getresultstr(status));
		set_result(signature, DKIM_TEMPERROR, words);
		return;
	default:
		(void)snprintf(words, sizeof words, "key not usable: %s", dkim_sig_geterrorstr(error));
		set_result(signature, DKIM_PERMERROR, words);
		return;
	}
}

/* What nothing can be said of, for one reason. */
static void judge_all(struct dkim_check *check, const char *error, bool is_limit)
{
	for (size_t i = 0; i < check->count; i++)
		if (check->to_feed[i] && check->signatures[i].result == DKIM_NEUTRAL && !check->signatures[i].error[0]) {
			if (is_limit)
				limit_signature(&check->signatures[i], error);
			else
				set_result(&check->signatures[i], DKIM_TEMPERROR, error);
		}
}

static bool take_keys(struct dkim_check *check)
{
	bool is_any_there = false;

	for (size_t i = 0; i < check->feed_count; i++)
		if (check->fed[i].future) {
			take_key(check, &check->fed[i]);
			is_any_there |= check->fed[i].has_record;
		}
	return is_any_there;
}

/* Nothing is hashed for which no key came. */
static void verify(struct dkim_check *check)
{
	DKIM_STAT status;

	if (!take_keys(check) || !begin(check))
		return;
	feed_kept(check);
	if (check->trouble)
		return;
	for (size_t i = 0; i < check->feed_count; i++)
		if (!check->fed[i].has_record)
			dkim_sig_ignore(check->fed[i].info);
	if (check->body_bytes > 0 && (check->last[0] != '\r' || check->last[1] != '\n'))
		(void)dkim_body(check->dkim, (unsigned char *)"\r\n", 2);
	status = dkim_eom(check->dkim, NULL);
	for (size_t i = 0; i < check->feed_count; i++)
		if (check->fed[i].has_record && check->fed[i].is_ready)
			judge(check, &check->fed[i], status);
}

void dkim_check_finish(struct dkim_check *check)
{
	if (check->fed && is_wanted(check))
		verify(check);
	if (check->trouble)
		judge_all(check, check->trouble, check->trouble_is_limit);
	else if (check->body_limited)
		judge_all(check, check->body_limited, true);
	for (size_t i = 0; i < check->count; i++)
		check->signatures[i].time_us = dns_now_us() - check->asked_us;
	free_dkim(check);
	free_headers(check);
	free_body(check);
}

/* ---- what came out ---- */

size_t dkim_check_found(const struct dkim_check *check)
{
	return check->found;
}

size_t dkim_check_count(const struct dkim_check *check)
{
	return check->count;
}

const struct dkim_signature *dkim_check_signature(const struct dkim_check *check, size_t index)
{
	return index < check->count ? &check->signatures[index] : NULL;
}

enum dkim_result dkim_check_best(const struct dkim_check *check)
{
	for (size_t i = 0; i < check->count; i++)
		if (check->signatures[i].result == DKIM_PASS)
			return DKIM_PASS;
	return check->count ? check->signatures[0].result : DKIM_NONE;
}

const char *dkim_result_name(enum dkim_result result)
{
	static const char *const names[] = {
		[DKIM_NONE] = "none", [DKIM_PASS] = "pass", [DKIM_FAIL] = "fail", [DKIM_POLICY] = "policy",
		[DKIM_NEUTRAL] = "neutral", [DKIM_TEMPERROR] = "temperror", [DKIM_PERMERROR] = "permerror",
	};

	return names[result];
}
