/* sorted_texts.c - number, length and text, one behind the other, and an index of the numbers' upper bits. */
#include "analysis/sorted_texts.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/room.h"

enum { FIRST_ROOM = 64 * 1024, LOOKS_MAX = 32, LINE = 64 };

struct head {
	uint32_t number;
	uint16_t length;
};
enum { HEAD_SIZE = sizeof(uint32_t) + sizeof(uint16_t) };

static struct head head_at(const struct sorted_texts *texts, size_t at)
{
	struct head head;

	memcpy(&head, texts->bytes + at, HEAD_SIZE);
	return head;
}

void sorted_texts_done(struct sorted_texts *texts)
{
	free(texts->bytes);
	free(texts->starts);
	*texts = (struct sorted_texts){ .bytes = NULL };
}

bool sorted_texts_add(struct sorted_texts *texts, uint64_t number, struct text text, size_t bytes_max)
{
	const struct head head = { (uint32_t)number, (uint16_t)text.length };
	size_t size = texts->size + HEAD_SIZE + text.length;

	if (texts->starts || number <= texts->last || number > UINT32_MAX || text.length > UINT16_MAX ||
	    size > (bytes_max < UINT32_MAX ? bytes_max : UINT32_MAX) || !room_for(&texts->bytes, &texts->room, size, FIRST_ROOM))
		return false;
	memcpy(texts->bytes + texts->size, &head, HEAD_SIZE);
	if (text.length)
		memcpy(texts->bytes + texts->size + HEAD_SIZE, text.start, text.length);
	texts->size = size;
	texts->last = head.number;
	texts->count++;
	return true;
}

bool sorted_texts_index(struct sorted_texts *texts)
{
	size_t next = 0, end;

	/* One text or two for each place, if they are spread evenly. */
	while (texts->last >> texts->shift > texts->count)
		texts->shift++;
	end = texts->last >> texts->shift;
	texts->starts = calloc(end + 2, sizeof *texts->starts);
	if (!texts->starts)
		return false;
	for (size_t at = 0; at < texts->size; at += HEAD_SIZE + head_at(texts, at).length)
		while (next <= head_at(texts, at).number >> texts->shift)
			texts->starts[next++] = (uint32_t)at;
	texts->starts[end + 1] = (uint32_t)texts->size;
	return true;
}

static bool is_indexed(const struct sorted_texts *texts, uint64_t number)
{
	return texts->starts && number && number <= texts->last;
}

struct text sorted_texts_find(const struct sorted_texts *texts, uint64_t number)
{
	size_t at, end;

	if (!is_indexed(texts, number))
		return TEXT_NONE;
	at = texts->starts[number >> texts->shift];
	end = texts->starts[(number >> texts->shift) + 1];
	for (unsigned looks = 0; at < end && looks < LOOKS_MAX; looks++) {
		struct head head = head_at(texts, at);

		if (head.number == number)
			return (struct text){ (const char *)texts->bytes + at + HEAD_SIZE, head.length };
		at += HEAD_SIZE + head.length;
	}
	return TEXT_NONE;
}

void sorted_texts_fetch(const struct sorted_texts *texts, uint64_t number)
{
	size_t at;

	if (!is_indexed(texts, number))
		return;
	at = texts->starts[number >> texts->shift];
	__builtin_prefetch(texts->bytes + at);
	if (at + LINE < texts->size)
		__builtin_prefetch(texts->bytes + at + LINE);
}
