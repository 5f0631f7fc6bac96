/*
 * correlate_rest.c - what left memory while more of it may come, and is woken when that comes late.
 *
 * A session of the log whose records the shipper has not brought yet, and one of records whose log is read a day later, are
 * shown as they stand. Beside that they rest with the store, as bytes, under each name by which the other side would ask
 * for them: the milter's name of the session, the client's address and port about that time, the queue identifier; and the
 * process, by which their own side goes on. What is woken is as it was; the join goes on as if it had stayed. Until something
 * is told of it, it also goes on to rest: who looked at it and went on has changed neither what was shown of it nor what
 * others will find.
 */
#include "analysis/correlate_internal.h"

#include <stdlib.h>

#include "analysis/key_set.h"

/* Kinds of names. A session and its messages share the one that its key makes. */
enum { NAME_OF_KEY = 0x7265, NAME_OF_MILTER, NAME_OF_PORT, NAME_OF_CLIENT, NAME_OF_QUEUE, NAME_OF_PROCESS };

/*
 * Names of clients are for a span of time, so that few wake that are of another; and so much earlier or later than the
 * other side a session may begin: by clocks, in postscreen, and on a busy machine. Without ports so much of what may be
 * meant as well has to be there, and what those may be.
 */
static const uint64_t SPAN_US = UINT64_C(64) * 1000000, APART_US = UINT64_C(15) * 1000000, RIVALS_US = UINT64_C(40) * 1000000;

/* A producer that was not heard of for so long is no more. */
static const uint64_t SILENT_US = UINT64_C(2) * 86400 * 1000000;

static uint64_t name_of_key(transaction_key key)
{
	return hash_numbers(NAME_OF_KEY, key, 0);
}

static uint64_t name_of_milter(uint64_t milter_hash)
{
	return hash_numbers(NAME_OF_MILTER, milter_hash, 0);
}

static uint64_t name_of_client(uint64_t client, uint32_t port, uint64_t span)
{
	return hash_numbers(port ? NAME_OF_PORT : NAME_OF_CLIENT, hash_numbers(client, port, 0), span);
}

static uint64_t name_of_process(uint64_t process_hash)
{
	return hash_numbers(NAME_OF_PROCESS, process_hash, 0);
}

static uint64_t name_of_queue(const struct correlate *correlate, const struct queue_name *name)
{
	return hash_numbers(hash_numbers(NAME_OF_QUEUE, correlate->seed, name->length), name->words[0], name->words[1]);
}

/* ---- whether more may come ---- */

static struct record_clock *clock_of(struct correlate *correlate, uint64_t hash)
{
	struct record_clock *clock;

	for (unsigned i = 0; i < correlate->clock_count && i < RECORD_CLOCKS_MAX; i++)
		if (correlate->clocks[i].hash == hash)
			return &correlate->clocks[i];
	if (correlate->clock_count >= RECORD_CLOCKS_MAX) {
		correlate->clock_count = RECORD_CLOCKS_MAX + 1;
		return NULL;
	}
	clock = &correlate->clocks[correlate->clock_count++];
	*clock = (struct record_clock){ .hash = hash };
	return clock;
}

void rest_note_clock(struct clue *clue)
{
	struct text producer = input_record_text(clue->record, FIELD_PRODUCER);
	struct record_clock *clock;

	if (!clue->correlate->sink.rest)
		return;
	clock = clock_of(clue->correlate, hash_text(clue->correlate->seed + clue->record->partition, producer));
	if (!clock)
		return;
	clock->host = clue->host;
	if (clue->mta_host)
		clock->mta = clue->mta_host;
	if (clue->time_us > clock->time_us)
		clock->time_us = clue->time_us;
}

uint64_t rest_clock(const struct correlate *correlate, const struct input_record *record)
{
	uint64_t hash = hash_text(correlate->seed + record->partition, input_record_text(record, FIELD_PRODUCER));

	for (unsigned i = 0; i < correlate->clock_count && i < RECORD_CLOCKS_MAX; i++)
		if (correlate->clocks[i].hash == hash)
			return correlate->clocks[i].time_us;
	return 0;
}

