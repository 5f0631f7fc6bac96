/* explain.c - findings from replies, words and facts, each with the row of advice.def that it is of. */
#include "analysis/explain.h"

#include "analysis/reason.h"
#include "analysis/show_event.h"
#include "analysis/show_facts.h"
#include "common/escape.h"

static struct finding *add(struct explanation *explanation, const char *what, struct text value, const char *meaning,
			   const struct advice *advice)
{
	struct finding *finding;

	if (explanation->count == EXPLAIN_FINDINGS_MAX)
		return NULL;
	finding = &explanation->findings[explanation->count++];
	*finding = (struct finding){
		.what = what, .value = value, .meaning = meaning ? meaning : advice ? advice->meaning : NULL,
		.next = advice ? advice->next : NULL,
	};
	return finding;
}

static void add_of_kind(struct explanation *explanation, enum advice_kind kind, struct text value)
{
	const struct advice *advice = advice_find(kind, value);

	if (advice)
		(void)add(explanation, advice_kind_name(kind), value, NULL, advice);
}

/* Postfix says so at RCPT, too (smtpd_delay_reject): what is refused is the client's name, whatever else the words remind of. */
static bool refuses_helo(const struct reply *reply)
{
	return text_find_nocase(reply->text, TEXT_LITERAL("helo command rejected"));
}

/* From the particular to the general: the class of the words, the enhanced code, the code. */
static bool explain_reply(struct explanation *explanation, const struct reply *reply)
{
	const char *reason = (reply->code && reply->code < 400) || refuses_helo(reply) ? NULL : reason_of(reply);
	const char *code_meaning = reply->code ? reply_code_meaning(reply->code) : NULL;

	if (reason)
		add_of_kind(explanation, ADVICE_REASON, text_of(reason));
	if (reply->status_text.start)
		(void)add(explanation, "status", reply->status_text, status_code_meaning(&reply->status),
			  advice_of_status(&reply->status));
	if (reply->code)
		(void)add(explanation, "code", reply->code_text, code_meaning, advice_of_code(reply->code));
	return reply->code || reply->status_text.start || reason;
}

static bool explain_word(struct explanation *explanation, struct text word)
{
	for (const struct advice *advice = advice_table; advice->key; advice++)
		if (advice->kind != ADVICE_STATUS && advice->kind != ADVICE_CODE && text_is(word, advice->key))
			(void)add(explanation, advice_kind_name(advice->kind), word, NULL, advice);
	return explanation->count;
}

/* An address, or an identifier, without a blank: whatever words it reminds of. */
static bool is_name(struct text text, const struct reply *reply)
{
	bool has_mark = false;

	for (size_t i = 0; i < text.length; i++) {
		if (byte_is_blank(text.start[i]))
			return false;
		has_mark = has_mark || text.start[i] == '@' || byte_is_digit(text.start[i]);
	}
	return has_mark && !reply->code && !reply->status_text.start;
}

bool explain_text(struct explanation *explanation, struct text text)
{
	struct reply reply;

	explanation->count = 0;
	if (explain_word(explanation, text))
		return true;
	reply = reply_read(reply_said(text));
	if (is_name(text, &reply))
		return false;
	if (refuses_helo(&reply))
		add_of_kind(explanation, ADVICE_STORY, TEXT_LITERAL("helo_refused"));
	return explain_reply(explanation, &reply) || explanation->count;
}

/* ---- facts ---- */

static void set_evidence(struct finding *finding, const struct fact_value *value)
{
	if (!finding)
		return;
	finding->has_evidence = true;
	finding->evidence = value->evidence;
}

static void add_fact(struct explanation *explanation, const struct facts *facts, enum fact fact, const char *what,
		     const char *meaning)
{
	struct fact_value value;

	if (facts_find(facts, fact, &value) && value.text.length)
		set_evidence(add(explanation, what, value.text, meaning, NULL), &value);
}

/* A word with its row of the table; of a format's own words it has none. */
static void add_word(struct explanation *explanation, const struct facts *facts, enum fact fact, enum advice_kind kind)
{
	struct fact_value value;

	if (facts_find(facts, fact, &value) && value.text.length)
		set_evidence(add(explanation, fact_table[fact].name, value.text, NULL, advice_find(kind, value.text)), &value);
}

