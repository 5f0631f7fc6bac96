/*
 * correlate_links.c - what one message has to do with another: the hop through a content filter, the next host of ours,
 * an alias, a notice.
 *
 * Always the MTA says it: "queued as", "forwarded as", orig_queue_id, a notification. What it says of a message whose
 * lines have not come is noted, and found when they do.
 */
#include "analysis/correlate_internal.h"

#include <stdlib.h>

/* Where a reply does not tell whose identifier it is, no more hosts than these are asked. */
enum { ASKED_HOSTS_MAX = 16 };

/* What has the same Message-ID is another mail, where it lies further apart. */
static const uint64_t HINT_SPAN_US = UINT64_C(86400) * 1000000;

static const enum join_key link_keys[] = {
	[PARENT_NONE] = JOIN_QUEUE_ID, [PARENT_HOP] = JOIN_QUEUED_AS, [PARENT_NEXT_HOST] = JOIN_QUEUED_AS,
	[PARENT_FORWARD] = JOIN_FORWARDED, [PARENT_NOTICE] = JOIN_NOTICE, [PARENT_HINT] = JOIN_MESSAGE_ID,
};

/* ---- the link itself ---- */

/* It began no earlier: while its first line is missing it may still come. */
static uint64_t begin_of(const struct correlate *correlate, const struct open_message *message)
{
	uint64_t lateness_us = message->has_begin ? 0 : correlate->options.lateness_us;

	return message->message.start_us > lateness_us ? message->message.start_us - lateness_us : 0;
}

static const char *const origin_words[LINK_ORIGINS] = { NULL, "inbound", "authenticated", "local" };

static enum link_origin origin_of(const struct message *message)
{
	struct text said = facts_text(&message->facts, FACT_MESSAGE_ORIGIN);

	for (int origin = LINK_ORIGIN_INBOUND; origin < LINK_ORIGINS; origin++)
		if (text_is(said, origin_words[origin]))
			return (enum link_origin)origin;
	if (!message->session || message->parent_kind != PARENT_NONE)
		return LINK_ORIGIN_UNKNOWN;
	return facts_text(&message->session->facts, FACT_SESSION_AUTH_AUTHEN).start ? LINK_ORIGIN_AUTHENTICATED : LINK_ORIGIN_INBOUND;
}

/* What is known of a parent, whether it is still in memory or not. */
static struct link_parent parent_of(const struct correlate *correlate, const struct open_message *message)
{
	struct link_parent parent = {
		.key = message->message.key, .start_us = begin_of(correlate, message), .id_hash = message->id_hash,
		.is_proxied = message->is_proxied,
	};
	struct text id = TEXT_NONE;

	if (fact_is_kept(correlate, FACT_MESSAGE_ORIGIN))
		parent.origin = (uint8_t)origin_of(&message->message);
	if (fact_is_kept(correlate, FACT_MESSAGE_PARENT_QUEUE_ID))
		id = facts_text(&message->message.facts, FACT_MESSAGE_QUEUE_ID);

	/* The log told of it only when the proxy had it whole. */
	if (message->is_proxied && message->message.session)
		parent.start_us = message->message.session->start_us;
	if (id.length && id.length <= sizeof parent.queue_id) {
		memcpy(parent.queue_id, id.start, id.length);
		parent.queue_id_length = (uint8_t)id.length;
	}
	return parent;
}

/* The same mail came from where its parent did, whoever gave it back. */
static void inherit_origin(struct clue *clue, struct open_message *child, const struct link_parent *parent, enum parent_kind kind)
{
	struct facts *facts = &child->message.facts;

	if (parent->origin < LINK_ORIGINS && origin_words[parent->origin] && !child->by_records && fact_begin(clue, facts, link_keys[kind]))
		fact_put(clue, facts, FACT_MESSAGE_ORIGIN, text_of(origin_words[parent->origin]));
}

/* It is counted among what came, and has come before. In front of a proxy nothing was counted. */
bool message_is_hop(const struct open_message *message)
{
	return !message->is_behind_proxy &&
	       (message->message.parent_kind == PARENT_HOP || message->message.parent_kind == PARENT_NEXT_HOST);
}

static uint64_t child_hash(transaction_key parent)
{
	return hash_numbers(1, parent, 0);
}

