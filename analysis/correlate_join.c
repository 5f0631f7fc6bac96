/*
 * correlate_join.c - what the milter recorded and what the log tells of the same session become one.
 *
 * By a queue identifier, where a message has one: sender, client and time must agree. By the client's address and port,
 * where the log has ports. Else, when both have ended, by address, times and envelope, and only if no other fits.
 */
#include "analysis/correlate_internal.h"

/* So much later than the log's lines a busy machine's records may be, and of so many sessions it is asked. */
enum { LATE_US = 10 * 1000000, RIVALS_MAX = 16 };

static uint64_t slack_us(const struct correlate *correlate)
{
	return correlate->options.skew_us + STAMP_STEP_US;
}

static bool is_within(uint64_t a, uint64_t b, uint64_t slack)
{
	return (a > b ? a - b : b - a) <= slack;
}

static bool is_near(const struct correlate *correlate, uint64_t a, uint64_t b)
{
	return is_within(a, b, slack_us(correlate));
}

/* Whether others may name the one that is about to be another, which came much later: they have left memory, or rows of the
 * store do. Then its key stays. */
static bool is_named_before(const struct correlate *correlate, const struct open_item *from, uint64_t from_known_us,
			    const struct open_item *into, uint64_t into_known_us)
{
	if (into->is_woken || !correlate->sink.rest)
		return false;
	return from->is_woken ||
	       (from_known_us < into_known_us && from_known_us + correlate->options.lateness_us <= from->host->now_us);
}

/* ---- two messages become one ---- */

/* The host is the one that the log calls so. */
static void take_host(struct facts *into, const struct facts *from, enum fact fact)
{
	if (facts_text(from, fact).start)
		facts_unset(into, fact);
}

void facts_add_missing(struct correlate *correlate, struct facts *into, struct facts *from)
{
	struct facts_walk walk;
	struct fact_value value;

	facts_walk_start(&walk, from);
	while (facts_walk_next(&walk, &value)) {
		struct fact_value known;

		if (facts_find(into, value.fact, &known))
			continue;
		facts_rest_on(into, correlate->pool, &value.evidence);
		if (fact_is_text(value.fact))
			facts_add_text(into, correlate->pool, value.fact, value.text);
		else
			facts_add_number(into, correlate->pool, value.fact, value.number);
	}
}

/* What the log says of a recipient counts more: the milter does not see the reply. */
static void merge_recipient(struct correlate *correlate, struct open_recipient *into, struct open_recipient *from)
{
	static const enum fact better[] = { FACT_RECIPIENT_TO, FACT_RECIPIENT_REPLY, FACT_RECIPIENT_DSN, FACT_RECIPIENT_BY,
					    FACT_RECIPIENT_STAGE, FACT_RECIPIENT_REASON };
	bool from_log = from->to || from->refused_by_log;

	if (from->recipient.first_us < into->recipient.first_us)
		into->recipient.first_us = from->recipient.first_us;
	if (from->recipient.last_us > into->recipient.last_us)
		into->recipient.last_us = from->recipient.last_us;
	if (from->told_us > into->told_us)
		into->told_us = from->told_us;
	if (!into->records_us)
		into->records_us = from->records_us;
	if (from_log && from->recipient.fate != FATE_UNKNOWN)
		into->recipient.fate = from->recipient.fate;
	into->refused_by_log += from->refused_by_log;
	into->refused_by_records += from->refused_by_records;
	into->recipient.attempts = from->recipient.attempts > into->recipient.attempts ? from->recipient.attempts :
				   into->recipient.attempts;
	into->is_given |= from->is_given;
	if (from->to)
		into->to = from->to;
	tries_move(into, from);
	if (from->recipient.is_hop) {
		into->recipient.is_hop = true;
		into->recipient.next_key = from->recipient.next_key;
	}
	if (from->next_hash)
		into->next_hash = from->next_hash;
	if (into->is_blocked || from->is_blocked)
		recipient_block(into);
	for (size_t i = 0; from_log && i < sizeof better / sizeof better[0]; i++)
		if (facts_text(&from->recipient.facts, better[i]).start)
			facts_unset(&into->recipient.facts, better[i]);
	facts_add_missing(correlate, &into->recipient.facts, &from->recipient.facts);
	into->recipient.has_changed = true;
}

/* Recipients of both, each once. is_kept: those of from are in the store under what is into's key now, and stay what they are
 * there. */
static void merge_recipients(struct correlate *correlate, struct open_message *into, struct open_message *from, bool is_kept)
{
	struct recipient *next;

	if (is_kept)
		recipients_number_behind(correlate, into, from->message.recipient_count);

	for (struct recipient *each = from->message.recipients; each; each = next) {
		struct open_recipient *recipient = (struct open_recipient *)each;
		struct open_recipient *same = recipient_find(correlate, into, recipient->to, recipient->given);

		uint32_t number = recipient->recipient.number;

		next = each->next;
		recipient_leave_table(correlate, from, recipient);
		if (same)
			merge_recipient(correlate, same, recipient);
		else
			recipient_enter(correlate, into, recipient);
		if (is_kept)
			(same ? same : recipient)->recipient.number = number;
		else
			recipient_moved(correlate, from, number, into, same ? same : recipient);
		if (same)
			recipient_free(correlate, recipient);
	}
	from->message.recipients = NULL;
	from->last_recipient = NULL;
	from->message.recipient_count = 0;
	if (is_kept)
		recipients_sort(into);
}

