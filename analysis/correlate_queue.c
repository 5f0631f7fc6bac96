/*
 * correlate_queue.c - what is in the queue now, reconciled with what is under way.
 *
 * The log is the better witness: a message that it has seen removed stays so, and what it told of a recipient counts
 * more than the words of the queue. What the log never told of is under way from its arrival on. What the log has
 * under way, and the queue has not, has left it unseen.
 */
#include <stdio.h>

#include "analysis/correlate_internal.h"
#include "analysis/input_queue.h"

/* A message that moved so recently may have done so since the queue was looked at. */
enum { QUEUE_SLACK_US = 60 * 1000000 };

static struct clue clue_of(struct correlate *correlate, struct text host, struct text syslog_name, uint64_t time_us,
			   struct evidence evidence)
{
	struct clue clue = { .correlate = correlate, .time_us = time_us, .evidence = evidence, .at = no_places };
	char manager[ORIGIN_PROCESS_MAX];

	if (!syslog_name.length)
		syslog_name = TEXT_LITERAL("postfix");
	(void)snprintf(manager, sizeof manager, "%.*s/qmgr", (int)(syslog_name.length < 80 ? syslog_name.length : 80), syslog_name.start);
	clue.origin = origin_find(correlate->origin_cache, host, text_of(manager));
	clue.host = clue.origin->host;
	return clue;
}

/* NULL: there is none any more, or no memory. */
static struct open_message *find_queued(struct clue *clue, const struct queue_entry *entry)
{
	struct queue_name name = queue_name_of(entry->queue_id);
	struct open_message *message = message_named(clue, &name);

	if (message)
		return message->is_removed ? NULL : message;
	/* An old list: it may have ended since. */
	if (clue->host->now_us > entry->seen_us + clue->correlate->options.lateness_us)
		return NULL;
	message = message_begin(clue, entry->queue_id);
	if (message)
		message->has_begin = false;
	return message;
}

static void keep_message(struct clue *clue, struct open_message *message, const struct queue_entry *entry)
{
	struct facts *facts = &message->message.facts;

	message->is_queued = true;
	if (!message->size)
		message->size = entry->size;
	if (!fact_begin(clue, facts, JOIN_QUEUE_ID))
		return;
	if (!facts_text(facts, FACT_MESSAGE_FROM).start)
		fact_put(clue, facts, FACT_MESSAGE_FROM, entry->sender);
	if (!facts_find(facts, FACT_MESSAGE_SIZE, &(struct fact_value){ .number = 0 }))
		fact_put_number(clue, facts, FACT_MESSAGE_SIZE, entry->size);
	fact_put(clue, facts, FACT_MESSAGE_QUEUE, entry->queue_name);
	fact_put_number(clue, facts, FACT_MESSAGE_QUEUE_SEEN, entry->seen_us);
}

/* By where it is delivered to: an alias has another address that was given. */
static struct open_recipient *find_recipient(struct clue *clue, struct open_message *message, struct text address)
{
	uint64_t to = recipient_hash(clue->correlate, address);

	for (struct recipient *each = message->message.recipients; each; each = each->next)
		if (((struct open_recipient *)each)->to == to)
			return (struct open_recipient *)each;
	return recipient_of(clue, message, address, TEXT_NONE, JOIN_QUEUE_ID);
}

static void keep_reason(struct clue *clue, struct recipient *recipient, struct text words)
{
	struct facts *facts = &recipient->facts;
	struct reply reply = reply_read(reply_said(words));

	if (!words.length || facts_text(facts, FACT_RECIPIENT_REPLY).start || !fact_begin(clue, facts, JOIN_QUEUE_ID))
		return;
	fact_put(clue, facts, FACT_RECIPIENT_REPLY_CODE, reply.code_text);
	fact_put(clue, facts, FACT_RECIPIENT_DSN, reply.status_text);
	fact_put(clue, facts, FACT_RECIPIENT_REPLY, words);
	if (clue->correlate->options.keeps_reasons)
		fact_put(clue, facts, FACT_RECIPIENT_REASON, text_of(reason_of(&reply)));
}

static void keep_recipient(struct clue *clue, struct open_message *message, const struct queue_entry *entry,
			   const struct queue_recipient *queued)
{
	struct open_recipient *open = find_recipient(clue, message, queued->address);
	struct recipient *recipient = open ? &open->recipient : NULL;

	if (!recipient || fate_is_final((enum fate)recipient->fate))
		return;
	if (text_is(entry->queue_name, "hold"))
		recipient->fate = FATE_HELD;
	else if (text_is(entry->queue_name, "deferred") || queued->delay_reason.length)
		recipient->fate = FATE_DEFERRED;
	recipient->has_changed = true;
	keep_reason(clue, recipient, queued->delay_reason);
}

void correlate_queue_entry(struct correlate *correlate, const struct queue_entry *entry, uint16_t source)
{
	struct clue clue = clue_of(correlate, entry->host, entry->syslog_name, entry->arrival_us,
				   (struct evidence){ .source = source, .major = entry->line });
	struct open_message *message = find_queued(&clue, entry);

	if (!message)
		return;
	clue.time_us = entry->seen_us;
	message_touch(&clue, message);
	keep_message(&clue, message, entry);
	if (text_is(entry->queue_name, "hold"))
		message->is_held = true;
	for (size_t i = 0; i < entry->recipient_count; i++)
		keep_recipient(&clue, message, entry, &entry->recipients[i]);
	correlate_keep_limits(correlate, clue.host);
}

/* ---- what is not there ---- */

static bool has_left(const struct clue *clue, struct open_item *item)
{
	const struct open_message *message;
	struct fact_value seen;

	if (item->kind != OPEN_MESSAGE || item->host != clue->host || item->touched_us + QUEUE_SLACK_US >= clue->time_us)
		return false;
	message = open_message_of(item);
	if (!message->is_queued || message->is_removed || !message->name_hash || message->instance != clue->origin->instance)
		return false;
	return !facts_find(&message->message.facts, FACT_MESSAGE_QUEUE_SEEN, &seen) || seen.number != clue->time_us;
}

void correlate_queue_end(struct correlate *correlate, struct text host, struct text syslog_name, uint64_t seen_us,
			 uint16_t source)
{
	struct clue clue = clue_of(correlate, host, syslog_name, seen_us, (struct evidence){ .source = source });
	struct open_item *next;

	for (struct open_item *item = correlate->open.first; item; item = next) {
		struct open_message *message;

		next = item->next;
		if (!has_left(&clue, item))
			continue;
		message = open_message_of(item);
		message->is_queued = false;
		item->is_changed = true;
		message_miss(correlate, message, "end");
		message_end(&clue, message);
	}
}
