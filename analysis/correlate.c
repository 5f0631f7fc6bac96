/* correlate.c - every line and record, counted and given to what is done for its kind. */
#include "analysis/correlate_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

/* How often what is silent is looked for, in the time in which something becomes it. */
enum { SWEEPS_A_SILENCE = 48 };

static const uint64_t second_us = 1000000, day_us = UINT64_C(86400) * 1000000;

/* What is done for a kind of line, and what counts it; each may be missing. */
static const struct kind {
	void (*follow)(struct clue *clue);
	size_t counter;		/* offset in struct correlate_counts; 0: follow counts, or it is nothing of its own */
	bool counts_itself;
} kinds[EVENT_OTHER] = {
#define COUNTED(function, name) { (function), offsetof(struct correlate_counts, name), false }
#define COUNTS_ITSELF(function) { (function), 0, true }
#define UNCOUNTED(function) { (function), 0, false }
	[EVENT_CONNECT] = COUNTED(correlate_connect, connect),
	[EVENT_DISCONNECT] = COUNTED(correlate_disconnect, disconnect),
	[EVENT_LOST_CONNECTION] = COUNTED(correlate_lost_connection, lost_connection),
	[EVENT_TIMEOUT] = UNCOUNTED(correlate_timeout),
	[EVENT_TOO_MANY_ERRORS] = UNCOUNTED(correlate_too_many_errors),
	[EVENT_HELO] = UNCOUNTED(correlate_helo),
	[EVENT_TLS] = COUNTS_ITSELF(correlate_tls),
	[EVENT_TLS_ERROR] = UNCOUNTED(correlate_tls_error),
	[EVENT_AUTH_OK] = UNCOUNTED(correlate_auth_ok),
	[EVENT_AUTH_FAILED] = COUNTED(correlate_auth_failed, auth_failed),
	[EVENT_AUTH_ABORTED] = UNCOUNTED(correlate_auth_aborted),
	[EVENT_LOGIN] = UNCOUNTED(correlate_login),
	[EVENT_LOGIN_FAILED] = UNCOUNTED(correlate_login_failed),
	[EVENT_SESSION_END] = UNCOUNTED(correlate_session_end),
	[EVENT_SCREEN_CONNECT] = UNCOUNTED(correlate_screen_connect),
	[EVENT_SCREEN_PASS] = UNCOUNTED(correlate_screen_pass),
	[EVENT_SCREEN_PREGREET] = UNCOUNTED(correlate_screen_pregreet),
	[EVENT_SCREEN_HANGUP] = UNCOUNTED(correlate_screen_hangup),
	[EVENT_SCREEN_VIOLATION] = UNCOUNTED(correlate_screen_violation),
	[EVENT_SCREEN_DNSBL] = UNCOUNTED(correlate_screen_dnsbl),
	[EVENT_SCREEN_DISCONNECT] = UNCOUNTED(correlate_screen_disconnect),
	[EVENT_DNSBL_HIT] = UNCOUNTED(correlate_dnsbl_hit),
	[EVENT_HELD] = UNCOUNTED(correlate_held),
	[EVENT_RELEASED] = UNCOUNTED(correlate_released),
	[EVENT_MILTER_FAILED] = UNCOUNTED(correlate_milter_failed),
	[EVENT_MILTER_ACTION] = UNCOUNTED(correlate_milter_action),
	[EVENT_SCANNED] = UNCOUNTED(correlate_scanned),
	[EVENT_SPF] = UNCOUNTED(correlate_spf),
	[EVENT_DKIM_VERIFIED] = UNCOUNTED(correlate_dkim_verified),
	[EVENT_DKIM_BAD] = UNCOUNTED(correlate_dkim_bad),
	[EVENT_DMARC] = UNCOUNTED(correlate_dmarc),
	[EVENT_CLIENT] = COUNTS_ITSELF(correlate_client),
	[EVENT_PICKUP] = COUNTED(correlate_pickup, received_pickup),
	[EVENT_MESSAGE_ID] = COUNTED(correlate_message_id, message_id),
	[EVENT_QUEUED] = COUNTS_ITSELF(correlate_queued),
	[EVENT_DELIVERY] = COUNTS_ITSELF(correlate_delivery),
	[EVENT_EXPIRED] = COUNTED(correlate_expired, expired),
	[EVENT_RECEIVED] = COUNTS_ITSELF(correlate_received),
	[EVENT_ABANDONED] = UNCOUNTED(correlate_abandoned),
	[EVENT_COMMAND] = UNCOUNTED(correlate_command),
	[EVENT_REPLY] = COUNTS_ITSELF(correlate_reply),
	[EVENT_DISCARDED] = UNCOUNTED(correlate_discarded),
	[EVENT_TRANSFER] = UNCOUNTED(correlate_transfer),
	[EVENT_EXPANDED] = UNCOUNTED(correlate_expanded),
	[EVENT_REDIRECT] = UNCOUNTED(correlate_expanded),
	[EVENT_RECIPIENT] = UNCOUNTED(correlate_given),
	[EVENT_FORWARDED] = UNCOUNTED(correlate_forwarded),
	[EVENT_REMOVED] = COUNTED(correlate_removed, removed),
	[EVENT_BOUNCE] = COUNTED(correlate_notice, received_notice),
	[EVENT_REJECT] = COUNTS_ITSELF(correlate_refusal),
	[EVENT_TOO_LARGE] = UNCOUNTED(correlate_too_large),
	[EVENT_DISCARD] = COUNTS_ITSELF(correlate_refusal),
	[EVENT_HOLD] = COUNTS_ITSELF(correlate_refusal),
	[EVENT_QUARANTINE] = COUNTS_ITSELF(correlate_refusal),
	[EVENT_HEADER_CHECK] = COUNTS_ITSELF(correlate_refusal),
	[EVENT_PROXY_ACCEPT] = UNCOUNTED(correlate_proxy_accept),
	[EVENT_PROXY_REJECT] = COUNTS_ITSELF(correlate_refusal),
	[EVENT_REJECT_WARNING] = COUNTED(correlate_reject_warning, reject_warning),
	[EVENT_ANVIL_RATE] = COUNTED(NULL, anvil),
	[EVENT_ANVIL_COUNT] = COUNTED(NULL, anvil),
};

