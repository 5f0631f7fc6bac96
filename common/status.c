/* status.c - the status file: written by the daemon, read by the verb. */
#include "status.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "escape.h"
#include "record.h"
#include "text.h"

enum { FILE_MAX = 64 * 1024, NAME_WIDTH = 20 };

/* ---- the object ---- */

/* JSON is UTF-8: what is not, is escaped. */
static json_t *json_of_TEXT(const char *text)
{
	size_t length;
	char *clean = escape_utf8_new(text_of(text), &length);
	json_t *value = clean ? json_stringn(clean, length) : NULL;

	free(clean);
	return value;
}

static json_t *json_of_NUMBER(uint64_t number)
{
	return json_integer(number > INT64_MAX ? INT64_MAX : (json_int_t)number);
}

static json_t *json_of_TIME(uint64_t time_us)
{
	char text[TIME_TEXT_SIZE];

	time_format(time_us, text);
	return json_string(text);
}

#define HAS_TEXT(value) true
#define HAS_NUMBER(value) true
#define HAS_TIME(value) ((value) != 0)

/* NULL: no memory. */
static json_t *object_of(const struct status *status)
{
	json_t *object = json_object();
	int error = 0;

	if (!object)
		return NULL;
#define ADD(name, kind, meaning) \
	if (HAS_##kind(status->name)) \
		error |= json_object_set_new(object, #name, json_of_##kind(status->name));
	STATUS_TABLE(ADD)
#undef ADD
	if (!error)
		return object;
	json_decref(object);
	return NULL;
}

void status_print_json(const struct status *status, FILE *out)
{
	json_t *object = object_of(status);

	if (object && json_dumpf(object, out, JSON_INDENT(2) | JSON_ENSURE_ASCII) == 0)
		fputc('\n', out);
	json_decref(object);
}

/* ---- writing ---- */

static int write_all(int descriptor, const char *text, size_t length)
{
	while (length) {
		ssize_t written = write(descriptor, text, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return written < 0 ? -errno : -EIO;
		text += written;
		length -= (size_t)written;
	}
	return 0;
}

static int write_new(const struct status *status, const char *file)
{
	json_t *object = object_of(status);
	/* json_dumpfd() would write it word by word. */
	char *text = object ? json_dumps(object, JSON_INDENT(2)) : NULL;
	size_t length = text ? strlen(text) : 0;
	int descriptor, error = 0;

	json_decref(object);
	if (!text)
		return -ENOMEM;
	text[length++] = '\n';		/* in the place of the NUL */
	descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (descriptor < 0) {
		error = -errno;
		goto free_text;
	}
	error = write_all(descriptor, text, length);
	if (close(descriptor) != 0 && !error)
		error = -errno;
	if (error)
		(void)unlink(file);
free_text:
	free(text);
	return error;
}

int status_write(const struct status *status, const char *file)
{
	char new_file[PATH_MAX];
	int length = snprintf(new_file, sizeof new_file, "%s.new", file);

	if (length < 0 || (size_t)length >= sizeof new_file)
		return -ENAMETOOLONG;
	int error = write_new(status, new_file);

	if (error)
		return error;
	if (rename(new_file, file) == 0)
		return 0;
	error = -errno;
	(void)unlink(new_file);
	return error;
}

/* ---- reading ---- */

static int read_file(const char *file, char **ret_text, size_t *ret_length)
{
	/* Without waiting: the name may be a pipe's. */
	int descriptor = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), error = 0;
	char *text = NULL;
	size_t length = 0;
	ssize_t got = 1;

	if (descriptor < 0)
		return -errno;
	text = malloc(FILE_MAX + 1);
	if (!text)
		error = -ENOMEM;
	while (!error && got > 0 && length <= FILE_MAX) {
		got = read(descriptor, text + length, FILE_MAX + 1 - length);
		if (got < 0)
			error = -errno;
		else
			length += (size_t)got;
	}
	close(descriptor);
	if (!error && length > FILE_MAX)
		error = -EFBIG;
	if (error) {
		free(text);
		return error;
	}
	*ret_text = text;
	*ret_length = length;
	return 0;
}

static const char *from_json_TEXT(const json_t *value, char (*ret_text)[STATUS_TEXT_SIZE])
{
	if (!json_is_string(value))
		return "a text";
	(void)snprintf(*ret_text, STATUS_TEXT_SIZE, "%s", json_string_value(value));
	return NULL;
}

static const char *from_json_NUMBER(const json_t *value, uint64_t *ret_number)
{
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return "a number from 0";
	*ret_number = (uint64_t)json_integer_value(value);
	return NULL;
}

static const char *from_json_TIME(const json_t *value, uint64_t *ret_time_us)
{
	const char *text = json_string_value(value);

	return text && time_parse(text_of(text), ret_time_us) == 0 ? NULL : "a time as 2026-11-21T08:00:00Z";
}

static int read_members(struct status *status, const json_t *object, const char *file, struct problem *problem)
{
	const json_t *value;
	const char *wanted;

#define TAKE(name, kind, meaning) \
	value = json_object_get(object, #name); \
	wanted = value ? from_json_##kind(value, &status->name) : NULL; \
	if (wanted) { \
		problem_set(problem, "'%.200s' is no status of smtptrail-milter: %s is not %s", file, #name, wanted); \
		return -EBADMSG; \
	}
	STATUS_TABLE(TAKE)
#undef TAKE
	return 0;
}

static int parse(struct status *status, const char *text, size_t length, const char *file, struct problem *problem)
{
	json_error_t where;
	json_t *object = json_loadb(text, length, JSON_REJECT_DUPLICATES, &where);
	int error = -EBADMSG;

	if (!object)
		problem_set(problem, "'%.200s' is no status of smtptrail-milter: line %d: %.160s", file, where.line, where.text);
	else if (!json_is_object(object))
		problem_set(problem, "'%.200s' is no status of smtptrail-milter: not an object", file);
	else
		error = read_members(status, object, file, problem);
	json_decref(object);
	return error;
}

int status_read(struct status *ret_status, const char *file, struct problem *problem)
{
	struct status status;
	char *text = NULL;
	size_t length = 0;
	int error = read_file(file, &text, &length);

	if (error) {
		problem_set(problem, "cannot read the status '%.200s': %s", file, strerror(-error));
		return error;
	}
	memset(&status, 0, sizeof status);
	error = parse(&status, text, length, file, problem);
	free(text);
	if (!error)
		*ret_status = status;
	return error;
}

/* ---- for a person ---- */

void status_age(uint64_t duration_us, char ret_text[STATUS_AGE_SIZE])
{
	uint64_t seconds = duration_us / 1000000;

	if (seconds < 120)
		(void)snprintf(ret_text, STATUS_AGE_SIZE, "%" PRIu64 " s", seconds);
	else if (seconds < 120 * 60)
		(void)snprintf(ret_text, STATUS_AGE_SIZE, "%" PRIu64 " min", seconds / 60);
	else if (seconds < 48 * 3600)
		(void)snprintf(ret_text, STATUS_AGE_SIZE, "%" PRIu64 " h", seconds / 3600);
	else
		(void)snprintf(ret_text, STATUS_AGE_SIZE, "%" PRIu64 " days", seconds / 86400);
}

static void print_TEXT(const char *name, const char *text, FILE *out)
{
	(void)name;
	escape_terminal(text_of(*text ? text : "none"), out);
}

static void print_bytes(uint64_t bytes, FILE *out)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	double shown = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes < 1024) {
		fprintf(out, "%" PRIu64 " bytes", bytes);
		return;
	}
	for (; shown >= 1024 && unit < 3; unit++)
		shown /= 1024;
	fprintf(out, "%.1f %s", shown, units[unit]);
}

static bool ends_in(const char *name, const char *end)
{
	size_t length = strlen(name), end_length = strlen(end);

	return length >= end_length && strcmp(name + length - end_length, end) == 0;
}

static void print_NUMBER(const char *name, uint64_t number, FILE *out)
{
	if (ends_in(name, "_bytes"))
		print_bytes(number, out);
	else if (ends_in(name, "_us"))
		fprintf(out, "%.1f s", (double)number / 1e6);
	else
		fprintf(out, "%" PRIu64, number);
}

static void print_TIME(const char *name, uint64_t time_us, FILE *out)
{
	char time[TIME_TEXT_SIZE], age[STATUS_AGE_SIZE];
	uint64_t now = clock_now_us();

	(void)name;
	if (time_us == 0) {
		fputs("none", out);
		return;
	}
	time_format(time_us, time);
	status_age(now > time_us ? now - time_us : 0, age);
	fprintf(out, "%s, %s ago", time, age);
}

void status_print(const struct status *status, FILE *out)
{
#define PRINT(name, kind, meaning) \
	fprintf(out, "%-*s", NAME_WIDTH, #name); \
	print_##kind(#name, status->name, out); \
	fputc('\n', out);
	STATUS_TABLE(PRINT)
#undef PRINT
}
