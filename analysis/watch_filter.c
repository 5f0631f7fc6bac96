/* watch_filter.c - which records a watch shows. */
#include "analysis/watch_filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/match.h"

enum { BUCKETS = 16384 };

enum choice { OPEN, CHOSEN, REFUSED };

struct message {
	uint64_t number;		/* 0: free */
	enum choice from, to;
};

struct held {
	struct held *next;
	uint64_t message;		/* 0: of the session as a whole */
	size_t bytes;
	struct input_record *record;
};

struct session {
	struct session *next_in_bucket;
	struct session *older, *newer;
	enum choice client;
	bool has_chosen_message;
	unsigned next_message;		/* slot to use next */
	struct message messages[WATCH_MESSAGES];
	struct held *first, **last;
	size_t held_count, held_bytes;
	uint64_t hash;
	size_t key_length;
	char key[];			/* producer, NUL, session */
};

struct watch_filter {
	struct watch_filter_options options;
	uint32_t stages;		/* a bit for each stage */
	struct network client;
	struct text session;		/* without .MSG */
	uint64_t session_message;	/* 0: any */
	size_t session_count, held_bytes;
	uint64_t given_up;
	struct session *oldest, *newest;
	struct session *buckets[BUCKETS];
};

static int read_stages(struct watch_filter *filter, struct problem *problem)
{
	const char *at = filter->options.stages;

	while (at) {
		struct text name = { at, strcspn(at, ",") };
		const struct stage_info *info = stage_by_name(name);

		if (!info) {
			problem_set(problem, "no stage '%.*s'; smtptrail fields lists them", TEXT_ARGS(name));
			return -EINVAL;
		}
		filter->stages |= UINT32_C(1) << info->number;
		at = at[name.length] ? at + name.length + 1 : NULL;
	}
	return 0;
}

/* ID.MSG, as a line shows it; an identifier may also hold a dot itself, then it is taken whole. */
static void read_session(struct watch_filter *filter)
{
	const char *dot = strrchr(filter->options.session, '.');

	filter->session = text_of(filter->options.session);
	if (dot && input_number(text_of(dot + 1), &filter->session_message))
		filter->session.length = (size_t)(dot - filter->options.session);
}

int watch_filter_new(struct watch_filter **ret_filter, const struct watch_filter_options *options,
		     struct problem *problem)
{
	struct watch_filter *filter = calloc(1, sizeof *filter);

	if (!filter)
		return -ENOMEM;
	filter->options = *options;
	if (options->session)
		read_session(filter);
	if (read_stages(filter, problem))
		goto refuse;
	if (options->client && !network_parse(options->client, &filter->client)) {
		problem_set(problem, "'%s' is no network; wanted as 192.0.2.0/24, 2001:db8::/32, or one address",
			    options->client);
		goto refuse;
	}
	*ret_filter = filter;
	return 0;
refuse:
	free(filter);
	return -EINVAL;
}

uint64_t watch_filter_given_up(const struct watch_filter *filter)
{
	return filter->given_up;
}

/* Takes the record that link points to out of those held. */
static struct held *take_out(struct watch_filter *filter, struct session *session, struct held **link)
{
	struct held *held = *link;

	*link = held->next;
	if (!held->next)
		session->last = link;
	session->held_count--;
	session->held_bytes -= held->bytes;
	filter->held_bytes -= held->bytes;
	return held;
}

static void free_held(struct held *held)
{
	free(held->record);
	free(held);
}

/* Drops what is held of a message; of all where message is 0. */
static void drop_held(struct watch_filter *filter, struct session *session, uint64_t message)
{
	for (struct held **link = &session->first; *link;)
		if (!message || (*link)->message == message)
			free_held(take_out(filter, session, link));
		else
			link = &(*link)->next;
}

static void unlink_age(struct watch_filter *filter, struct session *session)
{
	*(session->older ? &session->older->newer : &filter->oldest) = session->newer;
	*(session->newer ? &session->newer->older : &filter->newest) = session->older;
}

static void link_newest(struct watch_filter *filter, struct session *session)
{
	session->older = filter->newest;
	session->newer = NULL;
	*(filter->newest ? &filter->newest->newer : &filter->oldest) = session;
	filter->newest = session;
}

