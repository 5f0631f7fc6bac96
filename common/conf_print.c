/* conf_print.c - the sample file and the manual page's list, from the table of options. */
#include <string.h>

#include "conf_value.h"
#include "text.h"

enum { WIDTH = 96 };

/* The text between two blanks; false after the last. */
static bool next_word(const char **rest, struct text *ret_word)
{
	*rest += strspn(*rest, " ");
	*ret_word = (struct text){ *rest, strcspn(*rest, " ") };
	*rest += ret_word->length;
	return ret_word->length > 0;
}

/* What stands between an option's name and its value. */
static const char *sign_of(const struct conf_option *option)
{
	return option->type == CONF_PAIRS || option->type == CONF_SECTIONS ? "" : "= ";
}

static void print_wrapped(const char *text, FILE *out)
{
	size_t column = 0;
	struct text word;

	while (next_word(&text, &word)) {
		if (column && column + 1 + word.length > WIDTH) {
			fputc('\n', out);
			column = 0;
		}
		if (column == 0)
			column = (size_t)fprintf(out, "#");
		column += (size_t)fprintf(out, " %.*s", TEXT_ARGS(word));
	}
	fputc('\n', out);
}

static bool is_quoted(enum conf_type type)
{
	return type == CONF_TEXT || type == CONF_PATH;
}

/* The default as it stands in a file. */
static void print_initial(const struct conf_option *option, FILE *out)
{
	if (option->type == CONF_SECTIONS)
		fputs(option->initial, out);
	else if (conf_value_is_list(option))
		fprintf(out, option->initial[0] ? "{ %s }" : "{%s}", option->initial);
	else
		fprintf(out, is_quoted(option->type) ? "\"%s\"" : "%s", option->initial);
}

void conf_print_sample(const struct conf_option *options, FILE *out)
{
	char allowed[CONF_ALLOWED_SIZE];

	fprintf(out,
		"# Every option, with its default. Take the # away from a line to change it.\n"
		"# The form is NAME = VALUE, a list is { VALUE, VALUE }, and += adds to a list's default. A value that\n"
		"# holds blanks or signs stands in \"quotes\", with \\\" and \\\\ for these two. Each option may stand once,\n"
		"# but for sections NAME \"TITLE\" { ... }, each title once.\n"
		"# Sizes are 64K, 4M, 1G; durations 500ms, 2s, 15min, 2h, 7d. The environment is not read, and there is\n"
		"# no include. \"(reload)\" marks what a running program takes over when it is told to reload.\n");
	for (; options->name; options++) {
		if (options->section)
			fprintf(out, "\n# ---- %s ----\n", options->section);
		fputc('\n', out);
		print_wrapped(options->meaning, out);
		conf_value_allowed(options, allowed);
		fprintf(out, "# Allowed: %s.%s\n", allowed, options->can_reload ? " (reload)" : "");
		fprintf(out, "#%s %s", options->name, sign_of(options));
		print_initial(options, out);
		fputc('\n', out);
	}
}

/* Makes text plain for man: no escapes, no hyphens of the typesetter. */
static void print_plain(const char *text, FILE *out)
{
	for (; *text; text++)
		switch (*text) {
		case '\\': fputs("\\e", out); break;
		case '-': fputs("\\-", out); break;
		case '"': fputs("\\(dq", out); break;
		case '\'': fputs("\\(aq", out); break;
		case '~': fputs("\\(ti", out); break;
		case '^': fputs("\\(ha", out); break;
		default: fputc(*text, out);
		}
}

static void print_manual_option(const struct conf_option *option, FILE *out)
{
	char allowed[CONF_ALLOWED_SIZE], initial[1024] = "";
	FILE *memory = fmemopen(initial, sizeof initial, "w");

	if (memory) {
		print_initial(option, memory);
		(void)fclose(memory);
	}
	conf_value_allowed(option, allowed);
	fprintf(out, ".TP\n\\fB%s\\fR %s", option->name, sign_of(option));
	print_plain(initial, out);
	fputc('\n', out);
	/* Nothing that begins a line may look like a request. */
	fputs("\\&", out);
	print_plain(option->meaning, out);
	fputs("\n.br\nAllowed: ", out);
	print_plain(allowed, out);
	fprintf(out, ".%s\n", option->can_reload ? " Taken over by a reload." : "");
}

void conf_print_manual(const struct conf_option *options, FILE *out)
{
	for (; options->name; options++) {
		if (options->section) {
			fputs(".SS ", out);
			print_plain(options->section, out);
			fputc('\n', out);
		}
		print_manual_option(options, out);
	}
}
