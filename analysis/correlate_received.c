/*
 * correlate_received.c - messages that one line tells whole: who brought it, from whom, to whom (Sendmail, Exim, traces and
 * gateways), and what such logs say of it otherwise.
 *
 * Their queue identifiers are never given again, so a line that names one is of that message, in whatever order they come.
 * Of sessions these logs tell little: some have the begin, few the end. Such a session is tacit: it ends when nothing more is
 * heard of it.
 */
#include "analysis/correlate_internal.h"

static const struct fact_row login_rows[] = {
	{ NAME_AUTH_TYPE, FACT_SESSION_AUTH_TYPE }, { NAME_AUTH_AUTHEN, FACT_SESSION_AUTH_AUTHEN },
};
static const struct fact_row tls_rows[] = {
	{ NAME_TLS_VERSION, FACT_SESSION_TLS_VERSION }, { NAME_CIPHER, FACT_SESSION_CIPHER },
	{ NAME_CIPHER_BITS, FACT_SESSION_CIPHER_BITS }, { NAME_TLS_TRUST, FACT_SESSION_TLS_TRUST },
};

/* Whether somebody brought it from outside, as far as the line tells. */
static bool is_from_client(const struct clue *clue)
{
	return clue_has(clue, NAME_CLIENT_ADDR) || clue_has(clue, NAME_DAEMON_NAME) || clue_has(clue, NAME_HELO);
}

/* The session that it came in; one of its own where the log has no name for sessions. NULL: it came from this machine. */
static struct open_session *bringer_of(struct clue *clue, struct open_message *message)
{
	if (message->message.session)
		return (struct open_session *)message->message.session;
	if (!is_from_client(clue))
		return NULL;
	return session_name(clue).length ? session_of(clue) : session_of_one(clue, clue_text(clue, NAME_QUEUE_ID));
}

static void put_origin(struct clue *clue, struct open_message *message, const struct open_session *session)
{
	if (session)
		message_put_origin(clue, message, session, JOIN_QUEUE_ID);
	if (session || !fact_begin(clue, &message->message.facts, JOIN_QUEUE_ID))
		return;
	fact_put(clue, &message->message.facts, FACT_MESSAGE_UID, clue_text(clue, NAME_UID));
	if (!clue_has(clue, NAME_DIRECTION))
		fact_put(clue, &message->message.facts, FACT_MESSAGE_ORIGIN, TEXT_LITERAL("local"));
}

static void put_session(struct clue *clue, struct open_session *session)
{
	if (clue_has(clue, NAME_AUTH_TYPE))
		login_passed(clue, session);
	if (!fact_begin(clue, &session->session.facts, session_key(clue)))
		return;
	FACT_COPY(clue, &session->session.facts, login_rows);
	FACT_COPY(clue, &session->session.facts, tls_rows);
}

static void put_message(struct clue *clue, struct open_message *message)
{
	struct facts *facts = &message->message.facts;

	if (!fact_begin(clue, facts, JOIN_QUEUE_ID))
		return;
	fact_put(clue, facts, FACT_MESSAGE_FROM, clue_text(clue, NAME_FROM));
	fact_put(clue, facts, FACT_MESSAGE_MESSAGE_ID, clue_text(clue, NAME_MESSAGE_ID));
	fact_put(clue, facts, FACT_MESSAGE_SIZE, clue_text(clue, NAME_SIZE));
	fact_put(clue, facts, FACT_MESSAGE_RECIPIENTS, clue_text(clue, NAME_RECIPIENTS));
	fact_put(clue, facts, FACT_MESSAGE_SUBJECT, clue_text(clue, NAME_SUBJECT));
}

static void put_recipients(struct clue *clue, struct open_message *message)
{
	struct recipient_walk walk = { .at = 0 };
	struct text to;

	while (recipient_next(clue, &walk, &to))
		(void)recipient_given(clue, message, to, JOIN_QUEUE_ID);
}

void message_begin_trace(struct clue *clue, struct open_message *message)
{
	struct open_session *session;

	message->is_trace = message->is_unmapped = true;
	clue->correlate->may_go_quiet = true;
	message->expected = 1;
	if (clue->event->kind == EVENT_KIND(RECEIVED))
		return;
	put_message(clue, message);
	session = bringer_of(clue, message);
	if (session)
		session_take(session, message);
	if (clue_text(clue, NAME_MESSAGE_ID).length)
		message_know_id(clue->correlate, message, message_id_hash(clue->correlate, clue_text(clue, NAME_MESSAGE_ID)));
	link_by_message_id(clue, message);
}

/* It has begun, by this line. NULL: the line names none, or it has begun before. */
static struct open_message *begin(struct clue *clue, struct open_session **ret_session)
{
	struct open_message *message = message_of(clue);
	struct open_session *session;

