/*
 * correlate_store.c - what a store needs to go on where it was killed: what has changed, and what lies in no fact.
 *
 * A state is bytes of this version of this program: hashes, marks, times at which something is due. It begins with a
 * number that changes with its layout; what does not fit is left, and guessed from the facts.
 */
#include "analysis/correlate_internal.h"

#include <stdlib.h>

enum { STATE_VERSION = 13 };

#define MESSAGE_VALUES offsetof(struct open_message, name)
#define SESSION_VALUES offsetof(struct open_session, process_hash)

/* ---- bytes, written and read ---- */

void state_put(struct correlate *correlate, size_t *used, const void *bytes, size_t size)
{
	if (*used + size > correlate->state_size) {
		size_t grown = (*used + size) * 2 + 256;
		char *state = realloc(correlate->state, grown);

		if (!state)
			return;
		correlate->state = state;
		correlate->state_size = grown;
	}
	if (size)
		memcpy(correlate->state + *used, bytes, size);
	*used += size;
}

void state_put_number(struct correlate *correlate, size_t *used, uint64_t number)
{
	state_put(correlate, used, &number, sizeof number);
}

void state_put_text(struct correlate *correlate, size_t *used, struct text text)
{
	state_put_number(correlate, used, text.length);
	state_put(correlate, used, text.start, text.length);
}

bool state_get(struct text *state, void *bytes, size_t size)
{
	if (state->length < size) {
		memset(bytes, 0, size);
		state->length = 0;
		return false;
	}
	memcpy(bytes, state->start, size);
	state->start += size;
	state->length -= size;
	return true;
}

uint64_t state_get_number(struct text *state)
{
	uint64_t number;

	(void)state_get(state, &number, sizeof number);
	return number;
}

struct text state_get_text(struct text *state)
{
	uint64_t length = state_get_number(state);
	struct text text = { state->start, length <= state->length ? (size_t)length : 0 };

	state->start += text.length;
	state->length -= text.length;
	return text;
}

uint64_t state_layout(size_t size)
{
	return (uint64_t)STATE_VERSION << 32 | size;
}

/* What the item says of itself. */
struct item_state {
	uint64_t touched_us, due_us;
	uint64_t host;		/* its number */
	bool is_ending, is_woken, is_in_gap;
	uint8_t waits;
};

/* What is said next may rest on the newest evidence, which no fact need rest on. The store keeps the numbers of sources. */
static void put_newest(struct correlate *correlate, size_t *used, const struct facts *facts)
{
	struct evidence evidence;

	memset(&evidence, 0, sizeof evidence);
	state_put_number(correlate, used, facts_newest(facts, &evidence));
	state_put(correlate, used, &evidence, sizeof evidence);
}

static void get_newest(struct correlate *correlate, struct text *state, struct facts *facts)
{
	struct evidence evidence;
	bool has_evidence = state_get_number(state);

	if (state_get(state, &evidence, sizeof evidence) && has_evidence)
		facts_rest_on(facts, correlate->pool, &evidence);
}

static void put_item(struct correlate *correlate, size_t *used, const struct open_item *item)
{
	struct item_state state;

	memset(&state, 0, sizeof state);
	state.touched_us = item->touched_us;
	state.due_us = item->due_us;
	state.host = item->host->number;
	state.is_ending = item->is_ending;
	state.waits = item->waits;
	state.is_woken = item->is_woken;
	state.is_in_gap = item->is_in_gap;
	state_put(correlate, used, &state, sizeof state);
}

struct host *state_host(const struct correlate *correlate, uint64_t number)
{
	return number < origin_host_count(correlate->origins) ? origin_host_at(correlate->origins, (unsigned)number) : NULL;
}

/* ---- what has changed ---- */

/* As it stands. */
static void show_item(struct correlate *correlate, struct open_item *item, const struct correlate_sink *sink)
{
	if (item->kind == OPEN_SESSION) {
		session_tell_finer(open_session_of(item));
		if (sink->session)
			sink->session(sink->context, &open_session_of(item)->session);
		session_tell_stamp(open_session_of(item));
		return;
	}
	message_tell_finer(correlate, open_message_of(item));
	way_tell(open_message_of(item));
	if (sink->message)
		sink->message(sink->context, &open_message_of(item)->message);
	message_tell_stamp(correlate, open_message_of(item));
}

