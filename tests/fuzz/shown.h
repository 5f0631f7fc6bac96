/* shown.h - an event, whatever it was read from, is shown harmless. */
#ifndef SMTPTRAIL_FUZZ_SHOWN_H
#define SMTPTRAIL_FUZZ_SHOWN_H

#include "analysis/show_event.h"
#include "fuzz.h"

static inline void fuzz_must_be_harmless(const char *shown, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)shown[i];

		FUZZ_MUST((byte >= ' ' && byte != 0x7f) || byte == '\n');
	}
	FUZZ_MUST(length && memchr(shown, '\n', length) == shown + length - 1);
}

static inline void fuzz_show_with(const struct event *event, void (*print)(const struct event *event, FILE *out))
{
	char *shown = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&shown, &length);

	if (!out)
		return;
	print(event, out);
	if (fclose(out) == 0)
		fuzz_must_be_harmless(shown, length);
	free(shown);
}

static inline void fuzz_show_event(const struct event *event)
{
	fuzz_show_with(event, show_event_line);
	fuzz_show_with(event, show_event_json);
}

#endif
