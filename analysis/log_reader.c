/* log_reader.c - files, frames and formats put together. */
#include "analysis/log_reader.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "analysis/follow.h"
#include "analysis/input_file.h"
#include "analysis/input_journald.h"
#include "analysis/open_table.h"
#include "analysis/own_lines.h"

/* So much of a line tells it apart: a time, a host, a process. */
/* Files with one and the same heading differ within so many lines. */
enum { PLACE_DIGEST_MAX = 512, PLACE_ALIKE_LINES = 100 };

struct log_reader {
	struct log_options options;
	struct frame_reader frames;
	struct own_lines *own;		/* lines that are in no frame */
	bool has_frames;		/* a line of this file was understood that is in one */
	struct input_file *input;
	struct follow *follow;		/* instead of input */
	struct input_journald *journal;	/* the same */
	bool has_lines;			/* of follow */
	uint64_t entries;		/* of the journal */
	struct log_place place;
	const char *path;		/* for events: name, or of what grows */
	char *name;			/* of the file that was opened last */
	bool has_ended;
	uint64_t bytes;			/* of the files before */
	struct format_reader formats;
	struct event_field fields[EVENT_FIELDS_MAX];
};

bool log_year_read(const char *word, int *ret_year)
{
	char *end;
	long year = strtol(word, &end, 10);

	if (*end != '\0' || year < LOG_YEAR_MIN || year > LOG_YEAR_MAX)
		return false;
	*ret_year = (int)year;
	return true;
}

int log_reader_new(struct log_reader **ret_reader, const struct log_options *options)
{
	struct log_reader *reader = calloc(1, sizeof *reader);

	if (!reader)
		return -ENOMEM;
	reader->options = *options;
	if (frame_init(&reader->frames) != 0 || format_reader_init(&reader->formats, options->format) != 0 ||
	    own_lines_new(&reader->own, options->format) != 0) {
		log_reader_free(reader);
		return -ENOMEM;
	}
	reader->frames.no_shortcut = options->no_shortcut;
	*ret_reader = reader;
	return 0;
}

static void close_input(struct log_reader *reader)
{
	if (reader->input) {
		reader->bytes += input_file_bytes(reader->input);
		frame_hold(&reader->frames);
	}
	if (reader->follow)
		reader->bytes += follow_bytes(reader->follow);
	input_file_close(reader->input);
	follow_close(reader->follow);
	input_journald_close(reader->journal);
	reader->input = NULL;
	reader->follow = NULL;
	reader->journal = NULL;
	reader->frames.lines_stay = false;
}

void log_reader_free(struct log_reader *reader)
{
	if (!reader)
		return;
	close_input(reader);
	free(reader->name);
	format_reader_done(&reader->formats);
	frame_done(&reader->frames);
	own_lines_free(reader->own);
	free(reader);
}

/* ---- how far a file was read ---- */

static uint64_t digest_of(struct text line)
{
	uint64_t digest = hash_text(0, (struct text){ line.start, line.length < PLACE_DIGEST_MAX ? line.length : PLACE_DIGEST_MAX });

	return digest ? digest : 1;
}

static void note_line(struct log_place *place, struct text line, uint64_t number)
{
	place->mark = digest_of(line);
	place->lines = number;
	if (number == 1)
		place->head = place->mark;
}

struct log_place log_reader_place(const struct log_reader *reader)
{
	return reader->place;
}

/* Reads so many lines of a file; false: it has not as many. */
static bool find_place(const char *path, uint64_t lines, struct log_place *ret_place)
{
	struct input_file *input;
	struct text line;
	bool is_cut;

	*ret_place = (struct log_place){ .head = 0 };
	if (input_file_open(&input, path, NULL) != 0)
		return false;
	while (ret_place->lines < lines && input_file_line(input, &line, &is_cut) > 0)
		if (input_file_line_number(input) == 1 || input_file_line_number(input) == lines)
			note_line(ret_place, line, input_file_line_number(input));
		else
			ret_place->lines = input_file_line_number(input);
	input_file_close(input);
	return ret_place->lines == lines;
}

bool log_place_is_of(const struct log_place *place, const char *path)
{
	struct log_place found;

	return place->head && find_place(path, place->lines, &found) && found.head == place->head && found.mark == place->mark;
}

uint64_t log_place_head(const char *path)
{
	struct log_place found;

	return find_place(path, 1, &found) ? found.head : 0;
}

