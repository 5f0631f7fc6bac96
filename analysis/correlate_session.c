/*
 * correlate_session.c - sessions as the MTA's log tells of them: from the connect to the disconnect of one process.
 *
 * A process serves one client at a time, so its lines belong to the session between its connect and its disconnect. Lines
 * may come out of order: what one says of its time and its client decides between a session and the next of the same
 * process.
 */
#include "analysis/correlate_internal.h"

#include <arpa/inet.h>

/* Without a word for so long a process may have come to serve another client, where its log does not tell. */
enum { TACIT_GAP_US = 300 * 1000000 };

static const struct fact_row client_rows[] = {
	{ NAME_CLIENT_ADDR, FACT_SESSION_CLIENT_ADDR }, { NAME_CLIENT_PORT, FACT_SESSION_CLIENT_PORT },
	{ NAME_CLIENT_NAME, FACT_SESSION_CLIENT_NAME }, { NAME_HELO, FACT_SESSION_HELO },
	{ NAME_PROTOCOL, FACT_SESSION_PROTOCOL }, { NAME_DAEMON_NAME, FACT_SESSION_DAEMON_NAME },
	{ NAME_DAEMON_ADDR, FACT_SESSION_DAEMON_ADDR }, { NAME_DAEMON_PORT, FACT_SESSION_DAEMON_PORT },
	{ NAME_DIRECTION, FACT_SESSION_DIRECTION },
};

static const struct fact_row tls_rows[] = {
	{ NAME_TLS_VERSION, FACT_SESSION_TLS_VERSION }, { NAME_CIPHER, FACT_SESSION_CIPHER },
	{ NAME_CIPHER_BITS, FACT_SESSION_CIPHER_BITS }, { NAME_TLS_TRUST, FACT_SESSION_TLS_TRUST },
};

/* "rcpt=1/3": good, and all. */
static const struct {
	enum event_name name;
	enum fact all, good;	/* FACT_COUNT: none */
} count_rows[] = {
	{ NAME_COUNT_MAIL, FACT_SESSION_MAIL_COMMANDS, FACT_SESSION_MESSAGES },
	{ NAME_COUNT_RCPT, FACT_SESSION_RCPT_COMMANDS, FACT_SESSION_RCPT_GOOD },
	{ NAME_COUNT_DATA, FACT_SESSION_DATA_COMMANDS, FACT_COUNT },
	{ NAME_COUNT_AUTH, FACT_SESSION_AUTH_COMMANDS, FACT_SESSION_AUTH_GOOD },
	{ NAME_COUNT_UNKNOWN, FACT_SESSION_UNKNOWN_COMMANDS, FACT_COUNT },
	{ NAME_COUNT_COMMANDS, FACT_SESSION_COMMANDS, FACT_SESSION_COMMANDS_GOOD },
};

/* ---- which session a line is of ---- */

struct text session_name(const struct clue *clue)
{
	struct text name = clue_text(clue, NAME_SESSION_ID);

	return name.length ? name : clue->event->frame.pid;
}

static uint64_t process_hash(const struct clue *clue, struct text name)
{
	return hash_text(clue->correlate->seed + clue->host->number, name);
}

enum join_key session_key(const struct clue *clue)
{
	return clue_has(clue, NAME_SESSION_ID) ? JOIN_SESSION : JOIN_PROCESS;
}

/* Whether a line of that time may be of the session. */
static bool is_during(const struct open_session *session, uint64_t time_us)
{
	/* Its process may be another by now. */
	if (session->is_tacit && !session->has_begin && time_us > session->item.touched_us + TACIT_GAP_US)
		return false;
	return session->session.start_us <= time_us + STAMP_STEP_US &&
	       (!session->has_ended || time_us <= session->session.end_us + STAMP_STEP_US);
}

/* A proxy may tell another client (XCLIENT) within a session, but not after it. */
static bool may_be(const struct open_session *session, uint64_t client, uint32_t port)
{
	if (session->has_ended && port && session->client_port && port != session->client_port)
		return false;
	return !client || !session->client || client == session->client || (!session->has_ended && !session->is_tacit);
}

/* Exactly: the next of the same process may have begun within the same second. */
static bool is_within(const struct open_session *session, uint64_t time_us)
{
	return session->session.start_us <= time_us && (!session->has_ended || time_us <= session->session.end_us);
}

/* The one of that client before others, of that time before one about it, under way before ended, the newer before the
 * older. */
