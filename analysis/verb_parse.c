/* verb_parse.c - smtptrail parse: log files as events, and an honest count of what was not understood. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>

#include "analysis/input_file.h"
#include "analysis/log_pipeline.h"
#include "analysis/reason.h"
#include "analysis/shapes.h"
#include "analysis/show_event.h"
#include "analysis/stop.h"
#include "analysis/verb.h"
#include "common/escape.h"

extern const struct verb verb_parse;

enum { FOLLOW_PAUSE_MS = 200 };

struct options {
	struct log_options log;
	bool as_json, shows_unknown, only_counts, is_strict;
	bool follows, reads_journal;
	const char *reasons, *position, *journal_directory;
};

struct totals {
	uint64_t understood, unknown, foreign, repeated;
	int unreadable;
};

struct run {
	const struct options *options;
	struct log_pipeline *pipeline;	/* of files */
	struct log_reader *reader;	/* of what grows */
	struct shapes *shapes;
	struct totals totals;
};

enum {
	OPTION_FORMAT = 256, OPTION_YEAR, OPTION_TIMEZONE, OPTION_JSON, OPTION_UNKNOWN, OPTION_STRICT,
	OPTION_COUNT, OPTION_REASONS, OPTION_FOLLOW, OPTION_POSITION, OPTION_JOURNALD,
};

static int list_formats(void)
{
	for (const struct format *const *format = format_table; *format; format++)
		printf("%-10s %s\n", (*format)->name, (*format)->summary);
	return EXIT_FOUND;
}

/* What a line was: in words. */
static void count(struct run *run, const struct event *event)
{
	run->totals.repeated += event->frame.repeated;
	switch (format_result_of(event)) {
	case FORMAT_MATCHED:
		run->totals.understood++;
		return;
	case FORMAT_NOT_MINE:
		run->totals.foreign++;
		break;
	case FORMAT_MALFORMED:
		run->totals.unknown++;
		break;
	}
	if (run->shapes)
		shapes_add(run->shapes, event);
}

static void show(const struct options *options, const struct event *event)
{
	if (options->shows_unknown || options->only_counts)
		return;
	if (options->as_json)
		show_event_json(event, stdout);
	else
		show_event_line(event, stdout);
}

static void say_unreadable(struct run *run, const char *words)
{
	run->totals.unreadable++;
	fputs("smtptrail parse: ", stderr);
	escape_terminal(text_of(words), stderr);
	fputs("; the other files are read\n", stderr);
}

static void say_foreign(const char *path)
{
	fputs("smtptrail parse: ", stderr);
	escape_terminal(text_of(path), stderr);
	fputs(": no line of it is of a known format (--format list names them)\n", stderr);
}

static int take_events(void *context, const struct event *events, size_t event_count)
{
	struct run *run = context;

	for (size_t i = 0; i < event_count; i++) {
		count(run, &events[i]);
		show(run->options, &events[i]);
	}
	return 0;
}

static void read_file(struct run *run, const char *path)
{
	struct log_consumer consumer = { take_events, run };
	struct problem problem = { "" };
	struct totals before = run->totals;

	if (log_pipeline_read(run->pipeline, path, &consumer, &problem) != 0)
		say_unreadable(run, problem.text);
	else if (run->totals.understood == before.understood &&
		 run->totals.unknown + run->totals.foreign > before.unknown + before.foreign)
		say_foreign(path);
}

/* All there is now. False: reading failed. */
static bool read_live(struct run *run)
{
	enum format_result result;
	struct event event;
	int more = 0;

	while (!stop_asked && (more = log_reader_next(run->reader, &event, &result)) > 0) {
		count(run, &event);
		show(run->options, &event);
	}
	if (more < 0) {
		say_unreadable(run, strerror(-more));
		return false;
	}
	return true;
}

/* What was printed is flushed, then the position is saved: a line may come twice after a crash, none is lost. */
static bool save(struct run *run)
{
	struct problem problem = { "" };

	if (fflush(stdout) != 0)
		return false;
	if (log_reader_save(run->reader, &problem) == 0)
		return true;
	say_unreadable(run, problem.text);
	return false;
}

