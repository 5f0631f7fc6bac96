/*
 * correlate_message.c - messages in the MTA's queue, from who brought them to their removal.
 *
 * A queue identifier names a message of a host until it is removed; then another may have it. So a line belongs to the
 * message whose time fits: a begin makes a new one where the old one has begun already, and a line that is older than a
 * removal belongs to what was removed.
 */
#include "analysis/address_list.h"
#include "analysis/correlate_internal.h"

#include <stdlib.h>

/* ---- which message a line is of ---- */

struct queue_name queue_name_of(struct text text)
{
	struct queue_name name = { .length = text.length };

	if (text.length <= 16) {
		hash_words(text, name.words);
	} else {
		/* Longer than any MTA's: two digests stand for it. */
		name.words[0] = hash_text(1, text);
		name.words[1] = hash_text(2, text);
	}
	return name;
}

bool queue_name_is(const struct queue_name *a, const struct queue_name *b)
{
	return a->words[0] == b->words[0] && a->words[1] == b->words[1] && a->length == b->length;
}

uint64_t queue_name_hash(const struct correlate *correlate, const struct host *host, const struct queue_name *name)
{
	return hash_numbers(correlate->seed + host->number + (name->length << 32), name->words[0], name->words[1]);
}

/* Two instances of one host have each its own queue; other programs write for whichever it is. */
static bool is_instance(const struct open_message *message, const struct instance *instance)
{
	return !instance || !message->instance || message->instance == instance || !instance->has_queue ||
	       !message->instance->has_queue;
}

/* Whether a line of that time may be of the message. */
static bool is_alive(const struct clue *clue, const struct open_message *message)
{
	bool is_later = message->has_begin && message->message.start_us > clue->time_us + STAMP_STEP_US;

	/* What the queue says of its arrival may be older than the log's begin. */
	if (message->is_removed)
		return clue->time_us <= message->removed_us + STAMP_STEP_US && (!is_later || message->is_unmapped || !clue->event);
	if (is_later)
		return false;
	return clue->time_us <= message->message.last_us + clue->correlate->options.silence_us;
}

/* Of those that were still there at that time the first: the others had the name after it. Else the newest. */
static bool is_better(const struct clue *clue, const struct open_message *message, const struct open_message *best)
{
	bool was_there = message->is_removed && clue->time_us < message->removed_us;
	bool best_was_there = best && best->is_removed && clue->time_us < best->removed_us;

	if (!best || was_there != best_was_there)
		return !best || was_there;
	if (was_there)
		return message->removed_us < best->removed_us;
	return message->message.start_us >= best->message.start_us;
}

/* The one that has the name at that time. */
static struct open_message *find_message(const struct clue *clue, const struct host *host, const struct queue_name *name,
					 uint64_t hash)
{
	struct open_message *message, *best = NULL;

	for (size_t at = SIZE_MAX; (message = open_table_next(&clue->correlate->messages, hash, &at));)
		if (message->item.host == host && queue_name_is(&message->name, name) &&
		    is_instance(message, clue->origin->instance) && is_alive(clue, message) &&
		    is_better(clue, message, best))
			best = message;
	return best;
}

/* Or one that rests, of which lines came before. */
static struct open_message *find_or_wake(struct clue *clue, const struct queue_name *name, uint64_t hash)
{
	struct open_message *message = find_message(clue, clue->host, name, hash);

	if (!message && rest_may_have(clue->correlate, clue->time_us) && rest_wake_queue_name(clue->correlate, name))
		message = find_message(clue, clue->host, name, hash);
	return message;
}

/* How often the name was given before, as far as is known. */
static uint32_t generations(const struct clue *clue, const struct queue_name *name, uint64_t hash)
{
	struct open_message *message;
	uint32_t generation = 0;

	for (size_t at = SIZE_MAX; (message = open_table_next(&clue->correlate->messages, hash, &at));)
		if (message->item.host == clue->host && queue_name_is(&message->name, name) && message->generation > generation)
			generation = message->generation;
	return generation;
}

