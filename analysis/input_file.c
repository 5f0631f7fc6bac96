/* input_file.c - one buffer, lines lent from it; the rest of a line moves to its start. */
#include "analysis/input_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/decompress.h"
#include "analysis/scan.h"
#include "common/escape.h"

enum { FIRST_PIECE = 4096 };

enum encoding { ENCODING_BYTES, ENCODING_UTF16LE, ENCODING_UTF16BE };

struct input_file {
	int fd;
	struct decompress *stream;
	enum encoding encoding;
	int error;			/* of the stream; told when all that came before it was lent */
	bool has_ended;
	bool skips_line;		/* the rest of a line that was cut */
	bool goes_on;			/* that rest is the next line */
	int64_t time_us;
	uint64_t lines, bytes;
	void (*before_move)(void *argument);	/* NULL: nobody asks */
	void *before_move_argument;
	unsigned surrogate;		/* first half of a UTF-16 pair */
	size_t raw_left;		/* of raw: a byte that waits for its second */
	char raw[INPUT_FILE_BUFFER / 2];
	size_t start, end;
	char *buffer;
	bool is_buffer_given;		/* by the borrower, who keeps what lies in it */
	char own_buffer[INPUT_FILE_BUFFER + INPUT_FILE_PADDING];
};

/* One unit of UTF-16 more; a half of a pair that stands alone becomes U+FFFD. */
static size_t put_unit(struct input_file *input, char *out, unsigned unit)
{
	unsigned first = input->surrogate;
	size_t length = 0;

	input->surrogate = 0;
	if (first && unit >= 0xdc00 && unit < 0xe000)
		return escape_put_utf8(out, 0x10000 + ((first - 0xd800) << 10) + (unit - 0xdc00));
	if (first)
		length = escape_put_utf8(out, 0xfffd);
	if (unit >= 0xd800 && unit < 0xdc00) {
		input->surrogate = unit;
		return length;
	}
	if (unit >= 0xdc00 && unit < 0xe000)
		unit = 0xfffd;
	return length + escape_put_utf8(out + length, unit);
}

/* Each unit takes 3 bytes at most, a lone half before it 3 more: a third of the room is read. */
static ssize_t read_utf16(struct input_file *input, char *out, size_t room)
{
	size_t wanted = room / 3 < sizeof input->raw ? room / 3 : sizeof input->raw;
	ssize_t got = decompress_read(input->stream, input->raw + input->raw_left, wanted - input->raw_left);
	size_t length = 0, i = 0;

	if (got <= 0)
		return got;
	size_t count = input->raw_left + (size_t)got;

	for (; i + 1 < count; i += 2) {
		unsigned a = (unsigned char)input->raw[i], b = (unsigned char)input->raw[i + 1];

		length += put_unit(input, out + length, input->encoding == ENCODING_UTF16LE ? b << 8 | a : a << 8 | b);
	}
	input->raw_left = count - i;
	if (input->raw_left)
		input->raw[0] = input->raw[i];
	/* A single byte at first: come again. */
	return length ? (ssize_t)length : read_utf16(input, out, room);
}

/* Adds bytes behind those in the buffer. */
static void fill(struct input_file *input)
{
	ssize_t got;

	if (input->before_move)
		input->before_move(input->before_move_argument);
	if (input->start > 0) {
		memmove(input->buffer, input->buffer + input->start, input->end - input->start);
		input->end -= input->start;
		input->start = 0;
	}
	size_t room = INPUT_FILE_BUFFER - input->end;

	got = input->encoding == ENCODING_BYTES ? decompress_read(input->stream, input->buffer + input->end, room)
						: read_utf16(input, input->buffer + input->end, room);
	if (got <= 0) {
		input->has_ended = true;
		input->error = (int)got;
		return;
	}
	input->end += (size_t)got;
	input->bytes += (uint64_t)got;
}

/* The byte order mark at the start, in a first piece that is small: made into UTF-8 it grows. */
static void read_mark(struct input_file *input)
{
	const unsigned char *b;
	size_t count;

	while (!input->has_ended && input->end < 4) {
		ssize_t got = decompress_read(input->stream, input->buffer + input->end, FIRST_PIECE - input->end);

		input->has_ended = got <= 0;
		input->error = got < 0 ? (int)got : 0;
		input->end += got > 0 ? (size_t)got : 0;
	}
	input->bytes = input->end;
	b = (const unsigned char *)input->buffer;
	count = input->end;
	if (count >= 3 && b[0] == 0xef && b[1] == 0xbb && b[2] == 0xbf)
		input->start = 3;
	else if (count >= 2 && b[0] == 0xff && b[1] == 0xfe)
		input->encoding = ENCODING_UTF16LE;
	else if (count >= 2 && b[0] == 0xfe && b[1] == 0xff)
		input->encoding = ENCODING_UTF16BE;
	else if (count >= 4 && b[0] && !b[1] && b[2] && !b[3])
		input->encoding = ENCODING_UTF16LE;
	else if (count >= 4 && !b[0] && b[1] && !b[2] && b[3])
		input->encoding = ENCODING_UTF16BE;
}

