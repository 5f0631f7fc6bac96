/* macros.c - what the MTA's macros say in a record. */
#include "macros.h"

#include <arpa/inet.h>

enum { WORD_MAX = 16, CERTIFICATE_MAX = 256 };

struct text macro(const struct macros *macros, const char *name)
{
	return text_of(macros->get(macros->context, name));
}

bool macro_read_number(struct text text, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (text.length == 0 || text.length > 19)
		return false;
	for (size_t i = 0; i < text.length; i++) {
		if (text.start[i] < '0' || text.start[i] > '9')
			return false;
		number = number * 10 + (uint64_t)(text.start[i] - '0');
	}
	*ret_number = number;
	return true;
}

void macro_set(struct record *record, enum field field, const struct macros *macros, const char *name)
{
	record_set_text(record, field, macro(macros, name));
}

void macro_set_number(struct record *record, enum field field, const struct macros *macros, const char *name)
{
	uint64_t number;

	if (macro_read_number(macro(macros, name), &number))
		record_set_number(record, field, number);
}

/* A name that the MTA knows: both MTAs write an unknown one as a word or as the address in brackets. */
struct text macro_known_name(struct text name)
{
	if (name.length == 0 || name.start[0] == '[' || text_equal_nocase(name, TEXT_LITERAL("unknown")))
		return TEXT_NONE;
	return name;
}

void macro_set_word(struct record *record, enum field field, const struct macros *macros, const char *name)
{
	struct text value = macro(macros, name);
	char lower[WORD_MAX];

	if (!value.length || value.length > sizeof lower)
		return;
	for (size_t i = 0; i < value.length; i++)
		lower[i] = value.start[i] >= 'A' && value.start[i] <= 'Z' ? (char)(value.start[i] + 32) : value.start[i];
	record_set_text(record, field, (struct text){ lower, value.length });
}

static struct text without_dot(struct text host)
{
	if (host.length && host.start[host.length - 1] == '.')
		host.length--;
	return host;
}

void macro_set_host(struct record *record, enum field field, const struct macros *macros, const char *name)
{
	record_set_text(record, field, without_dot(macro(macros, name)));
}

/* "IPv6:2001:db8:0:0:0:0:0:1" as other MTAs and our own addresses have it. */
static void set_address(struct record *record, enum field field, struct text value)
{
	static const char mark[] = "IPv6:";
	char text[INET6_ADDRSTRLEN + 1];
	struct in6_addr inet6;

	if (value.length > sizeof mark - 1 && strncasecmp(value.start, mark, sizeof mark - 1) == 0 &&
	    value.length - (sizeof mark - 1) < sizeof text) {
		size_t length = value.length - (sizeof mark - 1);

		memcpy(text, value.start + sizeof mark - 1, length);
		text[length] = '\0';
		if (inet_pton(AF_INET6, text, &inet6) == 1 && inet_ntop(AF_INET6, &inet6, text, sizeof text))
			value = text_of(text);
	}
	record_set_text(record, field, value);
}

/* Sendmail, listening on all addresses, tells the one that was connected to as if_addr, unless that is this
 * machine's own. */
void macro_set_daemon(struct record *record, const struct macros *macros)
{
	struct text address = macro(macros, "{if_addr}");

	macro_set(record, FIELD_DAEMON_NAME, macros, "{daemon_name}");
	set_address(record, FIELD_DAEMON_ADDR, address.start ? address : macro(macros, "{daemon_addr}"));
	macro_set_number(record, FIELD_DAEMON_PORT, macros, "{daemon_port}");
	macro_set(record, FIELD_IF_NAME, macros, "{if_name}");
}

/* Its version is a number alone. */
bool macro_is_sendmail(const struct macros *macros)
{
	struct text version = macro(macros, "v");

	return version.length && version.start[0] >= '0' && version.start[0] <= '9';
}

