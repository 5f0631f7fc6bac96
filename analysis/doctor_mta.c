/* doctor_mta.c - whether the MTA calls the milter, and whether its log tells enough: Postfix, by postconf. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "analysis/doctor.h"

/* What postconf is asked for, in this order; it answers a line each. */
enum setting { MAIL_VERSION, SMTPD_MILTERS, OTHER_MILTERS, ACTION, LONG_IDS, PORT_LOGGING, SETTINGS };

static const char *const names[SETTINGS] = {
	[MAIL_VERSION] = "mail_version", [SMTPD_MILTERS] = "smtpd_milters", [OTHER_MILTERS] = "non_smtpd_milters",
	[ACTION] = "milter_default_action", [LONG_IDS] = "enable_long_queue_ids", [PORT_LOGGING] = "smtpd_client_port_logging",
};

enum { OUTPUT_MAX = 16384 };

/* Cuts the output into its lines. */
static unsigned split(char *output, char *values[SETTINGS])
{
	unsigned count = 0;

	while (count < SETTINGS && *output) {
		char *end = strchr(output, '\n');

		values[count++] = output;
		if (!end)
			break;
		*end = '\0';
		output = end + 1;
	}
	return count;
}

static int ask_postconf(const char *directory, char *output, char *values[SETTINGS], char complaint[DOCTOR_COMPLAINT_SIZE])
{
	const char *words[SETTINGS + 5];
	unsigned count = 0;
	int error;

	words[count++] = "postconf";
	if (directory) {
		words[count++] = "-c";
		words[count++] = directory;
	}
	words[count++] = "-h";
	for (unsigned i = 0; i < SETTINGS; i++)
		words[count++] = names[i];
	words[count] = NULL;
	error = doctor_run(words, output, OUTPUT_MAX, complaint);
	if (error)
		return error;
	return split(output, values) == SETTINGS ? 0 : -EBADMSG;
}

/* Host and port are written in several ways; the port, or the path, is what makes two alike. */
bool doctor_names_socket(const char *milters, const char *socket)
{
	const char *tail = strrchr(socket, ':');

	if (strstr(milters, socket))
		return true;
	if (strncmp(socket, "unix:", 5) == 0) {
		const char *last = strrchr(socket, '/');

		return last && strstr(milters, last);
	}
	return tail && strstr(milters, tail);
}

const char *doctor_milter_socket(const struct doctor *doctor)
{
	return doctor->has_status && doctor->status.socket[0] ? doctor->status.socket : "inet:127.0.0.1:8891";
}

static void check_milters(struct doctor *doctor, char *values[SETTINGS])
{
	const char *socket = doctor_milter_socket(doctor);

	if (!doctor_names_socket(values[SMTPD_MILTERS], socket))
		doctor_say(doctor, DOCTOR_ERROR, "postfix", "add it to main.cf as conf/postfix-main.cf.example says, then postfix reload",
			   "smtpd_milters does not name the milter (%s): mail by SMTP is not recorded", socket);
	else
		doctor_say(doctor, DOCTOR_OK, "postfix", "", "version %s; smtpd_milters names the milter (%s)", values[MAIL_VERSION], socket);
	if (!doctor_names_socket(values[OTHER_MILTERS], socket))
		doctor_say(doctor, DOCTOR_WARNING, "postfix", "add it to non_smtpd_milters too, then postfix reload",
			   "non_smtpd_milters does not name it: mail from programs of this machine is not recorded");
	if (!strstr(values[SMTPD_MILTERS], "default_action=accept") && strcmp(values[ACTION], "accept") != 0)
		doctor_say(doctor, DOCTOR_WARNING, "postfix", "write { ADDRESS, default_action=accept } in smtpd_milters",
			   "milter_default_action is %s: mail waits when the milter is away", values[ACTION]);
}

void doctor_check_mta(struct doctor *doctor)
{
	char output[OUTPUT_MAX], *values[SETTINGS] = { NULL }, complaint[DOCTOR_COMPLAINT_SIZE];
	int error = ask_postconf(doctor->postfix_config, output, values, complaint);

	if (error == -ENOENT) {
		doctor_say(doctor, DOCTOR_OK, "postfix", "", "there is no postconf on this machine: no Postfix here");
		return;
	}
	if (error) {
		doctor_say(doctor, DOCTOR_WARNING, "postfix", "run postconf by hand", "postconf gave no answer: %s",
			   complaint[0] ? complaint : strerror(-error));
		return;
	}
	check_milters(doctor, values);
	if (strcmp(values[LONG_IDS], "yes") != 0)
		doctor_say(doctor, DOCTOR_WARNING, "postfix", "postconf -e enable_long_queue_ids=yes",
			   "queue identifiers are short and used again: a message may be taken for an older one");
	if (strcmp(values[PORT_LOGGING], "yes") != 0)
		doctor_say(doctor, DOCTOR_WARNING, "postfix", "postconf -e smtpd_client_port_logging=yes",
			   "the log has no client ports: several sessions of one client at a time cannot be told apart");
}