/* A file that has fewer lines counts with all of them. */
static bool begins_as(const char *path, const char *other)
{
	struct log_place begin;

	return (find_place(path, PLACE_ALIKE_LINES, &begin) || find_place(path, begin.lines, &begin)) && log_place_is_of(&begin, other);
}

bool log_place_is_alike(const char *path, const char *other)
{
	return begins_as(path, other) || begins_as(other, path);
}

/* Frames of a file begin. A year that was given is that of the first line of a rotated set: its later files go on. */
static void start_frames(struct log_reader *reader, const char *path, int64_t file_us, bool goes_on)
{
	struct stamp_reader before = reader->frames.stamps;

	reader->place = (struct log_place){ .head = 0 };
	own_lines_start(reader->own, strcmp(path, "-") == 0 ? TEXT_NONE : text_of(path), reader->options.year, file_us);
	reader->has_frames = false;

	frame_start(&reader->frames, reader->options.year, file_us);
	format_reader_start(&reader->formats);
	if (goes_on && before.is_year_given) {
		reader->frames.stamps = before;
		reader->frames.stamps.file_us = file_us;
	}
}

static void hold_lines(void *frames)
{
	frame_hold(frames);
}

int log_reader_open(struct log_reader *reader, const char *path, struct problem *problem)
{
	bool goes_on = reader->name && input_file_same_set(reader->name, path);
	char *name;
	int error;

	close_input(reader);
	error = input_file_open(&reader->input, path, problem);
	if (error)
		return error;
	name = strdup(path);
	if (!name) {
		problem_set(problem, "cannot read '%s': %s", path, strerror(ENOMEM));
		close_input(reader);
		return -ENOMEM;
	}
	free(reader->name);
	reader->path = reader->name = name;
	reader->has_ended = false;
	start_frames(reader, name, input_file_time(reader->input), goes_on);
	reader->frames.lines_stay = true;
	input_file_before_move(reader->input, hold_lines, &reader->frames);
	return 0;
}

int log_reader_follow(struct log_reader *reader, const char *path, const char *position_path, struct problem *problem)
{
	int error;

	close_input(reader);
	reader->has_lines = false;
	error = follow_open(&reader->follow, path, position_path, problem);
	reader->path = path;
	return error;
}

int log_reader_open_journal(struct log_reader *reader, const char *directory, const char *position_path,
			    struct problem *problem)
{
	int error;

	close_input(reader);
	error = input_journald_open(&reader->journal, directory, position_path, problem);
	reader->path = "journald";
	reader->entries = 0;
	return error;
}

char *log_reader_journal_place(struct log_reader *reader)
{
	return input_journald_place(reader->journal);
}

bool log_reader_journal_go_behind(struct log_reader *reader, const char *place)
{
	return input_journald_go_behind(reader->journal, place);
}

void log_reader_wait(struct log_reader *reader, unsigned milliseconds)
{
	if (reader->journal)
		input_journald_wait(reader->journal, milliseconds);
	else
		(void)poll(NULL, 0, (int)milliseconds);
}

int log_reader_save(struct log_reader *reader, struct problem *problem)
{
	if (reader->follow)
		return follow_save(reader->follow, problem);
	return reader->journal ? input_journald_save(reader->journal, problem) : 0;
}

/* A notice of repetition whose line is not known is understood as far as it goes. */
static bool is_bare_notice(const struct event *event)
{
	return event->frame.repeated && !event->frame.is_message_known;
}

static void set_bare_notice(struct event *event)
{
	event->format = NULL;
	event->kind = "repeated";
	event->field_count = 0;
}

/* What the frame of the event means. */
static enum format_result read_frame(struct log_reader *reader, struct event *event)
{
	if (!is_bare_notice(event))
		return format_read(&reader->formats, event);
	set_bare_notice(event);
	return FORMAT_MATCHED;
}

/* False: the line gave no event of its own. */
static bool take_own(struct log_reader *reader, struct event *event, enum own_result result, enum format_result *ret_result)
{
	*ret_result = result == OWN_EVENT ? FORMAT_MATCHED : FORMAT_MALFORMED;
	event->line -= reader->own->lines_back;
	return result == OWN_EVENT || result == OWN_UNKNOWN;
}

