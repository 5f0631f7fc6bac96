/*
 * correlate_delivery.c - what became of each try to deliver, and with it of the recipient.
 *
 * Of two lines about one recipient the one with the later time says how it stands, whichever came first.
 */
#include "analysis/correlate_internal.h"
#include "analysis/reason.h"
#include "analysis/remote_id.h"

#define WORD(text) { text, sizeof text - 1 }
static const struct {
	struct text status;
	enum fate fate;
} statuses[] = {
	{ WORD("deferred"), FATE_DEFERRED }, { WORD("bounced"), FATE_BOUNCED }, { WORD("expired"), FATE_EXPIRED },
	{ WORD("force-expired"), FATE_EXPIRED }, { WORD("quarantined"), FATE_QUARANTINED }, { WORD("discarded"), FATE_DISCARDED },
	{ WORD("filtered"), FATE_FILTERED }, { WORD("held"), FATE_HELD },
	/* Of a message as a whole, while its client was there. */
	{ WORD("rejected"), FATE_REJECTED }, { WORD("aborted"), FATE_ABORTED },
	/* Probes of an address: nothing was delivered. */
	{ WORD("deliverable"), FATE_UNKNOWN }, { WORD("undeliverable"), FATE_UNKNOWN }, { WORD("undeliverable-but-not-cached"), FATE_UNKNOWN },
};
#undef WORD

static const struct fact_row attempt_rows[] = {
	{ NAME_STATUS, FACT_ATTEMPT_STATUS }, { NAME_RELAY_NAME, FACT_ATTEMPT_RELAY_NAME },
	{ NAME_RELAY_ADDR, FACT_ATTEMPT_RELAY_ADDR }, { NAME_RELAY_PORT, FACT_ATTEMPT_RELAY_PORT },
	{ NAME_CONNECTION_USE, FACT_ATTEMPT_CONNECTION_USE }, { NAME_DELAY, FACT_ATTEMPT_DELAY },
	{ NAME_DELAY_BEFORE, FACT_ATTEMPT_DELAY_BEFORE }, { NAME_DELAY_QUEUE, FACT_ATTEMPT_DELAY_QUEUE },
	{ NAME_DELAY_CONNECTION, FACT_ATTEMPT_DELAY_CONNECTION }, { NAME_DELAY_TRANSFER, FACT_ATTEMPT_DELAY_TRANSFER },
	{ NAME_DSN, FACT_ATTEMPT_DSN }, { NAME_REPLY, FACT_ATTEMPT_REPLY },
};

/* What the line says, once more than one needs it. */
struct delivery {
	enum fate fate;
	struct text remote_id;		/* absent: none was told */
	struct text forward_id;		/* of what an alias sends on */
	struct text relay;		/* "mx.example.org[192.0.2.1]:25" */
	struct reply reply;		/* of a failure: the next hop's own words, where they are told */
	const char *reason;
};

/* ---- what a line says ---- */

static enum fate fate_of(const struct clue *clue)
{
	struct text status = clue_text(clue, NAME_STATUS);

	/* What was sent to discard(8) is gone. */
	if (status.length == 4 && memcmp(status.start, "sent", 4) == 0)
		return clue->origin->role == ROLE_DISCARD ? FATE_DISCARDED : FATE_DELIVERED;

	for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
		if (text_equal(status, statuses[i].status))
			return statuses[i].fate;
	return FATE_UNKNOWN;
}

/* From the name to the port, as it stands in the line; the name alone where they do not follow each other. */
static struct text relay_of(const struct clue *clue)
{
	struct text name = clue_text(clue, NAME_RELAY_NAME), addr = clue_text(clue, NAME_RELAY_ADDR),
		    port = clue_text(clue, NAME_RELAY_PORT);
	const char *end;

	if (!name.start)
		return addr;
	end = name.start + name.length;
	if (addr.start && addr.start == end + 1)
		end = addr.start + addr.length + 1;
	if (port.start && port.start == end + 1)
		end = port.start + port.length;
	return (struct text){ name.start, (size_t)(end - name.start) };
}

