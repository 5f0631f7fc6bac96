/*
 * query.h - the one language in which people ask: for watch, search, report, audit and export.
 *
 *     from:*@example.com dmarc:fail client:192.0.2.0/24 since:2h -to:postmaster@*
 *
 * Terms one behind the other must all hold; OR between two, - or NOT in front of one, parentheses. A term is
 *
 *     field:value       the whole value; * stands for any bytes, ? for one; upper and lower case are the same
 *     field:            (or field:"") known to be empty; field:* known
 *                       of a list: any of its items, and "in quotes" the whole
 *     level.field:value the same of one level alone: attempt.reply_code:450
 *     field:/regex/     PCRE2, anywhere in the value; /regex/i
 *     field:192.0.2.0/24   of an address: a network
 *     field:>1M         of a number, size, duration or time: > >= < <= or low..high, both included
 *     word              anywhere in the fields that query_fields.def names; /regex/ likewise
 *     @name             a query of the configuration
 *
 * "double quotes" keep blanks and all else; \ in them keeps the next byte. The fields are the names of
 * transaction.def and those of query_fields.def. What a field asks is asked of a row: a recipient with its message and
 * session, or a session without messages. Where a row has the field several times (checks, attempts), one is enough;
 * a negated term says that none is.
 *
 * Threads: a query is read only once it is made.
 * Memory:  a query has its own copies.
 * Limits:  QUERY_LENGTH_MAX bytes, QUERY_TERMS_MAX terms, QUERY_DEPTH_MAX parentheses or saved queries within each other;
 *          a regular expression gives up after QUERY_REGEX_STEPS and then does not match.
 * Errors:  -EINVAL with the place and what was meant, perhaps; -ENOMEM.
 */
#ifndef SMTPTRAIL_QUERY_H
#define SMTPTRAIL_QUERY_H

#include "analysis/event.h"
#include "analysis/transaction.h"
#include "common/problem.h"

enum { QUERY_LENGTH_MAX = 8192, QUERY_TERMS_MAX = 200, QUERY_DEPTH_MAX = 20, QUERY_REGEX_STEPS = 100000 };

/* What a query is asked of; a part that is not there is NULL. */
struct query_row {
	const struct session *session;
	const struct message *message;
	const struct recipient *recipient;
	const struct attempt *attempt;	/* NULL: any of the recipient's that are at hand */
	const struct check *check;	/* NULL: any of the message's */
	const struct login *login;
	const struct event *line;	/* of a log; then nothing else is there */
};

/* What a row of search is: is:message. It stands beside the other terms, never below OR or a negation. */
enum query_kind {
	QUERY_KIND_ANY,			/* the query does not say: recipients, messages and sessions without, logins */
#define QUERY_FIELD(id, name, type, meaning)
#define QUERY_ALIAS(name, full)
#define QUERY_FREE(level, id)
#define QUERY_KIND(id, name, meaning) QUERY_KIND_##id,
#include "analysis/query_fields.def"
#undef QUERY_FIELD
#undef QUERY_ALIAS
#undef QUERY_FREE
#undef QUERY_KIND
};

struct query;

/* The saved queries. */
struct query_saved {
	const char *(*text_of)(void *context, const char *name);	/* NULL: there is none of the name */
	const char *(*name_at)(void *context, unsigned at);		/* NULL: there are no more */
	void *context;
};

/* saved: NULL: there are none. */
int query_parse(struct query **ret_query, const char *text, uint64_t now_us, const struct query_saved *saved, struct problem *problem);
/* The same of words, as a shell gives them. */
int query_parse_words(struct query **ret_query, char *const *words, size_t count, uint64_t now_us, const struct query_saved *saved,
		      struct problem *problem);
void query_free(struct query *query);

/* Tells of each value that is none of the words that its field is known to have: of those that a slip may have made, and of what
 * only lines have where the query is of none (is_near); or of the others, which another program's log may have, and of what is the whole of a value where a piece may be meant: for when
 * nothing was found. words is lent for the call. */
typedef void query_doubt(const void *context, const char *words);
void query_doubts(const struct query *query, bool is_near, query_doubt *tell, const void *context);
/* The words that are known: gives the field of the row, and the words in a list; NULL: there is no such row. */
enum { QUERY_WORDS_SIZE = 400 };
const char *query_words_row(unsigned row, char ret_words[QUERY_WORDS_SIZE]);

/* A word of a command line like "-to:x", "-(a OR b)" or "-@saved" is no option: it becomes "NOT to:x". What was made for that
 * is to be freed when argv is no longer read; NULL: no memory, and all is as it was. */
char **query_take_negations(int argc, char **argv);
void query_free_negations(char **words);

enum query_kind query_kind(const struct query *query);
bool query_matches(const struct query *query, const struct query_row *row);
/* No row outside of it matches: [from, until). 0 and UINT64_MAX where the query says nothing. */
void query_span(const struct query *query, uint64_t *ret_from_us, uint64_t *ret_until_us);
/* -EINVAL, with the problem in words, where no time can be in it. */
int query_check_span(const struct query *query, struct problem *problem);
/* Whether it asks for that span and nothing else. */
bool query_is_span(const struct query *query);
/* Whether any term asks for something of that level; a row without a recipient cannot answer LEVEL_RECIPIENT. */
bool query_asks(const struct query *query, enum fact_level level);

/* Whether a text begins with FIELD: of a field that there is, behind - or ( perhaps: words that are meant as a query. */
bool query_begins(const char *text);
/* Whether it begins with /regex/ or /regex/i, and so is no path. */
bool query_is_regex(const char *text);

/* The fields, for help, completion and documents; the row behind the last has a NULL name. */
struct query_field_info {
	const char *name;
	const char *type;
	const char *meaning;
};
const struct query_field_info *query_fields(void);

#endif
