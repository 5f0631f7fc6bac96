/* ingest_logs.c - feeds, each a set of rotated files or a journal, merged by the times of their lines. */
#include "analysis/ingest_logs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "analysis/follow.h"
#include "analysis/ingest_places.h"
#include "analysis/input_file.h"
#include "common/clock.h"

static const char journal_kind[] = "journald", journal_name[] = "journald";

enum { RETRY_US = 1000000 };

struct feed {
	struct feed *next;
	char **paths;			/* that were named; NULL: the journal */
	size_t path_count, path_at;
	const char *directory;		/* of the journal; NULL: this machine's */
	char *journal_place, *journal_taken;	/* of the line at hand, and of the last that was taken */
	bool has_taken;
	struct log_reader *reader;
	bool is_open, is_live, is_dry, has_failed;
	uint64_t retry_us;
	char *path;			/* that is open */
	uint64_t head;			/* its first digest */
	uint64_t opened;		/* how many were before it */
	const struct feed *waits_for;	/* that reads what begins as the path does, the file of this number */
	uint64_t waits_for_opened;
	uint16_t source;
	uint64_t *tried;		/* inodes of rotated files that were opened */
	size_t tried_count;
	struct ingest_place *place;	/* of its file; NULL: no line was read */
	struct log_place read;		/* behind the line at hand */
	uint64_t leave;			/* lines that the store has */

	bool has_line;
	uint64_t time_us;
	struct event event;
	enum format_result result;
};

struct ingest_logs {
	struct ingest_logs_options options;
	struct store *store;
	struct ingest_places places;
	char **paths;
	size_t path_count;
	struct feed *first, *lent;
	struct ingest_logs_counts counts;
};

__attribute__((format(printf, 2, 3)))
static void notice(const struct ingest_logs *logs, const char *format, ...)
{
	char sentence[4096];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(sentence, sizeof sentence, format, arguments);
	va_end(arguments);
	logs->options.notice(logs->options.context, sentence);
}

/* ---- opening ---- */

int ingest_logs_new(struct ingest_logs **ret_logs, const struct ingest_logs_options *options, struct store *store,
		    struct problem *problem)
{
	struct ingest_logs *logs = calloc(1, sizeof *logs);
	int error = logs ? 0 : -ENOMEM;

	if (error)
		return error;
	logs->options = *options;
	logs->options.log.notes_place = true;
	logs->store = store;
	error = ingest_places_load(&logs->places, store, problem);
	if (error) {
		ingest_logs_free(logs);
		return error;
	}
	*ret_logs = logs;
	return 0;
}

static void free_feed(struct feed *feed)
{
	log_reader_free(feed->reader);
	free(feed->path);
	free(feed->journal_place);
	free(feed->journal_taken);
	free(feed->tried);
	free(feed);
}

void ingest_logs_free(struct ingest_logs *logs)
{
	if (!logs)
		return;
	while (logs->first) {
		struct feed *feed = logs->first;

		logs->first = feed->next;
		free_feed(feed);
	}
	ingest_places_done(&logs->places);
	while (logs->path_count)
		free(logs->paths[--logs->path_count]);
	free(logs->paths);
	free(logs);
}

static struct feed *add_feed(struct ingest_logs *logs)
{
	struct feed *feed = calloc(1, sizeof *feed), **link = &logs->first;

	if (!feed || log_reader_new(&feed->reader, &logs->options.log) != 0) {
		free(feed);
		return NULL;
	}
	while (*link)
		link = &(*link)->next;
	return *link = feed;
}

/* Whoever asks the store stands elsewhere. */
static char *absolute_path(const char *path)
{
	char *directory, *absolute = NULL;

	if (*path == '/')
		return strdup(path);
	directory = getcwd(NULL, 0);
	if (directory && asprintf(&absolute, "%s%s%s", directory, strcmp(directory, "/") == 0 ? "" : "/", path) < 0)
		absolute = NULL;
	free(directory);
	return absolute ? absolute : strdup(path);
}

static int copy_paths(struct ingest_logs *logs, char *const *named, size_t count)
{
	logs->paths = calloc(count + 1, sizeof *logs->paths);
	if (!logs->paths)
		return -ENOMEM;
	for (; logs->path_count < count; logs->path_count++)
		if (!(logs->paths[logs->path_count] = absolute_path(named[logs->path_count])))
			return -ENOMEM;
	return 0;
}

static bool is_in(const struct stat *files, size_t count, const struct stat *file)
{
	for (size_t i = 0; i < count; i++)
		if (files[i].st_dev == file->st_dev && files[i].st_ino == file->st_ino)
			return true;
	return false;
}

