/* store_texts.c - open addressing; a text stands behind its length. */
#include "analysis/store_texts.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/room.h"

enum { FIRST_PLACES = 4 * 1024, FIRST_ROOM = 64 * 1024 };

void store_texts_done(struct store_texts *texts)
{
	free(texts->places);
	free(texts->bytes);
	*texts = (struct store_texts){ .places = NULL };
}

static struct store_text_place *place_of(const struct store_texts *texts, uint32_t number)
{
	size_t at = (number * UINT32_C(0x9e3779b1)) & (texts->place_count - 1);

	while (texts->places[at].number && texts->places[at].number != number)
		at = (at + 1) & (texts->place_count - 1);
	return &texts->places[at];
}

static bool grow_places(struct store_texts *texts)
{
	struct store_texts larger = *texts;

	larger.place_count = texts->place_count ? texts->place_count * 2 : FIRST_PLACES;
	larger.places = calloc(larger.place_count, sizeof *larger.places);
	if (!larger.places)
		return false;
	for (size_t i = 0; i < texts->place_count; i++)
		if (texts->places[i].number)
			*place_of(&larger, texts->places[i].number) = texts->places[i];
	free(texts->places);
	*texts = larger;
	return true;
}

bool store_texts_keep(struct store_texts *texts, uint64_t number, struct text text, size_t bytes_max)
{
	uint16_t length = (uint16_t)text.length;

	if (text.length > UINT16_MAX || number == 0 || number > UINT32_MAX)
		return false;
	if (texts->used * 4 >= texts->place_count * 3 && !grow_places(texts))
		return false;
	if (texts->size + sizeof length + text.length > (bytes_max < UINT32_MAX ? bytes_max : UINT32_MAX) ||
	    !room_for(&texts->bytes, &texts->room, texts->size + sizeof length + text.length, FIRST_ROOM))
		return false;
	*place_of(texts, (uint32_t)number) = (struct store_text_place){ (uint32_t)number, (uint32_t)texts->size };
	memcpy(texts->bytes + texts->size, &length, sizeof length);
	if (text.length)
		memcpy(texts->bytes + texts->size + sizeof length, text.start, text.length);
	texts->size += sizeof length + text.length;
	texts->used++;
	return true;
}

struct text store_texts_find(const struct store_texts *texts, uint64_t number)
{
	const struct store_text_place *place = texts->used && number && number <= UINT32_MAX ? place_of(texts, (uint32_t)number) : NULL;
	uint16_t length;

	if (!place || !place->number)
		return TEXT_NONE;
	memcpy(&length, texts->bytes + place->offset, sizeof length);
	return (struct text){ (const char *)texts->bytes + place->offset + sizeof length, length };
}
