/*
 * ingest_steps.c - lines and records into a store, one after the other in an order that is given.
 *
 *   ingest_steps [--hosts NAME=HOST,...] [--skew SECONDS] [--numbered] STORE FILE... < STEPS
 *
 * Steps are words: the number of a file (from 0), whose next line or record is taken; "commit"; "restart", which commits
 * and goes on as another process; "kill", which forgets what came since the last commit, and reads it again as another
 * process. Files of records are called *.records. The end commits. --numbered: what is missing by the numbers of the records
 * is told, and what comes twice is dropped, as of a stream; files of one partition go on where the one before ended.
 */
#include <getopt.h>
#include <stdlib.h>

#include "analysis/input_json.h"
#include "analysis/log_reader.h"
#include "analysis/sequence.h"
#include "analysis/stamp.h"
#include "analysis/store_join.h"
#include "tests/driver/host_pairs.h"

enum { FILES_MAX = 16 };

struct input {
	const char *path;
	struct log_reader *lines;	/* NULL: it is of records */
	struct input_json *records;
	uint16_t source;
	unsigned taken, kept;		/* so far; at the last commit */
};

struct process {
	struct source_table *sources;
	struct store *store;
	struct correlate *correlate;
	struct sequence *sequence;	/* NULL: records are not numbered */
	bool is_numbered;
	struct input inputs[FILES_MAX];
	int input_count;
	const char *directory;
	struct hosts hosts;
	const char *skew_seconds;	/* NULL: as usual */
};

static _Noreturn void fail(const char *what, const struct problem *problem)
{
	fprintf(stderr, "ingest_steps: %s: %s\n", what, problem->text);
	exit(2);
}

static bool is_new(struct process *process, const struct input_record *record, bool is_given)
{
	struct sequence_finding finding;
	struct sequence_joint joint = { 0, 0 };
	uint64_t seq;

	if (!process->sequence || !input_record_number(record, FIELD_SEQ, &seq))
		return true;
	if (input_record_is(record, STAGE_START)) {
		(void)input_record_number(record, FIELD_PREVIOUS_EPOCH, &joint.previous_epoch);
		(void)input_record_number(record, FIELD_PREVIOUS_SEQ, &joint.previous_seq);
	}
	sequence_note(process->sequence, input_record_text(record, FIELD_PRODUCER), record->partition, seq, joint, &finding);
	for (unsigned i = 0; i < finding.missing_count && is_given; i++)
		correlate_missing(process->correlate, record, finding.missing[i].from, finding.missing[i].to);
	return finding.is_new;
}

static bool next(struct process *process, struct input *input, bool is_given)
{
	struct event event;
	enum format_result result;
	struct input_record record;

	if (input->lines) {
		if (log_reader_next(input->lines, &event, &result) <= 0)
			return false;
		if (is_given)
			correlate_event(process->correlate, &event, input->source);
	} else {
		if (input_json_next(input->records, &record) <= 0)
			return false;
		if (is_new(process, &record, is_given) && is_given)
			correlate_record(process->correlate, &record, input->source);
	}
	return true;
}

/* Behind what was taken. */
static void open_input(struct process *process, struct input *input)
{
	static const struct log_options options = { .year = 2026 };
	size_t length = strlen(input->path);
	bool is_records = length > 8 && strcmp(input->path + length - 8, ".records") == 0;
	struct problem problem = { "" };
	int error = is_records ? input_json_open(&input->records, input->path, &problem) : log_reader_new(&input->lines, &options);

	if (!error && !is_records)
		error = log_reader_open(input->lines, input->path, &problem);
	if (error)
		fail(input->path, &problem);
	input->source = source_number(process->sources, is_records ? SOURCE_STREAM : SOURCE_FILE, text_of(input->path));
	for (unsigned i = 0; i < input->taken; i++)
		(void)next(process, input, false);
}