void link_enter_front(struct correlate *correlate, struct open_message *behind)
{
	if (behind->front_hash && open_table_add(&correlate->children, behind->front_hash, behind) != 0)
		behind->front_hash = 0;
}

static void leave_front(struct correlate *correlate, struct open_message *behind)
{
	if (behind->front_hash)
		open_table_remove(&correlate->children, behind->front_hash, behind);
	behind->front_hash = 0;
}

void link_enter(struct correlate *correlate, struct open_message *child)
{
	if (child->message.parent_key)
		leave_front(correlate, child);
	if (child->message.parent_key)
		(void)open_table_add(&correlate->children, child_hash(child->message.parent_key), child);
}

void link_leave(struct correlate *correlate, struct open_message *child)
{
	leave_front(correlate, child);
	if (child->message.parent_key)
		open_table_remove(&correlate->children, child_hash(child->message.parent_key), child);
}

/* Notes that recipients of the message wait with. */
static void rename_notes(struct correlate *correlate, const struct open_message *from, const struct open_message *into)
{
	struct link_note *note;

	for (const struct recipient *each = from->message.recipients; each; each = each->next) {
		uint64_t hash = ((const struct open_recipient *)each)->next_hash;

		for (size_t at = SIZE_MAX; hash && (note = open_table_next(&correlate->notes, hash, &at));)
			if (note->parent.key == from->message.key)
				note->parent.key = into->message.key;
	}
}

/* Whoever named the one as parent, or as what goes on, names the other. */
void link_take_over(struct correlate *correlate, struct open_message *into, struct open_message *from)
{
	struct open_message *child, *parent = from->message.parent_key ? message_by_key(correlate, from->message.parent_key) : NULL;

	while ((child = open_table_find(&correlate->children, child_hash(from->message.key)))) {
		link_leave(correlate, child);
		child->message.parent_key = into->message.key;
		child->item.is_changed = true;
		link_enter(correlate, child);
	}
	for (struct recipient *each = parent ? parent->message.recipients : NULL; each; each = each->next)
		if (each->next_key == from->message.key) {
			each->next_key = into->message.key;
			each->has_changed = parent->item.is_changed = true;
		}
	rename_notes(correlate, from, into);
	way_take_over(into, from);
	if (from->front_hash && !into->front_hash && !into->message.parent_key) {
		into->front_hash = from->front_hash;
		link_enter_front(correlate, into);
	}
	if (from->message.parent_key && !into->message.parent_key) {
		into->message.parent_key = from->message.parent_key;
		into->message.parent_kind = from->message.parent_kind;
		into->is_behind_proxy = from->is_behind_proxy;
		link_enter(correlate, into);
	}
}

/* Whom it is from was checked where it came in: behind a content filter it is the same mail. */
static void inherit_checks(struct clue *clue, struct open_message *child, const struct open_message *parent)
{
	static const enum fact facts[] = { FACT_MESSAGE_FROM_DOMAIN, FACT_MESSAGE_SPF, FACT_MESSAGE_DKIM, FACT_MESSAGE_DMARC,
					   FACT_MESSAGE_DISPOSITION, FACT_MESSAGE_WHY };
	struct pool *pool = clue->correlate->pool;
	struct fact_value value, known;

	if (!clue->correlate->keeps_facts || !parent || child->by_records)
		return;
	for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
		if (!fact_is_kept(clue->correlate, facts[i]) || facts_find(&child->message.facts, facts[i], &known) ||
		    !facts_find(&parent->message.facts, facts[i], &value))
			continue;
		facts_rest_on(&child->message.facts, pool, &value.evidence);
		facts_set_text(&child->message.facts, pool, facts[i], value.text);
	}
}

/* parent has it where its message may have left. */
static void inherit_way(struct correlate *correlate, struct open_message *child, const struct link_parent *parent)
{
	struct open_message *message = parent->way ? NULL : message_by_key(correlate, parent->key);
	struct open_way *way = message ? way_take(correlate, message) : NULL;

	way_set(child, way ? way : parent->way);
	way_give(correlate, way);
}

