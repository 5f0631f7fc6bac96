/* transaction.c - names and keys. */
#include "analysis/transaction.h"

static const struct {
	const char *name, *meaning;
} fates[FATE_COUNT] = {
#define FATE(id, name, meaning) { name, meaning },
#include "analysis/fates.def"
#undef FATE
};

/* 2001-01-01T00:00:00Z: 31 bits of seconds reach to 2069. */
static const uint64_t key_epoch = 978307200;

const char *fate_name(enum fate fate)
{
	return fates[fate].name;
}

const char *fate_meaning(enum fate fate)
{
	return fates[fate].meaning;
}

enum fate fate_by_name(struct text name)
{
	int fate = 0;

	while (fate < FATE_COUNT && !text_is(name, fates[fate].name))
		fate++;
	return (enum fate)fate;
}

const char *parent_kind_name(enum parent_kind kind)
{
	static const char *const names[] = {
		[PARENT_NONE] = NULL, [PARENT_HOP] = "hop", [PARENT_NEXT_HOST] = "next_host", [PARENT_FORWARD] = "forward",
		[PARENT_NOTICE] = "notice", [PARENT_HINT] = "hint",
	};

	return names[kind];
}

/* FNV-1a of 64 bits, folded: nobody gains by two keys that are equal, and few are in one second. */
static uint32_t digest_of(const struct text *identity, unsigned count)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (unsigned i = 0; i < count; i++) {
		for (size_t at = 0; at < identity[i].length; at++)
			hash = (hash ^ (unsigned char)identity[i].start[at]) * 0x100000001b3;
		/* "ab", "c" is not "a", "bc". */
		hash = (hash ^ 0x100) * 0x100000001b3;
	}
	return (uint32_t)(hash ^ hash >> 32);
}

transaction_key transaction_key_of(uint64_t time_us, const struct text *identity, unsigned count)
{
	uint64_t seconds = time_us / 1000000;

	seconds = seconds > key_epoch ? seconds - key_epoch : 0;
	return (seconds & 0x7fffffff) << 32 | (digest_of(identity, count) | 1);
}

uint64_t transaction_key_time(transaction_key key)
{
	return ((key >> 32) + key_epoch) * 1000000;
}

static bool has_same(const struct check *a, const struct check *b, enum fact fact)
{
	return text_equal_nocase(facts_text(&a->facts, fact), facts_text(&b->facts, fact));
}

const struct check *check_other_engine(const struct check *checks, const struct check *check)
{
	if (!text_is(facts_text(&check->facts, FACT_CHECK_CHECK), "spf"))
		return NULL;
	for (const struct check *other = checks; other; other = other->next)
		if (has_same(other, check, FACT_CHECK_CHECK) && has_same(other, check, FACT_CHECK_DOMAIN) && has_same(other, check, FACT_CHECK_IDENTITY) &&
		    !has_same(other, check, FACT_CHECK_ENGINE) && !has_same(other, check, FACT_CHECK_RESULT))
			return other;
	return NULL;
}

bool message_is_accepted(const struct message *message)
{
	struct text state = facts_text(&message->facts, FACT_MESSAGE_STATE);

	if (text_is(state, "proxied"))
		return true;
	return facts_text(&message->facts, FACT_MESSAGE_QUEUE_ID).start && !text_is(state, "refused") && !text_is(state, "aborted");
}

/* What was tried by whom, and where that stands: one who tries the same twice in a second is told apart by the line. The
 * name of the file is left out: a rotated file has another one. */
transaction_key login_key(const struct login *login)
{
	static const enum fact who[] = {
		FACT_LOGIN_HOST, FACT_LOGIN_SERVICE, FACT_LOGIN_OUTCOME, FACT_LOGIN_CLIENT_ADDR, FACT_LOGIN_AUTH_AUTHEN,
		FACT_LOGIN_SESSION,
	};
	enum { WHO = sizeof who / sizeof who[0] };
	uint64_t place[2] = { 0, 0 };
	struct text identity[WHO + 1];
	struct fact_value outcome;

	for (size_t i = 0; i < WHO; i++)
		identity[i] = facts_text(&login->facts, who[i]);
	if (facts_find(&login->facts, FACT_LOGIN_OUTCOME, &outcome)) {
		place[0] = outcome.evidence.major;
		place[1] = outcome.evidence.minor;
	}
	identity[WHO] = (struct text){ (const char *)place, sizeof place };
	return transaction_key_of(login->time_us, identity, WHO + 1);
}