	if (!message || (message->has_begin && (!message->is_transcript || message->is_told)))
		return NULL;
	message->is_told = true;
	message->has_begin = true;
	message->is_unmapped = clue_is_tacit(clue);
	clue->correlate->may_go_quiet |= message->is_unmapped;
	session = bringer_of(clue, message);
	if (session) {
		session_take(session, message);
		put_session(clue, session);
	}
	put_origin(clue, message, session);
	put_message(clue, message);
	put_recipients(clue, message);
	*ret_session = session;
	return message;
}

static void count(struct clue *clue, const struct open_message *message, const struct open_session *session)
{
	struct correlate_counts *counts = &clue->correlate->counts;

	counts->active_first++;
	counts->bytes_received += message->size;
	if (!session) {
		counts->received_pickup++;
		return;
	}
	counts->received_smtpd++;
	if (clue_has(clue, NAME_AUTH_TYPE) || session->has_logged_in)
		counts->received_authenticated++;
}

void correlate_received(struct clue *clue)
{
	struct open_session *session = NULL;
	struct open_message *message = begin(clue, &session);
	struct text id = clue_text(clue, NAME_MESSAGE_ID);
	bool was_received;

	if (!message)
		return;
	was_received = message->is_received;
	message_received(clue, message);
	message->is_queued = true;
	message->size = fact_number(clue_text(clue, NAME_SIZE));
	message->expected = message->is_trace ? 1 : (uint32_t)fact_number(clue_text(clue, NAME_RECIPIENTS));
	if (id.length)
		message_know_id(clue->correlate, message, message_id_hash(clue->correlate, id));
	if (!was_received)
		count(clue, message, session);
	if (session) {
		session->begun++;
		session->queued++;
	}
	if (fact_begin(clue, &message->message.facts, JOIN_QUEUE_ID))
		facts_add_number(&message->message.facts, clue->correlate->pool, FACT_MESSAGE_QUEUED, clue->time_us);
	link_find_parent(clue, message);
	link_by_message_id(clue, message);
	(void)join_waiting(clue, message);
}

/* One recipient of a message was accepted. */
void correlate_given(struct clue *clue)
{
	struct open_message *message = message_of(clue);

	if (message)
		put_recipients(clue, message);
}

/* Thrown away, for the recipients that are named, or for all. */
void correlate_discarded(struct clue *clue)
{
	struct open_message *message = message_of(clue);
	struct recipient_walk walk = { .at = 0 };
	struct text to;
	bool is_named = false;

	if (!message)
		return;
	while (recipient_next(clue, &walk, &to)) {
		struct open_recipient *recipient = recipient_of(clue, message, to, TEXT_NONE, JOIN_QUEUE_ID);

		is_named = true;
		if (!recipient || fate_is_final((enum fate)recipient->recipient.fate))
			continue;
		recipient->recipient.fate = FATE_DISCARDED;
		recipient->recipient.has_changed = true;
		recipient->recipient.last_us = clue->time_us;
		if (fact_begin(clue, &recipient->recipient.facts, JOIN_QUEUE_ID))
			fact_put(clue, &recipient->recipient.facts, FACT_RECIPIENT_REPLY, clue_text(clue, NAME_REASON));
	}
	if (!is_named)
		recipients_give_up(clue, message, FATE_DISCARDED, TEXT_LITERAL("filter"));
}

/* One address became others, or another. */
void correlate_expanded(struct clue *clue)
{
	struct text other = clue_text(clue, NAME_REDIRECT_TO), orig_to = clue_text(clue, NAME_ORIG_TO), to;
	struct open_message *message = clue_has(clue, NAME_TO) && clue_is_tacit(clue) ? message_of(clue) : NULL;
	struct recipient_walk walk = { .at = 0 };

	if (!message)
		return;
	message->is_expanded = true;
	if (other.start) {
		(void)recipient_of(clue, message, other, clue_text(clue, NAME_TO), JOIN_QUEUE_ID);
		return;
	}
	while (recipient_next(clue, &walk, &to)) {
		struct open_recipient *recipient = recipient_of(clue, message, to, orig_to, JOIN_QUEUE_ID);

		/* A list, of whose members nothing is told. */
		if (recipient && !orig_to.start && fact_begin(clue, &recipient->recipient.facts, JOIN_QUEUE_ID))
			fact_put(clue, &recipient->recipient.facts, FACT_RECIPIENT_INCOMPLETE, TEXT_LITERAL("expanded"));
	}
}

/* No queue had it: refused, or left before its end. */
void correlate_abandoned(struct clue *clue)
{
	struct open_session *session = NULL;
	struct open_message *message = begin(clue, &session);

	if (!message)
		return;
	message->is_aborted = !message->is_refused;
	message_end(clue, join_waiting(clue, message));
}

