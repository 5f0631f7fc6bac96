/*
 * postfix_fast.c - the commonest kinds of Postfix's lines, from the left to the right with no table.
 *
 * What is not exactly as expected is left to the table, which decides; so nothing here needs to be clever.
 */
#include "analysis/postfix_fast.h"

#include "analysis/message_scan.h"
#include "analysis/template_tail.h"

/* An address without quotes, to its first bracket. */
SCAN_INLINE bool keep_address(struct scan *scan, const char *name)
{
	const char *close = scan_value_end(scan, SCAN_ADDRESS);

	if (close == scan->end || *close == '"')
		return false;
	scan_keep_text(scan, name, scan->at, close);
	scan->at = close + 1;
	return true;
}

/* To the end, where no comma stands before it. */
SCAN_INLINE bool keep_without_comma(struct scan *scan, const char *name)
{
	return scan_value_end(scan, SCAN_COMMA) == scan->end && scan_keep_to(scan, name, scan->end);
}

/* "name[address]" or "name[address]:port" */
static inline bool read_client(struct scan *scan)
{
	if (!KEEP(scan, HOST, CLIENT_NAME) || !TAKE(scan, "[") || !KEEP(scan, IP, CLIENT_ADDR) || !TAKE(scan, "]"))
		return false;
	/* A colon behind it may be the port's or the pattern's. */
	if (scan->end - scan->at >= 2 && scan->at[0] == ':' && byte_is_digit(scan->at[1])) {
		scan->at++;
		return KEEP(scan, NUMBER, CLIENT_PORT);
	}
	return true;
}

/* "[address]:port" */
static inline bool read_screened(struct scan *scan)
{
	return TAKE(scan, "[") && KEEP(scan, IP, CLIENT_ADDR) && TAKE(scan, "]:") && KEEP(scan, NUMBER, CLIENT_PORT);
}

static bool keep_reply(struct scan *scan)
{
	scan_settle(scan);
	template_tail_read((struct text){ scan->at, (size_t)(scan->end - scan->at) }, EVENT_NAME(REPLY), scan->event);
	scan->next = scan->event->fields + scan->event->field_count;
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
	if (!TAKE(scan, ", relay=") || !KEEP(scan, HOST, RELAY_NAME))
		return false;
	if (TAKE(scan, "[") && (!KEEP(scan, IP, RELAY_ADDR) || !TAKE(scan, "]")))
		return false;
	if (TAKE(scan, ":") && !KEEP(scan, NUMBER, RELAY_PORT))
		return false;
	if (TAKE(scan, ", conn_use=") && !KEEP(scan, NUMBER, CONNECTION_USE))
		return false;
	if (!TAKE(scan, ", delay=") || !KEEP(scan, DECIMAL, DELAY))
		return false;
	if (TAKE(scan, ", delays=") &&
	    !(KEEP(scan, DECIMAL, DELAY_BEFORE) && TAKE(scan, "/") && KEEP(scan, DECIMAL, DELAY_QUEUE) &&
	      TAKE(scan, "/") && KEEP(scan, DECIMAL, DELAY_CONNECTION) && TAKE(scan, "/") &&
	      KEEP(scan, DECIMAL, DELAY_TRANSFER)))
		return false;
	if (TAKE(scan, ", dsn=") && !KEEP(scan, WORD, DSN))
		return false;
	if (!TAKE(scan, ", status=") || !KEEP(scan, WORD, STATUS) || !TAKE(scan, " (") || scan->end[-1] != ')' || scan_is_at_end(scan))
		return false;
	scan_keep_text(scan, EVENT_NAME(REPLY), scan->at, scan->end - 1);
	return IS_KIND(scan, DELIVERY);
}

static bool read_qmgr(struct scan *scan)
{
	if (TAKE(scan, "removed"))
		return scan_is_at_end(scan) && IS_KIND(scan, REMOVED);
	return TAKE(scan, "from=<") && keep_address(scan, EVENT_NAME(FROM)) && TAKE(scan, ", size=") && KEEP(scan, NUMBER, SIZE) &&
	       TAKE(scan, ", nrcpt=") && KEEP(scan, NUMBER, RECIPIENTS) && TAKE(scan, " (queue ") &&
	       KEEP(scan, WORD, QUEUE) && TAKE(scan, ")") && scan_is_at_end(scan) && IS_KIND(scan, QUEUED);
}

static bool read_message_id(struct scan *scan)
{
	if (!TAKE(scan, "message-id=") || scan_is_at_end(scan))
		return false;
	return scan_keep_to(scan, EVENT_NAME(MESSAGE_ID), scan->end) && IS_KIND(scan, MESSAGE_ID);
}

/* ", orig_client=name[address]" and perhaps its port. */
static bool take_original(struct scan *scan)
{
	if (!TAKE(scan, ", orig_client=") || !KEEP(scan, HOST, ORIG_CLIENT_NAME) || !TAKE(scan, "[") ||
	    !KEEP(scan, IP, ORIG_CLIENT_ADDR) || !TAKE(scan, "]"))
		return false;
	return !TAKE(scan, ":") || KEEP(scan, NUMBER, ORIG_CLIENT_PORT);
}

