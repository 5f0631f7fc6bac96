/* mta.c - one session as an MTA drives it: its events, and the macros that go before each. */
#include "mta.h"

#include <arpa/inet.h>
#include <err.h>
#include <libmilter/mfdef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_SIZE 1024

/* The lists of an MTA whose milter asked for none. */
static const struct {
	enum wire_place place;
	const char *postfix, *sendmail;
} default_lists[] = {
	{ WIRE_PLACE_CONNECT, "j {daemon_name} {daemon_addr} v _", "j _ {daemon_name} {if_name} {if_addr}" },
	{ WIRE_PLACE_HELO, "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}",
	  "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}" },
	{ WIRE_PLACE_MAIL, "{auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} {mail_mailer}",
	  "i {auth_type} {auth_authen} {auth_author} {mail_mailer} {mail_host} {mail_addr}" },
	{ WIRE_PLACE_RCPT, "i {rcpt_addr} {rcpt_host} {rcpt_mailer}", "{rcpt_mailer} {rcpt_host} {rcpt_addr}" },
	{ WIRE_PLACE_DATA, "i", "" },
	{ WIRE_PLACE_EOM, "i", "{msg_id}" },
	{ WIRE_PLACE_EOH, "i", "" },
};

void mta_init(struct mta_session *session, enum mta_kind kind, unsigned number)
{
	*session = (struct mta_session){ .kind = kind, .number = number };
}

void mta_done(struct mta_session *session)
{
	wire_free(&session->out);
	wire_free(&session->in);
	for (unsigned i = 0; i < WIRE_MACROS; i++)
		free(session->values[i].start);
}

static void store(struct mta_value *value, struct text text)
{
	if (value->capacity < text.length + 1) {
		free(value->start);
		value->capacity = text.length + 64;
		value->start = malloc(value->capacity);
		if (!value->start)
			err(1, "cannot keep a macro's value");
	}
	memcpy(value->start, text.start, text.length);
	value->length = text.length;
}

static void unset(struct mta_value *value)
{
	free(value->start);
	*value = (struct mta_value){ 0 };
}

void mta_set(struct mta_session *session, const char *name, struct text text)
{
	struct mta_value *value = &session->values[wire_macro(text_of(name))];

	if (text.start) {
		store(value, text);
		value->is_given = true;
	} else {
		unset(value);
	}
}

/* What the MTA finds out by itself, unless the caller has given it. */
static void derive(struct mta_session *session, const char *name, struct text text)
{
	struct mta_value *value = &session->values[wire_macro(text_of(name))];

	if (!value->is_given && session->kind != MTA_BARE)
		store(value, text);
}

static void forget(struct mta_session *session, const char *name)
{
	struct mta_value *value = &session->values[wire_macro(text_of(name))];

	if (!value->is_given)
		unset(value);
}

static enum wire_place place_of(const struct mta_session *session, char command)
{
	switch (command) {
	case SMFIC_CONNECT: return WIRE_PLACE_CONNECT;
	case SMFIC_HELO: return WIRE_PLACE_HELO;
	case SMFIC_MAIL: return WIRE_PLACE_MAIL;
	case SMFIC_RCPT: return WIRE_PLACE_RCPT;
	case SMFIC_DATA: return WIRE_PLACE_DATA;
	case SMFIC_EOH: return WIRE_PLACE_EOH;
	case SMFIC_BODYEOB: return WIRE_PLACE_EOM;
	/* Postfix defines its macros before every event, header fields and chunks too. */
	case SMFIC_HEADER: return session->kind == MTA_POSTFIX ? WIRE_PLACE_EOH : WIRE_PLACE_NONE;
	case SMFIC_BODY: return session->kind == MTA_POSTFIX ? WIRE_PLACE_EOM : WIRE_PLACE_NONE;
	default: return WIRE_PLACE_NONE;
	}
}

static const struct wire_list *list_of(const struct mta_session *session, enum wire_place place)
{
	static struct wire_list lists[2][WIRE_PLACE_NONE];
	static bool is_read;

	if (session->terms.is_asked[place])
		return &session->terms.lists[place];
	for (size_t i = 0; !is_read && i < WIRE_PLACE_NONE; i++) {
		wire_list_read(&lists[0][default_lists[i].place], text_of(default_lists[i].postfix));
		wire_list_read(&lists[1][default_lists[i].place], text_of(default_lists[i].sendmail));
	}
	is_read = true;
	return &lists[session->kind == MTA_SENDMAIL][place];
}

