/* verb_journal.c - smtptrail journal: what lies in the segments of a front or a spool. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/verb.h"
#include "common/escape.h"
#include "common/journal.h"
#include "common/record.h"

extern const struct verb verb_journal;

struct request {
	bool (*run)(struct request *request, const char *directory);	/* false: cannot be read */
	void (*finish)(struct request *request); /* after all directories; may be NULL */
	bool is_json;
	bool has_many;			/* directories: files are shown with theirs */
	bool has_damage;
	struct journal_scan_total total;
	/* for stat */
	uint64_t unreadable;		/* entries that are no record */
	uint64_t first_us, last_us;
	uint64_t stages[32];
};

/* One line of JSON. */

/* jansson leaves DEL as it is, a terminal might not; it can only stand inside a string. */
static int put_bytes(const char *bytes, size_t length, void *context)
{
	(void)context;
	for (size_t i = 0; i < length; i++)
		if (bytes[i] == 0x7f)
			(void)fputs("\\u007f", stdout);
		else
			(void)fputc(bytes[i], stdout);
	return 0;
}

static void put_object(json_t *object)
{
	(void)json_dump_callback(object, put_bytes, NULL, JSON_COMPACT | JSON_ENSURE_ASCII);
	(void)fputc('\n', stdout);
	json_decref(object);
}

static json_t *text_value(struct text text)
{
	size_t length = 0;
	json_t *value = json_stringn(text.start ? text.start : "", text.length);

	/* Not UTF-8. */
	if (!value) {
		char *escaped = escape_utf8_new(text, &length);

		value = escaped ? json_stringn(escaped, length) : NULL;
		free(escaped);
	}
	return value;
}

static json_t *number_value(uint64_t number)
{
	char digits[32];

	if (number <= INT64_MAX)
		return json_integer((json_int_t)number);
	(void)snprintf(digits, sizeof digits, "%" PRIu64, number);
	return json_string(digits);
}

static void add_number(json_t *object, const char *name, uint64_t number)
{
	(void)json_object_set_new(object, name, number_value(number));
}

static void add_string(json_t *object, const char *name, const char *string)
{
	(void)json_object_set_new(object, name, text_value(text_of(string)));
}

static void add_total(json_t *object, const struct journal_scan_total *total)
{
	add_number(object, "entries", total->entries);
	add_number(object, "bytes", total->bytes);
	add_number(object, "first_seq", total->first_seq);
	add_number(object, "last_seq", total->last_seq);
	add_number(object, "missing", total->missing);
	add_number(object, "damaged_files", total->damaged_files);
	add_number(object, "torn_tails", total->torn_tails);
}

static void sum_total(struct journal_scan_total *sum, const struct journal_scan_total *total)
{
	if (total->entries && (sum->entries == 0 || total->first_seq < sum->first_seq))
		sum->first_seq = total->first_seq;
	if (total->last_seq > sum->last_seq)
		sum->last_seq = total->last_seq;
	sum->files += total->files;
	sum->damaged_files += total->damaged_files;
	sum->entries += total->entries;
	sum->missing += total->missing;
	sum->bytes += total->bytes;
	sum->torn_tails += total->torn_tails;
}

/* dump */

static void print_file(const struct request *request, const char *directory, const char *file)
{
	if (request->has_many) {
		escape_terminal(text_of(directory), stdout);
		(void)fputc('/', stdout);
	}
	escape_terminal(text_of(file), stdout);
}