/* Whether records of that host and time may be under way: not all producers are known to be behind it. */
static bool may_have_records(const struct correlate *correlate, const struct host *host, uint64_t until_us)
{
	bool is_known = false;

	if (!correlate->has_records && !correlate->options.expects_records)
		return false;
	if (correlate->clock_count > RECORD_CLOCKS_MAX)
		return true;
	for (unsigned i = 0; i < correlate->clock_count; i++) {
		const struct record_clock *clock = &correlate->clocks[i];

		if (clock->host != host && clock->mta != host && host->number && clock->host->number)
			continue;
		is_known = true;
		if (clock->time_us <= until_us + correlate->options.lateness_us && until_us <= clock->time_us + SILENT_US)
			return true;
	}
	return !is_known;
}

static bool lacks_records(const struct correlate *correlate, const struct open_session *session)
{
	uint64_t end_us = session->session.end_us ? session->session.end_us : session->item.touched_us;

	/* Postscreen refused it: no milter saw it. */
	if ((session->is_screen && !session->has_passed) || session->is_transcript)
		return false;
	return (!session->by_records || !session->has_last_record) && may_have_records(correlate, session->item.host, end_us);
}

static bool lacks_lines(const struct open_session *session)
{
	if (session->is_local || (session->by_log && session->is_tacit))
		return false;
	return session->by_records && (!session_has_lines(session) || !session->is_closed);
}

static bool lacks_side(const struct correlate *correlate, const struct open_session *session)
{
	return lacks_lines(session) || lacks_records(correlate, session);
}

static bool message_lacks_side(const struct correlate *correlate, const struct open_message *message)
{
	const struct open_session *session = (const struct open_session *)message->message.session;

	if (!message->by_log || (message->by_records && !message->has_begin))
		return true;
	/* Told whole by both sides it has its session for good, whatever more is told of that. */
	if (message->by_records && message->has_eom && (message->has_verdict || !correlate->has_verdicts))
		return false;
	if (session && lacks_side(correlate, session))
		return true;
	if (!message->by_records)
		return message->name_hash && may_have_records(correlate, message->item.host, message->message.start_us);
	return message->has_eom && !message->has_verdict && correlate->has_verdicts &&
	       may_have_records(correlate, message->item.host, message->message.last_us);
}

/* ---- into the store ---- */

static uint64_t version(void)
{
	return state_layout(((size_t)FACT_COUNT << 8 | JOIN_COUNT) << 16 | (sizeof(struct message) + sizeof(struct recipient)));
}

static void put_facts(struct correlate *correlate, size_t *used, const struct facts *facts)
{
	state_put_number(correlate, used, facts->is_cut);
	state_put_text(correlate, used, facts_bytes(facts));
}

/* The newest time at which somebody may ask for it. */
static void note_rest(struct correlate *correlate, const struct open_item *item, const struct correlate_rest *rest)
{
	uint64_t until_us = item->touched_us + APART_US;

	if (until_us > correlate->rested_us)
		correlate->rested_us = until_us;
	correlate->sink.rest(correlate->sink.context, rest);
}

void rest_session(struct correlate *correlate, struct open_session *session)
{
	const struct session *shown = &session->session;
	struct correlate_rest rest = { .key = shown->key };
	size_t used, state_length;

	session->item.is_in_gap = gap_has(correlate, &session->item);
	if (!session->resting_us && !lacks_side(correlate, session) && !gap_may_close(correlate, &session->item))
		return;
	rest.names[0] = name_of_key(shown->key);
	if (session->milter_hash)
		rest.names[1] = name_of_milter(session->milter_hash);
	/* Lines of its process may go on. Nobody asks by its port for one that both sides have told of. */
	if (session->process_hash && !session->is_closed)
		rest.names[session->milter_hash ? 2 : 1] = name_of_process(session->process_hash);
	if (session->client && session->client_port && !rest.names[2])
		rest.names[2] = name_of_client(session->client, session->client_port, session->connect_us / SPAN_US);
	if (session->client)
		rest.names[3] = name_of_client(session->client, 0, session->connect_us / SPAN_US);
	correlate->rests_without_ports |= session->client && !session->client_port;
	session->stamp_us = shown->start_us;
	session->stamp_end_us = shown->end_us;
	used = state_length = correlate_session_state(correlate, shown).length;
	state_put_number(correlate, &used, shown->key);
	state_put_number(correlate, &used, shown->start_us);
	state_put_number(correlate, &used, shown->end_us);
	put_facts(correlate, &used, &shown->facts);
	state_put_number(correlate, &used, state_length);
	state_put_number(correlate, &used, true);
	state_put_number(correlate, &used, version());
	rest.state = (struct text){ correlate->state, used };
	note_rest(correlate, &session->item, &rest);
}

