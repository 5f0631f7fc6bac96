/* format_cisco_esa.c - Cisco Secure Email Gateway (ESA, IronPort): the text mail log and the bounce log, from a file or by
 * syslog. */
#include <errno.h>

#include "analysis/own_lines.h"
#include "analysis/template.h"

static const struct template_row rows[] = {
#define ROW(kind, programs, pattern) { kind, programs, pattern },
#include "analysis/cisco_esa.def"
#undef ROW
};

enum { RECIPIENTS_MAX = 2048, CONNECTIONS_MAX = 256, MESSAGES_MAX = 1024, ADDRESS_MAX = 160, NUMBER_MAX = 12, TO_MAX = 12 };

static struct template_set *set;

static int prepare(void)
{
	if (!set)
		set = template_set_new(rows, sizeof rows / sizeof rows[0]);
	return set ? 0 : -ENOMEM;
}

/* Deliveries name recipients and hosts by numbers that earlier lines have explained. What is forgotten is left out. */
struct esa_memory {
	struct esa_recipient {
		char message[NUMBER_MAX], number[NUMBER_MAX], address[ADDRESS_MAX];
		unsigned char message_length, number_length, address_length;
	} recipients[RECIPIENTS_MAX];
	struct esa_connection {
		char number[NUMBER_MAX], address[ADDRESS_MAX / 2], port[NUMBER_MAX];
		unsigned char number_length, address_length, port_length;
	} connections[CONNECTIONS_MAX];
};

struct esa_file {
	struct esa_memory memory;
	struct text left;		/* of the recipients' numbers in a line: each is an event */
};

/* ---- what is remembered ---- */

static unsigned hash_of(struct text a, struct text b)
{
	unsigned hash = 5381;

	for (size_t i = 0; i < a.length; i++)
		hash = hash * 33 + (unsigned char)a.start[i];
	for (size_t i = 0; i < b.length; i++)
		hash = hash * 33 + (unsigned char)b.start[i];
	return hash;
}

static unsigned char copy(char *buffer, size_t size, struct text text)
{
	size_t length = text.length < size ? text.length : 0;

	if (length)
		memcpy(buffer, text.start, length);
	/* Ours too end in NUL. */
	buffer[length] = '\0';
	return (unsigned char)length;
}

static void learn(struct esa_memory *memory, const struct event *event)
{
	struct text message = event_text(event, NAME_QUEUE_ID), to = event_text(event, NAME_TO), number = TEXT_NONE;

	if (event->kind == EVENT_KIND(RECIPIENT)) {
		for (unsigned i = 0; i < event->field_count; i++)
			if (strcmp(event->fields[i].name, "recipient_number") == 0)
				number = event->fields[i].value;
		struct esa_recipient *recipient = &memory->recipients[hash_of(message, number) % RECIPIENTS_MAX];

		recipient->message_length = copy(recipient->message, sizeof recipient->message, message);
		recipient->number_length = copy(recipient->number, sizeof recipient->number, number);
		recipient->address_length = copy(recipient->address, sizeof recipient->address, to);
	} else if (strcmp(event->kind, "relay_connect") == 0) {
		number = event->fields[0].value;
		struct esa_connection *connection = &memory->connections[hash_of(number, TEXT_NONE) % CONNECTIONS_MAX];

		connection->number_length = copy(connection->number, sizeof connection->number, number);
		connection->address_length = copy(connection->address, sizeof connection->address, event_text(event, NAME_RELAY_ADDR));
		connection->port_length = copy(connection->port, sizeof connection->port, event_text(event, NAME_RELAY_PORT));
	}
}

static struct text recipient_of(const struct esa_memory *memory, struct text message, struct text number)
{
	const struct esa_recipient *recipient = &memory->recipients[hash_of(message, number) % RECIPIENTS_MAX];

	if (!recipient->address_length || !text_equal(message, (struct text){ recipient->message, recipient->message_length }) ||
	    !text_equal(number, (struct text){ recipient->number, recipient->number_length }))
		return TEXT_NONE;
	return (struct text){ recipient->address, recipient->address_length };
}

