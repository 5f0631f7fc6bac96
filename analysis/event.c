/* event.c - the kinds and names of event_names.def, each once in memory. */
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
