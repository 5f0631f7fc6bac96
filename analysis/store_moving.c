/* store_moving.c - images in a ring: the owner adds behind, the thread takes from the front, and ends where there is none. */
#include "analysis/store_moving.h"

#include <pthread.h>
#include <stdlib.h>

#include "analysis/background.h"

struct store_moving {
	store_move *move;
	void *context;
	struct background background;
	struct {
		struct store_image image;
		uint64_t number;
	} each[STORE_MOVING_MAX];	/* the thread's from done to added, else the owner's */
	pthread_mutex_t lock;		/* guards the rest */
	pthread_cond_t has_moved;
	unsigned added, done;		/* in turn */
	bool is_going_on;		/* the thread looks for one more */
};

struct store_moving *store_moving_new(store_move *move, void *context)
{
	struct store_moving *moving = calloc(1, sizeof *moving);

	if (!moving)
		return NULL;
	moving->move = move;
	moving->context = context;
	pthread_mutex_init(&moving->lock, NULL);
	pthread_cond_init(&moving->has_moved, NULL);
	return moving;
}

void store_moving_free(struct store_moving *moving)
{
	if (!moving)
		return;
	(void)store_moving_wait(moving, NULL);
	for (unsigned i = 0; i < STORE_MOVING_MAX; i++)
		store_image_done(&moving->each[i].image);
	pthread_cond_destroy(&moving->has_moved);
	pthread_mutex_destroy(&moving->lock);
	free(moving);
}

/* Behind the one at hand, where there was one. */
static bool look_for_next(struct store_moving *moving, bool has_moved, bool has_failed)
{
	bool is_going_on;

	pthread_mutex_lock(&moving->lock);
	moving->done = has_failed ? moving->added : moving->done + has_moved;
	is_going_on = moving->is_going_on = moving->done != moving->added;
	pthread_cond_signal(&moving->has_moved);
	pthread_mutex_unlock(&moving->lock);
	return is_going_on;
}

static int move_all(void *context, struct problem *problem)
{
	struct store_moving *moving = context;
	int error = 0;

	for (bool has_next = look_for_next(moving, false, false); has_next; has_next = look_for_next(moving, true, error)) {
		unsigned at = moving->done % STORE_MOVING_MAX;

		error = moving->move(moving->context, &moving->each[at].image, moving->each[at].number, problem);
	}
	return error;
}

/* Until a place is free; false: the thread has ended, and all are. */
static bool wait_for_place(struct store_moving *moving)
{
	bool is_going_on;

	pthread_mutex_lock(&moving->lock);
	while (moving->is_going_on && moving->added - moving->done == STORE_MOVING_MAX)
		pthread_cond_wait(&moving->has_moved, &moving->lock);
	is_going_on = moving->is_going_on;
	pthread_mutex_unlock(&moving->lock);
	return is_going_on;
}

/* false: the thread has ended meanwhile, and is to be started again. */
static bool add(struct store_moving *moving, struct store_image *image, uint64_t number)
{
	unsigned at = moving->added % STORE_MOVING_MAX;
	struct store_image empty = moving->each[at].image;
	bool is_going_on;

	moving->each[at].image = *image;
	moving->each[at].number = number;
	*image = empty;
	store_image_clear(image);
	pthread_mutex_lock(&moving->lock);
	moving->added++;
	is_going_on = moving->is_going_on;
	moving->is_going_on = true;
	pthread_mutex_unlock(&moving->lock);
	return is_going_on;
}

int store_moving_wait(struct store_moving *moving, struct problem *problem)
{
	int error = background_wait(&moving->background, problem);

	/* Also what was added before anybody knew. */
	if (error)
		moving->done = moving->added;
	moving->is_going_on = false;
	return error;
}

int store_moving_add(struct store_moving *moving, struct store_image *image, uint64_t number, struct problem *problem)
{
	bool is_going_on = wait_for_place(moving) && add(moving, image, number);
	int error = is_going_on ? 0 : store_moving_wait(moving, problem);

	if (error || is_going_on)
		return error;
	if (moving->done == moving->added)
		(void)add(moving, image, number);
	background_start(&moving->background, move_all, moving);
	return 0;
}