static void add_relay(const struct esa_memory *memory, struct text number, struct event *event)
{
	const struct esa_connection *connection = &memory->connections[hash_of(number, TEXT_NONE) % CONNECTIONS_MAX];

	if (!number.length || !connection->address_length || !text_equal(number, (struct text){ connection->number, connection->number_length }))
		return;
	event_add(event, EVENT_NAME(RELAY_ADDR), (struct text){ connection->address, connection->address_length });
	if (connection->port_length)
		event_add(event, EVENT_NAME(RELAY_PORT), (struct text){ connection->port, connection->port_length });
}

/* ---- a delivery ---- */

/* "'550', ['5.1.1 <a@b>... User unknown', 'more']) []": the words of the remote host, of which the label is but a guess. */
static void add_remote(struct text remote, struct event *event)
{
	const char *open = remote.start ? memchr(remote.start, '[', remote.length) : NULL, *end;
	struct text code, words;

	while (text_starts(remote, "(") || text_starts(remote, "\""))
		remote = text_behind(remote, 1);
	code = remote.length > 5 ? (struct text){ remote.start + 1, 3 } : TEXT_NONE;
	if (code.start && !text_is(code, "000") && code.start[0] >= '2' && code.start[0] <= '5')
		event_add(event, "remote_code", code);
	if (!open || open + 2 >= remote.start + remote.length || (open[1] != '\'' && open[1] != '"'))
		return;
	words = (struct text){ open + 2, (size_t)(remote.start + remote.length - open - 2) };
	end = memchr(words.start, ']', words.length);
	/* To the mark that closes it, which the list's end follows. */
	for (const char *at = words.start; at && at + 1 < words.start + words.length; at++) {
		at = memchr(at, open[1], (size_t)(words.start + words.length - at));
		if (!at)
			break;
		if (at + 1 < words.start + words.length && (at[1] == ']' || at[1] == ',')) {
			end = at;
			break;
		}
	}
	if (end)
		words.length = (size_t)(end - words.start);
	event_add(event, EVENT_NAME(REPLY), words);
}

/* The next of "0, 1, 2". */
static struct text next_number(struct text *list)
{
	struct text number;

	while (list->length && (list->start[0] == ' ' || list->start[0] == ','))
		*list = text_behind(*list, 1);
	number = (struct text){ list->start, 0 };
	while (number.length < list->length && list->start[number.length] >= '0' && list->start[number.length] <= '9')
		number.length++;
	*list = number.length ? text_behind(*list, number.length) : TEXT_NONE;
	return number;
}

static const char *status_of(struct text action)
{
	return text_starts(action, "Delayed") ? "deferred" : action.start ? "bounced" : "sent";
}

/* Numbers become recipients: all that are left, or the next one where others follow in events of their own. */
static void add_recipients(const struct esa_memory *memory, struct text message, struct text *numbers, bool one, struct event *event)
{
	for (int i = 0; numbers->length && i < (one ? 1 : TO_MAX); i++) {
		struct text to = recipient_of(memory, message, next_number(numbers));

		if (to.start)
			event_add(event, EVENT_NAME(TO), to);
	}
}

static void finish_delivery(const struct esa_memory *memory, struct text numbers, struct event *event)
{
	struct text connection = TEXT_NONE, action = event_text(event, NAME_ACTION);

	for (unsigned i = 0; i < event->field_count; i++)
		if (strcmp(event->fields[i].name, "delivery_connection") == 0)
			connection = event->fields[i].value;
	event_add(event, EVENT_NAME(STATUS), text_of(status_of(action)));
	add_relay(memory, connection, event);
	add_remote(event_take(event, "remote"), event);
	(void)numbers;
}

/* ---- a line ---- */

/* "Info: ", "Warning: " ...; gives its length, 0: none. */
static size_t level_length(struct text text)
{
	static const char *const levels[] = { "Info: ", "Warning: ", "Critical: ", "Debug: ", "Trace: ", "Alert: ", "Error: " };

	for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
		if (text_starts(text, levels[i]))
			return strlen(levels[i]);
	return 0;
}

