/*
 * correlate_screen.c - what postscreen tells of a client before smtpd sees it, or instead.
 *
 * Its lines name the client's address and port. A client that passes goes on to smtpd in the same connection: by the
 * port, where smtpd or its milter tells it; else by the address, if one client passed and one only came then.
 */
#include "analysis/correlate_internal.h"

/* So much later smtpd may take it over, where all its processes are busy. */
enum { SCREEN_LATE_US = 10 * 1000000 };

static const struct fact_row screen_rows[] = {
	{ NAME_CLIENT_ADDR, FACT_SESSION_CLIENT_ADDR }, { NAME_CLIENT_PORT, FACT_SESSION_CLIENT_PORT },
	{ NAME_DAEMON_ADDR, FACT_SESSION_DAEMON_ADDR }, { NAME_DAEMON_PORT, FACT_SESSION_DAEMON_PORT },
};

static uint32_t port_of(const struct clue *clue)
{
	uint64_t port = fact_number(clue_text(clue, NAME_CLIENT_PORT));

	return port <= UINT16_MAX ? (uint32_t)port : 0;
}

static bool may_be(const struct clue *clue, const struct open_session *session, uint64_t client)
{
	return session->is_screen && session->client == client && session->item.host == clue->host &&
	       session->session.start_us <= clue->time_us + STAMP_STEP_US;
}

/* The newest that fits. */
static struct open_session *find_screen(const struct clue *clue, uint64_t client, uint32_t port)
{
	struct open_session *session, *best = NULL;

	for (size_t at = SIZE_MAX; (session = open_table_next(&clue->correlate->ports, hash_numbers(client, port, 0), &at));)
		if (may_be(clue, session, client) && session->client_port == port &&
		    (!session->is_closed || clue->time_us <= session->session.end_us + STAMP_STEP_US) &&
		    (!best || session->session.start_us > best->session.start_us))
			best = session;
	return best;
}

static struct open_session *new_screen(struct clue *clue, uint64_t client, uint32_t port)
{
	struct text identity[] = { clue->host->name, clue->origin->process, clue_text(clue, NAME_CLIENT_ADDR),
				   clue_text(clue, NAME_CLIENT_PORT) };
	struct open_session *session = session_open(clue, identity, 4);

	if (!session)
		return NULL;
	session->by_log = session->is_screen = true;
	clue->correlate->may_go_quiet = true;
	session->accepted = UINT32_MAX;
	session_know_client(clue->correlate, session, client, port);
	session_enter_clients(clue->correlate, session);
	if (!fact_begin(clue, &session->session.facts, JOIN_CLIENT_PORT))
		return session;
	fact_put(clue, &session->session.facts, FACT_SESSION_HOST, clue->host->name);
	fact_put(clue, &session->session.facts, FACT_SESSION_PROCESS, clue->origin->process);
	FACT_COPY(clue, &session->session.facts, screen_rows);
	return session;
}

struct open_session *screen_of(struct clue *clue)
{
	uint64_t client = client_hash(clue->correlate, clue_text(clue, NAME_CLIENT_ADDR));
	uint32_t port = port_of(clue);
	struct open_session *session;

	if (!client || !port)
		return NULL;
	session = find_screen(clue, client, port);
	if (!session)
		return new_screen(clue, client, port);
	open_touch(clue, &session->item);
	return session;
}

/* Only postscreen's own words: tlsproxy has a client's connection in between. */
static struct open_session *screen_said(struct clue *clue)
{
	return clue->origin->role == ROLE_SCREEN ? screen_of(clue) : NULL;
}

void correlate_screen_connect(struct clue *clue)
{
	uint64_t client = client_hash(clue->correlate, clue_text(clue, NAME_CLIENT_ADDR));
	uint32_t port = port_of(clue);
	struct open_session *session;

	if (clue->origin->role != ROLE_SCREEN || !client || !port)
		return;
	session = find_screen(clue, client, port);
	/* Its other lines came before, or it is another connection. */
	if (session && (session->has_begin || clue->time_us > session->session.start_us))
		session = NULL;
	if (!session)
		session = new_screen(clue, client, port);
	if (session)
		session->has_begin = true;
}

