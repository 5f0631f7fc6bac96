/*
 * frame.h - what stands around a log message: time, host, process; in whatever frame it comes.
 *
 * RFC 3164 in its variants (with or without priority, host, pid; Solaris ids), RFC 3339 stamps,
 * RFC 5424, journald (-o json, -o export), docker's JSON, the prefixes of compose and Kubernetes, syslog in syslog
 * (time of the outer, host and process of the inner), bare messages; and notices that a line was repeated.
 * Each line is tried in the form of the line before first, so a file may change its form.
 *
 * Threads: one owner at a time.
 * Memory:  a frame borrows from its line, or from the reader until its next call. Where the owner sets lines_stay, the
 *          reader may go on to point into lines until frame_hold.
 * Limits:  an entry of journald keeps FRAME_ENTRY_MAX bytes of what is read of it; the last message
 *          of FRAME_HOSTS_MAX hosts is kept for "last message repeated".
 */
#ifndef SMTPTRAIL_FRAME_H
#define SMTPTRAIL_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "analysis/stamp.h"
#include "common/text.h"

enum { FRAME_ENTRY_MAX = 64 * 1024, FRAME_HOSTS_MAX = 16, FRAME_REPEATED_MAX = 8 * 1024 };

enum frame_form { FRAME_BARE, FRAME_SYSLOG, FRAME_RFC5424, FRAME_JSON, FRAME_EXPORT, FRAME_OWN };

struct frame {
	struct text host;	/* absent where the line tells none */
	struct text process;	/* the tag, as "postfix/smtpd" */
	struct text pid;
	struct text message;
	int64_t time_us;	/* UTC */
	uint64_t repeated;	/* a notice: this message came so many times more; else 0 */
	enum frame_form form;
	bool has_time;
	bool is_message_known;	/* false: "last message repeated", of which there is none */
};

struct frame_memory;

struct frame_reader {
	struct stamp_reader stamps;
	enum frame_form form;		/* of the line before */
	bool lines_stay;		/* until the owner calls frame_hold */
	bool no_shortcut;		/* for those who hold the short way against the long one */
	struct frame_memory *memory;
};

int frame_init(struct frame_reader *reader);	/* 0 or -ENOMEM */
void frame_done(struct frame_reader *reader);

/* A new file begins; year and file_us as of stamp_start. */
void frame_start(struct frame_reader *reader, int year, int64_t file_us);

/* Reads a line, which has no line end. False: it gives no message of its own (empty, or part of
 * an entry that goes on). */
bool frame_read(struct frame_reader *reader, struct text line, struct frame *ret_frame);
/* Whether parts of the frame may lie with the reader, and not in the line. */
static inline bool frame_is_with_reader(const struct frame *frame)
{
	return frame->form == FRAME_JSON || frame->form == FRAME_EXPORT || frame->repeated;
}
/* Copies what is still needed of the lines so far: they go. */
void frame_hold(struct frame_reader *reader);
/* The file has ended: what is left of an entry. */
bool frame_finish(struct frame_reader *reader, struct frame *ret_frame);

/* For frame.c and frame_journald.c. */
bool frame_read_syslog(struct frame_reader *reader, struct text line, struct frame *frame);
bool frame_is_export(const struct frame_reader *reader, struct text line);
bool frame_read_export(struct frame_reader *reader, struct text line, struct frame *frame);
bool frame_read_json(struct frame_reader *reader, struct text line, struct frame *frame);

/* What a reader keeps between lines. */
struct frame_memory {
	char entry[FRAME_ENTRY_MAX];	/* values of a journald entry */
	size_t entry_length;
	struct frame entry_frame;
	bool in_entry;
	bool wants_size, wants_value;	/* a binary field of an export */
	unsigned size_bytes;		/* of the size, that have come */
	uint64_t value_left, value_size;
	struct text value;
	char name[64];
	/* What the line before began with: its stamp, which is the one that stamps has kept, and its host, each with a blank
	 * behind it. Length 0: none. */
	char head[64];
	size_t head_length, head_host;
	unsigned host_turn;
	struct frame_last *recent;	/* of the line before; NULL: none */
	struct frame_last {
		struct text host, process, pid, message;	/* message of length 0: none */
		bool is_plain;		/* the host can be nothing but a host */
		struct text rest;	/* of a later line, that stays: what is behind its host; absent: the parts count */
		char host_bytes[64], process_bytes[64], pid_bytes[16], message_bytes[FRAME_REPEATED_MAX];
	} last[FRAME_HOSTS_MAX];
};

#endif
