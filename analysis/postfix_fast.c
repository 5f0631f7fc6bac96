/*
 * postfix_fast.c - the commonest kinds of Postfix's lines, from the left to the right with no table.
 *
 * What is not exactly as expected is left to the table, which decides; so nothing here needs to be clever.
 */
#include "analysis/postfix_fast.h"

#include "analysis/scan.h"
#include "analysis/template_tail.h"

/* A shorter message is none of these, or rare. */
enum { MESSAGE_MIN = 16, ID_MIN = 5, ID_MAX = 64 };

/* A walk over a message. No kind here has EVENT_FIELDS_MAX fields. */
struct scan {
	const char *at, *end;
	struct event_field *next;	/* of the event's */
	struct event *event;
};

/* ---- primitives ---- */

static inline __attribute__((always_inline)) bool take_bytes(struct scan *scan, const char *bytes, size_t length)
{
	if ((size_t)(scan->end - scan->at) < length || !text_same_bytes(scan->at, bytes, length))
		return false;
	scan->at += length;
	return true;
}
#define TAKE(scan, literal) take_bytes((scan), (literal), sizeof(literal) - 1)

static inline void keep_text(struct scan *scan, const char *name, const char *start, const char *end)
{
	*scan->next++ = (struct event_field){ name, { start, (size_t)(end - start) } };
}

static inline bool keep_to(struct scan *scan, const char *name, const char *end)
{
	if (end == scan->at)
		return false;
	keep_text(scan, name, scan->at, end);
	scan->at = end;
	return true;
}

/* The types of template.h. */
static inline bool keep_host(struct scan *scan, const char *name)
{
	return keep_to(scan, name, scan_find(scan->at, scan->end, '[', ' ', ',', ':'));
}

static inline bool keep_ip(struct scan *scan, const char *name)
{
	return keep_to(scan, name, scan_find(scan->at, scan->end, ']', ' ', ',', ','));
}

static inline bool keep_word(struct scan *scan, const char *name)
{
	return keep_to(scan, name, scan_find(scan->at, scan->end, ' ', ',', ')', ';'));
}

static inline bool keep_token(struct scan *scan, const char *name)
{
	return keep_to(scan, name, scan_find(scan->at, scan->end, ' ', ' ', ' ', ' '));
}

static inline bool keep_number(struct scan *scan, const char *name)
{
	const char *at = scan->at;

	while (at < scan->end && scan_is_digit(*at))
		at++;
	return keep_to(scan, name, at);
}

static inline bool keep_decimal(struct scan *scan, const char *name)
{
	const char *at = scan->at;

	while (at < scan->end && (scan_is_digit(*at) || *at == '.' || *at == '-'))
		at++;
	return keep_to(scan, name, at);
}

/* A number with dots: what an address of IPv4 is made of. */
static inline bool keep_ipv4(struct scan *scan, const char *name)
{
	const char *at = scan->at;

	while (at < scan->end && (scan_is_digit(*at) || *at == '.'))
		at++;
	return keep_to(scan, name, at);
}

/* An address without quotes, to its first bracket. */
static inline bool keep_address(struct scan *scan, const char *name)
{
	const char *close = scan_find(scan->at, scan->end, '>', '"', '"', '"');

	if (close == scan->end || *close == '"')
		return false;
	keep_text(scan, name, scan->at, close);
	scan->at = close + 1;
	return true;
}

static inline bool is_at_end(const struct scan *scan)
{
	return scan->at == scan->end;
}

/* "name[address]" or "name[address]:port" */
static inline bool read_client(struct scan *scan)
{
	if (!keep_host(scan, EVENT_NAME(CLIENT_NAME)) || !TAKE(scan, "[") || !keep_ip(scan, EVENT_NAME(CLIENT_ADDR)) || !TAKE(scan, "]"))
		return false;
	/* A colon behind it may be the port's or the pattern's. */
	if (scan->end - scan->at >= 2 && scan->at[0] == ':' && scan_is_digit(scan->at[1])) {
		scan->at++;
		return keep_number(scan, EVENT_NAME(CLIENT_PORT));
	}
	return true;
}

/* "[address]:port" */
static inline bool read_screened(struct scan *scan)
{
	return TAKE(scan, "[") && keep_ip(scan, EVENT_NAME(CLIENT_ADDR)) && TAKE(scan, "]:") && keep_number(scan, EVENT_NAME(CLIENT_PORT));
}