static bool is_better(const struct open_session *session, const struct open_session *best, uint64_t client, uint64_t time_us)
{
	bool fits = session->client == client, is_exact = is_within(session, time_us);

	if (!best || fits != (best->client == client))
		return !best || fits;
	if (is_exact != is_within(best, time_us))
		return is_exact;
	if (session->has_ended != best->has_ended)
		return best->has_ended;
	return session->session.start_us >= best->session.start_us;
}

static inline uint32_t client_port(const struct clue *clue)
{
	uint64_t port = fact_number(clue_text(clue, NAME_CLIENT_PORT));

	return port <= UINT16_MAX ? (uint32_t)port : 0;
}

static struct process *process_of(const struct correlate *correlate, uint64_t hash)
{
	return open_table_find(&correlate->processes, hash);
}

void session_enter_process(struct correlate *correlate, struct open_session *session, uint64_t hash)
{
	struct process *process = process_of(correlate, hash);
	size_t size = sizeof *process;

	if (!process) {
		process = pool_take(correlate->pool, &size);
		if (!process)
			return;
		*process = (struct process){ .hash = hash };
		if (open_table_add(&correlate->processes, hash, process) != 0) {
			pool_give(correlate->pool, process, sizeof *process);
			return;
		}
	}
	session->process = process;
	session->process_hash = hash;
	session->older = process->newest;
	session->newer = NULL;
	*(process->newest ? &process->newest->newer : &process->oldest) = session;
	process->newest = session;
	process->running += !session->has_ended;
	process->lacks_begin |= !session->has_begin;
}

void session_leave_process(struct correlate *correlate, struct open_session *session)
{
	struct process *process = session->process;

	if (!process)
		return;
	*(session->older ? &session->older->newer : &process->oldest) = session->newer;
	*(session->newer ? &session->newer->older : &process->newest) = session->older;
	process->running -= !session->has_ended;
	session->process = NULL;
	session->process_hash = 0;
	if (process->oldest)
		return;
	open_table_remove(&correlate->processes, process->hash, process);
	pool_give(correlate->pool, process, sizeof *process);
}

/* Most often there is one that has not ended, and it is of that client: none is better. */
static struct open_session *running_session(const struct process *process, uint64_t client, uint64_t time_us)
{
	struct open_session *session = process->newest;

	return process->running == 1 && !session->has_ended && session->client == client && is_within(session, time_us) &&
	       is_during(session, time_us) ? session : NULL;
}

static struct open_session *find_session(const struct clue *clue, uint64_t hash, uint64_t client)
{
	const struct process *process = process_of(clue->correlate, hash);
	struct open_session *best = process ? running_session(process, client, clue->time_us) : NULL;
	uint32_t port = client ? client_port(clue) : 0;

	if (!process || best)
		return best;
	for (struct open_session *session = process->oldest; session; session = session->newer)
		if (is_during(session, clue->time_us) && may_be(session, client, port) && is_better(session, best, client, clue->time_us))
			best = session;
	return best;
}

/* Of an IPv6 address, however it is written: its first group has four digits at most. */
static inline bool may_be_ipv6(struct text address)
{
	const char *at = address.start;

	if (address.length < 5)
		return memchr(at, ':', address.length);
	return (at[0] == ':') | (at[1] == ':') | (at[2] == ':') | (at[3] == ':') | (at[4] == ':');
}

static __attribute__((noinline)) uint64_t hash_of_ipv6(uint64_t seed, struct text address)
{
	char written[INET6_ADDRSTRLEN];
	struct in6_addr bytes;

	memcpy(written, address.start, address.length);
	written[address.length] = '\0';
	if (inet_pton(AF_INET6, written, &bytes) != 1)
		return hash_text(seed, address);
	return hash_text(seed, (struct text){ (const char *)&bytes, sizeof bytes });
}

uint64_t client_hash(struct correlate *correlate, struct text address)
{
	struct known_client *known;
	uint64_t hash;

	if (!address.length)
		return 0;
	if (address.length > 5 && (address.start[0] == 'I' || address.start[0] == 'i') && strncasecmp(address.start, "IPv6:", 5) == 0)
		address = (struct text){ address.start + 5, address.length - 5 };
	hash = hash_text(correlate->seed, address);
	if (!may_be_ipv6(address) || address.length >= INET6_ADDRSTRLEN)
		return hash;
	/* The same address is written in several ways; most of those that come were here a moment ago. */
	known = &correlate->known_clients[hash % KNOWN_CLIENTS];
	if (known->written != hash)
		*known = (struct known_client){ hash, hash_of_ipv6(correlate->seed, address) };
	return known->client;
}

