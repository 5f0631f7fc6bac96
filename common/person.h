/*
 * person.h - one person as texts name them: a mail address in all its forms, and login names.
 *
 * An address is found in any letter case (ASCII); with a tag behind its local part (joe+shop@example.com), where a delimiter
 * says so; with its + and = as xtext (joe+2Bshop@..., RFC 3461); and where a bounce address carries it (VERP:
 * list+joe=example.com@lists.example). It is not found inside another's: bigjoe@example.com, joe@example.company.
 *
 * Threads: any; no state.
 * Memory:  borrows all that it is given; what is found lends from the text.
 * Limits:  a tag of PERSON_TAG_MAX bytes.
 */
#ifndef SMTPTRAIL_PERSON_H
#define SMTPTRAIL_PERSON_H

#include "text.h"

enum { PERSON_TAG_MAX = 255 };

struct person {
	struct text address;		/* LOCAL@DOMAIN, neither of them empty */
	struct text delimiters;		/* each byte of it begins a tag; empty: there are no tags */
	const struct text *logins;	/* names that are the person wherever they are a whole value */
	size_t login_count;
};

/* Whether it is LOCAL@DOMAIN. */
bool person_is_address(struct text address);
/* The first place in the text that is the address; absent: there is none. */
struct text person_find(const struct person *person, struct text text);
/* Whether the text as a whole is the address, or a login name. */
bool person_is(const struct person *person, struct text text);
bool person_is_login(const struct person *person, struct text text);
/* Whether a login name stands in the text as a word, which need not mean the person. */
bool person_has_word(const struct person *person, struct text text);

/* Whether a field of a record, by its number, is a person's name as a whole: where logins count. */
bool person_is_named_by(unsigned field);

#endif
