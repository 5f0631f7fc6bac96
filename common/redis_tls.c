/* redis_tls.c - TLS for a connection whose bytes someone else moves (OpenSSL over two memory BIOs). */
#include "redis_tls.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_REDIS_TLS

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct redis_tls {
	SSL_CTX *context;
	SSL *ssl;
	BIO *in, *out;			/* the SSL's own */
	size_t skip;			/* of out: sent already */
	char name[256];
};

bool redis_tls_is_built_in(void)
{
	return true;
}

static int failed(const struct redis_tls *tls, const char *what, struct problem *problem)
{
	unsigned long code = ERR_get_error();
	const char *why = code ? ERR_reason_error_string(code) : NULL;
	long verdict = tls->ssl ? SSL_get_verify_result(tls->ssl) : X509_V_OK;

	ERR_clear_error();
	if (verdict != X509_V_OK)
		problem_set(problem, "%s: the certificate of '%s' is not good: %s", what, tls->name,
			    X509_verify_cert_error_string(verdict));
	else
		problem_set(problem, "%s: %s", what, why ? why : "refused");
	return -EPROTO;
}

static int load_file(const struct redis_tls *tls, bool loaded, const char *what, const char *path,
		     struct problem *problem)
{
	char subject[300];

	if (loaded)
		return 0;
	(void)snprintf(subject, sizeof subject, "cannot use the %s file '%s'", what, path);
	return failed(tls, subject, problem);
}

static int load_files(const struct redis_tls *tls, const char *ca_file, const char *certificate_file,
		      const char *key_file, struct problem *problem)
{
	SSL_CTX *context = tls->context;
	int error = load_file(tls, ca_file[0] ? SSL_CTX_load_verify_file(context, ca_file) == 1 :
						SSL_CTX_set_default_verify_paths(context) == 1,
			      "CA", ca_file, problem);

	if (!error && certificate_file[0])
		error = load_file(tls, SSL_CTX_use_certificate_chain_file(context, certificate_file) == 1, "certificate",
				  certificate_file, problem);
	if (!error && certificate_file[0]) {
		const char *path = key_file[0] ? key_file : certificate_file;

		error = load_file(tls, SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM) == 1, "key", path,
				  problem);
	}
	return error;
}

/* The name that its certificate must have. */
static bool expect_name(struct redis_tls *tls)
{
	unsigned char ignored[16];
	bool is_address = inet_pton(AF_INET, tls->name, ignored) == 1 || inet_pton(AF_INET6, tls->name, ignored) == 1;

	if (is_address)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls->ssl), tls->name) == 1;
	return SSL_set1_host(tls->ssl, tls->name) == 1 && SSL_set_tlsext_host_name(tls->ssl, tls->name) == 1;
}

int redis_tls_new(struct redis_tls **ret_tls, const char *host, const char *ca_file, const char *certificate_file,
		  const char *key_file, struct problem *problem)
{
	struct redis_tls *tls = calloc(1, sizeof *tls);
	int error = -ENOMEM;

	if (!tls)
		goto no_memory;
	(void)snprintf(tls->name, sizeof tls->name, "%s", host);
	tls->context = SSL_CTX_new(TLS_client_method());
	if (!tls->context)
		goto no_memory;
	(void)SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION);
	SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
	error = load_files(tls, ca_file, certificate_file, key_file, problem);
	if (error)
		goto free_tls;
	error = -ENOMEM;
	tls->ssl = SSL_new(tls->context);
	tls->in = BIO_new(BIO_s_mem());
	tls->out = BIO_new(BIO_s_mem());
	if (!tls->ssl || !tls->in || !tls->out || !expect_name(tls)) {
		BIO_free(tls->in);
		BIO_free(tls->out);
		goto no_memory;
	}
	SSL_set_bio(tls->ssl, tls->in, tls->out);
	SSL_set_connect_state(tls->ssl);
	*ret_tls = tls;
	return 0;
no_memory:
	problem_set(problem, "no memory for TLS");