/* False: it has another parent. */
static bool set_parent(struct clue *clue, struct open_message *child, const struct link_parent *parent, enum parent_kind kind)
{
	if (child->message.key == parent->key || (child->message.parent_key && child->message.parent_key != parent->key))
		return false;
	if (child->message.parent_key)
		return true;
	child->message.parent_key = parent->key;
	child->message.parent_kind = (uint8_t)kind;
	child->is_behind_proxy = parent->is_proxied;
	/* local(8) gives it to cleanup: nobody logs that it came. */
	child->has_begin |= kind == PARENT_FORWARD;
	child->item.is_changed = true;
	link_enter(clue->correlate, child);
	if (child->is_received && message_is_hop(child))
		clue->correlate->counts.hops++;
	if (parent->queue_id_length && fact_begin(clue, &child->message.facts, link_keys[kind]))
		fact_put(clue, &child->message.facts, FACT_MESSAGE_PARENT_QUEUE_ID,
			 (struct text){ parent->queue_id, parent->queue_id_length });
	if (kind == PARENT_HOP || kind == PARENT_NEXT_HOST) {
		inherit_origin(clue, child, parent, kind);
		if (clue->correlate->options.keeps_ways)
			inherit_way(clue->correlate, child, parent);
	}
	if (kind == PARENT_HOP)
		inherit_checks(clue, child, message_by_key(clue->correlate, parent->key));
	return true;
}

/* What this recipient was given to goes on as the child. */
static void go_on(struct open_recipient *recipient, const struct open_message *child)
{
	recipient->recipient.is_hop = true;
	recipient->recipient.next_key = child->message.key;
	recipient->recipient.has_changed = true;
}

/* Both may lie about as far apart as clocks do. */
static bool fits_in_time(const struct correlate *correlate, const struct link_parent *parent, const struct open_message *child,
			 uint64_t said_us)
{
	uint64_t slack = correlate->options.skew_us + STAMP_STEP_US;

	return child->message.start_us + slack >= parent->start_us && begin_of(correlate, child) <= said_us + slack;
}

/* is_sure: the MTA named the host too. Else both must be the same mail by what it says of itself. */
static bool is_same_mail(const struct link_parent *parent, const struct open_message *child, bool is_sure)
{
	if (parent->id_hash && child->id_hash)
		return parent->id_hash == child->id_hash;
	return is_sure;
}

/* ---- what was said of messages that are not known yet ---- */

static struct link_note *find_note(const struct correlate *correlate, const struct queue_name *name, uint64_t hash)
{
	struct link_note *note;

	for (size_t at = SIZE_MAX; (note = open_table_next(&correlate->notes, hash, &at));)
		if (queue_name_is(&note->name, name))
			return note;
	return NULL;
}

static uint64_t note_hash(const struct correlate *correlate, const struct queue_name *name)
{
	return hash_numbers(correlate->seed + name->length, name->words[0], name->words[1]);
}

void link_expect(const struct correlate *correlate, const struct queue_name *name)
{
	open_table_prefetch(&correlate->notes, note_hash(correlate, name));
}

/* A place among the notes; NULL: no memory. */
struct link_note *link_note_at(struct correlate *correlate, unsigned place)
{
	if (!correlate->note_ring)
		correlate->note_ring = calloc(LINK_NOTES_MAX, sizeof *correlate->note_ring);
	return correlate->note_ring ? &correlate->note_ring[place] : NULL;
}

/* A new note takes the place of the oldest. */
static struct link_note *new_note(struct correlate *correlate, const struct queue_name *name, uint64_t hash)
{
	struct link_note *note = link_note_at(correlate, correlate->note_turn);

	if (!note)
		return NULL;
	correlate->note_turn = (correlate->note_turn + 1) % LINK_NOTES_MAX;
	if (note->hash)
		open_table_remove(&correlate->notes, note->hash, note);
	way_give(correlate, note->parent.way);
	/* The next that will go. */
	if (correlate->note_ring[correlate->note_turn].hash)
		open_table_prefetch(&correlate->notes, correlate->note_ring[correlate->note_turn].hash);
	*note = (struct link_note){ .hash = 0 };
	if (open_table_add(&correlate->notes, hash, note) != 0)
		return NULL;
	note->hash = hash;
	note->name = *name;
	return note;
}