/* What was found first counts. */
static void found(struct clue *clue, struct open_session *session, struct text what)
{
	char lower[24];

	if (!session || !what.length || what.length > sizeof lower || !fact_is_kept(clue->correlate, FACT_SESSION_SCREEN) ||
	    facts_text(&session->session.facts, FACT_SESSION_SCREEN).start || !fact_begin(clue, &session->session.facts, JOIN_CLIENT_PORT))
		return;
	for (size_t i = 0; i < what.length; i++)
		lower[i] = (char)(what.start[i] >= 'A' && what.start[i] <= 'Z' ? what.start[i] + 32 : what.start[i]);
	fact_put(clue, &session->session.facts, FACT_SESSION_SCREEN, (struct text){ lower, what.length });
}

void correlate_screen_pass(struct clue *clue)
{
	struct open_session *session = screen_said(clue);

	found(clue, session, clue_text(clue, NAME_VERDICT));
	if (!session)
		return;
	join_find_clients(clue->correlate);
	session->has_passed = true;
	session->passed_us = clue->time_us;
	session_enter_clients(clue->correlate, session);
	/* The milter has it already, and tells its end. */
	if (session->by_records)
		return;
	/* For smtpd and its milters it comes now. */
	session->connect_us = clue->time_us;
	session_end(clue, session);
	join_passed(clue, session);
}

void correlate_screen_pregreet(struct clue *clue)
{
	found(clue, screen_said(clue), TEXT_LITERAL("pregreet"));
}

void correlate_screen_hangup(struct clue *clue)
{
	struct open_session *session = screen_said(clue);

	found(clue, session, TEXT_LITERAL("hangup"));
	if (session && fact_begin(clue, &session->session.facts, JOIN_CLIENT_PORT))
		fact_put(clue, &session->session.facts, FACT_SESSION_ENDED, TEXT_LITERAL("lost"));
}

void correlate_screen_violation(struct clue *clue)
{
	found(clue, screen_said(clue), TEXT_LITERAL("violation"));
}

void correlate_screen_dnsbl(struct clue *clue)
{
	struct open_session *session = screen_said(clue);

	found(clue, session, TEXT_LITERAL("dnsbl"));
	if (session && fact_begin(clue, &session->session.facts, JOIN_CLIENT_PORT))
		fact_put(clue, &session->session.facts, FACT_SESSION_DNSBL_RANK, clue_text(clue, NAME_RANK));
}

void correlate_screen_disconnect(struct clue *clue)
{
	struct open_session *session = screen_said(clue);

	if (!session)
		return;
	session->is_closed = true;
	session_end(clue, session);
}

static void put_blocklist(struct clue *clue, uint64_t client, uint64_t hash)
{
	struct open_session *session;

	for (size_t at = SIZE_MAX; (session = open_table_next(&clue->correlate->clients, hash, &at));)
		if (may_be(clue, session, client) && !session->has_ended && fact_begin(clue, &session->session.facts, JOIN_ENVELOPE))
			fact_put(clue, &session->session.facts, FACT_SESSION_BLOCKLISTS, clue_text(clue, NAME_DOMAIN));
}

/* dnsblog names the address alone: it is asked for all connections of it at once. */
void correlate_dnsbl_hit(struct clue *clue)
{
	uint64_t client;

	if (!fact_is_kept(clue->correlate, FACT_SESSION_BLOCKLISTS))
		return;
	client = client_hash(clue->correlate, clue_text(clue, NAME_CLIENT_ADDR));
	if (!client)
		return;
	put_blocklist(clue, client, client_waiting_hash(client));
	put_blocklist(clue, client, client);
}

/* ---- to smtpd ---- */

bool screen_may_go_on(const struct open_session *screen, uint64_t connect_us)
{
	return screen->passed_us <= connect_us + STAMP_STEP_US && connect_us <= screen->passed_us + SCREEN_LATE_US;
}

struct open_session *screen_passed(struct clue *clue, uint64_t client, uint32_t port)
{
	struct open_session *session;

