/* session.c - what is known of one connection and its current message; its records. */
#include "session.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

enum { PARAMETERS_MAX = 1024, COMMAND_MAX = 1024, HELO_MAX = 512 };

void sessions_init(struct sessions *sessions, struct recorder *recorder, uint32_t epoch)
{
	sessions->recorder = recorder;
	sessions->auth = NULL;
	sessions->epoch = epoch;
	atomic_init(&sessions->total, 0);
	atomic_init(&sessions->messages, 0);
	(void)pthread_mutex_init(&sessions->lock, NULL);
	sessions->first = NULL;
	sessions->count = 0;
	sessions->last_id_us = 0;
}

void sessions_done(struct sessions *sessions)
{
	(void)pthread_mutex_destroy(&sessions->lock);
}

uint64_t sessions_count(struct sessions *sessions)
{
	pthread_mutex_lock(&sessions->lock);
	uint64_t count = sessions->count;

	pthread_mutex_unlock(&sessions->lock);
	return count;
}

struct session *session_new(struct sessions *sessions, struct config *config)
{
	struct session *session = calloc(1, sizeof *session);

	if (!session)
		return NULL;
	session->sessions = sessions;
	session->config = config_take(config);
	atomic_init(&session->is_busy, false);
	pthread_mutex_lock(&sessions->lock);
	session->next = sessions->first;
	if (session->next)
		session->next->previous = session;
	sessions->first = session;
	pthread_mutex_unlock(&sessions->lock);
	return session;
}

static void unlink_session(struct session *session)
{
	struct sessions *sessions = session->sessions;

	pthread_mutex_lock(&sessions->lock);
	if (session->next)
		session->next->previous = session->previous;
	if (session->previous)
		session->previous->next = session->next;
	else
		sessions->first = session->next;
	if (session->is_connected)
		sessions->count--;
	pthread_mutex_unlock(&sessions->lock);
}

void session_free(struct session *session)
{
	if (!session)
		return;
	unlink_session(session);
	message_free(session->message);
	auth_job_free(session->auth);
	free(session->helo);
	config_release(session->config);
	free(session);
}

/* Names grow strictly, so that two sessions of one microsecond have two. */
static void name_session(struct session *session, uint64_t now_us)
{
	struct sessions *sessions = session->sessions;

	pthread_mutex_lock(&sessions->lock);
	uint64_t id_us = now_us > sessions->last_id_us ? now_us : sessions->last_id_us + 1;

	sessions->last_id_us = id_us;
	sessions->count++;
	session->is_connected = true;
	pthread_mutex_unlock(&sessions->lock);
	(void)snprintf(session->id, sizeof session->id, "%014" PRIx64 ".%" PRIx32, id_us & 0xffffffffffffff,
		       sessions->epoch);
}

/* At its first event; an MTA that leaves out the connect has a session all the same. */
static void begin_session(struct session *session, uint64_t now_us)
{
	name_session(session, now_us);
	session->begun_us = now_us;
	atomic_fetch_add_explicit(&session->sessions->total, 1, memory_order_relaxed);
}

static void begin(struct session *session, struct record *record, enum stage stage, uint64_t now_us)
{
	if (!session->is_connected)
		begin_session(session, now_us);
	record_init(record, stage, now_us);
	record_set_string(record, FIELD_SESSION, session->id);
	session->last_stage = stage;
}

/* Of a stage that belongs to the message, if there is one. */
static void begin_in_message(struct session *session, struct record *record, enum stage stage, uint64_t now_us)
{
	begin(session, record, stage, now_us);
	if (!session->in_message)
		return;
	session->message_stage = stage == STAGE_UNKNOWN ? session->message_stage : stage;
	record_set_number(record, FIELD_MSG, session->messages);
	if (session->queue_id[0])
		record_set_string(record, FIELD_QUEUE_ID, session->queue_id);
	if (session->queue_id[0] && session->is_queue_id_cut)
		record_note_cut(record, FIELD_QUEUE_ID);
}

