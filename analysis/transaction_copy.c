/* transaction_copy.c - deep copies of sessions, messages and logins. */
#include "analysis/transaction_copy.h"

static void *copy_of(struct pool *pool, const void *from, size_t size)
{
	size_t room = size;
	void *copy = pool_take(pool, &room);

	if (copy)
		memcpy(copy, from, size);
	return copy;
}

/* In place of what it was copied with; false: no memory. */
static bool own_facts(struct pool *pool, struct facts *facts)
{
	bool is_cut = facts->is_cut;

	if (!facts->used)
		*facts = (struct facts){ .is_cut = is_cut };
	else
		facts->bytes = copy_of(pool, facts->bytes, facts->used);
	facts->size = facts->used;
	return !facts->used || facts->bytes;
}

struct session *session_copy(struct pool *pool, const struct session *session)
{
	struct session *copy = copy_of(pool, session, sizeof *session);

	if (!copy || !own_facts(pool, &copy->facts))
		return NULL;
	copy->messages = NULL;
	return copy;
}

struct attempt *attempt_copy(struct pool *pool, const struct attempt *attempt)
{
	struct attempt *copy = copy_of(pool, attempt, sizeof *attempt);

	if (!copy || !own_facts(pool, &copy->facts))
		return NULL;
	copy->next = NULL;
	return copy;
}

static bool copy_recipient(struct pool *pool, const struct recipient *recipient, struct recipient **at)
{
	struct recipient *copy = *at = copy_of(pool, recipient, sizeof *recipient);
	struct attempt **last;

	if (!copy || !own_facts(pool, &copy->facts))
		return false;
	copy->next = NULL;
	last = &copy->tries;
	for (const struct attempt *attempt = recipient->tries; attempt; attempt = attempt->next) {
		*last = attempt_copy(pool, attempt);
		if (!*last)
			return false;
		last = &(*last)->next;
	}
	*last = NULL;
	return true;
}

static bool copy_recipients(struct pool *pool, const struct message *message, struct recipient **at)
{
	*at = NULL;
	for (const struct recipient *recipient = message->recipients; recipient;
	     recipient = recipient->next) {
		if (!copy_recipient(pool, recipient, at))
			return false;
		at = &(*at)->next;
	}
	return true;
}

static bool copy_checks(struct pool *pool, const struct message *message, struct check **at)
{
	*at = NULL;
	for (const struct check *check = message->checks; check; check = check->next) {
		*at = copy_of(pool, check, sizeof *check);
		if (!*at || !own_facts(pool, &(*at)->facts))
			return false;
		(*at)->next = NULL;
		at = &(*at)->next;
	}
	return true;
}

struct message *message_copy(struct pool *pool, const struct message *message)
{
	struct message *copy = copy_of(pool, message, sizeof *message);

	if (!copy || !own_facts(pool, &copy->facts) || !copy_recipients(pool, message, &copy->recipients) ||
	    !copy_checks(pool, message, &copy->checks))
		return NULL;
	copy->session = NULL;
	copy->way = NULL;
	copy->next_in_session = NULL;
	return copy;
}

struct login *login_copy(struct pool *pool, const struct login *login)
{
	struct login *copy = copy_of(pool, login, sizeof *login);

	return copy && own_facts(pool, &copy->facts) ? copy : NULL;
}
