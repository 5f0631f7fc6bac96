/* stamp.c - log times; a stamp that equals the one before costs one comparison. */
#include "analysis/stamp.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ZONES "/usr/share/zoneinfo"

enum { DAY_SECONDS = 86400, MONTH_LENGTH = 3, BSD_LENGTH = 15, ISO_LENGTH = 19, MINUTE_LENGTH = 5 };
/* A step back of so much is a new year and not disorder; a step forward of so much, after a
 * New Year, is a late line of the old one. */
enum { BACK_DAYS = 60, LATE_DAYS = 300 };
#define SECOND_US INT64_C(1000000)

/* tzset(3) takes a name that it does not know as UTC, in silence. */
static bool is_zone(const char *zone)
{
	const char *directory = getenv("TZDIR");
	char path[PATH_MAX];
	size_t letters;

	if (*zone == ':')
		zone++;
	(void)snprintf(path, sizeof path, "%s/%s", *zone == '/' ? "" : directory ? directory : ZONES, zone);
	if (access(path, R_OK) == 0 || strcmp(zone, "UTC") == 0)
		return true;
	/* "CET-1CEST", "<+03>-3" */
	letters = *zone == '<' ? strcspn(zone, ">") : strspn(zone, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
	letters += zone[letters] == '>';
	return letters >= 3 && zone[letters] && strchr("+-0123456789", zone[letters]);
}

bool stamp_set_zone(const char *zone)
{
	if (zone && !is_zone(zone))
		return false;
	if (zone)
		(void)setenv("TZ", zone, 1);
	tzset();
	return true;
}

void stamp_start(struct stamp_reader *reader, int year, int64_t file_us)
{
	*reader = (struct stamp_reader){ .year = year, .is_year_given = year != 0, .file_us = file_us };
}

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days since 1970-01-01 in the Gregorian calendar. */
static int64_t days_of(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static int64_t seconds_of(const struct moment *moment)
{
	return days_of(moment->year, moment->month, moment->day) * DAY_SECONDS + moment->hour * 3600 +
	       moment->minute * 60 + moment->second;
}

static int64_t offset_at(int64_t seconds)
{
	time_t time = (time_t)seconds;
	struct tm local;

	return localtime_r(&time, &local) ? (int64_t)local.tm_gmtoff : 0;
}

/* UTC of a local time. Where a clock is set back, the first of both that is not long past. */
static int64_t to_utc(struct stamp_reader *reader, int64_t local)
{
	int64_t hour = local / 3600;

	if (reader->zone_known && hour == reader->zone_hour)
		return local - reader->zone_offset;
	int64_t before = offset_at(local - DAY_SECONDS), after = offset_at(local + DAY_SECONDS);
	bool fits_before = offset_at(local - before) == before, fits_after = offset_at(local - after) == after;
	bool is_twice = fits_before && fits_after && before != after;
	int64_t offset = fits_after && !fits_before ? after : before;

	if (is_twice && reader->last_us / SECOND_US - 600 > local - before)
		offset = after;
	reader->zone_known = !is_twice && fits_before == fits_after;
	reader->zone_hour = hour;
	reader->zone_offset = offset;
	return local - offset;
}

/* The year of a moment that does not tell it, the first of a file. */
static int first_year(struct stamp_reader *reader, struct moment moment)
{
	time_t file_time = (time_t)(reader->file_us / SECOND_US);
	struct tm local;

	if (reader->file_us == 0)
		file_time = time(NULL);
	if (!localtime_r(&file_time, &local))
		return 1970;
	moment.year = local.tm_year + 1900;
	if (seconds_of(&moment) > (int64_t)file_time + 2 * DAY_SECONDS)
		moment.year--;
	while (moment.month == 2 && moment.day == 29 && !is_leap(moment.year))
		moment.year--;
	return moment.year;
}

static int64_t yearless(struct stamp_reader *reader, struct moment *moment)
{
	int64_t last = reader->last_us / SECOND_US;

	if (reader->year == 0)
		reader->year = first_year(reader, *moment);
	moment->year = reader->year;
	if (reader->last_us == 0)
		return to_utc(reader, seconds_of(moment));
	int64_t distance = seconds_of(moment) - last;

	if (distance < -(int64_t)BACK_DAYS * DAY_SECONDS) {
		moment->year = ++reader->year;
		reader->has_rolled = true;
	} else if (reader->has_rolled && distance > (int64_t)LATE_DAYS * DAY_SECONDS) {
		moment->year--;
	}
	return to_utc(reader, seconds_of(moment));
}

static bool digits(const char *bytes, int count, int *ret_number)
{
	int number = 0;

	for (int i = 0; i < count; i++) {
		if (bytes[i] < '0' || bytes[i] > '9')
			return false;
		number = number * 10 + (bytes[i] - '0');
	}
	*ret_number = number;
	return true;
}

static bool read_month(const char *bytes, int *ret_month)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int i = 0; i < 12; i++)
		if (memcmp(bytes, names + (ptrdiff_t)i * MONTH_LENGTH, MONTH_LENGTH) == 0) {
			*ret_month = i + 1;
			return true;
		}
	return false;
}