static void send_macros(struct mta_session *session, char command)
{
	enum wire_place place = place_of(session, command);
	const struct wire_list *list = place == WIRE_PLACE_NONE ? NULL : list_of(session, place);
	size_t begin = wire_frame_begin(&session->out, SMFIC_MACRO), sent = 0;

	wire_add(&session->out, &command, 1);
	for (unsigned i = 0; list && i < list->count; i++) {
		const struct mta_value *value = &session->values[list->macros[i]];

		if (!value->start)
			continue;
		wire_add_string(&session->out, text_of(wire_macro_name(list->macros[i])));
		wire_add_string(&session->out, (struct text){ value->start, value->length });
		sent++;
	}
	if (sent == 0 && session->kind != MTA_POSTFIX)
		session->out.length = begin;
	else
		wire_frame_end(&session->out, begin);
}

static size_t event_begin(struct mta_session *session, char command)
{
	if (command != SMFIC_ABORT && command != SMFIC_QUIT && command != SMFIC_QUIT_NC)
		send_macros(session, command);
	session->events++;
	session->replies_due += wire_is_replied(&session->terms, command);
	return wire_frame_begin(&session->out, command);
}

static void event(struct mta_session *session, char command, struct text payload)
{
	size_t begin;

	if (!wire_is_sent(&session->terms, command))
		return;
	begin = event_begin(session, command);
	wire_add(&session->out, payload.start, payload.length);
	wire_frame_end(&session->out, begin);
}

static void event_words(struct mta_session *session, char command, const struct text *words, size_t count)
{
	size_t begin;

	if (!wire_is_sent(&session->terms, command))
		return;
	begin = event_begin(session, command);
	for (size_t i = 0; i < count; i++)
		wire_add_string(&session->out, words[i]);
	wire_frame_end(&session->out, begin);
}

static void derive_queue_id(struct mta_session *session, unsigned message)
{
	char text[32];

	snprintf(text, sizeof(text), session->kind == MTA_SENDMAIL ? "5ALS%04u%03u" : "4Q%05uz%03u",
		 session->number, message);
	derive(session, "i", text_of(text));
}

static void derive_number(struct mta_session *session, const char *name, unsigned number)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", number);
	derive(session, name, text_of(text));
}

static void derive_connection(struct mta_session *session, struct text name, char family, uint16_t port,
			      struct text address)
{
	bool is_unresolved = name.length && name.start[0] == '[';
	struct text ptr = is_unresolved ? text_of("unknown") : name;
	char text[TEXT_SIZE];

	derive(session, "j", text_of("mx.lab.test"));
	derive(session, "v", text_of(session->kind == MTA_SENDMAIL ? "8.17.1.9" : "Postfix 3.7.11"));
	derive(session, "{daemon_name}", text_of(session->kind == MTA_SENDMAIL ? "LAB" : "mx.lab.test"));
	derive(session, "{daemon_addr}", text_of(session->kind == MTA_SENDMAIL ? "0.0.0.0" : family == SMFIA_INET6 ? "::1" : "127.0.0.1"));
	derive(session, "{daemon_port}", text_of("25"));
	derive(session, "{client_addr}", address);
	derive(session, "{client_name}", name);
	derive(session, "{client_ptr}", ptr);
	derive(session, "{client_resolve}", text_of(is_unresolved ? "FAIL" : "OK"));
	derive(session, "{client_connections}", text_of(session->kind == MTA_SENDMAIL ? "1" : "0"));
	derive_number(session, "{client_port}", port);
	snprintf(text, sizeof(text), "%.*s [%s%.*s]", TEXT_ARGS(ptr), family == SMFIA_INET6 ? "IPv6:" : "",
		 TEXT_ARGS(address));
	derive(session, "_", text_of(text));
	if (session->kind == MTA_SENDMAIL) {
		derive_queue_id(session, session->message + 1);
		derive(session, "{if_name}", text_of("mx.lab.test"));
		derive(session, "{if_addr}", text_of(family == SMFIA_INET6 ? "IPv6:2001:db8:0:0:0:0:0:1" : "192.0.2.1"));
	}
}

void mta_connect(struct mta_session *session, struct text name, char family, uint16_t port,
		 struct text address)
{
	uint16_t big_endian = htons(port);
	size_t begin;

