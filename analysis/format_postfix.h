/*
 * format_postfix.h - a switch for those who hold the kinds read by hand (postfix_fast.h) against the table.
 *
 * Threads: to be set before any line is read.
 */
#ifndef SMTPTRAIL_FORMAT_POSTFIX_H
#define SMTPTRAIL_FORMAT_POSTFIX_H

#include <stdbool.h>

void format_postfix_only_table(bool is_only);

#endif