/* left: NULL where all recipients of a line go into one event. */
static bool read_line(struct esa_memory *memory, struct text text, struct text *left, struct event *event)
{
	struct text message = event->frame.message, numbers;
	size_t level = level_length(text);
	bool matches;

	if (!level)
		return false;
	event->frame.message = text_behind(text, level);
	matches = template_read(set, template_group_any(set), event);
	event->frame.message = message;
	if (!matches)
		return false;
	if (level != 6)
		event_add(event, EVENT_NAME(SEVERITY), (struct text){ text.start, level - 2 });
	if (memory)
		learn(memory, event);
	if (!memory || event->kind != EVENT_KIND(DELIVERY))
		return true;
	numbers = event_take(event, "recipient_numbers");
	if (left && left->start)
		numbers = *left;
	add_recipients(memory, event_text(event, NAME_QUEUE_ID), &numbers, left != NULL, event);
	if (left)
		*left = numbers;
	finish_delivery(memory, numbers, event);
	return true;
}

static bool is_line(struct text text)
{
	static const char *const marks[] = { " ICID ", " MID ", " DCID ", "ICID ", "MID ", "DCID " };
	size_t level = level_length(text);
	struct text rest = text_behind(text, level);

	for (size_t i = 0; level && i < sizeof marks / sizeof marks[0]; i++)
		if (i < 3 ? memmem(rest.start, rest.length, marks[i], strlen(marks[i])) != NULL : text_starts(rest, marks[i]))
			return true;
	return false;
}

static int program(struct text process)
{
	return text_is(process, "mail_logs") || text_is(process, "mail_log") || text_is(process, "bounces") ? 0 : -1;
}

/* The tag is what the administrator called the subscription: then the line must tell. */
static enum format_result read_esa(struct event *event)
{
	if (event->program < 0 && !is_line(event->frame.message))
		return FORMAT_NOT_MINE;
	if (read_line(event->memory, event->frame.message, NULL, event))
		return FORMAT_MATCHED;
	return event->program < 0 ? FORMAT_NOT_MINE : FORMAT_MALFORMED;
}

/* "Wed Jun 16 21:42:38 2004 "; gives its length, 0: none. */
static size_t read_stamp(struct own_lines *own, struct text line, int64_t *ret_us)
{
	size_t length = stamp_by_pattern(&own->stamps, line, "%a %b %d %H:%M:%S %Y", ret_us);

	return length && length < line.length && line.start[length] == ' ' ? length + 1 : 0;
}

static enum own_result read_own(struct own_lines *own, struct text line, struct event *event)
{
	struct esa_file *file = own->state;
	size_t length = read_stamp(own, line, &event->frame.time_us);

	if (!length || !level_length(text_behind(line, length)))
		return OWN_NOT_MINE;
	event->frame.has_time = true;
	event->frame.process = TEXT_LITERAL("cisco_esa");
	if (own->turn == 0)
		file->left = TEXT_NONE;
	if (!read_line(&file->memory, text_behind(line, length), &file->left, event))
		return OWN_UNKNOWN;
	own->has_more = event->kind == EVENT_KIND(DELIVERY) && file->left.length;
	return OWN_EVENT;
}

static bool claims(struct own_lines *own, struct text line)
{
	int64_t ignored;
	size_t length = read_stamp(own, line, &ignored);
	struct text text = text_behind(line, length);

	return length && (is_line(text) || text_starts(text, "Info: Begin Logfile") ||
			  (text_starts(text, "Info: ") && (memmem(text.start, text.length, " From:<", 7) != NULL)));
}

const struct format format_cisco_esa = {
	.name = "cisco_esa",
	.summary = "Cisco Secure Email Gateway (ESA, IronPort): text mail log, bounce log",
	.page = {
		.where = "Cisco Secure Email Gateway: log subscriptions mail_logs (IronPort Text Mail Logs) and bounces, by FTP, SCP or syslog",
		.get = "the files mail.@*.s or *.current; or what your syslog server wrote",
		.joins = "ICID (connection), MID (message), RID (recipient), DCID (delivery connection): of one appliance; rewritten MIDs are followed",
		.tells = "connections, messages, recipients, verdicts of each engine, deliveries, delays and bounces with the remote host's words",
		.lacks = "the dialogue; what a policy's filter did beyond its line",
	},
	.prepare = prepare,
	.program = program,
	.read = read_esa,
	.memory_size = sizeof(struct esa_memory),
	.claims = claims,
	.read_own = read_own,
	.own_size = sizeof(struct esa_file),
};
