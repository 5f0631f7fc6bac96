/* rows.c - from transactions, as the join shows them, to rows with what most reports ask for. */
#include "analysis/rows.h"

#include <errno.h>

#include "analysis/key_set.h"

enum { DOMAIN_MAX = 256 };

struct reading {
	struct rows *rows;
	struct key_set found;		/* sessions that have a message which the query found: their end comes later */
	bool keeps_attempts;		/* whether they are of a hop, and what a query asks, is known at the end alone */
	int error;
};

/* ---- rows ---- */

static struct text lower(struct text text, char *scratch)
{
	bool has_upper = false;

	for (size_t i = 0; i < text.length; i++)
		has_upper |= (unsigned char)(text.start[i] - 'A') < 26;
	if (!has_upper || text.length > DOMAIN_MAX)
		return text;
	for (size_t i = 0; i < text.length; i++)
		scratch[i] = text.start[i] >= 'A' && text.start[i] <= 'Z' ? (char)(text.start[i] + ('a' - 'A')) : text.start[i];
	return (struct text){ scratch, text.length };
}

static struct text domain_of(struct text address, char *scratch)
{
	const char *at = address.length ? memrchr(address.start, '@', address.length) : NULL;

	if (!at || at + 1 == address.start + address.length)
		return TEXT_NONE;
	return lower((struct text){ at + 1, (size_t)(address.start + address.length - at - 1) }, scratch);
}

static struct text origin_of(const struct message *message, const struct session *session)
{
	struct text origin = facts_text(&message->facts, FACT_MESSAGE_ORIGIN);

	if (origin.start)
		return origin;
	if (message->parent_kind != PARENT_NONE || !session)
		return TEXT_NONE;
	return facts_text(&session->facts, FACT_SESSION_AUTH_AUTHEN).start ? TEXT_LITERAL("authenticated") : TEXT_LITERAL("inbound");
}

/* A message's own part of all its rows. */
struct message_row {
	struct report_row row;
	char from_domain[DOMAIN_MAX], to_domain[DOMAIN_MAX];
};

static bool asks_for(const struct rows *rows, enum fact fact)
{
	return !rows->facts || fact_set_has(rows->facts, fact);
}

static void begin_message(struct rows *rows, struct message_row *made, const struct message *message, const struct session *session,
			  bool is_accepted)
{
	struct report_row *row = &made->row;

	*row = (struct report_row){
		.session = session, .message = message, .time_us = message->start_us, .is_accepted = is_accepted,
		.size = facts_number(&message->facts, FACT_MESSAGE_SIZE, 0),
	};
	if (asks_for(rows, FACT_MESSAGE_ORIGIN))
		row->origin = origin_of(message, session);
	if (!asks_for(rows, FACT_MESSAGE_FROM))
		return;
	row->from = facts_text(&message->facts, FACT_MESSAGE_FROM);
	row->from_domain = domain_of(row->from, made->from_domain);
	if (row->from.start && !row->from.length)
		row->from = TEXT_LITERAL("<>");
}

static void add_recipient(struct rows *rows, struct message_row *made, const struct recipient *recipient)
{
	struct report_row *row = &made->row;

	row->recipient = recipient;
	row->fate = (enum fate)recipient->fate;
	row->is_hop = recipient->is_hop;
	if (!asks_for(rows, FACT_RECIPIENT_TO))
		return;
	row->to = facts_text(&recipient->facts, FACT_RECIPIENT_TO);
	if (!row->to.start)
		row->to = facts_text(&recipient->facts, FACT_RECIPIENT_ORIG_TO);
	row->to_domain = domain_of(row->to, made->to_domain);
}

static uint64_t way_time(const struct message *message)
{
	return message->way && message->way->start_us < message->start_us ? message->start_us - message->way->start_us : 0;
}

static void know_delay(struct report_row *row)
{
	row->delay_us = 0;
	if (row->fate == FATE_DELIVERED && !row->is_hop)
		row->delay_us = way_time(row->message) + facts_number(&row->recipient->facts, FACT_RECIPIENT_DELAY, 0);
}

static void add_to_message(struct report_row *row)
{
	row->rejected += row->fate == FATE_REJECTED && !row->is_hop;
	if (row->fate != FATE_DELIVERED || row->is_hop)
		return;
	row->delivered++;
	row->delivered_us += row->delay_us;
	if (row->delay_us > row->longest_us)
		row->longest_us = row->delay_us;
}

