/* format_mimecast.c - Mimecast: SIEM logs of the first interface (pipes or JSON) and events of the second (JSON). */
#include "analysis/address_list.h"
#include "analysis/json_line.h"
#include "analysis/pairs.h"

/* What a record may tell, whatever its kind and generation call it. */
enum part {
	TIME, MILLISECONDS, CODE, BRANCH, ACCOUNT, DIRECTION, SENDER, HEADER_FROM, RECIPIENT, SUBJECT, MESSAGE_ID, SOURCE_ADDR, DESTINATION_ADDR,
	DESTINATION_NAME, ACT, REJECT_TYPE, REJECT_CODE, REJECT_INFO, ERROR, TLS_NAME, CIPHER, SCORE, VIRUS, HOLD, SIZE, DELIVERED, ATTEMPT, LATENCY,
	ACKNOWLEDGED, ROUTE, ATTACHMENTS, TYPE, SPAM_DETAILS, PART_COUNT,
};

/* Names of each part, the first interface's and the second's. */
static const struct name { const char *name; enum part part; } names[] = {
	{ "datetime", TIME }, { "timestamp", MILLISECONDS }, { "aCode", CODE }, { "aggregateId", CODE }, { "processingId", BRANCH },
	{ "acc", ACCOUNT }, { "accountId", ACCOUNT }, { "Dir", DIRECTION }, { "direction", DIRECTION }, { "Sender", SENDER },
	{ "senderEnvelope", SENDER }, { "headerFrom", HEADER_FROM }, { "senderHeader", HEADER_FROM }, { "Rcpt", RECIPIENT },
	{ "Recipient", RECIPIENT }, { "recipients", RECIPIENT }, { "Subject", SUBJECT }, { "subject", SUBJECT }, { "MsgId", MESSAGE_ID },
	{ "messageId", MESSAGE_ID }, { "IP", SOURCE_ADDR }, { "SourceIP", SOURCE_ADDR }, { "senderIp", SOURCE_ADDR },
	{ "destinationIp", DESTINATION_ADDR }, { "Hostname", DESTINATION_NAME }, { "Act", ACT }, { "action", ACT }, { "RejType", REJECT_TYPE },
	{ "rejectionType", REJECT_TYPE }, { "RejCode", REJECT_CODE }, { "rejectionCode", REJECT_CODE }, { "RejInfo", REJECT_INFO },
	{ "rejectionInfo", REJECT_INFO }, { "Err", ERROR }, { "Error", ERROR }, { "deliveryErrors", ERROR }, { "receiptErrors", ERROR },
	{ "TlsVer", TLS_NAME }, { "tlsVersion", TLS_NAME }, { "Cphr", CIPHER }, { "tlsCipher", CIPHER }, { "SpamScore", SCORE },
	{ "spamScore", SCORE }, { "Virus", VIRUS }, { "virusFound", VIRUS }, { "Hld", HOLD }, { "holdReason", HOLD }, { "MsgSize", SIZE },
	{ "emailSize", SIZE }, { "Size", SIZE }, { "Delivered", DELIVERED }, { "delivered", DELIVERED }, { "Attempt", ATTEMPT },
	{ "deliveryAttempts", ATTEMPT }, { "Latency", LATENCY }, { "deliveryTime", LATENCY }, { "ReceiptAck", ACKNOWLEDGED },
	{ "Route", ROUTE }, { "route", ROUTE }, { "AttNames", ATTACHMENTS }, { "attachments", ATTACHMENTS }, { "type", TYPE },
	{ "SpamProcessingDetail", SPAM_DETAILS }, { "spamProcessingDetail", SPAM_DETAILS },
};

enum { KEY_COUNT = sizeof names / sizeof names[0] };

