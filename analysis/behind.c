/* behind.c - blocks in a ring: the owner fills one while the thread works through those before it. */
#include "analysis/behind.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 4 };

struct block {
	unsigned char *bytes;
	size_t used, size;
	size_t whole;			/* up to here are pieces that were passed */
};

struct behind {
	behind_work *work;
	void *context;
	struct block blocks[BLOCKS];	/* the owner's from filled on, the thread's from done to filled */
	pthread_t thread;
	bool has_thread;
	bool is_busy;			/* the owner's: something was passed since it waited */
	pthread_mutex_t lock;		/* guards the three below */
	pthread_cond_t has_changed;
	unsigned filled, done;		/* blocks, in turn */
	bool is_stopping;
};

static void work_through(const struct behind *behind, const struct block *block)
{
	behind->work(behind->context, block->bytes, block->whole);
}

static void *run(void *context)
{
	struct behind *behind = context;

	pthread_mutex_lock(&behind->lock);
	for (;;) {
		while (behind->done == behind->filled && !behind->is_stopping)
			pthread_cond_wait(&behind->has_changed, &behind->lock);
		if (behind->done == behind->filled)
			break;
		pthread_mutex_unlock(&behind->lock);
		work_through(behind, &behind->blocks[behind->done % BLOCKS]);
		pthread_mutex_lock(&behind->lock);
		behind->done++;
		pthread_cond_broadcast(&behind->has_changed);
	}
	pthread_mutex_unlock(&behind->lock);
	return NULL;
}

/* Signals are the owner's. */
static bool start_thread(struct behind *behind)
{
	sigset_t all, before;
	bool is_started;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	is_started = pthread_create(&behind->thread, NULL, run, behind) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return is_started;
}

struct behind *behind_new(behind_work *work, void *context)
{
	struct behind *behind = calloc(1, sizeof *behind);

	if (!behind)
		return NULL;
	behind->work = work;
	behind->context = context;
	pthread_mutex_init(&behind->lock, NULL);
	pthread_cond_init(&behind->has_changed, NULL);
	behind->has_thread = start_thread(behind);
	return behind;
}

void behind_free(struct behind *behind)
{
	if (!behind)
		return;
	behind_wait(behind);
	pthread_mutex_lock(&behind->lock);
	behind->is_stopping = true;
	pthread_cond_broadcast(&behind->has_changed);
	pthread_mutex_unlock(&behind->lock);
	if (behind->has_thread)
		pthread_join(behind->thread, NULL);
	for (unsigned i = 0; i < BLOCKS; i++)
		free(behind->blocks[i].bytes);
	pthread_cond_destroy(&behind->has_changed);
	pthread_mutex_destroy(&behind->lock);
	free(behind);
}

static struct block *at_hand(struct behind *behind)
{
	return &behind->blocks[behind->filled % BLOCKS];
}

static bool make_room(struct block *block, size_t more)
{
	size_t size = block->size ? block->size : 2 * BEHIND_BLOCK;
	unsigned char *larger;

	if (block->used + more <= block->size)
		return true;
	while (size < block->used + more)
		size *= 2;
	larger = realloc(block->bytes, size);
	if (!larger)
		return false;
	block->bytes = larger;
	block->size = size;
	return true;
}

void *behind_add(struct behind *behind, size_t length)
{
	struct block *block = at_hand(behind);

	if (!make_room(block, length))
		return NULL;
	block->used += length;
	return block->bytes + block->used - length;
}

/* A full block goes to the thread; the next one is the owner's once the thread is through it. */
static void hand_over(struct behind *behind)
{
	pthread_mutex_lock(&behind->lock);
	behind->filled++;
	pthread_cond_broadcast(&behind->has_changed);
	while (behind->filled - behind->done == BLOCKS)
		pthread_cond_wait(&behind->has_changed, &behind->lock);
	pthread_mutex_unlock(&behind->lock);
	at_hand(behind)->used = at_hand(behind)->whole = 0;
}

void behind_pass(struct behind *behind)
{
	struct block *block = at_hand(behind);

	block->whole = block->used;
	behind->is_busy = true;
	if (block->used >= BEHIND_BLOCK && behind->has_thread)
		hand_over(behind);
	else if (block->used >= BEHIND_BLOCK)
		behind_wait(behind);
}

/* The thread does what is whole in the block at hand, too, which is the owner's again behind that. */
static void wait_for_thread(struct behind *behind)
{
	pthread_mutex_lock(&behind->lock);
	behind->filled++;
	pthread_cond_broadcast(&behind->has_changed);
	while (behind->done != behind->filled)
		pthread_cond_wait(&behind->has_changed, &behind->lock);
	behind->filled--;
	behind->done--;
	pthread_mutex_unlock(&behind->lock);
}

void behind_wait(struct behind *behind)
{
	struct block *block = at_hand(behind);

	if (!behind->is_busy)
		return;
	behind->is_busy = false;
	if (behind->has_thread)
		wait_for_thread(behind);
	else
		work_through(behind, block);
	memmove(block->bytes, block->bytes + block->whole, block->used - block->whole);
	block->used -= block->whole;
	block->whole = 0;
}
