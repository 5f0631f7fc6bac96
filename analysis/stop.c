/* stop.c - a signal sets a flag, and nothing else. */
#include "analysis/stop.h"

#include <stddef.h>

volatile sig_atomic_t stop_asked;

static void stop(int signal_number)
{
	(void)signal_number;
	stop_asked = 1;
}

void stop_on_signals(bool ignores_pipe)
{
	struct sigaction action = { .sa_handler = stop };

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	action.sa_handler = SIG_IGN;
	if (ignores_pipe)
		(void)sigaction(SIGPIPE, &action, NULL);
}
