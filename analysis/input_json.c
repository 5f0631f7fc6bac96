/* input_json.c - each line an object, each of its members a field. */
#include "analysis/input_json.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/input_file.h"
#include "common/journal.h"

enum { FIELDS_MAX = 200, NUMBER_SIZE = 24 };

struct input_json {
	struct input_file *file;
	uint64_t bad;
	json_t *object;			/* of the last record, whose texts it lends */
	char line_number[NUMBER_SIZE];
	size_t count;
	struct input_field fields[FIELDS_MAX];
	char numbers[FIELDS_MAX][NUMBER_SIZE];
};

int input_json_open(struct input_json **ret_input, const char *path, struct problem *problem)
{
	struct input_json *input = calloc(1, sizeof *input);
	int error;

	if (!input) {
		problem_set(problem, "cannot read '%s': no memory", path);
		return -ENOMEM;
	}
	error = input_file_open(&input->file, path, problem);
	if (error) {
		free(input);
		return error;
	}
	*ret_input = input;
	return 0;
}

void input_json_close(struct input_json *input)
{
	if (!input)
		return;
	json_decref(input->object);
	input_file_close(input->file);
	free(input);
}

uint64_t input_json_bad(const struct input_json *input)
{
	return input->bad;
}

/* The value as it stands in Redis. */
static struct text text_of_value(const json_t *value, char number[NUMBER_SIZE])
{
	if (json_is_string(value))
		return (struct text){ json_string_value(value), json_string_length(value) };
	if (json_is_boolean(value))
		return json_is_true(value) ? TEXT_LITERAL("yes") : TEXT_LITERAL("no");
	if (!json_is_integer(value))
		return TEXT_NONE;
	return (struct text){ number, (size_t)snprintf(number, NUMBER_SIZE, "%" JSON_INTEGER_FORMAT, json_integer_value(value)) };
}

static void add_field(struct input_json *input, struct input_record *record, const char *name, const json_t *value)
{
	struct input_field *field = &input->fields[input->count];

	if (input->count == FIELDS_MAX)
		return;
	field->name = text_of(name);
	field->value = text_of_value(value, input->numbers[input->count]);
	field->info = input_field_info(field->name);
	if (!field->value.start)
		return;
	if (strcmp(name, "stream_id") == 0) {
		record->id = field->value;
		return;
	}
	if (field->info && field->info->number == FIELD_STAGE)
		record->stage = stage_by_name(field->value);
	record->bytes += field->name.length + field->value.length;
	input->count++;
}

/* False: the line is no record. */
static bool read_line(struct input_json *input, struct text line, struct input_record *record)
{
	const char *name;
	json_t *value;
	uint64_t partition;

	json_decref(input->object);
	input->object = json_loadb(line.start, line.length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	if (!json_is_object(input->object))
		return false;
	*record = (struct input_record){ .fields = input->fields };
	record->id = (struct text){ input->line_number, (size_t)snprintf(input->line_number, NUMBER_SIZE, "%" PRIu64,
									 input_file_line_number(input->file)) };
	input->count = 0;
	json_object_foreach(input->object, name, value)
		add_field(input, record, name, value);
	record->count = input->count;
	if (input_record_number(record, FIELD_PARTITION, &partition) && partition < JOURNAL_PARTITIONS_MAX)
		record->partition = (unsigned)partition;
	return record->stage;
}

int input_json_next(struct input_json *input, struct input_record *ret_record)
{
	struct text line;
	bool is_cut;
	int more;

	while ((more = input_file_line(input->file, &line, &is_cut)) > 0) {
		if (!is_cut && read_line(input, line, ret_record))
			return more;
		input->bad += line.length > 0;
	}
	return more;
}
