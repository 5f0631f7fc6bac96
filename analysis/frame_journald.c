/* frame_journald.c - entries of systemd's journal, as journalctl -o json and -o export print them. */
#include <jansson.h>

#include "analysis/frame.h"

enum { SIZE_BYTES = 8 };

/* The names of an entry that matter; the first of two that mean the same counts. */
static struct text *slot_of(struct frame *frame, struct text name)
{
	if (text_is(name, "MESSAGE"))
		return &frame->message;
	if (text_is(name, "_HOSTNAME"))
		return &frame->host;
	if (text_is(name, "SYSLOG_IDENTIFIER"))
		return &frame->process;
	if (text_is(name, "SYSLOG_PID") || text_is(name, "_PID"))
		return frame->pid.start ? NULL : &frame->pid;
	return NULL;
}

static void set_time(struct frame *frame, struct text value)
{
	int64_t us = 0;

	for (size_t i = 0; i < value.length; i++) {
		if (value.start[i] < '0' || value.start[i] > '9' || us > INT64_MAX / 10 - 10)
			return;
		us = us * 10 + (value.start[i] - '0');
	}
	frame->time_us = us;
	frame->has_time = value.length != 0;
}

/* A copy of bytes in the memory of the entry; what has no room is cut. */
static struct text keep(struct frame_memory *memory, const char *bytes, size_t length)
{
	size_t room = sizeof memory->entry - memory->entry_length;
	struct text kept = { memory->entry + memory->entry_length, length < room ? length : room };

	memcpy(memory->entry + memory->entry_length, bytes, kept.length);
	memory->entry_length += kept.length;
	return kept;
}

static void set_value(struct frame_memory *memory, struct text name, struct text value)
{
	struct text *slot = slot_of(&memory->entry_frame, name);

	if (text_is(name, "__REALTIME_TIMESTAMP"))
		set_time(&memory->entry_frame, value);
	else if (slot)
		*slot = keep(memory, value.start, value.length);
}

static void begin_entry(struct frame_memory *memory)
{
	memory->entry_frame = (struct frame){ .form = FRAME_EXPORT, .is_message_known = true };
	memory->entry_length = 0;
	memory->in_entry = true;
}

bool frame_is_export(const struct frame_reader *reader, struct text line)
{
	return reader->memory->in_entry ||
	       (line.length > 9 && line.start[0] == '_' && memcmp(line.start, "__CURSOR=", 9) == 0);
}

/* A binary field: its name on a line, 8 bytes of its size, its bytes, a line end. Lines were cut
 * at each line end, so that they are put together again. */
static void feed_binary(struct frame_memory *memory, const char *bytes, size_t length)
{
	while (memory->wants_size && length) {
		memory->value_left |= (uint64_t)(unsigned char)*bytes << (8 * memory->size_bytes++);
		bytes++;
		length--;
		if (memory->size_bytes == SIZE_BYTES) {
			memory->wants_size = false;
			memory->wants_value = true;
			memory->value = (struct text){ memory->entry + memory->entry_length, 0 };
		}
	}
	if (!memory->wants_value)
		return;
	size_t part = length < memory->value_left ? length : (size_t)memory->value_left;

	if (part)
		memory->value.length += keep(memory, bytes, part).length;
	memory->value_left -= part;
	/* The line end behind the value. */
	if (memory->value_left == 0 && length > part) {
		struct text *slot = slot_of(&memory->entry_frame, text_of(memory->name));

		memory->wants_value = false;
		if (slot)
			*slot = memory->value;
	}
}

static bool finish_entry(struct frame_memory *memory, struct frame *frame)
{
	memory->in_entry = false;
	*frame = memory->entry_frame;
	return memory->entry_frame.message.start != NULL;
}

bool frame_read_export(struct frame_reader *reader, struct text line, struct frame *frame)
{
	struct frame_memory *memory = reader->memory;
	const char *equals;

	if (memory->wants_size || memory->wants_value) {
		feed_binary(memory, line.start, line.length);
		feed_binary(memory, "\n", 1);
		return false;
	}
	if (!memory->in_entry)
		begin_entry(memory);
	if (!line.length)
		return finish_entry(memory, frame);
	equals = memchr(line.start, '=', line.length);
	if (equals) {
		size_t name = (size_t)(equals - line.start);

		set_value(memory, (struct text){ line.start, name },
			  (struct text){ equals + 1, line.length - name - 1 });
		return false;
	}
	memory->wants_size = true;
	memory->size_bytes = 0;
	memory->value_left = 0;
	size_t length = line.length < sizeof memory->name - 1 ? line.length : 0;

	memcpy(memory->name, line.start, length);
	memory->name[length] = '\0';
	return false;
}

/* A value is a string, or an array of byte values where it is not UTF-8; of an array of strings the first. */
static struct text json_bytes(struct frame_memory *memory, const json_t *value)
{
	if (json_is_array(value) && json_is_string(json_array_get(value, 0)))
		value = json_array_get(value, 0);
	if (json_is_string(value))
		return keep(memory, json_string_value(value), json_string_length(value));
	struct text bytes = { memory->entry + memory->entry_length, 0 };

	if (!json_is_array(value))
		return TEXT_NONE;
	for (size_t i = 0; i < json_array_size(value); i++) {
		char byte = (char)json_integer_value(json_array_get(value, i));

		bytes.length += keep(memory, &byte, 1).length;
	}
	return bytes;
}

/* {"log":"line\n","stream":"stdout","time":"..."}: a line in the log of a container. */
static bool read_container(struct frame_reader *reader, const json_t *object, struct frame *frame)
{
	const json_t *log = json_object_get(object, "log");
	struct text line;

	if (!json_is_string(log))
		return false;
	line = json_bytes(reader->memory, log);
	while (line.length && line.start[line.length - 1] == '\n')
		line.length--;
	if (frame_read_syslog(reader, line, frame))
		return true;
	*frame = (struct frame){ .form = FRAME_JSON, .message = line };
	return true;
}

bool frame_read_json(struct frame_reader *reader, struct text line, struct frame *frame)
{
	struct frame_memory *memory = reader->memory;
	const char *name;
	json_t *object, *value;
	bool is_entry;

	if (line.length < 2 || line.start[0] != '{' || line.start[line.length - 1] != '}')
		return false;
	object = json_loadb(line.start, line.length, JSON_ALLOW_NUL, NULL);
	if (!json_is_object(object)) {
		json_decref(object);
		return false;
	}
	begin_entry(memory);
	memory->in_entry = false;
	memory->entry_frame.form = FRAME_JSON;
	json_object_foreach(object, name, value) {
		struct text *slot = slot_of(&memory->entry_frame, text_of(name));

		if (strcmp(name, "__REALTIME_TIMESTAMP") == 0)
			set_time(&memory->entry_frame, json_bytes(memory, value));
		else if (slot)
			*slot = json_bytes(memory, value);
	}
	*frame = memory->entry_frame;
	is_entry = frame->message.start != NULL || read_container(reader, object, frame);
	json_decref(object);
	return is_entry;
}
