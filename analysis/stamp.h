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
	/* The stamp before, as far as it may stand in the next line too: its second, and its zone if it tells one. */
	char cached[24], cached_zone[8];
	size_t cached_length, cached_zone_length;	/* length 0: it is not kept */
	int64_t cached_us;		/* whole seconds, UTC */
	int64_t zone_hour;		/* local hour that zone_offset is of */
	int64_t zone_offset;
	bool zone_known;
};

/* The zone of all times that do not say theirs; NULL: this machine's. False: this machine knows none of that name. */
bool stamp_set_zone(const char *zone);
#define STAMP_NO_ZONE "--timezone wants a zone that this machine knows, as Europe/Berlin or CET-1CEST, got '%s'"

/* year: 0, not given. file_us: when the file was written last; 0: not known. */
void stamp_start(struct stamp_reader *reader, int year, int64_t file_us);

/* A date and a clock. */
struct moment {
	int year, month, day, hour, minute, second;	/* month from 1; year 0: not told */
};

/* Microseconds of a moment in the zone of all times that do not say theirs, and of one in UTC. */
int64_t stamp_local(struct stamp_reader *reader, const struct moment *moment);
int64_t stamp_utc(const struct moment *moment);

/* Reads the time that the text starts with as the pattern says, which is one of strptime's: %Y %y %m %b %d %H %I %M
 * %S %p, %a (any day), %f (".123", or nothing), %z ("+0100"; without it the zone is as of stamp_local), %Z ("UTC");
 * numbers may be shorter than they are written mostly, a blank is any number of them. Gives the length; 0: it is none. */
size_t stamp_by_pattern(struct stamp_reader *reader, struct text text, const char *pattern, int64_t *ret_us);

/* Reads the stamp that the text starts with. Gives its length; 0: it starts with none. */
size_t stamp_read(struct stamp_reader *reader, struct text text, int64_t *ret_us);

/* ".123" or ",123456"; leaves *at behind it. */
static inline int64_t stamp_read_fraction(const char **at, const char *end)
{
	int64_t unit = INT64_C(100000), us = 0;
	const char *digit = *at + 1;

	if (digit >= end || *digit < '0' || *digit > '9')
		return 0;
	for (; digit < end && *digit >= '0' && *digit <= '9'; digit++, unit /= 10)
		us += (*digit - '0') * unit;
	*at = digit;
	return us;
}

/* Whether the stamp is of the same hour as the one that is kept, which it then replaces. */
bool stamp_is_of_same_hour(struct stamp_reader *reader, struct text text);

/* The same as stamp_read for a stamp of the same hour as the one before, in few steps; 0: it may be another, or none. */
static inline size_t stamp_read_again(struct stamp_reader *reader, struct text text, int64_t *ret_us)
{
	const char *at = text.start + reader->cached_length, *end = text.start + text.length;
	int64_t us = 0;

	if (!reader->cached_length || text.length <= reader->cached_length)
		return 0;
	if (!text_same_bytes(text.start, reader->cached, reader->cached_length) && !stamp_is_of_same_hour(reader, text))
		return 0;
	if (*at == '.' || *at == ',')
		us = stamp_read_fraction(&at, end);
	if (reader->cached_zone_length) {
		if ((size_t)(end - at) < reader->cached_zone_length ||
		    !text_same_bytes(at, reader->cached_zone, reader->cached_zone_length))
			return 0;
		at += reader->cached_zone_length;
	} else if (at < end && (*at == 'Z' || *at == '+' || *at == '-')) {
		return 0;
	}
	reader->last_us = reader->cached_us;
	*ret_us = reader->cached_us + us;
	return (size_t)(at - text.start);
}

#endif
