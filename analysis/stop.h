/*
 * stop.h - SIGINT and SIGTERM ask a verb that goes on to come to its end.
 *
 * Threads: stop_on_signals before any; stop_asked may be looked at by all.
 */
#ifndef SMTPTRAIL_STOP_H
#define SMTPTRAIL_STOP_H

#include <signal.h>
#include <stdbool.h>

extern volatile sig_atomic_t stop_asked;

/* Without SA_RESTART: what waits is to end. ignores_pipe: a reader that is gone is an error of the write, and not the end. */
void stop_on_signals(bool ignores_pipe);

#endif
