/* verb_watch.c - smtptrail watch: the records as they come. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "analysis/config.h"
#include "analysis/input_redis.h"
#include "analysis/show.h"
#include "analysis/stop.h"
#include "analysis/verb.h"
#include "analysis/watch_filter.h"
#include "analysis/watch_query.h"
#include "analysis/when.h"
#include "common/clock.h"
#include "common/escape.h"
#include "common/stream.h"

/* How long a read waits: after that the signals, and whoever reads our output, are looked at. */
enum { WAIT_MS = 250, OUTPUT_SIZE = 65536 };

struct watch_options {
	const char *config_file, *redis_address, *prefix;
	struct watch_filter_options filter;
	enum input_start start;
	uint64_t start_us;
	struct stream_id start_id;
	int colour;			/* enum config_colour; -1: as the configuration says */
	bool json;
	uint64_t count;			/* 0: no end */
	char **words;			/* of the query */
	size_t word_count;
};

struct watch {
	const struct watch_options *options;
	struct watch_filter *filter;
	struct watch_query *query;	/* NULL: none is asked */
	struct show show;
	bool on_terminal;
	uint64_t shown;
	bool output_closed;
	int output_error;
	size_t output_length;
	char output[OUTPUT_SIZE];
};

extern const struct verb verb_watch;

/* Waits for a reader; false once we are to stop and none is there. */
static bool output_has_room(void)
{
	struct pollfd wanted = { .fd = STDOUT_FILENO, .events = POLLOUT };

	while (poll(&wanted, 1, WAIT_MS) <= 0)
		if (stop_asked)
			return false;
	return true;
}

/*
 * What follows is dropped once no one reads it any more. A write never blocks, so that a signal that
 * comes right before it is not missed: a pipe with room takes PIPE_BUF bytes at once.
 */
static void write_output(struct watch *watch, const char *bytes, size_t length)
{
	while (length && !watch->output_closed && !watch->output_error) {
		if (!output_has_room()) {
			watch->output_closed = true;
			return;
		}
		ssize_t written = write(STDOUT_FILENO, bytes, length < PIPE_BUF ? length : PIPE_BUF);

		if (written >= 0) {
			bytes += written;
			length -= (size_t)written;
		} else if (errno == EPIPE) {
			watch->output_closed = true;
		} else if (errno != EINTR && errno != EAGAIN) {
			watch->output_error = errno;
		}
	}
}

static void flush_output(struct watch *watch)
{
	write_output(watch, watch->output, watch->output_length);
	watch->output_length = 0;
}

static void put_output(struct watch *watch, struct text text)
{
	if (text.length > OUTPUT_SIZE - watch->output_length)
		flush_output(watch);
	if (text.length > OUTPUT_SIZE) {
		write_output(watch, text.start, text.length);
		return;
	}
	memcpy(watch->output + watch->output_length, text.start, text.length);
	watch->output_length += text.length;
}

static bool has_ended(const struct watch *watch)
{
	return stop_asked || watch->output_closed || watch->output_error ||
	       (watch->options->count && watch->shown >= watch->options->count);
}

static bool show_record(void *context, const struct input_record *record)
{
	struct watch *watch = context;

	put_output(watch, watch->options->json ? show_json(&watch->show, record) : show_line(&watch->show, record));
	watch->shown++;
	return !has_ended(watch);
}

static bool take_record(void *context, const struct input_record *record)
{
	struct watch *watch = context;

	if (watch->query && !watch_query_wants(watch->query, record))
		return !has_ended(watch);
	return watch_filter_take(watch->filter, record, show_record, watch) && !has_ended(watch);
}

static void say(void *context, const char *sentence)
{
	struct watch *watch = context;

	/* Where both go to one terminal they keep their order. */
	flush_output(watch);
	fputs("smtptrail watch: ", stderr);
	escape_terminal(text_of(sentence), stderr);
	fputc('\n', stderr);
}

static void look_at_output(struct watch *watch)
{
	struct pollfd reader = { .fd = STDOUT_FILENO };
	struct winsize window = { 0 };

	if (poll(&reader, 1, 0) > 0 && (reader.revents & (POLLERR | POLLHUP | POLLNVAL)))
		watch->output_closed = true;
	if (watch->on_terminal && !watch->options->json && ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0)
		watch->show.line.limit = window.ws_col;
}

