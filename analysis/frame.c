/* frame.c - frames of one line: syslog in its variants, RFC 5424, prefixes, repeated-line notices. */
#include "analysis/frame.h"

#include <errno.h>
#include <stdlib.h>

enum { TAG_MAX = 128, PID_MAX = 20, HOST_MAX = 255, PREFIX_MAX = 64, NESTING_MAX = 3 };

int frame_init(struct frame_reader *reader)
{
	*reader = (struct frame_reader){ .form = FRAME_SYSLOG };
	reader->memory = calloc(1, sizeof *reader->memory);
	return reader->memory ? 0 : -ENOMEM;
}

void frame_done(struct frame_reader *reader)
{
	free(reader->memory);
	reader->memory = NULL;
}

void frame_start(struct frame_reader *reader, int year, int64_t file_us)
{
	stamp_start(&reader->stamps, year, file_us);
	reader->form = FRAME_SYSLOG;
	reader->memory->in_entry = false;
	reader->memory->wants_size = reader->memory->wants_value = false;
	for (int i = 0; i < FRAME_HOSTS_MAX; i++)
		reader->memory->last[i].message_length = 0;
}

static struct text behind(struct text text, size_t count)
{
	return (struct text){ text.start + count, text.length - count };
}

/* Inline, so that the comparison is one of words. */
static inline __attribute__((always_inline)) bool starts_with(struct text text, const char *prefix, size_t length)
{
	return text.length >= length && memcmp(text.start, prefix, length) == 0;
}
#define STARTS_WITH(text, literal) starts_with((text), (literal), sizeof(literal) - 1)

static struct text skip_blanks(struct text text)
{
	while (text.length && text.start[0] == ' ')
		text = behind(text, 1);
	return text;
}

/* Takes the word that the text starts with, and the blank behind it. */
static struct text take_word(struct text *text, size_t limit)
{
	const char *blank = memchr(text->start, ' ', text->length < limit ? text->length : limit);
	struct text word = { text->start, blank ? (size_t)(blank - text->start) : text->length };

	if (word.length > limit)
		return TEXT_NONE;
	*text = behind(*text, word.length + (blank ? 1 : 0));
	return word;
}

/* "<22>" and what a receiver may have left of it. */
static struct text skip_priority(struct text line)
{
	size_t i = 1;

	if (line.length < 3 || line.start[0] != '<')
		return line;
	while (i < line.length && i < 5 && line.start[i] >= '0' && line.start[i] <= '9')
		i++;
	return i > 1 && i < line.length && line.start[i] == '>' ? behind(line, i + 1) : line;
}

/* "postfix/smtpd[4711]: text" or "postfix/smtpd: text"; false: no tag here. */
static bool read_tag(struct text text, struct frame *frame)
{
	const char *at = text.start, *end = at + (text.length < TAG_MAX ? text.length : TAG_MAX);
	const char *pid = NULL;

	while (at < end && *at != '[' && *at != ':' && *at > ' ')
		at++;
	if (at == end || at == text.start || *at == ' ')
		return false;
	struct text process = { text.start, (size_t)(at - text.start) };

	if (*at == '[') {
		end = at + PID_MAX < text.start + text.length ? at + PID_MAX : text.start + text.length;
		pid = ++at;
		while (at < end && *at != ']')
			at++;
		if (at == end || at == pid)
			return false;
		frame->pid = (struct text){ pid, (size_t)(at - pid) };
		at++;
	}
	end = text.start + text.length;
	/* Some write no blank behind "[4711]:". */
	if (at == end || *at != ':' || (!pid && at + 1 < end && at[1] != ' ')) {
		frame->pid = TEXT_NONE;
		return false;
	}
	frame->process = process;
	frame->message = skip_blanks(behind(text, (size_t)(at + 1 - text.start)));
	return true;
}

/* "[ID 197553 mail.info] text", as Solaris writes it. */
static void skip_solaris_id(struct frame *frame)
{
	const char *close;

	if (!STARTS_WITH(frame->message, "[ID "))
		return;
	close = memchr(frame->message.start, ']', frame->message.length < 64 ? frame->message.length : 64);
	if (close)
		frame->message = skip_blanks(behind(frame->message, (size_t)(close + 1 - frame->message.start)));
}

/* Host, tag and message: what follows a stamp. */
static void read_origin(struct text text, struct frame *frame)
{
	struct text rest = text;
	struct text word;

	if (!STARTS_WITH(text, "[") && read_tag(text, frame)) {
		skip_solaris_id(frame);
		return;
	}
	word = take_word(&rest, HOST_MAX);
	if (!word.length) {
		frame->message = text;
		return;
	}
	frame->host = word;
	rest = skip_blanks(rest);
	if (read_tag(rest, frame))
		skip_solaris_id(frame);
	else
		frame->message = rest;
}

/* Only what can be a month, a year or a priority. */
static bool may_be_inner(struct text text)
{
	return text.length >= 16 && (text.start[0] == '<' || text.start[3] == ' ' || text.start[4] == '-');
}