static void begin_facts(struct clue *clue, struct open_session *session, struct text name)
{
	struct facts *facts = &session->session.facts;

	if (!fact_begin(clue, facts, session_key(clue)))
		return;
	fact_put(clue, facts, FACT_SESSION_HOST, clue->host->name);
	if (clue->origin->instance && !clue->origin->instance->is_usual)
		fact_put(clue, facts, FACT_SESSION_INSTANCE, clue->origin->instance->name);
	if (clue->origin->process.length)
		fact_put(clue, facts, FACT_SESSION_PROCESS, clue->origin->process);
	if (clue_has(clue, NAME_SESSION_ID))
		fact_put(clue, facts, FACT_SESSION_SESSION, name);
	else if (clue->event->frame.pid.length)
		fact_put(clue, facts, FACT_SESSION_PID, name);
}

static void know_by_log(struct clue *clue, struct open_session *session, struct text name, uint64_t hash, uint64_t client)
{
	session->by_log = true;
	session->was_asked = false;
	session->is_tacit |= clue_is_tacit(clue);
	clue->correlate->may_go_quiet |= session->is_tacit;
	if (session->item.host != clue->host)
		item_set_host(clue->correlate, &session->item, clue->host);
	session_know_client(clue->correlate, session, client, client_port(clue));
	if (!session->process_hash)
		session_enter_process(clue->correlate, session, hash);
	begin_facts(clue, session, name);
	if (clue->correlate->keeps_facts)
		FACT_COPY(clue, &session->session.facts, client_rows);
}

static struct open_session *new_session(struct clue *clue, struct text name, uint64_t hash, uint64_t client, bool has_begin)
{
	struct text identity[] = { clue->host->name, clue->origin->process, name };
	struct open_session *session = session_open(clue, identity, 3);

	if (!session)
		return NULL;
	session->accepted = UINT32_MAX;
	session->connect_us = clue->time_us;
	session->has_begin = has_begin;
	know_by_log(clue, session, name, hash, client);
	return session;
}

struct open_session *session_called(struct clue *clue, struct text name)
{
	const unsigned hosts[] = { clue->host->number, 0 };

	for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
		const struct process *process = process_of(clue->correlate, hash_text(clue->correlate->seed + hosts[i], name));

		for (struct open_session *session = process ? process->oldest : NULL; session; session = session->newer)
			if (session->is_transcript)
				return session;
	}
	return NULL;
}

struct open_session *session_of_one(struct clue *clue, struct text name)
{
	uint64_t client = client_hash(clue->correlate, clue_text(clue, NAME_CLIENT_ADDR));
	struct open_session *session = new_session(clue, name, process_hash(clue, name), client, true);

	if (!session)
		return NULL;
	session->is_closed = true;
	session_end(clue, session);
	return session;
}

static void change_client(struct clue *clue, struct open_session *session, uint64_t client)
{
	session_forget_client(clue->correlate, session);
	session_know_client(clue->correlate, session, client, client_port(clue));
	if (fact_begin(clue, &session->session.facts, session_key(clue)))
		FACT_COPY(clue, &session->session.facts, client_rows);
}

struct open_session *session_of(struct clue *clue)
{
	struct text name = session_name(clue);
	struct open_session *session;
	uint64_t hash, client;

	if (!name.length)
		return NULL;
	hash = process_hash(clue, name);
	client = client_hash(clue->correlate, clue_text(clue, NAME_CLIENT_ADDR));
	session = find_session(clue, hash, client);
	if (!session && rest_may_have(clue->correlate, clue->time_us) && rest_wake_process(clue->correlate, hash))
		session = find_session(clue, hash, client);
	if (!session)
		return new_session(clue, name, hash, client, false);
	if (rest_may_be_of(clue->correlate, session, clue->time_us))
		rest_wake_messages(clue->correlate, session);
	open_touch(clue, &session->item);
	if (client && session->client && client != session->client)
		change_client(clue, session, client);
	return session;
}

/* ---- what its lines say ---- */

/* The process serves another client now. Gives the session of this one, of which lines came before. */
static struct open_session *end_others(struct clue *clue, const struct process *process, uint64_t client)
{
	struct open_session *known = NULL;

	for (struct open_session *session = process->oldest; session; session = session->newer) {
		if (!session->has_begin && session->client == client && clue->time_us <= session->session.start_us)
			known = session;
		/* The one before: its end may still come. */
		else if (!session->has_ended && session->session.start_us <= clue->time_us) {
			session_end(clue, session);
			if (session->is_tacit)
				session->session.end_us = session->item.touched_us;
		}
	}
	return known;
}

