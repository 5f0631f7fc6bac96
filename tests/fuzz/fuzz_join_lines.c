/* fuzz_join_lines.c - lines of whatever format, joined: the end comes, and all memory is given back. A first byte above '~' says that
 * lines are "process|message", and others that they are of a form of their own; a time goes on with each line. */
#include <stdlib.h>
#include <string.h>

#include "analysis/correlate.h"
#include "analysis/own_lines.h"
#include "fuzz.h"

enum { EVENTS_PER_LINE_MAX = 10000 };

static const int64_t start_us = INT64_C(1795248000) * 1000000;

struct fuzzed {
	struct correlate *correlate;
	struct own_lines *own;
	struct format_reader reader;
	bool is_framed;
	uint64_t lines;
};

static void join(struct fuzzed *fuzzed, struct event *event)
{
	event->line = ++fuzzed->lines;
	if (!event->frame.has_time) {
		event->frame.has_time = true;
		event->frame.time_us = start_us + (int64_t)fuzzed->lines * 1500000;
	}
	correlate_event(fuzzed->correlate, event, 0);
}

static void read_own(struct fuzzed *fuzzed, struct text line)
{
	static struct event_field fields[EVENT_FIELDS_MAX];
	int count = 0;

	do {
		struct event event = { .file = "log", .fields = fields };
		enum own_result result = own_lines_read(fuzzed->own, line, &event);

		FUZZ_MUST(++count < EVENTS_PER_LINE_MAX);
		if (result == OWN_EVENT)
			join(fuzzed, &event);
	} while (fuzzed->own->has_more);
}

static void read_framed(struct fuzzed *fuzzed, struct text line)
{
	static struct event_field fields[EVENT_FIELDS_MAX];
	struct event event = { .file = "log", .fields = fields };
	const char *bar = memchr(line.start, '|', line.length);
	size_t process = bar ? (size_t)(bar - line.start) : 0, skip = bar ? process + 1 : 0;

	event.frame.host = TEXT_LITERAL("mx");
	event.frame.process = (struct text){ line.start, process };
	event.frame.pid = TEXT_LITERAL("4711");
	event.frame.message = (struct text){ line.start + skip, line.length - skip };
	(void)format_read(&fuzzed->reader, &event);
	join(fuzzed, &event);
}

static void read_lines(struct fuzzed *fuzzed, const char *at, const char *end)
{
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t length = (size_t)((newline ? newline : end) - at);
		char *line = malloc(length ? length : 1);

		/* In memory of its own: a byte too far is seen. */
		if (!line)
			return;
		memcpy(line, at, length);
		if (fuzzed->is_framed)
			read_framed(fuzzed, (struct text){ line, length });
		else
			read_own(fuzzed, (struct text){ line, length });
		free(line);
		at += length + 1;
	}
}

static void see_message(void *context, const struct message *message)
{
	uint32_t count = 0;

	(void)context;
	for (const struct recipient *recipient = message->recipients; recipient; recipient = recipient->next) {
		FUZZ_MUST(fate_name((enum fate)recipient->fate) != NULL);
		count++;
	}
	FUZZ_MUST(count <= message->recipient_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const struct correlate_sink sink = { .message = see_message };
	struct fuzzed fuzzed = { .is_framed = size && bytes[0] > '~' };
	struct correlate_options options;
	struct correlate_counts counts;

	correlate_defaults(&options);
	options.keeps_attempts = true;
	options.memory_bytes = (size_t)1 << 20;
	if (format_prepare() != 0 || own_lines_new(&fuzzed.own, NULL) != 0 || format_reader_init(&fuzzed.reader, NULL) != 0 ||
	    correlate_new(&fuzzed.correlate, &options, &sink) != 0)
		return 0;
	stamp_set_zone("UTC");
	own_lines_start(fuzzed.own, TEXT_LITERAL("log"), 0, start_us);
	read_lines(&fuzzed, (const char *)bytes + fuzzed.is_framed, (const char *)bytes + size);
	correlate_finish(fuzzed.correlate);
	correlate_counts(fuzzed.correlate, &counts);
	FUZZ_MUST(counts.open_sessions == 0 && counts.open_messages == 0);
	correlate_free(fuzzed.correlate);
	format_reader_done(&fuzzed.reader);
	own_lines_free(fuzzed.own);
	return 0;
}
