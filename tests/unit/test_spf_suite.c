/*
 * test_spf_suite.c - the published test suite of RFC 7208, as python3-spf ships it, put to both engines.
 *
 * The builtin engine has to pass every test. libspf2's score is printed beside it; it must answer each
 * one and live. Skipped (77) where the suite is not installed. An argument names another file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <yaml.h>

#include "common/auth/spf.h"
#include "tests/unit/dns_table.h"

#define SUITE "/usr/share/doc/python3-spf/rfc7208-tests.yml.gz"
#define SUITE_TESTS 203

static struct text scalar(const yaml_node_t *node)
{
	if (!node || node->type != YAML_SCALAR_NODE)
		return TEXT_NONE;
	return (struct text){ (const char *)node->data.scalar.value, node->data.scalar.length };
}

static yaml_node_t *member(yaml_document_t *suite, const yaml_node_t *mapping, const char *name)
{
	for (yaml_node_pair_t *pair = mapping->data.mapping.pairs.start; pair < mapping->data.mapping.pairs.top; pair++)
		if (text_is(scalar(yaml_document_get_node(suite, pair->key)), name))
			return yaml_document_get_node(suite, pair->value);
	return NULL;
}

/* A string, or a list of strings joined by what stands between: as one text of the caller. */
static struct text joined(yaml_document_t *suite, const yaml_node_t *node, const char *between, char *buffer)
{
	size_t length = 0;

	if (node->type == YAML_SCALAR_NODE)
		return scalar(node);
	for (yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top; item++) {
		struct text part = scalar(yaml_document_get_node(suite, *item));

		if (length > 0)
			length += (size_t)sprintf(buffer + length, "%s", between);
		memcpy(buffer + length, part.start, part.length);
		length += part.length;
	}
	return (struct text){ buffer, length };
}

/* The records of a name. A record of type SPF stands for a TXT record, unless there are TXT records. */
static void add_name(yaml_document_t *suite, struct dns_table *table, struct text name, const yaml_node_t *records)
{
	bool has_txt = false;
	char buffer[4096];

	for (int pass = 0; pass < 2; pass++)
		for (yaml_node_item_t *item = records->data.sequence.items.start;
		     item < records->data.sequence.items.top; item++) {
			const yaml_node_t *record = yaml_document_get_node(suite, *item);

			if (record->type != YAML_MAPPING_NODE)
				continue;
			const yaml_node_pair_t *pair = record->data.mapping.pairs.start;
			struct text type = scalar(yaml_document_get_node(suite, pair->key));
			struct text data = joined(suite, yaml_document_get_node(suite, pair->value),
						  text_is(type, "MX") ? " " : "", buffer);
			bool is_spf = text_is(type, "SPF"), is_txt = text_is(type, "TXT");

			if (pass == 0)
				has_txt = has_txt || is_txt;
			else if ((is_spf && has_txt) || (is_txt && text_is(data, "NONE")))
				dns_table_add_record(table, name, TEXT_LITERAL("ANY"), TEXT_LITERAL(""));
			else
				dns_table_add_record(table, name, is_spf ? TEXT_LITERAL("TXT") : type, data);
		}
	for (yaml_node_item_t *item = records->data.sequence.items.start; item < records->data.sequence.items.top; item++)
		if (text_is(scalar(yaml_document_get_node(suite, *item)), "TIMEOUT"))
			dns_table_add_record(table, name, TEXT_LITERAL("TEMP"), TEXT_LITERAL(""));
}

static struct dns_table *read_zone(yaml_document_t *suite, const yaml_node_t *zone)
{
	struct dns_table *table = dns_table_new(NULL);

	for (yaml_node_pair_t *pair = zone->data.mapping.pairs.start; pair < zone->data.mapping.pairs.top; pair++)
		add_name(suite, table, scalar(yaml_document_get_node(suite, pair->key)),
			 yaml_document_get_node(suite, pair->value));
	return table;
}