/* host: where the child will be; NULL: not told. */
static void note_link(struct clue *clue, const struct queue_name *name, const struct host *host, struct open_message *message,
		      const struct link_parent *parent, enum parent_kind kind)
{
	struct correlate *correlate = clue->correlate;
	uint64_t hash = note_hash(correlate, name);
	struct link_note *note = find_note(correlate, name, hash);

	if (!note || note->parent.key != parent->key)
		note = new_note(correlate, name, hash);
	if (!note)
		return;
	way_give(correlate, note->parent.way);
	note->parent = *parent;
	if (correlate->options.keeps_ways && (kind == PARENT_HOP || kind == PARENT_NEXT_HOST))
		note->parent.way = way_take(correlate, message);
	note->host = host;
	note->parent_host = clue->host;
	note->kind = kind;
	note->time_us = clue->time_us;
	note->deliveries += !parent->is_proxied;
}

/* The parent's recipients that the note was written for. */
static void go_on_noted(struct correlate *correlate, struct link_note *note, const struct open_message *child)
{
	struct open_message *parent = message_by_key(correlate, note->parent.key);

	correlate->counts.hop_deliveries += note->deliveries;
	note->deliveries = 0;
	if (!parent)
		return;
	parent->item.is_changed = true;
	for (struct recipient *each = parent->message.recipients; each; each = each->next)
		if (((struct open_recipient *)each)->next_hash == note->hash)
			go_on((struct open_recipient *)each, child);
}

/* Its name and Message-ID are known by now: does somebody wait for it? */
void link_find_parent(struct clue *clue, struct open_message *child)
{
	struct correlate *correlate = clue->correlate;
	struct link_note *note;

	if (!correlate->notes.count)
		return;
	note = find_note(correlate, &child->name, note_hash(correlate, &child->name));
	if (!note || (note->host && note->host != child->item.host) ||
	    !fits_in_time(correlate, &note->parent, child, note->time_us) || !is_same_mail(&note->parent, child, note->host))
		return;
	if (note->kind == PARENT_HOP && note->parent_host != child->item.host)
		note->kind = PARENT_NEXT_HOST;
	if (set_parent(clue, child, &note->parent, note->kind))
		go_on_noted(correlate, note, child);
}

/* ---- "queued as" ---- */

/* Handed over on this machine: to a content filter that gives it back. */
static bool is_local_relay(const struct clue *clue)
{
	struct text addr = clue_text(clue, NAME_RELAY_ADDR), name = clue_text(clue, NAME_RELAY_NAME);

	if (addr.length >= 4 && memcmp(addr.start, "127.", 4) == 0)
		return true;
	return text_is(addr, "::1") || text_is(name, "localhost") || (name.length >= 4 && memcmp(name.start, "127.", 4) == 0);
}

static struct open_message *find_child(const struct clue *clue, const struct link_parent *parent, struct host *host,
				       const struct queue_name *name, bool is_sure)
{
	struct correlate *correlate = clue->correlate;
	uint64_t hash = queue_name_hash(correlate, host, name);
	struct open_message *child;

	for (size_t at = SIZE_MAX; (child = open_table_next(&correlate->messages, hash, &at));)
		if (child->message.key != parent->key && child->item.host == host && queue_name_is(&child->name, name) &&
		    fits_in_time(correlate, parent, child, clue->time_us) && is_same_mail(parent, child, is_sure))
			return child;
	return NULL;
}

/* Where the reply does not tell the host, it may be any of ours. */
static struct open_message *find_child_anywhere(const struct clue *clue, const struct link_parent *parent,
						const struct queue_name *name)
{
	unsigned count = origin_host_count(clue->correlate->origins);

	for (unsigned i = 0; i < count && i < ASKED_HOSTS_MAX; i++) {
		struct open_message *child =
			find_child(clue, parent, origin_host_at(clue->correlate->origins, i), name, false);

		if (child)
			return child;
	}
	return NULL;
}

static void link_on(struct clue *clue, struct open_message *message, struct open_recipient *recipient, struct text id,
		    struct host *host, enum parent_kind kind)
{
	struct queue_name name = queue_name_of(id);
	struct link_parent parent = parent_of(clue->correlate, message);
	struct open_message *child = host ? find_child(clue, &parent, host, &name, true) :
					    find_child_anywhere(clue, &parent, &name);