free_tls:
	redis_tls_free(tls);
	return error;
}

void redis_tls_free(struct redis_tls *tls)
{
	if (!tls)
		return;
	SSL_free(tls->ssl);
	SSL_CTX_free(tls->context);
	free(tls);
}

/* Whether the SSL only wants more bytes. */
static bool wants_more(const struct redis_tls *tls, int result)
{
	int error = SSL_get_error(tls->ssl, result);

	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

int redis_tls_shake(struct redis_tls *tls, bool *ret_done, struct problem *problem)
{
	ERR_clear_error();
	int result = SSL_do_handshake(tls->ssl);

	if (result != 1 && !wants_more(tls, result))
		return failed(tls, "no TLS", problem);
	*ret_done = result == 1;
	return 0;
}

int redis_tls_came(struct redis_tls *tls, const char *bytes, size_t length, struct problem *problem)
{
	return length <= INT_MAX && BIO_write(tls->in, bytes, (int)length) == (int)length ? 0 :
	       failed(tls, "no memory for TLS", problem);
}

int redis_tls_read(struct redis_tls *tls, char *buffer, size_t size, size_t *ret_length, struct problem *problem)
{
	*ret_length = 0;
	ERR_clear_error();
	int result = SSL_read_ex(tls->ssl, buffer, size, ret_length);

	return result == 1 || wants_more(tls, result) ? 0 : failed(tls, "the server ended TLS", problem);
}

int redis_tls_write(struct redis_tls *tls, const char *bytes, size_t length, struct problem *problem)
{
	size_t written = 0;

	ERR_clear_error();
	/* Memory takes it whole. */
	return SSL_write_ex(tls->ssl, bytes, length, &written) == 1 && written == length ? 0 :
	       failed(tls, "cannot say it by TLS", problem);
}

size_t redis_tls_to_send(struct redis_tls *tls, const char **ret_bytes)
{
	char *bytes = NULL;
	long length = BIO_get_mem_data(tls->out, &bytes);

	*ret_bytes = bytes ? bytes + tls->skip : NULL;
	return length > 0 ? (size_t)length - tls->skip : 0;
}

void redis_tls_sent(struct redis_tls *tls, size_t length)
{
	const char *ignored;

	tls->skip += length;
	if (redis_tls_to_send(tls, &ignored) > 0)
		return;
	(void)BIO_reset(tls->out);
	tls->skip = 0;
}

#else

bool redis_tls_is_built_in(void)
{
	return false;
}

int redis_tls_new(struct redis_tls **ret_tls, const char *host, const char *ca_file, const char *certificate_file,
		  const char *key_file, struct problem *problem)
{
	(void)ret_tls, (void)host, (void)ca_file, (void)certificate_file, (void)key_file;
	problem_set(problem, "this build has no TLS");
	return -EPROTO;
}

void redis_tls_free(struct redis_tls *tls)
{
	(void)tls;
}

int redis_tls_shake(struct redis_tls *tls, bool *ret_done, struct problem *problem)
{
	(void)tls, (void)ret_done, (void)problem;
	return -EPROTO;
}

int redis_tls_came(struct redis_tls *tls, const char *bytes, size_t length, struct problem *problem)
{
	(void)tls, (void)bytes, (void)length, (void)problem;
	return -EPROTO;
}

int redis_tls_read(struct redis_tls *tls, char *buffer, size_t size, size_t *ret_length, struct problem *problem)
{
	(void)tls, (void)buffer, (void)size, (void)ret_length, (void)problem;
	return -EPROTO;
}

int redis_tls_write(struct redis_tls *tls, const char *bytes, size_t length, struct problem *problem)
{
	(void)tls, (void)bytes, (void)length, (void)problem;
	return -EPROTO;
}

size_t redis_tls_to_send(struct redis_tls *tls, const char **ret_bytes)
{
	(void)tls;
	*ret_bytes = NULL;
	return 0;
}

void redis_tls_sent(struct redis_tls *tls, size_t length)
{
	(void)tls, (void)length;
}

#endif
