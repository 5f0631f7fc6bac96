/* verb_status.c - smtptrail status: how the milter is, and what to do where it is not well. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/config.h"
#include "analysis/verb.h"
#include "common/clock.h"
#include "common/escape.h"
#include "common/record.h"
#include "common/status.h"

extern const struct verb verb_status;

enum { SECOND = 1000000, OLD_BACKLOG_US = 60 * SECOND, WRITTEN_SLACK_US = 5 * SECOND };

struct findings {
	const struct status *status;
	const char *file;
	uint64_t now_us;
	FILE *out;
	int count;
};

__attribute__((format(printf, 2, 3)))
static void find(struct findings *findings, const char *format, ...)
{
	char words[2048];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(words, sizeof words, format, arguments);
	va_end(arguments);
	if (findings->count++ == 0)
		fputc('\n', findings->out);
	/* The last error may quote what a server said. */
	escape_terminal(text_of(words), findings->out);
	fputc('\n', findings->out);
}

static uint64_t age_of(const struct findings *findings, uint64_t time_us)
{
	return findings->now_us > time_us ? findings->now_us - time_us : 0;
}

/* Another user's process is there too. */
static bool process_exists(uint64_t pid)
{
	return pid == 0 || (pid <= INT32_MAX && (kill((pid_t)pid, 0) == 0 || errno == EPERM));
}

static bool is_stale(const struct findings *findings)
{
	uint64_t interval = findings->status->interval_us, age = age_of(findings, findings->status->written);

	return age > WRITTEN_SLACK_US && age / 3 > interval;
}

/* Whether what the file says is of now. */
static bool check_running(struct findings *findings)
{
	const struct status *status = findings->status;
	char written[TIME_TEXT_SIZE], age[STATUS_AGE_SIZE];

	if (status->written == 0) {
		find(findings, "'%s' does not say when it was written; see that it is the milter's status_file", findings->file);
		return false;
	}
	time_format(status->written, written);
	status_age(age_of(findings, status->written), age);
	if (!process_exists(status->pid)) {
		find(findings, "not running since %s (%s ago): there is no process %" PRIu64
			       "; start it, and see its log for why it ended", written, age, status->pid);
		return false;
	}
	if (is_stale(findings)) {
		find(findings, "not running since %s (%s ago), or it hangs: process %" PRIu64
			       " exists but does not write '%s'; see its log, then restart it", written, age,
		     status->pid, findings->file);
		return false;
	}
	return true;
}

static const char *remedy_of(const char *redis_state)
{
	static const struct { const char *state, *remedy; } remedies[] = {
		{ "connecting", "see that Redis runs and that redis_address and the network lead to it" },
		{ "waiting", "see Redis' log: it refuses to write now" },
		{ "operator", "mend what the error names: password, rights, or a key of another type" },
		{ "fenced", "find the other milter that uses a copy of this spool, and give it a directory of its own" },
	};

	for (size_t i = 0; i < sizeof remedies / sizeof remedies[0]; i++)
		if (strcmp(remedies[i].state, redis_state) == 0)
			return remedies[i].remedy;
	return "see the milter's log";
}

static void check_redis(struct findings *findings)
{
	const struct status *status = findings->status;
	bool needs_a_person = strcmp(status->redis_state, "operator") == 0 || strcmp(status->redis_state, "fenced") == 0;
	uint64_t waited = status->backlog_oldest ? age_of(findings, status->backlog_oldest) : 0;
	char age[STATUS_AGE_SIZE];

	if (strcmp(status->redis_state, "shipping") == 0 || (!needs_a_person && waited <= OLD_BACKLOG_US))
		return;
	status_age(waited, age);
	find(findings, "redis is not taking records (%s), %" PRIu64 " wait in the journal since %s: %s; %s",
	     status->redis_state[0] ? status->redis_state : "state not known", status->backlog_records, age,
	     status->last_error[0] ? status->last_error : "no error is known", remedy_of(status->redis_state));
}

static void check_journal(struct findings *findings)
{
	const struct status *status = findings->status;

	if (status->journal_error[0])
		find(findings, "%s; records go on while there is room elsewhere, and are not safe from a power cut: mend that"
			       " directory or its disk, or give it room", status->journal_error);
}

/* Warned while a quarter of the way is left. */
static bool is_nearly(uint64_t part, uint64_t whole)
{
	return whole && part >= whole - whole / 4;
}