void session_go_on(struct correlate *correlate, struct open_session *session)
{
	session_resume(correlate, session);
	for (struct message *each = session->session.messages; each; each = each->next_in_session)
		if (((struct open_message *)each)->item.is_ending && message_ends_with_session((struct open_message *)each))
			message_resume(correlate, (struct open_message *)each);
}

void correlate_connect(struct clue *clue)
{
	struct text name = session_name(clue);
	uint64_t client = client_hash(clue->correlate, clue_text(clue, NAME_CLIENT_ADDR)), hash;
	uint32_t port = client_port(clue);
	const struct process *process;
	struct open_session *known;

	if (!name.length)
		return;
	hash = process_hash(clue, name);
	process = process_of(clue->correlate, hash);
	known = process && (process->running || process->lacks_begin) ? end_others(clue, process, client) : NULL;
	if (known) {
		known->session.start_us = clue->time_us;
		if (fact_begin(clue, &known->session.facts, session_key(clue)))
			FACT_COPY(clue, &known->session.facts, client_rows);
	} else if ((known = screen_passed(clue, client, port)) || (known = join_by_port(clue, client, port, false))) {
		known->has_begin = true;
		if (known->has_ended)
			session_go_on(clue->correlate, known);
		know_by_log(clue, known, name, hash, client);
	} else {
		known = new_session(clue, name, hash, client, true);
	}
	if (!known)
		return;
	open_touch(clue, &known->item);
	known->shares_port |= clue->shares_port;
	known->has_begin = true;
	known->connect_us = clue->time_us;
	if (clue->time_us < known->session.start_us)
		known->session.start_us = clue->time_us;
}

static void put_counts(struct clue *clue, struct facts *facts)
{
	for (size_t i = 0; i < sizeof count_rows / sizeof count_rows[0]; i++) {
		enum fact all = count_rows[i].all, good = count_rows[i].good;
		struct text value;
		const char *slash;

		if (!fact_is_kept(clue->correlate, all) && (good == FACT_COUNT || !fact_is_kept(clue->correlate, good)))
			continue;
		value = clue_text(clue, count_rows[i].name);
		if (!value.start)
			continue;
		slash = memchr(value.start, '/', value.length);
		fact_put_number(clue, facts, all, fact_number(slash ? (struct text){ slash + 1,
				(size_t)(value.start + value.length - slash - 1) } : value));
		if (good != FACT_COUNT)
			fact_put_number(clue, facts, good, fact_number(value));
	}
}

/* How many messages the MTA says it took. Where there were chunks it does not say. */
static uint32_t accepted_of(const struct clue *clue)
{
	if (clue_has(clue, NAME_COUNT_BDAT) || !clue_has(clue, NAME_COUNT_COMMANDS))
		return UINT32_MAX;
	return (uint32_t)fact_number(clue_text(clue, NAME_COUNT_DATA));
}

void correlate_disconnect(struct clue *clue)
{
	struct open_session *session = session_of(clue);

	if (!session)
		return;
	session->is_closed = true;
	if (session->is_transcript)
		transcript_end(clue, session);
	session->accepted = accepted_of(clue);
	if (fact_begin(clue, &session->session.facts, session_key(clue))) {
		put_counts(clue, &session->session.facts);
		if (!session->has_fault)
			fact_put(clue, &session->session.facts, FACT_SESSION_ENDED,
				 clue_has(clue, NAME_COUNT_QUIT) ? TEXT_LITERAL("quit") : TEXT_NONE);
	}
	session_end(clue, session);
	(void)join_reconsider(clue->correlate, session);
}

void transcript_over(struct clue *clue, struct open_session *session)
{
	transcript_end(clue, session);
	session->is_closed = true;
	session_end(clue, session);
	session_leave_process(clue->correlate, session);
}

/* Lost, timed out, or thrown out: the disconnect follows. */
static void end_badly(struct clue *clue, struct text how)
{
	struct open_session *session = session_of(clue);

	if (!session)
		return;
	session->has_fault = true;
	session->is_cut_in_data = text_is(clue_text(clue, NAME_STAGE), "DATA") || text_is(clue_text(clue, NAME_STAGE), "BDAT") ||
				  text_is(clue_text(clue, NAME_STAGE), "END-OF-MESSAGE");
	if (!fact_begin(clue, &session->session.facts, session_key(clue)))
		return;
	fact_put(clue, &session->session.facts, FACT_SESSION_ENDED, how);
	fact_put(clue, &session->session.facts, FACT_SESSION_LAST_STAGE, clue_text(clue, NAME_STAGE));
}

void correlate_lost_connection(struct clue *clue)
{
	end_badly(clue, TEXT_LITERAL("lost"));
}