/* What the event has so far, where others add to it. */
static void settle(struct scan *scan)
{
	scan->event->field_count = (unsigned)(scan->next - scan->event->fields);
}

static bool keep_reply(struct scan *scan)
{
	settle(scan);
	template_tail_read((struct text){ scan->at, (size_t)(scan->end - scan->at) }, EVENT_NAME(REPLY), scan->event);
	scan->next = scan->event->fields + scan->event->field_count;
	return true;
}

static bool is_kind(struct scan *scan, const char *kind)
{
	scan->event->kind = kind;
	return true;
}

/* ---- kinds with a queue id ---- */

/* Behind "to=<". */
static bool read_delivery(struct scan *scan)
{
	if (!keep_address(scan, EVENT_NAME(TO)))
		return false;
	if (TAKE(scan, ", orig_to=<") && !keep_address(scan, EVENT_NAME(ORIG_TO)))
		return false;
	if (!TAKE(scan, ", relay=") || !keep_host(scan, EVENT_NAME(RELAY_NAME)))
		return false;
	if (TAKE(scan, "[") && (!keep_ip(scan, EVENT_NAME(RELAY_ADDR)) || !TAKE(scan, "]")))
		return false;
	if (TAKE(scan, ":") && !keep_number(scan, EVENT_NAME(RELAY_PORT)))
		return false;
	if (TAKE(scan, ", conn_use=") && !keep_number(scan, EVENT_NAME(CONNECTION_USE)))
		return false;
	if (!TAKE(scan, ", delay=") || !keep_decimal(scan, EVENT_NAME(DELAY)))
		return false;
	if (TAKE(scan, ", delays=") &&
	    !(keep_decimal(scan, EVENT_NAME(DELAY_BEFORE)) && TAKE(scan, "/") && keep_decimal(scan, EVENT_NAME(DELAY_QUEUE)) &&
	      TAKE(scan, "/") && keep_decimal(scan, EVENT_NAME(DELAY_CONNECTION)) && TAKE(scan, "/") &&
	      keep_decimal(scan, EVENT_NAME(DELAY_TRANSFER))))
		return false;
	if (TAKE(scan, ", dsn=") && !keep_word(scan, EVENT_NAME(DSN)))
		return false;
	if (!TAKE(scan, ", status=") || !keep_word(scan, EVENT_NAME(STATUS)) || !TAKE(scan, " (") || scan->end[-1] != ')' || is_at_end(scan))
		return false;
	keep_text(scan, EVENT_NAME(REPLY), scan->at, scan->end - 1);
	return is_kind(scan, EVENT_KIND(DELIVERY));
}

static bool read_qmgr(struct scan *scan)
{
	if (TAKE(scan, "removed"))
		return is_at_end(scan) && is_kind(scan, EVENT_KIND(REMOVED));
	return TAKE(scan, "from=<") && keep_address(scan, EVENT_NAME(FROM)) && TAKE(scan, ", size=") && keep_number(scan, EVENT_NAME(SIZE)) &&
	       TAKE(scan, ", nrcpt=") && keep_number(scan, EVENT_NAME(RECIPIENTS)) && TAKE(scan, " (queue ") &&
	       keep_word(scan, EVENT_NAME(QUEUE)) && TAKE(scan, ")") && is_at_end(scan) && is_kind(scan, EVENT_KIND(QUEUED));
}

static bool read_message_id(struct scan *scan)
{
	if (!TAKE(scan, "message-id=") || is_at_end(scan))
		return false;
	return keep_to(scan, EVENT_NAME(MESSAGE_ID), scan->end) && is_kind(scan, EVENT_KIND(MESSAGE_ID));
}

/* Behind "client=". */
static bool read_client_line(struct scan *scan)
{
	if (!read_client(scan))
		return false;
	if (is_at_end(scan))
		return is_kind(scan, EVENT_KIND(CLIENT));
	if (!TAKE(scan, ", sasl_method=") || !keep_word(scan, EVENT_NAME(AUTH_TYPE)) || !TAKE(scan, ", sasl_username=") ||
	    scan_find(scan->at, scan->end, ',', ',', ',', ',') != scan->end)
		return false;
	return keep_to(scan, EVENT_NAME(AUTH_AUTHEN), scan->end) && is_kind(scan, EVENT_KIND(CLIENT));
}

