/* message_file.c - a stored mail, read whole. */
#include "analysis/message_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_SIZE = 64 * 1024 };

/* All bytes up to one more than the limit. 0 or -errno. */
static int read_all(int fd, char **ret_bytes, size_t *ret_length)
{
	size_t length = 0, size = 0;
	char *bytes = NULL;

	for (;;) {
		if (length == size) {
			size = size ? 2 * size : FIRST_SIZE;
			char *more = realloc(bytes, size);

			if (!more)
				break;
			bytes = more;
		}
		ssize_t got = read(fd, bytes + length, size - length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			break;
		length += (size_t)got;
		if (length > MESSAGE_FILE_MAX) {
			errno = EFBIG;
			break;
		}
		if (got == 0) {
			*ret_bytes = bytes;
			*ret_length = length;
			return 0;
		}
	}
	int error = errno;

	free(bytes);
	return -error;
}

/* A copy in which each LF has its CR. NULL: no memory. */
static char *with_line_ends(const char *bytes, size_t *length)
{
	size_t bare = 0, used = 0;

	for (size_t i = 0; i < *length; i++)
		bare += bytes[i] == '\n' && (i == 0 || bytes[i - 1] != '\r');
	char *copy = malloc(*length + bare + 1);

	for (size_t i = 0; copy && i < *length; i++) {
		if (bytes[i] == '\n' && (i == 0 || bytes[i - 1] != '\r'))
			copy[used++] = '\r';
		copy[used++] = bytes[i];
	}
	*length = used;
	return copy;
}

/* The bytes of the first line with its end. */
static size_t line_length(struct text text)
{
	const char *end = text.length ? memchr(text.start, '\n', text.length) : NULL;

	return end ? (size_t)(end + 1 - text.start) : text.length;
}

static void drop(struct text *text, size_t bytes)
{
	text->start += bytes;
	text->length -= bytes;
}

int message_file_take(struct message_file *file, struct text stored)
{
	static const char mbox[] = "From ";
	size_t length = stored.length;
	char *bytes = with_line_ends(stored.start, &length);

	*file = (struct message_file){ .bytes = bytes, .rest = { bytes, length } };
	if (!bytes)
		return -ENOMEM;
	if (length >= sizeof mbox - 1 && memcmp(bytes, mbox, sizeof mbox - 1) == 0)
		drop(&file->rest, line_length(file->rest));
	return 0;
}

static int read_message(int fd, struct message_file *file)
{
	char *stored = NULL;
	size_t length = 0;
	int error = read_all(fd, &stored, &length);

	if (!error)
		error = message_file_take(file, (struct text){ stored, length });
	free(stored);
	return error;
}

int message_file_open(struct message_file *file, const char *path, struct problem *problem)
{
	bool is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	int error = fd < 0 ? -errno : 0;

	*file = (struct message_file){ .bytes = NULL };
	if (!error)
		error = read_message(fd, file);
	if (fd >= 0 && !is_stdin)
		(void)close(fd);
	if (error == -EFBIG)
		problem_set(problem, "the message in '%s' is larger than %d MiB", path, MESSAGE_FILE_MAX >> 20);
	else if (error)
		problem_set(problem, "cannot read the message in '%s': %s", path, strerror(-error));
	return error;
}

void message_file_close(struct message_file *file)
{
	free(file->bytes);
	file->bytes = NULL;
}

/* The length of the field's name, up to its colon; 0: the line is no header field. */
static size_t name_length(struct text line)
{
	for (size_t i = 0; i < line.length; i++) {
		if (line.start[i] == ':')
			return i;
		/* Blanks may stand before the colon alone. */
		if (line.start[i] == '\r' || line.start[i] == '\n' || line.start[i] == '\0')
			return 0;
		if ((line.start[i] == ' ' || line.start[i] == '\t') &&
		    (i == 0 || i + 1 == line.length || !strchr(" \t:", line.start[i + 1])))
			return 0;
	}
	return 0;
}

bool message_file_next_field(struct message_file *file, struct text *ret_name, struct text *ret_value)
{
	struct text *rest = &file->rest;
	size_t length = line_length(*rest), name = name_length((struct text){ rest->start, length });

	if (name == 0)
		return false;
	while (length < rest->length && (rest->start[length] == ' ' || rest->start[length] == '\t'))
		length += line_length((struct text){ rest->start + length, rest->length - length });
	*ret_name = (struct text){ rest->start, name };
	*ret_value = (struct text){ rest->start + name + 1, length - name - 1 };
	if (ret_value->length >= 2 && ret_value->start[ret_value->length - 1] == '\n')
		ret_value->length -= 2;
	drop(rest, length);
	return true;
}

struct text message_file_body(const struct message_file *file)
{
	struct text body = file->rest;

	if (body.length >= 2 && memcmp(body.start, "\r\n", 2) == 0)
		drop(&body, 2);
	return body;
}
