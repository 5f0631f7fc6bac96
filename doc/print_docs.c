/*
 * print_docs.c - the sample file and the manual page of one program's options.
 *
 * Built once for each program, with that program's config.c:
 *     print_docs sample                     the sample configuration
 *     print_docs manual < PAGE.5.in         the page, with the list of options where @OPTIONS@ stands
 */
#include <stdio.h>
#include <string.h>

#include "common/conf.h"

extern const struct conf_option config_options[];

static int print_manual(void)
{
	char line[4096];
	bool found = false;

	while (fgets(line, sizeof line, stdin))
		if (strcmp(line, "@OPTIONS@\n") == 0) {
			conf_print_manual(config_options, stdout);
			found = true;
		} else {
			fputs(line, stdout);
		}
	return found ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "manual") == 0)
		return print_manual();
	if (argc == 2 && strcmp(argv[1], "sample") == 0) {
		conf_print_sample(config_options, stdout);
		return 0;
	}
	fprintf(stderr, "usage: %s sample | manual < PAGE.in\n", argv[0]);
	return 2;
}
