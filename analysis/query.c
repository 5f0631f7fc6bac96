/* query.c - a query from text to a tree. */
#include "analysis/query.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/query_internal.h"
#include "common/near.h"

enum { FIELD_NAME_MAX = 40 };

struct parser {
	const char *text, *at;
	size_t column;	/* of what is wrong; 0: it is at that place */
	struct query *query;
	uint64_t now_us;
	const struct query_saved *saved;
	unsigned depth;
	struct problem *problem;
	int error;
};

static struct query_node *parse_or(struct parser *parser);

/* ---- errors ---- */

#define FAIL(parser, ...) fail((parser), -EINVAL, __VA_ARGS__)

static size_t column_of(const struct parser *parser)
{
	return (size_t)(parser->at - parser->text) + 1;
}

__attribute__((format(printf, 3, 4)))
static void *fail(struct parser *parser, int error, const char *format, ...)
{
	char words[300];
	va_list arguments;

	if (parser->error)
		return NULL;
	va_start(arguments, format);
	(void)vsnprintf(words, sizeof words, format, arguments);
	va_end(arguments);
	parser->error = error;
	problem_set(parser->problem, "query, column %zu: %s", parser->column ? parser->column : column_of(parser), words);
	return NULL;
}

static const char *nearest_field(struct text name)
{
	char word[FIELD_NAME_MAX + 1];
	struct near near;

	(void)snprintf(word, sizeof word, "%.*s", TEXT_ARGS(name));
	near_begin(&near, word);
	for (const struct query_field_info *field = query_fields(); field->name; field++)
		near_offer(&near, field->name);
	return near.name;
}

static void *fail_field(struct parser *parser, struct text name)
{
	const char *near = nearest_field(name);

	if (near)
		return FAIL(parser, "no field '%.*s'; perhaps '%s'?", TEXT_ARGS(name), near);
	return FAIL(parser, "no field '%.*s'; the fields are listed in smtptrail-query(7)", TEXT_ARGS(name));
}

/* ---- memory ---- */

static void free_term(struct query_term *term)
{
	if (!term)
		return;
	pcre2_code_free(term->regex);
	free(term->text);
	free(term);
}

static void free_node(struct query_node *node)
{
	if (!node)
		return;
	free_node(node->left);
	free_node(node->right);
	free_term(node->term);
	free(node);
}

void query_free(struct query *query)
{
	if (!query)
		return;
	free_node(query->root);
	free(query);
}

/* Takes left and right, also where it fails. */
static struct query_node *new_node(struct parser *parser, enum query_node_kind kind, struct query_node *left,
				   struct query_node *right)
{
	struct query_node *node = NULL;

	if (!parser->error)
		node = calloc(1, sizeof *node);
	if (!node) {
		free_node(left);
		free_node(right);
		return fail(parser, -ENOMEM, "%s", strerror(ENOMEM));
	}
	*node = (struct query_node){ .kind = kind, .left = left, .right = right };
	return node;
}

/* ---- words ---- */

static bool is_empty(const char *text)
{
	while (byte_is_blank(*text))
		text++;
	return !*text;
}

static void skip_blanks(struct parser *parser)
{
	while (byte_is_blank(*parser->at))
		parser->at++;
}

static bool ends_word(char c)
{
	return !c || byte_is_blank(c) || c == ')';
}

/* A word of capitals that stands alone. */
static bool take_word(struct parser *parser, const char *word)
{
	size_t length = strlen(word);

	skip_blanks(parser);
	if (strncmp(parser->at, word, length) != 0 || !(ends_word(parser->at[length]) || parser->at[length] == '('))
		return false;
	parser->at += length;
	return true;
}

/* A value as a pattern: * and ? stand for others, \ keeps the next byte. */
struct value {
	char pattern[2 * QUERY_LENGTH_MAX + 1];
	size_t length;
	bool is_quoted, is_plain;
};

static void put(struct value *value, char c, bool is_literal)
{
	if (is_literal && (c == '*' || c == '?' || c == '\\'))
		value->pattern[value->length++] = '\\';
	else if (c == '*' || c == '?')
		value->is_plain = false;
	value->pattern[value->length++] = c;
	value->pattern[value->length] = '\0';
}

static bool read_quoted(struct parser *parser, struct value *value)
{
	const char *at = parser->at + 1;

	value->is_quoted = true;
	while (*at && *at != '"') {
		if (*at == '\\' && at[1])
			at++;
		put(value, *at++, true);
	}
	if (!*at)
		return FAIL(parser, "a quote is not closed");
	parser->at = at + 1;
	return true;
}

