/*
 * correlate_gap.c - what is not known since records are missing, and of which sessions and messages that may be.
 *
 * The milter tells of records that it could not keep, with their times. Where numbers of a producer's records are missing, what
 * they told is not known, but which they are: of a session and message whose records surround them, or have not come to their
 * end, or lack their begin. Whose records all have numbers before or behind such a hole lacks none. What has none at all, as far
 * as the log tells, is asked for its time.
 *
 * Holes close when their records come late. What had left by then was shown as it stood, and rests: it is shown anew.
 */
#include "analysis/correlate_internal.h"

static const uint64_t SHORT_US = UINT64_C(120) * 1000000;

uint32_t gap_numbers(const struct correlate *correlate, const struct input_record *record)
{
	return (uint32_t)(hash_text(correlate->seed + record->partition, input_record_text(record, FIELD_PRODUCER)) >> 32) | 1;
}

static bool is_hole(const struct record_gap *gap)
{
	return gap->missing != 0;
}

/* ---- which gaps there are ---- */

static void remove_gap(struct correlate *correlate, struct record_gap *gap)
{
	size_t behind = (size_t)(correlate->gaps + correlate->gap_count - gap) - 1;

	memmove(gap, gap + 1, behind * sizeof *gap);
	correlate->gap_count--;
}

/* How many numbers lie between them. */
static uint64_t distance(const struct record_gap *a, const struct record_gap *b)
{
	if (a->until_seq < b->from_seq)
		return b->from_seq - a->until_seq;
	return b->until_seq < a->from_seq ? a->from_seq - b->until_seq : 0;
}

/* The next hole of the same numbers; NULL: there is none. */
static struct record_gap *next_of_same(struct correlate *correlate, const struct record_gap *gap)
{
	for (struct record_gap *other = correlate->gaps + (gap - correlate->gaps) + 1; other < correlate->gaps + correlate->gap_count; other++)
		if (is_hole(other) && other->numbers == gap->numbers)
			return other;
	return NULL;
}

/* The one takes what the other has, and what lies between them. */
static void merge_gaps(struct correlate *correlate, struct record_gap *into, struct record_gap *from)
{
	into->missing += from->missing;
	if (from->from_us < into->from_us)
		into->from_us = from->from_us;
	if (from->until_us > into->until_us)
		into->until_us = from->until_us;
	if (from->from_seq < into->from_seq)
		into->from_seq = from->from_seq;
	if (from->until_seq > into->until_seq)
		into->until_seq = from->until_seq;
	remove_gap(correlate, from);
}

/* What lay in it has said so, but for what is under way: that stays as it was said. */
static void forget_oldest(struct correlate *correlate)
{
	if (correlate->gaps[0].until_us > correlate->gap_forgotten_us)
		correlate->gap_forgotten_us = correlate->gaps[0].until_us;
	remove_gap(correlate, correlate->gaps);
}

/* Of many holes in a short time the two that lie nearest become one. */
static void make_room(struct correlate *correlate, uint64_t now_us)
{
	struct record_gap *one = NULL, *other = NULL;

	if (correlate->gaps[0].until_us + SHORT_US < now_us) {
		forget_oldest(correlate);
		return;
	}
	for (struct record_gap *gap = correlate->gaps; gap < correlate->gaps + correlate->gap_count; gap++) {
		struct record_gap *next = is_hole(gap) ? next_of_same(correlate, gap) : NULL;

		if (next && (!one || distance(gap, next) < distance(one, other))) {
			one = gap;
			other = next;
		}
	}
	if (one)
		merge_gaps(correlate, one, other);
	else
		forget_oldest(correlate);
}

static void add_gap(struct correlate *correlate, const struct record_gap *gap)
{
	if (correlate->gap_count == RECORD_GAPS_MAX)
		make_room(correlate, gap->until_us);
	correlate->gaps[correlate->gap_count++] = *gap;
	rest_review(correlate, gap->from_us, gap->until_us);
}

