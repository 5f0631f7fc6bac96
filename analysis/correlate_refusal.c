/*
 * correlate_refusal.c - what the MTA, its milters and its rules do to a message while its client is there: refuse it, or
 * one recipient of it, throw it away, put it on hold.
 *
 * Without a queue identifier the refusal is one of the session's: refusals one after the other with the same sender are
 * of one message.
 */
#include "analysis/correlate_internal.h"
#include "analysis/reason.h"
#include "analysis/remote_id.h"

/* The words of access maps, header checks and milters. */
#define WORD(text) { text, sizeof text - 1 }
static const struct action {
	struct text action;
	enum fate fate;
	const char *by;
	bool is_whole;		/* of the message, whatever the stage */
} actions[] = {
	{ WORD("reject"), FATE_REJECTED, "mta", false }, { WORD("milter-reject"), FATE_REJECTED, "milter", false },
	{ WORD("milter-header-reject"), FATE_REJECTED, "milter", true },
	{ WORD("rejected"), FATE_REJECTED, "mta", false }, { WORD("temporarily rejected"), FATE_REJECTED, "mta", false },
	{ WORD("discarded"), FATE_DISCARDED, "mta", true },
	{ WORD("discard"), FATE_DISCARDED, "mta", true }, { WORD("milter-discard"), FATE_DISCARDED, "milter", true },
	{ WORD("milter-header-discard"), FATE_DISCARDED, "milter", true },
	{ WORD("hold"), FATE_HELD, "mta", true }, { WORD("milter-hold"), FATE_HELD, "milter", true },
	{ WORD("milter-header-hold"), FATE_HELD, "milter", true },
	{ WORD("quarantine"), FATE_HELD, "mta", true }, { WORD("milter-quarantine"), FATE_HELD, "milter", true },
};

/* Of logs that tell no more than the kind of line: gateways and traces. */
static const struct action *action_of_kind(enum event_kind kind)
{
	static const struct action rejected = { WORD("reject"), FATE_REJECTED, "mta", false }, discarded = { WORD("discard"), FATE_DISCARDED, "filter", false },
				   put_aside = { WORD("quarantine"), FATE_QUARANTINED, "filter", false };

	return kind == EVENT_REJECT ? &rejected : kind == EVENT_DISCARD ? &discarded : kind == EVENT_QUARANTINE ? &put_aside : NULL;
}

static const struct action proxy_rejects = { WORD("proxy-reject"), FATE_REJECTED, "proxy", true };
#undef WORD

/* NULL: it changes no fate. */
static const struct action *action_of(const struct clue *clue)
{
	struct text action = clue_text(clue, NAME_ACTION);

	if (event_kind_id(clue->event->kind) == EVENT_PROXY_REJECT)
		return &proxy_rejects;

	if (!action.start)
		return action_of_kind(event_kind_id(clue->event->kind));

	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
		if (text_equal(action, actions[i].action))
			return &actions[i];
	return NULL;
}

/* A stage of the message as a whole, or a check of its content. */
static bool is_whole(const struct clue *clue, const struct action *action)
{
	struct text stage = clue_text(clue, NAME_STAGE);

	/* A message that nobody of its recipients is named of. */
	if (!clue_has(clue, NAME_ACTION) && !clue_has(clue, NAME_TO) && clue_has(clue, NAME_QUEUE_ID))
		return true;
	return action->is_whole || clue_has(clue, NAME_SECTION) || text_equal(stage, TEXT_LITERAL("DATA")) ||
	       text_equal(stage, TEXT_LITERAL("END-OF-MESSAGE")) || text_equal(stage, TEXT_LITERAL("BDAT"));
}

