/*
 * correlate_record.c - the milter's records: sessions, messages and recipients as they came through its callbacks.
 *
 * A session's records name it. Where the log has lines of the same session, both become one (correlate_join.c).
 */
#include "analysis/correlate_internal.h"
#include "analysis/reason.h"
#include "analysis/stream_id.h"

/* ---- which fact a field of a record is: names mean the same in both tables ---- */

enum { FIELDS_MAX = 256 };

/* The fact + 1; 0: none of that level. */
typedef uint8_t field_facts[FIELDS_MAX];

static const field_facts session_facts = {
	[FIELD_PRODUCER] = FACT_SESSION_PRODUCER + 1, [FIELD_SESSION] = FACT_SESSION_SESSION + 1,
	[FIELD_CLIENT_ADDR] = FACT_SESSION_CLIENT_ADDR + 1, [FIELD_CLIENT_PORT] = FACT_SESSION_CLIENT_PORT + 1,
	[FIELD_CLIENT_NAME] = FACT_SESSION_CLIENT_NAME + 1, [FIELD_CLIENT_PTR] = FACT_SESSION_CLIENT_PTR + 1,
	[FIELD_CLIENT_RESOLVE] = FACT_SESSION_CLIENT_RESOLVE + 1, [FIELD_DAEMON_NAME] = FACT_SESSION_DAEMON_NAME + 1,
	[FIELD_DAEMON_ADDR] = FACT_SESSION_DAEMON_ADDR + 1, [FIELD_DAEMON_PORT] = FACT_SESSION_DAEMON_PORT + 1,
	[FIELD_HELO] = FACT_SESSION_HELO + 1, [FIELD_PROTOCOL] = FACT_SESSION_PROTOCOL + 1,
	[FIELD_TLS_VERSION] = FACT_SESSION_TLS_VERSION + 1, [FIELD_CIPHER] = FACT_SESSION_CIPHER + 1,
	[FIELD_CIPHER_BITS] = FACT_SESSION_CIPHER_BITS + 1, [FIELD_CERT_SUBJECT] = FACT_SESSION_CERT_SUBJECT + 1,
	[FIELD_AUTH_TYPE] = FACT_SESSION_AUTH_TYPE + 1, [FIELD_AUTH_AUTHEN] = FACT_SESSION_AUTH_AUTHEN + 1,
	[FIELD_LAST_STAGE] = FACT_SESSION_LAST_STAGE + 1,
};

static const field_facts message_facts = {
	[FIELD_MSG] = FACT_MESSAGE_MSG + 1, [FIELD_QUEUE_ID] = FACT_MESSAGE_QUEUE_ID + 1,
	[FIELD_MESSAGE_ID] = FACT_MESSAGE_MESSAGE_ID + 1, [FIELD_FROM] = FACT_MESSAGE_FROM + 1,
	[FIELD_HEADER_FROM] = FACT_MESSAGE_HEADER_FROM + 1, [FIELD_FROM_DOMAIN] = FACT_MESSAGE_FROM_DOMAIN + 1,
	[FIELD_SUBJECT] = FACT_MESSAGE_SUBJECT + 1, [FIELD_LIST_ID] = FACT_MESSAGE_LIST_ID + 1,
	[FIELD_CONTENT_TYPE] = FACT_MESSAGE_CONTENT_TYPE + 1, [FIELD_ATTACHMENT_NAMES] = FACT_MESSAGE_ATTACHMENTS + 1,
	[FIELD_AUTHENTICATION_RESULTS] = FACT_MESSAGE_CLAIMED + 1,
};

