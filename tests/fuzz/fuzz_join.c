/*
 * fuzz_join.c - lines and records of a few sessions and messages in any order: the join comes back, keeps its memory bounded,
 * shows each that it holds once, and holds nothing at its end.
 *
 * The first byte chooses options; then four bytes each: which line or record, which names it has, when, and by whom.
 */
#include <stdio.h>

#include "../unit/records.h"
#include "analysis/correlate_internal.h"
#include "analysis/pool.h"
#include "fuzz.h"

/* %q, %n: a queue identifier, and another; %c: a client; %a, %b: addresses of its own line; %m: a session of the milter. */
static const char *const lines[] = {
	"postfix/smtpd|connect from %c",
	"postfix/smtpd|disconnect from %c ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5",
	"postfix/smtpd|disconnect from %c ehlo=1 mail=2 rcpt=1/3 data=0/1 rset=1 commands=3/6",
	"postfix/smtpd|lost connection after DATA (12 bytes) from %c",
	"postfix/smtpd|timeout after RCPT from %c",
	"postfix/smtpd|%q: client=%c",
	"postfix/smtpd|%q: client=%c, sasl_method=PLAIN, sasl_username=%a",
	"postfix/smtpd|%q: client=%c, orig_queue_id=%n, orig_client=%c",
	"postfix/smtpd|NOQUEUE: client=%c",
	"postfix/smtpd|proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as %n; from=<%a> to=<%b> proto=ESMTP helo=<x>",
	"postfix/smtpd|proxy-reject: END-OF-MESSAGE: 550 5.7.1 no; from=<%a> to=<%b> proto=ESMTP helo=<x>",
	"postfix/smtpd|NOQUEUE: reject: RCPT from %c: 550 5.1.1 <%b>: no; from=<%a> to=<%b> proto=ESMTP helo=<x>",
	"postfix/smtpd|%q: reject: RCPT from %c: 450 4.2.0 <%b>: later; from=<%a> to=<%b> proto=ESMTP helo=<x>",
	"postfix/smtpd|%q: reject: END-OF-MESSAGE from %c: 550 5.7.1 no; from=<%a> proto=ESMTP helo=<x>",
	"postfix/smtpd|warning: milter unix:/m: can't read SMFIC_DATA reply packet header: Broken pipe",
	"postfix/cleanup|%q: message-id=<%a>",
	"postfix/cleanup|%q: milter-reject: END-OF-MESSAGE from %c: 5.7.1 no; from=<%a> to=<%b> proto=ESMTP helo=<x>",
	"postfix/cleanup|%q: milter-discard: END-OF-MESSAGE from %c: milter triggers DISCARD action; from=<%a> to=<%b> proto=ESMTP helo=<x>",
	"postfix/cleanup|%q: milter-hold: END-OF-MESSAGE from %c: milter triggers HOLD action; from=<%a> to=<%b> proto=ESMTP helo=<x>",
	"postfix/pickup|%q: uid=0 from=<%a>",
	"postfix/qmgr|%q: from=<%a>, size=700, nrcpt=2 (queue active)",
	"postfix/qmgr|%q: removed",
	"postfix/qmgr|%q: from=<%a>, status=expired, returned to sender",
	"postfix/smtp|%q: to=<%b>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as %n)",
	"postfix/smtp|%q: to=<%b>, orig_to=<%a>, relay=mx[192.0.2.1]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as %n)",
	"postfix/smtp|%q: to=<%b>, relay=none, delay=1, delays=0/0/0/1, dsn=4.4.1, status=deferred (connect: Connection refused)",
	"postfix/smtp|%q: to=<%b>, relay=mx[192.0.2.1]:25, delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced (host mx[192.0.2.1] said: 550 5.1.1 no)",
	"postfix/local|%q: to=<%b>, relay=local, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (forwarded as %n)",
	"postfix/bounce|%q: sender non-delivery notification: %n",
	"postfix/bounce|%q: sender delay notification: %n",
	"postfix/postsuper|%q: removed",
	"postfix/postsuper|%q: placed on hold",
	"postfix/postscreen|CONNECT from [192.0.2.7]:4001 to [192.0.2.1]:25",
	"postfix/postscreen|PASS NEW [192.0.2.7]:4001",
	"postfix/postscreen|DISCONNECT [192.0.2.7]:4001",
	"sm-mta|%q: from=<%a>, size=700, class=0, nrcpts=2, msgid=<%a>, proto=ESMTP, daemon=MTA, relay=c [192.0.2.7]",
	"sm-mta|%q: to=<%b>,<%a>, delay=00:00:01, mailer=esmtp, relay=mx [192.0.2.1], dsn=2.0.0, stat=Sent (%n Message accepted for delivery)",
	"sm-mta|%q: to=<%b>, delay=00:00:01, mailer=esmtp, relay=mx [192.0.2.1], dsn=4.0.0, stat=Deferred: Connection refused",
	"sm-mta|%q: %n: DSN: User unknown",
	"sm-mta|%q: lost input channel from c [192.0.2.7] to MTA after rcpt",
	"amavis|(00001-01) Passed CLEAN {RelayedInbound}, [192.0.2.7] <%a> -> <%b>, Queue-ID: %q, queued_as: %n, 7 ms",
	"opendkim|%q: DKIM verification successful",
};