static void count(struct clue *clue, const struct action *action)
{
	struct correlate_counts *counts = &clue->correlate->counts;

	if (!action) {
		counts->other++;
	} else if (action->fate == FATE_DISCARDED) {
		counts->discard++;
	} else if (action->fate == FATE_HELD || action->fate == FATE_QUARANTINED) {
		counts->hold++;
	} else if (action->fate != FATE_REJECTED) {
		counts->other++;
	} else {
		counts->rejected_total++;
		if (clue->origin->role == ROLE_SCREEN)
			counts->postscreen_reject++;
		else if (strcmp(action->by, "milter") == 0)
			counts->milter_reject++;
		else
			counts->reject++;
	}
}

/* ---- whom it hits ---- */

static const struct fact_row envelope_rows[] = { { NAME_HELO, FACT_SESSION_HELO }, { NAME_PROTOCOL, FACT_SESSION_PROTOCOL } };

static struct open_message *new_refused(struct clue *clue, struct open_session *session, struct text from)
{
	char number[16];
	int length = ++session->refusals && clue->correlate->shows_keys ? snprintf(number, sizeof number, "%u", session->refusals) : 0;
	struct text identity[] = { clue->host->name, clue->origin->process, session_name(clue), { number, (size_t)length } };
	struct open_message *message = message_open(clue, identity, 4);
	struct facts *facts;

	if (!message)
		return NULL;
	message->by_log = true;
	message->from = from.start ? hash_text(clue->correlate->seed, from) : 0;
	session_take(session, message);
	facts = &message->message.facts;
	if (fact_begin(clue, facts, session_key(clue))) {
		fact_add(clue, facts, FACT_MESSAGE_HOST, clue->host->name);
		fact_add(clue, facts, FACT_MESSAGE_FROM, from);
	}
	message_put_origin(clue, message, session, session_key(clue));
	return message;
}

/* What goes on in the session is put aside or thrown away: whoever was refused before may be of another message. */
static bool goes_on(const struct clue *clue, const struct open_session *session)
{
	const struct action *action = action_of(clue);

	return !action || action->fate == FATE_REJECTED || !session->refused->is_refused;
}

/* The message of a session that has no queue identifier yet. */
static struct open_message *refused_of(struct clue *clue, struct open_session *session)
{
	struct text from = clue_text(clue, NAME_FROM);
	uint64_t hash = from.start ? hash_text(clue->correlate->seed, from) : 0;
	struct open_message *known = NULL;

	/* The milter saw it too. */
	if (session->by_records && clue_has(clue, NAME_TO))
		known = join_refused(clue->correlate, session, hash, recipient_hash(clue->correlate, clue_text(clue, NAME_TO)));
	if (known) {
		message_touch(clue, known);
		return known;
	}

	if (session->refused && session->refused->from == hash && goes_on(clue, session)) {
		message_touch(clue, session->refused);
		return session->refused;
	}
	if (session->refused)
		message_end(clue, session->refused);
	session->refused = new_refused(clue, session, from);
	return session->refused;
}

static struct open_message *target_of(struct clue *clue, enum join_key *ret_key)
{
	struct open_session *session;

	*ret_key = JOIN_QUEUE_ID;
	if (clue_has(clue, NAME_QUEUE_ID))
		return message_of(clue);
	*ret_key = clue->origin->role == ROLE_SCREEN ? JOIN_CLIENT_PORT : session_key(clue);
	session = clue->origin->role == ROLE_SCREEN ? screen_of(clue) : session_of(clue);
	if (!session && clue_has(clue, NAME_CLIENT_ADDR))
		session = session_of_one(clue, clue_text(clue, NAME_CLIENT_ADDR));
	if (!session)
		return NULL;
	if (clue_has(clue, NAME_HELO) && fact_begin(clue, &session->session.facts, *ret_key))
		FACT_COPY(clue, &session->session.facts, envelope_rows);
	return refused_of(clue, session);
}

/* ---- which milter ---- */

