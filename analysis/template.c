/* template.c - patterns made into short programs, and their run over a message. */
#include "analysis/template.h"

#include <assert.h>
#include <stdlib.h>

#include "analysis/scan.h"
#include "analysis/template_tail.h"

enum { GROUPS_MAX = 96, GROUP_SLOTS = 512, LITERALS_MAX = 16, OPS_PER_ROW = 96, ID_MIN = 5, ID_MAX = 64 };

enum op_type {
	OP_LITERAL, OP_KEEP_LITERAL, OP_OPTION, OP_OPTION_END, OP_END,
	OP_TEXT, OP_NUMBER, OP_DECIMAL, OP_WORD, OP_TOKEN, OP_HOST, OP_IP, OP_ID, OP_ADDRESS, OP_REST,
	OP_TAIL, OP_LAST, OP_REPLY, OP_HEADER, OP_HEX, OP_COUNTS, OP_ADDRESSES,
};

static const struct {
	const char *name;
	enum op_type type;
} types[] = {
	{ "number", OP_NUMBER }, { "decimal", OP_DECIMAL }, { "word", OP_WORD }, { "token", OP_TOKEN },
	{ "host", OP_HOST }, { "ip", OP_IP }, { "id", OP_ID }, { "address", OP_ADDRESS }, { "rest", OP_REST },
	{ "tail", OP_TAIL }, { "last", OP_LAST }, { "reply", OP_REPLY }, { "header", OP_HEADER }, { "hex", OP_HEX },
	{ "counts", OP_COUNTS }, { "addresses", OP_ADDRESSES },
};

struct op {
	enum op_type type;
	unsigned skip;			/* OP_OPTION: ops to its end */
	struct text literal;
	size_t anchor;			/* which of its bytes is looked for: the first that is rare in messages */
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

/* ---- characters ---- */

/* What numbers are made of. */
enum char_class { CHAR_DIGIT = 1, CHAR_DECIMAL = 2, CHAR_HEX = 4 };

static unsigned char char_classes[256];

/* Before any set is read. */
static void make_classes(void)
{
	for (int c = 1; c < 256; c++)
		char_classes[c] = (unsigned char)((strchr("0123456789", c) ? CHAR_DIGIT : 0) | (strchr("0123456789.-", c) ? CHAR_DECIMAL : 0) |
						  (strchr("0123456789abcdefABCDEF:.", c) ? CHAR_HEX : 0));
}

static inline bool is_of_class(char c, enum char_class class)
{
	return char_classes[(unsigned char)c] & class;
}

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
	struct op op = { .type = OP_TEXT, .name = event_name_intern(keep_text(set, start, (size_t)(mark - start)).start) };

	if (equals) {
		op.type = OP_KEEP_LITERAL;
		op.literal = keep_text(set, mark + 1, rest - 1);
	} else if (colon) {
		op.type = type_of(mark + 1, rest - 1);
	}
	return op;
}

/* To the next place, or behind the brace of "{{". */
static size_t literal_length(const char *at)
{
	size_t length = 0;

	while (at[length] && at[length] != '{' && !(at[length] == '?' && at[length + 1] == '}'))
		length++;
	return at[length] == '{' && at[length + 1] == '{' ? length + 1 : length;
}

static void compile(struct template_set *set, const char *at)
{
	struct op *option = NULL;

	while (*at) {
		struct op *op = &set->ops[set->op_count++];

		if (at[0] == '{' && at[1] == '?') {
			*op = (struct op){ .type = OP_OPTION };
			assert(!option);
			option = op;
			at += 2;
		} else if (at[0] == '{' && at[1] != '{') {
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
			at += length + (at[length - 1] == '{');
		}
	}
	assert(!option);
	set->ops[set->op_count++] = (struct op){ .type = OP_END };
}

/* Blanks and marks are everywhere. */
static size_t anchor_of(struct text literal)
{
	size_t anchor = strspn(literal.start, " ,:;=<>[]()./");

	return anchor < literal.length ? anchor : 0;
}

/* What is compared and looked for of each literal. */
static void prepare_literals(struct template_set *set)
{
	for (size_t i = 0; i < set->op_count; i++) {
		struct op *op = &set->ops[i];
		size_t length = op->literal.length < sizeof op->word ? op->literal.length : sizeof op->word;

		if (length) {
			memcpy(&op->word, op->literal.start, length);
			memset(&op->mask, 0xff, length);
			op->anchor = anchor_of(op->literal);
		}
	}
}

