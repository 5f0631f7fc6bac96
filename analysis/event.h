/*
 * event.h - one log line as it was understood: what happened, and every variable part by name.
 *
 * A name is that of record.def where it means the same. Values are the bytes of the line. Kinds and names that are
 * looked at stand in event_names.def; the others are only shown.
 *
 * Memory:  borrowed from the line and the reader, until the next one is read, or from the batch it is of (event_batch.h).
 * Limits:  EVENT_FIELDS_MAX fields; no line of a known kind has more.
 */
#ifndef SMTPTRAIL_EVENT_H
#define SMTPTRAIL_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "analysis/frame.h"

enum { EVENT_FIELDS_MAX = 40, EVENT_NAME_MAX = 32 };

/* What others than show_event look at (event_names.def): EVENT_DELIVERY, NAME_QUEUE_ID. OTHER: all that has no row. */
enum event_kind {
#define KIND(id, text) EVENT_##id,
#define NAME(id, text)
#include "analysis/event_names.def"
#undef KIND
#undef NAME
	EVENT_OTHER,
};

enum event_name {
#define KIND(id, text)
#define NAME(id, text) NAME_##id,
#include "analysis/event_names.def"
#undef KIND
#undef NAME
	NAME_OTHER,
};

/* Every event that has one of these kinds or names has it by these very bytes, so that nobody compares text. */
extern const char event_kind_texts[EVENT_OTHER][EVENT_NAME_MAX];
extern const char event_name_texts[NAME_OTHER][EVENT_NAME_MAX];

#define EVENT_NAME(id) (event_name_texts[NAME_##id])
#define EVENT_KIND(id) (event_kind_texts[EVENT_##id])

/* The table's own bytes for a text that stands there; else the text itself. */
const char *event_name_intern(const char *name);
const char *event_kind_intern(const char *kind);

static inline enum event_name event_name_id(const char *name)
{
	uintptr_t offset = (uintptr_t)name - (uintptr_t)event_name_texts;

	return offset < sizeof event_name_texts ? (enum event_name)(offset / EVENT_NAME_MAX) : NAME_OTHER;
}

static inline enum event_kind event_kind_id(const char *kind)
{
	uintptr_t offset = (uintptr_t)kind - (uintptr_t)event_kind_texts;

	return offset < sizeof event_kind_texts ? (enum event_kind)(offset / EVENT_NAME_MAX) : EVENT_OTHER;
}

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
	struct event_field *fields;	/* room for EVENT_FIELDS_MAX, of whoever reads the line */
	unsigned field_count;
	int program;			/* what of the format the process is (format.h) */
	bool is_cut;			/* the line ended in the middle of its kind */
	void *memory;			/* of the format (format.h) */
};

/* What is absent is no field. */
static inline void event_add(struct event *event, const char *name, struct text value)
{
	if (value.start && event->field_count < EVENT_FIELDS_MAX)
		event->fields[event->field_count++] = (struct event_field){ name, value };
}

/* Where the empty is not known either. */
static inline void event_add_filled(struct event *event, const char *name, struct text value)
{
	if (value.length)
		event_add(event, name, value);
}

/* Takes the field of the name out of the event; absent: it has none. */
struct text event_take(struct event *event, const char *name);

/* By the very bytes of the name. */
static inline bool event_has(const struct event *event, const char *name)
{
	for (unsigned i = 0; i < event->field_count; i++)
		if (event->fields[i].name == name)
			return true;
	return false;
}

/* The value of the first field of that name, which is one of event_names.def; absent: there is none. */
static inline struct text event_text(const struct event *event, enum event_name name)
{
	for (unsigned i = 0; i < event->field_count; i++)
		if (event->fields[i].name == event_name_texts[name])
			return event->fields[i].value;
	return TEXT_NONE;
}

#endif