static struct milter_note *find_note(const struct clue *clue)
{
	struct queue_name name = clue->correlate->milter_turn ? queue_name_of(clue_text(clue, NAME_QUEUE_ID)) : (struct queue_name){ .length = 0 };
	uint64_t hash = name.length ? queue_name_hash(clue->correlate, clue->host, &name) : 0;

	for (unsigned i = 0; hash && i < MILTER_NOTES_MAX; i++)
		if (clue->correlate->milter_notes[i].hash == hash)
			return &clue->correlate->milter_notes[i];
	return NULL;
}

/* Sendmail tells which one it was in a line of its own, before that of the refusal (from milter_log_level 11 on). */
void correlate_milter_action(struct clue *clue)
{
	static const char *const refusals[] = { "reject", "tempfail", "discard", "shutdown" };
	struct text outcome = clue_text(clue, NAME_OUTCOME), milter = clue_text(clue, NAME_MILTER);
	struct queue_name name = queue_name_of(clue_text(clue, NAME_QUEUE_ID));
	struct milter_note *note;
	size_t i = 0;

	while (i < sizeof refusals / sizeof refusals[0] && !text_starts(outcome, refusals[i]))
		i++;
	if (i == sizeof refusals / sizeof refusals[0] || !name.length || !milter.length || milter.length >= sizeof note->name)
		return;
	note = find_note(clue);
	if (!note)
		note = &clue->correlate->milter_notes[clue->correlate->milter_turn++ % MILTER_NOTES_MAX];
	*note = (struct milter_note){ .hash = queue_name_hash(clue->correlate, clue->host, &name) };
	memcpy(note->name, milter.start, milter.length);
}

/* Absent: it is not told. */
static struct text milter_of(const struct clue *clue)
{
	const struct milter_note *note = clue_has(clue, NAME_MILTER) ? NULL : find_note(clue);

	return note ? text_of(note->name) : clue_text(clue, NAME_MILTER);
}

static void forget_milter(const struct clue *clue)
{
	struct milter_note *note = find_note(clue);

	if (note)
		*note = (struct milter_note){ .hash = 0 };
}

/* ---- what is kept of it ---- */

static struct text up_to(struct text text, const char *ends)
{
	size_t length = 0;

	while (length < text.length && !strchr(ends, text.start[length]))
		length++;
	return (struct text){ text.start, length };
}

/* Behind the words, where they stand in the text; else absent. */
static struct text behind_words(struct text text, const char *words)
{
	const char *found = text.length ? memmem(text.start, text.length, words, strlen(words)) : NULL;

	if (!found)
		return TEXT_NONE;
	found += strlen(words);
	return (struct text){ found, (size_t)(text.start + text.length - found) };
}

/* By which rule, as far as a reply tells: the blocklist, or the words in front of what it hit ("Sender address rejected"). */
static struct text rule_of(const struct clue *clue, struct text said)
{
	struct text list = behind_words(said, " blocked using "), rest;

	if (clue_has(clue, NAME_SECTION))
		return clue_text(clue, NAME_SECTION);
	if (list.start)
		return up_to(list, "; ,");
	rest = said.length && said.start[0] == '<' ? behind_words(said, ">: ") : said;
	return rest.start ? up_to(rest, ":;(") : TEXT_NONE;
}

/* What the reply is taken apart for. */
static void keep_reply(struct clue *clue, struct facts *facts, struct text text, struct text milter)
{
	struct reply reply = reply_read(text);

	fact_put(clue, facts, FACT_RECIPIENT_REPLY_CODE, reply.code_text);
	fact_put(clue, facts, FACT_RECIPIENT_DSN, reply.status_text);
	fact_put(clue, facts, FACT_RECIPIENT_REPLY, text);
	if (fact_is_kept(clue->correlate, FACT_RECIPIENT_RULE) && !milter.start)
		fact_put(clue, facts, FACT_RECIPIENT_RULE, rule_of(clue, reply.text));
	if (clue->correlate->options.keeps_reasons)
		fact_put(clue, facts, FACT_RECIPIENT_REASON, text_of(reason_of(&reply)));
}

