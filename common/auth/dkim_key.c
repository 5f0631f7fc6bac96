/*
 * dkim_key.c - the key record of a signature: picked, checked, and put in a form that libopendkim reads.
 *
 * libopendkim takes RSA keys as SubjectPublicKeyInfo alone; RFC 6376 also shows the bare RSAPublicKey of
 * PKCS #1, so that is wrapped. A key of another kind makes it leak, and it does not compare k= with a=.
 */
#include "common/auth/dkim.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

static bool refuse(struct dkim_signature *signature, enum dkim_result result, const char *reason, const char *detail)
{
	signature->result = result;
	(void)snprintf(signature->error, sizeof signature->error, "%s%s%s", reason, detail ? ": " : "",
		       detail ? detail : "");
	return false;
}

/* The value of a tag, in place; absent where there is no such tag. */
static struct text find(struct text record, const char *name)
{
	const char *end = record.start + record.length;

	for (const char *at = record.start; at < end;) {
		const char *semicolon = memchr(at, ';', (size_t)(end - at)), *stop = semicolon ? semicolon : end;
		const char *equals = memchr(at, '=', (size_t)(stop - at)), *last = equals;

		while (at < stop && byte_is_blank(*at))
			at++;
		while (last && last > at && byte_is_blank(last[-1]))
			last--;
		if (equals && last > at && text_is((struct text){ at, (size_t)(last - at) }, name))
			return (struct text){ equals + 1, (size_t)(stop - equals - 1) };
		at = stop + 1;
	}
	return TEXT_NONE;
}

/* A wildcard often answers with records that are none of DKIM's: only those with a p= count. */
static const struct dns_item *pick(const struct dns_answer *answer, size_t *ret_candidates)
{
	const struct dns_item *picked = NULL;

	*ret_candidates = 0;
	for (size_t i = 0; i < answer->count; i++)
		if (find(answer->items[i].data, "p").start) {
			picked = picked ? picked : &answer->items[i];
			++*ret_candidates;
		}
	return picked;
}

static bool is_kind(struct text record, const struct dkim_signature *signature)
{
	struct text k = text_trim(find(record, "k"));

	if (strncmp(signature->algorithm, "rsa-", 4) == 0)
		return !k.start || text_is(k, "rsa");
	return text_is(k, "ed25519");
}

/* The bytes of a base64 value, blanks passed over; 0: it is none, or has no room. */
static size_t decode(struct text value, unsigned char ret_bytes[static DKIM_KEY_SIZE])
{
	unsigned char letters[DKIM_KEY_SIZE + 4];
	size_t length = 0, padding;

	for (size_t i = 0; i < value.length; i++)
		if (!byte_is_blank(value.start[i]) && value.start[i] != '=') {
			if (length == DKIM_KEY_SIZE)
				return 0;
			letters[length++] = (unsigned char)value.start[i];
		}
	padding = (4 - length % 4) % 4;
	memset(letters + length, '=', padding);
	int bytes = EVP_DecodeBlock(ret_bytes, letters, (int)(length + padding));

	return bytes > (int)padding ? (size_t)bytes - padding : 0;
}

/* The tag of what stands first in the outer sequence of DER, and where; -1: it is no such thing. */
static int inner_tag(const unsigned char *der, size_t length, size_t *ret_offset)
{
	size_t offset = 2;

	if (length < 16 || der[0] != 0x30)
		return -1;
	if (der[1] & 0x80)
		offset += der[1] & 0x7f;
	*ret_offset = offset;
	return offset <= 5 ? der[offset] : -1;
}

