/* format_dovecot.c - Dovecot: login, imap, pop3, lmtp, lda and sieve. */
#include <errno.h>

#include "analysis/format.h"
#include "analysis/template.h"

static const struct template_row rows[] = {
#define ROW(kind, programs, pattern) { kind, programs, pattern },
#include "analysis/dovecot.def"
#undef ROW
};

static struct template_set *set;

static int prepare(void)
{
	if (!set)
		set = template_set_new(rows, sizeof rows / sizeof rows[0]);
	return set ? 0 : -ENOMEM;
}

static bool take_between(struct text *text, char open, char close, struct text *ret)
{
	const char *end;

	if (!text->length || text->start[0] != open)
		return false;
	end = memchr(text->start, close, text->length);
	if (!end)
		return false;
	*ret = (struct text){ text->start + 1, (size_t)(end - text->start - 1) };
	*text = (struct text){ end + 1, (size_t)(text->start + text->length - end - 1) };
	return true;
}

/* "lmtp(42)": no user yet, but a process. */
static bool is_number(struct text text)
{
	for (size_t i = 0; i < text.length; i++)
		if (text.start[i] < '0' || text.start[i] > '9')
			return false;
	return text.length != 0;
}

/* "imap(user)<pid><session>: " or "imap-login: "; *ret_program is "imap", "login" ... */
static bool take_service(struct text *text, struct event *event, struct text *ret_program)
{
	static const char *const services[] = { "imap", "pop3", "lmtp", "lda", "deliver", "managesieve", "submission", "master" };
	struct text rest = *text, value;
	size_t i = 0;

	while (i < sizeof services / sizeof services[0] && !text_starts_nocase(rest, services[i]))
		i++;
	if (i == sizeof services / sizeof services[0])
		return false;
	*ret_program = text_of(strcmp(services[i], "deliver") == 0 ? "lda" : services[i]);
	event_add(event, EVENT_NAME(SERVICE), (struct text){ rest.start, strlen(services[i]) });
	rest = (struct text){ rest.start + strlen(services[i]), rest.length - strlen(services[i]) };
	if (text_starts_nocase(rest, "-login")) {
		*ret_program = TEXT_LITERAL("login");
		rest = (struct text){ rest.start + 6, rest.length - 6 };
	}
	if (take_between(&rest, '(', ')', &value))
		event_add(event, is_number(value) ? EVENT_NAME(CHILD_PID) : EVENT_NAME(USER), value);
	if (take_between(&rest, '<', '>', &value))
		event_add(event, EVENT_NAME(CHILD_PID), value);
	if (take_between(&rest, '<', '>', &value))
		event_add(event, EVENT_NAME(SESSION_ID), value);
	if (text_starts_nocase(rest, ": Info: "))
		rest = (struct text){ rest.start + 6, rest.length - 6 };
	if (!text_starts_nocase(rest, ": "))
		return false;
	*text = (struct text){ rest.start + 2, rest.length - 2 };
	return true;
}

static int program(struct text process)
{
	return text_starts_nocase(process, "dovecot") ? 0 : -1;
}

static enum format_result read_dovecot(struct event *event)
{
	struct text message = event->frame.message, text = message, service_program = TEXT_NONE;
	struct event_field service[4];
	unsigned count;
	bool matches;

	if (event->program < 0)
		return FORMAT_NOT_MINE;
	if (!take_service(&text, event, &service_program))
		return FORMAT_MALFORMED;
	count = event->field_count < 4 ? event->field_count : 4;
	memcpy(service, event->fields, count * sizeof service[0]);
	int group = template_group(set, service_program);

	/* The rows see what stands behind the session, and start their fields anew. */
	event->frame.message = text;
	matches = group >= 0 && template_read(set, group, event);
	event->frame.message = message;
	if (!matches)
		return FORMAT_MALFORMED;
	for (unsigned i = 0; i < count; i++)
		event_add(event, service[i].name, service[i].value);
	return FORMAT_MATCHED;
}

const struct format format_dovecot = {
	.name = "dovecot",
	.summary = "Dovecot 1.x to 2.4: login, imap, pop3, lmtp, lda, sieve",
	.page = {
		.where = "the mail log; or log_path, info_log_path",
		.get = "as it lies",
		.joins = "session of Dovecot; queue identifier where lmtp or lda tell it by Message-ID",
		.tells = "mailbox logins that passed and failed, with client and method; bytes read; what was put into which mailbox",
		.lacks = "what was read of which message",
	},
	.prepare = prepare,
	.program = program,
	.read = read_dovecot,
};
