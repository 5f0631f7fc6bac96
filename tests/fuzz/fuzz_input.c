/* fuzz_input.c - files as bytes: compressed or not, whole or followed; positions and patterns of reasons.
 * The first byte says what the rest is read as. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "analysis/follow.h"
#include "analysis/input_file.h"
#include "analysis/reason.h"
#include "fuzz.h"

/* A small input may unpack to very much. */
enum { LINES_MAX = 5000 };

static size_t touch(struct text text)
{
	size_t sum = 0;

	for (size_t i = 0; i < text.length; i++)
		sum += (unsigned char)text.start[i];
	return sum;
}

static void check_line(struct text line)
{
	FUZZ_MUST(line.length <= INPUT_FILE_LINE_MAX && touch(line) < SIZE_MAX);
}

static void read_whole(const char *path)
{
	struct input_file *input;
	struct problem problem;
	struct text line;
	bool is_cut;

	if (input_file_open(&input, path, &problem) != 0)
		return;
	for (int i = 0; i < LINES_MAX && input_file_line(input, &line, &is_cut) > 0; i++)
		check_line(line);
	input_file_close(input);
}

static void read_following(const char *path, const char *position)
{
	struct follow *follow;
	struct problem problem;
	struct text line;
	bool is_cut;

	if (follow_open(&follow, path, position, &problem) != 0)
		return;
	for (int i = 0; i < LINES_MAX && follow_line(follow, &line, &is_cut) > 0; i++)
		check_line(line);
	follow_close(follow);
}

/* A log that is always the same, for positions to point into. */
static const char *fixed_log(void)
{
	static const char lines[] = "Jan  2 03:04:05 mx a: one\nJan  2 03:04:05 mx a: two\nJan  2 03:04:05 mx a: three\n";
	static char name[64];
	int descriptor;

	if (name[0])
		return name;
	descriptor = memfd_create("log", MFD_CLOEXEC);
	FUZZ_MUST(descriptor >= 0 && write(descriptor, lines, sizeof lines - 1) == (ssize_t)sizeof lines - 1);
	(void)snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
	return name;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct problem problem;
	const char *path;

	if (size < 1)
		return 0;
	path = fuzz_file(bytes + 1, size - 1);
	switch (bytes[0]) {
	case 'p':
		read_following(fixed_log(), path);
		break;
	case 'f':
		read_following(path, NULL);
		break;
	case 'r':
		if (reason_load(path, &problem) == 0) {
			struct reply reply = reply_read(TEXT_LITERAL("550 5.1.1 <b@example.com>: User unknown"));

			(void)reason_of(&reply);
		}
		reason_unload();
		break;
	default:
		read_whole(path);
		break;
	}
	return 0;
}
