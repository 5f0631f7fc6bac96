/* format_cisco_cef.c - Cisco Secure Email Gateway: the consolidated event log in CEF, one line a message. */
#include "analysis/address_list.h"
#include "analysis/own_lines.h"
#include "analysis/pairs.h"

/* The administrator chooses the fields, and their order. Values have no escapes: each ends where a known key follows. */
static const struct pair_key keys[] = {
	{ "deviceExternalId", NULL, NULL }, { "ESAMID", NULL, NULL }, { "ESAICID", NULL, NULL }, { "ESADCID", "delivery_connection", NULL },
	{ "startTime", NULL, NULL }, { "endTime", NULL, NULL }, { "end", NULL, NULL }, { "dvc", EVENT_NAME(DAEMON_ADDR), NULL },
	{ "deviceDirection", NULL, NULL }, { "deviceInboundInterface", "inbound_interface", NULL },
	{ "deviceOutboundInterface", "outbound_interface", NULL }, { "ESAMailFlowPolicy", "mail_flow_policy", NULL },
	{ "ESASenderGroup", "sender_group", NULL }, { "sourceAddress", EVENT_NAME(CLIENT_ADDR), NULL },
	{ "sourceHostName", EVENT_NAME(CLIENT_NAME), NULL }, { "ESAHeloDomain", EVENT_NAME(HELO), NULL }, { "ESAHeloIP", "helo_addr", NULL },
	{ "suser", NULL, NULL }, { "duser", NULL, NULL }, { "ESAFriendlyFrom", "header_from", NULL }, { "ESAReplyTo", "reply_to", NULL },
	{ "cs1Label", NULL, NULL }, { "cs1", "policy", NULL }, { "cs2Label", NULL, NULL }, { "cs2", "country", NULL }, { "cs3Label", NULL, NULL },
	{ "cs3", "threat_category", NULL }, { "cs4Label", NULL, NULL }, { "cs4", NULL, NULL }, { "cs5Label", NULL, NULL },
	{ "cs5", "language", NULL }, { "cs6Label", NULL, NULL }, { "cs6", "reputation", NULL }, { "cfp1Label", NULL, NULL },
	{ "cfp1", "score", NULL }, { "ESAMsgSize", EVENT_NAME(SIZE), NULL }, { "act", NULL, NULL },
	{ "ESAFinalActionDetails", "action_details", NULL }, { "msg", NULL, NULL }, { "ESAASVerdict", "antispam", NULL },
	{ "ESAAVVerdict", "antivirus", NULL }, { "ESAAMPVerdict", "amp", NULL }, { "ESAGMVerdict", "graymail", NULL },
	{ "ESACFVerdict", "content_filter", NULL }, { "ESAMFVerdict", "message_filter", NULL }, { "ESAOFVerdict", "outbreak_filter", NULL },
	{ "ESADLPVerdict", "dlp", NULL }, { "ESASPFVerdict", "spf", NULL }, { "ESADKIMVerdict", "dkim", NULL },
	{ "ESADMARCVerdict", "dmarc", NULL }, { "ESAAttachmentDetails", "attachments", NULL }, { "ESAURLDetails", "urls", NULL },
	{ "ESATLSInCipher", EVENT_NAME(CIPHER), NULL }, { "ESATLSInConnStatus", "tls_in", NULL },
	{ "ESATLSInProtocol", EVENT_NAME(TLS_VERSION), NULL }, { "ESATLSOutCipher", "out_cipher", NULL },
	{ "ESATLSOutConnStatus", "tls_out", NULL }, { "ESATLSOutProtocol", "out_tls_version", NULL }, { "ESADaneHost", "dane_host", NULL },
	{ "ESADaneStatus", "dane_status", NULL }, { "ESADHASource", "dha_source", NULL }, { "ESARateLimitedIP", "rate_limited", NULL },
	{ "ESASDRDomainAge", "domain_age", NULL }, { "ESASDRConsolidatedDomainAge", "consolidated_domain_age", NULL },
	{ "ESASMIMEDecVerdict", "smime", NULL }, { "ESADPPVerdict", "dpp", NULL },
};

