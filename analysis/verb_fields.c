/* verb_fields.c - smtptrail fields: the tables of stages and fields, of facts, of what a query may ask for and an audit finds; saved queries. */
#include <stdio.h>
#include <string.h>

#include "analysis/audit.h"
#include "analysis/config.h"
#include "analysis/format.h"
#include "analysis/query.h"
#include "analysis/reply.h"
#include "analysis/verb.h"
#include "common/record.h"

static void print_stages_of(const struct field_info *field)
{
	const char *separator = "";
	bool everywhere = true;

	for (const struct stage_info *stage = stage_table; stage->name; stage++)
		everywhere = everywhere && field_is_at(field, (enum stage)stage->number);
	if (everywhere) {
		printf("all");
		return;
	}
	for (const struct stage_info *stage = stage_table; stage->name; stage++)
		if (field_is_at(field, (enum stage)stage->number)) {
			printf("%s%s", separator, stage->name);
			separator = " ";
		}
}

static int print_facts(void)
{
	printf("# What a transaction can tell\n\n"
	       "Each row is a column of the store, a field of queries, and a member of JSON and CSV. Absent means not known. Times are\n"
	       "RFC 3339 UTC, durations microseconds, sizes bytes; a list is `a, b`.\n\n");
	printf("| of | name | type | meaning |\n|---|---|---|---|\n");
	for (int fact = 0; fact < FACT_COUNT; fact++)
		printf("| %s | `%s` | %s | %s |\n", fact_level_name(fact_table[fact].level), fact_table[fact].name,
		       fact_type_name(fact_table[fact].type), fact_table[fact].meaning);
	printf("\n| fate of a recipient | what it says |\n|---|---|\n");
	for (int fate = 0; fate < FATE_COUNT; fate++)
		printf("| `%s` | %s |\n", fate_name((enum fate)fate), fate_meaning((enum fate)fate));
	printf("\n| joined by | what tied a line or record to it, from the surest on |\n|---|---|\n");
	for (int key = 0; key < JOIN_COUNT; key++)
		printf("| `%s` | %s |\n", join_key_name((enum join_key)key), join_key_meaning((enum join_key)key));
	return EXIT_FOUND;
}

static int print_query_fields(void)
{
	for (const struct query_field_info *field = query_fields(); field->name; field++)
		if (strcmp(field->type, "alias") == 0)
			printf("%-18s short for %s\n", field->name, field->meaning);
		else
			printf("%-18s %-9s %s\n", field->name, field->type, field->meaning);
	return EXIT_FOUND;
}

static int print_query_words(void)
{
	char words[QUERY_WORDS_SIZE];
	const char *field;

	for (unsigned row = 0; (field = query_words_row(row, words)); row++)
		printf("%-18s %s\n", field, words);
	return EXIT_FOUND;
}

static void print_paragraph(const char *what, const char *text)
{
	if (text)
		printf("  %-6s %s\n", what, text);
}

static int print_formats(void)
{
	for (const struct format *const *format = format_table; *format; format++) {
		const struct format_page *page = &(*format)->page;

		printf("%s: %s\n", (*format)->name, (*format)->summary);
		print_paragraph("where", page->where);
		print_paragraph("get", page->get);
		print_paragraph("joins", page->joins);
		print_paragraph("tells", page->tells);
		print_paragraph("lacks", page->lacks);
	}
	return EXIT_FOUND;
}

static int print_replies(void)
{
	const char *stage, *meaning;
	int code;

	for (unsigned row = 0; reply_stage_row(row, &stage, &code, &meaning); row++)
		printf("%-15s %d  %s\n", stage, code, meaning);
	return EXIT_FOUND;
}

static int print_audit_limits(void)
{
	for (const struct audit_limit_info *limit = audit_limits; limit->audit; limit++)
		printf("%-9s %9u  %s\n", limit->audit, limit->number, limit->meaning);
	return EXIT_FOUND;
}

static int print_totals(void)
{
	static const struct {
		const char *name, *meaning;
	} totals[] = {
#define TOTAL(id, name, meaning) { name, meaning },
#include "analysis/totals.def"
#undef TOTAL
	};

	for (size_t i = 0; i < sizeof totals / sizeof totals[0]; i++)
		printf("%-28s %s\n", totals[i].name, totals[i].meaning);
	return EXIT_FOUND;
}

