/* spf_macro.c - the macros of SPF: checked, and expanded. */
#include "common/auth/spf_macro.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define DELIMITERS ".-+,/_="

/* One piece of a text: a literal byte, or a macro. */
struct piece {
	char literal;			/* 0: a macro */
	char letter;			/* lower case */
	bool is_escaped;		/* the letter stood in upper case */
	bool is_reversed;
	size_t keep;			/* parts from the right; 0: all */
	struct text delimiters;		/* empty: the dot */
};

/* Reads what stands between "%{" and "}". */
static const char *read_macro(struct text inside, struct piece *ret_piece)
{
	size_t i = 1, digits = 0;

	if (inside.length == 0)
		return "a macro letter is missing";
	ret_piece->letter = byte_lower(inside.start[0]);
	ret_piece->is_escaped = inside.start[0] != ret_piece->letter;
	if (!ret_piece->letter || !strchr("slodiphcrtv", ret_piece->letter))
		return "unknown macro letter";
	for (; i < inside.length && byte_is_digit(inside.start[i]); i++, digits++)
		if (ret_piece->keep < SPF_VALUE_MAX)
			ret_piece->keep = ret_piece->keep * 10 + (size_t)(inside.start[i] - '0');
	if (digits > 0 && ret_piece->keep == 0)
		return "a macro keeps 0 parts";
	if (i < inside.length && byte_lower(inside.start[i]) == 'r') {
		ret_piece->is_reversed = true;
		i++;
	}
	ret_piece->delimiters = (struct text){ inside.start + i, inside.length - i };
	for (; i < inside.length; i++)
		if (!inside.start[i] || !strchr(DELIMITERS, inside.start[i]))
			return "bad delimiter in a macro";
	return NULL;
}

/* Takes a piece off the front of a text that is not empty. */
static const char *next_piece(struct text *text, struct piece *ret_piece)
{
	size_t taken = 2;
	const char *error = NULL;

	*ret_piece = (struct piece){ 0 };
	if (text->start[0] != '%') {
		ret_piece->literal = text->start[0];
		taken = 1;
		if (ret_piece->literal < 0x20 || ret_piece->literal > 0x7e)
			return "a byte that is not printable ASCII";
	} else if (text->length < 2) {
		return "a lone %";
	} else if (text->start[1] == '%' || text->start[1] == '_' || text->start[1] == '-') {
		/* %- is a blank too, only written as in an URL; the caller sees its second byte. */
		ret_piece->literal = text->start[1] == '%' ? '%' : ' ';
		ret_piece->is_escaped = text->start[1] == '-';
	} else if (text->start[1] == '{') {
		const char *end = memchr(text->start, '}', text->length);

		if (!end)
			return "a macro without }";
		taken = (size_t)(end - text->start) + 1;
		error = read_macro((struct text){ text->start + 2, taken - 3 }, ret_piece);
	} else {
		return "a lone %";
	}
	*text = (struct text){ text->start + taken, text->length - taken };
	return error;
}

const char *spf_macro_check(struct text text, enum spf_text_kind kind)
{
	struct piece piece;

	while (text.length > 0) {
		if (text.start[0] == ' ' && kind != SPF_TEXT_EXPLANATION)
			return "a blank";
		const char *error = next_piece(&text, &piece);

		if (error)
			return error;
		if (kind == SPF_TEXT_DOMAIN && !piece.literal && strchr("crt", piece.letter))
			return "a macro letter that only explanations may use";
	}
	return NULL;
}

/* toplabel: letters and digits with a letter among them, or with a hyphen inside. */
static bool is_top_label(struct text label)
{
	bool has_other = false;

	if (label.length == 0 || !byte_is_alnum(label.start[0]) || !byte_is_alnum(label.start[label.length - 1]))
		return false;
	for (size_t i = 0; i < label.length; i++) {
		if (!byte_is_alnum(label.start[i]) && label.start[i] != '-')
			return false;
		has_other = has_other || !byte_is_digit(label.start[i]);
	}
	return has_other;
}

const char *spf_domain_spec_check(struct text spec)
{
	const char *error = spf_macro_check(spec, SPF_TEXT_DOMAIN);
	struct text rest = spec;
	struct piece piece;
	const char *dot = NULL;
	bool ends_in_macro = false;

	if (error)
		return error;
	while (rest.length > 0) {
		const char *at = rest.start;

		ends_in_macro = *at == '%';
		(void)next_piece(&rest, &piece);
		if (ends_in_macro)
			dot = NULL;
		else if (piece.literal == '.' && rest.length > 0)
			dot = at;
	}
	if (ends_in_macro)
		return NULL;
	size_t end = spec.length;

	if (end > 0 && spec.start[end - 1] == '.')
		end--;
	if (!dot || !is_top_label((struct text){ dot + 1, (size_t)(spec.start + end - dot - 1) }))
		return "no domain name";
	return NULL;
}

/* Where an expansion goes. A domain that outgrows the room loses its left half: only the right 253
 * octets are used in the end. */
struct output {
	char *buffer;
	size_t size, length;
	bool keeps_end;
};

static void put(struct output *out, char byte)
{
	if (out->length == out->size) {
		if (!out->keeps_end)
			return;
		memmove(out->buffer, out->buffer + out->size / 2, out->size - out->size / 2);
		out->length = out->size - out->size / 2;
	}
	out->buffer[out->length++] = byte;
}

static void put_url(struct output *out, char byte)
{
	static const char digits[] = "0123456789ABCDEF";

	if (byte_is_alnum(byte) || byte == '-' || byte == '.' || byte == '_' || byte == '~') {
		put(out, byte);
		return;
	}
	put(out, '%');
	put(out, digits[(unsigned char)byte >> 4]);
	put(out, digits[(unsigned char)byte & 15]);
}

