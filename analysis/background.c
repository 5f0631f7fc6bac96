/* background.c - a thread for each piece of work: one is begun a few times in a second at most. */
#include "analysis/background.h"

#include <signal.h>

static void *run(void *context)
{
	struct background *background = context;

	background->error = background->work(background->context, &background->problem);
	return NULL;
}

/* Signals are the owner's. */
static bool start_thread(struct background *background)
{
	sigset_t all, before;
	bool is_started;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	is_started = pthread_create(&background->thread, NULL, run, background) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return is_started;
}

void background_start(struct background *background, background_work *work, void *context)
{
	*background = (struct background){ .work = work, .context = context, .is_under_way = true };
	background->has_thread = start_thread(background);
	if (!background->has_thread)
		(void)run(background);
}

int background_wait(struct background *background, struct problem *problem)
{
	if (!background->is_under_way)
		return 0;
	background->is_under_way = false;
	if (background->has_thread)
		pthread_join(background->thread, NULL);
	if (background->error && problem)
		*problem = background->problem;
	return background->error;
}
