/*
 * correlate_open.c - what comes into memory, stays and leaves.
 *
 * Each session and message is in one list: that of all that is under way, or, once its end was seen, that of its host's
 * endings, where it waits for late lines. Memory is bounded by evicting from the old end of the first.
 */
#include "analysis/correlate_internal.h"

enum { BEHIND_MAX = 1000, WAITS_MAX = 6 };

static const uint64_t QUIET_US = UINT64_C(3600) * 1000000;
/* Postscreen takes 20 commands of a client (postscreen_command_count_limit), of 300 s each (postscreen_command_time_limit). */
static const uint64_t SCREEN_QUIET_US = UINT64_C(7200) * 1000000;

#define SESSION_OF(item) ((struct open_session *)((char *)(item) - offsetof(struct open_session, item)))
#define MESSAGE_OF(item) ((struct open_message *)((char *)(item) - offsetof(struct open_message, item)))

/* ---- lists ---- */

static void link_last(struct open_list *list, struct open_item *item)
{
	item->before = list->last;
	item->next = NULL;
	if (list->last)
		list->last->next = item;
	else
		list->first = item;
	list->last = item;
}

static void unlink_from(struct open_list *list, struct open_item *item)
{
	if (item->before)
		item->before->next = item->next;
	else
		list->first = item->next;
	if (item->next)
		item->next->before = item->before;
	else
		list->last = item->before;
}

static struct open_list *list_of(struct correlate *correlate, const struct open_item *item)
{
	return item->is_ending ? &item->host->ending : &correlate->open;
}

static void unlink_item(struct correlate *correlate, struct open_item *item)
{
	unlink_from(list_of(correlate, item), item);
}

static void know_age(struct correlate *correlate, const struct open_item *item)
{
	if (item->touched_us < correlate->oldest_us)
		correlate->oldest_us = item->touched_us;
}

static inline __attribute__((always_inline)) void move_to(struct correlate *correlate, struct open_item *item, bool is_ending)
{
	unlink_item(correlate, item);
	item->is_ending = is_ending;
	if (!is_ending)
		know_age(correlate, item);
	link_last(list_of(correlate, item), item);
}

/* ---- what comes ---- */

/* Numbers lie near each other, as what comes at one time does, and with gaps that keep the way short. */
static uint64_t key_hash(const struct correlate *correlate, transaction_key key)
{
	return correlate->shows_keys ? hash_numbers(0, key, 0) : 3 * key;
}

/* Called, not written out: gcc's "rep stos" takes longer to begin than all of it. */
static void *(*volatile const clear)(void *memory, int byte, size_t size) = memset;

static void *take(struct correlate *correlate, size_t size)
{
	size_t whole = size;
	void *memory = pool_take(correlate->pool, &whole);

	return memory ? clear(memory, 0, whole) : NULL;
}

static void open_item(struct clue *clue, struct open_item *item, enum open_kind kind)
{
	item->kind = (uint8_t)kind;
	item->host = clue->host;
	item->touched_us = clue->time_us;
	item->is_changed = true;
	know_age(clue->correlate, item);
	link_last(&clue->correlate->open, item);
}

void open_touch(struct clue *clue, struct open_item *item)
{
	if (clue->time_us > item->touched_us)
		item->touched_us = clue->time_us;
	item->was_touched = true;
	item->is_changed = true;
}

/* What falls together with another of the same second gets the next number. */
static transaction_key new_key(struct correlate *correlate, uint64_t time_us, const struct text *identity, unsigned count)
{
	transaction_key key;

	/* Nobody sees it: any other than the rest will do. */
	if (!correlate->shows_keys)
		return ++correlate->last_key;
	key = transaction_key_of(time_us, identity, count);
	while (open_table_find(&correlate->keys, key_hash(correlate, key)))
		key++;
	return key;
}

/* Who looks for it: whoever knows no more of a message than its key. Of a session nobody does, nor of a message where nobody
 * is shown one. */