static void dump_text(const struct request *request, const char *directory,
		      const struct journal_scan_entry *entry)
{
	struct record_view view;
	struct record_value value;
	char time[TIME_TEXT_SIZE], scratch[RECORD_VALUE_TEXT_MAX];

	print_file(request, directory, entry->file);
	printf(" %" PRIu64 " %" PRIu64 " ", entry->offset, entry->seq);
	if (record_view_open(&view, entry->payload) != 0) {
		printf("- - bytes=");
		escape_quoted(entry->payload, stdout);
		(void)fputc('\n', stdout);
		return;
	}
	time_format(view.time_us, time);
	if (stage_name(view.stage))
		printf("%s %s", time, stage_name(view.stage));
	else
		printf("%s stage-%u", time, (unsigned)view.stage);
	while (record_view_next(&view, &value)) {
		if (value.info)
			printf(" %s=", value.info->name);
		else
			printf(" field-%u=", value.number);
		if (value.info && value.info->type != FIELD_TYPE_TEXT && value.info->type != FIELD_TYPE_LIST)
			printf("%.*s", TEXT_ARGS(record_value_text(&value, scratch)));
		else
			escape_quoted(value.text, stdout);
	}
	(void)fputc('\n', stdout);
}

static json_t *field_value(const struct record_value *value)
{
	char scratch[RECORD_VALUE_TEXT_MAX];

	if (value->info && value->info->type == FIELD_TYPE_NUMBER)
		return number_value(value->integer);
	if (value->info && value->info->type == FIELD_TYPE_FLAG)
		return json_boolean(value->integer != 0);
	return text_value(record_value_text(value, scratch));
}

static void add_fields(json_t *object, struct record_view *view)
{
	struct record_value value;
	char name[32], time[TIME_TEXT_SIZE];

	time_format(view->time_us, time);
	add_string(object, "time", time);
	(void)snprintf(name, sizeof name, "stage-%u", (unsigned)view->stage);
	add_string(object, "stage", stage_name(view->stage) ? stage_name(view->stage) : name);
	while (record_view_next(view, &value)) {
		(void)snprintf(name, sizeof name, "field-%u", value.number);
		(void)json_object_set_new(object, value.info ? value.info->name : name, field_value(&value));
	}
}

static void dump_json(const char *directory, const struct journal_scan_entry *entry)
{
	struct record_view view;
	json_t *object = json_object();

	add_string(object, "directory", directory);
	add_string(object, "file", entry->file);
	add_number(object, "offset", entry->offset);
	add_number(object, "seq", entry->seq);
	add_string(object, "producer", entry->origin->producer);
	add_string(object, "host", entry->origin->host);
	add_string(object, "instance", entry->origin->instance);
	add_number(object, "partition", entry->origin->partition);
	if (record_view_open(&view, entry->payload) == 0)
		add_fields(object, &view);
	else
		(void)json_object_set_new(object, "bytes", text_value(entry->payload));
	put_object(object);
}

/* Opens a directory, or says why not. */
static struct journal_scan *open_scan(const char *directory)
{
	struct journal_scan *scan = NULL;
	struct problem problem;

	if (journal_scan_open(&scan, directory, &problem) != 0)
		fprintf(stderr, "smtptrail journal: %s\n", problem.text);
	return scan;
}

static void close_scan(struct request *request, struct journal_scan *scan)
{
	struct journal_scan_total total;

	journal_scan_total(scan, &total);
	sum_total(&request->total, &total);
	if (total.missing || total.damaged_files)
		request->has_damage = true;
	journal_scan_close(scan);
}

static bool run_dump(struct request *request, const char *directory)
{
	struct journal_scan *scan = open_scan(directory);
	struct journal_scan_entry entry;

	if (!scan)
		return false;
	while (journal_scan_next(scan, &entry) == 1)
		if (request->is_json)
			dump_json(directory, &entry);
		else
			dump_text(request, directory, &entry);
	close_scan(request, scan);
	return true;
}

static void finish_dump(struct request *request)
{
	if (request->has_damage)
		fprintf(stderr,
			"smtptrail journal: %" PRIu64 " entries are missing, %" PRIu64 " files are damaged; "
			"smtptrail journal verify says where\n",
			request->total.missing, request->total.damaged_files);
}

/* verify */

static void print_verified(const struct journal_scan_total *total, const char *verdict)
{
	printf("  %8" PRIu64 " entries  seq %" PRIu64 " to %" PRIu64 "  %" PRIu64 " missing  %" PRIu64
	       " torn  %s\n",
	       total->entries, total->first_seq, total->last_seq, total->missing, total->torn_tails, verdict);
}

