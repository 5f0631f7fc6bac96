/* when.c - a point in time as a person writes it. */
#include "analysis/when.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "analysis/input.h"

#define SECOND UINT64_C(1000000)
#define DAY (24 * 3600 * SECOND)

static const struct { const char *name; uint64_t us; } units[] = {
	{ "s", SECOND },
	{ "m", 60 * SECOND },
	{ "min", 60 * SECOND },
	{ "h", 3600 * SECOND },
	{ "d", DAY },
};

static bool parse_ago(const char *text, uint64_t *ret_us)
{
	size_t digits = strspn(text, "0123456789");
	uint64_t number;

	if (!input_number((struct text){ text, digits }, &number))
		return false;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (strcmp(text + digits, units[i].name) == 0)
			return !__builtin_mul_overflow(number, units[i].us, ret_us);
	return false;
}

/* Whether text has the form, in which 0 stands for any digit. */
static bool has_form(const char *text, const char *form)
{
	for (; *form; text++, form++)
		if (*form == '0' ? *text < '0' || *text > '9' : *text != *form)
			return false;
	return true;
}

/* Fills in what a person leaves out: the day, the seconds, the offset. */
static bool complete(const char *text, const char *today, char *ret_full, size_t size)
{
	const char *day = today, *time = text;
	char clock[16] = "00:00:00";

	if (has_form(text, "0000-00-00")) {
		day = text;
		time = text + 10;
		if (*time == ' ' || *time == 'T')
			time++;
		else if (*time)
			return false;
	}
	if (has_form(time, "00:00")) {
		bool seconds = has_form(time + 5, ":00");

		(void)snprintf(clock, sizeof clock, "%.5s%.3s", time, seconds ? time + 5 : ":00");
		time += seconds ? 8 : 5;
	} else if (*time || day == today) {
		return false;
	}
	int length = snprintf(ret_full, size, "%.10sT%s%s%s", day, clock, time,
			      strpbrk(time, "Z+-") ? "" : "Z");
	return length > 0 && (size_t)length < size;
}

int when_parse(const char *text, uint64_t now_us, struct when *ret_when)
{
	char today[TIME_TEXT_SIZE], full[64];
	struct when when = { .is_ago = true };

	if (parse_ago(text, &when.us)) {
		*ret_when = when;
		return 0;
	}
	when.is_ago = false;
	time_format(now_us, today);
	if (strcmp(text, "today") == 0 || strcmp(text, "yesterday") == 0)
		when.us = now_us - now_us % DAY - (*text == 'y' ? DAY : 0);
	else if (!complete(text, today, full, sizeof full) || time_parse(text_of(full), &when.us))
		return -EINVAL;
	*ret_when = when;
	return 0;
}

void when_show(uint64_t us, char ret_words[WHEN_SIZE])
{
	time_t seconds = (time_t)(us / SECOND);
	struct tm utc;

	if (!gmtime_r(&seconds, &utc) || strftime(ret_words, WHEN_SIZE, "%Y-%m-%d %H:%M:%S", &utc) == 0)
		(void)snprintf(ret_words, WHEN_SIZE, "%" PRIu64, us);
}