static bool is_key_kept(const struct correlate *correlate, const struct open_item *item)
{
	return correlate->shows_keys || (correlate->keeps_facts && item->kind == OPEN_MESSAGE);
}

static void keep_key(struct correlate *correlate, transaction_key key, struct open_item *item)
{
	if (is_key_kept(correlate, item))
		(void)open_table_add(&correlate->keys, key_hash(correlate, key), item);
}

static void forget_key(struct correlate *correlate, transaction_key key, const struct open_item *item)
{
	if (is_key_kept(correlate, item))
		open_table_remove(&correlate->keys, key_hash(correlate, key), item);
}

struct open_session *session_open(struct clue *clue, const struct text *identity, unsigned count)
{
	struct correlate *correlate = clue->correlate;
	struct open_session *session = take(correlate, sizeof *session);

	if (!session)
		return NULL;
	session->session.key = new_key(correlate, clue->time_us, identity, count);
	session->session.start_us = clue->time_us;
	session->known_us = clue->host->now_us;
	open_item(clue, &session->item, OPEN_SESSION);
	keep_key(correlate, session->session.key, &session->item);
	correlate->open_sessions++;
	return session;
}

struct open_message *message_open(struct clue *clue, const struct text *identity, unsigned count)
{
	struct correlate *correlate = clue->correlate;
	struct open_message *message = take(correlate, sizeof *message);

	if (!message)
		return NULL;
	message->message.key = new_key(correlate, clue->time_us, identity, count);
	message->message.start_us = message->message.last_us = clue->time_us;
	message->known_us = clue->host->now_us;
	open_item(clue, &message->item, OPEN_MESSAGE);
	keep_key(correlate, message->message.key, &message->item);
	correlate->open_messages++;
	return message;
}

struct open_recipient *recipient_add(struct clue *clue, struct open_message *message)
{
	struct open_recipient *recipient = take(clue->correlate, sizeof *recipient);

	if (!recipient)
		return NULL;
	recipient->recipient.number = ++message->message.recipient_count;
	recipient->recipient.first_us = recipient->recipient.last_us = clue->time_us;
	recipient->recipient.has_changed = message->item.is_changed = true;
	if (message->last_recipient)
		message->last_recipient->recipient.next = &recipient->recipient;
	else
		message->message.recipients = &recipient->recipient;
	message->last_recipient = recipient;
	return recipient;
}

void recipient_free(struct correlate *correlate, struct open_recipient *recipient)
{
	while (recipient->recipient.tries) {
		struct attempt *attempt = recipient->recipient.tries;

		recipient->recipient.tries = attempt->next;
		facts_done(&attempt->facts, correlate->pool);
		pool_give(correlate->pool, attempt, sizeof *attempt);
	}
	facts_done(&recipient->recipient.facts, correlate->pool);
	pool_give(correlate->pool, recipient, sizeof *recipient);
}

struct attempt *attempt_add(struct clue *clue, struct open_recipient *recipient)
{
	struct attempt *attempt = take(clue->correlate, sizeof *attempt), **link = &recipient->recipient.tries;

	if (!attempt)
		return NULL;
	attempt->time_us = clue->time_us;
	while (*link)
		link = &(*link)->next;
	*link = attempt;
	return attempt;
}

struct check *check_add(struct clue *clue, struct open_message *message)
{
	struct check *check = take(clue->correlate, sizeof *check);

	if (!check)
		return NULL;
	check->time_us = clue->time_us;
	if (message->last_check)
		message->last_check->next = check;
	else
		message->message.checks = check;
	message->last_check = check;
	return check;
}

void tries_move(struct open_recipient *into, struct open_recipient *from)
{
	struct attempt **link = &into->recipient.tries;

	while (*link)
		link = &(*link)->next;
	*link = from->recipient.tries;
	from->recipient.tries = NULL;
}