static void widen(uint64_t *first, uint64_t *last, uint64_t from_first, uint64_t from_last)
{
	if (!*first || (from_first && from_first < *first))
		*first = from_first;
	if (from_last > *last)
		*last = from_last;
}

static void merge_flags(struct open_message *into, const struct open_message *from)
{
	if (!into->msg)
		into->msg = from->msg;
	if (!into->size)
		into->size = from->size;
	if (!into->format)
		into->format = from->format;
	into->unsized += from->unsized;
	if (!into->expected)
		into->expected = from->expected;
	if (!into->state)
		into->state = from->state;
	into->is_unmapped |= from->is_unmapped;
	into->is_transcript |= from->is_transcript;
	into->is_over |= from->is_over;
	into->is_told |= from->is_told;
	into->is_trace |= from->is_trace;
	into->is_expanded |= from->is_expanded;
	if (!into->instance)
		into->instance = from->instance;
	if (from->generation > into->generation)
		into->generation = from->generation;
	if (from->is_removed)
		into->removed_us = from->removed_us;
	into->has_begin |= from->has_begin;
	into->is_received |= from->is_received;
	into->is_queued |= from->is_queued;
	into->is_removed |= from->is_removed;
	into->is_refused |= from->is_refused;
	into->is_aborted |= from->is_aborted;
	into->is_held |= from->is_held;
	into->is_filtered |= from->is_filtered;
	into->is_discarded |= from->is_discarded;
	into->is_proxied |= from->is_proxied;
	if (!into->records_us)
		into->records_us = from->records_us;
	if (from->stage_us > into->stage_us) {
		into->stage_us = from->stage_us;
		into->stage = from->stage;
	}
	widen(&into->first_seq, &into->last_seq, from->first_seq, from->last_seq);
	into->has_mail |= from->has_mail;
	into->has_eom |= from->has_eom;
	into->has_verdict |= from->has_verdict;
	into->by_log |= from->by_log;
	into->by_records |= from->by_records;
	into->message.is_complete |= from->message.is_complete;
}

static void merge_messages(struct correlate *correlate, struct open_message *into, struct open_message *from)
{
	/* What has no name yet ends with its session. The log, which knows the name, tells whether it has ended. */
	bool goes_on = into->item.is_ending && !into->name_hash && from->name_hash && !from->item.is_ending;
	bool is_kept = is_named_before(correlate, &from->item, from->known_us, &into->item, into->known_us);

	if (from->message.start_us < into->message.start_us)
		into->message.start_us = from->message.start_us;
	if (from->message.last_us > into->message.last_us)
		into->message.last_us = from->message.last_us;
	/* Recipients that move were shown settled, and are not. */
	rest_end(correlate, &from->item);
	if (is_kept)
		message_swap_keys(correlate, into, from);
	message_know_id(correlate, into, from->id_hash);
	merge_flags(into, from);
	if (!into->name_hash && from->name_hash) {
		open_table_remove(&correlate->messages, from->name_hash, from);
		into->name = from->name;
		into->name_hash = open_table_add(&correlate->messages, from->name_hash, into) == 0 ? from->name_hash : 0;
		from->name_hash = 0;
		item_set_host(correlate, &into->item, from->item.host);
	}
	link_take_over(correlate, into, from);
	merge_recipients(correlate, into, from, is_kept);
	take_host(&into->message.facts, &from->message.facts, FACT_MESSAGE_HOST);
	check_move(into, from);
	facts_add_missing(correlate, &into->message.facts, &from->message.facts);
	into->item.is_changed = true;
	item_follow(correlate, &into->item, &from->item);
	if (goes_on && !message_ends_with_session(into))
		message_resume(correlate, into);
	message_vanish(correlate, from, into);
	if (into->message.session && into->by_log && into->by_records)
		((struct open_session *)into->message.session)->is_proven = true;
}

void join_begun(struct correlate *correlate, struct open_message *message, struct open_message *begun)
{
	merge_messages(correlate, message, begun);
}

void join_transcript(struct clue *clue, struct open_message *log, struct open_message *transcript)
{
	struct open_session *session = (struct open_session *)transcript->message.session;

	clue->correlate->counts.joined[JOIN_QUEUE_ID]++;
	/* It was counted when it came in the dialogue, and again in the log. */
	if (log->is_received && transcript->is_received) {
		clue->correlate->counts.received_smtpd--;
		clue->correlate->counts.active_first--;
		clue->correlate->counts.bytes_received -= transcript->size;
	}
	merge_messages(clue->correlate, log, transcript);
	if (session && !log->message.session)
		session_take(session, log);
}

/* ---- two sessions become one ---- */

static void move_slot(struct open_table *table, uint64_t *into_hash, uint64_t *from_hash, void *into, const void *from)
{
	if (!*from_hash || *into_hash)
		return;
	open_table_remove(table, *from_hash, from);
	*into_hash = open_table_add(table, *from_hash, into) == 0 ? *from_hash : 0;
	*from_hash = 0;
}

static void move_process(struct correlate *correlate, struct open_session *into, struct open_session *from)
{
	uint64_t hash = from->process_hash;

	if (!hash || into->process_hash)
		return;
	session_leave_process(correlate, from);
	session_enter_process(correlate, into, hash);
}

