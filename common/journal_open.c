/*
 * journal_open.c - locking, recovery and the new epoch; closing.
 *
 * All state derives from the segments; only who we are comes from the file "producer". What an old
 * identity left unshipped (the file was lost, or the directory came from another machine) keeps the
 * origin in its segments' heads and is read first, under that origin: its cursor in Redis says what
 * of it is in, so nothing is sent twice though the original machine may live and send the same
 * entries. New entries get a new producer, so the two can never give one number to two records.
 */
#include "journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "clock.h"
#include "journal_internal.h"

/* Directories: made, checked, locked. */

static int make_directory(const char *path)
{
	char *copy = strdup(path);
	int error = 0;

	if (!copy)
		return -ENOMEM;
	for (char *at = strchr(copy + 1, '/'); at && !error; at = strchr(at + 1, '/')) {
		*at = '\0';
		if (mkdir(copy, 0755) != 0 && errno != EEXIST)
			error = -errno;
		*at = '/';
	}
	if (!error && mkdir(copy, 0700) != 0 && errno != EEXIST)
		error = -errno;
	free(copy);
	return error;
}

/* The process that holds the lock, by the kernel's list; 0: not known. */
static int lock_holder(const struct stat *status)
{
	FILE *locks = fopen("/proc/locks", "re");
	char line[256], wanted[64];
	int holder = 0, pid;

	if (!locks)
		return 0;
	(void)snprintf(wanted, sizeof wanted, " %02x:%02x:%" PRIu64 " ", major(status->st_dev),
		       minor(status->st_dev), (uint64_t)status->st_ino);
	while (!holder && fgets(line, sizeof line, locks))
		if (strstr(line, wanted) && sscanf(line, "%*s FLOCK %*s %*s %d", &pid) == 1 && pid > 0)
			holder = pid;
	(void)fclose(locks);
	return holder;
}

static int lock_directory(int fd, const struct stat *status, const char *what, const char *path,
			  struct problem *problem)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK) {
		int error = -errno;

		problem_set(problem, "cannot lock the %s directory '%s': %s", what, path, strerror(-error));
		return error;
	}
	int holder = lock_holder(status);

	if (holder)
		problem_set(problem,
			    "the %s directory '%s' is in use by process %d: stop it, or give each instance "
			    "its own directories",
			    what, path, holder);
	else
		problem_set(problem,
			    "the %s directory '%s' is in use by another process: stop it, or give each "
			    "instance its own directories",
			    what, path);
	return -EBUSY;
}

static int open_directory(const char *what, const char *path, int *ret_fd, char **ret_path,
			  struct problem *problem)
{
	struct stat status;
	int error = make_directory(path), fd;

	fd = error ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		error = error ? error : -errno;
		problem_set(problem, "cannot open the %s directory '%s': %s", what, path, strerror(-error));
		return error;
	}
	error = fstat(fd, &status) == 0 ? 0 : -errno;
	if (error) {
		problem_set(problem, "cannot look at the %s directory '%s': %s", what, path,
			    strerror(-error));
	} else if (status.st_uid != geteuid()) {
		error = -EPERM;
		problem_set(problem,
			    "the %s directory '%s' belongs to user %u and this process runs as %u: chown it",
			    what, path, status.st_uid, geteuid());
	} else if (status.st_mode & 022) {
		error = -EPERM;
		problem_set(problem,
			    "the %s directory '%s' can be written by others (mode %04o): chmod 700 it", what,
			    path, status.st_mode & 07777u);
	} else {
		error = lock_directory(fd, &status, what, path, problem);
	}
	*ret_path = error ? NULL : realpath(path, NULL);
	if (!error && !*ret_path) {
		error = -errno;
		problem_set(problem, "cannot resolve the %s directory '%s': %s", what, path,
			    strerror(-error));
	}
	if (!error && strchr(*ret_path, '\n')) {
		error = -EINVAL;
		problem_set(problem, "the name of the %s directory '%s' holds a line end", what, path);
	}
	if (error) {
		free(*ret_path);
		*ret_path = NULL;
		close(fd);
		return error;
	}
	*ret_fd = fd;
	return 0;
}