/* Up to a blank or a parenthesis that was not opened in it. */
static bool read_value(struct parser *parser, struct value *value)
{
	*value = (struct value){ .is_plain = true };
	if (*parser->at == '"')
		return read_quoted(parser, value);
	while (!ends_word(*parser->at)) {
		bool is_escape = *parser->at == '\\' && (parser->at[1] == '*' || parser->at[1] == '?' || parser->at[1] == '\\');

		parser->at += is_escape;
		put(value, *parser->at, is_escape || *parser->at == '\\');
		parser->at++;
	}
	return true;
}

/* The value without the marks of literal bytes. */
static void plain_of(const struct value *value, char *ret_text, size_t size)
{
	size_t length = 0;

	for (size_t i = 0; i < value->length && length + 1 < size; i++) {
		if (value->pattern[i] == '\\' && i + 1 < value->length)
			i++;
		ret_text[length++] = value->pattern[i];
	}
	ret_text[length] = '\0';
}

/* ---- terms ---- */

static bool set_text(struct parser *parser, struct query_term *term, const char *text)
{
	term->text = strdup(text);
	if (!term->text)
		(void)fail(parser, -ENOMEM, "%s", strerror(ENOMEM));
	return term->text;
}

static bool check_word(struct parser *parser, const struct query_term *term)
{
	struct problem problem;

	if (query_word_is_refused(term, &problem))
		return FAIL(parser, "%s", problem.text);
	return true;
}

/* A path has more behind its second slash. */
bool query_is_regex(const char *text)
{
	const char *at = text + 1;

	if (*text != '/')
		return false;
	while (*at && *at != '/')
		at += *at == '\\' && at[1] ? 2 : 1;
	if (at == text + 1 || !*at)
		return false;
	at++;
	return ends_word(*at) || (*at == 'i' && ends_word(at[1]));
}

/* /regex/ or /regex/i; \/ is a slash. */
static bool read_regex(struct parser *parser, struct query_term *term)
{
	char source[QUERY_LENGTH_MAX + 1];
	PCRE2_UCHAR words[120];
	PCRE2_SIZE offset;
	size_t length = 0;
	int error;
	uint32_t options = 0;
	const char *at = parser->at + 1;

	while (*at && *at != '/') {
		if (*at == '\\' && at[1] == '/')
			at++;
		else if (*at == '\\' && at[1])
			source[length++] = *at++;
		source[length++] = *at++;
	}
	source[length] = '\0';
	if (!*at)
		return FAIL(parser, "a regular expression is not closed by /");
	at++;
	if (*at == 'i') {
		options |= PCRE2_CASELESS;
		at++;
	}
	if (!ends_word(*at))
		return FAIL(parser, "behind a regular expression only i is allowed");
	term->test = TEST_REGEX;
	term->regex = pcre2_compile((PCRE2_SPTR)source, length, options, &error, &offset, NULL);
	if (!term->regex) {
		if (pcre2_get_error_message(error, words, sizeof words) < 0)
			words[0] = '\0';
		return FAIL(parser, "regular expression, at %zu: %s", offset, (const char *)words);
	}
	if (!set_text(parser, term, source) || !check_word(parser, term))
		return false;
	parser->at = at;
	return true;
}

static bool is_number_field(const struct query_field *field)
{
	return field->type >= FACT_NUMBER;
}

static bool is_like_network(const char *text)
{
	const char *slash = strchr(text, '/');

	return slash && slash != text && slash[1] && slash[1 + strspn(slash + 1, "0123456789")] == '\0';
}

/* "<" begins a Message-ID and the null sender too. */
static bool is_like_bound(const char *text)
{
	return *text == '>' || (*text == '<' && !strpbrk(text, ">*?"));
}

