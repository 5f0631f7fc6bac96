/* explain.c - findings from replies, words and facts, each with the row of advice.def that it is of. */
#include "analysis/explain.h"

#include "analysis/reason.h"
#include "analysis/show_event.h"
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

bool explain_text(struct explanation *explanation, struct text text)
{
	struct reply reply;

	explanation->count = 0;
	if (explain_word(explanation, text))
		return true;
	reply = reply_read(reply_said(text));
	if (refuses_helo(&reply))
		add_of_kind(explanation, ADVICE_STORY, TEXT_LITERAL("helo_refused"));
	return explain_reply(explanation, &reply) || explanation->count;
}

/* ---- a recipient ---- */

static void set_evidence(struct finding *finding, const struct fact_value *value)
{
	if (finding)
		finding->evidence = value->evidence;
}

static void add_fact(struct explanation *explanation, const struct facts *facts, enum fact fact, const char *what,
		     const char *meaning)
{
	struct fact_value value;

	if (facts_find(facts, fact, &value) && value.text.length)
		set_evidence(add(explanation, what, value.text, meaning, NULL), &value);
}

static bool is_reason(const struct facts *facts, enum fact fact, const char *reason)
{
	return text_is(facts_text(facts, fact), reason);
}

static bool was_greylisted(const struct recipient *recipient)
{
	for (const struct attempt *attempt = recipient->tries; attempt; attempt = attempt->next)
		if (is_reason(&attempt->facts, FACT_ATTEMPT_REASON, "greylisting"))
			return true;
	return false;
}

static const char *story_of(const struct session *session, const struct message *message, const struct recipient *recipient,
			    const struct reply *reply)
{
	enum fate fate = (enum fate)recipient->fate;
	struct text by = facts_text(&recipient->facts, FACT_RECIPIENT_BY), stage = facts_text(&recipient->facts, FACT_RECIPIENT_STAGE);

	if (fate == FATE_DELIVERED && recipient->attempts > 1)
		return was_greylisted(recipient) ? "greylisted_then_delivered" : "deferred_then_delivered";
	if (fate == FATE_REJECTED && text_is(by, "screen"))
		return "screened";
	if (fate == FATE_REJECTED && text_is(by, "milter"))
		return "milter_refused";
	if (fate == FATE_REJECTED && (text_is(stage, "HELO") || text_is(stage, "EHLO") || refuses_helo(reply)))
		return "helo_refused";
	if (fate == FATE_REJECTED && is_reason(&recipient->facts, FACT_RECIPIENT_REASON, "norelaying"))
		return "relay_denied";
	if (fate == FATE_ABORTED && session && text_is(facts_text(&session->facts, FACT_SESSION_LAST_STAGE), "DATA"))
		return "lost_in_data";
	if (is_reason(&recipient->facts, FACT_RECIPIENT_REASON, "ratelimited"))
		return "rate_limited";
	if (is_reason(&recipient->facts, FACT_RECIPIENT_REASON, "failedstarttls"))
		return "tls_failed";
	return message->parent_kind == PARENT_FORWARD ? "forwarded" : NULL;
}

static void add_list(struct explanation *explanation, const struct facts *facts, enum fact fact, enum advice_kind kind)
{
	struct text list = facts_text(facts, fact), item;

	while (facts_next_item(&list, &item))
		add_of_kind(explanation, kind, item);
}

void explain_recipient(struct explanation *explanation, const struct session *session, const struct message *message,
		       const struct recipient *recipient)
{
	struct reply reply = reply_read(reply_said(facts_text(&recipient->facts, FACT_RECIPIENT_REPLY)));
	const char *story = story_of(session, message, recipient, &reply);

	explanation->count = 0;
	add_of_kind(explanation, ADVICE_FATE, text_of(fate_name((enum fate)recipient->fate)));
	if (story)
		add_of_kind(explanation, ADVICE_STORY, text_of(story));
	add_fact(explanation, &recipient->facts, FACT_RECIPIENT_REPLY, "reply", "what was said");
	add_fact(explanation, &recipient->facts, FACT_RECIPIENT_RULE, "rule", "what decided it");
	if (recipient->fate != FATE_DELIVERED && reply.code)
		add_fact(explanation, &recipient->facts, FACT_RECIPIENT_STAGE, "stage",
			 reply_meaning_at(facts_text(&recipient->facts, FACT_RECIPIENT_STAGE), reply.code));
	if (recipient->fate != FATE_DELIVERED)
		(void)explain_reply(explanation, &reply);
	add_list(explanation, &message->facts, FACT_MESSAGE_WHY, ADVICE_WHY);
	add_list(explanation, &recipient->facts, FACT_RECIPIENT_INCOMPLETE, ADVICE_MISSING);
	add_list(explanation, &message->facts, FACT_MESSAGE_INCOMPLETE, ADVICE_MISSING);
}

/* ---- a dialogue ---- */

bool explain_session(struct explanation *explanation, const struct session *session)
{
	struct text stage = facts_text(&session->facts, FACT_SESSION_FAILED_STAGE);
	struct reply reply = reply_read(facts_text(&session->facts, FACT_SESSION_FAILED_REPLY));

	explanation->count = 0;
	/* Messages are explained by their recipients. */
	if (!stage.start || facts_number(&session->facts, FACT_SESSION_MAIL_COMMANDS, 0) ||
	    facts_number(&session->facts, FACT_SESSION_RCPT_COMMANDS, 0))
		return false;
	add_fact(explanation, &session->facts, FACT_SESSION_FAILED_REPLY, "reply", "what was said");
	add_fact(explanation, &session->facts, FACT_SESSION_FAILED_STAGE, "stage", reply_meaning_at(stage, reply.code));
	(void)explain_reply(explanation, &reply);
	add_fact(explanation, &session->facts, FACT_SESSION_ENDED, "ended", "how the session ended");
	return true;
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

void explain_print_json(const struct explanation *explanation, FILE *out)
{
	(void)fputc('[', out);
	for (unsigned i = 0; i < explanation->count; i++) {
		const struct finding *finding = &explanation->findings[i];

		fprintf(out, "%s{\"what\":\"%s\",\"value\":", i ? ",\n" : "", finding->what);
		show_json_string(out, finding->value);
		put_member(out, "meaning", finding->meaning);
		put_member(out, "next", finding->next);
		(void)fputc('}', out);
	}
	(void)fputs("]", out);
}