static void put_recipient(struct correlate *correlate, size_t *used, const struct recipient *recipient)
{
	struct recipient plain = *recipient;

	plain.next = NULL;
	plain.tries = NULL;
	plain.facts = (struct facts){ .bytes = NULL };
	state_put(correlate, used, &plain, sizeof plain);
	put_facts(correlate, used, &recipient->facts);
}

static void put_message(struct correlate *correlate, size_t *used, const struct message *message)
{
	struct message plain = *message;

	plain.session = NULL;
	plain.next_in_session = NULL;
	plain.recipients = NULL;
	plain.checks = NULL;
	plain.facts = (struct facts){ .bytes = NULL };
	state_put(correlate, used, &plain, sizeof plain);
	put_facts(correlate, used, &message->facts);
}

static uint64_t recipient_count(const struct message *message)
{
	uint64_t count = 0;

	for (const struct recipient *each = message->recipients; each; each = each->next)
		count++;
	return count;
}

void rest_note_resting(struct open_session *session, const struct open_message *message)
{
	if (message->item.touched_us > session->resting_us)
		session->resting_us = message->item.touched_us;
}

void rest_message(struct correlate *correlate, struct open_message *message)
{
	const struct message *shown = &message->message;
	struct open_session *session = (struct open_session *)shown->session;
	struct correlate_rest rest = { .key = shown->key };
	size_t used, state_length;

	message->item.is_in_gap = gap_has(correlate, &message->item);
	if (!message_lacks_side(correlate, message) && !gap_may_close(correlate, &message->item))
		return;
	/* What others know that are still there. */
	if (message->is_proxied)
		link_settle_proxied(correlate, message);
	if (shown->session_key)
		rest.names[0] = name_of_key(shown->session_key);
	if (message->name.length)
		rest.names[1] = name_of_queue(correlate, &message->name);
	if (session) {
		session->item.is_changed |= !session->resting_us && !session->item.rests;
		rest_note_resting(session, message);
	}
	message->stamp_us = shown->start_us;
	used = state_length = correlate_message_state(correlate, shown).length;
	put_message(correlate, &used, shown);
	state_put_number(correlate, &used, recipient_count(shown));
	for (const struct recipient *each = shown->recipients; each; each = each->next)
		put_recipient(correlate, &used, each);
	for (const struct check *check = shown->checks; check; check = check->next) {
		state_put_number(correlate, &used, check->time_us);
		put_facts(correlate, &used, &check->facts);
	}
	state_put_number(correlate, &used, 0);
	state_put_number(correlate, &used, state_length);
	state_put_number(correlate, &used, false);
	state_put_number(correlate, &used, version());
	rest.state = (struct text){ correlate->state, used };
	note_rest(correlate, &message->item, &rest);
}

void rest_end(struct correlate *correlate, struct open_item *item)
{
	if (!item->rests)
		return;
	item->rests = false;
	if (item->kind == OPEN_SESSION) {
		correlate->sink.unrest(correlate->sink.context, open_session_of(item)->session.key);
		return;
	}
	correlate->sink.unrest(correlate->sink.context, open_message_of(item)->message.key);
	/* What was shown of its recipients was settled: it is shown again. */
	for (struct recipient *each = open_message_of(item)->message.recipients; each; each = each->next)
		each->has_changed = true;
}

/* ---- and back ---- */

/* One that was woken. */
struct woken {
	struct woken *next;
	bool is_session;
	transaction_key key, session_key;
	struct text state, more;	/* the join's own, and the rest */
	size_t length;
	unsigned char bytes[];
};

struct waking {
	struct correlate *correlate;
	struct key_set keys;
	struct woken *first, **last;
};

/* What stands at the end of all. */
static bool read_end(struct woken *woken)
{
	struct text end = { (const char *)woken->bytes, woken->length };
	uint64_t state_length;

	if (woken->length < 3 * sizeof(uint64_t))
		return false;
	end.start += woken->length - 3 * sizeof(uint64_t);
	end.length = 3 * sizeof(uint64_t);
	state_length = state_get_number(&end);
	woken->is_session = state_get_number(&end);
	if (state_get_number(&end) != version() || state_length > woken->length - 3 * sizeof(uint64_t))
		return false;
	woken->state = (struct text){ (const char *)woken->bytes, (size_t)state_length };
	woken->more = (struct text){ (const char *)woken->bytes + state_length, woken->length - 3 * sizeof(uint64_t) - (size_t)state_length };
	return true;
}