static void merge_session_flags(struct open_session *into, const struct open_session *from)
{
	if (!into->client)
		into->client = from->client;
	if (!into->client_port)
		into->client_port = from->client_port;
	if (!into->mta_host)
		into->mta_host = from->mta_host;
	into->refusals += from->refusals;
	into->begun += from->begun;
	into->queued += from->queued;
	if (from->accepted != UINT32_MAX)
		into->accepted = from->accepted;
	if (!into->connect_us)
		into->connect_us = from->connect_us;
	if (!into->stage_us)
		into->stage_us = from->stage_us;
	if (!into->records_us)
		into->records_us = from->records_us;
	widen(&into->first_seq, &into->last_seq, from->first_seq, from->last_seq);
	if (!into->numbers)
		into->numbers = from->numbers;
	into->is_by_port |= from->is_by_port;
	into->is_proven |= from->is_proven;
	into->shares_port |= from->shares_port;
	into->is_screen |= from->is_screen;
	if (!into->passed_us)
		into->passed_us = from->passed_us;
	into->has_passed |= from->has_passed;
	into->is_tacit |= from->is_tacit;
	into->has_logged_in |= from->has_logged_in;
	into->lacks_records |= from->lacks_records;
	into->has_begin |= from->has_begin;
	session_set_ended(into, into->has_ended || from->has_ended);
	into->is_closed |= from->is_closed;
	into->has_fault |= from->has_fault;
	into->is_cut_in_data |= from->is_cut_in_data;
	into->has_first_record |= from->has_first_record;
	into->has_last_record |= from->has_last_record;
	if (from->resting_us > into->resting_us)
		into->resting_us = from->resting_us;
	into->are_records_cut |= from->are_records_cut;
	if (!into->closed_us)
		into->closed_us = from->closed_us;
	into->by_log |= from->by_log;
	into->by_records |= from->by_records;
}

/* Postscreen tells of its own part alone; 0: nobody has told the end. */
static uint64_t told_end(const struct open_session *session)
{
	if (session_is_screen_alone(session))
		return session->has_last_record ? session->closed_us : 0;
	return session->session.end_us;
}

/* The first side that told it. */
static uint64_t end_of_both(const struct open_session *a, const struct open_session *b)
{
	uint64_t one = told_end(a), other = told_end(b);

	if (one && other)
		return one < other ? one : other;
	if (one || other)
		return one ? one : other;
	return a->session.end_us > b->session.end_us ? a->session.end_us : b->session.end_us;
}

static void merge_sessions(struct correlate *correlate, struct open_session *into, struct open_session *from)
{
	uint64_t end_us = end_of_both(into, from);

	/* They rest under a key that may go. */
	if (into->resting_us)
		rest_wake_messages(correlate, into);
	if (from->resting_us)
		rest_wake_messages(correlate, from);
	/* Postscreen's part is over; smtpd's may not be. */
	if (session_is_screen_alone(into) && from->process_hash) {
		facts_unset(&into->session.facts, FACT_SESSION_PROCESS);
		if (!from->has_ended)
			session_resume(correlate, into);
	}
	if (is_named_before(correlate, &from->item, from->known_us, &into->item, into->known_us))
		session_swap_keys(correlate, into, from);
	if (from->session.start_us < into->session.start_us)
		into->session.start_us = from->session.start_us;
	into->session.end_us = end_us;
	merge_session_flags(into, from);
	move_process(correlate, into, from);
	move_slot(&correlate->milter, &into->milter_hash, &from->milter_hash, into, from);
	take_host(&into->session.facts, &from->session.facts, FACT_SESSION_HOST);
	facts_add_missing(correlate, &into->session.facts, &from->session.facts);
	if (from->refused && !into->refused)
		into->refused = from->refused;
	session_take_all(into, from);
	if (into->client_hash)
		session_enter_clients(correlate, into);
	into->item.is_changed = true;
	item_follow(correlate, &into->item, &from->item);
	session_vanish(correlate, from, into);
	pair_refusals(correlate, into);
}

/* ---- refusals: seen by the milter, and told by the log without a queue identifier ---- */

/* A recipient of the milter's that the log has not told of: first one that was refused, else one that passed, and that
 * somebody behind the milter refused. */
static struct open_recipient *find_refused(const struct correlate *correlate, const struct open_session *session, uint64_t from,
					   uint64_t given, struct open_message **ret_message)
{
	struct open_recipient *passed = NULL;

	for (struct message *each = session->session.messages; each; each = each->next_in_session) {
		struct open_message *message = (struct open_message *)each;
		struct open_recipient *recipient;

		if (!message->by_records || message->from != from)
			continue;
		recipient = recipient_find(correlate, message, 0, given);
		if (!recipient || (passed && recipient->refused_by_records <= recipient->refused_by_log))
			continue;
		*ret_message = message;
		if (recipient->refused_by_records > recipient->refused_by_log)
			return recipient;
		if (!recipient->to && !recipient->refused_by_records)
			passed = recipient;
	}
	return passed;
}

/* Refusals that the log told of a session before it was known whose they are, or before the record came. */
void pair_refusals(struct correlate *correlate, struct open_session *session)
{
	struct message *next_message;

	for (struct message *each = session->session.messages; each; each = next_message) {
		struct open_message *refused = (struct open_message *)each, *message = NULL, *last = NULL;
		struct recipient *next;

		next_message = each->next_in_session;
		if (refused->by_records || refused->name_hash)
			continue;
		for (struct recipient *one = refused->message.recipients; one; one = next) {
			struct open_recipient *recipient = (struct open_recipient *)one;
			struct open_recipient *same = find_refused(correlate, session, refused->from, recipient->given, &message);

			next = one->next;
			if (!same)
				continue;
			last = message;
			recipient_leave(correlate, refused, recipient);
			merge_recipient(correlate, same, recipient);
			if (refused->message.start_us < message->message.start_us)
				message->message.start_us = refused->message.start_us;
			recipient_moved(correlate, refused, recipient->recipient.number, message, same);
			recipient_free(correlate, recipient);
			message->by_log = session->is_proven = true;
			message->item.is_changed = refused->item.is_changed = true;
		}
		if (last && !refused->message.recipients) {
			last->is_proxied |= refused->is_proxied;
			if (refused->is_proxied)
				link_take_from_behind(correlate, last, refused);
			if (is_named_before(correlate, &refused->item, refused->known_us, &last->item, last->known_us))
				message_swap_keys(correlate, last, refused);
			link_take_over(correlate, last, refused);
			message_vanish(correlate, refused, last);
		}
	}
}

