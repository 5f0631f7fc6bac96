/*
 * journal_rooms.h - a front and a spool for a test of the journal, and the little it does with them.
 *
 * The front lies on tmpfs, in SMTPTRAIL_TMPFS or else in /dev/shm where that is one; both rooms are removed at the end.
 */
#ifndef SMTPTRAIL_TESTS_JOURNAL_ROOMS_H
#define SMTPTRAIL_TESTS_JOURNAL_ROOMS_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/journal.h"
#include "common/record.h"
#include "unit.h"

struct rooms {
	char front[256], spool[256], machine[300];
	struct journal_options options;
};

static inline void rooms_temporary(char *path, size_t size, const char *parent)
{
	(void)snprintf(path, size, "%s/smtptrail-test.XXXXXX", parent);
	if (!mkdtemp(path)) {
		perror(path);
		exit(1);
	}
}

static inline const char *rooms_named(const char *variable, const char *otherwise)
{
	const char *directory = getenv(variable);

	return directory && directory[0] == '/' ? directory : otherwise;
}

static inline const char *rooms_disk(void)
{
	return rooms_named("TMPDIR", "/tmp");
}

static inline void rooms_write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	if (!file || fputs(text, file) < 0 || fclose(file) != 0) {
		perror(path);
		exit(1);
	}
}

static inline const char *rooms_memory(void)
{
	return rooms_named("SMTPTRAIL_TMPFS", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : rooms_disk());
}

/* spool_parent: where the spool shall lie; most tests do not need a disk. */
static inline void rooms_init_at(struct rooms *rooms, const char *spool_parent)
{
	memset(rooms, 0, sizeof *rooms);
	rooms_temporary(rooms->front, sizeof rooms->front, rooms_memory());
	rooms_temporary(rooms->spool, sizeof rooms->spool, spool_parent);
	(void)snprintf(rooms->machine, sizeof rooms->machine, "%s.machine", rooms->spool);
	rooms_write_file(rooms->machine, "0123456789abcdef0123456789abcdef\n");
	rooms->options = (struct journal_options){
		.front_directory = rooms->front, .spool_directory = rooms->spool, .host = "host.example",
		.instance = "test", .segment_bytes = 128 * 1024, .front_bytes = 8 * 128 * 1024,
		.spool_bytes = 64 * 128 * 1024, .free_percent = 0, .keep_us = 0, .keep_bytes = 0,
		.sync = JOURNAL_SYNC_INTERVAL, .machine_id_file = rooms->machine,
	};
}

static inline void rooms_init(struct rooms *rooms)
{
	rooms_init_at(rooms, rooms_memory());
}

/* Calls for each file of a directory. */
static inline void rooms_each(const char *directory,
			      void (*call)(const char *path, const char *name, void *context), void *context)
{
	DIR *stream = opendir(directory);
	struct dirent *row;
	char path[1024];

	while (stream && (row = readdir(stream)))
		if (row->d_name[0] != '.') {
			(void)snprintf(path, sizeof path, "%s/%s", directory, row->d_name);
			call(path, row->d_name, context);
		}
	if (stream)
		(void)closedir(stream);
}

static inline void rooms_unlink(const char *path, const char *name, void *context)
{
	(void)name;
	(void)context;
	(void)unlink(path);
}

static inline void rooms_empty(const char *directory)
{
	rooms_each(directory, rooms_unlink, NULL);
}

static inline void rooms_done(struct rooms *rooms)
{
	rooms_empty(rooms->front);
	rooms_empty(rooms->spool);
	(void)rmdir(rooms->front);
	(void)rmdir(rooms->spool);
	(void)unlink(rooms->machine);
}

struct rooms_count {
	const char *part;
	int count;
	char last[1024];
};

static inline void rooms_count_one(const char *path, const char *name, void *context)
{
	struct rooms_count *count = context;

	if (!strstr(name, count->part))
		return;
	count->count++;
	if (strcmp(path, count->last) > 0)
		(void)snprintf(count->last, sizeof count->last, "%s", path);
}

/* How many files of a directory have this in their name; ret_last (or NULL): the last of them. */
static inline int rooms_files(const char *directory, const char *part, char ret_last[1024])
{
	struct rooms_count count = { .part = part };

	rooms_each(directory, rooms_count_one, &count);
	if (ret_last)
		memcpy(ret_last, count.last, sizeof count.last);
	return count.count;
}

static inline struct journal *rooms_open(struct rooms *rooms)
{
	struct journal *journal = NULL;
	struct problem problem = { "" };
	int error = journal_open(&journal, &rooms->options, &problem);

	CHECK_SAYING(error == 0, "cannot open: %s", problem.text);
	if (error)
		exit(1);
	return journal;
}

/* A payload that begins as a record does (stage, time) and holds its number; length at least 17. */
static inline struct text rooms_payload(char *buffer, uint64_t number, size_t length)
{
	uint64_t time_us = 1795248000000000 + number;

	memset(buffer, (int)('a' + number % 26), length);
	buffer[0] = STAGE_UNKNOWN;
	memcpy(buffer + 1, &time_us, 8);
	memcpy(buffer + 9, &number, 8);
	return (struct text){ buffer, length };
}

static inline uint64_t rooms_number(struct text payload)
{
	uint64_t number = 0;

	if (payload.length >= 17)
		memcpy(&number, payload.start + 9, 8);
	return number;
}

static inline int rooms_append(struct journal *journal, uint64_t number, size_t length)
{
	static _Thread_local char buffer[JOURNAL_ENTRY_MAX + 1];

	return journal_append(journal, rooms_payload(buffer, number, length));
}

/* Appends numbers from first on; returns how many were taken before the first refusal. */
static inline uint64_t rooms_fill(struct journal *journal, uint64_t first, uint64_t count, size_t length)
{
	uint64_t i;

	for (i = 0; i < count; i++)
		if (rooms_append(journal, first + i, length) != 0)
			break;
	return i;
}

/* What was read until nothing was left. */
struct rooms_read {
	uint64_t count, first, last, holes;	/* of the numbers in the payloads */
	uint64_t last_seq;
	uint64_t origins;			/* changes of producer or incarnation */
	char producer[JOURNAL_NAME_SIZE];	/* of the last */
};

static inline struct rooms_read rooms_drain(struct journal *journal, bool ship)
{
	static struct journal_batch batch;
	struct rooms_read read = { 0 };
	char incarnation[JOURNAL_NAME_SIZE] = "";

	while (journal_read(journal, &batch) == 1) {
		if (strcmp(incarnation, batch.origin.incarnation) != 0)
			read.origins++;
		memcpy(incarnation, batch.origin.incarnation, sizeof incarnation);
		memcpy(read.producer, batch.origin.producer, sizeof read.producer);
		for (size_t i = 0; i < batch.count; i++) {
			uint64_t number = rooms_number(batch.entries[i].payload);

			if (read.count++ == 0)
				read.first = number;
			else if (number != read.last + 1)
				read.holes++;
			read.last = number;
			read.last_seq = batch.entries[i].seq;
		}
		if (ship)
			journal_shipped(journal, read.last_seq);
	}
	return read;
}

static inline struct journal_stat rooms_stat(struct journal *journal)
{
	struct journal_stat stat;

	journal_stat(journal, &stat);
	return stat;
}

#endif