static transaction_key session_key_of(const struct woken *woken)
{
	struct text more = woken->more;
	struct message message;

	if (woken->is_session)
		return state_get_number(&more);
	return state_get(&more, &message, sizeof message) ? message.session_key : 0;
}

/* NULL: of another version, and it stays what was shown; or no memory. */
static struct woken *woken_new(struct text state)
{
	struct woken *woken = malloc(sizeof *woken + state.length);

	if (!woken)
		return NULL;
	*woken = (struct woken){ .length = state.length };
	memcpy(woken->bytes, state.start, state.length);
	if (read_end(woken))
		return woken;
	free(woken);
	return NULL;
}

static bool lacks(void *context, transaction_key key)
{
	const struct waking *waking = context;

	return !session_by_key(waking->correlate, key) && !message_by_key(waking->correlate, key) && !key_set_has(&waking->keys, key);
}

static void take(void *context, transaction_key key, struct text state)
{
	struct waking *waking = context;
	struct woken *woken = key_set_add(&waking->keys, key) > 0 ? woken_new(state) : NULL;

	if (!woken)
		return;
	woken->key = key;
	woken->session_key = session_key_of(woken);
	*waking->last = woken;
	waking->last = &woken->next;
}

/* In place: they are bytes of what was woken. */
static void get_facts(struct text *state, struct facts *ret_facts)
{
	bool is_cut = state_get_number(state);
	struct text bytes = state_get_text(state);

	if (!bytes.length || !facts_borrow(ret_facts, (unsigned char *)(uintptr_t)bytes.start, bytes.length, NULL))
		*ret_facts = (struct facts){ .bytes = NULL };
	ret_facts->is_cut = is_cut;
}

static void wake_session(struct correlate *correlate, struct woken *woken)
{
	struct text more = woken->more;
	struct session session = { .key = state_get_number(&more) };
	struct open_session *open;

	session.start_us = state_get_number(&more);
	session.end_us = state_get_number(&more);
	get_facts(&more, &session.facts);
	if (session_by_key(correlate, session.key))
		return;
	correlate_restore_session(correlate, &session, woken->state);
	open = session_by_key(correlate, session.key);
	if (!open)
		return;
	/* Whoever comes asks for it; it asks no more, unless more is told of it. What was ambiguous stays so. */
	item_wake(correlate, &open->item);
}

static struct check *get_checks(struct text *state)
{
	struct check *first = NULL, **link = &first;
	uint64_t time_us;

	while ((time_us = state_get_number(state))) {
		struct check *check = calloc(1, sizeof *check);

		if (!check)
			break;
		check->time_us = time_us;
		get_facts(state, &check->facts);
		*link = check;
		link = &check->next;
	}
	return first;
}

static struct recipient *get_recipients(struct text *state, uint64_t count)
{
	struct recipient *all = count && count < state->length ? calloc(count, sizeof *all) : NULL;

	for (uint64_t i = 0; all && i < count; i++) {
		(void)state_get(state, &all[i], sizeof all[i]);
		all[i].tries = NULL;
		all[i].next = i + 1 < count ? &all[i + 1] : NULL;
		get_facts(state, &all[i].facts);
	}
	return all;
}

/* Texts are those of the bytes. */
static void get_message(struct text *more, struct message *ret_message)
{
	/* Whatever stands in the file, there are no pointers in it. */
	(void)state_get(more, ret_message, sizeof *ret_message);
	ret_message->session = NULL;
	ret_message->next_in_session = NULL;
	get_facts(more, &ret_message->facts);
	ret_message->recipients = get_recipients(more, state_get_number(more));
	ret_message->checks = get_checks(more);
}

static void free_message(struct message *message)
{
	free(message->recipients);
	while (message->checks) {
		struct check *check = message->checks;

		message->checks = check->next;
		free(check);
	}
}

static void wake_message(struct correlate *correlate, struct woken *woken)
{
	struct text more = woken->more;
	struct message message;
	struct open_message *open;

	get_message(&more, &message);
	if (!message_by_key(correlate, message.key)) {
		correlate_restore_message(correlate, &message, woken->state);
		open = message_by_key(correlate, message.key);
		if (open)
			item_wake(correlate, &open->item);
	}
	free_message(&message);
}