	if (child && child->item.host != clue->host)
		kind = PARENT_NEXT_HOST;
	if (child && set_parent(clue, child, &parent, kind)) {
		go_on(recipient, child);
		clue->correlate->counts.hop_deliveries += !message->is_proxied;
	} else if (!child) {
		recipient->next_hash = note_hash(clue->correlate, &name);
		note_link(clue, &name, host, message, &parent, kind);
	}
}

void link_queued_as(struct clue *clue, struct open_message *message, struct open_recipient *recipient, struct text id)
{
	struct host *host = is_local_relay(clue) ? clue->host :
			    origin_known_host(clue->correlate->origins, clue_text(clue, NAME_RELAY_NAME));

	link_on(clue, message, recipient, id, host, !host || host == clue->host ? PARENT_HOP : PARENT_NEXT_HOST);
}

/* ---- a proxy before the queue ---- */

void link_proxied(struct clue *clue, struct open_message *message, struct open_recipient *recipient, struct text id)
{
	message->is_proxied = true;
	recipient->recipient.fate = FATE_DELIVERED;
	recipient->recipient.has_changed = true;
	recipient_seen(&recipient->recipient, clue->time_us);
	if (fact_begin(clue, &recipient->recipient.facts, session_key(clue)))
		fact_put(clue, &recipient->recipient.facts, FACT_RECIPIENT_REMOTE_QUEUE_ID, id);
	if (id.length)
		link_on(clue, message, recipient, id, clue->host, PARENT_HOP);
}

void link_take_from_behind(struct correlate *correlate, struct open_message *front, const struct open_message *behind)
{
	static const enum fact seen[] = { FACT_MESSAGE_MESSAGE_ID, FACT_MESSAGE_SIZE };
	struct facts *facts = &front->message.facts;
	struct fact_value value;

	for (size_t i = 0; correlate->keeps_facts && i < sizeof seen / sizeof seen[0]; i++) {
		if (!facts_find(&behind->message.facts, seen[i], &value) || facts_find(facts, seen[i], &(struct fact_value){ .number = 0 }))
			continue;
		facts_rest_on(facts, correlate->pool, &value.evidence);
		if (fact_is_text(seen[i]))
			facts_add_text(facts, correlate->pool, seen[i], value.text);
		else
			facts_add_number(facts, correlate->pool, seen[i], value.number);
		front->item.is_changed = true;
	}
}

void link_note_front(struct clue *clue, struct open_message *message)
{
	uint64_t client = client_hash(clue->correlate, clue_text(clue, NAME_ORIG_CLIENT_ADDR));
	uint64_t port = fact_number(clue_text(clue, NAME_ORIG_CLIENT_PORT));

	if (!client || !port || message->message.parent_key || message->front_hash)
		return;
	message->front_hash = hash_numbers(client, port, 0);
	link_enter_front(clue->correlate, message);
}

static bool is_front(const struct correlate *correlate, const struct open_message *message, const struct open_message *behind)
{
	uint64_t slack = correlate->options.skew_us + STAMP_STEP_US;

	return message_all_refused(message) && !message->name_hash && (!message->from || !behind->from || message->from == behind->from) &&
	       message->message.start_us <= behind->message.last_us + slack &&
	       behind->message.start_us <= message->message.last_us + slack;
}

static void link_refused(struct correlate *correlate, struct open_message *behind, const struct open_message *front)
{
	behind->message.parent_key = front->message.key;
	behind->message.parent_kind = PARENT_HOP;
	behind->is_behind_proxy = behind->item.is_changed = true;
	link_enter(correlate, behind);
	/* Those in front are counted. */
	for (struct recipient *each = behind->message.recipients; each; each = each->next)
		each->is_hop = each->has_changed = true;
}

/* The one in front, while it is there; NULL: there is none, or two fit. */
static struct open_message *find_front(const struct correlate *correlate, const struct open_message *behind)
{
	struct open_message *front = NULL;
	struct open_session *session;