static void read_growing(struct run *run, const char *path)
{
	const struct options *options = run->options;
	struct problem problem = { "" };
	int error = options->reads_journal
		? log_reader_open_journal(run->reader, options->journal_directory, options->position, &problem)
		: log_reader_follow(run->reader, path, options->position, &problem);

	if (error) {
		say_unreadable(run, problem.text);
		return;
	}
	if (problem.text[0]) {
		fputs("smtptrail parse: ", stderr);
		escape_terminal(text_of(problem.text), stderr);
		fputc('\n', stderr);
	}
	stop_on_signals(false);
	while (read_live(run) && save(run) && options->follows && !stop_asked)
		log_reader_wait(run->reader, FOLLOW_PAUSE_MS);
}

static uint64_t bytes_of(const struct run *run)
{
	return run->pipeline ? log_pipeline_bytes(run->pipeline) : log_reader_bytes(run->reader);
}

static void print_summary(const struct run *run)
{
	const struct totals *totals = &run->totals;
	uint64_t ours = totals->understood + totals->unknown;

	fprintf(stderr, "smtptrail parse: %" PRIu64 " lines, %" PRIu64 " bytes; %" PRIu64 " understood, %" PRIu64
		" not understood", ours + totals->foreign, bytes_of(run), totals->understood, totals->unknown);
	if (ours)
		fprintf(stderr, " (%.2f %% understood)", 100.0 * (double)totals->understood / (double)ours);
	fprintf(stderr, ", %" PRIu64 " of other programs", totals->foreign);
	if (totals->repeated)
		fprintf(stderr, ", %" PRIu64 " times repeated", totals->repeated);
	if (totals->unreadable)
		fprintf(stderr, "; %d unreadable", totals->unreadable);
	fputc('\n', stderr);
}

static int status_of(const struct run *run)
{
	if (run->totals.unreadable)
		return EXIT_USAGE;
	return run->options->is_strict && run->totals.unknown ? EXIT_NOTHING : EXIT_FOUND;
}

static int new_reader(struct run *run)
{
	if (run->options->follows || run->options->reads_journal)
		return log_reader_new(&run->reader, &run->options->log);
	return log_pipeline_new(&run->pipeline, &run->options->log, 0);
}

static int read_files(const struct options *options, char **paths, size_t path_count)
{
	static char *standard_input[] = { (char *)(uintptr_t)"-" };
	struct run run = { .options = options };
	int status = EXIT_USAGE;

	if (options->shows_unknown)
		run.shapes = shapes_new();
	if (new_reader(&run) != 0 || (options->shows_unknown && !run.shapes)) {
		fprintf(stderr, "smtptrail parse: %s\n", strerror(ENOMEM));
		goto done;
	}
	if (run.reader) {
		read_growing(&run, path_count ? paths[0] : NULL);
		path_count = 0;
	} else if (path_count == 0) {
		paths = standard_input;
		path_count = 1;
	}
	input_file_sort(paths, path_count);
	for (size_t i = 0; i < path_count; i++)
		read_file(&run, paths[i]);
	if (run.shapes && options->as_json)
		shapes_print_json(run.shapes, stdout);
	else if (run.shapes)
		shapes_print(run.shapes, stdout);
	if (fflush(stdout) == 0)
		print_summary(&run);
	status = status_of(&run);
done:
	log_pipeline_free(run.pipeline);
	log_reader_free(run.reader);
	shapes_free(run.shapes);
	return status;
}

static int read_option(int option, const char *value, struct options *options)
{
	switch (option) {
	case OPTION_FORMAT:
		options->log.format = format_by_name(value);
		if (options->log.format || strcmp(value, "auto") == 0)
			return 0;
		return verb_usage_error(&verb_parse, "no format '%s' (--format list names them)", value);
	case OPTION_YEAR:
		if (log_year_read(value, &options->log.year))
			return 0;
		return verb_usage_error(&verb_parse, "--year wants a year from %d, got '%s'", LOG_YEAR_MIN, value);
	case OPTION_TIMEZONE:
		return stamp_set_zone(value) ? 0 : verb_usage_error(&verb_parse, STAMP_NO_ZONE, value);
	case OPTION_JSON:
		options->as_json = true;
		return 0;
	case OPTION_UNKNOWN:
		options->shows_unknown = true;
		return 0;
	case OPTION_STRICT:
		options->is_strict = true;
		return 0;
	case OPTION_COUNT:
		options->only_counts = true;
		return 0;
	case OPTION_REASONS:
		options->reasons = value;
		return 0;
	case OPTION_FOLLOW:
		options->follows = true;
		return 0;
	case OPTION_POSITION:
		options->position = value;
		return 0;
	case OPTION_JOURNALD:
		options->reads_journal = true;
		options->journal_directory = value;
		return 0;
	default:
		return verb_option_error(&verb_parse);
	}
}