/* Puts a SubjectPublicKeyInfo in the place of the bare key. */
static bool rewrap(struct text record, struct text p, const unsigned char *der, size_t length, char *ret_record)
{
	const unsigned char *at = der;
	unsigned char *info = NULL;
	char letters[2 * DKIM_KEY_SIZE];
	EVP_PKEY *key = d2i_PublicKey(EVP_PKEY_RSA, NULL, &at, (long)length);
	int info_length = key ? i2d_PUBKEY(key, &info) : -1, written = -1;
	size_t before = (size_t)(p.start - record.start), after = record.length - before - p.length;

	if (info_length > 0 && info_length <= DKIM_KEY_SIZE) {
		(void)EVP_EncodeBlock((unsigned char *)letters, info, info_length);
		written = snprintf(ret_record, DKIM_KEY_SIZE + 1, "%.*s%s%.*s", (int)before, record.start, letters,
				   (int)after, p.start + p.length);
	}
	OPENSSL_free(info);
	EVP_PKEY_free(key);
	return written > 0 && written <= DKIM_KEY_SIZE;
}

static bool read_rsa(struct text record, struct text p, struct dkim_signature *signature, char *ret_record)
{
	static const unsigned char rsa[] = { 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01 };
	unsigned char der[DKIM_KEY_SIZE];
	size_t length = decode(p, der), offset = 0;
	int tag = inner_tag(der, length, &offset);

	if (tag == 0x30 && offset + 2 + sizeof rsa <= length && memcmp(der + offset + 2, rsa, sizeof rsa) == 0) {
		memcpy(ret_record, record.start, record.length);
		ret_record[record.length] = '\0';
		return true;
	}
	if (tag == 0x02 && rewrap(record, p, der, length, ret_record))
		return true;
	return refuse(signature, DKIM_PERMERROR, "broken key", tag == 0x30 ? "it is no RSA key" : "p= cannot be decoded");
}

static bool read_record(struct text record, struct dkim_signature *signature, char *ret_record)
{
	struct text p = find(record, "p");

	if (record.length > DKIM_KEY_SIZE)
		return refuse(signature, DKIM_PERMERROR, "broken key", "its record is longer than 1024 bytes");
	for (size_t i = 0; i < record.length; i++)
		if (!byte_is_blank(record.start[i]) && (record.start[i] < ' ' || record.start[i] > '~'))
			return refuse(signature, DKIM_PERMERROR, "broken key", "its record has a byte that is not printable");
	if (!is_kind(record, signature))
		return refuse(signature, DKIM_PERMERROR, "wrong key", "k= is not the algorithm's of a=");
	for (size_t i = 0; i < p.length; i++)
		if (!byte_is_blank(p.start[i])) {
			if (strncmp(signature->algorithm, "rsa-", 4) == 0)
				return read_rsa(record, p, signature, ret_record);
			memcpy(ret_record, record.start, record.length);
			ret_record[record.length] = '\0';
			return true;
		}
	return refuse(signature, DKIM_PERMERROR, "key revoked", NULL);
}

bool dkim_key_read(const struct dns_answer *answer, struct dkim_signature *signature,
		   char ret_record[static DKIM_KEY_SIZE + 1])
{
	const struct dns_item *item;
	size_t candidates;

	switch (answer->status) {
	case DNS_DATA:
		break;
	case DNS_NO_DATA:
		return refuse(signature, DKIM_PERMERROR, "no key", "no TXT record at its name");
	case DNS_NO_NAME:
		return refuse(signature, DKIM_PERMERROR, "no key", "no such name");
	case DNS_BAD_NAME:
		return refuse(signature, DKIM_PERMERROR, "no key", "s= and d= make no name");
	case DNS_BOGUS:
		return refuse(signature, DKIM_TEMPERROR, "bogus", answer->error);
	case DNS_TEMPORARY:
		if (answer == dns_answer_fixed(DNS_FIXED_DEADLINE))
			return refuse(signature, DKIM_TEMPERROR, "deadline", NULL);
		return refuse(signature, DKIM_TEMPERROR, "no answer for the key", answer->error);
	}
	item = pick(answer, &candidates);
	if (!item)
		return refuse(signature, DKIM_PERMERROR, "broken key", "no p= in its record");
	if (candidates > 1)
		return refuse(signature, DKIM_PERMERROR, "broken key", "several records at its name");
	return read_record(item->data, signature, ret_record);
}
