/* verb_ingest.c - smtptrail ingest: records and logs into the store, once or for ever. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/ingest.h"
#include "analysis/reason.h"
#include "analysis/stop.h"
#include "analysis/verb.h"
#include "common/escape.h"

extern const struct verb verb_ingest;

enum { OPTION_REDIS = 256, OPTION_LOG, OPTION_JOURNALD, OPTION_FOLLOW, OPTION_STORE, OPTION_CONFIG, OPTION_FORMAT, OPTION_YEAR,
       OPTION_TIMEZONE, OPTION_JSON, OPTION_QUEUE, OPTION_QUEUE_HOST };

struct options {
	const char *config_file, *store;
	struct log_options log;
	char **logs;
	size_t log_count;
	bool reads_redis, reads_journal, follows, as_json;
	const char *journal_directory;
	struct ingest_queue_option queues[INGEST_QUEUES_MAX];
	unsigned queue_count;
	const char *next_queue_host;	/* of the queue that is named next */
};

struct run {
	struct ingest *ingest;
	bool shows_progress, has_progress;
};

/* ---- words on standard error ---- */

static void end_progress(struct run *run)
{
	if (run->has_progress)
		fputs("\r\033[K", stderr);
	run->has_progress = false;
}

static void say(void *context, const char *sentence)
{
	end_progress(context);
	fputs("smtptrail ingest: ", stderr);
	escape_terminal(text_of(sentence), stderr);
	fputc('\n', stderr);
}

static void show_progress(void *context)
{
	struct run *run = context;
	struct ingest_counts counts;

	ingest_counts(run->ingest, &counts);
	fprintf(stderr, "\r\033[K%" PRIu64 " lines, %" PRIu64 " records, %" PRIu64 " messages in the store, %" PRIu64 " under way",
		counts.logs.lines, counts.join.records, counts.store.messages, counts.join.open_messages);
	run->has_progress = true;
}

/* ---- counts ---- */

struct row {
	const char *name, *words;
	uint64_t count;
	bool is_always_said;
};

static size_t list_counts(const struct ingest_counts *counts, struct row *rows)
{
	const struct row all[] = {
		{ "lines", "lines", counts->logs.lines, true },
		{ "not_understood", "not understood", counts->logs.unknown, true },
		{ "foreign", "of other programs", counts->logs.foreign, false },
		{ "left", "lines left: the store has them", counts->logs.left, false },
		{ "queued", "messages of the queue", counts->queued, false },
		{ "queue_bad", "lines of the queue not understood", counts->queue_bad, false },
		{ "records", "records", counts->join.records, true },
		{ "doubled", "records dropped: the store has them", counts->redis.doubled, false },
		{ "missing", "records missing", counts->redis.missing, false },
		{ "gaps", "gaps that the milter tells of", counts->gaps, false },
		{ "went_back", "times that Redis had lost what was read", counts->redis.went_back, false },
		{ "sessions", "sessions put", counts->store.sessions, true },
		{ "messages", "messages put", counts->store.messages, true },
		{ "recipients", "recipients put", counts->store.recipients, true },
		{ "attempts", "attempts put", counts->store.attempts, true },
		{ "logins", "logins put", counts->store.logins, false },
		{ "open", "sessions and messages under way", counts->store.open, true },
		{ "evicted", "evicted for want of memory", counts->join.evicted, false },
		{ "commits", "commits", counts->store.commits, true },
		{ "days_deleted", "days deleted", counts->days_deleted, false },
		{ "unreadable", "files unreadable", counts->logs.unreadable, false },
	};

	memcpy(rows, all, sizeof all);
	return sizeof all / sizeof all[0];
}

static void print_json(const struct ingest_counts *counts)
{
	struct row rows[32];
	size_t count = list_counts(counts, rows);

	printf("{\"ingest\": {");
	for (size_t i = 0; i < count; i++)
		printf("\"%s\": %" PRIu64 ", ", rows[i].name, rows[i].count);
	printf("\"joined\": {");
	for (int key = 0; key < JOIN_COUNT; key++)
		printf("%s\"%s\": %" PRIu64, key ? ", " : "", join_key_name((enum join_key)key), counts->join.joined[key]);
	printf("}}}\n");
}

static void print_joined(const struct ingest_counts *counts)
{
	const char *before = "; joined by ";

	for (int key = 0; key < JOIN_COUNT; key++)
		if (counts->join.joined[key]) {
			fprintf(stderr, "%s%s %" PRIu64, before, join_key_name((enum join_key)key), counts->join.joined[key]);
			before = ", ";
		}
}

static void print_counts(const struct ingest_counts *counts)
{
	struct row rows[32];
	size_t count = list_counts(counts, rows);
	const char *before = "smtptrail ingest: ";

	for (size_t i = 0; i < count; i++)
		if (rows[i].count || rows[i].is_always_said) {
			fprintf(stderr, "%s%" PRIu64 " %s", before, rows[i].count, rows[i].words);
			before = ", ";
		}
	print_joined(counts);
	fputc('\n', stderr);
}

