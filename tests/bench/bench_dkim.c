/*
 * bench_dkim.c - messages a second of one core whose DKIM signature is verified, beside bare libopendkim.
 *
 *     bench_dkim [SECONDS]
 *
 * Of each kind of key and size of body, relaxed/relaxed. The two take turns of some milliseconds, so that both see the same machine; medians of the
 * turns' CPU times, and what holds 95 % of them. The
 * callbacks' share is what the milter does while the mail waits, with the default of dkim_body_kept; beside it
 * what libopendkim alone takes for headers and body.
 */
#include <opendkim/dkim.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/auth/dkim.h"
#include "figures.h"
#include "tests/unit/dns_table.h"

enum { TURN = 50, FIELD_MAX = 2048 };

static const char *const fields[] = {
	"Received: from client.example.net (client.example.net [192.0.2.1])\r\n\tby mx.example.com; Sat, 21 Nov 2026 08:00:00 +0000",
	"From: Ada <ada@example.com>", "To: bob@example.net", "Subject: a bench", "Date: Sat, 21 Nov 2026 08:00:00 +0000",
	"Message-ID: <1@example.com>", "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8",
};
enum { FIELDS = sizeof fields / sizeof fields[0] };

static const struct kind {
	const char *name;
	unsigned bits;			/* 0: Ed25519 */
	size_t body;
} kinds[] = {
	{ "rsa-2048, 4 kB", 2048, 4096 }, { "rsa-2048, 100 kB", 2048, 102400 }, { "rsa-1024, 4 kB", 1024, 4096 },
	{ "rsa-1024, 100 kB", 1024, 102400 }, { "rsa-4096, 4 kB", 4096, 4096 }, { "rsa-4096, 100 kB", 4096, 102400 },
	{ "ed25519, 4 kB", 0, 4096 }, { "ed25519, 100 kB", 0, 102400 },
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

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
	if (dkim_eoh(dkim) != DKIM_STAT_OK || dkim_body(dkim, (unsigned char *)body, body_length) != DKIM_STAT_OK)
		give_up("libopendkim");
}

static void finish_libopendkim(DKIM *dkim)
{
	if (dkim_eom(dkim, NULL) != DKIM_STAT_OK)
		give_up("dkim_eom");
}

/* As the key record has it: of RSA with its algorithm, of Ed25519 the 32 bytes alone. */
static void write_record(EVP_PKEY *key, bool is_rsa)
{
	unsigned char *info = NULL, raw[32], letters[FIELD_MAX];
	size_t length = sizeof raw;

	if (is_rsa)
		length = (size_t)i2d_PUBKEY(key, &info);
	else if (EVP_PKEY_get_raw_public_key(key, raw, &length) != 1)
		give_up("the public key");
	(void)EVP_EncodeBlock(letters, is_rsa ? info : raw, (int)length);
	(void)snprintf(record, sizeof record, "v=DKIM1; k=%s; p=%s", is_rsa ? "rsa" : "ed25519", (const char *)letters);
	OPENSSL_free(info);
}

static void make_message(const struct kind *kind)
{
	DKIM_LIB *library = dkim_init(NULL, NULL);
	EVP_PKEY *key = kind->bits ? EVP_RSA_gen(kind->bits) : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	BIO *pem = BIO_new(BIO_s_mem());
	unsigned char header[FIELD_MAX];
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
			       (const unsigned char *)"example.com", DKIM_CANON_RELAXED, DKIM_CANON_RELAXED,
			       kind->bits ? DKIM_SIGN_RSASHA256 : DKIM_SIGN_ED25519SHA256, -1, &status);

	if (!dkim)
		give_up("dkim_sign");
	feed_libopendkim(dkim);
	finish_libopendkim(dkim);
	if (dkim_getsighdr(dkim, header, sizeof header, sizeof DKIM_SIGNHEADER + 1) != DKIM_STAT_OK)
		give_up("dkim_getsighdr");
	(void)snprintf(signature, sizeof signature, "DKIM-Signature: %s", (const char *)header);
	write_record(key, kind->bits > 0);
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