static void print_summary(struct watch *watch, const struct input_redis *input)
{
	struct input_redis_counts counts;

	input_redis_counts(input, &counts);
	fprintf(stderr, "smtptrail watch: %" PRIu64 " records seen, %" PRIu64 " shown, %" PRIu64 " doubled, %" PRIu64
		" missing, went back %" PRIu64 " times", counts.records, watch->shown, counts.doubled, counts.missing,
		counts.went_back);
	if (counts.unnumbered)
		fprintf(stderr, ", %" PRIu64 " without producer or seq", counts.unnumbered);
	if (watch_filter_given_up(watch->filter))
		fprintf(stderr, ", %" PRIu64 " given up before it was known whether they were wanted",
			watch_filter_given_up(watch->filter));
	if (watch->output_error)
		fprintf(stderr, "; cannot write: %s", strerror(watch->output_error));
	fputc('\n', stderr);
}

/* False: Redis cannot be reached at all. */
static bool follow(struct watch *watch, struct input_redis *input)
{
	while (!has_ended(watch)) {
		struct problem problem = { "" };

		look_at_output(watch);
		enum redis_failure failure = input_redis_poll(input, WAIT_MS, &problem);

		flush_output(watch);
		if (failure && failure != REDIS_WAIT && failure != REDIS_ELSEWHERE && !input_redis_is_following(input)) {
			say(watch, problem.text);
			return false;
		}
	}
	return true;
}

static bool wants_colour(const struct watch_options *options, const struct config *config, bool on_terminal)
{
	const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");
	int colour = options->colour;

	/* What is typed overrides the environment, and that the file, as no-color.org has it. */
	if (colour < 0)
		colour = no_colour && *no_colour ? CONFIG_COLOUR_NEVER : config->colour;
	if (colour == CONFIG_COLOUR_AUTO)
		return on_terminal && (!terminal || strcmp(terminal, "dumb") != 0);
	return colour == CONFIG_COLOUR_ALWAYS;
}

static int run_with(struct watch *watch, struct input_redis *input)
{
	stop_on_signals(true);
	bool reached = follow(watch, input);

	flush_output(watch);
	if (!reached)
		return EXIT_USAGE;
	print_summary(watch, input);
	if (watch->output_error)
		return EXIT_USAGE;
	return watch->shown ? EXIT_FOUND : EXIT_NOTHING;
}

/* It is asked for as it stands, and seldom found. */
static void say_doubt(const void *context, const char *words)
{
	(void)context;
	fputs("smtptrail watch: ", stderr);
	escape_terminal(text_of(words), stderr);
	(void)fputc('\n', stderr);
}

/* 0, or the exit status with its words said. */
static int read_query(const struct watch_options *options, struct config *config, struct query **ret_query, struct watch_query **ret_watch)
{
	const struct query_saved saved = config_saved_queries(config);
	struct problem problem = { "" };
	int error;

	if (!options->word_count)
		return 0;
	error = query_parse_words(ret_query, options->words, options->word_count, clock_now_us(), &saved, &problem);
	if (!error)
		error = query_check_span(*ret_query, &problem);
	if (!error)
		query_doubts(*ret_query, true, say_doubt, NULL);
	if (!error && query_kind(*ret_query) != QUERY_KIND_ANY)
		return verb_usage_error(&verb_watch, "'is' says what a row of smtptrail search is: only that verb takes it");
	if (!error)
		error = watch_query_new(ret_watch, *ret_query, config->clock_skew_us);
	if (error)
		return verb_usage_error(&verb_watch, "%s", problem.text[0] ? problem.text : strerror(-error));
	return 0;
}

static int run_configured(const struct watch_options *options, const struct config *config,
			  struct watch_filter *filter, struct watch_query *query)
{
	static struct watch watch;
	char today[TIME_TEXT_SIZE];
	struct input_listener listener = { .record = take_record, .notice = say, .context = &watch };
	struct input_redis_options input_options = {
		.prefix = options->prefix ? options->prefix : config->stream_prefix,
		.partitions = (unsigned)config->partitions,
		.start = options->start,
		.start_us = options->start_us,
		.start_id = options->start_id,
	};
	struct input_redis *input;