/* "reject: RCPT from ": the stage, which is one word of capitals. */
static bool take_reject(struct scan *scan)
{
	const char *start = scan->at;

	if (!TAKE(scan, "reject: "))
		return false;
	keep_text(scan, EVENT_NAME(ACTION), start, start + sizeof "reject" - 1);
	return keep_word(scan, EVENT_NAME(STAGE)) && TAKE(scan, " from ");
}

/* "3A5F2C01E2: " or "NOQUEUE: ": its length; 0: none that is plainly one. */
static inline size_t id_length(const struct scan *scan)
{
	const char *at;

	/* "warning: " and "fatal: " look like an id. */
	if (*scan->at >= 'a')
		return 0;
	at = scan_alnum_end(scan->at, scan->end - scan->at > ID_MAX ? scan->at + ID_MAX : scan->end);
	size_t length = (size_t)(at - scan->at);

	return length >= ID_MIN && scan->end - at > 2 && at[0] == ':' && at[1] == ' ' ? length : 0;
}

static bool read_with_id(enum postfix_daemon daemon, struct scan *scan, size_t id)
{
	if (id != 7 || memcmp(scan->at, "NOQUEUE", 7) != 0)
		keep_text(scan, EVENT_NAME(QUEUE_ID), scan->at, scan->at + id);
	scan->at += id + 2;
	if (TAKE(scan, "to=<"))
		return read_delivery(scan);
	switch (daemon) {
	case POSTFIX_SMTPD:
		if (TAKE(scan, "client="))
			return read_client_line(scan);
		return take_reject(scan) && read_client(scan) && TAKE(scan, ": ") && !is_at_end(scan) &&
		       keep_reply(scan) && is_kind(scan, EVENT_KIND(REJECT));
	case POSTFIX_CLEANUP:
		return read_message_id(scan);
	case POSTFIX_QMGR:
		return read_qmgr(scan);
	case POSTFIX_POSTSCREEN:
		return take_reject(scan) && read_screened(scan) && TAKE(scan, ": ") && !is_at_end(scan) &&
		       keep_reply(scan) && is_kind(scan, EVENT_KIND(REJECT));
	case POSTFIX_DNSBLOG:
	case POSTFIX_SMTP:
	case POSTFIX_OTHER:
		break;
	}
	return false;
}

/* ---- kinds without one ---- */

/* "ehlo=1", and the blank behind it; false: not this count, or not a plain one. */
static inline __attribute__((always_inline)) bool keep_count(struct scan *scan, const char *word, size_t length, const char *name)
{
	const char *start = scan->at + length, *at = start;

	if ((size_t)(scan->end - scan->at) <= length || !text_same_bytes(scan->at, word, length))
		return false;
	while (at < scan->end && (scan_is_digit(*at) || *at == '/'))
		at++;
	if (at < scan->end && *at != ' ')
		return false;
	keep_text(scan, name, start, at);
	scan->at = at < scan->end ? at + 1 : at;
	return true;
}
#define KEEP_COUNT(scan, word, id) keep_count((scan), word "=", sizeof(word), EVENT_NAME(COUNT_##id))

/* In the order in which Postfix writes them; what is left is read word by word. */
static void keep_counts(struct scan *scan)
{
	KEEP_COUNT(scan, "ehlo", EHLO);
	KEEP_COUNT(scan, "starttls", STARTTLS);
	KEEP_COUNT(scan, "auth", AUTH);
	KEEP_COUNT(scan, "mail", MAIL);
	KEEP_COUNT(scan, "rcpt", RCPT);
	KEEP_COUNT(scan, "data", DATA);
	KEEP_COUNT(scan, "bdat", BDAT);
	KEEP_COUNT(scan, "quit", QUIT);
	KEEP_COUNT(scan, "commands", COMMANDS);
	if (is_at_end(scan))
		return;
	settle(scan);
	template_tail_counts((struct text){ scan->at, (size_t)(scan->end - scan->at) }, "counts", scan->event);
	scan->next = scan->event->fields + scan->event->field_count;
}

static bool read_disconnect(struct scan *scan)
{
	if (!read_client(scan))
		return false;
	if (is_at_end(scan))
		return is_kind(scan, EVENT_KIND(DISCONNECT));
	if (!TAKE(scan, " ") || is_at_end(scan))
		return false;
	keep_counts(scan);
	return is_kind(scan, EVENT_KIND(DISCONNECT));
}

