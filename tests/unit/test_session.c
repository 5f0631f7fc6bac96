/* test_session.c - the records of a session, stage by stage, as the MTAs really send them. */
#include "milter/session.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/un.h>

#include "unit.h"

/* The recorder of this test: keeps every record as "stage field=value ..." in a list. */
enum { KEPT_MAX = 64 };
static char *kept[KEPT_MAX];
static size_t kept_count;
static unsigned lost;

bool recorder_put(struct recorder *recorder, struct record *record)
{
	struct record_view view;
	struct record_value value;
	char *text = NULL, scratch[RECORD_VALUE_TEXT_MAX];
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)recorder;
	CHECK_NUMBER(record_view_open(&view, record_finish(record)), 0);
	fprintf(out, "%s", stage_name(view.stage));
	while (record_view_next(&view, &value))
		if (value.number != FIELD_SESSION)
			fprintf(out, " %s=%.*s", value.info->name, TEXT_ARGS(record_value_text(&value, scratch)));
	(void)fclose(out);
	record_done(record);
	if (kept_count < KEPT_MAX)
		kept[kept_count++] = text;
	else
		free(text);
	return true;
}

bool recorder_put_at(struct recorder *recorder, unsigned place, struct record *record)
{
	(void)place;
	return recorder_put(recorder, record);
}

void recorder_lost(struct recorder *recorder, uint64_t now_us)
{
	(void)recorder;
	(void)now_us;
	lost++;
}

/* Macros as a line "name value|name value"; lives until the next call. */
static const char *get_macro(void *context, const char *name)
{
	static char values[8][256];
	static unsigned next;
	const char *at = context;
	size_t length = strlen(name);

	while (at && *at) {
		size_t row = strcspn(at, "|");

		if (strncmp(at, name, length) == 0 && at[length] == ' ') {
			char *value = values[next++ % 8];

			(void)snprintf(value, 256, "%.*s", (int)(row - length - 1), at + length + 1);
			return value;
		}
		at += row + (at[row] == '|');
	}
	return NULL;
}

static struct macros macros_of(char *line)
{
	return (struct macros){ get_macro, line };
}

static struct config *config;
static struct sessions sessions;
static uint64_t now;

static struct session *begin_session(void)
{
	struct problem problem;

	CHECK_SAYING(config_read(&config, NULL, &problem) == 0, "%s", problem.text);
	sessions_init(&sessions, NULL, 0x2a);
	now = 1000000;
	return session_new(&sessions, config);
}

static void end_session(struct session *session)
{
	session_free(session);
	CHECK_NUMBER(sessions_count(&sessions), 0);
	sessions_done(&sessions);
	/* The session let go of its snapshot: this one is the last. */
	CHECK_NUMBER(atomic_load(&config->references), 1);
	config_release(config);
	while (kept_count)
		free(kept[--kept_count]);
	lost = 0;
}

static void connect_from(struct session *session, const char *address, unsigned short port, const char *name, char *line)
{
	struct sockaddr_in inet = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct macros macros = macros_of(line);

	CHECK_NUMBER(inet_pton(AF_INET, address, &inet.sin_addr), 1);
	session_connect(session, now, name, (const struct sockaddr *)&inet, &macros);
}

static void helo(struct session *session, const char *name, char *line)
{
	struct macros macros = macros_of(line);

	session_helo(session, now += 10, name, &macros);
}

/* words: the arguments of the command, separated by blanks. */
static void split(const char *words, char *copy, char **ret_arguments)
{
	size_t count = 0;
	char *rest = strcpy(copy, words), *word;

	while ((word = strsep(&rest, " ")))
		ret_arguments[count++] = word;
	ret_arguments[count] = NULL;
}

static void mail(struct session *session, const char *words, char *line)
{
	struct macros macros = macros_of(line);
	char copy[4000], *arguments[32];

	split(words, copy, arguments);
	session_mail(session, now += 10, arguments, &macros);
}

static void rcpt(struct session *session, const char *words, char *line)
{
	struct macros macros = macros_of(line);
	char copy[4000], *arguments[32];

	split(words, copy, arguments);
	session_rcpt(session, now += 10, arguments, &macros);
}

static void data(struct session *session, char *line)
{
	struct macros macros = macros_of(line);

	session_data(session, now += 10, &macros);
}

