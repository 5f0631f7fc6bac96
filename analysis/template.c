/* template.c - patterns made into short programs, and their run over a message. */
#include "analysis/template.h"

#include <assert.h>
#include <stdlib.h>

#include "analysis/template_tail.h"

enum { GROUPS_MAX = 96, GROUP_SLOTS = 512, LITERALS_MAX = 16, OPS_PER_ROW = 96, ID_MIN = 5, ID_MAX = 64 };

enum op_type {
	OP_LITERAL, OP_KEEP_LITERAL, OP_OPTION, OP_OPTION_END, OP_END,
	OP_TEXT, OP_NUMBER, OP_DECIMAL, OP_WORD, OP_TOKEN, OP_HOST, OP_IP, OP_ID, OP_ADDRESS, OP_REST,
	OP_TAIL, OP_LAST, OP_REPLY, OP_HEADER, OP_HEX, OP_COUNTS,
};

static const struct {
	const char *name;
	enum op_type type;
} types[] = {
	{ "number", OP_NUMBER }, { "decimal", OP_DECIMAL }, { "word", OP_WORD }, { "token", OP_TOKEN },
	{ "host", OP_HOST }, { "ip", OP_IP }, { "id", OP_ID }, { "address", OP_ADDRESS }, { "rest", OP_REST },
	{ "tail", OP_TAIL }, { "last", OP_LAST }, { "reply", OP_REPLY }, { "header", OP_HEADER }, { "hex", OP_HEX },
	{ "counts", OP_COUNTS },
};

struct op {
	enum op_type type;
	unsigned skip;			/* OP_OPTION: ops to its end */
	struct text literal;
	uint64_t word, mask;		/* first bytes of the literal, for one comparison */
	const char *name;
};

enum side { SIDE_PLAIN, SIDE_ID, SIDE_LEVEL, SIDE_COUNT };

struct row {
	const char *kind;
	const struct op *ops;
	enum side side;
	unsigned char first;		/* byte it must begin with; 0: any */
};

/* The rows of one program, by side and first byte. */
struct bucket {
	uint16_t start, count;
};

struct group {
	struct text program;
	struct bucket buckets[SIDE_COUNT][128];	/* [0]: of a byte that no row begins with */
};

struct template_set {
	size_t row_count, op_count, list_count, list_size;
	struct row *rows;
	struct op *ops;
	char *texts;			/* copies of names and literals, each terminated */
	size_t text_length;
	uint16_t *list;
	int group_count;
	struct group groups[GROUPS_MAX];	/* [0]: all rows */
	int8_t slots[GROUP_SLOTS];
};

/* ---- making a set ---- */

static struct text keep_text(struct template_set *set, const char *start, size_t length)
{
	char *copy = set->texts + set->text_length;

	memcpy(copy, start, length);
	copy[length] = '\0';
	set->text_length += length + 1;
	return (struct text){ copy, length };
}

static enum op_type type_of(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (strlen(types[i].name) == length && memcmp(types[i].name, name, length) == 0)
			return types[i].type;
	/* A type that template.h does not list. */
	abort();
}

/* "{name:type}": what is between the brackets. */
static struct op capture_of(struct template_set *set, const char *start, size_t length)
{
	const char *colon = memchr(start, ':', length), *equals = memchr(start, '=', length);
	const char *mark = equals ? equals : colon ? colon : start + length;
	size_t rest = length - (size_t)(mark - start);
	struct op op = { .type = OP_TEXT, .name = keep_text(set, start, (size_t)(mark - start)).start };

	if (equals) {
		op.type = OP_KEEP_LITERAL;
		op.literal = keep_text(set, mark + 1, rest - 1);
	} else if (colon) {
		op.type = type_of(mark + 1, rest - 1);
	}
	return op;
}

static size_t literal_length(const char *at)
{
	size_t length = 0;

	while (at[length] && at[length] != '{' && !(at[length] == '?' && at[length + 1] == '}'))
		length++;
	return length;
}

