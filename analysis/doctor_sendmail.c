/*
 * doctor_sendmail.c - whether Sendmail calls the milter, and whether its log tells enough: by its sendmail.cf.
 *
 * Limits:  lines of more than LINE_MAX_BYTES are read as several.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "analysis/doctor.h"

enum { LINE_MAX_BYTES = 4096, NAME_MAX_BYTES = 128, LOG_LEVEL_USUAL = 9, LOG_LEVEL_WHOLE = 10, HEADERS_MAX_BYTES = 65535, DAEMONS_MAX = 8 };

static const char usual_file[] = "/etc/mail/sendmail.cf";

/* A daemon that names its filters itself: those of the whole are not called for it. */
struct daemon {
	char name[NAME_MAX_BYTES], filters[NAME_MAX_BYTES];
};

/* What the file says of it. */
struct settings {
	char version[64];
	char milter[NAME_MAX_BYTES];		/* the name of the filter at our socket; empty: there is none */
	char equates[LINE_MAX_BYTES];		/* what stands behind that name */
	char filters[LINE_MAX_BYTES];		/* InputMailFilters, of all daemons that name none */
	struct daemon daemons[DAEMONS_MAX];	/* those that name some; more are not looked at */
	unsigned daemon_count;
	long log_level, headers_max;
};

/* "Xsmtptrail, S=inet:8891@127.0.0.1, F=, T=C:2s;S:2s;R:2s;E:5s" */
static void read_filter(const char *line, const char *socket, struct settings *settings)
{
	size_t length = strcspn(line, ", \t");
	const char *address = strstr(line, "S=");

	if (settings->milter[0] || !address || !doctor_names_socket(address, socket))
		return;
	(void)snprintf(settings->milter, sizeof settings->milter, "%.*s", (int)length, line);
	(void)snprintf(settings->equates, sizeof settings->equates, "%s", line + length);
}

/* "Name=MTA-v4, Family=inet, InputMailFilters=smtptrail;other": the first letter of a key is enough for Sendmail. */
static void read_daemon(const char *at, struct settings *settings)
{
	struct daemon *daemon = &settings->daemons[settings->daemon_count];

	if (settings->daemon_count == DAEMONS_MAX)
		return;
	*daemon = (struct daemon){ .name = "" };
	for (at += strspn(at, ", \t"); *at; at += strspn(at, ", \t")) {
		size_t length = strcspn(at, ","), key = strcspn(at, "=,");

		if (at[key] == '=' && (*at == 'N' || *at == 'n'))
			(void)snprintf(daemon->name, sizeof daemon->name, "%.*s", (int)(length - key - 1), at + key + 1);
		else if (at[key] == '=' && (*at == 'I' || *at == 'i'))
			(void)snprintf(daemon->filters, sizeof daemon->filters, "%.*s", (int)(length - key - 1), at + key + 1);
		at += length;
	}
	if (daemon->filters[0])
		settings->daemon_count++;
}

/* "InputMailFilters=smtptrail, other" */
static void read_option(const char *line, struct settings *settings)
{
	const char *value = strchr(line, '=');
	size_t length = value ? (size_t)(value - line) : 0;

	if (!value)
		return;
	if (length == 16 && strncasecmp(line, "InputMailFilters", length) == 0)
		(void)snprintf(settings->filters, sizeof settings->filters, "%s", value + 1);
	else if (length == 17 && strncasecmp(line, "DaemonPortOptions", length) == 0)
		read_daemon(value + 1, settings);
	else if (length == 8 && strncasecmp(line, "LogLevel", length) == 0)
		settings->log_level = strtol(value + 1, NULL, 10);
	else if (length == 16 && strncasecmp(line, "MaxHeadersLength", length) == 0)
		settings->headers_max = strtol(value + 1, NULL, 10);
}

static void read_settings(FILE *file, const char *socket, struct settings *settings)
{
	char line[LINE_MAX_BYTES];

	*settings = (struct settings){ .log_level = LOG_LEVEL_USUAL, .headers_max = 32768 };
	while (fgets(line, sizeof line, file)) {
		line[strcspn(line, "\r\n")] = '\0';
		if (line[0] == 'X')
			read_filter(line + 1, socket, settings);
		else if (line[0] == 'O' && line[1] == ' ')
			read_option(line + 2, settings);
		else if (strncmp(line, "DZ", 2) == 0)
			(void)snprintf(settings->version, sizeof settings->version, "%.60s", line + 2);
	}
}

/* Whether the list has the name; *ret_is_first: before all others. */
static bool has_name(const char *list, const char *name, bool *ret_is_first)
{
	size_t length = strlen(name);

	for (const char *at = list + strspn(list, ", ;\t"); *at; at += strspn(at, ", ;\t")) {
		size_t word = strcspn(at, ", ;\t");

		*ret_is_first = at == list + strspn(list, ", ;\t");
		if (word == length && strncmp(at, name, length) == 0)
			return true;
		at += word;
	}
	return false;
}

