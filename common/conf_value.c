/* conf_value.c - one option's value: from text, to text, and what is allowed. */
#include "conf_value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

struct unit {
	const char *name;
	uint64_t factor;
};

/* The largest first: a value is printed in the largest one that divides it. */
static const struct unit size_units[] = {
	{ "T", UINT64_C(1) << 40 }, { "G", 1 << 30 }, { "M", 1 << 20 }, { "K", 1 << 10 }, { "", 1 }, { NULL, 0 },
};
static const struct unit duration_units[] = {
	{ "d", UINT64_C(86400000000) }, { "h", UINT64_C(3600000000) }, { "min", 60000000 }, { "s", 1000000 },
	{ "ms", 1000 }, { "us", 1 }, { NULL, 0 },
};
static const struct unit no_units[] = { { "", 1 }, { NULL, 0 } };

static const struct unit *units_of(enum conf_type type)
{
	return type == CONF_SIZE ? size_units : type == CONF_DURATION ? duration_units : no_units;
}

static void *place_of(const struct conf_option *option, void *values)
{
	return (char *)values + option->offset;
}

static const void *read_place_of(const struct conf_option *option, const void *values)
{
	return (const char *)values + option->offset;
}

/* Limits and values of such a number are shown as its default is written. */
static bool is_octal(const struct conf_option *option)
{
	return option->type == CONF_NUMBER && option->initial[0] == '0' && option->initial[1] != '\0';
}

/* The word of a list of words separated by blanks; false after the last. */
static bool next_word(const char **rest, struct text *ret_word)
{
	*rest += strspn(*rest, " ");
	*ret_word = (struct text){ *rest, strcspn(*rest, " ") };
	*rest += ret_word->length;
	return ret_word->length > 0;
}

static int choice_index(const char *choices, const char *text)
{
	struct text word;

	for (int i = 0; next_word(&choices, &word); i++)
		if (text_equal_nocase(word, text_of(text)))
			return i;
	return -1;
}

static struct text choice_at(const char *choices, int index)
{
	struct text word = TEXT_NONE;

	for (int i = 0; i <= index && next_word(&choices, &word); i++)
		;
	return word;
}

/* false: no number, or beyond 64 bits. Moves *text behind the digits. */
static bool take_digits(const char **text, unsigned base, uint64_t *ret_number)
{
	uint64_t number = 0;
	const char *at = *text;

	for (; *at >= '0' && *at < (char)('0' + base); at++)
		if (__builtin_mul_overflow(number, base, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number))
			return false;
	if (at == *text)
		return false;
	*text = at;
	*ret_number = number;
	return true;
}

static bool parse_number(const struct conf_option *option, const char *text, uint64_t *ret_number)
{
	unsigned base = option->type == CONF_NUMBER && text[0] == '0' ? 8 : 10;
	uint64_t number;

	if (!take_digits(&text, base, &number))
		return false;
	/* Nothing of it is nothing in every unit. */
	if (number == 0 && *text == '\0') {
		*ret_number = 0;
		return true;
	}
	for (const struct unit *unit = units_of(option->type); unit->name; unit++)
		if (strcasecmp(text, unit->name) == 0)
			return !__builtin_mul_overflow(number, unit->factor, ret_number);
	return false;
}

static void print_number(const struct conf_option *option, uint64_t number, FILE *out)
{
	const struct unit *unit = units_of(option->type);

	if (number == 0) {
		fputc('0', out);
		return;
	}
	if (is_octal(option)) {
		fprintf(out, "0%" PRIo64, number);
		return;
	}
	while (number % unit->factor != 0)
		unit++;
	fprintf(out, "%" PRIu64 "%s", number / unit->factor, unit->name);
}

static const char *kind_of(const struct conf_option *option)
{
	switch (option->type) {
	case CONF_TEXT: return "a text";
	case CONF_PATH: return "an absolute path";
	case CONF_NUMBER: return is_octal(option) ? "an octal number" : "a number";
	case CONF_SIZE: return "a size";
	case CONF_DURATION: return "a duration";
	case CONF_BOOL: return "yes or no";
	case CONF_CHOICE: return "one of";
	case CONF_LIST: return option->choices ? "a list of" : "a list";
	case CONF_PAIRS: return "rows NAME = VALUE";
	case CONF_SECTIONS: return option->name;
	}
	return "";
}

