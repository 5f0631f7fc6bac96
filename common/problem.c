/* problem.c - a failure in words for a person. */
#include "problem.h"

#include <stdarg.h>
#include <stdio.h>

void problem_set(struct problem *problem, const char *format, ...)
{
	va_list arguments;

	if (!problem)
		return;
	va_start(arguments, format);
	(void)vsnprintf(problem->text, sizeof problem->text, format, arguments);
	va_end(arguments);
	/* A file name or a server's reply may hold line ends. */
	for (char *byte = problem->text; *byte; byte++)
		if ((unsigned char)*byte < ' ' || *byte == 0x7f)
			*byte = '?';
}