/* Whether any daemon calls it; *ret_is_first: before all others. */
static bool is_called(const struct settings *settings, bool *ret_is_first)
{
	bool is_called = has_name(settings->filters, settings->milter, ret_is_first);

	for (unsigned i = 0; !is_called && i < settings->daemon_count; i++)
		is_called = has_name(settings->daemons[i].filters, settings->milter, ret_is_first);
	return is_called;
}

static void check_daemons(struct doctor *doctor, const struct settings *settings)
{
	bool is_first;

	for (const struct daemon *daemon = settings->daemons; daemon < settings->daemons + settings->daemon_count; daemon++)
		if (!has_name(daemon->filters, settings->milter, &is_first))
			doctor_say(doctor, DOCTOR_WARNING, "sendmail", "add it to InputMailFilters of that DAEMON_OPTIONS, or take them away there",
				   "the daemon '%s' calls other filters (%s): its mail is not recorded", daemon->name, daemon->filters);
}

/* The letter behind "F="; '\0': none, which is what it should be. */
static char failure_flag(const char *equates)
{
	const char *flag = strstr(equates, "F=");

	return flag && flag[2] != ',' && flag[2] != ' ' ? flag[2] : '\0';
}

static void check_filter(struct doctor *doctor, const struct settings *settings, const char *socket)
{
	bool is_first = true;

	if (!settings->milter[0] || !is_called(settings, &is_first)) {
		doctor_say(doctor, DOCTOR_ERROR, "sendmail", "add it to sendmail.mc as conf/sendmail.mc.example says, then make -C /etc/mail and restart",
			   settings->milter[0] ? "the filter '%s' is not among InputMailFilters: mail is not recorded"
					       : "no filter (X line) is at the milter's socket (%s): mail is not recorded",
			   settings->milter[0] ? settings->milter : socket);
		return;
	}
	doctor_say(doctor, DOCTOR_OK, "sendmail", "", "version %s; the filter '%s' is the milter (%s)",
		   settings->version[0] ? settings->version : "not told", settings->milter, socket);
	if (!is_first)
		doctor_say(doctor, DOCTOR_WARNING, "sendmail", "name it first in INPUT_MAIL_FILTER and confINPUT_MAIL_FILTERS",
			   "'%s' is not the first filter: what an earlier one refuses is not recorded", settings->milter);
	if (failure_flag(settings->equates))
		doctor_say(doctor, DOCTOR_WARNING, "sendmail", "write F= with nothing behind it",
			   "F=%c: mail is refused or put off when the milter is away", failure_flag(settings->equates));
	if (!strstr(settings->equates, "T="))
		doctor_say(doctor, DOCTOR_WARNING, "sendmail", "write T=C:2s;S:2s;R:2s;E:5s",
			   "'%s' has no time limits (T=): a milter that hangs keeps a session for minutes", settings->milter);
	check_daemons(doctor, settings);
}

void doctor_check_sendmail(struct doctor *doctor)
{
	const char *path = doctor->sendmail_config ? doctor->sendmail_config : usual_file;
	const char *socket = doctor_milter_socket(doctor);
	struct settings settings;
	FILE *file = fopen(path, "r");

	if (!file && errno == ENOENT) {
		doctor_say(doctor, DOCTOR_OK, "sendmail", "", "there is no %s: no Sendmail here", path);
		return;
	}
	if (!file) {
		doctor_say(doctor, DOCTOR_WARNING, "sendmail", "run it as a user who may read it", "cannot read %s: %s", path, strerror(errno));
		return;
	}
	read_settings(file, socket, &settings);
	(void)fclose(file);
	check_filter(doctor, &settings, socket);
	if (settings.log_level < LOG_LEVEL_USUAL)
		doctor_say(doctor, DOCTOR_WARNING, "sendmail", "define(`confLOG_LEVEL', `10') in sendmail.mc",
			   "LogLevel is %ld: refusals and deliveries are missing in the log", settings.log_level);
	else if (settings.log_level < LOG_LEVEL_WHOLE)
		doctor_say(doctor, DOCTOR_WARNING, "sendmail", "define(`confLOG_LEVEL', `10') in sendmail.mc",
			   "LogLevel is %ld: the log has no line for a connection, and none for a message that has left the queue",
			   settings.log_level);
	if (settings.headers_max > HEADERS_MAX_BYTES)
		doctor_say(doctor, DOCTOR_WARNING, "sendmail", "define(`confMAX_HEADERS_LENGTH', `32768') in sendmail.mc",
			   "MaxHeadersLength is %ld: of a message with a header field of more than 64 kB nothing further is recorded", settings.headers_max);
}
