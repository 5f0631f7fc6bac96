/* columns.c - what a row can show: a few columns of our own, and facts. */
#include "analysis/columns.h"

#include <errno.h>

#include "common/near.h"

static const struct {
	struct table_column column;
	enum column_value value;
} usual[] = {
	{ { "time", "Time", CELL_TIME, false }, COLUMN_TIME },
	{ { "from", "From", CELL_TEXT, false }, COLUMN_FROM },
	{ { "to", "To", CELL_TEXT, false }, COLUMN_TO },
	{ { "fate", "Fate", CELL_TEXT, true }, COLUMN_FATE },
	{ { "where", "Stage or relay", CELL_TEXT, false }, COLUMN_WHERE },
	{ { "spf", "SPF", CELL_TEXT, true }, COLUMN_SPF },
	{ { "dkim", "DKIM", CELL_TEXT, true }, COLUMN_DKIM },
	{ { "dmarc", "DMARC", CELL_TEXT, true }, COLUMN_DMARC },
	{ { "size", "Size", CELL_SIZE, false }, COLUMN_SIZE },
	{ { "key", "Key", CELL_KEY, false }, COLUMN_KEY },
	{ { "tries", "Tries", CELL_NUMBER, false }, COLUMN_TRIES },
	{ { "number", "Number", CELL_NUMBER, false }, COLUMN_NUMBER },
	{ { "text", "Text", CELL_TEXT, false }, COLUMN_TEXT },
	{ { "file", "File", CELL_TEXT, false }, COLUMN_FILE },
	{ { "line", "Line", CELL_NUMBER, false }, COLUMN_LINE },
};
enum { USUAL_COUNT = sizeof usual / sizeof usual[0] };

/* ---- names ---- */

static enum cell_type cell_of(enum fact_type type)
{
	switch (type) {
	case FACT_NUMBER: return CELL_NUMBER;
	case FACT_SIZE: return CELL_SIZE;
	case FACT_TIME: return CELL_TIME;
	case FACT_DURATION: return CELL_DURATION;
	case FACT_TEXT:
	case FACT_ADDRESS:
	case FACT_WORD:
	case FACT_IP:
	case FACT_LIST: break;
	}
	return CELL_TEXT;
}

/* A column for LEVEL.FACT is called as it was asked for. */
static const char *column_name(enum fact_level level, enum fact fact)
{
	static char names[FACT_COUNT][64];

	(void)snprintf(names[fact], sizeof names[fact], "%s.%s", fact_level_name(level), fact_table[fact].name);
	return names[fact];
}

/* Of LEVEL.FACT: that alone. */
static bool find_fact_of_level(struct columns *columns, struct text name)
{
	const char *dot = memchr(name.start, '.', name.length);
	unsigned at = columns->count;

	for (int level = 0; dot && level < LEVEL_COUNT; level++) {
		size_t length = (size_t)(dot - name.start);
		enum fact fact = fact_by_name((enum fact_level)level, (struct text){ dot + 1, name.length - length - 1 });
		const char *called;

		if (fact == FACT_COUNT || !text_is((struct text){ name.start, length }, fact_level_name((enum fact_level)level)))
			continue;
		for (int other = 0; other < LEVEL_COUNT; other++)
			columns->facts[at][other] = other == level ? fact : FACT_COUNT;
		called = column_name((enum fact_level)level, fact);
		columns->columns[at] = (struct table_column){ called, called, cell_of(fact_table[fact].type), false };
		columns->values[at] = COLUMN_FACT;
		return true;
	}
	return false;
}

/* A fact of any level; the first that has the name says the type. */
static bool find_facts(struct columns *columns, struct text name)
{
	unsigned at = columns->count;
	enum fact first = FACT_COUNT;

	if (find_fact_of_level(columns, name))
		return true;
	for (int level = LEVEL_COUNT - 1; level >= 0; level--) {
		columns->facts[at][level] = fact_by_name((enum fact_level)level, name);
		if (columns->facts[at][level] != FACT_COUNT)
			first = columns->facts[at][level];
	}
	if (first == FACT_COUNT)
		return false;
	columns->columns[at] = (struct table_column){ fact_table[first].name, fact_table[first].name,
						      cell_of(fact_table[first].type), false };
	columns->values[at] = COLUMN_FACT;
	return true;
}