static void begin_facts(struct clue *clue, struct open_message *message, struct text queue_id)
{
	struct facts *facts = &message->message.facts;

	if (!fact_begin(clue, facts, JOIN_QUEUE_ID))
		return;
	fact_add(clue, facts, FACT_MESSAGE_HOST, clue->host->name);
	if (message->instance && !message->instance->is_usual)
		fact_add(clue, facts, FACT_MESSAGE_INSTANCE, message->instance->name);
	fact_add(clue, facts, FACT_MESSAGE_QUEUE_ID, queue_id);
	if (message->generation > 1)
		fact_add_number(clue, facts, FACT_MESSAGE_GENERATION, message->generation);
}

/* Most often it is that of the message before. */
static uint8_t number_of(struct correlate *correlate, const struct format *format)
{
	if (format != correlate->last_format) {
		correlate->last_format = format;
		correlate->last_format_number = format_number(format);
	}
	return correlate->last_format_number;
}

static struct open_message *new_message(struct clue *clue, struct text queue_id, const struct queue_name *name, uint64_t hash)
{
	struct text identity[] = { clue->host->name, queue_id };
	uint32_t generation = generations(clue, name, hash);
	struct open_message *message = message_open(clue, identity, 2);

	if (!message)
		return NULL;
	message->by_log = true;
	message->name = *name;
	message->generation = generation + 1;
	link_expect(clue->correlate, name);
	message->instance = clue->origin->instance;
	message->format = clue->event ? number_of(clue->correlate, clue->event->format) : 0;
	link_know_format(clue->correlate, message->format);
	if (open_table_add(&clue->correlate->messages, hash, message) == 0)
		message->name_hash = hash;
	begin_facts(clue, message, queue_id);
	if (clue_is_tacit(clue) && !clue->event->format->tells_removal)
		message_begin_trace(clue, message);
	return message;
}

void message_touch(struct clue *clue, struct open_message *message)
{
	open_touch(clue, &message->item);
	if (clue->time_us > message->message.last_us)
		message->message.last_us = clue->time_us;
	else if (clue->time_us < message->message.start_us)
		message->message.start_us = clue->time_us;
	message->by_log = true;
}

struct open_message *message_of(struct clue *clue)
{
	struct text queue_id = clue_text(clue, NAME_QUEUE_ID);
	struct open_message *message;
	struct queue_name name;
	uint64_t hash;

	if (!queue_id.length)
		return NULL;
	name = queue_name_of(queue_id);
	hash = queue_name_hash(clue->correlate, clue->host, &name);
	message = find_or_wake(clue, &name, hash);
	if (!message)
		return new_message(clue, queue_id, &name, hash);
	message_touch(clue, message);
	return message;
}

struct open_message *message_named(struct clue *clue, const struct queue_name *name)
{
	return find_message(clue, clue->host, name, queue_name_hash(clue->correlate, clue->host, name));
}

struct open_message *message_begin(struct clue *clue, struct text queue_id)
{
	struct open_message *message;
	struct queue_name name;
	uint64_t hash;

	if (!queue_id.length)
		return NULL;
	name = queue_name_of(queue_id);
	hash = queue_name_hash(clue->correlate, clue->host, &name);
	message = find_or_wake(clue, &name, hash);
	if (message && !message->has_begin &&
	    clue->time_us <= message->message.start_us + clue->correlate->options.lateness_us) {
		message_touch(clue, message);
	} else {
		/* The one before has gone, though its end was not seen. */
		if (message && !message->is_removed)
			message_end(clue, message);
		message = new_message(clue, queue_id, &name, hash);
	}
	if (message)
		message->has_begin = true;
	return message;
}

void transcript_name(struct clue *clue, struct open_message *message, struct text queue_id)
{
	struct queue_name name = queue_name_of(queue_id);
	uint64_t hash = queue_name_hash(clue->correlate, clue->host, &name);
	struct open_message *log = find_message(clue, clue->host, &name, hash);

	if (log && log != message && !log->is_transcript) {
		join_transcript(clue, log, message);
		return;
	}
	message->name = name;
	message->generation = 1;
	if (open_table_add(&clue->correlate->messages, hash, message) == 0)
		message->name_hash = hash;
}

