/*
 * correlate_transcript.c - dialogues as transcripts have them (Exchange, IIS, IceWarp): each command with its reply becomes a
 * session with its stages, as the milter's records are.
 *
 * Replies come in the order of their commands, whatever lies between. A message of a transcript has no queue identifier, but
 * where the server's last words tell it.
 *
 * Limits:  PENDING_MAX commands that wait for their replies; of more the oldest are taken for answered.
 */
#include "analysis/correlate_internal.h"
#include "analysis/remote_id.h"

/* What waits for a reply: open_session.pending has these. */
enum spoken { GREETING, HELLO, STARTTLS, AUTH, MAIL, RCPT, DATA, END, RSET, QUIT, OTHER, UNKNOWN };

static const struct { const char *verb; enum spoken spoken; } verbs[] = {
	{ "EHLO", HELLO }, { "HELO", HELLO }, { "LHLO", HELLO }, { "STARTTLS", STARTTLS }, { "AUTH", AUTH }, { "MAIL", MAIL },
	{ "RCPT", RCPT }, { "DATA", DATA }, { "BDAT", END }, { "RSET", RSET }, { "QUIT", QUIT }, { "NOOP", OTHER }, { "VRFY", OTHER },
	{ "EXPN", OTHER }, { "HELP", OTHER }, { "ETRN", OTHER }, { "TURN", OTHER }, { "ATRN", OTHER }, { "XCLIENT", OTHER },
	{ "X-ANONYMOUSTLS", STARTTLS }, { "X-EXPS", AUTH }, { "XPROXY", OTHER }, { "XEXCH50", OTHER }, { "TIMEOUT", OTHER },
};

static const char *const stages[] = {
	[GREETING] = "CONNECT", [HELLO] = "EHLO", [STARTTLS] = "STARTTLS", [AUTH] = "AUTH", [MAIL] = "MAIL", [RCPT] = "RCPT",
	[DATA] = "DATA", [END] = "END-OF-MESSAGE", [RSET] = "RSET", [QUIT] = "QUIT", [OTHER] = "OTHER", [UNKNOWN] = "UNKNOWN",
};

static enum spoken spoken_of(struct text verb)
{
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
		if (text_equal_nocase(verb, text_of(verbs[i].verb)))
			return verbs[i].spoken;
	return UNKNOWN;
}

static void wait_for(struct open_session *session, enum spoken spoken)
{
	if (session->pending_count == PENDING_MAX) {
		memmove(session->pending, session->pending + 1, PENDING_MAX - 1);
		session->pending_count--;
	}
	session->pending[session->pending_count++] = (uint8_t)spoken;
}

/* Some codes tell themselves what they answer: replies before them were not logged. */
static void skip_unanswered(struct open_session *session, int code)
{
	static const struct { int code; enum spoken spoken; } tells[] = {
		{ 334, AUTH }, { 235, AUTH }, { 535, AUTH }, { 354, DATA }, { 221, QUIT },
	};

	for (size_t i = 0; i < sizeof tells / sizeof tells[0]; i++) {
		const uint8_t *found = tells[i].code == code ? memchr(session->pending, (int)tells[i].spoken, session->pending_count) : NULL;

		if (!found)
			continue;
		session->pending_count = (uint8_t)(session->pending_count - (found - session->pending));
		memmove(session->pending, found, session->pending_count);
	}
}

/* What the reply is to. Before any command it is the greeting; else nobody asked: the server closes. */
static enum spoken take_pending(struct open_session *session, int code)
{
	enum spoken spoken;

	skip_unanswered(session, code);
	if (!session->pending_count)
		return session->commands ? OTHER : GREETING;
	spoken = (enum spoken)session->pending[0];
	session->pending_count--;
	memmove(session->pending, session->pending + 1, session->pending_count);
	return spoken;
}

/* The session of a line, which is one of a dialogue from now on. */
static struct open_session *dialogue_of(struct clue *clue)
{
	static const struct fact_row rows[] = {
		{ NAME_DIRECTION, FACT_SESSION_DIRECTION }, { NAME_SERVER_ADDR, FACT_SESSION_SERVER_ADDR },
		{ NAME_SERVER_NAME, FACT_SESSION_SERVER_NAME },
	};
	struct open_session *session = session_of(clue);

