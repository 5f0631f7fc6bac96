/* verb_doctor.c - smtptrail doctor: what keeps the whole from working, and how to mend it. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/doctor.h"
#include "analysis/output.h"
#include "analysis/verb.h"
#include "common/escape.h"

extern const struct verb verb_doctor;

enum { LOGS_MAX = 32, OPTION_CONFIG = 256, OPTION_MILTER, OPTION_JSON, OPTION_POSTFIX, OPTION_SENDMAIL, OPTION_LOG };

struct options {
	const char *config, *milter, *postfix, *sendmail;
	const char *logs[LOGS_MAX + 1];
	unsigned log_count;
	bool as_json;
};

static const struct table_column columns[] = {
	{ "state", "State", CELL_TEXT, true }, { "what", "What", CELL_TEXT, false }, { "finding", "Finding", CELL_TEXT, false },
	{ "remedy", "Remedy", CELL_TEXT, false },
};

/* For a person: a line for each, and the remedy below it, since both are sentences. */
static void print(const struct table *table, FILE *out)
{
	for (size_t i = 0; i < table_row_count(table); i++) {
		const struct cell *cells = table_row(table, i)->cells;

		fprintf(out, "%-8.*s %-13.*s ", TEXT_ARGS(cells[0].text), TEXT_ARGS(cells[1].text));
		escape_terminal(cells[2].text, out);
		(void)fputc('\n', out);
		if (!cells[3].is_known)
			continue;
		fprintf(out, "%-22s -> ", "");
		escape_terminal(cells[3].text, out);
		(void)fputc('\n', out);
	}
}

static void show(const struct doctor *doctor, const struct options *options)
{
	struct output_page page;

	if (!options->as_json) {
		print(doctor->table, stdout);
		printf("%u warnings, %u errors\n", doctor->warnings, doctor->errors);
		return;
	}
	output_page_init(&page, stdout, "doctor", "never");
	output_json.begin(&page);
	output_json.table(&page, doctor->table);
	output_json.end(&page);
}

static int examine(struct doctor *doctor, const struct options *options)
{
	doctor->table = table_new("doctor", "Doctor", columns, sizeof columns / sizeof columns[0]);
	if (!doctor->table) {
		fprintf(stderr, "smtptrail doctor: %s\n", strerror(ENOMEM));
		return EXIT_USAGE;
	}
	doctor_check_programs(doctor);
	doctor_check_config(doctor);
	doctor_check_milter(doctor);
	doctor_check_mta(doctor);
	doctor_check_sendmail(doctor);
	doctor_check_redis(doctor);
	doctor_check_store(doctor);
	doctor_check_logs(doctor);
	doctor_check_clock(doctor);
	show(doctor, options);
	table_free(doctor->table);
	return doctor->errors || doctor->warnings ? EXIT_NOTHING : EXIT_FOUND;
}

static int read_option(int option, const char *value, struct options *options)
{
	switch (option) {
	case OPTION_CONFIG: options->config = value; return 0;
	case OPTION_MILTER: options->milter = value; return 0;
	case OPTION_JSON: options->as_json = true; return 0;
	case OPTION_POSTFIX: options->postfix = value; return 0;
	case OPTION_SENDMAIL: options->sendmail = value; return 0;
	case OPTION_LOG:
		if (options->log_count == LOGS_MAX)
			return verb_usage_error(&verb_doctor, "more than %d logs", LOGS_MAX);
		options->logs[options->log_count++] = value;
		return 0;
	default: return verb_option_error(&verb_doctor);
	}
}

/* The usual names of a mail log, where none was given. */
static void find_logs(struct options *options)
{
	static const char *const usual[] = { "/var/log/mail.log", "/var/log/maillog" };

	for (unsigned i = 0; !options->log_count && i < sizeof usual / sizeof usual[0]; i++) {
		FILE *file = fopen(usual[i], "r");

		if (!file && errno == ENOENT)
			continue;
		if (file)
			(void)fclose(file);
		options->logs[options->log_count++] = usual[i];
	}
}

static int run_doctor(int argc, char **argv)
{
	static const struct option words[] = {
		{ "config", required_argument, NULL, OPTION_CONFIG }, { "milter-config", required_argument, NULL, OPTION_MILTER },
		{ "json", no_argument, NULL, OPTION_JSON },
		{ "postfix-config", required_argument, NULL, OPTION_POSTFIX }, { "sendmail-config", required_argument, NULL, OPTION_SENDMAIL },
		{ "log", required_argument, NULL, OPTION_LOG },
		{ NULL, 0, NULL, 0 },
	};
	struct options options = { .config = NULL };
	struct config config;
	struct problem problem = { "" }, no_defaults = { "" };
	int option, status;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "", words, NULL)) != -1) {
		status = read_option(option, optarg, &options);
		if (status)
			return status;
	}
	if (optind < argc)
		return verb_usage_error(&verb_doctor, "takes no argument, got '%s'", argv[optind]);
	find_logs(&options);
	/* A bad configuration is the first of the findings. */
	if (config_read(&config, options.config, &problem) != 0 && conf_read(config_options, &config, NULL, &no_defaults) != 0) {
		fprintf(stderr, "smtptrail doctor: %s\n", no_defaults.text);
		return EXIT_USAGE;
	}
	struct doctor doctor = {
		.config = &config, .config_file = options.config, .config_problem = problem.text, .milter_config = options.milter,
		.postfix_config = options.postfix,
		.sendmail_config = options.sendmail, .logs = options.logs,
	};

	status = examine(&doctor, &options);
	config_done(&config);
	return status;
}

const struct verb verb_doctor = {
	.name = "doctor",
	.summary = "say what keeps it from working here, and how to mend it",
	.arguments = "[--config FILE] [--milter-config FILE] [--postfix-config DIRECTORY] [--sendmail-config FILE] [--log FILE...] [--json]",
	.help = "Looks at the programs' versions, both configurations, the milter, its journal, whether the MTA calls it, Redis, the\n"
		"store, the mail log and the clock. It changes nothing.\n\n"
		"options:\n"
		"  --config FILE              the configuration, instead of smtptrail.conf\n"
		"  --milter-config FILE       the milter's, instead of smtptrail-milter.conf\n"
		"  --postfix-config DIRECTORY Postfix' configuration, instead of its own choice\n"
		"  --sendmail-config FILE     Sendmail's configuration, instead of /etc/mail/sendmail.cf\n"
		"  --log FILE                 a mail log that should be readable, instead of the usual one; may be repeated\n"
		"  --json                     one JSON object\n\n"
		"exit status: 0 nothing is wrong; 1 there are warnings or errors, each with its remedy; 2 usage\n\n"
		"example:\n"
		"  sudo smtptrail doctor\n",
	.run = run_doctor,
};
