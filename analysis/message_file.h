/*
 * message_file.h - a stored mail as it passed the MTA: header fields and a body, with CR LF at line ends.
 *
 * A file with LF alone is read as one with CR LF, since that is what was signed. A line "From ..." at the
 * begin, of an mbox, is passed over; a line that is no header field ends the header, as in MTAs.
 *
 * Threads: one owner.
 * Memory:  the whole message, twice while it is read; texts are lent until message_file_close.
 * Limits:  MESSAGE_FILE_MAX bytes as stored.
 * Errors:  -errno, with words; -EFBIG beyond the limit.
 */
#ifndef SMTPTRAIL_MESSAGE_FILE_H
#define SMTPTRAIL_MESSAGE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/problem.h"
#include "common/text.h"

#define MESSAGE_FILE_MAX (64 * 1024 * 1024)

struct message_file {
	char *bytes;
	struct text rest;		/* of the header, not read yet; then the body */
};

/* Path "-" is standard input. */
int message_file_open(struct message_file *file, const char *path, struct problem *problem);
/* From memory; stored is copied. -ENOMEM. */
int message_file_take(struct message_file *file, struct text stored);
void message_file_close(struct message_file *file);

/* The next header field: its value is what stands behind the colon, without the line end at its end.
 * False: the header is over, and message_file_body tells the rest. */
bool message_file_next_field(struct message_file *file, struct text *ret_name, struct text *ret_value);
/* After the last field. */
struct text message_file_body(const struct message_file *file);

#endif