static void put(struct session *session, struct record *record)
{
	(void)recorder_put(session->sessions->recorder, record);
}

/* Address, port and family. The port is 0 where mail was not handed in through a network. */
static void set_address(struct record *record, const struct sockaddr *address, const struct macros *macros)
{
	const char *family = "unknown";
	char text[INET6_ADDRSTRLEN];
	uint64_t port = 0;
	bool has_port = macro_read_number(macro(macros, "{client_port}"), &port);

	if (address && address->sa_family == AF_INET) {
		const struct sockaddr_in *inet = (const struct sockaddr_in *)(const void *)address;

		family = "inet";
		record_set_string(record, FIELD_CLIENT_ADDR, inet_ntop(AF_INET, &inet->sin_addr, text, sizeof text));
		port = inet->sin_port ? ntohs(inet->sin_port) : port;
		has_port = true;
	} else if (address && address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *inet6 = (const struct sockaddr_in6 *)(const void *)address;

		family = "inet6";
		record_set_string(record, FIELD_CLIENT_ADDR, inet_ntop(AF_INET6, &inet6->sin6_addr, text, sizeof text));
		port = inet6->sin6_port ? ntohs(inet6->sin6_port) : port;
		has_port = true;
	} else if (address && address->sa_family == AF_UNIX) {
		const struct sockaddr_un *local = (const struct sockaddr_un *)(const void *)address;

		family = "unix";
		record_set_text(record, FIELD_CLIENT_ADDR,
				(struct text){ local->sun_path, strnlen(local->sun_path, sizeof local->sun_path) });
	} else {
		record_set_text(record, FIELD_CLIENT_ADDR, macro_known_name(macro(macros, "{client_addr}")));
	}
	record_set_string(record, FIELD_FAMILY, family);
	if (has_port)
		record_set_number(record, FIELD_CLIENT_PORT, port);
}

static bool is_local(const struct spf_address *client)
{
	static const unsigned char loopback[16] = { [15] = 1 };

	return client->family == 0 || (client->family == 4 && client->bytes[0] == 127) ||
	       (client->family == 6 && memcmp(client->bytes, loopback, sizeof loopback) == 0);
}

void session_connect(struct session *session, uint64_t now_us, const char *name,
		     const struct sockaddr *address, const struct macros *macros)
{
	struct text id = macro(macros, "i");
	struct record record;

	if (session->is_connected)
		return;
	if (address)
		session->client = spf_address_of(address);
	session->is_local = is_local(&session->client) || config_is_local(session->config, &session->client);
	session->is_sendmail = macro_is_sendmail(macros);
	begin(session, &record, STAGE_CONNECT, now_us);
	if (id.length)
		record_set_text_max(&record, FIELD_QUEUE_ID, id, SESSION_QUEUE_ID_SIZE - 1);
	set_address(&record, address, macros);
	record_set_text(&record, FIELD_CLIENT_NAME, macro_known_name(text_of(name)));
	record_set_text(&record, FIELD_CLIENT_PTR, macro_known_name(macro(macros, "{client_ptr}")));
	macro_set_word(&record, FIELD_CLIENT_RESOLVE, macros, "{client_resolve}");
	macro_set_daemon(&record, macros);
	macro_set(&record, FIELD_MTA_HOST, macros, "j");
	macro_set_version(&record, macros);
	macro_set_number(&record, FIELD_CLIENT_CONNECTIONS, macros, "{client_connections}");
	put(session, &record);
}

void session_helo(struct session *session, uint64_t now_us, const char *helo, const struct macros *macros)
{
	struct record record;

	/* Postfix tells a HELO in mid-mail before the abort (libmilter turns that round): it is the session's alone. */
	begin(session, &record, STAGE_HELO, now_us);
	free(session->helo);
	session->helo = helo ? strndup(helo, HELO_MAX) : NULL;
	record_set_string(&record, FIELD_HELO, helo);
	macro_set(&record, FIELD_TLS_VERSION, macros, "{tls_version}");
	macro_set(&record, FIELD_CIPHER, macros, "{cipher}");
	macro_set_number(&record, FIELD_CIPHER_BITS, macros, "{cipher_bits}");
	macro_set_certificate(&record, macros);
	put(session, &record);
}

