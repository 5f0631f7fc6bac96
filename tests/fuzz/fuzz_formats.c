/* fuzz_formats.c - "process|message" in each line: fields lie in the message (or are words of ours, which end in NUL), and
 * are shown harmless; what is read by hand (postfix_fast.h) is what the table reads. */
#include <stdlib.h>
#include <string.h>

#include "analysis/format.h"
#include "shown.h"

/* With no line before it. */
static void read_alone(struct event *event)
{
	struct format_reader reader;

	FUZZ_MUST(format_reader_init(&reader, NULL) == 0);
	FUZZ_MUST(format_read(&reader, event) == format_result_of(event));
	format_reader_done(&reader);
}

/* The same line by the table alone. */
static void must_be_of_table(const struct event *event, struct text message)
{
	static struct event_field fields[EVENT_FIELDS_MAX];
	struct event by_table = { .frame = event->frame, .fields = fields };

	by_table.frame.message = message;
	format_only_tables = true;
	read_alone(&by_table);
	format_only_tables = false;
	FUZZ_MUST(by_table.format == event->format && by_table.is_cut == event->is_cut);
	FUZZ_MUST(text_equal(text_of(by_table.kind), text_of(event->kind)));
	FUZZ_MUST(by_table.field_count == event->field_count);
	for (unsigned i = 0; i < event->field_count; i++) {
		FUZZ_MUST(strcmp(by_table.fields[i].name, event->fields[i].name) == 0);
		FUZZ_MUST(text_equal(by_table.fields[i].value, event->fields[i].value));
	}
}

static void read_line(const char *line, size_t length)
{
	static struct event_field fields[EVENT_FIELDS_MAX];
	struct event event = { .file = "log", .fields = fields };
	const char *bar = memchr(line, '|', length);
	size_t process = bar ? (size_t)(bar - line) : 0, skip = bar ? process + 1 : 0;
	struct text message = { line + skip, length - skip };

	event.frame.process = (struct text){ line, process };
	event.frame.message = message;
	read_alone(&event);
	must_be_of_table(&event, message);
	FUZZ_MUST(event.field_count <= EVENT_FIELDS_MAX);
	for (unsigned i = 0; i < event.field_count; i++) {
		struct text value = event.fields[i].value;
		bool is_inside = value.start >= message.start && value.start + value.length <= message.start + message.length;

		FUZZ_MUST(is_inside || value.start[value.length] == '\0');
	}
	fuzz_show_event(&event);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct text rest = { (const char *)bytes, size };
	size_t length;
	char *line;

	if (format_prepare() != 0)
		return 0;
	while ((line = fuzz_own_line(&rest, &length))) {
		read_line(line, length);
		free(line);
	}
	return 0;
}