static void show_changed_item(struct correlate *correlate, struct open_item *item, enum open_kind kind, const struct correlate_sink *sink)
{
	if (!item->is_changed || item->kind != kind)
		return;
	rest_end(correlate, item);
	item->is_changed = false;
	item->was_shown = true;
	show_item(correlate, item, sink);
	if (kind == OPEN_SESSION)
		return;
	for (struct recipient *recipient = open_message_of(item)->message.recipients; recipient; recipient = recipient->next)
		recipient->has_changed = false;
}

static void show_changed_list(struct correlate *correlate, struct open_list *list, enum open_kind kind, const struct correlate_sink *sink)
{
	for (struct open_item *item = list->first; item; item = item->next)
		show_changed_item(correlate, item, kind, sink);
}

/* A session and its messages are under way together: another process would not find the one that rests by the other. */
static void wake_together(struct open_list *list)
{
	for (struct open_item *item = list->first; item; item = item->next) {
		bool is_changed = item->is_changed, rests = item->rests;

		if (item->kind != OPEN_SESSION)
			continue;
		for (struct message *each = open_session_of(item)->session.messages; each; each = each->next_in_session) {
			is_changed |= ((struct open_message *)each)->item.is_changed;
			rests |= ((struct open_message *)each)->item.rests;
		}
		if (!is_changed || !rests)
			continue;
		item->is_changed = true;
		for (struct message *each = open_session_of(item)->session.messages; each; each = each->next_in_session)
			((struct open_message *)each)->item.is_changed = true;
	}
}

/* Sessions before their messages. */
void correlate_show_changed(struct correlate *correlate, const struct correlate_sink *sink)
{
	static const enum open_kind kinds[] = { OPEN_SESSION, OPEN_MESSAGE };

	rest_show_reviewed(correlate);
	if (correlate->rested_us) {
		wake_together(&correlate->open);
		for (unsigned i = 0; i < origin_host_count(correlate->origins); i++)
			wake_together(&origin_host_at(correlate->origins, i)->ending);
	}
	for (size_t kind = 0; kind < sizeof kinds / sizeof kinds[0]; kind++) {
		show_changed_list(correlate, &correlate->open, kinds[kind], sink);
		for (unsigned i = 0; i < origin_host_count(correlate->origins); i++)
			show_changed_list(correlate, &origin_host_at(correlate->origins, i)->ending, kinds[kind], sink);
	}
}

bool correlate_has_records(const struct correlate *correlate)
{
	return correlate->has_records;
}

void correlate_show_open(struct correlate *correlate, const struct correlate_sink *sink)
{
	for (struct open_item *item = correlate->open.first; item; item = item->next)
		show_item(correlate, item, sink);
	for (unsigned i = 0; i < origin_host_count(correlate->origins); i++)
		for (struct open_item *item = origin_host_at(correlate->origins, i)->ending.first; item; item = item->next)
			show_item(correlate, item, sink);
}

/* ---- one session, one message ---- */

struct text correlate_session_state(struct correlate *correlate, const struct session *session)
{
	const struct open_session *open = (const struct open_session *)session;
	size_t used = 0;

	state_put_number(correlate, &used, state_layout(sizeof *open));
	put_item(correlate, &used, &open->item);
	state_put_number(correlate, &used, open->mta_host ? open->mta_host->number : UINT64_MAX);
	put_newest(correlate, &used, &session->facts);
	state_put(correlate, &used, (const char *)open + SESSION_VALUES, sizeof *open - SESSION_VALUES);
	return (struct text){ correlate->state, used };
}

/* Of a recipient: what lies in no fact. */
struct recipient_state {
	uint64_t next_hash, to, given;
	uint32_t refused_by_log, refused_by_records;
	uint16_t is_given, awaits_reply;
	uint32_t is_blocked;
	uint64_t told_us, records_us, stamp_first_us, stamp_last_us;
};