/* A whole syslog line inside the message of another: its host and process count, not its time. */
static void read_inner(struct frame *frame, int depth)
{
	struct stamp_reader stamps = { .year = 1972, .last_us = 0, .zone_known = false };
	struct frame inner = { .form = FRAME_SYSLOG };
	struct text text = skip_priority(frame->message);
	int64_t ignored;
	size_t length;

	length = stamp_read(&stamps, text, &ignored);
	if (!length || length >= text.length || text.start[length] != ' ')
		return;
	read_origin(skip_blanks(behind(text, length)), &inner);
	if (!inner.process.length)
		return;
	inner.has_time = frame->has_time;
	inner.time_us = frame->time_us;
	if (!inner.host.length)
		inner.host = frame->host;
	*frame = inner;
	if (depth < NESTING_MAX && may_be_inner(frame->message))
		read_inner(frame, depth + 1);
}

/* "stdout F " of Kubernetes' container log, behind its stamp. */
static struct text skip_container_stream(struct text text)
{
	if ((STARTS_WITH(text, "stdout ") || STARTS_WITH(text, "stderr ")) && text.length > 9 && text.start[8] == ' ')
		return behind(text, 9);
	return text;
}

bool frame_read_syslog(struct frame_reader *reader, struct text line, struct frame *frame)
{
	struct text text = skip_priority(line);
	size_t length = stamp_read(&reader->stamps, text, &frame->time_us);

	if (!length || (length < text.length && text.start[length] != ' ' && text.start[length] != ':'))
		return false;
	frame->has_time = true;
	text = skip_blanks(behind(text, length));
	text = skip_container_stream(text);
	int64_t inner_us;
	size_t inner = text.length > 16 && (text.start[3] == ' ' || text.start[4] == '-')
		? stamp_read(&reader->stamps, text, &inner_us) : 0;

	/* docker logs -t: the time of the daemon, then the line with its own. */
	if (inner)
		text = skip_blanks(behind(text, inner));
	read_origin(text, frame);
	if (may_be_inner(frame->message))
		read_inner(frame, 0);
	return true;
}

/* The structured data of RFC 5424: "-", or elements in brackets with quoted values. */
static bool skip_structured_data(struct text *text)
{
	bool in_quotes = false, in_element = false;
	size_t i = 0;

	if (STARTS_WITH(*text, "-")) {
		*text = skip_blanks(behind(*text, 1));
		return true;
	}
	for (; i < text->length; i++) {
		char c = text->start[i];

		if (in_quotes && c == '\\')
			i++;
		else if (in_element && c == '"')
			in_quotes = !in_quotes;
		else if (!in_element && c == ' ')
			break;
		else if (!in_quotes && (c == '[' || c == ']'))
			in_element = c == '[';
	}
	if (i > text->length || in_element || i == 0 || text->start[0] != '[')
		return false;
	*text = skip_blanks(behind(*text, i));
	return true;
}

static struct text unless_nil(struct text word)
{
	return text_is(word, "-") ? TEXT_NONE : word;
}

static bool read_5424(struct frame_reader *reader, struct text line, struct frame *frame)
{
	struct text text = skip_priority(line);
	size_t length;

	if (text.start == line.start || !STARTS_WITH(text, "1 "))
		return false;
	text = behind(text, 2);
	length = stamp_read(&reader->stamps, text, &frame->time_us);
	if (length)
		text = skip_blanks(behind(text, length));
	else if (STARTS_WITH(text, "- "))
		text = behind(text, 2);
	else
		return false;
	frame->form = FRAME_RFC5424;
	frame->has_time = length != 0;
	frame->host = unless_nil(take_word(&text, HOST_MAX));
	frame->process = unless_nil(take_word(&text, TAG_MAX));
	frame->pid = unless_nil(take_word(&text, TAG_MAX));
	(void)take_word(&text, TAG_MAX);
	if (!skip_structured_data(&text))
		return false;
	if (STARTS_WITH(text, "\xef\xbb\xbf"))
		text = behind(text, 3);
	frame->message = text;
	return true;
}

/* "mail  | Aug  7 ...": the prefix of compose; what follows must be a frame of its own. */
static bool read_prefixed(struct frame_reader *reader, struct text line, struct frame *frame)
{
	const char *bar = memchr(line.start, '|', line.length < PREFIX_MAX ? line.length : PREFIX_MAX);
	struct text text;

	if (!bar || bar == line.start || bar[-1] != ' ')
		return false;
	text = skip_blanks(behind(line, (size_t)(bar + 1 - line.start)));
	if (frame_read_syslog(reader, text, frame))
		return true;
	*frame = (struct frame){ .form = FRAME_SYSLOG };
	return STARTS_WITH(text, "postfix") && read_tag(text, frame);
}

static bool read_bare(struct text line, struct frame *frame)
{
	*frame = (struct frame){ .form = FRAME_BARE };
	if (!STARTS_WITH(line, "postfix") || !read_tag(line, frame))
		frame->message = line;
	return true;
}