void check_move(struct open_message *into, struct open_message *from)
{
	if (into->last_check)
		into->last_check->next = from->message.checks;
	else
		into->message.checks = from->message.checks;
	if (from->last_check)
		into->last_check = from->last_check;
	from->message.checks = NULL;
	from->last_check = NULL;
}

void recipient_moved(struct correlate *correlate, const struct open_message *from, uint32_t number,
		     const struct open_message *into, const struct open_recipient *recipient)
{
	const struct recipient_name was = { from->message.key, number }, is = { into->message.key, recipient->recipient.number };

	if (correlate->sink.moved)
		correlate->sink.moved(correlate->sink.context, &was, &is);
}

void session_take_all(struct open_session *into, struct open_session *from)
{
	struct message *next;

	for (struct message *message = from->session.messages; message; message = next) {
		next = message->next_in_session;
		message->next_in_session = NULL;
		message->session = NULL;
		session_take(into, (struct open_message *)message);
	}
	from->session.messages = NULL;
	from->last_message = NULL;
}

void session_take(struct open_session *session, struct open_message *message)
{
	if (message->message.session)
		return;
	message->message.session = &session->session;
	if (message->message.session_key != session->session.key)
		message->item.is_changed = true;
	message->message.session_key = session->session.key;
	message->turn = ++session->turns;
	session->item.is_changed = true;
	if (session->last_message)
		session->last_message->message.next_in_session = &message->message;
	else
		session->session.messages = &message->message;
	session->last_message = message;
}

void session_take_back(struct open_session *session, struct open_message *message)
{
	struct message **link = &session->session.messages;

	while (*link && ((struct open_message *)*link)->turn < message->turn)
		link = &(*link)->next_in_session;
	message->message.session = &session->session;
	message->message.next_in_session = *link;
	*link = &message->message;
	if (!message->message.next_in_session)
		session->last_message = message;
}

/* ---- what leaves ---- */

static void free_recipients(struct correlate *correlate, struct open_message *message)
{
	while (message->message.recipients) {
		struct open_recipient *recipient = (struct open_recipient *)message->message.recipients;

		message->message.recipients = recipient->recipient.next;
		recipient_leave_table(correlate, message, recipient);
		recipient_free(correlate, recipient);
	}
}

static void free_checks(struct correlate *correlate, struct message *message)
{
	while (message->checks) {
		struct check *check = message->checks;

		message->checks = check->next;
		facts_done(&check->facts, correlate->pool);
		pool_give(correlate->pool, check, sizeof *check);
	}
}

void session_lose(struct open_message *message)
{
	struct open_session *session = (struct open_session *)message->message.session;
	struct message **link = &session->session.messages, *before = NULL;

	while (*link != &message->message) {
		before = *link;
		link = &before->next_in_session;
	}
	*link = message->message.next_in_session;
	if (session->last_message == message)
		session->last_message = (struct open_message *)before;
	if (session->refused == message)
		session->refused = NULL;
	message->message.session = NULL;
	message->message.next_in_session = NULL;
}

static void forget_message(struct correlate *correlate, struct open_message *message)
{
	forget_key(correlate, message->message.key, &message->item);
	if (message->name_hash)
		open_table_remove(&correlate->messages, message->name_hash, message);
	if (message->waits_hash)
		open_table_remove(&correlate->waiting, message->waits_hash, message);
	if (message->is_in_ids)
		open_table_remove(&correlate->ids, message->id_hash, message);
	link_leave(correlate, message);
	if (message->message.session)
		session_lose(message);
	unlink_item(correlate, &message->item);
	free_recipients(correlate, message);
	free_checks(correlate, &message->message);
	way_give(correlate, message->way_before);
	way_give(correlate, message->own_way);
	facts_done(&message->message.facts, correlate->pool);
	pool_give(correlate->pool, message, sizeof *message);
	correlate->open_messages--;
}

