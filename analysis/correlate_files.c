/* correlate_files.c - each line of each file, to whoever looks at lines and to the join, while further lines are read. */
#include "analysis/correlate_files.h"

#include <errno.h>

#include "analysis/correlate_merge.h"
#include "analysis/input_file.h"
#include "analysis/log_pipeline.h"
#include "common/escape.h"

void correlate_files_unreadable(struct correlate_files *files, const char *words)
{
	files->unreadable++;
	if (files->is_again)
		return;
	fprintf(stderr, "smtptrail %s: ", files->verb);
	escape_terminal(text_of(words), stderr);
	fputs(files->is_alone ? "\n" : "; the other files are read\n", stderr);
}

static void note_time(struct correlate_files *files, const struct frame *frame)
{
	uint64_t time_us = frame->has_time && frame->time_us > 0 ? (uint64_t)frame->time_us : 0;

	/* None counts as later than any. */
	if (time_us - 1 < files->from_us - 1)
		files->from_us = time_us;
	if (time_us > files->until_us)
		files->until_us = time_us;
}

static inline void show(struct correlate_files *files, const struct event *event, enum format_result result)
{
	note_time(files, &event->frame);
	switch (result) {
	case FORMAT_MATCHED: files->understood++; break;
	case FORMAT_MALFORMED: files->unknown++; break;
	case FORMAT_NOT_MINE: files->foreign++; break;
	}
	if (files->line)
		files->line(files->context, event, result);
}

void correlate_files_line(struct correlate_files *files, const struct event *event, enum format_result result, uint16_t source)
{
	show(files, event, result);
	correlate_event(files->correlate, event, source);
}

/* A file that is being read. */
struct reading {
	struct correlate_files *files;
	uint16_t source;
};

static int take_events(void *context, const struct event *events, size_t event_count)
{
	const struct reading *reading = context;
	struct correlate_files *files = reading->files;

	for (size_t i = 0; i < event_count; i++)
		show(files, &events[i], format_result_of(&events[i]));
	correlate_events(files->correlate, events, event_count, reading->source);
	return 0;
}

static void say_foreign(const struct correlate_files *files, const char *path)
{
	if (files->is_again)
		return;
	fprintf(stderr, "smtptrail %s: ", files->verb);
	escape_terminal(text_of(path), stderr);
	fputs(": no line of it is of a known format (smtptrail parse --format list names them)\n", stderr);
}

static void read_file(struct correlate_files *files, struct log_pipeline *pipeline, const char *path)
{
	struct reading reading = { files, source_number(files->sources, SOURCE_FILE, text_of(path)) };
	struct log_consumer consumer = { take_events, &reading };
	struct problem problem = { "" };
	uint64_t understood = files->understood, others = files->unknown + files->foreign;

	if (log_pipeline_read(pipeline, path, &consumer, &problem) != 0)
		correlate_files_unreadable(files, problem.text);
	else if (files->understood == understood && files->unknown + files->foreign > others)
		say_foreign(files, path);
}

/* One log, or one rotated set of it: several threads read on while its lines are joined. */
static int read_one_set(struct correlate_files *files, char **paths, size_t path_count)
{
	struct log_pipeline *pipeline;

	if (log_pipeline_new(&pipeline, &files->log, 0) != 0)
		return -ENOMEM;
	for (size_t i = 0; i < path_count; i++)
		read_file(files, pipeline, paths[i]);
	files->bytes = log_pipeline_bytes(pipeline);
	log_pipeline_free(pipeline);
	return 0;
}

static bool is_one_set(char **paths, size_t path_count)
{
	for (size_t i = 1; i < path_count; i++)
		if (!input_file_same_set(paths[i - 1], paths[i]))
			return false;
	return !correlate_merge_is_records(paths[0]);
}

bool correlate_files_have_records(char **paths, size_t path_count)
{
	for (size_t i = 0; i < path_count; i++)
		if (correlate_merge_is_records(paths[i]))
			return true;
	return false;
}

int correlate_files_read(struct correlate_files *files, char **paths, size_t path_count)
{
	static char *standard_input[] = { (char *)(uintptr_t)"-" };

	if (path_count == 0) {
		paths = standard_input;
		path_count = 1;
	}
	files->is_alone = path_count == 1;
	input_file_sort(paths, path_count);
	return is_one_set(paths, path_count) ? read_one_set(files, paths, path_count) :
					       correlate_merge_read(files, paths, path_count);
}
