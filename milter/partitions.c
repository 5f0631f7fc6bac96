/* partitions.c - the partitions of one milter. */
#include "partitions.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

/* Partition 0 lies where the one partition of a smaller setup does, so that nothing moves. */
static char *directory_new(const char *base, unsigned number)
{
	char *directory = NULL;

	if (number == 0)
		return strdup(base);
	return asprintf(&directory, JOURNAL_PARTITION_DIRECTORY, base, number) < 0 ? NULL : directory;
}

static int find_directories(struct partition *row, const struct config *config)
{
	row->front = directory_new(config->front_directory, row->number);
	row->spool = directory_new(config->spool_directory, row->number);
	return row->front && row->spool ? 0 : -ENOMEM;
}

static void forget_directories(struct partition *row)
{
	free(row->front);
	free(row->spool);
	row->front = row->spool = NULL;
}

static bool was_used(const struct partition *row)
{
	return access(row->front, F_OK) == 0 || access(row->spool, F_OK) == 0;
}

static int open_one(struct partition *row, const char *host, struct problem *problem)
{
	const struct config *config = row->all->config;
	const struct journal_options options = {
		.front_directory = row->front,
		.spool_directory = row->spool,
		.host = host,
		.instance = config->instance,
		.partition = row->number,
		.segment_bytes = config->segment_size,
		.front_bytes = config->front_size / config->partitions,
		.spool_bytes = config->spool_size / config->partitions,
		.free_percent = (unsigned)config->spool_free_percent,
		.keep_us = config->keep_time_us,
		.keep_bytes = config->keep_size / config->partitions,
		.sync = (enum journal_sync)config->sync,
	};

	return journal_open(&row->journal, &options, problem);
}

static int open_row(struct partitions *partitions, unsigned number, const char *host, struct problem *problem)
{
	struct partition *row = &partitions->rows[partitions->count];
	bool is_active = number < partitions->active;
	int error;

	*row = (struct partition){ .all = partitions, .number = number };
	error = find_directories(row, partitions->config);
	if (error)
		problem_set(problem, "cannot open partition %u: no memory", number);
	else if (is_active || was_used(row))
		error = open_one(row, host, problem);
	if (error || !row->journal) {
		forget_directories(row);
		return error;
	}
	partitions->journals[partitions->count++] = row->journal;
	if (!is_active)
		log_info("partition %u is of an earlier configuration: no session goes there, what it holds is shipped",
			 number);
	return 0;
}

int partitions_open(struct partitions *partitions, const struct config *config, const char *host,
		    struct problem *problem)
{
	int error = 0;

	*partitions = (struct partitions){ .config = config, .active = (unsigned)config->partitions };
	for (unsigned number = 0; number < JOURNAL_PARTITIONS_MAX && !error; number++)
		error = open_row(partitions, number, host, problem);
	if (error) {
		for (unsigned i = 0; i < partitions->count; i++) {
			journal_close(partitions->rows[i].journal);
			forget_directories(&partitions->rows[i]);
		}
		partitions->count = 0;
		return error;
	}
	recorder_init(&partitions->recorder, partitions->journals, partitions->count, partitions->active);
	return 0;
}

static void on_fenced(void *context)
{
	struct partition *row = context;
	struct config *config = config_take_current();

	recorder_put_start(&row->all->recorder, (unsigned)(row - row->all->rows), clock_now_us(), config->digest);
	config_release(config);
}

static int start_one(struct partition *row)
{
	const struct config *config = row->all->config;
	const struct shipper_options options = {
		.journal = row->journal,
		.redis = redis_conf_options(&config->redis),
		.prefix = config->stream_prefix,
		.partition = row->number,
		.name = row->name,
		.trim = { .max_length = config->stream_max_length, .max_age_us = config->stream_max_age_us,
			  .hard_length = config->stream_hard_length },
		.fenced = on_fenced,
		.context = row,
	};
	int error;

	if (row->all->count > 1)
		(void)snprintf(row->name, sizeof row->name, "partition %u: ", row->number);
	error = keeper_start(&row->keeper, row->journal, config->sync_interval_us, row->name);

	return error ? error : shipper_start(&row->shipper, &options);
}

int partitions_start(struct partitions *partitions, struct problem *problem)
{
	int error = 0;

	for (unsigned i = 0; i < partitions->count && !error; i++)
		error = start_one(&partitions->rows[i]);
	if (error)
		problem_set(problem, "cannot start a thread: %s", strerror(-error));
	return error;
}