/* A line in a frame that no format understood, and no program tells whose it is: it may be a format's own. */
static bool may_be_own(const struct event *event)
{
	return format_result_of(event) != FORMAT_MATCHED && event->program < 0;
}

/* A line in a frame that no format understood, where it is a format's own. False: it gave no event. */
static bool read_claimed(struct log_reader *reader, struct text line, struct event *event, enum format_result *ret_result)
{
	struct frame frame = event->frame;
	enum own_result own;

	if (!own_lines_claim(reader->own, line))
		return true;
	own = own_lines_read(reader->own, line, event);
	if (own != OWN_NOT_MINE)
		return take_own(reader, event, own, ret_result);
	event->frame = frame;
	*ret_result = read_frame(reader, event);
	return true;
}

/* Whether it is in a frame that tells its process, and understood there; else the event is what it was. */
static bool is_framed(struct log_reader *reader, struct text line, struct event *event)
{
	struct event before = *event;

	if (!reader->options.format && frame_read(&reader->frames, line, &event->frame) && event->frame.process.length &&
	    read_frame(reader, event) == FORMAT_MATCHED)
		return true;
	*event = before;
	return false;
}

/* False: the line gave no event. Until a line in a frame was understood, lines are first taken for a format's own:
 * many of those begin with a time, as a frame does. */
static bool read_line(struct log_reader *reader, struct text line, struct event *event, enum format_result *ret_result)
{
	bool own_first = reader->own->format || !reader->has_frames;
	enum own_result own = own_first ? own_lines_read(reader->own, line, event) : OWN_NOT_MINE;

	/* Where one file was put behind another, a line that is not understood may be in a frame. */
	if (own == OWN_UNKNOWN && !reader->own->turn && !reader->own->lines_back && is_framed(reader, line, event)) {
		own_lines_leave(reader->own);
		*ret_result = FORMAT_MATCHED;
		reader->has_frames = true;
		return true;
	}
	if (own != OWN_NOT_MINE)
		return take_own(reader, event, own, ret_result);
	if (!frame_read(&reader->frames, line, &event->frame))
		return false;
	*ret_result = read_frame(reader, event);
	reader->has_frames = reader->has_frames || *ret_result == FORMAT_MATCHED;
	return own_first || !may_be_own(event) || read_claimed(reader, line, event, ret_result);
}

/* An event of what grows; 0: none now. */
static int next_live(struct log_reader *reader, struct event *event, enum format_result *ret_result, bool *ret_is_cut)
{
	struct text line;
	int more;

	if (reader->journal) {
		more = input_journald_next(reader->journal, &event->frame, ret_is_cut);
		event->line = reader->entries += more > 0;
		if (more > 0)
			*ret_result = read_frame(reader, event);
		return more;
	}
	do {
		more = follow_line(reader->follow, &line, ret_is_cut);
		if (more <= 0)
			return more;
		if (follow_is_new_file(reader->follow))
			start_frames(reader, follow_path(reader->follow), follow_time(reader->follow), reader->has_lines);
		reader->has_lines = true;
		event->line = follow_line_number(reader->follow);
		if (reader->options.notes_place)
			note_line(&reader->place, line, event->line);
	} while (!read_line(reader, line, event, ret_result));
	reader->path = follow_path(reader->follow);
	return more;
}

/* What is left of an entry or a record when a file ends. */
static bool finish(struct log_reader *reader, struct event *event, enum format_result *ret_result)
{
	if (frame_finish(&reader->frames, &event->frame)) {
		*ret_result = read_frame(reader, event);
		return true;
	}
	return take_own(reader, event, own_lines_finish(reader->own, event), ret_result);
}

/* A line that is longer than any may be records one behind the other. */
static void take_rest(struct log_reader *reader, bool *is_cut)
{
	if (*is_cut && reader->own->format && reader->own->format->takes_pieces) {
		input_file_go_on(reader->input);
		*is_cut = false;
	}
}

/* An event of a file; 0: its end. */
static int next_of_file(struct log_reader *reader, struct event *event, enum format_result *ret_result, bool *ret_is_cut)
{
	struct text line;
	bool has_event;
	int more;

	input_file_use_buffer(reader->input, NULL);
	do {
		more = input_file_line(reader->input, &line, ret_is_cut);
		event->line = input_file_line_number(reader->input);
		if (more <= 0) {
			has_event = !reader->has_ended && finish(reader, event, ret_result);
			reader->has_ended = true;
			return has_event ? 1 : more;
		}
		if (reader->options.notes_place)
			note_line(&reader->place, line, event->line);
		has_event = read_line(reader, line, event, ret_result);
		take_rest(reader, ret_is_cut);
	} while (!has_event);
	return 1;
}

