/* doctor.c - the checks that look at this machine and at our own files. */
#include "analysis/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analysis/log_reader.h"
#include "common/clock.h"

extern char **environ;

enum { SECOND = 1000000, WORDS_MAX = 600 };

void doctor_say(struct doctor *doctor, enum doctor_state state, const char *what, const char *remedy, const char *format, ...)
{
	static const char *const states[] = { "ok", "warning", "error" };
	char words[WORDS_MAX];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(words, sizeof words, format, arguments);
	va_end(arguments);
	table_begin_row(doctor->table);
	table_put_text(doctor->table, text_of(states[state]));
	table_put_text(doctor->table, text_of(what));
	table_put_text(doctor->table, text_of(words));
	if (*remedy)
		table_put_text(doctor->table, text_of(remedy));
	doctor->warnings += state == DOCTOR_WARNING;
	doctor->errors += state == DOCTOR_ERROR;
}

/* ---- running a program ---- */

static uint64_t now_ms(void)
{
	return clock_steady_us() / 1000;
}

/* What a program writes, and its pipe's two ends. */
struct written {
	char *text;
	size_t size, length;
	int ends[2];
};

static int open_written(struct written *written, char *text, size_t size)
{
	*written = (struct written){ .text = text, .size = size };
	*text = '\0';
	return pipe2(written->ends, O_CLOEXEC) == 0 ? 0 : -errno;
}

static void close_end(struct written *written, int end)
{
	if (written->ends[end] >= 0)
		(void)close(written->ends[end]);
	written->ends[end] = -1;
}

/* What does not fit is read and thrown away, so that the writer can end. */
static void read_some(struct written *written)
{
	char rest[4096];
	bool fits = written->length + 1 < written->size;
	ssize_t got = fits ? read(written->ends[0], written->text + written->length, written->size - written->length - 1)
			   : read(written->ends[0], rest, sizeof rest);

	if (got < 0 && errno == EINTR)
		return;
	if (got <= 0)
		close_end(written, 0);
	else if (fits)
		written->length += (size_t)got;
	written->text[written->length] = '\0';
}

/* Reads both to the end, or to the deadline. */
static int read_all(struct written *output, struct written *complaint)
{
	uint64_t deadline = now_ms() + DOCTOR_WAIT_MS;

	while (output->ends[0] >= 0 || complaint->ends[0] >= 0) {
		struct pollfd ready[] = {
			{ .fd = output->ends[0], .events = POLLIN }, { .fd = complaint->ends[0], .events = POLLIN },
		};
		uint64_t now = now_ms();
		int count = now < deadline ? poll(ready, 2, (int)(deadline - now)) : 0;

		if (count == 0)
			return -ETIME;
		if (count > 0 && ready[0].revents)
			read_some(output);
		if (count > 0 && ready[1].revents)
			read_some(complaint);
	}
	return 0;
}

/* What it ended with is its last line. */
static void keep_last_line(char *text)
{
	size_t length = strlen(text);
	char *line;

	while (length && text[length - 1] == '\n')
		text[--length] = '\0';
	line = strrchr(text, '\n');
	if (line)
		memmove(text, line + 1, strlen(line));
}