static bool read_form(struct frame_reader *reader, enum frame_form form, struct text line, struct frame *frame)
{
	*frame = (struct frame){ .form = form };
	switch (form) {
	case FRAME_SYSLOG:
		return frame_read_syslog(reader, line, frame);
	case FRAME_RFC5424:
		return read_5424(reader, line, frame);
	case FRAME_JSON:
		return frame_read_json(reader, line, frame);
	case FRAME_EXPORT:
	case FRAME_BARE:
		break;
	}
	return false;
}

static bool read_any(struct frame_reader *reader, struct text line, struct frame *frame)
{
	static const enum frame_form forms[] = { FRAME_RFC5424, FRAME_SYSLOG, FRAME_JSON };

	if (read_form(reader, reader->form, line, frame))
		return true;
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
		if (forms[i] != reader->form && read_form(reader, forms[i], line, frame)) {
			reader->form = forms[i];
			return true;
		}
	*frame = (struct frame){ .form = FRAME_SYSLOG };
	return read_prefixed(reader, line, frame) || read_bare(line, frame);
}

/* "N times", behind what was read; false: no such count. */
static bool read_times(struct text *text, uint64_t *ret_count)
{
	uint64_t count = 0;
	size_t i = 0;

	while (i < text->length && i < 9 && text->start[i] >= '0' && text->start[i] <= '9')
		count = count * 10 + (uint64_t)(text->start[i++] - '0');
	if (i == 0)
		return false;
	*text = behind(*text, i);
	if (!STARTS_WITH(*text, " time"))
		return false;
	*text = behind(*text, STARTS_WITH(*text, " times") ? 6 : 5);
	*ret_count = count;
	return true;
}

static struct frame_last *last_of(struct frame_memory *memory, struct text host)
{
	for (int i = 0; i < FRAME_HOSTS_MAX; i++) {
		struct frame_last *last = &memory->last[i];

		if (last->message_length && text_equal(host, (struct text){ last->host, last->host_length }))
			return last;
	}
	return NULL;
}

static size_t keep_text(char *buffer, size_t size, struct text text)
{
	size_t length = text.length < size ? text.length : size;

	if (length)
		memcpy(buffer, text.start, length);
	return length;
}

static void keep_last(struct frame_memory *memory, const struct frame *frame)
{
	struct frame_last *last = last_of(memory, frame->host);

	if (frame->host.length > sizeof last->host)
		return;
	if (!last)
		last = &memory->last[memory->host_turn++ % FRAME_HOSTS_MAX];
	last->host_length = keep_text(last->host, sizeof last->host, frame->host);
	last->process_length = keep_text(last->process, sizeof last->process, frame->process);
	last->pid_length = keep_text(last->pid, sizeof last->pid, frame->pid);
	last->message_length = keep_text(last->message, sizeof last->message, frame->message);
}

/* "message repeated 2 times: [ text ]" of rsyslog; the process is in the tag. */
static void read_repeated(struct frame *frame)
{
	struct text text = behind(frame->message, sizeof "message repeated " - 1);
	uint64_t count;

	if (!read_times(&text, &count) || !STARTS_WITH(text, ": ["))
		return;
	text = skip_blanks(behind(text, 3));
	if (text.length && text.start[text.length - 1] == ']')
		text.length--;
	frame->message = text;
	frame->repeated = count;
	frame->is_message_known = true;
}

/* "last message repeated 2 times" of the same host. */
static void read_last_repeated(struct frame_reader *reader, struct frame *frame)
{
	struct text text = behind(frame->message, sizeof "last message repeated " - 1);
	struct frame_last *last = last_of(reader->memory, frame->host);
	uint64_t count;

	if (!read_times(&text, &count) || text.length)
		return;
	frame->repeated = count;
	frame->is_message_known = last != NULL;
	if (!last)
		return;
	frame->process = (struct text){ last->process, last->process_length };
	frame->pid = (struct text){ last->pid, last->pid_length };
	frame->message = (struct text){ last->message, last->message_length };
}

static void look_for_repetition(struct frame_reader *reader, struct frame *frame)
{
	struct text message = frame->message;

	frame->is_message_known = true;
	if (STARTS_WITH(message, "message repeated "))
		read_repeated(frame);
	else if (!frame->process.length && STARTS_WITH(message, "last message repeated "))
		read_last_repeated(reader, frame);
	else if (frame->process.length)
		keep_last(reader->memory, frame);
}

bool frame_read(struct frame_reader *reader, struct text line, struct frame *ret_frame)
{
	if (frame_is_export(reader, line)) {
		*ret_frame = (struct frame){ .form = FRAME_EXPORT };
		return frame_read_export(reader, line, ret_frame);
	}
	while (line.length && (line.start[line.length - 1] == '\r' || line.start[line.length - 1] == '\n'))
		line.length--;
	if (!line.length)
		return false;
	read_any(reader, line, ret_frame);
	look_for_repetition(reader, ret_frame);
	return true;
}

bool frame_finish(struct frame_reader *reader, struct frame *ret_frame)
{
	if (!reader->memory->in_entry)
		return false;
	*ret_frame = (struct frame){ .form = FRAME_EXPORT };
	reader->memory->wants_size = reader->memory->wants_value = false;
	return frame_read_export(reader, TEXT_LITERAL(""), ret_frame);
}
