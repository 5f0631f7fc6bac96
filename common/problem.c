/* problem.c - a failure in words for a person. */
#include "problem.h"

#include <stdarg.h>
#include <stdio.h>

#include "escape.h"

void problem_set(struct problem *problem, const char *format, ...)
{
	va_list arguments;

	if (!problem)
		return;
	va_start(arguments, format);
	(void)vsnprintf(problem->text, sizeof problem->text, format, arguments);
	va_end(arguments);
	/* A file name or a server's reply may hold anything. */
	escape_mask(problem->text);
}