/* An ESMTP parameter that has a field of its own. */
struct parameter {
	const char *keyword;
	enum field field;
	enum field_type type;
};

static const struct parameter mail_parameters[] = {
	{ "SIZE", FIELD_SIZE, FIELD_TYPE_NUMBER },
	{ "BODY", FIELD_BODY, FIELD_TYPE_TEXT },
	{ "SMTPUTF8", FIELD_SMTPUTF8, FIELD_TYPE_FLAG },
	{ "RET", FIELD_RET, FIELD_TYPE_TEXT },
	{ "ENVID", FIELD_ENVID, FIELD_TYPE_TEXT },
	{ "AUTH", FIELD_AUTH, FIELD_TYPE_TEXT },
	{ "REQUIRETLS", FIELD_REQUIRETLS, FIELD_TYPE_FLAG },
	{ NULL, FIELD_MAIL_PARAMS, FIELD_TYPE_TEXT },	/* the others */
};

static const struct parameter rcpt_parameters[] = {
	{ "NOTIFY", FIELD_NOTIFY, FIELD_TYPE_TEXT },
	{ "ORCPT", FIELD_ORCPT, FIELD_TYPE_TEXT },
	{ NULL, FIELD_RCPT_PARAMS, FIELD_TYPE_TEXT },
};

/* Sets the field of a known parameter; false: unknown, or its value has not the form it should. */
static bool set_parameter(struct record *record, const struct parameter *parameter, struct text argument)
{
	const char *equals = memchr(argument.start, '=', argument.length);
	struct text value = TEXT_NONE;
	uint64_t number;

	if (equals)
		value = (struct text){ equals + 1, argument.length - (size_t)(equals + 1 - argument.start) };
	switch (parameter->type) {
	case FIELD_TYPE_NUMBER:
		if (!macro_read_number(value, &number))
			return false;
		record_set_number(record, parameter->field, number);
		return true;
	case FIELD_TYPE_FLAG:
		if (equals)
			return false;
		record_set_flag(record, parameter->field, true);
		return true;
	case FIELD_TYPE_TEXT:
		if (!equals)
			return false;
		record_set_text_max(record, parameter->field, value, PARAMETERS_MAX);
		return true;
	case FIELD_TYPE_LIST:
	case FIELD_TYPE_TIME:
		break;
	}
	return false;
}

static const struct parameter *find_parameter(const struct parameter *table, struct text argument)
{
	const char *equals = argument.length ? memchr(argument.start, '=', argument.length) : NULL;

	if (equals)
		argument.length = (size_t)(equals - argument.start);
	while (table->keyword && !text_equal_nocase(argument, text_of(table->keyword)))
		table++;
	return table;
}

static void set_parameters(struct record *record, const struct parameter *table, char **arguments)
{
	char others[PARAMETERS_MAX];
	size_t length = 0;
	unsigned seen = 0;
	enum field others_field;

	for (; *arguments; arguments++) {
		struct text argument = text_of(*arguments);
		const struct parameter *parameter = find_parameter(table, argument);
		unsigned bit = 1u << (parameter - table);

		if (parameter->keyword && !(seen & bit) && set_parameter(record, parameter, argument)) {
			seen |= bit;
			continue;
		}
		if (length && length < sizeof others)
			others[length++] = ' ';
		/* One byte more than fits tells the record that it was cut. */
		size_t room = sizeof others - length;
		size_t copied = argument.length < room ? argument.length : room;

		memcpy(others + length, argument.start, copied);
		length += copied;
	}
	while (table->keyword)
		table++;
	others_field = table->field;
	if (length)
		record_set_text_max(record, others_field, (struct text){ others, length }, sizeof others - 1);
}

static struct text address_of(const char *argument)
{
	struct text address = text_of(argument);