static int check_options(const struct journal_options *options, struct problem *problem)
{
	if (!options->front_directory || !options->spool_directory || options->front_directory[0] != '/' ||
	    options->spool_directory[0] != '/') {
		problem_set(problem, "front and spool directory must be absolute paths");
		return -EINVAL;
	}
	if (options->segment_bytes < SEGMENT_SIZE_MIN || options->segment_bytes > UINT32_MAX) {
		problem_set(problem, "a segment of %" PRIu64 " bytes is out of limits: %d to %u",
			    options->segment_bytes, SEGMENT_SIZE_MIN, UINT32_MAX);
		return -EINVAL;
	}
	if (options->front_bytes < 2 * options->segment_bytes) {
		problem_set(problem,
			    "a front of %" PRIu64 " bytes is too small: at least two segments of %" PRIu64,
			    options->front_bytes, options->segment_bytes);
		return -EINVAL;
	}
	if (strlen(options->host) >= JOURNAL_NAME_SIZE || strlen(options->instance) >= JOURNAL_NAME_SIZE) {
		problem_set(problem, "host and instance may have %d bytes each", JOURNAL_NAME_SIZE - 1);
		return -EINVAL;
	}
	return 0;
}

/* Recovery: the list of segments, from both directories. */

/* What is found, in any order, before it becomes the list. */
struct found {
	struct segment **segments;
	size_t count;
	uint64_t biggest;		/* number */
	struct segment_gap gaps[GAP_REASONS];	/* of the newest segment in the front */
	uint64_t gaps_number;
};

static struct segment *found_by_number(const struct found *found, uint64_t number)
{
	for (size_t i = 0; i < found->count; i++)
		if (found->segments[i]->number == number)
			return found->segments[i];
	return NULL;
}

static int read_head(int directory, const char *name, struct segment_head *ret_head, uint64_t *ret_size)
{
	struct stat status;
	int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), error = 0;

	*ret_head = (struct segment_head){ 0 };
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) != 0)
		error = -errno;
	else if (!S_ISREG(status.st_mode))
		error = -EBADMSG;
	else if (pread(fd, ret_head, sizeof *ret_head, 0) < 0)
		error = -errno;
	*ret_size = error ? 0 : (uint64_t)status.st_size;
	close(fd);
	return error;
}

static struct segment *found_add(struct found *found, const struct segment_head *head, uint64_t number)
{
	struct segment **rows = reallocarray(found->segments, found->count + 1, sizeof *rows);
	struct segment *segment = rows ? calloc(1, sizeof *segment) : NULL;

	if (rows)
		found->segments = rows;
	if (!segment)
		return NULL;
	segment->number = number;
	segment_head_origin(head, &segment->origin);
	segment->first_counter = head->first_counter;
	segment->last_counter = head->first_counter - 1;
	segment->created_us = head->created_us;
	segment->head_crc = head->crc;
	segment->closed = true;
	found->segments[found->count++] = segment;
	return segment;
}

static void set_aside(struct journal *journal, int directory, const char *name)
{
	/* Where it cannot be renamed it stays as it is: its number is not used again. */
	(void)segment_set_aside(directory, name);
	journal->counts.quarantined++;
}

static enum segment_head_state check_head(struct journal *journal, int directory, const char *name, uint64_t number,
					  struct segment_head *head)
{
	enum segment_head_state state = segment_head_check(head);

	if (state != SEGMENT_HEAD_BAD || !journal_mend_head(directory, name, number, head, journal->reader.window))
		return state;
	journal->counts.mended++;
	return SEGMENT_HEAD_GOOD;
}

static int find_in_spool(struct journal *journal, struct found *found, const char *name, uint64_t number)
{
	struct segment_head head;
	uint64_t size;
	int error = read_head(journal->spool, name, &head, &size);
	enum segment_head_state state = error ? SEGMENT_HEAD_BAD : check_head(journal, journal->spool, name, number, &head);

	if (error || state == SEGMENT_HEAD_BAD || (state == SEGMENT_HEAD_EMPTY && size > SEGMENT_HEAD_SIZE)) {
		set_aside(journal, journal->spool, name);
		return 0;
	}
	if (state == SEGMENT_HEAD_EMPTY) {
		/* A power cut came between the making of the file and its first bytes. */
		(void)unlinkat(journal->spool, name, 0);
		return 0;
	}
	struct segment *segment = found_add(found, &head, number);

	if (!segment)
		return -ENOMEM;
	segment->in_spool = true;
	segment->spool_bytes = segment->used = segment->copied = segment->synced = size;
	return 0;
}

