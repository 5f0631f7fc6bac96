/* format_exchange_smtp.c - SMTP protocol logs of Exchange 2007 to 2019: SmtpReceive and SmtpSend. */
#include "analysis/smtp_line.h"
#include "analysis/log_table.h"

enum column { DATE_TIME, SESSION_ID, EVENT, DATA, CONNECTOR_ID, SEQUENCE_NUMBER, LOCAL_ENDPOINT, REMOTE_ENDPOINT, CONTEXT, COLUMN_COUNT };

static const char *const column_names[COLUMN_COUNT] = {
	"date-time", "session-id", "event", "data", "connector-id", "sequence-number", "local-endpoint", "remote-endpoint", "context",
};

static const struct log_table_head head = { column_names, COLUMN_COUNT, 4 };

enum direction { DIRECTION_UNKNOWN, DIRECTION_IN, DIRECTION_OUT };

struct smtp_file {
	struct log_table table;
	enum direction direction;	/* of the whole file, as its head says */
};

static struct text field(const struct own_lines *own, enum column column)
{
	const struct smtp_file *file = own->state;

	return log_table_field(&file->table, own, column);
}

/* "192.0.2.1:25", "[fe80::1%4]:25"; the address is written with brackets only where it has colons. */
static void split_endpoint(struct text endpoint, struct text *ret_addr, struct text *ret_port)
{
	const char *colon = endpoint.start ? memrchr(endpoint.start, ':', endpoint.length) : NULL;

	*ret_addr = endpoint;
	*ret_port = TEXT_NONE;
	if (!colon)
		return;
	*ret_port = (struct text){ colon + 1, (size_t)(endpoint.start + endpoint.length - colon - 1) };
	ret_addr->length = (size_t)(colon - endpoint.start);
	if (ret_addr->length >= 2 && endpoint.start[0] == '[' && colon[-1] == ']')
		*ret_addr = (struct text){ endpoint.start + 1, ret_addr->length - 2 };
}

static bool is_smtp_port(struct text port)
{
	static const char *const ports[] = { "25", "465", "475", "587", "717", "2525" };

	for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++)
		if (text_is(port, ports[i]))
			return true;
	return false;
}

/* Who is client is told by the head of the file, else by who sends replies, else by the ports. */
static enum direction direction_of(const struct own_lines *own, struct text event, struct text data)
{
	const struct smtp_file *file = own->state;
	struct text addr, local_port, remote_port;

	if (file->direction != DIRECTION_UNKNOWN)
		return file->direction;
	if (text_is(event, ">") || text_is(event, "<"))
		return smtp_line_is_reply(data) == text_is(event, ">") ? DIRECTION_IN : DIRECTION_OUT;
	split_endpoint(field(own, LOCAL_ENDPOINT), &addr, &local_port);
	split_endpoint(field(own, REMOTE_ENDPOINT), &addr, &remote_port);
	if (is_smtp_port(local_port) != is_smtp_port(remote_port))
		return is_smtp_port(local_port) ? DIRECTION_IN : DIRECTION_OUT;
	return DIRECTION_UNKNOWN;
}

static void add_endpoints(const struct own_lines *own, enum direction direction, struct event *event)
{
	bool is_in = direction != DIRECTION_OUT;
	struct text addr, port;

	split_endpoint(field(own, REMOTE_ENDPOINT), &addr, &port);
	event_add(event, is_in ? EVENT_NAME(CLIENT_ADDR) : EVENT_NAME(SERVER_ADDR), addr);
	event_add(event, is_in ? EVENT_NAME(CLIENT_PORT) : EVENT_NAME(SERVER_PORT), port);
	split_endpoint(field(own, LOCAL_ENDPOINT), &addr, &port);
	event_add(event, is_in ? EVENT_NAME(DAEMON_ADDR) : "local_addr", addr);
	event_add(event, is_in ? EVENT_NAME(DAEMON_PORT) : "local_port", port);
}

/* The word behind these. */
static void add_between(struct event *event, const char *name, struct text text, const char *words)
{
	size_t length = strlen(words);
	const char *found = memmem(text.start, text.length, words, length), *at = found ? found + length : NULL;

	while (at && at < text.start + text.length && *at != ' ')
		at++;
	if (found)
		event_add(event, name, (struct text){ found + length, (size_t)(at - found - (ptrdiff_t)length) });
}