struct text correlate_message_state(struct correlate *correlate, const struct message *message)
{
	const struct open_message *open = (const struct open_message *)message;
	const struct open_session *session = (const struct open_session *)message->session;
	size_t used = 0, stamp_index = 0;

	state_put_number(correlate, &used, state_layout(sizeof *open));
	put_item(correlate, &used, &open->item);
	state_put_number(correlate, &used, session && session->refused == open);
	state_put_number(correlate, &used, message->recipient_count);
	state_put_text(correlate, &used, open->instance ? open->instance->name : TEXT_NONE);
	put_newest(correlate, &used, &message->facts);
	state_put(correlate, &used, (const char *)open + MESSAGE_VALUES, sizeof *open - MESSAGE_VALUES);
	for (const struct recipient *each = message->recipients; each; each = each->next, stamp_index++) {
		const struct open_recipient *recipient = (const struct open_recipient *)each;
		const struct stamps plain = { each->first_us, each->last_us },
				    *stamps = stamp_index < correlate->stamp_count ? &correlate->stamps[stamp_index] : &plain;
		struct recipient_state state = { recipient->next_hash, recipient->to, recipient->given, recipient->refused_by_log,
						 recipient->refused_by_records, recipient->is_given, recipient->awaits_reply,
						 recipient->is_blocked, recipient->told_us, recipient->records_us, stamps->first_us,
						 stamps->last_us };

		state_put(correlate, &used, &state, sizeof state);
		put_newest(correlate, &used, &each->facts);
	}
	return (struct text){ correlate->state, used };
}

static void enter_tables(struct correlate *correlate, struct open_session *session)
{
	/* It may have been kept before the first record came. */
	bool is_found = correlate->finds_clients || session->client_hash || session->port_hash;
	uint64_t process_hash = session->process_hash;

	session->process_hash = session->client_hash = session->port_hash = 0;
	if (process_hash)
		session_enter_process(correlate, session, process_hash);
	if (session->milter_hash)
		(void)open_table_add(&correlate->milter, session->milter_hash, session);
	if (is_found)
		session_enter_clients(correlate, session);
}

/* Its state is of another version: nothing more of it is found, and it leaves as what it was. */
static struct host *guess_host(struct correlate *correlate, const struct facts *facts, enum fact fact)
{
	return origin_host(correlate->origins, facts_text(facts, fact));
}

void correlate_restore_session(struct correlate *correlate, const struct session *session, struct text state)
{
	bool fits = state_get_number(&state) == state_layout(sizeof(struct open_session));
	struct item_state item = { .host = UINT64_MAX };
	struct open_session *open;
	struct host *host;

	if (fits)
		(void)state_get(&state, &item, sizeof item);
	host = state_host(correlate, item.host);
	open = session_restore(correlate, session, host ? host : guess_host(correlate, &session->facts, FACT_SESSION_HOST));
	if (!open)
		return;
	if (!fits || !host) {
		open->by_log = open->has_begin = true;
		open->accepted = UINT32_MAX;
		return;
	}
	open->mta_host = state_host(correlate, state_get_number(&state));
	get_newest(correlate, &state, &open->session.facts);
	(void)state_get(&state, (char *)open + SESSION_VALUES, sizeof *open - SESSION_VALUES);
	session_tell_stamp(open);
	open->item.touched_us = item.touched_us;
	open->item.due_us = item.due_us;
	open->item.waits = item.waits;
	open->item.is_woken = item.is_woken;
	open->item.is_in_gap = item.is_in_gap;
	enter_tables(correlate, open);
	item_restore(correlate, &open->item, item.is_ending);
}

