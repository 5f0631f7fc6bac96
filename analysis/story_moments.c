/* story_moments.c - what happened when, and what is told of it: tables of facts. */
#include "analysis/story_moments.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

static const enum fact connect_facts[] = {
	FACT_SESSION_CLIENT_NAME, FACT_SESSION_CLIENT_ADDR, FACT_SESSION_CLIENT_PORT,
	FACT_SESSION_CLIENT_PTR, FACT_SESSION_CLIENT_RESOLVE, FACT_SESSION_HOST, FACT_SESSION_INSTANCE,
	FACT_SESSION_PROCESS, FACT_SESSION_PID, FACT_SESSION_DIRECTION, FACT_SESSION_SERVER_NAME,
	FACT_SESSION_SERVER_ADDR, FACT_SESSION_DAEMON_NAME, FACT_SESSION_SCREEN, FACT_SESSION_DNSBL_RANK,
	FACT_SESSION_BLOCKLISTS, FACT_SESSION_PIPELINING, FACT_SESSION_HELO, FACT_SESSION_PROTOCOL,
	FACT_SESSION_TLS_VERSION, FACT_SESSION_CIPHER, FACT_SESSION_TLS_TRUST, FACT_SESSION_TLS_ERROR,
	FACT_SESSION_CERT_SUBJECT, FACT_SESSION_AUTH_TYPE, FACT_SESSION_AUTH_AUTHEN, FACT_SESSION_SESSION,
	FACT_COUNT,
};
static const enum fact login_facts[] = {
	FACT_LOGIN_SERVICE, FACT_LOGIN_AUTH_TYPE, FACT_LOGIN_AUTH_AUTHEN, FACT_LOGIN_CLIENT_ADDR,
	FACT_LOGIN_REASON, FACT_LOGIN_ATTEMPTS, FACT_LOGIN_TLS, FACT_COUNT,
};
static const enum fact message_facts[] = {
	FACT_MESSAGE_FROM, FACT_MESSAGE_ORIGIN, FACT_MESSAGE_UID, FACT_MESSAGE_HOST, FACT_MESSAGE_INSTANCE,
	FACT_MESSAGE_GENERATION, FACT_MESSAGE_SIZE, FACT_MESSAGE_RECIPIENTS, FACT_MESSAGE_MESSAGE_ID,
	FACT_MESSAGE_HEADER_FROM, FACT_MESSAGE_SUBJECT, FACT_MESSAGE_LIST_ID, FACT_MESSAGE_CONTENT_TYPE,
	FACT_MESSAGE_ATTACHMENTS, FACT_MESSAGE_CLAIMED, FACT_MESSAGE_SCORE, FACT_MESSAGE_FILTER_VERDICT,
	FACT_MESSAGE_NOTIFICATION, FACT_MESSAGE_RETURN_PATH, FACT_MESSAGE_WARNINGS, FACT_COUNT,
};
static const enum fact recipient_facts[] = {
	FACT_RECIPIENT_TO, FACT_RECIPIENT_ORIG_TO, FACT_RECIPIENT_STAGE, FACT_RECIPIENT_BY,
	FACT_RECIPIENT_RULE, FACT_RECIPIENT_REASON, FACT_RECIPIENT_REPLY_CODE, FACT_RECIPIENT_DSN,
	FACT_RECIPIENT_REPLY, FACT_COUNT,
};
static const enum fact check_facts[] = {
	FACT_CHECK_RESULT, FACT_CHECK_ENGINE, FACT_CHECK_IDENTITY, FACT_CHECK_DOMAIN, FACT_CHECK_TERM,
	FACT_CHECK_SELECTOR, FACT_CHECK_ALGORITHM, FACT_CHECK_KEY_BITS, FACT_CHECK_FROM_DOMAIN,
	FACT_CHECK_POLICY_DOMAIN, FACT_CHECK_POLICY, FACT_CHECK_ALIGNED_SPF, FACT_CHECK_ALIGNED_DKIM,
	FACT_CHECK_WHY, FACT_CHECK_DISPOSITION, FACT_CHECK_ERROR, FACT_CHECK_TIME_US, FACT_COUNT,
};
static const enum fact queued_facts[] = { FACT_MESSAGE_SPF, FACT_MESSAGE_DKIM, FACT_MESSAGE_DMARC, FACT_MESSAGE_WHY, FACT_COUNT };
static const enum fact attempt_facts[] = {
	FACT_ATTEMPT_AGENT, FACT_ATTEMPT_RELAY_NAME, FACT_ATTEMPT_RELAY_ADDR, FACT_ATTEMPT_RELAY_PORT,
	FACT_ATTEMPT_CONNECTION_USE, FACT_ATTEMPT_DELAY, FACT_ATTEMPT_DELAY_BEFORE,
	FACT_ATTEMPT_DELAY_QUEUE, FACT_ATTEMPT_DELAY_CONNECTION, FACT_ATTEMPT_DELAY_TRANSFER,
	FACT_ATTEMPT_TLS_VERSION, FACT_ATTEMPT_CIPHER, FACT_ATTEMPT_TLS_TRUST, FACT_ATTEMPT_REASON,
	FACT_ATTEMPT_DSN, FACT_ATTEMPT_REPLY, FACT_ATTEMPT_REMOTE_QUEUE_ID, FACT_COUNT,
};
static const enum fact removed_facts[] = { FACT_COUNT };
static const enum fact disconnect_facts[] = {
	FACT_SESSION_ENDED, FACT_SESSION_LAST_STAGE, FACT_SESSION_FAILED_STAGE, FACT_SESSION_FAILED_REPLY,
	FACT_SESSION_FAILED_MEANING, FACT_SESSION_DIALOGUE, FACT_SESSION_MESSAGES,
	FACT_SESSION_MAIL_COMMANDS, FACT_SESSION_RCPT_COMMANDS, FACT_SESSION_RCPT_GOOD,
	FACT_SESSION_DATA_COMMANDS, FACT_SESSION_AUTH_COMMANDS, FACT_SESSION_AUTH_GOOD,
	FACT_SESSION_COMMANDS, FACT_SESSION_COMMANDS_GOOD, FACT_SESSION_UNKNOWN_COMMANDS,
	FACT_SESSION_WARNINGS, FACT_COUNT,
};

