/*
 * ingest_places.h - how far each log file was read, as the store keeps it: found again by what the file begins with.
 *
 * Threads: one owner at a time.
 * Memory:  a place for each file that was ever read, until the store forgets it.
 */
#ifndef SMTPTRAIL_INGEST_PLACES_H
#define SMTPTRAIL_INGEST_PLACES_H

#include "analysis/log_reader.h"
#include "analysis/store.h"

struct ingest_place {
	struct ingest_place *next;
	struct log_place place;
	unsigned number;		/* among those whose first lines are the same */
	char *path;			/* when it was read last */
	bool has_changed;
};

struct ingest_places {
	struct ingest_place *first;
};

int ingest_places_load(struct ingest_places *places, struct store *store, struct problem *problem);
void ingest_places_done(struct ingest_places *places);

/* The place in a file; NULL: nothing of it was read. */
struct ingest_place *ingest_places_find(const struct ingest_places *places, const char *path);
/* Whether a file of that path was read, whatever stands there now. */
bool ingest_places_know_path(const struct ingest_places *places, const char *path);
/* Of a file that begins so. NULL: no memory. */
struct ingest_place *ingest_places_add(struct ingest_places *places, uint64_t head, const char *path);
/* With the next commit. */
int ingest_places_keep(struct ingest_places *places, struct store *store, struct problem *problem);

#endif