/* What a verdict says, beside the above; its size is that of what came. */
static const field_facts verdict_facts = {
	[FIELD_ORIGIN] = FACT_MESSAGE_ORIGIN + 1, [FIELD_SPF] = FACT_MESSAGE_SPF + 1, [FIELD_DKIM] = FACT_MESSAGE_DKIM + 1,
	[FIELD_DMARC] = FACT_MESSAGE_DMARC + 1, [FIELD_WHY] = FACT_MESSAGE_WHY + 1,
	[FIELD_DISPOSITION] = FACT_MESSAGE_DISPOSITION + 1, [FIELD_SKIPPED] = FACT_MESSAGE_SKIPPED + 1,
	[FIELD_SIZE] = FACT_MESSAGE_SIZE + 1,
};

static const field_facts refusal_facts = {
	[FIELD_DSN] = FACT_RECIPIENT_DSN + 1, [FIELD_REJECT_TEXT] = FACT_RECIPIENT_REPLY + 1,
};

static const field_facts check_facts = {
	[FIELD_RESULT] = FACT_CHECK_RESULT + 1, [FIELD_DOMAIN] = FACT_CHECK_DOMAIN + 1, [FIELD_ERROR] = FACT_CHECK_ERROR + 1,
	[FIELD_TIME_US] = FACT_CHECK_TIME_US + 1, [FIELD_SPF_IDENTITY] = FACT_CHECK_IDENTITY + 1,
	[FIELD_ENGINE] = FACT_CHECK_ENGINE + 1, [FIELD_TERM] = FACT_CHECK_TERM + 1,
	[FIELD_RECORD_DOMAIN] = FACT_CHECK_RECORD_DOMAIN + 1, [FIELD_LOOKUPS] = FACT_CHECK_LOOKUPS + 1,
	[FIELD_VOID_LOOKUPS] = FACT_CHECK_VOID_LOOKUPS + 1, [FIELD_SELECTOR] = FACT_CHECK_SELECTOR + 1,
	[FIELD_ALGORITHM] = FACT_CHECK_ALGORITHM + 1, [FIELD_KEY_BITS] = FACT_CHECK_KEY_BITS + 1,
	[FIELD_DKIM_IDENTITY] = FACT_CHECK_DKIM_IDENTITY + 1, [FIELD_SIGNED_HEADERS] = FACT_CHECK_SIGNED_HEADERS + 1,
	[FIELD_LENGTH] = FACT_CHECK_LENGTH + 1, [FIELD_SIGNED_AT] = FACT_CHECK_SIGNED_AT + 1,
	[FIELD_EXPIRES] = FACT_CHECK_EXPIRES + 1, [FIELD_TESTING] = FACT_CHECK_TESTING + 1,
	[FIELD_BODY_HASH_MATCH] = FACT_CHECK_BODY_HASH_MATCH + 1, [FIELD_FROM_DOMAIN] = FACT_CHECK_FROM_DOMAIN + 1,
	[FIELD_ORG_DOMAIN] = FACT_CHECK_ORG_DOMAIN + 1, [FIELD_POLICY_DOMAIN] = FACT_CHECK_POLICY_DOMAIN + 1,
	[FIELD_RECORD] = FACT_CHECK_RECORD + 1, [FIELD_P] = FACT_CHECK_POLICY + 1, [FIELD_SP] = FACT_CHECK_SUBDOMAIN_POLICY + 1,
	[FIELD_PCT] = FACT_CHECK_PERCENT + 1, [FIELD_ALIGNED_SPF] = FACT_CHECK_ALIGNED_SPF + 1,
	[FIELD_ALIGNED_DKIM] = FACT_CHECK_ALIGNED_DKIM + 1, [FIELD_WHY] = FACT_CHECK_WHY + 1,
	[FIELD_DISPOSITION] = FACT_CHECK_DISPOSITION + 1, [FIELD_DNSSEC] = FACT_CHECK_DNSSEC + 1,
};

/* A list of the record is one text here: its items may hold what separates those of a fact. */
static void put_field(struct clue *clue, struct facts *facts, enum fact fact, struct text value)
{
	if (fact_table[fact].type == FACT_LIST)
		facts_set_text(facts, clue->correlate->pool, fact, value);
	else if (fact_table[fact].type == FACT_DURATION)
		facts_set_number(facts, clue->correlate->pool, fact, fact_number(value));
	else
		fact_put(clue, facts, fact, value);
}

