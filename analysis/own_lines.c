/* own_lines.c - who reads the lines of a file that are not in frames of syslog. */
#include "analysis/own_lines.h"

#include <errno.h>
#include <stdlib.h>

static size_t largest_state(void)
{
	size_t size = 1;

	for (const struct format *const *format = format_table; *format; format++)
		if ((*format)->own_size > size)
			size = (*format)->own_size;
	return size;
}

int own_lines_new(struct own_lines **ret_own, const struct format *only)
{
	struct own_lines *own = calloc(1, sizeof *own);

	if (!own)
		return -ENOMEM;
	own->only = only;
	own->state = calloc(1, largest_state());
	if (!own->state || csv_record_new(&own->csv) != 0) {
		own_lines_free(own);
		return -ENOMEM;
	}
	*ret_own = own;
	return 0;
}

void own_lines_free(struct own_lines *own)
{
	if (!own)
		return;
	csv_record_free(own->csv);
	free(own->state);
	free(own);
}

static void use(struct own_lines *own, const struct format *format)
{
	own->format = format;
	own->has_more = false;
	if (format && format->own_size)
		memset(own->state, 0, format->own_size);
	csv_record_drop(own->csv);
}

void own_lines_start(struct own_lines *own, struct text path, int year, int64_t file_us)
{
	stamp_start(&own->stamps, year, file_us);
	own->path = path;
	own->date[0] = own->log_type[0] = '\0';
	use(own, NULL);
}

struct text own_keep(struct own_lines *own, struct text text)
{
	size_t room = sizeof own->kept - own->kept_length;
	struct text copy = { own->kept + own->kept_length, text.length < room ? text.length : room };

	if (!text.start)
		return TEXT_NONE;
	memcpy(own->kept + own->kept_length, text.start, copy.length);
	own->kept_length += copy.length;
	return copy;
}

enum csv_result own_read_record(struct own_lines *own, struct text line, struct event *event)
{
	enum csv_result result = csv_record_line(own->csv, line);

	own->lines_back = csv_record_lines(own->csv) - 1;
	event->frame.message = csv_record_text(own->csv);
	return result;
}

/* Keeps what stands behind the prefix; false: the line has another. */
static bool keep_behind(struct text line, const char *prefix, char *word)
{
	size_t skip = strlen(prefix), length;

	if (!text_starts(line, prefix))
		return false;
	length = line.length - skip < OWN_WORD_MAX - 1 ? line.length - skip : OWN_WORD_MAX - 1;
	memcpy(word, line.start + skip, length);
	word[length] = '\0';
	return true;
}

/* Brackets before the first record of JSON that is printed over many lines: "[", "{", "\"value\": [". */
static bool is_opening(struct text line)
{
	static const char *const openings[] = { "[", "{", "\"value\":[", "\"d\":{", "\"results\":[" };
	char signs[16];
	size_t length = 0;

	for (size_t i = 0; i < line.length; i++) {
		if (line.start[i] == ' ' || line.start[i] == '\t')
			continue;
		if (length == sizeof signs)
			return false;
		signs[length++] = line.start[i];
	}
	for (size_t i = 0; i < sizeof openings / sizeof openings[0]; i++)
		if (text_is((struct text){ signs, length }, openings[i]))
			return true;
	return false;
}

/* What stands before the columns; "#TYPE " is of PowerShell. */
static bool is_preface(struct own_lines *own, struct text line)
{
	return keep_behind(line, "#Date: ", own->date) || keep_behind(line, "#Log-type: ", own->log_type) ||
	       text_starts(line, "#Software: ") || text_starts(line, "#Version: ") || text_starts(line, "#TYPE ") || is_opening(line);
}

static enum own_result read_by(struct own_lines *own, struct text line, struct event *event)
{
	enum own_result result;

	event->frame = (struct frame){ .form = FRAME_OWN, .is_message_known = true, .message = line };
	event->field_count = 0;
	event->kind = NULL;
	event->is_cut = false;
	event->program = -1;
	event->memory = NULL;
	own->kept_length = 0;
	if (own->turn == 0)
		own->lines_back = 0;
	else if (own->lines_back)
		event->frame.message = csv_record_text(own->csv);
	result = own->format->read_own(own, line, event);
	event->format = own->format;
	if (result == OWN_UNKNOWN) {
		event->kind = NULL;
		event->field_count = 0;
	}
	return result;
}

/* The format that may begin with the line; NULL: none. */
static const struct format *find(struct own_lines *own, struct text line)
{
	if (own->only)
		return own->only->read_own ? own->only : NULL;
	for (const struct format *const *format = format_table; *format; format++)
		if ((*format)->claims && (*format)->claims(own, line))
			return *format;
	return NULL;
}

/* Where one file was put behind another, a line that is not understood may begin the next. */
static bool is_of_another(struct own_lines *own, struct text line)
{
	const struct format *format;

	if (own->only || own->lines_back)
		return false;
	format = find(own, line);
	return format && format != own->format;
}

bool own_lines_claim(struct own_lines *own, struct text line)
{
	use(own, find(own, line));
	return own->format != NULL;
}

void own_lines_leave(struct own_lines *own)
{
	use(own, NULL);
}

/* The next event of the line before. */
static enum own_result read_on(struct own_lines *own, struct event *event)
{
	own->has_more = false;
	own->turn++;
	return read_by(own, own->line, event);
}

enum own_result own_lines_read(struct own_lines *own, struct text line, struct event *event)
{
	enum own_result result;

	if (own->has_more)
		return read_on(own, event);
	while (line.length && line.start[line.length - 1] == '\r')
		line.length--;
	own->turn = 0;
	own->line = line;
	if (own->format) {
		result = read_by(own, line, event);
		if (result != OWN_NOT_MINE && (result != OWN_UNKNOWN || !is_of_another(own, line)))
			return result;
	}
	if (text_is_blank(line) || is_preface(own, line))
		return OWN_NOTHING;
	if (!own_lines_claim(own, line))
		return OWN_NOT_MINE;
	result = read_by(own, line, event);
	if (result != OWN_NOT_MINE)
		return result;
	/* What is claimed is read; only one that was asked for by name may find that it cannot. */
	use(own, NULL);
	return own->only ? OWN_NOT_MINE : OWN_UNKNOWN;
}

enum own_result own_lines_finish(struct own_lines *own, struct event *event)
{
	if (!own->format || !csv_record_is_open(own->csv))
		return OWN_NOTHING;
	event->frame = (struct frame){ .form = FRAME_OWN, .is_message_known = true, .message = csv_record_text(own->csv) };
	event->format = own->format;
	event->kind = NULL;
	event->field_count = 0;
	event->is_cut = true;
	own->lines_back = csv_record_lines(own->csv) - 1;
	csv_record_drop(own->csv);
	return OWN_UNKNOWN;
}