static void compile(struct template_set *set, const char *at)
{
	struct op *option = NULL;

	while (*at) {
		struct op *op = &set->ops[set->op_count++];

		if (at[0] == '{' && at[1] == '{') {
			*op = (struct op){ .type = OP_LITERAL, .literal = keep_text(set, at, 1) };
			at += 2;
		} else if (at[0] == '{' && at[1] == '?') {
			*op = (struct op){ .type = OP_OPTION };
			assert(!option);
			option = op;
			at += 2;
		} else if (*at == '{') {
			const char *close = strchr(at, '}');

			assert(close);
			*op = capture_of(set, at + 1, (size_t)(close - at - 1));
			at = close + 1;
		} else if (at[0] == '?' && at[1] == '}') {
			*op = (struct op){ .type = OP_OPTION_END };
			assert(option);
			option->skip = (unsigned)(op - option);
			option = NULL;
			at += 2;
		} else {
			size_t length = literal_length(at);

			*op = (struct op){ .type = OP_LITERAL, .literal = keep_text(set, at, length) };
			at += length;
		}
	}
	assert(!option);
	set->ops[set->op_count++] = (struct op){ .type = OP_END };
}

/* The first bytes of each literal, as they lie in memory. */
static void set_words(struct template_set *set)
{
	for (size_t i = 0; i < set->op_count; i++) {
		struct op *op = &set->ops[i];
		size_t length = op->literal.length < sizeof op->word ? op->literal.length : sizeof op->word;

		if (length) {
			memcpy(&op->word, op->literal.start, length);
			memset(&op->mask, 0xff, length);
		}
	}
}

static void compile_row(struct template_set *set, struct row *row, const struct template_row *source)
{
	const char *pattern = source->pattern;

	row->kind = source->kind;
	row->side = SIDE_PLAIN;
	if (strncmp(pattern, "QID: ", 5) == 0) {
		row->side = SIDE_ID;
		pattern += 5;
	} else if (*pattern == '!') {
		row->side = SIDE_LEVEL;
		pattern++;
	}
	row->ops = &set->ops[set->op_count];
	compile(set, pattern);
	if (row->ops->type == OP_LITERAL || row->ops->type == OP_KEEP_LITERAL)
		row->first = (unsigned char)row->ops->literal.start[0];
}

static unsigned slot_of(struct text program)
{
	unsigned hash = (unsigned)program.length * 31;

	for (size_t i = 0; i < program.length && i < 16; i++)
		hash = hash * 33 + (unsigned char)program.start[i];
	return hash % GROUP_SLOTS;
}

int template_group(const struct template_set *set, struct text program)
{
	unsigned slot = slot_of(program);

	for (; set->slots[slot]; slot = (slot + 1) % GROUP_SLOTS)
		if (text_equal(set->groups[(int)set->slots[slot]].program, program))
			return set->slots[slot];
	return -1;
}

int template_group_any(const struct template_set *set)
{
	(void)set;
	return 0;
}

static void add_group(struct template_set *set, struct text program)
{
	unsigned slot = slot_of(program);

	if (template_group(set, program) >= 0 || text_is(program, "*"))
		return;
	assert(set->group_count < GROUPS_MAX);
	while (set->slots[slot])
		slot = (slot + 1) % GROUP_SLOTS;
	set->groups[set->group_count].program = program;
	set->slots[slot] = (int8_t)set->group_count++;
}

/* Calls for each name of the list. */
static struct text next_name(const char **list)
{
	size_t length = strcspn(*list, " ");
	struct text name = { *list, length };

	*list += length + ((*list)[length] == ' ');
	return name;
}

static bool is_of(const struct template_row *row, const struct group *group)
{
	const char *list = row->programs;

	if (!group->program.start || strcmp(list, "*") == 0)
		return true;
	while (*list)
		if (text_equal(next_name(&list), group->program))
			return true;
	return false;
}