static void content(struct session *session, char *line)
{
	struct macros macros = macros_of(line);

	session_header(session, TEXT_LITERAL("Subject"), TEXT_LITERAL(" hello"));
	session_end_of_header(session, now += 10, &macros);
	session_body(session, TEXT_LITERAL("one\r\n"));
	session_eom(session, now += 10, &macros);
}

static void check_kept(const char *const *wanted)
{
	size_t count = 0;

	for (; wanted[count]; count++)
		CHECK_SAYING(count < kept_count && strcmp(kept[count], wanted[count]) == 0, "record %zu is \"%s\", wanted \"%s\"",
			     count, count < kept_count ? kept[count] : "none", wanted[count]);
	CHECK_SAYING(kept_count == count, "%zu records, the next is \"%s\"", kept_count,
		     kept_count > count ? kept[count] : "none");
}

#define HEADER_FIELDS " header_count=1 header_bytes=16 from_count=0 received_count=0 dkim_count=0 arc_count=0 subject=hello"
#define EOM_FIELDS " body_bytes=5 body_lines=1 content_type=text/plain parts=1"

TEST(a_plain_session_of_postfix)
{
	struct session *session = begin_session();

	connect_from(session, "192.0.2.7", 4321, "ok.example",
		     "j mx.lab.test|v Postfix 3.7.11|_ x|{daemon_name} smtpd|{daemon_addr} 127.0.0.1|{daemon_port} 25|"
		     "{client_addr} 192.0.2.7|{client_port} 4321|{client_ptr} ptr.example|{client_resolve} FORGED|{client_connections} 0");
	helo(session, "client", NULL);
	mail(session, "<ann@example.com> SIZE=12 BODY=8BITMIME", "{mail_mailer} smtp|{mail_host} example.com|{mail_addr} ann@example.com");
	rcpt(session, "<bob@example.net> NOTIFY=NEVER", "{rcpt_mailer} local|{rcpt_host} x|{rcpt_addr} bob@example.net");
	rcpt(session, "<eve@example.net>", "i 4A|{rcpt_mailer} local|{rcpt_host} x|{rcpt_addr} eve@example.net");
	data(session, "i 4A");
	content(session, "i 4A");
	session_abort(session, now += 10);
	session_abort(session, now += 10);
	session_close(session, now += 10);
	check_kept((const char *const[]){
		"connect client_addr=192.0.2.7 family=inet client_port=4321 client_name=ok.example client_ptr=ptr.example "
		"client_resolve=forged daemon_name=smtpd daemon_addr=127.0.0.1 daemon_port=25 mta_host=mx.lab.test "
		"mta_version=Postfix 3.7.11 client_connections=0",
		"helo helo=client",
		"mail msg=1 from=ann@example.com size=12 body=8BITMIME mail_mailer=smtp mail_host=example.com mail_addr=ann@example.com",
		"rcpt msg=1 to=bob@example.net notify=NEVER outcome=passed rcpt_mailer=local rcpt_host=x rcpt_addr=bob@example.net",
		"rcpt msg=1 queue_id=4A to=eve@example.net outcome=passed rcpt_mailer=local rcpt_host=x rcpt_addr=eve@example.net",
		"data msg=1 queue_id=4A recipients=2 recipients_rejected=0",
		"header msg=1 queue_id=4A" HEADER_FIELDS,
		"eom msg=1 queue_id=4A" EOM_FIELDS,
		"close duration_us=100 messages=1 recipients=2 recipients_rejected=0 last_stage=eom cause=ended",
		NULL });
	CHECK_STRING(session->id, "000000000f4240.2a");
	CHECK_NUMBER(sessions_count(&sessions), 1);
	CHECK_NUMBER(atomic_load(&sessions.messages), 1);
	end_session(session);
}