/* Tells what the part of it took that is the callbacks' where the milter does it. */
static double check_bare(DKIM_LIB *library)
{
	double begun = cpu_seconds(), fed;
	DKIM_STAT status;
	DKIM *dkim = dkim_verify(library, (const unsigned char *)"bench", NULL, &status);

	if (!dkim || dkim_header(dkim, (unsigned char *)signature, strlen(signature)) != DKIM_STAT_OK)
		give_up("dkim_verify");
	feed_libopendkim(dkim);
	fed = cpu_seconds() - begun;
	finish_libopendkim(dkim);
	(void)dkim_free(dkim);
	return fed;
}

static void feed(struct dkim_check *check, const char *field)
{
	size_t name = strcspn(field, ":");

	dkim_check_header(check, (struct text){ field, name }, text_of(field + name + 1));
}

/* Tells what the callbacks took. */
static double check_ours(struct dkim_library *library, struct dns *dns)
{
	static const struct dkim_limits limits = { 10, 3, UINT64_MAX, 65536 };
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

enum part { BARE, BARE_FED, OURS, CALLBACKS, PARTS };
static double us[PARTS][FIGURES_ROUNDS_MAX];	/* a message, by turn */

static void take_turns(int turn, DKIM_LIB *plain, struct dkim_library *library, struct dns *dns)
{
	/* Who is first has the cold caches. */
	for (int second = 0; second < 2; second++) {
		bool is_ours = (turn + second) % 2;
		double begun = cpu_seconds(), fed = 0;

		for (unsigned i = 0; i < TURN; i++)
			fed += is_ours ? check_ours(library, dns) : check_bare(plain);
		us[is_ours ? OURS : BARE][turn] = (cpu_seconds() - begun) * 1e6 / TURN;
		us[is_ours ? CALLBACKS : BARE_FED][turn] = fed * 1e6 / TURN;
	}
}

static void report(const struct kind *kind, int turns)
{
	printf("| %s | %.0f | %.0f |", kind->name, 1e6 / figure_median(us[BARE], turns), 1e6 / figure_median(us[OURS], turns));
	figure_print(figure_of(us[BARE], us[OURS], turns), 3);
	figure_print(figure_of(us[BARE_FED], NULL, turns), 1);
	figure_print(figure_of(us[CALLBACKS], NULL, turns), 1);
	putchar('\n');
}

static void measure(const struct kind *kind, double seconds)
{
	double begun = cpu_seconds();
	unsigned flags = DKIM_LIBFLAGS_DELAYSIGPROC;
	char line[FIELD_MAX + 128];
	int turns = 0;

	body_length = kind->body;
	body = malloc(body_length + 2);
	if (!body)
		give_up("memory");
	make_message(kind);
	(void)snprintf(line, sizeof line, "s._domainkey.example.com TXT %s", record);
	struct dns_table *table = dns_table_new(line);
	struct dkim_library *library = dkim_library_new(false);
	DKIM_LIB *plain = dkim_init(NULL, NULL);

	(void)dkim_options(plain, DKIM_OP_SETOPT, DKIM_OPTS_FLAGS, &flags, sizeof flags);
	(void)dkim_set_key_lookup(plain, give_key);
	while (turns < FIGURES_ROUNDS_MAX && (turns == 0 || cpu_seconds() - begun < seconds))
		take_turns(turns++, plain, library, dns_table_source(table));
	report(kind, turns);
	dkim_library_free(library);
	dkim_close(plain);
	dns_table_free(table);
	free(body);
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 6;

	printf("\nDKIM, messages/s of a core, medians of turns; goal for rsa-2048 and 4 kB: at least 0.9 of libopendkim's rate, below 30"
	       " us in the callbacks\n\n| key and body | libopendkim alone | auth/dkim | beside libopendkim | us for headers and body:"
	       " libopendkim | auth/dkim |\n|---|---:|---:|---:|---:|---:|\n");
	for (size_t i = 0; i < KINDS; i++)
		measure(&kinds[i], seconds / (double)KINDS);
	return EXIT_SUCCESS;
}
