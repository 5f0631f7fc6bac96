/* fuzz_formats.c - "process|message" in each line: fields lie in the message, and are shown harmless. */
#include <stdlib.h>
#include <string.h>

#include "analysis/format.h"
#include "analysis/show_event.h"
#include "fuzz.h"

static void must_be_harmless(const char *shown, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)shown[i];

		FUZZ_MUST((byte >= ' ' && byte != 0x7f) || byte == '\n');
	}
	FUZZ_MUST(length && memchr(shown, '\n', length) == shown + length - 1);
}

static void show(const struct event *event, void (*print)(const struct event *event, FILE *out))
{
	char *shown = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&shown, &length);

	if (!out)
		return;
	print(event, out);
	if (fclose(out) == 0)
		must_be_harmless(shown, length);
	free(shown);
}

static void read_line(const char *line, size_t length)
{
	static struct event event;
	const char *bar = memchr(line, '|', length);
	size_t process = bar ? (size_t)(bar - line) : 0, skip = bar ? process + 1 : 0;
	struct text message = { line + skip, length - skip };

	memset(&event, 0, sizeof event);
	event.frame.process = (struct text){ line, process };
	event.frame.message = message;
	event.file = "log";
	(void)format_read(NULL, &event);
	FUZZ_MUST(event.field_count <= EVENT_FIELDS_MAX);
	for (unsigned i = 0; i < event.field_count; i++) {
		struct text value = event.fields[i].value;
		bool is_inside = value.start >= message.start && value.start + value.length <= message.start + message.length;

		FUZZ_MUST(is_inside);
	}
	show(&event, show_event_line);
	show(&event, show_event_json);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *at = (const char *)bytes, *end = at + size;

	if (format_prepare() != 0)
		return 0;
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t length = (size_t)((newline ? newline : end) - at);
		char *line = malloc(length ? length : 1);

		if (!line)
			break;
		memcpy(line, at, length);
		read_line(line, length);
		free(line);
		at += length + 1;
	}
	return 0;
}