	if (!session || session->is_transcript)
		return session;
	session->is_transcript = clue->correlate->may_go_quiet = true;
	session->is_outgoing = text_is(clue_text(clue, NAME_DIRECTION), "out");
	if (fact_begin(clue, &session->session.facts, session_key(clue)))
		FACT_COPY(clue, &session->session.facts, rows);
	return session;
}

/* The message that is spoken of; NULL: there is none. Another log of the host may have told of some already. */
static struct open_message *current_of(const struct open_session *session)
{
	for (struct message *each = session->session.messages; each; each = each->next_in_session) {
		struct open_message *message = (struct open_message *)each;

		if (message->is_transcript && !message->is_over)
			return message;
	}
	return NULL;
}

/* ---- commands ---- */

static struct open_message *begin_message(struct clue *clue, struct open_session *session)
{
	char number[16];
	int length = snprintf(number, sizeof number, "%u", ++session->refusals);
	struct text identity[] = { clue->host->name, clue->origin->process, session_name(clue), { number, (size_t)length } };
	struct open_message *message = message_open(clue, identity, 4);
	struct text from = clue_text(clue, NAME_FROM);
	struct facts *facts;

	if (!message)
		return NULL;
	message->by_log = message->is_transcript = clue->correlate->may_go_quiet = true;
	message->has_begin = from.start != NULL;
	message->from = from.start ? hash_text(clue->correlate->seed, from) : 0;
	message->size = fact_number(clue_text(clue, NAME_SIZE));
	session_take(session, message);
	facts = &message->message.facts;
	if (!fact_begin(clue, facts, session_key(clue)))
		return message;
	fact_add(clue, facts, FACT_MESSAGE_HOST, clue->host->name);
	fact_put(clue, facts, FACT_MESSAGE_FROM, from);
	fact_put(clue, facts, FACT_MESSAGE_SIZE, clue_text(clue, NAME_SIZE));
	return message;
}

static bool has_open_recipient(const struct open_message *message)
{
	for (struct recipient *each = message->message.recipients; each; each = each->next)
		if (each->fate == FATE_UNKNOWN)
			return true;
	return false;
}

static void abort_message(struct clue *clue, struct open_session *session)
{
	struct open_message *message = current_of(session);

	if (!message)
		return;
	message->is_over = true;
	/* Where each recipient was refused nothing was left to be sent: it stays with us, for another time. */
	if (session->is_outgoing && message->message.recipients && !has_open_recipient(message))
		message->is_queued = true;
	else
		message->is_aborted = !message->is_refused;
	message_end(clue, message);
}

static void add_recipient(struct clue *clue, struct open_message *message)
{
	struct open_recipient *recipient = message ? recipient_given(clue, message, clue_text(clue, NAME_TO), session_key(clue)) : NULL;

	if (!recipient)
		return;
	recipient->awaits_reply = message->item.is_changed = true;
	recipient->to = recipient->given;
}

static void say_hello(struct clue *clue, struct open_session *session, struct text verb)
{
	static const struct fact_row rows[] = { { NAME_HELO, FACT_SESSION_HELO } };

	abort_message(clue, session);
	if (!fact_begin(clue, &session->session.facts, session_key(clue)))
		return;
	FACT_COPY(clue, &session->session.facts, rows);
	fact_put(clue, &session->session.facts, FACT_SESSION_PROTOCOL,
		 text_equal_nocase(verb, TEXT_LITERAL("HELO")) ? TEXT_LITERAL("SMTP") : TEXT_LITERAL("ESMTP"));
}

