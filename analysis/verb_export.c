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
#include "common/escape.h"

extern const struct verb verb_export;

enum { OPTION_AS = 256, OPTION_TO, OPTION_COLUMNS, OPTION_FOLLOW, OPTION_INTERVAL, OPTION_STATE, USUAL_INTERVAL_S = 5, INTERVAL_MAX_S = 3600,
       COMMIT_ROWS = 500 };

struct options {
	struct ask ask;
	const struct export_form *form;
	const char *to, *column_names, *state;
	bool follows;
	size_t interval_s;
};

struct exporting {
	const struct options *options;
	struct columns columns;
	struct export_target *target;
	struct rows *rows;
	struct key_set sessions;	/* that have a message that was shown */
	struct follow_state *state;	/* NULL: none is kept */
	struct problem problem;
	uint64_t count, committed;	/* rows; those of the last commit */
	bool has_place;			/* of this run, in the state */
	bool is_over;			/* what follows is for the next time */
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
	/* Of what is followed the follower knows it. */
	if (row->message->session_key && !exporting->options->follows && key_set_add(&exporting->sessions, row->message->session_key) < 0)
		exporting->error = -ENOMEM;
	return row->message->recipients;
}

static void take(void *context, const struct report_row *row)
{
	struct exporting *exporting = context;

	/* With a state all rows of a message go, or none. */
	if (exporting->error || (stop_asked && !exporting->state) || is_told_by_others(exporting, row))
		return;
	exporting->options->form->row(&exporting->columns, row, export_target_file(exporting->target));
	exporting->error = export_target_send(exporting->target, row->time_us, exporting->options->follows, &stop_asked, &exporting->problem);
	exporting->count++;
}

static int finish(struct exporting *exporting, int error)
{
	if (!error)
		error = exporting->error;
	return error ? error : export_target_flush(exporting->target, exporting->options->follows, &stop_asked, &exporting->problem);
}

/* ---- how far it went ---- */

static const char *const place_names[] = { "file_device", "file_inode", "file_size", "file_sum" };

/* All rows are where they belong before the state says so. */
static int commit(struct exporting *exporting)
{
	struct export_place place;
	int error = finish(exporting, 0);

	if (!error && (!exporting->has_place || exporting->count != exporting->committed)) {
		error = export_target_place(exporting->target, &place, &exporting->problem);
		const uint64_t numbers[] = { place.device, place.inode, place.size, place.sum };

		for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && !error; i++)
			follow_state_set_number(exporting->state, place_names[i], numbers[i]);
	}
	if (!error)
		error = follow_state_commit(exporting->state, &exporting->problem);
	exporting->committed = exporting->count;
	exporting->has_place = !error;
	return error;
}

/* Before what has that key is told: what came before it is committed now and then, and when it is time to stop. */
static bool goes_on(struct exporting *exporting, transaction_key key)
{
	if (exporting->error || exporting->is_over)
		return false;
	if (!exporting->state)
		return !stop_asked;
	if (!stop_asked && exporting->count - exporting->committed < COMMIT_ROWS)
		return true;
	follow_state_drop(exporting->state, FOLLOW_SHOWN, key);
	exporting->error = commit(exporting);
	follow_state_add(exporting->state, FOLLOW_SHOWN, key);
	exporting->is_over = stop_asked;
	return !exporting->error && !exporting->is_over;
}

/* A position is of one store and one target. */
static int open_state(struct exporting *exporting, const char *store)
{
	const struct options *options = exporting->options;
	struct export_place place;
	char *directory;
	int error = follow_state_open(&exporting->state, options->state, &exporting->problem);

	if (error)
		return error;
	directory = realpath(store, NULL);
	if (!follow_state_is(exporting->state, "store", directory ? directory : store) ||
	    !follow_state_is(exporting->state, "to", options->to)) {
		problem_set(&exporting->problem, "'%s' is the position of an export from another store, or to another target", options->state);
		error = -EINVAL;
	}
	free(directory);
	place = (struct export_place){
		follow_state_number(exporting->state, place_names[0]), follow_state_number(exporting->state, place_names[1]),
		follow_state_number(exporting->state, place_names[2]), follow_state_number(exporting->state, place_names[3]),
	};
	return error ? error : export_target_resume(exporting->target, &place, &exporting->problem);
}

/* ---- what comes ---- */

static void take_message(void *context, const struct message *message, const struct session *session)
{
	struct exporting *exporting = context;

	if (goes_on(exporting, message->key))
		(void)rows_give_message(exporting->rows, message, session);
}