/* "1 to 64", "at most 64", "at least 1". */
static void print_limits(const struct conf_option *option, const char *unit, FILE *out)
{
	if (option->minimum && option->maximum)
		fprintf(out, " of %" PRIu64 " to %" PRIu64 " %s", option->minimum, option->maximum, unit);
	else if (option->maximum)
		fprintf(out, " of at most %" PRIu64 " %s", option->maximum, unit);
	else if (option->minimum > 1)
		fprintf(out, " of at least %" PRIu64 " %s", option->minimum, unit);
	else if (option->minimum)
		fprintf(out, ", not empty");
}

static void print_range(const struct conf_option *option, FILE *out)
{
	if (option->maximum) {
		fprintf(out, " from ");
		print_number(option, option->minimum, out);
		fprintf(out, " to ");
		print_number(option, option->maximum, out);
	} else if (option->minimum) {
		fprintf(out, ", at least ");
		print_number(option, option->minimum, out);
	} else if (option->type != CONF_NUMBER) {
		fprintf(out, option->type == CONF_SIZE ? " such as 64K, 4M or 1G" : " such as 500ms, 2s, 15min, 2h or 7d");
	}
}

static void print_choices(const char *choices, FILE *out)
{
	const char *separator = " ";
	struct text word;

	while (next_word(&choices, &word)) {
		fprintf(out, "%s%.*s", separator, TEXT_ARGS(word));
		separator = ", ";
	}
}

/* How many items of the list are one row of it. */
static size_t row_items(const struct conf_option *option)
{
	size_t count = option->type == CONF_PAIRS ? 2 : 1;

	for (size_t i = 0; option->type == CONF_SECTIONS && option->within[i]; i++)
		count++;
	return count;
}

static void print_within(const struct conf_option *option, FILE *out)
{
	fputs(" \"NAME\" {", out);
	for (size_t i = 0; option->within[i]; i++)
		fprintf(out, " %s = TEXT", option->within[i]);
	fputs(" }", out);
}

static void print_allowed(const struct conf_option *option, FILE *out)
{
	fputs(kind_of(option), out);
	if (option->choices)
		print_choices(option->choices, out);
	switch (option->type) {
	case CONF_TEXT: print_limits(option, "bytes", out); break;
	case CONF_PATH: fputs(option->minimum == 0 ? ", or empty" : "", out); break;
	case CONF_LIST: print_limits(option, "items", out); break;
	case CONF_NUMBER:
	case CONF_SIZE:
	case CONF_DURATION: print_range(option, out); break;
	case CONF_SECTIONS: print_within(option, out); /* fall through */
	case CONF_PAIRS:
		if (option->maximum)
			fprintf(out, ", at most %" PRIu64, option->maximum);
		break;
	case CONF_BOOL:
	case CONF_CHOICE: break;
	}
}

void conf_value_allowed(const struct conf_option *option, char ret_text[CONF_ALLOWED_SIZE])
{
	FILE *out = fmemopen(ret_text, CONF_ALLOWED_SIZE, "w");

	ret_text[0] = '\0';
	if (!out)
		return;
	print_allowed(option, out);
	(void)fclose(out);
	ret_text[CONF_ALLOWED_SIZE - 1] = '\0';
}

static int refuse(const struct conf_option *option, const char *text, const char *why, struct problem *problem)
{
	char allowed[CONF_ALLOWED_SIZE];

	conf_value_allowed(option, allowed);
	problem_set(problem, "%s = '%.60s%s' %s; allowed: %s", option->name, text, strlen(text) > 60 ? "..." : "", why,
		    allowed);
	return -EINVAL;
}

/* The option's own check of a text. */
static int check_form(const struct conf_option *option, const char *text, struct problem *problem)
{
	struct problem why;

	if (!option->check || option->check(text, &why) == 0)
		return 0;
	problem_set(problem, "%s: %.400s", option->name, why.text);
	return -EINVAL;
}

static int set_number(const struct conf_option *option, void *values, const char *text, struct problem *problem)
{
	uint64_t number;

	if (!parse_number(option, text, &number)) {
		char why[64];

		(void)snprintf(why, sizeof why, "is not %s", kind_of(option));
		return refuse(option, text, why, problem);
	}
	if (number < option->minimum)
		return refuse(option, text, "is too small", problem);
	if (option->maximum && number > option->maximum)
		return refuse(option, text, "is too large", problem);
	memcpy(place_of(option, values), &number, sizeof number);
	return 0;
}