void correlate_command(struct clue *clue)
{
	struct text verb = clue_text(clue, NAME_VERB);
	struct open_session *session = dialogue_of(clue);
	struct open_message *message;
	enum spoken spoken = spoken_of(verb);

	/* What answers a 334 of AUTH has no verb. */
	if (!session || !verb.length)
		return;
	session->commands++;
	session->mail_commands += spoken == MAIL;
	session->rcpt_commands += spoken == RCPT;
	session->data_commands += spoken == DATA || spoken == END;
	session->auth_commands += spoken == AUTH;
	session->has_quit |= spoken == QUIT;
	message = current_of(session);
	if (spoken == HELLO)
		say_hello(clue, session, verb);
	else if (spoken == MAIL)
		abort_message(clue, session);
	if (spoken == MAIL)
		(void)begin_message(clue, session);
	else if (spoken == RCPT)
		add_recipient(clue, message ? message : begin_message(clue, session));
	else if (clue_has(clue, NAME_MESSAGE_ID) && message && fact_begin(clue, &message->message.facts, session_key(clue)))
		fact_put(clue, &message->message.facts, FACT_MESSAGE_MESSAGE_ID, clue_text(clue, NAME_MESSAGE_ID));
	/* A chunk that is not the last. */
	if (spoken == END && !text_is(verb, "DATA")) {
		struct text argument = clue_text(clue, NAME_ARGUMENT);

		if (argument.length < 4 || strncasecmp(argument.start + argument.length - 4, "LAST", 4) != 0)
			spoken = OTHER;
	}
	wait_for(session, spoken);
}

/* ---- replies ---- */

struct answer {
	struct text text;
	struct reply reply;
	bool is_good;		/* done, or to go on */
	bool is_later;		/* to be tried again */
};

/* False: the reply goes on in the next line. */
static bool read_answer(const struct clue *clue, struct answer *answer)
{
	answer->text = clue_text(clue, NAME_REPLY);
	answer->reply = reply_read(answer->text);
	answer->is_good = answer->reply.code >= 200 && answer->reply.code < 400;
	answer->is_later = answer->reply.code >= 400 && answer->reply.code < 500;
	return answer->reply.code && !(answer->text.length > 3 && answer->text.start[3] == '-' && answer->reply.code_text.start == answer->text.start);
}

static void put_refusal(struct clue *clue, struct facts *facts, const struct answer *answer, const char *stage, const char *by)
{
	if (!fact_begin(clue, facts, session_key(clue)))
		return;
	fact_put(clue, facts, FACT_RECIPIENT_STAGE, text_of(stage));
	fact_put(clue, facts, FACT_RECIPIENT_BY, text_of(by));
	fact_put(clue, facts, FACT_RECIPIENT_REPLY_CODE, answer->reply.code_text);
	fact_put(clue, facts, FACT_RECIPIENT_DSN, answer->reply.status_text);
	fact_put(clue, facts, FACT_RECIPIENT_REPLY, answer->text);
	if (clue->correlate->options.keeps_reasons)
		fact_put(clue, facts, FACT_RECIPIENT_REASON, text_of(reason_of(&answer->reply)));
}

/* Where we are the client it is an attempt to deliver. */
static void show_attempt(struct clue *clue, const struct open_session *session, struct open_message *message,
			 struct open_recipient *recipient, const struct answer *answer)
{
	struct correlate *correlate = clue->correlate;
	struct attempt *attempt = correlate->options.keeps_attempts ? attempt_add(clue, recipient) : NULL;
	struct attempt own = { .time_us = clue->time_us };
	struct facts *facts = attempt ? &attempt->facts : &own.facts;

	recipient->recipient.attempts++;
	if (!attempt && !correlate->sink.attempt)
		return;
	if (fact_begin(clue, facts, session_key(clue))) {
		fact_put(clue, facts, FACT_ATTEMPT_STATUS, answer->is_good ? TEXT_LITERAL("sent") : answer->is_later ?
			 TEXT_LITERAL("deferred") : TEXT_LITERAL("bounced"));
		fact_put(clue, facts, FACT_ATTEMPT_AGENT, clue->origin->program);
		fact_put(clue, facts, FACT_ATTEMPT_RELAY_ADDR, facts_text(&session->session.facts, FACT_SESSION_SERVER_ADDR));
		fact_put(clue, facts, FACT_ATTEMPT_RELAY_NAME, facts_text(&session->session.facts, FACT_SESSION_SERVER_NAME));
		fact_put(clue, facts, FACT_ATTEMPT_REPLY_CODE, answer->reply.code_text);
		fact_put(clue, facts, FACT_ATTEMPT_DSN, answer->reply.status_text);
		fact_put(clue, facts, FACT_ATTEMPT_REPLY, answer->text);
		if (!answer->is_good && correlate->options.keeps_reasons)
			fact_put(clue, facts, FACT_ATTEMPT_REASON, text_of(reason_of(&answer->reply)));
		fact_put(clue, facts, FACT_ATTEMPT_REMOTE_QUEUE_ID, answer->is_good ? remote_id(answer->text) : TEXT_NONE);
	}
	if (correlate->sink.attempt)
		correlate->sink.attempt(correlate->sink.context, &message->message, &recipient->recipient, attempt ? attempt : &own);
	facts_done(&own.facts, correlate->pool);
}