static int run_parse(int argc, char **argv)
{
	static const struct option words[] = {
		{ "format", required_argument, NULL, OPTION_FORMAT },
		{ "year", required_argument, NULL, OPTION_YEAR },
		{ "timezone", required_argument, NULL, OPTION_TIMEZONE },
		{ "json", no_argument, NULL, OPTION_JSON },
		{ "unknown", no_argument, NULL, OPTION_UNKNOWN },
		{ "strict", no_argument, NULL, OPTION_STRICT },
		{ "count", no_argument, NULL, OPTION_COUNT },
		{ "reasons", required_argument, NULL, OPTION_REASONS },
		{ "follow", no_argument, NULL, OPTION_FOLLOW },
		{ "position", required_argument, NULL, OPTION_POSITION },
		{ "journald", optional_argument, NULL, OPTION_JOURNALD },
		{ NULL, 0, NULL, 0 },
	};
	struct options options = { .as_json = false };
	struct problem problem;
	int option, status;

	stamp_set_zone(NULL);
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", words, NULL)) != -1) {
		if (option == OPTION_FORMAT && strcmp(optarg, "list") == 0)
			return list_formats();
		status = read_option(option, optarg, &options);
		if (status)
			return status;
	}
	if (options.reads_journal && optind < argc)
		return verb_usage_error(&verb_parse, "--journald takes no file, got '%s'", argv[optind]);
	if (options.follows && !options.reads_journal && (argc - optind != 1 || strcmp(argv[optind], "-") == 0))
		return verb_usage_error(&verb_parse, "--follow wants one file, got %d", argc - optind);
	if (options.position && !options.follows && !options.reads_journal)
		return verb_usage_error(&verb_parse, "--position goes with --follow or --journald");
	if (options.reasons && reason_load(options.reasons, &problem) != 0)
		return verb_usage_error(&verb_parse, "%s", problem.text);
	if (format_prepare() != 0) {
		fprintf(stderr, "smtptrail parse: %s\n", strerror(ENOMEM));
		return EXIT_USAGE;
	}
	status = read_files(&options, argv + optind, (size_t)(argc - optind));
	reason_unload();
	return status;
}

const struct verb verb_parse = {
	.name = "parse",
	.summary = "read mail logs as events, and count what was not understood",
	.arguments = "[--format auto|NAME|list] [--year Y] [--timezone TZ] [--json] [--unknown | --count] [--strict] [--follow [--position FILE]] [--journald[=DIRECTORY] | FILE... | -]",
	.help = "Files may be compressed; rotated ones are read oldest first, whatever their order. Without a file, or\n"
		"with -, standard input is read. A summary goes to standard error.\n\n"
		"options:\n"
		"  --format NAME    the lines are of this format; auto (default): each tells by its content;\n"
		"                   list: print the formats\n"
		"  --year Y         year of the first line, where lines tell none (default: from the file's time)\n"
		"  --timezone TZ    zone of times that do not tell theirs, as Europe/Berlin (default: this machine's)\n"
		"  --json           one JSON object an event; with --unknown, one a shape\n"
		"  --unknown        only what was not understood: counted by process and masked shape, with a sample\n"
		"  --count          only the summary\n"
		"  --strict         exit status 1 when a line of a known program was not understood\n"
		"  --follow         read the one FILE and what is added to it, through rotation and truncation,\n"
		"                   until SIGINT or SIGTERM\n"
		"  --position FILE  keep in FILE how far was read, and go on from there; rotated files beside the\n"
		"                   log, compressed too, are read to their end first\n"
		"  --journald       read the journal of systemd (facility mail), of this machine or in =DIRECTORY;\n"
		"                   with --follow wait for more\n"
		"  --reasons FILE   classes of reasons of your own, before the built-in ones: lines CLASS PATTERN\n\n"
		"exit status: 0 read; 1 with --strict: lines not understood; 2 a file could not be read, or usage\n\n"
		"examples:\n"
		"  smtptrail parse /var/log/mail.log*\n"
		"  journalctl -o json -t postfix/smtpd | smtptrail parse --json -\n"
		"  smtptrail parse --unknown --year 2025 old.log.gz\n",
	.run = run_parse,
};