struct parts {
	struct text message, session, serial, start, end_time, end, direction, from, to, id, action, subject;
};

static const struct { const char *key; size_t offset; } kept[] = {
	{ "ESAMID", offsetof(struct parts, message) }, { "ESAICID", offsetof(struct parts, session) },
	{ "deviceExternalId", offsetof(struct parts, serial) }, { "startTime", offsetof(struct parts, start) },
	{ "endTime", offsetof(struct parts, end_time) }, { "end", offsetof(struct parts, end) },
	{ "deviceDirection", offsetof(struct parts, direction) }, { "suser", offsetof(struct parts, from) },
	{ "duser", offsetof(struct parts, to) }, { "cs4", offsetof(struct parts, id) }, { "act", offsetof(struct parts, action) },
	{ "msg", offsetof(struct parts, subject) },
};

static const struct { const char *action, *kind, *status; } actions[] = {
	{ "DELIVERED", EVENT_KIND(DELIVERY), "sent" },
	{ "BOUNCED", EVENT_KIND(DELIVERY), "bounced" },
	{ "QUARANTINED", EVENT_KIND(QUARANTINE), NULL },
	{ "DQ", EVENT_KIND(QUARANTINE), NULL },
	{ "DROPPED", EVENT_KIND(DISCARDED), NULL },
	{ "ABORTED", EVENT_KIND(REJECT), NULL },
	{ "REJECTED", EVENT_KIND(REJECT), NULL },
};

enum { TO_MAX = 12 };

static void take_pair(const struct pair_key *key, struct text value, struct parts *parts, struct event *event)
{
	while (value.length && value.start[value.length - 1] == ' ')
		value.length--;
	for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
		struct text *part = (struct text *)(void *)((char *)parts + kept[i].offset);

		if (strcmp(key->key, kept[i].key) == 0 && !part->start)
			*part = value;
	}
	if (key->name && value.length && !event_has(event, key->name))
		event_add(event, key->name, value);
}

/* "'<m@x>'" and "\"a subject\"": marks of either kind around it. */
static struct text unquoted(struct text text)
{
	if (text.length >= 2 && (text.start[0] == '\'' || text.start[0] == '"') && text.start[text.length - 1] == text.start[0])
		return (struct text){ text.start + 1, text.length - 2 };
	return text;
}

/* "a@b;c@d" or with commas. */
static void add_recipients(struct text list, struct event *event)
{
	for (int i = 0; list.length && i < TO_MAX; i++) {
		size_t length = 0;

		while (length < list.length && list.start[length] != ';' && list.start[length] != ',')
			length++;
		event_add_filled(event, EVENT_NAME(TO), address_without_brackets((struct text){ list.start, length }));
		list = length < list.length ? text_behind(list, length + 1) : TEXT_NONE;
		while (list.length && list.start[0] == ' ')
			list = text_behind(list, 1);
	}
	event_add_filled(event, EVENT_NAME(TO_MORE), list);
}

static void add_verdict(struct text action, struct event *event)
{
	event->kind = EVENT_KIND(SCANNED);
	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
		if (!text_equal_nocase(action, text_of(actions[i].action)))
			continue;
		event->kind = actions[i].kind;
		if (actions[i].status)
			event_add(event, EVENT_NAME(STATUS), text_of(actions[i].status));
	}
	event_add_filled(event, EVENT_NAME(OUTCOME), action);
}

/* Behind "CEF:0|Cisco|model|version|ESA_CONSOLIDATED_LOG_EVENT|name|severity|". */
static struct text extension_of(struct text text)
{
	static const char beginning[] = "CEF:0|Cisco|", event[] = "|ESA_CONSOLIDATED_LOG_EVENT|";
	const char *found;

