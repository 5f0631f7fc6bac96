/*
 * json_scan.h - members of a JSON object one after the other, without a tree of them: log lines in JSON are read at the
 * speed of other lines (jansson builds its tree at 65 MB/s). What it takes is what jansson takes (RFC 8259), duplicates too.
 *
 * Threads: one owner at a time; no state beside the scan.
 * Memory:  names and values borrow from the text.
 * Limits:  JSON_DEPTH_MAX objects and arrays one in the other.
 */
#ifndef SMTPTRAIL_JSON_SCAN_H
#define SMTPTRAIL_JSON_SCAN_H

#include <stdbool.h>

#include "common/text.h"

enum { JSON_DEPTH_MAX = 64 };

enum json_scan_type { SCAN_STRING, SCAN_NUMBER, SCAN_WORD, SCAN_NULL, SCAN_OBJECT, SCAN_ARRAY };

struct json_scan {
	const char *at, *end;
	bool is_object, has_begun, is_bad;
};

struct json_value {
	enum json_scan_type type;
	bool has_escapes;		/* of a string */
	struct text text;		/* of a string what is between its quotes; of an object or array all of it */
};

/* Begins with an object or an array, blanks around it. False: the text is none. */
bool json_scan_begin(struct json_scan *scan, struct text text);
/* The next member of an object, or element of an array (whose name is absent). False: there is none, or is_bad. */
bool json_scan_next(struct json_scan *scan, struct text *ret_name, struct json_value *ret_value);
/* Whether nothing follows the object or array; after the last member. */
bool json_scan_is_whole(const struct json_scan *scan);

/* What a string with escapes means, into a buffer of at least its length. Returns the length. */
size_t json_scan_unescape(struct text text, char *buffer);

#endif
