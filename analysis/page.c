/* page.c - counts by hour and chosen transactions for the HTML page. */
#include "analysis/page_internal.h"

#include <stdlib.h>

/* How far sessions come, and then messages. */
enum stage { STAGE_CONNECTED, STAGE_SENDER, STAGE_RECIPIENT, STAGE_DATA_SENT, STAGE_ACCEPTED, STAGE_DELIVERED };

const char *const page_stage_names[PAGE_STAGES] = {
	"sessions: connected", "gave a sender", "recipient accepted", "sent data", "messages: accepted", "delivered to someone",
};
const double page_delay_edges[PAGE_BUCKETS] = { 0, 0.1, 0.3, 1, 3, 10, 30, 60, 300, 900, 3600, 4 * 3600, 86400 };

enum { ONE = 1 };
static const struct tally_info outcomes_info = { "page_outcomes", 2, ONE, { TALLY_SUM } };
static const struct tally_info funnel_info = { "page_funnel", 2, ONE, { TALLY_SUM } };
static const struct tally_info auth_info = { "page_auth", 3, ONE, { TALLY_SUM } };
static const struct tally_info delays_info = {
	"page_delays", 2, PAGE_DELAY_NUMBERS, { TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_SUM },
};

struct page *page_new(void)
{
	struct page *page = calloc(1, sizeof *page);

	if (!page)
		return NULL;
	page->outcomes = tally_new(&outcomes_info);
	page->funnel = tally_new(&funnel_info);
	page->auth = tally_new(&auth_info);
	page->delays = tally_new(&delays_info);
	if (page->outcomes && page->funnel && page->auth && page->delays)
		return page;
	page_free(page);
	return NULL;
}

void page_free(struct page *page)
{
	if (!page)
		return;
	tally_free(page->outcomes);
	tally_free(page->funnel);
	tally_free(page->auth);
	tally_free(page->delays);
	for (int kind = 0; kind < PAGE_KINDS; kind++)
		for (size_t i = 0; i < page->rings[kind].count; i++)
			free(page->rings[kind].entries[i].bytes);
	for (size_t i = 0; i < page->sample_count; i++)
		free(page->samples[i].bytes);
	free(page);
}

/* ---- counts ---- */

static void count_stage(struct page *page, struct text hour, enum stage stage, int64_t count)
{
	tally_add_two(page->funnel, hour, text_of(page_stage_names[stage]), (uint64_t[]){ (uint64_t)count });
}

static void add_session(struct page *page, const struct report_row *row, struct text hour)
{
	const struct facts *facts = &row->session->facts;

	count_stage(page, hour, STAGE_CONNECTED, 1);
	if (facts_number(facts, FACT_SESSION_MAIL_COMMANDS, 0) || facts_number(facts, FACT_SESSION_MESSAGES, 0))
		count_stage(page, hour, STAGE_SENDER, 1);
	if (facts_number(facts, FACT_SESSION_RCPT_GOOD, 0))
		count_stage(page, hour, STAGE_RECIPIENT, 1);
	if (facts_number(facts, FACT_SESSION_DATA_COMMANDS, 0))
		count_stage(page, hour, STAGE_DATA_SENT, 1);
}

/* A content filter's session gave back what another session brought; that is known behind the session's end only. */
static void take_back_session(struct page *page, const struct message *message, struct text hour)
{
	if (!message->session_key || message->session_key == page->last_hop)
		return;
	page->last_hop = message->session_key;
	for (int stage = STAGE_CONNECTED; stage <= STAGE_DATA_SENT; stage++)
		count_stage(page, hour, (enum stage)stage, -1);
}

static bool is_delivered(const struct message *message)
{
	for (const struct recipient *recipient = message->recipients; recipient; recipient = recipient->next)
		if (recipient->fate == FATE_DELIVERED && !recipient->is_hop)
			return true;
	return false;
}

/* One result of one check, by domain; domains beyond what is kept by the hour are one. */
static void add_result(struct page *page, struct text hour, struct text domain, const char *check, struct text result)
{
	char words[40];
	int length = snprintf(words, sizeof words, "%s %.*s", check, TEXT_ARGS(result));
	struct text parts[] = { hour, domain, { words, (size_t)length } };

	if (!result.start || length >= (int)sizeof words)
		return;
	if (tally_count(page->auth) >= PAGE_AUTH_MAX && tally_index(page->auth, parts) == SIZE_MAX)
		parts[1] = text_of(TALLY_OTHERS);
	tally_add(page->auth, parts, (uint64_t[]){ 1 });
}

