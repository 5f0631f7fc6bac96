/*
 * correlate_merge.c - several logs, and files of records, read side by side in the order of their times.
 *
 * Files of one rotated set follow each other.
 */
#include "analysis/correlate_merge.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "analysis/input_file.h"
#include "analysis/input_json.h"
#include "common/escape.h"

/* One set of log files, or one file of records. */
struct feed {
	char **paths;			/* those that are to come */
	size_t path_count;
	struct log_reader *logs;	/* NULL: it is records */
	struct input_json *records;
	bool is_open;
	uint16_t source;

	/* What is next. */
	bool has_next;
	uint64_t time_us;
	struct event event;
	enum format_result result;
	struct input_record record;
};

static void say_broken(struct correlate_files *files, const char *path, int error)
{
	struct problem problem;

	problem_set(&problem, "cannot read '%s' to its end: %s", path,
		    error == -EBADMSG ? "compressed data are damaged or cut off" : strerror(-error));
	correlate_files_unreadable(files, problem.text);
}

/* ---- what a file is ---- */

/* A line of records names its stage and its producer. */
static bool is_record_line(struct text line)
{
	return line.length && line.start[0] == '{' && memmem(line.start, line.length, "\"stage\":", 8) &&
	       memmem(line.start, line.length, "\"producer\":", 11);
}

bool correlate_merge_is_records(const char *path)
{
	struct input_file *file;
	struct problem problem;
	struct text line;
	struct stat status;
	bool is_cut, is_record;

	/* Standard input, and any other pipe, is read once. */
	if (strcmp(path, "-") == 0 || stat(path, &status) != 0 || !S_ISREG(status.st_mode) || input_file_open(&file, path, &problem) != 0)
		return false;
	is_record = input_file_line(file, &line, &is_cut) > 0 && is_record_line(line);
	input_file_close(file);
	return is_record;
}

/* ---- one feed ---- */

static bool open_next(struct correlate_files *files, struct feed *feed)
{
	struct problem problem = { "" };
	const char *path;
	int error;

	while (!feed->is_open && feed->path_count) {
		path = *feed->paths++;
		feed->path_count--;
		error = feed->logs ? log_reader_open(feed->logs, path, &problem) : input_json_open(&feed->records, path, &problem);
		if (error)
			correlate_files_unreadable(files, problem.text);
		feed->is_open = !error;
		feed->source = source_number(files->sources, SOURCE_FILE, text_of(path));
	}
	return feed->is_open;
}

static int read_next(struct feed *feed)
{
	uint64_t time_us = 0;
	int more;

	if (feed->logs) {
		more = log_reader_next(feed->logs, &feed->event, &feed->result);
		if (more > 0 && feed->event.frame.has_time && feed->event.frame.time_us > 0)
			time_us = (uint64_t)feed->event.frame.time_us;
	} else {
		more = input_json_next(feed->records, &feed->record);
		if (more > 0)
			(void)time_parse(input_record_text(&feed->record, FIELD_TIME), &time_us);
	}
	/* Without a time it comes right behind the one before. */
	if (time_us)
		feed->time_us = time_us;
	return more;
}

static void close_file(struct correlate_files *files, struct feed *feed, int error)
{
	if (error < 0)
		say_broken(files, feed->paths[-1], error);
	if (feed->records && input_json_bad(feed->records))
		files->unknown += input_json_bad(feed->records);
	input_json_close(feed->records);
	feed->records = NULL;
	feed->is_open = false;
}

/* False: the feed is at its end. */
static bool advance(struct correlate_files *files, struct feed *feed)
{
	feed->has_next = false;
	while (open_next(files, feed)) {
		int more = read_next(feed);

		if (more > 0)
			return feed->has_next = true;
		close_file(files, feed, more);
	}
	return false;
}

static void give(struct correlate_files *files, struct feed *feed)
{
	if (!feed->logs) {
		correlate_record(files->correlate, &feed->record, feed->source);
		return;
	}
	correlate_files_line(files, &feed->event, feed->result, feed->source);
}

/* ---- all of them ---- */

static struct feed *earliest(struct feed *feeds, size_t count)
{
	struct feed *first = NULL;

	for (size_t i = 0; i < count; i++)
		if (feeds[i].has_next && (!first || feeds[i].time_us < first->time_us))
			first = &feeds[i];
	return first;
}

/* The files, sorted already, as feeds: sets of logs together, records each alone. */
static size_t make_feeds(struct correlate_files *files, char **paths, size_t path_count, struct feed *feeds)
{
	size_t count = 0;
	bool was_records = false;

	for (size_t i = 0; i < path_count; i++) {
		bool is_records = correlate_merge_is_records(paths[i]);

		if (i && !is_records && !was_records && input_file_same_set(paths[i - 1], paths[i])) {
			feeds[count - 1].path_count++;
			continue;
		}
		was_records = is_records;
		feeds[count] = (struct feed){ .paths = &paths[i], .path_count = 1 };
		if (!is_records && log_reader_new(&feeds[count].logs, &files->log) != 0)
			return 0;
		count++;
	}
	return count;
}

static void read_all(struct correlate_files *files, struct feed *feeds, size_t count)
{
	struct feed *feed;

	for (size_t i = 0; i < count; i++)
		(void)advance(files, &feeds[i]);
	while ((feed = earliest(feeds, count))) {
		give(files, feed);
		(void)advance(files, feed);
	}
}

int correlate_merge_read(struct correlate_files *files, char **paths, size_t path_count)
{
	struct feed *feeds = calloc(path_count, sizeof *feeds);
	size_t count;

	if (!feeds)
		return -ENOMEM;
	count = make_feeds(files, paths, path_count, feeds);
	read_all(files, feeds, count);
	for (size_t i = 0; i < path_count; i++) {
		if (feeds[i].logs)
			files->bytes += log_reader_bytes(feeds[i].logs);
		log_reader_free(feeds[i].logs);
	}
	free(feeds);
	return count ? 0 : -ENOMEM;
}