static void forget(struct watch_filter *filter, struct session *session)
{
	struct session **link = &filter->buckets[session->hash % BUCKETS];

	while (*link != session)
		link = &(*link)->next_in_bucket;
	*link = session->next_in_bucket;
	unlink_age(filter, session);
	drop_held(filter, session, 0);
	filter->session_count--;
	free(session);
}

void watch_filter_free(struct watch_filter *filter)
{
	if (!filter)
		return;
	while (filter->oldest)
		forget(filter, filter->oldest);
	free(filter);
}

/* FNV-1a. */
static uint64_t hash_text(uint64_t hash, struct text text)
{
	for (size_t i = 0; i < text.length; i++)
		hash = (hash ^ (unsigned char)text.start[i]) * UINT64_C(1099511628211);
	return hash;
}

static bool has_key(const struct session *session, struct text producer, struct text id)
{
	return session->key_length == producer.length + 1 + id.length &&
	       memcmp(session->key, producer.start ? producer.start : "", producer.length) == 0 &&
	       session->key[producer.length] == '\0' &&
	       memcmp(session->key + producer.length + 1, id.start, id.length) == 0;
}

static struct session *add_session(struct watch_filter *filter, struct text producer, struct text id, uint64_t hash)
{
	size_t length = producer.length + 1 + id.length;
	struct session *session = calloc(1, sizeof *session + length);

	if (!session)
		return NULL;
	if (filter->session_count == WATCH_SESSIONS) {
		filter->given_up += filter->oldest->held_count;
		forget(filter, filter->oldest);
	}
	filter->session_count++;
	session->hash = hash;
	session->key_length = length;
	if (producer.length)
		memcpy(session->key, producer.start, producer.length);
	memcpy(session->key + producer.length + 1, id.start, id.length);
	session->last = &session->first;
	session->client = filter->options.client ? OPEN : CHOSEN;
	session->next_in_bucket = filter->buckets[hash % BUCKETS];
	filter->buckets[hash % BUCKETS] = session;
	link_newest(filter, session);
	return session;
}

static struct session *find_session(struct watch_filter *filter, const struct input_record *record, struct text id)
{
	struct text producer = input_record_text(record, FIELD_PRODUCER);
	uint64_t hash = hash_text(hash_text(UINT64_C(14695981039346656037), producer), id);
	struct session *session = filter->buckets[hash % BUCKETS];

	while (session && (session->hash != hash || !has_key(session, producer, id)))
		session = session->next_in_bucket;
	if (!session)
		return add_session(filter, producer, id, hash);
	unlink_age(filter, session);
	link_newest(filter, session);
	return session;
}

static struct message *known_message(struct session *session, uint64_t number)
{
	for (unsigned i = 0; i < WATCH_MESSAGES; i++)
		if (session->messages[i].number == number)
			return &session->messages[i];
	return NULL;
}

static struct message *find_message(struct watch_filter *filter, struct session *session, uint64_t number)
{
	struct message *message = known_message(session, number);

	if (message)
		return message;
	message = &session->messages[session->next_message];
	session->next_message = (session->next_message + 1) % WATCH_MESSAGES;
	message->number = number;
	message->from = filter->options.from ? OPEN : CHOSEN;
	message->to = filter->options.to ? OPEN : CHOSEN;
	return message;
}

/* What this record tells about its session and message. */
static void learn(struct watch_filter *filter, struct session *session, struct message *message,
		  const struct input_record *record)
{
	const struct watch_filter_options *wanted = &filter->options;

	if (wanted->client && input_record_is(record, STAGE_CONNECT))
		session->client = network_has(&filter->client, input_record_text(record, FIELD_CLIENT_ADDR)) ?
				  CHOSEN : REFUSED;
	if (!message)
		return;
	struct text from = input_record_text(record, FIELD_FROM);

	/* At mail, and again at verdict: that one helps where the watch began in mid-message. */
	if (message->from == OPEN && from.start)
		message->from = address_matches(wanted->from, from) ? CHOSEN : REFUSED;
	if (message->to == OPEN && address_matches(wanted->to, input_record_text(record, FIELD_TO)))
		message->to = CHOSEN;
	if (session->client == CHOSEN && message->from == CHOSEN && message->to == CHOSEN)
		session->has_chosen_message = true;
}

