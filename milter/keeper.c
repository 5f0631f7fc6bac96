/* keeper.c - two threads that serve the journal. */
#include "keeper.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/behind.h"
#include "common/log.h"
#include "common/thread.h"

/* Where no spare could be made, it is tried again so often: room may come without a word to us. */
enum { PREPARE_RETRY_MS = 200, INTERVAL_MIN_MS = 10, INTERVAL_MAX_MS = 60000 };

struct keeper {
	struct journal *journal;
	const char *name;
	int interval_ms;
	atomic_bool is_stopping;
	pthread_t prepare_thread, keep_thread;
};

/* Says once that something began to fail, and once that it works again. */
static void note_change(const struct keeper *keeper, int *last, int error, const char *what, const char *works_again)
{
	char words[128];

	if (error && error != *last)
		log_error("%s%s: %s; trying again, records are refused and counted where there is no room",
			  keeper->name, what, strerror_r(-error, words, sizeof words));
	else if (!error && *last)
		log_info("%s%s", keeper->name, works_again);
	*last = error;
}

static void *run_prepare(void *argument)
{
	struct keeper *keeper = argument;
	int last = 0;

	behind_begin("prepare");
	while (!atomic_load(&keeper->is_stopping)) {
		int error = journal_prepare(keeper->journal);

		note_change(keeper, &last, error, "cannot make a spare segment in the front of the journal",
			    "the front of the journal has room again");
		journal_wait_prepare(keeper->journal, error ? PREPARE_RETRY_MS : keeper->interval_ms);
	}
	return NULL;
}

static void *run_keep(void *argument)
{
	struct keeper *keeper = argument;
	int last = 0;

	behind_begin("keep");
	while (!atomic_load(&keeper->is_stopping)) {
		journal_wait_keep(keeper->journal, keeper->interval_ms);
		note_change(keeper, &last, journal_keep(keeper->journal), "cannot copy the journal to its spool",
			    "the journal is copied to its spool again");
	}
	(void)journal_keep(keeper->journal);
	return NULL;
}

static void end_thread(struct keeper *keeper, pthread_t thread)
{
	atomic_store(&keeper->is_stopping, true);
	journal_wake(keeper->journal);
	(void)pthread_join(thread, NULL);
}

int keeper_start(struct keeper **ret_keeper, struct journal *journal, uint64_t sync_interval_us, const char *name)
{
	struct keeper *keeper = calloc(1, sizeof *keeper);
	uint64_t interval_ms = sync_interval_us / 1000;
	int error;

	if (!keeper)
		return -ENOMEM;
	keeper->journal = journal;
	keeper->name = name;
	keeper->interval_ms = interval_ms < INTERVAL_MIN_MS ? INTERVAL_MIN_MS :
			      interval_ms > INTERVAL_MAX_MS ? INTERVAL_MAX_MS : (int)interval_ms;
	error = thread_start(&keeper->prepare_thread, run_prepare, keeper);
	if (error)
		goto free_keeper;
	error = thread_start(&keeper->keep_thread, run_keep, keeper);
	if (error)
		goto end_prepare;
	*ret_keeper = keeper;
	return 0;
end_prepare:
	end_thread(keeper, keeper->prepare_thread);
free_keeper:
	free(keeper);
	return error;
}

void keeper_stop(struct keeper *keeper)
{
	if (!keeper)
		return;
	end_thread(keeper, keeper->prepare_thread);
	end_thread(keeper, keeper->keep_thread);
	free(keeper);
}