void partitions_stop(struct partitions *partitions, uint64_t drain_timeout_us)
{
	for (unsigned i = 0; i < partitions->count; i++)
		shipper_finish(partitions->rows[i].shipper, drain_timeout_us);
	for (unsigned i = 0; i < partitions->count; i++) {
		struct partition *row = &partitions->rows[i];

		shipper_stop(row->shipper, drain_timeout_us);
		row->shipper = NULL;
	}
	for (unsigned i = 0; i < partitions->count; i++) {
		struct partition *row = &partitions->rows[i];

		keeper_stop(row->keeper);
		row->keeper = NULL;
	}
}

void partitions_close(struct partitions *partitions)
{
	for (unsigned i = 0; i < partitions->count; i++) {
		journal_close(partitions->rows[i].journal);
		forget_directories(&partitions->rows[i]);
	}
	recorder_done(&partitions->recorder);
	partitions->count = 0;
}

void partitions_journal_stat(struct partitions *partitions, struct journal_stat *ret_stat)
{
	journal_stat(partitions->rows[0].journal, ret_stat);
	for (unsigned i = 1; i < partitions->count; i++) {
		struct journal_stat stat;

		journal_stat(partitions->rows[i].journal, &stat);
		ret_stat->appended += stat.appended;
		ret_stat->refused += stat.refused;
		ret_stat->damaged += stat.damaged;
		ret_stat->quarantined += stat.quarantined;
		ret_stat->mended += stat.mended;
		ret_stat->torn += stat.torn;
		ret_stat->backlog += stat.backlog;
		ret_stat->backlog_bytes += stat.backlog_bytes;
		if (stat.oldest_us && (!ret_stat->oldest_us || stat.oldest_us < ret_stat->oldest_us))
			ret_stat->oldest_us = stat.oldest_us;
		ret_stat->front_bytes += stat.front_bytes;
		ret_stat->spool_bytes += stat.spool_bytes;
		if (!ret_stat->prepare_error)
			ret_stat->prepare_error = stat.prepare_error;
		if (!ret_stat->keep_error)
			ret_stat->keep_error = stat.keep_error;
	}
}

/* The later in this list, the worse. */
static unsigned badness(const char *state)
{
	static const char *const states[] = { "shipping", "connecting", "fenced", "waiting", "operator" };
	unsigned i = 0;

	while (i < sizeof states / sizeof states[0] && strcmp(states[i], state) != 0)
		i++;
	return i;
}

void partitions_shipper_status(struct partitions *partitions, struct shipper_status *ret_status)
{
	shipper_status(partitions->rows[0].shipper, ret_status);
	for (unsigned i = 1; i < partitions->count; i++) {
		struct shipper_status status;

		shipper_status(partitions->rows[i].shipper, &status);
		if (badness(status.state) > badness(ret_status->state)) {
			ret_status->state = status.state;
			ret_status->since_us = status.since_us;
		}
		ret_status->shipped += status.shipped;
		ret_status->resyncs += status.resyncs;
		ret_status->went_back += status.went_back;
		ret_status->not_kept += status.not_kept;
		ret_status->fenced += status.fenced;
		ret_status->errors += status.errors;
		for (int j = 0; j <= REDIS_NO_SCRIPT; j++)
			ret_status->refused[j] += status.refused[j];
		ret_status->resent += status.resent;
		ret_status->trimmed += status.trimmed;
		ret_status->overtaken += status.overtaken;
		ret_status->trim_failed += status.trim_failed;
		/* Of the streams the one whose reader is the furthest behind. */
		if (status.stream.unread > ret_status->stream.unread)
			ret_status->stream = status.stream;
		if (status.last_error_us > ret_status->last_error_us) {
			ret_status->last_error = status.last_error;
			ret_status->last_error_us = status.last_error_us;
		}
	}
}

void partitions_behind(struct partitions *partitions, char *ret_text, size_t size)
{
	size_t length = 0;

	ret_text[0] = '\0';
	for (unsigned i = 0; i < partitions->count && length < size; i++) {
		struct shipper_status shipper;
		struct journal_stat journal;

		shipper_status(partitions->rows[i].shipper, &shipper);
		if (badness(shipper.state) == 0)
			continue;
		journal_stat(partitions->rows[i].journal, &journal);
		length += (size_t)snprintf(ret_text + length, size - length, "%s%u %s %" PRIu64, length ? ", " : "",
					   partitions->rows[i].number, shipper.state, journal.backlog);
	}
}