/* Behind "client=". */
static bool read_client_line(struct scan *scan)
{
	if (!read_client(scan))
		return false;
	/* What a content filter gives back. */
	if (TAKE(scan, ", orig_queue_id=") && !(KEEP(scan, ALNUM, ORIG_QUEUE_ID) && take_original(scan)))
		return false;
	if (scan_is_at_end(scan))
		return IS_KIND(scan, CLIENT);
	return TAKE(scan, ", sasl_method=") && KEEP(scan, WORD, AUTH_TYPE) && TAKE(scan, ", sasl_username=") &&
	       keep_without_comma(scan, EVENT_NAME(AUTH_AUTHEN)) && IS_KIND(scan, CLIENT);
}

/* "reject: RCPT from ": the stage, which is one word of capitals. */
static bool take_reject(struct scan *scan)
{
	const char *start = scan->at;

	if (!TAKE(scan, "reject: "))
		return false;
	scan_keep_text(scan, EVENT_NAME(ACTION), start, start + sizeof "reject" - 1);
	return KEEP(scan, WORD, STAGE) && TAKE(scan, " from ");
}

static bool read_with_id(enum postfix_daemon daemon, struct scan *scan, size_t id)
{
	scan_take_id(scan, id);
	if (TAKE(scan, "to=<"))
		return read_delivery(scan);
	switch (daemon) {
	case POSTFIX_SMTPD:
		if (TAKE(scan, "client="))
			return read_client_line(scan);
		return take_reject(scan) && read_client(scan) && TAKE(scan, ": ") && !scan_is_at_end(scan) &&
		       keep_reply(scan) && IS_KIND(scan, REJECT);
	case POSTFIX_CLEANUP:
		return read_message_id(scan);
	case POSTFIX_QMGR:
		return read_qmgr(scan);
	case POSTFIX_POSTSCREEN:
		return take_reject(scan) && read_screened(scan) && TAKE(scan, ": ") && !scan_is_at_end(scan) &&
		       keep_reply(scan) && IS_KIND(scan, REJECT);
	case POSTFIX_DNSBLOG:
	case POSTFIX_SMTP:
	case POSTFIX_OTHER:
		break;
	}
	return false;
}

/* ---- kinds without one ---- */

/* "ehlo=1", and the blank behind it; false: not this count, or not a plain one. */
SCAN_INLINE bool keep_count(struct scan *scan, const char *word, size_t length, const char *name)
{
	struct scan count = *scan;

	if (!scan_take_bytes(&count, word, length) || scan_is_at_end(&count))
		return false;
	const char *at = scan_value_end(&count, SCAN_COUNT);

	if (at < scan->end && *at != ' ')
		return false;
	scan_keep_text(scan, name, count.at, at);
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
	if (scan_is_at_end(scan))
		return;
	scan_settle(scan);
	template_tail_counts((struct text){ scan->at, (size_t)(scan->end - scan->at) }, "counts", scan->event);
	scan->next = scan->event->fields + scan->event->field_count;
}

static bool read_disconnect(struct scan *scan)
{
	if (!read_client(scan))
		return false;
	if (scan_is_at_end(scan))
		return IS_KIND(scan, DISCONNECT);
	if (!TAKE(scan, " ") || scan_is_at_end(scan))
		return false;
	keep_counts(scan);
	return IS_KIND(scan, DISCONNECT);
}

/* "lost connection after RCPT from host[address]" */
static bool read_lost(struct scan *scan)
{
	return TAKE(scan, "lost connection after ") && KEEP(scan, WORD, STAGE) && TAKE(scan, " from ") && read_client(scan) &&
	       scan_is_at_end(scan) && IS_KIND(scan, LOST_CONNECTION);
}

/* " (256 bits)" */
static bool take_bits(struct scan *scan, const char *name)
{
	return TAKE(scan, " (") && scan_keep(scan, SCAN_NUMBER, name) && TAKE(scan, " bits)");
}

/* "name[address]:port" */
static bool read_server(struct scan *scan)
{
	return KEEP(scan, HOST, SERVER_NAME) && TAKE(scan, "[") && KEEP(scan, IP, SERVER_ADDR) && TAKE(scan, "]:") &&
	       KEEP(scan, NUMBER, SERVER_PORT);
}