/* Who follows a file by two names would read twice what comes. */
static int drop_links(struct ingest_logs *logs)
{
	struct stat *files = calloc(logs->path_count + 1, sizeof *files);
	size_t kept = 0, known = 0;

	if (!files)
		return -ENOMEM;
	for (size_t i = 0; i < logs->path_count; i++) {
		bool is_there = stat(logs->paths[i], &files[known]) == 0;

		if (is_there && is_in(files, known, &files[known])) {
			free(logs->paths[i]);
		} else {
			logs->paths[kept++] = logs->paths[i];
			known += is_there;
		}
	}
	free(files);
	logs->path_count = kept;
	return 0;
}

int ingest_logs_add_files(struct ingest_logs *logs, char *const *named, size_t path_count)
{
	struct feed *feed = NULL;
	char **paths;

	if (copy_paths(logs, named, path_count) != 0)
		return -ENOMEM;
	paths = logs->paths;
	input_file_sort(paths, path_count);
	if (drop_links(logs) != 0)
		return -ENOMEM;
	for (size_t i = 0; i < logs->path_count; i++) {
		if (!feed || !input_file_same_set(paths[i - 1], paths[i])) {
			feed = add_feed(logs);
			if (!feed)
				return -ENOMEM;
			feed->paths = &paths[i];
		}
		feed->path_count++;
	}
	return 0;
}

static void take_journal_place(void *context, struct text name, struct text state)
{
	struct feed *feed = context;

	if (text_is(name, feed->directory ? feed->directory : journal_name)) {
		free(feed->journal_taken);
		feed->journal_taken = strndup(state.start, state.length);
	}
}

int ingest_logs_add_journal(struct ingest_logs *logs, const char *directory, struct problem *problem)
{
	struct feed *feed = add_feed(logs);
	int error = feed ? 0 : -ENOMEM;

	if (error)
		return error;
	feed->directory = directory;
	error = store_each_input(logs->store, journal_kind, take_journal_place, feed, problem);
	if (!error)
		error = log_reader_open_journal(feed->reader, directory, NULL, problem);
	if (error)
		return error;
	if (feed->journal_taken && !log_reader_journal_go_behind(feed->reader, feed->journal_taken)) {
		notice(logs, "the journal has no longer what was read last; reading it from its start");
		return log_reader_open_journal(feed->reader, directory, NULL, problem);
	}
	feed->is_open = feed->is_live = true;
	feed->source = source_number(logs->options.sources, SOURCE_JOURNALD, text_of(directory ? directory : journal_name));
	return 0;
}

/* ---- which file comes next ---- */

/* Notes a rotated file as one that this process has looked at; false: it was noted before, or is gone. */
static bool try_first_time(struct feed *feed, const char *path)
{
	struct stat info;
	uint64_t *larger;

	if (stat(path, &info) != 0)
		return false;
	for (size_t i = 0; i < feed->tried_count; i++)
		if (feed->tried[i] == info.st_ino)
			return false;
	larger = reallocarray(feed->tried, feed->tried_count + 1, sizeof *larger);
	if (!larger)
		return false;
	feed->tried = larger;
	feed->tried[feed->tried_count++] = info.st_ino;
	return true;
}

/* Of a log that was rotated since: the oldest file of which something may be left. To free; NULL: none. */
static char *find_rotated(const struct ingest_logs *logs, struct feed *feed, const char *path)
{
	char *found = NULL;
	glob_t rotated;
	size_t i;

	follow_list_rotated(path, &rotated);
	for (i = rotated.gl_pathc; i > 0 && !ingest_places_find(&logs->places, rotated.gl_pathv[i - 1]);)
		i--;
	for (i = i ? i - 1 : rotated.gl_pathc; i < rotated.gl_pathc && !found; i++)
		if (try_first_time(feed, rotated.gl_pathv[i]))
			found = strdup(rotated.gl_pathv[i]);
	globfree(&rotated);
	return found;
}

/* To free; NULL: none. */
static char *next_path(struct ingest_logs *logs, struct feed *feed)
{
	const char *path;
	char *rotated;

	if (feed->path_at == feed->path_count)
		return NULL;
	path = feed->paths[feed->path_at];
	rotated = feed->path_at + 1 == feed->path_count && !ingest_places_find(&logs->places, path) ? find_rotated(logs, feed, path) : NULL;
	if (rotated)
		return rotated;
	feed->path_at++;
	return strdup(path);
}

static bool is_last(const struct feed *feed)
{
	return feed->path_at == feed->path_count;
}

