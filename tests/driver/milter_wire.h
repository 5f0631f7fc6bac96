/*
 * milter_wire.h - the milter protocol from the MTA's side: frames, negotiation, macro lists.
 *
 * A frame is four bytes of length, one of command, and the rest. The numbers and letters are
 * those of libmilter/mfdef.h; what the milter asked for is kept in wire_terms and obeyed.
 *
 * Threads: one. Memory: wire_bytes grows as needed and ends the program when there is none left.
 */
#ifndef SMTPTRAIL_MILTER_WIRE_H
#define SMTPTRAIL_MILTER_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/text.h"

#define WIRE_VERSION 6
#define WIRE_ACTIONS 0x1ffu		/* what Postfix 3.7 and Sendmail 8.17 offer: everything */
#define WIRE_STEPS 0x1fffffu
#define WIRE_MACROS 64			/* distinct macro names in one run */
#define WIRE_REPLY_MAX (1024 * 1024)

/* Bytes that are written at the end and taken from the front. */
struct wire_bytes {
	unsigned char *start;
	size_t length, capacity;
};
void wire_add(struct wire_bytes *bytes, const void *start, size_t length);
void wire_add_string(struct wire_bytes *bytes, struct text text);	/* and a NUL */
void wire_drop(struct wire_bytes *bytes, size_t length);		/* from the front */
void wire_free(struct wire_bytes *bytes);
struct text wire_text(const struct wire_bytes *bytes);

/* A frame around what is added between the two calls. */
size_t wire_frame_begin(struct wire_bytes *out, char command);
void wire_frame_end(struct wire_bytes *out, size_t begin);
void wire_frame(struct wire_bytes *out, char command, struct text payload);
/* A frame that lies about its length. */
void wire_frame_lying(struct wire_bytes *out, uint32_t length, char command, struct text payload);

/* Looks at the first frame of in: 1 (its bytes lie there until wire_drop of *ret_size), 0: not
 * all of it is there yet, -EBADMSG: no frame. */
int wire_frame_peek(const struct wire_bytes *in, char *ret_command, struct text *ret_payload,
		    size_t *ret_size);

/* Where macros are defined; the numbers of smfi_setsymlist. */
enum wire_place {
	WIRE_PLACE_CONNECT, WIRE_PLACE_HELO, WIRE_PLACE_MAIL, WIRE_PLACE_RCPT, WIRE_PLACE_DATA,
	WIRE_PLACE_EOM, WIRE_PLACE_EOH, WIRE_PLACE_NONE
};

/* A macro's name, with its braces where it has more than one letter, to its number and back. */
unsigned wire_macro(struct text name);
const char *wire_macro_name(unsigned macro);

struct wire_list {
	unsigned char macros[WIRE_MACROS];
	unsigned count;
};
/* Names separated by blanks. */
void wire_list_read(struct wire_list *ret_list, struct text names);

/* What was negotiated. */
struct wire_terms {
	uint32_t version, actions, steps;
	bool is_asked[WIRE_PLACE_NONE];			/* the milter sent a list for it */
	struct wire_list lists[WIRE_PLACE_NONE];
};
void wire_offer(struct wire_bytes *out, uint32_t version, uint32_t actions, uint32_t steps);
/* Reads the milter's answer. 0, or -EBADMSG. */
int wire_terms_read(struct wire_terms *ret_terms, struct text payload);
bool wire_is_replied(const struct wire_terms *terms, char command);
/* False: the milter asked not to be sent this. */
bool wire_is_sent(const struct wire_terms *terms, char command);

/* Opens unix:PATH or inet:PORT@HOST. The socket, or a negative errno; -EAGAIN: try again. */
int wire_connect(const char *address);

#endif
