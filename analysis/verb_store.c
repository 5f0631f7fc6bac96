/* verb_store.c - smtptrail store: what the store holds, whether it is whole, and what leaves it. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/config.h"
#include "analysis/forget_redis.h"
#include "analysis/output.h"
#include "analysis/store.h"
#include "analysis/store_check.h"
#include "analysis/store_forget.h"
#include "analysis/store_join.h"
#include "analysis/store_schema.h"
#include "analysis/verb.h"
#include "analysis/when.h"
#include "common/clock.h"
#include "common/escape.h"
#include "common/journal.h"
#include "common/journal_mask.h"

extern const struct verb verb_store;

enum { OPTION_STORE = 256, OPTION_CONFIG, OPTION_JSON, OPTION_KEEP, OPTION_ERASE, OPTION_REDIS, OPTION_JOURNAL, OPTION_LOGIN, JOURNALS_MAX = 16,
       LOGINS_MAX = 16, PSEUDONYM_SIZE = 64 };

struct options {
	struct config config;
	const char *config_file, *store, *address;
	bool as_json, erases, in_redis, has_keep;
	uint64_t keep_us;
	const char *journals[JOURNALS_MAX];
	unsigned journal_count;
	struct text logins[LOGINS_MAX];
	unsigned login_count;
};

static int fail(int error, const struct problem *problem)
{
	fputs("smtptrail store: ", stderr);
	escape_terminal(text_of(problem->text[0] ? problem->text : strerror(-error)), stderr);
	fputc('\n', stderr);
	return EXIT_USAGE;
}

static void print_object(const char *const *names, const uint64_t *numbers, size_t count)
{
	putchar('{');
	for (size_t i = 0; i < count; i++)
		printf("%s\"%s\": %" PRIu64, i ? ", " : "", names[i], numbers[i]);
	puts("}");
}

/* ---- stat ---- */

static const struct table_column day_columns[] = {
	{ "day", "Day", CELL_TEXT, false }, { "bytes", "Size", CELL_SIZE, false }, { "sessions", "Sessions", CELL_NUMBER, false },
	{ "messages", "Messages", CELL_NUMBER, false }, { "recipients", "Recipients", CELL_NUMBER, false },
	{ "attempts", "Attempts", CELL_NUMBER, false }, { "checks", "Checks", CELL_NUMBER, false },
	{ "logins", "Logins", CELL_NUMBER, false },
};
static const struct table_column input_columns[] = {
	{ "kind", "Kind", CELL_TEXT, false }, { "name", "Name", CELL_TEXT, false }, { "seen", "Read", CELL_TIME, false },
	{ "state", "How far", CELL_TEXT, false },
};

static uint64_t size_of(const char *path)
{
	struct stat info;

	return stat(path, &info) == 0 ? (uint64_t)info.st_size : 0;
}

static int add_day(struct table *table, const char *path, store_day day, struct problem *problem)
{
	struct database *database = NULL;
	char name[STORE_DAY_SIZE], sql[64];
	int error = database_open(&database, path, DATABASE_READ, problem);

	if (!error)
		error = store_schema_check(database, STORE_DAY, false, problem);
	store_day_format(day, name);
	table_begin_row(table);
	table_put_text(table, text_of(name));
	table_put_number(table, size_of(path));
	for (size_t i = 0; i < LEVEL_COUNT && !error; i++) {
		int64_t count = 0;

		(void)snprintf(sql, sizeof sql, "SELECT count(*) FROM [%s]", fact_level_name((enum fact_level)i));
		error = database_number(database, sql, &count, problem);
		table_put_number(table, (uint64_t)count);
	}
	if (database)
		database_close(database);
	return error;
}

static int add_inputs(struct table *table, struct database *current, struct problem *problem)
{
	struct statement *row;
	int more, error = statement_new(&row, current, "SELECT kind, name, seen_us, state FROM input ORDER BY kind, name", problem);

	while (!error && (more = statement_step(row)) > 0) {
		table_begin_row(table);
		table_put_text(table, statement_text(row, 0));
		table_put_text(table, statement_text(row, 1));
		table_put_number(table, statement_number(row, 2));
		table_put_text(table, statement_text(row, 3));
	}
	return error;
}