	for (size_t at = SIZE_MAX; (session = open_table_next(&correlate->ports, behind->front_hash, &at));)
		for (struct message *each = session->session.messages; each; each = each->next_in_session) {
			if (!is_front(correlate, (struct open_message *)each, behind))
				continue;
			if (front)
				return NULL;
			front = (struct open_message *)each;
		}
	return front;
}

static struct open_message *find_behind(const struct correlate *correlate, const struct open_message *front, uint64_t hash)
{
	struct open_message *behind = NULL, *each;

	for (size_t at = SIZE_MAX; (each = open_table_next(&correlate->children, hash, &at));) {
		if (each->front_hash != hash || each->is_queued || !is_front(correlate, front, each))
			continue;
		if (behind)
			return NULL;
		behind = each;
	}
	return behind;
}

/* Either may leave first. */
void link_settle_behind(struct correlate *correlate, struct open_message *message)
{
	const struct open_session *session = (const struct open_session *)message->message.session;
	struct open_message *front = message->is_behind_proxy ? message_by_key(correlate, message->message.parent_key) : NULL, *behind;

	if (front)
		link_take_from_behind(correlate, front, message);
	if (message->front_hash && !message->is_queued) {
		front = find_front(correlate, message);
		if (front)
			link_refused(correlate, message, front);
	} else if (correlate->children.count && !message->name_hash && session && session->client && session->client_port) {
		behind = find_behind(correlate, message, hash_numbers(session->client, session->client_port, 0));
		if (behind)
			link_refused(correlate, behind, message);
	}
}

/* The log names one recipient only: the others that were not refused went with it. */
void link_settle_proxied(struct correlate *correlate, struct open_message *message)
{
	const struct recipient *named = message->message.recipients;
	const struct open_message *behind;

	while (named && !named->is_hop)
		named = named->next;
	behind = named ? message_by_key(correlate, named->next_key) : NULL;
	if (behind)
		link_take_from_behind(correlate, message, behind);
	for (struct recipient *each = message->message.recipients; each; each = each->next) {
		if (each->fate != FATE_UNKNOWN)
			continue;
		each->fate = FATE_DELIVERED;
		each->has_changed = true;
		each->is_hop = named;
		each->next_key = named ? named->next_key : 0;
	}
}

/* ---- what is always on the same host ---- */

/* An alias sends it on: "forwarded as". */
void link_forwarded_as(struct clue *clue, struct open_message *message, struct open_recipient *recipient, struct text id)
{
	link_on(clue, message, recipient, id, clue->host, PARENT_FORWARD);
}

/* A content filter gives it back, and says which it was. */
void link_original(struct clue *clue, struct open_message *child, struct text id)
{
	struct queue_name name = queue_name_of(id);
	struct open_message *message = message_named(clue, &name);
	struct link_parent parent;

	if (!message)
		return;
	parent = parent_of(clue->correlate, message);
	(void)set_parent(clue, child, &parent, PARENT_HOP);
}

/* What is left of it goes on under another identifier, for another sender: a list's. */
void correlate_forwarded(struct clue *clue)
{
	struct open_message *message = message_of(clue), *clone;
	struct text id = clue_text(clue, NAME_QUEUED_AS);
	struct link_parent parent;

	if (!message || !id.length)
		return;
	parent = parent_of(clue->correlate, message);
	clone = message_begin(clue, id);
	if (!clone || !set_parent(clue, clone, &parent, PARENT_FORWARD))
		return;
	clone->is_queued = clone->is_unmapped = true;
	clue->correlate->may_go_quiet = true;
	clone->expected = 1;
	message_know_id(clue->correlate, clone, message->id_hash);
	clone->size = message->size;
	if (fact_begin(clue, &clone->message.facts, JOIN_FORWARDED))
		fact_put(clue, &clone->message.facts, FACT_MESSAGE_FROM, clue_text(clue, NAME_OWNER));
	for (struct recipient *each = message->message.recipients; each; each = each->next)
		if (each->fate == FATE_UNKNOWN) {
			each->fate = FATE_DELIVERED;
			go_on((struct open_recipient *)each, clone);
		}
	message->is_removed = true;
	message->removed_us = clue->time_us;
	message_end(clue, message);
}

/* ---- the same Message-ID ---- */