static void forget_session(struct correlate *correlate, struct open_session *session)
{
	forget_key(correlate, session->session.key, &session->item);
	session_leave_process(correlate, session);
	if (session->milter_hash)
		open_table_remove(&correlate->milter, session->milter_hash, session);
	session_forget_client(correlate, session);
	unlink_item(correlate, &session->item);
	facts_done(&session->session.facts, correlate->pool);
	pool_give(correlate->pool, session, sizeof *session);
	correlate->open_sessions--;
}

void message_vanish(struct correlate *correlate, struct open_message *message, const struct open_message *into)
{
	rest_end(correlate, &message->item);
	if (message->item.was_shown && correlate->sink.gone)
		correlate->sink.gone(correlate->sink.context, LEVEL_MESSAGE, message->message.key, into->message.key);
	forget_message(correlate, message);
}

void session_vanish(struct correlate *correlate, struct open_session *session, const struct open_session *into)
{
	rest_end(correlate, &session->item);
	if (session->item.was_shown && correlate->sink.gone)
		correlate->sink.gone(correlate->sink.context, LEVEL_SESSION, session->session.key, into->session.key);
	forget_session(correlate, session);
}

/* It rests as it was shown, and nothing was told of it since somebody looked at it, nor of its session. */
static bool is_at_rest(struct open_item *item)
{
	const struct session *session = item->kind == OPEN_MESSAGE ? MESSAGE_OF(item)->message.session : NULL;

	return item->rests && !item->is_changed && (!session || is_at_rest(&((struct open_session *)session)->item));
}

static void show_session(struct correlate *correlate, struct open_session *session)
{
	if (is_at_rest(&session->item)) {
		forget_session(correlate, session);
		return;
	}
	rest_end(correlate, &session->item);
	if (correlate->sink.rest)
		rest_session(correlate, session);
	if (correlate->keeps_facts)
		session_settle(correlate, session);
	if (correlate->sink.session)
		correlate->sink.session(correlate->sink.context, &session->session);
	forget_session(correlate, session);
}

static void show_message_alone(struct correlate *correlate, struct open_message *message)
{
	if (is_at_rest(&message->item)) {
		if (message->message.session)
			rest_note_resting((struct open_session *)message->message.session, message);
		forget_message(correlate, message);
		return;
	}
	rest_end(correlate, &message->item);
	if (correlate->sink.rest)
		rest_message(correlate, message);
	/* What nobody is shown need not be settled, but for what follows for others. */
	if (correlate->keeps_facts)
		message_settle(correlate, message);
	else
		link_settle_behind(correlate, message);
	way_tell(message);
	if (correlate->sink.message)
		correlate->sink.message(correlate->sink.context, &message->message);
	correlate->stamp_count = 0;
	forget_message(correlate, message);
}

static void show_message(struct correlate *correlate, struct open_message *message)
{
	struct open_session *session = (struct open_session *)message->message.session;

	show_message_alone(correlate, message);
	/* A session that has ended waits for its messages alone. */
	if (session && session->has_ended && !session->item.is_ending && !session->session.messages)
		show_session(correlate, session);
}

/* Checks of the milter are made beside the mail, and their results may take their time. */
static bool waits_for_verdict(const struct correlate *correlate, const struct open_message *message)
{
	return correlate->has_verdicts && message->has_eom && !message->has_verdict;
}

static bool waits(const struct correlate *correlate, struct open_item *item)
{
	if (is_at_rest(item) || item->waits++ >= WAITS_MAX)
		return false;
	if (item->kind == OPEN_MESSAGE)
		return waits_for_verdict(correlate, MESSAGE_OF(item));
	for (struct message *message = SESSION_OF(item)->session.messages; message; message = message->next_in_session)
		if (waits_for_verdict(correlate, (struct open_message *)message))
			return true;
	return false;
}

