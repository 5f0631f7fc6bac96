/* fuzz_own_lines.c - a file in whatever form: each line once, each event harmless, and an end to the events of a line. */
#include <stdlib.h>
#include <string.h>

#include "analysis/own_lines.h"
#include "shown.h"

enum { EVENTS_PER_LINE_MAX = 100000 };

static void read_line(struct own_lines *own, struct text line)
{
	static struct event_field fields[EVENT_FIELDS_MAX];
	struct event event = { .file = "log", .line = 1, .fields = fields };
	int count = 0;

	do {
		enum own_result result = own_lines_read(own, line, &event);

		FUZZ_MUST(event.field_count <= EVENT_FIELDS_MAX && ++count < EVENTS_PER_LINE_MAX);
		if (result == OWN_EVENT)
			FUZZ_MUST(event.kind && event.format);
		if (result == OWN_UNKNOWN)
			FUZZ_MUST(!event.kind && event.format);
		if (result == OWN_EVENT || result == OWN_UNKNOWN)
			fuzz_show_event(&event);
	} while (own->has_more);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct event_field fields[EVENT_FIELDS_MAX];
	struct event event = { .file = "log", .fields = fields };
	struct text rest = { (const char *)bytes, size };
	size_t length;
	char *line;
	struct own_lines *own;

	if (format_prepare() != 0 || own_lines_new(&own, NULL) != 0)
		return 0;
	stamp_set_zone("Europe/Berlin");
	own_lines_start(own, TEXT_LITERAL("SMTP20261121.log"), 0, INT64_C(1795248000) * 1000000);
	while ((line = fuzz_own_line(&rest, &length))) {
		read_line(own, (struct text){ line, length });
		free(line);
	}
	if (own_lines_finish(own, &event) != OWN_NOTHING)
		fuzz_show_event(&event);
	own_lines_free(own);
	return 0;
}