/* Of an accepted connection, or of one that was made. */
static bool read_tls(struct scan *scan)
{
	if (!KEEP(scan, WORD, TLS_TRUST) || !TAKE(scan, " TLS connection established "))
		return false;
	if (!(TAKE(scan, "from ") ? read_client(scan) : TAKE(scan, "to ") && read_server(scan)) ||
	    !TAKE(scan, ": ") || !KEEP(scan, WORD, TLS_VERSION) || !TAKE(scan, " with cipher ") ||
	    !KEEP(scan, TOKEN, CIPHER) || !TAKE(scan, " (") || !KEEP(scan, NUMBER, CIPHER_BITS) || !TAKE(scan, "/") ||
	    !KEEP(scan, NUMBER, CIPHER_ALGORITHM_BITS) || !TAKE(scan, " bits)"))
		return false;
	if (TAKE(scan, " key-exchange ")) {
		if (!KEEP(scan, TOKEN, KEY_EXCHANGE))
			return false;
		if (scan->end - scan->at > 2 && scan->at[1] == '(' && !take_bits(scan, EVENT_NAME(KEY_EXCHANGE_BITS)))
			return false;
	}
	if (TAKE(scan, " server-signature ")) {
		if (!KEEP(scan, TOKEN, SERVER_SIGNATURE))
			return false;
		/* "ECDSA (P-256) server-digest SHA256": no number, and so all of it is details. */
		if (scan->end - scan->at > 3 && scan->at[1] == '(' && !byte_is_digit(scan->at[2])) {
			scan->at++;
			return scan_keep_to(scan, EVENT_NAME(TLS_DETAILS), scan->end) && IS_KIND(scan, TLS);
		}
		if (scan->end - scan->at > 2 && scan->at[1] == '(' && !take_bits(scan, EVENT_NAME(SERVER_SIGNATURE_BITS)))
			return false;
	}
	if (TAKE(scan, " server-digest ") && !KEEP(scan, TOKEN, SERVER_DIGEST))
		return false;
	return scan_is_at_end(scan) && IS_KIND(scan, TLS);
}

/* Behind "warning: " and what it names: "SASL LOGIN authentication failed: text"; the text holds no field of its own. */
static bool read_auth_failed(struct scan *scan)
{
	if (!read_client(scan) || !TAKE(scan, ": SASL ") || !KEEP(scan, WORD, AUTH_TYPE) ||
	    !TAKE(scan, " authentication failed:"))
		return false;
	if (scan_is_at_end(scan))
		return IS_KIND(scan, AUTH_FAILED);
	if (!TAKE(scan, " ") || scan_is_at_end(scan))
		return false;
	if (!KEEP(scan, COMMA, REASON))
		return false;
	if (scan_is_at_end(scan))
		return IS_KIND(scan, AUTH_FAILED);
	return TAKE(scan, ", sasl_username=") && keep_without_comma(scan, EVENT_NAME(AUTH_AUTHEN)) && IS_KIND(scan, AUTH_FAILED);
}

static bool read_smtpd(struct scan *scan)
{
	switch (*scan->at) {
	case 'c':
		return TAKE(scan, "connect from ") && read_client(scan) && scan_is_at_end(scan) && IS_KIND(scan, CONNECT);
	case 'd':
		return TAKE(scan, "disconnect from ") && read_disconnect(scan);
	case 'l':
		return read_lost(scan);
	case 'A':
		return read_tls(scan);
	case 'w':
		if (!TAKE(scan, "warning: "))
			return false;
		scan_keep_text(scan, EVENT_NAME(SEVERITY), scan->at - 9, scan->at - 2);
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
		       KEEP(scan, IP, DAEMON_ADDR) && TAKE(scan, "]:") && KEEP(scan, NUMBER, DAEMON_PORT) &&
		       scan_is_at_end(scan) && IS_KIND(scan, SCREEN_CONNECT);
	case 'P':
		return TAKE(scan, "PASS ") && KEEP(scan, WORD, VERDICT) && TAKE(scan, " ") && read_screened(scan) &&
		       scan_is_at_end(scan) && IS_KIND(scan, SCREEN_PASS);
	case 'D':
		if (TAKE(scan, "DISCONNECT "))
			return read_screened(scan) && scan_is_at_end(scan) && IS_KIND(scan, SCREEN_DISCONNECT);
		return TAKE(scan, "DNSBL rank ") && KEEP(scan, DECIMAL, RANK) && TAKE(scan, " for ") && read_screened(scan) &&
		       scan_is_at_end(scan) && IS_KIND(scan, SCREEN_DNSBL);
	default:
		return false;
	}
}

/* "addr 192.0.2.1 listed by domain dnsbl.example as 127.0.0.2"; IPv6 is left to the table. */
static bool read_dnsblog(struct scan *scan)
{
	return TAKE(scan, "addr ") && KEEP(scan, IPV4, CLIENT_ADDR) && TAKE(scan, " listed by domain ") &&
	       KEEP(scan, TOKEN, DOMAIN) && TAKE(scan, " as ") && KEEP(scan, TOKEN, ANSWER) && scan_is_at_end(scan) &&
	       IS_KIND(scan, DNSBL_HIT);
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

/* All of it in one function: so the walk stays in registers, and is not read again behind each field that is written. */
__attribute__((flatten)) bool postfix_fast_read(enum postfix_daemon daemon, struct event *event)
{
	struct text message = event->frame.message;
	struct scan scan = { message.start, message.start + message.length, event->fields, event };
	size_t id;

	/* A shorter message is none of these, or rare. Blanks at the end are the table's. */
	if (message.length < SCAN_VECTOR || scan.end[-1] == ' ')
		return false;
	id = scan_id_length(&scan);
	if (id ? read_with_id(daemon, &scan, id) : read_plain(daemon, &scan)) {
		scan_settle(&scan);
		return true;
	}
	event->field_count = 0;
	event->kind = NULL;
	return false;
}