/* What is known of it by one side alone may become one with the other side: it is due again then. */
static bool joins(struct correlate *correlate, struct open_item *item)
{
	struct open_session *session;

	if (!correlate->has_records && !correlate->keeps_facts)
		return false;
	if (item->kind == OPEN_SESSION)
		return join_at_end(correlate, SESSION_OF(item));
	session = (struct open_session *)MESSAGE_OF(item)->message.session;
	return session && (join_at_end(correlate, session) || join_rest(correlate, MESSAGE_OF(item)));
}

static inline void release(struct correlate *correlate, struct open_item *item)
{
	if (waits(correlate, item)) {
		item->due_us = item->host->now_us + correlate->options.lateness_us;
		item->is_changed = true;
		move_to(correlate, item, true);
	} else if (joins(correlate, item)) {
		return;
	} else if (item->kind == OPEN_MESSAGE) {
		show_message(correlate, MESSAGE_OF(item));
	} else if (SESSION_OF(item)->session.messages) {
		item->is_changed |= !item->rests;
		move_to(correlate, item, false);
	} else {
		show_session(correlate, SESSION_OF(item));
	}
}

void open_release_one(struct correlate *correlate, struct open_item *item)
{
	release(correlate, item);
}

/* It is on that host: its lines are found there. */
void item_set_host(struct correlate *correlate, struct open_item *item, struct host *host)
{
	unlink_item(correlate, item);
	item->host = host;
	item->is_changed = true;
	link_last(list_of(correlate, item), item);
}

void item_follow(struct correlate *correlate, struct open_item *item, const struct open_item *other)
{
	if (item->host != other->host)
		item_set_host(correlate, item, other->host);
	if (other->is_ending && !item->is_ending) {
		item->due_us = other->due_us;
		item->is_changed = true;
		move_to(correlate, item, true);
	}
}

void item_wake(struct correlate *correlate, struct open_item *item)
{
	item->due_us = item->host->now_us + correlate->options.lateness_us;
	item->waits = 0;
	item->was_shown = item->is_woken = item->rests = true;
	move_to(correlate, item, true);
}

static void swap_items(struct open_item *a, struct open_item *b)
{
	bool was_shown = a->was_shown, is_woken = a->is_woken, rests = a->rests, is_in_gap = a->is_in_gap;

	a->was_shown = b->was_shown;
	a->is_woken = b->is_woken;
	a->rests = b->rests;
	a->is_in_gap = b->is_in_gap;
	b->was_shown = was_shown;
	b->is_woken = is_woken;
	b->rests = rests;
	b->is_in_gap = is_in_gap;
	a->is_changed = b->is_changed = true;
}

static void swap_keys(struct correlate *correlate, transaction_key *a, struct open_item *a_item, transaction_key *b, struct open_item *b_item)
{
	transaction_key key = *a;

	forget_key(correlate, *a, a_item);
	forget_key(correlate, *b, b_item);
	*a = *b;
	*b = key;
	keep_key(correlate, *a, a_item);
	keep_key(correlate, *b, b_item);
	swap_items(a_item, b_item);
}

void message_swap_keys(struct correlate *correlate, struct open_message *a, struct open_message *b)
{
	swap_keys(correlate, &a->message.key, &a->item, &b->message.key, &b->item);
	/* Under the other key they are not written yet. */
	for (struct recipient *each = a->message.recipients; each; each = each->next)
		each->has_changed = true;
	for (struct recipient *each = b->message.recipients; each; each = each->next)
		each->has_changed = true;
}

static void know_session_key(struct open_session *session)
{
	for (struct message *each = session->session.messages; each; each = each->next_in_session) {
		each->session_key = session->session.key;
		((struct open_message *)each)->item.is_changed = true;
	}
}

void session_swap_keys(struct correlate *correlate, struct open_session *a, struct open_session *b)
{
	swap_keys(correlate, &a->session.key, &a->item, &b->session.key, &b->item);
	know_session_key(a);
	know_session_key(b);
}

