/* format_barracuda.c - Barracuda Email Security Gateway (Spam & Virus Firewall): the mail syslog. */
#include "analysis/format.h"

enum { OUTBOUND = 3 };

struct action {
	unsigned number;
	const char *words, *kind, *status;
};

static const struct action actions[] = {
#define ACTION(number, words, kind, status) { number, words, kind, status },
#define SENT(number, words, kind, status)
#define REASON(number, words)
#include "analysis/barracuda_codes.def"
#undef ACTION
#undef SENT
#undef REASON
};

static const struct action sent_actions[] = {
#define ACTION(number, words, kind, status)
#define SENT(number, words, kind, status) { number, words, kind, status },
#define REASON(number, words)
#include "analysis/barracuda_codes.def"
#undef ACTION
#undef SENT
#undef REASON
};

static const struct {
	unsigned number;
	const char *words;
} reasons[] = {
#define ACTION(number, words, kind, status)
#define SENT(number, words, kind, status)
#define REASON(number, words) { number, words },
#include "analysis/barracuda_codes.def"
#undef ACTION
#undef SENT
#undef REASON
};

/* To the next blank, which is taken too. */
static struct text take_word(struct text *text)
{
	const char *blank = memchr(text->start, ' ', text->length);
	struct text word = { text->start, blank ? (size_t)(blank - text->start) : text->length };

	*text = text_behind(*text, word.length + (blank ? 1 : 0));
	return word;
}

static bool read_number(struct text text, unsigned *ret_number)
{
	unsigned number = 0;

	for (size_t i = 0; i < text.length; i++) {
		if (text.start[i] < '0' || text.start[i] > '9' || i > 3)
			return false;
		number = number * 10 + (unsigned)(text.start[i] - '0');
	}
	*ret_number = number;
	return text.length != 0;
}

/* "-" stands for nothing. */
static void add(struct event *event, const char *name, struct text value)
{
	if (value.length && !text_is(value, "-"))
		event_add(event, name, value);
}

static void add_client(struct text client, struct event *event)
{
	const char *open = memchr(client.start, '[', client.length);

	if (!open || client.start[client.length - 1] != ']') {
		add(event, EVENT_NAME(CLIENT_ADDR), client);
		return;
	}
	add(event, EVENT_NAME(CLIENT_NAME), (struct text){ client.start, (size_t)(open - client.start) });
	add(event, EVENT_NAME(CLIENT_ADDR), (struct text){ open + 1, (size_t)(client.start + client.length - open - 2) });
}

/* An action whose number has no row is told by its number alone. */
static bool add_action(const struct action *table, size_t count, struct text word, struct event *event)
{
	unsigned number;

	if (!read_number(word, &number))
		return false;
	event->kind = EVENT_KIND(SCANNED);
	event_add(event, "action_code", word);
	for (size_t i = 0; i < count; i++) {
		if (table[i].number != number)
			continue;
		event->kind = table[i].kind;
		event_add(event, EVENT_NAME(OUTCOME), text_of(table[i].words));
		if (table[i].status)
			event_add(event, EVENT_NAME(STATUS), text_of(table[i].status));
	}
	return true;
}

static bool add_reason(struct text word, struct event *event)
{
	unsigned number;

	if (text_is(word, "-"))
		return true;
	if (!read_number(word, &number))
		return false;
	event_add(event, "reason_code", word);
	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (reasons[i].number == number)
			event_add(event, EVENT_NAME(REASON), text_of(reasons[i].words));
	return true;
}

/* "sender recipient action reason extra" */
static bool read_received(struct text text, struct event *event)
{
	struct text from = take_word(&text), to = take_word(&text);

	add(event, EVENT_NAME(FROM), from);
	add(event, EVENT_NAME(TO), to);
	if (!add_action(actions, sizeof actions / sizeof actions[0], take_word(&text), event) || !add_reason(take_word(&text), event))
		return false;
	add(event, "reason_details", text);
	return true;
}

