/* query_number.c - numbers, sizes, durations and times as a query has them, and the bounds that they are. */
#include <errno.h>
#include <stdlib.h>

#include "analysis/query_internal.h"
#include "analysis/when.h"

#define SECOND UINT64_C(1000000)
#define DAY (24 * 3600 * SECOND)

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit size_units[] = {
	{ "", 1 }, { "b", 1 }, { "k", 1000 }, { "kb", 1000 }, { "m", 1000000 }, { "mb", 1000000 }, { "g", 1000000000 },
	{ "gb", 1000000000 }, { NULL, 0 },
};
static const struct unit duration_units[] = {
	{ "", SECOND }, { "us", 1 }, { "ms", 1000 }, { "s", SECOND }, { "m", 60 * SECOND }, { "min", 60 * SECOND },
	{ "h", 3600 * SECOND }, { "d", DAY }, { NULL, 0 },
};
static const struct unit no_units[] = { { "", 1 }, { NULL, 0 } };

static bool read_units(const char *text, const struct unit *units, uint64_t *ret_number)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	long double number = strtold(text, &end);

	for (; units->name; units++)
		if (strcasecmp(end, units->name) == 0) {
			number *= (long double)units->factor;
			if (number < 0 || number > 9.2e18L)
				return false;
			*ret_number = (uint64_t)number;
			return true;
		}
	return false;
}

static bool read_time(const char *text, uint64_t now_us, uint64_t *ret_us)
{
	struct when when;

	if (when_parse(text, now_us, &when) != 0)
		return false;
	*ret_us = when.is_ago ? (when.us < now_us ? now_us - when.us : 0) : when.us;
	return true;
}

/* How the numbers of a field are written. */
static const struct number_form {
	const struct unit *units;	/* NULL: a time */
	const char *words;
} plain_form = { no_units, "a number" }, forms[] = {
	[FACT_SIZE] = { size_units, "a size: 500, 10k, 1.5M, 2G" },
	[FACT_DURATION] = { duration_units, "a duration: 500ms, 2s, 5m, 2h, 3d" },
	[FACT_TIME] = { NULL, "a time: " WHEN_FORMS },
};

static const struct number_form *form_of(const struct query_field *field)
{
	const size_t type = field->type;

	return type < sizeof forms / sizeof forms[0] && forms[type].words ? &forms[type] : &plain_form;
}

static bool read_number(const struct query_field *field, const char *text, uint64_t now_us, uint64_t *ret_number)
{
	const struct number_form *form = form_of(field);
	char *end;

	if (field->special == QUERY_KEY) {
		*ret_number = strtoull(text, &end, 16);
		return *text && *text != '-' && !*end;
	}
	return form->units ? read_units(text, form->units, ret_number) : read_time(text, now_us, ret_number);
}

const char *query_number_forms(const struct query_field *field)
{
	return field->special == QUERY_KEY ? "a key, as search shows it" : form_of(field)->words;
}

bool query_read_range(struct query_term *term, const char *text, uint64_t now_us)
{
	static const struct {
		const char *mark;
		bool has_low, has_high, is_open;
	} marks[] = {
		{ ">=", true, false, false }, { "<=", false, true, false }, { ">", true, false, true }, { "<", false, true, true },
		{ "=", true, true, false }, { "", true, true, false },
	};
	const char *dots = strstr(text, "..");
	char low[64];
	size_t i = 0;
	uint64_t number;

	term->low = 0;
	term->high = UINT64_MAX;
	if (dots && dots > text && (size_t)(dots - text) < sizeof low) {
		memcpy(low, text, (size_t)(dots - text));
		low[dots - text] = '\0';
		return read_number(&term->field, low, now_us, &term->low) &&
		       read_number(&term->field, dots + 2, now_us, &term->high);
	}
	while (strncmp(text, marks[i].mark, strlen(marks[i].mark)) != 0)
		i++;
	if (!read_number(&term->field, text + strlen(marks[i].mark), now_us, &number))
		return false;
	if (marks[i].has_low)
		term->low = number + (marks[i].is_open ? 1 : 0);
	if (marks[i].has_high)
		term->high = number - (marks[i].is_open && number ? 1 : 0);
	if (marks[i].has_high && marks[i].is_open && !number)
		term->low = 1;	/* nothing is below 0: low > high */
	return true;
}

bool query_read_span(struct query_term *term, const char *text, uint64_t now_us)
{
	uint64_t when;

	if (!read_time(text, now_us, &when))
		return false;
	term->low = 0;
	term->high = UINT64_MAX;
	if (term->field.special == QUERY_SINCE)
		term->low = when;
	else if (term->field.special == QUERY_UNTIL)
		term->high = when ? when - 1 : 0;
	else {
		term->low = when - when % DAY;
		term->high = term->low + DAY - 1;
	}
	return true;
}
