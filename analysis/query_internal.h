/*
 * query_internal.h - a query as a tree: made by query.c, walked by query_match.c, query_about.c and query_sql.c.
 *
 * Threads, memory, limits: as query.h.
 */
#ifndef SMTPTRAIL_QUERY_INTERNAL_H
#define SMTPTRAIL_QUERY_INTERNAL_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "analysis/match.h"
#include "analysis/query.h"

/* A field that is no fact, and QUERY_FACTS for those that are. */
enum query_special {
#define QUERY_FIELD(id, name, type, meaning) QUERY_##id,
#define QUERY_ALIAS(name, full)
#define QUERY_FREE(level, id)
#include "analysis/query_fields.def"
#undef QUERY_FIELD
#undef QUERY_ALIAS
#undef QUERY_FREE
	QUERY_FACTS,
	QUERY_ANYWHERE,		/* a word without a field */
};

enum { QUERY_FACTS_MAX = LEVEL_COUNT };

struct query_field {
	const char *name;
	enum query_special special;
	enum fact_type type;
	unsigned fact_count;
	enum fact facts[QUERY_FACTS_MAX];	/* of the name, one a level at most */
};

/* False: there is no such field. */
bool query_field_find(struct text name, struct query_field *ret_field);

enum query_test {
	TEST_PATTERN,		/* the whole text, with * and ? */
	TEST_CONTAINS,		/* a piece of the text */
	TEST_KNOWN,
	TEST_REGEX,
	TEST_NETWORK,
	TEST_RANGE,		/* low <= number <= high */
};

struct query_term {
	struct query_field field;
	enum query_test test;
	char *text;		/* TEST_PATTERN (\ keeps the next byte), TEST_CONTAINS; of TEST_REGEX its source */
	bool is_plain;		/* TEST_PATTERN without * and ? */
	bool is_quoted;		/* the same, in quotes: it is meant as it stands */
	bool is_of_items;	/* TEST_PATTERN of any item of a list */
	pcre2_code *regex;
	struct network network;
	uint64_t low, high;
	size_t column;		/* of its value, in the query or the saved query where it stands; 0: of a word without a field */
};

enum query_node_kind { NODE_ALL, NODE_AND, NODE_OR, NODE_NOT, NODE_TERM };

struct query_node {
	enum query_node_kind kind;
	struct query_node *left, *right;	/* NOT has a left one */
	struct query_term *term;
};

struct query {
	struct query_node *root;
	unsigned term_count;
	enum query_kind kind;
};

/* Turns "> x", "x..y" and the like into the bounds low and high of a term; since, until and on are bounds by themselves. Times
 * are of now_us. False: the text is none of query_number_forms. */
bool query_read_range(struct query_term *term, const char *text, uint64_t now_us);
bool query_read_span(struct query_term *term, const char *text, uint64_t now_us);
const char *query_number_forms(const struct query_field *field);

/* Whether the term asks for a word that its field never has: then the problem says so. */
bool query_word_is_refused(const struct query_term *term, struct problem *problem);

/* Whether a value is what a term wants, wherever it stands. */
bool query_text_fits(const struct query_term *term, struct text text);
bool query_number_fits(const struct query_term *term, uint64_t number);
/* The same of the domain of an address. */
bool query_domain_fits(const struct query_term *term, struct text address);

/* The facts that a term of a client asks for: an address or a network is that of no name. */
enum { QUERY_CLIENT_FACTS = 3 };
unsigned query_client_facts(const struct query_term *term, enum fact ret_facts[QUERY_CLIENT_FACTS]);

/* The facts that a word without a field is looked for in. */
enum { QUERY_FREE_MAX = 32 };
unsigned query_free_facts(enum fact ret_facts[QUERY_FREE_MAX]);

#endif