/* "encrypted sender recipient score action reason extra SZ:1 SUBJ:text": the extra may hold blanks. */
static bool read_scanned(struct text text, struct event *event)
{
	const char *subject = memmem(text.start, text.length, " SUBJ:", 6), *size = NULL;
	struct text rest = text, encrypted, from, to;

	if (subject) {
		event_add(event, EVENT_NAME(SUBJECT), text_behind(text, (size_t)(subject + 6 - text.start)));
		rest.length = (size_t)(subject - text.start);
	}
	for (const char *at = rest.start; (at = memmem(at, (size_t)(rest.start + rest.length - at), " SZ:", 4)); at++)
		size = at;
	if (size) {
		event_add(event, EVENT_NAME(SIZE), text_behind(rest, (size_t)(size + 4 - rest.start)));
		rest.length = (size_t)(size - rest.start);
	}
	encrypted = take_word(&rest);
	from = take_word(&rest);
	to = take_word(&rest);
	add(event, "encrypted", encrypted);
	add(event, EVENT_NAME(FROM), from);
	add(event, EVENT_NAME(TO), to);
	add(event, "score", take_word(&rest));
	if (!add_action(actions, sizeof actions / sizeof actions[0], take_word(&rest), event) || !add_reason(take_word(&rest), event))
		return false;
	add(event, "reason_details", rest);
	return true;
}

/* "encrypted action queue-id response" */
static bool read_sent(struct text text, struct event *event)
{
	add(event, "encrypted", take_word(&text));
	if (!add_action(sent_actions, sizeof sent_actions / sizeof sent_actions[0], take_word(&text), event))
		return false;
	/* Of the mailer behind it; the message has its name from the gateway. */
	add(event, "outbound_queue_id", take_word(&text));
	add(event, EVENT_NAME(REPLY), text);
	return true;
}

static bool is_digits(struct text text)
{
	for (size_t i = 0; i < text.length; i++)
		if (text.start[i] < '0' || text.start[i] > '9')
			return false;
	return text.length != 0;
}

/* "[client] id start end SERVICE ..."; the client may be missing where mail goes. */
static bool read_line(struct event *event)
{
	struct text text = event->frame.message, words[5], service;
	unsigned count = 0;

	while (count < 4)
		words[count++] = take_word(&text);
	service = take_word(&text);
	if (is_digits(words[1]) && is_digits(words[2]) && text_is(words[3], "SEND")) {
		/* Without the client: one word further. */
		text = (struct text){ service.start, (size_t)(event->frame.message.start + event->frame.message.length - service.start) };
		service = words[3];
		words[3] = words[2];
		words[2] = words[1];
		words[1] = words[0];
		words[0] = TEXT_NONE;
	}
	if (!is_digits(words[2]) || !is_digits(words[3]))
		return false;
	event_add(event, EVENT_NAME(QUEUE_ID), words[1]);
	if (words[0].start && !text_is(service, "SEND"))
		add_client(words[0], event);
	if (!text_is(words[2], "0")) {
		event_add(event, "start", words[2]);
		event_add(event, "end", words[3]);
	}
	if (text_is(service, "RECV")) {
		event_add(event, EVENT_NAME(STAGE), service);
		return read_received(text, event);
	}
	if (text_is(service, "SCAN")) {
		event_add(event, EVENT_NAME(STAGE), service);
		return read_scanned(text, event);
	}
	return text_is(service, "SEND") && read_sent(text, event);
}

static int program(struct text process)
{
	static const char *const names[] = { "inbound/pass1", "inbound/pass2", "scan", [OUTBOUND] = "outbound/smtp" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (text_is(process, names[i]))
			return (int)i;
	return -1;
}

static enum format_result read_barracuda(struct event *event)
{
	if (event->program < 0)
		return FORMAT_NOT_MINE;
	if (read_line(event))
		return FORMAT_MATCHED;
	/* An instance of Postfix may be called "outbound". */
	return event->program == OUTBOUND ? FORMAT_NOT_MINE : FORMAT_MALFORMED;
}

const struct format format_barracuda = {
	.name = "barracuda",
	.summary = "Barracuda Email Security Gateway: mail syslog",
	.page = {
		.where = "Barracuda Email Security Gateway: Advanced, Advanced Networking, Syslog: Mail Syslog",
		.get = "what your syslog server wrote; the tags are inbound, outbound and scan, with the service behind them",
		.joins = "Barracuda's message identifier",
		.tells = "sender, recipients, what was done with each message and why (its codes in words), size, subject, score, replies of the next hop",
		.lacks = "the dialogue; headers",
	},
	.program = program,
	.read = read_barracuda,
	.is_tacit = true,
};
