/*
 * correlate_login.c - who proved, or failed to prove, who he is: in SMTP, or at a mailbox, whose session may last.
 */
#include "analysis/correlate_internal.h"

static const struct fact_row login_rows[] = {
	{ NAME_CLIENT_ADDR, FACT_LOGIN_CLIENT_ADDR }, { NAME_AUTH_TYPE, FACT_LOGIN_AUTH_TYPE },
	{ NAME_AUTH_AUTHEN, FACT_LOGIN_AUTH_AUTHEN }, { NAME_REASON, FACT_LOGIN_REASON },
	{ NAME_SESSION_ID, FACT_LOGIN_SESSION },
};

static const struct fact_row end_rows[] = {
	{ NAME_BYTES_IN, FACT_LOGIN_BYTES_IN }, { NAME_BYTES_OUT, FACT_LOGIN_BYTES_OUT },
};

/* Servers that have one program for all, and systems that speak SMTP alone. */
static bool serves_smtp(struct text program)
{
	static const char *const programs[] = { "smtpd", "sendmail", "exim", "exim4", "exchange", "iis", "icewarp", "cisco_esa" };

	for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++)
		if (text_is(program, programs[i]))
			return true;
	/* Sendmail's daemons: sm-mta, sm-msp ... */
	return program.length > 3 && memcmp(program.start, "sm-", 3) == 0;
}

/* "postfix/submission/smtpd" is submission, "postfix/smtpd" smtp, "dovecot/imap-login" and "imap-login" imap. */
static struct text service_of(const struct clue *clue)
{
	struct text process = clue->origin->process, service = clue_text(clue, NAME_SERVICE);
	const char *first = memchr(process.start, '/', process.length), *last = memrchr(process.start, '/', process.length);
	const char *dash;

	if (service.length)
		return service;
	if (first && first != last)
		return (struct text){ first + 1, (size_t)(last - first - 1) };
	if (serves_smtp(clue->origin->program))
		return TEXT_LITERAL("smtp");
	dash = memchr(clue->origin->program.start, '-', clue->origin->program.length);
	return dash ? (struct text){ clue->origin->program.start, (size_t)(dash - clue->origin->program.start) } :
		      clue->origin->program;
}

/* "auth failed, 3 attempts in 12 secs": the number before " attempts". */
static uint64_t attempts_in(struct text reason)
{
	const char *words = reason.start ? memmem(reason.start, reason.length, " attempts", 9) : NULL, *digits = words;

	while (digits && digits > reason.start && digits[-1] >= '0' && digits[-1] <= '9')
		digits--;
	return words == digits ? 0 : fact_number((struct text){ digits, (size_t)(words - digits) });
}

static void put_facts(struct clue *clue, struct login *login, const char *outcome)
{
	struct facts *facts = &login->facts;
	uint64_t attempts = attempts_in(clue_text(clue, NAME_REASON));

	if (!fact_begin(clue, facts, clue_has(clue, NAME_SESSION_ID) ? JOIN_SESSION : JOIN_PROCESS))
		return;
	fact_put(clue, facts, FACT_LOGIN_HOST, clue->host->name);
	fact_put(clue, facts, FACT_LOGIN_SERVICE, service_of(clue));
	fact_put(clue, facts, FACT_LOGIN_OUTCOME, text_of(outcome));
	FACT_COPY(clue, facts, login_rows);
	if (clue_has(clue, NAME_LOGIN_SECURITY))
		fact_put(clue, facts, FACT_LOGIN_TLS, TEXT_LITERAL("yes"));
	if (attempts)
		fact_put_number(clue, facts, FACT_LOGIN_ATTEMPTS, attempts);
}

/* One that nothing more is heard of. */
static void show_once(struct clue *clue, const struct open_session *session, const char *outcome)
{
	struct correlate *correlate = clue->correlate;
	struct login login = { .time_us = clue->time_us, .session_key = session ? session->session.key : 0 };

	if (!correlate->sink.login)
		return;
	put_facts(clue, &login, outcome);
	correlate->sink.login(correlate->sink.context, &login);
	facts_done(&login.facts, correlate->pool);
}