void correlate_defaults(struct correlate_options *options)
{
	*options = (struct correlate_options){
		.memory_bytes = (size_t)512 << 20, .skew_us = 2 * second_us, .lateness_us = 10 * second_us,
		.silence_us = 6 * day_us, .keeps_reasons = true,
	};
}

static bool wants_facts(const struct correlate_options *options, const struct correlate_sink *sink)
{
	return options->keeps_attempts || sink->attempt || sink->login || sink->message || sink->session;
}

int correlate_new(struct correlate **ret_correlate, const struct correlate_options *options,
		  const struct correlate_sink *sink)
{
	struct correlate *correlate = calloc(1, sizeof *correlate);

	if (!correlate)
		return -ENOMEM;
	correlate->options = *options;
	correlate->sink = *sink;
	correlate->keeps_facts = wants_facts(options, sink);
	correlate->shows_keys = correlate->keeps_facts && !options->facts;
	correlate->sweep_pause_us = options->silence_us / SWEEPS_A_SILENCE;
	correlate->oldest_us = UINT64_MAX;
	fact_choose(correlate);
	/* Without randomness hashes are only easier to guess. */
	if (getrandom(&correlate->seed, sizeof correlate->seed, GRND_NONBLOCK) < 0)
		correlate->seed = (uintptr_t)correlate;
	correlate->pool = pool_new();
	correlate->origins = origins_new(options->hosts, correlate->seed);
	if (!correlate->pool || !correlate->origins) {
		correlate_free(correlate);
		return -ENOMEM;
	}
	correlate->origin_cache = origins_cache(correlate->origins);
	*ret_correlate = correlate;
	return 0;
}

void correlate_free(struct correlate *correlate)
{
	if (!correlate)
		return;
	free(correlate->outgoing);
	open_table_done(&correlate->keys);
	open_table_done(&correlate->messages);
	open_table_done(&correlate->processes);
	open_table_done(&correlate->milter);
	open_table_done(&correlate->clients);
	open_table_done(&correlate->ports);
	open_table_done(&correlate->recipients);
	open_table_done(&correlate->logins);
	open_table_done(&correlate->waiting);
	open_table_done(&correlate->ids);
	open_table_done(&correlate->children);
	open_table_done(&correlate->notes);
	free(correlate->note_ring);
	free(correlate->stamps);
	free(correlate->state);
	origins_free(correlate->origins);
	pool_free(correlate->pool);
	free(correlate);
}

