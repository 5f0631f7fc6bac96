/*
 * log.h - one line per event, to syslog, the journal of systemd or standard error.
 *
 * The same line (the same text) is written at most once a minute; when it comes again after that,
 * or at the end, or when it is forgotten for newer ones, the number of its repetitions is added.
 *
 * Threads: log_open and log_close before and after threads; the rest from any thread. NOT from a
 *          libmilter callback: it may wait for the log's socket.
 * Limits:  a line of 1,024 bytes; the last 64 different lines are remembered.
 * Errors:  none reach the caller. Control bytes are made visible.
 */
#ifndef SMTPTRAIL_LOG_H
#define SMTPTRAIL_LOG_H

#include <stdbool.h>

enum log_target { LOG_TARGET_AUTO, LOG_TARGET_STDERR, LOG_TARGET_SYSLOG, LOG_TARGET_JOURNAL };
enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* AUTO: the journal where standard error is connected to it, else standard error. */
void log_open(const char *program, enum log_target target, enum log_level level);
void log_close(void);
/* From any thread, for a reload. */
void log_set_level(enum log_level level);

__attribute__((format(printf, 1, 2))) void log_error(const char *format, ...);
__attribute__((format(printf, 1, 2))) void log_warning(const char *format, ...);
__attribute__((format(printf, 1, 2))) void log_info(const char *format, ...);
__attribute__((format(printf, 1, 2))) void log_debug(const char *format, ...);

#endif
