/*
 * mta.h - one session as an MTA drives it: its events, and the macros that go before each.
 *
 * An event is written into session->out, its macro packet before it as Postfix 3.7 or Sendmail
 * 8.17 would send it: the lists that the milter asked for, or the MTA's own; values that the
 * caller set, or those that the MTA would derive from the event.
 *
 * Threads: one. Memory: the session owns copies of all values.
 */
#ifndef SMTPTRAIL_MTA_H
#define SMTPTRAIL_MTA_H

#include "milter_wire.h"

enum mta_kind {
	MTA_POSTFIX,	/* a macro packet before each event; queue id after the first good recipient */
	MTA_SENDMAIL,	/* only packets with something in them; queue id from the connect; trailing dots; counts recipients */
	MTA_BARE	/* only what the caller sets */
};

struct mta_value {
	char *start;	/* NULL: not set */
	size_t length, capacity;
	bool is_given;	/* set by the caller: not derived any more */
};

struct mta_session {
	enum mta_kind kind;
	unsigned number;		/* of the session, goes into queue ids */
	unsigned message;		/* of the session, counted at MAIL */
	unsigned recipients, rejected;	/* of the message */
	struct wire_terms terms;
	struct wire_bytes out, in;
	uint64_t events, replies_due;	/* events written; replies that they will have */
	struct mta_value values[WIRE_MACROS];
};

void mta_init(struct mta_session *session, enum mta_kind kind, unsigned number);
void mta_done(struct mta_session *session);

/* Sets a macro for this and the following events, as given by the caller. NULL start: unset. */
void mta_set(struct mta_session *session, const char *name, struct text value);

void mta_connect(struct mta_session *session, struct text name, char family, uint16_t port,
		 struct text address);
void mta_helo(struct mta_session *session, struct text name);
/* The first word is the address, with its angle brackets; the others are ESMTP parameters. */
void mta_mail(struct mta_session *session, const struct text *words, size_t count);
void mta_rcpt(struct mta_session *session, const struct text *words, size_t count);
/* A recipient that the MTA has rejected. */
void mta_rcpt_rejected(struct mta_session *session, struct text address, struct text dsn,
		       struct text reason);
void mta_header(struct mta_session *session, struct text name, struct text value);
/* In chunks, as large as MTAs make them. */
void mta_body(struct mta_session *session, struct text bytes);
void mta_unknown(struct mta_session *session, struct text command);
/* DATA, EOH, BODYEOB, ABORT, QUIT, QUIT_NC. */
void mta_plain(struct mta_session *session, char command, struct text payload);

#endif