struct open_message *join_refused(const struct correlate *correlate, const struct open_session *session, uint64_t from, uint64_t given)
{
	struct open_message *message = NULL;

	return find_refused(correlate, session, from, given, &message) ? message : NULL;
}

/* ---- a dialogue in which we were the client ---- */

/* Its attempts are those that the log tells, too. */
static void uncount(struct correlate *correlate, const struct open_message *transcript)
{
	for (struct recipient *each = transcript->message.recipients; each; each = each->next) {
		correlate->counts.sent -= each->fate == FATE_DELIVERED;
		correlate->counts.deferred -= each->fate == FATE_DEFERRED;
		correlate->counts.bounced -= each->fate == FATE_BOUNCED;
	}
}

void join_dialogue(struct clue *clue, struct open_message *message)
{
	struct open_session *session = session_called(clue, clue_text(clue, NAME_SESSION_ID));

	for (struct message *each = session && session->is_outgoing ? session->session.messages : NULL; each;
	     each = each->next_in_session) {
		struct open_message *transcript = (struct open_message *)each;

		if (transcript == message || !transcript->is_transcript || !transcript->is_over || transcript->name_hash)
			continue;
		if (!text_equal_nocase(facts_text(&transcript->message.facts, FACT_MESSAGE_FROM), clue_text(clue, NAME_FROM)))
			continue;
		clue->correlate->counts.joined[JOIN_SESSION]++;
		uncount(clue->correlate, transcript);
		merge_messages(clue->correlate, message, transcript);
		return;
	}
}

/* ---- by a queue identifier ---- */

static bool agrees(const struct facts *a, const struct facts *b, enum fact fact)
{
	struct text one = facts_text(a, fact), other = facts_text(b, fact);

	return !one.start || !other.start || text_equal_nocase(one, other);
}

/* Whether each may have the other as its other side. What has another by its client's port alone may: the identifier is
 * surer, where the log tells of that connection from its begin. */
static bool are_free(const struct open_session *milter, const struct open_session *process)
{
	if (process->by_records && !(process->has_begin && session_may_part(process)))
		return false;
	return !session_has_lines(milter) || process->is_tacit || (process->has_begin && session_may_part(milter));
}

/* record: a message of the milter's; log: of the log, with the same queue identifier. */
static bool is_same(const struct clue *clue, const struct open_message *record, const struct open_message *log)
{
	const struct open_session *milter = (const struct open_session *)record->message.session;
	const struct open_session *process = (const struct open_session *)log->message.session;
	uint64_t slack = slack_us(clue->correlate);

	if (log->message.start_us + slack < record->message.start_us || log->message.start_us > record->named_us + slack)
		return false;
	if (process && process == milter)
		return true;
	if (process && !are_free(milter, process))
		return false;
	if (process && process->client_port && milter->client_port && process->client_port != milter->client_port)
		return false;
	/* The MTA may have rewritten the sender: it is asked where the client is not known. */
	if (process && process->client && milter->client)
		return process->client == milter->client;
	return agrees(&record->message.facts, &log->message.facts, FACT_MESSAGE_FROM);
}

/* The milter's name of its host, or the MTA's own, is the one that the log has. */
static bool is_host(const struct open_session *milter, const struct host *host)
{
	return milter->item.host == host || milter->mta_host == host || host->number == 0 || milter->item.host->number == 0;
}

static struct open_message *join_messages(struct clue *clue, struct open_message *record, struct open_message *log)
{
	struct open_session *milter = (struct open_session *)record->message.session;
	struct open_session *process = (struct open_session *)log->message.session;

	if (process && process != milter) {
		if (process->by_records)
			process = session_part(clue->correlate, process);
		if (!process || (session_has_lines(milter) && !process->is_tacit && !session_part(clue->correlate, milter)))
			return record;
	}
	if (record->waits_hash) {
		open_table_remove(&clue->correlate->waiting, record->waits_hash, record);
		record->waits_hash = 0;
	}
	clue->is_counted = true;
	clue->correlate->counts.joined[JOIN_QUEUE_ID]++;
	merge_messages(clue->correlate, record, log);
	/* What a program of this machine gave to the queue has no session of its own in the log. */
	if (!process) {
		milter->is_local = milter->item.is_changed = true;
	} else if (process != milter) {
		bool goes_on = !process->has_ended && !process->is_tacit && milter->has_ended;

		merge_sessions(clue->correlate, milter, process);
		/* By the milter's clock it is over; the log tells its end, too. */
		if (goes_on)
			session_go_on(clue->correlate, milter);
	}
	return record;
}

static struct open_message *find_log_message(struct clue *clue, const struct open_message *record, const struct queue_name *name)
{
	struct open_session *milter = (struct open_session *)record->message.session;
	struct host *hosts[] = { clue->host, milter->mta_host, origin_host_at(clue->correlate->origins, 0) };
	struct open_message *log;