static void start(struct process *process)
{
	struct store_options store = { .directory = process->directory };
	struct correlate_options options;
	struct correlate_sink sink;
	struct problem problem = { "" };

	correlate_defaults(&options);
	options.hosts = &process->hosts;
	if (process->skew_seconds)
		options.skew_us = strtoull(process->skew_seconds, NULL, 10) * 1000000;
	options.expects_records = true;
	process->sources = store.sources = source_table_new();
	if (!process->sources || store_open(&process->store, &store, &problem) != 0)
		fail("cannot open", &problem);
	store_ended_sink(process->store, &sink);
	if (correlate_new(&process->correlate, &options, &sink) != 0 ||
	    store_join_restore(process->store, process->correlate, &problem) != 0)
		fail("cannot restore", &problem);
	process->sequence = process->is_numbered ? sequence_new() : NULL;
	for (int i = 0; i < process->input_count; i++)
		open_input(process, &process->inputs[i]);
}

static void stop(struct process *process)
{
	for (int i = 0; i < process->input_count; i++) {
		log_reader_free(process->inputs[i].lines);
		input_json_close(process->inputs[i].records);
		process->inputs[i].lines = NULL;
		process->inputs[i].records = NULL;
	}
	sequence_free(process->sequence);
	correlate_free(process->correlate);
	store_close(process->store);
	source_table_free(process->sources);
}

static void commit(struct process *process)
{
	struct problem problem = { "" };

	if (store_join_commit(process->store, process->correlate, &problem) != 0)
		fail("cannot commit", &problem);
	for (int i = 0; i < process->input_count; i++)
		process->inputs[i].kept = process->inputs[i].taken;
}

static void play(struct process *process, char **steps, size_t count)
{
	size_t kept = 0, killed = 0;

	for (size_t i = 0; i < count; i++) {
		if (strcmp(steps[i], "commit") == 0) {
			commit(process);
			kept = i + 1;
		} else if (strcmp(steps[i], "restart") == 0) {
			commit(process);
			kept = i + 1;
			stop(process);
			start(process);
		} else if (strcmp(steps[i], "kill") == 0) {
			if (killed > i)
				continue;
			killed = i + 1;
			stop(process);
			for (int each = 0; each < process->input_count; each++)
				process->inputs[each].taken = process->inputs[each].kept;
			start(process);
			i = kept - 1;
		} else {
			struct input *input = &process->inputs[strtoul(steps[i], NULL, 10) % FILES_MAX];

			input->taken += next(process, input, true);
		}
	}
	commit(process);
}

static char **read_steps(size_t *ret_count)
{
	char **steps = NULL, word[16];

	*ret_count = 0;
	while (scanf("%15s", word) == 1) {
		steps = reallocarray(steps, *ret_count + 1, sizeof *steps);
		if (!steps || !(steps[(*ret_count)++] = strdup(word)))
			abort();
	}
	return steps;
}

int main(int argc, char **argv)
{
	static const struct option words[] = {
		{ "hosts", required_argument, NULL, 'h' }, { "skew", required_argument, NULL, 's' },
		{ "numbered", no_argument, NULL, 'n' }, { NULL, 0, NULL, 0 },
	};
	struct conf_list pairs = { 0, NULL };
	struct process process = { .hosts = { &pairs } };
	struct problem problem = { "" };
	size_t step_count;
	char **steps;
	int option;

	stamp_set_zone("UTC");
	while ((option = getopt_long(argc, argv, "", words, NULL)) != -1) {
		if (option == 'h')
			host_pairs_add(&pairs, optarg);
		else if (option == 's')
			process.skew_seconds = optarg;
		else if (option == 'n')
			process.is_numbered = true;
		else
			return 2;
	}
	if (argc - optind < 2 || argc - optind - 1 > FILES_MAX || format_prepare() != 0)
		return 2;
	process.directory = argv[optind++];
	while (optind < argc)
		process.inputs[process.input_count++].path = argv[optind++];
	steps = read_steps(&step_count);
	start(&process);
	play(&process, steps, step_count);
	if (store_finish(process.store, &problem) != 0)
		fail("cannot finish", &problem);
	stop(&process);
	while (step_count)
		free(steps[--step_count]);
	free(steps);
	free(pairs.items);
	return 0;
}