	input_options.redis = redis_conf_options(&config->redis);
	if (options->redis_address)
		input_options.redis.address = options->redis_address;
	input = input_redis_new(&input_options, &listener);
	if (!input) {
		fprintf(stderr, "smtptrail watch: %s\n", strerror(ENOMEM));
		return EXIT_USAGE;
	}
	watch.options = options;
	watch.filter = filter;
	watch.query = query;
	watch.on_terminal = isatty(STDOUT_FILENO);
	time_format(clock_now_us(), today);
	today[10] = '\0';
	show_init(&watch.show, wants_colour(options, config, watch.on_terminal), today);
	watch.show.session_columns = SHOW_SESSION_USUAL;
	int status = run_with(&watch, input);

	show_done(&watch.show);
	input_redis_free(input);
	return status;
}

static const struct option long_options[] = {
	{ "since", required_argument, NULL, 's' },
	{ "from-id", required_argument, NULL, 'i' },
	{ "stage", required_argument, NULL, 'S' },
	{ "client", required_argument, NULL, 'c' },
	{ "from", required_argument, NULL, 'f' },
	{ "to", required_argument, NULL, 't' },
	{ "session", required_argument, NULL, 'e' },
	{ "count", required_argument, NULL, 'n' },
	{ "json", no_argument, NULL, 'j' },
	{ "color", required_argument, NULL, 'C' },
	{ "no-color", no_argument, NULL, 'N' },
	{ "redis", required_argument, NULL, 'r' },
	{ "prefix", required_argument, NULL, 'p' },
	{ "config", required_argument, NULL, 'F' },
	{ 0 },
};

static int read_since(struct watch_options *options, const char *text)
{
	struct when when;

	if (when_parse(text, clock_now_us(), &when))
		return verb_usage_error(&verb_watch, "--since: '%s' is no time; wanted as " WHEN_FORMS, text);
	options->start = when.is_ago ? INPUT_FROM_AGO : INPUT_FROM_TIME;
	options->start_us = when.us;
	return 0;
}

static int read_colour(struct watch_options *options, const char *text)
{
	static const char *const names[] = {
		[CONFIG_COLOUR_AUTO] = "auto", [CONFIG_COLOUR_ALWAYS] = "always", [CONFIG_COLOUR_NEVER] = "never",
	};

	for (int i = 0; i < (int)(sizeof names / sizeof names[0]); i++)
		if (strcmp(text, names[i]) == 0) {
			options->colour = i;
			return 0;
		}
	return verb_usage_error(&verb_watch, "--color: '%s'; wanted auto, always or never", text);
}

/* 0, or the exit status. */
static int read_option(struct watch_options *options, int letter, const char *value)
{
	switch (letter) {
	case 's': return read_since(options, value);
	case 'S': options->filter.stages = value; return 0;
	case 'c': options->filter.client = value; return 0;
	case 'f': options->filter.from = value; return 0;
	case 't': options->filter.to = value; return 0;
	case 'e': options->filter.session = value; return 0;
	case 'j': options->json = true; return 0;
	case 'C': return read_colour(options, value);
	case 'N': options->colour = CONFIG_COLOUR_NEVER; return 0;
	case 'r': options->redis_address = value; return 0;
	case 'p': options->prefix = value; return 0;
	case 'F': options->config_file = value; return 0;
	case 'i':
		options->start = INPUT_FROM_ID;
		if (stream_id_parse(text_of(value), &options->start_id))
			return 0;
		return verb_usage_error(&verb_watch, "--from-id: '%s' is no identifier; wanted as 1763712000123-0, "
					"or 0 for all that is there", value);
	case 'n':
		if (input_number(text_of(value), &options->count) && options->count)
			return 0;
		return verb_usage_error(&verb_watch, "--count: '%s'; wanted a number from 1", value);
	default:
		return verb_usage_error(&verb_watch, "not understood");
	}
}

