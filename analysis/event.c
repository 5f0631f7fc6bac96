/* event.c - the kinds and names of event_names.def, each once in memory; an event without one of its fields. */
#include "analysis/event.h"

const char event_kind_texts[EVENT_OTHER][EVENT_NAME_MAX] = {
#define KIND(id, text) text,
#define NAME(id, text)
#include "analysis/event_names.def"
#undef KIND
#undef NAME
};

const char event_name_texts[NAME_OTHER][EVENT_NAME_MAX] = {
#define KIND(id, text)
#define NAME(id, text) text,
#include "analysis/event_names.def"
#undef KIND
#undef NAME
};

const char *event_name_intern(const char *name)
{
	for (int i = 0; i < NAME_OTHER; i++)
		if (strcmp(event_name_texts[i], name) == 0)
			return event_name_texts[i];
	return name;
}

const char *event_kind_intern(const char *kind)
{
	for (int i = 0; i < EVENT_OTHER; i++)
		if (strcmp(event_kind_texts[i], kind) == 0)
			return event_kind_texts[i];
	return kind;
}

struct text event_take(struct event *event, const char *name)
{
	for (unsigned i = 0; i < event->field_count; i++)
		if (strcmp(event->fields[i].name, name) == 0) {
			struct text value = event->fields[i].value;

			memmove(event->fields + i, event->fields + i + 1, (event->field_count - i - 1) * sizeof event->fields[0]);
			event->field_count--;
			return value;
		}
	return TEXT_NONE;
}