/* ---- what its lines say ---- */

static const struct fact_row login_rows[] = {
	{ NAME_AUTH_TYPE, FACT_SESSION_AUTH_TYPE }, { NAME_AUTH_AUTHEN, FACT_SESSION_AUTH_AUTHEN },
};

/* Some tell it of one message in several lines. */
static bool is_known(struct clue *clue, const struct open_session *session)
{
	struct queue_name name = queue_name_of(clue_text(clue, NAME_QUEUE_ID));
	const struct open_message *message = session && name.length ? message_named(clue, &name) : NULL;

	return message && message->has_begin && message->message.session == &session->session && !message->is_queued;
}

/* The line that makes it a hop may have come before. */
void message_received(struct clue *clue, struct open_message *message)
{
	if (!message->is_received && message_is_hop(message))
		clue->correlate->counts.hops++;
	message->is_received = true;
}

static bool is_loopback(struct text address)
{
	return text_is(address, "::1") || (address.length > 4 && memcmp(address.start, "127.", 4) == 0);
}

void message_put_origin(struct clue *clue, struct open_message *message, const struct open_session *session, enum join_key key)
{
	struct facts *facts = &message->message.facts;
	bool has_logged_in;

	if (!fact_is_kept(clue->correlate, FACT_MESSAGE_ORIGIN) || message->message.parent_kind != PARENT_NONE ||
	    facts_text(facts, FACT_MESSAGE_ORIGIN).start || !fact_begin(clue, facts, key))
		return;
	has_logged_in = facts_text(&session->session.facts, FACT_SESSION_AUTH_AUTHEN).start;
	fact_put(clue, facts, FACT_MESSAGE_ORIGIN, has_logged_in ? TEXT_LITERAL("authenticated") :
		 is_loopback(facts_text(&session->session.facts, FACT_SESSION_CLIENT_ADDR)) ? TEXT_LITERAL("local") : TEXT_LITERAL("inbound"));
}

/* A rule put it on hold, or threw it away, at a recipient that was not refused: that one made the queue identifier. */
static bool is_set_apart(const struct open_message *message)
{
	return (message->is_held || message->is_discarded) && message->message.recipients;
}

void correlate_client(struct clue *clue)
{
	struct open_session *session = session_of(clue);
	struct open_message *message;

	if (clue_has(clue, NAME_FROM) && is_known(clue, session)) {
		message = message_of(clue);
		if (message && fact_begin(clue, &message->message.facts, JOIN_QUEUE_ID))
			fact_put(clue, &message->message.facts, FACT_MESSAGE_FROM, clue_text(clue, NAME_FROM));
		return;
	}
	message = message_begin(clue, clue_text(clue, NAME_QUEUE_ID));

	/* NOQUEUE: a proxy will have it. */
	if (!clue_has(clue, NAME_QUEUE_ID)) {
		clue->correlate->counts.other++;
		if (session)
			session_enter_clients(clue->correlate, session);
		return;
	}
	clue->correlate->counts.received_smtpd++;
	if (clue_has(clue, NAME_AUTH_TYPE))
		clue->correlate->counts.received_authenticated++;
	if (!message)
		return;
	message_received(clue, message);
	if (clue_has(clue, NAME_ORIG_QUEUE_ID))
		link_original(clue, message, clue_text(clue, NAME_ORIG_QUEUE_ID));
	if (clue_has(clue, NAME_ORIG_CLIENT_PORT))
		link_note_front(clue, message);
	if (!session)
		return;
	session_take(session, message);
	session->begun++;
	if (session->refused && is_set_apart(session->refused))
		join_begun(clue->correlate, message, session->refused);
	session->refused = NULL;
	if (clue_has(clue, NAME_AUTH_TYPE)) {
		login_passed(clue, session);
		if (fact_begin(clue, &session->session.facts, session_key(clue)))
			FACT_COPY(clue, &session->session.facts, login_rows);
	}
	message_put_origin(clue, message, session, JOIN_QUEUE_ID);
	message = join_waiting(clue, message);
	if (message->is_discarded)
		message_end(clue, message);
}