TEST(a_rejected_recipient_is_told_with_its_code_and_reason)
{
	struct session *session = begin_session();

	connect_from(session, "192.0.2.7", 1, "unknown", NULL);
	mail(session, "<>", NULL);
	rcpt(session, "<no@example.net>", "{rcpt_mailer} error|{rcpt_host} 5.1.1|{rcpt_addr} Recipient address rejected: no such user");
	rcpt(session, "<x@example.net>", "{rcpt_mailer} error|{rcpt_host} 5.1.2 closed|{rcpt_addr} x@example.net");
	rcpt(session, "<y@example.net>", "{rcpt_mailer} error|{rcpt_host} nohost.|{rcpt_addr} Domain name required");
	data(session, NULL);
	session_close(session, now += 10);
	check_kept((const char *const[]){
		"connect client_addr=192.0.2.7 family=inet client_port=1",
		"mail msg=1 from=",
		"rcpt msg=1 to=no@example.net outcome=rejected dsn=5.1.1 reject_text=Recipient address rejected: no such user",
		/* A transport that is named error: the recipient was not rejected. */
		"rcpt msg=1 to=x@example.net outcome=passed rcpt_mailer=error rcpt_host=5.1.2 closed rcpt_addr=x@example.net",
		"rcpt msg=1 to=y@example.net outcome=rejected reject_text=Domain name required",
		"data msg=1 recipients=1 recipients_rejected=2",
		"abort msg=1 after_stage=data recipients=1 recipients_rejected=2",
		"close duration_us=60 messages=1 recipients=1 recipients_rejected=2 last_stage=abort cause=ended",
		NULL });
	end_session(session);
}

TEST(a_new_greeting_in_mid_mail_comes_before_the_abort)
{
	struct session *session = begin_session();

	connect_from(session, "192.0.2.7", 1, "[192.0.2.7]", NULL);
	mail(session, "<a@example.com>", "i 8A");
	helo(session, "again", "{tls_version} TLSv1.3|{cipher} AES|{cipher_bits} 256|{cert_subject} s|{cert_issuer} i");
	session_abort(session, now += 10);
	session_unknown(session, now += 10, "FOO");
	mail(session, "<b@example.com>", NULL);
	session_unknown(session, now += 10, "BAR baz");
	session_close(session, now += 10);
	check_kept((const char *const[]){
		"connect client_addr=192.0.2.7 family=inet client_port=1",
		"mail msg=1 queue_id=8A from=a@example.com",
		"helo helo=again tls_version=TLSv1.3 cipher=AES cipher_bits=256 cert_subject=s cert_issuer=i",
		"abort msg=1 queue_id=8A after_stage=mail recipients=0 recipients_rejected=0",
		"unknown command=FOO",
		"mail msg=2 from=b@example.com",
		"unknown msg=2 command=BAR argument=baz",
		"abort msg=2 after_stage=mail recipients=0 recipients_rejected=0",
		"close duration_us=70 messages=2 recipients=0 recipients_rejected=0 last_stage=abort cause=ended",
		NULL });
	end_session(session);
}

TEST(a_queue_id_is_forgotten_with_its_message)
{
	struct session *session = begin_session();

	connect_from(session, "192.0.2.7", 1, "a", NULL);
	for (int i = 0; i < 2; i++) {
		mail(session, "<a@example.com>", NULL);
		rcpt(session, "<b@example.com>", NULL);
		data(session, i ? "i 2B" : "i 1A");
		content(session, NULL);
	}
	session_eom(session, now, &(struct macros){ get_macro, NULL });
	data(session, "i 3C");
	rcpt(session, "<late@example.com>", NULL);
	session_end_of_header(session, now, &(struct macros){ get_macro, NULL });
	CHECK_STRING(session->queue_id, "");
	check_kept((const char *const[]){
		"connect client_addr=192.0.2.7 family=inet client_port=1 client_name=a",
		"mail msg=1 from=a@example.com", "rcpt msg=1 to=b@example.com outcome=passed",
		"data msg=1 queue_id=1A recipients=1 recipients_rejected=0", "header msg=1 queue_id=1A" HEADER_FIELDS,
		"eom msg=1 queue_id=1A" EOM_FIELDS,
		"mail msg=2 from=a@example.com", "rcpt msg=2 to=b@example.com outcome=passed",
		"data msg=2 queue_id=2B recipients=1 recipients_rejected=0", "header msg=2 queue_id=2B" HEADER_FIELDS,
		"eom msg=2 queue_id=2B" EOM_FIELDS, NULL });
	end_session(session);
}

