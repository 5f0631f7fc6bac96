/* correlate_facts.c - a clue's words as facts, each resting on that clue. */
#include "analysis/correlate_internal.h"

enum { SECOND_DIGITS = 6 };

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

void fact_put(struct clue *clue, struct facts *facts, enum fact fact, struct text value)
{
	struct pool *pool = clue->correlate->pool;
	uint64_t time_us;

	if (!value.start)
		return;
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
	facts_set_number(facts, clue->correlate->pool, fact, number);
}

void fact_copy(struct clue *clue, struct facts *facts, const struct fact_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (clue_has(clue, rows[i].name))
			fact_put(clue, facts, rows[i].fact, clue_text(clue, rows[i].name));
}