static void copy_fields(struct clue *clue, struct facts *facts, const field_facts table)
{
	const struct input_record *record = clue->record;

	for (size_t i = 0; i < record->count; i++) {
		const struct input_field *field = &record->fields[i];

		if (field->info && field->info->number < FIELDS_MAX && table[field->info->number] && field->value.start)
			put_field(clue, facts, (enum fact)(table[field->info->number] - 1), field->value);
	}
}

static struct text field_text(const struct clue *clue, enum field field)
{
	return input_record_text(clue->record, field);
}

static uint32_t field_number(const struct clue *clue, enum field field)
{
	uint64_t number = 0;

	return input_record_number(clue->record, field, &number) && number < UINT32_MAX ? (uint32_t)number : 0;
}

/* ---- sessions ---- */

static uint64_t milter_hash(const struct clue *clue)
{
	return hash_text(hash_text(clue->correlate->seed, field_text(clue, FIELD_PRODUCER)), field_text(clue, FIELD_SESSION));
}

static struct open_session *find_session(const struct clue *clue, uint64_t hash)
{
	struct open_session *session = open_table_find(&clue->correlate->milter, hash);

	if (!session && rest_may_have(clue->correlate, clue->time_us) && rest_wake_milter(clue->correlate, hash))
		session = open_table_find(&clue->correlate->milter, hash);
	if (session && rest_may_be_of(clue->correlate, session, clue->time_us))
		rest_wake_messages(clue->correlate, session);
	return session;
}

static struct open_session *new_session(struct clue *clue, uint64_t hash)
{
	struct text identity[] = { field_text(clue, FIELD_PRODUCER), field_text(clue, FIELD_SESSION) };
	struct open_session *session = session_open(clue, identity, 2);

	if (!session)
		return NULL;
	session->accepted = UINT32_MAX;
	session_known_by_records(clue, session, hash);
	if (fact_begin(clue, &session->session.facts, JOIN_SESSION))
		facts_set_text(&session->session.facts, clue->correlate->pool, FACT_SESSION_HOST,
			       clue->mta_host ? clue->mta_host->name : clue->host->name);
	return session;
}

void session_known_by_records(struct clue *clue, struct open_session *session, uint64_t hash)
{
	session->by_records = true;
	session->was_asked = false;
	session->records_us = clue->time_us;
	session->mta_host = clue->mta_host;
	if (open_table_add(&clue->correlate->milter, hash, session) == 0)
		session->milter_hash = hash;
}

static void note_number(const struct clue *clue, uint64_t *first, uint64_t *last)
{
	if (clue->seq && (!*first || clue->seq < *first))
		*first = clue->seq;
	if (clue->seq > *last)
		*last = clue->seq;
}

static void note_session_number(const struct clue *clue, struct open_session *session)
{
	session->numbers = clue->numbers;
	if (clue->time_us < session->records_us)
		session->records_us = clue->time_us;
	note_number(clue, &session->first_seq, &session->last_seq);
}

/* The session of the record; a new one where its begin was not seen. */
static struct open_session *session_of_record(struct clue *clue)
{
	uint64_t hash = milter_hash(clue);
	struct open_session *session = find_session(clue, hash);

	if (session) {
		open_touch(clue, &session->item);
		clue->is_behind_end = session->has_last_record;
	} else {
		session = new_session(clue, hash);
		if (!session)
			return NULL;
		fact_put(clue, &session->session.facts, FACT_SESSION_PRODUCER, field_text(clue, FIELD_PRODUCER));
		fact_put(clue, &session->session.facts, FACT_SESSION_SESSION, field_text(clue, FIELD_SESSION));
	}
	note_session_number(clue, session);
	return session;
}