int doctor_run(const char *const *words, char *ret_output, size_t size, char ret_complaint[DOCTOR_COMPLAINT_SIZE])
{
	posix_spawn_file_actions_t actions;
	struct written output, complaint;
	int status = 0, error = open_written(&output, ret_output, size);
	pid_t pid;

	ret_complaint[0] = '\0';
	if (error)
		return error;
	error = open_written(&complaint, ret_complaint, DOCTOR_COMPLAINT_SIZE);
	if (error)
		goto close_output;
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, output.ends[1], STDOUT_FILENO);
	(void)posix_spawn_file_actions_adddup2(&actions, complaint.ends[1], STDERR_FILENO);
	(void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	/* posix_spawnp changes none of the words. */
	error = -posix_spawnp(&pid, words[0], &actions, NULL, (char *const *)(uintptr_t)words, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	close_end(&output, 1);
	close_end(&complaint, 1);
	if (!error) {
		error = read_all(&output, &complaint);
		if (error)
			(void)kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		if (!error && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
			error = -EIO;
	}
	keep_last_line(ret_complaint);
	close_end(&complaint, 0);
close_output:
	close_end(&output, 1);
	close_end(&output, 0);
	return error;
}

/* ---- checks ---- */

void doctor_check_programs(struct doctor *doctor)
{
	static const char *const words[] = { "smtptrail-milter", "--version", NULL };
	char output[200], complaint[DOCTOR_COMPLAINT_SIZE];
	int error = doctor_run(words, output, sizeof output, complaint);

	output[strcspn(output, "\n")] = '\0';
	if (error == -ENOENT)
		doctor_say(doctor, DOCTOR_OK, "programs", "", "smtptrail %s; no smtptrail-milter in PATH on this machine", PACKAGE_VERSION);
	else if (error)
		doctor_say(doctor, DOCTOR_WARNING, "programs", "run it by hand and see what it says", "smtptrail-milter --version: %s",
			   complaint[0] ? complaint : strerror(-error));
	else if (strstr(output, PACKAGE_VERSION))
		doctor_say(doctor, DOCTOR_OK, "programs", "", "both are of version %s", PACKAGE_VERSION);
	else
		doctor_say(doctor, DOCTOR_WARNING, "programs", "install both of one version", "smtptrail is %s, the milter says '%s'",
			   PACKAGE_VERSION, output);
}

void doctor_check_milter(struct doctor *doctor)
{
	struct problem problem = { "" };
	int error = status_read(&doctor->status, doctor->config->status_file, &problem);
	const struct status *status = &doctor->status;
	uint64_t age;

	if (error) {
		doctor_say(doctor, error == -EACCES ? DOCTOR_WARNING : DOCTOR_ERROR, "milter",
			   error == -EACCES ? "ask as root, or as a member of the milter's group"
					    : "systemctl start smtptrail-milter; smtptrail-milter --check says what keeps it from running",
			   "%s", problem.text);
		return;
	}
	doctor->has_status = true;
	age = clock_now_us() > status->written ? clock_now_us() - status->written : 0;
	if (status->pid && status->pid <= INT32_MAX && kill((pid_t)status->pid, 0) != 0 && errno == ESRCH)
		doctor_say(doctor, DOCTOR_ERROR, "milter", "start it, and see its log for why it ended", "not running: there is no process %" PRIu64,
			   status->pid);
	else if (age > 3 * status->interval_us + 5 * SECOND)
		doctor_say(doctor, DOCTOR_ERROR, "milter", "see its log, then restart it", "it has not written its status for %" PRIu64 " s",
			   age / SECOND);
	else
		doctor_say(doctor, DOCTOR_OK, "milter", "", "version %s, process %" PRIu64 ", %" PRIu64 " sessions since its start", status->version,
			   status->pid, status->sessions_total);
	if (status->journal_error[0])
		doctor_say(doctor, DOCTOR_ERROR, "journal", "mend that directory or its disk, or give it room", "%s", status->journal_error);
	else
		doctor_say(doctor, status->records_dropped ? DOCTOR_WARNING : DOCTOR_OK, "journal",
			   status->records_dropped ? "smtptrail status says more" : "", "%" PRIu64 " records wait, %" PRIu64 " were lost",
			   status->backlog_records, status->records_dropped);
}

void doctor_check_clock(struct doctor *doctor)
{
	struct timex state = { .modes = 0 };
	int synchronized = adjtimex(&state);

	if (synchronized == TIME_ERROR || (state.status & STA_UNSYNC))
		doctor_say(doctor, DOCTOR_WARNING, "clock", "run chrony or systemd-timesyncd: records and log lines are tied within 2 seconds",
			   "nothing keeps this machine's clock right");
	else
		doctor_say(doctor, DOCTOR_OK, "clock", "", "synchronized");
}

/* The first lines of a log: are they understood? */
static void check_lines(struct doctor *doctor, struct log_reader *reader, const char *path)
{
	enum { LINES = 1000 };
	enum format_result result;
	struct event event;
	unsigned understood = 0, unknown = 0, lines = 0;

	while (lines < LINES && log_reader_next(reader, &event, &result) > 0) {
		lines++;
		understood += result == FORMAT_MATCHED;
		unknown += result == FORMAT_MALFORMED;
	}
	if (!lines)
		doctor_say(doctor, DOCTOR_OK, "log", "", "'%s' is readable, and empty", path);
	else if (!understood)
		doctor_say(doctor, DOCTOR_WARNING, "log", "smtptrail parse --format list names what is understood", "'%s': none of its first %u lines is of a mail server",
			   path, lines);
	else
		doctor_say(doctor, unknown > understood / 20 ? DOCTOR_WARNING : DOCTOR_OK, "log",
			   unknown > understood / 20 ? "smtptrail parse --unknown shows them" : "", "'%s': %u of its first %u lines understood, %u not",
			   path, understood, lines, unknown);
}

void doctor_check_logs(struct doctor *doctor)
{
	const struct log_options options = { .format = NULL };

	for (const char *const *path = doctor->logs; *path; path++) {
		struct problem problem = { "" };
		struct log_reader *reader = NULL;

		if (format_prepare() != 0 || log_reader_new(&reader, &options) != 0)
			return;
		if (log_reader_open(reader, *path, &problem) == 0)
			check_lines(doctor, reader, *path);
		else
			doctor_say(doctor, DOCTOR_WARNING, "log", "be a member of the group that may read it (adm), or name the log with --log",
				   "%s", problem.text);
		log_reader_free(reader);
	}
}
