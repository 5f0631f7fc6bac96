/* doctor_config.c - whether both programs can use their configuration. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "analysis/doctor.h"
#include "analysis/reason.h"

enum { OUTPUT_MAX = 16384 };

/* A file that is not for everybody may be as it should be. */
static void say_problem(struct doctor *doctor, const char *remedy, const char *text)
{
	bool is_forbidden = strstr(text, strerror(EACCES));

	doctor_say(doctor, is_forbidden ? DOCTOR_WARNING : DOCTOR_ERROR, "configuration",
		   is_forbidden ? "ask as root, or as a member of the file's group" : remedy, "%s", text);
}

static void check_own(struct doctor *doctor)
{
	struct problem problem = { "" };

	if (doctor->config_problem[0])
		say_problem(doctor, "mend it, as smtptrail.conf(5) says: the other verbs end so, and what follows is of the defaults",
			    doctor->config_problem);
	else if (config_load_reasons(doctor->config, &problem) != 0)
		say_problem(doctor, "mend that file, or the option reasons that names it: smtptrail parse --reasons shows the form", problem.text);
	else
		doctor_say(doctor, DOCTOR_OK, "configuration", "", "%s", doctor->config_file ? doctor->config_file : "the usual file, or the defaults");
	reason_unload();
}

static unsigned count_errors(const char *output)
{
	unsigned count = 0;

	for (const char *line = output; line; line = strchr(line, '\n'), line += line != NULL)
		count += strncmp(line, "error ", 6) == 0;
	return count;
}

/* The milter alone knows its options; "smtptrail-milter --check" tells of them in its first line: state, "configuration",
 * words. The rest of it holds for the user that the milter becomes, which only root can. */
static void check_milters(struct doctor *doctor)
{
	const char *const words[] = { "smtptrail-milter", "--check", doctor->milter_config ? "-c" : NULL, doctor->milter_config, NULL };
	char output[OUTPUT_MAX], complaint[DOCTOR_COMPLAINT_SIZE], state[8];
	int error = doctor_run(words, output, sizeof output, complaint), at = 0;
	unsigned errors = count_errors(output);

	if (error == -ENOENT)
		return;		/* there is no milter here, which was said */
	if (sscanf(output, "%7s configuration %n", state, &at) != 1 || !at) {
		doctor_say(doctor, DOCTOR_WARNING, "configuration", "run it by hand and see what it says", "smtptrail-milter --check: %s",
			   complaint[0] ? complaint : error ? strerror(-error) : "it said something else");
		return;
	}
	output[at + (int)strcspn(output + at, "\n")] = '\0';
	if (strcmp(state, "ok") != 0) {
		say_problem(doctor, "mend it, as smtptrail-milter.conf(5) says: the milter does not start with it", output + at);
		return;
	}
	doctor_say(doctor, DOCTOR_OK, "configuration", "", "of the milter: %s", output + at);
	if (errors && geteuid() == 0)
		doctor_say(doctor, DOCTOR_ERROR, "milter", "run it: it names each of them, and how to mend it", "smtptrail-milter --check finds %u errors",
			   errors);
}

void doctor_check_config(struct doctor *doctor)
{
	check_own(doctor);
	check_milters(doctor);
}