static void add_message(struct page *page, const struct report_row *row, struct text hour)
{
	const struct message *message = row->message;
	struct text domain = facts_text(&message->facts, FACT_MESSAGE_FROM_DOMAIN);

	if (message->parent_kind == PARENT_NONE && row->is_accepted)
		count_stage(page, hour, STAGE_ACCEPTED, 1);
	if (message->parent_kind != PARENT_NOTICE && message->parent_kind != PARENT_FORWARD && is_delivered(message))
		count_stage(page, hour, STAGE_DELIVERED, 1);
	if (row->is_hop)
		take_back_session(page, message, hour);
	if (row->is_hop || !domain.length)
		return;
	add_result(page, hour, domain, "spf", facts_text(&message->facts, FACT_MESSAGE_SPF));
	add_result(page, hour, domain, "dkim", facts_text(&message->facts, FACT_MESSAGE_DKIM));
	add_result(page, hour, domain, "dmarc", facts_text(&message->facts, FACT_MESSAGE_DMARC));
}

static unsigned bucket_of(uint64_t delay_us)
{
	unsigned bucket = 0;

	while (bucket + 1 < PAGE_BUCKETS && (double)delay_us >= page_delay_edges[bucket + 1] * 1e6)
		bucket++;
	return bucket;
}

static void add_attempt(struct page *page, const struct report_row *row, struct text hour)
{
	const struct facts *facts = &row->attempt->facts;
	struct fact_value delay;
	char words[4];

	if (row->is_hop || !text_is(facts_text(facts, FACT_ATTEMPT_STATUS), "sent") || !facts_find(facts, FACT_ATTEMPT_DELAY, &delay))
		return;
	(void)snprintf(words, sizeof words, "%u", bucket_of(delay.number));
	/* Milliseconds of each phase. */
	tally_add_two(page->delays, hour, text_of(words), (uint64_t[PAGE_DELAY_NUMBERS]){
		1, facts_number(facts, FACT_ATTEMPT_DELAY_BEFORE, 0) / 1000, facts_number(facts, FACT_ATTEMPT_DELAY_QUEUE, 0) / 1000,
		facts_number(facts, FACT_ATTEMPT_DELAY_CONNECTION, 0) / 1000, facts_number(facts, FACT_ATTEMPT_DELAY_TRANSFER, 0) / 1000,
	});
}

/* ---- transactions ---- */

static enum page_kind kind_of(const struct report_row *row)
{
	if (row->fate == FATE_REJECTED || row->fate == FATE_ABORTED)
		return PAGE_REFUSED;
	if (row->fate != FATE_DELIVERED)
		return PAGE_FAILED;
	if (row->recipient->attempts > 1 || text_is(facts_text(&row->message->facts, FACT_MESSAGE_DMARC), "fail"))
		return PAGE_DOUBTFUL;
	return PAGE_FINE;
}

static struct page_entry *next_entry(struct page *page, enum page_kind kind, bool is_sample)
{
	struct page_ring *ring = &page->rings[kind];
	struct page_entry *entry;

	ring->seen++;
	if (is_sample && page->sample_count < PAGE_SAMPLES_MAX)
		return &page->samples[page->sample_count++];
	if (ring->count < PAGE_TRANSACTIONS_MAX)
		return &ring->entries[ring->count++];
	entry = &ring->entries[ring->next];
	ring->next = (ring->next + 1) % PAGE_TRANSACTIONS_MAX;
	free(entry->bytes);
	return entry;
}

/* Parts of addresses come again and again: each is in the page once. */
static void split_address(struct text address, struct text *ret_local, struct text *ret_at)
{
	const char *at = address.length ? memrchr(address.start, '@', address.length) : NULL;
	size_t length = at ? (size_t)(at - address.start) : address.length;

	*ret_local = (struct text){ address.start, length };
	*ret_at = at ? (struct text){ at, address.length - length } : TEXT_NONE;
}

static void find_texts(const struct report_row *row, struct text *texts)
{
	const struct facts *recipient = &row->recipient->facts, *message = &row->message->facts;
	const struct facts *session = row->session ? &row->session->facts : NULL;

	split_address(row->from, &texts[PAGE_FROM_LOCAL], &texts[PAGE_FROM_AT]);
	split_address(row->to, &texts[PAGE_TO_LOCAL], &texts[PAGE_TO_AT]);
	texts[PAGE_RELAY] = facts_text(recipient, FACT_RECIPIENT_RELAY);
	texts[PAGE_STAGE] = facts_text(recipient, FACT_RECIPIENT_STAGE);
	texts[PAGE_BY] = facts_text(recipient, FACT_RECIPIENT_BY);
	texts[PAGE_REASON] = facts_text(recipient, FACT_RECIPIENT_REASON);
	texts[PAGE_DSN] = facts_text(recipient, FACT_RECIPIENT_DSN);
	texts[PAGE_CLIENT] = session ? facts_text(session, FACT_SESSION_CLIENT_ADDR) : TEXT_NONE;
	texts[PAGE_DOMAIN] = facts_text(message, FACT_MESSAGE_FROM_DOMAIN);
	texts[PAGE_SPF] = facts_text(message, FACT_MESSAGE_SPF);
	texts[PAGE_DKIM] = facts_text(message, FACT_MESSAGE_DKIM);
	texts[PAGE_DMARC] = facts_text(message, FACT_MESSAGE_DMARC);
}

