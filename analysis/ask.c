/* ask.c - options and words of the verbs that answer from transactions. */
#include "analysis/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "analysis/match.h"
#include "analysis/reason.h"
#include "analysis/when.h"
#include "common/clock.h"
#include "common/escape.h"
#include "common/near.h"

enum { USUAL_TOP = 20, NUMBER_MAX = 10000000 };

enum {
	OPTION_JSON = ASK_FIRST_OPTION, OPTION_CSV, OPTION_CONFIG, OPTION_FORMAT, OPTION_YEAR, OPTION_TIMEZONE, OPTION_SINCE, OPTION_UNTIL,
	OPTION_TOP, OPTION_BY, OPTION_SHOW_QUERY, OPTION_HTML, OPTION_STORE,
};

void ask_init(struct ask *ask, const struct verb *verb, int argc, char **argv)
{
	*ask = (struct ask){
		.verb = verb, .output = &output_text, .top = USUAL_TOP,
		.now_us = clock_now_us(),
	};
	stamp_set_zone(NULL);
	ask->negated = query_take_negations(argc, argv);
}

void ask_done(struct ask *ask)
{
	query_free(ask->query);
	query_free(ask->quick);
	free(ask->query_text);
	free(ask->files);
	query_free_negations(ask->negated);
	reason_unload();
	config_done(&ask->config);
}

int ask_number(const struct ask *ask, const char *option, const char *value, size_t *ret_number)
{
	char *end;
	unsigned long number = strtoul(value, &end, 10);

	if (*value < '0' || *value > '9' || *end || number > NUMBER_MAX)
		return verb_usage_error(ask->verb, "%s wants a number of rows up to 10,000,000, got '%s'", option, value);
	*ret_number = number;
	return 0;
}

/* The last of two would win, without a word. */
static int set_output(struct ask *ask, const struct output *output)
{
	if (ask->output != &output_text && ask->output != output)
		return verb_usage_error(ask->verb, "--%s and --%s: an answer has one form", ask->output->name, output->name);
	ask->output = output;
	return 0;
}

int ask_option(struct ask *ask, int option, const char *value)
{
	switch (option) {
	case OPTION_JSON: return set_output(ask, &output_json);
	case OPTION_CSV: return set_output(ask, &output_csv);
	case OPTION_HTML: ask->html = value; return set_output(ask, &output_html);
	case OPTION_CONFIG: ask->config_file = value; return 0;
	case OPTION_STORE: ask->store = value; return 0;
	case OPTION_SINCE: ask->since = value; return 0;
	case OPTION_UNTIL: ask->until = value; return 0;
	case OPTION_TOP: ask->has_top = true; return ask_number(ask, "--top", value, &ask->top);
	case OPTION_BY: ask->by = value; return 0;
	case OPTION_SHOW_QUERY: ask->shows_queries = true; return 0;
	case OPTION_TIMEZONE:
		return stamp_set_zone(value) ? 0 : verb_usage_error(ask->verb, STAMP_NO_ZONE, value);
	case OPTION_FORMAT:
		ask->log.format = format_by_name(value);
		if (ask->log.format || strcmp(value, "auto") == 0)
			return 0;
		return verb_usage_error(ask->verb, "no format '%s' (smtptrail parse --format list names them)", value);
	case OPTION_YEAR:
		if (log_year_read(value, &ask->log.year))
			return 0;
		return verb_usage_error(ask->verb, "--year wants a year from %d, got '%s'", LOG_YEAR_MIN, value);
	default: return verb_option_error(ask->verb);
	}
}

/* ---- words ---- */

/* /regex/, behind -, NOT or ( perhaps. */
static bool is_regex(const char *word)
{
	word += strncmp(word, "NOT ", 4) == 0 ? 4 : 0;
	return query_is_regex(word + strspn(word, "-("));
}

static bool is_file(const char *word)
{
	return strcmp(word, "-") == 0 || access(word, F_OK) == 0 || (strchr(word, '/') && !strchr(word, ':') && !is_regex(word));
}

static size_t put_term(char *text, size_t length, const char *field, const char *value)
{
	return length + (size_t)sprintf(text + length, "%s%s\"%s\"", length ? " " : "", field, value);
}

enum { KEY_DIGITS = 16, QUEUE_ID_MIN = 6, QUEUE_ID_MAX = 64 };