/* How long it took since the stage before, where no record of that is missing. */
static void reach_stage(struct clue *clue, struct open_message *message, enum stage before, enum fact fact)
{
	if (!message)
		return;
	if (message->stage == before && clue->time_us >= message->stage_us && fact_begin(clue, &message->message.facts, JOIN_SESSION))
		fact_put_number(clue, &message->message.facts, fact, clue->time_us - message->stage_us);
	message->stage = (uint8_t)clue->record->stage->number;
	message->stage_us = clue->time_us;
}

static void follow_connect(struct clue *clue)
{
	uint64_t hash = milter_hash(clue), client = client_hash(clue->correlate, field_text(clue, FIELD_CLIENT_ADDR));
	uint32_t port = field_number(clue, FIELD_CLIENT_PORT);
	struct open_session *session = find_session(clue, hash);

	if (session) {
		open_touch(clue, &session->item);
		if (!session->client && !session->by_log)
			join_late_connect(clue, session, client, port);
	} else {
		session = join_by_port(clue, client, port, true);
	}
	/* Postscreen's part is over; the session begins, and ends when a record says so. */
	if (session && !session->by_records && session_is_screen_alone(session)) {
		session_resume(clue->correlate, session);
		session->connect_us = clue->time_us;
	}
	if (session && !session->by_records)
		session_known_by_records(clue, session, hash);
	else if (!session)
		session = new_session(clue, hash);
	if (!session)
		return;
	session->has_first_record = true;
	note_session_number(clue, session);
	/* As where two become one: the milter's clock may be behind. */
	if (clue->time_us < session->session.start_us)
		session->session.start_us = clue->time_us;
	session->shares_port |= clue->shares_port;
	if (!session->connect_us)
		session->connect_us = clue->time_us;
	session->stage_us = clue->time_us;
	/* Without its client it could not be found. */
	session->was_asked = session->was_asked && session->client;
	session_know_client(clue->correlate, session, client, port);
	if (fact_begin(clue, &session->session.facts, JOIN_SESSION))
		copy_fields(clue, &session->session.facts, session_facts);
}

static void follow_helo(struct clue *clue)
{
	struct open_session *session = session_of_record(clue);

	if (!session || !fact_begin(clue, &session->session.facts, JOIN_SESSION))
		return;
	if (session->stage_us && clue->time_us >= session->stage_us)
		fact_put_number(clue, &session->session.facts, FACT_SESSION_TIME_HELO, clue->time_us - session->stage_us);
	session->stage_us = 0;
	copy_fields(clue, &session->session.facts, session_facts);
}

/* ---- messages ---- */

static struct open_message *new_message(struct clue *clue, struct open_session *session, uint32_t msg)
{
	char number[16];
	int length = snprintf(number, sizeof number, "%u", msg);
	struct text identity[] = { field_text(clue, FIELD_PRODUCER), field_text(clue, FIELD_SESSION),
				   { number, (size_t)length } };
	struct open_message *message = message_open(clue, identity, 3);

	if (!message)
		return NULL;
	message->msg = msg;
	message->by_records = true;
	session_take(session, message);
	if (fact_begin(clue, &message->message.facts, JOIN_SESSION))
		facts_set_text(&message->message.facts, clue->correlate->pool, FACT_MESSAGE_HOST,
			       facts_text(&session->session.facts, FACT_SESSION_HOST));
	/* Its begin is not there. */
	if (!input_record_is(clue->record, STAGE_MAIL))
		fact_put(clue, &message->message.facts, FACT_MESSAGE_MSG, field_text(clue, FIELD_MSG));
	return message;
}

/* Most often it is the last one. */
static struct open_message *find_message(struct open_session *session, uint32_t msg)
{
	if (session->last_message && session->last_message->msg == msg)
		return session->last_message;
	for (struct message *message = session->session.messages; message; message = message->next_in_session)
		if (((struct open_message *)message)->msg == msg)
			return (struct open_message *)message;
	return NULL;
}

