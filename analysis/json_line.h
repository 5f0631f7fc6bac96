/*
 * json_line.h - logs whose records are JSON objects: their members, by names that the format has in a table.
 *
 * A record may go over several lines, and stand in an array or in the member of another object ("value", "d", "results").
 *
 * Threads: one owner at a time, that of the lines.
 * Memory:  a value borrows from the record, or, where it had escapes, from own_keep.
 * Limits:  JSON_LINE_MAX bytes a record.
 */
#ifndef SMTPTRAIL_JSON_LINE_H
#define SMTPTRAIL_JSON_LINE_H

#include "analysis/json_scan.h"
#include "analysis/own_lines.h"

enum { JSON_LINE_MAX = 64 * 1024 };

/* A string as it is meant; a number or word as it is written; null: absent; an object or array: all of it. */
struct text json_line_value(struct own_lines *own, const struct json_value *value);

/* Fills values[i] with the member that is called names[i] ("a.b": b of the object a), absent where there is none; of
 * two the first. False: the text is no object, or not well-formed. */
bool json_line_read(struct own_lines *own, struct text text, const char *const *names, unsigned count, struct text *values);

/* Puts objects together out of the lines that they go over; zero at first. */
struct json_gather {
	struct text rest;		/* of the line, behind the object */
	unsigned depth;
	bool in_string, in_escape;
	bool is_over;			/* too long: given up to its end */
	size_t length;
	char bytes[JSON_LINE_MAX];
};

/* The next object that ends in this line; false: none does. Feed the line once, then TEXT_NONE for the next object of it.
 * An object whose member "value", "d" or "results" is an array or object is looked into. */
bool json_gather_next(struct json_gather *gather, struct text line, struct text *ret_object);

#endif