static int collect(const struct options *options, struct table *days_table, struct table *inputs, struct problem *problem)
{
	const char *directory = options->config.store;
	struct database *current = NULL;
	char path[STORE_PATH_SIZE];
	store_day *days = NULL;
	size_t count = 0;
	int64_t open = 0;
	int error = store_days_list(directory, &days, &count, problem);

	if (!error)
		store_days_drop_empty(directory, days, &count);
	for (size_t i = 0; i < count && !error; i++)
		if (store_day_path(directory, days[i], path))
			error = add_day(days_table, path, days[i], problem);
	free(days);
	if (!error && store_path(directory, STORE_CURRENT_NAME, path))
		error = database_open(&current, path, DATABASE_READ, problem);
	if (!error)
		error = store_schema_check(current, STORE_CURRENT, false, problem);
	if (!error)
		error = database_number(current, "SELECT count(*) FROM open", &open, problem);
	if (!error)
		error = add_inputs(inputs, current, problem);
	table_put_note(days_table, "%" PRId64 " sessions and messages are under way.", open);
	if (current)
		database_close(current);
	return error;
}

static int run_stat(struct options *options)
{
	struct table *days = table_new("store", "Days of the store", day_columns, sizeof day_columns / sizeof day_columns[0]);
	struct table *inputs = table_new("inputs", "Inputs", input_columns, sizeof input_columns / sizeof input_columns[0]);
	const struct output *output = options->as_json ? &output_json : &output_text;
	struct output_page page;
	struct problem problem = { "" };
	int error = days && inputs ? collect(options, days, inputs, &problem) : -ENOMEM;

	if (!error) {
		output_page_init(&page, stdout, verb_store.name, "auto");
		page.query = "";
		output->begin(&page);
		output->table(&page, days);
		output->table(&page, inputs);
		output->end(&page);
	}
	table_free(days);
	table_free(inputs);
	return error ? fail(error, &problem) : EXIT_FOUND;
}

/* ---- check ---- */

static void say_finding(void *context, const char *file, const char *sentence)
{
	(void)context;
	escape_terminal(text_of(file), stdout);
	fputs(": ", stdout);
	escape_terminal(text_of(sentence), stdout);
	putchar('\n');
}

static int check_one(struct store_check *check, const char *path, bool is_current)
{
	struct problem problem = { "" };
	int error = store_check_file(check, path, is_current, &problem);

	/* What is no database any more is a finding; what may not be read is none. */
	if (error == -EBADMSG || error == -EPROTONOSUPPORT) {
		check->findings++;
		say_finding(NULL, path, problem.text);
		return 0;
	}
	return error ? fail(error, &problem) : 0;
}

static int run_check(struct options *options)
{
	struct store_check check = { .finding = say_finding };
	struct problem problem = { "" };
	char path[STORE_PATH_SIZE];
	store_day *days = NULL;
	size_t count = 0;
	int error = store_days_list(options->config.store, &days, &count, &problem), status = EXIT_FOUND;

	if (error)
		return fail(error, &problem);
	if (store_path(options->config.store, STORE_CURRENT_NAME, path))
		status = check_one(&check, path, true);
	for (size_t i = 0; i < count && !status; i++)
		if (store_day_path(options->config.store, days[i], path))
			status = check_one(&check, path, false);
	free(days);
	if (status)
		return status;
	if (options->as_json)
		printf("{\"files\": %zu, \"findings\": %lu}\n", count + 1, check.findings);
	else
		printf("%zu files, %lu findings\n", count + 1, check.findings);
	return check.findings ? EXIT_NOTHING : EXIT_FOUND;
}

/* ---- what changes it ---- */

static int open_store(const struct options *options, struct source_table **ret_sources, struct store **ret_store,
		      struct problem *problem)
{
	struct store_options store = { .directory = options->config.store };
	struct stat info;
	int error = -ENOMEM;

	/* Whose name was mistyped is not made. */
	if (stat(store.directory, &info) != 0) {
		error = -errno;
		problem_set(problem, "no store '%s': %s", store.directory, strerror(-error));
		return error;
	}
	*ret_sources = store.sources = source_table_new();
	if (store.sources)
		error = store_open(ret_store, &store, problem);
	if (error)
		source_table_free(store.sources);
	return error;
}