static bool read_text_value(struct parser *parser, struct query_term *term, struct value *value)
{
	char plain[QUERY_LENGTH_MAX + 1];

	plain_of(value, plain, sizeof plain);
	if (!value->is_quoted && strcmp(value->pattern, "*") == 0) {
		term->test = TEST_KNOWN;
		return true;
	}
	if (term->field.type == FACT_IP && network_parse(plain, &term->network)) {
		term->test = TEST_NETWORK;
		return set_text(parser, term, plain);
	}
	/* No name has a slash that digits follow to its end. */
	if (term->field.type == FACT_IP && !value->is_quoted && is_like_network(plain))
		return FAIL(parser, "'%s' of '%s' is no network: 192.0.2.0/24, 2001:db8::/32", plain, term->field.name);
	if (!value->is_quoted && is_like_bound(plain))
		return FAIL(parser, "'%s' of '%s': > >= < <= are of numbers, sizes, durations and times; here a whole value, * and ? in it for "
			    "others, or /regex/; in quotes it is meant as it stands", plain, term->field.name);
	/* The null sender, as it is written in SMTP. */
	if (term->field.type == FACT_ADDRESS && strcmp(plain, "<>") == 0)
		value->pattern[0] = '\0';
	term->test = TEST_PATTERN;
	term->is_plain = value->is_plain;
	term->is_quoted = value->is_quoted;
	term->is_of_items = term->field.type == FACT_LIST && !value->is_quoted;
	return set_text(parser, term, value->pattern) && check_word(parser, term);
}

static bool read_number_value(struct parser *parser, struct query_term *term, const struct value *value)
{
	char plain[QUERY_LENGTH_MAX + 1];
	enum query_special special = term->field.special;
	bool is_span = special == QUERY_SINCE || special == QUERY_UNTIL || special == QUERY_ON;

	plain_of(value, plain, sizeof plain);
	if (strcmp(plain, "*") == 0) {
		term->test = TEST_KNOWN;
		return true;
	}
	term->test = TEST_RANGE;
	if (is_span ? query_read_span(term, plain, parser->now_us) : query_read_range(term, plain, parser->now_us)) {
		/* "<0" is such a range too, and meant. */
		if (term->low > term->high && strstr(plain, ".."))
			return FAIL(parser, "'%s' of '%s' is nothing: low..high has the lower one first", plain, term->field.name);
		return true;
	}
	return FAIL(parser, "'%s' of '%s' is not %s%s", plain, term->field.name, query_number_forms(&term->field),
		    is_span ? "" : "; > >= < <= in front, or low..high");
}

/* Behind "field:". */
static bool read_test(struct parser *parser, struct query_term *term)
{
	struct value *value;
	bool is_read;

	term->column = column_of(parser);
	if (*parser->at == '/' && !is_number_field(&term->field))
		return read_regex(parser, term);
	value = malloc(sizeof *value);
	if (!value)
		return fail(parser, -ENOMEM, "%s", strerror(ENOMEM));
	is_read = read_value(parser, value);
	/* What is wrong with it is told of its beginning. */
	parser->column = term->column;
	if (is_read)
		is_read = is_number_field(&term->field) ? read_number_value(parser, term, value) : read_text_value(parser, term, value);
	parser->column = 0;
	free(value);
	return is_read;
}

static bool read_free_word(struct parser *parser, struct query_term *term)
{
	char plain[QUERY_LENGTH_MAX + 1];
	struct value *value;

	term->field = (struct query_field){ .name = "", .special = QUERY_ANYWHERE, .type = FACT_TEXT };
	if (query_is_regex(parser->at))
		return read_regex(parser, term);
	term->test = TEST_CONTAINS;
	value = malloc(sizeof *value);
	if (!value)
		return fail(parser, -ENOMEM, "%s", strerror(ENOMEM));
	size_t column = column_of(parser);
	bool is_read = read_value(parser, value);

	if (is_read) {
		parser->column = column;
		plain_of(value, plain, sizeof plain);
		is_read = *plain ? set_text(parser, term, plain) : (FAIL(parser, "an empty word finds everything"), false);
		parser->column = 0;
	}
	free(value);
	return is_read;
}

static size_t name_length(const char *at)
{
	return strspn(at, "abcdefghijklmnopqrstuvwxyz_0123456789");
}

/* Of "field:" or "level.field:"; a host and its port are none. */
static size_t field_length(const char *at)
{
	size_t length = name_length(at);

	for (int level = 0; length && at[length] == '.' && level < LEVEL_COUNT; level++)
		if (text_is((struct text){ at, length }, fact_level_name((enum fact_level)level))) {
			length += 1 + name_length(at + length + 1);
			break;
		}
	return length && at[length] == ':' ? length : 0;
}

static bool read_term(struct parser *parser, struct query_term *term)
{
	struct text name = { parser->at, field_length(parser->at) };

	if (!name.length)
		return read_free_word(parser, term);
	if (!query_field_find(name, &term->field))
		return fail_field(parser, name);
	parser->at += name.length + 1;
	return read_test(parser, term);
}