	for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
		if (!hosts[i])
			continue;
		for (size_t at = SIZE_MAX; (log = open_table_next(&clue->correlate->messages,
								  queue_name_hash(clue->correlate, hosts[i], name), &at));)
			if (!log->by_records && queue_name_is(&log->name, name) && log->item.host == hosts[i] &&
			    is_same(clue, record, log))
				return log;
	}
	return NULL;
}

struct open_message *join_by_queue_id(struct clue *clue, struct open_message *record, struct text queue_id)
{
	struct queue_name name = queue_name_of(queue_id);
	struct open_message *log;

	record->named_us = clue->time_us;
	log = find_log_message(clue, record, &name);
	if (!log && rest_may_have(clue->correlate, clue->time_us) && rest_wake_queue_name(clue->correlate, &name))
		log = find_log_message(clue, record, &name);
	record->name = name;
	if (log)
		return join_messages(clue, record, log);
	record->waits_hash = hash_numbers(clue->correlate->seed + name.length, name.words[0], name.words[1]);
	if (open_table_add(&clue->correlate->waiting, record->waits_hash, record) != 0)
		record->waits_hash = 0;
	return record;
}

static struct open_message *find_waiting(struct clue *clue, struct open_message *log)
{
	struct correlate *correlate = clue->correlate;
	struct open_message *record;
	uint64_t hash;

	if (!correlate->waiting.count)
		return NULL;
	hash = hash_numbers(correlate->seed + log->name.length, log->name.words[0], log->name.words[1]);
	for (size_t at = SIZE_MAX; (record = open_table_next(&correlate->waiting, hash, &at));)
		if (queue_name_is(&record->name, &log->name) && record->message.session &&
		    is_host((struct open_session *)record->message.session, clue->host) && is_same(clue, record, log))
			return record;
	return NULL;
}

struct open_message *join_waiting(struct clue *clue, struct open_message *log)
{
	struct open_message *record;

	if (log->by_records)
		return log;
	record = find_waiting(clue, log);
	if (!record && rest_may_have(clue->correlate, clue->time_us) && rest_wake_queue_name(clue->correlate, &log->name))
		record = find_waiting(clue, log);
	return record ? join_messages(clue, record, log) : log;
}

/* ---- what has no queue identifier in the records, in a session that is one already ---- */

static bool has_passed(const struct open_message *message)
{
	for (struct recipient *recipient = message->message.recipients; recipient; recipient = recipient->next)
		if (!((struct open_recipient *)recipient)->refused_by_records)
			return true;
	return false;
}

static bool is_rest_of_log(const struct open_message *message)
{
	return message->name_hash && message->has_begin && !message->by_records;
}

/* The milter is told the identifier with the second recipient, or with DATA. */
static bool is_rest_of_records(const struct open_message *message)
{
	return !message->by_log && !message->name.length && has_passed(message);
}

static unsigned count_rest(const struct open_session *session, bool (*is_rest)(const struct open_message *message))
{
	unsigned count = 0;

	for (struct message *message = session->session.messages; message; message = message->next_in_session)
		count += is_rest((struct open_message *)message);
	return count;
}

static struct open_message *first_rest(const struct open_session *session, bool (*is_rest)(const struct open_message *message))
{
	struct message *message = session->session.messages;

	while (message && !is_rest((struct open_message *)message))
		message = message->next_in_session;
	return (struct open_message *)message;
}

/* The only one of them of that sender; NULL: there is none, or several are. */
static struct open_message *only_of_sender(const struct open_session *session, bool (*is_rest)(const struct open_message *message),
					   struct text from)
{
	struct open_message *one = NULL;

	for (struct message *each = session->session.messages; each; each = each->next_in_session) {
		if (!is_rest((struct open_message *)each) || !text_equal_nocase(facts_text(&each->facts, FACT_MESSAGE_FROM), from))
			continue;
		if (one)
			return NULL;
		one = (struct open_message *)each;
	}
	return one;
}

/* The pair that this one is of by its sender alone, whatever else was in that session and is told by one side. */
static bool find_pair(const struct open_message *message, struct open_message **ret_record, struct open_message **ret_log)
{
	const struct open_session *session = (const struct open_session *)message->message.session;
	struct text from = facts_text(&message->message.facts, FACT_MESSAGE_FROM);

	if (!from.start)
		return false;
	*ret_record = only_of_sender(session, is_rest_of_records, from);
	*ret_log = *ret_record ? only_of_sender(session, is_rest_of_log, from) : NULL;
	return *ret_log == message || (*ret_log && *ret_record == message);
}

/* The MTA may have rewritten the sender; then a recipient tells, where the log has any yet. */
static bool may_be_one(const struct correlate *correlate, const struct open_message *record, const struct open_message *log)
{
	if (agrees(&record->message.facts, &log->message.facts, FACT_MESSAGE_FROM) || !log->message.recipients)
		return true;
	for (struct recipient *each = record->message.recipients; each; each = each->next)
		if (recipient_find(correlate, log, 0, ((struct open_recipient *)each)->given))
			return true;
	return false;
}