static int read_options(struct watch_options *options, int argc, char **argv)
{
	int letter, status = 0;

	opterr = 0;
	while (!status && (letter = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
		if (letter == ':')
			return verb_usage_error(&verb_watch, "%s wants a value", argv[optind - 1]);
		if (letter == '?')
			return verb_option_error(&verb_watch);
		status = read_option(options, letter, optarg);
	}
	options->words = argv + optind;
	options->word_count = (size_t)(argc - optind);
	return status;
}

static int run_with_filter(const struct watch_options *options, struct watch_filter *filter)
{
	struct watch_query *watch_query = NULL;
	struct query *query = NULL;
	struct config config;
	struct problem problem = { "" };
	int status;

	if (config_read(&config, options->config_file, &problem)) {
		fprintf(stderr, "smtptrail watch: %s\n", problem.text);
		return EXIT_USAGE;
	}
	status = read_query(options, &config, &query, &watch_query);
	if (!status)
		status = run_configured(options, &config, filter, watch_query);
	watch_query_free(watch_query);
	query_free(query);
	config_done(&config);
	return status;
}

static int run_with_options(const struct watch_options *options)
{
	struct watch_filter *filter = NULL;
	struct problem problem = { "" };
	int status;

	if (options->redis_address && redis_address_check(options->redis_address, &problem))
		return verb_usage_error(&verb_watch, "%s", problem.text);
	if (options->prefix && (strlen(options->prefix) > STREAM_PREFIX_MAX || strpbrk(options->prefix, "{}")))
		return verb_usage_error(&verb_watch, "--prefix: at most %d bytes, without braces", STREAM_PREFIX_MAX);
	if (watch_filter_new(&filter, &options->filter, &problem))
		return verb_usage_error(&verb_watch, "%s", problem.text[0] ? problem.text : strerror(ENOMEM));
	status = run_with_filter(options, filter);
	watch_filter_free(filter);
	return status;
}

static int run_watch(int argc, char **argv)
{
	struct watch_options options = { .start = INPUT_FROM_NOW, .colour = -1 };
	char **negations = query_take_negations(argc, argv);
	int status = read_options(&options, argc, argv);

	if (!status)
		status = run_with_options(&options);
	query_free_negations(negations);
	return status;
}

const struct verb verb_watch = {
	.name = "watch",
	.summary = "show the records as they come, one line each",
	.arguments = "[options] [QUERY]",
	.help =
		"QUERY (smtptrail-query(7)) is asked, at each record, of what is known by then of its session and message: dmarc:fail\n"
		"shows verdicts, to:joe@example.com what comes from that recipient on. Nothing is held for it.\n"
		"\n"
		"where to begin (the default is now):\n"
		"  --since TIME       what Redis got since then: " WHEN_FORMS "\n"
		"                     (a duration counts by Redis' clock; a time without an offset is UTC)\n"
		"  --from-id ID       from this entry of the stream on; 0 for all that is there\n"
		"\n"
		"what to show:\n"
		"  --stage S,S        only these stages; smtptrail fields lists them\n"
		"  --client NETWORK   sessions of clients in it: 192.0.2.0/24, 2001:db8::/32, or one address\n"
		"  --from ADDRESS     messages from this sender; * stands for any characters, <> is the null sender\n"
		"  --to ADDRESS       messages to this recipient, among others\n"
		"  --session ID       this session; ID.MSG only its message of that number\n"
		"  --count N          end after N records\n"
		"\n"
		"how:\n"
		"  --json             one object a line: numbers as numbers, flags as booleans, the rest as text\n"
		"  --color WHEN       auto (on a terminal, not with NO_COLOR), always, never; --no-color is never\n"
		"  --redis ADDRESS    unix:/PATH, tcp:HOST:PORT or another form of redis_address\n"
		"  --prefix PREFIX    of the keys in Redis\n"
		"  --config FILE      instead of smtptrail.conf; what is said here comes before it\n"
		"\n"
		"--client selects whole sessions, --from and --to whole messages together with the connect, helo and\n"
		"close of their session; all that is asked for must hold. A session's records that came before the one\n"
		"which decides are held (the last 64 or 256 kB of each of 10,000 sessions) and then shown in order, so\n"
		"the lines of several sessions may interleave otherwise than they were made. A session that connected\n"
		"before the watch began is not found by its client: begin earlier with --since. Records of type gap\n"
		"are always shown, unless --stage leaves them out.\n"
		"\n"
		"Times are UTC. A record that Redis holds twice is shown once; one that is missing is said on standard\n"
		"error, as is each trouble with Redis, which is tried again. SIGINT ends with a summary. Exit status:\n"
		"0 something was shown, 1 nothing, 2 wrong usage or Redis not reached at the start. A user of Redis'\n"
		"access control needs PING TIME TYPE XINFO|STREAM XREAD XRANGE XREVRANGE on the streams.\n"
		"\n"
		"examples:\n"
		"  smtptrail watch --since 10m --to '*@example.com'\n"
		"  smtptrail watch dmarc:fail client:192.0.2.0/24\n"
		"  smtptrail watch --stage rcpt,gap --json | jq -r 'select(.outcome == \"rejected\") | .reject_text'\n",
	.run = run_watch,
};