/* Of the configuration: what an @NAME in a query stands for. */
static int print_saved(const char *file)
{
	struct config config;
	struct problem problem = { "" };
	size_t count;

	if (config_read(&config, file, &problem) != 0) {
		fprintf(stderr, "smtptrail fields: %s\n", problem.text);
		return EXIT_USAGE;
	}
	count = config.queries.count;
	for (size_t i = 0; i < count; i += CONFIG_QUERY_ITEMS) {
		char **query = config.queries.items + i;
		bool is_described = query[CONFIG_QUERY_DESCRIPTION][0] != '\0';

		printf("@%-17s %s\n", query[CONFIG_QUERY_NAME], query[is_described ? CONFIG_QUERY_DESCRIPTION : CONFIG_QUERY_MATCH]);
	}
	config_done(&config);
	return count ? EXIT_FOUND : EXIT_NOTHING;
}

static int run_fields(int argc, char **argv)
{
	extern const struct verb verb_fields;

	if (argc == 2 && strcmp(argv[1], "--transaction") == 0)
		return print_facts();
	if (argc == 2 && strcmp(argv[1], "--query") == 0)
		return print_query_fields();
	if (argc == 2 && strcmp(argv[1], "--words") == 0)
		return print_query_words();
	if (argc == 2 && strcmp(argv[1], "--formats") == 0)
		return print_formats();
	if (argc == 2 && strcmp(argv[1], "--replies") == 0)
		return print_replies();
	if (argc == 2 && strcmp(argv[1], "--audits") == 0)
		return print_audit_limits();
	if (argc == 2 && strcmp(argv[1], "--totals") == 0)
		return print_totals();
	if (argc == 2 && strcmp(argv[1], "--saved") == 0)
		return print_saved(NULL);
	if (argc == 4 && strcmp(argv[1], "--saved") == 0 && strcmp(argv[2], "--config") == 0)
		return print_saved(argv[3]);
	if (argc > 1)
		return verb_usage_error(&verb_fields, "takes --transaction, --query, --words, --saved, --formats, --replies, --totals or --audits alone, got '%s'",
					argv[1]);
	printf("# Stages and fields of a record (schema %d)\n\n", RECORD_SCHEMA);
	printf("Absent means not known; empty means known to be empty. Times are RFC 3339 UTC with microseconds,\n"
	       "durations microseconds (`_us`), sizes bytes, flags `yes` or `no`; a list is `a, b, \"c, d\"`.\n\n");
	printf("| stage | when |\n|---|---|\n");
	for (const struct stage_info *stage = stage_table; stage->name; stage++)
		printf("| `%s` | %s |\n", stage->name, stage->meaning);
	printf("\n| field | type | stages | meaning |\n|---|---|---|---|\n");
	for (const struct field_info *field = field_table; field->name; field++) {
		printf("| `%s` | %s | ", field->name, field_type_name(field->type));
		print_stages_of(field);
		printf(" | %s |\n", field->meaning);
	}
	return EXIT_FOUND;
}

const struct verb verb_fields = {
	.name = "fields",
	.summary = "print the table of stages and fields",
	.arguments = "[--transaction | --query | --words | --saved [--config FILE] | --formats | --replies | --totals | --audits]",
	.help = "The table is Markdown, made from the schema that both programs are built with.\n\n"
		"options:\n"
		"  --transaction    what a transaction can tell: columns of the store, members of JSON and CSV\n"
		"  --query          the fields that a query may ask for, as lines\n"
		"  --words          the words that values of such fields are, where they are a few\n"
		"  --saved          the saved queries of the configuration, and what each is; --config FILE: of that one\n"
		"  --formats        the formats of logs: where each lies, how to get it, what it tells and lacks (smtptrail-formats(5))\n"
		"  --replies        what a reply means at its stage of a dialogue\n"
		"  --totals         what smtptrail report totals counts\n"
		"  --audits         from what on an audit finds something\n\n"
		"example:\n  smtptrail fields | grep '`dsn`'\n",
	.run = run_fields,
};