static void enter_ids(struct correlate *correlate, const struct open_list *list)
{
	for (struct open_item *item = list->first; item; item = item->next)
		if (item->kind == OPEN_MESSAGE)
			message_enter_ids(correlate, open_message_of(item));
}

void link_know_format(struct correlate *correlate, unsigned format)
{
	correlate->formats |= 1u << format;
	/* With one format there is no other system, and nobody looks for a Message-ID. */
	if (correlate->finds_ids || !(correlate->formats & (correlate->formats - 1)) || !correlate->keeps_facts)
		return;
	correlate->finds_ids = true;
	enter_ids(correlate, &correlate->open);
	for (unsigned i = 0; i < origin_host_count(correlate->origins); i++)
		enter_ids(correlate, &origin_host_at(correlate->origins, i)->ending);
}

static bool is_other_system(const struct open_message *a, const struct open_message *b)
{
	struct text from_a = facts_text(&a->message.facts, FACT_MESSAGE_FROM), from_b = facts_text(&b->message.facts, FACT_MESSAGE_FROM);
	uint64_t apart = a->message.start_us > b->message.start_us ? a->message.start_us - b->message.start_us :
			 b->message.start_us - a->message.start_us;

	/* What records alone tell of is no other system: its log has not come. */
	return a->format && b->format && a->format != b->format && a->id_hash == b->id_hash && apart < HINT_SPAN_US &&
	       (!from_a.start || !from_b.start || text_equal_nocase(from_a, from_b));
}

void link_by_message_id(struct clue *clue, struct open_message *message)
{
	struct correlate *correlate = clue->correlate;
	struct open_message *other, *one = NULL;
	struct link_parent parent;

	if (!message->id_hash || message->message.parent_key || !correlate->finds_ids)
		return;
	for (size_t at = SIZE_MAX; (other = open_table_next(&correlate->ids, message->id_hash, &at));) {
		if (other == message || !is_other_system(message, other))
			continue;
		if (one)
			return;
		one = other;
	}
	if (!one)
		return;
	/* The earlier is where it came from. */
	other = one->message.start_us <= message->message.start_us ? one : message;
	parent = parent_of(correlate, other);
	(void)set_parent(clue, other == one ? message : one, &parent, PARENT_HINT);
}

/* ---- notices ---- */

static bool was_tried(const struct open_message *message)
{
	for (struct recipient *each = message->message.recipients; each; each = each->next)
		if (((struct open_recipient *)each)->to)
			return true;
	return false;
}

/* Sendmail has given it up before any delivery: too many hops. No line tells its recipients, and none its end. */
static void give_up_untried(struct clue *clue, struct open_message *message)
{
	recipients_give_up(clue, message, FATE_BOUNCED, TEXT_LITERAL("mta"));
	message->is_removed = true;
	message->removed_us = clue->time_us;
	message_end(clue, message);
}

/* Both have their lines on this host. */
void correlate_notice(struct clue *clue)
{
	struct open_message *message = message_of(clue), *notice;
	struct text id = clue_text(clue, NAME_BOUNCE_QUEUE_ID);
	struct link_parent parent;

	if (!message || !id.length)
		return;
	if (text_is(clue_text(clue, NAME_NOTIFICATION), "expired"))
		recipients_give_up(clue, message, FATE_EXPIRED, TEXT_NONE);
	else if (text_is(clue_text(clue, NAME_NOTIFICATION), "bounce") && message->is_unmapped && !was_tried(message))
		give_up_untried(clue, message);
	parent = parent_of(clue->correlate, message);
	notice = message_begin(clue, id);
	if (!notice || !set_parent(clue, notice, &parent, PARENT_NOTICE))
		return;
	/* No other line tells that it is in the queue. */
	if (clue_is_tacit(clue)) {
		notice->is_queued = notice->is_unmapped = true;
		clue->correlate->may_go_quiet = true;
		notice->expected = 1;
	}
	if (fact_begin(clue, &notice->message.facts, JOIN_NOTICE)) {
		fact_put(clue, &notice->message.facts, FACT_MESSAGE_NOTIFICATION, clue_text(clue, NAME_NOTIFICATION));
		fact_put(clue, &notice->message.facts, FACT_MESSAGE_ORIGIN, TEXT_LITERAL("local"));
	}
}