/* The message of the record; NULL: it is of none. */
static struct open_message *message_of_record(struct clue *clue, struct open_session *session)
{
	uint32_t msg = field_number(clue, FIELD_MSG);
	struct text queue_id = field_text(clue, FIELD_QUEUE_ID);
	struct open_message *message;

	if (!session || !msg)
		return NULL;
	message = find_message(session, msg);
	if (!message)
		message = new_message(clue, session, msg);
	if (!message)
		return NULL;
	open_touch(clue, &message->item);
	if (clue->time_us > message->message.last_us)
		message->message.last_us = clue->time_us;
	else if (clue->time_us < message->message.start_us)
		message->message.start_us = clue->time_us;
	if (!message->records_us || clue->time_us < message->records_us)
		message->records_us = clue->time_us;
	note_number(clue, &message->first_seq, &message->last_seq);
	/* The first record that names it: the log's lines of it are found. */
	if (queue_id.length && !message->name.length)
		message = join_by_queue_id(clue, message, queue_id);
	/* Its session has told its end, and it comes late. */
	session = (struct open_session *)message->message.session;
	if (session && session->has_last_record && session->has_ended && !message->item.is_ending && message_ends_with_session(message))
		message_end(clue, message);
	return message;
}

static struct open_message *current_message(struct clue *clue)
{
	return message_of_record(clue, session_of_record(clue));
}

static void copy_message(struct clue *clue, struct open_message *message, const field_facts more)
{
	if (!message || !fact_begin(clue, &message->message.facts, JOIN_SESSION))
		return;
	copy_fields(clue, &message->message.facts, message_facts);
	if (more)
		copy_fields(clue, &message->message.facts, more);
}

static void follow_mail(struct clue *clue)
{
	struct open_session *session = session_of_record(clue);
	struct open_message *message = message_of_record(clue, session);

	copy_message(clue, message, NULL);
	if (session)
		session->mails++;
	if (message) {
		message->has_mail = true;
		message->from = hash_text(clue->correlate->seed, field_text(clue, FIELD_FROM));
		message->stage = STAGE_MAIL;
		message->stage_us = clue->time_us;
	}
	if (session && field_text(clue, FIELD_AUTH_TYPE).length && fact_begin(clue, &session->session.facts, JOIN_SESSION))
		copy_fields(clue, &session->session.facts, session_facts);
}

static void follow_data(struct clue *clue)
{
	struct open_message *message = current_message(clue);

	copy_message(clue, message, NULL);
	reach_stage(clue, message, STAGE_MAIL, FACT_MESSAGE_TIME_ENVELOPE);
}

static void follow_header(struct clue *clue)
{
	struct open_message *message = current_message(clue);
	struct text id = field_text(clue, FIELD_MESSAGE_ID);

	copy_message(clue, message, NULL);
	reach_stage(clue, message, STAGE_DATA, FACT_MESSAGE_TIME_HEADER);
	if (message && !message->id_hash && id.length)
		message_know_id(clue->correlate, message, message_id_hash(clue->correlate, id));
}

static void follow_eom(struct clue *clue)
{
	struct open_message *message = current_message(clue);

	copy_message(clue, message, NULL);
	if (!message)
		return;
	reach_stage(clue, message, STAGE_HEADER, FACT_MESSAGE_TIME_BODY);
	message->has_eom = true;
}

static void follow_verdict(struct clue *clue)
{
	struct open_message *message = current_message(clue);
	uint64_t size = message ? message->size : 0;

	copy_message(clue, message, verdict_facts);
	clue->correlate->has_verdicts = true;
	if (!message)
		return;
	message->has_verdict = true;
	reach_stage(clue, message, STAGE_EOM, FACT_MESSAGE_TIME_CHECKS);
	/* The queue's own size counts its Received field too, and is what others reckon with. */
	if (size && fact_begin(clue, &message->message.facts, JOIN_SESSION))
		fact_put_number(clue, &message->message.facts, FACT_MESSAGE_SIZE, size);
}