static bool is_wanted(yaml_document_t *suite, const yaml_node_t *wanted, const char *result)
{
	if (wanted->type == YAML_SCALAR_NODE)
		return text_is(scalar(wanted), result);
	for (yaml_node_item_t *item = wanted->data.sequence.items.start; item < wanted->data.sequence.items.top; item++)
		if (text_is(scalar(yaml_document_get_node(suite, *item)), result))
			return true;
	return false;
}

typedef void check_engine(const struct spf_request *request, struct spf_outcome *ret_outcome);

static bool run_test(yaml_document_t *suite, struct dns_table *table, struct text name, const yaml_node_t *test,
		     check_engine *check, bool is_strict)
{
	char host[64];
	struct dns_job job;
	struct spf_outcome outcome;
	struct spf_request request = {
		.dns = dns_table_source(table), .job = &job, .identity = SPF_MAILFROM,
		.mail_from = scalar(member(suite, test, "mailfrom")), .helo = scalar(member(suite, test, "helo")),
	};
	const yaml_node_t *wanted = member(suite, test, "result");
	struct text explanation = scalar(member(suite, test, "explanation"));

	(void)snprintf(host, sizeof host, "%.*s", TEXT_ARGS(scalar(member(suite, test, "host"))));
	dns_job_init(&job, DNS_JOB_TIME_US, DNS_JOB_QUESTIONS);
	if (spf_address_parse(host, &request.client))
		return false;
	check(&request, &outcome);

	const char *said = outcome.has_explanation ? outcome.explanation : "DEFAULT";
	bool is_good = is_wanted(suite, wanted, spf_result_name(outcome.result));

	if (is_strict && explanation.start)
		is_good = is_good && text_is(explanation, said);
	if (!is_good && is_strict)
		fprintf(stderr, "%.*s: got %s (%s) \"%s\", wanted %.*s \"%.*s\"\n", TEXT_ARGS(name),
			spf_result_name(outcome.result), outcome.error, said, TEXT_ARGS(scalar(wanted)),
			TEXT_ARGS(explanation));
	return is_good;
}

struct score {
	int tests, builtin, libspf2;
};

static void run_scenario(yaml_document_t *suite, struct score *score)
{
	const yaml_node_t *root = yaml_document_get_root_node(suite);
	const yaml_node_t *tests = member(suite, root, "tests");
	struct dns_table *table = read_zone(suite, member(suite, root, "zonedata"));

	for (yaml_node_pair_t *pair = tests->data.mapping.pairs.start; pair < tests->data.mapping.pairs.top; pair++) {
		struct text name = scalar(yaml_document_get_node(suite, pair->key));
		const yaml_node_t *test = yaml_document_get_node(suite, pair->value);

		score->tests++;
		score->builtin += run_test(suite, table, name, test, spf_check, true);
		score->libspf2 += run_test(suite, table, name, test, spf_check_libspf2, false);
	}
	dns_table_free(table);
}

static int run_suite(FILE *file)
{
	struct score score = { 0 };
	yaml_parser_t parser;
	yaml_document_t suite;
	bool more = true;

	yaml_parser_initialize(&parser);
	yaml_parser_set_input_file(&parser, file);
	while (more && yaml_parser_load(&parser, &suite)) {
		more = yaml_document_get_root_node(&suite) != NULL;
		if (more)
			run_scenario(&suite, &score);
		yaml_document_delete(&suite);
	}
	yaml_parser_delete(&parser);
	printf("builtin %d of %d, libspf2 behind its guards %d of %d\n", score.builtin, score.tests, score.libspf2,
	       score.tests);
	return score.tests == SUITE_TESTS && score.builtin == score.tests ? 0 : 1;
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : SUITE;
	char command[600];

	if (access(path, R_OK) != 0) {
		printf("skipped: the suite is not installed (%s; apt-get install python3-spf)\n", path);
		return 77;
	}
	(void)snprintf(command, sizeof command, "gzip -dc < '%s'", path);
	FILE *file = popen(command, "r");

	if (!file)
		return 1;
	int status = run_suite(file);

	return pclose(file) == 0 ? status : 1;
}
