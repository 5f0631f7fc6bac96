/* correlate_facts.c - a clue's words as facts, each resting on that clue. */
#include "analysis/correlate_internal.h"

enum { SECOND_DIGITS = 6 };

/* What the join itself asks for: tests/check_report_facts knows where. */
static const enum fact asked_for[] = {
	FACT_SESSION_SERVER_NAME, FACT_SESSION_SERVER_ADDR, FACT_SESSION_FAILED_STAGE,
	FACT_MESSAGE_FROM, FACT_MESSAGE_SIZE,
	FACT_RECIPIENT_STAGE,
};
/* What it asks for where another is kept, that one perhaps itself: for the first of several that are told. */
static const struct {
	enum fact kept, asked;
} asked_beside[] = {
	{ FACT_SESSION_SCREEN, FACT_SESSION_SCREEN }, { FACT_MESSAGE_STATE, FACT_MESSAGE_STATE },
	{ FACT_MESSAGE_ORIGIN, FACT_MESSAGE_ORIGIN }, { FACT_MESSAGE_ORIGIN, FACT_SESSION_AUTH_AUTHEN },
	{ FACT_MESSAGE_ORIGIN, FACT_SESSION_CLIENT_ADDR },
	{ FACT_MESSAGE_PARENT_QUEUE_ID, FACT_MESSAGE_QUEUE_ID },
	/* To say whether something is missing. */
	{ FACT_MESSAGE_INCOMPLETE, FACT_MESSAGE_RECIPIENTS },
};
/* What it asks for to hold records, or the queue, beside the log. */
static const enum fact asked_beside_logs[] = {
	FACT_SESSION_HOST, FACT_SESSION_MESSAGES, FACT_SESSION_RCPT_COMMANDS, FACT_SESSION_RCPT_GOOD, FACT_SESSION_COMMANDS,
	FACT_MESSAGE_QUEUE_SEEN, FACT_RECIPIENT_REPLY,
};
/* What is made of a message's checks. */
static const enum fact asked_of_checks[] = {
	FACT_CHECK_CHECK, FACT_MESSAGE_SPF, FACT_MESSAGE_DKIM, FACT_MESSAGE_DMARC, FACT_MESSAGE_FROM_DOMAIN,
};
static const enum fact asked_for_checks[] = { FACT_CHECK_IDENTITY, FACT_CHECK_RESULT, FACT_CHECK_FROM_DOMAIN };

/* What replies are taken apart for. */
static const enum fact of_replies[] = {
	FACT_RECIPIENT_REPLY_CODE, FACT_RECIPIENT_DSN, FACT_RECIPIENT_REPLY, FACT_RECIPIENT_RULE, FACT_RECIPIENT_REASON,
	FACT_ATTEMPT_REPLY_CODE, FACT_ATTEMPT_REASON,
};

static void add_facts(struct fact_set *set, const enum fact *facts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		fact_set_add(set, facts[i]);
}

void fact_choose(struct correlate *correlate)
{
	correlate->keeps_evidence = correlate->keeps_checks = correlate->keeps_replies = !correlate->options.facts;
	if (!correlate->options.facts) {
		memset(&correlate->facts, correlate->keeps_facts ? 0xff : 0, sizeof correlate->facts);
		return;
	}
	correlate->facts = *correlate->options.facts;
	correlate->options.facts = NULL;
	for (size_t i = 0; i < sizeof asked_of_checks / sizeof asked_of_checks[0]; i++)
		correlate->keeps_checks |= fact_is_kept(correlate, asked_of_checks[i]);
	add_facts(&correlate->facts, asked_for, sizeof asked_for / sizeof asked_for[0]);
	if (!correlate->options.only_logs)
		add_facts(&correlate->facts, asked_beside_logs, sizeof asked_beside_logs / sizeof asked_beside_logs[0]);
	for (size_t i = 0; i < sizeof asked_beside / sizeof asked_beside[0]; i++)
		if (fact_is_kept(correlate, asked_beside[i].kept))
			fact_set_add(&correlate->facts, asked_beside[i].asked);
	if (correlate->keeps_checks)
		add_facts(&correlate->facts, asked_for_checks, sizeof asked_for_checks / sizeof asked_for_checks[0]);
	if (!fact_is_kept(correlate, FACT_RECIPIENT_REASON) && !fact_is_kept(correlate, FACT_ATTEMPT_REASON))
		correlate->options.keeps_reasons = false;
	for (size_t i = 0; i < sizeof of_replies / sizeof of_replies[0]; i++)
		correlate->keeps_replies |= fact_is_kept(correlate, of_replies[i]);
}