/* What was read before the encoding was known, made into UTF-8. */
static int convert_first(struct input_file *input)
{
	size_t skip = (unsigned char)input->buffer[0] >= 0xfe ? 2 : 0, length = 0, i;
	size_t count = input->end;
	char *copy = malloc(count);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, input->buffer, count);
	for (i = skip; i + 1 < count; i += 2) {
		unsigned a = (unsigned char)copy[i], b = (unsigned char)copy[i + 1];

		length += put_unit(input, input->buffer + length, input->encoding == ENCODING_UTF16LE ? b << 8 | a : a << 8 | b);
	}
	if (i < count) {
		input->raw[0] = copy[i];
		input->raw_left = 1;
	}
	free(copy);
	input->end = length;
	return 0;
}

static int open_path(struct input_file *input, const char *path)
{
	struct stat info;

	input->fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (input->fd < 0 || fstat(input->fd, &info) != 0)
		return -errno;
	if (S_ISDIR(info.st_mode))
		return -EISDIR;
	if (S_ISREG(info.st_mode)) {
		input->time_us = (int64_t)info.st_mtim.tv_sec * 1000000 + info.st_mtim.tv_nsec / 1000;
		(void)posix_fadvise(input->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	}
	return 0;
}

int input_file_open(struct input_file **ret_input, const char *path, struct problem *problem)
{
	struct input_file *input = calloc(1, sizeof *input);
	int error;

	if (!input) {
		problem_set(problem, "cannot read '%s': %s", path, strerror(ENOMEM));
		return -ENOMEM;
	}
	input->fd = -1;
	input->buffer = input->own_buffer;
	error = open_path(input, path);
	if (!error)
		error = decompress_new(&input->stream, input->fd);
	if (!error) {
		read_mark(input);
		if (input->encoding != ENCODING_BYTES)
			error = convert_first(input);
	}
	if (error) {
		problem_set(problem, "cannot read '%s': %s", path, error == -ENOTSUP
			    ? "this build cannot decompress it" : strerror(-error));
		input_file_close(input);
		return error;
	}
	*ret_input = input;
	return 0;
}

void input_file_close(struct input_file *input)
{
	if (!input)
		return;
	decompress_free(input->stream);
	if (input->fd > STDIN_FILENO)
		close(input->fd);
	free(input);
}

void input_file_use_buffer(struct input_file *input, char *buffer)
{
	if (!buffer && !input->is_buffer_given)
		return;
	input->is_buffer_given = buffer != NULL;
	if (!buffer)
		buffer = input->own_buffer;
	/* The same one may be given again. */
	memmove(buffer, input->buffer + input->start, input->end - input->start);
	input->buffer = buffer;
	input->end -= input->start;
	input->start = 0;
}

/* Filling the buffer would move lines that stay. */
static bool is_full(const struct input_file *input)
{
	return input->is_buffer_given && input->start > 0;
}

/* Gives up the rest of a line that was cut. */
static void skip_rest(struct input_file *input)
{
	while (input->skips_line) {
		const char *start = input->buffer + input->start;
		const char *newline = memchr(start, '\n', input->end - input->start);

		if (newline) {
			input->start += (size_t)(newline + 1 - start);
			input->skips_line = false;
		} else {
			input->start = input->end;
			if (input->has_ended || is_full(input))
				return;
			fill(input);
		}
	}
}

static int lend(struct input_file *input, size_t length, size_t used, bool is_cut, struct text *ret_line, bool *ret_is_cut)
{
	*ret_line = (struct text){ input->buffer + input->start, length };
	*ret_is_cut = is_cut;
	input->start += used;
	input->skips_line = is_cut;
	input->lines += !input->goes_on;
	input->goes_on = false;
	return 1;
}

int input_file_line(struct input_file *input, struct text *ret_line, bool *ret_is_cut)
{
	if (input->skips_line)
		skip_rest(input);
	for (size_t searched = 0;;) {
		size_t have = input->end - input->start;
		const char *start = input->buffer + input->start;
		const char *newline = memchr(start + searched, '\n', have - searched);
		size_t length = newline ? (size_t)(newline - start) : have;

		if (length > INPUT_FILE_LINE_MAX)
			return lend(input, INPUT_FILE_LINE_MAX, INPUT_FILE_LINE_MAX, true, ret_line, ret_is_cut);
		if (newline)
			return lend(input, length, length + 1, false, ret_line, ret_is_cut);
		/* Of damaged data the last line is not whole. */
		if (input->has_ended && have && !input->error)
			return lend(input, have, have, false, ret_line, ret_is_cut);
		if (input->has_ended)
			return input->error;
		if (is_full(input))
			return INPUT_FILE_FULL;
		searched = have;
		fill(input);
	}
}

void input_file_go_on(struct input_file *input)
{
	input->goes_on = input->skips_line;
	input->skips_line = false;
}

size_t input_file_lines(struct input_file *input, struct text *lines, size_t count)
{
	const char *start = input->buffer + input->start, *at = start;
	uint32_t ends[INPUT_FILE_LINES_MAX + SCAN_BLOCK];
	size_t found = 0, have = 0;

	if (!input->skips_line)
		have = scan_line_ends(start, input->buffer + input->end, ends, count < INPUT_FILE_LINES_MAX ? count : INPUT_FILE_LINES_MAX);
	for (; found < have && start + ends[found] - at <= INPUT_FILE_LINE_MAX; found++) {
		lines[found] = (struct text){ at, (size_t)(start + ends[found] - at) };
		at = start + ends[found] + 1;
	}
	input->start = (size_t)(at - input->buffer);
	input->lines += found;
	return found;
}

void input_file_give_back(struct input_file *input, const struct text *lines, size_t count)
{
	if (count == 0)
		return;
	input->start = (size_t)(lines[0].start - input->buffer);
	input->lines -= count;
}

void input_file_before_move(struct input_file *input, void (*call)(void *argument), void *argument)
{
	input->before_move = call;
	input->before_move_argument = argument;
}

int64_t input_file_time(const struct input_file *input)
{
	return input->time_us;
}

uint64_t input_file_line_number(const struct input_file *input)
{
	return input->lines;
}

uint64_t input_file_bytes(const struct input_file *input)
{
	return input->bytes;
}

/* ---- rotated sets ---- */

/* "mail.log.12.gz": where its number begins, or its end; *ret_number is UINT64_MAX for none. */
static size_t stem_length(const char *path, uint64_t *ret_number, bool *ret_is_date)
{
	static const char *const endings[] = { ".gz", ".bz2", ".xz", ".zst" };
	size_t length = strlen(path), digits = 0;
	uint64_t number = 0;

	for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
		if (length > strlen(endings[i]) && strcmp(path + length - strlen(endings[i]), endings[i]) == 0) {
			length -= strlen(endings[i]);
			break;
		}
	while (digits < length && digits < 18 && path[length - 1 - digits] >= '0' && path[length - 1 - digits] <= '9')
		digits++;
	*ret_number = UINT64_MAX;
	*ret_is_date = false;
	if (digits == 0 || digits == length || (path[length - digits - 1] != '.' && path[length - digits - 1] != '-'))
		return length;
	for (size_t i = length - digits; i < length; i++)
		number = number * 10 + (uint64_t)(path[i] - '0');
	*ret_number = number;
	*ret_is_date = digits >= 8;
	return length - digits - 1;
}

/* By stem; then a date from the earliest, a count of rotations from the highest; none comes last. */
static int compare_paths(const void *a, const void *b)
{
	const char *first = *(char *const *)a, *second = *(char *const *)b;
	uint64_t first_number, second_number;
	bool first_date, second_date;
	size_t first_stem = stem_length(first, &first_number, &first_date);
	size_t second_stem = stem_length(second, &second_number, &second_date);
	size_t common = first_stem < second_stem ? first_stem : second_stem;
	int order = memcmp(first, second, common);

	if (order == 0 && first_stem != second_stem)
		order = first_stem < second_stem ? -1 : 1;
	if (order != 0)
		return order;
	if (first_number == UINT64_MAX || second_number == UINT64_MAX)
		return (first_number == UINT64_MAX) - (second_number == UINT64_MAX);
	if (first_date != second_date)
		return first_date ? -1 : 1;
	order = (first_number > second_number) - (first_number < second_number);
	return first_date ? order : -order;
}

size_t input_file_stem(const char *path)
{
	uint64_t number;
	bool is_date;

	return stem_length(path, &number, &is_date);
}

bool input_file_same_set(const char *path, const char *other)
{
	uint64_t number;
	bool is_date;
	size_t length = stem_length(path, &number, &is_date);

	return length == stem_length(other, &number, &is_date) && memcmp(path, other, length) == 0;
}

void input_file_sort(char **paths, size_t count)
{
	if (count > 1)
		qsort(paths, count, sizeof *paths, compare_paths);
}