static void end_item(struct clue *clue, struct open_item *item)
{
	uint64_t now_us = clue->time_us > item->host->now_us ? clue->time_us : item->host->now_us;

	item->due_us = now_us + clue->correlate->options.lateness_us;
	item->is_changed = true;
	if (!item->is_ending)
		move_to(clue->correlate, item, true);
}

void message_end(struct clue *clue, struct open_message *message)
{
	message->message.is_complete = true;
	end_item(clue, &message->item);
}

void message_resume(struct correlate *correlate, struct open_message *message)
{
	message->message.is_complete = false;
	message->item.is_changed = true;
	if (message->item.is_ending)
		move_to(correlate, &message->item, false);
}

void session_resume(struct correlate *correlate, struct open_session *session)
{
	session_set_ended(session, false);
	session->was_asked = false;
	session->session.end_us = 0;
	session->item.is_changed = true;
	if (session->item.is_ending)
		move_to(correlate, &session->item, false);
}

void session_end(struct clue *clue, struct open_session *session)
{
	/* Told by both sides, it ends when the first says so, whichever comes later. */
	if (!session->has_ended || (session->by_log && session->by_records && clue->time_us < session->session.end_us))
		session->session.end_us = clue->time_us;
	/* Its records ended it before, and it went on with lines that came late. */
	if (session->has_last_record && session->closed_us && session->closed_us < session->session.end_us)
		session->session.end_us = session->closed_us;
	session_set_ended(session, true);
	/* What never came to a queue ends with it. */
	for (struct message *message = session->session.messages; message; message = message->next_in_session)
		if (!((struct open_message *)message)->item.is_ending && message_ends_with_session((struct open_message *)message))
			message_end(clue, (struct open_message *)message);
	end_item(clue, &session->item);
}

void open_go_back(struct correlate *correlate, struct host *host, uint64_t time_us)
{
	if (host->now_us - time_us <= correlate->options.lateness_us || ++host->behind <= BEHIND_MAX)
		return;
	/* Another file, or a clock that was set: it is no late line any more. */
	host->now_us = time_us;
	host->behind = 0;
}

void open_release(struct correlate *correlate, struct host *host)
{
	while (host->ending.first && host->ending.first->due_us <= host->now_us)
		release(correlate, host->ending.first);
}

/* ---- too much, and the end ---- */

/* A log that does not say when a message is removed has told its end with the last recipient's. */
static void end_or_miss(struct correlate *correlate, struct open_message *message, const char *why)
{
	if (is_at_rest(&message->item))
		return;
	if (message_is_done(message))
		message->message.is_complete = true;
	else
		message_miss(correlate, message, why);
}

/* Leaves before its time. */
static void drop(struct correlate *correlate, struct open_item *item, const char *why)
{
	struct open_session *session;

	if (item->kind == OPEN_MESSAGE) {
		end_or_miss(correlate, MESSAGE_OF(item), why);
		show_message(correlate, MESSAGE_OF(item));
		return;
	}
	session = SESSION_OF(item);
	while (session->session.messages) {
		struct open_message *message = (struct open_message *)session->session.messages;

		end_or_miss(correlate, message, why);
		show_message_alone(correlate, message);
	}
	if (!is_at_rest(item) && !session->is_tacit && !(session->is_transcript && session->is_closed))
		session_miss(correlate, session, why);
	show_session(correlate, session);
}

static struct open_item *first_ending(const struct correlate *correlate)
{
	for (unsigned i = 0; i < origin_host_count(correlate->origins); i++) {
		struct host *host = origin_host_at(correlate->origins, i);

		if (host->ending.first)
			return host->ending.first;
	}
	return NULL;
}

void open_limit(struct correlate *correlate)
{
	while (pool_used(correlate->pool) > correlate->options.memory_bytes) {
		struct open_item *item = first_ending(correlate);

		/* What has ended goes first. */
		if (item) {
			release(correlate, item);
			continue;
		}
		item = correlate->open.first;
		if (!item)
			return;
		if (item->was_touched) {
			item->was_touched = false;
			move_to(correlate, item, false);
			continue;
		}
		correlate->counts.evicted++;
		drop(correlate, item, "evicted");
	}
}