/* Sessions before their messages. */
static void wake_all(struct correlate *correlate, struct woken *first)
{
	for (struct woken *woken = first; woken; woken = woken->next)
		if (woken->is_session)
			wake_session(correlate, woken);
	for (struct woken *woken = first; woken; woken = woken->next)
		if (!woken->is_session)
			wake_message(correlate, woken);
}

static void ask(struct waking *waking, uint64_t name)
{
	const struct correlate_taker taker = { .lacks = lacks, .take = take, .context = waking };

	waking->correlate->sink.wake(waking->correlate->sink.context, name, &taker);
}

/* What was given, and all of its sessions. */
static void wake_given(struct waking *waking)
{
	for (struct woken *woken = waking->first; woken; woken = woken->next)
		if (woken->session_key)
			ask(waking, name_of_key(woken->session_key));
	key_set_done(&waking->keys);
	wake_all(waking->correlate, waking->first);
}

static void free_woken(struct woken *woken)
{
	while (woken) {
		struct woken *next = woken->next;

		free(woken);
		woken = next;
	}
}

/* What has one of the names. */
static bool wake(struct correlate *correlate, const uint64_t *names, size_t count)
{
	struct waking waking = { .correlate = correlate, .last = &waking.first };
	bool is_any;

	for (size_t i = 0; i < count; i++)
		ask(&waking, names[i]);
	is_any = waking.first;
	wake_given(&waking);
	free_woken(waking.first);
	return is_any;
}

bool rest_wake_milter(struct correlate *correlate, uint64_t milter_hash)
{
	const uint64_t name = name_of_milter(milter_hash);

	return wake(correlate, &name, 1);
}

static bool wake_client(struct correlate *correlate, uint64_t client, uint32_t port, uint64_t connect_us, uint64_t apart_us)
{
	const uint64_t first = (connect_us > apart_us ? connect_us - apart_us : 0) / SPAN_US, last = (connect_us + apart_us) / SPAN_US;
	uint64_t names[4];
	size_t count = 0;

	for (uint64_t span = first; span <= last && count < sizeof names / sizeof names[0]; span++)
		names[count++] = name_of_client(client, port, span);
	return wake(correlate, names, count);
}

bool rest_wake_port(struct correlate *correlate, uint64_t client, uint32_t port, uint64_t connect_us)
{
	return wake_client(correlate, client, port, connect_us, APART_US);
}

bool rest_wake_client(struct correlate *correlate, uint64_t client, uint64_t connect_us)
{
	return wake_client(correlate, client, 0, connect_us, RIVALS_US);
}

bool rest_wake_process(struct correlate *correlate, uint64_t process_hash)
{
	const uint64_t name = name_of_process(process_hash);

	return wake(correlate, &name, 1);
}

void rest_wake_messages(struct correlate *correlate, struct open_session *session)
{
	const uint64_t name = name_of_key(session->session.key);

	/* Those that are told nothing set it again when they go. */
	session->resting_us = 0;
	(void)wake(correlate, &name, 1);
}

bool rest_wake_queue_name(struct correlate *correlate, const struct queue_name *name)
{
	const uint64_t hash = name_of_queue(correlate, name);

	return wake(correlate, &hash, 1);
}

/* ---- and shown anew, where gaps have come or gone ---- */

/* So much earlier than the gap it lies in a session may have begun. What began before that, and has left, stays as it was shown. */
static const uint64_t BEFORE_US = UINT64_C(1800) * 1000000;

void rest_review(struct correlate *correlate, uint64_t from_us, uint64_t until_us)
{
	from_us = from_us > BEFORE_US ? from_us - BEFORE_US : 0;
	until_us += BEFORE_US;
	if (!correlate->review_until_us || from_us < correlate->review_from_us)
		correlate->review_from_us = from_us;
	if (until_us > correlate->review_until_us)
		correlate->review_until_us = until_us;
}

static void note_change(const struct correlate *correlate, struct open_item *item)
{
	if (item->rests && gap_has(correlate, item) != item->is_in_gap)
		item->is_changed = true;
}

static struct open_item *item_of(const struct correlate *correlate, const struct woken *woken)
{
	struct open_session *session = woken->is_session ? session_by_key(correlate, woken->key) : NULL;
	struct open_message *message = woken->is_session ? NULL : message_by_key(correlate, woken->key);

	return session ? &session->item : message ? &message->item : NULL;
}

