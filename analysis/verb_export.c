/* verb_export.c - smtptrail export: transactions for other programs. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/ask.h"
#include "analysis/export.h"
#include "analysis/export_target.h"
#include "analysis/key_set.h"
#include "analysis/stop.h"
#include "analysis/store_follow.h"

extern const struct verb verb_export;

enum { OPTION_AS = 256, OPTION_TO, OPTION_COLUMNS, OPTION_FOLLOW, OPTION_INTERVAL, USUAL_INTERVAL_S = 5, INTERVAL_MAX_S = 3600 };

struct options {
	struct ask ask;
	const struct export_form *form;
	const char *to, *column_names;
	bool follows;
	size_t interval_s;
};

struct exporting {
	const struct options *options;
	struct columns columns;
	struct export_target *target;
	struct rows *rows;
	struct key_set sessions;	/* that have a message that was shown */
	struct problem problem;
	uint64_t count;
	int error;
};

/* ---- rows ---- */

/* A message is told by its recipients, a session by its messages, where there are any. */
static bool is_told_by_others(struct exporting *exporting, const struct report_row *row)
{
	if (row->moment == REPORT_SESSION)
		return key_set_has(&exporting->sessions, row->session->key);
	if (row->moment != REPORT_MESSAGE)
		return false;
	if (row->message->session_key && key_set_add(&exporting->sessions, row->message->session_key) < 0)
		exporting->error = -ENOMEM;
	return row->message->recipients;
}

static void take(void *context, const struct report_row *row)
{
	struct exporting *exporting = context;

	if (exporting->error || stop_asked || is_told_by_others(exporting, row))
		return;
	exporting->options->form->row(&exporting->columns, row, export_target_file(exporting->target));
	exporting->error = export_target_send(exporting->target, row->time_us, exporting->options->follows, &stop_asked, &exporting->problem);
	exporting->count++;
}

static int finish(struct exporting *exporting, int error)
{
	if (!error)
		error = exporting->error;
	return error ? error : export_target_flush(exporting->target, &exporting->problem);
}

/* ---- what comes ---- */

static void take_message(void *context, const struct message *message, const struct session *session)
{
	(void)rows_give_message(((struct exporting *)context)->rows, message, session);
}

static void take_session(void *context, const struct session *session)
{
	struct exporting *exporting = context;

	if (rows_find_session(exporting->rows->query, session))
		rows_give_session(exporting->rows, session);
}

static void take_login(void *context, const struct login *login)
{
	rows_give_login(((struct exporting *)context)->rows, login);
}

static int follow(struct exporting *exporting, struct rows *rows)
{
	const struct options *options = exporting->options;
	const struct store_scan scan = {
		.with_attempts = true, .message = take_message, .session = take_session, .login = take_login, .context = exporting,
	};
	struct store_follow *store = NULL;
	int error = store_follow_new(&store, ask_store(&options->ask), options->ask.since_us ? options->ask.since_us : options->ask.now_us);

	exporting->rows = rows;
	rows->query = options->ask.query;
	rows->sources = source_table_new();
	if (!rows->sources)
		error = -ENOMEM;
	while (!error && !stop_asked) {
		error = finish(exporting, store_follow_next(store, rows->sources, &scan, &exporting->problem));
		if (!error && !stop_asked)
			(void)poll(NULL, 0, (int)options->interval_s * 1000);
	}
	store_follow_free(store);
	return error;
}

/* ---- the verb ---- */

static int run(struct exporting *exporting)
{
	const struct options *options = exporting->options;
	struct rows rows;
	int status = 0, error = 0;

	ask_rows(&options->ask, &rows);
	rows.moments = EXPORT_MOMENTS;
	rows.keeps_attempts = true;
	rows.take = take;
	rows.context = exporting;
	if (options->form->begin) {
		options->form->begin(&exporting->columns, export_target_file(exporting->target));
		error = ferror(export_target_file(exporting->target)) ? -EIO : 0;
	}
	if (!error && options->follows)
		error = follow(exporting, &rows);
	else if (!error)
		status = ask_read(&options->ask, &rows);
	error = finish(exporting, error);
	if (error)
		status = ask_problem(&options->ask, error, &exporting->problem);
	if (!status)
		status = options->follows ? EXIT_FOUND : ask_finish(&options->ask, &rows, exporting->count != 0);
	rows_done(&rows);
	return status;
}