/* ---- the run ---- */

static int run_configured(const struct options *options, struct config *config)
{
	struct run run = { .shows_progress = isatty(STDERR_FILENO) };
	struct ingest_options ingest = {
		.config = config, .log = options->log, .logs = options->logs, .log_count = options->log_count,
		.reads_redis = options->reads_redis, .reads_journal = options->reads_journal, .follows = options->follows,
		.journal_directory = options->journal_directory, .queues = options->queues, .queue_count = options->queue_count,
		.stopping = &stop_asked, .notice = say,
		.progress = run.shows_progress ? show_progress : NULL, .context = &run,
	};
	struct problem problem = { "" };
	struct ingest_counts counts;
	int error;

	stop_on_signals(true);
	error = ingest_open(&run.ingest, &ingest, &problem);
	if (error) {
		say(&run, problem.text[0] ? problem.text : strerror(-error));
		return EXIT_USAGE;
	}
	error = ingest_run(run.ingest, &problem);
	if (error)
		say(&run, problem.text[0] ? problem.text : strerror(-error));
	end_progress(&run);
	ingest_counts(run.ingest, &counts);
	if (options->as_json)
		print_json(&counts);
	else
		print_counts(&counts);
	ingest_close(run.ingest);
	return error || counts.logs.unreadable ? EXIT_USAGE : EXIT_FOUND;
}

/* Where the command line names no input, the configuration does. */
static int run_inputs(struct options *options)
{
	struct problem problem = { "" };
	struct config config;
	int status;

	if (config_read(&config, options->config_file, &problem) != 0) {
		fprintf(stderr, "smtptrail ingest: %s\n", problem.text);
		return EXIT_USAGE;
	}
	if (!options->reads_redis && !options->log_count && !options->reads_journal && !options->queue_count) {
		options->logs = config.logs.items;
		options->log_count = config.logs.count;
		options->reads_journal = config.journald;
		options->reads_redis = true;
	}
	if (options->store) {
		free(config.store);
		config.store = strdup(options->store);
	}
	if (config_load_reasons(&config, &problem) != 0) {
		fprintf(stderr, "smtptrail ingest: %s\n", problem.text);
		status = EXIT_USAGE;
	} else {
		status = config.store ? run_configured(options, &config) : EXIT_USAGE;
	}
	reason_unload();
	config_done(&config);
	return status;
}

/* Of the --queue in front of it, which has none yet, or else of the one behind it. */
static void name_queue(struct options *options, const char *host)
{
	struct ingest_queue_option *last = options->queue_count ? &options->queues[options->queue_count - 1] : NULL;

	if (last && !last->host)
		last->host = host;
	else
		options->next_queue_host = host;
}

static int read_option(struct options *options, int option, char *value)
{
	switch (option) {
	case OPTION_REDIS: options->reads_redis = true; return 0;
	case OPTION_LOG: options->logs[options->log_count++] = value; return 0;
	case OPTION_FOLLOW: options->follows = true; return 0;
	case OPTION_STORE: options->store = value; return 0;
	case OPTION_CONFIG: options->config_file = value; return 0;
	case OPTION_JSON: options->as_json = true; return 0;
	case OPTION_QUEUE_HOST: name_queue(options, value); return 0;
	case OPTION_QUEUE:
		if (options->queue_count == INGEST_QUEUES_MAX)
			return verb_usage_error(&verb_ingest, "--queue comes more than %d times", INGEST_QUEUES_MAX);
		options->queues[options->queue_count++] = (struct ingest_queue_option){ value, options->next_queue_host };
		options->next_queue_host = NULL;
		return 0;
	case OPTION_TIMEZONE:
		return stamp_set_zone(value) ? 0 : verb_usage_error(&verb_ingest, STAMP_NO_ZONE, value);
	case OPTION_JOURNALD:
		options->reads_journal = true;
		options->journal_directory = value;
		return 0;
	case OPTION_FORMAT:
		options->log.format = format_by_name(value);
		if (options->log.format || strcmp(value, "auto") == 0)
			return 0;
		return verb_usage_error(&verb_ingest, "no format '%s' (smtptrail parse --format list names them)", value);
	case OPTION_YEAR:
		if (log_year_read(value, &options->log.year))
			return 0;
		return verb_usage_error(&verb_ingest, "--year wants a year from %d, got '%s'", LOG_YEAR_MIN, value);
	default:
		return verb_option_error(&verb_ingest);
	}
}

