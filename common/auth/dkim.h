/*
 * dkim.h - the DKIM signatures of a message, each with a result and the reason in words.
 *
 * In two halves. The feeder takes headers and body as they pass, and only copies them, as long as they are
 * small: a body beyond dkim_limits.body_kept is hashed as it passes, within stated bounds. It never asks the
 * DNS. The finisher fetches the keys and, if any came, hashes what was copied and verifies. libopendkim does the
 * canonicalization and the cryptography; everything it is known to get wrong, or to leave out, is done
 * here or kept away from it (dkim.c and dkim_key.c say what).
 *
 * Threads: a library is shared; a check belongs to one thread at a time, and may go from the
 *          feeding to the finishing one. dkim_check_ask and dkim_check_finish wait for DNS, so never
 *          in a milter callback.
 * Memory:  a check without a signature holds the headers, until their end; one with signatures the body that
 *          is kept too, and from then on that libopendkim has it about 25 KiB instead of both.
 *          Results are lent until dkim_check_free.
 * Limits:  dkim_limits; DKIM_HEADER_BYTES_MAX of headers, DKIM_HEADERS_MAX of them, and DKIM_NAMES_MAX
 *          names in an h=. What a limit kept from being checked has the result "policy" and an error that
 *          begins with "limit". Signatures beyond DKIM_KEPT_MAX are only counted.
 * Errors:  are results, with words in error.
 */
#ifndef SMTPTRAIL_AUTH_DKIM_H
#define SMTPTRAIL_AUTH_DKIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/auth/dns.h"
#include "common/auth/domain.h"
#include "common/text.h"

#define DKIM_HEADER_BYTES_MAX (256 * 1024)
#define DKIM_HEADERS_MAX 1000
#define DKIM_NAMES_MAX 200
#define DKIM_KEPT_MAX 32
#define DKIM_CHECKED_MAX 10		/* the largest value of dkim_limits.signatures */

#define DKIM_TEXT_SIZE 64
#define DKIM_IDENTITY_SIZE 320
#define DKIM_SIGNED_HEADERS_SIZE 1024
#define DKIM_ERROR_SIZE 192

enum dkim_result {
	DKIM_NONE,		/* not used of a signature: of a message without one */
	DKIM_PASS,
	DKIM_FAIL,		/* the signature, or the hash of the body, does not match */
	DKIM_POLICY,		/* not acceptable: rsa-sha1, a short key, a limit */
	DKIM_NEUTRAL,		/* the signature's own form is wrong, or it has expired */
	DKIM_TEMPERROR,		/* its key could not be had now */
	DKIM_PERMERROR,		/* its key is missing, revoked or broken */
};

enum dkim_body { DKIM_BODY_UNKNOWN, DKIM_BODY_MATCH, DKIM_BODY_MISMATCH };

struct dkim_signature {
	enum dkim_result result;
	char error[DKIM_ERROR_SIZE];		/* empty where it is a pass */
	bool is_limited;			/* a limit kept it from being checked */
	/* What the signature says of itself; empty: nothing, or nothing that could be read. */
	char domain[DOMAIN_SIZE];		/* d=, normalized */
	char selector[DOMAIN_SIZE];
	char algorithm[DKIM_TEXT_SIZE];
	char canonicalization[DKIM_TEXT_SIZE];
	char identity[DKIM_IDENTITY_SIZE];
	char signed_headers[DKIM_SIGNED_HEADERS_SIZE];
	bool is_cut;				/* signed_headers */
	bool has_length;
	uint64_t length;			/* l= */
	uint64_t signed_at_s, expires_s;	/* 0: not said */
	/* What was found out. */
	enum dkim_body body;
	unsigned key_bits;			/* 0: not known */
	bool has_key;				/* a key record was read: the next two are known */
	bool is_testing;			/* t=y */
	const char *dnssec;			/* secure, insecure or bogus; NULL: no key came, or nobody validates */
	uint64_t time_us;
};

struct dkim_limits {
	unsigned signatures;	/* checked; at most DKIM_CHECKED_MAX */
	unsigned body_hashes;	/* distinct ones */
	uint64_t body_bytes;	/* of body read */
	size_t body_kept;	/* of these: copied, for the finisher to hash */
};

struct dkim_library;
struct dkim_check;

const char *dkim_result_name(enum dkim_result result);

/* NULL: no memory. Validates: whether answers tell of DNSSEC. */
struct dkim_library *dkim_library_new(bool validates);
void dkim_library_free(struct dkim_library *library);

/* NULL: no memory. The library outlives the check. */
struct dkim_check *dkim_check_new(struct dkim_library *library, const struct dkim_limits *limits);
void dkim_check_free(struct dkim_check *check);

/* ---- the feeder ---- */

/* The value as it stands behind the colon, its blanks included; folded with LF or CR LF. */
void dkim_check_header(struct dkim_check *check, struct text name, struct text value);
void dkim_check_end_of_header(struct dkim_check *check);
void dkim_check_body(struct dkim_check *check, struct text chunk);

/* Memory that the check holds, libopendkim's part of it included; the contexts of OpenSSL are not. */
size_t dkim_check_bytes(const struct dkim_check *check);

/* ---- the finisher ---- */

/* Asks for the keys without waiting for them. */
void dkim_check_ask(struct dkim_check *check, struct dns *dns, struct dns_job *job);
/* Waits for the keys and verifies. Needs dkim_check_ask before. */
void dkim_check_finish(struct dkim_check *check);

/* Signatures in the message, and those that are kept, in the message's order. */
size_t dkim_check_found(const struct dkim_check *check);
size_t dkim_check_count(const struct dkim_check *check);
const struct dkim_signature *dkim_check_signature(const struct dkim_check *check, size_t index);
/* The best of them: pass, or else what stands first. NONE: there is no signature. */
enum dkim_result dkim_check_best(const struct dkim_check *check);

/* ---- what dkim.c is made of; for tests too ---- */

/* Reads a DKIM-Signature field's value. False: its form is wrong, and result and error say so. */
bool dkim_signature_read(struct text value, uint64_t now_s, struct dkim_signature *ret_signature);

#define DKIM_KEY_SIZE 1024	/* libopendkim reads no more of a record */

/* The key record for libopendkim out of an answer; false: there is none that it could use, and result and
 * error say so. */
bool dkim_key_read(const struct dns_answer *answer, struct dkim_signature *signature,
		   char ret_record[static DKIM_KEY_SIZE + 1]);

#endif