bool join_rest(struct correlate *correlate, struct open_message *message)
{
	struct open_session *session = (struct open_session *)message->message.session;
	struct open_message *log, *record;
	unsigned count;
	bool has_gone = false;

	if (!session || !session->by_log || !session->by_records || message->by_log == message->by_records)
		return false;
	/* Of what is missing one may be meant as well. */
	if (gap_has(correlate, &session->item))
		return false;
	if (find_pair(message, &record, &log)) {
		correlate->counts.joined[JOIN_ENVELOPE]++;
		merge_messages(correlate, record, log);
		return true;
	}
	/* As many on both sides, so the first is the first; where either may tell of more, that is not so. */
	if (!session->is_closed || !session->has_last_record || session->resting_us)
		return false;
	count = count_rest(session, is_rest_of_log);
	if (count != count_rest(session, is_rest_of_records))
		return false;
	while (count-- > 0) {
		log = first_rest(session, is_rest_of_log);
		record = first_rest(session, is_rest_of_records);
		/* One of them may have left before it. */
		if (!may_be_one(correlate, record, log))
			break;
		has_gone = has_gone || log == message || record == message;
		correlate->counts.joined[JOIN_ENVELOPE]++;
		merge_messages(correlate, record, log);
	}
	return has_gone;
}

/* ---- by the client's port ---- */

/* Whether that may be when the session of the other side began. */
static bool comes_at(const struct correlate *correlate, const struct open_session *session, uint64_t time_us)
{
	return is_near(correlate, session->connect_us, time_us) ||
	       (session_is_screen_alone(session) && screen_may_go_on(session, time_us));
}

static struct open_session *find_by_port(struct clue *clue, uint64_t client, uint32_t port, bool is_record)
{
	struct correlate *correlate = clue->correlate;
	struct open_session *session, *found = NULL;
	bool is_shared = false;		/* none is chosen now: its messages will tell, or its end */

	for (size_t at = SIZE_MAX; (session = open_table_next(&correlate->ports, hash_numbers(client, port, 0), &at));) {
		if (session->client != client || session->client_port != port || !comes_at(correlate, session, clue->time_us))
			continue;
		if (session->is_proven)
			continue;
		if (found || (is_record ? session->by_records : session->by_log))
			session->shares_port = session->item.is_changed = is_shared = true;
		else
			found = session;
	}
	clue->shares_port = is_shared;
	return is_shared ? NULL : found;
}

struct open_session *join_by_port(struct clue *clue, uint64_t client, uint32_t port, bool is_record)
{
	struct correlate *correlate = clue->correlate;
	struct open_session *found;

	if (!client || !port || !correlate->has_records)
		return NULL;
	if (rest_may_have(correlate, clue->time_us))
		(void)rest_wake_port(correlate, client, port, clue->time_us);
	found = find_by_port(clue, client, port, is_record);
	if (!found)
		return NULL;
	if (found->resting_us)
		rest_wake_messages(correlate, found);
	open_touch(clue, &found->item);
	clue->is_counted = true;
	correlate->counts.joined[JOIN_CLIENT_PORT]++;
	found->is_by_port = true;
	return found;
}

void join_late_connect(struct clue *clue, struct open_session *session, uint64_t client, uint32_t port)
{
	struct open_session *log = join_by_port(clue, client, port, true);
	bool goes_on;

	if (!log || log == session || session_is_screen_alone(log))
		return;
	goes_on = !log->has_ended && !log->is_tacit && session->has_ended;
	merge_sessions(clue->correlate, session, log);
	if (goes_on)
		session_go_on(clue->correlate, session);
}

void join_passed(struct clue *clue, struct open_session *screen)
{
	struct correlate *correlate = clue->correlate;
	struct open_session *session, *found = NULL;

	if (!correlate->has_records || !screen->client || !screen->client_port)
		return;
	if (rest_may_have(correlate, clue->time_us))
		(void)rest_wake_port(correlate, screen->client, screen->client_port, clue->time_us);
	for (size_t at = SIZE_MAX; (session = open_table_next(&correlate->ports, hash_numbers(screen->client, screen->client_port, 0), &at));) {
		if (session == screen || session->by_log || session->client != screen->client || session->client_port != screen->client_port ||
		    !screen_may_go_on(screen, session->connect_us))
			continue;
		if (found)
			return;
		found = session;
	}
	if (!found)
		return;
	correlate->counts.joined[JOIN_CLIENT_PORT]++;
	found->is_by_port = true;
	merge_sessions(correlate, found, screen);
}

uint64_t client_waiting_hash(uint64_t client)
{
	return hash_numbers(client, UINT64_MAX, 0);
}

/* By its address alone it is looked for to show more of it. Clients that postscreen has not let pass may be many, and stay
 * for long: whoever looks for the other side of a session never means them. */
static void enter_by_address(struct correlate *correlate, struct open_session *session)
{
	bool is_waiting = session_waits_at_screen(session);
	uint64_t hash = is_waiting ? client_waiting_hash(session->client) : session->client;

	if (session->client_hash == hash)
		return;
	if (session->client_hash)
		open_table_remove(&correlate->clients, session->client_hash, session);
	session->client_hash = 0;
	if (is_waiting && !fact_is_kept(correlate, FACT_SESSION_BLOCKLISTS))
		return;
	if (open_table_add(&correlate->clients, hash, session) == 0)
		session->client_hash = hash;
}

void session_enter_clients(struct correlate *correlate, struct open_session *session)
{
	if (session->client && correlate->keeps_facts)
		enter_by_address(correlate, session);
	if (session->client && session->client_port && !session->port_hash) {
		uint64_t hash = hash_numbers(session->client, session->client_port, 0);

		if (open_table_add(&correlate->ports, hash, session) == 0)
			session->port_hash = hash;
	}
}

void session_know_client(struct correlate *correlate, struct open_session *session, uint64_t client, uint32_t port)
{
	if (!session->client)
		session->client = client;
	if (!session->client_port)
		session->client_port = port;
	/* Nobody asks for it before. */
	if (correlate->finds_clients)
		session_enter_clients(correlate, session);
}

