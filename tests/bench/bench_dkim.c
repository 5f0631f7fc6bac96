/*
 * bench_dkim.c - messages a second of one core whose DKIM signature is verified, beside bare libopendkim.
 *
 *     bench_dkim [SECONDS [BODY-BYTES]]
 *
 * rsa-2048, relaxed/relaxed. The two take turns of some milliseconds, so that both see the same machine. The
 * callbacks' share is what the milter does while the mail waits: all but the keys and the verification.
 */
#include <opendkim/dkim.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/auth/dkim.h"
#include "tests/unit/dns_table.h"

enum { TURN = 50, FIELD_MAX = 2048 };

static const char *const fields[] = {
	"Received: from client.example.net (client.example.net [192.0.2.1])\r\n\tby mx.example.com; Sat, 21 Nov 2026 08:00:00 +0000",
	"From: Ada <ada@example.com>", "To: bob@example.net", "Subject: a bench", "Date: Sat, 21 Nov 2026 08:00:00 +0000",
	"Message-ID: <1@example.com>", "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8",
};
enum { FIELDS = sizeof fields / sizeof fields[0] };

static char signature[FIELD_MAX + 64];	/* name and value */
static char record[FIELD_MAX + 64];
static char *body;
static size_t body_length;

static void give_up(const char *what)
{
	fprintf(stderr, "bench_dkim: %s does not work\n", what);
	exit(EXIT_FAILURE);
}

static double cpu_seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void feed_libopendkim(DKIM *dkim)
{
	for (size_t i = 0; i < FIELDS; i++)
		if (dkim_header(dkim, (unsigned char *)fields[i], strlen(fields[i])) != DKIM_STAT_OK)
			give_up("dkim_header");
	if (dkim_eoh(dkim) != DKIM_STAT_OK || dkim_body(dkim, (unsigned char *)body, body_length) != DKIM_STAT_OK ||
	    dkim_eom(dkim, NULL) != DKIM_STAT_OK)
		give_up("libopendkim");
}

static void make_message(void)
{
	DKIM_LIB *library = dkim_init(NULL, NULL);
	EVP_PKEY *key = EVP_RSA_gen(2048);
	BIO *pem = BIO_new(BIO_s_mem());
	unsigned char *info = NULL, letters[FIELD_MAX], header[FIELD_MAX];
	DKIM_STAT status;
	char *text = NULL;

	for (size_t i = 0; i < body_length; i++)
		body[i] = i % 76 == 74 ? '\r' : i % 76 == 75 ? '\n' : i % 9 == 8 ? ' ' : 'x';
	memcpy(body + body_length - 2, "\r\n", 2);
	if (!library || !key || PEM_write_bio_PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL) != 1)
		give_up("the key");
	(void)BIO_write(pem, "", 1);
	(void)BIO_get_mem_data(pem, &text);
	DKIM *dkim = dkim_sign(library, (const unsigned char *)"bench", NULL, (unsigned char *)text, (const unsigned char *)"s",
			       (const unsigned char *)"example.com", DKIM_CANON_RELAXED, DKIM_CANON_RELAXED, DKIM_SIGN_RSASHA256,
			       -1, &status);

	if (!dkim)
		give_up("dkim_sign");
	feed_libopendkim(dkim);
	if (dkim_getsighdr(dkim, header, sizeof header, sizeof DKIM_SIGNHEADER + 1) != DKIM_STAT_OK)
		give_up("dkim_getsighdr");
	(void)snprintf(signature, sizeof signature, "DKIM-Signature: %s", (const char *)header);
	(void)EVP_EncodeBlock(letters, info, i2d_PUBKEY(key, &info));
	(void)snprintf(record, sizeof record, "v=DKIM1; k=rsa; p=%s", (const char *)letters);
	OPENSSL_free(info);
	BIO_free(pem);
	EVP_PKEY_free(key);
	(void)dkim_free(dkim);
	dkim_close(library);
}

/* ---- the two ways ---- */

static DKIM_CBSTAT give_key(DKIM *dkim, DKIM_SIGINFO *info, unsigned char *buffer, size_t size)
{
	(void)dkim;
	(void)info;
	(void)snprintf((char *)buffer, size, "%s", record);
	return DKIM_CBSTAT_CONTINUE;
}

static void check_bare(DKIM_LIB *library)
{
	DKIM_STAT status;
	DKIM *dkim = dkim_verify(library, (const unsigned char *)"bench", NULL, &status);

	if (!dkim || dkim_header(dkim, (unsigned char *)signature, strlen(signature)) != DKIM_STAT_OK)
		give_up("dkim_verify");
	feed_libopendkim(dkim);
	(void)dkim_free(dkim);
}

static void feed(struct dkim_check *check, const char *field)
{
	size_t name = strcspn(field, ":");

	dkim_check_header(check, (struct text){ field, name }, text_of(field + name + 1));
}

/* Tells what the callbacks took. */
static double check_ours(struct dkim_library *library, struct dns *dns)
{
	static const struct dkim_limits limits = { 10, 3, UINT64_MAX };
	double begun = cpu_seconds(), fed;
	struct dkim_check *check = dkim_check_new(library, &limits);
	struct dns_job job;

	feed(check, signature);
	for (size_t i = 0; i < FIELDS; i++)
		feed(check, fields[i]);
	dkim_check_end_of_header(check);
	dkim_check_body(check, (struct text){ body, body_length });
	fed = cpu_seconds() - begun;
	dns_job_init(&job, 1000000, 10);
	dkim_check_ask(check, dns, &job);
	dkim_check_finish(check);
	if (dkim_check_best(check) != DKIM_PASS)
		give_up(dkim_check_signature(check, 0)->error);
	dkim_check_free(check);
	return fed;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 3, bare = 0, ours = 0, callbacks = 0;
	unsigned flags = DKIM_LIBFLAGS_DELAYSIGPROC;
	unsigned long count = 0;
	char line[FIELD_MAX + 128];

	body_length = argc > 2 ? strtoul(argv[2], NULL, 10) : 4096;
	body = malloc(body_length + 2);
	if (!body || body_length < 2)
		return EXIT_FAILURE;
	make_message();
	(void)snprintf(line, sizeof line, "s._domainkey.example.com TXT %s", record);
	struct dns_table *table = dns_table_new(line);
	struct dkim_library *library = dkim_library_new(false);
	DKIM_LIB *plain = dkim_init(NULL, NULL);

	(void)dkim_options(plain, DKIM_OP_SETOPT, DKIM_OPTS_FLAGS, &flags, sizeof flags);
	(void)dkim_set_key_lookup(plain, give_key);
	while (bare + ours < seconds) {
		double begun = cpu_seconds();

		for (unsigned i = 0; i < TURN; i++)
			check_bare(plain);
		bare += cpu_seconds() - begun;
		begun = cpu_seconds();
		for (unsigned i = 0; i < TURN; i++)
			callbacks += check_ours(library, dns_table_source(table));
		ours += cpu_seconds() - begun;
		count += TURN;
	}
	printf("libopendkim alone   %8.0f messages/s\n", (double)count / bare);
	printf("auth/dkim           %8.0f messages/s, %.3f of it\n", (double)count / ours, bare / ours);
	printf("in the callbacks    %8.1f us a message of %zu bytes\n", callbacks / (double)count * 1e6, body_length);
	dkim_library_free(library);
	dkim_close(plain);
	dns_table_free(table);
	free(body);
	return EXIT_SUCCESS;
}
