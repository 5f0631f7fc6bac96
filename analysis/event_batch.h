/*
 * event_batch.h - a stretch of a log file in memory: its text, and the events of its lines.
 *
 * A batch is filled with lines by log_reader_fill, in their order; then event_batch_read finds out what they mean, which
 * may happen while other batches are filled, read or used (log_pipeline.h). It is used again and again.
 *
 * Threads: one owner at a time.
 * Memory:  events, their fields and texts live in the batch until it is filled again. About 0.6 MB for an ordinary log, and
 *          EVENT_BATCH_SIZE for the worst one: pages that no line needs are never touched.
 * Limits:  EVENT_BATCH_LINES lines; the text of one buffer of input_file.h, and as much again that lies in no line.
 */
#ifndef SMTPTRAIL_EVENT_BATCH_H
#define SMTPTRAIL_EVENT_BATCH_H

#include "analysis/event.h"
#include "analysis/input_file.h"

enum {
	EVENT_BATCH_LINES = 2048,
	/* What of a frame may lie in no line: an entry of journald, or a message that was repeated. */
	EVENT_BATCH_TEXT_MAX = FRAME_ENTRY_MAX,
	EVENT_BATCH_TEXTS = 2 * EVENT_BATCH_TEXT_MAX,
};

struct event_batch {
	char *text;			/* of INPUT_FILE_BUFFER + INPUT_FILE_PADDING bytes: lines lie here */
	struct event *events;
	struct event_field *fields;	/* of all events, one behind the other */
	char *texts;			/* of frames, that lie in no line */
	size_t count, field_count, texts_length;
};

/* 0 or -ENOMEM. */
int event_batch_init(struct event_batch *batch);
void event_batch_done(struct event_batch *batch);

void event_batch_empty(struct event_batch *batch);
/* Whether another line may be added, whatever it is. */
static inline bool event_batch_has_room(const struct event_batch *batch)
{
	return batch->count < EVENT_BATCH_LINES && EVENT_BATCH_TEXTS - batch->texts_length >= EVENT_BATCH_TEXT_MAX;
}
/* Copies what of a frame lies with its reader. */
void event_batch_keep(struct event_batch *batch, struct frame *frame);
/* Where the fields of an event that is read now may be written; when it was read, event_batch_add_fields. */
struct event_field *event_batch_fields(struct event_batch *batch);

/* Reads the events that format_find has found the format of; the others are read already. */
void event_batch_read(struct event_batch *batch);

#endif