/* Its log does not tell when it ends: it has, when nothing was heard of it for as long as Sendmail waits for a command. */
static bool has_gone_quiet(struct open_item *item, uint64_t now_us)
{
	if (now_us < item->touched_us || now_us - item->touched_us < QUIET_US)
		return false;
	if (item->kind == OPEN_MESSAGE)
		return message_is_done(MESSAGE_OF(item));
	return (SESSION_OF(item)->is_tacit || (SESSION_OF(item)->is_transcript && SESSION_OF(item)->is_closed)) && !SESSION_OF(item)->by_records && !SESSION_OF(item)->has_ended;
}

/* It is longer ago than postscreen lets a client stay: the line that told its end is missing. */
static bool has_left_screen(struct open_item *item, uint64_t now_us)
{
	return item->kind == OPEN_SESSION && session_waits_at_screen(SESSION_OF(item)) && now_us > item->touched_us &&
	       now_us - item->touched_us > SCREEN_QUIET_US;
}

static void end_quietly(struct correlate *correlate, struct open_item *item)
{
	if (item->kind == OPEN_MESSAGE) {
		MESSAGE_OF(item)->message.is_complete = true;
	} else {
		session_set_ended(SESSION_OF(item), true);
		SESSION_OF(item)->session.end_us = item->touched_us;
	}
	release(correlate, item);
}

/* Whether there may be one that has gone silent, by the clock that is furthest on. */
static bool may_be_silent(const struct correlate *correlate)
{
	uint64_t now_us = 0;

	for (unsigned i = 0; i < origin_host_count(correlate->origins); i++)
		if (origin_host_at(correlate->origins, i)->now_us > now_us)
			now_us = origin_host_at(correlate->origins, i)->now_us;
	return now_us > correlate->oldest_us && now_us - correlate->oldest_us > correlate->options.silence_us;
}

void open_sweep(struct correlate *correlate)
{
	if (!correlate->may_go_quiet && !may_be_silent(correlate))
		return;
	correlate->oldest_us = UINT64_MAX;
	/* Whatever is looked at goes to the end: one round is as many as there are. */
	for (size_t left = correlate->open_sessions + correlate->open_messages; left && correlate->open.first; left--) {
		struct open_item *item = correlate->open.first;
		uint64_t now_us = item->host->now_us;

		if (now_us > item->touched_us && now_us - item->touched_us > correlate->options.silence_us)
			drop(correlate, item, "silence");
		else if (has_left_screen(item, now_us))
			drop(correlate, item, "end");
		else if (has_gone_quiet(item, now_us))
			end_quietly(correlate, item);
		else
			move_to(correlate, item, false);
	}
}

void open_finish(struct correlate *correlate)
{
	struct open_item *item;

	for (unsigned i = 0; i < origin_host_count(correlate->origins); i++)
		while ((item = origin_host_at(correlate->origins, i)->ending.first))
			release(correlate, item);
	while ((item = correlate->open.first))
		drop(correlate, item, "end");
}

/* ---- for the store ---- */

struct open_session *open_session_of(struct open_item *item)
{
	return SESSION_OF(item);
}

struct open_message *open_message_of(struct open_item *item)
{
	return MESSAGE_OF(item);
}

struct open_session *session_by_key(const struct correlate *correlate, transaction_key key)
{
	struct open_item *item;

	for (size_t at = SIZE_MAX; key && (item = open_table_next(&correlate->keys, key_hash(correlate, key), &at));)
		if (item->kind == OPEN_SESSION && SESSION_OF(item)->session.key == key)
			return SESSION_OF(item);
	return NULL;
}

struct open_message *message_by_key(const struct correlate *correlate, transaction_key key)
{
	struct open_item *item;

