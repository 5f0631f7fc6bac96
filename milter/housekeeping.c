/* housekeeping.c - the status file, gap records, killed sessions, and the reload. */
#include "housekeeping.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "common/behind.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/status.h"
#include "killed.h"
#include "losses.h"
#include "socket.h"

/* A gap is written as soon as there is room again: looked for so often. */
#define GAP_INTERVAL_US UINT64_C(500000)

struct housekeeping {
	struct housekeeping_parts parts;
	pthread_t thread;
	int signal_fd, stop_fd;
	struct losses losses;		/* as far as they are said */
};

static void close_killed(struct partitions *partitions, unsigned place)
{
	const struct partition *row = &partitions->rows[place];
	struct killed_total total;
	struct problem problem;

	if (killed_close(row->front, row->spool, journal_first_segment(row->journal), &partitions->recorder, place,
			 clock_now_us(), &total, &problem)) {
		log_warning("cannot look for sessions that the last run left open: %s; they stay without a close", problem.text);
		return;
	}
	if (total.closed)
		log_info("%llu sessions of an earlier run had no end: closed as killed", (unsigned long long)total.closed);
	if (total.left_out)
		log_warning("the journal holds more sessions than can be looked through: some may stay without a close");
}

#define SET_TEXT(status, member, text) \
	((void)snprintf((status)->member, sizeof (status)->member, "%s", (text)))

static void fill_journal(const struct housekeeping_parts *parts, struct status *status)
{
	struct journal_origin origin = journal_origin(parts->partitions->rows[0].journal);
	struct journal_stat journal;

	partitions_journal_stat(parts->partitions, &journal);
	SET_TEXT(status, producer, origin.producer);
	status->epoch = origin.epoch;
	status->records_made = journal.appended;
	status->records_dropped = journal.refused + recorder_lost_total(&parts->partitions->recorder);
	status->records_damaged = journal.damaged;
	status->torn_tails = journal.torn;
	status->files_quarantined = journal.quarantined;
	status->files_mended = journal.mended;
	status->backlog_records = journal.backlog;
	status->backlog_bytes = journal.backlog_bytes;
	status->backlog_oldest = journal.oldest_us;
	status->front_bytes = journal.front_bytes;
	status->spool_bytes = journal.spool_bytes;
	status->last_seq = journal.last_seq;
	status->shipped_seq = journal.shipped_seq;
	status->synced_seq = journal.synced_seq;
	if (journal.keep_error)
		(void)snprintf(status->journal_error, sizeof status->journal_error, "the spool cannot be written: %s",
			       strerror(abs(journal.keep_error)));
	else if (journal.prepare_error)
		(void)snprintf(status->journal_error, sizeof status->journal_error, "the front cannot grow: %s",
			       strerror(abs(journal.prepare_error)));
}

static void fill_shipper(const struct housekeeping_parts *parts, struct status *status)
{
	struct shipper_status shipper;

	partitions_shipper_status(parts->partitions, &shipper);
	status->partitions = parts->partitions->active;
	partitions_behind(parts->partitions, status->partitions_behind, sizeof status->partitions_behind);
	SET_TEXT(status, redis_address, parts->boot_config->redis.address);
	SET_TEXT(status, redis_state, shipper.state);
	status->redis_since = shipper.since_us;
	status->records_shipped = shipper.shipped;
	status->redis_resyncs = shipper.resyncs;
	status->redis_went_back = shipper.went_back;
	status->redis_resent = shipper.resent;
	status->redis_not_kept = shipper.not_kept;
	status->redis_fenced = shipper.fenced;
	status->redis_errors = shipper.errors;
	status->redis_cut = shipper.refused[REDIS_RECONNECT];
	status->redis_busy = shipper.refused[REDIS_WAIT];
	status->redis_not_master = shipper.refused[REDIS_ELSEWHERE];
	status->redis_denied = shipper.refused[REDIS_OPERATOR];
	status->stream_records = shipper.stream.length;
	status->stream_hard_length = parts->boot_config->stream_hard_length;
	status->stream_readers = shipper.stream.readers;
	SET_TEXT(status, stream_slowest, shipper.stream.slowest);
	status->stream_unread = shipper.stream.unread;
	status->stream_trimmed = shipper.trimmed;
	status->stream_overtaken = shipper.overtaken;
	status->stream_trim_errors = shipper.trim_failed;
	/* An error of the journal that stands now is worse than one of Redis that was. */
	if (status->journal_error[0]) {
		SET_TEXT(status, last_error, status->journal_error);
		status->last_error_time = status->written;
	} else {
		SET_TEXT(status, last_error, shipper.last_error.text);
		status->last_error_time = shipper.last_error_us;
	}
}

