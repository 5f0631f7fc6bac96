/* input_journald.c - sd-journal; its handle belongs to one thread. */
#include "analysis/input_journald.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-journal.h>

enum { PART_MESSAGE, PART_HOST, PART_PROCESS, PART_PID, PART_COUNT };

struct input_journald {
	sd_journal *journal;
	char *position_path;
	bool has_entry;
	char parts[PART_COUNT][INPUT_JOURNALD_FIELD_MAX];
};

bool input_journald_go_behind(struct input_journald *input, const char *place)
{
	if (sd_journal_seek_cursor(input->journal, place) < 0 || sd_journal_next(input->journal) <= 0)
		return false;
	/* Stands on the entry that was read; on a later one, if that is gone. */
	if (sd_journal_test_cursor(input->journal, place) <= 0)
		(void)sd_journal_previous(input->journal);
	return true;
}

/* The place in the journal where the last run ended. 1: there was one. */
static int seek_saved(struct input_journald *input)
{
	char cursor[512];
	FILE *file = input->position_path ? fopen(input->position_path, "re") : NULL;
	bool found;

	if (!file)
		return 0;
	found = fgets(cursor, sizeof cursor, file) != NULL;
	(void)fclose(file);
	if (!found)
		return 0;
	cursor[strcspn(cursor, "\n")] = '\0';
	return input_journald_go_behind(input, cursor);
}

int input_journald_open(struct input_journald **ret_input, const char *directory, const char *position_path,
			struct problem *problem)
{
	struct input_journald *input = calloc(1, sizeof *input);
	int error = -ENOMEM;

	if (!input)
		goto failed;
	if (position_path && !(input->position_path = strdup(position_path)))
		goto failed;
	error = directory ? sd_journal_open_directory(&input->journal, directory, 0)
			  : sd_journal_open(&input->journal, SD_JOURNAL_LOCAL_ONLY);
	if (error >= 0)
		error = sd_journal_add_match(input->journal, "SYSLOG_FACILITY=2", 0);
	if (error >= 0)
		error = sd_journal_set_data_threshold(input->journal, INPUT_JOURNALD_FIELD_MAX + 64);
	if (error >= 0 && !seek_saved(input))
		error = sd_journal_seek_head(input->journal);
	if (error < 0)
		goto failed;
	*ret_input = input;
	return 0;
failed:
	problem_set(problem, "cannot read the journal%s%s: %s", directory ? " in " : "", directory ? directory : "",
		    strerror(-error));
	input_journald_close(input);
	return error;
}

void input_journald_close(struct input_journald *input)
{
	if (!input)
		return;
	sd_journal_close(input->journal);
	free(input->position_path);
	free(input);
}

/* A field of the entry; absent: it has none of that name. */
static struct text read_part(struct input_journald *input, int part, const char *name, bool *ret_is_cut)
{
	const void *data;
	size_t length, skip = strlen(name) + 1;

	if (sd_journal_get_data(input->journal, name, &data, &length) < 0 || length < skip)
		return TEXT_NONE;
	length -= skip;
	if (length > INPUT_JOURNALD_FIELD_MAX) {
		length = INPUT_JOURNALD_FIELD_MAX;
		*ret_is_cut = true;
	}
	memcpy(input->parts[part], (const char *)data + skip, length);
	return (struct text){ input->parts[part], length };
}

int input_journald_next(struct input_journald *input, struct frame *ret_frame, bool *ret_is_cut)
{
	uint64_t us;
	int more = sd_journal_next(input->journal);

	if (more <= 0)
		return more;
	input->has_entry = true;
	*ret_is_cut = false;
	*ret_frame = (struct frame){ .form = FRAME_EXPORT, .is_message_known = true };
	ret_frame->message = read_part(input, PART_MESSAGE, "MESSAGE", ret_is_cut);
	ret_frame->host = read_part(input, PART_HOST, "_HOSTNAME", ret_is_cut);
	ret_frame->process = read_part(input, PART_PROCESS, "SYSLOG_IDENTIFIER", ret_is_cut);
	ret_frame->pid = read_part(input, PART_PID, "SYSLOG_PID", ret_is_cut);
	if (!ret_frame->pid.start)
		ret_frame->pid = read_part(input, PART_PID, "_PID", ret_is_cut);
	if (sd_journal_get_realtime_usec(input->journal, &us) >= 0) {
		ret_frame->time_us = (int64_t)us;
		ret_frame->has_time = true;
	}
	return 1;
}

char *input_journald_place(struct input_journald *input)
{
	char *cursor = NULL;

	return input->has_entry && sd_journal_get_cursor(input->journal, &cursor) >= 0 ? cursor : NULL;
}

void input_journald_wait(struct input_journald *input, unsigned milliseconds)
{
	(void)sd_journal_wait(input->journal, (uint64_t)milliseconds * 1000);
}

int input_journald_save(struct input_journald *input, struct problem *problem)
{
	char name[4096], *cursor = NULL;
	FILE *file;
	int error;

	if (!input->position_path || !input->has_entry)
		return 0;
	if (snprintf(name, sizeof name, "%s.new", input->position_path) >= (int)sizeof name)
		return -ENAMETOOLONG;
	error = sd_journal_get_cursor(input->journal, &cursor);
	if (error < 0)
		goto done;
	file = fopen(name, "we");
	error = file && fprintf(file, "%s\n", cursor) > 0 ? 0 : -errno;
	if (file && fclose(file) != 0 && !error)
		error = -errno;
	if (!error && rename(name, input->position_path) != 0)
		error = -errno;
done:
	free(cursor);
	if (error < 0)
		problem_set(problem, "cannot save the position in '%s': %s", input->position_path, strerror(-error));
	return error < 0 ? error : 0;
}