static int run_prune(struct options *options)
{
	const struct store_retention retention = {
		.keep_us = options->has_keep ? options->keep_us : options->config.store_keep_us, .size = options->config.store_size,
	};
	struct source_table *sources = NULL;
	struct store *store = NULL;
	struct problem problem = { "" };
	unsigned days = 0;
	int error = open_store(options, &sources, &store, &problem);

	if (error)
		return fail(error, &problem);
	error = store_prune(store, &retention, clock_now_us(), &days, &problem);
	store_close(store);
	source_table_free(sources);
	if (error)
		return fail(error, &problem);
	if (options->as_json)
		printf("{\"days_deleted\": %u}\n", days);
	else
		printf("%u days deleted\n", days);
	return EXIT_FOUND;
}

/* ---- forget ---- */

struct forgotten {
	struct store_forgotten store;
	struct forget_redis_counts redis;
	struct journal_masked journal;
};

static int forget_days(const struct options *options, const struct store_forget *what, struct forgotten *counts,
		       struct problem *problem)
{
	char path[STORE_PATH_SIZE];
	store_day *days = NULL;
	size_t count = 0;
	int error = store_days_list(options->config.store, &days, &count, problem);

	if (!error)
		store_days_drop_empty(options->config.store, days, &count);
	for (size_t i = 0; i < count && !error; i++)
		if (store_day_path(options->config.store, days[i], path))
			error = store_forget_day(path, what, &counts->store, problem);
	free(days);
	return error;
}

/* Its further partitions too. */
static int forget_journal(const char *directory, const struct person *person, struct journal_masked *counts, struct problem *problem)
{
	char path[STORE_PATH_SIZE];
	int error = journal_mask(directory, person, counts, problem);

	for (unsigned i = 1; !error; i++) {
		(void)snprintf(path, sizeof path, JOURNAL_PARTITION_DIRECTORY, directory, i);
		if (access(path, F_OK) != 0)
			break;
		error = journal_mask(path, person, counts, problem);
	}
	return error;
}

static bool names_person(const void *context, struct text value)
{
	const struct person *person = context;

	return person_find(person, value).start || person_has_word(person, value);
}

/* Text by text: among other bytes it is not to be seen where a word ends. */
static bool has_person(const void *context, struct text bytes)
{
	return correlate_rest_has(bytes, names_person, context);
}

static int forget_all(const struct options *options, const struct store_forget *what, struct forgotten *counts,
		      struct problem *problem)
{
	struct source_table *sources = NULL;
	struct store *store = NULL;
	int error = open_store(options, &sources, &store, problem);

	if (error)
		return error;
	/* The bytes of what the join may ask for again name the person, too, and those of logins that last. */
	error = store_join_forget_logins(store, names_person, &what->person, problem);
	if (!error)
		error = store_forget_rests(store, has_person, &what->person, problem);
	if (!error)
		error = store_put_to_rest(store, problem);
	if (!error)
		error = forget_days(options, what, counts, problem);
	if (!error && options->in_redis)
		error = forget_redis(&options->config, store, &what->person, &counts->redis, problem);
	for (unsigned i = 0; i < options->journal_count && !error; i++)
		error = forget_journal(options->journals[i], &what->person, &counts->journal, problem);
	store_close(store);
	source_table_free(sources);
	return error;
}

static void print_name(struct text name)
{
	escape_terminal(name, stdout);
}

/* What an address and a name can not tell of the person. */
static void print_names_left(const struct store_forget *what, const struct forgotten *counts)
{
	const struct person *person = &what->person;
	size_t local = (size_t)((const char *)memchr(person->address.start, '@', person->address.length) - person->address.start);

	if (counts->store.words)
		printf("  the store: %" PRIu64 " texts with a login name as a word in them, which need not mean the person\n",
		       counts->store.words);
	if (!person->login_count) {
		fputs("  the name alone, as a login or an address without its domain: not looked at, for a name is no proof; --login ", stdout);
		print_name((struct text){ person->address.start, local });
		puts(" does");
	}
	for (size_t i = 0; i < local; i++)
		if (i > 0 && memchr(person->delimiters.start, person->address.start[i], person->delimiters.length)) {
			fputs("  the address without its tag: not looked for; forget ", stdout);
			print_name((struct text){ person->address.start, i });
			print_name((struct text){ person->address.start + local, person->address.length - local });
			puts(" does");
			break;
		}
}