void correlate_timeout(struct clue *clue)
{
	end_badly(clue, TEXT_LITERAL("timeout"));
}

void correlate_too_many_errors(struct clue *clue)
{
	end_badly(clue, TEXT_LITERAL("errors"));
}

void correlate_helo(struct clue *clue)
{
	struct open_session *session = session_of(clue);

	if (session && fact_begin(clue, &session->session.facts, session_key(clue)))
		FACT_COPY(clue, &session->session.facts, client_rows);
}

void correlate_tls(struct clue *clue)
{
	struct open_session *session;

	if (!clue_has(clue, NAME_CLIENT_ADDR)) {
		clue->correlate->counts.tls_out++;
		outgoing_tls(clue);
		return;
	}
	clue->correlate->counts.tls_in++;
	session = session_of(clue);
	if (session && fact_begin(clue, &session->session.facts, session_key(clue)))
		FACT_COPY(clue, &session->session.facts, tls_rows);
}

void correlate_tls_error(struct clue *clue)
{
	struct open_session *session;

	if (!clue_has(clue, NAME_CLIENT_ADDR))
		return;
	session = session_of(clue);
	if (session && fact_begin(clue, &session->session.facts, session_key(clue)))
		fact_put(clue, &session->session.facts, FACT_SESSION_TLS_ERROR, clue_text(clue, NAME_ERROR));
}

/* Sendmail calls milters by the names of its configuration; ours is the one that our example gives. */
static bool is_other_milter(const struct clue *clue)
{
	struct text milter = clue_text(clue, NAME_MILTER);

	return clue_is_tacit(clue) && milter.start && !text_is(milter, "smtptrail");
}

/* smtpd goes on without its milter. What cleanup says so of is no session. */
void correlate_milter_failed(struct clue *clue)
{
	struct text name = session_name(clue);
	struct open_session *session;

	if (!name.length || is_other_milter(clue))
		return;
	session = find_session(clue, process_hash(clue, name), 0);
	if (!session)
		return;
	open_touch(clue, &session->item);
	session->lacks_records = true;
	if (fact_begin(clue, &session->session.facts, session_key(clue)))
		fact_put(clue, &session->session.facts, FACT_SESSION_INCOMPLETE, TEXT_LITERAL("no_records"));
}

void session_miss(struct correlate *correlate, struct open_session *session, const char *what)
{
	if (fact_is_kept(correlate, FACT_SESSION_INCOMPLETE))
		facts_add_item(&session->session.facts, correlate->pool, FACT_SESSION_INCOMPLETE, text_of(what));
}

void session_match(struct open_session *session)
{
	session->item.is_changed |= !session->was_matched;
	session->was_matched = true;
}

void session_doubt(struct open_session *session)
{
	session->item.is_changed |= !session->is_ambiguous;
	session->is_ambiguous = true;
}

/* Records are missed where some are there, or where it is known that there should be. */
static const char *missing_records(const struct correlate *correlate, const struct open_session *session)
{
	if (gap_has(correlate, &session->item))
		return "gap";
	if (session->by_records)
		return session->by_log && session->is_closed && !session->has_last_record ? "cut" : NULL;
	return session->lacks_records ? "no_records" : NULL;
}

void session_tell_finer(struct open_session *session)
{
	session->stamp_us = session->session.start_us;
	session->stamp_end_us = session->session.end_us;
	session->session.start_us = time_told_finer(session->stamp_us, session->records_us);
	session->session.end_us = time_told_finer(session->stamp_end_us, session->closed_us);
}

void session_tell_stamp(struct open_session *session)
{
	session->session.start_us = session->stamp_us;
	session->session.end_us = session->stamp_end_us;
}

void session_settle(struct correlate *correlate, struct open_session *session)
{
	const char *records = missing_records(correlate, session);

	session_tell_finer(session);
	if (records)
		session_miss(correlate, session, records);
	if (!session->by_log && !session->is_local)
		session_miss(correlate, session, "no_log");
	if ((session->is_ambiguous || (session->was_matched && !session->is_screen)) &&
	    (session_has_lines(session) != session->by_records || session_is_screen_alone(session)))
		session_miss(correlate, session, "ambiguous");
	if (session->shares_port && session_may_part(session))
		session_miss(correlate, session, "ambiguous");
	if (session->by_log ? !session->has_begin && !session->is_tacit : !session->has_first_record)
		session_miss(correlate, session, "begin");
	if (session->by_log ? !session->is_closed && !session->is_tacit && !(session->has_passed && !session->process_hash) : !session->has_last_record)
		session_miss(correlate, session, "end");
}