static void count(struct clue *clue, const struct open_session *session, enum fate fate)
{
	struct correlate_counts *counts = &clue->correlate->counts;

	if (!session->is_outgoing) {
		counts->reject++;
		counts->rejected_total++;
	} else if (fate == FATE_DELIVERED) {
		counts->sent++;
	} else if (fate == FATE_DEFERRED) {
		counts->deferred++;
	} else {
		counts->bounced++;
	}
}

/* What the reply makes of a recipient. */
static void decide(struct clue *clue, const struct open_session *session, struct open_message *message,
		   struct open_recipient *recipient, const struct answer *answer, const char *stage)
{
	enum fate fate = answer->is_good ? FATE_DELIVERED : !session->is_outgoing ? FATE_REJECTED : answer->is_later ? FATE_DEFERRED :
			 FATE_BOUNCED;
	struct facts *facts = &recipient->recipient.facts;

	recipient->recipient.fate = (uint8_t)fate;
	recipient->recipient.has_changed = true;
	recipient->recipient.last_us = clue->time_us;
	count(clue, session, fate);
	if (!answer->is_good)
		put_refusal(clue, facts, answer, stage, session->is_outgoing ? "next_hop" : "mta");
	if (!session->is_outgoing)
		return;
	show_attempt(clue, session, message, recipient, answer);
	if (!fact_begin(clue, facts, session_key(clue)))
		return;
	fact_put(clue, facts, FACT_RECIPIENT_RELAY, facts_text(&session->session.facts, FACT_SESSION_SERVER_ADDR));
	if (answer->is_good)
		fact_put(clue, facts, FACT_RECIPIENT_REMOTE_QUEUE_ID, remote_id(answer->text));
}

static void answer_rcpt(struct clue *clue, struct open_session *session, const struct answer *answer)
{
	struct open_message *message = current_of(session);
	struct recipient *each = message ? message->message.recipients : NULL;

	while (each && !((struct open_recipient *)each)->awaits_reply)
		each = each->next;
	session->rcpt_good += answer->is_good;
	if (!each)
		return;
	((struct open_recipient *)each)->awaits_reply = false;
	message_touch(clue, message);
	if (!answer->is_good)
		decide(clue, session, message, (struct open_recipient *)each, answer, stages[RCPT]);
}

/* Every recipient that has passed shares what the whole message is told. */
static void decide_all(struct clue *clue, const struct open_session *session, struct open_message *message,
		       const struct answer *answer, const char *stage)
{
	for (struct recipient *each = message->message.recipients; each; each = each->next)
		if (each->fate == FATE_UNKNOWN)
			decide(clue, session, message, (struct open_recipient *)each, answer, stage);
}

static void refuse_message(struct clue *clue, struct open_session *session, const struct answer *answer, enum spoken spoken)
{
	struct open_message *message = current_of(session);

	if (!message)
		return;
	/* Nobody is named yet: the refusal is the message's all the same. */
	if (!message->message.recipients)
		(void)recipient_of(clue, message, TEXT_NONE, TEXT_NONE, session_key(clue));
	decide_all(clue, session, message, answer, stages[spoken]);
	message->is_over = true;
	message->is_refused = !session->is_outgoing;
	message->is_queued = session->is_outgoing;
	message_touch(clue, message);
	message_end(clue, message);
}

/* "250 2.6.0 <m@x> [InternalId=4711, Hostname=EX01] Queued mail for delivery": the server's own name of it. */
static struct text internal_id(struct text reply)
{
	static const char mark[] = "[InternalId=";
	const char *found = reply.length ? memmem(reply.start, reply.length, mark, sizeof mark - 1) : NULL;
	struct text id = { found ? found + sizeof mark - 1 : NULL, 0 };

	while (found && id.start + id.length < reply.start + reply.length && id.start[id.length] >= '0' && id.start[id.length] <= '9')
		id.length++;
	return id.length ? id : TEXT_NONE;
}