	/* Postfix' own submission has no angle brackets. */
	if (address.length >= 2 && address.start[0] == '<' && address.start[address.length - 1] == '>') {
		address.start++;
		address.length -= 2;
	}
	return address;
}

static void read_queue_id(struct session *session, const struct macros *macros)
{
	struct text id = macro(macros, "i");

	if (!id.length)
		return;
	session->is_queue_id_cut = id.length >= sizeof session->queue_id;
	if (session->is_queue_id_cut)
		id.length = sizeof session->queue_id - 1;
	memcpy(session->queue_id, id.start, id.length);
	session->queue_id[id.length] = '\0';
}

/* The message is over; what was known of it is forgotten. */
static void end_message(struct session *session)
{
	session->in_message = false;
	session->queue_id[0] = '\0';
	message_free(session->message);
	session->message = NULL;
}

static void begin_auth(struct session *session, struct text from, struct text auth_type)
{
	const struct auth_sender sender = {
		.session = session->id, .message = session->messages, .client = session->client,
		.origin = auth_type.length ? CONFIG_ORIGIN_AUTHENTICATED
			: session->is_local ? CONFIG_ORIGIN_LOCAL : CONFIG_ORIGIN_INBOUND,
		.helo = text_of(session->helo), .from = from,
	};

	session->auth = auth_job_new(session->sessions->auth, session->config, &sender);
}

void session_mail(struct session *session, uint64_t now_us, char **arguments, const struct macros *macros)
{
	struct record record;

	session_abort(session, now_us);
	session->in_message = true;
	session->messages++;
	atomic_fetch_add_explicit(&session->sessions->messages, 1, memory_order_relaxed);
	session->message_recipients = session->message_rejected = session->message_commands = 0;
	session->recipients_limited = session->header_recorded = session->message_lost = false;
	session->queue_id[0] = '\0';
	read_queue_id(session, macros);
	begin_in_message(session, &record, STAGE_MAIL, now_us);
	record_set_text(&record, FIELD_FROM, address_of(arguments[0]));
	if (arguments[0])
		set_parameters(&record, mail_parameters, arguments + 1);
	macro_set(&record, FIELD_PROTOCOL, macros, "r");
	macro_set(&record, FIELD_AUTH_TYPE, macros, "{auth_type}");
	macro_set(&record, FIELD_AUTH_AUTHEN, macros, "{auth_authen}");
	macro_set(&record, FIELD_AUTH_AUTHOR, macros, "{auth_author}");
	macro_set(&record, FIELD_MAIL_MAILER, macros, "{mail_mailer}");
	macro_set_host(&record, FIELD_MAIL_HOST, macros, "{mail_host}");
	macro_set(&record, FIELD_MAIL_ADDR, macros, "{mail_addr}");
	put(session, &record);
	begin_auth(session, address_of(arguments[0]), macro(macros, "{auth_type}"));
}

static void set_outcome(struct record *record, const struct rejection *rejection, const struct rcpt_macros *told)
{
	if (rejection->is_one) {
		record_set_string(record, FIELD_OUTCOME, "rejected");
		if (rejection->code)
			record_set_number(record, FIELD_REJECT_CODE, rejection->code);
		record_set_text(record, FIELD_DSN, rejection->dsn);
		record_set_text(record, FIELD_REJECT_TEXT, rejection->reason);
		return;
	}
	record_set_string(record, FIELD_OUTCOME, "passed");
	record_set_text(record, FIELD_RCPT_MAILER, told->mailer);
	record_set_text(record, FIELD_RCPT_HOST, told->host);
	record_set_text(record, FIELD_RCPT_ADDR, told->address);
}

/* Sendmail's own count has also those of which it tells nothing: recipients that check_rcpt or a later milter refused. */
static void take_count(const struct session *session, const struct macros *macros, const char *name, uint64_t *count,
		       uint64_t *session_count)
{
	uint64_t told;

	if (!session->is_sendmail || !macro_read_number(macro(macros, name), &told))
		return;
	*session_count += told - *count;
	*count = told;
}

