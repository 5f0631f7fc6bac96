/* background.c - a thread for each piece of work: one is begun a few times in a second at most. */
#include "analysis/background.h"

#include "common/thread.h"

static void *run(void *context)
{
	struct background *background = context;

	background->error = background->work(background->context, &background->problem);
	return NULL;
}

void background_start(struct background *background, background_work *work, void *context)
{
	*background = (struct background){ .work = work, .context = context, .is_under_way = true };
	background->has_thread = thread_start(&background->thread, run, background) == 0;
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
