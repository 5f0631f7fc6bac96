/*
 * correlate_recipient.c - which recipient of a message is meant.
 *
 * The client gives one address (given), the MTA may deliver to others (to): an alias, a virtual address, a list. Each
 * pair is a recipient of its own. What the milter saw is known by the given address alone until the log tells the rest.
 */
#include "analysis/address_list.h"
#include "analysis/correlate_internal.h"

#include <stdlib.h>

/* From so many recipients on a message has them in a table too. */
enum { TABLE_FROM = 24 };

static uint64_t address_hash(const struct correlate *correlate, struct text address)
{
	return address.start ? hash_text(correlate->seed, address) : 0;
}

/* In the table a recipient is found by its message too. */
static uint64_t slot_hash(const struct open_message *message, uint64_t hash)
{
	return hash_numbers(hash, (uintptr_t)message, 0);
}

static void put_into_table(struct correlate *correlate, struct open_message *message, struct open_recipient *recipient)
{
	(void)open_table_add(&correlate->recipients, slot_hash(message, recipient->given), recipient);
}

void recipient_leave_table(struct correlate *correlate, struct open_message *message, struct open_recipient *recipient)
{
	if (message->message.recipient_count >= TABLE_FROM)
		open_table_remove(&correlate->recipients, slot_hash(message, recipient->given), recipient);
}

static bool is_pair(const struct open_recipient *recipient, uint64_t to, uint64_t given)
{
	return recipient->given == given && (recipient->to == to || !recipient->to || !to);
}

struct open_recipient *recipient_find(const struct correlate *correlate, const struct open_message *message, uint64_t to,
					     uint64_t given)
{
	struct open_recipient *found;

	if (message->message.recipient_count >= TABLE_FROM) {
		for (size_t at = SIZE_MAX; (found = open_table_next(&correlate->recipients, slot_hash(message, given), &at));)
			if (is_pair(found, to, given))
				return found;
		return NULL;
	}
	for (struct recipient *recipient = message->message.recipients; recipient; recipient = recipient->next)
		if (is_pair((struct open_recipient *)recipient, to, given))
			return (struct open_recipient *)recipient;
	return NULL;
}

/* In the table, once there are many. */
static void enter_table(struct correlate *correlate, struct open_message *message, struct open_recipient *recipient)
{
	if (message->message.recipient_count == TABLE_FROM)
		for (struct recipient *each = message->message.recipients; each; each = each->next)
			put_into_table(correlate, message, (struct open_recipient *)each);
	else if (message->message.recipient_count > TABLE_FROM)
		put_into_table(correlate, message, recipient);
}

static struct open_recipient *new_recipient(struct clue *clue, struct open_message *message, uint64_t to, uint64_t given)
{
	struct open_recipient *recipient = recipient_add(clue, message);

	if (!recipient)
		return NULL;
	recipient->to = to;
	recipient->given = given;
	enter_table(clue->correlate, message, recipient);
	return recipient;
}

/* What an address became is named alone from then on. */
static struct open_recipient *find_expanded(const struct open_message *message, uint64_t to)
{
	for (struct recipient *each = message->message.recipients; each; each = each->next)
		if (((struct open_recipient *)each)->to == to)
			return (struct open_recipient *)each;
	return NULL;
}

/* Whom a content filter blocked before the log told from which address that one came. */
static struct open_recipient *find_blocked(const struct correlate *correlate, const struct open_message *message, uint64_t to)
{
	struct open_recipient *blocked = recipient_find(correlate, message, to, to);
	bool is_early = blocked && blocked->is_blocked && blocked->to == to && !blocked->is_given && !blocked->recipient.attempts;

	return is_early ? blocked : NULL;
}

/* It is the one of that pair, which may be known too. */
static struct open_recipient *tie_blocked(struct clue *clue, struct open_message *message, struct open_recipient *blocked,
					  struct open_recipient *pair, struct text orig_to, enum join_key key)
{
	struct correlate *correlate = clue->correlate;

	if (pair) {
		recipient_block(pair);
		recipient_leave(correlate, message, blocked);
		recipient_moved(correlate, message, blocked->recipient.number, message, pair);
		recipient_free(correlate, blocked);
		return pair;
	}
	recipient_leave_table(correlate, message, blocked);
	blocked->given = address_hash(correlate, orig_to);
	if (message->message.recipient_count >= TABLE_FROM)
		put_into_table(correlate, message, blocked);
	if (fact_begin(clue, &blocked->recipient.facts, key))
		fact_put(clue, &blocked->recipient.facts, FACT_RECIPIENT_ORIG_TO, orig_to);
	return blocked;
}

struct open_recipient *recipient_of(struct clue *clue, struct open_message *message, struct text to, struct text orig_to,
				    enum join_key key)
{
	struct correlate *correlate = clue->correlate;
	uint64_t to_hash = address_hash(correlate, to), given = orig_to.start ? address_hash(correlate, orig_to) : to_hash;
	struct open_recipient *recipient = recipient_find(correlate, message, to_hash, given);

