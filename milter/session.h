/*
 * session.h - what is known of one connection and its current message; its records.
 *
 * A session is told each stage as it happens and appends the record of it. It reads the MTA's
 * macros in their own stage only, since older ones linger. The queue id is remembered from the
 * moment the MTA gives one and forgotten at each MAIL and abort. A message ends at its end of
 * message or its abort, whatever comes behind.
 *
 * Threads: a session has one owner at a time and needs no lock; the list of live sessions has a
 *          mutex, held for a few instructions and never across an append.
 * Memory:  a session is about 400 bytes; a message adds what message.h says, from its first header to
 *          its end. The configuration in force at the begin is held to the end.
 * Limits:  max_recipients recorded of a message; texts as record.h cuts them.
 * Errors:  where memory is short the record is counted as lost, and the mail goes on.
 */
#ifndef SMTPTRAIL_MILTER_SESSION_H
#define SMTPTRAIL_MILTER_SESSION_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "auth_jobs.h"
#include "config.h"
#include "macros.h"
#include "message.h"
#include "recorder.h"

#define SESSION_ID_SIZE 24		/* 14 digits, a dot, up to 8 digits, NUL */
#define SESSION_QUEUE_ID_SIZE 64

struct sessions {
	struct recorder *recorder;
	struct auth_jobs *auth;		/* NULL: nothing is checked */
	uint32_t epoch;
	atomic_ullong total, messages;	/* since start */
	pthread_mutex_t lock;		/* guards what follows, and the links of the sessions */
	struct session *first;
	uint64_t count;			/* connected ones */
	uint64_t last_id_us;
};

struct session {
	struct sessions *sessions;
	struct session *next, *previous;	/* under the lock of sessions */
	struct config *config;
	unsigned long no_reply;			/* the stages that were negotiated to get no reply */
	atomic_bool is_busy;			/* a callback is inside */
	bool is_connected;
	char id[SESSION_ID_SIZE];
	uint64_t begun_us;
	struct spf_address client;	/* family 0: none that a network has */
	bool is_local;			/* from this machine */
	bool is_sendmail;		/* which tells what Postfix has no macros for */
	char *helo;			/* NULL: none yet */
	enum stage last_stage;
	uint64_t messages, recipients, recipients_rejected;

	bool in_message;
	char queue_id[SESSION_QUEUE_ID_SIZE];	/* empty: not known */
	bool is_queue_id_cut;
	enum stage message_stage;		/* the last one of this message */
	uint64_t message_recipients, message_rejected, message_commands;	/* the last: RCPT that we were told of */
	bool recipients_limited, header_recorded, message_lost;
	struct message *message;		/* from its first header on */
	struct auth_job *auth;			/* NULL: nothing is checked */
};

void sessions_init(struct sessions *sessions, struct recorder *recorder, uint32_t epoch);
void sessions_done(struct sessions *sessions);
uint64_t sessions_count(struct sessions *sessions);
/* Ends all sessions that no callback is inside of, saying that the milter stopped. */
void sessions_shutdown(struct sessions *sessions, uint64_t now_us);
/* The close of a session of an earlier start that never got one. */
void sessions_put_killed(struct recorder *recorder, unsigned place, uint64_t now_us, struct text id, enum stage last_stage);

/* Takes its own reference to the configuration. NULL: no memory. */
struct session *session_new(struct sessions *sessions, struct config *config);
void session_free(struct session *session);

void session_connect(struct session *session, uint64_t now_us, const char *name,
		     const struct sockaddr *address, const struct macros *macros);
void session_helo(struct session *session, uint64_t now_us, const char *helo, const struct macros *macros);
/* arguments: the address, then the ESMTP parameters, then NULL. */
void session_mail(struct session *session, uint64_t now_us, char **arguments, const struct macros *macros);
void session_rcpt(struct session *session, uint64_t now_us, char **arguments, const struct macros *macros);
void session_data(struct session *session, uint64_t now_us, const struct macros *macros);
void session_unknown(struct session *session, uint64_t now_us, const char *command);
void session_header(struct session *session, struct text name, struct text value);
void session_end_of_header(struct session *session, uint64_t now_us, const struct macros *macros);
void session_body(struct session *session, struct text chunk);
void session_eom(struct session *session, uint64_t now_us, const struct macros *macros);
void session_abort(struct session *session, uint64_t now_us);
void session_close(struct session *session, uint64_t now_us);

#endif
