/* ingest_places.c - rows of the store's table input, of kind "log". */
#include "analysis/ingest_places.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char kind[] = "log";

enum { INPUT_NAME_SIZE = 40 };

/* ---- from the store, and back ---- */

struct loading {
	struct ingest_places *places;
	int error;
};

static struct ingest_place *add(struct ingest_places *places, const char *path)
{
	struct ingest_place *place = calloc(1, sizeof *place);

	if (!place || !(place->path = strdup(path))) {
		free(place);
		return NULL;
	}
	place->next = places->first;
	places->first = place;
	return place;
}

static void load(void *context, struct text name, struct text state)
{
	struct loading *loading = context;
	char name_text[INPUT_NAME_SIZE], *state_text = strndup(state.start ? state.start : "", state.length);
	struct ingest_place read = { .number = 0 }, *place;
	int path_at = 0;

	(void)snprintf(name_text, sizeof name_text, "%.*s", (int)name.length, name.start);
	if (state_text && sscanf(name_text, "%" SCNx64 ".%u", &read.place.head, &read.number) == 2 &&
	    sscanf(state_text, "mark %" SCNx64 " lines %" SCNu64 " events %" SCNu64 " path %n", &read.place.mark, &read.place.lines,
		   &read.place.events, &path_at) == 3 && path_at) {
		place = add(loading->places, state_text + path_at);
		if (place) {
			place->place = read.place;
			place->number = read.number;
		}
		loading->error = place ? loading->error : -ENOMEM;
	}
	free(state_text);
}

int ingest_places_load(struct ingest_places *places, struct store *store, struct problem *problem)
{
	struct loading loading = { .places = places };
	int error = store_each_input(store, kind, load, &loading, problem);

	return error ? error : loading.error;
}

void ingest_places_done(struct ingest_places *places)
{
	while (places->first) {
		struct ingest_place *place = places->first;

		places->first = place->next;
		free(place->path);
		free(place);
	}
}

static int keep(struct ingest_place *place, struct store *store, struct problem *problem)
{
	char name[INPUT_NAME_SIZE], *state = NULL;
	int length, error;

	(void)snprintf(name, sizeof name, "%016" PRIx64 ".%u", place->place.head, place->number);
	length = asprintf(&state, "mark %016" PRIx64 " lines %" PRIu64 " events %" PRIu64 " path %s", place->place.mark,
			  place->place.lines, place->place.events, place->path);
	if (length < 0)
		return -ENOMEM;
	error = store_set_input(store, kind, text_of(name), (struct text){ state, (size_t)length }, problem);
	free(state);
	place->has_changed = error != 0;
	return error;
}

int ingest_places_keep(struct ingest_places *places, struct store *store, struct problem *problem)
{
	int error = 0;

	for (struct ingest_place *place = places->first; place && !error; place = place->next)
		if (place->has_changed)
			error = keep(place, store, problem);
	return error;
}

/* ---- of a file ---- */

struct ingest_place *ingest_places_find(const struct ingest_places *places, const char *path)
{
	uint64_t head = log_place_head(path);
	struct ingest_place *found = NULL;

	/* Of files with one and the same heading the one that fits for longest. */
	for (struct ingest_place *place = places->first; head && place; place = place->next)
		if (place->place.head == head && (!found || place->place.lines > found->place.lines) &&
		    log_place_is_of(&place->place, path))
			found = place;
	return found;
}

bool ingest_places_know_path(const struct ingest_places *places, const char *path)
{
	for (const struct ingest_place *place = places->first; place; place = place->next)
		if (strcmp(place->path, path) == 0)
			return true;
	return false;
}

struct ingest_place *ingest_places_add(struct ingest_places *places, uint64_t head, const char *path)
{
	unsigned number = 0;
	struct ingest_place *place;

	for (place = places->first; place; place = place->next)
		if (place->place.head == head && place->number >= number)
			number = place->number + 1;
	place = add(places, path);
	if (place) {
		place->place.head = head;
		place->number = number;
	}
	return place;
}
