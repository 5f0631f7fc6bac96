/* frame.c - frames of one line: syslog in its variants, RFC 5424, prefixes, repeated-line notices. */
#include "analysis/frame.h"

#include <errno.h>
#include <stdlib.h>

#include "analysis/scan.h"

enum { TAG_MAX = 128, PID_MAX = 20, HOST_MAX = 255, PREFIX_MAX = 64, NESTING_MAX = 3, MONTH_LENGTH = 3, YEAR_LENGTH = 4 };

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
	for (int i = 0; i < FRAME_HOSTS_MAX; i++) {
		reader->memory->last[i].message = TEXT_NONE;
		reader->memory->last[i].rest = TEXT_NONE;
	}
	reader->memory->recent = NULL;
	reader->memory->head_length = 0;
}

/* Inline, so that the comparison is one of words. */
static inline __attribute__((always_inline)) bool starts_with(struct text text, const char *prefix, size_t length)
{
	return text.length >= length && memcmp(text.start, prefix, length) == 0;
}
#define STARTS_WITH(text, literal) starts_with((text), (literal), sizeof(literal) - 1)

static inline struct text skip_blanks(struct text text)
{
	while (text.length && text.start[0] == ' ')
		text = text_behind(text, 1);
	return text;
}

/* Takes the word that the text starts with, and the blank behind it. */
static struct text take_word(struct text *text, size_t limit)
{
	const char *blank = memchr(text->start, ' ', text->length < limit ? text->length : limit);
	struct text word = { text->start, blank ? (size_t)(blank - text->start) : text->length };

	if (word.length > limit)
		return TEXT_NONE;
	*text = text_behind(*text, word.length + (blank ? 1 : 0));
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
	return i > 1 && i < line.length && line.start[i] == '>' ? text_behind(line, i + 1) : line;
}

/* Where a tag's name ends: at a bracket, a colon, or what is no printable character of ASCII. */
static inline const char *name_end(const char *at, const char *end)
{
#ifdef __SSE2__
	for (; end - at >= SCAN_VECTOR; at += SCAN_VECTOR) {
		__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
		unsigned hits = scan_hits(at, '[', ':', '[', ':') |
				(unsigned)_mm_movemask_epi8(_mm_cmplt_epi8(bytes, _mm_set1_epi8(' ' + 1)));

		if (hits)
			return at + __builtin_ctz(hits);
	}
#endif
	while (at < end && *at != '[' && *at != ':' && *at > ' ')
		at++;
	return at;
}

/* "postfix/smtpd[4711]: text" or "postfix/smtpd: text"; false: no tag here. Inline, for the one use that every line makes. */
static inline __attribute__((always_inline)) bool read_tag_inline(struct text text, struct frame *frame)
{
	const char *end = text.start + text.length;
	const char *at = name_end(text.start, text.length > TAG_MAX ? text.start + TAG_MAX : end);
	const char *pid = NULL;
	size_t name_length = (size_t)(at - text.start);

	if (at == end || name_length == 0 || name_length >= TAG_MAX)
		return false;
	frame->pid = TEXT_NONE;
	if (*at == '[') {
		const char *limit = end - at > PID_MAX ? at + PID_MAX : end;

		pid = at + 1;
		at = scan_find(pid, limit, ']', ']', ']', ']');
		if (at >= limit || at == pid)
			return false;
		frame->pid = (struct text){ pid, (size_t)(at - pid) };
		at++;
	}
	/* Some write no blank behind "[4711]:". */
	if (at == end || *at != ':' || (!pid && at + 1 < end && at[1] != ' ')) {
		frame->pid = TEXT_NONE;
		return false;
	}
	frame->process = (struct text){ text.start, name_length };
	frame->message = skip_blanks((struct text){ at + 1, (size_t)(end - at - 1) });
	return true;
}

static bool read_tag(struct text text, struct frame *frame)
{
	return read_tag_inline(text, frame);
}

