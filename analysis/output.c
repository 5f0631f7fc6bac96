/* output.c - what the terminal and the environment say of it. */
#include "analysis/output.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static size_t width_of(FILE *file)
{
	struct winsize window;
	const char *columns = getenv("COLUMNS");
	unsigned long number = columns ? strtoul(columns, NULL, 10) : 0;

	if (!isatty(fileno(file)))
		return 0;
	if (ioctl(fileno(file), TIOCGWINSZ, &window) == 0 && window.ws_col)
		return window.ws_col;
	return number >= 20 && number <= 10000 ? number : 80;
}

static bool is_coloured(FILE *file, const char *colour)
{
	const char *never = getenv("NO_COLOR");

	if (strcmp(colour, "always") == 0)
		return true;
	return strcmp(colour, "never") != 0 && !(never && *never) && isatty(fileno(file));
}

/* Of the person's locale, which the program itself does not go by. */
static bool is_ascii(void)
{
	locale_t theirs = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
	bool is_utf8 = theirs && strcmp(nl_langinfo_l(CODESET, theirs), "UTF-8") == 0;

	if (theirs)
		freelocale(theirs);
	return !is_utf8;
}

void output_page_init(struct output_page *page, FILE *file, const char *verb, const char *colour)
{
	*page = (struct output_page){
		.file = file, .width = width_of(file), .is_coloured = is_coloured(file, colour), .is_ascii = is_ascii(),
		.verb = verb, .query = "",
	};
}