/* What has a number and is lost, leaves a hole, too. */
static bool had_number(struct text reason)
{
	return text_is(reason, "damaged") || text_is(reason, "not_kept") || text_is(reason, "trimmed");
}

void gap_note(struct clue *clue)
{
	struct text reason = input_record_text(clue->record, FIELD_REASON);
	struct record_gap gap = {
		.host = clue->host->mta ? clue->host->mta : clue->host, .from_us = clue->time_us, .until_us = clue->time_us,
		.tells_unnumbered = !had_number(reason),
	};

	/* It was lost before anybody knew of which partition it would be. */
	if (!text_is(reason, "no_memory"))
		gap.numbers = clue->numbers;
	(void)time_parse(input_record_text(clue->record, FIELD_FROM_TIME), &gap.from_us);
	(void)time_parse(input_record_text(clue->record, FIELD_TO_TIME), &gap.until_us);
	add_gap(clue->correlate, &gap);
}

void gap_note_hole(struct clue *clue, uint64_t from_seq, uint64_t until_seq)
{
	uint64_t before_us = rest_clock(clue->correlate, clue->record), lateness_us = clue->correlate->options.lateness_us;
	struct record_gap gap = {
		.host = clue->host->mta ? clue->host->mta : clue->host, .numbers = clue->numbers,
		.from_seq = from_seq, .until_seq = until_seq, .missing = until_seq - from_seq + 1,
		.from_us = before_us ? before_us : clue->time_us > lateness_us ? clue->time_us - lateness_us : 0,
		.until_us = clue->time_us,
	};

	if (from_seq > until_seq || !gap.missing)
		return;
	if (gap.from_us > gap.until_us)
		gap.until_us = gap.from_us;
	add_gap(clue->correlate, &gap);
}

void gap_fill(struct clue *clue)
{
	struct correlate *correlate = clue->correlate;

	for (struct record_gap *gap = correlate->gaps; gap < correlate->gaps + correlate->gap_count; gap++) {
		if (!is_hole(gap) || gap->numbers != clue->numbers || clue->seq < gap->from_seq || clue->seq > gap->until_seq)
			continue;
		gap->missing--;
		/* Most often they come in their order. Those between are counted alone. */
		if (clue->seq == gap->from_seq)
			gap->from_seq++;
		else if (clue->seq == gap->until_seq)
			gap->until_seq--;
		/* Not for each of many; of those that never all come, the last few may stay said. */
		if ((gap->missing & (gap->missing - 1)) == 0)
			rest_review(correlate, gap->from_us, gap->until_us);
		if (!gap->missing)
			remove_gap(correlate, gap);
		return;
	}
}

/* ---- whose records may be among them ---- */

static uint64_t slack_us(const struct correlate *correlate)
{
	return correlate->options.skew_us + STAMP_STEP_US;
}

/* Records of one session or message. */
struct span {
	const struct host *host, *mta_host;
	uint32_t numbers;
	bool has_begin, has_end;
	uint64_t first_seq, last_seq, from_us, until_us;
};

static bool may_lack(const struct span *span, const struct record_gap *gap)
{
	if (!span->last_seq || (gap->numbers ? gap->numbers != span->numbers : gap->host != span->host && gap->host != span->mta_host))
		return false;
	if (!is_hole(gap))
		return gap->tells_unnumbered && span->from_us <= gap->until_us && (!span->has_end || gap->from_us <= span->until_us);
	if (gap->until_seq < span->first_seq)
		return !span->has_begin;
	return gap->from_seq < span->last_seq || !span->has_end;
}

/* Of what the log alone tells. */
static bool is_near(const struct correlate *correlate, const struct record_gap *gap, const struct host *host, uint64_t from_us, uint64_t until_us)
{
	return gap->host == host && gap->from_us <= until_us + slack_us(correlate) && from_us <= gap->until_us + slack_us(correlate);
}

static bool is_of_session(const struct correlate *correlate, const struct open_session *session, const struct record_gap *gap)
{
	const struct span span = {
		session->item.host, session->mta_host, session->numbers, session->has_first_record, session->has_last_record,
		session->first_seq, session->last_seq, session->records_us, session->closed_us,
	};

	return session->by_records ? may_lack(&span, gap) :
	       is_near(correlate, gap, session->item.host, session->session.start_us, session->item.touched_us);
}