static struct query_node *parse_term(struct parser *parser)
{
	struct query_node *node = new_node(parser, NODE_TERM, NULL, NULL);

	if (!node)
		return NULL;
	node->term = calloc(1, sizeof *node->term);
	if (!node->term) {
		free_node(node);
		return fail(parser, -ENOMEM, "%s", strerror(ENOMEM));
	}
	if (++parser->query->term_count > QUERY_TERMS_MAX) {
		free_node(node);
		return FAIL(parser, "more than %d terms", QUERY_TERMS_MAX);
	}
	if (!read_term(parser, node->term)) {
		free_node(node);
		return NULL;
	}
	return node;
}

/* ---- the tree ---- */

static void *fail_saved(struct parser *parser, const char *name)
{
	const char *other;
	struct near near;

	near_begin(&near, name);
	for (unsigned i = 0; parser->saved && (other = parser->saved->name_at(parser->saved->context, i)); i++)
		near_offer(&near, other);
	if (near.name)
		return FAIL(parser, "no saved query '@%s'; perhaps '@%s'?", name, near.name);
	return FAIL(parser, "no saved query '@%s' in the configuration; smtptrail fields --saved lists them", name);
}

static struct query_node *parse_saved(struct parser *parser)
{
	size_t length = strcspn(parser->at + 1, " \t\n\r)");
	char name[FIELD_NAME_MAX + 1];
	const char *text = NULL, *outer_text = parser->text, *outer_at = parser->at + 1 + length;
	struct query_node *node;

	(void)snprintf(name, sizeof name, "%.*s", (int)length, parser->at + 1);
	if (length <= FIELD_NAME_MAX && parser->saved)
		text = parser->saved->text_of(parser->saved->context, name);
	if (!text)
		return fail_saved(parser, name);
	if (strlen(text) > QUERY_LENGTH_MAX)
		return FAIL(parser, "the saved query '@%s' is longer than %d bytes", name, QUERY_LENGTH_MAX);
	parser->text = parser->at = text;
	node = is_empty(text) ? new_node(parser, NODE_ALL, NULL, NULL) : parse_or(parser);
	skip_blanks(parser);
	if (node && *parser->at) {
		free_node(node);
		node = FAIL(parser, "a parenthesis too many in the saved query '@%s'", name);
	}
	parser->text = outer_text;
	parser->at = outer_at;
	return node;
}

static struct query_node *parse_deeper(struct parser *parser)
{
	struct query_node *node;

	if (*parser->at == '@')
		return parse_saved(parser);
	parser->at++;
	node = parse_or(parser);
	skip_blanks(parser);
	if (node && *parser->at != ')') {
		free_node(node);
		return FAIL(parser, "a parenthesis is not closed");
	}
	parser->at += *parser->at == ')';
	return node;
}

static bool at_word(struct parser *parser, const char *word)
{
	const char *at = parser->at;
	bool is_there = take_word(parser, word);

	parser->at = at;
	return is_there;
}

static struct query_node *parse_unary(struct parser *parser)
{
	bool is_not = take_word(parser, "NOT");

	skip_blanks(parser);
	if (!is_not && *parser->at == '-' && !ends_word(parser->at[1])) {
		parser->at++;
		is_not = true;
	}
	struct query_node *node;

	if (*parser->at == '(' || *parser->at == '@' || is_not) {
		if (++parser->depth > QUERY_DEPTH_MAX)
			return FAIL(parser, *parser->at == '@' ? "more than %d within each other: does a saved query name itself?"
							       : "more than %d within each other", QUERY_DEPTH_MAX);
		node = is_not ? parse_unary(parser) : parse_deeper(parser);
		parser->depth--;
	} else {
		if (!*parser->at || *parser->at == ')' || at_word(parser, "OR") || at_word(parser, "AND"))
			return FAIL(parser, "a term is missing");
		node = parse_term(parser);
	}
	return node && is_not ? new_node(parser, NODE_NOT, node, NULL) : node;
}

static struct query_node *parse_and(struct parser *parser)
{
	struct query_node *node = parse_unary(parser);

	while (node) {
		(void)take_word(parser, "AND");
		skip_blanks(parser);
		if (!*parser->at || *parser->at == ')' || at_word(parser, "OR"))
			break;
		struct query_node *right = parse_unary(parser);

		if (!right) {
			free_node(node);
			return NULL;
		}
		node = new_node(parser, NODE_AND, node, right);
	}
	return node;
}

static struct query_node *parse_or(struct parser *parser)
{
	struct query_node *node = parse_and(parser);