static const char *verdict_of(const struct journal_scan_total *total)
{
	return total->damaged_files ? "damaged" : total->missing ? "entries missing" : "whole";
}

static void verify_file(const struct request *request, const char *directory,
			const struct journal_scan_file *file)
{
	if (request->is_json) {
		json_t *object = json_object();

		add_string(object, "directory", directory);
		add_string(object, "file", file->name);
		add_string(object, "state", verdict_of(&file->total));
		add_total(object, &file->total);
		put_object(object);
		return;
	}
	print_file(request, directory, file->name);
	print_verified(&file->total, verdict_of(&file->total));
}

static bool run_verify(struct request *request, const char *directory)
{
	struct journal_scan *scan = open_scan(directory);
	struct journal_scan_entry entry;
	const struct journal_scan_file *file;

	if (!scan)
		return false;
	while (journal_scan_next(scan, &entry) == 1)
		;
	for (size_t i = 0; (file = journal_scan_file(scan, i)); i++)
		if (file->total.files)
			verify_file(request, directory, file);
	close_scan(request, scan);
	return true;
}

static void finish_verify(struct request *request)
{
	if (request->is_json) {
		json_t *object = json_object();

		add_string(object, "state", verdict_of(&request->total));
		add_number(object, "files", request->total.files);
		add_total(object, &request->total);
		put_object(object);
		return;
	}
	printf("%" PRIu64 " files", request->total.files);
	print_verified(&request->total, verdict_of(&request->total));
}

/* stat */

static void count_entry(struct request *request, const struct journal_scan_entry *entry)
{
	struct record_view view;

	if (record_view_open(&view, entry->payload) != 0 || (unsigned)view.stage >= 32) {
		request->unreadable++;
		return;
	}
	request->stages[view.stage]++;
	if (request->first_us == 0 || view.time_us < request->first_us)
		request->first_us = view.time_us;
	if (view.time_us > request->last_us)
		request->last_us = view.time_us;
}

static bool run_stat(struct request *request, const char *directory)
{
	struct journal_scan *scan = open_scan(directory);
	struct journal_scan_entry entry;

	if (!scan)
		return false;
	while (journal_scan_next(scan, &entry) == 1)
		count_entry(request, &entry);
	close_scan(request, scan);
	return true;
}

static void print_stat_json(const struct request *request, const char *first, const char *last)
{
	json_t *object = json_object(), *stages = json_object();

	add_number(object, "files", request->total.files);
	add_total(object, &request->total);
	if (request->last_us) {
		add_string(object, "first_time", first);
		add_string(object, "last_time", last);
	}
	for (unsigned i = 0; i < 32; i++) {
		char name[32];

		(void)snprintf(name, sizeof name, "stage-%u", i);
		if (request->stages[i])
			add_number(stages, stage_info(i) ? stage_info(i)->name : name, request->stages[i]);
	}
	(void)json_object_set_new(object, "stages", stages);
	add_number(object, "no_record", request->unreadable);
	put_object(object);
}

static void finish_stat(struct request *request)
{
	const struct journal_scan_total *total = &request->total;
	char first[TIME_TEXT_SIZE], last[TIME_TEXT_SIZE];

	time_format(request->first_us, first);
	time_format(request->last_us, last);
	if (request->is_json) {
		print_stat_json(request, first, last);
		return;
	}
	printf("files          %" PRIu64 " (%" PRIu64 " damaged)\n", total->files, total->damaged_files);
	printf("entries        %" PRIu64 "\nbytes          %" PRIu64 "\n", total->entries, total->bytes);
	printf("missing        %" PRIu64 "\ntorn tails     %" PRIu64 "\n", total->missing, total->torn_tails);
	if (total->entries)
		printf("seq            %" PRIu64 " to %" PRIu64 "\n", total->first_seq, total->last_seq);
	if (request->last_us)
		printf("time           %s to %s\n", first, last);
	for (unsigned i = 0; i < 32; i++)
		if (request->stages[i] && stage_info(i))
			printf("  %-12s %" PRIu64 "\n", stage_info(i)->name, request->stages[i]);
		else if (request->stages[i])
			printf("  stage-%-6u %" PRIu64 "\n", i, request->stages[i]);
	if (request->unreadable)
		printf("  no record    %" PRIu64 "\n", request->unreadable);
}

