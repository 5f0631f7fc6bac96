/*
 * postfix_fast.h - the commonest kinds of Postfix's lines, taken apart by hand.
 *
 * Each gives exactly the event that its row of postfix.def gives; a line that is unusual in any way is left to the
 * table. Reason: with the short way of frame.c a log costs 2.5 times `LC_ALL=C grep -c status=` instead of 4.2
 * (doc/performance.md, parse). tests/unit/test_shortcuts and fuzz_formats hold the one way against the other.
 *
 * Threads: any; no state.
 */
#ifndef SMTPTRAIL_POSTFIX_FAST_H
#define SMTPTRAIL_POSTFIX_FAST_H

#include "analysis/event.h"

enum postfix_daemon {
	POSTFIX_SMTPD, POSTFIX_CLEANUP, POSTFIX_QMGR, POSTFIX_POSTSCREEN, POSTFIX_DNSBLOG, POSTFIX_SMTP,
	POSTFIX_OTHER,		/* a daemon of the table, of which only deliveries are known here */
};

enum postfix_daemon postfix_fast_daemon(struct text daemon);

/* Fills kind and fields. False: left to the table, with no field added. */
bool postfix_fast_read(enum postfix_daemon daemon, struct event *event);

#endif