	while (node && take_word(parser, "OR")) {
		struct query_node *right = parse_and(parser);

		if (!right) {
			free_node(node);
			return NULL;
		}
		node = new_node(parser, NODE_OR, node, right);
	}
	return node;
}

static enum query_kind kind_by_name(const char *name)
{
	static const char *const names[] = {
		"",
#define QUERY_FIELD(id, name, type, meaning)
#define QUERY_ALIAS(name, full)
#define QUERY_FREE(level, id)
#define QUERY_KIND(id, name, meaning) name,
#include "analysis/query_fields.def"
#undef QUERY_FIELD
#undef QUERY_ALIAS
#undef QUERY_FREE
#undef QUERY_KIND
	};

	for (int kind = 1; name && kind < (int)(sizeof names / sizeof names[0]); kind++)
		if (strcasecmp(name, names[kind]) == 0)
			return (enum query_kind)kind;
	return QUERY_KIND_ANY;
}

/* What a row is says no term of the tree: it leaves, and the query knows. */
static void take_kinds(struct parser *parser, struct query_node *node, bool is_for_all)
{
	enum query_kind kind;

	if (!node || parser->error)
		return;
	take_kinds(parser, node->left, is_for_all && node->kind == NODE_AND);
	take_kinds(parser, node->right, is_for_all && node->kind == NODE_AND);
	if (node->kind != NODE_TERM || node->term->field.special != QUERY_IS)
		return;
	parser->column = node->term->column;
	kind = node->term->test == TEST_PATTERN ? kind_by_name(node->term->text) : QUERY_KIND_ANY;
	if (kind == QUERY_KIND_ANY)
		(void)FAIL(parser, "'is' is recipient, message, session, attempt, check, login or line");
	else if (!is_for_all)
		(void)FAIL(parser, "'is' stands beside the other terms, not below OR, nor behind - or NOT");
	else if (parser->query->kind != QUERY_KIND_ANY && parser->query->kind != kind)
		(void)FAIL(parser, "a row is one thing: 'is' comes twice");
	parser->query->kind = kind;
	free_term(node->term);
	*node = (struct query_node){ .kind = NODE_ALL };
}

int query_parse(struct query **ret_query, const char *text, uint64_t now_us, const struct query_saved *saved,
		struct problem *problem)
{
	struct query *query = calloc(1, sizeof *query);
	struct parser parser = {
		.text = text, .at = text, .query = query, .now_us = now_us, .saved = saved, .problem = problem,
	};

	if (!query) {
		problem_set(problem, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	if (strlen(text) > QUERY_LENGTH_MAX)
		(void)FAIL(&parser, "longer than %d bytes", QUERY_LENGTH_MAX);
	else if (is_empty(text))
		query->root = new_node(&parser, NODE_ALL, NULL, NULL);
	else
		query->root = parse_or(&parser);
	skip_blanks(&parser);
	if (!parser.error && *parser.at)
		(void)FAIL(&parser, "a parenthesis too many");
	take_kinds(&parser, query->root, true);
	if (parser.error) {
		query_free(query);
		return parser.error;
	}
	*ret_query = query;
	return 0;
}

int query_parse_words(struct query **ret_query, char *const *words, size_t count, uint64_t now_us, const struct query_saved *saved,
		      struct problem *problem)
{
	size_t size = 1, length = 0;
	char *text;
	int error;

	for (size_t i = 0; i < count; i++)
		size += strlen(words[i]) + 1;
	text = calloc(1, size);
	if (!text) {
		problem_set(problem, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++)
		length += (size_t)snprintf(text + length, size - length, "%s%s", i ? " " : "", words[i]);
	error = query_parse(ret_query, text, now_us, saved, problem);
	free(text);
	return error;
}

static bool is_negation(const char *word)
{
	size_t field = *word == '-' ? field_length(word + 1) : 0;

	return *word == '-' && word[1] && (field || strchr("(@\"", word[1]));
}

char **query_take_negations(int argc, char **argv)
{
	char **made = calloc((size_t)argc + 1, sizeof *made);
	size_t count = 0;

	for (int i = 1; i < argc && made && strcmp(argv[i], "--") != 0; i++)
		if (is_negation(argv[i]) && asprintf(&made[count], "NOT %s", argv[i] + 1) >= 0)
			argv[i] = made[count++];
	return made;
}

void query_free_negations(char **words)
{
	for (size_t i = 0; words && words[i]; i++)
		free(words[i]);
	free(words);
}