static void add_story(struct explanation *explanation, const char *story)
{
	if (story)
		add_of_kind(explanation, ADVICE_STORY, text_of(story));
}

/* The findings from that one on were read where the fact was. */
static void rest_on(struct explanation *explanation, unsigned from, const struct facts *facts, enum fact fact)
{
	struct fact_value value;

	if (!facts_find(facts, fact, &value))
		return;
	for (; from < explanation->count; from++)
		set_evidence(&explanation->findings[from], &value);
}

/* What a reply says, which that fact tells. */
static void explain_said(struct explanation *explanation, const struct reply *reply, const struct facts *facts, enum fact fact)
{
	unsigned from = explanation->count;

	(void)explain_reply(explanation, reply);
	rest_on(explanation, from, facts, fact);
}

static void add_list(struct explanation *explanation, const struct facts *facts, enum fact fact, enum advice_kind kind)
{
	struct text list = facts_text(facts, fact), item;

	while (facts_next_item(&list, &item))
		add_of_kind(explanation, kind, item);
}

static void add_why(struct explanation *explanation, const struct message *message)
{
	unsigned from = explanation->count;

	add_list(explanation, &message->facts, FACT_MESSAGE_WHY, ADVICE_WHY);
	rest_on(explanation, from, &message->facts, FACT_MESSAGE_WHY);
}

static bool is_word(const struct facts *facts, enum fact fact, const char *word)
{
	return text_is(facts_text(facts, fact), word);
}

static bool was_in_data(const struct session *session)
{
	static const char *const stages[] = { "DATA", "BDAT", "END-OF-MESSAGE" };

	for (size_t i = 0; session && i < sizeof stages / sizeof stages[0]; i++)
		if (is_word(&session->facts, FACT_SESSION_LAST_STAGE, stages[i]))
			return true;
	return false;
}

/* ---- a recipient ---- */

static bool was_greylisted(const struct recipient *recipient)
{
	for (const struct attempt *attempt = recipient->tries; attempt; attempt = attempt->next)
		if (is_word(&attempt->facts, FACT_ATTEMPT_REASON, "greylisting"))
			return true;
	return false;
}

static bool was_looped(const struct reply *reply)
{
	return (reply->status.subject == 4 && reply->status.detail == 6) || text_find_nocase(reply->text, TEXT_LITERAL("loop")) ||
	       text_find_nocase(reply->text, TEXT_LITERAL("too many hops"));
}

/* NULL: the reason is all that there is to say of it. */
static const char *story_of_reason(const struct recipient *recipient, const struct reply *reply)
{
	struct text reason = facts_text(&recipient->facts, FACT_RECIPIENT_REASON);

	if (recipient->fate == FATE_REJECTED && text_is(reason, "norelaying"))
		return "relay_denied";
	if (text_is(reason, "ratelimited"))
		return "rate_limited";
	if (text_is(reason, "failedstarttls"))
		return "tls_failed";
	if (text_is(reason, "dnserror"))
		return "dns_failed";
	return text_is(reason, "routing") && was_looped(reply) ? "looped" : NULL;
}

static const char *story_of_refusal(const struct recipient *recipient, const struct reply *reply)
{
	struct text by = facts_text(&recipient->facts, FACT_RECIPIENT_BY), stage = facts_text(&recipient->facts, FACT_RECIPIENT_STAGE);

	if (text_is(by, "screen"))
		return "screened";
	if (text_is(by, "milter"))
		return "milter_refused";
	return text_is(stage, "HELO") || text_is(stage, "EHLO") || refuses_helo(reply) ? "helo_refused" : NULL;
}

