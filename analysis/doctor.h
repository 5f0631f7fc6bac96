/*
 * doctor.h - what keeps the whole from working: one check a row, each finding with its remedy.
 *
 * Nothing is changed by a check, and none waits longer than DOCTOR_WAIT_MS.
 *
 * Threads: one owner at a time.
 */
#ifndef SMTPTRAIL_DOCTOR_H
#define SMTPTRAIL_DOCTOR_H

#include <stdbool.h>

#include "analysis/config.h"
#include "analysis/table.h"
#include "common/status.h"

enum { DOCTOR_WAIT_MS = 5000 };

enum doctor_state { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_ERROR };

struct doctor {
	const struct config *config;
	const char *config_file;	/* that was asked for; NULL: the usual one */
	const char *config_problem;	/* why it was not read, and config is the defaults; "": it was */
	const char *milter_config;	/* file for smtptrail-milter -c; NULL: its usual one */
	const char *postfix_config;	/* directory for postconf -c; NULL: its own */
	const char *sendmail_config;	/* its sendmail.cf; NULL: the usual one */
	const char *const *logs;	/* files that should be readable; NULL last */
	struct status status;
	bool has_status;
	struct table *table;
	unsigned warnings, errors;
};

/* Adds a line: what was looked at, how it is, and what to do (empty: nothing). */
__attribute__((format(printf, 5, 6)))
void doctor_say(struct doctor *doctor, enum doctor_state state, const char *what, const char *remedy, const char *format, ...);

/* Each a file doctor_NAME.c, or in doctor.c. */
void doctor_check_programs(struct doctor *doctor);
void doctor_check_config(struct doctor *doctor);
void doctor_check_milter(struct doctor *doctor);
void doctor_check_mta(struct doctor *doctor);
void doctor_check_sendmail(struct doctor *doctor);
void doctor_check_redis(struct doctor *doctor);
void doctor_check_store(struct doctor *doctor);
void doctor_check_logs(struct doctor *doctor);
void doctor_check_clock(struct doctor *doctor);

/* Where the milter listens, as its status file says; else as it does by default. */
const char *doctor_milter_socket(const struct doctor *doctor);
/* Whether an MTA's setting names that socket, in whatever way it writes it. */
bool doctor_names_socket(const char *setting, const char *socket);

/* Runs a program and keeps the first size bytes of what it writes to standard output, and the last line of what it says on
 * standard error (of the first so many bytes); both are terminated. 0; -ENOENT: there is no such program; -ETIME; -EIO: it
 * ended with a failure. */
enum { DOCTOR_COMPLAINT_SIZE = 500 };
int doctor_run(const char *const *words, char *ret_output, size_t size, char ret_complaint[DOCTOR_COMPLAINT_SIZE]);

#endif