/* The Message-ID before it. */
static struct text internal_message_id(struct text reply)
{
	static const char mark[] = "> [InternalId=";
	const char *close = reply.length ? memmem(reply.start, reply.length, mark, sizeof mark - 1) : NULL;
	const char *open = close ? memrchr(reply.start, '<', (size_t)(close - reply.start)) : NULL;

	return open ? (struct text){ open, (size_t)(close + 1 - open) } : TEXT_NONE;
}

/* It has come whole. Where the queue calls it by a name, other logs of that host are of it too. */
static void take_message(struct clue *clue, const struct open_session *session, struct open_message *message, struct text id,
			 struct text message_id)
{
	struct correlate_counts *counts = &clue->correlate->counts;

	message_received(clue, message);
	message->is_queued = true;
	counts->received_smtpd++;
	counts->received_authenticated += session->has_logged_in;
	counts->active_first++;
	counts->bytes_received += message->size;
	if (fact_begin(clue, &message->message.facts, session_key(clue))) {
		facts_add_number(&message->message.facts, clue->correlate->pool, FACT_MESSAGE_QUEUED, clue->time_us);
		fact_put(clue, &message->message.facts, FACT_MESSAGE_QUEUE_ID, id);
		fact_put(clue, &message->message.facts, FACT_MESSAGE_MESSAGE_ID, message_id);
	}
	if (message_id.length)
		message_know_id(clue->correlate, message, message_id_hash(clue->correlate, message_id));
	if (id.length)
		transcript_name(clue, message, id);
	else
		message_end(clue, message);
}

static void answer_end(struct clue *clue, struct open_session *session, const struct answer *answer)
{
	struct open_message *message = current_of(session);

	if (!message)
		return;
	if (!answer->is_good) {
		refuse_message(clue, session, answer, END);
		return;
	}
	message->is_over = true;
	message_touch(clue, message);
	if (!session->is_outgoing) {
		take_message(clue, session, message, internal_id(answer->text), internal_message_id(answer->text));
		return;
	}
	decide_all(clue, session, message, answer, stages[END]);
	message->is_removed = true;
	message->removed_us = clue->time_us;
	message_end(clue, message);
}

/* "1 CONNECT 220, 2 EHLO 250, 3 MAIL 250, 4 RCPT 550": their numbers make each a text of its own. */
static void note_answer(struct clue *clue, struct open_session *session, const struct answer *answer, enum spoken spoken)
{
	struct facts *facts = &session->session.facts;
	char item[64];
	int length = snprintf(item, sizeof item, "%u %s %d", ++session->answers, stages[spoken], answer->reply.code);

	session->commands_good += answer->is_good && spoken != GREETING && spoken != END;
	session->last_spoken = (uint8_t)spoken;
	if (!fact_begin(clue, facts, session_key(clue)))
		return;
	fact_put(clue, facts, FACT_SESSION_DIALOGUE, (struct text){ item, (size_t)length });
	if (answer->is_good)
		return;
	facts_unset(facts, FACT_SESSION_FAILED_STAGE);
	facts_unset(facts, FACT_SESSION_FAILED_REPLY);
	facts_unset(facts, FACT_SESSION_FAILED_MEANING);
	fact_put(clue, facts, FACT_SESSION_FAILED_STAGE, text_of(stages[spoken]));
	fact_put(clue, facts, FACT_SESSION_FAILED_REPLY, answer->text);
	fact_put(clue, facts, FACT_SESSION_FAILED_MEANING, text_of(reply_meaning_at(text_of(stages[spoken]), answer->reply.code)));
}

static void answer_auth(struct clue *clue, struct open_session *session, const struct answer *answer)
{
	/* The server asks on. */
	if (answer->reply.code == 334) {
		wait_for(session, AUTH);
		return;
	}
	session->auth_good += answer->is_good;
	if (answer->is_good)
		correlate_auth_ok(clue);
	else
		correlate_auth_failed(clue);
}

