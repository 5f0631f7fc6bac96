/* fuzz_show.c - any names and values from Redis, as a line for a terminal and as JSON. */
#include <jansson.h>
#include <string.h>

#include "analysis/show.h"
#include "fuzz.h"

enum { FIELDS_MAX = 64 };

/* Lines in turn name and value. */
static size_t take_fields(struct input_field *fields, const char *at, const char *end)
{
	size_t count = 0;

	while (at < end && count < FIELDS_MAX) {
		struct text *texts[] = { &fields[count].name, &fields[count].value };

		for (int i = 0; i < 2; i++) {
			const char *line_end = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;

			if (!line_end)
				line_end = end;
			*texts[i] = (struct text){ at, (size_t)(line_end - at) };
			at = line_end < end ? line_end + 1 : end;
		}
		/* JSON may have NUL in a name; jansson, which reads it back here, may not. */
		if (fields[count].name.length && memchr(fields[count].name.start, '\0', fields[count].name.length))
			continue;
		fields[count].info = field_by_name(fields[count].name);
		count++;
	}
	return count;
}

static void must_be_harmless(struct text line)
{
	/* One line, or two with the day; no control byte but their ends. */
	for (size_t i = 0; i < line.length; i++) {
		unsigned char byte = (unsigned char)line.start[i];

		FUZZ_MUST((byte >= ' ' && byte != 0x7f) || byte == '\n');
	}
	FUZZ_MUST(line.length && line.start[line.length - 1] == '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input_field fields[FIELDS_MAX];
	struct input_record record = { .id = TEXT_LITERAL("1-1"), .fields = fields };
	struct show show;

	record.count = take_fields(fields, (const char *)bytes, (const char *)bytes + size);
	for (size_t i = 0; i < record.count; i++)
		if (fields[i].info && fields[i].info->number == FIELD_STAGE)
			record.stage = stage_by_name(fields[i].value);
	show_init(&show, false, "2026-11-21");
	must_be_harmless(show_line(&show, &record));
	struct text json = show_json(&show, &record);
	json_t *object = json_loadb(json.start, json.length, JSON_ALLOW_NUL, NULL);

	FUZZ_MUST(json_is_object(object));
	json_decref(object);
	show_done(&show);
	return 0;
}
