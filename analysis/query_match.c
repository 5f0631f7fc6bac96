/* query_match.c - a query asked of a row in memory. */
#include <ctype.h>

#include "analysis/query_internal.h"
#include "analysis/shapes.h"

static bool same(char a, char b)
{
	return a == b || tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Where the text goes on behind a star: what comes next there is at this place, or behind it. */
static size_t next_place(const char *pattern, struct text text, size_t at)
{
	const char small = (char)tolower((unsigned char)*pattern), large = (char)toupper((unsigned char)*pattern);

	if (!*pattern || strchr("*?\\", *pattern))
		return at;
	while (at < text.length && text.start[at] != small && text.start[at] != large)
		at++;
	return at;
}

/* Whether a text is what a pattern says, upper and lower case being the same. */
static bool pattern_fits(const char *pattern, struct text text)
{
	size_t t = 0, resume = 0;
	const char *p = pattern, *star = NULL;

	/* After a mismatch the last star takes one more; earlier ones never need to. */
	while (t < text.length) {
		if (*p == '*') {
			star = ++p;
			resume = t = next_place(p, text, t);
		} else if (*p == '?' || (*p && same(p[*p == '\\'], text.start[t]))) {
			p += *p == '\\' ? 2 : 1;
			t++;
		} else if (star) {
			p = star;
			resume = t = next_place(p, text, resume + 1);
		} else {
			return false;
		}
	}
	while (*p == '*')
		p++;
	return !*p;
}

static bool contains(struct text text, const char *piece)
{
	size_t length = strlen(piece);
	const char small = (char)tolower((unsigned char)*piece), large = (char)toupper((unsigned char)*piece);

	/* Most places do not begin as it does. */
	for (size_t i = 0; i + length <= text.length; i++)
		if ((text.start[i] == small || text.start[i] == large || !length) && strncasecmp(text.start + i, piece, length) == 0)
			return true;
	return false;
}

static bool fits_regex(const struct query_term *term, struct text text)
{
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	pcre2_match_context *context = pcre2_match_context_create(NULL);
	int matches = PCRE2_ERROR_NOMEMORY;

	if (data && context) {
		pcre2_set_match_limit(context, QUERY_REGEX_STEPS);
		matches = pcre2_match(term->regex, (PCRE2_SPTR)text.start, text.length, 0, 0, data, context);
	}
	pcre2_match_context_free(context);
	pcre2_match_data_free(data);
	return matches >= 0;
}

static bool fits_item(const struct query_term *term, struct text list)
{
	struct text item;

	while (facts_next_item(&list, &item))
		if (pattern_fits(term->text, item))
			return true;
	return false;
}

bool query_text_fits(const struct query_term *term, struct text text)
{
	if (!text.start)
		return false;
	switch (term->test) {
	case TEST_KNOWN:
		return true;
	case TEST_PATTERN:
		return pattern_fits(term->text, text) || (term->is_of_items && fits_item(term, text));
	case TEST_CONTAINS:
		return contains(text, term->text);
	case TEST_REGEX:
		return fits_regex(term, text);
	case TEST_NETWORK:
		return network_has(&term->network, text);
	case TEST_RANGE:
		break;
	}
	return false;
}

bool query_number_fits(const struct query_term *term, uint64_t number)
{
	return term->test == TEST_KNOWN || (term->test == TEST_RANGE && number >= term->low && number <= term->high);
}

static bool fact_fits(const struct query_term *term, const struct facts *facts, enum fact fact)
{
	struct fact_value value;

	if (!facts_find(facts, fact, &value))
		return false;
	return fact_is_text(fact) ? query_text_fits(term, value.text) : query_number_fits(term, value.number);
}

static bool check_fits(const struct query_term *term, const struct check *check, enum fact fact)
{
	for (; check; check = check->next)
		if (fact_fits(term, &check->facts, fact))
			return true;
	return false;
}

static bool attempt_fits(const struct query_term *term, const struct query_row *row, enum fact fact)
{
	if (row->attempt)
		return fact_fits(term, &row->attempt->facts, fact);
	for (const struct attempt *attempt = row->recipient ? row->recipient->tries : NULL; attempt; attempt = attempt->next)
		if (fact_fits(term, &attempt->facts, fact))
			return true;
	return false;
}

/* The program and host that a line tells are those of its session, too. */
static bool line_fits(const struct query_term *term, const struct event *line, enum fact fact)
{
	if (fact == FACT_SESSION_PROCESS)
		return query_text_fits(term, line->frame.process);
	return fact == FACT_SESSION_HOST && query_text_fits(term, line->frame.host);
}

static bool row_fits(const struct query_term *term, const struct query_row *row, enum fact fact)
{
	if (row->line)
		return line_fits(term, row->line, fact);
	switch (fact_table[fact].level) {
	case LEVEL_SESSION:
		return row->session && fact_fits(term, &row->session->facts, fact);
	case LEVEL_MESSAGE:
		return row->message && fact_fits(term, &row->message->facts, fact);
	case LEVEL_RECIPIENT:
		return row->recipient && fact_fits(term, &row->recipient->facts, fact);
	case LEVEL_ATTEMPT:
		return attempt_fits(term, row, fact);
	case LEVEL_CHECK:
		return row->check ? fact_fits(term, &row->check->facts, fact) : row->message && check_fits(term, row->message->checks, fact);
	case LEVEL_LOGIN:
		return row->login && fact_fits(term, &row->login->facts, fact);
	case LEVEL_COUNT:
		break;
	}
	return false;
}

static uint64_t time_of(const struct query_row *row)
{
	if (row->line)
		return row->line->frame.has_time && row->line->frame.time_us > 0 ? (uint64_t)row->line->frame.time_us : 0;
	return row->message ? row->message->start_us : row->session ? row->session->start_us : row->login ? row->login->time_us : 0;
}

bool query_domain_fits(const struct query_term *term, struct text address)
{
	const char *at = address.length ? memrchr(address.start, '@', address.length) : NULL;

	return at && query_text_fits(term, (struct text){ at + 1, (size_t)(address.start + address.length - at - 1) });
}

static bool domain_fits(const struct query_term *term, const struct query_row *row)
{
	return (row->message && query_domain_fits(term, facts_text(&row->message->facts, FACT_MESSAGE_FROM))) ||
	       (row->recipient && (query_domain_fits(term, facts_text(&row->recipient->facts, FACT_RECIPIENT_TO)) ||
				   query_domain_fits(term, facts_text(&row->recipient->facts, FACT_RECIPIENT_ORIG_TO))));
}

unsigned query_free_facts(enum fact ret_facts[QUERY_FREE_MAX])
{
	static const enum fact free_facts[] = {
#define QUERY_FIELD(id, name, type, meaning)
#define QUERY_ALIAS(name, full)
#define QUERY_FREE(level, id) FACT_##level##_##id,
#include "analysis/query_fields.def"
#undef QUERY_FIELD
#undef QUERY_ALIAS
#undef QUERY_FREE
	};
	_Static_assert(sizeof free_facts / sizeof free_facts[0] <= QUERY_FREE_MAX, "room for all");

	memcpy(ret_facts, free_facts, sizeof free_facts);
	return sizeof free_facts / sizeof free_facts[0];
}

static bool anywhere_fits(const struct query_term *term, const struct query_row *row)
{
	enum fact facts[QUERY_FREE_MAX];
	unsigned count = query_free_facts(facts);

	if (row->line)
		return query_text_fits(term, row->line->frame.message);
	for (unsigned i = 0; i < count; i++)
		if (row_fits(term, row, facts[i]))
			return true;
	return false;
}

unsigned query_client_facts(const struct query_term *term, enum fact ret_facts[QUERY_CLIENT_FACTS])
{
	ret_facts[0] = FACT_SESSION_CLIENT_ADDR;
	ret_facts[1] = FACT_LOGIN_CLIENT_ADDR;
	ret_facts[2] = FACT_SESSION_CLIENT_NAME;
	return term->test == TEST_NETWORK ? 2 : QUERY_CLIENT_FACTS;
}

static bool client_fits(const struct query_term *term, const struct query_row *row)
{
	enum fact facts[QUERY_CLIENT_FACTS];
	unsigned count = query_client_facts(term, facts);

	for (unsigned i = 0; i < count; i++)
		if (row_fits(term, row, facts[i]))
			return true;
	return false;
}

static bool shape_fits(const struct query_term *term, const struct event *line)
{
	char mask[SHAPES_TEXT_MAX];

	return query_text_fits(term, (struct text){ mask, shape_mask(line->frame.message, mask, sizeof mask) });
}

static bool other_engine_fits(const struct query_term *term, const struct query_row *row)
{
	const struct check *other;

	for (const struct check *check = row->message ? row->message->checks : NULL; check; check = check->next) {
		if (row->check && row->check != check)
			continue;
		other = check_other_engine(row->message->checks, check);
		if (other && query_text_fits(term, facts_text(&other->facts, FACT_CHECK_RESULT)))
			return true;
	}
	return false;
}

static bool term_fits(const struct query_term *term, const struct query_row *row)
{
	switch (term->field.special) {
	case QUERY_FACTS:
		for (unsigned i = 0; i < term->field.fact_count; i++)
			if (row_fits(term, row, term->field.facts[i]))
				return true;
		return false;
	case QUERY_ANYWHERE:
		return anywhere_fits(term, row);
	case QUERY_TIME:
	case QUERY_SINCE:
	case QUERY_UNTIL:
	case QUERY_ON:
		return query_number_fits(term, time_of(row));
	case QUERY_FATE:
		return row->recipient && query_text_fits(term, text_of(fate_name((enum fate)row->recipient->fate)));
	case QUERY_CLIENT:
		return client_fits(term, row);
	case QUERY_ADDRESS:
		return row_fits(term, row, FACT_MESSAGE_FROM) || row_fits(term, row, FACT_RECIPIENT_TO) ||
		       row_fits(term, row, FACT_RECIPIENT_ORIG_TO);
	case QUERY_MAILDOMAIN:
		return domain_fits(term, row);
	case QUERY_RCPTS:
		return row->message && query_number_fits(term, facts_number(&row->message->facts, FACT_MESSAGE_RECIPIENTS,
								      row->message->recipient_count));
	case QUERY_TRIES:
		return row->recipient && query_number_fits(term, row->recipient->attempts);
	case QUERY_PARENT:
		return row->message && query_text_fits(term, text_of(parent_kind_name((enum parent_kind)row->message->parent_kind)));
	case QUERY_HOP:
		return row->recipient && query_text_fits(term, text_of(row->recipient->is_hop ? "yes" : "no"));
	case QUERY_COMPLETE:
		return row->message && query_text_fits(term, text_of(row->message->is_complete ? "yes" : "no"));
	case QUERY_ACCEPTED:
		return row->message && query_text_fits(term, text_of(message_is_accepted(row->message) ? "yes" : "no"));
	case QUERY_OTHER_ENGINE:
		return other_engine_fits(term, row);
	case QUERY_SHAPE:
		return row->line && shape_fits(term, row->line);
	case QUERY_UNDERSTOOD:
		return row->line && query_text_fits(term, text_of(row->line->kind ? "yes" : "no"));
	case QUERY_IS:
		return true;
	case QUERY_KEY:
		return (row->message && query_number_fits(term, row->message->key)) ||
		       (row->session && query_number_fits(term, row->session->key));
	}
	return false;
}

static bool node_fits(const struct query_node *node, const struct query_row *row)
{
	switch (node->kind) {
	case NODE_ALL:
		return true;
	case NODE_AND:
		return node_fits(node->left, row) && node_fits(node->right, row);
	case NODE_OR:
		return node_fits(node->left, row) || node_fits(node->right, row);
	case NODE_NOT:
		return !node_fits(node->left, row);
	case NODE_TERM:
		return term_fits(node->term, row);
	}
	return false;
}

bool query_matches(const struct query *query, const struct query_row *row)
{
	return node_fits(query->root, row);
}
