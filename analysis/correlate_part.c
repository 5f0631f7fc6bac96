/*
 * correlate_part.c - a session that was joined by the client's address and port, and proves to be two: both part again.
 *
 * A client's port is its own towards one server only. Towards another service or instance of the same host it may have
 * the same one at the same time, as a content filter and a delivery agent on 127.0.0.1 do. A queue identifier that both
 * sides tell is surer than a port. Where none is told, the port stands, unless another session of that time has it too or
 * the log tells of a message that the records do not know: then all else that both told has to fit, as without ports.
 */
#include "analysis/correlate_internal.h"

enum { SESSION_FACTS = FACT_COUNT };

/* Facts rest on what told them. Where evidence is not kept, what the log alone tells is known by its name. */
static bool is_of_log(const struct correlate *correlate, const struct fact_value *value)
{
	static const enum fact facts[] = {
		FACT_SESSION_INSTANCE, FACT_SESSION_PROCESS, FACT_SESSION_PID, FACT_SESSION_MAIL_COMMANDS, FACT_SESSION_MESSAGES,
		FACT_SESSION_RCPT_COMMANDS, FACT_SESSION_RCPT_GOOD, FACT_SESSION_DATA_COMMANDS, FACT_SESSION_AUTH_COMMANDS,
		FACT_SESSION_AUTH_GOOD, FACT_SESSION_UNKNOWN_COMMANDS, FACT_SESSION_COMMANDS, FACT_SESSION_COMMANDS_GOOD,
	};

	if (correlate->keeps_evidence)
		return value->evidence.key != JOIN_SESSION;
	for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
		if (facts[i] == value->fact)
			return true;
	return false;
}

static void copy_fact(struct correlate *correlate, struct facts *into, const struct fact_value *value)
{
	if (fact_is_text(value->fact))
		facts_set_text(into, correlate->pool, value->fact, value->text);
	else
		facts_set_number(into, correlate->pool, value->fact, value->number);
}

static void move_facts(struct correlate *correlate, struct facts *into, struct facts *from)
{
	enum fact moved[SESSION_FACTS];
	unsigned count = 0;
	struct facts_walk walk;
	struct fact_value value;

	facts_walk_start(&walk, from);
	while (facts_walk_next(&walk, &value)) {
		if (!is_of_log(correlate, &value))
			continue;
		facts_rest_on(into, correlate->pool, &value.evidence);
		copy_fact(correlate, into, &value);
		if (count < SESSION_FACTS)
			moved[count++] = value.fact;
	}
	for (unsigned i = 0; i < count; i++)
		facts_unset(from, moved[i]);
}

/* Both sides told these, and the later took the place of the earlier. */
static void share_facts(struct correlate *correlate, struct facts *into, const struct facts *from)
{
	static const enum fact both[] = { FACT_SESSION_HOST, FACT_SESSION_CLIENT_ADDR, FACT_SESSION_CLIENT_PORT };
	struct facts_walk walk;
	struct fact_value value, first;

	facts_walk_start(&walk, into);
	if (!facts_walk_next(&walk, &first))
		return;
	for (size_t i = 0; i < sizeof both / sizeof both[0]; i++) {
		struct evidence evidence;

		if (facts_find(into, both[i], &value) || !facts_find(from, both[i], &value))
			continue;
		facts_walk_start(&walk, into);
		(void)facts_walk_next(&walk, &first);
		evidence = first.evidence;
		facts_rest_on(into, correlate->pool, &evidence);
		copy_fact(correlate, into, &value);
	}
}

/* In the place that it had among the sessions of its process. */
static void move_process(struct open_session *into, struct open_session *from)
{
	struct process *process = from->process;

	into->process = process;
	into->process_hash = from->process_hash;
	into->older = from->older;
	into->newer = from->newer;
	*(into->older ? &into->older->newer : &process->oldest) = into;
	*(into->newer ? &into->newer->older : &process->newest) = into;
	from->process = NULL;
	from->process_hash = 0;
	from->older = from->newer = NULL;
}

static void move_values(struct open_session *log, struct open_session *records)
{
	log->by_log = true;
	log->connect_us = records->connect_us;
	log->refusals = records->refusals;
	log->begun = records->begun;
	log->queued = records->queued;
	log->accepted = records->accepted;
	log->has_begin = records->has_begin;
	log->is_closed = records->is_closed;
	log->has_fault = records->has_fault;
	log->is_cut_in_data = records->is_cut_in_data;
	log->lacks_records = records->lacks_records;
	log->is_tacit = records->is_tacit;
	records->by_log = records->is_by_port = records->shares_port = false;
	records->connect_us = records->session.start_us = records->records_us;
	records->refusals = records->begun = records->queued = 0;
	records->accepted = UINT32_MAX;
	records->has_begin = records->is_closed = records->has_fault = records->is_cut_in_data = false;
	records->lacks_records = records->is_tacit = false;
	records->was_asked = false;
}

static void move_messages(struct open_session *log, struct open_session *records)
{
	struct open_message *refused = records->refused;
	struct message *next;

	for (struct message *each = records->session.messages; each; each = next) {
		next = each->next_in_session;
		if (((struct open_message *)each)->by_records)
			continue;
		session_lose((struct open_message *)each);
		session_take(log, (struct open_message *)each);
	}
	log->refused = refused && refused->message.session == &log->session ? refused : NULL;
}

/* What one side alone has ended goes on for the other. */
static void part_ends(struct correlate *correlate, struct open_session *log, struct open_session *records)
{
	if (!records->has_ended)
		return;
	log->has_ended = true;
	log->session.end_us = records->session.end_us;
	item_follow(correlate, &log->item, &records->item);
	if (!log->is_closed && records->has_last_record)
		session_resume(correlate, log);
	if (records->has_last_record)
		records->session.end_us = records->closed_us;
	else
		session_resume(correlate, records);
}

struct open_session *session_part(struct correlate *correlate, struct open_session *session)
{
	/* The same, whenever the same files are read again. */
	struct text identity[] = { { (const char *)&session->session.key, sizeof session->session.key } };
	struct clue clue = { .correlate = correlate, .host = session->item.host, .time_us = session->connect_us, .at = no_places };
	struct open_session *log = session_open(&clue, identity, 1);

	if (!log)
		return NULL;
	move_facts(correlate, &log->session.facts, &session->session.facts);
	share_facts(correlate, &log->session.facts, &session->session.facts);
	share_facts(correlate, &session->session.facts, &log->session.facts);
	session_know_client(correlate, log, session->client, session->client_port);
	move_messages(log, session);
	move_process(log, session);
	move_values(log, session);
	part_ends(correlate, log, session);
	session->item.is_changed = true;
	return log;
}