/* "[ID 197553 mail.info] text", as Solaris writes it. */
static void skip_solaris_id(struct frame *frame)
{
	const char *close;

	if (!STARTS_WITH(frame->message, "[ID "))
		return;
	close = memchr(frame->message.start, ']', frame->message.length < 64 ? frame->message.length : 64);
	if (close)
		frame->message = skip_blanks(text_behind(frame->message, (size_t)(close + 1 - frame->message.start)));
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

/* A month and a blank, or a year and a dash: most hosts and messages are told from a stamp by this. */
static inline bool may_be_stamp(struct text text)
{
	if (text.length < 16)
		return false;
	return (text.start[3] == ' ' && text.start[0] >= 'A' && text.start[0] <= 'S') ||
	       (text.start[4] == '-' && text.start[0] >= '0' && text.start[0] <= '9');
}

/* Only what can be a month, a year or a priority. */
static inline bool may_be_inner(struct text text)
{
	return may_be_stamp(text) || (text.length >= 16 && text.start[0] == '<');
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
	read_origin(skip_blanks(text_behind(text, length)), &inner);
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
		return text_behind(text, 9);
	return text;
}

bool frame_read_syslog(struct frame_reader *reader, struct text line, struct frame *frame)
{
	struct text text = skip_priority(line);
	size_t length = stamp_read(&reader->stamps, text, &frame->time_us);

	if (!length || (length < text.length && text.start[length] != ' ' && text.start[length] != ':'))
		return false;
	frame->has_time = true;
	text = skip_blanks(text_behind(text, length));
	text = skip_container_stream(text);
	int64_t inner_us;
	size_t inner = text.length > 16 && may_be_stamp(text) ? stamp_read(&reader->stamps, text, &inner_us) : 0;

	/* docker logs -t: the time of the daemon, then the line with its own. */
	if (inner)
		text = skip_blanks(text_behind(text, inner));
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
		*text = skip_blanks(text_behind(*text, 1));
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
	*text = skip_blanks(text_behind(*text, i));
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
	text = text_behind(text, 2);
	length = stamp_read(&reader->stamps, text, &frame->time_us);
	if (length)
		text = skip_blanks(text_behind(text, length));
	else if (STARTS_WITH(text, "- "))
		text = text_behind(text, 2);
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
		text = text_behind(text, 3);
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
	text = skip_blanks(text_behind(line, (size_t)(bar + 1 - line.start)));
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
	case FRAME_OWN:
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
	/* No syslog writes that a line came no times more. */
	if (count == 0)
		return false;
	*text = text_behind(*text, i);
	if (!STARTS_WITH(*text, " time"))
		return false;
	*text = text_behind(*text, STARTS_WITH(*text, " times") ? 6 : 5);
	*ret_count = count;
	return true;
}

static struct frame_last *last_of(struct frame_memory *memory, struct text host)
{
	for (int i = 0; i < FRAME_HOSTS_MAX; i++) {
		struct frame_last *last = &memory->last[i];

		if (last->message.length && text_equal(host, last->host))
			return last;
	}
	return NULL;
}

static struct text keep_text(char *buffer, size_t size, struct text text)
{
	text.length = text.length < size ? text.length : size;
	if (text.length)
		memcpy(buffer, text.start, text.length);
	return (struct text){ text.start ? buffer : NULL, text.length };
}

/* The parts of the last message, in memory of its own. */
static void copy_last(struct frame_last *last)
{
	struct frame frame = { .process = last->process, .pid = last->pid, .message = last->message };

	/* Of a line that was like the one before only its rest was noted. */
	if (last->rest.start)
		(void)read_tag(last->rest, &frame);
	last->rest = TEXT_NONE;
	last->process = keep_text(last->process_bytes, sizeof last->process_bytes, frame.process);
	last->pid = keep_text(last->pid_bytes, sizeof last->pid_bytes, frame.pid);
	last->message = keep_text(last->message_bytes, sizeof last->message_bytes, frame.message);
}

/* A host that can be nothing but a host, whatever stands behind it: no tag, no part of a container's prefix or of a stamp. */
static bool is_plain_host(struct text host)
{
	char first = host.length ? host.start[0] : ' ';

	if (first >= 'A' && first <= 'S' && host.length <= MONTH_LENGTH)
		return false;
	if (first >= '0' && first <= '9' && (host.length <= YEAR_LENGTH || host.start[YEAR_LENGTH] == '-'))
		return false;
	return host.length && !STARTS_WITH(host, "std") && name_end(host.start, host.start + host.length) == host.start + host.length;
}

static void keep_last(struct frame_memory *memory, const struct frame *frame)
{
	struct frame_last *last = last_of(memory, frame->host);

	memory->recent = NULL;
	if (frame->host.length > sizeof last->host_bytes)
		return;
	if (!last)
		last = &memory->last[memory->host_turn++ % FRAME_HOSTS_MAX];
	last->host = keep_text(last->host_bytes, sizeof last->host_bytes, frame->host);
	last->process = frame->process;
	last->pid = frame->pid;
	last->message = frame->message;
	last->rest = TEXT_NONE;
	last->is_plain = is_plain_host(last->host);
	copy_last(last);
	memory->recent = last;
}

void frame_hold(struct frame_reader *reader)
{
	for (int i = 0; i < FRAME_HOSTS_MAX; i++)
		if (reader->memory->last[i].rest.start)
			copy_last(&reader->memory->last[i]);
}

/* "message repeated 2 times: [ text ]" of rsyslog; the process is in the tag. */
static void read_repeated(struct frame *frame)
{
	struct text text = text_behind(frame->message, sizeof "message repeated " - 1);
	uint64_t count;

	if (!read_times(&text, &count) || !STARTS_WITH(text, ": ["))
		return;
	text = skip_blanks(text_behind(text, 3));
	if (text.length && text.start[text.length - 1] == ']')
		text.length--;
	frame->message = text;
	frame->repeated = count;
	frame->is_message_known = true;
}

/* "last message repeated 2 times" of the same host. */
static void read_last_repeated(struct frame_reader *reader, struct frame *frame)
{
	struct text text = text_behind(frame->message, sizeof "last message repeated " - 1);
	struct frame_last *last = last_of(reader->memory, frame->host);
	uint64_t count;

	if (!read_times(&text, &count) || text.length)
		return;
	frame->repeated = count;
	frame->is_message_known = last != NULL;
	if (!last)
		return;
	if (last->rest.start)
		copy_last(last);
	frame->process = last->process;
	frame->pid = last->pid;
	frame->message = last->message;
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

/* A message that can be nothing else: no frame of its own, no notice, no id of Solaris. */
static inline bool is_ordinary(struct text message)
{
	return message.length && message.start[0] != '[' && message.start[0] != 'm' && !may_be_inner(message);
}

static inline bool is_of_host(const struct frame_last *last, struct text text)
{
	size_t length = last->host.length;

	return last->is_plain && last->message.length && text.length >= length + 3 && text.start[length] == ' ' &&
	       text.start[length + 1] != ' ' && text_same_bytes(text.start, last->host.start, length);
}

/* The host that the text begins with, where it is one that wrote before and can be nothing else; NULL: none. */
static struct frame_last *known_host(struct frame_memory *memory, struct text text)
{
	if (memory->recent && is_of_host(memory->recent, text))
		return memory->recent;
	for (int i = 0; i < FRAME_HOSTS_MAX; i++)
		if (is_of_host(&memory->last[i], text))
			return memory->recent = &memory->last[i];
	return NULL;
}

/* The tag, and a message that is not about another. */
static inline __attribute__((always_inline)) bool read_rest(struct frame_reader *reader, struct text rest, struct frame *frame)
{
	struct frame_last *last = reader->memory->recent;

	if (!read_tag_inline(rest, frame) || !is_ordinary(frame->message))
		return false;
	frame->form = FRAME_SYSLOG;
	frame->has_time = true;
	frame->repeated = 0;
	frame->is_message_known = true;
	last->rest = rest;
	if (!reader->lines_stay)
		copy_last(last);
	return true;
}

/* Keeps stamp and host, which the next line is likely to begin with too. */
static void keep_head(struct frame_memory *memory, struct text line, size_t stamp_length, size_t head_length)
{
	if (head_length > sizeof memory->head)
		return;
	memcpy(memory->head, line.start, head_length);
	memory->head_length = head_length;
	memory->head_host = stamp_length + 1;
}

/* Nearly every line: the same second and host as the line before. False: anything else. */
static inline bool read_by_head(struct frame_reader *reader, struct text line, struct frame *frame)
{
	const struct frame_memory *memory = reader->memory;
	size_t length = memory->head_length;

	if (!length || line.length < length + 2 || line.start[length] == ' ' || !text_same_bytes(line.start, memory->head, length))
		return false;
	frame->time_us = reader->stamps.cached_us;
	frame->host = (struct text){ line.start + memory->head_host, length - 1 - memory->head_host };
	return read_rest(reader, text_behind(line, length), frame);
}

/* The hour of the line before, a known host, then a tag and a message that is not about another.
 * False: anything else, which is read the long way. */
static bool read_as_before(struct frame_reader *reader, struct text line, struct frame *frame)
{
	size_t length;

	reader->memory->head_length = 0;
	if (reader->form != FRAME_SYSLOG || reader->no_shortcut)
		return false;
	length = stamp_read_again(&reader->stamps, line, &frame->time_us);
	if (!length || length == line.length || line.start[length] != ' ')
		return false;
	struct text text = text_behind(line, length + 1);
	struct frame_last *last = known_host(reader->memory, text);

	if (!last)
		return false;
	frame->host = (struct text){ text.start, last->host.length };
	if (!read_rest(reader, text_behind(text, last->host.length + 1), frame))
		return false;
	/* A stamp that tells more than the second is another in the next line. */
	if (length == reader->stamps.cached_length)
		keep_head(reader->memory, line, length, length + 1 + last->host.length + 1);
	return true;
}

static struct text without_line_end(struct text line)
{
	while (line.length && (line.start[line.length - 1] == '\r' || line.start[line.length - 1] == '\n'))
		line.length--;
	return line;
}

/* Anything but what nearly every line is; out of its way. text: the line without its end. */
static __attribute__((noinline)) bool read_slowly(struct frame_reader *reader, struct text line, struct text text, struct frame *ret_frame)
{
	/* In an entry of journald a line end is part of a value. */
	if (!reader->memory->in_entry && read_as_before(reader, text, ret_frame))
		return true;
	if (frame_is_export(reader, line)) {
		*ret_frame = (struct frame){ .form = FRAME_EXPORT };
		return frame_read_export(reader, line, ret_frame);
	}
	if (!text.length)
		return false;
	read_any(reader, text, ret_frame);
	look_for_repetition(reader, ret_frame);
	return true;
}

bool frame_read(struct frame_reader *reader, struct text line, struct frame *ret_frame)
{
	struct text text = without_line_end(line);

	if (reader->no_shortcut)
		reader->stamps.cached_length = 0;
	if (!reader->memory->in_entry && read_by_head(reader, text, ret_frame))
		return true;
	return read_slowly(reader, line, text, ret_frame);
}

bool frame_finish(struct frame_reader *reader, struct frame *ret_frame)
{
	if (!reader->memory->in_entry)
		return false;
	*ret_frame = (struct frame){ .form = FRAME_EXPORT };
	reader->memory->wants_size = reader->memory->wants_value = false;
	return frame_read_export(reader, TEXT_LITERAL(""), ret_frame);
}
