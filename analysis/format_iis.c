/* format_iis.c - the SMTP service of IIS, in its three forms: W3C extended, Microsoft IIS, NCSA common. */
#include <stdio.h>

#include "analysis/own_lines.h"
#include "analysis/smtp_line.h"

enum { PARTS_MAX = 40 };

/* A row tells a command of a client and the code of its reply, or one line of a dialogue with another server. */
enum part {
	DATE, TIME, CLIENT_IP, METHOD, USERNAME, COMPUTER, SERVER_IP, SERVER_PORT, QUERY, STATUS, CLIENT_BYTES,
	SERVER_BYTES, TIME_TAKEN, PART_COUNT,
};

/* Of the W3C form; the first NEEDED decide that it is one. */
static const char *const part_names[PART_COUNT] = {
	"date", "time", "c-ip", "cs-method", "cs-username", "s-computername", "s-ip", "s-port", "cs-uri-query", "sc-status",
	"cs-bytes", "sc-bytes", "time-taken",
};

struct iis_file {
	bool has_columns;
	unsigned width;
	unsigned char columns[PART_COUNT];	/* PARTS_MAX: none */
	bool has_reply;				/* the row that is read: its reply is the next event */
};

struct row {
	struct text parts[PART_COUNT];		/* absent: not told */
	int64_t time_us;
};

/* ---- splitting ---- */

static unsigned split(struct text line, char separator, struct text *parts)
{
	unsigned count = 0;

	while (count < PARTS_MAX) {
		const char *end = memchr(line.start, separator, line.length);

		parts[count++] = (struct text){ line.start, end ? (size_t)(end - line.start) : line.length };
		if (!end)
			return count;
		line = text_behind(line, (size_t)(end + 1 - line.start));
		/* ", " of the form of IIS. */
		if (separator == ',' && line.length && line.start[0] == ' ')
			line = text_behind(line, 1);
	}
	return PARTS_MAX + 1;
}

static struct text unless_nothing(struct text part)
{
	return part.length == 0 || text_is(part, "-") ? TEXT_NONE : part;
}

/* "+FROM:<a@b>+SIZE=1": a plus stands for a blank, and the first for none. */
static struct text with_blanks(struct own_lines *own, struct text query)
{
	struct text copy = own_keep(own, query);

	for (size_t i = 0; i < copy.length; i++)
		if (copy.start[i] == '+')
			own->kept[copy.start + i - own->kept] = ' ';
	return copy.length && copy.start[0] == ' ' ? text_behind(copy, 1) : copy;
}

/* ---- the three forms ---- */

static bool begin_w3c(struct iis_file *file, struct text line)
{
	static const char fields[] = "#Fields: ";
	struct text parts[PARTS_MAX];
	unsigned count;

	if (!text_starts(line, fields))
		return false;
	count = split(text_behind(line, sizeof fields - 1), ' ', parts);
	file->has_columns = false;
	if (count > PARTS_MAX)
		return false;
	while (count && parts[count - 1].length == 0)
		count--;
	file->width = count;
	for (unsigned i = 0; i < PART_COUNT; i++) {
		unsigned column = 0;

		while (column < count && !text_equal_nocase(parts[column], text_of(part_names[i])))
			column++;
		file->columns[i] = (unsigned char)(column < count ? column : PARTS_MAX);
	}
	file->has_columns = file->columns[TIME] < PARTS_MAX && file->columns[CLIENT_IP] < PARTS_MAX &&
			    file->columns[METHOD] < PARTS_MAX;
	return file->has_columns;
}

/* In UTC; where there is no date in the row it is that of the file's head. */
static bool read_w3c(const struct iis_file *file, struct own_lines *own, struct text line, struct row *row)
{
	struct text parts[PARTS_MAX], date;
	char moment[64];
	int length;

	if (split(line, ' ', parts) != file->width)
		return false;
	for (unsigned i = 0; i < PART_COUNT; i++)
		row->parts[i] = file->columns[i] < PARTS_MAX ? unless_nothing(parts[file->columns[i]]) : TEXT_NONE;
	date = row->parts[DATE].start ? row->parts[DATE] : (struct text){ own->date, strcspn(own->date, " T") };
	length = snprintf(moment, sizeof moment, "%.*s %.*sZ", TEXT_ARGS(date), TEXT_ARGS(row->parts[TIME]));
	return length > 0 && (size_t)length < sizeof moment &&
	       stamp_by_pattern(&own->stamps, (struct text){ moment, (size_t)length }, "%Y-%m-%d %H:%M:%S%z", &row->time_us) != 0;
}

