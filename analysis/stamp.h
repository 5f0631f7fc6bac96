/*
 * stamp.h - the time at the start of a log line, in any form that syslog writes.
 *
 * "Jan  2 03:04:05", "2026-11-21T08:00:00.123456+01:00", "2026-11-21 08:00:00,123",
 * "2013 Jun 16 16:05:06.123". A time without a zone is in the zone of the options; one without a
 * year gets it from the options or the file's own time, and goes on across New Year. In the
 * hour that occurs twice the order of the lines decides, in the hour that is skipped the clock of before.
 *
 * Threads: one owner at a time. The zone is the process' own (TZ).
 */
#ifndef SMTPTRAIL_STAMP_H
#define SMTPTRAIL_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/text.h"

struct stamp_reader {
	int year;			/* of the line before; 0: not known yet */
	bool is_year_given;		/* by a person */
	bool has_rolled;		/* over a New Year: a late line may be of the year before */
	int64_t file_us;		/* when the file was written last; 0: not known */
	int64_t last_us;
	char cached[24];		/* bytes of the stamp before */
	size_t cached_length;
	int64_t cached_us;		/* whole seconds */
	int64_t zone_hour;		/* local hour that zone_offset is of */
	int64_t zone_offset;
	bool zone_known;
};

/* The zone of all times that do not say theirs; NULL: this machine's. */
void stamp_set_zone(const char *zone);

/* year: 0, not given. file_us: when the file was written last; 0: not known. */
void stamp_start(struct stamp_reader *reader, int year, int64_t file_us);

/* Reads the stamp that the text starts with. Gives its length; 0: it starts with none. */
size_t stamp_read(struct stamp_reader *reader, struct text text, int64_t *ret_us);

#endif