void correlate_pickup(struct clue *clue)
{
	struct open_message *message = message_begin(clue, clue_text(clue, NAME_QUEUE_ID));

	if (!message)
		return;
	message_received(clue, message);
	if (fact_begin(clue, &message->message.facts, JOIN_QUEUE_ID)) {
		fact_put(clue, &message->message.facts, FACT_MESSAGE_UID, clue_text(clue, NAME_UID));
		fact_put(clue, &message->message.facts, FACT_MESSAGE_ORIGIN, TEXT_LITERAL("local"));
	}
	(void)join_waiting(clue, message);
}

uint64_t message_id_hash(const struct correlate *correlate, struct text id)
{
	return hash_text(correlate->seed, address_without_brackets(id));
}

void message_enter_ids(struct correlate *correlate, struct open_message *message)
{
	if (message->id_hash && !message->is_in_ids && correlate->finds_ids)
		message->is_in_ids = open_table_add(&correlate->ids, message->id_hash, message) == 0;
}

void message_know_id(struct correlate *correlate, struct open_message *message, uint64_t id_hash)
{
	if (message->id_hash)
		return;
	message->id_hash = id_hash;
	message_enter_ids(correlate, message);
}

/* The first of several counts: a message that was sent on has the same. */
void correlate_message_id(struct clue *clue)
{
	struct open_message *message = message_of(clue);
	struct text id = clue_text(clue, NAME_MESSAGE_ID);

	if (!message || message->id_hash || !id.length)
		return;
	message_know_id(clue->correlate, message, message_id_hash(clue->correlate, id));
	if (fact_begin(clue, &message->message.facts, JOIN_QUEUE_ID))
		fact_add(clue, &message->message.facts, FACT_MESSAGE_MESSAGE_ID, id);
}

/* It is in the queue: for the first time, or again. */
void correlate_queued(struct clue *clue)
{
	struct correlate *correlate = clue->correlate;
	struct open_message *message = message_of(clue);
	struct text from = clue_text(clue, NAME_FROM);
	struct facts *facts;

	if (!message)
		return;
	if (message->item.is_ending && !message->is_removed)
		message_resume(correlate, message);
	if (message->is_queued) {
		correlate->counts.active_again++;
		return;
	}
	message->is_queued = true;
	message->instance = clue->origin->instance;
	message->size = fact_number(clue_text(clue, NAME_SIZE));
	correlate->counts.active_first++;
	correlate->counts.bytes_received += message->size;
	correlate->counts.bytes_delivered += message->unsized * message->size;
	message->unsized = 0;
	if (message->message.session) {
		((struct open_session *)message->message.session)->queued++;
		((struct open_session *)message->message.session)->item.is_changed = true;
	}
	link_find_parent(clue, message);
	facts = &message->message.facts;
	if (!fact_begin(clue, facts, JOIN_QUEUE_ID))
		return;
	facts_set_text(facts, correlate->pool, FACT_MESSAGE_FROM, from);
	facts_set_number(facts, correlate->pool, FACT_MESSAGE_SIZE, message->size);
	fact_put(clue, facts, FACT_MESSAGE_RECIPIENTS, clue_text(clue, NAME_RECIPIENTS));
	fact_add_number(clue, facts, FACT_MESSAGE_QUEUED, clue->time_us);
	link_by_message_id(clue, message);
	if (message->message.session)
		(void)join_reconsider(correlate, (struct open_session *)message->message.session);
}

void correlate_removed(struct clue *clue)
{
	struct open_message *message = message_of(clue);

	if (!message)
		return;
	message->is_removed = true;
	message->removed_us = clue->time_us;
	if (fact_begin(clue, &message->message.facts, JOIN_QUEUE_ID))
		fact_put_number(clue, &message->message.facts, FACT_MESSAGE_REMOVED, clue->time_us);
	if (clue->origin->role == ROLE_OPERATOR)
		recipients_give_up(clue, message, FATE_DISCARDED, TEXT_LITERAL("operator"));
	message_end(clue, message);
}

/* By a person's command. */
void correlate_held(struct clue *clue)
{
	struct open_message *message = message_of(clue);

	if (!message)
		return;
	message->is_held = true;
	recipients_give_up(clue, message, FATE_HELD, TEXT_LITERAL("operator"));
}