static void compile_row(struct template_set *set, struct row *row, const struct template_row *source)
{
	const char *pattern = source->pattern;

	row->kind = event_kind_intern(source->kind);
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

/* Daemons differ in length, first, middle and last byte but for a few. */
static unsigned slot_of(struct text program)
{
	unsigned hash = (unsigned)program.length;

	if (program.length) {
		hash = hash * 33 + (unsigned char)program.start[0];
		hash = hash * 33 + (unsigned char)program.start[program.length / 2];
		hash = hash * 33 + (unsigned char)program.start[program.length - 1];
	}
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
	make_classes();
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
	prepare_literals(set);
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

static bool at_literal(const char *at, const char *end, struct text literal)
{
	return (size_t)(end - at) >= literal.length && memcmp(at, literal.start, literal.length) == 0;
}

/* Where the literal of the op comes first; NULL: nowhere. */
static const char *find_literal(const char *at, const char *end, const struct op *op)
{
	struct text literal = op->literal;

	if ((size_t)(end - at) < literal.length)
		return NULL;
	/* The anchor is found, then what stands around it is compared. */
	for (at += op->anchor, end -= literal.length - 1 - op->anchor; (at = memchr(at, literal.start[op->anchor], (size_t)(end - at))); at++)
		if (memcmp(at - op->anchor, literal.start, literal.length) == 0)
			return at - op->anchor;
	return NULL;
}

static const char *find_last(const char *at, const char *end, const struct op *op)
{
	struct text literal = op->literal;

	if ((size_t)(end - at) < literal.length)
		return NULL;
	at += op->anchor;
	for (end -= literal.length - 1 - op->anchor; (end = memrchr(at, literal.start[op->anchor], (size_t)(end - at)));)
		if (memcmp(end - op->anchor, literal.start, literal.length) == 0)
			return end - op->anchor;
	return NULL;
}

/* The ops of literals that may follow an op: of the options behind it, and of what comes after them.
 * Gives their count; *ret_may_end: the message may also end there. */
static int followers(const struct op *op, const struct op **ret, bool *ret_may_end)
{
	int count = 0;

	for (op++; op->type == OP_OPTION || op->type == OP_OPTION_END; op += op->skip + 1)
		if (op->type == OP_OPTION && count < LITERALS_MAX - 1 &&
		    (op[1].type == OP_LITERAL || op[1].type == OP_KEEP_LITERAL))
			ret[count++] = &op[1];
	*ret_may_end = op->type == OP_END;
	if (op->type == OP_LITERAL || op->type == OP_KEEP_LITERAL)
		ret[count++] = op;
	return count;
}

static const char *find_text_end(const struct op *op, const char *at, const char *end)
{
	const struct op *literals[LITERALS_MAX];
	bool may_end;
	int count = followers(op, literals, &may_end);
	const char *first = may_end ? end : NULL;

	for (int i = 0; i < count; i++) {
		const char *found = find_literal(at, first ? first : end, literals[i]);

		if (found)
			first = found;
	}
	return first;
}

static const char *find_address_end(const struct op *op, const char *at, const char *end)
{
	const struct op *literals[LITERALS_MAX];
	bool may_end;

	if (followers(op, literals, &may_end) == 0)
		return NULL;
	return template_address_end(at, end, literals[0]->literal);
}

static inline const char *scan_while(const char *at, const char *end, enum char_class class)
{
	while (at < end && is_of_class(*at, class))
		at++;
	return at;
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
		return find_last(at, end, &op[1]);
	case OP_NUMBER:
		found = scan_while(at, end, CHAR_DIGIT);
		break;
	case OP_DECIMAL:
		found = scan_while(at, end, CHAR_DECIMAL);
		break;
	case OP_WORD:
		found = scan_find(at, end, ' ', ',', ')', ';');
		break;
	case OP_TOKEN:
		found = scan_find(at, end, ' ', ' ', ' ', ' ');
		/* "{name:token}: ": the colon is the pattern's. */
		if (found > at + 1 && found[-1] == ':' && op[1].type == OP_LITERAL && op[1].literal.start[0] == ':')
			found--;
		break;
	case OP_HOST:
		found = scan_find(at, end, '[', ' ', ',', ':');
		break;
	case OP_IP:
		found = scan_find(at, end, ']', ' ', ',', ',');
		break;
	case OP_ID:
		found = scan_alnum_end(at, end);
		break;
	case OP_HEX:
		found = scan_while(at, end, CHAR_HEX);
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
	case OP_ADDRESSES:
		return template_tail_addresses(at, end, op->name, run->event);
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
	else if (op->type != OP_ADDRESSES)
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
	/* Up to two words: the second overlaps the first. */
	if (op->literal.length > sizeof word && op->literal.length <= 2 * sizeof word) {
		size_t second = op->literal.length - sizeof word;

		return (size_t)(run->end - run->at) >= op->literal.length &&
		       memcmp(run->at + second, op->literal.start + second, sizeof word) == 0;
	}
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
			event->is_cut = event->is_cut || cut;
			return true;
		}
		event->field_count = before;
	}
	return false;
}

/* "3A5F2C01E2: " or "NOQUEUE: "; gives its length, 0: none. By its place, whatever it looks like. */
static size_t id_length(struct text text)
{
	const char *end = text.start + (text.length < ID_MAX ? text.length : ID_MAX);
	size_t i = text.length ? (size_t)(scan_alnum_end(text.start, end) - text.start) : 0;

	return i >= ID_MIN && i + 1 < text.length && text.start[i] == ':' && text.start[i + 1] == ' ' ? i : 0;
}

static size_t level_length(struct text text)
{
	static const char *const levels[] = { "warning", "fatal", "error", "panic" };

	if (!text.length || !memchr("wfep", text.start[0], 4))
		return 0;
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
	event_add(event, EVENT_NAME(SEVERITY), (struct text){ text.start, level });
	text = behind_mark(text, level);
	if (read_side(set, group, SIDE_LEVEL, text, event, cut))
		return true;
	id = id_length(text);
	if (!id)
		return false;
	event_add(event, EVENT_NAME(QUEUE_ID), (struct text){ text.start, id });
	return read_side(set, group, SIDE_LEVEL, behind_mark(text, id), event, cut);
}

static bool read_with_id(const struct template_set *set, int group, size_t id, struct text text,
			 struct event *event, bool cut)
{
	if (id != 7 || memcmp(text.start, "NOQUEUE", 7) != 0)
		event_add(event, EVENT_NAME(QUEUE_ID), (struct text){ text.start, id });
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
	if (id && !level_length(text) && read_with_id(set, group, id, text, event, cut))
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