	if (!recipient && message->is_expanded && !orig_to.start)
		recipient = find_expanded(message, to_hash);
	if (message->is_filtered && given != to_hash) {
		struct open_recipient *blocked = find_blocked(correlate, message, to_hash);

		recipient = blocked ? tie_blocked(clue, message, blocked, recipient, orig_to, key) : recipient;
	}
	if (recipient)
		recipient_seen(&recipient->recipient, clue->time_us);
	if (recipient && recipient->to)
		return recipient;
	if (!recipient)
		recipient = new_recipient(clue, message, to_hash, given);
	if (!recipient)
		return NULL;
	recipient->to = to_hash;
	if (fact_begin(clue, &recipient->recipient.facts, key)) {
		fact_put(clue, &recipient->recipient.facts, FACT_RECIPIENT_TO, to);
		fact_put(clue, &recipient->recipient.facts, FACT_RECIPIENT_ORIG_TO, orig_to);
	}
	return recipient;
}

struct open_recipient *recipient_given(struct clue *clue, struct open_message *message, struct text address, enum join_key key)
{
	uint64_t given = address_hash(clue->correlate, address);
	struct open_recipient *recipient = recipient_find(clue->correlate, message, 0, given);

	if (!recipient) {
		recipient = new_recipient(clue, message, 0, given);
		if (recipient && fact_begin(clue, &recipient->recipient.facts, key))
			fact_put(clue, &recipient->recipient.facts, FACT_RECIPIENT_TO, address);
	}
	if (recipient) {
		recipient_seen(&recipient->recipient, clue->time_us);
		recipient->is_given = true;
	}
	return recipient;
}

bool recipient_next(const struct clue *clue, struct recipient_walk *walk, struct text *ret_to)
{
	if (!clue->has_lists) {
		*ret_to = walk->at ? TEXT_NONE : clue_text(clue, NAME_TO);
		walk->at = 1;
		return ret_to->start != NULL;
	}
	while (!walk->more.length && walk->at < clue->event->field_count) {
		const struct event_field *field = &clue->event->fields[walk->at++];

		if (field->name == EVENT_NAME(TO)) {
			*ret_to = field->value;
			return true;
		}
		if (field->name == EVENT_NAME(TO_MORE))
			walk->more = field->value;
	}
	*ret_to = address_list_next(&walk->more);
	return ret_to->start != NULL;
}

uint64_t recipient_hash(const struct correlate *correlate, struct text address)
{
	return address_hash(correlate, address);
}

void recipient_enter(struct correlate *correlate, struct open_message *message, struct open_recipient *recipient)
{
	recipient->recipient.next = NULL;
	recipient->recipient.number = ++message->message.recipient_count;
	recipient->recipient.has_changed = true;
	if (message->last_recipient)
		message->last_recipient->recipient.next = &recipient->recipient;
	else
		message->message.recipients = &recipient->recipient;
	message->last_recipient = recipient;
	enter_table(correlate, message, recipient);
}

void recipient_leave(struct correlate *correlate, struct open_message *message, struct open_recipient *recipient)
{
	struct recipient **link = &message->message.recipients, *before = NULL;

	recipient_leave_table(correlate, message, recipient);
	while (*link != &recipient->recipient) {
		before = *link;
		link = &before->next;
	}
	*link = recipient->recipient.next;
	if (message->last_recipient == recipient)
		message->last_recipient = (struct open_recipient *)before;
}

void recipients_number_behind(struct correlate *correlate, struct open_message *message, uint32_t count)
{
	bool had_table = message->message.recipient_count >= TABLE_FROM;

	message->message.recipient_count += count;
	for (struct recipient *each = message->message.recipients; each; each = each->next) {
		each->number += count;
		each->has_changed = true;
		if (!had_table && message->message.recipient_count >= TABLE_FROM)
			put_into_table(correlate, message, (struct open_recipient *)each);
	}
}

static int compare_numbers(const void *a, const void *b)
{
	const struct recipient *const *left = a, *const *right = b;

	return ((*left)->number > (*right)->number) - ((*left)->number < (*right)->number);
}

void recipients_sort(struct open_message *message)
{
	struct recipient **all, **link = &message->message.recipients;
	size_t count = 0;

	for (const struct recipient *each = message->message.recipients; each; each = each->next)
		count++;
	all = reallocarray(NULL, count + 1, sizeof *all);
	if (!all)
		return;
	count = 0;
	for (struct recipient *each = message->message.recipients; each; each = each->next)
		all[count++] = each;
	qsort(all, count, sizeof *all, compare_numbers);
	for (size_t i = 0; i < count; i++) {
		*link = all[i];
		link = &all[i]->next;
		message->last_recipient = (struct open_recipient *)all[i];
	}
	*link = NULL;
	free(all);
}

void recipient_block(struct open_recipient *recipient)
{
	recipient->is_blocked = true;
	recipient->recipient.has_changed = true;
	if (recipient->recipient.fate == FATE_DELIVERED && !recipient->recipient.is_hop)
		recipient->recipient.fate = FATE_FILTERED;
}

bool fate_is_final(enum fate fate)
{
	return fate != FATE_UNKNOWN && fate != FATE_DEFERRED && fate != FATE_HELD;
}

void recipients_give_up(struct clue *clue, struct open_message *message, enum fate fate, struct text by)
{
	for (struct recipient *recipient = message->message.recipients; recipient; recipient = recipient->next) {
		if (fate_is_final((enum fate)recipient->fate))
			continue;
		recipient->fate = (uint8_t)fate;
		recipient->has_changed = true;
		recipient->last_us = ((struct open_recipient *)recipient)->told_us = clue->time_us;
		if (fact_begin(clue, &recipient->facts, JOIN_QUEUE_ID))
			fact_put(clue, &recipient->facts, FACT_RECIPIENT_BY, by);
	}
}