void correlate_reply(struct clue *clue)
{
	struct open_session *session = dialogue_of(clue);
	struct answer answer;
	enum spoken spoken;

	if (!session || !read_answer(clue, &answer))
		return;
	spoken = take_pending(session, answer.reply.code);
	/* Where DATA has one reply alone, it is that of the end. */
	if (spoken == DATA && answer.reply.code == 250)
		spoken = END;
	if (!(spoken == AUTH && answer.reply.code == 334))
		note_answer(clue, session, &answer, spoken);
	switch (spoken) {
	case AUTH: answer_auth(clue, session, &answer); break;
	case RCPT: answer_rcpt(clue, session, &answer); break;
	case END: answer_end(clue, session, &answer); break;
	case MAIL:
		session->mail_good += answer.is_good;
		if (!answer.is_good)
			refuse_message(clue, session, &answer, MAIL);
		break;
	case DATA:
		if (answer.is_good)
			wait_for(session, END);
		else
			refuse_message(clue, session, &answer, DATA);
		break;
	case RSET: abort_message(clue, session); break;
	case QUIT:
		transcript_end(clue, session);
		session->is_closed = true;
		/* Some logs tell no other end. */
		if (clue_is_tacit(clue))
			transcript_over(clue, session);
		break;
	case GREETING:
	case HELLO:
	case STARTTLS:
	case OTHER:
	case UNKNOWN:
		break;
	}
}

/* ---- "*** <from> <to> 1 348 00:00:00 OK": a message as a whole, in the middle of its dialogue ---- */

/* The one that it is of: spoken of last, with that sender. */
static struct open_message *summed_up(struct clue *clue, struct open_session *session)
{
	struct open_message *message = session->last_message;

	if (message && message->is_transcript && !message->is_told &&
	    message->from == hash_text(clue->correlate->seed, clue_text(clue, NAME_FROM)))
		return message;
	return begin_message(clue, session);
}

void correlate_transfer(struct clue *clue)
{
	struct open_session *session = clue_has(clue, NAME_FROM) ? dialogue_of(clue) : NULL;
	struct open_message *message = session ? summed_up(clue, session) : NULL;
	struct recipient_walk walk = { .at = 0 };
	struct text to;

	if (!message)
		return;
	message->is_told = true;
	message_touch(clue, message);
	while (recipient_next(clue, &walk, &to)) {
		struct open_recipient *recipient = recipient_given(clue, message, to, session_key(clue));

		if (recipient)
			recipient->to = recipient->given;
	}
	if (fact_begin(clue, &message->message.facts, session_key(clue)))
		fact_put(clue, &message->message.facts, FACT_MESSAGE_SIZE, clue_text(clue, NAME_SIZE));
	if (!text_is(clue_text(clue, NAME_OUTCOME), "OK") || message->is_over || session->is_outgoing)
		return;
	message->is_over = true;
	message->size = fact_number(clue_text(clue, NAME_SIZE));
	take_message(clue, session, message, clue_text(clue, NAME_QUEUE_ID), TEXT_NONE);
}

/* ---- the end ---- */

void transcript_end(struct clue *clue, struct open_session *session)
{
	struct facts *facts = &session->session.facts;
	const struct { enum fact fact; uint32_t number; } counts[] = {
		{ FACT_SESSION_COMMANDS, session->commands }, { FACT_SESSION_COMMANDS_GOOD, session->commands_good },
		{ FACT_SESSION_MAIL_COMMANDS, session->mail_commands }, { FACT_SESSION_MESSAGES, session->mail_good },
		{ FACT_SESSION_RCPT_COMMANDS, session->rcpt_commands }, { FACT_SESSION_RCPT_GOOD, session->rcpt_good },
		{ FACT_SESSION_DATA_COMMANDS, session->data_commands }, { FACT_SESSION_AUTH_COMMANDS, session->auth_commands },
		{ FACT_SESSION_AUTH_GOOD, session->auth_good },
	};

	abort_message(clue, session);
	if (!fact_begin(clue, facts, session_key(clue)))
		return;
	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
		if (counts[i].number)
			fact_put_number(clue, facts, counts[i].fact, counts[i].number);
	fact_put(clue, facts, FACT_SESSION_LAST_STAGE, text_of(stages[session->last_spoken]));
	fact_put(clue, facts, FACT_SESSION_ENDED, session->has_quit ? TEXT_LITERAL("quit") : !session->commands &&
		 facts_text(facts, FACT_SESSION_FAILED_STAGE).start ? TEXT_LITERAL("refused") : TEXT_LITERAL("lost"));
}