/* Sessions behind their messages. What has not changed is forgotten again. */
static void show_woken(struct correlate *correlate, const struct woken *first, bool is_session)
{
	for (const struct woken *woken = first; woken; woken = woken->next) {
		struct open_item *item = woken->is_session == is_session ? item_of(correlate, woken) : NULL;

		if (item)
			open_release_one(correlate, item);
	}
}

static void note_changes_in(struct correlate *correlate, const struct open_list *list)
{
	for (struct open_item *item = list->first; item; item = item->next)
		note_change(correlate, item);
}

void rest_show_reviewed(struct correlate *correlate)
{
	transaction_key key = transaction_key_of(correlate->review_from_us, NULL, 0), until = transaction_key_of(correlate->review_until_us, NULL, 0);

	if (!correlate->review_until_us)
		return;
	correlate->review_until_us = 0;
	note_changes_in(correlate, &correlate->open);
	for (unsigned i = 0; i < origin_host_count(correlate->origins); i++)
		note_changes_in(correlate, &origin_host_at(correlate->origins, i)->ending);
	while (key && correlate->sink.wake_between) {
		struct waking waking = { .correlate = correlate, .last = &waking.first };
		const struct correlate_taker taker = { .lacks = lacks, .take = take, .context = &waking };

		key = correlate->sink.wake_between(correlate->sink.context, key, until, &taker);
		wake_given(&waking);
		for (struct woken *woken = waking.first; woken; woken = woken->next) {
			struct open_item *item = item_of(correlate, woken);

			if (item)
				note_change(correlate, item);
		}
		show_woken(correlate, waking.first, false);
		show_woken(correlate, waking.first, true);
		free_woken(waking.first);
	}
}

/* ---- and looked into ---- */

bool facts_have(const struct facts *facts, correlate_test *test, const void *context)
{
	struct facts_walk walk;
	struct fact_value value;

	facts_walk_start(&walk, facts);
	while (facts_walk_next(&walk, &value))
		if (fact_is_text(value.fact) && test(context, value.text))
			return true;
	return false;
}

static bool session_has(struct text more, correlate_test *test, const void *context)
{
	struct facts facts;

	/* Behind key, begin and end. */
	for (unsigned i = 0; i < 3; i++)
		(void)state_get_number(&more);
	get_facts(&more, &facts);
	return facts_have(&facts, test, context);
}

static bool message_has(struct text more, correlate_test *test, const void *context)
{
	struct message message;
	bool has;

	get_message(&more, &message);
	has = facts_have(&message.facts, test, context);
	for (const struct recipient *each = message.recipients; each && !has; each = each->next)
		has = facts_have(&each->facts, test, context);
	for (const struct check *each = message.checks; each && !has; each = each->next)
		has = facts_have(&each->facts, test, context);
	free_message(&message);
	return has;
}

bool correlate_rest_has(struct text state, correlate_test *test, const void *context)
{
	struct woken *woken = woken_new(state);
	bool has = !woken || (woken->is_session ? session_has(woken->more, test, context) : message_has(woken->more, test, context));

	free(woken);
	return has;
}

/* ---- what is of none ---- */

void rest_put(struct correlate *correlate, size_t *used)
{
	state_put_number(correlate, used, correlate->rested_us);
	state_put_number(correlate, used, correlate->rests_without_ports);
	state_put_number(correlate, used, correlate->clock_count);
	for (unsigned i = 0; i < correlate->clock_count && i < RECORD_CLOCKS_MAX; i++) {
		const struct record_clock *clock = &correlate->clocks[i];

		state_put_number(correlate, used, clock->hash);
		state_put_number(correlate, used, clock->host->number);
		state_put_number(correlate, used, clock->mta ? clock->mta->number : UINT64_MAX);
		state_put_number(correlate, used, clock->time_us);
	}
}

void rest_get(struct correlate *correlate, struct text *state)
{
	correlate->rested_us = state_get_number(state);
	correlate->rests_without_ports = state_get_number(state);
	correlate->clock_count = (unsigned)state_get_number(state);
	for (unsigned i = 0; i < correlate->clock_count && i < RECORD_CLOCKS_MAX; i++) {
		struct record_clock *clock = &correlate->clocks[i];

		struct host *host, *mta;

		clock->hash = state_get_number(state);
		host = state_host(correlate, state_get_number(state));
		mta = state_host(correlate, state_get_number(state));
		clock->time_us = state_get_number(state);
		clock->host = host ? host : state_host(correlate, 0);
		clock->mta = mta;
		if (host && mta)
			host->mta = mta;
	}
}