/* Splits, reverses, keeps the last parts, joins by dots. */
static void put_value(struct output *out, struct text value, const struct piece *piece)
{
	uint16_t starts[SPF_VALUE_MAX + 2];
	size_t parts = 0;

	if (value.length > SPF_VALUE_MAX)
		value.length = SPF_VALUE_MAX;
	starts[parts++] = 0;
	for (size_t i = 0; i < value.length; i++) {
		bool is_delimiter = piece->delimiters.length == 0
			? value.start[i] == '.'
			: memchr(piece->delimiters.start, value.start[i], piece->delimiters.length) != NULL;

		if (is_delimiter)
			starts[parts++] = (uint16_t)(i + 1);
	}
	starts[parts] = (uint16_t)(value.length + 1);

	size_t kept = piece->keep > 0 && piece->keep < parts ? piece->keep : parts;

	for (size_t k = parts - kept; k < parts; k++) {
		size_t part = piece->is_reversed ? parts - 1 - k : k;

		if (k > parts - kept)
			put(out, '.');
		for (size_t i = starts[part]; i + 1 < starts[part + 1]; i++)
			(piece->is_escaped ? put_url : put)(out, value.start[i]);
	}
}

static struct text address_text(char letter, const struct spf_address *client, char scratch[static 64])
{
	size_t length = 0;

	if (letter == 'c' || client->family != 6) {
		inet_ntop(client->family == 6 ? AF_INET6 : AF_INET, client->bytes, scratch, 64);
		return text_of(scratch);
	}
	/* Upper case, as the published test suite wants it in explanations. */
	for (int i = 0; i < 16; i++)
		length += (size_t)snprintf(scratch + length, 64 - length, "%s%X.%X", i > 0 ? "." : "",
					   client->bytes[i] >> 4, client->bytes[i] & 15);
	return (struct text){ scratch, length };
}

static bool is_ascii(struct text text)
{
	for (size_t i = 0; i < text.length; i++)
		if ((unsigned char)text.start[i] >= 0x80)
			return false;
	return true;
}

static struct text sender_text(const struct spf_values *values, char scratch[static 2 * SPF_VALUE_MAX])
{
	size_t local = values->local.length > SPF_VALUE_MAX ? SPF_VALUE_MAX : values->local.length;
	size_t domain = values->sender_domain.length > DOMAIN_SIZE ? DOMAIN_SIZE : values->sender_domain.length;

	memcpy(scratch, values->local.start, local);
	scratch[local] = '@';
	memcpy(scratch + local + 1, values->sender_domain.start, domain);
	return (struct text){ scratch, local + 1 + domain };
}

static int put_macro(struct output *out, const struct piece *piece, const struct spf_values *values)
{
	char scratch[2 * SPF_VALUE_MAX];
	struct text value = TEXT_NONE;

	switch (piece->letter) {
	case 's': value = sender_text(values, scratch); break;
	case 'l': value = values->local; break;
	case 'o': value = values->sender_domain; break;
	case 'd': value = values->domain; break;
	case 'h': value = values->helo; break;
	case 'p': value = values->client_name(values->context); break;
	case 'v': value = values->client.family == 6 ? TEXT_LITERAL("ip6") : TEXT_LITERAL("in-addr"); break;
	case 'r': value = values->receiver.length > 0 ? values->receiver : TEXT_LITERAL("unknown"); break;
	case 't':
		value = (struct text){ scratch, (size_t)snprintf(scratch, sizeof scratch, "%lld",
								 (long long)time(NULL)) };
		break;
	default: value = address_text(piece->letter, &values->client, scratch); break;	/* i, c */
	}
	if ((piece->letter == 's' || piece->letter == 'l') && !is_ascii(values->local))
		return -EILSEQ;
	put_value(out, value, piece);
	return 0;
}

static int expand(struct text text, const struct spf_values *values, struct output *out)
{
	struct piece piece;

	while (text.length > 0) {
		if (next_piece(&text, &piece))
			return -EINVAL;
		if (!piece.literal) {
			int error = put_macro(out, &piece, values);

			if (error)
				return error;
		} else if (piece.is_escaped) {
			put_url(out, piece.literal);
		} else {
			put(out, piece.literal);
		}
	}
	return 0;
}

int spf_expand_domain(struct text spec, const struct spf_values *values, char ret_domain[static DOMAIN_SIZE])
{
	char buffer[8 * DOMAIN_SIZE];
	struct output out = { buffer, sizeof buffer, 0, true };
	int error = expand(spec, values, &out);
	size_t start = 0;

	if (error)
		return error;
	if (out.length > 0 && buffer[out.length - 1] == '.')
		out.length--;
	/* RFC 7208 7.3: labels go from the left until it fits. */
	while (out.length - start > DOMAIN_LENGTH_MAX) {
		const char *dot = memchr(buffer + start, '.', out.length - start);

		start = dot ? (size_t)(dot - buffer) + 1 : out.length;
	}
	memcpy(ret_domain, buffer + start, out.length - start);
	ret_domain[out.length - start] = '\0';
	/* No byte of a name is NUL, so that the caller may see a string. */
	return memchr(ret_domain, '\0', out.length - start) ? -EILSEQ : 0;
}

int spf_expand_explanation(struct text text, const struct spf_values *values,
			   char ret_text[static SPF_EXPLANATION_SIZE])
{
	struct output out = { ret_text, SPF_EXPLANATION_SIZE - 1, 0, false };
	int error = expand(text, values, &out);

	ret_text[out.length] = '\0';
	for (size_t i = 0; i < out.length; i++)
		if (ret_text[i] < ' ' || ret_text[i] > '~')
			ret_text[i] = '?';
	return error;
}