	/* Without a port it is seen later whether another of that address came at the same time. */
	if (!client || !port || !clue->correlate->ports.count)
		return NULL;
	for (size_t at = SIZE_MAX; (session = open_table_next(&clue->correlate->ports, hash_numbers(client, port, 0), &at));)
		if (session_is_screen_alone(session) && session->client == client && session->client_port == port &&
		    session->item.host == clue->host && screen_may_go_on(session, clue->time_us)) {
			session_resume(clue->correlate, session);
			return session;
		}
	return NULL;
}

/* ---- by the address alone, once all that came at that time are known ---- */

/* What of one address came about the time when it passed. */
struct crowd {
	struct open_session *next;	/* smtpd's that came at once */
	struct open_session *known;	/* smtpd's that has its port, from its milter */
	unsigned at_once, sessions;	/* of smtpd: at once, and in all */
	unsigned screens;		/* that passed, and of which smtpd has told nothing yet */
	unsigned others;		/* that a milter knows by another port: which of smtpd's they are is not known */
};

static bool is_at_once(const struct open_session *screen, const struct open_session *session)
{
	return screen_may_go_on(screen, session->connect_us) && session->connect_us <= screen->passed_us + STAMP_STEP_US;
}

/* One of smtpd's, from wherever. */
static bool may_be_passed(const struct open_session *screen, const struct open_session *session)
{
	return session->process_hash && !session->is_screen && session->client == screen->client &&
	       session->item.host == screen->item.host && (!session->client_port || session->client_port == screen->client_port) &&
	       screen_may_go_on(screen, session->connect_us);
}

static bool is_other(const struct open_session *screen, const struct open_session *session)
{
	return !session->by_log && session->client == screen->client && session->client_port != screen->client_port &&
	       screen_may_go_on(screen, session->connect_us);
}

static struct crowd count_crowd(const struct correlate *correlate, const struct open_session *screen)
{
	struct crowd crowd = { .next = NULL };
	struct open_session *session;

	for (size_t at = SIZE_MAX; (session = open_table_next(&correlate->clients, screen->client, &at));) {
		crowd.others += is_other(screen, session);
		crowd.screens += session_is_screen_alone(session) && session->client == screen->client &&
				 screen_may_go_on(screen, session->passed_us);
		if (!may_be_passed(screen, session))
			continue;
		crowd.sessions++;
		if (session->client_port)
			crowd.known = session;
		if (is_at_once(screen, session)) {
			crowd.at_once++;
			crowd.next = session;
		}
	}
	return crowd;
}

static unsigned count_screens(const struct correlate *correlate, const struct open_session *session)
{
	struct open_session *screen;
	unsigned count = 0;

	for (size_t at = SIZE_MAX; (screen = open_table_next(&correlate->clients, session->client, &at));)
		count += session_is_screen_alone(screen) && may_be_passed(screen, session) && is_at_once(screen, session);
	return count;
}

/* None of those that may be meant is chosen. */
static void mark_ambiguous(const struct correlate *correlate, struct open_session *screen)
{
	struct open_session *session;

	session_doubt(screen);
	for (size_t at = SIZE_MAX; (session = open_table_next(&correlate->clients, screen->client, &at));)
		if (may_be_passed(screen, session))
			session_match(session);
}

struct open_session *screen_join(struct correlate *correlate, struct open_session *screen)
{
	struct crowd crowd;

	/* What the milter tells of it says more than its address. */
	if (!session_is_screen_alone(screen) || screen->was_matched || screen->by_records)
		return NULL;
	session_match(screen);
	crowd = count_crowd(correlate, screen);
	if (crowd.known)
		return crowd.known;
	/* As many as passed: nobody came past postscreen, who could be the one that came at once. */
	if (crowd.at_once == 1 && crowd.sessions <= crowd.screens && !crowd.others && !crowd.next->was_matched &&
	    count_screens(correlate, crowd.next) == 1)
		return crowd.next;
	if (crowd.sessions)
		mark_ambiguous(correlate, screen);
	return NULL;
}
