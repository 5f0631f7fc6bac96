/*
 * event.h - one log line as it was understood: what happened, and every variable part by name.
 *
 * A name is that of record.def where it means the same. Values are the bytes of the line.
 *
 * Memory:  borrowed from the line and the reader, until the next one is read.
 * Limits:  EVENT_FIELDS_MAX fields; no line of a known kind has more.
 */
#ifndef SMTPTRAIL_EVENT_H
#define SMTPTRAIL_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "analysis/frame.h"

enum { EVENT_FIELDS_MAX = 40 };

struct event_field {
	const char *name;
	struct text value;
};

struct format;

struct event {
	struct frame frame;
	const char *file;		/* where it was read */
	uint64_t line;
	const struct format *format;	/* NULL: no format knows the process */
	const char *kind;		/* NULL: not understood */
	bool is_cut;			/* the line ended in the middle of its kind */
	unsigned field_count;
	struct event_field fields[EVENT_FIELDS_MAX];
};

static inline void event_add(struct event *event, const char *name, struct text value)
{
	if (event->field_count < EVENT_FIELDS_MAX)
		event->fields[event->field_count++] = (struct event_field){ name, value };
}

/* The value of the first field of that name; absent: there is none. */
static inline struct text event_text(const struct event *event, const char *name)
{
	for (unsigned i = 0; i < event->field_count; i++)
		if (strcmp(event->fields[i].name, name) == 0)
			return event->fields[i].value;
	return TEXT_NONE;
}

#endif