static const struct {
	const char *name;
	bool (*run)(struct request *, const char *);
	void (*finish)(struct request *);
} actions[] = {
	{ "dump", run_dump, finish_dump },
	{ "verify", run_verify, finish_verify },
	{ "stat", run_stat, finish_stat },
};

static bool take_action(struct request *request, const char *name)
{
	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
		if (strcmp(name, actions[i].name) == 0) {
			request->run = actions[i].run;
			request->finish = actions[i].finish;
			return true;
		}
	return false;
}

/* The directory of a further partition; the caller's. NULL: there is none. */
static char *further_directory(const char *directory, unsigned partition)
{
	char *further;

	if (asprintf(&further, JOURNAL_PARTITION_DIRECTORY, directory, partition) < 0)
		return NULL;
	if (access(further, F_OK) == 0)
		return further;
	free(further);
	return NULL;
}

static bool has_further(const char *directory)
{
	bool has = false;

	for (unsigned i = 1; i < JOURNAL_PARTITIONS_MAX && !has; i++) {
		char *further = further_directory(directory, i);

		has = further != NULL;
		free(further);
	}
	return has;
}

static bool run_partitions(struct request *request, const char *directory)
{
	bool is_readable = request->run(request, directory);

	for (unsigned i = 1; i < JOURNAL_PARTITIONS_MAX; i++) {
		char *further = further_directory(directory, i);

		if (further)
			is_readable = request->run(request, further) && is_readable;
		free(further);
	}
	return is_readable;
}

static int run_journal(int argc, char **argv)
{
	struct request request = { 0 };
	bool has_ended = false, is_readable = true;
	int directories = 0;

	/* Directories move to the front of argv. */
	for (int i = 1; i < argc; i++) {
		if (!has_ended && strcmp(argv[i], "--") == 0)
			has_ended = true;
		else if (!has_ended && strcmp(argv[i], "--json") == 0)
			request.is_json = true;
		else if (!has_ended && argv[i][0] == '-')
			return verb_usage_error(&verb_journal, "no option '%s'", argv[i]);
		else if (request.run)
			argv[directories++] = argv[i];
		else if (!take_action(&request, argv[i]))
			return verb_usage_error(&verb_journal, "no action '%s': dump, verify or stat",
						argv[i]);
	}
	if (!request.run || directories == 0)
		return verb_usage_error(&verb_journal, "wants an action and a directory");
	request.has_many = directories > 1;
	for (int i = 0; i < directories; i++)
		request.has_many |= has_further(argv[i]);
	for (int i = 0; i < directories; i++)
		is_readable = run_partitions(&request, argv[i]) && is_readable;
	if (!is_readable)
		return EXIT_USAGE;
	request.finish(&request);
	return request.has_damage ? EXIT_NOTHING : EXIT_FOUND;
}

const struct verb verb_journal = {
	.name = "journal",
	.summary = "read the segments of a journal, front or spool, also damaged ones",
	.arguments = "dump|verify|stat [--json] DIRECTORY...",
	.help = "  dump     one line a record: file, offset, seq, time, stage, fields\n"
		"  verify   what each file holds, and what is missing or damaged\n"
		"  stat     entries, bytes and times, and how many of each stage\n"
		"  --json   one object a line\n\n"
		"Further partitions lie below a directory, in partition-N: they are read too. The milter may\n"
		"run meanwhile. A torn tail is an entry that was never finished: nothing confirmed is lost by\n"
		"it. Exit status: 0 all is whole, 1 damage was found, 2 a directory cannot be read.\n\n"
		"examples:\n"
		"  smtptrail journal verify /var/lib/smtptrail\n"
		"  smtptrail journal dump /run/smtptrail/front | grep ' rcpt '\n",
	.run = run_journal,
};
