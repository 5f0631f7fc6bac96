/* spread.c - distributions as pages of counts, which stand in one array. */
#include "analysis/spread.h"

#include <stdlib.h>

#include "analysis/tally.h"

enum { PAGE_STEPS = 32, PAGES = (TALLY_STEPS + PAGE_STEPS - 1) / PAGE_STEPS };

struct page {
	uint32_t counts[PAGE_STEPS];
};

struct map {
	uint32_t pages[PAGES];	/* index + 1; 0: nothing came there */
};

struct spreads {
	struct map *maps;	/* by the distribution's number */
	struct page *pages;
	size_t map_count, map_size, page_count, page_size;
};

struct spreads *spreads_new(void)
{
	return calloc(1, sizeof(struct spreads));
}

void spreads_free(struct spreads *spreads)
{
	if (!spreads)
		return;
	free(spreads->maps);
	free(spreads->pages);
	free(spreads);
}

static struct map *map_of(struct spreads *spreads, size_t number)
{
	if (number >= spreads->map_size) {
		size_t size = number < 32 ? 64 : number * 2;
		struct map *larger = reallocarray(spreads->maps, size, sizeof *larger);

		if (!larger)
			return NULL;
		spreads->maps = larger;
		spreads->map_size = size;
	}
	while (spreads->map_count <= number)
		spreads->maps[spreads->map_count++] = (struct map){ { 0 } };
	return &spreads->maps[number];
}

static struct page *page_of(struct spreads *spreads, uint32_t *index)
{
	if (*index)
		return &spreads->pages[*index - 1];
	if (spreads->page_count == spreads->page_size) {
		size_t size = spreads->page_size ? spreads->page_size * 2 : 64;
		struct page *larger = size < UINT32_MAX ? reallocarray(spreads->pages, size, sizeof *larger) : NULL;

		if (!larger)
			return NULL;
		spreads->pages = larger;
		spreads->page_size = size;
	}
	spreads->pages[spreads->page_count++] = (struct page){ { 0 } };
	*index = (uint32_t)spreads->page_count;
	return &spreads->pages[*index - 1];
}

void spreads_add(struct spreads *spreads, size_t number, unsigned step, uint64_t count)
{
	struct map *map = step < TALLY_STEPS ? map_of(spreads, number) : NULL;
	struct page *page = map ? page_of(spreads, &map->pages[step / PAGE_STEPS]) : NULL;
	uint32_t *sum = page ? &page->counts[step % PAGE_STEPS] : NULL;

	if (sum)
		*sum = count < UINT32_MAX - *sum ? *sum + (uint32_t)count : UINT32_MAX;
}

void spreads_sum(const struct spreads *spreads, size_t number, uint64_t *counts)
{
	for (unsigned i = 0; number < spreads->map_count && i < PAGES; i++) {
		uint32_t index = spreads->maps[number].pages[i];

		for (unsigned j = 0; index && j < PAGE_STEPS && i * PAGE_STEPS + j < TALLY_STEPS; j++)
			counts[i * PAGE_STEPS + j] += spreads->pages[index - 1].counts[j];
	}
}