static bool read_clock(const char *bytes, struct moment *moment)
{
	return digits(bytes, 2, &moment->hour) && bytes[2] == ':' && digits(bytes + 3, 2, &moment->minute) &&
	       bytes[5] == ':' && digits(bytes + 6, 2, &moment->second) &&
	       moment->hour < 24 && moment->minute < 60 && moment->second < 61;
}

/* "Jan  2 03:04:05" or "Jan 2 03:04:05"; gives the length, 0: no such stamp. */
static size_t read_bsd(struct text text, struct moment *moment)
{
	const char *at = text.start, *end = text.start + text.length;

	if (text.length < BSD_LENGTH - 1 || !read_month(at, &moment->month) || at[3] != ' ')
		return 0;
	at += at[4] == ' ' ? 5 : 4;
	int day_digits = at[1] == ' ' ? 1 : 2;

	if (!digits(at, day_digits, &moment->day) || at[day_digits] != ' ' || moment->day < 1 || moment->day > 31)
		return 0;
	at += day_digits + 1;
	if (end - at < 8 || !read_clock(at, moment))
		return 0;
	return (size_t)(at + 8 - text.start);
}

/* "2026-11-21T08:00:00" */
static size_t read_iso(struct text text, struct moment *moment)
{
	const char *at = text.start;

	if (text.length < ISO_LENGTH || !digits(at, 4, &moment->year) || at[4] != '-' ||
	    !digits(at + 5, 2, &moment->month) || at[7] != '-' || !digits(at + 8, 2, &moment->day) ||
	    (at[10] != 'T' && at[10] != ' ') || !read_clock(at + 11, moment) || moment->year < 1970 ||
	    moment->month < 1 || moment->month > 12 || moment->day < 1 || moment->day > 31)
		return 0;
	return ISO_LENGTH;
}

/* "2013 Jun 16 16:05:06" */
static size_t read_year_first(struct text text, struct moment *moment)
{
	size_t length;

	if (text.length < 5 || !digits(text.start, 4, &moment->year) || text.start[4] != ' ' || moment->year < 1970)
		return 0;
	length = read_bsd((struct text){ text.start + 5, text.length - 5 }, moment);
	return length ? length + 5 : 0;
}

static int64_t read_fraction(const char **at, const char *end)
{
	return *at < end && (**at == '.' || **at == ',') ? stamp_read_fraction(at, end) : 0;
}

