/* verb_search.c - smtptrail search: a table of the transactions that a query finds. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/ask.h"
#include "analysis/search.h"

extern const struct verb verb_search;

enum { OPTION_LIMIT = 256, OPTION_COLUMNS, USUAL_LIMIT = 100 };

struct options {
	struct ask ask;
	size_t limit;
	const char *columns;		/* NULL: the usual ones */
};

/* What is found; and of it what has the word for its name, which alone is shown where there is any. */
struct found {
	struct search *all, *named;
	const struct query *name;	/* NULL: the word may not be a name */
};

static void take(void *context, const struct report_row *row)
{
	const struct found *found = context;

	search_add(found->all, row);
	if (found->name && row->message && query_matches(found->name, &(struct query_row){
		.session = row->session, .message = row->message, .recipient = row->recipient }))
		search_add(found->named, row);
}

static bool is_enough(void *context, uint64_t before_us)
{
	return search_has_enough(((const struct found *)context)->all, before_us);
}

static bool has_named(const struct found *found)
{
	return found->name && search_count(found->named);
}

static int show(const struct options *options, const struct rows *rows, struct search *search)
{
	struct table *table = search_table(search);
	struct output_page page;
	bool is_found;
	int status = table ? ask_open_page(&options->ask, rows, &page) : verb_usage_error(&verb_search, "%s", strerror(ENOMEM));

	if (status)
		return status;
	options->ask.output->begin(&page);
	options->ask.output->table(&page, table);
	options->ask.output->end(&page);
	is_found = table_row_count(table);
	table_free(table);
	status = ask_close_page(&options->ask, &page);
	return status ? status : ask_finish(&options->ask, rows, is_found);
}

/* What is not kept is said, rather than shown as nothing. */
static void say_no_lines(const struct ask *ask)
{
	if (ask_reads_store(ask) && ask->query && query_kind(ask->query) == QUERY_KIND_LINE)
		fputs("smtptrail search: the store keeps no lines of logs: name log files\n", stderr);
}

static int search(const struct options *options)
{
	struct found found = { .name = options->ask.quick };
	struct problem problem = { "" };
	struct rows rows;
	int status = 0, error = search_new(&found.all, options->ask.query, options->columns, options->limit, &problem);

	if (!error)
		error = search_new(&found.named, options->ask.query, options->columns, options->limit, &problem);
	if (error)
		status = verb_usage_error(&verb_search, "%s", error == -ENOMEM ? strerror(ENOMEM) : problem.text);
	else
		say_no_lines(&options->ask);
	ask_rows(&options->ask, &rows);
	rows.moments = error ? 0 : search_moments(found.all);
	/* What was tried last may be asked for. */
	rows.keeps_attempts = true;
	rows.take = take;
	rows.is_enough = is_enough;
	rows.context = &found;
	if (!status)
		status = ask_read(&options->ask, &rows);
	if (!status)
		status = show(options, &rows, has_named(&found) ? found.named : found.all);
	rows_done(&rows);
	search_free(found.all);
	search_free(found.named);
	return status;
}

static int run_search(int argc, char **argv)
{
	static const struct option words[] = {
		{ "limit", required_argument, NULL, OPTION_LIMIT }, { "columns", required_argument, NULL, OPTION_COLUMNS },
		ASK_READ_OPTIONS, ASK_LIST_OPTIONS, { NULL, 0, NULL, 0 },
	};
	struct options options = { .limit = USUAL_LIMIT };
	int option, status = 0;

	ask_init(&options.ask, &verb_search, argc, argv);
	options.ask.keys = ASK_NAMES_FIRST;
	options.ask.takes_kinds = true;
	opterr = 0;
	while (!status && (option = getopt_long(argc, argv, "", words, NULL)) != -1) {
		if (option == OPTION_LIMIT)
			status = ask_number(&options.ask, "--limit", optarg, &options.limit);
		else if (option == OPTION_COLUMNS)
			options.columns = optarg;
		else
			status = ask_option(&options.ask, option, optarg);
	}
	if (!status)
		status = ask_words(&options.ask, argc, argv, NULL);
	if (!status)
		status = search(&options);
	ask_done(&options.ask);
	return status;
}

const struct verb verb_search = {
	.name = "search",
	.summary = "a table of transactions: who, to whom, what became of it",
	.arguments = "[options] [QUERY] [FILE... | -]",
	.help = "A row for each recipient that the QUERY (smtptrail-query(7)) finds, for each message that has none, each session\n"
		"without messages, and each login. With is:message, is:session, is:attempt, is:check or is:line in the query each row\n"
		"is one of those: what reports count; lines are those of log files that warn, or were not understood. A word alone is\n"
		"a mail address, a Message-ID or the address of a client; or a queue id, where there is one; or else a piece of\n"
		"anything. The newest comes last. Without a FILE the store is asked; - is standard input.\n\n"
		"options:\n"
		"  --limit N        the newest rows (default 100; 0: all)\n"
		"  --columns LIST   " COLUMNS_USUAL " (default), tries, number,\n"
		"                   every fact that smtptrail fields --transaction lists (attempt.tls_version: of that level alone), and\n"
		"                   of lines text, file, line; +LIST: behind the usual ones, which are others where the query says\n"
		"                   what a row is\n"
		ASK_READ_HELP
		ASK_LIST_HELP
		"\nexit status: 0 found; 1 nothing was found; 2 a file could not be read, or usage\n\n"
		"examples:\n"
		"  smtptrail search joe@example.com\n"
		"  smtptrail search fate:bounced since:yesterday --columns +reply /var/log/mail.log*\n"
		"  smtptrail search dmarc:fail 'size:>1M' --csv /var/log/mail.log > mail.csv\n"
		"  smtptrail search is:session ended:lost since:1d\n"
		"  smtptrail search is:line understood:no /var/log/mail.log\n"
		"  smtptrail search client:192.0.2.0/24 --json /var/log/mail.log | jq -r '.tables.transactions.rows[].key'\n",
	.run = run_search,
};
