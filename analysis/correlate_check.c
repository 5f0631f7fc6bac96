/*
 * correlate_check.c - what companions found of a message: SPF, DKIM and DMARC, and what a content filter thinks of it.
 */
#include "analysis/correlate_internal.h"
#include "analysis/key_set.h"

static const struct fact_row check_rows[] = {
	{ NAME_DOMAIN, FACT_CHECK_DOMAIN }, { NAME_SELECTOR, FACT_CHECK_SELECTOR }, { NAME_SPF_IDENTITY, FACT_CHECK_IDENTITY },
	{ NAME_ERROR, FACT_CHECK_ERROR }, { NAME_FROM_DOMAIN, FACT_CHECK_FROM_DOMAIN },
};

/* In the words of RFC 8601, where a program has its own. */
static struct text result_of(const struct clue *clue, const char *otherwise, char scratch[16])
{
	struct text result = clue_text(clue, NAME_RESULT);

	if (!result.length || result.length >= 16)
		return text_of(otherwise);
	for (size_t i = 0; i < result.length; i++)
		scratch[i] = (char)(result.start[i] >= 'A' && result.start[i] <= 'Z' ? result.start[i] + 32 : result.start[i]);
	result.start = scratch;
	return text_is(result, "successful") ? TEXT_LITERAL("pass") : result;
}

/* The message's own result, where our milter has not said it: of several signatures the best. */
static void keep_result(struct clue *clue, struct open_message *message, enum fact fact, struct text result)
{
	struct facts *facts = &message->message.facts;
	bool is_better = fact == FACT_MESSAGE_DKIM && !message->by_records && text_is(result, "pass");

	if ((is_better || !facts_text(facts, fact).start) && fact_begin(clue, facts, JOIN_QUEUE_ID))
		fact_put(clue, facts, fact, result);
}

static void keep_check(struct clue *clue, const char *name, const char *otherwise, enum fact fact)
{
	struct open_message *message = clue->correlate->keeps_facts ? message_of(clue) : NULL;
	struct check *check = message && clue->correlate->keeps_checks ? check_add(clue, message) : NULL;
	char scratch[16];

	if (!check || !fact_begin(clue, &check->facts, JOIN_QUEUE_ID))
		return;
	fact_put(clue, &check->facts, FACT_CHECK_CHECK, text_of(name));
	fact_put(clue, &check->facts, FACT_CHECK_BY, clue->origin->program);
	fact_put(clue, &check->facts, FACT_CHECK_RESULT, result_of(clue, otherwise, scratch));
	FACT_COPY(clue, &check->facts, check_rows);
	/* The message's SPF is that of its sender. */
	if (!text_is(facts_text(&check->facts, FACT_CHECK_IDENTITY), "helo"))
		keep_result(clue, message, fact, facts_text(&check->facts, FACT_CHECK_RESULT));
	if (fact == FACT_MESSAGE_DMARC)
		keep_result(clue, message, FACT_MESSAGE_FROM_DOMAIN, facts_text(&check->facts, FACT_CHECK_FROM_DOMAIN));
}

void correlate_spf(struct clue *clue)
{
	keep_check(clue, "spf", NULL, FACT_MESSAGE_SPF);
}

void correlate_dkim_verified(struct clue *clue)
{
	keep_check(clue, "dkim", NULL, FACT_MESSAGE_DKIM);
}

void correlate_dkim_bad(struct clue *clue)
{
	keep_check(clue, "dkim", "fail", FACT_MESSAGE_DKIM);
}

void correlate_dmarc(struct clue *clue)
{
	keep_check(clue, "dmarc", NULL, FACT_MESSAGE_DMARC);
}

/* It is put off, and tried again later. */
static bool is_put_off(const struct clue *clue, const struct open_recipient *recipient)
{
	return recipient->recipient.fate == FATE_DEFERRED && recipient->told_us >= clue->time_us;
}

/* Those of the names that the message has, which are put into known. */
static void block_known(const struct clue *clue, struct open_message *message, const struct key_set *names, struct key_set *known)
{
	for (struct recipient *each = message->message.recipients; each; each = each->next) {
		struct open_recipient *recipient = (struct open_recipient *)each;

		if (!recipient->to || !key_set_has(names, recipient->to))
			continue;
		(void)key_set_add(known, recipient->to);
		if (!is_put_off(clue, recipient))
			recipient_block(recipient);
	}
}

/* The filter names them as they were delivered to it, and mostly before the line that tells of that. Others of the message may
 * go on: it comes to the filter in several parts, or to people who want different things of it. */
static void block(struct clue *clue, struct open_message *message)
{
	struct key_set names = { .slots = NULL }, known = { .slots = NULL };
	struct recipient_walk walk = { .at = 0 }, again = { .at = 0 };
	struct open_recipient *recipient;
	struct text to;

	while (recipient_next(clue, &walk, &to))
		(void)key_set_add(&names, recipient_hash(clue->correlate, to));
	block_known(clue, message, &names, &known);
	while (recipient_next(clue, &again, &to)) {
		recipient = key_set_has(&known, recipient_hash(clue->correlate, to)) ? NULL :
			    recipient_of(clue, message, to, TEXT_NONE, JOIN_QUEUE_ID);
		if (recipient)
			recipient_block(recipient);
	}
	message->is_filtered = true;
	message->item.is_changed = true;
	key_set_done(&names);
	key_set_done(&known);
}

void correlate_scanned(struct clue *clue)
{
	struct open_message *message = message_of(clue);
	struct text outcome = clue_text(clue, NAME_OUTCOME);

	if (!message)
		return;
	if (text_is(outcome, "Blocked"))
		block(clue, message);
	if (!fact_begin(clue, &message->message.facts, JOIN_QUEUE_ID))
		return;
	fact_put(clue, &message->message.facts, FACT_MESSAGE_SCORE, clue_text(clue, NAME_SCORE));
	fact_put(clue, &message->message.facts, FACT_MESSAGE_FILTER_VERDICT,
		 outcome.length ? outcome : clue_text(clue, clue_has(clue, NAME_ACTION) ? NAME_ACTION : NAME_VERDICT));
}
