/* stream_id.c - the identifier of an entry in a Redis stream. */
#include "analysis/stream_id.h"

#include <inttypes.h>
#include <stdio.h>

#include "analysis/input.h"

bool stream_id_parse(struct text text, struct stream_id *ret_id)
{
	const char *dash = text.length ? memchr(text.start, '-', text.length) : NULL;
	size_t length = dash ? (size_t)(dash - text.start) : text.length;
	struct stream_id id = { 0, 0 };

	if (!input_number((struct text){ text.start, length }, &id.ms))
		return false;
	if (dash && !input_number((struct text){ dash + 1, text.length - length - 1 }, &id.number))
		return false;
	*ret_id = id;
	return true;
}

struct text stream_id_format(struct stream_id id, char ret_text[STREAM_ID_SIZE])
{
	int length = snprintf(ret_text, STREAM_ID_SIZE, "%" PRIu64 "-%" PRIu64, id.ms, id.number);

	return (struct text){ ret_text, (size_t)length };
}

struct stream_id stream_id_before(struct stream_id id)
{
	if (id.number > 0)
		return (struct stream_id){ id.ms, id.number - 1 };
	if (id.ms > 0)
		return (struct stream_id){ id.ms - 1, UINT64_MAX };
	return id;
}

int stream_id_compare(struct stream_id a, struct stream_id b)
{
	if (a.ms != b.ms)
		return a.ms < b.ms ? -1 : 1;
	return a.number < b.number ? -1 : a.number > b.number;
}
