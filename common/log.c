/* log.c - one line per event, to syslog, the journal of systemd or standard error. */
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "clock.h"
#include "escape.h"
#include "record.h"

enum { LINE_SIZE = 1024, REMEMBERED = 64, QUIET_SECONDS = 60, PROGRAM_SIZE = 64 };

/* A line that was written, and how often it came again since. */
struct line {
	enum log_level level;
	uint64_t written;		/* second of the monotonic clock; 0: the place is free */
	uint64_t repeated;
	char text[LINE_SIZE];
};

/* Set by log_open, before threads. */
static char program_name[PROGRAM_SIZE] = "smtptrail";
static enum log_target log_to = LOG_TARGET_STDERR;
static bool stderr_is_journal;

static atomic_int lowest_level = LOG_LEVEL_INFO;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;	/* guards the lines, and keeps their order */
static struct line lines[REMEMBERED];

static const struct { const char *name; int priority; } levels[] = {
	[LOG_LEVEL_ERROR] = { "error", LOG_ERR },
	[LOG_LEVEL_WARNING] = { "warning", LOG_WARNING },
	[LOG_LEVEL_INFO] = { "info", LOG_INFO },
	[LOG_LEVEL_DEBUG] = { "debug", LOG_DEBUG },
};

/* systemd names the device and inode of the stream that it connected. */
static bool is_journal(int descriptor)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat stat;

	return stream && sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &device, &inode) == 2 &&
	       fstat(descriptor, &stat) == 0 && stat.st_dev == device && stat.st_ino == inode;
}

static void write_stderr(enum log_level level, const char *text)
{
	char head[TIME_TEXT_SIZE + PROGRAM_SIZE + 32];
	int length;

	if (stderr_is_journal) {
		length = snprintf(head, sizeof head, "<%d>", levels[level].priority);
	} else {
		char time[TIME_TEXT_SIZE];

		time_format(clock_now_us(), time);
		length = snprintf(head, sizeof head, "%s %s[%d]: %s: ", time, program_name, (int)getpid(),
				  levels[level].name);
	}
	/* In one piece, so that lines of several writers do not mix. */
	struct iovec parts[] = {
		{ head, (size_t)length }, { (char *)text, strlen(text) }, { (char *)"\n", 1 },
	};

	while (writev(STDERR_FILENO, parts, 3) < 0 && errno == EINTR)
		;
}

static void write_journal(enum log_level level, const char *text)
{
	char message[LINE_SIZE + 64], priority[16], identifier[PROGRAM_SIZE + 20];
	struct iovec fields[] = {
		{ message, (size_t)snprintf(message, sizeof message, "MESSAGE=%s", text) },
		{ priority, (size_t)snprintf(priority, sizeof priority, "PRIORITY=%d", levels[level].priority) },
		{ identifier, (size_t)snprintf(identifier, sizeof identifier, "SYSLOG_IDENTIFIER=%s", program_name) },
	};

	if (sd_journal_sendv(fields, 3) < 0)
		write_stderr(level, text);
}

static void write_out(enum log_level level, const char *text)
{
	switch (log_to) {
	case LOG_TARGET_AUTO:
	case LOG_TARGET_STDERR: write_stderr(level, text); break;
	case LOG_TARGET_SYSLOG: syslog(levels[level].priority, "%s", text); break;
	case LOG_TARGET_JOURNAL: write_journal(level, text); break;
	}
}

static void write_repeated(const struct line *line)
{
	char text[LINE_SIZE + 48];

	(void)snprintf(text, sizeof text, "%s (repeated: %" PRIu64 ")", line->text, line->repeated);
	write_out(line->level, text);
}

static uint64_t now_seconds(void)
{
	return clock_steady_us() / 1000000 + 1;	/* never 0 */
}

/* The place of this line, or the one to give to it. */
static struct line *find_line(enum log_level level, const char *text)
{
	struct line *oldest = lines;

	for (struct line *line = lines; line < lines + REMEMBERED; line++) {
		if (line->written && line->level == level && strcmp(line->text, text) == 0)
			return line;
		if (line->written < oldest->written)
			oldest = line;
	}
	if (oldest->repeated)
		write_repeated(oldest);
	oldest->level = level;
	oldest->written = 0;
	oldest->repeated = 0;
	(void)snprintf(oldest->text, sizeof oldest->text, "%s", text);
	return oldest;
}

static void write_or_count(enum log_level level, const char *text)
{
	uint64_t now = now_seconds();

	pthread_mutex_lock(&lock);
	struct line *line = find_line(level, text);

	if (line->written && now - line->written < QUIET_SECONDS) {
		line->repeated++;
	} else {
		if (line->repeated++)
			write_repeated(line);
		else
			write_out(level, text);
		line->written = now;
		line->repeated = 0;
	}
	pthread_mutex_unlock(&lock);
}

__attribute__((format(printf, 2, 0)))
static void log_line(enum log_level level, const char *format, va_list arguments)
{
	char raw[LINE_SIZE], text[LINE_SIZE];
	int saved = errno;

	if ((int)level > atomic_load_explicit(&lowest_level, memory_order_relaxed))
		return;
	int length = vsnprintf(raw, sizeof raw, format, arguments);

	if (length < 0)
		return;
	size_t kept = (size_t)length < sizeof raw ? (size_t)length : sizeof raw - 1;
	size_t columns, used = escape_into((struct text){ raw, kept }, text, sizeof text - 3, &columns);

	if ((size_t)length > kept || used + 4 > sizeof text - 3)
		(void)memcpy(text + used, "...", 4);
	write_or_count(level, text);
	errno = saved;
}

void log_open(const char *program, enum log_target target, enum log_level level)
{
	(void)snprintf(program_name, sizeof program_name, "%s", program);
	stderr_is_journal = is_journal(STDERR_FILENO);
	log_to = target != LOG_TARGET_AUTO ? target : stderr_is_journal ? LOG_TARGET_JOURNAL : LOG_TARGET_STDERR;
	log_set_level(level);
	if (log_to == LOG_TARGET_SYSLOG)
		openlog(program_name, LOG_PID | LOG_NDELAY, LOG_MAIL);
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&lowest_level, (int)level, memory_order_relaxed);
}

void log_close(void)
{
	pthread_mutex_lock(&lock);
	for (struct line *line = lines; line < lines + REMEMBERED; line++) {
		if (line->repeated)
			write_repeated(line);
		line->written = 0;
		line->repeated = 0;
	}
	pthread_mutex_unlock(&lock);
	if (log_to == LOG_TARGET_SYSLOG)
		closelog();
}

#define LOG_FUNCTION(name, level) \
	void name(const char *format, ...) \
	{ \
		va_list arguments; \
\
		va_start(arguments, format); \
		log_line(level, format, arguments); \
		va_end(arguments); \
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