	derive_connection(session, name, family, port, address);
	if (!wire_is_sent(&session->terms, SMFIC_CONNECT))
		return;
	begin = event_begin(session, SMFIC_CONNECT);
	wire_add_string(&session->out, name);
	wire_add(&session->out, &family, 1);
	if (family != SMFIA_UNKNOWN) {
		wire_add(&session->out, &big_endian, sizeof(big_endian));
		wire_add_string(&session->out, address);
	}
	wire_frame_end(&session->out, begin);
}

void mta_helo(struct mta_session *session, struct text name)
{
	event_words(session, SMFIC_HELO, &name, 1);
}

static struct text without_brackets(struct text address)
{
	if (address.length >= 2 && address.start[0] == '<' && address.start[address.length - 1] == '>')
		return (struct text){ address.start + 1, address.length - 2 };
	return address;
}

/* {mail_addr} {mail_host} {mail_mailer}, or those of the recipient. */
static void derive_address(struct mta_session *session, const char *const names[3], struct text address)
{
	struct text bare = without_brackets(address), host = text_of("mx.lab.test");
	const char *at = bare.start ? memrchr(bare.start, '@', bare.length) : NULL;
	char text[TEXT_SIZE];

	if (at)
		host = (struct text){ at + 1, (size_t)(bare.start + bare.length - at - 1) };
	if (host.length > TEXT_SIZE / 2)
		host.length = TEXT_SIZE / 2;
	derive(session, names[0], bare);
	snprintf(text, sizeof(text), "%.*s%s", TEXT_ARGS(host), session->kind == MTA_SENDMAIL ? "." : "");
	derive(session, names[1], text_of(text));
	derive(session, names[2], text_of(!at ? "local" : session->kind == MTA_SENDMAIL ? "esmtp" : "smtp"));
}

/* Sendmail counts the one that it is about to tell, too. */
static void derive_recipients(struct mta_session *session)
{
	if (session->kind != MTA_SENDMAIL)
		return;
	derive_number(session, "{nrcpts}", session->recipients);
	derive_number(session, "{nbadrcpts}", session->rejected);
}

void mta_mail(struct mta_session *session, const struct text *words, size_t count)
{
	static const char *const names[] = { "{mail_addr}", "{mail_host}", "{mail_mailer}" };

	session->message++;
	session->recipients = session->rejected = 0;
	forget(session, "i");
	if (session->kind == MTA_SENDMAIL) {
		derive_queue_id(session, session->message);
		derive(session, "r", text_of("ESMTP"));
		derive_recipients(session);
	}
	derive_address(session, names, count ? words[0] : TEXT_LITERAL(""));
	event_words(session, SMFIC_MAIL, words, count);
}

void mta_rcpt(struct mta_session *session, const struct text *words, size_t count)
{
	static const char *const names[] = { "{rcpt_addr}", "{rcpt_host}", "{rcpt_mailer}" };

	derive_address(session, names, count ? words[0] : TEXT_LITERAL(""));
	session->recipients++;
	derive_recipients(session);
	event_words(session, SMFIC_RCPT, words, count);
	/* Postfix opens a queue file for the first recipient that it accepts. */
	if (session->kind == MTA_POSTFIX)
		derive_queue_id(session, session->message);
}

void mta_rcpt_rejected(struct mta_session *session, struct text address, struct text dsn,
		       struct text reason)
{
	derive(session, "{rcpt_mailer}", text_of("error"));
	derive(session, "{rcpt_host}", dsn);
	derive(session, "{rcpt_addr}", reason);
	session->rejected++;
	derive_recipients(session);
	event_words(session, SMFIC_RCPT, &address, 1);
}

void mta_header(struct mta_session *session, struct text name, struct text value)
{
	const struct text words[] = { name, value };

	event_words(session, SMFIC_HEADER, words, 2);
}

void mta_body(struct mta_session *session, struct text bytes)
{
	do {
		struct text chunk = bytes;

		if (chunk.length > MILTER_CHUNK_SIZE)
			chunk.length = MILTER_CHUNK_SIZE;
		event(session, SMFIC_BODY, chunk);
		bytes.start += chunk.length;
		bytes.length -= chunk.length;
	} while (bytes.length);
}

void mta_unknown(struct mta_session *session, struct text command)
{
	event_words(session, SMFIC_UNKNOWN, &command, 1);
}

void mta_plain(struct mta_session *session, char command, struct text payload)
{
	event(session, command, payload);
	if (command == SMFIC_ABORT)
		forget(session, "i");
	if (command == SMFIC_QUIT_NC)
		for (unsigned i = 0; i < WIRE_MACROS; i++)
			unset(&session->values[i]);
}