static int export_all(const struct options *options)
{
	struct exporting exporting = { .options = options };
	const char *names = options->column_names ? options->column_names : EXPORT_COLUMNS;
	int status;

	if (options->column_names && !options->form->has_columns)
		return verb_usage_error(&verb_export, "--columns is for csv and sql: ndjson has all that is known");
	if (columns_parse(&exporting.columns, names, EXPORT_COLUMNS, &exporting.problem) != 0)
		return verb_usage_error(&verb_export, "%s", exporting.problem.text);
	if (export_target_open(&exporting.target, options->to, &exporting.problem) != 0)
		return ask_problem(&options->ask, -EIO, &exporting.problem);
	stop_on_signals(false);
	if (export_target_is_syslog(exporting.target) && options->form != &export_ndjson)
		status = verb_usage_error(&verb_export, "to a syslog server goes ndjson alone");
	else
		status = run(&exporting);
	export_target_close(exporting.target);
	key_set_done(&exporting.sessions);
	return status;
}

static int read_option(struct options *options, int option, const char *value)
{
	switch (option) {
	case OPTION_AS:
		options->form = export_form_by_name(value);
		return options->form ? 0 : verb_usage_error(&verb_export, "--as is ndjson, csv or sql, not '%s'", value);
	case OPTION_TO: options->to = value; return 0;
	case OPTION_COLUMNS: options->column_names = value; return 0;
	case OPTION_FOLLOW: options->follows = options->ask.spans_apart = true; return 0;
	case OPTION_INTERVAL: return ask_number(&options->ask, "--interval", value, &options->interval_s);
	default: return ask_option(&options->ask, option, value);
	}
}

static int check(const struct options *options)
{
	if (options->ask.output == &output_json)
		return verb_usage_error(&verb_export, "--as says the form: ndjson, csv or sql");
	if (options->follows && options->ask.file_count)
		return verb_usage_error(&verb_export, "--follow follows the store; smtptrail ingest --follow brings what comes into it");
	if (options->interval_s < 1 || options->interval_s > INTERVAL_MAX_S)
		return verb_usage_error(&verb_export, "--interval is 1 to %d seconds", INTERVAL_MAX_S);
	return 0;
}

static int run_export(int argc, char **argv)
{
	static const struct option words[] = {
		{ "as", required_argument, NULL, OPTION_AS }, { "to", required_argument, NULL, OPTION_TO },
		{ "columns", required_argument, NULL, OPTION_COLUMNS }, { "follow", no_argument, NULL, OPTION_FOLLOW },
		{ "interval", required_argument, NULL, OPTION_INTERVAL }, ASK_READ_OPTIONS, { NULL, 0, NULL, 0 },
	};
	struct options options = { .form = &export_ndjson, .to = "-", .interval_s = USUAL_INTERVAL_S };
	int option, status = 0;

	ask_init(&options.ask, &verb_export, argc, argv);
	options.ask.keys = ASK_NAMES;
	opterr = 0;
	while (!status && (option = getopt_long(argc, argv, "", words, NULL)) != -1)
		status = read_option(&options, option, optarg);
	if (!status)
		status = ask_words(&options.ask, argc, argv, NULL);
	if (!status)
		status = check(&options);
	if (!status)
		status = export_all(&options);
	ask_done(&options.ask);
	return status;
}

const struct verb verb_export = {
	.name = "export",
	.summary = "transactions for other programs: Elastic Common Schema, CSV, SQL; to a file or a syslog server",
	.arguments = "[options] [QUERY] [FILE... | -]",
	.help = "A row for each recipient that the QUERY (smtptrail-query(7)) finds, for each message that has none, each session\n"
		"without messages, and each login. Without a FILE the store is asked; - is standard input.\n\n"
		"options:\n"
		"  --as FORM        ndjson: a line of JSON each, in the Elastic Common Schema (default); csv; sql: CREATE TABLE, INSERT\n"
		"  --to TARGET      - standard output (default); a file, which is appended to; tcp:HOST:PORT: a syslog server\n"
		"                   (RFC 5424, each message with its length in front)\n"
		"  --columns LIST   of csv and sql, as of smtptrail search; +LIST: behind the usual ones\n"
		"  --follow         goes on: what is no longer under way in the store, each once. It begins with --since, or now\n"
		"  --interval S     how often it looks (default 5)\n"
		ASK_READ_HELP
		"\nexit status: 0 done; 1 nothing was found; 2 something could not be read or written, or usage\n\n"
		"examples:\n"
		"  smtptrail export since:yesterday | gzip > mail.ndjson.gz\n"
		"  smtptrail export --as csv fate:bounced --to bounced.csv /var/log/mail.log\n"
		"  smtptrail export --as sql since:7d | sqlite3 mail.db\n"
		"  smtptrail export --follow --to tcp:siem.example.com:601\n",
	.run = run_export,
};
