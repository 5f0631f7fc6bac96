/* log_reader.c - files, frames and formats put together. */
#include "analysis/log_reader.h"

#include <errno.h>
#include <stdlib.h>

#include "analysis/input_file.h"

struct log_reader {
	struct log_options options;
	struct frame_reader frames;
	struct input_file *input;
	const char *path;
	const struct format *format;	/* of the line before */
	bool has_ended;
	uint64_t bytes;		/* of the files before */
};

int log_reader_new(struct log_reader **ret_reader, const struct log_options *options)
{
	struct log_reader *reader = calloc(1, sizeof *reader);

	if (!reader)
		return -ENOMEM;
	reader->options = *options;
	if (frame_init(&reader->frames) != 0) {
		free(reader);
		return -ENOMEM;
	}
	*ret_reader = reader;
	return 0;
}

static void close_input(struct log_reader *reader)
{
	if (reader->input)
		reader->bytes += input_file_bytes(reader->input);
	input_file_close(reader->input);
	reader->input = NULL;
}

void log_reader_free(struct log_reader *reader)
{
	if (!reader)
		return;
	close_input(reader);
	frame_done(&reader->frames);
	free(reader);
}

int log_reader_open(struct log_reader *reader, const char *path, struct problem *problem)
{
	int error;

	close_input(reader);
	error = input_file_open(&reader->input, path, problem);
	if (error)
		return error;
	reader->path = path;
	reader->has_ended = false;
	reader->format = NULL;
	frame_start(&reader->frames, reader->options.year, input_file_time(reader->input));
	return 0;
}

int log_reader_next(struct log_reader *reader, struct event *event, enum format_result *ret_result)
{
	struct text line;
	bool is_cut = false;
	int more;

	event->format = reader->format;
	do {
		more = input_file_line(reader->input, &line, &is_cut);
		if (more <= 0 && (reader->has_ended || !frame_finish(&reader->frames, &event->frame)))
			return more;
		reader->has_ended = more <= 0;
	} while (!reader->has_ended && !frame_read(&reader->frames, line, &event->frame));
	event->file = reader->path;
	event->line = input_file_line_number(reader->input);
	*ret_result = FORMAT_MALFORMED;
	event->field_count = 0;
	event->kind = NULL;
	event->is_cut = false;
	/* A notice of repetition whose line is not known is understood as far as it goes. */
	if (event->frame.repeated && !event->frame.is_message_known) {
		event->kind = "repeated";
		event->format = NULL;
		*ret_result = FORMAT_MATCHED;
	} else {
		*ret_result = format_read(reader->options.format, event);
		reader->format = event->format;
	}
	event->is_cut = event->is_cut || is_cut;
	return 1;
}

uint64_t log_reader_bytes(const struct log_reader *reader)
{
	return reader->bytes + (reader->input ? input_file_bytes(reader->input) : 0);
}
