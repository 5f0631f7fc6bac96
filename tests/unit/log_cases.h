/*
 * log_cases.h - for tests that read the same log in two ways: logs to read, damaged copies of them, and whether both
 * ways gave the same events.
 */
#ifndef SMTPTRAIL_TEST_LOG_CASES_H
#define SMTPTRAIL_TEST_LOG_CASES_H

#include <stdlib.h>
#include <unistd.h>

#include "analysis/event.h"
#include "unit.h"

enum { DIFFERENCES_SHOWN = 10, LINE_MAX_BYTES = 4096, VARIANTS = 6 };

/* ---- comparing ---- */

static bool same_text(struct text a, struct text b)
{
	return text_equal(a, b) && !a.start == !b.start;
}

static bool same_frame(const struct frame *a, const struct frame *b)
{
	return a->form == b->form && a->has_time == b->has_time && (!a->has_time || a->time_us == b->time_us) &&
	       same_text(a->host, b->host) && same_text(a->process, b->process) && same_text(a->pid, b->pid) &&
	       same_text(a->message, b->message) && a->repeated == b->repeated &&
	       a->is_message_known == b->is_message_known;
}

static inline bool same_event(const struct event *a, const struct event *b)
{
	if (!same_frame(&a->frame, &b->frame) || a->line != b->line || a->format != b->format || a->is_cut != b->is_cut ||
	    a->field_count != b->field_count || !text_equal(text_of(a->kind), text_of(b->kind)))
		return false;
	for (unsigned i = 0; i < a->field_count; i++)
		if (strcmp(a->fields[i].name, b->fields[i].name) != 0 || !same_text(a->fields[i].value, b->fields[i].value))
			return false;
	return true;
}

static inline void show_event(const char *way, const struct event *event)
{
	fprintf(stderr, "%s: %s:%llu %.*s|%.*s[%.*s]|%.*s\n  %s", way, event->file, (unsigned long long)event->line,
		TEXT_ARGS(event->frame.host), TEXT_ARGS(event->frame.process), TEXT_ARGS(event->frame.pid),
		TEXT_ARGS(event->frame.message), event->kind ? event->kind : "(unknown)");
	for (unsigned i = 0; i < event->field_count; i++)
		fprintf(stderr, "|%s=%.*s", event->fields[i].name, TEXT_ARGS(event->fields[i].value));
	fputc('\n', stderr);
}

/* ---- damage ---- */

static uint64_t random_state;

static inline uint64_t seed(void)
{
	const char *text = getenv("SMTPTRAIL_SEED");

	return text ? strtoull(text, NULL, 10) : 1;
}

/* To be called before anything is drawn. */
static inline void start_random(void)
{
	random_state = 0x2545f4914f6cdd1d ^ seed() << 32;
}

static unsigned random_below(unsigned limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state >> 33) % limit;
}

/* One byte changed, one more, some less, or a piece of the line twice. */
static size_t damage(char *line, size_t length)
{
	static const char bytes[] = " []:,;<>=()/\"'\\%.-_0129azAZ{}|\t\r\x80\xff";
	size_t at = length ? random_below((unsigned)length) : 0;
	size_t count = 1 + random_below(4);

	switch (length ? random_below(5) : 1) {
	case 0:
		line[at] = bytes[random_below(sizeof bytes)];
		return length;
	case 1:
		memmove(line + at + 1, line + at, length - at);
		line[at] = bytes[random_below(sizeof bytes)];
		return length + 1;
	case 2:
		count = count < length - at ? count : length - at;
		memmove(line + at, line + at + count, length - at - count);
		return length - count;
	case 3:
		count = random_below((unsigned)(length - at)) % 64;
		memmove(line + at + count, line + at, length - at);
		return length + count;
	default:
		return random_below(3) ? length : at;
	}
}

/* Several damaged copies of each line; now and then another host, or a notice of repetition. */
static inline void write_damaged(const char *from, FILE *out)
{
	FILE *in = fopen(from, "r");
	char line[LINE_MAX_BYTES];

	CHECK_SAYING(in != NULL, "%s", from);
	while (in && fgets(line, sizeof line / 2, in)) {
		size_t length = strcspn(line, "\n");

		for (int i = 0; i < VARIANTS; i++) {
			char copy[LINE_MAX_BYTES];
			size_t copied = length;

			memcpy(copy, line, length);
			for (unsigned count = random_below(3); count && copied < sizeof copy - 128; count--)
				copied = damage(copy, copied);
			if (copied > 24 && random_below(16) == 0)
				copy[18] = "123:"[random_below(4)];
			fwrite(copy, 1, copied, out);
			fputc('\n', out);
			if (copied > 24 && random_below(32) == 0)
				fprintf(out, "%.19s last message repeated %u times\n", line, random_below(9));
		}
	}
	if (in)
		fclose(in);
}

/* ---- lines ---- */

static inline const char *folder_of(const char *variable)
{
	const char *folder = getenv(variable);

	return folder ? folder : ".";
}

/* The lines of the table of kinds, each in a frame. */
static inline void write_kinds(FILE *out)
{
	char path[1024], row[LINE_MAX_BYTES];

	(void)snprintf(path, sizeof path, "%s/tests/unit/postfix_kinds.cases", folder_of("srcdir"));
	FILE *in = fopen(path, "r");

	CHECK_SAYING(in != NULL, "%s", path);
	while (in && fgets(row, sizeof row, in)) {
		char *rest = row;
		char *fields[4];
		int count = 0;

		while (count < 4 && (fields[count] = strsep(&rest, "\t")) != NULL)
			count++;
		if (*row != '#' && count == 4)
			fprintf(out, "Jan  2 03:04:05 mx1 %s[4711]: %s\n", fields[2], fields[3]);
	}
	if (in)
		fclose(in);
}

struct place {
	char path[64];
	FILE *out;
};

static inline struct place new_file(void)
{
	struct place place = { "/tmp/smtptrail-shortcuts-XXXXXX", NULL };
	int fd = mkstemp(place.path);

	CHECK(fd >= 0);
	place.out = fd >= 0 ? fdopen(fd, "w") : NULL;
	return place;
}

/* A log by genlog, with these options: "--size 4M". */
static inline struct place generate_log(const char *options)
{
	struct place log = new_file();
	char command[1024];

	if (!log.out)
		return log;
	CHECK_NUMBER(fclose(log.out), 0);
	(void)snprintf(command, sizeof command, "'%s/tests/genlog/genlog' --seed %llu %s --out '%s' >&2", folder_of("top_builddir"),
		       (unsigned long long)seed(), options, log.path);
	CHECK_NUMBER(system(command), 0);
	return log;
}

/* Calls for the logs in the folder that SMTPTRAIL_SAMPLE_LOGS names. False: it names none. */
static inline bool for_each_sample(void (*call)(const char *path))
{
	const char *folder = getenv("SMTPTRAIL_SAMPLE_LOGS");
	char command[1024], path[1024];
	FILE *names;

	if (!folder)
		return false;
	(void)snprintf(command, sizeof command, "find '%s' -type f ! -name '*.yaml' ! -name '*.md'", folder);
	names = popen(command, "r");
	CHECK(names != NULL);
	while (names && fgets(path, sizeof path, names)) {
		path[strcspn(path, "\n")] = '\0';
		call(path);
	}
	if (names)
		(void)pclose(names);
	return true;
}

#endif
