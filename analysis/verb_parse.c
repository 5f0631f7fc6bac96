/* verb_parse.c - smtptrail parse: log files as events, and an honest count of what was not understood. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>

#include "analysis/input_file.h"
#include "analysis/log_reader.h"
#include "analysis/reason.h"
#include "analysis/shapes.h"
#include "analysis/show_event.h"
#include "analysis/verb.h"
#include "common/escape.h"

extern const struct verb verb_parse;

enum { YEAR_MIN = 1970, YEAR_MAX = 9999 };

struct options {
	struct log_options log;
	bool as_json, shows_unknown, only_counts, is_strict;
	const char *reasons;
};

struct totals {
	uint64_t understood, unknown, foreign, repeated;
	int unreadable;
};

struct run {
	const struct options *options;
	struct log_reader *reader;
	struct shapes *shapes;
	struct totals totals;
};

enum {
	OPTION_FORMAT = 256, OPTION_YEAR, OPTION_TIMEZONE, OPTION_JSON, OPTION_UNKNOWN, OPTION_STRICT,
	OPTION_COUNT, OPTION_REASONS,
};

static int list_formats(void)
{
	for (const struct format *const *format = format_table; *format; format++)
		printf("%-10s %s\n", (*format)->name, (*format)->summary);
	return EXIT_FOUND;
}

static bool read_year(const char *word, int *ret_year)
{
	char *end;
	long year = strtol(word, &end, 10);

	if (*end != '\0' || year < YEAR_MIN || year > YEAR_MAX)
		return false;
	*ret_year = (int)year;
	return true;
}

/* What a line was: in words. */
static void count(struct run *run, const struct event *event, enum format_result result)
{
	run->totals.repeated += event->frame.repeated;
	switch (result) {
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

static void read_file(struct run *run, const char *path)
{
	struct problem problem = { "" };
	enum format_result result;
	struct event event;
	int more;

	if (log_reader_open(run->reader, path, &problem) != 0) {
		say_unreadable(run, problem.text);
		return;
	}
	while ((more = log_reader_next(run->reader, &event, &result)) > 0) {
		count(run, &event, result);
		show(run->options, &event);
	}
	if (more < 0) {
		problem_set(&problem, "cannot read '%s' to its end: %s", path,
			    more == -EBADMSG ? "compressed data are damaged or cut off" : strerror(-more));
		say_unreadable(run, problem.text);
	}
}

static void print_summary(const struct run *run)
{
	const struct totals *totals = &run->totals;
	uint64_t ours = totals->understood + totals->unknown;

	fprintf(stderr, "smtptrail parse: %" PRIu64 " lines, %" PRIu64 " bytes; %" PRIu64 " understood, %" PRIu64
		" not understood", ours + totals->foreign, log_reader_bytes(run->reader), totals->understood, totals->unknown);
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

static int read_files(const struct options *options, char **paths, size_t path_count)
{
	static char *standard_input[] = { (char *)(uintptr_t)"-" };
	struct run run = { .options = options };
	int status = EXIT_USAGE;

	if (options->shows_unknown)
		run.shapes = shapes_new();
	if (log_reader_new(&run.reader, &options->log) != 0 || (options->shows_unknown && !run.shapes)) {
		fprintf(stderr, "smtptrail parse: %s\n", strerror(ENOMEM));
		goto done;
	}
	if (path_count == 0) {
		paths = standard_input;
		path_count = 1;
	}
	input_file_sort(paths, path_count);
	for (size_t i = 0; i < path_count; i++)
		read_file(&run, paths[i]);
	if (run.shapes)
		shapes_print(run.shapes, stdout);
	if (fflush(stdout) == 0)
		print_summary(&run);
	status = status_of(&run);
done:
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
		if (read_year(value, &options->log.year))
			return 0;
		return verb_usage_error(&verb_parse, "--year wants a year from %d, got '%s'", YEAR_MIN, value);
	case OPTION_TIMEZONE:
		stamp_set_zone(value);
		return 0;
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
	default:
		return verb_usage_error(&verb_parse, "an option is unknown or lacks its value");
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
	.arguments = "[--format auto|NAME|list] [--year Y] [--timezone TZ] [--json | --unknown | --count] [--strict] [FILE... | -]",
	.help = "Files may be compressed; rotated ones are read oldest first, whatever their order. Without a file, or\n"
		"with -, standard input is read. A summary goes to standard error.\n\n"
		"options:\n"
		"  --format NAME    the lines are of this format; auto (default): each tells by its content;\n"
		"                   list: print the formats\n"
		"  --year Y         year of the first line, where lines tell none (default: from the file's time)\n"
		"  --timezone TZ    zone of times that do not tell theirs, as Europe/Berlin (default: this machine's)\n"
		"  --json           one JSON object an event\n"
		"  --unknown        only what was not understood: counted by process and masked shape, with a sample\n"
		"  --count          only the summary\n"
		"  --strict         exit status 1 when a line of a known program was not understood\n"
		"  --reasons FILE   classes of reasons of your own, before the built-in ones: lines CLASS PATTERN\n\n"
		"exit status: 0 read; 1 with --strict: lines not understood; 2 a file could not be read, or usage\n\n"
		"examples:\n"
		"  smtptrail parse /var/log/mail.log*\n"
		"  journalctl -o json -t postfix/smtpd | smtptrail parse --json -\n"
		"  smtptrail parse --unknown --year 2025 old.log.gz\n",
	.run = run_parse,
};