static int push(struct template_set *set, size_t row)
{
	if (set->list_count == set->list_size) {
		size_t size = set->list_size ? set->list_size * 2 : 4096;
		uint16_t *list = realloc(set->list, size * sizeof *list);

		if (!list)
			return -1;
		set->list = list;
		set->list_size = size;
	}
	set->list[set->list_count++] = (uint16_t)row;
	return 0;
}

static int index_bucket(struct template_set *set, const struct template_row *rows, struct group *group,
			enum side side, unsigned first)
{
	struct bucket *bucket = &group->buckets[side][first];

	bucket->start = (uint16_t)set->list_count;
	for (size_t i = 0; i < set->row_count; i++)
		if (set->rows[i].side == side && (!set->rows[i].first || set->rows[i].first == first) &&
		    is_of(&rows[i], group) && push(set, i) != 0)
			return -1;
	bucket->count = (uint16_t)(set->list_count - bucket->start);
	assert(set->list_count < UINT16_MAX);
	return 0;
}

/* Most first bytes begin no row of a group: they share the bucket of byte 0. */
static int index_group(struct template_set *set, const struct template_row *rows, struct group *group)
{
	for (int side = 0; side < SIDE_COUNT; side++) {
		bool begins[128] = { true };

		for (size_t i = 0; i < set->row_count; i++)
			if ((int)set->rows[i].side == side && is_of(&rows[i], group))
				begins[set->rows[i].first % 128] = true;
		for (unsigned first = 0; first < 128; first++)
			if (!begins[first])
				group->buckets[side][first] = group->buckets[side][0];
			else if (index_bucket(set, rows, group, (enum side)side, first) != 0)
				return -1;
	}
	return 0;
}

static size_t texts_size(const struct template_row *rows, size_t count)
{
	size_t size = 0;

	/* No piece is longer than its pattern, and each has its terminator. */
	for (size_t i = 0; i < count; i++)
		size += 2 * strlen(rows[i].pattern) + OPS_PER_ROW;
	return size;
}

struct template_set *template_set_new(const struct template_row *rows, size_t count)
{
	struct template_set *set = calloc(1, sizeof *set);

	if (!set)
		return NULL;
	set->row_count = count;
	set->rows = calloc(count, sizeof *set->rows);
	set->ops = calloc(count * OPS_PER_ROW, sizeof *set->ops);
	set->texts = malloc(texts_size(rows, count));
	set->group_count = 1;
	if (!set->rows || !set->ops || !set->texts)
		goto failed;
	for (size_t i = 0; i < count; i++) {
		const char *list = rows[i].programs;

		compile_row(set, &set->rows[i], &rows[i]);
		while (*list)
			add_group(set, next_name(&list));
	}
	set_words(set);
	for (int i = 0; i < set->group_count; i++)
		if (index_group(set, rows, &set->groups[i]) != 0)
			goto failed;
	return set;
failed:
	template_set_free(set);
	return NULL;
}

void template_set_free(struct template_set *set)
{
	if (!set)
		return;
	free(set->list);
	free(set->texts);
	free(set->ops);
	free(set->rows);
	free(set);
}

/* ---- reading ---- */

/* A run of one row over a message. */
struct run {
	const char *at, *end;
	struct event *event;
	bool met_end;			/* a literal or a type wanted more than the message has */
};