/* "lost connection after RCPT from host[address]" */
static bool read_lost(struct scan *scan)
{
	return TAKE(scan, "lost connection after ") && keep_word(scan, EVENT_NAME(STAGE)) && TAKE(scan, " from ") && read_client(scan) &&
	       is_at_end(scan) && is_kind(scan, EVENT_KIND(LOST_CONNECTION));
}

/* " (256 bits)" */
static bool take_bits(struct scan *scan, const char *name)
{
	return TAKE(scan, " (") && keep_number(scan, name) && TAKE(scan, " bits)");
}

/* "name[address]:port" */
static bool read_server(struct scan *scan)
{
	return keep_host(scan, EVENT_NAME(SERVER_NAME)) && TAKE(scan, "[") && keep_ip(scan, EVENT_NAME(SERVER_ADDR)) && TAKE(scan, "]:") &&
	       keep_number(scan, EVENT_NAME(SERVER_PORT));
}

/* Of an accepted connection, or of one that was made. */
static bool read_tls(struct scan *scan)
{
	if (!keep_word(scan, EVENT_NAME(TLS_TRUST)) || !TAKE(scan, " TLS connection established "))
		return false;
	if (!(TAKE(scan, "from ") ? read_client(scan) : TAKE(scan, "to ") && read_server(scan)) || !TAKE(scan, ": ") || !keep_word(scan, EVENT_NAME(TLS_VERSION)) || !TAKE(scan, " with cipher ") ||
	    !keep_token(scan, EVENT_NAME(CIPHER)) || !TAKE(scan, " (") || !keep_number(scan, EVENT_NAME(CIPHER_BITS)) || !TAKE(scan, "/") ||
	    !keep_number(scan, EVENT_NAME(CIPHER_ALGORITHM_BITS)) || !TAKE(scan, " bits)"))
		return false;
	if (TAKE(scan, " key-exchange ")) {
		if (!keep_token(scan, EVENT_NAME(KEY_EXCHANGE)))
			return false;
		if (scan->end - scan->at > 2 && scan->at[1] == '(' && !take_bits(scan, EVENT_NAME(KEY_EXCHANGE_BITS)))
			return false;
	}
	if (TAKE(scan, " server-signature ")) {
		if (!keep_token(scan, EVENT_NAME(SERVER_SIGNATURE)))
			return false;
		/* "ECDSA (P-256) server-digest SHA256": no number, and so all of it is details. */
		if (scan->end - scan->at > 3 && scan->at[1] == '(' && !scan_is_digit(scan->at[2])) {
			scan->at++;
			return keep_to(scan, EVENT_NAME(TLS_DETAILS), scan->end) && is_kind(scan, EVENT_KIND(TLS));
		}
		if (scan->end - scan->at > 2 && scan->at[1] == '(' && !take_bits(scan, EVENT_NAME(SERVER_SIGNATURE_BITS)))
			return false;
	}
	if (TAKE(scan, " server-digest ") && !keep_token(scan, EVENT_NAME(SERVER_DIGEST)))
		return false;
	return is_at_end(scan) && is_kind(scan, EVENT_KIND(TLS));
}

/* Behind "warning: " and what it names: "SASL LOGIN authentication failed: text"; the text holds no field of its own. */
static bool read_auth_failed(struct scan *scan)
{
	if (!read_client(scan) || !TAKE(scan, ": SASL ") || !keep_word(scan, EVENT_NAME(AUTH_TYPE)) ||
	    !TAKE(scan, " authentication failed:"))
		return false;
	if (is_at_end(scan))
		return is_kind(scan, EVENT_KIND(AUTH_FAILED));
	if (!TAKE(scan, " ") || is_at_end(scan))
		return false;
	const char *comma = scan_find(scan->at, scan->end, ',', ',', ',', ',');

	if (!keep_to(scan, EVENT_NAME(REASON), comma))
		return false;
	if (is_at_end(scan))
		return is_kind(scan, EVENT_KIND(AUTH_FAILED));
	if (!TAKE(scan, ", sasl_username=") || scan_find(scan->at, scan->end, ',', ',', ',', ',') != scan->end)
		return false;
	return keep_to(scan, EVENT_NAME(AUTH_AUTHEN), scan->end) && is_kind(scan, EVENT_KIND(AUTH_FAILED));
}