static void keep_refusal(struct clue *clue, const struct action *action, struct open_recipient *recipient, enum join_key key)
{
	struct facts *facts = &recipient->recipient.facts;
	struct text text = clue_text(clue, NAME_REPLY), milter = milter_of(clue);

	recipient->recipient.fate = (uint8_t)action->fate;
	recipient->recipient.has_changed = true;
	recipient_seen(&recipient->recipient, clue->time_us);
	if (!fact_begin(clue, facts, key))
		return;
	if (clue->event->kind == EVENT_KIND(TOO_LARGE))
		fact_put(clue, facts, FACT_RECIPIENT_STAGE, TEXT_LITERAL("END-OF-MESSAGE"));
	else
		fact_put(clue, facts, FACT_RECIPIENT_STAGE, clue_text(clue, clue_has(clue, NAME_STAGE) ? NAME_STAGE : NAME_SECTION));
	fact_put(clue, facts, FACT_RECIPIENT_BY, text_of(clue->origin->role == ROLE_SCREEN ? "screen" :
								  milter.start ? "milter" : action->by));
	fact_put(clue, facts, FACT_RECIPIENT_RULE, milter);
	if (text.start && clue->correlate->keeps_replies)
		keep_reply(clue, facts, text, milter);
}

static void keep_state(struct clue *clue, const struct action *action, struct open_message *message, enum join_key key)
{
	static const uint8_t states[FATE_COUNT] = {
		[FATE_REJECTED] = STATE_REFUSED, [FATE_DISCARDED] = STATE_DISCARDED, [FATE_HELD] = STATE_HELD,
	};

	message->is_refused = action->fate == FATE_REJECTED;
	message->is_discarded = action->fate == FATE_DISCARDED;
	message->is_held = action->fate == FATE_HELD;
	if (states[action->fate])
		message->state = states[action->fate];
	if (!fact_begin(clue, &message->message.facts, key))
		return;
	if (states[action->fate])
		fact_put(clue, &message->message.facts, FACT_MESSAGE_STATE, text_of(message_state_words[states[action->fate]]));
	/* The queue manager never has it, and so names no sender. */
	if (!facts_text(&message->message.facts, FACT_MESSAGE_FROM).start)
		fact_put(clue, &message->message.facts, FACT_MESSAGE_FROM, clue_text(clue, NAME_FROM));
}

/* Of each recipient that is known; the one that the line names is among them. */
static void refuse_whole(struct clue *clue, const struct action *action, struct open_message *message, enum join_key key)
{
	/* The records may name others: the words are kept for them, by themselves if need be. */
	if (clue_has(clue, NAME_TO) || action->fate == FATE_REJECTED)
		(void)recipient_of(clue, message, clue_text(clue, NAME_TO), TEXT_NONE, key);
	for (struct recipient *recipient = message->message.recipients; recipient; recipient = recipient->next)
		if (!fate_is_final((enum fate)recipient->fate))
			keep_refusal(clue, action, (struct open_recipient *)recipient, key);
	keep_state(clue, action, message, key);
	if (action->fate != FATE_HELD && clue_has(clue, NAME_QUEUE_ID))
		message_end(clue, message);
}

/* Postfix tells the client, and no line of it tells that reply. */
void correlate_too_large(struct clue *clue)
{
	struct open_message *message = message_of(clue);

	if (message)
		refuse_whole(clue, action_of_kind(EVENT_REJECT), message, JOIN_QUEUE_ID);
}

static bool has_no_name(const struct recipient *recipient)
{
	return !((const struct open_recipient *)recipient)->given && !((const struct open_recipient *)recipient)->to;
}

static bool was_meant(const struct recipient *recipient)
{
	struct text stage = facts_text(&recipient->facts, FACT_RECIPIENT_STAGE);

	return (recipient->fate == FATE_REJECTED || recipient->fate == FATE_DISCARDED) && stage.start && !text_is(stage, "RCPT");
}