#define RECORD(stage) "stage=" stage "|host=mx|producer=p|session=%m|time=%t"
static const char *const records[] = {
	RECORD("connect") "|client_addr=192.0.2.7|client_port=4001|mta_host=mx", RECORD("connect") "|client_addr=192.0.2.8|client_port=4002",
	RECORD("helo") "|helo=x", RECORD("mail") "|msg=1|from=%a", RECORD("mail") "|msg=2|from=%a",
	RECORD("rcpt") "|msg=1|to=%b|outcome=passed", RECORD("rcpt") "|msg=1|to=%b|outcome=rejected|dsn=5.1.1|reject_text=550 no",
	RECORD("rcpt") "|msg=2|to=%b|outcome=passed|queue_id=%q", RECORD("data") "|msg=1|queue_id=%q", RECORD("data") "|msg=2|queue_id=%q",
	RECORD("header") "|msg=1|queue_id=%q|message_id=<%a>", RECORD("eom") "|msg=1|queue_id=%q", RECORD("spf") "|msg=1|result=pass",
	RECORD("verdict") "|msg=1|queue_id=%q|spf=pass|size=700", RECORD("abort") "|msg=2", RECORD("close") "|cause=ended", RECORD("close") "|cause=killed",
	"stage=gap|host=mx|producer=p|time=%t|from_time=%t|to_time=%t|count=3",
};

enum { LINES = sizeof lines / sizeof lines[0], RECORDS = sizeof records / sizeof records[0], STEP = 4, TEXT_SIZE = 1024 };

static const char *const queue_ids[] = { "4F1A2B3C4D", "4F1A2B3C4E", "4jbfX12yztz1d2Z2", "0A1B2C3D4E" };
static const char *const clients[] = { "c[192.0.2.7]:4001", "c[192.0.2.7]", "d[192.0.2.8]:4002", "localhost[127.0.0.1]" };
static const char *const addresses[] = { "a@example.com", "b@example.com", "c@example.org", "" };
static const char *const sessions[] = { "s1", "s2", "s3", "s4" };

/* names: two bits each for the queue identifier, the other one, the addresses and the client. */
static void write_text(char *text, const char *template, uint8_t names, uint64_t time_us)
{
	char time[TIME_TEXT_SIZE];
	size_t used = 0;

	time_format(time_us, time);
	for (const char *at = template; *at; at++) {
		const char *word = NULL;

		if (*at == '%')
			switch (*++at) {
			case 'q': word = queue_ids[names & 3]; break;
			case 'n': word = queue_ids[names >> 2 & 3]; break;
			case 'a': word = addresses[names >> 4 & 3]; break;
			case 'b': word = addresses[names >> 6 & 3]; break;
			case 'c': word = clients[names >> 5 & 3]; break;
			case 'm': word = sessions[names >> 3 & 3]; break;
			default: word = time; break;
			}
		for (size_t i = 0; word && word[i]; i++)
			text[used++] = word[i];
		if (!word)
			text[used++] = *at;
		FUZZ_MUST(used < TEXT_SIZE - TIME_TEXT_SIZE);
	}
	text[used] = '\0';
}