static void print_forgotten(const struct options *options, const struct store_forget *what, const struct forgotten *counts)
{
	printf("the store: %" PRIu64 " senders, recipients and logins and %" PRIu64 " other texts say %s now; %" PRIu64 " rows are erased\n",
	       counts->store.values, counts->store.texts, what->pseudonym, counts->store.rows);
	if (options->in_redis)
		printf("Redis: %" PRIu64 " records are deleted\n", counts->redis.deleted);
	if (options->journal_count)
		printf("the journal: %" PRIu64 " records are masked\n", counts->journal.entries - counts->journal.left);
	puts("what remains:");
	if (counts->store.left)
		printf("  the store: %" PRIu64 " texts that still have the address\n", counts->store.left);
	print_names_left(what, counts);
	if (counts->redis.left)
		printf("  Redis: %" PRIu64 " records that the store has not read yet: run smtptrail ingest, then this again\n",
		       counts->redis.left);
	if (!options->in_redis)
		puts("  Redis: not looked at; --redis does");
	if (counts->journal.left)
		printf("  the journal: %" PRIu64 " records that are damaged\n", counts->journal.left);
	if (!options->journal_count)
		puts("  the milter's journal: not looked at; --journal DIRECTORY does (its front and its spool), while the milter is stopped;\n"
		     "    what was shipped goes by itself after keep_time and keep_size");
	puts("  names of the person that are no part of the address, client addresses, Message-IDs and subjects; the address as\n"
	     "    other systems rewrite it (SRS) or encode it\n"
	     "  the mail logs, rotated ones too; backups; blocks of files that were deleted; whatever else reads the streams");
}

static int run_forget(struct options *options)
{
	static const char *const names[] = { "values", "texts", "rows_erased", "left_in_store", "words_in_store", "deleted_in_redis",
					     "left_in_redis", "masked_in_journal", "left_in_journal" };
	char pseudonym[PSEUDONYM_SIZE];
	uint64_t random;
	struct store_forget what = {
		.person = { text_of(options->address), text_of(options->config.recipient_delimiter), options->logins, options->login_count },
		.pseudonym = pseudonym, .erases = options->erases,
	};
	struct forgotten counts = { .store = { .values = 0 } };
	struct problem problem = { "" };
	int error;

	if (!person_is_address(what.person.address))
		return verb_usage_error(&verb_store, "forget wants the address of a person, with its @");
	if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
		random = clock_now_us();
	(void)snprintf(pseudonym, sizeof pseudonym, "forgotten-%016" PRIx64 "@forgotten.invalid", random);
	if (person_find(&what.person, text_of(pseudonym)).start)
		return verb_usage_error(&verb_store, "'%s' is like the pseudonym", options->address);
	error = forget_all(options, &what, &counts, &problem);
	if (error)
		return fail(error, &problem);
	if (options->as_json)
		print_object(names, (const uint64_t[]){ counts.store.values, counts.store.texts, counts.store.rows, counts.store.left,
							counts.store.words, counts.redis.deleted, counts.redis.left,
							counts.journal.entries - counts.journal.left, counts.journal.left },
			     sizeof names / sizeof names[0]);
	else
		print_forgotten(options, &what, &counts);
	return counts.store.left || counts.redis.left || counts.journal.left ? EXIT_NOTHING : EXIT_FOUND;
}

/* ---- words ---- */

static const struct {
	const char *name;
	int (*run)(struct options *options);
	bool takes_address;
} actions[] = {
	{ "stat", run_stat, false }, { "check", run_check, false }, { "prune", run_prune, false }, { "forget", run_forget, true },
};

static int read_option(struct options *options, int option, const char *value)
{
	struct when when;

	switch (option) {
	case OPTION_STORE: options->store = value; return 0;
	case OPTION_CONFIG: options->config_file = value; return 0;
	case OPTION_JSON: options->as_json = true; return 0;
	case OPTION_ERASE: options->erases = true; return 0;
	case OPTION_REDIS: options->in_redis = true; return 0;
	case OPTION_KEEP:
		if (when_parse(value, clock_now_us(), &when) != 0 || !when.is_ago || !when.us)
			return verb_usage_error(&verb_store, "--keep wants a duration as 30d, got '%s'", value);
		options->keep_us = when.us;
		options->has_keep = true;
		return 0;
	case OPTION_LOGIN:
		if (options->login_count == LOGINS_MAX || !value[0])
			return verb_usage_error(&verb_store, "--login wants a name, and comes at most %d times", LOGINS_MAX);
		options->logins[options->login_count++] = text_of(value);
		return 0;
	case OPTION_JOURNAL:
		if (options->journal_count == JOURNALS_MAX)
			return verb_usage_error(&verb_store, "more than %d times --journal", JOURNALS_MAX);
		options->journals[options->journal_count++] = value;
		return 0;
	default:
		return verb_option_error(&verb_store);
	}
}

