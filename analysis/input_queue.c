/* input_queue.c - lines of JSON from a file, or from the program. */
#include "analysis/input_queue.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "analysis/shell_word.h"
#include "common/clock.h"

static const char program[] = "postqueue -j";
/* Services and cron have a shorter path than root. */
#define WITH_PATH "PATH=\"$PATH:/usr/sbin:/usr/local/sbin\" exec "

struct input_queue {
	FILE *file;
	bool is_program;
	uint64_t seen_us, lines, bad;
	char *line;
	size_t size;
	json_t *object;			/* of the last entry, whose texts it lends */
	struct queue_recipient *recipients;
	size_t recipients_size;
};

static uint64_t time_of_file(FILE *file)
{
	struct stat info;

	if (!file || fstat(fileno(file), &info) != 0)
		return 0;
	return (uint64_t)info.st_mtim.tv_sec * 1000000 + (uint64_t)info.st_mtim.tv_nsec / 1000;
}

static bool is_directory(const char *path)
{
	struct stat info;

	return path && stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* A command of Postfix with the configuration in the directory; NULL: with the usual one. */
static FILE *run(const char *command, const char *directory, const char *arguments)
{
	char *word = directory ? shell_word_new(text_of(directory)) : NULL, *words = NULL;
	FILE *file = NULL;

	if ((!directory || word) &&
	    asprintf(&words, WITH_PATH "%s %s%s %s", command, directory ? "-c " : "", directory ? word : "", arguments) >= 0)
		file = popen(words, "re");
	free(words);
	free(word);
	return file;
}

int input_queue_open(struct input_queue **ret_queue, const char *path, struct problem *problem)
{
	struct input_queue *queue = calloc(1, sizeof *queue);
	int error;

	if (!queue)
		return -ENOMEM;
	queue->is_program = !path || is_directory(path);
	queue->seen_us = clock_now_us();
	queue->file = queue->is_program ? run("postqueue", path, "-j") : fopen(path, "re");
	if (!queue->file) {
		error = -errno;
		problem_set(problem, "cannot read the queue from '%s': %s", path ? path : program, strerror(-error));
		free(queue);
		return error;
	}
	if (!queue->is_program)
		queue->seen_us = time_of_file(queue->file);
	*ret_queue = queue;
	return 0;
}

static bool read_word(FILE *file, char ret_word[INPUT_QUEUE_NAME_SIZE])
{
	if (!fgets(ret_word, INPUT_QUEUE_NAME_SIZE, file))
		ret_word[0] = '\0';
	ret_word[strcspn(ret_word, "\n")] = '\0';
	return ret_word[0] != '\0';
}

void input_queue_name(const char *path, char ret_name[INPUT_QUEUE_NAME_SIZE])
{
	char log[INPUT_QUEUE_NAME_SIZE], host[INPUT_QUEUE_NAME_SIZE] = "", syslog_name[INPUT_QUEUE_NAME_SIZE] = "";
	FILE *file = run("postconf", is_directory(path) ? path : NULL, "-xh maillog_file myhostname syslog_name 2>/dev/null");
	/* A log that Postfix writes itself has its own name for the host; one of syslog or the journal has the machine's. */
	bool has_log = file && read_word(file, log), has_names = file && read_word(file, host) && read_word(file, syslog_name);

	if (file)
		(void)pclose(file);
	if (!has_names)
		syslog_name[0] = '\0';
	if (!has_names || !has_log)
		(void)gethostname(host, sizeof host - 1);
	host[sizeof host - 1] = '\0';
	(void)snprintf(ret_name, INPUT_QUEUE_NAME_SIZE, "%.150s%s%.90s", host, syslog_name[0] ? "/" : "", syslog_name);
}

int input_queue_close(struct input_queue *queue)
{
	int status = 0;

	if (!queue)
		return 0;
	if (queue->is_program)
		status = pclose(queue->file);
	else
		(void)fclose(queue->file);
	json_decref(queue->object);
	free(queue->recipients);
	free(queue->line);
	free(queue);
	return status ? -EIO : 0;
}

uint64_t input_queue_time(const struct input_queue *queue)
{
	return queue->seen_us;
}

uint64_t input_queue_bad(const struct input_queue *queue)
{
	return queue->bad;
}

/* ---- lines ---- */

/* 1: a line that is not too long; -1: one that is; 0: the end. */
static int read_line(struct input_queue *queue, size_t *ret_length)
{
	size_t length = 0;
	int byte;

	while ((byte = getc_unlocked(queue->file)) != EOF && byte != '\n') {
		if (length == queue->size && length < INPUT_QUEUE_LINE_MAX) {
			size_t size = queue->size ? queue->size * 2 : 4096;
			char *larger = realloc(queue->line, size);

			if (!larger)
				return -1;
			queue->line = larger;
			queue->size = size;
		}
		if (length < queue->size)
			queue->line[length] = (char)byte;
		length++;
	}
	if (byte == EOF && length == 0)
		return 0;
	queue->lines++;
	*ret_length = length;
	return length <= queue->size ? 1 : -1;
}

static struct text member(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return json_is_string(value) ? (struct text){ json_string_value(value), json_string_length(value) } : TEXT_NONE;
}

static uint64_t number(const json_t *object, const char *name)
{
	json_int_t value = json_integer_value(json_object_get(object, name));

	return value > 0 ? (uint64_t)value : 0;
}

static bool take_recipients(struct input_queue *queue, struct queue_entry *entry)
{
	const json_t *list = json_object_get(queue->object, "recipients"), *each;
	size_t count = json_array_size(list), i;

	if (count > queue->recipients_size) {
		struct queue_recipient *larger = reallocarray(queue->recipients, count, sizeof *larger);

		if (!larger)
			return false;
		queue->recipients = larger;
		queue->recipients_size = count;
	}
	entry->recipients = queue->recipients;
	json_array_foreach(list, i, each) {
		struct queue_recipient recipient = { member(each, "address"), member(each, "delay_reason") };

		if (recipient.address.length)
			queue->recipients[entry->recipient_count++] = recipient;
	}
	return true;
}

/* False: the line is no message of the queue. */
static bool take_entry(struct input_queue *queue, struct text line, struct queue_entry *entry)
{
	static const uint64_t second_us = 1000000, last_second = UINT64_C(253402300799);
	uint64_t arrival;

	json_decref(queue->object);
	queue->object = json_loadb(line.start, line.length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	arrival = number(queue->object, "arrival_time");
	*entry = (struct queue_entry){
		.queue_name = member(queue->object, "queue_name"), .queue_id = member(queue->object, "queue_id"),
		.sender = member(queue->object, "sender"), .size = number(queue->object, "message_size"),
		.arrival_us = arrival <= last_second ? arrival * second_us : 0, .seen_us = queue->seen_us, .line = queue->lines,
	};
	return entry->queue_id.length && entry->queue_name.length && entry->arrival_us && take_recipients(queue, entry);
}

int input_queue_next(struct input_queue *queue, struct queue_entry *ret_entry)
{
	size_t length = 0;
	int more;

	while ((more = read_line(queue, &length)) != 0) {
		if (more > 0 && take_entry(queue, (struct text){ queue->line, length }, ret_entry))
			return 1;
		queue->bad += more < 0 || length > 0;
	}
	return ferror(queue->file) ? -EIO : 0;
}