void session_rcpt(struct session *session, uint64_t now_us, char **arguments, const struct macros *macros)
{
	struct text recipient = address_of(arguments[0]);
	struct record record;

	if (!session->in_message)
		return;
	struct rcpt_macros told = macro_read_rcpt(macros);
	struct rejection rejection = macro_read_rejection(recipient, &told);

	*(rejection.is_one ? &session->message_rejected : &session->message_recipients) += 1;
	*(rejection.is_one ? &session->recipients_rejected : &session->recipients) += 1;
	take_count(session, macros, "{nbadrcpts}", &session->message_rejected, &session->recipients_rejected);
	read_queue_id(session, macros);
	if (++session->message_commands > session->config->max_recipients) {
		session->recipients_limited = true;
		return;
	}
	begin_in_message(session, &record, STAGE_RCPT, now_us);
	record_set_text(&record, FIELD_TO, recipient);
	if (arguments[0])
		set_parameters(&record, rcpt_parameters, arguments + 1);
	set_outcome(&record, &rejection, &told);
	put(session, &record);
}

static void set_recipients(const struct session *session, struct record *record)
{
	record_set_number(record, FIELD_RECIPIENTS, session->message_recipients);
	record_set_number(record, FIELD_RECIPIENTS_REJECTED, session->message_rejected);
	if (session->recipients_limited)
		record_add_item(record, FIELD_LIMITS, TEXT_LITERAL("max_recipients"));
}

void session_data(struct session *session, uint64_t now_us, const struct macros *macros)
{
	struct record record;

	if (!session->in_message)
		return;
	read_queue_id(session, macros);
	take_count(session, macros, "{nrcpts}", &session->message_recipients, &session->recipients);
	take_count(session, macros, "{nbadrcpts}", &session->message_rejected, &session->recipients_rejected);
	begin_in_message(session, &record, STAGE_DATA, now_us);
	set_recipients(session, &record);
	put(session, &record);
}

void session_unknown(struct session *session, uint64_t now_us, const char *command)
{
	struct record record;

	struct text verb = text_of(command), argument = TEXT_NONE;
	const char *blank = verb.length ? memchr(verb.start, ' ', verb.length) : NULL;

	/* Postfix tells the verb alone, Sendmail the line. */
	if (blank) {
		argument = text_of(blank + 1);
		verb.length = (size_t)(blank - verb.start);
	}
	begin_in_message(session, &record, STAGE_UNKNOWN, now_us);
	record_set_text_max(&record, FIELD_COMMAND, verb, COMMAND_MAX);
	record_set_text_max(&record, FIELD_ARGUMENT, argument, COMMAND_MAX);
	put(session, &record);
}

/* The buffers of a message are made when it first needs them. */
static struct message *need_message(struct session *session)
{
	if (session->in_message && !session->message && !session->message_lost) {
		session->message = message_new(session->config);
		session->message_lost = !session->message;
	}
	return session->message;
}

void session_header(struct session *session, struct text name, struct text value)
{
	struct message *message = need_message(session);

	if (message)
		message_header(message, name, value);
	auth_job_header(session->auth, name, value);
}

static void put_header(struct session *session, uint64_t now_us)
{
	struct message *message = need_message(session);
	struct record record;

	session->header_recorded = true;
	if (!message) {
		recorder_lost(session->sessions->recorder, now_us);
		return;
	}
	begin_in_message(session, &record, STAGE_HEADER, now_us);
	message_fill_header(message, &record);
	put(session, &record);
}

void session_end_of_header(struct session *session, uint64_t now_us, const struct macros *macros)
{
	if (!session->in_message || session->header_recorded)
		return;
	read_queue_id(session, macros);
	put_header(session, now_us);
	auth_job_end_of_header(session->auth);
}

void session_body(struct session *session, struct text chunk)
{
	struct message *message = need_message(session);

	if (message)
		message_body(message, chunk);
	auth_job_body(session->auth, chunk);
}