static int run_action(struct options *options, int (*run)(struct options *options))
{
	struct problem problem = { "" };
	int status = EXIT_USAGE;

	if (config_read(&options->config, options->config_file, &problem) != 0)
		return fail(-EINVAL, &problem);
	if (options->store) {
		free(options->config.store);
		options->config.store = strdup(options->store);
	}
	if (options->config.store)
		status = run(options);
	config_done(&options->config);
	return status;
}

static int run_store(int argc, char **argv)
{
	static const struct option words[] = {
		{ "store", required_argument, NULL, OPTION_STORE }, { "config", required_argument, NULL, OPTION_CONFIG },
		{ "json", no_argument, NULL, OPTION_JSON }, { "keep", required_argument, NULL, OPTION_KEEP },
		{ "erase", no_argument, NULL, OPTION_ERASE }, { "redis", no_argument, NULL, OPTION_REDIS },
		{ "journal", required_argument, NULL, OPTION_JOURNAL }, { "login", required_argument, NULL, OPTION_LOGIN },
		{ NULL, 0, NULL, 0 },
	};
	struct options options = { .as_json = false };
	int option, status = 0;

	opterr = 0;
	while (!status && (option = getopt_long(argc, argv, "", words, NULL)) != -1)
		status = read_option(&options, option, optarg);
	if (status)
		return status;
	for (size_t i = 0; i < sizeof actions / sizeof actions[0] && optind < argc; i++) {
		if (strcmp(argv[optind], actions[i].name) != 0)
			continue;
		if (argc - optind != (actions[i].takes_address ? 2 : 1))
			return verb_usage_error(&verb_store, actions[i].takes_address ? "%s wants one address" : "%s takes no word",
						actions[i].name);
		options.address = actions[i].takes_address ? argv[optind + 1] : NULL;
		return run_action(&options, actions[i].run);
	}
	return verb_usage_error(&verb_store, "wants stat, check, prune or forget");
}

const struct verb verb_store = {
	.name = "store",
	.summary = "what the store holds, whether it is whole, and what leaves it",
	.arguments = "stat|check|prune|forget ADDRESS [options]",
	.help = "  stat             each day with its size and rows; what is under way; how far each input was read\n"
		"  check            SQLite's own check of each file, rows that belong together, and every row's evidence\n"
		"  prune            deletes the days that store_keep and store_size of smtptrail.conf do not keep; smtptrail ingest does\n"
		"                   the same by itself, at its start and each hour\n"
		"  forget ADDRESS   one person's address, in any letter case and with any tag (recipient_delimiter of smtptrail.conf: joe is\n"
		"                   joe+shop, too), becomes a pseudonym; says what remains, and where\n\n"
		"options:\n"
		"  --store DIR      instead of that of smtptrail.conf\n"
		"  --keep DURATION  prune: instead of store_keep, as 30d\n"
		"  --erase          forget: what is that person's alone is deleted: messages sent, recipients with their attempts,\n"
		"                   messages without another recipient, logins; the pseudonym stands where others' rows have the address\n"
		"  --login NAME     forget: a login, or an address without a domain, that is NAME is that person; may be given several times\n"
		"  --redis          forget: the records that name the address are deleted from the streams, too, as far as the store has\n"
		"                   read them\n"
		"  --journal DIR    forget: in the entries of a front or spool of the milter, which must be stopped, the address is masked;\n"
		"                   may be given several times\n"
		"  --json           the answer as JSON\n"
		"  --config FILE    instead of smtptrail.conf\n\n"
		"prune and forget want that no smtptrail ingest runs. The databases can be read with sqlite3(1): each day has the views\n"
		"sessions, messages, recipients, attempts, checks and logins, which doc/store.md describes.\n\n"
		"exit status: 0 done, or whole; 1 check found something, or forget left something; 2 the store cannot be used, or usage\n\n"
		"examples:\n"
		"  smtptrail store stat\n"
		"  smtptrail store forget joe@example.com --login joe --erase --redis\n"
		"  sqlite3 /var/lib/smtptrail/store/2026-11-21.db \"SELECT start, [from], subject FROM messages LIMIT 10\"\n",
	.run = run_store,
};
