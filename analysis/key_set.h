/*
 * key_set.h - a set of keys that are not 0.
 *
 * Threads: one owner at a time.
 * Memory:  16 bytes a key, at most 32.
 */
#ifndef SMTPTRAIL_KEY_SET_H
#define SMTPTRAIL_KEY_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct key_set {
	uint64_t *slots;		/* 0: free */
	size_t size, count;
};

void key_set_done(struct key_set *set);
void key_set_clear(struct key_set *set);
bool key_set_has(const struct key_set *set, uint64_t key);
/* 1: it is new; 0: it was there; -ENOMEM. */
int key_set_add(struct key_set *set, uint64_t key);
/* Whether it was there. */
bool key_set_remove(struct key_set *set, uint64_t key);
/* The next key from *at on (0 at first); 0: there is none. */
uint64_t key_set_next(const struct key_set *set, size_t *at);
/* The keys of several sets, the highest first; to free. NULL: no memory. */
uint64_t *key_set_highest_first(const struct key_set *const *sets, size_t set_count, size_t *ret_count);

#endif