static bool find_usual(struct columns *columns, struct text name)
{
	for (int i = 0; i < USUAL_COUNT; i++)
		if (text_is(name, usual[i].column.name)) {
			columns->columns[columns->count] = usual[i].column;
			columns->values[columns->count] = usual[i].value;
			return true;
		}
	return false;
}

/* Whether another is meant, perhaps, which the problem then says. */
static bool suggest(struct text name, struct problem *problem)
{
	char word[NEAR_LENGTH_MAX];
	struct near near;

	(void)snprintf(word, sizeof word, "%.*s", TEXT_ARGS(name));
	near_begin(&near, word);
	for (int i = 0; i < USUAL_COUNT; i++)
		near_offer(&near, usual[i].column.name);
	for (int fact = 0; fact < FACT_COUNT; fact++)
		near_offer(&near, fact_table[fact].name);
	if (near.name)
		problem_set(problem, "no column '%s'; perhaps '%s'?", word, near.name);
	return near.name;
}

static int add_columns(struct columns *columns, const char *names, struct problem *problem)
{
	for (const char *at = names;; at++) {
		struct text name = { at, strcspn(at, ",") };

		if (columns->count == TABLE_COLUMNS_MAX) {
			problem_set(problem, "more than %d columns", TABLE_COLUMNS_MAX);
			return -EINVAL;
		}
		if (!find_usual(columns, name) && !find_facts(columns, name)) {
			if (suggest(name, problem))
				return -EINVAL;
			problem_set(problem,
				    "no column '%.*s': there are " COLUMNS_USUAL
				    ",tries,number, of lines text,file,line, and the facts that smtptrail fields --transaction lists",
				    TEXT_ARGS(name));
			return -EINVAL;
		}
		columns->count++;
		at += name.length;
		if (!*at)
			return 0;
	}
}

int columns_parse(struct columns *ret_columns, const char *names, const char *usual_names,
		  struct problem *problem)
{
	int error = 0;

	ret_columns->count = 0;
	if (*names == '+')
		error = add_columns(ret_columns, usual_names, problem);
	return error ? error : add_columns(ret_columns, names + (*names == '+'), problem);
}

/* ---- what a row has ---- */

static bool has_other(const enum fact *facts, enum fact_level level)
{
	for (int other = 0; other < LEVEL_COUNT; other++)
		if (other != (int)level && facts[other] != FACT_COUNT)
			return true;
	return false;
}

/* What the row is, where the query says so. */
static bool is_own(const struct report_row *row, enum fact_level level)
{
	return (level == LEVEL_ATTEMPT && row->attempt) || (level == LEVEL_CHECK && row->check);
}

/* From the nearest to the farthest: what is known of the recipient is not the last word of its last attempt. */
static bool find_value(const struct report_row *row, const enum fact *facts, struct fact_value *ret_value)
{
	static const enum fact_level usual_order[LEVEL_COUNT] = {
		LEVEL_LOGIN, LEVEL_RECIPIENT, LEVEL_MESSAGE, LEVEL_SESSION, LEVEL_ATTEMPT, LEVEL_CHECK,
	};
	static const enum fact_level own_order[LEVEL_COUNT] = {
		LEVEL_ATTEMPT, LEVEL_CHECK, LEVEL_LOGIN, LEVEL_RECIPIENT, LEVEL_MESSAGE, LEVEL_SESSION,
	};
	const enum fact_level *order = row->attempt || row->check ? own_order : usual_order;
	const struct attempt *attempt = row->attempt;

	for (const struct attempt *each = row->recipient && !row->attempt ? row->recipient->tries : NULL; each;
	     each = each->next)
		attempt = each;
	const struct facts *const levels[LEVEL_COUNT] = {
		[LEVEL_SESSION] = row->session ? &row->session->facts : NULL,
		[LEVEL_MESSAGE] = row->message ? &row->message->facts : NULL,
		[LEVEL_RECIPIENT] = row->recipient ? &row->recipient->facts : NULL,
		[LEVEL_ATTEMPT] = attempt ? &attempt->facts : NULL,
		[LEVEL_CHECK] = row->check ? &row->check->facts : row->message && row->message->checks ? &row->message->checks->facts : NULL,
		[LEVEL_LOGIN] = row->login ? &row->login->facts : NULL,
	};

	for (int i = 0; i < LEVEL_COUNT; i++) {
		enum fact_level level = order[i];

		if (facts[level] == FACT_COUNT || !levels[level])
			continue;
		/* What a check is told to be is not said of the rest. */
		if (level == LEVEL_CHECK && !row->check && has_other(facts, LEVEL_CHECK))
			continue;
		if (facts_find(levels[level], facts[level], ret_value))
			return true;
		/* How the session was encrypted is not said of an attempt. */
		if (is_own(row, level))
			return false;
	}
	return false;
}