/* Letters and digits. */
static const bool alnum[256] = {
	['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1, ['7'] = 1, ['8'] = 1, ['9'] = 1,
	['A'] = 1, ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1, ['G'] = 1, ['H'] = 1, ['I'] = 1, ['J'] = 1,
	['K'] = 1, ['L'] = 1, ['M'] = 1, ['N'] = 1, ['O'] = 1, ['P'] = 1, ['Q'] = 1, ['R'] = 1, ['S'] = 1, ['T'] = 1,
	['U'] = 1, ['V'] = 1, ['W'] = 1, ['X'] = 1, ['Y'] = 1, ['Z'] = 1,
	['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1, ['e'] = 1, ['f'] = 1, ['g'] = 1, ['h'] = 1, ['i'] = 1, ['j'] = 1,
	['k'] = 1, ['l'] = 1, ['m'] = 1, ['n'] = 1, ['o'] = 1, ['p'] = 1, ['q'] = 1, ['r'] = 1, ['s'] = 1, ['t'] = 1,
	['u'] = 1, ['v'] = 1, ['w'] = 1, ['x'] = 1, ['y'] = 1, ['z'] = 1,
};

static bool is_alnum(char c)
{
	return alnum[(unsigned char)c];
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool at_literal(const char *at, const char *end, struct text literal)
{
	return (size_t)(end - at) >= literal.length && memcmp(at, literal.start, literal.length) == 0;
}

/* Where the literal comes first; NULL: nowhere. */
static const char *find_literal(const char *at, const char *end, struct text literal)
{
	while ((at = memchr(at, literal.start[0], (size_t)(end - at)))) {
		if (at_literal(at, end, literal))
			return at;
		at++;
	}
	return NULL;
}

static const char *find_last(const char *at, const char *end, struct text literal)
{
	for (const char *p = end - literal.length; p >= at; p--)
		if (at_literal(p, end, literal))
			return p;
	return NULL;
}

/* The literals that may follow an op: of the options behind it, and of what comes after them.
 * Gives their count; *ret_may_end: the message may also end there. */
static int followers(const struct op *op, struct text *ret, bool *ret_may_end)
{
	int count = 0;

	for (op++; op->type == OP_OPTION || op->type == OP_OPTION_END; op += op->skip + 1)
		if (op->type == OP_OPTION && count < LITERALS_MAX - 1 &&
		    (op[1].type == OP_LITERAL || op[1].type == OP_KEEP_LITERAL))
			ret[count++] = op[1].literal;
	*ret_may_end = op->type == OP_END;
	if (op->type == OP_LITERAL || op->type == OP_KEEP_LITERAL)
		ret[count++] = op->literal;
	return count;
}

static const char *find_text_end(const struct op *op, const char *at, const char *end)
{
	struct text literals[LITERALS_MAX];
	bool may_end;
	int count = followers(op, literals, &may_end);
	const char *first = may_end ? end : NULL;

	for (int i = 0; i < count; i++) {
		const char *found = find_literal(at, first ? first : end, literals[i]);

		/* One that begins before the first but reaches over it counts too. */
		if (!found && first)
			found = NULL;
		if (found && (!first || found < first))
			first = found;
	}
	return first;
}

static const char *find_address_end(const struct op *op, const char *at, const char *end)
{
	struct text literals[LITERALS_MAX];
	bool may_end;

	if (followers(op, literals, &may_end) == 0)
		return NULL;
	return template_address_end(at, end, literals[0]);
}

static const char *scan_host(const char *at, const char *end)
{
	while (at < end && *at != '[' && *at != ' ' && *at != ',' && *at != ':')
		at++;
	return at;
}

static inline __attribute__((always_inline)) const char *scan_while(const char *at, const char *end,
								     bool (*belongs)(char))
{
	while (at < end && belongs(*at))
		at++;
	return at;
}

static bool is_decimal(char c)
{
	return is_digit(c) || c == '.' || c == '-';
}

static bool is_word(char c)
{
	return c != ' ' && c != ',' && c != ')' && c != ';';
}

static bool is_token(char c)
{
	return c != ' ';
}

static bool is_address_char(char c)
{
	return c != ']' && c != ' ' && c != ',';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.';
}

/* Where the value of a capture ends; NULL: there is none of its type. */
static const char *value_end(const struct op *op, const struct run *run)
{
	const char *at = run->at, *end = run->end, *found = at;

	switch (op->type) {
	case OP_TEXT:
		return find_text_end(op, at, end);
	case OP_ADDRESS:
		return find_address_end(op, at, end);
	case OP_LAST:
		return find_last(at, end, op[1].literal);
	case OP_NUMBER:
		found = scan_while(at, end, is_digit);
		break;
	case OP_DECIMAL:
		found = scan_while(at, end, is_decimal);
		break;
	case OP_WORD:
		found = scan_while(at, end, is_word);
		break;
	case OP_TOKEN:
		found = scan_while(at, end, is_token);
		/* "{name:token}: ": the colon is the pattern's. */
		if (found > at + 1 && found[-1] == ':' && op[1].type == OP_LITERAL && op[1].literal.start[0] == ':')
			found--;
		break;
	case OP_HOST:
		found = scan_host(at, end);
		break;
	case OP_IP:
		found = scan_while(at, end, is_address_char);
		break;
	case OP_ID:
		found = scan_while(at, end, is_alnum);
		break;
	case OP_HEX:
		found = scan_while(at, end, is_hex);
		while (found > at && found[-1] == ':')
			found--;
		break;
	case OP_REST:
	case OP_REPLY:
	case OP_HEADER:
	case OP_COUNTS:
		return end;
	case OP_TAIL:
		return end > at && end[-1] == ')' ? end - 1 : end;
	case OP_LITERAL:
	case OP_KEEP_LITERAL:
	case OP_OPTION:
	case OP_OPTION_END:
	case OP_END:
		break;
	}
	return found == at ? NULL : found;
}

static bool read_capture(const struct op *op, struct run *run)
{
	const char *end = value_end(op, run);
	struct text value;

	if (!end) {
		run->met_end = run->at == run->end;
		return false;
	}
	value = (struct text){ run->at, (size_t)(end - run->at) };
	if (op->type == OP_REPLY)
		template_tail_read(value, op->name, run->event);
	else if (op->type == OP_HEADER)
		template_tail_header(value, op->name, run->event);
	else if (op->type == OP_COUNTS)
		template_tail_counts(value, op->name, run->event);
	else
		event_add(run->event, op->name, value);
	run->at = op->type == OP_TAIL ? run->end : end;
	return true;
}

/* As at_literal, by words where the message has so many bytes left. */
static bool fits_literal(const struct op *op, const struct run *run)
{
	uint64_t word;

	if ((size_t)(run->end - run->at) < sizeof word)
		return at_literal(run->at, run->end, op->literal);
	memcpy(&word, run->at, sizeof word);
	if ((word & op->mask) != op->word)
		return false;
	return op->literal.length <= sizeof word || at_literal(run->at, run->end, op->literal);
}

static bool read_literal(const struct op *op, struct run *run)
{
	if (!fits_literal(op, run)) {
		size_t left = (size_t)(run->end - run->at);

		run->met_end = left < op->literal.length && memcmp(run->at, op->literal.start, left) == 0;
		return false;
	}
	if (op->type == OP_KEEP_LITERAL)
		event_add(run->event, op->name, (struct text){ run->at, op->literal.length });
	run->at += op->literal.length;
	return true;
}

/* Where an option began, to go back to when it does not fit. */
struct option {
	const struct op *op;
	const char *at;
	unsigned field_count;
};

static bool run_row(const struct op *op, struct run *run)
{
	struct option option = { .op = NULL };

	for (;; op++) {
		bool fits;

		if (op->type == OP_LITERAL || op->type == OP_KEEP_LITERAL) {
			fits = read_literal(op, run);
		} else if (op->type == OP_END) {
			return run->at == run->end;
		} else if (op->type == OP_OPTION) {
			option = (struct option){ op, run->at, run->event->field_count };
			continue;
		} else if (op->type == OP_OPTION_END) {
			option.op = NULL;
			continue;
		} else {
			fits = read_capture(op, run);
		}
		if (fits)
			continue;
		if (!option.op)
			return false;
		run->at = option.at;
		run->event->field_count = option.field_count;
		op = option.op + option.op->skip;
		option.op = NULL;
	}
}

/* Takes the first row that the text is. */
static bool read_side(const struct template_set *set, int group, enum side side, struct text text,
		      struct event *event, bool cut)
{
	unsigned char first = text.length ? (unsigned char)text.start[0] : 0;
	const struct bucket *bucket = &set->groups[group].buckets[side][first < 128 ? first : 0];
	unsigned before = event->field_count;

	for (unsigned i = 0; i < bucket->count; i++) {
		const struct row *row = &set->rows[set->list[bucket->start + i]];
		struct run run = { text.start, text.start + text.length, event, false };

		if (run_row(row->ops, &run) ||
		    (cut && run.met_end && event->field_count > before + 1)) {
			event->kind = row->kind;
			event->is_cut = cut;
			return true;
		}
		event->field_count = before;
	}
	return false;
}

/* "3A5F2C01E2: " or "NOQUEUE: "; gives its length, 0: none. By its place, whatever it looks like. */
static size_t id_length(struct text text)
{
	size_t i = 0, limit = text.length < ID_MAX ? text.length : ID_MAX;

	while (i < limit && is_alnum(text.start[i]))
		i++;
	return i >= ID_MIN && i + 1 < text.length && text.start[i] == ':' && text.start[i + 1] == ' ' ? i : 0;
}

static size_t level_length(struct text text)
{
	static const char *const levels[] = { "warning", "fatal", "error", "panic" };

	for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
		size_t length = strlen(levels[i]);

		if (text.length > length + 2 && memcmp(text.start, levels[i], length) == 0 &&
		    text.start[length] == ':' && text.start[length + 1] == ' ')
			return length;
	}
	return 0;
}

static struct text behind_mark(struct text text, size_t length)
{
	return (struct text){ text.start + length + 2, text.length - length - 2 };
}

static bool read_levelled(const struct template_set *set, int group, struct text text, struct event *event, bool cut)
{
	size_t level = level_length(text), id;

	if (!level)
		return false;
	event_add(event, "severity", (struct text){ text.start, level });
	text = behind_mark(text, level);
	if (read_side(set, group, SIDE_LEVEL, text, event, cut))
		return true;
	id = id_length(text);
	if (!id)
		return false;
	event_add(event, "queue_id", (struct text){ text.start, id });
	return read_side(set, group, SIDE_LEVEL, behind_mark(text, id), event, cut);
}

static bool read_with_id(const struct template_set *set, int group, size_t id, struct text text,
			 struct event *event, bool cut)
{
	if (id != 7 || memcmp(text.start, "NOQUEUE", 7) != 0)
		event_add(event, "queue_id", (struct text){ text.start, id });
	text = behind_mark(text, id);
	if (read_side(set, group, SIDE_ID, text, event, cut))
		return true;
	return read_levelled(set, group, text, event, cut);
}

static bool read_once(const struct template_set *set, int group, struct event *event, bool cut)
{
	struct text text = event->frame.message;
	size_t id = id_length(text);

	event->field_count = 0;
	if (id && read_with_id(set, group, id, text, event, cut))
		return true;
	event->field_count = 0;
	if (read_side(set, group, SIDE_PLAIN, text, event, cut) || read_levelled(set, group, text, event, cut))
		return true;
	event->field_count = 0;
	return false;
}

bool template_read(const struct template_set *set, int group, struct event *event)
{
	struct text *message = &event->frame.message;

	while (message->length && message->start[message->length - 1] == ' ')
		message->length--;
	/* A line that was cut ends in the middle of its kind; looked for last. */
	return read_once(set, group, event, false) || read_once(set, group, event, true);
}