/* What grows is followed: its last line may not be whole. */
static int open_path(struct feed *feed, struct problem *problem)
{
	struct stat info;
	int error = -ENOTSUP;

	if (stat(feed->path, &info) == 0 && !S_ISREG(info.st_mode)) {
		problem_set(problem, "cannot read '%s': only of a regular file it can be known how far it was read", feed->path);
		return -EINVAL;
	}
	if (is_last(feed))
		error = log_reader_follow(feed->reader, feed->path, NULL, problem);
	feed->is_live = !error;
	return error == -ENOTSUP ? log_reader_open(feed->reader, feed->path, problem) : error;
}

static bool is_held(const struct ingest_logs *logs, const struct ingest_place *place)
{
	for (const struct feed *feed = logs->first; feed; feed = feed->next)
		if (feed->is_open && feed->place == place)
			return true;
	return false;
}

/* The place that the store has of a file which begins so. One that grows beside another goes its own way from there. */
static void begin_file(struct ingest_logs *logs, struct feed *feed)
{
	struct ingest_place *held, *own;

	feed->place = NULL;
	held = ingest_places_find(&logs->places, feed->path);
	own = held && is_held(logs, held) ? ingest_places_add(&logs->places, feed->head, feed->path) : NULL;
	if (own) {
		own->place = held->place;
		own->has_changed = true;
	}
	feed->place = own ? own : held;
	feed->leave = feed->place ? feed->place->place.events : 0;
}

static void say_unreadable(struct ingest_logs *logs, struct feed *feed, const char *words)
{
	if (!feed->has_failed)
		notice(logs, "%s; %s", words, logs->options.follows && is_last(feed) ? "it is tried again" : "it is left out");
	logs->counts.unreadable += !feed->has_failed;
	feed->has_failed = true;
}

static void say_lost(const struct ingest_logs *logs, const struct feed *feed)
{
	if (is_last(feed) && !feed->has_failed && !feed->tried_count && ingest_places_know_path(&logs->places, feed->path) &&
	    log_place_head(feed->path) && !ingest_places_find(&logs->places, feed->path))
		notice(logs, "what was read of '%s' is in no file that is left; reading it from its start", feed->path);
}

/* The last one may be there later, and whole. */
static void try_again(const struct ingest_logs *logs, struct feed *feed)
{
	if (!is_last(feed) || !logs->options.follows)
		return;
	feed->path_at--;
	feed->retry_us = clock_steady_us() + RETRY_US;
}

static bool is_waiting(const struct feed *feed)
{
	const struct feed *other = feed->waits_for;

	return other && other->is_open && !other->is_dry && other->opened == feed->waits_for_opened;
}

/* A copy of what is being read waits until that comes to its end, so that what both have comes once. */
static bool must_wait(const struct ingest_logs *logs, struct feed *feed)
{
	feed->waits_for = NULL;
	for (const struct feed *other = logs->first; other && feed->head && !feed->waits_for; other = other->next)
		if (other != feed && other->is_open && !other->is_dry && other->head == feed->head &&
		    log_place_is_alike(other->path, feed->path)) {
			feed->waits_for = other;
			feed->waits_for_opened = other->opened;
		}
	return feed->waits_for;
}

static bool take_next_path(struct ingest_logs *logs, struct feed *feed)
{
	free(feed->path);
	feed->path = next_path(logs, feed);
	feed->head = feed->path ? log_place_head(feed->path) : 0;
	feed->opened++;
	return feed->path;
}

static bool open_next(struct ingest_logs *logs, struct feed *feed)
{
	struct problem problem = { "" };

	while (!feed->is_open) {
		if (is_waiting(feed) || feed->retry_us > clock_steady_us())
			return false;
		if (!feed->waits_for && !take_next_path(logs, feed))
			return false;
		if (must_wait(logs, feed))
			return false;
		say_lost(logs, feed);
		if (open_path(feed, &problem) == 0) {
			begin_file(logs, feed);
			feed->is_open = true;
			feed->has_failed = false;
			feed->source = source_number(logs->options.sources, SOURCE_FILE, text_of(feed->path));
			return true;
		}
		say_unreadable(logs, feed, problem.text);
		try_again(logs, feed);
	}
	return true;
}

/* ---- lines ---- */

/* A file that grows was rotated: the line is the first of another. */
static void note_file(struct ingest_logs *logs, struct feed *feed)
{
	struct log_place read = log_reader_place(feed->reader);

	feed->read = read;
	if (feed->place && read.head == feed->place->place.head)
		return;
	feed->place = ingest_places_add(&logs->places, read.head, feed->path);
	feed->leave = 0;
}