static void restore_recipients(struct correlate *correlate, struct open_message *open, const struct message *message,
			       struct text *state, bool fits)
{
	for (const struct recipient *each = message->recipients; each; each = each->next) {
		struct open_recipient *recipient = recipient_restore(correlate, each);
		struct text to = facts_text(&each->facts, FACT_RECIPIENT_TO), orig_to = facts_text(&each->facts, FACT_RECIPIENT_ORIG_TO);
		struct recipient_state kept = { .to = recipient_hash(correlate, to),
						.given = recipient_hash(correlate, orig_to.start ? orig_to : to) };
		uint32_t number;

		if (!recipient)
			return;
		number = recipient->recipient.number;
		if (fits) {
			(void)state_get(state, &kept, sizeof kept);
			get_newest(correlate, state, &recipient->recipient.facts);
		}
		recipient->next_hash = kept.next_hash;
		recipient->to = kept.to;
		recipient->given = kept.given;
		recipient->refused_by_log = kept.refused_by_log & REFUSALS_MAX;
		recipient->refused_by_records = kept.refused_by_records & REFUSALS_MAX;
		recipient->is_given = kept.is_given;
		recipient->awaits_reply = kept.awaits_reply;
		recipient->is_blocked = kept.is_blocked;
		recipient->told_us = kept.told_us;
		recipient->records_us = kept.records_us;
		if (kept.stamp_first_us) {
			recipient->recipient.first_us = kept.stamp_first_us;
			recipient->recipient.last_us = kept.stamp_last_us;
		}
		recipient_enter(correlate, open, recipient);
		/* Of those before it some may have become another message's. */
		recipient->recipient.number = open->message.recipient_count = number;
		recipient->recipient.has_changed = false;
	}
}

/* From the facts alone: lines of it are found by its identifier. */
static void guess_message(struct correlate *correlate, struct open_message *open)
{
	struct text queue_id = facts_text(&open->message.facts, FACT_MESSAGE_QUEUE_ID);

	open->by_log = open->has_begin = true;
	open->is_queued = facts_find(&open->message.facts, FACT_MESSAGE_QUEUED, &(struct fact_value){ .number = 0 });
	open->size = facts_number(&open->message.facts, FACT_MESSAGE_SIZE, 0);
	if (!queue_id.length)
		return;
	open->name = queue_name_of(queue_id);
	open->name_hash = queue_name_hash(correlate, open->item.host, &open->name);
}

void correlate_restore_message(struct correlate *correlate, const struct message *message, struct text state)
{
	bool fits = state_get_number(&state) == state_layout(sizeof(struct open_message)), takes_refusals = false;
	struct open_session *session = session_by_key(correlate, message->session_key);
	struct item_state item = { .host = UINT64_MAX };
	uint64_t recipient_count = 0;
	struct open_message *open;
	struct host *host;

	if (fits)
		(void)state_get(&state, &item, sizeof item);
	host = state_host(correlate, item.host);
	open = message_restore(correlate, message, host ? host : guess_host(correlate, &message->facts, FACT_MESSAGE_HOST));
	if (!open)
		return;
	fits = fits && host;
	if (fits) {
		takes_refusals = state_get_number(&state);
		recipient_count = state_get_number(&state);
		open->instance = origin_instance(correlate->origins, host, state_get_text(&state));
		get_newest(correlate, &state, &open->message.facts);
		(void)state_get(&state, (char *)open + MESSAGE_VALUES, sizeof *open - MESSAGE_VALUES);
		open->message.start_us = open->stamp_us;
		open->item.touched_us = item.touched_us;
		open->item.due_us = item.due_us;
		open->item.waits = item.waits;
		open->item.is_woken = item.is_woken;
		open->item.is_in_gap = item.is_in_gap;
	} else {
		guess_message(correlate, open);
	}
	if (session && fits)
		session_take_back(session, open);
	else if (session)
		session_take(session, open);
	restore_recipients(correlate, open, message, &state, fits);
	if (recipient_count > open->message.recipient_count)
		open->message.recipient_count = (uint32_t)recipient_count;
	if (open->name_hash)
		(void)open_table_add(&correlate->messages, open->name_hash, open);
	link_enter_front(correlate, open);
	if (open->waits_hash)
		(void)open_table_add(&correlate->waiting, open->waits_hash, open);
	message_enter_ids(correlate, open);
	link_know_format(correlate, open->format);
	/* A newer one may have come since. */
	if (takes_refusals && open->message.session && !((struct open_session *)open->message.session)->refused)
		((struct open_session *)open->message.session)->refused = open;
	item_restore(correlate, &open->item, fits && item.is_ending);
}

/* ---- of neither ---- */