static void keep(struct page *page, const struct report_row *row, const struct text *texts, bool is_sample)
{
	enum page_kind kind = kind_of(row);
	struct page_entry *entry = next_entry(page, kind, is_sample);
	size_t length = 0;

	*entry = (struct page_entry){
		.time_us = row->time_us, .delay_us = facts_number(&row->recipient->facts, FACT_RECIPIENT_DELAY, 0), .size = row->size,
		.key = row->message->key, .fate = (uint8_t)row->fate, .kind = (uint8_t)kind,
	};
	for (int i = 0; i < PAGE_TEXTS; i++)
		length += entry->lengths[i] = (uint8_t)(texts[i].length < PAGE_TEXT_MAX ? texts[i].length : PAGE_TEXT_MAX);
	entry->bytes = malloc(length + 1);
	length = 0;
	for (int i = 0; i < PAGE_TEXTS && entry->bytes; i++) {
		if (entry->lengths[i])
			memcpy(entry->bytes + length, texts[i].start, entry->lengths[i]);
		length += entry->lengths[i];
	}
}

static void add_recipient(struct page *page, const struct report_row *row, struct text hour)
{
	struct text texts[PAGE_TEXTS], bar[] = { hour, text_of(fate_name(row->fate)) };
	uint64_t had = 0;
	struct fact_value code;
	char code_words[24];
	bool is_sample;

	if (row->is_hop)
		return;
	is_sample = !tally_find(page->outcomes, bar, &had) || had < PAGE_SAMPLES;
	tally_add(page->outcomes, bar, (uint64_t[]){ 1 });
	find_texts(row, texts);
	texts[PAGE_CODE] = TEXT_NONE;
	if (facts_find(&row->recipient->facts, FACT_RECIPIENT_REPLY_CODE, &code)) {
		(void)snprintf(code_words, sizeof code_words, "%u", (unsigned)code.number);
		texts[PAGE_CODE] = text_of(code_words);
	}
	keep(page, row, texts, is_sample);
}

void page_add(struct page *page, const struct report_row *row)
{
	char scratch[REPORT_HOUR_SIZE];
	struct text hour = report_hour(row->time_us, scratch);

	switch (row->moment) {
	case REPORT_SESSION: add_session(page, row, hour); return;
	case REPORT_MESSAGE: add_message(page, row, hour); return;
	case REPORT_RECIPIENT: add_recipient(page, row, hour); return;
	case REPORT_ATTEMPT: add_attempt(page, row, hour); return;
	case REPORT_CHECK:
	case REPORT_LOGIN:
	case REPORT_LOGOUT:
	case REPORT_LINE:
		return;
	}
}

/* ---- slots of time ---- */

static int compare_names(const void *a, const void *b)
{
	return memcmp(a, b, REPORT_HOUR_SIZE);
}

static void collect_slots(struct page_slots *slots, const struct tally *tally)
{
	for (size_t i = 0; i < tally_count(tally); i++) {
		struct text hour = tally_row(tally, i).parts[0];

		/* What was beyond the tally's limit has no hour. */
		if (hour.length < slots->length || text_is(hour, TALLY_OTHERS))
			continue;
		memset(slots->names[slots->count], 0, REPORT_HOUR_SIZE);
		memcpy(slots->names[slots->count++], hour.start, slots->length);
	}
}

static void sort_slots(struct page_slots *slots)
{
	size_t kept = 0;

	if (slots->count)
		qsort(slots->names, slots->count, sizeof slots->names[0], compare_names);
	for (size_t i = 0; i < slots->count; i++)
		if (i == 0 || memcmp(slots->names[i], slots->names[kept - 1], REPORT_HOUR_SIZE) != 0)
			memmove(slots->names[kept++], slots->names[i], REPORT_HOUR_SIZE);
	slots->count = kept;
}

void page_slots_make(struct page_slots *slots, const struct page *page)
{
	const struct tally *tallies[] = { page->outcomes, page->funnel, page->auth, page->delays };
	size_t all = 1;

	for (unsigned i = 0; i < 4; i++)
		all += tally_count(tallies[i]);
	*slots = (struct page_slots){ .names = calloc(all, REPORT_HOUR_SIZE), .length = REPORT_HOUR_SIZE - 1 };
	for (int try = 0; slots->names && try < 2; try++) {
		slots->count = 0;
		for (unsigned i = 0; i < 4; i++)
			collect_slots(slots, tallies[i]);
		sort_slots(slots);
		if (slots->count <= PAGE_SLOTS_MAX)
			return;
		slots->length = PAGE_DAY_LENGTH;
	}
}

long page_slot_of(const struct page_slots *slots, struct text hour)
{
	char name[REPORT_HOUR_SIZE] = "";
	const char (*found)[REPORT_HOUR_SIZE];

	if (hour.length < slots->length || !slots->count)
		return -1;
	memcpy(name, hour.start, slots->length);
	found = bsearch(name, slots->names, slots->count, sizeof slots->names[0], compare_names);
	return found ? found - (const char (*)[REPORT_HOUR_SIZE])slots->names : -1;
}
