/*
 * problem.h - a failure in words for a person: what, where, what is allowed.
 *
 * The caller owns the struct and passes it down; whoever fails fills it once.
 * The program prints it once, where it decides what to do.
 */
#ifndef SMTPTRAIL_PROBLEM_H
#define SMTPTRAIL_PROBLEM_H

struct problem {
	char text[512];		/* one line, terminated, without a line end; empty: no problem */
};

/* Fills problem (which may be NULL) like printf; what does not fit is cut. */
__attribute__((format(printf, 2, 3)))
void problem_set(struct problem *problem, const char *format, ...);

#endif