static void put_hosts(struct correlate *correlate, size_t *used)
{
	const struct origins *origins = correlate->origins;
	struct origin_name name;

	state_put_number(correlate, used, origin_host_count(origins));
	for (unsigned i = 0; i < origin_host_count(origins); i++) {
		const struct host *host = origin_host_at(origins, i);

		state_put_number(correlate, used, host->now_us);
		state_put_number(correlate, used, host->behind);
		state_put_number(correlate, used, host->has_records);
		state_put_number(correlate, used, host->is_tied);
	}
	for (size_t i = 0; origin_name_at(origins, i, &name); i++) {
		state_put_number(correlate, used, name.host->number);
		state_put_text(correlate, used, name.text);
	}
	state_put_number(correlate, used, UINT64_MAX);
	for (unsigned i = 0; i < origin_instance_count(origins); i++) {
		const struct instance *instance = origin_instance_at(origins, i);

		state_put_number(correlate, used, instance->host->number);
		state_put_number(correlate, used, instance->has_queue);
		state_put_text(correlate, used, instance->name);
	}
	state_put_number(correlate, used, UINT64_MAX);
}

static void get_hosts(struct correlate *correlate, struct text *state)
{
	uint64_t count = state_get_number(state), number;

	origins_restore(correlate->origins, (unsigned)(count < ORIGIN_HOSTS_MAX ? count : ORIGIN_HOSTS_MAX));
	for (uint64_t i = 0; i < count && state->length; i++) {
		struct host *host = state_host(correlate, i);
		uint64_t now_us = state_get_number(state), behind = state_get_number(state), has_records = state_get_number(state);
		bool is_tied = state_get_number(state);

		if (!host)
			continue;
		host->is_tied = is_tied;
		host->now_us = now_us;
		host->behind = (unsigned)behind;
		host->has_records = has_records;
	}
	while ((number = state_get_number(state)) != UINT64_MAX && state->length)
		origins_restore_name(correlate->origins, (unsigned)number, state_get_text(state));
	while ((number = state_get_number(state)) != UINT64_MAX && state->length) {
		bool has_queue = state_get_number(state);
		struct host *host = state_host(correlate, number);
		struct instance *instance = host ? origin_instance(correlate->origins, host, state_get_text(state)) : NULL;

		if (instance)
			instance->has_queue = has_queue;
	}
	origins_add_ties(correlate->origins);
}

/* Hosts by their numbers, which are the same again. */
static void put_notes(struct correlate *correlate, size_t *used)
{
	state_put_number(correlate, used, correlate->note_turn);
	for (unsigned i = 0; correlate->notes.count && i < LINK_NOTES_MAX; i++) {
		struct link_note note = correlate->note_ring[i];

		if (!note.hash)
			continue;
		state_put_number(correlate, used, i);
		state_put_number(correlate, used, note.host ? note.host->number : UINT64_MAX);
		state_put_number(correlate, used, note.parent_host->number);
		note.host = note.parent_host = NULL;
		note.parent.way = NULL;
		state_put(correlate, used, &note, sizeof note);
	}
	state_put_number(correlate, used, UINT64_MAX);
}

static void get_notes(struct correlate *correlate, struct text *state)
{
	uint64_t turn = state_get_number(state), place;

	correlate->note_turn = (unsigned)(turn % LINK_NOTES_MAX);
	while ((place = state_get_number(state)) != UINT64_MAX && state->length) {
		struct link_note *note = link_note_at(correlate, (unsigned)(place % LINK_NOTES_MAX));
		uint64_t host = state_get_number(state), parent = state_get_number(state);

		if (!note)
			return;
		(void)state_get(state, note, sizeof *note);
		note->host = state_host(correlate, host);
		note->parent_host = state_host(correlate, parent);
		note->parent.way = NULL;
		if (!note->parent_host || open_table_add(&correlate->notes, note->hash, note) != 0)
			note->hash = 0;
	}
}

/* Facts as bytes mean the same while there are as many of them. */
static uint64_t facts_version(void)
{
	return (uint64_t)FACT_COUNT << 32 | JOIN_COUNT;
}