/* Its checks come behind its end, and may come behind that of its session. */
static bool has_all_behind(const struct correlate *correlate, const struct open_message *message)
{
	return message->has_eom ? message->has_verdict || !correlate->has_verdicts : message->is_aborted;
}

static bool is_of_message(const struct correlate *correlate, const struct open_message *message, const struct record_gap *gap)
{
	const struct open_session *session = (const struct open_session *)message->message.session;

	if (message->by_records && session) {
		struct span span = {
			session->item.host, session->mta_host, session->numbers, message->has_mail, has_all_behind(correlate, message),
			message->first_seq, message->last_seq, message->records_us, message->stage_us,
		};

		/* Its end was not seen, and came before that of its session. */
		if (!span.has_end && !message->has_eom && session->has_last_record) {
			span.has_end = true;
			span.last_seq = session->last_seq;
			span.until_us = session->closed_us;
		}
		return may_lack(&span, gap);
	}
	return (message->is_received || session) && !(session && session->by_records && !is_of_session(correlate, session, gap)) &&
	       is_near(correlate, gap, message->item.host, message->message.start_us, message->message.start_us);
}

static bool is_of_item(const struct correlate *correlate, const struct open_item *item, const struct record_gap *gap)
{
	const char *at = (const char *)item;

	if (item->kind == OPEN_SESSION)
		return is_of_session(correlate, (const struct open_session *)(at - offsetof(struct open_session, item)), gap);
	return is_of_message(correlate, (const struct open_message *)(at - offsetof(struct open_message, item)), gap);
}

/* It said so when it was shown, and the gap may be one of those that are not known any more. */
static bool was_in_forgotten(const struct correlate *correlate, const struct open_item *item)
{
	const char *at = (const char *)item;
	uint64_t start_us = item->kind == OPEN_SESSION ? ((const struct open_session *)(at - offsetof(struct open_session, item)))->session.start_us :
			    ((const struct open_message *)(at - offsetof(struct open_message, item)))->message.start_us;

	return item->is_in_gap && start_us <= correlate->gap_forgotten_us + slack_us(correlate);
}

bool gap_has(const struct correlate *correlate, const struct open_item *item)
{
	if (was_in_forgotten(correlate, item))
		return true;
	for (unsigned i = 0; i < correlate->gap_count; i++)
		if (is_of_item(correlate, item, &correlate->gaps[i]))
			return true;
	return false;
}

bool gap_may_close(const struct correlate *correlate, const struct open_item *item)
{
	for (unsigned i = 0; i < correlate->gap_count; i++)
		if (is_hole(&correlate->gaps[i]) && is_of_item(correlate, item, &correlate->gaps[i]))
			return true;
	return false;
}

/* ---- kept with the store ---- */

void gap_put(struct correlate *correlate, size_t *used)
{
	state_put_number(correlate, used, correlate->gap_forgotten_us);
	state_put_number(correlate, used, correlate->gap_count);
	for (unsigned i = 0; i < correlate->gap_count; i++) {
		struct record_gap gap = correlate->gaps[i];

		state_put_number(correlate, used, gap.host->number);
		gap.host = NULL;
		state_put(correlate, used, &gap, sizeof gap);
	}
}

void gap_get(struct correlate *correlate, struct text *state)
{
	uint64_t count;

	correlate->gap_forgotten_us = state_get_number(state);
	count = state_get_number(state);
	correlate->gap_count = 0;
	for (uint64_t i = 0; i < count && i < RECORD_GAPS_MAX && state->length; i++) {
		struct record_gap *gap = &correlate->gaps[correlate->gap_count];
		struct host *host = state_host(correlate, state_get_number(state));

		if (!state_get(state, gap, sizeof *gap) || !host)
			continue;
		gap->host = host;
		correlate->gap_count++;
	}
}
