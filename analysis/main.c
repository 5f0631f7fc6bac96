/* main.c - smtptrail: the table of verbs, and what is common to them. */
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "analysis/verb.h"

#define VERB(name) extern const struct verb verb_##name;
#include "analysis/verbs.inc"
#undef VERB

static const struct verb *const verbs[] = {
#define VERB(name) &verb_##name,
#include "analysis/verbs.inc"
#undef VERB
};
enum { VERB_COUNT = sizeof verbs / sizeof verbs[0] };

int verb_usage_error(const struct verb *verb, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "smtptrail %s: ", verb->name);
	va_start(arguments, format);
	(void)vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "; see smtptrail %s --help\n", verb->name);
	return EXIT_USAGE;
}

static char *const *verb_words;	/* of the command line; getopt_long may put them in another order */

int verb_option_error(const struct verb *verb)
{
	return verb_usage_error(verb, "the option '%s' is unknown, or lacks its value or has one too many", verb_words[optind - 1]);
}

static void print_help(FILE *out)
{
	fprintf(out, "usage: smtptrail VERB [options]\n\nverbs:\n");
	for (int i = 0; i < VERB_COUNT; i++)
		fprintf(out, "  %-12s %s\n", verbs[i]->name, verbs[i]->summary);
	fprintf(out, "\nsmtptrail VERB --help says more of each; smtptrail --version prints the version.\n");
}

static void print_verb_help(const struct verb *verb)
{
	printf("usage: smtptrail %s%s%s\n\n%s.\n\n%s", verb->name, verb->arguments[0] ? " " : "", verb->arguments,
	       verb->summary, verb->help);
}

static const struct verb *find_verb(const char *name)
{
	for (int i = 0; i < VERB_COUNT; i++)
		if (strcmp(verbs[i]->name, name) == 0)
			return verbs[i];
	return NULL;
}

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static bool wants_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (is_help(argv[i]))
			return true;
	return false;
}

/* A full disk or a closed pipe must not look like success. */
static int finish_output(int status)
{
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("smtptrail: cannot write to standard output");
		return EXIT_USAGE;
	}
	return status;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (is_help(argv[1]) || (strcmp(argv[1], "help") == 0 && argc == 2)) {
		print_help(stdout);
		return finish_output(EXIT_FOUND);
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("smtptrail %s\n", PACKAGE_VERSION);
		return finish_output(EXIT_FOUND);
	}
	bool asks_help = strcmp(argv[1], "help") == 0;
	const char *name = asks_help ? argv[2] : argv[1];
	const struct verb *verb = find_verb(name);

	if (!verb) {
		fprintf(stderr, "smtptrail: no verb '%s'; smtptrail --help lists them\n", name);
		return EXIT_USAGE;
	}
	if (asks_help || wants_help(argc - 1, argv + 1)) {
		print_verb_help(verb);
		return finish_output(EXIT_FOUND);
	}
	verb_words = argv + 1;
	return finish_output(verb->run(argc - 1, argv + 1));
}