static enum choice choose(const struct watch_filter *filter, const struct session *session,
			  const struct message *message)
{
	bool by_message = filter->options.from || filter->options.to;

	if (session->client != CHOSEN)
		return session->client;
	if (!message)
		return !by_message || session->has_chosen_message ? CHOSEN : OPEN;
	if (message->from == REFUSED)
		return REFUSED;
	return message->from == CHOSEN && message->to == CHOSEN ? CHOSEN : OPEN;
}

/* Gives up one that is held: rather a message's than the session's own, without which no message is understood. */
static void give_up_one(struct watch_filter *filter, struct session *session)
{
	struct held **link = &session->first;

	while (*link && !(*link)->message)
		link = &(*link)->next;
	free_held(take_out(filter, session, *link ? link : &session->first));
	filter->given_up++;
}

static void hold(struct watch_filter *filter, struct session *session, uint64_t message,
		 const struct input_record *record)
{
	struct held *held = calloc(1, sizeof *held);

	if (held)
		held->record = input_record_copy(record);
	if (!held || !held->record) {
		free(held);
		filter->given_up++;
		return;
	}
	held->message = message;
	held->bytes = sizeof *held + sizeof *record + record->bytes + record->count * sizeof *record->fields;
	*session->last = held;
	session->last = &held->next;
	session->held_count++;
	session->held_bytes += held->bytes;
	filter->held_bytes += held->bytes;
	while (session->held_count > WATCH_HELD_RECORDS ||
	       (session->held_count && session->held_bytes > WATCH_HELD_BYTES))
		give_up_one(filter, session);
	while (filter->held_bytes > WATCH_HELD_ALL && filter->oldest != session) {
		filter->given_up += filter->oldest->held_count;
		forget(filter, filter->oldest);
	}
}

static bool is_shown_stage(const struct watch_filter *filter, const struct input_record *record)
{
	return !filter->stages || (record->stage && (filter->stages >> record->stage->number & 1u));
}

/* Shows what is held and is now known to be wanted. */
static bool release(struct watch_filter *filter, struct session *session, watch_show *show, void *context)
{
	bool go_on = true;

	for (struct held **link = &session->first; *link && go_on;) {
		uint64_t number = (*link)->message;
		struct message *message = number ? known_message(session, number) : NULL;

		if ((number && !message) || choose(filter, session, message) != CHOSEN) {
			link = &(*link)->next;
			continue;
		}
		struct held *held = take_out(filter, session, link);

		go_on = show(context, held->record);
		free_held(held);
	}
	return go_on;
}

static bool take_of_session(struct watch_filter *filter, struct session *session, const struct input_record *record,
			    watch_show *show, void *context)
{
	uint64_t number = 0;

	(void)input_record_number(record, FIELD_MSG, &number);
	struct message *message = number ? find_message(filter, session, number) : NULL;

	learn(filter, session, message, record);
	switch (choose(filter, session, message)) {
	case CHOSEN:
		return release(filter, session, show, context) &&
		       (!is_shown_stage(filter, record) || show(context, record));
	case REFUSED:
		drop_held(filter, session, session->client == REFUSED ? 0 : number);
		return true;
	case OPEN:
		if (is_shown_stage(filter, record))
			hold(filter, session, number, record);
		return true;
	}
	return true;
}

static bool is_wanted_session(const struct watch_filter *filter, const struct input_record *record, struct text id)
{
	uint64_t number = 0;

	if (!filter->options.session || text_is(id, filter->options.session))
		return true;
	if (!filter->session_message || !text_equal(id, filter->session))
		return false;
	(void)input_record_number(record, FIELD_MSG, &number);
	return number == 0 || number == filter->session_message;
}

bool watch_filter_take(struct watch_filter *filter, const struct input_record *record, watch_show *show,
		       void *context)
{
	const struct watch_filter_options *wanted = &filter->options;
	struct text id = input_record_text(record, FIELD_SESSION);
	bool by_session = wanted->client || wanted->from || wanted->to;

	if ((by_session || wanted->session) && !input_record_is(record, STAGE_GAP)) {
		if (id.length == 0 || !is_wanted_session(filter, record, id))
			return true;
		struct session *session = by_session ? find_session(filter, record, id) : NULL;

		if (session)
			return take_of_session(filter, session, record, show, context);
		if (by_session) {
			filter->given_up++;
			return true;
		}
	}
	return !is_shown_stage(filter, record) || show(context, record);
}