void macro_set_version(struct record *record, const struct macros *macros)
{
	static const char program[] = "Sendmail ";
	struct text version = macro(macros, "v");
	char text[sizeof program + 32];

	if (macro_is_sendmail(macros) && version.length <= 32) {
		memcpy(text, program, sizeof program - 1);
		memcpy(text + sizeof program - 1, version.start, version.length);
		version = (struct text){ text, sizeof program - 1 + version.length };
	}
	record_set_text(record, FIELD_MTA_VERSION, version);
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Sendmail writes blanks, brackets and the like in names of certificates as "+20". */
static struct text decode_plus(struct text value, char *buffer, size_t size)
{
	size_t length = 0;

	for (size_t i = 0; i < value.length && length < size; i++) {
		int high = -1, low = -1;

		if (value.start[i] == '+' && i + 2 < value.length) {
			high = hex_digit(value.start[i + 1]);
			low = hex_digit(value.start[i + 2]);
		}
		buffer[length++] = high >= 0 && low >= 0 ? (char)(high * 16 + low) : value.start[i];
		i += high >= 0 && low >= 0 ? 2 : 0;
	}
	return (struct text){ buffer, length };
}

static void set_certificate_name(struct record *record, enum field field, const struct macros *macros,
				 const char *common_name, const char *whole_name)
{
	struct text value = macro(macros, common_name);
	char buffer[CERTIFICATE_MAX];

	if (value.start)
		record_set_text(record, field, decode_plus(value, buffer, sizeof buffer));
	else
		macro_set(record, field, macros, whole_name);
}

/* Postfix tells the common names of a certificate that it trusts; Sendmail those of any, and what it found of it. */
void macro_set_certificate(struct record *record, const struct macros *macros)
{
	struct text verify = macro(macros, "{verify}");

	macro_set_word(record, FIELD_CERT_VERIFY, macros, "{verify}");
	if (verify.start && !text_is(verify, "OK"))
		return;
	set_certificate_name(record, FIELD_CERT_SUBJECT, macros, "{cn_subject}", "{cert_subject}");
	set_certificate_name(record, FIELD_CERT_ISSUER, macros, "{cn_issuer}", "{cert_issuer}");
}

static bool is_status_code(struct text text)
{
	unsigned dots = 0;
	bool after_digit = false;

	for (size_t i = 0; i < text.length; i++) {
		if (text.start[i] == '.') {
			if (!after_digit)
				return false;
			dots++;
		} else if (text.start[i] < '0' || text.start[i] > '9') {
			return false;
		}
		after_digit = text.start[i] != '.';
	}
	return dots == 2 && after_digit && text.length <= 10 && text.start[0] >= '2' && text.start[0] <= '5' &&
	       text.start[1] == '.';
}

struct rcpt_macros macro_read_rcpt(const struct macros *macros)
{
	return (struct rcpt_macros){
		macro(macros, "{rcpt_mailer}"), without_dot(macro(macros, "{rcpt_host}")), macro(macros, "{rcpt_addr}"),
	};
}

/* "550 5.1.1 User unknown", as Sendmail has it; Postfix tells the words alone. */
static void take_codes(struct rejection *rejection)
{
	struct text text = rejection->reason;
	const char *blank;

	if (text.length < 4 || text.start[3] != ' ' || (text.start[0] != '4' && text.start[0] != '5') ||
	    !macro_read_number((struct text){ text.start, 3 }, &rejection->code))
		return;
	text = text_behind(text, 4);
	blank = memchr(text.start, ' ', text.length);
	struct text dsn = { text.start, blank ? (size_t)(blank - text.start) : text.length };

	if (is_status_code(dsn)) {
		rejection->dsn = rejection->dsn.start ? rejection->dsn : dsn;
		text = text_behind(text, dsn.length + (blank != NULL));
	}
	rejection->reason = text;
}

/* With RCPT_REJ a rejected recipient comes with the mailer "error", the status code as its host and
 * the reason as its address. The recipient's own address there is a transport of that name. */
struct rejection macro_read_rejection(struct text recipient, const struct rcpt_macros *told)
{
	struct rejection rejection = { .dsn = told->host, .reason = told->address };

	if (!text_is(told->mailer, "error"))
		return rejection;
	if (!is_status_code(rejection.dsn))
		rejection.dsn = TEXT_NONE;
	rejection.is_one = rejection.dsn.start || !text_equal_nocase(told->address, recipient);
	if (rejection.is_one)
		take_codes(&rejection);
	return rejection;
}