static void note_time(struct feed *feed)
{
	if (feed->event.frame.has_time && feed->event.frame.time_us > 0)
		feed->time_us = (uint64_t)feed->event.frame.time_us;
	if (!feed->paths)
		feed->event.line = feed->time_us;
}

static int read_line(struct ingest_logs *logs, struct feed *feed)
{
	int more = log_reader_next(feed->reader, &feed->event, &feed->result);

	if (more <= 0)
		return more;
	note_time(feed);
	if (feed->paths) {
		note_file(logs, feed);
		return 1;
	}
	free(feed->journal_place);
	feed->journal_place = log_reader_journal_place(feed->reader);
	return 1;
}

static void close_file(struct ingest_logs *logs, struct feed *feed, int error)
{
	struct problem problem;

	if (error) {
		problem_set(&problem, "cannot read '%s' to its end: %s", feed->path,
			    error == -EBADMSG ? "compressed data are damaged or cut off" : strerror(-error));
		say_unreadable(logs, feed, problem.text);
	}
	feed->is_open = false;
	if (error)
		try_again(logs, feed);
}

/* False: the feed has none now. */
static bool advance(struct ingest_logs *logs, struct feed *feed)
{
	while (open_next(logs, feed)) {
		int more = read_line(logs, feed);

		if (more > 0 && feed->read.events <= feed->leave && feed->paths) {
			logs->counts.left++;
			continue;
		}
		if (more > 0)
			return feed->has_line = true;
		if (more == 0 && feed->is_live) {
			feed->is_dry = true;
			return false;
		}
		close_file(logs, feed, more);
	}
	return false;
}

static struct feed *find_earliest(struct ingest_logs *logs)
{
	struct feed *earliest = NULL;

	for (struct feed *feed = logs->first; feed; feed = feed->next) {
		if (!feed->has_line && (feed->is_dry || !advance(logs, feed)))
			continue;
		if (!earliest || feed->time_us < earliest->time_us)
			earliest = feed;
	}
	return earliest;
}

/* What it waited for came to its end behind it. */
static bool one_waits_no_longer(const struct ingest_logs *logs)
{
	for (const struct feed *feed = logs->first; feed; feed = feed->next)
		if (feed->waits_for && !is_waiting(feed))
			return true;
	return false;
}

bool ingest_logs_next(struct ingest_logs *logs, struct ingest_line *ret_line)
{
	struct feed *earliest = find_earliest(logs);

	while (!earliest && one_waits_no_longer(logs))
		earliest = find_earliest(logs);
	logs->lent = earliest;
	if (!earliest)
		return false;
	*ret_line = (struct ingest_line){ &earliest->event, earliest->result, earliest->source, earliest->time_us };
	return true;
}

void ingest_logs_look_again(struct ingest_logs *logs)
{
	for (struct feed *feed = logs->first; feed; feed = feed->next)
		feed->is_dry = false;
}

static void count(struct ingest_logs *logs, enum format_result result)
{
	logs->counts.lines++;
	logs->counts.unknown += result == FORMAT_MALFORMED;
	logs->counts.foreign += result == FORMAT_NOT_MINE;
}

void ingest_logs_taken(struct ingest_logs *logs)
{
	struct feed *feed = logs->lent;

	count(logs, feed->result);
	feed->has_line = false;
	feed->has_taken = true;
	if (!feed->paths) {
		free(feed->journal_taken);
		feed->journal_taken = feed->journal_place;
		feed->journal_place = NULL;
	} else if (feed->place) {
		feed->place->place = feed->read;
		feed->place->has_changed = true;
	}
}

/* ---- positions ---- */

static int keep_journal(const struct ingest_logs *logs, const struct feed *feed, struct problem *problem)
{
	const char *name = feed->directory ? feed->directory : journal_name;

	return feed->has_taken && feed->journal_taken ?
	       store_set_input(logs->store, journal_kind, text_of(name), text_of(feed->journal_taken), problem) : 0;
}

int ingest_logs_keep(struct ingest_logs *logs, struct problem *problem)
{
	int error = ingest_places_keep(&logs->places, logs->store, problem);

	for (const struct feed *feed = logs->first; feed && !error; feed = feed->next)
		if (!feed->paths)
			error = keep_journal(logs, feed, problem);
	return error;
}

void ingest_logs_counts(const struct ingest_logs *logs, struct ingest_logs_counts *ret_counts)
{
	*ret_counts = logs->counts;
	for (const struct feed *feed = logs->first; feed; feed = feed->next)
		ret_counts->bytes += log_reader_bytes(feed->reader);
}