static void take_session(void *context, const struct session *session)
{
	struct exporting *exporting = context;

	if (goes_on(exporting, session->key) && rows_find_session(exporting->rows->query, session))
		rows_give_session(exporting->rows, session);
}

static void take_login(void *context, const struct login *login)
{
	struct exporting *exporting = context;

	if (goes_on(exporting, login_key(login)))
		rows_give_login(exporting->rows, login);
}

static int look(struct exporting *exporting, struct store_follow *store, const struct store_scan *scan)
{
	int error = finish(exporting, store_follow_next(store, exporting->rows->sources, scan, &exporting->problem));

	/* Else a look of which not all was told would count as whole. */
	if (!error && exporting->state && !exporting->is_over)
		error = commit(exporting);
	return error;
}

static int follow(struct exporting *exporting, struct rows *rows)
{
	const struct options *options = exporting->options;
	const struct store_scan scan = {
		.with_attempts = true, .message = take_message, .session = take_session, .login = take_login, .context = exporting,
	};
	struct store_follow *store = NULL;
	int error = store_follow_new(&store, ask_store(&options->ask), options->ask.since_us ? options->ask.since_us : options->ask.now_us,
				     exporting->state);

	exporting->rows = rows;
	rows->query = options->ask.query;
	rows->sources = source_table_new();
	if (!rows->sources)
		error = -ENOMEM;
	/* Where it begins is kept before anything comes. */
	if (!error && exporting->state)
		error = commit(exporting);
	while (!error && !stop_asked) {
		error = look(exporting, store, &scan);
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
	if (options->state)
		error = open_state(exporting, ask_store(&options->ask));
	if (!error && options->form->begin && (!options->state || export_target_is_empty(exporting->target))) {
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

static void say(const void *context, const char *words)
{
	(void)context;
	fputs("smtptrail export: ", stderr);
	escape_terminal(text_of(words), stderr);
	(void)fputc('\n', stderr);
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
	if (options->follows)
		export_target_tell_by(exporting.target, say, NULL);
	stop_on_signals(false);
	if (export_target_is_syslog(exporting.target) && options->form != &export_ndjson)
		status = verb_usage_error(&verb_export, "to a syslog server goes ndjson alone");
	else
		status = run(&exporting);
	follow_state_close(exporting.state);
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
	case OPTION_STATE: options->state = value; return 0;
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
	if (options->state && !options->follows)
		return verb_usage_error(&verb_export, "--state is for --follow");
	if (options->interval_s < 1 || options->interval_s > INTERVAL_MAX_S)
		return verb_usage_error(&verb_export, "--interval is 1 to %d seconds", INTERVAL_MAX_S);
	return 0;
}

static int run_export(int argc, char **argv)
{
	static const struct option words[] = {
		{ "as", required_argument, NULL, OPTION_AS }, { "to", required_argument, NULL, OPTION_TO },
		{ "columns", required_argument, NULL, OPTION_COLUMNS }, { "follow", no_argument, NULL, OPTION_FOLLOW },
		{ "interval", required_argument, NULL, OPTION_INTERVAL },
		{ "state", required_argument, NULL, OPTION_STATE }, ASK_READ_OPTIONS, { NULL, 0, NULL, 0 },
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
		"  --follow         goes on: what is no longer under way in the store, each once. It begins with --since, or now.\n"
		"                   A message is told once it is over, with what is known of its session by then\n"
		"  --state FILE     of --follow: how far it went is kept there, and it goes on behind that when it is started again: nothing\n"
		"                   is left out, and a file has each row once: what a kill left behind the kept position is cut off, so\n"
		"                   that nobody else may write to it. A syslog server or standard output may get the last 500 rows\n"
		"                   twice; of what the server's system had taken, a server that crashes loses what it had not read\n"
		"  --interval S     how often it looks (default 5)\n"
		ASK_READ_HELP
		"\nexit status: 0 done; 1 nothing was found; 2 something could not be read or written, or usage\n\n"
		"examples:\n"
		"  smtptrail export since:yesterday | gzip > mail.ndjson.gz\n"
		"  smtptrail export --as csv fate:bounced --to bounced.csv /var/log/mail.log\n"
		"  smtptrail export --as sql since:7d | sqlite3 mail.db\n"
		"  smtptrail export --follow --to tcp:siem.example.com:601 --state /var/lib/smtptrail/siem.state\n",
	.run = run_export,
};
