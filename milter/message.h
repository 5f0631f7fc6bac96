/*
 * message.h - what passes as headers and body of one message: counted, chosen, taken apart.
 *
 * The configuration says of each header field whether its value is kept, hashed with a key, or
 * dropped; all fields are counted. The body is counted and its structure read; it is never kept.
 *
 * Threads: one owner at a time.
 * Memory:  message_new to message_free; about 12 KiB, and at most MESSAGE_MEMORY_MAX for values.
 *          The configuration is borrowed and must outlive the message.
 * Limits:  max_headers and max_header_bytes looked at, max_header_value of a value kept, max_parts and
 *          max_attachments; what was reached is named in the record. Counts go on.
 * Errors:  a value that finds no memory is left out and its field named as cut.
 */
#ifndef SMTPTRAIL_MILTER_MESSAGE_H
#define SMTPTRAIL_MILTER_MESSAGE_H

#include "common/address.h"
#include "common/record.h"
#include "config.h"

#define MESSAGE_MEMORY_MAX (96 * 1024)

struct message;

/* NULL: no memory. */
struct message *message_new(const struct config *config);
void message_free(struct message *message);

void message_header(struct message *message, struct text name, struct text value);
void message_body(struct message *message, struct text chunk);
/* Bytes so far, headers and body. */
uint64_t message_size(const struct message *message);
/* Whom the From: fields name; lent until message_free. */
const struct address_list *message_from(const struct message *message);
/* The fields of a header record, and of an eom record; the latter ends the message. */
void message_fill_header(const struct message *message, struct record *record);
void message_fill_eom(struct message *message, struct record *record);
/* The Message-ID that the MTA gave a message which came without one; absent: it tells none. */
void message_name(struct message *message, struct text message_id, struct record *record);

#endif