TEST(parameters_have_fields_and_the_others_stay_together)
{
	static const struct { const char *words, *wanted; } rows[] = {
		{ "<a@b>", "mail msg=1 from=a@b" },
		{ "a@b", "mail msg=1 from=a@b" },
		{ "<a@b> size=7 smtputf8 ret=HDRS envid=x+20y auth=<> requiretls",
		  "mail msg=1 from=a@b size=7 smtputf8=yes ret=HDRS envid=x+20y auth=<> requiretls=yes" },
		{ "<a@b> X=1 SIZE=12x FOO SMTPUTF8=no BODY",
		  "mail msg=1 from=a@b mail_params=X=1 SIZE=12x FOO SMTPUTF8=no BODY" },
		{ "<a@b> SIZE=1 SIZE=2", "mail msg=1 from=a@b size=1 mail_params=SIZE=2" },
		{ "<a@b> SIZE=99999999999999999999", "mail msg=1 from=a@b mail_params=SIZE=99999999999999999999" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct session *session = begin_session();

		mail(session, rows[i].words, NULL);
		CHECK_STRING(kept[0], rows[i].wanted);
		end_session(session);
	}
}

TEST(endless_parameters_are_cut)
{
	struct session *session = begin_session();
	char words[4000] = "<a@b>";

	while (strlen(words) < 2000)
		strcat(words, " X=yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy");
	mail(session, words, NULL);
	CHECK(strlen(kept[0]) < 1200);
	CHECK(strstr(kept[0], " cut=mail_params"));
	end_session(session);
}

TEST(recipients_beyond_the_limit_are_counted_not_recorded)
{
	struct session *session = begin_session();

	config->max_recipients = 2;
	connect_from(session, "192.0.2.7", 1, "a", NULL);
	mail(session, "<a@b>", NULL);
	for (int i = 0; i < 5; i++)
		rcpt(session, "<c@d>", NULL);
	CHECK_NUMBER(kept_count, 4);
	data(session, NULL);
	CHECK_STRING(kept[4], "data msg=1 recipients=5 recipients_rejected=0 limits=max_recipients");
	session_abort(session, now);
	CHECK_STRING(kept[5], "abort msg=1 after_stage=data recipients=5 recipients_rejected=0 limits=max_recipients");
	mail(session, "<a@b>", NULL);
	rcpt(session, "<c@d>", NULL);
	data(session, NULL);
	CHECK_STRING(kept[8], "data msg=2 recipients=1 recipients_rejected=0");
	end_session(session);
}

TEST(a_local_submission_has_port_zero)
{
	struct session *session = begin_session();

	connect_from(session, "127.0.0.1", 0, "localhost", "{client_port} 0");
	CHECK_STRING(kept[0], "connect client_addr=127.0.0.1 family=inet client_port=0 client_name=localhost");
	end_session(session);
}

TEST(every_family_of_addresses_is_told)
{
	struct sockaddr_in6 inet6 = { .sin6_family = AF_INET6, .sin6_port = htons(99) };
	struct sockaddr_un local = { .sun_family = AF_UNIX, .sun_path = "/run/x" };
	struct macros macros = macros_of("{client_addr} unknown|{if_addr} 192.0.2.1|{client_ptr} unknown");

	CHECK_NUMBER(inet_pton(AF_INET6, "2001:db8::1", &inet6.sin6_addr), 1);
	const struct { const struct sockaddr *address; const char *wanted; } rows[] = {
		{ (const struct sockaddr *)&inet6, "connect client_addr=2001:db8::1 family=inet6 client_port=99 daemon_addr=192.0.2.1" },
		{ (const struct sockaddr *)&local, "connect client_addr=/run/x family=unix daemon_addr=192.0.2.1" },
		{ NULL, "connect family=unknown daemon_addr=192.0.2.1" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct session *session = begin_session();

		session_connect(session, now, "unknown", rows[i].address, &macros);
		CHECK_STRING(kept[0], rows[i].wanted);
		end_session(session);
	}
}

TEST(names_of_sessions_grow_within_one_microsecond)
{
	struct session *first = begin_session(), *second = session_new(&sessions, config);

	connect_from(first, "192.0.2.7", 1, "a", NULL);
	now -= 500;
	connect_from(second, "192.0.2.7", 2, "b", NULL);
	CHECK_STRING(first->id, "000000000f4240.2a");
	CHECK_STRING(second->id, "000000000f4241.2a");
	CHECK_NUMBER(sessions_count(&sessions), 2);
	session_free(first);
	CHECK_NUMBER(sessions_count(&sessions), 1);
	end_session(second);
}

TEST(a_shutdown_closes_live_sessions_without_an_abort)
{
	struct session *first = begin_session(), *silent = session_new(&sessions, config);

	CHECK(silent != NULL);
	connect_from(first, "192.0.2.7", 1, "a", NULL);
	mail(first, "<a@b>", NULL);
	sessions_shutdown(&sessions, now += 10);
	CHECK_NUMBER(kept_count, 3);
	CHECK_STRING(kept[2], "close duration_us=20 messages=1 recipients=0 recipients_rejected=0 last_stage=mail cause=shutdown");
	CHECK(sessions.first == NULL);
	end_session(NULL);
}

TEST(a_shutdown_leaves_a_session_alone_that_a_callback_is_inside_of)
{
	struct session *session = begin_session();

	connect_from(session, "192.0.2.7", 1, "a", NULL);
	atomic_store(&session->is_busy, true);
	sessions_shutdown(&sessions, now);
	CHECK_NUMBER(kept_count, 1);
	end_session(session);
}

TEST(a_session_that_never_connected_has_no_records)
{
	struct session *session = begin_session();

	session_close(session, now);
	CHECK_NUMBER(kept_count, 0);
	end_session(session);
}

TEST(a_message_may_come_without_the_end_of_its_headers)
{
	struct session *session = begin_session();
	struct macros none = macros_of(NULL);

	mail(session, "<a@b>", NULL);
	session_header(session, TEXT_LITERAL("Subject"), TEXT_LITERAL(" hello"));
	session_eom(session, now, &none);
	CHECK_NUMBER(kept_count, 3);
	CHECK_STRING(kept[1], "header msg=1" HEADER_FIELDS);
	CHECK_STRING(kept[2], "eom msg=1 body_bytes=0 body_lines=0 content_type=text/plain parts=1");
	CHECK(session->message == NULL);
	end_session(session);
}

TEST(sendmail_counts_recipients_that_it_does_not_tell)
{
	struct session *session = begin_session();

	connect_from(session, "192.0.2.7", 25, "c.example", "v 8.17.1.9|i 6ARCPQq5000375");
	mail(session, "<a@example.com>", "i 6ARCPQq5000375|r ESMTP");
	rcpt(session, "<b@example.com>", "{rcpt_mailer} local|{rcpt_host} |{rcpt_addr} b|{nbadrcpts} 0");
	rcpt(session, "<c@example.com>", "{rcpt_mailer} error|{rcpt_host} 5.1.1|{rcpt_addr} 550 5.1.1 User unknown|{nbadrcpts} 3");
	data(session, "{nrcpts} 1|{nbadrcpts} 4");
	session_abort(session, now += 10);
	session_close(session, now += 10);
	static const char *const wanted[] = {
		"connect queue_id=6ARCPQq5000375 client_addr=192.0.2.7 family=inet client_port=25 client_name=c.example mta_version=Sendmail 8.17.1.9",
		"mail msg=1 queue_id=6ARCPQq5000375 from=a@example.com protocol=ESMTP",
		"rcpt msg=1 queue_id=6ARCPQq5000375 to=b@example.com outcome=passed rcpt_mailer=local rcpt_host= rcpt_addr=b",
		"rcpt msg=1 queue_id=6ARCPQq5000375 to=c@example.com outcome=rejected reject_code=550 dsn=5.1.1 reject_text=User unknown",
		"data msg=1 queue_id=6ARCPQq5000375 recipients=1 recipients_rejected=4",
		"abort msg=1 queue_id=6ARCPQq5000375 after_stage=data recipients=1 recipients_rejected=4",
		"close duration_us=60 messages=1 recipients=1 recipients_rejected=4 last_stage=abort cause=ended",
		NULL,
	};

	check_kept(wanted);
	end_session(session);
}

TEST(a_rejection_of_sendmail_has_codes_in_its_text)
{
	static const struct {
		char *macros;
		const char *wanted;
	} cases[] = {
		{ "{rcpt_mailer} error|{rcpt_host} 5.7.1|{rcpt_addr} 550 5.7.1 no",
		  "rcpt msg=1 to=b outcome=rejected reject_code=550 dsn=5.7.1 reject_text=no" },
		{ "{rcpt_mailer} error|{rcpt_host} nouser|{rcpt_addr} 550 5.1.1 no",
		  "rcpt msg=1 to=b outcome=rejected reject_code=550 dsn=5.1.1 reject_text=no" },
		{ "{rcpt_mailer} error|{rcpt_host} 4.2.0|{rcpt_addr} 450 later",
		  "rcpt msg=1 to=b outcome=rejected reject_code=450 dsn=4.2.0 reject_text=later" },
		{ "{rcpt_mailer} error|{rcpt_host} 4.2.0|{rcpt_addr} 450 4.2.0",
		  "rcpt msg=1 to=b outcome=rejected reject_code=450 dsn=4.2.0 reject_text=" },
		{ "{rcpt_mailer} error|{rcpt_host} 4.2.0|{rcpt_addr} 250 is no refusal",
		  "rcpt msg=1 to=b outcome=rejected dsn=4.2.0 reject_text=250 is no refusal" },
		{ "{rcpt_mailer} error|{rcpt_host} 4.2.0|{rcpt_addr} 45x",
		  "rcpt msg=1 to=b outcome=rejected dsn=4.2.0 reject_text=45x" },
		{ "{rcpt_mailer} esmtp|{rcpt_host} example.com.|{rcpt_addr} b@example.com",
		  "rcpt msg=1 to=b outcome=passed rcpt_mailer=esmtp rcpt_host=example.com rcpt_addr=b@example.com" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct session *session = begin_session();

		mail(session, "<a>", NULL);
		rcpt(session, "<b>", cases[i].macros);
		CHECK_STRING(kept[1], cases[i].wanted);
		end_session(session);
	}
}

TEST(a_message_without_an_id_is_told_the_one_it_got)
{
	struct session *session = begin_session();

	connect_from(session, "192.0.2.7", 25, "c", "v 8.17.1.9");
	for (int has_id = 0; has_id < 2; has_id++) {
		mail(session, "<a>", "i Q");
		if (has_id)
			session_header(session, TEXT_LITERAL("Message-Id"), TEXT_LITERAL("<own@a>"));
		session_eom(session, now, &(struct macros){ get_macro, "{msg_id} <given@b>" });
	}
	CHECK_STRING(kept[3], "eom msg=1 queue_id=Q body_bytes=0 body_lines=0 content_type=text/plain parts=1 message_id=<given@b>");
	CHECK_STRING(kept[6], "eom msg=2 queue_id=Q body_bytes=0 body_lines=0 content_type=text/plain parts=1");
	end_session(session);
}

TEST(a_killed_session_is_closed_by_its_name)
{
	sessions_put_killed(NULL, 0, 5, TEXT_LITERAL("00000000000001.1"), STAGE_DATA);
	CHECK_STRING(kept[0], "close last_stage=data cause=killed");
	free(kept[--kept_count]);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(a_plain_session_of_postfix),
		UNIT_TEST(a_rejected_recipient_is_told_with_its_code_and_reason),
		UNIT_TEST(a_new_greeting_in_mid_mail_comes_before_the_abort),
		UNIT_TEST(a_queue_id_is_forgotten_with_its_message),
		UNIT_TEST(parameters_have_fields_and_the_others_stay_together),
		UNIT_TEST(endless_parameters_are_cut),
		UNIT_TEST(recipients_beyond_the_limit_are_counted_not_recorded),
		UNIT_TEST(a_local_submission_has_port_zero),
		UNIT_TEST(every_family_of_addresses_is_told),
		UNIT_TEST(names_of_sessions_grow_within_one_microsecond),
		UNIT_TEST(a_shutdown_closes_live_sessions_without_an_abort),
		UNIT_TEST(a_shutdown_leaves_a_session_alone_that_a_callback_is_inside_of),
		UNIT_TEST(a_session_that_never_connected_has_no_records),
		UNIT_TEST(a_message_may_come_without_the_end_of_its_headers),
		UNIT_TEST(sendmail_counts_recipients_that_it_does_not_tell),
		UNIT_TEST(a_rejection_of_sendmail_has_codes_in_its_text),
		UNIT_TEST(a_message_without_an_id_is_told_the_one_it_got),
		UNIT_TEST(a_killed_session_is_closed_by_its_name),
		{ NULL, NULL },
	};

	return unit_run(tests, argc, argv);
}