/* field:"<word>" */
static void put_exactly(FILE *out, const char *field, const char *word, bool in_brackets)
{
	fprintf(out, "%s:\"%s", field, in_brackets ? "<" : "");
	for (; *word; word++)
		fprintf(out, *word == '"' || *word == '\\' ? "\\%c" : "%c", *word);
	fprintf(out, "%s\"", in_brackets ? ">" : "");
}

/* Whether a word of the query's language, and not the name of something. */
static bool is_term(const char *word)
{
	size_t field = strspn(word, "abcdefghijklmnopqrstuvwxyz_0123456789");

	return !*word || *word == '-' || *word == '@' || word[field] == ':' || strpbrk(word, " \t\n\"()*?");
}

static void put_names(FILE *out, const char *word)
{
	put_exactly(out, "address", word, false);
	put_exactly(out, " OR message_id", word, false);
	put_exactly(out, " OR message_id", word, true);
}

static void put_key(FILE *out, const char *word, bool quick)
{
	put_exactly(out, "queue_id", word, false);
	put_exactly(out, " OR message_id", word, false);
	if (!quick)
		put_exactly(out, " OR session", word, false);
	if (strlen(word) == KEY_DIGITS && strspn(word, "0123456789abcdefABCDEF") == KEY_DIGITS)
		fprintf(out, " OR key:%s", word);
}

/* The query that finds what a word alone names, to free; NULL: it names nothing, or is of the query's language. quick: only
 * what there are indexes for. */
