/* recorder.c - the way of a finished record into the journal. */
#include "recorder.h"

#include <unistd.h>

void recorder_init(struct recorder *recorder, struct journal *const *journals, unsigned count, unsigned active)
{
	*recorder = (struct recorder){ .journals = journals, .count = count, .active = active };
	(void)pthread_mutex_init(&recorder->lock, NULL);
}

void recorder_done(struct recorder *recorder)
{
	(void)pthread_mutex_destroy(&recorder->lock);
}

/* The place of a session's records: FNV-1a of its id. */
static unsigned place_of_session(const struct recorder *recorder, struct text session)
{
	uint32_t hash = UINT32_C(2166136261);

	for (size_t i = 0; i < session.length; i++)
		hash = (hash ^ (unsigned char)session.start[i]) * UINT32_C(16777619);
	return hash % recorder->active;
}

static unsigned place_of(const struct recorder *recorder, struct text payload)
{
	struct record_view view;
	struct record_value session;

	if (recorder->active == 1 || record_view_open(&view, payload) != 0 ||
	    !record_view_find(&view, FIELD_SESSION, &session))
		return 0;
	return place_of_session(recorder, session.text);
}

bool recorder_put(struct recorder *recorder, struct record *record)
{
	struct text payload = record_finish(record);
	int error = journal_append(recorder->journals[place_of(recorder, payload)], payload);

	record_done(record);
	return error == 0;
}

bool recorder_put_at(struct recorder *recorder, unsigned place, struct record *record)
{
	int error = journal_append(recorder->journals[place], record_finish(record));

	record_done(record);
	return error == 0;
}

void recorder_put_start(struct recorder *recorder, unsigned place, uint64_t now_us, const char *config_digest)
{
	struct journal_birth birth = journal_birth(recorder->journals[place]);
	struct record record;

	record_init(&record, STAGE_START, now_us);
	record_set_string(&record, FIELD_VERSION, PACKAGE_VERSION);
	record_set_string(&record, FIELD_CONFIG_DIGEST, config_digest);
	record_set_number(&record, FIELD_PID, (uint64_t)getpid());
	record_set_number(&record, FIELD_PARTITIONS, recorder->active);
	record_set_string(&record, FIELD_ACTION, "continue");
	record_set_number(&record, FIELD_EPOCH, birth.epoch);
	if (birth.previous_epoch)
		record_set_number(&record, FIELD_PREVIOUS_EPOCH, birth.previous_epoch);
	if (birth.previous_seq)
		record_set_number(&record, FIELD_PREVIOUS_SEQ, birth.previous_seq);
	if (birth.previous_producer[0])
		record_set_string(&record, FIELD_PREVIOUS_PRODUCER, birth.previous_producer);
	record_set_string(&record, FIELD_REASON, journal_start_name(birth.start));
	(void)recorder_put_at(recorder, place, &record);
}

static void put_stop(struct recorder *recorder, unsigned place, uint64_t now_us, const char *reason)
{
	struct record record;

	record_init(&record, STAGE_STOP, now_us);
	record_set_string(&record, FIELD_VERSION, PACKAGE_VERSION);
	record_set_number(&record, FIELD_PID, (uint64_t)getpid());
	record_set_number(&record, FIELD_EPOCH, journal_birth(recorder->journals[place]).epoch);
	record_set_string(&record, FIELD_REASON, reason);
	(void)recorder_put_at(recorder, place, &record);
}

void recorder_put_stop(struct recorder *recorder, uint64_t now_us, const char *reason)
{
	for (unsigned place = 0; place < recorder->count; place++)
		put_stop(recorder, place, now_us, reason);
}

static void add_lost(struct recorder *recorder, uint64_t count, uint64_t from_us, uint64_t to_us)
{
	struct journal_gap *lost = &recorder->lost;

	pthread_mutex_lock(&recorder->lock);
	if (lost->count == 0 || from_us < lost->from_us)
		lost->from_us = from_us;
	if (lost->count == 0 || to_us > lost->to_us)
		lost->to_us = to_us;
	lost->count += count;
	pthread_mutex_unlock(&recorder->lock);
}

void recorder_lost(struct recorder *recorder, uint64_t now_us)
{
	add_lost(recorder, 1, now_us, now_us);
	pthread_mutex_lock(&recorder->lock);
	recorder->lost_total++;
	pthread_mutex_unlock(&recorder->lock);
}

static bool take_lost(struct recorder *recorder, struct journal_gap *ret_gap)
{
	pthread_mutex_lock(&recorder->lock);
	*ret_gap = recorder->lost;
	recorder->lost = (struct journal_gap){ .count = 0 };
	pthread_mutex_unlock(&recorder->lock);
	ret_gap->reason = "no_memory";
	return ret_gap->count > 0;
}

static int put_gap(struct journal *journal, const struct journal_gap *gap, uint64_t now_us)
{
	struct record record;

	record_init(&record, STAGE_GAP, now_us);
	record_set_number(&record, FIELD_COUNT, gap->count);
	record_set_time(&record, FIELD_FROM_TIME, gap->from_us);
	record_set_time(&record, FIELD_TO_TIME, gap->to_us);
	record_set_string(&record, FIELD_REASON, gap->reason);
	int error = journal_append(journal, record_finish(&record));

	record_done(&record);
	return error;
}

static void write_gaps_of(struct journal *journal, uint64_t now_us)
{
	struct journal_gap gap;

	while (journal_gap_take(journal, &gap)) {
		if (put_gap(journal, &gap, now_us) != 0) {
			journal_gap_return(journal, &gap);
			return;
		}
	}
}

void recorder_write_gaps(struct recorder *recorder, uint64_t now_us)
{
	struct journal_gap gap;

	for (unsigned place = 0; place < recorder->count; place++)
		write_gaps_of(recorder->journals[place], now_us);
	if (take_lost(recorder, &gap) && put_gap(recorder->journals[0], &gap, now_us) != 0)
		add_lost(recorder, gap.count, gap.from_us, gap.to_us);
}

uint64_t recorder_lost_total(struct recorder *recorder)
{
	pthread_mutex_lock(&recorder->lock);
	uint64_t total = recorder->lost_total;

	pthread_mutex_unlock(&recorder->lock);
	return total;
}
