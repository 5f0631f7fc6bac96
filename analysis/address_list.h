/*
 * address_list.h - a list of mail addresses as logs write them: "<a@b>,<c@d>", "a@b;c@d", "a@b c@d".
 *
 * What separates them does not count inside quotation marks and angle brackets; one of these that is never closed goes to
 * the end.
 *
 * Threads: any; no state.  Memory: addresses borrow from the list.
 */
#ifndef SMTPTRAIL_ADDRESS_LIST_H
#define SMTPTRAIL_ADDRESS_LIST_H

#include "common/text.h"

/* Takes the next address off, without its brackets. Absent: there is none. "<>" is an empty one. */
struct text address_list_next(struct text *list);
/* From the begin of an address to its first comma, semicolon or blank. */
size_t address_list_length(struct text list);
/* "<a@b>" without its brackets; any other text as it is. */
struct text address_without_brackets(struct text address);

#endif