void fact_rest_on(struct clue *clue, struct facts *facts, enum join_key key)
{
	clue->evidence.key = (uint8_t)key;
	facts_rest_on(facts, clue->correlate->pool, &clue->evidence);
}

uint64_t fact_number(struct text text)
{
	uint64_t number = 0;

	for (size_t i = 0; i < text.length && text.start[i] >= '0' && text.start[i] <= '9'; i++) {
		if (number > (UINT64_MAX - 9) / 10)
			return UINT64_MAX;
		number = number * 10 + (uint64_t)(text.start[i] - '0');
	}
	return number;
}

/* "1+02:03:04": days, hours, minutes, seconds. */
static uint64_t read_clock(struct text text)
{
	uint64_t sum = 0, part = 0;

	for (size_t i = 0; i < text.length && sum < UINT32_MAX; i++) {
		if (text.start[i] >= '0' && text.start[i] <= '9' && part < UINT32_MAX) {
			part = part * 10 + (uint64_t)(text.start[i] - '0');
			continue;
		}
		sum = (sum + part) * (text.start[i] == '+' ? 24 : 60);
		part = 0;
	}
	return (sum + part) * 1000000;
}

/* "1.25": seconds as microseconds. */
static uint64_t read_seconds(struct text text)
{
	const char *dot = memchr(text.start, '.', text.length);
	uint64_t whole = fact_number(text), part = 0;
	size_t digits = 0;

	if (memchr(text.start, ':', text.length))
		return read_clock(text);
	if (whole > UINT64_MAX / 2000000)
		return UINT64_MAX;
	for (const char *at = dot ? dot + 1 : NULL; at && at < text.start + text.length && digits < SECOND_DIGITS; at++, digits++) {
		if (*at < '0' || *at > '9')
			break;
		part = part * 10 + (uint64_t)(*at - '0');
	}
	for (; digits < SECOND_DIGITS; digits++)
		part *= 10;
	return whole * 1000000 + part;
}

void fact_put_kept(struct clue *clue, struct facts *facts, enum fact fact, struct text value)
{
	struct pool *pool = clue->correlate->pool;
	uint64_t time_us;

	switch (fact_table[fact].type) {
	case FACT_TEXT:
	case FACT_ADDRESS:
	case FACT_WORD:
	case FACT_IP:
		facts_set_text(facts, pool, fact, value);
		break;
	case FACT_LIST:
		facts_add_item(facts, pool, fact, value);
		break;
	case FACT_NUMBER:
	case FACT_SIZE:
		facts_set_number(facts, pool, fact, fact_number(value));
		break;
	case FACT_DURATION:
		facts_set_number(facts, pool, fact, read_seconds(value));
		break;
	case FACT_TIME:
		if (time_parse(value, &time_us) == 0)
			facts_set_number(facts, pool, fact, time_us);
		break;
	}
}

void fact_put_number(struct clue *clue, struct facts *facts, enum fact fact, uint64_t number)
{
	if (fact_is_kept(clue->correlate, fact))
		facts_set_number(facts, clue->correlate->pool, fact, number);
}

void fact_add(struct clue *clue, struct facts *facts, enum fact fact, struct text text)
{
	if (fact_is_kept(clue->correlate, fact))
		facts_add_text(facts, clue->correlate->pool, fact, text);
}

void fact_add_number(struct clue *clue, struct facts *facts, enum fact fact, uint64_t number)
{
	if (fact_is_kept(clue->correlate, fact))
		facts_add_number(facts, clue->correlate->pool, fact, number);
}

void fact_copy(struct clue *clue, struct facts *facts, const struct fact_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fact_is_kept(clue->correlate, rows[i].fact) && clue_has(clue, rows[i].name))
			fact_put(clue, facts, rows[i].fact, clue_text(clue, rows[i].name));
}