/* A front that belongs to another spool may have used our number. */
static int renumber(struct journal *journal, struct found *found, const char *name, uint64_t *number)
{
	char fresh[SEGMENT_NAME_SIZE];

	*number = ++found->biggest;
	segment_name(fresh, *number);
	return renameat(journal->front, name, journal->front, fresh) == 0 ? 0 : -errno;
}

static int find_in_front(struct journal *journal, struct found *found, const char *name, uint64_t number)
{
	struct segment_head head;
	uint64_t size;
	int error = read_head(journal->front, name, &head, &size);
	enum segment_head_state state = error ? SEGMENT_HEAD_BAD : check_head(journal, journal->front, name, number, &head);

	if (!error && state == SEGMENT_HEAD_EMPTY) {
		/* A spare: nothing is written before the head. */
		(void)unlinkat(journal->front, name, 0);
		return 0;
	}
	if (error || state == SEGMENT_HEAD_BAD) {
		set_aside(journal, journal->front, name);
		return 0;
	}
	struct segment *segment = found_by_number(found, number);

	if (segment &&
	    (segment->head_crc != head.crc || strcmp(segment->origin.incarnation, head.incarnation) != 0)) {
		error = renumber(journal, found, name, &number);
		if (error)
			return error;
		segment = NULL;
	}
	if (!segment)
		segment = found_add(found, &head, number);
	if (!segment)
		return -ENOMEM;
	segment->in_front = true;
	segment->front_bytes = size;
	segment->used = size;
	/* The keeper copies all of it again over the same bytes: the front is what was appended. */
	segment->copied = segment->synced = 0;
	if (number >= found->gaps_number) {
		found->gaps_number = number;
		memcpy(found->gaps, head.gaps, sizeof found->gaps);
	}
	return 0;
}

static int find_in(struct journal *journal, struct found *found, int directory,
		   int (*find)(struct journal *, struct found *, const char *, uint64_t))
{
	int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), error = 0;
	DIR *stream = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *row;
	uint64_t number;
	bool is_damaged;

	if (!stream) {
		error = -errno;
		if (copy >= 0)
			close(copy);
		return error;
	}
	while (!error && (row = readdir(stream)))
		if (segment_name_parse(row->d_name, &number, &is_damaged)) {
			if (number > found->biggest)
				found->biggest = number;
			if (!is_damaged)
				error = find(journal, found, row->d_name, number);
		}
	(void)closedir(stream);
	return error;
}

static int by_number(const void *a, const void *b)
{
	const struct segment *const *first = a, *const *second = b;

	return (*first)->number < (*second)->number ? -1 : (*first)->number > (*second)->number;
}