void correlate_released(struct clue *clue)
{
	struct open_message *message = message_of(clue);

	if (!message || !message->is_held)
		return;
	message->is_held = false;
	for (struct recipient *recipient = message->message.recipients; recipient; recipient = recipient->next)
		if (recipient->fate == FATE_HELD) {
			recipient->fate = recipient->attempts ? FATE_DEFERRED : FATE_UNKNOWN;
			recipient->has_changed = true;
		}
	message->state = STATE_NONE;
	facts_unset(&message->message.facts, FACT_MESSAGE_STATE);
}

/* ---- what follows at the end ---- */

/* Whether its client left before the message was whole, as far as the log proves it. */
static bool was_aborted(const struct open_message *message)
{
	const struct open_session *session = (const struct open_session *)message->message.session;

	if (message->is_queued || message->is_removed || message->is_refused || message->is_discarded || message->is_held ||
	    message->is_proxied)
		return false;
	if (message->is_aborted)
		return true;
	if (!message->has_begin || !session || !session->is_closed)
		return false;
	/* The MTA took fewer than began, and a queue had all that it took. */
	return (session->accepted != UINT32_MAX && session->accepted < session->begun && session->queued >= session->accepted) ||
	       (session->is_cut_in_data && session->last_message == message);
}

bool message_ends_with_session(const struct open_message *message)
{
	return !message->by_log || !message->name_hash || was_aborted(message);
}

void message_miss(struct correlate *correlate, struct open_message *message, const char *what)
{
	if (fact_is_kept(correlate, FACT_MESSAGE_INCOMPLETE))
		facts_add_item(&message->message.facts, correlate->pool, FACT_MESSAGE_INCOMPLETE, text_of(what));
}

const char *const message_state_words[STATES] = {
	[STATE_REMOVED] = "removed", [STATE_REFUSED] = "refused", [STATE_DISCARDED] = "discarded", [STATE_HELD] = "held",
	[STATE_PROXIED] = "proxied", [STATE_ABORTED] = "aborted", [STATE_QUEUED] = "queued", [STATE_UNKNOWN] = "unknown",
};

/* What was told before counts. */
static void put_state(struct correlate *correlate, struct open_message *message, enum message_state state)
{
	static const enum fact proofs[STATES] = { [STATE_REMOVED] = FACT_MESSAGE_REMOVED, [STATE_QUEUED] = FACT_MESSAGE_QUEUED };
	struct facts *facts = &message->message.facts;
	struct fact_value value;

	if (!message->state)
		message->state = (uint8_t)state;
	if (!fact_is_kept(correlate, FACT_MESSAGE_STATE) || facts_text(facts, FACT_MESSAGE_STATE).start)
		return;
	if (proofs[state] && facts_find(facts, proofs[state], &value))
		facts_rest_on(facts, correlate->pool, &value.evidence);
	facts_set_text(facts, correlate->pool, FACT_MESSAGE_STATE, text_of(message_state_words[state]));
}

/* The queue had more recipients than deliveries were told of, though it has none of them left. */
static bool lacks_deliveries(const struct open_message *message)
{
	uint64_t told = 0, all = facts_number(&message->message.facts, FACT_MESSAGE_RECIPIENTS, 0);

	if (!message->is_removed || !message->is_queued || message->is_unmapped)
		return false;
	for (const struct recipient *each = message->message.recipients; each; each = each->next)
		told += each->fate != FATE_UNKNOWN && each->fate != FATE_REJECTED;
	return told < all;
}

static void miss_what_is_missing(struct correlate *correlate, struct open_message *message)
{
	const struct open_session *session = (const struct open_session *)message->message.session;

	if (message->by_log && message->name_hash && !message->has_begin && !message->is_trace)
		message_miss(correlate, message, "begin");
	if (lacks_deliveries(message))
		message_miss(correlate, message, "deliveries");
	if (!message->by_log)
		message_miss(correlate, message, "no_log");
	if (gap_has(correlate, &message->item))
		message_miss(correlate, message, "gap");
	else if (message->is_received && !message->by_records && session && session->by_records)
		message_miss(correlate, message, "no_records");
}

