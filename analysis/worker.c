/* worker.c - blocks in a ring: the owner fills one while the thread works through those before it. */
#include "analysis/worker.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/room.h"
#include "common/thread.h"

enum { BLOCKS = 4 };

struct block {
	unsigned char *bytes;
	size_t used, size;
	size_t whole;			/* up to here are pieces that were passed */
};

struct worker {
	worker_work *work;
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

static void work_through(const struct worker *worker, const struct block *block)
{
	worker->work(worker->context, block->bytes, block->whole);
}

static void *run(void *context)
{
	struct worker *worker = context;

	pthread_mutex_lock(&worker->lock);
	for (;;) {
		while (worker->done == worker->filled && !worker->is_stopping)
			pthread_cond_wait(&worker->has_changed, &worker->lock);
		if (worker->done == worker->filled)
			break;
		pthread_mutex_unlock(&worker->lock);
		work_through(worker, &worker->blocks[worker->done % BLOCKS]);
		pthread_mutex_lock(&worker->lock);
		worker->done++;
		pthread_cond_broadcast(&worker->has_changed);
	}
	pthread_mutex_unlock(&worker->lock);
	return NULL;
}

struct worker *worker_new(worker_work *work, void *context)
{
	struct worker *worker = calloc(1, sizeof *worker);

	if (!worker)
		return NULL;
	worker->work = work;
	worker->context = context;
	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->has_changed, NULL);
	worker->has_thread = thread_start(&worker->thread, run, worker) == 0;
	return worker;
}

void worker_free(struct worker *worker)
{
	if (!worker)
		return;
	worker_wait(worker);
	pthread_mutex_lock(&worker->lock);
	worker->is_stopping = true;
	pthread_cond_broadcast(&worker->has_changed);
	pthread_mutex_unlock(&worker->lock);
	if (worker->has_thread)
		pthread_join(worker->thread, NULL);
	for (unsigned i = 0; i < BLOCKS; i++)
		free(worker->blocks[i].bytes);
	pthread_cond_destroy(&worker->has_changed);
	pthread_mutex_destroy(&worker->lock);
	free(worker);
}

static struct block *at_hand(struct worker *worker)
{
	return &worker->blocks[worker->filled % BLOCKS];
}

void *worker_add(struct worker *worker, size_t length)
{
	struct block *block = at_hand(worker);

	if (!room_for(&block->bytes, &block->size, block->used + length, 2 * WORKER_BLOCK))
		return NULL;
	block->used += length;
	return block->bytes + block->used - length;
}

/* A full block goes to the thread; the next one is the owner's once the thread is through it. */
static void hand_over(struct worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	worker->filled++;
	pthread_cond_broadcast(&worker->has_changed);
	while (worker->filled - worker->done == BLOCKS)
		pthread_cond_wait(&worker->has_changed, &worker->lock);
	pthread_mutex_unlock(&worker->lock);
	at_hand(worker)->used = at_hand(worker)->whole = 0;
}

void worker_pass(struct worker *worker)
{
	struct block *block = at_hand(worker);

	block->whole = block->used;
	worker->is_busy = true;
	if (block->used >= WORKER_BLOCK && worker->has_thread)
		hand_over(worker);
	else if (block->used >= WORKER_BLOCK)
		worker_wait(worker);
}

/* The thread does what is whole in the block at hand, too, which is the owner's again behind that. */
static void wait_for_thread(struct worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	worker->filled++;
	pthread_cond_broadcast(&worker->has_changed);
	while (worker->done != worker->filled)
		pthread_cond_wait(&worker->has_changed, &worker->lock);
	worker->filled--;
	worker->done--;
	pthread_mutex_unlock(&worker->lock);
}

void worker_wait(struct worker *worker)
{
	struct block *block = at_hand(worker);

	if (!worker->is_busy)
		return;
	worker->is_busy = false;
	if (worker->has_thread)
		wait_for_thread(worker);
	else
		work_through(worker, block);
	if (block->used > block->whole)
		memmove(block->bytes, block->bytes + block->whole, block->used - block->whole);
	block->used -= block->whole;
	block->whole = 0;
}
