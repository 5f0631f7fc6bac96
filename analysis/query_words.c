/* query_words.c - what words the values of a field are, and what a value that is none of them was meant for. */
#include <stdio.h>

#include "analysis/query_internal.h"
#include "analysis/reason.h"
#include "common/near.h"

enum { WORD_SIZE = 64, LISTED_SIZE = 400 };

struct query_words {
	const char *field;
	bool is_closed;
	const char *list;			/* joined as a fact of that type is; NULL: word_at tells them */
	const char *(*word_at)(unsigned at);	/* NULL: there are no more */
};

static const char *fate_word(unsigned at)
{
	return at < FATE_COUNT ? fate_name((enum fate)at) : NULL;
}

static const char *parent_word(unsigned at)
{
	return at < PARENT_HINT ? parent_kind_name((enum parent_kind)(at + 1)) : NULL;
}

static const char *reason_word(unsigned at)
{
	return reason_class(at);
}

static const struct query_words table[] = {
#define CLOSED true
#define OPEN false
#define QUERY_WORDS(field, closed, list) { field, closed, list, NULL },
#define QUERY_WORDS_OF(field, closed, word_at) { field, closed, NULL, word_at },
#include "analysis/query_words.def"
#undef QUERY_WORDS
#undef QUERY_WORDS_OF
#undef CLOSED
#undef OPEN
};
enum { TABLE_COUNT = sizeof table / sizeof table[0] };

static const struct query_words *words_by_name(const char *name)
{
	for (unsigned i = 0; i < TABLE_COUNT; i++)
		if (strcmp(table[i].field, name) == 0)
			return &table[i];
	return NULL;
}

static const struct query_words *words_of(const struct query_field *field)
{
	const struct query_words *words = words_by_name(field->name);
	char name[WORD_SIZE];

	if (words || field->fact_count != 1)
		return words;
	(void)snprintf(name, sizeof name, "%s.%s", fact_level_name(fact_table[field->facts[0]].level), field->name);
	return words_by_name(name);
}

static bool word_at(const struct query_words *words, unsigned at, char ret_word[WORD_SIZE])
{
	struct text list = text_of(words->list ? words->list : ""), item = TEXT_NONE;
	const char *word;

	if (!words->list) {
		word = words->word_at(at);
		(void)snprintf(ret_word, WORD_SIZE, "%s", word ? word : "");
		return word;
	}
	for (unsigned i = 0; i <= at; i++)
		if (!facts_next_item(&list, &item))
			return false;
	(void)snprintf(ret_word, WORD_SIZE, "%.*s", TEXT_ARGS(item));
	return true;
}

/* Whether one of the words is what the term wants. */
static bool is_known(const struct query_words *words, const struct query_term *term)
{
	char word[WORD_SIZE];

	for (unsigned i = 0; word_at(words, i, word); i++)
		if (query_text_fits(term, text_of(word)))
			return true;
	return false;
}

static bool find_near(const struct query_words *words, const char *value, char ret_near[WORD_SIZE])
{
	char word[WORD_SIZE];
	unsigned least = NEAR_LENGTH_MAX;
	bool is_found = false;

	for (unsigned i = 0; word_at(words, i, word); i++) {
		struct near near;

		near_begin(&near, value);
		near_offer(&near, word);
		if (!near.name || near.slips >= least)
			continue;
		least = near.slips;
		memcpy(ret_near, word, WORD_SIZE);
		is_found = true;
	}
	return is_found;
}

/* Another field that has the word. */
static const char *other_field(const struct query_words *but, const struct query_term *term)
{
	for (unsigned i = 0; i < TABLE_COUNT; i++)
		if (&table[i] != but && is_known(&table[i], term))
			return table[i].field;
	return NULL;
}

static void list_words(const struct query_words *words, char *ret_list, size_t size)
{
	char word[WORD_SIZE];
	size_t length = 0;

	ret_list[0] = '\0';
	for (unsigned i = 0; word_at(words, i, word) && length + strlen(word) + 3 < size; i++)
		length += (size_t)snprintf(ret_list + length, size - length, "%s%s", i ? ", " : "", word);
}

/* Of a value that may be misspelt; NULL: it has no such words, or one of them is meant. */
static const struct query_words *doubtful(const struct query_term *term)
{
	const struct query_words *words = words_of(&term->field);
	bool is_word = term->test == TEST_REGEX || (term->test == TEST_PATTERN && term->text[0]);

	return words && is_word && !is_known(words, term) ? words : NULL;
}