/* ---- in SMTP ---- */

void correlate_auth_failed(struct clue *clue)
{
	show_once(clue, session_of(clue), "failed");
}

void correlate_auth_aborted(struct clue *clue)
{
	show_once(clue, session_of(clue), "aborted");
}

void correlate_auth_ok(struct clue *clue)
{
	login_passed(clue, session_of(clue));
}

void login_passed(struct clue *clue, struct open_session *session)
{
	if (!session || session->has_logged_in)
		return;
	session->has_logged_in = true;
	show_once(clue, session, "passed");
}

/* ---- at a mailbox ---- */

void correlate_login_failed(struct clue *clue)
{
	struct text outcome = clue_text(clue, NAME_OUTCOME), reason = clue_text(clue, NAME_REASON);

	/* Nobody tried. */
	if (reason.length >= 16 && memcmp(reason.start, "no auth attempts", 16) == 0)
		return;
	show_once(clue, NULL, outcome.length >= 7 && memcmp(outcome.start, "Aborted", 7) == 0 && attempts_in(reason) == 0 ?
		  "aborted" : "failed");
}

static uint64_t login_hash(const struct clue *clue)
{
	struct text name = clue_text(clue, NAME_SESSION_ID);

	return name.length ? hash_text(clue->correlate->seed + clue->host->number, name) : 0;
}

unsigned correlate_forget_logins(struct correlate *correlate, correlate_test *test, const void *context)
{
	unsigned count = 0;

	for (struct open_login *login = correlate->first_login; login; login = login->next) {
		if (!login->hash || !facts_have(&login->login.facts, test, context))
			continue;
		open_table_remove(&correlate->logins, login->hash, login);
		login->hash = 0;
		count++;
	}
	return count;
}

/* From the oldest on: those that have ended, and what is too many. */
static void forget_logins(struct correlate *correlate, size_t max)
{
	struct open_login *login;

	while ((login = correlate->first_login) && (!login->hash || correlate->open_logins > max)) {
		correlate->first_login = login->next;
		if (login->hash)
			open_table_remove(&correlate->logins, login->hash, login);
		facts_done(&login->login.facts, correlate->pool);
		pool_give(correlate->pool, login, sizeof *login);
		correlate->open_logins--;
	}
	if (!correlate->first_login)
		correlate->last_login = NULL;
}

struct open_login *login_open(struct correlate *correlate, uint64_t time_us, uint64_t hash)
{
	size_t size = sizeof(struct open_login);
	struct open_login *login;

	forget_logins(correlate, OPEN_LOGINS_MAX - 1);
	login = pool_take(correlate->pool, &size);
	if (!login)
		return NULL;
	*login = (struct open_login){ .login = { .time_us = time_us } };
	if (correlate->last_login)
		correlate->last_login->next = login;
	else
		correlate->first_login = login;
	correlate->last_login = login;
	correlate->open_logins++;
	if (open_table_add(&correlate->logins, hash, login) == 0)
		login->hash = hash;
	return login;
}

void correlate_login(struct clue *clue)
{
	struct correlate *correlate = clue->correlate;
	uint64_t hash = login_hash(clue);
	struct open_login *login;

	if (!correlate->sink.login)
		return;
	login = hash ? login_open(correlate, clue->time_us, hash) : NULL;
	if (!login) {
		show_once(clue, NULL, "passed");
		return;
	}
	put_facts(clue, &login->login, "passed");
	correlate->sink.login(correlate->sink.context, &login->login);
}

void correlate_session_end(struct clue *clue)
{
	struct correlate *correlate = clue->correlate;
	uint64_t hash = login_hash(clue);
	struct open_login *login = hash ? open_table_find(&correlate->logins, hash) : NULL;

	if (!login)
		return;
	login->login.end_us = clue->time_us;
	if (fact_begin(clue, &login->login.facts, JOIN_SESSION))
		FACT_COPY(clue, &login->login.facts, end_rows);
	correlate->sink.login(correlate->sink.context, &login->login);
	open_table_remove(&correlate->logins, hash, login);
	login->hash = 0;
	forget_logins(correlate, OPEN_LOGINS_MAX);
}