static int set_bool(const struct conf_option *option, void *values, const char *text, struct problem *problem)
{
	int index = choice_index("no yes false true off on", text);
	bool value = index % 2 == 1;

	if (index < 0)
		return refuse(option, text, "is neither", problem);
	memcpy(place_of(option, values), &value, sizeof value);
	return 0;
}

static int set_choice(const struct conf_option *option, void *values, const char *text, struct problem *problem)
{
	int index = choice_index(option->choices, text);

	if (index < 0)
		return refuse(option, text, "is none of them", problem);
	memcpy(place_of(option, values), &index, sizeof index);
	return 0;
}

static int set_text(const struct conf_option *option, void *values, const char *text, struct problem *problem)
{
	char **place = place_of(option, values);
	size_t length = strlen(text);

	if (option->type == CONF_PATH && text[0] != '/' && !(length == 0 && option->minimum == 0))
		return refuse(option, text, "is not absolute", problem);
	if (length < option->minimum)
		return refuse(option, text, length ? "is too short" : "is empty", problem);
	if (option->maximum && length > option->maximum)
		return refuse(option, text, "is too long", problem);
	if (check_form(option, text, problem) != 0)
		return -EINVAL;
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(*place);
	*place = copy;
	return 0;
}

static int append(struct conf_list *list, const char *text)
{
	char **items = reallocarray(list->items, list->count + 1, sizeof *items);

	if (!items)
		return -ENOMEM;
	list->items = items;
	list->items[list->count] = strdup(text);
	if (!list->items[list->count])
		return -ENOMEM;
	list->count++;
	return 0;
}

static int add_item(const struct conf_option *option, void *values, const char *text, struct problem *problem)
{
	if (option->choices && choice_index(option->choices, text) < 0)
		return refuse(option, text, "is none of them", problem);
	if (text[0] == '\0')
		return refuse(option, text, "is an empty item", problem);
	if (check_form(option, text, problem) != 0)
		return -EINVAL;
	return append(place_of(option, values), text);
}

int conf_value_add_pair(const struct conf_option *option, void *values, const char *name, const char *text,
			struct problem *problem)
{
	int error;

	if (text[0] == '\0')
		return refuse(option, text, "is an empty value", problem);
	if (check_form(option, text, problem) != 0)
		return -EINVAL;
	error = append(place_of(option, values), name);
	return error ? error : append(place_of(option, values), text);
}

int conf_value_check_within(const struct conf_option *option, const char *title, const char *name, const char *text,
			    struct problem *problem)
{
	struct problem why;

	if (text[0] == '\0')
		problem_set(problem, "%s of %s '%s' is empty; allowed: a text", name, option->name, title);
	else if (option->check && strcmp(name, option->within[0]) == 0 && option->check(text, &why) != 0)
		problem_set(problem, "%s of %s '%s': %.400s", name, option->name, title, why.text);
	else
		return 0;
	return -EINVAL;
}

int conf_value_add_section(const struct conf_option *option, void *values, const char *title, const char *const *texts)
{
	struct conf_list *list = place_of(option, values);
	int error = append(list, title);

	for (size_t i = 0; option->within[i] && !error; i++)
		error = append(list, texts[i] ? texts[i] : "");
	return error;
}

bool conf_value_is_list(const struct conf_option *option)
{
	return option->type == CONF_LIST || option->type == CONF_PAIRS || option->type == CONF_SECTIONS;
}

int conf_value_set(const struct conf_option *option, void *values, const char *text, struct problem *problem)
{
	switch (option->type) {
	case CONF_TEXT:
	case CONF_PATH: return set_text(option, values, text, problem);
	case CONF_NUMBER:
	case CONF_SIZE:
	case CONF_DURATION: return set_number(option, values, text, problem);
	case CONF_BOOL: return set_bool(option, values, text, problem);
	case CONF_CHOICE: return set_choice(option, values, text, problem);
	case CONF_LIST: return add_item(option, values, text, problem);
	case CONF_PAIRS:
	case CONF_SECTIONS: break;
	}
	return -EINVAL;
}