/* "*": what the server says of itself; TLS and failures have kinds of their own. */
static void add_information(const struct own_lines *own, struct event *event)
{
	struct text data = field(own, DATA), context = field(own, CONTEXT);

	event->kind = "session_note";
	if (text_has(context, "TLS protocol") && text_has(context, "negotiation succeeded"))
		event->kind = EVENT_KIND(TLS);
	else if (text_has(context, "TLS negotiation failed") || text_has(context, "negotiation failed"))
		event->kind = EVENT_KIND(TLS_ERROR);
	if (event->kind == EVENT_KIND(TLS)) {
		add_between(event, EVENT_NAME(TLS_VERSION), context, "TLS protocol ");
		add_between(event, EVENT_NAME(CIPHER), context, "encryption algorithm ");
		add_between(event, EVENT_NAME(CIPHER_BITS), context, "with strength ");
		event_add(event, EVENT_NAME(TLS_DETAILS), context);
		event_add(event, "data", data);
	} else if (event->kind == EVENT_KIND(TLS_ERROR)) {
		event_add(event, EVENT_NAME(ERROR), context);
		event_add(event, "data", data);
	} else {
		event_add(event, EVENT_NAME(NOTE), context);
		event_add(event, "data", data);
	}
}

static bool add_line(const struct own_lines *own, struct text what, struct text data, struct event *event)
{
	struct text context = field(own, CONTEXT);

	if (text_is(what, "+")) {
		event->kind = EVENT_KIND(CONNECT);
	} else if (text_is(what, "-")) {
		event->kind = EVENT_KIND(DISCONNECT);
		/* "Local", "Remote", or an error of the network. */
		if (context.start)
			event_add(event, EVENT_NAME(REASON), context);
		return true;
	} else if (text_is(what, "*")) {
		add_information(own, event);
		return true;
	} else if (!text_is(what, ">") && !text_is(what, "<")) {
		return false;
	} else if (smtp_line_is_reply(data)) {
		smtp_line_add_reply(event, data);
	} else {
		smtp_line_add_command(event, data.start ? data : TEXT_LITERAL(""));
	}
	event_add(event, EVENT_NAME(NOTE), context);
	return true;
}

/* "EX01\\Default Frontend EX01": a connector that receives is named with its server. */
static struct text host_of(struct text connector)
{
	const char *slash = connector.length ? memchr(connector.start, '\\', connector.length) : NULL;

	return slash ? (struct text){ connector.start, (size_t)(slash - connector.start) } : TEXT_NONE;
}

static enum own_result read_own(struct own_lines *own, struct text line, struct event *event)
{
	struct smtp_file *file = own->state;
	bool had_columns = file->table.has_columns;
	enum own_result result = log_table_read(&file->table, &head, own, line, event);
	enum direction direction;

	if (!had_columns || (line.length && line.start[0] == '#'))
		file->direction = strstr(own->log_type, "Receive") ? DIRECTION_IN
				: strstr(own->log_type, "Send") ? DIRECTION_OUT : DIRECTION_UNKNOWN;
	if (result != OWN_EVENT)
		return result;
	event->frame.has_time = stamp_by_pattern(&own->stamps, field(own, DATE_TIME), "%Y-%m-%dT%H:%M:%S%f%z", &event->frame.time_us) != 0;
	if (!event->frame.has_time || !add_line(own, field(own, EVENT), field(own, DATA), event))
		return OWN_UNKNOWN;
	direction = direction_of(own, field(own, EVENT), field(own, DATA));
	event->frame.process = TEXT_LITERAL("exchange");
	event->frame.host = host_of(field(own, CONNECTOR_ID));
	event_add(event, EVENT_NAME(SESSION_ID), field(own, SESSION_ID));
	if (direction != DIRECTION_UNKNOWN)
		event_add(event, EVENT_NAME(DIRECTION), direction == DIRECTION_IN ? TEXT_LITERAL("in") : TEXT_LITERAL("out"));
	add_endpoints(own, direction, event);
	event_add(event, "connector", field(own, CONNECTOR_ID));
	event_add(event, "sequence", field(own, SEQUENCE_NUMBER));
	return OWN_EVENT;
}

static bool claims(struct own_lines *own, struct text line)
{
	struct log_table table;

	return memmem(line.start, line.length, "session-id", 10) && log_table_begin(&table, &head, own, line);
}

const struct format format_exchange_smtp = {
	.name = "exchange_smtp",
	.summary = "Exchange 2007 to 2019: SMTP protocol logs, receive and send",
	.page = {
		.where = "%ExchangeInstallPath%TransportRoles\\Logs\\FrontEnd\\ProtocolLog and ...\\Hub\\ProtocolLog, SmtpReceive and SmtpSend; a connector writes them with ProtocolLoggingLevel Verbose",
		.get = "copy the files RECV*.LOG and SEND*.LOG; columns as #Fields: says",
		.joins = "session-id; the server and the InternalId of the last reply tie a message to message tracking",
		.tells = "each command with its reply, in both directions; TLS; logins; where a session failed and what the code means there; whether QUIT came",
		.lacks = "content, subjects; what became of a message that was accepted (message tracking tells); the server's name where a connector sends",
	},
	.claims = claims,
	.read_own = read_own,
	.own_size = sizeof(struct smtp_file),
};