/* Finds the end of a segment by reading it. */
static int measure(struct journal *journal, struct segment *segment)
{
	struct segment_reader reader;
	struct journal_entry entry;
	char name[SEGMENT_NAME_SIZE];
	int result, fd;

	segment_name(name, segment->number);
	fd = openat(segment->in_front ? journal->front : journal->spool, name,
		    O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	segment_reader_start(&reader, fd, segment->head_crc, segment->origin.epoch, segment->used,
			     journal->reader.window);
	while ((result = segment_reader_next(&reader, true, &entry)) == 1)
		segment->last_counter = entry.seq & SEGMENT_COUNTER_MAX;
	close(fd);
	if (result < 0)
		return result;
	segment->used = reader.offset < segment->used ? reader.offset : segment->used;
	if (segment->last_counter < segment->first_counter)
		segment->used = SEGMENT_HEAD_SIZE;
	journal->counts.torn += reader.tail == SEGMENT_TAIL_TORN;
	if (reader.tail == SEGMENT_TAIL_DAMAGED) {
		/* The last entry: no later number will show that it is missing. */
		journal->counts.damaged++;
		journal_gap_note(journal, GAP_DAMAGED, 1, segment->created_us, clock_now_us());
	}
	return 0;
}

static void remove_files(struct journal *journal, const struct segment *segment)
{
	char name[SEGMENT_NAME_SIZE];

	segment_name(name, segment->number);
	if (segment->in_front)
		(void)unlinkat(journal->front, name, 0);
	if (segment->in_spool)
		(void)unlinkat(journal->spool, name, 0);
}

static void set_aside_segment(struct journal *journal, const struct segment *segment)
{
	char name[SEGMENT_NAME_SIZE];

	segment_name(name, segment->number);
	if (segment->in_front)
		set_aside(journal, journal->front, name);
	if (segment->in_spool)
		set_aside(journal, journal->spool, name);
}

/* Only the last segment of an incarnation must be read: where another follows, its first number and
 * the size of the file say the rest, and what is damaged inside shows when it is shipped. */
static int settle(struct journal *journal, struct segment *segment, const struct segment *next)
{
	bool is_followed = next && strcmp(next->origin.incarnation, segment->origin.incarnation) == 0 &&
			   next->first_counter > segment->first_counter;

	if (!is_followed || segment->in_front)
		return measure(journal, segment);
	segment->last_counter = next->first_counter - 1;
	return 0;
}

static int make_list(struct journal *journal, struct found *found)
{
	if (found->count)
		qsort(found->segments, found->count, sizeof *found->segments, by_number);
	memcpy(journal->gaps, found->gaps, sizeof journal->gaps);
	for (size_t i = 0; i < found->count; i++) {
		struct segment *segment = found->segments[i];
		int error = settle(journal, segment, i + 1 < found->count ? found->segments[i + 1] : NULL);

		found->segments[i] = NULL;
		if (error == -ENOMEM) {
			free(segment);
			return error;
		}
		if (error || segment->last_counter < segment->first_counter) {
			if (error)
				set_aside_segment(journal, segment);
			else
				remove_files(journal, segment);
			free(segment);
			continue;
		}
		journal_list_add(journal, segment);
		journal->end.index += segment->last_counter - segment->first_counter + 1;
		journal->end.byte += segment->used - SEGMENT_HEAD_SIZE;
		journal->front_used += segment->front_bytes;
		journal->spool_used += segment->spool_bytes;
	}
	journal->next_number = journal->first_segment = found->biggest + 1;
	return 0;
}

static int recover(struct journal *journal, struct problem *problem)
{
	struct found found = { 0 };
	int error = find_in(journal, &found, journal->spool, find_in_spool);

	if (!error)
		error = find_in(journal, &found, journal->front, find_in_front);
	if (!error)
		error = make_list(journal, &found);
	for (size_t i = 0; i < found.count; i++)
		free(found.segments[i]);
	free(found.segments);
	if (error)
		problem_set(problem, "cannot recover the journal in '%s' and '%s': %s", journal->front_path,
			    journal->spool_path, strerror(-error));
	return error;
}

/* Who we are. */

static uint64_t last_of_incarnation(const struct journal *journal, const char *incarnation)
{
	for (const struct segment *segment = journal->last; segment; segment = segment->previous)
		if (strcmp(segment->origin.incarnation, incarnation) == 0)
			return segment->last_counter;
	return 0;
}

static bool is_in_list(const struct journal *journal, const char *incarnation, const char *producer)
{
	for (const struct segment *segment = journal->first; segment; segment = segment->next)
		if (strcmp(segment->origin.incarnation, incarnation) == 0 ||
		    strcmp(segment->origin.producer, producer) == 0)
			return true;
	return false;
}

/* Rows about segments that are gone say nothing any more. */
static void prune(const struct journal *journal, struct identity *identity)
{
	size_t kept = 0;

	for (size_t i = 0; i < identity->rename_count; i++)
		if (is_in_list(journal, identity->renames[i].incarnation, ""))
			identity->renames[kept++] = identity->renames[i];
	identity->rename_count = kept;
	kept = 0;
	for (size_t i = 0; i < identity->fence_count; i++)
		if (is_in_list(journal, "", identity->fences[i].producer))
			identity->fences[kept++] = identity->fences[i];
	identity->fence_count = kept;
}

/* Goes on as the producer of the file, or becomes a new one; decides the birth. */
static int decide_identity(struct journal *journal, struct identity *identity, int loaded,
			   const struct identity *here)
{
	struct journal_birth *birth = &journal->birth;
	const struct segment *last = journal->last;

	if (loaded == 0 && identity_is_here(identity, here)) {
		birth->start = JOURNAL_RESTART;
		birth->previous_epoch = identity->epoch;
		for (size_t i = 0; i < identity->epoch_count; i++) {
			uint64_t counter = last_of_incarnation(journal, identity->epochs[i].incarnation);

			if (counter > identity->epochs[i].last_counter)
				identity->epochs[i].last_counter = counter;
			if (identity->epochs[i].last_counter && identity->epochs[i].epoch == identity->epoch)
				birth->previous_seq =
					segment_seq(identity->epoch, identity->epochs[i].last_counter);
		}
		identity->epoch++;
		return 0;
	}
	birth->start = loaded == 0		    ? JOURNAL_MOVED
		       : last || loaded == -EBADMSG ? JOURNAL_SPOOL_LOST
						    : JOURNAL_FIRST;
	if (loaded == 0) {
		memcpy(birth->previous_producer, identity->producer, JOURNAL_NAME_SIZE);
		birth->previous_epoch = identity->epoch;
	}
	if (last) {
		memcpy(birth->previous_producer, last->origin.producer, JOURNAL_NAME_SIZE);
		birth->previous_epoch = last->origin.epoch;
		birth->previous_seq = segment_seq(last->origin.epoch, last->last_counter);
	}
	/* Renames and fences stay: they say under which name the old entries are read. */
	identity->epoch = 1;
	identity->epoch_count = 0;
	return identity_random(identity->producer);
}

static int begin_epoch(struct journal *journal, struct identity *identity, const char *machine_id_file)
{
	struct identity here = { 0 };
	struct identity_epoch row = { .begun_us = clock_now_us() };
	int loaded = identity_load(identity, journal->spool), error;

	if (loaded == -EBADMSG)
		set_aside(journal, journal->spool, "producer");
	else if (loaded && loaded != -ENOENT)
		return loaded;
	for (struct segment *segment = journal->first; segment; segment = segment->next)
		identity_apply(identity, &segment->origin, &segment->read_from);
	error = identity_here(&here, journal->spool, journal->spool_path, machine_id_file);
	if (!error)
		error = decide_identity(journal, identity, loaded, &here);
	if (!error)
		error = identity_random(identity->incarnation);
	if (error) {
		identity_done(&here);
		return error;
	}
	memcpy(identity->machine, here.machine, sizeof identity->machine);
	free(identity->directory);
	identity->directory = here.directory;
	identity->device = here.device;
	identity->inode = here.inode;
	identity->file_system = here.file_system;
	row.epoch = identity->epoch;
	memcpy(row.incarnation, identity->incarnation, sizeof row.incarnation);
	return identity_add_epoch(identity, &row);
}

static void set_origin(struct journal *journal)
{
	struct journal_origin *origin = &journal->origin;

	memcpy(origin->producer, journal->identity.producer, JOURNAL_NAME_SIZE);
	memcpy(origin->incarnation, journal->identity.incarnation, JOURNAL_NAME_SIZE);
	(void)snprintf(origin->host, sizeof origin->host, "%s", journal->options.host);
	(void)snprintf(origin->instance, sizeof origin->instance, "%s", journal->options.instance);
	origin->partition = journal->options.partition;
	origin->epoch = journal->identity.epoch;
	journal->birth.epoch = origin->epoch;
}

static int become(struct journal *journal, const struct journal_options *options, struct problem *problem)
{
	int error = begin_epoch(journal, &journal->identity, options->machine_id_file);

	if (!error) {
		set_origin(journal);
		prune(journal, &journal->identity);
		error = identity_store(&journal->identity, journal->spool);
		/* A full disk must not keep us from starting: entries are refused and counted until the
		 * keeper has made the epoch durable. */
		journal->has_epoch = error == 0;
		journal->counts.keep_error = -error;
		if (error == -ENOSPC || error == -EDQUOT)
			error = 0;
	}
	if (error)
		problem_set(problem, "cannot begin an epoch in the spool directory '%s': %s",
			    options->spool_directory, strerror(-error));
	return error;
}

/* Life. */

static int make_sleepers(struct journal *journal)
{
	struct sleeper *sleepers[] = { &journal->prepare_sleeper, &journal->keep_sleeper,
				       &journal->read_sleeper };

	for (size_t i = 0; i < sizeof sleepers / sizeof sleepers[0]; i++) {
		sleepers[i]->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (sleepers[i]->event < 0)
			return -errno;
	}
	return 0;
}

static struct journal *new_journal(const struct journal_options *options)
{
	struct journal *journal = aligned_alloc(_Alignof(struct journal), sizeof *journal);

	if (!journal)
		return NULL;
	memset(journal, 0, sizeof *journal);
	journal->options = *options;
	/* The caller's strings may go once we are open. */
	journal->options.front_directory = journal->options.spool_directory =
		journal->options.machine_id_file = NULL;
	journal->options.host = strdup(options->host);
	journal->options.instance = strdup(options->instance);
	journal->front = journal->spool = journal->copy_from = journal->copy_to = journal->reader.fd = -1;
	journal->prepare_sleeper.event = journal->keep_sleeper.event = journal->read_sleeper.event = -1;
	journal->reader.window = malloc(SEGMENT_WINDOW_SIZE);
	journal->copy_buffer = malloc(JOURNAL_COPY_CHUNK);
	(void)pthread_mutex_init(&journal->lock, NULL);
	(void)pthread_mutex_init(&journal->identity_lock, NULL);
	return journal;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* Frees memory and lets go of the directories; touches no file. */
static void free_journal(struct journal *journal)
{
	struct segment *segment, *next;

	journal_reader_close_file(&journal->reader);
	journal_copy_close(journal);
	for (segment = journal->first; segment; segment = next) {
		next = segment->next;
		free(segment);
	}
	if (journal->active) {
		(void)munmap(journal->active->bytes, journal->active->size);
		free(journal->active);
	}
	journal_unmap_retired(journal);
	close_fd(journal->prepare_sleeper.event);
	close_fd(journal->keep_sleeper.event);
	close_fd(journal->read_sleeper.event);
	close_fd(journal->front);
	close_fd(journal->spool);
	identity_done(&journal->identity);
	(void)pthread_mutex_destroy(&journal->lock);
	(void)pthread_mutex_destroy(&journal->identity_lock);
	free(journal->reader.window);
	free(journal->copy_buffer);
	free((char *)(uintptr_t)journal->options.host);
	free((char *)(uintptr_t)journal->options.instance);
	free(journal->front_path);
	free(journal->spool_path);
	free(journal);
}

static int open_both(struct journal *journal, const struct journal_options *options, struct problem *problem)
{
	int error = open_directory("front", options->front_directory, &journal->front, &journal->front_path,
				   problem);

	if (error)
		return error;
	error = open_directory("spool", options->spool_directory, &journal->spool, &journal->spool_path,
			       problem);
	/* Before the lock on the one directory refuses the other, which would blame this very process. */
	if (error == -EBUSY && strcmp(options->front_directory, options->spool_directory) == 0)
		problem_set(problem, "front and spool are one directory, '%s': give each its own",
			    options->front_directory);
	return error;
}

int journal_open(struct journal **ret_journal, const struct journal_options *options, struct problem *problem)
{
	int error = check_options(options, problem);
	struct journal *journal;

	if (error)
		return error;
	journal = new_journal(options);
	if (!journal)
		return -ENOMEM;
	if (!journal->options.host || !journal->options.instance || !journal->reader.window ||
	    !journal->copy_buffer)
		error = -ENOMEM;
	if (!error)
		error = make_sleepers(journal);
	if (error)
		problem_set(problem, "cannot open the journal: %s", strerror(-error));
	if (!error)
		error = open_both(journal, options, problem);
	if (!error)
		error = recover(journal, problem);
	if (!error)
		error = become(journal, options, problem);
	if (error) {
		free_journal(journal);
		return error;
	}
	journal->unshipped_time_us = journal->first ? journal->first->created_us : 0;
	journal->opened_index = journal->end.index;
	atomic_store(&journal->appended, journal->end.index);
	/* A front that is full, with a spool that is, must not keep us from starting either. */
	(void)journal_prepare(journal);
	*ret_journal = journal;
	return 0;
}

static void drop_spares(struct journal *journal)
{
	while (journal->spares) {
		struct front_map *map = journal->spares;
		char name[SEGMENT_NAME_SIZE];

		journal->spares = map->next;
		segment_name(name, map->segment->number);
		(void)unlinkat(journal->front, name, 0);
		(void)munmap(map->bytes, map->size);
		free(map->segment);
		free(map);
	}
}

void journal_close(struct journal *journal)
{
	if (!journal)
		return;
	if (journal->active)
		journal->last->closed = true;
	journal->is_closing = true;
	(void)journal_keep(journal);
	journal_remember_shipped(journal);
	drop_spares(journal);
	free_journal(journal);
}
