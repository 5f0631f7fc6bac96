/* watch_query.c - records joined as they come, and the query asked of what they have become. */
#include "analysis/watch_query.h"

#include <errno.h>
#include <stdlib.h>

#include "analysis/correlate.h"
#include "analysis/rows.h"

struct watch_query {
	const struct query *query;
	struct correlate *correlate;
};

/* Facts are kept for whoever is shown what has ended. */
static void look_away(void *context, const struct message *message)
{
	(void)context;
	(void)message;
}

int watch_query_new(struct watch_query **ret_watch, const struct query *query, uint64_t clock_skew_us)
{
	const struct correlate_sink sink = { .message = look_away };
	struct watch_query *watch = calloc(1, sizeof *watch);
	struct correlate_options options;

	if (!watch)
		return -ENOMEM;
	correlate_defaults(&options);
	options.memory_bytes = WATCH_QUERY_MEMORY;
	options.skew_us = clock_skew_us;
	options.keeps_reasons = true;
	watch->query = query;
	if (correlate_new(&watch->correlate, &options, &sink) != 0) {
		free(watch);
		return -ENOMEM;
	}
	*ret_watch = watch;
	return 0;
}

void watch_query_free(struct watch_query *watch)
{
	if (!watch)
		return;
	correlate_free(watch->correlate);
	free(watch);
}

/* ---- a record ---- */

static const struct message *message_of(const struct session *session, uint64_t number)
{
	for (const struct message *message = session->messages; message; message = message->next_in_session)
		if (facts_number(&message->facts, FACT_MESSAGE_MSG, 0) == number)
			return message;
	return NULL;
}

/* The last that has the address: it may have been named before. */
static const struct recipient *recipient_of(const struct message *message, struct text to)
{
	const struct recipient *found = NULL;

	for (const struct recipient *recipient = message->recipients; recipient; recipient = recipient->next)
		if (text_equal_nocase(facts_text(&recipient->facts, FACT_RECIPIENT_TO), to))
			found = recipient;
	return found;
}

enum answer { NOT_KNOWN, WANTED, UNWANTED };

static enum answer answer(bool is_wanted)
{
	return is_wanted ? WANTED : UNWANTED;
}

/* By what is known now. */
static enum answer ask(const struct watch_query *watch, const struct input_record *record)
{
	const struct session *session = correlate_session_of(watch->correlate, record);
	uint64_t number = 0;

	if (!session)
		return NOT_KNOWN;
	if (!input_record_number(record, FIELD_MSG, &number) || !number)
		return answer(rows_find_session(watch->query, session));

	const struct message *message = message_of(session, number);
	const struct recipient *recipient = NULL;

	if (!message)
		return NOT_KNOWN;
	if (input_record_is(record, STAGE_RCPT))
		recipient = recipient_of(message, input_record_text(record, FIELD_TO));
	if (!recipient)
		return answer(rows_find_message(watch->query, message, session));
	return answer(query_matches(
		watch->query,
		&(struct query_row){ .session = session, .message = message, .recipient = recipient }));
}

bool watch_query_wants(struct watch_query *watch, const struct input_record *record)
{
	enum answer before = ask(watch, record), after;

	correlate_record(watch->correlate, record, 0);
	if (input_record_is(record, STAGE_GAP))
		return true;
	/* What has ended with it was known before. */
	after = ask(watch, record);
	return (after == NOT_KNOWN ? before : after) == WANTED;
}