static void follow_abort(struct clue *clue)
{
	struct open_message *message = current_message(clue);

	if (message && !message->has_eom)
		message->is_aborted = true;
}

/* ---- recipients ---- */

static void keep_refusal(struct clue *clue, struct open_recipient *recipient)
{
	struct facts *facts = &recipient->recipient.facts;
	struct reply reply = reply_read(field_text(clue, FIELD_REJECT_TEXT));
	struct text dsn = field_text(clue, FIELD_DSN);

	/* The log tells the whole reply. */
	if (recipient->refused_by_log >= recipient->refused_by_records || !fact_begin(clue, facts, JOIN_SESSION))
		return;
	copy_fields(clue, facts, refusal_facts);
	fact_put(clue, facts, FACT_RECIPIENT_STAGE, TEXT_LITERAL("RCPT"));
	fact_put(clue, facts, FACT_RECIPIENT_BY, TEXT_LITERAL("mta"));
	if (!clue->correlate->options.keeps_reasons)
		return;
	if (status_code_read(dsn, &reply.status))
		reply.status_text = dsn;
	fact_put(clue, facts, FACT_RECIPIENT_REASON, text_of(reason_of(&reply)));
}

static void follow_rcpt(struct clue *clue)
{
	struct open_session *session = session_of_record(clue);
	struct open_message *message = message_of_record(clue, session);
	struct open_recipient *recipient;

	if (!message)
		return;
	/* With the others of this stage: from a later one on the queue identifier is known. */
	if (fact_begin(clue, &message->message.facts, JOIN_SESSION) && field_text(clue, FIELD_QUEUE_ID).length)
		put_field(clue, &message->message.facts, FACT_MESSAGE_QUEUE_ID, field_text(clue, FIELD_QUEUE_ID));
	recipient = recipient_given(clue, message, field_text(clue, FIELD_TO), JOIN_SESSION);
	if (!recipient)
		return;
	if (!recipient->records_us || clue->time_us < recipient->records_us)
		recipient->records_us = clue->time_us;
	if (!text_is(field_text(clue, FIELD_OUTCOME), "rejected")) {
		session->passed++;
		return;
	}
	session->refused_count++;
	recipient->refused_by_records++;
	if (recipient->refused_by_records > recipient->recipient.attempts)
		recipient->recipient.attempts = recipient->refused_by_records;
	recipient->recipient.fate = FATE_REJECTED;
	recipient->recipient.has_changed = true;
	keep_refusal(clue, recipient);
	if (session->by_log)
		pair_refusals(clue->correlate, session);
}

/* ---- checks ---- */

static void follow_check(struct clue *clue)
{
	struct open_message *message = current_message(clue);
	struct check *check = message ? check_add(clue, message) : NULL;

	if (!check || !fact_begin(clue, &check->facts, JOIN_SESSION))
		return;
	fact_put(clue, &check->facts, FACT_CHECK_CHECK, text_of(clue->record->stage->name));
	fact_put(clue, &check->facts, FACT_CHECK_BY, TEXT_LITERAL("smtptrail-milter"));
	copy_fields(clue, &check->facts, check_facts);
}

/* ---- the end ---- */

static void follow_close(struct clue *clue)
{
	struct open_session *session = session_of_record(clue);
	struct text cause = field_text(clue, FIELD_CAUSE);
	bool is_cut;

	if (!session)
		return;
	is_cut = !text_is(cause, "ended");
	session->has_last_record = true;
	session->are_records_cut = is_cut;
	session->closed_us = clue->time_us;
	if (fact_begin(clue, &session->session.facts, JOIN_SESSION)) {
		fact_put(clue, &session->session.facts, FACT_SESSION_ENDED, is_cut && !session->is_closed ? cause : TEXT_NONE);
		if (is_cut)
			fact_put(clue, &session->session.facts, FACT_SESSION_INCOMPLETE, TEXT_LITERAL("cut"));
	}
	/* What a proxy before the queue took has no name that both sides know. */
	if (session->by_log)
		pair_refusals(clue->correlate, session);
	session_end(clue, session);
	(void)join_reconsider(clue->correlate, session);
}