static void check_readers(struct findings *findings)
{
	const struct status *status = findings->status;
	uint64_t hard = status->stream_hard_length, unread = status->stream_unread;

	if (status->stream_readers && is_nearly(unread, hard))
		find(findings, "reader '%s' has %" PRIu64 " records before it; it is overtaken at %" PRIu64 " (stream_hard_length), in %"
			       PRIu64 " records: let it read on, raise stream_hard_length, or remove it with XGROUP DESTROY",
		     status->stream_slowest, unread, hard, unread < hard ? hard - unread : 0);
	if (status->stream_overtaken)
		find(findings, "%" PRIu64 " records were trimmed before a registered reader had done with them; the gap records of the"
			       " reason trimmed say when; raise stream_hard_length, or make the readers faster",
		     status->stream_overtaken);
}

static void check_records(struct findings *findings)
{
	const struct status *status = findings->status;

	if (status->records_dropped)
		find(findings, "%" PRIu64 " records could not be made and are lost: the journal was full, or memory"
			       " short; the records of stage gap say which, when and how many; mend Redis and the disk, or raise"
			       " front_size and spool_size", status->records_dropped);
	if (status->records_damaged)
		find(findings, "%" PRIu64 " records were found damaged; see smtptrail journal verify on the spool"
			       " directory, and check that disk", status->records_damaged);
	if (status->files_mended)
		find(findings, "%" PRIu64 " damaged files of the journal were mended, and no record of them is lost; check that disk",
		     status->files_mended);
	if (status->files_quarantined)
		find(findings, "%" PRIu64 " damaged files of the journal were set aside; see smtptrail journal verify on the spool"
			       " directory, and check that disk", status->files_quarantined);
}

/* Prints the findings; gives the exit status. */
static int judge(const struct status *status, const char *file, FILE *out)
{
	struct findings findings = { .status = status, .file = file, .out = out, .now_us = clock_now_us() };

	if (check_running(&findings)) {
		check_journal(&findings);
		check_redis(&findings);
		check_readers(&findings);
	}
	check_records(&findings);
	return findings.count ? EXIT_NOTHING : EXIT_FOUND;
}

static int show(const char *file, bool as_json)
{
	struct status status;
	struct problem problem;
	int error = status_read(&status, file, &problem);

	if (error) {
		fprintf(stderr, "smtptrail status: ");
		escape_terminal(text_of(problem.text), stderr);
		fputs(error == -EACCES ? "; it is for the milter's user and group: ask as root, or as a member of that group\n"
				       : "; is smtptrail-milter running, and is this its status_file?\n", stderr);
		return EXIT_USAGE;
	}
	if (as_json)
		status_print_json(&status, stdout);
	else
		status_print(&status, stdout);
	return judge(&status, file, as_json ? stderr : stdout);
}

static int show_configured(const char *config_file, const char *file, bool as_json)
{
	struct config config;
	struct problem problem;

	if (config_read(&config, config_file, &problem) != 0) {
		fprintf(stderr, "smtptrail status: %s\n", problem.text);
		return EXIT_USAGE;
	}
	int status = show(file ? file : config.status_file, as_json);

	config_done(&config);
	return status;
}

static int run_status(int argc, char **argv)
{
	static const struct option known[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "file", required_argument, NULL, 'f' },
		{ "config", required_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 },
	};
	const char *file = NULL, *config_file = NULL;
	bool as_json = false;
	int letter;

	opterr = 0;
	while ((letter = getopt_long(argc, argv, ":", known, NULL)) != -1)
		switch (letter) {
		case 'j': as_json = true; break;
		case 'f': file = optarg; break;
		case 'c': config_file = optarg; break;
		case ':': return verb_usage_error(&verb_status, "'%s' needs a value", argv[optind - 1]);
		default: return verb_usage_error(&verb_status, "unknown option '%s'", argv[optind - 1]);
		}
	if (optind < argc)
		return verb_usage_error(&verb_status, "takes no argument, got '%s'", argv[optind]);
	return file && !config_file ? show(file, as_json) : show_configured(config_file, file, as_json);
}

#define HELP_ROW(name, kind, meaning) "  " #name ": " meaning "\n"

const struct verb verb_status = {
	.name = "status",
	.summary = "say how the milter is, and what to do where it is not well",
	.arguments = "[--json] [--file FILE] [--config FILE]",
	.help = "  --json          one JSON object; what is found then goes to standard error\n"
		"  --file FILE     the status file (default: status_file of the configuration)\n"
		"  --config FILE   the configuration, instead of smtptrail.conf\n\n"
		"Exit status: 0 well, 1 something is found (a line each, with its remedy), 2 the file cannot be read.\n\n"
		"members:\n" STATUS_TABLE(HELP_ROW) "\n"
		"examples:\n"
		"  smtptrail status\n"
		"  smtptrail status --json | jq .backlog_records\n",
	.run = run_status,
};
