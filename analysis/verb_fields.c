/* verb_fields.c - smtptrail fields: the table of stages and fields, as Markdown. */
#include <stdio.h>
#include <string.h>

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

static int run_fields(int argc, char **argv)
{
	extern const struct verb verb_fields;

	if (argc > 1)
		return verb_usage_error(&verb_fields, "takes no argument, got '%s'", argv[1]);
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
	.arguments = "",
	.help = "The table is Markdown, made from the schema that both programs are built with.\n\n"
		"example:\n  smtptrail fields | grep '`dsn`'\n",
	.run = run_fields,
};