static void submit_auth(struct session *session, uint64_t now_us)
{
	struct auth_end end = {
		.queue_id = session->queue_id, .recipients = session->message_recipients,
		.recipients_rejected = session->message_rejected,
	};

	if (session->message) {
		end.size = message_size(session->message);
		end.from_count = address_list_count(message_from(session->message));
		end.from_domain = address_list_domain(message_from(session->message));
	}
	/* There was no memory for it at MAIL. */
	if (session->sessions->auth && !session->auth)
		recorder_lost(session->sessions->recorder, now_us);
	auth_job_submit(session->auth, &end);
	session->auth = NULL;
}

void session_eom(struct session *session, uint64_t now_us, const struct macros *macros)
{
	struct record record;

	if (!session->in_message)
		return;
	read_queue_id(session, macros);
	if (!session->header_recorded)
		put_header(session, now_us);
	if (session->message) {
		begin_in_message(session, &record, STAGE_EOM, now_us);
		message_fill_eom(session->message, &record);
		if (session->is_sendmail)
			message_name(session->message, macro(macros, "{msg_id}"), &record);
		put(session, &record);
	} else {
		recorder_lost(session->sessions->recorder, now_us);
	}
	submit_auth(session, now_us);
	end_message(session);
}

void session_abort(struct session *session, uint64_t now_us)
{
	enum stage after = session->message_stage;
	struct record record;

	/* Postfix aborts after each end of message too: that message is done. */
	if (!session->in_message)
		return;
	begin_in_message(session, &record, STAGE_ABORT, now_us);
	record_set_string(&record, FIELD_AFTER_STAGE, stage_name(after));
	set_recipients(session, &record);
	put(session, &record);
	auth_job_abort(session->auth, session->queue_id);
	session->auth = NULL;
	end_message(session);
}

static void put_close(struct session *session, uint64_t now_us, const char *cause)
{
	enum stage last = session->last_stage;
	struct record record;

	begin(session, &record, STAGE_CLOSE, now_us);
	record_set_number(&record, FIELD_DURATION_US, now_us > session->begun_us ? now_us - session->begun_us : 0);
	record_set_number(&record, FIELD_MESSAGES, session->messages);
	record_set_number(&record, FIELD_RECIPIENTS, session->recipients);
	record_set_number(&record, FIELD_RECIPIENTS_REJECTED, session->recipients_rejected);
	record_set_string(&record, FIELD_LAST_STAGE, stage_name(last));
	record_set_string(&record, FIELD_CAUSE, cause);
	put(session, &record);
}

void session_close(struct session *session, uint64_t now_us)
{
	if (!session->is_connected)
		return;
	/* Sendmail's QUIT and a lost client end a message without saying so. */
	session_abort(session, now_us);
	put_close(session, now_us, "ended");
}

/* A session that no callback is inside of, taken off the list; NULL: none. */
static struct session *take_idle(struct sessions *sessions)
{
	struct session *session;

	pthread_mutex_lock(&sessions->lock);
	for (session = sessions->first; session; session = session->next)
		if (!atomic_load(&session->is_busy))
			break;
	pthread_mutex_unlock(&sessions->lock);
	return session;
}

void sessions_shutdown(struct sessions *sessions, uint64_t now_us)
{
	struct session *session;

	/* No abort is recorded: the MTA goes on with the message without us. */
	while ((session = take_idle(sessions))) {
		if (session->is_connected)
			put_close(session, now_us, "shutdown");
		session_free(session);
	}
}

void sessions_put_killed(struct recorder *recorder, unsigned place, uint64_t now_us, struct text id, enum stage last_stage)
{
	struct record record;

	record_init(&record, STAGE_CLOSE, now_us);
	record_set_text(&record, FIELD_SESSION, id);
	record_set_string(&record, FIELD_LAST_STAGE, stage_name(last_stage));
	record_set_string(&record, FIELD_CAUSE, "killed");
	(void)recorder_put_at(recorder, place, &record);
}