static void put_logins(struct correlate *correlate, size_t *used)
{
	state_put_number(correlate, used, facts_version());
	for (const struct open_login *open = correlate->first_login; open; open = open->next) {
		if (!open->hash)
			continue;
		state_put_number(correlate, used, open->hash);
		state_put_number(correlate, used, open->login.time_us);
		state_put_number(correlate, used, open->login.session_key);
		state_put_text(correlate, used, facts_bytes(&open->login.facts));
	}
	state_put_number(correlate, used, 0);
}

static void get_login(struct correlate *correlate, uint64_t hash, struct text *state)
{
	uint64_t time_us = state_get_number(state), session_key = state_get_number(state);
	struct text text = state_get_text(state);
	struct open_login *open = login_open(correlate, time_us, hash);
	unsigned char *bytes = malloc(text.length + 1);
	struct facts facts;

	if (open)
		open->login.session_key = session_key;
	if (open && bytes && text.length) {
		memcpy(bytes, text.start, text.length);
		if (facts_borrow(&facts, bytes, text.length, NULL))
			facts_copy(correlate, &open->login.facts, &facts);
	}
	free(bytes);
}

static void get_logins(struct correlate *correlate, struct text *state)
{
	uint64_t hash;

	if (state_get_number(state) != facts_version())
		return;
	while ((hash = state_get_number(state)) && state->length)
		get_login(correlate, hash, state);
}

static void put_outgoing(struct correlate *correlate, size_t *used)
{
	const void *outgoing;

	for (unsigned place = 0; (outgoing = outgoing_next(correlate, &place)); place++) {
		state_put_number(correlate, used, place + 1);
		state_put(correlate, used, outgoing, outgoing_size());
	}
	state_put_number(correlate, used, 0);
}

static void get_outgoing(struct correlate *correlate, struct text *state)
{
	uint64_t place;
	void *outgoing;

	while ((place = state_get_number(state)) && (outgoing = outgoing_at(correlate, place - 1)))
		(void)state_get(state, outgoing, outgoing_size());
}

static size_t layouts(void)
{
	return outgoing_size() + sizeof(struct open_session) + sizeof(struct open_message) + sizeof(struct open_recipient) + sizeof(struct link_note) +
	       sizeof(struct record_gap) + sizeof(struct milter_note);
}

struct text correlate_state(struct correlate *correlate)
{
	size_t used = 0;

	state_put_number(correlate, &used, state_layout(layouts()));
	/* Hashes of what is open hold on. */
	state_put_number(correlate, &used, correlate->seed);
	state_put_number(correlate, &used, correlate->has_records);
	state_put_number(correlate, &used, correlate->finds_clients);
	state_put_number(correlate, &used, correlate->has_verdicts);
	state_put_number(correlate, &used, correlate->swept_us);
	put_hosts(correlate, &used);
	put_notes(correlate, &used);
	gap_put(correlate, &used);
	put_logins(correlate, &used);
	state_put_number(correlate, &used, correlate->milter_turn);
	if (correlate->milter_turn)
		state_put(correlate, &used, correlate->milter_notes, sizeof correlate->milter_notes);
	rest_put(correlate, &used);
	put_outgoing(correlate, &used);
	return (struct text){ correlate->state, used };
}

void correlate_restore(struct correlate *correlate, struct text state)
{
	if (state_get_number(&state) != state_layout(layouts()))
		return;
	correlate->seed = state_get_number(&state);
	correlate->has_records = state_get_number(&state);
	correlate->finds_clients = state_get_number(&state);
	correlate->has_verdicts = state_get_number(&state);
	correlate->swept_us = state_get_number(&state);
	/* Nothing is known of what comes back now. */
	correlate->oldest_us = 0;
	correlate->may_go_quiet = true;
	get_hosts(correlate, &state);
	get_notes(correlate, &state);
	gap_get(correlate, &state);
	get_logins(correlate, &state);
	correlate->milter_turn = (unsigned)state_get_number(&state);
	if (correlate->milter_turn)
		(void)state_get(&state, correlate->milter_notes, sizeof correlate->milter_notes);
	for (unsigned i = 0; i < MILTER_NOTES_MAX; i++)
		correlate->milter_notes[i].name[sizeof correlate->milter_notes[i].name - 1] = '\0';
	rest_get(correlate, &state);
	get_outgoing(correlate, &state);
}
