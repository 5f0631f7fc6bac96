/*
 * mime.h - what a message is made of: its parts, the names and types of its attachments.
 *
 * Fed with the message's own Content-* fields, then with its body in chunks cut anywhere; the
 * result does not depend on the cuts. It keeps boundaries and names, never content. A part is a
 * piece that holds content: neither a multipart nor a message/rfc822, whose own parts count.
 *
 * Threads: one owner at a time.
 * Memory:  the struct (about 10 KiB); names go into the arena that the caller gives.
 * Limits:  parts and attachments as asked; beyond, parts are still counted, but not looked into.
 *          MIME_DEPTH_MAX multiparts inside each other; a deeper one counts as one part. Boundaries,
 *          lines and fields of the sizes below; a longer boundary is taken as none.
 */
#ifndef SMTPTRAIL_MILTER_MIME_H
#define SMTPTRAIL_MILTER_MIME_H

#include <stdint.h>

#include "arena.h"

#define MIME_DEPTH_MAX 16
#define MIME_BOUNDARY_MAX 128
#define MIME_LINE_MAX 2048
#define MIME_FIELD_MAX 4096
#define MIME_TYPE_MAX 128
#define MIME_NAME_MAX 512
#define MIME_NAMES_BYTES 4000		/* of all names, and of all types: twice that fits in a list */

struct mime_attachment {
	struct mime_attachment *next;
	struct text name, type;
};

/* One message or part, while its header passes. */
struct mime_entity {
	bool is_encoded;		/* base64 or quoted-printable: no structure can be seen inside */
	bool has_name, name_is_final;	/* final: from Content-Disposition, which goes first */
	size_t type_length, boundary_length, name_length;
	char type[MIME_TYPE_MAX];
	char boundary[MIME_BOUNDARY_MAX];
	char name[MIME_NAME_MAX];
};

struct mime_level {
	bool is_digest;			/* its parts are messages where they do not say otherwise */
	size_t length;
	char boundary[MIME_BOUNDARY_MAX];
};

struct mime {
	/* results */
	uint64_t parts;
	struct mime_attachment *first, *last;	/* in order */
	uint64_t attachments;
	bool parts_limited, attachments_limited, names_cut;
	struct text type;		/* of the message; text/plain where it does not say */

	/* the work */
	uint64_t max_parts, max_attachments;
	struct arena *arena;
	size_t names_bytes, types_bytes;
	bool body_begun, in_header, is_skipping, default_is_message;
	size_t depth;
	struct mime_level levels[MIME_DEPTH_MAX];
	struct mime_entity entity;
	size_t line_length, field_length;
	bool line_is_long;
	char line[MIME_LINE_MAX];
	char field[MIME_FIELD_MAX];
};

void mime_init(struct mime *mime, struct arena *arena, uint64_t max_parts, uint64_t max_attachments);
/* A header field of the message itself. */
void mime_header(struct mime *mime, struct text name, struct text value);
void mime_body(struct mime *mime, struct text chunk);
/* The message ends; the results stand. */
void mime_finish(struct mime *mime);

#endif