/* Of a failure: where it is shown. */
static void read_reply(const struct clue *clue, struct delivery *delivery)
{
	struct text dsn = clue_text(clue, NAME_DSN);

	delivery->reply = reply_read(reply_said(clue_text(clue, NAME_REPLY)));
	if (dsn.start && status_code_read(dsn, &delivery->reply.status))
		delivery->reply.status_text = dsn;
	if (clue->correlate->options.keeps_reasons)
		delivery->reason = reason_of(&delivery->reply);
}

static struct delivery read_delivery(const struct clue *clue)
{
	bool is_shown = clue->correlate->keeps_facts;
	struct delivery delivery = { .fate = fate_of(clue) };

	if (is_shown)
		delivery.relay = relay_of(clue);
	if (delivery.fate != FATE_DELIVERED) {
		if (is_shown)
			read_reply(clue, &delivery);
		return delivery;
	}
	delivery.forward_id = forward_id(clue_text(clue, NAME_REPLY));
	if (!delivery.forward_id.start)
		delivery.remote_id = remote_id(clue_text(clue, NAME_REPLY));
	if (delivery.remote_id.start) {
		const struct queue_name name = queue_name_of(delivery.remote_id);

		link_expect(clue->correlate, &name);
	}
	return delivery;
}

static void count(struct clue *clue, struct open_message *message, enum fate fate)
{
	static const size_t counters[FATE_COUNT] = {
		[FATE_DELIVERED] = offsetof(struct correlate_counts, sent),
		[FATE_DISCARDED] = offsetof(struct correlate_counts, sent),
		[FATE_DEFERRED] = offsetof(struct correlate_counts, deferred),
		[FATE_BOUNCED] = offsetof(struct correlate_counts, bounced),
		[FATE_EXPIRED] = offsetof(struct correlate_counts, expired),
	};
	struct correlate_counts *counts = &clue->correlate->counts;

	if (!counters[fate]) {
		counts->other++;
		return;
	}
	++*(uint64_t *)((char *)counts + counters[fate]);
	if (counters[fate] != offsetof(struct correlate_counts, sent) || !message)
		return;
	if (message->is_queued)
		counts->bytes_delivered += message->size;
	else
		message->unsized++;
}

/* ---- what is kept of it ---- */

static void keep_attempt(struct clue *clue, const struct delivery *delivery, struct facts *facts)
{
	if (!fact_begin(clue, facts, JOIN_QUEUE_ID))
		return;
	FACT_COPY(clue, facts, attempt_rows);
	fact_put(clue, facts, FACT_ATTEMPT_AGENT, clue_has(clue, NAME_MAILER) ? clue_text(clue, NAME_MAILER) : clue->origin->program);
	fact_put(clue, facts, FACT_ATTEMPT_REPLY_CODE, delivery->reply.code_text);
	fact_put(clue, facts, FACT_ATTEMPT_REASON, text_of(delivery->reason));
	fact_put(clue, facts, FACT_ATTEMPT_REMOTE_QUEUE_ID, delivery->remote_id);
	outgoing_put_tls(clue, facts);
}

static void show_attempt(struct clue *clue, struct open_message *message, struct open_recipient *recipient,
			 const struct delivery *delivery)
{
	struct correlate *correlate = clue->correlate;
	struct attempt *attempt = correlate->options.keeps_attempts ? attempt_add(clue, recipient) : NULL;
	struct attempt own = { .time_us = clue->time_us };

	if (!attempt && !correlate->sink.attempt)
		return;
	keep_attempt(clue, delivery, attempt ? &attempt->facts : &own.facts);
	if (correlate->sink.attempt)
		correlate->sink.attempt(correlate->sink.context, &message->message, &recipient->recipient, attempt ? attempt : &own);
	facts_done(&own.facts, correlate->pool);
}