static bool say(const struct query_words *words, const struct query_term *term, bool is_near, struct problem *problem)
{
	char near[WORD_SIZE], list[LISTED_SIZE];
	const char *field = words->field, *other, *known = words->is_closed ? "" : " is known";
	bool has_near = term->test == TEST_PATTERN && term->is_plain && find_near(words, term->text, near);

	if (has_near != is_near)
		return false;
	if (has_near) {
		problem_set(problem, "no value '%s' of '%s'%s; perhaps '%s'?", term->text, field, known, near);
		return true;
	}
	other = term->is_plain ? other_field(words, term) : NULL;
	list_words(words, list, sizeof list);
	if (other)
		problem_set(problem, "no value '%s' of '%s'%s; perhaps %s:%s? Of '%s' these are: %s", term->text, field, known, other,
			    term->text, field, list);
	else
		problem_set(problem, "no value '%s' of '%s'%s; these are: %s", term->text, field, known, list);
	return true;
}

bool query_word_is_refused(const struct query_term *term, struct problem *problem)
{
	const struct query_words *words = doubtful(term);

	return words && words->is_closed && (say(words, term, true, problem) || say(words, term, false, problem));
}

/* ---- whole values ---- */

static bool is_named(const struct query_term *term, const char *name)
{
	return strcmp(term->field.name, name) == 0;
}

/* Logins need be no addresses. */
static bool is_address(const struct query_term *term)
{
	return term->field.type == FACT_ADDRESS && !is_named(term, "auth_authen");
}

/* Of which people have a piece in mind: not of identifiers, which they copy. */
static bool is_prose(const struct query_term *term)
{
	return (term->field.special == QUERY_FACTS && term->field.type == FACT_TEXT && !strstr(term->field.name, "_id") && !is_named(term, "session")) ||
	       term->field.special == QUERY_CLIENT || is_named(term, "relay");
}

/* What was meant, perhaps, by a text that is nowhere a whole value. */
static bool say_whole(const struct query_term *term, struct problem *problem)
{
	const char *field = term->field.name, *text = term->text;

	if (term->test != TEST_PATTERN || !term->is_plain || term->is_quoted || !text[0])
		return false;
	if (is_address(term) && (text[0] == '@' || (!strchr(text, '@') && strchr(text, '.'))))
		problem_set(problem, "'%s:%s' is a whole address; perhaps %s:*@%s?", field, text, field, text + (text[0] == '@'));
	else if (is_address(term) && !strchr(text, '@'))
		problem_set(problem, "'%s:%s' is a whole address; perhaps %s:%s@*?", field, text, field, text);
	else if (is_named(term, "message_id") && text[0] != '<')
		problem_set(problem, "a Message-ID has brackets; perhaps 'message_id:<%s>'?", text);
	else if (is_named(term, "domain"))
		problem_set(problem, "'domain' is what was checked, or signed; of senders and recipients perhaps maildomain:%s?", text);
	else if (is_prose(term))
		problem_set(problem, "'%s:%s' is the whole value; %s:*%s* is a piece of it", field, text, field, text);
	else
		return false;
	return true;
}

/* Of lines of a log alone, and nothing else has them. */
static bool say_line(const struct query_term *term, enum query_kind kind, struct problem *problem)
{
	if (kind == QUERY_KIND_LINE || (term->field.special != QUERY_SHAPE && term->field.special != QUERY_UNDERSTOOD))
		return false;
	problem_set(problem, "'%s' is of lines of a log, which smtptrail search finds with is:line beside it; nothing else has it", term->field.name);
	return true;
}

static void doubt(const struct query_node *node, enum query_kind kind, bool is_near, query_doubt *tell, const void *context)
{
	struct problem problem = { "" };
	const struct query_words *words;

	if (!node)
		return;
	doubt(node->left, kind, is_near, tell, context);
	doubt(node->right, kind, is_near, tell, context);
	if (is_near && node->kind == NODE_TERM && say_line(node->term, kind, &problem))
		tell(context, problem.text);
	words = node->kind == NODE_TERM ? doubtful(node->term) : NULL;
	if (words && say(words, node->term, is_near, &problem))
		tell(context, problem.text);
	else if (!words && !is_near && node->kind == NODE_TERM && say_whole(node->term, &problem))
		tell(context, problem.text);
}

void query_doubts(const struct query *query, bool is_near, query_doubt *tell, const void *context)
{
	doubt(query->root, query->kind, is_near, tell, context);
}

const char *query_words_row(unsigned row, char ret_words[QUERY_WORDS_SIZE])
{
	if (row >= TABLE_COUNT)
		return NULL;
	list_words(&table[row], ret_words, QUERY_WORDS_SIZE);
	return table[row].field;
}