/* "192.0.2.1, user, 11/21/2026, 8:00:00, SMTPSVC1, SERVER, 10.0.0.1, 0, 20, 123, 250, 0, EHLO, -, +mx.example.com," */
static bool read_iis(struct own_lines *own, struct text line, struct row *row)
{
	enum { ADDRESS, USER, DAY, CLOCK, SERVICE, MACHINE, LOCAL, TAKEN, RECEIVED, SENT, CODE, ERROR, VERB, TARGET, ARGUMENTS };
	struct text parts[PARTS_MAX];
	char moment[64];
	int length;

	if (split(line, ',', parts) <= ARGUMENTS || !text_starts(parts[SERVICE], "SMTPSVC"))
		return false;
	*row = (struct row){ .parts = {
		[CLIENT_IP] = parts[ADDRESS], [USERNAME] = parts[USER], [COMPUTER] = parts[MACHINE], [SERVER_IP] = parts[LOCAL],
		[TIME_TAKEN] = parts[TAKEN], [CLIENT_BYTES] = parts[RECEIVED], [SERVER_BYTES] = parts[SENT], [STATUS] = parts[CODE],
		[METHOD] = parts[VERB], [QUERY] = parts[ARGUMENTS],
	} };
	/* A query with commas in it goes to the end of the line. */
	row->parts[QUERY].length = (size_t)(line.start + line.length - parts[ARGUMENTS].start);
	if (row->parts[QUERY].length && row->parts[QUERY].start[row->parts[QUERY].length - 1] == ',')
		row->parts[QUERY].length--;
	for (unsigned i = 0; i < PART_COUNT; i++)
		row->parts[i] = unless_nothing(row->parts[i]);
	length = snprintf(moment, sizeof moment, "%.*s %.*s", TEXT_ARGS(parts[DAY]), TEXT_ARGS(parts[CLOCK]));
	return length > 0 && (size_t)length < sizeof moment &&
	       stamp_by_pattern(&own->stamps, (struct text){ moment, (size_t)length }, "%m/%d/%Y %H:%M:%S", &row->time_us) != 0;
}

/* "192.0.2.1 - user [21/Nov/2026:08:00:00 +0100] \"EHLO -?+mx.example.com SMTP\" 250 123" */
static bool read_ncsa(struct own_lines *own, struct text line, struct row *row)
{
	struct text parts[4], rest = line;
	const char *end;

	for (int i = 0; i < 3; i++) {
		end = memchr(rest.start, ' ', rest.length);
		if (!end)
			return false;
		parts[i] = (struct text){ rest.start, (size_t)(end - rest.start) };
		rest = text_behind(rest, (size_t)(end + 1 - rest.start));
	}
	if (!text_starts(rest, "["))
		return false;
	size_t length = stamp_by_pattern(&own->stamps, text_behind(rest, 1), "%d/%b/%Y:%H:%M:%S %z", &row->time_us);

	rest = text_behind(rest, length + 1);
	if (!length || !text_starts(rest, "] \""))
		return false;
	rest = text_behind(rest, 3);
	/* A name in quotes may hold what looks like the end: the last counts. */
	end = NULL;
	for (const char *at = rest.start; (at = memmem(at, (size_t)(rest.start + rest.length - at), " SMTP\" ", 7)); at++)
		end = at;
	if (!end)
		return false;
	parts[3] = (struct text){ rest.start, (size_t)(end - rest.start) };
	rest = text_behind(rest, (size_t)(end + 7 - rest.start));
	for (unsigned i = 0; i < PART_COUNT; i++)
		row->parts[i] = TEXT_NONE;
	row->parts[CLIENT_IP] = unless_nothing(parts[0]);
	row->parts[USERNAME] = unless_nothing(parts[2]);
	end = memchr(parts[3].start, ' ', parts[3].length);
	row->parts[METHOD] = unless_nothing(end ? (struct text){ parts[3].start, (size_t)(end - parts[3].start) } : parts[3]);
	end = memchr(parts[3].start, '?', parts[3].length);
	if (end)
		row->parts[QUERY] = unless_nothing((struct text){ end + 1, (size_t)(parts[3].start + parts[3].length - end - 1) });
	end = memchr(rest.start, ' ', rest.length);
	row->parts[STATUS] = unless_nothing(end ? (struct text){ rest.start, (size_t)(end - rest.start) } : rest);
	if (end)
		row->parts[SERVER_BYTES] = unless_nothing(text_behind(rest, (size_t)(end + 1 - rest.start)));
	return true;
}

/* ---- what a row means ---- */

static bool is_verb(struct text method)
{
	static const char *const verbs[] = {
		"HELO", "EHLO", "MAIL", "RCPT", "DATA", "BDAT", "QUIT", "RSET", "NOOP", "VRFY", "EXPN", "HELP", "AUTH", "STARTTLS", "TLS",
		"TURN", "ATRN", "ETRN", "SEND", "SAML", "SOML", "TIMEOUT", "XEXCH50", "X-EXPS", "X-LINK2STATE", "XLST",
	};

	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
		if (text_equal_nocase(method, text_of(verbs[i])))
			return true;
	return false;
}