void session_forget_client(struct correlate *correlate, struct open_session *session)
{
	if (session->client_hash)
		open_table_remove(&correlate->clients, session->client_hash, session);
	if (session->port_hash)
		open_table_remove(&correlate->ports, session->port_hash, session);
	session->client = session->client_hash = session->port_hash = 0;
	session->client_port = 0;
}

void join_begin_records(struct correlate *correlate)
{
	correlate->has_records = true;
	join_find_clients(correlate);
}

void join_find_clients(struct correlate *correlate)
{
	if (correlate->finds_clients)
		return;
	correlate->finds_clients = true;
	for (struct open_item *item = correlate->open.first; item; item = item->next)
		if (item->kind == OPEN_SESSION)
			session_enter_clients(correlate, (struct open_session *)((char *)item - offsetof(struct open_session, item)));
	for (unsigned i = 0; i < origin_host_count(correlate->origins); i++)
		for (struct open_item *item = origin_host_at(correlate->origins, i)->ending.first; item; item = item->next)
			if (item->kind == OPEN_SESSION)
				session_enter_clients(correlate, (struct open_session *)((char *)item - offsetof(struct open_session, item)));
}

/* ---- by address, times and envelope ---- */

static bool has_refused(const struct correlate *correlate, const struct open_session *milter, uint64_t given)
{
	for (struct message *each = milter->session.messages; each; each = each->next_in_session) {
		const struct open_recipient *recipient = recipient_find(correlate, (struct open_message *)each, 0, given);

		if (recipient && recipient->refused_by_records)
			return true;
	}
	return false;
}

/* Whether every recipient that the log says was refused is among the milter's. */
static bool fits_refusals(const struct correlate *correlate, const struct open_message *log, const struct open_session *milter)
{
	struct open_message *message;

	for (struct recipient *one = log->message.recipients; one; one = one->next) {
		uint64_t given = ((const struct open_recipient *)one)->given;

		if (!given || !text_is(facts_text(&one->facts, FACT_RECIPIENT_STAGE), "RCPT"))
			continue;
		if (log->name_hash ? !has_refused(correlate, milter, given) : !find_refused(correlate, milter, log->from, given, &message))
			return false;
	}
	return true;
}

/* Whether one of the milter's that has no name yet may be this one, which the log names. */
static bool fits_sender(const struct open_message *log, const struct open_session *milter)
{
	for (struct message *each = milter->session.messages; each; each = each->next_in_session)
		if (is_rest_of_records((struct open_message *)each) && agrees(&each->facts, &log->message.facts, FACT_MESSAGE_FROM))
			return true;
	return false;
}

/* What has an identifier on both sides is joined by it: the log has no line of this one in any session that is known. */
static bool has_name_of_another(const struct open_session *milter)
{
	for (struct message *each = milter->session.messages; each; each = each->next_in_session)
		if (((const struct open_message *)each)->name.length && !((const struct open_message *)each)->by_log)
			return true;
	return false;
}

/* What came to a queue, the milter knows by its identifier, and is joined by it. */
static bool fits_messages(const struct correlate *correlate, const struct open_session *log, const struct open_session *milter)
{
	unsigned named = 0;

	if (has_name_of_another(milter))
		return false;
	for (struct message *each = log->session.messages; each; each = each->next_in_session) {
		const struct open_message *message = (const struct open_message *)each;

		if ((message->name_hash && message->is_queued) || !fits_refusals(correlate, message, milter) ||
		    (message->name_hash && !fits_sender(message, milter)))
			return false;
		named += message->name_hash != 0;
	}
	return named <= count_rest(milter, is_rest_of_records);
}

/* Records are missing: there may have been more of everything. */
static bool may_fit_counts(const struct open_session *log, const struct open_session *milter)
{
	const struct facts *facts = &log->session.facts;

	return !facts_find(facts, FACT_SESSION_COMMANDS, &(struct fact_value){ .number = 0 }) ||
	       (facts_number(facts, FACT_SESSION_MESSAGES, 0) >= milter->mails &&
		facts_number(facts, FACT_SESSION_RCPT_COMMANDS, 0) >= milter->passed + milter->refused_count);
}

static bool fits_counts(const struct open_session *log, const struct open_session *milter)
{
	const struct facts *facts = &log->session.facts;

	/* Without counts anything fits; with them, what is not named did not come. */
	if (!facts_find(facts, FACT_SESSION_COMMANDS, &(struct fact_value){ .number = 0 }))
		return true;
	return facts_number(facts, FACT_SESSION_MESSAGES, 0) == milter->mails &&
	       facts_number(facts, FACT_SESSION_RCPT_GOOD, 0) <= milter->passed &&
	       facts_number(facts, FACT_SESSION_RCPT_COMMANDS, 0) >= milter->passed + milter->refused_count;
}

static bool fits_all_told(const struct correlate *correlate, const struct open_session *log, const struct open_session *milter)
{
	return fits_counts(log, milter) && fits_messages(correlate, log, milter);
}

static bool fits(const struct correlate *correlate, const struct open_session *log, const struct open_session *milter, uint64_t slack)
{
	return log->client == milter->client && (!log->client_port || !milter->client_port || log->client_port == milter->client_port) &&
	       is_host(milter, log->item.host) && log->has_ended && milter->has_ended &&
	       is_within(log->connect_us, milter->connect_us, slack) &&
	       is_within(log->session.end_us, milter->session.end_us, slack) &&
	       agrees(&log->session.facts, &milter->session.facts, FACT_SESSION_HELO) &&
	       (gap_has(correlate, &milter->item) ? may_fit_counts(log, milter) : fits_all_told(correlate, log, milter));
}