static const char *story_of(const struct session *session, const struct message *message, const struct recipient *recipient,
			    const struct reply *reply)
{
	enum fate fate = (enum fate)recipient->fate;
	const char *story = NULL;

	if (fate == FATE_DELIVERED && recipient->attempts > 1)
		return was_greylisted(recipient) ? "greylisted_then_delivered" : "deferred_then_delivered";
	if (fate == FATE_REJECTED)
		story = story_of_refusal(recipient, reply);
	if (fate == FATE_ABORTED && was_in_data(session))
		story = "lost_in_data";
	if (!story)
		story = story_of_reason(recipient, reply);
	if (!story && message->parent_kind == PARENT_FORWARD)
		story = "forwarded";
	return !story && message->parent_kind == PARENT_NOTICE ? "notice" : story;
}

/* A local agent's words have no code: the log tells it beside them. */
static struct reply reply_of(const struct recipient *recipient)
{
	struct reply reply = reply_read(reply_said(facts_text(&recipient->facts, FACT_RECIPIENT_REPLY)));
	struct text dsn = facts_text(&recipient->facts, FACT_RECIPIENT_DSN);

	if (!reply.status_text.start && dsn.start && status_code_read(dsn, &reply.status))
		reply.status_text = dsn;
	return reply;
}

void explain_recipient(struct explanation *explanation, const struct session *session, const struct message *message,
		       const struct recipient *recipient)
{
	struct reply reply = reply_of(recipient);

	explanation->count = 0;
	add_of_kind(explanation, ADVICE_FATE, text_of(fate_name((enum fate)recipient->fate)));
	add_story(explanation, story_of(session, message, recipient, &reply));
	add_fact(explanation, &recipient->facts, FACT_RECIPIENT_REPLY, "reply", "what was said");
	add_fact(explanation, &recipient->facts, FACT_RECIPIENT_RULE, "rule", "what decided it");
	if (recipient->fate != FATE_DELIVERED && reply.code)
		add_fact(explanation, &recipient->facts, FACT_RECIPIENT_STAGE, "stage",
			 reply_meaning_at(facts_text(&recipient->facts, FACT_RECIPIENT_STAGE), reply.code));
	if (recipient->fate != FATE_DELIVERED)
		explain_said(explanation, &reply, &recipient->facts,
			     facts_text(&recipient->facts, FACT_RECIPIENT_REPLY).start ? FACT_RECIPIENT_REPLY : FACT_RECIPIENT_DSN);
	add_why(explanation, message);
	add_list(explanation, &recipient->facts, FACT_RECIPIENT_INCOMPLETE, ADVICE_MISSING);
	add_list(explanation, &message->facts, FACT_MESSAGE_INCOMPLETE, ADVICE_MISSING);
}

/* ---- a message alone ---- */

static void add_end(struct explanation *explanation, const struct session *session)
{
	add_word(explanation, &session->facts, FACT_SESSION_ENDED, ADVICE_ENDED);
	add_fact(explanation, &session->facts, FACT_SESSION_LAST_STAGE, "last_stage", "the last command before the end");
}

void explain_message(struct explanation *explanation, const struct session *session, const struct message *message)
{
	explanation->count = 0;
	add_word(explanation, &message->facts, FACT_MESSAGE_STATE, ADVICE_STATE);
	if (is_word(&message->facts, FACT_MESSAGE_STATE, "aborted") && was_in_data(session))
		add_story(explanation, "lost_in_data");
	if (session)
		add_end(explanation, session);
	add_why(explanation, message);
	add_list(explanation, &message->facts, FACT_MESSAGE_INCOMPLETE, ADVICE_MISSING);
}

/* ---- a dialogue ---- */

static bool was_lost(const struct facts *facts)
{
	return is_word(facts, FACT_SESSION_ENDED, "lost") || is_word(facts, FACT_SESSION_ENDED, "timeout");
}

static bool has_no_mail(const struct facts *facts)
{
	struct fact_value counted;

	return facts_find(facts, FACT_SESSION_COMMANDS, &counted) && !facts_number(facts, FACT_SESSION_MAIL_COMMANDS, 0) &&
	       !facts_number(facts, FACT_SESSION_MESSAGES, 0);
}