static bool matches(const struct rows *rows, const struct report_row *row)
{
	if (!rows->query)
		return true;
	return query_matches(rows->query, &(struct query_row){
		.session = row->session, .message = row->message, .recipient = row->recipient, .attempt = row->attempt, .check = row->check,
		.login = row->login, .line = row->event,
	});
}

static void give(struct rows *rows, struct report_row *row, enum report_moment moment)
{
	if (!(rows->moments & moment))
		return;
	row->moment = moment;
	rows->given++;
	rows->take(rows->context, row);
}

static void give_attempts(struct rows *rows, struct report_row *row, const struct recipient *recipient)
{
	if (!(rows->moments & REPORT_ATTEMPT))
		return;
	for (const struct attempt *attempt = recipient->tries; attempt; attempt = attempt->next) {
		row->attempt = attempt;
		row->time_us = attempt->time_us;
		if (matches(rows, row))
			give(rows, row, REPORT_ATTEMPT);
	}
	row->attempt = NULL;
	row->time_us = row->message->start_us;
}

/* Whether each is looked for itself: what another check of its message is, or is not, says nothing of it. */
static bool is_of_checks(const struct rows *rows)
{
	return rows->query && query_kind(rows->query) == QUERY_KIND_CHECK;
}

static bool give_checks(struct rows *rows, struct report_row *row)
{
	bool is_found = false;

	for (const struct check *check = row->message->checks; check; check = check->next) {
		row->check = check;
		if (is_of_checks(rows) && !matches(rows, row))
			continue;
		is_found = true;
		give(rows, row, REPORT_CHECK);
	}
	row->check = NULL;
	return is_found;
}

static void leave_recipient(struct report_row *row)
{
	row->recipient = NULL;
	row->to = row->to_domain = TEXT_NONE;
	row->fate = FATE_UNKNOWN;
	row->is_hop = row->message->parent_kind == PARENT_HOP || row->message->parent_kind == PARENT_NEXT_HOST;
}

/* Whether it was found: itself, or one of its recipients. */
static bool give_message(struct rows *rows, const struct message *message, const struct session *session, bool is_accepted, bool with_attempts)
{
	bool is_found = false, asks_for_delays = asks_for(rows, FACT_RECIPIENT_DELAY);
	struct message_row made;

	begin_message(rows, &made, message, session, is_accepted);
	if (is_of_checks(rows)) {
		leave_recipient(&made.row);
		return give_checks(rows, &made.row);
	}
	for (const struct recipient *recipient = message->recipients; recipient; recipient = recipient->next) {
		add_recipient(rows, &made, recipient);
		if (matches(rows, &made.row)) {
			is_found = true;
			if (asks_for_delays) {
				know_delay(&made.row);
				add_to_message(&made.row);
			}
			give(rows, &made.row, REPORT_RECIPIENT);
		}
		if (with_attempts)
			give_attempts(rows, &made.row, recipient);
	}
	leave_recipient(&made.row);
	if (!is_found && (message->recipients || !matches(rows, &made.row)))
		return false;
	give(rows, &made.row, REPORT_MESSAGE);
	(void)give_checks(rows, &made.row);
	return true;
}

bool rows_give_message(struct rows *rows, const struct message *message, const struct session *session)
{
	return give_message(rows, message, session, message_is_accepted(message), true);
}

void rows_give_session(struct rows *rows, const struct session *session)
{
	struct report_row row = { .session = session, .time_us = session->start_us };

	give(rows, &row, REPORT_SESSION);
}

void rows_give_login(struct rows *rows, const struct login *login)
{
	struct report_row row = { .login = login, .time_us = login->time_us };

	if (!matches(rows, &row))
		return;
	give(rows, &row, REPORT_LOGIN);
	if (login->end_us)
		give(rows, &row, REPORT_LOGOUT);
}

void rows_give_logout(struct rows *rows, const struct login *login)
{
	struct report_row row = { .login = login, .time_us = login->time_us };

	if (matches(rows, &row))
		give(rows, &row, REPORT_LOGOUT);
}

bool rows_find_message(const struct query *query, const struct message *message, const struct session *session)
{
	struct query_row row = { .session = session, .message = message };

	if (!query)
		return true;
	for (const struct recipient *recipient = message->recipients; recipient; recipient = recipient->next) {
		row.recipient = recipient;
		if (query_matches(query, &row))
			return true;
	}
	return !message->recipients && query_matches(query, &row);
}

bool rows_find_session(const struct query *query, const struct session *session)
{
	return !query || query_matches(query, &(struct query_row){ .session = session });
}

/* ---- what the join shows ---- */

static void note(struct reading *reading, int error)
{
	if (error < 0)
		reading->error = error;
}