/* What else is in a line that gives several events. */
static bool next_of_line(struct log_reader *reader, struct event *event, enum format_result *ret_result)
{
	if (!reader->own->has_more)
		return false;
	event->line = reader->input ? input_file_line_number(reader->input) : follow_line_number(reader->follow);
	return take_own(reader, event, own_lines_read(reader->own, TEXT_NONE, event), ret_result);
}

int log_reader_next(struct log_reader *reader, struct event *event, enum format_result *ret_result)
{
	bool is_cut = false;
	int more;

	event->fields = reader->fields;
	event->is_cut = false;
	more = next_of_line(reader, event, ret_result);
	if (more == 0)
		more = reader->input ? next_of_file(reader, event, ret_result, &is_cut)
				     : next_live(reader, event, ret_result, &is_cut);
	if (more <= 0)
		return more;
	event->file = reader->path;
	event->is_cut = event->is_cut || is_cut;
	reader->place.events++;
	return 1;
}

/* ---- many at once ---- */

bool log_reader_takes_batches(const struct log_reader *reader)
{
	return reader->has_frames && !reader->own->format && !reader->own->has_more;
}

/* A line that is in a frame goes into the batch; what it means may be left to event_batch_read. False: it is not in one. */
static inline __attribute__((always_inline)) bool add_line(struct log_reader *reader, struct event_batch *batch, struct text line,
							    uint64_t number, bool is_cut)
{
	struct event *event = &batch->events[batch->count];

	if (!frame_read(&reader->frames, line, &event->frame))
		return true;
	if (frame_is_with_reader(&event->frame))
		event_batch_keep(batch, &event->frame);
	event->file = reader->path;
	event->line = number;
	event->is_cut = is_cut;
	event->fields = NULL;
	if (is_bare_notice(event) || !format_find(&reader->formats, event)) {
		event->fields = event_batch_fields(batch);
		(void)read_frame(reader, event);
		if (may_be_own(event) && own_lines_claim(reader->own, line))
			return false;
		batch->field_count += event->field_count;
	}
	batch->count++;
	return true;
}

/* Lines that lie whole in the buffer. 1: there was one, or more; 0: there is none; LOG_READER_ALONE. */
static int add_whole_lines(struct log_reader *reader, struct event_batch *batch)
{
	struct text lines[INPUT_FILE_LINES_MAX];
	size_t count = input_file_lines(reader->input, lines, INPUT_FILE_LINES_MAX), i = 0;
	uint64_t first = input_file_line_number(reader->input) - count + 1;

	while (i < count && event_batch_has_room(batch) && add_line(reader, batch, lines[i], first + i, false))
		i++;
	input_file_give_back(reader->input, lines + i, count - i);
	if (reader->own->format)
		return LOG_READER_ALONE;
	return i > 0;
}

/* A line that does not, or what is left when the file ends. */
static int add_other_line(struct log_reader *reader, struct event_batch *batch)
{
	struct text line;
	bool is_cut = false;
	int more = input_file_line(reader->input, &line, &is_cut);

	if (more == 1 && !add_line(reader, batch, line, input_file_line_number(reader->input), is_cut)) {
		input_file_give_back(reader->input, &line, 1);
		return LOG_READER_ALONE;
	}
	/* What is left of an entry is read alone too. */
	return more <= 0 && reader->frames.memory->in_entry ? LOG_READER_ALONE : more;
}

int log_reader_fill(struct log_reader *reader, struct event_batch *batch)
{
	int more = 1;

	event_batch_empty(batch);
	input_file_use_buffer(reader->input, batch->text);
	while (more == 1 && event_batch_has_room(batch)) {
		more = add_whole_lines(reader, batch);
		if (more == 0)
			more = add_other_line(reader, batch);
	}
	/* The batch goes its own way now. */
	frame_hold(&reader->frames);
	return more == INPUT_FILE_FULL ? 1 : more;
}

uint64_t log_reader_bytes(const struct log_reader *reader)
{
	return reader->bytes + (reader->input ? input_file_bytes(reader->input) : 0) +
	       (reader->follow ? follow_bytes(reader->follow) : 0);
}