/* ---- every record ---- */

typedef void follow_record(struct clue *clue);

static void follow_nothing(struct clue *clue)
{
	(void)clue;
}

static follow_record *const stages[] = {
	[STAGE_CONNECT] = follow_connect, [STAGE_HELO] = follow_helo, [STAGE_MAIL] = follow_mail, [STAGE_RCPT] = follow_rcpt,
	[STAGE_DATA] = follow_data, [STAGE_HEADER] = follow_header, [STAGE_EOM] = follow_eom, [STAGE_SPF] = follow_check,
	[STAGE_DKIM] = follow_check, [STAGE_DMARC] = follow_check, [STAGE_VERDICT] = follow_verdict,
	[STAGE_ABORT] = follow_abort, [STAGE_CLOSE] = follow_close, [STAGE_GAP] = follow_nothing,
};

static struct evidence evidence_of(const struct input_record *record, uint16_t source)
{
	struct evidence evidence = { .source = source };
	struct stream_id id;

	if (stream_id_parse(record->id, &id)) {
		evidence.major = id.ms;
		evidence.minor = (uint32_t)id.number;
	}
	return evidence;
}

/* It may tell the sender, or the recipient, by which the log's refusals are known. */
static void pair_late(const struct clue *clue)
{
	struct open_session *session = open_table_find(&clue->correlate->milter, milter_hash(clue));

	if (session && session->by_log)
		pair_refusals(clue->correlate, session);
}

static struct clue clue_of(struct correlate *correlate, const struct input_record *record, uint16_t source)
{
	struct clue clue = { .correlate = correlate, .record = record, .evidence = evidence_of(record, source), .at = no_places };

	clue.numbers = gap_numbers(correlate, record);
	(void)input_record_number(record, FIELD_SEQ, &clue.seq);
	clue.host = origin_host(correlate->origins, input_record_text(record, FIELD_HOST));
	clue.mta_host = input_record_text(record, FIELD_MTA_HOST).length ?
			origin_host(correlate->origins, input_record_text(record, FIELD_MTA_HOST)) : NULL;
	if (time_parse(input_record_text(record, FIELD_TIME), &clue.time_us) != 0)
		clue.time_us = clue.host->now_us;
	return clue;
}

void correlate_record(struct correlate *correlate, const struct input_record *record, uint16_t source)
{
	struct clue clue = clue_of(correlate, record, source);
	unsigned stage = record->stage ? record->stage->number : 0;

	correlate->counts.records++;
	gap_fill(&clue);
	if (stage >= sizeof stages / sizeof stages[0] || !stages[stage])
		return;
	join_begin_records(correlate);
	clue.host->has_records = true;
	if (clue.mta_host)
		clue.host->mta = clue.mta_host;
	rest_note_clock(&clue);
	/* Before those of its time leave. */
	if (stage == STAGE_GAP)
		gap_note(&clue);
	open_advance(correlate, clue.host, clue.time_us);
	stages[stage](&clue);
	if (clue.is_behind_end)
		pair_late(&clue);
	correlate_keep_limits(correlate, clue.host);
}

void correlate_missing(struct correlate *correlate, const struct input_record *record, uint64_t from_seq, uint64_t until_seq)
{
	struct clue clue = clue_of(correlate, record, 0);

	if (clue.mta_host)
		clue.host->mta = clue.mta_host;
	gap_note_hole(&clue, from_seq, until_seq);
}

const struct session *correlate_session_of(const struct correlate *correlate, const struct input_record *record)
{
	uint64_t hash = hash_text(hash_text(correlate->seed, input_record_text(record, FIELD_PRODUCER)), input_record_text(record, FIELD_SESSION));
	const struct open_session *session = open_table_find(&correlate->milter, hash);

	return session ? &session->session : NULL;
}