/* Of a refusal that named nobody: the words are those for whoever is named now. */
static struct open_recipient *take_nameless(struct clue *clue, struct open_message *message, struct text to)
{
	struct open_recipient *recipient = (struct open_recipient *)message->message.recipients;

	if (!recipient || recipient->to || recipient->given || recipient->recipient.next)
		return NULL;
	recipient->to = recipient->given = recipient_hash(clue->correlate, to);
	if (fact_begin(clue, &recipient->recipient.facts, JOIN_QUEUE_ID))
		fact_put(clue, &recipient->recipient.facts, FACT_RECIPIENT_TO, to);
	return recipient;
}

static void refuse_late(struct clue *clue, struct open_recipient *recipient, enum fate fate, const struct reply *reply)
{
	struct facts *facts = &recipient->recipient.facts;

	recipient->recipient.fate = (uint8_t)fate;
	recipient->recipient.has_changed = true;
	recipient->recipient.last_us = clue->time_us;
	if (fate != FATE_REJECTED || !fact_begin(clue, facts, JOIN_QUEUE_ID))
		return;
	fact_put(clue, facts, FACT_RECIPIENT_STAGE, TEXT_LITERAL("END-OF-MESSAGE"));
	fact_put(clue, facts, FACT_RECIPIENT_BY, TEXT_LITERAL("mta"));
	fact_put(clue, facts, FACT_RECIPIENT_REPLY, clue_text(clue, NAME_REPLY));
	if (clue->correlate->options.keeps_reasons)
		fact_put(clue, facts, FACT_RECIPIENT_REASON, text_of(reason_of(reply)));
}

void correlate_refused_late(struct clue *clue, struct open_message *message, enum fate fate, const struct reply *reply)
{
	struct recipient_walk walk = { .at = 0 };
	struct text to;

	if (message->is_refused)
		fate = FATE_REJECTED;
	while (recipient_next(clue, &walk, &to)) {
		struct open_recipient *recipient = take_nameless(clue, message, to);

		if (!recipient)
			recipient = recipient_of(clue, message, to, TEXT_NONE, JOIN_QUEUE_ID);
		if (recipient && !fate_is_final((enum fate)recipient->recipient.fate))
			refuse_late(clue, recipient, fate, reply);
	}
	if (fate == FATE_REJECTED)
		message->is_refused = true;
	else if (!message->is_discarded)
		message->is_aborted = true;
	message_end(clue, message);
}

/* ---- what one address became ---- */

static bool is_worse(enum fate a, enum fate b)
{
	static const unsigned char rank[FATE_COUNT] = {
		[FATE_DELIVERED] = 1, [FATE_FILTERED] = 2, [FATE_DISCARDED] = 3, [FATE_QUARANTINED] = 4, [FATE_HELD] = 5,
		[FATE_DEFERRED] = 6, [FATE_BOUNCED] = 7, [FATE_EXPIRED] = 8,
	};

	return rank[a] > rank[b];
}

bool message_is_done(const struct open_message *message)
{
	const struct recipient *recipient = message->message.recipients;
	uint32_t final = 0;

	if (!message->is_unmapped || !message->expected || !(message->is_queued || message->is_trace))
		return false;
	for (; recipient; recipient = recipient->next) {
		if (!((const struct open_recipient *)recipient)->to && !message->is_trace)
			continue;
		if (!fate_is_final((enum fate)recipient->fate))
			return false;
		final++;
	}
	return final >= message->expected;
}

/* Sendmail does not say which alias an address was expanded from. Once nothing is left, what the client gave and no line
 * names has become those that no client gave: it stands as badly as the worst of them. */
void message_settle_expanded(struct correlate *correlate, struct open_message *message)
{
	enum fate worst = FATE_UNKNOWN;

	if (!message->is_unmapped || (!message->is_removed && !message_is_done(message)))
		return;
	for (struct recipient *each = message->message.recipients; each; each = each->next) {
		const struct open_recipient *recipient = (const struct open_recipient *)each;

		if (recipient->to && !recipient->is_given && is_worse((enum fate)each->fate, worst))
			worst = (enum fate)each->fate;
	}
	if (worst == FATE_UNKNOWN)
		return;
	for (struct recipient *each = message->message.recipients; each; each = each->next) {
		if (((struct open_recipient *)each)->to || each->fate != FATE_UNKNOWN)
			continue;
		each->fate = (uint8_t)worst;
		each->has_changed = true;
		if (correlate->keeps_facts)
			facts_add_item(&each->facts, correlate->pool, FACT_RECIPIENT_INCOMPLETE, TEXT_LITERAL("expanded"));
	}
}