static bool is_one_sided(const struct open_session *session)
{
	return session_has_lines(session) != session->by_records;
}

/* Whether the other is of the side that the session lacks, and fits. */
static bool is_fit(const struct correlate *correlate, const struct open_session *session, const struct open_session *other, uint64_t slack)
{
	if (!is_one_sided(other) || session_has_lines(other) == session_has_lines(session))
		return false;
	return session_has_lines(session) ? fits(correlate, session, other, slack) : fits(correlate, other, session, slack);
}

/* Of one whose records are not all there several may be meant, and none is chosen that does not fit by all that it told. */
static bool is_sure(const struct correlate *correlate, const struct open_session *session, const struct open_session *other)
{
	return session_has_lines(session) ? fits_all_told(correlate, session, other) : fits_all_told(correlate, other, session);
}

/* How many sessions of the other side fit; *ret_one is one of them. */
static unsigned count_fits(const struct correlate *correlate, const struct open_session *session, struct open_session **ret_one)
{
	struct open_session *other;
	unsigned count = 0;

	for (size_t at = SIZE_MAX; (other = open_table_next(&correlate->clients, session->client, &at));)
		if (is_fit(correlate, session, other, slack_us(correlate))) {
			*ret_one = other;
			count++;
		}
	return count;
}

/* Whether one that fits but for its times, which a busy machine may tell late, has no other that fits: it may be meant
 * as well as the chosen one. Such are marked. */
static bool has_rivals(const struct correlate *correlate, const struct open_session *session, const struct open_session *chosen)
{
	struct open_session *other, *back;
	unsigned looked = 0;
	bool has_one = false;

	for (size_t at = SIZE_MAX; looked < RIVALS_MAX && (other = open_table_next(&correlate->clients, session->client, &at));) {
		if (other == chosen || !is_fit(correlate, session, other, slack_us(correlate) + LATE_US))
			continue;
		looked++;
		if (count_fits(correlate, other, &back) != 0)
			continue;
		session_doubt(other);
		has_one = true;
	}
	return has_one || looked == RIVALS_MAX;
}

/* None of those that may be meant is chosen, now or later. */
static void mark_ambiguous(struct correlate *correlate, struct open_session *session)
{
	struct open_session *other;

	session_doubt(session);
	for (size_t at = SIZE_MAX; (other = open_table_next(&correlate->clients, session->client, &at));)
		if (is_fit(correlate, session, other, slack_us(correlate)))
			session_doubt(other);
}

/* The session that alone fits this one, which alone fits it; NULL: there is none, or several are, and are marked. */
static struct open_session *find_fit(struct correlate *correlate, struct open_session *session)
{
	struct open_session *other = NULL, *back = NULL;
	unsigned count = count_fits(correlate, session, &other);
	bool has_rival = has_rivals(correlate, session, other);

	if (count == 0) {
		if (has_rival)
			session_doubt(session);
		return NULL;
	}
	has_rival = has_rivals(correlate, other, session) || has_rival;
	if (count == 1 && !has_rival && !session->is_ambiguous && !other->is_ambiguous && count_fits(correlate, other, &back) == 1 &&
	    is_sure(correlate, session, other))
		return other;
	mark_ambiguous(correlate, session);
	mark_ambiguous(correlate, other);
	correlate->counts.joined[JOIN_AMBIGUOUS]++;
	return NULL;
}

/* Another had the same port, so all that both sides told has to fit. And what came to a queue, the milter knows by its
 * identifier: its records are all there, and know none that the log tells. */
static bool is_doubtful(const struct correlate *correlate, const struct open_session *session)
{
	return session_may_part(session) && (session->queued || session->shares_port) && session->is_closed &&
	       session->has_first_record && session->has_last_record && !session->are_records_cut && !session->lacks_records &&
	       !gap_has(correlate, &session->item);
}

bool join_reconsider(struct correlate *correlate, struct open_session *session)
{
	return is_doubtful(correlate, session) && session_part(correlate, session);
}

bool join_at_end(struct correlate *correlate, struct open_session *session)
{
	struct open_session *other;

	if (join_reconsider(correlate, session))
		return true;
	/* Those that the milter knows of that address, though they have left. */
	if (session_is_screen_alone(session) && !session->was_matched && !session->by_records && rest_may_have(correlate, session->passed_us))
		(void)rest_wake_client(correlate, session->client, session->passed_us);
	other = correlate->keeps_facts && session_is_screen_alone(session) ? screen_join(correlate, session) : NULL;

	if (other) {
		correlate->counts.joined[JOIN_ENVELOPE]++;
		merge_sessions(correlate, session, other);
		return true;
	}
	if (!correlate->has_records || !correlate->keeps_facts || session->was_asked || !session->has_ended)
		return false;
	session->was_asked = session->item.is_changed = true;
	if (!is_one_sided(session) || !session->client)
		return false;
	if ((!session->client_port || session->shares_port || correlate->rests_without_ports) && rest_may_have(correlate, session->connect_us))
		(void)rest_wake_client(correlate, session->client, session->connect_us);
	other = find_fit(correlate, session);
	if (!other)
		return false;
	correlate->counts.joined[JOIN_ENVELOPE]++;
	merge_sessions(correlate, session->by_records ? session : other, session->by_records ? other : session);
	return true;
}
