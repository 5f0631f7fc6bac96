/*
 * story_moments.h - a story as moments in the order of time: from the connect to the last attempt.
 *
 * Threads: one owner at a time.
 * Memory:  what is listed borrows from the story.
 */
#ifndef SMTPTRAIL_STORY_MOMENTS_H
#define SMTPTRAIL_STORY_MOMENTS_H

#include "analysis/story.h"

/* Of those at one time the first named comes first. */
enum story_event {
	STORY_CONNECT, STORY_LOGIN, STORY_MESSAGE, STORY_RECIPIENT, STORY_CHECK, STORY_QUEUED, STORY_ATTEMPT, STORY_REMOVED, STORY_DISCONNECT,
	STORY_EVENT_COUNT,
};

struct story_moment {
	uint64_t time_us;
	uint64_t order_us;		/* where it stands among the others: in a second that is all that a log's stamp tells (then it is
					 * not time_us) behind what must have come before it */
	unsigned parents;		/* behind which it comes, at one time */
	enum story_event event;
	size_t number;			/* in the order of the story's parts, for those of one time */
	const struct session *session;	/* what it is not of is NULL */
	const struct message *message;
	const struct recipient *recipient;
	const struct attempt *attempt;
	const struct check *check;
	const struct login *login;
};

/* To free. 0 or -ENOMEM. */
int story_moments(const struct story *story, struct story_moment **ret_moments, size_t *ret_count);
/* "connect", "message", "deferred": what happened, in a word. */
struct text story_moment_word(const struct story_moment *moment);
/* The facts that a person is told of it, the one behind the last is FACT_COUNT; and whose they are. */
const enum fact *story_moment_facts(const struct story_moment *moment, const struct facts **ret_facts);

/* How a person calls a message: its queue identifier, or else its key, in words that are lent until the next call. */
struct text story_message_name(const struct message *message, char scratch[static 17]);

#endif
