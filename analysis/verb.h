/*
 * verb.h - a verb of smtptrail: one file verb_NAME.c that exports one struct verb.
 *
 * The table of verbs is made from the names of those files (analysis/local.mk); what a person types is
 * its member name, so verb_check_auth.c holds check-auth.
 */
#ifndef SMTPTRAIL_VERB_H
#define SMTPTRAIL_VERB_H

/* Exit status of every verb. */
enum verb_exit {
	EXIT_FOUND = 0,		/* found, healthy, done */
	EXIT_NOTHING = 1,	/* nothing found, or findings where the verb looks for them */
	EXIT_USAGE = 2,		/* usage or input error */
};

struct verb {
	const char *name;
	const char *summary;		/* half a line, for the list of verbs */
	const char *arguments;		/* for the usage line, such as "[--json] DIRECTORY" */
	const char *help;		/* what --help prints below the usage line: options, then examples */
	/* argv[0] is the verb. --help has been answered already. */
	int (*run)(int argc, char **argv);
};

/* Prints "smtptrail VERB: what is wrong" and where to look; gives EXIT_USAGE. */
__attribute__((format(printf, 2, 3)))
int verb_usage_error(const struct verb *verb, const char *format, ...);

/* The same for the option that getopt_long has just refused. */
int verb_option_error(const struct verb *verb);

#endif
