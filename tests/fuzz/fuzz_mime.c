/* fuzz_mime.c - any bytes as a body, in chunks cut anywhere: the parts found do not depend on the cuts. */
#include <string.h>

#include "fuzz.h"
#include "milter/mime.h"

struct outcome {
	struct arena arena;
	struct mime mime;
};

/* The first line is the message's Content-Type, the rest the body; chunk 0: in one. */
static void read_body(struct outcome *outcome, struct text type, struct text body, size_t chunk)
{
	arena_init(&outcome->arena, 64 * 1024);
	mime_init(&outcome->mime, &outcome->arena, 200, 20);
	mime_header(&outcome->mime, TEXT_LITERAL("Content-Type"), type);
	while (body.length) {
		size_t length = chunk && chunk < body.length ? chunk : body.length;

		mime_body(&outcome->mime, (struct text){ body.start, length });
		body.start += length;
		body.length -= length;
	}
	mime_finish(&outcome->mime);
}

static void must_be_alike(const struct outcome *a, const struct outcome *b)
{
	const struct mime_attachment *one = a->mime.first, *other = b->mime.first;

	FUZZ_MUST(a->mime.parts == b->mime.parts);
	FUZZ_MUST(a->mime.attachments == b->mime.attachments);
	FUZZ_MUST(text_equal(a->mime.type, b->mime.type));
	for (; one && other; one = one->next, other = other->next) {
		FUZZ_MUST(text_equal(one->name, other->name));
		FUZZ_MUST(text_equal(one->type, other->type));
	}
	FUZZ_MUST(!one && !other);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct outcome whole, cut;
	const char *start = (const char *)bytes, *line_end = memchr(start, '\n', size);
	struct text type = { start, line_end ? (size_t)(line_end - start) : size };
	struct text body = { start + type.length, size - type.length };

	if (body.length) {
		body.start++;
		body.length--;
	}
	read_body(&whole, type, body, 0);
	for (size_t chunk = 1; chunk <= 64; chunk *= 7) {
		read_body(&cut, type, body, chunk);
		must_be_alike(&whole, &cut);
		arena_done(&cut.arena);
	}
	arena_done(&whole.arena);
	return 0;
}