static void take_message(void *context, const struct message *message)
{
	struct reading *reading = context;

	if (give_message(reading->rows, message, message->session, message->is_accepted, reading->keeps_attempts) && reading->rows->query && message->session_key)
		note(reading, key_set_add(&reading->found, message->session_key));
}

static void take_session(void *context, const struct session *session)
{
	struct reading *reading = context;

	if (rows_find_session(reading->rows->query, session) || key_set_has(&reading->found, session->key))
		rows_give_session(reading->rows, session);
}

static void take_login(void *context, const struct login *login)
{
	struct reading *reading = context;

	if (!login->end_us)
		rows_give_login(reading->rows, login);
	else
		rows_give_logout(reading->rows, login);
}

static bool is_of_interest(const struct event *event, enum format_result result)
{
	return result == FORMAT_MALFORMED || event_text(event, NAME_SEVERITY).start;
}

/* A line is of no transaction: a query finds none that does not ask for lines. */
static void give_line(struct rows *rows, const struct event *event, uint64_t time_us)
{
	struct report_row row = { .event = event, .time_us = time_us };

	if ((!rows->query || query_kind(rows->query) == QUERY_KIND_LINE) && matches(rows, &row))
		give(rows, &row, REPORT_LINE);
}

static void take_line(void *context, const struct event *event, enum format_result result)
{
	struct reading *reading = context;
	uint64_t time_us = event->frame.has_time && event->frame.time_us > 0 ? (uint64_t)event->frame.time_us : 0;

	if (is_of_interest(event, result))
		give_line(reading->rows, event, time_us);
}

/* What the rows of any message ask for, whatever else is asked for. */
static const struct fact_set *own_facts(const struct rows *rows, struct fact_set *set)
{
	if (rows->query || !rows->facts)
		return NULL;
	*set = *rows->facts;
	fact_set_add(set, FACT_MESSAGE_SIZE);
	if (fact_set_has(set, FACT_RECIPIENT_TO))
		fact_set_add(set, FACT_RECIPIENT_ORIG_TO);
	if (fact_set_has(set, FACT_MESSAGE_ORIGIN))
		fact_set_add(set, FACT_SESSION_AUTH_AUTHEN);
	return set;
}

const struct fact_set *rows_facts(const struct rows *rows, struct fact_set *set)
{
	if (!own_facts(rows, set))
		return NULL;
	/* By message_is_accepted. */
	fact_set_add(set, FACT_MESSAGE_QUEUE_ID);
	fact_set_add(set, FACT_MESSAGE_STATE);
	return set;
}

int rows_read_files(struct rows *rows, char **paths, size_t path_count)
{
	struct reading reading = {
		.rows = rows, .keeps_attempts = rows->query || rows->keeps_attempts || (rows->moments & REPORT_ATTEMPT),
	};
	struct correlate_sink sink = {
		.login = rows->moments & (REPORT_LOGIN | REPORT_LOGOUT) ? take_login : NULL, .message = take_message, .session = take_session, .context = &reading,
	};
	struct correlate_files files = {
		.verb = rows->verb, .log = rows->log, .is_again = rows->is_again, .line = rows->moments & REPORT_LINE ? take_line : NULL,
		.context = &reading,
	};
	struct hosts hosts = { rows->hosts };
	struct correlate_options options;
	struct fact_set facts;
	int error = -ENOMEM;

	correlate_defaults(&options);
	options.hosts = &hosts;
	options.skew_us = rows->clock_skew_us;
	options.keeps_attempts = reading.keeps_attempts;
	options.keeps_reasons = true;
	options.keeps_ways = rows->finds_ways && asks_for(rows, FACT_RECIPIENT_DELAY);
	options.facts = own_facts(rows, &facts);
	options.only_logs = !correlate_files_have_records(paths, path_count);
	rows->sources = source_table_new();
	if (rows->sources && correlate_new(&files.correlate, &options, &sink) == 0) {
		files.sources = rows->sources;
		error = correlate_files_read(&files, paths, path_count);
		if (!error)
			correlate_finish(files.correlate);
		correlate_free(files.correlate);
	}
	rows->from_us = files.from_us;
	rows->until_us = files.until_us;
	rows->lines = files.understood + files.unknown + files.foreign;
	rows->understood = files.understood;
	rows->unknown = files.unknown;
	rows->unreadable = files.unreadable;
	key_set_done(&reading.found);
	return error ? error : reading.error;
}

void rows_done(struct rows *rows)
{
	source_table_free(rows->sources);
	rows->sources = NULL;
}