/* Keys of the form with pipes that hold words of others are followed by a pipe and a known key; all that may come. */
static const struct pair_key pipe_keys[] = {
	{ "datetime", NULL, NULL }, { "aCode", NULL, NULL }, { "acc", NULL, NULL }, { "Dir", NULL, NULL }, { "Route", NULL, NULL },
	{ "Sender", NULL, NULL }, { "headerFrom", NULL, NULL }, { "Rcpt", NULL, NULL }, { "Recipient", NULL, NULL }, { "Subject", NULL, NULL },
	{ "MsgId", NULL, NULL }, { "IP", NULL, NULL }, { "SourceIP", NULL, NULL }, { "Act", NULL, NULL }, { "RejType", NULL, NULL },
	{ "RejCode", NULL, NULL }, { "RejInfo", NULL, NULL }, { "Err", NULL, NULL }, { "Error", NULL, NULL }, { "TlsVer", NULL, NULL },
	{ "Cphr", NULL, NULL }, { "UseTls", NULL, NULL }, { "SpamScore", NULL, NULL }, { "SpamLimit", NULL, NULL }, { "SpamInfo", NULL, NULL },
	{ "SpamProcessingDetail", NULL, NULL }, { "Virus", NULL, NULL }, { "AttCnt", NULL, NULL }, { "AttSize", NULL, NULL },
	{ "AttNames", NULL, NULL }, { "MsgSize", NULL, NULL }, { "Hld", NULL, NULL }, { "Delivered", NULL, NULL }, { "Attempt", NULL, NULL },
	{ "Snt", NULL, NULL }, { "Latency", NULL, NULL }, { "ReceiptAck", NULL, NULL }, { "RcptActType", NULL, NULL }, { "RcptHdrType", NULL, NULL },
	{ "CustomerIP", NULL, NULL }, { "MimecastIP", NULL, NULL }, { "SenderDomain", NULL, NULL }, { "fileName", NULL, NULL },
	{ "fileExt", NULL, NULL }, { "fileMime", NULL, NULL }, { "md5", NULL, NULL }, { "sha1", NULL, NULL }, { "sha256", NULL, NULL },
	{ "Size", NULL, NULL }, { "url", NULL, NULL }, { "urlCategory", NULL, NULL }, { "reason", NULL, NULL }, { "IPNewDomain", NULL, NULL },
	{ "IPReplyMismatch", NULL, NULL }, { "IPInternalName", NULL, NULL }, { "IPThreadDict", NULL, NULL }, { "IPSimilarDomain", NULL, NULL },
	{ "Definition", NULL, NULL }, { "Hits", NULL, NULL }, { "TaggedExternal", NULL, NULL }, { "TaggedMalicious", NULL, NULL },
	{ "ScanResultInfo", NULL, NULL }, { "SenderDomainInternal", NULL, NULL }, { "Hostname", NULL, NULL },
};

/* ---- reading ---- */

static void set(struct text *parts, struct text name, struct text value)
{
	for (unsigned i = 0; i < KEY_COUNT; i++)
		if (text_is(name, names[i].name)) {
			if (!parts[names[i].part].start)
				parts[names[i].part] = value;
			return;
		}
}

/* "\text\": words of the sender stand between backslashes. */
static struct text unwrapped(struct text text)
{
	if (text.length >= 2 && text.start[0] == '\\' && text.start[text.length - 1] == '\\')
		return (struct text){ text.start + 1, text.length - 2 };
	return text;
}

static bool read_pipes(struct text line, struct text *parts)
{
	struct pairs pairs = { .rest = line, .separator = '|', .keys = pipe_keys, .count = sizeof pipe_keys / sizeof pipe_keys[0] };
	const struct pair_key *key;
	struct text value;

	while ((key = pairs_next(&pairs, &value)))
		set(parts, text_of(key->key), unwrapped(value));
	return parts[TIME].start && pairs.rest.length == 0;
}

static bool read_json(struct own_lines *own, struct text line, struct text *parts)
{
	struct json_scan scan;
	struct json_value value;
	struct text name;

	if (!json_scan_begin(&scan, line) || !scan.is_object)
		return false;
	while (json_scan_next(&scan, &name, &value))
		if (value.type != SCAN_NULL)
			set(parts, name, json_line_value(own, &value));
	return json_scan_is_whole(&scan);
}

/* ---- what a record means ---- */

static bool is_true(struct text text)
{
	return text_equal_nocase(text, TEXT_LITERAL("true")) || text_equal_nocase(text, TEXT_LITERAL("yes"));
}