/* A row without a word has one of its facts' for it. */
static const struct {
	const char *word;
	const enum fact *facts;
} events[STORY_EVENT_COUNT] = {
	[STORY_CONNECT] = { "connect", connect_facts },
	[STORY_LOGIN] = { NULL, login_facts },
	[STORY_MESSAGE] = { "message", message_facts },
	[STORY_RECIPIENT] = { NULL, recipient_facts },
	[STORY_CHECK] = { NULL, check_facts },
	[STORY_QUEUED] = { "queued", queued_facts },
	[STORY_ATTEMPT] = { NULL, attempt_facts },
	[STORY_REMOVED] = { "removed", removed_facts },
	[STORY_DISCONNECT] = { "disconnect", disconnect_facts },
};

static const struct facts *facts_of(const struct story_moment *moment)
{
	switch (moment->event) {
	case STORY_CONNECT:
	case STORY_DISCONNECT:
		return &moment->session->facts;
	case STORY_LOGIN:
		return &moment->login->facts;
	case STORY_MESSAGE:
	case STORY_QUEUED:
	case STORY_REMOVED:
		return &moment->message->facts;
	case STORY_RECIPIENT:
		return &moment->recipient->facts;
	case STORY_CHECK:
		return &moment->check->facts;
	case STORY_ATTEMPT:
		return &moment->attempt->facts;
	case STORY_EVENT_COUNT:
		break;
	}
	return NULL;
}

const enum fact *story_moment_facts(const struct story_moment *moment, const struct facts **ret_facts)
{
	*ret_facts = facts_of(moment);
	return events[moment->event].facts;
}

static struct text or_else(struct text text, const char *otherwise)
{
	return text.start ? text : text_of(otherwise);
}