/* What was said to the whole message: by itself, where the line names nobody, or with one that it names. */
static struct open_recipient *words_of(const struct open_message *message)
{
	struct recipient *words = NULL;

	for (struct recipient *each = message->message.recipients; each; each = each->next)
		if (was_meant(each) && (!words || has_no_name(each)))
			words = each;
	return (struct open_recipient *)words;
}

void message_settle_refused(struct correlate *correlate, struct open_message *message)
{
	struct open_recipient *words = message->is_refused || message->is_discarded ? words_of(message) : NULL, *other = NULL;

	for (struct recipient *each = message->message.recipients; words && each; each = each->next) {
		if (each == &words->recipient)
			continue;
		other = (struct open_recipient *)each;
		if (each->fate != FATE_UNKNOWN)
			continue;
		each->fate = words->recipient.fate;
		recipient_seen(each, words->recipient.last_us);
		each->has_changed = true;
		facts_add_missing(correlate, &each->facts, &words->recipient.facts);
	}
	if (!other || !has_no_name(&words->recipient))
		return;
	recipient_leave(correlate, message, words);
	recipient_moved(correlate, message, words->recipient.number, message, other);
	recipient_free(correlate, words);
}

static void refuse_recipient(struct clue *clue, const struct action *action, struct open_message *message, enum join_key key)
{
	struct open_recipient *recipient = recipient_of(clue, message, clue_text(clue, NAME_TO), TEXT_NONE, key);

	if (!recipient)
		return;
	recipient->refused_by_log++;
	if (recipient->refused_by_log > recipient->recipient.attempts)
		recipient->recipient.attempts = recipient->refused_by_log;
	keep_refusal(clue, action, recipient, key);
	if (!clue_has(clue, NAME_QUEUE_ID) && !message->by_records)
		keep_state(clue, action, message, key);
}

/* Its session has ended before it, where one line is all that is told of both. */
static void end_with_session(struct clue *clue, struct open_message *message)
{
	const struct open_session *session = (const struct open_session *)message->message.session;

	if (session && session->has_ended && !message->name_hash && !message->item.is_ending)
		message_end(clue, message);
}

void correlate_refusal(struct clue *clue)
{
	const struct action *action = action_of(clue);
	struct open_message *message;
	enum join_key key;

	count(clue, action);
	message = action ? target_of(clue, &key) : NULL;
	if (!message)
		return;
	if (is_whole(clue, action))
		refuse_whole(clue, action, message, key);
	else
		refuse_recipient(clue, action, message, key);
	forget_milter(clue);
	end_with_session(clue, message);
}

/* A proxy before the queue took it whole: a queue has it under another smtpd's identifier. */
void correlate_proxy_accept(struct clue *clue)
{
	struct open_session *session = session_of(clue);
	struct open_message *message = session ? refused_of(clue, session) : NULL;
	struct open_recipient *recipient = NULL;

	if (message && clue_has(clue, NAME_TO))
		recipient = recipient_of(clue, message, clue_text(clue, NAME_TO), TEXT_NONE, session_key(clue));
	if (!recipient)
		return;
	if (fact_begin(clue, &session->session.facts, session_key(clue)))
		FACT_COPY(clue, &session->session.facts, envelope_rows);
	session->refused = NULL;
	link_proxied(clue, message, recipient, remote_id(clue_text(clue, NAME_REPLY)));
}

/* It would have been refused. */
void correlate_reject_warning(struct clue *clue)
{
	struct open_session *session = clue_has(clue, NAME_QUEUE_ID) ? NULL : session_of(clue);

	if (session && fact_begin(clue, &session->session.facts, session_key(clue)))
		fact_put(clue, &session->session.facts, FACT_SESSION_WARNINGS, clue_text(clue, NAME_REPLY));
}