static void add_place(const struct row *row, bool is_in, struct event *event)
{
	event_add(event, EVENT_NAME(DIRECTION), is_in ? TEXT_LITERAL("in") : TEXT_LITERAL("out"));
	/* Sessions have no name here: what comes from one address is one, as far as it goes. */
	event_add(event, EVENT_NAME(SESSION_ID), row->parts[CLIENT_IP]);
	event_add(event, is_in ? EVENT_NAME(CLIENT_ADDR) : EVENT_NAME(SERVER_ADDR), row->parts[CLIENT_IP]);
	event_add(event, is_in ? EVENT_NAME(DAEMON_ADDR) : "local_addr", row->parts[SERVER_IP]);
	event_add(event, is_in ? EVENT_NAME(DAEMON_PORT) : EVENT_NAME(SERVER_PORT), text_is(row->parts[SERVER_PORT], "0") ? TEXT_NONE : row->parts[SERVER_PORT]);
}

/* The command; its reply is the next event. */
static bool add_command(struct iis_file *file, struct own_lines *own, const struct row *row, struct event *event)
{
	struct text query = with_blanks(own, row->parts[QUERY]), method = row->parts[METHOD];

	if (!is_verb(method))
		return false;
	smtp_line_add_verb(event, method, query);
	if ((text_equal_nocase(method, TEXT_LITERAL("DATA")) || text_equal_nocase(method, TEXT_LITERAL("BDAT"))) && text_starts(query, "<"))
		event_add(event, EVENT_NAME(MESSAGE_ID), query);
	if (!event_text(event, NAME_HELO).start)
		event_add(event, EVENT_NAME(HELO), row->parts[USERNAME]);
	event_add(event, EVENT_NAME(BYTES_IN), row->parts[CLIENT_BYTES]);
	event_add(event, EVENT_NAME(BYTES_OUT), row->parts[SERVER_BYTES]);
	event_add(event, "time_taken_ms", row->parts[TIME_TAKEN]);
	file->has_reply = row->parts[STATUS].start && !text_is(row->parts[STATUS], "0");
	return true;
}

static bool add_outbound(struct own_lines *own, const struct row *row, struct event *event)
{
	struct text query = with_blanks(own, row->parts[QUERY]);

	if (text_is(row->parts[USERNAME], "OutboundConnectionResponse")) {
		smtp_line_add_reply(event, query.start ? query : TEXT_LITERAL(""));
		return true;
	}
	if (!text_is(row->parts[USERNAME], "OutboundConnectionCommand") || !row->parts[METHOD].start)
		return false;
	smtp_line_add_verb(event, row->parts[METHOD], query);
	return true;
}

static bool read_row(const struct iis_file *file, struct own_lines *own, struct text line, struct row *row)
{
	if (file->has_columns)
		return read_w3c(file, own, line, row);
	return read_iis(own, line, row) || read_ncsa(own, line, row);
}

static enum own_result read_own(struct own_lines *own, struct text line, struct event *event)
{
	struct iis_file *file = own->state;
	struct row row;
	bool is_outbound;

	if (line.length && line.start[0] == '#')
		return begin_w3c(file, line) ? OWN_NOTHING : OWN_NOT_MINE;
	if (!line.length)
		return OWN_NOTHING;
	if (!read_row(file, own, line, &row))
		return OWN_UNKNOWN;
	event->frame.has_time = true;
	event->frame.time_us = row.time_us;
	event->frame.host = row.parts[COMPUTER];
	event->frame.process = TEXT_LITERAL("iis");
	is_outbound = text_starts(row.parts[USERNAME], "OutboundConnection");
	if (own->turn) {
		smtp_line_add_reply(event, row.parts[STATUS]);
	} else {
		file->has_reply = false;
		if (is_outbound ? !add_outbound(own, &row, event) : !add_command(file, own, &row, event))
			return OWN_UNKNOWN;
		own->has_more = file->has_reply;
	}
	add_place(&row, !is_outbound, event);
	return OWN_EVENT;
}

static bool claims(struct own_lines *own, struct text line)
{
	struct iis_file file = { .has_columns = false };
	struct row row;

	return begin_w3c(&file, line) || read_iis(own, line, &row) || read_ncsa(own, line, &row);
}

const struct format format_iis = {
	.name = "iis",
	.summary = "SMTP service of IIS: W3C extended, Microsoft IIS and NCSA form",
	.page = {
		.where = "%windir%\\System32\\LogFiles\\SMTPSVC1, files ex*.log, in*.log, nc*.log: the form is chosen at the virtual server's properties",
		.get = "copy the files; W3C extended with all fields tells most",
		.joins = "the client's address: what comes from one address is one session until QUIT",
		.tells = "each command with the code of its reply; outgoing dialogues (OutboundConnectionCommand, OutboundConnectionResponse)",
		.lacks = "the words of replies to clients; two sessions of one address at a time; connections without a command",
	},
	.claims = claims,
	.read_own = read_own,
	.own_size = sizeof(struct iis_file),
	.is_tacit = true,
};
