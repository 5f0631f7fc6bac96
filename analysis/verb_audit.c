/* verb_audit.c - smtptrail audit: what deserves a look, by how grave it is. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/ask.h"
#include "analysis/audit.h"

extern const struct verb verb_audit;

enum { OPTION_SEVERITY = 256, OPTION_LIST };

struct options {
	struct ask ask;
	enum severity severity;		/* from which on a finding makes exit status 1 */
};

static bool is_name(const char *word)
{
	return audit_by_name(word);
}

static const char *name_at(unsigned at)
{
	return audit_table[at] ? audit_table[at]->name : NULL;
}

static void take(void *context, const struct report_row *row)
{
	report_run_add(context, row);
}

struct showing {
	const struct options *options;
	struct output_page page;
	bool is_grave, lacks_memory;
};

static void emit(void *context, struct table *table)
{
	struct showing *showing = context;
	enum severity gravest;

	if (!table) {
		showing->lacks_memory = true;
		return;
	}
	if (audit_gravest(table, &gravest) && gravest >= showing->options->severity)
		showing->is_grave = true;
	showing->options->ask.output->table(&showing->page, table);
	table_free(table);
}

static int show(const struct options *options, const struct rows *rows, const struct report_run *run)
{
	struct report_options wanted = {
		.top = options->ask.top, .by = options->ask.by, .now_us = options->ask.now_us, .from_us = rows->from_us, .until_us = rows->until_us,
		.own_domains = &options->ask.config.own_domains,
	};
	struct showing showing = { .options = options };
	int status = ask_open_page(&options->ask, rows, &showing.page);

	if (status)
		return status;
	options->ask.output->begin(&showing.page);
	report_run_show(run, &wanted, emit, &showing);
	options->ask.output->end(&showing.page);
	status = ask_close_page(&options->ask, &showing.page);
	if (status)
		return status;
	if (showing.lacks_memory)
		return verb_usage_error(&verb_audit, "%s", strerror(ENOMEM));
	/* No finding among nothing is no good news. */
	if (options->ask.query && !rows->given)
		fputs("smtptrail audit: nothing of what was read is what the query asks for\n", stderr);
	return ask_finish(&options->ask, rows, !showing.is_grave);
}

static int audit(const struct options *options)
{
	const struct report *chosen[ASK_NAMES_MAX * 2];
	unsigned count = 0;
	struct report_run *run;
	struct rows rows;
	int status;

	for (unsigned i = 0; i < options->ask.name_count; i++)
		chosen[count++] = audit_by_name(options->ask.names[i]);
	for (const struct report *const *each = audit_table; !options->ask.name_count && *each; each++)
		chosen[count++] = *each;
	run = report_run_new(chosen, count);
	ask_rows(&options->ask, &rows);
	rows.take = take;
	rows.context = rows.run = run;
	rows.moments = run ? report_run_moments(run) : 0;
	rows.facts = run ? report_run_facts(run) : NULL;
	status = run ? ask_read(&options->ask, &rows) : verb_usage_error(&verb_audit, "%s", strerror(ENOMEM));
	if (!status)
		status = show(options, &rows, run);
	rows_done(&rows);
	report_run_free(run);
	return status;
}

static int list_audits(void)
{
	for (const struct report *const *each = audit_table; *each; each++)
		printf("%-15s %s\n", (*each)->name, (*each)->summary);
	return EXIT_FOUND;
}

static int run_audit(int argc, char **argv)
{
	static const struct option words[] = {
		{ "severity", required_argument, NULL, OPTION_SEVERITY }, { "list", no_argument, NULL, OPTION_LIST }, ASK_OPTIONS,
		{ NULL, 0, NULL, 0 },
	};
	struct options options = { .severity = SEVERITY_WARNING };
	int option, status = 0;

	ask_init(&options.ask, &verb_audit, argc, argv);
	options.ask.name_at = name_at;
	opterr = 0;
	while (!status && (option = getopt_long(argc, argv, "", words, NULL)) != -1) {
		if (option == OPTION_LIST) {
			ask_done(&options.ask);
			return list_audits();
		}
		if (option != OPTION_SEVERITY)
			status = ask_option(&options.ask, option, optarg);
		else if (!severity_by_name(optarg, &options.severity))
			status = verb_usage_error(&verb_audit, "--severity is notice, warning or critical, not '%s'", optarg);
	}
	if (!status)
		status = ask_words(&options.ask, argc, argv, is_name);
	if (!status)
		status = audit(&options);
	ask_done(&options.ask);
	return status;
}

const struct verb verb_audit = {
	.name = "audit",
	.summary = "what deserves a look: authentication that fails, guessed passwords, harvesters",
	.arguments = "[dmarc|spf|dkim|login|sessions...] [options] [QUERY] [FILE... | -]",
	.help = "Without a name all of them. Words that are no audit and no file are the query (smtptrail-query(7)).\n"
		"Without a FILE the store is asked; - is standard input.\n"
		"own_domains of smtptrail.conf says which domains are our own.\n\n"
		"options:\n"
		"  --severity WORD  notice, warning (default) or critical: from which on a finding makes exit status 1\n"
		"  --list           the audits, each with what it looks for\n"
		ASK_HELP
		"\nexit status: 0 no finding of that severity; 1 there are some; 2 a file could not be read, or usage\n\n"
		"examples:\n"
		"  smtptrail audit /var/log/mail.log\n"
		"  smtptrail audit login --severity critical since:2h /var/log/mail.log || mail -s 'look' postmaster\n",
	.run = run_audit,
};