static void fill_auth(struct auth_jobs *jobs, struct status *status)
{
	struct auth_statistics auth;

	if (!jobs)
		return;
	auth_jobs_statistics(jobs, &auth);
	status->auth_jobs = auth.jobs;
	status->auth_waiting = auth.waiting;
	status->auth_queue_bytes = auth.waiting_bytes;
	status->auth_overload = auth.overload;
	status->auth_deadline = auth.deadline;
	status->auth_limit = auth.limit;
	status->dns_questions = auth.dns.questions;
	status->dns_cache_hits = auth.dns.cache_hits;
	status->dns_cache_entries = auth.dns.cache_entries;
	status->dns_cache_bytes = auth.dns.cache_bytes;
	status->dns_timeouts = auth.dns.timeouts;
}

static void fill_socket(const struct config *config, struct status *status)
{
	struct socket_address address;
	struct problem problem;

	if (socket_parse(&address, config->socket, &problem) == 0)
		SET_TEXT(status, socket, address.postfix);
}

static void write_status(const struct housekeeping_parts *parts, const struct config *config)
{
	struct status *status = calloc(1, sizeof *status);
	int error;

	if (!status)
		return;
	SET_TEXT(status, version, PACKAGE_VERSION);
	SET_TEXT(status, config_file, config->file ? config->file : "");
	fill_socket(parts->boot_config, status);
	SET_TEXT(status, config_digest, config->digest);
	status->pid = (uint64_t)getpid();
	status->started = parts->started_us;
	status->written = clock_now_us();
	status->interval_us = config->status_interval_us;
	status->config_loaded = config->read_us;
	status->sessions = sessions_count(parts->sessions);
	status->sessions_total = atomic_load(&parts->sessions->total);
	status->messages = atomic_load(&parts->sessions->messages);
	fill_journal(parts, status);
	fill_shipper(parts, status);
	fill_auth(parts->auth, status);
	error = status_write(status, parts->boot_config->status_file);
	if (error)
		log_warning("cannot write status file '%s': %s; 'smtptrail status' shows old figures",
			    parts->boot_config->status_file, strerror(-error));
	free(status);
}

static void look_for_losses(struct housekeeping *housekeeping)
{
	struct partitions *partitions = housekeeping->parts.partitions;
	struct journal_stat journal;

	partitions_journal_stat(partitions, &journal);
	const uint64_t counts[LOSSES] = {
		[LOSS_DROPPED] = journal.refused + recorder_lost_total(&partitions->recorder),
		[LOSS_DAMAGED] = journal.damaged, [LOSS_QUARANTINED] = journal.quarantined,
		[LOSS_MENDED] = journal.mended, [LOSS_TORN] = journal.torn,
	};

	losses_look(&housekeeping->losses, counts, clock_steady_us());
}

/* Names of the options that differ and were reloaded. */
static void compare_reloaded(const struct config *before, const struct config *after, char *ret_names, size_t size)
{
	struct conf_option *inverted;
	size_t count = 0;

	ret_names[0] = '\0';
	while (config_options[count].name)
		count++;
	inverted = malloc((count + 1) * sizeof *inverted);
	if (!inverted)
		return;
	memcpy(inverted, config_options, (count + 1) * sizeof *inverted);
	for (size_t i = 0; i < count; i++)
		inverted[i].can_reload = !inverted[i].can_reload;
	conf_compare(inverted, before, after, ret_names, size);
	free(inverted);
}