static bool read_smtpd(struct scan *scan)
{
	switch (*scan->at) {
	case 'c':
		return TAKE(scan, "connect from ") && read_client(scan) && is_at_end(scan) && is_kind(scan, EVENT_KIND(CONNECT));
	case 'd':
		return TAKE(scan, "disconnect from ") && read_disconnect(scan);
	case 'l':
		return read_lost(scan);
	case 'A':
		return read_tls(scan);
	case 'w':
		if (!TAKE(scan, "warning: "))
			return false;
		keep_text(scan, EVENT_NAME(SEVERITY), scan->at - 9, scan->at - 2);
		return read_auth_failed(scan);
	default:
		return false;
	}
}

static bool read_postscreen(struct scan *scan)
{
	switch (*scan->at) {
	case 'C':
		return TAKE(scan, "CONNECT from ") && read_screened(scan) && TAKE(scan, " to [") &&
		       keep_ip(scan, EVENT_NAME(DAEMON_ADDR)) && TAKE(scan, "]:") && keep_number(scan, EVENT_NAME(DAEMON_PORT)) &&
		       is_at_end(scan) && is_kind(scan, EVENT_KIND(SCREEN_CONNECT));
	case 'P':
		return TAKE(scan, "PASS ") && keep_word(scan, EVENT_NAME(VERDICT)) && TAKE(scan, " ") && read_screened(scan) &&
		       is_at_end(scan) && is_kind(scan, EVENT_KIND(SCREEN_PASS));
	case 'D':
		if (TAKE(scan, "DISCONNECT "))
			return read_screened(scan) && is_at_end(scan) && is_kind(scan, EVENT_KIND(SCREEN_DISCONNECT));
		return TAKE(scan, "DNSBL rank ") && keep_decimal(scan, EVENT_NAME(RANK)) && TAKE(scan, " for ") && read_screened(scan) &&
		       is_at_end(scan) && is_kind(scan, EVENT_KIND(SCREEN_DNSBL));
	default:
		return false;
	}
}

/* "addr 192.0.2.1 listed by domain dnsbl.example as 127.0.0.2"; IPv6 is left to the table. */
static bool read_dnsblog(struct scan *scan)
{
	return TAKE(scan, "addr ") && keep_ipv4(scan, EVENT_NAME(CLIENT_ADDR)) && TAKE(scan, " listed by domain ") &&
	       keep_token(scan, EVENT_NAME(DOMAIN)) && TAKE(scan, " as ") && keep_token(scan, EVENT_NAME(ANSWER)) && is_at_end(scan) &&
	       is_kind(scan, EVENT_KIND(DNSBL_HIT));
}

enum postfix_daemon postfix_fast_daemon(struct text daemon)
{
	static const struct {
		const char *name;
		enum postfix_daemon daemon;
	} names[] = {
		{ "smtpd", POSTFIX_SMTPD }, { "cleanup", POSTFIX_CLEANUP }, { "qmgr", POSTFIX_QMGR },
		{ "postscreen", POSTFIX_POSTSCREEN }, { "dnsblog", POSTFIX_DNSBLOG },
		{ "smtp", POSTFIX_SMTP }, { "lmtp", POSTFIX_SMTP },
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (text_is(daemon, names[i].name))
			return names[i].daemon;
	return POSTFIX_OTHER;
}

static bool read_plain(enum postfix_daemon daemon, struct scan *scan)
{
	switch (daemon) {
	case POSTFIX_SMTPD:
		return read_smtpd(scan);
	case POSTFIX_POSTSCREEN:
		return read_postscreen(scan);
	case POSTFIX_DNSBLOG:
		return read_dnsblog(scan);
	case POSTFIX_SMTP:
		return *scan->at >= 'A' && *scan->at <= 'Z' && read_tls(scan);
	case POSTFIX_CLEANUP:
	case POSTFIX_QMGR:
	case POSTFIX_OTHER:
		break;
	}
	return false;
}

bool postfix_fast_read(enum postfix_daemon daemon, struct event *event)
{
	struct text message = event->frame.message;
	struct scan scan = { message.start, message.start + message.length, event->fields, event };
	size_t id;

	/* Blanks at the end are the table's. */
	if (message.length < MESSAGE_MIN || scan.end[-1] == ' ')
		return false;
	id = id_length(&scan);
	if (id ? read_with_id(daemon, &scan, id) : read_plain(daemon, &scan)) {
		settle(&scan);
		return true;
	}
	event->field_count = 0;
	event->kind = NULL;
	return false;
}