static char *key_query(enum ask_keys keys, const char *word, bool quick)
{
	struct network network;
	char *text = NULL;
	size_t size, length = strlen(word);
	bool is_id = length > 2 && *word == '<' && word[length - 1] == '>', is_client = network_parse(word, &network);
	bool is_name = !is_term(word) && strchr(word, '@');
	FILE *out;

	if (keys == ASK_ANYWHERE || (!is_id && !is_client && (is_term(word) || (keys != ASK_KEYS && !is_name))))
		return NULL;
	out = open_memstream(&text, &size);
	if (!out)
		return NULL;
	if (is_client)
		put_exactly(out, "client", word, false);
	else if (is_id)
		put_exactly(out, "message_id", word, false);
	else if (is_name)
		put_names(out, word);
	else
		put_key(out, word, quick);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

/* The query's words one behind the other, with --since and --until as terms in front: all of it in parentheses, since it
 * may have an OR. */
static int join_query(struct ask *ask, char **words, size_t count)
{
	size_t size = 64 + (ask->since ? strlen(ask->since) : 0) + (ask->until ? strlen(ask->until) : 0), length = 0;

	for (size_t i = 0; i < count; i++)
		size += strlen(words[i]) + 1;
	ask->query_text = calloc(1, size);
	if (!ask->query_text)
		return -ENOMEM;
	if (ask->since && !ask->spans_apart)
		length = put_term(ask->query_text, length, "since:", ask->since);
	if (ask->until && !ask->spans_apart)
		length = put_term(ask->query_text, length, "until:", ask->until);
	bool is_inner = length && count;

	length += (size_t)sprintf(ask->query_text + length, "%s", is_inner ? " (" : "");
	for (size_t i = 0; i < count; i++)
		length += (size_t)sprintf(ask->query_text + length, "%s%s", i ? " " : "", words[i]);
	(void)sprintf(ask->query_text + length, "%s", is_inner ? ")" : "");
	return 0;
}

static int read_time(const struct ask *ask, const char *option, const char *value, uint64_t *ret_us)
{
	struct when when;

	if (!value)
		return 0;
	if (when_parse(value, ask->now_us, &when) != 0)
		return verb_usage_error(ask->verb, "%s wants " WHEN_FORMS "; got '%s'", option, value);
	*ret_us = !when.is_ago ? when.us : when.us < ask->now_us ? ask->now_us - when.us : 0;
	return 0;
}

static int read_span(struct ask *ask)
{
	int status = read_time(ask, "--since", ask->since, &ask->since_us);

	ask->until_us = ask->now_us;
	if (!status)
		status = read_time(ask, "--until", ask->until, &ask->until_us);
	if (!status && ask->until_us <= ask->since_us)
		status = verb_usage_error(ask->verb, "--until is not after --since");
	return status;
}

static int parse_words(struct ask *ask, char **words, size_t count, struct query **ret_query)
{
	const struct query_saved saved = config_saved_queries(&ask->config);
	struct problem problem = { "" };

	free(ask->query_text);
	ask->query_text = NULL;
	if (join_query(ask, words, count) != 0)
		return verb_usage_error(ask->verb, "%s", strerror(ENOMEM));
	if (!ask->query_text[0])
		return 0;
	if (query_parse(ret_query, ask->query_text, ask->now_us, &saved, &problem) == 0 && query_check_span(*ret_query, &problem) == 0)
		return 0;
	return ask_problem(ask, -EINVAL, &problem);
}

/* Letters and digits of both kinds, as MTAs make them; words of people have no digits, most of them. */
static bool may_be_queue_id(const char *word)
{
	size_t length = strlen(word);

	return length >= QUEUE_ID_MIN && length <= QUEUE_ID_MAX && strpbrk(word, "0123456789") &&
	       strspn(word, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-") == length && *word != '-';
}

static int parse_query(struct ask *ask, char **words, size_t count)
{
	char *key = count == 1 ? key_query(ask->keys, words[0], false) : NULL;
	char *quick = key ? key_query(ask->keys, words[0], true) : NULL;
	int status = 0;

	if (!key && count == 1 && ask->keys == ASK_NAMES_FIRST && may_be_queue_id(words[0]) && asprintf(&quick, "queue_id:\"%s\"", words[0]) < 0)
		quick = NULL;
	if (quick && (!key || strcmp(quick, key) != 0))
		status = parse_words(ask, &quick, 1, &ask->quick);
	if (!status)
		status = parse_words(ask, key ? &key : words, count, &ask->query);
	free(key);
	free(quick);
	return status;
}

/* Mistyped it is looked for, and seldom found. */
static void say_near_name(const struct ask *ask, const char *word)
{
	const char *name;
	struct near near;

	near_begin(&near, word);
	for (unsigned i = 0; ask->name_at && (name = ask->name_at(i)); i++)
		near_offer(&near, name);
	if (near.name)
		fprintf(stderr, "smtptrail %s: '%s' is taken for the query; perhaps '%s' is meant?\n", ask->verb->name, word, near.name);
}

static void say_doubt(const void *context, const char *words)
{
	const struct ask *ask = context;

	fprintf(stderr, "smtptrail %s: ", ask->verb->name);
	escape_terminal(text_of(words), stderr);
	(void)fputc('\n', stderr);
}

int ask_words(struct ask *ask, int argc, char **argv, bool (*is_name)(const char *word))
{
	char **words = calloc((size_t)argc + 1, sizeof(char *));
	struct problem problem = { "" };
	size_t word_count = 0;
	int status;

	ask->files = calloc((size_t)argc + 1, sizeof(char *));
	if (!words || !ask->files) {
		free(words);
		return verb_usage_error(ask->verb, "%s", strerror(ENOMEM));
	}
	if (config_read(&ask->config, ask->config_file, &problem) != 0 || config_load_reasons(&ask->config, &problem) != 0) {
		free(words);
		return verb_usage_error(ask->verb, "%s", problem.text);
	}
	for (int i = optind; i < argc; i++) {
		if (is_name && is_name(argv[i]) && ask->name_count < ASK_NAMES_MAX)
			ask->names[ask->name_count++] = argv[i];
		else if (is_file(argv[i]))
			ask->files[ask->file_count++] = argv[i];
		else
			say_near_name(ask, words[word_count++] = argv[i]);
	}
	/* The store has what lines meant. */
	if (ask->file_count && format_prepare() != 0)
		status = verb_usage_error(ask->verb, "%s", strerror(ENOMEM));
	else
		status = read_span(ask);
	if (!status)
		status = parse_query(ask, words, word_count);
	if (!status && ask->query && query_kind(ask->query) != QUERY_KIND_ANY && !ask->takes_kinds)
		status = verb_usage_error(ask->verb, "'is' says what a row of smtptrail search is: only that verb takes it");
	if (!status && ask->query)
		query_doubts(ask->query, true, say_doubt, ask);
	free(words);
	return status;
}

/* ---- reading and showing ---- */

void ask_rows(const struct ask *ask, struct rows *rows)
{
	*rows = (struct rows){
		.verb = ask->verb->name, .log = ask->log, .hosts = &ask->config.hosts, .clock_skew_us = ask->config.clock_skew_us,
		.query = ask->query,
	};
}

int ask_problem(const struct ask *ask, int error, const struct problem *problem)
{
	fprintf(stderr, "smtptrail %s: ", ask->verb->name);
	escape_terminal(text_of(problem->text[0] ? problem->text : strerror(-error)), stderr);
	(void)fputc('\n', stderr);
	return EXIT_USAGE;
}

bool ask_reads_store(const struct ask *ask)
{
	return ask->file_count == 0;
}

const char *ask_store(const struct ask *ask)
{
	return ask->store ? ask->store : ask->config.store;
}

static int read_store(const struct ask *ask, struct rows *rows)
{
	struct problem problem = { "" };
	int error;

	if (ask->quick) {
		rows->query = ask->quick;
		error = rows_read_store(rows, ask_store(ask), &problem);
		if (error || rows->given)
			return error ? ask_problem(ask, error, &problem) : 0;
		rows_done(rows);
	}
	rows->query = ask->query;
	error = rows_read_store(rows, ask_store(ask), &problem);
	if (!error)
		return 0;
	if (error == -ENOENT && ask->query_text && ask->query_text[0] && !query_begins(ask->query_text)) {
		fprintf(stderr, "smtptrail %s: no file is named by ", ask->verb->name);
		escape_terminal(text_of(ask->query_text), stderr);
		fputs(": it is taken for the query\n", stderr);
	}
	return ask_problem(ask, error, &problem);
}

int ask_read(const struct ask *ask, struct rows *rows)
{
	int error;

	if (ask_reads_store(ask))
		return read_store(ask, rows);
	error = rows_read_files(rows, ask->files, ask->file_count);
	return error ? verb_usage_error(ask->verb, "%s", strerror(-error)) : 0;
}

enum { PATH_MAX_BYTES = 4096 };

/* Beside the file, until it is whole. */
static void new_name(const char *path, char *ret_name)
{
	(void)snprintf(ret_name, PATH_MAX_BYTES, "%s.new", path);
}

/* A device or a pipe is written to, and stays what it is. */
static bool takes_place_of(const char *path)
{
	struct stat about;

	return stat(path, &about) != 0 || S_ISREG(about.st_mode);
}

/* What lies there by that name may be another's link. */
static FILE *new_file(const char *path)
{
	int file;

	(void)unlink(path);
	file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	return file < 0 ? NULL : fdopen(file, "w");
}

static int cannot_write(const struct ask *ask, const char *path, int error)
{
	fprintf(stderr, "smtptrail %s: cannot write '", ask->verb->name);
	escape_terminal(text_of(path), stderr);
	fprintf(stderr, "': %s\n", strerror(error));
	return EXIT_USAGE;
}

int ask_open_page(const struct ask *ask, const struct rows *rows, struct output_page *page)
{
	static const char *const colours[] = { "auto", "always", "never" };
	char path[PATH_MAX_BYTES];
	FILE *file = stdout;

	if (ask->html) {
		new_name(ask->html, path);
		file = takes_place_of(ask->html) ? new_file(path) : fopen(ask->html, "we");
		if (!file)
			return cannot_write(ask, ask->html, errno);
	}
	output_page_init(page, file, ask->verb->name, colours[ask->config.colour]);
	page->shows_queries = ask->shows_queries;
	page->query = ask->query_text ? ask->query_text : "";
	page->from_us = rows->from_us;
	page->until_us = rows->until_us;
	page->files = ask->files;
	page->file_count = ask->file_count;
	page->store = ask_reads_store(ask) ? ask->store : NULL;
	return 0;
}

int ask_close_page(const struct ask *ask, struct output_page *page)
{
	char path[PATH_MAX_BYTES];
	bool is_new, is_written;

	if (!ask->html)
		return 0;
	is_new = takes_place_of(ask->html);
	new_name(ask->html, path);
	is_written = !ferror(page->file);
	is_written = fclose(page->file) == 0 && is_written && (!is_new || rename(path, ask->html) == 0);
	if (is_written)
		return 0;
	if (is_new)
		(void)unlink(path);
	return cannot_write(ask, ask->html, errno);
}

int ask_finish(const struct ask *ask, const struct rows *rows, bool found)
{
	if (ask->query && !rows->given)
		query_doubts(ask->query, false, say_doubt, ask);
	if (rows->unknown)
		fprintf(stderr, "smtptrail %s: %" PRIu64 " of %" PRIu64 " lines were not understood; smtptrail parse --unknown shows them\n",
			ask->verb->name, rows->unknown, rows->lines);
	if (rows->unreadable)
		return EXIT_USAGE;
	return found ? EXIT_FOUND : EXIT_NOTHING;
}