struct text story_moment_word(const struct story_moment *moment)
{
	switch (moment->event) {
	case STORY_LOGIN:
		return text_is(facts_text(&moment->login->facts, FACT_LOGIN_OUTCOME), "passed") ? TEXT_LITERAL("login") :
												TEXT_LITERAL("login failed");
	case STORY_RECIPIENT:
		/* How it ended is told of what ended here; else it was only named. */
		return moment->recipient->tries || moment->recipient->fate == FATE_UNKNOWN ? TEXT_LITERAL("recipient") :
			text_of(fate_name((enum fate)moment->recipient->fate));
	case STORY_CHECK:
		return or_else(facts_text(&moment->check->facts, FACT_CHECK_CHECK), "check");
	case STORY_ATTEMPT:
		return or_else(facts_text(&moment->attempt->facts, FACT_ATTEMPT_STATUS), "attempt");
	case STORY_CONNECT:
	case STORY_MESSAGE:
	case STORY_QUEUED:
	case STORY_REMOVED:
	case STORY_DISCONNECT:
	case STORY_EVENT_COUNT:
		break;
	}
	return text_of(events[moment->event].word);
}

struct text story_message_name(const struct message *message, char scratch[static 17])
{
	struct text queue_id = facts_text(&message->facts, FACT_MESSAGE_QUEUE_ID);

	if (queue_id.length)
		return queue_id;
	return (struct text){ scratch, (size_t)snprintf(scratch, 17, "%016" PRIx64, message->key) };
}

/* ---- the list ---- */

struct list {
	struct story_moment *moments;
	size_t count, size;
	bool lacks_memory;
};

static void add(struct list *list, struct story_moment moment)
{
	if (list->count == list->size) {
		size_t size = list->size ? list->size * 2 : 64;
		struct story_moment *larger = reallocarray(list->moments, size, sizeof *larger);

		if (!larger) {
			list->lacks_memory = true;
			return;
		}
		list->moments = larger;
		list->size = size;
	}
	list->moments[list->count] = moment;
	list->moments[list->count].number = list->count;
	list->count++;
}

enum { STAMP_STEP_US = 1000000 };

