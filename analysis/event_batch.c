/* event_batch.c - arrays of fixed size, filled from their start. */
#include "analysis/event_batch.h"

#include <errno.h>
#include <stdlib.h>

#include "analysis/format.h"

int event_batch_init(struct event_batch *batch)
{
	*batch = (struct event_batch){
		.text = malloc(INPUT_FILE_BUFFER + INPUT_FILE_PADDING),
		.events = malloc(EVENT_BATCH_LINES * sizeof *batch->events),
		.fields = malloc((size_t)EVENT_BATCH_LINES * EVENT_FIELDS_MAX * sizeof *batch->fields),
		.texts = malloc(EVENT_BATCH_TEXTS),
	};
	if (batch->text && batch->events && batch->fields && batch->texts)
		return 0;
	event_batch_done(batch);
	return -ENOMEM;
}

void event_batch_done(struct event_batch *batch)
{
	free(batch->texts);
	free(batch->fields);
	free(batch->events);
	free(batch->text);
	*batch = (struct event_batch){ .text = NULL };
}

void event_batch_empty(struct event_batch *batch)
{
	batch->count = batch->field_count = batch->texts_length = 0;
}

static void keep_text(struct event_batch *batch, struct text *text)
{
	uintptr_t offset = (uintptr_t)text->start - (uintptr_t)batch->text;

	if (!text->start || offset < INPUT_FILE_BUFFER)
		return;
	memcpy(batch->texts + batch->texts_length, text->start, text->length);
	text->start = batch->texts + batch->texts_length;
	batch->texts_length += text->length;
}

void event_batch_keep(struct event_batch *batch, struct frame *frame)
{
	keep_text(batch, &frame->host);
	keep_text(batch, &frame->process);
	keep_text(batch, &frame->pid);
	keep_text(batch, &frame->message);
}

struct event_field *event_batch_fields(struct event_batch *batch)
{
	return batch->fields + batch->field_count;
}

void event_batch_read(struct event_batch *batch)
{
	struct event_field *fields = batch->fields + batch->field_count;

	for (size_t i = 0; i < batch->count; i++) {
		struct event *event = &batch->events[i];

		if (event->fields)
			continue;
		event->fields = fields;
		(void)format_read_found(event);
		fields += event->field_count;
	}
}