	for (size_t at = SIZE_MAX; key && (item = open_table_next(&correlate->keys, key_hash(correlate, key), &at));)
		if (item->kind == OPEN_MESSAGE && MESSAGE_OF(item)->message.key == key)
			return MESSAGE_OF(item);
	return NULL;
}

void facts_copy(struct correlate *correlate, struct facts *into, const struct facts *from)
{
	struct facts_walk walk;
	struct fact_value value;

	facts_walk_start(&walk, from);
	while (facts_walk_next(&walk, &value)) {
		facts_rest_on(into, correlate->pool, &value.evidence);
		if (fact_is_text(value.fact))
			facts_add_text(into, correlate->pool, value.fact, value.text);
		else
			facts_add_number(into, correlate->pool, value.fact, value.number);
	}
	into->is_cut = into->is_cut || from->is_cut;
}

static void restore_item(struct correlate *correlate, struct open_item *item, enum open_kind kind, struct host *host,
			 uint64_t touched_us)
{
	item->kind = (uint8_t)kind;
	item->host = host;
	item->touched_us = touched_us;
	item->was_shown = true;
	link_last(&correlate->open, item);
}

/* Among what ends it has its place by when it is due, and messages before their sessions. */
void item_restore(struct correlate *correlate, struct open_item *item, bool is_ending)
{
	struct open_list *list = &item->host->ending;
	struct open_item *behind = list->last;

	if (!is_ending)
		return;
	unlink_item(correlate, item);
	item->is_ending = true;
	while (behind && (behind->due_us > item->due_us || (behind->due_us == item->due_us && behind->kind < item->kind)))
		behind = behind->before;
	item->before = behind;
	item->next = behind ? behind->next : list->first;
	*(item->before ? &item->before->next : &list->first) = item;
	*(item->next ? &item->next->before : &list->last) = item;
}

struct open_session *session_restore(struct correlate *correlate, const struct session *session, struct host *host)
{
	struct open_session *open = take(correlate, sizeof *open);

	if (!open)
		return NULL;
	open->session.key = session->key;
	open->session.start_us = session->start_us;
	open->session.end_us = session->end_us;
	facts_copy(correlate, &open->session.facts, &session->facts);
	restore_item(correlate, &open->item, OPEN_SESSION, host, session->end_us ? session->end_us : session->start_us);
	keep_key(correlate, session->key, &open->item);
	correlate->open_sessions++;
	return open;
}

struct open_message *message_restore(struct correlate *correlate, const struct message *message, struct host *host)
{
	struct open_message *open = take(correlate, sizeof *open);

	if (!open)
		return NULL;
	open->message = *message;
	open->message.session = NULL;
	open->message.way = NULL;
	open->message.next_in_session = NULL;
	open->message.recipients = NULL;
	open->message.checks = NULL;
	open->message.recipient_count = 0;
	open->message.facts = (struct facts){ .bytes = NULL };
	facts_copy(correlate, &open->message.facts, &message->facts);
	restore_item(correlate, &open->item, OPEN_MESSAGE, host, message->last_us);
	keep_key(correlate, message->key, &open->item);
	link_enter(correlate, open);
	correlate->open_messages++;
	for (const struct check *check = message->checks; check; check = check->next) {
		struct clue clue = { .correlate = correlate, .time_us = check->time_us, .at = no_places };
		struct check *copy = check_add(&clue, open);

		if (copy)
			facts_copy(correlate, &copy->facts, &check->facts);
	}
	return open;
}

struct open_recipient *recipient_restore(struct correlate *correlate, const struct recipient *recipient)
{
	struct open_recipient *open = take(correlate, sizeof *open);

	if (!open)
		return NULL;
	open->recipient = *recipient;
	open->recipient.tries = NULL;
	open->recipient.facts = (struct facts){ .bytes = NULL };
	facts_copy(correlate, &open->recipient.facts, &recipient->facts);
	return open;
}