/* Not before what it follows, if that lies in the second which is all that is known of it. */
static uint64_t order_behind(uint64_t time_us, uint64_t before_us)
{
	bool is_stamp = time_us % STAMP_STEP_US == 0 && before_us > time_us && before_us - time_us < STAMP_STEP_US;

	return is_stamp ? before_us : time_us;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* What was tried later is told then. */
static bool has_own_moment(const struct recipient *recipient)
{
	return !recipient->tries || recipient->first_us < recipient->tries->time_us;
}

static void add_recipients(struct list *list, const struct message *message, unsigned parents, uint64_t message_us, uint64_t queued_us,
			   uint64_t *last_us)
{
	for (const struct recipient *recipient = message->recipients; recipient; recipient = recipient->next) {
		struct story_moment moment = {
			.time_us = recipient->first_us, .parents = parents, .event = STORY_RECIPIENT, .message = message, .recipient = recipient,
		};

		moment.order_us = order_behind(moment.time_us, message_us);

		if (has_own_moment(recipient))
			add(list, moment);
		moment.event = STORY_ATTEMPT;
		for (const struct attempt *attempt = recipient->tries; attempt; attempt = attempt->next) {
			moment.attempt = attempt;
			moment.time_us = attempt->time_us;
			moment.order_us = order_behind(moment.time_us, later(queued_us, recipient->first_us));
			*last_us = later(*last_us, moment.order_us);
			add(list, moment);
		}
	}
}

/* A filter behind a filter behind a filter. */
enum { PARENTS_MAX = 8 };

static uint64_t parent_us(const struct story *story, const struct message *message, unsigned parents);

static uint64_t begin_us(const struct story *story, const struct message *message, unsigned parents)
{
	return order_behind(message->start_us, parent_us(story, message, parents));
}

/* Recipients are all named before it is in the queue. */
static uint64_t named_us(const struct story *story, const struct message *message, unsigned parents)
{
	uint64_t last_us = begin_us(story, message, parents);

	for (const struct recipient *recipient = message->recipients; recipient; recipient = recipient->next)
		last_us = later(last_us, order_behind(last_us - last_us % STAMP_STEP_US, recipient->first_us));
	return last_us;
}

static const struct message *parent_of(const struct story *story, const struct message *message)
{
	for (size_t i = 0; message->parent_key && i < story->message_count; i++)
		if (story->messages[i]->key == message->parent_key)
			return story->messages[i];
	return NULL;
}

/* When what it came from was in the queue; 0: it came from nothing that is here. */
static uint64_t parent_us(const struct story *story, const struct message *message, unsigned parents)
{
	const struct message *parent = parents < PARENTS_MAX ? parent_of(story, message) : NULL;

	return parent ? named_us(story, parent, parents + 1) : 0;
}

static unsigned count_parents(const struct story *story, const struct message *message)
{
	unsigned count = 0;

	while (count < PARENTS_MAX && (message = parent_of(story, message)))
		count++;
	return count;
}

static void add_message(struct list *list, const struct story *story, const struct message *message)
{
	struct story_moment moment = {
		.time_us = message->start_us, .order_us = begin_us(story, message, 0), .event = STORY_MESSAGE, .message = message,
	};
	unsigned parents = moment.parents = count_parents(story, message);
	uint64_t message_us = moment.order_us, queued_us = named_us(story, message, 0), last_us = queued_us;
	struct fact_value when;

	add(list, moment);
	if (facts_find(&message->facts, FACT_MESSAGE_QUEUED, &when)) {
		moment.event = STORY_QUEUED;
		moment.time_us = when.number;
		moment.order_us = order_behind(when.number, queued_us);
		add(list, moment);
	}
	add_recipients(list, message, parents, message_us, queued_us, &last_us);
	if (facts_find(&message->facts, FACT_MESSAGE_REMOVED, &when)) {
		moment.event = STORY_REMOVED;
		moment.time_us = when.number;
		moment.order_us = order_behind(when.number, last_us);
		add(list, moment);
	}
	moment.event = STORY_CHECK;
	for (const struct check *check = message->checks; check; check = check->next) {
		moment.check = check;
		moment.time_us = check->time_us;
		moment.order_us = order_behind(check->time_us, message_us);
		add(list, moment);
	}
}

static void add_session(struct list *list, const struct story *story, const struct session *session)
{
	struct story_moment moment = { .time_us = session->start_us, .order_us = session->start_us, .event = STORY_CONNECT, .session = session };
	uint64_t last_us = session->start_us;

	for (size_t i = 0; i < story->message_count; i++) {
		if (story->messages[i]->session_key != session->key)
			continue;
		moment.order_us = order_behind(moment.order_us, parent_us(story, story->messages[i], 0));
		if (count_parents(story, story->messages[i]) > moment.parents)
			moment.parents = count_parents(story, story->messages[i]);
		last_us = later(last_us, named_us(story, story->messages[i], 0));
	}
	add(list, moment);
	if (!session->end_us)
		return;
	moment.event = STORY_DISCONNECT;
	moment.time_us = session->end_us;
	moment.order_us = order_behind(session->end_us, later(moment.order_us, last_us));
	add(list, moment);
}

/* Of one of the sessions, whose begin may be told finer. */
static void add_login(struct list *list, const struct story *story, const struct login *login)
{
	struct story_moment moment = { .time_us = login->time_us, .order_us = login->time_us, .event = STORY_LOGIN, .login = login };

	for (size_t i = 0; login->session_key && i < story->session_count; i++)
		if (story->sessions[i]->key == login->session_key)
			moment.order_us = order_behind(login->time_us, story->sessions[i]->start_us);
	add(list, moment);
}

static int by_time(const void *a, const void *b)
{
	const struct story_moment *left = a, *right = b;

	if (left->order_us != right->order_us)
		return left->order_us < right->order_us ? -1 : 1;
	if (left->parents != right->parents)
		return left->parents < right->parents ? -1 : 1;
	if (left->event != right->event)
		return (int)left->event - (int)right->event;
	return (left->number > right->number) - (left->number < right->number);
}

int story_moments(const struct story *story, struct story_moment **ret_moments, size_t *ret_count)
{
	struct list list = { .count = 0 };

	for (size_t i = 0; i < story->session_count; i++)
		add_session(&list, story, story->sessions[i]);
	for (size_t i = 0; i < story->login_count; i++)
		add_login(&list, story, story->logins[i]);
	for (size_t i = 0; i < story->message_count; i++)
		add_message(&list, story, story->messages[i]);
	if (list.lacks_memory) {
		free(list.moments);
		return -ENOMEM;
	}
	if (list.count)
		qsort(list.moments, list.count, sizeof *list.moments, by_time);
	*ret_moments = list.moments;
	*ret_count = list.count;
	return 0;
}
