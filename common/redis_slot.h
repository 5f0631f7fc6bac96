/*
 * redis_slot.h - which slot of a cluster a key lies in (CRC16 of the key, or of what stands in its braces).
 *
 * Threads: pure. Source: Redis' cluster specification; the test compares with Redis itself.
 */
#ifndef SMTPTRAIL_REDIS_SLOT_H
#define SMTPTRAIL_REDIS_SLOT_H

#include "text.h"

enum { REDIS_SLOTS = 16384 };

unsigned redis_slot(struct text key);

#endif