static struct cell text_cell(struct text text)
{
	return (struct cell){ .is_known = text.start, .text = text };
}

static struct cell line_cell(const struct event *line, const struct columns *columns, unsigned at)
{
	if (columns->facts[at][LEVEL_SESSION] == FACT_SESSION_PROCESS)
		return text_cell(line->frame.process);
	return text_cell(columns->facts[at][LEVEL_SESSION] == FACT_SESSION_HOST ? line->frame.host : TEXT_NONE);
}

static struct cell fact_cell(const struct report_row *row, const struct columns *columns, unsigned at)
{
	struct fact_value value;

	if (row->event)
		return line_cell(row->event, columns, at);
	/* Of one name, facts of two levels may be of two types. */
	if (!find_value(row, columns->facts[at], &value) ||
	    fact_is_text(value.fact) != (columns->columns[at].type == CELL_TEXT))
		return (struct cell){ .is_known = false };
	return (struct cell){ .is_known = true, .text = value.text, .number = value.number };
}

static struct text message_text(const struct report_row *row, enum fact fact)
{
	return row->message ? facts_text(&row->message->facts, fact) : TEXT_NONE;
}

static struct text where(const struct report_row *row)
{
	struct text stage =
		row->recipient ? facts_text(&row->recipient->facts, FACT_RECIPIENT_STAGE) : TEXT_NONE;
	struct text relay =
		row->recipient ? facts_text(&row->recipient->facts, FACT_RECIPIENT_RELAY) : TEXT_NONE;

	if (row->login)
		return text_is(facts_text(&row->login->facts, FACT_LOGIN_OUTCOME), "passed")
			       ? TEXT_LITERAL("login")
			       : TEXT_LITERAL("login failed");
	if (row->recipient)
		return stage.start && (row->fate == FATE_REJECTED || !relay.start) ? stage : relay;
	return row->session ? facts_text(&row->session->facts, FACT_SESSION_LAST_STAGE) : TEXT_NONE;
}

transaction_key columns_key(const struct report_row *row)
{
	return row->message ? row->message->key : row->session ? row->session->key : row->login ? row->login->session_key : 0;
}

static struct cell number_cell(bool is_known, uint64_t number)
{
	return (struct cell){ .is_known = is_known, .number = is_known ? number : 0 };
}

static struct cell cell_at(const struct report_row *row, const struct columns *columns, unsigned at)
{
	const struct recipient *recipient = row->recipient;

	switch (columns->values[at]) {
	case COLUMN_TIME: return number_cell(true, row->time_us);
	case COLUMN_FROM: return text_cell(row->from);
	case COLUMN_TO: return text_cell(row->to);
	case COLUMN_FATE: return text_cell(recipient ? text_of(fate_name(row->fate)) : TEXT_NONE);
	case COLUMN_WHERE: return text_cell(where(row));
	case COLUMN_SPF: return text_cell(message_text(row, FACT_MESSAGE_SPF));
	case COLUMN_DKIM: return text_cell(message_text(row, FACT_MESSAGE_DKIM));
	case COLUMN_DMARC: return text_cell(message_text(row, FACT_MESSAGE_DMARC));
	case COLUMN_SIZE: return number_cell(row->size, row->size);
	case COLUMN_KEY: return number_cell(columns_key(row), columns_key(row));
	case COLUMN_TRIES: return number_cell(recipient, recipient ? recipient->attempts : 0);
	case COLUMN_NUMBER: return number_cell(recipient, recipient ? recipient->number : 0);
	case COLUMN_TEXT: return text_cell(row->event ? row->event->frame.message : TEXT_NONE);
	case COLUMN_FILE: return text_cell(row->event && row->event->file ? text_of(row->event->file) : TEXT_NONE);
	case COLUMN_LINE: return number_cell(row->event, row->event ? row->event->line : 0);
	case COLUMN_FACT: break;
	}
	return fact_cell(row, columns, at);
}

void columns_cells(const struct columns *columns, const struct report_row *row,
		   struct cell ret_cells[TABLE_COLUMNS_MAX])
{
	for (unsigned i = 0; i < columns->count; i++)
		ret_cells[i] = cell_at(row, columns, i);
}