static void reload(const struct housekeeping_parts *parts)
{
	struct config *before = config_take_current(), *after;
	char reloaded[512], kept[512];
	struct problem problem;

	log_info("SIGUSR1: reading the configuration again");
	if (config_read(&after, before->file, &problem) != 0) {
		log_error("%s; keeping the configuration as it was", problem.text);
		config_release(before);
		return;
	}
	compare_reloaded(before, after, reloaded, sizeof reloaded);
	conf_compare(config_options, parts->boot_config, after, kept, sizeof kept);
	if (reloaded[0])
		log_info("reloaded, for sessions that begin from now on: %s", reloaded);
	else
		log_info("reloaded: nothing that can be reloaded has changed");
	if (kept[0])
		log_warning("changed, but only a restart brings it into force: %s", kept);
	log_set_level((enum log_level)after->log_level);
	config_release(before);
	config_set_current(after);
}

static void reload_and_notify(const struct housekeeping_parts *parts)
{
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)clock_steady_us());
	reload(parts);
	(void)sd_notify(0, "READY=1");
}

/* Waits for SIGUSR1, the stop, or until the time; false: the stop. */
static bool wait_for_work(const struct housekeeping *housekeeping, uint64_t until_us, bool *ret_reload)
{
	struct pollfd waited[2] = {
		{ .fd = housekeeping->stop_fd, .events = POLLIN }, { .fd = housekeeping->signal_fd, .events = POLLIN },
	};
	uint64_t now_us = clock_now_us();
	struct signalfd_siginfo signal;
	/* A clock that was set back must not make us sleep long. */
	uint64_t wait_us = until_us > now_us ? until_us - now_us : 0;

	if (wait_us > GAP_INTERVAL_US)
		wait_us = GAP_INTERVAL_US;
	*ret_reload = false;
	if (poll(waited, 2, (int)(wait_us / 1000) + 1) <= 0)
		return true;
	if (waited[1].revents)
		*ret_reload = read(housekeeping->signal_fd, &signal, sizeof signal) == sizeof signal;
	return !waited[0].revents;
}

static void *run(void *context)
{
	struct housekeeping *housekeeping = context;
	const struct housekeeping_parts *parts = &housekeeping->parts;
	bool has_status = parts->boot_config->status_file[0] != '\0', want_reload = false;
	uint64_t next_gap_us = 0, next_status_us = has_status ? 0 : UINT64_MAX;

	behind_begin("housekeeping");
	for (unsigned place = 0; place < parts->partitions->count; place++)
		close_killed(parts->partitions, place);
	do {
		uint64_t now_us = clock_now_us();

		if (want_reload)
			reload_and_notify(parts);
		struct config *config = config_take_current();

		if (now_us >= next_gap_us || next_gap_us > now_us + GAP_INTERVAL_US) {
			recorder_write_gaps(&parts->partitions->recorder, now_us);
			look_for_losses(housekeeping);
			next_gap_us = now_us + GAP_INTERVAL_US;
		}
		if (has_status &&
		    (want_reload || now_us >= next_status_us || next_status_us > now_us + config->status_interval_us)) {
			write_status(parts, config);
			next_status_us = now_us + config->status_interval_us;
		}
		config_release(config);
	} while (wait_for_work(housekeeping, next_gap_us < next_status_us ? next_gap_us : next_status_us, &want_reload));
	return NULL;
}

int housekeeping_start(struct housekeeping **ret_housekeeping, const struct housekeeping_parts *parts)
{
	struct housekeeping *housekeeping = calloc(1, sizeof *housekeeping);
	sigset_t signals;
	int error;

	if (!housekeeping)
		return -ENOMEM;
	housekeeping->parts = *parts;
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGUSR1);
	housekeeping->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	housekeeping->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (housekeeping->signal_fd < 0 || housekeeping->stop_fd < 0)
		error = -errno;
	else
		error = -pthread_create(&housekeeping->thread, NULL, run, housekeeping);
	if (!error) {
		*ret_housekeeping = housekeeping;
		return 0;
	}
	if (housekeeping->signal_fd >= 0)
		close(housekeeping->signal_fd);
	if (housekeeping->stop_fd >= 0)
		close(housekeeping->stop_fd);
	free(housekeeping);
	return error;
}

void housekeeping_stop(struct housekeeping *housekeeping)
{
	if (!housekeeping)
		return;
	(void)eventfd_write(housekeeping->stop_fd, 1);
	(void)pthread_join(housekeeping->thread, NULL);
	close(housekeeping->signal_fd);
	close(housekeeping->stop_fd);
	free(housekeeping);
}
