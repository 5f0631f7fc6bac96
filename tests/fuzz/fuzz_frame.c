/* fuzz_frame.c - any bytes as lines in frames: what is lent lies in the line or in the reader. */
#include <stdlib.h>
#include <string.h>

#include "analysis/frame.h"
#include "fuzz.h"

/* Touches each byte, so that the sanitizer sees one that is not lent. */
static size_t touch(struct text text)
{
	size_t sum = 0;

	for (size_t i = 0; i < text.length; i++)
		sum += (unsigned char)text.start[i];
	return sum;
}

static void check(const struct frame *frame)
{
	FUZZ_MUST(touch(frame->host) + touch(frame->process) + touch(frame->pid) + touch(frame->message) < SIZE_MAX);
	FUZZ_MUST(frame->message.length <= 1024 * 1024);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct text rest = { (const char *)bytes, size };
	size_t length;
	char *line;
	struct frame_reader reader;
	struct frame frame;

	if (frame_init(&reader) != 0)
		return 0;
	stamp_set_zone("Europe/Berlin");
	frame_start(&reader, 0, INT64_C(1767398400) * 1000000);
	while ((line = fuzz_own_line(&rest, &length))) {
		if (frame_read(&reader, (struct text){ line, length }, &frame))
			check(&frame);
		free(line);
	}
	if (frame_finish(&reader, &frame))
		check(&frame);
	frame_done(&reader);
	return 0;
}
