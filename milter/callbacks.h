/*
 * callbacks.h - libmilter's side: what is negotiated, what is answered, and the loop that waits.
 *
 * The only file that includes libmilter and that picks a reply: CONTINUE where a reply was
 * negotiated, NOREPLY elsewhere, nothing else ever, whatever happens to the recording.
 *
 * Threads: libmilter calls from its own threads, never two at a time for one session; the
 *          functions below are main's. libmilter is one a process, so this file has state.
 * Limits:  a packet of max_packet bytes; a larger one costs its session.
 * Errors:  negative errno, and in problem what failed and how to mend it.
 */
#ifndef SMTPTRAIL_MILTER_CALLBACKS_H
#define SMTPTRAIL_MILTER_CALLBACKS_H

#include "session.h"
#include "socket.h"

/* Opens the listening socket, with its owner, mode and group. Before privileges are dropped. */
int callbacks_open(const struct config *config, const struct socket_address *address, uid_t owner,
		   struct problem *problem);
/* Serves until SIGTERM, SIGINT or SIGHUP, which are blocked in all threads: 0; or until it fails. From
 * the signal on callbacks do nothing. */
int callbacks_run(struct sessions *sessions, const struct socket_address *address);
/* From here on callbacks do nothing; waits until none is inside, at most timeout_ms. */
bool callbacks_stop(unsigned timeout_ms);

#endif