/* Recipients of a message that was cut off are so too. */
static void abort_recipients(struct open_message *message)
{
	for (struct recipient *recipient = message->message.recipients; recipient; recipient = recipient->next)
		if (recipient->fate == FATE_UNKNOWN) {
			recipient->fate = FATE_ABORTED;
			recipient->has_changed = true;
		}
}

bool message_all_refused(const struct open_message *message)
{
	const struct recipient *recipient = message->message.recipients;

	while (recipient && recipient->fate == FATE_REJECTED)
		recipient = recipient->next;
	return message->message.recipients && !recipient;
}

static bool keep_stamp(struct correlate *correlate, const struct recipient *recipient)
{
	if (correlate->stamp_count == correlate->stamps_size) {
		size_t size = correlate->stamps_size ? correlate->stamps_size * 2 : 16;
		struct stamps *larger = reallocarray(correlate->stamps, size, sizeof *larger);

		if (!larger)
			return false;
		correlate->stamps = larger;
		correlate->stamps_size = size;
	}
	correlate->stamps[correlate->stamp_count++] = (struct stamps){ recipient->first_us, recipient->last_us };
	return true;
}

/* Without memory its recipients are shown as they were stamped. */
void message_tell_finer(struct correlate *correlate, struct open_message *message)
{
	message->stamp_us = message->message.start_us;
	message->message.start_us = time_told_finer(message->stamp_us, message->records_us);
	correlate->stamp_count = 0;
	for (struct recipient *each = message->message.recipients; each && keep_stamp(correlate, each); each = each->next) {
		uint64_t stamp_us = each->first_us;

		each->first_us = time_told_finer(stamp_us, ((struct open_recipient *)each)->records_us);
		if (each->last_us < each->first_us)
			each->last_us = each->first_us;
		each->has_changed |= each->first_us != stamp_us;
	}
}

void message_tell_stamp(struct correlate *correlate, struct open_message *message)
{
	size_t at = 0;

	message->message.start_us = message->stamp_us;
	for (struct recipient *each = message->message.recipients; each && at < correlate->stamp_count; each = each->next, at++) {
		each->first_us = correlate->stamps[at].first_us;
		each->last_us = correlate->stamps[at].last_us;
	}
	correlate->stamp_count = 0;
}

static enum message_state state_of(const struct open_message *message, bool is_aborted)
{
	if (message->is_removed)
		return STATE_REMOVED;
	if (message->is_refused || message_all_refused(message))
		return STATE_REFUSED;
	if (message->is_discarded)
		return STATE_DISCARDED;
	if (message->is_held)
		return STATE_HELD;
	if (message->is_proxied)
		return STATE_PROXIED;
	if (is_aborted)
		return STATE_ABORTED;
	if (message_is_done(message))
		return STATE_REMOVED;
	return message->is_queued ? STATE_QUEUED : STATE_UNKNOWN;
}

/* As message_is_accepted, without those facts. */
static bool was_accepted(const struct correlate *correlate, const struct open_message *message)
{
	if (fact_is_kept(correlate, FACT_MESSAGE_STATE) && fact_is_kept(correlate, FACT_MESSAGE_QUEUE_ID))
		return message_is_accepted(&message->message);
	return message->state == STATE_PROXIED ||
	       (message->name.length && message->state != STATE_REFUSED && message->state != STATE_ABORTED);
}

void message_settle(struct correlate *correlate, struct open_message *message)
{
	bool is_aborted;

	if (message->is_proxied)
		link_settle_proxied(correlate, message);
	message_settle_refused(correlate, message);
	link_settle_behind(correlate, message);
	is_aborted = !message_all_refused(message) && was_aborted(message);
	if (is_aborted)
		abort_recipients(message);
	message_settle_expanded(correlate, message);
	put_state(correlate, message, state_of(message, is_aborted));
	message->message.is_accepted = was_accepted(correlate, message);
	miss_what_is_missing(correlate, message);
	message_tell_finer(correlate, message);
}
