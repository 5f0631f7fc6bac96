/*
 * transactions.c - prints the transactions that the join makes of files: every fact with its evidence.
 *
 *   transactions [--hosts NAME=HOST,...] [--skew SECONDS] [--memory BYTES] [--counts] FILE...
 *
 * A session, its messages behind it; facts of one line or record stand behind it, in one line. "run" gives keys and
 * files names that stay.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>

#include "analysis/correlate_files.h"
#include "common/escape.h"
#include "common/record.h"
#include "tests/driver/host_pairs.h"

static struct source_table *sources;

static void print_time(const char *name, uint64_t time_us)
{
	char text[TIME_TEXT_SIZE];

	if (!time_us)
		return;
	time_format(time_us, text);
	printf(" %s=%s", name, text);
}

static bool is_same_evidence(const struct evidence *a, const struct evidence *b)
{
	return a->source == b->source && a->major == b->major && a->minor == b->minor && a->key == b->key;
}

static void print_value(const struct fact_value *value)
{
	char time[TIME_TEXT_SIZE];

	printf(" %s=", fact_table[value->fact].name);
	if (fact_is_text(value->fact)) {
		escape_quoted(value->text, stdout);
	} else if (fact_table[value->fact].type == FACT_TIME) {
		time_format(value->number, time);
		fputs(time, stdout);
	} else {
		printf("%" PRIu64, value->number);
	}
	if (value->is_cut)
		fputs("...", stdout);
}

static void print_facts(const char *indent, const struct facts *facts)
{
	struct facts_walk walk;
	struct fact_value value;
	struct evidence last = { .source = UINT16_MAX, .major = UINT64_MAX };

	facts_walk_start(&walk, facts);
	while (facts_walk_next(&walk, &value)) {
		if (!is_same_evidence(&last, &value.evidence)) {
			last = value.evidence;
			printf("\n%s", indent);
			source_print(sources, &last, stdout);
			printf(" %s:", join_key_name((enum join_key)last.key));
		}
		print_value(&value);
	}
	putchar('\n');
}

static void print_recipient(const struct recipient *recipient)
{
	printf("    recipient %" PRIu32 " %s attempts=%" PRIu32, recipient->number, fate_name((enum fate)recipient->fate),
	       recipient->attempts);
	print_time("first", recipient->first_us);
	print_time("last", recipient->last_us);
	if (recipient->is_hop)
		printf(" hop");
	if (recipient->next_key)
		printf(" next=key-%016" PRIx64, recipient->next_key);
	print_facts("      ", &recipient->facts);
	for (const struct attempt *attempt = recipient->tries; attempt; attempt = attempt->next) {
		printf("      attempt");
		print_time("at", attempt->time_us);
		print_facts("        ", &attempt->facts);
	}
}

static void show_message(void *context, const struct message *message)
{
	(void)context;
	printf("message key-%016" PRIx64, message->key);
	if (message->session_key)
		printf(" session=key-%016" PRIx64, message->session_key);
	if (message->parent_key)
		printf(" %s=key-%016" PRIx64, parent_kind_name((enum parent_kind)message->parent_kind), message->parent_key);
	printf(message->is_complete ? " complete" : " open");
	print_time("start", message->start_us);
	print_time("last", message->last_us);
	print_facts("    ", &message->facts);
	for (const struct recipient *recipient = message->recipients; recipient; recipient = recipient->next)
		print_recipient(recipient);
	for (const struct check *check = message->checks; check; check = check->next) {
		printf("    check");
		print_time("at", check->time_us);
		print_facts("      ", &check->facts);
	}
}

static void show_session(void *context, const struct session *session)
{
	(void)context;
	printf("session key-%016" PRIx64, session->key);
	print_time("start", session->start_us);
	print_time("end", session->end_us);
	print_facts("    ", &session->facts);
}

static void show_login(void *context, const struct login *login)
{
	(void)context;
	printf("login");
	if (login->session_key)
		printf(" session=key-%016" PRIx64, login->session_key);
	print_time("at", login->time_us);
	print_time("end", login->end_us);
	print_facts("    ", &login->facts);
}

static void print_counts(const struct correlate_counts *counts)
{
#define TOTAL(id, name, meaning) \
	if (counts->id) \
		printf("total %s=%" PRIu64 "\n", name, counts->id);
#include "analysis/totals.def"
#undef TOTAL
	for (int key = 0; key < JOIN_COUNT; key++)
		if (counts->joined[key])
			printf("joined %s=%" PRIu64 "\n", join_key_name((enum join_key)key), counts->joined[key]);
	if (counts->evicted)
		printf("evicted=%" PRIu64 "\n", counts->evicted);
}

int main(int argc, char **argv)
{
	static const struct option words[] = {
		{ "hosts", required_argument, NULL, 'h' }, { "skew", required_argument, NULL, 's' },
		{ "memory", required_argument, NULL, 'm' },
		{ "counts", no_argument, NULL, 'c' }, { NULL, 0, NULL, 0 },
	};
	const struct correlate_sink sink = { .message = show_message, .session = show_session, .login = show_login };
	struct correlate_files files = { .verb = "transactions", .log = { .year = 2026 } };
	struct correlate_options options;
	struct correlate_counts counts;
	struct conf_list pairs = { 0, NULL };
	struct hosts hosts = { &pairs };
	bool shows_counts = false;
	int option;

	correlate_defaults(&options);
	options.keeps_attempts = true;
	options.hosts = &hosts;
	stamp_set_zone("UTC");
	while ((option = getopt_long(argc, argv, "", words, NULL)) != -1) {
		if (option == 'h')
			host_pairs_add(&pairs, optarg);
		else if (option == 's')
			options.skew_us = strtoull(optarg, NULL, 10) * 1000000;
		else if (option == 'm')
			options.memory_bytes = strtoull(optarg, NULL, 10);
		else if (option == 'c')
			shows_counts = true;
		else
			return 2;
	}
	sources = files.sources = source_table_new();
	if (format_prepare() != 0 || correlate_new(&files.correlate, &options, &sink) != 0 ||
	    correlate_files_read(&files, argv + optind, (size_t)(argc - optind)) != 0)
		return 2;
	correlate_finish(files.correlate);
	correlate_counts(files.correlate, &counts);
	if (shows_counts)
		print_counts(&counts);
	correlate_free(files.correlate);
	source_table_free(sources);
	free(pairs.items);
	return files.unreadable ? 2 : 0;
}