static const char *story_of_session(const struct session *session)
{
	const struct facts *facts = &session->facts;

	if (facts_text(facts, FACT_SESSION_TLS_ERROR).start)
		return "tls_failed";
	if (was_lost(facts) && was_in_data(session))
		return "lost_in_data";
	if (facts_number(facts, FACT_SESSION_AUTH_COMMANDS, 0) && !facts_number(facts, FACT_SESSION_AUTH_GOOD, 0))
		return "login_failed";
	return has_no_mail(facts) ? "no_mail" : NULL;
}

static void explain_refusal(struct explanation *explanation, const struct facts *facts, struct text stage)
{
	struct reply reply = reply_read(facts_text(facts, FACT_SESSION_FAILED_REPLY));

	add_fact(explanation, facts, FACT_SESSION_FAILED_REPLY, "reply", "what was said");
	add_fact(explanation, facts, FACT_SESSION_FAILED_STAGE, "stage", reply_meaning_at(stage, reply.code));
	explain_said(explanation, &reply, facts, FACT_SESSION_FAILED_REPLY);
}

void explain_session(struct explanation *explanation, const struct session *session)
{
	static const struct {
		enum fact fact;
		const char *meaning;
	} told[] = {
		{ FACT_SESSION_TLS_ERROR, "why TLS failed" },
		{ FACT_SESSION_SCREEN, "what postscreen found" },
		{ FACT_SESSION_BLOCKLISTS, "blocklists that list the client" },
		{ FACT_SESSION_PIPELINING, "the client spoke out of turn after it" },
		{ FACT_SESSION_WARNINGS, "what the MTA warned of" },
	};
	const struct facts *facts = &session->facts;
	struct text stage = facts_text(facts, FACT_SESSION_FAILED_STAGE);

	explanation->count = 0;
	/* A transcript tells more than the counts of a log. */
	if (stage.start)
		explain_refusal(explanation, facts, stage);
	else
		add_story(explanation, story_of_session(session));
	add_end(explanation, session);
	for (size_t i = 0; i < sizeof told / sizeof told[0]; i++)
		add_fact(explanation, facts, told[i].fact, fact_table[told[i].fact].name, told[i].meaning);
	add_list(explanation, facts, FACT_SESSION_INCOMPLETE, ADVICE_MISSING);
}

/* ---- a login ---- */

void explain_login(struct explanation *explanation, const struct login *login)
{
	struct reply reply = reply_read(facts_text(&login->facts, FACT_LOGIN_REASON));

	explanation->count = 0;
	add_word(explanation, &login->facts, FACT_LOGIN_OUTCOME, ADVICE_OUTCOME);
	add_fact(explanation, &login->facts, FACT_LOGIN_REASON, "reply", "what the server said of it");
	explain_said(explanation, &reply, &login->facts, FACT_LOGIN_REASON);
}

/* ---- showing ---- */

void explain_print(const struct explanation *explanation, FILE *out)
{
	for (unsigned i = 0; i < explanation->count; i++) {
		const struct finding *finding = &explanation->findings[i];

		fprintf(out, "%-10s ", finding->what);
		escape_terminal(finding->value, out);
		if (finding->meaning)
			fprintf(out, ": %s", finding->meaning);
		(void)fputc('\n', out);
		if (finding->next)
			fprintf(out, "           -> %s\n", finding->next);
	}
}

static void put_member(FILE *out, const char *name, const char *value)
{
	if (!value)
		return;
	fprintf(out, ",\"%s\":", name);
	show_json_string(out, text_of(value));
}

void explain_print_json(const struct explanation *explanation, const struct source_table *sources, FILE *out)
{
	(void)fputc('[', out);
	for (unsigned i = 0; i < explanation->count; i++) {
		const struct finding *finding = &explanation->findings[i];

		fprintf(out, "%s{\"what\":\"%s\",\"value\":", i ? ",\n" : "", finding->what);
		show_json_string(out, finding->value);
		put_member(out, "meaning", finding->meaning);
		put_member(out, "next", finding->next);
		if (sources && finding->has_evidence) {
			(void)fputs(",\"proof\":", out);
			show_proof_json(&finding->evidence, sources, out);
		}
		(void)fputc('}', out);
	}
	(void)fputs("]", out);
}