	if (text.length < sizeof beginning || memcmp(text.start, beginning, sizeof beginning - 1) != 0)
		return TEXT_NONE;
	found = memmem(text.start, text.length < 200 ? text.length : 200, event, sizeof event - 1);
	if (!found)
		return TEXT_NONE;
	text = text_behind(text, (size_t)(found + sizeof event - 1 - text.start));
	for (int i = 0; i < 2; i++) {
		found = memchr(text.start, '|', text.length);
		if (!found)
			return TEXT_NONE;
		text = text_behind(text, (size_t)(found + 1 - text.start));
	}
	return text;
}

static bool read_line(struct text text, struct parts *parts, struct event *event)
{
	struct pairs pairs = { .rest = extension_of(text), .separator = ' ', .keys = keys, .count = sizeof keys / sizeof keys[0] };
	const struct pair_key *key;
	struct text value;

	*parts = (struct parts){ .message = TEXT_NONE };
	if (!pairs.rest.start)
		return false;
	while ((key = pairs_next(&pairs, &value)))
		take_pair(key, value, parts, event);
	if (!parts->message.length && !parts->session.length)
		return false;
	add_verdict(parts->action, event);
	event_add_filled(event, EVENT_NAME(QUEUE_ID), parts->message);
	event_add_filled(event, EVENT_NAME(SESSION_ID), parts->session);
	event_add_filled(event, "serial", parts->serial);
	if (parts->from.start)
		event_add(event, EVENT_NAME(FROM), address_without_brackets(parts->from));
	add_recipients(parts->to, event);
	event_add_filled(event, EVENT_NAME(MESSAGE_ID), unquoted(parts->id));
	event_add_filled(event, EVENT_NAME(SUBJECT), unquoted(parts->subject));
	if (text_is(parts->direction, "0") || text_is(parts->direction, "1"))
		event_add(event, EVENT_NAME(DIRECTION), text_is(parts->direction, "0") ? TEXT_LITERAL("in") : TEXT_LITERAL("out"));
	return true;
}

static enum format_result read_cef(struct event *event)
{
	struct parts parts;

	if (!event->frame.has_time || !extension_of(event->frame.message).start)
		return FORMAT_NOT_MINE;
	return read_line(event->frame.message, &parts, event) ? FORMAT_MATCHED : FORMAT_MALFORMED;
}

static enum own_result read_own(struct own_lines *own, struct text line, struct event *event)
{
	struct parts parts;
	struct text time;

	if (!extension_of(line).start)
		return OWN_NOT_MINE;
	event->frame.process = TEXT_LITERAL("cisco_esa");
	if (!read_line(line, &parts, event))
		return OWN_UNKNOWN;
	time = parts.end_time.start ? parts.end_time : parts.end.start ? parts.end : parts.start;
	event->frame.has_time = time.length && stamp_by_pattern(&own->stamps, time, "%a %b %d %H:%M:%S %Y", &event->frame.time_us) != 0;
	return event->frame.has_time ? OWN_EVENT : OWN_UNKNOWN;
}

static bool claims(struct own_lines *own, struct text line)
{
	(void)own;
	return extension_of(line).start != NULL;
}

const struct format format_cisco_cef = {
	.name = "cisco_cef",
	.summary = "Cisco Secure Email Gateway (ESA): consolidated event log in CEF",
	.page = {
		.where = "Cisco Secure Email Gateway: log subscription Consolidated Event Logs",
		.get = "what your syslog server wrote, or the file: one line a message",
		.joins = "MID, ICID and DCID, with the appliance's serial number",
		.tells = "one line a message: sender, recipients, verdicts, SPF, DKIM, DMARC, TLS, what was done",
		.lacks = "fields that the subscription does not ask for; each attempt; replies",
	},
	.read = read_cef,
	.claims = claims,
	.read_own = read_own,
	.is_tacit = true,
};