/* A kind of its own, or a further view of a message that has its other records: archive, scanners. */
static bool is_further(struct text type)
{
	static const char *const further[] = {
		"journal", "av", "spam", "attachment protect", "impersonation protect", "internal email protect", "url protect", "mailflow", "entities",
	};

	for (size_t i = 0; i < sizeof further / sizeof further[0]; i++)
		if (text_equal_nocase(type, text_of(further[i])))
			return true;
	return false;
}

static bool add_delivery(const struct text *parts, struct event *event)
{
	bool is_refused = parts[REJECT_CODE].length && parts[REJECT_CODE].start[0] == '5';

	event->kind = EVENT_KIND(DELIVERY);
	event_add(event, EVENT_NAME(STATUS), is_true(parts[DELIVERED]) ? TEXT_LITERAL("sent")
		  : is_refused ? TEXT_LITERAL("bounced") : TEXT_LITERAL("deferred"));
	event_add_filled(event, EVENT_NAME(RELAY_ADDR), parts[DESTINATION_ADDR].length ? parts[DESTINATION_ADDR] : parts[SOURCE_ADDR]);
	event_add_filled(event, EVENT_NAME(RELAY_NAME), parts[DESTINATION_NAME]);
	return true;
}

static bool add_kind(const struct text *parts, struct event *event)
{
	struct text act = parts[ACT];
	bool is_receipt = parts[SOURCE_ADDR].start || text_is(parts[TYPE], "receipt");

	if (is_further(parts[TYPE])) {
		event->kind = "scan_details";
		event_add_filled(event, "type", parts[TYPE]);
		event_add_filled(event, EVENT_NAME(OUTCOME), act);
		return true;
	}
	if (parts[DELIVERED].start)
		return add_delivery(parts, event);
	if (!act.length)
		return false;
	event_add_filled(event, EVENT_NAME(OUTCOME), act);
	if (text_equal_nocase(act, TEXT_LITERAL("Rej")))
		event->kind = EVENT_KIND(REJECT);
	else if (text_equal_nocase(act, TEXT_LITERAL("Hld")) || text_equal_nocase(act, TEXT_LITERAL("Hold")))
		event->kind = EVENT_KIND(HELD);
	else if (text_equal_nocase(act, TEXT_LITERAL("Ign")))
		event->kind = EVENT_KIND(DISCARD);
	else
		event->kind = is_receipt ? EVENT_KIND(RECEIVED) : EVENT_KIND(SCANNED);
	if (is_receipt)
		event_add_filled(event, EVENT_NAME(CLIENT_ADDR), parts[SOURCE_ADDR]);
	return true;
}

/* "550" and "5.4.1 Recipient address rejected" stand apart. */
static void add_reply(struct own_lines *own, const struct text *parts, struct event *event)
{
	struct text words = parts[REJECT_INFO].length ? parts[REJECT_INFO] : parts[REJECT_TYPE], reply;

	if (parts[ACKNOWLEDGED].length) {
		event_add(event, EVENT_NAME(REPLY), parts[ACKNOWLEDGED]);
		return;
	}
	if (!parts[REJECT_CODE].length) {
		event_add_filled(event, EVENT_NAME(REPLY), words);
		return;
	}
	reply = own_keep(own, parts[REJECT_CODE]);
	if (words.length) {
		reply.length += own_keep(own, TEXT_LITERAL(" ")).length;
		reply.length += own_keep(own, words).length;
	}
	event_add(event, EVENT_NAME(REPLY), reply);
}

static void add_direction(struct text direction, struct event *event)
{
	if (text_equal_nocase(direction, TEXT_LITERAL("Inbound")))
		event_add(event, EVENT_NAME(DIRECTION), TEXT_LITERAL("in"));
	else if (text_equal_nocase(direction, TEXT_LITERAL("Outbound")))
		event_add(event, EVENT_NAME(DIRECTION), TEXT_LITERAL("out"));
	else
		event_add_filled(event, "directionality", direction);
}

