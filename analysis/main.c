/* main.c - smtptrail: the table of verbs, and what is common to them. */
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "analysis/verb.h"
#include "common/escape.h"
#include "common/near.h"

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
	char words[4096];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(words, sizeof words, format, arguments);
	va_end(arguments);
	fprintf(stderr, "smtptrail %s: ", verb->name);
	escape_terminal(text_of(words), stderr);	/* the words of a command line may be somebody else's */
	fprintf(stderr, "; see smtptrail %s --help\n", verb->name);
	return EXIT_USAGE;
}

static char *const *verb_words;	/* of the command line; getopt_long may put them in another order */

enum { OPTION_SIZE = 40 };

/* The next "--word" of a text. NULL: there is none. */
static const char *next_option(const char *text, char ret_option[OPTION_SIZE])
{
	const char *at = strstr(text, "--");
	size_t length = at ? 2 + strspn(at + 2, "abcdefghijklmnopqrstuvwxyz0123456789-") : 0;

	(void)snprintf(ret_option, OPTION_SIZE, "%.*s", (int)length, at ? at : "");
	return at ? at + length : NULL;
}

/* Of those that the verb's help names the one that is nearest. */
static bool find_near_option(const struct verb *verb, const char *word, char ret_option[OPTION_SIZE])
{
	const char *const texts[] = { verb->arguments, verb->help };
	unsigned least = NEAR_LENGTH_MAX;
	bool is_found = false;

	for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		const char *at = texts[i];
		char option[OPTION_SIZE];

		while ((at = next_option(at, option))) {
			struct near near;

			near_begin(&near, word);
			near_offer(&near, option);
			if (!near.name || near.slips >= least)
				continue;
			least = near.slips;
			is_found = true;
			memcpy(ret_option, option, OPTION_SIZE);
		}
	}
	return is_found;
}

int verb_option_error(const struct verb *verb)
{
	const char *word = verb_words[optind - 1];
	size_t length = strcspn(word, "=");
	char name[OPTION_SIZE], near[OPTION_SIZE];

	(void)snprintf(name, sizeof name, "%.*s", (int)length, word);
	if (!find_near_option(verb, name, near))
		return verb_usage_error(verb, "no option '%s'", word);
	if (strcmp(name, near) != 0)
		return verb_usage_error(verb, "no option '%s' (perhaps '%s')", word, near);
	return verb_usage_error(verb, word[length] ? "the option '%s' takes no value" : "the option '%s' wants a value", name);
}

static void say_no_verb(const char *name)
{
	struct near near;

	near_begin(&near, name);
	for (int i = 0; i < VERB_COUNT; i++)
		near_offer(&near, verbs[i]->name);
	fprintf(stderr, "smtptrail: no verb '");
	escape_terminal(text_of(name), stderr);
	if (near.name)
		fprintf(stderr, "'; perhaps '%s'?\n", near.name);
	else
		fprintf(stderr, "'; smtptrail --help lists them\n");
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
		say_no_verb(name);
		return EXIT_USAGE;
	}
	if (asks_help || wants_help(argc - 1, argv + 1)) {
		print_verb_help(verb);
		return finish_output(EXIT_FOUND);
	}
	verb_words = argv + 1;
	return finish_output(verb->run(argc - 1, argv + 1));
}