static void count(struct clue *clue, const struct kind *kind)
{
	struct correlate_counts *counts = &clue->correlate->counts;

	if (kind->counter)
		++*(uint64_t *)((char *)counts + kind->counter);
	else if (kind->counts_itself)
		return;
	else if (clue->origin->role == ROLE_STATISTICS)
		counts->anvil++;
	else if (text_equal(event_text(clue->event, NAME_SEVERITY), TEXT_LITERAL("warning")))
		counts->warning++;
	else
		counts->other++;
}

const uint8_t no_places[NAME_OTHER + 1];

static __attribute__((noinline)) void learn_places(struct places *places, const struct event *event)
{
	places->count = event->field_count;
	places->has_lists = false;
	memset(places->at, 0, sizeof places->at);
	/* Of a name that comes twice the first counts. Names that are not looked at share the last place. */
	for (unsigned i = event->field_count; i-- > 0;) {
		enum event_name name = event_name_id(event->fields[i].name);

		places->names[i] = event->fields[i].name;
		places->has_lists |= name == NAME_TO_MORE || (name == NAME_TO && places->at[name]);
		places->at[name] = (uint8_t)(i + 1);
	}
}

/* Where each field of the event is. */
static const struct places *places_of(struct correlate *correlate, enum event_kind kind, const struct event *event)
{
	const struct event_field *field = event->fields;
	/* A name from the middle tells apart what is of one kind, and as long. */
	uintptr_t middle = event->field_count ? (uintptr_t)field[event->field_count / 2].name / EVENT_NAME_MAX : 0;
	uint32_t form = (uint32_t)kind | event->field_count << 7 | (uint32_t)middle << 13;
	struct places *places = &correlate->places[form * UINT32_C(0x9e3779b1) >> (32 - PLACES_BITS)];
	unsigned i = 0;

	if (places->count == event->field_count)
		while (i < event->field_count && places->names[i] == field[i].name)
			i++;
	if (places->count != i || i != event->field_count)
		learn_places(places, event);
	return places;
}

void correlate_sweep(struct correlate *correlate, const struct host *host)
{
	correlate->swept_us = host->now_us;
	open_sweep(correlate);
}

static inline void take(struct correlate *correlate, const struct event *event, uint16_t source)
{
	static const struct kind no_kind = { NULL, 0, false };
	enum event_kind id = event->kind ? event_kind_id(event->kind) : EVENT_OTHER;
	const struct kind *kind = id == EVENT_OTHER ? &no_kind : &kinds[id];
	struct clue clue;

	if (!event->kind && event->format)
		correlate->counts.unknown++;
	clue.correlate = correlate;
	clue.event = event;
	clue.origin = origin_find(correlate->origin_cache, event->frame.host, event->frame.process);
	clue.host = clue.origin->host;
	clue.time_us = event->frame.has_time && event->frame.time_us > 0 ? (uint64_t)event->frame.time_us : clue.host->now_us;
	open_advance(correlate, clue.host, clue.time_us);
	count(&clue, kind);
	if (kind->follow) {
		const struct places *places = places_of(correlate, id, event);

		clue.evidence = (struct evidence){ .source = source, .major = event->line };
		clue.is_counted = clue.shares_port = false;
		clue.at = places->at;
		clue.has_lists = places->has_lists;
		kind->follow(&clue);
	}
	correlate_keep_limits(correlate, clue.host);
}

void correlate_event(struct correlate *correlate, const struct event *event, uint16_t source)
{
	correlate->counts.lines++;
	take(correlate, event, source);
}

void correlate_events(struct correlate *correlate, const struct event *events, size_t count, uint16_t source)
{
	correlate->counts.lines += count;
	for (size_t i = 0; i < count; i++)
		take(correlate, &events[i], source);
}

void correlate_finish(struct correlate *correlate)
{
	open_finish(correlate);
}

void correlate_counts(const struct correlate *correlate, struct correlate_counts *ret_counts)
{
	struct correlate_counts *counts = ret_counts;

	*counts = correlate->counts;
	counts->received_smtpd -= counts->received_authenticated;
	counts->received = counts->received_smtpd + counts->received_authenticated + counts->received_pickup + counts->received_notice;
	counts->logical_messages = counts->received - counts->hops;
	counts->final_deliveries = counts->sent - counts->hop_deliveries;
	counts->open_sessions = correlate->open_sessions;
	counts->open_messages = correlate->open_messages;
}