static int read_options(struct options *options, int argc, char **argv)
{
	static const struct option words[] = {
		{ "redis", no_argument, NULL, OPTION_REDIS }, { "log", required_argument, NULL, OPTION_LOG },
		{ "journald", optional_argument, NULL, OPTION_JOURNALD }, { "follow", no_argument, NULL, OPTION_FOLLOW },
		{ "store", required_argument, NULL, OPTION_STORE }, { "config", required_argument, NULL, OPTION_CONFIG },
		{ "format", required_argument, NULL, OPTION_FORMAT }, { "year", required_argument, NULL, OPTION_YEAR },
		{ "timezone", required_argument, NULL, OPTION_TIMEZONE }, { "json", no_argument, NULL, OPTION_JSON },
		{ "queue", optional_argument, NULL, OPTION_QUEUE }, { "queue-host", required_argument, NULL, OPTION_QUEUE_HOST },
		{ NULL, 0, NULL, 0 },
	};
	int option, status = 0;

	stamp_set_zone(NULL);
	opterr = 0;
	while (!status && (option = getopt_long(argc, argv, "", words, NULL)) != -1)
		status = read_option(options, option, optarg);
	for (int i = optind; i < argc && !status; i++) {
		if (strcmp(argv[i], "-") == 0)
			status = verb_usage_error(&verb_ingest, "standard input is no log of which it can be known how far it was read");
		options->logs[options->log_count++] = argv[i];
	}
	if (!status && options->next_queue_host)
		status = verb_usage_error(&verb_ingest, "--queue-host %s is of no --queue", options->next_queue_host);
	return status;
}

static int run_ingest(int argc, char **argv)
{
	struct options options = { .logs = calloc((size_t)argc + 1, sizeof *options.logs) };
	char **named = options.logs;
	int status = EXIT_USAGE;

	/* The store is its group's to read, whatever the shell says. */
	(void)umask(027);
	if (!options.logs || format_prepare() != 0)
		fprintf(stderr, "smtptrail ingest: %s\n", strerror(ENOMEM));
	else
		status = read_options(&options, argc, argv);
	if (!status)
		status = run_inputs(&options);
	free(named);
	return status;
}

const struct verb verb_ingest = {
	.name = "ingest",
	.summary = "read records and logs, join them, and keep what became of each mail in the store",
	.arguments = "[--redis] [--log FILE...] [--journald[=DIRECTORY]] [--queue[=FILE|DIRECTORY]...] [--follow] [--store DIR] [options]",
	.help = "Reads what has come since it read last, and ends; with --follow it goes on until SIGINT or SIGTERM. Where no input\n"
		"is named, smtptrail.conf does: its logs, its journald, and Redis. How far each input was read is kept in the store\n"
		"with what was read, so that reading the same again changes nothing, and a kill at any moment loses nothing and\n"
		"doubles nothing. One process at a time writes to a store; any number reads it.\n\n"
		"inputs:\n"
		"  --redis            the milter's records; the consumer group (consumer_group in smtptrail.conf) follows the store.\n"
		"                     Where numbers of them are missing it is said which, and the sessions and messages that they may\n"
		"                     have been of are incomplete=gap, unless they come within two days\n"
		"  --log FILE...      logs, compressed or not, in any order; a file is known again whatever it is called by now,\n"
		"                     and what is left of files that were rotated away since comes first\n"
		"  --journald         the journal of systemd (facility mail), of this machine or in =DIRECTORY\n"
		"  --queue            what is in Postfix' queue, once the logs are read (with --follow again each five minutes): runs\n"
		"                     postqueue -j, with the configuration in =DIRECTORY, or reads in =FILE what it printed. What the logs\n"
		"                     told of counts more; what is under way and in no queue any more has left it unseen. Once for each\n"
		"                     instance of Postfix\n"
		"  --queue-host NAME  host that this queue is of, as its log calls it; HOST/SYSLOG_NAME for one instance of several\n"
		"                     (default: what postconf says of itself)\n\n"
		"options:\n"
		"  --follow           also what comes later\n"
		"  --store DIR        instead of that of smtptrail.conf; it is made where it is not there\n"
		"  --format NAME      the lines are of this format (default: each tells by its content)\n"
		"  --year Y           year of the first line, where lines tell none (default: from the file's time)\n"
		"  --timezone TZ      zone of times that do not tell theirs, as Europe/Berlin (default: this machine's)\n"
		"  --json             the counts at the end as one object\n"
		"  --config FILE      instead of smtptrail.conf\n\n"
		"At the end it says how many lines and records came, what was not understood, by which keys they were joined, what\n"
		"was put into the store, what is under way, and what is missing. A user of Redis' access control needs PING\n"
		"TYPE XINFO|STREAM XINFO|GROUPS XREAD XRANGE XREVRANGE XGROUP|CREATE XGROUP|SETID on the streams.\n\n"
		"exit status: 0 all was read; 2 an input or the store failed, another process writes to it, or usage\n\n"
		"examples:\n"
		"  smtptrail ingest --store /tmp/store /var/log/mail.log*\n"
		"  smtptrail ingest --redis --log /var/log/mail.log --follow\n",
	.run = run_ingest,
};
