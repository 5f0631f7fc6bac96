/* format.c - the family of formats: its table, and which one a line is of. */
#include "analysis/format.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "analysis/open_table.h"

enum { KNOWN_BITS = 9, KNOWN_NAME_MAX = 40, SHORT_NAME_MAX = 32 };

#define FORMAT(name) extern const struct format format_##name;
#include "analysis/formats.inc"
#undef FORMAT

const struct format *const format_table[] = {
#define FORMAT(name) &format_##name,
#include "analysis/formats.inc"
#undef FORMAT
	NULL,
};

_Static_assert(sizeof format_table / sizeof format_table[0] <= FORMATS_MAX, "format_reader has room for each");

bool format_only_tables;

int format_prepare(void)
{
	for (const struct format *const *format = format_table; *format; format++) {
		int error = (*format)->prepare ? (*format)->prepare() : 0;

		if (error)
			return error;
	}
	return 0;
}

uint8_t format_number(const struct format *format)
{
	uint8_t number = 0;

	if (!format)
		return 0;
	while (format_table[number] != format)
		number++;
	return (uint8_t)(number + 1);
}

const struct format *format_by_name(const char *name)
{
	for (const struct format *const *format = format_table; *format; format++)
		if (strcmp((*format)->name, name) == 0)
			return *format;
	return NULL;
}

int format_reader_init(struct format_reader *reader, const struct format *only)
{
	*reader = (struct format_reader){ .only = only };
	for (size_t i = 0; format_table[i]; i++) {
		if (!format_table[i]->memory_size)
			continue;
		reader->memories[i] = calloc(1, format_table[i]->memory_size);
		if (!reader->memories[i]) {
			format_reader_done(reader);
			return -ENOMEM;
		}
	}
	return 0;
}

void format_reader_done(struct format_reader *reader)
{
	for (size_t i = 0; i < FORMATS_MAX; i++) {
		free(reader->memories[i]);
		reader->memories[i] = NULL;
	}
}

void format_reader_start(struct format_reader *reader)
{
	reader->before = NULL;
	for (size_t i = 0; format_table[i]; i++)
		if (reader->memories[i])
			memset(reader->memories[i], 0, format_table[i]->memory_size);
}

/* ---- whose a process is ---- */

/* What a process was found to be: a log has few of them, and each in many lines. */
struct known {
	char name[KNOWN_NAME_MAX];
	size_t length;
	const struct format *owner;	/* NULL: none */
	int program;
};

static int program_of(const struct format *format, struct text process)
{
	return format->program ? format->program(process) : -1;
}

static void learn(struct known *known, struct text process)
{
	known->owner = NULL;
	known->program = -1;
	for (const struct format *const *format = format_table; *format && known->program < 0; format++) {
		known->program = program_of(*format, process);
		known->owner = known->program < 0 ? NULL : *format;
	}
	known->length = 0;
	if (process.length <= sizeof known->name) {
		memcpy(known->name, process.start, process.length);
		known->length = process.length;
	}
}

/* Names differ in their ends: "postfix/smtpd", "postfix/smtp". */
static inline struct known *known_of(struct text process)
{
	static _Thread_local struct known slots[1 << KNOWN_BITS];
	uint64_t words[2];

	hash_words(process, words);
	return &slots[((words[1] ^ process.length) * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - KNOWN_BITS)];
}

static inline bool is_owned(struct event *event, const struct format *owner, int program)
{
	event->format = owner;
	event->program = program;
	return program >= 0 && !owner->memory_size;
}

/* Out of the way of those that are known. */
static __attribute__((noinline)) bool find_new(const struct format_reader *reader, struct event *event)
{
	struct text process = event->frame.process;
	struct known *known;

	if (!process.length)
		return false;
	if (reader->only)
		return is_owned(event, reader->only, program_of(reader->only, process));
	known = known_of(process);
	if (known->length != process.length || memcmp(known->name, process.start, process.length) != 0)
		learn(known, process);
	return is_owned(event, known->owner, known->program);
}

bool format_find(const struct format_reader *reader, struct event *event)
{
	struct text process = event->frame.process;
	const struct known *known;

	event->format = NULL;
	event->program = -1;
	event->kind = NULL;
	event->field_count = 0;
	event->memory = NULL;
	/* 0, or longer than what is compared by words. */
	if (reader->only || process.length - 1 >= (size_t)SHORT_NAME_MAX)
		return find_new(reader, event);
	known = known_of(process);
	if (known->length != process.length || !text_same_bytes(known->name, process.start, process.length))
		return find_new(reader, event);
	return is_owned(event, known->owner, known->program);
}

/* ---- reading ---- */

/* A name may be known to several: "outbound/smtp" is a process of Barracuda's, and one of a Postfix of that name. */
static enum format_result read_by_next_owner(struct event *event)
{
	const struct format *before = event->format;
	enum format_result result = FORMAT_NOT_MINE;

	for (const struct format *const *format = format_table; *format && result == FORMAT_NOT_MINE; format++) {
		event->program = *format == before || (*format)->memory_size ? -1 : program_of(*format, event->frame.process);
		if (event->program < 0)
			continue;
		event->field_count = 0;
		event->format = *format;
		result = (*format)->read(event);
	}
	return result;
}

enum format_result format_read_otherwise(struct event *event, enum format_result result)
{
	if (result == FORMAT_NOT_MINE && event->program >= 0)
		result = read_by_next_owner(event);
	if (result == FORMAT_MATCHED)
		return result;
	event->kind = NULL;
	event->field_count = 0;
	if (result == FORMAT_NOT_MINE)
		event->format = NULL;
	return result;
}

static enum format_result read_by(struct format_reader *reader, const struct format *format, struct event *event)
{
	size_t index = 0;

	while (format_table[index] != format)
		index++;
	event->format = format;
	event->memory = reader->memories[index];
	return format_read_found(event);
}

/* By what it holds: of the format that took such a line before, of another, or of none. */
static enum format_result read_by_content(struct format_reader *reader, struct event *event)
{
	const struct format *owner = NULL;

	if (reader->before && read_by(reader, reader->before, event) == FORMAT_MATCHED)
		return FORMAT_MATCHED;
	owner = event->format;
	for (const struct format *const *format = format_table; *format; format++) {
		if (*format == reader->before)
			continue;
		if (read_by(reader, *format, event) == FORMAT_MATCHED) {
			reader->before = *format;
			return FORMAT_MATCHED;
		}
		owner = owner ? owner : event->format;
	}
	/* A line that no process wrote is of the format that lines before it were of, or of none. */
	event->format = event->frame.process.length || owner == reader->before ? owner : NULL;
	return format_result_of(event);
}

enum format_result format_read(struct format_reader *reader, struct event *event)
{
	if (format_find(reader, event))
		return format_read_found(event);
	if (event->format || reader->only)
		return read_by(reader, event->format ? event->format : reader->only, event);
	return read_by_content(reader, event);
}