/* "Z", "+01:00" or "-0500"; false: no zone here. */
static bool read_zone(const char **at, const char *end, int64_t *ret_offset)
{
	int hours, minutes;
	const char *sign = *at;

	if (sign < end && *sign == 'Z') {
		*at = sign + 1;
		*ret_offset = 0;
		return true;
	}
	if (end - sign < 5 || (*sign != '+' && *sign != '-') || !digits(sign + 1, 2, &hours))
		return false;
	const char *minute = sign + 3 + (sign[3] == ':');

	if (end - minute < 2 || !digits(minute, 2, &minutes) || hours > 15 || minutes > 59)
		return false;
	*at = minute + 2;
	*ret_offset = (*sign == '-' ? -1 : 1) * (int64_t)(hours * 3600 + minutes * 60);
	return true;
}

/* What a moment without its zone is in UTC. */
static int64_t whole_seconds(struct stamp_reader *reader, struct moment *moment)
{
	return moment->year == 0 ? yearless(reader, moment) : to_utc(reader, seconds_of(moment));
}

/* Minute and second end what is kept, "04:05": nothing else changes the time within an hour, whose offset is one. */
bool stamp_is_of_same_hour(struct stamp_reader *reader, struct text text)
{
	size_t hour = reader->cached_length - MINUTE_LENGTH;
	const char *now = text.start + hour;
	char *before = reader->cached + hour;
	int minute, second, minute_before, second_before;

	if (memcmp(text.start, reader->cached, hour) != 0 || now[2] != ':' || !digits(now, 2, &minute) || !digits(now + 3, 2, &second) ||
	    minute > 59 || second > 60 || !digits(before, 2, &minute_before) || !digits(before + 3, 2, &second_before))
		return false;
	reader->cached_us += ((minute - minute_before) * 60 + second - second_before) * SECOND_US;
	memcpy(before, now, MINUTE_LENGTH);
	return true;
}

/* Keeps the stamp whose second takes so many bytes, and whose zone is told or not. */
static void cache(struct stamp_reader *reader, struct text text, size_t length, const char *zone, size_t zone_length, int64_t us)
{
	reader->last_us = reader->cached_us = us;
	reader->cached_length = length <= sizeof reader->cached ? length : 0;
	memcpy(reader->cached, text.start, reader->cached_length);
	reader->cached_zone_length = zone_length;
	memcpy(reader->cached_zone, zone, zone_length);
}

static size_t finish(struct stamp_reader *reader, struct text text, size_t length, struct moment *moment, int64_t *ret_us)
{
	const char *at = text.start + length, *end = text.start + text.length;
	bool may_tell_zone = moment->year != 0 && text.start[4] == '-';
	int64_t us = read_fraction(&at, end), offset;
	const char *zone = at;

	if (may_tell_zone && read_zone(&at, end, &offset)) {
		cache(reader, text, length, zone, (size_t)(at - zone), (seconds_of(moment) - offset) * SECOND_US);
		reader->year = moment->year;
	} else {
		cache(reader, text, length, zone, 0, whole_seconds(reader, moment) * SECOND_US);
		if (may_tell_zone)
			reader->year = moment->year;
		/* In an hour that occurs twice the same bytes may mean another time. */
		if (!reader->zone_known)
			reader->cached_length = 0;
	}
	*ret_us = reader->cached_us + us;
	return (size_t)(at - text.start);
}

int64_t stamp_utc(const struct moment *moment)
{
	return seconds_of(moment) * SECOND_US;
}

int64_t stamp_local(struct stamp_reader *reader, const struct moment *moment)
{
	struct moment copy = *moment;

	reader->last_us = whole_seconds(reader, &copy) * SECOND_US;
	return reader->last_us;
}

size_t stamp_read(struct stamp_reader *reader, struct text text, int64_t *ret_us)
{
	struct moment moment = { .year = 0 };
	size_t length = stamp_read_again(reader, text, ret_us);

	if (length)
		return length;
	length = read_bsd(text, &moment);
	if (!length) {
		moment = (struct moment){ .year = 0 };
		length = read_iso(text, &moment);
	}
	if (!length)
		length = read_year_first(text, &moment);
	return length ? finish(reader, text, length, &moment, ret_us) : 0;
}