static bool read_time(struct own_lines *own, const struct text *parts, int64_t *ret_us)
{
	struct text number = parts[MILLISECONDS];
	int64_t milliseconds = 0;

	if (parts[TIME].start)
		return stamp_by_pattern(&own->stamps, parts[TIME], "%Y-%m-%dT%H:%M:%S%f%z", ret_us) != 0;
	for (size_t i = 0; i < number.length; i++) {
		if (number.start[i] < '0' || number.start[i] > '9' || i > 14)
			return false;
		milliseconds = milliseconds * 10 + (number.start[i] - '0');
	}
	*ret_us = milliseconds * 1000;
	return number.length != 0;
}

static void add_parts(const struct text *parts, struct event *event)
{
	static const struct { enum part part; const char *name; } shown[] = {
		{ MESSAGE_ID, EVENT_NAME(MESSAGE_ID) }, { SUBJECT, EVENT_NAME(SUBJECT) }, { SIZE, EVENT_NAME(SIZE) },
		{ HEADER_FROM, "header_from" }, { REJECT_TYPE, "reject_type" }, { ERROR, EVENT_NAME(ERROR) }, { HOLD, "hold_reason" },
		{ TLS_NAME, EVENT_NAME(TLS_VERSION) }, { CIPHER, EVENT_NAME(CIPHER) }, { SCORE, "score" }, { VIRUS, "virus" },
		{ ATTEMPT, "attempt" }, { LATENCY, "latency_ms" }, { ROUTE, "route" }, { ATTACHMENTS, "attachments" }, { BRANCH, "processing_id" },
		{ ACCOUNT, "account" }, { SPAM_DETAILS, "spam_details" },
	};

	for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++)
		event_add_filled(event, shown[i].name, parts[shown[i].part]);
}

static enum own_result read_own(struct own_lines *own, struct text line, struct event *event)
{
	struct text parts[PART_COUNT];
	bool is_read;

	for (unsigned i = 0; i < PART_COUNT; i++)
		parts[i] = TEXT_NONE;
	if (!line.length)
		return OWN_NOTHING;
	is_read = line.start[0] == '{' ? read_json(own, line, parts) : read_pipes(line, parts);
	event->frame.has_time = is_read && read_time(own, parts, &event->frame.time_us);
	if (!event->frame.has_time || !parts[CODE].length || !add_kind(parts, event))
		return OWN_UNKNOWN;
	event->frame.process = TEXT_LITERAL("mimecast");
	event_add(event, EVENT_NAME(QUEUE_ID), parts[CODE]);
	if (parts[SENDER].start)
		event_add(event, EVENT_NAME(FROM), address_without_brackets(parts[SENDER]));
	event_add_filled(event, EVENT_NAME(TO), address_without_brackets(parts[RECIPIENT]));
	add_reply(own, parts, event);
	add_direction(parts[DIRECTION], event);
	add_parts(parts, event);
	return OWN_EVENT;
}

static bool has(struct text line, const char *words)
{
	return memmem(line.start, line.length, words, strlen(words)) != NULL;
}

static bool claims(struct own_lines *own, struct text line)
{
	(void)own;
	if (!line.length)
		return false;
	if (line.start[0] == '{')
		return (has(line, "\"aCode\"") && has(line, "\"datetime\"")) || (has(line, "\"aggregateId\"") && has(line, "\"processingId\""));
	return line.length > 9 && memcmp(line.start, "datetime=", 9) == 0 && has(line, "|aCode=");
}

const struct format format_mimecast = {
	.name = "mimecast",
	.summary = "Mimecast: SIEM logs, pipes or JSON, and events of the second interface",
	.page = {
		.where = "Mimecast: Administration, Account, Enhanced Logging; the API /api/audit/get-siem-logs, or events of the second interface",
		.get = "the downloaded files as they are: key=value with pipes, or JSON, one a line",
		.joins = "aCode, or aggregateId; Message-ID as a hint",
		.tells = "what was received, refused (with the reason), held, and each attempt to deliver with the reply",
		.lacks = "sessions; content; who released a held message",
	},
	.claims = claims,
	.read_own = read_own,
	.is_tacit = true,
};