static void give_line(struct correlate *correlate, struct format_reader *reader, const char *text, uint64_t time_us, uint8_t who)
{
	static struct event_field fields[EVENT_FIELDS_MAX];
	const char *bar = strchr(text, '|');
	struct event event = { .file = "log", .fields = fields, .line = time_us };

	event.frame.process = (struct text){ text, (size_t)(bar - text) };
	event.frame.pid = who & 1 ? TEXT_LITERAL("11") : TEXT_LITERAL("12");
	event.frame.host = who & 2 ? TEXT_LITERAL("mx") : who & 4 ? TEXT_LITERAL("out") : TEXT_LITERAL("mx.example.net");
	event.frame.message = text_of(bar + 1);
	event.frame.has_time = true;
	event.frame.time_us = (int64_t)time_us;
	(void)format_read(reader, &event);
	correlate_event(correlate, &event, 1);
}

/* What was shown must be whole; what is shown as changed is kept as bytes, too. */
static void look_at_message(void *context, const struct message *message)
{
	struct correlate *correlate = context;

	FUZZ_MUST(message->key);
	for (const struct recipient *recipient = message->recipients; recipient; recipient = recipient->next)
		FUZZ_MUST(recipient->number && recipient->fate < FATE_COUNT);
	if (correlate)
		FUZZ_MUST(correlate_message_state(correlate, message).length);
}

static void look_at_session(void *context, const struct session *session)
{
	struct correlate *correlate = context;

	FUZZ_MUST(session->key);
	if (correlate)
		FUZZ_MUST(correlate_session_state(correlate, session).length);
}

static void must_be_empty(const struct correlate *correlate)
{
	const struct open_table *tables[] = { &correlate->keys, &correlate->messages, &correlate->processes, &correlate->milter,
					      &correlate->clients, &correlate->waiting, &correlate->children, &correlate->recipients };

	FUZZ_MUST(!correlate->open_sessions && !correlate->open_messages && !correlate->open.first);
	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
		FUZZ_MUST(!tables[i]->count);
}

static void step(struct correlate *correlate, struct format_reader *reader, const uint8_t *bytes, uint64_t *now_us)
{
	static char text[TEXT_SIZE];
	struct written_record written;
	uint64_t time_us;

	/* Most of it goes on; some of it comes late. */
	*now_us += (uint64_t)(bytes[2] & 0x3f) * (bytes[2] & 0x40 ? 400000 : 7000);
	time_us = bytes[2] & 0x80 ? *now_us - (uint64_t)(bytes[3] >> 3) * 300000 : *now_us;
	if (bytes[0] % (LINES + RECORDS) < LINES) {
		write_text(text, lines[bytes[0] % (LINES + RECORDS)], bytes[1], time_us);
		give_line(correlate, reader, text, time_us, bytes[3]);
	} else {
		write_text(text, records[bytes[0] % (LINES + RECORDS) - LINES], bytes[1], time_us);
		/* Numbers that are missing, and that others have later: in no order. */
		if (bytes[3] & 1)
			correlate_missing(correlate, record_write(&written, text), bytes[3], bytes[3] + bytes[1]);
		correlate_record(correlate, record_write(&written, text), 2);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const struct correlate_sink sink = { .message = look_at_message, .session = look_at_session };
	struct correlate_options options;
	struct correlate_sink changed = sink;
	struct correlate *correlate;
	struct format_reader reader;
	uint64_t now_us = UINT64_C(1793491200000000);

	if (!size || format_prepare() != 0)
		return 0;
	correlate_defaults(&options);
	options.keeps_attempts = bytes[0] & 1;
	if (bytes[0] & 2)
		options.memory_bytes = 6000;
	if (correlate_new(&correlate, &options, &sink) != 0)
		return 0;
	FUZZ_MUST(format_reader_init(&reader, NULL) == 0);
	changed.context = correlate;
	for (size_t at = 1; at + STEP <= size; at += STEP) {
		step(correlate, &reader, bytes + at, &now_us);
		FUZZ_MUST(pool_used(correlate->pool) <= options.memory_bytes);
		if (bytes[0] & 4 && bytes[at + 1] % 16 == 0)
			correlate_show_changed(correlate, &changed);
	}
	correlate_finish(correlate);
	must_be_empty(correlate);
	correlate_free(correlate);
	format_reader_done(&reader);
	return 0;
}
