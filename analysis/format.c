/* format.c - the family of formats: its table, and which one a line is of. */
#include "analysis/format.h"

#define FORMAT(name) extern const struct format format_##name;
#include "analysis/formats.inc"
#undef FORMAT

const struct format *const format_table[] = {
#define FORMAT(name) &format_##name,
#include "analysis/formats.inc"
#undef FORMAT
	NULL,
};

int format_prepare(void)
{
	for (const struct format *const *format = format_table; *format; format++) {
		int error = (*format)->prepare();

		if (error)
			return error;
	}
	return 0;
}

const struct format *format_by_name(const char *name)
{
	for (const struct format *const *format = format_table; *format; format++)
		if (strcmp((*format)->name, name) == 0)
			return *format;
	return NULL;
}

static enum format_result read_by(const struct format *format, struct event *event)
{
	enum format_result result;

	event->field_count = 0;
	event->kind = NULL;
	event->is_cut = false;
	result = format->read(event);
	event->format = result == FORMAT_NOT_MINE ? NULL : format;
	return result;
}

enum format_result format_read(const struct format *only, struct event *event)
{
	const struct format *before = event->format;
	enum format_result result = FORMAT_NOT_MINE;

	event->format = NULL;
	if (only)
		return read_by(only, event);
	/* Most lines are of the format of the line before. */
	if (before && event->frame.process.length) {
		result = read_by(before, event);
		if (result != FORMAT_NOT_MINE)
			return result;
	}
	for (const struct format *const *format = format_table; *format; format++) {
		result = read_by(*format, event);
		if (result == FORMAT_MATCHED || (result == FORMAT_MALFORMED && event->frame.process.length))
			return result;
	}
	return result;
}