static int add_items(const struct conf_option *option, void *values, char *items, struct problem *problem)
{
	char *rest = NULL;
	int error = 0;

	for (char *item = strtok_r(items, ", ", &rest); item && !error; item = strtok_r(NULL, ", ", &rest))
		error = add_item(option, values, item, problem);
	return error;
}

int conf_value_set_initial(const struct conf_option *option, void *values, struct problem *problem)
{
	if (option->type == CONF_PAIRS || option->type == CONF_SECTIONS)
		return 0;
	if (option->type != CONF_LIST)
		return conf_value_set(option, values, option->initial, problem);
	char *items = strdup(option->initial);
	int error = items ? add_items(option, values, items, problem) : -ENOMEM;

	free(items);
	return error;
}

void conf_value_clear(const struct conf_option *option, void *values)
{
	if (option->type == CONF_TEXT || option->type == CONF_PATH) {
		char **place = place_of(option, values);

		free(*place);
		*place = NULL;
	} else if (conf_value_is_list(option)) {
		struct conf_list *list = place_of(option, values);

		for (size_t i = 0; i < list->count; i++)
			free(list->items[i]);
		free(list->items);
		*list = (struct conf_list){ 0, NULL };
	}
}

int conf_value_check_count(const struct conf_option *option, const void *values, struct problem *problem)
{
	const struct conf_list *list = read_place_of(option, values);
	char allowed[CONF_ALLOWED_SIZE];
	size_t count;

	if (!conf_value_is_list(option))
		return 0;
	count = list->count / row_items(option);
	if (count >= option->minimum && (option->maximum == 0 || count <= option->maximum))
		return 0;
	conf_value_allowed(option, allowed);
	problem_set(problem, "%s has %zu %s; allowed: %s", option->name, count,
		    option->type == CONF_PAIRS ? "rows" : option->type == CONF_SECTIONS ? "sections" : "items", allowed);
	return -EINVAL;
}

static void print_quoted(const char *text, FILE *out)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

static void print_list(const struct conf_list *list, FILE *out)
{
	fputs("{", out);
	for (size_t i = 0; i < list->count; i++) {
		fputs(i ? ", " : " ", out);
		print_quoted(list->items[i], out);
	}
	fputs(list->count ? " }" : "}", out);
}

static void print_pairs(const struct conf_list *list, FILE *out)
{
	fputs("{", out);
	for (size_t i = 0; i + 1 < list->count; i += 2) {
		fputc(' ', out);
		print_quoted(list->items[i], out);
		fputs(" = ", out);
		print_quoted(list->items[i + 1], out);
	}
	fputs(list->count ? " }" : "}", out);
}

void conf_value_print(const struct conf_option *option, const void *values, FILE *out)
{
	const void *place = read_place_of(option, values);

	switch (option->type) {
	case CONF_TEXT:
	case CONF_PATH: print_quoted(*(char *const *)place, out); break;
	case CONF_NUMBER:
	case CONF_SIZE:
	case CONF_DURATION: print_number(option, *(const uint64_t *)place, out); break;
	case CONF_BOOL: fputs(*(const bool *)place ? "yes" : "no", out); break;
	case CONF_CHOICE: {
		struct text word = choice_at(option->choices, *(const int *)place);

		fprintf(out, "%.*s", TEXT_ARGS(word));
		break;
	}
	case CONF_LIST:
	case CONF_SECTIONS: print_list(place, out); break;
	case CONF_PAIRS: print_pairs(place, out); break;
	}
}

static bool lists_equal(const struct conf_list *a, const struct conf_list *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}

bool conf_value_equal(const struct conf_option *option, const void *a, const void *b)
{
	const void *one = read_place_of(option, a), *other = read_place_of(option, b);

	switch (option->type) {
	case CONF_TEXT:
	case CONF_PATH: return strcmp(*(char *const *)one, *(char *const *)other) == 0;
	case CONF_NUMBER:
	case CONF_SIZE:
	case CONF_DURATION: return *(const uint64_t *)one == *(const uint64_t *)other;
	case CONF_BOOL: return *(const bool *)one == *(const bool *)other;
	case CONF_CHOICE: return *(const int *)one == *(const int *)other;
	case CONF_LIST:
	case CONF_PAIRS:
	case CONF_SECTIONS: return lists_equal(one, other);
	}
	return false;
}