/* The words of the last attempt take the place of those before. */
static void keep_last(struct clue *clue, const struct delivery *delivery, struct open_recipient *recipient)
{
	static const enum fact failure_facts[] = { FACT_RECIPIENT_REPLY_CODE, FACT_RECIPIENT_DSN, FACT_RECIPIENT_REPLY,
						   FACT_RECIPIENT_REASON };
	struct facts *facts = &recipient->recipient.facts;
	bool has_failed = delivery->fate != FATE_DELIVERED && delivery->fate != FATE_DISCARDED;

	if (!fact_begin(clue, facts, JOIN_QUEUE_ID))
		return;
	if (recipient->recipient.attempts > 1)
		for (size_t i = 0; i < sizeof failure_facts / sizeof failure_facts[0]; i++)
			facts_unset(facts, failure_facts[i]);
	fact_put(clue, facts, FACT_RECIPIENT_RELAY, delivery->relay);
	fact_put(clue, facts, FACT_RECIPIENT_DELAY, clue_text(clue, NAME_DELAY));
	fact_put(clue, facts, FACT_RECIPIENT_REMOTE_QUEUE_ID, delivery->remote_id);
	if (!has_failed)
		return;
	fact_put(clue, facts, FACT_RECIPIENT_REPLY_CODE, delivery->reply.code_text);
	fact_put(clue, facts, FACT_RECIPIENT_DSN, delivery->reply.status_text);
	fact_put(clue, facts, FACT_RECIPIENT_REPLY, clue_text(clue, NAME_REPLY));
	fact_put(clue, facts, FACT_RECIPIENT_REASON, text_of(delivery->reason));
	if (delivery->reply.code_text.start)
		fact_put(clue, facts, FACT_RECIPIENT_BY, TEXT_LITERAL("next_hop"));
}

static void deliver_to(struct clue *clue, struct open_message *message, const struct delivery *delivery, struct text to,
		       struct text orig_to)
{
	struct open_recipient *recipient = recipient_of(clue, message, to, orig_to, JOIN_QUEUE_ID);

	if (!recipient)
		return;
	recipient->recipient.attempts++;
	recipient->recipient.has_changed = true;
	if (clue->time_us > recipient->recipient.last_us)
		recipient->recipient.last_us = clue->time_us;
	if (clue->time_us >= recipient->told_us) {
		recipient->told_us = clue->time_us;
		/* What is put off comes to the filter once more. */
		recipient->is_blocked &= delivery->fate != FATE_DEFERRED;
		recipient->recipient.fate = (uint8_t)(delivery->fate == FATE_DELIVERED && recipient->is_blocked ? FATE_FILTERED :
						      delivery->fate);
		keep_last(clue, delivery, recipient);
	}
	show_attempt(clue, message, recipient, delivery);
	/* Where others go on, the reply is one for all. */
	if (recipient->is_blocked)
		return;
	if (delivery->remote_id.start)
		link_queued_as(clue, message, recipient, delivery->remote_id);
	else if (delivery->forward_id.start)
		link_forwarded_as(clue, message, recipient, delivery->forward_id);
}

void correlate_delivery(struct clue *clue)
{
	struct open_message *message = message_of(clue);
	struct delivery delivery = read_delivery(clue);
	struct recipient_walk walk = { .at = 0 };
	struct text orig_to = clue_text(clue, NAME_ORIG_TO), to;

	if (message && (delivery.fate == FATE_REJECTED || delivery.fate == FATE_ABORTED)) {
		correlate_refused_late(clue, message, delivery.fate, &delivery.reply);
		return;
	}
	/* An attempt for several is one for each. */
	for (bool has_to = recipient_next(clue, &walk, &to), is_first = true; has_to || is_first; is_first = false) {
		count(clue, message, delivery.fate);
		if (message)
			deliver_to(clue, message, &delivery, to, orig_to);
		has_to = has_to && recipient_next(clue, &walk, &to);
	}
	if (message && clue_has(clue, NAME_SESSION_ID) && clue_is_tacit(clue))
		join_dialogue(clue, message);
}

void correlate_expired(struct clue *clue)
{
	struct open_message *message = message_of(clue);

	if (message)
		recipients_give_up(clue, message, FATE_EXPIRED, TEXT_NONE);
}
