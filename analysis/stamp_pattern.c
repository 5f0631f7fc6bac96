/* stamp_pattern.c - times in the many forms that logs have which are not of syslog's, by a pattern of each. */
#include <stdlib.h>

#include "analysis/stamp.h"

struct place {
	const char *at, *end;
};

struct parts {
	struct moment moment;
	int64_t us;
	int64_t offset_seconds;
	bool has_offset;
	int half;			/* 1: AM, 2: PM, 0: not told */
};

/* A number of one digit up to most; false: none is here. */
static bool take_number(struct place *place, int most, int *ret_number)
{
	const char *start = place->at;
	int number = 0;

	while (place->at < place->end && place->at - start < most && *place->at >= '0' && *place->at <= '9')
		number = number * 10 + (*place->at++ - '0');
	*ret_number = number;
	return place->at > start;
}

static bool take_month(struct place *place, int *ret_month)
{
	static const char names[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

	for (int i = 0; i < 12 && place->end - place->at >= 3; i++)
		if (memcmp(place->at, names[i], 3) == 0) {
			place->at += 3;
			*ret_month = i + 1;
			return true;
		}
	return false;
}

/* ".123" of any length, or nothing. */
static bool take_fraction(struct place *place, int64_t *ret_us)
{
	int64_t unit = 100000;

	*ret_us = 0;
	if (place->end - place->at < 2 || (*place->at != '.' && *place->at != ',') || place->at[1] < '0' || place->at[1] > '9')
		return true;
	for (place->at++; place->at < place->end && *place->at >= '0' && *place->at <= '9'; place->at++, unit /= 10)
		*ret_us += (*place->at - '0') * unit;
	return true;
}

/* "+0100", "+01:00" or "Z". */
static bool take_offset(struct place *place, struct parts *parts)
{
	int sign, hours, minutes;

	parts->has_offset = true;
	if (place->at < place->end && *place->at == 'Z') {
		place->at++;
		return true;
	}
	if (place->end - place->at < 5 || (*place->at != '+' && *place->at != '-'))
		return false;
	sign = *place->at++ == '-' ? -1 : 1;
	if (!take_number(place, 2, &hours))
		return false;
	if (place->at < place->end && *place->at == ':')
		place->at++;
	if (!take_number(place, 2, &minutes) || hours > 15 || minutes > 59)
		return false;
	parts->offset_seconds = (int64_t)sign * (hours * 3600 + minutes * 60);
	return true;
}

static bool take_half(struct place *place, int *ret_half)
{
	if (place->end - place->at < 2 || (place->at[1] | 0x20) != 'm')
		return false;
	*ret_half = (place->at[0] | 0x20) == 'a' ? 1 : (place->at[0] | 0x20) == 'p' ? 2 : 0;
	place->at += 2;
	return *ret_half != 0;
}

static bool take_letters(struct place *place)
{
	const char *start = place->at;

	while (place->at < place->end && (*place->at | 0x20) >= 'a' && (*place->at | 0x20) <= 'z')
		place->at++;
	return place->at > start;
}

static bool take_literally(struct place *place, char wanted)
{
	if (place->at == place->end || *place->at != wanted)
		return false;
	place->at++;
	while (wanted == ' ' && place->at < place->end && *place->at == ' ')
		place->at++;
	return true;
}

static bool take_part(struct place *place, char part, struct parts *parts)
{
	struct moment *moment = &parts->moment;

	switch (part) {
	case 'Y':
		return place->end - place->at >= 4 && take_number(place, 4, &moment->year);
	case 'y':
		if (!take_number(place, 2, &moment->year))
			return false;
		moment->year += moment->year < 70 ? 2000 : 1900;
		return true;
	case 'm':
		return take_number(place, 2, &moment->month);
	case 'b':
		return take_month(place, &moment->month);
	case 'd':
		return take_number(place, 2, &moment->day);
	case 'H':
	case 'I':
		return take_number(place, 2, &moment->hour);
	case 'M':
		return take_number(place, 2, &moment->minute);
	case 'S':
		return take_number(place, 2, &moment->second);
	case 'p':
		return take_half(place, &parts->half);
	case 'f':
		return take_fraction(place, &parts->us);
	case 'z':
		return take_offset(place, parts);
	case 'Z':
		parts->has_offset = true;
		return take_letters(place);
	case 'a':
		return take_letters(place);
	default:
		abort();	/* a pattern of ours */
	}
}

static bool is_possible(const struct moment *moment, int half)
{
	return moment->month >= 1 && moment->month <= 12 && moment->day >= 1 && moment->day <= 31 && moment->hour < 24 &&
	       moment->minute < 60 && moment->second < 61 && (moment->year == 0 || moment->year >= 1970) &&
	       (!half || (moment->hour >= 1 && moment->hour <= 12));
}

size_t stamp_by_pattern(struct stamp_reader *reader, struct text text, const char *pattern, int64_t *ret_us)
{
	struct parts parts = { .us = 0 };
	struct place place;

	if (!text.length)
		return 0;
	place = (struct place){ text.start, text.start + text.length };
	for (; *pattern; pattern++) {
		bool fits = *pattern == '%' ? take_part(&place, *++pattern, &parts) : take_literally(&place, *pattern);

		if (!fits)
			return 0;
	}
	if (!is_possible(&parts.moment, parts.half))
		return 0;
	if (parts.half)
		parts.moment.hour = parts.moment.hour % 12 + (parts.half == 2 ? 12 : 0);
	*ret_us = parts.us + (parts.has_offset ? stamp_utc(&parts.moment) - parts.offset_seconds * 1000000
					       : stamp_local(reader, &parts.moment));
	return (size_t)(place.at - text.start);
}
