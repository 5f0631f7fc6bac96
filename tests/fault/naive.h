/*
 * naive.h - a shipper as one would write it first: MULTI, XADD..., SET cursor, EXEC; no comparison.
 *
 * It reads the cursor after each connect, as the real one does, and doubles records all the same: an EXEC
 * that arrives late is not stopped by anything. It is here so that the campaign is known to see that.
 *
 * Threads: start and stop from one.
 */
#ifndef SMTPTRAIL_TESTS_FAULT_NAIVE_H
#define SMTPTRAIL_TESTS_FAULT_NAIVE_H

#include "milter/shipper.h"

struct naive;

struct naive *naive_start(const struct shipper_options *options);	/* ends the program where it cannot */
void naive_stop(struct naive *naive);

#endif
